"""Checks a month passes before it is published."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from living_finance.config import QualitySettings
from living_finance.contracts import codes
from living_finance.contracts import quality as q
from living_finance.contracts.deliveries import DATASETS
from living_finance.contracts.gold import QUANTILES
from living_finance.quality.dimensions import published
from living_finance.quality.evidence import Evidence


@dataclass(frozen=True)
class _Check:
    check_name: str
    value: float | None
    threshold: float | None
    passed: bool | None
    explanation_ko: str
    explanation_en: str


def _at_most(name: str, value: float, threshold: float, ko: str, en: str) -> _Check:
    return _Check(name, float(value), threshold, bool(value <= threshold), ko, en)


def quality_checks(
    evidence: Evidence, *, scores: pd.DataFrame, changes: pd.DataFrame, movement: pd.DataFrame, settings: QualitySettings
) -> pd.DataFrame:
    """Every check with its result; a failed one that is blocking stops publication and release.

    Args:
        evidence: of the month.
        scores: of `dimensions.scores`.
        changes: of `change.quality_change`.
        movement: of `movement.population_movement`.
        settings: limits, and which checks are blocking.

    Returns:
        Columns of gold.quality_check but `base_month`; passed is None where there is nothing to check.
    """
    found = [
        _rows_accounted_for(evidence),
        _components(evidence),
        _every_dong(evidence),
        _levels(evidence),
        _quantiles(evidence),
        _census(evidence),
        _published_mean(evidence, settings),
        *_changes(evidence, changes),
        _movement(movement, settings),
        _report(evidence),
        _reliable(evidence, settings),
        _score(evidence, scores, settings),
    ]
    rows = pd.DataFrame([vars(check) for check in found])
    rows["is_blocking"] = rows["check_name"].isin(settings.blocking)
    return rows[[name for name in q.QUALITY_CHECK.column_names if name != "base_month"]]


def _rows_accounted_for(evidence: Evidence) -> _Check:
    edits = evidence.now.edits[evidence.now.edits["reason"] == codes.ALL]
    there = (edits["rows_kept"] + edits["rows_quarantined"] + edits["rows_removed"]).groupby(edits["table"]).sum()
    gaps = {
        table.bronze_name: abs(int(there.get(table.bronze_name, 0)) - facts.rows.get(table.name, 0))
        for dataset in DATASETS
        if (facts := evidence.now.deliveries.get(dataset.name)) is not None
        for table in dataset.tables
    }
    wrong = sorted(name for name, gap in gaps.items() if gap)
    told = ("차이: " + ", ".join(wrong), "they differ in " + ", ".join(wrong)) if wrong else ("", "")
    return _at_most("rows_accounted_for", sum(gaps.values()), 0, *told)


def _components(evidence: Evidence) -> _Check:
    found = evidence.report.loc[evidence.report["indicator"] == "largest_gap_of_components_to_total_krw", "value"].dropna()
    if found.empty:
        return _Check("components_add_up", None, 0.0, None, "지표 없음", "gold.quality_report lacks the indicator")
    return _at_most("components_add_up", float(found.iloc[0]), 0.0, "", "")


def _level(evidence: Evidence, level: str) -> pd.DataFrame:
    return evidence.now.statistics[evidence.now.statistics["region_level"] == level]


def _every_dong(evidence: Evidence) -> _Check:
    census = evidence.areas.loc[evidence.areas["census_households"] > 0, "dong_code"]
    wanted = evidence.regions.loc[evidence.regions["dong_code"].isin(census), "dong_code"]
    missing = sorted(set(wanted) - set(_level(evidence, "dong")["region_code"]))
    names = ", ".join(missing[:5])
    told = (f"통계가 없는 행정동: {names}", f"dongs with census households and no statistics: {names}") if missing else ("", "")
    return _at_most("every_dong_published", len(missing), 0, *told)


def _levels(evidence: Evidence) -> _Check:
    sums = {level: _level(evidence, level)["households"].sum() for level in ("dong", "gu", "city")}
    city = sums["city"]
    apart = max(abs(sums[level] / city - 1) for level in ("dong", "gu")) if city > 0 else math.inf
    return _at_most("levels_add_up", apart, 1e-6, "최대 상대 차이", "largest relative difference to the city")


def _quantiles(evidence: Evidence) -> _Check:
    ordered = evidence.now.statistics[[f"{name}_total_income_krw_year" for name, _ in QUANTILES]].astype(float)
    wrong = int((ordered.diff(axis=1).iloc[:, 1:] < 0).any(axis=1).sum())
    return _at_most("quantiles_in_order", wrong, 0, "순서가 어긋난 지역 수", "regions whose quantiles are not in order")


def _census(evidence: Evidence) -> _Check:
    areas, met = evidence.areas["areas"].sum(), evidence.areas["areas_met"].sum()
    return _at_most(
        "census_households_met", int(areas - met), 0, "목표 가구와 다른 집계구 수", "output areas off their households"
    )


def _published_mean(evidence: Evidence, settings: QualitySettings) -> _Check:
    figure, city = published(evidence, "mean_total_income"), _level(evidence, "city")
    if figure is None or city.empty or figure[1] <= 0:
        return _Check("near_published_mean", None, None, None, "공표값 또는 그 오차 없음", "no published figure with an error")
    errors = abs(float(city["mean_total_income_krw_year"].iloc[0]) / figure[0] - 1) / figure[1]
    return _at_most(
        "near_published_mean",
        errors,
        settings.published_mean_errors,
        "공표값의 표준오차 단위",
        "in standard errors of the published figure",
    )


def _changes(evidence: Evidence, changes: pd.DataFrame) -> Iterator[_Check]:
    for name, level in (("city_change_explained", "city"), ("district_change_explained", "gu")):
        if evidence.before is None:
            yield _Check(name, None, 0.0, None, "첫 월: 비교 대상 없음", q.NO_PREVIOUS_MONTH)
            continue
        own = changes[(changes["region_level"] == level) & ~changes["is_within_limit"].astype(bool)]
        unexplained = own[own["causes"] == ""]
        regions = ", ".join(f"{r.region_code} {r.measure}" for r in unexplained.head(5).itertuples())
        ko, en = (
            f"한계 초과 {len(own)}건, 설명 없음 {len(unexplained)}건",
            f"{len(own)} beyond the limit, {len(unexplained)} without a cause",
        )
        yield _at_most(name, len(unexplained), 0, f"{ko} {regions}".strip(), f"{en} {regions}".strip())


def _movement(movement: pd.DataFrame, settings: QualitySettings) -> _Check:
    own = movement[movement["region_level"] != "city"]
    implausible = int((~own["is_plausible"].astype(bool)).sum())
    city = movement[(movement["region_level"] == "city") & ~movement["is_plausible"].astype(bool)]
    share = implausible / len(own) if len(own) else 0.0
    names = ", ".join(sorted(city["event"]))
    if names:
        return _Check(
            "movement_plausible", share, settings.max_implausible_share, False, f"시 전체: {names}", f"of the whole city: {names}"
        )
    return _at_most(
        "movement_plausible", share, settings.max_implausible_share, f"범위 밖 {implausible}건", f"{implausible} out of bounds"
    )


def _report(evidence: Evidence) -> _Check:
    failed = sorted(evidence.report.loc[evidence.report["passed"].eq(False), "indicator"])
    return _at_most("report_thresholds_met", len(failed), 0, ", ".join(failed), ", ".join(failed))


def _reliable(evidence: Evidence, settings: QualitySettings) -> _Check:
    judged = _level(evidence, "dong").dropna(subset=["reliability"])
    if judged.empty:
        return _Check("dongs_reliable", None, settings.max_unreliable_share, None, "오차 없음", "no errors were estimated")
    unreliable = int((judged["reliability"] == "unreliable").sum())
    return _at_most(
        "dongs_reliable",
        unreliable / len(judged),
        settings.max_unreliable_share,
        f"신뢰 불가 {unreliable}개 동",
        f"{unreliable} unreliable dongs",
    )


def _score(evidence: Evidence, scores: pd.DataFrame, settings: QualitySettings) -> _Check:
    own = scores[scores["object_type"] == "month"]
    if own.empty:
        return _Check("score_sufficient", None, settings.grades.fair, None, "", "")
    value = float(own["score"].iloc[0])
    return _Check("score_sufficient", value, settings.grades.fair, value >= settings.grades.fair, "100점 만점", "out of 100")
