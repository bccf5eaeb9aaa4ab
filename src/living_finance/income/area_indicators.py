"""Indicators of areas from one amount per household: mean, quantiles, poverty, inequality.

Households are put in order of area and key first, so that sums run in the same order wherever and however they arrive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from living_finance.errors import ConfigurationError, ContractViolation
from living_finance.methods import grouped
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.inequality import grouped_gini
from living_finance.methods.keyed_random import Bits, key_bits

_QUANTILE = re.compile(r"p([1-9]\d?)")
_POVERTY = ("head_count_ratio", "poverty_gap")


@dataclass(frozen=True)
class Households:
    """Rows of whole areas, in order of area and key."""

    order: Integers
    """Where each row was before."""
    labels: npt.NDArray[np.str_]
    """Areas, sorted."""
    area: Integers
    """Position of each row's area in `labels`."""
    key: Bits
    weight: Floats

    @classmethod
    def of(cls, *, areas: Iterable[object], keys: Iterable[object], weights: Floats | None = None) -> Households:
        """Put households in order.

        Raises:
            ContractViolation: a key occurs twice in an area, or a weight is not positive.
        """
        labels, area = np.unique(as_labels(areas), return_inverse=True)
        bits = key_bits(keys)
        weight = np.ones(area.size) if weights is None else np.asarray(weights, dtype=np.float64)
        if not (area.size == bits.size == weight.size):
            raise ContractViolation("areas, keys and weights differ in length.", remedy="one of each per household")
        order = np.lexsort((bits, area))
        area, bits, weight = area[order], bits[order], weight[order]
        if ((area[1:] == area[:-1]) & (bits[1:] == bits[:-1])).any():
            raise ContractViolation("a household key occurs twice in an area.", remedy="one row per household")
        if not (weight > 0.0).all():
            raise ContractViolation("a household's weight is not positive.", remedy="leave households without weight out")
        return cls(order, labels, area.astype(np.int64), bits, weight)

    @property
    def start(self) -> Integers:
        """First row of each area."""
        return np.flatnonzero(np.diff(self.area, prepend=-1)).astype(np.int64)

    def sums(self, values: Floats) -> Floats:
        """By area."""
        return np.add.reduceat(values, self.start)


def as_labels(areas: Iterable[object]) -> npt.NDArray[np.str_]:
    """Area codes as text."""
    return np.asarray([str(area) for area in areas], dtype=np.str_)


def checked(indicators: Sequence[str], *, poverty_line: float | None) -> tuple[str, ...]:
    """The indicators, if each is known.

    Raises:
        ConfigurationError: an unknown name, or a poverty indicator without a positive line.
    """
    for name in indicators:
        if name not in ("mean", "median", "gini", "s80_s20", *_POVERTY) and not _QUANTILE.fullmatch(name):
            raise ConfigurationError(
                f"Unknown indicator {name}.", remedy="mean, median, p1 … p99, head_count_ratio, poverty_gap, gini, s80_s20"
            )
        if name in _POVERTY and not (poverty_line is not None and poverty_line > 0.0):
            raise ConfigurationError(f"{name} needs a positive poverty line.", remedy="set poverty_line")
    return tuple(indicators)


def area_indicators(
    amount: Floats, *, households: Households, indicators: Sequence[str], poverty_line: float | None = None
) -> Floats:
    """Areas x indicators of one amount per household, weighted.

    Args:
        amount: in the order of `households`.
        households: areas and weights.
        indicators: `mean`; `median`, `p1` … `p99`: the smallest value whose cumulative weight reaches p x total;
            `head_count_ratio`: share below the line; `poverty_gap`: mean shortfall over the line, 0 above it (Foster, Greer
            & Thorbecke 1984); `gini` (see `methods.inequality`); `s80_s20`: what those above p80 have over what those up to
            p20 have (Eurostat), NaN if these have nothing.
        poverty_line: for the two that need it, in the unit of the amount.
    """
    names = checked(indicators, poverty_line=poverty_line)
    total = households.sums(households.weight)
    needed = sorted({p for name in names for p in _probabilities(name)})
    columns: dict[str, Floats] = {}
    quantile: dict[float, Floats] = {}
    if needed or "gini" in names:
        by_value = grouped.sorted_by_value(amount, households.weight)
        value, weight = amount[by_value], grouped.fixed_weights(households.weight[by_value])
        grouping = grouped.group(households.area[by_value])
        found = grouped.quantiles(grouping, value=value, weight=weight, probabilities=needed)
        quantile = {p: found[:, k] for k, p in enumerate(needed)}
        if "gini" in names:
            columns["gini"] = grouped_gini(grouping, value=value, weight=weight)
    for name in names:
        if name == "mean":
            columns[name] = households.sums(households.weight * amount) / total
        elif name in _POVERTY and poverty_line is not None:
            short = np.maximum(1.0 - amount / poverty_line, 0.0) if name == "poverty_gap" else (amount < poverty_line) * 1.0
            columns[name] = households.sums(households.weight * short) / total
        elif name == "s80_s20":
            low, high = quantile[0.2][households.area], quantile[0.8][households.area]
            weighted = households.weight * amount
            poorest = households.sums(np.where(amount <= low, weighted, 0.0))
            richest = households.sums(np.where(amount > high, weighted, 0.0))
            columns[name] = np.divide(richest, poorest, out=np.full(total.size, np.nan), where=poorest > 0.0)
        elif name != "gini":
            columns[name] = quantile[_probabilities(name)[0]]
    return np.column_stack([columns[name] for name in names])


def _probabilities(name: str) -> tuple[float, ...]:
    if name == "s80_s20":
        return (0.2, 0.8)
    if name == "median":
        return (0.5,)
    found = _QUANTILE.fullmatch(name)
    return (int(found[1]) / 100.0,) if found else ()
