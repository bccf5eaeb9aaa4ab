"""Income of households: scores corrected, other components modelled, benchmarked to published figures (gold.household).

`estimate.estimate_income` is the entry of the monthly step (decision 0021). The small-area estimators (`EmpiricalBestPredictor`,
`FayHerriot`, `benchmarked`) serve any survey and population. `first_version` is the baseline that benchmarks compare with.
"""

from living_finance.income.area_benchmark import benchmarked, ratio_benchmarked
from living_finance.income.empirical_best import EmpiricalBestPredictor
from living_finance.income.fay_herriot import FayHerriot
from living_finance.income.small_area_model import SmallAreaModel, mean_squared_errors
from living_finance.income.small_area_spark import area_errors, area_estimates, household_draws

__all__ = [
    "EmpiricalBestPredictor",
    "FayHerriot",
    "SmallAreaModel",
    "area_errors",
    "area_estimates",
    "benchmarked",
    "household_draws",
    "mean_squared_errors",
    "ratio_benchmarked",
]
