"""Property, transfer and irregular income: two-part small-area models fitted to the survey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from living_finance.errors import ConfigurationError
from living_finance.income.empirical_best import EmpiricalBestPredictor
from living_finance.income.small_area_model import AreaRegression, SmallAreaModel
from living_finance.methods.coefficient_prior import CoefficientPrior
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import Bits

MODELLED = ("property", "transfer", "irregular")
"""Components that the bureau does not see, in the order in which they are fitted and drawn."""
_TERMS: Mapping[str, tuple[str, ...]] = {
    "property": ("age_60", "age_40", "log_size", "owned", "apartment", "no_earnings", "log_earnings", "place"),
    "transfer": (
        *("under_30", "age_60", "age_70", "one_person", "log_size", "families", "owned", "no_earnings", "log_earnings"),
        "place",
    ),
    "irregular": ("age_60", "log_size", "log_earnings"),
}
_ROWS_PER_TERM = 6
"""Surveyed households with an amount that a term needs; with fewer the last terms leave."""
_AREA_ROWS = 8
"""Surveyed households that the effect of a dong needs to be kept: with fewer it hardly differs from 0, and tells of them."""
_LEAST_ROWS = 8
"""With an amount, to model anything at all."""
PLACE_DEVIATION = 0.5
"""Standard deviation of the prior of a coefficient on `place`: an assumption (decision 0059)."""
_USUAL_EARNINGS_KRW_YEAR, _LEAST_EARNINGS_KRW_YEAR = 4.0e7, 1.0e6


def answered_sum(answers: Sequence[Floats]) -> Floats:
    """Sum of the answers that anybody gave; NaN where a household left one of these out, 0 where nobody gave any.

    >>> nobody = np.full(3, np.nan)
    >>> answered_sum([np.array([1.0, 2.0, np.nan]), np.array([1.0, 1.0, 1.0]), nobody]).tolist()
    [2.0, 3.0, nan]
    """
    given = [answer for answer in answers if np.isfinite(answer).any()]
    return np.sum(given, axis=0) if given else np.zeros(answers[0].size)


@dataclass(frozen=True)
class Characteristics:
    """What survey and population both know of a household; arrays of one length."""

    head_age_band: Integers
    """Ten-year lower bound."""
    size: Integers
    tenure: npt.NDArray[np.object_]
    dwelling_type: npt.NDArray[np.object_]
    household_type: npt.NDArray[np.object_]
    dong_code: npt.NDArray[np.object_]
    earnings: Floats
    """Labour and business income, KRW/year (`answered_sum`); NaN where one was not answered: then the terms of it are NaN too."""
    place: Floats
    """Mean log score among peers in its dong."""

    def terms(self, names: Sequence[str]) -> Floats:
        """Households x terms."""
        has = self.earnings >= _LEAST_EARNINGS_KRW_YEAR
        unknown = np.isnan(self.earnings)
        relative = np.log(np.maximum(self.earnings, _LEAST_EARNINGS_KRW_YEAR) / _USUAL_EARNINGS_KRW_YEAR)
        columns = {
            "under_30": self.head_age_band < 30,
            "age_40": self.head_age_band >= 40,
            "age_60": self.head_age_band >= 60,
            "age_70": self.head_age_band >= 70,
            "one_person": self.size == 1,
            "log_size": np.log(np.clip(self.size, 1, 7)),
            "owned": self.tenure == "owned",
            "apartment": self.dwelling_type == "apartment",
            "families": (self.household_type == "two_generation") | (self.household_type == "three_generation"),
            "no_earnings": np.where(unknown, np.nan, ~has),
            "log_earnings": np.where(has | unknown, np.clip(relative, -2.5, 2.5), 0.0),
            "place": self.place,
        }
        chosen = [np.asarray(columns[name], dtype=np.float64) for name in names]
        return np.column_stack(chosen) if chosen else np.zeros((self.size.size, 0))


@dataclass(frozen=True)
class ComponentModel:
    """The model of one component; `model` None where the survey has too little of it."""

    terms: tuple[str, ...]
    model: SmallAreaModel | None
    households: int
    """Surveyed households that answered it and what they earn."""
    with_amount: int

    def draw(self, number: int, households: Characteristics, *, dongs: Sequence[str], dong: Integers, key: Bits) -> Floats:
        """One draw of each household, KRW/year.

        Args:
            number: of the draw; 2k and 2k + 1 are antithetic where their models share a seed.
            households: whose.
            dongs: codes of the dongs they live in.
            dong: position of each household's dong among them.
            key: `key_bits` of each household.
        """
        if self.model is None:
            return np.zeros(households.size.size)
        return self.model.draw(number, households.terms(self.terms), labels=dongs, area=dong, key=key)


NO_COMPONENT = ComponentModel((), None, 0, 0)


@dataclass(frozen=True)
class PlaceCentres:
    """Means of the normal priors of a component's coefficients on `place`, each with `PLACE_DEVIATION`.

    Both are per unit of `place` and given the other terms, the household's own earnings among them.
    """

    amount: float
    """Of the log amount."""
    occurrence: float
    """Of the logit of having any."""

    def priors(self, terms: Sequence[str]) -> dict[str, CoefficientPrior] | None:
        """As `EmpiricalBestPredictor` takes them; None where `place` is not a term."""
        if "place" not in terms:
            return None
        column = (list(terms).index("place"),)
        centres = {"amount": self.amount, "occurrence": self.occurrence}
        return {part: CoefficientPrior(column, (centre,), (PLACE_DEVIATION,)) for part, centre in centres.items()}


def fit_component(
    name: str,
    households: Characteristics,
    amount: Floats,
    weight: Floats,
    *,
    seed: int,
    replicate: Floats | None = None,
    place: PlaceCentres | None = None,
    half_normal: float | None = None,
) -> ComponentModel:
    """A two-part model: whether a household has any (logistic), how much (log scale), both with effects of dongs.

    With too few amounts for the variance between dongs beside the terms, that between districts stands for it, then the
    city, of which the prior alone speaks.

    Args:
        name: of MODELLED.
        households: of the survey.
        amount: answers, KRW/year, NaN where missing; at most 0 counts as none. Those whose earnings are not known are left out.
        weight: survey weights, calibrated; what they differ by between dongs does not count.
        seed: of the draws.
        replicate: factor of each household in a replicate of the survey, which counts between dongs too; None: the survey itself.
        place: what is known of the coefficients on `place` before; None: nothing.
        half_normal: scale of the prior of the standard deviation between dongs, positive; None: none.

    Source: Molina & Rao (2010); two parts: Pfeffermann, Terryn & Moura (2008), Survey Methodology 34(2), 235-249.
    """
    known = np.isfinite(amount) & np.isfinite(households.earnings) & (weight > 0.0)
    if replicate is not None:
        known &= replicate > 0.0
    value = np.where(amount[known] > 0.0, amount[known], 0.0)
    has = value > 0.0
    count = int(has.sum())
    if count < _LEAST_ROWS:
        return ComponentModel((), None, int(known.sum()), count)
    varies = np.ptp(households.terms(_TERMS[name])[known][has], axis=0) > 0.0
    names = [term for term, is_usable in zip(_TERMS[name], varies, strict=True) if is_usable]
    names = names[: max(count // _ROWS_PER_TERM - 1, 0)]
    while True:
        terms = households.terms(names)[known]
        try:
            prior = place.priors(names) if place else None
            predictor = EmpiricalBestPredictor(
                transformation="log", two_part=not has.all(), seed=seed, prior=prior, half_normal=half_normal
            )
            factor = None if replicate is None else replicate[known]
            areas = _areas_with_rows(households.dong_code[known], has, terms=len(names))
            predictor.fit(terms, value, areas=areas, weights=weight[known], replicate=factor)
            model = _without_thin_areas(predictor.model_, households.dong_code[known], has)
            return ComponentModel(tuple(names), model, int(known.sum()), count)
        except ConfigurationError:
            if not names:
                return ComponentModel((), None, int(known.sum()), count)
            names = names[:-1]  # collinear in this survey: fewer terms


def _areas_with_rows(dongs: npt.NDArray[np.object_], has: npt.NDArray[np.bool_], *, terms: int) -> npt.NDArray[np.str_]:
    """Areas whose variance is estimated: dongs; with too few amounts for so many beside the terms, districts; else the city,
    whose one area tells no variance. Effects of districts are not kept: a dong draws its own."""
    dong = dongs.astype(str)
    for areas in (dong, dong.astype("U5")):
        if has.sum() > 1 + terms + np.unique(areas[has]).size:
            return areas
    return np.full(dong.size, "city")


def _without_thin_areas(model: SmallAreaModel, dongs: npt.NDArray[np.object_], has: npt.NDArray[np.bool_]) -> SmallAreaModel:
    """Effects of dongs with few surveyed households become those of a dong without any."""

    def kept(regression: AreaRegression, rows: npt.NDArray[np.object_]) -> AreaRegression:
        names, number = np.unique(rows.astype(str), return_counts=True)
        enough = set(names[number >= _AREA_ROWS].tolist())
        return replace(regression, effects={area: pair for area, pair in regression.effects.items() if area in enough})

    occurrence = kept(model.occurrence, dongs) if model.occurrence else None
    return replace(model, amount=kept(model.amount, dongs[has]), occurrence=occurrence)
