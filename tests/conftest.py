"""One Spark session for the whole test run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from living_finance.config import SparkSettings
from living_finance.session import build_session

os.environ.setdefault("TZ", "Asia/Seoul")


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A local session on two cores with few shuffle partitions."""
    session = build_session(
        # Tests are many long expressions over few rows: interpreting them is faster than compiling them. Compiled, the same
        # steps run in the demo, on the cluster and in the benchmarks.
        SparkSettings(
            master="local[2]",
            driver_memory="2g",
            shuffle_partitions=2,
            java_options="-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=160m",
            extra={"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"},
        ),
        name="living-finance-tests",
    )
    yield session
    session.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first: whoever takes it last would leave the other worker idle."""
    items.sort(key=lambda item: item.path.name != "test_month.py")
