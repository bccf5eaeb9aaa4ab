"""Delta tables of a warehouse: one month (or delivery) of one table is one atomic, repeatable commit."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from living_finance.contracts.core import Table
from living_finance.errors import ConcurrentRun, ContractViolation, MissingInput

log = logging.getLogger(__name__)

PartitionValue = str | int | dt.date

_COMMITS_AT_ONCE = 3
_USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
_RETENTION_CHECK = "spark.databricks.delta.retentionDurationCheck.enabled"


@dataclass(frozen=True)
class Commit:
    """What one write did."""

    table: str
    version: int
    rows: int


@dataclass(frozen=True)
class Write:
    """A slice of a table and what it is to hold (see `Warehouse.commit`)."""

    table: Table
    frame: DataFrame
    partition: Mapping[str, PartitionValue]
    expected_rows: int | None = None


class Warehouse:
    """Reads and writes the tables declared in `contracts` under one root folder.

    The root must be visible from the driver and every executor under the same path.
    """

    def __init__(self, spark: SparkSession, root: str) -> None:
        self.spark = spark
        self.root = root.rstrip("/")

    def path(self, table: Table) -> str:
        """Where the table lives: `<root>/<layer>/<name>`."""
        return f"{self.root}/{table.layer.value}/{table.name}"

    def exists(self, table: Table) -> bool:
        return DeltaTable.isDeltaTable(self.spark, self.path(table))

    def read(self, table: Table, **partition: PartitionValue) -> DataFrame:
        """The table, restricted to partition values; a column that the contract has gained since it was written is empty.

        Raises:
            MissingInput: the table has not been written yet.
        """
        if not self.exists(table):
            raise MissingInput(f"{table.qualified_name} does not exist yet.", remedy="run the earlier steps first")
        frame = self.spark.read.format("delta").load(self.path(table))
        there = set(frame.columns)
        gained = {c.name: F.lit(None).cast(c.spark_type) for c in table.columns if c.name not in there}
        frame = frame.withColumns(gained) if gained else frame
        for name, value in partition.items():
            frame = frame.where(F.col(name) == F.lit(value))
        return frame

    def frame(self, table: Table, rows: pd.DataFrame) -> DataFrame:
        """Rows that a room made on the driver, with the table's columns and types; missing values are null.

        Args:
            table: the declaration.
            rows: the table's columns, in any order.
        """
        schema = to_arrow_schema(table.schema())
        columns = [
            pa.array([None if pd.isna(value) else value for value in rows[field.name].tolist()], type=field.type)
            for field in schema
        ]
        return self.spark.createDataFrame(pa.Table.from_arrays(columns, schema=schema), schema=table.schema())

    def commit(
        self,
        table: Table,
        frame: DataFrame,
        *,
        partition: Mapping[str, PartitionValue],
        expected_rows: int | None = None,
    ) -> Commit:
        """Replace one slice of the table by `frame`, in one atomic commit.

        Args:
            table: the declaration; the frame must have exactly its columns and types, in any order.
            frame: rows of the slice and of no other.
            partition: partition column → value that bounds the slice, for instance `base_month`.
            expected_rows: rows the balance of the step requires; checked after the commit, which is undone on a difference.

        Raises:
            ContractViolation: schema, constraint, slice or row balance is broken; the table is as it was.
            ConcurrentRun: another run committed the same slice meanwhile.
        """
        conforming = self._conform(table, frame)
        self._ensure(table)
        before = self._last_commit(table)
        condition = " and ".join(f"{name} = {_sql_literal(value)}" for name, value in partition.items())
        spread = [name for name in table.partition_by if name not in partition]
        try:
            (
                conforming.hint("rebalance", *spread)
                .write.format("delta")
                .mode("overwrite")
                .option("replaceWhere", condition)
                .option("mergeSchema", "true")  # a column that the contract has gained; `_conform` lets no other pass
                .save(self.path(table))
            )
        except (PySparkException, Py4JJavaError) as error:  # the latter where an adaptive stage wraps the former
            raise _translated(table, error) from None
        after = self._last_commit(table)
        if after.version == before.version:
            # Delta makes no version where an empty slice stays empty; anything else it leaves out would be a loss.
            if not conforming.isEmpty():
                raise ContractViolation(f"{table.qualified_name}: the commit left no version.")
            after = Commit(table.qualified_name, before.version, 0)
        if expected_rows is not None and after.rows != expected_rows:
            DeltaTable.forPath(self.spark, self.path(table)).restoreToVersion(before.version)
            raise ContractViolation(
                f"{table.qualified_name}: {after.rows} rows written, {expected_rows} expected; the commit was undone."
            )
        log.info("committed %s %s version=%d rows=%d", table.qualified_name, condition, after.version, after.rows)
        return after

    def commit_together(self, writes: Iterable[Write]) -> list[Commit]:
        """Commit slices of different tables side by side: most of a small commit is waiting for the driver.

        Raises:
            The first failure, as `commit`; the other commits stand.
        """

        def one(write: Write) -> Commit:
            return self.commit(write.table, write.frame, partition=write.partition, expected_rows=write.expected_rows)

        with ThreadPoolExecutor(max_workers=_COMMITS_AT_ONCE) as pool:
            return list(pool.map(one, list(writes)))

    @contextlib.contextmanager
    def noted(self, text: str) -> Iterator[None]:
        """Commits of the block carry a text in Delta's history, in one with what they do."""
        self.spark.conf.set(_USER_METADATA, text)
        try:
            yield
        finally:
            self.spark.conf.unset(_USER_METADATA)

    def notes(self, table: Table) -> set[str]:
        """Texts of the table's commits."""
        history = DeltaTable.forPath(self.spark, self.path(table)).history().select("userMetadata").dropna()
        return {row["userMetadata"] for row in history.collect()}  # ok: one row per commit

    def slices(self, table: Table, *names: str) -> list[dict[str, PartitionValue]]:
        """Values of some partition columns that the table has rows of, in order."""
        found = self.read(table).select(*names).distinct().orderBy(*names)
        return [row.asDict() for row in found.collect()]  # ok: one row per month or delivery

    def remove(self, table: Table, *, partition: Mapping[str, PartitionValue]) -> None:
        """Delete one slice; its files stay until `vacuum`."""
        condition = " and ".join(f"{name} = {_sql_literal(value)}" for name, value in partition.items())
        DeltaTable.forPath(self.spark, self.path(table)).delete(condition)

    def vacuum(self, tables: Iterable[Table]) -> None:
        """Delete all files that the newest versions of tables do not need: no reader of an older one, no writer may be at work.

        Tables that do not exist are passed over. Delta refuses less than a week unless told that this is meant; it is, here only.
        """
        self.spark.conf.set(_RETENTION_CHECK, "false")
        try:
            with ThreadPoolExecutor(max_workers=_COMMITS_AT_ONCE) as pool:
                there = (table for table in tables if self.exists(table))
                list(pool.map(lambda table: DeltaTable.forPath(self.spark, self.path(table)).vacuum(0), there))
        finally:
            self.spark.conf.unset(_RETENTION_CHECK)

    def _conform(self, table: Table, frame: DataFrame) -> DataFrame:
        found = {field.name: field.dataType for field in frame.schema.fields}
        wanted = {column.name: column.spark_type for column in table.columns}
        if found.keys() != wanted.keys():
            missing, extra = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
            raise ContractViolation(f"{table.qualified_name}: columns missing {missing}, not declared {extra}.")
        drifted = [name for name in wanted if found[name].simpleString() != wanted[name].simpleString()]
        if drifted:
            kinds = ", ".join(f"{n} is {found[n].simpleString()} not {wanted[n].simpleString()}" for n in drifted)
            raise ContractViolation(f"{table.qualified_name}: {kinds}.")
        return frame.select(*wanted)

    def _ensure(self, table: Table) -> None:
        if self.exists(table):
            return
        builder = (
            DeltaTable.createIfNotExists(self.spark)
            .location(self.path(table))
            .addColumns(table.schema())
            .comment(f"{table.label_ko} / {table.label_en}: one row per {table.grain}")
            .property("delta.dataSkippingNumIndexedCols", "0")
        )
        if table.partition_by:
            builder = builder.partitionedBy(*table.partition_by)
        for name, check in table.constraints().items():
            builder = builder.property(f"delta.constraints.{name}", check)
        builder.execute()

    def _last_commit(self, table: Table) -> Commit:
        row = DeltaTable.forPath(self.spark, self.path(table)).history(1).select("version", "operationMetrics").first()
        if row is None:
            raise ContractViolation(f"{table.qualified_name} has no history.")
        return Commit(table.qualified_name, row["version"], int(row["operationMetrics"].get("numOutputRows", 0)))


def _sql_literal(value: PartitionValue) -> str:
    return str(value) if isinstance(value, int) else f"'{value}'"


def _translated(table: Table, error: PySparkException | Py4JJavaError) -> Exception:
    """Our error for a failed write; Spark's own text is left out because it quotes row values."""
    text = str(error)
    if "ConcurrentAppend" in text or "DELTA_CONCURRENT" in text or "ConcurrentModification" in text:
        return ConcurrentRun(
            f"{table.qualified_name}: another run wrote the same slice.", remedy="run the month again when it has ended"
        )
    broken = [name for name in table.constraints() if f"constraint {name} " in text]
    if broken or "NOT_NULL" in text or "DELTA_REPLACE_WHERE" in text:
        what = ", ".join(broken) or ("a required value is missing" if "NOT_NULL" in text else "rows of another slice")
        return ContractViolation(f"{table.qualified_name}: {what}.")
    fan_out = re.search(r"join on [a-z_, ]+: the right side has a key twice", text)
    return ContractViolation(f"{table.qualified_name}: {fan_out.group()}.") if fan_out else error
