"""New keys for pseudonyms: stored rows are re-keyed, households and their ids stay."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from pyspark.sql import functions as F

from living_finance.contracts import bronze, gold, silver
from living_finance.contracts.core import Layer, Table
from living_finance.errors import PseudonymKeyMissing
from living_finance.steps.receive import APPLIED_BY_US, key_in_data
from living_finance.storage.ledger import Ledger
from living_finance.storage.pseudonyms import Keys, add_key, pseudonymised
from living_finance.storage.warehouse import Warehouse

IDENTIFIED: dict[Table, dict[str, str]] = {
    table: columns
    for table in (*bronze.BRONZE_TABLES.values(), *silver.SILVER_TABLES, *gold.GOLD_TABLES)
    if (columns := bronze.identifiers_of(table))
}
"""Every table with identifiers → its columns of them → purpose: they join by them, so they share the purpose's key."""


def rotate_key(
    warehouse: Warehouse, *, keys: Keys, key_id: str, on_progress: Callable[[str], None] = lambda _: None
) -> Sequence[tuple[str, int]]:
    """Add a key and put every stored identifier through it, month by month; interrupted, it goes on with the same id.

    Each slice is one commit whose history names the key, so that none is re-keyed twice. `household_id` and everything that
    rests on it stays, and persons, register households and homes join over tables and months as before. Old versions, which
    still have the old pseudonyms, are vacuumed.

    Args:
        warehouse: received with pseudonyms.
        keys: in use, or with the new key already.
        key_id: of the new key.
        on_progress: told one line per slice.

    Returns:
        Rows re-keyed, by slice.

    Raises:
        PseudonymKeyMissing: the stored identifiers are by no key of the file.
        ConcurrentRun: a month is being made.
    """
    stored = key_in_data(warehouse)
    if not stored <= set(keys.ids):
        raise PseudonymKeyMissing(
            "The warehouse has identifiers that no key of the file made.", remedy="name the file of the stored key id"
        )
    with contextlib.ExitStack() as held:
        ledger = Ledger(warehouse.root)
        for month in ledger.months():
            held.enter_context(ledger.lock(month))
        renewed = keys if key_id in keys.ids else add_key(Path(keys.file), key_id)
        if key_id != renewed.current or stored - set(renewed.ids[-2:]):
            raise PseudonymKeyMissing(f"{key_id} does not follow the stored key.", remedy="finish the earlier rotation first")
        done = []
        for table, columns in IDENTIFIED.items():
            if not warehouse.exists(table):
                continue
            noted = warehouse.notes(table)
            names = ("delivery_month", "delivery_number") if table.layer is Layer.BRONZE else ("base_month",)
            for part in warehouse.slices(table, *names):
                label = f"{table.qualified_name} {' '.join(map(str, part.values()))}"
                if (note := f"re-keyed {key_id} {label}") in noted:
                    continue
                rows = warehouse.read(table, **part)
                count = rows.count()
                with warehouse.noted(note):
                    replaced = pseudonymised(rows, columns, keys=renewed.newest)
                    warehouse.commit(table, replaced, partition=part, expected_rows=count)
                on_progress(f"{label}: {count:,} rows")
                done.append((label, count))
        _name_key(warehouse, key_id)
        warehouse.vacuum(IDENTIFIED)
    return done


def _name_key(warehouse: Warehouse, key_id: str) -> None:
    """Say in bronze.delivery_column by which key the stored identifiers are."""
    for dataset in sorted({name.partition("_")[0] for name in bronze.PSEUDONYMISED_ON_ENTRY}):
        rows = warehouse.read(bronze.DELIVERY_COLUMN, dataset=dataset)
        marked = F.regexp_replace("applied_by", f"{APPLIED_BY_US}.*$", f"{APPLIED_BY_US}{key_id}")
        warehouse.commit(
            bronze.DELIVERY_COLUMN,
            rows.withColumn("applied_by", marked),
            partition={"dataset": dataset},
            expected_rows=rows.count(),
        )
