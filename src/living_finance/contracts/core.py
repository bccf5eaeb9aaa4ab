"""How a table is declared: once, with everything that is derived from it.

A `Table` gives the Delta schema and its constraints, the loader's and the validator's rules, and the
data dictionary. Nothing about a column is said anywhere else.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pyspark.sql import types as T


class Kind(enum.Enum):
    """What a column holds; decides how it is stored, parsed and checked."""

    TEXT = "text"
    """Free text."""
    KEY = "key"
    """Opaque pseudonym or public identifier of letters and digits."""
    CODE = "code"
    """Member of a closed or open code list, stored as text."""
    MONTH = "month"
    """DATE on day 1; `YYYYMM` in deliveries."""
    INTEGER = "integer"
    COUNT = "count"
    """Whole number, 64 bits."""
    AMOUNT = "amount"
    """Won, as delivered and cleaned: double."""
    MONEY = "money"
    """Won, as published: whole, 64 bits."""
    DECIMAL = "decimal"
    """A measured number that is not money: double."""
    FLAG = "flag"
    CODES = "codes"
    """List of codes (reasons, edits)."""


_SPARK_TYPES: dict[Kind, T.DataType] = {
    Kind.TEXT: T.StringType(),
    Kind.KEY: T.StringType(),
    Kind.CODE: T.StringType(),
    Kind.MONTH: T.DateType(),
    Kind.INTEGER: T.IntegerType(),
    Kind.COUNT: T.LongType(),
    Kind.AMOUNT: T.DoubleType(),
    Kind.MONEY: T.LongType(),
    Kind.DECIMAL: T.DoubleType(),
    Kind.FLAG: T.BooleanType(),
    Kind.CODES: T.ArrayType(T.StringType(), containsNull=False),
}

NUMERIC_KINDS = frozenset({Kind.INTEGER, Kind.COUNT, Kind.AMOUNT, Kind.MONEY, Kind.DECIMAL})


class Measure(enum.Enum):
    """De-identification measure applied to a column, named as the 2016 guideline names them."""

    NONE = "해당 없음"
    PSEUDONYMISED = "가명처리"
    AGGREGATED = "총계처리"
    DELETED = "데이터 삭제"
    CATEGORISED = "데이터 범주화"
    MASKED = "데이터 마스킹"


@dataclass(frozen=True)
class CodeList:
    """Codes with labels; `is_open` lists admit codes that are not here."""

    name: str
    labels: tuple[tuple[str, str, str], ...]
    """(code, Korean label, English label)"""
    is_open: bool = False

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(code for code, _, _ in self.labels)

    def label(self, code: str, language: str = "ko") -> str:
        """The label of `code` in `ko` or `en`; the code itself where the list is open and does not know it."""
        for known, korean, english in self.labels:
            if known == code:
                return korean if language == "ko" else english
        return code


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: type, unit, meaning, labels and checks."""

    name: str
    kind: Kind
    label_ko: str
    label_en: str
    meaning: str = ""
    meaning_ko: str = ""
    """The same in Korean; columns and statistics that are released have both."""
    unit: str = ""
    is_required: bool = False
    codes: CodeList | None = None
    minimum: float | None = None
    maximum: float | None = None
    measure: Measure = Measure.NONE

    @property
    def spark_type(self) -> T.DataType:
        return _SPARK_TYPES[self.kind]

    def field(self) -> T.StructField:
        """The Delta column, its labels kept as comment."""
        comment = f"{self.label_ko} / {self.label_en}" + (f" [{self.unit}]" if self.unit else "")
        return T.StructField(self.name, self.spark_type, nullable=not self.is_required, metadata={"comment": comment})

    def check(self) -> str | None:
        """SQL that every stored value meets, or None where type and nullability say it all.

        Delta takes a check that is null for a violation, so a column that may be missing says so.
        """
        rules = []
        if self.codes is not None and not self.codes.is_open and self.kind is Kind.CODE:
            rules.append(f"{self.name} in ({', '.join(repr(code) for code in self.codes.codes)})")
        if self.minimum is not None:
            rules.append(f"{self.name} >= {self.minimum:.0f}")
        if self.maximum is not None:
            rules.append(f"{self.name} <= {self.maximum:.0f}")
        rule = " and ".join(rules)
        if rule and not self.is_required:
            rule = f"{self.name} is null or ({rule})"
        return rule or None

    def renamed(self, name: str, **changes: object) -> Column:
        """The same column under another name, for instance with its unit in it."""
        return replace(self, name=name, **changes)  # type: ignore[arg-type]


class Layer(enum.Enum):
    """Where a table stands on the way from deliveries to products."""

    DELIVERY = "delivery"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table: grain, key, columns, checks."""

    layer: Layer
    name: str
    label_ko: str
    label_en: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ()
    checks: tuple[tuple[str, str], ...] = ()
    """(name, SQL): rules over several columns of one row."""

    def __post_init__(self) -> None:
        names = self.column_names
        if len(set(names)) != len(names):
            raise ValueError(f"{self.qualified_name}: a column is declared twice")
        for name in (*self.key, *self.partition_by):
            if name not in names:
                raise ValueError(f"{self.qualified_name}: {name} is not a column")

    @property
    def qualified_name(self) -> str:
        return f"{self.layer.value}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.qualified_name} has no column {name}")

    def of_kind(self, *kinds: Kind) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.kind in kinds)

    def schema(self) -> T.StructType:
        """The stored schema, column comments included."""
        return T.StructType([column.field() for column in self.columns])

    def constraints(self) -> dict[str, str]:
        """Delta CHECK constraints by name."""
        per_column = {f"{column.name}_valid": check for column in self.columns if (check := column.check()) is not None}
        return {**per_column, **dict(self.checks)}


def columns_of(*groups: Column | Iterable[Column]) -> tuple[Column, ...]:
    """Flatten columns and groups of columns into one declaration."""
    return tuple(_flatten(groups))


def _flatten(groups: Iterable[Column | Iterable[Column]]) -> Iterator[Column]:
    for group in groups:
        if isinstance(group, Column):
            yield group
        else:
            yield from group
