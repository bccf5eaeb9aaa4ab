"""The manifest of a delivery: parsed, validated, and compared with the folder it lies in."""

from __future__ import annotations

import calendar
import datetime as dt
import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, NoReturn

from living_finance.contracts.deliveries import Cycle, Dataset
from living_finance.contracts.deliveries import dataset as dataset_of
from living_finance.deliveries.rules import refusal
from living_finance.errors import ConfigurationError
from living_finance.months import Month

SCHEMA_VERSION = 1
ENCODINGS = ("utf-8", "cp949")
FILE_ENDINGS = (".csv.gz", ".parquet")
Scope = Literal["residents", "residents_and_workers"]
SCOPES: tuple[Scope, ...] = ("residents", "residents_and_workers")

_FOLDER = re.compile(r"^(?P<period>[0-9]{4}(?:[0-9]{2})?)(?:\.r(?P<number>[1-9][0-9]{0,3}))?$")
_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_LONGEST_QUOTE = 80


@dataclass(frozen=True)
class Agreement:
    """The contract with the supplier that a delivery rests on."""

    id: str
    first: Month
    last: Month
    scope: Scope


@dataclass(frozen=True)
class ManifestFile:
    """One listed file."""

    name: str
    table: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A valid manifest: what a supplier says of one delivery."""

    dataset: str
    month: Month
    number: int
    as_of: dt.date
    supplier: str
    agreement: Agreement | None
    encoding: str
    files: tuple[ManifestFile, ...]

    def rows_of(self, table: str) -> int:
        """Rows the manifest states for a table."""
        return sum(file.rows for file in self.files if file.table == table)

    @property
    def canonical_json(self) -> str:
        """The facts in one spelling, whatever the manifest's own layout and order of files."""
        facts = asdict(self) | {
            "schema_version": SCHEMA_VERSION,
            "month": str(self.month),
            "as_of": self.as_of.isoformat(),
            "files": [asdict(file) for file in sorted(self.files, key=lambda file: file.name)],
        }
        if self.agreement is not None:
            facts["agreement"] = asdict(self.agreement) | {
                "first": str(self.agreement.first),
                "last": str(self.agreement.last),
            }
        return json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @property
    def content_sha256(self) -> str:
        """Hash of the facts, the hashes of the files among them: equal for the same delivery and for no other."""
        return hashlib.sha256(self.canonical_json.encode()).hexdigest()


@dataclass(frozen=True)
class FolderName:
    """What a delivery's folder says of it: its month, or its year alone, and its number."""

    year: int
    month: Month | None
    number: int


def parse_folder_name(name: str, *, cycle: Cycle) -> FolderName | None:
    """Read `YYYYMM` or, for a yearly dataset, `YYYY`, with `.rN` for a restatement; None for any other name.

    >>> parse_folder_name("202001.r1", cycle=Cycle.MONTHLY)
    FolderName(year=2020, month=Month(year=2020, number=1), number=1)
    >>> parse_folder_name("2020", cycle=Cycle.MONTHLY) is None
    True
    """
    match = _FOLDER.match(name)
    if match is None:
        return None
    period, number = match["period"], int(match["number"] or 0)
    if cycle is Cycle.YEARLY:
        return FolderName(int(period), None, number) if len(period) == 4 else None
    try:
        month = Month.parse(period)
    except ConfigurationError:
        return None
    return FolderName(month.year, month, number)


def parse_manifest(raw: bytes, *, dataset: str, folder: str) -> Manifest:
    """The manifest of a delivery, every rule of the contract checked that needs no data file.

    Args:
        raw: content of manifest.json.
        dataset: name of the folder above the delivery's.
        folder: name of the delivery's folder.

    Raises:
        RefusedDelivery: with the rule that is broken.
    """
    return _Reader(dataset, folder).read(raw)


def quoted(text: object) -> str:
    """A manifest's word in a message: short, and printable whatever is in it."""
    return ascii(str(text)[:_LONGEST_QUOTE])


class _Reader:
    """Carries the delivery's name to every refusal."""

    def __init__(self, dataset: str, folder: str) -> None:
        self._dataset = dataset
        self._folder = folder

    def read(self, raw: bytes) -> Manifest:
        facts = self._load(raw)
        if self._whole(facts, "schema_version") != SCHEMA_VERSION:
            self._refuse("schema_version_unknown", f"schema_version {facts['schema_version']}")
        dataset = self._dataset_of(self._text(facts, "dataset"))
        month = self._month(facts, "base_month")
        number = self._whole(facts, "delivery")
        self._compare_with_folder(dataset, month, number)
        encoding = self._text(facts, "encoding")
        if encoding not in ENCODINGS:
            self._refuse("encoding_unknown", f"encoding {quoted(encoding)}")
        return Manifest(
            dataset=dataset.name,
            month=month,
            number=number,
            as_of=self._as_of(facts, month),
            supplier=self._text(facts, "supplier"),
            agreement=self._agreement(facts, month) if dataset.has_agreement else None,
            encoding=encoding,
            files=self._files(facts, dataset),
        )

    def _refuse(self, rule: str, detail: str = "", file: str = "manifest.json") -> NoReturn:
        raise refusal(rule, delivery=f"{self._dataset}/{self._folder}", file=file, detail=detail)

    def _load(self, raw: bytes) -> dict[str, Any]:
        try:
            facts = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_without_doubled_names)
        except json.JSONDecodeError as error:
            self._refuse("manifest_broken", f"not JSON, line {error.lineno} column {error.colno}")
        except UnicodeDecodeError:
            self._refuse("manifest_broken", "not UTF-8")
        except _DoubledNameError:
            self._refuse("manifest_broken", "a name occurs twice")
        except RecursionError:
            self._refuse("manifest_broken", "nested too deeply")
        if not isinstance(facts, dict):
            self._refuse("manifest_broken", "not a JSON object")
        return facts

    def _whole(self, facts: dict[str, Any], name: str) -> int:
        value = facts.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self._refuse("manifest_broken", f"{name} is missing or not a whole number from 0")
        return value

    def _text(self, facts: dict[str, Any], name: str) -> str:
        value = facts.get(name)
        if not isinstance(value, str) or not value.strip():
            self._refuse("manifest_broken", f"{name} is missing or not text")
        return value

    def _month(self, facts: dict[str, Any], name: str) -> Month:
        try:
            return Month.parse(self._text(facts, name))
        except ConfigurationError:
            self._refuse("manifest_broken", f"{name} is not a month YYYYMM")

    def _dataset_of(self, name: str) -> Dataset:
        dataset = dataset_of(name)
        if dataset is None:
            self._refuse("dataset_unknown", f"dataset {quoted(name)}")
        return dataset

    def _compare_with_folder(self, dataset: Dataset, month: Month, number: int) -> None:
        if dataset.name != self._dataset:
            self._refuse("folder_disagrees", f"the manifest says dataset {dataset.name}")
        named = parse_folder_name(self._folder, cycle=dataset.cycle)
        if named is None:
            self._refuse("folder_name", file="")
        if named.number != number:
            self._refuse("folder_disagrees", f"the manifest says delivery {number}")
        if named.year != month.year or named.month not in (month, None):
            self._refuse("folder_disagrees", f"the manifest says base_month {month}")

    def _as_of(self, facts: dict[str, Any], month: Month) -> dt.date:
        try:
            as_of = dt.date.fromisoformat(self._text(facts, "as_of"))
        except ValueError:
            self._refuse("manifest_broken", "as_of is not a date YYYY-MM-DD")
        last_day = dt.date(month.year, month.number, calendar.monthrange(month.year, month.number)[1])
        if as_of <= last_day:
            self._refuse("as_of_not_after_month", f"as_of {as_of}, month {month}")
        return as_of

    def _agreement(self, facts: dict[str, Any], month: Month) -> Agreement:
        stated = facts.get("agreement")
        if not isinstance(stated, dict):
            self._refuse("agreement_missing")
        scope = self._text(stated, "scope")
        if scope not in SCOPES:
            self._refuse("agreement_scope", f"scope {quoted(scope)}")
        first, last = self._month(stated, "from"), self._month(stated, "to")
        if not first <= month <= last:
            self._refuse("agreement_period", f"agreed from {first} to {last}, delivered {month}")
        return Agreement(self._text(stated, "id"), first, last, scope)

    def _files(self, facts: dict[str, Any], dataset: Dataset) -> tuple[ManifestFile, ...]:
        listed = facts.get("files")
        if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
            self._refuse("manifest_broken", "files is missing or not a list of objects")
        files = tuple(self._file(entry, dataset) for entry in listed)
        seen: set[str] = set()
        for file in files:
            if file.name.casefold() in seen:
                self._refuse("file_listed_twice", file=file.name)
            seen.add(file.name.casefold())
        missing = [table.name for table in dataset.tables if not any(file.table == table.name for file in files)]
        if missing:
            self._refuse("table_missing", ", ".join(missing))
        return files

    def _file(self, entry: dict[str, Any], dataset: Dataset) -> ManifestFile:
        name, table = self._text(entry, "name"), self._text(entry, "table")
        if not _is_plain_name(name):
            self._refuse("file_name_unsafe", f"name {quoted(name)}")
        if not name.endswith(FILE_ENDINGS):
            self._refuse("file_format_unknown", file=name)
        if dataset.table(table) is None:
            self._refuse("table_unknown", f"table {quoted(table)}", file=name)
        sha256 = self._text(entry, "sha256").lower()
        if _SHA256.match(sha256) is None:
            self._refuse("manifest_broken", "sha256 is not 64 hexadecimal digits", file=name)
        return ManifestFile(name, table, self._whole(entry, "rows"), sha256)


def _is_plain_name(name: str) -> bool:
    """A name that can only mean a visible file in the delivery's own folder, on any system."""
    return name.isprintable() and not name.startswith(".") and not any(sign in name for sign in '/\\:*?"<>|')


class _DoubledNameError(ValueError):
    pass


def _without_doubled_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise _DoubledNameError
    return names
