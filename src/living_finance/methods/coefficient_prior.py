"""What is known of a regression's coefficients before it is fitted: mixed estimation.

A normal prior of a coefficient is one more row of data: its terms are 1 for that coefficient and 0 for the others, its
response is the prior's mean, its error has the prior's variance. Joined to an estimate by the estimate's covariance it moves
the other coefficients too, as far as they go with it. With normal errors of known variance the result is the posterior mean.

Source: Theil & Goldberger (1961), On pure and mixed statistical estimation in economics, International Economic Review 2(1),
65-78; Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., section 14.8 (priors as additional data).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from living_finance.errors import ConfigurationError
from living_finance.methods.grouped import Floats


@dataclass(frozen=True)
class CoefficientPrior:
    """Independent normal priors of some coefficients of a regression; the others have none.

    Raises:
        ConfigurationError: tuples that differ in length, a column named twice, a deviation that is not a number above 0.
    """

    column: tuple[int, ...]
    """Of the terms, from 0."""
    mean: tuple[float, ...]
    """In units of the (transformed) response per unit of the term; of a logistic regression, of the logit."""
    deviation: tuple[float, ...]
    """Standard deviation, in the same units."""

    def __post_init__(self) -> None:
        deviation = np.asarray(self.deviation, dtype=np.float64)
        is_proper = bool(np.isfinite([*self.mean, *self.deviation]).all() and (deviation > 0.0).all())
        has_one_length = len(self.column) == len(self.mean) == len(self.deviation)
        if not (is_proper and has_one_length and len(set(self.column)) == len(self.column) and min(self.column, default=0) >= 0):
            raise ConfigurationError(
                "Priors of coefficients are not proper.", remedy="one column, mean and standard deviation above 0 for each"
            )

    def after_intercept(self) -> CoefficientPrior:
        """The same priors where an intercept has come before the terms."""
        return CoefficientPrior(tuple(column + 1 for column in self.column), self.mean, self.deviation)

    def rows(self, columns: int) -> Floats:
        """Terms of the additional rows: priors x coefficients.

        Raises:
            ConfigurationError: a column that the regression does not have.
        """
        if max(self.column, default=-1) >= columns:
            raise ConfigurationError("A prior is of a term that the regression does not have.", remedy="columns of the terms")
        return np.eye(columns)[list(self.column)]


def mixed_estimate(coefficients: Floats, covariance: Floats, *, rows: Floats, prior: CoefficientPrior) -> Floats:
    """Coefficients given their estimate and priors: b + V R' (R V R' + D)^-1 (m - R b).

    Args:
        coefficients: estimated without the priors, b.
        covariance: of the estimate, V: coefficients x coefficients.
        rows: R, priors x coefficients: `prior.rows`, or these in terms of other coefficients.
        prior: means m and standard deviations, whose squares are D's diagonal.

    Returns:
        One number per coefficient.

    >>> half = CoefficientPrior(column=(1,), mean=(1.0,), deviation=(0.5,))
    >>> mixed_estimate(np.zeros(2), np.diag([4.0, 0.25]), rows=half.rows(2), prior=half).tolist()
    [0.0, 0.5]
    """
    spread = covariance @ rows.T
    among = rows @ spread + np.diag(np.square(prior.deviation))
    moved: Floats = coefficients + spread @ np.linalg.solve(among, np.asarray(prior.mean) - rows @ coefficients)
    return moved
