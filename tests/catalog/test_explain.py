"""`explain`: what it asks for before it reads anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from living_finance.cli import app
from living_finance.errors import MissingInput

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
