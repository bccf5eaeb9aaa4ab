"""What changed since the month before, and which change of the inputs explains it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from living_finance.config import QualitySettings
from living_finance.contracts import codes
from living_finance.contracts import quality as q
from living_finance.contracts.gold import HOUSEHOLD_STATISTICS, MAIN_FIGURES
from living_finance.quality.evidence import Evidence, MonthFacts

_YEARLY = ("census", "survey", "benchmarks", "regions")
_KEYS = ["region_level", "region_code"]


def quality_change(evidence: Evidence, settings: QualitySettings) -> pd.DataFrame:
    """Relative change of each region's main figures, with the inputs that changed where it exceeds its limit.

    The inputs looked at: deliveries (restated, another year), code, rows of bureau and register in the region, coverage of
    the bureau, share of bureau rows edited in the district. A model fitted anew is no explanation: it is fitted every month.

    Returns:
        Columns of gold.quality_change but `base_month`; no rows without a month before.
    """
    columns = [name for name in q.QUALITY_CHANGE.column_names if name != "base_month"]
    if evidence.before is None:
        return pd.DataFrame(columns=columns)
    now, before = (
        facts.statistics.melt(id_vars=_KEYS, value_vars=list(MAIN_FIGURES), var_name="measure")
        for facts in (evidence.now, evidence.before)
    )
    rows = now.merge(before, on=[*_KEYS, "measure"], how="inner", suffixes=("", "_before"), validate="one_to_one")
    rows = rows.dropna(subset=["value", "value_before"])
    rows = rows.assign(value=rows["value"].astype(float), previous_value=rows["value_before"].astype(float))
    rows["relative_change"] = rows["value"] / rows["previous_value"].where(rows["previous_value"] != 0) - 1
    rows["limit"] = rows["region_level"].map(settings.max_change.model_dump()).astype(float)
    rows["is_within_limit"] = rows["relative_change"].abs().fillna(0.0) <= rows["limit"]
    rows["previous_month"] = evidence.before.month.date
    general = _general_causes(evidence.now, evidence.before)
    inputs = _region_inputs(evidence, settings)
    told = [_told(row, general, inputs) for row in rows.to_dict("records")]
    return rows.assign(**pd.DataFrame(told, index=rows.index, columns=["causes", "explanation_ko", "explanation_en"]))[columns]


def _general_causes(now: MonthFacts, before: MonthFacts) -> dict[str, tuple[str, str]]:
    """Cause → Korean and English text, of what is the same for all regions."""
    causes: dict[str, tuple[str, str]] = {}
    for name, facts in now.deliveries.items():
        was = before.deliveries.get(name)
        if was is None:
            continue
        if name in _YEARLY and (facts.month, facts.number) != (was.month, was.number):
            causes[f"new_{name}"] = (
                f"{name} 자료 교체({was.month}→{facts.month})",
                f"{name} of {facts.month} instead of {was.month}",
            )
        elif facts.number != was.number:
            causes[f"restated_{name}"] = (f"{name} {facts.number}차 재제공", f"{name} restated (delivery {facts.number})")
    if now.models.get("code") and before.models.get("code") and now.models["code"] != before.models["code"]:
        causes["code"] = ("처리 프로그램 변경", "another version of the code")
    return causes


def _region_inputs(evidence: Evidence, settings: QualitySettings) -> Mapping[tuple[str, str], dict[str, tuple[str, str]]]:
    """Region → cause → texts, of inputs that moved by more than `input_change` there."""
    before = evidence.before
    if before is None:
        return {}
    found: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
    counts = [_region_counts(facts.coverage) for facts in (evidence.now, before)]
    joined = counts[0].join(counts[1], how="inner", lsuffix="_now", rsuffix="_before")
    for region, row in joined.iterrows():
        key = (str(region[0]), str(region[1]))  # type: ignore[index]
        texts: dict[str, tuple[str, str]] = {}
        for name, ko, en in (("bureau", "신용거래자", "bureau residents"), ("register", "등록 인구", "registered residents")):
            was, is_now = row[f"{name}_persons_before"], row[f"{name}_persons_now"]
            if was > 0 and abs(is_now / was - 1) > settings.input_change:
                texts[f"{name}_rows"] = (f"{ko} {is_now / was - 1:+.1%}", f"{en} {is_now / was - 1:+.1%}")
        if min(row["census_persons_before"], row["census_persons_now"]) > 0:
            was, is_now = (row[f"bureau_persons_{t}"] / row[f"census_persons_{t}"] for t in ("before", "now"))
            if abs(is_now - was) > settings.input_change:
                texts["coverage"] = (
                    f"신용거래자 포괄률 {was:.1%}→{is_now:.1%}",
                    f"coverage of the bureau {was:.1%} → {is_now:.1%}",
                )
        found[key] = texts
    edited = [_edited_share(facts.edits) for facts in (evidence.now, before)]
    for gu in edited[0].index.intersection(edited[1].index):
        was, is_now = edited[1][gu], edited[0][gu]
        if abs(is_now - was) > settings.input_change:
            level = "city" if gu == codes.CITY_CODE else "gu"
            found.setdefault((level, str(gu)), {})["edits"] = (
                f"수정된 신용거래자 행 {was:.1%}→{is_now:.1%}",
                f"bureau rows edited {was:.1%} → {is_now:.1%}",
            )
    return found


def _region_counts(coverage: pd.DataFrame) -> pd.DataFrame:
    names = ["bureau_persons", "register_persons", "census_persons"]
    dong = coverage["dong_code"]
    parts = [
        coverage[names].assign(region_level=level, region_code=code).groupby(_KEYS).sum()
        for level, code in (("dong", dong), ("gu", dong.str[:5]), ("city", codes.CITY_CODE))
    ]
    return pd.concat(parts)


def _edited_share(edits: pd.DataFrame) -> pd.Series:
    own = edits[(edits["table"] == "bureau_persons") & (edits["reason"] == codes.ALL)]
    sums = own.groupby("gu_code")[["rows_edited", "rows_kept"]].sum()
    sums.loc[codes.CITY_CODE] = sums.sum()
    return sums["rows_edited"] / sums["rows_kept"].where(sums["rows_kept"] > 0)


def signed_percent(change: float) -> str:
    """A relative change as readers see it; what rounds to nothing has no minus.

    >>> signed_percent(-0.0004), signed_percent(-0.0123)
    ('+0.0%', '-1.2%')
    """
    return f"{round(change, 3) + 0.0:+.1%}"


def _told(
    row: Mapping[Hashable, Any],
    general: Mapping[str, tuple[str, str]],
    inputs: Mapping[tuple[str, str], dict[str, tuple[str, str]]],
) -> tuple[str, str, str]:
    """Causes and sentences of one change; nothing of a dong's or district's change within its limit."""
    level, region = str(row["region_level"]), str(row["region_code"])
    if row["is_within_limit"] and level != "city":
        return "", "", ""
    own = {key: inputs.get(key, {}) for key in {(level, region), ("gu", region[:5]), ("city", codes.CITY_CODE)}}
    local: dict[str, tuple[str, str]] = {}
    for (_, code), texts in sorted(own.items()):
        local |= {cause: tuple(f"{code} {text}" for text in both) for cause, both in texts.items()}  # type: ignore[misc]
    causes = {**general, **local}
    label = HOUSEHOLD_STATISTICS.column(str(row["measure"]))
    size = signed_percent(row["relative_change"])
    why = [" · ".join(texts[side] for texts in causes.values()) for side in (0, 1)]
    if causes:
        ends = (f"입력 변화: {why[0]}", f"inputs that changed: {why[1]}")
    else:
        ends = ("입력의 변화를 찾지 못함", "no change of the inputs was found")
    return (" ".join(causes), f"{label.label_ko} {size}. {ends[0]}.", f"{label.label_en} {size}; {ends[1]}.")
