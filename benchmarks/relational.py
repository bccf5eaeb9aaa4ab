"""The relational part of a month beside DuckDB, on the same Parquet files and cores.

Work of both: placed persons joined to buildings and to their households, income and debt summed by household, households by
district × dwelling type, and the four margins of that; once as one query, once with the households' sums written as Parquet by
district and the margins taken from what was written, as a month is made. DuckDB runs its text; Spark runs it

- plain: the same text;
- by district: buildings sent to every task, persons and members moved once, by district; join and sum stay where they are;
- by district, hashed keys: the same with the 64 bits of the text keys' hash in their place (two of seven million keys collide
  with probability 1e-6), as `households.matching` hands people to its blocks.

The answers must agree. Needs a warehouse with the month (make bench leaves one).

    python benchmarks/relational.py --warehouse .bench/city/warehouse --month 202001 [--runs 3]
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from pyspark.sql import Row

from living_finance.config import load_settings
from living_finance.contracts import gold, silver
from living_finance.months import Month
from living_finance.session import build_session
from living_finance.storage.warehouse import Warehouse

CORES = 2
_DISTRICTS = 25
_SESSION = {
    "spark.sql.requireAllClusterKeysForCoPartition": "false",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
}
"""Both sides moved by district are joined by any longer key, and summed there, without moving again; codes stay text."""
_PARTITIONED = "hive_partitioning = true, hive_types_autocast = false"
_BALANCES = " + ".join(silver.BALANCE_COLUMNS)
_INCOMES = " + ".join(silver.INCOME_COLUMNS)


def household_sums(*, buildings: str = "", move: str = "", join: str = "", key: str = "") -> str:
    """One row per household and dwelling type; arguments are Spark's hints, and the function that a text key goes through."""

    def keyed(column: str) -> str:
        return f"{key}({column})"

    # The dwelling type is a key, not an aggregate: Spark sorts for aggregates of text. A household has one building.
    return f"""
    with located as (
      select {buildings} p.gu_code, {keyed("p.person_id")} as person, b.dwelling_type,
             {_INCOMES} as income, {_BALANCES} as debt
      from persons p join buildings b on p.home_address_id = b.address_id
    ),
    residents as (select {move} * from located),
    homes as (select {move} gu_code, {keyed("person_id")} as person, {keyed("household_id")} as household from members)
    select {join} homes.gu_code, homes.household, residents.dwelling_type, sum(income) as income, sum(debt) as debt
    from residents join homes on residents.gu_code = homes.gu_code and residents.person = homes.person
    group by homes.gu_code, homes.household, residents.dwelling_type
    """


def margins(sums: str) -> str:
    """Households, income and debt by district × dwelling type with all margins; `sums` is a table or a query in brackets."""
    return f"""
    with cells as (
      select gu_code, dwelling_type, count(*) as households, sum(income) as income, sum(debt) as debt
      from {sums} sums group by gu_code, dwelling_type
    )
    select gu_code, dwelling_type, sum(households) as households, sum(income) as income, sum(debt) as debt
    from cells group by grouping sets ((gu_code, dwelling_type), (gu_code), (dwelling_type), ())
    """


_BY_DISTRICT = {
    "buildings": "/*+ BROADCAST(b) */",
    "move": f"/*+ REPARTITION({_DISTRICTS}, gu_code) */",
    "join": "/*+ SHUFFLE_HASH(homes) */",
}
_FORMS = {
    "plain": household_sums(),
    "by district": household_sums(**_BY_DISTRICT),
    "by district, hashed keys": household_sums(**_BY_DISTRICT, key="xxhash64"),
}


def timed(work: Callable[[], Iterable[Sequence[Any]]], runs: int) -> tuple[list[float], list[Sequence[Any]]]:
    """Seconds of each run, after one that does not count, and the answer in order."""
    answer = work()
    seconds = []
    for _ in range(runs):
        started = time.monotonic()
        answer = work()
        seconds.append(round(time.monotonic() - started, 2))
    return seconds, sorted(answer, key=lambda row: (row[0] or "", row[1] or ""))


def agree(ours: list[Sequence[Any]], theirs: list[Sequence[Any]]) -> bool:
    """Same cells and households; sums of doubles, added in another order, to nine digits."""
    return len(ours) == len(theirs) and all(
        tuple(a[:3]) == tuple(b[:3]) and all(math.isclose(x, y, rel_tol=1e-9) for x, y in zip(a[3:], b[3:], strict=True))
        for a, b in zip(ours, theirs, strict=True)
    )


def main() -> None:
    """Parse, run all, print seconds and the ratios of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warehouse", type=Path, required=True)
    parser.add_argument("--month", required=True)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    month = Month.parse(options.month)
    spark = build_session(load_settings(spark={"master": f"local[{CORES}]", "extra": _SESSION}).spark)
    store = Warehouse(spark, str(options.warehouse.absolute()))
    tables = {"persons": silver.PLACED_PERSON, "members": gold.HOUSEHOLD_MEMBER, "buildings": silver.BUILDING}
    files = {}
    for name, table in tables.items():
        frame = store.read(table, base_month=month.date)
        frame.createOrReplaceTempView(name)
        files[name] = [file.removeprefix("file://") for file in frame.inputFiles()]

    written = options.warehouse.parent / "relational"

    def spark_query(sums: str) -> list[Row]:
        return spark.sql(margins(f"({sums})")).collect()

    def spark_pass(sums: str) -> list[Row]:
        spark.sql(sums).write.mode("overwrite").partitionBy("gu_code").parquet(str(written / "spark"))
        return spark.sql(margins(f"parquet.`{written / 'spark'}`")).collect()

    spark_runs = {
        (work.__name__, name): timed(partial(work, text), options.runs)
        for work in (spark_query, spark_pass)
        for name, text in _FORMS.items()
    }
    spark.stop()
    connection = duckdb.connect()
    connection.execute(f"set threads to {CORES}")
    for name, paths in files.items():
        connection.execute(f"create view {name} as select * from read_parquet({paths}, {_PARTITIONED})")

    def duckdb_query() -> list[Sequence[Any]]:
        return connection.execute(margins(f"({household_sums()})")).fetchall()

    def duckdb_pass() -> list[Sequence[Any]]:
        target = written / "duckdb"
        connection.execute(f"copy ({household_sums()}) to '{target}' (format parquet, partition_by (gu_code), overwrite)")
        return connection.execute(margins(f"read_parquet('{target}/*/*.parquet', {_PARTITIONED})")).fetchall()

    result: dict[str, Any] = {}
    for part, ours, theirs in (("query", spark_query, duckdb_query), ("with the households written", spark_pass, duckdb_pass)):
        seconds, answer = timed(theirs, options.runs)
        result[part] = {"duckdb": {"seconds": seconds}}
        for name in _FORMS:
            of_spark, found = spark_runs[ours.__name__, name]
            if not agree(found, answer):
                raise SystemExit(f"Spark {name} and DuckDB differ.")
            ratio = statistics.median(of_spark) / statistics.median(seconds)
            result[part][f"spark, {name}"] = {"seconds": of_spark, "ratio": round(ratio, 2)}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
