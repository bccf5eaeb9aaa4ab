"""A half-normal prior of the standard deviation between areas: the posterior mean of the variance.

With few rows an area the likelihood hardly knows the variance between areas: its maximum is often 0 and as often several
times too large. A prior that says what is large keeps it off both.

Source: Gelman (2006), Prior distributions for variance parameters in hierarchical models, Bayesian Analysis 1(3), 515-534;
Chung, Rabe-Hesketh, Dorie, Gelman & Liu (2013), A nondegenerate penalized likelihood estimator for variance parameters in
multilevel models, Psychometrika 78(4), 685-709 (why the maximum is 0).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.integrate import trapezoid
from scipy.optimize import minimize_scalar

from living_finance.errors import ConfigurationError

_POINTS = 25
_DROP = 10.0
"""Log density below the mode at which a posterior ends."""


def check_scale(scale: float) -> None:
    """Refuse a scale of a half-normal prior that is not positive or not finite, with ConfigurationError."""
    if not (scale > 0.0 and math.isfinite(scale)):
        raise ConfigurationError("The scale of a half-normal prior is not a positive number.", remedy="a positive one, or None")


def expected_variance(log_likelihood: Callable[[float], float], *, scale: float, likeliest: float) -> float:
    """Posterior mean of a variance, by the trapezoidal rule from where the posterior begins to where it ends.

    Args:
        log_likelihood: of a standard deviation, but for a constant; other parameters profiled out.
        scale: of the half-normal prior of the standard deviation.
        likeliest: standard deviation of the largest likelihood: the prior falls, so that the mode lies at or below it.

    Raises:
        ConfigurationError: a scale that is not positive or not finite.

    A likelihood that says nothing leaves the prior, whose mean variance is its scale's square:

    >>> round(expected_variance(lambda deviation: 0.0, scale=0.1, likeliest=0.0), 4)
    0.01
    """
    check_scale(scale)

    @cache
    def log_density(deviation: float) -> float:
        return log_likelihood(deviation) - 0.5 * (deviation / scale) ** 2

    mode = 0.0
    if likeliest > 0.0:
        near = {"xatol": 0.02 * min(scale, likeliest)}
        mode = float(minimize_scalar(lambda x: -log_density(float(x)), bounds=(0.0, likeliest), method="bounded", options=near).x)
    least = log_density(mode) - _DROP
    above = below = scale
    while log_density(mode + above) > least:
        above *= 2.0
    while log_density(mode + above / 2.0) < least:
        above /= 2.0
    while below < mode and log_density(mode - below) > least:
        below *= 2.0
    while below / 2.0 < mode and log_density(mode - below / 2.0) < least:
        below /= 2.0
    grid = np.linspace(max(mode - below, 0.0), mode + above, _POINTS)
    density = np.exp(np.array([log_density(float(each)) for each in grid]) - log_density(mode))
    return float(trapezoid(density * grid**2, grid) / trapezoid(density, grid))
