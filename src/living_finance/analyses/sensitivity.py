"""Sensitivity (민감도) of figures of work, youth and reach to the limits they are stated with; debt has its own."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.analyses import households, persons
from living_finance.analyses.result import Estimator, finished, ratio_results
from living_finance.analyses.vulnerable import jobs_in_reach
from living_finance.analyses.work import is_low_paid, with_median_pay
from living_finance.analyses.youth import OLDEST, is_candidate, is_of_age
from living_finance.config import AnalysisSettings
from living_finance.methods.ratios import share


def limit_sensitivity(
    *,
    placed_person: DataFrame,
    household: DataFrame,
    household_member: DataFrame,
    establishment: DataFrame,
    building: DataFrame,
    region: str,
    settings: AnalysisSettings,
    estimate: Estimator = ratio_results,
) -> DataFrame:
    """How low pay, candidates for a youth allowance and jobs within reach move with the limits that they rest on.

    Low pay is moved in its part of the median, youth in its oldest age and in the income of the household, reach in its distance.

    Args:
        placed_person: silver.placed_person of one or several months.
        household: gold.household of the same months, of the whole city.
        household_member: gold.household_member of the same months.
        establishment: silver.establishment of the same months.
        building: silver.building of the same months.
        region: see `finished`.
        settings: the limits in use, and the values to try.
        estimate: of ratios, see `change.change_of`.

    Returns:
        RESULT for everybody, of residents: low-pay share by limit, candidates by oldest age × income limit; establishments and
        jobs of dongs by distance, those of the distance in use without it in their name.
    """
    homes = households.counted(household).transform(households.with_relative_income)
    people = persons.counted(placed_person).transform(with_median_pay)
    people = persons.with_household(people, household_member, homes, columns=("relative_income",))
    pay = [
        share(f"low_pay_share (below {limit:.0%} of the median)", is_low_paid(limit))
        for limit in sorted({*settings.low_pay_to_try, settings.low_pay})
    ]
    candidates = [
        share(
            f"allowance_candidate_share (up to {oldest} years, income below {limit:.0%} of the median)",
            F.when(is_of_age(oldest), is_candidate(limit)),
        )
        for oldest in sorted({*settings.youth_oldest_to_try, OLDEST})
        for limit in sorted({*settings.youth_income_limits_to_try, settings.youth_income_limit})
    ]
    shares = estimate(
        people, [*pay, *candidates], weight=persons.ONE, groups={}, dong=persons.home_dong(), cluster=persons.CLUSTER
    )
    names = {settings.reach_m: "", **{r: f" ({r:g} m)" for r in settings.reaches_to_try_m if r != settings.reach_m}}
    reaches = []
    for reach, name in names.items():
        tried = settings.model_copy(update={"reach_m": reach})
        found = jobs_in_reach(establishment=establishment, building=building, region=region, settings=tried)
        everybody = found.where(F.col("dimension") == "all")
        reaches.append(everybody.withColumns({"statistic": F.concat("statistic", F.lit(name))}))
    reached = reduce(DataFrame.unionByName, reaches)
    return finished(shares, region=region).unionByName(reached, allowMissingColumns=True)
