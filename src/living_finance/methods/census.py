"""How a census counts, as column expressions: age bands, and counts masked to protect the few."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

OLDEST_BAND = 80
"""Lower bound of the last five-year band: 80 and over, as in the bureau's extract."""
MASKED_LIMITS = (1.0, 4.0)
"""A masked count is 1 to 4."""


def five_year_band(age: Column) -> Column:
    """Lower bound of the five-year band of an age in years, 80 for everybody older."""
    return F.least(F.floor(age / F.lit(5)) * F.lit(5), F.lit(OLDEST_BAND)).cast("int")


def expected_count() -> Column:
    """`count` of a census margin; the middle of the limits where it is masked, 0 where it is missing."""
    return F.when(F.col("is_masked"), F.lit(sum(MASKED_LIMITS) / 2)).otherwise(F.coalesce("count", F.lit(0)).cast("double"))
