"""Polarisation and inequality (양극화·불평등): how incomes are spread, within and between districts, and the middle class."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.analyses.households import counted, line_share, with_error_of_line, with_relative_income
from living_finance.analyses.result import finished, ratio_results, regions
from living_finance.contracts import codes
from living_finance.methods.distribution import distribution, theil_decomposition, theil_parts
from living_finance.methods.grouped import WEIGHT_SCALE
from living_finance.methods.ratios import Ratio

_CELLS = ("base_month", "region_level", "region_code")
_VALUE = "equivalised_income_krw_year"


def class_measures() -> Sequence[Ratio]:
    """Shares of people by income in terms of the city's median: the middle class in Korean and in OECD practice."""
    return (
        line_share("poverty_rate", below=0.5),
        line_share("middle_50_150", above=0.5, below=1.5),
        line_share("middle_75_200", above=0.75, below=2.0),
        line_share("share_above_200", above=2.0),
    )


def inequality(*, household: DataFrame, region: str) -> DataFrame:
    """Inequality, polarisation, Lorenz curve and middle class of equivalised income, weighted by household members.

    Theil's index of a city is split into what is within and between its districts and its dongs, a district's
    into what is within and between its dongs. The middle class is measured by the city's median in every region, so
    that the shares of districts can be compared.

    Args:
        household: gold.household of one or several months, of the whole city.
        region: see `finished`.

    Returns:
        RESULT for everybody in each region; `theil_within_` and `theil_between_` rows have no standard error.
    """
    people = counted(household)
    places = people.select("base_month", F.inline(regions()), _VALUE, "person_weight")
    spread = distribution(places, cells=_CELLS, value=_VALUE, weight="person_weight")
    placed = people.transform(with_relative_income).transform(with_error_of_line)
    classes = ratio_results(placed, class_measures(), weight="weight", groups={})
    everybody = {"dimension": F.lit(codes.ALL), "category": F.lit(codes.ALL)}
    rows = spread.withColumns(everybody).unionByName(_decomposed(people).withColumns(everybody)).unionByName(classes)
    return finished(rows, region=region)


def _decomposed(people: DataFrame) -> DataFrame:
    """Theil's index within and between: the city by district and by dong, each district by dong."""
    dongs = theil_parts(people, cells=["base_month", "dong_code"], value=_VALUE, weight="person_weight")
    totals = [F.sum(name).alias(name) for name in ("_w", "_y", "_t", "_n")]
    gu = F.substring("dong_code", 1, 5).alias("gu_code")
    parts = {
        ("city", "gu"): dongs.groupBy("base_month", gu).agg(*totals).withColumn("_whole", F.substring("gu_code", 1, 2)),
        ("city", "dong"): dongs.withColumn("_whole", F.substring("dong_code", 1, 2)),
        ("gu", "dong"): dongs.withColumn("_whole", F.substring("dong_code", 1, 5)),
    }
    rows = None
    for (level, part), frame in parts.items():
        by = ["base_month", "_whole"]
        split = theil_decomposition(frame, by=by)
        sizes = frame.groupBy(*by).agg((F.sum("_w") / F.lit(WEIGHT_SCALE)).alias("population"), F.sum("_n").alias("contributors"))
        statistics = F.array(
            *(
                F.struct(F.lit(f"theil_{which}_{part}").alias("statistic"), F.col(which).alias("value"))
                for which in ("within", "between")
            )
        )
        long = split.join(sizes, on=by, how="inner").select(
            "base_month",
            F.lit(level).alias("region_level"),
            F.col("_whole").alias("region_code"),
            F.inline(statistics),
            F.lit("index").alias("unit"),
            F.lit(None).cast("double").alias("standard_error"),
            "population",
            "contributors",
        )
        rows = long if rows is None else rows.unionByName(long)
    if rows is None:
        raise ValueError("no parts")
    return rows
