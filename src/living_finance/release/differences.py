"""Totals that differences give away: which means are withheld so that what is left of a whole is not one contributor's.

A mean times its count is a total, and totals add up, over categories and over regions. What is withheld of a whole is known
together, as exactly as the rounded figures tell it, so together it must pass the p% rule. What is alone in some link is known
by it, like a published total, and then helps to tell others.

Source: Hundepool et al., ESS Handbook on Statistical Disclosure Control, 2nd edition, section 4.2 (p% rule: the second largest
contributor, who knows the total, must not know the largest contribution to within p percent) and 4.3 (linked tables).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_NONE = -1


@dataclass(frozen=True)
class Totals:
    """One entry per cell."""

    above: Floats
    """How far beyond the true total a reader of the rounded mean and count must think it possible."""
    below: Floats
    largest: Floats
    """Largest contribution."""
    second: Floats
    absolute: Floats
    """Sum of all contributions, without signs."""


def withhold_differences(
    links: sparse.csr_matrix,
    totals: Totals,
    *,
    is_printed: Flags,
    is_empty: Flags,
    unit: Integers,
    price: Floats,
    percent: float,
) -> Flags:
    """Printed cells that must not be, beside those that are not.

    Args:
        links: one row per whole and its parts: parts 1, whole -1; the parts add up to the whole.
        totals: of the cells.
        is_printed: cells whose mean and count would be printed.
        is_empty: cells of which everybody knows that nobody is in them.
        unit: number of the cells that are withheld together: a part of a row of categories is told by the others.
        price: of each cell; the cheapest goes first, parts before wholes.
        percent: p of the p% rule.
    """
    rows = _Rows(links)
    printed = is_printed.copy()
    while True:
        known = _known(rows, totals, withheld=~printed & ~is_empty, percent=percent)
        chosen = {rows.cheapest(row, printed, known.by, price) for row in known.dominated.tolist()} - {_NONE}
        if not chosen:
            return is_printed & ~printed
        printed &= ~np.isin(unit, unit[sorted(chosen)])


class _Rows:
    """Links, entry by entry, those of a link behind each other."""

    def __init__(self, links: sparse.csr_matrix) -> None:
        self.first: Integers = links.indptr[:-1].astype(np.int64)
        self.row: Integers = np.repeat(np.arange(links.shape[0]), np.diff(links.indptr))
        self.cell: Integers = links.indices.astype(np.int64)
        self.is_part: Flags = links.data > 0

    def total(self, values: Floats | Flags) -> Floats:
        """Sum over each link of one value per entry."""
        return np.bincount(self.row, weights=values, minlength=self.first.size).astype(np.float64)

    def most(self, values: Floats) -> Floats:
        return np.asarray(np.maximum.reduceat(values, self.first)) if self.first.size else values

    def cheapest(self, row: int, printed: Flags, by: Integers, price: Floats) -> int:
        """The cheapest printed part of a link and of those by which its cells are known, else the cheapest whole; -1: none."""
        asked, seen = [row], {row}
        best = (True, np.inf, _NONE)
        while asked:
            here = asked.pop()
            entries = slice(self.first[here], self.first[here + 1] if here + 1 < self.first.size else self.cell.size)
            cells, is_part = self.cell[entries], self.is_part[entries]
            of_link = zip((~is_part).tolist(), price[cells].tolist(), cells.tolist(), strict=True)
            best = min([best, *itertools.compress(of_link, printed[cells])])
            behind = {int(link) for link in by[cells] if link != _NONE} - seen
            asked += sorted(behind)
            seen |= behind
        return best[2]


@dataclass(frozen=True)
class _Known:
    by: Integers
    """For each cell the link that tells it; -1: it is printed, or nothing does."""
    dominated: Integers
    """Links whose withheld cells, together, fail the p% rule."""


def _known(rows: _Rows, totals: Totals, *, withheld: Flags, percent: float) -> _Known:
    """What a reader gets to know of withheld cells, link by link until nothing is added."""
    hidden = withheld.copy()
    above, below = (np.where(withheld, 0.0, slack) for slack in (totals.above, totals.below))
    by = np.full(withheld.size, _NONE, dtype=np.int64)
    dominated = np.zeros(rows.first.size, dtype=bool)
    while True:
        is_hidden = hidden[rows.cell]
        up, down = above[rows.cell], below[rows.cell]
        of_parts, of_wholes = rows.total(is_hidden & rows.is_part), rows.total(is_hidden & ~rows.is_part)
        parts_up, parts_down = rows.total(up * rows.is_part), rows.total(down * rows.is_part)
        whole_up, whole_down = rows.total(up * ~rows.is_part), rows.total(down * ~rows.is_part)
        slack = np.where(of_wholes > 0, parts_up, whole_up + parts_down)
        is_told = (of_parts > 0) != (of_wholes > 0)
        dominated |= is_told & (_others(rows, totals, is_hidden) + slack < percent / 100 * _largest(rows, totals, is_hidden))
        told = np.flatnonzero(is_hidden & (of_parts + of_wholes == 1)[rows.row])
        if not told.size:
            return _Known(by, np.flatnonzero(dominated))
        cell, link = rows.cell[told], rows.row[told]
        above[cell], below[cell] = np.inf, np.inf
        np.minimum.at(above, cell, slack[link])
        np.minimum.at(below, cell, np.where(rows.is_part[told], (whole_down + parts_up)[link], parts_down[link]))
        by[cell] = link
        hidden[cell] = False


def _largest(rows: _Rows, totals: Totals, is_hidden: Flags) -> Floats:
    return rows.most(np.where(is_hidden, totals.largest[rows.cell], 0.0))


def _others(rows: _Rows, totals: Totals, is_hidden: Flags) -> Floats:
    """What all but the two largest contributors to the hidden cells of each link bring."""
    largest = np.where(is_hidden, totals.largest[rows.cell], 0.0)
    most = rows.most(largest)
    holds = np.flatnonzero(largest == most[rows.row])
    holder = holds[np.unique(rows.row[holds], return_index=True)[1]]
    largest[holder] = np.where(is_hidden[holder], totals.second[rows.cell[holder]], 0.0)
    return np.maximum(rows.total(np.where(is_hidden, totals.absolute[rows.cell], 0.0)) - most - rows.most(largest), 0.0)
