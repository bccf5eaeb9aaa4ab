"""Who stands behind each published cell: contributors on either side, largest contributions. Never leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import codes, silver
from living_finance.contracts import releases as r
from living_finance.methods.joins import join_to_one
from living_finance.methods.margins import is_margin
from living_finance.methods.quantiles import fixed_weight

_LARGE_SIZE = 7
_REGION_OF = {"output_area": "output_area_id", "dong": "dong_code", "gu": "gu_code"}
_FLAG_OF = {"share_with_debt": "has_debt", "overdue_share": "is_overdue"}
_ROW = "_row"
_IN = "_in_"
"""Before the name of an amount or flag of a row, where a statistic could have the same."""

Cross = tuple[str, tuple[str, ...]]
"""(region level, dimensions)"""


def household_rows(households: DataFrame, *, class_limits: Sequence[float]) -> DataFrame:
    """Households as the statistics count them: those with a weight, with categories as text.

    Args:
        households: gold.household of the month.
        class_limits: upper limits of the first four income classes of the city (the month's quintiles).

    Returns:
        One row per household: categories, regions, amounts, `_weight`, `_row`.
    """
    income = F.col("total_income_krw_year")
    above = (F.when(income > F.lit(limit), 1).otherwise(0) for limit in class_limits)
    size = F.when(F.col("household_size") >= _LARGE_SIZE, F.lit(f"{_LARGE_SIZE}_plus"))
    return households.where(fixed_weight(F.col("weight")) > 0).withColumns(
        {
            "head_age_band": F.col("head_age_band").cast("string"),
            "household_size": size.otherwise(F.col("household_size").cast("string")),
            "dwelling_type": F.coalesce("dwelling_type", F.lit("unknown")),
            "tenure": F.coalesce("tenure", F.lit("unknown")),
            "income_class": sum(above, start=F.lit(1)).cast("string"),
            "has_debt": F.col("debt_krw") > 0,
            "_weight": F.col("weight").cast("double"),
            _ROW: F.col("household_id"),
        }
    )


def person_rows(persons: DataFrame) -> DataFrame:
    """Bureau persons by place, as the statistics count them; the region is the dong of the place.

    Args:
        persons: silver.placed_person of the month.

    Returns:
        One row per person and place with a known dong: categories, regions, amounts, `_weight` 1, `_row`.
    """
    home = F.when(F.col("residence") == "seoul", F.coalesce("dong_code", "home_dong"))
    places = F.array(
        F.struct(F.lit("residence").alias(r.PLACE), home.alias("dong_of_place")),
        F.struct(F.lit("workplace").alias(r.PLACE), F.col("workplace_dong_code").alias("dong_of_place")),
    )
    debt = reduce(Column.__add__, (F.col(name) for name in silver.BALANCE_COLUMNS))
    spending = reduce(Column.__add__, (F.col(name) for name in silver.SPENDING_COLUMNS))
    labour, business = silver.INCOME_COLUMNS
    return (
        persons.select(
            F.inline(places),
            "sex",
            F.col("age_band").cast("string").alias("age_band"),
            *silver.INCOME_COLUMNS,
            *silver.BALANCE_COLUMNS,
            (F.col(labour) + F.col(business)).alias("labour_business_income_krw_year"),
            debt.alias("debt_krw"),
            spending.alias("spending_krw_month"),
            (debt > 0).alias("has_debt"),
            (F.col("overdue_balance_krw") > 0).alias("is_overdue"),
            F.lit(1.0).alias("_weight"),
            F.col("person_id").alias(_ROW),
        )
        .where(F.col("dong_of_place").isNotNull())
        .withColumns({"dong_code": F.col("dong_of_place"), "gu_code": F.substring("dong_of_place", 1, 5)})
        .drop("dong_of_place")
    )


def wide_breakdown(breakdown: DataFrame, *, statistics: DataFrame) -> DataFrame:
    """Breakdown with a column for each dimension, and the margin, which it takes from the household statistics.

    Args:
        breakdown: the month's rows of gold.household_breakdown.
        statistics: the month's rows of gold.household_statistics.
    """
    names = r.DIMENSIONS["household_breakdown"]
    heads = r.DIMENSIONS["household_statistics"]
    category = {name: F.when(F.col("dimension") == name, F.col("category")).otherwise(F.lit(codes.ALL)) for name in names}
    parts = breakdown.withColumns(category).drop("dimension", "category")
    margin = statistics.where(is_margin(heads)).withColumns(dict.fromkeys(names, F.lit(codes.ALL)))
    return parts.unionByName(margin.select(*parts.columns))


def cell_facts(rows: DataFrame, *, statistics: DataFrame, source: str, crosses: Sequence[Cross]) -> DataFrame:
    """Published statistics with what protection needs to know about each cell's contributors.

    Two passes over the rows, each row once per level and cross: the first finds the largest contribution of each
    amount and whose it is, the second the largest of the others and how many are on each side of the quantiles.
    Contributions are weighted and without sign.

    Args:
        rows: of `household_rows` or `person_rows`; read twice.
        statistics: the month's rows of the gold table.
        source: its name.
        crosses: the level and dimensions of each published cross.

    Returns:
        One row per region × combination of categories of the crosses: the columns of the gold table and
        `largest_`, `second_`, `absolute_` for each mean, `below_`, `above_` for each quantile,
        `with_` for each share.
    """
    dimensions = r.dimension_columns(source)
    keys = ["region_level", "region_code", *dimensions]
    figures = r.STATISTICS[source].values()
    means = {s.name: s.name.removeprefix("mean_") for s in figures if s.measured is r.Measured.MEAN}
    quantiles = {s.name: s.name.partition("_")[2] for s in figures if s.measured is r.Measured.QUANTILE}
    shares = {
        s.name: {"share_with_debt": "has_debt"}.get(s.name, "is_overdue") for s in figures if s.measured is r.Measured.SHARE
    }
    wanted = _wanted(statistics, crosses=crosses, dimensions=dimensions)
    needed = dict.fromkeys([*means.values(), *quantiles.values(), *shares.values()])
    spread = rows.select(
        F.inline(_cells_of_row(crosses, dimensions)), "_weight", _ROW, *(F.col(name).alias(f"{_IN}{name}") for name in needed)
    ).where(F.col("region_code").isNotNull())
    part = {name: F.abs(F.col("_weight") * F.col(f"{_IN}{amount}")) for name, amount in means.items()}
    first = spread.groupBy(*keys).agg(
        *(
            F.max(F.struct(contribution.alias("amount"), F.col(_ROW).alias("row"))).alias(f"_top_{name}")
            for name, contribution in part.items()
        ),
        *(F.sum(contribution).alias(f"absolute_{name}") for name, contribution in part.items()),
        *(F.count_if(F.col(f"{_IN}{flag}")).alias(f"with_{name}") for name, flag in shares.items()),
    )
    known = join_to_one(wanted, first, on=keys, how="left")
    tops = known.select(*keys, *(F.col(f"_top_{name}")["row"].alias(f"_top_{name}") for name in means), *quantiles)
    second = (
        join_to_one(spread, tops, on=keys, how="inner")
        .groupBy(*keys)
        .agg(
            *(
                F.coalesce(F.max(F.when(F.col(_ROW) != F.col(f"_top_{name}"), contribution)), F.lit(0.0)).alias(f"second_{name}")
                for name, contribution in part.items()
            ),
            *(F.count_if(F.col(f"{_IN}{value}") <= F.col(name)).alias(f"below_{name}") for name, value in quantiles.items()),
            *(F.count_if(F.col(f"{_IN}{value}") >= F.col(name)).alias(f"above_{name}") for name, value in quantiles.items()),
        )
    )
    complete = join_to_one(known, second, on=keys, how="left")
    largest = {f"largest_{name}": F.col(f"_top_{name}")["amount"] for name in means}
    return complete.withColumns(largest).drop(*(f"_top_{name}" for name in means))


def _cells_of_row(crosses: Sequence[Cross], dimensions: Sequence[str]) -> Column:
    """The cells that a row is in: one per level and cross."""

    def cell(level: str, names: tuple[str, ...]) -> Column:
        region = F.lit(codes.CITY_CODE) if level == "city" else F.col(_REGION_OF[level])
        categories: Mapping[str, Column] = {
            name: F.col(name) if name in names or name == r.PLACE else F.lit(codes.ALL) for name in dimensions
        }
        return F.struct(
            F.lit(level).alias("region_level"),
            region.alias("region_code"),
            *(column.alias(f"{name}") for name, column in categories.items()),
        )

    return F.array(*(cell(level, names) for level, names in crosses))


def _wanted(statistics: DataFrame, *, crosses: Sequence[Cross], dimensions: Sequence[str]) -> DataFrame:
    """Rows of the gold table that belong to a published cross."""
    free = [name for name in dimensions if name != r.PLACE]

    def belongs(level: str, names: tuple[str, ...]) -> Column:
        conditions = [F.col("region_level") == level]
        conditions += [F.col(name) != codes.ALL if name in names else F.col(name) == codes.ALL for name in free]
        return reduce(Column.__and__, conditions)

    return statistics.where(reduce(Column.__or__, (belongs(level, names) for level, names in crosses)))
