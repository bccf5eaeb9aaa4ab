"""Comparison (비교): areas with their city or one another, the city with the nation, capital and non-capital areas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.analyses.change import measures_compared
from living_finance.analyses.households import counted, with_relative_income
from living_finance.analyses.result import CELL, CITY_DIGITS, SEPARATOR, finished_difference, ratio_cells
from living_finance.contracts import gold
from living_finance.contracts import releases as r
from living_finance.methods import ratios
from living_finance.methods.joins import join_to_one
from living_finance.methods.margins import is_margin
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
_MODELLED = (f"mean_{gold.TOTAL_INCOME}", *(f"{name}_{gold.TOTAL_INCOME}" for name, _ in gold.QUANTILES), "gini_total_income")
"""Statistics whose errors are those of the income model: columns of gold.household_statistics and silver.area_income_draw."""
_HEAD = r.DIMENSIONS[gold.HOUSEHOLD_STATISTICS.name]


def comparison(
    *,
    household: DataFrame,
    household_statistics: DataFrame,
    area_income_draw: DataFrame,
    benchmark: DataFrame,
    region: str,
    reference: str = "",
) -> DataFrame:
    """Differences of every region from the city or from another area, and of the city from published figures.

    Mean, median and Gini of total income are modelled: areas share the survey, the model and the published figures that incomes
    are adjusted to, so the error of their difference is taken from the difference in every draw of the model, in which what they
    share cancels. It is about the published difference. With fewer than two draws there is no error.

    Everything else has sqrt(V + V_reference - 2 C), C from the households that are in both: one area in the other, as a district
    in its city, or none, as two districts. It leaves out what areas share. Lines are the city's, taken as given.

    A published figure has its own error; debt published may hold deposits received, which ours does not, and the published years
    are in the category.

    Args:
        household: gold.household of one or several months, of the whole city.
        household_statistics: gold.household_statistics of the same months.
        area_income_draw: silver.area_income_draw of the same months.
        benchmark: silver.benchmark of the same months.
        region: see `finished`.
        reference: code of a district or a dong that regions are compared with; the city unless given.

    Returns:
        RESULT: dimension `minus_city` (category: the city) or, of another reference, `minus_region` (its code); and
        `minus_published` (category: area / source / year).
    """
    people = counted(household).transform(with_relative_income)
    reference = reference or region[:CITY_DIGITS]
    dimension = "minus_city" if len(reference) == CITY_DIGITS else "minus_region"
    differences = _minus_reference(people, reference).unionByName(
        _modelled_differences(household_statistics, area_income_draw, reference)
    )
    inside = finished_difference(differences, region=region, dimension=F.lit(dimension), category=F.lit(reference))
    outside = finished_difference(
        _minus_published(people, benchmark), region=region, dimension=F.lit("minus_published"), category=F.col("category")
    )
    return inside.unionByName(outside)


def _minus_reference(people: DataFrame, reference: str) -> DataFrame:
    measures = [measure for measure in measures_compared() if measure.name not in _MODELLED]
    cells = ratio_cells(people, measures, weight="weight", groups={})
    found = ratios.estimates(cells, measures, by=CELL)
    is_reference = F.col("region_code") == reference
    base = found.where(is_reference).select(
        "base_month", "statistic", F.col("value").alias("_base"), F.col("standard_error").alias("_base_error")
    )
    shared = _covariances(cells, measures, reference)
    joined = join_to_one(found.where(~is_reference), base, on=["base_month", "statistic"], how="inner", broadcast=True)
    joined = join_to_one(joined, shared, on=["base_month", "region_level", "region_code", "statistic"], how="inner")
    own = F.col("standard_error") * F.col("standard_error") + F.col("_base_error") * F.col("_base_error")
    error = F.sqrt(F.greatest(own - F.lit(2.0) * F.col("covariance"), F.lit(0.0)))
    return joined.withColumns({"value": F.col("value") - F.col("_base"), "standard_error": error}).drop(
        "_base", "_base_error", "covariance"
    )


def _covariances(cells: DataFrame, measures: Sequence[Ratio], reference: str) -> DataFrame:
    """Of every region with the reference, from the households of the smaller one where it lies in the other; else 0."""
    names = [f"_{name}_{number}" for number in range(len(measures)) for name in ("x", "y", "xx", "xy", "yy")]
    base = cells.where(F.col("region_code") == reference).select("base_month", *(F.col(n).alias(f"{n}_base") for n in names))
    joined = join_to_one(cells, base, on=["base_month"], how="inner", broadcast=True)
    is_inside, is_around = F.col("region_code").startswith(reference), F.lit(reference).startswith(F.col("region_code"))
    products = {
        n: F.when(is_inside, F.col(n)).when(is_around, F.col(f"{n}_base")).otherwise(F.lit(0))
        for n in names
        if not n.startswith(("_x_", "_y_"))
    }
    return ratios.covariances(
        joined.withColumns(products),
        measures,
        keys=["base_month", "region_level", "region_code"],
        of="_base",
        products=("xx", "xy", "xy", "yy"),
    )


def _modelled_differences(statistics: DataFrame, draws: DataFrame, reference: str) -> DataFrame:
    """Published figures of total income less the reference's, with errors from the differences of all draws."""
    everybody = statistics.where(is_margin(_HEAD) & (F.col("region_level") != "output_area"))
    published = _long(everybody, "_published", keep={"households": "population", "households_unweighted": "contributors"})
    keys = ["base_month", "statistic"]
    is_reference = F.col("region_code") == reference
    base = published.where(is_reference).select(*keys, F.col("_published").alias("_published_base"))
    drawn = _long(draws, "_drawn", keep={"draw": "draw"})
    drawn_base = drawn.where(is_reference).select(*keys, "draw", F.col("_drawn").alias("_drawn_base"))
    paired = join_to_one(drawn.where(~is_reference), drawn_base, on=[*keys, "draw"], how="inner", broadcast=True)
    in_order = F.array_sort(F.collect_list(F.struct("draw", (F.col("_drawn") - F.col("_drawn_base")).alias("_difference"))))
    regions = ["base_month", "region_level", "region_code", "statistic"]
    spreads = paired.groupBy(*regions).agg(in_order.getField("_difference").alias("_differences"))
    joined = join_to_one(published.where(~is_reference), base, on=keys, how="inner", broadcast=True)
    joined = join_to_one(joined, spreads, on=regions, how="left")
    value = F.col("_published") - F.col("_published_base")
    unit = F.when(F.col("statistic") == "gini_total_income", "index").otherwise("KRW/year")
    return joined.select(
        *regions[:-1],
        *(F.lit("all").alias(name) for name in ("dimension", "category")),
        "statistic",
        unit.alias("unit"),
        value.alias("value"),
        _error_over_draws(F.col("_differences"), value).alias("standard_error"),
        "population",
        "contributors",
    )


def _long(frame: DataFrame, value: str, *, keep: Mapping[str, str]) -> DataFrame:
    """One row per region and modelled statistic that is known."""
    structs = (F.struct(F.lit(n).alias("statistic"), F.col(n).cast("double").alias(value)) for n in _MODELLED)
    kept = [F.col(name).alias(alias) for name, alias in keep.items()]
    regions = ["base_month", "region_level", "region_code"]
    return frame.select(*regions, *kept, F.inline(F.array(*structs))).where(F.col(value).isNotNull())


def _error_over_draws(differences: Column, published: Column) -> Column:
    """As gold.household_statistics takes the error of a region: the point fit is left out of spreads where it can be.

    A mean is published as the average over draws, whose error is spread × sqrt(1 + 1 / draws); other figures are those of one
    draw, which is as far from the average as it is.
    """
    all_draws = F.size(differences)
    later = F.when(all_draws > 2, F.slice(differences, 2, all_draws - 1)).otherwise(differences)
    n = F.size(later)
    average = _average(later)
    squares = F.aggregate(later, F.lit(0.0), lambda total, each: total + (each - average) * (each - average))
    variance = F.try_divide(squares, n - 1)
    distance = published - _average(differences)
    of_one_draw = F.sqrt(variance + distance * distance)
    return F.when(F.col("statistic").startswith("mean_"), F.sqrt(variance * (1.0 + F.lit(1.0) / n))).otherwise(of_one_draw)


def _average(values: Column) -> Column:
    return F.aggregate(values, F.lit(0.0), lambda total, each: total + each) / F.size(values)


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
