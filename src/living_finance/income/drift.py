"""Whether a month still looks like the one a model was trained on: shares of households by input and by score, compared.

Source: population stability index, Siddiqi (2006), Credit Risk Scorecards, ch. 9: above 0.1 look, above 0.25 act.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts.silver import UNSEEN_BITS, UNSEEN_CLASSES
from living_finance.income.draws import WEIGHT_UNITS
from living_finance.income.value_benchmark import Profile, bin_of

Shares = Mapping[str, Mapping[str, float]]
"""Name → class → share of the households."""
_INCOME_LIMITS = (5e6, 1e7, 2e7, 3e7, 4e7, 5e7, 6e7, 8e7, 1e8, 1.5e8, 2e8)
_SPENDING_LIMITS = (5e5, 1e6, 1.5e6, 2e6, 3e6, 4e6, 6e6)
_MOST_PERSONS = 3
_LEAST_SHARE = 1e-4


def _classes() -> dict[str, Column]:
    def earned(kind: str) -> Column:
        return F.aggregate("_earners", F.lit(0).cast("bigint"), lambda total, earner: total + earner[kind])

    def limit(amount: Column, limits: Sequence[float] = _INCOME_LIMITS) -> Column:
        reached = (F.when(amount >= F.lit(value), 1).otherwise(0) for value in limits)
        return sum(reached, F.when(amount > 0, 1).otherwise(0))

    def persons(number: Column | str) -> Column:
        return F.least(number, F.lit(_MOST_PERSONS))

    packed, mask = F.col("unseen_adults").cast("bigint"), F.lit(2**UNSEEN_BITS - 1)
    unseen = functools.reduce(
        operator.add, (F.shiftright(packed, UNSEEN_BITS * k).bitwiseAND(mask) for k in range(len(UNSEEN_CLASSES)))
    )

    columns = {
        "head_age": F.col("head_age_band"),
        "household_size": F.least("household_size", F.lit(5)),
        "tenure": F.col("tenure"),
        "dwelling_type": F.col("dwelling_type"),
        "household_type": F.col("household_type"),
        "bureau_members": persons("bureau_members"),
        "unseen_adults": persons(unseen),
        "children": persons("children"),
        "elderly": persons("elderly"),
        "labour_score": limit(earned("labour")),
        "business_score": limit(earned("business")),
        "spending": limit(F.col("bureau_spending_krw_month"), _SPENDING_LIMITS),
        "place": F.floor(F.greatest(F.least(F.col("_place"), F.lit(0.5)), F.lit(-0.5)) * 10),
    }
    return {name: column.cast("string") for name, column in columns.items()}


def input_shares(households: DataFrame) -> Shares:
    """Weighted shares of a month's households by what the model reads of each; survey and benefits are not among it.

    Args:
        households: of the month, columns `evidence.NEEDED`.
    """
    lines = F.array(*(F.struct(F.lit(name).alias("name"), column.alias("class")) for name, column in _classes().items()))
    weight = F.rint(F.col("weight") * F.lit(float(WEIGHT_UNITS))).cast("bigint")
    sums = (
        households.where("weight > 0")
        .select(weight.alias("_weight"), F.explode(lines).alias("_line"))
        .groupBy("_line.name", "_line.class")
        .agg(F.sum("_weight").alias("weight"))
        .orderBy("name", "class")
        .collect()  # ok: some sixty classes
    )
    found: dict[str, dict[str, float]] = {}
    for row in sums:
        found.setdefault(row["name"], {})[str(row["class"])] = float(row["weight"])
    return {name: _rounded(of) for name, of in found.items()}


def _rounded(of: Mapping[str, float]) -> dict[str, float]:
    """Shares to one in ten thousand: no class is told that holds a household or two."""
    total = max(sum(of.values()), 1e-300)
    return {key: round(weight / total, 4) for key, weight in of.items()}


def score_shares(profile: Profile) -> Mapping[str, float]:
    """Shares of households by total income before benchmarking, from the profile of the first draw."""
    number = profile[:, :, 0].sum(axis=0)
    limits = bin_of(np.array(_INCOME_LIMITS))
    of_class = np.bincount(np.searchsorted(limits, np.arange(number.size), side="right"), weights=number)
    return _rounded({str(k): float(value) for k, value in enumerate(of_class)})


def stability(now: Mapping[str, float], then: Mapping[str, float]) -> float:
    """Population stability index of two distributions; classes that one lacks count as one in ten thousand.

    >>> round(stability({"a": 0.5, "b": 0.5}, {"a": 0.4, "b": 0.6}), 3)
    0.041
    """
    pairs = [(max(now.get(k, 0.0), _LEAST_SHARE), max(then.get(k, 0.0), _LEAST_SHARE)) for k in {*now, *then}]
    return float(sum((p - q) * np.log(p / q) for p, q in sorted(pairs)))
