"""Inequality beside R: laeken's figures on its own data, definitions written down in R, and their bootstrap errors."""

from __future__ import annotations

import csv
import datetime as dt
import math
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from living_finance.analyses.inequality import inequality
from living_finance.methods.distribution import UNITS, distribution

GOLDEN = Path(__file__).parents[1] / "golden"
Found = dict[tuple[str, str], tuple[float | None, float | None]]


def _golden(name: str) -> list[dict[str, str]]:
    with (GOLDEN / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _people(spark: SparkSession) -> tuple[DataFrame, dict[str, str]]:
    rows = _golden("eusilc_500.csv")
    codes = {name: f"110{number}0" for number, name in enumerate(sorted({row["region"] for row in rows}))}
    frame = spark.createDataFrame(
        [
            # Each district has two dongs, so that there is something between and within them.
            (dt.date(2020, 1, 1), f"{codes[row['region']]}5{number % 2}", 1, float(row["income"]), float(row["weight"]))
            for number, row in enumerate(rows)
        ],
        "base_month date, dong_code string, household_size int, total_income_krw_year double, weight double",
    )
    return frame, {"all": "11", **codes}


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> Found:
    people, _ = _people(spark)
    rows = inequality(household=people, region="11").collect()
    return {(row["region_code"], row["statistic"]): (row["value"], row["standard_error"]) for row in rows}


def test_values_are_those_of_r(spark: SparkSession, found: Found) -> None:
    _, codes = _people(spark)
    golden = {(codes[row["region"]], row["statistic"]): float(row["value"]) for row in _golden("eusilc_500_inequality.csv")}
    assert len(golden) == 11 + 9 * 9
    assert {key: found[key][0] for key in golden} == pytest.approx(golden, rel=1e-8)


def test_errors_are_near_those_of_the_bootstrap(spark: SparkSession, found: Found) -> None:
    """1,000 bootstrap samples know an error to 2 %; the linearised one leaves out terms of order 1/n."""
    _, codes = _people(spark)
    rows = [row for row in _golden("eusilc_500_inequality.csv") if row["region"] == "all"]
    ratios = {row["statistic"]: (found["11", row["statistic"]][1] or 0.0) / float(row["standard_error"]) for row in rows}
    assert len(ratios) == 11
    assert {name: ratio for name, ratio in ratios.items() if not 0.85 < ratio < 1.15} == {}
    # Of a region, whose line is everybody's: the line's share of the error is small, the sample too.
    of_regions = [row for row in _golden("eusilc_500_inequality.csv") if row["statistic"] == "poverty_rate"][1:]
    regional = [(found[codes[row["region"]], "poverty_rate"][1] or 0.0) / float(row["standard_error"]) for row in of_regions]
    assert sum(regional) / len(regional) == pytest.approx(1.0, abs=0.15)


def test_theil_within_and_between_add_up(found: Found) -> None:
    regions = {code for code, statistic in found if statistic == "theil_within_dong"}
    assert len(regions) == 10
    for code in regions:
        for part in ("gu", "dong") if code == "11" else ("dong",):
            split = [found[code, f"theil_{which}_{part}"][0] or 0.0 for which in ("within", "between")]
            assert sum(split) == pytest.approx(found[code, "theil"][0], abs=1e-10)
            assert min(split) >= 0.0


def test_theil_between_districts_is_that_of_their_means(found: Found) -> None:
    rows = _golden("eusilc_500.csv")
    income, weight = (np.array([float(row[name]) for row in rows]) for name in ("income", "weight"))
    income = np.maximum(income, 0.0)
    mean = np.average(income, weights=weight)
    between = 0.0
    for region in {row["region"] for row in rows}:
        inside = np.array([row["region"] == region for row in rows])
        relative = np.average(income[inside], weights=weight[inside]) / mean
        between += weight[inside].sum() / weight.sum() * relative * np.log(relative)
    assert found["11", "theil_between_gu"][0] == pytest.approx(between, rel=1e-6)


def test_lorenz_curve_rises_and_is_below_the_diagonal(found: Found) -> None:
    points = [found["11", f"lorenz_{10 * tenth}"][0] or 0.0 for tenth in range(1, 10)]
    assert points == sorted(points)
    assert all(point < tenth / 10 for tenth, point in enumerate(points, start=1))


def test_known_answers_with_losses_zeros_and_equal_incomes(spark: SparkSession) -> None:
    cells = {
        "loss": [(-5.0, 2.0), (0.0, 1.0)],  # nobody has income: nothing is defined
        "two": [(1e6, 1.0), (3e6, 1.0)],
        "equal": [(2e6, 1.0), (2e6, 3.0)],
        "with loss": [(-7e6, 1.0), (1e6, 1.0), (3e6, 1.0)],
        "as zero": [(0.0, 1.0), (1e6, 1.0), (3e6, 1.0)],
        "one": [(4e6, 2.5)],
    }
    frame = spark.createDataFrame(
        [(cell, income, weight) for cell, rows in cells.items() for income, weight in rows],
        "cell string, income double, weight double",
    ).coalesce(1)
    found: dict[str, dict[str, tuple[float | None, float | None]]] = {}
    for row in distribution(frame, cells=["cell"], value="income", weight="weight").collect():
        found.setdefault(row["cell"], {})[row["statistic"]] = (row["value"], row["standard_error"])
    assert {name for name in UNITS if found["loss"][name][0] is not None} <= {
        "mean_equivalised_income",
        "median_equivalised_income",
    }
    two = {name: value for name, (value, _) in found["two"].items()}
    assert two["gini"] == pytest.approx(0.25)
    assert two["theil"] == pytest.approx((0.5 * math.log(0.5) + 1.5 * math.log(1.5)) / 2, abs=1e-8)
    assert two["lorenz_50"] == pytest.approx(0.25)
    assert two["wolfson"] == pytest.approx(2 * (1 - 2 * 0.25 - 0.25) * 2.0)  # the lower median is 1 million
    assert two["s80_s20"] == pytest.approx(0.0)  # nobody is above the 80th percentile of two
    equal = found["equal"]
    exact_to = {"gini": 1e-12, "theil": 1e-8, "wolfson": 1e-12}  # logarithms are rounded, so that sums do not depend on order
    assert {name: equal[name] for name in exact_to} == {
        name: (pytest.approx(0.0, abs=digits), pytest.approx(0.0, abs=1e-6)) for name, digits in exact_to.items()
    }
    assert found["with loss"] == found["as zero"]
    assert found["with loss"]["p90_p10"][0] is None
    assert found["one"]["gini"] == (pytest.approx(0.0), None)
