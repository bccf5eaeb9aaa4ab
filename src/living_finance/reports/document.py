"""A report as content: sections of text, tables and figures, each table and figure with where it comes from.

Renderers (`html`, `pdf`, `hwpx`) show the same content; none of them computes anything.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from living_finance.contracts.language import Language
from living_finance.reports.charts import Chart, draw


def breadth(text: str) -> int:
    """How wide a text is, in Latin letters; a Korean one is as wide as two.

    >>> breadth("12.3 ± 1"), breadth("마포구")
    (8, 6)
    """
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _begun(title: str) -> str:
    """A title or caption as a line begins: statistics and analyses have names that also stand within sentences."""
    return title[:1].upper() + title[1:]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a table or figure comes from; none of it may be empty."""

    source: str
    """Table, package or published source."""
    month: str
    """Month or range that the figures describe, as readers write it."""
    model: str
    """Versions of the models, or of the release, that the figures rest on."""

    def __post_init__(self) -> None:
        missing = [name for name, text in vars(self).items() if not text.strip()]
        if missing:
            raise ValueError(f"a table or figure must state its {' and '.join(missing)}")


@dataclass(frozen=True)
class Text:
    """Paragraphs, or items of a list."""

    paragraphs: tuple[str, ...]
    is_list: bool = False


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table: the first cell of a row is its heading."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    origin: Origin
    notes: tuple[str, ...] = ()
    is_long: bool = False
    """May break over pages; HTML folds it."""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.header) for row in self.rows):
            raise ValueError(f"{self.caption}: a row has not as many cells as the header")

    @property
    def breadths(self) -> tuple[int, ...]:
        """Letters that each column should have room for: its widest cell, and the longest word and a third of its head.

        >>> origin = Origin(source="gold.x", month="2020-01", model="m/1")
        >>> Grid(caption="", header=("dong", "평균 총소득 (만원/연)"), rows=(("Dong 1", "9 ± 1"),), origin=origin).breadths
        (6, 9)
        """
        heads = (re.findall(r"[^\s(]+|\([^\s]*", head) for head in self.header)
        columns = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.header)
        return tuple(
            max(-(-breadth(head) // 3), *(breadth(text) for text in (*words, *cells)), 1)
            for head, words, cells in zip(self.header, heads, columns, strict=True)
        )


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A chart or map, and what it shows in words."""

    caption: str
    alternative: str
    """Says in a sentence or two what can be seen."""
    chart: Chart
    key: str
    """Of this figure alone in the report."""
    origin: Origin
    notes: tuple[str, ...] = ()
    table: Grid | None = None
    """The figures drawn, unless another table of the section has them."""

    @cached_property
    def svg(self) -> str:
        """The chart, drawn."""
        return draw(self.chart, prefix=self.key)


Block = Text | Grid | Figure


@dataclass(frozen=True, kw_only=True)
class Section:
    """A numbered part of the report."""

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """A whole report in one language."""

    language: Language
    title: str
    subtitle: str
    banner: str
    """Says that the statistic is in development."""
    marking: str
    """For whom it is: `내부용`, or that it is made from approved cells."""
    summary: tuple[str, ...]
    sections: tuple[Section, ...]
    words: Mapping[str, str]
    """What renderers write around the content: `figure`, `table`, `source`, `month`, `model`, `contents`, …"""

    def grids(self) -> Iterator[Grid]:
        """Tables in the order of the report, those of figures included."""
        for section in self.sections:
            for block in section.blocks:
                if isinstance(block, Grid):
                    yield block
                elif isinstance(block, Figure) and block.table is not None:
                    yield block.table

    def figures(self) -> Iterator[Figure]:
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, Figure))

    def numbered(self) -> dict[str, Any]:
        """The report as plain values for a template, sections, tables and figures numbered in order."""
        tables, figures = 0, 0
        sections = []
        for number, section in enumerate(self.sections, 1):
            blocks: list[dict[str, Any]] = []
            for block in section.blocks:
                if isinstance(block, Text):
                    blocks.append({"kind": "list" if block.is_list else "text", "paragraphs": block.paragraphs})
                elif isinstance(block, Grid):
                    tables += 1
                    blocks.append(self._grid(block, tables))
                else:
                    figures += 1
                    shown: dict[str, Any] = {
                        "kind": "figure",
                        "number": figures,
                        "label": f"{self.words['figure']} {figures}",
                        "caption": _begun(block.caption),
                        "alternative": block.alternative,
                        "svg": block.svg,
                        "notes": block.notes,
                        "origin": self._origin(block.origin),
                        "table": None,
                    }
                    if block.table is not None:
                        tables += 1
                        shown["table"] = self._grid(block.table, tables)
                    blocks.append(shown)
            sections.append({"key": section.key, "number": number, "title": _begun(section.title), "blocks": blocks})
        return {
            "language": self.language,
            "title": self.title,
            "subtitle": self.subtitle,
            "banner": self.banner,
            "marking": self.marking,
            "summary": self.summary,
            "sections": sections,
            "words": dict(self.words),
        }

    def _grid(self, grid: Grid, number: int) -> dict[str, Any]:
        return {
            "kind": "table",
            "number": number,
            "label": f"{self.words['table']} {number}",
            "caption": _begun(grid.caption),
            "header": grid.header,
            "rows": grid.rows,
            "breadths": grid.breadths,
            "notes": grid.notes,
            "origin": self._origin(grid.origin),
            "is_long": grid.is_long,
        }

    def _origin(self, origin: Origin) -> str:
        w = self.words
        return f"{w['source']}: {origin.source} · {w['month']}: {origin.month} · {w['model']}: {origin.model}"
