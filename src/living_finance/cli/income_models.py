"""The income model: training, promotion, versions."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table as RichTable

from living_finance.cli.common import ConfigFile, WarehouseFolder, settings_of, spark_session
from living_finance.months import Month
from living_finance.progress import answer, console, working

app = typer.Typer()
_PANEL = "Income model 소득 모형"


@app.command(rich_help_panel=_PANEL)
def train(
    warehouse: WarehouseFolder,
    month: Annotated[str, typer.Option(help="YYYYMM; its households are made.")],
    config: ConfigFile = None,
) -> None:
    """Train the income model on a month, test it on districts left out, register it as challenger (모형 훈련)."""
    from living_finance.steps.month import open_month, train_month
    from living_finance.storage.warehouse import Warehouse

    settings = settings_of(config)
    with spark_session(settings) as spark, working(f"train {month}"):
        version, said = train_month(open_month(Warehouse(spark, str(warehouse)), Month.parse(month), settings))
    console.print(f"version     {version.label}, challenger\ngate        {'passes' if said.passes else 'refuses'}: {said.text}")
    console.print("next        living-finance promote --warehouse WAREHOUSE")


@app.command(rich_help_panel=_PANEL)
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
        made = promote_version(settings_of(config), root=str(warehouse), number=version)
    console.print(f"champion    {made.label}, trained on {made.month}")


@app.command(rich_help_panel=_PANEL)
def models(warehouse: WarehouseFolder, config: ConfigFile = None) -> None:
    """List versions of the income model: aliases, months, how they did on districts left out; whether a training is due."""
    from living_finance.registry import Registry
    from living_finance.storage.ledger import Ledger

    registry = Registry(settings_of(config).tracking, str(warehouse))
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
    answer(table if table.row_count else f"No models in {warehouse} yet: a month's first run trains one.")
    ledger = Ledger(str(warehouse))
    for month in ledger.months()[-1:]:
        record = ledger.find(month, "income")
        for reason in record.facts.get("model", {}).get("due", []) if record else []:
            answer(f"[yellow]training is due[/yellow] ({month}): {escape(reason)}")
