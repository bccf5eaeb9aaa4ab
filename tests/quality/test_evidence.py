"""The aggregates that a month's quality rests on, from a few rows of each table, and its tables as they are stored."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from evidence_rows import DONGS, evidence, two_months
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T
from statsmodels.regression.linear_model import WLS

from living_finance.config import QualitySettings
from living_finance.contracts import gold
from living_finance.contracts import quality as q
from living_finance.contracts.core import Table
from living_finance.quality import evidence as ev
from living_finance.quality.cross_validation import cross_validation
from living_finance.quality.tables import quality_tables
from living_finance.storage.warehouse import Warehouse

HERE, THERE = DONGS[0], DONGS[2]


def test_moves_are_counted_where_households_came_from_and_went_to(spark: SparkSession) -> None:
    lineage = spark.createDataFrame(
        [
            ("moved", HERE, THERE),
            ("moved", HERE, HERE),
            ("new", HERE, None),
            ("ended", None, THERE),
            ("unchanged", HERE, HERE),
            ("split", HERE, HERE),
            ("first", HERE, None),
        ],
        "event string, dong_code string, previous_dong_code string",
    )
    found = {(row["dong_code"], row["event"]): row["observed"] for row in ev.dong_moves(lineage).collect()}
    assert found == {
        (HERE, "moved_in"): 1,
        (THERE, "moved_out"): 1,
        (HERE, "household_new"): 1,
        (THERE, "household_ended"): 1,
    }


def test_deaths_are_counted_by_the_dong_that_was_delivered(spark: SparkSession) -> None:
    set_aside = spark.createDataFrame(
        [
            ("bureau_persons", "a", 1, ["deceased:true"]),
            ("bureau_persons", "a", 2, ["row:repeated"]),
            ("bureau_persons", "a", 3, ["row:repeated", "deceased:true"]),
            ("city_residents", "a", 4, ["deceased:true"]),
        ],
        "table_name string, file_name string, row_number bigint, reasons array<string>",
    )
    delivered = spark.createDataFrame(
        [("a", 1, HERE), ("a", 2, HERE), ("a", 3, None), ("a", 4, HERE), ("b", 1, THERE)],
        "file_name string, row_number bigint, home_dong string",
    )
    assert [tuple(row) for row in ev.dong_deaths(set_aside, delivered=delivered).collect()] == [(HERE, 1)]


def test_sums_are_the_same_in_any_order(spark: SparkSession) -> None:
    names = [*gold.INCOME_COMPONENTS, "debt_krw", "spending_krw_month"]
    rows = [("11110", 0.1 * k, *(1e7 * k + 0.3,) * len(names)) for k in range(1, 40)]
    schema = f"gu_code string, weight double, {', '.join(f'{name} double' for name in names)}"
    found = [ev.survey_sums(spark.createDataFrame(given, schema).coalesce(1)).collect() for given in (rows, rows[::-1])]
    assert found[0] == found[1]


def test_means_of_the_survey_have_the_error_of_its_sample(spark: SparkSession) -> None:
    """As a weighted regression on a constant has with robust errors (HC1); who did not answer counts for nothing."""
    rng = np.random.default_rng(5)
    names = [*gold.INCOME_COMPONENTS, "debt_krw", "spending_krw_month"]
    weight, debt = rng.uniform(100.0, 900.0, 80), rng.lognormal(17.0, 1.5, 80)
    debt[rng.random(80) < 0.4] = 0.0
    answers = [None] * 7 + debt[7:].tolist()
    rows = [("11110", float(w), *(1.0,) * 5, y, 1.0) for w, y in zip(weight, answers, strict=True)]
    schema = f"gu_code string, weight double, {', '.join(f'{name} double' for name in names)}"
    given = replace(evidence(), survey=ev.survey_sums(spark.createDataFrame(rows, schema)).toPandas())
    found = cross_validation(given).query("measure == 'mean_debt_krw' and source == 'survey'")
    fitted = WLS(debt[7:], np.ones(73), weights=weight[7:]).fit(cov_type="HC1")
    assert sorted(found["region_level"]) == ["city", "gu"]
    for row in found.itertuples():
        assert row.value == pytest.approx(fitted.params[0]) and row.standard_error == pytest.approx(fitted.bse[0], rel=1e-6)


def test_survey_areas_and_targets_are_summed(spark: SparkSession) -> None:
    names = [*gold.INCOME_COMPONENTS, "debt_krw", "spending_krw_month"]
    survey = spark.createDataFrame(
        [("11110", 2.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, None), ("11110", 3.0, None, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)],
        f"gu_code string, weight double, {', '.join(f'{name} double' for name in names)}",
    )
    row = ev.survey_sums(survey).collect()[0]
    assert (row["surveyed"], row["w_total"], row["s_total"]) == (2, 2.0, 30.0)
    assert (row["w_spending_krw_month"], row["s_spending_krw_month"], row["w_debt_krw"]) == (3.0, 21.0, 5.0)
    areas = spark.createDataFrame(
        [
            (f"{HERE}0001", 10, 9, 10.0, 11, 10.4, True),
            (f"{HERE}0002", 5, 5, 5.0, 4, 6.0, False),
            (f"{THERE}0001", 2, 1, 2.0, 0, 0.0, True),
        ],
        "output_area_id string, census_households bigint, register_households bigint, target_households double,"
        " formed_households bigint, weighted_households double, is_converged boolean",
    )
    of_dong = {row["dong_code"]: row for row in ev.dong_areas(areas).collect()}
    assert (of_dong[HERE]["areas"], of_dong[HERE]["areas_met"], of_dong[HERE]["areas_converged"]) == (2, 1, 1)
    assert of_dong[HERE]["census_households"] == 15 and of_dong[THERE]["areas_met"] == 1
    targets = spark.createDataFrame(
        [("tenure", True), ("tenure", False), ("population", False)], "margin string, is_relaxed boolean"
    )
    assert {(r["margin"], r["targets"], r["kept"]) for r in ev.margin_targets(targets).collect()} == {
        ("tenure", 2, 1),
        ("population", 1, 1),
    }


def test_a_published_table_is_counted_by_key_rule_and_region(spark: SparkSession) -> None:
    """A row twice, a share above one, a quantile above the next; of the city everybody once."""
    table = gold.HOUSEHOLD_BREAKDOWN

    def row(level: str, code: str, dimension: str, households: float, **values: object) -> tuple[object, ...]:
        place = {"base_month": dt.date(2020, 1, 1), "region_level": level, "region_code": code, "dimension": dimension}
        cell = {"category": "1", "households": households, "is_provisional": False, "reliability": "publishable"}
        return tuple((place | cell | values).get(name) for name in table.column_names)

    rows = [
        row("city", "11", "dwelling_type", 30.0),
        row("city", "11", "tenure", 30.0),
        row("gu", "11110", "tenure", 20.0, p10_total_income_krw_year=2, p25_total_income_krw_year=1),
        row("gu", "11110", "tenure", 20.0, is_provisional=True),
        row("dong", HERE, "tenure", 20.0, share_with_debt=1.5),
        row("dong", THERE, "tenure", 20.0, reliability="caution"),
        row("dong", THERE, "dwelling_type", 20.0, reliability=None),
    ]
    schema = T.StructType([T.StructField(field.name, field.dataType) for field in table.schema()])
    facts = ev.product_facts(spark.createDataFrame(rows, schema), table).collect()[0].asDict()
    assert facts == {
        "table": "gold.household_breakdown", "rows": 7, "keys": 6, "valid": 5, "final": 6, "dongs": 2, "judged": 2,
        "publishable": 1, "of_districts": 40.0, "of_city": 60.0, "covered": 30.0,
    }  # fmt: skip


def test_rows_of_households_and_members_are_counted(spark: SparkSession) -> None:
    """A household twice, one with a member too many, one without a place; a member of no household, one twice."""

    def home(name: str, members: int, **values: object) -> tuple[object, ...]:
        plain: dict[str, object] = {
            "household_id": name,
            "bureau_members": members,
            "weight": 2.0,
            "debt_krw": 100,
            "is_provisional": False,
        }
        plain |= {"base_month": dt.date(2020, 1, 1), "output_area_id": f"{HERE}0001", "dwelling_type": "apartment"}
        plain |= dict.fromkeys(gold.INCOME_COMPONENTS, 0) | {"labour_income_krw_year": 30, "total_income_krw_year": 30}
        return tuple((plain | values).get(column) for column in gold.HOUSEHOLD.column_names)

    def frame(table: Table, rows: list[tuple[object, ...]]) -> DataFrame:
        return spark.createDataFrame(rows, T.StructType([T.StructField(f.name, f.dataType) for f in table.schema()]))

    household = frame(
        gold.HOUSEHOLD,
        [
            home("H1", 2, is_provisional=True),
            home("H2", 1, weight=1.0, debt_krw=800, labour_income_krw_year=60),
            home("H3", 0, output_area_id=None, dwelling_type=None, weight=0.0),
            home("H4", 1),
            home("H4", 1),
        ],
    )
    persons = [("P1", "H1", 1.0), ("P2", "H1", 0.5), ("P3", "H2", 0.5), ("P4", "H2", 0.75), ("P5", "H9", 1.25), ("P5", "H4", 0.5)]
    members = frame(gold.HOUSEHOLD_MEMBER, [(dt.date(2020, 1, 1), "11110", p, h, "alone", share) for p, h, share in persons])
    placed = spark.createDataFrame([(True,)] * 6 + [(False,)], "has_household boolean")
    assert ev.link_facts(household, members).collect()[0].asDict() == {"households": 4, "agreeing": 2, "linked": 4}
    assert ev.member_facts(members, placed).collect()[0].asDict() == {
        "rows": 6, "keys": 5, "valid": 5, "sure": 4.5, "residents": 6
    }  # fmt: skip
    found = ev.household_facts(household).collect()[0].asDict()
    # A total that is not the sum of its components breaks a check.
    assert [found[name] for name in ("rows", "placed", "valid", "final", "covered")] == [5, 4, 4, 4, 7.0]
    assert found["debt_krw"] == pytest.approx((2 * 100 * 3 + 800) / 7)


@pytest.mark.parametrize("found", [evidence(), two_months()], ids=["first month", "second month"])
def test_tables_are_stored_with_every_constraint(spark: SparkSession, tmp_path: Path, found: ev.Evidence) -> None:
    tables = quality_tables(found, QualitySettings())
    assert set(tables) == set(q.QUALITY_TABLES)
    store, month = Warehouse(spark, str(tmp_path)), dt.date(2020, 2, 1)
    for table, rows in tables.items():
        frame = store.frame(table, rows.assign(base_month=month))
        assert frame.schema.simpleString() == table.schema().simpleString()
        store.commit(table, frame, partition={"base_month": month}, expected_rows=len(rows))
        stored = store.read(table).toPandas()
        assert len(stored.drop_duplicates(list(table.key))) == len(rows)
        assert pd.isna(rows.to_numpy()).sum() == pd.isna(stored.to_numpy()).sum()
