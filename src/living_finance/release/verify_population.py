"""The counts of one population as a reader sees them: intervals, links, and what each withheld one has to keep open.

For the gate only; nothing is shared with the protection. Two releases of other data are put together by how little a reader
takes a count to change from one to the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.release.bounds import implied, narrow_cells
from living_finance.release.verify_links import DIMENSIONS, nests

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
_MARGIN = 1e-5
_ONE_PROGRAM = 5_000
"""Cells of two releases, and what ties them, that one program takes in; beyond, every link in turn: a city's worth of such
programs takes minutes."""
_SMALL = 100.0
"""Printed counts up to here show a reader how much small ones change."""
_LARGER = (1.0, 4.0, 16.0, 1e6)
"""Times the change that a reader takes where no counts agree with a smaller one; in the end any."""


@dataclass(frozen=True, kw_only=True)
class Population:
    """Counts of households, or of persons by one place, of releases of the same data."""

    cells: pd.DataFrame
    """One row per cell, printed where any table prints it: table, unit, region, dimensions, value, status."""
    twice: pd.DataFrame
    """Cells that two tables print with different values."""
    low: Floats
    high: Floats
    """What is possible by what is printed of the cell alone."""
    half: Floats
    """How far the true count can be from the printed one."""
    hidden: Flags
    is_nobody: Flags
    """Whoever looks it up knows that nobody is there."""
    need: Floats
    """Width that its interval must keep; 0 for a printed cell."""
    links: sparse.csr_matrix
    kinds: list[str]

    @property
    def dimensions(self) -> list[str]:
        return [name for name in self.cells if name in DIMENSIONS]

    @property
    def keys(self) -> list[str]:
        return ["region_level", "region_code", *self.dimensions]

    @property
    def groups(self) -> tuple[Integers, Integers]:
        """Number of the district of what is inside one, else 0; and of a district's own cells its number, else 0."""
        level = self.cells["region_level"].to_numpy(str)
        number = self.cells["region_code"].str[: r.PARENT_CODE_LENGTH["dong"]].astype(int).to_numpy()
        return np.where(np.isin(level, ("city", "gu")), 0, number), np.where(level == "gu", number, 0)

    def name(self, at: int) -> str:
        """A cell in words."""
        row = self.cells.iloc[at]
        named = [f"{name}={row[name]}" for name in self.dimensions if row[name] != codes.ALL]
        return " ".join([row["region_level"], row["region_code"], *named])

    def narrow(self, low: Floats, high: Floats, need: Floats) -> Integers | None:
        """Cells known more closely than needed, if counts are between these ends; None: no counts agree with them."""
        group, parent_group = self.groups
        return narrow_cells(self.links, low, high, need, group=group, parent_group=parent_group, nest=nests(self.cells))


def widths_asked(
    cells: pd.DataFrame,
    hidden: Flags,
    links: sparse.csr_matrix,
    low: Floats,
    high: Floats,
    *,
    threshold: float,
    has_register: bool,
) -> Floats:
    """Width that the interval of each withheld count must keep; 0 for the others.

    Totals of regions that census and register print are no secret, and in a region that can have seven at most by what a release
    prints no count can be wider than that. With the register at hand the true total takes its place.

    Args:
        cells: as of `Population`.
        hidden, links, low, high: as of `Population`.
        threshold: of the gate.
        has_register: totals are printed elsewhere.
    """
    must_be_wide = cells["status"].isin((r.SMALL, r.DOMINANCE)).to_numpy()
    need = np.where(hidden, np.where(must_be_wide, float(threshold), 1.0), 0.0)
    is_total = (cells[[name for name in cells if name in DIMENSIONS]] == codes.ALL).all(axis=1).to_numpy()
    if not has_register or not (hidden & is_total).any():
        return need
    _, most = implied(links, low, high)
    largest = pd.Series(most[is_total], cells["region_code"].to_numpy()[is_total])
    inside = cells["region_code"].map(largest).to_numpy(float)
    return np.where(is_total, 0.0, np.fmin(need, inside))


def together(one: Population, other: Population, *, change: float) -> list[tuple[Population, int]] | None:
    """Cells of either of two releases that a reader of both knows more closely than needed.

    A count that not both print is taken to change by `change` at most, or as much as small printed ones do. Where no counts agree
    with that, the reader was wrong and takes a larger one. Small systems are one program, large ones are narrowed by each link
    in turn, which proves less.

    Args:
        one: counts of a release.
        other: of the same population in another month or version.
        change: in counts.

    Returns:
        Population and position of each; None: no counts agree whatever the change.
    """
    keys = sorted({*one.keys} & {*other.keys})
    named = [
        population.cells[(population.cells[[d for d in population.dimensions if d not in keys]] == codes.ALL).all(axis=1)][keys]
        for population in (one, other)
    ]
    first, second = (frame.assign(at=frame.index) for frame in named)
    pairs = first.merge(second, on=keys, suffixes=("", "_other"), validate="one_to_one")
    at, at_other = pairs["at"].to_numpy(), pairs["at_other"].to_numpy()
    values = one.cells["value"].to_numpy(float)[at], other.cells["value"].to_numpy(float)[at_other]
    is_near = np.fmax(*values) <= _SMALL
    seen = float(np.nanmax(np.abs(values[0] - values[1])[is_near], initial=0.0)) if is_near.any() else 0.0
    is_open = (one.hidden[at] | other.hidden[at_other]) & ~(one.is_nobody[at] | other.is_nobody[at_other])
    at, at_other = at[is_open], at_other[is_open]
    sizes = (len(one.cells), len(other.cells), at.size)
    row = np.arange(at.size)

    def at_cells(cells: Integers, sign: float, size: int) -> sparse.csr_matrix:
        return sparse.csr_matrix((np.full(cells.size, sign), (row, cells)), shape=(at.size, size))

    links = sparse.bmat(
        [
            [one.links, None, sparse.csr_matrix((one.links.shape[0], sizes[2]))],
            [None, other.links, None],
            [at_cells(at, 1.0, sizes[0]), at_cells(at_other, -1.0, sizes[1]), at_cells(row, -1.0, sizes[2])],
        ],
        format="csr",
    )
    nest = nests(
        pd.concat([one.cells, other.cells], ignore_index=True).fillna(dict.fromkeys(one.dimensions + other.dimensions, codes.ALL))
    )
    group, parent_group = (np.concatenate([a, b, a[at]]) for a, b in zip(one.groups, other.groups, strict=True))
    need = np.concatenate([one.need, other.need, np.zeros(at.size)])
    for times in _LARGER:
        most = np.full(at.size, max(change, seen) * times)
        low, high = np.concatenate([one.low, other.low, -most]), np.concatenate([one.high, other.high, most])
        least, furthest = implied(links, low, high)
        found: Integers | None = np.flatnonzero(furthest - least < need - _MARGIN)
        if (least > furthest + _MARGIN).any():
            continue  # no counts agree, as the links show one by one
        if low.size <= _ONE_PROGRAM:
            found = narrow_cells(
                links, low, high, need, group=group, parent_group=parent_group, nest=np.concatenate([nest, nest[at]])
            )
        if found is not None:
            return [(one, cell) if cell < sizes[0] else (other, cell - sizes[0]) for cell in found.tolist()]
    return None


def count_rows(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Counts of the long tables of a release under one key; `all` in each dimension that a table does not have."""
    names = sorted({d for frame in tables.values() for d in frame.columns if d in DIMENSIONS})
    parts = []
    for table, frame in tables.items():
        rows = frame[frame["unit"].isin(r.CONTRIBUTORS) & frame["statistic"].isin(r.CONTRIBUTORS)]
        missing = {d: codes.ALL for d in names if d not in rows}
        parts.append(
            rows.assign(**missing, table=table)[["table", "unit", "region_level", "region_code", *names, "value", "status"]]
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
