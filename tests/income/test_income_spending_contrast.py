"""The survey's luck with business income, as far as spending tells of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from made_income import training_data

from living_finance.income.model import (
    IncomeModel,
    city_shares,
    fit_income,
    month_targets,
    move_of_business,
    spenders_of,
    weights_of_draw,
)
from living_finance.income.spending_contrast import NO_MOVE, Move, Spenders, business_move

CITY, SURVEY, SURVEYS = 40_000, 1_000, 200
CENTRE, SPREAD, TOLD = 16.5, 0.8, 0.5
"""Of log business income: mean, standard deviation, and share of the variance that spending tells."""


def population(random: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """Households as `Spenders.of` takes them, a fifth of them with business income."""
    trades = random.random(count) < 0.2
    luck = random.normal(size=count)
    told = np.sqrt(TOLD) * luck + np.sqrt(1.0 - TOLD) * random.normal(size=count)
    return {
        "labour": np.where(~trades | (random.random(count) < 0.4), 3e7, 0.0),
        "business": np.where(trades, np.exp(CENTRE + SPREAD * luck), 0.0),
        "spending": np.exp(14.5 + 0.2 * trades + 0.4 * told),
        "size": random.integers(1, 5, count),
        "weight": 0.5 + random.random(count),
    }


def mean_log(made: dict[str, np.ndarray]) -> float:
    trades = made["business"] > 0.0
    return float(np.average(np.log(made["business"][trades]), weights=made["weight"][trades]))


def terms(file: dict[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    return np.column_stack(
        [np.log(file["spending"][rows]), np.log(file["size"][rows]), file.get("alike", np.zeros((rows.size, 0)))[rows]]
    )


def mean(file: dict[str, np.ndarray], *, trades: bool) -> np.ndarray:
    rows = (file["business"] > 0.0) == trades
    return np.average(terms(file, rows), axis=0, weights=file["weight"][rows])


def moved(survey: dict[str, np.ndarray], city: dict[str, np.ndarray]) -> Move:
    return business_move(Spenders.of(**survey), Spenders.of(**city), survey["business"])


@pytest.mark.parametrize("known", [1.0, 0.7])
def test_the_move_takes_away_what_spending_tells_of_the_luck_whatever_files_call_spending(known: float) -> None:
    random = np.random.default_rng(5)
    city = population(random, CITY)
    counted_otherwise = {**city, "spending": 0.6 * city["spending"]}
    before, after, said = [], [], []
    for _ in range(SURVEYS):
        rows = random.choice(CITY, SURVEY, replace=False)
        survey = {name: values[rows] for name, values in city.items()}
        survey["spending"] = np.where(random.random(SURVEY) < known, survey["spending"], np.nan)
        move = moved(survey, counted_otherwise)
        assert move.is_plausible
        before.append(mean_log(survey) - mean_log(city))
        after.append(before[-1] + move.by)
        said.append(move.by / move.error)
    # What is left is what spending does not tell, the luck of those without business, a quarter as large, and of the unknown.
    left = np.var(after) / np.var(before)
    assert (1.0 - TOLD) * 0.85 < left < (1.0 - TOLD * known) + TOLD / 4.0 + 0.15
    assert abs(np.mean(after)) < 3.0 * np.std(after) / np.sqrt(SURVEYS)
    assert 0.85 < np.std(said) < 1.15


def test_the_move_is_the_regression_estimate_of_another_implementation() -> None:
    random = np.random.default_rng(6)
    city, survey = population(random, CITY), population(random, SURVEY)

    rows = survey["business"] > 0.0
    fit = sm.WLS(np.log(survey["business"][rows]), sm.add_constant(terms(survey, rows)), weights=survey["weight"][rows]).fit()
    wanted = mean(city, trades=True) - mean(city, trades=False) + mean(survey, trades=False)
    expected = float(fit.predict(np.r_[1.0, wanted])[0] - fit.predict(np.r_[1.0, mean(survey, trades=True)])[0])
    np.testing.assert_allclose(moved(survey, city).by, expected, rtol=1e-9)


def test_what_both_files_know_alike_is_compared_as_it_is() -> None:
    random = np.random.default_rng(9)
    city, survey = population(random, CITY), population(random, SURVEY)
    for file, count in ((city, CITY), (survey, SURVEY)):
        file["alike"] = random.normal(size=(count, 2)) + (0.3 if file is city else 0.0)
        file["business"] = file["business"] * np.exp(0.5 * file["alike"][:, 0])
    rows = survey["business"] > 0.0

    fit = sm.WLS(np.log(survey["business"][rows]), sm.add_constant(terms(survey, rows)), weights=survey["weight"][rows]).fit()
    apart = mean(city, trades=True) - mean(survey, trades=True)
    apart[:2] -= (mean(city, trades=False) - mean(survey, trades=False))[:2]
    found = moved(survey, city)
    assert found.by == pytest.approx(float(fit.params[1:] @ apart), rel=1e-9)
    without = moved(*({name: values for name, values in file.items() if name != "alike"} for file in (survey, city)))
    assert found.by - without.by == pytest.approx(0.5 * 0.3, abs=0.08)
    # Of 45 households three terms can be told: spending, size and the first of these.
    few = {name: values[~rows | (np.cumsum(rows) <= 45)] for name, values in survey.items()}
    first = moved({**few, "alike": few["alike"][:, :1]}, {**city, "alike": city["alike"][:, :1]})
    assert moved(few, city) == first != moved({**few, "alike": few["alike"][:, :0]}, {**city, "alike": city["alike"][:, :0]})


def test_what_does_not_vary_has_no_slope() -> None:
    random = np.random.default_rng(8)
    city, survey = population(random, CITY), population(random, SURVEY)
    trades = survey["business"] > 0.0
    without_size = {**survey, "size": np.ones(SURVEY, np.int64)}
    one_size = {**survey, "size": np.where(trades, 2, survey["size"])}
    assert moved(one_size, city).by == pytest.approx(moved(without_size, city).by, abs=1e-9)
    alike = moved({**without_size, "spending": np.full(SURVEY, 1e6)}, city)
    assert (alike.by, alike.error) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert alike.is_plausible


def test_too_few_move_nothing() -> None:
    random = np.random.default_rng(7)
    city, survey = population(random, CITY), population(random, SURVEY)
    trades = survey["business"] > 0.0

    def known(rows: np.ndarray) -> Move:
        return moved({**survey, "spending": np.where(rows, survey["spending"], np.nan)}, city)

    some = random.random(SURVEY)
    assert known(~trades | (np.cumsum(trades) <= 29)) == NO_MOVE != known(some < 0.8)
    assert known(some < 0.4) == NO_MOVE
    assert moved(survey, {**city, "spending": np.full(CITY, np.nan)}) == NO_MOVE
    assert NO_MOVE.is_plausible
    assert not Move(0.2, 0.04).is_plausible


def test_a_loss_or_an_unknown_business_income_is_of_neither_kind() -> None:
    numbers = np.array([0.0, 1e7, -1e6, np.nan])
    ones = np.ones(4)
    found = Spenders.of(labour=ones, business=numbers, spending=ones, size=np.ones(4, np.int64), weight=ones)
    assert found.traders.tolist() == [False, True, False, False]
    assert found.others.tolist() == [True, False, False, False]


def test_every_draw_moves_its_own_mean_unless_files_speak_of_different_things() -> None:
    data = training_data(answers=900)
    scores = data.city.earners
    trades = scores.sums(scores.business, np.zeros(scores.unseen_household.size)) > 0.0
    survey = replace(data.survey, spending=np.exp(10.0 + 0.25 * np.log(1e6 + data.survey.amounts["business"])))

    def fitted(spending: np.ndarray) -> IncomeModel:
        return fit_income(survey, replace(data.city, spending=spending), data.published, draws=2, seed=1)

    def notes(model: IncomeModel) -> str:
        return " ".join(note for note in model.notes if "소비" in note)

    left, wild = fitted(np.full(trades.size, np.nan)), fitted(np.where(trades, 1e9, 1e6))
    told = np.where(trades, 1.03 * np.median(survey.spending[survey.amounts["business"] > 0.0]), np.median(survey.spending))
    used = fitted(told)
    assert "too few" in notes(left) and "differs too much" in notes(wild) and not notes(used)
    for draw, targets in enumerate(month_targets(data.published, draws=2, seed=1)):
        weight = weights_of_draw(survey, city_shares(data.city), targets, draw=draw, seed=1)
        before, of_wild, after = (model.draws[draw].earnings.business for model in (left, wild, used))
        expected = move_of_business(survey, weight, spenders_of(replace(data.city, spending=told))).by
        assert before == of_wild
        assert after.level - before.level == pytest.approx(expected, abs=1e-9) != 0.0
