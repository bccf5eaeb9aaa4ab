"""The notebooks, executed on the sample months."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from living_finance.contracts import gold, silver
from living_finance.storage.warehouse import Warehouse
from notebook_cells import Cell, execute
from sample_months import FEBRUARY, read

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
PICTURES = {"01_first_look": 3, "02_from_evidence_to_households": 4, "03_policy_analyses": 7, "04_income_model": 9}
"""Notebook → pictures in it."""


@pytest.mark.parametrize("name", PICTURES)
def test_a_notebook_runs_and_draws_its_pictures(
    spark: SparkSession, store: Warehouse, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the session of the tests, which it may not stop."""
    monkeypatch.setenv("DEMO_WAREHOUSE", store.root)
    monkeypatch.setattr("living_finance.session.build_session", lambda *_, **__: spark)
    monkeypatch.setattr(SparkSession, "stop", lambda _: None)
    cells, names = execute(NOTEBOOKS / f"{name}.py")
    pictures = {f"{number} {cell.source.rstrip().splitlines()[-1]}": cell for number, cell in enumerate(cells) if cell.is_picture}
    assert len(pictures) == PICTURES[name], list(pictures)
    assert [line for line, cell in pictures.items() if not (cell.rows_drawn > 0 and cell.colours() > 10)] == []
    assert [cell.source for cell in cells if isinstance(cell.value, pd.DataFrame) and cell.value.empty] == []
    if name == "02_from_evidence_to_households":
        _check_addresses_and_map(cells, names, store)
        _check_the_household_that_is_followed(names, store)


def _check_addresses_and_map(cells: list[Cell], names: dict[str, Any], store: Warehouse) -> None:
    """Records of both sources at an address of each kind; every dong on the map, with how well householding went."""
    assert set(names["chosen"]) == {"apartment", "multi_family", "officetel"}
    walked = [cell.value for cell in cells if cell.source.startswith("people_of(")]
    assert len(walked) == 3
    for rows in walked:
        assert {"bureau", "register"} <= set(rows.index.get_level_values("source"))
        assert rows["evidence"].notna().any() and rows["probability"].dropna().between(0.0, 1.0).all()
    dongs = read(store, silver.PLACED_PERSON).where("has_household").select("dong_code").distinct().count()
    mapped = next(cell for cell in cells if cell.is_picture and "map_of" in cell.source)
    assert mapped.rows_drawn == dongs == len(names["quality"])
    assert names["quality"][["probability", "margins_met"]].notna().all(axis=None)


def _check_the_household_that_is_followed(names: dict[str, Any], store: Warehouse) -> None:
    """Its rows are those of the tables from bronze on, and its dong's mean is what households bring."""
    followed = names["WALKED"]
    members = store.read(gold.HOUSEHOLD_MEMBER, base_month=FEBRUARY).where(F.col("household_id") == followed).collect()
    assert (
        len(members) >= 2 and len(names["delivered"]) == len(names["cleansed"]) == len(members) == names["own"]["bureau_members"]
    )
    assert names["delivered"]["row_number"].notna().all() and (names["cleansed"]["edits"].map(len) > 0).any()
    part = names["part"]
    assert part["Σ weight × income / Σ weight, 만원"] == pytest.approx(part["published mean 공표 평균, 만원"], abs=1e-3)
    assert 0 < part["what this household brings of the mean 이 가구의 몫, 만원"] < part["published mean 공표 평균, 만원"]


def test_every_notebook_is_executed() -> None:
    assert {file.stem for file in NOTEBOOKS.glob("*.py")} == set(PICTURES)
