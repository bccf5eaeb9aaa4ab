"""Household balance (가계수지): what is left of income after spending."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.analyses.households import counted, head_groups, with_income_quintile
from living_finance.analyses.result import Estimator, finished, ratio_results
from living_finance.contracts import gold
from living_finance.methods.ratios import Ratio, mean, ratio, share

_MONTHS = 12


def balance_measures() -> Sequence[Ratio]:
    """Surplus, deficit share, spending to income; income is gross, of a twelfth of the year."""
    income, spending = F.col(gold.TOTAL_INCOME) / _MONTHS, F.col("spending_krw_month")
    return (
        mean("mean_income_krw_month", income, unit="KRW/month"),
        mean("mean_spending_krw_month", spending, unit="KRW/month"),
        mean("mean_surplus_krw_month", income - spending, unit="KRW/month"),
        ratio("surplus_rate", income - spending, income),
        ratio("spending_to_income", spending, income),
        share("deficit_share", spending > income),
    )


def household_balance(*, household: DataFrame, region: str, estimate: Estimator = ratio_results) -> DataFrame:
    """Surplus, deficit share and spending to income of households.

    Income is before tax and contributions, and spending leaves interest out: the surplus is larger than that of
    disposable income, which Statistics Korea publishes as 흑자율. Rates are of sums (Σ spending / Σ income); a deficit is a
    household that spends more than a twelfth of its annual income.

    Args:
        household: gold.household of one or several months.
        region: see `finished`.
        estimate: of ratios, see `change.change_of`.

    Returns:
        RESULT by head's age, sex, household type, size, tenure, dwelling, and the city's income quintile.
    """
    frame = counted(household).transform(with_income_quintile)
    groups = {**head_groups(), "income_quintile": F.col("income_quintile")}
    return finished(estimate(frame, balance_measures(), weight="weight", groups=groups), region=region)
