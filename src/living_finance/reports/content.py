"""The trend report as content: which figures stand where. Every number comes from a published table."""

from __future__ import annotations

from collections.abc import Mapping

from living_finance.contracts.language import IN_DEVELOPMENT, Language
from living_finance.reports import overview, quality, regional
from living_finance.reports.author import Author
from living_finance.reports.data import ReportData, month_text
from living_finance.reports.document import Report
from living_finance.reports.policy import policy_sections


def build_report(data: ReportData, language: Language) -> Report:
    """The trend report of a month or a year.

    Args:
        data: published figures.
        language: `ko` or `en`.

    Returns:
        The content. Figures that the data do not hold are left out, and where they would be expected the report says so.
    """
    author = Author(data, language)
    when_ko = f"{data.year}년" if data.year else f"{data.month.year}년 {data.month.number}월"
    when_en = str(data.year) if data.year else month_text(data.month)
    made = [
        overview.overview(author),
        overview.changes(author),
        overview.series(author),
        regional.regions(author),
        regional.maps(author),
        regional.distribution(author),
        regional.composition(author),
        regional.groups(author),
        regional.persons(author),
        *policy_sections(data, author.language),
        quality.reliability(author),
        quality.method(author),
        regional.appendix(author),
    ]
    return Report(
        language=author.language,
        title=author.say(
            f"생활금융 동향보고서: {author.name} {when_ko}", f"Living-finance trend report: {author.name} {when_en}"
        ),
        subtitle=author.say("가구의 소득·부채·소비", "Household income, debt and spending") + _months_of_year(author),
        banner=IN_DEVELOPMENT.of(author.language),
        marking=author.say("공개용: 승인된 공표 셀만 사용", "Public: approved cells only")
        if data.is_public
        else author.say("내부용", "For internal use (내부용)"),
        summary=tuple(overview.summary(author)),
        sections=tuple(section for section in made if section is not None),
        words=_WORDS[author.language],
    )


def _months_of_year(author: Author) -> str:
    """Which months a year's report rests on: it can be made before the year is over."""
    data = author.data
    if data.year is None:
        return ""
    first, last, number = month_text(data.months[0]), month_text(data.months[-1]), len(data.months)
    return author.say(
        f" · {first}부터 {last}까지 {number}개월, 수준은 마지막 달의 값",
        f" · {number} month{'s' if number > 1 else ''}, {first} to {last}; levels are those of the last",
    )


_WORDS: Mapping[Language, Mapping[str, str]] = {
    "ko": {
        "figure": "그림",
        "table": "표",
        "source": "출처",
        "month": "기준월",
        "model": "모형",
        "contents": "차례",
        "summary": "요약",
        "skip": "본문으로 건너뛰기",
        "values": "값을 표로 보기",
        "text": "그림 설명",
    },
    "en": {
        "figure": "Figure",
        "table": "Table",
        "source": "Source",
        "month": "Month",
        "model": "Model",
        "contents": "Contents",
        "summary": "Summary",
        "skip": "Skip to the report",
        "values": "Show the values as a table",
        "text": "In words",
    },
}
