"""Vulnerable groups (취약계층) by region × job × age, ranked with intervals, and the jobs within their reach."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from living_finance.analyses import households, persons
from living_finance.analyses.result import CELL, SEPARATOR, Estimator, finished, ratio_results
from living_finance.config import AnalysisSettings
from living_finance.methods.ratios import share, total

_RANKED = "poverty_share"
_COUNT = "persons"
_MISS = 0.05
"""Chance that any of the intervals of a ranking misses."""
_GRID_M = 250.0
_KEY = ("base_month", "region_level", "dimension")


def vulnerable_groups(
    *,
    placed_person: DataFrame,
    household: DataFrame,
    household_member: DataFrame,
    establishment: DataFrame,
    region: str,
    settings: AnalysisSettings,
    estimate: Estimator = ratio_results,
) -> DataFrame:
    """Poverty and arrears of bureau residents by region × employment × age and × industry at work × age, ranked.

    Groups are ranked by the share who live in a poor household (equivalised income below half the city's median), 1 the
    poorest, among all groups of the level and dimension. Shares have Wilson intervals that hold all at once with 95 %
    (Bonferroni) and are wider where several of a group live together; a group's rank is between 1 + the groups that are surely
    poorer and the number of groups less those that are surely not. Groups of fewer than `smallest_ranked_group` persons have
    no rank.

    Args:
        placed_person: silver.placed_person of one or several months.
        household: gold.household of the same months, of the whole city.
        household_member: gold.household_member of the same months.
        establishment: silver.establishment of the same months.
        region: of residence; see `finished`. Ranks are among the whole city's groups.
        settings: `smallest_ranked_group`.
        estimate: of ratios, see `change.change_of`.

    Returns:
        RESULT; `rank`, `rank_low` and `rank_high` have no standard error.

    Source: Klein, Wright & Wieczorek (2020), A joint confidence region for an overall ranking of populations, JRSS C
    69(3), 589-606; Wilson (1927), Probable inference, JASA 22(158), 209-212.
    """
    homes = households.counted(household).transform(households.with_relative_income)
    people = persons.with_household(persons.counted(placed_person), household_member, homes, columns=("relative_income",))
    people = persons.with_industry_at_work(people.where(F.col("relative_income").isNotNull()), establishment)
    age = _age_group(F.col("age_band"))
    groups = {
        f"employment{SEPARATOR}age": F.concat_ws(SEPARATOR, "employment", age),
        f"industry_at_work{SEPARATOR}age": F.concat_ws(SEPARATOR, F.coalesce("industry_at_work", F.lit("no_workplace")), age),
    }
    measures = (
        total(_COUNT, F.lit(1.0), unit="persons"),
        share(_RANKED, F.col("relative_income") < 0.5),
        share("overdue_share", F.col("is_overdue")),
    )
    rows = estimate(people, measures, weight=persons.ONE, groups=groups, dong=persons.home_dong(), cluster=persons.CLUSTER)
    is_ranked = (F.col("dimension") != "all") & (F.col("contributors") >= settings.smallest_ranked_group)
    return finished(rows.unionByName(ranks_of(rows.where(is_ranked)), allowMissingColumns=True), region=region)


def _age_group(band: Column) -> Column:
    """Four ages, as policies are cut: youth, middle, late working life, 65 and over."""
    return (
        F.when(band >= 65, F.lit("65+"))
        .when(band >= 50, F.lit("50-64"))
        .when(band >= 35, F.lit("35-49"))
        .otherwise(F.lit("15-34"))
    )


def ranks_of(rows: DataFrame) -> DataFrame:
    """Rank and its interval of each group among those of its month, level and dimension.

    A household is poor or not as a whole, so that its persons count as one: an interval is that of (Σ m)² / Σ m² persons, m
    the group's persons of a household. Source: Kish (1965), Survey Sampling, section 5.4, with a correlation of 1; Korn &
    Graubard (1998), Confidence intervals for proportions with small expected number of positive counts estimated from survey
    data, Survey Methodology 24(2), 193-201.

    Args:
        rows: estimates of the groups that are ranked. The error of a count is √(Σ m²).
    """
    is_share = F.col("statistic") == _RANKED
    effective = F.pow(F.col("value") / F.col("standard_error"), F.lit(2.0))
    shares = rows.groupBy(*CELL).agg(
        *(F.max(F.when(is_share, F.col(name))).alias(name) for name in ("value", "population", "contributors")),
        F.max(F.when(F.col("statistic") == _COUNT, effective)).alias("_n"),
    )
    level = Window.partitionBy(*_KEY).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    z = _normal_quantile(F.lit(_MISS / 2.0) / F.col("_groups"))
    n, p = F.col("_n"), F.col("value")
    z2 = F.col("_z") * F.col("_z")
    centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n)
    reach = F.col("_z") / (1.0 + z2 / n) * F.sqrt(p * (1.0 - p) / n + z2 / (4.0 * n * n))
    groups = (
        shares.withColumns({"_groups": F.count(F.lit(1)).over(level)})
        .withColumns({"_z": z})
        .withColumns({"_low": centre - reach, "_high": centre + reach})
    )
    others = groups.select(
        *_KEY, F.col("value").alias("_other"), F.col("_low").alias("_other_low"), F.col("_high").alias("_other_high")
    )
    # Some thousand groups a level: all pairs of one level and dimension are some ten million comparisons.
    paired = groups.join(F.broadcast(others), on=list(_KEY), how="inner")
    counted = paired.groupBy(*CELL, "population", "contributors", "_groups").agg(
        F.count_if(F.col("_other") > F.col("value")).alias("_higher"),
        F.count_if(F.col("_other_low") > F.col("_high")).alias("_surely_higher"),
        F.count_if(F.col("_other_high") < F.col("_low")).alias("_surely_lower"),
    )
    rank = {
        "rank": F.col("_higher") + 1,
        "rank_low": F.col("_surely_higher") + 1,
        "rank_high": F.col("_groups") - F.col("_surely_lower"),
    }
    structs = (F.struct(F.lit(name).alias("statistic"), value.cast("double").alias("value")) for name, value in rank.items())
    return counted.select(
        *CELL,
        F.inline(F.array(*structs)),
        F.lit("rank").alias("unit"),
        F.lit(None).cast("double").alias("standard_error"),
        "population",
        "contributors",
    )


def _normal_quantile(tail: Column) -> Column:
    """Upper quantile of the normal distribution, to 4.5e-4. Source: Abramowitz & Stegun (1964), formula 26.2.23."""
    t = F.sqrt(F.lit(-2.0) * F.log(tail))
    above = F.lit(2.515517) + t * (F.lit(0.802853) + t * F.lit(0.010328))
    below = F.lit(1.0) + t * (F.lit(1.432788) + t * (F.lit(0.189269) + t * F.lit(0.001308)))
    return t - above / below


def jobs_in_reach(*, establishment: DataFrame, building: DataFrame, region: str, settings: AnalysisSettings) -> DataFrame:
    """Establishments and jobs within reach of each dong, by industry.

    Reach is a straight line of `reach_m` from the mean place of the dong's residential buildings (every dwelling type but
    `non_residential`); establishments are put to the middle of a grid cell of 250 m (EPSG:5179). An establishment whose
    building is not in the list is left out.

    Args:
        establishment: silver.establishment of one or several months.
        building: silver.building of the same months.
        region: see `finished`.
        settings: `reach_m`.

    Returns:
        RESULT of dongs; values are counts without error. A dong without a residential building has none.
    """
    where = building.select("base_month", "address_id", "x", "y")
    is_residential = F.col("dwelling_type") != "non_residential"
    centres = (
        building.where(is_residential)
        .groupBy("base_month", "dong_code")
        .agg(*((F.sum(F.rint(name).cast("bigint")) / F.count(F.lit(1))).alias(f"_{name}") for name in ("x", "y")))
    )
    middle = {f"_at_{name}": (F.floor(F.col(name) / _GRID_M) + 0.5) * _GRID_M for name in ("x", "y")}
    cells = (
        establishment.select("base_month", "address_id", "industry", "workers")
        .join(where, on=["base_month", "address_id"], how="inner")  # address_id is the key of buildings
        .groupBy("base_month", "industry", *(column.alias(name) for name, column in middle.items()))
        .agg(F.count(F.lit(1)).alias("establishments"), F.sum("workers").alias("jobs"))
    )
    distance = F.sqrt(F.pow(F.col("_x") - F.col("_at_x"), 2.0) + F.pow(F.col("_y") - F.col("_at_y"), 2.0))
    near = cells.join(F.broadcast(centres), on=["base_month"], how="inner").where(distance <= settings.reach_m)
    of = F.array(
        F.struct(F.lit("all").alias("dimension"), F.lit("all").alias("category")),
        F.struct(F.lit("industry").alias("dimension"), F.col("industry").alias("category")),
    )
    counted = (
        near.select("base_month", "dong_code", F.inline(of), "establishments", "jobs")
        .groupBy(
            "base_month", F.lit("dong").alias("region_level"), F.col("dong_code").alias("region_code"), "dimension", "category"
        )
        .agg(F.sum("establishments").alias("_establishments"), F.sum("jobs").alias("_jobs"))
    )
    statistics = F.array(
        *(
            F.struct(
                F.lit(f"{name}_within_reach").alias("statistic"),
                F.lit(name).alias("unit"),
                F.col(f"_{name}").cast("double").alias("value"),
            )
            for name in ("establishments", "jobs")
        )
    )
    rows = counted.select(
        *CELL,
        F.inline(statistics),
        F.lit(None).cast("double").alias("standard_error"),
        F.col("_establishments").cast("double").alias("population"),
        F.col("_establishments").alias("contributors"),
    )
    return finished(rows, region=region)
