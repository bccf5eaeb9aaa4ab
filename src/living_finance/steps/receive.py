"""Receive: landing → bronze. A delivery is stored whole, or refused whole and nothing has changed.

A delivery exists for the rest of the system once it is in `bronze.delivery`, which is written last: whatever
was killed before left rows that nobody reads and that the next run replaces.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Literal

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.config import ReceiptSettings
from living_finance.contracts.bronze import BRONZE_TABLES, DELIVERY, DELIVERY_COLUMN, PSEUDONYMISED_ON_ENTRY
from living_finance.contracts.core import Column, Measure
from living_finance.contracts.deliveries import REGIONS, Cycle, Dataset, DeliveredTable
from living_finance.contracts.deliveries import dataset as dataset_of
from living_finance.contracts.validation import ValidRegions, parse, row_reasons
from living_finance.deliveries import checks
from living_finance.deliveries.checks import TableFacts
from living_finance.deliveries.manifest import Manifest, parse_folder_name, parse_manifest, quoted
from living_finance.deliveries.rules import refusal
from living_finance.errors import ConfigurationError, ImplausibleChange, MissingInput, RefusedDelivery
from living_finance.months import Month
from living_finance.storage import landing as landing_files
from living_finance.storage.landing import FILE_CHANGED, DeliveryFolder
from living_finance.storage.pseudonyms import Keys, pseudonymised
from living_finance.storage.register import Delivery, DeliveryRegister
from living_finance.storage.warehouse import PartitionValue, Warehouse, Write

log = logging.getLogger(__name__)

_OF_ONE_MONTH = ("city", "bureau")
"""Datasets of which a month needs its own delivery and no other; of the rest it may need any."""

_MOST_REASONS_NAMED = 8

APPLIED_BY_US = "; living-finance HMAC-SHA256 key "
"""After the supplier and before the key's id, where we made pseudonyms of pseudonyms."""


@dataclass(frozen=True)
class Receipt:
    """What became of one delivery."""

    dataset: str
    month: Month
    number: int
    outcome: Literal["accepted", "unchanged"]
    rows: Mapping[str, int]
    """Rows delivered, by table."""
    quarantined: Mapping[str, int]
    """Rows that cleansing will set aside, by table; empty for an unchanged delivery."""
    seconds: float


def receive(
    warehouse: Warehouse,
    *,
    landing: Path,
    settings: ReceiptSettings,
    datasets: Collection[str] | None = None,
    months: Collection[Month] | None = None,
    keys: Keys | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> list[Receipt]:
    """Verify every delivery in landing and store what is new; stops at the first that is refused.

    Args:
        warehouse: where bronze is.
        landing: folder of deliveries, visible to every executor under the same path.
        settings: rules of intake.
        datasets: receive these only.
        months: of the bureau's and the city's deliveries, receive these months only.
        keys: of the pseudonyms that take the place of delivered identifiers; None: these are kept.
        on_progress: told one line per delivery.

    Returns:
        One receipt per delivery, in the order of receipt.

    Raises:
        RefusedDelivery: a delivery breaks the contract; it is noted under `<warehouse>/_refused`.
        ImplausibleChange: it conforms, but has far fewer rows than the month before, or lacks a district.
        MissingInput: there is no landing folder, or no regions list to check codes against.
        ConfigurationError: what was received before has other pseudonyms, or none: months could not be joined.
    """
    check_keys(warehouse, keys)
    if not landing.is_dir():
        raise MissingInput(f"No folder {landing}.", remedy="name the folder that holds the deliveries (--landing)")
    register = DeliveryRegister(warehouse)
    receipts: list[Receipt] = []
    for folder in _wanted(landing, datasets, months):
        on_progress(f"{folder.label}: checking")
        with _refusals_recorded(warehouse, folder):
            receipt = _Intake(warehouse, folder, settings, register, keys).run()
        landing_files.forget_refusals(warehouse.root, folder=folder)
        if receipt.outcome == "accepted":
            register = DeliveryRegister(warehouse)
        log.info("received %s %s rows=%d", folder.label, receipt.outcome, sum(receipt.rows.values()))
        on_progress(f"{folder.label}: {receipt.outcome}, {sum(receipt.rows.values()):,} rows, {receipt.seconds:.1f} s")
        receipts.append(receipt)
    return receipts


def waiting(
    warehouse: Warehouse,
    *,
    landing: Path,
    settings: ReceiptSettings,
    datasets: Collection[str] | None = None,
    months: Collection[Month] | None = None,
) -> list[DeliveryFolder]:
    """Deliveries in landing that `receive` would accept or refuse: those it has not accepted with this content."""
    register = DeliveryRegister(warehouse)

    def is_new(folder: DeliveryFolder) -> bool:
        try:
            intake = _Intake(warehouse, folder, settings, register, None)
            return intake.known(*intake.manifest()) is None
        except RefusedDelivery:
            return True

    return [folder for folder in _wanted(landing, datasets, months) if is_new(folder)]


def concerns(folder: DeliveryFolder, month: Month) -> bool:
    """Whether a delivery may be one that a month is made from."""
    return folder.dataset not in _OF_ONE_MONTH or _is_wanted(folder, None, [month])


def key_in_data(warehouse: Warehouse) -> set[str | None]:
    """Ids of the keys by which stored identifiers were made; None for delivered ones."""
    if not warehouse.exists(DELIVERY_COLUMN):
        return set()
    columns = [f"{table}.{column}" for table, of_table in PSEUDONYMISED_ON_ENTRY.items() for column in of_table]
    name = F.concat("dataset", F.lit("_"), "table_name", F.lit("."), "column_name")
    named = warehouse.read(DELIVERY_COLUMN).where(name.isin(columns))
    found = named.select("applied_by").distinct().collect()  # ok: one row per supplier and key
    parts = (row["applied_by"].rpartition(APPLIED_BY_US) for row in found)
    return {key if separator else None for _, separator, key in parts}


def check_keys(warehouse: Warehouse, keys: Keys | None) -> None:
    """Raises ConfigurationError where stored pseudonyms are of another key than the one in use."""
    stored = key_in_data(warehouse)
    if stored - {keys.current if keys else None}:
        names = ", ".join(sorted(key or "none" for key in stored))
        raise ConfigurationError(
            f"The warehouse has identifiers by key {names}, the settings say {keys.current if keys else 'none'}.",
            remedy="name its key file by pseudonyms.key_file, or run living-finance rotate-key to its end; else a new warehouse",
        )


def regions_for(warehouse: Warehouse, month: Month, register: DeliveryRegister | None = None) -> ValidRegions:
    """Codes of the regions valid in a month, from the list that serves it.

    Raises:
        MissingInput: no list was received, or none of its dongs is valid in the month.
    """
    serving = (register or DeliveryRegister(warehouse)).serving("regions", month)
    if serving is None:
        raise MissingInput(
            "No regions list has been received.", remedy="put a regions delivery into landing: other deliveries need it"
        )
    rows = warehouse.read(BRONZE_TABLES[REGIONS.bronze_name], delivery_month=serving.month.date, delivery_number=serving.number)
    first, last = parse(REGIONS.column("valid_from")), parse(REGIONS.column("valid_to"))
    is_valid = (first <= F.lit(month.date)) & (last.isNull() | (last >= F.lit(month.date)))
    is_sound = F.size(row_reasons(REGIONS, regions=None)) == 0
    valid = rows.where(is_sound & is_valid).select("dong_code", "gu_code").collect()  # ok: a few thousand dongs
    if not valid:
        raise MissingInput(
            f"The regions list of {serving.month} has no dong that is valid in {month}.",
            remedy=f"put a regions delivery for {month} or earlier into landing",
        )
    return ValidRegions(
        dong_codes=sorted({row["dong_code"] for row in valid}), gu_codes=sorted({row["gu_code"] for row in valid})
    )


def _wanted(landing: Path, datasets: Collection[str] | None, months: Collection[Month] | None) -> list[DeliveryFolder]:
    return [folder for folder in landing_files.discover(landing) if _is_wanted(folder, datasets, months)]


def _is_wanted(folder: DeliveryFolder, datasets: Collection[str] | None, months: Collection[Month] | None) -> bool:
    if datasets is not None and folder.dataset not in datasets:
        return False
    if months is None or folder.dataset not in _OF_ONE_MONTH:
        return True
    named = parse_folder_name(folder.name, cycle=Cycle.MONTHLY)
    return named is not None and named.month in months


def _is_for_residents_only(manifest: Manifest) -> bool:
    return manifest.agreement is not None and manifest.agreement.scope == "residents"


@contextlib.contextmanager
def _refusals_recorded(warehouse: Warehouse, folder: DeliveryFolder) -> Iterator[None]:
    try:
        yield
    except RefusedDelivery as error:
        facts = {"rule": error.rule, "file": error.file, "detail": error.detail, "remedy": error.remedy}
        landing_files.record_refusal(warehouse.root, folder=folder, facts=facts)
        raise
    except ImplausibleChange as error:
        facts = {"rule": "implausible_change", "file": "", "detail": error.message, "remedy": error.remedy}
        landing_files.record_refusal(warehouse.root, folder=folder, facts=facts)
        raise


class _Intake:
    """One delivery on its way from landing to bronze."""

    def __init__(
        self,
        warehouse: Warehouse,
        folder: DeliveryFolder,
        settings: ReceiptSettings,
        register: DeliveryRegister,
        keys: Keys | None,
    ) -> None:
        self._warehouse = warehouse
        self._folder = folder
        self._settings = settings
        self._register = register
        self._keys = keys

    def run(self) -> Receipt:
        started = time.monotonic()
        dataset, manifest = self.manifest()
        known = self.known(dataset, manifest)
        if known is not None:
            return self._receipt(manifest, "unchanged", known.rows, {}, started)
        self._check_files(manifest)
        regions = None
        if dataset.name != REGIONS.dataset:
            regions = regions_for(self._warehouse, manifest.month, self._register)
        facts = self._facts(dataset, manifest, regions)
        self._judge(dataset, manifest, regions, facts)
        self._compare_with_month_before(dataset, manifest, regions, facts)
        self._store(dataset, manifest, facts)
        rows = {name: found.rows for name, found in facts.items()}
        quarantined = {name: found.quarantined for name, found in facts.items()}
        return self._receipt(manifest, "accepted", rows, quarantined, started)

    def _receipt(
        self,
        manifest: Manifest,
        outcome: Literal["accepted", "unchanged"],
        rows: Mapping[str, int],
        quarantined: Mapping[str, int],
        started: float,
    ) -> Receipt:
        seconds = time.monotonic() - started
        return Receipt(manifest.dataset, manifest.month, manifest.number, outcome, rows, quarantined, seconds)

    def _refusal(self, rule: str, *, file: str = "", detail: str = "") -> RefusedDelivery:
        return refusal(rule, delivery=self._folder.label, file=file, detail=detail)

    def manifest(self) -> tuple[Dataset, Manifest]:
        """What is delivered.

        Raises:
            RefusedDelivery: no manifest, or not one of a known dataset.
        """
        dataset = dataset_of(self._folder.dataset)
        if dataset is None:
            raise self._refusal("dataset_unknown", detail=f"folder {quoted(self._folder.dataset)}")
        raw = self._folder.manifest_bytes()
        if raw is None:
            raise self._refusal("manifest_missing", file=landing_files.MANIFEST_NAME)
        return dataset, parse_manifest(raw, dataset=self._folder.dataset, folder=self._folder.name)

    def known(self, dataset: Dataset, manifest: Manifest) -> Delivery | None:
        """The accepted delivery that this one repeats.

        Raises:
            RefusedDelivery: its number was accepted with other content.
        """
        months = [manifest.month]
        if dataset.cycle is Cycle.YEARLY:
            months = [month for month in self._register.months(dataset.name) if month.year == manifest.month.year]
        for month in months:
            known = self._register.find(dataset.name, month, manifest.number)
            if known is not None and known.content_sha256 == manifest.content_sha256:
                return known
            if known is not None:
                raise self._refusal("same_number_other_content", detail=f"delivery {manifest.number} of {month}")
        return None

    def _check_files(self, manifest: Manifest) -> None:
        in_folder = landing_files.folder_findings(self._folder, manifest)
        for found in in_folder or landing_files.scan_files(self._warehouse.spark, folder=self._folder, manifest=manifest):
            if found.findings:
                first, *others = found.findings
                also = f"also {', '.join(finding.rule for finding in others)}" if others else ""
                raise self._refusal(first.rule, file=found.name, detail="; ".join(filter(None, (first.detail, also))))

    def _rows(self, manifest: Manifest, table: DeliveredTable) -> DataFrame:
        return landing_files.read_rows(self._warehouse.spark, folder=self._folder, manifest=manifest, table=table)

    def _stored_rows(self, manifest: Manifest, table: DeliveredTable) -> DataFrame:
        """As bronze keeps them: with our pseudonyms, where they are made."""
        rows = self._rows(manifest, table)
        if self._keys is None:
            return rows
        columns = PSEUDONYMISED_ON_ENTRY.get(table.bronze_name)
        return pseudonymised(rows, columns, keys=self._keys) if columns else rows

    def _applied_by(self, table: DeliveredTable, column: Column, supplier: str) -> str:
        """Who took the de-identification measure of a column."""
        if column.measure is Measure.NONE:
            return Measure.NONE.value
        if self._keys and column.name in PSEUDONYMISED_ON_ENTRY.get(table.bronze_name, {}):
            return f"{supplier}{APPLIED_BY_US}{self._keys.current}"
        return supplier

    def _facts(self, dataset: Dataset, manifest: Manifest, regions: ValidRegions | None) -> dict[str, TableFacts]:
        per_table = [
            checks.table_facts(
                self._rows(manifest, table),
                table=table,
                month=manifest.month,
                regions=regions,
                residents_only=_is_for_residents_only(manifest),
            )
            for table in dataset.tables
        ]
        with self._changed_files_refused():
            found = reduce(DataFrame.unionByName, per_table).collect()  # ok: one row per table
        return {row["table_name"]: TableFacts(**{**row.asDict(), "districts": frozenset(row["districts"])}) for row in found}

    def _judge(self, dataset: Dataset, manifest: Manifest, regions: ValidRegions | None, facts: Mapping[str, TableFacts]) -> None:
        broken = checks.judge(facts, tables=dataset.tables, max_quarantined_share=self._settings.max_quarantined_share)
        if not broken:
            return
        first = broken[0]
        table = next(table for table in dataset.tables if table.name == first.table)
        details = [first.detail, *self._particulars(first.rule, table, manifest, regions)]
        file = self._offending_file(first.rule, table, manifest, regions)
        others = sorted({rule.rule for rule in broken[1:]} - {first.rule})
        if others:
            details.append(f"also {', '.join(others)}")
        raise self._refusal(first.rule, file=file, detail="; ".join(details))

    def _offending_file(self, rule: str, table: DeliveredTable, manifest: Manifest, regions: ValidRegions | None) -> str:
        """The file with most rows that break the rule; a further pass, made for refusals only."""
        names = [file.name for file in manifest.files if file.table == table.name]
        if len(names) == 1:
            return names[0]
        offending = checks.offending_files(
            self._rows(manifest, table),
            rule=rule,
            table=table,
            month=manifest.month,
            regions=regions,
            residents_only=_is_for_residents_only(manifest),
        )
        most = offending.orderBy(F.desc("rows"), "file_name").first()
        return str(most["file_name"]) if most else names[0]

    def _particulars(self, rule: str, table: DeliveredTable, manifest: Manifest, regions: ValidRegions | None) -> list[str]:
        """Which columns and reasons; a second pass, made for refusals only."""
        rows = self._rows(manifest, table)
        if rule == "direct_identifier":
            counts = checks.identifier_counts(rows, table=table).first()
            return [f"{name} {count}" for name, count in (counts.asDict() if counts else {}).items() if count]
        if rule == "too_many_quarantined":
            reasons = checks.reason_counts(rows, table=table, regions=regions).orderBy(F.desc("rows"), "reason")
            return [f"{row['reason']} {row['rows']}" for row in reasons.limit(_MOST_REASONS_NAMED).collect()]  # ok: limited
        return []

    def _compare_with_month_before(
        self, dataset: Dataset, manifest: Manifest, regions: ValidRegions | None, facts: Mapping[str, TableFacts]
    ) -> None:
        """Stop at a fall of rows or a lost district since the nearest earlier month of a monthly dataset."""
        earlier = [month for month in self._register.months(dataset.name) if month < manifest.month]
        if self._settings.allow_row_fall or dataset.cycle is not Cycle.MONTHLY or not earlier:
            return
        before = self._register.current(dataset.name, earlier[-1])
        if before is None:
            return
        districts_before = self._districts(dataset, before, regions)
        for table in dataset.tables:
            found = facts[table.name]
            what = checks.implausible(
                rows=found.rows,
                rows_before=before.rows.get(table.name, 0),
                districts=found.districts,
                districts_before=districts_before.get(table.name, frozenset()),
                max_row_fall=self._settings.max_row_fall,
            )
            if what:
                raise ImplausibleChange(
                    f"{self._folder.label}, {table.name}: {what} ({before.month}).",
                    remedy="ask the supplier; if the delivery is right, receive it with --allow-row-fall",
                )

    def _districts(self, dataset: Dataset, delivery: Delivery, regions: ValidRegions | None) -> dict[str, frozenset[int]]:
        per_table = [
            checks.district_rows(
                self._warehouse.read(
                    BRONZE_TABLES[table.bronze_name],
                    delivery_month=delivery.month.date,
                    delivery_number=delivery.number,
                ),
                table=table,
                regions=regions,
            )
            for table in dataset.tables
            if checks.has_district(table)
        ]
        found = reduce(DataFrame.unionByName, per_table).collect()  # ok: one row per table and district
        return {table.name: frozenset(row["gu"] for row in found if row["table_name"] == table.name) for table in dataset.tables}

    def _store(self, dataset: Dataset, manifest: Manifest, facts: Mapping[str, TableFacts]) -> None:
        spark = self._warehouse.spark
        slice_of: dict[str, PartitionValue] = {"delivery_month": manifest.month.date, "delivery_number": manifest.number}
        registered: dict[str, PartitionValue] = {"dataset": dataset.name, **slice_of}
        columns = [
            {
                **registered,
                "table_name": table.name,
                "column_name": column.name,
                "measure": column.measure.value,
                "applied_by": self._applied_by(table, column, manifest.supplier),
                "has_direct_identifier": False,  # a delivery with one was refused
            }
            for table in dataset.tables
            for column in table.columns
        ]
        agreement = manifest.agreement
        deliveries = [
            {
                **registered,
                "table_name": name,
                "row_count": found.rows,
                "quarantined_rows": found.quarantined,
                "content_sha256": manifest.content_sha256,
                "as_of": manifest.as_of.isoformat(),
                "supplier": manifest.supplier,
                "agreement_id": agreement.id if agreement else None,
                "agreement_scope": agreement.scope if agreement else None,
                "manifest_json": manifest.canonical_json,
            }
            for name, found in facts.items()
        ]
        stored = [
            Write(BRONZE_TABLES[table.bronze_name], self._stored_rows(manifest, table), slice_of, facts[table.name].rows)
            for table in dataset.tables
        ]
        described = Write(DELIVERY_COLUMN, spark.createDataFrame(columns, DELIVERY_COLUMN.schema()), registered, len(columns))
        with self._changed_files_refused():
            self._warehouse.commit_together([*stored, described])
        registration = spark.createDataFrame(deliveries, DELIVERY.schema())
        self._warehouse.commit(DELIVERY, registration, partition=registered, expected_rows=len(deliveries))

    @contextlib.contextmanager
    def _changed_files_refused(self) -> Iterator[None]:
        try:
            yield
        except PySparkException as error:
            if FILE_CHANGED in str(error):
                raise self._refusal("file_changed") from None
            raise
