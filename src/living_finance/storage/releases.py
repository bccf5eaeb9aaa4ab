"""Releases on disk: one folder each, written whole or not at all, and a register whose lines hash the line before.

<root>/<channel>/<release_id>/      datapackage.json, dcat.jsonld, README.md, checksums.sha256, evidence/, data/,
                                    report/, maps/
<root>/register.jsonl               every release ever made, a line for each change of its state
<root>/_refused/<channel>/<id>/     findings.csv of a candidate that an attack broke; the candidate is gone
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from filelock import FileLock
from pyspark.sql import DataFrame, SparkSession

from living_finance.contracts import releases as r
from living_finance.contracts.core import Column, Kind
from living_finance.contracts.publications import MAPS, REPORTS
from living_finance.contracts.row_files import ROW_FILES
from living_finance.errors import MissingInput, ReleaseDamaged, ReleaseNotReady

_FIRST = "0" * 64
_BOM = b"\xef\xbb\xbf"
_APPROVAL = "evidence/approval.json"
_NOT_HASHED = {"checksums.sha256", _APPROVAL}
_APPROVER = re.compile(r"(?=.*\w)[\w .,'()-]{1,100}")
_BLOCK_ROWS = 131_072
_DOCUMENTS = {
    "datapackage.json",
    "dcat.jsonld",
    "README.md",
    "checksums.sha256",
    "evidence/evidence.json",
    "evidence/evidence.html",
}
_NAME = re.compile(r"living-finance-(?P<channel>.+)-(?P<month>\d{6})-v(?P<version>\d+)")
_NO_RELEASE = "name the folder of a release, with its datapackage.json and data"
_FOLLOWS: dict[str, tuple[str | None, ...]] = {
    r.CANDIDATE: (None, r.CANDIDATE),
    r.APPROVED: (r.CANDIDATE, r.APPROVED),
    r.IS_PUBLIC: (r.APPROVED,),
    r.WITHDRAWN: (r.CANDIDATE, r.APPROVED, r.IS_PUBLIC),
}
"""State → states it can follow."""


@dataclass(frozen=True, kw_only=True)
class RegisterLine:
    """One change of one release's state."""

    id: str
    channel: str
    month: str
    version: int
    state: str
    time: str
    approver: str = ""
    reason: str = ""
    checksums_sha256: str
    previous_sha256: str
    data_sha256: str = ""
    """Of the data it was made from; empty in lines written before there was one."""
    edition: int = 0
    """Number of these data in their month, over all channels; 0 where there is no hash."""
    line_sha256: str = ""
    """Of all that stands before in this list; empty in lines written before there was one."""


@dataclass(frozen=True)
class StoredRelease:
    """The readable part of a release folder."""

    channel: str
    release_id: str
    month: str
    """YYYY-MM"""
    version: int
    tables: dict[str, pd.DataFrame]
    oddities: tuple[str, ...]
    zeros: pd.DataFrame = field(default_factory=pd.DataFrame)
    """The list of structural zeros; no columns where the release has none."""
    rows: dict[str, pd.DataFrame] = field(default_factory=dict)
    """Row-level files, texts as categories."""
    edition: int = 0
    """Number of its data, by `datapackage.json`; 0: it does not say."""
    publications: dict[str, str] = field(default_factory=dict)
    """Path in the package → text of the report's and the maps' files."""


def _utc_now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")  # ok: when something was released; nothing in it depends on it


class ReleaseStore:
    """The releases under one root folder."""

    def __init__(self, root: Path, *, clock: Callable[[], str] = _utc_now) -> None:
        self.root = root
        self._clock = clock

    def folder(self, channel: str, release_id: str) -> Path:
        return self.root / channel / release_id

    @property
    def has_register(self) -> bool:
        return (self.root / "register.jsonl").is_file()

    def lines(self) -> list[RegisterLine]:
        """The register, oldest first.

        Raises:
            ReleaseDamaged: a line was changed, removed or put in.
        """
        file = self.root / "register.jsonl"
        texts = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        lines: list[RegisterLine] = []
        previous = _FIRST
        for number, text in enumerate(texts, 1):
            try:
                line = RegisterLine(**json.loads(text))
            except (json.JSONDecodeError, TypeError):
                raise ReleaseDamaged(f"{file}: line {number} is not a register line.", remedy="restore the register") from None
            if line.previous_sha256 != previous:
                raise ReleaseDamaged(f"{file}: line {number} does not follow the one before.", remedy="restore the register")
            if line.line_sha256 != _own_hash(line) and (line.line_sha256 or any(before.line_sha256 for before in lines)):
                raise ReleaseDamaged(f"{file}: line {number} was changed.", remedy="restore the register")
            lines.append(line)
            previous = _sha256(text.encode())
        return lines

    def current(self) -> dict[tuple[str, str], RegisterLine]:
        """The newest line of each release, by channel and id."""
        return {(line.channel, line.id): line for line in self.lines()}

    def ever_public(self) -> list[RegisterLine]:
        """Releases that somebody outside may have seen: published ones, withdrawn or not; each one's newest line."""
        seen = {(line.channel, line.id) for line in self.lines() if line.state == r.IS_PUBLIC}
        return [line for key, line in self.current().items() if key in seen]

    def check(self, line: RegisterLine, *, remedy: str) -> None:
        """Compare the files of a release with what a line of the register says of them.

        Raises:
            ReleaseDamaged: some differ.
        """
        folder = self.folder(line.channel, line.id)
        try:
            found = check_hashes(folder)
        except ReleaseDamaged as error:
            raise ReleaseDamaged(error.message, remedy=remedy) from error
        if found != line.checksums_sha256:
            raise ReleaseDamaged(f"{folder} is not what was registered.", remedy=remedy)

    def next_version(self, channel: str, month: str) -> int:
        """One more than the newest version that has been approved; a candidate nobody approved is replaced."""
        settled = [
            line.version for line in self.lines() if line.channel == channel and line.month == month and line.state != r.CANDIDATE
        ]
        return max(settled, default=0) + 1

    def edition(self, month: str, data_sha256: str) -> int:
        """Number of the data among those that releases of the month were made from, whatever their channel and state.

        The hash stays in the register; a package carries the number, which tells nothing of the figures.
        """
        if not data_sha256:
            return 0
        known = {line.data_sha256: line.edition for line in self.lines() if line.month == month and line.edition}
        return known.get(data_sha256) or max(known.values(), default=0) + 1

    def register(
        self,
        *,
        channel: str,
        release_id: str,
        month: str,
        version: int,
        state: str,
        approver: str = "",
        reason: str = "",
        data_sha256: str = "",
        edition: int = 0,
    ) -> None:
        """Append a line; data, edition and files of a release are those of its candidate.

        Raises:
            ReleaseNotReady: the state cannot follow the present one.
            ReleaseDamaged: a release that is not the candidate is to be approved or published.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with FileLock(self.root / "_register.lock"):
            now = self.current().get((channel, release_id))
            if (now.state if now else None) not in _FOLLOWS[state]:
                raise ReleaseNotReady(
                    f"{channel} {release_id} is {now.state if now else 'not registered'} and cannot become {state}.",
                    remedy="living-finance release makes a candidate, approve publishes it, withdraw takes it back",
                )
            present = _sha256_of(self.folder(channel, release_id) / "checksums.sha256")
            if now and state in (r.APPROVED, r.IS_PUBLIC) and present != now.checksums_sha256:
                raise ReleaseDamaged(f"{channel} {release_id} is not what was registered.", remedy="make the release again")
            file = self.root / "register.jsonl"
            texts = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
            line = RegisterLine(
                id=release_id,
                channel=channel,
                month=month,
                version=version,
                state=state,
                time=self._clock(),
                approver=approver,
                reason=reason,
                data_sha256=data_sha256 or (now.data_sha256 if now and state != r.CANDIDATE else ""),
                edition=edition or (now.edition if now and state != r.CANDIDATE else 0),
                checksums_sha256=now.checksums_sha256 if now and state == r.WITHDRAWN else present,
                previous_sha256=_sha256(texts[-1].encode()) if texts else _FIRST,
            )
            line = replace(line, line_sha256=_own_hash(line))
            text = json.dumps(asdict(line), ensure_ascii=False, sort_keys=True)
            with file.open("a", encoding="utf-8") as handle:
                handle.write(text + "\n")
                handle.flush()
                os.fsync(handle.fileno())

    def approving(self) -> contextlib.AbstractContextManager[object]:
        """One release is approved at a time, so that each is attacked together with all that are public by then."""
        self.root.mkdir(parents=True, exist_ok=True)
        return FileLock(self.root / "_approve.lock")

    @contextlib.contextmanager
    def staging(self, channel: str, release_id: str) -> Iterator[Path]:
        """A folder to write a release into; it takes its place when the block ends well, and is gone when it does not."""
        place = self.root / f"_staging.{os.getpid()}" / release_id
        shutil.rmtree(place.parent, ignore_errors=True)
        place.mkdir(parents=True)
        try:
            yield place
            final = self.folder(channel, release_id)
            final.parent.mkdir(parents=True, exist_ok=True)
            if final.exists():
                shutil.rmtree(final)
            place.rename(final)
        finally:
            shutil.rmtree(place.parent, ignore_errors=True)

    def refuse(self, channel: str, release_id: str, findings: pd.DataFrame) -> Path:
        """Keep what was found in a candidate that goes no further."""
        folder = self.root / "_refused" / channel / release_id
        folder.mkdir(parents=True, exist_ok=True)
        findings.to_csv(folder / "findings.csv", index=False)
        return folder / "findings.csv"


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> dict[str, tuple[int, str]]:
    """Write `data/<table>.csv` and `.parquet`, all columns texts but `value`; the same rows give the same bytes.

    Returns:
        Path in the package → (bytes, SHA-256).
    """
    (folder / "data").mkdir()
    files = {}
    for name, frame in tables.items():
        texts = {column: pa.array(frame[column], pa.string(), from_pandas=True) for column in frame if column != "value"}
        columns = {column: array.dictionary_encode() for column, array in texts.items()}
        if "value" in frame:
            columns["value"] = pa.array(frame["value"], pa.float64(), from_pandas=True)
            printed = {number: f"{number:.10g}" if number % 1 else f"{number:.0f}" for number in frame["value"].dropna().unique()}
            texts["value"] = pa.array(frame["value"].map(printed), pa.string(), from_pandas=True)
        pq.write_table(
            pa.table({column: columns[column] for column in frame}), folder / f"data/{name}.parquet", compression="zstd"
        )
        as_text = pa.table({column: texts[column] for column in frame})
        with (folder / f"data/{name}.csv").open("wb") as handle:
            handle.write(_BOM)
            pacsv.write_csv(as_text, handle, pacsv.WriteOptions(quoting_style="needed"))
        for path in (f"data/{name}.csv", f"data/{name}.parquet"):
            files[path] = ((folder / path).stat().st_size, _sha256_of(folder / path))
    return files


def write_rows(folder: Path, name: str, rows: DataFrame, columns: Sequence[Column]) -> dict[str, tuple[int, str]]:
    """Write a row-level file as `write_tables`, in the order of its values; the driver holds one block of rows at a time.

    Args:
        folder: of the release, seen by all executors.
        name: of the file.
        rows: its columns and no other.
        columns: their declarations, in order.

    Returns:
        Path in the package → (bytes, SHA-256).
    """
    kinds = {Kind.MONEY: pa.int64(), Kind.DECIMAL: pa.float64()}
    schema = pa.schema([(column.name, kinds.get(column.kind, pa.string())) for column in columns])
    sorted_parts = folder / f"_{name}"
    try:
        rows.select(*schema.names).orderBy(*schema.names).write.parquet(str(sorted_parts.absolute()))
        parts = ds.dataset(sorted(map(str, sorted_parts.glob("part-*.parquet"))), schema=schema)
        paths = [f"data/{name}.csv", f"data/{name}.parquet"]
        with (
            (folder / paths[0]).open("wb") as handle,
            pq.ParquetWriter(folder / paths[1], schema, compression="zstd", store_schema=False) as parquet,
        ):
            handle.write(_BOM)
            with pacsv.CSVWriter(handle, schema, write_options=pacsv.WriteOptions(quoting_style="needed")) as csv:
                for block in _blocks(parts):
                    csv.write_table(block)
                    parquet.write_table(block, row_group_size=_BLOCK_ROWS)
    finally:
        shutil.rmtree(sorted_parts, ignore_errors=True)
    return {path: ((folder / path).stat().st_size, _sha256_of(folder / path)) for path in paths}


def _blocks(parts: ds.Dataset) -> Iterator[pa.Table]:
    """Rows in the order of the files, in blocks of a fixed size whatever the files' own."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in parts.to_batches(batch_size=_BLOCK_ROWS, use_threads=False):
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= _BLOCK_ROWS:
            table = pa.Table.from_batches(waiting)
            whole = rows - rows % _BLOCK_ROWS
            for start in range(0, whole, _BLOCK_ROWS):
                yield table.slice(start, _BLOCK_ROWS).combine_chunks()
            waiting, rows = table.slice(whole).to_batches(), rows - whole
    if rows:
        yield pa.Table.from_batches(waiting).combine_chunks()


def write_publications(folder: Path, publications: Mapping[str, str]) -> dict[str, tuple[int, str]]:
    """Write report and maps.

    Returns:
        Path in the package → (bytes, SHA-256).
    """
    for path, text in publications.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return {path: ((folder / path).stat().st_size, _sha256_of(folder / path)) for path in publications}


def write_documents(folder: Path, documents: Mapping[str, str]) -> None:
    """Write the texts of a release, and `checksums.sha256` over all its files."""
    for path, text in documents.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    listed = sorted(path for path in _files(folder) if path not in _NOT_HASHED)
    lines = (f"{_sha256_of(folder / path)}  {path}\n" for path in listed)
    (folder / "checksums.sha256").write_text("".join(lines), encoding="utf-8")


def is_a_name(approver: str) -> bool:
    """Whether somebody can sign so: letters, digits, spaces and the signs of names, up to 100.

    >>> is_a_name("김하나 (데이터담당관)"), is_a_name(" "), is_a_name("n=7: 3")
    (True, False, False)
    """
    return _APPROVER.fullmatch(approver) is not None


def write_approval(folder: Path, *, approver: str) -> None:
    """Write into the evidence of a release who approved which files."""
    (folder / _APPROVAL).write_text(_approval(folder, approver), encoding="utf-8")


def _approval(folder: Path, approver: str) -> str:
    content = {"approver": approver, "checksums_sha256": _sha256_of(folder / "checksums.sha256")}
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _odd_approval(folder: Path) -> list[str]:
    """What an approval, which no hash covers, says beside a name and the hash of the files."""
    file = folder / _APPROVAL
    if not file.is_file():
        return []
    text = _text_of(file)
    try:
        approver = str(json.loads(text)["approver"])
    except (ValueError, KeyError, TypeError):
        approver = ""
    is_sound = is_a_name(approver) and text == _approval(folder, approver)
    return [] if is_sound else [f"{_APPROVAL} says more than who approved these files"]


def check_hashes(folder: Path) -> str:
    """Compare every file with `checksums.sha256`.

    Returns:
        The SHA-256 of `checksums.sha256`.

    Raises:
        ReleaseDamaged: a file differs, is missing or is not listed.
    """
    listing = folder / "checksums.sha256"
    if not listing.is_file():
        raise ReleaseDamaged(f"{folder} has no checksums.sha256.", remedy="make the release again")
    lines = (line.partition("  ") for line in listing.read_text(encoding="utf-8").splitlines())
    listed = {path: sha for sha, _, path in lines}
    there = {path for path in _files(folder) if path not in _NOT_HASHED}
    wrong = sorted(
        (listed.keys() ^ there) | {path for path in listed.keys() & there if _sha256_of(folder / path) != listed[path]}
    )
    if wrong:
        raise ReleaseDamaged(f"{folder}: {', '.join(wrong)} is not as it was registered.", remedy="make the release again")
    return _sha256_of(listing)


@dataclass(frozen=True)
class About:
    """What a release says of itself."""

    channel: str
    month: str
    """YYYYMM"""
    version: int
    edition: int = 0
    """Number of its data; 0: it does not say."""

    @property
    def release_id(self) -> str:
        return f"{self.month}-v{self.version}"


def read_package(folder: Path) -> Any:
    """`datapackage.json` as it stands, an empty one where it is no JSON; None: there is none."""
    file = folder / "datapackage.json"
    if not file.is_file():
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return {}


def about_release(folder: Path) -> About:
    """By `datapackage.json`, wherever the folder is and whatever its name; before that is written, by the folder's name.

    Raises:
        MissingInput: neither names a release.
    """
    place = folder.resolve()
    name, edition = f"living-finance-{place.parent.name}-{place.name}", 0
    package = read_package(folder)
    if package is not None:
        try:
            name, edition = str(package["name"]), int(package.get("data_edition", 0))
        except (ValueError, KeyError, TypeError, AttributeError):
            name = ""
    found = _NAME.fullmatch(name)
    if found is None:
        raise MissingInput(f"{folder} is no release.", remedy=_NO_RELEASE)
    return About(found["channel"], found["month"], int(found["version"]), edition)


def read_release(folder: Path, *, with_csv: bool = True, with_rows: bool = False) -> StoredRelease:
    """The tables of a release as its reader finds them.

    Args:
        folder: of the release.
        with_csv: compare CSV with Parquet and look for what should not be there; False for what was published before.
        with_rows: read row-level files although `with_csv` is False.

    Raises:
        MissingInput: no release there.
    """
    about = about_release(folder)
    files = sorted((folder / "data").glob("*.parquet")) if (folder / "data").is_dir() else []
    if not files:
        raise MissingInput(f"{folder} is no release.", remedy=_NO_RELEASE)
    tables, oddities, rows, publications = {}, [], {}, {}
    for file in files:
        if file.stem in ROW_FILES:
            if with_csv or with_rows:
                rows[file.stem], odd = _read_rows(file, with_csv=with_csv)
                oddities += odd
            continue
        table = pq.read_table(file)
        frame = table.to_pandas(strings_to_categorical=False)
        tables[file.stem] = frame.astype({c: object for c in frame if frame[c].dtype == "category"})
        if table.schema.metadata:
            oddities.append(f"data/{file.name} carries metadata: {', '.join(sorted(k.decode() for k in table.schema.metadata))}")
        if with_csv:
            oddities += _unlike(file.with_suffix(".csv"), tables[file.stem])
    if with_csv:
        publications = {path: _text_of(folder / path) for path in (*REPORTS, *MAPS) if (folder / path).is_file()}
        known = {f"data/{file.stem}.{kind}" for file in files for kind in ("csv", "parquet")}
        known |= _DOCUMENTS | _NOT_HASHED | publications.keys()
        oddities += _odd_approval(folder)
        oddities += [f"{path} belongs to no release" for path in sorted(_files(folder) - known)]
    zeros = tables.pop(r.STRUCTURAL_ZEROS, pd.DataFrame())
    return StoredRelease(
        about.channel,
        about.release_id,
        f"{about.month[:4]}-{about.month[4:]}",
        about.version,
        tables,
        tuple(oddities),
        zeros,
        rows,
        about.edition,
        publications,
    )


def _text_of(file: Path) -> str:
    """A text, whatever its bytes: what is none becomes a character that no text of ours has."""
    return file.read_text(encoding="utf-8", errors="replace")


def released_rows(spark: SparkSession, folder: Path, name: str) -> DataFrame | None:
    """A row-level file of a release; None: it has none of this name."""
    file = folder / "data" / f"{name}.parquet"
    return spark.read.parquet(str(file.absolute())) if file.is_file() else None


def _read_rows(file: Path, *, with_csv: bool) -> tuple[pd.DataFrame, list[str]]:
    """A row-level file, and how its CSV differs from it."""
    schema = pq.read_schema(file)
    texts = [name for name in schema.names if pa.types.is_string(schema.field(name).type)]
    table = pq.read_table(file, read_dictionary=texts)
    if not with_csv:
        return table.to_pandas(), []
    oddities = [f"data/{file.name} carries metadata"] if schema.metadata else []
    csv = file.with_suffix(".csv")
    if not csv.is_file() or not _starts_with_mark(csv):
        oddities.append(f"data/{csv.name} is missing or has no byte-order mark")
    else:
        options = pacsv.ConvertOptions(column_types=table.schema)
        try:
            read = pacsv.read_csv(csv, convert_options=options)
            if read.column_names != table.column_names or any(
                not read[name].cast(kind).equals(table[name].cast(kind))
                for name, kind in zip(schema.names, schema.types, strict=True)
            ):
                oddities.append(f"data/{csv.name} and the Parquet file differ")
        except pa.ArrowInvalid:
            oddities.append(f"data/{csv.name} cannot be read as the Parquet file")
    return table.to_pandas(), oddities


def _starts_with_mark(file: Path) -> bool:
    with file.open("rb") as handle:
        return handle.read(len(_BOM)) == _BOM


def _unlike(file: Path, frame: pd.DataFrame) -> list[str]:
    """How a CSV differs from the table in Parquet."""
    if not file.is_file():
        return [f"data/{file.name} is missing"]
    if not _starts_with_mark(file):
        return [f"data/{file.name} has no byte-order mark"]
    columns = {name: pa.float64() if name == "value" else pa.string() for name in frame}
    options = pacsv.ConvertOptions(column_types=columns, strings_can_be_null=True, null_values=[""])
    try:
        read = pacsv.read_csv(file, convert_options=options).to_pandas()
    except pa.ArrowInvalid:
        return [f"data/{file.name} cannot be read"]
    if list(read.columns) != list(frame.columns) or len(read) != len(frame):
        return [f"data/{file.name} and the Parquet file have other columns or rows"]
    differing = [
        name
        for name in frame
        if not (
            ((read[name] - frame[name]).abs().fillna(0) < 1e-9).all() and (read[name].isna() == frame[name].isna()).all()
            if name == "value"
            else read[name].fillna("").equals(frame[name].fillna("").astype(object))
        )
    ]
    return [f"data/{file.name} and the Parquet file differ in {', '.join(map(str, differing))}"] if differing else []


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _own_hash(line: RegisterLine) -> str:
    content = asdict(replace(line, line_sha256=""))
    return _sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sha256_of(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
