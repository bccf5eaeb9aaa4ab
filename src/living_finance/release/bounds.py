"""How closely an outsider can work out withheld counts from everything printed: linear programs over all links at once.

Written for `release.verify` and sharing nothing with the protection. It knows only what is printed: an interval for a
published count, "not negative" for a withheld one. Any two tables of counts that agree with all of that are equally
possible to the reader, so the distance between two such tables is a lower bound of the width of each cell's interval.
A few tables far apart vouch for most cells; what they do not vouch for is asked cell by cell, up and down.

Up to `_WHOLE` cells everything is one program. Beyond, one table of everything is found first: city and districts, then each
district below them. Around it each district is asked with its dongs and output areas, the city's and its own counts, all
others held: again a lower bound. Of a rare kind there can be more in a district only where there is less elsewhere: so where a
district's own count is withheld, the other districts' counts of its cross are free too, and those of the dongs that have
most of the kind. What no district vouches for is asked of everything at once.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import highspy
import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_WHOLE = 12_000
_MARGIN = 1e-5
_TRIES = 24
_PARTNERS = 8
"""Regions elsewhere that a district may trade a kind of count with: those that have most of it."""
_FAR = 1e15
"""Where a count is not bounded."""
_FURTHEST = 50.0
"""A cell that seems narrow is asked once more with all others this many times freer."""
_UNPERTURBED = {"primal_simplex_bound_perturbation_multiplier": 0.0, "dual_simplex_cost_perturbation_multiplier": 0.0}
"""Nothing to put right in the end, which takes longer than a program that starts at the last one's end."""
_OPTIONS: dict[str, float | str] = {"threads": 1, "solver": "simplex", "presolve": "off", **_UNPERTURBED}
_INTERIOR: dict[str, float | str] = {"threads": 1, "solver": "ipm", "run_crossover": "off"}
"""For a whole city, where simplex does not end: half a minute of CPU a program, and nothing warm for the next."""
_FEW = 100
_DUAL, _PRIMAL = 1, 4
"""Dual simplex finds the first table (10 times faster), primal the others: the last one stays possible."""


class Inconsistent(Exception):
    """No table of counts agrees with what is printed."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where each count stands."""

    group: Integers
    """0 for cells of city and districts, else the number of the district."""
    parent_group: Integers
    """For a district's own cells its number, else 0."""
    nest: Integers
    """Cells with one number are asked together first, all others held; -1: in none."""
    region: Integers
    """Number of the region."""
    cross: Integers
    """Number of the dimensions that it is counted by."""
    category: Integers
    """Number of what is counted: the same in every region."""

    @property
    def is_city(self) -> Flags:
        """The city's own cells."""
        return np.asarray((self.group == 0) & (self.parent_group == 0))

    def partners(self, district: int, table: Floats, need: Floats) -> Flags:
        """Cells outside a district with which it trades what is withheld of its own counts: where that is rare, there can be
        more only where there is less elsewhere, and the other way round."""
        own = self.parent_group == district
        traded = np.unique(self.category[own & (need > 0)])
        outside = ~np.isin(self.group, (0, district))
        regions = [np.zeros(0, dtype=np.int64)]
        for category in traded.tolist():
            there = np.flatnonzero(outside & (self.category == category))
            regions.append(self.region[there[np.argsort(-table[there], kind="stable")[:_PARTNERS]]])
        at_hand = ((self.group == 0) & ~own & ~self.is_city) | (outside & np.isin(self.region, np.concatenate(regions)))
        return np.asarray(at_hand & np.isin(self.cross, self.cross[np.isin(self.category, traded)]))


def narrow_cells(
    links: sparse.csr_matrix,
    low: Floats,
    high: Floats,
    need: Floats,
    *,
    places: Places,
    table: Floats | None = None,
) -> Integers | None:
    """Cells whose interval is narrower than needed.

    Args:
        links: one row per link over the cells, parts 1, whole -1.
        low: least possible count of each cell by what is printed of it.
        high: largest, `inf` for a withheld one.
        need: width asked of each cell's interval; 0 for a published one.
        places: of the cells.
        table: one that is possible, where it is known: districts of which nothing is asked are not looked at.

    Returns:
        Positions of narrow cells; None where no table of counts agrees with what is printed.
    """
    is_large = low.size > _WHOLE
    if is_large:
        with contextlib.suppress(Inconsistent):  # the whole has one, perhaps, with other counts at the top
            found = alike(links, low, high, need, places=places, table=table)
            need, table = found.need, found.table
    try:
        if not need.any():
            return np.array([], dtype=np.int64)
        if is_large:
            return _one_by_one(links, low, high, need, table)
        return _narrow(links, low, high, need, _table(links, low, high) if table is None else table).narrow
    except Inconsistent:
        return None


@dataclass(frozen=True)
class Alike:
    """What tables say that differ little from each other."""

    need: Floats
    """Of the cells that they do not vouch for, else 0."""
    low: Floats
    high: Floats
    """The ends of their counts."""
    table: Floats
    """One of them."""


def implied(links: sparse.csr_matrix, low: Floats, high: Floats, *, sweeps: int = 3) -> tuple[Floats, Floats]:
    """Intervals narrowed by each link in turn: no program, and never narrower than what links imply.

    Args:
        links, low, high: as of `narrow_cells`.
        sweeps: over all links.
    """
    least, most = low.copy(), np.minimum(high, _FAR)
    entries = links.tocoo()
    row, cell, sign = entries.row, entries.col, entries.data
    for _ in range(sweeps):
        # sign × count lies between ends; all of a link add up to 0
        lower, upper = np.where(sign > 0, least[cell], -most[cell]), np.where(sign > 0, most[cell], -least[cell])
        sums = [np.bincount(row, weights=ends, minlength=links.shape[0])[row] for ends in (lower, upper)]
        down, up = -(sums[1] - upper), -(sums[0] - lower)
        np.maximum.at(least, cell, np.where(sign > 0, down, -up))
        np.minimum.at(most, cell, np.where(sign > 0, up, -down))
    return least, most


def alike(
    links: sparse.csr_matrix,
    low: Floats,
    high: Floats,
    need: Floats,
    *,
    places: Places,
    table: Floats | None = None,
    spread: Floats | None = None,
) -> Alike:
    """Cells that no district's program vouches for, by tables that may be asked to differ little: any of these then goes with any
    such table of another release. All are asked around one table of everything.

    Args:
        links, low, high, need, places, table: as of `narrow_cells`.
        spread: most that a cell's counts may differ in two of the tables; None: any.

    Raises:
        Inconsistent: the top or some district has no table.
    """
    if table is None:
        table, low, high = _table_of_all(links, low, high, need, places=places, spread=spread)
    by_column, left = links.tocsc(), need > 0

    def ask(district: int) -> tuple[Integers, Integers]:
        inside = (places.group == district) | (places.parent_group == district) | places.is_city
        members = np.flatnonzero(inside | places.partners(district, table, need))
        own = by_column[:, members]
        own = own[np.unique(own.indices)]
        asked = np.where(inside, need, 0.0)[members]
        found = _narrow(own, low[members], high[members], asked, table[members], nest=places.nest[members])
        return members[asked > 0], members[found.narrow]

    districts = {*places.group[need > 0].tolist(), *places.parent_group[need > 0].tolist()} - {0}
    with ThreadPoolExecutor(max_workers=2) as pool:
        for asked, narrow in pool.map(ask, sorted(districts)):
            left[np.setdiff1d(asked, narrow)] = False
    return Alike(np.where(left, need, 0.0), low, high, table)


def _table_of_all(
    links: sparse.csr_matrix, low: Floats, high: Floats, need: Floats, *, places: Places, spread: Floats | None
) -> tuple[Floats, Floats, Floats]:
    """A possible table and the ends of what may be asked around it: the top first, in its middle, then each district below it."""
    spread = np.full(low.size, np.inf) if spread is None else spread
    table, low, high = np.full(low.size, np.nan), low.copy(), high.copy()

    def keep(cells: Integers, counts: Floats) -> None:
        table[cells] = counts
        low[cells] = np.maximum(low[cells], counts - spread[cells] / 2)
        high[cells] = np.minimum(high[cells], low[cells] + spread[cells])

    top = np.flatnonzero(places.group == 0)
    own = links[np.flatnonzero((links > 0) @ (places.group != 0) == 0)][:, top]  # links all of whose parts are at the top
    least, most = implied(links, low, high)  # what is below says which counts of the top are out of the question
    low[top], high[top] = least[top], np.where(most >= _FAR, np.inf, most)[top]
    keep(top, _table(own, low[top], high[top]))
    table[top] = _narrow(own, low[top], high[top], need[top], table[top]).middle
    by_column = links.tocsc()

    def of_district(district: int) -> tuple[Integers, Floats]:
        inside = np.flatnonzero(places.group == district)
        rows = np.unique(by_column[:, inside].indices)
        sums = -(links[rows] @ np.where(places.group == 0, table, 0.0))
        return inside, _table(links[rows][:, inside], low[inside], high[inside], sums)

    with ThreadPoolExecutor(max_workers=2) as pool:
        for inside, counts in pool.map(of_district, sorted(set(places.group.tolist()) - {0})):
            keep(inside, counts)
    return table, low, high


@dataclass(frozen=True)
class _Asked:
    """What a program was found to say."""

    narrow: Integers
    middle: Floats
    """A table in the middle of those found."""


def _table(links: sparse.csr_matrix, low: Floats, high: Floats, sums: Floats | None = None) -> Floats:
    """A possible table.

    Raises:
        Inconsistent: there is none.
    """
    solve = _solver(links.tocsc(), np.zeros(links.shape[0]) if sums is None else sums)
    found = solve(np.zeros(low.size), low, high)
    if found is None:
        raise Inconsistent
    return found


def _one_by_one(links: sparse.csr_matrix, low: Floats, high: Floats, need: Floats, table: Floats | None) -> Integers:
    """Narrow cells of a program too large for any but the few that nothing smaller vouches for; if they are many, all of them.

    Raises:
        Inconsistent: no table is possible.
    """
    solve, narrow = _solver(links.tocsc(), np.zeros(links.shape[0]), _INTERIOR), np.flatnonzero(need)
    if table is None and solve(np.zeros(low.size), low, high) is None:
        raise Inconsistent

    def is_wide(cell: int) -> bool:
        direction, enough = np.zeros(low.size), high.copy()
        direction[cell] = 1.0
        least = solve(direction, low.copy(), high)
        if least is None:
            return False
        enough[cell] = min(high[cell], least[cell] + 2 * need[cell])
        most = solve(-direction, low.copy(), enough)
        return most is not None and bool(most[cell] - least[cell] >= need[cell] - _MARGIN)

    if narrow.size > _FEW:
        return narrow
    return np.array([cell for cell in narrow.tolist() if not is_wide(cell)], dtype=np.int64)


def _narrow(
    links: sparse.csr_matrix, low: Floats, high: Floats, need: Floats, first: Floats, *, nest: Integers | None = None
) -> _Asked:
    """Narrow cells of one program, by tables around one: each link adds up to what it adds up to there.

    Args:
        links, low, high, need, nest: as of `narrow_cells`.
        first: a possible table.
    """
    columns = links.tocsc()
    solve = _solver(columns, links @ first)
    low, high = np.minimum(low, first), np.maximum(high, first)  # to the last bit
    # Cells need not go further than asked; so one cell does not take up all there is to move.
    far = 2 * float(need.max(initial=0.0))
    floor, ceiling = np.maximum(low, first - far), np.minimum(high, first + far)
    least, most, total, tables = first.copy(), first.copy(), first.copy(), 1
    for number in sorted(set(nest[need > 0].tolist()) - {-1}) if nest is not None else ():
        inside = np.flatnonzero(nest == number)
        part = columns[:, inside]
        rows = np.flatnonzero(np.bincount(part.indices, minlength=part.shape[0]))
        own = part[rows]
        ask = _solver(own.tocsc(), own @ first[inside])
        for table in _tables(ask, floor[inside], ceiling[inside], need[inside], least[inside], most[inside]):
            least[inside], most[inside] = np.minimum(least[inside], table), np.maximum(most[inside], table)
    for table in _tables(solve, floor, ceiling, need, least, most):
        least, most, total, tables = np.minimum(least, table), np.maximum(most, table), total + table, tables + 1
    wide = np.maximum(low, first - _FURTHEST * far), np.minimum(high, first + _FURTHEST * far)
    for lowest, highest in ((floor, ceiling), wide):  # first one, then the other: the last table stays possible
        for cell, sign in itertools.product(np.flatnonzero(most - least < need - _MARGIN).tolist(), (-1.0, 1.0)):
            if most[cell] - least[cell] < need[cell] - _MARGIN:
                direction = np.zeros(low.size)
                direction[cell] = sign
                furthest = solve(direction, lowest, highest)
                if furthest is not None:
                    least, most = np.minimum(least, furthest), np.maximum(most, furthest)
    narrow = np.flatnonzero(most - least < need - _MARGIN)
    return _Asked(narrow, total / tables)


def _tables(solve: _Solve, floor: Floats, ceiling: Floats, need: Floats, least: Floats, most: Floats) -> Iterator[Floats]:
    """Possible tables far apart in the cells that still need width; the last ones bring little."""
    least, most = least.copy(), most.copy()
    open_cells = np.flatnonzero(most - least < need - _MARGIN)
    for attempt in range(_TRIES):
        if not open_cells.size:
            return
        order = np.random.default_rng(attempt).permutation(open_cells.size)
        direction = np.zeros(floor.size)
        direction[open_cells[order]] = np.where(np.arange(order.size) % 2, 1.0, -1.0)
        table = solve(direction, floor, ceiling)
        if table is None:
            return
        least, most = np.minimum(least, table), np.maximum(most, table)
        yield table
        before, open_cells = open_cells.size, open_cells[(most - least < need - _MARGIN)[open_cells]]
        if attempt > 2 and open_cells.size > 0.95 * before:
            return


_Solve = Callable[[Floats, Floats, Floats], "Floats | None"]


def _solver(links: sparse.csc_matrix, sums: Floats, options: Mapping[str, float | str] = _OPTIONS) -> _Solve:
    """Minimise a direction over all possible tables; warm from the last call."""
    engine = highspy._Highs()  # type: ignore[attr-defined]  # the wrapper `Highs` prints a banner before it can be silenced
    engine.setOptionValue("output_flag", False)
    for name, value in options.items():
        engine.setOptionValue(name, value)
    columns, rows = np.arange(links.shape[1], dtype=np.int32), links.shape[0]
    problem = highspy.HighsLp()
    problem.num_col_, problem.num_row_ = columns.size, rows
    problem.col_cost_ = problem.col_lower_ = problem.col_upper_ = np.zeros(columns.size)
    problem.row_lower_ = problem.row_upper_ = sums
    problem.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    problem.a_matrix_.start_, problem.a_matrix_.index_, problem.a_matrix_.value_ = links.indptr, links.indices, links.data
    engine.passModel(problem)
    current: list[Floats] = []
    is_warm = False

    def solve(direction: Floats, low: Floats, high: Floats) -> Floats | None:
        nonlocal is_warm
        if not current or current[0] is not low:
            engine.changeColsBounds(columns.size, columns, low, high)
            current[:] = [low]
        engine.changeColsCost(columns.size, columns, direction)
        engine.setOptionValue("simplex_strategy", _PRIMAL if is_warm else _DUAL)
        engine.run()
        is_optimal = is_warm = engine.getModelStatus() == highspy.HighsModelStatus.kOptimal
        return np.asarray(engine.getSolution().col_value) if is_optimal else None

    return solve
