"""What a month's quality is judged by: small aggregates of its tables, none larger than the regions and their groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import gold
from living_finance.contracts.core import Table
from living_finance.contracts.releases import DIMENSIONS
from living_finance.methods.exact_sums import exact_sum
from living_finance.methods.margins import is_margin
from living_finance.months import Month

SURVEY_MEASURES = (*gold.INCOME_COMPONENTS, "debt_krw", "spending_krw_month")
"""Of a surveyed household; total income is the sum of the first five."""
STATISTICS_COLUMNS = (
    "region_level",
    "region_code",
    "households",
    "households_unweighted",
    "mean_total_income_krw_year",
    *(f"{name}_total_income_krw_year" for name, _ in gold.QUANTILES),
    *(f"mean_{name}" for name in gold.INCOME_COMPONENTS),
    "mean_debt_krw",
    "share_with_debt",
    "mean_spending_krw_month",
    "gini_total_income",
    "rmse_mean_total_income_krw_year",
    "cv_mean_total_income",
    "reliability",
)

_PARTS = 2.0**16
"""Of a weighted household that sums keep: 2^47 households add up exactly."""


@dataclass(frozen=True)
class DeliveryFacts:
    """A delivery that a month is made from."""

    dataset: str
    month: Month
    number: int
    is_provisional: bool
    rows: Mapping[str, int]
    """Rows delivered, by table."""
    as_of: str = ""
    """Date of supply, `YYYY-MM-DD`."""


@dataclass(frozen=True)
class MonthFacts:
    """One month, as small frames; see the functions of this module for their columns."""

    month: Month
    deliveries: Mapping[str, DeliveryFacts]
    edits: pd.DataFrame
    coverage: pd.DataFrame
    """gold.coverage."""
    statistics: pd.DataFrame
    models: Mapping[str, str] = field(default_factory=dict)
    """Step → version of its model; `code` → version of the code."""


@dataclass(frozen=True)
class Evidence:
    """A month, the month before if there is one, and what only the month itself is judged by."""

    now: MonthFacts
    before: MonthFacts | None
    report: pd.DataFrame
    """gold.quality_report."""
    tenure: pd.DataFrame
    persons: pd.DataFrame
    areas: pd.DataFrame
    targets: pd.DataFrame
    survey: pd.DataFrame
    benchmarks: pd.DataFrame
    """silver.benchmark."""
    benefits: pd.DataFrame
    """silver.benefit."""
    moves: pd.DataFrame
    infants: pd.DataFrame
    deaths: pd.DataFrame
    regions: pd.DataFrame
    """silver.region: the dongs valid in the month."""
    products: pd.DataFrame
    """One row per table of PRODUCTS."""
    household: pd.DataFrame
    member: pd.DataFrame
    links: pd.DataFrame


MEAN_AMOUNTS = (gold.TOTAL_INCOME, *gold.INCOME_COMPONENTS, "debt_krw", "spending_krw_month")
"""Amounts of a household whose means are compared with published ones."""
PRODUCTS = (gold.HOUSEHOLD_STATISTICS, gold.HOUSEHOLD_BREAKDOWN, gold.PERSON_STATISTICS)
"""Published tables that are judged as a whole."""


def _counts_once(table: Table) -> Column:
    """Rows of a region in which everybody is counted once."""
    dimensions = DIMENSIONS[table.name]
    if "dimension" in table.column_names:
        return F.col("dimension") == dimensions[0]
    return is_margin(dimensions) & (F.col("place") == "residence" if "place" in table.column_names else F.lit(True))


def _keeps_checks(table: Table, *more: Column) -> Column:
    """Whether a row keeps the contract's checks, and more; a rule on a value that is missing is kept."""
    rules = [*(F.expr(sql) for sql in table.constraints().values()), *more]
    return reduce(Column.__and__, (F.coalesce(rule, F.lit(True)) for rule in rules), F.lit(True))


def product_facts(rows: DataFrame, table: Table) -> DataFrame:
    """One row on a published table of a month.

    Args:
        rows: of the month.
        table: of PRODUCTS.

    Returns:
        table; rows; keys (different ones); valid (rows that keep the contract's checks, quantiles in their order); final (rows
        that are not provisional; missing where none can be); dongs (that have rows); judged and publishable (rows of dongs with
        a class); of_districts and of_city (what is counted, over all cells); covered (what is counted in the city, once).
    """
    level = F.col("region_level")
    quantiles = [F.col(c) for c in (f"{name}_{gold.TOTAL_INCOME}" for name, _ in gold.QUANTILES) if c in table.column_names]
    is_valid = _keeps_checks(table, *(low <= high for low, high in pairwise(quantiles)))
    reliability = F.col("reliability") if "reliability" in table.column_names else F.lit(None).cast("string")
    is_judged = (level == "dong") & reliability.isNotNull()
    final = F.count_if(~F.col("is_provisional")) if "is_provisional" in table.column_names else F.lit(None)
    amount = F.col("persons" if "persons" in table.column_names else "households")
    return rows.agg(
        F.lit(table.qualified_name).alias("table"),
        F.count(F.lit(1)).alias("rows"),
        F.count_distinct(*(F.col(name) for name in table.key)).alias("keys"),
        F.count_if(is_valid).alias("valid"),
        final.cast("bigint").alias("final"),
        F.count_distinct(F.when(level == "dong", F.col("region_code"))).alias("dongs"),
        F.count_if(is_judged).alias("judged"),
        F.count_if(is_judged & (reliability == "publishable")).alias("publishable"),
        *(
            F.coalesce(exact_sum(F.when(of, amount), parts=_PARTS), F.lit(0.0)).alias(name)
            for name, of in (
                ("of_districts", level == "gu"),
                ("of_city", level == "city"),
                ("covered", (level == "city") & _counts_once(table)),
            )
        ),
    )


def household_facts(household: DataFrame) -> DataFrame:
    """One row on gold.household of a month.

    Returns:
        rows; placed (with output area and dwelling type); valid (that keep the contract's checks); final (not provisional);
        covered (sum of weights); the weighted mean of each of MEAN_AMOUNTS.
    """
    weight = exact_sum(F.col("weight"), parts=_PARTS)
    is_placed = F.col("output_area_id").isNotNull() & F.col("dwelling_type").isNotNull()
    return household.agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_if(is_placed).alias("placed"),
        F.count_if(_keeps_checks(gold.HOUSEHOLD)).alias("valid"),
        F.count_if(~F.col("is_provisional")).alias("final"),
        F.coalesce(weight, F.lit(0.0)).alias("covered"),
        *(F.try_divide(exact_sum(F.col("weight") * F.col(name), parts=1.0), weight).alias(name) for name in MEAN_AMOUNTS),
    )


def member_facts(members: DataFrame, placed_person: DataFrame) -> DataFrame:
    """One row on gold.household_member of a month.

    Args:
        members: of the month.
        placed_person: silver.placed_person of the month.

    Returns:
        rows; keys (different persons); valid (rows that keep the contract's checks); sure (sum of the probabilities of their
        assignments: how many are expected to be where they belong); residents (persons who belong into a household).
    """
    residents = placed_person.agg(F.count_if("has_household").alias("residents"))
    of_members = members.agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_distinct("person_id").alias("keys"),
        F.count_if(_keeps_checks(gold.HOUSEHOLD_MEMBER)).alias("valid"),
        F.coalesce(exact_sum(F.col("assignment_probability"), parts=_PARTS), F.lit(0.0)).alias("sure"),
    )
    return of_members.crossJoin(residents)  # one row each


def link_facts(household: DataFrame, members: DataFrame) -> DataFrame:
    """One row on how gold.household and gold.household_member of a month agree.

    Returns:
        households (different ones); agreeing (once there, with as many members as they say); linked (members of a household
        that is there once).
    """
    homes = household.select(
        "household_id", F.lit(1).alias("_home"), F.col("bureau_members").alias("_said"), F.lit(0).alias("_member")
    )
    persons = members.select("household_id", F.lit(0).alias("_home"), F.lit(0).alias("_said"), F.lit(1).alias("_member"))
    both = (
        homes.unionByName(persons)
        .groupBy("household_id")
        .agg(*(F.sum(name).alias(name) for name in ("_home", "_said", "_member")))
    )
    is_once = F.col("_home") == 1
    return both.agg(
        F.count_if(F.col("_home") > 0).alias("households"),
        F.count_if(is_once & (F.col("_said") == F.col("_member"))).alias("agreeing"),
        F.coalesce(F.sum(F.when(is_once, F.col("_member"))), F.lit(0)).alias("linked"),
    )


def edit_counts(report: DataFrame) -> DataFrame:
    """gold.edit_report of a month: table, gu_code, reason and counts of rows."""
    return report.select("table", "gu_code", "reason", *gold.EDIT_COUNTS)


def region_statistics(statistics: DataFrame) -> DataFrame:
    """Rows of gold.household_statistics of a month with every category `all`, above output areas."""
    is_whole = is_margin(DIMENSIONS["household_statistics"])
    return statistics.where((F.col("region_level") != "output_area") & is_whole).select(*STATISTICS_COLUMNS)


def city_tenure(breakdown: DataFrame) -> DataFrame:
    """category, households: the city's households by tenure, from gold.household_breakdown of a month."""
    of_city = (F.col("region_level") == "city") & (F.col("dimension") == "tenure")
    return breakdown.where(of_city).select("category", "households")


def region_persons(statistics: DataFrame) -> DataFrame:
    """Residents of city, districts and dongs in gold.person_statistics of a month: persons, mean earnings, debt, spending."""
    is_of_residents = is_margin(DIMENSIONS["person_statistics"]) & (F.col("place") == "residence")
    return statistics.where(is_of_residents & F.col("region_level").isin("city", "gu", "dong")).select(
        "region_level",
        "region_code",
        "persons",
        "mean_labour_business_income_krw_year",
        "mean_debt_krw",
        "mean_spending_krw_month",
    )


def dong_areas(areas: DataFrame) -> DataFrame:
    """One row per dong of silver.output_area of a month: households by source, areas, how many converged and met their target."""
    names = ("census_households", "register_households", "target_households", "formed_households", "weighted_households")
    is_met = F.abs(F.col("weighted_households") - F.col("target_households")) <= 0.5
    return areas.groupBy(F.substring("output_area_id", 1, 7).alias("dong_code")).agg(
        *(exact_sum(F.col(name), parts=1e6).alias(name) for name in names),
        F.count(F.lit(1)).alias("areas"),
        F.count_if("is_converged").alias("areas_converged"),
        F.count_if((F.col("formed_households") == 0) | is_met).alias("areas_met"),
    )


def margin_targets(targets: DataFrame) -> DataFrame:
    """margin, targets, kept: of silver.calibration_target of a month, how many there are and how many did not give way."""
    return targets.groupBy("margin").agg(F.count(F.lit(1)).alias("targets"), F.count_if(~F.col("is_relaxed")).alias("kept"))


def survey_sums(survey: DataFrame) -> DataFrame:
    """One row per district of silver.survey_household of a month.

    Returns:
        gu_code, surveyed; per measure of SURVEY_MEASURES and for `total` (households that answered all components), of those
        who answered: their number `n_…`, the sum of weights `w_…` and of weight × value `s_…`, and for errors the sums of
        weight² `ww_…`, of weight² × value `ws_…` and of (weight × value)² `ss_…`, values in million KRW.
    """
    total = F.col(gold.INCOME_COMPONENTS[0])
    for name in gold.INCOME_COMPONENTS[1:]:
        total = total + F.col(name)
    values: dict[str, Column] = {**{name: F.col(name) for name in SURVEY_MEASURES}, "total": total}
    weight = F.col("weight")
    sums = [
        expression
        for name, value in values.items()
        for expression in (
            exact_sum(F.when(value.isNotNull(), weight), parts=1e6).alias(f"w_{name}"),
            exact_sum(weight * value, parts=1.0).alias(f"s_{name}"),
            F.count(value).alias(f"n_{name}"),
            exact_sum(F.when(value.isNotNull(), weight * weight), parts=1e3).alias(f"ww_{name}"),
            exact_sum(weight * weight * value / 1e6, parts=1.0).alias(f"ws_{name}"),
            F.sum(((weight * value / 1e6) ** 2).cast("decimal(38,0)")).cast("double").alias(f"ss_{name}"),
        )
    ]
    return survey.groupBy("gu_code").agg(F.count(F.lit(1)).alias("surveyed"), *sums)


def dong_moves(lineage: DataFrame) -> DataFrame:
    """dong_code, event, observed: households of gold.household_lineage of a month that moved in or out, are new or ended."""
    is_elsewhere = (F.col("event") == "moved") & (F.col("dong_code") != F.col("previous_dong_code"))
    events = F.array(
        *(
            F.when(condition, F.struct(dong.alias("dong_code"), F.lit(event).alias("event")))
            for event, condition, dong in (
                ("moved_in", is_elsewhere, F.col("dong_code")),
                ("moved_out", is_elsewhere, F.col("previous_dong_code")),
                ("household_new", F.col("event") == "new", F.col("dong_code")),
                ("household_ended", F.col("event") == "ended", F.col("previous_dong_code")),
            )
        )
    )
    is_relevant = F.col("event").isin("moved", "new", "ended")
    found = lineage.where(is_relevant).select(F.inline(F.filter(events, lambda event: event.isNotNull())))
    return found.groupBy("dong_code", "event").agg(F.count(F.lit(1)).alias("observed"))


def dong_infants(register: DataFrame) -> DataFrame:
    """dong_code, observed: people of age 0 in silver.register_person of a month."""
    return register.where(F.col("age") == 0).groupBy("dong_code").agg(F.count(F.lit(1)).alias("observed"))


def dong_deaths(set_aside: DataFrame, *, delivered: DataFrame) -> DataFrame:
    """dong_code, observed: bureau persons removed as deceased, by the dong that was delivered for them.

    Args:
        set_aside: silver.set_aside of the month.
        delivered: bronze.bureau_persons of the delivery.
    """
    place = ("file_name", "row_number")
    is_death = (F.col("table_name") == "bureau_persons") & F.array_contains("reasons", "deceased:true")
    deaths = F.broadcast(set_aside.where(is_death).select(*place))
    rows = delivered.select(*place, F.col("home_dong").alias("dong_code")).join(deaths, on=list(place), how="left_semi")
    return rows.where(F.col("dong_code").isNotNull()).groupBy("dong_code").agg(F.count(F.lit(1)).alias("observed"))
