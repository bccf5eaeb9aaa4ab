"""Which source a month's tables depend on: a change of it makes finished months due again, any other does not."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import cast

import pytest
from pyspark.sql import SparkSession

from living_finance.cli import months
from living_finance.config import Settings, conf_file
from living_finance.errors import ConfigurationError
from living_finance.months import Month
from living_finance.steps import month
from living_finance.steps.month import APART, STEPS, MonthRun, code_version, fingerprints
from living_finance.storage.register import Delivery
from living_finance.storage.warehouse import Warehouse

PACKAGE = Path(month.__file__).parents[1]


def _imported(file: Path) -> set[Path]:
    """Files of the package that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    inside = (PACKAGE.joinpath(*name.split(".")[1:]) for name in names if name.split(".")[0] == "living_finance")
    return {found for path in inside for found in (path.with_suffix(".py"), path / "__init__.py") if found.is_file()}


def test_a_month_imports_nothing_that_its_version_leaves_out() -> None:
    seen: set[Path] = set()
    waiting = {Path(month.__file__)}
    while waiting:
        file = waiting.pop()
        seen.add(file)
        waiting |= _imported(file) - seen
    reached = {file.relative_to(PACKAGE).as_posix() for file in seen}
    assert {"income/estimate.py", "statistics/households.py", "storage/warehouse.py"} <= reached
    assert [name for name in sorted(reached) if name in APART or name.split("/")[0] in APART] == []


@pytest.mark.parametrize(
    ("changed", "is_due"),
    [
        ("income/estimate.py", True),
        ("steps/month.py", True),
        ("quality/report.py", True),
        ("reports/charts.py", False),
        ("steps/report.py", False),
        ("synthetic/city.py", False),
        ("reports/templates/report.css", False),
    ],
)
def test_a_change_makes_months_due_only_where_they_depend_on_it(
    changed: str, is_due: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("income/estimate.py", "quality/report.py", "steps/month.py", "steps/report.py", "reports/charts.py", changed):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("a = 1\n", encoding="utf-8")
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path)
    before = code_version()
    (tmp_path / changed).write_text("a = 2\n", encoding="utf-8")
    assert (code_version() != before) is is_due


def test_other_rules_of_programmes_make_incomes_of_their_months_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where conf/ is, its file counts; without one, that of the package or checkout."""
    january, census = Month(2020, 1), {"census": Delivery("census", Month(2020, 11), 0, "a", {})}

    def made(wanted: Month) -> dict[str, str]:
        return fingerprints(MonthRun(Warehouse(cast(SparkSession, None), str(tmp_path)), wanted, Settings(), census))

    def due() -> list[str]:
        return [name for name, fingerprint in made(january).items() if fingerprint != packaged[name]]

    monkeypatch.chdir(tmp_path)
    packaged, text = made(january), conf_file("programmes.yaml").read_text(encoding="utf-8")
    (tmp_path / "conf").mkdir()
    here = tmp_path / "conf" / "programmes.yaml"
    here.write_text(text.replace("1_827_831", "1_900_000"), encoding="utf-8")  # of 2021
    assert due() == []
    here.write_text(text.replace("1_757_194", "1_800_000"), encoding="utf-8")
    assert due() == ["income", "statistics", "quality"]
    with pytest.raises(ConfigurationError, match="201712: they begin with 201801"):
        made(Month(2017, 12))
    with pytest.raises(ConfigurationError, match=r"No file conf/none\.yaml"):
        conf_file("none.yaml")


def test_help_names_the_steps_that_there_are() -> None:
    """It repeats them, so that `--help` does not import Spark."""
    assert months._STEPS.split(", ") == [step.name for step in STEPS]
