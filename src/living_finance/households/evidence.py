"""Everybody known at an address, from both sources, in one frame that is partitioned by address.

Bureau and register share no person key, so every later step compares people of one address. Putting them
side by side once lets matching and composition work without moving a row again.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import silver

BUREAU = "bureau"
REGISTER = "register"

SUMMED = {
    "labour_krw": ("labour_income_krw_year",),
    "business_krw": ("business_income_krw_year",),
    "debt_krw": silver.BALANCE_COLUMNS,
    "mortgage_krw": ("mortgage_balance_krw",),
    "jeonse_krw": ("jeonse_loan_balance_krw",),
    "spending_krw": silver.SPENDING_COLUMNS,
}
"""Amounts of a bureau person that households add up, and the columns each is made of."""

PEOPLE_COLUMNS = (
    "source",
    "address_id",
    "unit_id",
    "sex",
    "age",
    "age_band",
    "person_id",
    "register_household_id",
    "relation_to_head",
    "gu_code",
    "dong_code",
    *SUMMED,
)

_YOUNGEST_BUREAU_AGE = 15
_OLDEST_BAND = 80


def gather_evidence(*, persons: DataFrame, register: DataFrame) -> DataFrame:
    """Bureau residents and register persons of all addresses.

    Args:
        persons: silver.PLACED_PERSON of the month; only those with `has_household` take part.
        register: silver.REGISTER_PERSON of the month (residents only).

    Returns:
        One row per bureau resident (`source` bureau: `person_id`, `age` = lower bound of the band, amounts in
        whole won) and one per register person (`source` register: `register_household_id`, `relation_to_head`,
        `age` in years), hash-partitioned by `address_id`. `age_band` is the bureau's five-year band, missing
        under 15. A register household at several addresses becomes one household at each.
    """
    bureau = persons.where("has_household").select(
        F.lit(BUREAU).alias("source"),
        F.col("home_address_id").alias("address_id"),
        F.col("home_unit_id").alias("unit_id"),
        "sex",
        F.col("age_band").alias("age"),
        "age_band",
        "person_id",
        F.lit(None).cast("string").alias("register_household_id"),
        F.lit(None).cast("string").alias("relation_to_head"),
        "gu_code",
        "dong_code",
        *(_whole_won(*columns).alias(name) for name, columns in SUMMED.items()),
    )
    registered = register.transform(_one_address_per_household).select(
        F.lit(REGISTER).alias("source"),
        "address_id",
        "unit_id",
        "sex",
        "age",
        _band_of_age(F.col("age")).alias("age_band"),
        F.lit(None).cast("string").alias("person_id"),
        "register_household_id",
        "relation_to_head",
        "gu_code",
        "dong_code",
        *(F.lit(None).cast("bigint").alias(name) for name in SUMMED),
    )
    return bureau.unionByName(registered).repartition("address_id")


def _whole_won(*columns: str) -> Column:
    """Each amount is rounded before it is added, so that sums are exact whatever their order."""
    first, *others = (F.round(F.col(name)).cast("bigint") for name in columns)
    for other in others:
        first = first + other
    return first


def _band_of_age(age: Column) -> Column:
    """The bureau's band of an age in years; missing under 15.

    The bureau knows nobody younger, so a child must not meet a bureau person.
    """
    band = F.least(F.floor(age / F.lit(5)) * F.lit(5), F.lit(_OLDEST_BAND)).cast("int")
    return F.when(age >= _YOUNGEST_BUREAU_AGE, band)


def _one_address_per_household(register: DataFrame) -> DataFrame:
    """Give a register household that stands at several addresses a key of its own at each.

    Rare (a defect of the register), but left alone two rows would share a household id. Addresses are
    compared by hash so that the aggregate stays in fixed-width memory; the few found are sent to every task.
    """
    place = F.xxhash64("address_id")
    scattered = (
        register.groupBy("register_household_id").agg((F.min(place) < F.max(place)).alias("_is_scattered")).where("_is_scattered")
    )
    own_key = F.when(F.col("_is_scattered"), F.concat_ws("|", F.col("register_household_id"), F.col("address_id"))).otherwise(
        F.col("register_household_id")
    )
    return (
        register.join(F.broadcast(scattered), on="register_household_id", how="left")
        .withColumn("register_household_id", own_key)
        .drop("_is_scattered")
    )
