"""Who writes a report: the figures with their errors, and words in the language of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from living_finance.contracts import codes, gold
from living_finance.contracts.language import Language
from living_finance.months import Month
from living_finance.reports.data import PolicyAnalysis, ReportData
from living_finance.reports.formats import (
    Estimate,
    is_missing,
    marks_note,
    unit_label,
)

MEAN, MEDIAN = f"mean_{gold.TOTAL_INCOME}", f"median_{gold.TOTAL_INCOME}"
GINI, CV = "gini_total_income", "cv_mean_total_income"
MAN = 1e-4


@dataclass(frozen=True)
class Indicator:
    """One figure of the overview: where it stands and, if an analysis has its error, where that does."""

    key: str
    label: tuple[str, str]
    unit: str
    column: str = ""
    """Of household statistics."""
    analysis: str = ""
    statistic: str = ""
    """Of the analysis; its change has the same name."""


INDICATORS: tuple[Indicator, ...] = (
    Indicator("mean_income", ("평균 총소득", "mean total income"), "KRW/year", column=MEAN, statistic=MEAN),
    Indicator("median_income", ("중위 총소득", "median total income"), "KRW/year", column=MEDIAN),
    Indicator(
        "median_equivalised",
        ("중위 균등화소득", "median equivalised income"),
        "KRW/year",
        analysis="inequality",
        statistic="median_equivalised_income",
    ),
    Indicator(
        "debt",
        ("평균 부채", "mean debt"),
        "KRW",
        column="mean_debt_krw",
        analysis="household_debt",
        statistic="mean_debt_krw",
    ),
    Indicator(
        "share_with_debt",
        ("부채 보유 가구 비율", "households with debt"),
        "share",
        column="share_with_debt",
        analysis="household_debt",
        statistic="share_with_debt",
    ),
    Indicator(
        "spending",
        ("월평균 소비지출", "mean spending a month"),
        "KRW/month",
        column="mean_spending_krw_month",
        analysis="household_balance",
        statistic="mean_spending_krw_month",
    ),
    Indicator("gini_households", ("지니계수(가구 총소득)", "Gini of household income"), "index", column=GINI),
    Indicator("gini", ("지니계수(균등화소득)", "Gini of equivalised income"), "index", analysis="inequality", statistic="gini"),
    Indicator("poverty", ("상대적 빈곤율", "relative poverty rate"), "share", analysis="low_income", statistic="poverty_rate"),
    Indicator(
        "deficit", ("적자 가구 비율", "households in deficit"), "share", analysis="household_balance", statistic="deficit_share"
    ),
)


def find_indicator(key: str) -> Indicator:
    """The indicator called `key`."""
    return next(indicator for indicator in INDICATORS if indicator.key == key)


class Author:
    """Writes one report; holds what every section needs."""

    def __init__(self, data: ReportData, language: Language) -> None:
        self.data = data
        self.language = language
        self.name = data.name(data.region, language)
        self.analyses = {analysis.name: analysis for analysis in data.analyses}
        self._areas: dict[str, dict[Any, Any]] = {
            row["region_code"]: row for row in data.areas[data.areas["base_month"] == str(data.month)].to_dict("records")
        }

    def say(self, korean: str, english: str) -> str:
        """The text in the language of the report."""
        return korean if self.language == "ko" else english

    def level(self, indicator: Indicator, region: str) -> Estimate:
        """A figure of the month with its error: of the analysis that estimates it, else as published."""
        analysis = self.analyses.get(indicator.analysis)
        found = find(analysis, indicator.statistic, region=region) if analysis else None
        if found is not None:
            return found
        row = self._areas.get(region, {})
        return published(row, indicator.column, indicator.unit) if indicator.column in row else Estimate(None, indicator.unit)

    def change(self, indicator: Indicator, since: Month, region: str) -> Estimate:
        """A difference from an earlier month."""
        analysis = self.data.changes[since]
        found = find(analysis, indicator.statistic, region=region, dimension="change_since") if indicator.statistic else None
        return found or Estimate(None, indicator.unit)

    def marks(self) -> str:
        """What the marks behind figures mean."""
        return marks_note(self.language)

    def class_of_mean(self) -> str:
        """Whose class a table gives."""
        return self.say("신뢰 등급은 평균 총소득의 것이다.", "The class is that of mean total income.")

    def error_alone(self) -> str:
        """Of figures with an error and no class."""
        return self.say(
            "총소득의 중위값과 지니계수는 오차만 있고 신뢰 등급은 따로 없다.",
            "The median and the Gini of total income have an error and no class of their own.",
        )

    def level_word(self) -> str:
        """What the region is divided into."""
        return codes.REGION_LEVEL.label(self.data.child_level, self.language)

    def unit(self, indicator: Indicator, is_difference: bool = False) -> str:
        """Unit of an indicator; of a difference of shares, percentage points."""
        if is_difference and indicator.unit == "share":
            return "%p"
        return unit_label(indicator.unit, self.language) or self.say("지수", "index")

    def with_unit(self, label: str) -> str:
        """A label with 만원 a year behind it."""
        return f"{label} ({unit_label('KRW/year', self.language)})"

    def head(self, key: str) -> str:
        """Label and unit of an indicator."""
        indicator = find_indicator(key)
        unit = unit_label(indicator.unit, self.language)
        return f"{indicator.label[self.language == 'en']} ({unit})" if unit else indicator.label[self.language == "en"]

    def heads(self, *keys: str) -> tuple[str, ...]:
        """Labels and units of indicators."""
        return tuple(self.head(key) for key in keys)


def find(analysis: PolicyAnalysis, statistic: str, *, region: str, dimension: str = codes.ALL) -> Estimate | None:
    """The estimate of an analysis for a region, or None."""
    row = analysis.by_region.get((region, dimension, statistic))
    if row is None:
        return None
    reliability = None if is_missing(row["reliability"]) else str(row["reliability"])
    return Estimate(row["value"], str(row["unit"]), row["standard_error"], reliability)


def published(row: Mapping[Any, Any] | pd.Series[Any], column: str, unit: str) -> Estimate:
    """A published figure with its error, where the row has that (`rmse_` and the column's name).

    Only mean total income has a class. Where that is poor, other figures are no better.
    """
    value, error, found = row.get(column), row.get(f"rmse_{column}"), row.get("reliability")
    reliability = None if is_missing(found) else str(found)
    if column != MEAN:
        return Estimate(value, unit, error, reliability if reliability != "publishable" else None)
    cv = row.get(CV)
    if is_missing(error) and not is_missing(cv) and not is_missing(value):
        error = float(cv) * float(value)  # type: ignore[arg-type]
    return Estimate(value, unit, error, reliability)
