"""The regions a row belongs to."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F


def regions_of(code_of_level: Mapping[str, Column]) -> Column:
    """Regions of a row, as an array to be exploded (`inline`) into region_level and region_code.

    Args:
        code_of_level: level → its code in the row.
    """
    levels = code_of_level.items()
    return F.array(*(F.struct(F.lit(level).alias("region_level"), code.alias("region_code")) for level, code in levels))
