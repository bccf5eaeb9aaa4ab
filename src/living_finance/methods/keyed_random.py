"""Pseudo-random numbers that depend on keys only, never on partitions, order or cores."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from pyspark.sql import Column
from pyspark.sql import functions as F
from scipy.special import ndtri

from living_finance.methods.grouped import Floats, Integers

Bits = npt.NDArray[np.uint64]


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


def mixed(*keys: Integers | Bits | np.uint64 | int) -> Bits:
    """64 random bits from whole numbers, of which some may be arrays, for code that runs in NumPy.

    Source: splitmix64; Steele, Lea & Flood (2014), Fast splittable pseudorandom number generators, OOPSLA.
    """
    value = np.zeros(1, np.uint64)
    with np.errstate(over="ignore"):
        for key in keys:
            value = (value ^ np.asarray(key).astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
            value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            value = value ^ (value >> np.uint64(31))
    return value


def unit_interval(bits: Bits) -> Floats:
    """A number in (0, 1) from random bits."""
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53


def key_bits(keys: Iterable[object]) -> Bits:
    """64 bits of each key, taken as text: where the numbers of a row come from, wherever the row is."""
    digests = b"".join(hashlib.blake2b(str(key).encode(), digest_size=8).digest() for key in keys)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def normal(bits: Bits) -> Floats:
    """A standard normal number from random bits, by the inverse of its distribution function."""
    drawn: Floats = ndtri(unit_interval(bits))
    return drawn
