"""The monthly quality report: one page of HTML that needs nothing else, in Korean or English."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from living_finance.contracts import STORED_TABLES, codes, gold
from living_finance.contracts import quality as q
from living_finance.contracts.core import CodeList, Table
from living_finance.contracts.deliveries import DATASETS, DELIVERED_TABLES
from living_finance.contracts.edits import rule_of
from living_finance.contracts.gold import EDIT_COUNTS, HOUSEHOLD_STATISTICS
from living_finance.contracts.language import IN_DEVELOPMENT, Language
from living_finance.contracts.publications import SHOWN
from living_finance.contracts.utilization import LABELS
from living_finance.months import Month
from living_finance.quality.change import signed_percent

SMALLEST_CELL = 5
"""Smaller counts of people or households are not printed."""
_MOST_ROWS = 60
_COVERED = ("bureau_persons", "register_persons", "weighted_persons")
_BAR_REM = 6.0

_TEXTS: Mapping[str, tuple[str, str]] = {
    "title": ("생활금융 통계 품질 보고서", "Quality of the living-finance statistics"),
    "banner": (f"{IN_DEVELOPMENT.ko}. 내부용입니다.", f"{IN_DEVELOPMENT.en}. For internal use."),
    "of_100": ("/ 100점", "out of 100"),
    "grade": ("등급", "grade"),
    "compared": ("비교 월", "Compared with"),
    "first": ("없음(첫 월)", "nothing: the first month"),
    "nothing": ("해당 없음", "None."),
    "footer": (
        "산식과 기준: docs/decisions/0023, conf/local.yaml(quality). 5 미만의 인원·가구 수는 표시하지 않습니다.",
        "Methods and limits: docs/decisions/0023, conf/local.yaml (quality). Counts under 5 are not shown.",
    ),
    "yes": ("충족", "yes"),
    "no": ("미충족", "no"),
    "unknown": ("해당 없음", "nothing to check"),
    "source": ("출처", "Source"),
    "month": ("기준월", "Month"),
    "models": ("모형", "Model"),
    "blocking": ("공표 차단", "stops publication"),
}

_OBJECTS: Mapping[str, tuple[str, str]] = {
    **{name: (table.label_ko, table.label_en) for name, table in STORED_TABLES.items()},
    **{
        name: (table.label_ko, table.label_en)
        for table in DELIVERED_TABLES
        for name in (table.bronze_name, f"delivery.{table.bronze_name}")
    },
    **{d.name: (", ".join(t.label_ko for t in d.tables), ", ".join(t.label_en for t in d.tables)) for d in DATASETS},
}
"""Table or dataset → what it is called; a dataset by its tables."""


@dataclass(frozen=True)
class _Cell:
    text: str
    kind: str = ""
    bar: float | None = None


@dataclass(frozen=True)
class _Section:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[_Cell]]
    source: Table
    note: str = ""


def quality_page(
    tables: Mapping[Table, pd.DataFrame],
    *,
    edits: pd.DataFrame,
    coverage: pd.DataFrame,
    month: Month,
    models: str,
    language: Language,
    versions: Mapping[str, str] | None = None,
    fonts: Callable[[str], Mapping[int, str]] = lambda _: {},
) -> str:
    """The page.

    Args:
        tables: each of quality.QUALITY_TABLES → its rows of the month.
        edits: of `evidence.edit_counts`.
        coverage: gold.coverage of the month.
        month: the month.
        models: versions of the models that its figures rest on.
        language: of the page.
        versions: table → its name with its version.
        fonts: text → weight → WOFF file, base64, with its characters.

    Returns:
        HTML without a reference to any other file.
    """
    side = 0 if language == "ko" else 1
    texts = {name: both[side] for name, both in _TEXTS.items()}
    scores, changes = tables[q.QUALITY_SCORE], tables[q.QUALITY_CHANGE]
    own = scores[scores["object_type"] == "month"]
    previous = f"{Month.from_date(changes['previous_month'].iloc[0])}" if len(changes) else texts["first"]
    maker = _Maker(language, texts)
    template = jinja2.Environment(
        loader=jinja2.PackageLoader("living_finance.quality", "."),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    ).get_template("report.html.j2")
    origins = {
        table.qualified_name: f"{texts['source']}: {(versions or {}).get(table.qualified_name, table.qualified_name)}"
        f" · {texts['month']}: {month} · {texts['models']}: {models}"
        for table in (*tables, gold.COVERAGE, gold.EDIT_REPORT)
    }
    content: dict[str, Any] = {
        "language": language,
        "t": texts,
        "month": str(month),
        "score": _number(own["score"].iloc[0], 1) if len(own) else "–",
        "grade": q.GRADE.label(own["grade"].iloc[0], language) if len(own) else "–",
        "previous": previous,
        "origins": origins,
        "sections": [
            maker.checks(tables[q.QUALITY_CHECK]),
            maker.scores(scores),
            maker.changes(changes),
            maker.cross(tables[q.CROSS_VALIDATION]),
            maker.movement(tables[q.POPULATION_MOVEMENT]),
            maker.coverage(coverage),
            maker.edits(edits),
            maker.indicators(tables[q.QUALITY_INDICATOR]),
        ],
    }
    return template.render(**content, fonts=fonts(template.render(**content, fonts={})))


class _Maker:
    """Sections in one language."""

    def __init__(self, language: Language, texts: Mapping[str, str]) -> None:
        self._language = language
        self._side = 0 if language == "ko" else 1
        self._texts = texts

    def _say(self, ko: str, en: str) -> str:
        return (ko, en)[self._side]

    def _columns(self, ko: str, en: str) -> list[str]:
        return self._say(ko, en).split("|")

    def _label(self, code_list: CodeList, code: object) -> str:
        return code_list.label(str(code), self._language)

    def _passed(self, passed: object) -> _Cell:
        if passed is not True and passed is not False and not isinstance(passed, np.bool_):
            return _Cell(self._texts["unknown"], "none")
        return _Cell(self._texts["yes"], "yes") if passed else _Cell(self._texts["no"], "no")

    def checks(self, rows: pd.DataFrame) -> _Section:
        lines = [
            (
                _Cell(self._label(q.CHECK, row["check_name"])),
                self._passed(row["passed"]),
                _Cell(_number(row["value"], 4), "n"),
                _Cell(_number(row["threshold"], 4), "n"),
                _Cell(self._texts["blocking"] if row["is_blocking"] else ""),
                _Cell(_text(row[f"explanation_{self._language}"])),
            )
            for row in _records(rows)
        ]
        columns = (
            self._say("점검", "check"),
            self._say("결과", "passed"),
            self._say("값", "value"),
            self._say("기준", "threshold"),
        )
        return _Section(
            self._say("공표 전 점검", "Checks before publication"),
            (*columns, "", self._say("설명", "explanation")),
            lines,
            q.QUALITY_CHECK,
        )

    def scores(self, rows: pd.DataFrame) -> _Section:
        dimensions = [self._label(q.DIMENSION, code) for code in q.DIMENSION.codes]
        lines = [
            (
                _Cell(self._label(q.OBJECT_TYPE, row["object_type"])),
                _Cell(self._object(row["object_name"])),
                _Cell(_number(row["score"], 1), "n", _BAR_REM * float(row["score"]) / 100),
                _Cell(self._label(q.GRADE, row["grade"]), "no" if row["grade"] == "poor" else ""),
                *(_Cell(_number(row[f"{code}_score"], 1), "n") for code in q.DIMENSION.codes),
            )
            for row in _records(rows.sort_values(["object_type", "object_name"]))
        ]
        columns = self._columns("구분|대상|점수|등급", "kind|object|score|grade")
        note = self._say(
            "점수는 측정된 차원의 가중평균입니다. 빈칸은 측정하지 않은 차원입니다.",
            "A score is the weighted mean of the dimensions that are measured; blank: not measured.",
        )
        return _Section(self._say("품질 점수", "Scores"), (*columns, *dimensions), lines, q.QUALITY_SCORE, note)

    def changes(self, rows: pd.DataFrame) -> _Section:
        shown = rows[(rows["region_level"] == "city") | ~rows["is_within_limit"].astype(bool)]
        order = pd.Categorical(shown["region_level"], ["city", "gu", "dong"], ordered=True)
        shown = shown.assign(_order=order).sort_values(["_order", "region_code", "measure"])
        lines = [
            (
                _Cell(f"{self._label(codes.REGION_LEVEL, row['region_level'])} {row['region_code']}"),
                _Cell(self._measure(row["measure"], unit := _unit(row["measure"]))),
                _Cell(_amount(row["previous_value"], unit, 3), "n"),
                _Cell(_amount(row["value"], unit, 3), "n"),
                _Cell(_percent(row["relative_change"]), "n"),
                self._passed(row["is_within_limit"]),
                _Cell(_text(row[f"explanation_{self._language}"])),
            )
            for row in _records(shown.head(_MOST_ROWS))
        ]
        columns = self._columns(
            "지역|항목|전월|당월|증감|한계 이내|설명",
            "region|measure|before|now|change|within|explanation",
        )
        return _Section(
            self._say("전월 대비 변화", "Change since the month before"),
            columns,
            lines,
            q.QUALITY_CHANGE,
            self._cut(len(shown), "시 전체와 한계 초과 지역", "the city and regions beyond their limit"),
        )

    def cross(self, rows: pd.DataFrame) -> _Section:
        is_reference = rows["source"] == rows["reference_source"]
        city = rows[(rows["region_level"] == "city") & ~is_reference & rows["ratio"].notna()]
        errors = rows[(rows["region_level"] == "city") & is_reference].set_index("measure")["standard_error"]
        lines = [
            (
                _Cell(self._measure(row["measure"], row["unit"])),
                _Cell(f"{self._label(q.SOURCE, row['source'])} · {row[f'definition_{self._language}']}"),
                _Cell(_with_error(row["value"], row["standard_error"], row["unit"]), "n"),
                _Cell(self._label(q.SOURCE, row["reference_source"])),
                _Cell(_with_error(row["reference_value"], errors[row["measure"]], row["unit"]), "n"),
                _Cell(_number(row["ratio"], 3), "n"),
                _Cell(self._say("일치", "same") if row["is_same_definition"] else self._say("다름", "differs")),
            )
            for row in _records(city)
        ]
        columns = self._columns(
            "항목|자료|값 ± 표준오차|기준 자료|기준값 ± 표준오차|비율|정의",
            "measure|source|value ± standard error|compared with|its value ± standard error|ratio|definition",
        )
        return _Section(
            self._say("자료 간 교차검증(시 전체)", "Cross-validation of the sources, whole city"),
            columns,
            lines,
            q.CROSS_VALIDATION,
            self._say("구·동별 값: gold.cross_validation", "Districts and dongs: gold.cross_validation"),
        )

    def movement(self, rows: pd.DataFrame) -> _Section:
        shown = rows[(rows["region_level"] == "city") | ~rows["is_plausible"].astype(bool)]
        shown = shown.sort_values(["region_level", "region_code", "event"])
        lines = [
            (
                _Cell(f"{self._label(codes.REGION_LEVEL, row['region_level'])} {row['region_code']}"),
                _Cell(self._label(q.EVENT, row["event"])),
                _Cell(_count(row["observed"]), "n"),
                _Cell(_number(row["rate_per_1000_year"], 1) if row["observed"] >= SMALLEST_CELL else "", "n"),
                _Cell(f"{_number(row['lower'], 0)} – {_number(row['upper'], 0)}", "n"),
                self._passed(row["is_plausible"]),
            )
            for row in _records(shown.head(_MOST_ROWS))
        ]
        columns = self._columns(
            "지역|변동|관측|연율(천 명당)|범위|타당",
            "region|event|observed|a year per 1,000|bounds|plausible",
        )
        return _Section(
            self._say("출생·사망·이동의 타당성", "Plausibility of births, deaths and moves"),
            columns,
            lines,
            q.POPULATION_MOVEMENT,
            self._cut(len(shown), "시 전체와 범위 밖 지역", "the city and regions out of their bounds"),
        )

    def coverage(self, rows: pd.DataFrame) -> _Section:
        sums = rows.groupby(["sex", "age_band"], as_index=False)[["census_persons", *_COVERED]].sum()
        lines = []
        for row in _records(sums):
            census = row["census_persons"]
            ratios = [row[name] / census if census >= SMALLEST_CELL else None for name in _COVERED]
            lines.append(
                (
                    _Cell(self._label(codes.SEX, row["sex"])),
                    _Cell(self._label(LABELS["age_band"], row["age_band"])),
                    _Cell(_count(census), "n"),
                    *(_Cell(_number(ratio, 3), "n", _BAR_REM * min(ratio, 1.5) / 1.5 if ratio else None) for ratio in ratios),
                )
            )
        columns = self._columns(
            "성별|연령|총조사|신용거래자 ÷ 총조사|등록 ÷ 총조사|가중 ÷ 총조사",
            "sex|age|census|bureau ÷ census|register ÷ census|weighted ÷ census",
        )
        return _Section(self._say("포괄 범위(성·연령별)", "Coverage by sex and age"), columns, lines, gold.COVERAGE)

    def edits(self, rows: pd.DataFrame) -> _Section:
        lines = []
        for row in _records(rows.groupby(["table", "reason"], as_index=False)[list(EDIT_COUNTS)].sum()):
            rule = rule_of(str(row["reason"]))
            meaning = self._say(rule.label_ko, rule.label_en) if rule else ""
            what = self._say("전체", "every row") if row["reason"] == codes.ALL else meaning
            counts = (_Cell(_count(row[name]), "n") for name in EDIT_COUNTS)
            lines.append((_Cell(self._object(row["table"])), _Cell(str(row["reason"])), _Cell(what), *counts))
        columns = self._columns("테이블|사유|의미|유지|수정|격리|제외", "table|reason|meaning|kept|edited|quarantined|removed")
        return _Section(self._say("정제 내역", "Edits"), columns, lines, gold.EDIT_REPORT)

    def indicators(self, rows: pd.DataFrame) -> _Section:
        lines = [
            (
                _Cell(self._object(row["object_name"])),
                _Cell(self._label(q.DIMENSION, row["dimension"])),
                _Cell(str(row["indicator"])),
                _Cell(str(row[f"method_{self._language}"])),
                _Cell(_number(row["value"], 4), "n"),
                _Cell(_number(row["score"], 1), "n"),
            )
            for row in _records(rows.sort_values(["object_type", "object_name", "dimension"]))
        ]
        columns = self._columns(
            "대상|차원|측정 항목|산식|값|점수",
            "object|dimension|indicator|how|value|score",
        )
        return _Section(self._say("측정값과 산식", "Indicators and how they are computed"), columns, lines, q.QUALITY_INDICATOR)

    def _object(self, name: object) -> str:
        """What a table or dataset is called, and its name; a month has no other."""
        label = self._say(*_OBJECTS.get(str(name), ("", "")))
        return f"{label} ({name})" if label else str(name)

    def _measure(self, name: object, unit: str) -> str:
        if name in HOUSEHOLD_STATISTICS.column_names:
            column = HOUSEHOLD_STATISTICS.column(str(name))
            label = self._say(column.label_ko, column.label_en)
        else:
            label = self._say(*_MEASURE_LABELS.get(str(name), (str(name), str(name))))
        return f"{label} ({SHOWN[unit].words.of(self._language)})" if unit in _MONEY else label

    def _cut(self, rows: int, ko: str, en: str) -> str:
        return self._say(f"{ko}, {min(rows, _MOST_ROWS)}/{rows}행", f"{en}; {min(rows, _MOST_ROWS)} of {rows} rows")


_MONEY = ("KRW", "KRW/year", "KRW/month")
_MEASURE_LABELS = {
    "persons": ("인구", "persons"),
    "persons_15_and_over": ("15세 이상 인구", "persons of 15 and over"),
    "persons_65_and_over": ("65세 이상 인구", "persons of 65 and over"),
    "persons_under_5": ("5세 미만 인구", "persons under 5"),
    **{f"share_{code}": (f"{ko} 비율", f"share of {en}") for code, ko, en in codes.TENURE.labels},
}


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def _text(value: object) -> str:
    return "" if value is None or pd.isna(value) else str(value)  # type: ignore[call-overload]


def _number(value: Any, digits: int) -> str:
    """A number with thousands separators; large ones without decimals, missing ones blank."""
    if value is None or pd.isna(value):
        return ""
    return (
        f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:,.0f}"
    )


def _unit(measure: object) -> str:
    return HOUSEHOLD_STATISTICS.column(str(measure)).unit if measure in HOUSEHOLD_STATISTICS.column_names else ""


def _amount(value: Any, unit: str, digits: int) -> str:
    """As readers read it: money in 만원."""
    if unit not in _MONEY or value is None or pd.isna(value):
        return _number(value, digits)
    return _number(value / SHOWN[unit].scale, 1 if unit == "KRW/month" else 0)


def _with_error(value: Any, error: Any, unit: str) -> str:
    """A value and, where known, its standard error."""
    known, spread = (_amount(number, unit, 3 if unit == "share" else 0) for number in (value, error))
    return f"{known} ± {spread}" if spread else known


def _count(value: Any) -> str:
    return f"<{SMALLEST_CELL}" if 0 < value < SMALLEST_CELL else f"{value:,.0f}"


def _percent(value: Any) -> str:
    return "" if value is None or pd.isna(value) else signed_percent(value)
