"""Exact weighted quantiles of data that no single worker holds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from living_finance.contracts.codes import ALL
from living_finance.errors import ConfigurationError
from living_finance.methods.grouped import REACH_TOLERANCE, WEIGHT_SCALE

_BUCKETS_PER_UNIT_LOG = 200.0
"""About 140 buckets per doubling of the value: each is 0.5 % wide."""


def cube(columns: Sequence[str], *, always: Sequence[str] = ()) -> list[tuple[str, ...]]:
    """All subsets of `columns`, each after `always`, as grouping sets.

    >>> cube(["sex", "age"], always=["place"])
    [('place', 'sex', 'age'), ('place', 'sex'), ('place', 'age'), ('place',)]
    """
    sizes = range(len(columns), -1, -1)
    return [(*always, *subset) for size in sizes for subset in itertools.combinations(columns, size)]


def columns_of_sets(sets: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Columns named in any of the grouping sets, in order of appearance."""
    return tuple(dict.fromkeys(name for names in sets for name in names))


def fixed_weight(weight: Column) -> Column:
    """A weight in units of 2^-36, whose sums are exact in any order."""
    return F.rint(weight.cast("double") * F.lit(WEIGHT_SCALE)).cast("bigint")


def value_bucket(value: Column, *, per_unit_log: float = _BUCKETS_PER_UNIT_LOG) -> Column:
    """A whole number that never falls as the value rises, whatever its sign.

    Spark computes log1p with StrictMath, so a value is in the same bucket on every machine.
    """
    size = F.floor(F.log1p(F.abs(value)) * F.lit(per_unit_log))
    return F.when(value < 0, -size).otherwise(size).cast("int")


def weighted_quantiles(
    frame: DataFrame,
    *,
    value: str,
    weight: str,
    sets: Sequence[Sequence[str]],
    probabilities: Mapping[str, float],
) -> DataFrame:
    """Quantiles by group: the smallest value whose cumulative weight reaches p x total.

    Exact, and the same whatever the partitioning. The frame is read twice: a histogram over fixed buckets
    finds the bucket that holds each quantile, then only the values of those buckets are sorted. Weights are
    summed as whole units of 2^-36.

    Args:
        frame: any grain; rows without a value or with a weight that is missing or not positive are left out.
        value: numeric column.
        weight: numeric column; total weight of a group below 2^27.
        sets: grouping sets of text columns, `[()]` for everything together (see `cube`).
        probabilities: name of the result column → p in (0, 1].

    Returns:
        One row per set × combination of its columns that occurs: the columns of all sets (`all` where a set
        leaves one out) and one double per probability.

    Raises:
        ConfigurationError: a probability outside (0, 1].
    """
    if not all(0 < p <= 1 for p in probabilities.values()):
        raise ConfigurationError("A quantile's probability is not in (0, 1].", remedy="p = 0.5 is the median")
    names = columns_of_sets(sets)
    has_value = F.col(value).isNotNull() & (fixed_weight(F.col(weight)) > 0)
    rows = (
        frame.where(has_value)
        .select(*names, F.col(value).cast("double").alias("_value"), fixed_weight(F.col(weight)).alias("_weight"))
        .withColumns({"_bucket": value_bucket(F.col("_value"))})
    )
    targets = _target_buckets(rows, sets=sets, names=names, probabilities=probabilities)
    cells = [*(f"_of_{name}" for name in names), *(f"_without_{name}" for name in names)]
    inside = rows.join(F.broadcast(targets), on=_belongs(sets, names), how="inner")
    by_value = inside.groupBy(*cells, "_name", "_before", "_target", "_value").agg(F.sum("_weight").alias("_weight"))
    upward = Window.partitionBy(*cells, "_name").orderBy("_value").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    reached = by_value.withColumns({"_through": F.col("_before") + F.sum("_weight").over(upward)}).where(
        F.col("_through") >= F.col("_target")
    )
    return (
        reached.groupBy(*cells)
        .agg(*(F.min(F.when(F.col("_name") == name, F.col("_value"))).alias(name) for name in probabilities))
        .select(*(_label(name) for name in names), *probabilities)
    )


def _target_buckets(
    rows: DataFrame, *, sets: Sequence[Sequence[str]], names: Sequence[str], probabilities: Mapping[str, float]
) -> DataFrame:
    """One row per group × probability: its bucket, the weight before the bucket, the weight to reach."""
    # Counting the finest cells first leaves few rows to spread over the grouping sets.
    finest = rows.groupBy(*names, "_bucket").agg(F.sum("_weight").alias("_weight"))
    histogram = (
        finest.groupingSets([[*names_of_set, "_bucket"] for names_of_set in sets], *names, "_bucket")
        .agg(
            F.sum("_weight").alias("_weight"),
            *(F.grouping(name).alias(f"_without_{name}") for name in names),
        )
        .withColumnsRenamed({name: f"_of_{name}" for name in names})
    )
    cells = [*(f"_of_{name}" for name in names), *(f"_without_{name}" for name in names)]
    group = Window.partitionBy(*cells)
    upward = group.orderBy("_bucket").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    to_reach = F.array(
        *(
            F.struct(F.lit(name).alias("_name"), target_weight(F.col("_total"), p).alias("_target"))
            for name, p in probabilities.items()
        )
    )
    holds_target = (F.col("_before") < F.col("_target")) & (F.col("_target") <= F.col("_before") + F.col("_weight"))
    return (
        histogram.withColumns(
            {"_before": F.sum("_weight").over(upward) - F.col("_weight"), "_total": F.sum("_weight").over(group)}
        )
        .select(*cells, F.col("_bucket").alias("_target_bucket"), "_before", "_weight", F.inline(to_reach))
        .where(holds_target)
        .drop("_weight")
    )


def target_weight(total: Column, probability: Column | float) -> Column:
    """The least cumulative weight that reaches p x total: as `grouped.target_weight`, in the same order of operations."""
    target = F.ceil(F.lit(probability) * total.cast("double") * F.lit(1.0 - REACH_TOLERANCE))
    return F.greatest(F.lit(1), F.least(target, total)).cast("bigint")


def _belongs(sets: Sequence[Sequence[str]], names: Sequence[str]) -> Column:
    """Whether a row is in the bucket and the group of a target."""
    condition = F.col("_bucket") == F.col("_target_bucket")
    for name in names:
        is_same = F.col(name).eqNullSafe(F.col(f"_of_{name}"))
        is_in_every_set = all(name in names_of_set for names_of_set in sets)
        condition = condition & (is_same if is_in_every_set else (F.col(f"_without_{name}") == 1) | is_same)
    return condition


def _label(name: str) -> Column:
    return F.when(F.col(f"_without_{name}") == 1, F.lit(ALL)).otherwise(F.col(f"_of_{name}").cast("string")).alias(name)
