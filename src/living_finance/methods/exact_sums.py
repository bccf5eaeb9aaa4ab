"""Sums that do not depend on the order of rows."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F


def exact_sum(value: Column, *, parts: float) -> Column:
    """Sum of values rounded to 1 / `parts` each: whole numbers of 64 bits are added, in any order the same.

    Args:
        value: of a row; null counts for nothing.
        parts: of one; the sum times this must stay below 2^63.
    """
    return F.sum(F.rint(value * F.lit(parts)).cast("bigint")) / F.lit(parts)
