"""The Fay-Herriot model: direct estimates of areas with known sampling variances, improved by a regression."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from living_finance.errors import ConfigurationError
from living_finance.income.area_indicators import as_labels
from living_finance.income.term_names import check_terms, note_terms
from living_finance.methods.convergence import Convergence
from living_finance.methods.grouped import Floats

_GRID = np.concatenate(([0.0], np.geomspace(1e-4, 0.5, 12), 1.0 - np.geomspace(0.4, 1e-6, 14)))


class FayHerriot(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """θ_i = x_i'β + v_i, estimated directly as θ_i + e_i with e_i of known variance ψ_i.

    The variance of v by restricted maximum likelihood (root of its derivative, bracketed on a grid), the empirical best linear
    unbiased predictor, and its mean squared error to second order: g1 + g2 + 2 g3.

    Learned: `intercept_`, `coef_`, `coefficient_covariance_` (intercept first), `area_variance_`, `convergence_`,
    `n_features_in_`, `feature_names_in_` (of a DataFrame).

    Source: Fay & Herriot (1979), JASA 74(366), 269-277; Datta & Lahiri (2000), A unified measure of uncertainty of estimated best
    linear unbiased predictors in small area estimation problems, Statistica Sinica 10(2), 613-627; Rao & Molina (2015),
    Small Area Estimation, 2nd ed., sections 6.1 and 6.2.
    """

    def fit(
        self,
        X: npt.ArrayLike,  # noqa: N803
        y: npt.ArrayLike,
        *,
        variances: npt.ArrayLike,
        areas: Iterable[object],
    ) -> FayHerriot:
        """Fit to direct estimates.

        Args:
            X: areas x terms, without intercept (as many columns as there are, none allowed).
            y: direct estimate of each area.
            variances: sampling variance of each, positive, taken as known.
            areas: label of each, unique.

        Returns:
            Itself.

        Raises:
            ConfigurationError: missing values, variances that are not positive, collinear terms, areas twice or too few.
        """
        labels = as_labels(areas)
        # Areas in the order of their labels: sums do not depend on how rows arrive.
        order = np.argsort(labels)
        terms = _with_intercept(X)[order]
        direct, variance = np.asarray(y, dtype=np.float64)[order], np.asarray(variances, dtype=np.float64)[order]
        if not (np.isfinite(terms).all() and np.isfinite(direct).all() and (variance > 0.0).all()):
            raise ConfigurationError("A direct estimate, term or variance is missing.", remedy="leave these areas out")
        if np.unique(labels).size < labels.size or labels.size <= terms.shape[1]:
            raise ConfigurationError("An area occurs twice, or areas are too few for the terms.", remedy="one row per area")
        if np.linalg.matrix_rank(terms) < terms.shape[1]:
            raise ConfigurationError("Terms of a regression are collinear.", remedy="leave out what the others determine")
        self.area_variance_, self.convergence_ = _restricted_variance(terms, direct, variance)
        self.coefficient_covariance_, solved = _generalised(terms, direct, self.area_variance_ + variance)
        self.intercept_, self.coef_ = float(solved[0]), solved[1:]
        note_terms(self, X, number=terms.shape[1] - 1)
        self._variance_of_variance = 2.0 / float(((self.area_variance_ + variance) ** -2.0).sum())
        self._direct = {str(label): (float(d), float(v)) for label, d, v in zip(labels[order], direct, variance, strict=True)}
        return self

    def predict(self, X: npt.ArrayLike, *, areas: Iterable[object]) -> pd.DataFrame:  # noqa: N803
        """Best predictors and their errors.

        Args:
            X: areas x terms.
            areas: label of each; one that was not fitted gets the synthetic prediction.

        Returns:
            One row per area, in the order given: area, estimate, mse, weight_of_direct (0: synthetic).

        Raises:
            ConfigurationError: terms that are missing, or are not those of the fit in their order.
        """
        check_is_fitted(self)
        terms = _with_intercept(X)
        check_terms(self, X, number=terms.shape[1] - 1)
        if not np.isfinite(terms).all():
            raise ConfigurationError("A term is missing.", remedy="leave these areas out")
        labels = as_labels(areas)
        direct, variance = np.array([self._direct.get(str(label), (0.0, np.inf)) for label in labels]).reshape(-1, 2).T
        synthetic = terms @ np.append(self.intercept_, self.coef_)
        shrinkage = self.area_variance_ / (self.area_variance_ + variance)
        is_direct = np.isfinite(variance)
        first = np.where(is_direct, shrinkage * np.where(is_direct, variance, 0.0), self.area_variance_)
        second = (1.0 - shrinkage) ** 2 * np.einsum("ij,jk,ik->i", terms, self.coefficient_covariance_, terms)
        # ψ² / (ψ + σ²)³ = (1 - γ)² / (ψ + σ²), and 0 without a direct estimate.
        third = (1.0 - shrinkage) ** 2 / (variance + self.area_variance_) * self._variance_of_variance
        return pd.DataFrame(
            {
                "area": labels.astype(object),
                "estimate": synthetic + shrinkage * (direct - synthetic),
                "mse": first + second + 2.0 * third,
                "weight_of_direct": shrinkage,
            }
        )


def _with_intercept(terms: npt.ArrayLike) -> Floats:
    matrix = np.asarray(terms, dtype=np.float64)
    return np.column_stack([np.ones(matrix.shape[0]), matrix])


def _generalised(terms: Floats, direct: Floats, total: Floats) -> tuple[Floats, Floats]:
    """Covariance of the coefficients and the coefficients."""
    covariance: Floats = np.linalg.inv((terms / total[:, None]).T @ terms).astype(np.float64, copy=False)
    return covariance, covariance @ (terms.T @ (direct / total))


def _deviance(terms: Floats, direct: Floats, total: Floats) -> float:
    covariance, solved = _generalised(terms, direct, total)
    residual = direct - terms @ solved
    return float(np.log(total).sum() - np.linalg.slogdet(covariance)[1] + (residual**2 / total).sum())


def _slope(terms: Floats, direct: Floats, total: Floats) -> float:
    """Derivative of the deviance with respect to the area variance, times the mean total variance."""
    covariance, solved = _generalised(terms, direct, total)
    residual = (direct - terms @ solved) / total
    lost = np.einsum("ij,jk,ik->i", terms, covariance, terms) / total**2
    return float((1.0 / total).sum() - lost.sum() - (residual**2).sum()) * float(total.mean())


def _restricted_variance(terms: Floats, direct: Floats, variance: Floats) -> tuple[float, Convergence]:
    scale = float(np.median(variance))

    def total(share: float) -> Floats:
        return variance + scale * share / (1.0 - share)

    curve = [_deviance(terms, direct, total(share)) for share in _GRID]
    best = int(np.argmin(curve))
    slope = _slope(terms, direct, total(_GRID[best]))
    if best == 0 and slope >= 0.0:
        return 0.0, Convergence(True, len(curve), 0.0)
    neighbour = best - 1 if slope > 0.0 else best + 1
    if not 0 <= neighbour < _GRID.size or _slope(terms, direct, total(_GRID[neighbour])) * slope > 0.0:
        return float(scale * _GRID[best] / (1.0 - _GRID[best])), Convergence(False, len(curve), abs(slope))
    low, high = sorted((float(_GRID[best]), float(_GRID[neighbour])))
    share, report = brentq(
        lambda value: _slope(terms, direct, total(value)), low, high, xtol=1e-14, rtol=1e-14, full_output=True, disp=False
    )
    left = abs(_slope(terms, direct, total(share)))
    return scale * share / (1.0 - share), Convergence(bool(report.converged), len(curve) + int(report.function_calls), left)
