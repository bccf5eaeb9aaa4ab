"""`living-finance`: everything a person does with the system, one command each."""

from __future__ import annotations

import contextlib
import getpass
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column
from rich.table import Table as RichTable

from living_finance.config import Settings, load_settings
from living_finance.errors import ConfigurationError, LivingFinanceError, MissingInput
from living_finance.months import Month, parse_day, parse_months
from living_finance.progress import console, note, working

app = typer.Typer(
    help="Monthly household income, debt and spending by neighbourhood (생활금융 통계).",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

Landing = Annotated[Path, typer.Option(help="Folder with the deliveries.", exists=True, file_okay=False)]
WarehouseFolder = Annotated[Path, typer.Option(help="Folder of the Delta tables; the driver and all executors must see it.")]
Months = Annotated[str, typer.Option("--month", help="YYYYMM, or a range FIRST..LAST.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML settings, see conf/local.yaml.")]
AllowRowFall = Annotated[
    bool, typer.Option("--allow-row-fall", help="Accept a delivery far smaller than last month's, or without a district.")
]

DatabaseUrl = Annotated[
    str | None, typer.Option("--database-url", help="PostgreSQL server; default: database.url, or one embedded in the warehouse.")
]

_MOST_ROWS = 1000
_DISTRICT_DIGITS = 5

AllowFailedChecks = Annotated[
    bool, typer.Option("--allow-failed-checks", help="Go on although the month fails a check that stops it (see `quality`).")
]


def _with_database(settings: Settings, url: str | None) -> Settings:
    if url is None:
        return settings
    return settings.model_copy(update={"database": settings.database.model_copy(update={"url": url})})


def _settings(file: Path | None, *, allow_row_fall: bool = False, allow_failed_checks: bool = False) -> Settings:
    settings = load_settings(file)
    if allow_failed_checks:
        quality = settings.quality.model_copy(update={"allow_failed_checks": True})
        settings = settings.model_copy(update={"quality": quality})
    if allow_row_fall:
        receipt = settings.receipt.model_copy(update={"allow_row_fall": True})
        settings = settings.model_copy(update={"receipt": receipt})
    return settings


@app.command()
def doctor(
    folder: Annotated[Path, typer.Option(help="Folder for the write test.")] = Path(),
    config: ConfigFile = None,
) -> None:
    """Check Java, Python, versions, jars, fonts and disk, and say how to mend what is missing."""
    from living_finance.doctor import examine

    settings = _settings(config)
    table = RichTable("", "check", "found", "remedy", title="living-finance doctor")
    checks = examine(folder, settings)
    for check in checks:
        mark = "[green]✓[/green]" if check.passed else ("[red]✗[/red]" if check.is_required else "[yellow]·[/yellow]")
        table.add_row(mark, check.name, escape(check.found), "" if check.passed else escape(check.remedy))
    console.print(table)
    if any(check.is_required and not check.passed for check in checks):
        raise typer.Exit(11)


@app.command()
def synthesize(
    out: Annotated[Path, typer.Option(help="Landing folder to write the deliveries to.")],
    months: Annotated[str, typer.Option(help="YYYYMM, or a range FIRST..LAST.")] = "202001",
    gu: Annotated[str, typer.Option(help="District codes, comma-separated, or `all`.")] = "11140,11230",
    fraction: Annotated[float, typer.Option(min=0.001, max=1.0, help="Share of the real number of households.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    truth: Annotated[Path | None, typer.Option(help="Folder for the truth; default: beside --out, named truth.")] = None,
    file_format: Annotated[str, typer.Option("--format", help="csv or parquet.")] = "csv",
    config: ConfigFile = None,
) -> None:
    """Make a synthetic city: conforming deliveries and, apart, the truth about it."""
    from living_finance.synthetic import synthesize as make_city

    districts = None if gu == "all" else [code.strip() for code in gu.split(",")]
    with _session(_settings(config)) as spark, working(f"synthetic city {gu} × {fraction}"):
        report = make_city(
            spark,
            out=out,
            truth=truth or out.parent / "truth",
            gu_codes=districts,
            fraction=fraction,
            months=parse_months(months),
            seed=seed,
            file_format="parquet" if file_format == "parquet" else "csv",
            on_progress=note,
        )
    console.print(f"{report.households:,} households, {report.persons:,} persons in {report.seconds:.0f} s")
    console.print(f"deliveries  {out}\ntruth       {truth or out.parent / 'truth'}")
    console.print(f"next        living-finance run --landing {out} --warehouse WAREHOUSE --month {months}")


@app.command()
def receive(
    landing: Landing, warehouse: WarehouseFolder, config: ConfigFile = None, allow_row_fall: AllowRowFall = False
) -> None:
    """Verify every delivery in landing and store it as delivered; the same delivery again changes nothing."""
    from living_finance.steps.receive import receive as receive_all
    from living_finance.storage.pseudonyms import open_keys
    from living_finance.storage.warehouse import Warehouse

    settings = _settings(config, allow_row_fall=allow_row_fall)
    with _session(settings) as spark:
        keys = open_keys(settings.pseudonyms, outside=(warehouse, landing))
        receipts = receive_all(
            Warehouse(spark, str(warehouse)), landing=landing, settings=settings.receipt, keys=keys, on_progress=note
        )
    table = RichTable("delivery", "outcome", "rows", "to quarantine", "seconds", title="receive")
    for receipt in receipts:
        table.add_row(
            f"{receipt.dataset}/{receipt.month}" + (f".r{receipt.number}" if receipt.number else ""),
            receipt.outcome,
            f"{sum(receipt.rows.values()):,}",
            f"{sum(receipt.quarantined.values()):,}",
            f"{receipt.seconds:.1f}",
        )
    console.print(table)


@app.command()
def run(
    landing: Landing,
    warehouse: WarehouseFolder,
    month: Months,
    config: ConfigFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    allow_row_fall: AllowRowFall = False,
    step: Annotated[list[str] | None, typer.Option(help="Only this step (repeatable), whether due or not.")] = None,
) -> None:
    """Make months from whatever is in landing to published tables; what is up to date is skipped."""
    from living_finance.steps.run import RunPlan, make_months

    settings = _settings(config, allow_row_fall=allow_row_fall)
    months = parse_months(month)
    with _session(settings) as spark:
        outcome = make_months(
            spark, landing=landing, root=str(warehouse.absolute()), months=months, settings=settings, only=step, dry_run=dry_run
        )
    console.print(outcome.table())
    if isinstance(outcome, RunPlan):
        return
    for line in outcome.directions():
        console.print(line)
    if outcome.missing:
        raise MissingInput(
            f"No bureau or city delivery for {', '.join(map(str, outcome.missing))}.", remedy="add them to landing and run again"
        )


@app.command()
def train(
    warehouse: WarehouseFolder,
    month: Annotated[str, typer.Option(help="YYYYMM; its households are made.")],
    config: ConfigFile = None,
) -> None:
    """Train the income model on a month, test it on districts left out, register it as challenger (모형 훈련)."""
    from living_finance.steps.month import open_month, train_month
    from living_finance.storage.warehouse import Warehouse

    settings = _settings(config)
    with _session(settings) as spark, working(f"train {month}"):
        version, said = train_month(open_month(Warehouse(spark, str(warehouse.absolute())), Month.parse(month), settings))
    console.print(f"version     {version.label}, challenger\ngate        {'passes' if said.passes else 'refuses'}: {said.text}")
    console.print("next        living-finance promote --warehouse WAREHOUSE")


@app.command()
def promote(
    warehouse: WarehouseFolder,
    version: Annotated[int | None, typer.Option(help="Number of the version; default: the challenger.")] = None,
    config: ConfigFile = None,
) -> None:
    """Make a challenger champion, if it is not worse than the champion where districts were left out.

    Exit code: 53 the gate refuses it, with the reason.
    """
    from living_finance.steps.models import promote as promote_version

    with working("promote"):
        made = promote_version(_settings(config), root=str(warehouse.absolute()), number=version)
    console.print(f"champion    {made.label}, trained on {made.month}")


@app.command()
def models(warehouse: WarehouseFolder, config: ConfigFile = None) -> None:
    """List versions of the income model: aliases, months, how they did on districts left out; whether a training is due."""
    from living_finance.registry import Registry
    from living_finance.storage.ledger import Ledger

    registry = Registry(_settings(config).tracking, str(warehouse.absolute()))
    columns = ("version", "aliases", "trained on", "promoted", "loss", "total income, bias", "95 %", "gate")
    table = RichTable(*columns, title=f"{registry.name} (loss, bias: districts left out)")
    for version in registry.versions():
        found = registry.metrics(version)
        bias, lower, upper = (found.get(f"cv_total_relative_bias{side}") for side in ("", "_lower", "_upper"))
        shown = ("", "") if None in (bias, lower, upper) else (f"{bias:+.1%}", f"{lower:+.1%} … {upper:+.1%}")
        loss = f"{found['cv_loss']:.4f}" if "cv_loss" in found else ""
        mark = "[green]✓[/green]" if version.is_promoted else ""
        table.add_row(
            str(version.number), ", ".join(version.aliases), str(version.month), mark, loss, *shown, version.tags.get("gate", "")
        )
    console.print(table if table.row_count else f"No models in {warehouse} yet: a month's first run trains one.")
    ledger = Ledger(str(warehouse))
    for month in ledger.months()[-1:]:
        record = ledger.find(month, "income")
        for reason in record.facts.get("model", {}).get("due", []) if record else []:
            console.print(f"[yellow]training is due[/yellow] ({month}): {escape(reason)}")


@app.command()
def status(warehouse: WarehouseFolder) -> None:
    """Show which months are made, with what, and what is left to do."""
    from living_finance.steps.month import STEPS
    from living_finance.storage.ledger import Ledger

    ledger = Ledger(str(warehouse))
    ledger.check_versions()
    table = RichTable("month", *(s.name for s in STEPS), "finished", title=f"{warehouse}")
    for month in ledger.months():
        records = [ledger.find(month, s.name) for s in STEPS]
        done = ["·" if r is None else f"{r.seconds:.0f} s" for r in records]
        table.add_row(str(month), *done, "[green]✓[/green]" if ledger.manifest(month) else "")
    console.print(table if table.row_count else f"Nothing made in {warehouse} yet.")
    for file in sorted((warehouse / "_refused").glob("*.json")):
        refusal = json.loads(file.read_text(encoding="utf-8"))
        console.print(f"[red]refused[/red] {refusal['delivery']}: {refusal['rule']} (details: {file})")


@app.command()
def describe(table: Annotated[str, typer.Argument(help="For instance gold.household; without a name: all tables.")] = "") -> None:
    """Explain a table: grain, key, and every column with unit, labels and codes."""
    from living_finance.catalog.dictionary import describe_table, list_tables

    console.print(describe_table(table) if table else list_tables())


@app.command()
def publish(
    warehouse: WarehouseFolder,
    month: Months,
    database_url: DatabaseUrl = None,
    config: ConfigFile = None,
    force: Annotated[bool, typer.Option("--force", help="Publish although nothing has changed.")] = False,
    allow_failed_checks: AllowFailedChecks = False,
) -> None:
    """Publish finished months to the utilization database (PostgreSQL); what is published already is left alone."""
    from living_finance.steps.publish import publish_month, published_already
    from living_finance.storage.postgres import open_database

    settings = _with_database(_settings(config, allow_failed_checks=allow_failed_checks), database_url)
    root = str(warehouse.absolute())
    table = RichTable("month", "table", "rows", title="publish")
    months = parse_months(month)
    with open_database(settings.database, warehouse_root=root) as database, contextlib.ExitStack() as stack:
        known = {each: None if force else published_already(root=root, month=each, database=database) for each in months}
        spark: Any = stack.enter_context(_session(settings)) if None in known.values() else None
        for each, outcome in known.items():
            if outcome is None:
                with working(f"{each} 공표 publish"):
                    outcome = publish_month(spark, root=root, month=each, settings=settings, database=database, force=force)
            for position, (name, rows) in enumerate(outcome.rows.items()):
                state = f"{each} (unchanged)" if outcome.is_unchanged else str(each)
                table.add_row(state if position == 0 else "", name, f"{rows:,}")
    console.print(table)


@app.command()
def query(
    statement: Annotated[str, typer.Argument(help="One SELECT; without it the database stays up until Ctrl-C.")] = "",
    warehouse: WarehouseFolder = Path(),
    database_url: DatabaseUrl = None,
    role: Annotated[
        str, typer.Option(help="lf_reader (statistics) or lf_analyst (households of granted districts).")
    ] = "lf_reader",
    config: ConfigFile = None,
) -> None:
    """Ask the utilization database, read-only, with the rights of a role; or keep the embedded one running for other programs.

    In role lf_analyst the question is recorded first: who, when, what, how many rows (access.read_record).
    """
    from living_finance.contracts.utilization import ANALYST
    from living_finance.reports.formats import cell
    from living_finance.storage.postgres import check_published, open_database

    settings = _with_database(_settings(config), database_url)
    check_published(settings.database, warehouse_root=str(warehouse.absolute()))
    with open_database(settings.database, warehouse_root=str(warehouse.absolute())) as database:
        if not statement:
            console.print(f"The database answers at  {escape(database.shown_url())}\nCtrl-C stops it.")
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
            return
        columns, rows = database.query(statement, role=role, person=getpass.getuser(), limit=_MOST_ROWS + 1)
        has_district = role != ANALYST or any(grant.is_valid for grant in database.districts())
    table = RichTable(*(Column(name, overflow="fold") for name in columns))
    for row in rows[:_MOST_ROWS]:
        table.add_row(*(escape(cell(value)) for value in row))
    Console(highlight=False).print(table)  # ok: the answer, to standard output
    if not rows:
        note("no rows: check codes and month; region codes are in statistics.household_map")
    if len(rows) > _MOST_ROWS:
        note(f"the first {_MOST_ROWS:,} rows; there are more")
    if not has_district:
        note("no district is granted to this login, so rows of households are hidden: living-finance grant")


@app.command()
def grant(
    region: Annotated[str, typer.Option(help="District (11140); without it the grants are listed.")] = "",
    warehouse: WarehouseFolder = Path(),
    login: Annotated[
        str, typer.Option(help="Of the database; default: the one that this command uses, which on the embedded server is all.")
    ] = "",
    reason: Annotated[str, typer.Option(help="Why; stands in the record.")] = "",
    until: Annotated[str, typer.Option(help="YYYY-MM-DD, last day; without it no end.")] = "",
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the grant back.")] = False,
    database_url: DatabaseUrl = None,
    config: ConfigFile = None,
) -> None:
    """Let a login read the household rows of a district (`query --role lf_analyst`), take it back, or list who may.

    Exit codes: 10 no such login, or the database login of this command is no member of lf_owner; 21 nothing has been published.
    """
    from living_finance.steps.publish import boundaries
    from living_finance.storage.postgres import check_published, open_database

    settings = _with_database(_settings(config), database_url)
    if region and (not region.isdigit() or len(region) != _DISTRICT_DIGITS):
        raise ConfigurationError(f"{region!r} is no district.", remedy="give five digits, for instance 11140")
    if region and not revoke and not reason:
        raise ConfigurationError("A grant needs a reason.", remedy="--reason WHY")
    check_published(settings.database, warehouse_root=str(warehouse.absolute()))
    with open_database(settings.database, warehouse_root=str(warehouse.absolute())) as database:
        database.prepare(boundaries)
        person = login or database.login()
        if region and revoke and not database.revoke(person, region):
            raise MissingInput(f"{person} has no grant of {region}.", remedy="living-finance grant lists them")
        if region and not revoke:
            database.grant(person, region, until=parse_day(until), reason=reason)
        grants = database.grants()
    table = RichTable("login", "district", "until", "reason", title="districts whose households a login may read")
    for found in grants:
        end = "" if found.valid_until is None else f"{found.valid_until}" + ("" if found.is_valid else " (over)")
        table.add_row(escape(found.login), found.gu_code, end, escape(found.reason or ""))
    console.print(table if grants else "No login may read household rows.")


@app.command()
def explain(
    what: Annotated[str, typer.Argument(help="A table of statistics (gold.household_statistics), or the word household.")],
    household_id: Annotated[str, typer.Argument(metavar="ID", help="Of the household.")] = "",
    warehouse: WarehouseFolder = Path(),
    month: Annotated[str, typer.Option(help="YYYYMM")] = "",
    region: Annotated[str, typer.Option(help="Code of the city (11), a district, dong or output area.")] = "11",
    config: ConfigFile = None,
) -> None:
    """Say what a figure rests on (deliveries, rows, models, weights), or who is in a household and why.

    Exit codes: 10 no such table, or no code of a region; 21 the month is not finished, or has no such region or household.
    """
    from living_finance.catalog.explain import explain_figure, explain_household
    from living_finance.steps.explain import figure_facts, household_facts

    date, root = Month.parse(month), str(warehouse.absolute())
    with _session(_settings(config)) as spark, working("explain"):
        if what == "household":
            told = explain_household(household_facts(spark, root=root, household_id=household_id, month=date))
        else:
            told = explain_figure(figure_facts(spark, root=root, table=what, month=date, region=region))
    Console(highlight=False).print(told)  # ok: the answer, to standard output


@app.command()
def quality(
    warehouse: WarehouseFolder,
    month: Annotated[str, typer.Option(help="YYYYMM")],
    out: Annotated[Path, typer.Option(help="File to write: .html, or with --for bureau .csv.")],
    audience: Annotated[
        str,
        typer.Option("--for", help="staff: the quality report; bureau: coverage, old addresses and bias by group."),
    ] = "staff",
    lang: Annotated[str, typer.Option(help="ko or en, of the report.")] = "ko",
    config: ConfigFile = None,
) -> None:
    """Write the month's quality report (품질 보고서): checks, scores, changes, cross-validation, movement, coverage, edits."""
    from living_finance.steps.quality import write_bureau_feedback, write_page
    from living_finance.storage.warehouse import Warehouse

    suffix = {"staff": ".html", "bureau": ".csv"}.get(audience)
    if suffix is None or lang not in ("ko", "en") or out.suffix != suffix:
        raise ConfigurationError(
            f"--for {audience} --lang {lang} --out {out.name} do not fit.",
            remedy="--for staff writes .html in ko or en, --for bureau writes .csv",
        )
    date = Month.parse(month)
    with _session(_settings(config)) as spark, working(f"{month} 품질 quality"):
        store = Warehouse(spark, str(warehouse.absolute()))
        if audience == "staff":
            write_page(store, date, language="ko" if lang == "ko" else "en", out=out)
        else:
            write_bureau_feedback(store, date, out=out)
    console.print(f"written     {out}")


@app.command()
def catalog(
    warehouse: Annotated[Path, typer.Option(help="Folder of the Delta tables.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="Folder to write catalog.jsonld and products.csv into.")],
    config: ConfigFile = None,
) -> None:
    """Write the catalogue of products (DCAT): Korean metadata items, join keys, lineage, versions and models of every month."""
    from living_finance.steps.catalogue import write_catalogue

    months = write_catalogue(str(warehouse.absolute()), out=out, settings=_settings(config).catalog)
    console.print(f"catalogue   {out}  ({', '.join(str(made.month) for made in months)})")


@app.command()
def evaluate(
    warehouse: WarehouseFolder,
    truth: Annotated[Path, typer.Option(help="Truth written by synthesize.", exists=True)],
    month: Annotated[str, typer.Option(help="YYYYMM")],
    out: Annotated[Path | None, typer.Option("--json", help="File for the scores.")] = None,
    config: ConfigFile = None,
) -> None:
    """Score a synthetic month against its truth (the only command that reads truth)."""
    from living_finance.contracts import gold
    from living_finance.evaluation.report import format_scores
    from living_finance.evaluation.scores import evaluate as score
    from living_finance.storage.warehouse import Warehouse

    date = Month.parse(month).date
    with _session(_settings(config)) as spark, working(f"score {month}"):
        store = Warehouse(spark, str(warehouse))
        scores: dict[str, Any] = score(
            spark,
            household=store.read(gold.HOUSEHOLD, base_month=date),
            members=store.read(gold.HOUSEHOLD_MEMBER, base_month=date),
            statistics=store.read(gold.HOUSEHOLD_STATISTICS, base_month=date),
            truth=truth,
            month=Month.parse(month),
        )
    console.print(format_scores(scores))
    text = json.dumps(scores, ensure_ascii=False, indent=1, sort_keys=True)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    else:
        sys.stdout.write(text + "\n")


_SHOWN = 40


@app.command()
def analyse(
    name: Annotated[str, typer.Argument(help="Of the analysis; --list shows them.")] = "",
    warehouse: Annotated[Path | None, typer.Option(help="Folder of the Delta tables.", exists=True, file_okay=False)] = None,
    month: Annotated[str, typer.Option(help="YYYYMM")] = "",
    region: Annotated[str, typer.Option(help="City (11), district (11140) or dong (1114066), and all that is inside it.")] = "11",
    against: Annotated[str, typer.Option(help="YYYYMM to compare with (change only); default: a year before.")] = "",
    out: Annotated[Path | None, typer.Option(help="File for all rows, .csv or .json; without it the first are shown.")] = None,
    language: Annotated[str, typer.Option("--lang", help="ko or en, of what is shown; files have both.")] = "ko",
    show_list: Annotated[bool, typer.Option("--list", help="List the analyses and what they read.")] = False,
    config: ConfigFile = None,
) -> None:
    """Policy analyses with errors: inequality (Gini), poverty, work, small business, youth, debt, moves, change (정책 분석).

    Exit codes: 10 no such analysis, or no code of a region; 21 the month is not made, or has no such region.
    """
    from living_finance.analyses.registry import ANALYSES, find
    from living_finance.reports.data import region_pairs
    from living_finance.steps.analyse import SHOWN, labelled, shown
    from living_finance.steps.analyse import analyse as run_analysis
    from living_finance.steps.regions import region_names
    from living_finance.storage.warehouse import Warehouse

    if show_list:
        table = RichTable("name", "이름", "what", "reads", title="analyses (docs/analyses.md)")
        for analysis in ANALYSES.values():
            reads = ", ".join(t.qualified_name for t in analysis.tables.values())
            table.add_row(analysis.name, analysis.label_ko, analysis.label_en, reads)
        console.print(table)
        return
    if not name or warehouse is None or not month:
        raise ConfigurationError("An analysis needs a name, --warehouse and --month.", remedy="--list shows the names")
    if language not in ("ko", "en"):
        raise ConfigurationError(f"There are no names in {language!r}.", remedy="--lang ko or en")
    if out is not None and out.suffix not in (".csv", ".json"):
        raise ConfigurationError(f"{out.name} is neither .csv nor .json.", remedy="name the file by what it shall hold")
    analysis, settings = find(name), _settings(config)
    with _session(settings) as spark, working(f"{analysis.label_ko} {analysis.label_en} {month}"):
        store, date = Warehouse(spark, str(warehouse.absolute())), Month.parse(month)
        result = run_analysis(
            store,
            name,
            month=date,
            region=region,
            settings=settings.analyses,
            against=Month.parse(against) if against else None,
        )
        found = result.toPandas()  # ok: aggregates; some hundred regions by some hundred statistics at most
        rows = labelled(found, names=region_pairs(region_names(store, date)))
    if out is None:
        table = RichTable(*SHOWN, title=f"{analysis.label_ko} {analysis.label_en} {month}")
        for line in shown(rows.head(_SHOWN), language="en" if language == "en" else "ko"):
            table.add_row(*map(escape, line))
        Console(highlight=False).print(table)  # ok: the answer, to standard output
        note(f"{min(_SHOWN, len(rows))} of {len(rows):,} rows, ± standard errors; --out FILE.csv writes all, in won and shares")
        return
    if out.suffix == ".csv":
        rows.to_csv(out, index=False, encoding="utf-8-sig")
    else:
        rows.astype({"base_month": "string"}).to_json(out, orient="records", force_ascii=False, indent=1)
    console.print(f"{len(rows):,} rows  {out}")


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    month: Annotated[str, typer.Option(help="YYYYMM, a finished month.")] = "",
    year: Annotated[int | None, typer.Option(help="YYYY: its finished months, the last of them described.")] = None,
    warehouse: Annotated[Path | None, typer.Option(help="Folder of the Delta tables.", exists=True, file_okay=False)] = None,
    release_folder: Annotated[
        Path | None, typer.Option("--release", help="Approved release instead: public report of its cells.", exists=True)
    ] = None,
    region: Annotated[str, typer.Option(help="City (11) or a district (11140).")] = "11",
    language: Annotated[str, typer.Option("--lang", help="ko or en.")] = "ko",
    formats: Annotated[str, typer.Option("--format", help="Comma-separated: html, pdf, hwpx.")] = "html,pdf,hwpx",
    config: ConfigFile = None,
) -> None:
    """Trend report (동향보고서) with maps, errors and sources: HTML, PDF and HWPX, internal or of an approved release.

    Exit codes: 10 no code of a region, 21 the month is not finished or has no such region,
    61 the release is not approved, 62 it was changed.
    """
    from living_finance.steps.report import check_wishes, data_of_release, data_of_warehouse, write_report
    from living_finance.storage.warehouse import Warehouse

    wanted = [name.strip() for name in formats.split(",") if name.strip()]
    check_wishes(language=language, formats=wanted)
    if (warehouse is None) == (release_folder is None):
        raise ConfigurationError("A report is made from a warehouse or from a release.", remedy="--warehouse or --release")
    if release_folder is not None:
        data = data_of_release(release_folder, region=region)
    else:
        settings = _settings(config)
        with _session(settings) as spark, working(f"동향보고서 report {month or year}"):
            data = data_of_warehouse(
                Warehouse(spark, str(warehouse.absolute())),  # type: ignore[union-attr]
                month=Month.parse(month) if month else None,
                year=year,
                region=region,
                settings=settings.analyses,
            )
    for file in write_report(data, language=language, formats=wanted, out=out):
        console.print(f"report      {file}")


RulesFile = Annotated[
    Path | None, typer.Option("--rules", help="What a channel publishes and how; default: conf/release/<channel>.yaml.")
]
ReleaseFolder = Annotated[Path, typer.Argument(help="<releases>/<channel>/<YYYYMM-vN>.", exists=True, file_okay=False)]


@app.command()
def release(
    warehouse: WarehouseFolder,
    month: Annotated[str, typer.Option(help="YYYYMM, a finished month.")],
    out: Annotated[Path, typer.Option(help="Folder of all releases, with their register.")],
    channel: Annotated[str, typer.Option(help="portal, or campus (also row-level files of persons and households).")] = "portal",
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

    wanted, settings = load_rules(rules or _rules_of(channel)), _settings(config, allow_failed_checks=allow_failed_checks)
    with _session(settings) as spark, working(f"release {month} {wanted.channel}"):
        store = Warehouse(spark, str(warehouse.absolute()))
        folder = make_release(store, month=Month.parse(month), rules=wanted, store=ReleaseStore(out), quality=settings.quality)
    for line in summary(folder):
        console.print(line)
    console.print(f"candidate   {folder}\nnext        living-finance approve {folder} --approver NAME")


@app.command("verify-release")
def verify_release(
    folder: ReleaseFolder,
    warehouse: Annotated[Path | None, typer.Option(help="Also attack with what only the warehouse knows (starts Spark).")] = None,
    rules: RulesFile = None,
    findings_file: Annotated[Path | None, typer.Option("--findings", help="CSV for the findings.")] = None,
    config: ConfigFile = None,
) -> None:
    """Attack a release together with everything public before it (P1-P13); without --warehouse from public files alone.

    Exit codes: 0 nothing found, 60 an attack succeeds, 62 files or register are not what was registered.
    """
    from living_finance.errors import DisclosureFound
    from living_finance.steps.release import inside_of_month, load_rules
    from living_finance.steps.release import verify_release as attack
    from living_finance.storage.warehouse import Warehouse

    wanted = load_rules(rules or _rules_of(folder.resolve().parent.name))
    month = Month.parse(folder.resolve().name.partition("-v")[0])
    inside = None
    if warehouse is not None:
        with _session(_settings(config)) as spark, working("contributors"):
            store = Warehouse(spark, str(warehouse.absolute()))
            inside = inside_of_month(store, month, wanted)
    findings = attack(folder, rules=wanted, inside=inside)
    if findings_file is not None:
        findings.to_csv(findings_file, index=False)
    for found in findings.head(20).itertuples(index=False):
        console.print(escape("  ".join(map(str, found))))
    if len(findings):
        raise DisclosureFound(f"{len(findings)} findings in {folder}.", remedy="do not publish it; make the release again")
    console.print(f"{folder}: nothing found")


@app.command()
def approve(
    folder: ReleaseFolder,
    approver: Annotated[str, typer.Option(help="Name of the person who answers for it; stands in the register.")],
    rules: RulesFile = None,
) -> None:
    """Sign a candidate and publish it; its files must be those that were made, and the attacks must fail once more.

    Exit codes: 60 an attack succeeds, 61 it is no candidate, 62 a file was changed.
    """
    from living_finance.steps.release import approve as sign
    from living_finance.steps.release import load_rules

    sign(folder, approver=approver, rules=load_rules(rules or _rules_of(folder.resolve().parent.name)))
    console.print(f"published   {folder}")


@app.command()
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


@app.command("new-key")
def new_key(
    key_file: Annotated[
        Path, typer.Option(help="File for the keys, outside warehouse and landing; pseudonyms.key_file names it.")
    ],
    key_id: Annotated[str, typer.Option(help="Name of the key; stands in the data.")],
) -> None:
    """Make the first key of person pseudonyms. Keep a copy: without it no later month can be joined.

    Exit code: 10 the file has keys already, or the id is none.
    """
    from living_finance.storage.pseudonyms import add_key

    if key_file.exists():
        raise ConfigurationError(
            f"{key_file} is there already.", remedy="living-finance rotate-key changes the key of a warehouse"
        )
    add_key(key_file, key_id)
    console.print(
        f"key         {key_id} in {key_file}\nnext        pseudonyms: {{enabled: true, key_file: {key_file}}} in the settings"
    )


@app.command("rotate-key")
def rotate_key(
    warehouse: WarehouseFolder,
    key_id: Annotated[str, typer.Option(help="Name of the new key.")],
    config: ConfigFile = None,
) -> None:
    """Add a key and re-key every stored person identifier; households, their ids and links over months stay. No run may be going.

    Interrupted, it goes on with the same command. Exit codes: 12 no usable key, 31 a month is being made.
    """
    from living_finance.steps.rotate import rotate_key as rotate
    from living_finance.storage.pseudonyms import open_keys
    from living_finance.storage.warehouse import Warehouse

    settings, root = _settings(config), str(warehouse.absolute())
    keys = open_keys(settings.pseudonyms, outside=(root,))
    if keys is None:
        raise ConfigurationError("Pseudonyms are off.", remedy="name the settings by which the warehouse was made (--config)")
    with _session(settings) as spark:
        done = rotate(Warehouse(spark, root), keys=keys, key_id=key_id, on_progress=note)
    console.print(f"{sum(rows for _, rows in done):,} rows of {len(done)} slices re-keyed by {key_id}")


@app.command()
def purge(
    warehouse: WarehouseFolder,
    before: Annotated[str, typer.Option(help="YYYYMM: rows of people of earlier months go, as far as retention allows.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go and what stays, and change nothing.")] = False,
    database_url: DatabaseUrl = None,
    config: ConfigFile = None,
) -> None:
    """Remove rows of people that are no longer needed, with their files (VACUUM), and old access records. No run may be going.

    The newest made month stays: the next takes household ids from it. Exit codes: 21 no month is made, 31 a month is being made.
    """
    from living_finance.steps.purge import plan_purge
    from living_finance.steps.purge import purge as remove
    from living_finance.storage.postgres import open_database
    from living_finance.storage.postgres_server import folder_of
    from living_finance.storage.warehouse import Warehouse

    settings, root, month = _with_database(_settings(config), database_url), str(warehouse.absolute()), Month.parse(before)
    with _session(settings) as spark, working("purge"):
        store = Warehouse(spark, root)
        if dry_run:
            plan = plan_purge(store, before=month, retention=settings.retention)
        else:
            plan = remove(store, before=month, retention=settings.retention, on_progress=note)
    table = RichTable("table", "slice", "rows", title="would go" if dry_run else "gone")
    for removed, part, rows in plan.slices:
        table.add_row(removed.qualified_name, " ".join(map(str, part.values())), f"{rows:,}")
    console.print(table if plan.slices else f"No rows of people before {before} can go.")
    for kept, why in plan.kept:
        console.print(f"kept        {kept}: {why}")
    if plan.months:
        console.print(f"note        {plan.months[-1].plus(1)} can no longer be made again with the same household ids")
    if settings.database.url or folder_of(root).is_dir():
        months = settings.retention.access_months
        with open_database(settings.database, warehouse_root=root) as database:
            records = database.purge_records(months=months, dry_run=dry_run)
        console.print(f"records     {records:,} reads older than {months} months {'would go' if dry_run else 'gone'}")


def _rules_of(channel: str) -> Path:
    """The rules here, else those of the package, else those of the checkout that it is run from."""
    file = Path("conf") / "release" / f"{channel}.yaml"
    package = Path(__file__).resolve().parent
    return next((path for path in (file, package / file, package.parents[1] / file) if path.is_file()), file)


@contextlib.contextmanager
def _session(settings: Settings) -> Iterator[Any]:
    from living_finance.session import build_session

    with working("start Spark"):
        spark = build_session(settings.spark)
    try:
        yield spark
    finally:
        spark.stop()


def main_of(command: str, *options: str) -> None:
    """Entry point of the spark-submit jobs: one command with the flags of the command line."""
    sys.argv = [sys.argv[0], command, *options, *sys.argv[1:]]
    main()


def main() -> None:
    """Entry point: our own errors become one line and their exit code."""
    try:
        app()
    except LivingFinanceError as error:
        console.print(f"[red]{type(error).__name__}[/red] {escape(str(error))}")
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
