"""The public report and the maps of a release: which cells stand where, how a figure is written, and every text beside them.

Who writes them (`reports.public`) and who attacks them (`release.verify_publications`) both read this and share nothing else:
what is not here, a text or a figure of no cell, is a leak.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.contracts.gold import MAIN_FIGURES
from living_finance.contracts.language import IN_DEVELOPMENT, NOTICE, Language, Words

REPORTS: Mapping[str, Language] = {"report/report-ko.html": "ko", "report/report-en.html": "en"}
LANGUAGES: tuple[Language, ...] = tuple(REPORTS.values())
MAPS: Mapping[str, str] = {"maps/gu.geojson": "gu", "maps/dong.geojson": "dong"}
"""Path in the package → region level."""
MEDIA_TYPES = {".html": "text/html", ".geojson": "application/geo+json"}


@dataclass(frozen=True)
class Shown:
    """How a unit is written: values are divided by `scale`."""

    scale: float
    digits: int
    words: Words


SHOWN: Mapping[str, Shown] = {
    "KRW": Shown(10_000, 0, Words(ko="만원", en="10,000 KRW")),
    "KRW/year": Shown(10_000, 0, Words(ko="만원/연", en="10,000 KRW a year")),
    "KRW/month": Shown(10_000, 0, Words(ko="만원/월", en="10,000 KRW a month")),
    "share": Shown(0.01, 1, Words.same("%")),
    "ratio": Shown(1, 2, Words(ko="계수", en="ratio")),
    "households": Shown(1, 0, Words(ko="가구", en="households")),
    "persons": Shown(1, 0, Words(ko="명", en="persons")),
}
MARKS = {"publishable": "", "caution": " *", "unreliable": " †"}
"""Reliability → what stands behind a figure."""
WITHHELD = "–"


def figure_text(value: float, unit: str, reliability: str | None = None) -> str:
    """A published figure as it stands in a report.

    >>> figure_text(52_300_000, "KRW/year", "caution"), figure_text(0.4, "share"), figure_text(19_665, "households")
    ('5,230 *', '40.0', '19,665')
    """
    shown = SHOWN[unit]
    return f"{value / shown.scale:,.{shown.digits}f}{MARKS.get(reliability or '', '')}"


def value_text(value: float) -> str:
    """A published value for machines.

    >>> value_text(52_300_000.0), value_text(0.417)
    ('52300000', '0.417')
    """
    return f"{value:.12g}"


def cell_key(table: str, region_code: str, categories: Mapping[str, str], statistic: str) -> str:
    """Name of a figure: table, region, categories but `all`, statistic.

    >>> cell_key("household_statistics", "11", {"head_sex": "F", "head_age_band": "all"}, "households")
    'household_statistics 11 head_sex=F households'
    """
    named = [f"{name}={category}" for name, category in sorted(categories.items()) if category != codes.ALL]
    return " ".join([table, region_code, *named, statistic])


_PERSONS = ("persons", "mean_labour_business_income_krw_year", "median_labour_business_income_krw_year", "mean_debt_krw")


@dataclass(frozen=True, kw_only=True)
class PublicTable:
    """One table of the report: a row per region of a level, or per category of the city."""

    key: str
    title: Words
    table: str
    """Of the release."""
    level: str
    by: str = ""
    """Dimension whose categories are the rows; empty: rows are regions."""
    place: str = ""
    statistics: tuple[str, ...] = MAIN_FIGURES

    @property
    def source(self) -> str:
        """Gold table; tables that a report shows are called as their source."""
        return self.table

    @property
    def fixed(self) -> dict[str, str]:
        """Categories that all cells have."""
        return {r.PLACE: self.place} if self.place else {}


def _by(dimension: str, korean: str, english: str, table: str) -> PublicTable:
    title = Words(ko=f"{korean}별 가구", en=f"Households by {english}")
    return PublicTable(key=f"by-{dimension}", title=title, table=table, level="city", by=dimension)


def _persons(place: str, korean: str) -> PublicTable:
    title = Words(ko=f"{korean}로 본 개인", en=f"Persons by {place}")
    return PublicTable(
        key=f"persons-{place}", title=title, table="person_statistics", level="gu", place=place, statistics=_PERSONS
    )


TABLES: tuple[PublicTable, ...] = (
    PublicTable(
        key="city", title=Words(ko="시 주요 지표", en="Main figures of the city"), table="household_statistics", level="city"
    ),
    PublicTable(key="gu", title=Words(ko="자치구별 지표", en="Figures by district"), table="household_statistics", level="gu"),
    _by("head_sex", "가구주 성", "sex of the head", "household_statistics"),
    _by("head_age_band", "가구주 연령", "age of the head", "household_statistics"),
    _by("household_type", "가구 유형", "household type", "household_statistics"),
    _by("household_size", "가구원 수", "household size", "household_breakdown"),
    _by("dwelling_type", "거처 유형", "dwelling", "household_breakdown"),
    _by("tenure", "점유 형태", "tenure", "household_breakdown"),
    _by("income_class", "소득 분위", "income class", "household_breakdown"),
    _persons("residence", "거주지"),
    _persons("workplace", "근무지"),
    PublicTable(key="dong", title=Words(ko="행정동별 지표", en="Figures by dong"), table="household_statistics", level="dong"),
)

MAP_TABLE, MAP_LEVEL = "household_statistics", "dong"
MAPPED = ("median_total_income_krw_year", "mean_debt_krw", "share_with_debt")
"""Statistics drawn by dong in the report."""
MAP_STATISTICS = MAIN_FIGURES
"""Statistics of whole regions in the properties of the GeoJSON maps."""
MAP_PROPERTIES = ("region_level", "region_code", "mois_code", "region_name_ko", "region_name_en")
CLASSES = 5
"""Most classes of a map."""

BOUNDARIES = Words(
    ko="경계: 통계청 통계지리정보서비스(SGIS) 2020년, 공공누리 제1유형. 그 뒤 바뀐 동은 그리지 않았습니다.",
    en="Boundaries: Statistics Korea SGIS, 2020, KOGL type 1. Dongs changed since are not drawn.",
)


@dataclass(frozen=True, kw_only=True)
class About:
    """What a report says of the release that it is part of."""

    month: str
    """YYYY-MM"""
    release: str
    """`portal 202001-v1`"""
    model: str
    """Versions of the models that the figures rest on."""
    publisher: Words
    licence: str
    licence_url: str


MARKING = Words(
    ko="공개용: 승인 절차를 거친 공표 셀만 사용", en="Public: made from the published cells of this release and nothing else"
)
TITLE = Words(ko="생활금융 통계", en="Living-finance statistics")
MAPS_TITLE = Words(ko="공표 수치 지도", en="Maps of published figures")
FACTS: Mapping[str, Words] = {
    "month": Words(ko="기준월", en="Month"),
    "release": Words(ko="공개", en="Release"),
    "model": Words(ko="모형", en="Model version"),
    "publisher": Words(ko="발행", en="Publisher"),
    "licence": Words(ko="이용 허락", en="Licence"),
    "sources": Words(ko="자료", en="Sources"),
}
SOURCES = Words(
    ko="신용정보(가명), 주민등록, 건축물, 통계청 인구주택총조사, 가계동향·가계금융복지조사, 서울시 검증 표본조사",
    en="credit bureau (pseudonyms), resident register, buildings, census, household surveys of Statistics Korea and of the city",
)
HOW_TO_READ = Words(ko="읽는 법", en="How to read it")
NOTES: tuple[Words, ...] = (
    Words(
        ko="모든 수치는 이 공개의 data/ 표에 있는 공표 셀이며, 셀마다 이름이 붙어 있습니다(data-cell).",
        en="Every figure is a published cell of the tables in data/ of this release and carries its name (data-cell).",
    ),
    Words(
        ko="수치는 반올림하여 합계가 부분의 합과 다를 수 있습니다. 단위는 README에 있습니다.",
        en="Figures are rounded; totals need not equal the sum of their parts. README has the bases.",
    ),
    Words(ko="–: 비공표. *: 이용 주의.", en="–: not published. *: use with caution."),
    Words(
        ko="소득은 세전 총소득(연간), 부채는 월말 잔액, 소비지출은 그 달의 금액입니다.",
        en="Income is gross, a year; debt is the balance at the end of the month; spending is that of the month.",
    ),
    Words(
        ko="신뢰 등급은 평균 총소득의 오차에 따릅니다.",
        en="The class of reliability follows from the error of mean total income.",
    ),
    BOUNDARIES,
)
MAP_TITLE = Words(ko="행정동 지도", en="Map by dong")
BELOW, UNDER = Words(ko="", en="below"), Words(ko="미만", en="")
"""Before and behind an upper limit."""
AND_MORE, UP_TO = Words(ko="이상", en="and more"), Words.same("–")
NOT_PUBLISHED = Words(ko="비공표", en="not published")
RELIABILITY = Words(ko="신뢰 등급", en="reliability")
REGION_OF = Words(ko="자치구", en="District")

CSS = """
body { font-family: "NanumGothic", "Apple SD Gothic Neo", "Malgun Gothic", sans-serif; color: #1f2937; margin: 0 auto;
 max-width: 60rem; padding: 0 1rem 2rem; line-height: 1.6; word-break: keep-all; }
.banner { background: #7c2d12; color: #fff; text-align: center; font-weight: bold; margin: 0 -1rem 1rem; padding: .5rem 1rem; }
.marking { display: inline-block; border: 2px solid #9f1239; color: #9f1239; font-weight: bold; padding: 0 .6rem; margin: 0; }
h1 { font-size: 1.6rem; margin: .5rem 0; } h2 { font-size: 1.3rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #d1d5db; }
dl { display: grid; grid-template-columns: max-content auto; gap: .1rem 1rem; } dt { color: #4b5563; } dd { margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #d1d5db; padding: .25rem .5rem; text-align: right; white-space: nowrap; }
thead th { border-bottom: 2px solid #1f2937; vertical-align: bottom; white-space: normal; }
th.row { text-align: left; font-weight: normal; } .unit { display: block; font-weight: normal; color: #4b5563; }
figure { margin: 1.5rem 0; } figcaption { font-weight: bold; } svg { width: 100%; max-width: 40rem; height: auto; }
svg .line { fill: none; stroke: #1f2937; stroke-width: 1; } svg use { stroke: #fff; stroke-width: .4; }
svg text { font-size: 12px; text-anchor: middle; fill: #1f2937; stroke: #fff; stroke-width: 3px; paint-order: stroke; }
ul.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .9rem; }
.key { display: inline-block; width: 1rem; height: 1rem; margin-right: .4rem; vertical-align: middle; }
.c0 { fill: #deebf7; background: #deebf7; } .c1 { fill: #9ecae1; background: #9ecae1; }
.c2 { fill: #4292c6; background: #4292c6; }
.c3 { fill: #2171b5; background: #2171b5; } .c4 { fill: #084594; background: #084594; }
.none { fill: #bdbdbd; background: #bdbdbd; }
"""
"""Light to dark: readable in grey and by people who do not see colours apart."""

FONTS: Mapping[Language, Mapping[int, str]] = {
    "ko": {
        400: "993a47895a7394c95d5dac477e7010e10e60afea1255e08611c6814f4d8549ce",
        700: "e6155fae1e0bd3d47cabad44470f1ad9fdd369fd449ef5af219eaca3f8c0425b",
    },
    "en": {
        400: "4afe1f5505dcdfa500cf07c3834cb70def4c0b123f3c6f0044ec8dc02c3a425f",
        700: "031a6bce33efc6f476b75ac9df993279009cf8844e0121c1df5847e391ea2c9f",
    },
}
"""Weight → SHA-256 of the WOFF file (NanumGothic, SIL Open Font License) that a report has inside: the same in every release,
so that nothing hides in it. Made by `python -m living_finance.reports.fonts`."""


def style_sheet(fonts: Mapping[int, str]) -> str:
    """The style of a report.

    Args:
        fonts: weight → WOFF file, base64.

    >>> style_sheet({400: "AAAA"}).splitlines()[-1]
    '@font-face { font-family: "NanumGothic"; font-weight: 400; src: url(data:font/woff;base64,AAAA) format("woff"); }'
    """
    faces = (
        f'@font-face {{ font-family: "NanumGothic"; font-weight: {weight}; '
        f'src: url(data:font/woff;base64,{content}) format("woff"); }}'
        for weight, content in fonts.items()
    )
    return "\n".join((CSS.strip(), *faces))


def statistic_words(source: str, statistic: str) -> Words:
    """Label of a statistic."""
    found = r.STATISTICS[source][statistic]
    return Words(ko=found.label_ko, en=found.label_en)


def category_words(dimension: str, category: str) -> Words:
    """Label of a category, the code itself where it has none."""
    named = {code: Words(ko=ko, en=en) for code, ko, en in r.labels_of(dimension)}
    return named.get(category, Words.same(category))


def page_title(about: About, language: Language) -> str:
    """Of the report."""
    return f"{TITLE.of(language)} {about.month}"


def map_title(statistic: str, language: Language) -> str:
    """Of a map of the report."""
    return f"{MAP_TITLE.of(language)}: {statistic_words(MAP_TABLE, statistic).of(language)}"


def facts(about: About, language: Language) -> dict[str, str]:
    """What stands at the top, by the key of its label."""
    return {
        "month": about.month,
        "release": about.release,
        "model": about.model,
        "publisher": about.publisher.of(language),
        "licence": about.licence,
        "sources": SOURCES.of(language),
    }


def known_texts(about: About, language: Language) -> Iterator[str]:
    """Every text of a report but names of regions and figures."""
    yield from (page_title(about, language), IN_DEVELOPMENT.of(language), MARKING.of(language))
    yield from (
        words.of(language) for words in (*FACTS.values(), *NOTES, HOW_TO_READ, BELOW, UNDER, AND_MORE, UP_TO, NOT_PUBLISHED)
    )
    yield from (words.of(language) for words in (RELIABILITY, REGION_OF))
    yield from facts(about, language).values()
    yield from (codes.REGION_LEVEL.label(level, language) for level in r.LEVELS)
    yield from (map_title(name, language) for name in MAPPED)
    yield from (shown.words.of(language) for shown in SHOWN.values())
    for table in TABLES:
        yield table.title.of(language)
        yield from (statistic_words(table.source, name).of(language) for name in table.statistics)
        if table.by:
            yield r.column(table.by).label_ko if language == "ko" else r.column(table.by).label_en
            yield from (category_words(table.by, code).of(language) for code, _, _ in r.labels_of(table.by))


def map_members(about: About) -> dict[str, str]:
    """What a GeoJSON map says beside its features: foreign members of the collection (RFC 7946, section 6.1)."""
    return {
        **NOTICE,
        **{f"{key}_{language}": text for language in LANGUAGES for key, text in facts(about, language).items()},
        "licence_url": about.licence_url,
        "boundaries_ko": BOUNDARIES.ko,
        "boundaries_en": BOUNDARIES.en,
    }
