"""The house rules, read from the source: who may import whom, where I/O is, what needs a reason beside it.

A line that breaks a rule on purpose carries `# ok: reason` (on it, or alone on the line above).
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "living_finance"

SMALL_SHARED = {"errors", "months", "config", "regions", "dcat"}
"""Modules that every room may import; they import only one another."""
FOUNDATION = {"contracts", "methods"}
WIRING = {"steps", "cli", "jobs"}
"""May import everything."""
ROOMS = {
    "deliveries",
    "cleansing",
    "places",
    "households",
    "income",
    "statistics",
    "quality",
    "analyses",
    "catalog",
    "release",
    "reports",
    "synthetic",
    "evaluation",
}
MAY_IMPORT: dict[str, set[str]] = {
    **dict.fromkeys(ROOMS, SMALL_SHARED | FOUNDATION),
    **dict.fromkeys(SMALL_SHARED, SMALL_SHARED),
    "contracts": {"errors", "months"},
    "methods": {"contracts", "errors", "months"},
    "storage": SMALL_SHARED | {"contracts", "methods"},
    "synthetic": SMALL_SHARED | {"contracts"},
    "session": SMALL_SHARED,
    "tracking": SMALL_SHARED | {"contracts", "session"},
    "registry": SMALL_SHARED | {"tracking"},
    "monitor": SMALL_SHARED,
    "progress": SMALL_SHARED,
    "doctor": SMALL_SHARED | {"session"},
}
"""Part of the house → parts it may import beside itself. A part that is not here must be added, with thought."""

MAY_TOUCH_FILES = {
    *("storage", "synthetic", "evaluation", "steps", "cli", "session", "doctor", "tracking", "registry", "config", "monitor"),
}
MAY_READ_CLOCK_AND_ENVIRONMENT = {
    "storage",
    "steps",
    "cli",
    "session",
    "doctor",
    "tracking",
    "config",
    "monitor",
    "progress",
    "synthetic",
}
MAY_NAME_TRUTH = {"synthetic", "evaluation", "cli"}
"""The generator writes it, evaluation reads it, the command line passes its folder on."""

FILE_CALLS = {
    *("open", "read_text", "write_text", "read_bytes", "write_bytes", "unlink", "mkdir", "rmdir", "touch", "rename"),
    *("to_csv", "to_parquet", "read_csv", "read_parquet", "read_table", "write_table", "saveAsTable", "isDeltaTable", "forPath"),
}
FILE_MODULES = {"delta", "gzip", "shutil", "tempfile", "psycopg", "sqlite3", "pyarrow.parquet", "pyarrow.csv", "socket", "urllib"}
NEEDS_A_REASON = {"print", "collect", "toPandas", "toArrow", "show", "rdd", "rand", "randn", "now", "today", "utcnow"}
CLOCK_AND_ENVIRONMENT = {
    "os.environ",
    "os.getenv",
    "time.time",
    "time.monotonic",
    "time.perf_counter",
    "uuid.uuid4",
    "random.random",
}


@dataclass(frozen=True)
class Source:
    """One module of the package."""

    name: str
    """`households.matching`"""
    text: str

    @property
    def part(self) -> str:
        return self.name.partition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    def has_reason(self, node: ast.AST) -> bool:
        lines = self.text.splitlines()
        first, last = node.lineno, getattr(node, "end_lineno", node.lineno)  # type: ignore[attr-defined]
        above = lines[first - 2].strip() if first >= 2 else ""
        return any("# ok: " in line for line in lines[first - 1 : last]) or above.startswith("# ok: ")

    def imports(self) -> Iterator[tuple[str, ast.AST]]:
        """Full dotted names, `from a import b` as `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, node
            elif isinstance(node, ast.ImportFrom):
                if node.level:
                    yield "relative", node
                for alias in node.names:
                    yield f"{node.module}.{alias.name}", node


def _sources() -> list[Source]:
    files = sorted(PACKAGE.rglob("*.py"))
    names = (".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__") for file in files)
    return [Source(name, file.read_text(encoding="utf-8")) for name, file in zip(names, files, strict=True)]


SOURCES = _sources()


def wrong_imports(source: Source) -> list[str]:
    if source.part in WIRING or source.name == "__init__":
        return []
    allowed = MAY_IMPORT.get(source.part, set()) | {source.part}
    wrong = []
    for imported, node in source.imports():
        if imported == "relative":
            wrong.append(f"line {node.lineno}: relative import")  # type: ignore[attr-defined]
        elif imported.split(".")[0] == "living_finance":
            target = ([*imported.split("."), ""])[1]
            if target not in allowed:
                wrong.append(f"line {node.lineno}: {source.part} may not import {target or 'the package itself'}")  # type: ignore[attr-defined]
    return wrong


def file_access(source: Source) -> list[str]:
    """Calls, readers and writers, and modules that reach files, Delta or a database."""
    found = []
    for node in ast.walk(source.tree):
        what = None
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            what = called if called in FILE_CALLS else None
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute | ast.Call):
            # spark.read.format(…), frame.write.mode(…): reader and writer are attributes, not calls
            is_reader_or_writer = isinstance(node.value, ast.Attribute) and node.value.attr in (
                "read",
                "write",
                "writeTo",
                "writeStream",
            )
            what = ast.unparse(node.value)[-40:] if is_reader_or_writer else None
        if what and not source.has_reason(node):
            found.append(f"line {node.lineno}: {what}")  # type: ignore[attr-defined]
    modules = (f"line {n.lineno}: {m}" for m, n in source.imports() if _is_in(m, FILE_MODULES) and not source.has_reason(n))  # type: ignore[attr-defined]
    return found + list(modules)


def unreasoned(source: Source) -> list[str]:
    """Statements and calls that bring data or chance to the driver, without a reason beside them."""
    found = []
    for node in ast.walk(source.tree):
        what = None
        if isinstance(node, ast.Assert):
            what = "assert"
        elif isinstance(node, ast.Call):
            func = node.func
            is_console = isinstance(func, ast.Attribute) and getattr(func.value, "id", "") == "console"
            called = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
            what = called if called in NEEDS_A_REASON and not is_console else None
        elif isinstance(node, ast.Attribute) and node.attr == "rdd":
            what = "rdd"
        if what and not source.has_reason(node):
            found.append(f"line {node.lineno}: {what}")  # type: ignore[attr-defined]
    return found


def clock_or_environment(source: Source) -> list[str]:
    dotted = (node for node in ast.walk(source.tree) if isinstance(node, ast.Attribute))
    return [
        f"line {n.lineno}: {ast.unparse(n)}"
        for n in dotted
        if ast.unparse(n) in CLOCK_AND_ENVIRONMENT and not source.has_reason(n)
    ]


def joins_without_how(source: Source) -> list[str]:
    """DataFrame joins (two arguments or `on=`) must say how; `", ".join(x)` has one argument and is no join."""
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "join":
            names = {keyword.arg for keyword in node.keywords}
            is_of_frames = len(node.args) > 1 or "on" in names
            if is_of_frames and "how" not in names and len(node.args) < 3 and not _is_path(node.func.value):
                found.append(f"line {node.lineno}")
    return found


def _is_in(module: str, modules: set[str]) -> bool:
    return any(module == known or module.startswith(f"{known}.") for known in modules)


def _is_path(node: ast.AST) -> bool:
    return ast.unparse(node).endswith("path")


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_imports_point_to_the_foundation_only(source: Source) -> None:
    assert wrong_imports(source) == []


def test_every_part_of_the_house_is_known() -> None:
    parts = {source.part for source in SOURCES} - WIRING - {"__init__"}
    assert parts - MAY_IMPORT.keys() == set(), "say in MAY_IMPORT what it may import"


def test_the_foundation_and_the_rooms_have_no_cycles() -> None:
    def reachable(part: str, seen: frozenset[str] = frozenset()) -> set[str]:
        targets = MAY_IMPORT.get(part, set()) - seen
        return targets.union(*(reachable(target, seen | targets) for target in targets)) if targets else set()

    assert [part for part in MAY_IMPORT.keys() - SMALL_SHARED if part in reachable(part)] == []


@pytest.mark.parametrize("source", [s for s in SOURCES if s.part not in MAY_TOUCH_FILES], ids=lambda source: source.name)
def test_files_and_tables_are_touched_in_storage_only(source: Source) -> None:
    assert file_access(source) == []


@pytest.mark.parametrize(
    "source", [s for s in SOURCES if s.part not in MAY_READ_CLOCK_AND_ENVIRONMENT], ids=lambda source: source.name
)
def test_rooms_know_neither_clock_nor_environment(source: Source) -> None:
    assert clock_or_environment(source) == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_what_needs_a_reason_has_one(source: Source) -> None:
    assert unreasoned(source) == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_joins_say_how(source: Source) -> None:
    assert joins_without_how(source) == []


def test_only_generator_and_evaluation_know_truth() -> None:
    """As a name in code or text: a column, a path, an argument. Spoken English in docstrings counts too, on purpose."""
    knowing = {
        source.name for source in SOURCES if source.part not in MAY_NAME_TRUTH and re.search("truth", source.text, re.IGNORECASE)
    }
    assert knowing == set()


def test_generator_and_pipeline_share_contracts_only() -> None:
    """No room, and neither steps nor storage, imports the generator or evaluation; only the command line does."""
    users = {
        source.part
        for source in SOURCES
        for imported, _ in source.imports()
        if _is_in(imported, {"living_finance.synthetic", "living_finance.evaluation"})
        and source.part not in ("synthetic", "evaluation")
    }
    assert users <= {"cli"}


def test_protection_and_the_gate_share_no_code() -> None:
    """Neither imports, by any way, a module that the other does, contracts and small shared modules apart."""
    imports = {
        source.name: {i.removeprefix("living_finance.") for i, _ in source.imports() if i.startswith("living_finance.")}
        for source in SOURCES
    }

    def reached(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
        direct = {m for m in imports if m.startswith("release.") and any(_is_in(i, {m}) for i in imports[name])} - seen
        return direct.union(*(reached(module, seen | direct) for module in direct)) if direct else set()

    protection, gate = ({name, *reached(name)} for name in ("release.protect", "release.verify"))
    assert protection == {f"release.{name}" for name in ("protect", "complement", "differences", "rules")}
    helpers = {f"release.{name}" for name in ("exchange", "programs")} | {
        f"release.verify_{name}" for name in ("findings", "insiders", "links", "population", "texts", "zeros")
    }
    assert gate == {"release.verify", "release.bounds", *helpers}
    protection_of_rows, gate_of_rows = ({name, *reached(name)} for name in ("release.rows", "release.verify_row_links"))
    assert protection_of_rows == {"release.rows", "release.rules"}
    assert gate_of_rows == {"release.verify_row_links", "release.verify_rows", "release.verify_texts"}
    assert reached("release.verify_publications") == set(), "who writes report and maps is of another room"
    gate |= gate_of_rows
    allowed = ("contracts", *SMALL_SHARED)
    assert {i for name in gate for i in imports[name] if i.split(".")[0] not in (*allowed, "release")} == set()


def test_no_module_is_too_large_to_read() -> None:
    assert {source.name: len(source.text) for source in SOURCES if len(source.text) > 40_000} == {}


def test_jobs_are_thin() -> None:
    jobs = sorted((ROOT / "jobs").glob("*.py"))
    assert ROOT / "jobs" / "run_month.py" in jobs
    assert {job.name: lines for job in jobs if (lines := len(job.read_text(encoding="utf-8").splitlines())) > 60} == {}


@pytest.mark.parametrize(
    ("check", "bad", "good"),
    [
        (wrong_imports, "from living_finance.storage.warehouse import Warehouse", "from living_finance.methods import joins"),
        (wrong_imports, "from living_finance import cleansing", "from living_finance import contracts"),
        (wrong_imports, "import living_finance.income.model", "import living_finance.households.matching"),
        (wrong_imports, "from ..income import model", "from pyspark.sql import functions as F"),
        (wrong_imports, "def f():\n    from living_finance.steps import run", "from living_finance.errors import MissingInput"),
        (file_access, "spark.read.parquet('x')", "store.read(table)"),
        (file_access, "frame.write.mode('overwrite').save('x')", "sys.stdout.write('x')"),
        (file_access, "from delta.tables import DeltaTable", "from pyspark.sql import DataFrame"),
        (file_access, "with open('x') as f:\n    pass", "opened = 1"),
        (unreasoned, "frame.collect()", "frame.collect()  # ok: one row per district"),
        (unreasoned, "frame.toPandas()", "# ok: 25 districts\nframe.toPandas()"),
        (unreasoned, "F.rand()", "F.round('x')"),
        (unreasoned, "dt.datetime.now()", "console.print('x')"),
        (unreasoned, "print('x')", "blueprint('x')"),
        (unreasoned, "assert x", "if not x:\n    raise ValueError"),
        (unreasoned, "frame.rdd.map(f)", "frame.select('rdd')"),
        (clock_or_environment, "os.environ['A']", "environment['A']"),
        (joins_without_how, "left.join(right, on='a')", "left.join(right, on='a', how='left')"),
        (joins_without_how, "left.join(right, 'a')", "', '.join(names)"),
    ],
)
def test_each_rule_tells_bad_from_good(check: object, bad: str, good: str) -> None:
    assert callable(check)
    assert check(Source("households.sample", bad)) != []
    assert check(Source("households.sample", good)) == []


def test_no_job_hides_a_standard_module() -> None:
    """spark-submit puts the script's folder first on the path: a jobs/statistics.py would be everybody's `statistics`."""
    jobs = {file.stem for file in (ROOT / "jobs").glob("*.py")}
    assert jobs
    assert not jobs & sys.stdlib_module_names
