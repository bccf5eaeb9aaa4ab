"""Whom the sources know of those the census counts, and what the weights make of it."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts.gold import COVERAGE
from living_finance.methods.census import expected_count, five_year_band
from living_finance.methods.exact_sums import exact_sum
from living_finance.months import Month

_SOURCES = ("bureau_persons", "register_persons", "census_persons", "weighted_persons")
_MARGIN = "population_sex_age"
_CELL = ("dong_code", "sex", "age_band")


def coverage(residents: DataFrame, *, register: DataFrame, margins: DataFrame, targets: DataFrame, month: Month) -> DataFrame:
    """Persons of every dong, sex and age band by source, beside the census.

    Ratios above 1 are not errors by themselves: people at an old address are counted where the bureau has them, people
    registered with their parents where they are registered, and the census counts members of private households only.

    Args:
        residents: silver.PLACED_PERSON of the month, residents. Those without an address count in the dong that the bureau
            gives; those without a dong nowhere.
        register: silver.REGISTER_PERSON of the month.
        margins: silver.CENSUS_MARGIN of the month; its population by sex and age.
        targets: silver.CALIBRATION_TARGET of the month.
        month: the month.

    Returns:
        gold.COVERAGE: one row per dong, sex and five-year band that any source knows.

    Source: census coverage ratios as in United Nations, Principles and Recommendations for Population and Housing
    Censuses, rev. 3 (2017), on evaluation by comparison with other sources.
    """
    category = F.col("category")
    sex, band = F.substring(category, 1, 1), five_year_band(F.substring(category, 2, 3).cast("int"))
    of_area = F.substring("output_area_id", 1, 7)
    of_margin = F.col("margin") == _MARGIN
    parts = (
        _rows(residents, F.col("dong_code"), F.col("sex"), F.col("age_band"), bureau_persons=F.lit(1.0)),
        _rows(register, F.col("dong_code"), F.col("sex"), five_year_band(F.col("age")), register_persons=F.lit(1.0)),
        _rows(margins.where(of_margin), of_area, sex, band, census_persons=expected_count()),
        _rows(targets.where(of_margin), of_area, sex, band, weighted_persons=F.col("achieved")),
    )
    cells = reduce(DataFrame.unionByName, parts).where(F.col("dong_code").isNotNull())
    sums = cells.groupBy(*_CELL).agg(*(exact_sum(F.col(name), parts=1e6).alias(name) for name in _SOURCES))
    return sums.withColumns(
        {
            "base_month": F.lit(month.date),
            "gu_code": F.substring("dong_code", 1, 5),
            **{
                f"{name.removesuffix('_persons')}_to_census": F.when(
                    F.col("census_persons") > 0, F.col(name) / F.col("census_persons")
                )
                for name in ("bureau_persons", "register_persons", "weighted_persons")
            },
        }
    ).select(*COVERAGE.column_names)


def _rows(frame: DataFrame, dong: Column, sex: Column, band: Column, **counted: Column) -> DataFrame:
    """One row per row of a source with every count, 0 where this source says nothing."""
    return frame.select(
        dong.alias("dong_code"),
        sex.alias("sex"),
        band.cast("int").alias("age_band"),
        *(counted.get(name, F.lit(0.0)).alias(name) for name in _SOURCES),
    )
