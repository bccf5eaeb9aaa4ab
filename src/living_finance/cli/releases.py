"""Releases to the public: made, attacked, signed, withdrawn."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table as RichTable

from living_finance.cli.common import AllowFailedChecks, ConfigFile, WarehouseFolder, settings_of, spark_session
from living_finance.config import conf_file
from living_finance.errors import ConfigurationError, ReleaseDamaged
from living_finance.months import Month
from living_finance.progress import answer, console, working

if TYPE_CHECKING:
    from living_finance.release.rules import ReleaseRules
    from living_finance.steps.release import Inside

app = typer.Typer()
_PANEL = "Releases 공개"
RulesFile = Annotated[
    Path | None, typer.Option("--rules", help="What a channel publishes and how; default: conf/release/<channel>.yaml.")
]
ReleaseFolder = Annotated[Path, typer.Argument(help="<releases>/<channel>/<YYYYMM-vN>.", exists=True, file_okay=False)]
AnyFolder = Annotated[Path, typer.Argument(help="Folder of a release, or a copy of one.", exists=True, file_okay=False)]


@app.command(rich_help_panel=_PANEL)
def release(
    warehouse: WarehouseFolder,
    month: Annotated[str, typer.Option(help="YYYYMM, a finished month.")],
    out: Annotated[Path, typer.Option(help="Folder of all releases, with their register.")],
    channel: Annotated[
        str | None,
        typer.Option(help="portal (default), or campus: also row-level files of persons and households; --rules have their own."),
    ] = None,
    rules: RulesFile = None,
    config: ConfigFile = None,
    allow_failed_checks: AllowFailedChecks = False,
) -> None:
    """Make a candidate release from gold: protect, attack, package. It is public only after `approve`.

    Exit codes: 60 an attack succeeds (findings under OUT/_refused), 21 the month is not finished, 32 it fails a blocking check,
    62 the register is damaged.
    """
    from living_finance.steps.release import load_rules, make_release, summary
    from living_finance.storage.releases import ReleaseStore
    from living_finance.storage.warehouse import Warehouse

    wanted = load_rules(rules or _rules_of(channel or "portal"))
    settings = settings_of(config, allow_failed_checks=allow_failed_checks)
    if channel not in (None, wanted.channel):
        raise ConfigurationError(
            f"The rules are of channel {wanted.channel}, not {channel}.", remedy="name other --rules, or leave --channel out"
        )
    with spark_session(settings) as spark, working(f"release {month} {wanted.channel}"):
        store = Warehouse(spark, str(warehouse))
        folder = make_release(store, month=Month.parse(month), rules=wanted, store=ReleaseStore(out), quality=settings.quality)
    for line in summary(folder):
        console.print(line)
    console.print(f"candidate   {folder}\nnext        living-finance approve {folder} --approver NAME")


@app.command("verify-release", rich_help_panel=_PANEL)
def verify_release(
    folder: AnyFolder,
    warehouse: Annotated[Path | None, typer.Option(help="Also attack with what only the warehouse knows (starts Spark).")] = None,
    rules: RulesFile = None,
    findings_file: Annotated[Path | None, typer.Option("--findings", help="CSV for the findings.")] = None,
    config: ConfigFile = None,
) -> None:
    """Attack a release together with everything public before it (P1-P13); without --warehouse from public files alone.

    Exit codes: 0 nothing found, 60 an attack succeeds, 62 files or register are not what was registered.
    """
    from living_finance.errors import DisclosureFound
    from living_finance.steps.release import has_history, load_rules
    from living_finance.steps.release import verify_release as attack
    from living_finance.storage.releases import about_release

    about = about_release(folder)
    wanted = load_rules(rules or _rules_of(about.channel))
    inside = None if warehouse is None else _inside(warehouse, about.month, wanted, config)
    if not has_history(folder):
        console.print("history     none: no register two folders up; attacks across months, versions and channels see nothing")
    findings = attack(folder, rules=wanted, inside=inside)
    if findings_file is not None:
        findings_file.parent.mkdir(parents=True, exist_ok=True)
        findings.to_csv(findings_file, index=False)
    for found in findings.head(20).itertuples(index=False):
        console.print(escape("  ".join(map(str, found))))
    if len(findings):
        raise DisclosureFound(f"{len(findings)} findings in {folder}.", remedy="do not publish it; make the release again")
    console.print(f"{folder}: nothing found")


@app.command(rich_help_panel=_PANEL)
def approve(
    folder: ReleaseFolder,
    approver: Annotated[str, typer.Option(help="Name of the person who answers for it; stands in the register.")],
    warehouse: Annotated[
        Path | None,
        typer.Option(help="Attack with it too, and compare with what it noted when it made the candidate (starts Spark)."),
    ] = None,
    rules: RulesFile = None,
    config: ConfigFile = None,
) -> None:
    """Sign a candidate and publish it; its files must be those that were made, and the attacks must fail once more.

    Without --warehouse somebody who can write in the folder of all releases can have changed files and register together.

    Exit codes: 10 the approver is no name, 60 an attack succeeds, 61 it is no candidate, 62 a file was changed.
    """
    from living_finance.steps.release import approve as sign
    from living_finance.steps.release import load_rules
    from living_finance.storage.ledger import Ledger
    from living_finance.storage.releases import about_release

    wanted = load_rules(rules or _rules_of(folder.resolve().parent.name))
    if warehouse is None:
        sign(folder, approver=approver, rules=wanted)
    else:
        inside = _inside(warehouse, about_release(folder).month, wanted, config)
        sign(folder, approver=approver, rules=wanted, inside=inside, ledger=Ledger(str(warehouse.absolute())))
    console.print(f"published   {folder}")


@app.command(rich_help_panel=_PANEL)
def withdraw(
    folder: ReleaseFolder,
    reason: Annotated[str, typer.Option(help="Why; stands in the register.")],
    approver: Annotated[str, typer.Option(help="Name of the person who answers for it.")],
) -> None:
    """Take a release back. What was public counts as known for ever: later releases are checked against it.

    Exit code: 61 it is not registered or withdrawn already.
    """
    from living_finance.steps.release import withdraw as take_back

    take_back(folder, reason=reason, approver=approver)
    console.print(f"withdrawn   {folder}")


@app.command(rich_help_panel=_PANEL)
def releases(
    folder: Annotated[Path, typer.Argument(help="Folder of all releases, with their register.", exists=True, file_okay=False)],
) -> None:
    """List all releases: what is public, since when, by whom, and whether its files are still those that were registered.

    Exit code: 62 files of a release, or the register, are not what was registered.
    """
    from living_finance.contracts.releases import IS_PUBLIC, WITHDRAWN
    from living_finance.storage.releases import ReleaseStore

    store = ReleaseStore(folder)
    table = RichTable("channel", "release", "state", "since", "by", "reason", "files", title=str(folder))
    styles = {IS_PUBLIC: "green", WITHDRAWN: "yellow"}
    damage: ReleaseDamaged | None = None
    for line in store.current().values():
        try:
            store.check(line, remedy="restore it from a copy of the releases")
            files = "[green]✓[/green]"
        except ReleaseDamaged as error:
            damage = error
            files = "[red]changed[/red]"
        state = f"[{styles[line.state]}]{line.state}[/]" if line.state in styles else line.state
        table.add_row(line.channel, line.id, state, line.time[:10], *map(escape, (line.approver, line.reason)), files)
    answer(table if table.row_count else f"No releases in {folder} yet: living-finance release makes a candidate.")
    if damage:
        raise damage


def _inside(warehouse: Path, month: str, rules: ReleaseRules, config: Path | None) -> Inside:
    """What the warehouse knows of a month."""
    from living_finance.steps.release import inside_of_month
    from living_finance.storage.warehouse import Warehouse

    with spark_session(settings_of(config)) as spark, working("contributors"):
        return inside_of_month(Warehouse(spark, str(warehouse.absolute())), Month.parse(month), rules)


def _rules_of(channel: str) -> Traversable:
    return conf_file(f"release/{channel}.yaml", remedy="name conf/release/portal.yaml or campus.yaml by --rules")
