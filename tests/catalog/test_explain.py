"""`explain`: what it asks for before it reads anything, and what it says of delivered rows and of published figures."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType
from typer.testing import CliRunner

from living_finance.catalog.explain import FigureFacts, HouseholdFacts, explain_figure, explain_household, transfer_parts
from living_finance.cli import app
from living_finance.contracts.language import IN_DEVELOPMENT
from living_finance.errors import MissingInput
from living_finance.income.estimate import ADJUSTED, adjustment
from living_finance.income.published import Published

FIGURE, HOUSEHOLD = ["gold.household_statistics", "--region", "11140"], ["household", "H1"]


@pytest.mark.parametrize("what", [FIGURE, HOUSEHOLD])
def test_a_month_is_asked_for_by_the_command_line(what: list[str]) -> None:
    asked = CliRunner().invoke(app, ["explain", *what])
    assert asked.exit_code == 2 and "--month" in asked.output


@pytest.mark.parametrize("what", [FIGURE, HOUSEHOLD])
def test_a_month_that_is_not_there_is_told_with_the_warehouse_looked_in(
    what: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --warehouse, as in a folder that is none; said before Spark starts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("living_finance.cli.figures.spark_session", None)
    asked = CliRunner().invoke(app, ["explain", *what, "--month", "202001"])
    assert isinstance(asked.exception, MissingInput) and asked.exception.exit_code == 21
    assert re.search(re.escape(str(tmp_path)) + ".*--warehouse", str(asked.exception))
    assert not list(tmp_path.iterdir())


def text(**changes: Any) -> str:
    """What is said of a district's figure."""
    facts: dict[str, Any] = {
        "table": "gold.household_statistics",
        "month": "202001",
        "region": "1114059",
        "region_name": "마포구 용강동",
        "figures": {},
        "groups": (),
        "rows": 3,
        "deliveries": {},
        "versions": {},
        "weights": {"sum of weights": 60.0},
        "areas": {},
        "edits": [{"table": "bureau_persons", "reason": "all", "rows_kept": 7}],
        "edits_of": "11140 마포구",
        "steps": [{"step": "income", "model_version": "m/3/ab", "registry_number": 3, "trained_on": "202001"}],
        "adjustment": [{"figure": "total", "before_krw_year": 84_487_810, "after_krw_year": 84_020_290}],
        "not_met": ["mean_debt of a survey: not met, another definition"],
        "joint_test": {"figures": 13, "mean_square": 1.21, "freedom": 9.31, "probability": 0.2598},
        "transfers": [],
        "notes": ["benefit programmes go by the rules since 202101"],
    }
    return printed(explain_figure(FigureFacts(**facts | changes)))


def printed(told: RenderableType) -> str:
    console = Console(width=250, file=io.StringIO())
    console.print(told)
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())  # titles are as narrow as their tables


def test_delivered_rows_are_said_to_be_the_districts_or_the_citys() -> None:
    assert "delivered rows of the district 11140 마포구" in text() and "of no district" in text()
    city = text(edits_of="")
    assert "delivered rows of the whole city" in city and "of no district" not in city


def test_income_before_and_after_what_is_not_met_and_the_registered_model_are_said() -> None:
    said = text()
    for wanted in (
        "84,487,810",
        "84,020,290",
        "whole city, before and after",
        "mean_debt of a survey: not met",
        "registry_number",
        "go by the rules since 202101",
        "mean square 1.21 on 9.3 degrees of freedom, probability 0.260",
    ):
        assert wanted in said
    assert IN_DEVELOPMENT.both in said
    assert "made before that was noted" in text(adjustment=()) and "made before that was noted" not in said


def test_persons_have_figures_by_place_and_neither_weights_nor_an_adjustment() -> None:
    by_place = [{"place": "residence", "persons": 1724}, {"place": "workplace", "persons": 1066}]
    said = text(groups=by_place, weights={}, areas={}, targets=(), adjustment=(), not_met=())
    assert "workplace │ 1,066" in said and "no weights, no calibration" in said
    assert "weights of the region" not in said and "made before that was noted" not in said
    assert "weights of the region" in text() and "no weights" not in text()


def test_what_the_ledger_notes_of_the_adjustment() -> None:
    """A figure that nothing was published of stands with nulls; every adjusted mean is there."""
    metrics = {metric: 1000.4 * position for position, (metric, _) in enumerate(ADJUSTED.values(), start=1)}
    published = {("mean_total_income", "all", "all"): Published("survey", 2020, 900.2, 0.012)}
    noted = {entry["figure"]: entry for entry in adjustment(metrics, published)}
    assert noted["total"] == {
        "figure": "total", "before_krw_year": 1000, "published_krw_year": 900, "relative_error": 0.012, "source": "survey 2020",
    }  # fmt: skip
    assert len(noted) == 20 and noted["fifth_5"]["before_krw_year"] == 11004
    assert {entry["published_krw_year"] for name, entry in noted.items() if name != "total"} == {None}
    untouched = {metric: value for metric, value in metrics.items() if "tenure" not in metric}
    assert [entry["figure"] for entry in adjustment(untouched, published)] == list(noted)[:16]


def test_transfers_of_a_region_are_programmes_and_the_rest() -> None:
    paid = [
        {"programme": name, "recipients": 3, "paid_krw_month": krw} for name, krw in (("basic_pension", 100_000), ("new", 10_001))
    ]
    parts = transfer_parts(900_000, households=2.5, paid=paid)
    assert [part["mean_krw_year"] for part in parts] == [480_000, 48_005, 371_995]
    assert (
        parts[0]["part"] == "기초연금 basic_pension"
        and "new new" in parts[1]["part"]
        and "other public and private" in parts[2]["part"]
    )
    assert "by programme as paid" in text(transfers=parts) and "by programme as paid" not in text(transfers=[])


def test_a_households_amounts_are_told_from_the_bureaus_sums_to_what_was_published() -> None:
    facts = HouseholdFacts(
        household={"household_id": "H1", "labour_income_krw_year": 31, "property_income_krw_year": 5, "debt_krw": 72},
        before_income={"bureau_labour_income_krw_year": 27, "bureau_debt_krw": 70},
        members=(),
        register=(),
        lineage=(),
        steps=(),
        adjustment=[{"figure": "labour", "before_krw_year": 48_000_000, "after_krw_year": 50_000_000}],
    )
    said = printed(explain_household(facts))
    assert re.search(r"labour_income_krw_year │ 27 │ [^│]*by rank among peers[^│]* │ 31 │ 48,000,000 │ 50,000,000", said)
    assert re.search(r"property_income_krw_year │ │ [^│]*the survey's model │ 5 │", said)
    assert re.search(r"debt_krw │ 70 │ [^│]*the dong's bureau residents │ 72 │", said)
    assert IN_DEVELOPMENT.both in said
