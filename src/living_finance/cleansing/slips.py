"""Unit slips (a value sent in the wrong unit, × 1000) and outliers, judged by the robust shape of a cell.

The shape of a variable in a cell is taken on the log scale: median and MAD describe the body, and beyond the quantiles
2.5 % and 97.5 % exponential tails whose rates come from the data (an exponential tail of logs is a Pareto tail of won).

- A value is a slip when the mixture of genuine values and genuine values × factor says so: the share of slips is
  estimated, the density of the value as sent is compared with the density of the value divided by the factor, and
  the person's spending testifies for one or the other, within bounds.
- A value is an outlier when fewer than `OUTLIER_EXPECTED` values of the cell (of the wider one that lends a small cell
  its shape) are expected beyond it.

Source: Di Zio, Guarnera & Luzi (2005), Editing systematic unity measure errors through mixture modelling, Survey
Methodology 31(1); Al-Hamad, Lewis & Silva (2008), thousand pounds errors, UNECE Work Session on Statistical Data Editing;
van der Loo (2010), Distribution based outlier detection for univariate data, Statistics Netherlands 10003, method I;
decision 0004.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BINS_PER_UNIT = 40
"""Histogram bins per unit of natural log: 2.5 % of the amount each, far below a cell's spread (about 60 %)."""

TAIL_SHARE = 0.025
"""Share of values in each modelled tail; slips are assumed rarer than this in every cell."""

INNER_SHARE = 0.10
"""The tail's rate is the one that leads from this quantile to the tail's."""

SMALLEST_CELL = 200
"""Values a shape needs: five of them are in each tail, so that a slip or two do not move the quantiles."""

SMALLEST_SCALE = 0.05
"""A cell whose values hardly differ is no reason to call a value 10 % away impossible."""

TAIL_RATES = (1.0, 3.0)
"""Bounds of the tails' rates. Pareto exponents of top incomes lie between 1.5 and 3 in all countries and years of
Atkinson, Piketty & Saez (2011, Top incomes in the long run of history, JEL 49(1)): a tail is never taken to end
faster than the thinnest of them, however few top incomes a cell holds."""

SLIP_SHARES = (1e-6, 0.01)
"""Bounds of the estimated share of slips: never none (a first slip must be found), never more than one in a hundred."""

SLIP_ODDS = 19.0
"""Odds at which a value is divided: 95 % posterior probability."""

TESTIMONY_ODDS = 100.0
"""The most that spending may multiply the odds by, either way: a witness, never the judge."""

SPENDING_ELASTICITY = 0.5
"""Spending grows by about this power of income between households of one quintile and the next (household income and
expenditure survey: between the first and fifth quintile income grows about elevenfold, spending less than fourfold)."""

OUTLIER_EXPECTED = 0.1
"""Values of the cell expected beyond an outlier (ρ of method I, whose default of 1 marks one good value in most cells)."""

_EM_ROUNDS = 50


@dataclass(frozen=True)
class Shape:
    """Shape of the logs of a variable in a cell; natural logs of won throughout."""

    n: float
    """Values the shape was taken from: the cell's, or the wider cell's that lent it."""
    median: float
    scale: float
    """1.4826 × MAD: the standard deviation where the body is normal."""
    low: float
    high: float
    low_rate: float
    high_rate: float
    slip_share: float = 0.0

    def log_density(self, y: Floats) -> Floats:
        """Log density of genuine values at `y`; the column expression `log_density` is the same function."""
        body = -0.5 * ((y - self.median) / self.scale) ** 2 - math.log(self.scale * math.sqrt(2 * math.pi))
        above = math.log(TAIL_SHARE * self.high_rate) - self.high_rate * (y - self.high)
        below = math.log(TAIL_SHARE * self.low_rate) - self.low_rate * (self.low - y)
        return np.where(y > self.high, above, np.where(y < self.low, below, body))


_SHAPE_FIELDS = tuple(field.name for field in fields(Shape))


def shape_of(bins: Integers, counts: Integers) -> Shape | None:
    """The shape of values counted in bins of 1/BINS_PER_UNIT; None for fewer than SMALLEST_CELL.

    Args:
        bins: bin numbers, in any order, repeats allowed.
        counts: values in each.
    """
    total = int(counts.sum())
    if total < SMALLEST_CELL:
        return None
    centres = (bins + 0.5) / BINS_PER_UNIT

    def quantile(values: Floats, share: float) -> float:
        order = np.argsort(values, kind="stable")
        reached = np.cumsum(counts[order])
        return float(values[order][np.searchsorted(reached, share * total, side="left")])

    def rate(distance: float) -> float:
        steepest = TAIL_RATES[1]
        return steepest if distance <= 0 else float(np.clip(math.log(INNER_SHARE / TAIL_SHARE) / distance, *TAIL_RATES))

    median = quantile(centres, 0.5)
    low, high = quantile(centres, TAIL_SHARE), quantile(centres, 1 - TAIL_SHARE)
    return Shape(
        n=float(total),
        median=median,
        scale=max(1.4826 * quantile(np.abs(centres - median), 0.5), SMALLEST_SCALE),
        low=low,
        high=high,
        low_rate=rate(quantile(centres, INNER_SHARE) - low),
        high_rate=rate(high - quantile(centres, 1 - INNER_SHARE)),
    )


def slip_share(cells: Sequence[tuple[Shape, Integers, Integers]], *, factor: float) -> float:
    """Share of slips among all values, by maximum likelihood of the two-part mixture with known densities (EM).

    A one-parameter mixture has a concave likelihood, so that the number of rounds is no judgement of convergence
    beyond the digits that matter here.

    Args:
        cells: shape, bins and counts of each cell.
        factor: what a slip multiplies by.
    """
    shift = math.log(factor)
    ratios, weights, total = [], [], 0
    for shape, bins, counts in cells:
        y = (bins + 0.5) / BINS_PER_UNIT
        is_far = y > shape.high
        ratios.append(shape.log_density(y[is_far] - shift) - shape.log_density(y[is_far]))
        weights.append(counts[is_far])
        total += int(counts.sum())
    if not total:
        return SLIP_SHARES[0]
    odds, weight = np.exp(np.clip(np.concatenate(ratios), -50.0, 50.0)), np.concatenate(weights)
    share = SLIP_SHARES[1]
    for _ in range(_EM_ROUNDS):
        probability = share * odds / (share * odds + 1 - share)
        share = float(np.clip((weight * probability).sum() / total, *SLIP_SHARES))
    return share


def shapes(logs: DataFrame, *, cell: Sequence[str], wider: Sequence[Sequence[str]], factor: float) -> DataFrame:
    """Shape of every variable in every cell.

    One pass counts logs in bins, which is exact and small whatever the partitioning; the shapes are then made from the
    counts in one Arrow group per variable (bound: cells × occupied bins, 84 × about 400 for the city's persons).

    Args:
        logs: cell columns and, for each variable, a column of natural logs (null: not counted).
        cell: names of the cell columns; all others are variables.
        wider: cells (subsets of `cell`) that lend their shape to a cell with too few values, in order.
        factor: what a slip multiplies by.

    Returns:
        One row per cell with a struct of `Shape` per variable, named as the variable; null where even the widest cell
        has too few values.
    """
    variables = [name for name in logs.columns if name not in cell]
    pairs = [item for index, name in enumerate(variables) for item in (F.lit(index), F.col(name))]
    counted = (
        logs.select(*cell, F.stack(F.lit(len(variables)), *pairs).alias("variable", "y"))
        .where(F.col("y").isNotNull())
        .groupBy("variable", *cell, F.floor(F.col("y") * BINS_PER_UNIT).alias("bin"))
        .agg(F.count(F.lit(1)).alias("values"))
    )
    types = {field.name: field.dataType.simpleString() for field in logs.select(*cell).schema.fields}
    schema = ", ".join(
        [
            "variable int",
            *(f"{name} {types[name]}" for name in cell),
            *(f"{name} double" for name in _SHAPE_FIELDS),
        ]
    )
    long = counted.groupBy("variable").applyInArrow(_shape_maker(tuple(cell), tuple(map(tuple, wider)), factor), schema)
    return long.groupBy(*cell).agg(
        *(F.max(F.when(F.col("variable") == index, F.struct(*_SHAPE_FIELDS))).alias(name) for index, name in enumerate(variables))
    )


def _shape_maker(cell: tuple[str, ...], wider: tuple[tuple[str, ...], ...], factor: float) -> Callable[[pa.Table], pa.Table]:
    def make(table: pa.Table) -> pa.Table:
        """Counts of one variable → its shapes; bound: see `shapes`."""
        rows = table.sort_by([(name, "ascending") for name in (*cell, "bin")])
        keys = list(zip(*(rows.column(name).to_pylist() for name in cell), strict=True))
        bins = rows.column("bin").to_numpy().astype(np.int64)
        counts = rows.column("values").to_numpy().astype(np.int64)
        levels = [_rows_by(keys, [cell.index(name) for name in level]) for level in (cell, *wider)]
        lent = [{key: shape_of(bins[at], counts[at]) for key, at in level.items()} for level in levels]
        found: list[tuple[tuple[object, ...], Shape]] = []
        for key in levels[0]:
            candidates = (
                shapes_of_level[tuple(key[cell.index(name)] for name in level)]
                for level, shapes_of_level in zip((cell, *wider), lent, strict=True)
            )
            shape = next((candidate for candidate in candidates if candidate is not None), None)
            if shape is not None:
                found.append((key, shape))
        share = slip_share([(shape, bins[levels[0][key]], counts[levels[0][key]]) for key, shape in found], factor=factor)
        columns: dict[str, pa.Array] = {"variable": pa.array([rows.column("variable")[0].as_py()] * len(found), pa.int32())}
        for index, name in enumerate(cell):
            columns[name] = pa.array([key[index] for key, _ in found], rows.schema.field(name).type)
        for name in _SHAPE_FIELDS:
            values = [share if name == "slip_share" else getattr(shape, name) for _, shape in found]
            columns[name] = pa.array(values, pa.float64())
        return pa.table(columns)

    return make


def _rows_by(keys: Sequence[tuple[object, ...]], parts: Sequence[int]) -> Mapping[tuple[object, ...], Integers]:
    groups: dict[tuple[object, ...], list[int]] = {}
    for row, key in enumerate(keys):
        groups.setdefault(tuple(key[part] for part in parts), []).append(row)
    return {key: np.array(rows, dtype=np.int64) for key, rows in groups.items()}


def log_density(y: Column, shape: str) -> Column:
    """Log density of genuine logs at `y` by the shape column `shape`; null without a shape."""
    median, scale, low, high, low_rate, high_rate = (
        F.col(f"{shape}.{name}") for name in ("median", "scale", "low", "high", "low_rate", "high_rate")
    )
    body = -0.5 * F.pow((y - median) / scale, 2) - F.ln(scale * math.sqrt(2 * math.pi))
    above = F.ln(TAIL_SHARE * high_rate) - high_rate * (y - high)
    below = F.ln(TAIL_SHARE * low_rate) - low_rate * (low - y)
    return F.when(y > high, above).when(y < low, below).otherwise(body)


def is_slip(y: Column, *, shape: str, spending_log: Column, ratio_shape: str, factor: float) -> Column:
    """Whether a value is a genuine one times the factor, with odds of SLIP_ODDS or more.

    Args:
        y: natural log of the amount, sign left out; null where there is none.
        shape: column with the variable's shape in the cell.
        spending_log: natural log of the person's spending; null where unknown or none.
        ratio_shape: column with the shape of `spending_ratio` in the cell.
        factor: what a slip multiplies by.

    Returns:
        True or false, never null. False inside the cell's 97.5 % of lower values, without a shape, and whenever the
        tails, the share of slips and the spending together leave room for a genuine top income.
    """
    shift = math.log(factor)
    share = F.col(f"{shape}.slip_share")
    prior = F.ln(share) - F.ln(1 - share)
    evidence = log_density(y - shift, shape) - log_density(y, shape)
    as_slip, as_sent = (log_density(spending_ratio(spending_log=spending_log, y=value), ratio_shape) for value in (y - shift, y))
    bound = F.lit(math.log(TESTIMONY_ODDS))
    testimony = F.greatest(F.least(F.coalesce(as_slip - as_sent, F.lit(0.0)), bound), -bound)
    is_far = y > F.col(f"{shape}.high")
    return F.coalesce(is_far & (prior + evidence + testimony > math.log(SLIP_ODDS)), F.lit(False))


def spending_ratio(*, spending_log: Column, y: Column) -> Column:
    """Log of spending over income^SPENDING_ELASTICITY: what spending is, given what such an income would spend."""
    return spending_log - SPENDING_ELASTICITY * y


def is_outlier(y: Column, *, shape: str) -> Column:
    """Whether fewer than OUTLIER_EXPECTED values of the cell are expected as far out as `y`; never null."""
    n, low, high, low_rate, high_rate = (F.col(f"{shape}.{name}") for name in ("n", "low", "high", "low_rate", "high_rate"))
    beyond = F.when(y > high, F.exp(-high_rate * (y - high))).when(y < low, F.exp(-low_rate * (low - y)))
    return F.coalesce(n * TAIL_SHARE * beyond < OUTLIER_EXPECTED, F.lit(False))
