"""What the month's tables say of their own completeness and agreement: the first lines of the quality report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts.gold import INCOME_COMPONENTS, QUALITY_REPORT, TOTAL_INCOME
from living_finance.months import Month


@dataclass(frozen=True)
class Indicator:
    """One line of the report; `higher_is_better` decides which side of the threshold passes."""

    table: str
    name: str
    value: Column
    threshold: float
    higher_is_better: bool


def _share(condition: Column) -> Column:
    return F.avg(F.coalesce(condition, F.lit(False)).cast("double"))


PERSON_INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        "silver.placed_person", "share_of_residents_without_address", _share(F.col("home_evidence") == "no_address"), 0.05, False
    ),
    Indicator(
        "silver.placed_person",
        "share_of_residents_the_register_does_not_know_here",
        _share(F.col("home_evidence") == "not_in_register"),
        0.20,
        False,
    ),
    Indicator(
        "silver.placed_person",
        "share_of_residents_outside_the_buildings_list",
        _share(F.array_contains("edits", "home_address_id:not_in_buildings")),
        0.01,
        False,
    ),
)

ADDRESS_INDICATORS: tuple[Indicator, ...] = (
    Indicator("silver.address", "share_over_capacity", _share(F.col("is_over_capacity")), 0.20, False),
    Indicator("silver.address", "share_with_more_bureau_than_registered", _share(F.col("has_unregistered_excess")), 0.20, False),
    Indicator(
        "silver.address",
        "bureau_residents_per_registered_person",
        F.try_divide(F.sum("bureau_persons"), F.sum("register_persons")),
        0.60,
        True,
    ),
)

OUTPUT_AREA_INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        "silver.output_area",
        "share_of_census_households_without_formed_ones",
        F.try_divide(
            F.sum(F.when(F.col("formed_households") == 0, F.col("target_households")).otherwise(0.0)), F.sum("target_households")
        ),
        0.001,
        False,
    ),
    Indicator(
        "silver.output_area",
        "largest_gap_to_household_target",
        F.max(F.when(F.col("formed_households") > 0, F.abs(F.col("weighted_households") - F.col("target_households")))),
        0.5,
        False,
    ),
    Indicator(
        "silver.output_area",
        "formed_per_target_households",
        F.try_divide(F.sum("formed_households"), F.sum("target_households")),
        0.80,
        True,
    ),
)

HOUSEHOLD_INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        "gold.household",
        "share_of_households_nobody_in_the_bureau_belongs_to",
        _share(F.col("bureau_members") == 0),
        0.30,
        False,
    ),
    Indicator(
        "gold.household",
        "largest_gap_of_components_to_total_krw",
        F.max(F.abs(F.col(TOTAL_INCOME) - sum((F.col(name) for name in INCOME_COMPONENTS), F.lit(0)))).cast("double"),
        0.0,
        False,
    ),
)


def measure(frame: DataFrame, indicators: Sequence[Indicator], *, month: Month) -> DataFrame:
    """Compute indicators of one table in one pass.

    Args:
        frame: rows the indicators are about.
        indicators: of this table.
        month: the month described.

    Returns:
        gold.quality_report: one row per indicator.
    """
    values = frame.agg(*(indicator.value.cast("double").alias(indicator.name) for indicator in indicators))
    lines = [
        F.struct(
            F.lit(month.date).alias("base_month"),
            F.lit(indicator.table).alias("table"),
            F.lit(indicator.name).alias("indicator"),
            F.col(indicator.name).alias("value"),
            F.lit(indicator.threshold).alias("threshold"),
            (
                F.col(indicator.name) >= indicator.threshold
                if indicator.higher_is_better
                else F.col(indicator.name) <= indicator.threshold
            ).alias("passed"),
        )
        for indicator in indicators
    ]
    return values.select(F.inline(F.array(*lines))).select(*QUALITY_REPORT.column_names)
