"""The calibration core against R, linear programs, quadratic programs and what must hold for any input."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

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
