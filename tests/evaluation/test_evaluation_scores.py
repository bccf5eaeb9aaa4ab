"""Scores on hand-made cases with known answers, and against an independent count of pairs."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from living_finance.contracts import gold
from living_finance.errors import MissingInput
from living_finance.evaluation.agreement import agreement, household_shares
from living_finance.evaluation.distances import distances
from living_finance.evaluation.incomes import errors, group_errors, true_distribution
from living_finance.evaluation.report import format_scores
from living_finance.evaluation.scores import evaluate
from living_finance.months import Month

PERSON_SCHEMA = "true_id string, found_id string, true_dwelling string, found_dwelling string, true_size int, found_size int"


def people(spark: SparkSession, rows: list[tuple[str, str, str, str, int, int]]) -> DataFrame:
    return spark.createDataFrame(rows, PERSON_SCHEMA)


def test_agreement_of_a_known_case(spark: SparkSession) -> None:
    """True ab|c|def|g, found abc|de|f|g: pairs 4 true, 4 found, 2 in both."""
    rows = people(
        spark,
        [
            ("t1", "f1", "apartment", "apartment", 2, 3),
            ("t1", "f1", "apartment", "apartment", 2, 3),
            ("t2", "f1", "apartment", "apartment", 1, 3),
            ("t3", "f2", "detached", "detached", 3, 3),
            ("t3", "f2", "detached", "detached", 3, 3),
            ("t3", "f3", "detached", "detached", 3, 1),
            ("t4", "f4", "detached", "detached", 2, 2),
        ],
    )
    scores = agreement(rows)
    assert scores["all"]["pairwise_precision"] == pytest.approx(0.5)
    assert scores["all"]["pairwise_recall"] == pytest.approx(0.5)
    assert scores["all"]["b_cubed_f1"] == pytest.approx((4 / 3 + 1 / 3 + 4 / 2 + 1 + 1) / 7)
    assert scores["apartment"]["pairwise_recall"] == pytest.approx(1.0)
    assert scores["apartment"]["pairwise_precision"] == pytest.approx(1 / 3)
    assert scores["detached"]["pairwise_recall"] == pytest.approx(1 / 3)
    assert scores["detached"]["pairwise_precision"] == pytest.approx(1.0)
    assert household_shares(rows) == {"households": 4.0, "right_size_share": 0.5, "exact_member_share": 0.25}


def test_agreement_equals_counting_every_pair(spark: SparkSession) -> None:
    draw = random.Random(5)
    rows = [(f"t{draw.randrange(25)}", f"f{draw.randrange(30)}") for _ in range(120)]
    scores = agreement(people(spark, [(t, f, "apartment", "apartment", 1, 1) for t, f in rows]))["all"]
    pairs = list(itertools.combinations(rows, 2))
    together = sum(a == b for a, b in pairs)
    assert scores["pairwise_recall"] == pytest.approx(together / sum(a[0] == b[0] for a, b in pairs))
    assert scores["pairwise_precision"] == pytest.approx(together / sum(a[1] == b[1] for a, b in pairs))
    recall = sum(rows.count(row) / sum(other[0] == row[0] for other in rows) for row in rows) / len(rows)
    precision = sum(rows.count(row) / sum(other[1] == row[1] for other in rows) for row in rows) / len(rows)
    assert scores["b_cubed_recall"] == pytest.approx(recall)
    assert scores["b_cubed_precision"] == pytest.approx(precision)


def test_distances_of_a_known_case(spark: SparkSession) -> None:
    columns = "dong_code string, household_size int, household_type string, head_sex string, dwelling_type string, tenure string"
    alone, couple = ("one_person", "M", "apartment", "owned"), ("one_generation", "M", "apartment", "owned")
    true = spark.createDataFrame(
        [("d1", 1, *alone, 34), ("d1", 2, *couple, 41), ("d2", 9, *couple, 88)], f"{columns}, head_age int"
    )
    found = spark.createDataFrame(
        [("d1", 1, *alone, 30, 3.0), ("d1", 1, *alone, 40, 1.0), ("d2", 7, *couple, 80, 0.5)],
        f"{columns}, head_age_band int, weight double",
    )
    found_distances = distances(found=found, true=true)
    assert found_distances["size"] == pytest.approx(
        {
            "city_unweighted": 1 / 3,
            "city_weighted": (abs(4 / 4.5 - 1 / 3) + 1 / 3 + abs(0.5 / 4.5 - 1 / 3)) / 2,
            "dong_unweighted": 0.25,
            "dong_weighted": 0.25,
        }
    )
    assert found_distances["head_sex_age"]["city_unweighted"] == pytest.approx(0.0)
    assert found_distances["head_sex_age"]["dong_weighted"] == pytest.approx(0.125)
    assert found_distances["tenure"]["city_weighted"] == pytest.approx(0.0)


def test_errors_of_groups_are_apart_from_the_citys(spark: SparkSession) -> None:
    columns = "tenure string, dwelling_type string, weight double"
    true = spark.createDataFrame(
        [("owned", "apartment", 44, 90), ("owned", "apartment", 61, 30), ("free", None, 85, 60)],
        "tenure string, dwelling_type string, head_age int, total_income int",
    )
    found = spark.createDataFrame(
        [("owned", "apartment", 1.0, 40, 150), ("owned", "apartment", 1.0, 60, 120), ("jeonse", "apartment", 1.0, 80, 90)],
        f"{columns}, head_age_band int, {gold.TOTAL_INCOME} bigint",
    )
    assert group_errors(found=found, true=true) == {
        "dwelling_type": {"apartment": pytest.approx(0.0)},
        "head_age": {"40": pytest.approx(-1 / 6), "60": pytest.approx(1.0), "80": pytest.approx(-0.25)},
        "tenure": {"owned": pytest.approx(0.125)},
    }


def truth_households(incomes: list[int]) -> pd.DataFrame:
    count = len(incomes)
    return pd.DataFrame(
        {
            "base_month": "202001",
            "household_id": [f"H{i}" for i in range(count)],
            "gu_code": "11010",
            "dong_code": ["1101053" if i < 2 else "1101054" for i in range(count)],
            "output_area_id": ["11010530001" if i < 2 else "11010540001" for i in range(count)],
            "address_id": "A1",
            "unit_id": None,
            "dwelling_type": ["apartment" if i < 3 else "non_residential" for i in range(count)],
            "tenure": "owned",
            "household_type": "one_person",
            "household_size": 1,
            "head_sex": "F",
            "head_age": 44,
            "labour_income": incomes,
            **{f"{name}_income": [1] * count for name in ("business", "property", "transfer", "irregular")},
            "total_income": [income + 4 for income in incomes],
            "debt": 10,
            "spending_month": 20,
            "is_group_quarters": [i >= 3 for i in range(count)],
        }
    ).astype({"unit_id": "string", "household_size": "int64"})


def statistics(spark: SparkSession, means: dict[tuple[str, str], int]) -> DataFrame:
    schema = gold.HOUSEHOLD_STATISTICS.schema()
    rows = []
    for (level, code), mean in means.items():
        row: dict[str, object] = {field.name: None for field in schema}
        row |= dict.fromkeys(("head_sex", "head_age_band", "household_type"), "all")
        row |= {f"mean_{name}_income_krw_year": 1 for name in ("business", "property", "transfer", "irregular")}
        row |= {f"{name}_total_income_krw_year": mean for name in ("mean", "median", "p10", "p25", "p75", "p90")}
        row |= {"region_level": level, "region_code": code, "mean_labour_income_krw_year": mean - 4, "mean_debt_krw": 11}
        row |= {"mean_spending_krw_month": 20, "gini_total_income": 0.25, "rmse_mean_total_income_krw_year": 1}
        row |= {"rmse_median_total_income_krw_year": 100, "rmse_p75_total_income_krw_year": 600, "rmse_gini_total_income": 0.1}
        rows.append(row)
    for field in schema:
        field.nullable = True
    return spark.createDataFrame(rows, schema)


def test_income_errors_of_a_known_case(spark: SparkSession) -> None:
    households = spark.createDataFrame(truth_households([996, 2996, 3996]))
    published = {
        ("output_area", "11010530001"): 2200,
        ("dong", "1101053"): 2200,
        ("dong", "1101054"): 4000,
        ("gu", "11010"): 2667,
        ("city", "11"): 2667,
    }
    found = errors(statistics=statistics(spark, published), households=households)
    assert found["mean_total_income"]["dong"]["mape"] == pytest.approx((0.1 + 0) / 2)
    assert found["mean_total_income"]["output_area"]["missing_regions"] == 1
    assert found["mean_total_income"]["output_area"]["mape"] == pytest.approx(0.1)
    assert found["mean_total_income"]["city"]["mape_scaled"] == pytest.approx(0.0)
    assert found["mean_total_income"]["dong"]["interval_90_coverage"] == pytest.approx(0.5)
    assert found["median_by_dong"]["mape"] == pytest.approx((1.2 + 0) / 2)  # the lower of two is the median
    # True medians 1000 and 4000, third quartiles 3000 and 4000, Gini coefficients 0.25 and 0.
    assert found["interval_90_coverage_by_dong"] == {
        **dict.fromkeys(("p10", "p25", "p90")),
        "median": 0.5,
        "p75": 1.0,
        "gini": 0.5,
    }
    assert found["debt_by_dong"]["mape"] == pytest.approx(0.1)
    assert found["debt_by_dong"]["mape_scaled"] == pytest.approx(0.0)
    assert found["components"]["labour"]["city_error"] == pytest.approx(2663 / 2662.667 - 1, abs=1e-6)
    assert found["city"]["p10"]["true"] == 1000
    assert found["city"]["gini"]["published"] == 0.25


def test_intervals_hold_once_the_citys_own_error_is_out(spark: SparkSession) -> None:
    households = spark.createDataFrame(truth_households([996, 2996, 3996]))
    published = {("dong", "1101053"): 2640, ("dong", "1101054"): 4400, ("gu", "11010"): 3200, ("city", "11"): 2934}
    found = errors(statistics=statistics(spark, published), households=households)["mean_total_income"]["dong"]
    assert found["interval_90_coverage"] == 0.0
    assert found["interval_90_coverage_scaled"] == pytest.approx(0.5)


def test_relative_to_the_city_an_interval_has_the_error_of_the_ratio(spark: SparkSession) -> None:
    """Errors of 66 won in all: 60 of the draws, all of them the city's, and 27 beside."""
    households = spark.createDataFrame(truth_households([996, 2996, 3996]))
    published = {("dong", "1101053"): 2020, ("dong", "1101054"): 4060, ("gu", "11010"): 2667, ("city", "11"): 2667}
    of = statistics(spark, published).withColumn(
        "rmse_mean_total_income_krw_year", F.when(F.col("region_level") == "dong", F.lit(66.0))
    )
    moves = {0: 9.0, 1: 1 - 60 / np.sqrt(3) / 3000, 2: 1 + 60 / np.sqrt(3) / 3000}
    rows = [
        (level, code, draw, float(mean * move))
        for draw, move in moves.items()
        for level, code, mean in (("city", "11", 2667), ("dong", "1101053", 3000), ("dong", "1101054", 3000))
    ]
    drawn = spark.createDataFrame(rows, "region_level string, region_code string, draw int, mean_total_income_krw_year double")

    def held(draws: DataFrame | None) -> float:
        found = errors(statistics=of, households=households, draws=draws)["mean_total_income"]["dong"]
        return float(found["interval_90_coverage_scaled"])

    assert held(None) == 1.0
    assert held(drawn) == pytest.approx(0.5), "45 won: 20 are inside, 60 are not"


def test_true_quantiles_and_gini(spark: SparkSession) -> None:
    households = spark.createDataFrame([(0,), (10_000,), (20_000,), (30_000,)], "total_income long")
    found = true_distribution(households)
    assert found["gini"] == pytest.approx(100 / 240)
    assert (found["p25"], found["median"], found["p75"], found["p90"]) == (0, 10_000, 20_000, 30_000)


def test_a_perfect_month_scores_perfectly_and_group_quarters_do_not_count(spark: SparkSession, tmp_path: Path) -> None:
    true = truth_households([996, 2996, 3996, 500])
    ids = ["P0", "P1", "P2", "P3", None]
    persons = pd.DataFrame(
        {
            "person_id": pd.array(ids, dtype="string"),
            "household_id": pd.array(["H0", "H1", "H2", "H3", "H2"], dtype="string"),
            "is_stale": [False, True, False, False, False],
            "in_bureau": [True, True, True, True, False],
        }
    )
    for name, table in (("households", true), ("persons", persons)):
        (tmp_path / name).mkdir()
        table.to_parquet(tmp_path / name / "202001-00.parquet")
    columns = "household_id string, dong_code string, dwelling_type string, tenure string, household_type string,"
    household = spark.createDataFrame(
        [
            (f"F{i}", dong, kind, "owned", "one_person", 1, "F", 40, 1.0 if i < 3 else 0.0, i == 3, int(true["total_income"][i]))
            for i, (dong, kind) in enumerate(zip(true["dong_code"], true["dwelling_type"], strict=True))
        ],
        f"{columns} household_size int, head_sex string, head_age_band int, weight double, is_group_quarters boolean, "
        f"{gold.TOTAL_INCOME} bigint",
    )
    members = spark.createDataFrame([(f"P{i}", f"F{i}") for i in range(4)], "person_id string, household_id string")
    published = {
        ("output_area", "11010530001"): 2000,
        ("output_area", "11010540001"): 4000,
        ("dong", "1101053"): 2000,
        ("dong", "1101054"): 4000,
        ("gu", "11010"): 2667,
        ("city", "11"): 2667,
    }
    scores = evaluate(
        spark,
        household=household,
        members=members,
        statistics=statistics(spark, published),
        truth=tmp_path,
        month=Month.parse("202001"),
    )
    assert scores["householding"]["all"]["persons"] == 3
    assert scores["householding"]["all"]["b_cubed_f1"] == 1.0
    assert scores["households"] == {"households": 3.0, "right_size_share": 1.0, "exact_member_share": 1.0}
    assert all(value == 0 for row in scores["distances"].values() for value in row.values())
    assert scores["income"]["mean_total_income"]["dong"]["mape"] == pytest.approx(0.0)
    assert scores["coverage"] == {
        "persons_in_both": 4.0,
        "persons_in_product": 4.0,
        "persons_in_truth": 4.0,
        "persons_at_an_old_address": 1.0,
        "households_in_product": 3.0,
        "households_in_truth": 3.0,
        "households_weighted": 3.0,
    }
    assert scores["income_by_group"] == {"dwelling_type": {"apartment": 0.0}, "head_age": {"40": 0.0}, "tenure": {"owned": 0.0}}
    json.dumps(scores)
    console = Console(record=True, width=120)
    console.print(format_scores(scores))
    assert "B-cubed F1" in console.export_text()
    with pytest.raises(MissingInput):
        evaluate(
            spark,
            household=household,
            members=members,
            statistics=statistics(spark, published),
            truth=tmp_path,
            month=Month.parse("202002"),
        )
