"""How figures move with the assumption that scores keep the ranks of incomes, which no data can test.

Survey and bureau have no common key: that a person who scores higher than its peers earns more is assumed, but for a share of
noise (`earnings`). Beside the model stand point fits to the same data in which the share is taken as known, and one in which
scores say nothing of persons beyond their peer group and dong: within these they are exchanged at random (conditional
independence, the other end of what the two files allow).

Source: D'Orazio, Di Zio & Scanu (2006), Statistical Matching, ch. 4 (uncertainty of what is not jointly observed).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from living_finance.contracts.language import Words
from living_finance.income.area_indicators import Households, area_indicators
from living_finance.income.earnings import PEERS
from living_finance.income.model import CityHouseholds, DrawModel, fit_income
from living_finance.income.training import TrainingData
from living_finance.methods.grouped import Floats
from living_finance.methods.keyed_random import key_bits, mixed

NOISE_SHARES = (0.0, 0.15, 0.3)
"""Taken as known: none, and up to the most that the model thinks possible."""
MEASURES: Mapping[str, Words] = {
    "dongs": Words(ko="행정동 평균, 평균 절대 변화", en="means of dongs, mean absolute move"),
    "p10": Words(ko="10분위수", en="P10"),
    "median": Words(ko="중위수", en="median"),
    "p90": Words(ko="90분위수", en="P90"),
    "gini": Words(ko="지니계수", en="Gini"),
    "owners": Words(ko="자가 가구 평균", en="mean of owners"),
    "one_person": Words(ko="1인 가구 평균", en="mean of one-person households"),
}
"""Of total income relative to the city's mean; moves are relative, the Gini's too."""
_INDICATORS = ("p10", "median", "p90", "gini")


@dataclass(frozen=True)
class Alternative:
    """What figures move by if something else were true of the scores."""

    key: str
    name: Words
    moves: Mapping[str, float]
    """Of MEASURES, relative to the model."""


def rank_sensitivity(data: TrainingData, point: DrawModel, *, seed: int) -> tuple[Alternative, ...]:
    """Point fits under other assumptions, beside the model's.

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
            noise=share,
        )
        figures = _figures(model.draws[0], city)
        moves = {measure: figures[measure] / of_model[measure] - 1.0 for measure in of_model}
        moves["dongs"] = np.abs(moves["dongs"])
        found.append(Alternative(key, name, {measure: float(move.mean()) for measure, move in moves.items()}))
    return tuple(found)


def _assumptions(city: CityHouseholds) -> Iterator[tuple[str, Words, CityHouseholds, float | None]]:
    for share in NOISE_SHARES:
        percent = round(100 * share)
        yield f"noise_{percent}", Words(ko=f"점수의 잡음 {percent} %", en=f"noise {percent} % of scores"), city, share
    yield "no_ranks", Words(ko="동료집단·행정동 안 순위 없음", en="no ranks within peers and dong"), _exchanged(city), None


def _exchanged(city: CityHouseholds) -> CityHouseholds:
    """Scores of persons of one peer group and dong change hands; both of a person together."""
    earners = city.earners
    cell = city.dong[earners.household] * PEERS + earners.peer
    before = np.lexsort((earners.key, cell))
    after = np.lexsort((mixed(key_bits(["exchanged scores"])[0], earners.key), cell))
    labour, business = earners.labour.copy(), earners.business.copy()
    labour[before], business[before] = earners.labour[after], earners.business[after]
    return replace(city, earners=replace(earners, labour=labour, business=business))


def _figures(point: DrawModel, city: CityHouseholds) -> dict[str, Floats]:
    """MEASURES of the sampled households that have weight: one number each, of dongs one per dong."""
    has = city.weight > 0.0
    weight = city.weight[has]
    # As drawn: persons' luck gives the noise its spread back. Dongs without it: a sample has few persons of each.
    drawn, expected = (replace(point, draw=draw).amounts(city).sum(axis=0)[has] for draw in (1, 0))
    relative = drawn / np.average(drawn, weights=weight)
    households = Households.of(areas=["city"] * weight.size, keys=np.flatnonzero(has), weights=weight)
    indicators = area_indicators(relative[households.order], households=households, indicators=_INDICATORS)[0]
    dong = city.dong[has]
    households_of, total_of = (np.bincount(dong, weights=values) for values in (weight, weight * expected))
    groups = {"owners": city.households.tenure[has] == "owned", "one_person": city.households.size[has] == 1}
    return {
        "dongs": total_of[households_of > 0.0] / households_of[households_of > 0.0] / np.average(expected, weights=weight),
        **{name: indicators[[position]] for position, name in enumerate(_INDICATORS)},
        **{name: np.array([np.average(relative[rows], weights=weight[rows])]) for name, rows in groups.items() if rows.any()},
    }
