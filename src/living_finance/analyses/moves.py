"""Moves of households between dongs (가구 이동), and the households that came beside those that stayed."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.analyses.households import counted
from living_finance.analyses.result import finished, ratio_results
from living_finance.contracts import gold
from living_finance.methods.joins import join_to_one
from living_finance.methods.ratios import mean, share, total

_CONTINUES = ("unchanged", "members_changed", "moved")
CAME, LEFT = "came_share", "left_share"


def with_moves(households: DataFrame, household_lineage: DataFrame) -> DataFrame:
    """Adds `event`, `former_dong_code` and `has_crossed`, missing for a household that does not go on.

    A household that stays at its address is where it was, also where the border of its dong has moved.

    Args:
        households: one row per household and month; one without lineage is left out.
        household_lineage: gold.household_lineage of the same months.
    """
    lineage = household_lineage.where(F.col("is_main_previous") & F.col("household_id").isNotNull()).select(
        "base_month", "household_id", "event", "previous_dong_code"
    )
    frame = join_to_one(households, lineage, on=["base_month", "household_id"], how="inner")
    goes_on = F.col("event").isin(*_CONTINUES) & F.col("previous_dong_code").isNotNull()
    former = F.when(F.col("event") == "moved", F.col("previous_dong_code")).otherwise(F.col("dong_code"))
    return frame.withColumns(
        {
            "former_dong_code": F.when(goes_on, former),
            "has_crossed": F.when(goes_on, F.col("dong_code") != former),
        }
    ).drop("previous_dong_code")


def household_moves(*, household: DataFrame, household_lineage: DataFrame, region: str) -> DataFrame:
    """Households that moved from one dong to another since the month before, with income and debt, by area.

    Counted are households that go on (`unchanged`, `members_changed`, `moved` in gold.household_lineage), with the weight of
    the later month. A move inside a dong is none between dongs. Households that are new, split or merged have no single
    former place and are left out: events of all kinds are counted by themselves. `change` compares the shares that came and left
    before and after a policy.

    Args:
        household: gold.household of one or several months.
        household_lineage: gold.household_lineage of the same months.
        region: see `finished`.

    Returns:
        RESULT. `all`: of the households that go on, the share that came from another dong, and that left for another.
        `origin_dong`: of households now in the region, by where they were; `destination_dong`: of households
        that were in it, by where they are (of both, only those that crossed a dong's border); `status`: those in the
        region, `came` or `stayed`; `left_from`: those that were in it, `left` or `stayed`; `event`: by event. The first
        month of a warehouse has events only.
    """
    frame = with_moves(counted(household), household_lineage)
    here, before, crossed = (F.col(name) for name in ("dong_code", "former_dong_code", "has_crossed"))
    measures = (
        total("households", F.lit(1.0), unit="households"),
        mean("mean_total_income_krw_year", F.col(gold.TOTAL_INCOME), unit="KRW/year"),
        mean("mean_debt_krw", F.col("debt_krw"), unit="KRW"),
        mean("mean_household_size", F.col("household_size"), unit="persons/household"),
    )
    arrived = ratio_results(
        frame,
        (*measures, share(CAME, crossed)),
        weight="weight",
        groups={
            "origin_dong": F.when(crossed, before),
            "status": _label(crossed, yes="came"),
            "event": F.col("event"),
        },
    )
    departed = ratio_results(
        frame.where(before.isNotNull()),
        (*measures, share(LEFT, crossed)),
        weight="weight",
        groups={"destination_dong": F.when(crossed, here), "left_from": _label(crossed, yes="left")},
        dong=before,
    )
    is_rate = F.col("statistic").isin(CAME, LEFT)
    is_told = is_rate == (F.col("dimension") == "all")
    return finished(arrived.where(is_told).unionByName(departed.where(is_told)), region=region)


def _label(crossed: Column, *, yes: str) -> Column:
    return F.when(crossed, F.lit(yes)).when(~crossed, F.lit("stayed"))
