"""How closely an outsider can work out withheld counts from everything printed: linear programs over all links at once.

Written for `release.verify` and sharing nothing with the protection. It knows only what is printed: an interval for a
published count, "not negative" for a withheld one. Any two tables of counts that agree with all of that are equally
possible to the reader, so the distance between two such tables is a lower bound of the width of each cell's interval.
A few tables far apart vouch for most cells; what they do not vouch for is asked cell by cell, up and down.

Up to `_WHOLE` cells everything is one program. Beyond, one table of everything is found first: city and districts, then each
district below them. Around it each dong is asked with all others giving way in fixed shares (`release.exchange`), and what that
leaves by district: with its dongs, the city's and its own counts, all others held, output areas following their dongs or, where
that leaves something, free: again a lower bound. Of a
rare kind there can be more in a district only where there is less elsewhere: so where a district's own count is withheld, the
other districts' counts of its cross are free too, and those of the dongs that have most of the kind. What no district vouches
for is asked of everything at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import sparse

from living_finance.release.exchange import followed, left_by_dongs
from living_finance.release.programs import (
    FAR,
    INTERIOR,
    MARGIN,
    Floats,
    Inconsistent,
    Integers,
    Places,
    ends_of_tables,
    ends_one_by_one,
    solver,
)

_WHOLE = 12_000
_FURTHEST = 50.0
"""A cell that seems narrow is asked once more with all others this many times freer."""
_Find = Callable[[sparse.csr_matrix, Floats, Floats, Floats], Floats]
_FEW = 100
"""Programs of a whole city take half a minute of CPU each."""


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
    if table is not None and not need.any():
        return np.array([], dtype=np.int64)
    is_large = low.size > _WHOLE
    if is_large:
        with contextlib.suppress(Inconsistent):  # the whole has one, perhaps, with other counts at the top
            table = table_of_all(links, low, high, places=places) if table is None else table
            left = left_by_dongs(links, low, high, need, places=places, table=table)
            if (ends := followed(links, low, high, places=places, table=table)) is not None:
                left = left_above_areas(links, *ends, need, left, places=places, table=table)
            left = _left_by_districts(links, low, high, need, left, places=places, table=table)
            if left.any():  # in a corner a few regions have most of a kind: what none has enough of in the middle
                corner = table_of_all(links, low, high, places=places, find=_table)
                left = _left_by_districts(links, low, high, need, left, places=places, table=corner)
            need = left
    try:
        if not need.any():
            return np.array([], dtype=np.int64)
        if is_large:
            return _one_by_one(links, low, high, need, table)
        return _narrow(links, low, high, need, _table(links, low, high) if table is None else table)
    except Inconsistent:
        return None


def implied(links: sparse.csr_matrix, low: Floats, high: Floats, *, sweeps: int = 3) -> tuple[Floats, Floats]:
    """Intervals narrowed by each link in turn: no program, and never narrower than what links imply.

    Args:
        links, low, high: as of `narrow_cells`.
        sweeps: over all links.
    """
    least, most = low.copy(), np.minimum(high, FAR)
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


def left_above_areas(
    links: sparse.csr_matrix, low: Floats, high: Floats, need: Floats, left: Floats, *, places: Places, table: Floats
) -> Floats:
    """What no district's program vouches for, without output areas: a small part of the work.

    Args:
        links, need, places, table: as of `narrow_cells`.
        low, high: ends within which output areas follow (`release.exchange.followed`).
        left: width that is still asked of each cell.
    """
    above = np.flatnonzero(places.nest <= 0)
    own = links[np.flatnonzero(abs(links) @ (places.nest > 0) == 0)][:, above]
    left = left.copy()
    left[above] = _left_by_districts(
        own, low[above], high[above], need[above], left[above], places=places.of(above), table=table[above]
    )
    return left


def _left_by_districts(
    links: sparse.csr_matrix, low: Floats, high: Floats, need: Floats, left: Floats, *, places: Places, table: Floats
) -> Floats:
    """What no district's program vouches for, each with all of its own and the city's counts and those of its partners."""
    by_column, is_left, left = links.tocsc(), left > 0, left.copy()
    traded = np.where(np.isin(places.cross, places.cross[is_left]), need, 0.0)

    def ask(district: int) -> Integers:
        inside = (places.group == district) | (places.parent_group == district) | places.is_city
        members = np.flatnonzero(inside | places.partners(district, table, traded))
        own = by_column[:, members]
        own = own[np.unique(own.indices)]
        asked = np.where(inside, left, 0.0)[members]
        narrow = _narrow(own, low[members], high[members], asked, table[members], nest=places.nest[members])
        return np.setdiff1d(members[asked > 0], members[narrow])

    districts = {*places.group[is_left].tolist(), *places.parent_group[is_left].tolist()} - {0}
    with ThreadPoolExecutor(max_workers=2) as pool:
        wide = list(pool.map(ask, sorted(districts)))
    for cells in wide:
        left[cells] = 0.0
    return left


def _inside(links: sparse.csr_matrix, low: Floats, high: Floats, sums: Floats) -> Floats:
    """A possible table, well inside its ends.

    Raises:
        Inconsistent: there is none.
    """
    solve = solver(links.tocsc(), sums, {**INTERIOR, "presolve": "off"})  # which leaves some counts at their ends
    found = solve(np.zeros(low.size), low, high)
    return _table(links, low, high, sums) if found is None else np.clip(found, low, high)


def _table(links: sparse.csr_matrix, low: Floats, high: Floats, sums: Floats | None = None) -> Floats:
    """A possible table.

    Raises:
        Inconsistent: there is none.
    """
    solve = solver(links.tocsc(), np.zeros(links.shape[0]) if sums is None else sums)
    found = solve(np.zeros(low.size), low, high)
    if found is None:
        raise Inconsistent
    return found


def table_of_all(links: sparse.csr_matrix, low: Floats, high: Floats, *, places: Places, find: _Find = _inside) -> Floats:
    """A possible table: the top first, then each district below it.

    Args:
        links, low, high, places: as of `narrow_cells`.
        find: one of a part.

    Raises:
        Inconsistent: the top or some district has none.
    """
    top, by_column = np.flatnonzero(places.group == 0), links.tocsc()
    own = links[np.flatnonzero((links > 0) @ (places.group != 0) == 0)][:, top]  # links all of whose parts are at the top
    least, most = implied(links, low, high)  # what is below says which counts of the top are out of the question
    at_top, table = np.zeros(low.size), np.zeros(low.size)
    at_top[top] = table[top] = find(own, least[top], np.where(most >= FAR, np.inf, most)[top], np.zeros(own.shape[0]))

    def of_district(district: int) -> tuple[Integers, Floats]:
        inside = np.flatnonzero(places.group == district)
        rows = np.unique(by_column[:, inside].indices)
        return inside, find(links[rows][:, inside], low[inside], high[inside], -(links[rows] @ at_top))

    with ThreadPoolExecutor(max_workers=2) as pool:
        for inside, counts in pool.map(of_district, sorted(set(places.group.tolist()) - {0})):
            table[inside] = counts
    return table


def _one_by_one(links: sparse.csr_matrix, low: Floats, high: Floats, need: Floats, table: Floats | None) -> Integers:
    """Narrow cells of a program too large for any but the few that nothing smaller vouches for; if they are many, all of them.

    Raises:
        Inconsistent: no table is possible.
    """
    solve, narrow = solver(links.tocsc(), np.zeros(links.shape[0]), INTERIOR), np.flatnonzero(need)
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
        return most is not None and bool(most[cell] - least[cell] >= need[cell] - MARGIN)

    if narrow.size > _FEW:
        return narrow
    return np.array([cell for cell in narrow.tolist() if not is_wide(cell)], dtype=np.int64)


def _narrow(
    links: sparse.csr_matrix, low: Floats, high: Floats, need: Floats, first: Floats, *, nest: Integers | None = None
) -> Integers:
    """Narrow cells of one program, by tables around one: each link adds up to what it adds up to there.

    Args:
        links, low, high, need, nest: as of `narrow_cells`.
        first: a possible table.
    """
    columns = links.tocsc()
    solve = solver(columns, links @ first)
    low, high = np.minimum(low, first), np.maximum(high, first)  # to the last bit
    # Cells need not go further than asked; so one cell does not take up all there is to move.
    far = 2 * float(need.max(initial=0.0))
    floor, ceiling = np.maximum(low, first - far), np.minimum(high, first + far)
    least, most = first.copy(), first.copy()
    for number in sorted(set(nest[need > 0].tolist()) - {-1}) if nest is not None else ():
        inside = np.flatnonzero(nest == number)
        part = columns[:, inside]
        rows = np.flatnonzero(np.bincount(part.indices, minlength=part.shape[0]))
        own = part[rows]
        ask = solver(own.tocsc(), own @ first[inside])
        within = floor[inside], ceiling[inside]
        least[inside], most[inside] = ends_of_tables(ask, *within, need[inside], least[inside], most[inside])
    least, most = ends_of_tables(solve, floor, ceiling, need, least, most)
    wide = np.maximum(low, first - _FURTHEST * far), np.minimum(high, first + _FURTHEST * far)
    for lowest, highest in ((floor, ceiling), wide):  # first one, then the other: the last table stays possible
        least, most = ends_one_by_one(solve, lowest, highest, need, least, most)
    return np.flatnonzero(most - least < need - MARGIN)
