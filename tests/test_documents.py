"""What the documents promise is there: exit codes, links, commands; and nothing names a registry or a machine's folder."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer

from living_finance import errors
from living_finance.cli import app
from living_finance.errors import LivingFinanceError

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "conf").glob("*.md"), *(ROOT / "notebooks").glob("*.md")]
)
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".lock", ".in", ".sh", ".conf", ".properties", ".sha256", ""}
OWN = [
    file
    for folder in (".ci", "benchmarks", "conf", "docker", "docs", "jobs", "notebooks", "src", "tests")
    for file in sorted((ROOT / folder).rglob("*"))
    if file.is_file() and file.suffix in TEXT and "__pycache__" not in file.parts and "data" not in file.parts
] + [file for file in sorted(ROOT.iterdir()) if file.is_file() and file.suffix in TEXT and file.name not in (".git", "LICENSE")]
REGISTRIES = (
    "pypi" + ".",
    "pythonhosted" + ".",
    "maven" + ".org",
    "repo1" + ".maven",
    "docker" + ".io",
    "ghcr" + ".io",
    "mvn" + "repository",
)


def _exit_codes() -> dict[str, int]:
    classes = (value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, LivingFinanceError))
    return {value.__name__: value.exit_code for value in classes if value is not LivingFinanceError}


def test_every_exit_code_is_its_own_and_in_the_operations_table() -> None:
    found = _exit_codes()
    assert len(set(found.values())) == len(found)
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    listed = {name: int(code) for code, name in re.findall(r"^\| (\d+) \| (\w+) \|", text, re.MULTILINE)}
    assert listed == found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def _commands(document: str) -> list[str]:
    """Lines of a document that are commands, and such as stand in a sentence with options."""
    text = (ROOT / document).read_text(encoding="utf-8")
    lines = re.findall(r"^(?:\.venv/bin/)?living-finance (.+)$", text, re.MULTILINE)
    return [line for line in (*lines, *re.findall(r"`living-finance ([a-z][^`]* --[^`]*)`", text)) if " … " not in f"{line} "]


@pytest.mark.parametrize("document", ["README.md", "docs/operations.md"])
def test_the_command_line_takes_every_command_of_a_document(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As written, in a folder that has what the placeholders name; parsed, not run."""
    for folder in ("LANDING", "WAREHOUSE", "RELEASES/portal/202001-v1"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    known, lines = typer.main.get_command(app), _commands(document)
    assert len(lines) > 15
    for line in lines:
        name, *options = shlex.split(line.replace("[", " ").replace("]", " "), comments=True)
        known.commands[name].make_context(name, options)  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="No such option"):
        known.commands["run"].make_context("run", ["--months", "202001"])  # type: ignore[attr-defined]


def test_make_targets_that_documents_name_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        target
        for document in DOCUMENTS
        for target in re.findall(r"(?:`|^)make ([a-z][a-z-]*)", document.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {"demo", "test"} <= named
    assert named <= targets


def test_make_lists_the_commands() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    for target in (
        "setup",
        "demo",
        "editions",
        "test",
        "test-cluster",
        "test-browser",
        "bench",
        "lint",
        "types",
        "docs",
        "cluster-up",
        "cluster-down",
        "mlflow-ui",
        "mlflow-picture",
    ):
        assert f"make {target} " in listed


@pytest.mark.parametrize("file", OWN, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_file_names_a_registry_or_a_machines_folder(file: Path) -> None:
    text = file.read_text(encoding="utf-8").lower()
    # The lock files come from a resolver and hold names, versions and hashes only.
    assert [name for name in REGISTRIES if name in text] == []
    assert re.findall(r"(?:^|[\s\"'(=])/(?:home|root|work|users)/\w+", text) == []
