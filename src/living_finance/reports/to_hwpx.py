"""A report as HWPX (KS X 6101), the format that Korean officials file: text, tables, pictures."""

from __future__ import annotations

import io
import itertools
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from hwpx import HwpxDocument

from living_finance.reports.charts import png
from living_finance.reports.document import Report

_PIXELS = 1000
_TITLE, _HEADING, _SMALL = 18, 13, 8
"""Sizes of letters in points; the others have the template's 10."""
_HEAD_FILL = "#EEF5FB"
_FULL_WIDTH = 42520
"""HWP units (1/7200 inch) between the margins of the template's page."""
_PICTURE_MM = 140.0
_EPOCH = (1980, 1, 1, 0, 0, 0)
_OBJECT_ID = re.compile(r'\b(id|instid|idRef)="([1-9]\d*)"')
"""Drawn by chance, with few digits now and then; 0 is the template's."""


@dataclass(frozen=True)
class _Look:
    """Ids of the letters and paragraphs of a document."""

    title: str
    heading: str
    bold: str
    small: str
    small_bold: str
    left: str
    right: str
    head_fill: str

    @classmethod
    def of(cls, document: HwpxDocument) -> _Look:
        styles, first = document.styles, document.paragraphs[0]
        sides = []
        for side in ("RIGHT", "LEFT"):
            styles.apply_paragraph_format(paragraphs=[first], alignment=side)
            sides.append(str(first.para_pr_id_ref))
        return cls(
            title=styles.ensure_run(bold=True, size=_TITLE),
            heading=styles.ensure_run(bold=True, size=_HEADING),
            bold=styles.ensure_run(bold=True),
            small=styles.ensure_run(size=_SMALL),
            small_bold=styles.ensure_run(bold=True, size=_SMALL),
            left=sides[1],
            right=sides[0],
            head_fill=styles.ensure_border_fill(fill_color=_HEAD_FILL),
        )


def to_hwpx(report: Report) -> bytes:
    """The report as HWPX; the same report gives the same bytes."""
    document = HwpxDocument.new()
    look = _Look.of(document)
    content = report.numbered()
    document.page.set_header(text=f"{content['banner']}  {content['marking']}")
    document.page.set_page_number()
    document.paragraphs[0].text = content["title"]
    document.paragraphs[0].char_pr_id_ref = look.title
    for line in (content["banner"], content["marking"]):
        _write(document, line, look, letters=look.bold)
    _write(document, content["subtitle"], look)
    _write(document, content["words"]["summary"], look, letters=look.heading)
    for line in content["summary"]:
        _write(document, f"○ {line}", look)
    for section in content["sections"]:
        # The template numbers headings itself.
        document.add_heading(section["title"], level=1, char_pr_id_ref=look.heading)
        for block in section["blocks"]:
            _add(document, block, look)
    preview = [content["title"], content["banner"], content["marking"], *content["summary"]]
    return _repeatable(document.to_bytes(), title=content["title"], preview="\r\n".join(preview))


def _write(document: HwpxDocument, line: str, look: _Look, *, letters: str | None = None) -> None:
    document.add_paragraph(line, style="바탕글", para_pr_id_ref=look.left, char_pr_id_ref=letters)


def _add(document: HwpxDocument, block: Mapping[str, Any], look: _Look) -> None:
    if block["kind"] in ("text", "list"):
        mark = "○ " if block["kind"] == "list" else ""
        for paragraph in block["paragraphs"]:
            _write(document, f"{mark}{paragraph}", look)
        return
    _write(document, f"[{block['label']}] {block['caption']}", look, letters=look.bold)
    if block["kind"] == "figure":
        document.add_picture(png(block["svg"], width=_PIXELS), "png", width_mm=_PICTURE_MM)
        _write(document, block["alternative"], look)
    else:
        _table(document, block, look)
    for note in (*block["notes"], block["origin"]):
        _write(document, note, look, letters=look.small)
    if block["kind"] == "figure" and block["table"]:
        _add(document, block["table"], look)


def _table(document: HwpxDocument, block: Mapping[str, Any], look: _Look) -> None:
    """Names to the left, figures to the right; the head is repeated on every page."""
    rows = [block["header"], *block["rows"]]
    table = document.add_table(len(rows), len(block["header"]), width=_FULL_WIDTH)
    # Three letters more: the margins of a cell.
    table.set_column_widths([letters + 3 for letters in block["breadths"]])
    table.element.set("repeatHeader", "1")
    # By row: set_cell_text looks for its cell from the first one on, which takes minutes for the dongs of the city.
    for number, (shown, row) in enumerate(zip(table.rows, rows, strict=True)):
        for column, (cell, text) in enumerate(zip(shown.cells, row, strict=True)):
            cell.text = text.replace(" ± ", "\u00a0±\u00a0")
            (paragraph,) = cell.paragraphs
            paragraph.para_pr_id_ref = look.right if column else look.left
            paragraph.char_pr_id_ref = look.small if number else look.small_bold
            if not number:
                cell.element.set("header", "1")
                cell.element.set("borderFillIDRef", look.head_fill)


def _repeatable(archive: bytes, *, title: str, preview: str) -> bytes:
    """The archive without chance and clock: ids of its objects counted through, times fixed, its template's author gone.

    File managers show the preview.
    """
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as before, zipfile.ZipFile(made, "w") as after:
        for entry in before.infolist():
            content = before.read(entry)
            if entry.filename.startswith("Contents/section"):
                content = _numbered(content.decode()).encode()
            elif entry.filename.endswith("content.hpf"):
                content = _described(content.decode(), title=title).encode()
            elif entry.filename.startswith("Preview/PrvText"):
                content = preview.encode()
            if entry.filename.startswith("Preview/PrvImage"):
                continue
            copy = zipfile.ZipInfo(entry.filename, _EPOCH)
            copy.compress_type = entry.compress_type
            after.writestr(copy, content)
    return made.getvalue()


def _numbered(section: str) -> str:
    """Random ids replaced in the order they appear; the same id stays the same."""
    numbers: dict[str, int] = {}
    counter = itertools.count(1_000_000_000)

    def number(match: re.Match[str]) -> str:
        if match[2] not in numbers:
            numbers[match[2]] = next(counter)
        return f'{match[1]}="{numbers[match[2]]}"'

    return _OBJECT_ID.sub(number, section)


def _described(package: str, *, title: str) -> str:
    package = re.sub(r"<opf:title\s*/>|<opf:title>.*?</opf:title>", f"<opf:title>{escape(title)}</opf:title>", package)
    package = re.sub(r'(<opf:meta name="(?:creator|lastsaveby)"[^>]*>)[^<]*', r"\g<1>living-finance", package)
    return re.sub(r'<opf:meta name="(?:CreatedDate|ModifiedDate|date)"[^>]*>[^<]*</opf:meta>', "", package)
