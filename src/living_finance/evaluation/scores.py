"""Scores of one month against its truth.

Non-goals: nothing here feeds back into the pipeline.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from living_finance.errors import MissingInput
from living_finance.evaluation.agreement import agreement, household_shares
from living_finance.evaluation.distances import distances
from living_finance.evaluation.incomes import errors, group_errors
from living_finance.methods.joins import join_to_one
from living_finance.months import Month


def evaluate(
    spark: SparkSession,
    *,
    household: DataFrame,
    members: DataFrame,
    statistics: DataFrame,
    draws: DataFrame | None = None,
    truth: Path,
    month: Month,
) -> dict[str, Any]:
    """Compare the gold tables of a month with the truth.

    Args:
        spark: session.
        household: `gold.household` of the month.
        members: `gold.household_member` of the month.
        statistics: `gold.household_statistics` of the month.
        draws: `silver.area_income_draw` of the month; None: see `incomes.errors`.
        truth: folder that `synthesize` wrote.
        month: the month.

    Returns:
        JSON-able: `month`, `coverage`, `householding` (by dwelling type and `all`, private households), `households`
        (right-size and exact-member shares), `distances`, `income`, `income_by_group`. Group quarters are left out
        throughout, except in `coverage`.

    Raises:
        MissingInput: the folder holds no truth of the month.
    """
    true_households, true_persons = _read(spark, truth, "households", month), _read(spark, truth, "persons", month)
    is_private = ~F.col("is_group_quarters")
    private = true_households.where(is_private)
    found = household.where(is_private)
    in_both = _in_both(household=household, members=members, true_households=true_households, true_persons=true_persons).cache()
    try:
        return {
            "month": str(month),
            "coverage": _coverage(in_both, members=members, true_persons=true_persons, found=found, private=private),
            "householding": agreement(in_both.where(~F.col("is_quarters"))),
            "households": household_shares(in_both.where(~F.col("is_quarters"))),
            "distances": distances(found=found, true=private),
            "income": errors(statistics=statistics, households=private, draws=draws),
            "income_by_group": group_errors(found=found, true=private),
        }
    finally:
        in_both.unpersist()


def _read(spark: SparkSession, truth: Path, table: str, month: Month) -> DataFrame:
    folder = truth / table
    if not any(folder.glob(f"{month}*.parquet")):
        raise MissingInput(
            f"{folder} holds no truth of {month}.", remedy="name the folder that synthesize wrote, and one of its months"
        )
    return spark.read.parquet(f"{folder}/{month}*.parquet")


def _in_both(*, household: DataFrame, members: DataFrame, true_households: DataFrame, true_persons: DataFrame) -> DataFrame:
    """One row per bureau person whom both the product and the truth put into a household."""
    of_truth = true_persons.where(F.col("person_id").isNotNull() & F.col("household_id").isNotNull()).select(
        "person_id", F.col("household_id").alias("true_id")
    )
    about_truth = true_households.select(
        F.col("household_id").alias("true_id"),
        F.col("dwelling_type").alias("true_dwelling"),
        F.col("household_size").alias("true_size"),
        F.col("is_group_quarters").alias("is_quarters"),
    )
    about_found = household.select(
        F.col("household_id").alias("found_id"),
        F.col("dwelling_type").alias("found_dwelling"),
        F.col("household_size").alias("found_size"),
    )
    persons = join_to_one(
        members.select("person_id", F.col("household_id").alias("found_id")), of_truth, on=["person_id"], how="inner"
    )
    placed = join_to_one(persons, about_truth, on=["true_id"], how="inner")
    return join_to_one(placed, about_found, on=["found_id"], how="left")


def _coverage(
    in_both: DataFrame, *, members: DataFrame, true_persons: DataFrame, found: DataFrame, private: DataFrame
) -> dict[str, float]:
    """How many persons and households are compared."""

    def number(rows: DataFrame, name: str) -> DataFrame:
        return rows.agg(F.lit(name).alias("name"), F.count(F.lit(1)).cast("double").alias("value"))

    is_bureau_resident = F.col("in_bureau") & F.col("household_id").isNotNull()
    counts = (
        number(in_both, "persons_in_both")
        .unionByName(number(members, "persons_in_product"))
        .unionByName(number(true_persons.where(is_bureau_resident), "persons_in_truth"))
        .unionByName(number(true_persons.where(is_bureau_resident & F.col("is_stale")), "persons_at_an_old_address"))
        .unionByName(number(found, "households_in_product"))
        .unionByName(number(private, "households_in_truth"))
        .unionByName(
            found.agg(F.lit("households_weighted").alias("name"), F.coalesce(F.sum("weight"), F.lit(0.0)).alias("value"))
        )
    )
    return {row["name"]: float(row["value"]) for row in counts.collect()}  # ok: seven rows
