"""Everybody known at an address, from both sources, in one frame.

Bureau and register share no person key, so every later step compares people of one address.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import silver
from living_finance.methods.census import five_year_band

_FEATURE_AMOUNTS = (
    ("labour_income_krw_year",),
    ("business_income_krw_year",),
    silver.SPENDING_COLUMNS,
    ("mortgage_balance_krw",),
    ("jeonse_loan_balance_krw",),
    ("credit_loan_balance_krw",),
    ("business_loan_balance_krw",),
    ("repayment_krw_month",),
)
"""Amounts of `layout.FEATURES`, in its order."""

_YOUNGEST_BUREAU_AGE = 15


def gather_evidence(*, persons: DataFrame, register: DataFrame, buildings: DataFrame) -> DataFrame:
    """Bureau residents and register persons of all addresses.

    Args:
        persons: silver.PLACED_PERSON of the month; only those with `has_household` take part.
        register: silver.REGISTER_PERSON of the month (residents only).
        buildings: silver.BUILDING of the month; those that are no dwellings are sent to every task.

    Returns:
        One row per bureau resident and per register person:

        - address_id, unit_id (text, missing where there is none);
        - sex_age: integer that two people share who have one sex and one five-year band of the bureau;
          below 0 under 15, whom the bureau does not know;
        - is_bureau: which source;
        - person_key: the bureau's person_id, or the register_household_id (register persons have no key). A
          register household that stands at several addresses gets a key of its own at each;
        - age (years; a bureau person's is the lower bound of its band), is_man, relation_to_head (register rows only),
          gu_code, dong_code;
        - is_quarters: the building is no dwelling: group quarters;
        - features: what the bureau knows of a person, in the order of `layout.FEATURES` (bureau rows only).
    """
    bureau = persons.where("has_household").select(
        F.col("home_address_id").alias("address_id"),
        F.col("home_unit_id").alias("unit_id"),
        _sex_age(F.col("age_band")).alias("sex_age"),
        F.lit(True).alias("is_bureau"),
        F.col("person_id").alias("person_key"),
        F.col("age_band").alias("age"),
        (F.col("sex") == "M").alias("is_man"),
        F.lit(None).cast("string").alias("relation_to_head"),
        "gu_code",
        "dong_code",
        _features(),
    )
    registered = register.transform(_one_address_per_household).select(
        "address_id",
        "unit_id",
        _sex_age(F.col("age")).alias("sex_age"),
        F.lit(False).alias("is_bureau"),
        F.col("register_household_id").alias("person_key"),
        "age",
        (F.col("sex") == "M").alias("is_man"),
        "relation_to_head",
        "gu_code",
        "dong_code",
        F.lit(None).cast("array<double>").alias("features"),
    )
    quarters = buildings.where(F.col("dwelling_type") == "non_residential").select("address_id", F.lit(True).alias("is_quarters"))
    return (
        bureau.unionByName(registered)
        .join(F.broadcast(quarters), on="address_id", how="left")
        .withColumn("is_quarters", F.coalesce("is_quarters", F.lit(False)))
    )


def _features() -> Column:
    """Unrounded: a missing amount counts as none."""
    flags = [(F.col("employment") == employment).cast("double") for employment in ("employee", "self_employed")]
    amounts = [sum((F.coalesce(F.col(name), F.lit(0.0)) for name in names), F.lit(0.0)) for names in _FEATURE_AMOUNTS]
    return F.array(*flags, *amounts).alias("features")


def _sex_age(age: Column) -> Column:
    is_man = F.when(F.col("sex") == "M", 1).otherwise(0)
    return F.when(age >= _YOUNGEST_BUREAU_AGE, five_year_band(age) * 2 + is_man).otherwise(F.lit(-1))


def _one_address_per_household(register: DataFrame) -> DataFrame:
    """Give a register household that stands at several addresses a key of its own at each.

    Rare (a defect of the register), but left alone two rows would share a household id. Keys and addresses are
    compared by hash, so that the aggregate stays in fixed-width memory: two households whose hashes collide only
    get such keys without need. The few found are sent to every task.
    """
    household, address = F.col("register_household_id"), F.col("address_id")
    scattered = (
        register.groupBy(F.xxhash64(household).alias("_household_hash"))
        .agg((F.min(F.xxhash64(address)) < F.max(F.xxhash64(address))).alias("_is_scattered"))
        .where("_is_scattered")
    )
    own_key = F.when(F.col("_is_scattered"), F.concat(household, F.lit("|"), address)).otherwise(household)
    return (
        register.withColumn("_household_hash", F.xxhash64(household))
        .join(F.broadcast(scattered), on="_household_hash", how="left")
        .withColumn("register_household_id", own_key)
        .drop("_is_scattered", "_household_hash")
    )
