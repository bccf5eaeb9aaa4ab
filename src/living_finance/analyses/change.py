"""Change between two months (변화) and difference between an area and the whole, with the errors of the differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.analyses.balance import balance_measures
from living_finance.analyses.debt import debt_measures, with_loans
from living_finance.analyses.households import counted, members_of, with_relative_income
from living_finance.analyses.inequality import class_measures
from living_finance.analyses.low_income import poverty_measures
from living_finance.analyses.result import CELL, finished_difference, ratio_cells, regions
from living_finance.config import AnalysisSettings
from living_finance.contracts import gold
from living_finance.methods import ratios
from living_finance.methods.distribution import covariances, distribution
from living_finance.methods.joins import join_to_one
from living_finance.methods.ratios import Ratio, mean, share
from living_finance.months import Month

_REGION = ("region_level", "region_code")
_VALUE = "equivalised_income_krw_year"


def measures_compared() -> Sequence[Ratio]:
    """What change and comparison look at of households alone; lines are taken as given: errors have the units' own part only."""
    lines = (replace(measure, shift=None) for measure in class_measures())
    return (
        mean("mean_total_income_krw_year", F.col(gold.TOTAL_INCOME), unit="KRW/year"),
        mean("mean_debt_krw", F.col("debt_krw"), unit="KRW"),
        share("share_with_debt", F.col("debt_krw") > 0),
        *balance_measures(),
        *lines,
    )


def measures_changed(settings: AnalysisSettings) -> Sequence[Ratio]:
    """What change looks at: `measures_compared`, and those of debt and of low income, each once."""
    poverty = (replace(measure, shift=None) for measure in poverty_measures())
    measures = (*measures_compared(), *debt_measures(settings), *poverty)
    return tuple({measure.name: measure for measure in measures}.values())


def change(
    *,
    household: DataFrame,
    household_members: DataFrame,
    household_member: DataFrame,
    placed_person: DataFrame,
    building: DataFrame,
    region: str,
    month: Month,
    against: Month,
    settings: AnalysisSettings,
) -> DataFrame:
    """Change of household figures from `against` to `month`, on the later month's boundaries.

    Figures are those of income, balance, inequality, low income and debt; rates of members by age and loans by type among them.
    Households are mostly the same in both months, so the error of a change is far below that of two samples: it is
    sqrt(V₁ + V₂ - 2 C), C from the households that are in the region in both. Dongs that merged or split in between
    are compared on the later boundaries: a household of the earlier month counts in the dong that its building is in
    later, and in its own where the building is no longer listed. Each month's poverty line and middle class are by its
    own median, taken as given.

    Two months that are adjusted to the same year's published figures have the same mean income and spending in the city by
    construction: such a difference says nothing, and between areas only their shares of the city's total can move. A change of
    those levels is that between years.

    Args:
        household: gold.household of both months, of the whole city.
        household_members: silver.household of both months, for members by age.
        household_member: gold.household_member of both months.
        placed_person: silver.placed_person of both months, for loans by type, arrears and repayments.
        building: silver.building of the later month.
        region: see `finished`.
        month: the later month.
        against: the earlier month.
        settings: the proxies of debt.

    Returns:
        RESULT for everybody, base_month the later: value is later less earlier; a change of less than 1.96 standard errors is
        not `publishable`.
    """
    people = counted(_on_boundaries(household, building, month=month, against=against)).transform(with_relative_income)
    members = members_of(people, household_members, counts=("children", "elderly"))
    owing = with_loans(members, household_member, placed_person)
    ratios_changed = _ratio_change(owing, measures_changed(settings), month=month, against=against)
    rows = ratios_changed.unionByName(_distribution_change(people, month=month, against=against))
    return finished_difference(rows, region=region, dimension="change_since", category=F.lit(f"{against.date:%Y-%m}"))


def _on_boundaries(household: DataFrame, building: DataFrame, *, month: Month, against: Month) -> DataFrame:
    both = household.where(F.col("base_month").isin(month.date, against.date))
    later = building.where(F.col("base_month") == F.lit(month.date)).select("address_id", F.col("dong_code").alias("_dong"))
    placed = join_to_one(both, later, on=["address_id"], how="left")
    is_earlier = F.col("base_month") == F.lit(against.date)
    dong = F.when(is_earlier, F.coalesce("_dong", "dong_code")).otherwise(F.col("dong_code"))
    return placed.withColumns({"dong_code": dong, "gu_code": F.substring(dong, 1, 5)}).drop("_dong")


def _ratio_change(people: DataFrame, measures: Sequence[Ratio], *, month: Month, against: Month) -> DataFrame:
    cells = ratio_cells(people, measures, weight="weight", groups={})
    found = ratios.estimates(cells, measures, by=CELL)
    return _differences(found, _ratio_covariances(people, cells, measures, month=month, against=against), month, against)


def _ratio_covariances(
    people: DataFrame, cells: DataFrame, measures: Sequence[Ratio], *, month: Month, against: Month
) -> DataFrame:
    """Covariance of each ratio between the months, by region."""
    later, earlier = (people.where(F.col("base_month") == F.lit(m.date)) for m in (month, against))
    keep = [F.col(name) for name in ("dong_code", "weight")]
    one, other = (
        ratios.unit_values(
            frame.select("*", *(column.alias(f"{name}{of}") for column, name in zip(keep, ("_dong", "_weight"), strict=True))),
            measures,
            keep=["household_id", f"_dong{of}", f"_weight{of}"],
            of=of,
        )
        for frame, of in ((later, "_one"), (earlier, "_other"))
    )
    pairs = join_to_one(one, other, on=["household_id"], how="inner")
    here, there = regions(dong=F.col("_dong_one")), regions(dong=F.col("_dong_other"))
    shared = F.array_intersect(here, there)
    values = [name for name in pairs.columns if name not in ("household_id", "_dong_one", "_dong_other")]
    by_region = pairs.select(F.inline(shared), *values)
    products = ratios.shared_sums(by_region, measures, weight="_weight", by=_REGION)
    totals = [name for number in range(len(measures)) for name in (f"_x_{number}", f"_y_{number}")]
    now = cells.where(F.col("base_month") == F.lit(month.date)).select(*_REGION, *totals)
    before = cells.where(F.col("base_month") == F.lit(against.date)).select(
        *_REGION, *(F.col(name).alias(f"{name}_before") for name in totals)
    )
    joined = join_to_one(join_to_one(products, now, on=_REGION, how="inner"), before, on=_REGION, how="inner")
    return ratios.covariances(joined, measures, keys=_REGION, of="_before", products=("xx", "xy", "yx", "yy"))


def _distribution_change(people: DataFrame, *, month: Month, against: Month) -> DataFrame:
    places = people.select("base_month", "household_id", F.inline(regions()), _VALUE, "person_weight")
    found = distribution(places, cells=["base_month", *_REGION], value=_VALUE, weight="person_weight")
    shared = covariances(places, cells=_REGION, value=_VALUE, weight="person_weight", unit="household_id", occasion="base_month")
    everybody = {"dimension": F.lit("all"), "category": F.lit("all")}
    return _differences(found.withColumns(everybody), shared, month, against)


def _differences(found: DataFrame, shared: DataFrame, month: Month, against: Month) -> DataFrame:
    """Later less earlier; without shared households the covariance is 0."""
    keys = [*CELL[1:], "statistic"]
    earlier = found.where(F.col("base_month") == F.lit(against.date)).select(
        *keys,
        F.col("value").alias("_value"),
        F.col("standard_error").alias("_error"),
        F.col("contributors").alias("_contributors"),
    )
    later = found.where(F.col("base_month") == F.lit(month.date))
    joined = join_to_one(join_to_one(later, earlier, on=keys, how="inner"), shared, on=[*_REGION, "statistic"], how="left")
    n = F.least("contributors", "_contributors").cast("double")
    together = F.coalesce(F.col("covariance") * F.try_divide(n, n - 1), F.lit(0.0))
    own = F.col("standard_error") * F.col("standard_error") + F.col("_error") * F.col("_error")
    return joined.withColumns(
        {
            "value": F.col("value") - F.col("_value"),
            "standard_error": F.sqrt(F.greatest(own - F.lit(2.0) * together, F.lit(0.0))),
            "contributors": F.least("contributors", "_contributors"),
        }
    ).drop("_value", "_error", "_contributors", "covariance")
