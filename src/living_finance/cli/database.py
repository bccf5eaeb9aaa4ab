"""The utilization database: publishing to it, asking it, who may read households."""

from __future__ import annotations

import contextlib
import getpass
import threading
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table as RichTable

from living_finance.cli.common import (
    AllowFailedChecks,
    ConfigFile,
    DatabaseUrl,
    Months,
    WarehouseFolder,
    settings_of,
    spark_session,
    with_database,
)
from living_finance.errors import ConfigurationError, MissingInput
from living_finance.months import parse_day, parse_months
from living_finance.progress import answer, console, note, working

app = typer.Typer()
_PANEL = "Utilization database 활용시스템"
_MOST_ROWS = 1000
_DISTRICT_DIGITS = 5


@app.command(rich_help_panel=_PANEL)
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
    from living_finance.storage.ledger import Ledger
    from living_finance.storage.postgres import open_database

    settings = with_database(settings_of(config, allow_failed_checks=allow_failed_checks), database_url)
    root = str(warehouse)
    table = RichTable("month", "table", "rows", title="publish")
    months = parse_months(month)
    for each in months:  # before a database is made for them
        Ledger(root).finished(each)
    with open_database(settings.database, warehouse_root=root) as database, contextlib.ExitStack() as stack:
        known = {each: None if force else published_already(root=root, month=each, database=database) for each in months}
        spark: Any = stack.enter_context(spark_session(settings)) if None in known.values() else None
        for each, outcome in known.items():
            if outcome is None:
                with working(f"{each} 공표 publish"):
                    outcome = publish_month(spark, root=root, month=each, settings=settings, database=database, force=force)
            for position, (name, rows) in enumerate(outcome.rows.items()):
                state = f"{each} (unchanged)" if outcome.is_unchanged else str(each)
                table.add_row(state if position == 0 else "", name, f"{rows:,}")
    console.print(table)


@app.command(rich_help_panel=_PANEL)
def query(
    statement: Annotated[str, typer.Argument(help="One SELECT; without it the database stays up until Ctrl-C.")] = "",
    warehouse: WarehouseFolder = Path(),
    database_url: DatabaseUrl = None,
    role: Annotated[
        Literal["lf_reader", "lf_analyst"],
        typer.Option(help="lf_reader (statistics) or lf_analyst (households of granted districts)."),
    ] = "lf_reader",
    config: ConfigFile = None,
) -> None:
    """Ask the utilization database, read-only, with the rights of a role; or keep the embedded one running for other programs.

    In role lf_analyst the question is recorded first: who, when, what, how many rows (access.read_record).
    """
    from living_finance.contracts.language import IN_DEVELOPMENT
    from living_finance.contracts.utilization import ANALYST
    from living_finance.reports.formats import cell
    from living_finance.storage.postgres import check_published, open_database

    settings = with_database(settings_of(config), database_url)
    check_published(settings.database, warehouse_root=str(warehouse))
    with open_database(settings.database, warehouse_root=str(warehouse)) as database:
        if not statement:
            console.print(f"The database answers at  {escape(database.shown_url())}\nCtrl-C stops it.")
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
            return
        columns, rows = database.query(statement, role=role, person=getpass.getuser(), limit=_MOST_ROWS + 1)
        has_district = role != ANALYST or any(grant.is_valid for grant in database.districts())
    table = RichTable(*columns)
    for row in rows[:_MOST_ROWS]:
        table.add_row(*(escape(cell(value)) for value in row))
    answer(table, IN_DEVELOPMENT.both)
    if not rows:
        note("no rows: check codes and month; region codes are in statistics.household_map")
    if len(rows) > _MOST_ROWS:
        note(f"the first {_MOST_ROWS:,} rows; there are more")
    if not has_district:
        note("no district is granted to this login, so rows of households are hidden: living-finance grant")


@app.command(rich_help_panel=_PANEL)
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

    settings = with_database(settings_of(config), database_url)
    if region and (not region.isdigit() or len(region) != _DISTRICT_DIGITS):
        raise ConfigurationError(f"{region!r} is no district.", remedy="give five digits, for instance 11140")
    if region and not revoke and not reason:
        raise ConfigurationError("A grant needs a reason.", remedy="--reason WHY")
    check_published(settings.database, warehouse_root=str(warehouse))
    with open_database(settings.database, warehouse_root=str(warehouse)) as database:
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
    answer(table if grants else "No login may read household rows.")
