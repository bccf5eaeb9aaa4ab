"""Who stands behind each published cell: contributors on either side, largest contributions. Never leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from living_finance.contracts import codes, silver
from living_finance.contracts import releases as r
from living_finance.methods import grouped
from living_finance.methods.joins import join_to_one
from living_finance.methods.margins import is_margin
from living_finance.methods.quantiles import fixed_weight

_LARGE_SIZE = 7
_REGION_OF = {"output_area": "output_area_id", "dong": "dong_code", "gu": "gu_code"}
_FLAG_OF = {"share_with_debt": "has_debt", "overdue_share": "is_overdue"}
_OF_MEAN = ("largest", "second", "absolute")
_DISTRICT = "_district"
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
        One row per household: categories, regions, amounts, `_weight`.
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
        }
    )


def person_rows(persons: DataFrame) -> DataFrame:
    """Bureau persons by place, as the statistics count them; the region is the dong of the place.

    Args:
        persons: silver.placed_person of the month.

    Returns:
        One row per person and place with a known dong: categories, regions, amounts, `_weight` 1.
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

    A district at a time: below the city every cell lies in one, and the city's facts are made from those of its districts.
    Contributions are weighted and without sign, in units that add exactly.

    Bound: the rows of one district (about 300,000 households, 800,000 persons by one place) and its cells in one Python worker.

    Args:
        rows: of `household_rows` or `person_rows`.
        statistics: the month's rows of the gold table.
        source: its name.
        crosses: the level and dimensions of each published cross.

    Returns:
        One row per region × combination of categories of the crosses: the columns of the gold table and
        `largest_`, `second_`, `absolute_` for each mean, `below_`, `above_` for each quantile,
        `with_` for each share.
    """
    plan = _Plan.of(source, crosses)
    wanted = _wanted(statistics, crosses=crosses, dimensions=plan.dimensions)
    places = [r.PLACE] if r.PLACE in plan.dimensions else []
    within = [_DISTRICT, *places]
    slim = rows.select(
        F.coalesce("gu_code", F.lit("")).alias(_DISTRICT),
        *(F.col(name) for name in dict.fromkeys([*plan.regions, *plan.dimensions])),
        *(F.col(name).cast("double").alias(f"{_IN}{name}") for name in plan.amounts),
        *(F.coalesce(F.col(name), F.lit(False)).alias(f"{_IN}{name}") for name in plan.shares.values()),
        "_weight",
    )
    cells = wanted.select(*plan.keys, *(F.col(name).cast("double").alias(name) for name in plan.quantiles))
    is_city = F.col("region_level") == "city"
    of_city = cells.where(is_city).crossJoin(
        F.broadcast(slim.select(_DISTRICT, *(F.col(p).alias("_at") for p in places)).distinct())
    )
    if places:
        of_city = of_city.where(F.col(r.PLACE) == F.col("_at")).drop("_at")
    below = cells.where(~is_city).withColumn(_DISTRICT, F.substring("region_code", 1, r.PARENT_CODE_LENGTH["dong"]))
    asked = below.unionByName(of_city)

    def find(people: pa.Table, cells: pa.Table) -> pa.Table:
        return _facts_of_district(people, cells, plan)

    found = slim.groupBy(*within).cogroup(asked.groupBy(*within)).applyInArrow(find, plan.schema())
    complete = join_to_one(wanted, _of_whole_city(found, plan), on=plan.keys, how="left")
    amounts = (f"{fact}_{name}" for name in plan.means for fact in _OF_MEAN)
    return complete.withColumns({name: F.col(name) / F.lit(grouped.AMOUNT_SCALE) for name in amounts})


@dataclass(frozen=True)
class _Plan:
    """Which facts of which cells."""

    crosses: tuple[Cross, ...]
    dimensions: tuple[str, ...]
    means: Mapping[str, str]
    """Statistic → amount; so `quantiles`, and of `shares` the flag."""
    quantiles: Mapping[str, str]
    shares: Mapping[str, str]

    @classmethod
    def of(cls, source: str, crosses: Sequence[Cross]) -> _Plan:
        named: dict[r.Measured, dict[str, str]] = {measured: {} for measured in r.Measured}
        for name, statistic in r.STATISTICS[source].items():
            named[statistic.measured][name] = _FLAG_OF.get(name, name.partition("_")[2])
        return cls(
            tuple(crosses),
            r.dimension_columns(source),
            named[r.Measured.MEAN],
            named[r.Measured.QUANTILE],
            named[r.Measured.SHARE],
        )

    @property
    def keys(self) -> list[str]:
        return ["region_level", "region_code", *self.dimensions]

    @property
    def regions(self) -> list[str]:
        """Columns of the regions that rows are counted in, below the city."""
        return [_REGION_OF[level] for level, _ in self.crosses if level in _REGION_OF]

    @property
    def amounts(self) -> list[str]:
        return list(dict.fromkeys([*self.means.values(), *self.quantiles.values()]))

    @property
    def facts(self) -> list[str]:
        """Names of the facts, in the order in which they are made."""
        return [
            *(f"{fact}_{name}" for fact in _OF_MEAN for name in self.means),
            *(f"{side}_{name}" for name in self.quantiles for side in ("below", "above")),
            *(f"with_{name}" for name in self.shares),
        ]

    def schema(self) -> T.StructType:
        texts = (T.StructField(name, T.StringType()) for name in self.keys)
        return T.StructType([*texts, *(T.StructField(name, T.LongType()) for name in self.facts)])


def _of_whole_city(found: DataFrame, plan: _Plan) -> DataFrame:
    """Facts of districts and below as they are, those of the city from what each district has of it."""
    is_city = F.col("region_level") == "city"
    largest_two = {
        name: F.sort_array(F.flatten(F.collect_list(F.array(f"largest_{name}", f"second_{name}"))), False) for name in plan.means
    }
    city = (
        found.where(is_city)
        .groupBy(*plan.keys)
        .agg(
            *(two.alias(f"_two_{name}") for name, two in largest_two.items()),
            *(F.sum(name).alias(name) for name in plan.facts if not name.startswith(("largest_", "second_"))),
        )
        .withColumns(
            {
                f"{fact}_{name}": F.element_at(f"_two_{name}", rank)
                for name in plan.means
                for rank, fact in ((1, "largest"), (2, "second"))
            }
        )
    )
    return found.where(~is_city).unionByName(city.select(*found.columns))


def _facts_of_district(people: pa.Table, cells: pa.Table, plan: _Plan) -> pa.Table:
    """Facts of the cells of a district: one row per cell."""
    weight = _numbers(people, "_weight")
    contributions = np.column_stack(
        [
            np.zeros((people.num_rows, 0), dtype=np.int64),
            *(
                grouped.fixed_amounts(weight, np.nan_to_num(np.abs(_numbers(people, f"{_IN}{name}"))))
                for name in plan.means.values()
            ),
        ]
    )
    flags = [people[f"{_IN}{name}"].to_numpy() for name in plan.shares.values()]
    encoded = {name: grouped.encode(_stacked(people[name], cells[name])) for name in plan.dimensions}
    level = np.asarray(cells["region_level"].to_pylist(), dtype=object)
    is_margin = {name: pc.equal(cells[name], codes.ALL).to_numpy() for name in plan.dimensions if name != r.PLACE}
    found = np.zeros((cells.num_rows, len(plan.facts)), dtype=np.int64)
    means = len(plan.means)
    for region_level, names in plan.crosses:
        is_of = level == region_level
        for name, of_margin in is_margin.items():
            is_of &= ~of_margin if name in names else of_margin
        at = np.flatnonzero(is_of)
        columns = [encoded[name] for name in plan.dimensions if name in names or name == r.PLACE]
        if region_level != "city":
            columns.append(grouped.encode(_stacked(people[_REGION_OF[region_level]], cells["region_code"])))
        code = grouped.cell_codes(columns, rows=people.num_rows + cells.num_rows)
        cell = _positions(code[: people.num_rows], code[people.num_rows :][at])
        cell_rows = grouped.group(cell)
        if not cell_rows.start.size:
            continue
        cell_at = at[cell[cell_rows.first]]
        ordered = contributions[cell_rows.order]
        largest, second = _two_largest(ordered, cell_rows)
        facts = [largest, second, np.add.reduceat(ordered, cell_rows.start, axis=0)]
        for number, values in enumerate(facts):
            found[cell_at, number * means : (number + 1) * means] = values
        counts = []
        member = cell_rows.order
        for name, value in plan.quantiles.items():
            amount, quantile = _numbers(people, f"{_IN}{value}")[member], _numbers(cells, name)[at][cell[member]]
            counts += [amount <= quantile, amount >= quantile]
        counts += [flag[member] for flag in flags]
        for number, is_counted in enumerate(counts):
            found[cell_at, len(facts) * means + number] = np.add.reduceat(is_counted.astype(np.int64), cell_rows.start)
    return pa.table({**{name: cells[name] for name in plan.keys}, **dict(zip(plan.facts, found.T, strict=True))})


def _two_largest(ordered: grouped.Integers, cells: grouped.Grouping) -> tuple[grouped.Integers, grouped.Integers]:
    """The largest and the second largest of each column by cell, 0 where there is no second; rows stand cell by cell."""
    largest = np.maximum.reduceat(ordered, cells.start, axis=0)
    is_largest = ordered == np.repeat(largest, cells.rows, axis=0)
    others = ordered.copy()
    of_cell = np.repeat(np.arange(cells.start.size), cells.rows)
    for column in range(ordered.shape[1]):  # one of several equal ones counts as the second
        rows = np.flatnonzero(is_largest[:, column])
        is_first = np.diff(of_cell[rows], prepend=-1) > 0
        others[rows[is_first], column] = 0
    return largest, np.maximum.reduceat(others, cells.start, axis=0)


def _positions(code: grouped.Integers, cells: grouped.Integers) -> grouped.Integers:
    """Which of the cells each row is in; -1: none."""
    if not cells.size:
        return np.full(code.size, -1, dtype=np.int64)
    order = np.argsort(cells, kind="stable")
    at = order[np.minimum(np.searchsorted(cells, code, sorter=order), cells.size - 1)]
    return np.where((cells[at] == code) & (code >= 0), at, -1)


def _stacked(first: pa.ChunkedArray, second: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([*first.chunks, *second.chunks], type=pa.string())


def _numbers(table: pa.Table, name: str) -> grouped.Floats:
    return np.asarray(table[name].to_numpy(), dtype=np.float64)


def _wanted(statistics: DataFrame, *, crosses: Sequence[Cross], dimensions: Sequence[str]) -> DataFrame:
    """Rows of the gold table that belong to a published cross."""
    free = [name for name in dimensions if name != r.PLACE]

    def belongs(level: str, names: tuple[str, ...]) -> Column:
        conditions = [F.col("region_level") == level]
        conditions += [F.col(name) != codes.ALL if name in names else F.col(name) == codes.ALL for name in free]
        return reduce(Column.__and__, conditions)

    return statistics.where(reduce(Column.__or__, (belongs(level, names) for level, names in crosses)))
