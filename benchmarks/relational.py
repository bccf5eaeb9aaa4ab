"""The relational part of a month beside DuckDB, on the same Parquet files and cores.

Work of both: placed persons joined to buildings, income and debt summed by household, grouping sets of district ×
dwelling type. Needs a warehouse with the month (make bench leaves one).

    python benchmarks/relational.py --warehouse .bench/city/warehouse --month 202001 [--runs 3]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
from pyspark.sql import functions as F

from living_finance.config import load_settings
from living_finance.contracts import gold, silver
from living_finance.months import Month
from living_finance.session import build_session
from living_finance.storage.warehouse import Warehouse

_BALANCES = " + ".join(silver.BALANCE_COLUMNS)
_INCOMES = " + ".join(silver.INCOME_COLUMNS)
_QUERY = f"""
with sums as (
  select m.gu_code, m.household_id, any_value(b.dwelling_type) as dwelling_type,
         sum({_INCOMES}) as income, sum({_BALANCES}) as debt
  from persons p join members m on p.person_id = m.person_id
  join buildings b on p.home_address_id = b.address_id
  group by m.gu_code, m.household_id
)
select gu_code, dwelling_type, count(*) as households, sum(income) as income, sum(debt) as debt
from sums group by grouping sets ((gu_code, dwelling_type), (gu_code), (dwelling_type), ())
"""


def timed(work: Callable[[], object], runs: int) -> list[float]:
    """Seconds of each run, after one that does not count."""
    work()
    seconds = []
    for _ in range(runs):
        started = time.monotonic()
        work()
        seconds.append(round(time.monotonic() - started, 2))
    return seconds


def main() -> None:
    """Parse, run both, print the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warehouse", type=Path, required=True)
    parser.add_argument("--month", required=True)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    month = Month.parse(options.month)
    spark = build_session(load_settings().spark)
    store = Warehouse(spark, str(options.warehouse.absolute()))
    tables = {"persons": silver.PLACED_PERSON, "members": gold.HOUSEHOLD_MEMBER, "buildings": silver.BUILDING}
    files = {}
    for name, table in tables.items():
        frame = store.read(table, base_month=month.date)
        frame.createOrReplaceTempView(name)
        files[name] = [file.removeprefix("file://") for file in frame.inputFiles()]
    spark_seconds = timed(lambda: spark.sql(_QUERY).orderBy(F.col("households")).collect(), options.runs)
    spark.stop()
    connection = duckdb.connect()
    connection.execute("set threads to 2")
    for name, paths in files.items():
        connection.execute(f"create view {name} as select * from read_parquet({paths}, hive_partitioning = true)")
    duckdb_seconds = timed(lambda: connection.execute(_QUERY).fetchall(), options.runs)
    ratio = sorted(spark_seconds)[len(spark_seconds) // 2] / sorted(duckdb_seconds)[len(duckdb_seconds) // 2]
    print(json.dumps({"spark_seconds": spark_seconds, "duckdb_seconds": duckdb_seconds, "ratio": round(ratio, 2)}))


if __name__ == "__main__":
    main()
