"""How a month's householding went, in figures that a person compares from month to month."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.contracts.gold import HOUSEHOLD_EVIDENCE

_MET_WITHIN = 0.5
"""Households or persons by which a margin may be missed and still count as met."""


def householding_metrics(
    *, members: DataFrame, areas: DataFrame, targets: DataFrame, coverage: DataFrame, accuracy: DataFrame
) -> dict[str, float]:
    """Evidence and certainty of the assignments, fit of the weights to the census, coverage of the sources.

    Args:
        members: gold.HOUSEHOLD_MEMBER of the month.
        areas: silver.OUTPUT_AREA of the month.
        targets: silver.CALIBRATION_TARGET of the month.
        coverage: gold.COVERAGE of the month.
        accuracy: one row (`Householding.accuracy`).

    Returns:
        Figures by name: persons; mean_assignment_probability and share_<evidence> of them; target, formed and weighted
        households; share of areas that converged; by margin the share of its targets met within half a household
        (masked ones: within their limits) and the mean miss; <source>_to_census of all persons; what `accuracy` has.
    """
    people = members.agg(
        F.count(F.lit(1)).cast("double").alias("persons"),
        F.avg("assignment_probability").alias("mean_assignment_probability"),
        *(
            F.avg((F.col("assignment_evidence") == evidence).cast("double")).alias(f"share_{evidence}")
            for evidence in HOUSEHOLD_EVIDENCE.codes
        ),
    )
    households = areas.agg(
        *(F.sum(name).cast("double").alias(name) for name in ("target_households", "formed_households", "weighted_households")),
        F.avg(F.col("is_converged").cast("double")).alias("share_areas_converged"),
    )
    sources = ("bureau", "register", "weighted")
    covered = coverage.agg(
        *(F.try_divide(F.sum(f"{name}_persons"), F.sum("census_persons")).alias(f"{name}_to_census") for name in sources)
    )
    missed = F.abs("gap")
    margins = targets.groupBy("margin").agg(
        F.avg((missed <= _MET_WITHIN).cast("double")).alias("met"), F.avg(missed).alias("miss")
    )
    found: dict[str, float | None] = {}
    for frame in (people, households, covered, accuracy):
        row = frame.first()
        found |= row.asDict() if row else {}
    for row in margins.collect():  # ok: one row per margin
        found |= {f"met_{row['margin']}": row["met"], f"mean_miss_{row['margin']}": row["miss"]}
    return {name: float(value) for name, value in sorted(found.items()) if value is not None}
