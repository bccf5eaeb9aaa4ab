"""Household statistics by region and group, and by one characteristic at a time."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import codes, gold
from living_finance.contracts.core import Table
from living_finance.methods.inequality import weighted_gini
from living_finance.methods.joins import join_to_one
from living_finance.methods.quantiles import cube, fixed_weight, weighted_quantiles
from living_finance.months import Month
from living_finance.statistics import precision
from living_finance.statistics.cells import (
    GINI,
    ROWS,
    SET,
    SQUARES,
    CellPlan,
    Quantile,
    city_of,
    households_of,
    mean_of,
    share_of,
    summarise,
    total_name,
    whole,
)

UNKNOWN = "unknown"
"""Breakdown category of households whose characteristic is missing, so that categories add up to all."""

_HEAD = ("head_sex", "head_age_band", "household_type")
_DIMENSIONS = codes.BREAKDOWN_DIMENSION.codes
_RMSE = "rmse_mean_total_income_krw_year"
_LARGEST_SIZE = 7
_CLASSES = 5
_THRESHOLDS: Mapping[str, float] = {f"_p{20 * rank}": rank / _CLASSES for rank in range(1, _CLASSES)}
_AMOUNTS = (gold.TOTAL_INCOME, *gold.INCOME_COMPONENTS, "debt_krw", "spending_krw_month")
_QUANTILES = {f"{name}_{gold.TOTAL_INCOME}": probability for name, probability in gold.QUANTILES}
_DISTRIBUTION: Mapping[str, str] = {**{name: name for name in _QUANTILES}, "gini_total_income": GINI}
"""Figure of the distribution → column of the cells that holds it."""
_LEVELS = {"output_area": "output_area_id", "dong": "dong_code", "gu": "gu_code"}


def household_statistics(households: DataFrame, *, errors: DataFrame, month: Month) -> DataFrame:
    """Income, debt and spending of households by region, head's sex and age band, and household type.

    Households of weight 0 (group quarters) are left out. A household without an output area counts from the dong
    up. Means and shares are weighted; the Gini coefficient is household-weighted, of income that is not
    equivalised, negative incomes as zero (`methods.inequality`). Amounts are rounded to the won, halves to even.
    Where all three categories are `all`, quantiles and Gini coefficient are averages over the draws of the income model, as
    means are; elsewhere quantiles are those of the rows, which hold one draw, and there is no Gini. Error and reliability are
    filled where all are `all`: of the average over draws, and what householding leaves unknown (decision 0050). A region without
    an error is unreliable; one without draws has the figures of its rows.

    Args:
        households: gold.household, one row per household of the month; read several times, so a stored table.
        errors: silver.AREA_INCOME of the month.
        month: written into every row.

    Returns:
        One row per region (output area, dong, gu, city) × head's sex × head's age band × household type, each of
        the last three also `all`: gold.household_statistics. Combinations without households have no row.
    """
    sets = tuple(cube(_HEAD))
    is_margin = F.col(SET) == sets.index(())
    frame = counted_households(households).withColumns({"head_age_band": F.col("head_age_band").cast("string")})
    quantiles = weighted_quantiles(frame, value=gold.TOTAL_INCOME, weight="weight", sets=sets, probabilities=_QUANTILES)
    cells = _cells(frame, plan=_plan(sets, dispersed_sets=((),)), city_quantiles=quantiles)
    of_region = errors.select(
        "region_level",
        "region_code",
        _joined(F.col(_RMSE).cast("double"), _of_householding(gold.TOTAL_INCOME, "mean_")).alias("_error"),
        *(F.col(name).cast("double").alias(f"_average_{name}") for name in _DISTRIBUTION),
        *(
            _joined(F.col(f"spread_{name}").cast("double"), _of_householding(name)).alias(f"_spread_{name}")
            for name in _DISTRIBUTION
        ),
    )
    cells = join_to_one(cells, of_region, on=["region_level", "region_code"], how="left", broadcast=True)
    averages = {
        found: F.coalesce(F.when(is_margin, F.col(f"_average_{name}")), F.col(found)) for name, found in _DISTRIBUTION.items()
    }
    cells = cells.withColumns(averages)
    of_distribution = {
        f"rmse_{name}": F.when(is_margin, whole(F.col(f"_spread_{name}")) if name in _QUANTILES else F.col(f"_spread_{name}"))
        for name in _DISTRIBUTION
    }
    return _published(
        cells,
        table=gold.HOUSEHOLD_STATISTICS,
        month=month,
        error=F.col("_error"),
        has_error=is_margin,
        others=of_distribution,
    )


def _joined(error: Column, other: Column) -> Column:
    """Root of the sum of squares."""
    return F.sqrt(error * error + other * other)


def _of_householding(name: str, prefix: str = "") -> Column:
    """Error of a figure from householding; 0 where it is not known."""
    return F.coalesce(F.col(f"householding_{prefix}{name}").cast("double"), F.lit(0.0))


def household_breakdown(households: DataFrame, *, month: Month, benchmark_rse: float | None) -> DataFrame:
    """The measures of `household_statistics` by dwelling type, tenure, household size and income class.

    Income classes `1` (lowest) to `5` are the city's weighted quintiles of the month's total income: class k holds
    incomes above the (k - 1)th and up to the kth quintile limit. Sizes of seven and more are `7_plus`; a
    missing characteristic is `unknown`, so that the categories of a dimension add up to all households. Gini
    coefficient, error and reliability are filled in every row; what they leave out is told there.

    Args:
        households: gold.household, one row per household of the month; read several times, so a stored table.
        month: written into every row.
        benchmark_rse: relative standard error of the published mean the incomes were adjusted to; None: not adjusted.

    The quintile limits are worked out when the function is called, the rest when the result is used.

    Returns:
        One row per region (output area, dong, gu, city) × dimension × category that occurs: gold.household_breakdown.
    """
    sets = tuple((dimension,) for dimension in _DIMENSIONS)
    frame = (
        counted_households(households)
        .transform(with_income_class)
        .withColumns(
            {
                "dwelling_type": F.coalesce("dwelling_type", F.lit(UNKNOWN)),
                "tenure": F.coalesce("tenure", F.lit(UNKNOWN)),
                "household_size": _size_class(F.col("household_size")),
            }
        )
    )
    cells = _cells(frame, plan=_plan(sets, dispersed_sets=sets), city_quantiles=_quantiles_by_dimension(frame))
    dimension = F.element_at(F.array(*map(F.lit, _DIMENSIONS)), F.col(SET) + 1)
    category = F.element_at(F.array(*_DIMENSIONS), F.col(SET) + 1)
    long = cells.withColumns({"dimension": dimension, "category": category})
    error = precision.root_mean_squared_error(
        standard_error=precision.standard_error(squares=F.col(SQUARES), rows=F.col(ROWS), weight=households_of()),
        mean=mean_of(gold.TOTAL_INCOME),
        benchmark_rse=benchmark_rse,
    )
    return _published(long, table=gold.HOUSEHOLD_BREAKDOWN, month=month, error=error, has_error=F.lit(True))


def _plan(sets: tuple[tuple[str, ...], ...], *, dispersed_sets: tuple[tuple[str, ...], ...]) -> CellPlan:
    return CellPlan(
        within=("gu_code",),
        levels=_LEVELS,
        sets=sets,
        weight="weight",
        value=gold.TOTAL_INCOME,
        amounts=_AMOUNTS,
        flags=("has_debt", "is_provisional"),
        quantiles=tuple(
            Quantile(name=name, value=gold.TOTAL_INCOME, probability=probability) for name, probability in _QUANTILES.items()
        ),
        dispersed_sets=dispersed_sets,
    )


def counted_households(households: DataFrame) -> DataFrame:
    """Households that count, group quarters left out, with `has_debt`."""
    has_weight = fixed_weight(F.col("weight")) > 0
    return households.where(has_weight).withColumns({"has_debt": F.col("debt_krw") > 0})


def with_income_class(households: DataFrame) -> DataFrame:
    """Households with `income_class`, `1` to `5`: the weighted quintile of total income they are in (limits found at once)."""
    limits = weighted_quantiles(households, value=gold.TOTAL_INCOME, weight="weight", sets=[()], probabilities=_THRESHOLDS)
    # ok: four numbers; as a lazy join they would be worked out again by each of the five readings that follow
    found = limits.first()
    income = F.col(gold.TOTAL_INCOME)
    above = [F.when(income > F.lit(limit), F.lit(1)).otherwise(F.lit(0)) for limit in found or ()]
    return households.withColumns({"income_class": sum(above, start=F.lit(1)).cast("string")})


def _quantiles_by_dimension(frame: DataFrame) -> DataFrame:
    """City quantiles, one row per category of each dimension, the other dimensions `all`."""
    pairs = F.array(*(F.struct(F.lit(name).alias("dimension"), F.col(name).alias("category")) for name in _DIMENSIONS))
    long = frame.select(gold.TOTAL_INCOME, "weight", F.inline(pairs))
    quantiles = weighted_quantiles(
        long, value=gold.TOTAL_INCOME, weight="weight", sets=[("dimension", "category")], probabilities=_QUANTILES
    )
    wide = {name: F.when(F.col("dimension") == name, F.col("category")).otherwise(codes.ALL) for name in _DIMENSIONS}
    return quantiles.withColumns(wide).drop("dimension", "category")


def _size_class(size: Column) -> Column:
    is_large = size >= _LARGEST_SIZE
    return F.when(is_large, F.lit(f"{_LARGEST_SIZE}_plus")).otherwise(size.cast("string"))


def _cells(frame: DataFrame, *, plan: CellPlan, city_quantiles: DataFrame) -> DataFrame:
    """Cells of all regions; `city_quantiles` has one row per combination of the plan's categories."""
    regional = summarise(frame, plan=plan, levels=plan.levels)
    city = city_of(summarise(frame, plan=plan, levels=["gu"]), plan=plan)
    gini = weighted_gini(frame, value=gold.TOTAL_INCOME, weight="weight", sets=plan.dispersed_sets)
    city_ginis = gini.select(
        *(F.col(name) if name in gini.columns else F.lit(codes.ALL).alias(name) for name in plan.categories),
        F.col("gini").alias(GINI),
    )
    city = join_to_one(city, city_quantiles, on=plan.categories, how="left")
    city = join_to_one(city, city_ginis, on=plan.categories, how="left")
    return regional.unionByName(city, allowMissingColumns=True)


def _published(
    cells: DataFrame,
    *,
    table: Table,
    month: Month,
    error: Column,
    has_error: Column,
    others: Mapping[str, Column] = MappingProxyType({}),
) -> DataFrame:
    cv = precision.coefficient_of_variation(error=error, mean=mean_of(gold.TOTAL_INCOME))
    measures = {
        "base_month": F.lit(month.date),
        "households": households_of(),
        "households_unweighted": F.col(ROWS),
        **{f"mean_{name}": whole(mean_of(name)) for name in _AMOUNTS},
        **{name: whole(F.col(name)) for name in _QUANTILES},
        "share_with_debt": share_of("has_debt"),
        "gini_total_income": F.col(GINI),
        _RMSE: F.when(has_error, whole(error)),
        "cv_mean_total_income": F.when(has_error, cv),
        "reliability": F.when(has_error, precision.reliability(cv)),
        "is_provisional": F.col(total_name("is_provisional")) > 0,
        **others,
    }
    columns = (measures.get(column.name, F.col(column.name)).alias(column.name) for column in table.columns)
    return cells.select(*columns)
