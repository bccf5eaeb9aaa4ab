"""Corrections of scores: known ones are recovered, noise is told from pull as far as data tell it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from living_finance.income.earnings import (
    BANDS,
    PEERS,
    Correction,
    Earners,
    EarningsModel,
    EarningsTargets,
    PlaceSlope,
    classes_of_peers,
    donors_of,
    fit_earnings,
    middles,
    noise_share,
)
from living_finance.methods.keyed_random import key_bits

HOUSEHOLDS = 4000
PULL, SEEN = 0.75, 0.6
UNKNOWN = PlaceSlope(1.0, np.inf)


def made(noise: float = 0.0) -> tuple[Earners, np.ndarray, np.ndarray]:
    """Earners whose scores pull to the middle of their peers, and what their households truly earn."""
    random = np.random.default_rng(11)
    household = np.repeat(np.arange(HOUSEHOLDS), 2)
    count = household.size
    peer = random.integers(0, PEERS, count)
    middle = 17.0 + 0.02 * (peer % BANDS)
    log = middle + 0.6 * random.normal(size=count)
    labour = np.where(random.random(count) < 0.7, np.exp(log), 0.0)
    business = np.where(labour > 0, 0.0, np.exp(log + random.normal(size=count)))

    def score(true: np.ndarray, seen: float) -> np.ndarray:
        pulled = np.exp(middle + PULL * (np.log(np.maximum(true, 1.0)) - middle) + noise * random.normal(size=count))
        return np.where(true > 0, pulled * seen, 0.0)

    nobody = np.zeros(0, np.int64)
    earners = Earners(
        households=HOUSEHOLDS,
        household=household,
        peer=peer,
        labour=score(labour, 1.0),
        business=score(business, SEEN),
        key=key_bits(range(count)),
        unseen_household=nobody,
        unseen_class=nobody,
        unseen_key=key_bits([]),
        place=np.zeros(HOUSEHOLDS),
    )
    return earners, earners.sums(labour, np.zeros(0)), earners.sums(business, np.zeros(0))


def target(amount: np.ndarray) -> EarningsTargets:
    return EarningsTargets.of(amount, np.ones(amount.size))


def fitted_to(
    earners: Earners, labour: EarningsTargets, business: EarningsTargets, *, has_one_slope: bool | None = None
) -> tuple[EarningsModel, tuple[str, ...]]:
    """The fit where places say how far scores pull to the middle."""
    return fit_earnings(
        earners,
        np.ones(HOUSEHOLDS),
        labour=labour,
        business=business,
        draw=0,
        donors=donors_of(earners),
        places=PlaceSlope(1 / PULL, 0.001),
        chance=None,
        has_one_slope=has_one_slope,
    )


def fitted(earners: Earners, labour: np.ndarray, business: np.ndarray) -> tuple[EarningsModel, tuple[str, ...]]:
    return fitted_to(earners, target(labour), target(business))


def test_pull_and_understatement_are_undone() -> None:
    earners, labour, business = made()
    model, notes = fitted(earners, labour, business)
    assert notes == ()
    assert model.labour.slope == pytest.approx(1 / PULL, rel=0.02)
    assert model.labour.noise_share < 0.05
    found_labour, found_business = model.amounts(earners, draw=0)
    assert found_labour.mean() == pytest.approx(labour.mean(), rel=0.01)
    assert found_business.mean() == pytest.approx(business.mean(), rel=0.03)
    errors = np.abs(np.log(found_labour[labour > 0] / labour[labour > 0]))
    assert np.median(errors) < 0.02


def test_a_share_of_noise_is_drawn_from_what_places_say() -> None:
    slope = 1.1
    # Places differ by 1.25 times what scores say: 1.1 / sqrt(1 - share) = 1.25 at a share of 0.2256.
    assert noise_share(slope, PlaceSlope(1.25, 0.005), chance=None) == pytest.approx(1 - (1.1 / 1.25) ** 2, abs=0.01)
    assert noise_share(slope, UNKNOWN, chance=None) == pytest.approx(0.15, abs=1e-9)
    low, high = (noise_share(slope, UNKNOWN, chance=chance) for chance in (0.05, 0.95))
    assert low < 0.03 and high > 0.27


def test_draws_of_an_area_spread_as_far_as_it_is_off() -> None:
    share = 0.2
    noise = PULL * 0.6 * np.sqrt(share / (1 - share))
    earners, labour, business = made(noise)
    model, _ = fitted(earners, labour, business)
    assert model.labour.noise_share == pytest.approx(share, abs=0.03)
    by_draw = np.array([model.amounts(earners, draw=draw)[0] for draw in range(1, 31)])
    assert np.median(by_draw[by_draw > 0]) == pytest.approx(np.median(labour[labour > 0]), rel=0.01)
    assert target(by_draw[3]).spread == pytest.approx(target(labour).spread, rel=0.02)
    areas = np.arange(HOUSEHOLDS) % 200

    def of_areas(amount: np.ndarray) -> np.ndarray:
        return np.bincount(areas, weights=amount) / np.bincount(areas)

    draws = np.array([of_areas(amount) for amount in by_draw])
    off = of_areas(labour) - draws.mean(axis=0)
    assert np.sqrt((draws.var(axis=0, ddof=1)).mean()) == pytest.approx(off.std(), rel=0.15)


def test_places_are_widened_more_than_persons() -> None:
    correction = Correction((17.0,) * PEERS, slope=1.1, noise_share=0.19)
    score, peer = np.exp(np.array([17.3, 17.3])), np.zeros(2, np.int64)
    by_person, by_place = np.log(correction.apply(score, peer, np.array([0.0, 0.3])))
    assert by_person - 17.0 == pytest.approx(1.1 * 0.3)
    assert by_place - 17.0 == pytest.approx(1.1 / 0.9 * 0.3)


def test_a_loss_stays_a_loss_and_nothing_stays_nothing() -> None:
    correction = Correction((17.0,) * PEERS, level=np.log(2.0), slope=1.3)
    found = correction.apply(np.array([-5e6, 0.0]), np.zeros(2, np.int64), np.zeros(2))
    assert found.tolist() == [-1e7, 0.0]


def test_unseen_adults_earn_as_known_ones_of_their_class() -> None:
    earners, labour, _ = made()
    of_class = classes_of_peers()[earners.peer]
    donors = donors_of(earners)
    for number in (1, 5, 8):
        inside = slice(donors.start[number], donors.start[number + 1])
        share = np.diff(np.r_[number, donors.through[inside]])
        assert share.sum() == pytest.approx(1.0)
        mean = share @ donors.labour[inside]
        assert mean == pytest.approx(earners.labour[of_class == number].mean(), rel=0.02)
    assert labour.size == HOUSEHOLDS


def test_a_small_peer_group_takes_the_middle_of_everybody() -> None:
    score, peer = np.exp(np.r_[np.full(100, 17.0), 18.0]), np.r_[np.zeros(100, np.int64), 5]
    found = middles(score, peer)
    assert found[0] == pytest.approx(17.0)
    assert found[5] == pytest.approx((100 * 17.0 + 18.0) / 101)


def of_few(amount: np.ndarray, *, spread: float, error: float) -> EarningsTargets:
    """What so many surveyed households say, their spread off by a factor."""
    return replace(target(amount), spread=target(amount).spread * spread, error=error)


def test_business_has_the_slope_of_labour_unless_the_survey_contradicts_it() -> None:
    earners, labour, business = made()

    def fit(spread: float, *, has_one_slope: bool | None = None) -> EarningsModel:
        few = of_few(business, spread=spread, error=0.07)
        return fitted_to(earners, target(labour), few, has_one_slope=has_one_slope)[0]

    by_chance, apart = fit(1.1), fit(1.3)
    assert by_chance.has_one_slope and by_chance.business.slope == by_chance.labour.slope
    found = by_chance.amounts(earners, draw=0)[1]
    assert target(found).centre == pytest.approx(target(business).centre, abs=1e-6)
    assert found.mean() == pytest.approx(business.mean(), rel=0.03)
    assert not apart.has_one_slope
    assert apart.business.slope == pytest.approx(1.3 * by_chance.labour.slope, rel=0.03)
    assert fit(1.3, has_one_slope=True).business.slope == by_chance.business.slope
    assert not fit(1.1, has_one_slope=False).has_one_slope


def test_a_level_by_a_power_mean_is_met_and_rests_less_on_small_amounts() -> None:
    earners, labour, business = made()
    asked = EarningsTargets.of(business, np.ones(business.size), power=0.5)
    amounts = fitted_to(earners, target(labour), asked, has_one_slope=True)[0].amounts(earners, draw=0)[1]
    found = EarningsTargets.of(amounts, np.ones(HOUSEHOLDS), power=0.5)
    assert found.centre == pytest.approx(asked.centre, abs=1e-9)
    assert abs(found.centre - target(amounts).centre) > 0.05
    # Gamma amounts, as skew to the left in their logs: a mean by the half-power is nearer the truth than one by logs.
    random = np.random.default_rng(8)
    samples = random.gamma(1.5, 2e7, (2000, 200))
    errors = [np.std([EarningsTargets.of(row, np.ones(200), power=power).centre for row in samples]) for power in (0.0, 0.5, 1.0)]
    assert errors[2] < errors[1] < 0.92 * errors[0]


def test_the_error_of_a_spread_is_what_samples_show() -> None:
    random = np.random.default_rng(5)
    samples = [np.exp(random.normal(17.0, 0.7, 200)) for _ in range(400)]
    found = [EarningsTargets.of(amount, random.exponential(size=200)) for amount in samples]
    spreads = np.array([each.spread for each in found])
    assert np.mean([each.error for each in found]) == pytest.approx(spreads.std() / spreads.mean(), rel=0.12)
    assert EarningsTargets.of(np.zeros(3), np.ones(3)).error == np.inf


def test_a_spread_beyond_reach_is_said_and_left() -> None:
    earners, labour, business = made()
    model, notes = fit_earnings(
        earners,
        np.ones(HOUSEHOLDS),
        labour=replace(target(labour), spread=50.0),
        business=target(business),
        donors=donors_of(earners),
        draw=0,
        places=UNKNOWN,
        chance=None,
    )
    assert model.labour.slope == 1.0
    assert any("labour" in note for note in notes)
