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
    pair, seen = _tied(one, other)
    size = len(one.cells)
    need = np.concatenate([one.need, other.need, np.zeros(pair.at.size)])
    for times in _LARGER:
        most = np.full(pair.at.size, max(change, seen) * times)
        low, high = np.concatenate([one.low, other.low, -most]), np.concatenate([one.high, other.high, most])
        least, furthest = implied(pair.links, low, high)
        if (least > furthest + MARGIN).any():
            continue  # no counts agree, as the links show one by one
        asked, table, vouched = need, None, None
        if low.size > _ONE_PROGRAM:
            told = one if known is None else one.told(known)
            apart = _left_around_tables(replace(pair, one=told), most)
            if apart is not None:
                left, table = apart
                left[:size][told.need < one.need] = 1.0  # of them less was asked
                vouched = Vouched((left[:size] == 0) & (one.need > 0), table[:size])
                asked = np.where(left > 0, need, 0.0)
        found = narrow_cells(pair.links, low, high, asked, places=pair.places, table=table)
        if found is not None:
            return [(one, cell) if cell < size else (other, cell - size) for cell in found.tolist()], vouched
    return None, None


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """Two releases, and what ties a count of the one to the same count of the other."""

    one: Population
    other: Population
    at: Integers
    """Positions of the counts that are tied."""
    at_other: Integers
    is_alike: bool
    """Both have the same cells in the same order."""
    links: sparse.csr_matrix
    """Over the cells of the one, of the other, and how far those that are tied differ."""
    places: Places
    """Of all of these."""


def _tied(one: Population, other: Population) -> tuple[_Pair, float]:
    """Counts are tied that not both print; and how much small printed ones change."""
    is_alike = one.keys == other.keys and one.cells[one.keys].equals(other.cells[one.keys])
    at, at_other = (np.arange(len(one.cells)),) * 2 if is_alike else _same(one, other)
    values = one.cells["value"].to_numpy(float)[at], other.cells["value"].to_numpy(float)[at_other]
    is_near = np.fmax(*values) <= _SMALL
    seen = float(np.nanmax(np.abs(values[0] - values[1])[is_near], initial=0.0)) if is_near.any() else 0.0
    is_open = (one.hidden[at] | other.hidden[at_other]) & ~(one.is_nobody[at] | other.is_nobody[at_other])
    at, at_other = at[is_open], at_other[is_open]
    row = np.arange(at.size)

    def at_cells(cells: Integers, sign: float, size: int) -> sparse.csr_matrix:
        return sparse.csr_matrix((np.full(cells.size, sign), (row, cells)), shape=(at.size, size))

    links = sparse.bmat(
        [
            [one.links, None, sparse.csr_matrix((one.links.shape[0], at.size))],
            [None, other.links, None],
            [at_cells(at, 1.0, len(one.cells)), at_cells(at_other, -1.0, len(other.cells)), at_cells(row, -1.0, at.size)],
        ],
        format="csr",
    )
    if is_alike:
        places = Places.together(one.places, other.places, one.places.of(at))
    else:
        cells = pd.concat([one.cells, other.cells, one.cells.iloc[at]], ignore_index=True)
        places = places_of(cells.fillna(dict.fromkeys(one.dimensions + other.dimensions, codes.ALL)))
    pair = _Pair(one=one, other=other, at=at, at_other=at_other, is_alike=is_alike, links=links, places=places)
    return pair, seen


def _same(one: Population, other: Population) -> tuple[Integers, Integers]:
    """Positions of the cells that both have: by the dimensions of both, `all` in others."""
    keys = sorted({*one.keys} & {*other.keys})
    named = [
        population.cells[(population.cells[[d for d in population.dimensions if d not in keys]] == codes.ALL).all(axis=1)][keys]
        for population in (one, other)
    ]
    first, second = (frame.assign(at=frame.index) for frame in named)
    pairs = first.merge(second, on=keys, suffixes=("", "_other"), validate="one_to_one")
    return pairs["at"].to_numpy(), pairs["at_other"].to_numpy()


def _left_around_tables(pair: _Pair, most: Floats) -> tuple[Floats, Floats] | None:
    """What tables around one of both releases do not vouch for: first of both moved alike, then of each apart, then of districts
    without output areas.

    Apart: counts that both withhold stay in one box, as wide as they may differ; where one prints a count, the other's stays
    near enough to all that it can be. So any table of the one goes with any of the other, and what is vouched for is proven of
    both. Output areas stay in their boxes to the end.

    Args:
        pair: two releases.
        most: by which their tied counts may differ.

    Returns:
        Width asked of all cells of both and of what ties them, 0 where it is vouched for, and a table of all; None where none
        was found.
    """
    one, other = pair.one, pair.other
    ends = [_near(one, other, pair.at, pair.at_other, most), _near(other, one, pair.at_other, pair.at, most)]
    try:
        of_one, of_other = _tables(pair, ends, most)
    except Inconsistent:
        return None
    table = np.concatenate([of_one, of_other, of_one[pair.at] - of_other[pair.at_other]])
    both = one.hidden[pair.at] & other.hidden[pair.at_other]
    floor = np.maximum((of_one[pair.at] + of_other[pair.at_other] - most) / 2, 0.0)[both]
    left, drawn_in = [], []
    for release, around, here, (low, high), asked in zip(
        (one, other), (of_one, of_other), (pair.at, pair.at_other), ends, _left_alike(pair, of_one, of_other), strict=True
    ):
        boxed = here[both]
        low[boxed] = np.maximum(low[boxed], floor)
        high[boxed] = np.minimum(high[boxed], floor + most[both])
        left.append(left_by_dongs(release.links, low, high, asked, places=release.places, table=around))
        is_area = release.places.nest > 0
        low, high = np.where(is_area, low, release.low), np.where(is_area, high, release.high)
        drawn_in.append(followed(release.links, low, high, places=release.places, table=around))
    of_all = np.concatenate([*left, np.zeros(pair.at.size)])
    of_areas, of_other_areas = drawn_in
    if of_areas is not None and of_other_areas is not None:
        lows, highs = (np.concatenate(sides) for sides in zip(of_areas, of_other_areas, (-most, most), strict=True))
        need = np.concatenate([one.need, other.need, np.zeros(pair.at.size)])
        of_all = left_above_areas(pair.links, lows, highs, need, of_all, places=pair.places, table=table)
    return of_all, table


def _near(one: Population, other: Population, at: Integers, at_other: Integers, most: Floats) -> tuple[Floats, Floats]:
    """Ends of the cells of one release; of a count that it withholds and the other prints, near to all that that can be."""
    low, high = one.low.copy(), one.high.copy()
    told = one.hidden[at] & ~other.hidden[at_other]
    here, there, most = at[told], at_other[told], most[told]
    low[here] = np.maximum(low[here], other.high[there] - most)
    high[here] = np.minimum(high[here], other.low[there] + most)
    return low, high


def _tables(pair: _Pair, ends: list[tuple[Floats, Floats]], most: Floats) -> tuple[Floats, Floats]:
    """Tables of two releases that go with each other: of the one, then of the other near to it; if it has none, of both at once.

    Args:
        pair, most: as of `_left_around_tables`.
        ends: of the cells of each.

    Raises:
        Inconsistent: there are none.
    """
    (low, high), (low_other, high_other) = ends
    lows, highs = np.concatenate([low, low_other, -most]), np.concatenate([high, high_other, most])
    size = low.size
    try:
        least, furthest = (side[:size] for side in implied(pair.links, lows, highs))
        furthest = np.where(furthest >= FAR, np.inf, furthest)
        of_one = table_of_all(pair.one.links, np.maximum(low, least), np.minimum(high, furthest), places=pair.one.places)
        near, far = low_other.copy(), high_other.copy()
        near[pair.at_other] = np.maximum(near[pair.at_other], of_one[pair.at] - most)
        far[pair.at_other] = np.minimum(far[pair.at_other], of_one[pair.at] + most)
        return of_one, table_of_all(pair.other.links, near, far, places=pair.other.places)
    except Inconsistent:
        of_both = table_of_all(pair.links, lows, highs, places=pair.places)
        return of_both[:size], of_both[size : size + low_other.size]


def _left_alike(pair: _Pair, of_one: Floats, of_other: Floats) -> tuple[Floats, Floats]:
    """Width asked of the cells of each that tables in which both move alike do not vouch for: as far apart as before, they need
    no box."""
    one, other = pair.one, pair.other
    if not pair.is_alike or (one.links != other.links).nnz:
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
