"""What a survey says about one income component, kept as numbers a draw can be made from.

Everything here works on a survey in the driver's memory (about 1,000 households, whatever the city's size).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

AGE_GROUP_BOUNDS = (40, 60, 70)
"""Head's age: under 40, 40-59, 60-69, 70 and over; multiples of ten, because households know the head's ten-year band."""
AGE_GROUPS = len(AGE_GROUP_BOUNDS) + 1
SIZE_GROUPS = 3
"""One, two, three persons or more."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SurveyRow:
    """One surveyed household, as far as the components need it."""

    weight: float
    age_group: int
    size_group: int
    amounts: dict[str, float | None]


@dataclass(frozen=True)
class ComponentCell:
    """Two parts of a component in one cell: how many have any, and amounts to draw from."""

    share: float
    """Weighted share of households with an amount above 0."""
    donors: tuple[int, ...]
    """Weighted order statistics of the positive amounts, whole won, equally likely."""
    mean_positive: float
    """Mean of the donors."""
    share_households: int
    """Surveyed households the share rests on."""
    donor_households: int
    """Surveyed households with an amount the donors rest on."""

    @property
    def expected(self) -> float:
        """Mean of a draw, won."""
        return self.share * self.mean_positive


def fit_component(
    survey: Sequence[SurveyRow], component: str, *, donors_kept: int, min_households: int, min_positive: int
) -> dict[tuple[int, int], ComponentCell]:
    """Shares and donors of every cell (age group x size group).

    A cell with too few households borrows from its age group, and that from everybody, for the share and for the
    amounts apart. Households whose amount is missing say nothing.

    Args:
        survey: surveyed households in a total order.
        component: name of the amount.
        donors_kept: order statistics kept of a cell.
        min_households: households a share needs.
        min_positive: positive amounts that donors need.

    Returns:
        One entry per cell, all cells.
    """
    return {
        (age, size): _fit_cell(
            survey, component, age, size, donors_kept=donors_kept, min_households=min_households, min_positive=min_positive
        )
        for age in range(AGE_GROUPS)
        for size in range(SIZE_GROUPS)
    }


def _fit_cell(
    survey: Sequence[SurveyRow], component: str, age: int, size: int, *, donors_kept: int, min_households: int, min_positive: int
) -> ComponentCell:
    levels: tuple[Callable[[SurveyRow], bool], ...] = (
        lambda row: row.age_group == age and row.size_group == size,
        lambda row: row.age_group == age,
        lambda row: True,
    )
    share, share_households = 0.0, 0
    donors: tuple[int, ...] = ()
    donor_households = 0
    for belongs in levels:
        weights, amounts = _observed(survey, component, belongs)
        positive = amounts > 0
        if share_households < min_households and len(amounts) > share_households:
            share, share_households = _share(weights, positive), len(amounts)
        if donor_households < min_positive and int(positive.sum()) > donor_households:
            donors = _order_statistics(amounts[positive], weights[positive], donors_kept)
            donor_households = int(positive.sum())
    mean = sum(donors) / len(donors) if donors else 0.0
    return ComponentCell(share if donors else 0.0, donors, mean, share_households, donor_households)


def _observed(survey: Sequence[SurveyRow], component: str, belongs: Callable[[SurveyRow], bool]) -> tuple[Floats, Floats]:
    rows = [(row.weight, amount) for row in survey if belongs(row) and (amount := row.amounts[component]) is not None]
    table = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _share(weights: Floats, positive: npt.NDArray[np.bool_]) -> float:
    total = float(weights.sum())
    return float(weights[positive].sum()) / total if total > 0 else 0.0


def _order_statistics(amounts: Floats, weights: Floats, count: int) -> tuple[int, ...]:
    """Weighted quantiles at (j + 0.5) / count: the smallest amount whose cumulative weight reaches that share.

    As many whatever the number of amounts: few amounts repeat in proportion to their weight, and of many only the
    outermost 1 / (2 count) of the weight is left out at either end.
    """
    order = np.lexsort((weights, amounts))
    reached = np.cumsum(weights[order])
    if not len(order) or reached[-1] <= 0:
        return ()
    wanted = (np.arange(count) + 0.5) / count * reached[-1]
    places = np.minimum(np.searchsorted(reached, wanted, side="left"), len(order) - 1)
    return tuple(int(value) for value in np.rint(amounts[order][places]))
