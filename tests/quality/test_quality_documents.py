"""The quality report and what is handed to the bureau."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from evidence_rows import DONGS, coverage_rows, edit_rows, two_months

from living_finance.config import QualitySettings
from living_finance.contracts import quality as q
from living_finance.contracts.core import Table
from living_finance.contracts.language import IN_DEVELOPMENT, Language
from living_finance.quality.bureau import COUNTS, SMALLEST_CELL, bureau_feedback
from living_finance.quality.report import quality_page
from living_finance.quality.tables import quality_tables

VOID = {"meta", "br", "img", "link"}


class _Tags(HTMLParser):
    """Collects tags, and complains where they do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tables() -> dict[Table, pd.DataFrame]:
    made = quality_tables(two_months(), QualitySettings())
    movement = made[q.POPULATION_MOVEMENT]
    movement.loc[movement["event"] == "births", "observed"] = 3
    return made


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ko", ("품질 점수", "공표 전 점검", "등록 인구", "가구 통계 (gold.household_statistics)")),
        ("en", ("Scores", "births", "persons with credit activity (bureau_persons)")),
    ],
)
def test_the_page_needs_nothing_else_and_is_well_formed(language: Language, words: tuple[str, ...]) -> None:
    edits = edit_rows([("labour_income_krw_year:imputed", 50, 0, 0), ("<script>:imputed", 3, 0, 0)])
    page = quality_page(
        tables(), edits=edits, coverage=coverage_rows(), month=two_months().now.month, models="m/1", language=language
    )
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert all(word in page for word in (*words, "202002", "202001"))
    assert not re.search(r"(?:src|href)=|https?:|<script", page)
    assert ("html", {"lang": language}) in tags.seen
    headings = {attributes["id"] for tag, attributes in tags.seen if tag == "h2"}
    labelled = {attributes["aria-labelledby"] for tag, attributes in tags.seen if tag == "section"}
    assert len(headings) == 8 and labelled == headings
    assert len(re.findall(r"gold\.\w+ · \w+: 202002 · \w+: m/1<", page)) == 8


def test_the_page_holds_its_typeface_and_money_in_ten_thousands() -> None:
    asked = []
    page = quality_page(
        tables(),
        edits=edit_rows(),
        coverage=coverage_rows(),
        month=two_months().now.month,
        models="m/1",
        language="ko",
        versions={"gold.quality_score": "gold.quality_score v7"},
        fonts=lambda text: asked.append(text) or {400: "AAAA"},
    )
    assert "url(data:font/woff;base64,AAAA)" in page and "품질 점수" in asked[0]
    assert "출처: gold.quality_score v7 · 기준월: 202002" in page
    row = next(line for line in page.splitlines() if "<td>평균 총소득 (만원/연)</td>" in line)
    assert re.findall(r'class="n">([\d,]+)<', row) == ["5,000", "5,000"]


GROUPS = pd.DataFrame(
    [
        *(("dong", dong, "all", "all", 240, old, 0) for dong, old in zip(DONGS, (30, 2, 50), strict=True)),
        ("gu", "11110", "all", "all", 480, 32, 0),
        ("gu", "11110", "sex", "F", 240, 2, 0),
        ("gu", "11110", "sex", "M", 240, 30, 0),
        ("gu", "11140", "all", "all", 240, 50, 0),
        ("gu", "11140", "sex", "F", 120, 25, 0),
        ("gu", "11140", "sex", "M", 120, 25, 0),
        ("city", "11", "all", "all", 720, 82, 0),
        ("city", "11", "sex", "F", 360, 27, 0),
        ("city", "11", "sex", "M", 360, 55, 0),
    ],
    columns=["region_level", "region_code", "dimension", "category", *COUNTS],
)


def test_small_counts_are_masked_and_cannot_be_subtracted() -> None:
    rows = bureau_feedback(GROUPS, coverage=coverage_rows(), month="202002").set_index(["region_code", "category"])
    old = rows["old_address_persons"]
    assert pd.isna(old[DONGS[1], "all"]) and pd.isna(old[DONGS[0], "all"]), "its district less the other dong would give it"
    assert pd.isna(old["11110", "F"]) and pd.isna(old["11110", "M"])
    assert pd.isna(old["11140", "F"]), "the city less the other district would give it"
    assert not old.between(1, SMALLEST_CELL - 1).any()
    assert rows.loc[old.isna(), "old_address_share"].isna().all() and (rows.loc[old.isna(), "status"] == "masked").all()
    assert set(rows["notice_ko"]) == {IN_DEVELOPMENT.ko} and set(rows["notice_en"]) == {IN_DEVELOPMENT.en}
    assert old["11", "all"] == 82 and rows["status"]["11", "all"] == "shown"


def test_coverage_and_representation_of_a_group() -> None:
    census = coverage_rows()
    census.loc[census["sex"] == "F", "census_persons"] *= 3
    rows = bureau_feedback(GROUPS, coverage=census, month="202002").set_index(["region_code", "category"])
    assert rows["census_persons"]["11", "all"] == 3 * 150 * 4
    assert rows["coverage"]["11", "all"] == pytest.approx(720 / 1800)
    assert rows["representation"]["11", "all"] == pytest.approx(1)
    assert rows["representation"]["11", "M"] == pytest.approx((360 / 720) / (450 / 1800))
    assert rows["old_address_share"]["11", "M"] == pytest.approx(55 / 360)
