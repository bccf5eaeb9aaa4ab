"""Programs of one dong around a table of a city, beside programs of everything."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from living_finance.release import verify_population
from living_finance.release.bounds import left_above_areas, narrow_cells
from living_finance.release.exchange import followed, left_by_dongs
from living_finance.release.programs import Places
from living_finance.release.verify_links import links_between, places_of
from living_finance.release.verify_population import Population, together

KINDS = {"household_type": ("one_person", "three_generation", "unrelated"), "head_sex": ("F", "M")}


def city(seed: int, *, rare: float, empty: str = "none") -> tuple[pd.DataFrame, np.ndarray]:
    """Cells of three districts of three dongs, output areas by one dimension; true counts. Of one kind there are few, and nobody
    lives in the empty region."""
    draws = np.random.default_rng(seed)
    areas = [f"11{10 * g:03d}{50 + d}000{a}" for g in (1, 2, 3) for d in (1, 2, 3) for a in range(1, 2 + (g + d) % 3)]
    households = pd.DataFrame(
        {
            "area": area,
            "household_type": kind,
            "head_sex": sex,
            "count": draws.poisson(40 * share * other) * (not area.startswith(empty)),
        }
        for area in areas
        for kind, share in zip(KINDS["household_type"], (0.7, 0.3 - rare, rare), strict=True)
        for sex, other in zip(KINDS["head_sex"], (0.3, 0.7), strict=True)
    )
    rows = []
    for level, length in (("city", 2), ("gu", 5), ("dong", 7), ("output_area", 11)):
        region = households["area"].str[:length]
        for kind, sex in itertools.product(("all", *KINDS["household_type"]), ("all", *KINDS["head_sex"])):
            if level == "output_area" and "all" not in (kind, sex):
                continue
            is_of = households["household_type"].isin([kind] if kind != "all" else KINDS["household_type"])
            is_of &= households["head_sex"].isin([sex] if sex != "all" else KINDS["head_sex"])
            counts = households["count"].where(is_of, 0).groupby(region).sum()
            rows += [
                {"region_level": level, "region_code": code, "household_type": kind, "head_sex": sex, "count": float(count)}
                for code, count in counts.items()
            ]
    cells = pd.DataFrame(rows)
    return cells.drop(columns="count"), cells["count"].to_numpy()


def ends(count: np.ndarray, *, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Counts below the threshold are withheld, the others rounded to 5."""
    is_hidden, printed = count < threshold, 5 * np.rint(count / 5)
    return np.where(is_hidden, 0.0, printed - 2.5), np.where(is_hidden, np.inf, printed + 2.5)


def linked(cells: pd.DataFrame) -> tuple[object, Places]:
    coded = pd.DataFrame({name: pd.factorize(cells[name])[0] for name in KINDS})
    return links_between(cells, coded)[0], places_of(cells)


def exact_width(links: object, low: np.ndarray, high: np.ndarray, cell: int) -> float:
    """By two programs of everything."""
    reached = []
    for sign in (1.0, -1.0):
        cost = np.zeros(low.size)
        cost[cell] = sign
        known = list(zip(low, np.where(np.isinf(high), None, high), strict=True))
        reached.append(linprog(cost, A_eq=links, b_eq=np.zeros(links.shape[0]), bounds=known, method="highs").x[cell])  # type: ignore[attr-defined]
    return float(reached[1] - reached[0])


def problem(seed: int, *, rare: float, empty: str) -> tuple[Any, ...]:
    """Cells, counts, links, places, ends and widths asked of a city with nobody in the empty region."""
    cells, count = city(seed, rare=rare, empty=empty)
    links, places = linked(cells)
    low, high = ends(count, threshold=6.0)
    high[cells["region_code"].str.startswith(empty)] = 0.0
    return cells, count, links, places, low, high, np.where(np.isinf(high), 6.0, 0.0)


def assert_wide(links: object, low: np.ndarray, high: np.ndarray, need: np.ndarray, cells: np.ndarray) -> None:
    """In programs of everything."""
    exact = np.array([exact_width(links, low, high, cell) for cell in cells.tolist()])
    assert (exact >= need[cells] - 1e-4).all()


@pytest.mark.parametrize(
    ("seed", "rare", "empty"),
    [(1, 0.02, "none"), (2, 0.02, "none"), (3, 0.1, "none"), (4, 0.1, "1101051"), (5, 0.1, "11010520001"), (6, 0.05, "11020")],
)
def test_what_is_vouched_for_is_as_wide_in_the_program_of_everything(seed: int, rare: float, empty: str) -> None:
    """Also where nobody lives in a region, as everybody knows."""
    _, count, links, places, low, high, need = problem(seed, rare=rare, empty=empty)
    left = left_by_dongs(links, low, high, need, places=places, table=count)
    is_wide = (need > 0) & (left == 0)
    assert is_wide.any()
    assert (left[~is_wide] == need[~is_wide]).all()
    assert_wide(links, low, high, need, np.flatnonzero(is_wide))


@pytest.mark.parametrize(("seed", "rare", "empty"), [(1, 0.02, "none"), (3, 0.1, "none"), (5, 0.1, "11010520001")])
def test_what_is_vouched_for_without_output_areas_is_as_wide_with_them(seed: int, rare: float, empty: str) -> None:
    """They follow their dongs. What is asked of themselves stays asked."""
    cells, count, links, places, low, high, need = problem(seed, rare=rare, empty=empty)
    drawn_in = followed(links, low, high, places=places, table=count)
    assert drawn_in is not None
    is_area = (cells["region_level"] == "output_area").to_numpy()
    for drawn, given in zip(drawn_in, (low, high), strict=True):
        assert (drawn[is_area] == given[is_area]).all() and (drawn != given).any()
    left = left_above_areas(links, *drawn_in, need, need, places=places, table=count)
    assert (left[is_area] == need[is_area]).all()
    is_wide = (need > 0) & (left == 0)
    assert is_wide.sum() > 10
    assert_wide(links, low, high, need, np.flatnonzero(is_wide))


def population(cells: pd.DataFrame, count: np.ndarray, *, threshold: float) -> Population:
    """Counts of one release."""
    links, places = linked(cells)
    low, high = ends(count, threshold=threshold)
    hidden = np.isinf(high)
    return Population(
        cells=cells.assign(value=np.where(hidden, np.nan, 5 * np.rint(count / 5))),
        twice=cells.iloc[:0],
        low=low,
        high=high,
        half=np.where(hidden, 0.0, 2.5),
        hidden=hidden,
        is_nobody=np.zeros(len(cells), dtype=bool),
        need=np.where(hidden, threshold, 0.0),
        links=links,
        kinds=[],
        places=places,
    )


@pytest.mark.parametrize("change", [4.0, 8.0])
@pytest.mark.parametrize("is_alike", [True, False], ids=["alike", "apart"])
def test_what_is_vouched_for_of_two_releases_is_as_wide_in_the_program_over_both(
    change: float, is_alike: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both moved alike, each in its box, or both at once without output areas; small changes leave boxes no room."""
    cells, count = city(7, rare=0.1)
    _, before = city(7, rare=0.08)
    one, other = (population(cells, counts, threshold=6.0) for counts in (count, before))
    assert (one.hidden != other.hidden).any()
    asked: list[tuple[object, np.ndarray, np.ndarray, np.ndarray]] = []

    def said_nothing(links: object, low: np.ndarray, high: np.ndarray, need: np.ndarray, **_: object) -> np.ndarray:
        asked.append((links, low, high, need))
        return np.array([], dtype=np.int64)

    monkeypatch.setattr(verify_population, "narrow_cells", said_nothing)
    monkeypatch.setattr(verify_population, "_ONE_PROGRAM", 0)
    if not is_alike:
        monkeypatch.setattr(verify_population, "_left_alike", lambda pair, *_: (pair.one.need, pair.other.need))
    together(one, other, change=change)
    links, low, high, left = asked[-1]
    need = np.concatenate([one.need, other.need, np.zeros(left.size - 2 * len(cells))])
    is_wide = (need > 0) & (left == 0)
    assert is_wide.sum() > 20
    assert_wide(links, low, high, need, np.flatnonzero(is_wide)[::4])


def test_a_cell_that_its_links_tell_is_not_vouched_for() -> None:
    """Of a withheld pair one is told exactly: so is the other, whatever other dongs do."""
    cells, count = city(4, rare=0.1)
    links, places = linked(cells)
    low, high = ends(count, threshold=6.0)
    dong = (cells["region_code"] == "1101051").to_numpy()
    low[dong], high[dong] = count[dong], count[dong]
    at = np.flatnonzero(dong & (cells["household_type"] == "unrelated").to_numpy() & (cells["head_sex"] == "F").to_numpy())[0]
    low[at], high[at] = 0.0, np.inf
    need = np.where(np.isinf(high), 3.0, 0.0)
    is_wide = (need > 0) & (left_by_dongs(links, low, high, need, places=places, table=count) == 0)
    assert is_wide.any()
    assert not is_wide[at]
    narrow = narrow_cells(links, low, high, need, places=places)
    assert narrow is not None and at in narrow


@pytest.mark.parametrize("gone", ["1101051", "11010", "11010510001"])
def test_where_regions_are_not_counted_alike_nothing_is_vouched_for(gone: str) -> None:
    """What other dongs do is one number per category only if all have the same categories and links."""
    cells, count = city(5, rare=0.1)
    is_gone = (cells["region_code"] == gone) & (cells["household_type"] == "unrelated") & (cells["head_sex"] == "all")
    cells, count = cells[~is_gone].reset_index(drop=True), count[~is_gone.to_numpy()]
    links, places = linked(cells)
    low, high = ends(count, threshold=6.0)
    need = np.where(np.isinf(high), 6.0, 0.0)
    assert (left_by_dongs(links, low, high, need, places=places, table=count) == need).all()
