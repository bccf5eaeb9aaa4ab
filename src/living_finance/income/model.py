"""The income model of a month: what is fitted to survey, published figures and a sample of the city's households.

Draw 0 is the fit to the survey as it is and to the published figures as they are. Every other draw is a fit of its own: to the
survey with weights of a Bayesian bootstrap and to published figures with an error drawn for each, so that differences
between draws hold what the survey's sample, the published figures and the households' own chances leave unknown (proper multiple
imputation). What a fit takes from a prior, draws take from a draw of the prior: an estimate and its prior, each moved by its own
error, together have the error of the two joined.

Source: Rubin (1987), Multiple imputation for nonresponse in surveys, ch. 4; Rubin (1981), The Bayesian bootstrap, Annals
of Statistics 9(1), 130-134.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from living_finance.errors import ConfigurationError
from living_finance.income.earnings import (
    Correction,
    Donors,
    Earners,
    EarningsModel,
    EarningsTargets,
    PlaceSlope,
    donors_of,
    fit_earnings,
)
from living_finance.income.other_components import (
    MODELLED,
    NO_COMPONENT,
    PLACE_DEVIATION,
    Characteristics,
    ComponentModel,
    PlaceCentres,
    answered_sum,
    fit_component,
)
from living_finance.income.programme_rules import Rule
from living_finance.income.programmes import (
    NO_BENEFITS,
    NO_PROGRAMMES,
    Benefits,
    Eligibility,
    People,
    Programmes,
    learned_programmes,
    need_of,
    without_programmes,
)
from living_finance.income.published import Figure, Published
from living_finance.income.small_area_model import SmallAreaModel
from living_finance.income.spending_contrast import NO_MOVE, Move, Spenders, business_move
from living_finance.income.survey_weights import FIFTHS, SurveyTargets, calibrated_weights, margin_classes
from living_finance.income.value_benchmark import AGE_GROUPS, COMPONENT_NAMES, COMPONENTS, TENURES, Targets
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import Bits, key_bits, mixed, normal, uniform_value, unit_interval
from living_finance.methods.least_squares import least_squares, with_one

FORMAT = 3
"""Of stored models; another is not read."""
EARNED = ("labour", "business")
"""Components of which the bureau has scores."""
_MARKET = (*EARNED, "property")
POWER = {"labour": 0.0, "business": 0.5}
"""Of the mean by which a component's level is matched (decision 0072): business income is skew, and few households have any."""
_KNOWN_ALIKE = ("place", "age_60", "age_40", "age_70", "under_30")
"""Terms that survey and city know alike of a household with business income."""
_MOST_ALIKE = 5
"""Size from which households are of one kind."""
_FAR = 0.05
"""From a published mean, for a note."""
_SAME_PLACE = 0.01
"""Standard deviation of `place` below which dongs do not differ."""
_OLD = 60
"""Age of the head from which programmes of the survey add up apart."""


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
    notes: tuple[str, ...] = ()
    """What was not taken as answered."""

    @property
    def total(self) -> Floats:
        """Sum of the components that anybody answered, KRW/year, NaN where the household left one of these out."""
        return answered_sum(list(self.amounts.values()))


@dataclass(frozen=True)
class CityHouseholds:
    """Households of the month, or a sample of them."""

    households: Characteristics
    """`earnings` are not used: they are what is drawn."""
    earners: Earners
    people: People
    spending: Floats
    """KRW/month as the bureau has it, with that of adults it does not know; NaN where it knows nobody or it is not said."""
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
    """Of transfers: those beyond programmes."""
    programmes: Programmes = NO_PROGRAMMES
    """Of the whole city, in the month of the training."""

    def amounts(self, city: CityHouseholds) -> Floats:
        """Components x households, KRW/year, with programmes as the whole city had them."""
        return self.with_programmes(city, self.programmes)[0]

    def with_programmes(self, city: CityHouseholds, programmes: Programmes) -> tuple[Floats, Floats]:
        """Components x households, and what of the transfers is from programmes, KRW/year."""
        labour, business = self.earnings.amounts(city.earners, draw=self.draw)
        known = replace(city.households, earnings=labour + business)
        amounts = np.vstack(
            [
                labour,
                business,
                *(
                    self.components[name].draw(self.draw, known, dongs=city.dongs, dong=city.dong, key=city.key)
                    for name in MODELLED
                ),
            ]
        )
        received = programmes.given(city.people, market_need(amounts, city), draw=self.draw)
        amounts[COMPONENTS.index("transfer")] += received
        return amounts, received


def market_need(amounts: Floats, city: CityHouseholds) -> Floats:
    """What programmes that go by income look at: `need_of` households with components x households."""
    return need_of(amounts[: len(_MARKET)].sum(axis=0), city.people.size)


@dataclass(frozen=True)
class IncomeModel:
    """The fits of all draws: what is stored and what workers get. Holds no household, no person and no value of one.

    Published figures are not part of it: they are those of the month that is scored (`month_targets`).
    """

    seed: int
    draws: tuple[DrawModel, ...]
    spending: SpendingModel | None
    notes: tuple[str, ...]
    survey_mean_before: float
    """Mean total income of the survey by its design weights, KRW/year."""
    survey_mean_after: float
    """By the calibrated weights."""

    @cached_property
    def content(self) -> dict[str, object]:
        """The whole model as plain numbers and words."""
        donors = self.draws[0].earnings.donors
        return {
            "format": FORMAT,
            "seed": self.seed,
            "donors": {
                "start": list(donors.start),
                **{name: getattr(donors, name).tolist() for name in ("through", "peer", "labour", "business")},
            },
            "middles": {kind: list(getattr(self.draws[0].earnings, kind).middle) for kind in EARNED},
            "draws": [
                {
                    "draw": each.draw,
                    **{
                        kind: {
                            name: getattr(getattr(each.earnings, kind), name)
                            for name in ("level", "slope", "noise_share", "spread")
                        }
                        for kind in EARNED
                    },
                    "components": {
                        name: {
                            "terms": list(model.terms),
                            "households": model.households,
                            "with_amount": model.with_amount,
                            "model": json.loads(model.model.to_json()) if model.model else None,
                        }
                        for name, model in each.components.items()
                    },
                    "programmes": {
                        "limits": dict(each.programmes.limits),
                        "amounts": dict(each.programmes.amounts),
                        "rules": {name: rule.model_dump() for name, rule in each.programmes.may.rules.items()},
                        "young": {str(age): list(shares) for age, shares in each.programmes.may.young.items()},
                    },
                }
                for each in self.draws
            ],
            "spending": asdict(self.spending) if self.spending else None,
            "notes": list(self.notes),
            "survey_mean_before": self.survey_mean_before,
            "survey_mean_after": self.survey_mean_after,
        }

    def to_json(self) -> str:
        """The model as JSON; numbers come back to the last bit."""
        return json.dumps(self.content, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> IncomeModel:
        """The model that `to_json` wrote.

        Raises:
            ConfigurationError: another format.
        """
        values: dict[str, Any] = json.loads(text)
        if values.get("format") != FORMAT:
            raise ConfigurationError("The stored income model has another format than this code reads.", remedy="train a new one")
        stored = values["donors"]
        donors = Donors(
            tuple(stored["start"]),
            np.array(stored["through"], dtype=np.float64),
            np.array(stored["peer"], dtype=np.int64),
            np.array(stored["labour"], dtype=np.float64),
            np.array(stored["business"], dtype=np.float64),
        )
        middles = {kind: tuple(values["middles"][kind]) for kind in EARNED}
        return cls(
            seed=values["seed"],
            draws=tuple(
                DrawModel(
                    each["draw"],
                    EarningsModel(
                        labour=Correction(middles["labour"], **each["labour"]),
                        business=Correction(middles["business"], **each["business"]),
                        donors=donors,
                    ),
                    {
                        name: ComponentModel(
                            tuple(of["terms"]),
                            SmallAreaModel.from_json(json.dumps(of["model"])) if of["model"] else None,
                            of["households"],
                            of["with_amount"],
                        )
                        for name, of in each["components"].items()
                    },
                    _stored_programmes(each["programmes"]),
                )
                for each in values["draws"]
            ),
            spending=SpendingModel(**values["spending"]) if values["spending"] else None,
            notes=tuple(values["notes"]),
            survey_mean_before=values["survey_mean_before"],
            survey_mean_after=values["survey_mean_after"],
        )

    def version(self) -> str:
        """`small-area/` and 12 hex digits over everything that was learned."""
        return f"small-area/{hashlib.sha256(self.to_json().encode()).hexdigest()[:12]}"


def _stored_programmes(values: Mapping[str, Any]) -> Programmes:
    rules = {name: Rule(**rule) for name, rule in values["rules"].items()}
    young = {int(age): tuple(shares) for age, shares in values["young"].items()}
    return Programmes(values["limits"], values["amounts"], Eligibility(rules, young))


def fit_income(
    survey: SurveyHouseholds,
    city: CityHouseholds,
    published: Mapping[Figure, Published],
    *,
    draws: int,
    seed: int,
    benefits: Benefits = NO_BENEFITS,
    sample_share: float = 1.0,
    known_noise_share: float | None = None,
) -> IncomeModel:
    """Fit all draws.

    Args:
        survey: households of the survey.
        city: a sample of the month's households.
        published: figures to meet.
        draws: 1 for the point fit alone.
        seed: the run's seed.
        benefits: what the month's programmes were paid.
        sample_share: share of the month's households in `city`.
        known_noise_share: share of noise in the scores where it is taken as known (`sensitivity`); None: each draw its own.

    Other components are fitted with the calibrated weights of draw 0, scaled within dongs, times the replicate's factors: its own
    calibrated weights relative to those of draw 0. They hold the bootstrap and what calibration makes of it, between dongs too.
    """
    shares = city_shares(city)
    donors = donors_of(city.earners)
    index = _place_index(survey, city)
    half_normal = _between_dongs(city)
    fitted: list[DrawModel] = []
    notes: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    spenders = spenders_of(city)
    is_moved = False
    spending = None
    after = design = weighted_mean(survey.total, survey.weight)
    own = survey.weight
    for draw, targets in enumerate(month_targets(published, draws=draws, seed=seed)):
        weight = weights_of_draw(survey, shares, targets, draw=draw, seed=seed)
        if draw == 0:
            own, unmet = weight, _unmet_notes(survey, weight, targets)
        earned = {name: EarningsTargets.of(np.nan_to_num(survey.amounts[name]), weight, power=POWER[name]) for name in EARNED}
        move = move_of_business(survey, weight, spenders)
        if draw == 0:
            is_moved = move.is_plausible
        earnings, said = fit_earnings(
            city.earners,
            city.weight,
            labour=earned["labour"],
            business=replace(earned["business"], centre=earned["business"].centre + (move.by if is_moved else 0.0)),
            donors=donors,
            draw=draw,
            places=_place_slope(survey, weight, index),
            chance=None if draw == 0 else uniform_value(draw, seed=seed, purpose="noise share"),
            has_one_slope=fitted[0].earnings.has_one_slope if fitted else None,
            known_noise_share=known_noise_share,
        )
        fit = functools.partial(
            _fitted_component,
            survey.households,
            own,
            seed=seed,
            half_normal=half_normal,
            replicate=None if draw == 0 else np.divide(weight, own, out=np.zeros(own.size), where=own > 0.0),
            centres=_place_centres(earnings.labour.place_slope, draw=draw, draws=draws, seed=seed),
        )
        # Who receives programmes goes by the other income, and transfers beyond them are what is left.
        components = {name: NO_COMPONENT if name == "transfer" else fit(name, survey.amounts[name]) for name in MODELLED}
        need = market_need(DrawModel(draw, earnings, components).amounts(city), city)
        programmes = learned_programmes(city.people, need, city.weight, benefits=benefits, share=sample_share, draw=draw)
        components["transfer"] = fit("transfer", other_transfers(survey, weight, city, programmes, draw=draw))
        fitted.append(DrawModel(draw, earnings, components, programmes))
        if draw == 0:
            after = weighted_mean(survey.total, weight)
            spending, untold = _spending_model(survey, weight, city, fitted[0])
            empty = tuple(
                f"{COMPONENT_NAMES[name].ko}: 조사에 사례가 너무 적어 추정하지 않음; "
                f"the survey has too little {name} income: none is modelled"
                for name in MODELLED
                if components[name].model is None
            )
            notes = (*survey.notes, *unmet, *said, *_move_notes(move), *empty, *untold)
    return IncomeModel(seed, tuple(fitted), spending, notes, design, after)


def _fitted_component(
    households: Characteristics,
    weight: Floats,
    name: str,
    amount: Floats,
    *,
    seed: int,
    half_normal: float | None,
    replicate: Floats | None,
    centres: PlaceCentres,
) -> ComponentModel:
    """`fit_component` with random numbers of its own; the prior of coefficients on `place` is of property income."""
    return fit_component(
        name,
        households,
        amount,
        weight,
        seed=int(key_bits([f"{seed}|{name}"])[0] >> np.uint64(1)),
        replicate=replicate,
        place=centres if name == "property" else None,
        half_normal=half_normal,
    )


def _between_dongs(city: CityHouseholds) -> float | None:
    """Standard deviation of `place` over households, the scale of the priors of what dongs differ by beside the terms of a
    component (decision 0073); None where dongs do not differ in it."""
    place = city.households.place
    if not city.weight.sum() > 0.0:
        return None
    deviation = np.sqrt(np.average((place - np.average(place, weights=city.weight)) ** 2, weights=city.weight))
    return float(deviation) if deviation > _SAME_PLACE else None


def weights_of_draw(survey: SurveyHouseholds, shares: Mapping[str, float], targets: Targets, *, draw: int, seed: int) -> Floats:
    """Of surveyed households: design weights, bootstrapped after draw 0, calibrated to the city.

    Args:
        survey: of the month.
        shares: `city_shares`.
        targets: published figures as the draw takes them.
        draw: which.
        seed: the run's seed; draw 0 does not depend on it.
    """
    return calibrated_weights(
        survey.households,
        survey.amounts,
        survey.weight * _bootstrap(survey.keys, draw=draw, seed=seed),
        targets=SurveyTargets(shares=shares, means=targets.means, fifths=targets.fifths),
    )


def _unmet_notes(survey: SurveyHouseholds, weight: Floats, targets: Targets) -> tuple[str, ...]:
    """Published means that no weights within their bounds give the survey."""
    whole = np.sum(list(survey.amounts.values()), axis=0)  # a total without one of its components is held to no published one
    answers = {"total": whole, **survey.amounts}
    known = {name: mean for name, mean in targets.means.items() if mean > 0.0 and np.isfinite(answers[name]).any()}
    off = {name: weighted_mean(answers[name], weight) / mean - 1.0 for name, mean in known.items()}
    return tuple(
        f"{COMPONENT_NAMES[name].ko}: 조사 가중 평균이 공표 평균과 {by:+.0%} 차이남; "
        f"{name}: the survey's weights end {by:+.0%} from the published mean"
        for name, by in off.items()
        if abs(by) > _FAR
    )


def other_transfers(
    survey: SurveyHouseholds, weight: Floats, city: CityHouseholds, programmes: Programmes, *, draw: int
) -> Floats:
    """Transfers of surveyed households beyond the city's programmes, KRW/year, NaN where these or what decides on programmes
    is missing."""
    market = answered_sum([survey.amounts[name] for name in _MARKET])
    return without_programmes(
        np.where(np.isfinite(market), survey.amounts["transfer"], np.nan),
        weight,
        need_of(np.nan_to_num(market), survey.households.size),
        _kinds(survey.households),
        key_bits(survey.keys),
        (survey.households.head_age_band >= _OLD).astype(np.int64),
        people=city.people,
        people_kinds=_kinds(city.households),
        programmes=programmes,
        draw=draw,
    )


def _kinds(households: Characteristics) -> npt.NDArray[np.str_]:
    """Head's age, size and type: who has members of like ages."""
    number = 10 * np.minimum(households.size, _MOST_ALIKE) + households.head_age_band // 10
    return np.char.add(number.astype(np.str_), households.household_type.astype(np.str_))


def _bootstrap(keys: npt.NDArray[np.str_], *, draw: int, seed: int) -> Floats:
    """Weights of mean 1: exponential, by household and draw; all 1 in draw 0."""
    if draw == 0:
        return np.ones(keys.size)
    return -np.log(unit_interval(mixed(key_bits([f"{seed}|survey bootstrap"])[0], key_bits(keys), draw)))


def _place_centres(slope: float, *, draw: int, draws: int, seed: int) -> PlaceCentres:
    """Where the priors of property income's coefficients on `place` lie: at the slope of earnings, moved by draws of the prior.

    Were the centre the same in all draws, they would hold none of the prior's own error.
    """
    amount, occurrence = (
        slope + PLACE_DEVIATION * _matched(f"{seed}|property place {part}", draw=draw, draws=draws)
        for part in ("amount", "occurrence")
    )
    return PlaceCentres(amount, occurrence)


def _matched(stream: str, *, draw: int, draws: int) -> float:
    """A standard normal number of a draw, 0 in draw 0; over the others their mean is 0 and their variance (of a sample) 1.

    So few as they are, their own variance would be that of the errors said: the same in every month, since the seed is.
    All 0 with fewer than 3 draws. Source: moment matching, Barraquand (1995), Management Science 41(12), 1882-1891.
    """
    if draw == 0 or draws < 3:
        return 0.0
    numbers = normal(mixed(key_bits([stream])[0], np.arange(1, draws)))
    return float((numbers[draw - 1] - numbers.mean()) / numbers.std(ddof=1))


def group_errors(published: Mapping[Figure, Published]) -> dict[str, float]:
    """Relative standard errors of the published figures by group (`value_benchmark.factors`)."""
    by_group = {}
    for (indicator, dimension, category), figure in published.items():
        if indicator == "mean_total_income" and dimension == "income_quintile":
            by_group[f"fifth {category}"] = figure.relative_error
        if indicator == "mean_total_income" and dimension == "head_age":
            by_group[f"age {category}"] = figure.relative_error
        if indicator == "mean_total_income" and dimension == "tenure":
            by_group[f"tenure {category}"] = figure.relative_error
    return by_group


def month_targets(published: Mapping[Figure, Published], *, draws: int, seed: int) -> list[Targets]:
    """Published figures of a month, as each draw takes them."""
    return [_targets(published, draw=draw, draws=draws, seed=seed) for draw in range(draws)]


def _targets(published: Mapping[Figure, Published], *, draw: int, draws: int, seed: int) -> Targets:
    """Published figures; in draws after the first with an error, whose mean over those draws is 0."""

    def value(figure: Figure) -> float | None:
        found = published.get(figure)
        if found is None or not found.value > 0.0:
            return None
        moved = _matched(f"{seed}|published|{'|'.join(figure)}", draw=draw, draws=draws)
        return float(found.value * np.exp(found.relative_error * moved))

    def those(figures: Mapping[str, Figure]) -> dict[str, float]:
        return {name: known for name, figure in figures.items() if (known := value(figure)) is not None}

    means = those({name: (f"mean_{name}_income", "all", "all") for name in ("total", *COMPONENTS)})
    fifths = those({str(k): ("mean_total_income", "income_quintile", str(k)) for k in range(1, FIFTHS + 1)})
    ages = those({name: ("mean_total_income", "head_age", name) for name in AGE_GROUPS})
    tenures = those({name: ("mean_total_income", "tenure", name) for name in TENURES})
    return Targets(means, {int(k): mean for k, mean in fifths.items()}, ages, tenures)


def city_shares(city: CityHouseholds) -> dict[str, float]:
    """Shares of the households by the classes that survey weights meet."""
    total = city.weight.sum()
    return {name: float(indicator @ city.weight / total) for name, indicator in margin_classes(city.households).items()}


def weighted_mean(value: Floats, weight: Floats) -> float:
    """Mean of the values that are known and have weight; 0 where none has."""
    known = np.isfinite(value) & (weight > 0.0)
    return float(np.sum(value[known] * weight[known]) / weight[known].sum()) if known.any() else 0.0


def spenders_of(city: CityHouseholds) -> Spenders:
    """Who earns what by the scores of members whom the bureau knows; a loss counts where no member has business income."""
    earners = city.earners
    nobody = np.zeros(earners.unseen_household.size)
    labour, gains, losses = (
        earners.sums(has.astype(np.float64), nobody)
        for has in (earners.labour > 0.0, earners.business > 0.0, earners.business < 0.0)
    )
    business = np.where(gains > 0.0, gains, -losses)
    return _spenders(city.households, city.spending, labour=labour, business=business, weight=city.weight)


def move_of_business(survey: SurveyHouseholds, weight: Floats, city: Spenders) -> Move:
    """`business_move` of a survey with these weights."""
    labour, business = (survey.amounts[name] for name in EARNED)
    return business_move(
        _spenders(survey.households, survey.spending, labour=labour, business=business, weight=weight), city, business
    )


def _spenders(households: Characteristics, spending: Floats, *, labour: Floats, business: Floats, weight: Floats) -> Spenders:
    alike = households.terms(_KNOWN_ALIKE)
    return Spenders.of(labour=labour, business=business, spending=spending, size=households.size, weight=weight, alike=alike)


def _move_notes(move: Move) -> tuple[str, ...]:
    """Why the survey's mean is not moved."""
    if move == NO_MOVE:
        return (
            "사업: 사업소득이 있고 소비를 아는 가구가 너무 적어 조사의 평균을 소비로 보정하지 않음; "
            "business: too few households with business income and known spending: the survey's mean is not moved by it",
        )
    if not move.is_plausible:
        return (
            "사업: 사업소득 가구의 소비가 조사와 신용정보에서 너무 달라 조사의 평균을 소비로 보정하지 않음; "
            "business: spending of those who have it differs too much between survey and bureau: the survey's mean is not moved",
        )
    return ()


_PLACE_TERMS = ("place", "apartment")
_CONTROLS = ("under_30", "age_40", "age_60", "age_70", "one_person", "log_size", "families")


def _place_index(survey: SurveyHouseholds, city: CityHouseholds) -> Floats | None:
    """First stage: what scores of the city say of the place and dwelling of each surveyed household; None: too few."""
    score = city.earners.sums(np.maximum(city.earners.labour, 0.0), np.zeros(city.earners.unseen_household.size))
    has = (score > 0.0) & (city.weight > 0.0)
    names = (*_CONTROLS, *_PLACE_TERMS)
    if has.sum() < 10 * len(names):
        return None
    of_score, _ = least_squares(with_one(city.households.terms(names))[has], np.log(score[has]), city.weight[has])
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
    terms = np.column_stack([index, with_one(survey.households.terms(_CONTROLS))])[has]
    solved, error = least_squares(terms, np.log(answer[has]), weight[has])
    return PlaceSlope(float(solved[0]), float(error[0]) if error[0] > 0.0 else np.inf)


def _log_income(total: Floats) -> Floats:
    return np.log(np.maximum(total, 0.0) + 5.0e6)


def _spending_model(
    survey: SurveyHouseholds, weight: Floats, city: CityHouseholds, point: DrawModel
) -> tuple[SpendingModel | None, tuple[str, ...]]:
    """Of the survey; where it says too little, of the households whose spending the bureau knows; and a note then."""
    found = _fit_spending(survey.total, survey.spending, survey.households.size, weight)
    if found is not None:
        return found, ()
    found = _fit_spending(point.amounts(city).sum(axis=0), city.spending, city.households.size, city.weight)
    source = ("신용정보로 추정함", "they are drawn as those of the bureau") if found else ("추정하지 않음", "they count as 0")
    return found, (
        f"소비: 조사에 사례가 너무 적어 신용정보에 없는 가구의 소비는 {source[0]}; "
        f"spending: the survey has too little for households unknown to the bureau: {source[1]}",
    )


def _fit_spending(total: Floats, spending: Floats, size: Integers, weight: Floats) -> SpendingModel | None:
    known = np.isfinite(total) & (spending > 0.0) & (weight > 0.0)
    if known.sum() < 20 or np.ptp(total[known]) == 0.0:
        return None
    terms = np.column_stack([np.ones(known.sum()), _log_income(total[known]), np.log(np.maximum(size[known], 1))])
    solved, _ = least_squares(terms, np.log(spending[known]), weight[known])
    left = np.log(spending[known]) - terms @ solved
    spread = float(np.sqrt(np.sum(weight[known] * left**2) / weight[known].sum()))
    intercept, of_income, of_size = (float(value) for value in solved)
    return SpendingModel(intercept, of_income, of_size, spread)
