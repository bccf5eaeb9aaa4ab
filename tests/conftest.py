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
        # Tests are many short queries: compiling them further than C1 costs more than it saves.
        SparkSettings(master="local[2]", driver_memory="2g", shuffle_partitions=2, java_options="-XX:TieredStopAtLevel=1"),
        name="living-finance-tests",
    )
    yield session
    session.stop()
