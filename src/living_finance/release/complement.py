"""Complementary suppression: which other counts to withhold so that no withheld one can be worked out.

Cells are linked: categories add up to `all`, regions to the one that holds them. Whoever reads a release knows of a
published count its rounding interval, of a withheld one that it is not negative. A cell's *movement* is how far it can
be off while all links still hold; it must be at least the threshold for every sensitive cell.

One block of cells per district, districts and city in one more. Within a district block the district's own published
counts stand still, and its withheld ones must be able to move by the threshold, since the block above counts on that: so a
movement found in a block is one of all tables jointly, but for districts that must move by more or together. The gate looks
at everything at once.

Source: Fischetti & Salazar (2000), Models and algorithms for optimizing cell suppression in tabular data with linear
constraints, JASA 95; the rounds of one program for many cells are ours. Solver: HiGHS (Huangfu & Hall 2018).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import highspy
import numpy as np
import numpy.typing as npt
from scipy import sparse

from living_finance.errors import ContractViolation

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

TOP = 0
"""Block of the city and the districts; the others are one per district."""

_ROUNDS = 24
"""Programs that move many cells at once before single ones are tried."""
_REPAIRS = 25
_PASSES = 6
_TOLERANCE = 1e-6
_EXACT = {"primal_simplex_bound_perturbation_multiplier": 0.0, "dual_simplex_cost_perturbation_multiplier": 0.0}
"""Nothing is perturbed, so nothing has to be put right in the end: a quarter of the time of a program asked again."""
_OPTIONS: dict[str, float | str] = {"threads": 1, "random_seed": 0, "solver": "simplex", "presolve": "off", **_EXACT}
_FIRST, _NEXT = 1, 4
"""Dual simplex finds the first point (5 times faster); from there, which stays feasible, primal the next (20 times)."""
_ONCE: dict[str, float | str] = {"threads": 1, "random_seed": 0, "solver": "simplex", "presolve": "off"}
"""For a program that is asked once; to make it smaller first takes a third longer."""


@dataclass(frozen=True, kw_only=True)
class LinkedCells:
    """Counts of one population and how they are linked."""

    count: Floats
    """True counts."""
    slack: Floats
    """How far a published count may be from the value printed: half its rounding base; 0 where it is printed exactly."""
    printed: Floats
    """Value that is printed if the cell is published."""
    links: sparse.csr_matrix
    """One row per link: parts 1, whole -1."""
    block: Integers
    """Block of each cell."""
    district: Integers
    """For a district's own cell the block of its district, else -1."""
    room: Floats
    """Width that public knowledge alone leaves each cell: no release can keep more."""
    nests: tuple[Integers, ...] = ()
    """Layers of nests. Cells of one nest are tried together first, all others standing still: output areas by their dong,
    then a few dongs with all that is in them; -1: in none."""


@dataclass(frozen=True, kw_only=True)
class Demands:
    """What the rules ask of complementary suppression."""

    threshold: float
    """Movement of a sensitive cell, in units of the counts."""
    secondary: float
    """Movement of a cell withheld for others' sake."""
    district_price: float
    """Withholding a district's figure to protect what is inside costs this many times more than one inside."""


def complement(
    cells: LinkedCells, *, sensitive: Flags, withheld: Flags, is_fixed: Flags, demands: Demands, workers: int = 2
) -> Flags:
    """Withhold more cells until every sensitive one can move by the threshold. Deterministic.

    Args:
        cells: of one population.
        sensitive: must move by the threshold of `demands`, or as far as there is room.
        withheld: not published for whatever reason, the sensitive ones among them.
        is_fixed: published elsewhere already, or zero by its nature: withholding it would help nobody.
        demands: of the rules.
        workers: blocks solved side by side; the result does not depend on it.

    Returns:
        What is withheld in the end, `withheld` included.

    Raises:
        ContractViolation: a sensitive cell cannot be protected, because what determines it is fixed.
    """
    result = withheld.copy()
    size = Counter(cells.block.tolist())
    due = sorted(size)
    reach: dict[int, _Reach] = {}  # what could move in one pass can in the next: more is withheld, so more is possible
    for _ in range(_PASSES):

        def solve(block: int) -> tuple[Integers, Flags]:
            asked = {"sensitive": sensitive, "withheld": result, "is_fixed": is_fixed}
            return _protect_block(cells, block, **asked, demands=demands, reach=reach)

        before = result.copy()
        if TOP in due:
            members, flags = solve(TOP)
            result[members] |= flags
        with ThreadPoolExecutor(max_workers=workers) as pool:
            solved = list(pool.map(solve, sorted({*due} - {TOP}, key=lambda block: -size[block])))  # the last one is short
        at_top = result.copy()
        for members, flags in solved:
            result[members] |= flags
        # A district's own cell that is withheld now concerns the top block and the district's.
        is_of_district = cells.district != TOP - 1
        from_below = is_of_district & result & ~at_top
        if not from_below.any():
            return result
        due = sorted({TOP, *cells.district[is_of_district & result & ~before].tolist()})
    raise ContractViolation("Protection of districts and city does not settle.", remedy="publish fewer crosses by district")


def _protect_block(
    cells: LinkedCells,
    block: int,
    *,
    sensitive: Flags,
    withheld: Flags,
    is_fixed: Flags,
    demands: Demands,
    reach: dict[int, _Reach],
) -> tuple[Integers, Flags]:
    """Cells of the block and which of them are withheld in the end. `reach` of the block is kept for the next pass."""
    inside = cells.block == block
    above = (cells.district == block) & (cells.block == TOP) if block != TOP else np.zeros_like(inside)
    members = np.flatnonzero(inside | above)
    links = _rows_with_parts_in(cells.links, inside)[:, members]
    stands = above[members] & ~withheld[members]  # a district's published count does not move
    count, hidden = cells.count[members], withheld[members].copy()
    room = cells.room[members]
    # The block above counts on a district's withheld count to move for another's sake: what is inside must be able to follow.
    is_asked = sensitive[members] | (above[members] & hidden)
    need = np.minimum(np.where(is_asked, demands.threshold, np.where(hidden, demands.secondary, 0.0)), room)
    system = _System(
        links=links.tocsc(),
        count=count,
        low=np.where(stands, 0.0, np.maximum(cells.printed[members] - cells.slack[members], 0.0) - count),
        high=np.where(stands, 0.0, cells.printed[members] + cells.slack[members] - count),
        cap=2 * demands.threshold,
    )
    price = np.where(above[members], demands.district_price, 1.0) * (1.0 + np.log1p(count))
    price[is_fixed[members]] = np.inf
    seen = reach.setdefault(block, _Reach(np.zeros(members.size), np.zeros(members.size)))
    for nest in cells.nests if block != TOP else ():
        system.try_nests(nest[members], hidden, need=need, reach=seen)
    program = _Program(system.links, *system.bounds(hidden))
    for _ in range(_REPAIRS):
        weak = _too_fixed(program, np.flatnonzero(hidden), system.links, need=need, reach=seen)
        if not weak.size:
            return members, hidden
        more = system.cheapest(weak, hidden, need=need, reach=seen, price=price)
        if not more.size and (seen.width()[weak] < need[weak] - _TOLERANCE).any():
            break
        hidden[more] = True
        need[more] = np.maximum(need[more], np.minimum(demands.secondary, room[more]))
        program.loosen(more, *system.bounds(hidden))
    raise ContractViolation(
        f"{weak.size} cells of one block cannot be protected.", remedy="publish fewer crosses at that level (conf/release)"
    )


def _rows_with_parts_in(links: sparse.csr_matrix, inside: Flags) -> sparse.csr_matrix:
    has_part = (links > 0) @ inside.astype(np.int64)
    return links[np.flatnonzero(has_part)]


@dataclass
class _Reach:
    """Lowest and highest deviation of each cell seen so far in any feasible point; 0 is the true one."""

    low: Floats
    high: Floats

    def see(self, point: Floats) -> None:
        np.minimum(self.low, point, out=self.low)
        np.maximum(self.high, point, out=self.high)

    def width(self) -> Floats:
        return self.high - self.low


@dataclass(frozen=True)
class _System:
    """Deviations of the cells of a block from the true counts that the links allow."""

    links: sparse.csc_matrix
    count: Floats
    low: Floats
    high: Floats
    cap: float
    """Further than this nothing needs to move, which keeps one cell from using up what others need."""

    def bounds(self, hidden: Flags) -> tuple[Floats, Floats]:
        low = np.where(hidden, np.maximum(-self.count, -self.cap), self.low)
        high = np.where(hidden, self.cap, self.high)
        return np.minimum(low, 0.0), np.maximum(high, 0.0)

    def try_nests(self, nest: Integers, hidden: Flags, *, need: Floats, reach: _Reach) -> None:
        """Move the cells of each nest while the others stand still: small programs that vouch for most cells."""
        low, high = self.bounds(hidden)
        active = hidden & (reach.width() < need - _TOLERANCE)
        for number in sorted(set(nest[active].tolist()) - {-1}):
            inside = np.flatnonzero(nest == number)
            part = self.links[:, inside]
            rows = np.flatnonzero(np.bincount(part.indices, minlength=part.shape[0]))
            program = _Program(part[rows].tocsc(), low[inside], high[inside])
            own = _Reach(reach.low[inside], reach.high[inside])
            for cell in _rounds(program, np.flatnonzero(active[inside]), need=need[inside], reach=own).tolist():
                _is_too_fixed(program, cell, need=need[inside], reach=own)
            reach.low[inside], reach.high[inside] = own.low, own.high

    def cheapest(self, weak: Integers, hidden: Flags, *, need: Floats, reach: _Reach, price: Floats) -> Integers:
        """Published cells whose withholding lets weak cells move, at least cost: fewest, small rather than large."""
        found = self._cheapest_for(weak, hidden, need=need, reach=reach, price=price)
        if found is not None:
            return found
        singles = [self._cheapest_for(np.array([c]), hidden, need=need, reach=reach, price=price) for c in weak]
        singles = [part for part in singles if part is not None] or [
            self._step_for(int(c), hidden, need=need, reach=reach, price=price) for c in weak
        ]
        return np.unique(np.concatenate([np.array([], dtype=np.int64), *singles]))

    def _cheapest_for(self, group: Integers, hidden: Flags, *, need: Floats, reach: _Reach, price: Floats) -> Integers | None:
        low, high = self.bounds(hidden)
        low[group] = np.minimum(need[group] + reach.low[group], self.cap)
        high[group] = np.maximum(high[group], low[group])
        return self._chosen(low, high, hidden, reach=reach, price=price)

    def _step_for(self, cell: int, hidden: Flags, *, need: Floats, reach: _Reach, price: Floats) -> Integers:
        """For a cell that cannot go all the way up, as in a small region: up as far as all others let it, then down."""
        free = ~hidden & np.isfinite(price)
        loose = _Program(self.links, *self.bounds(hidden | free), options=_ONCE)
        direction = np.zeros(hidden.size)
        direction[cell] = 1.0
        for sign in (1.0, -1.0):
            furthest = loose.cheapest(-sign * direction)
            if furthest is None:
                break
            low, high = self.bounds(hidden)
            if sign > 0 and furthest[cell] > reach.high[cell] + _TOLERANCE:
                low[cell] = min(need[cell] + reach.low[cell], furthest[cell])
                high[cell] = max(high[cell], low[cell])
            elif sign < 0 and furthest[cell] < reach.low[cell] - _TOLERANCE:
                high[cell] = max(reach.high[cell] - need[cell], furthest[cell])
                low[cell] = min(low[cell], high[cell])
            else:
                continue
            found = self._chosen(low, high, hidden, reach=reach, price=price)
            if found is not None and found.size:
                return found
        return np.array([], dtype=np.int64)

    def _chosen(self, low: Floats, high: Floats, hidden: Flags, *, reach: _Reach, price: Floats) -> Integers | None:
        """Published cells that have to give way, at least cost, for all cells to be between these ends; fills `reach`."""
        free = np.flatnonzero(~hidden & np.isfinite(price))
        cost = price[free] + 1e-6 * np.arange(free.size) / max(free.size, 1)  # no ties
        extra = self.links[:, free]
        program = _Program(
            sparse.hstack([self.links, extra, -extra], format="csc"),
            np.concatenate([low, np.zeros(2 * free.size)]),
            np.concatenate([high, np.full(free.size, self.cap), np.minimum(self.count[free] + low[free], self.cap)]),
            options=_ONCE,
        )
        point = program.cheapest(np.concatenate([np.zeros(low.size), cost, cost]))
        if point is None:
            return None
        moved, more, less = np.split(point, [low.size, low.size + free.size])
        moved[free] += more - less
        reach.see(moved)  # possible once the chosen ones are withheld
        return free[more + less > _TOLERANCE]


def _too_fixed(program: _Program, hidden: Integers, links: sparse.csc_matrix, *, need: Floats, reach: _Reach) -> Integers:
    """Hidden cells that cannot move as far as they need to, the first ones no two of which are in one link; fills `reach`.

    Others are not looked for: the next audit says what is still weak, and one choice often serves several.
    """
    active = _rounds(program, hidden[reach.width()[hidden] < need[hidden] - _TOLERANCE], need=need, reach=reach)
    return _apart(links, active, is_wanted=lambda cell: _is_too_fixed(program, cell, need=need, reach=reach))


def _is_too_fixed(program: _Program, cell: int, *, need: Floats, reach: _Reach) -> bool:
    """Whether a cell cannot move as far as it needs to, moved alone; fills `reach`."""
    for sign in (1.0, -1.0):
        if reach.width()[cell] < need[cell] - _TOLERANCE:
            reach.see(program.extreme(np.array([cell]), np.array([sign])))
    return bool(reach.width()[cell] < need[cell] - _TOLERANCE)


def _rounds(program: _Program, active: Integers, *, need: Floats, reach: _Reach) -> Integers:
    """Move many cells at once, up and down in changing patterns, until all have moved enough or few more do.

    Returns:
        Cells that have not moved enough.
    """
    for number in range(_ROUNDS):
        if not active.size:
            break
        reach.see(program.extreme(active, _signs(active, number)))
        left = active[reach.width()[active] < need[active] - _TOLERANCE]
        is_stalled = number >= 2 and left.size > 0.9 * active.size
        active = left
        if is_stalled:
            break
    return active


def _signs(cells: Integers, number: int) -> Floats:
    """Up or down for each cell, another pattern each round; neighbours in the listing differ in the first."""
    mixed = (cells.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(number + 7)
    bits = cells % 2 if number == 0 else mixed.astype(np.int64) % 2
    return np.where(bits == (number % 2), 1.0, -1.0)


def _apart(links: sparse.csc_matrix, cells: Integers, *, is_wanted: Callable[[int], bool]) -> Integers:
    """Of the wanted cells the first ones no two of which are in one link, so that they can be moved at the same time."""
    chosen: list[int] = []
    used: set[int] = set()
    for cell in cells.tolist():
        rows = set(links.indices[links.indptr[cell] : links.indptr[cell + 1]].tolist())
        if not rows & used and is_wanted(cell):
            chosen.append(cell)
            used |= rows
    return np.array(chosen, dtype=np.int64)


class _Program:
    """A linear program whose objective changes while links and bounds stay, so that each solution starts from the last."""

    def __init__(
        self, links: sparse.csc_matrix, low: Floats, high: Floats, *, options: dict[str, float | str] | None = None
    ) -> None:
        rows, columns = links.shape
        self._columns = np.arange(columns, dtype=np.int32)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = columns, rows
        model.col_cost_ = np.zeros(columns)
        model.col_lower_, model.col_upper_ = low, high
        model.row_lower_ = model.row_upper_ = np.zeros(rows)
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = links.indptr, links.indices, links.data
        self._solver = highspy._Highs()  # type: ignore[attr-defined]  # the wrapper `Highs` prints a banner before it can be silenced
        self._solver.setOptionValue("output_flag", False)
        self._is_asked_again = options is None
        for option, value in (options or {**_OPTIONS, "simplex_strategy": _FIRST}).items():
            self._solver.setOptionValue(option, value)
        self._solver.passModel(model)

    def loosen(self, cells: Integers, low: Floats, high: Floats) -> None:
        """Wider bounds for some cells; what was found stays possible."""
        self._solver.changeColsBounds(cells.size, cells.astype(np.int32), low[cells], high[cells])

    def extreme(self, cells: Integers, signs: Floats) -> Floats:
        """A feasible point as far as possible in the direction of the signs; the true point where the solver fails."""
        cost = np.zeros(self._columns.size)
        cost[cells] = -signs
        point = self.cheapest(cost)
        return np.zeros(self._columns.size) if point is None else point

    def cheapest(self, cost: Floats) -> Floats | None:
        """The point of least cost, or None where there is none."""
        self._solver.changeColsCost(self._columns.size, self._columns, cost)
        if self._solver.run() == highspy.HighsStatus.kError:  # another number of threads was set in this thread before
            self._solver.setOptionValue("threads", 0)
            self._solver.run()
        if self._is_asked_again:
            self._solver.setOptionValue("simplex_strategy", _NEXT)
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return np.asarray(self._solver.getSolution().col_value)
