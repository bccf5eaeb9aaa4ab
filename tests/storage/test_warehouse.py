"""One slice of a table is one atomic commit that keeps the contract."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from living_finance.contracts.silver import OUTPUT_AREA
from living_finance.errors import ContractViolation, MissingInput
from living_finance.storage.warehouse import Warehouse

JANUARY, FEBRUARY = dt.date(2020, 1, 1), dt.date(2020, 2, 1)


def areas(spark: SparkSession, month: dt.date, *households: int) -> DataFrame:
    rows = [
        (month, f"1{i}", count, count, 1.0, float(count), count, float(count), 1, 0, 0.0, True)
        for i, count in enumerate(households)
    ]
    return spark.createDataFrame(rows, OUTPUT_AREA.schema())


@pytest.fixture(scope="module")
def warehouse(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    store = Warehouse(spark, str(tmp_path_factory.mktemp("warehouse")))
    store.commit(OUTPUT_AREA, areas(spark, JANUARY, 5, 6), partition={"base_month": JANUARY})
    return store


def test_a_slice_is_replaced_and_others_stay(spark: SparkSession, warehouse: Warehouse) -> None:
    done = warehouse.commit(OUTPUT_AREA, areas(spark, FEBRUARY, 1, 2, 3), partition={"base_month": FEBRUARY}, expected_rows=3)
    again = warehouse.commit(OUTPUT_AREA, areas(spark, FEBRUARY, 4), partition={"base_month": FEBRUARY})
    assert (done.rows, again.rows, again.version) == (3, 1, done.version + 1)
    counts = {row["base_month"]: row["count"] for row in warehouse.read(OUTPUT_AREA).groupBy("base_month").count().collect()}
    assert counts == {JANUARY: 2, FEBRUARY: 1}


def test_a_slice_may_be_empty(spark: SparkSession, warehouse: Warehouse) -> None:
    march = dt.date(2020, 3, 1)
    for counts, rows in (((), 0), ((1, 2), 2), ((), 0)):
        done = warehouse.commit(OUTPUT_AREA, areas(spark, march, *counts), partition={"base_month": march}, expected_rows=rows)
        assert done.rows == rows == warehouse.read(OUTPUT_AREA, base_month=march).count()


def test_a_column_that_the_contract_has_gained_joins_the_table(spark: SparkSession, tmp_path: Path) -> None:
    """A warehouse of an earlier version goes on: what is there has no value of it."""
    store = Warehouse(spark, str(tmp_path))
    gained = OUTPUT_AREA.columns[-1].name
    earlier = replace(OUTPUT_AREA, columns=OUTPUT_AREA.columns[:-1])
    store.commit(earlier, areas(spark, JANUARY, 5, 6).drop(gained), partition={"base_month": JANUARY})
    assert store.read(OUTPUT_AREA).where(F.col(gained).isNull()).count() == 2
    store.commit(OUTPUT_AREA, areas(spark, FEBRUARY, 4), partition={"base_month": FEBRUARY})
    found = store.read(OUTPUT_AREA).groupBy("base_month").agg(F.count(F.lit(1)), F.count(gained)).orderBy("base_month")
    assert [tuple(row) for row in found.collect()] == [(JANUARY, 2, 0), (FEBRUARY, 1, 1)]


BROKEN: list[tuple[str, dict[str, str | None], str]] = [
    ("a column of another type", {"formed_households": "'7'"}, "formed_households is string not bigint"),
    ("a missing column", {"formed_households": None}, "missing ['formed_households']"),
    ("an undeclared column", {"surplus": "1"}, "not declared ['surplus']"),
    ("a value out of range", {"formed_households": "cast(-7 as bigint)"}, "formed_households_valid"),
    ("a required value missing", {"formed_households": "cast(null as bigint)"}, "formed_households_valid"),
    ("a required value without a check missing", {"output_area_id": "cast(null as string)"}, "required"),
    ("a row of another slice", {"base_month": "date'2020-02-01'"}, "another slice"),
]


@pytest.mark.parametrize(("case", "change", "message"), BROKEN, ids=[case for case, _, _ in BROKEN])
def test_what_breaks_the_contract_changes_nothing(
    spark: SparkSession, warehouse: Warehouse, case: str, change: dict[str, str | None], message: str
) -> None:
    frame = areas(spark, JANUARY, 5, 6, 7)
    for name, value in change.items():
        frame = frame.drop(name) if value is None else frame.withColumn(name, F.expr(value))
    with pytest.raises(ContractViolation) as raised:
        warehouse.commit(OUTPUT_AREA, frame, partition={"base_month": JANUARY})
    assert message in str(raised.value)
    assert "-7" not in str(raised.value), "no value of a row in a message"
    assert warehouse.read(OUTPUT_AREA, base_month=JANUARY).count() == 2


def test_a_broken_row_balance_is_undone(spark: SparkSession, warehouse: Warehouse) -> None:
    with pytest.raises(ContractViolation, match="3 rows written, 4 expected"):
        warehouse.commit(OUTPUT_AREA, areas(spark, JANUARY, 5, 6, 7), partition={"base_month": JANUARY}, expected_rows=4)
    assert warehouse.read(OUTPUT_AREA, base_month=JANUARY).count() == 2


def test_a_table_that_is_not_there_has_a_remedy(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="earlier steps"):
        Warehouse(spark, str(tmp_path)).read(OUTPUT_AREA)
