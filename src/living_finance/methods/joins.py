"""Joins whose cardinality is enforced, not assumed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

How = Literal["inner", "left"]


def join_to_one(left: DataFrame, right: DataFrame, *, on: Sequence[str], how: How, broadcast: bool = False) -> DataFrame:
    """Join where each left row meets at most one right row.

    The right side is grouped by its key first; a key that occurs twice raises when the query runs
    (`raise_error` inside the aggregate, so the optimizer cannot prune the check away).

    Args:
        left: any grain.
        right: one row per `on`; columns other than `on` must not be in `left`.
        on: key columns, in both; a missing key matches nothing.
        how: `inner` drops left rows without a match, `left` keeps them.
        broadcast: send the right side to every task, so that the left side is not shuffled; only where its size is known.

    Returns:
        The left rows (at most once each) with the right side's columns.

    Raises:
        ContractViolation, through storage, as a failed query: the right key is not unique.
    """
    values = [name for name in right.columns if name not in on]
    packed = right.groupBy(*on).agg(
        F.struct(*(F.first(name).alias(name) for name in values)).alias("_packed"), F.count(F.lit(1)).alias("_matches")
    )
    message = f"join on {', '.join(on)}: the right side has a key twice"
    is_unique = F.when(F.col("_matches") == 1, F.lit(True)).otherwise(F.raise_error(F.lit(message)).cast("boolean"))
    checked = packed.where(is_unique).select(*on, *(F.col(f"_packed.{name}").alias(name) for name in values))
    return left.join(F.broadcast(checked) if broadcast else checked, on=list(on), how=how)
