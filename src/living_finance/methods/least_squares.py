"""Weighted least squares with robust standard errors."""

from __future__ import annotations

import numpy as np

from living_finance.methods.grouped import Floats


def with_one(terms: Floats) -> Floats:
    """The terms after a column of ones."""
    return np.column_stack([np.ones(len(terms)), terms])


def least_squares(terms: Floats, value: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Coefficients, of least length where several fit alike, and their robust standard errors.

    Source: White (1980), Econometrica 48(4), 817-838.
    """
    inverse = np.linalg.pinv(terms.T @ (terms * weight[:, None]))
    solved = inverse @ (terms.T @ (weight * value))
    scores = terms * (weight * (value - terms @ solved))[:, None]
    error = np.sqrt(np.maximum(np.diag(inverse @ (scores.T @ scores) @ inverse), 0.0))
    return solved, error
