"""Every declared check is SQL that Delta can enforce, over the columns of its table."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from living_finance.contracts import STORED_TABLES
from living_finance.contracts.core import Column, Kind, Layer, Table


def test_constraints_are_boolean_expressions_of_their_table(spark: SparkSession) -> None:
    wrong = {}
    for name, table in STORED_TABLES.items():
        frame = spark.createDataFrame([], table.schema())
        checks = frame.select(*(F.expr(sql).alias(check) for check, sql in table.constraints().items()))
        wrong |= {
            f"{name}.{f.name}": f.dataType.simpleString() for f in checks.schema.fields if f.dataType.simpleString() != "boolean"
        }
    assert wrong == {}


def test_constraints_tell_good_rows_from_bad(spark: SparkSession) -> None:
    """A missing value passes a CHECK (required columns are NOT NULL beside it); 3 and `b` break theirs."""
    from living_finance.contracts.codes import CodeList

    table = Table(
        layer=Layer.SILVER,
        name="small",
        label_ko="",
        label_en="",
        grain="row",
        key=("letter",),
        columns=(
            Column(
                name="letter",
                kind=Kind.CODE,
                label_ko="",
                label_en="",
                codes=CodeList("letter", (("a", "", ""),)),
                is_required=True,
            ),
            Column(name="number", kind=Kind.INTEGER, label_ko="", label_en="", minimum=0, maximum=2),
        ),
        checks=(("letter_or_number", "letter = 'a' or number = 1"),),
    )
    rows = spark.createDataFrame([("a", 0), ("a", 2), ("a", None), ("a", 3), ("b", 1), ("b", 2)], "letter string, number int")
    verdicts = rows.select(*(F.coalesce(F.expr(sql), F.lit(True)).alias(name) for name, sql in table.constraints().items()))
    assert verdicts.columns == ["letter_valid", "number_valid", "letter_or_number"]
    assert [tuple(row) for row in verdicts.collect()] == [
        (True, True, True),
        (True, True, True),
        (True, True, True),
        (True, False, True),
        (False, True, True),
        (False, True, False),
    ]
    assert [(f.name, f.nullable) for f in table.schema().fields] == [("letter", False), ("number", True)]
