"""How figures move with the assumption that scores keep the ranks of incomes, which the data test in part only.

Survey and bureau have no common key: that a person who scores higher than its peers earns more is assumed, but for a share of
noise (`earnings`). Beside the model stand point fits to the same data in which the share is taken as known, and one in which
scores say who earns and nothing of how much, beyond peer group and dong: within these they are exchanged at random among persons
with the same kinds of earnings. That is a far case, not the farthest that the two files allow.

Source: D'Orazio, Di Zio & Scanu (2006), Statistical Matching, ch. 4 (uncertainty of what is not jointly observed).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from living_finance.contracts.language import Words
from living_finance.income.area_indicators import Households, area_indicators
from living_finance.income.earnings import MOST_NOISE
from living_finance.income.model import CityHouseholds, DrawModel, fit_income
from living_finance.income.training import TrainingData
from living_finance.methods.grouped import Floats
from living_finance.methods.keyed_random import key_bits, mixed

NOISE_SHARES = (0.0, MOST_NOISE / 2.0, MOST_NOISE)
"""Taken as known."""
DONGS = "dongs"
MEASURES: Mapping[str, Words] = {
    DONGS: Words(ko="행정동 평균(평균 절대 변화)", en="means of dongs (mean absolute)"),
    "p10": Words(ko="제10백분위", en="P10"),
    "median": Words(ko="중위수", en="median"),
    "p90": Words(ko="제90백분위", en="P90"),
    "gini": Words(ko="지니계수", en="Gini"),
    "owners": Words(ko="자가 가구 평균", en="mean of owners"),
    "one_person": Words(ko="1인 가구 평균", en="mean of one-person households"),
}
"""Of total income relative to the city's mean, before published figures are met."""
_INDICATORS = ("p10", "median", "p90", "gini")


@dataclass(frozen=True)
class Alternative:
    """What figures move by if something else were true of the scores."""

    key: str
    name: Words
    moves: Mapping[str, float]
    """Of MEASURES, relative to the model's figure; those whose figure is above 0."""


def rank_sensitivity(data: TrainingData, point: DrawModel, *, seed: int) -> tuple[Alternative, ...]:
    """Point fits under other assumptions, beside the model's: one for each of NOISE_SHARES, and one without ranks.

    Args:
        data: what the model was fitted to.
        point: its first draw.
        seed: of its training.
    """
    of_model = _figures(point, data.city)
    found = []
    for key, name, city, share in _assumptions(data.city):
        model = fit_income(
            data.survey,
            city,
            data.published,
            draws=1,
            seed=seed,
            benefits=data.benefits,
            sample_share=data.sample_share,
            known_noise_share=share,
        )
        figures = _figures(model.draws[0], city)
        moves = {}
        for measure, (figure, weight) in of_model.items():
            apart = figures[measure][0] - figure
            whole = float(weight @ figure)
            if whole > 0.0:
                moves[measure] = float(weight @ (np.abs(apart) if measure == DONGS else apart)) / whole
        found.append(Alternative(key, name, moves))
    return tuple(found)


def _assumptions(city: CityHouseholds) -> Iterator[tuple[str, Words, CityHouseholds, float | None]]:
    for share in NOISE_SHARES:
        percent = round(100 * share)
        yield f"noise_{percent}", Words(ko=f"점수의 잡음 {percent} %", en=f"noise {percent} % of scores"), city, share
    yield "no_ranks", Words(ko="동료집단·행정동 안 순위 없음", en="no ranks within peers and dong"), _exchanged(city), None


def _exchanged(city: CityHouseholds) -> CityHouseholds:
    """Scores change hands among persons of one peer group and dong with the same kinds of earnings; both of a person together."""
    earners = city.earners
    kind = 3 * np.sign(earners.labour).astype(np.int64) + np.sign(earners.business).astype(np.int64)
    cell = (kind, earners.peer, city.dong[earners.household])
    before, after = (np.lexsort((key, *cell)) for key in (earners.key, mixed(key_bits(["exchanged scores"])[0], earners.key)))
    labour, business = earners.labour.copy(), earners.business.copy()
    labour[before], business[before] = earners.labour[after], earners.business[after]
    return replace(city, earners=replace(earners, labour=labour, business=business))


def _figures(point: DrawModel, city: CityHouseholds) -> dict[str, tuple[Floats, Floats]]:
    """Figures and their weights of the sampled households that have weight: one for each of MEASURES, of dongs one per dong."""
    has = city.weight > 0.0
    weight = city.weight[has]
    # As drawn: persons' luck gives the noise its spread back. Dongs without it: a sample has few persons of each.
    drawn, without_luck = (replace(point, draw=draw).amounts(city).sum(axis=0)[has] for draw in (1, 0))
    mean = float(np.average(drawn, weights=weight))
    households = Households.of(areas=["city"] * weight.size, keys=np.flatnonzero(has), weights=weight)
    indicators = area_indicators(drawn[households.order], households=households, indicators=_INDICATORS)[0]
    groups = {"owners": city.households.tenure[has] == "owned", "one_person": city.households.size[has] == 1}
    numbers = {
        **{name: value / (1.0 if name == "gini" else mean) for name, value in zip(_INDICATORS, indicators, strict=True)},
        **{name: np.average(drawn[rows], weights=weight[rows]) / mean for name, rows in groups.items() if rows.any()},
    }
    number, total = (np.bincount(city.dong[has], weights=values).astype(np.float64) for values in (weight, weight * without_luck))
    is_there = number > 0.0
    of_dongs = total[is_there] / number[is_there] / np.average(without_luck, weights=weight)
    return {DONGS: (of_dongs, number[is_there]), **{name: (np.array([value]), np.ones(1)) for name, value in numbers.items()}}
