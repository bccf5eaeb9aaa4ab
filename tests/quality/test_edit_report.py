"""The edit report counts every row once under `all` and once under each of its reasons."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import SparkSession

from living_finance.contracts.gold import EDIT_REPORT
from living_finance.contracts.silver import SET_ASIDE
from living_finance.months import Month
from living_finance.quality.edit_report import edit_report

DAY = dt.date(2020, 1, 1)


def _set_aside(table: str, number: int, gu: str, disposition: str, *reasons: str) -> tuple[object, ...]:
    return (DAY, table, DAY, 0, "a.csv.gz", number, gu, disposition, list(reasons))


def test_rows_by_table_district_and_reason(spark: SparkSession) -> None:
    persons = spark.createDataFrame(
        [
            ("11140", []),
            ("11140", ["labour:imputed"]),
            ("11140", ["labour:imputed", "cash:outlier"]),
            ("11230", ["labour:imputed"]),
            ("none", []),
        ],
        "gu_code string, edits array<string>",
    )
    margins = spark.createDataFrame([("a",), ("b",)], "category string")
    set_aside = spark.createDataFrame(
        [
            _set_aside("bureau_persons", 1, "11140", "quarantined", "sex:unknown_code", "age:missing"),
            _set_aside("bureau_persons", 2, "11140", "removed", "deceased:true"),
            _set_aside("bureau_persons", 3, "none", "removed", "deceased:true"),
            _set_aside("census_margins", 1, "11140", "quarantined", "count:missing"),
        ],
        SET_ASIDE.schema(),
    )
    report = edit_report(
        month=Month(2020, 1),
        tables={"bureau_persons": (persons, set_aside), "census_margins": (margins, set_aside)},
    )
    assert [(f.name, f.dataType.simpleString()) for f in report.schema.fields] == [
        (f.name, f.dataType.simpleString()) for f in EDIT_REPORT.schema().fields
    ]
    found = {
        (row.table, row.gu_code, row.reason): (row.rows_kept, row.rows_edited, row.rows_quarantined, row.rows_removed)
        for row in report.collect()
    }
    person, census = "bureau_persons", "census_margins"
    assert found == {
        (person, "11140", "all"): (3, 2, 1, 1),
        (person, "11140", "labour:imputed"): (2, 2, 0, 0),
        (person, "11140", "cash:outlier"): (1, 1, 0, 0),
        (person, "11140", "sex:unknown_code"): (0, 0, 1, 0),
        (person, "11140", "age:missing"): (0, 0, 1, 0),
        (person, "11140", "deceased:true"): (0, 0, 0, 1),
        (person, "11230", "all"): (1, 1, 0, 0),
        (person, "11230", "labour:imputed"): (1, 1, 0, 0),
        (person, "none", "all"): (1, 0, 0, 1),
        (person, "none", "deceased:true"): (0, 0, 0, 1),
        (census, "none", "all"): (2, 0, 1, 0),
        (census, "none", "count:missing"): (0, 0, 1, 0),
    }
