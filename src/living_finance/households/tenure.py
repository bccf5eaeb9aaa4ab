"""Tenure, first version: loans tell, the rest is drawn from what the census leaves."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import codes
from living_finance.methods.census import expected_count
from living_finance.methods.joins import join_to_one
from living_finance.methods.keyed_random import uniform

_TENURES = codes.TENURE.codes
_EQUAL_SHARES = (0.25, 0.5, 0.75)


def observed_tenure() -> Column:
    """What a loan says: a mortgage `owned`, else a jeonse loan `jeonse`, else unknown."""
    return F.when(F.col("bureau_mortgage_balance_krw") > 0, "owned").when(F.col("bureau_jeonse_loan_balance_krw") > 0, "jeonse")


def draw_tenure(formed: DataFrame, *, margins: DataFrame, seed: int) -> DataFrame:
    """Add `tenure`: observed by a loan, else drawn so that the output area's margin is met in expectation.

    The margin of an output area is scaled to its formed private households; what the loans have not used up of
    it (not below 0) is shared among the others by a random number of the household. Where an area leaves
    nothing or the census lacks it, the same shares of its district are used, and without those equal ones.

    Args:
        formed: rows of `form_households`.
        margins: silver.CENSUS_MARGIN of the month; masked counts stand for their middle.
        seed: the run's seed. A household with the same id draws the same number every month.

    Returns:
        The same rows with `tenure`.
    """
    counts = expected_count()
    census = (
        margins.where(F.col("margin") == "tenure")
        .groupBy("output_area_id")
        .agg(*(F.sum(F.when(F.col("category") == tenure, counts).otherwise(0.0)).alias(tenure) for tenure in _TENURES))
    )
    is_private = ~F.col("is_group_quarters")
    observed = observed_tenure()
    known = (
        formed.where(is_private & F.col("output_area_id").isNotNull())
        .groupBy("output_area_id")
        .agg(
            F.max("gu_code").alias("gu_code"),
            F.count(F.lit(1)).cast("double").alias("_formed"),
            *(F.count_if(observed == tenure).cast("double").alias(f"_known_{tenure}") for tenure in _TENURES),
        )
    )
    areas = known.join(census, on="output_area_id", how="inner")
    sums = ("_formed", *_TENURES, *(f"_known_{tenure}" for tenure in _TENURES))
    districts = areas.groupBy("gu_code").agg(*(F.sum(name).alias(name) for name in sums))
    # At most 19,000 and 25 rows for the city: sent to every task.
    by_area = areas.select("output_area_id", _cumulative_shares().alias("_area_shares"))
    by_district = districts.select("gu_code", _cumulative_shares().alias("_district_shares"))
    shares = F.coalesce("_area_shares", "_district_shares", F.array(*(F.lit(share) for share in _EQUAL_SHARES)))
    return (
        formed.transform(_with_shares, by_area, "output_area_id")
        .transform(_with_shares, by_district, "gu_code")
        .withColumn("tenure", F.coalesce(observed, _drawn(uniform(F.col("household_id"), seed=seed, purpose="tenure"), shares)))
        .drop("_area_shares", "_district_shares")
    )


def _with_shares(formed: DataFrame, shares: DataFrame, key: str) -> DataFrame:
    return join_to_one(formed, shares, on=[key], how="left", broadcast=True)


def _cumulative_shares() -> Column:
    """Upper bounds of the first three tenures among households without a loan; missing where nothing is left."""
    total = _sum({tenure: F.col(tenure) for tenure in _TENURES})
    left = {
        tenure: F.greatest(
            F.coalesce(F.try_divide(F.col(tenure) * F.col("_formed"), total), F.lit(0.0)) - F.col(f"_known_{tenure}"), F.lit(0.0)
        )
        for tenure in _TENURES
    }
    all_left = _sum(left)
    bounds = [_sum({t: left[t] for t in _TENURES[: count + 1]}) / all_left for count in range(len(_TENURES) - 1)]
    return F.when(all_left > 0, F.array(*bounds))


def _sum(parts: Mapping[str, Column]) -> Column:
    first, *others = parts.values()
    for other in others:
        first = first + other
    return first


def _drawn(number: Column, bounds: Column) -> Column:
    first, second, third, last = _TENURES
    return F.when(number < bounds[0], first).when(number < bounds[1], second).when(number < bounds[2], third).otherwise(last)
