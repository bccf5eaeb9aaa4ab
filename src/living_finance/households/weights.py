"""Weights that make the households of every output area add up to the census, moved on by the register.

Two steps. The base weight says how likely a household of its kind is to be there at all (people at an old address and
register households that moved away are not), scaled to the area's number of households. Bounded calibration then
moves the base weights as little as the census margins of the area ask for (decision 0010), and as little as possible the
number of heads of a sex and age, which no census counts (decision 0048).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scipy.optimize import nnls

from living_finance.contracts import codes
from living_finance.contracts.silver import OUTPUT_AREA
from living_finance.households.tally import BITS_PER_CELL, CELLS, PACKED_MEMBERS
from living_finance.methods import Calibrated, calibrate, in_category, packed_counts, quantity, with_zero_targets
from living_finance.methods.census import MASKED_LIMITS
from living_finance.methods.joins import join_to_one
from living_finance.months import Month

PRIORITY = {
    "households": 0,
    "household_size": 1,
    "household_type": 2,
    "dwelling_type": 2,
    "tenure": 3,
    "population": 3,
    "population_sex_age": 4,
}
"""Order in which margins give way where they contradict one another, the last first."""
_OLDEST = {"M85": "M80", "F85": "F80"}
"""The bureau's last band is 80 and over."""
_COMPLETE = {
    margin: [name for name in codes.MARGIN_CATEGORIES[margin] if name not in _OLDEST]
    for margin in PRIORITY
    if margin not in ("households", "population")
}
"""Margins whose absent categories are zeros."""

HEADS = "head_sex_age"
"""A margin that nobody counts: its totals, by sex and ten-year band of the head, leave those of the base weights at a price."""
HEAD_CATEGORIES = tuple(f"{sex}{band}" for sex in "MF" for band in codes.HEAD_AGE_BANDS)
HEADS_PRIORITY = max(PRIORITY.values()) + 1

KINDS = (
    "register_and_bureau",
    "register_only",
    "in_registered_unit",
    "in_unregistered_unit",
    "elsewhere_young",
    "elsewhere_older",
)
"""Kinds of formed households that exist with different probabilities. The last four are people whom no register household
explains: in a unit where somebody is registered (a unit holds one household), where nobody is, and without unit."""
_OLDER_AGE = 30
"""Young people stay registered with their parents, or nowhere; those who are older have mostly moved away."""
_PRIOR_AREAS = 5.0
"""The shares start from 1 with the weight of so many output areas: a handful of areas cannot tell four shares."""
_LEAST_SHARE = 0.02
_MOMENT_SCALE = 2.0**20
_REPORTED = ("targets", "relaxed_targets", "largest_gap", "is_converged")
"""Columns of silver.OUTPUT_AREA that calibration fills."""


def output_areas(formed: DataFrame, *, margins: DataFrame, census_register_counts: DataFrame | None, month: Month) -> DataFrame:
    """Census households, register change, target and formed households of every output area.

    target = census households x register households now / register households in the census month. Where
    the census month's register is not known (not given, or no such area in it) the change is 1.

    Args:
        formed: rows of `form_households`.
        margins: silver.CENSUS_MARGIN of the month.
        census_register_counts: output_area_id, register_households of the census month (silver.OUTPUT_AREA of
            that month); None when that month has not been made or lies after `month`.
        month: the month.

    Returns:
        silver.OUTPUT_AREA without what calibration reports: one row per output area of the census or with
        households. Areas with census households but none formed have weighted_households 0: the distance is in the table.
    """
    census = (
        margins.where(F.col("margin") == "households")
        .groupBy("output_area_id")
        .agg(F.sum("count").cast("bigint").alias("census_households"))
    )
    is_private = ~F.col("is_group_quarters")
    found = (
        formed.where(F.col("output_area_id").isNotNull())
        .groupBy("output_area_id")
        .agg(
            F.count_if(is_private & (F.col("household_source") == "register")).alias("register_households"),
            F.count_if(is_private).alias("formed_households"),
        )
    )
    areas = census.join(found, on="output_area_id", how="full").withColumns(
        {
            name: F.coalesce(name, F.lit(0)).cast("bigint")
            for name in ("census_households", "register_households", "formed_households")
        }
    )
    if census_register_counts is None:
        then = areas.withColumn("_then", F.lit(None).cast("bigint"))
    else:
        earlier = census_register_counts.select("output_area_id", F.col("register_households").alias("_then"))
        then = join_to_one(areas, earlier, on=["output_area_id"], how="left")
    change = F.coalesce(F.try_divide(F.col("register_households").cast("double"), F.col("_then").cast("double")), F.lit(1.0))
    return (
        then.withColumns({"base_month": F.lit(month.date), "register_change": change})
        .withColumn("target_households", F.col("census_households") * F.col("register_change"))
        .withColumn(
            "weighted_households",
            F.when(F.col("formed_households") > 0, F.col("target_households")).otherwise(F.lit(0.0)),
        )
        .select(*(name for name in OUTPUT_AREA.column_names if name not in _REPORTED))
    )


def weigh(households: DataFrame, *, areas: DataFrame, margins: DataFrame) -> Calibrated:
    """Calibrated weights: base weights moved, within bounds, to every margin of the output area.

    Args:
        households: rows of `form_households` with `tenure`.
        areas: rows of `output_areas`.
        margins: silver.CENSUS_MARGIN of the month.

    Returns:
        Households with `weight`, and the account per target and area (`Calibrated`). Weight 0 for group quarters and
        where the census knows no household. The columns `_base` and `PACKED_MEMBERS` are still there.
    """
    weighted = households.transform(with_base_weight, areas=areas)
    return calibrate(
        weighted,
        _targets(margins, areas=areas),
        area="output_area_id",
        unit="household_id",
        base_weight="_base",
        contributions=(
            quantity("households", F.lit(1)),
            in_category("household_size", _size_class()),
            in_category("household_type", F.col("household_type")),
            in_category("dwelling_type", F.col("dwelling_type")),
            in_category("tenure", F.col("tenure")),
            quantity("population", F.col("household_size")),
            packed_counts("population_sex_age", [F.col(name) for name in PACKED_MEMBERS], categories=CELLS, bits=BITS_PER_CELL),
            in_category(HEADS, F.concat("head_sex", F.col("head_age_band").cast("string"))),
        ),
        uncounted=(HEADS,),
        group=F.substring("output_area_id", 1, 5),
    )


def with_account(areas: DataFrame, calibrated: Calibrated) -> DataFrame:
    """Output areas with what calibration reports: silver.OUTPUT_AREA."""
    account = calibrated.areas.select(
        "output_area_id",
        F.col("targets").cast("bigint").alias("targets"),
        F.col("relaxed").cast("bigint").alias("relaxed_targets"),
        "largest_gap",
        "is_converged",
    )
    return (
        join_to_one(areas, account, on=["output_area_id"], how="left")
        .withColumns(
            {
                "targets": F.coalesce("targets", F.lit(0)).cast("bigint"),
                "relaxed_targets": F.coalesce("relaxed_targets", F.lit(0)).cast("bigint"),
                "largest_gap": F.coalesce("largest_gap", F.lit(0.0)),
                "is_converged": F.coalesce("is_converged", F.lit(True)),
            }
        )
        .select(*OUTPUT_AREA.column_names)
    )


def _size_class() -> Column:
    size = F.col("household_size")
    return F.when(size >= 7, F.lit("7_plus")).otherwise(size.cast("string"))


def _targets(margins: DataFrame, *, areas: DataFrame) -> DataFrame:
    """One row per output area, margin and category: limits of the total, moved by the register, and priority."""
    change = areas.select("output_area_id", "register_change")
    known = margins.where(F.col("margin").isin(*PRIORITY))
    category = F.coalesce(
        F.element_at(F.create_map(*(F.lit(text) for pair in _OLDEST.items() for text in pair)), F.col("category")), "category"
    )
    lower, upper = (F.when(F.col("is_masked"), F.lit(bound)).otherwise(F.col("count").cast("double")) for bound in MASKED_LIMITS)
    priority = F.element_at(F.create_map(*(F.lit(part) for pair in PRIORITY.items() for part in pair)), F.col("margin"))
    limits = (
        join_to_one(known, change, on=["output_area_id"], how="inner", broadcast=True)
        .withColumns({"lower": lower * F.col("register_change"), "upper": upper * F.col("register_change")})
        .groupBy("output_area_id", "margin", category.alias("category"))
        .agg(F.sum("lower").alias("lower"), F.sum("upper").alias("upper"), F.max(priority).alias("priority"))
    )
    counted = with_zero_targets(limits, area="output_area_id", categories=_COMPLETE, priority=PRIORITY)
    heads = areas.where(F.col("target_households") > 0).select(
        "output_area_id",
        F.lit(HEADS).alias("margin"),
        F.explode(F.array(*map(F.lit, HEAD_CATEGORIES))).alias("category"),
        F.lit(0.0).alias("lower"),
        F.col("target_households").alias("upper"),
        F.lit(HEADS_PRIORITY).alias("priority"),
    )
    return counted.unionByName(heads)


def with_kind(households: DataFrame) -> DataFrame:
    """Add `_kind`, one of `KINDS`.

    Args:
        households: rows of `form_households`, or silver.HOUSEHOLD.
    """
    is_register, has_bureau = F.col("household_source") == "register", F.col("bureau_members") > 0
    # Units are compared by hash, in fixed-width memory; of all units few hold households of both sources.
    unit = F.when(F.col("unit_id").isNotNull(), F.xxhash64("address_id", "unit_id"))
    of_both = (
        households.where(F.col("unit_id").isNotNull())
        .groupBy(unit.alias("_unit"))
        .agg(F.max(is_register).alias("_is_registered"), F.min(is_register).alias("_is_only_registered"))
        .where(F.col("_is_registered") & ~F.col("_is_only_registered"))
        .select("_unit", "_is_registered")
    )
    is_young = F.col("head_age_band") < _OLDER_AGE
    kind = (
        F.when(is_register & has_bureau, KINDS[0])
        .when(is_register, KINDS[1])
        .when(F.col("_is_registered"), KINDS[2])
        .when(F.col("unit_id").isNotNull(), KINDS[3])
        .when(is_young, KINDS[4])
        .otherwise(KINDS[5])
    )
    return (
        join_to_one(households.withColumn("_unit", unit), of_both, on=["_unit"], how="left", broadcast=True)
        .withColumn("_kind", kind)
        .drop("_unit", "_is_registered")
    )


def with_base_weight(households: DataFrame, *, areas: DataFrame) -> DataFrame:
    """Add `_base`: share of the household's kind that exists, scaled to the target of the output area.

    Args:
        households: rows of `form_households`, or silver.HOUSEHOLD.
        areas: rows of `output_areas`, or silver.OUTPUT_AREA.

    Returns:
        The same rows with `_base`; 0 for group quarters and where no households are expected.
    """
    is_private = ~F.col("is_group_quarters") & F.col("output_area_id").isNotNull()
    of_kinds = households.transform(with_kind)
    counted = (
        of_kinds.where(is_private)
        .groupBy("output_area_id")
        .agg(*(F.count_if(F.col("_kind") == kind).cast("double").alias(kind) for kind in KINDS))
    )
    targets = areas.where(F.col("target_households") > 0).select("output_area_id", "target_households")
    joined = join_to_one(counted, targets, on=["output_area_id"], how="inner")
    shares = existence_shares(joined)
    expected = sum((F.col(kind) * F.col(f"share_{kind}") for kind in KINDS), F.lit(0.0))
    per_area = (
        joined.crossJoin(F.broadcast(shares))
        .withColumn("_scale", F.try_divide("target_households", expected))
        .select(
            "output_area_id",
            F.create_map(*(part for kind in KINDS for part in (F.lit(kind), F.col(f"share_{kind}") * F.col("_scale")))).alias(
                "_bases"
            ),
        )
    )
    base = F.when(is_private, F.coalesce(F.element_at("_bases", F.col("_kind")), F.lit(0.0))).otherwise(F.lit(0.0))
    return (
        join_to_one(of_kinds, per_area, on=["output_area_id"], how="left", broadcast=True)
        .withColumn("_base", base)
        .drop("_bases", "_kind")
    )


def existence_shares(areas: DataFrame) -> DataFrame:
    """Which share of each kind of formed household exists, from the number of households the census counts.

    Non-negative least squares over output areas, weighted by 1 / households (Lawson & Hanson 1974), drawn a little to 1.

    Args:
        areas: one row per output area: target_households, and the number of formed households of each of `KINDS`.

    Returns:
        One row: share_<kind>, between 0.02 and 1 relative to the largest.
    """
    weight = F.lit(1.0) / F.col("target_households")
    moments = areas.agg(
        F.count(F.lit(1)).cast("double").alias("areas"),
        *(
            # Whole numbers: a sum of doubles would depend on the order of rows, and every weight on it.
            F.sum(F.rint(F.col(left) * F.col(right) * weight * F.lit(_MOMENT_SCALE)).cast("bigint")).alias(f"{i}_{j}")
            for i, left in enumerate(KINDS)
            for j, right in enumerate((*KINDS, "target_households"))
        ),
    )
    schema = ", ".join(f"share_{kind} double" for kind in KINDS)
    return moments.mapInArrow(_solve_shares, schema)


def _solve_shares(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for row in batch.to_pylist():
            count = len(KINDS)
            moment = np.array([[row[f"{i}_{j}"] or 0 for j in range(count + 1)] for i in range(count)]) / _MOMENT_SCALE
            cross, with_target = moment[:, :count], moment[:, count]
            prior = np.diag(np.diag(cross) * _PRIOR_AREAS / max(row["areas"], 1.0) + 1e-9)
            # min |Ra - R^-T b| has the normal equations of the weighted problem.
            root = np.linalg.cholesky(cross + prior).T
            shares, _ = nnls(root, np.linalg.solve(root.T, with_target + prior @ np.ones(count)))
            shares = np.maximum(shares / max(shares.max(), 1e-9), _LEAST_SHARE)
            yield pa.RecordBatch.from_pydict({f"share_{kind}": [float(share)] for kind, share in zip(KINDS, shares, strict=True)})
