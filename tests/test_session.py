"""The Spark session that a run builds."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def test_a_deep_plan_does_not_overflow_the_drivers_stack(spark: SparkSession) -> None:
    """Plans of a second month are deep: with Java's own stack of 1 MB this one overflows."""
    frame = spark.range(3)
    for step in range(400):
        frame = frame.where(F.col("id") > -step).limit(10 + step)
    assert frame.count() == 2
