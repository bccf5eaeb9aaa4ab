"""A blank page of a report's PDF is found, though it has a running head and a number; so is Korean in English."""

from __future__ import annotations

from pathlib import Path

import pytest
import typst
from check_pages import draw_pages, korean_words

PAGE = '#set page(paper: "a4", margin: (top: 22mm, bottom: 20mm), header: [In development], footer: [1 / 3], fill: white)\n'


@pytest.mark.parametrize(
    ("body", "found"),
    [("One\n#pagebreak()\nTwo", []), ("One\n#pagebreak()\n#pagebreak()\nThree", ["page 2 is blank"])],
)
def test_blank_pages_are_found(body: str, found: list[str], tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    made = typst.compile((PAGE + body).encode(), format="pdf")
    assert isinstance(made, bytes)
    file.write_bytes(made)
    assert draw_pages(file, out=tmp_path) == found
    assert len(list(tmp_path.glob("report-page-*.png"))) == 2 + len(found)


def test_korean_in_english_is_found_but_in_brackets() -> None:
    assert korean_words("For internal use (내부용), SGIS (통계청 통계지리정보서비스)") == []
    assert korean_words("mean income of 마포구 (마포)") == ["마포구"]
