"""What the assumption of kept ranks does to figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_income import training_data

from living_finance.income import sensitivity
from living_finance.income.model import fit_income
from living_finance.income.sensitivity import MEASURES, NOISE_SHARES, rank_sensitivity
from living_finance.income.training import TrainingData


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return training_data()


def test_the_assumption_made_moves_nothing_and_others_do(data: TrainingData) -> None:
    middle = fit_income(data.survey, data.city, data.published, draws=1, seed=1, noise=NOISE_SHARES[1]).draws[0]
    found = {other.key: other.moves for other in rank_sensitivity(data, middle, seed=1)}
    assert set(found) == {"noise_0", "noise_15", "noise_30", "no_ranks"}
    assert all(set(moves) == set(MEASURES) for moves in found.values())
    assert found["noise_15"] == dict.fromkeys(MEASURES, 0.0)
    assert all(found[key]["dongs"] > 0.001 for key in ("noise_0", "noise_30", "no_ranks"))


def test_dongs_differ_more_the_more_of_the_scores_is_noise(data: TrainingData) -> None:
    def spread(noise: float) -> float:
        point = fit_income(data.survey, data.city, data.published, draws=1, seed=1, noise=noise).draws[0]
        return float(sensitivity._figures(point, data.city)["dongs"].std())

    assert spread(0.0) < spread(0.15) < spread(0.3)


def test_exchanged_scores_stay_in_their_dong_and_peer_group_and_both_of_a_person_together(data: TrainingData) -> None:
    city = data.city
    exchanged = sensitivity._exchanged(city).earners
    cell = city.dong[city.earners.household] * 100 + city.earners.peer
    before, after = (
        sorted(zip(cell.tolist(), e.labour.tolist(), e.business.tolist(), strict=True)) for e in (city.earners, exchanged)
    )
    assert before == after
    assert (exchanged.labour != city.earners.labour).mean() > 0.3
    # Nobody knows whose score is whose when it is asked in another order.
    order = np.random.default_rng(3).permutation(city.earners.key.size)
    of_order = replace(
        city.earners,
        **{name: getattr(city.earners, name)[order] for name in ("household", "peer", "labour", "business", "key")},
    )
    again = sensitivity._exchanged(replace(city, earners=of_order)).earners
    np.testing.assert_array_equal(again.labour, exchanged.labour[order])
