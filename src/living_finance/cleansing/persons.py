"""Bureau persons: repeated and contradictory rows, the deceased, impossible amounts, unit slips, outliers, missing values.

Order of work on a row: contract → repeats and contradictions (among rows that keep the contract) → deceased → amounts
that cannot be → unit slips → outliers → imputation of what is missing. The three statistics that a row is judged by (rows of
the same person, shapes of cells, donors) are small tables, broadcast to the rows; the persons are never shuffled.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from living_finance.cleansing import slips
from living_finance.cleansing.disposition import (
    FLAWS,
    GU,
    Cleansed,
    as_table,
    checked,
    gu_of,
    kept_rows,
    notes,
    set_aside_rows,
    settled,
)
from living_finance.cleansing.imputation import Levels, donor_values, impute
from living_finance.config import CleansingSettings
from living_finance.contracts import codes
from living_finance.contracts.deliveries import PERSONS
from living_finance.contracts.silver import INCOME_COLUMNS, PERSON, PERSON_RENAMES, SPENDING_COLUMNS
from living_finance.contracts.validation import ValidRegions
from living_finance.methods.joins import join_to_one
from living_finance.months import Month

MONEY_COLUMNS = tuple(PERSON_RENAMES.values())
IMPUTED_COLUMNS = (*INCOME_COLUMNS, *SPENDING_COLUMNS)

SHAPE_CELL = ("age_band", "sex", "employment")
"""Cells whose shape judges slips and outliers: the whole city's, because tails take many values."""
SHAPE_WIDER: Levels = (("employment",), ())

DONOR_CELL = ("age_band", "sex", "gu_code", "employment")
_INCOME_LEVELS: Levels = (DONOR_CELL, ("age_band", "sex", "employment"), ("employment",))
DONOR_LEVELS: Mapping[str, Levels] = {
    **dict.fromkeys(INCOME_COLUMNS, _INCOME_LEVELS),
    **dict.fromkeys(SPENDING_COLUMNS, (*_INCOME_LEVELS, ())),
}
"""District gives way first, then age and sex. Employment stays to the end for incomes: a person without work has no labour
income to borrow from an employee; spending falls back on everybody."""

_PERSON_ROW = ("file_name", "row_number")
_LABOUR, _BUSINESS = INCOME_COLUMNS


def cleanse_persons(rows: DataFrame, *, month: Month, regions: ValidRegions, settings: CleansingSettings, seed: int) -> Cleansed:
    """Living bureau persons, each once, with every amount filled.

    Set aside: `person_id:conflicting_rows` (quarantined: all rows of a person whose rows disagree), `row:repeated`
    (removed: all but the first of equal rows, by file and row number), `deceased:true` (removed). Rows agree when their
    typed values do: `1e7` and `10000000` are one amount.

    Edits: `:negative_as_missing` (labour income and spending; a negative business income is a loss), `:unit_slip`
    (labour and business income divided by the factor), `:outlier` (any amount; kept as it is, lent to nobody),
    `:imputed`, `:imputed_zero`.

    Args:
        rows: bronze.bureau_persons of one delivery, one row per delivered row.
        month: the month made.
        regions: codes valid in the month.
        settings: slip factor, donors.
        seed: of the run.

    Returns:
        kept: silver.person, one row per person. The shapes of cells are taken from every readable row: a quarantined or
        repeated row in a thousand moves no median, and leaving them out would check every row once more.
    """
    typed = checked(
        rows, table=PERSONS, regions=regions, gu=gu_of(F.col("home_dong"), regions), renames=PERSON_RENAMES
    ).withColumnRenamed(GU, "gu_code")
    fates = _fates_of_repeats(rows, regions=regions)
    judged = join_to_one(typed, fates, on=_PERSON_ROW, how="left", broadcast=True).withColumn(GU, F.col("gu_code"))
    frame = settled(
        judged,
        quarantines=[("person_id:conflicting_rows", F.col("fate") == "conflicting")],
        removals=[("row:repeated", F.col("fate") == "repeated"), ("deceased:true", F.col("deceased"))],
    )
    shapes = _shapes(frame, factor=settings.unit_slip_factor)
    # Donors and recipients are read from here: the plan is cut so that the edits are neither planned nor done twice.
    edited = (
        kept_rows(frame)
        .transform(_with_edited_amounts, shapes=shapes, factor=settings.unit_slip_factor)
        .localCheckpoint(eager=False, storageLevel=StorageLevel.DISK_ONLY)
    )
    lent = edited.select(*DONOR_CELL, *(F.when(F.col(f"_lends_{n}"), F.col(n)).alias(n) for n in IMPUTED_COLUMNS))
    donors = donor_values(
        lent,
        levels=DONOR_LEVELS,
        min_donors=settings.min_donors,
        donors_kept=settings.donors_kept,
        seed=seed,
        month=month,
    )
    filled = impute(
        edited,
        donors=donors,
        cell=DONOR_CELL,
        variables=IMPUTED_COLUMNS,
        recipient="person_id",
        seed=seed,
        month=month,
    )
    return Cleansed(
        kept=as_table(filled, table=PERSON, month=month),
        set_aside=set_aside_rows(frame, table=PERSONS, month=month),
    )


def _fates_of_repeats(rows: DataFrame, *, regions: ValidRegions) -> DataFrame:
    """Delivered rows that share their person with another: file_name, row_number, fate (conflicting, repeated).

    The first pass reads one column and groups 8 bytes a person; only rows of persons that may occur twice are read
    whole. Bound of the broadcasts: rows of repeated persons, which receipt's expectations keep to a few in a hundred.
    """
    key = F.xxhash64("person_id")
    # Two persons with one hash only mean two more rows to look at: what follows groups by the person itself.
    suspects = (
        rows.where(F.col("person_id").isNotNull())
        .select(key.alias("person_hash"))
        .groupBy("person_hash")
        .agg(F.count(F.lit(1)).alias("delivered_rows"))
        .where(F.col("delivered_rows") > 1)
        .select("person_hash")
    )
    candidates = rows.withColumn("person_hash", key).join(F.broadcast(suspects), on="person_hash", how="left_semi")
    sound = checked(
        candidates.drop("person_hash"), table=PERSONS, regions=regions, gu=F.lit(codes.NO_DISTRICT), renames={}
    ).where(F.size(FLAWS) == 0)
    content = F.struct(*(F.col(name) for name in PERSONS.column_names))
    place = F.struct(*_PERSON_ROW)
    everybody = Window.partitionBy("person_id").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    agrees = F.min(content).over(everybody) == F.max(content).over(everybody)
    is_first = F.min(place).over(everybody) == place
    return (
        sound.withColumn("fate", F.when(~agrees, F.lit("conflicting")).when(~is_first, F.lit("repeated")))
        .where(F.col("fate").isNotNull())
        .select(*_PERSON_ROW, "fate")
    )


def _shapes(frame: DataFrame, *, factor: float) -> DataFrame:
    """Shapes of every amount and of spending given income, by SHAPE_CELL."""
    logs = {name: _log(F.col(name)) for name in MONEY_COLUMNS}
    ratios = {_ratio(name): slips.spending_ratio(spending_log=_spending_log(), y=_log(F.col(name))) for name in INCOME_COLUMNS}
    is_readable = (
        F.col("age_band").isin(list(codes.AGE_BANDS))
        & F.col("sex").isin(list(codes.SEX.codes))
        & F.col("employment").isin(list(codes.EMPLOYMENT.codes))
    )
    variables = (column.alias(name) for name, column in {**logs, **ratios}.items())
    found = slips.shapes(
        frame.where(is_readable).select(*SHAPE_CELL, *variables), cell=SHAPE_CELL, wider=SHAPE_WIDER, factor=factor
    )
    return found.select(*SHAPE_CELL, *(F.col(name).alias(_shape(name)) for name in found.columns if name not in SHAPE_CELL))


def _with_edited_amounts(persons: DataFrame, *, shapes: DataFrame, factor: float) -> DataFrame:
    """Take out impossible amounts, divide slips, mark outliers; say of each imputed column whether it may be lent.

    Returns:
        One row per row, with `edits` and `_lends_<column>`; amounts null where missing or impossible.
    """
    cannot_be_negative = (_LABOUR, *SPENDING_COLUMNS)
    judged = join_to_one(persons, shapes, on=SHAPE_CELL, how="left", broadcast=True)
    is_negative = {name: F.coalesce(F.col(name) < 0, F.lit(False)) for name in cannot_be_negative}
    is_slip = {
        name: slips.is_slip(
            _log(F.col(name)),
            shape=_shape(name),
            spending_log=_spending_log(),
            ratio_shape=_shape(_ratio(name)),
            factor=factor,
        )
        for name in INCOME_COLUMNS
    }
    flagged = judged.withColumns(
        {
            **{f"_negative_{name}": condition for name, condition in is_negative.items()},
            **{f"_slip_{name}": condition for name, condition in is_slip.items()},
        }
    )

    def has(kind: str, name: str) -> Column:
        return F.col(f"_{kind}_{name}") if f"_{kind}_{name}" in flagged.columns else F.lit(False)

    corrected = flagged.withColumns(
        {
            name: F.when(has("slip", name), F.col(name) / factor).otherwise(F.when(~has("negative", name), F.col(name)))
            for name in IMPUTED_COLUMNS
        }
    )
    marked = corrected.withColumns(
        {f"_outlier_{name}": slips.is_outlier(_log(F.col(name)), shape=_shape(name)) for name in MONEY_COLUMNS}
    )
    found = [
        (f"{name}:{rule}", F.col(f"_{kind}_{name}"))
        for name in MONEY_COLUMNS
        for kind, rule in (("negative", "negative_as_missing"), ("slip", "unit_slip"), ("outlier", "outlier"))
        if f"_{kind}_{name}" in marked.columns
    ]
    lends = {
        f"_lends_{name}": F.col(name).isNotNull() & ~has("slip", name) & ~F.col(f"_outlier_{name}") for name in IMPUTED_COLUMNS
    }
    return marked.withColumns({"edits": notes(found), **lends}).drop(
        *(name for name in marked.columns if name.startswith(("_negative_", "_slip_", "_outlier_", "_shape_")))
    )


def _log(amount: Column) -> Column:
    """Natural log of an amount without its sign (losses slip too); null for none and for zero."""
    return F.when(amount != 0, F.ln(F.abs(amount)))


def _spending_log() -> Column:
    """Natural log of what is known of the person's spending in the month; null where that is nothing."""
    parts = (F.greatest(F.coalesce(F.col(name), F.lit(0.0)), F.lit(0.0)) for name in SPENDING_COLUMNS)
    total = sum(parts, F.lit(0.0))
    return F.when(total > 0, F.ln(total))


def _shape(name: str) -> str:
    return f"_shape_{name}"


def _ratio(income: str) -> str:
    return f"spending_over_{income}"
