"""Coverage of the sources on a dong written down by hand."""

from __future__ import annotations

import datetime as dt

import pytest
from pyspark.sql import SparkSession

from living_finance.contracts.gold import COVERAGE
from living_finance.months import Month
from living_finance.quality.coverage import coverage

DONG, AREA = "1111051", "11110510001"


def test_persons_of_a_cell_by_source(spark: SparkSession) -> None:
    residents = spark.createDataFrame(
        [(DONG, "M", 30, True), (DONG, "M", 30, True), (DONG, "M", 80, True), (DONG, "F", 30, False), (None, "F", 30, True)],
        "dong_code string, sex string, age_band int, has_household boolean",
    )
    register = spark.createDataFrame(
        [(DONG, "M", 34), (DONG, "M", 81), (DONG, "M", 102), (DONG, "F", 4)], "dong_code string, sex string, age int"
    )
    margins = spark.createDataFrame(
        [
            (AREA, "population_sex_age", "M30", 4, False),
            (AREA, "population_sex_age", "M80", None, True),
            (AREA, "population_sex_age", "M85", None, True),
            (AREA, "population", "all", 99, False),
        ],
        "output_area_id string, margin string, category string, count bigint, is_masked boolean",
    )
    targets = spark.createDataFrame(
        [(AREA, "population_sex_age", "M30", 3.5), (AREA, "population_sex_age", "F0", 1.0), (AREA, "tenure", "free", 7.0)],
        "output_area_id string, margin string, category string, achieved double",
    )
    made = coverage(residents, register=register, margins=margins, targets=targets, month=Month(2020, 1))
    assert made.schema.simpleString() == COVERAGE.schema().simpleString()
    found = {(row["sex"], row["age_band"]): row for row in made.collect()}
    assert set(found) == {("M", 30), ("M", 80), ("F", 0), ("F", 30)}
    counts = ("bureau_persons", "register_persons", "census_persons", "weighted_persons")
    assert [found["M", 30][name] for name in counts] == [2.0, 1.0, 4.0, 3.5]
    assert [found["M", 80][name] for name in counts] == [1.0, 2.0, 5.0, 0.0]
    assert [found["F", 0][name] for name in counts] == [0.0, 1.0, 0.0, 1.0]
    assert [found["F", 30][name] for name in counts] == [1.0, 0.0, 0.0, 0.0], "a dong without an address counts"
    assert found["M", 30]["bureau_to_census"] == pytest.approx(0.5)
    assert found["F", 0]["register_to_census"] is None
    assert found["M", 30]["base_month"] == dt.date(2020, 1, 1)
    assert found["M", 30]["gu_code"] == "11110"
