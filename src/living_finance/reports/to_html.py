"""A report as one HTML file: no script, no request to anywhere, fonts inside."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from living_finance.reports.document import Report
from living_finance.reports.fonts import embedded


def to_html(report: Report) -> bytes:
    """The report as HTML; the same report gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("living_finance.reports"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=False,
        keep_trailing_newline=True,
    )
    template = environment.get_template("report.html.j2")
    content: dict[str, Any] = {**report.numbered(), "css": environment.get_template("report.css").render()}
    without_fonts = template.render(**content, fonts={})
    return template.render(**content, fonts=embedded(without_fonts)).encode()
