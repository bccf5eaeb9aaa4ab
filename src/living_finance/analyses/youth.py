"""Youth (청년, 20–34 as the bands are): income, debt, independence, and who an allowance could reach."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.analyses import households, persons
from living_finance.analyses.result import Estimator, finished, ratio_results
from living_finance.config import AnalysisSettings
from living_finance.methods.ratios import mean, share, total

YOUNGEST, OLDEST = 20, 34
_BAND = 5


def is_of_age(oldest: int) -> Column:
    """Whether somebody's band of five years is inside 20 to `oldest`."""
    return F.col("age_band").between(YOUNGEST, oldest - _BAND + 1)


def is_candidate(income_limit: float) -> Column:
    """Without work, in a household whose equivalised income is below so many times the city's median; missing without one."""
    is_poor_enough = F.col("relative_income") < income_limit
    return F.when(F.col("relative_income").isNotNull(), (F.col("employment") == "none") & is_poor_enough)


def youth(
    *,
    placed_person: DataFrame,
    household: DataFrame,
    household_member: DataFrame,
    region: str,
    settings: AnalysisSettings,
    estimate: Estimator = ratio_results,
) -> DataFrame:
    """Income, debt and independence of bureau residents of 20 to 34, and candidates for a youth allowance.

    Independent: in a household whose head is under 40 (the head's age is known in bands of ten years). A candidate has
    no work and lives in a household whose equivalised income is below `youth_income_limit` times the city's median: a
    proxy of the programme's rule, which goes by health-insurance contributions. People without a known address
    count in income and debt only.

    Args:
        placed_person: silver.placed_person of one or several months.
        household: gold.household of the same months, of the whole city.
        household_member: gold.household_member of the same months.
        region: of residence; see `finished`.
        settings: `youth_income_limit`.
        estimate: of ratios, see `change.change_of`.

    Returns:
        RESULT, of bureau persons.
    """
    homes = households.counted(household).transform(households.with_relative_income)
    young = persons.counted(placed_person.where(is_of_age(OLDEST)))
    people = persons.with_household(
        young, household_member, homes, columns=("head_age_band", "relative_income", "household_size")
    )
    has_home = F.col("relative_income").isNotNull()
    candidate = is_candidate(settings.youth_income_limit)
    measures = (
        total("persons", F.lit(1.0), unit="persons"),
        mean("mean_labour_business_income_krw_year", F.col("labour_business_income_krw_year"), unit="KRW/year"),
        mean("mean_debt_krw", F.col("debt_krw"), unit="KRW"),
        share("share_with_debt", F.col("debt_krw") > 0),
        share("share_with_jeonse_loan", F.col("jeonse_loan_balance_krw") > 0),
        share("overdue_share", F.col("is_overdue")),
        share("employed_share", F.col("employment") != "none"),
        share("independent_share", F.when(has_home, F.col("head_age_band") < 40)),
        share("lives_alone_share", F.when(has_home, F.col("household_size") == 1)),
        share("poverty_share", F.when(has_home, F.col("relative_income") < 0.5)),
        total("allowance_candidates", F.when(candidate, 1.0), unit="persons"),
        share("allowance_candidate_share", candidate),
    )
    groups = {
        "sex": F.col("sex"),
        "age_band": F.col("age_band").cast("string"),
        "employment": F.col("employment"),
    }
    rows = estimate(people, measures, weight=persons.ONE, groups=groups, dong=persons.home_dong(), cluster=persons.CLUSTER)
    return finished(rows, region=region)
