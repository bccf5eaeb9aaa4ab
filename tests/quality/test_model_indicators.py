"""Lines on the model that scored a month."""

from __future__ import annotations

from living_finance.config import ModelSettings
from living_finance.months import Month
from living_finance.quality.model import model_indicators

FACTS = {"is_promoted": True, "trained_month": "202001", "stability": {"tenure": 0.3, "score": 0.01}}


def passed(month: Month, **changes: object) -> dict[str, bool]:
    return {line[2]: line[5] for line in model_indicators({**FACTS, **changes}, month=month, settings=ModelSettings())}


def test_age_gate_and_drift_pass_or_not() -> None:
    assert passed(Month(2021, 1)) == {
        "income_model_passed_the_gate": True,
        "income_model_age_months": True,
        "population_stability_score": True,
        "population_stability_tenure": False,
    }
    assert not passed(Month(2021, 2))["income_model_age_months"]
    assert not passed(Month(2020, 1), is_promoted=False)["income_model_passed_the_gate"]


def test_a_month_without_a_registered_model_has_no_lines() -> None:
    assert model_indicators({}, month=Month(2020, 1), settings=ModelSettings()) == []
