"""Purge: what goes is in no file any more, what the next month needs stays, and the ledger remembers."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from living_finance.cli import app
from living_finance.config import RetentionSettings, Settings
from living_finance.contracts import gold, silver
from living_finance.contracts.bronze import BRONZE_TABLES
from living_finance.contracts.core import Column, Kind, Table
from living_finance.errors import MissingInput
from living_finance.months import Month, parse_months
from living_finance.steps.month import MonthRun, refuse_purged
from living_finance.steps.purge import PURGED, PURGED_TABLES, PurgePlan, plan_purge, purge
from living_finance.storage.ledger import Ledger, StepRecord
from living_finance.storage.postgres_server import folder_of
from living_finance.storage.warehouse import Warehouse

MONTHS = parse_months("202001..202004")
TABLES = (BRONZE_TABLES["bureau_persons"], silver.HOUSEHOLD_REGISTER, gold.HOUSEHOLD_MEMBER)


def value(column: Column, month: Month) -> Any:
    """A value that the column's contract allows, other in each month for identifiers."""
    if column.kind is Kind.MONTH:
        return month.date
    if column.name.endswith("_id"):
        return f"{column.name[0].upper()}{month}X7"
    if column.codes is not None and column.kind is Kind.CODE:
        return column.codes.codes[0]
    if column.kind is Kind.CODES:
        return []
    if column.kind is Kind.FLAG:
        return False
    if column.kind in (Kind.TEXT, Kind.KEY, Kind.CODE):
        return "11140"
    kind = float if column.kind in (Kind.DECIMAL, Kind.AMOUNT) else int
    return kind(column.minimum or 0)


def filled(spark: SparkSession, root: Path) -> Warehouse:
    store = Warehouse(spark, str(root))
    for month in MONTHS:
        for table in TABLES:
            rows = spark.createDataFrame([tuple(value(c, month) for c in table.columns)], table.schema())
            store.commit(table, rows, partition=slice_of(table, month))
        Ledger(store.root).record(month, StepRecord("households", "x", (), 1.0, {}))
    return store


def slice_of(table: Table, month: Month) -> dict[str, dt.date]:
    return {("delivery_month" if table in BRONZE_TABLES.values() else "base_month"): month.date}


def found_in(root: Path, text: str) -> list[str]:
    """Files whose Parquet values or plain bytes hold the text."""
    found = []
    for file in (path for path in root.rglob("*") if path.is_file()):
        if file.suffix == ".parquet":
            columns = pq.ParquetFile(file).read().columns
            values = {str(v) for column in columns for v in column.to_pylist()}
            if any(text in v for v in values):
                found.append(file.name)
        elif text.encode() in file.read_bytes():
            found.append(file.name)
    return found


def test_what_is_purged_is_in_no_file_and_what_is_needed_stays(spark: SparkSession, tmp_path: Path) -> None:
    store = filled(spark, tmp_path / "warehouse")
    keep = RetentionSettings(bronze_months=1, silver_months=3)
    plan = plan_purge(store, before=Month(2021, 1), retention=keep)
    assert [(table.name, str(next(iter(part.values())))[:7]) for table, part, _ in plan.slices] == [
        ("bureau_persons", "2020-01"),
        ("bureau_persons", "2020-02"),
        ("bureau_persons", "2020-03"),
        ("household_register", "2020-01"),
        ("household_member", "2020-01"),
    ]
    reasons = {str(month): why for month, why in plan.kept}
    assert reasons.keys() == {"202002", "202003", "202004"}
    assert "next takes its household ids" in reasons["202004"] and "retention" in reasons["202002"]
    assert found_in(tmp_path, "P202001X7"), "a plan changes nothing"

    purge(store, before=Month(2020, 3), retention=keep)
    assert found_in(tmp_path, "P202001X7") == []
    assert found_in(tmp_path, "R202001X7") == []
    assert {n.split(".")[-1] for n in found_in(tmp_path, "P202002X7")} == {"parquet"}, "its member row is kept"
    assert store.read(BRONZE_TABLES["bureau_persons"]).count() == 2
    note = Ledger(store.root).find(MONTHS[0], PURGED)
    assert note is not None and note.facts["rows"] == dict.fromkeys(
        ("bronze.bureau_persons", "silver.household_register", "gold.household_member"), 1
    )
    Ledger(store.root).check_versions()
    assert purge(store, before=Month(2020, 3), retention=keep).slices == (), "again: nothing"

    february = MonthRun(store, MONTHS[1], Settings(), {})
    with pytest.raises(MissingInput, match="people of 202001 were purged"):
        refuse_purged(february, MONTHS[0], {"gold.household_member"})
    refuse_purged(february, MONTHS[2], {"gold.household_member"})
    refuse_purged(february, MONTHS[1], {"gold.household_member"})


def test_nothing_is_purged_where_nothing_is_made(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(MissingInput):
        purge(Warehouse(spark, str(tmp_path)), before=MONTHS[1], retention=RetentionSettings())


def test_every_table_with_people_is_purged() -> None:
    names = {table.qualified_name for table in PURGED_TABLES}
    assert names == {
        *("bronze.bureau_persons", "bronze.city_residents"),
        *("silver.person", "silver.placed_person", "silver.register_person", "silver.household", "silver.household_register"),
        "silver.survey_household",
        "gold.household_member",
    }


def test_the_servers_log_is_kept_as_long_as_records_of_access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A direct login leaves its only trace there. Tables and records are as if there were none to purge."""
    folder = folder_of(str(tmp_path))
    folder.mkdir()
    log, server = folder / "log", folder / "postmaster.pid"
    today = dt.date.today()
    old, kept = (today - dt.timedelta(days=days) for days in (740, 720))
    before = f"{old} 09:00:00.123 KST kim psql LOG:  statement: select 'old',\n\t{kept} 09:00:00\n\tfrom restricted.household\n"
    after = "".join(f"{day} 09:00:00.123 KST kim psql LOG:  statement: select 'new',\n\t{old}\n" for day in (kept, today))
    log.write_text("no day\n" + before + after)
    log.chmod(0o600)
    for name in ("purge", "plan_purge"):
        monkeypatch.setattr(f"living_finance.steps.purge.{name}", lambda *_, **__: PurgePlan((), (), ()))
    monkeypatch.setattr("living_finance.cli.people.spark_session", lambda _: contextlib.nullcontext())
    database = contextlib.nullcontext(SimpleNamespace(purge_records=lambda **_: 0))
    monkeypatch.setattr("living_finance.storage.postgres.open_database", lambda *_, **__: database)

    def purged(*more: str) -> str:
        answer = CliRunner().invoke(app, ["purge", "--warehouse", str(tmp_path), "--before", "202001", *more])
        assert answer.exit_code == 0, answer.exception
        return answer.output

    assert "1 entries" in purged("--dry-run") and before in log.read_text()
    server.write_text(f"{os.getpid()}\n")
    assert "in use" in purged() and before in log.read_text()
    server.unlink()
    assert "1 entries" in purged() and log.read_text() == after
    assert log.stat().st_mode & 0o777 == 0o600 and "0 entries" in purged() and log.read_text() == after
    assert {file.name for file in folder.iterdir()} == {"log"}
