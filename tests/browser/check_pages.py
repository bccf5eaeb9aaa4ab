"""What `check_report` looks for without a browser: blank pages of a PDF, Korean words of an English text."""

from __future__ import annotations

import re
from pathlib import Path

import pypdfium2

_DOTS_AN_INCH = 80
_POINTS_AN_INCH = 72
_BODY = (0.08, 0.92)
"""Shares of the height between the running head and the page number, which every page has (report.typ)."""
_INK = 250
"""Grey of 255 at and above which a dot is paper."""


def draw_pages(file: Path, *, out: Path) -> list[str]:
    """Draw every page into `out` as PNG; the problems found."""
    found = []
    document = pypdfium2.PdfDocument(file)
    for number, page in enumerate(document, 1):
        drawn = page.render(scale=_DOTS_AN_INCH / _POINTS_AN_INCH).to_pil()
        drawn.save(out / f"{file.stem}-page-{number:02d}.png")
        top, bottom = (round(drawn.height * share) for share in _BODY)
        darkest, _ = drawn.convert("L").crop((0, top, drawn.width, bottom)).getextrema()
        if darkest >= _INK:
            found.append(f"page {number} is blank")
    document.close()
    return found


def korean_words(text: str) -> list[str]:
    """Korean in an English text, but for what stands in brackets behind its translation."""
    return re.findall(r"[가-힣]+", re.sub(r"\([^()]*\)", "", text))
