"""Households and output areas by 250 m cell, for maps that know no boundaries."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import gold
from living_finance.contracts.utilization import HOUSEHOLD_GRID, OUTPUT_AREA_GRID
from living_finance.methods.exact_sums import exact_sum
from living_finance.methods.joins import join_to_one
from living_finance.statistics.households import counted_households

_WEIGHT_PARTS, _AMOUNT_PARTS = 2.0**30, 2.0**4
_CORNER = "mN([0-9]+)E([0-9]+)$"


def household_grid(households: DataFrame, buildings: DataFrame) -> DataFrame:
    """Weighted households and their means by grid cell, whatever district or dong they are in.

    Args:
        households: gold.household of a month.
        buildings: of `contracts.utilization.BUILDING_GRID`, of the same month; households of other buildings are left out.

    Returns:
        One row per cell with a household: `contracts.utilization.HOUSEHOLD_GRID`, money rounded to the won, halves to even.
    """
    cells = buildings.select("base_month", "address_id", "grid_id")
    placed = join_to_one(counted_households(households), cells, on=["base_month", "address_id"], how="inner")
    weight = F.col("weight").cast("double")
    amounts = {
        f"mean_{gold.TOTAL_INCOME}": gold.TOTAL_INCOME,
        "mean_debt_krw": "debt_krw",
        "mean_spending_krw_month": "spending_krw_month",
    }
    summed = placed.groupBy("base_month", "grid_id").agg(
        exact_sum(weight, parts=_WEIGHT_PARTS).alias("households"),
        F.count(F.lit(1)).alias("households_unweighted"),
        exact_sum(F.when(F.col("has_debt"), weight).otherwise(0.0), parts=_WEIGHT_PARTS).alias("_with_debt"),
        *(exact_sum(weight * F.col(column), parts=_AMOUNT_PARTS).alias(mean) for mean, column in amounts.items()),
    )
    return summed.withColumns(
        {
            "x_m": _corner(2),
            "y_m": _corner(1),
            "share_with_debt": F.col("_with_debt") / F.col("households"),
            **{mean: F.rint(F.col(mean) / F.col("households")).cast("bigint") for mean in amounts},
        }
    ).select(*HOUSEHOLD_GRID.column_names)


def output_area_grid(buildings: DataFrame) -> DataFrame:
    """Where output areas are: the cells of their buildings.

    Args:
        buildings: of `contracts.utilization.BUILDING_GRID`, of one month.

    Returns:
        One row per output area × cell with a building of it: `contracts.utilization.OUTPUT_AREA_GRID`.
    """
    counted = buildings.groupBy("base_month", F.col("output_area_id").alias("region_code"), "grid_id").agg(
        F.count(F.lit(1)).alias("buildings")
    )
    corners = {"region_level": F.lit("output_area"), "x_m": _corner(2), "y_m": _corner(1)}
    return counted.withColumns(corners).select(*OUTPUT_AREA_GRID.column_names)


def _corner(part: int) -> Column:
    return F.regexp_extract("grid_id", _CORNER, part).cast("bigint")
