"""What becomes of a delivered row: kept, quarantined or removed, and why.

Every row of a delivery goes exactly one way. Quarantined: its values break the contract. Removed: a good row that does
not belong in the statistics. The reasons name column and rule, never the value; the row itself stays in bronze.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from living_finance.contracts import codes
from living_finance.contracts.bronze import PROVENANCE
from living_finance.contracts.core import Table
from living_finance.contracts.deliveries import DeliveredTable
from living_finance.contracts.silver import SET_ASIDE
from living_finance.contracts.validation import TEXTUAL, ValidRegions, parse, row_reasons
from living_finance.months import Month

Note = tuple[str, Column]
"""A reason or edit (`column:rule`) and the condition under which a row carries it."""

PROVENANCE_COLUMNS = tuple(column.name for column in PROVENANCE)
FLAWS = "_flaws"
"""Rules of the contract a row breaks."""
GU = "_gu_code"
_DISPOSITION = "_disposition"
_REASONS = "_reasons"


@dataclass(frozen=True)
class Cleansed:
    """One delivered table, split; both frames are lazy and together hold every delivered row once."""

    kept: DataFrame
    set_aside: DataFrame


def notes(found: Sequence[Note]) -> Column:
    """The names of the notes whose condition is true, in the order given; an unknown condition counts as false."""
    named = [F.when(condition, F.lit(name)) for name, condition in found] or [F.lit(None).cast("string")]
    return F.filter(F.array(*named), lambda name: name.isNotNull())


def gu_of(dong: Column, regions: ValidRegions) -> Column:
    """District of a dong that is valid in the month; `none` for any other text and for none.

    Args:
        dong: code of 7 digits or more, of which the first 7 are the dong.
        regions: codes valid in the month.
    """
    is_valid = F.substring(dong, 1, 7).isin(list(regions.dong_codes))
    return F.when(is_valid, F.substring(dong, 1, 5)).otherwise(F.lit(codes.NO_DISTRICT))


def checked(
    rows: DataFrame,
    *,
    table: DeliveredTable,
    regions: ValidRegions | None,
    gu: Column,
    renames: Mapping[str, str] | None = None,
) -> DataFrame:
    """Delivered text with its type, its district and the rules it breaks.

    Args:
        rows: bronze rows of one delivery of the table.
        table: the delivered table.
        regions: codes valid in the month; None for the regions list itself.
        gu: district of a row, from the delivered text.
        renames: delivered column → name from silver on.

    Returns:
        One row per row: provenance, `_gu_code`, `_flaws` and every delivered column, typed, null where unreadable.
    """
    names = renames or {}
    values = {column.name: f"_value_{column.name}" for column in table.columns if column.kind not in TEXTUAL}
    # Two steps, so that a number is read once for its rules and its value.
    read = rows.select(
        *PROVENANCE_COLUMNS,
        *table.column_names,
        gu.alias(GU),
        *(parse(table.column(name)).alias(value) for name, value in values.items()),
    )
    reasons = row_reasons(table, regions=regions, values={name: F.col(value) for name, value in values.items()})
    found = read.select(
        *PROVENANCE_COLUMNS,
        GU,
        reasons.alias(FLAWS),
        *(F.col(values.get(name, name)).alias(names.get(name, name)) for name in table.column_names),
    )
    # The optimizer would copy the rules into every later use of them (200,000 filters for the persons, and the driver's
    # heap was full): the plan is cut here, rows are read and checked once, and wait on the executors' disks.
    return found.localCheckpoint(eager=False, storageLevel=StorageLevel.DISK_ONLY)


def settled(frame: DataFrame, *, quarantines: Sequence[Note] = (), removals: Sequence[Note] = ()) -> DataFrame:
    """Decide what becomes of each row.

    Args:
        frame: from `checked`.
        quarantines: reasons for quarantine that take more than the row itself.
        removals: reasons for leaving out good rows.

    Returns:
        The frame with the disposition (null = kept) and its reasons, as `kept_rows` and `set_aside_rows` read them.
    """
    flaws = F.concat(F.col(FLAWS), notes(quarantines)) if quarantines else F.col(FLAWS)
    leaves = notes(removals)
    is_flawed = F.size(F.col("_all_flaws")) > 0
    is_left_out = F.size(F.col("_leaves")) > 0
    return (
        frame.withColumns({"_all_flaws": flaws, "_leaves": leaves})
        .withColumns(
            {
                _DISPOSITION: F.when(is_flawed, F.lit("quarantined")).when(is_left_out, F.lit("removed")),
                _REASONS: F.when(is_flawed, F.col("_all_flaws")).otherwise(F.col("_leaves")),
            }
        )
        .drop("_all_flaws", "_leaves", FLAWS)
    )


def kept_rows(frame: DataFrame) -> DataFrame:
    """The rows of a settled frame that go on."""
    return frame.where(F.col(_DISPOSITION).isNull())


def set_aside_rows(frame: DataFrame, *, table: DeliveredTable, month: Month) -> DataFrame:
    """The rows of a settled frame that do not go on, as silver.set_aside."""
    return (
        frame.where(F.col(_DISPOSITION).isNotNull())
        .select(
            F.lit(month.date).alias("base_month"),
            F.lit(table.bronze_name).alias("table_name"),
            *PROVENANCE_COLUMNS,
            F.col(GU).alias("gu_code"),
            F.col(_DISPOSITION).alias("disposition"),
            F.col(_REASONS).alias("reasons"),
        )
        .select(*SET_ASIDE.column_names)
    )


def as_table(frame: DataFrame, *, table: Table, month: Month, reference_month: Month | None = None) -> DataFrame:
    """The columns of a silver table, in its order, for rows that have all but the months and perhaps the district."""
    columns = {"base_month": F.lit(month.date)}
    if reference_month is not None:
        columns["reference_month"] = F.lit(reference_month.date)
    if "gu_code" in table.column_names and "gu_code" not in frame.columns:
        columns["gu_code"] = F.col(GU)
    return frame.withColumns(columns).select(*table.column_names)


def split(
    frame: DataFrame,
    *,
    delivered: DeliveredTable,
    silver: Table,
    month: Month,
    reference_month: Month | None = None,
    edits: Sequence[Note] = (),
    edited: Mapping[str, Column] | None = None,
) -> Cleansed:
    """Split a settled frame of a table whose edits look at one row alone.

    Args:
        frame: from `settled`.
        delivered: the delivered table.
        silver: the silver table of the kept rows.
        month: the month made.
        reference_month: the month the delivery describes, for tables that carry it.
        edits: edits and their conditions, on values as delivered.
        edited: column → value after the edits.
    """
    changes = dict(edited or {})
    if "edits" in silver.column_names:
        changes["edits"] = notes(edits)
    good = kept_rows(frame)
    good = good.withColumns(changes) if changes else good
    return Cleansed(
        kept=as_table(good, table=silver, month=month, reference_month=reference_month),
        set_aside=set_aside_rows(frame, table=delivered, month=month),
    )


def disposition_counts(set_aside: DataFrame) -> DataFrame:
    """Rows set aside, for the balance rows in = kept + quarantined + removed.

    Args:
        set_aside: silver.set_aside of one month.

    Returns:
        One row per table_name with `quarantined` and `removed`; a table without such rows has no row.
    """
    return set_aside.groupBy("table_name").agg(
        *(F.count(F.when(F.col("disposition") == name, F.lit(1))).alias(name) for name in ("quarantined", "removed"))
    )
