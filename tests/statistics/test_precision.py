"""Errors and reliability classes of known answers."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from living_finance.statistics import precision

# squares, rows, weight, mean, benchmark's relative error → standard error, error, cv, class
CASES = {
    "two rows": (8.0, 2, 2.0, 20.0, None, 2.0, 2.0, 0.1, "publishable"),
    "limit of publishable": (8.0, 2, 2.0, 40 / 3, None, 2.0, 2.0, 0.15, "publishable"),
    "limit of caution": (8.0, 2, 2.0, 20 / 3, None, 2.0, 2.0, 0.30, "caution"),
    "beyond caution": (8.0, 2, 2.0, 6.0, None, 2.0, 2.0, 1 / 3, "unreliable"),
    "with the benchmark's error": (8.0, 2, 2.0, 30.0, 0.05, 2.0, 2.5, 2.5 / 30, "publishable"),
    "all alike": (0.0, 5, 5.0, 10.0, None, 0.0, 0.0, 0.0, "publishable"),
    "one row": (0.0, 1, 1.0, 10.0, 0.05, None, None, None, "unreliable"),
    "mean not positive": (8.0, 2, 2.0, -20.0, None, 2.0, 2.0, None, "unreliable"),
}


def test_error_and_class(spark: SparkSession) -> None:
    rows = [(name, *case[:4]) for name, case in CASES.items()]
    frame = spark.createDataFrame(rows, "name string, squares double, rows long, weight double, mean double")
    found = {}
    for rse in (None, 0.05):
        se = precision.standard_error(squares=F.col("squares"), rows=F.col("rows"), weight=F.col("weight"))
        error = precision.root_mean_squared_error(standard_error=se, mean=F.col("mean"), benchmark_rse=rse)
        cv = precision.coefficient_of_variation(error=error, mean=F.col("mean"))
        named = [name for name, case in CASES.items() if case[4] == rse]
        for row in frame.where(F.col("name").isin(named)).select("name", se, error, cv, precision.reliability(cv)).collect():
            found[row[0]] = tuple(row[1:])
    for name, case in CASES.items():
        assert found[name][:3] == pytest.approx(case[5:8]), name
        assert found[name][3] == case[8], name
