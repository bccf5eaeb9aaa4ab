"""The half-normal prior of what areas differ by: posterior means of an independent integration, known variances, thin samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from living_finance.errors import ConfigurationError
from living_finance.income.empirical_best import EmpiricalBestPredictor
from living_finance.methods.area_logistic import fit_area_logistic
from living_finance.methods.coefficient_prior import CoefficientPrior
from living_finance.methods.nested_error import NestedErrorDesign

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def amounts(seed: int, *, areas: int, rows: int, deviation: float) -> Rows:
    random = np.random.default_rng(seed)
    area = np.repeat(np.arange(areas), rows)
    terms = np.column_stack([np.ones(area.size), random.normal(size=area.size)])
    effect = random.normal(scale=deviation, size=areas)
    return terms, area, terms @ [1.0, 0.5] + effect[area] + random.normal(size=area.size)


def chances(seed: int, *, areas: int, rows: int, deviation: float) -> Rows:
    random = np.random.default_rng(seed)
    area = np.repeat(np.arange(areas), rows)
    terms = np.column_stack([np.ones(area.size), random.normal(size=area.size)])
    score = terms @ [-0.6, 0.8] + random.normal(scale=deviation, size=areas)[area]
    return terms, area, (random.random(area.size) < stats.logistic.cdf(score)).astype(float)


def variance_between(sample: Rows, half_normal: float | None) -> float:
    terms, area, response = sample
    design = NestedErrorDesign(terms, area, response=response)
    return design.fit(response[design.order], half_normal=half_normal).area_variance


def restricted_log_likelihood(sample: Rows, *, between: float, within: float) -> float:
    """From whole matrices: Patterson & Thompson (1971)."""
    terms, area, response = sample
    covariance = between**2 * (area[:, None] == area) + within**2 * np.eye(area.size)
    inverse = np.linalg.inv(covariance)
    information = terms.T @ inverse @ terms
    left = response - terms @ np.linalg.solve(information, terms.T @ inverse @ response)
    logs = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(information)[1]
    return float(-0.5 * (logs + left @ inverse @ left))


@pytest.mark.parametrize(("deviation", "scale"), [(0.0, 0.2), (0.4, 0.2), (0.8, 0.5)])
def test_of_amounts_it_is_the_mean_of_the_whole_posterior(deviation: float, scale: float) -> None:
    """Both variances integrated, that within areas with a flat prior of its logarithm."""
    sample = amounts(4, areas=50, rows=4, deviation=deviation)
    between, within = np.linspace(0.0, max(5.0 * scale, 1.6), 41), np.geomspace(0.75, 1.35, 21)
    log_density = np.array(
        [[restricted_log_likelihood(sample, between=b, within=w) - 0.5 * (b / scale) ** 2 for w in within] for b in between]
    )
    density = np.exp(log_density - log_density.max()).sum(axis=1)
    density[[0, -1]] /= 2.0
    assert variance_between(sample, scale) == pytest.approx(density @ between**2 / density.sum(), rel=0.03)


def test_far_from_the_likelihood_both_variances_are_those_of_the_profile() -> None:
    """A prior of a fifth of the truth and two rows an area: the variance within is the likeliest one beside that between."""
    sample = terms, area, response = amounts(4, areas=50, rows=2, deviation=1.0)
    between, within = np.linspace(0.0, 1.2, 41), np.geomspace(0.8, 1.8, 81)
    log_likelihood = np.array([[restricted_log_likelihood(sample, between=b, within=w) for w in within] for b in between])
    profile = log_likelihood.max(axis=1) - 0.5 * (between / 0.2) ** 2
    density = np.exp(profile - profile.max())
    density[[0, -1]] /= 2.0
    expected = density @ between**2 / density.sum()
    design = NestedErrorDesign(terms, area, response=response)
    fit = design.fit(response[design.order], half_normal=0.2)
    assert fit.area_variance == pytest.approx(expected, rel=0.01)
    likeliest = within[log_likelihood[np.abs(between - np.sqrt(expected)).argmin()].argmax()]
    assert fit.unit_variance == pytest.approx(likeliest**2, rel=0.03)


@pytest.mark.parametrize("noise", [0.0, 1e-10, 1e-8, 1e-6, 1e-4])
@pytest.mark.parametrize("areas", [1, 4])
def test_amounts_that_hardly_differ_have_hardly_a_variance(areas: int, noise: float) -> None:
    """With a term that is the same within areas; exactly alike amounts may also be refused, as they are without the prior."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        area = np.repeat(np.arange(areas), 80 // areas)
        terms = np.column_stack([np.ones(80), random.normal(size=80), random.normal(size=areas)[area]][: 2 + (areas > 1)])
        response = np.log(np.where(terms[:, 1] > 0.0, 2.4e6, 1.2e6)) + noise * random.normal(size=80)
        terms = np.column_stack([terms, terms[:, 1] > 0.0])
        design = NestedErrorDesign(terms, area, response=response)
        try:
            fit = design.fit(response[design.order], half_normal=0.2)
        except ConfigurationError:
            assert noise == 0.0
            continue
        assert np.isfinite(fit.coefficients).all() and np.isfinite(fit.effect_mean).all()
        assert fit.unit_variance < 4.0 * noise**2 + 1e-20


@pytest.mark.parametrize(("deviation", "scale"), [(0.0, 0.2), (0.4, 0.2), (0.8, 0.5)])
def test_of_chances_it_is_the_mean_over_the_profile(deviation: float, scale: float) -> None:
    """Coefficients sought anew at every standard deviation, the likelihood by quadrature about 0."""
    terms, area, has = sample = chances(3, areas=60, rows=8, deviation=deviation)
    nodes, shares = np.polynomial.hermite_e.hermegauss(40)
    start = np.flatnonzero(np.diff(area, prepend=-1))

    def lost(coefficients: np.ndarray, between: float) -> float:
        score = (terms @ coefficients)[:, None] + between * nodes
        rows = np.add.reduceat(has[:, None] * score - np.logaddexp(0.0, score), start, axis=0)
        return -float(np.log(np.exp(rows) @ shares / shares.sum()).sum())

    between = np.linspace(0.0, max(5.0 * scale, 1.6), 33)
    profile = np.array([-optimize.minimize(lost, np.zeros(2), args=(each,)).fun for each in between])
    density = np.exp(profile - profile.max() - 0.5 * (between / scale) ** 2)
    density[[0, -1]] /= 2.0
    fit = fit_area_logistic(*sample, half_normal=scale)
    assert fit.convergence.reached
    assert fit.area_variance == pytest.approx(density @ between**2 / density.sum(), rel=0.02)


def test_many_rows_outweigh_it() -> None:
    """A prior of 0.4 times the truth, forty rows an area."""
    of_amounts = amounts(5, areas=300, rows=40, deviation=0.5)
    assert variance_between(of_amounts, 0.2) == pytest.approx(variance_between(of_amounts, None), rel=0.05)
    of_chances = chances(6, areas=300, rows=40, deviation=0.5)
    plain, held = (fit_area_logistic(*of_chances, half_normal=each) for each in (None, 0.2))
    assert held.area_variance == pytest.approx(plain.area_variance, rel=0.05)
    assert held.coefficients == pytest.approx(plain.coefficients, abs=0.01)


@pytest.mark.parametrize(("deviation", "at_most"), [(0.07, 0.5), (0.2, 0.8)])
def test_thin_samples_keep_it_near_the_truth(deviation: float, at_most: float) -> None:
    """Two rows an area, a prior of twice or 0.7 times the truth: errors beside those of the likelihood's maximum."""
    errors: dict[str, list[tuple[float, float]]] = {"amount": [], "any": []}
    for seed in range(30):
        of_amounts = amounts(seed, areas=200, rows=2, deviation=deviation)
        of_chances = chances(seed, areas=200, rows=2, deviation=deviation)
        for half_normal in (None, 0.14):
            pair = (
                variance_between(of_amounts, half_normal),
                fit_area_logistic(*of_chances, half_normal=half_normal).area_variance,
            )
            for part, found in zip(errors, pair, strict=True):
                errors[part].append((half_normal is None, found - deviation**2))
    for found in errors.values():
        without, with_prior = (np.sqrt(np.mean([e**2 for is_without, e in found if is_without == s])) for s in (True, False))
        assert with_prior < at_most * without


def test_of_one_area_the_prior_is_all_there_is() -> None:
    terms, area, response = amounts(7, areas=1, rows=60, deviation=0.0)
    assert variance_between((terms, area, response), 0.3) == pytest.approx(0.09, rel=1e-3)
    assert fit_area_logistic(terms, area, (response > 1.0).astype(float), half_normal=0.3).area_variance == pytest.approx(0.09)


@pytest.mark.parametrize("scale", [1e-6, 1e3])
def test_a_prior_far_from_the_likelihood_is_integrated_too(scale: float) -> None:
    """A narrow one is all that counts, a wide one says nothing: the root's mean lies above the likelihood's maximum then."""
    of_amounts = amounts(11, areas=30, rows=4, deviation=0.7)
    of_chances = chances(11, areas=30, rows=10, deviation=0.7)
    plain = variance_between(of_amounts, None), fit_area_logistic(*of_chances).area_variance
    found = variance_between(of_amounts, scale), fit_area_logistic(*of_chances, half_normal=scale).area_variance
    for without, held in zip(plain, found, strict=True):
        assert without > 0.1
        if scale < 1.0:
            assert held == pytest.approx(scale**2, rel=0.01)
        else:
            assert without < held < 1.7 * without


def test_weights_factors_and_the_amounts_prior_do_not_move_it() -> None:
    """It is of the rows as they are; of chances a prior of coefficients is profiled with them."""
    terms, area, response = amounts(12, areas=40, rows=3, deviation=0.2)
    random = np.random.default_rng(3)
    weight, factor = random.uniform(0.5, 2.0, area.size), random.exponential(size=area.size)
    plain = variance_between((terms, area, response), 0.2)
    design = NestedErrorDesign(terms, area, response=response, weight=weight, replicate=factor / factor.mean())
    held = design.fit(response[design.order], half_normal=0.2, prior=CoefficientPrior((1,), (3.0,), (0.1,)))
    assert held.area_variance == pytest.approx(plain, rel=1e-6)
    of_chances = chances(12, areas=40, rows=6, deviation=0.2)
    bare, weighted = (
        fit_area_logistic(*of_chances, half_normal=0.2, **given)
        for given in ({}, {"weight": random.uniform(0.5, 2.0, 240), "replicate": np.ones(240)})
    )
    assert weighted.area_variance == pytest.approx(bare.area_variance, rel=1e-6)


def test_a_predictor_takes_it_in_both_parts_and_order_changes_no_bit() -> None:
    terms, area, amount = amounts(8, areas=60, rows=3, deviation=0.1)
    has = chances(9, areas=60, rows=3, deviation=0.1)[2] > 0.0
    value = np.where(has, np.exp(amount), 0.0)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, value.size)

    def fitted(order: np.ndarray, half_normal: float | None) -> EmpiricalBestPredictor:
        predictor = EmpiricalBestPredictor(two_part=True, half_normal=half_normal)
        return predictor.fit(terms[order, 1:], value[order], areas=area[order], weights=weight[order])

    plain, held, shuffled = (
        fitted(order, scale)
        for order, scale in (
            (np.arange(value.size), None),
            (np.arange(value.size), 0.05),
            (np.random.default_rng(2).permutation(value.size), 0.05),
        )
    )
    assert held.model_ == shuffled.model_ != plain.model_
    assert 0.001 < held.model_.amount.area_variance < 0.006
    assert held.model_.occurrence is not None
    assert 0.001 < held.model_.occurrence.area_variance < 0.006


@pytest.mark.parametrize(
    "given", [{"half_normal": 0.0}, {"half_normal": np.nan}, {"half_normal": np.inf}, {"half_normal": 0.1, "huber": 1.345}]
)
@pytest.mark.parametrize("areas", [1, 20])
def test_what_it_does_not_take(areas: int, given: dict[str, float]) -> None:
    terms, area, response = amounts(10, areas=areas, rows=100 // areas, deviation=0.1)
    with pytest.raises(ConfigurationError):
        EmpiricalBestPredictor(**given).fit(terms[:, 1:], np.exp(response), areas=area)
    with pytest.raises(ConfigurationError):
        EmpiricalBestPredictor(two_part=True, **given).fit(terms[:, 1:], np.maximum(response, 0.0), areas=area)
