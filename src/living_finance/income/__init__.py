"""Income of households: what the bureau sees, an estimate of the rest, benchmarked to published means (gold.household).

`first_version.estimate_income` is the entry of the monthly step. Non-goals of this version: correction of the bureau's
scores, area effects, several draws, error of the estimates, benchmarks by group. The small-area estimators
(`EmpiricalBestPredictor`, `FayHerriot`, `benchmarked`) serve any survey and population; the monthly step does not use
them yet.
"""

from living_finance.income.area_benchmark import benchmarked, ratio_benchmarked
from living_finance.income.empirical_best import EmpiricalBestPredictor
from living_finance.income.fay_herriot import FayHerriot
from living_finance.income.first_version import IncomeFit, IncomeParameters, estimate_income
from living_finance.income.small_area_model import SmallAreaModel, mean_squared_errors
from living_finance.income.small_area_spark import area_errors, area_estimates, household_draws

__all__ = [
    "EmpiricalBestPredictor",
    "FayHerriot",
    "IncomeFit",
    "IncomeParameters",
    "SmallAreaModel",
    "area_errors",
    "area_estimates",
    "benchmarked",
    "estimate_income",
    "household_draws",
    "mean_squared_errors",
    "ratio_benchmarked",
]
