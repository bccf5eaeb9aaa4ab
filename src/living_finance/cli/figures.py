"""Reading figures: where they come from, how good they are, analyses and reports."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Column as RichColumn
from rich.table import Table as RichTable

from living_finance.cli.common import (
    ConfigFile,
    DatabaseUrl,
    MadeWarehouse,
    WarehouseFolder,
    settings_of,
    spark_session,
    with_database,
)
from living_finance.config import Settings
from living_finance.contracts.language import IN_DEVELOPMENT, Language
from living_finance.errors import ConfigurationError
from living_finance.months import Month
from living_finance.progress import answer, console, note, working

app = typer.Typer()
_PANEL = "Figures and reports 통계·보고서"
_SHOWN = 40
Lang = Annotated[Language, typer.Option("--lang", help="Of what is shown; files of rows have both.")]


@app.command(rich_help_panel=_PANEL)
def explain(
    what: Annotated[
        str,
        typer.Argument(
            help="A table of statistics (gold.household_statistics, gold.household_breakdown, gold.person_statistics), "
            "or the word household."
        ),
    ],
    month: Annotated[str, typer.Option(help="YYYYMM")],
    household_id: Annotated[str, typer.Argument(metavar="ID", help="Of the household.")] = "",
    warehouse: WarehouseFolder = Path(),
    region: Annotated[str, typer.Option(help="Code of the city (11), a district, dong or output area.")] = "11",
    database_url: DatabaseUrl = None,
    config: ConfigFile = None,
) -> None:
    """Say what a figure rests on (deliveries, rows, models, weights), or who is in a household and why.

    A household is for analysts: on a named database the login needs a grant of its district (`grant`), the embedded one is its
    owner's. The read is recorded first (access.read_record), so something must have been published.

    Exit codes: 10 no such table, no code of a region, or the login is no analyst; 21 the month is not finished, nothing has been
    published, or there is no such region or household, or none that the login may see.
    """
    from living_finance.catalog.explain import explain_figure
    from living_finance.steps.explain import figure_facts
    from living_finance.storage.ledger import Ledger

    date, root = Month.parse(month), str(warehouse)
    settings = with_database(settings_of(config), database_url)
    Ledger(root).finished(date)
    if what == "household":
        told = _household(settings, root=root, household_id=household_id, month=date)
    else:
        with spark_session(settings) as spark, working("explain"):
            told = explain_figure(figure_facts(spark, root=root, table=what, month=date, region=region))
    answer(told)


def _household(settings: Settings, *, root: str, household_id: str, month: Month) -> RenderableType:
    """A household explained to an analyst of its district; recorded before it is read, and not read if it cannot be."""
    from living_finance.catalog.explain import explain_household
    from living_finance.contracts.utilization import ANALYST
    from living_finance.steps.explain import household_facts
    from living_finance.storage.postgres import check_published, open_database

    check_published(settings.database, warehouse_root=root)
    with open_database(settings.database, warehouse_root=root) as database:
        statement = f"explain household {household_id} --month {month}"
        record = database.begin_read(statement, role=ANALYST, person=getpass.getuser())
        # Whoever can open the embedded server owns its files, and those of the warehouse around it.
        districts = {grant.gu_code for grant in database.districts() if grant.is_valid} if settings.database.url else None
        with spark_session(settings) as spark, working("explain"):
            facts = household_facts(spark, root=root, household_id=household_id, month=month, districts=districts)
        database.end_read(record, role=ANALYST, rows=1)
    return explain_household(facts)


@app.command(rich_help_panel=_PANEL)
def quality(
    warehouse: WarehouseFolder,
    month: Annotated[str, typer.Option(help="YYYYMM")],
    out: Annotated[Path, typer.Option(help="File to write: .html, or with --for bureau .csv.")],
    audience: Annotated[
        str,
        typer.Option("--for", help="staff: the quality report; bureau: coverage, old addresses and bias by group."),
    ] = "staff",
    language: Lang = "ko",
    config: ConfigFile = None,
) -> None:
    """Write the month's quality report (품질 보고서): checks, scores, changes, cross-validation, movement, coverage, edits."""
    from living_finance.steps.quality import write_bureau_feedback
    from living_finance.steps.quality_page import write_page
    from living_finance.storage.warehouse import Warehouse

    suffix = {"staff": ".html", "bureau": ".csv"}.get(audience)
    if suffix is None or out.suffix != suffix:
        raise ConfigurationError(
            f"--for {audience} --out {out.name} do not fit.", remedy="--for staff writes .html, --for bureau writes .csv"
        )
    date = Month.parse(month)
    with spark_session(settings_of(config)) as spark, working(f"{month} 품질 quality"):
        store = Warehouse(spark, str(warehouse))
        if audience == "staff":
            write_page(store, date, language=language, out=out)
        else:
            write_bureau_feedback(store, date, out=out)
    console.print(f"written     {out}")


@app.command(rich_help_panel=_PANEL)
def catalog(
    warehouse: MadeWarehouse,
    out: Annotated[Path, typer.Option(help="Folder to write catalog.jsonld and products.csv into.")],
    boundaries: Annotated[
        bool,
        typer.Option(
            "--boundaries",
            help="Also boundaries.geojson, boundaries.parquet (GeoParquet, EPSG:4326): dongs and districts of the newest month.",
        ),
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Write the catalogue of products (DCAT): Korean metadata items, join keys, lineage, versions and models of every month."""
    from living_finance.steps.catalogue import write_boundaries, write_catalogue
    from living_finance.steps.regions import region_names
    from living_finance.storage.warehouse import Warehouse

    settings = settings_of(config)
    months = write_catalogue(str(warehouse), out=out, settings=settings.catalog)
    console.print(f"catalogue   {out}  ({', '.join(str(made.month) for made in months)})")
    if boundaries:
        with spark_session(settings) as spark, working("경계 boundaries"):
            regions = region_names(Warehouse(spark, str(warehouse)), months[-1].month)
            number = write_boundaries(regions, out=out)
        console.print(f"boundaries  {out}  ({number:,} of {len(regions) - 1:,} regions of {months[-1].month})")


@app.command(rich_help_panel=_PANEL)
def analyse(
    name: Annotated[str, typer.Argument(help="Of the analysis; --list shows them.")] = "",
    warehouse: Annotated[Path | None, typer.Option(help="Folder of the Delta tables.", exists=True, file_okay=False)] = None,
    month: Annotated[str, typer.Option(help="YYYYMM")] = "",
    region: Annotated[str, typer.Option(help="City (11), district (11140) or dong (1114066), and all that is inside it.")] = "11",
    against: Annotated[str, typer.Option(help="YYYYMM: what has changed since; `change` takes the year before.")] = "",
    reference: Annotated[str, typer.Option("--with", help="Area to compare with (comparison, change): a district or dong.")] = "",
    out: Annotated[Path | None, typer.Option(help="File for all rows, .csv or .json; without it the first are shown.")] = None,
    language: Lang = "ko",
    show_list: Annotated[bool, typer.Option("--list", help="List the analyses and what they read.")] = False,
    config: ConfigFile = None,
) -> None:
    """Policy analyses with errors: inequality (Gini), poverty, work, small business, youth, debt, moves, change (정책 분석).

    With --against the change of every figure of an analysis since that month, with its error.

    Exit codes: 10 no such analysis, no code of a region, or nothing to compare; 21 the month is not made, or has no such region.
    """
    from living_finance.analyses.registry import ANALYSES, find
    from living_finance.reports.data import region_pairs
    from living_finance.steps.analyse import SHOWN, labelled, shown, sources_of, write_rows
    from living_finance.steps.analyse import analyse as run_analysis
    from living_finance.steps.regions import region_names
    from living_finance.storage.warehouse import Warehouse

    if show_list:
        table = RichTable(RichColumn("name", no_wrap=True), "이름", "what", "reads", title="analyses (docs/analyses.md)")
        for analysis in ANALYSES.values():
            reads = ", ".join(t.qualified_name for t in analysis.tables.values())
            table.add_row(analysis.name, analysis.label_ko, analysis.label_en, reads)
        answer(table)
        return
    if not name or warehouse is None or not month:
        raise ConfigurationError("An analysis needs a name, --warehouse and --month.", remedy="--list shows the names")
    if out is not None and out.suffix not in (".csv", ".json"):
        raise ConfigurationError(f"{out.name} is neither .csv nor .json.", remedy="name the file by what it shall hold")
    analysis, settings = find(name), settings_of(config)
    with spark_session(settings) as spark, working(f"{analysis.label_ko} {analysis.label_en} {month}"):
        store, date = Warehouse(spark, str(warehouse.absolute())), Month.parse(month)
        result = run_analysis(
            store,
            name,
            month=date,
            region=region,
            settings=settings.analyses,
            against=Month.parse(against) if against else None,
            reference=reference,
        )
        found = result.toPandas()  # ok: aggregates; some hundred regions by some hundred statistics at most
        rows = labelled(found, names=region_pairs(region_names(store, date)))
        sources = sources_of(store, analysis, date)
    if out is None:
        table = RichTable(*SHOWN, title=f"{analysis.label_ko} {analysis.label_en} {month}")
        for line in shown(rows.head(_SHOWN), language=language):
            table.add_row(*map(escape, line))
        said = f"{'출처' if language == 'ko' else 'Source'}: {sources}"
        answer(table, said, IN_DEVELOPMENT.of(language))
        note(f"{min(_SHOWN, len(rows))} of {len(rows):,} rows, ± standard errors; --out FILE.csv writes all, in won and shares")
        return
    write_rows(rows, out, sources=sources)
    console.print(f"{len(rows):,} rows  {out}")


@app.command(rich_help_panel=_PANEL)
def report(
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    month: Annotated[str, typer.Option(help="YYYYMM, a finished month.")] = "",
    year: Annotated[int | None, typer.Option(help="YYYY: its finished months, the last of them described.")] = None,
    warehouse: Annotated[Path | None, typer.Option(help="Folder of the Delta tables.", exists=True, file_okay=False)] = None,
    release_folder: Annotated[
        Path | None, typer.Option("--release", help="Approved release instead: public report of its cells.", exists=True)
    ] = None,
    region: Annotated[str, typer.Option(help="City (11) or a district (11140).")] = "11",
    languages: Annotated[str, typer.Option("--lang", help="ko, en, or ko,en: both from one reading.")] = "ko",
    formats: Annotated[str, typer.Option("--format", help="Comma-separated: html, pdf, hwpx.")] = "html,pdf,hwpx",
    config: ConfigFile = None,
) -> None:
    """Trend report (동향보고서) with maps, errors and sources: HTML, PDF and HWPX, internal or of an approved release.

    Exit codes: 10 no code of a region, 21 the month is not finished or has no such region,
    60 a figure is no published cell of the release, 61 the release is not approved, 62 it was changed.
    """
    from living_finance.steps.report import check_formats, data_of_release, data_of_warehouse, write_report
    from living_finance.storage.warehouse import Warehouse

    wanted = [name.strip() for name in formats.split(",") if name.strip()]
    check_formats(wanted)
    read_in = _languages(languages)
    if (warehouse is None) == (release_folder is None):
        raise ConfigurationError("A report is made from a warehouse or from a release.", remedy="--warehouse or --release")
    if release_folder is not None and (month or year):
        raise ConfigurationError("A release has its own month.", remedy="leave out --month and --year")
    if release_folder is not None:
        data = data_of_release(release_folder, region=region)
    else:
        settings = settings_of(config)
        with spark_session(settings) as spark, working(f"동향보고서 report {month or year}"):
            data = data_of_warehouse(
                Warehouse(spark, str(warehouse.absolute())),  # type: ignore[union-attr]
                month=Month.parse(month) if month else None,
                year=year,
                region=region,
                settings=settings.analyses,
            )
    for language in read_in:
        for file in write_report(data, language=language, formats=wanted, out=out):
            console.print(f"report      {file}")


def _languages(text: str) -> list[Language]:
    """Of a comma-separated option, each once."""
    known: Mapping[str, Language] = {language: language for language in get_args(Language)}
    wanted = dict.fromkeys(name.strip() for name in text.split(","))
    if unknown := [name for name in wanted if name not in known]:
        raise typer.BadParameter(
            f"no language {', '.join(unknown) or '(none)'}; there are {', '.join(known)}", param_hint="--lang"
        )
    return [known[name] for name in wanted]
