"""Which household each bureau resident belongs to: the seam that a better method replaces.

Contract of the seam: `match_to_register(people)` receives the rows of `gather_evidence` and returns them all,
once each, with `household_key`, `assignment_evidence` and `is_matched` added. Nothing else in the room
depends on how that is done.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

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
    2. what both sides have left, cell = address, sex, band: bureau persons whose unit is missing; those with
       a unit, too, where the register's people left in the cell have none for it to contradict.

    A person left over is probably at an old address and must not enter somebody else's household:

    - in a unit where nobody is matched by unit, the left-over people of that unit live together
      (`shared_unit`): the register has not heard of them yet;
    - everybody else is `alone`.

    Args:
        people: rows of `gather_evidence`, partitioned by `address_id` (kept: no row moves).

    Returns:
        The same rows and columns, plus `household_key` (text: source and key of what the household rests on),
        `assignment_evidence` (bureau rows only) and `is_matched` (the row has a partner in the other source).
        Bound: one address is worked on in one task, linear in its people.
    """
    return (
        people.withColumn("_unit", F.coalesce("unit_id", F.lit("")))
        .transform(_rank_in_unit)
        .transform(_rank_at_address)
        .transform(_join_partners)
        .select(*people.columns, *MATCH_COLUMNS)
    )


def assignments(people: DataFrame) -> DataFrame:
    """The bureau residents of a matched frame.

    Args:
        people: rows of `match_to_register`.

    Returns:
        One row per bureau resident: gu_code, person_id, address_id, unit_id, household_id, assignment_evidence.
    """
    return people.where("is_bureau").select(
        F.col("details.gu_code").alias("gu_code"),
        F.col("person_key").alias("person_id"),
        "address_id",
        "unit_id",
        household_id(F.col("household_key")).alias("household_id"),
        "assignment_evidence",
    )


def _count(condition: Column, window: WindowSpec) -> Column:
    return F.sum(F.when(condition, 1).otherwise(0)).over(window)


def _whole(window: WindowSpec) -> WindowSpec:
    return window.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)


def _so_far(window: WindowSpec) -> WindowSpec:
    return window.rowsBetween(Window.unboundedPreceding, Window.currentRow)


def _rank_in_unit(people: DataFrame) -> DataFrame:
    """Pass 1: `_unit_rank` where the row has a partner of its unit, sex and band; otherwise missing.

    Register rows that tie in the order are of one household and one cell: either as partner gives the same result.
    """
    cell = Window.partitionBy("address_id", "sex_age", "_unit").orderBy("is_bureau", "person_key")
    is_bureau, registered = F.col("is_bureau"), F.col("_registered")
    # The register comes first in the order, so a bureau person's rank is its place after the registered ones.
    rank = F.when(is_bureau, F.col("_place") - registered).otherwise(F.col("_place"))
    pairs = F.least(registered, F.col("_in_bureau"))
    return (
        people.withColumns(
            {
                "_place": F.row_number().over(_so_far(cell)),
                "_registered": _count(~is_bureau, _whole(cell)),
                "_in_bureau": _count(is_bureau, _whole(cell)),
            }
        )
        .withColumn("_unit_rank", F.when(rank <= pairs, rank))
        .drop("_place", "_registered", "_in_bureau")
    )


def _rank_at_address(people: DataFrame) -> DataFrame:
    """Pass 2: `_address_rank` where a row left over by pass 1 has a partner; in the order of rows pass 1 has made."""
    cell = Window.partitionBy("address_id", "sex_age").orderBy("_unit", "is_bureau", "person_key")
    is_left = F.col("_unit_rank").isNull() & (F.col("sex_age") >= 0)
    has_unit = F.col("_unit") != ""
    is_left_bureau = is_left & F.col("is_bureau")
    is_left_register = is_left & ~F.col("is_bureau")
    groups = {
        "register": is_left_register,
        "register_with_unit": is_left_register & has_unit,
        "bureau": is_left_bureau,
        "bureau_without_unit": is_left_bureau & ~has_unit,
    }
    ranks = {f"_{name}_rank": _count(condition, _so_far(cell)) for name, condition in groups.items()}
    totals = {f"_{name}_total": _count(condition, _whole(cell)) for name, condition in groups.items()}
    contradicts = F.col("_register_with_unit_total") > 0
    bureau_total = F.when(contradicts, F.col("_bureau_without_unit_total")).otherwise(F.col("_bureau_total"))
    bureau_rank = F.when(contradicts, F.when(~has_unit, F.col("_bureau_without_unit_rank"))).otherwise(F.col("_bureau_rank"))
    rank = F.when(is_left_bureau, bureau_rank).when(is_left_register, F.col("_register_rank"))
    pairs = F.least(F.col("_register_total"), bureau_total)
    return people.withColumns({**ranks, **totals}).withColumn("_address_rank", F.when(rank <= pairs, rank)).drop(*ranks, *totals)


def _join_partners(people: DataFrame) -> DataFrame:
    """Give partners (same slot: unit, pass, sex and band, rank) the register household, and group the left-over."""
    is_by_unit, is_by_address = F.col("_unit_rank").isNotNull(), F.col("_address_rank").isNotNull()
    slots = people.withColumns(
        {
            "is_matched": is_by_unit | is_by_address,
            "_pass": F.when(is_by_unit, 1).when(is_by_address, 2),
            "_slot_unit": F.when(is_by_address, F.lit("")).otherwise(F.col("_unit")),
            "_rank": F.coalesce("_unit_rank", "_address_rank"),
        }
    ).drop("_unit_rank", "_address_rank")
    slot = _whole(Window.partitionBy("address_id", "_slot_unit", "_pass", "sex_age", "_rank"))
    unit = _whole(Window.partitionBy("address_id", "_slot_unit"))
    is_bureau, is_matched, key = F.col("is_bureau"), F.col("is_matched"), F.col("person_key")
    is_left = is_bureau & ~is_matched
    is_in_unit = F.col("_unit") != ""
    shares_unit = is_left & is_in_unit & (F.col("_matched_in_unit") == 0) & (F.col("_left_in_unit") > 1)
    register_household = F.when(~is_bureau, key).when(is_matched, F.col("_partner"))
    smallest_person = F.when(shares_unit, F.col("_first_in_unit")).otherwise(key)
    return (
        slots.withColumn("_partner", F.max(F.when(~is_bureau, key)).over(slot))
        .withColumns(
            {
                "_matched_in_unit": _count(is_bureau & is_matched, unit),
                "_left_in_unit": _count(is_left, unit),
                "_first_in_unit": F.min(F.when(is_left, key)).over(unit),
            }
        )
        .withColumns(
            {
                "household_key": F.coalesce(
                    F.concat(F.lit("register|"), register_household), F.concat(F.lit("bureau|"), smallest_person)
                ),
                "assignment_evidence": F.when(~is_bureau, F.lit(None).cast("string"))
                .when((F.col("_pass") == 1) & is_in_unit, "register_unit")
                .when(is_matched, "register_address")
                .when(shares_unit, "shared_unit")
                .otherwise("alone"),
            }
        )
    )
