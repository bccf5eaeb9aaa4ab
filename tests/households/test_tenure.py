"""Tenure: the survey's regression is recovered, areas keep their margin, and who owns is who would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from living_finance.contracts import codes
from living_finance.households.tenure import NOTHING_SURVEYED, TenureModel, draw_tenure, fit_tenure, raked

TENURES = codes.TENURE.codes


def surveyed(spark: SparkSession, count: int) -> DataFrame:
    """Households of whom the better earning own and the others rent by the month; nobody has jeonse, nobody lives free."""
    random = np.random.default_rng(3)
    earned = np.exp(random.normal(17.5, 0.7, count))
    owns = random.random(count) < 1 / (1 + np.exp(-2.0 * (np.log(earned) - 17.5) / 0.7))
    rows = [
        (f"S{number:05d}", 1.0, "apartment", "owned" if owns[number] else "monthly_rent", 2, 45, float(earned[number]), 0.0)
        for number in range(count)
    ]
    return spark.createDataFrame(
        rows,
        "survey_household_id string, weight double, dwelling_type string, tenure string, household_size int, head_age int, "
        "labour_income_krw_year double, business_income_krw_year double",
    )


def formed(spark: SparkSession, count: int, areas: int) -> DataFrame:
    """Formed households whose scores are half of what people earn and pull to the middle."""
    random = np.random.default_rng(4)
    earned = np.exp(16.8 + 0.5 * random.normal(size=count))
    rows: list[tuple[Any, ...]] = [
        (
            "11010",
            f"H{number:06d}",
            f"A{number % areas:03d}",
            False,
            "apartment",
            2,
            40,
            round(float(score)),
            0,
            int(number % 10 == 0),
            0,
        )
        for number, score in enumerate(earned)
    ]
    return spark.createDataFrame(
        rows,
        "gu_code string, household_id string, output_area_id string, is_group_quarters boolean, dwelling_type string, "
        "household_size int, head_age_band int, bureau_labour_income_krw_year bigint, bureau_business_income_krw_year bigint, "
        "bureau_mortgage_balance_krw bigint, bureau_jeonse_loan_balance_krw bigint",
    )


def margins(spark: SparkSession, shares: dict[str, int], areas: int) -> DataFrame:
    rows = [(f"A{area:03d}", "tenure", name, count, False) for area in range(areas) for name, count in shares.items()]
    return spark.createDataFrame(rows, "output_area_id string, margin string, category string, count bigint, is_masked boolean")


def test_chances_follow_the_survey_and_areas_their_margin(spark: SparkSession) -> None:
    model = fit_tenure(surveyed(spark, 1500))
    assert model.coefficients["owned"]["distance"] - model.coefficients["monthly_rent"]["distance"] == pytest.approx(2.0, abs=0.3)
    households = formed(spark, 6000, areas=3)
    census = margins(spark, {"owned": 50, "jeonse": 10, "monthly_rent": 40, "free": 0}, areas=2)
    drawn = draw_tenure(households, margins=census, model=model, seed=1).households
    rows = drawn.withColumn("_rich", F.col("bureau_labour_income_krw_year") > 2e7).toPandas()
    assert len(rows) == 6000
    assert set(rows.loc[rows["bureau_mortgage_balance_krw"] > 0, "tenure"]) == {"owned"}
    for area in ("A000", "A001"):
        shares = rows.loc[rows["output_area_id"] == area, "tenure"].value_counts(normalize=True)
        assert shares["owned"] == pytest.approx(0.5, abs=0.03)
        assert shares["jeonse"] == pytest.approx(0.1, abs=0.02)
        assert "free" not in shares
    without = rows[(rows["bureau_mortgage_balance_krw"] == 0) & (rows["output_area_id"] != "A002")]
    owned = (without["tenure"] == "owned").groupby(without["_rich"]).mean()
    assert owned[True] > owned[False] + 0.3
    # An area without a margin has what its district leaves.
    shares = rows.loc[rows["output_area_id"] == "A002", "tenure"].value_counts(normalize=True)
    assert [shares[name] for name in ("owned", "jeonse", "monthly_rent")] == pytest.approx([0.5, 0.1, 0.4], abs=0.05)
    # Without any census the survey alone speaks: half own, and jeonse, which nobody surveyed has, is next to nothing.
    alone = (
        draw_tenure(households, margins=census.limit(0), model=model, seed=1)
        .households.where("bureau_mortgage_balance_krw = 0")
        .toPandas()
    )
    assert (alone["tenure"] == "owned").mean() == pytest.approx(0.5, abs=0.04)
    assert (alone["tenure"] == "jeonse").mean() < 0.01
    again = draw_tenure(households.repartition(7), margins=census.repartition(3), model=model, seed=1).households
    assert again.exceptAll(drawn).isEmpty()


def test_without_a_survey_the_margin_decides(spark: SparkSession) -> None:
    nobody = surveyed(spark, 0)
    assert fit_tenure(nobody) == NOTHING_SURVEYED
    census = margins(spark, {"owned": 20, "jeonse": 30, "monthly_rent": 30, "free": 20}, areas=1)
    rows = draw_tenure(formed(spark, 3000, areas=1), margins=census, model=NOTHING_SURVEYED, seed=1).households.toPandas()
    shares = rows["tenure"].value_counts(normalize=True)
    assert [shares[name] for name in TENURES] == pytest.approx([0.2, 0.3, 0.3, 0.2], abs=0.03)


def test_a_model_of_two_tenures_and_of_one(spark: SparkSession) -> None:
    model = fit_tenure(surveyed(spark, 400))
    assert isinstance(model, TenureModel)
    assert model.intercepts["free"] < min(model.intercepts["owned"], model.intercepts["monthly_rent"]) - 5.0
    assert fit_tenure(surveyed(spark, 400).where("tenure = 'owned'")) == NOTHING_SURVEYED


def test_raking_meets_what_is_left() -> None:
    random = np.random.default_rng(8)
    log = random.normal(size=(180, 4))
    left = np.array([30.0, 0.0, 9.0, 6.0])
    log_factors = raked(log, left * 4.0)
    chance = np.exp(log + log_factors)
    assert (chance / chance.sum(axis=1, keepdims=True)).sum(axis=0) == pytest.approx(left * 4.0, abs=1e-3)
    assert (chance[:, 1] < 1e-200).all()
