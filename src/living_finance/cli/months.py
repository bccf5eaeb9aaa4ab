"""Making months: from a machine that is ready to published tables, their state and their scores."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table as RichTable

from living_finance.cli.common import (
    AllowRowFall,
    ConfigFile,
    Landing,
    MadeWarehouse,
    Months,
    WarehouseFolder,
    check_folder,
    settings_of,
    spark_session,
)
from living_finance.errors import MissingInput
from living_finance.months import Month, parse_months
from living_finance.progress import answer, console, note, working

app = typer.Typer()
_PANEL = "Months 월별 작성"
_STEPS = "cleanse, place, households, income, statistics, quality"


@app.command(rich_help_panel=_PANEL)
def doctor(
    folder: Annotated[Path, typer.Option(help="Folder for the write test.")] = Path(),
    config: ConfigFile = None,
) -> None:
    """Check Java, Python, versions, jars, fonts and disk, and say how to mend what is missing."""
    from living_finance.doctor import examine

    settings = settings_of(config)
    table = RichTable("", "check", "found", "remedy", title="living-finance doctor")
    checks = examine(folder, settings)
    for check in checks:
        mark = "[green]✓[/green]" if check.passed else ("[red]✗[/red]" if check.is_required else "[yellow]·[/yellow]")
        table.add_row(mark, check.name, escape(check.found), "" if check.passed else escape(check.remedy))
    console.print(table)
    if any(check.is_required and not check.passed for check in checks):
        raise typer.Exit(11)


@app.command(rich_help_panel=_PANEL)
def synthesize(
    out: Annotated[Path, typer.Option(help="Landing folder to write the deliveries to.")],
    months: Annotated[str, typer.Option(help="YYYYMM, or a range FIRST..LAST.")] = "202001",
    gu: Annotated[str, typer.Option(help="District codes, comma-separated, or `all`.")] = "11140,11230",
    fraction: Annotated[float, typer.Option(min=0.001, max=1.0, help="Share of the real number of households.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    truth: Annotated[  # ok: the generator writes it, apart from what the pipeline reads
        Path | None, typer.Option(help="Folder for the truth; default: beside --out, named truth.")
    ] = None,
    file_format: Annotated[Literal["csv", "parquet"], typer.Option("--format", help="Of the delivered files.")] = "csv",
    config: ConfigFile = None,
) -> None:
    """Make a synthetic city: conforming deliveries and, apart, the truth about it."""
    from living_finance.synthetic import synthesize as make_city

    districts = None if gu == "all" else [code.strip() for code in gu.split(",")]
    with spark_session(settings_of(config)) as spark, working(f"synthetic city {gu} × {fraction}"):
        report = make_city(
            spark,
            out=out,
            truth=truth or out.parent / "truth",
            gu_codes=districts,
            fraction=fraction,
            months=parse_months(months),
            seed=seed,
            file_format=file_format,
            on_progress=note,
        )
    console.print(f"{report.households:,} households, {report.persons:,} persons in {report.seconds:.0f} s")
    console.print(f"deliveries  {out}\ntruth       {truth or out.parent / 'truth'}")
    console.print(f"next        living-finance run --landing {out} --warehouse WAREHOUSE --month {months}")


@app.command(rich_help_panel=_PANEL)
def receive(
    landing: Landing, warehouse: WarehouseFolder, config: ConfigFile = None, allow_row_fall: AllowRowFall = False
) -> None:
    """Verify every delivery in landing and store it as delivered; the same delivery again changes nothing."""
    from living_finance.steps.receive import receive as receive_all
    from living_finance.storage.pseudonyms import open_keys
    from living_finance.storage.warehouse import Warehouse

    settings = settings_of(config, allow_row_fall=allow_row_fall)
    check_folder(warehouse)
    with spark_session(settings) as spark:
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


@app.command(rich_help_panel=_PANEL)
def run(
    landing: Landing,
    warehouse: WarehouseFolder,
    month: Months,
    config: ConfigFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    allow_row_fall: AllowRowFall = False,
    step: Annotated[list[str] | None, typer.Option(help=f"Only this step, whether due or not; repeatable. {_STEPS}.")] = None,
) -> None:
    """Make months from whatever is in landing to published tables; what is up to date is skipped."""
    from living_finance.steps.run import RunPlan, make_months

    settings = settings_of(config, allow_row_fall=allow_row_fall)
    months = parse_months(month)
    check_folder(warehouse)
    with spark_session(settings) as spark:
        outcome = make_months(
            spark, landing=landing, root=str(warehouse), months=months, settings=settings, only=step, dry_run=dry_run
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


@app.command(rich_help_panel=_PANEL)
def status(warehouse: MadeWarehouse) -> None:
    """Show which steps of which months were made, and deliveries that stay refused; `run --dry-run` says what is due."""
    from living_finance.steps.month import STEPS
    from living_finance.storage.ledger import Ledger

    ledger = Ledger(str(warehouse))
    ledger.check_versions()
    table = RichTable("month", *(s.name for s in STEPS), "finished", title=f"{warehouse}")
    for month in ledger.months():
        records = [ledger.find(month, s.name) for s in STEPS]
        done = ["·" if r is None else f"{r.seconds:.0f} s" for r in records]
        table.add_row(str(month), *done, "[green]✓[/green]" if ledger.manifest(month) else "")
    answer(table if table.row_count else f"Nothing made in {warehouse} yet.")
    for file in sorted((warehouse / "_refused").glob("*.json")):
        refusal = json.loads(file.read_text(encoding="utf-8"))
        answer(f"[red]refused[/red] {refusal['delivery']}: {refusal['rule']} (details: {file})")


@app.command(rich_help_panel=_PANEL)
def describe(table: Annotated[str, typer.Argument(help="For instance gold.household; without a name: all tables.")] = "") -> None:
    """Explain a table: grain, key, and every column with unit, labels and codes."""
    from living_finance.catalog.dictionary import describe_table, list_tables

    answer(describe_table(table) if table else list_tables())


@app.command(rich_help_panel=_PANEL)
def evaluate(
    warehouse: WarehouseFolder,
    truth: Annotated[  # ok: handed to the evaluation, nothing else
        Path, typer.Option(help="Truth written by synthesize.", exists=True)
    ],
    month: Annotated[str, typer.Option(help="YYYYMM")],
    out: Annotated[Path | None, typer.Option("--json", help="File for the scores.")] = None,
    config: ConfigFile = None,
) -> None:
    """Score a synthetic month against its truth (the only command that reads truth)."""
    from living_finance.contracts import gold, silver
    from living_finance.evaluation.report import format_scores
    from living_finance.evaluation.scores import evaluate as score
    from living_finance.storage.warehouse import Warehouse

    date = Month.parse(month).date
    with spark_session(settings_of(config)) as spark, working(f"score {month}"):
        store = Warehouse(spark, str(warehouse))
        scores: dict[str, Any] = score(
            spark,
            household=store.read(gold.HOUSEHOLD, base_month=date),
            members=store.read(gold.HOUSEHOLD_MEMBER, base_month=date),
            statistics=store.read(gold.HOUSEHOLD_STATISTICS, base_month=date),
            draws=store.read(silver.AREA_INCOME_DRAW, base_month=date),
            truth=truth,
            month=Month.parse(month),
        )
    console.print(format_scores(scores))
    text = json.dumps(scores, ensure_ascii=False, indent=1, sort_keys=True)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")
    else:
        sys.stdout.write(text + "\n")
