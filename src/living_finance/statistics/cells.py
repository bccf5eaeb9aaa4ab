"""Cells of regions × categories: exact sums, quantiles and dispersion, a district at a time.

Below the city every cell lies in one district, so a district goes to one Python worker, which sorts it once and
summarises all its cells. The city adds the districts' sums; its quantiles and Gini need all rows and come from
`methods.quantiles` and `methods.inequality`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
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

    @property
    def value_columns(self) -> tuple[str, ...]:
        """Columns by which rows are ranked, `value` first."""
        return tuple(dict.fromkeys((self.value, *(quantile.value for quantile in self.quantiles))))

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


def summarise(frame: DataFrame, *, plan: CellPlan, levels: Collection[str]) -> DataFrame:
    """Cells of levels below the city, in units that add exactly.

    Bound: the rows of one district (about 300,000 households, 800,000 persons) in one Python worker, some
    hundred bytes each.

    Args:
        frame: rows with the plan's columns; weights positive, amounts and flags never missing.
        plan: what to summarise.
        levels: which of the plan's levels; two calls with one plan share the shuffle.

    Returns:
        One row per region level × region × set × combination of categories that occurs; `all` where a set leaves
        a category out; columns of `CellPlan.schema`.
    """
    numbers = {plan.weight, *plan.value_columns, *plan.amounts}
    texts = {*plan.levels.values(), *plan.categories, *plan.within}
    slim = frame.select(
        *(F.col(name) for name in sorted(texts)),
        *(F.col(name).cast("double").alias(name) for name in sorted(numbers)),
        *(F.col(name) for name in plan.flags),
    )

    def summarise_group(table: pa.Table) -> pa.Table:
        return _summarise_group(table, plan, levels)

    return slim.groupBy(*plan.within).applyInArrow(summarise_group, plan.schema())


def city_of(districts: DataFrame, *, plan: CellPlan) -> DataFrame:
    """The city's cells from those of its districts; without quantiles and Gini coefficient, which do not add.

    Args:
        districts: result of `summarise` for one level, the district.
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


@dataclass(frozen=True)
class _Ranked:
    """Rows of a group sorted by one value column."""

    order: grouped.Integers
    value: grouped.Floats
    weight: grouped.Floats
    fixed: grouped.Integers


def _summarise_group(table: pa.Table, plan: CellPlan, levels: Collection[str]) -> pa.Table:
    weight = _numbers(table, plan.weight)
    fixed = grouped.fixed_weights(weight)
    ranked = {name: _rank(_numbers(table, name), weight, fixed) for name in plan.value_columns}
    totals = np.column_stack(
        [
            fixed,
            np.ones_like(fixed),
            *(grouped.fixed_amounts(weight, _numbers(table, name)) for name in plan.amounts),
            *(np.where(table[name].to_numpy(), fixed, 0) for name in plan.flags),
        ]
    )
    regions = {level: grouped.encode(table[plan.levels[level]]) for level in levels}
    categories = {name: grouped.encode(table[name], is_missing_a_label=True) for name in plan.categories}
    return pa.concat_tables(
        [
            part
            for level, region in regions.items()
            for part in _summarise_level(plan, level, region, categories=categories, ranked=ranked, totals=totals)
        ]
    )


def _summarise_level(
    plan: CellPlan,
    level: str,
    region: grouped.Encoded,
    *,
    categories: Mapping[str, grouped.Encoded],
    ranked: Mapping[str, _Ranked],
    totals: grouped.Integers,
) -> Iterator[pa.Table]:
    """One table per grouping set. Sums of the set with all categories are made from rows, the others' from its cells."""
    finest = [region, *categories.values()]
    cell = grouped.cell_codes(finest, rows=len(totals))
    cells = grouped.group(cell)
    cell_totals = grouped.sums(cells, totals)
    for number, names in enumerate(plan.sets):
        coarse = grouped.cell_codes([region, *(categories[name] for name in names)], rows=len(totals))
        merged = grouped.group(coarse[cells.first])
        first = cells.first[merged.first]
        sums = grouped.sums(merged, cell_totals)
        groupings = {name: grouped.group(coarse[rows.order]) for name, rows in ranked.items()}
        size = first.size
        yield pa.table(
            {
                "region_level": pa.repeat(level, size),
                "region_code": region.take(first),
                **{
                    name: column.take(first) if name in names else pa.repeat(codes.ALL, size)
                    for name, column in categories.items()
                },
                SET: pa.array(np.full(size, number, dtype=np.int32)),
                **dict(zip((WEIGHT, ROWS, *map(total_name, (*plan.amounts, *plan.flags))), sums.T, strict=True)),
                **_quantiles(plan, groupings, ranked),
                **(
                    _dispersion(groupings[plan.value], ranked[plan.value])
                    if names in plan.dispersed_sets
                    else {name: pa.nulls(size, pa.float64()) for name in _DISPERSION}
                ),
            }
        )


def _rank(value: grouped.Floats, weight: grouped.Floats, fixed: grouped.Integers) -> _Ranked:
    order = grouped.sorted_by_value(value, weight)
    return _Ranked(order=order, value=value[order], weight=weight[order], fixed=fixed[order])


def _quantiles(
    plan: CellPlan, groupings: Mapping[str, grouped.Grouping], ranked: Mapping[str, _Ranked]
) -> Mapping[str, grouped.Floats]:
    found: dict[str, grouped.Floats] = {}
    for column in plan.value_columns:
        wanted = {quantile.name: quantile.probability for quantile in plan.quantiles if quantile.value == column}
        rows = ranked[column]
        values = grouped.quantiles(groupings[column], value=rows.value, weight=rows.fixed, probabilities=list(wanted.values()))
        found.update(zip(wanted, values.T, strict=True))
    return found


def _dispersion(grouping: grouped.Grouping, rows: _Ranked) -> Mapping[str, pa.Array]:
    parts = grouped.dispersion(grouping, value=rows.value, weight=rows.weight)
    gini = grouped_gini(grouping, value=rows.value, weight=rows.fixed)
    columns: Sequence[grouped.Floats] = (gini, parts.mean, parts.weight_squares, parts.cross, parts.squares)
    return {name: pa.array(column, from_pandas=True) for name, column in zip(_DISPERSION, columns, strict=True)}


def _numbers(table: pa.Table, name: str) -> grouped.Floats:
    numbers: grouped.Floats = table[name].to_numpy()
    return numbers
