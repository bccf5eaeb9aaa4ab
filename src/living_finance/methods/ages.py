"""Bands of age."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from living_finance.contracts import codes


def ten_year_band(age: Column) -> Column:
    """Lower bound of the head's ten-year band, `codes.HEAD_AGE_BANDS`; younger and older ones are in the outermost."""
    youngest, oldest = codes.HEAD_AGE_BANDS[0], codes.HEAD_AGE_BANDS[-1]
    band = F.floor(age / F.lit(10)) * F.lit(10)
    return F.least(F.greatest(band, F.lit(youngest)), F.lit(oldest)).cast("int")
