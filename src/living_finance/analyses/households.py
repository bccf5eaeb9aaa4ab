"""Households as the analyses see them: weighted, with their income per equivalent adult, beside everybody's median."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import gold
from living_finance.methods.exact_sums import exact_sum
from living_finance.methods.joins import join_to_one
from living_finance.methods.quantiles import weighted_quantiles
from living_finance.methods.ratios import Ratio, Shift, share

LARGEST_SIZE = 7
QUINTILES = 5
_QUARTILES = {"_q25": 0.25, "_q50": 0.5, "_q75": 0.75}
_RULE_OF_THUMB = 1.37
"""Half width of the window that a density is counted in: interquartile range × n^(-1/5) × 0.79 (Silverman 1986, Density
Estimation for Statistics and Data Analysis, equation 3.30) × 1.74 from a Gaussian to a uniform kernel (Marron & Nolan
1988, Canonical kernels for density estimation, Statistics & Probability Letters 7(3), 195-199)."""
_FIXED = 2.0**20


def counted(household: DataFrame) -> DataFrame:
    """Private households with a weight, and their equivalised income: income / √size, negative as it is.

    `person_weight` is weight × size, by which equivalised incomes are weighted.
    """
    equivalised = F.col(gold.TOTAL_INCOME) / F.sqrt(F.col("household_size").cast("double"))
    return household.where(F.col("weight") > 0).withColumns(
        {"equivalised_income_krw_year": equivalised, "person_weight": F.col("weight") * F.col("household_size")}
    )


def head_groups() -> Mapping[str, Column]:
    """The groups most analyses show: head's age and sex, type, size, tenure, dwelling."""
    size = F.col("household_size")
    return {
        "head_age_band": F.col("head_age_band").cast("string"),
        "head_sex": F.col("head_sex"),
        "household_type": F.col("household_type"),
        "household_size": F.when(size >= LARGEST_SIZE, F.lit(f"{LARGEST_SIZE}_plus")).otherwise(size.cast("string")),
        "tenure": F.col("tenure"),
        "dwelling_type": F.col("dwelling_type"),
    }


def with_income_quintile(households: DataFrame) -> DataFrame:
    """Adds `income_quintile`, `1` (lowest) to `5`: the city's weighted quintiles of the month's total income."""
    limits = {f"_limit_{rank}": rank / QUINTILES for rank in range(1, QUINTILES)}
    by_month = _monthly_quantiles(households, value=gold.TOTAL_INCOME, weight="weight", probabilities=limits)
    joined = join_to_one(households, by_month, on=["base_month"], how="left", broadcast=True)
    above = [F.when(F.col(gold.TOTAL_INCOME) > F.col(name), 1).otherwise(0) for name in limits]
    return joined.withColumns({"income_quintile": sum(above, start=F.lit(1)).cast("string")}).drop(*limits)


def with_relative_income(households: DataFrame) -> DataFrame:
    """Adds the income relative to the median of all members of the city's households.

    Args:
        households: as `counted`, of the whole city: the median is everybody's, whatever region is looked at.

    Returns:
        The rows with `relative_income` (1 = the month's median equivalised income) and the quartiles it rests on.
    """
    months = _monthly_quantiles(households, value="equivalised_income_krw_year", weight="person_weight", probabilities=_QUARTILES)
    joined = join_to_one(households, months, on=["base_month"], how="left", broadcast=True)
    relative = F.try_divide(F.col("equivalised_income_krw_year"), F.when(F.col("_q50") > 0, F.col("_q50")))
    return joined.withColumns({"relative_income": relative})


def with_error_of_line(households: DataFrame) -> DataFrame:
    """Adds how sure the median is that relative incomes are multiples of: what errors of `line_share` need.

    Args:
        households: as `with_relative_income`, of the whole city.
    """
    size = F.col("household_size").cast("double")
    below = F.when(F.col("relative_income") <= 1.0, F.lit(1.0)).otherwise(0.0)
    rows = households.withColumns({"_half": size * (below - F.lit(0.5))})
    w = F.col("person_weight")
    spread = F.try_divide(F.col("_q75") - F.col("_q25"), F.when(F.col("_q50") > 0, F.col("_q50")))
    totals = rows.groupBy("base_month", spread.alias("_spread")).agg(
        exact_sum(w, parts=_FIXED).alias("_members"),
        exact_sum(w * w, parts=_FIXED).alias("_member_squares"),
        exact_sum(F.pow(F.col("weight") * F.col("_half"), 2.0), parts=_FIXED).alias("_median_squares"),
    )
    effective = F.col("_members") * F.col("_members") / F.col("_member_squares")
    width = F.lit(_RULE_OF_THUMB) * F.col("_spread") * F.pow(effective, F.lit(-0.2))
    months_width = totals.select("base_month", "_members", "_median_squares", width.alias("_width"))
    rows = join_to_one(rows, months_width, on=["base_month"], how="left", broadcast=True)
    is_near = F.abs(F.col("relative_income") - 1.0) < F.col("_width")
    near = exact_sum(F.when(is_near, w).otherwise(0.0), parts=_FIXED)
    # The density at the median, and with it how much each household moves the median, relative to it.
    factors = rows.groupBy("base_month", "_width").agg(near.alias("_near"))
    factor = F.coalesce(F.try_divide(F.lit(2.0) * F.col("_width"), F.when(F.col("_near") > 0, F.col("_near"))), F.lit(0.0))
    return join_to_one(
        rows, factors.select("base_month", factor.alias("_median_factor")), on=["base_month"], how="left", broadcast=True
    )


def line_share(name: str, *, above: float | None = None, below: float | None = None, count: Column | None = None) -> Ratio:
    """The share of members whose relative income is from `above` to `below`.

    A lower end is inside. An upper end is inside where there is a lower end too (the middle class), else not (the
    poor are below their line). The error holds that of the median, which the ends are multiples of, and needs
    `with_error_of_line`.

    Args:
        name: of the statistic.
        above: lower end, in medians; None: none.
        below: upper end, in medians; None: none.
        count: members of a household that count; household_size unless given.
    """
    relative, width = F.col("relative_income"), F.col("_width")
    counts = F.col("household_size") if count is None else count
    is_inside = F.lit(True)
    density = F.lit(0.0)
    if above is not None:
        is_inside = is_inside & (relative >= above)
        density = density - _window(relative, above, width)
    if below is not None:
        is_inside = is_inside & (relative < below if above is None else relative <= below)
        density = density + _window(relative, below, width)
    plain = share(name, is_inside, count=counts)
    shift = Shift(
        density=F.coalesce(density, F.lit(0.0)) * counts,
        half=F.col("_half"),
        factor=F.col("_median_factor"),
        squares=F.col("_median_squares"),
    )
    return Ratio(name=plain.name, numerator=plain.numerator, denominator=plain.denominator, unit="share", shift=shift)


def _window(relative: Column, line: float, width: Column) -> Column:
    """Share of a row in the slope of the distribution at the line, in the line's logarithm."""
    is_near = F.abs(relative - F.lit(line)) < width
    return F.when(is_near, F.lit(line) / (F.lit(2.0) * width)).otherwise(0.0)


def _monthly_quantiles(households: DataFrame, *, value: str, weight: str, probabilities: Mapping[str, float]) -> DataFrame:
    """One row per month."""
    keyed = households.withColumns({"_month": F.date_format("base_month", "yyyy-MM-dd")})
    found = weighted_quantiles(keyed, value=value, weight=weight, sets=[("_month",)], probabilities=probabilities)
    return found.select(F.to_date("_month").alias("base_month"), *probabilities)


def members_of(household: DataFrame, formed: DataFrame, *, counts: Sequence[str]) -> DataFrame:
    """The households of gold with counts of members that only silver.household holds."""
    keys = ["base_month", "household_id"]
    return join_to_one(household, formed.select(*keys, *counts), on=keys, how="left")
