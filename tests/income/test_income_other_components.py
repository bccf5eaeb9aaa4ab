"""Components beside earnings: what is known of `place` before, replicates of the survey, what a month's fit hands on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_income import training_data

from living_finance.errors import ConfigurationError
from living_finance.income import EmpiricalBestPredictor
from living_finance.income.earnings import Correction
from living_finance.income.model import (
    IncomeModel,
    _between_dongs,
    _bootstrap,
    _place_centres,
    city_shares,
    fit_income,
    month_targets,
)
from living_finance.income.other_components import PLACE_DEVIATION, Characteristics, ComponentModel, PlaceCentres, fit_component
from living_finance.income.survey_weights import SurveyTargets, calibrated_weights
from living_finance.income.training import TrainingData
from living_finance.methods.coefficient_prior import CoefficientPrior

DRAWS = 4
SPARSE_TERMS = ("age_60", "age_40", "log_size", "owned", "apartment", "no_earnings", "log_earnings", "place")


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return training_data()


@pytest.fixture(scope="module")
def model(data: TrainingData) -> IncomeModel:
    return fit_income(data.survey, data.city, data.published, draws=DRAWS, seed=7)


def fitted(data: TrainingData, name: str = "property", **given: object) -> ComponentModel:
    survey = data.survey
    return fit_component(name, survey.households, survey.amounts[name], data.weight, seed=3, **given)


def of_place(component: ComponentModel) -> tuple[float, float]:
    """Coefficients on `place` of amount and occurrence."""
    if component.model is None or component.model.occurrence is None:
        raise ValueError
    position = 1 + component.terms.index("place")
    return component.model.amount.coefficients[position], component.model.occurrence.coefficients[position]


def test_coefficients_on_place_move_to_what_is_known(data: TrainingData) -> None:
    plain = of_place(fitted(data))
    for centre in (-3.0, 4.0):
        moved = of_place(fitted(data, place=PlaceCentres(centre, centre)))
        for before, after in zip(plain, moved, strict=True):
            assert min(before, centre) < after < max(before, centre)
    amount_alone = of_place(fitted(data, place=PlaceCentres(4.0, plain[1])))
    assert amount_alone[0] > plain[0] + 0.5
    assert amount_alone[1] == pytest.approx(plain[1], abs=1e-3)


def sparse(*, dongs: int, districts: int) -> ComponentModel:
    """A fit to 60 amounts of 120 answers; dongs do not differ, and log amounts have variance 1."""
    random = np.random.default_rng(8)
    dong = np.arange(120) % dongs
    households = Characteristics(
        head_age_band=random.choice([30, 40, 50, 60, 70], 120),
        size=random.integers(1, 5, 120),
        tenure=random.choice(["owned", "jeonse"], 120).astype(object),
        dwelling_type=random.choice(["apartment", "detached"], 120).astype(object),
        household_type=np.full(120, "one_person", dtype=object),
        dong_code=np.array([f"111{k % districts:02d}{k:03d}" for k in dong], dtype=object),
        earnings=np.where(random.uniform(size=120) < 0.2, 0.0, np.exp(17.0 + random.normal(size=120))),
        place=random.normal(scale=0.2, size=dongs)[dong],
    )
    amount = np.where(np.arange(120) < 60, np.exp(14.0 + 0.5 * (households.tenure == "owned") + random.normal(size=120)), 0.0)
    return fit_component("property", households, amount, np.ones(120), seed=3)


@pytest.mark.parametrize(("dongs", "districts"), [(20, 5), (58, 5), (58, 58), (58, 1)])
def test_few_amounts_in_many_dongs_keep_their_terms_and_variance(dongs: int, districts: int) -> None:
    """The last two leave the city as one area: 58 districts are too many too, and one district is all there is."""
    found = sparse(dongs=dongs, districts=districts)
    assert found.terms == SPARSE_TERMS and found.model is not None
    assert 0.6 < found.model.unit_variance < 1.6
    assert found.model.amount.area_variance < 0.3
    assert found.model.amount.effects == {}, "too few households in each dong, and no effect is of a district"
    if districts in {1, 58}:
        assert found.model.amount.area_variance == 0.0


def test_without_the_term_there_is_no_prior(data: TrainingData) -> None:
    assert "place" not in fitted(data, "irregular").terms
    assert fitted(data, "irregular") == fitted(data, "irregular", place=PlaceCentres(4.0, 4.0))
    assert PlaceCentres(1.0, 2.0).priors(("owned",)) is None
    assert PlaceCentres(1.0, 2.0).priors(("owned", "place")) == {
        "amount": CoefficientPrior((1,), (1.0,), (PLACE_DEVIATION,)),
        "occurrence": CoefficientPrior((1,), (2.0,), (PLACE_DEVIATION,)),
    }


def test_the_slope_of_places_is_that_of_incomes() -> None:
    correction = Correction((15.0,), level=1.0, slope=1.2, noise_share=0.2, spread=0.3)
    peer = np.zeros(2, np.int64)
    low, high = correction.apply(np.exp([15.0, 15.5]), peer, np.array([0.0, 0.5]))
    assert np.log(high / low) == pytest.approx(0.5 * correction.place_slope)


def test_a_month_hands_on_slope_and_replicates(data: TrainingData, model: IncomeModel) -> None:
    """Draw 0: the slope and no factors; property alone has a prior of coefficients. Other draws: its weights with factors, drawn
    centres. All have the prior of what dongs differ by."""
    between = _between_dongs(data.city)
    point = model.draws[0]
    slope = point.earnings.labour.place_slope
    plain = of_place(fitted(data))
    found = of_place(point.components["property"])
    assert found == of_place(fitted(data, place=PlaceCentres(slope, slope), half_normal=between))
    assert all(abs(after - slope) < abs(before - slope) for before, after in zip(plain, found, strict=True))
    irregular, alone = point.components["irregular"].model, fitted(data, "irregular", half_normal=between).model
    assert irregular is not None and alone is not None
    assert irregular.amount == alone.amount
    assert len({of_place(draw.components["property"]) for draw in model.draws}) == DRAWS
    survey = data.survey
    shares = city_shares(data.city)
    for draw, targets in enumerate(month_targets(data.published, draws=DRAWS, seed=7)[1:], start=1):
        drawn = survey.weight * _bootstrap(survey.keys, draw=draw, seed=7)
        wanted = SurveyTargets(shares=shares, means=targets.means, fifths=targets.fifths)
        factor = calibrated_weights(survey.households, survey.amounts, drawn, targets=wanted) / data.weight
        slope = model.draws[draw].earnings.labour.place_slope
        centres = _place_centres(slope, draw=draw, draws=DRAWS, seed=7)
        assert centres.amount != slope
        again = fitted(data, replicate=factor, place=centres, half_normal=between).model
        found_again = model.draws[draw].components["property"].model
        assert again is not None and found_again is not None
        assert (found_again.amount, found_again.occurrence) == (again.amount, again.occurrence)


def test_what_dongs_differ_by_is_known_from_their_scores(data: TrainingData) -> None:
    """Weighted, over households; in one place there is no difference, and no prior."""
    place, weight = data.city.households.place, data.city.weight
    between = _between_dongs(data.city)
    assert between == pytest.approx(np.sqrt(np.cov(place, aweights=weight, ddof=0)))
    nowhere = replace(data.city, households=replace(data.city.households, place=np.full(place.size, 0.3)))
    assert _between_dongs(nowhere) is None
    wide, narrow = (fitted(data, half_normal=scale).model for scale in (10.0 * between, 0.1 * between))
    assert wide is not None and narrow is not None
    assert narrow.amount.area_variance == pytest.approx((0.1 * between) ** 2, rel=0.1)
    assert wide.amount.area_variance < (3.0 * between) ** 2


@pytest.mark.parametrize("draws", [4, 16])
def test_few_draws_hold_the_errors_that_are_known(data: TrainingData, draws: int) -> None:
    """No more and no less: the seed is the same in every month, and so would be its luck."""
    centres = [_place_centres(1.2, draw=draw, draws=draws, seed=7) for draw in range(1, draws)]
    moved = np.array([[centre.amount, centre.occurrence] for centre in centres])
    assert moved.std(axis=0, ddof=1) == pytest.approx(PLACE_DEVIATION)
    totals = [targets.means["total"] for targets in month_targets(data.published, draws=draws, seed=7)[1:]]
    published = data.published["mean_total_income", "all", "all"]
    assert np.std(np.log(totals), ddof=1) == pytest.approx(published.relative_error)
    assert np.mean(np.log(totals)) == pytest.approx(np.log(published.value))


def test_centres_of_draws_have_the_width_of_the_prior() -> None:
    draws = 400
    centres = [_place_centres(1.2, draw=draw, draws=draws, seed=7) for draw in range(draws)]
    assert centres[0] == PlaceCentres(1.2, 1.2)
    moved = np.array([[centre.amount, centre.occurrence] for centre in centres[1:]])
    assert moved.mean(axis=0) == pytest.approx(1.2, abs=1e-9)
    assert moved.std(axis=0, ddof=1) == pytest.approx(PLACE_DEVIATION)
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.15
    assert _place_centres(1.2, draw=1, draws=2, seed=7) == PlaceCentres(1.2, 1.2)


def test_a_month_with_priors_comes_back_from_json_to_the_last_bit(data: TrainingData, model: IncomeModel) -> None:
    stored = IncomeModel.from_json(model.to_json())
    assert stored.to_json() == model.to_json()
    for fit, back in zip(model.draws, stored.draws, strict=True):
        assert np.array_equal(fit.amounts(data.city), back.amounts(data.city))


def test_a_household_that_a_replicate_leaves_out_does_not_count(data: TrainingData) -> None:
    factor = np.ones(data.weight.size)
    factor[::7] = 0.0
    survey = data.survey
    left = np.where(factor > 0.0, data.weight, 0.0)
    without = fit_component(
        "property", survey.households, survey.amounts["property"], left, seed=3, replicate=np.ones(factor.size)
    )
    assert fitted(data, replicate=factor) == without


SMALL = {"two_part": True, "seed": 4}
PRIOR = {
    "amount": CoefficientPrior((1,), (2.0,), (0.2,)),
    "occurrence": CoefficientPrior((0,), (-1.0,), (0.2,)),
}


def survey_of(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Terms, amounts, areas, weights, factors."""
    random = np.random.default_rng(seed)
    area = random.integers(0, 40, 160)
    terms = random.normal(size=(160, 2)).round(1)
    amount = np.exp(1.0 + terms @ [0.5, 1.0] + random.normal(scale=0.3, size=40)[area] + random.normal(size=160)).round(1)
    amount[random.random(160) < 0.4] = 0.0
    return terms, amount, area, random.integers(1, 3, 160).astype(float), random.integers(1, 5, 160).astype(float)


def test_a_predictor_takes_priors_by_part_and_its_bootstrap_keeps_them() -> None:
    terms, amount, area, weight, factor = survey_of(1)
    plain = EmpiricalBestPredictor(**SMALL).fit(terms, amount, areas=area, weights=weight)
    fit = EmpiricalBestPredictor(**SMALL, prior=PRIOR).fit(terms, amount, areas=area, weights=weight, replicate=factor)
    assert plain.model_.occurrence is not None and fit.model_.occurrence is not None
    assert abs(fit.coef_[1] - 2.0) < abs(plain.coef_[1] - 2.0)
    assert abs(fit.model_.occurrence.coefficients[1] + 1.0) < abs(plain.model_.occurrence.coefficients[1] + 1.0)
    narrow = {part: CoefficientPrior(p.column, p.mean, (1e-4,)) for part, p in PRIOR.items()}
    certain = EmpiricalBestPredictor(**SMALL, prior=narrow).fit(terms, amount, areas=area, weights=weight, replicate=factor)
    for model in (certain.model_, *certain.bootstrap(replicates=2)):
        assert model.occurrence is not None
        assert model.amount.coefficients[2] == pytest.approx(2.0, abs=1e-3)
        assert model.occurrence.coefficients[1] == pytest.approx(-1.0, abs=1e-2)


def test_the_order_of_a_replicate_changes_no_bit() -> None:
    terms, amount, area, weight, factor = survey_of(2)
    order = np.random.default_rng(3).permutation(area.size)

    def model(rows: np.ndarray) -> str:
        fit = EmpiricalBestPredictor(**SMALL, prior=PRIOR)
        fit.fit(terms[rows], amount[rows], areas=area[rows], weights=weight[rows], replicate=factor[rows])
        return fit.model_.to_json()

    assert model(order) == model(np.arange(area.size))
    plain = EmpiricalBestPredictor(**SMALL, prior=PRIOR).fit(terms, amount, areas=area, weights=weight).model_.to_json()
    assert model(order) != plain


@pytest.mark.parametrize(
    ("prior", "huber"),
    [({"amounts": PRIOR["amount"]}, None), ({"amount": CoefficientPrior((2,), (0.0,), (1.0,))}, None), (PRIOR, 1.3)],
)
def test_priors_of_nothing_are_refused(prior: dict[str, CoefficientPrior], huber: float | None) -> None:
    terms, amount, area, _, factor = survey_of(3)
    with pytest.raises(ConfigurationError):
        EmpiricalBestPredictor(**SMALL, prior=prior, huber=huber).fit(terms, amount, areas=area)
    with pytest.raises(ConfigurationError):
        EmpiricalBestPredictor(**SMALL).fit(terms, amount, areas=area, replicate=0.0 * factor)
