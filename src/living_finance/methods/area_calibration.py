"""Calibration of units to the margins of their areas, on any DataFrame.

The mathematics is in `calibration`; here rows become arrays and back, areas spread over tasks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from living_finance.errors import ConfigurationError
from living_finance.methods import grouped
from living_finance.methods.calibration import LEAST_PRIORITY, Distance, Problem, Solution, calibrate_areas, ranges
from living_finance.methods.joins import join_to_one

DEFAULT_DISTANCE = Distance("truncated_linear", lowest=0.25, highest=4.0)

_TARGET = T.StructType(
    [
        T.StructField("margin", T.StringType()),
        T.StructField("category", T.StringType()),
        T.StructField("lower", T.DoubleType()),
        T.StructField("upper", T.DoubleType()),
        T.StructField("priority", T.IntegerType()),
        T.StructField("achieved", T.DoubleType()),
        T.StructField("gap", T.DoubleType()),
        T.StructField("is_relaxed", T.BooleanType()),
    ]
)


@dataclass(frozen=True)
class Calibrated:
    """The result of `calibrate`; all three frames rest on `solved`, which is worth persisting if more than one is used."""

    solved: DataFrame
    """One row per area: its units' weights and its targets as arrays."""
    units: DataFrame
    """The given units with `weight`, in place of a column of that name."""
    margins: DataFrame
    """One row per given target: area, margin, category, lower, upper, priority, achieved, gap, is_relaxed."""
    areas: DataFrame
    """One row per area with units or targets: area, units, targets, relaxed, largest_gap, rounds, is_converged, avoidable."""


def calibrate(
    units: DataFrame,
    margins: DataFrame,
    *,
    area: str,
    unit: str,
    base_weight: str,
    contributions: Sequence[Contribution],
    distance: Distance = DEFAULT_DISTANCE,
    uncounted: Sequence[str] = (),
    group: Column | None = None,
    interval_price: float = 1.0,
    tolerance: float = 1e-7,
    max_rounds: int = 120,
) -> Calibrated:
    """Weights near the base weights that meet every area's margins, within bounds.

    A target that the bounds or other targets forbid gives way by as little as possible (least squares, a step of
    priority worth a factor of ten, priority 0 a million); it is marked and the distance reported. Bounds: the
    areas of one group in the memory of one Python worker (a district of Seoul: 170,000 households, some 200 MB).

    - Area with targets but no units: targets reported with `achieved` 0 and relaxed.
    - Unit whose area is missing or has no targets: keeps its base weight.
    - Base weight missing, not finite or not positive: out of scope, weight 0.
    - Category that no unit contributes to: reported, moves nothing. Category without target: free.
    - Target 0: weights go down to the lower bound; what is left is a gap (none with a lower bound of 0).
    - A limit that is missing leaves that side open; limits the wrong way round are exchanged.

    Args:
        units: one row per unit, for instance household.
        margins: one row per target: the area's column, margin, category (text), lower, upper (in the unit of the
            totals; equal for a known count, 1 and 4 for a masked one), priority (0 first, …, 6).
        area: column of the area, in both frames.
        unit: key column of the units.
        base_weight: column of the units.
        contributions: what a unit adds to which target; see `in_category`, `in_each`, `quantity`, `counts`,
            `packed_counts`.
        distance: kind of distance from the base weight, and bounds of weight / base weight.
        uncounted: margins that are no counts but limits so wide that they always hold: they only keep totals near those of
            the base weights, at `interval_price`, and are left out of the account.
        group: expression over the area's column whose values spread areas over tasks, for instance the
            district's code; by default 64 groups by hash.
        interval_price: what it costs a total to leave its base total inside an interval (see `calibration`).
        tolerance: largest movement at which an area counts as converged, relative to its mean base weight.
        max_rounds: Newton steps an area may take.

    Returns:
        Units with `weight`, an account per target and one per area. The same whatever the order of rows, the
        partitions and the groups.

    Raises:
        ConfigurationError: no contributions are given.
        ContractViolation, through storage, as a failed query: a unit's key occurs twice.

    Source: Deville & Särndal (1992), Calibration estimators in survey sampling, JASA 87(418), 376-382; for the
    relaxation Chiche & Gilbert (2016), Journal of Convex Analysis 23(2), 425-459.
    """
    if not contributions:
        raise ConfigurationError("Calibration without contributions.", remedy="name the margins that units count in")
    of_area = F.xxhash64(F.col(area).cast("string")) % F.lit(64) if group is None else group
    readers = {
        tuple(f"_contribution_{number}_{place}" for place in range(len(contribution.columns))): contribution.reader
        for number, contribution in enumerate(contributions)
    }
    contributed = (column for contribution in contributions for column in contribution.columns)
    slim_units = units.select(
        of_area.alias("_group"),
        F.col(area).cast("string").alias("_area"),
        F.col(unit).alias("_unit"),
        F.col(base_weight).cast("double").alias("_base"),
        *(column.alias(name) for column, name in zip(contributed, itertools.chain(*readers), strict=True)),
    )
    slim_margins = margins.where(F.col(area).isNotNull()).select(
        of_area.alias("_group"),
        F.col(area).cast("string").alias("_area"),
        *(F.col(name).cast("string").alias(name) for name in ("margin", "category")),
        _target(F.col("margin").cast("string"), F.col("category")).alias("_target"),
        *(F.col(name).cast("double").alias(name) for name in ("lower", "upper")),
        F.coalesce(F.col("priority"), F.lit(LEAST_PRIORITY)).cast("int").alias("priority"),
    )
    weighted = T.StructType([T.StructField("_unit", units.schema[unit].dataType), T.StructField("weight", T.DoubleType())])
    schema = T.StructType(
        [
            T.StructField("_area", T.StringType()),
            T.StructField("_weights", T.ArrayType(weighted)),
            T.StructField("_targets", T.ArrayType(_TARGET)),
            T.StructField("rounds", T.IntegerType()),
            T.StructField("is_converged", T.BooleanType()),
            T.StructField("avoidable", T.DoubleType()),
        ]
    )
    solve = partial(
        _solve_group,
        readers=readers,
        distance=distance,
        interval_price=interval_price,
        tolerance=tolerance,
        max_rounds=max_rounds,
    )
    solved = slim_units.groupBy("_group").cogroup(slim_margins.groupBy("_group")).applyInArrow(lambda u, m: solve(u, m), schema)
    weights = solved.select(F.inline("_weights")).withColumnRenamed("_unit", unit)
    counted = solved.withColumn("_targets", F.filter("_targets", lambda target: ~target["margin"].isin(*uncounted)))
    return Calibrated(
        solved=solved,
        units=join_to_one(units.drop("weight"), weights, on=[unit], how="left"),
        margins=counted.select(F.col("_area").alias(area), F.inline("_targets")),
        areas=counted.where(F.col("_area").isNotNull()).select(
            F.col("_area").alias(area),
            F.size("_weights").alias("units"),
            F.size("_targets").alias("targets"),
            F.size(F.filter("_targets", lambda target: target["is_relaxed"])).alias("relaxed"),
            F.coalesce(F.array_max(F.transform("_targets", lambda target: F.abs(target["gap"]))), F.lit(0.0)).alias(
                "largest_gap"
            ),
            "rounds",
            "is_converged",
            "avoidable",
        ),
    )


Entries = tuple[grouped.Integers, grouped.Integers, grouped.Floats]
"""Unit (row), target (hash of margin and category) and value of contributions."""


@dataclass(frozen=True)
class Reader:
    """How columns of units become contributions, in the tasks."""

    margin: str
    categories: tuple[str, ...]
    """Of the numbers that `entries` finds; empty where the columns name their targets themselves."""
    entries: Callable[[Sequence[pa.Array], Sequence[int | None]], Iterator[Entries]]
    """Contributions from the columns and the targets of `categories` (None: the area's group has no such target)."""


@dataclass(frozen=True)
class Contribution:
    """What units add to the targets of one margin: see `in_category`, `in_each`, `quantity`, `counts`, `packed_counts`."""

    columns: tuple[Column, ...]
    reader: Reader


def in_category(margin: str, category: Column) -> Contribution:
    """A unit counts once in its category of this margin; in none if the category is missing."""
    return Contribution((_target(F.lit(margin), category),), Reader(margin, (), _once))


def in_each(margin: str, categories: Column) -> Contribution:
    """A unit counts once for each element of an array of categories, for instance a household once per member."""
    listed = F.transform(categories, lambda category: _listed(margin, category, F.lit(1.0)))
    return Contribution((listed,), Reader(margin, (), _of_lists))


def quantity(margin: str, value: Column, *, category: str = "all") -> Contribution:
    """A unit adds this number to one category of this margin; nothing if it is missing."""
    return counts(margin, {category: value})


def counts(margin: str, by_category: Column | Mapping[str, Column]) -> Contribution:
    """A unit adds several numbers to this margin: a map of category to number, or a column for each category.

    Nothing where the map, or a number, is missing.
    """
    if isinstance(by_category, Mapping):
        values = tuple(value.cast("double") for value in by_category.values())
        return Contribution(values, Reader(margin, tuple(by_category), _of_columns))
    listed = F.transform(F.map_entries(by_category), lambda entry: _listed(margin, entry["key"], entry["value"]))
    return Contribution((listed,), Reader(margin, (), _of_lists))


def packed_counts(margin: str, packed: Sequence[Column], *, categories: Sequence[str], bits: int) -> Contribution:
    """A unit adds whole numbers to many categories of this margin, several of them in one 64-bit column.

    The first `63 // bits` categories are in the first column, from its lowest bits on, and so forth; nothing where a column is
    missing. A tenth of what columns of their own would take in memory and on the way.
    """
    return Contribution(tuple(packed), Reader(margin, tuple(categories), partial(_unpacked, bits=bits)))


def _listed(margin: str, category: Column, value: Column) -> Column:
    return F.struct(_target(F.lit(margin), category).alias("target"), value.cast("double").alias("value"))


def _target(margin: Column, category: Column) -> Column:
    """A number for margin and category: their texts, repeated for every unit, would be most of what is shuffled."""
    text = category.cast("string")
    return F.when(margin.isNotNull() & text.isNotNull(), F.xxhash64(margin, text))


def _once(columns: Sequence[pa.Array], targets: Sequence[int | None]) -> Iterator[Entries]:
    del targets
    known = np.flatnonzero(columns[0].is_valid().to_numpy(zero_copy_only=False))
    yield known, columns[0].take(pa.array(known)).to_numpy().astype(np.int64), np.ones(len(known))


def _of_lists(columns: Sequence[pa.Array], targets: Sequence[int | None]) -> Iterator[Entries]:
    del targets
    length = columns[0].value_lengths().fill_null(0).to_numpy().astype(np.int64)
    flat = columns[0].flatten()
    known = np.flatnonzero(flat.field("target").is_valid().to_numpy(zero_copy_only=False))
    flat = flat.take(pa.array(known))
    unit = np.repeat(np.arange(len(length)), length)[known]
    yield unit, flat.field("target").to_numpy().astype(np.int64), _floats(flat.field("value"))


def _of_columns(columns: Sequence[pa.Array], targets: Sequence[int | None]) -> Iterator[Entries]:
    for column, target in zip(columns, targets, strict=True):
        yield from _of_numbers(_floats(column), target)


def _unpacked(columns: Sequence[pa.Array], targets: Sequence[int | None], *, bits: int) -> Iterator[Entries]:
    per_column = 63 // bits
    for place, target in enumerate(targets):
        packed = columns[place // per_column].fill_null(0).to_numpy()
        yield from _of_numbers((packed >> (bits * (place % per_column)) & (2**bits - 1)).astype(np.float64), target)


def _of_numbers(values: grouped.Floats, target: int | None) -> Iterator[Entries]:
    given = np.flatnonzero(~np.isnan(values) & (values != 0))
    if target is not None:
        yield given, np.full(len(given), target, np.int64), values[given]


def with_zero_targets(
    margins: DataFrame, *, area: str, categories: Mapping[str, Sequence[str]], priority: Mapping[str, int]
) -> DataFrame:
    """Add targets of 0 for categories that a complete margin leaves out, as the census leaves out empty ones.

    Args:
        margins: area, margin, category, lower, upper, priority.
        area: column of the area.
        categories: of each complete margin, all of them.
        priority: of each complete margin.

    Returns:
        The same columns; a category is added to the areas that have any row of its margin.
    """
    complete = F.array(
        *(
            F.struct(F.lit(margin).alias("margin"), F.lit(category).alias("category"), F.lit(priority[margin]).alias("priority"))
            for margin, names in categories.items()
            for category in names
        )
    )
    present = margins.groupBy(area).agg(
        F.collect_set("margin").alias("_margins"), F.collect_set(F.struct("margin", "category")).alias("_present")
    )
    is_missing = F.array_contains("_margins", F.col("margin")) & ~F.array_contains("_present", F.struct("margin", "category"))
    zeros = (
        present.select(area, "_margins", "_present", F.inline(complete))
        .where(is_missing)
        .select(area, "margin", "category", F.lit(0.0).alias("lower"), F.lit(0.0).alias("upper"), "priority")
    )
    return margins.select(*zeros.columns).unionByName(zeros)


def _solve_group(
    units: pa.Table,
    margins: pa.Table,
    *,
    readers: Mapping[tuple[str, ...], Reader],
    distance: Distance,
    interval_price: float,
    tolerance: float,
    max_rounds: int,
) -> pa.Table:
    """One row per area of the group."""
    margins = margins.sort_by([(name, "ascending") for name in ("_area", "margin", "category", "lower", "upper", "priority")])
    areas = grouped.encode(_together(units["_area"], margins["_area"]), is_missing_a_label=True)
    unit_area, target_area = areas.codes[: units.num_rows], areas.codes[units.num_rows :]
    problem = _problem(units, margins, readers, unit_area=unit_area, target_area=target_area, areas=len(areas.labels))
    solution = calibrate_areas(
        problem, distance=distance, interval_price=interval_price, tolerance=tolerance, max_rounds=max_rounds
    )
    return _rows(units, margins, problem=problem, solution=solution, labels=areas.labels)


def _entries(units: pa.Table, margins: pa.Table, readers: Mapping[tuple[str, ...], Reader]) -> Entries:
    """All contributions of a group's units."""
    names = margins.select(["margin", "category", "_target"]).group_by(["margin", "category", "_target"]).aggregate([])
    target_of = {(row["margin"], row["category"]): row["_target"] for row in names.to_pylist()}
    found: list[Entries] = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    for columns, reader in readers.items():
        targets = [target_of.get((reader.margin, category)) for category in reader.categories]
        found += reader.entries([_one_array(units[name]) for name in columns], targets)
    unit, target, value = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return unit, target, value


def _problem(
    units: pa.Table,
    margins: pa.Table,
    readers: Mapping[tuple[str, ...], Reader],
    *,
    unit_area: grouped.Integers,
    target_area: grouped.Integers,
    areas: int,
) -> Problem:
    unit, contributed_name, value = _entries(units, margins, readers)
    target_name = _one_array(margins["_target"])
    is_named = target_name.is_valid().to_numpy(zero_copy_only=False)
    names = np.unique(target_name.drop_null().to_numpy())
    contributed = _position(names, contributed_name) + unit_area[unit] * len(names)
    contributed[~np.isin(contributed_name, names)] = -1
    targeted = _position(names, target_name.fill_null(0).to_numpy()) + target_area * len(names)
    targeted[~is_named] = -1
    order = np.argsort(targeted, kind="stable").astype(np.int64)
    first = np.searchsorted(targeted[order], contributed, side="left")
    matches = np.where(contributed < 0, 0, np.searchsorted(targeted[order], contributed, side="right") - first)
    return Problem(
        areas=areas,
        unit_area=unit_area,
        base_weight=_floats(units["_base"]),
        target_area=target_area,
        lower=_floats(margins["lower"]),
        upper=_floats(margins["upper"]),
        priority=_one_array(margins["priority"]).to_numpy().astype(np.int64),
        unit=np.repeat(unit, matches),
        target=order[ranges(first, matches)],
        value=np.repeat(value, matches),
    )


def _position(names: grouped.Integers, of: grouped.Integers) -> grouped.Integers:
    """Place of each value in the sorted names; of one that is not there, some place."""
    return np.minimum(np.searchsorted(names, of), max(len(names) - 1, 0)).astype(np.int64)


def _rows(units: pa.Table, margins: pa.Table, *, problem: Problem, solution: Solution, labels: pa.Array) -> pa.Table:
    unit_order, unit_offsets = _by_area(problem.unit_area, problem.areas)
    target_order, target_offsets = _by_area(problem.target_area, problem.areas)
    weights = pa.StructArray.from_arrays(
        [_one_array(units["_unit"]).take(unit_order), pa.array(solution.weight).take(unit_order)], names=["_unit", "weight"]
    )
    described = [_one_array(margins[name]) for name in ("margin", "category", "lower", "upper", "priority")]
    found = [pa.array(solution.achieved), pa.array(solution.gap), pa.array(solution.is_relaxed)]
    targets = pa.StructArray.from_arrays(
        [column.take(target_order) for column in (*described, *found)], names=[field.name for field in _TARGET.fields]
    )
    return pa.table(
        {
            "_area": labels,
            "_weights": pa.ListArray.from_arrays(unit_offsets, weights),
            "_targets": pa.ListArray.from_arrays(target_offsets, targets),
            "rounds": pa.array(solution.rounds.astype(np.int32)),
            "is_converged": pa.array(solution.is_converged),
            "avoidable": pa.array(solution.avoidable),
        }
    )


def _by_area(area: grouped.Integers, areas: int) -> tuple[pa.Array, pa.Array]:
    """Row numbers area by area, and where each area begins (and the last ends)."""
    ends = np.cumsum(np.bincount(area, minlength=areas))
    return pa.array(np.argsort(area, kind="stable")), pa.array(np.concatenate([[0], ends]).astype(np.int32))


def _one_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _together(first: pa.ChunkedArray | pa.Array, second: pa.ChunkedArray | pa.Array) -> pa.Array:
    return pa.concat_arrays([_one_array(first).cast(pa.string()), _one_array(second).cast(pa.string())])


def _floats(column: pa.ChunkedArray | pa.Array) -> grouped.Floats:
    """Missing values as NaN."""
    return np.asarray(_one_array(column).fill_null(np.nan).to_numpy(zero_copy_only=False), dtype=np.float64)
