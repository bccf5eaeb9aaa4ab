"""What was made of what: one JSON file per month and step, and one manifest per finished month.

Delta itself does not notice a lost last log entry, and has no commit over several tables; the ledger does both.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from living_finance.errors import ConcurrentRun, MissingInput, StorageDamaged
from living_finance.months import Month
from living_finance.storage.warehouse import Commit


@dataclass(frozen=True)
class StepRecord:
    """One step of one month as it was last done."""

    step: str
    fingerprint: str
    commits: tuple[Commit, ...]
    seconds: float
    facts: dict[str, Any]


class Ledger:
    """The ledger of one warehouse."""

    def __init__(self, root: str) -> None:
        self._root = Path(root) / "_ledger"

    def record(self, month: Month, record: StepRecord) -> None:
        """Note that a step is done; replaces the earlier note."""
        _write_atomically(self._step_file(month, record.step), asdict(record))

    def find(self, month: Month, step: str) -> StepRecord | None:
        """The last note of a step, or None; an unreadable note counts as none, so the step is done again."""
        try:
            content = json.loads(self._step_file(month, step).read_text(encoding="utf-8"))
            commits = tuple(Commit(**commit) for commit in content.pop("commits"))
            return StepRecord(commits=commits, **content)
        except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
            return None

    def publish(self, month: Month, records: list[StepRecord]) -> Path:
        """Write the month's manifest (table → version, rows), by which readers know a finished month."""
        tables = {commit.table: {"version": commit.version, "rows": commit.rows} for r in records for commit in r.commits}
        content = {"month": str(month), "fingerprint": records[-1].fingerprint, "tables": dict(sorted(tables.items()))}
        path = self._month_folder(month) / "manifest.json"
        _write_atomically(path, content)
        return path

    def withdraw(self, month: Month) -> None:
        """Remove the month's manifest before one of its tables changes."""
        (self._month_folder(month) / "manifest.json").unlink(missing_ok=True)

    def manifest(self, month: Month) -> dict[str, Any] | None:
        """The manifest of a finished month, or None."""
        try:
            content: dict[str, Any] = json.loads((self._month_folder(month) / "manifest.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return content

    def finished(self, month: Month) -> dict[str, Any]:
        """The manifest of a month that must be finished: table → Delta version, rows. Needs no Spark.

        Raises:
            MissingInput: the warehouse has no such finished month.
        """
        manifest = self.manifest(month)
        if manifest is None:
            raise MissingInput(
                f"{month} is not finished in the warehouse {self._root.parent}.",
                remedy=f"name the warehouse with --warehouse FOLDER, or make the month: living-finance run --month {month}",
            )
        return manifest

    def versions(self, month: Month) -> dict[str, str]:
        """Table → its name with its Delta version in a finished month; empty for another."""
        manifest = self.manifest(month) or {"tables": {}}
        return {name: f"{name} v{entry['version']}" for name, entry in manifest["tables"].items()}

    def models(self, month: Month) -> dict[str, str]:
        """Step → version of the model that a month's figures rest on."""
        records = {step: self.find(month, step) for step in ("households", "income")}
        found = {step: record.facts.get("model_version", "") for step, record in records.items() if record is not None}
        return {step: str(version) for step, version in found.items() if version}

    def model_versions(self, month: Month) -> str:
        """The same in words."""
        return ", ".join(self.models(month).values()) or "unknown"

    def made_by(self, month: Month) -> dict[str, Any] | None:
        """Versions of code, models and Delta tables of a finished month, by their Korean names; None: it is not finished."""
        manifest = self.manifest(month)
        if manifest is None:
            return None
        checked = self.find(month, "quality")
        code = checked.facts.get("code_version", "unknown") if checked else "unknown"
        versions = {name: int(entry["version"]) for name, entry in sorted(manifest["tables"].items())}
        return {"코드 버전": str(code), "모형 버전": self.model_versions(month), "델타 버전": versions}

    def note_release(self, channel: str, release_id: str, *, checksums_sha256: str) -> None:
        """Note what a candidate was when it was made; one made anew replaces it."""
        _write_atomically(self._root / "releases" / f"{channel}-{release_id}.json", {"checksums_sha256": checksums_sha256})

    def release_hash(self, channel: str, release_id: str) -> str | None:
        """SHA-256 of the checksums of a candidate made from this warehouse; None: none was."""
        try:
            content = json.loads((self._root / "releases" / f"{channel}-{release_id}.json").read_text(encoding="utf-8"))
            return str(content["checksums_sha256"])
        except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
            return None

    def months(self) -> list[Month]:
        """Months with any note, in order."""
        return sorted(Month.parse(folder.name) for folder in self._root.glob("[0-9]*") if folder.is_dir())

    def check_versions(self) -> None:
        """Compare each table's newest Delta log entry with the newest version ever noted here.

        Raises:
            StorageDamaged: a table's log ends before, or at an empty file: it would be read as an older state.
        """
        noted: dict[str, dict[Month, int]] = {}
        for file in self._root.glob("[0-9]*/*.json"):
            if file.name == "manifest.json":
                continue
            month = Month.parse(file.parent.name)
            record = self.find(month, file.stem)
            for commit in record.commits if record else ():
                of_table = noted.setdefault(commit.table, {})
                of_table[month] = max(of_table.get(month, -1), commit.version)
        for table, versions in sorted(noted.items()):
            folder = self._root.parent / table.replace(".", "/", 1) / "_delta_log"
            entries = [int(entry.stem) for entry in folder.glob("[0-9]*.json") if entry.stat().st_size > 0]
            last = max(entries, default=-1)
            lost = sorted(month for month, version in versions.items() if version > last)
            if lost:
                months = ", ".join(map(str, lost))
                raise StorageDamaged(
                    f"{table}: the Delta log ends before version {max(versions.values())}, which the ledger knows of {months}.",
                    remedy=f"delete the folders {months} under _ledger and run these months again (docs/operations.md, Repair)",
                )

    @contextlib.contextmanager
    def lock(self, month: Month) -> Iterator[None]:
        """Hold the month: a second run of it on this file system fails at once; a dead run's lock is free.

        Raises:
            ConcurrentRun: another process holds it.
        """
        folder = self._root.parent / "_locks"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / f"{month}.lock", timeout=0):
                yield
        except Timeout:
            raise ConcurrentRun(f"Another run works on {month}.", remedy="wait until it has ended") from None

    def _month_folder(self, month: Month) -> Path:
        return self._root / str(month)

    def _step_file(self, month: Month, step: str) -> Path:
        return self._month_folder(month) / f"{step}.json"


def _write_atomically(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as handle:
        json.dump(content, handle, ensure_ascii=False, indent=1, sort_keys=True)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
