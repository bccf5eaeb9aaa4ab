"""A report as HWPX (KS X 6101), the format that Korean officials file: text, tables, pictures."""

from __future__ import annotations

import io
import itertools
import re
import zipfile
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from hwpx import HwpxDocument

from living_finance.reports.charts import png
from living_finance.reports.document import Report

_PIXELS = 1000
_PICTURE_MM = 140.0
_EPOCH = (1980, 1, 1, 0, 0, 0)
_RANDOM_ID = re.compile(r'\b(id|instid)="(\d{5,})"')


def to_hwpx(report: Report) -> bytes:
    """The report as HWPX; the same report gives the same bytes."""
    document = HwpxDocument.new()
    content = report.numbered()
    document.paragraphs[0].text = content["title"]
    for line in (content["banner"], content["marking"], content["subtitle"]):
        document.add_paragraph(line)
    document.add_heading(content["words"]["summary"], level=1)
    for line in content["summary"]:
        document.add_paragraph(f"○ {line}", style="바탕글")
    for section in content["sections"]:
        document.add_heading(f"{section['number']}. {section['title']}", level=1)
        for block in section["blocks"]:
            _add(document, block)
    return _repeatable(document.to_bytes(), title=content["title"])


def _add(document: HwpxDocument, block: Mapping[str, Any]) -> None:
    if block["kind"] in ("text", "list"):
        mark = "○ " if block["kind"] == "list" else ""
        for paragraph in block["paragraphs"]:
            document.add_paragraph(f"{mark}{paragraph}", style="바탕글")
        return
    document.add_paragraph(f"[{block['label']}] {block['caption']}", style="바탕글")
    if block["kind"] == "figure":
        document.add_picture(png(block["svg"], width=_PIXELS), "png", width_mm=_PICTURE_MM)
        document.add_paragraph(block["alternative"], style="바탕글")
    else:
        rows = [block["header"], *block["rows"]]
        table = document.add_table(len(rows), len(block["header"]))
        # By row: set_cell_text looks for its cell from the first one on, which takes minutes for the dongs of the city.
        for shown, row in zip(table.rows, rows, strict=True):
            for cell, text in zip(shown.cells, row, strict=True):
                cell.text = text
    for note in (*block["notes"], block["origin"]):
        document.add_paragraph(note, style="바탕글")
    if block["kind"] == "figure" and block["table"]:
        _add(document, block["table"])


def _repeatable(archive: bytes, *, title: str) -> bytes:
    """The archive without chance and clock: ids of its objects counted through, times fixed, its template's author gone."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as before, zipfile.ZipFile(made, "w") as after:
        for entry in before.infolist():
            content = before.read(entry)
            if entry.filename.startswith("Contents/section"):
                content = _numbered(content.decode()).encode()
            elif entry.filename.endswith("content.hpf"):
                content = _described(content.decode(), title=title).encode()
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

    return _RANDOM_ID.sub(number, section)


def _described(package: str, *, title: str) -> str:
    package = re.sub(r"<opf:title\s*/>|<opf:title>.*?</opf:title>", f"<opf:title>{escape(title)}</opf:title>", package)
    package = re.sub(r'(<opf:meta name="(?:creator|lastsaveby)"[^>]*>)[^<]*', r"\g<1>living-finance", package)
    return re.sub(r'<opf:meta name="(?:CreatedDate|ModifiedDate|date)"[^>]*>[^<]*</opf:meta>', "", package)
