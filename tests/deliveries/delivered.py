"""Conforming deliveries to spoil: copies of the sample, with editors that keep manifest and files in step."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from living_finance.contracts.core import Kind
from living_finance.contracts.deliveries import DeliveredTable, dataset

SAMPLE = Path(__file__).parent.parent / "data" / "landing"
Row = dict[str, str]
Rows = list[Row]


class Delivered:
    """One delivery's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def copy(cls, landing: Path, source: str, target: str | None = None) -> Delivered:
        """A copy of the sample's delivery `source` (`bureau/202001`) in `landing`."""
        path = landing / (target or source)
        shutil.copytree(SAMPLE / source, path)
        return cls(path)

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.path / "manifest.json").read_text(encoding="utf-8"))

    def edit_manifest(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the manifest in place."""
        manifest = self.manifest
        change(manifest)
        (self.path / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")

    def entry(self, name: str) -> dict[str, Any]:
        return next(entry for entry in self.manifest["files"] if entry["name"] == name)

    def stored(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def first_file(self, table: str) -> str:
        return next(entry["name"] for entry in self.manifest["files"] if entry["table"] == table)

    def drop(self, name: str) -> None:
        """Take a file out of folder and manifest."""
        (self.path / name).unlink()
        self.edit_manifest(lambda manifest: manifest.update(files=[e for e in manifest["files"] if e["name"] != name]))

    def remove(self) -> None:
        shutil.rmtree(self.path)

    def hide(self) -> None:
        """Under a hidden name the folder is no delivery."""
        self.path = self.path.rename(self.path.with_name(f".{self.path.name}"))

    def show(self) -> None:
        self.path = self.path.rename(self.path.with_name(self.path.name.removeprefix(".")))

    def store(self, name: str, stored: bytes, *, rows: int | None = None) -> None:
        """Replace a file's stored bytes; the manifest states their hash, and the rows if given."""
        (self.path / name).write_bytes(stored)

        def state(manifest: dict[str, Any]) -> None:
            for entry in manifest["files"]:
                if entry["name"] == name:
                    entry["sha256"] = hashlib.sha256(stored).hexdigest()
                    entry["rows"] = entry["rows"] if rows is None else rows

        self.edit_manifest(state)

    def edit_text(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Change a file's text; the manifest's row count stays."""
        self.store(name, gzip.compress(change(gzip.decompress((self.path / name).read_bytes())), mtime=0))

    def edit_rows(self, name: str, change: Callable[[Rows], object]) -> None:
        """Change a file's rows, in place or by returning others; the manifest follows."""
        text = gzip.decompress((self.path / name).read_bytes()).decode()
        reader = csv.DictReader(io.StringIO(text, newline=""))
        names, rows = list(reader.fieldnames or ()), list(reader)
        kept = change(rows)
        if isinstance(kept, list) and all(isinstance(row, dict) for row in kept):
            rows = kept
        self.store(name, gzip.compress(csv_text(names, rows).encode(), mtime=0), rows=len(rows))

    def to_parquet(self, name: str, change: Callable[[pa.Table], pa.Table] = lambda table: table) -> None:
        """Replace a csv.gz file by a Parquet file with the contract's types."""
        declared = dataset(self.manifest["dataset"]).table(self.entry(name)["table"])
        reader = csv.DictReader(io.StringIO(gzip.decompress((self.path / name).read_bytes()).decode(), newline=""))
        rows = list(reader)
        table = change(pa.table({c.name: _typed([row[c.name] for row in rows], c.kind) for c in declared.columns}))
        sink = io.BytesIO()
        pq.write_table(table, sink)
        (self.path / name).unlink()
        parquet = name.replace(".csv.gz", ".parquet")

        def rename(manifest: dict[str, Any]) -> None:
            for entry in manifest["files"]:
                entry["name"] = parquet if entry["name"] == name else entry["name"]

        self.edit_manifest(rename)
        self.store(parquet, sink.getvalue(), rows=table.num_rows)


def csv_text(names: list[str], rows: Iterable[Row]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _typed(texts: list[str], kind: Kind) -> pa.Array:
    present = [text or None for text in texts]
    match kind:
        case Kind.AMOUNT | Kind.DECIMAL:
            return pa.array([None if text is None else float(text) for text in present], pa.float64())
        case Kind.INTEGER | Kind.COUNT:
            return pa.array([None if text is None else int(text) for text in present], pa.int64())
        case Kind.FLAG:
            return pa.array([None if text is None else text == "True" for text in present], pa.bool_())
        case _:
            return pa.array(present, pa.string())


def table_of(source: str, table: str) -> DeliveredTable:
    """The declaration behind `bureau/202001`, `persons`."""
    found = dataset(source.partition("/")[0])
    declared = found.table(table) if found else None
    if declared is None:
        raise KeyError(table)
    return declared


def resident_number(first_twelve: str) -> str:
    """Thirteen digits with the check digit that belongs to them."""
    weights = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
    total = sum(int(digit) * weight for digit, weight in zip(first_twelve, weights, strict=True))
    return first_twelve + str((11 - total % 11) % 10)
