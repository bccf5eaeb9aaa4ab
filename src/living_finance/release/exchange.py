"""What the counts of one dong can be when all others give way in fixed shares: small programs around a table of a whole city.

For the gate only; nothing is shared with the protection. What a dong has more of, others must have less of, so one dong asks the
whole city: a program of hundreds of thousands of counts. But around a table well inside all intervals every other dong has a
little room. If they give way in shares fixed beforehand (a dong's output areas by their size), one number per category says
what happens in all of them, and the program has the counts of the dong only: first of its output areas among each other, one
set of dimensions at a time, then with its district as it is, then, where something is left, with the district's and the city's
counts too. Its tables are tables of everything, so they prove widths; what they do not prove is not thereby refuted.

The same the other way round: within ends that its output areas can follow (`followed`), a dong is moved without them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from living_finance.release.programs import MARGIN, Flags, Floats, Integers, Places, ends_of_tables, solver

_FURTHEST = 3.0
"""A count moves this many times what is asked of any, at most."""
_LEAST_SHARE = 1e-6
"""Of the mean one: who has less does not give way."""


def left_by_dongs(links: sparse.csr_matrix, low: Floats, high: Floats, need: Floats, *, places: Places, table: Floats) -> Floats:
    """Width asked of the cells whose interval no dong's program shows to be wide enough, else 0.

    Args:
        links: one row per link over the cells, parts 1, whole -1.
        low, high: ends of each cell.
        need: width asked of its interval; 0: none.
        places: of the cells.
        table: a possible one, best well inside the ends.
    """
    city = _City.of(links, places)
    if city is None:
        return need
    trade = _Trade(city, links, low, high, need, table)
    trade.ask(need)
    return np.where(trade.reached.is_open(need), need, 0.0)


def followed(
    links: sparse.csr_matrix, low: Floats, high: Floats, *, places: Places, table: Floats
) -> tuple[Floats, Floats] | None:
    """Ends of all cells, those of dongs drawn in to where their output areas follow them in fixed shares.

    Programs over dongs, districts and city within these ends need no output areas. None where regions are not counted alike.

    Args:
        links, low, high, places, table: as of `left_by_dongs`.
    """
    city = _City.of(links, places)
    if city is None:
        return None
    low, high = low.copy(), high.copy()
    cells = city.dongs[:, city.within_dongs]
    low[cells] = np.maximum(low[cells], table[cells] - city.room_of_areas(np.maximum(table - low, 0.0), table))
    high[cells] = np.minimum(high[cells], table[cells] + city.room_of_areas(np.maximum(high - table, 0.0), table))
    return low, high


@dataclass(frozen=True, kw_only=True)
class _City:
    """Positions of the cells: one row per region, one column per category."""

    city: Integers
    districts: Integers
    dongs: Integers
    areas: Integers
    district_of_dong: Integers
    dong_of_area: Integers
    within_districts: Integers
    """Columns of `districts` that dongs are counted by too, in their order; the same of the others."""
    within_dongs: Integers
    within_city: Integers
    crosses: list[Integers]
    """Columns of `areas` that are counted by the same dimensions."""

    @classmethod
    def of(cls, links: sparse.csr_matrix, places: Places) -> _City | None:
        """None: regions of a level are not all counted by the same categories and linked in the same way."""
        is_area = places.nest > 0
        at_levels = (places.is_city, places.parent_group > 0, (places.dong > 0) & ~is_area, is_area)
        grids = [grid for at in at_levels if (grid := _grid(np.flatnonzero(at), places)) is not None]
        if len(grids) < len(at_levels) or not grids[2].size:
            return None
        city, districts, dongs, areas = grids
        columns = [places.category[grid[0]] if len(grid) else np.zeros(0, dtype=np.int64) for grid in grids]
        if not all(np.isin(below, above).all() for above, below in itertools.pairwise(columns)):
            return None
        if not _is_regular(links, places, grids):
            return None
        to_district = np.searchsorted(places.parent_group[districts[:, 0]], places.group[dongs[:, 0]])
        to_dong = np.searchsorted(places.dong[dongs[:, 0]], places.dong[areas[:, 0]]) if len(areas) else np.zeros(0, dtype=int)
        cross = places.cross[areas[0]] if len(areas) else np.zeros(0, dtype=np.int64)
        return cls(
            city=city,
            districts=districts,
            dongs=dongs,
            areas=areas,
            district_of_dong=to_district,
            dong_of_area=to_dong,
            within_districts=np.searchsorted(columns[1], columns[2]),
            within_dongs=np.searchsorted(columns[2], columns[3]),
            within_city=np.searchsorted(columns[0], columns[1]),
            crosses=[np.flatnonzero(cross == number) for number in np.unique(cross)],
        )

    def cells_of_dong(self, dong: int) -> Integers:
        """Its own and those of its output areas."""
        return np.concatenate([self.dongs[dong], self.areas[self.areas_of_dong[dong]].ravel()])

    @cached_property
    def areas_of_dong(self) -> list[Integers]:
        """Rows of `areas` of each dong."""
        order = np.argsort(self.dong_of_area, kind="stable")
        return np.split(order, np.searchsorted(self.dong_of_area[order], np.arange(1, len(self.dongs))))

    def room_of_areas(self, room: Floats, table: Floats) -> Floats:
        """How far dongs can move, by category of areas, if their areas follow by size; `inf` without areas."""
        tightest = np.full((len(self.dongs), self.areas.shape[1]), np.inf)
        if not len(self.areas):
            return tightest
        size = table[self.areas].max(axis=1)
        of_dong = np.bincount(self.dong_of_area, weights=size, minlength=len(self.dongs))[self.dong_of_area]
        some = size > _LEAST_SHARE * of_dong  # nobody's area does not give way
        np.minimum.at(tightest, self.dong_of_area[some], room[self.areas[some]] * (of_dong[some] / size[some])[:, None])
        tightest[self.dong_of_area[of_dong <= 0]] = 0.0
        return tightest


def _grid(cells: Integers, places: Places) -> Integers | None:
    """Positions by region and category, both in order; None: not each region has each category once."""
    regions, row = np.unique(places.region[cells], return_inverse=True)
    categories, column = np.unique(places.category[cells], return_inverse=True)
    grid = np.full((regions.size, categories.size), -1, dtype=np.int64)
    grid[row, column] = cells
    return None if (grid < 0).any() or grid.size != cells.size else grid


def _is_regular(links: sparse.csr_matrix, places: Places, grids: list[Integers]) -> bool:
    """Whether links inside regions are the same in all of a level, and those of a level are links of the next larger too; and
    all others add up one category over all parts of a region."""
    first = links.indptr[:-1]
    ends = [by(values[links.indices], first) for values in (places.region, places.category) for by in _ENDS]
    is_inside, is_of_one = ends[0] == ends[1], ends[2] == ends[3]
    if not is_of_one[~is_inside].all() or int(np.diff(links.indptr)[~is_inside].sum()) != _members(grids, places):
        return False
    number = np.random.default_rng(0).uniform(1, 2, places.category.max() + 1)[places.category]
    said = np.round(links @ number, 6)  # by which categories a link inside a region adds up
    before: Floats | None = None
    for grid in grids:
        if not grid.size:
            continue
        rows = np.flatnonzero(is_inside & np.isin(ends[0], places.region[grid[:, 0]]))
        rows = rows[np.lexsort((said[rows], ends[0][rows]))]
        if rows.size % len(grid):
            return False
        by_region = said[rows].reshape(len(grid), -1)
        if (by_region != by_region[0]).any() or (before is not None and not np.isin(by_region[0], before).all()):
            return False
        before = by_region[0]
    return True


_ENDS: tuple[Callable[..., Integers], ...] = (np.minimum.reduceat, np.maximum.reduceat)


def _members(grids: list[Integers], places: Places) -> int:
    """Cells in links between a region and its parts: each part once, each whole once per category of its parts."""
    _, districts, dongs, areas = grids
    with_areas = np.unique(places.dong[areas[:, 0]]).size if areas.size else 0
    parts = sum(grid.size for grid in (districts, dongs, areas))
    return int(parts + districts.shape[1] + len(districts) * dongs.shape[1] + with_areas * areas.shape[1])


@dataclass(frozen=True)
class _GivingWay:
    """How far regions can move together, all up or all down."""

    others: Floats
    """For each dong, the other dongs of its district."""
    elsewhere: Floats
    """For each district, all other districts."""


@dataclass(frozen=True)
class _Reached:
    """How far cells went in the tables found."""

    least: Floats
    most: Floats

    def is_open(self, need: Floats, cells: Integers | slice = slice(None)) -> Flags:
        """Which of the cells are not yet shown to be as wide as needed."""
        return np.asarray(self.most[cells] - self.least[cells] < need[cells] - MARGIN)

    def widen(self, cells: Integers, least: Floats, most: Floats) -> None:
        self.least[cells] = np.minimum(self.least[cells], least)
        self.most[cells] = np.maximum(self.most[cells], most)


class _Trade:
    """Tables around one."""

    def __init__(self, city: _City, links: sparse.csr_matrix, low: Floats, high: Floats, need: Floats, table: Floats) -> None:
        self.city, self.table = city, table
        self.reached = _Reached(table.copy(), table.copy())
        furthest = _FURTHEST * float(need.max(initial=0.0))
        self.down, self.up = np.clip(table - low, 0.0, furthest), np.clip(high - table, 0.0, furthest)
        self._columns, self._sizes = links.tocsc(), np.diff(links.indptr)
        self._inside_districts = [self._links_inside(cells) for cells in city.districts]
        self._inside_city = self._links_inside(city.city[0])
        self._inside_dongs: dict[int, sparse.csr_matrix] = {}

    def ask(self, need: Floats) -> None:
        """Each dong that has cells of which a width is asked; and each district's own in any of its dongs.

        Args:
            need: width asked of each cell; 0: none.
        """
        city, shares = self.city, self.table[self.city.dongs].max(axis=1)
        shares = np.where(shares > _LEAST_SHARE * float(shares.mean()), shares, 0.0)
        give = self._giving_way(self.up, shares), self._giving_way(self.down, shares)
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(lambda dong: self._ask_dong_alone(dong, need, give), range(len(city.dongs))))
        below = need.copy()
        below[city.city[0]] = 0.0  # the city's own are asked once, in the first district

        def of_district(district: int) -> tuple[Integers, Floats, Floats]:
            dongs, asked = np.flatnonzero(city.district_of_dong == district).tolist(), below if district else need
            shared = np.concatenate([city.districts[district], city.city[0]])
            cells = np.concatenate([shared, *(city.cells_of_dong(dong) for dong in dongs)])
            reached = self.reached
            if not reached.is_open(asked, cells).any():
                return cells, reached.least[cells], reached.most[cells]
            reached = _Reached(reached.least.copy(), reached.most.copy())  # districts share the city's cells
            for dong in dongs:
                if reached.is_open(asked, np.concatenate([city.cells_of_dong(dong), shared])).any():
                    self._ask_dong(dong, asked, reached, give)
            return cells, reached.least[cells], reached.most[cells]

        with ThreadPoolExecutor(max_workers=2) as pool:
            for cells, least, most in pool.map(of_district, range(len(city.districts))):
                self.reached.widen(cells, least, most)

    def _ask_dong_alone(self, dong: int, need: Floats, give: tuple[_GivingWay, _GivingWay]) -> None:
        """Deviations of the dong's output areas that make up for each other, first; then of all its cells that the other dongs of
        its district make up for. Nothing else moves."""
        areas = self.city.areas[self.city.areas_of_dong[dong]]
        for columns in self.city.crosses:
            among = areas[:, columns].ravel()
            if self.reached.is_open(need, among).any():
                self._ask_around(among, self._links_of(among)[0], -self.down[among], self.up[among], need)
        cells = self.city.cells_of_dong(dong)
        if not self.reached.is_open(need, cells).any():
            return
        floor, ceiling = -self.down[cells], self.up[cells]
        own, (up, down) = slice(self.city.dongs.shape[1]), (way.others[dong] for way in give)
        floor[own], ceiling[own] = np.maximum(floor[own], -up), np.minimum(ceiling[own], down)
        self._ask_around(cells, self._inside_dong(dong, cells), floor, ceiling, need)

    def _ask_around(self, cells: Integers, links: sparse.csr_matrix, floor: Floats, ceiling: Floats, need: Floats) -> None:
        """Deviations of some cells between these ends, whose links all add up to what they did."""
        start = self.table[cells]
        asked = np.where(ceiling - floor >= need[cells], need[cells], 0.0)
        least, most = self.reached.least[cells] - start, self.reached.most[cells] - start
        least, most = ends_of_tables(solver(links.tocsc(), np.zeros(links.shape[0])), floor, ceiling, asked, least, most)
        self.reached.widen(cells, start + least, start + most)

    def _inside_dong(self, dong: int, cells: Integers) -> sparse.csr_matrix:
        if dong not in self._inside_dongs:
            self._inside_dongs[dong] = self._links_inside(cells)
        return self._inside_dongs[dong]

    def _ask_dong(self, dong: int, need: Floats, reached: _Reached, give: tuple[_GivingWay, _GivingWay]) -> None:
        """Deviations from the table: of the dong's cells, its district's and the city's. What the district has more than the dong
        is its other dongs', what the city has more than the district the other districts'."""
        city, district = self.city, int(self.city.district_of_dong[dong])
        parts = [city.cells_of_dong(dong), city.districts[district], city.city[0]]
        cells, (of_district, of_city) = np.concatenate(parts), np.cumsum([part.size for part in parts[:2]]).tolist()
        inside = sparse.block_diag([self._inside_dong(dong, parts[0]), self._inside_districts[district], self._inside_city])
        others = _differences(of_district + city.within_districts, np.arange(city.dongs.shape[1]), cells.size)
        elsewhere = _differences(of_city + city.within_city, of_district + np.arange(parts[1].size), cells.size)
        at_rest = np.zeros(inside.shape[0])
        up, down = (np.concatenate([at_rest, way.others[dong], way.elsewhere[district]]) for way in give)
        solve = solver(sparse.vstack([inside, others, elsewhere]).tocsc(), -down, upto=up)
        floor, ceiling, start = -self.down[cells], self.up[cells], self.table[cells]
        least, most = reached.least[cells] - start, reached.most[cells] - start
        least, most = ends_of_tables(solve, floor, ceiling, need[cells], least, most)
        reached.widen(cells, start + least, start + most)

    def _giving_way(self, room: Floats, shares: Floats) -> _GivingWay:
        """How far others can move together.

        Args:
            room: of each cell.
            shares: of dongs.
        """
        city = self.city
        of_dongs = room[city.dongs]
        of_dongs[:, city.within_dongs] = np.minimum(of_dongs[:, city.within_dongs], city.room_of_areas(room, self.table))
        per_share = _per_share(of_dongs, shares)
        of_others = np.zeros_like(of_dongs)
        total = np.asarray(np.bincount(city.district_of_dong, weights=shares, minlength=len(city.districts)), dtype=float)
        per_share_of_districts = _per_share(room[city.districts], total)
        for district in range(len(city.districts)):
            inside = np.flatnonzero(city.district_of_dong == district)
            of_others[inside] = _together(total[district] - shares[inside], per_share[inside])
            tightest_dong = per_share[inside].min(axis=0)
            own = per_share_of_districts[district, city.within_districts]
            per_share_of_districts[district, city.within_districts] = np.minimum(own, tightest_dong)
        return _GivingWay(of_others, _together(total.sum() - total, per_share_of_districts))

    def _links_inside(self, cells: Integers) -> sparse.csr_matrix:
        """Links all of whose cells are among these."""
        own, sizes = self._links_of(cells)
        return own[np.flatnonzero(np.diff(own.indptr) == sizes)]

    def _links_of(self, cells: Integers) -> tuple[sparse.csr_matrix, Integers]:
        """Links that have any of these, as far as they have them, and how many cells each has in all."""
        own = self._columns[:, cells].tocoo()
        rows, row = np.unique(own.row, return_inverse=True)
        return sparse.csr_matrix((own.data, (row, own.col)), shape=(rows.size, cells.size)), self._sizes[rows]


def _differences(plus: Integers, minus: Integers, size: int) -> sparse.csr_matrix:
    """Rows: one cell less another."""
    row, signs = np.arange(plus.size), np.repeat([1.0, -1.0], plus.size)
    return sparse.csr_matrix((signs, (np.tile(row, 2), np.concatenate([plus, minus]))), shape=(plus.size, size))


def _per_share(room: Floats, shares: Floats) -> Floats:
    """`inf` for who does not give way."""
    return np.asarray(np.divide(room, shares[:, None], out=np.full(room.shape, np.inf), where=shares[:, None] > 0))


def _together(shares_of_others: Floats, per_share: Floats) -> Floats:
    """For each row, how far all other rows can move; 0 where none of them does."""
    if len(per_share) < 2:
        return np.zeros_like(per_share)
    least, second = np.partition(per_share, 1, axis=0)[:2]
    of_others = np.where(per_share <= least, second, least)
    return np.asarray(shares_of_others[:, None] * np.where(np.isfinite(of_others), of_others, 0.0))
