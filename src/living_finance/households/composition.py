"""From people with a household to households: size, head, type, sums of what the bureau knows."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import codes
from living_finance.contracts.silver import UNSEEN_ADULTS
from living_finance.households.matching import household_id
from living_finance.households.tally import PACKED_MEMBERS, SUMS
from living_finance.methods.ages import ten_year_band
from living_finance.methods.joins import join_to_one

GENERATION_GAP_YEARS = 20
"""Least difference of age at which a member of unstated relation counts as another generation."""
GROUP_QUARTERS_PERSONS = 6
"""Six or more people who are not family are a collective household (집단가구), not a private one.

Source: Statistics Korea, Population and Housing Census, definition of general households (일반가구).
"""


def form_households(matched: DataFrame, *, buildings: DataFrame) -> DataFrame:
    """Households of the month, before tenure and weight.

    A register household is a household even when nobody of it is in the bureau; register households of one
    dwelling unit are one household. Members are the register persons and the bureau persons without a partner in
    the register. Rules:

    - head: who the register calls head, of the register household with most members; without one, the oldest
      member; of equal age, the man (as most couples register). Age of a bureau person is the lower bound of its band.
    - generations of a register household: parents, head and spouse, children; a member of other relation is
      20 years or more away from the head is one generation up or down, one 20 years younger than the head's
      oldest child a grandchild. Only others of the head's generation: a man and a woman by themselves are a couple
      (`one_generation`), any other group `unrelated`.
    - generations without a register: ages 20 years or more apart are two generations; a man and a woman closer
      than that are a couple (`one_generation`), any other group `unrelated`.
    - group quarters: a non-residential building, or six or more people none of whom is the head's spouse, child or parent.

    Args:
        matched: rows of `match_addresses`.
        buildings: silver.BUILDING of the month.

    Returns:
        One row per household: silver.HOUSEHOLD without base_month, tenure, weight and is_provisional, and
        `PACKED_MEMBERS`. An address
        that the buildings list lacks has no output area and no dwelling type; its dong is what its people's rows say.
    """
    homes = buildings.select(
        "address_id",
        F.col("gu_code").alias("_building_gu"),
        F.col("dong_code").alias("_building_dong"),
        "output_area_id",
        "dwelling_type",
    )
    placed = join_to_one(matched, homes, on=["address_id"], how="left")
    kin = F.col("_spouses") + F.col("_children") + F.col("_parents")
    is_crowd = (kin == 0) & (F.col("household_size") >= GROUP_QUARTERS_PERSONS)
    is_non_residential = F.coalesce(F.col("dwelling_type") == "non_residential", F.lit(False))
    return placed.select(
        F.coalesce("_building_gu", "people_gu_code", F.lit(codes.NO_DISTRICT)).alias("gu_code"),
        household_id(F.col("household_key")).alias("household_id"),
        F.when(F.col("register_members") > 0, "register").otherwise("bureau").alias("household_source"),
        "address_id",
        "unit_id",
        F.coalesce("_building_dong", "people_dong_code", F.lit(codes.NO_DISTRICT)).alias("dong_code"),
        "output_area_id",
        "dwelling_type",
        _household_type().alias("household_type"),
        "household_size",
        F.when(F.col("_head_men") == 1, "M").otherwise("F").alias("head_sex"),
        ten_year_band(F.col("_head_age")).alias("head_age_band"),
        "bureau_members",
        "register_members",
        "adults",
        "children",
        "elderly",
        UNSEEN_ADULTS,
        *PACKED_MEMBERS,
        (is_non_residential | is_crowd).alias("is_group_quarters"),
        *SUMS,
    )


def _household_type() -> Column:
    head_age = F.col("_head_age")
    gap = F.lit(GENERATION_GAP_YEARS)
    has_elders = (F.col("_parents") > 0) | F.coalesce(F.col("_oldest_other") - head_age >= gap, F.lit(False))
    has_young = (F.col("_children") > 0) | F.coalesce(head_age - F.col("_youngest_other") >= gap, F.lit(False))
    has_grandchildren = F.coalesce(F.col("_oldest_child") - F.col("_youngest_other") >= gap, F.lit(False))
    # Without a head or spouse (registered apart from them), the head's generation is there only if the
    # oldest, who stands in as head, is of other relation.
    oldest_is_other = F.coalesce(F.col("_oldest_other") == head_age, F.lit(False))
    has_own = (F.col("_heads_and_spouses") > 0) | oldest_is_other
    generations = sum((has.cast("int") for has in (has_elders, has_own, has_young, has_grandchildren)), F.lit(0))
    kin = F.col("_spouses") + F.col("_children") + F.col("_parents")
    is_couple = (F.col("household_size") == 2) & (F.col("_men") == 1)
    from_register = (
        F.when(generations >= 3, "three_generation")
        .when(generations == 2, "two_generation")
        .when((kin == 0) & ~is_couple, "unrelated")
        .otherwise("one_generation")
    )
    from_ages = (
        F.when(F.col("_oldest") - F.col("_youngest") >= gap, "two_generation")
        .when(is_couple, "one_generation")
        .otherwise("unrelated")
    )
    return (
        F.when(F.col("household_size") == 1, "one_person").when(F.col("register_members") > 0, from_register).otherwise(from_ages)
    )
