"""The counts of one population as a reader sees them: intervals, links, and what each withheld one has to keep open.

For the gate only; nothing is shared with the protection. Two releases of other data are put together by how little a reader
takes a count to change from one to the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse

from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.release.bounds import implied, left_above_areas, narrow_cells, table_of_all
from living_finance.release.exchange import followed, left_by_dongs
from living_finance.release.programs import FAR, MARGIN, Flags, Floats, Inconsistent, Integers, Places
from living_finance.release.verify_links import DIMENSIONS, only_ones, places_of

_ONE_PROGRAM = 5_000
"""Cells of two releases, and what ties them, that one program takes in at once; beyond, each release is asked first as far as it
can be asked alone."""
_SMALL = 100.0
"""Printed counts up to here show a reader how much small ones change."""
_LARGER = (1.0, 4.0, 16.0, 1e6)
"""Times the change that a reader takes where no counts agree with a smaller one; in the end any."""


@dataclass(frozen=True)
class Vouched:
    """What tables that go with those of another release say of one."""

    cells: Flags
    """Whose intervals they show to be wide enough: without the other release they are no narrower."""
    table: Floats
    """One of them."""


@dataclass(frozen=True, kw_only=True)
class Population:
    """Counts of households, or of persons by one place, of releases of the same data."""

    cells: pd.DataFrame
    """One row per cell, printed where any table prints it: table, unit, region, dimensions, value, status."""
    twice: pd.DataFrame
    """Cells that two tables print with different values."""
    low: Floats
    high: Floats
    """What is possible by what is printed of the cell alone."""
    half: Floats
    """How far the true count can be from the printed one."""
    hidden: Flags
    is_nobody: Flags
    """Whoever looks it up knows that nobody is there."""
    need: Floats
    """Width that its interval must keep; 0 for a printed cell."""
    links: sparse.csr_matrix
    kinds: list[str]
    places: Places

    @property
    def dimensions(self) -> list[str]:
        return [name for name in self.cells if name in DIMENSIONS]

    @property
    def keys(self) -> list[str]:
        return ["region_level", "region_code", *self.dimensions]

    def name(self, at: int) -> str:
        """A cell in words."""
        row = self.cells.iloc[at]
        named = [f"{name}={row[name]}" for name in self.dimensions if row[name] != codes.ALL]
        return " ".join([row["region_level"], row["region_code"], *named])

    def narrow(self, low: Floats, high: Floats, need: Floats, vouched: Vouched | None = None) -> Integers | None:
        """Cells known more closely than needed, if counts are between these ends; None: no counts agree with them."""
        table = None
        if vouched is not None:
            need, table = np.where(vouched.cells, 0.0, need), vouched.table
            if not need.any():
                return np.array([], dtype=np.int64)
        return narrow_cells(self.links, low, high, need, places=self.places, table=table)

    def told(self, known: pd.Series[float]) -> Population:
        """To a reader who knows the households of each region as well."""
        total = self.cells["region_code"].map(known).to_numpy(float)
        is_total = (self.cells[self.dimensions] == codes.ALL).all(axis=1).to_numpy()
        is_known = is_total & ~np.isnan(total)
        is_told = is_known | only_ones(self.links, self.kinds, impossible=self.is_nobody, is_known=is_known)
        return replace(
            self,
            low=np.where(is_known, total - 0.5, self.low),
            high=np.where(is_known, total + 0.5, self.high),
            need=np.where(is_told, 0.0, np.fmin(self.need, total)),
        )


def widths_asked(
    cells: pd.DataFrame,
    hidden: Flags,
    links: sparse.csr_matrix,
    low: Floats,
    high: Floats,
    *,
    threshold: float,
    has_register: bool,
) -> Floats:
    """Width that the interval of each withheld count must keep; 0 for the others.

    Totals of regions that census and register print are no secret, and in a region that can have seven at most by what a release
    prints no count can be wider than that. With the register at hand the true total takes its place.

    Args:
        cells: as of `Population`.
        hidden, links, low, high: as of `Population`.
        threshold: of the gate.
        has_register: totals are printed elsewhere.
    """
    must_be_wide = cells["status"].isin((r.SMALL, r.DOMINANCE)).to_numpy()
    need = np.where(hidden, np.where(must_be_wide, float(threshold), 1.0), 0.0)
    is_total = (cells[[name for name in cells if name in DIMENSIONS]] == codes.ALL).all(axis=1).to_numpy()
    if not has_register or not (hidden & is_total).any():
        return need
    _, most = implied(links, low, high)
    largest = pd.Series(most[is_total], cells["region_code"].to_numpy()[is_total])
    inside = cells["region_code"].map(largest).to_numpy(float)
    return np.where(is_total, 0.0, np.fmin(need, inside))


def together(
    one: Population, other: Population, *, change: float, known: pd.Series[float] | None = None
) -> tuple[list[tuple[Population, int]] | None, Vouched | None]:
    """Cells of either of two releases that a reader of both knows more closely than needed.

    A count that not both print is taken to change by `change` at most, or as much as small printed ones do. Where no counts agree
    with that, the reader was wrong and takes a larger one.

    Args:
        one: counts of a release.
        other: of the same population in another month or version.
        change: in counts.
        known: households of regions that the reader of `one` may know as well; only what is vouched for is so.

    Returns:
        Population and position of each, None: no counts agree whatever the change; and what is vouched for of `one`, known
        totals or not, where that was asked for.
    """
    keys = sorted({*one.keys} & {*other.keys})
    named = [
        population.cells[(population.cells[[d for d in population.dimensions if d not in keys]] == codes.ALL).all(axis=1)][keys]
        for population in (one, other)
    ]
    first, second = (frame.assign(at=frame.index) for frame in named)
    pairs = first.merge(second, on=keys, suffixes=("", "_other"), validate="one_to_one")
    at, at_other = pairs["at"].to_numpy(), pairs["at_other"].to_numpy()
    values = one.cells["value"].to_numpy(float)[at], other.cells["value"].to_numpy(float)[at_other]
    is_near = np.fmax(*values) <= _SMALL
    seen = float(np.nanmax(np.abs(values[0] - values[1])[is_near], initial=0.0)) if is_near.any() else 0.0
    is_open = (one.hidden[at] | other.hidden[at_other]) & ~(one.is_nobody[at] | other.is_nobody[at_other])
    at, at_other = at[is_open], at_other[is_open]
    sizes = (len(one.cells), len(other.cells), at.size)
    row = np.arange(at.size)

    def at_cells(cells: Integers, sign: float, size: int) -> sparse.csr_matrix:
        return sparse.csr_matrix((np.full(cells.size, sign), (row, cells)), shape=(at.size, size))

    links = sparse.bmat(
        [
            [one.links, None, sparse.csr_matrix((one.links.shape[0], sizes[2]))],
            [None, other.links, None],
            [at_cells(at, 1.0, sizes[0]), at_cells(at_other, -1.0, sizes[1]), at_cells(row, -1.0, sizes[2])],
        ],
        format="csr",
    )
    both = pd.concat([one.cells, other.cells, one.cells.iloc[at]], ignore_index=True)
    places = places_of(both.fillna(dict.fromkeys(one.dimensions + other.dimensions, codes.ALL)))
    need = np.concatenate([one.need, other.need, np.zeros(at.size)])
    for times in _LARGER:
        most = np.full(at.size, max(change, seen) * times)
        low, high = np.concatenate([one.low, other.low, -most]), np.concatenate([one.high, other.high, most])
        least, furthest = implied(links, low, high)
        if (least > furthest + MARGIN).any():
            continue  # no counts agree, as the links show one by one
        asked, table, vouched = need, None, None
        if low.size > _ONE_PROGRAM:
            told = one if known is None else one.told(known)
            apart = _apart(told, other, at, at_other, links, places=places, most=most)
            if apart is not None:
                left, table = apart
                left[: sizes[0]][told.need < one.need] = 1.0  # of them less was asked
                vouched = Vouched((left[: sizes[0]] == 0) & (one.need > 0), table[: sizes[0]])
                asked = np.where(left > 0, need, 0.0)
        found = narrow_cells(links, low, high, asked, places=places, table=table)
        if found is not None:
            return [(one, cell) if cell < sizes[0] else (other, cell - sizes[0]) for cell in found.tolist()], vouched
    return None, None


def _apart(
    one: Population,
    other: Population,
    at: Integers,
    at_other: Integers,
    links: sparse.csr_matrix,
    *,
    places: Places,
    most: Floats,
) -> tuple[Floats, Floats] | None:
    """What tables of each release alone do not vouch for, if any table of the one goes with any of the other.

    Around a table of both: counts that both withhold stay in one box, as wide as they may differ; where one prints a count, the
    other's stays near enough to all that it can be. So the two are asked apart, a small part of the work, and what is vouched for
    is proven of both.

    Args:
        one, other: two releases.
        at, at_other: positions of the counts that are tied to each other.
        links, places: of the cells of both and of what ties them.
        most: by which they may differ.

    Returns:
        Width asked of all cells of both and of what ties them, 0 where it is vouched for, and a table of all; None where none
        was found.
    """
    both = one.hidden[at] & other.hidden[at_other]
    ends = []
    for mine, theirs, here, there in ((one, other, at, at_other), (other, one, at_other, at)):
        low, high = mine.low.copy(), mine.high.copy()
        near = mine.hidden[here] & ~both
        low[here[near]] = np.maximum(low[here[near]], theirs.high[there[near]] - most[near])
        high[here[near]] = np.minimum(high[here[near]], theirs.low[there[near]] + most[near])
        ends.append((low, high))
    (low, high), (low_other, high_other) = ends
    try:
        of_one, of_other = _tables(one, other, at, at_other, links, ends, places=places, most=most)
    except Inconsistent:
        return None
    table = np.concatenate([of_one, of_other, of_one[at] - of_other[at_other]])
    left, left_other = _left_alike(one, other, of_one, of_other)
    floor = np.maximum((of_one[at] + of_other[at_other] - most) / 2, 0.0)[both]
    for cells, least, furthest in ((at[both], low, high), (at_other[both], low_other, high_other)):
        least[cells] = np.maximum(least[cells], floor)
        furthest[cells] = np.minimum(furthest[cells], floor + most[both])
    left = left_by_dongs(one.links, low, high, left, places=one.places, table=of_one)
    left_other = left_by_dongs(other.links, low_other, high_other, left_other, places=other.places, table=of_other)
    left = np.concatenate([left, left_other, np.zeros(at.size)])
    follow = [
        followed(
            release.links,
            np.where(release.places.nest > 0, least, release.low),
            np.where(release.places.nest > 0, furthest, release.high),
            places=release.places,
            table=alone,
        )
        for release, alone, (least, furthest) in ((one, of_one, ends[0]), (other, of_other, ends[1]))
    ]
    if follow[0] is not None and follow[1] is not None:
        lows, highs = (np.concatenate(sides) for sides in zip(follow[0], follow[1], (-most, most), strict=True))
        need = np.concatenate([one.need, other.need, np.zeros(at.size)])
        left = left_above_areas(links, lows, highs, need, left, places=places, table=table)
    return left, table


def _tables(
    one: Population,
    other: Population,
    at: Integers,
    at_other: Integers,
    links: sparse.csr_matrix,
    ends: list[tuple[Floats, Floats]],
    *,
    places: Places,
    most: Floats,
) -> tuple[Floats, Floats]:
    """Tables of two releases that go with each other: first of the one, then of the other near to it; if that has none, of both
    at once.

    Args:
        ends: of the cells of each, in which any of the one goes with a printed one of the other.

    Raises:
        Inconsistent: there are none.
    """
    (low, high), (low_other, high_other) = ends
    lows, highs = np.concatenate([low, low_other, -most]), np.concatenate([high, high_other, most])
    size = len(one.cells)
    try:
        least, furthest = (side[:size] for side in implied(links, lows, highs))
        furthest = np.where(furthest >= FAR, np.inf, furthest)
        of_one = table_of_all(one.links, np.maximum(low, least), np.minimum(high, furthest), places=one.places)
        near, far = low_other.copy(), high_other.copy()
        near[at_other] = np.maximum(near[at_other], of_one[at] - most)
        far[at_other] = np.minimum(far[at_other], of_one[at] + most)
        return of_one, table_of_all(other.links, near, far, places=other.places)
    except Inconsistent:
        of_both = table_of_all(links, lows, highs, places=places)
        return of_both[:size], of_both[size : size + len(other.cells)]


def _left_alike(one: Population, other: Population, of_one: Floats, of_other: Floats) -> tuple[Floats, Floats]:
    """Width asked of the cells of each that tables in which both move alike do not vouch for: as far apart as before, they need
    no box."""
    if not (one.cells[one.keys].equals(other.cells[other.keys]) and (one.links != other.links).nnz == 0):
        return one.need, other.need
    down = np.maximum(np.minimum(of_one - one.low, of_other - other.low), 0.0)
    up = np.maximum(np.minimum(one.high - of_one, other.high - of_other), 0.0)
    need = np.maximum(one.need, other.need)
    asked = np.where(down + up >= need, need, 0.0)
    left = left_by_dongs(one.links, of_one - down, of_one + up, asked, places=one.places, table=of_one)
    is_vouched = (asked > 0) & (left == 0)
    return np.where(is_vouched, 0.0, one.need), np.where(is_vouched, 0.0, other.need)


def count_rows(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Counts of the long tables of a release under one key; `all` in each dimension that a table does not have."""
    names = sorted({d for frame in tables.values() for d in frame.columns if d in DIMENSIONS})
    parts = []
    for table, frame in tables.items():
        rows = frame[frame["unit"].isin(r.CONTRIBUTORS) & frame["statistic"].isin(r.CONTRIBUTORS)]
        missing = {d: codes.ALL for d in names if d not in rows}
        parts.append(
            rows.assign(**missing, table=table)[["table", "unit", "region_level", "region_code", *names, "value", "status"]]
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def register_totals(facts: Mapping[str, pd.DataFrame]) -> pd.Series[float]:
    """Households of each region, as census and register print them exactly."""
    for source, frame in facts.items():
        if r.COUNT_OF[source] == "households":
            total = frame[(frame[list(r.DIMENSIONS[source])] == codes.ALL).all(axis=1)]
            return total.groupby("region_code")["households"].first()
    return pd.Series(dtype=float)
