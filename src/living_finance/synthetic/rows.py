"""Columns of equal length that grow and shrink together: the state of a synthetic district."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Rows(dict[str, Array]):
    """Named NumPy columns of one length; one row per person, household, building, unit or register household."""

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(next(iter(self.values()))) if self else 0

    def take(self, index: Array) -> Rows:
        """Rows chosen by a mask or by positions, copied."""
        return Rows({name: column[index] for name, column in self.items()})

    def append(self, other: Mapping[str, Array]) -> None:
        """Add rows at the end; the columns must be the same.

        Raises:
            ValueError: `other` has other columns.
        """
        if self.keys() != other.keys():
            raise ValueError(f"columns differ: {sorted(self.keys() ^ other.keys())}")
        for name, column in self.items():
            self[name] = np.concatenate([column, other[name].astype(column.dtype)])

    def keep(self, mask: Array) -> None:
        """Drop the rows outside `mask`."""
        for name, column in self.items():
            self[name] = column[mask]


def joined(parts: list[Rows]) -> Rows:
    """The rows of all parts, in order."""
    return Rows({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def numbered_within(groups: Array) -> Array:
    """Position of each row among the rows of its group, from 0, in row order.

    >>> numbered_within(np.array([7, 3, 7, 7, 3])).tolist()
    [0, 0, 1, 2, 1]
    """
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    is_first = np.ones(len(groups), bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    start = np.maximum.accumulate(np.where(is_first, np.arange(len(groups)), 0))
    position = np.empty(len(groups), np.int64)
    position[order] = np.arange(len(groups)) - start
    return position
