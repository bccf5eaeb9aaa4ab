"""Logistic regression with a random intercept per area, by maximum likelihood.

The likelihood of an area is integrated by adaptive Gauss-Hermite quadrature about its mode; its gradient is the expected
gradient of the complete likelihood under the same quadrature. Survey weights, scaled to add up to the rows of each area,
multiply the rows' log likelihoods (pseudo-likelihood) for coefficients and effects. The variance between areas is that of
the rows without weights: with few rows an area, weights that differ pass for differences between areas. Factors of a
replicate of the sample differ between areas too: within an area they go with the weights, their mean by area multiplies
the area's log likelihood. Normal priors of coefficients add their log densities (the posterior mode given the variance).

Source: Pinheiro & Bates (1995), Approximations to the log-likelihood function in the nonlinear mixed-effects model, JCGS
4(1), 12-35; Rabe-Hesketh & Skrondal (2006), Multilevel modelling of complex survey data, JRSS A 169(4), 805-827 (weights
of rows within areas and of areas); Zeger, Liang & Albert (1988), Models for longitudinal data, Biometrics 44(4), 1049-1060.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from scipy.special import expit

from living_finance.errors import ConfigurationError
from living_finance.methods.coefficient_prior import CoefficientPrior
from living_finance.methods.convergence import Convergence
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.half_normal import check_scale, expected_variance

_NODES, _NODE_WEIGHTS = np.polynomial.hermite.hermgauss(15)
_MODE_STEPS = 30
_LARGEST_SCALE = 10.0
_GRADIENT_TOLERANCE = 1e-5
_MAX_ROUNDS = 200
_ATTENUATION = (16.0 * np.sqrt(3.0) / (15.0 * np.pi)) ** 2
"""Coefficients given the effects are those without, times the root of 1 and so much of the variance of the effects."""


@dataclass(frozen=True)
class AreaLogisticFit:
    """Estimates; areas by position."""

    coefficients: Floats
    area_variance: float
    effect_mean: Floats
    effect_variance: Floats
    """Mean and variance of each area's effect given its rows."""
    convergence: Convergence


def fit_area_logistic(
    terms: Floats,
    area: Integers,
    has: Floats,
    *,
    weight: Floats | None = None,
    replicate: Floats | None = None,
    prior: CoefficientPrior | None = None,
    half_normal: float | None = None,
) -> AreaLogisticFit:
    """P(has) = 1 / (1 + exp(-x'β - u)), u normal by area.

    Args:
        terms: rows x terms, intercept included.
        area: position of each row's area, 0, 1, …; every position occurs.
        has: 0 or 1.
        weight: survey weights, positive; None for equal ones.
        replicate: factors of a replicate of the sample, positive, of mean 1 over its rows; None for none. Coefficients are those
            of the replicate; effects are given the rows as they are, and the variance between areas is the sample's.
        prior: of coefficients, its columns those of the terms, intercept included; None for none.
        half_normal: scale of the prior of the standard deviation between areas, positive; None for none.

    Returns:
        Estimates; with `half_normal` the variance between areas is its posterior mean, coefficients profiled out; of one area the
        likelihood says nothing. Where terms separate the rows that have from those that do not, coefficients are as far as the
        search went and `convergence` may say that it was not reached.

    Raises:
        ConfigurationError: everybody has, or nobody; a scale that is not positive.
    """
    if half_normal is not None:
        check_scale(half_normal)
    if has.min() == has.max():
        raise ConfigurationError("A logistic regression needs rows of both kinds.", remedy="leave out the two-part form")
    plain = _Likelihood(terms, area, has, np.ones(area.size), prior=prior)
    columns = terms.shape[1]
    found = _maximum(plain, np.append(np.zeros(columns), 0.5), scale=(0.0, _LARGEST_SCALE))
    likelihood = plain
    is_held = not (weight is None and replicate is None and half_normal is None)
    given = np.ones(area.size) if weight is None else np.asarray(weight, dtype=np.float64)
    if is_held:
        scale = float(found.x[-1]) if half_normal is None else _expected_scale(plain, found.x, scale=half_normal)
        likelihood = _Likelihood(terms, area, has, given, replicate=replicate, prior=prior)
        found = _maximum(likelihood, np.append(np.zeros(columns), scale), scale=(scale, scale))
    _, gradient = likelihood(found.x)
    # Where the scale rests on a bound, its gradient has nothing to say.
    largest = float(np.abs(gradient[:-1] if found.x[-1] <= 0.0 or is_held else gradient).max())
    scale = float(found.x[-1])
    coefficients = likelihood.coefficients(found.x[:-1])
    if replicate is not None:
        likelihood = _Likelihood(terms, area, has, given)
        likelihood(np.append(likelihood.of_orthonormal(coefficients), scale))
    mean, variance = likelihood.posterior()
    return AreaLogisticFit(
        coefficients=coefficients,
        area_variance=scale**2,
        effect_mean=scale * mean,
        effect_variance=scale**2 * variance,
        convergence=Convergence(largest < 1e3 * _GRADIENT_TOLERANCE, int(found.nit), largest),
    )


def _maximum(
    likelihood: _Likelihood, start: Floats, *, scale: tuple[float, float], tolerance: float = _GRADIENT_TOLERANCE
) -> OptimizeResult:
    return minimize(
        likelihood,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None)] * (start.size - 1) + [scale],
        options={"maxiter": _MAX_ROUNDS, "gtol": tolerance, "ftol": 1e-13},
    )


def _expected_scale(likelihood: _Likelihood, likeliest: Floats, *, scale: float) -> float:
    """Root of the posterior mean of the variance between areas, with a half-normal prior of its root. Coefficients are sought
    anew at each, from those of the last one moved by their attenuation (Zeger, Liang & Albert 1988)."""
    if likelihood.mode.size == 1:  # nothing tells its effect from the intercept
        return scale
    last = likeliest

    def log_likelihood(deviation: float) -> float:
        nonlocal last
        follow = np.sqrt((1.0 + _ATTENUATION * deviation**2) / (1.0 + _ATTENUATION * last[-1] ** 2))
        found = _maximum(likelihood, np.append(follow * last[:-1], deviation), scale=(deviation, deviation), tolerance=1e-3)
        last = found.x
        return -float(found.fun) * likelihood.has.size

    return float(np.sqrt(expected_variance(log_likelihood, scale=scale, likeliest=float(likeliest[-1]))))


class _Likelihood:
    """Minus the mean log likelihood and its gradient, in terms of orthonormal columns and the standardised effect."""

    def __init__(
        self,
        terms: Floats,
        area: Integers,
        has: Floats,
        weight: Floats,
        *,
        replicate: Floats | None = None,
        prior: CoefficientPrior | None = None,
    ) -> None:
        factor = np.ones(area.size) if replicate is None else np.asarray(replicate, dtype=np.float64)
        order = np.lexsort((factor, weight, *terms.T[::-1], has, area))
        terms, area, weight = terms[order], area[order], weight[order]
        self.area, self.has = area, has[order]
        self.start = np.flatnonzero(np.diff(area, prepend=-1))
        size = np.diff(self.start, append=area.size)
        self.counted: Floats | None = None
        if replicate is not None:
            whole = np.add.reduceat(weight, self.start)
            weight = weight * factor[order]
            self.counted = np.add.reduceat(weight, self.start) / whole
        self.weight = weight * (size / np.add.reduceat(weight, self.start))[area]
        orthonormal, self.triangle = np.linalg.qr(terms)
        self.spread = np.sqrt(area.size)
        self.columns = orthonormal * self.spread
        self.prior = prior
        if prior is not None:
            self.prior_rows = np.linalg.solve(self.triangle.T, prior.rows(terms.shape[1]).T).T * self.spread
        self.mode = np.zeros(size.size)
        self.nodes = self.shares = np.zeros((size.size, _NODES.size))

    def coefficients(self, of_orthonormal: Floats) -> Floats:
        """In the terms' own units."""
        solved: Floats = np.linalg.solve(self.triangle, of_orthonormal * self.spread)
        return solved

    def of_orthonormal(self, coefficients: Floats) -> Floats:
        """The inverse of `coefficients`."""
        found: Floats = self.triangle @ coefficients / self.spread
        return found

    def posterior(self) -> tuple[Floats, Floats]:
        """Mean and variance of the standardised effects at the last parameters."""
        mean = (self.shares * self.nodes).sum(axis=1)
        return mean, (self.shares * self.nodes**2).sum(axis=1) - mean**2

    def __call__(self, parameters: Floats) -> tuple[float, Floats]:
        coefficients, scale = parameters[:-1], float(parameters[-1])
        fixed = self.columns @ coefficients
        width = self._find_mode(fixed, scale)
        self.nodes = self.mode[:, None] + np.sqrt(2.0) * width[:, None] * _NODES
        score = fixed[:, None] + scale * self.nodes[self.area]
        rows = self.weight[:, None] * (self.has[:, None] * score - np.logaddexp(0.0, score))
        joint = np.add.reduceat(rows, self.start, axis=0) - self.nodes**2 / 2.0 + _NODES**2 + np.log(_NODE_WEIGHTS)
        top = joint.max(axis=1)
        integral = np.exp(joint - top[:, None])
        total = integral.sum(axis=1)
        self.shares = integral / total[:, None]
        of_area = top + np.log(total * width / np.sqrt(np.pi))
        expected = self.weight[:, None] * (self.has[:, None] - expit(score)) * self.shares[self.area]
        if self.counted is not None:
            of_area, expected = of_area * self.counted, expected * self.counted[self.area][:, None]
        log_likelihood = of_area.sum()
        gradient = np.append(expected.sum(axis=1) @ self.columns, (expected * self.nodes[self.area]).sum())
        if self.prior is not None:
            apart = (self.prior_rows @ coefficients - self.prior.mean) / self.prior.deviation
            log_likelihood -= 0.5 * (apart @ apart)
            gradient[:-1] -= (apart / self.prior.deviation) @ self.prior_rows
        return -float(log_likelihood) / self.has.size, -gradient / self.has.size

    def _find_mode(self, fixed: Floats, scale: float) -> Floats:
        """Modes of the standardised effects, by Newton's method from the last ones; their standard deviations."""
        curvature = np.ones(self.mode.size)
        for _ in range(_MODE_STEPS):
            probability = expit(fixed + scale * self.mode[self.area])
            slope = scale * np.add.reduceat(self.weight * (self.has - probability), self.start) - self.mode
            curvature = 1.0 + scale**2 * np.add.reduceat(self.weight * probability * (1.0 - probability), self.start)
            step = np.clip(slope / curvature, -2.0, 2.0)
            self.mode = self.mode + step
            if np.abs(step).max() < 1e-9:
                break
        return 1.0 / np.sqrt(curvature)
