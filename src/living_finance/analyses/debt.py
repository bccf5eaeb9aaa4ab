"""Household debt (가계부채): burden, arrears, high risk, what a rise of interest would do, and how the proxies matter.

The data hold no assets, no purpose and no rate of a loan. Three proxies stand for them, with their sources in
`config.AnalysisSettings` (conf/local.yaml): debt above assets is debt above a number of years' income; a livelihood
loan is an unsecured loan of a household whose spending and debt service exceed its income; a rise of interest
reaches a share of each loan type's balance. `debt_sensitivity` moves each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.analyses.households import counted, head_groups, with_income_quintile
from living_finance.analyses.result import Estimator, finished, ratio_results
from living_finance.config import AnalysisSettings, RepricingShare
from living_finance.contracts import gold, silver
from living_finance.methods.joins import join_to_one
from living_finance.methods.ratios import Ratio, mean, ratio, share

LOANS: Mapping[str, str] = {
    "mortgage": "mortgage_balance_krw",
    "jeonse": "jeonse_loan_balance_krw",
    "credit": "credit_loan_balance_krw",
    "business": "business_loan_balance_krw",
}
"""Loan type in settings and statistics → balance."""

_SUMMED = (*silver.BALANCE_COLUMNS, "overdue_balance_krw", "repayment_krw_month")


def with_loans(household: DataFrame, household_member: DataFrame, placed_person: DataFrame) -> DataFrame:
    """Weighted households with the balances, arrears and repayments of their bureau members, 0 where there are none.

    Adds `has_debt_count` (1 for a household with debt, else 0), which shares of debtors count by.
    """
    keys = ["base_month", "household_id"]
    members = household_member.select("base_month", "person_id", "household_id")
    owed = placed_person.select("base_month", "person_id", *_SUMMED)
    sums = join_to_one(members, owed, on=["base_month", "person_id"], how="inner").groupBy(*keys)
    # Balances are delivered in won: whole numbers add up exactly in any order.
    loans = sums.agg(*(F.sum(F.rint(name).cast("bigint")).alias(name) for name in _SUMMED))
    joined = join_to_one(counted(household), loans, on=keys, how="left")
    filled = {name: F.coalesce(F.col(name), F.lit(0)) for name in _SUMMED}
    return joined.withColumns({**filled, "has_debt_count": (F.col("debt_krw") > 0).cast("int")})


def exceeds_service(limit: float, *, extra: Column | None = None) -> Column:
    """Whether debt service is more than `limit` of income; any service is, of an income that is not positive."""
    service = F.col("repayment_krw_month") * 12 + (F.lit(0.0) if extra is None else extra)
    return (service > 0) & (service > F.lit(limit) * F.col(gold.TOTAL_INCOME))


def exceeds_assets(years: float) -> Column:
    """The proxy for debt above assets: debt above `years` of income."""
    return (F.col("debt_krw") > 0) & (F.col("debt_krw") > F.lit(years) * F.col(gold.TOTAL_INCOME))


def has_livelihood_loan() -> Column:
    """The proxy for a livelihood loan: an unsecured loan where spending and debt service exceed income."""
    needs = (F.col("spending_krw_month") + F.col("repayment_krw_month")) * 12
    return (F.col("credit_loan_balance_krw") > 0) & (needs > F.col(gold.TOTAL_INCOME))


def debt_measures(settings: AnalysisSettings) -> Sequence[Ratio]:
    """Burden, arrears and risk; shares `_of_debtors` are of households with debt, the others of all."""
    debtors = F.col("has_debt_count")
    income = F.col(gold.TOTAL_INCOME)
    is_high_risk = exceeds_service(settings.high_risk_service) & exceeds_assets(settings.asset_years_of_income)
    return (
        share("share_with_debt", debtors > 0),
        mean("mean_debt_krw", F.col("debt_krw"), unit="KRW"),
        mean("mean_debt_of_debtors_krw", F.col("debt_krw"), unit="KRW", count=debtors),
        *(mean(f"mean_{balance}", F.col(balance), unit="KRW") for balance in LOANS.values()),
        ratio("debt_to_income", F.col("debt_krw"), income),
        ratio("debt_service_to_income", F.col("repayment_krw_month") * 12, income),
        share("high_service_share_of_debtors", exceeds_service(settings.high_risk_service), count=debtors),
        share("overdue_share", F.col("overdue_balance_krw") > 0),
        share("overdue_share_of_debtors", F.col("overdue_balance_krw") > 0, count=debtors),
        share("livelihood_loan_share", has_livelihood_loan()),
        share("high_risk_share_of_debtors", is_high_risk, count=debtors),
    )


def household_debt(
    *,
    household: DataFrame,
    household_member: DataFrame,
    placed_person: DataFrame,
    region: str,
    settings: AnalysisSettings,
    estimate: Estimator = ratio_results,
) -> DataFrame:
    """Debt to income, debt service, livelihood loans, arrears and high-risk households.

    Ratios are of sums. Debt and debt service are of bureau members: households without any have none.

    Args:
        household: gold.household of one or several months.
        household_member: gold.household_member of the same months.
        placed_person: silver.placed_person of the same months.
        region: see `finished`.
        settings: the proxies.
        estimate: of ratios, see `change.change_of`.

    Returns:
        RESULT by head's characteristics and the city's income quintile.
    """
    frame = with_loans(household, household_member, placed_person).transform(with_income_quintile)
    groups = {**head_groups(), "income_quintile": F.col("income_quintile")}
    return finished(estimate(frame, debt_measures(settings), weight="weight", groups=groups), region=region)


def interest_rate_rise(
    *,
    household: DataFrame,
    household_member: DataFrame,
    placed_person: DataFrame,
    region: str,
    settings: AnalysisSettings,
    estimate: Estimator = ratio_results,
) -> DataFrame:
    """What a rise of interest would add to debt service, by income quintile and loan type.

    Extra interest of a year = balance × share that reprices × rise, for each loan type; principal, income and behaviour stay.

    Args:
        household: gold.household of one or several months.
        household_member: gold.household_member of the same months.
        placed_person: silver.placed_person of the same months.
        region: see `finished`.
        settings: `rate_rises`, `repricing_share`, `high_risk_service`.
        estimate: of ratios, see `change.change_of`.

    Returns:
        RESULT by income quintile and tenure; `_50bp` in a statistic's name is half a point.
    """
    frame = with_loans(household, household_member, placed_person).transform(with_income_quintile)
    measures = [measure for rise in settings.rate_rises for measure in _rise_measures(rise, settings)]
    groups = {"income_quintile": F.col("income_quintile"), "tenure": F.col("tenure")}
    return finished(estimate(frame, measures, weight="weight", groups=groups), region=region)


def _extra_interest(rise: float, shares: RepricingShare) -> Mapping[str, Column]:
    """Loan type → extra interest of a year in won."""
    return {loan: F.col(balance) * F.lit(rise * getattr(shares, loan)) for loan, balance in LOANS.items()}


def _rise_of_service(rise: float, whole: Column, *, limit: float, scenario: str = "") -> Sequence[Ratio]:
    """What extra interest of all loans does to debt service."""
    points = f"{_points(rise)}{scenario}"
    is_pushed_over = exceeds_service(limit, extra=whole) & ~exceeds_service(limit)
    return (
        ratio(f"rise_of_debt_service_to_income_{points}", whole, F.col(gold.TOTAL_INCOME)),
        share(f"pushed_over_limit_share_of_debtors_{points}", is_pushed_over, count=F.col("has_debt_count")),
    )


def _points(rise: float) -> str:
    return f"{round(rise * 10_000)}bp"


def _rise_measures(rise: float, settings: AnalysisSettings) -> Sequence[Ratio]:
    points = _points(rise)
    debtors = F.col("has_debt_count")
    extra = _extra_interest(rise, settings.repricing_share)
    whole = sum(extra.values(), start=F.lit(0.0))
    service = F.col("repayment_krw_month") * 12 + whole
    by_loan = [
        mean(f"extra_interest_{loan}_{points}_krw_year", added, unit="KRW/year", count=debtors) for loan, added in extra.items()
    ]
    return (
        mean(f"extra_interest_{points}_krw_year", whole, unit="KRW/year", count=debtors),
        *by_loan,
        ratio(f"debt_service_to_income_{points}", service, F.col(gold.TOTAL_INCOME)),
        *_rise_of_service(rise, whole, limit=settings.high_risk_service),
    )


def debt_sensitivity(
    *,
    household: DataFrame,
    household_member: DataFrame,
    placed_person: DataFrame,
    region: str,
    settings: AnalysisSettings,
    estimate: Estimator = ratio_results,
) -> DataFrame:
    """How the high-risk and livelihood-loan figures and the effect of a rise of interest move with the proxies they rest on.

    Args:
        household: gold.household of one or several months.
        household_member: gold.household_member of the same months.
        placed_person: silver.placed_person of the same months.
        region: see `finished`.
        settings: the proxies in use, and the values to try.
        estimate: of ratios, see `change.change_of`.

    Returns:
        RESULT for everybody: high-risk share of debtors for each limit of debt service × years of income; livelihood loans by
        definition: in deficit (in use), in the city's two lowest income quintiles, either; for each rise of interest, what it
        adds to debt service and whom it pushes over the limit, by the share of every balance that reprices, and by the shares
        in use.
    """
    frame = with_loans(household, household_member, placed_person).transform(with_income_quintile)
    debtors = F.col("has_debt_count")
    high_risk = [
        share(
            f"high_risk_share_of_debtors (service > {limit:.0%}, debt > {years:g} years)",
            exceeds_service(limit) & exceeds_assets(years),
            count=debtors,
        )
        for limit in sorted({*settings.service_limits_to_try, settings.high_risk_service})
        for years in sorted({*settings.asset_years_to_try, settings.asset_years_of_income})
    ]
    has_credit, is_low = F.col("credit_loan_balance_krw") > 0, F.col("income_quintile").isin("1", "2")
    livelihood = [
        share("livelihood_loan_share (in deficit)", has_livelihood_loan()),
        share("livelihood_loan_share (two lowest quintiles)", has_credit & is_low),
        share("livelihood_loan_share (either)", has_livelihood_loan() | (has_credit & is_low)),
    ]
    repricing = {"in use": settings.repricing_share} | {
        f"{tried:.0%}": RepricingShare(**dict.fromkeys(LOANS, tried)) for tried in sorted({*settings.repricing_shares_to_try})
    }
    rises = [
        measure
        for rise in settings.rate_rises
        for name, shares in repricing.items()
        for measure in _rise_of_service(
            rise,
            sum(_extra_interest(rise, shares).values(), start=F.lit(0.0)),
            limit=settings.high_risk_service,
            scenario=f" (repricing {name})",
        )
    ]
    return finished(estimate(frame, [*high_risk, *livelihood, *rises], weight="weight", groups={}), region=region)
