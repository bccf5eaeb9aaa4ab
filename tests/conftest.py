"""One Spark session for the whole test run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from living_finance.config import SparkSettings
from living_finance.session import build_session
from living_finance.storage.warehouse import Warehouse
from sample_months import made_once

os.environ.setdefault("TZ", "Asia/Seoul")


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A local session on two cores with few shuffle partitions."""
    session = build_session(
        # Tests are many long expressions over few rows: interpreting them is faster than compiling them. Compiled, the same
        # steps run in the demo, on the cluster and in the benchmarks.
        SparkSettings(
            master="local[2]",
            driver_memory="3g",
            shuffle_partitions=2,
            java_options="-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=160m",
            extra={
                "spark.sql.codegen.wholeStage": "false",
                "spark.sql.codegen.factoryMode": "NO_CODEGEN",
                # Planning what is left anew after every stage costs more than running it: as above, it is on everywhere else.
                "spark.sql.adaptive.enabled": "false",
                # Delta keeps the state of each of 10,000 tables for an hour: those of thousands of tests fill the heap.
                "spark.databricks.delta.delta.log.cacheSize": "100",
            },
        ),
        name="living-finance-tests",
    )
    yield session
    session.stop()


@pytest.fixture(scope="session")
def store(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Two finished months. Tests of two workers read it: none may change it."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "sample"
    folder.mkdir(exist_ok=True)
    return made_once(spark, folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The file that makes the months first, the long ones that read them half-way: no worker waits, neither is last alone."""
    makes = [item for item in items if item.path.name == "test_month.py"]
    reads = [item for item in items if item.path.name in ("test_month_notebooks.py", "test_month_report.py")]
    others = [item for item in items if item not in makes and item not in reads]
    half = len(others) // 2
    while 0 < half < len(others) and others[half].path == others[half - 1].path:
        half += 1
    items[:] = makes + others[:half] + reads + others[half:]
