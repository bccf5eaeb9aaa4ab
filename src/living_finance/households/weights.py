"""Weights that make the households of every output area add up to the census, moved on by the register."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.contracts.silver import OUTPUT_AREA
from living_finance.methods.joins import join_to_one
from living_finance.months import Month


def output_areas(formed: DataFrame, *, margins: DataFrame, census_register_counts: DataFrame | None, month: Month) -> DataFrame:
    """Census households, register change, target and formed households of every output area.

    target = census households x register households now / register households in the census month. Where
    the census month's register is not known (not given, or no such area in it) the change is 1.

    Args:
        formed: rows of `form_households`.
        margins: silver.CENSUS_MARGIN of the month.
        census_register_counts: output_area_id, register_households of the census month (silver.OUTPUT_AREA of
            that month); None when that month has not been made or lies after `month`.
        month: the month.

    Returns:
        silver.OUTPUT_AREA: one row per output area of the census or with households. Areas with census
        households but none formed have weighted_households 0: the distance is in the table.
    """
    census = (
        margins.where(F.col("margin") == "households")
        .groupBy("output_area_id")
        .agg(F.sum("count").cast("bigint").alias("census_households"))
    )
    is_private = ~F.col("is_group_quarters")
    found = (
        formed.where(F.col("output_area_id").isNotNull())
        .groupBy("output_area_id")
        .agg(
            F.count_if(is_private & (F.col("household_source") == "register")).alias("register_households"),
            F.count_if(is_private).alias("formed_households"),
        )
    )
    areas = census.join(found, on="output_area_id", how="full").withColumns(
        {
            name: F.coalesce(name, F.lit(0)).cast("bigint")
            for name in ("census_households", "register_households", "formed_households")
        }
    )
    if census_register_counts is None:
        then = areas.withColumn("_then", F.lit(None).cast("bigint"))
    else:
        earlier = census_register_counts.select("output_area_id", F.col("register_households").alias("_then"))
        then = join_to_one(areas, earlier, on=["output_area_id"], how="left")
    change = F.coalesce(F.try_divide(F.col("register_households").cast("double"), F.col("_then").cast("double")), F.lit(1.0))
    return (
        then.withColumns({"base_month": F.lit(month.date), "register_change": change})
        .withColumn("target_households", F.col("census_households") * F.col("register_change"))
        .withColumn(
            "weighted_households",
            F.when(F.col("formed_households") > 0, F.col("target_households")).otherwise(F.lit(0.0)),
        )
        .select(*OUTPUT_AREA.column_names)
    )


def weigh(formed: DataFrame, *, areas: DataFrame) -> DataFrame:
    """Add `weight`: target households / formed private households of the output area.

    Args:
        formed: rows of `form_households`.
        areas: silver.OUTPUT_AREA (19,000 rows for the city: sent to every task, so households do not move).

    Returns:
        The same rows with `weight`; 0 for group quarters and where the census knows no household.
    """
    per_household = F.try_divide(F.col("target_households"), F.col("formed_households").cast("double"))
    weights = areas.select("output_area_id", per_household.alias("_area_weight"))
    is_private = ~F.col("is_group_quarters")
    return (
        join_to_one(formed, weights, on=["output_area_id"], how="left", broadcast=True)
        .withColumn("weight", F.when(is_private, F.coalesce("_area_weight", F.lit(0.0))).otherwise(F.lit(0.0)))
        .drop("_area_weight")
    )
