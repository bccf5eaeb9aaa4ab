"""Regression with a random effect per area, y_ij = x_ij'β + u_i + e_ij: restricted likelihood, weights, robustness.

The restricted likelihood is profiled to one number, λ = σ²u / σ²e, and evaluated from area means and the sums of squares
within areas: after one pass over the rows an evaluation costs areas x terms². The root of its derivative is bracketed on
a grid of λ / (1 + λ) over [0, 1) and closed in by Brent's method.

Rows are put in an order of their own (area, response, terms, weight, replicate factor), so that their order on arrival changes
no bit.

Source: Battese, Harter & Fuller (1988), An error-components model for prediction of county crop areas, JASA 83(401),
28-36; Rao & Molina (2015), Small Area Estimation, 2nd ed., sections 4.3 and 7.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import OptimizeResult, brentq, minimize_scalar
from scipy.special import ndtr

from living_finance.errors import ConfigurationError
from living_finance.methods.coefficient_prior import CoefficientPrior, mixed_estimate
from living_finance.methods.convergence import Convergence
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.half_normal import check_scale, expected_variance

_GRID = np.concatenate(([0.0], np.geomspace(1e-4, 0.5, 12), 1.0 - np.geomspace(0.4, 1e-6, 14)))
"""Of λ / (1 + λ), the share of the area effects in the variance."""
_ALL = 1e9
"""λ at which only what is within areas counts."""
_ROUNDING = 1e-12
"""Of the squares of a response: with less within areas, beside the terms, it varies by rounding alone."""
_TOLERANCE = 1e-12
_COLLINEAR = 1e-9
_MAX_ROUNDS = 200
_ROBUST_TOLERANCE = 1e-8


@dataclass(frozen=True)
class NestedErrorFit:
    """Estimates; areas by position."""

    coefficients: Floats
    area_variance: float
    unit_variance: float
    effect_mean: Floats
    """Expected effect of each area given its rows."""
    effect_variance: Floats
    """Variance of each effect given its rows, with the parameters taken as known."""
    deviance: float
    """-2 restricted log likelihood, without its constants."""
    convergence: Convergence


@dataclass(frozen=True)
class _Response:
    """A response in terms of the orthonormal columns, less its least-squares fit: nothing cancels later."""

    ordinary: Floats
    """Least-squares coefficients of the orthonormal columns."""
    residual: Floats
    mean: Floats
    within_x: Floats
    within: float


class NestedErrorDesign:
    """Terms and areas of a sample, in canonical order, for any number of responses.

    Args:
        terms: rows x terms, intercept included.
        area: position of each row's area, 0, 1, …; every position occurs.
        response: puts rows in order; later responses may be any function of it.
        weight: survey weights, positive; None for equal ones. They are scaled to add up to the number of rows in each area.
        replicate: factors of a replicate of the sample, positive, by which rows count in the equations of the coefficients;
            None for none. They are not scaled within areas: that would cancel them where an area has one row. Effects of
            areas are of their rows as they are.

    Raises:
        ConfigurationError: collinear terms, no area with two rows, or too few rows.
    """

    def __init__(
        self, terms: Floats, area: Integers, *, response: Floats, weight: Floats | None = None, replicate: Floats | None = None
    ) -> None:
        given = np.ones(area.size) if weight is None else np.asarray(weight, dtype=np.float64)
        factor = np.ones(area.size) if replicate is None else np.asarray(replicate, dtype=np.float64)
        self.order = np.lexsort((factor, given, *terms.T[::-1], response, area))
        self.terms, self.area = np.ascontiguousarray(terms[self.order]), area[self.order]
        self.rows, self.columns = terms.shape
        self.start = np.flatnonzero(np.diff(self.area, prepend=-1))
        self.size = np.diff(self.start, append=self.rows).astype(np.float64)
        self.areas = self.size.size
        if self.rows <= self.columns + self.areas:
            raise ConfigurationError(
                "A model with area effects has too few rows for its areas and terms.", remedy="larger areas or fewer terms"
            )
        self.orthonormal, self.triangle = np.linalg.qr(self.terms)
        diagonal = np.abs(np.diag(self.triangle))
        if not (diagonal > _COLLINEAR * np.sqrt((self.terms**2).sum(axis=0))).all():
            raise ConfigurationError("Terms of a regression are collinear.", remedy="leave out what the others determine")
        ordered = given[self.order]
        self.is_weighted = weight is not None or replicate is not None
        self.weight = ordered * (self.size / self.sums(ordered))[self.area]
        self.counted = self.weight if replicate is None else self.weight * factor[self.order]
        self.mean_x = self.means(self.orthonormal)
        deviation = self.orthonormal - self.mean_x[self.area]
        self.within_xx = deviation.T @ deviation

    def sums(self, values: Floats) -> Floats:
        """By area."""
        return np.add.reduceat(values, self.start, axis=0)

    def means(self, values: Floats) -> Floats:
        """By area."""
        return self.sums(values) / (self.size if values.ndim == 1 else self.size[:, None])

    def prepared(self, response: Floats) -> _Response:
        """A response (in canonical order) as sums."""
        ordinary = self.orthonormal.T @ response
        residual = response - self.orthonormal @ ordinary
        mean = self.means(residual)
        deviation = residual - mean[self.area]
        return _Response(ordinary, residual, mean, self.orthonormal.T @ deviation, float(deviation @ deviation))

    def fit(
        self,
        response: Floats,
        *,
        huber: float | None = None,
        prior: CoefficientPrior | None = None,
        half_normal: float | None = None,
    ) -> NestedErrorFit:
        """Restricted maximum likelihood; coefficients and effects weighted where there are weights.

        Args:
            response: one number per row, in canonical order (`order`).
            huber: bound of a standardised residual; None for none.
            prior: of coefficients, its columns those of the terms, intercept included; None for none.
            half_normal: scale of the prior of the standard deviation between areas, positive; None for none.

        Returns:
            With weights, variances are those of the unweighted likelihood (consistent as long as the model holds in the
            sample), coefficients solve You & Rao's weighted equations, and the effect of an area is expected given its
            weighted mean. With `huber` (1.345 costs 5 % efficiency under normality) the likelihood's equations have bounded
            residuals: as its bound grows the estimates are those without. With `prior` coefficients are the mixed estimate given
            the variances, which the prior does not move, and effects those given these coefficients. With `half_normal` the
            variance between areas is its posterior mean, that within areas profiled out, and the deviance is the one there; of
            one area the likelihood says nothing. `convergence` is that of the largest likelihood. A response that is the same
            within areas but for rounding takes no such prior.

        Raises:
            ConfigurationError: a prior of a fit with bounded residuals, or of a term that there is not; a scale that is not
                positive; a response that does not vary within areas.

        Source: You & Rao (2002), A pseudo-empirical best linear unbiased prediction approach, Canadian Journal of Statistics
        30(3), 431-439; Guadarrama, Molina & Rao (2018), Small area estimation of general parameters under complex sampling
        designs, CSDA 121, 20-40; Richardson & Welsh (1995), Robust restricted maximum likelihood in mixed linear models,
        Biometrics 51(4), 1429-1439 (proposal 2); Sinha & Rao (2009), Robust small area estimation, Canadian Journal of
        Statistics 37(3), 381-399 (effects).
        """
        if huber is not None and not (prior is None and half_normal is None):
            raise ConfigurationError("A fit with bounded residuals takes no prior.", remedy="one of the two")
        if half_normal is not None:
            check_scale(half_normal)
        prepared = self.prepared(response)
        ratio, convergence = self._ratio(prepared)
        expected = None
        if half_normal is not None and prepared.within > _ROUNDING * float(response @ response):
            expected = self._expected_variances(prepared, ratio, scale=half_normal)
            ratio = expected[0] / expected[1]
        deviance, solved, quadratic = self._profile(prepared, ratio)
        within = quadratic / (self.rows - self.columns)
        area_variance, unit_variance = expected or (ratio * within, within)
        fit = NestedErrorFit(
            coefficients=solved + prepared.ordinary,
            area_variance=area_variance,
            unit_variance=unit_variance,
            effect_mean=np.zeros(self.areas),
            effect_variance=np.zeros(self.areas),
            deviance=deviance,
            convergence=convergence,
        )
        if huber is not None:
            fit = self._robust(response, fit, bound=huber)
        elif self.is_weighted:
            fit = replace(fit, coefficients=self._weighted(response, fit))
        if prior is not None:
            # In terms of the orthonormal columns: β = triangle⁻¹ c.
            rows = np.linalg.solve(self.triangle.T, prior.rows(self.columns).T).T
            moved = mixed_estimate(fit.coefficients, self._covariance(fit), rows=rows, prior=prior)
            fit = replace(fit, coefficients=moved)
        fit = self._with_effects(response, fit, bound=huber)
        return replace(fit, coefficients=np.linalg.solve(self.triangle, fit.coefficients))

    def deviance(self, response: Floats) -> float:
        """-2 restricted log likelihood at its maximum, without constants."""
        prepared = self.prepared(response)
        return self._profile(prepared, self._ratio(prepared)[0])[0]

    def _profile(self, prepared: _Response, ratio: float) -> tuple[float, Floats, float]:
        """Deviance, coefficients (beside the ordinary ones) and generalised sum of squares at λ."""
        between = self.size / (1.0 + self.size * ratio)
        matrix = self.within_xx + (self.mean_x * between[:, None]).T @ self.mean_x
        right = prepared.within_x + self.mean_x.T @ (between * prepared.mean)
        solved = np.linalg.solve(matrix, right)
        quadratic = prepared.within + float(between @ prepared.mean**2) - float(right @ solved)
        spread = float(np.log1p(self.size * ratio).sum()) + float(np.linalg.slogdet(matrix)[1])
        return spread + (self.rows - self.columns) * float(np.log(quadratic)), solved.astype(np.float64, copy=False), quadratic

    def _slope(self, prepared: _Response, share: float) -> float:
        """Derivative of the deviance with respect to λ at λ / (1 + λ) = share, times 1 + λ."""
        ratio = share / (1.0 - share)
        between = self.size / (1.0 + self.size * ratio)
        matrix = self.within_xx + (self.mean_x * between[:, None]).T @ self.mean_x
        _, solved, quadratic = self._profile(prepared, ratio)
        lost = np.einsum("ij,ij->i", self.mean_x, np.linalg.solve(matrix, self.mean_x.T).T)
        residual = prepared.mean - self.mean_x @ solved
        fitted = (self.rows - self.columns) * float(between**2 @ residual**2) / quadratic
        return float((between.sum() - between**2 @ lost - fitted) * (1.0 + ratio))

    def _ratio(self, prepared: _Response) -> tuple[float, Convergence]:
        """λ of the largest restricted likelihood. At 0 it may rest on the bound; it is converged there too."""
        if not prepared.within > _COLLINEAR**2 * float(prepared.residual @ prepared.residual):
            raise ConfigurationError("A response does not vary within areas.", remedy="check the response")
        if self.areas == 1:  # nothing tells its effect from the intercept, and the likelihood is flat
            return 0.0, Convergence(True, 0, 0.0)
        curve = [self._profile(prepared, share / (1.0 - share))[0] for share in _GRID]
        best = int(np.argmin(curve))
        slope = self._slope(prepared, _GRID[best])
        if best == 0 and slope >= 0.0:
            return 0.0, Convergence(True, len(curve), 0.0)
        neighbour = best - 1 if slope > 0.0 else best + 1
        if not 0 <= neighbour < _GRID.size or self._slope(prepared, _GRID[neighbour]) * slope > 0.0:
            return float(_GRID[best] / (1.0 - _GRID[best])), Convergence(False, len(curve), abs(slope))
        low, high = sorted((float(_GRID[best]), float(_GRID[neighbour])))
        share, report = brentq(
            lambda value: self._slope(prepared, value), low, high, xtol=_TOLERANCE, rtol=1e-14, full_output=True, disp=False
        )
        left = abs(self._slope(prepared, share))
        return share / (1.0 - share), Convergence(bool(report.converged), len(curve) + int(report.function_calls), left)

    def _expected_variances(self, prepared: _Response, likeliest: float, *, scale: float) -> tuple[float, float]:
        """Posterior mean of the variance between areas, with a half-normal prior of its root, and the likeliest one within."""
        degrees = self.rows - self.columns
        lowest, at_likeliest, highest = (self._profile(prepared, ratio)[2] / degrees for ratio in (_ALL, likeliest, 0.0))

        def lost(log_within: float, between: float) -> float:
            within = float(np.exp(log_within))
            deviance, _, quadratic = self._profile(prepared, between**2 / within)
            return float(deviance + degrees * (log_within - np.log(quadratic)) + quadratic / within)

        def best(between: float) -> OptimizeResult:
            bounds = np.log(lowest) - 1.0, np.log(highest) + 1e-6
            return minimize_scalar(lost, args=(between,), bounds=bounds, method="bounded", options={"xatol": 1e-4})

        deviation = float(np.sqrt(likeliest * at_likeliest))
        variance = expected_variance(lambda between: -0.5 * float(best(between).fun), scale=scale, likeliest=deviation)
        return variance, float(np.exp(best(np.sqrt(variance)).x))

    def _weighted(self, response: Floats, fit: NestedErrorFit) -> Floats:
        """You & Rao's coefficients, of the orthonormal columns, rows of a replicate by their factors."""
        left = (self._shrunk(fit) * self.counted[:, None]).T
        return np.linalg.solve(left @ self.orthonormal, left @ response)

    def _shrunk(self, fit: NestedErrorFit) -> Floats:
        """Orthonormal columns less what the effect of their area takes of them."""
        mean = self.sums(self.orthonormal * self.weight[:, None]) / self.sums(self.weight)[:, None]
        return self.orthonormal - (self._shrinkage(fit)[:, None] * mean)[self.area]

    def _covariance(self, fit: NestedErrorFit) -> Floats:
        """Of the coefficients of the orthonormal columns, by the model's variances: You & Rao (2002), with equal weights the
        inverse of X'V⁻¹X. Of the sample, not of a replicate: a replicate moves the estimate as the sample's chance does."""
        counted = self._shrunk(fit) * self.weight[:, None]
        inverse = np.linalg.inv(counted.T @ self.orthonormal)
        of_area = self.sums(counted)
        spread = fit.unit_variance * (counted.T @ counted) + fit.area_variance * (of_area.T @ of_area)
        covariance: Floats = inverse @ spread @ inverse.T
        return covariance

    @cached_property
    def _inverse_size(self) -> Floats:
        """Σ w² / (Σ w)² by area: what 1 / n is with equal weights."""
        return self.sums(self.weight**2) / self.sums(self.weight) ** 2

    def _shrinkage(self, fit: NestedErrorFit) -> Floats:
        return fit.area_variance / (fit.area_variance + fit.unit_variance * self._inverse_size)

    def _with_effects(self, response: Floats, fit: NestedErrorFit, *, bound: float | None) -> NestedErrorFit:
        """Effects of the areas given coefficients of the orthonormal columns; robust ones by reweighting."""
        residual = response - self.orthonormal @ fit.coefficients
        shrinkage = self._shrinkage(fit)
        mean = shrinkage * self.sums(self.weight * residual) / self.sums(self.weight)
        if bound is not None and fit.area_variance > 0.0:
            prior = fit.unit_variance / fit.area_variance * self._inverse_size * self.sums(self.weight)
            for _ in range(_MAX_ROUNDS):
                kept = self.weight * _bounded((residual - mean[self.area]) / np.sqrt(fit.unit_variance), bound)
                held = prior * _bounded(mean / np.sqrt(fit.area_variance), bound)
                before, mean = mean, self.sums(kept * residual) / (self.sums(kept) + held)
                if np.abs(mean - before).max() <= _ROBUST_TOLERANCE * np.sqrt(fit.area_variance):
                    break
            else:
                fit = replace(fit, convergence=replace(fit.convergence, reached=False))
        return replace(fit, effect_mean=mean, effect_variance=fit.area_variance * (1.0 - shrinkage))

    def _robust(self, response: Floats, fit: NestedErrorFit, *, bound: float) -> NestedErrorFit:
        """Fixed point of the bounded equations: coefficients by reweighting, then variances."""
        square = huber_consistency(bound)
        rounds, change = 0, np.inf
        while rounds < _MAX_ROUNDS and change > _ROBUST_TOLERANCE:
            before, rounds = fit, rounds + 1
            scale = np.sqrt(fit.area_variance + fit.unit_variance)
            standard = (response - self.orthonormal @ fit.coefficients) / scale
            kept = _bounded(standard, bound)
            coefficients = self._reweighted(response, fit, kept)
            standard = (response - self.orthonormal @ coefficients) / scale
            area, unit = self._variances(scale * np.clip(standard, -bound, bound), fit, square=square)
            fit = replace(fit, coefficients=coefficients, area_variance=area, unit_variance=unit)
            moved = np.abs(coefficients - before.coefficients).max() / scale / np.sqrt(self.rows)
            change = max(float(moved), abs(area - before.area_variance) / scale**2, abs(unit - before.unit_variance) / scale**2)
        return replace(fit, convergence=Convergence(bool(change <= _ROBUST_TOLERANCE), rounds, float(change)))

    def _reweighted(self, response: Floats, fit: NestedErrorFit, kept: Floats) -> Floats:
        """One step towards X'V⁻¹ψ = 0: regression on the rows' bounded residuals."""
        left = self._shrunk(fit).T * (self.counted * kept)
        return np.linalg.solve(left @ self.orthonormal, left @ response)

    def _variances(self, bounded: Floats, fit: NestedErrorFit, *, square: float) -> tuple[float, float]:
        """One scoring step on both variances: what bounded residuals show against what the model expects."""
        ratio = fit.area_variance / fit.unit_variance
        mean = self.means(bounded)
        deviation = bounded - mean[self.area]
        shrunk = 1.0 / (1.0 + self.size * ratio)
        seen = np.array([self.size**2 * shrunk**2 @ mean**2, deviation @ deviation + self.size * shrunk**2 @ mean**2])
        inverse = np.linalg.inv(self.within_xx + (self.mean_x * (self.size * shrunk)[:, None]).T @ self.mean_x)
        lost = np.einsum("ij,jk,ik->i", self.mean_x, inverse, self.mean_x)
        expected = np.array(
            [
                (self.size * shrunk).sum() - (self.size * shrunk) ** 2 @ lost,
                (self.size - 1.0 + shrunk).sum() - np.vdot(inverse, self.within_xx) - self.size * shrunk**2 @ lost,
            ]
        )
        information = np.array(
            [
                [(self.size * shrunk) ** 2 @ np.ones(self.areas), self.size * shrunk**2 @ np.ones(self.areas)],
                [self.size * shrunk**2 @ np.ones(self.areas), (self.size - 1.0 + shrunk**2).sum()],
            ]
        )
        step = np.linalg.solve(information, seen / square - expected * fit.unit_variance)
        lowest = 0.1 * fit.unit_variance
        return max(0.0, fit.area_variance + float(step[0])), max(lowest, fit.unit_variance + float(step[1]))


def huber_consistency(bound: float) -> float:
    """E ψ(z)² of a standard normal z, ψ bounded at `bound`.

    >>> round(huber_consistency(1.345), 4)
    0.7102
    """
    density = np.exp(-0.5 * bound**2) / np.sqrt(2.0 * np.pi)
    tail = float(ndtr(-bound))
    return float(1.0 - 2.0 * tail - 2.0 * bound * density + 2.0 * bound**2 * tail)


def _bounded(standard: Floats, bound: float) -> Floats:
    """ψ(z) / z of Huber's function."""
    return np.minimum(1.0, bound / np.maximum(np.abs(standard), 1e-300))
