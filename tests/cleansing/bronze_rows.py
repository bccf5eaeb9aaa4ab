"""Bronze rows for cleansing tests: a good row of each delivered table, and changes to it written as small text tables."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from living_finance.contracts.bronze import BRONZE_TABLES
from living_finance.contracts.validation import ValidRegions
from living_finance.months import Month

MONTH = Month(2020, 1)
REGIONS = ValidRegions(dong_codes=["1114059", "1114060", "1123051"], gu_codes=["11140", "11230"])
LANDING = Path(__file__).parents[1] / "data" / "landing"

GOOD: dict[str, dict[str, str | None]] = {
    "bureau_persons": {
        "base_month": "202001",
        "person_id": "P0",
        "sex": "F",
        "age_band": "40",
        "deceased": "false",
        "residence": "seoul",
        "home_address_id": "A1",
        "home_unit_id": None,
        "home_dong": "1114059",
        "workplace": "none",
        "work_address_id": None,
        "work_dong": None,
        "employment": "employee",
        "labour_income": "30000000",
        "business_income": "0",
        "credit_card_spending": "400000",
        "check_card_spending": "100000",
        "cash_spending": "50000",
        "mortgage_balance": "0",
        "jeonse_loan_balance": "0",
        "credit_loan_balance": "0",
        "business_loan_balance": "0",
        "overdue_balance": "0",
        "monthly_repayment": "0",
    },
    "city_residents": {
        "base_month": "202001",
        "register_household_id": "R1",
        "address_id": "A1",
        "unit_id": None,
        "dong_code": "1114059",
        "sex": "M",
        "age": "40",
        "relation_to_head": "head",
        "status": "resident",
    },
    "city_buildings": {
        "address_id": "A1",
        "dong_code": "1114059",
        "output_area_id": "11140590001",
        "x": "950889.1",
        "y": "1949389.9",
        "dwelling_type": "apartment",
        "dwelling_units": "36",
        "households_permitted": "36",
        "floor_area_m2": "1869.0",
        "approval_year": "1976",
        "official_price_krw": "9101300000.0",
    },
    "city_establishments": {
        "establishment_id": "E1",
        "address_id": "A1",
        "dong_code": "1123051",
        "industry": "G",
        "workers": "5",
    },
    "city_benefits": {
        "base_month": "202001",
        "dong_code": "1114059",
        "programme": "basic_pension",
        "recipients": "4",
        "amount_krw": "1000000.0",
    },
    "census_margins": {
        "year": "2020",
        "output_area_id": "11140590001",
        "margin": "household_size",
        "category": "1",
        "count": "19",
    },
    "survey_households": {
        "survey_year": "2020",
        "survey_household_id": "S1",
        "weight": "4.0",
        "gu_code": "11140",
        "dong_code": "1114059",
        "dwelling_type": "apartment",
        "tenure": "owned",
        "household_size": "2",
        "household_type": "one_generation",
        "head_sex": "F",
        "head_age": "50",
        "head_occupation": None,
        "head_education": "high",
        "labour_income": "30000000",
        "business_income": "-500000",
        "property_income": None,
        "transfer_income": "0",
        "irregular_income": "0",
        "debt": "0",
        "spending": "1500000",
    },
    "benchmarks_benchmarks": {
        "source": "household_finances_survey",
        "year": "2020",
        "reference_period": "2020",
        "region_code": "11",
        "indicator": "mean_total_income",
        "dimension": "all",
        "category": "all",
        "value": "69385993",
        "relative_standard_error": "0.012",
    },
    "regions_regions": {
        "gu_code": "11140",
        "gu_name_en": "Mapo-gu",
        "dong_code": "1114059",
        "dong_name_en": "Yonggang-dong",
        "gu_name_ko": "마포구",
        "dong_name_ko": "용강동",
        "mois_code": None,
        "valid_from": "201001",
        "valid_to": None,
    },
}


def changes(text: str) -> dict[str, str | None]:
    r"""`column=value, column=` → changes to a good row; nothing after `=` is missing, `\\n` a newline.

    >>> changes("sex=X, labour_income=")
    {'sex': 'X', 'labour_income': None}
    """
    pairs = (part.strip().partition("=") for part in text.split(",") if part.strip())
    return {name: value.replace("\\n", "\n") or None for name, _, value in pairs}


def bronze_frame(spark: SparkSession, table: str, rows: list[dict[str, str | None]]) -> DataFrame:
    """Rows of one file, numbered from 1: each is the good row with its changes."""
    names = list(GOOD[table])
    schema = BRONZE_TABLES[table].schema()
    order = [field.name for field in schema.fields]
    records = []
    for number, row in enumerate(rows, start=1):
        unknown = row.keys() - set(names) - {"file_name", "row_number"}
        if unknown:
            raise KeyError(f"{table} has no {sorted(unknown)}")
        provenance = {
            "delivery_month": MONTH.date,
            "delivery_number": 0,
            "file_name": row.get("file_name") or "rows-00.csv.gz",
            "row_number": int(row.get("row_number") or number),
        }
        record = {**GOOD[table], **row, **provenance}
        records.append(tuple(record[name] for name in order))
    return spark.createDataFrame(records, schema)


def delivered_frame(spark: SparkSession, *, dataset: str, name: str, month: str) -> DataFrame:
    """A table of the sample delivery as bronze holds it."""
    rows: list[tuple[object, ...]] = []
    schema = BRONZE_TABLES[f"{dataset}_{name}"].schema()
    columns = [field.name for field in schema.fields][4:]
    date = dt.date(int(month[:4]), int(month[4:] or 1), 1)
    for path in sorted((LANDING / dataset / month).glob(f"{name}-*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as stream:
            for number, record in enumerate(csv.DictReader(stream), start=1):
                rows.append((date, 0, path.name, number, *(record[column] or None for column in columns)))
    return spark.createDataFrame(rows, schema)


def sample_regions() -> ValidRegions:
    """Codes of the sample's regions list."""
    with gzip.open(LANDING / "regions" / "201001" / "regions-00.csv.gz", "rt", encoding="utf-8-sig") as stream:
        dongs = [record["dong_code"] for record in csv.DictReader(stream)]
    return ValidRegions(dong_codes=dongs, gu_codes=sorted({dong[:5] for dong in dongs}))


def shape_of_schema(frame: DataFrame) -> list[tuple[str, str]]:
    """Names and types, in order."""
    return [(field.name, field.dataType.simpleString()) for field in frame.schema.fields]
