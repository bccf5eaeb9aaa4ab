"""Deliveries as files: finding them, checking them, turning them into rows.

Landing must be visible from the driver and every executor under the same path. A file is read as a stream, by
one task: bytes → SHA-256 → gunzip → decode → Arrow. What is wrong with a file is a finding, never an exception,
and no finding repeats anything of a row: a file without a header line has persons where the names should be.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import os
import re
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from living_finance.contracts.bronze import BRONZE_TABLES
from living_finance.contracts.core import Column, Kind
from living_finance.contracts.deliveries import DATASETS, DELIVERED_TABLES, DeliveredTable
from living_finance.months import Month

FILE_CHANGED = "living-finance: a file in landing changed while it was being received"
"""Marks the failure of a read whose file is no longer the one that was checked."""

MANIFEST_NAME = "manifest.json"
_READ_BYTES = 1 << 20
_BLOCK_BYTES = 4 << 20
_LONGEST_LINE_BYTES = 64 << 20
_MOST_RAGGED_ROWS_COUNTED = 1000
_PARQUET_BATCH_ROWS = 50_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_REPLACEMENT = "\ufffd"
_UTF8_HANGUL_RUN = re.compile(rb"(?<![\x80-\xff])(?:[\xea-\xed][\x80-\xbf]{2})+(?![\x80-\xff])")
"""A run of bytes that is Korean in UTF-8: in a CP949 file it would decode, to nonsense, if its length is even.

Hangul in CP949 begin with 0x81 to 0xC8, so that a run of them does not match.
"""


class ListedFile(Protocol):
    """What is read of a manifest's file."""

    @property
    def name(self) -> str: ...
    @property
    def table(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def sha256(self) -> str: ...


class Listing(Protocol):
    """What is read of a manifest."""

    @property
    def dataset(self) -> str: ...
    @property
    def month(self) -> Month: ...
    @property
    def number(self) -> int: ...
    @property
    def encoding(self) -> str: ...
    @property
    def files(self) -> Sequence[ListedFile]: ...


@dataclass(frozen=True)
class DeliveryFolder:
    """One delivery in landing."""

    dataset: str
    name: str
    path: Path

    @property
    def label(self) -> str:
        return f"{self.dataset}/{self.name}"

    def manifest_bytes(self) -> bytes | None:
        """Content of manifest.json, or None if there is none."""
        try:
            return (self.path / MANIFEST_NAME).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def data_names(self) -> list[str]:
        """Visible names in the folder, the manifest's excepted."""
        return sorted(p.name for p in self.path.iterdir() if p.name != MANIFEST_NAME and not p.name.startswith("."))

    def holds(self, name: str) -> bool:
        """Whether `name` is a file of the folder and, links followed, lies in it."""
        path = self.path / name
        return path.is_file() and path.resolve().parent == self.path.resolve()


def discover(landing: Path) -> list[DeliveryFolder]:
    """Every delivery in landing, in the order of receipt: datasets as declared, then period, then number.

    Folders of unknown datasets come last: they are for the caller to refuse. Hidden names are passed over.
    """
    order = {dataset.name: place for place, dataset in enumerate(DATASETS)}
    folders = [
        DeliveryFolder(dataset.name, folder.name, folder)
        for dataset in _visible_folders(landing)
        for folder in _visible_folders(dataset)
    ]
    return sorted(folders, key=lambda f: (order.get(f.dataset, len(order)), f.dataset, *_period_and_number(f.name)))


def _visible_folders(parent: Path) -> list[Path]:
    return [path for path in parent.iterdir() if path.is_dir() and not path.name.startswith(".")] if parent.is_dir() else []


def _period_and_number(name: str) -> tuple[int, str, int, str]:
    period, _, number = name.partition(".r")
    is_regular = period.isdecimal() and (number.isdecimal() or not number)
    return (0 if is_regular else 1, period, int(number or 0) if is_regular else 0, name)


def record_refusal(root: str, *, folder: DeliveryFolder, facts: Mapping[str, Any]) -> Path:
    """Write why a delivery was refused to `<root>/_refused`, outside all tables; the same refusal is the same file."""
    manifest = folder.manifest_bytes() or b""
    digest = hashlib.sha256(manifest).hexdigest()
    path = Path(root) / "_refused" / f"{folder.dataset}-{folder.name}-{digest[:12]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    content = {"delivery": folder.label, "manifest_sha256": digest, **facts}
    temporary.write_text(json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)
    return path


def forget_refusals(root: str, *, folder: DeliveryFolder) -> None:
    """Remove what was noted of a delivery that was refused before it was sent again or let pass."""
    for path in (Path(root) / "_refused").glob(f"{folder.dataset}-{folder.name}-*.json"):
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Finding:
    """A rule that a file breaks."""

    rule: str
    detail: str = ""


@dataclass(frozen=True)
class FileFindings:
    """What a file holds and what is wrong with it."""

    name: str
    rows: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class FileTask:
    """A file to read, small enough to send to every task."""

    path: str
    name: str
    table: str
    encoding: str
    rows: int
    sha256: str


@dataclass
class _Reading:
    """What has been seen of a file so far."""

    rows: int = 0
    sha256: str = ""
    findings: list[Finding] = field(default_factory=list)

    def find(self, rule: str, detail: str = "") -> None:
        self.findings.append(Finding(rule, detail))


_FINDINGS_SCHEMA = T.StructType(
    [
        T.StructField("name", T.StringType()),
        T.StructField("rows", T.LongType()),
        T.StructField("rules", T.ArrayType(T.StringType())),
        T.StructField("details", T.ArrayType(T.StringType())),
    ]
)


def file_tasks(folder: DeliveryFolder, manifest: Listing, *, table: str | None = None) -> list[FileTask]:
    """The files of a delivery, or of one of its tables."""
    return [
        FileTask(
            path=str((folder.path / file.name).absolute()),
            name=file.name,
            table=f"{manifest.dataset}_{file.table}",
            encoding=manifest.encoding,
            rows=file.rows,
            sha256=file.sha256,
        )
        for file in manifest.files
        if table is None or file.table == table
    ]


def folder_findings(folder: DeliveryFolder, manifest: Listing) -> list[FileFindings]:
    """Files that are listed but not in the folder, or in the folder (hidden ones passed over) but not listed."""
    listed = [file.name for file in manifest.files]
    missing = [name for name in listed if not folder.holds(name)]
    extra = [name for name in folder.data_names() if name not in listed]
    return [
        *(FileFindings(name, 0, (Finding("file_missing"),)) for name in missing),
        *(FileFindings(ascii(name), 0, (Finding("file_not_listed"),)) for name in extra),
    ]


def scan_files(spark: SparkSession, *, folder: DeliveryFolder, manifest: Listing) -> list[FileFindings]:
    """Check every file of a delivery against its manifest and its table's declaration, one task per file.

    Returns:
        One entry per listed file, in the manifest's order; its findings are empty if it conforms.
    """
    tasks = file_tasks(folder, manifest)

    def scan(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for task in _tasks_of(batches, tasks):
            found = scan_file(task)
            yield pa.RecordBatch.from_pydict(
                {
                    "name": [found.name],
                    "rows": [found.rows],
                    "rules": pa.array([[f.rule for f in found.findings]], pa.list_(pa.string())),
                    "details": pa.array([[f.detail for f in found.findings]], pa.list_(pa.string())),
                }
            )

    scanned = _one_task_per_file(spark, len(tasks)).mapInArrow(scan, _FINDINGS_SCHEMA)
    by_name = {
        row["name"]: FileFindings(
            row["name"], row["rows"], tuple(itertools.starmap(Finding, zip(row["rules"], row["details"], strict=True)))
        )
        for row in scanned.collect()  # ok: one row per file
    }
    return [by_name[task.name] for task in tasks]


def read_rows(spark: SparkSession, *, folder: DeliveryFolder, manifest: Listing, table: DeliveredTable) -> DataFrame:
    """The rows of one delivered table as bronze keeps them: provenance, then every value as text.

    The files are those that `scan_files` found sound: should one have changed since, the query fails.

    Returns:
        One row per delivered row, the columns of the table's bronze declaration.
    """
    tasks = file_tasks(folder, manifest, table=table.name)
    bronze = BRONZE_TABLES[table.bronze_name]
    provenance = {"delivery_month": F.lit(manifest.month.date), "delivery_number": F.lit(manifest.number)}
    delivered = T.StructType([stored for stored in bronze.schema().fields if stored.name not in provenance])

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for task in _tasks_of(batches, tasks):
            yield from _checked_batches(task)

    rows = _one_task_per_file(spark, len(tasks)).mapInArrow(read, delivered)
    return rows.withColumns(provenance).select(*bronze.column_names)


def _one_task_per_file(spark: SparkSession, files: int) -> DataFrame:
    """File indices, each in a partition of its own."""
    return spark.range(0, files, 1, numPartitions=max(files, 1))


def _tasks_of(batches: Iterator[pa.RecordBatch], tasks: Sequence[FileTask]) -> Iterator[FileTask]:
    for batch in batches:
        for index in batch.column(0).to_pylist():
            yield tasks[index]


def _checked_batches(task: FileTask) -> Iterator[pa.RecordBatch]:
    reading = _Reading()
    for columns in _batches(task, reading, is_scan=False):
        rows = len(columns[0])
        numbers = pa.array(np.arange(reading.rows - rows + 1, reading.rows + 1, dtype=np.int64))
        names = ["file_name", "row_number", *(column.name for column in _table(task).columns)]
        yield pa.RecordBatch.from_arrays([pa.repeat(pa.scalar(task.name), rows), numbers, *columns], names=names)
    if reading.findings or reading.sha256 != task.sha256 or reading.rows != task.rows:
        raise RuntimeError(FILE_CHANGED)


def scan_file(task: FileTask) -> FileFindings:
    """Read one file to its end and say what is wrong with it."""
    reading = _Reading()
    for _ in _batches(task, reading, is_scan=True):
        pass
    findings = reading.findings
    if not findings and reading.rows != task.rows:
        findings = [Finding("row_count_disagrees", f"{reading.rows} rows, manifest {task.rows}")]
    if reading.sha256 != task.sha256:
        findings = [Finding("hash_disagrees"), *findings]
    return FileFindings(task.name, reading.rows, tuple(findings))


def _table(task: FileTask) -> DeliveredTable:
    return next(table for table in DELIVERED_TABLES if table.bronze_name == task.table)


def _batches(task: FileTask, reading: _Reading, *, is_scan: bool) -> Iterator[list[pa.Array]]:
    """Text columns of a file in declared order, batch by batch; a scan may be given fewer columns."""
    read = _parquet_batches if task.name.endswith(".parquet") else _csv_batches
    for columns in read(task, reading, is_scan=is_scan):
        reading.rows += len(columns[0])
        yield columns


def _check_names(names: Sequence[str], table: DeliveredTable, reading: _Reading) -> bool:
    """Compare a header with the declaration; names the contract does not know are counted, not repeated."""
    declared = table.column_names
    missing = [name for name in declared if name not in names]
    unknown = [str(place) for place, name in enumerate(names, start=1) if name not in declared]
    doubled = [name for name in declared if names.count(name) > 1]
    others = f"unknown names at position {', '.join(unknown[:20])}" if unknown else ""
    if doubled:
        reading.find("column_doubled", ", ".join(doubled))
    if missing:
        reading.find("columns_missing", "; ".join(filter(None, (", ".join(missing), others))))
    elif unknown:
        reading.find("columns_unexpected", others)
    return not (missing or unknown or doubled)


# --- CSV -------------------------------------------------------------------------------------------------------


def _csv_batches(task: FileTask, reading: _Reading, *, is_scan: bool) -> Iterator[list[pa.Array]]:
    table = _table(task)
    stored = _stored_bytes(task, reading)
    text = _as_utf8(_whole_lines(_gunzipped(stored, reading), reading), task.encoding, reading)
    yield from _csv_columns(text, table, reading, is_scan=is_scan)
    for _ in stored:  # the hash is of the whole file, whatever stopped the reading
        pass


def _csv_columns(text: Iterator[bytes], table: DeliveredTable, reading: _Reading, *, is_scan: bool) -> Iterator[list[pa.Array]]:
    names, rest = _header(text)
    if reading.findings or not _check_names(names, table, reading):
        return
    first = next((block for block in rest if block.strip(b"\r\n")), None)
    if first is None:
        return
    # A scan needs the structure of every row but the values of one column only: half the work.
    wanted = list(table.column_names[:1] if is_scan else table.column_names)
    ragged: list[int] = []
    stream = _Stream(itertools.chain([first], rest))
    try:
        reader = pa_csv.open_csv(
            stream,
            read_options=pa_csv.ReadOptions(column_names=names, block_size=_BLOCK_BYTES, use_threads=False),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=_count_ragged(ragged)),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=wanted,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                check_utf8=False,
            ),
        )
        for batch in reader:
            if batch.num_rows:
                yield batch.columns
    except pa.ArrowInvalid:
        # Arrow's own text quotes the row.
        if not ragged and not reading.findings:
            reading.find("csv_unreadable")
    finally:
        stream.close()
    if ragged and not reading.findings:
        many = "at least " if len(ragged) >= _MOST_RAGGED_ROWS_COUNTED else ""
        reading.find("ragged_rows", f"{many}{len(ragged)} rows, the first is row {ragged[0]}")


def _count_ragged(ragged: list[int]) -> Callable[[Any], str]:
    def handle(row: Any) -> str:
        ragged.append(row.number)
        return "skip" if len(ragged) < _MOST_RAGGED_ROWS_COUNTED else "error"

    return handle


def _header(text: Iterator[bytes]) -> tuple[list[str], Iterator[bytes]]:
    """The names of the first line, and the text after it."""
    block = next(text, b"")
    ends = [place for place in (block.find(b"\n"), block.find(b"\r")) if place >= 0]
    end = min(ends, default=len(block))
    try:
        names = next(csv.reader([block[:end].decode("utf-8")]), [])
    except csv.Error:
        names = []
    return names, itertools.chain([block[end:]], text)


def _stored_bytes(task: FileTask, reading: _Reading) -> Iterator[bytes]:
    digest = hashlib.sha256()
    with Path(task.path).open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
            yield chunk
    reading.sha256 = digest.hexdigest()


def _gunzipped(stored: Iterator[bytes], reading: _Reading) -> Iterator[bytes]:
    """Content of every member of a gzip file; zero bytes after the last are padding."""
    member = zlib.decompressobj(wbits=31)
    is_begun = has_member = False
    for chunk in stored:
        pending = chunk.lstrip(b"\0") if has_member and not is_begun else chunk
        is_drained = not pending
        while not is_drained:
            try:
                content = member.decompress(pending, _BLOCK_BYTES)
            except zlib.error:
                reading.find("gzip_damaged")
                return
            is_begun = True
            if content:
                yield content
            if member.eof:
                pending = member.unused_data.lstrip(b"\0")
                member, is_begun, has_member = zlib.decompressobj(wbits=31), False, True
                is_drained = not pending
            else:
                pending = member.unconsumed_tail
                # A full block may leave content inside the decompressor although no input is left.
                is_drained = not pending and len(content) < _BLOCK_BYTES
    if is_begun or not has_member:
        reading.find("gzip_damaged", "ends before its end mark" if is_begun else "empty file")


def _whole_lines(blocks: Iterator[bytes], reading: _Reading) -> Iterator[bytes]:
    """The same bytes, cut after line ends, so that no character of several bytes is cut."""
    kept: list[bytes] = []
    kept_bytes = 0
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if end:
            yield b"".join([*kept, block[:end]])
            kept, kept_bytes = [block[end:]], len(block) - end
        else:
            kept.append(block)
            kept_bytes += len(block)
        if kept_bytes > _LONGEST_LINE_BYTES:
            reading.find("csv_unreadable", "a line is too long")
            return
    if kept_bytes:
        yield b"".join(kept)


def _as_utf8(blocks: Iterator[bytes], encoding: str, reading: _Reading) -> Iterator[bytes]:
    """The text in UTF-8 without a byte-order mark; stops where it is not in the stated encoding."""
    is_first = True
    for block in blocks:
        if is_first and encoding == "utf-8":
            block = block.removeprefix(_BYTE_ORDER_MARK)
        is_first = False
        if not block.isascii():
            recoded = _recoded(block, encoding)
            if recoded is None:
                reading.find("encoding_broken", f"not {encoding} throughout")
                return
            block = recoded
        if block:
            yield block


def _recoded(block: bytes, encoding: str) -> bytes | None:
    try:
        text = block.decode(encoding)
    except UnicodeDecodeError:
        return None
    if encoding == "utf-8":
        return None if _REPLACEMENT in text else block
    return None if block.startswith(_BYTE_ORDER_MARK) or _UTF8_HANGUL_RUN.search(block) else text.encode()


class _Stream:
    """Blocks of bytes as a readable file; Arrow reads ahead in a thread of its own until it is closed."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""
        self._turn = threading.Lock()
        self.closed = False

    def readable(self) -> bool:
        return True

    def read(self, size: int) -> bytes:
        with self._turn:
            while not self._rest and not self.closed:
                block = next(self._blocks, None)
                if block is None:
                    return b""
                self._rest = block
            taken, self._rest = self._rest[:size], self._rest[size:]
            return taken

    def close(self) -> None:
        with self._turn:
            self._rest = b""
            self.closed = True


# --- Parquet ---------------------------------------------------------------------------------------------------


def _parquet_batches(task: FileTask, reading: _Reading, *, is_scan: bool) -> Iterator[list[pa.Array]]:
    del is_scan  # text is checked value by value, so a scan reads every column too
    table = _table(task)
    for _ in _stored_bytes(task, reading):
        pass
    try:
        with pq.ParquetFile(task.path) as file:
            schema = file.schema_arrow
            if not _check_names(schema.names, table, reading) or not _check_types(schema, table, reading):
                return
            for batch in file.iter_batches(_PARQUET_BATCH_ROWS, columns=list(table.column_names), use_threads=False):
                columns = [_as_text(batch.column(name)) for name in table.column_names]
                if any(_is_broken_text(column) for column in columns):
                    reading.find("encoding_broken", "not UTF-8 throughout")
                    return
                if batch.num_rows:
                    yield columns
    except (pa.ArrowException, OSError, ValueError):
        reading.find("parquet_unreadable")


def _check_types(schema: pa.Schema, table: DeliveredTable, reading: _Reading) -> bool:
    wrong = [column.name for column in table.columns if not _is_admitted(schema.field(column.name).type, column)]
    if wrong:
        reading.find("column_type", ", ".join(wrong))
    return not wrong


def _is_admitted(found: pa.DataType, column: Column) -> bool:
    """Whether a Parquet column has the type of the contract; one without any value may have none."""
    if pa.types.is_null(found):
        return not column.is_required
    match column.kind:
        case Kind.AMOUNT | Kind.DECIMAL:
            return bool(pa.types.is_float64(found))
        case Kind.INTEGER | Kind.COUNT:
            return bool(pa.types.is_integer(found))
        case Kind.FLAG:
            return bool(pa.types.is_boolean(found))
        case _:
            text = found.value_type if pa.types.is_dictionary(found) else found
            return bool(pa.types.is_string(text) or pa.types.is_large_string(text))


def _as_text(values: pa.Array) -> pa.Array:
    """Values as text without loss (a double as its shortest exact spelling); empty text is missing."""
    text = values.cast(pa.string())
    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type) or pa.types.is_boolean(values.type):
        return text
    return pc.if_else(pc.equal(pc.binary_length(text), 0), pa.scalar(None, pa.string()), text)


def _is_broken_text(text: pa.Array) -> bool:
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return True
    return bool(pc.any(pc.match_substring(text, _REPLACEMENT)).as_py())
