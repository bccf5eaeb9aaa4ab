"""Pseudo-random numbers that depend on keys only, never on partitions, order or cores."""

from __future__ import annotations

import hashlib

from pyspark.sql import Column
from pyspark.sql import functions as F


def uniform(*keys: Column, seed: int, purpose: str) -> Column:
    """A number in [0, 1) from the keys of a row.

    The first 52 bits of SHA-256 over length-prefixed keys: the same keys give the same number on any
    machine, and keys that differ only in where one ends give different ones. A missing key is its own value.

    Args:
        keys: what identifies the row, as text or castable to it.
        seed: the run's seed.
        purpose: what the draw is for; two purposes give independent numbers.
    """
    parts = [F.lit(f"{seed}|{purpose}")]
    for key in keys:
        text = key.cast("string")
        parts.append(F.coalesce(F.concat(F.length(text).cast("string"), F.lit(":"), text), F.lit("-")))
    digest = F.sha2(F.concat_ws("|", *parts), 256)
    return F.conv(F.substring(digest, 1, 13), 16, 10).cast("double") / F.lit(float(2**52))


def uniform_value(*keys: str | int | None, seed: int, purpose: str) -> float:
    """The number that `uniform` gives for the same keys, for code that runs in Python.

    >>> uniform_value("P1", 30, seed=1, purpose="test") == uniform_value("P1", 30, seed=1, purpose="test")
    True
    """
    parts = [f"{seed}|{purpose}", *("-" if key is None else f"{len(str(key))}:{key}" for key in keys)]
    return int(hashlib.sha256("|".join(parts).encode()).hexdigest()[:13], 16) / 2.0**52
