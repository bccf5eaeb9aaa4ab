"""Person statistics by residence and workplace: known answers and parts that add up."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from living_finance.contracts import codes, gold, silver
from living_finance.months import Month
from living_finance.statistics.persons import person_statistics

NAMES = [
    *("sex", "age_band", "residence", "home_dong", "dong_code", "workplace_dong_code"),
    *(*silver.INCOME_COLUMNS, *silver.SPENDING_COLUMNS, *silver.BALANCE_COLUMNS, "overdue_balance_krw"),
]
SCHEMA = ", ".join(f"{name} {'int' if name == 'age_band' else 'string' if at < 6 else 'double'}" for at, name in enumerate(NAMES))

JONGNO, SAJIK, JUNG = "1111051", "1111053", "1114055"
# Columns as in NAMES: who and where; two incomes; three kinds of spending; four balances; overdue.
PERSONS: list[tuple[Any, ...]] = [
    ("M", 30, "seoul", JONGNO, JONGNO, JUNG, 40e6, 0.0, 1e6, 2e5, 1e5, 1e8, 0.0, 0.0, 0.0, 0.0),
    ("M", 30, "seoul", JONGNO, SAJIK, None, 10e6, 5e6, 5e5, 0.0, 0.0, 0.0, 2e7, 5e6, 1e6, 7.0),
    ("F", 30, "seoul", None, JONGNO, JUNG, 30e6, -2e6, 2e6, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    ("F", 80, "seoul", JUNG, None, None, 0.0, 0.0, 2.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    ("F", 35, "seoul", None, None, JUNG, 50e6, 0.0, 9e5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    ("M", 40, "outside", JONGNO, None, JUNG, 70e6, 0.0, 3e6, 0.0, 0.0, 0.0, 0.0, 3e6, 0.0, 1.0),
    ("M", 40, "unknown", JONGNO, None, None, 9e9, 0.0, 9e9, 9e9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
]


@pytest.fixture(scope="module")
def persons(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(PERSONS, SCHEMA).coalesce(1)


@pytest.fixture(scope="module")
def rows(persons: DataFrame) -> dict[tuple[str, ...], Row]:
    return _collect(person_statistics(persons, month=Month.parse("202001")))


def _collect(frame: DataFrame) -> dict[tuple[str, ...], Row]:
    columns = gold.PERSON_STATISTICS.columns
    assert [(field.name, field.dataType) for field in frame.schema] == [(c.name, c.spark_type) for c in columns]
    collected = frame.collect()
    assert not [column.name for row in collected for column in columns if row[column.name] is None]
    by_key = {tuple(row[name] for name in gold.PERSON_STATISTICS.key[1:]): row for row in collected}
    assert len(by_key) == len(collected)
    return by_key


def test_who_counts_where(rows: dict[tuple[str, ...], Row]) -> None:
    everybody = {key[:3]: row["persons"] for key, row in rows.items() if key[3:] == (codes.ALL, codes.ALL)}
    assert everybody == {
        ("residence", "dong", JONGNO): 2,
        ("residence", "dong", SAJIK): 1,
        ("residence", "dong", JUNG): 1,
        ("residence", "gu", "11110"): 3,
        ("residence", "gu", "11140"): 1,
        ("residence", "city", "11"): 4,
        ("workplace", "dong", JUNG): 4,
        ("workplace", "gu", "11140"): 4,
        ("workplace", "city", "11"): 4,
    }


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param(
            ("residence", "city", "11", codes.ALL, codes.ALL),
            {
                "mean_labour_business_income_krw_year": 20_750_000,
                "median_labour_business_income_krw_year": 15_000_000,
                "mean_labour_income_krw_year": 20_000_000,
                "mean_business_income_krw_year": 750_000,
                "mean_mortgage_balance_krw": 25_000_000,
                "mean_jeonse_loan_balance_krw": 5_000_000,
                "mean_credit_loan_balance_krw": 1_250_000,
                "mean_business_loan_balance_krw": 250_000,
                "mean_debt_krw": 31_500_000,
                "share_with_debt": 0.5,
                "mean_spending_krw_month": 950_001,
                "median_spending_krw_month": 500_000,
                "overdue_share": 0.25,
            },
            id="city by residence",
        ),
        pytest.param(
            ("residence", "gu", "11140", "F", "80"),
            {"mean_spending_krw_month": 2, "median_spending_krw_month": 2, "share_with_debt": 0.0},
            id="half a won goes to the even neighbour",
        ),
        pytest.param(
            ("workplace", "dong", JUNG, codes.ALL, codes.ALL),
            {"median_labour_business_income_krw_year": 40_000_000, "median_spending_krw_month": 1_300_000, "overdue_share": 0.25},
            id="an even number has the lower of its two middles as median",
        ),
        pytest.param(
            ("residence", "gu", "11110", "M", codes.ALL),
            {"persons": 2, "mean_labour_income_krw_year": 25_000_000, "median_spending_krw_month": 500_000},
            id="one sex, all ages",
        ),
    ],
)
def test_known_answers(rows: dict[tuple[str, ...], Row], key: tuple[str, ...], expected: dict[str, float]) -> None:
    assert {name: rows[key][name] for name in expected} == expected


def test_margins_are_the_sum_of_their_parts(rows: dict[tuple[str, ...], Row]) -> None:
    for key, row in rows.items():
        for position in (3, 4):
            if key[position] == codes.ALL:
                parts = [
                    other["persons"]
                    for name, other in rows.items()
                    if name[position] != codes.ALL and (*name[:position], codes.ALL, *name[position + 1 :]) == key
                ]
                assert sum(parts) == row["persons"]


def test_same_rows_whatever_the_partitioning(persons: DataFrame, rows: dict[tuple[str, ...], Row]) -> None:
    assert _collect(person_statistics(persons.repartition(4), month=Month.parse("202001"))) == rows
