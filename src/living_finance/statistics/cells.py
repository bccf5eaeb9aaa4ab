"""Cells of regions × categories: exact sums, quantiles and dispersion, a district at a time.

Below the city every cell lies in one district, so a district goes to one Python worker, which sorts it once and
summarises all its cells. The city adds the districts' sums; its quantiles and Gini need all rows and come from
`methods.quantiles` and `methods.inequality`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from living_finance.contracts import codes
from living_finance.methods import grouped
from living_finance.methods.inequality import grouped_gini
from living_finance.methods.quantiles import columns_of_sets

WEIGHT, ROWS, SET = "_weight", "_rows", "_set"
GINI, MEAN = "_gini", "_mean"
WEIGHT_SQUARES, CROSS, SQUARES = "_weight_squares", "_cross", "_squares"
_DISPERSION = (GINI, MEAN, WEIGHT_SQUARES, CROSS, SQUARES)


@dataclass(frozen=True, kw_only=True)
class Quantile:
    """A quantile to be found: result column, value column, probability."""

    name: str
    value: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class CellPlan:
    """What is summarised, and over which cells."""

    within: tuple[str, ...]
    """Columns that bound what one worker holds: the district, and what else no cell crosses."""
    levels: Mapping[str, str]
    """Region level → column of its code; rows without a code have no part in that level."""
    sets: tuple[tuple[str, ...], ...]
    """Grouping sets of text columns."""
    weight: str
    value: str
    """Income column of Gini coefficient and standard error."""
    amounts: tuple[str, ...]
    """Columns whose weighted sums are made."""
    flags: tuple[str, ...]
    """Boolean columns whose true rows' weight is summed."""
    quantiles: tuple[Quantile, ...]
    dispersed_sets: tuple[tuple[str, ...], ...] = ()
    """Sets that also get Gini coefficient and dispersion."""

    @property
    def categories(self) -> tuple[str, ...]:
        return columns_of_sets(self.sets)

    def schema(self) -> T.StructType:
        """Of what `summarise` returns."""
        texts = ("region_level", "region_code", *self.categories)
        integers = (WEIGHT, ROWS, *map(total_name, (*self.amounts, *self.flags)))
        doubles = (*(quantile.name for quantile in self.quantiles), *_DISPERSION)
        return T.StructType(
            [
                *(T.StructField(name, T.StringType()) for name in texts),
                T.StructField(SET, T.IntegerType()),
                *(T.StructField(name, T.LongType()) for name in integers),
                *(T.StructField(name, T.DoubleType()) for name in doubles),
            ]
        )


def total_name(name: str) -> str:
    """Column of the summed units of an amount or a flag."""
    return f"_total_{name}"


def households_of(cells_weight: str = WEIGHT) -> Column:
    """Weight in its own unit."""
    return F.col(cells_weight) / F.lit(grouped.WEIGHT_SCALE)


def mean_of(name: str) -> Column:
    """Weighted mean of an amount, not rounded."""
    return F.try_divide(F.col(total_name(name)) / F.lit(grouped.AMOUNT_SCALE), households_of())


def share_of(flag: str) -> Column:
    """Share of the weight for which a flag is true."""
    return F.try_divide(F.col(total_name(flag)).cast("double"), F.col(WEIGHT).cast("double"))


def whole(amount: Column) -> Column:
    """Whole won; a half goes to the even neighbour."""
    return F.rint(amount).cast("bigint")


def summarise(frame: DataFrame, *, plan: CellPlan) -> DataFrame:
    """Cells of all levels below the city, in units that add exactly.

    Bound: the rows of one district (about 300,000 households, 800,000 persons) in one Python worker, some
    hundred bytes each.

    Args:
        frame: rows with the plan's columns; weights positive, amounts and flags never missing.
        plan: what to summarise.

    Returns:
        One row per region level × region × set × combination of categories that occurs; `all` where a set leaves
        a category out; columns of `CellPlan.schema`.
    """
    values = {plan.value, *(quantile.value for quantile in plan.quantiles)}
    numbers = {plan.weight, *values, *plan.amounts}
    texts = {*plan.levels.values(), *plan.categories, *plan.within}
    slim = frame.select(
        *(F.col(name) for name in sorted(texts)),
        *(F.col(name).cast("double").alias(name) for name in sorted(numbers)),
        *(F.col(name) for name in plan.flags),
    )

    def summarise_group(table: pa.Table) -> pa.Table:
        return _summarise_group(table, plan)

    return slim.groupBy(*plan.within).applyInArrow(summarise_group, plan.schema())


def city_of(districts: DataFrame, *, plan: CellPlan) -> DataFrame:
    """The city's cells from those of its districts; without quantiles and Gini coefficient, which do not add.

    Args:
        districts: result of `summarise` with one level, the district.
        plan: the same plan.

    Returns:
        One row per set × combination of categories: the plan's schema without quantiles and Gini coefficient.
    """
    totals = (WEIGHT, ROWS, *map(total_name, (*plan.amounts, *plan.flags)))
    parts = F.array_sort(F.collect_list(F.struct("region_code", MEAN, WEIGHT_SQUARES, CROSS, SQUARES)))
    return (
        districts.groupBy(*plan.categories, SET)
        .agg(*(F.sum(name).alias(name) for name in totals), parts.alias("_parts"))
        .withColumns({MEAN: mean_of(plan.value)})
        .withColumns({SQUARES: _squares_about(F.col(MEAN), F.col("_parts"))})
        .select(
            F.lit("city").alias("region_level"),
            F.lit(codes.CITY_CODE).alias("region_code"),
            *plan.categories,
            SET,
            *totals,
            MEAN,
            SQUARES,
        )
    )


def _squares_about(mean: Column, parts: Column) -> Column:
    """Σ w² (x - mean)² from parts about their own means, added in order of district; missing where a part's is."""

    def add(sofar: Column, part: Column) -> Column:
        shift = part[MEAN] - mean
        moved = part[SQUARES] + F.lit(2.0) * shift * part[CROSS] + shift * shift * part[WEIGHT_SQUARES]
        return sofar + moved

    return F.aggregate(parts, F.lit(0.0), add)


def _summarise_group(table: pa.Table, plan: CellPlan) -> pa.Table:
    weight = _numbers(table, plan.weight)
    order = grouped.sorted_by_value(_numbers(table, plan.value), weight)
    fixed = grouped.fixed_weights(weight)
    totals = np.column_stack(
        [
            fixed,
            *(grouped.fixed_amounts(weight, _numbers(table, name)) for name in plan.amounts),
            *(np.where(table[name].to_numpy(), fixed, 0) for name in plan.flags),
        ]
    )[order]
    encoded = {name: grouped.encode(table[name]) for name in {*plan.levels.values(), *plan.categories}}
    others = sorted({quantile.value for quantile in plan.quantiles} - {plan.value})
    orders = {plan.value: order, **{name: grouped.sorted_by_value(_numbers(table, name), weight) for name in others}}
    values = {name: _numbers(table, name)[rows] for name, rows in orders.items()}
    weights = {name: fixed[rows] for name, rows in orders.items()}

    def cells() -> Iterator[pa.Table]:
        for level, column in plan.levels.items():
            for number, names in enumerate(plan.sets):
                cell = grouped.cell_codes([encoded[name] for name in (column, *names)], rows=fixed.size)
                groupings = {name: grouped.group(cell[rows]) for name, rows in orders.items()}
                grouping = groupings[plan.value]
                size = grouping.start.size
                first = order[grouping.first]
                found = {
                    quantile.name: grouped.quantiles(
                        groupings[quantile.value],
                        value=values[quantile.value],
                        weight=weights[quantile.value],
                        probabilities=[quantile.probability],
                    )[:, 0]
                    for quantile in plan.quantiles
                }
                sums = grouped.sums(grouping, totals)
                dispersion = (
                    _dispersion(grouping, values[plan.value], weight[order], weights[plan.value])
                    if names in plan.dispersed_sets
                    else {name: pa.nulls(size, pa.float64()) for name in _DISPERSION}
                )
                yield pa.table(
                    {
                        "region_level": pa.repeat(level, size),
                        "region_code": encoded[column].take(first),
                        **{
                            name: encoded[name].take(first) if name in names else pa.repeat(codes.ALL, size)
                            for name in plan.categories
                        },
                        SET: pa.array(np.full(size, number, dtype=np.int32)),
                        WEIGHT: sums[:, 0],
                        ROWS: grouping.rows,
                        **{total_name(name): sums[:, at] for at, name in enumerate((*plan.amounts, *plan.flags), start=1)},
                        **found,
                        **dispersion,
                    }
                )

    return pa.concat_tables(cells())


def _dispersion(
    grouping: grouped.Grouping, value: grouped.Floats, weight: grouped.Floats, fixed: grouped.Integers
) -> Mapping[str, pa.Array]:
    parts = grouped.dispersion(grouping, value=value, weight=weight)
    gini = grouped_gini(grouping, value=value, weight=fixed)
    columns: Sequence[grouped.Floats] = (gini, parts.mean, parts.weight_squares, parts.cross, parts.squares)
    return {name: pa.array(column, from_pandas=True) for name, column in zip(_DISPERSION, columns, strict=True)}


def _numbers(table: pa.Table, name: str) -> grouped.Floats:
    numbers: grouped.Floats = table[name].to_numpy()
    return numbers
