"""Random numbers and pseudonyms by key: the same whatever the order, the partitions or the cores."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

from living_finance.synthetic.rows import Array

_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


def generator(seed: int, *key: object) -> np.random.Generator:
    """A counter-based generator (Philox) for one purpose; another key gives independent numbers."""
    digest = hashlib.sha256("|".join(str(part) for part in (seed, *key)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "big")))


def scrambled(key: Array, *, seed: int, kind: str) -> Array:
    """A permutation of the 64-bit integers (splitmix64), so that different keys never meet.

    Source: Steele, Lea & Flood (2014), Fast splittable pseudorandom number generators, OOPSLA.
    """
    offset = int.from_bytes(hashlib.sha256(f"{seed}|{kind}".encode()).digest()[:8], "big")
    z = key.astype(np.uint64) ^ np.uint64(offset)
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def lasting(key: Array, *, seed: int, purpose: str, period: int) -> Array:
    """Numbers in [0, 1) that stay with a key for a period: what is wrong with a row this month mostly was so last month."""
    bits = scrambled(scrambled(key, seed=seed, kind=purpose), seed=seed, kind=f"period {period}")
    uniform: Array = (bits >> np.uint64(11)).astype(np.float64) / 2.0**53
    return uniform


def pseudonyms(key: Array, *, prefix: str, seed: int, is_missing: Array | None = None) -> pa.StringArray:
    """`prefix` and 16 hexadecimal digits for every key, missing where asked."""
    count = len(key)
    digits = scrambled(key, seed=seed, kind=prefix).astype(">u8").view(np.uint8).reshape(count, 8)
    text = np.empty((count, 17), np.uint8)
    text[:, 0] = ord(prefix)
    text[:, 1::2] = _HEX[digits >> 4]
    text[:, 2::2] = _HEX[digits & 15]
    offsets = np.arange(count + 1, dtype=np.int32) * 17
    bitmap = None
    if is_missing is not None:
        bitmap = pa.py_buffer(np.packbits(~is_missing, bitorder="little").tobytes())
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text.tobytes()), bitmap)


def labels(code: Array, names: tuple[str, ...] | list[str], *, is_missing: Array | None = None) -> pa.Array:
    """Text for small integer codes."""
    return pa.array(names).take(pa.array(code.astype(np.int32), mask=is_missing))


def chosen(random: np.random.Generator, probabilities: Array) -> Array:
    """One category per row of a matrix of probabilities (rows × categories)."""
    cumulative = np.cumsum(probabilities, axis=1)
    u = random.random(len(probabilities)) * cumulative[:, -1]
    category: Array = np.minimum((u[:, None] >= cumulative).sum(axis=1), probabilities.shape[1] - 1).astype(np.int8)
    return category


def shared_out(weights: Array, total: int) -> Array:
    """Whole numbers that add up to `total` in proportion to `weights` (largest remainder, ties by position).

    >>> shared_out(np.array([1.0, 1.0, 2.0]), 5).tolist()
    [1, 1, 3]
    """
    if weights.sum() <= 0:
        weights = np.ones_like(weights, dtype=float)
    exact = weights / weights.sum() * total
    whole: Array = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return whole
