"""Bureau persons as the analyses see them: each counts one (they are not grossed up), at home and at work."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import silver
from living_finance.methods.joins import join_to_one

ONE = "one"
"""Weight of a person."""
CLUSTER = "cluster"
"""What persons are drawn by. The bureau's persons are all there are of them: an error says how far a small area's figure could
have come out otherwise by chance, and people who live together came, went and fell into poverty together."""

OUTSIDE = "outside"
UNKNOWN = "unknown"
NO_ESTABLISHMENT = "none"
MIXED = "mixed"


def counted(placed_person: DataFrame) -> DataFrame:
    """Persons with `one`, debt, labour and business income, and whether anything is overdue."""
    total = reduce(Column.__add__, (F.col(name) for name in silver.BALANCE_COLUMNS))
    return placed_person.withColumns(
        {
            ONE: F.lit(1.0),
            "debt_krw": total,
            "labour_business_income_krw_year": F.col("labour_income_krw_year") + F.col("business_income_krw_year"),
            "is_overdue": F.col("overdue_balance_krw") > 0,
        }
    )


def home_dong() -> Column:
    """Dong of a resident of Seoul; missing for others, and where it is not known."""
    return F.when(F.col("residence") == "seoul", F.col("dong_code"))


def work_dong() -> Column:
    """Dong of the workplace in Seoul; missing for others, and where it is not known."""
    return F.when(F.col("workplace") == "seoul", F.col("workplace_dong_code"))


def with_industry_at_work(persons: DataFrame, establishment: DataFrame) -> DataFrame:
    """Adds `industry_at_work`: what is done in the building somebody works in (persons have no industry).

    The KSIC section that holds more than half of the workers of the building's establishments; `mixed` where none does;
    `none` where no establishment is known there; missing for somebody without a workplace address.
    """
    keys = ["base_month", "work_address_id"]
    sections = establishment.groupBy("base_month", F.col("address_id").alias("work_address_id"), "industry").agg(
        F.sum("workers").alias("_workers")
    )
    buildings = sections.groupBy(*keys).agg(
        F.max(F.struct("_workers", "industry")).alias("_largest"), F.sum("_workers").alias("_all")
    )
    is_main = F.col("_largest._workers") * 2 > F.col("_all")
    mix = buildings.select(*keys, F.when(is_main, F.col("_largest.industry")).otherwise(MIXED).alias("_industry"))
    joined = join_to_one(persons, mix, on=keys, how="left")
    industry = F.when(F.col("work_address_id").isNotNull(), F.coalesce("_industry", F.lit(NO_ESTABLISHMENT)))
    return joined.withColumns({"industry_at_work": industry}).drop("_industry")


def with_household(
    persons: DataFrame, household_member: DataFrame, household: DataFrame, *, columns: Sequence[str] = ()
) -> DataFrame:
    """Adds `cluster`, and columns of the private household that somebody belongs to, missing where there is none.

    The cluster is the household. Somebody without a known address, from outside the city or in group quarters, where people
    share an address but no living, is a cluster alone.

    Args:
        persons: one row per person.
        household_member: gold.household_member.
        household: private households, see `households.counted`.
        columns: of the household, to be added.
    """
    members = household_member.select("base_month", "person_id", "household_id")
    homes = household.select("base_month", "household_id", F.lit(True).alias("_is_private"), *columns)
    placed = join_to_one(persons, members, on=["base_month", "person_id"], how="left")
    joined = join_to_one(placed, homes, on=["base_month", "household_id"], how="left")
    alone = F.concat(F.lit("person "), F.col("person_id"))
    cluster = F.when(F.col("_is_private"), F.col("household_id")).otherwise(alone)
    return joined.withColumns({CLUSTER: cluster}).drop("_is_private", "household_id")
