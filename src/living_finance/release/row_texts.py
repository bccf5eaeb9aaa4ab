"""What a release says about its row-level files: data package, evidence, README."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from living_finance.contracts import row_files as rf
from living_finance.contracts.core import Column, Kind, Measure
from living_finance.contracts.releases import Labels
from living_finance.release.package import AS_FILE, closed_to, code_table, column_table, tabular
from living_finance.release.rules import RowRules

_KINDS = {Kind.MONEY: "integer", Kind.DECIMAL: "number"}
_TECHNIQUES = {
    Measure.CATEGORISED: "데이터 범주화(범위 방법·감추기)",
    Measure.AGGREGATED: "총계처리(라운딩·부분총계)",
    Measure.DELETED: "데이터 삭제(식별자 삭제)",
}
"""Measure → technique as the guideline of 2016 lists it."""


def resources(files: Mapping[str, tuple[int, str]], *, rules: RowRules) -> list[dict[str, Any]]:
    """Resources of the data package.

    Args:
        files: path in the package → (bytes, SHA-256).
        rules: of the row-level files.
    """
    found = []
    for file in rf.ROW_FILES.values():
        for kind, media in (("csv", "text/csv"), ("parquet", "application/vnd.apache.parquet")):
            size, sha256 = files[f"data/{file.name}.{kind}"]
            resource: dict[str, Any] = {
                "name": file.name.replace("_", "-") + ("" if kind == "csv" else "-parquet"),
                "path": f"data/{file.name}.{kind}",
                "title": f"{file.label_ko} / {file.label_en}",
                "format": kind,
                "mediatype": media,
                "bytes": size,
                "hash": f"sha256:{sha256}",
                "quasi_identifiers": list(file.quasi_names),
                "sensitive": list(rf.SENSITIVE_CODES),
                "k_anonymity": rules.k.value,
                "l_diversity": rules.distinct_classes.value,
                "is_sample": True,
                "people_in_both_files": False,
            }
            fields = [_field(column, rf.labels_of(column.name, file)) for column in file.columns]
            found.append(resource | (tabular({"fields": fields, "missingValues": [""]}) if kind == "csv" else AS_FILE))
    return found


def _field(column: Column, labels: Labels) -> dict[str, Any]:
    meaning = f"{column.meaning} [{column.unit}]" if column.unit else column.meaning
    return {
        "name": column.name,
        "type": _KINDS.get(column.kind, "string"),
        "title": f"{column.label_ko} / {column.label_en}",
        "description": f"{meaning} [{column.measure.value}]".strip(),
        "meaning_ko": column.meaning_ko,
        "meaning_en": column.meaning,
        **closed_to(labels),
    }


def summary(loss: pd.DataFrame, followed: int, file: rf.RowFile) -> dict[str, Any]:
    """Information loss of one file: shares and levels only, no count of a group that is not published.

    Args:
        loss: of `rows.information_loss`, one row per group.
        followed: rows left out because of earlier releases.
        file: which.
    """
    rows, suppressed = int(loss["rows"].sum()), int(loss["suppressed"].sum())
    heights = {"region_code": len(rf.REGION_LENGTHS) - 1, **{q.name: len(q.levels) - 1 for q in file.quasi}}
    levels = {}
    for name, highest in heights.items():
        mean = float((loss[f"level_{name}"] * loss["rows"]).sum()) / max(rows, 1)
        levels[name] = {"평균 단계": round(mean, 3), "최고 단계": highest}
    return {
        "행 수": rows - suppressed - followed,
        "삭제된 행 비율": round((suppressed + followed) / max(rows, 1), 4),
        "그 가운데 이전 공개와 이어져 삭제된 행 비율": round(followed / max(rows, 1), 4),
        "지역별 삭제된 행 비율의 최댓값": round(float((loss["suppressed"] / loss["rows"]).max()) if rows else 0.0, 3),
        "일반화 높이": levels,
        "일반화 비용(0-1)": round(float((loss["cost"] * loss["rows"]).sum()) / max(rows, 1), 4),
        "식별 불가 지수(discernibility) 행당": round(float(loss["discernibility"].sum()) / max(rows, 1), 1),
        "동질 집합 수": int(loss["classes"].sum()),
    }


def evidence(loss: Mapping[str, pd.DataFrame], followed: Mapping[str, int], *, rules: RowRules) -> dict[str, Any]:
    """The part of the evidence pack: rules, technique by column, information loss.

    Args:
        loss: file → `rows.information_loss`.
        followed: file → rows left out because of earlier releases.
        rules: of the row-level files.
    """
    content: dict[str, Any] = {"규칙": rules.model_dump(exclude={"sampling_seed"})}
    for file in rf.ROW_FILES.values():
        techniques = {c.name: _TECHNIQUES[c.measure] for c in file.columns if c.measure in _TECHNIQUES}
        techniques |= {c.name: _TECHNIQUES[Measure.DELETED] for c in file.deleted}
        techniques |= {q.name: f"{_TECHNIQUES[Measure.CATEGORISED]}, 데이터 삭제(레코드 삭제)" for q in file.quasi}
        content[file.name] = {"컬럼별 기법": techniques, "정보 손실": summary(loss[file.name], followed[file.name], file)}
    return content


def readme(loss: Mapping[str, pd.DataFrame], followed: Mapping[str, int], *, rules: RowRules) -> str:
    """The part of the README, Korean and English.

    Args:
        loss: file → `rows.information_loss`.
        followed: file → rows left out because of earlier releases.
        rules: of the row-level files.
    """
    facts = {name: summary(frame, followed[name], rf.ROW_FILES[name]) for name, frame in loss.items()}
    listing = "\n".join(
        f"| `data/{name}.csv`, `.parquet` | {fact['행 수']:,} | {fact['삭제된 행 비율']:.2%} | {fact['일반화 비용(0-1)']:.3f} |"
        for name, fact in facts.items()
    )
    k, distinct = rules.k.value, rules.distinct_classes.value
    households, persons = f"{rules.household_share.value:.0%}", f"{rules.person_share.value:.0%}"
    year, month, balance = (f"{base.value:,}" for base in (rules.krw_year_base, rules.krw_month_base, rules.krw_base))
    return f"""
## 행 자료 / Row-level files

| file | rows | 삭제 suppressed | 일반화 비용 generalisation |
|---|---|---|---|
{listing}

- 가구의 {households}, 그 밖의 가구에 속한 신용거래자 {persons}의 표본입니다. 어느 누구도 두 파일에 함께 들어 있지 않으며,
  식별자는 없습니다.
- 모든 구분이 같은 행은 {k}개 이상이고(k-익명성), 그 안의 소득 구간과 부채 구간은 각각 {distinct}가지 이상입니다(l-다양성).
  구분은 자치구마다 다른 단계로 일반화될 수 있으며 `all`은 구분하지 않음을 뜻합니다.
- 금액은 연 {year}원, 월 {month}원, 잔액 {balance}원 단위로 반올림하고 양 끝을 상·하한값으로 바꾸었습니다.
  총소득은 구성 요소의 합과 다를 수 있습니다. `weight`는 시의 가구 수에 대한 가중치이며, 개인 자료에는 없습니다.
- Samples of {households} of the households and {persons} of the bureau residents of other households: nobody is in both
  files, and there is no identifier.
- At least {k} rows share all categories (k-anonymity), with at least {distinct} classes of income and of debt among them
  (l-diversity). Categories may be generalised further in one district than in another; `all`: not told apart.
- Amounts are rounded to {year} KRW a year, {month} KRW a month, {balance} KRW for balances; both tails are replaced by a
  limit. Total income need not equal the sum of its parts. `weight` counts households of the city; persons have none.

### 행 자료의 데이터 사전 / Data dictionary of row-level files

{column_table(list({column.name: column for file in rf.ROW_FILES.values() for column in file.columns}.values()))}

### 행 자료의 코드 / Codes of row-level files

{_listed()}
"""


def _listed() -> str:
    tables = {
        (column.name, labels): code_table(column.name, f"{column.label_ko} / {column.label_en}", labels)
        for file in rf.ROW_FILES.values()
        for column in file.columns
        if (labels := rf.labels_of(column.name, file))
    }
    return "\n\n".join(tables.values())
