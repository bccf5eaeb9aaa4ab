"""How much better off the surveyed households with business income are than the city's, as spending, size, place and age tell.

A survey of a thousand households has some two hundred with business income, and by chance, and by who answers, these are better
or worse off than others. The bureau knows no true income of anybody, but what all such households spend and how many live in
them; so the mean of the survey's log business income is moved by a regression estimate to households that spend and live
as the city's do. What the two files call spending, and whom they know, differs: spending and size are taken relative to
households of the same file with labour and no business income, of whom the survey has three times as many. What both files
know alike (where they live, how old the head is) is compared as it is.

Source: Särndal, Swensson & Wretman (1992), Model Assisted Survey Sampling, section 6.4 (regression estimator).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.least_squares import least_squares, with_one

_ROWS_PER_TERM = 10
"""Households of each kind that a term needs in either file."""
_LEAST_TERMS = 2
"""Spending and size; with fewer households than they need nothing is moved."""
_LEAST_KNOWN = 0.5
"""Share of the surveyed households with business income whose spending must be known; below nothing is moved."""
_BEYOND_CHANCE = 4.0
"""Standard errors of the survey's contrasts from which files speak of different things."""
_ROUNDING = 1e-9
"""A move that rounding brings about."""


@dataclass(frozen=True)
class Spenders:
    """Households of one file; arrays of one length."""

    terms: Floats
    """Log spending (0 where it is not known), log size; what both files know alike of those with business income, 0 of others."""
    has_business: npt.NDArray[np.bool_]
    traders: npt.NDArray[np.bool_]
    """With business income, known spending and a weight that counts."""
    others: npt.NDArray[np.bool_]
    """The same, with labour and no business income."""
    weight: Floats

    @classmethod
    def of(
        cls, *, labour: Floats, business: Floats, spending: Floats, size: Integers, weight: Floats, alike: Floats | None = None
    ) -> Spenders:
        """Tell the kinds apart.

        Args:
            labour: income or score of each household, NaN where it is not known; only whether it is above 0 counts.
            business: the same; a household with a loss, or whose business income is not known, is of neither kind.
            spending: KRW/month in the file's own sense, NaN or 0 where it is not known.
            size: persons.
            weight: of each household.
            alike: households x terms that both files know alike, those that matter most first; None for none.
        """
        is_known = np.isfinite(spending) & (spending > 0.0) & (weight > 0.0)
        trades = business > 0.0
        known_alike = np.zeros((size.size, 0)) if alike is None else alike * trades[:, None]
        terms = np.column_stack([np.log(np.where(is_known, spending, 1.0)), np.log(np.maximum(size, 1)), known_alike])
        return cls(terms, trades, trades & is_known, (labour > 0.0) & (business == 0.0) & is_known, weight)


@dataclass(frozen=True)
class Move:
    """What the mean of the survey's log business income is moved by."""

    by: float = 0.0
    error: float = np.inf
    """Standard error that chance of the survey gives it."""

    @property
    def is_plausible(self) -> bool:
        """Whether chance and who answers may have brought it about."""
        return bool(abs(self.by) <= _BEYOND_CHANCE * self.error + _ROUNDING)


NO_MOVE = Move()


def business_move(survey: Spenders, city: Spenders, business: Floats) -> Move:
    """The regression estimate's move of the mean log business income of all surveyed households that have any.

    Those whose spending is not known stay where they are. Of a few households the last terms leave.

    Args:
        survey: surveyed households.
        city: those of the city, or a sample of them.
        business: of the surveyed households, KRW/year.

    Returns:
        `NO_MOVE` where either file knows too few.
    """
    fewest = min(int(rows.sum()) for file in (survey, city) for rows in (file.traders, file.others))
    usable = min(fewest // _ROWS_PER_TERM - 1, survey.terms.shape[1])
    if usable < _LEAST_TERMS:
        return NO_MOVE
    known = float(survey.weight[survey.traders].sum() / survey.weight[survey.has_business].sum())
    if known < _LEAST_KNOWN:
        return NO_MOVE
    # About their mean: what does not vary has no slope.
    middle = np.average(survey.terms[survey.traders], axis=0, weights=survey.weight[survey.traders])
    terms = (survey.terms[survey.traders] - middle)[:, :usable]
    solved, _ = least_squares(with_one(terms), np.log(business[survey.traders]), survey.weight[survey.traders])
    slope = solved[1:]
    contrast, error = _contrast(survey, slope)
    return Move(known * (_contrast(city, slope)[0] - contrast), known * error)


def _contrast(file: Spenders, slope: Floats) -> tuple[float, float]:
    """What terms say of traders less what they say of others, and its standard error were the file a sample."""
    explained = file.terms[:, : slope.size] @ slope
    mean, variance = [], 0.0
    for rows in (file.traders, file.others):
        share = file.weight[rows] / file.weight[rows].sum()
        mean.append(float(share @ explained[rows]))
        variance += float(share**2 @ (explained[rows] - mean[-1]) ** 2)
    return mean[0] - mean[1], float(np.sqrt(variance))
