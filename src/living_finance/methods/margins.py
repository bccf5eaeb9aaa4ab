"""Rows of statistics that are not broken down."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from living_finance.contracts import codes


def is_margin(dimensions: Iterable[str]) -> Column:
    """Whether every category of a row is `all`; of no dimensions, every row is a margin.

    Args:
        dimensions: columns of categories, for instance `contracts.releases.DIMENSIONS[table]`.
    """
    return reduce(Column.__and__, (F.col(name) == codes.ALL for name in dimensions), F.lit(True))
