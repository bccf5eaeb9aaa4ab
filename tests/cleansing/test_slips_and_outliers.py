"""Planted slips are found, heavy tails are left alone, outliers are marked; the rates are stated with each case."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from living_finance.cleansing import slips
from living_finance.cleansing.slips import BINS_PER_UNIT, Shape, shape_of, slip_share
from living_finance.methods.keyed_random import uniform

FACTOR = 1000.0
Floats = npt.NDArray[np.float64]


def _counted(logs: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    bins, counts = np.unique(np.floor(logs * BINS_PER_UNIT).astype(np.int64), return_counts=True)
    return bins, counts.astype(np.int64)


def _incomes(people: int, *, exponent: float, seed: int) -> Floats:
    """Logs of incomes: a log-normal body and, for the upper tenth, a Pareto tail."""
    random = np.random.default_rng(seed)
    logs = 17.3 + 0.55 * random.standard_normal(people)
    start = np.quantile(logs, 0.9)
    is_top = logs > start
    logs[is_top] = start + random.exponential(1 / exponent, int(is_top.sum()))
    return logs


def test_shape_recovers_a_normal_body_and_a_pareto_tail() -> None:
    shape = shape_of(*_counted(_incomes(100_000, exponent=2.0, seed=1)))
    assert shape is not None
    assert shape.median == pytest.approx(17.3, abs=0.02)
    assert shape.scale == pytest.approx(0.55, rel=0.05)
    assert shape.high_rate == pytest.approx(2.0, rel=0.1)
    assert shape.low_rate == 3.0, "a log-normal tail ends faster than any Pareto: the bound holds"


def test_shape_needs_enough_values_and_survives_equal_ones() -> None:
    bins, counts = np.array([700]), np.array([199])
    assert shape_of(bins, counts) is None
    constant = shape_of(bins, counts + 1)
    assert constant is not None
    assert (constant.scale, constant.high_rate) == (slips.SMALLEST_SCALE, 3.0)


@pytest.mark.parametrize(("planted", "exponent"), [(0.0, 2.0), (0.0, 1.5), (0.001, 2.0), (0.003, 1.7), (0.005, 2.5)])
def test_share_of_slips_is_estimated(planted: float, exponent: float) -> None:
    logs = _incomes(200_000, exponent=exponent, seed=3)
    has_slipped = np.random.default_rng(4).random(len(logs)) < planted
    cell = _counted(logs + has_slipped * math.log(FACTOR))
    shape = shape_of(*cell)
    assert shape is not None
    assert slip_share([(shape, *cell)], factor=FACTOR) == pytest.approx(planted, rel=0.2, abs=5e-5)


def _people(spark: SparkSession, *, people: int, exponent: float, planted: float, seed: int) -> DataFrame:
    """Incomes with a Pareto tail, spending that follows them loosely, and planted slips."""
    key = F.col("id")

    def normal(purpose: str) -> F.Column:  # type: ignore[name-defined]
        first, second = (uniform(key, seed=seed, purpose=f"{purpose}{part}") for part in "ab")
        return F.sqrt(-2 * F.ln(1 - first)) * F.cos(2 * math.pi * second)

    start = 17.3 + 0.55 * 1.2816
    return (
        spark.range(people)
        .withColumn("body", 17.3 + 0.55 * normal("income"))
        .withColumn(
            "genuine",
            F.when(F.col("body") > start, start - F.ln(1 - uniform(key, seed=seed, purpose="tail")) / exponent).otherwise(
                F.col("body")
            ),
        )
        .withColumns(
            {
                "is_planted": uniform(key, seed=seed, purpose="slip") < planted,
                "spending_log": 13.4 + 0.6 * (F.col("genuine") - 17.3) + 0.6 * normal("spending"),
                "employment": F.lit("employee"),
            }
        )
        .withColumn("y", F.col("genuine") + F.when(F.col("is_planted"), math.log(FACTOR)).otherwise(0.0))
    )


def _judged(people: DataFrame) -> DataFrame:
    logs = people.select("employment", "y", slips.spending_ratio(spending_log=F.col("spending_log"), y=F.col("y")).alias("ratio"))
    shapes = slips.shapes(logs, cell=("employment",), wider=((),), factor=FACTOR).withColumnsRenamed(
        {"y": "shape", "ratio": "ratio_shape"}
    )
    return people.join(F.broadcast(shapes), on="employment", how="left").withColumns(
        {
            "is_slip": slips.is_slip(
                F.col("y"),
                shape="shape",
                spending_log=F.col("spending_log"),
                ratio_shape="ratio_shape",
                factor=FACTOR,
            ),
            "is_outlier": slips.is_outlier(F.col("y"), shape="shape"),
        }
    )


def test_planted_slips_are_found_and_top_incomes_left_alone(spark: SparkSession) -> None:
    """Pareto exponents 1.7 and 2.2, 40,000 people each: with 0.3 % slips at least 97 % of them are found, and no more than
    1 in 20,000 genuine incomes is divided; without slips no genuine income is, though some reach 10^9 won and more."""
    cases = [(1.7, 0.003, 11), (2.2, 0.003, 12), (1.7, 0.0, 13), (2.2, 0.0, 14)]
    results = []
    for number, (exponent, planted, seed) in enumerate(cases):
        judged = _judged(_people(spark, people=40_000, exponent=exponent, planted=planted, seed=seed))
        results.append(
            judged.agg(
                F.lit(number).alias("case"),
                F.count_if("is_planted").alias("planted"),
                F.count_if(F.col("is_planted") & F.col("is_slip")).alias("found"),
                F.count_if(~F.col("is_planted") & F.col("is_slip")).alias("wrong"),
                F.count_if(~F.col("is_planted") & F.col("is_outlier")).alias("outliers"),
                F.max("genuine").alias("top"),
            )
        )
    union = results[0].unionByName(results[1]).unionByName(results[2]).unionByName(results[3])
    rows = {row.case: row for row in union.collect()}
    for number, (_, planted, _) in enumerate(cases):
        row = rows[number]
        if planted:
            assert row.planted > 80
            assert row.found >= 0.97 * row.planted
            assert row.wrong <= 2
        else:
            assert row.wrong == 0
        assert row.outliers <= 4
        assert row.top > math.log(1e9)


def test_outliers_and_small_cells(spark: SparkSession) -> None:
    """10^12 won among ordinary incomes is an outlier, and so is 1 won; a cell too small for a shape judges nothing."""
    ordinary = _people(spark, people=2000, exponent=3.0, planted=0.0, seed=5).select("employment", "y", "spending_log")
    odd = spark.createDataFrame(
        [("employee", math.log(1e12), 13.4), ("employee", 0.0, 13.4), ("employee", 17.0, None)],
        "employment string, y double, spending_log double",
    )
    rows = _judged(ordinary.unionByName(odd)).select("y", "is_outlier", "is_slip")
    found = rows.where((F.col("y") > 25) | (F.col("y") < 10) | F.col("is_outlier") | F.col("is_slip")).collect()
    assert {(round(row.y, 1), row.is_outlier) for row in found} == {(round(math.log(1e12), 1), True), (0.0, True)}
    few = _judged(ordinary.limit(100)).agg(F.count_if("is_outlier").alias("a"), F.count_if("is_slip").alias("b")).collect()[0]
    assert (few.a, few.b) == (0, 0)


def test_column_and_numpy_densities_agree(spark: SparkSession) -> None:
    shape = Shape(n=1000.0, median=17.3, scale=0.5, low=16.0, high=18.6, low_rate=2.0, high_rate=1.5)
    points = [10.0, 15.9, 16.0, 17.3, 18.6, 18.7, 25.0]
    frame = spark.createDataFrame([(y,) for y in points], "y double").withColumn(
        "shape", F.struct(*(F.lit(getattr(shape, name)).alias(name) for name in shape.__dataclass_fields__))
    )
    found = [row.d for row in frame.select(slips.log_density(F.col("y"), "shape").alias("d")).collect()]
    assert found == pytest.approx(shape.log_density(np.array(points)).tolist())
