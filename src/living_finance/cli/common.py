"""What the commands share: options of several commands, settings, a Spark session."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from living_finance.config import Settings, load_settings
from living_finance.progress import working

Landing = Annotated[Path, typer.Option(help="Folder with the deliveries.", exists=True, file_okay=False)]
WarehouseFolder = Annotated[
    Path,
    typer.Option(help="Folder of the Delta tables; the driver and all executors must see it.", callback=Path.absolute),
]
MadeWarehouse = Annotated[
    Path, typer.Option("--warehouse", help="Folder of the Delta tables.", exists=True, file_okay=False, callback=Path.absolute)
]
Months = Annotated[str, typer.Option("--month", help="YYYYMM, or a range FIRST..LAST.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML settings, see conf/local.yaml.")]
AllowRowFall = Annotated[
    bool, typer.Option("--allow-row-fall", help="Accept a delivery far smaller than last month's, or without a district.")
]
DatabaseUrl = Annotated[
    str | None, typer.Option("--database-url", help="PostgreSQL server; default: database.url, or one embedded in the warehouse.")
]
AllowFailedChecks = Annotated[
    bool, typer.Option("--allow-failed-checks", help="Go on although the month fails a check that stops it (see `quality`).")
]


def with_database(settings: Settings, url: str | None) -> Settings:
    """The settings with another database server, where one is named."""
    if url is None:
        return settings
    return settings.model_copy(update={"database": settings.database.model_copy(update={"url": url})})


def settings_of(file: Path | None, *, allow_row_fall: bool = False, allow_failed_checks: bool = False) -> Settings:
    """Settings of a file and the environment, with what a flag allows."""
    settings = load_settings(file)
    if allow_failed_checks:
        quality = settings.quality.model_copy(update={"allow_failed_checks": True})
        settings = settings.model_copy(update={"quality": quality})
    if allow_row_fall:
        receipt = settings.receipt.model_copy(update={"allow_row_fall": True})
        settings = settings.model_copy(update={"receipt": receipt})
    return settings


def check_folder(warehouse: Path) -> None:
    """Raises EnvironmentProblem for a folder that cannot be written."""
    from living_finance.doctor import check_writable, require

    require([check_writable(warehouse)])


@contextlib.contextmanager
def spark_session(settings: Settings) -> Iterator[Any]:
    """A session that ends with the command.

    Raises:
        EnvironmentProblem: no Java that Spark could start, or jars that are not the verified ones.
    """
    from living_finance.doctor import check_jars, check_java, require
    from living_finance.session import JARS_DIRECTORY, build_session, is_submitted

    if not is_submitted():
        require([check_java(os.environ), check_jars(JARS_DIRECTORY)])
    with working("start Spark"):
        spark = build_session(settings.spark)
    try:
        yield spark
    finally:
        spark.stop()
