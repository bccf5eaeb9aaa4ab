"""How far a published mean can be off: standard error, error with the benchmark's, coefficient of variation, class.

Of groups within regions (gold.household_breakdown): the error of a sample drawn with replacement with the weights given, and of
the published mean the incomes were adjusted to. It leaves out the model of unseen income, who was put together in a household,
and what bureau and register miss. Regions as a whole have the income model's own error (silver.area_income).
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from living_finance.contracts.codes import CAUTION_CV, PUBLISHABLE_CV


def standard_error(*, squares: Column, rows: Column, weight: Column) -> Column:
    """Linearised standard error of a weighted mean, as if rows were drawn with replacement.

    sqrt(n / (n - 1) × Σ w² (x - mean)²) / Σ w; missing for a single row.

    Args:
        squares: Σ w² (x - mean)².
        rows: n.
        weight: Σ w.

    Source: Särndal, Swensson & Wretman (1992), Model Assisted Survey Sampling, sections 2.9 and 5.5-5.6.
    """
    is_defined = rows > 1
    return F.when(is_defined, F.try_divide(F.sqrt(squares * F.try_divide(rows.cast("double"), rows - 1)), weight))


def root_mean_squared_error(*, standard_error: Column, mean: Column, benchmark_rse: float | None) -> Column:
    """The standard error joined by that of the published mean all incomes were scaled to.

    Args:
        standard_error: of the mean; missing stays missing.
        mean: estimated.
        benchmark_rse: relative standard error of the benchmark; None where incomes were not adjusted to one.
    """
    common = mean * F.lit(benchmark_rse or 0.0)
    return F.sqrt(standard_error * standard_error + common * common)


def coefficient_of_variation(*, error: Column, mean: Column) -> Column:
    """Error relative to the mean; missing where the mean is not positive."""
    return F.when(mean > 0, error / mean)


def reliability(cv: Column) -> Column:
    """Class of a coefficient of variation; a missing one is unreliable."""
    is_publishable, is_usable = cv <= PUBLISHABLE_CV, cv <= CAUTION_CV
    return F.when(is_publishable, F.lit("publishable")).when(is_usable, F.lit("caution")).otherwise(F.lit("unreliable"))
