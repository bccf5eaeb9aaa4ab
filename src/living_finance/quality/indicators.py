"""What the month's tables say of their own completeness and agreement: the first lines of the quality report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.contracts.gold import INCOME_COMPONENTS, QUALITY_REPORT, TOTAL_INCOME
from living_finance.months import Month


@dataclass(frozen=True)
class Indicator:
    """One line of the report; `higher_is_better` decides which side of the threshold passes."""

    table: str
    name: str
    value: str
    """SQL aggregate."""
    threshold: float
    higher_is_better: bool = False


def _share(condition: str) -> str:
    return f"avg(cast(coalesce({condition}, false) as double))"


PERSON_INDICATORS: tuple[Indicator, ...] = tuple(
    Indicator("silver.placed_person", name, _share(condition), threshold)
    for name, condition, threshold in (
        ("share_of_residents_without_address", "home_evidence = 'no_address'", 0.05),
        ("share_of_residents_the_register_does_not_know_here", "home_evidence = 'not_in_register'", 0.20),
        ("share_of_residents_outside_the_buildings_list", "array_contains(edits, 'home_address_id:not_in_buildings')", 0.01),
    )
)

ADDRESS_INDICATORS: tuple[Indicator, ...] = (
    Indicator("silver.address", "share_over_capacity", _share("is_over_capacity"), 0.20),
    Indicator("silver.address", "share_with_more_bureau_than_registered", _share("has_unregistered_excess"), 0.20),
    Indicator(
        "silver.address",
        "bureau_residents_per_registered_person",
        "try_divide(sum(bureau_persons), sum(register_persons))",
        0.60,
        higher_is_better=True,
    ),
)

OUTPUT_AREA_INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        "silver.output_area",
        "share_of_census_households_without_formed_ones",
        "try_divide(sum(if(formed_households = 0, target_households, 0D)), sum(target_households))",
        0.001,
    ),
    Indicator(
        "silver.output_area",
        "largest_gap_to_household_target",
        "max(if(formed_households > 0, abs(weighted_households - target_households), 0D))",
        0.5,
    ),
    Indicator(
        "silver.output_area",
        "formed_per_target_households",
        "try_divide(sum(formed_households), sum(target_households))",
        0.80,
        higher_is_better=True,
    ),
)

HOUSEHOLD_INDICATORS: tuple[Indicator, ...] = (
    Indicator("gold.household", "share_of_households_nobody_in_the_bureau_belongs_to", _share("bureau_members = 0"), 0.30),
    Indicator(
        "gold.household",
        "largest_gap_of_components_to_total_krw",
        f"max(abs({TOTAL_INCOME} - ({' + '.join(INCOME_COMPONENTS)})))",
        0.0,
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
    values = frame.agg(*(F.expr(indicator.value).cast("double").alias(indicator.name) for indicator in indicators))
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
