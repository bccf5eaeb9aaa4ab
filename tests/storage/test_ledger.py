"""The ledger: notes of steps, the manifest of a month, the lock, and a shortened Delta log."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from living_finance.cli import app
from living_finance.errors import ConcurrentRun, StorageDamaged
from living_finance.months import Month
from living_finance.storage.ledger import Ledger, StepRecord
from living_finance.storage.warehouse import Commit

MONTH = Month(2020, 1)
RECORD = StepRecord("place", "f" * 32, (Commit("silver.address", 2, 10),), 1.5, {"note": 1})


def test_a_note_comes_back_as_written(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    assert ledger.find(MONTH, "place") is None
    ledger.record(MONTH, RECORD)
    assert ledger.find(MONTH, "place") == RECORD
    assert ledger.months() == [MONTH]


def test_a_half_written_note_counts_as_none(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.record(MONTH, RECORD)
    (tmp_path / "_ledger" / "202001" / "place.json").write_text('{"step": "pla')
    assert ledger.find(MONTH, "place") is None


def test_the_manifest_names_versions_until_withdrawn(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.publish(MONTH, [RECORD])
    manifest = ledger.manifest(MONTH)
    assert manifest is not None and manifest["tables"] == {"silver.address": {"version": 2, "rows": 10}}
    ledger.withdraw(MONTH)
    assert ledger.manifest(MONTH) is None


@pytest.mark.parametrize("command", ["status", "models"])
def test_a_warehouse_may_be_named_from_where_one_stands(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delta makes no table at a relative path: every command takes the folder's whole path, and says it in one piece."""
    (tmp_path / "warehouse").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "40")
    shown = CliRunner().invoke(app, [command, "--warehouse", "warehouse"])
    assert shown.exit_code == 0 and f"in {tmp_path / 'warehouse'} yet" in shown.stdout


def test_a_month_is_held_by_one_run(tmp_path: Path) -> None:
    with Ledger(str(tmp_path)).lock(MONTH):
        with pytest.raises(ConcurrentRun), Ledger(str(tmp_path)).lock(MONTH):
            pass
        with Ledger(str(tmp_path)).lock(MONTH.plus(1)):
            pass
    with Ledger(str(tmp_path)).lock(MONTH):
        pass


@pytest.mark.parametrize("damage", ["deleted", "emptied"])
def test_a_lost_log_entry_is_noticed(tmp_path: Path, damage: str) -> None:
    ledger, log = Ledger(str(tmp_path)), tmp_path / "silver" / "address" / "_delta_log"
    log.mkdir(parents=True)
    for version in range(3):
        (log / f"{version:020d}.json").write_text("{}")
    ledger.record(MONTH, RECORD)
    ledger.check_versions()
    last = log / f"{2:020d}.json"
    last.unlink() if damage == "deleted" else last.write_text("")
    with pytest.raises(StorageDamaged, match=rf"silver\.address.* knows of {MONTH}\..* {MONTH} under _ledger"):
        ledger.check_versions()
