"""Checks and parsing of delivered rows, derived from the declarations.

Works on bronze rows: every delivered value is text, a missing one is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column as SparkColumn
from pyspark.sql import functions as F

from living_finance.contracts import codes
from living_finance.contracts.core import Column, Kind
from living_finance.contracts.deliveries import AGE_BAND, DeliveredTable

_WHOLE = r"^[+-]?[0-9]+$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_FLAG = r"^(?i)(true|false|1|0)$"
_MONTH = r"^[0-9]{4}(0[1-9]|1[0-2])$"
_KEY = r"^[A-Za-z0-9]{1,64}$"
_SOUND_KEY = r"^[A-Za-z0-9]{1,64}\z"
_CONTROL = r"[\x00-\x1f\x7f\x{0080}-\x{009f}]"
_DONG_COLUMNS = frozenset({"dong_code", "home_dong", "work_dong"})
TEXTUAL = frozenset({Kind.TEXT, Kind.KEY, Kind.CODE})


@dataclass(frozen=True)
class ValidRegions:
    """Codes of the regions list valid in the month of a delivery."""

    dong_codes: Sequence[str]
    gu_codes: Sequence[str]


def parse(column: Column) -> SparkColumn:
    """The typed value of a delivered text column; null where missing or unreadable."""
    text = F.col(column.name)
    match column.kind:
        case Kind.INTEGER | Kind.COUNT:
            return F.when(text.rlike(_WHOLE), text.try_cast(column.spark_type))
        case Kind.AMOUNT | Kind.DECIMAL:
            return F.when(text.rlike(_NUMBER), text.try_cast("double"))
        case Kind.FLAG:
            return F.when(text.rlike(_FLAG), F.lower(text).isin("true", "1"))
        case Kind.MONTH:
            return F.when(text.rlike(_MONTH), F.to_date(F.concat(text, F.lit("01")), "yyyyMMdd"))
        case _:
            return text


def row_reasons(
    table: DeliveredTable, *, regions: ValidRegions | None, values: Mapping[str, SparkColumn] | None = None
) -> SparkColumn:
    """Why a delivered row is quarantined: array of `column:rule`, empty for a good row.

    A good row, which nearly every row is, is recognised with one test per column; only the others are asked rule by rule.

    Args:
        table: the delivered table.
        regions: codes valid in the month; None for the regions list itself.
        values: delivered column → its parsed value, where the caller has it already: parsing costs more than the rules.
    """
    known = values or {}
    parsed = {column.name: known.get(column.name, parse(column)) for column in table.columns}
    found = [reason for column in table.columns for reason in _column_reasons(column, regions, parsed[column.name])]
    of_table = _table_reasons(table, parsed)
    sound = [_is_sound(column, regions, parsed[column.name]) for column in table.columns]
    is_sound = reduce(lambda left, right: left & right, [*sound, *(reason.isNull() for reason in of_table)])
    reasons = F.filter(F.array(*found, *of_table), lambda reason: reason.isNotNull())
    return F.when(is_sound, F.array().cast("array<string>")).otherwise(reasons)


def _is_sound(column: Column, regions: ValidRegions | None, value: SparkColumn) -> SparkColumn:
    """Whether `_column_reasons` has nothing to say; never null."""
    text = F.col(column.name)
    if column.kind is Kind.KEY:
        is_good = text.rlike(_SOUND_KEY)
        if regions is not None and column.name in _DONG_COLUMNS:
            is_good = text.isin(list(regions.dong_codes))
        if regions is not None and column.name == "gu_code":
            is_good = text.isin(list(regions.gu_codes))
    elif column.kind is Kind.CODE and column.codes is not None and not column.codes.is_open:
        is_good = text.isin(list(column.codes.codes))
    elif column.kind in TEXTUAL:
        is_good = ~text.rlike(_CONTROL)
    else:
        is_good = value.isNotNull()
        if column.minimum is not None:
            is_good = is_good & (value >= column.minimum)
        if column.maximum is not None:
            is_good = is_good & (value <= column.maximum)
    is_good = F.coalesce(is_good, F.lit(False))
    return is_good if column.is_required else text.isNull() | is_good


def _column_reasons(column: Column, regions: ValidRegions | None, value: SparkColumn) -> list[SparkColumn]:
    text = F.col(column.name)
    reasons: list[SparkColumn] = []

    def when(condition: SparkColumn, rule: str) -> None:
        reasons.append(F.when(text.isNotNull() & condition, F.lit(f"{column.name}:{rule}")))

    if column.is_required:
        reasons.append(F.when(text.isNull(), F.lit(f"{column.name}:missing")))
    if column.kind in TEXTUAL:
        when(text.rlike(_CONTROL), "control_character")
    if column.kind is Kind.KEY:
        when(~text.rlike(_CONTROL) & ~text.rlike(_KEY), "not_a_key")
        if regions is not None and column.name in _DONG_COLUMNS:
            when(text.rlike(_KEY) & ~text.isin(list(regions.dong_codes)), "unknown_dong")
        if regions is not None and column.name == "gu_code":
            when(text.rlike(_KEY) & ~text.isin(list(regions.gu_codes)), "unknown_gu")
    elif column.kind is Kind.CODE and column.codes is not None and not column.codes.is_open:
        when(~text.rlike(_CONTROL) & ~text.isin(list(column.codes.codes)), "unknown_code")
    elif column.kind not in TEXTUAL:
        when(value.isNull(), "wrong_type")
        if column.minimum is not None:
            when(value < column.minimum, "below_range")
        if column.maximum is not None:
            when(value > column.maximum, "above_range")
    return reasons


def _table_reasons(table: DeliveredTable, values: Mapping[str, SparkColumn]) -> list[SparkColumn]:
    if table.bronze_name == "bureau_persons":
        band = values[AGE_BAND.name]
        return [F.when(band.between(15, 80) & ~band.isin(list(codes.AGE_BANDS)), F.lit("age_band:unknown_code"))]
    if table.bronze_name == "census_margins":
        known = F.lit(False)
        for margin, categories in codes.MARGIN_CATEGORIES.items():
            known = known | ((F.col("margin") == margin) & F.col("category").isin(list(categories)))
        return [
            F.when(F.col("margin").isin(list(codes.MARGIN_CATEGORIES)) & ~known, F.lit("category:unknown_code")),
            F.when(F.col("margin").isin("households", "population") & F.col("count").isNull(), F.lit("count:missing")),
        ]
    return []
