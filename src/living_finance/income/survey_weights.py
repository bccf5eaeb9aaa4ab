"""Weights of the survey's households, calibrated to what is known of the city before anything is learned from them.

Who answers depends on income, which design weights do not cure. The weights are moved, within bounds, so that the survey has
the month's households by head's age, size, tenure and dwelling type, and the published means: of total, property,
transfer and irregular income, and of total income in each fifth of the households.

Source: Deville & Särndal (1992), JASA 87(418), 376-382; calibration to the study variable's own published mean against
non-ignorable non-response: Lundström & Särndal (1999), Journal of Official Statistics 15(2), 305-327.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from living_finance.income.other_components import Characteristics
from living_finance.methods.calibration import Distance, Problem, calibrate_areas
from living_finance.methods.grouped import Floats, Integers

FIFTHS = 5
_DISTANCE = Distance("truncated_raking", lowest=0.1, highest=8.0)
_ROUNDS = 6
"""Times the fifths are formed anew from the weights of the round before."""
_MARGIN_PRIORITY, _MEAN_PRIORITY, _FIFTH_PRIORITY = 1, 1, 2


@dataclass(frozen=True)
class SurveyTargets:
    """What the weights are moved to."""

    shares: Mapping[str, float]
    """Class (see `margin_classes`) → share of the city's households."""
    means: Mapping[str, float]
    """total, property, transfer, irregular → published mean, KRW/year; those there are."""
    fifths: Mapping[int, float]
    """1 to 5 → published mean of total income, KRW/year; those there are."""


def margin_classes(households: Characteristics) -> Mapping[str, Floats]:
    """Class → 1 for its households: head's age, size, tenure, dwelling type."""
    band = np.clip(households.head_age_band // 10, 2, 7)
    size = np.minimum(households.size, 4)
    return {
        **{f"age {10 * k}": (band == k).astype(float) for k in range(2, 8)},
        **{f"size {k}": (size == k).astype(float) for k in range(1, 5)},
        **{f"tenure {name}": (households.tenure == name).astype(float) for name in ("owned", "jeonse", "monthly_rent")},
        **{
            f"dwelling {name}": (households.dwelling_type == name).astype(float)
            for name in ("detached", "multi_family", "apartment", "multi_unit")
        },
    }


def calibrated_weights(
    households: Characteristics, amounts: Mapping[str, Floats], weight: Floats, *, targets: SurveyTargets
) -> Floats:
    """Weights near the given ones that meet the targets.

    Args:
        households: of the survey.
        amounts: component → answers, NaN where missing: such a household is taken to be at the published mean.
        weight: design weights.
        targets: what is known of the city.

    Returns:
        One weight per household, adding up to the number of households.
    """
    base = weight * (weight.size / weight.sum())
    total = np.sum(list(amounts.values()), axis=0)
    columns: list[tuple[Floats, float, int]] = [(np.ones(base.size), 1.0, 0)]
    for name, indicator in margin_classes(households).items():
        share = targets.shares.get(name, 0.0)
        if indicator.any() and share > 0.0:
            columns.append((indicator, share, _MARGIN_PRIORITY))
    for name, mean in targets.means.items():
        value = total if name == "total" else amounts[name]
        known = np.isfinite(value)
        if known.any() and mean > 0.0:
            columns.append((np.where(known, value, mean) / mean, 1.0, _MEAN_PRIORITY))
    found = _solved(base, columns)
    known = np.isfinite(total)
    if set(targets.fifths) != set(range(1, FIFTHS + 1)) or known.sum() < 10 * FIFTHS:
        return found
    # The fifths follow the weights and the weights the fifths: a few rounds settle both.
    for _ in range(_ROUNDS):
        fifth = fifths(total, found)
        share = float(known @ found / found.sum()) / FIFTHS
        more = []
        for number, mean in targets.fifths.items():
            inside = (known & (fifth == number)).astype(float)
            more.append((inside, share, _FIFTH_PRIORITY))
            more.append((inside * np.where(known, total, 0.0) / abs(mean or 1.0), share, _FIFTH_PRIORITY))
        found = _solved(base, [*columns, *more])
    return found


def fifths(total: Floats, weight: Floats) -> Integers:
    """1 to 5 by weighted rank of total income; households that did not answer are in none (0)."""
    known = np.isfinite(total)
    order = np.flatnonzero(known)[np.argsort(total[known], kind="stable")]
    middle = (np.cumsum(weight[order]) - weight[order] / 2.0) / max(float(weight[order].sum()), 1e-300)
    result = np.zeros(total.size, np.int64)
    result[order] = np.minimum((middle * FIFTHS).astype(np.int64), FIFTHS - 1) + 1
    return result


def _solved(base: Floats, columns: list[tuple[Floats, float, int]]) -> Floats:
    """Calibrate one area: each column's weighted mean to its target."""
    number = base.size
    unit = np.tile(np.arange(number), len(columns))
    target = np.repeat(np.arange(len(columns)), number)
    value = np.concatenate([values for values, _, _ in columns])
    keep = value != 0.0
    wanted = np.array([share * number for _, share, _ in columns])
    problem = Problem(
        areas=1,
        unit_area=np.zeros(number, np.int64),
        base_weight=base,
        target_area=np.zeros(len(columns), np.int64),
        lower=wanted,
        upper=wanted,
        priority=np.array([priority for _, _, priority in columns]),
        unit=unit[keep],
        target=target[keep],
        value=value[keep],
    )
    weight: Floats = calibrate_areas(problem, distance=_DISTANCE).weight
    scaled: Floats = weight * (number / weight.sum())
    return scaled
