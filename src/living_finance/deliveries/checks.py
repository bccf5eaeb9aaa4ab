"""Checks of a delivery's rows: one pass per table gives the facts, plain Python judges them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from living_finance.contracts.core import Kind, Measure
from living_finance.contracts.deliveries import DeliveredTable
from living_finance.contracts.validation import TEXTUAL, ValidRegions, parse, row_reasons
from living_finance.deliveries.identifiers import has_direct_identifier, identifier_conditions
from living_finance.months import Month

_BAND_WIDTH_YEARS = 5
"""Width the contract gives to categorised ages."""

_DISTRICT_SOURCES = ("home_dong", "dong_code", "gu_code")

FACTS = T.StructType(
    [
        T.StructField("table_name", T.StringType()),
        *(
            T.StructField(name, T.LongType())
            for name in (
                "rows",
                "quarantined",
                "other_month",
                "direct_identifier",
                "outside_scope",
                "too_fine",
                "overlapping",
                "repeated_keys",
            )
        ),
        T.StructField("districts", T.ArrayType(T.IntegerType(), containsNull=False)),
    ]
)


@dataclass(frozen=True)
class TableFacts:
    """Counts over one delivered table."""

    table_name: str
    rows: int
    quarantined: int
    """Rows with a reason, and rows of one person that disagree."""
    other_month: int
    direct_identifier: int
    outside_scope: int
    too_fine: int
    overlapping: int
    repeated_keys: int
    districts: frozenset[int]
    """Districts with a sound row, as numbers."""


@dataclass(frozen=True)
class Broken:
    """A rule that a delivery's rows break."""

    rule: str
    table: str
    detail: str


def table_facts(
    rows: DataFrame,
    *,
    table: DeliveredTable,
    month: Month,
    regions: ValidRegions | None,
    residents_only: bool = False,
) -> DataFrame:
    """Everything the judgement of a table needs, in one pass (one shuffle by key where there is one).

    Args:
        rows: one row per delivered row, values as text.
        table: its declaration.
        month: the manifest's month.
        regions: codes valid in the month; None for the regions list itself.
        residents_only: the agreement covers residents only.

    Returns:
        One row with the columns of `FACTS`.
    """
    judged = _judged(rows, table=table, month=month, regions=regions, residents_only=residents_only)
    if not table.key:
        return _total_of_rows(judged.select(*_FLAGS), table)
    values = _values(table)
    required = [values[name].isNotNull() for name in table.key if table.column(name).is_required]
    content = F.lit(0).cast("bigint") if table.is_reference else row_fingerprint(table, values=values)
    keys = {f"key_{name}": values[name] for name in table.key}
    flagged = judged.select(
        *(key.alias(name) for name, key in keys.items()),
        reduce(and_, required).alias("has_key"),
        content.alias("content"),
        *_FLAGS,
    )
    return _total_of_keys(flagged, table, keys=list(keys))


_FLAGS = ("is_bad", "is_other_month", "has_identifier", "is_outside_scope", "is_too_fine", "is_overlapping", "gu")


def _judged(
    rows: DataFrame, *, table: DeliveredTable, month: Month, regions: ValidRegions | None, residents_only: bool
) -> DataFrame:
    """The rows with `_FLAGS` and, for every column that is not text, its parsed value: each parsed once."""
    parsed = {f"value_{column.name}": parse(column) for column in table.columns if column.kind not in TEXTUAL}
    values = _values(table)
    is_bad = F.size(row_reasons(table, regions=regions, values=values)) > 0
    return (
        rows.withColumns(parsed)
        .withColumn("is_bad", is_bad)
        .withColumns(
            {
                "is_other_month": _is_of_other_month(table, month, values),
                "has_identifier": has_direct_identifier(table, is_bad=F.col("is_bad")),
                "is_outside_scope": F.coalesce(F.col("residence") == "outside", _never()) if residents_only else _never(),
                "is_too_fine": _is_too_fine(table, values),
                "is_overlapping": _overlaps(table, values),
                "gu": _district(table, regions),
            }
        )
    )


def _values(table: DeliveredTable) -> dict[str, SparkColumn]:
    """Where a judged row holds the typed value of each column."""
    return {c.name: F.col(c.name if c.kind in TEXTUAL else f"value_{c.name}") for c in table.columns}


def _never() -> SparkColumn:
    return F.lit(False)


def _total_of_rows(flagged: DataFrame, table: DeliveredTable) -> DataFrame:
    none = F.lit(0).cast("bigint")
    return flagged.agg(
        F.lit(table.name).alias("table_name"),
        F.count(F.lit(1)).alias("rows"),
        F.count_if("is_bad").alias("quarantined"),
        F.count_if("is_other_month").alias("other_month"),
        F.count_if("has_identifier").alias("direct_identifier"),
        F.count_if("is_outside_scope").alias("outside_scope"),
        F.count_if("is_too_fine").alias("too_fine"),
        none.alias("overlapping"),
        none.alias("repeated_keys"),
        # ok: as many districts as the regions list holds
        F.array_sort(F.collect_set(F.when(~F.col("is_bad"), F.col("gu")))).alias("districts"),
    )


def _total_of_keys(flagged: DataFrame, table: DeliveredTable, *, keys: list[str]) -> DataFrame:
    sound_gu = F.when(~F.col("is_bad"), F.col("gu"))
    # Rows that keep the contract decide whether a person's rows disagree, as in cleansing.
    sound_content = F.when(~F.col("is_bad"), F.col("content"))
    per_key = flagged.groupBy(*keys, "has_key").agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_if("is_bad").alias("bad"),
        F.count_if("is_other_month").alias("other_month"),
        F.count_if("has_identifier").alias("identifier"),
        F.count_if("is_outside_scope").alias("outside_scope"),
        F.count_if("is_too_fine").alias("too_fine"),
        F.count_if("is_overlapping").alias("overlapping"),
        (F.min(sound_content) != F.max(sound_content)).alias("disagrees"),
        F.min(sound_gu).alias("first_gu"),
        F.max(sound_gu).alias("last_gu"),
    )
    is_repeated = F.col("has_key") & (F.col("rows") > 1)
    # A missing key is a reason of its own, so that sound rows have one.
    quarantined = F.when(F.col("disagrees"), F.col("rows")).otherwise(F.col("bad"))
    return per_key.agg(
        F.lit(table.name).alias("table_name"),
        F.coalesce(F.sum("rows"), F.lit(0)).alias("rows"),
        F.coalesce(F.sum(quarantined), F.lit(0)).alias("quarantined"),
        F.coalesce(F.sum("other_month"), F.lit(0)).alias("other_month"),
        F.coalesce(F.sum("identifier"), F.lit(0)).alias("direct_identifier"),
        F.coalesce(F.sum("outside_scope"), F.lit(0)).alias("outside_scope"),
        F.coalesce(F.sum("too_fine"), F.lit(0)).alias("too_fine"),
        F.coalesce(F.sum("overlapping"), F.lit(0)).alias("overlapping"),
        F.count_if(is_repeated).alias("repeated_keys"),
        F.array_sort(F.array_union(F.collect_set("first_gu"), F.collect_set("last_gu"))).alias("districts"),
    )


def row_fingerprint(table: DeliveredTable, *, values: Mapping[str, SparkColumn]) -> SparkColumn:
    """A 64-bit hash of a delivered row's values: `1e7` and `10000000` are one value, a missing one is its own.

    Args:
        table: the declaration.
        values: delivered column → its typed value; hashed with whether it is missing, which xxhash64 passes over.
    """
    return F.xxhash64(*(part for column in table.columns for part in (values[column.name].isNull(), values[column.name])))


def district_rows(rows: DataFrame, *, table: DeliveredTable, regions: ValidRegions | None) -> DataFrame:
    """The districts that occur in a table delivered earlier.

    Returns:
        One row per district: table_name, gu (number).
    """
    gu = _district(table, regions)
    return rows.select(F.lit(table.name).alias("table_name"), gu.alias("gu")).where(F.col("gu").isNotNull()).distinct()


def has_district(table: DeliveredTable) -> bool:
    """Whether the table's rows say in which district they are."""
    return any(name in table.column_names for name in _DISTRICT_SOURCES)


def _district(table: DeliveredTable, regions: ValidRegions | None) -> SparkColumn:
    source = next((name for name in _DISTRICT_SOURCES if name in table.column_names), None)
    if source is None:
        return F.lit(None).cast("int")
    code = F.substring(F.col(source), 1, 5)
    gu = code.try_cast("int")
    return gu if regions is None else F.when(code.isin(list(regions.gu_codes)), gu)


def _is_of_other_month(table: DeliveredTable, month: Month, values: Mapping[str, SparkColumn]) -> SparkColumn:
    if table.month_column is None:
        return _never()
    is_month = table.column(table.month_column).kind is Kind.MONTH
    expected = F.lit(month.date) if is_month else F.lit(month.year)
    return F.coalesce(values[table.month_column] != expected, _never())


def _is_too_fine(table: DeliveredTable, values: Mapping[str, SparkColumn]) -> SparkColumn:
    banded = [c for c in table.columns if c.measure is Measure.CATEGORISED and c.kind is Kind.INTEGER]
    if not banded:
        return _never()
    lower_bound = values[banded[0].name]
    in_range = lower_bound.between(F.lit(banded[0].minimum), F.lit(banded[0].maximum))
    return F.coalesce(in_range & (F.pmod(lower_bound, F.lit(_BAND_WIDTH_YEARS)) != 0), _never())


def _overlaps(table: DeliveredTable, values: Mapping[str, SparkColumn]) -> SparkColumn:
    """Whether a validity ends before it begins, or after the dong's next one begins."""
    if "valid_to" not in table.column_names:
        return _never()
    first, last = values["valid_from"], values["valid_to"]
    by_dong = Window.partitionBy("dong_code").orderBy(first, "file_name", "row_number")
    next_first = F.lead(first).over(by_dong)
    is_open = F.col("valid_to").isNull()
    meets_next = next_first.isNotNull() & (is_open | (last >= next_first))
    return F.coalesce(F.col("dong_code").isNotNull() & first.isNotNull() & ((last < first) | meets_next), _never())


def judge(facts: Mapping[str, TableFacts], *, tables: tuple[DeliveredTable, ...], max_quarantined_share: float) -> list[Broken]:
    """The rules that a delivery's rows break, the gravest first.

    Args:
        facts: by table name.
        tables: the dataset's tables.
        max_quarantined_share: of a table's rows; more refuses the delivery.
    """
    broken: list[Broken] = []

    def when(condition: bool, rule: str, table: DeliveredTable, detail: str) -> None:
        if condition:
            broken.append(Broken(rule, table.name, detail))

    for table in tables:
        found = facts[table.name]
        when(found.direct_identifier > 0, "direct_identifier", table, f"{found.direct_identifier} rows")
    for table in tables:
        found = facts[table.name]
        most = max_quarantined_share * found.rows
        when(found.other_month > 0, "other_month_inside", table, f"{found.other_month} of {found.rows} rows")
        when(found.outside_scope > 0, "agreement_scope", table, f"{found.outside_scope} rows of non-residents")
        when(found.too_fine > most, "category_too_fine", table, f"{found.too_fine} of {found.rows} rows")
        when(found.rows == 0, "reference_table_empty" if table.is_reference else "table_empty", table, "no rows")
        if table.is_reference:
            when(found.repeated_keys > 0, "reference_key_twice", table, f"{found.repeated_keys} keys")
            when(found.overlapping > 0, "overlapping_validity", table, f"{found.overlapping} rows")
        when(found.quarantined > most, "too_many_quarantined", table, f"{found.quarantined} of {found.rows} rows")
    return broken


_FLAG_OF_RULE = {
    "direct_identifier": "has_identifier",
    "other_month_inside": "is_other_month",
    "agreement_scope": "is_outside_scope",
    "category_too_fine": "is_too_fine",
    "overlapping_validity": "is_overlapping",
    "too_many_quarantined": "is_bad",
}


def offending_files(
    rows: DataFrame,
    *,
    rule: str,
    table: DeliveredTable,
    month: Month,
    regions: ValidRegions | None,
    residents_only: bool = False,
) -> DataFrame:
    """Where the rows are that break a rule, for the message of a refusal.

    Returns:
        One row per file with such rows: file_name, rows.
    """
    if rule in _FLAG_OF_RULE:
        judged = _judged(rows, table=table, month=month, regions=regions, residents_only=residents_only)
        flagged = judged.select("file_name", F.col(_FLAG_OF_RULE[rule]).alias("is_offending"))
    else:
        of_one_key = Window.partitionBy(*table.key)
        flagged = rows.select("file_name", (F.count(F.lit(1)).over(of_one_key) > 1).alias("is_offending"))
    return flagged.where("is_offending").groupBy("file_name").agg(F.count(F.lit(1)).alias("rows"))


def reason_counts(rows: DataFrame, *, table: DeliveredTable, regions: ValidRegions | None) -> DataFrame:
    """Rows per reason, for the message of a refusal.

    Returns:
        One row per reason: reason, rows; the persons that disagree are among them.
    """
    reasons = rows.select(F.explode(row_reasons(table, regions=regions)).alias("reason"))
    counted = reasons.groupBy("reason").agg(F.count(F.lit(1)).alias("rows"))
    if table.is_reference or not table.key:
        return counted
    keys = table.key
    values = {column.name: parse(column) for column in table.columns}
    per_key = (
        rows.where(F.size(row_reasons(table, regions=regions)) == 0)
        .select(*keys, row_fingerprint(table, values=values).alias("content"))
        .groupBy(*keys)
        .agg(F.count(F.lit(1)).alias("rows"), (F.min("content") != F.max("content")).alias("disagrees"))
    )
    disagreeing = per_key.where("disagrees").agg(
        F.lit(f"{keys[0]}:conflicting_rows").alias("reason"), F.coalesce(F.sum("rows"), F.lit(0)).alias("rows")
    )
    return counted.unionByName(disagreeing.where(F.col("rows") > 0))


def identifier_counts(rows: DataFrame, *, table: DeliveredTable) -> DataFrame:
    """Rows with a direct identifier per column and kind, for the message of a refusal.

    Returns:
        One row; columns `column:kind` with counts.
    """
    return rows.agg(
        *(
            F.count_if(condition).alias(f"{column.name}:{kind}")
            for column in table.columns
            for kind, condition in identifier_conditions(column).items()
        )
    )


def implausible(
    *, rows: int, rows_before: int, districts: frozenset[int], districts_before: frozenset[int], max_row_fall: float
) -> str:
    """What makes a table's change since the month before incredible; empty if nothing does."""
    missing = sorted(districts_before - districts)
    if missing:
        return f"no row of district {', '.join(map(str, missing))}, which was there before"
    if rows_before > 0 and rows <= rows_before * (1 - max_row_fall):
        return f"{rows} rows, {rows_before} before"
    return ""
