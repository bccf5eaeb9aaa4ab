"""What every declaration must have: labels in both languages, a grain, units on amounts, an honest key."""

from __future__ import annotations

import re

import pytest

from living_finance.catalog.dictionary import all_tables
from living_finance.contracts import releases as r
from living_finance.contracts import row_files as rf
from living_finance.contracts.core import Column, Kind, Layer, Table

TABLES = all_tables()
HANGUL = re.compile("[가-힣]")
STORED_TYPES = {
    Kind.MONEY: "bigint",
    Kind.COUNT: "bigint",
    Kind.AMOUNT: "double",
    Kind.MONTH: "date",
    Kind.CODE: "string",
    Kind.KEY: "string",
    Kind.FLAG: "boolean",
    Kind.CODES: "array<string>",
}


@pytest.mark.parametrize("name", TABLES)
def test_labels_grain_and_names(name: str) -> None:
    table = TABLES[name]
    assert table.grain
    assert HANGUL.search(table.label_ko)
    assert table.label_en
    without_labels = [c.name for c in table.columns if not c.label_en or not (HANGUL.search(c.label_ko) or c.name in ("x", "y"))]
    assert without_labels == []
    assert [c.name for c in table.columns if not re.fullmatch(r"[a-z][a-z0-9_]*", c.name)] == []


@pytest.mark.parametrize("name", TABLES)
def test_stored_types_follow_the_kind(name: str) -> None:
    drifted = [
        c.name for c in TABLES[name].columns if c.kind in STORED_TYPES and c.spark_type.simpleString() != STORED_TYPES[c.kind]
    ]
    assert drifted == []


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if table.layer in (Layer.SILVER, Layer.GOLD)])
def test_units_are_in_the_names_of_amounts(name: str) -> None:
    endings = {"KRW": "_krw", "KRW/year": "_krw_year", "KRW/month": "_krw_month"}
    wrong = [
        c.name
        for c in TABLES[name].of_kind(Kind.MONEY, Kind.AMOUNT)
        if c.unit not in endings or (not c.name.endswith(endings[c.unit]) and c.name not in DELIVERED_NAMES)
    ]
    assert wrong == []


DELIVERED_NAMES = {"amount_krw"}
"""Named by the contract: paid in the month, though its name does not say so."""


def test_a_column_declared_twice_or_an_unknown_key_is_refused() -> None:
    column = Column(name="a", kind=Kind.TEXT, label_ko="가", label_en="a")
    common = {"layer": Layer.SILVER, "name": "t", "label_ko": "가", "label_en": "t", "grain": "row"}
    with pytest.raises(ValueError, match="declared twice"):
        Table(**common, key=(), columns=(column, column))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="b is not a column"):
        Table(**common, key=("b",), columns=(column,))  # type: ignore[arg-type]


def test_whatever_is_released_has_its_meaning_in_korean_and_english() -> None:
    columns = [r.column(name) for names in (*map(r.columns_of, r.SOURCES), r.ZERO_COLUMNS) for name in names]
    columns += [column for file in rf.ROW_FILES.values() for column in file.columns]
    statistics = [statistic for of in r.STATISTICS.values() for statistic in of.values()]
    assert [one.name for one in (*columns, *statistics) if not (one.meaning and one.meaning_ko)] == []
    assert [one.name for one in (*columns, *statistics) if not HANGUL.search(one.meaning_ko)] == []
