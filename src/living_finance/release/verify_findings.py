"""What the gate finds, in words, and the limits that it measures by. For the gate only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from living_finance.contracts import codes
from living_finance.release.verify_links import DIMENSIONS

FINDING_COLUMNS = ("attack", "table", "cell", "what")
Finding = tuple[str, str, str, str]


@dataclass(frozen=True)
class Limits:
    """What a release must keep to, by the privacy rules of the brief. Not configurable."""

    threshold: int = 10
    inside: int = 5
    dominance_percent: float = 10.0
    anonymity: int = 5
    change: float = 5.0
    """A reader takes it that a count changes by no more, a rounding step, from one month or version to the next."""
    share_bases: tuple[float, ...] = (0.001, 0.01, 0.05, 0.1)
    """A share of few is coarse: k of n tells n unless each n that the printed count allows has a k for it."""
    bases: Mapping[str, float] = field(
        default_factory=lambda: {
            "households": 5,
            "persons": 5,
            "KRW/year": 100_000,
            "KRW/month": 10_000,
            "KRW": 100_000,
            "share": 0.001,
            "ratio": 0.01,
        }
    )


def dimensions_of(frame: pd.DataFrame) -> list[str]:
    """Columns that are dimensions."""
    return [name for name in frame.columns if name in DIMENSIONS]


def share_base(count: np.ndarray, limits: Limits) -> np.ndarray:
    """The finest base of a share of so many: each possible number of them has a share that prints so."""
    fewest = count - limits.bases["persons"] / 2
    fine = [fewest * base >= 1 for base in limits.share_bases]
    return np.select(fine, limits.share_bases, limits.share_bases[-1])


def cell_names(frame: pd.DataFrame) -> list[str]:
    """A readable name of each row's cell: region and categories."""
    parts = [frame["region_level"] + " " + frame["region_code"]]
    for name in dimensions_of(frame):
        parts.append((" " + name + "=" + frame[name].astype(str)).where(frame[name] != codes.ALL, ""))
    named = parts[0]
    for part in parts[1:]:
        named = named + part
    return list(named)


def findings_of(attack: str, table: str, frame: pd.DataFrame, what: str) -> Iterator[Finding]:
    """One per row of the frame."""
    if frame.empty:
        return
    statistics = frame["statistic"] if "statistic" in frame else [""] * len(frame)
    for cell, statistic in zip(cell_names(frame), statistics, strict=True):
        yield attack, table, cell, f"{statistic}: {what}" if statistic else what
