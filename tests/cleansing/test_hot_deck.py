"""The hot deck keeps mean and variance, borrows from the nearest cell, and does not depend on partitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from living_finance.cleansing.imputation import donor_values, impute, thinned
from living_finance.methods.keyed_random import uniform, uniform_value
from living_finance.months import Month

MONTH = Month(2020, 1)
CELL = ("age_band", "employment")
LEVELS = {"income": (CELL, ("employment",)), "spending": (CELL, ("employment",), ())}


def _filled(people: DataFrame, *, min_donors: int = 5, donors_kept: int = 64, seed: int = 1) -> DataFrame:
    donors = donor_values(people, levels=LEVELS, min_donors=min_donors, donors_kept=donors_kept, seed=seed, month=MONTH)
    return impute(
        people.withColumn("edits", F.array().cast("array<string>")),
        donors=donors,
        cell=CELL,
        variables=("income", "spending"),
        recipient="person_id",
        seed=seed,
        month=MONTH,
    )


@given(
    values=st.lists(st.integers(0, 1000), min_size=1, max_size=40),
    keep=st.integers(1, 50),
    start=st.floats(0, 1, exclude_max=True),
)
def test_thinned_gives_sorted_observed_values(values: list[int], keep: int, start: float) -> None:
    found = thinned(np.array(values, float), np.ones(len(values), np.int64), keep=keep, start=start)
    assert len(found) == keep
    assert set(found) <= set(values)
    assert (np.diff(found) >= 0).all()


@given(
    pairs=st.lists(st.tuples(st.integers(0, 99), st.integers(1, 9)), min_size=1, max_size=12),
    keep=st.integers(1, 16),
)
def test_thinned_is_unbiased_over_its_start(pairs: list[tuple[int, int]], keep: int) -> None:
    """Over all starts each value is drawn in proportion to its weight: here the starts are a fine grid."""
    values, weights = (np.array(side) for side in zip(*pairs, strict=True))
    starts = (np.arange(997) + 0.5) / 997
    drawn = np.concatenate([thinned(values.astype(float), weights, keep=keep, start=float(s)) for s in starts])
    assert drawn.mean() == pytest.approx(np.average(values, weights=weights), abs=0.5)


def test_python_and_column_give_the_same_number(spark: SparkSession) -> None:
    keys = [("P1", 30), ("P2", None), ("", 0)]
    rows = spark.createDataFrame(keys, "a string, b int").select(
        "a", "b", uniform(F.col("a"), F.col("b"), seed=3, purpose="test").alias("u")
    )
    assert [row.u for row in rows.collect()] == [uniform_value(a, b, seed=3, purpose="test") for a, b in keys]


def _population(spark: SparkSession, people: int) -> DataFrame:
    """Log-normal incomes whose level depends on the cell; three in ten are missing at random."""
    key = F.col("id")
    normal = F.sqrt(-2 * F.ln(1 - uniform(key, seed=9, purpose="a"))) * F.cos(2 * np.pi * uniform(key, seed=9, purpose="b"))
    true = F.exp(17 + 0.1 * F.col("age_band") / 10 + 0.55 * normal)
    return (
        spark.range(people)
        .withColumns(
            {
                "person_id": F.concat(F.lit("P"), key),
                "age_band": (F.floor(uniform(key, seed=9, purpose="age") * 4) * 10 + 20).cast("int"),
                "employment": F.when(uniform(key, seed=9, purpose="work") < 0.6, "employee").otherwise("self_employed"),
            }
        )
        .withColumn("true_income", F.round(true, -4))
        .withColumns(
            {
                "income": F.when(uniform(key, seed=9, purpose="missing") > 0.3, F.col("true_income")),
                "spending": F.when(uniform(key, seed=9, purpose="gap") > 0.1, F.round(F.col("true_income") / 30, -2)),
            }
        )
        .drop("id")
    )


def test_mean_variance_and_cells_survive_imputation(spark: SparkSession) -> None:
    """6,000 people, 1,800 of them imputed: mean within 3 standard errors, spread within 10 %, as chance allows.

    Filling with the cell's mean instead would lose nearly all of the spread of the imputed.
    """
    filled = _filled(_population(spark, 6000)).select("true_income", "income", "employment", "edits")
    rows = filled.toPandas()
    is_imputed = rows["edits"].map(lambda edits: "income:imputed" in edits)
    imputed, truth = np.log(rows.loc[is_imputed, "income"]), np.log(rows.loc[is_imputed, "true_income"])
    assert 1600 < is_imputed.sum() < 2000
    assert (rows.loc[~is_imputed, "income"] == rows.loc[~is_imputed, "true_income"]).all()
    standard_error = np.sqrt(imputed.var() / len(imputed) + truth.var() / len(truth))
    assert abs(imputed.mean() - truth.mean()) < 3 * standard_error
    assert imputed.std() / truth.std() == pytest.approx(1.0, abs=0.06)
    assert rows["income"].std() / rows["true_income"].std() == pytest.approx(1.0, abs=0.10)
    for share in (0.1, 0.5, 0.9):
        assert imputed.quantile(share) == pytest.approx(truth.quantile(share), abs=0.08)


def test_partitions_do_not_matter_and_the_seed_does(spark: SparkSession) -> None:
    people = _population(spark, 800).localCheckpoint()

    def run(partitions: int, seed: int) -> list[Row]:
        return _filled(people.repartition(partitions), seed=seed).select("person_id", "income", "spending", "edits").collect()

    one, seven, other = (sorted(run(*case)) for case in ((1, 1), (7, 1), (1, 2)))
    assert one == seven
    assert one != other


def test_fallback_from_cell_to_wider_cells_to_zero(spark: SparkSession) -> None:
    """A cell with too few values borrows; incomes never leave their employment; spending may; then zero with a mark."""
    table = [
        ("P01", 20, "employee", 10.0, 1.0),
        ("P02", 20, "employee", 11.0, 1.0),
        ("P03", 20, "employee", None, None),  # own cell: two values are enough
        ("P04", 30, "employee", 20.0, 2.0),
        ("P05", 30, "employee", None, 2.0),  # one value in the cell: all employees
        ("P06", 40, "none", None, None),  # nobody without work: income zero, spending of everybody
    ]
    people = spark.createDataFrame(table, "person_id string, age_band int, employment string, income double, spending double")
    found = {row.person_id: row for row in _filled(people, min_donors=2).collect()}
    assert found["P03"].income in (10.0, 11.0)
    assert found["P05"].income in (10.0, 11.0, 20.0)
    assert (found["P06"].income, found["P06"].edits) == (0.0, ["income:imputed_zero", "spending:imputed"])
    assert found["P06"].spending in (1.0, 2.0)
    assert found["P01"].edits == []
