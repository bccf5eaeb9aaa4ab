"""What leaves (contract, section 3): the long tables of a release, their columns, statistics and states."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from living_finance.contracts import codes, gold, silver
from living_finance.contracts.core import CodeList, Column, Kind, Measure, Table
from living_finance.contracts.utilization import COMMON_LABELS, LABELS

STATUS = CodeList(
    "status",
    (
        ("published", "공표", "published"),
        ("suppressed_small", "비공표(소수)", "withheld: too few contribute, or a group would be disclosed"),
        ("suppressed_dominance", "비공표(우월)", "withheld: few contribute most of it"),
        ("suppressed_secondary", "비공표(보완)", "withheld so that another withheld value cannot be worked out"),
        ("unreliable", "비공표(신뢰도)", "withheld: its error is too large"),
    ),
)
PUBLISHED, SMALL, DOMINANCE, SECONDARY, UNRELIABLE = STATUS.codes

STATE = CodeList(
    "state",
    (
        ("candidate", "후보", "made and verified, not approved"),
        ("approved", "승인", "signed by a named approver"),
        ("published", "공개", "open to the public"),
        ("withdrawn", "회수", "no longer offered; what was seen stays seen"),
    ),
)
CANDIDATE, APPROVED, IS_PUBLIC, WITHDRAWN = STATE.codes

ATTACK = CodeList(
    "attack",
    (
        ("P1", "작은 수와 비율에서 드러나는 작은 수", "small counts, direct or implied by share × base"),
        ("P2", "전체에서 부분을 뺀 차이", "whole less parts: nested regions, categories of a total"),
        ("P3", "모든 연결에서 계산한 비공표 값의 범위", "bounds of withheld counts over all links of all tables"),
        ("P4", "정수 조건을 더한 비공표 값의 범위", "the same with whole numbers"),
        ("P5", "월간 차이와 반올림보다 자세한 값", "differences of months; figures finer than their rounding base"),
        ("P6", "같은 달의 판과 채널 비교", "versions and channels of one month together"),
        ("P7", "경계 변경과 겹치는 지역", "changed boundaries, overlapping regions"),
        ("P8", "소수의 우월(큰 몫을 가진 구성원)", "dominance of few contributors"),
        ("P9", "집단 노출과 0", "group disclosure and zeros"),
        ("P10", "행 자료의 유일한 조합", "unique combinations in row-level files"),
        ("P11", "공공 등록자료·내부 자료와의 연계", "linkage with public registers and the internal product"),
        ("P12", "반복된 잡음의 평균", "averaging of repeated noise"),
        ("P13", "메타데이터와 숨은 내용", "metadata, hidden columns, row order, file names"),
    ),
)
"""Of the gate, as the privacy rules number them."""

CHANNEL = CodeList("channel", (("portal", "열린데이터광장", "open-data portal"), ("campus", "빅데이터캠퍼스", "big-data campus")))

EVIDENCE = CodeList("evidence", (("buildings", "건축물대장", "the month's building register has no building of the type there"),))
EVIDENCE_OF = {"buildings": "dwelling_type"}
"""Public evidence that nobody can be somewhere → the dimension it is about."""

UNIT = CodeList(
    "unit",
    (
        ("households", "가구", "households"),
        ("persons", "명", "persons"),
        ("KRW/year", "원/년", "won a year"),
        ("KRW/month", "원/월", "won a month"),
        ("KRW", "원", "won"),
        ("share", "비율(0~1)", "share, 0 to 1"),
        ("ratio", "계수", "ratio, no unit"),
    ),
)

LEVELS: tuple[str, ...] = tuple(reversed(codes.REGION_LEVEL.codes))
"""From the city down."""
PARENT_CODE_LENGTH = {"output_area": 7, "dong": 5, "gu": 2}
"""A region's code begins with that of the region that holds it."""


class Measured(enum.Enum):
    """What kind of figure a statistic is; decides how it is protected."""

    COUNT = "count"
    MEAN = "mean"
    QUANTILE = "quantile"
    SHARE = "share"
    INDEX = "index"


@dataclass(frozen=True)
class Statistic:
    """One figure of a cell."""

    name: str
    measured: Measured
    unit: str
    label_ko: str
    label_en: str
    meaning: str = ""
    meaning_ko: str = ""

    @property
    def probability(self) -> float | None:
        """Of a quantile."""
        return dict(gold.QUANTILES)[self.name.partition("_")[0]] if self.measured is Measured.QUANTILE else None


COUNT_OF = {"household_statistics": "households", "household_breakdown": "households", "person_statistics": "persons"}
"""Gold table → its count, which names the population too: tables of one population are linked by their counts."""
CONTRIBUTORS = {"households": "households_unweighted", "persons": "persons"}
"""Population → the gold column of unweighted contributors."""
_FLAGGED = {"share_with_debt": "has_debt", "overdue_share": "is_overdue"}


def _statistic(column: Column) -> Statistic | None:
    prefix = column.name.partition("_")[0]
    if column.name in COUNT_OF.values():
        measured, unit = Measured.COUNT, column.name
    elif column.kind is Kind.MONEY and prefix == "mean":
        measured, unit = Measured.MEAN, column.unit
    elif column.kind is Kind.MONEY and prefix in dict(gold.QUANTILES):
        measured, unit = Measured.QUANTILE, column.unit
    elif column.name in _FLAGGED:
        measured, unit = Measured.SHARE, "share"
    elif column.name in ("gini_total_income", "cv_mean_total_income"):
        measured, unit = Measured.INDEX, "ratio"
    else:
        return None
    return Statistic(column.name, measured, unit, column.label_ko, column.label_en, column.meaning, column.meaning_ko)


def statistics_of(table: Table) -> dict[str, Statistic]:
    """Statistics of a gold table that can leave, by name; exact contributors never do."""
    found = (_statistic(column) for column in table.columns)
    return {statistic.name: statistic for statistic in found if statistic is not None}


SOURCES: dict[str, Table] = {
    table.name: table for table in (gold.HOUSEHOLD_STATISTICS, gold.HOUSEHOLD_BREAKDOWN, gold.PERSON_STATISTICS)
}
STATISTICS: dict[str, dict[str, Statistic]] = {name: statistics_of(table) for name, table in SOURCES.items()}
DIMENSIONS: dict[str, tuple[str, ...]] = {
    "household_statistics": ("head_sex", "head_age_band", "household_type"),
    "household_breakdown": codes.BREAKDOWN_DIMENSION.codes,
    "person_statistics": ("sex", "age_band"),
}
"""Gold table → the columns whose categories add up to `all`."""
PLACE = "place"
"""Splits persons into two populations that do not add up to anything."""

REGION_COLUMNS = ("base_month", "region_level", "region_code", "mois_code", "region_name_ko", "region_name_en")
VALUE_COLUMNS = ("statistic", "value", "unit", "status", "reliability")


def dimension_columns(source: str) -> tuple[str, ...]:
    """Dimension columns of the release tables made from a gold table."""
    return ((PLACE,) if source == "person_statistics" else ()) + DIMENSIONS[source]


def columns_of(source: str) -> tuple[str, ...]:
    """Columns of the release tables made from a gold table, in order."""
    return (*REGION_COLUMNS, *dimension_columns(source), *VALUE_COLUMNS)


def sort_key(source: str) -> tuple[str, ...]:
    """By which the rows stand, so that their order says nothing."""
    return ("region_level", "region_code", *dimension_columns(source), "statistic")


STRUCTURAL_ZEROS = "structural_zeros"
"""The file that lists them: regions × categories in which nobody can be, printed as zeros for that reason."""
ZERO_KEY = ("region_level", "region_code", "dimension", "category")
ZERO_COLUMNS = (*REGION_COLUMNS, "dimension", "category", "category_ko", "category_en", "evidence")


Labels = tuple[tuple[str, str, str], ...]
"""(code, Korean, English)"""
_COMMON = {code: (code, korean, english) for code, korean, english in COMMON_LABELS}


def labels_of(name: str) -> Labels:
    """What the codes of a column of the tables are called; nothing where it has no codes of its own."""
    if name == "dimension":
        return codes.BREAKDOWN_DIMENSION.labels
    listing = {"unit": UNIT, "status": STATUS, "evidence": EVIDENCE}.get(name) or LABELS.get(name)
    has_margin = any(name in dimensions for dimensions in DIMENSIONS.values())
    return ((*listing.labels, _COMMON[codes.ALL]) if has_margin else listing.labels) if listing else ()


def _text(name: str, ko: str, en: str, meaning_ko: str, meaning: str, measure: Measure = Measure.NONE) -> Column:
    return Column(name=name, kind=Kind.TEXT, label_ko=ko, label_en=en, meaning_ko=meaning_ko, meaning=meaning, measure=measure)


def column(name: str) -> Column:
    """Labels and meaning of a column of a release."""
    return _COLUMNS[name]


_COLUMNS = {
    column.name: column
    for column in (
        _text("base_month", "기준월", "month", "연-월(YYYY-MM)", "YYYY-MM"),
        *silver.REGION_COLUMNS[1:],
        _text(
            "mois_code", "행정안전부 코드", "code of the interior ministry", "코드가 없는 지역은 빈 값", "empty where it has none"
        ),
        _text("region_name_ko", "지역명", "region, Korean", "집계구는 그 행정동의 이름", "of an output area, that of its dong"),
        _text(
            "region_name_en",
            "지역명(영문)",
            "region, English",
            "집계구는 그 행정동의 이름",
            "of an output area, that of its dong",
        ),
        *(
            gold.HOUSEHOLD_STATISTICS.column(name).renamed(name, measure=Measure.CATEGORISED)
            for name in DIMENSIONS["household_statistics"]
        ),
        *(
            _text(code, ko, en, "`all`은 합계", "`all` for the margin", Measure.CATEGORISED)
            for code, ko, en in codes.BREAKDOWN_DIMENSION.labels
        ),
        gold.PERSON_STATISTICS.column(PLACE),
        *(
            gold.PERSON_STATISTICS.column(name).renamed(name, measure=Measure.CATEGORISED)
            for name in DIMENSIONS["person_statistics"]
        ),
        _text("statistic", "통계 항목", "statistic", "무엇을 나타내는 값인지", "what the value is of"),
        Column(
            name="value",
            kind=Kind.DECIMAL,
            label_ko="값",
            label_en="value",
            meaning="rounded; empty unless published",
            meaning_ko="반올림한 값, 공표하지 않는 값은 빈 값",
            measure=Measure.AGGREGATED,
        ),
        _text("unit", "단위", "unit", "값의 단위", "of the value"),
        Column(
            name="status",
            kind=Kind.CODE,
            label_ko="공표 상태",
            label_en="status",
            meaning="whether the value is published, and why not",
            meaning_ko="공표 여부와 공표하지 않는 사유",
            codes=STATUS,
            measure=Measure.MASKED,
        ),
        gold.HOUSEHOLD_STATISTICS.column("reliability"),
        _text("dimension", "차원", "dimension", "구분의 종류", "which column the category is of"),
        _text(
            "category",
            "구분",
            "category",
            "그 지역에 해당자가 있을 수 없어 수가 0인 구분",
            "nobody can be in it there, so that its counts are 0",
        ),
        _text("category_ko", "구분(한글)", "category, Korean", "구분의 한글 이름", "its Korean name"),
        _text("category_en", "구분(영문)", "category, English", "구분의 영문 이름", "its English name"),
        Column(
            name="evidence",
            kind=Kind.CODE,
            label_ko="근거",
            label_en="evidence",
            meaning="public evidence that nobody can be there",
            meaning_ko="해당자가 있을 수 없다는 공개된 근거",
            codes=EVIDENCE,
        ),
    )
}
