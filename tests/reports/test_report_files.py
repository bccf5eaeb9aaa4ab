"""The files of a report: whole, readable by machines, without requests, the same bytes again."""

from __future__ import annotations

import io
import itertools
import re
import uuid
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pypdfium2
import pytest
from fontTools.ttLib import TTFont
from hwpx import HwpxDocument
from hwpx.tools.id_integrity import check_id_integrity
from hwpx.tools.package_validator import validate_package
from hwpx.tools.validator import validate_document
from small_city import small_city

from living_finance.analyses.registry import ANALYSES
from living_finance.contracts.language import Language
from living_finance.errors import ConfigurationError
from living_finance.reports.content import build_report
from living_finance.reports.document import Report
from living_finance.reports.fonts import font_folder
from living_finance.reports.to_html import to_html
from living_finance.reports.to_hwpx import to_hwpx
from living_finance.reports.to_pdf import to_pdf
from living_finance.steps.report import FORMATS, check_formats, models_of_release, write_report

_VOID = {"meta", "link", "br", "img", "input", "hr", "path", "line", "rect"}


class Page(HTMLParser):
    """Tags, ids and open elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.unbalanced: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)


@pytest.fixture(scope="module")
def report() -> Report:
    return build_report(small_city(), "ko")


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return to_html(report).decode()


@pytest.fixture(scope="module")
def hwpx(report: Report) -> bytes:
    return to_hwpx(report)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    parsed = Page()
    parsed.feed(html)
    return parsed


def test_html_is_balanced_and_names_its_language(page: Page) -> None:
    assert (page.open, page.unbalanced) == ([], [])
    assert dict(page.tags[0][1]) == {"lang": "ko"}
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_html_asks_for_nothing_from_outside(html: str, page: Page) -> None:
    addresses = re.findall(r"""(?:src|href|url\()=?["'(]?\s*(https?:|//)[^"')\s]*""", html)
    assert addresses == []
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "img"}
    assert re.findall(r"@import|url\((?!data:|#)", html) == []


def test_html_can_be_read_without_seeing(report: Report, page: Page) -> None:
    tags = [tag for tag, _ in page.tags]
    tables = sum(1 for _ in report.grids())
    assert tags.count("table") == tags.count("caption") == tables
    assert [a for tag, a in page.tags if tag == "th" and a.get("scope") not in ("col", "row")] == []
    pictures = [a for _, a in page.tags if a.get("role") == "img"]
    assert [a["aria-label"] for a in pictures] == [figure.alternative for figure in report.figures()]
    assert next(a for tag, a in page.tags if tag == "a") == {"class": "skip", "href": "#report"}


def test_html_escapes_what_it_shows() -> None:
    names = small_city().names | {"11140": ("<b>마포</b>", "<b>Mapo</b>")}
    shown = to_html(build_report(small_city(names=names, boundaries=None, analyses=()), "ko")).decode()
    assert "<b>마포" not in shown
    assert "&lt;b&gt;마포" in shown


def test_pdf_has_pages_and_korean_text(report: Report) -> None:
    document = pypdfium2.PdfDocument(to_pdf(report))
    text = "\n".join(page.get_textpage().get_text_bounded() for page in document)
    assert len(document) >= 5
    for wanted in (report.title, "국가통계 승인 전 시험 통계", "내부용", "5,060", "출처", "small-area/0123456789ab"):
        assert wanted in text, wanted
    assert document.get_metadata_dict()["Title"] == report.title


def test_hwpx_opens_again_with_its_tables(report: Report, hwpx: bytes) -> None:
    document = HwpxDocument.open(hwpx)
    grids = list(report.grids())
    tables = [table for section in document.sections for p in section.paragraphs for table in p.tables]
    assert [(table.row_count, table.column_count) for table in tables] == [(len(g.rows) + 1, len(g.header)) for g in grids]
    text = " ".join(p.text or "" for section in document.sections for p in section.paragraphs)
    assert report.title in text
    assert "국가통계 승인 전 시험 통계" in text
    first = tables[0]
    assert [first.cell(1, column).text for column in range(first.column_count)] == list(grids[0].rows[0])
    sides = [
        {cell.paragraphs[0].para_pr_id_ref for cell in column} for column in zip(*(r.cells for r in first.rows), strict=True)
    ]
    assert [len(side) for side in sides] == [1] * len(sides) and sides[0] != sides[1] == sides[-1]


def test_hwpx_keeps_to_the_schema_of_its_format(report: Report, hwpx: bytes) -> None:
    """KS X 6101: mimetype first, a manifest of what is there, section and header by their XSD, no reference to nothing."""
    package = validate_package(hwpx)
    assert package.ok and {issue.level for issue in package.issues} <= {"warning"}
    assert {"mimetype", "META-INF/container.xml", "Contents/content.hpf", "Contents/section0.xml"} <= set(package.checked_parts)
    document = validate_document(hwpx)
    assert document.ok and set(document.validated_parts) == {"Contents/header.xml", "Contents/section0.xml"}
    assert check_id_integrity(HwpxDocument.open(hwpx)).dangling == []
    with zipfile.ZipFile(io.BytesIO(hwpx)) as archive:
        assert archive.read("Preview/PrvText.txt").decode().splitlines()[:2] == [report.title, report.banner]
        pictures = [name for name in archive.namelist() if name.startswith("BinData/")]
        section = archive.read("Contents/section0.xml").decode()
    assert len(pictures) == len(list(report.figures()))
    pointed = re.findall(r'\bidRef="(\d{5,})"', section)
    assert pointed and set(pointed) <= set(re.findall(r'\bid="(\d+)"', section))


def test_hwpx_numbers_each_heading_once(report: Report, hwpx: bytes) -> None:
    """The outline style writes the number; text with one of its own would have two."""
    document = HwpxDocument.open(hwpx)
    outline = {p.style_id_ref for s in document.sections for p in s.paragraphs if p.text == report.sections[0].title}
    headings = [p.text for s in document.sections for p in s.paragraphs if p.style_id_ref in outline]
    assert headings == [section.title for section in report.sections]


@pytest.mark.parametrize(
    ("language", "shown", "hidden"),
    [
        ("ko", ("산식: inequality 비율 = 가 / 나. 근거: 아무개 (2020).",), ("inequality share", "Nobody")),
        ("en", ("Method: inequality share = a / b. Source: Nobody (2020).",), ("비율 = 가 / 나", "아무개")),
    ],
)
def test_formulas_are_in_the_language_of_the_report(language: Language, shown: tuple[str, ...], hidden: tuple[str, ...]) -> None:
    report = build_report(small_city(), language)
    document = HwpxDocument.open(to_hwpx(report))
    pages = pypdfium2.PdfDocument(to_pdf(report))
    texts = {
        "html": to_html(report).decode(),
        "hwpx": " ".join(p.text or "" for section in document.sections for p in section.paragraphs),
        "pdf": " ".join(page.get_textpage().get_text_bounded() for page in pages),
    }
    for name, text in texts.items():
        written = " ".join(text.split())
        assert [formula for formula in shown if formula not in written] == [], name
        assert [formula for formula in hidden if formula in written] == [], name


def test_the_typeface_has_every_character_of_the_formulas() -> None:
    """A missing one is an empty box in HTML and PDF."""
    known = TTFont(font_folder() / "NanumGothic.ttf").getBestCmap()
    texts = [words for analysis in ANALYSES.values() for words in (*analysis.formulas, analysis.source)]
    assert {c for words in texts for c in words.ko + words.en if ord(c) not in known} == set()


def test_hwpx_names_no_author_and_no_time(report: Report, hwpx: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(hwpx)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        package = archive.read("Contents/content.hpf").decode()
    assert report.title in package
    assert "fixture" not in package
    assert "Date" not in package


def test_hwpx_does_not_depend_on_how_many_digits_chance_gives_its_ids(
    report: Report, hwpx: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = itertools.count(1)
    monkeypatch.setattr("hwpx.oxml._document_primitives.uuid4", lambda: uuid.UUID(int=next(numbers)))
    assert to_hwpx(report) == hwpx
    assert next(numbers) > 100


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_same_figures_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    written = [
        write_report(small_city(), language="en", formats=[name], out=tmp_path / str(time))[0].read_bytes() for time in range(2)
    ]
    assert written[0] == written[1]
    assert len(written[0]) > 10_000


def test_files_are_named_by_month_region_and_language(tmp_path: Path) -> None:
    district = small_city(region="11140", year=2020, changes={}, analyses=())
    assert [f.name for f in write_report(district, language="ko", formats=["pdf"], out=tmp_path)] == ["report-2020-11140-ko.pdf"]


@pytest.mark.parametrize("formats", [["docx"], []])
def test_unknown_formats_are_refused_first(formats: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        check_formats(formats)


def test_a_public_report_rests_on_the_release_and_the_models_it_names(tmp_path: Path) -> None:
    folder = tmp_path / "portal" / "202001-v1"
    folder.mkdir(parents=True)
    assert models_of_release(folder) == "portal 202001-v1"
    (folder / "datapackage.json").write_text('{"model_version": "m/1, n/2"}', encoding="utf-8")
    assert models_of_release(folder) == "portal 202001-v1, m/1, n/2"
