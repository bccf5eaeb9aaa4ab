"""A report as PDF/UA: tagged, with text for every picture; set by Typst."""

from __future__ import annotations

import json
import re

import typst
from jinja2 import Environment, PackageLoader

from living_finance.reports.document import Report
from living_finance.reports.fonts import FAMILY, font_folder


def to_pdf(report: Report) -> bytes:
    """The report as PDF, A4; the same report gives the same bytes."""
    environment = Environment(loader=PackageLoader("living_finance.reports"), autoescape=False)
    source, _, _ = environment.loader.get_source(environment, "report.typ")  # type: ignore[union-attr]
    content = report.numbered()
    for section in content["sections"]:
        for block in section["blocks"]:
            if block["kind"] == "figure":
                block["width"] = _width(block["svg"])
    made = typst.Compiler(font_paths=[str(font_folder())], ignore_system_fonts=True).compile(
        source.encode(),
        format="pdf",
        sys_inputs={"report": json.dumps(content, ensure_ascii=False), "font": FAMILY},
        pdf_standards=["ua-1"],
    )
    return made if isinstance(made, bytes) else b"".join(made or ())


def _width(svg: str) -> float:
    """Pixels that a chart is wide."""
    found = re.search(r'<svg[^>]* width="([0-9.]+)"', svg)
    return float(found.group(1)) if found else 0.0
