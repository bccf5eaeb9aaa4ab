"""Files of a delivery: what is wrong with them is a finding, and no finding repeats a row."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from living_finance.contracts.bronze import BRONZE_TABLES
from living_finance.contracts.deliveries import ESTABLISHMENTS
from living_finance.months import Month
from living_finance.storage import landing
from living_finance.storage.landing import DeliveryFolder, FileTask, discover, record_refusal, scan_file

HEADER = "establishment_id,address_id,dong_code,industry,workers"
GOOD = f"{HEADER}\nE1,A1,1114059,G,5\nE2,A2,1114059,M,\n"
SECRET = "9001011234568"
REGIONS_HEADER = "gu_code,gu_name_en,dong_code,dong_name_en,gu_name_ko,dong_name_ko,mois_code,valid_from,valid_to"
KOREAN = f"{REGIONS_HEADER}\n11140,Jung-gu,1114059,Yonggang-dong,중구,용강동,,201001,\n"
EVEN = f"{REGIONS_HEADER}\n11140,Jung-gu,1114059,Jongno,중구,종로,,201001,\n"
"""Korean words of an even number of syllables, whose UTF-8 bytes CP949 decodes without complaint."""


def task(
    folder: Path, stored: bytes, *, rows: int = 2, name: str = "t.csv.gz", encoding: str = "utf-8", **other: str
) -> FileTask:
    path = folder / name
    path.write_bytes(stored)
    return FileTask(
        path=str(path),
        name=name,
        table=other.get("table", "city_establishments"),
        encoding=encoding,
        rows=rows,
        sha256=other.get("sha256", hashlib.sha256(stored).hexdigest()),
    )


def rules(scanned: landing.FileFindings) -> list[str]:
    return [finding.rule for finding in scanned.findings]


def members(*texts: str) -> bytes:
    return b"".join(gzip.compress(text.encode(), mtime=0) for text in texts)


FINE: list[tuple[str, bytes]] = [
    ("as declared", members(GOOD)),
    ("byte-order mark", members("\ufeff" + GOOD)),
    ("CRLF", members(GOOD.replace("\n", "\r\n"))),
    ("no line end at the end", members(GOOD.rstrip("\n"))),
    ("empty line at the end", members(GOOD + "\n")),
    ("several gzip members", members(GOOD[:30], GOOD[30:60], GOOD[60:])),
    ("empty member between", members(GOOD[:60], "", GOOD[60:])),
    ("zero padding", members(GOOD) + b"\0" * 512),
    (
        "columns in another order",
        members("workers,industry,dong_code,address_id,establishment_id\n5,G,1114059,A1,E1\n,M,1,A,E\n"),
    ),
    ("quoted header", members(GOOD.replace("workers", '"workers"'))),
    ("quote, comma and line end in a value", members(f'{HEADER}\nE1,"A""1,\r\n2",1114059,G,5\nE2,A2,1,M,\n')),
    ("NUL in a value is the row's affair", members(GOOD.replace("A1", "A\x001"))),
    ("Korean", members(GOOD.replace("A1", "용강동"))),
]


@pytest.mark.parametrize("stored", [case[1] for case in FINE], ids=[case[0] for case in FINE])
def test_what_is_fine(stored: bytes, tmp_path: Path) -> None:
    assert scan_file(task(tmp_path, stored)) == landing.FileFindings("t.csv.gz", 2, ())


BROKEN: list[tuple[str, bytes, list[str]]] = [
    ("cut short", members(GOOD)[:-12], ["gzip_damaged"]),
    ("second member cut short", members(GOOD[:60], GOOD[60:])[:-12], ["gzip_damaged"]),
    ("second member missing", members(GOOD[: GOOD.index("E2")]), ["row_count_disagrees"]),
    ("not gzip", GOOD.encode(), ["gzip_damaged"]),
    ("rubbish after the last member", members(GOOD) + b"rubbish", ["gzip_damaged"]),
    ("checksum wrong", members(GOOD)[:-8] + b"\0\0\0\0" + members(GOOD)[-4:], ["gzip_damaged"]),
    ("no bytes", b"", ["gzip_damaged"]),
    ("no text", members(""), ["columns_missing"]),
    ("no header", members(GOOD.partition("\n")[2]), ["columns_missing"]),
    ("column missing", members(GOOD.replace(",workers", "").replace(",5\n", "\n").replace("M,", "M")), ["columns_missing"]),
    ("column renamed", members(GOOD.replace("workers", "worker")), ["columns_missing"]),
    ("column in other case", members(GOOD.replace("workers", "Workers")), ["columns_missing"]),
    ("column too many", members(GOOD.replace("\n", ",x\n")), ["columns_unexpected"]),
    ("column doubled", members(GOOD.replace("\n", ",1\n").replace("workers,1", "workers,workers")), ["column_doubled"]),
    ("value too many", members(GOOD.replace("G,5", "G,5,6")), ["ragged_rows"]),
    ("value too few", members(GOOD.replace("G,5", "G")), ["ragged_rows"]),
    ("separated by semicolons", members(GOOD.replace(",", ";")), ["columns_missing"]),
    ("quote never closed", members(GOOD.replace("A1", '"A1')), ["ragged_rows"]),
    ("row missing", members(GOOD.replace("E2,A2,1114059,M,\n", "")), ["row_count_disagrees"]),
    ("row too many", members(GOOD + "E3,A1,1114059,G,5\n"), ["row_count_disagrees"]),
    ("replacement character", members(GOOD.replace("A1", "A\ufffd")), ["encoding_broken"]),
    ("not UTF-8", gzip.compress(GOOD.replace("A1", "용강동").encode("cp949")), ["encoding_broken"]),
    (
        "one row not UTF-8",
        gzip.compress((GOOD + "E3,용강동,1,G,5\n").encode() + "E4,용강동,1,G,5\n".encode("cp949")),
        ["encoding_broken"],
    ),
    ("UTF-16", gzip.compress(GOOD.encode("utf-16")), ["encoding_broken"]),
]


@pytest.mark.parametrize(("stored", "expected"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_what_is_broken(stored: bytes, expected: list[str], tmp_path: Path) -> None:
    assert rules(scan_file(task(tmp_path, stored))) == expected


CODED: list[tuple[str, str, bytes, list[str]]] = [
    ("CP949 as stated", "cp949", KOREAN.encode("cp949"), []),
    ("CP949 beyond KS X 1001", "cp949", KOREAN.replace("용강동", "똠방각하").encode("cp949"), []),
    ("plain ASCII as CP949", "cp949", KOREAN.replace("중구", "a").replace("용강동", "b").encode(), []),
    ("UTF-8 stated as CP949, odd length", "cp949", KOREAN.encode(), ["encoding_broken"]),
    ("UTF-8 stated as CP949, even length", "cp949", EVEN.encode(), ["encoding_broken"]),
    ("one UTF-8 row in CP949", "cp949", EVEN.encode("cp949") + EVEN.splitlines()[1].encode() + b"\n", ["encoding_broken"]),
    ("byte-order mark in CP949", "cp949", b"\xef\xbb\xbf" + KOREAN.encode("cp949"), ["encoding_broken"]),
    ("CP949 stated as UTF-8", "utf-8", KOREAN.encode("cp949"), ["encoding_broken"]),
]


@pytest.mark.parametrize(("encoding", "text", "expected"), [case[1:] for case in CODED], ids=[case[0] for case in CODED])
def test_encodings(encoding: str, text: bytes, expected: list[str], tmp_path: Path) -> None:
    file = task(tmp_path, gzip.compress(text), rows=1, encoding=encoding, table="regions_regions")
    assert rules(scan_file(file)) == expected


def test_even_korean_really_decodes_as_cp949() -> None:
    assert EVEN.encode().decode("cp949") != EVEN, "otherwise the case above is caught by the decoder and proves nothing"


def test_another_hash_is_found_first(tmp_path: Path) -> None:
    assert rules(scan_file(task(tmp_path, members(GOOD), sha256="0" * 64))) == ["hash_disagrees"]
    assert rules(scan_file(task(tmp_path, members(GOOD), rows=9, sha256="0" * 64))) == ["hash_disagrees", "row_count_disagrees"]


def test_findings_repeat_nothing_of_a_row(tmp_path: Path) -> None:
    spoiled = [
        f"{SECRET},a,b,c,d\n{SECRET},a,b,c,d\n",
        GOOD.replace("A1", f"{SECRET},{SECRET}"),
        GOOD.replace("A1", f'"{SECRET}'),
        HEADER + f",{SECRET}\n",
    ]
    for text in spoiled:
        found = scan_file(task(tmp_path, members(text)))
        assert found.findings
        assert SECRET not in repr(found)


def test_a_file_larger_than_every_buffer(tmp_path: Path) -> None:
    rows = 150_000
    text = HEADER + "\n" + "".join(f'E{i},"A{i}\n{zlib.crc32(str(i).encode()):x}",1114059,G,{i}\n' for i in range(rows))
    many = [text[i : i + 999_983] for i in range(0, len(text), 999_983)]
    assert len(text) > 4 << 20
    assert scan_file(task(tmp_path, members(*many), rows=rows)) == landing.FileFindings("t.csv.gz", rows, ())
    highly_packed = members(HEADER + "\n" + "E1,A1,1114059,G,5\n" * 600_000)
    assert scan_file(task(tmp_path, highly_packed, rows=600_000)).findings == ()
    ragged_early = task(tmp_path, members(text.replace("E7,", "E7,x,", 1)), rows=rows)
    assert rules(scan_file(ragged_early)) == ["ragged_rows"]


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_give_findings_or_rows_never_a_failure(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, is_packed: bool
) -> None:
    folder = tmp_path_factory.mktemp("any")
    stored = gzip.compress(HEADER.encode() + b"\n" + data) if is_packed else data
    scan_file(task(folder, stored))
    scan_file(task(folder, stored, name="t.parquet"))


# --- Parquet ---

TYPED = pa.table(
    {
        "establishment_id": ["E1", "E2"],
        "address_id": ["A1", ""],
        "dong_code": ["1114059", None],
        "industry": ["G", "M"],
        "workers": pa.array([5, None], pa.int32()),
    }
)


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def retyped(name: str, kind: pa.DataType) -> pa.Table:
    return TYPED.set_column(TYPED.column_names.index(name), name, pa.chunked_array([pa.array([None, None], kind)]))


PARQUET: list[tuple[str, bytes, list[str]]] = [
    ("as declared", parquet(TYPED), []),
    ("large strings", parquet(TYPED.set_column(0, "establishment_id", [pa.array(["E1", "E2"], pa.large_string())])), []),
    ("dictionary", parquet(TYPED.set_column(0, "establishment_id", [pa.array(["E1", "E2"]).dictionary_encode()])), []),
    ("another order", parquet(TYPED.select(TYPED.column_names[::-1])), []),
    ("counts as double", parquet(retyped("workers", pa.float64())), ["column_type"]),
    ("codes as integer", parquet(retyped("dong_code", pa.int64())), ["column_type"]),
    ("keys as bytes", parquet(retyped("address_id", pa.binary())), ["column_type"]),
    ("required column without type", parquet(retyped("industry", pa.null())), ["column_type"]),
    ("column missing", parquet(TYPED.drop_columns(["workers"])), ["columns_missing"]),
    ("column too many", parquet(TYPED.append_column("x", [pa.array([1, 2])])), ["columns_unexpected"]),
    ("replacement character", parquet(TYPED.set_column(1, "address_id", [pa.array(["A\ufffd", "A"])])), ["encoding_broken"]),
    ("row missing", parquet(TYPED.slice(1)), ["row_count_disagrees"]),
    ("not Parquet", b"PAR1 rubbish PAR1", ["parquet_unreadable"]),
    ("cut short", parquet(TYPED)[:-20], ["parquet_unreadable"]),
]


@pytest.mark.parametrize(("stored", "expected"), [case[1:] for case in PARQUET], ids=[case[0] for case in PARQUET])
def test_parquet(stored: bytes, expected: list[str], tmp_path: Path) -> None:
    assert rules(scan_file(task(tmp_path, stored, name="t.parquet"))) == expected


def test_invalid_utf8_inside_parquet(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    table = TYPED.slice(0, 1).set_column(1, "address_id", [broken])
    assert rules(scan_file(task(tmp_path, parquet(table), rows=1, name="t.parquet"))) == ["encoding_broken"]


# --- Rows, folders, refusals ---


@pytest.fixture
def listing(tmp_path: Path) -> tuple[DeliveryFolder, SimpleNamespace]:
    folder = tmp_path / "city" / "202001"
    folder.mkdir(parents=True)
    quoted = f'{HEADER}\nE3,"A""1,\n2","",G,1e5\n'
    tasks = [
        task(folder, members(GOOD), name="a.csv.gz"),
        task(folder, parquet(TYPED), name="b.parquet"),
        task(folder, members(quoted), rows=1, name="c.csv.gz"),
    ]
    files = [SimpleNamespace(name=t.name, table="establishments", rows=t.rows, sha256=t.sha256) for t in tasks]
    manifest = SimpleNamespace(dataset="city", month=Month(2020, 1), number=3, encoding="utf-8", files=files)
    return DeliveryFolder("city", "202001", folder), manifest


def test_rows_as_bronze_keeps_them(spark: SparkSession, listing: tuple[DeliveryFolder, SimpleNamespace]) -> None:
    folder, manifest = listing
    rows = landing.read_rows(spark, folder=folder, manifest=manifest, table=ESTABLISHMENTS)
    names = BRONZE_TABLES["city_establishments"].column_names
    assert rows.columns == list(names)
    found = sorted(tuple(row)[2:] for row in rows.collect())
    assert found == [
        ("a.csv.gz", 1, "E1", "A1", "1114059", "G", "5"),
        ("a.csv.gz", 2, "E2", "A2", "1114059", "M", None),
        ("b.parquet", 1, "E1", "A1", "1114059", "G", "5"),
        ("b.parquet", 2, "E2", None, None, "M", None),
        ("c.csv.gz", 1, "E3", 'A"1,\n2', None, "G", "1e5"),
    ]
    scanned = landing.scan_files(spark, folder=folder, manifest=manifest)
    assert [(s.name, s.rows, s.findings) for s in scanned] == [("a.csv.gz", 2, ()), ("b.parquet", 2, ()), ("c.csv.gz", 1, ())]


def test_a_file_that_changed_after_its_check_is_not_read(listing: tuple[DeliveryFolder, SimpleNamespace]) -> None:
    folder, manifest = listing
    (folder.path / "a.csv.gz").write_bytes(members(GOOD.replace("A1", "A9")))
    first = landing.file_tasks(folder, manifest)[0]
    with pytest.raises(RuntimeError, match=landing.FILE_CHANGED):
        list(landing._checked_batches(first))


def test_deliveries_are_found_in_the_order_of_receipt(tmp_path: Path) -> None:
    for name in (
        "bureau/202002",
        "bureau/202001.r10",
        "bureau/202001.r2",
        "bureau/202001",
        "bureau/.upload",
        "bureau/odd",
        "regions/201001",
        "census/2020",
        "city/202002",
        ".trash/x",
        "abc/202001",
    ):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bureau" / "README").touch()
    assert [folder.label for folder in discover(tmp_path)] == [
        "regions/201001",
        "city/202002",
        "bureau/202001",
        "bureau/202001.r2",
        "bureau/202001.r10",
        "bureau/202002",
        "bureau/odd",
        "census/2020",
        "abc/202001",
    ]
    assert discover(tmp_path / "nowhere") == []


Prepare = Callable[[Path], object]
FOLDERS: list[tuple[str, Prepare, list[tuple[str, str]]]] = [
    ("as listed", lambda folder: None, []),
    ("hidden file", lambda folder: (folder / ".DS_Store").touch(), []),
    ("file missing", lambda folder: (folder / "a.csv.gz").unlink(), [("a.csv.gz", "file_missing")]),
    ("file not listed", lambda folder: (folder / "d.csv.gz").touch(), [("'d.csv.gz'", "file_not_listed")]),
    ("folder not listed", lambda folder: (folder / "more").mkdir(), [("'more'", "file_not_listed")]),
    (
        "link that leaves the folder",
        lambda folder: ((folder / "a.csv.gz").rename(folder.parent / "a"), (folder / "a.csv.gz").symlink_to(folder.parent / "a")),
        [("a.csv.gz", "file_missing")],
    ),
]


@pytest.mark.parametrize(("prepare", "expected"), [case[1:] for case in FOLDERS], ids=[case[0] for case in FOLDERS])
def test_files_against_their_list(
    prepare: Prepare, expected: list[tuple[str, str]], listing: tuple[DeliveryFolder, SimpleNamespace]
) -> None:
    folder, manifest = listing
    prepare(folder.path)
    found = landing.folder_findings(folder, manifest)
    assert [(f.name, f.findings[0].rule) for f in found] == expected


def test_a_refusal_is_found_again(tmp_path: Path, listing: tuple[DeliveryFolder, SimpleNamespace]) -> None:
    folder, _ = listing
    (folder.path / "manifest.json").write_text("{}")
    facts = {"rule": "manifest_broken", "file": "manifest.json", "detail": "", "remedy": "repair it"}
    path = record_refusal(str(tmp_path / "warehouse"), folder=folder, facts=facts)
    assert record_refusal(str(tmp_path / "warehouse"), folder=folder, facts=facts) == path
    assert path.name == f"city-202001-{hashlib.sha256(b'{}').hexdigest()[:12]}.json"
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert json.loads(path.read_text())["rule"] == "manifest_broken"
