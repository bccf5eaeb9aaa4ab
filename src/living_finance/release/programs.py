"""Linear programs over counts and the links between them: tables that a reader cannot rule out.

For the gate only; nothing is shared with the protection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import highspy
import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Solve = Callable[[Floats, Floats, Floats], "Floats | None"]

MARGIN = 1e-5
FAR = 1e15
"""Where a count is not bounded."""
_PARTNERS = 8
"""Regions elsewhere that a district may trade a kind of count with: those that have most of it."""
_TRIES = 60
_STALLED = 2
"""Rounds without a cell more, after which no other is tried."""
_UNPERTURBED = {"primal_simplex_bound_perturbation_multiplier": 0.0, "dual_simplex_cost_perturbation_multiplier": 0.0}
"""Nothing to put right in the end, which takes longer than a program that starts at the last one's end."""
_OPTIONS: dict[str, float | str] = {"threads": 1, "solver": "simplex", "presolve": "off", **_UNPERTURBED}
INTERIOR: dict[str, float | str] = {"threads": 1, "solver": "ipm", "run_crossover": "off"}
"""Inside the ends, not at a corner; also for a whole city, where simplex does not end. Nothing is warm for the next."""
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
    dong: Integers
    """Number of the dong, of its own cells and of those of its output areas; else 0."""
    nest: Integers
    """Cells with one number are asked together first, all others held; -1: in none."""
    region: Integers
    """Number of the region."""
    cross: Integers
    """Number of the dimensions that it is counted by."""
    category: Integers
    """Number of what is counted: the same in every region."""

    @classmethod
    def together(cls, *parts: Places) -> Places:
        """One after the other; all with the same numbers."""
        return cls(**{each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)})

    def of(self, cells: Integers) -> Places:
        """Of some cells."""
        return Places(**{each.name: getattr(self, each.name)[cells] for each in fields(self)})

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
        most = [np.zeros(0, dtype=np.int64)]
        for category in traded.tolist():
            there = np.flatnonzero(outside & (self.category == category))
            most.append(self.region[there[np.argsort(-table[there], kind="stable")[:_PARTNERS]]])
        at_hand = ((self.group == 0) & ~own & ~self.is_city) | (outside & np.isin(self.region, np.concatenate(most)))
        return np.asarray(at_hand & np.isin(self.cross, self.cross[np.isin(self.category, traded)]))


def ends_of_tables(
    solve: Solve, floor: Floats, ceiling: Floats, need: Floats, least: Floats, most: Floats
) -> tuple[Floats, Floats]:
    """Ends of cells that possible tables reach, until all are wide enough or nothing comes of one more.

    Each table goes no further in a cell than it needs to: what there is to move is enough for few cells at a time. Which come
    first changes with every table.

    Args:
        solve: of `solver`.
        floor, ceiling: how far any cell may go.
        need: width that is asked of it; 0: none.
        least, most: the ends reached before.
    """
    stalled = 0
    for attempt in range(_TRIES):
        is_open = most - least < need - MARGIN
        open_cells = np.flatnonzero(is_open)
        if not open_cells.size or stalled > _STALLED:
            break
        lowest, highest, direction = floor.copy(), ceiling.copy(), np.zeros(floor.size)
        rank = 0.5 + np.random.default_rng(attempt).permutation(open_cells.size) / open_cells.size
        if stalled != 1:  # small counts have more room above
            highest[open_cells] = np.minimum(ceiling, least + need)[open_cells]
            direction[open_cells] = -rank
        else:
            lowest[open_cells] = np.maximum(floor, most - need)[open_cells]
            direction[open_cells] = rank
        table = solve(direction, lowest, highest)
        if table is not None:
            least, most = np.minimum(least, table), np.maximum(most, table)
        is_better = (most - least >= need - MARGIN)[open_cells].any()
        stalled = 0 if is_better else stalled + 1
    return least, most


def ends_one_by_one(
    solve: Solve, floor: Floats, ceiling: Floats, need: Floats, least: Floats, most: Floats
) -> tuple[Floats, Floats]:
    """Ends of cells that possible tables reach, in each of which one goes as far as it can, of those not wide enough.

    Args:
        solve, floor, ceiling, need, least, most: as of `ends_of_tables`.
    """
    for cell in np.flatnonzero(most - least < need - MARGIN).tolist():
        for sign in (-1.0, 1.0):
            if most[cell] - least[cell] < need[cell] - MARGIN:
                direction = np.zeros(floor.size)
                direction[cell] = sign
                furthest = solve(direction, floor, ceiling)
                if furthest is not None:
                    least, most = np.minimum(least, furthest), np.maximum(most, furthest)
    return least, most


def solver(
    links: sparse.csc_matrix, sums: Floats, options: Mapping[str, float | str] = _OPTIONS, *, upto: Floats | None = None
) -> Solve:
    """Minimise a direction over all possible tables; warm from the last call.

    Args:
        links: rows over the cells.
        sums: what each row adds up to; `upto`: it is between the two.
        options: of the solver.
    """
    engine = highspy._Highs()  # type: ignore[attr-defined]  # the wrapper `Highs` prints a banner before it can be silenced
    engine.setOptionValue("output_flag", False)
    for name, value in options.items():
        engine.setOptionValue(name, value)
    columns, rows = np.arange(links.shape[1], dtype=np.int32), links.shape[0]
    problem = highspy.HighsLp()
    problem.num_col_, problem.num_row_ = columns.size, rows
    problem.col_cost_ = problem.col_lower_ = problem.col_upper_ = np.zeros(columns.size)
    problem.row_lower_, problem.row_upper_ = sums, sums if upto is None else upto
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
        if engine.run() == highspy.HighsStatus.kError:  # who solved in this thread before set its number of threads for good
            engine.setOptionValue("threads", 0)
            engine.run()
        is_optimal = is_warm = engine.getModelStatus() == highspy.HighsModelStatus.kOptimal
        return np.asarray(engine.getSolution().col_value) if is_optimal else None

    return solve
