"""What a report says: changes only beyond their error, marks on what is not reliable, sources on everything."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from small_city import CHANGES, DONGS, ERRORS, MODELS, MONTHS, SOURCES, UNRELIABLE, analysis, areas, result_row, small_city

from living_finance.analyses.registry import ANALYSES
from living_finance.contracts import codes, gold
from living_finance.contracts import releases as r
from living_finance.contracts.language import Language
from living_finance.reports.charts import choropleth, class_limits
from living_finance.reports.content import build_report
from living_finance.reports.data import PolicyAnalysis, released_areas, released_breakdown
from living_finance.reports.document import Figure, Grid, Origin, Report, Text
from living_finance.reports.policy import VIEWS


@pytest.fixture(scope="module")
def korean() -> Report:
    return build_report(small_city(), "ko")


def grid_of(report: Report, caption: str) -> Grid:
    return next(grid for grid in report.grids() if caption in grid.caption)


def rows_of(report: Report, caption: str) -> dict[str, tuple[str, ...]]:
    return {row[0]: row[1:] for row in grid_of(report, caption).rows}


def test_the_overview_has_values_errors_and_classes(korean: Report) -> None:
    rows = rows_of(korean, "주요 지표")
    assert rows["평균 총소득 (만원/연)"] == ("5,060", "± 81", "공표 가능")
    assert rows["지니계수(균등화소득) (지수)"] == ("0.360", "± 0.004", "공표 가능")
    assert rows["중위 총소득 (만원/연)"] == ("4,149", "± 100", "–")
    assert rows["지니계수(가구 총소득) (지수)"] == ("0.410", "± 0.006", "–")
    assert "오차만 있고" in grid_of(korean, "주요 지표").notes[-1]
    assert rows["월평균 소비지출 (만원/월)"][0] == "187.4"


def test_medians_quantiles_and_the_gini_have_their_errors_in_every_table(korean: Report) -> None:
    assert rows_of(korean, "월별 지표")["2020-03"][1:5] == ("4,149 ± 100", "4,554", "187.4", "0.410 ± 0.006")
    assert rows_of(korean, "자치구별 주요 지표")["마포구"][2] == "4,354 ± 105"
    quantiles = rows_of(korean, "총소득의 분위수")["서울특별시"]
    assert quantiles == ("1,012 ± 24", "2,277 ± 55", "4,149 ± 100", "6,578 ± 158", "10,120 ± 243", "공표 가능")
    assert rows_of(korean, "행정동별 주요 지표")[small_city().name(UNRELIABLE, "ko")][2].endswith("± 3,057 †")
    assert "중위 총소득은 연 4,149만원(표준오차 100만원)" in korean.summary[0]
    assert "±" not in rows_of(korean, "소득 5분위별 가구 통계")["3분위"][2]


@pytest.mark.parametrize("is_there", [True, False])
def test_figures_of_months_without_these_errors_say_so(is_there: bool) -> None:
    """Older months have no such columns; where a region has none, they are null."""
    frame = areas()
    without = frame.assign(**dict.fromkeys(ERRORS)) if is_there else frame.drop(columns=list(ERRORS))
    report = build_report(small_city(areas=without), "ko")
    rows = rows_of(report, "주요 지표")
    assert rows["중위 총소득 (만원/연)"] == ("4,149", "–", "오차 미산출")
    assert rows["지니계수(가구 총소득) (지수)"] == ("0.410", "–", "오차 미산출")
    assert rows["평균 총소득 (만원/연)"] == ("5,060", "± 81", "공표 가능")
    assert rows_of(report, "총소득의 분위수")["서울특별시"][2] == "4,149"
    assert not any("오차만 있고" in note for note in grid_of(report, "주요 지표").notes)


def test_a_change_is_shown_only_beyond_its_error(korean: Report) -> None:
    rows = rows_of(korean, "지표의 변화")
    assert rows["평균 총소득 (만원/연)"] == ("+123 ± 30",)
    assert rows["평균 부채 (만원)"] == ("오차 범위 내",)
    sentence = korean.summary[-1]
    assert "+123 ± 30" in sentence
    assert "평균 부채" not in sentence


@pytest.mark.parametrize(("value", "shown"), [(587_000.0, "within its error"), (589_000.0, "+59 ± 30")])
def test_the_limit_of_a_change_is_1_96_standard_errors(value: float, shown: str) -> None:
    changes = {MONTHS[1]: analysis("change", [CHANGES[0] | {"value": value}])}
    rows = rows_of(build_report(small_city(changes=changes), "en"), "Changes in")
    assert rows["mean total income (10,000 KRW a year)"] == (shown,)


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("ko", "산식: change 비율 = 가 / 나. 근거: 아무개 (2020)."),
        ("en", "Method: change share = a / b. Source: Nobody (2020)."),
    ],
)
def test_changes_have_their_formulas_and_source_once(language: Language, shown: str) -> None:
    changes = {month: analysis("change", CHANGES) for month in MONTHS[:2]}
    section = next(s for s in build_report(small_city(changes=changes), language).sections if s.key == "changes")
    assert [p for block in section.blocks if isinstance(block, Text) for p in block.paragraphs][1:] == [shown]


def test_the_distribution_before_and_after_is_drawn_where_there_is_a_month_before() -> None:
    section = next(s for s in build_report(small_city(), "en").sections if s.key == "changes")
    figure = next(block for block in section.blocks if isinstance(block, Figure))
    assert figure.caption.endswith("before and after") and figure.table is not None
    assert [row[0] for row in figure.table.rows] == ["2020-02", "2020-03"]
    assert all("±" in cell for row in figure.table.rows for cell in row[3:4])
    alone = build_report(small_city(changes={}), "en")
    assert not any(f.key == figure.key for f in alone.figures())


def test_without_an_earlier_month_the_report_says_so() -> None:
    first = areas()[lambda f: f["base_month"] == str(MONTHS[-1])]
    report = build_report(small_city(changes={}, areas=first), "ko")
    text = " ".join(p for s in report.sections for b in s.blocks if hasattr(b, "paragraphs") for p in b.paragraphs)
    assert "비교할 앞선 달이 아직 없다" in text
    assert "자료가 한 달뿐" in text


def test_what_is_not_reliable_is_marked_wherever_it_stands(korean: Report) -> None:
    name = small_city().name(UNRELIABLE, "ko")
    row = rows_of(korean, "행정동별 주요 지표")[name]
    *figures, reliability = row[1:]
    assert reliability == "신뢰 불가"
    assert [figure for figure in figures if not figure.endswith(" †")] == []
    assert rows_of(korean, "행정동별 주요 지표")[small_city().name(DONGS[0], "ko")][1].endswith(" *")


def test_the_error_budget_stands_beside_the_reliability() -> None:
    parts = {"householding": 0.001, "model": 0.004, "sampling": 0.003, "benchmarking": 0.0185, "total": 0.0192}
    rows = [{"region_level": "dong", "figure": name, "regions": 7, **parts} for name in ("mean", "p10", "gini")]
    report = build_report(small_city(budget=pd.DataFrame(rows)), "ko")
    (grid,) = (grid for grid in report.grids() if grid.caption.startswith("오차 구성"))
    assert [row[1] for row in grid.rows] == ["평균 총소득", "총소득 지니계수"]
    assert grid.rows[0] == ("행정동", "평균 총소득", "0.10", "0.40", "0.30", "1.85", "1.92")
    assert "gold.error_budget v3" in grid.origin.source


@pytest.mark.parametrize(("language", "shown"), [("ko", "주민등록"), ("en", "resident register")])
def test_delivered_tables_have_their_names(language: Language, shown: str) -> None:
    assert list(rows_of(build_report(small_city(), language), {"ko": "정제 내역", "en": "What became"}[language])) == [shown]


def test_an_english_report_is_english() -> None:
    """But for what is quoted: the marking of internal papers and the publisher of the boundaries."""
    data = small_city()
    numbered = build_report(data, "en").numbered()
    titles = [line for s in numbered["sections"] for line in (s["title"], *(b["caption"] for b in s["blocks"] if "caption" in b))]
    assert [title for title in titles if title[0].islower()] == []
    shown = repr(numbered).replace("(내부용)", "").replace(data.boundary_source, "")
    assert re.findall(r"[가-힣]+", shown) == []


def test_a_map_is_as_high_as_its_regions() -> None:
    heights = []
    for north in (0.2, 0.6, 3.0):
        corners = [[0, 0], [0, north], [1, north], [1, 0], [0, 0]]
        feature = {"geometry": {"type": "Polygon", "coordinates": [corners]}, "properties": {"dong_code": "1"}}
        drawn = choropleth([feature], classes={"1": "low"}, order=["low"], missing=[], title="").to_dict()
        heights.append(drawn["height"])
    assert heights[0] < 0.5 * heights[1] + 50 < heights[1] < heights[2] <= drawn["width"]


def test_maps_leave_out_unreliable_dongs(korean: Report) -> None:
    maps = next(section for section in korean.sections if section.key == "maps")
    figures = [block for block in maps.blocks if hasattr(block, "svg")]
    assert [figure.key for figure in figures] == ["map-median-income", "map-debt", "map-poverty", "map-gini"]
    for figure in figures:
        assert "신뢰 불가" in figure.svg
        assert "6개 동" in figure.alternative
        assert small_city().name(UNRELIABLE, "ko") not in figure.alternative


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_table_and_figure_states_source_month_and_model(language: Language) -> None:
    report = build_report(small_city(), language)
    shown = [*report.grids(), *report.figures()]
    assert len(shown) > 20
    known = (
        *SOURCES.values(),
        *(f"analyse {name} (gold.household v3)" for name in ("inequality", "low_income", "change", "household_moves")),
    )
    for block in shown:
        assert any(source in block.origin.source for source in known), block.caption
        assert re.search(r"2020-0[1-3]", block.origin.month)
        assert block.origin.model == MODELS
    assert [figure.caption for figure in report.figures() if len(figure.alternative) < 20] == []


@pytest.mark.parametrize("missing", ["source", "month", "model"])
def test_no_table_without_an_origin(missing: str) -> None:
    whole = {"source": "gold.x", "month": "2020-01", "model": "m/1"}
    Origin(**whole)
    with pytest.raises(ValueError, match=missing):
        Origin(**{**whole, missing: " "})


def test_the_banner_and_for_whom_it_is(korean: Report) -> None:
    assert "국가통계 승인 전 시험 통계" in korean.banner
    assert korean.marking == "내부용"
    assert "내부용" not in build_report(small_city(is_public=True), "ko").marking


def test_a_delivered_part_of_the_city_is_named(korean: Report) -> None:
    text = " ".join(p for b in korean.sections[0].blocks if hasattr(b, "paragraphs") for p in b.paragraphs)
    assert "25개 중 2개(마포구, 강남구)" in text


@pytest.mark.parametrize(("language", "shown"), [("ko", "2020-01부터 2020-03까지 3개월"), ("en", "3 months, 2020-01 to 2020-03")])
def test_a_years_report_says_which_months_it_rests_on(language: Language, shown: str) -> None:
    assert shown in build_report(small_city(year=2020), language).subtitle
    assert shown not in build_report(small_city(), language).subtitle


def test_a_district_edition_shows_its_dongs_only() -> None:
    report = build_report(small_city(region="11140", changes={}), "ko")
    names = {row[0] for row in grid_of(report, "행정동별 주요 지표").rows}
    assert names == {"마포구", *(small_city().name(code, "ko") for code in DONGS if code.startswith("11140"))}


def test_every_analysis_has_a_view_of_statistics_that_have_names() -> None:
    shown = set(ANALYSES) - {name for name, a in ANALYSES.items() if a.compares_months}
    assert set(VIEWS) == shown
    assert all(view.statistics for views in VIEWS.values() for view in views)


def test_an_analysis_nobody_has_arranged_is_shown_by_region() -> None:
    rows = [
        result_row(region_level="gu", region_code=code, statistic="gini", unit="index", value=0.3) for code in ("11140", "11230")
    ]
    report = build_report(small_city(analyses=(analysis("new_one", rows),)), "en")
    section = next(s for s in report.sections if s.key == "new-one")
    grid = next(block for block in section.blocks if isinstance(block, Grid))
    assert [row[0] for row in grid.rows] == ["Mapo-gu", "Gangnam-gu"]
    assert grid.header == ("district", "Gini of equivalised income")


@pytest.mark.parametrize("has_analysis", [True, False])
def test_a_figure_of_persons_has_one_error_in_all_tables(has_analysis: bool) -> None:
    of = {
        "statistic": "mean_labour_business_income_krw_year",
        "unit": "KRW/year",
        "value": 33_000_000.0,
        "standard_error": 450_000.0,
    }
    rows = [
        result_row(**of, dimension="residence / all"),
        result_row(**of, dimension="residence / employment", category="employee"),
    ]
    made = (analysis("employment", rows),) if has_analysis else ()
    report = build_report(small_city(analyses=made), "ko")
    grid = grid_of(report, "거주지와 근무지로 본 개인 소득")
    assert ("± 45" in grid.rows[0][3]) is has_analysis
    assert any("한 집락" in note for note in grid.notes) is has_analysis
    assert any("표본오차가 없고" in note for note in grid.notes) is not has_analysis
    if has_analysis:
        other = grid_of(report, "종사상 지위별")
        assert other.rows[0][1] == grid.rows[0][3]
        assert set(other.notes) <= set(grid.notes)


def test_categories_stand_in_their_order(korean: Report) -> None:
    assert [row[0] for row in grid_of(korean, "가구주 연령별").rows] == ["20–29세", "30–39세", "80세 이상"]
    assert next(iter(rows_of(korean, "소득 5분위별 가구 통계"))) == "1분위(최저)"


def _released(
    statistic: str, value: float | None, *, status: str = r.PUBLISHED, code: str = "11", **dimensions: str
) -> dict[str, object]:
    level = {2: "city", 5: "gu"}.get(len(code), "dong")
    everything = dict.fromkeys((*r.DIMENSIONS["household_statistics"], *r.DIMENSIONS["household_breakdown"]), codes.ALL)
    return {"region_level": level, "region_code": code, **everything, **dimensions, "statistic": statistic, "value": value,
            "status": status, "reliability": "publishable" if status == r.PUBLISHED else None}  # fmt: skip


def test_a_public_report_holds_published_cells_only() -> None:
    mean = f"mean_{gold.TOTAL_INCOME}"
    long = pd.DataFrame(
        [
            _released(mean, 60_000_000.0),
            _released("cv_mean_total_income", 0.02),
            _released(mean, 55_000_000.0, code="11140"),
            # A value that stands beside another status must not reach anybody.
            _released(mean, 99_990_000.0, code="11230", status="suppressed_small"),
            _released(mean, 12_340_000.0, head_sex="F"),
        ]
    )
    found, withheld = released_areas(long, month=MONTHS[-1])
    assert withheld == {"suppressed_small": 1}
    public = small_city(
        areas=found,
        analyses=(),
        changes={},
        quality=None,
        edits=None,
        is_public=True,
        withheld=withheld,
        boundaries=None,
        breakdown=released_breakdown(long, region="11"),
        persons=pd.DataFrame(),
    )
    report = build_report(public, "ko")
    rows = rows_of(report, "자치구별 주요 지표")
    assert rows["서울특별시"][1] == "6,000 ± 120"
    assert rows["강남구"][1] == "–"
    cells = {cell for grid in report.grids() for row in grid.rows for cell in row}
    assert not {cell for cell in cells if "9,999" in cell or "1,234" in cell}
    assert rows_of(report, "공표하지 않은 셀") == {"비공표(소수)": ("1",)}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_every_class_of_a_map_has_its_own_colour_and_none_is_grey(count: int) -> None:
    order = [f"class {number}" for number in range(count)]
    square = {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]]}
    features = [{"geometry": square, "properties": {"dong_code": str(number)}} for number in range(count + 1)]
    classes = {str(number): name for number, name in enumerate([*order, "unreliable"])}
    drawn = choropleth(features, classes=classes, order=order, missing=["unreliable"], title="").to_dict()
    scale = drawn["layer"][0]["encoding"]["color"]["scale"]
    assert scale["domain"] == [*order, "unreliable"] and len(set(scale["range"])) == count + 1


def test_a_name_that_would_cover_another_is_left_out_of_the_map() -> None:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]]}
    names = [("Gongdeok-dong", 0.5), ("Dohwa-dong", 0.51), ("Sangam-dong", 0.8)]
    labels = [{"name": name, "lon": 0.5, "lat": latitude} for name, latitude in names]
    feature = {"geometry": square, "properties": {"dong_code": "1"}}
    drawn = choropleth([feature], classes={"1": "low"}, order=["low"], missing=[], title="", labels=labels).to_dict()
    named = drawn["datasets"][drawn["layer"][-1]["data"]["name"]]
    assert [label["name"] for label in named] == ["Gongdeok-dong", "Sangam-dong"]


def test_limits_of_a_maps_classes_hold_about_as_many_each() -> None:
    limits = class_limits([float(value) for value in range(100)], step=10)
    assert limits == (20, 40, 60, 80)
    assert class_limits([1.0, 2.0], step=1) == ()


def _moves_of(*events: str) -> PolicyAnalysis:
    rows = [result_row(dimension="event", category=e, statistic="households", unit="households", value=50.0) for e in events]
    return analysis("household_moves", rows)


@pytest.mark.parametrize(("events", "says_so"), [(("first",), True), (("unchanged", "moved"), False)])
def test_moves_of_a_first_month_are_not_a_table(events: tuple[str, ...], says_so: bool) -> None:
    report = build_report(small_city(analyses=(_moves_of(*events),)), "ko")
    blocks = next(s for s in report.sections if s.key == "household-moves").blocks
    assert ("앞선 달이 없어" in str(blocks[0])) is says_so
    assert any(isinstance(block, Grid) for block in blocks) is not says_so


def test_published_figures_stand_one_to_a_row() -> None:
    of = {"dimension": "minus_published", "unit": "KRW/year"}
    rows = [
        result_row(**of, category="00 / household_finances_survey / 2020 / 2020", statistic="mean_total_income",
                   value=5_920_000.0, standard_error=910_000.0),
        result_row(**of, category="11 / household_finances_survey / 2020 / 2020", statistic="mean_property_income",
                   value=10_000.0, standard_error=90_000.0),
    ]  # fmt: skip
    grid = grid_of(build_report(small_city(analyses=(analysis("comparison", rows),)), "ko"), "공표 통계 대비")
    assert [row[1:] for row in grid.rows] == [("평균 총소득 (만원/연)", "+592 ± 91"), ("평균 재산소득 (만원/연)", "오차 범위 내")]
    assert "1.96" in grid.notes[0]


def test_marks_are_explained_under_the_tables_of_analyses() -> None:
    report = build_report(small_city(region=UNRELIABLE[:5], changes={}), "ko")
    marked = [grid for grid in report.grids() if any(cell.endswith(("*", "†")) for row in grid.rows for cell in row[1:])]
    assert {grid.caption.partition(":")[0] for grid in marked} >= {"분석 inequality", "분석 low_income"}
    assert [grid.caption for grid in marked if not any("신뢰 불가" in note for note in grid.notes)] == []


def test_the_alternative_of_a_chart_gives_figures_as_its_table_does() -> None:
    rows = [
        result_row(region_level="gu", region_code=code, statistic="mean_surplus_krw_month", unit="KRW/month", value=value,
                   standard_error=9e4)
        for code, value in (("11140", 103_046_000.0), ("11230", 105_136_000.0))
    ]  # fmt: skip
    rows.append({**rows[0], "region_level": "city", "region_code": "11", "value": 109_000_000.0})
    report = build_report(small_city(analyses=(analysis("household_balance", rows),)), "ko")
    figure = next(figure for figure in report.figures() if "흑자액" in figure.caption)
    assert "강남구 (10,513.6)" in figure.alternative
    assert "서울특별시" not in figure.alternative
