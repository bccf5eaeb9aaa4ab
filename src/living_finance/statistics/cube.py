"""The household cube: every combination of head, type and income class, for dongs and above."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import gold
from living_finance.contracts.utilization import CUBE_DIMENSIONS, HOUSEHOLD_CUBE
from living_finance.methods.quantiles import cube
from living_finance.months import Month
from living_finance.statistics.cells import (
    ROWS,
    CellPlan,
    city_of,
    households_of,
    mean_of,
    share_of,
    summarise,
    total_name,
    whole,
)
from living_finance.statistics.households import counted_households, with_income_class

_AMOUNTS = (gold.TOTAL_INCOME, *gold.INCOME_COMPONENTS, "debt_krw", "spending_krw_month")
_PLAN = CellPlan(
    within=("gu_code",),
    levels={"dong": "dong_code", "gu": "gu_code"},
    sets=tuple(cube(CUBE_DIMENSIONS)),
    weight="weight",
    value=gold.TOTAL_INCOME,
    amounts=_AMOUNTS,
    flags=("has_debt", "is_provisional"),
    quantiles=(),
)


def household_cube(households: DataFrame, *, month: Month) -> DataFrame:
    """Households and their means by region and all combinations of four dimensions.

    Made of the same exact sums as `household_statistics` and `household_breakdown`, so that what these also hold (income
    class `all`; income class alone) is equal to the won. Output areas are left out: their full cross is small cells.

    Args:
        households: gold.household, one row per household of the month; read several times, so a stored table.
        month: written into every row.

    Returns:
        One row per region (dong, gu, city) × head's sex × head's age band × household type × income class that occurs, each
        of the four also `all`: `contracts.utilization.HOUSEHOLD_CUBE`.
    """
    frame = (
        counted_households(households)
        .transform(with_income_class)
        .withColumns({"head_age_band": F.col("head_age_band").cast("string")})
    )
    regional = summarise(frame, plan=_PLAN, levels=_PLAN.levels)
    city = city_of(summarise(frame, plan=_PLAN, levels=["gu"]), plan=_PLAN)
    measures = {
        "base_month": F.lit(month.date),
        "households": households_of(),
        "households_unweighted": F.col(ROWS),
        **{f"mean_{name}": whole(mean_of(name)) for name in _AMOUNTS},
        "share_with_debt": share_of("has_debt"),
        "is_provisional": F.col(total_name("is_provisional")) > 0,
    }
    cells = regional.unionByName(city, allowMissingColumns=True)
    return cells.select(*(measures.get(name, F.col(name)).alias(name) for name in HOUSEHOLD_CUBE.column_names))
