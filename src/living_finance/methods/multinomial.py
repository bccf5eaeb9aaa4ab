"""Multinomial logistic regression with a small penalty, one row of coefficients per class.

Source: Agresti (2013), Categorical Data Analysis, 3rd edition, ch. 8.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from living_finance.methods.grouped import Floats


def fit_multinomial(
    terms: Floats, label: npt.NDArray[Any], *, weight: Floats | None = None, inverse_penalty: float = 1.0, rounds: int
) -> tuple[npt.NDArray[Any], Floats, Floats]:
    """P(class) in proportion to exp(intercept + coefficients'terms), on the driver.

    Args:
        terms: rows x terms.
        label: class of each row; two at least occur.
        weight: of each row; None for equal ones.
        inverse_penalty: variance of the normal prior of a coefficient.
        rounds: at most; a limit reached is a slightly weaker model, not a wrong one.

    Returns:
        Classes in order, coefficients (classes x terms), intercepts.
    """
    # Seconds to import, and only the driver fits: every Python worker imports this module.
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(), threadpool_limits(1):  # small matrices: threads only wait for one another
        warnings.simplefilter("ignore")
        found = LogisticRegression(C=inverse_penalty, max_iter=rounds).fit(terms, label, sample_weight=weight)
    coefficients, intercepts = found.coef_, found.intercept_
    if len(found.classes_) == 2:  # of the second class less the first
        coefficients, intercepts = (np.concatenate([-values, values]) / 2 for values in (coefficients, intercepts))
    return found.classes_, coefficients, intercepts
