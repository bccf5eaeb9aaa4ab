"""What is no longer needed goes: rows of people before a month, and the files they were in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from living_finance.config import RetentionSettings
from living_finance.contracts import bronze, gold, silver
from living_finance.contracts.core import Layer, Table
from living_finance.errors import MissingInput
from living_finance.months import Month
from living_finance.storage.ledger import Ledger, StepRecord
from living_finance.storage.register import DeliveryRegister
from living_finance.storage.warehouse import PartitionValue, Warehouse

_PEOPLE = {"person_id", "register_household_id", "household_id"}
PURGED = "purge"
"""Name of the ledger's note on a month whose people are gone."""

PURGED_TABLES: tuple[Table, ...] = (
    *(table for table in bronze.BRONZE_TABLES.values() if _PEOPLE & set(table.column_names)),
    *(table for table in silver.SILVER_TABLES if {*_PEOPLE, "survey_household_id"} & set(table.column_names)),
    gold.HOUSEHOLD_MEMBER,
)
"""Tables with rows of people, or of what links them. A survey as delivered stays: later months of its year are made from it."""


@dataclass(frozen=True)
class PurgePlan:
    """What would go, and what stays although it was asked for."""

    slices: tuple[tuple[Table, dict[str, PartitionValue], int], ...]
    """Table, its slice, rows."""
    kept: tuple[tuple[Month, str], ...]
    """Month asked for, and why some or all of it stays."""
    months: tuple[Month, ...]
    """Months of which something goes."""


def plan_purge(warehouse: Warehouse, *, before: Month, retention: RetentionSettings) -> PurgePlan:
    """Rows of people before a month, as far as retention and the next month allow.

    Raises:
        MissingInput: no month has been made, so that nobody knows what is needed.
    """
    ledger = Ledger(warehouse.root)
    made = [month for month in ledger.months() if ledger.find(month, "households") is not None]
    if not made:
        raise MissingInput(f"No month is made in {warehouse.root}.", remedy="make the months first, then purge")
    newest = made[-1]
    oldest_kept = {
        Layer.BRONZE: newest.plus(1 - retention.bronze_months),
        Layer.SILVER: newest.plus(1 - retention.silver_months),
    }
    oldest_kept[Layer.GOLD] = oldest_kept[Layer.SILVER]
    slices: list[tuple[Table, dict[str, PartitionValue], int]] = []
    kept: dict[Month, str] = {}
    for table in PURGED_TABLES:
        if not warehouse.exists(table):
            continue
        name = "delivery_month" if table.layer is Layer.BRONZE else "base_month"
        for part in warehouse.slices(table, name):
            month = Month.from_date(part[name])  # type: ignore[arg-type]
            if month >= before:
                continue
            if month >= newest:
                kept[month] = "the newest month made: the next takes its household ids from it"
            elif month >= oldest_kept[table.layer]:
                kept.setdefault(month, "retention keeps it (settings, section retention)")
            else:
                slices.append((table, part, warehouse.read(table, **part).count()))
    months = sorted({Month.from_date(next(iter(part.values()))) for _, part, _ in slices})  # type: ignore[arg-type]
    return PurgePlan(tuple(slices), tuple(sorted(kept.items())), tuple(months))


def purge(
    warehouse: Warehouse, *, before: Month, retention: RetentionSettings, on_progress: Callable[[str], None] = lambda _: None
) -> PurgePlan:
    """Remove what `plan_purge` says, note it in the ledger, and vacuum, so that no file holds it any more.

    An interrupted purge is finished by the next: files are vacuumed whether or not rows are left to remove.

    Raises:
        MissingInput, ConcurrentRun.
    """
    ledger = Ledger(warehouse.root)
    with contextlib.ExitStack() as held:
        for month in ledger.months():
            held.enter_context(ledger.lock(month))
        plan = plan_purge(warehouse, before=before, retention=retention)
        register = DeliveryRegister(warehouse)
        for month in plan.months:
            rows = {t.qualified_name: n for t, part, n in plan.slices if Month.from_date(next(iter(part.values()))) == month}  # type: ignore[arg-type]
            ledger.record(month, _note(ledger, register, month, rows))
        for table, part, count in plan.slices:
            warehouse.remove(table, partition=part)
            on_progress(f"{table.qualified_name} {' '.join(map(str, part.values()))}: {count:,} rows")
        warehouse.vacuum(PURGED_TABLES)
    return plan


def _note(ledger: Ledger, register: DeliveryRegister, month: Month, rows: Mapping[str, int]) -> StepRecord:
    """Rows that went, by table, added to what went before; and of which deliveries."""
    before = ledger.find(month, PURGED)
    facts = {
        "rows": {**(before.facts["rows"] if before else {}), **rows},
        "deliveries": {
            name: delivery.content_sha256
            for name in ("bureau", "city")
            if (delivery := register.current(name, month)) is not None
        },
    }
    return StepRecord(PURGED, "", (), 0.0, facts)
