"""Two-part cells of a component: borrowing, weights, order statistics."""

from __future__ import annotations

from typing import Any

import pytest

from living_finance.income.donors import ComponentCell, SurveyRow, fit_component


def row(weight: float, age: int, size: int, amount: float | None) -> SurveyRow:
    return SurveyRow(weight, age, size, {"property": amount})


def fit(rows: list[SurveyRow], **changes: Any) -> dict[tuple[int, int], ComponentCell]:
    return fit_component(rows, "property", **{"donors_kept": 64, "min_households": 2, "min_positive": 2, **changes})


def test_share_and_amounts_are_weighted() -> None:
    cell = fit([row(3, 0, 0, 0.0), row(1, 0, 0, 100.0), row(1, 0, 0, 300.0), row(9, 0, 0, None)])[0, 0]
    assert cell.share == pytest.approx(2 / 5)
    assert cell.donors == (100,) * 32 + (300,) * 32
    assert cell.expected == pytest.approx(0.4 * 200)


def test_heavy_households_are_drawn_more_often() -> None:
    cell = fit([row(1, 0, 0, 10.0), row(3, 0, 0, 50.0)], donors_kept=4)[0, 0]
    assert cell.donors == (10, 50, 50, 50)
    cell = fit([row(1, 0, 0, 10.0), row(6, 0, 0, 50.0), row(1, 0, 0, 90.0)], donors_kept=3)[0, 0]
    assert cell.donors == (50, 50, 50)


def test_thin_cells_borrow_share_and_amounts_apart() -> None:
    rows = [
        row(1, 1, 0, 0.0),
        row(1, 1, 0, 0.0),
        row(1, 1, 1, 40.0),
        row(1, 1, 1, 80.0),
        row(1, 2, 0, 500.0),
        row(1, 3, 2, 700.0),
    ]
    cells = fit(rows)
    assert cells[1, 0].share == 0.0  # its own share of two households, with its age group's amounts
    assert set(cells[1, 0].donors) == {40, 80}
    assert cells[1, 2].share == pytest.approx(1 / 2)  # nobody surveyed: the age group
    assert set(cells[2, 0].donors) == {40, 80, 500, 700}  # one positive amount: everybody
    assert cells[0, 0].share == pytest.approx(4 / 6)


def test_nobody_surveyed_or_nobody_with_any_gives_nothing() -> None:
    for rows in ([], [row(1, 0, 0, 0.0)] * 5, [row(0, 0, 0, 10.0)] * 5):
        assert {cell.expected for cell in fit(rows).values()} == {0.0}
