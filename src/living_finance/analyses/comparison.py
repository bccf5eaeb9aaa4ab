"""Comparison (비교): a district or dong with its city, the city with the nation, capital and non-capital areas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.analyses.change import measures_compared
from living_finance.analyses.households import counted, with_relative_income
from living_finance.analyses.result import CELL, SEPARATOR, finished_difference, ratio_cells
from living_finance.contracts import gold
from living_finance.methods import ratios
from living_finance.methods.joins import join_to_one
from living_finance.methods.ratios import Ratio, mean

PUBLISHED: Mapping[str, str] = {
    "mean_total_income": gold.TOTAL_INCOME,
    "mean_property_income": "property_income_krw_year",
    "mean_transfer_income": "transfer_income_krw_year",
    "mean_irregular_income": "irregular_income_krw_year",
    "mean_debt": "debt_krw",
    "mean_spending_month": "spending_krw_month",
}
"""Indicator of the benchmarks → the column it is the mean of. Assets and shares of tenure have no figure here."""


def comparison(*, household: DataFrame, benchmark: DataFrame, region: str) -> DataFrame:
    """Differences of every region from the city, and of the city from published figures.

    A region is part of its city: the error of the difference is sqrt(V + V_city - 2 C), C from the households of the region.
    Lines are the city's, taken as given. A published figure has its own error; debt published may hold deposits
    received, which ours does not, and the published years are in the category.

    Args:
        household: gold.household of one or several months, of the whole city.
        benchmark: silver.benchmark of the same months.
        region: see `finished`.

    Returns:
        RESULT: dimension `minus_city` (category: the city) and `minus_published` (category: area / source / year).
    """
    people = counted(household).transform(with_relative_income)
    inside = finished_difference(
        _minus_city(people), region=region, dimension="minus_city", category=F.substring("region_code", 1, 2)
    )
    outside = finished_difference(
        _minus_published(people, benchmark), region=region, dimension="minus_published", category=F.col("category")
    )
    return inside.unionByName(outside)


def _minus_city(people: DataFrame) -> DataFrame:
    measures = measures_compared()
    cells = ratio_cells(people, measures, weight="weight", groups={}).withColumns(
        {"_city_code": F.substring("region_code", 1, 2)}
    )
    found = ratios.estimates(cells, measures, by=[*CELL, "_city_code"])
    is_city = F.col("region_level") == "city"
    city = found.where(is_city).select(
        "base_month",
        F.col("region_code").alias("_city_code"),
        "statistic",
        F.col("value").alias("_city"),
        F.col("standard_error").alias("_city_error"),
    )
    shared = _city_covariances(cells, measures)
    keys = ["base_month", "_city_code", "statistic"]
    joined = join_to_one(found.where(~is_city), city, on=keys, how="inner", broadcast=True)
    joined = join_to_one(joined, shared, on=["base_month", "region_level", "region_code", "statistic"], how="inner")
    own = F.col("standard_error") * F.col("standard_error") + F.col("_city_error") * F.col("_city_error")
    error = F.sqrt(F.greatest(own - F.lit(2.0) * F.col("covariance"), F.lit(0.0)))
    return joined.withColumns({"value": F.col("value") - F.col("_city"), "standard_error": error}).drop(
        "_city_code", "_city", "_city_error", "covariance"
    )


def _city_covariances(cells: DataFrame, measures: Sequence[Ratio]) -> DataFrame:
    totals = [name for number in range(len(measures)) for name in (f"_x_{number}", f"_y_{number}")]
    city = cells.where(F.col("region_level") == "city").select(
        "base_month", F.col("region_code").alias("_city_code"), *(F.col(name).alias(f"{name}_city") for name in totals)
    )
    joined = join_to_one(cells, city, on=["base_month", "_city_code"], how="inner", broadcast=True)
    return ratios.covariances(
        joined, measures, keys=["base_month", "region_level", "region_code"], of="_city", products=("xx", "xy", "xy", "yy")
    )


def _minus_published(people: DataFrame, benchmark: DataFrame) -> DataFrame:
    """The city's means less the published ones of every area, by source and year."""
    units = {name: "KRW/month" if name.endswith("month") else "KRW" if "debt" in name else "KRW/year" for name in PUBLISHED}
    measures = [mean(name, F.col(column), unit=units[name]) for name, column in PUBLISHED.items()]
    cells = ratio_cells(people, measures, weight="weight", groups={})
    ours = ratios.estimates(cells.where(F.col("region_level") == "city"), measures, by=CELL).drop("category")
    published = benchmark.where((F.col("dimension") == "all") & F.col("indicator").isin(*PUBLISHED)).select(
        "base_month",
        F.col("indicator").alias("statistic"),
        F.concat_ws(SEPARATOR, "region_code", "source", F.col("year").cast("string"), "reference_period").alias("category"),
        F.col("value").alias("_published"),
        (F.col("value") * F.coalesce("relative_standard_error", F.lit(0.0))).alias("_error"),
    )
    # Several published figures meet one of ours: theirs is the many side, ours is one row per month and statistic.
    joined = join_to_one(published, ours, on=["base_month", "statistic"], how="inner", broadcast=True)
    error = F.sqrt(F.col("standard_error") * F.col("standard_error") + F.col("_error") * F.col("_error"))
    return joined.withColumns({"value": F.col("value") - F.col("_published"), "standard_error": error}).drop(
        "_published", "_error"
    )
