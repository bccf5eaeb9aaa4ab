"""The variance function of householding: recovered from made draws, larger regions by their households, nothing without doubt."""

from __future__ import annotations

import numpy as np
import pytest

from living_finance.contracts import gold
from living_finance.income.areas import error_budget
from living_finance.income.householding_error import HouseholdingError, fit_householding_error
from living_finance.income.region_draws import FIGURES, RegionDraws
from living_finance.methods.grouped import Floats
from living_finance.months import Month

AREAS, MEAN_KRW = 2_000, 50e6
VARIANCE, SHIFT = 0.3, 0.02


def regions(values: dict[str, Floats], *, households: Floats, doubt: Floats, level: str = "output_area") -> RegionDraws:
    codes = np.array([f"{number:05d}" for number in range(households.size)])
    return RegionDraws(np.repeat(level, households.size), codes, households, values, doubt)


def made(random: np.random.Generator, *, ratio: float = 1.0, doubt: Floats | None = None) -> tuple[RegionDraws, RegionDraws]:
    """Areas with the point assignment and with a draw whose distances have the stated variance and shift."""
    households = random.integers(150, 300, AREAS).astype(float)
    doubt = random.gamma(1.0, 0.1, AREAS) if doubt is None else doubt
    level = MEAN_KRW * np.exp(0.2 * random.normal(size=AREAS))
    before = {name: 0.3 + np.zeros((AREAS, 1)) if name == "gini" else level[:, None] for name in FIGURES}
    after = {}
    for name in FIGURES:
        apart = np.sqrt(VARIANCE * doubt / households) * random.normal(size=AREAS) + (name != "mean") * SHIFT * doubt
        after[name] = before[name] + apart[:, None] if name == "gini" else ratio * (before[name] + (level * apart)[:, None])
    return tuple(regions(values, households=households, doubt=doubt) for values in (before, after))  # type: ignore[return-value]


def test_variance_and_shift_are_recovered_whatever_the_level_of_a_draw() -> None:
    point, draw = made(np.random.default_rng(1), ratio=1.1)
    found = fit_householding_error(point, [draw])
    assert found.areas == AREAS
    assert list(found.variance.values()) == pytest.approx([VARIANCE] * len(FIGURES), rel=0.15)
    assert found.shift["mean"] == pytest.approx(0.0, abs=0.002)
    assert [found.shift[name] for name in FIGURES[1:]] == pytest.approx([SHIFT] * len(FIGURES[1:]), abs=0.012)


def test_a_region_of_many_areas_has_the_error_of_their_mean() -> None:
    point, draw = made(np.random.default_rng(2))
    found = fit_householding_error(point, [draw])
    groups = np.arange(AREAS) // 8

    def joined(values: Floats) -> Floats:
        return np.bincount(groups, point.households * values) / np.bincount(groups, point.households)

    before, after = (joined(of.figures["mean"][:, 0]) for of in (point, draw))
    dongs = regions(
        dict.fromkeys(FIGURES, before[:, None]), households=np.bincount(groups, point.households), doubt=joined(point.doubt)
    )
    stated = found.of("mean", dongs)
    assert np.mean(((after - before) / stated) ** 2) == pytest.approx(1.0, abs=0.3)
    assert np.mean(np.abs(after - before) <= 1.645 * stated) == pytest.approx(0.9, abs=0.08)


def test_nobody_in_doubt_no_error_and_areas_of_one_run_only_do_not_count() -> None:
    point, draw = made(np.random.default_rng(3), doubt=np.zeros(AREAS))
    assert fit_householding_error(point, [draw]).of("median", point).tolist() == [0.0] * AREAS
    point, draw = made(np.random.default_rng(4))
    few = RegionDraws(
        draw.level[5:], draw.code[5:], draw.households[5:], {k: v[5:] for k, v in draw.figures.items()}, draw.doubt[5:]
    )
    assert fit_householding_error(point, [few]).areas == AREAS - 5


def test_parts_of_the_budget_add_up_in_squares() -> None:
    size = np.full(3, 100.0)

    def of(*draws: float) -> RegionDraws:
        values = np.tile(np.array(draws) * 1e6, (3, 1))
        return regions(dict.fromkeys(FIGURES, values), households=size, doubt=np.full(3, 0.25), level="dong")

    error = HouseholdingError(dict.fromkeys(FIGURES, 1.0), dict.fromkeys(FIGURES, 0.0), 9)
    budget = error_budget(
        # The draws are what survey (+1, -1, 0), published figures (-2, 0, 2) and chance (3, 0, -3) make of 50.
        of(50.0, 52.0, 49.0, 49.0),
        survey=of(51.0, 49.0, 50.0),
        published=of(48.0, 50.0, 52.0),
        householding=error,
        month=Month(2020, 1),
    )
    (row,) = (row for row in budget.to_pylist() if row["figure"] == "median")
    assert (row["region_level"], row["regions"]) == ("dong", 3)
    variance = 3.0 * (1 + 1 / 3)  # of the three draws after the first, as the error of their average
    of_survey, of_published, of_chance = (variance * part / 14 for part in (1, 4, 9))
    assert row["sampling"] == pytest.approx(of_survey**0.5 / 50) and row["benchmarking"] == pytest.approx(of_published**0.5 / 50)
    assert row["model"] == pytest.approx(of_chance**0.5 / 50) and row["householding"] == pytest.approx(0.05)
    assert row["total"] ** 2 == pytest.approx(sum(row[name] ** 2 for name in gold.ERROR_PARTS))
