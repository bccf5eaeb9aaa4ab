"""Bands and masked counts."""

from __future__ import annotations

from pyspark.sql import SparkSession

from living_finance.methods.census import expected_count, five_year_band


def test_bands(spark: SparkSession) -> None:
    ages = spark.createDataFrame([(age,) for age in (0, 4, 5, 34, 79, 80, 104)], "age int")
    assert [row[0] for row in ages.select(five_year_band(ages["age"])).collect()] == [0, 0, 5, 30, 75, 80, 80]


def test_masked_counts_stand_for_the_middle(spark: SparkSession) -> None:
    counts = spark.createDataFrame([(7, False), (None, True), (None, False)], "count bigint, is_masked boolean")
    assert [row[0] for row in counts.select(expected_count()).collect()] == [7.0, 2.5, 0.0]
