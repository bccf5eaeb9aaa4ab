"""The income model of a month: what is fitted to survey, published figures and a sample of the city's households.

Draw 0 is the fit to the survey as it is and to the published figures as they are. Every other draw is a fit of its own: to the
survey with weights of a Bayesian bootstrap and to published figures with an error drawn for each, so that differences
between draws hold what the survey's sample, the published figures and the households' own chances leave unknown (proper multiple
imputation).

Source: Rubin (1987), Multiple imputation for nonresponse in surveys, ch. 4; Rubin (1981), The Bayesian bootstrap, Annals
of Statistics 9(1), 130-134.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from living_finance.income.earnings import (
    Earners,
    EarningsModel,
    EarningsTargets,
    PlaceSlope,
    donors_of,
    fit_earnings,
)
from living_finance.income.other_components import MODELLED, Characteristics, ComponentModel, fit_component
from living_finance.income.published import Figure, Published
from living_finance.income.survey_weights import FIFTHS, SurveyTargets, calibrated_weights, margin_classes
from living_finance.income.value_benchmark import AGE_GROUPS, COMPONENTS, Targets
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import Bits, key_bits, mixed, normal, uniform_value, unit_interval


@dataclass(frozen=True)
class SurveyHouseholds:
    """The survey used for the month."""

    households: Characteristics
    amounts: Mapping[str, Floats]
    """Component → answers, KRW/year, NaN where missing."""
    spending: Floats
    """KRW/month, NaN where missing."""
    weight: Floats
    keys: npt.NDArray[np.str_]


@dataclass(frozen=True)
class CityHouseholds:
    """Households of the month, or a sample of them."""

    households: Characteristics
    """`earnings` are not used: they are what is drawn."""
    earners: Earners
    weight: Floats
    key: Bits
    """`key_bits` of each household."""
    dongs: Sequence[str]
    """Codes of the dongs there are."""
    dong: Integers
    """Position of each household's dong among them."""


@dataclass(frozen=True)
class SpendingModel:
    """Log spending of a household by its income and size: for households whom no bureau member speaks for."""

    intercept: float
    income: float
    size: float
    spread: float

    def draw(self, total: Floats, size: Integers, *, key: Bits) -> Floats:
        """KRW/month."""
        centre = self.intercept + self.income * _log_income(total) + self.size * np.log(np.maximum(size, 1))
        return np.exp(centre + self.spread * normal(key))


@dataclass(frozen=True)
class DrawModel:
    """Everything one draw rests on, before values are benchmarked."""

    draw: int
    earnings: EarningsModel
    components: Mapping[str, ComponentModel]
    targets: Targets

    def amounts(self, city: CityHouseholds) -> Floats:
        """Components x households, KRW/year."""
        labour, business = self.earnings.amounts(city.earners, draw=self.draw)
        known = replace(city.households, earnings=labour + business)
        modelled = (
            self.components[name].draw(self.draw, known, dongs=city.dongs, dong=city.dong, key=city.key) for name in MODELLED
        )
        return np.vstack([labour, business, *modelled])


@dataclass(frozen=True)
class IncomeModel:
    """The fits of all draws. Workers get it whole; what is logged (`facts`) holds no household and no person."""

    draws: tuple[DrawModel, ...]
    spending: SpendingModel | None
    errors: Mapping[str, float]
    """Relative standard errors of the published figures by group (`value_benchmark.factors`)."""
    notes: tuple[str, ...]
    survey_mean_before: float
    """Mean total income of the survey by its design weights, KRW/year."""
    survey_mean_after: float
    """By the calibrated weights."""

    def facts(self) -> dict[str, object]:
        """Parameters of the fit as plain numbers; donors and residuals are left out."""
        point = self.draws[0]
        return {
            "labour": asdict(point.earnings.labour),
            "business": asdict(point.earnings.business),
            "components": {
                name: {
                    "terms": model.terms,
                    "surveyed": model.households,
                    "with_amount": model.with_amount,
                    **(
                        {
                            "amount": model.model.amount.coefficients,
                            "amount_area_variance": model.model.amount.area_variance,
                            "amount_unit_variance": model.model.unit_variance,
                            "occurrence": model.model.occurrence.coefficients if model.model.occurrence else None,
                            "occurrence_area_variance": model.model.occurrence.area_variance if model.model.occurrence else None,
                        }
                        if model.model
                        else {}
                    ),
                }
                for name, model in point.components.items()
            },
            "spending": asdict(self.spending) if self.spending else None,
            "targets": {"means": point.targets.means, "fifths": point.targets.fifths, "ages": point.targets.ages},
            "errors": self.errors,
            "draws": [
                {
                    "labour": [d.earnings.labour.level, d.earnings.labour.slope, d.earnings.labour.noise_share],
                    "business": [d.earnings.business.level, d.earnings.business.slope],
                }
                for d in self.draws
            ],
            "notes": self.notes,
        }

    def version(self) -> str:
        """`small-area/` and 12 hex digits over everything that was learned."""
        digest = hashlib.sha256(json.dumps(self.facts(), sort_keys=True, default=str).encode())
        for draw in self.draws:
            donors = draw.earnings.donors
            digest.update(donors.labour.tobytes() + donors.business.tobytes())
            for name in MODELLED:
                model = draw.components[name].model
                digest.update(model.to_json().encode() if model else b"-")
        return f"small-area/{digest.hexdigest()[:12]}"


def fit_income(
    survey: SurveyHouseholds, city: CityHouseholds, published: Mapping[Figure, Published], *, draws: int, seed: int
) -> IncomeModel:
    """Fit all draws.

    Args:
        survey: households of the survey.
        city: a sample of the month's households.
        published: figures to meet.
        draws: 1 for the point fit alone.
        seed: the run's seed.
    """
    errors = _errors_of(published)
    shares = _shares(city)
    donors = donors_of(city.earners)
    index = _place_index(survey, city)
    fitted: list[DrawModel] = []
    notes: tuple[str, ...] = ()
    spending = None
    after = before = _weighted_mean(_total(survey), survey.weight)
    for draw in range(draws):
        targets = _targets(published, draw=draw, draws=draws, seed=seed)
        weight = survey.weight * _bootstrap(survey.keys, draw=draw, seed=seed)
        weight = calibrated_weights(
            survey.households,
            survey.amounts,
            weight,
            targets=SurveyTargets(shares=shares, means=targets.means, fifths=targets.fifths),
        )
        earned = {name: EarningsTargets.of(np.nan_to_num(survey.amounts[name]), weight) for name in ("labour", "business")}
        earnings, said = fit_earnings(
            city.earners,
            city.weight,
            labour=earned["labour"],
            business=earned["business"],
            donors=donors,
            draw=draw,
            places=_place_slope(survey, weight, index),
            chance=None if draw == 0 else uniform_value(draw, seed=seed, purpose="noise share"),
        )
        components = {
            name: fit_component(
                name,
                survey.households,
                survey.amounts[name],
                weight,
                seed=int(key_bits([f"{seed}|{name}"])[0] >> np.uint64(1)),
            )
            for name in MODELLED
        }
        fitted.append(DrawModel(draw, earnings, components, targets))
        if draw == 0:
            after = _weighted_mean(_total(survey), weight)
            spending = _fit_spending(survey, weight)
            empty = tuple(
                f"the survey has too little {name} income: none is modelled"
                for name in MODELLED
                if components[name].model is None
            )
            notes = (*said, *empty)
    return IncomeModel(tuple(fitted), spending, errors, notes, before, after)


def _bootstrap(keys: npt.NDArray[np.str_], *, draw: int, seed: int) -> Floats:
    """Weights of mean 1: exponential, by household and draw; all 1 in draw 0."""
    if draw == 0:
        return np.ones(keys.size)
    return -np.log(unit_interval(mixed(key_bits([f"{seed}|survey bootstrap"])[0], key_bits(keys), draw)))


def _errors_of(published: Mapping[Figure, Published]) -> dict[str, float]:
    by_group = {}
    for (indicator, dimension, category), figure in published.items():
        if indicator == "mean_total_income" and dimension == "income_quintile":
            by_group[f"fifth {category}"] = figure.relative_error
        if indicator == "mean_total_income" and dimension == "head_age":
            by_group[f"age {category}"] = figure.relative_error
    return by_group


def _targets(published: Mapping[Figure, Published], *, draw: int, draws: int, seed: int) -> Targets:
    """Published figures; in draws after the first with an error, whose mean over those draws is 0."""

    def value(figure: Figure) -> float | None:
        found = published.get(figure)
        if found is None or not found.value > 0.0:
            return None
        if draw == 0 or draws < 3:
            return found.value
        numbers = normal(mixed(key_bits([f"{seed}|published|{'|'.join(figure)}"])[0], np.arange(1, draws)))
        centred = (numbers - numbers.mean()) * np.sqrt((draws - 1) / (draws - 2))
        return float(found.value * np.exp(found.relative_error * centred[draw - 1]))

    def those(figures: Mapping[str, Figure]) -> dict[str, float]:
        return {name: known for name, figure in figures.items() if (known := value(figure)) is not None}

    means = those({name: (f"mean_{name}_income", "all", "all") for name in ("total", *COMPONENTS)})
    fifths = those({str(k): ("mean_total_income", "income_quintile", str(k)) for k in range(1, FIFTHS + 1)})
    ages = those({name: ("mean_total_income", "head_age", name) for name in AGE_GROUPS})
    return Targets(means, {int(k): mean for k, mean in fifths.items()}, ages)


def _shares(city: CityHouseholds) -> dict[str, float]:
    total = city.weight.sum()
    return {name: float(indicator @ city.weight / total) for name, indicator in margin_classes(city.households).items()}


def _total(survey: SurveyHouseholds) -> Floats:
    """Total income of surveyed households, NaN where a component is missing."""
    total: Floats = np.sum(list(survey.amounts.values()), axis=0)
    return total


def _weighted_mean(value: Floats, weight: Floats) -> float:
    known = np.isfinite(value) & (weight > 0.0)
    return float(np.sum(value[known] * weight[known]) / weight[known].sum()) if known.any() else 0.0


_PLACE_TERMS = ("place", "apartment")
_CONTROLS = ("under_30", "age_40", "age_60", "age_70", "one_person", "log_size", "families")


def _place_index(survey: SurveyHouseholds, city: CityHouseholds) -> Floats | None:
    """First stage: what scores of the city say of the place and dwelling of each surveyed household; None: too few."""
    score = city.earners.sums(np.maximum(city.earners.labour, 0.0), np.zeros(city.earners.unseen_household.size))
    has = (score > 0.0) & (city.weight > 0.0)
    names = (*_CONTROLS, *_PLACE_TERMS)
    if has.sum() < 10 * len(names):
        return None
    of_score, _ = _least_squares(_with_one(city.households.terms(names))[has], np.log(score[has]), city.weight[has])
    index: Floats = survey.households.terms(_PLACE_TERMS) @ of_score[-len(_PLACE_TERMS) :]
    return index


def _place_slope(survey: SurveyHouseholds, weight: Floats, index: Floats | None) -> PlaceSlope:
    """Two-sample two-stage least squares: survey log labour income on what scores of the city say of place and dwelling.

    Source: Angrist & Krueger (1992), JASA 87(418), 328-336; Inoue & Solon (2010), Review of Economics and Statistics
    92(3), 557-561.
    """
    answer = survey.amounts["labour"]
    has = np.isfinite(answer) & (answer > 0.0) & (weight > 0.0)
    if index is None or has.sum() < 10 * (len(_CONTROLS) + len(_PLACE_TERMS)):
        return PlaceSlope(1.0, np.inf)
    terms = np.column_stack([index, _with_one(survey.households.terms(_CONTROLS))])[has]
    solved, error = _least_squares(terms, np.log(answer[has]), weight[has])
    return PlaceSlope(float(solved[0]), float(error[0]) if error[0] > 0.0 else np.inf)


def _with_one(terms: Floats) -> Floats:
    return np.column_stack([np.ones(len(terms)), terms])


def _least_squares(terms: Floats, value: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weighted least squares: coefficients and their robust standard errors (White 1980)."""
    inverse = np.linalg.pinv(terms.T @ (terms * weight[:, None]))
    solved = inverse @ (terms.T @ (weight * value))
    scores = terms * (weight * (value - terms @ solved))[:, None]
    error = np.sqrt(np.maximum(np.diag(inverse @ (scores.T @ scores) @ inverse), 0.0))
    return solved, error


def _log_income(total: Floats) -> Floats:
    return np.log(np.maximum(total, 0.0) + 5.0e6)


def _fit_spending(survey: SurveyHouseholds, weight: Floats) -> SpendingModel | None:
    total = _total(survey)
    known = np.isfinite(total) & (survey.spending > 0.0) & (weight > 0.0)
    if known.sum() < 20:
        return None
    terms = np.column_stack(
        [np.ones(known.sum()), _log_income(total[known]), np.log(np.maximum(survey.households.size[known], 1))]
    )
    solved, _ = _least_squares(terms, np.log(survey.spending[known]), weight[known])
    left = np.log(survey.spending[known]) - terms @ solved
    spread = float(np.sqrt(np.sum(weight[known] * left**2) / weight[known].sum()))
    intercept, income, size = (float(value) for value in solved)
    return SpendingModel(intercept, income, size, spread)
