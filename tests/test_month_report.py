"""A report of the sample months, and releases of both channels by their commands."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from living_finance.analyses.registry import ANALYSES
from living_finance.analyses.result import KEY
from living_finance.cli import app
from living_finance.config import Settings
from living_finance.contracts.row_files import ROW_FILES
from living_finance.errors import LivingFinanceError
from living_finance.steps.analyse import analyse
from living_finance.steps.report import data_of_warehouse, write_report
from living_finance.storage.warehouse import Warehouse
from sample_months import MONTHS


def test_a_report_holds_every_analysis_as_its_command_gives_it(store: Warehouse, tmp_path: Path) -> None:
    """Several at a time in the report, one alone by its command; the figures of all regions, and every origin is stated."""
    settings = Settings().analyses
    data = data_of_warehouse(store, month=MONTHS[1], year=None, region="11", settings=settings)
    assert {a.name for a in data.analyses} == {name for name, a in ANALYSES.items() if not a.compares_months}
    assert set(data.changes) == {MONTHS[0]} and not any(a.rows.empty for a in (*data.analyses, *data.changes.values()))
    for name in ("inequality", "youth"):
        alone = analyse(store, name, month=MONTHS[1], region="11", settings=settings).toPandas()
        together = next(a.rows for a in data.analyses if a.name == name)
        shown = alone.merge(together[list(KEY)], on=list(KEY), how="inner", validate="one_to_one")
        pd.testing.assert_frame_equal(shown.sort_values(list(KEY), ignore_index=True), together)
    of_dongs = {a.name: set(a.rows.loc[a.rows["region_level"] == "dong", "dimension"]) for a in data.analyses}
    assert {"residence / all", "workplace / all"} <= of_dongs["employment"] & of_dongs["small_business"]
    assert all("all" in of_dongs[name] for name in ("youth", "vulnerable_groups", "jobs_in_reach", "household_moves"))
    assert "employment / age" in of_dongs["vulnerable_groups"]
    (page,) = write_report(data, out=tmp_path, language="ko", formats=["html"])
    text = page.read_text(encoding="utf-8")
    assert all(a.label_ko in text for a in data.analyses)


# --- a release of the same month, by its commands --------------------------------------------------------------------------


def test_a_release_is_made_attacked_signed_and_withdrawn_by_its_commands(
    spark: SparkSession, store: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the session of the tests. A file edited by hand is neither verified nor signed. The campus's beside the portal's."""
    monkeypatch.setattr("living_finance.cli.releases.spark_session", lambda _: contextlib.nullcontext(spark))

    def exit_code(*arguments: str) -> int:
        try:
            app(list(arguments), standalone_mode=False)
        except LivingFinanceError as error:
            return error.exit_code
        return 0

    candidate = tmp_path / "portal" / "202001-v1"
    release = ("release", "--warehouse", store.root, "--month", "202001", "--out", str(tmp_path))
    assert exit_code(*release) == 0
    findings = tmp_path / "findings.csv"
    verify = ("verify-release", str(candidate), "--findings", str(findings))
    assert exit_code(*verify, "--warehouse", store.root) == 0
    assert pd.read_csv(findings).empty
    table = next(candidate.rglob("household_statistics.csv"))
    clean = table.read_bytes()
    table.write_bytes(clean.replace(b"published", b"publishes", 1))
    assert exit_code(*verify) == exit_code("approve", str(candidate), "--approver", "Kim") == 62
    table.write_bytes(clean)
    assert exit_code("approve", str(candidate), "--approver", "Kim") == 0
    assert exit_code("approve", str(candidate), "--approver", "Kim") == 61
    assert exit_code(*verify, "--warehouse", store.root) == 0
    campus = tmp_path / "campus" / "202001-v1"
    assert exit_code(*release, "--channel", "campus") == 0
    assert all(len(pd.read_parquet(campus / f"data/{name}.parquet")) > 100 for name in ROW_FILES), "of the people of gold"
    of_campus = ("verify-release", str(campus), "--findings", str(findings), "--warehouse", store.root)
    assert exit_code(*of_campus) == exit_code("approve", str(campus), "--approver", "Kim") == 0
    withdraw = ("withdraw", str(candidate), "--reason", "tried", "--approver", "Kim")
    assert [exit_code(*withdraw), exit_code(*withdraw)] == [0, 61]
