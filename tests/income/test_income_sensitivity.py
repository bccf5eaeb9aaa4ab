"""What the assumption of kept ranks does to figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_income import training_data

from living_finance.income import sensitivity
from living_finance.income.model import DrawModel, fit_income
from living_finance.income.sensitivity import DONGS, MEASURES, NOISE_SHARES, rank_sensitivity
from living_finance.income.training import TrainingData


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return training_data()


def fitted(data: TrainingData, noise_share: float) -> DrawModel:
    return fit_income(data.survey, data.city, data.published, draws=1, seed=1, known_noise_share=noise_share).draws[0]


def test_moves_are_those_of_the_figures_and_the_assumption_made_moves_nothing(data: TrainingData) -> None:
    middle, noisy = (fitted(data, share) for share in NOISE_SHARES[1:])
    found = {other.key: other.moves for other in rank_sensitivity(data, middle, seed=1)}
    assert set(found) == {"noise_0", "noise_15", "noise_30", "no_ranks"}
    assert all(list(moves) == list(MEASURES) for moves in found.values())
    assert found["noise_15"] == dict.fromkeys(MEASURES, 0.0)
    assert found["noise_30"] == pytest.approx(moves_by_hand(data, middle, noisy), rel=1e-9)


def moves_by_hand(data: TrainingData, one: DrawModel, other: DrawModel) -> dict[str, float]:
    """With pandas and an interpretation of every figure of its own."""
    city = data.city
    frames = []
    for point in (one, other):
        lucky, plain = (replace(point, draw=draw).amounts(city).sum(axis=0) for draw in (1, 0))
        frame = pd.DataFrame({"w": city.weight, "x": lucky, "plain": plain, "dong": city.dong})
        frames.append(frame.assign(owned=city.households.tenure == "owned", alone=city.households.size == 1))

    def mean(of: pd.DataFrame, name: str = "x") -> float:
        return float((of["w"] * of[name]).sum() / of["w"].sum())

    def quantile(of: pd.DataFrame, share: float) -> float:
        ordered = of.sort_values("x")
        reached = ordered["w"].cumsum() / ordered["w"].sum()
        return float(ordered["x"][reached >= share - 1e-12].iloc[0])

    def gini(of: pd.DataFrame) -> float:
        ordered = of.sort_values("x")
        weight = ordered["w"].to_numpy() / ordered["w"].sum()
        lorenz = np.cumsum(weight * ordered["x"].to_numpy()) / (weight @ ordered["x"].to_numpy())
        return float(1.0 - weight @ (lorenz + np.r_[0.0, lorenz[:-1]]))

    figures = [
        {
            **{name: quantile(of, share) / mean(of) for name, share in (("p10", 0.1), ("median", 0.5), ("p90", 0.9))},
            "gini": gini(of),
            "owners": mean(of[of["owned"]]) / mean(of),
            "one_person": mean(of[of["alone"]]) / mean(of),
        }
        for of in frames
    ]
    before, after = figures
    moves = {name: after[name] / before[name] - 1.0 for name in before}
    dongs = [pd.Series({dong: mean(rows, "plain") for dong, rows in of.groupby("dong")}) / mean(of, "plain") for of in frames]
    households = frames[0].groupby("dong")["w"].sum()
    return {"dongs": float((households * (dongs[1] - dongs[0]).abs()).sum() / households.sum()), **moves}


def test_a_figure_of_nothing_has_no_move(data: TrainingData) -> None:
    nobody = {**data.survey.amounts, **dict.fromkeys(("property", "transfer", "irregular"), np.zeros(len(data.survey.keys)))}
    idle = replace(data, survey=replace(data.survey, amounts=nobody), published={})
    point = fit_income(idle.survey, idle.city, {}, draws=1, seed=1).draws[0]
    for other in rank_sensitivity(idle, point, seed=1):
        assert "p10" not in other.moves
        assert np.isfinite(list(other.moves.values())).all()


def test_dongs_differ_more_the_more_of_the_scores_is_noise(data: TrainingData) -> None:
    spread = [float(sensitivity._figures(fitted(data, share), data.city)[DONGS][0].std()) for share in NOISE_SHARES]
    assert spread == sorted(set(spread))


def test_exchanged_scores_stay_in_their_dong_and_peer_group_and_both_of_a_person_together(data: TrainingData) -> None:
    city = data.city
    exchanged = sensitivity._exchanged(city).earners
    cell = city.dong[city.earners.household] * 100 + city.earners.peer
    before, after = (
        sorted(zip(cell.tolist(), e.labour.tolist(), e.business.tolist(), strict=True)) for e in (city.earners, exchanged)
    )
    assert before == after
    assert (exchanged.labour != city.earners.labour).mean() > 0.3
    assert ((exchanged.labour > 0) == (city.earners.labour > 0)).all()
    assert (np.sign(exchanged.business) == np.sign(city.earners.business)).all()
    order = np.random.default_rng(3).permutation(city.earners.key.size)
    of_order = replace(
        city.earners,
        **{name: getattr(city.earners, name)[order] for name in ("household", "peer", "labour", "business", "key")},
    )
    again = sensitivity._exchanged(replace(city, earners=of_order)).earners
    np.testing.assert_array_equal(again.labour, exchanged.labour[order])


def test_without_ranks_fits_are_those_of_the_exchanged_city(data: TrainingData) -> None:
    point = fitted(data, 0.15)
    exchanged = sensitivity._exchanged(data.city)
    without = fit_income(data.survey, exchanged, data.published, draws=1, seed=1).draws[0]
    figure, of_model = (sensitivity._figures(p, city)["p90"][0][0] for p, city in ((without, exchanged), (point, data.city)))
    found = rank_sensitivity(data, point, seed=1)[-1]
    assert found.key == "no_ranks"
    assert found.moves["p90"] == pytest.approx(figure / of_model - 1.0, rel=1e-9)
