"""What a survey left unanswered, or answered beyond reason, is unknown: not nothing, and not everything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from made_income import city_of, surveyed, training_data

from living_finance.income.evidence import plausible
from living_finance.income.model import IncomeModel, SurveyHouseholds, fit_income, other_transfers
from living_finance.income.other_components import Characteristics, answered_sum, fit_component
from living_finance.income.programmes import Programmes
from living_finance.income.training import TOTAL, TrainingData, train_income
from living_finance.methods.keyed_random import key_bits

Floats = npt.NDArray[np.float64]
CITY = city_of(np.random.default_rng(11), 3000)


def answering(survey: SurveyHouseholds, **amounts: Floats) -> SurveyHouseholds:
    """The survey with other answers, as `as_survey` reads them."""
    answers = {**survey.amounts, **amounts}
    earnings = answered_sum([answers["labour"], answers["business"]])
    return replace(survey, amounts=answers, households=replace(survey.households, earnings=earnings))


def without(answer: Floats, share: float, seed: int = 2) -> Floats:
    return np.where(np.random.default_rng(seed).random(answer.size) < share, np.nan, answer)


def fitted(survey: SurveyHouseholds) -> IncomeModel:
    return fit_income(survey, CITY, {}, draws=1, seed=7)


def test_households_whose_earnings_are_not_known_do_not_count_as_without_any() -> None:
    """Property income is three times as large without earnings: with a fifth unknown it still is."""
    random = np.random.default_rng(5)
    survey = surveyed(random, 3000)
    earns = survey.households.earnings > 0.0
    amount = np.exp(15.0 + np.log(3.0) * ~earns + 0.4 * random.normal(size=3000))

    def ratio(households: Characteristics) -> float:
        component = fit_component("property", households, amount, survey.weight, seed=1)
        assert component.model is not None
        return float(np.exp(component.model.amount.coefficients[1 + component.terms.index("no_earnings")]))

    told = answering(survey, labour=without(survey.amounts["labour"], 0.2)).households
    assert np.isnan(told.terms(("no_earnings", "log_earnings", "age_60"))).any(axis=0).tolist() == [True, True, False]
    assert ratio(survey.households) == pytest.approx(3.0, rel=0.12)
    assert ratio(told) == pytest.approx(3.0, rel=0.12)


def test_transfers_of_households_whose_other_income_is_not_known_are_not_split() -> None:
    survey = surveyed(np.random.default_rng(6), 400)
    told = answering(survey, labour=without(survey.amounts["labour"], 0.2))
    left = other_transfers(told, told.weight, CITY, Programmes(), draw=0)
    assert np.isnan(left).tolist() == np.isnan(told.amounts["labour"]).tolist()
    nobody = answering(survey, business=np.full(400, np.nan))
    assert np.isfinite(other_transfers(nobody, nobody.weight, CITY, Programmes(), draw=0)).all(), "of what was asked"


@pytest.mark.parametrize("unasked", ["irregular", "property", "business"])
def test_a_component_that_nobody_answered_takes_nothing_else_with_it(unasked: str) -> None:
    data = training_data(4)
    survey = answering(data.survey, **{unasked: np.full(data.survey.weight.size, np.nan)})
    assert np.isfinite(survey.total).all()
    trained = train_income(TrainingData(survey, data.city, data.published), draws=1, seed=7, folds=3)
    total = trained.assessment.pooled(TOTAL)
    assert total is not None and total.mean > 1e7 and trained.assessment.loss < 0.3
    assert trained.model.spending is not None and not any("weights end" in note for note in trained.model.notes)
    modelled = {name for name, component in trained.model.draws[0].components.items() if component.model is not None}
    assert modelled == {"property", "transfer", "irregular"} - {unasked}


@pytest.mark.parametrize("what", ["spending", "incomes"])
def test_spending_that_nobody_answered_is_the_bureaus(what: str) -> None:
    """So it is where spending was told but no income that it could follow."""
    survey = surveyed(np.random.default_rng(8), 400)
    nobody = np.full(400, np.nan)
    untold = {"spending": {"spending": nobody}, "incomes": {"amounts": dict.fromkeys(survey.amounts, nobody)}}
    told = fitted(replace(survey, **untold[what]))
    asked = fitted(survey)
    assert told.spending is not None and asked.spending is not None
    keys = key_bits([f"H{number}" for number in range(500)])
    drawn = told.spending.draw(np.full(500, 4e7), np.full(500, 2), key=keys)
    known = CITY.spending[np.isfinite(CITY.spending) & (CITY.spending > 0.0)]
    assert np.median(drawn) == pytest.approx(np.median(known), rel=0.5)
    assert any(note.startswith("소비") for note in told.notes) and not any(note.startswith("소비") for note in asked.notes)


def test_one_answer_beyond_reason_does_not_move_the_others() -> None:
    data = training_data(9)
    wrong = data.survey.amounts["property"].copy()
    wrong[int(np.argmax(wrong))] = 1e13
    amounts, notes = plausible({**data.survey.amounts, "property": wrong})
    assert np.isnan(amounts["property"]).sum() == 1 and len(notes) == 1 and "property: 1 answers" in notes[0]
    mended = replace(data, survey=replace(answering(data.survey, **amounts), notes=notes))
    ruined = replace(data, survey=answering(data.survey, property=wrong))
    moved = [np.abs(of.weight / data.weight - 1.0).mean() for of in (mended, ruined)]
    assert moved[0] < 0.05 and moved[1] > 0.3, "beside what it is kept from"
    model = fit_income(mended.survey, data.city, data.published, draws=1, seed=7)
    assert notes[0] in model.notes and not any("weights end" in note for note in model.notes)
    left = fit_income(ruined.survey, data.city, data.published, draws=1, seed=7)
    assert any(note.startswith("재산소득") and "weights end" in note for note in left.notes)


def test_losses_and_nothing_are_plausible() -> None:
    amounts = {"business": np.array([-5e7, 0.0, 3e7, np.nan]), "irregular": np.zeros(3)}
    found, notes = plausible(amounts)
    assert notes == () and all(np.array_equal(found[name], amounts[name], equal_nan=True) for name in amounts)
