"""The gate for row-level files over releases: who could be followed from one to the next, and what both together say of them.

A file has no identifier, but whoever has the same incomes and the same debt in two months, alone in the district or the city, is
the same person. What the two files say of such rows together can be finer than what either says (a dong here, an age there), and
it tells who moved or changed: so fewer than k rows with the same in both are a finding of P10. Spending changes every month and
is not used to follow. Tables that earlier releases of the month withheld count as withheld, too (P11).

Shares no code with `release.rows`.

Source: Hundepool et al., ESS Handbook on Statistical Disclosure Control, 2nd edition, chapter 3 (record linkage); Ganta,
Kasiviswanathan & Smith (2008), Composition attacks and auxiliary information in data privacy, KDD; decision 0026.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from living_finance.contracts import row_files as rf
from living_finance.release.verify_rows import FINDING_COLUMNS, Finding, RowLimits, inside_withheld

_SLOW_UNITS = ("KRW/year", "KRW")
_SCOPES = (5, 2)
"""Digits of a region in which a row is looked for alone: district, city."""


@dataclass(frozen=True)
class EarlierRows:
    """Row-level files and tables of a release that was public before."""

    label: str
    """`campus 202001-v1`"""
    month: str
    """YYYY-MM"""
    rows: Mapping[str, pd.DataFrame]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def verify_rows_over_releases(
    rows: Mapping[str, pd.DataFrame], *, month: str, earlier: Iterable[EarlierRows], limits: RowLimits | None = None
) -> pd.DataFrame:
    """Attack the row-level files of a candidate together with everything public before.

    Args:
        rows: file → rows as read.
        month: YYYY-MM of the candidate.
        earlier: releases that were public before.
        limits: for tests.

    Returns:
        One row per finding: attack, table, cell, what.
    """
    limits = limits or RowLimits()
    findings: list[Finding] = []
    # Other columns are a finding of the attacks on the file alone.
    sound = [f for name, f in rf.ROW_FILES.items() if name in rows and tuple(rows[name].columns) == f.column_names]
    for other in earlier:
        for file in sound:
            name = file.name
            if name in other.rows:
                findings += _followed(file, rows[name], other, limits)
            if other.month == month:
                findings += inside_withheld(file, rows[name], other.tables)
    return pd.DataFrame(sorted(set(findings)), columns=list(FINDING_COLUMNS))


def _followed(file: rf.RowFile, frame: pd.DataFrame, other: EarlierRows, limits: RowLimits) -> Iterator[Finding]:
    quasi = list(file.quasi_names)
    pairs = pd.concat([_linked(file, frame, other.rows[file.name], digits) for digits in _SCOPES]).drop_duplicates()
    if pairs.empty:
        return
    together = pd.DataFrame({name: _both(file, name, pairs[name], pairs[f"{name}_before"]) for name in quasi})
    says_more = np.ones(len(pairs), dtype=bool)
    for suffix in ("", "_before"):
        alone = pairs[[f"{name}{suffix}" for name in quasi]].set_axis(quasi, axis=1)
        says_more &= (together != alone).any(axis=1).to_numpy()
    size = together.groupby(quasi)[quasi[0]].transform("size").to_numpy()
    few = together[says_more & (size < limits.anonymity)].drop_duplicates()
    for row in few.itertuples(index=False):
        cell = " ".join(f"{name}={value}" for name, value in zip(quasi, row, strict=True) if value != rf.ALL)
        yield "P10", file.name, cell, f"fewer than {limits.anonymity} rows that can be followed from {other.label}"


def _linked(file: rf.RowFile, frame: pd.DataFrame, before: pd.DataFrame, digits: int) -> pd.DataFrame:
    """Rows that are alone with their amounts in their region in both files: positions and categories of both."""
    slow = [amount.name for amount in file.amounts if amount.column.unit in _SLOW_UNITS]
    names = ["scope", *slow]
    alone = []
    for rows in (frame, before):
        texts = rows[list(file.quasi_names)].astype(str)
        known = texts.join(rows[slow]).assign(scope=texts["region_code"].str[:digits], at=np.arange(len(rows)))
        known = known[texts["region_code"].str.len() >= digits]
        alone.append(known[~known.duplicated(names, keep=False)])
    pairs = alone[0].merge(alone[1], on=names, suffixes=("", "_before"), validate="one_to_one")
    return pairs.drop(columns=names)


def _both(file: rf.RowFile, name: str, now: pd.Series[str], before: pd.Series[str]) -> list[str]:
    """The finer of two categories that hold one another; both, where somebody has changed."""
    members = {} if name == "region_code" else _members(next(quasi for quasi in file.quasi if quasi.name == name))

    def is_inside(one: str, other: str) -> bool:
        if name == "region_code":
            return one.startswith(other)
        return members.get(one, frozenset({one})) <= members.get(other, frozenset({other}))

    pairs = zip(now, before, strict=True)
    return [a if is_inside(a, b) else b if is_inside(b, a) else f"{b}>{a}" for a, b in pairs]


def _members(quasi: rf.Quasi) -> dict[str, frozenset[str]]:
    """Category of any level → most detailed ones that it stands for."""
    found: dict[str, set[str]] = {}
    for level in quasi.levels:
        for detailed, category in level.items():
            found.setdefault(category, set()).add(detailed)
    return {category: frozenset(detailed) for category, detailed in found.items()}
