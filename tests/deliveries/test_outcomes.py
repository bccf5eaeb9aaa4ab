"""Every outcome of a delivery, as tables: what is done to a conforming one, and what becomes of it.

Four tables: files (judged by the scan), values (by the reasons of one row), rows together (by the facts of a
table), and whole deliveries, which go through `receive` and a warehouse.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pytest
from delivered import Delivered, Row, Rows, resident_number, table_of
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from living_finance.config import ReceiptSettings
from living_finance.contracts.bronze import BRONZE_TABLES, DELIVERY, DELIVERY_COLUMN
from living_finance.contracts.core import Table
from living_finance.contracts.deliveries import PERSONS
from living_finance.contracts.validation import ValidRegions, row_reasons
from living_finance.deliveries import checks
from living_finance.deliveries.checks import TableFacts
from living_finance.deliveries.identifiers import has_direct_identifier
from living_finance.deliveries.manifest import Manifest, parse_manifest
from living_finance.errors import ImplausibleChange, MissingInput, RefusedDelivery
from living_finance.months import Month
from living_finance.steps.receive import Receipt, receive, regions_for, waiting
from living_finance.storage import landing as landing_files
from living_finance.storage.landing import DeliveryFolder
from living_finance.storage.register import DeliveryRegister
from living_finance.storage.warehouse import Commit, Warehouse

BUREAU, CITY, CENSUS, SURVEY = "bureau/202001", "city/202001", "census/2020", "survey/2020"
BENCHMARKS, REGIONS = "benchmarks/2020", "regions/201001"
E_MAIL = "hong.gildong@example.kr"
RESIDENT_NUMBER = resident_number("900101123456")

LISTED = ValidRegions(dong_codes=[str(dong) for dong in (1114052, *range(1114055, 1114079))], gu_codes=["11140"])
RETIRED = "1114051"
"""A dong of the same district that ended before the month: absent from the codes valid in it."""

Edit = Callable[[Delivered], object]

# --- Files ------------------------------------------------------------------------------------------------------


def text(change: Callable[[bytes], bytes], name: str = "persons-00.csv.gz") -> Edit:
    return lambda delivered: delivered.edit_text(name, change)


def manifest(change: Callable[[dict], object]) -> Edit:  # type: ignore[type-arg]
    return lambda delivered: delivered.edit_manifest(change)


def parquet(change: Callable[[pa.Table], pa.Table] = lambda table: table) -> Edit:
    return lambda delivered: delivered.to_parquet("persons-00.csv.gz", change)


def with_column(name: str, values: Callable[[int], pa.Array]) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.column_names.index(name), name, [values(len(table))])


def all_cp949(delivered: Delivered) -> None:
    delivered.edit_text("regions-00.csv.gz", as_cp949)
    delivered.edit_manifest(lambda facts: facts.update(encoding="cp949"))


def as_cp949(content: bytes) -> bytes:
    return content.decode().encode("cp949")


def reversed_columns(content: bytes) -> bytes:
    return b"".join(b",".join(reversed(line.split(b","))) + b"\n" for line in content.splitlines())


def without_first_column(content: bytes) -> bytes:
    return b"".join(line.partition(b",")[2] + b"\n" for line in content.splitlines())


def without_last_row(content: bytes) -> bytes:
    return content[: content.rstrip().rindex(b"\n") + 1]


def exchanged(delivered: Delivered) -> None:
    first, second = delivered.path / "persons-00.csv.gz", delivered.path / "persons-01.csv.gz"
    first.write_bytes(second.read_bytes())


FILES: list[tuple[str, str, Edit, str]] = [
    ("as delivered", BUREAU, lambda d: None, ""),
    ("byte-order mark", BUREAU, text(lambda content: b"\xef\xbb\xbf" + content), ""),
    ("CRLF", BUREAU, text(lambda content: content.replace(b"\n", b"\r\n")), ""),
    ("columns in another order", BUREAU, text(reversed_columns), ""),
    ("CP949", REGIONS, all_cp949, ""),
    ("CP949 stated, UTF-8 there", REGIONS, manifest(lambda facts: facts.update(encoding="cp949")), "encoding_broken"),
    ("UTF-8 stated, CP949 there", REGIONS, text(as_cp949, "regions-00.csv.gz"), "encoding_broken"),
    ("replacement character", BUREAU, text(lambda c: c.replace(b"employee", "\ufffd".encode(), 1)), "encoding_broken"),
    ("column renamed", BUREAU, text(lambda c: c.replace(b"person_id", b"person", 1)), "columns_missing"),
    ("column doubled", BUREAU, text(lambda c: c.replace(b"deceased", b"person_id", 1)), "column_doubled"),
    ("column missing", BUREAU, text(without_first_column), "columns_missing"),
    ("column too many", BUREAU, text(lambda c: c.replace(b"\n", b",x\n")), "columns_unexpected"),
    ("ragged", BUREAU, text(lambda c: c.replace(b",employee,", b",employee,,", 1)), "ragged_rows"),
    ("row missing", BUREAU, text(without_last_row), "row_count_disagrees"),
    ("another file's content", BUREAU, exchanged, "hash_disagrees"),
    ("cut short", BUREAU, lambda d: d.store("persons-00.csv.gz", d.stored("persons-00.csv.gz")[:-9]), "gzip_damaged"),
    ("file missing", BUREAU, lambda d: (d.path / "persons-00.csv.gz").unlink(), "file_missing"),
    ("file not listed", BUREAU, lambda d: (d.path / "more.csv.gz").touch(), "file_not_listed"),
    ("name that leaves the folder", BUREAU, manifest(lambda f: f["files"][0].update(name="../x.csv.gz")), "file_name_unsafe"),
    ("no manifest", BUREAU, lambda d: (d.path / "manifest.json").unlink(), "manifest_missing"),
    ("outside the agreement", BUREAU, manifest(lambda f: f["agreement"].update(to="201912")), "agreement_period"),
    ("reference table missing", CITY, lambda d: d.drop("benefits-00.csv.gz"), "table_missing"),
    ("Parquet", BUREAU, parquet(), ""),
    ("Parquet, keys in a dictionary", BUREAU, parquet(with_column("sex", lambda n: pa.array(["F"] * n).dictionary_encode())), ""),
    ("Parquet, money as integer", BUREAU, parquet(with_column("labour_income", lambda n: pa.array([1] * n))), "column_type"),
    ("Parquet, flag as text", BUREAU, parquet(with_column("deceased", lambda n: pa.array(["False"] * n))), "column_type"),
    ("Parquet, month as number", BUREAU, parquet(with_column("base_month", lambda n: pa.array([202001] * n))), "column_type"),
]


def place_of(delivered: Delivered, source: str) -> DeliveryFolder:
    return DeliveryFolder(*source.split("/"), delivered.path)


def manifest_of(place: DeliveryFolder) -> Manifest:
    return parse_manifest(place.manifest_bytes() or b"", dataset=place.dataset, folder=place.name)


@pytest.mark.parametrize(("source", "edit", "refused"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_files(source: str, edit: Edit, refused: str, tmp_path: Path) -> None:
    delivered = Delivered.copy(tmp_path, source)
    edit(delivered)
    place = place_of(delivered, source)
    if refused == "manifest_missing":
        assert place.manifest_bytes() is None
        return
    try:
        listing = manifest_of(place)
    except RefusedDelivery as error:
        assert error.rule == refused
        return
    scanned = landing_files.folder_findings(place, listing) or [
        landing_files.scan_file(task) for task in landing_files.file_tasks(place, listing)
    ]
    assert next((finding.rule for found in scanned for finding in found.findings), "") == refused


# --- Values -----------------------------------------------------------------------------------------------------

P, R, B, E, S, M = "persons", "residents", "buildings", "establishments", "households", "margins"

VALUES: list[tuple[str, dict[str, str], list[str]]] = [
    (P, {}, []),
    (P, {"labour_income": "1e5", "mortgage_balance": "1e7"}, []),
    (P, {"labour_income": "-5"}, []),
    (P, {"labour_income": ""}, []),
    (P, {"labour_income": "0"}, []),
    (P, {"business_income": "-3000000.0"}, []),
    (P, {"credit_card_spending": "-20000"}, []),
    (P, {"labour_income": "30000000000"}, []),
    (P, {"mortgage_balance": "1000000000000"}, []),
    (P, {"mortgage_balance": RESIDENT_NUMBER}, []),
    (P, {"mortgage_balance": "0.5"}, []),
    (P, {"deceased": "1"}, []),
    (P, {"home_address_id": "", "home_unit_id": "", "home_dong": ""}, []),
    (P, {"sex": "X"}, ["sex:unknown_code"]),
    (P, {"sex": "f"}, ["sex:unknown_code"]),
    (P, {"sex": ""}, ["sex:missing"]),
    (P, {"home_dong": "9999999"}, ["home_dong:unknown_dong"]),
    (P, {"work_dong": "9999999"}, ["work_dong:unknown_dong"]),
    (P, {"home_dong": RETIRED}, ["home_dong:unknown_dong"]),
    (P, {"home_dong": "114059"}, ["home_dong:unknown_dong"]),
    (P, {"home_dong": "01114059"}, ["home_dong:unknown_dong"]),
    (P, {"home_dong": " 1114059"}, ["home_dong:not_a_key"]),
    (P, {"labour_income": "about 3 million"}, ["labour_income:wrong_type"]),
    (P, {"labour_income": "3,000,000"}, ["labour_income:wrong_type"]),
    (P, {"labour_income": "0x1p3"}, ["labour_income:wrong_type"]),
    (P, {"labour_income": "1d"}, ["labour_income:wrong_type"]),
    (P, {"labour_income": "nan"}, ["labour_income:wrong_type"]),
    (P, {"labour_income": "Infinity"}, ["labour_income:wrong_type"]),
    (P, {"labour_income": "1e18"}, ["labour_income:above_range"]),
    (P, {"labour_income": "1e999"}, ["labour_income:above_range"]),
    (P, {"mortgage_balance": "-1"}, ["mortgage_balance:below_range"]),
    (P, {"mortgage_balance": ""}, ["mortgage_balance:missing"]),
    (P, {"person_id": ""}, ["person_id:missing"]),
    (P, {"person_id": "P 1"}, ["person_id:not_a_key"]),
    (P, {"person_id": "P\x001"}, ["person_id:control_character"]),
    (P, {"home_address_id": "A1\nA2"}, ["home_address_id:control_character"]),
    (P, {"home_address_id": "A1\x85"}, ["home_address_id:control_character"]),
    (P, {"home_address_id": 'A"1'}, ["home_address_id:not_a_key"]),
    (P, {"home_address_id": "=A1"}, ["home_address_id:not_a_key"]),
    (P, {"deceased": "no"}, ["deceased:wrong_type"]),
    (P, {"base_month": "2020-01"}, ["base_month:wrong_type"]),
    (P, {"age_band": "33"}, ["age_band:unknown_code"]),
    (P, {"age_band": "10"}, ["age_band:below_range"]),
    (P, {"age_band": "35.0"}, ["age_band:wrong_type"]),
    (P, {"sex": "X", "mortgage_balance": "x"}, ["sex:unknown_code", "mortgage_balance:wrong_type"]),
    (R, {"age": "121"}, ["age:above_range"]),
    (R, {"age": "0"}, []),
    (R, {"address_id": ""}, ["address_id:missing"]),
    (R, {"unit_id": ""}, []),
    (R, {"status": "gone"}, ["status:unknown_code"]),
    (B, {"dwelling_type": "castle"}, ["dwelling_type:unknown_code"]),
    (B, {"x": "east"}, ["x:wrong_type"]),
    (E, {"industry": "Z"}, ["industry:unknown_code"]),
    ("benefits", {"programme": "youth_allowance"}, []),
    (M, {"category": "F33"}, ["category:unknown_code"]),
    (M, {"count": ""}, []),
    (M, {"margin": "households", "category": "all", "count": ""}, ["count:missing"]),
    (S, {"gu_code": "99999"}, ["gu_code:unknown_gu"]),
    (S, {"head_education": ""}, []),
    ("benchmarks", {"region_code": "26"}, ["region_code:unknown_code"]),
    ("benchmarks", {"source": "another_survey", "reference_period": ""}, []),
]

SOURCES = {
    P: BUREAU,
    R: CITY,
    B: CITY,
    E: CITY,
    "benefits": CITY,
    M: CENSUS,
    S: SURVEY,
    "benchmarks": BENCHMARKS,
    "regions": REGIONS,
}

IDENTIFIED: list[tuple[str, dict[str, str], bool]] = [
    (P, {"person_id": "900101-1234567"}, True),
    (P, {"person_id": "900101-1******"}, True),
    (P, {"person_id": "P900101-1234567"}, True),
    (P, {"person_id": RESIDENT_NUMBER}, True),
    (P, {"person_id": RESIDENT_NUMBER[:-1] + str((int(RESIDENT_NUMBER[-1]) + 1) % 10)}, False),
    (P, {"person_id": "9913321234567"}, False),
    (P, {"home_dong": "991332-1234567"}, False),
    (P, {"mortgage_balance": RESIDENT_NUMBER}, False),
    (P, {"mortgage_balance": "900101-1234567"}, True),
    (P, {"labour_income": "-5000000"}, False),
    (P, {"labour_income": "1e-3"}, False),
    (P, {"employment": "010-1234-5678"}, True),
    (P, {"home_unit_id": "01012345678"}, True),
    (P, {"home_unit_id": "02-731-6114"}, True),
    (P, {"labour_income": "01012345678"}, False),
    (P, {"sex": E_MAIL}, True),
    (P, {"sex": "@"}, False),
    (P, {"person_id": "홍길동"}, True),
    (P, {"home_address_id": "101동"}, False),
    (B, {"output_area_id": RESIDENT_NUMBER}, False),
    ("benchmarks", {"reference_period": E_MAIL}, True),
    ("benchmarks", {"reference_period": RESIDENT_NUMBER}, True),
    ("benchmarks", {"reference_period": "2020-01-01"}, False),
    ("regions", {"dong_name_ko": "신당동"}, False),
    ("regions", {"mois_code": "1114059000"}, False),
]


def sample_rows(source: str, table: str, folder: Path) -> Rows:
    """The rows of a table's first file in the sample."""
    kept: list[Row] = []
    delivered = Delivered.copy(folder, source)
    delivered.edit_rows(delivered.first_file(table), lambda rows: kept.extend(rows))
    return kept


@pytest.fixture(scope="module")
def judged(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[list[str], bool]]:
    """Reasons and identifiers of each single changed row of the two tables above, in one job."""
    parts = []
    for table, source in SOURCES.items():
        declared = table_of(source, table)
        good = sample_rows(source, table, tmp_path_factory.mktemp(table))[0]
        changes = [changed for name, changed, _ in (*VALUES, *IDENTIFIED) if name == table]
        values = {c.name: [{**good, **changed}[c.name] or None for changed in changes] for c in declared.columns}
        rows = spark.createDataFrame(
            pa.table(
                {"changed": [json.dumps(changed) for changed in changes]}
                | {n: pa.array(v, pa.string()) for n, v in values.items()}
            )
        )
        regions = None if table == "regions" else LISTED
        reasons = row_reasons(declared, regions=regions)
        parts.append(
            rows.select(
                F.lit(table).alias("table"),
                "changed",
                reasons.alias("r"),
                has_direct_identifier(declared, is_bad=F.size(reasons) > 0).alias("i"),
            )
        )
    found = reduce(DataFrame.unionByName, parts).collect()
    return {(row["table"], row["changed"]): (row["r"], row["i"]) for row in found}


@pytest.mark.parametrize(("table", "changed", "reasons"), VALUES, ids=lambda value: str(value)[:60])
def test_values(table: str, changed: Row, reasons: list[str], judged: dict[tuple[str, str], tuple[list[str], bool]]) -> None:
    assert judged[table, json.dumps(changed)] == (reasons, False)


@pytest.mark.parametrize(("table", "changed", "is_found"), IDENTIFIED, ids=lambda value: str(value)[:60])
def test_direct_identifiers(
    table: str, changed: Row, is_found: bool, judged: dict[tuple[str, str], tuple[list[str], bool]]
) -> None:
    assert judged[table, json.dumps(changed)][1] is is_found


# --- Rows together ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Together:
    """A change of a table's rows; the rule it breaks, if any, and the rows that are to be quarantined."""

    name: str
    table: str
    change: Callable[[Rows], object]
    refused: str = ""
    quarantined: int = 0
    residents_only: bool = False


def cell(column: str, value: str, *, rows: int = 1) -> Callable[[Rows], object]:
    """Set a column of the first rows."""
    return lambda found: [row.update({column: value}) for row in found[:rows]]


def again(*, times: int = 1, first: Row | None = None, **changes: str) -> Callable[[Rows], object]:
    """Change the first row, then add copies of it with further changes."""

    def change(rows: Rows) -> None:
        rows[0].update(first or {})
        rows.extend({**rows[0], **changes} for _ in range(times))

    return change


def single_years(rows: Rows) -> None:
    for place, row in enumerate(rows):
        row["age_band"] = str(20 + place % 50)


TOGETHER: list[Together] = [
    Together("a person repeated exactly", P, again(times=3)),
    Together("repeated, a number spelt otherwise", P, again(first={"cash_spending": "1e7"}, cash_spending="10000000.0")),
    Together("a person twice with other values", P, again(mortgage_balance="77"), quarantined=2),
    Together("a person twice, a value missing once", P, again(first={"home_dong": "1114059"}, home_dong=""), quarantined=2),
    Together(
        "values that change places are other values",
        P,
        again(first={"home_dong": "1114059", "work_dong": ""}, home_dong="", work_dong="1114059"),
        quarantined=2,
    ),
    Together("a person twice, one row broken", P, again(sex="X"), quarantined=1),
    Together(
        "three rows of a person, two alike",
        P,
        lambda rows: (again()(rows), again(sex="F" if rows[0]["sex"] == "M" else "M")(rows)),
        quarantined=3,
    ),
    Together("blank keys are not one person", P, cell("person_id", "", rows=2), quarantined=2),
    Together("5 of 599 rows", P, cell("sex", "X", rows=5), quarantined=5),
    Together("6 of 599 rows", P, cell("sex", "X", rows=6), "too_many_quarantined", 6),
    Together(
        "disagreeing persons count",
        P,
        lambda r: r.extend([{**row, "cash_spending": "77"} for row in r[:4]]),
        "too_many_quarantined",
        8,
    ),
    Together("another month inside", P, cell("base_month", "201912"), "other_month_inside"),
    Together("a month that cannot be read is the row's affair", P, cell("base_month", "2020-01"), quarantined=1),
    Together("single years of age", P, single_years, "category_too_fine", 479),
    Together("one odd age", P, cell("age_band", "33"), quarantined=1),
    Together("no persons", P, lambda rows: rows.clear(), "table_empty"),
    Together("workers beyond the scope", P, lambda rows: None, "agreement_scope", residents_only=True),
    Together("an identifier is graver than the rest", P, cell("person_id", E_MAIL, rows=99), "direct_identifier", 99),
    Together("identical residents are different people", R, again(times=2)),
    Together("no residents", R, lambda rows: rows.clear(), "table_empty"),
    Together("no buildings", B, lambda rows: rows.clear(), "reference_table_empty"),
    Together("building twice", B, again(), "reference_key_twice"),
    Together("building twice, one row broken", B, again(dwelling_type="castle"), "reference_key_twice", 1),
    Together("two buildings without key are within 2 of 142", B, cell("address_id", "", rows=1), quarantined=1),
    Together("benefit twice", "benefits", again(recipients="1"), "reference_key_twice"),
    Together("another month in the benefits", "benefits", cell("base_month", "202002"), "other_month_inside"),
    Together("margin twice", M, again(count=""), "reference_key_twice"),
    Together("another year inside", M, cell("year", "2015"), "other_month_inside"),
    Together("benchmark twice without period", "benchmarks", again(first={"reference_period": ""}), "reference_key_twice"),
    Together("dong twice", "regions", again(), "reference_key_twice"),
    Together("dong valid twice at a time", "regions", again(valid_from="201501"), "overlapping_validity"),
    Together(
        "dong valid twice in one month",
        "regions",
        again(first={"valid_to": "201501"}, valid_from="201501", valid_to=""),
        "overlapping_validity",
    ),
    Together("dong ends and begins again", "regions", again(first={"valid_to": "201412"}, valid_from="201501", valid_to="")),
    Together("dong ends before it begins", "regions", cell("valid_to", "200912"), "overlapping_validity"),
]


@pytest.fixture(scope="module")
def facts(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, TableFacts]:
    """The facts of every case, in one job."""
    samples = {table: sample_rows(SOURCES[table], table, tmp_path_factory.mktemp(table)) for table in {c.table for c in TOGETHER}}
    parts = []
    for case in TOGETHER:
        declared = table_of(SOURCES[case.table], case.table)
        rows = [dict(row) for row in samples[case.table]]
        case.change(rows)
        columns = {c.name: pa.array([row[c.name] or None for row in rows], pa.string()) for c in declared.columns}
        provenance = {"file_name": pa.array(["a"] * len(rows), pa.string()), "row_number": pa.array(range(len(rows)), pa.int64())}
        frame = spark.createDataFrame(pa.table(provenance | columns))
        regions = None if case.table == "regions" else LISTED
        month = Month(2020, 11 if case.table in (M, "benchmarks") else 1)
        found = checks.table_facts(frame, table=declared, month=month, regions=regions, residents_only=case.residents_only)
        parts.append(found.withColumn("case", F.lit(case.name)))
    collected = [row.asDict() for row in reduce(DataFrame.unionByName, parts).collect()]
    return {row.pop("case"): TableFacts(**{**row, "districts": frozenset(row["districts"])}) for row in collected}


@pytest.mark.parametrize("case", TOGETHER, ids=[case.name for case in TOGETHER])
def test_rows_together(case: Together, facts: dict[str, TableFacts]) -> None:
    declared = table_of(SOURCES[case.table], case.table)
    found = facts[case.name]
    broken = checks.judge({declared.name: found}, tables=(declared,), max_quarantined_share=0.01)
    assert (broken[0].rule if broken else "", found.quarantined) == (case.refused, case.quarantined)


def test_districts_of_sound_rows(facts: dict[str, TableFacts]) -> None:
    assert facts["a person repeated exactly"].districts == {11140}
    assert facts["no residents"].districts == frozenset()


@pytest.mark.parametrize(
    ("rows", "before", "districts", "before_districts", "is_incredible"),
    [
        (70, 100, {1}, {1}, True),
        (71, 100, {1}, {1}, False),
        (300, 100, {1, 2}, {1}, False),
        (100, 100, {1}, {1, 2}, True),
        (5, 0, {1}, set(), False),
    ],
)
def test_what_change_is_incredible(
    rows: int, before: int, districts: set[int], before_districts: set[int], is_incredible: bool
) -> None:
    what = checks.implausible(
        rows=rows,
        rows_before=before,
        districts=frozenset(districts),
        districts_before=frozenset(before_districts),
        max_row_fall=0.30,
    )
    assert bool(what) is is_incredible


# --- Whole deliveries -------------------------------------------------------------------------------------------

SETTINGS = ReceiptSettings()
BRONZE_PERSONS = BRONZE_TABLES[PERSONS.bronze_name]
OTHER_DISTRICT = "1115051"


def add_other_district(rows: Rows) -> None:
    rows.append({**rows[0], "gu_code": "11150", "dong_code": OTHER_DISTRICT, "gu_name_ko": "서대문구"})


def move_to_other_district(rows: Rows) -> None:
    for row in rows[:20]:
        row.update(residence="seoul", home_dong=OTHER_DISTRICT)


class World:
    """A landing folder, a warehouse, and what is in it."""

    def __init__(self, spark: SparkSession, root: Path) -> None:
        self.landing = root / "landing"
        self.warehouse = Warehouse(spark, str(root / "warehouse"))
        self.receipts = {}

    def receive(self, settings: ReceiptSettings = SETTINGS, months: list[Month] | None = None) -> list[Receipt]:
        return receive(self.warehouse, landing=self.landing, settings=settings, months=months)

    def versions(self) -> dict[str, int]:
        """Newest version of every table, and 0 rows of unregistered content."""
        tables: list[Table] = [DELIVERY, DELIVERY_COLUMN, *BRONZE_TABLES.values()]
        logs = {t.name: Path(self.warehouse.path(t)) / "_delta_log" for t in tables}
        return {name: len(list(log.glob("*.json"))) for name, log in logs.items() if log.is_dir()}

    def waiting(self) -> list[str]:
        return [folder.label for folder in waiting(self.warehouse, landing=self.landing, settings=SETTINGS)]

    def refusals(self) -> list[str]:
        return sorted(path.name for path in (Path(self.warehouse.root) / "_refused").glob("*"))

    def numbers(self) -> list[tuple[str, str, int]]:
        register = DeliveryRegister(self.warehouse)
        return [
            (name, str(month), current.number)
            for name in ("regions", "bureau")
            for month in register.months(name)
            if (current := register.current(name, month)) is not None
        ]


@pytest.fixture(scope="module")
def world(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Regions with two districts and January's persons in both, received."""
    world = World(spark, tmp_path_factory.mktemp("world"))
    Delivered.copy(world.landing, REGIONS).edit_rows("regions-00.csv.gz", add_other_district)
    Delivered.copy(world.landing, BUREAU).edit_rows("persons-00.csv.gz", move_to_other_district)
    receipts = world.receive()
    assert [(r.dataset, r.outcome, dict(r.rows)) for r in receipts] == [
        ("regions", "accepted", {"regions": 17}),
        ("bureau", "accepted", {"persons": 1795}),
    ]
    yield world


def broken_rows(rows: Rows) -> None:
    move_to_other_district(rows)
    rows[30].update(sex="X")
    rows[31].update(mortgage_balance="1e18")
    rows[32].update(person_id="")
    rows[33].update(home_dong="9999999", labour_income="three")
    rows.extend([dict(rows[34]), {**rows[35], "overdue_balance": "77"}])


REFUSED: list[tuple[str, Callable[[Delivered], object], type[Exception], str]] = [
    ("hash", lambda d: exchanged(d), RefusedDelivery, "bureau/202002/persons-00.csv.gz: hash_disagrees"),
    (
        "values",
        lambda d: d.edit_rows("persons-01.csv.gz", cell("sex", "X", rows=40)),
        RefusedDelivery,
        "bureau/202002/persons-01.csv.gz: too_many_quarantined (40 of 1805 rows; sex:unknown_code 40)",
    ),
    (
        "identifier",
        lambda d: d.edit_rows("persons-02.csv.gz", cell("person_id", E_MAIL)),
        RefusedDelivery,
        "bureau/202002/persons-02.csv.gz: direct_identifier (1 rows; person_id:e_mail 1)",
    ),
    (
        "fewer rows",
        lambda d: [d.edit_rows(f"persons-0{n}.csv.gz", lambda rows: rows[:300]) for n in range(3)],
        ImplausibleChange,
        "bureau/202002, persons: no row of district 11150, which was there before (202001)",
    ),
]


@pytest.mark.parametrize(("edit", "error", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_refusal_changes_nothing_and_says_why(
    edit: Callable[[Delivered], object], error: type[Exception], message: str, world: World
) -> None:
    delivered = Delivered.copy(world.landing, "bureau/202002")
    try:
        edit(delivered)
        before, refusals = world.versions(), world.refusals()
        with pytest.raises(error) as refused:
            world.receive()
        assert message in str(refused.value)
        assert E_MAIL not in str(refused.value)
        assert world.versions() == before
        new = [name for name in world.refusals() if name not in refusals]
        assert len(new) == 1 and world.waiting() == ["bureau/202002"]
        assert E_MAIL not in (Path(world.warehouse.root) / "_refused" / new[0]).read_text()
    finally:
        delivered.remove()


def test_the_months_asked_for_are_received_and_no_other(world: World) -> None:
    delivered = Delivered.copy(world.landing, "bureau/202002")
    delivered.edit_manifest(lambda facts: facts.clear())
    try:
        outcomes = [(r.dataset, r.outcome) for r in world.receive(months=[Month(2020, 1)])]
    finally:
        delivered.remove()
    assert outcomes == [("regions", "unchanged"), ("bureau", "unchanged")]


def test_kill_before_registration_then_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good rows go on, broken ones are counted; a delivery killed half-way does not exist until it is received again."""
    delivered = Delivered.copy(world.landing, "bureau/202002")
    delivered.edit_rows("persons-00.csv.gz", broken_rows)
    commit = Warehouse.commit

    def killed(self: Warehouse, table: Table, frame: DataFrame, **options: object) -> Commit:
        if table is DELIVERY:
            raise KeyboardInterrupt
        return commit(self, table, frame, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Warehouse, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            world.receive()
    assert world.numbers() == [("regions", "201001", 0), ("bureau", "202001", 0)]

    assert world.waiting() == ["bureau/202002"]
    receipt = world.receive()[-1]
    assert (receipt.outcome, receipt.rows, receipt.quarantined) == ("accepted", {"persons": 1807}, {"persons": 6})
    assert world.waiting() == [] and not any(name.startswith("bureau-202002-") for name in world.refusals())
    rows = world.warehouse.read(BRONZE_PERSONS, delivery_month=Month(2020, 2).date, delivery_number=0)
    assert rows.count() == 1807
    assert world.numbers()[-1] == ("bureau", "202002", 0)


def test_same_number_and_restatement(world: World) -> None:
    """Runs after February is in: a no-op, a refusal of other content, a restatement that wins, a late lower number."""
    first = Delivered(world.landing / BUREAU)
    kept = (first.path / "manifest.json").read_bytes()
    first.edit_manifest(lambda facts: facts["files"][0].update(rows=1))
    with pytest.raises(RefusedDelivery) as refused:
        world.receive(months=[Month(2020, 1)])
    assert refused.value.rule == "same_number_other_content"
    (first.path / "manifest.json").write_bytes(kept)

    restated = Delivered.copy(world.landing, BUREAU, "bureau/202001.r2")
    restated.edit_manifest(lambda facts: facts.update(delivery=2))
    late = Delivered.copy(world.landing, BUREAU, "bureau/202001.r1")
    late.edit_manifest(lambda facts: facts.update(delivery=1))
    late.hide()
    assert [r.outcome for r in world.receive(months=[Month(2020, 1)])] == ["unchanged", "unchanged", "accepted"]
    late.show()
    receipts = world.receive(months=[Month(2020, 1)])
    assert [(r.number, r.outcome) for r in receipts[1:]] == [(0, "unchanged"), (1, "accepted"), (2, "unchanged")]
    assert ("bureau", "202001", 2) in world.numbers()
    noted = world.warehouse.read(DELIVERY_COLUMN, delivery_number=2).where(F.col("column_name") == "person_id").collect()
    assert [(row["measure"], row["applied_by"], row["has_direct_identifier"]) for row in noted] == [
        ("가명처리", "credit bureau", False)
    ]


def test_a_named_override_lets_fewer_rows_pass(world: World) -> None:
    delivered = Delivered.copy(world.landing, "bureau/202002", "bureau/202003")
    delivered.edit_manifest(lambda facts: facts.update(base_month="202003", as_of="2020-04-12"))
    for name in ("persons-00.csv.gz", "persons-01.csv.gz", "persons-02.csv.gz"):
        delivered.edit_rows(name, lambda rows: [row.update(base_month="202003") or row for row in rows[:300]])
    with pytest.raises(ImplausibleChange, match="--allow-row-fall"):
        world.receive(months=[Month(2020, 3)])
    receipts = world.receive(ReceiptSettings(allow_row_fall=True), months=[Month(2020, 3)])
    assert (receipts[-1].outcome, receipts[-1].rows) == ("accepted", {"persons": 900})


def test_regions_valid_in_a_month(world: World) -> None:
    valid = regions_for(world.warehouse, Month(2020, 1))
    assert (len(valid.dong_codes), list(valid.gu_codes)) == (17, ["11140", "11150"])
    with pytest.raises(MissingInput, match="201001"):
        regions_for(world.warehouse, Month(2009, 12))


def test_what_must_be_there(spark: SparkSession, tmp_path: Path) -> None:
    empty = World(spark, tmp_path)
    with pytest.raises(MissingInput):
        empty.receive()
    Delivered.copy(empty.landing, BUREAU)
    with pytest.raises(MissingInput, match="regions"):
        empty.receive()
    assert empty.versions() == {}
