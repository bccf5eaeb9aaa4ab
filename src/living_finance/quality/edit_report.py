"""How many rows of each delivered table were kept, edited, quarantined and removed, and for which reason."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import codes
from living_finance.contracts.gold import EDIT_COUNTS, EDIT_REPORT
from living_finance.months import Month


def edit_report(*, month: Month, tables: Mapping[str, tuple[DataFrame, DataFrame]]) -> DataFrame:
    """Count rows by table, district and reason.

    Args:
        month: the month made.
        tables: delivered table (`bureau_persons`) → its kept rows (a silver table of the month, with or without `gu_code` and
            `edits`) and silver.set_aside, of which only its own rows count.

    Returns:
        gold.edit_report: one row per table × district × reason that occurs, and reason `all` with every row of the
        table in the district (edited rows are kept rows). A row with two reasons counts under both. Tables without a
        district have `none`, for set-aside rows too, so that kept and set aside stand side by side.
    """
    parts = [
        part
        for name, (kept, set_aside) in tables.items()
        for part in (_kept(kept, table=name), _set_aside(set_aside, table=name, has_district="gu_code" in kept.columns))
    ]
    return (
        reduce(DataFrame.unionByName, parts)
        .groupBy("table", "gu_code", "reason")
        .agg(*(F.sum(name).alias(name) for name in EDIT_COUNTS))
        .withColumn("base_month", F.lit(month.date))
        .select(*EDIT_REPORT.column_names)
    )


def _kept(kept: DataFrame, *, table: str) -> DataFrame:
    edits = F.col("edits") if "edits" in kept.columns else F.array().cast("array<string>")
    gu = F.col("gu_code") if "gu_code" in kept.columns else F.lit(codes.NO_DISTRICT)
    is_edited = F.size("_reasons") > 0
    return _counted(
        kept.select(gu.alias("gu_code"), edits.alias("_reasons")),
        table=table,
        rows_kept=F.lit(True),
        rows_edited=is_edited,
    )


def _set_aside(set_aside: DataFrame, *, table: str, has_district: bool) -> DataFrame:
    gu = F.col("gu_code") if has_district else F.lit(codes.NO_DISTRICT)
    own = set_aside.where(F.col("table_name") == table)
    return _counted(
        own.select(gu.alias("gu_code"), "disposition", F.col("reasons").alias("_reasons")),
        table=table,
        rows_quarantined=F.col("disposition") == "quarantined",
        rows_removed=F.col("disposition") == "removed",
    )


def _counted(frame: DataFrame, *, table: str, **counts: Column) -> DataFrame:
    """Rows of `frame` counted under each of their reasons and under `all`, where a condition of `counts` is true."""
    reasons = F.array_distinct(F.concat(F.array(F.lit(codes.ALL)), F.col("_reasons")))
    conditions = {f"_{name}": condition for name, condition in counts.items()}
    return (
        frame.withColumns({"reason": F.explode(reasons), **conditions})
        .groupBy("gu_code", "reason")
        .agg(
            *(
                (F.count(F.when(F.col(f"_{name}"), F.lit(1))) if name in counts else F.sum(F.lit(0).cast("bigint"))).alias(name)
                for name in EDIT_COUNTS
            )
        )
        .withColumn("table", F.lit(table))
    )
