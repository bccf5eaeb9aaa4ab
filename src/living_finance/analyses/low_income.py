"""Low income and age groups (저소득·연령): relative poverty, and how far the city's benefits reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.analyses.households import (
    counted,
    head_groups,
    line_share,
    members_of,
    with_error_of_line,
    with_relative_income,
)
from living_finance.analyses.result import Estimator, finished, ratio_results, regions
from living_finance.methods.ratios import Ratio, mean

_COUNTS = ("children", "adults", "elderly")
ENTITLED: Mapping[str, str] = {
    "basic_pension": "elderly",
    "childcare_allowance": "children",
    "child_allowance": "children",
}
"""Programme → who is counted beside its recipients, as far as households carry it: members of 65 and over, members under
15. Allowances are for younger children than that, so their reach is understated by a constant of the age structure."""


def poverty_measures() -> Sequence[Ratio]:
    """Poverty of people, of the elderly and of children, and the gap of the poor."""
    relative = F.col("relative_income")
    gap = F.when(relative < 0.5, (F.lit(0.5) - F.greatest(relative, F.lit(0.0))) / F.lit(0.5))
    return (
        line_share("poverty_rate", below=0.5),
        line_share("poverty_rate_60", below=0.6),
        line_share("poverty_rate_elderly", below=0.5, count=F.col("elderly")),
        line_share("poverty_rate_children", below=0.5, count=F.col("children")),
        mean("poverty_gap", gap, unit="rate", count=F.col("household_size")),
    )


def low_income(
    *,
    household: DataFrame,
    household_members: DataFrame,
    benefit: DataFrame,
    region: str,
    estimate: Estimator = ratio_results,
) -> DataFrame:
    """Relative poverty by head's age, of one-person and lone-parent households, of the elderly and of children.

    Poor is whoever's equivalised income is below half (60 %) of the median of all members of the city's households;
    income is gross, so the rates are not those of disposable income. The gap is the mean shortfall of the poor as a
    share of the line, a negative income counting as zero. A lone parent is one member of 15 and over with children
    under 15. Benefit figures are recipients beside the weighted members in the age group of the programme: a reach
    above 1 or far below its neighbours says that people should receive who do not, or live where the register does
    not have them. A region with members of that age where nobody receives a programme that is paid elsewhere in the month has
    0 recipients. Programmes whose entitlement households do not carry have recipients only.

    Args:
        household: gold.household of one or several months, of the whole city.
        household_members: silver.household of the same months, for members by age.
        benefit: silver.benefit of the same months.
        region: see `finished`.
        estimate: of ratios, see `change.change_of`.

    Returns:
        RESULT; dimension `programme` for benefits: recipients and amounts are counts without error, reach has the error of the
        members it is divided by. `contributors` are recipients; where there are none, the households that members are of.
    """
    relative = counted(household).transform(with_relative_income).transform(with_error_of_line)
    people = members_of(relative, household_members, counts=_COUNTS)
    is_lone_parent = (F.col("adults") == 1) & (F.col("children") > 0)
    family = (
        F.when(is_lone_parent, F.lit("lone_parent"))
        .when(F.col("household_size") == 1, F.lit("one_person"))
        .when(F.col("elderly") == F.col("household_size"), F.lit("elderly_only"))
        .otherwise(F.lit("other"))
    )
    one_person_by_age = F.when(F.col("household_size") == 1, F.col("head_age_band").cast("string"))
    groups: dict[str, Column] = {**head_groups(), "family": family, "one_person_head_age": one_person_by_age}
    poverty = estimate(people, poverty_measures(), weight="weight", groups=groups)
    return finished(poverty.unionByName(_reach(people, benefit), allowMissingColumns=True), region=region)


def _reach(people: DataFrame, benefit: DataFrame) -> DataFrame:
    """Recipients, amount per recipient, and recipients by weighted members of the programme's age, by region.

    Members are their mean by household times households, and households are known (weights add up to them): the error of the
    reach is the reach times the relative error of that mean. A reach of 0 is 0 however many members there are: no error.
    """
    by = ["base_month", "region_level", "region_code", "category"]
    paid = (
        benefit.select("base_month", F.inline(regions()), F.col("programme").alias("category"), "recipients", "amount_krw")
        .groupBy(*by)
        .agg(F.sum("recipients").alias("recipients"), F.sum(F.col("amount_krw").cast("decimal(28,2)")).alias("amount"))
    )
    members = [mean(programme, F.col(counts), unit="persons") for programme, counts in ENTITLED.items()]
    entitled = ratio_results(people, members, weight="weight", groups={}).select(
        "base_month",
        "region_level",
        "region_code",
        F.col("statistic").alias("category"),
        (F.col("value") * F.col("population")).alias("entitled"),
        F.try_divide("standard_error", "value").alias("relative_error"),
        F.col("contributors").alias("households"),
    )
    # A programme without a row in the month has not been delivered: that nobody receives it is not known.
    delivered = benefit.select("base_month", F.col("programme").alias("category")).distinct()
    expected = entitled.where(F.col("entitled") > 0).join(F.broadcast(delivered), on=["base_month", "category"], how="left_semi")
    both = (
        paid.unionByName(expected, allowMissingColumns=True)  # a key is once in each
        .groupBy(*by)
        .agg(
            F.coalesce(F.max("recipients"), F.lit(0)).alias("recipients"),
            *(F.max(name).alias(name) for name in ("amount", "entitled", "relative_error", "households")),
        )
    )
    recipients = F.col("recipients").cast("double")
    reach = F.try_divide(recipients, F.col("entitled"))
    reach_error = F.when(F.col("recipients") > 0, reach * F.col("relative_error"))
    exact = F.lit(None).cast("double")
    statistics = F.array(
        *(
            F.struct(
                F.lit(name).alias("statistic"),
                F.lit(unit).alias("unit"),
                value.alias("value"),
                error.alias("standard_error"),
            )
            for name, unit, value, error in (
                ("recipients", "persons", recipients, exact),
                ("amount_per_recipient", "KRW/month", F.try_divide(F.col("amount").cast("double"), F.col("recipients")), exact),
                ("recipients_to_entitled", "rate", reach, reach_error),
            )
        )
    )
    return both.select(
        "base_month",
        "region_level",
        "region_code",
        F.lit("programme").alias("dimension"),
        "category",
        F.inline(statistics),
        F.coalesce("entitled", recipients).alias("population"),
        F.when(F.col("recipients") > 0, F.col("recipients")).otherwise(F.coalesce("households", F.lit(0))).alias("contributors"),
    ).where(F.col("value").isNotNull())
