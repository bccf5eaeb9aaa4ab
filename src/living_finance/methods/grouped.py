"""Sums, quantiles and dispersion of many cells at once, in NumPy, for groups that fit one worker.

Nothing here depends on the order in which rows arrive. Sums are integers: a weight counts in units of
2^-36, a weighted amount in units of 1/256 won, so that adding is exact, a margin is the sum of its parts to
the last digit, and any split of the work gives the same figure. What cannot be an integer (dispersion) is
added in the order of value, then weight; rows equal in both are interchangeable.

Rows must be sorted by value (`sorted_by_value`) before they are grouped; grouping keeps that order inside a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from living_finance.errors import ContractViolation

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

WEIGHT_SCALE = 2.0**36
"""Units of one weight: total weights up to 2^27 (134 million) are added exactly in 64 bits."""

AMOUNT_SCALE = 2.0**8
"""Units of one won: sums up to 2^55 won (36,000 trillion; household debt of the country is 2,000) are exact in 64 bits."""

REACH_TOLERANCE = 1e-10
"""A cumulative weight within this share of its target has reached it: covers the rounding of weights to 2^-36."""

_LARGEST_AMOUNT = 2.0**54
_LARGEST_WEIGHT = 2.0**26


@dataclass(frozen=True)
class Encoded:
    """A text column as codes 0, 1, …; -1 where it is missing."""

    codes: Integers
    labels: pa.Array

    def take(self, rows: Integers) -> pa.Array:
        """The labels of these rows."""
        return self.labels.take(pa.array(self.codes[rows]))


@dataclass(frozen=True)
class Grouping:
    """Rows arranged by cell: `order` lists row numbers cell by cell, `start` is where each cell begins in it."""

    order: Integers
    start: Integers

    @property
    def first(self) -> Integers:
        """One row number of each cell, to look up its labels."""
        return self.order[self.start]

    @property
    def rows(self) -> Integers:
        """Number of rows of each cell."""
        return np.diff(self.start, append=self.order.size)


@dataclass(frozen=True)
class Dispersion:
    """What the standard error of a weighted mean needs, one entry a cell; parts can be combined (see `statistics`)."""

    mean: Floats
    weight_squares: Floats
    """Σ w²"""
    cross: Floats
    """Σ w² (x - mean)"""
    squares: Floats
    """Σ w² (x - mean)²"""


def encode(column: pa.ChunkedArray | pa.Array, *, is_missing_a_label: bool = False) -> Encoded:
    """A column as codes into its distinct values; a missing value is -1, or a label of its own."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    dictionary = array.dictionary_encode(null_encoding="encode" if is_missing_a_label else "mask")
    return Encoded(codes=dictionary.indices.fill_null(-1).to_numpy().astype(np.int64), labels=dictionary.dictionary)


def fixed_weights(weight: Floats) -> Integers:
    """Weights in units of 2^-36.

    Raises:
        ContractViolation: they add up to 2^26 or more, more than one worker's share of any country.
    """
    if float(weight.sum()) >= _LARGEST_WEIGHT:
        raise ContractViolation("weights are too large to be added exactly.", remedy="check the unit of the weights")
    return np.rint(weight * WEIGHT_SCALE).astype(np.int64)


def fixed_amounts(weight: Floats, amount: Floats) -> Integers:
    """weight x amount in units of 1/256 won.

    Raises:
        ContractViolation: the sum could pass 2^54 won, far beyond any real total.
    """
    weighted = weight * amount
    if float(np.abs(weighted).sum()) > _LARGEST_AMOUNT:
        raise ContractViolation("weighted amounts are too large to be added exactly.", remedy="check the unit of the amounts")
    return np.rint(weighted * AMOUNT_SCALE).astype(np.int64)


def sorted_by_value(value: Floats, weight: Floats) -> Integers:
    """Row numbers by value, then weight."""
    return np.lexsort((weight, value)).astype(np.int64)


def cell_codes(columns: Sequence[Encoded], *, rows: int) -> Integers:
    """One code per row for its combination of labels; -1 where any of the columns is missing."""
    cell = np.zeros(rows, dtype=np.int64)
    is_missing = np.zeros(rows, dtype=bool)
    for column in columns:
        cell = cell * max(len(column.labels), 1) + column.codes
        is_missing |= column.codes < 0
    return np.where(is_missing, -1, cell)


def group(cell: Integers) -> Grouping:
    """Arrange rows by cell code, keeping their order inside a cell; rows with a negative code are left out."""
    order = _stable_order(cell)
    ordered = cell[order]
    kept = int(np.searchsorted(ordered, 0))
    order, ordered = order[kept:], ordered[kept:]
    is_start = np.ones(ordered.size, dtype=bool)
    is_start[1:] = ordered[1:] != ordered[:-1]
    return Grouping(order=order, start=np.flatnonzero(is_start).astype(np.int64))


def sums(grouping: Grouping, columns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Exact sums of integer columns (rows x columns) by cell (cells x columns)."""
    if grouping.start.size == 0:
        return np.zeros((0, columns.shape[1]), dtype=np.int64)
    return np.add.reduceat(columns[grouping.order], grouping.start, axis=0)


def quantiles(grouping: Grouping, *, value: Floats, weight: Integers, probabilities: Sequence[float]) -> Floats:
    """Weighted quantiles by cell: the smallest value whose cumulative weight reaches p x total.

    Args:
        grouping: of rows sorted by value.
        value: of each row.
        weight: of each row, in units of 2^-36, positive.
        probabilities: each in (0, 1].

    Returns:
        cells x probabilities.
    """
    through = np.cumsum(weight[grouping.order])
    before, total = _before_and_total(grouping, through)
    found = np.empty((grouping.start.size, len(probabilities)), dtype=np.float64)
    for column, probability in enumerate(probabilities):
        position = np.searchsorted(through, before + target_weight(total, probability))
        found[:, column] = value[grouping.order[position]]
    return found


def target_weight(total: Integers, probability: float) -> Integers:
    """The least cumulative weight (units of 2^-36) that reaches p x total."""
    target = np.ceil(probability * total.astype(np.float64) * (1.0 - REACH_TOLERANCE)).astype(np.int64)
    return np.clip(target, 1, total)


def dispersion(grouping: Grouping, *, value: Floats, weight: Floats) -> Dispersion:
    """Weighted mean and squared weighted residuals by cell, of rows sorted by value, then weight."""
    if grouping.start.size == 0:
        empty = np.zeros(0)
        return Dispersion(mean=empty, weight_squares=empty, cross=empty, squares=empty)
    x, w = value[grouping.order], weight[grouping.order]
    mean = _add(grouping, w * x) / _add(grouping, w)
    residual = x - np.repeat(mean, grouping.rows)
    return Dispersion(
        mean=mean,
        weight_squares=_add(grouping, w * w),
        cross=_add(grouping, w * w * residual),
        squares=_add(grouping, (w * residual) ** 2),
    )


def concentration(grouping: Grouping, *, value: Floats, weight: Integers) -> tuple[Floats, Floats]:
    """Σ w x and Σ w x (2 C + w) by cell, C the weight of the rows before, of rows sorted by value.

    Weights count in their own unit, not in 2^-36. The second sum does not depend on how ties are ordered.
    """
    if grouping.start.size == 0:
        return np.zeros(0), np.zeros(0)
    fixed = weight[grouping.order]
    through = np.cumsum(fixed)
    before, _ = _before_and_total(grouping, through)
    twice_middle = 2 * (through - np.repeat(before, grouping.rows)) - fixed
    weighted = value[grouping.order] * (fixed / WEIGHT_SCALE)
    return _add(grouping, weighted), _add(grouping, weighted * (twice_middle / WEIGHT_SCALE))


def _add(grouping: Grouping, ordered: Floats) -> Floats:
    return np.add.reduceat(ordered, grouping.start)


def _before_and_total(grouping: Grouping, through: Integers) -> tuple[Integers, Integers]:
    """Weight of all rows before each cell, and of each cell."""
    ends = np.append(grouping.start[1:], grouping.order.size) - 1
    last = through[ends] if grouping.start.size else np.zeros(0, dtype=np.int64)
    before = np.concatenate(([0], last[:-1])).astype(np.int64) if last.size else last
    return before, last - before


def _stable_order(code: Integers) -> Integers:
    """Row numbers by code, ties in their order: 16 bits at a time, which NumPy sorts in linear time."""
    shifted = code + 1
    order = np.argsort((shifted & 0xFFFF).astype(np.uint16), kind="stable")
    shift, largest = 16, int(shifted.max(initial=0))
    while largest >> shift:
        digit = ((shifted >> shift) & 0xFFFF).astype(np.uint16)
        order = order[np.argsort(digit[order], kind="stable")]
        shift += 16
    return order.astype(np.int64)
