"""Published figures that household values are held against, one per indicator and group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import codes
from living_finance.contracts.definitions import refusal
from living_finance.income.survey_weights import FIFTHS
from living_finance.income.value_benchmark import AGE_GROUPS, TENURES
from living_finance.months import Month

UNKNOWN_ERROR = 0.05
"""Relative standard error taken where a source states none."""
Figure = tuple[str, str, str]
"""Indicator, dimension, category."""
_BY_GROUP = {"income_quintile": tuple(str(k + 1) for k in range(FIFTHS)), "head_age": AGE_GROUPS, "tenure": TENURES}
"""Groups whose mean total income values are moved to, and their categories."""


@dataclass(frozen=True)
class Published:
    """The figure chosen."""

    source: str
    year: int
    value: float
    relative_error: float


def published_figures(benchmarks: DataFrame, *, month: Month) -> tuple[Mapping[Figure, Published], tuple[str, ...]]:
    """The figures of the city for a month, and why others are not met (`contracts.definitions`).

    Of several figures the newest year not after the month's (else the oldest), then the smallest error; other sources of it are
    named among the reasons.

    Args:
        benchmarks: silver.BENCHMARK used for the month.
        month: the month.
    """
    # Collected: published figures for the whole city, some dozens a year.
    rows = (
        benchmarks.where(F.col("region_code") == codes.CITY_CODE)
        .select(*("indicator", "dimension", "category", "source", "year", "reference_period", "value", "relative_standard_error"))
        .collect()  # ok: a few dozen figures a year
    )
    return chosen_figures([row.asDict() for row in rows], month=month)


def chosen_figures(rows: Sequence[Mapping[str, Any]], *, month: Month) -> tuple[Mapping[Figure, Published], tuple[str, ...]]:
    """`published_figures` of rows in memory."""
    refused = set()
    by_figure: dict[Figure, list[tuple[bool, int, float, str, str, float]]] = {}
    for row in rows:
        period = row["reference_period"] or ""
        reason = refusal(row["source"], row["indicator"], year=row["year"], reference_period=period)
        if reason is None and row["dimension"] != codes.ALL:
            reason = _refused_group(row)
        if reason is not None:
            refused.add(reason)
            continue
        error = UNKNOWN_ERROR if row["relative_standard_error"] is None else float(row["relative_standard_error"])
        is_past = row["year"] <= month.year
        candidate = (not is_past, -row["year"] if is_past else row["year"], error, row["source"], period, row["value"])
        by_figure.setdefault((row["indicator"], row["dimension"], row["category"]), []).append(candidate)
    chosen = {figure: min(candidates) for figure, candidates in sorted(by_figure.items())}
    for (indicator, dimension, category), candidates in by_figure.items():
        taken = chosen[indicator, dimension, category][3]
        others = {source for _, _, _, source, _, _ in candidates} - {taken}
        what = indicator if dimension == codes.ALL else f"{indicator} by {dimension} {category}"
        refused |= {f"{what} of {other}: not met, {taken} stands for it (newest year, then smallest error)" for other in others}
    figures = {
        figure: Published(source, abs(year), float(value), error) for figure, (_, year, error, source, _, value) in chosen.items()
    }
    return figures, tuple(sorted(refused))


def _refused_group(row: Mapping[str, Any]) -> str | None:
    """Why a figure of a group is not met; None: it may be."""
    what = f"{row['indicator']} by {row['dimension']} of {row['source']}"
    if row["indicator"] != "mean_total_income":
        return f"{what}: not met, by group values are moved to mean_total_income only"
    if row["dimension"] not in _BY_GROUP:
        return f"{what}: not met, values are moved by {', '.join(_BY_GROUP)}"
    if row["category"] not in _BY_GROUP[row["dimension"]]:
        return f"{what}: not met, {row['category']} is none of our groups"
    return None
