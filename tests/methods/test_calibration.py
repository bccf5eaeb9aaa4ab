"""The calibration core against R, linear programs, quadratic programs and what must hold for any input."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, lsq_linear

from living_finance.errors import ConfigurationError
from living_finance.methods.calibration import Distance, DistanceName, Floats, Problem, Solution, calibrate_areas, penalties

GOLDEN = Path(__file__).parents[1] / "golden"
WITHIN = Distance("truncated_linear", 0.25, 4.0)
DISTANCES = (WITHIN, Distance("logit", 0.25, 4.0), Distance("truncated_raking", 0.25, 4.0))

Interval = tuple[float, float]


def one_area(
    base: Sequence[float], columns: Sequence[Sequence[float]], targets: Sequence[Interval], priority: Sequence[int] | None = None
) -> Problem:
    """A problem of one area from a dense table: one row of `columns` per target."""
    table = np.array(columns, dtype=np.float64).reshape(len(targets), len(base))
    target, unit = np.nonzero(table)
    return Problem(
        areas=1,
        unit_area=np.zeros(len(base), dtype=np.int64),
        base_weight=np.array(base, dtype=np.float64),
        target_area=np.zeros(len(targets), dtype=np.int64),
        lower=np.array([low for low, _ in targets], dtype=np.float64),
        upper=np.array([high for _, high in targets], dtype=np.float64),
        priority=np.array(priority if priority is not None else [1] * len(targets), dtype=np.int64),
        unit=unit.astype(np.int64),
        target=target.astype(np.int64),
        value=table[target, unit],
    )


def together(problems: Sequence[Problem]) -> Problem:
    """Several problems as areas of one."""
    areas = np.cumsum([0, *(p.areas for p in problems)])
    units = np.cumsum([0, *(p.base_weight.size for p in problems)])
    targets = np.cumsum([0, *(p.lower.size for p in problems)])
    joined = {
        name: np.concatenate([getattr(p, name) for p in problems])
        for name in ("base_weight", "lower", "upper", "priority", "value")
    }
    moved = {
        name: np.concatenate([getattr(p, name) + first for p, first in zip(problems, firsts, strict=False)])
        for name, firsts in (("unit_area", areas), ("target_area", areas), ("unit", units), ("target", targets))
    }
    return Problem(areas=int(areas[-1]), **joined, **moved)


def dense(problem: Problem) -> Floats:
    """Units x targets."""
    table = np.zeros((problem.base_weight.size, problem.lower.size))
    np.add.at(table, (problem.unit, problem.target), problem.value)
    return table


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """One area: a total, two sets of categories, a count of members; masked, contradicting or met, as it comes."""
    size = draw(st.integers(1, 14))
    first = draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))
    second = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    members = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    base = draw(st.lists(st.integers(2, 40).map(lambda tenth: tenth / 10), min_size=size, max_size=size))
    columns = [
        [1] * size,
        *([int(value == category) for value in first] for category in range(3)),
        *([int(value == category) for value in second] for category in range(2)),
        members,
    ]
    wanted = draw(st.lists(st.integers(0, 12), min_size=len(columns), max_size=len(columns)))
    is_masked = draw(st.lists(st.booleans(), min_size=len(columns), max_size=len(columns)))
    targets = [
        (1.0, 4.0) if masked and place else (float(want), float(want))
        for place, (want, masked) in enumerate(zip(wanted, is_masked, strict=True))
    ]
    return one_area(base, columns, targets, [0, 1, 1, 1, 2, 2, 3])


@st.composite
def feasible_problems(draw: st.DrawFn) -> Problem:
    """As `problems`, with targets (intervals around them for some) that weights well inside the bounds meet."""
    problem = draw(problems())
    size = problem.base_weight.size
    ratio = np.array(draw(st.lists(st.integers(5, 30), min_size=size, max_size=size))) / 10
    total = dense(problem).T @ (problem.base_weight * ratio)
    is_interval = problem.lower < problem.upper
    return replace(problem, lower=np.where(is_interval, total - 1.0, total), upper=np.where(is_interval, total + 2.0, total))


def golden_cases() -> list[tuple[DistanceName, float, float]]:
    return [
        ("truncated_linear", -np.inf, np.inf),
        ("truncated_linear", 0.95, 1.2),
        ("truncated_raking", 0.0, np.inf),
        ("logit", 0.4, 2.0),
        ("logit", 0.2, 4.0),
    ]


def golden_problem() -> Problem:
    """All margins of the golden file, collinear ones included (R got a set without)."""
    with (GOLDEN / "calibration_units.csv").open() as file:
        units = list(csv.DictReader(file))
    with (GOLDEN / "calibration_totals.csv").open() as file:
        totals = list(csv.DictReader(file))
    areas = sorted({row["area"] for row in units})
    place = {(row["area"], row["margin"], row["category"]): at for at, row in enumerate(totals)}
    contributions = [
        (at, place[row["area"], margin, category], value)
        for at, row in enumerate(units)
        for margin, category, value in (
            ("households", "all", 1.0),
            ("size", row["size"], 1.0),
            ("tenure", row["tenure"], 1.0),
            ("members", "all", float(row["members"])),
            ("floor_area", "all", float(row["floor_area"])),
        )
    ]
    total = np.array([float(row["total"]) for row in totals])
    return Problem(
        areas=len(areas),
        unit_area=np.array([areas.index(row["area"]) for row in units]),
        base_weight=np.array([float(row["base_weight"]) for row in units]),
        target_area=np.array([areas.index(row["area"]) for row in totals]),
        lower=total,
        upper=total,
        priority=np.where([row["margin"] == "households" for row in totals], 0, 1),
        unit=np.array([unit for unit, _, _ in contributions]),
        target=np.array([target for _, target, _ in contributions]),
        value=np.array([value for _, _, value in contributions]),
    )


@pytest.mark.parametrize("case", golden_cases(), ids=str)
def test_equals_survey_and_sampling(case: tuple[DistanceName, float, float]) -> None:
    name, lowest, highest = case
    with (GOLDEN / "calibration_weights.csv").open() as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (row["distance"], float(row["lowest"]), float(row["highest"])) == (name, lowest, highest)
        ]
    assert len(rows) == 240
    found = calibrate_areas(golden_problem(), distance=Distance(name, lowest, highest))
    assert found.is_converged.all()
    for package in ("survey", "sampling"):
        expected = np.array([float(row[package]) for row in rows])
        assert np.abs(found.weight[[int(row["unit"]) - 1 for row in rows]] - expected).max() < 1e-8


@given(feasible_problems(), st.sampled_from(DISTANCES))
@settings(deadline=None)
def test_targets_that_can_be_met_are_met(problem: Problem, distance: Distance) -> None:
    found = calibrate_areas(problem, distance=distance)
    assert np.abs(found.gap).max() < 1e-5
    assert not found.is_relaxed.any()
    assert found.is_converged.all()


@given(problems())
@settings(deadline=None, max_examples=200)
def test_met_wherever_a_linear_program_finds_weights_within_the_bounds(problem: Problem) -> None:
    found = calibrate_areas(problem, distance=WITHIN)
    table, base = dense(problem).T, problem.base_weight
    program = linprog(
        np.zeros(base.size),
        A_ub=np.vstack([table, -table]),
        b_ub=np.concatenate([problem.upper, -problem.lower]),
        bounds=np.column_stack([WITHIN.lowest * base, WITHIN.highest * base]),
        method="highs",
    )
    assert program.status in (0, 2)
    # The bar is half a household; what is asked for is far less.
    assert (np.abs(found.gap).max() < 1e-4) == (program.status == 0)


@given(problems())
@settings(deadline=None, max_examples=200)
def test_gaps_are_those_of_a_quadratic_program(problem: Problem) -> None:
    found = calibrate_areas(problem, distance=WITHIN)
    # A few units against contradicting margins can end at the round limit, and say so; whoever says converged is exact.
    assume(bool(found.is_converged.all()))
    expected = least_gaps(problem)
    rooted = np.sqrt(penalties(problem.priority))
    assert rooted * scaled(problem, found.gap) == pytest.approx(rooted * scaled(problem, expected), abs=1e-4)


def scaled(problem: Problem, gap: Floats) -> Floats:
    """In mean contributions of a mean weight."""
    table = np.abs(dense(problem))
    size = table.sum(axis=0) / np.maximum((table > 0).sum(axis=0), 1)
    return gap / np.where(size > 0, size, 1.0) / problem.base_weight.mean()


def least_gaps(problem: Problem) -> Floats:
    """Least squares in weights and in totals within the intervals, both bounded, by an active-set method (BVLS)."""
    base, table = problem.base_weight, dense(problem).T
    root = np.sqrt(penalties(problem.priority)) * scaled(problem, np.ones(problem.lower.size))
    is_interval = problem.lower < problem.upper
    within = np.zeros((problem.lower.size, int(is_interval.sum())))
    within[is_interval, np.arange(within.shape[1])] = -1.0
    answer = lsq_linear(
        root[:, None] * np.hstack([table * base, within]),
        root * np.where(is_interval, 0.0, problem.lower),
        bounds=(
            np.concatenate([np.full(base.size, WITHIN.lowest), problem.lower[is_interval]]),
            np.concatenate([np.full(base.size, WITHIN.highest), problem.upper[is_interval]]),
        ),
        method="bvls",
        tol=1e-14,
        max_iter=1000,
    )
    total = table @ (base * answer.x[: base.size])
    return np.maximum(total - problem.upper, 0.0) - np.maximum(problem.lower - total, 0.0)


@given(problems(), st.sampled_from(DISTANCES))
@settings(deadline=None, max_examples=200)
def test_bounds_hold_and_a_dual_bound_proves_the_gaps(problem: Problem, distance: Distance) -> None:
    found = calibrate_areas(problem, distance=distance)
    ratio = found.weight / problem.base_weight
    assert ratio.min() >= 0.25 - 1e-12
    assert ratio.max() <= 4.0 + 1e-12
    left = (penalties(problem.priority) * scaled(problem, found.gap) ** 2).sum() / 2
    assert found.avoidable[0] < 1e-3 + 1e-7 * left


@given(problems())
@settings(deadline=None, max_examples=200)
def test_weights_are_the_nearest_with_these_gaps(problem: Problem) -> None:
    """Karush, Kuhn and Tucker's conditions, multipliers found by a linear program."""
    found = calibrate_areas(problem, distance=WITHIN)
    mean = problem.base_weight.mean()
    table = dense(problem)
    size = scaled(problem, np.ones(problem.lower.size)) ** -1 / mean
    table = table / size
    ratio, targets = found.weight / problem.base_weight, problem.lower.size
    lower, upper = problem.lower / size / mean, problem.upper / size / mean
    start = np.clip(table.T @ problem.base_weight / mean, lower, upper)
    goal = np.clip(table.T @ found.weight / mean, lower, upper)
    at_most: list[tuple[Floats, float]] = []
    for row, score, g in zip(table, ratio - 1.0, ratio, strict=True):
        if g < WITHIN.highest - 1e-5:
            at_most.append((row, score))
        if g > WITHIN.lowest + 1e-5:
            at_most.append((-row, -score))
    for at in np.flatnonzero(problem.lower < problem.upper):
        if not table[:, at].any():
            continue
        row = np.eye(targets)[at]
        if goal[at] > lower[at] + 1e-5:
            at_most.append((row, start[at] - goal[at]))
        if goal[at] < upper[at] - 1e-5:
            at_most.append((-row, goal[at] - start[at]))
    if not at_most:
        return
    # min e with: condition <= e
    conditions = np.array([[*row, -1.0] for row, _ in at_most])
    program = linprog(
        [*np.zeros(targets), 1.0],
        A_ub=conditions,
        b_ub=[limit for _, limit in at_most],
        bounds=[*[(None, None)] * targets, (0, None)],
        method="highs",
    )
    assert program.status == 0
    assert program.fun < 1e-4


@given(st.lists(problems(), min_size=1, max_size=4), st.sampled_from(DISTANCES), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_order_and_company_change_no_bit(several: list[Problem], distance: Distance, random: object) -> None:
    whole = together(several)
    alone = [calibrate_areas(problem, distance=distance) for problem in several]
    units, entries = list(range(whole.base_weight.size)), list(range(whole.unit.size))
    random.shuffle(units)  # type: ignore[attr-defined]
    random.shuffle(entries)  # type: ignore[attr-defined]
    place = np.empty(len(units), dtype=np.int64)
    place[units] = np.arange(len(units))
    shuffled = replace(
        whole,
        unit_area=whole.unit_area[units],
        base_weight=whole.base_weight[units],
        unit=place[whole.unit[entries]],
        target=whole.target[entries],
        value=whole.value[entries],
    )
    found = calibrate_areas(shuffled, distance=distance)
    assert found.weight[place].tolist() == np.concatenate([part.weight for part in alone]).tolist()
    assert found.achieved.tolist() == np.concatenate([part.achieved for part in alone]).tolist()
    assert found.rounds.tolist() == np.concatenate([part.rounds for part in alone]).tolist()


@given(problems(), st.sampled_from([0.001, 0.5, 7.0, 1e6]))
@settings(deadline=None)
def test_weights_scale_with_base_weights_and_targets(problem: Problem, factor: float) -> None:
    found = calibrate_areas(problem, distance=WITHIN)
    larger = replace(
        problem, base_weight=problem.base_weight * factor, lower=problem.lower * factor, upper=problem.upper * factor
    )
    assert calibrate_areas(larger, distance=WITHIN).weight == pytest.approx(found.weight * factor, rel=1e-4)


def only(problem: Problem, kept: Sequence[int]) -> Problem:
    """The same area with these targets, in this order."""
    limits = list(zip(problem.lower[kept], problem.upper[kept], strict=True))
    return one_area(problem.base_weight, dense(problem).T[kept], limits, problem.priority[kept])


@given(feasible_problems())
@settings(deadline=None)
def test_collinear_targets_change_nothing(problem: Problem) -> None:
    total = dense(problem).T @ calibrate_areas(problem, distance=WITHIN).weight
    problem = replace(problem, lower=total, upper=total)
    # The total and two of its three categories: the third follows, and so do a second set and the total again.
    independent = [0, 1, 2, 4, 6]
    dependent = [*independent, 3, 5, 0]
    weights = [calibrate_areas(only(problem, kept), distance=WITHIN).weight for kept in (independent, dependent)]
    assert weights[1] == pytest.approx(weights[0], abs=1e-6)


def solved(problem: Problem, distance: Distance = WITHIN) -> Solution:
    return calibrate_areas(problem, distance=distance)


def test_regression_estimator_by_hand() -> None:
    # g = 1 + λ x with Σ d x g = 12: 6 + 14 λ = 12.
    found = solved(one_area([1, 1, 1], [[1, 2, 3]], [(12, 12)]), Distance())
    assert found.weight == pytest.approx([1 + 3 / 7, 1 + 6 / 7, 1 + 9 / 7], abs=1e-9)


def test_poststratification_by_hand() -> None:
    for distance in DISTANCES:
        found = solved(one_area([1, 3, 2], [[1, 1, 0], [0, 0, 1]], [(6, 6), (1, 1)]), distance)
        assert found.weight == pytest.approx([1.5, 4.5, 1.0], abs=1e-6)


def test_masked_count_moves_only_as_far_as_it_must() -> None:
    # 6 households where there are 1 to 4: down to 4. 3 where there are 1 to 4: nothing to do. 0 of 1 to 4: cannot be met.
    columns = [[1] * 6 + [0] * 3, [0] * 6 + [1] * 3, [0] * 9]
    found = solved(one_area([1.0] * 9, columns, [(1, 4)] * 3))
    assert found.achieved == pytest.approx([4, 3, 0], abs=1e-6)
    assert found.weight == pytest.approx([4 / 6] * 6 + [1.0] * 3, abs=1e-6)
    assert found.gap == pytest.approx([0, 0, -1], abs=1e-6)
    assert found.is_relaxed.tolist() == [False, False, True]


def test_inside_of_an_interval_has_a_price() -> None:
    # Two households to 3; one of them is in a masked count, whose total of 1 costs (2 - 1) as much again, or next to nothing.
    problem = one_area([1.0, 1.0], [[1, 1], [0, 1]], [(3, 3), (1, 4)])
    assert solved(problem).weight == pytest.approx([5 / 3, 4 / 3], abs=1e-6)
    assert calibrate_areas(problem, distance=WITHIN, interval_price=1e-4).weight == pytest.approx([1.5, 1.5], abs=1e-4)
    with pytest.raises(ConfigurationError):
        calibrate_areas(problem, distance=WITHIN, interval_price=0.0)


def test_contradiction_goes_to_the_lower_priority() -> None:
    # 10 households, but sizes that add up to 14: sizes give way by 2 each, the total by some millionths.
    base, columns = [1.0] * 8, [[1] * 8, [1] * 4 + [0] * 4, [0] * 4 + [1] * 4]
    found = solved(one_area(base, columns, [(10, 10), (6, 6), (8, 8)], [0, 1, 1]))
    assert found.gap == pytest.approx([0, -2, -2], abs=1e-5)
    assert found.is_relaxed.tolist() == [False, True, True]
    # One of priority 1 against one of 2: gaps of 1 to 10.
    found = solved(one_area(base, [*columns[:2], columns[1]], [(8, 8), (4, 4), (6.2, 6.2)], [0, 1, 2]))
    assert found.gap == pytest.approx([0, 0.2, -2.0], abs=1e-5)


def test_bounds_are_kept_where_they_stand_in_the_way() -> None:
    found = solved(one_area([1.0, 1.0], [[1, 1]], [(20, 20)], [0]))
    assert found.weight.tolist() == [4.0, 4.0]
    assert found.gap.tolist() == [-12.0]
    found = solved(one_area([1.0, 1.0], [[1, 1]], [(0, 0)], [0]))
    assert found.weight.tolist() == [0.25, 0.25]


def test_a_weight_leaves_its_bound_by_millionths() -> None:
    # The least weights add up to the total exactly; the eighth household is worth a little more than that to its own target.
    base = [0.2] * 8 + [2.4, 4.0, 4.0]
    eighth = [int(unit == 7) for unit in range(11)]
    others = [1 - flag for flag in eighth]
    problem = one_area(base, [[1] * 11, others, eighth, [1] * 11], [(3, 3), (0, 0), (1, 1), (0, 0)], [0, 1, 1, 2])
    found = solved(problem)
    assert found.is_converged.all()
    assert found.gap == pytest.approx(least_gaps(problem), abs=1e-9)
    assert found.weight[7] - 0.05 == pytest.approx(6.5e-7, rel=1e-4)


def test_logit_weights_go_to_their_bounds_when_they_must() -> None:
    found = solved(one_area([1.0, 1.0], [[1, 1]], [(20, 20)], [0]), Distance("logit", 0.25, 4.0))
    assert found.weight == pytest.approx([4.0, 4.0], abs=1e-6)


def test_areas_without_units_without_targets_and_units_out_of_scope() -> None:
    no_units = one_area([], [[], []], [(5, 5), (1, 4)])
    no_targets = one_area([2.0, 3.0], [], [])
    out_of_scope = one_area([1.0, float("nan"), 0.0, -1.0, float("inf")], [[1, 1, 1, 1, 1]], [(2, 2)])
    nothing = one_area([], [], [])
    found = solved(together([no_units, no_targets, out_of_scope, nothing]))
    assert found.weight.tolist() == pytest.approx([2.0, 3.0, 2.0, 0.0, 0.0, 0.0, 0.0])
    assert found.gap.tolist() == pytest.approx([-5, -1, 0])
    assert found.is_relaxed.tolist() == [True, True, False]
    assert found.units.tolist() == [0, 2, 1, 0]
    assert found.is_converged.all()


def test_limits_that_are_missing_or_the_wrong_way_round() -> None:
    nan = float("nan")
    found = solved(one_area([1.0, 1.0], [[1, 1], [1, 0], [0, 1]], [(3, nan), (nan, nan), (1.5, 0.5)]))
    assert found.achieved[0] == pytest.approx(3.0)
    assert 0.5 <= found.achieved[2] <= 1.5 + 1e-9
    assert found.gap == pytest.approx([0, 0, 0], abs=1e-6)


def test_negative_and_huge_contributions() -> None:
    # Won beside households: a gap counts in mean contributions, so neither drowns the other.
    income = [3e7, 5e7, -2e6, 8e7]
    found = solved(one_area([1.0] * 4, [[1] * 4, income], [(5, 5), (2.2e8, 2.2e8)], [0, 1]))
    assert found.gap == pytest.approx([0, 0], abs=1.0)
    assert found.weight.sum() == pytest.approx(5.0, abs=1e-6)


def test_too_few_rounds_are_reported_and_bounds_hold_anyway() -> None:
    problem = one_area([1.0] * 4, [[1, 1, 0, 0], [0, 1, 1, 1]], [(3.5, 3.5), (1, 1)])
    found = calibrate_areas(problem, distance=WITHIN, max_rounds=1)
    assert found.is_converged.tolist() == [False]
    assert found.weight.min() >= 0.25


def test_unknown_or_impossible_distances_are_refused() -> None:
    for arguments in (("logit",), ("truncated_linear", 1.1, 4.0), ("truncated_raking", -1.0, 4.0), ("nearest",)):
        with pytest.raises(ConfigurationError):
            Distance(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("distance", [*DISTANCES, Distance(), Distance("truncated_raking", 0.0)], ids=str)
def test_ratios_are_the_slope_of_the_conjugate(distance: Distance) -> None:
    score, step = np.linspace(-3, 3, 101) + 1e-3, 1e-6
    slope = (distance.conjugate(score + step) - distance.conjugate(score - step)) / (2 * step)
    ratio, curvature = distance.ratios(score)
    assert slope == pytest.approx(ratio, abs=1e-6)
    change = (distance.ratios(score + step)[0] - distance.ratios(score - step)[0]) / (2 * step)
    assert change == pytest.approx(curvature, abs=1e-4)
