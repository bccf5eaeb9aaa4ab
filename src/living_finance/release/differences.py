"""Totals that differences give away: which means are withheld so that what is left of a whole is not one contributor's.

A mean times its count is a total, and totals add up, over categories and over regions. What is withheld of a whole is known
together, as exactly as the rounded figures tell it, so together it must pass the p% rule. What is alone in some link is known
by it, as exactly as that link and those that tell its other cells say; it must pass alone, and helps to tell others. Asked is
one link at a time: sums that only two links tell together are not looked for.

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
_SWEEPS, _LEAST_GAIN = 30, 1e-3
"""Finer than the gate's, so that it finds nothing that was not looked for."""


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
    is_known: Flags,
    unit: Integers,
    price: Floats,
    percent: float,
) -> Flags:
    """Printed cells that must not be, beside those that are not.

    Args:
        links: one row per whole and its parts: parts 1, whole -1; the parts add up to the whole.
        totals: of the cells.
        is_printed: cells whose mean and count would be printed.
        is_known: cells that are known whether or not they are printed: others have printed them, or nobody is in them.
        unit: number of the cells that are withheld together: a part of a row of categories is told by the others.
        price: of each cell; the cheapest goes first, parts before wholes.
        percent: p of the p% rule.
    """
    printed = is_printed.copy()
    while True:
        free, withheld = printed & ~is_known, ~printed & ~is_known
        rows = _Rows(links[abs(links) @ withheld.astype(float) > 0])
        told = _told(rows, totals, withheld=withheld, percent=percent)
        chosen = {rows.cheapest(row, cells, free, told.by, price) for row, cells in told.dominated} - {_NONE}
        if not chosen:
            return is_printed & ~printed
        printed &= ~np.isin(unit, unit[sorted(chosen)]) | is_known


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

    def entries(self, row: int) -> slice:
        return slice(self.first[row], self.first[row + 1] if row + 1 < self.first.size else self.cell.size)

    def cheapest(self, row: int, asked: frozenset[int], free: Flags, by: Integers, price: Floats) -> int:
        """The cheapest free part of a link and of those by which its cells but the asked ones are known, else whole; -1: none."""
        links, seen = [row], {row}
        best = (True, np.inf, _NONE)
        while links:
            entries = self.entries(links.pop())
            cells, is_part = self.cell[entries], self.is_part[entries]
            of_link = zip((~is_part).tolist(), price[cells].tolist(), cells.tolist(), strict=True)
            best = min([best, *itertools.compress(of_link, free[cells])])
            behind = {int(by[cell]) for cell in cells.tolist() if cell not in asked} - seen - {_NONE}
            links += sorted(behind)
            seen |= behind
        return best[2]


@dataclass(frozen=True)
class _Told:
    by: Integers
    """For each cell the link that tells it best; -1: it is not withheld, or nothing tells it."""
    dominated: list[tuple[int, frozenset[int]]]
    """Links, and the withheld cells of each that, together or alone, fail the p% rule."""


def _told(rows: _Rows, totals: Totals, *, withheld: Flags, percent: float) -> _Told:
    """What a reader gets to know of withheld cells, link by link until nothing is added."""
    above, below = (np.where(withheld, np.inf, slack) for slack in (totals.above, totals.below))
    by = np.full(withheld.size, _NONE, dtype=np.int64)
    dominated: set[tuple[int, frozenset[int]]] = set()
    rest = np.maximum(totals.absolute - totals.largest - totals.second, 0.0)
    entry_is_withheld = withheld[rows.cell]
    for _ in range(_SWEEPS):
        is_hidden = np.isinf(above)[rows.cell]
        up, down = (np.where(is_hidden, 0.0, slack[rows.cell]) for slack in (above, below))
        of_parts, of_wholes = rows.total(is_hidden & rows.is_part), rows.total(is_hidden & ~rows.is_part)
        parts_up, parts_down = rows.total(up * rows.is_part), rows.total(down * rows.is_part)
        whole_up, whole_down = rows.total(up * ~rows.is_part), rows.total(down * ~rows.is_part)
        slack = np.where(of_wholes > 0, parts_up, whole_up + parts_down)
        is_together = (of_parts > 0) != (of_wholes > 0)
        fails = _others(rows, totals, is_hidden) + slack < percent / 100 * _largest(rows, totals, is_hidden)
        for row in np.flatnonzero(is_together & fails).tolist():
            entries = rows.entries(row)
            dominated.add((row, frozenset(rows.cell[entries][is_hidden[entries]].tolist())))
        alone = np.flatnonzero(entry_is_withheld & ((of_parts + of_wholes)[rows.row] == is_hidden))
        cell, link, is_part = rows.cell[alone], rows.row[alone], rows.is_part[alone]
        its_above = np.where(is_part, (whole_up + parts_down)[link] - down[alone], parts_up[link])
        its_below = np.where(is_part, (whole_down + parts_up)[link] - up[alone], parts_down[link])
        for at in np.flatnonzero(rest[cell] + its_above < percent / 100 * totals.largest[cell]).tolist():
            dominated.add((int(link[at]), frozenset((int(cell[at]),))))
        before = above.copy(), below.copy()
        np.minimum.at(above, cell, np.maximum(its_above, 0.0))
        np.minimum.at(below, cell, np.maximum(its_below, 0.0))
        is_nearer = above < before[0] * (1 - _LEAST_GAIN)
        order = np.argsort(-its_above, kind="stable")
        order = order[is_nearer[cell[order]]]
        by[cell[order]] = link[order]
        if not (is_nearer | (below < before[1] * (1 - _LEAST_GAIN))).any():
            break
    return _Told(by, sorted(dominated, key=lambda found: (found[0], sorted(found[1]))))


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
