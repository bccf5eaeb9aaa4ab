"""Area estimates moved so that they add up to published totals, each total trusted by its standard error.

Source: Bell, Datta & Ghosh (2013), Benchmarking small area estimators, Biometrika 100(1), 189-202; for totals with errors the
same quadratic with the totals as further observations (Rao & Molina 2015, section 6.4.6).
"""

from __future__ import annotations

import numpy as np

from living_finance.errors import ConfigurationError
from living_finance.methods.grouped import Floats


def ratio_benchmarked(estimate: Floats, *, share: Floats, target: float) -> Floats:
    """All estimates times one ratio, so that Σ share x estimate is the target.

    Args:
        estimate: of each area.
        share: of each area in the total (population shares for a mean, 1 for a total).
        target: what they add up to.

    Returns:
        One number per area.

    Raises:
        ConfigurationError: estimates add up to nothing, or to the other sign.

    >>> ratio_benchmarked(np.array([1.0, 3.0]), share=np.array([0.5, 0.5]), target=4.0).tolist()
    [2.0, 6.0]
    """
    total = float(np.sum(share * estimate))
    if not total * target > 0.0:
        raise ConfigurationError("A ratio cannot bring these estimates to their total.", remedy="the additive form")
    return estimate * (target / total)


def benchmarked(estimate: Floats, *, share: Floats, target: Floats, mse: Floats, target_error: Floats | None = None) -> Floats:
    """Estimates nearest to the given ones, in units of their errors, that meet several totals.

    Minimises Σ (new - estimate)² / mse under share' new = target; with errors of the targets, plus (share' new - target)² /
    error²: a total of large error is met in part. Areas that are uncertain move most.

    Args:
        estimate: of each area.
        share: areas x totals (one column for one total).
        target: of each total.
        mse: mean squared error of each area, positive.
        target_error: standard error of each total; 0 or None: met exactly.

    Returns:
        One number per area. Totals of which one determines another (a city and all its districts) need an error each.

    Raises:
        ConfigurationError: errors that are not positive, totals that determine one another.
    """
    shares = np.asarray(share, dtype=np.float64).reshape(estimate.size, -1)
    if not (mse > 0.0).all():
        raise ConfigurationError("An area's error is not positive.", remedy="leave areas without error out")
    error = np.zeros(shares.shape[1]) if target_error is None else np.asarray(target_error, dtype=np.float64)
    weighted = shares * mse[:, None]
    matrix = shares.T @ weighted + np.diag(error**2)
    if np.linalg.matrix_rank(matrix) < matrix.shape[0]:
        raise ConfigurationError("Totals determine one another.", remedy="leave one out or give each its error")
    gap = np.asarray(target, dtype=np.float64) - shares.T @ estimate
    moved: Floats = estimate + weighted @ np.linalg.solve(matrix, gap)
    return moved
