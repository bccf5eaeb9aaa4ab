"""Joins that refuse to fan out, and random numbers that depend on keys alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from living_finance.methods.joins import join_to_one
from living_finance.methods.keyed_random import uniform


@pytest.fixture
def adaptive(spark: SparkSession) -> Iterator[SparkSession]:
    """With plans adapted while they run, as everywhere but in tests: failures of a broadcast are wrapped otherwise."""
    spark.conf.set("spark.sql.adaptive.enabled", "true")
    yield spark
    spark.conf.set("spark.sql.adaptive.enabled", "false")


@pytest.mark.parametrize("broadcast", [True, False])
def test_a_key_twice_on_the_right_fails_the_query(adaptive: SparkSession, broadcast: bool) -> None:
    spark = adaptive
    left = spark.createDataFrame([("a", 1), ("b", 2), (None, 3)], "k string, v int")
    right = spark.createDataFrame([("a", 10), ("c", 30)], "k string, w int")
    joined = join_to_one(left, right, on=["k"], how="left", broadcast=broadcast)
    assert {(r["k"], r["v"], r["w"]) for r in joined.collect()} == {("a", 1, 10), ("b", 2, None), (None, 3, None)}
    doubled = right.unionByName(right)
    with pytest.raises(PySparkException, match="right side has a key twice"):
        join_to_one(left, doubled, on=["k"], how="left", broadcast=broadcast).collect()


def test_keyed_numbers_are_uniform_and_do_not_depend_on_partitions(spark: SparkSession) -> None:
    def draws(partitions: int, purpose: str = "test", seed: int = 1) -> list[float]:
        frame = (
            spark.range(4000).repartition(partitions).select("id", uniform(F.col("id"), seed=seed, purpose=purpose).alias("u"))
        )
        return [row["u"] for row in sorted(frame.collect())]

    first = draws(1)
    assert first == draws(7)
    assert all(0 <= u < 1 for u in first)
    # Kolmogorov-Smirnov: the 0.1 % critical value for n = 4000 is 1.95 / sqrt(n).
    largest_gap = max(abs((i + 0.5) / 4000 - u) for i, u in enumerate(sorted(first)))
    assert largest_gap < 1.95 / 4000**0.5
    assert first != draws(1, purpose="other") and first != draws(1, seed=2)


def test_where_a_key_ends_matters(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("a", "bc"), ("ab", "c"), ("abc", None), (None, "abc")], "x string, y string")
    values = [r["u"] for r in frame.select(uniform(F.col("x"), F.col("y"), seed=1, purpose="t").alias("u")).collect()]
    assert len(set(values)) == 4
