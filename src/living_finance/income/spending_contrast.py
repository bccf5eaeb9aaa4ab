"""How much better off the surveyed households with business income are than the city's, as their spending and size tell.

A survey of a thousand households has some two hundred with business income, and by chance, and by who answers, these are better
or worse off than others. The bureau knows no true income of anybody, but what all such households spend and how many live in
them; so the mean of the survey's log business income is moved by a regression estimate to households that spend and live
as the city's do. What the two files call spending, and whom they know, differs: spending and size are taken relative to
households of the same file that have labour income alone, of whom the survey has three times as many.

Source: Särndal, Swensson & Wretman (1992), Model Assisted Survey Sampling, section 6.4 (regression estimator).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.least_squares import least_squares, with_one

_ROWS_PER_TERM = 10
"""Surveyed households of each kind that a term needs; with fewer nothing is moved."""
_BEYOND_CHANCE = 4.0
"""Standard errors of the survey's contrasts from which files speak of different things: nothing is moved."""


@dataclass(frozen=True)
class Spenders:
    """Households of one file; arrays of one length."""

    has_labour: npt.NDArray[np.bool_]
    has_business: npt.NDArray[np.bool_]
    spending: Floats
    """KRW/month in the file's own sense; NaN or 0 where it is not known."""
    size: Integers
    weight: Floats

    @property
    def terms(self) -> Floats:
        """Log spending and log size of the households; 0 where spending is not known."""
        spent = np.where(self.is_known, self.spending, 1.0)
        return np.column_stack([np.log(spent), np.log(np.maximum(self.size, 1))])

    @property
    def is_known(self) -> npt.NDArray[np.bool_]:
        """Whose spending is known and whose weight counts."""
        return np.isfinite(self.spending) & (self.spending > 0.0) & (self.weight > 0.0)

    @property
    def traders(self) -> npt.NDArray[np.bool_]:
        """Households with business income."""
        return self.has_business & self.is_known

    @property
    def others(self) -> npt.NDArray[np.bool_]:
        """Households with labour income alone."""
        return self.has_labour & ~self.has_business & self.is_known


@dataclass(frozen=True)
class Move:
    """What the mean of the survey's log business income is moved by."""

    by: float = 0.0
    error: float = np.inf
    """Standard error that chance of the survey gives it."""

    @property
    def is_plausible(self) -> bool:
        """Whether chance and who answers may have brought it about."""
        return bool(abs(self.by) <= _BEYOND_CHANCE * self.error)


NO_MOVE = Move()


def business_move(survey: Spenders, city: Spenders, business: Floats) -> Move:
    """The regression estimate's move of the mean log business income.

    Args:
        survey: surveyed households.
        city: those of the city, or a sample of them.
        business: of the surveyed households, KRW/year.

    Returns:
        `NO_MOVE` where either file has too few.
    """
    terms = survey.terms
    least = _ROWS_PER_TERM * (1 + terms.shape[1])
    if min(int(rows.sum()) for file in (survey, city) for rows in (file.traders, file.others)) < least:
        return NO_MOVE
    traders, others = survey.traders, survey.others
    solved, _ = least_squares(with_one(terms[traders]), np.log(business[traders]), survey.weight[traders])
    explained = terms @ solved[1:]
    of_city = city.terms @ solved[1:]
    contrast = _mean(of_city, city.weight, city.traders) - _mean(of_city, city.weight, city.others)
    surveyed, error = 0.0, 0.0
    for rows, sign in ((traders, 1.0), (others, -1.0)):
        mean = _mean(explained, survey.weight, rows)
        share = survey.weight[rows] / survey.weight[rows].sum()
        surveyed += sign * mean
        error += float(share**2 @ (explained[rows] - mean) ** 2)
    return Move(contrast - surveyed, float(np.sqrt(error)))


def _mean(value: Floats, weight: Floats, rows: npt.NDArray[np.bool_]) -> float:
    return float(np.average(value[rows], weights=weight[rows]))
