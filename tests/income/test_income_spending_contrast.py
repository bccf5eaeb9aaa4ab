"""The survey's luck with business income, as far as spending tells of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import statsmodels.api as sm
from made_income import training_data

from living_finance.income.model import fit_income
from living_finance.income.spending_contrast import NO_MOVE, Move, Spenders, business_move

CITY, SURVEY, SURVEYS = 40_000, 1_000, 200
CENTRE, SPREAD, TOLD = 16.5, 0.8, 0.5
"""Of log business income: mean, standard deviation, and share of the variance that spending tells."""


def population(random: np.random.Generator, count: int) -> tuple[Spenders, np.ndarray]:
    """Households, a fifth of them with business income, and what they earn by it."""
    has_business = random.random(count) < 0.2
    luck = random.normal(size=count)
    business = np.exp(CENTRE + SPREAD * luck)
    told = np.sqrt(TOLD) * luck + np.sqrt(1.0 - TOLD) * random.normal(size=count)
    spending = np.exp(14.5 + 0.2 * has_business + 0.4 * told)
    households = Spenders(
        has_labour=~has_business | (random.random(count) < 0.4),
        has_business=has_business,
        spending=spending,
        size=random.integers(1, 5, count),
        weight=0.5 + random.random(count),
    )
    return households, np.where(has_business, business, 0.0)


def taken(households: Spenders, rows: np.ndarray) -> Spenders:
    return Spenders(**{name: getattr(households, name)[rows] for name in vars(households)})


def test_the_move_takes_away_what_spending_tells_of_the_luck_whatever_files_call_spending() -> None:
    random = np.random.default_rng(5)
    city, business = population(random, CITY)
    log = np.log(np.maximum(business, 1.0))
    true = np.average(log[city.has_business], weights=city.weight[city.has_business])
    counted_otherwise = replace(city, spending=0.6 * city.spending)
    before, after, said = [], [], []
    for _ in range(SURVEYS):
        rows = random.choice(CITY, SURVEY, replace=False)
        survey = taken(city, rows)
        has = survey.has_business
        surveyed = np.average(log[rows][has], weights=survey.weight[has])
        move = business_move(survey, counted_otherwise, business[rows])
        assert move.is_plausible
        before.append(surveyed - true)
        after.append(surveyed + move.by - true)
        said.append(move.by / move.error)
    # What is left is what spending does not tell, and the luck of those with labour income alone, a quarter as large.
    left = np.var(after) / np.var(before)
    assert (1.0 - TOLD) * 0.85 < left < (1.0 - TOLD) + TOLD / 4.0 + 0.15
    assert abs(np.mean(after)) < 3.0 * np.std(after) / np.sqrt(SURVEYS)
    assert 0.85 < np.std(said) < 1.15


def test_the_move_is_the_regression_estimate_of_another_implementation() -> None:
    random = np.random.default_rng(6)
    city, _ = population(random, CITY)
    survey, business = population(random, SURVEY)
    rows, others = survey.has_business, ~survey.has_business

    def terms(file: Spenders, rows: np.ndarray) -> np.ndarray:
        return np.column_stack([np.log(file.spending[rows]), np.log(file.size[rows])])

    def mean(file: Spenders, rows: np.ndarray) -> np.ndarray:
        return np.average(terms(file, rows), axis=0, weights=file.weight[rows])

    fit = sm.WLS(np.log(business[rows]), sm.add_constant(terms(survey, rows)), weights=survey.weight[rows]).fit()
    moved = mean(city, city.has_business) - mean(city, ~city.has_business) + mean(survey, others)
    expected = float(fit.predict(np.r_[1.0, moved])[0] - fit.predict(np.r_[1.0, mean(survey, rows)])[0])
    np.testing.assert_allclose(business_move(survey, city, business).by, expected, rtol=1e-9)


def test_too_few_move_nothing_and_unknown_spending_is_left_out() -> None:
    random = np.random.default_rng(7)
    city, _ = population(random, CITY)
    survey, business = population(random, SURVEY)
    few = taken(survey, np.flatnonzero(~survey.has_business | (np.cumsum(survey.has_business) <= 29)))
    assert business_move(few, city, business) == NO_MOVE
    unknown = replace(survey, spending=np.where(np.arange(SURVEY) % 3 == 0, np.nan, survey.spending))
    kept = np.arange(SURVEY) % 3 > 0
    assert business_move(unknown, city, business) == business_move(taken(survey, kept), city, business[kept])
    assert NO_MOVE.is_plausible
    assert not Move(0.2, 0.04).is_plausible


def test_files_that_speak_of_different_things_are_said_and_left() -> None:
    data = training_data(answers=900)
    scores = data.city.earners
    trades = scores.sums(scores.business, np.zeros(scores.unseen_household.size)) > 0.0
    survey = replace(data.survey, spending=np.exp(10.0 + 0.25 * np.log(1e6 + data.survey.amounts["business"])))

    def fitted(spending: np.ndarray) -> tuple[float, bool]:
        city = replace(data.city, spending=spending)
        model = fit_income(survey, city, data.published, draws=1, seed=1)
        return model.draws[0].earnings.business.level, any("사업소득 가구의 소비" in note for note in model.notes)

    nowhere = np.full(trades.size, np.nan)
    alike = np.median(survey.spending[survey.amounts["business"] > 0.0]) / np.median(survey.spending)
    level, is_said = fitted(nowhere)
    assert not is_said
    assert fitted(np.where(trades, 1e9, 1e6)) == (level, True)
    moved, is_said = fitted(np.where(trades, alike * 1.03, 1.0) * 1e6)
    assert not is_said
    assert moved != level
