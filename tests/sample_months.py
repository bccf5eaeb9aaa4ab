"""Two months of the sample delivery, made once for all test files and both workers."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from filelock import FileLock
from pyspark.sql import DataFrame, SparkSession

from living_finance.config import IncomeSettings, Settings
from living_finance.contracts.core import Table
from living_finance.months import parse_months
from living_finance.steps.run import RunOutcome, make_months
from living_finance.storage.ledger import Ledger
from living_finance.storage.warehouse import Warehouse

LANDING = Path(__file__).parent / "data" / "landing"
MONTHS = parse_months("202001..202002")
SETTINGS = Settings(income=IncomeSettings(draws=16))
JANUARY, FEBRUARY = dt.date(2020, 1, 1), dt.date(2020, 2, 1)


def made_once(spark: SparkSession, folder: Path) -> Warehouse:
    """The warehouse of both months in a folder that the workers share; whoever comes first makes it."""
    root = str(folder / "warehouse")
    with FileLock(folder / "warehouse.lock"):
        if not all(Ledger(root).manifest(month) for month in MONTHS):
            outcome = make_months(spark, landing=LANDING, root=root, months=MONTHS, settings=SETTINGS)
            assert isinstance(outcome, RunOutcome)
            assert [o.is_skipped for _, o in outcome.steps] == [False] * 12
    return Warehouse(spark, root)


def read(store: Warehouse, table: Table) -> DataFrame:
    """Rows of the first month."""
    return store.read(table, base_month=JANUARY)
