"""Self-employed and small business (자영업·소상공인): business income, debt and arrears, by place and by what is done there."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.analyses import households, persons
from living_finance.analyses.result import Estimator, finished, ratio_results
from living_finance.analyses.work import at_place
from living_finance.methods.ratios import mean, ratio, share, total


def small_business(
    *,
    placed_person: DataFrame,
    establishment: DataFrame,
    household: DataFrame,
    household_member: DataFrame,
    region: str,
    estimate: Estimator = ratio_results,
) -> DataFrame:
    """Business income, business loans and arrears of the self-employed, by home and by workplace.

    Persons have no industry: `industry_at_work` is that of the building they work in (see `persons`). Business income is the
    bureau's score, which understates it; losses stay.

    Args:
        placed_person: silver.placed_person of one or several months.
        establishment: silver.establishment of the same months.
        household: gold.household of the same months.
        household_member: gold.household_member of the same months.
        region: see `finished`.
        estimate: of ratios, see `change.change_of`.

    Returns:
        RESULT; dimensions begin with `residence` or `workplace`.
    """
    is_self_employed = F.col("employment") == "self_employed"
    own = persons.with_industry_at_work(persons.counted(placed_person.where(is_self_employed)), establishment)
    people = persons.with_household(own, household_member, households.counted(household))
    income, loan = F.col("business_income_krw_year"), F.col("business_loan_balance_krw")
    measures = (
        total("persons", F.lit(1.0), unit="persons"),
        mean("mean_business_income_krw_year", income, unit="KRW/year"),
        share("loss_share", income < 0),
        mean("mean_business_loan_balance_krw", loan, unit="KRW"),
        share("share_with_business_loan", loan > 0),
        ratio("business_loan_to_income", loan, F.col("labour_business_income_krw_year")),
        mean("mean_debt_krw", F.col("debt_krw"), unit="KRW"),
        share("overdue_share", F.col("is_overdue")),
        mean("mean_overdue_balance_krw", F.col("overdue_balance_krw"), unit="KRW"),
    )
    groups = {
        "industry_at_work": F.col("industry_at_work"),
        "sex": F.col("sex"),
        "age_band": F.col("age_band").cast("string"),
    }
    home, work = (
        estimate(people, measures, weight=persons.ONE, groups=groups, dong=dong, cluster=persons.CLUSTER)
        for dong in (persons.home_dong(), persons.work_dong())
    )
    return finished(at_place(home, "residence").unionByName(at_place(work, "workplace")), region=region)
