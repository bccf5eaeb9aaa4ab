"""How sure the figures are and how they were made."""

from __future__ import annotations

import pandas as pd

from living_finance.contracts import codes, gold
from living_finance.contracts import releases as r
from living_finance.contracts.deliveries import DELIVERED_TABLES
from living_finance.reports.author import CV, Author
from living_finance.reports.document import Block, Grid, Section, Text
from living_finance.reports.formats import (
    NONE,
    is_missing,
    percent,
)
from living_finance.reports.labels import quality_label


def reliability(author: Author) -> Section:
    """Regions by class."""
    data, language = author.data, author.language
    rows = []
    for level in ("gu", "dong"):
        regions = data.at(data.month, level=level)
        if regions.empty:
            continue
        counts = regions["reliability"].value_counts()
        worst = regions[CV].astype(float).max() if CV in regions else None
        rows.append(
            (
                codes.REGION_LEVEL.label(level, language),
                str(len(regions)),
                *(str(int(counts.get(code, 0))) for code in codes.RELIABILITY.codes),
                NONE if is_missing(worst) else percent(float(worst)),  # type: ignore[arg-type]
            )
        )
    grid = Grid(
        caption=author.say("평균 총소득의 신뢰 등급별 지역 수", "Regions by reliability of mean total income"),
        header=(
            author.say("지역 수준", "level"),
            author.say("지역 수", "regions"),
            *(codes.RELIABILITY.label(code, language) for code in codes.RELIABILITY.codes),
            author.say("가장 큰 변동계수 (%)", "largest CV (%)"),
        ),
        rows=tuple(rows),
        origin=data.origin("household_statistics"),
    )
    text = author.say(
        "변동계수(표준오차 ÷ 값)가 15% 이하이면 공표 가능, 30% 이하이면 이용 주의, 그보다 크면 신뢰 불가이다. "
        "비율은 표준오차 2.5%p 이하이면 공표 가능, 5%p 이하이면 이용 주의이다.",
        "A figure is publishable up to a coefficient of variation "
        "(standard error ÷ value) of 15 %, to be used with caution up to "
        "30 %, and unreliable above; shares are classed by a standard error of 2.5 and 5 percentage points.",
    )
    blocks: tuple[Block, ...] = (Text((text,)), grid)
    if data.budget is not None and len(data.budget):
        blocks = (*blocks, _budget(author, data.budget))
    return Section(key="reliability", title=author.say("신뢰도", "Reliability"), blocks=blocks)


def _budget(author: Author, budget: pd.DataFrame) -> Grid:
    language = author.language
    figures = {
        "mean": author.say("평균 총소득", "mean total income"),
        "median": author.say("중위 총소득", "median of total income"),
        "gini": author.say("총소득 지니계수", "Gini of total income"),
    }
    parts = (*gold.ERROR_PARTS, "total")
    errors = {(row["region_level"], row["figure"]): [row[name] for name in parts] for row in budget.to_dict("records")}
    return Grid(
        caption=author.say("오차 구성: 값 대비 제곱평균제곱근 (%)", "Where errors come from: root mean squares, % of the figure"),
        header=(
            author.say("지역 수준", "level"),
            author.say("통계", "figure"),
            *(author.say(c.label_ko, c.label_en) for c in map(gold.ERROR_BUDGET.column, parts)),
        ),
        rows=tuple(
            (
                codes.REGION_LEVEL.label(level, language),
                label,
                *(NONE if is_missing(value) else percent(float(value), digits=2) for value in errors[level, figure]),
            )
            for level in ("city", "gu", "dong")
            for figure, label in figures.items()
            if (level, figure) in errors
        ),
        origin=author.data.origin("error_budget"),
    )


def method(author: Author) -> Section:
    """How figures are made, and how good the month is."""
    data, language = author.data, author.language
    korean = (
        "신용정보회사의 가명 개인 자료를 주민등록·건물·사업체 자료와 "
        "주소로 결합하고, 개인을 가구로 묶어(가구화) 인구주택총조사의 "
        "집계구 주변합에 맞춘 가중치를 준다.",
        "신용정보에 없는 소득(재산·이전·비경상소득 등)은 조사 자료로 적합한 소지역 모형으로 추정하고, 공표 통계에 맞춘다.",
        "총소득의 평균·분위수·지니계수의 오차는 소득 모형과 가구화의 여러 추출값에서 구하며, 그 구성은 신뢰도 절의 표와 같다. "
        "정책 분석의 오차는 선형화 표준오차로, "
        "소득 모형·가구화·포괄 범위의 오차는 포함하지 않는다.",
        "소득은 세전 총소득이므로 처분가능소득 기준의 공표 지니계수·빈곤율과 수준이 다르다. 부채는 금융부채이며 임대보증금을 "
        "포함하지 않는다.",
    )
    english = (
        "A credit bureau's pseudonymous person records are joined by address with the resident register, buildings and "
        "establishments; persons are formed into households, weighted to the census margins of their output area.",
        "Income that no bureau sees (property, transfers, irregular "
        "income) is estimated by a small-area model fitted on the survey "
        "and adjusted to published figures.",
        "Errors of mean, quantiles and Gini of total income are those over draws of the income model and of householding; the "
        "table under reliability says where they come from. Errors of the policy analyses are "
        "linearised standard errors and leave out those of the income model, of householding and of coverage.",
        "Income is gross: Gini coefficients and poverty rates differ from "
        "published ones of disposable income. Debt is financial debt, "
        "without deposits received.",
    )
    blocks: list[Block] = [Text(korean if language == "ko" else english, is_list=True)]
    if data.withheld:
        blocks.append(
            Grid(
                caption=author.say("공표하지 않은 셀", "Cells that are not published"),
                header=(author.say("이유", "reason"), author.say("셀 수", "cells")),
                rows=tuple((r.STATUS.label(code, language), f"{number:,}") for code, number in sorted(data.withheld.items())),
                origin=data.origin("household_statistics"),
            )
        )
    if data.quality is not None and len(data.quality):
        blocks.append(_quality(author, data.quality))
    if data.edits is not None and len(data.edits):
        blocks.append(_edits(author, data.edits))
    return Section(key="method", title=author.say("방법과 품질", "Method and quality"), blocks=tuple(blocks))


def _quality(author: Author, report: pd.DataFrame) -> Grid:
    yes, no = author.say("충족", "met"), author.say("미충족", "not met")
    return Grid(
        caption=author.say("품질 지표", "Quality indicators"),
        header=(
            author.say("지표", "indicator"),
            author.say("테이블", "table"),
            author.say("값", "value"),
            author.say("기준", "threshold"),
            author.say("판정", "result"),
        ),
        rows=tuple(
            (
                quality_label(str(row["indicator"]), author.language),
                str(row["table"]),
                _decimals(row["value"]),
                _decimals(row["threshold"]),
                NONE if is_missing(row["passed"]) else yes if row["passed"] else no,
            )
            for _, row in report.sort_values(["table", "indicator"]).iterrows()
        ),
        origin=author.data.origin("quality_report"),
    )


def _decimals(value: object) -> str:
    """With as many as four decimals; what is less is nothing here.

    >>> _decimals(0.05636), _decimals(12.0), _decimals(1e-06), _decimals(None)
    ('0.0564', '12', '0', '–')
    """
    return NONE if is_missing(value) else f"{value:,.4f}".rstrip("0").rstrip(".")


def _delivered(name: str, author: Author) -> str:
    """Label of a delivered table."""
    tables = {table.bronze_name: table for table in DELIVERED_TABLES}
    return author.say(tables[name].label_ko, tables[name].label_en) if name in tables else name


def _edits(author: Author, report: pd.DataFrame) -> Grid:
    names = ("rows_kept", "rows_edited", "rows_quarantined", "rows_removed")
    everything = report[report["reason"] == codes.ALL].sort_values("table")
    return Grid(
        caption=author.say("정제 내역: 행 수", "What became of the delivered rows"),
        header=(
            author.say("제공 자료", "delivered table"),
            *(author.say(c.label_ko, c.label_en) for c in (gold.EDIT_REPORT.column(name) for name in names)),
        ),
        rows=tuple(
            (_delivered(str(row["table"]), author), *(f"{int(row[name]):,}" for name in names))
            for _, row in everything.iterrows()
        ),
        origin=author.data.origin("edit_report"),
    )
