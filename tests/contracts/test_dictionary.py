"""The data dictionary is complete, current and for people."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from living_finance.catalog.dictionary import all_tables, data_dictionary, describe_table, find_table, list_tables
from living_finance.cli import app
from living_finance.errors import ConfigurationError

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "data-dictionary.md"


def _shown(renderable: object) -> str:
    console = Console(file=StringIO(), width=240)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_committed_dictionary_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == data_dictionary(), "stale: run `make docs`"


def test_every_table_and_column_is_in_it() -> None:
    text = data_dictionary()
    for name, table in all_tables().items():
        section = text.split(f"\n### {name}\n", 1)[1].split("\n### ", 1)[0]
        missing = [c.name for c in table.columns if f"| {c.name} |" not in section and f"| **{c.name}** |" not in section]
        assert missing == [], name


def test_delivered_tables_of_the_same_name_are_told_apart() -> None:
    assert find_table("delivery.survey_households").label_ko == "검증 조사 가구"
    assert len({id(table) for table in all_tables().values()}) == len(all_tables())


def test_describe_shows_grain_units_codes_and_labels() -> None:
    shown = _shown(describe_table("gold.household"))
    for part in ("month × household", "KRW/year", "총소득", "components_add_up", "jeonse 전세", "total_income_krw_year"):
        assert part in shown
    assert all(name in _shown(list_tables()) for name in all_tables())


@pytest.mark.parametrize("columns", ["80", ""], ids=["terminal", "file"])
def test_describe_answers_on_standard_output_with_whole_names(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns) if columns else monkeypatch.delenv("COLUMNS", raising=False)
    shown = CliRunner().invoke(app, ["describe", "gold.household_statistics"])
    names = all_tables()["gold.household_statistics"].columns
    assert shown.exit_code == 0 and "…" not in shown.stdout
    assert all(column.name in shown.stdout for column in names)


@pytest.mark.parametrize(("name", "message"), [("household", "several layers"), ("gold.nothing", "no table")])
def test_a_name_that_fits_no_table_or_several_is_an_error(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        describe_table(name)


def test_the_layer_may_be_left_out_where_the_name_is_unique() -> None:
    assert find_table("household_statistics") is find_table("gold.household_statistics")
