"""What protects the people in the data: keys of pseudonyms, removal of what is no longer needed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table as RichTable

from living_finance.cli.common import ConfigFile, DatabaseUrl, WarehouseFolder, settings_of, spark_session, with_database
from living_finance.errors import ConfigurationError
from living_finance.months import Month
from living_finance.progress import console, note, working

app = typer.Typer()
_PANEL = "People's data 개인정보"


@app.command("new-key", rich_help_panel=_PANEL)
def new_key(
    key_file: Annotated[
        Path, typer.Option(help="File for the keys, outside warehouse and landing; pseudonyms.key_file names it.")
    ],
    key_id: Annotated[str, typer.Option(help="Name of the key; stands in the data.")],
) -> None:
    """Make the first keys of pseudonyms, one per purpose. Keep a copy: without it no later month can be joined.

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


@app.command("rotate-key", rich_help_panel=_PANEL)
def rotate_key(
    warehouse: WarehouseFolder,
    key_id: Annotated[str, typer.Option(help="Name of the new key.")],
    config: ConfigFile = None,
) -> None:
    """Add a key and re-key every stored identifier; households, their ids and links over months stay. No run may be going.

    Interrupted, it goes on with the same command. Exit codes: 12 no usable key, 31 a month is being made.
    """
    from living_finance.steps.rotate import rotate_key as rotate
    from living_finance.storage.postgres_server import folder_of
    from living_finance.storage.pseudonyms import open_keys
    from living_finance.storage.warehouse import Warehouse

    settings, root = settings_of(config), str(warehouse)
    keys = open_keys(settings.pseudonyms, outside=(root,))
    if keys is None:
        raise ConfigurationError("Pseudonyms are off.", remedy="name the settings by which the warehouse was made (--config)")
    with spark_session(settings) as spark:
        done = rotate(Warehouse(spark, root), keys=keys, key_id=key_id, on_progress=note)
    console.print(f"{sum(rows for _, rows in done):,} rows of {len(done)} slices re-keyed by {key_id}")
    if settings.database.url or folder_of(root).is_dir():
        console.print("next        living-finance publish --force: the database has addresses by the key before")


@app.command(rich_help_panel=_PANEL)
def purge(
    warehouse: WarehouseFolder,
    before: Annotated[str, typer.Option(help="YYYYMM: rows of people of earlier months go, as far as retention allows.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go and what stays, and change nothing.")] = False,
    database_url: DatabaseUrl = None,
    config: ConfigFile = None,
) -> None:
    """Remove rows of people that are no longer needed, with their files (VACUUM), and old records of access, those in the log of
    the embedded server too. No run may be going.

    The newest made month stays: the next takes household ids from it. Exit codes: 21 no month is made, 31 a month is being made.
    """
    from living_finance.steps.purge import plan_purge
    from living_finance.steps.purge import purge as remove
    from living_finance.storage.postgres import open_database
    from living_finance.storage.postgres_server import folder_of, purge_log
    from living_finance.storage.warehouse import Warehouse

    settings, root, month = with_database(settings_of(config), database_url), str(warehouse), Month.parse(before)
    with spark_session(settings) as spark, working("purge"):
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
    if not settings.database.url and folder_of(root).is_dir():
        today = dt.date.today()  # ok: what is kept is kept back from today
        since = Month.from_date(today).plus(-settings.retention.access_months).date.replace(day=min(today.day, 28))
        logged = purge_log(folder_of(root), since=since, dry_run=dry_run)
        said = "stays: the server is in use, purge again" if logged is None else f"{logged:,} entries before {since}"
        console.print(f"log         {said}{'' if logged is None else ' would go' if dry_run else ' gone'}")
