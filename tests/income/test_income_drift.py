"""Population stability: nothing moved is 0, a moved share is seen, classes that come or go are finite."""

from __future__ import annotations

import numpy as np
import pytest
from made_income import training_data

from living_finance.income.diagnostics import sample_profile
from living_finance.income.drift import score_shares, stability
from living_finance.income.model import fit_income


def test_stability_is_the_published_formula() -> None:
    then, now = {"a": 0.2, "b": 0.3, "c": 0.5}, {"a": 0.3, "b": 0.3, "c": 0.4}
    assert stability(then, then) == 0.0
    assert stability(now, then) == pytest.approx(0.1 * np.log(1.5) - 0.1 * np.log(0.8))
    assert stability(now, then) == pytest.approx(stability(then, now))
    assert 1.0 < stability({"a": 0.5, "new": 0.5}, {"a": 1.0}) < 10.0


def test_richer_scores_are_seen() -> None:
    data = training_data(2, households=2000, answers=300)
    draw = fit_income(data.survey, data.city, data.published, draws=1, seed=7).draws[0]
    profile = sample_profile(draw, data.city)
    shares = score_shares(profile)
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-3) and len(shares) > 8
    richer = np.roll(profile, 15, axis=1)  # fifteen bins of the logarithm: incomes 1.78 times as high
    assert stability(score_shares(richer), shares) > 0.25
