"""Priors of coefficients and replicates of a sample: dense oracles, limits, what they are for, and that order changes no bit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from living_finance.errors import ConfigurationError
from living_finance.methods.area_logistic import AreaLogisticFit, fit_area_logistic
from living_finance.methods.coefficient_prior import CoefficientPrior, mixed_estimate
from living_finance.methods.nested_error import NestedErrorDesign, NestedErrorFit

Sample = tuple[np.ndarray, np.ndarray, np.ndarray]
SLOPES = np.array([1.0, 0.5, 1.2])
OF_PLACE = CoefficientPrior(column=(2,), mean=(1.0,), deviation=(0.3,))


def sampled(seed: int, *, areas: int = 60, most: int = 3, unit: float = 1.0, effect: float = 0.3) -> Sample:
    """Terms (1, one of rows, one of areas), area, linear predictor with effects and errors; one to `most` rows an area."""
    random = np.random.default_rng(seed)
    area = np.repeat(np.arange(areas), 1 + np.arange(areas) % most)
    place = random.normal(scale=0.3, size=areas)
    terms = np.column_stack([np.ones(area.size), random.normal(size=area.size), place[area]])
    errors = effect * random.normal(size=areas)[area] + unit * random.normal(size=area.size)
    return terms, area, terms @ SLOPES + errors


def has_of(seed: int, *, effect: float = 0.6, **shape: int) -> Sample:
    terms, area, score = sampled(seed, unit=0.0, effect=effect, **shape)
    return terms, area, (np.random.default_rng(900 + seed).random(area.size) < expit(score - 1.0)).astype(float)


def nested(sample: Sample, *, prior: CoefficientPrior | None = None, **given: np.ndarray) -> NestedErrorFit:
    terms, area, response = sample
    design = NestedErrorDesign(terms, area, response=response, **given)
    return design.fit(response[design.order], prior=prior)


def covariance_of(area: np.ndarray, fit: NestedErrorFit) -> np.ndarray:
    return fit.area_variance * (area[:, None] == area) + fit.unit_variance * np.eye(area.size)


def test_a_prior_is_one_more_row_of_least_squares() -> None:
    random = np.random.default_rng(1)
    terms, response = np.column_stack([np.ones(30), random.normal(size=(30, 2))]), random.normal(size=30)
    estimate, *_ = np.linalg.lstsq(terms, response, rcond=None)
    covariance = 0.7 * np.linalg.inv(terms.T @ terms)
    prior = CoefficientPrior(column=(2, 0), mean=(1.0, -0.5), deviation=(0.2, 0.4))
    rows = np.vstack([terms / np.sqrt(0.7), [0.0, 0.0, 1.0 / 0.2], [1.0 / 0.4, 0.0, 0.0]])
    oracle, *_ = np.linalg.lstsq(rows, np.concatenate([response / np.sqrt(0.7), [1.0 / 0.2, -0.5 / 0.4]]), rcond=None)
    assert mixed_estimate(estimate, covariance, rows=prior.rows(3), prior=prior) == pytest.approx(oracle, abs=1e-12)


def test_an_unweighted_fit_is_generalised_least_squares_with_a_row_more() -> None:
    terms, area, response = sample = sampled(2)
    fit = nested(sample, prior=OF_PLACE)
    assert fit.area_variance > 0.0
    covariance = np.zeros((area.size + 1, area.size + 1))
    covariance[:-1, :-1] = covariance_of(area, fit)
    covariance[-1, -1] = 0.3**2
    inverse, more = np.linalg.inv(covariance), np.vstack([terms, [0.0, 0.0, 1.0]])
    oracle = np.linalg.solve(more.T @ inverse @ more, more.T @ inverse @ np.append(response, 1.0))
    assert fit.coefficients == pytest.approx(oracle, abs=1e-9)
    # Effects are expected given these coefficients.
    indicator = (area == np.arange(60)[:, None]).astype(float)
    effects = fit.area_variance * indicator @ np.linalg.solve(covariance_of(area, fit), response - terms @ oracle)
    assert fit.effect_mean == pytest.approx(effects, abs=1e-9)
    plain = nested(sample)
    assert (fit.area_variance, fit.unit_variance) == (plain.area_variance, plain.unit_variance)
    assert np.abs(fit.effect_mean - plain.effect_mean).max() > 1e-3


def test_a_weighted_fit_joins_the_prior_by_its_own_covariance() -> None:
    """The weighted estimate is linear in the response: β = L y, covariance L V L'."""
    terms, area, response = sample = sampled(3)
    weight = np.random.default_rng(3).uniform(0.3, 3.0, area.size)
    plain, fit = nested(sample, weight=weight), nested(sample, weight=weight, prior=OF_PLACE)
    left = np.empty((area.size, 3))
    for number in range(60):
        rows = area == number
        own = weight[rows] * rows.sum() / weight[rows].sum()
        noise = plain.unit_variance * (own**2).sum() / own.sum() ** 2
        shrinkage = plain.area_variance / (plain.area_variance + noise)
        left[rows] = own[:, None] * (terms[rows] - shrinkage * (own @ terms[rows]) / own.sum())
    of_response = np.linalg.solve(left.T @ terms, left.T)
    assert plain.coefficients == pytest.approx(of_response @ response, abs=1e-9)
    information = np.linalg.inv(of_response @ covariance_of(area, plain) @ of_response.T)
    added = np.diag([0.0, 0.0, 0.3**-2])
    oracle = np.linalg.solve(information + added, information @ plain.coefficients + added @ [0.0, 0.0, 1.0])
    assert fit.coefficients == pytest.approx(oracle, abs=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_wide_prior_says_nothing_and_a_narrow_one_everything(weighted: bool) -> None:
    def weights(area: np.ndarray) -> dict[str, np.ndarray]:
        return {"weight": np.random.default_rng(4).uniform(0.5, 2.0, area.size)} if weighted else {}

    wide, narrow = (CoefficientPrior((2,), (3.0,), (deviation,)) for deviation in (1e7, 1e-4))
    sample = sampled(4)
    plain, *priors = (nested(sample, prior=prior, **weights(sample[1])) for prior in (None, wide, narrow))
    assert priors[0].coefficients == pytest.approx(plain.coefficients, abs=1e-9)
    assert priors[1].coefficients[2] == pytest.approx(3.0, abs=1e-6)
    offset = sample[0][:, 2] * 3.0
    terms, area, has = has_of(4, areas=80)
    plain_any, *priors_any = (fit_area_logistic(terms, area, has, prior=p, **weights(area)) for p in (None, wide, narrow))
    assert priors_any[0].coefficients == pytest.approx(plain_any.coefficients, abs=1e-6)
    assert priors_any[1].coefficients[2] == pytest.approx(3.0, abs=1e-3)
    assert priors_any[0].convergence.reached and priors_any[1].convergence.reached
    if not weighted:  # the rest is then the fit with the coefficient given
        fixed = sample[2] - offset
        covariance = np.linalg.inv(covariance_of(sample[1], priors[1]))
        rest = sample[0][:, :2]
        oracle = np.linalg.solve(rest.T @ covariance @ rest, rest.T @ covariance @ fixed)
        assert priors[1].coefficients[:2] == pytest.approx(oracle, abs=1e-6)


def dense_logistic(
    sample: Sample, fit: AreaLogisticFit, weight: np.ndarray, factor: np.ndarray, prior: CoefficientPrior | None
) -> np.ndarray:
    """Coefficients at the fit's variance, by another optimiser and a fixed quadrature of many nodes."""
    terms, area, has = sample
    nodes, shares = np.polynomial.hermite_e.hermegauss(80)
    indicator = (area == np.arange(area.max() + 1)[:, None]).astype(float)
    joint = weight * factor
    inside = joint * (indicator.sum(axis=1) / (indicator @ joint))[area]
    counted = indicator @ joint / (indicator @ weight)

    def loss(coefficients: np.ndarray) -> float:
        score = (terms @ coefficients)[:, None] + np.sqrt(fit.area_variance) * nodes
        rows = inside[:, None] * (has[:, None] * score - np.logaddexp(0.0, score))
        found = counted @ np.log(np.exp(indicator @ rows) @ (shares / shares.sum()))
        if prior is not None:
            found -= 0.5 * ((coefficients[prior.column[0]] - prior.mean[0]) / prior.deviation[0]) ** 2
        return -float(found)

    return minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-7}).x


@pytest.mark.parametrize("prior", [None, OF_PLACE], ids=["without", "with a prior"])
@pytest.mark.parametrize("replicated", [False, True], ids=["sample", "replicate"])
def test_a_logistic_fit_is_the_mode_of_likelihood_and_prior(prior: CoefficientPrior | None, replicated: bool) -> None:
    sample = has_of(5, areas=150, effect=1.5)
    area = sample[1]
    random = np.random.default_rng(5)
    weight = random.uniform(0.5, 2.0, area.size)
    factor = random.exponential(size=area.size) if replicated else np.ones(area.size)
    factor /= factor.mean()
    fit = fit_area_logistic(*sample, weight=weight, replicate=factor if replicated else None, prior=prior)
    assert fit.convergence.reached
    assert fit.area_variance > 0.05
    assert fit.coefficients == pytest.approx(dense_logistic(sample, fit, weight, factor, prior), abs=2e-4)
    if not replicated:
        assert fit_area_logistic(*sample, weight=weight, replicate=factor, prior=prior).coefficients == pytest.approx(
            fit.coefficients, abs=1e-5
        )


def test_a_right_prior_makes_small_samples_better() -> None:
    """Centred half a deviation from the truth, as far as it says of itself."""
    prior = CoefficientPrior((2,), (SLOPES[2] - 0.25,), (0.5,))
    errors: dict[str, list[float]] = {"amount": [], "amount prior": [], "any": [], "any prior": []}
    for seed in range(60):
        sample, of_any = sampled(100 + seed, areas=40), has_of(100 + seed, areas=40)
        for name, given in (("", None), (" prior", prior)):
            errors[f"amount{name}"].append(nested(sample, prior=given).coefficients[2] - SLOPES[2])
            errors[f"any{name}"].append(fit_area_logistic(*of_any, prior=given).coefficients[2] - SLOPES[2])
    off = {name: float(np.sqrt(np.mean(np.square(values)))) for name, values in errors.items()}
    assert off["amount prior"] < 0.8 * off["amount"]
    assert off["any prior"] < 0.6 * off["any"]


def test_factors_of_a_replicate_count_between_areas_of_one_row() -> None:
    sample = sampled(6)
    area = sample[1]
    single = np.bincount(area)[area] == 1
    random = np.random.default_rng(6)
    weight = random.uniform(0.5, 2.0, area.size)
    factor = np.where(single, random.exponential(size=area.size), 1.0)
    plain = nested(sample, weight=weight)
    assert nested(sample, weight=weight * factor).coefficients == pytest.approx(plain.coefficients, abs=1e-9)
    moved = nested(sample, weight=weight, replicate=factor)
    assert np.abs(moved.coefficients - plain.coefficients).max() > 0.01
    assert (moved.area_variance, moved.unit_variance) == (plain.area_variance, plain.unit_variance)
    assert nested(sample, weight=weight, replicate=5.0 * factor).coefficients == pytest.approx(moved.coefficients, abs=1e-9)
    assert nested(sample, weight=weight, replicate=np.ones(area.size)).coefficients == pytest.approx(
        plain.coefficients, abs=1e-12
    )
    of_any = has_of(6, areas=150, most=1)
    draws = random.exponential(size=150)
    plain_any = fit_area_logistic(*of_any, weight=np.ones(150))
    assert fit_area_logistic(*of_any, weight=draws).coefficients == pytest.approx(plain_any.coefficients, abs=1e-9)
    moved_any = fit_area_logistic(*of_any, weight=np.ones(150), replicate=draws / draws.mean())
    assert np.abs(moved_any.coefficients - plain_any.coefficients).max() > 0.01
    assert moved_any.area_variance == plain_any.area_variance


def test_replicates_spread_as_samples_do() -> None:
    """A term of areas with one or two rows: rescaled within areas, factors lose a good part of what samples differ by."""
    shape = {"areas": 120, "most": 2}
    of_samples = np.array([nested(sampled(300 + k, **shape)).coefficients[2] for k in range(150)]).std()
    of_replicates, rescaled = [], []
    random = np.random.default_rng(7)
    for number in range(10):
        sample = sampled(300 + number, **shape)
        factors = [random.exponential(size=sample[1].size) for _ in range(30)]
        of_replicates.append(np.std([nested(sample, replicate=each).coefficients[2] for each in factors]))
        rescaled.append(np.std([nested(sample, weight=each).coefficients[2] for each in factors]))
    assert 0.8 < np.mean(of_replicates) / of_samples < 1.2
    assert np.mean(rescaled) / of_samples < 0.75
    of_any = np.array([fit_area_logistic(*has_of(500 + k, **shape)).coefficients[2] for k in range(60)]).std()
    any_replicates = []
    for number in range(4):
        terms, area, has = has_of(500 + number, **shape)
        factors = [each / each.mean() for each in random.exponential(size=(20, area.size))]
        any_replicates.append(np.std([fit_area_logistic(terms, area, has, replicate=f).coefficients[2] for f in factors]))
    assert 0.7 < np.mean(any_replicates) / of_any < 1.3


def test_draws_of_estimate_and_prior_have_the_error_of_the_two_joined() -> None:
    """A replicate's estimate joined with a draw of the prior's mean spreads as the posterior; with a fixed mean it does not."""
    random = np.random.default_rng(8)
    covariance, prior = np.array([[1.0, 0.3], [0.3, 0.8]]), CoefficientPrior((1,), (0.0,), (0.5,))
    estimates = random.multivariate_normal([0.0, 0.0], covariance, size=20_000)
    drawn, fixed = [], []
    for estimate in estimates:
        moved = CoefficientPrior((1,), (0.5 * random.normal(),), (0.5,))
        drawn.append(mixed_estimate(estimate, covariance, rows=prior.rows(2), prior=moved))
        fixed.append(mixed_estimate(estimate, covariance, rows=prior.rows(2), prior=prior))
    posterior = np.linalg.inv(np.linalg.inv(covariance) + np.diag([0.0, 4.0]))
    assert np.cov(np.array(drawn).T) == pytest.approx(posterior, abs=0.02)
    assert np.var(np.array(fixed)[:, 1]) < 0.5 * posterior[1, 1]


def test_order_changes_no_bit() -> None:
    random = np.random.default_rng(9)
    for (terms, area, response), fit in (
        (sampled(9), lambda t, a, y, **given: nested((t, a, y), **given)),
        (has_of(9, areas=80), fit_area_logistic),
    ):
        terms, response = terms.round(1), response.round(0)  # ties
        given = {"weight": random.integers(1, 3, area.size).astype(float), "replicate": random.integers(1, 4, area.size) / 2.0}
        first = fit(terms, area, response, prior=OF_PLACE, **given)
        order = random.permutation(area.size)
        again = fit(terms[order], area[order], response[order], prior=OF_PLACE, **{k: v[order] for k, v in given.items()})
        assert np.array_equal(first.coefficients, again.coefficients)
        assert np.array_equal(first.effect_mean, again.effect_mean)


@pytest.mark.parametrize(
    "values",
    [
        ((0,), (1.0,), (0.0,)),
        ((0,), (np.nan,), (1.0,)),
        ((0, 0), (1.0, 1.0), (1.0, 1.0)),
        ((-1,), (1.0,), (1.0,)),
        ((0,), (), ()),
    ],
    ids=["no width", "no mean", "twice", "no column", "lengths"],
)
def test_improper_priors_are_refused(values: tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]) -> None:
    with pytest.raises(ConfigurationError):
        CoefficientPrior(*values)


def test_priors_that_do_not_fit_the_regression_are_refused() -> None:
    terms, area, response = sample = sampled(10)
    beyond = CoefficientPrior((3,), (0.0,), (1.0,))
    with pytest.raises(ConfigurationError):
        nested(sample, prior=beyond)
    with pytest.raises(ConfigurationError):
        fit_area_logistic(*has_of(10), prior=beyond)
    design = NestedErrorDesign(terms, area, response=response)
    with pytest.raises(ConfigurationError):
        design.fit(response[design.order], huber=1.345, prior=OF_PLACE)
