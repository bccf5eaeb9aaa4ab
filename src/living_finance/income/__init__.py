"""Income of households: what the bureau sees, an estimate of the rest, benchmarked to published means (gold.household).

`first_version.estimate_income` is the entry. Non-goals of this version: correction of the bureau's scores, area
effects, several draws, error of the estimates, benchmarks by group.
"""

from living_finance.income.first_version import IncomeFit, IncomeParameters, estimate_income

__all__ = ["IncomeFit", "IncomeParameters", "estimate_income"]
