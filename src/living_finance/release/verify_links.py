"""How the counts of a release hang together for a reader: categories add up to `all`, regions to the one that holds them.

For the gate only; nothing is shared with the protection.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import sparse

from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.release.programs import FAR, Places

EXACT = 1e-9
DIMENSIONS = frozenset(name for source in r.SOURCES for name in r.dimension_columns(source))


def key_numbers(cells: pd.DataFrame) -> np.ndarray:
    """One number per row: the same for the same key, in the order of the keys; -1 where a part of it is missing.

    Args:
        cells: the columns of the key, the first decides most.
    """
    numbers, is_missing = np.zeros(len(cells), dtype=np.int64), np.zeros(len(cells), dtype=bool)
    for name in cells.columns:
        part, values = pd.factorize(cells[name], sort=True)
        numbers = numbers * max(len(values), 1) + part
        is_missing |= part < 0
    return np.where(is_missing, -1, numbers)


def places_of(cells: pd.DataFrame) -> Places:
    """Where each cell stands. Nests: output areas of a dong; dong cells of crosses that output areas do not have.

    Args:
        cells: region_level, region_code and dimensions; in the order of the table.
    """
    region, names = pd.factorize(cells["region_code"], sort=True)
    district = names.str[: r.PARENT_CODE_LENGTH["dong"]].astype(int).to_numpy()[region]
    dong = pd.factorize(names.str[: r.PARENT_CODE_LENGTH["output_area"]], sort=True)[0][region] + 1
    is_city, is_gu, is_dong, is_area = (
        (cells["region_level"] == level).to_numpy() for level in ("city", "gu", "dong", "output_area")
    )
    dimensions = [c for c in cells.columns if c in DIMENSIONS and c != r.PLACE]
    category = np.unique(key_numbers(cells[dimensions]), return_inverse=True)[1]
    alone = is_dong & ~np.isin(category, category[is_area]) & is_area.any()
    return Places(
        group=np.where(is_city | is_gu, 0, district),
        parent_group=np.where(is_gu, district, 0),
        dong=np.where(is_area | is_dong, dong, 0),
        nest=np.where(is_area, dong, np.where(alone, 0, -1)),
        region=region,
        cross=np.unique(key_numbers(cells[dimensions] != codes.ALL), return_inverse=True)[1],
        category=category,
    )


def links_between(cells: pd.DataFrame, coded: pd.DataFrame) -> tuple[sparse.csr_matrix, list[str]]:
    """Rows: parts 1, whole -1. Each cell has a number for its key, and so has what it is part of.

    Args:
        cells: one row per cell, at least one.
        coded: its dimensions as numbers from 0.
    """
    region, regions = pd.factorize(cells["region_code"])
    radix = np.cumprod([1, *(coded.max() + 1)], dtype=np.int64)
    key = region * radix[-1] + coded.to_numpy(dtype=np.int64) @ radix[:-1]
    order = np.argsort(key, kind="stable")
    entries, kinds, first = [], [], 0

    def add(parts: np.ndarray, key_of_whole: np.ndarray, kind: str) -> None:
        nonlocal first
        found = order[np.minimum(np.searchsorted(key, key_of_whole, sorter=order), key.size - 1)]
        has_whole = key[found] == key_of_whole
        if not has_whole.any():
            return
        row, wholes = pd.factorize(found[has_whole])
        entries.append(np.column_stack([row + first, parts[has_whole], np.ones(len(row))]))
        entries.append(np.column_stack([np.arange(len(wholes)) + first, wholes, -np.ones(len(wholes))]))
        kinds.extend([kind] * len(wholes))
        first += len(wholes)

    for name, step in zip(coded.columns, radix, strict=False):
        is_margin, code = (cells[name] == codes.ALL).to_numpy(), coded[name].to_numpy(dtype=np.int64)
        if is_margin.any() and not is_margin.all():
            parts = np.flatnonzero(~is_margin)
            add(parts, key[parts] + (code[is_margin][0] - code[parts]) * step, "category")
    level, levels = pd.factorize(cells["region_level"])
    lengths = (r.PARENT_CODE_LENGTH.get(name, 0) for name in levels)
    names = {code: number for number, code in enumerate(regions)}
    parent_in = np.array([[names.get(code[:length], -1) for code in regions] for length in lengths], dtype=np.int64)
    parent = parent_in[level, region]
    parts = np.flatnonzero(parent >= 0)
    add(parts, key[parts] + (parent[parts] - region[parts]) * radix[-1], "region")
    if not entries:
        return sparse.csr_matrix((0, len(cells))), []
    table = np.concatenate(entries)
    return sparse.csr_matrix((table[:, 2], (table[:, 0].astype(int), table[:, 1].astype(int))), shape=(first, len(cells))), kinds


def pinned(links: sparse.csr_matrix, low: np.ndarray, high: np.ndarray, hidden: np.ndarray) -> Iterator[tuple[int, int]]:
    """Links with one withheld cell and all others known exactly."""
    is_loose = hidden | (high - low > EXACT)
    loose = (abs(links) @ is_loose.astype(float)).ravel()
    for row in np.flatnonzero(loose == 1):
        members = links[row].indices
        at = int(members[is_loose[members]][0])
        if hidden[at]:
            yield int(row), at


def disagreeing(links: sparse.csr_matrix, low: np.ndarray, high: np.ndarray) -> list[int]:
    """Links that no values inside the intervals can satisfy."""
    parts, wholes = links.maximum(0), (-links).maximum(0)
    far = np.minimum(high, FAR)
    least, most = parts @ low - wholes @ far, parts @ far - wholes @ low
    return np.flatnonzero((least > 1e-6) | (most < -1e-6)).tolist()


def only_ones(links: sparse.csr_matrix, kinds: list[str], *, impossible: np.ndarray, is_known: np.ndarray) -> np.ndarray:
    """Categories that are all there is of a known total, since all others are impossible: no release tells them."""
    parts, wholes = links.maximum(0), (-links).maximum(0)
    possible = parts @ (~impossible).astype(float)
    rows = np.flatnonzero((np.array(kinds) == "category") & (possible == 1) & (wholes @ is_known.astype(float) > 0))
    rows = rows[np.diff(parts.indptr)[rows] > 1]
    found = np.zeros(impossible.size, dtype=bool)
    found[parts[rows].indices] = True
    return np.asarray(found & ~impossible)


def is_multiple(value: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Whether a value is a multiple of its base to the last bit, which could carry something else."""
    per_unit = np.maximum(np.rint(1 / base), 1)
    return np.asarray(np.where(base >= 1, value % np.maximum(base, 1) == 0, np.rint(value * per_unit) / per_unit == value))


def half_width(value: np.ndarray, base: float, *, is_whole: bool = False) -> np.ndarray:
    """How far the true figure can be from the printed one; 0 where it is finer than its base."""
    half = np.ceil(base / 2) - 1 if is_whole else base / 2
    return np.where(np.isnan(value) | ~is_multiple(value, np.full(value.shape, base)), 0.0, half)
