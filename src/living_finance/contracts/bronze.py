"""Bronze: deliveries as delivered, every value as text, with provenance."""

from __future__ import annotations

from living_finance.contracts.core import Column, Kind, Layer, Measure, Table
from living_finance.contracts.deliveries import DELIVERED_TABLES, DeliveredTable

DELIVERY_MONTH = Column(
    name="delivery_month", kind=Kind.MONTH, label_ko="제공 기준월", label_en="month of the delivery", is_required=True
)
DELIVERY_NUMBER = Column(
    name="delivery_number",
    kind=Kind.INTEGER,
    label_ko="제공 차수",
    label_en="delivery number",
    meaning="0 first, higher restates",
    is_required=True,
)
FILE_NAME = Column(name="file_name", kind=Kind.TEXT, label_ko="파일", label_en="file", is_required=True)
ROW_NUMBER = Column(name="row_number", kind=Kind.COUNT, label_ko="행 번호", label_en="row in the file, from 1", is_required=True)
PROVENANCE = (DELIVERY_MONTH, DELIVERY_NUMBER, FILE_NAME, ROW_NUMBER)


def bronze_table(delivered: DeliveredTable) -> Table:
    """The bronze table of a delivered one: provenance, then every delivered column as text."""
    return Table(
        layer=Layer.BRONZE,
        name=delivered.bronze_name,
        label_ko=f"{delivered.label_ko} 원본",
        label_en=f"{delivered.label_en}, as delivered",
        grain=f"delivered row ({delivered.grain})",
        key=("delivery_month", "delivery_number", "file_name", "row_number"),
        partition_by=("delivery_month", "delivery_number"),
        columns=(
            *PROVENANCE,
            *(
                column.renamed(column.name, kind=Kind.TEXT, is_required=False, codes=None, minimum=None, maximum=None)
                for column in delivered.columns
            ),
        ),
    )


BRONZE_TABLES: dict[str, Table] = {table.bronze_name: bronze_table(table) for table in DELIVERED_TABLES}

_MEASURES = ", ".join(measure.value for measure in Measure)

DELIVERY = Table(
    layer=Layer.BRONZE,
    name="delivery",
    label_ko="제공 내역",
    label_en="deliveries received",
    grain="accepted delivery × table",
    key=("dataset", "delivery_month", "delivery_number", "table_name"),
    partition_by=("dataset", "delivery_month", "delivery_number"),
    columns=(
        Column(name="dataset", kind=Kind.TEXT, label_ko="자료", label_en="dataset", is_required=True),
        DELIVERY_MONTH,
        DELIVERY_NUMBER,
        Column(name="table_name", kind=Kind.TEXT, label_ko="테이블", label_en="table", is_required=True),
        Column(name="row_count", kind=Kind.COUNT, label_ko="행 수", label_en="rows", is_required=True),
        Column(name="quarantined_rows", kind=Kind.COUNT, label_ko="격리 행 수", label_en="rows to quarantine", is_required=True),
        Column(
            name="content_sha256",
            kind=Kind.TEXT,
            label_ko="내용 해시",
            label_en="hash of files and manifest facts",
            is_required=True,
        ),
        Column(name="as_of", kind=Kind.TEXT, label_ko="제공일", label_en="date of supply", is_required=True),
        Column(name="supplier", kind=Kind.TEXT, label_ko="제공 기관", label_en="supplier"),
        Column(name="agreement_id", kind=Kind.TEXT, label_ko="협약 번호", label_en="agreement"),
        Column(name="agreement_scope", kind=Kind.TEXT, label_ko="협약 범위", label_en="scope of the agreement"),
        Column(name="manifest_json", kind=Kind.TEXT, label_ko="제공 명세", label_en="manifest", is_required=True),
    ),
)

DELIVERY_COLUMN = Table(
    layer=Layer.BRONZE,
    name="delivery_column",
    label_ko="컬럼별 비식별 조치",
    label_en="de-identification measure by column",
    grain="accepted delivery × table × column",
    key=("dataset", "delivery_month", "delivery_number", "table_name", "column_name"),
    partition_by=("dataset", "delivery_month", "delivery_number"),
    columns=(
        DELIVERY.column("dataset"),
        DELIVERY_MONTH,
        DELIVERY_NUMBER,
        DELIVERY.column("table_name"),
        Column(name="column_name", kind=Kind.TEXT, label_ko="컬럼", label_en="column", is_required=True),
        Column(name="measure", kind=Kind.TEXT, label_ko="비식별 조치", label_en="measure", meaning=_MEASURES, is_required=True),
        Column(name="applied_by", kind=Kind.TEXT, label_ko="조치 주체", label_en="applied by", is_required=True),
        Column(
            name="has_direct_identifier",
            kind=Kind.FLAG,
            label_ko="직접 식별자 검출",
            label_en="direct identifier found",
            is_required=True,
        ),
    ),
)

PURPOSES: dict[str, str] = {"person": "P", "register_household": "R", "address": "A", "unit": "U", "survey_household": "H"}
"""What a key is for → first letter of its pseudonyms. Whatever joins has the same: bureau and city by address and unit."""


def identifiers_of(table: Table) -> dict[str, str]:
    """Columns of a table that hold delivered identifiers of people, households and homes → purpose of the key.

    >>> identifiers_of(BRONZE_TABLES["bureau_persons"])
    {'person_id': 'person', 'home_address_id': 'address', 'home_unit_id': 'unit', 'work_address_id': 'address'}
    """
    return {name: _PURPOSE_OF[name] for name in table.column_names if name in _PURPOSE_OF}


_PURPOSE_OF = {
    column.name: column.name.removeprefix("home_").removeprefix("work_").removesuffix("_id")
    for table in DELIVERED_TABLES
    for column in table.columns
    if column.kind is Kind.KEY and column.measure is Measure.PSEUDONYMISED
}
PSEUDONYMISED_ON_ENTRY: dict[str, dict[str, str]] = {
    name: found for name, table in BRONZE_TABLES.items() if (found := identifiers_of(table))
}
"""Bronze table → column → purpose of the key: all that suppliers deliver as pseudonyms. Establishments are no people."""
