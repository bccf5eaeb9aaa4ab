"""Which source a month's tables depend on: a change of it makes finished months due again, any other does not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from living_finance.steps import month
from living_finance.steps.month import APART, code_version

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
