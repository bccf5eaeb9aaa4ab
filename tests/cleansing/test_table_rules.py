"""What becomes of each kind of row of the other tables: `changes | outcome | value of the kept row`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bronze_rows import MONTH, REGIONS, bronze_frame, changes, delivered_frame, sample_regions, shape_of_schema
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from living_finance.cleansing import reference, register, yearly
from living_finance.cleansing.disposition import Cleansed, disposition_counts
from living_finance.contracts import silver
from living_finance.contracts.core import Table
from living_finance.months import Month

CENSUS_MONTH = Month(2020, 11)

RESIDENTS = """
                                | kept
                                | kept
status=unknown_residence        | removed status:unknown_residence
status=overseas                 | removed status:overseas
status=gone                     | quarantined status:unknown_code
age=121                         | quarantined age:above_range
age=-1                          | quarantined age:below_range
dong_code=9                     | quarantined dong_code:unknown_dong
register_household_id=          | quarantined register_household_id:missing
status=overseas, sex=X          | quarantined sex:unknown_code
"""
BUILDINGS = """
                                                    | kept                                           |
dwelling_units=0                                    | kept dwelling_units:zero_as_one                | dwelling_units=1
dwelling_units=0, dwelling_type=non_residential     | kept                                           | dwelling_units=0
households_permitted=0                              | kept households_permitted:below_one_as_missing | households_permitted=None
households_permitted=                               | kept                                           | households_permitted=None
floor_area_m2=0                                     | kept floor_area_m2:not_positive_as_missing     | floor_area_m2=None
approval_year=2021                                  | kept approval_year:implausible_as_missing      | approval_year=None
approval_year=2020                                  | kept                                           | approval_year=2020
approval_year=0                                     | kept approval_year:implausible_as_missing      | approval_year=None
official_price_krw=0                                | kept official_price_krw:zero_as_missing        | official_price_krw=None
x=127.0, y=37.5                                     | kept x:outside_korea y:outside_korea           | x=127.0
floor_area_m2=-5                                    | quarantined floor_area_m2:below_range          |
dwelling_type=castle                                | quarantined dwelling_type:unknown_code         |
x=                                                  | quarantined x:missing                          |
"""
ESTABLISHMENTS = """
                                | kept
address_id=Anowhere             | kept
industry=Z                      | quarantined industry:unknown_code
workers=many                    | quarantined workers:wrong_type
"""
BENEFITS = """
                                | kept
programme=youth_allowance       | kept programme:unknown_code
recipients=0                    | kept recipients:zero_for_amount
amount_krw=0                    | kept amount_krw:zero_for_recipients
recipients=0, amount_krw=0      | kept
amount_krw=-1                   | quarantined amount_krw:below_range
dong_code=1199999               | quarantined dong_code:unknown_dong
"""
MARGINS = """
                                          | kept                            | is_masked=False
count=                                    | kept                            | is_masked=True
margin=households, category=all, count=   | quarantined count:missing       |
category=8                                | quarantined category:unknown_code |
margin=pets                               | quarantined margin:unknown_code |
count=-1                                  | quarantined count:below_range   |
"""
SURVEY = """
                                | kept                                               | business_income_krw_year=-500000.0
labour_income=-1                | kept labour_income_krw_year:negative_as_missing    | labour_income_krw_year=None
labour_income=                  | kept                                               | labour_income_krw_year=None
property_income=                | kept                                               | property_income_krw_year=None
weight=0                        | removed weight:not_positive                        |
weight=                         | quarantined weight:missing                         |
property_income=-1              | quarantined property_income:below_range            |
dong_code=1199999               | quarantined dong_code:unknown_dong                 |
"""
BENCHMARKS = """
                                | kept
source=other_survey             | kept
region_code=26                  | quarantined region_code:unknown_code
value=                          | quarantined value:missing
"""
REGION_ROWS = """
                                                    | kept
dong_code=1114060, valid_from=202001                | kept
dong_code=1114061, valid_to=202001                  | kept
dong_code=1114062, valid_from=202002                | removed valid_from:later
dong_code=1114063, valid_to=201912                  | removed valid_to:earlier
dong_code=1114064, valid_from=2020                  | quarantined valid_from:wrong_type
dong_code=                                          | quarantined dong_code:missing
"""

Clean = Callable[[DataFrame], Cleansed]
TABLES: dict[str, tuple[Table, str, Clean]] = {
    "city_residents": (
        silver.REGISTER_PERSON,
        RESIDENTS,
        lambda rows: register.cleanse_residents(rows, month=MONTH, regions=REGIONS),
    ),
    "city_buildings": (
        silver.BUILDING,
        BUILDINGS,
        lambda rows: reference.cleanse_buildings(rows, month=MONTH, regions=REGIONS),
    ),
    "city_establishments": (
        silver.ESTABLISHMENT,
        ESTABLISHMENTS,
        lambda rows: reference.cleanse_establishments(rows, month=MONTH, regions=REGIONS),
    ),
    "city_benefits": (
        silver.BENEFIT,
        BENEFITS,
        lambda rows: reference.cleanse_benefits(rows, month=MONTH, regions=REGIONS),
    ),
    "census_margins": (
        silver.CENSUS_MARGIN,
        MARGINS,
        lambda rows: yearly.cleanse_margins(rows, month=MONTH, regions=REGIONS, reference_month=CENSUS_MONTH),
    ),
    "survey_households": (
        silver.SURVEY_HOUSEHOLD,
        SURVEY,
        lambda rows: yearly.cleanse_survey(rows, month=MONTH, regions=REGIONS, reference_month=CENSUS_MONTH),
    ),
    "benchmarks_benchmarks": (
        silver.BENCHMARK,
        BENCHMARKS,
        lambda rows: yearly.cleanse_benchmarks(rows, month=MONTH, regions=REGIONS, reference_month=CENSUS_MONTH),
    ),
    "regions_regions": (
        silver.REGION,
        REGION_ROWS,
        lambda rows: yearly.cleanse_regions(rows, month=MONTH, reference_month=CENSUS_MONTH),
    ),
}


def _scenarios(text: str) -> list[tuple[dict[str, str | None], tuple[str, ...], str]]:
    lines = [[part.strip() for part in line.split("|")] for line in text.strip("\n").splitlines()]
    return [(changes(parts[0]), tuple(parts[1].split()), parts[2] if len(parts) > 2 else "") for parts in lines]


@pytest.mark.parametrize("name", list(TABLES))
def test_outcomes(spark: SparkSession, name: str) -> None:
    table, text, clean = TABLES[name]
    scenarios = _scenarios(text)
    cleansed = clean(bronze_frame(spark, name, [change for change, _, _ in scenarios]))
    assert shape_of_schema(cleansed.kept) == shape_of_schema(spark.createDataFrame([], table.schema()))
    assert shape_of_schema(cleansed.set_aside) == shape_of_schema(spark.createDataFrame([], silver.SET_ASIDE.schema()))

    set_aside = {row.row_number: row for row in cleansed.set_aside.collect()}
    outcomes = {number: (row.disposition, *row.reasons) for number, row in set_aside.items()}
    expected = {n: outcome for n, (_, outcome, _) in enumerate(scenarios, start=1) if outcome[0] != "kept"}
    assert outcomes == expected
    assert {row.table_name for row in set_aside.values()} <= {name}
    assert all(row.gu_code in (*REGIONS.gu_codes, "none") for row in set_aside.values())

    # Kept rows carry no row number; they leave in the order of the literal rows, which one partition preserves.
    kept = cleansed.kept.collect()
    wanted = [(outcome[1:], value) for _, outcome, value in scenarios if outcome[0] == "kept"]
    assert len(kept) == len(wanted)
    if "edits" in table.column_names:
        assert sorted(tuple(row.edits) for row in kept) == sorted(edits for edits, _ in wanted)
    for edits, value in wanted:
        if value:
            column, _, text_value = value.partition("=")
            assert any(str(row[column]) == text_value and ("edits" not in row or tuple(row.edits) == edits) for row in kept)


def test_district_of_set_aside_rows_is_that_of_a_valid_dong(spark: SparkSession) -> None:
    rows = bronze_frame(
        spark, "city_residents", [changes(c) for c in ("sex=X, dong_code=1123051", "dong_code=1199999", "dong_code=")]
    )
    cleansed = register.cleanse_residents(rows, month=MONTH, regions=REGIONS)
    assert {row.row_number: row.gu_code for row in cleansed.set_aside.collect()} == {1: "11230", 2: "none", 3: "none"}


def test_sample_register_end_to_end(spark: SparkSession) -> None:
    rows = delivered_frame(spark, dataset="city", name="residents", month="202001")
    cleansed = register.cleanse_residents(rows, month=MONTH, regions=sample_regions())
    counts: list[Row] = disposition_counts(cleansed.set_aside).collect()
    assert [row.asDict() for row in counts] == [{"table_name": "city_residents", "quarantined": 0, "removed": 13}]
    kept = cleansed.kept.agg(F.count(F.lit(1)).alias("n"), F.countDistinct("gu_code").alias("gu")).collect()[0]
    assert (kept.n, kept.gu) == (2323 - 13, 1)
