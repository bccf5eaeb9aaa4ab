"""What of each policy analysis is shown: tables and pictures by dong, groups ranked among dongs, charts of three rows or more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest
from small_city import DONGS, REGIONS, UNRELIABLE, analysis, result_row, small_city

from living_finance.contracts import codes
from living_finance.contracts.language import Language
from living_finance.reports.charts import draw, intervals, texts
from living_finance.reports.content import build_report
from living_finance.reports.data import PERSONS_AT
from living_finance.reports.document import Figure, Grid, Report, Section
from living_finance.reports.policy import VIEWS

HOME, WORK = PERSONS_AT["residence"], PERSONS_AT["workplace"]
GROUPS = ("employee / 15-34", "none / 65+", "self_employed / 50-64")
CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "income_quintile": ("1", "2", "3", "4", "5"),
    "head_age_band": ("20", "30", "40"),
    "family": ("one_person", "lone_parent", "other"),
    "programme": codes.PROGRAMME.codes[:3],
    "residence / employment": codes.EMPLOYMENT.codes,
    "workplace / employment": codes.EMPLOYMENT.codes,
    "workplace_dong": DONGS,
    "home_dong": DONGS,
    "origin_dong": DONGS,
    "destination_dong": DONGS,
    "workplace / industry_at_work": ("G", "I", "C"),
    "age_band": ("20", "25", "30"),
    "employment / age": GROUPS,
    "event": ("unchanged", "moved", "new"),
}
PROXIES = ("service > 30%, debt > 5 years", "service > 40%, debt > 7.5 years", "service > 40%, debt > 10 years")
COUNTED = ("rank", "jobs_within_reach", "establishments_within_reach", "recipients")
"""Beginnings of statistics without an error."""


def _measured(statistic: str, n: int) -> dict[str, Any]:
    """Unit, value and error of a made-up figure; it grows with n."""
    unit = (
        "KRW/year"
        if statistic.endswith("_krw_year")
        else "KRW/month"
        if statistic.endswith("_krw_month")
        else "KRW"
        if statistic.endswith("_krw")
        else statistic
        if statistic in ("persons", "households")
        else "share"
    )
    value = 100.0 + n if unit in ("persons", "households") else 2e7 + 1e6 * n if unit.startswith("KRW") else 0.1 + 0.01 * n
    if statistic.startswith(COUNTED):
        return {"unit": "rank" if "rank" in statistic else "jobs", "value": 1.0 + n, "standard_error": None, "reliability": None}
    return {"unit": unit, "value": value, "standard_error": value / 50, "reliability": "publishable"}


def rows_of(name: str) -> list[dict[str, Any]]:
    """Every row that the views of an analysis show, of the whole made-up city."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for view in VIEWS[name]:
        statistics = [s if not s.endswith("_") else f"{s}50bp" for s in view.statistics]
        places: list[tuple[str, str, str, str]]
        if view.by == "regions":
            dimension = view.of or ("minus_city" if name == "comparison" else codes.ALL)
            places = [(*region, dimension, codes.ALL) for region in REGIONS]
        elif view.by == "statistics":
            statistics = [f"{s} ({proxy})" for s in statistics for proxy in PROXIES]
            places = [("city", "11", codes.ALL, codes.ALL)]
        elif view.by in CATEGORIES:
            regions = REGIONS if view.level else REGIONS[:1]
            places = [(*region, view.by, category) for region in regions for category in CATEGORIES[view.by]]
        else:
            places = []
        for n, (level, code, dimension, category) in enumerate(places):
            for offset, statistic in enumerate(statistics):
                key = (code, dimension, category, statistic)
                of = {"region_level": level, "region_code": code, "dimension": dimension, "category": category}
                rows.setdefault(key, result_row(**of, statistic=statistic, **_measured(statistic, n + offset)))
    return list(rows.values())


def report_of(name: str, *, region: str = "11", language: Language = "ko", changed: Mapping[str, Any] | None = None) -> Report:
    """A report with one analysis; the rows of the unreliable dong changed."""
    rows = [row | (changed or {}) if row["region_code"] == UNRELIABLE else row for row in rows_of(name)]
    return build_report(small_city(analyses=(analysis(name, rows),), region=region, changes={}), language)


def section_of(report: Report, name: str) -> Section:
    return next(section for section in report.sections if section.key == name.replace("_", "-"))


def figures_of(report: Report, name: str) -> list[Figure]:
    return [block for block in section_of(report, name).blocks if isinstance(block, Figure)]


def tables_of(report: Report, name: str) -> list[Grid]:
    blocks = section_of(report, name).blocks
    grids = [b.table if isinstance(b, Figure) else b for b in blocks if isinstance(b, Figure | Grid)]
    return [grid for grid in grids if grid is not None]


def dong(code: str) -> str:
    return small_city().name(code, "ko")


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("name", sorted(VIEWS))
def test_every_analysis_has_a_picture_in_words_of_the_language(name: str, language: Language) -> None:
    figures = figures_of(report_of(name, language=language), name)
    assert figures
    for figure in figures:
        assert figure.table is not None and figure.table.origin == figure.origin
        assert re.fullmatch(r"[a-z0-9-]+", figure.key)
        assert figure.table.caption.partition(":")[0] == f"분석 {name}" or language == "en"
        shown = [figure.caption, *texts(figure.svg)]
        assert [text for text in shown if "_" in text] == []
        if language == "en":
            # Names of Korean regions apart, nothing is left in Korean.
            assert [text for text in shown if re.search("[가-힣]", text)] == []


def test_pictures_of_a_report_have_their_own_keys() -> None:
    made = tuple(analysis(name, rows_of(name)) for name in VIEWS)
    keys = [figure.key for figure in build_report(small_city(analyses=made), "ko").figures()]
    assert len(keys) == len(set(keys)) > 30


@pytest.mark.parametrize(
    ("name", "caption", "sorts_up"),
    [
        ("employment", "저임금 근로자 비율, 행정동별, 거주지", False),
        ("employment", "저임금 근로자 비율, 행정동별, 근무지", False),
        ("small_business", "사업소득, 행정동별, 근무지", True),
        ("youth", "청년수당 후보 비율, 행정동별", False),
        ("vulnerable_groups", "빈곤 가구 거주 비율, 행정동별", False),
        ("household_moves", "다른 동에서 전입한 비율, 행정동별", False),
        ("jobs_in_reach", "도달 가능 일자리, 행정동별", True),
    ],
)
def test_dongs_are_ranked_by_what_is_drawn(name: str, caption: str, sorts_up: bool) -> None:
    figure = next(figure for figure in figures_of(report_of(name), name) if figure.caption.endswith(caption))
    assert figure.table is not None
    expected = [dong(code) for code in (DONGS if sorts_up else DONGS[::-1])]
    assert [row[0] for row in figure.table.rows] == ["서울특별시", *expected]
    assert any("순서로 10개까지" in note for note in figure.notes)
    assert [text for text in texts(figure.svg) if text in expected] != []


def test_a_dong_that_is_not_reliable_has_no_rank_and_the_table_says_so() -> None:
    report = report_of("youth", changed={"reliability": "unreliable"})
    figure = next(f for f in figures_of(report, "youth") if f.caption == "청년수당 후보 비율, 행정동별")
    assert figure.table is not None
    assert dong(UNRELIABLE) not in {row[0] for row in figure.table.rows}
    assert any("신뢰 불가인 1곳은 뺐다" in note for note in figure.table.notes)
    assert not any("뺐다" in note for grid in tables_of(report_of("youth"), "youth") for note in grid.notes)


@pytest.mark.parametrize("name", ["youth", "employment", "small_business", "vulnerable_groups", "household_moves"])
def test_a_district_shows_all_of_its_dongs_once(name: str) -> None:
    rows = rows_of(name)
    own = "11140"
    # Of a district's edition the rows of dimensions are the district's.
    moved = [row | {"region_code": own, "region_level": "gu"} if row["region_code"] == "11" else row for row in rows]
    frame = [row for row in moved if row["region_code"].startswith(own)]
    unique = {tuple(row[k] for k in ("region_code", "dimension", "category", "statistic")): row for row in frame}
    data = small_city(analyses=(analysis(name, list(unique.values())),), region=own, changes={})
    grids = tables_of(build_report(data, "ko"), name)
    by_dong = [grid for grid in grids if "행정동별" in grid.caption]
    assert len({grid.caption for grid in by_dong}) == len(by_dong)
    names = ["마포구", *(dong(code) for code in DONGS if code.startswith(own))]
    assert by_dong and all(sorted(row[0] for row in grid.rows) == sorted(names) for grid in by_dong)
    assert not any("10개까지" in note for grid in by_dong for note in grid.notes)


def test_groups_are_ranked_among_the_dongs() -> None:
    grids = tables_of(report_of("vulnerable_groups"), "vulnerable_groups")
    grid = next(grid for grid in grids if grid.caption.endswith(": 행정동 / 종사상 지위 / 연령별"))
    assert len(grid.rows) == 10
    assert grid.rows[0][0] == f"{dong(DONGS[0])} / 임금근로자 / 15–34세"
    ranks = [int(row[grid.header.index("순위 (위)")]) for row in grid.rows]
    assert ranks == sorted(ranks)


def test_groups_that_need_support_stand_with_the_establishments_and_jobs_within_reach_of_their_dong() -> None:
    both = tuple(analysis(name, rows_of(name)) for name in ("vulnerable_groups", "jobs_in_reach"))
    report = build_report(small_city(analyses=both, changes={}), "ko")
    grids, (reach,) = (tables_of(report, name) for name in ("vulnerable_groups", "jobs_in_reach"))
    grid = next(grid for grid in grids if grid.caption.endswith(": 행정동 / 종사상 지위 / 연령별"))
    assert [head.partition(" (")[0] for head in grid.header[-2:]] == ["도달 가능 사업체", "도달 가능 일자리"]
    assert "analyse vulnerable_groups" in grid.origin.source and "analyse jobs_in_reach" in grid.origin.source
    near = {name: (establishments, jobs) for name, jobs, establishments in reach.rows}
    assert len(grid.rows) == 10 and [row[-2:] for row in grid.rows] == [near[row[0].partition(" / ")[0]] for row in grid.rows]
    others = [other for other in grids if other is not grid]
    assert others and not any("jobs_in_reach" in other.origin.source for other in others)


def test_two_rows_are_not_drawn() -> None:
    rows = [row for row in rows_of("interest_rate_rise") if row["category"] in ("1", "2")]
    report = build_report(small_city(analyses=(analysis("interest_rate_rise", rows),)), "ko")
    assert figures_of(report, "interest_rate_rise") == []
    assert len(tables_of(report, "interest_rate_rise")) == 1


def test_the_largest_rise_is_drawn() -> None:
    rows = rows_of("interest_rate_rise")
    more = [row | {"statistic": row["statistic"].replace("50bp", "200bp")} for row in rows]
    report = build_report(small_city(analyses=(analysis("interest_rate_rise", [*more, *rows]),)), "ko")
    (figure,) = figures_of(report, "interest_rate_rise")
    assert figure.caption == "원리금상환비율 상승, +2%p, 소득 5분위별"


def test_a_difference_within_its_error_is_not_drawn() -> None:
    own = "11230"
    rows = [row for row in rows_of("comparison") if row["region_code"].startswith(own)]
    within = [row | {"standard_error": row["value"]} if row["region_code"] == DONGS[4] else row for row in rows]
    name = dong(DONGS[4])
    drawn = {}
    for key, given in (("all", rows), ("within", within)):
        data = small_city(analyses=(analysis("comparison", given),), region=own, changes={})
        (figure,) = figures_of(build_report(data, "ko"), "comparison")
        assert figure.table is not None and name in {row[0] for row in figure.table.rows}
        drawn[key] = name in set(texts(figure.svg))
    assert drawn == {"all": True, "within": False}
    assert "시 대비" in figure.caption


def test_counts_without_an_error_are_bars_and_not_called_unreliable() -> None:
    (figure,) = figures_of(report_of("jobs_in_reach"), "jobs_in_reach")
    assert "신뢰 불가" not in figure.svg
    assert not any("구간" in note for note in figure.notes)


def test_proxies_are_told_apart_in_their_picture() -> None:
    (figure,) = figures_of(report_of("debt_sensitivity"), "debt_sensitivity")
    labels = [text for text in texts(figure.svg) if text.startswith("상환비율")]
    assert labels == [
        "상환비율 &gt; 30%, 부채 &gt; 소득 5년",
        "상환비율 &gt; 40%, 부채 &gt; 소득 7.5년",
        "상환비율 &gt; 40%, 부채 &gt; 소득 10년",
    ]


def test_names_beside_a_chart_are_whole() -> None:
    """Those of the longest proxies too; figures on the axis do not run into each other."""
    name = "up to 29 years, below 120% of median"
    rows = pd.DataFrame({"label": [name, "b"], "value": [1000.0, 7000.0], "error": [900.0, 90.0], "reliability": "publishable"})
    drawn = draw(intervals(rows, title="x", classes={"publishable": "fine"}, legend="class"), prefix="a")
    assert name in set(texts(drawn))
    ticks = [text for text in texts(drawn) if re.fullmatch(r"[\d,]+", text)]
    assert 2 <= len(ticks) <= 6
