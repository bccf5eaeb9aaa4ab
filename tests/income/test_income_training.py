"""Training: what is stored comes back, held-out areas are held out, the gate tells good from bad, nothing of a row is kept."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_income import DISTRICTS, city_of, surveyed, training_data
from matplotlib.axes import Axes
from scipy.special import expit

from living_finance.config import ModelSettings, conf_file
from living_finance.contracts.language import Words
from living_finance.income import diagnostics
from living_finance.income.diagnostics import diagnose, plots
from living_finance.income.earnings import classes_of_peers, donors_of
from living_finance.income.gate import Comparison, compare, due, unfit_for, verdict
from living_finance.income.model import DrawModel, IncomeModel, SurveyHouseholds, fit_income
from living_finance.income.model_card import model_card
from living_finance.income.programme_rules import rules_of_month
from living_finance.income.programmes import Eligibility, Programmes
from living_finance.income.sensitivity import rank_sensitivity
from living_finance.income.serving import expected_income, made_up_households
from living_finance.income.training import (
    Assessment,
    Fold,
    TrainedIncome,
    TrainingData,
    assess,
    folds_from_json,
    folds_to_json,
    survey_rows,
    train_income,
)
from living_finance.months import Month

SETTINGS = ModelSettings()


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return training_data()


@pytest.fixture(scope="module")
def trained(data: TrainingData) -> TrainedIncome:
    return train_income(data, draws=3, seed=7, folds=5)


def test_a_stored_model_draws_the_same_to_the_last_bit(data: TrainingData, trained: TrainedIncome) -> None:
    rules = rules_of_month(conf_file("programmes.yaml").read_text(encoding="utf-8"), name="", month=Month(2020, 1)).rules
    paid = Programmes(dict.fromkeys(rules, 0.5), dict.fromkeys(rules, 1e6), Eligibility(rules, {6: (0.3,) * 9, 7: (0.4,) * 9}))
    model = replace(trained.model, draws=tuple(replace(draw, programmes=paid) for draw in trained.model.draws))
    stored = IncomeModel.from_json(model.to_json())
    assert stored.version() == model.version() != trained.model.version()
    assert stored.draws[0].programmes == paid
    for fitted, back in zip(model.draws, stored.draws, strict=True):
        assert np.array_equal(fitted.amounts(data.city), back.amounts(data.city))
    other = fit_income(data.survey, data.city, data.published, draws=3, seed=8)
    assert other.version() != stored.version()


def test_another_format_is_refused(trained: TrainedIncome) -> None:
    with pytest.raises(Exception, match="format"):
        IncomeModel.from_json(json.dumps({**trained.model.content, "format": 0}))


def test_a_fold_does_not_depend_on_what_it_leaves_out(data: TrainingData, trained: TrainedIncome) -> None:
    assert [fold.left_out for fold in trained.folds] == [(district,) for district in DISTRICTS]
    inside = data.areas[0] == DISTRICTS[0]
    moved = {name: np.where(inside, 3.0 * amount, amount) for name, amount in data.survey.amounts.items()}
    changed = TrainingData(replace(data.survey, amounts=moved), data.city, data.published)
    again = train_income(changed, draws=1, seed=7, folds=5)
    assert again.folds[0].model.to_json() == trained.folds[0].model.to_json()
    assert again.folds[1].model.to_json() != trained.folds[1].model.to_json()
    assert folds_to_json(folds_from_json(folds_to_json(trained.folds))) == folds_to_json(trained.folds)


def test_held_out_biases_have_intervals_and_that_of_the_total_is_within_its_error(trained: TrainedIncome) -> None:
    metrics = trained.assessment.metrics()
    for name in ("labour", "property", "transfer", "total"):
        for area in ("", *(f"_{district}" for district in DISTRICTS)):
            lower, middle, upper = (metrics[f"cv_{name}{area}_relative_bias{side}"] for side in ("_lower", "", "_upper"))
            assert lower < middle < upper
    groups = ("tenure_owned", "tenure_jeonse", "head_age_30-39", "head_age_60-119")
    for name, group in itertools.product(("labour", "property", "transfer", "total"), groups):
        lower, middle, upper = (metrics[f"cv_{name}_{group}_relative_bias{side}"] for side in ("_lower", "", "_upper"))
        assert lower < middle < upper
    assert abs(metrics["cv_total_bias_krw_year"]) < 3 * metrics["cv_total_error_krw_year"]
    assert verdict(metrics, settings=SETTINGS, has_champion=False).passes


def worse(folds: tuple[Fold, ...], level: float) -> tuple[Fold, ...]:
    """Models whose labour income is too high everywhere."""

    def moved(model: IncomeModel) -> IncomeModel:
        draws = [
            replace(d, earnings=replace(d.earnings, labour=replace(d.earnings.labour, level=d.earnings.labour.level + level)))
            for d in model.draws
        ]
        return replace(model, draws=tuple(draws))

    return tuple(Fold(fold.left_out, moved(fold.model)) for fold in folds)


def test_a_wrong_model_is_seen_and_refused(data: TrainingData, trained: TrainedIncome) -> None:
    found = assess(data, worse(trained.folds, 0.4), otherwise=trained.model)
    metrics = found.metrics()
    before = trained.assessment.metrics()
    assert metrics["cv_labour_relative_bias"] - before["cv_labour_relative_bias"] == pytest.approx(np.exp(0.4) - 1.0, rel=0.1)
    for group in ("tenure_owned", "head_age_40-49"):
        name = f"cv_labour_{group}_relative_bias"
        assert metrics[name] - before[name] == pytest.approx((1.0 + before[name]) * (np.exp(0.4) - 1.0), rel=0.1)
    refused = verdict(metrics, settings=SETTINGS, has_champion=False)
    assert not refused.passes and "labour" in refused.text
    better, same = compare(found, trained.assessment), compare(trained.assessment, trained.assessment)
    assert better.difference > 3 * better.error > 0.0
    assert same == Comparison(0.0, 0.0)


WITHIN = {"cv_total_bias_krw_year": 1e6, "cv_total_error_krw_year": 1e6, "cv_total_mean_krw_year": 6e7}


@pytest.mark.parametrize(("difference", "passes"), [(-0.01, True), (0.0, True), (0.0001, False)])
def test_a_challenger_may_not_be_worse_than_the_champion(difference: float, passes: bool) -> None:
    metrics = {**WITHIN, "gate_loss_difference": difference, "gate_loss_difference_error": 0.005}
    assert verdict(metrics, settings=SETTINGS, has_champion=True).passes is passes
    outside = {**metrics, "cv_total_bias_krw_year": 2e7}
    found = verdict(outside, settings=SETTINGS, has_champion=True)
    assert not found.passes and "total income is off" in found.text
    unmeasured = {name: value for name, value in metrics.items() if name.startswith("gate_")}
    assert not verdict(unmeasured, settings=SETTINGS, has_champion=True).passes


def test_models_a_little_worse_each_do_not_pass_one_after_the_other() -> None:
    """Each is within the error of its difference from the one before, which once was enough."""
    random = np.random.default_rng(3)
    made = [Assessment((), 0.150 + 0.001 * k, 0.150 + 0.001 * k + random.normal(scale=0.002, size=200), ()) for k in range(6)]
    champion, promoted = made[0], []
    for before, challenger in itertools.pairwise(made):
        slight = compare(challenger, before)
        assert 0.0 < slight.difference < slight.error
        found = compare(challenger, champion)
        metrics = {**WITHIN, "gate_loss_difference": found.difference, "gate_loss_difference_error": found.error}
        if verdict(metrics, settings=SETTINGS, has_champion=True).passes:
            champion = challenger
            promoted.append(challenger)
    assert not promoted


def test_a_model_that_has_seen_every_area_is_not_promoted() -> None:
    data = training_data(3)
    only = data.survey.households.dong_code == data.survey.households.dong_code[0]
    trained = train_income(replace(data, survey=survey_rows(data.survey, only)), draws=1, seed=7, folds=2)
    assert trained.folds == () and trained.assessment.cells == ()
    said = verdict(trained.assessment.metrics(), settings=SETTINGS, has_champion=False)
    assert not said.passes and "no area could be left out" in said.text


def test_one_district_is_split_by_dongs() -> None:
    data = training_data(3)
    inside = data.areas[0] == DISTRICTS[0]
    alone = TrainingData(survey_rows(data.survey, inside), data.city, data.published)
    folds = train_income(alone, draws=1, seed=7, folds=2).folds
    assert len(folds) == 2 and all(len(area) == 7 for fold in folds for area in fold.left_out)


JANUARY, NOVEMBER = Month(2020, 1), Month(2020, 11)


def test_a_model_does_not_look_ahead() -> None:
    trained_on = {"survey": NOVEMBER, "benchmarks": NOVEMBER}
    given: dict[str, Any] = {"trained_month": JANUARY, "trained_on": trained_on}
    assert unfit_for(Month(2020, 2), **given, references=trained_on) is None
    assert "after" in (unfit_for(Month(2019, 12), **given, references=trained_on) or "")
    earlier = {**trained_on, "survey": Month(2019, 11)}
    assert "survey" in (unfit_for(Month(2020, 2), **given, references=earlier) or "")


def test_training_is_due_by_age_by_newer_data_and_by_drift() -> None:
    given: dict[str, Any] = {"trained_month": JANUARY, "trained_on": {"survey": NOVEMBER}, "settings": SETTINGS}
    same: dict[str, Any] = {"references": {"survey": NOVEMBER}, "restated": (), "stability": {}}
    assert due(Month(2021, 1), **given, **same | {"stability": {"tenure": 0.2}}) == ()
    assert "13 months" in due(Month(2021, 2), **given, **same)[0]
    assert "newer survey" in due(Month(2021, 1), **given, **same | {"references": {"survey": Month(2021, 11)}})[0]
    assert due(Month(2020, 2), **given, **same | {"restated": ("survey",)}) == ("the survey was restated",)
    assert "tenure" in due(Month(2020, 2), **given, **same | {"stability": {"tenure": 0.26}})[0]


# --- what is stored tells of nobody --------------------------------------------------------------------------------------


def numbers(content: Any) -> Iterator[float]:
    if isinstance(content, dict):
        for value in content.values():
            yield from numbers(value)
    elif isinstance(content, list):
        for value in content:
            yield from numbers(value)
    elif isinstance(content, (int, float)):
        yield float(content)


def test_nothing_stored_is_a_value_or_a_key_of_a_row(data: TrainingData, trained: TrainedIncome) -> None:
    amounts = np.concatenate([*data.survey.amounts.values(), data.city.earners.labour, data.city.earners.business])
    known = set(amounts[amounts > 0].tolist()) | set(data.survey.weight.tolist()) | set(data.weight.tolist())
    logs = set(np.round(np.log(amounts[amounts > 0]), 9).tolist())
    texts = [
        trained.model.to_json(),
        folds_to_json(trained.folds),
        model_card(trained, facts=(), verdict=Words.same(""), alternatives=()),
    ]
    for text in texts[:2]:
        stored = set(numbers(json.loads(text)))
        assert len(stored) > 500
        assert stored & known == set()
        assert {round(value, 9) for value in stored} & logs == set()
    for text in texts:
        assert not [key for key in data.survey.keys.tolist() if key in text]
    leaking = {**trained.model.content, "row": [float(data.survey.amounts["labour"].max())]}
    assert set(numbers(leaking)) & known  # what the test would say of a stored row


HANGUL, LATIN_WORDS = re.compile("[가-힣]"), re.compile("[a-z]{3,} [a-z]{2,}")


def test_the_card_says_in_one_language_what_it_says_in_the_other(data: TrainingData, trained: TrainedIncome) -> None:
    said = verdict({**WITHIN, "cv_total_bias_krw_year": 2e7}, settings=SETTINGS, has_champion=False)
    nobody = {**data.survey.amounts, **dict.fromkeys(("business", "irregular"), np.zeros(len(data.survey.keys)))}
    notes = fit_income(replace(data.survey, amounts=nobody), data.city, data.published, draws=1, seed=7).notes
    facts = [Words(ko="기준월: 202001", en="Month: 202001")]
    others = rank_sensitivity(data, trained.model.draws[0], seed=7)
    of_notes = replace(trained, model=replace(trained.model, notes=notes))
    card = model_card(of_notes, facts=facts, verdict=said.words, alternatives=others)
    sections = card.split("\n## ")
    for section in sections[1:]:
        title, *lines = section.splitlines()
        korean, _, english = title.partition(" · ")
        assert HANGUL.search(korean) and english and not HANGUL.search(english)
        items = [line for line in lines if line.startswith("- ")]
        if title.startswith("알림"):
            assert len(items) == len(notes) > 1
            assert all(HANGUL.search(item.partition("; ")[0]) and not HANGUL.search(item.partition("; ")[2]) for item in items)
            continue
        assert items or any(line.startswith("|") for line in lines)
        for one, other in zip(items[::2], items[1::2], strict=True):
            assert HANGUL.search(one) and not LATIN_WORDS.search(one), one
            assert not HANGUL.search(other), other
            # Figures are the same; small numbers may be words.
            assert title.startswith("사생활") or re.findall(r"\d{2,}", one) == re.findall(r"\d{2,}", other), (one, other)
        assert all(HANGUL.search(line) for line in lines if line.startswith("| ")), title
    assert "누구에 대한 결정에도 써서는 안 된다" in card and "must not be used to decide about anyone" in card


def test_donors_are_means_of_ten_persons_or_more() -> None:
    earners = city_of(np.random.default_rng(5), 2000).earners
    donors, of_class = donors_of(earners), classes_of_peers()[earners.peer]
    for number in range(len(donors.start) - 1):
        inside = slice(donors.start[number], donors.start[number + 1])
        persons = np.diff(np.r_[number, donors.through[inside]]) * (of_class == number).sum()
        assert persons.size == 0 or persons.min() > 9.5  # rare kinds left out make shares of the rest a little larger
    few = city_of(np.random.default_rng(5), 8).earners
    assert donors_of(few).peer.size == 0 or donors_of(few).labour.max() == 0.0


def test_diagnostics_are_about_groups(data: TrainingData, trained: TrainedIncome) -> None:
    found = diagnose(trained.model, data)
    for name, (_, ranked) in found.quantiles.items():
        assert 0 < ranked.size <= (data.survey.amounts[name] > 0).sum() // 10
    made = plots(found, trained.assessment)
    assert {
        "residuals.png",
        "normal_quantiles.png",
        "earnings.png",
        "shrinkage.png",
        "calibration.png",
        "importance.png",
    } <= made.keys()
    assert all(png.startswith(b"\x89PNG") and b"tEXt" not in png for png in made.values())
    thin = TrainingData(surveyed(np.random.default_rng(4), 12), data.city, data.published)
    assert all(ranked.size == 0 for _, ranked in diagnose(trained.model, thin).quantiles.values())


def test_earnings_are_beside_the_survey_by_rank(data: TrainingData, trained: TrainedIncome) -> None:
    rng = np.random.default_rng(3)
    answer, weight = rng.lognormal(17.0, 0.7, 300), rng.uniform(0.5, 2.0, 300)
    again = np.tile(answer, 4)
    asked, ranked = diagnostics._ranked_beside(answer, weight, 1.2 * again, np.tile(weight, 4))
    assert asked.size == 20 and ranked - asked == pytest.approx(np.full(20, np.log(1.2)), abs=0.02)
    heavier = np.where(again > np.median(answer), 3.0, 1.0) * np.tile(weight, 4)
    assert (diagnostics._ranked_beside(answer, weight, again, heavier)[1] > asked - 1e-9)[1:-1].all()
    few = diagnostics._ranked_beside(answer, weight, answer[:90], weight[:90])[1]
    assert np.isnan(few).any() and diagnostics._ranked_beside(answer[:9], weight[:9], again, heavier)[0].size == 0
    labour = diagnose(trained.model, data).earned["labour"]
    assert np.nanmean(labour[1] - labour[0]) == pytest.approx(0.0, abs=0.1)


def test_every_point_of_a_plot_is_of_ten_or_more(
    data: TrainingData, trained: TrainedIncome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data behind the plots, and that nothing else is drawn."""
    for size in range(450):
        sizes = [part.size for part in diagnostics._groups(np.arange(float(size)))]
        assert min(sizes, default=10) >= 10 and sum(sizes) == (size if size >= 10 else 0)
    found = diagnose(trained.model, data)
    dongs = np.unique(data.survey.households.dong_code).size
    for name in found.residuals:
        surveyed = int((data.survey.amounts[name] > 0).sum())
        assert all(of.size == len(diagnostics._groups(np.zeros(surveyed))) > 0 for of in found.residuals[name])
        assert found.quantiles[name][1].size <= surveyed // 10
        assert len(found.shrinkage[name]) <= dongs // 10
    few = assess(data, trained.folds, otherwise=trained.model)
    small = replace(few, cells=tuple(replace(cell, households=9) for cell in few.cells))
    drawn: list[np.ndarray] = []
    for method in ("plot", "errorbar"):
        original = getattr(Axes, method)

        def noted(self: Axes, *given: Any, _original: Any = original, **named: Any) -> Any:
            drawn.extend(np.asarray(values, float) for values in given if not isinstance(values, str))
            return _original(self, *given, **named)

        monkeypatch.setattr(Axes, method, noted)
    plots(found, small)
    known = {round(float(v), 9) for of in (*found.residuals.values(), *found.quantiles.values()) for part in of for v in part}
    known |= {round(float(v), 9) for of in found.earned.values() for part in of for v in part if np.isfinite(v)}
    known |= {round(float(v), 9) for kept in found.shrinkage.values() for v in kept}
    known |= {round(float(v) / 1e4, 9) for of in found.calibration.values() for part in of for v in part if np.isfinite(v)}
    values = {round(float(v), 9) for part in drawn for v in part if np.isfinite(v)}
    places = {round(start + offset, 9) for start in range(12) for offset in (-0.2, 0.0, 0.2)}
    assert len(values) > 100 and values <= known | places


def test_groups_of_the_benchmarked_means_with_fewer_than_ten_are_left_out(data: TrainingData, trained: TrainedIncome) -> None:
    band = data.city.households.head_age_band.copy()
    band[band >= 60] = 40
    band[:9] = 60
    aged = replace(data.city, households=replace(data.city.households, head_age_band=band))
    before, after, _ = diagnose(trained.model, replace(data, city=aged)).calibration["ages"]
    assert np.isnan(before[-1]) and np.isnan(after[-1]) and np.isfinite(before[:-1]).sum() > 1
    assert "tenures" not in diagnose(trained.model, data).calibration
    total = data.published["mean_total_income", "all", "all"]
    shares = {"owned": 1.2, "jeonse": 1.0, "monthly_rent": 0.8}
    means = {("mean_total_income", "tenure", name): replace(total, value=of * total.value) for name, of in shares.items()}
    before, after, wanted = diagnose(trained.model, replace(data, published={**data.published, **means})).calibration["tenures"]
    assert np.isnan(before[-1]) and after[2] == pytest.approx(wanted[2], rel=0.05) and before[2] > 1.1 * wanted[2]
    assert np.isfinite(np.concatenate(diagnose(trained.model, data).calibration["fifths"][:2])).all()


def likelihood(model: IncomeModel, survey: SurveyHouseholds, labels: np.ndarray | None = None) -> np.ndarray:
    """What an attacker who knows a household's answers and the stored model computes: log likelihood, mean over draws."""
    score = np.zeros(survey.keys.size)
    labels = survey.households.dong_code.astype(str) if labels is None else labels
    for draw in model.draws:
        for name, component in draw.components.items():
            if component.model is None:
                continue
            terms, has = survey.households.terms(component.terms), survey.amounts[name] > 0
            log = np.log(np.where(has, survey.amounts[name], 1.0))
            variance = component.model.unit_variance
            effect, _ = component.model.amount.given_sample(labels)
            left = log - component.model.amount.score(terms) - effect
            score += np.where(has, -0.5 * left**2 / variance - 0.5 * np.log(variance), 0.0)
            if component.model.occurrence is not None:
                effect, _ = component.model.occurrence.given_sample(labels)
                chance = expit(component.model.occurrence.score(terms) + effect)
                score += np.where(has, np.log(chance), np.log1p(-chance))
    return score / len(model.draws)


def auc(members: np.ndarray, others: np.ndarray) -> float:
    rank = np.argsort(np.argsort(np.r_[members, others]))
    return float((rank[: members.size].sum() - members.size * (members.size - 1) / 2) / (members.size * others.size))


def attack(answers: int) -> float:
    """Mean over made surveys of the area under the curve of the likelihood attack."""
    found = []
    for seed in range(4):
        data = training_data(seed, households=1000, answers=answers)
        model = fit_income(data.survey, data.city, data.published, draws=3, seed=7)
        others = surveyed(np.random.default_rng(1000 + seed), 3000)
        found.append(auc(likelihood(model, data.survey), likelihood(model, others)))
    return float(np.mean(found))


def test_membership_in_the_survey_cannot_be_inferred() -> None:
    assert attack(1000) <= 0.55


def test_the_attack_finds_a_model_that_remembers(data: TrainingData, trained: TrainedIncome) -> None:
    """One with an effect for each household that has property income, a third of what the terms leave."""
    point = trained.model.draws[0]
    component = point.components["property"]
    assert component.model is not None
    amount = data.survey.amounts["property"]
    left = np.log(np.maximum(amount, 1.0)) - component.model.amount.score(data.survey.households.terms(component.terms))
    effects = {key: (value / 3, 0.1) for key, value, a in zip(data.survey.keys, left, amount, strict=True) if a > 0}
    kept = replace(component.model, amount=replace(component.model.amount, effects=effects))
    remembering = replace(point, components={**point.components, "property": replace(component, model=kept)})
    others = surveyed(np.random.default_rng(9), 3000)

    def found(draw: DrawModel) -> float:
        model = replace(trained.model, draws=(draw,))
        has, of_others = data.survey.amounts["property"] > 0, others.amounts["property"] > 0
        return auc(
            likelihood(model, data.survey, data.survey.keys)[has],
            likelihood(model, others, np.char.add("not ", others.keys))[of_others],
        )

    assert found(remembering) > 0.55 >= found(point)


def test_made_up_households_are_answered(trained: TrainedIncome) -> None:
    found = expected_income(trained.model, made_up_households())
    components = found.filter(regex="^(labour|business|property|transfer|irregular)_").to_numpy()
    assert np.allclose(components.sum(axis=1), found["total_income_krw_year"]) and (found["total_income_krw_year"] > 0).all()
    alone = expected_income(trained.model, made_up_households().iloc[1:])
    assert alone["total_income_krw_year"].iloc[0] == found["total_income_krw_year"].iloc[1]
