"""Random hot deck within cells: a missing value becomes one observed in the same cell, so that spread and shape are kept.

Donors of a cell are its observed values, thinned to a fixed number of order statistics by systematic sampling with a
random start: each value has the same chance, so that mean and variance of what is lent are those of the cell. The
recipient's own key picks among them: the result does not depend on partitions, order or cores.

Source: Andridge & Little (2010), A review of hot deck imputation for survey non-response, International Statistical
Review 78(1), section 2 (random hot deck within adjustment cells); Madow & Madow (1944) for systematic sampling;
decision 0003.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.methods.joins import join_to_one
from living_finance.methods.keyed_random import uniform, uniform_value
from living_finance.months import Month

Floats = npt.NDArray[np.float64]
Levels = Sequence[Sequence[str]]
"""Cells from the finest to the widest, each a subset of the first."""


def thinned(values: Floats, weights: npt.NDArray[np.int64], *, keep: int, start: float) -> Floats:
    """`keep` values drawn systematically, in proportion to weight, from the sorted values.

    Args:
        values: observed values, in any order, at least one.
        weights: what each stands for, ≥ 1.
        keep: values to return; more than there are repeats them evenly.
        start: random start in [0, 1).

    >>> thinned(np.array([4.0, 1.0, 3.0, 2.0]), np.ones(4, np.int64), keep=2, start=0.5)
    array([2., 4.])
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    targets = np.floor((np.arange(keep) + start) * (float(reached[-1]) / keep))
    picked: Floats = values[order][np.minimum(np.searchsorted(reached, targets, side="right"), len(values) - 1)]
    return picked


def donor_values(
    lent: DataFrame, *, levels: Mapping[str, Levels], min_donors: int, donors_kept: int, seed: int, month: Month
) -> DataFrame:
    """What each cell can lend.

    Args:
        lent: one row per person: the cell columns of the finest level and the variables, null where not to be lent.
        levels: variable → its cells; the first is the same for all variables.
        min_donors: values a cell needs to lend its own; in the widest one is enough.
        donors_kept: values lent per cell.
        seed: of the run.
        month: the month made.

    Returns:
        One row per finest cell that occurs, with an array of `donors_kept` values per variable, from the finest cell that
        has enough; null where nobody has any.

    Bounds: the first Arrow group holds one cell (age × sex × district × employment: tens of thousands of persons in the
    largest district), the second one variable (cells × donors_kept: 2,200 × 256 for the city, ten times that for the
    country).
    """
    variables = tuple(levels)
    finest = tuple(levels[variables[0]][0])
    types = {field.name: field.dataType.simpleString() for field in lent.select(*finest).schema.fields}
    keys = ", ".join(f"{name} {types[name]}" for name in finest)
    schema = f"variable string, {keys}, donors long, lent array<double>"
    own = (
        lent.select(*finest, *variables)
        .groupBy(*finest)
        .applyInArrow(_own_values(finest, variables, donors_kept, seed, str(month)), schema)
    )
    resolved = own.groupBy("variable").applyInArrow(
        _borrowed_values(
            finest, {name: tuple(map(tuple, levels[name])) for name in variables}, min_donors, donors_kept, seed, str(month)
        ),
        schema,
    )
    # Each cell has one row per variable: max picks it.
    return resolved.groupBy(*finest).agg(
        *(F.max(F.when(F.col("variable") == name, F.col("lent"))).alias(name) for name in variables)
    )


def _own_values(
    finest: tuple[str, ...], variables: tuple[str, ...], keep: int, seed: int, month: str
) -> Callable[[tuple[pa.Scalar, ...], pa.Table], pa.Table]:
    def make(key: tuple[pa.Scalar, ...], table: pa.Table) -> pa.Table:
        """Persons of one cell → one row per variable, empty where nobody has a value."""
        cell = [part.as_py() for part in key]
        counts, lent = [], []
        for name in variables:
            column = table.column(name).drop_null().to_numpy()
            start = uniform_value(*cell, month, seed=seed, purpose=f"donors:{name}:own")
            counts.append(len(column))
            lent.append(thinned(column, np.ones(len(column), np.int64), keep=keep, start=start) if len(column) else None)
        return _as_table(table.schema, finest, variables, [cell] * len(variables), counts, lent)

    return make


def _borrowed_values(
    finest: tuple[str, ...],
    levels: Mapping[str, tuple[tuple[str, ...], ...]],
    min_donors: int,
    keep: int,
    seed: int,
    month: str,
) -> Callable[[pa.Table], pa.Table]:
    def make(table: pa.Table) -> pa.Table:
        """Cells of one variable → the same cells with the values of the finest level that has enough."""
        rows = table.sort_by([(name, "ascending") for name in finest])
        variable = rows.column("variable")[0].as_py()
        cells = list(zip(*(rows.column(name).to_pylist() for name in finest), strict=True))
        counts = rows.column("donors").to_numpy()
        lent: list[Floats | None] = [None if value is None else np.array(value) for value in rows.column("lent").to_pylist()]
        own = list(lent)
        is_served = counts >= min_donors
        for number, level in enumerate(levels[variable][1:], start=1):
            needed = 1 if number == len(levels[variable]) - 1 else min_donors
            parts = [finest.index(name) for name in level]
            members: dict[tuple[object, ...], list[int]] = {}
            for row, cell in enumerate(cells):
                members.setdefault(tuple(cell[part] for part in parts), []).append(row)
            for group, at in members.items():
                waiting = [row for row in at if not is_served[row]]
                lenders = [row for row in at if own[row] is not None]
                if not waiting or not lenders or counts[lenders].sum() < needed:
                    continue
                values = np.concatenate([own[row] for row in lenders])
                start = uniform_value(
                    *(str(part) for part in group), month, seed=seed, purpose=f"donors:{variable}:{','.join(level)}"
                )
                pooled = thinned(values, np.repeat(counts[lenders], keep), keep=keep, start=start)
                for row in waiting:
                    lent[row], is_served[row] = pooled, True
        served = [value if is_served[row] else None for row, value in enumerate(lent)]
        return _as_table(rows.schema, finest, [variable] * len(cells), cells, counts.tolist(), served)

    return make


def _as_table(
    schema: pa.Schema,
    finest: Sequence[str],
    variables: Sequence[str],
    cells: Sequence[Sequence[object]],
    counts: Sequence[int],
    lent: Sequence[Floats | None],
) -> pa.Table:
    keys = {name: pa.array([cell[index] for cell in cells], schema.field(name).type) for index, name in enumerate(finest)}
    return pa.table(
        {
            "variable": pa.array(list(variables), pa.string()),
            **keys,
            "donors": pa.array(counts, pa.int64()),
            "lent": pa.array([None if value is None else value.tolist() for value in lent], pa.list_(pa.float64())),
        }
    )


def impute(
    frame: DataFrame,
    *,
    donors: DataFrame,
    cell: Sequence[str],
    variables: Sequence[str],
    recipient: str,
    seed: int,
    month: Month,
) -> DataFrame:
    """Fill missing values from the donors of the row's cell.

    Args:
        frame: any grain; the cell columns, the variables (null: missing) and `edits`.
        donors: from `donor_values`, one row per cell, with every cell of `frame`.
        cell: the finest cell's columns.
        variables: columns to fill.
        recipient: column that identifies the row.
        seed: of the run.
        month: the month made.

    Returns:
        The frame with every variable filled, and `edits` with `variable:imputed`, or `variable:imputed_zero` where nobody
        could lend a value.
    """
    lent = donors.select(*cell, *(F.col(name).alias(f"_lent_{name}") for name in variables))
    joined = join_to_one(frame, lent, on=list(cell), how="left", broadcast=True)
    filled: dict[str, Column] = {}
    marks: list[Column] = []
    for name in variables:
        values = F.col(f"_lent_{name}")
        draw = uniform(F.col(recipient), F.lit(str(month)), seed=seed, purpose=f"hot_deck:{name}")
        picked = F.get(values, F.floor(draw * F.size(values)).cast("int"))
        is_missing = F.col(name).isNull()
        filled[name] = F.when(is_missing, F.coalesce(picked, F.lit(0.0))).otherwise(F.col(name))
        marks.append(
            F.when(is_missing & values.isNotNull(), F.lit(f"{name}:imputed")).when(is_missing, F.lit(f"{name}:imputed_zero"))
        )
    added = F.filter(F.array(*marks), lambda mark: mark.isNotNull())
    return joined.withColumns({**filled, "edits": F.concat("edits", added)}).drop(*(f"_lent_{name}" for name in variables))
