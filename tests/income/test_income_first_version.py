"""Income of households: totals, benchmarks, variance, determinism."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from living_finance.contracts import gold, silver
from living_finance.contracts.core import Table
from living_finance.income.first_version import IncomeFit, estimate_income
from living_finance.months import Month

MONTH = Month(2020, 1)
COMPONENTS = gold.INCOME_COMPONENTS
HOUSEHOLDS = 3000


def frame(spark: SparkSession, table: Table, rows: list[dict[str, Any]]) -> DataFrame:
    return spark.createDataFrame([tuple(row.get(name) for name in table.column_names) for row in rows], table.schema())


def household(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "base_month": MONTH.date,
        "gu_code": "11110",
        "household_id": f"H{number:05d}",
        "household_source": "register",
        "address_id": "A1",
        "dong_code": "1111051",
        "output_area_id": "11110510001",
        "dwelling_type": "apartment",
        "tenure": "owned",
        "household_type": "one_person",
        "household_size": 1 + number % 5,
        "head_sex": "F",
        "head_age_band": 10 * (1 + number % 8),
        "bureau_members": 1,
        "register_members": 1,
        "adults": 1,
        "children": 0,
        "elderly": 0,
        "unseen_adults": 0,
        "weight": 0.5 + (number % 7) / 3,
        "is_group_quarters": False,
        "bureau_labour_income_krw_year": 1_000_003 * (number % 60),
        "bureau_business_income_krw_year": -7_000_001 if number % 11 == 0 else 0,
        "bureau_debt_krw": number,
        "bureau_mortgage_balance_krw": 0,
        "bureau_jeonse_loan_balance_krw": 0,
        "bureau_spending_krw_month": 2 * number,
        "is_provisional": number % 2 == 0,
        **changes,
    }


def surveyed(number: int) -> dict[str, Any]:
    draw = np.random.default_rng(number)
    return {
        "base_month": MONTH.date,
        "reference_month": dt.date(2020, 11, 1),
        "survey_household_id": f"S{number}",
        "weight": 1.0 + number % 3,
        "gu_code": "11110",
        "dong_code": "1111051",
        "dwelling_type": "apartment",
        "tenure": "owned",
        "household_size": 1 + number % 4,
        "household_type": "one_person",
        "head_sex": "M",
        "head_age": 20 + number % 70,
        "property_income_krw_year": float(draw.lognormal(15, 1.2)) if draw.random() < 0.3 else 0.0,
        "transfer_income_krw_year": None if number % 50 == 0 else float(draw.lognormal(14, 0.5)) * (draw.random() < 0.6),
        "irregular_income_krw_year": 0.0,
        "edits": [],
    }


def benchmark(indicator: str, value: float, **changes: Any) -> dict[str, Any]:
    return {
        "base_month": MONTH.date,
        "reference_month": dt.date(2020, 11, 1),
        "source": "household_finances_survey",
        "year": 2020,
        "reference_period": "2020",
        "region_code": "11",
        "indicator": indicator,
        "dimension": "all",
        "category": "all",
        "value": value,
        "relative_standard_error": 0.02,
        **changes,
    }


BENCHMARKS = [
    benchmark("mean_total_income", 66_000_000.0),
    benchmark("mean_total_income", 1.0, year=2019),
    benchmark("mean_total_income", 2.0, relative_standard_error=0.5),
    benchmark("mean_total_income", 2.0, source="another_survey", relative_standard_error=None),
    benchmark("mean_total_income", 3.0, region_code="00"),
    benchmark("mean_total_income", 4.0, dimension="head_age", category="0-29"),
    benchmark("mean_total_income", 5.0, year=2021),
    benchmark("mean_property_income", 5_800_000.0),
    benchmark("mean_irregular_income", 900_000.0),
]


def estimate(
    spark: SparkSession, rows: list[dict[str, Any]], published: list[dict[str, Any]], **changes: Any
) -> tuple[DataFrame, IncomeFit]:
    households = frame(spark, silver.HOUSEHOLD, rows)
    arguments: dict[str, Any] = {
        "survey": frame(spark, silver.SURVEY_HOUSEHOLD, [surveyed(n) for n in range(400)]),
        "benchmarks": frame(spark, silver.BENCHMARK, published),
        "month": MONTH,
        "seed": 7,
    }
    if "partitions" in changes:
        households = households.repartition(changes.pop("partitions"))
    return estimate_income(households, **{**arguments, **changes})


@pytest.fixture(scope="module")
def city(spark: SparkSession) -> tuple[Any, IncomeFit]:
    rows = [household(n) for n in range(HOUSEHOLDS)] + [household(99_999, weight=0.0, is_group_quarters=True)]
    result, fit = estimate(spark, rows, BENCHMARKS)
    assert result.schema.simpleString() == gold.HOUSEHOLD.schema().simpleString()
    return result.toPandas().set_index("household_id").sort_index(), fit


def mean(table: Any, column: str) -> float:
    return float(np.average(table[column], weights=table["weight"]))


def test_components_add_up_to_the_won(city: tuple[Any, IncomeFit]) -> None:
    table, fit = city
    assert len(table) == HOUSEHOLDS + 1
    assert (table[list(COMPONENTS)].sum(axis=1) == table["total_income_krw_year"]).all()
    assert set(table["model_version"]) == {fit.model_version}
    assert table.loc["H00012", "debt_krw"] == 12
    assert table.loc["H00012", "spending_krw_month"] == 24
    assert table.loc["H00012", "is_provisional"]
    assert not table.loc["H00013", "is_provisional"]


def test_published_means_are_met(city: tuple[Any, IncomeFit]) -> None:
    table, fit = city
    assert mean(table, "total_income_krw_year") == pytest.approx(66_000_000, abs=3)
    assert mean(table, "property_income_krw_year") == pytest.approx(5_800_000, abs=1)
    assert fit.benchmarks["total"].year == 2020
    assert fit.benchmarks["total"].source == "household_finances_survey"
    assert fit.metrics["mean_total_after_krw_year"] == pytest.approx(66_000_000)
    assert fit.ratios["transfer"] == 1.0
    assert any("transfer" in note for note in fit.notes)
    assert any("irregular" in note for note in fit.notes)


def test_labour_and_business_share_one_ratio_and_losses_stay(city: tuple[Any, IncomeFit]) -> None:
    table, fit = city
    ratio = fit.ratios["labour_business"]
    assert ratio > 1.05
    assert table.loc["H00059", "labour_income_krw_year"] == round(1_000_003 * 59 * ratio)
    assert table.loc["H00011", "business_income_krw_year"] == round(-7_000_001 * ratio)


def test_zeros_and_variance_are_those_of_the_survey(city: tuple[Any, IncomeFit]) -> None:
    table, fit = city
    survey = [surveyed(n) for n in range(400)]
    amounts = np.array([row["property_income_krw_year"] for row in survey])
    weights = np.array([row["weight"] for row in survey])
    spread = np.sqrt(np.average((amounts - np.average(amounts, weights=weights)) ** 2, weights=weights))
    drawn = table["property_income_krw_year"].to_numpy() / fit.ratios["property"]
    assert (drawn > 0).mean() == pytest.approx(np.average(amounts > 0, weights=weights), abs=0.03)
    assert drawn.std() == pytest.approx(spread, rel=0.25)
    assert len(set(drawn)) > 60
    expected = table["expected_total_income_krw_year"]
    assert expected.std() < table["total_income_krw_year"].std()
    assert expected.mean() == pytest.approx(table["total_income_krw_year"].mean(), rel=0.02)


def test_without_benchmarks_nothing_is_scaled(spark: SparkSession) -> None:
    result, fit = estimate(spark, [household(n) for n in range(60)], [benchmark("mean_debt", 1.0)])
    assert set(fit.ratios.values()) == {1.0}
    assert fit.benchmarks == {}
    assert len(fit.notes) == 4
    changed = result.where("labour_income_krw_year != 1000003 * cast(substring(household_id, 2, 5) as int) % 60000180")
    assert changed.count() == 0


@pytest.mark.parametrize(
    ("rows", "published", "note"),
    [
        ([household(0, weight=0.0)], BENCHMARKS, "one positive ratio"),
        ([household(60)], [benchmark("mean_total_income", -5.0)], "one positive ratio"),
    ],
)
def test_impossible_benchmarks_are_noted(
    spark: SparkSession, rows: list[dict[str, Any]], published: list[dict[str, Any]], note: str
) -> None:
    _, fit = estimate(spark, rows, published)
    assert fit.ratios["labour_business"] == 1.0
    assert any(note in text for text in fit.notes)


def test_same_income_whatever_the_partitions_and_order(spark: SparkSession) -> None:
    rows = [household(n) for n in range(500)]
    one, fit = estimate(spark, rows, BENCHMARKS)
    other, fit_again = estimate(spark, rows[::-1], BENCHMARKS[::-1], partitions=7)
    assert fit == fit_again
    difference = one.exceptAll(other).unionAll(other.exceptAll(one))
    reseeded, reseeded_fit = estimate(spark, rows, BENCHMARKS, seed=8)
    moved = (
        one.select("household_id", F.col("property_income_krw_year").alias("p"))
        .join(reseeded, "household_id")
        .where("(p > 0) != (property_income_krw_year > 0)")
    )
    counts = difference.agg(F.count(F.lit(1)).alias("n")).unionAll(moved.agg(F.count(F.lit(1)).alias("n"))).collect()
    assert counts[0]["n"] == 0
    assert counts[1]["n"] > 50
    assert reseeded_fit.model_version != fit.model_version


def test_the_fit_holds_no_household(city: tuple[Any, IncomeFit]) -> None:
    _, fit = city
    text = fit.to_json()
    assert json.loads(text)["model_version"] == fit.model_version
    amounts = {str(round(row["property_income_krw_year"])) for row in map(surveyed, range(400))} - {"0"}
    assert not [amount for amount in amounts if amount in text]
    assert all(cell["donor_households"] >= 10 for cell in fit.cells if cell["component"] != "irregular")
