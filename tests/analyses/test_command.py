"""The command and its step: what is listed, and what is refused before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from typer.testing import CliRunner

from living_finance.analyses.registry import ANALYSES
from living_finance.cli import app
from living_finance.config import AnalysisSettings, load_settings
from living_finance.errors import ConfigurationError
from living_finance.months import Month
from living_finance.steps.analyse import analyse
from living_finance.storage.warehouse import Warehouse

ROOT = Path(__file__).parents[2]


def test_the_list_names_every_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("living_finance.cli.console.width", 250, raising=False)
    listed = CliRunner().invoke(app, ["analyse", "--list"])
    assert listed.exit_code == 0
    assert len(ANALYSES) == 15
    assert all(analysis.tables for analysis in ANALYSES.values())


@pytest.mark.parametrize(("name", "region"), [("gini", "11"), ("inequality", "111"), ("inequality", "Mapo")])
def test_unknown_names_and_regions_are_refused(name: str, region: str) -> None:
    nothing_is_read = cast("Warehouse", object())
    with pytest.raises(ConfigurationError):
        analyse(nothing_is_read, name, month=Month(2020, 1), region=region, settings=AnalysisSettings())


@pytest.mark.parametrize(
    "arguments", [[], ["inequality"], ["inequality", "--warehouse", ".", "--month", "202001", "--out", "x.xlsx"]]
)
def test_an_incomplete_command_says_what_is_missing(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["analyse", *arguments])
    assert isinstance(result.exception, ConfigurationError)


def test_the_example_settings_are_the_defaults() -> None:
    assert load_settings(ROOT / "conf" / "local.yaml").analyses == AnalysisSettings()
