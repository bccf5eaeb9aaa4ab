"""The crosswalk of definitions: what may be met is, what would mislead is refused and says why, the document is current."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from living_finance.contracts.definitions import CROSSWALK, crosswalk_text, refusal
from living_finance.income.published import chosen_figures
from living_finance.months import Month

FINANCES, TREND = "household_finances_survey", "household_trend_survey"


def test_the_committed_crosswalk_is_current() -> None:
    document = Path(__file__).resolve().parents[2] / "docs" / "definitions.md"
    assert document.read_text(encoding="utf-8") == "\n".join(crosswalk_text()) + "\n", "stale: run `make docs`"
    keys = [(row.source, row.indicator) for row in CROSSWALK]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("source", "indicator", "period", "because"),
    [
        (FINANCES, "mean_total_income", "2020", None),
        (FINANCES, "mean_total_income", "2019", None),
        (FINANCES, "mean_total_income", "", None),
        (FINANCES, "mean_total_income", "2018", "2 years"),
        (FINANCES, "mean_total_income", "2021", "-1 years"),
        (TREND, "mean_irregular_income", "2019", "1 years"),
        (FINANCES, "mean_debt", "2020", "deposit"),
        (FINANCES, "mean_disposable_income", "2020", "before tax"),
        (FINANCES, "mean_current_income", "2020", "irregular"),
        ("another_survey", "mean_total_income", "2020", "does not know"),
    ],
)
def test_figures_are_met_or_refused_with_the_reason(source: str, indicator: str, period: str, because: str | None) -> None:
    found = refusal(source, indicator, year=2020, reference_period=period)
    assert found is None if because is None else found is not None and because in found and source in found


def row(source: str, indicator: str, value: float, error: float | None) -> dict[str, Any]:
    return {
        "source": source,
        "indicator": indicator,
        "dimension": "all",
        "category": "all",
        "year": 2020,
        "reference_period": "2020",
        "value": value,
        "relative_standard_error": error,
    }


def test_a_refused_figure_is_not_chosen_however_small_its_error() -> None:
    rows = [
        row("another_survey", "mean_total_income", 1.0, 0.001),
        row(FINANCES, "mean_total_income", 60.0, 0.02),
        row(TREND, "mean_total_income", 61.0, 0.01),
        row(FINANCES, "mean_debt", 90.0, 0.01),
    ]
    figures, refused = chosen_figures(rows, month=Month(2020, 1))
    assert {figure[0]: chosen.value for figure, chosen in figures.items()} == {"mean_total_income": 61.0}
    assert len(refused) == 3 and "mean_debt" in refused[0] and "another_survey" in refused[1]
    assert refused[2] == f"mean_total_income of {FINANCES}: not met, {TREND} stands for it (newest year, then smallest error)"


def test_means_of_groups_are_chosen_where_group_and_definition_are_ours() -> None:
    def of(source: str, indicator: str, dimension: str, category: str, error: float = 0.01) -> dict[str, Any]:
        return row(source, indicator, 50.0, error) | {"dimension": dimension, "category": category}

    total = "mean_total_income"
    ours = [
        of(FINANCES, total, "tenure", "owned"),
        of(FINANCES, total, "head_age", "0-29"),
        of(TREND, total, "tenure", "owned", 0.2),
    ]
    others = [
        of(FINANCES, total, "tenure", "rent_and_other"),
        of(FINANCES, total, "head_age", "0-39"),
        of(FINANCES, "mean_property_income", "tenure", "owned"),
        of("housing_survey", total, "tenure", "free"),
        of(FINANCES, "mean_disposable_income", "tenure", "jeonse"),
    ]
    figures, said = chosen_figures([*ours, *others], month=Month(2020, 1))
    assert {key: found.source for key, found in figures.items()} == {
        (total, "tenure", "owned"): FINANCES,
        (total, "head_age", "0-29"): FINANCES,
    }
    for because in (
        "rent_and_other is none",
        "0-39 is none",
        "mean_property_income by tenure",
        "of housing_survey",
        "before tax",
        f"{total} by tenure owned of {TREND}: not met, {FINANCES} stands for it",
    ):
        assert sum(because in line for line in said) == 1, because
    assert len(said) == len(others) + 1
