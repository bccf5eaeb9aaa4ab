"""Extras who live with registered people, on buildings drawn from the model: known heads, known moves between units."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from test_assignment import people, people_table

import living_finance.households.absent as absent_module
from living_finance.households.absent import Absences, Claims, claims
from living_finance.households.assignment import Assignment, assign
from living_finance.households.layout import Layout, group_of
from living_finance.households.matching import _solved
from living_finance.households.model import CELLS, AssignmentModel, cell_of, fit

PRESENT, HEAD_AWAY, MOVED, BY_CHANCE = 0.85, 0.1, 0.04, 0.15


@dataclass(frozen=True)
class Buildings:
    """Flats, and by row of the block the true home: the number of the register household, or less than 0."""

    layout: Layout
    home: np.ndarray
    heads_here: float
    """Share of the register households without a head whose head is in the bureau's data."""
    other_unit: float
    """Share of the register households who are in another unit."""


def draw_buildings(seed: int, *, head_away: float = HEAD_AWAY, moved: float = MOVED) -> Buildings:
    """80 buildings of 20 units: somebody alone, couples, couples with a grown son.

    Of some households of several the head is not registered, of some all records have another unit of the building; extras
    come by chance, one in two with a wife.
    """
    random = np.random.default_rng(seed)
    rows: list[tuple[int, int, int, bool, int, int]] = []
    home_of: dict[int, int] = {}
    keys = iter((random.permutation(10**6) + 10**6).tolist())
    without_head, here, elsewhere = 0, 0, 0
    for address in range(1, 81):
        for unit in range(100 * address, 100 * address + 20):
            kind, band = random.integers(3), 5 * int(random.integers(7, 13))
            members = [(band * 2 + 1, 0), (max(band - 5 * int(random.integers(2)), 15) * 2, 1), ((band - 20) * 2 + 1, 2)][
                : kind + 1
            ]
            at = 100 * address + int(random.integers(20)) if random.random() < moved else unit
            is_known = random.random(len(members)) < PRESENT
            is_away = kind > 0 and at == unit and random.random() < head_away
            for (sex_age, relation), known in zip(members, is_known, strict=True):
                if relation or not is_away:
                    rows.append((address, unit, sex_age, False, unit, relation))
                if known:
                    home_of[key := next(keys)] = unit
                    rows.append((address, at, sex_age, True, key, -1))
            without_head, here = without_head + is_away, here + (is_away and is_known[0])
            elsewhere += at != unit and is_known.any()
            if random.random() < BY_CHANCE:
                band = 5 * int(random.integers(4, 14))
                for sex_age in (band * 2 + 1, band * 2)[: 1 + (random.random() < 0.5)]:
                    home_of[key := next(keys)] = -unit
                    rows.append((address, unit, sex_age, True, key, -1))
    layout = people(*rows)
    key = layout.block.key
    home = np.array([home_of.get(k, k) for k in key.tolist()])
    return Buildings(layout, home, here / max(without_head, 1), elsewhere / (80 * 20))


@pytest.fixture(scope="module")
def buildings() -> Buildings:
    return draw_buildings(1)


@pytest.fixture(scope="module")
def model(buildings: Buildings) -> AssignmentModel:
    return fit(buildings.layout)


def extras_of(layout: Layout, result: Assignment) -> np.ndarray:
    return np.flatnonzero(layout.block.is_bureau & ~result.is_contested & (layout.partner < 0))


def claimed(layout: Layout, model: AssignmentModel, rows: np.ndarray, draw: int | None = None) -> Claims:
    of = {name: getattr(model, name) for name in ("extra_rate", "settled", "present", "unit_known")}
    return claims(layout, model.absences, rows=rows, seed=7, draw=draw, **of)


def test_shares_are_recovered(buildings: Buildings, model: AssignmentModel) -> None:
    assert model.absences.heads_here == pytest.approx(buildings.heads_here, abs=0.1)
    assert model.absences.other_unit == pytest.approx(buildings.other_unit, rel=0.35)


def test_nobody_is_claimed_where_the_register_has_everybody() -> None:
    drawn = draw_buildings(2, head_away=0.0, moved=0.0)
    absences = fit(drawn.layout).absences
    assert (absences.heads_here, absences.other_unit) == (0.0, pytest.approx(0.0, abs=0.002))


def test_extras_are_with_registered_people_as_often_as_is_stated(model: AssignmentModel) -> None:
    """In other buildings of the same kind."""
    drawn = draw_buildings(3)
    layout = drawn.layout
    result = assign(layout, model, seed=7)
    homes = np.full(layout.dwellings, -1)
    homes[layout.dwelling[layout.is_register]] = drawn.home[layout.is_register]
    rows = extras_of(layout, result)
    found = result.dwelling[rows]
    is_right = np.where(found >= 0, homes[found] == drawn.home[rows], drawn.home[rows] < 0)
    stated = result.probability[rows]
    assert (found >= 0).sum() > 100
    heads = result.is_missing_head[rows]
    for group, within in ((found < 0, 0.06), (heads, 0.1), ((found >= 0) & ~heads, 0.1)):
        assert is_right[group].mean() == pytest.approx(stated[group].mean(), abs=within)
    assert is_right.mean() > (drawn.home[rows] < 0).mean() + 0.1, "better than calling all of them extras"
    slots = result.is_matched & layout.is_register
    assert result.is_matched[layout.block.is_bureau].sum() == slots.sum()


def test_the_probability_of_a_head_is_that_of_its_options_written_out(model: AssignmentModel) -> None:
    """A wife and a son whose head is not registered; a man of her age and one of his are in the unit."""
    layout = people((1, 3, 80, False, 10, 1), (1, 3, 41, False, 10, 2), (1, 3, 81, True, 11, -1), (1, 3, 51, True, 12, -1))
    share = 0.6
    here = replace(model, absences=replace(model.absences, heads_here=share))
    rows = np.flatnonzero(layout.block.is_bureau)
    wife = np.flatnonzero(layout.block.relation == 1)
    kinds = np.array(model.absences.head_kinds)[absent_module._kind(layout, wife.repeat(2), layout.block.sex_age[rows])]
    by_chance = np.array(model.extra_rate)[2][cell_of(layout.block.sex_age[rows])] * model.absences.by_chance
    worlds = np.r_[1 - share, share * model.unit_known * kinds / by_chance]
    result = claimed(layout, here, rows)
    stated = dict(zip(result.row.tolist(), result.probability.tolist(), strict=True))
    exact = dict(zip(rows.tolist(), (worlds[1:] / worlds.sum()).tolist(), strict=True))
    assert stated == pytest.approx({row: p for row, p in exact.items() if p >= 0.001})
    assert layout.block.sex_age[result.row[result.is_made]].tolist() == [81], "heads are of their wives' age"


@pytest.mark.parametrize("family", [((81, 0),), ((81, 0), (80, 1))], ids=["alone", "couple"])
def test_the_probability_of_another_unit_is_that_of_its_worlds_written_out(
    model: AssignmentModel, family: tuple[tuple[int, int], ...]
) -> None:
    """Nobody answers for a household in its unit; people of its sexes and ages are in the other unit of the building."""
    adults = [sex_age for sex_age, _ in family]
    layout = people(
        *((1, 3, sex_age, False, 10, relation) for sex_age, relation in family),
        (1, 4, 61, False, 11, 0),
        *((1, 4, sex_age, True, 20 + sex_age, -1) for sex_age in adults),
    )
    share = 0.01
    known = replace(model, absences=replace(model.absences, other_unit=share))
    cells = cell_of(np.array(adults))
    registered = np.bincount(cell_of(np.array([*adults, 61])), minlength=CELLS)
    overall = np.array(model.absences.registered)
    likeness = (registered + CELLS * overall) / ((registered.sum() + CELLS) * overall)
    rate = (np.array(model.extra_rate)[2] * model.absences.by_chance * likeness)[cells]
    elsewhere, here = np.array(model.present)[:, group_of(np.array(adults))]
    ages = np.maximum(np.arange(CELLS) // 2 * 10 + np.arange(CELLS) % 2, 30)
    company = np.array(model.absences.company)[cells[0]] * np.array(model.present)[1][group_of(ages)]
    strangers = rate[0] * np.exp(-company.sum()) * np.prod(rate[1:] + company[cells[1:]])
    nobody = model.settled * np.prod(1 - here) + (1 - model.settled) * np.prod(1 - elsewhere)
    worlds = np.array([(1 - share) * nobody * strangers, share * np.prod(here)])
    stated = claimed(layout, known, np.flatnonzero(layout.block.is_bureau))
    assert stated.probability == pytest.approx(np.full(len(adults), worlds[1] / worlds.sum()))
    assert layout.block.sex_age[stated.slot].tolist() == layout.block.sex_age[stated.row].tolist()


def test_draws_claim_as_often_as_is_probable_and_nobody_twice(buildings: Buildings, model: AssignmentModel) -> None:
    layout = buildings.layout
    rows = np.flatnonzero(layout.block.is_bureau & (layout.partner < 0) & ~layout.is_crowded)
    expected = claimed(layout, model, rows).probability.sum()
    made = []
    for draw in range(12):
        drawn = claimed(layout, model, rows, draw)
        of = drawn.is_made
        assert len(np.unique(drawn.row[of])) == of.sum()
        heads = of & (drawn.slot < 0)
        assert len(np.unique(drawn.dwelling[heads])) == heads.sum()
        assert len(np.unique(drawn.slot[of & ~heads])) == (of & ~heads).sum()
        made.append(of.sum())
    assert np.mean(made) == pytest.approx(expected, rel=0.06)
    assert len(set(made)) > 1


@pytest.mark.parametrize("head_is_registered", [False, True])
def test_a_found_head_leads_the_household(model: AssignmentModel, head_is_registered: bool) -> None:
    about = {"address": 0, "is_quarters": False, "unit": 1, "is_bureau": False, "key": "R"}
    rows = [about | {"sex_age": 80, "relation": 1}, about | {"sex_age": -1, "relation": 2}]
    rows += [about | {"sex_age": 91, "relation": 0}] if head_is_registered else []
    rows += [about | {"sex_age": 81, "relation": -1, "is_bureau": True, "key": "P"}]
    known = replace(model.absences, heads_here=0.9)
    made = _solved(people_table(rows), model=replace(model, absences=known), seed=7, draw=None).to_pylist()
    evidence = [of["assignment_evidence"] for home in made for of in home["residents"]]
    if head_is_registered:
        assert evidence == ["alone"] and len(made) == 2
    else:
        assert evidence == ["missing_head"]
        assert [(h["household_size"], h["_heads_and_spouses"], h["_head_men"], h["_head_age"]) for h in made] == [(3, 2, 1, 40)]


def test_pairs_are_bounded_in_large_buildings(monkeypatch: pytest.MonkeyPatch, model: AssignmentModel) -> None:
    """Beyond the limit nobody is looked for in other units."""
    layout = draw_buildings(4, moved=0.5).layout
    rows = np.flatnonzero(layout.block.is_bureau & (layout.partner < 0) & ~layout.is_crowded)
    known = replace(model, absences=replace(model.absences, other_unit=0.5))
    assert (claimed(layout, known, rows).slot >= 0).any()
    monkeypatch.setattr(absent_module, "_MOST_UNITS", 19)
    assert not (claimed(layout, known, rows).slot >= 0).any()


def test_shares_are_none_where_the_month_has_too_few(model: AssignmentModel) -> None:
    layout = people((1, 3, 80, False, 10, 1), (1, 3, 81, True, 11, -1))
    absences = fit(layout).absences
    assert isinstance(absences, Absences)
    assert (absences.heads_here, absences.other_unit) == (0.0, 0.0)
