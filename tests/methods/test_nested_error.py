"""Nested-error regression: the robust equations hold, known parameters come back, bounds and refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from living_finance.errors import ConfigurationError
from living_finance.methods import nested_error
from living_finance.methods.area_logistic import fit_area_logistic
from living_finance.methods.nested_error import NestedErrorDesign, NestedErrorFit, huber_consistency
from living_finance.methods.transformations import Transformation, estimate_transformation

CORN = Path(__file__).resolve().parents[1] / "golden" / "cornsoybean.csv"


def corn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = pd.read_csv(CORN)
    terms = np.column_stack([np.ones(len(rows)), rows[["corn_pixels", "soybean_pixels"]]])
    return terms, rows["county"].to_numpy() - 1, rows["corn_hectares"].to_numpy()


def fitted(terms: np.ndarray, area: np.ndarray, response: np.ndarray, huber: float | None = None) -> NestedErrorFit:
    design = NestedErrorDesign(terms, area, response=response)
    return design.fit(response[design.order], huber=huber)


def made(
    seed: int, areas: int, rows: int, *, area_variance: float, unit_variance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    area = np.repeat(np.arange(areas), rows)
    terms = np.column_stack([np.ones(area.size), random.normal(size=area.size)])
    effect = random.normal(scale=np.sqrt(area_variance), size=areas)
    return terms, area, terms @ [2.0, -1.0] + effect[area] + random.normal(scale=np.sqrt(unit_variance), size=area.size)


def test_bounded_equations_hold_with_dense_matrices() -> None:
    terms, area, response = corn()
    bound = 1.345
    fit = fitted(terms, area, response, huber=bound)
    assert fit.convergence.reached
    indicator = (area[:, None] == np.arange(12)).astype(float)
    parts = [indicator @ indicator.T, np.eye(area.size)]
    inverse = np.linalg.inv(fit.area_variance * parts[0] + fit.unit_variance * parts[1])
    scale = np.sqrt(fit.area_variance + fit.unit_variance)
    bounded = scale * np.clip((response - terms @ fit.coefficients) / scale, -bound, bound)
    assert np.abs(bounded).max() < np.abs(response - terms @ fit.coefficients).max()
    projection = inverse - inverse @ terms @ np.linalg.solve(terms.T @ inverse @ terms, terms.T @ inverse)
    assert terms.T @ inverse @ bounded / np.abs(terms).sum(axis=0) == pytest.approx(0.0, abs=1e-6)
    for part in parts:
        seen = bounded @ inverse @ part @ inverse @ bounded
        assert seen == pytest.approx(huber_consistency(bound) * np.trace(projection @ part), rel=1e-5)


def test_a_large_bound_is_none() -> None:
    plain, bounded = fitted(*corn()), fitted(*corn(), huber=1e3)
    assert bounded.area_variance == pytest.approx(plain.area_variance, rel=1e-6)
    assert bounded.effect_mean == pytest.approx(plain.effect_mean, rel=1e-5)


def test_known_parameters_come_back() -> None:
    fits = [fitted(*made(seed, 60, 6, area_variance=0.5, unit_variance=1.5)) for seed in range(40)]
    for found, expected in (
        (np.array([fit.area_variance for fit in fits]), 0.5),
        (np.array([fit.unit_variance for fit in fits]), 1.5),
        (np.array([fit.coefficients[1] for fit in fits]), -1.0),
    ):
        error = found.std(ddof=1) / np.sqrt(len(fits))
        assert abs(found.mean() - expected) < 3.5 * error
        assert error < 0.05 * abs(expected)  # so that the line above can fail


def test_outliers_move_a_bounded_fit_less() -> None:
    terms, area, response = made(3, 80, 6, area_variance=0.5, unit_variance=1.5)
    random = np.random.default_rng(4)
    spoilt = response + np.where(random.random(area.size) < 0.05, 15.0, 0.0)
    plain, bounded = fitted(terms, area, spoilt), fitted(terms, area, spoilt, huber=1.345)
    assert plain.unit_variance > 8.0
    assert bounded.unit_variance < 2.4
    assert abs(bounded.coefficients[0] - 2.0) < 0.6 * abs(plain.coefficients[0] - 2.0)


def test_robust_effects_that_are_not_reached_are_no_reached_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    terms, area, response = corn()
    design = NestedErrorDesign(terms, area, response=response)
    fit = design.fit(response[design.order])
    orthonormal = replace(fit, coefficients=design.triangle @ fit.coefficients)
    assert design._with_effects(response[design.order], orthonormal, bound=1.0).convergence.reached
    monkeypatch.setattr(nested_error, "_MAX_ROUNDS", 1)
    assert not design._with_effects(response[design.order], orthonormal, bound=1.0).convergence.reached


def test_no_area_variance_is_a_solution() -> None:
    terms, area, response = made(8, 30, 5, area_variance=0.0, unit_variance=1.0)
    balanced = response - pd.Series(response).groupby(area).transform("mean").to_numpy()
    fit = fitted(terms, area, balanced)
    assert (fit.area_variance, fit.convergence.reached) == (0.0, True)
    assert (fit.effect_mean == 0.0).all()


@pytest.mark.parametrize(
    ("terms", "area", "response"),
    [
        (np.ones((6, 2)), np.repeat([0, 1], 3), np.arange(6.0)),
        (np.ones((3, 1)), np.arange(3), np.arange(3.0)),
        (np.ones((6, 1)), np.repeat([0, 1], 3), np.repeat([1.0, 2.0], 3)),
    ],
    ids=["collinear terms", "no area with two rows", "no variation within areas"],
)
def test_what_cannot_be_fitted_is_refused(terms: np.ndarray, area: np.ndarray, response: np.ndarray) -> None:
    with pytest.raises(ConfigurationError):
        fitted(terms, area, response)


@pytest.mark.parametrize(
    "transformation",
    [Transformation(), Transformation("log"), Transformation("log_shift", -0.5), Transformation("box_cox", 0.3)],
    ids=lambda transformation: transformation.name,
)
def test_an_inverse_brings_amounts_back(transformation: Transformation) -> None:
    amount = np.array([0.7, 1.0, 12.0, 3e8])
    assert transformation.inverse(transformation.forward(amount)) == pytest.approx(amount, rel=1e-9)


def test_an_inverse_stays_in_the_domain() -> None:
    assert Transformation("box_cox", 0.5, lowest=4.0).inverse(np.array([-100.0, 2.0])).tolist() == [4.0, 4.0]
    with pytest.raises(ConfigurationError):
        Transformation("log").forward(np.array([0.0]))


@pytest.mark.parametrize(("name", "parameter"), [("box_cox", 0.35), ("log_shift", 4.0)])
def test_the_parameter_of_a_transformation_comes_back(name: str, parameter: float) -> None:
    terms, area, response = made(5, 100, 8, area_variance=0.1, unit_variance=0.4)
    amount = Transformation(name, parameter).inverse(response + 2.0)
    design = NestedErrorDesign(terms, area, response=amount)
    found, convergence = estimate_transformation(name, amount[design.order], design)
    assert convergence.reached
    assert found.parameter == pytest.approx(parameter, abs=0.08 if name == "box_cox" else 1.5)


def test_logistic_parameters_come_back() -> None:
    random = np.random.default_rng(12)
    area = np.repeat(np.arange(120), 12)
    terms = np.column_stack([np.ones(area.size), random.normal(size=area.size)])
    effect = random.normal(scale=0.9, size=120)
    has = random.random(area.size) < stats.logistic.cdf(terms @ [-0.4, 0.8] + effect[area])
    fit = fit_area_logistic(terms, area, has.astype(float))
    assert fit.convergence.reached
    assert fit.coefficients == pytest.approx([-0.4, 0.8], abs=0.25)
    assert fit.area_variance == pytest.approx(0.81, abs=0.35)
    standard = (effect - fit.effect_mean) / np.sqrt(fit.effect_variance)
    assert 0.8 < standard.std() < 1.2
    with pytest.raises(ConfigurationError):
        fit_area_logistic(terms, area, np.ones(area.size))
