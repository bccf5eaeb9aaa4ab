"""How closely an outsider can work out withheld counts from everything printed: linear programs over all links at once.

Written for `release.verify` and sharing nothing with the protection. It knows only what is printed: an interval for a
published count, "not negative" for a withheld one. Any two tables of counts that agree with all of that are equally
possible to the reader, so the distance between two such tables is a lower bound of the width of each cell's interval.
A few tables far apart vouch for most cells; what they do not vouch for is asked cell by cell, up and down.

Up to `_WHOLE` cells everything is one program. Beyond, city and districts are one and each district is one with its
dongs and output areas, the city and the district's own counts, the other districts' held at a table that is possible at
the top, from a table of its own that is possible with it: again a lower bound. What no district vouches for is asked of
everything at once.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import highspy
import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_WHOLE = 12_000
_MARGIN = 1e-5
_TRIES = 24
_FAR = 1e15
"""Where a count is not bounded."""
_FURTHEST = 50.0
"""A cell that seems narrow is asked once more with all others this many times freer."""
_OPTIONS: dict[str, int | str] = {"threads": 1, "solver": "simplex", "presolve": "off"}
_DUAL, _PRIMAL = 1, 4
"""Dual simplex finds the first table (10 times faster), primal the others: the last one stays possible."""


class Inconsistent(Exception):
    """No table of counts agrees with what is printed."""


def narrow_cells(
    links: sparse.csr_matrix,
    low: Floats,
    high: Floats,
    need: Floats,
    *,
    group: Integers,
    parent_group: Integers,
    nest: Integers,
    table: Floats | None = None,
) -> Integers | None:
    """Cells whose interval is narrower than needed.

    Args:
        links: one row per link over the cells, parts 1, whole -1.
        low: least possible count of each cell by what is printed of it.
        high: largest, `inf` for a withheld one.
        need: width asked of each cell's interval; 0 for a published one.
        group: 0 for cells of city and districts, else the number of the district.
        parent_group: for a district's own cells its number, else 0.
        nest: cells with one number are asked together first, all others held; -1: in none.
        table: one that is possible, where it is known: districts of which nothing is asked are not looked at.

    Returns:
        Positions of narrow cells; None where no table of counts agrees with what is printed.
    """
    asked = need
    if low.size > _WHOLE:
        with contextlib.suppress(Inconsistent):  # the whole has one, perhaps, with other counts at the top
            asked = alike(links, low, high, need, group=group, parent_group=parent_group, nest=nest, table=table).need
    try:
        return _narrow(links, low, high, asked, first=table).narrow if asked.any() else np.array([], dtype=np.int64)
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
    group: Integers,
    parent_group: Integers,
    nest: Integers,
    table: Floats | None = None,
    spread: Floats | None = None,
) -> Alike:
    """Cells that no district's program vouches for, by tables that may be asked to differ little: any of these then goes with any
    such table of another release. Each district's first table has the counts of the top that the others are held at, so that all
    together are a table of everything.

    Args:
        links, low, high, need, group, parent_group, nest, table: as of `narrow_cells`.
        spread: most that a cell's counts may differ in two of the tables; None: any.

    Raises:
        Inconsistent: the top or some district has no table.
    """
    spread = np.full(low.size, np.inf) if spread is None else spread
    first = np.full(low.size, np.nan) if table is None else table.copy()
    top, low, high, asked = np.flatnonzero(group == 0), low.copy(), high.copy(), np.zeros(low.size)
    own_links = _within(links, top, (links > 0) @ (group != 0))
    least, most = implied(links, low, high)  # what is below says which counts of the top are out of the question
    ends = least[top], np.where(most >= _FAR, np.inf, most)[top]
    at_top = _narrow(own_links, *ends, need[top], first=first[top], spread=spread[top])
    asked[top[at_top.narrow]] = need[top[at_top.narrow]]
    low[top], high[top] = at_top.low, at_top.high
    if table is None:
        first[top] = at_top.middle
    is_city = (group == 0) & (parent_group == 0)

    def of_district(number: int) -> tuple[Integers, Integers, _Asked]:
        inside = group == number
        members = np.flatnonzero(inside | is_city | (parent_group == number))
        held = np.flatnonzero((group == 0) & ~is_city & (parent_group != number))
        known = np.flatnonzero((links > 0) @ ((group != 0) & ~inside) == 0)
        own, sums = links[known][:, members], -(links[known][:, held] @ first[held])
        ends = low[members], high[members], need[members]
        return members, inside[members], _narrow(own, *ends, sums, nest[members], first=first[members], spread=spread[members])

    districts = group if table is None else group[need > 0]
    with ThreadPoolExecutor(max_workers=2) as pool:
        for members, is_inside, found in pool.map(of_district, sorted(set(districts.tolist()) - {0})):
            asked[members[found.narrow]] = need[members[found.narrow]]
            inside = members[is_inside]
            low[inside], high[inside], first[inside] = (ends[is_inside] for ends in (found.low, found.high, found.first))
    return Alike(asked, low, high, first)


def _within(links: sparse.csr_matrix, members: Integers, parts_outside: Floats) -> sparse.csr_matrix:
    """Links all of whose parts are inside, over the members."""
    return links[np.flatnonzero(parts_outside == 0)][:, members]


@dataclass(frozen=True)
class _Asked:
    """What a program was found to say."""

    narrow: Integers
    first: Floats
    middle: Floats
    """A table in the middle of those found."""
    low: Floats
    high: Floats
    """The ends of the cells in all of them."""


def _narrow(
    links: sparse.csr_matrix,
    low: Floats,
    high: Floats,
    need: Floats,
    sums: Floats | None = None,
    nest: Integers | None = None,
    *,
    first: Floats | None = None,
    spread: Floats | None = None,
) -> _Asked:
    """Narrow cells of one program.

    Args:
        links, low, high, need, nest: as of `narrow_cells`.
        sums: what each link adds up to, if not 0.
        first: counts that the first table must have, NaN where any.
        spread: as of `alike`.
    """
    columns = links.tocsc()
    sums = np.zeros(links.shape[0]) if sums is None else sums
    solve = _solver(columns, sums)
    held = np.full(low.size, np.nan) if first is None else first
    is_free = np.isnan(held)
    found = solve(np.zeros(low.size), np.where(is_free, low, held), np.where(is_free, high, held)) if is_free.any() else held
    if found is None:
        raise Inconsistent
    first = found
    if spread is not None:
        low = np.maximum(low, first - spread / 2)
        high = np.minimum(high, low + spread)
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
    return _Asked(narrow, first, total / tables, low, high)


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


def _solver(links: sparse.csc_matrix, sums: Floats) -> _Solve:
    """Minimise a direction over all possible tables; warm from the last call."""
    engine = highspy._Highs()  # type: ignore[attr-defined]  # the wrapper `Highs` prints a banner before it can be silenced
    engine.setOptionValue("output_flag", False)
    for name, value in _OPTIONS.items():
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
