"""Training apart from scoring: the model of all data, and models that leave districts out, by which it is judged.

A district's surveyed households are held against models that have not seen them. Labour, business and transfer income, and the
total, are means of the city's own households in the district (survey and bureau have no common key, and the survey does not say
how old those are who receive programmes); property and irregular income are predicted for the surveyed households themselves,
which takes what kind of households they are out of the comparison. The survey's weights are the calibrated ones: rich
households answer less.

Source: Särndal, Swensson & Wretman (1992), Model Assisted Survey Sampling, ch. 5 (errors of ratios); Rubin (1981) for the
replicates of a comparison.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from living_finance.income.model import (
    CityHouseholds,
    IncomeModel,
    SurveyHouseholds,
    city_shares,
    fit_income,
    month_targets,
    move_of_business,
    spenders_of,
    weighted_mean,
    weights_of_draw,
)
from living_finance.income.other_components import MODELLED, Characteristics
from living_finance.income.programmes import NO_BENEFITS, Benefits
from living_finance.income.published import Figure, Published
from living_finance.income.spending_contrast import Move
from living_finance.income.value_benchmark import AGE_GROUPS, COMPONENTS, age_group_of
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import key_bits, mixed, unit_interval

TOTAL = "total"
_DRAWS = 20
_REPLICATES = 200
_NO_FOLD = -2
_LEAST_HOUSEHOLDS = 10
"""Surveyed households with an answer that a figure of a district or group needs to be shown."""
_GROUPS: Mapping[str, Callable[[Characteristics], npt.NDArray[np.str_]]] = {
    "head_age": lambda households: np.array(AGE_GROUPS)[age_group_of(households.head_age_band)],
    "tenure": lambda households: households.tenure.astype(str),
}
"""Groups of households that held-out predictions are compared in."""


@dataclass(frozen=True)
class TrainingData:
    """What a model is trained on: arrays in the driver's memory."""

    survey: SurveyHouseholds
    city: CityHouseholds
    published: Mapping[Figure, Published]
    benefits: Benefits = NO_BENEFITS
    sample_share: float = 1.0
    """Of the month's households, in `city`."""

    @cached_property
    def weight(self) -> Floats:
        """Of surveyed households, calibrated."""
        (targets,) = month_targets(self.published, draws=1, seed=0)
        return weights_of_draw(self.survey, city_shares(self.city), targets, draw=0, seed=0)

    @cached_property
    def move_of_business(self) -> Move:
        """What spending says of the survey's luck with business income; used if it is plausible (`spending_contrast`)."""
        return move_of_business(self.survey, self.weight, spenders_of(self.city))

    def answers(self, component: str) -> Floats:
        """Of surveyed households, KRW/year, NaN where missing."""
        return self.survey.total if component == TOTAL else self.survey.amounts[component]

    @cached_property
    def areas(self) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.str_]]:
        """Area left out together of each surveyed and each sampled household: its district, or with one district its dong."""
        surveyed, sampled = (h.dong_code.astype(str) for h in (self.survey.households, self.city.households))
        several = np.unique(surveyed.astype("U5")).size > 1
        return (surveyed.astype("U5"), sampled.astype("U5")) if several else (surveyed, sampled)


@dataclass(frozen=True)
class Fold:
    """A point fit that has not seen the survey's households of some areas."""

    left_out: tuple[str, ...]
    model: IncomeModel


def folds_to_json(folds: Sequence[Fold]) -> str:
    """Held-out models as JSON."""
    return json.dumps([{"left_out": list(fold.left_out), "model": fold.model.content} for fold in folds], sort_keys=True)


def folds_from_json(text: str) -> tuple[Fold, ...]:
    """The folds that `folds_to_json` wrote."""
    return tuple(Fold(tuple(each["left_out"]), IncomeModel.from_json(json.dumps(each["model"]))) for each in json.loads(text))


@dataclass(frozen=True)
class HeldOut:
    """One component in one area that the model had not seen, or in a group; relative to the survey's mean there."""

    area: str
    component: str
    households: int
    bias: float
    """Predicted less surveyed, KRW/year."""
    mean: float
    """Surveyed, KRW/year."""
    error: float
    """Standard error of the bias by the survey's design."""
    share: float
    """Of the survey's weight."""

    def relative(self, name: str) -> dict[str, float]:
        """Bias relative to the mean with its 95 % interval, as metrics."""
        reach = 1.96 * self.error
        ends = {"": self.bias, "_lower": self.bias - reach, "_upper": self.bias + reach}
        return {f"{name}_relative_bias{end}": value / self.mean for end, value in ends.items()}


@dataclass(frozen=True)
class Assessment:
    """How held-out areas came out."""

    cells: tuple[HeldOut, ...]
    loss: float
    """Mean absolute error of the components' means by area, added up, relative to the mean of the total."""
    replicates: Floats
    """The loss with the survey's households reweighted: a comparison of two models takes the spread of their differences."""
    groups: tuple[HeldOut, ...]
    """By head's age and tenure (in place of `area`): all areas together, each by the model that had not seen it."""

    def pooled(self, component: str) -> HeldOut | None:
        """All areas together."""
        cells = [cell for cell in self.cells if cell.component == component]
        weight = np.array([cell.share for cell in cells])
        if not cells or not weight.sum() > 0.0:
            return None
        weight /= weight.sum()
        return HeldOut(
            area="all",
            component=component,
            households=sum(cell.households for cell in cells),
            bias=float(weight @ [cell.bias for cell in cells]),
            mean=float(weight @ [cell.mean for cell in cells]),
            error=float(np.sqrt(weight**2 @ [cell.error**2 for cell in cells])),
            share=1.0,
        )

    @staticmethod
    def shown(cells: Sequence[HeldOut]) -> list[HeldOut]:
        """Those that enough answered in."""
        return [cell for cell in cells if cell.households >= _LEAST_HOUSEHOLDS and cell.mean > 0.0]

    def metrics(self) -> dict[str, float]:
        """Bias relative to the mean with a 95 % interval, by component, and by area and group where enough answered."""
        shown = self.shown(self.cells)
        pooled = [cell for name in (*COMPONENTS, TOTAL) if (cell := self.pooled(name)) and cell.mean > 0.0]
        found = {"cv_loss": self.loss} if self.cells else {}
        for cell in (*shown, *pooled):
            name = f"cv_{cell.component}" + ("" if cell.area == "all" else f"_{cell.area}")
            found[f"{name}_bias_krw_year"] = cell.bias
            found[f"{name}_error_krw_year"] = cell.error
            found |= cell.relative(name)
        for cell in self.shown(self.groups):
            found |= cell.relative(f"cv_{cell.component}_{cell.area}")
        total = self.pooled(TOTAL)
        return {**found, "cv_total_mean_krw_year": total.mean} if total else found


NOTHING_LEFT_OUT = Assessment((), 0.0, np.zeros(0), ())
"""Of a model that has seen every area: how it does where it has not been is not known."""


@dataclass(frozen=True)
class TrainedIncome:
    """A model, and how models like it did where they had not been."""

    model: IncomeModel
    folds: tuple[Fold, ...]
    assessment: Assessment


def train_income(data: TrainingData, *, draws: int, seed: int, folds: int) -> TrainedIncome:
    """Fit all draws to all data, and a point fit for each group of areas that leaves them out.

    Args:
        data: survey, sample of the city, published figures.
        draws: 1 for the point fit alone.
        seed: the run's seed.
        folds: groups of areas, at most one per area.
    """

    def fit(survey: SurveyHouseholds, draws: int) -> IncomeModel:
        return fit_income(
            survey,
            data.city,
            data.published,
            draws=draws,
            seed=seed,
            benefits=data.benefits,
            sample_share=data.sample_share,
        )

    model = fit(data.survey, draws)
    surveyed, _ = data.areas
    names = np.unique(surveyed)
    count = min(folds, names.size)
    made = []
    for number in range(count if count > 1 else 0):
        left_out = names[number::count]
        kept = survey_rows(data.survey, ~np.isin(surveyed, left_out))
        made.append(Fold(tuple(left_out.tolist()), fit(kept, 1)))
    found = tuple(made)
    return TrainedIncome(model, found, assess(data, found, otherwise=model) if found else NOTHING_LEFT_OUT)


def survey_rows(survey: SurveyHouseholds, kept: npt.NDArray[np.bool_]) -> SurveyHouseholds:
    """Some of the surveyed households."""
    of = {f.name: getattr(survey.households, f.name)[kept] for f in fields(survey.households)}
    return SurveyHouseholds(
        replace(survey.households, **of),
        {name: amount[kept] for name, amount in survey.amounts.items()},
        survey.spending[kept],
        survey.weight[kept],
        survey.keys[kept],
        survey.notes,
    )


def assess(data: TrainingData, folds: Sequence[Fold], *, otherwise: IncomeModel) -> Assessment:
    """Hold each area's survey against the fold that left it out.

    Args:
        data: of the comparison; another model's folds may be held against it.
        folds: point fits.
        otherwise: model of areas that no fold leaves out: it has not seen them, unless there are no folds at all.
    """
    surveyed, _ = data.areas
    names = np.unique(surveyed)
    replicate = _replicates(data.survey.keys)
    weights = data.weight * replicate
    cells: list[HeldOut] = []
    losses = np.zeros(replicate.shape[0])
    used: dict[int, dict[str, _Predicted]] = {}
    fold_of: dict[str, int] = {}
    mean_total = weighted_mean(data.answers(TOTAL), data.weight)
    for area in names.tolist():
        fold = fold_of[area] = next((k for k, f in enumerate(folds) if area in f.left_out), -1)
        if fold not in used:
            used[fold] = dict(_predictions(data, folds[fold].model if fold >= 0 else otherwise))
        inside = surveyed == area
        share = float(data.weight[inside].sum() / data.weight.sum())
        for component, predicted in used[fold].items():
            answer = data.answers(component)
            known = inside & predicted.is_known(answer) & (data.weight > 0.0)
            if known.sum() < 2:
                continue
            cell = predicted.held_out(area, component, answer, known, data.weight, share)
            if cell is None:
                continue
            cells.append(cell)
            if component != TOTAL:
                of = weights[:, known]
                moved = (of @ predicted.differences(answer, known, area)) / of.sum(axis=1)
                losses += share * np.abs(moved) / max(mean_total, 1.0)
    return Assessment(tuple(cells), float(losses[0]), losses[1:], tuple(_of_groups(data, used, fold_of)))


@dataclass(frozen=True)
class _Predicted:
    """Predictions of one component: of surveyed households, or means of the city's households by area with their errors."""

    of_surveyed: Floats | None
    of_city: Floats | None
    of_area: Mapping[str, tuple[float, float]]

    def is_known(self, answer: Floats) -> npt.NDArray[np.bool_]:
        """Whose answer can be compared: also what the prediction rests on was answered."""
        return np.isfinite(answer) if self.of_surveyed is None else np.isfinite(answer) & np.isfinite(self.of_surveyed)

    def differences(self, answer: Floats, known: npt.NDArray[np.bool_], area: str) -> Floats:
        if self.of_surveyed is not None:
            return self.of_surveyed[known] - answer[known]
        return self.of_area[area][0] - answer[known]

    def held_out(
        self, area: str, component: str, answer: Floats, known: npt.NDArray[np.bool_], weight: Floats, share: float
    ) -> HeldOut | None:
        if self.of_surveyed is None and area not in self.of_area:
            return None
        of = weight[known] / weight[known].sum()
        difference = self.differences(answer, known, area)
        bias = float(of @ difference)
        number = int(known.sum())
        variance = float(of**2 @ (difference - bias) ** 2) * number / (number - 1)
        if self.of_surveyed is None:
            variance += self.of_area[area][1] ** 2
        return HeldOut(area, component, number, bias, float(of @ answer[known]), float(np.sqrt(variance)), share)


def _predictions(data: TrainingData, model: IncomeModel) -> Iterator[tuple[str, _Predicted]]:
    point = model.draws[0]
    _, sampled = data.areas
    amounts = dict(zip(COMPONENTS, point.amounts(data.city), strict=True))
    # The survey does not say how old members are, by whom programmes are received.
    for name in ("labour", "business", "transfer"):
        yield name, _Predicted(None, amounts[name], _means(amounts[name], data.city.weight, sampled))
    total = np.sum(list(amounts.values()), axis=0)
    yield TOTAL, _Predicted(None, total, _means(total, data.city.weight, sampled))
    households = data.survey.households
    for name in (name for name in MODELLED if name != "transfer"):
        component = point.components[name]
        known = np.isfinite(households.earnings)
        expected = np.where(known, 0.0, np.nan)
        if component.model is not None:
            terms = households.terms(component.terms)
            expected[known] = component.model.draws(
                terms[known], areas=households.dong_code[known], keys=data.survey.keys[known].tolist(), draws=_DRAWS
            ).mean(axis=1)
        yield name, _Predicted(expected, None, {})


def _of_groups(data: TrainingData, used: Mapping[int, Mapping[str, _Predicted]], fold_of: Mapping[str, int]) -> Iterator[HeldOut]:
    """Components by group, every household by the model that had not seen its area; areas without survey do not count."""
    asked, sampled = (np.array([fold_of.get(area, _NO_FOLD) for area in areas.tolist()]) for areas in data.areas)
    city_weight = np.where(sampled != _NO_FOLD, data.city.weight, 0.0)
    for component in dict.fromkeys(name for predictions in used.values() for name in predictions):
        parts = {fold: predictions[component] for fold, predictions in used.items()}
        answer = data.answers(component)

        def pieced(of: Mapping[int, Floats | None], fold: Integers) -> Floats | None:
            known = {number: values for number, values in of.items() if values is not None}
            return np.select([fold == number for number in known], list(known.values())) if known else None

        of_surveyed = pieced({fold: part.of_surveyed for fold, part in parts.items()}, asked)
        of_city = pieced({fold: part.of_city for fold, part in parts.items()}, sampled)
        for dimension, group_of in _GROUPS.items():
            groups = group_of(data.survey.households)
            means = {} if of_city is None else _means(of_city, city_weight, group_of(data.city.households))
            predicted = _Predicted(of_surveyed, of_city, means)
            for group in np.unique(groups).tolist():
                inside = groups == group
                known = inside & predicted.is_known(answer) & (data.weight > 0.0)
                share = float(data.weight[inside].sum() / data.weight.sum())
                cell = predicted.held_out(group, component, answer, known, data.weight, share) if known.sum() > 1 else None
                if cell is not None:
                    yield replace(cell, area=f"{dimension}_{group}")


def _means(amount: Floats, weight: Floats, area: npt.NDArray[np.str_]) -> dict[str, tuple[float, float]]:
    found = {}
    for name in np.unique(area).tolist():
        inside = (area == name) & (weight > 0.0)
        if inside.sum() < 2:
            continue
        of = weight[inside] / weight[inside].sum()
        mean = float(of @ amount[inside])
        found[name] = (mean, float(np.sqrt(of**2 @ (amount[inside] - mean) ** 2)))
    return found


def _replicates(keys: npt.NDArray[np.str_]) -> Floats:
    """Replicates x households: all 1 first, then exponential weights (Bayesian bootstrap)."""
    bits = key_bits(keys)
    rows = [-np.log(unit_interval(mixed(key_bits(["held-out replicate"])[0], bits, k))) for k in range(1, _REPLICATES + 1)]
    return np.vstack([np.ones(keys.size), *rows])
