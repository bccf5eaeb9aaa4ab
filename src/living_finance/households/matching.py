"""Which household each bureau resident belongs to: the seam that a better method replaces.

Contract of the seam: `match_to_register(people)` receives the rows of `gather_evidence` and returns them all,
once each, with `household_key`, `assignment_evidence` and `is_matched` added. Nothing else in the room
depends on how that is done.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from living_finance.households.evidence import BUREAU, REGISTER

MATCH_COLUMNS = ("household_key", "assignment_evidence", "is_matched")
_ID_DIGITS = 24


def household_id(key: Column) -> Column:
    """The published pseudonym of a household: 'H' and 96 bits of SHA-256 of its key.

    A household that rests on the same register household (or, without one, on the same smallest person)
    keeps its id over months, whatever happens elsewhere.
    """
    return F.concat(F.lit("H"), F.substring(F.sha2(key, 256), 1, _ID_DIGITS))


def match_to_register(people: DataFrame) -> DataFrame:
    """Match bureau residents to register persons of the same address, and group the rest.

    Bureau and register persons of one cell are exchangeable: nothing tells them apart but the household they
    lead to. So they are matched by rank, the k-th with the k-th, in two passes:

    1. cell = address, unit, sex, five-year band (no unit is a unit of its own: houses without units);
    2. what both sides have left, cell = address, sex, band: only bureau persons whose unit is missing, or
       says nothing because the register knows no units at the address.

    A person left over is probably at an old address and must not enter somebody else's household:

    - with a unit where no register person is matched at all, the left-over people of that unit live together
      (`shared_unit`): the register has not heard of them yet;
    - everybody else is `alone`.

    Args:
        people: rows of `gather_evidence`, partitioned by `address_id` (kept: no row moves).

    Returns:
        The same rows and columns, plus `household_key` (text, source and key of what the household rests on),
        `assignment_evidence` (bureau rows only) and `is_matched` (the row has a partner in the other source).
        Bound: one address is worked on in one task.
    """
    return (
        people.withColumns({"_unit": F.coalesce("unit_id", F.lit("")), "_key": F.coalesce("person_id", "register_household_id")})
        .transform(_rank_in_unit)
        .transform(_rank_at_address)
        .transform(_find_partner)
        .transform(_group_the_rest)
        .select(*people.columns, *MATCH_COLUMNS)
    )


def assignments(people: DataFrame) -> DataFrame:
    """The bureau residents of a matched frame.

    Args:
        people: rows of `match_to_register`.

    Returns:
        One row per bureau resident: gu_code, person_id, address_id, unit_id, household_id, assignment_evidence.
    """
    return people.where(F.col("source") == BUREAU).select(
        "gu_code",
        "person_id",
        "address_id",
        "unit_id",
        household_id(F.col("household_key")).alias("household_id"),
        "assignment_evidence",
    )


def _is(source: str) -> Column:
    return F.col("source") == source


def _number(condition: Column) -> Column:
    return F.when(condition, 1).otherwise(0)


def _rank_in_unit(people: DataFrame) -> DataFrame:
    """Pass 1. Register rows that tie are of one household and cell: either partner gives the same result."""
    cell = Window.partitionBy("address_id", "sex", "age_band", "_unit").rowsBetween(
        Window.unboundedPreceding, Window.unboundedFollowing
    )
    side = (
        Window.partitionBy("address_id", "sex", "age_band", "_unit", "source")
        .orderBy("_key")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    pairs = F.least(F.sum(_number(_is(BUREAU))).over(cell), F.sum(_number(_is(REGISTER))).over(cell))
    return people.withColumn("_unit_rank", F.row_number().over(side)).withColumn("_is_in_unit", F.col("_unit_rank") <= pairs)


def _rank_at_address(people: DataFrame) -> DataFrame:
    """Pass 2, on the order of rows that pass 1 has made: (unit, source, key) is total within a cell."""
    whole_address = Window.partitionBy("address_id").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    cell = Window.partitionBy("address_id", "sex", "age_band").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    so_far = (
        Window.partitionBy("address_id", "sex", "age_band")
        .orderBy("_unit", "source", "_key")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    is_left = ~F.col("_is_in_unit") & F.col("age_band").isNotNull()
    has_no_telling_unit = (F.col("_unit") == "") | (F.col("_register_units") == 0)
    bureau_candidate = _number(is_left & _is(BUREAU) & has_no_telling_unit)
    register_candidate = _number(is_left & _is(REGISTER))
    rank = F.when(_is(BUREAU), F.sum("_bureau_candidate").over(so_far)).otherwise(F.sum("_register_candidate").over(so_far))
    pairs = F.least(F.sum("_bureau_candidate").over(cell), F.sum("_register_candidate").over(cell))
    is_candidate = F.col("_bureau_candidate") + F.col("_register_candidate") > 0
    return (
        people.withColumn("_register_units", F.sum(_number(_is(REGISTER) & (F.col("_unit") != ""))).over(whole_address))
        .withColumns({"_bureau_candidate": bureau_candidate, "_register_candidate": register_candidate})
        .withColumns({"_address_rank": rank, "_address_pairs": pairs})
        .withColumn("_is_at_address", is_candidate & (F.col("_address_rank") <= F.col("_address_pairs")))
    )


def _find_partner(people: DataFrame) -> DataFrame:
    """Bring the register household to the bureau person of the same slot (pass, cell, rank)."""
    slot = Window.partitionBy("address_id", "_pass", "_slot_unit", "sex", "age_band", "_slot_rank").rowsBetween(
        Window.unboundedPreceding, Window.unboundedFollowing
    )
    is_in_unit, is_at_address = F.col("_is_in_unit"), F.col("_is_at_address")
    return (
        people.withColumns(
            {
                "is_matched": is_in_unit | is_at_address,
                "_pass": F.when(is_in_unit, 1).when(is_at_address, 2),
                "_slot_unit": F.when(is_in_unit, F.col("_unit")),
                "_slot_rank": F.when(is_in_unit, F.col("_unit_rank")).when(is_at_address, F.col("_address_rank")),
            }
        )
        .withColumn("_partner_household", F.max("register_household_id").over(slot))
        .drop("_unit_rank", "_address_rank", "_address_pairs", "_register_units", "_bureau_candidate", "_register_candidate")
    )


def _group_the_rest(people: DataFrame) -> DataFrame:
    unit = Window.partitionBy("address_id", "_unit").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    is_left = _is(BUREAU) & ~F.col("is_matched")
    explained = F.sum(_number(_is(REGISTER) & F.col("is_matched"))).over(unit) > 0
    shares_unit = is_left & (F.col("_unit") != "") & ~F.col("_is_explained") & (F.col("_left_in_unit") > 1)
    is_matched_bureau = _is(BUREAU) & F.col("is_matched")
    knows_unit = F.col("_is_in_unit") & (F.col("_unit") != "")
    register_household = F.when(_is(REGISTER), F.col("register_household_id")).when(
        is_matched_bureau, F.col("_partner_household")
    )
    smallest_person = F.when(shares_unit, F.col("_first_in_unit")).otherwise(F.col("person_id"))
    return people.withColumns(
        {
            "_is_explained": explained,
            "_left_in_unit": F.sum(_number(is_left)).over(unit),
            "_first_in_unit": F.min(F.when(is_left, F.col("person_id"))).over(unit),
        }
    ).withColumns(
        {
            "household_key": F.coalesce(
                F.concat(F.lit(f"{REGISTER}|"), register_household), F.concat(F.lit(f"{BUREAU}|"), smallest_person)
            ),
            "assignment_evidence": F.when(is_matched_bureau & knows_unit, "register_unit")
            .when(is_matched_bureau, "register_address")
            .when(shares_unit, "shared_unit")
            .when(is_left, "alone"),
        }
    )
