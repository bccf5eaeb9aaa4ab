"""Calibration of a DataFrame: rules for what is missing, and the same result however rows lie."""

from __future__ import annotations

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from living_finance.errors import ConfigurationError
from living_finance.methods import (
    Calibrated,
    Distance,
    calibrate,
    counts,
    in_category,
    in_each,
    packed_counts,
    quantity,
    with_zero_targets,
)

UNITS = """
    area | household | size | members     | base
    a    | h1        | 1    | M30         | 1.0
    a    | h2        | 1    | F70         | 1.0
    a    | h3        | 2    | M30 F30     | 1.0
    a    | h4        | 2    | M30 F30     | 1.0
    a    | h5        | 2    | F30 F30     | 1.0
    a    | hotel     | 2    | M30 M30     | 0.0
    b    | h6        | 1    | M30         | 1.0
    b    | h7        | 1    | M30         | 1.0
    d    | h8        | 1    | M30         | 2.5
         | h9        | 1    | M30         | 3.5
"""
MARGINS = """
    area | margin     | category | lower | upper | priority
    a    | households | all      | 8     | 8     | 0
    a    | size       | 1        | 3     | 3     | 1
    a    | size       | 2        | 5     | 5     | 1
    a    | population | F70      | 1     | 4     | 2
    a    | population | M90      | 1     | 4     | 2
    b    | households | all      | 3     | 3     | 0
    b    | size       | 1        | 4     | 4     | 1
    b    | size       | 3        | 2     | 2     | 1
    c    | households | all      | 7     | 7     | 0
         | households | all      | 9     | 9     | 0
"""


def cells(text: str) -> list[list[str | None]]:
    return [[cell.strip() or None for cell in line.split("|")] for line in text.strip("\n").splitlines()[1:]]


@pytest.fixture(scope="module")
def units(spark: SparkSession) -> DataFrame:
    rows = [(area, key, size, (members or "").split(), float(base or "nan")) for area, key, size, members, base in cells(UNITS)]
    return spark.createDataFrame(rows, "area string, household string, size string, members array<string>, base double")


@pytest.fixture(scope="module")
def margins(spark: SparkSession) -> DataFrame:
    rows = [(a, m, c, float(low or "nan"), float(high or "nan"), int(p or 6)) for a, m, c, low, high, p in cells(MARGINS)]
    return spark.createDataFrame(rows, "area string, margin string, category string, lower double, upper double, priority int")


def calibrated(units: DataFrame, margins: DataFrame, **settings: object) -> Calibrated:
    return calibrate(
        units,
        margins,
        area="area",
        unit="household",
        base_weight="base",
        contributions=(
            quantity("households", F.lit(1)),
            in_category("size", F.col("size")),
            in_each("population", F.col("members")),
            counts("children", F.lit(None).cast("map<string,int>")),
        ),
        **settings,  # type: ignore[arg-type]
    )


def account(result: Calibrated) -> list[Row]:
    return sorted(result.units.select("household", "weight").collect()) + sorted(
        result.margins.select("area", "margin", "category", "achieved", "gap", "is_relaxed").collect()
    )


def test_each_rule_on_a_few_rows(units: DataFrame, margins: DataFrame) -> None:
    result = calibrated(units, margins)
    assert set(result.units.columns) == {*units.columns, "weight"}
    weights = {row["household"]: row["weight"] for row in result.units.collect()}
    assert weights == pytest.approx(
        {
            # The masked count of F70 costs h2's weight as much again.
            "h1": 5 / 3,
            "h2": 4 / 3,
            **dict.fromkeys(["h3", "h4", "h5"], 5 / 3),
            "hotel": 0.0,
            **dict.fromkeys(["h6", "h7"], 1.5),
            "h8": 2.5,
            "h9": 3.5,
        },
        abs=1e-5,
    )
    gaps = {(row["area"], row["margin"], row["category"]): row["gap"] for row in result.margins.collect()}
    assert gaps == pytest.approx(
        {
            **dict.fromkeys(
                [("a", "households", "all"), ("a", "size", "1"), ("a", "size", "2"), ("a", "population", "F70")], 0.0
            ),
            ("a", "population", "M90"): -1.0,
            ("b", "households", "all"): 0.0,
            ("b", "size", "1"): -1.0,
            ("b", "size", "3"): -2.0,
            ("c", "households", "all"): -7.0,
        },
        abs=1e-5,
    )
    areas = {row["area"]: row for row in result.areas.collect()}
    assert {area: (row["units"], row["targets"], row["relaxed"]) for area, row in areas.items()} == {
        "a": (6, 5, 1),
        "b": (2, 3, 2),
        "c": (0, 1, 1),
        "d": (1, 0, 0),
    }
    assert all(row["is_converged"] for row in areas.values())
    assert areas["b"]["largest_gap"] == pytest.approx(2.0)


def test_order_partitions_and_groups_change_no_bit(units: DataFrame, margins: DataFrame) -> None:
    plain = account(calibrated(units, margins))
    moved = account(calibrated(units.orderBy(F.desc("household")).repartition(5), margins.repartition(3), group=F.lit(1)))
    assert moved == plain


def test_complete_margins_get_targets_of_zero(margins: DataFrame) -> None:
    completed = with_zero_targets(margins, area="area", categories={"size": ["1", "2", "3"]}, priority={"size": 1})
    added = completed.exceptAll(margins).select("area", "category", "lower", "upper", "priority").collect()
    assert sorted(added) == [("a", "3", 0.0, 0.0, 1), ("b", "2", 0.0, 0.0, 1)]


def test_a_unit_twice_fails_and_no_contributions_are_refused(units: DataFrame, margins: DataFrame) -> None:
    with pytest.raises(PySparkException, match="key twice"):
        calibrated(units.unionByName(units), margins).units.collect()
    with pytest.raises(ConfigurationError):
        calibrate(units, margins, area="area", unit="household", base_weight="base", contributions=(), distance=Distance())


def test_counts_are_the_same_as_a_map_in_columns_and_packed(spark: SparkSession) -> None:
    units = spark.createDataFrame(
        [("a", "h1", 1.0, 2, 1), ("a", "h2", 1.0, 0, 3), ("a", "h3", 1.0, None, 1)],
        "area string, household string, base double, men int, women int",
    )
    margins = spark.createDataFrame(
        [("a", "people", "M", 3.0, 3.0, 1), ("a", "people", "F", 6.0, 6.0, 1), ("a", "people", "child", 0.0, 0.0, 1)],
        "area string, margin string, category string, lower double, upper double, priority int",
    )
    men, women = F.col("men"), F.col("women")
    packed = [F.coalesce(men, F.lit(0)).cast("bigint"), F.shiftleft(women.cast("bigint"), 30)]
    ways = {
        "map": counts("people", F.create_map(F.lit("M"), men, F.lit("F"), women)),
        "columns": counts("people", {"M": men, "F": women, "unknown": men}),
        "packed": packed_counts("people", packed, categories=["M", "child", "nobody", "F"], bits=30),
    }
    results = {
        name: calibrate(units, margins, area="area", unit="household", base_weight="base", contributions=[given])
        for name, given in ways.items()
    }
    found = {name: account(result) for name, result in results.items()}
    assert found["columns"] == found["packed"] == found["map"]
    achieved = {row["category"]: row["achieved"] for row in results["map"].margins.collect()}
    assert achieved == pytest.approx({"M": 3.0, "F": 6.0, "child": 0.0})


def test_a_margin_that_nobody_counts_stays_near_the_base_weights_and_out_of_the_account(spark: SparkSession) -> None:
    """Single people are to be three of four. Two of the three men are couples: unless heads count, a man goes with them."""
    units = spark.createDataFrame(
        [("a", "h1", "1", "M", 1.0), ("a", "h2", "1", "F", 1.0), ("a", "h3", "2", "M", 1.0), ("a", "h4", "2", "M", 1.0)],
        "area string, household string, size string, head string, base double",
    )
    counted = [("a", "size", "1", 3.0, 3.0, 1), ("a", "size", "2", 1.0, 1.0, 1)]
    wide = [("a", "head", sex, 0.0, 4.0, 6) for sex in "MF"]
    schema = "area string, margin string, category string, lower double, upper double, priority int"
    contributions = tuple(in_category(name, F.col(name)) for name in ("size", "head"))
    found = []
    for rows, uncounted in ((counted, ()), (counted + wide, ("head",))):
        result = calibrate(
            units,
            spark.createDataFrame(rows, schema),
            area="area",
            unit="household",
            base_weight="base",
            contributions=contributions,
            uncounted=uncounted,
        )
        weight = {row["household"]: row["weight"] for row in result.units.collect()}
        assert sum(weight.values()) == pytest.approx(4.0, abs=1e-6)
        assert {(row["margin"], row["category"]) for row in result.margins.collect()} == {("size", "1"), ("size", "2")}
        assert [(row["targets"], row["relaxed"]) for row in result.areas.collect()] == [(2, 0)]
        found.append(weight["h1"] + weight["h3"] + weight["h4"])
    without, with_heads = found
    assert without == pytest.approx(2.5, abs=1e-6)
    assert 2.6 < with_heads < 3.0
