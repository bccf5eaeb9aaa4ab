"""Figures of a month's householding, from tables written down by hand."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from living_finance.quality.householding import householding_metrics

ACCURACY = "contested_persons double, expected_pair_loss double, least_pair_loss double, probability_error double"


def test_figures_of_a_month(spark: SparkSession) -> None:
    members = spark.createDataFrame(
        [("register_unit", 0.9), ("register_unit", 0.8), ("alone", 0.4), ("shared_unit", 0.5)],
        "assignment_evidence string, assignment_probability double",
    )
    areas = spark.createDataFrame(
        [(100.0, 120, 100.0, True), (50.0, 40, 49.0, False)],
        "target_households double, formed_households bigint, weighted_households double, is_converged boolean",
    )
    targets = spark.createDataFrame(
        [("tenure", 0.0), ("tenure", -0.5), ("tenure", 2.5), ("households", 0.0)], "margin string, gap double"
    )
    coverage = spark.createDataFrame(
        [(8.0, 9.0, 10.0, 10.0), (1.0, 0.0, 2.0, 0.0)],
        "bureau_persons double, register_persons double, weighted_persons double, census_persons double",
    )
    accuracy = spark.createDataFrame([(3.0, 1.5, 1.25, None)], ACCURACY)
    found = householding_metrics(members=members, areas=areas, targets=targets, coverage=coverage, accuracy=accuracy)
    assert found == pytest.approx(
        {
            "persons": 4.0,
            "mean_assignment_probability": 0.65,
            "share_register_unit": 0.5,
            "share_register_address": 0.0,
            "share_missing_head": 0.0,
            "share_shared_unit": 0.25,
            "share_alone": 0.25,
            "target_households": 150.0,
            "formed_households": 160.0,
            "weighted_households": 149.0,
            "share_areas_converged": 0.5,
            "bureau_to_census": 0.9,
            "register_to_census": 0.9,
            "weighted_to_census": 1.2,
            "met_tenure": 2 / 3,
            "mean_miss_tenure": 1.0,
            "met_households": 1.0,
            "mean_miss_households": 0.0,
            "contested_persons": 3.0,
            "expected_pair_loss": 1.5,
            "least_pair_loss": 1.25,
        }
    )


def test_a_month_without_households(spark: SparkSession) -> None:
    nothing = {
        "members": "assignment_evidence string, assignment_probability double",
        "areas": "target_households double, formed_households bigint, weighted_households double, is_converged boolean",
        "targets": "margin string, gap double",
        "coverage": "bureau_persons double, register_persons double, weighted_persons double, census_persons double",
        "accuracy": ACCURACY,
    }
    found = householding_metrics(**{name: spark.createDataFrame([], schema) for name, schema in nothing.items()})
    assert found == {"persons": 0.0}
