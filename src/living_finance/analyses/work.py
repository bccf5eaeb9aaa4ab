"""Employment (고용): income by employment at home and at work, and where people live and work."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.analyses import households, persons
from living_finance.analyses.result import SEPARATOR, Estimator, finished, ratio_results
from living_finance.config import AnalysisSettings
from living_finance.methods.joins import join_to_one
from living_finance.methods.quantiles import weighted_quantiles
from living_finance.methods.ratios import Ratio, mean, share, total


def with_median_pay(people: DataFrame) -> DataFrame:
    """Adds `median_pay_krw_year`: of the city's employees with labour income; for these, missing for others."""
    is_paid = (F.col("employment") == "employee") & (F.col("labour_income_krw_year") > 0)
    paid = people.where(is_paid).withColumns({"_month": F.date_format("base_month", "yyyy-MM-dd")})
    medians = weighted_quantiles(
        paid, value="labour_income_krw_year", weight=persons.ONE, sets=[("_month",)], probabilities={"_median": 0.5}
    ).select(F.to_date("_month").alias("base_month"), "_median")
    joined = join_to_one(people, medians, on=["base_month"], how="left", broadcast=True)
    return joined.withColumns({"median_pay_krw_year": F.when(is_paid, F.col("_median"))}).drop("_median")


def is_low_paid(limit: float) -> Column:
    """Whether labour income is below `limit` times the median pay; missing where there is none (`with_median_pay`)."""
    return F.col("labour_income_krw_year") < F.lit(limit) * F.col("median_pay_krw_year")


def _people(placed_person: DataFrame, household: DataFrame, household_member: DataFrame) -> DataFrame:
    people = persons.counted(placed_person).transform(with_median_pay)
    return persons.with_household(people, household_member, households.counted(household))


def _measures(settings: AnalysisSettings) -> Sequence[Ratio]:
    is_employee, is_self_employed = F.col("employment") == "employee", F.col("employment") == "self_employed"
    return (
        total("persons", F.lit(1.0), unit="persons"),
        mean("mean_labour_business_income_krw_year", F.col("labour_business_income_krw_year"), unit="KRW/year"),
        mean("mean_labour_income_krw_year", F.col("labour_income_krw_year"), unit="KRW/year"),
        mean("mean_business_income_krw_year", F.col("business_income_krw_year"), unit="KRW/year"),
        share("employee_share", is_employee),
        share("self_employed_share", is_self_employed),
        share("low_pay_share", is_low_paid(settings.low_pay)),
        share("overdue_share", F.col("is_overdue")),
    )


def at_place(rows: DataFrame, place: str) -> DataFrame:
    """Dimensions named by the place that regions are of: `residence / sex`."""
    return rows.withColumns({"dimension": F.concat_ws(SEPARATOR, F.lit(place), F.col("dimension"))})


def employment(
    *,
    placed_person: DataFrame,
    household: DataFrame,
    household_member: DataFrame,
    region: str,
    settings: AnalysisSettings,
    estimate: Estimator = ratio_results,
) -> DataFrame:
    """Income by employment, sex and age of bureau persons, by where they live and by where they work.

    Low paid is an employee with labour income below two thirds (`low_pay`) of the median of such employees in the data: the
    OECD's incidence of low pay, but of the year's income, since hours are not known.

    Args:
        placed_person: silver.placed_person of one or several months.
        household: gold.household of the same months.
        household_member: gold.household_member of the same months.
        region: see `finished`.
        settings: `low_pay`.
        estimate: of ratios, see `change.change_of`.

    Returns:
        RESULT; dimensions begin with `residence` or `workplace`.
    """
    people = _people(placed_person, household, household_member)
    age = F.col("age_band").cast("string")
    groups = {
        "employment": F.col("employment"),
        "sex": F.col("sex"),
        "age_band": age,
        f"employment{SEPARATOR}age_band": F.concat_ws(SEPARATOR, "employment", age),
    }
    home, work = (
        estimate(people, _measures(settings), weight=persons.ONE, groups=groups, dong=dong, cluster=persons.CLUSTER)
        for dong in (persons.home_dong(), persons.work_dong())
    )
    is_trivial = F.col("dimension").contains("employment") & F.col("statistic").isin("employee_share", "self_employed_share")
    return finished(at_place(home, "residence").unionByName(at_place(work, "workplace")).where(~is_trivial), region=region)


def commuting(
    *,
    placed_person: DataFrame,
    household: DataFrame,
    household_member: DataFrame,
    region: str,
    settings: AnalysisSettings,
    estimate: Estimator = ratio_results,
) -> DataFrame:
    """Flows from residence to workplace between dongs, with income and low pay of those who make them.

    Args:
        placed_person: silver.placed_person of one or several months.
        household: gold.household of the same months.
        household_member: gold.household_member of the same months.
        region: see `finished`.
        settings: `low_pay`.
        estimate: of ratios, see `change.change_of`.

    Returns:
        RESULT. `workplace_dong`: of residents of the region, by dong of the workplace; `home_dong`: of those who work in
        the region, by dong of the home; `outside` and `unknown` where it is not a dong of Seoul. People without work
        are in neither.
    """
    people = _people(placed_person, household, household_member)
    workers = people.where(F.col("workplace") != "none")
    measures = [measure for measure in _measures(settings) if measure.name in _OF_FLOWS]
    to_work = _place(persons.work_dong(), is_outside=F.col("workplace") == "outside")
    from_home = _place(persons.home_dong(), is_outside=F.col("residence") == "outside")
    outward, inward = (
        estimate(workers, measures, weight=persons.ONE, groups={name: other}, dong=dong, cluster=persons.CLUSTER)
        for name, other, dong in (
            ("workplace_dong", to_work, persons.home_dong()),
            ("home_dong", from_home, persons.work_dong()),
        )
    )
    is_flow = F.col("dimension") != "all"
    return finished(outward.where(is_flow).unionByName(inward.where(is_flow)), region=region)


_OF_FLOWS = frozenset({"persons", "mean_labour_business_income_krw_year", "low_pay_share"})


def _place(dong: Column, *, is_outside: Column) -> Column:
    return F.coalesce(dong, F.when(is_outside, F.lit(persons.OUTSIDE)).otherwise(persons.UNKNOWN))
