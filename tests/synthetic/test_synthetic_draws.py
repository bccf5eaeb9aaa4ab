"""Random numbers, pseudonyms and splits by key."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from living_finance.synthetic.draws import chosen, generator, lasting, pseudonyms, shared_out
from living_finance.synthetic.dwellings import _capacities, _output_areas
from living_finance.synthetic.plan import _split_detached
from living_finance.synthetic.rows import Rows, numbered_within


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.integers(0, 10_000))
def test_shared_out_adds_up_and_is_off_by_less_than_one(weights: list[float], total: int) -> None:
    given_weights = np.array(weights)
    whole = shared_out(given_weights, total)
    assert whole.sum() == total
    used = given_weights if given_weights.sum() > 0 else np.ones(len(weights))
    assert np.abs(whole - used / used.sum() * total).max() < 1 + 1e-6


@given(st.integers(0, 3000), st.integers(0, 1500))
def test_split_of_detached_keeps_households_and_bounds(households: int, legal: int) -> None:
    in_detached, in_multi_family, detached, multi_family = _split_detached(households, legal)
    assert in_detached + in_multi_family == households
    assert detached <= in_detached <= 3 * max(detached, 1) or in_detached == 0
    assert 2 * multi_family <= in_multi_family <= 20 * multi_family


@given(st.integers(0, 5000), st.integers(1, 60), st.integers(0, 2**31))
def test_capacities_add_up(total: int, count: int, seed: int) -> None:
    places = _capacities(total, count, fewest=2, most=20, shape=2.0, random=generator(seed, "x"))
    assert places.sum() == total
    assert places.min() >= min(2, total // count)
    assert places.max() <= max(20, -(-total // count))


@given(st.integers(1, 30), st.integers(0, 2**31))
def test_output_areas_are_numbered_without_gaps_and_all_lived_in(areas: int, seed: int) -> None:
    random = generator(seed, "areas")
    households = random.integers(0, 30, 200) * (random.random(200) < 0.7)
    households[0] = 3
    area = _output_areas(random.random((200, 2)), households, areas)
    lived_in = np.unique(area[households > 0])
    assert lived_in.tolist() == list(range(1, len(lived_in) + 1))
    assert area.min() >= 1
    assert area.max() <= len(lived_in)


def test_pseudonyms_are_distinct_stable_and_opaque() -> None:
    keys = np.arange(100_000)
    names = pseudonyms(keys, prefix="A", seed=3)
    assert len(set(names.to_pylist())) == len(keys)
    assert names[7:8].to_pylist() == pseudonyms(keys[7:8], prefix="A", seed=3).to_pylist()
    assert names[0].as_py() != pseudonyms(keys[:1], prefix="A", seed=4)[0].as_py()
    masked = pseudonyms(keys[:20], prefix="U", seed=3, is_missing=keys[:20] % 3 == 0)
    assert [value is None for value in masked.to_pylist()] == [key % 3 == 0 for key in range(20)]
    assert masked[1].as_py()[1:] != names[1].as_py()[1:]


def test_generators_differ_by_key_and_repeat() -> None:
    assert generator(1, "a", 2).random() == generator(1, "a", 2).random()
    assert len({generator(1, "a", 2).random(), generator(1, "a", 3).random(), generator(2, "a", 2).random()}) == 3


def test_lasting_numbers_are_uniform_and_stay_for_their_period() -> None:
    keys = np.arange(200_000)
    u = lasting(keys, seed=1, purpose="gap", period=5)
    assert abs(u.mean() - 0.5) < 0.003
    assert abs((u < 0.02).mean() - 0.02) < 0.002
    assert (u == lasting(keys, seed=1, purpose="gap", period=5)).all()
    assert abs(np.corrcoef(u, lasting(keys, seed=1, purpose="gap", period=6))[0, 1]) < 0.01


def test_chosen_follows_the_probabilities() -> None:
    picked = chosen(generator(1, "p"), np.broadcast_to([0.2, 0.0, 0.5, 0.3], (50_000, 4)))
    shares = np.bincount(picked, minlength=4) / len(picked)
    assert np.abs(shares - [0.2, 0.0, 0.5, 0.3]).max() < 0.01
    assert shares[1] == 0


def test_rows_refuse_other_columns_and_number_within_groups() -> None:
    rows = Rows(a=np.array([1, 2]), b=np.array([3, 4]))
    rows.append({"a": np.array([5]), "b": np.array([6])})
    assert rows["a"].tolist() == [1, 2, 5]
    try:
        rows.append({"a": np.array([5])})
    except ValueError as error:
        assert "b" in str(error)
    else:
        raise AssertionError("columns differ")
    assert numbered_within(np.array([7, 3, 7, 7, 3])).tolist() == [0, 0, 1, 2, 1]
