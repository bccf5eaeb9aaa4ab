"""The gate's look at texts: whether a spreadsheet that opens the file would evaluate one. For the gate only.

Source: OWASP, CSV Injection.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

_LINE_SIGNS = frozenset("\t\r\n")
_FORMULA_SIGNS = frozenset("=+-@＝＋－＠")
"""What a formula begins with, behind leading spaces too."""


def formulas(table: str, frame: pd.DataFrame) -> Iterator[tuple[str, str, str, str]]:
    """P13: a finding per column in which a text can be taken for a formula; numbers are no texts."""
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]) and any(map(_is_formula, frame[name].dropna().unique())):
            yield "P13", table, str(name), "a text that spreadsheets take for a formula"


def _is_formula(text: object) -> bool:
    if not isinstance(text, str):
        return False
    body = text.lstrip()
    lead = text[: len(text) - len(body)]
    return body[:1] in _FORMULA_SIGNS or not _LINE_SIGNS.isdisjoint(lead)
