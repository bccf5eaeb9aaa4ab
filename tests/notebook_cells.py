"""Execute a text notebook in this process, cell by cell, and keep what each cell shows, as a kernel would."""

from __future__ import annotations

import ast
import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import jupytext
from IPython.core.formatters import DisplayFormatter
from IPython.display import Image as ShownImage
from PIL import Image


@dataclass(frozen=True)
class Cell:
    """A code cell that was executed."""

    source: str
    value: Any
    """Of its last expression."""

    @property
    def is_picture(self) -> bool:
        return isinstance(self.value, alt.TopLevelMixin | ShownImage)

    @property
    def rows_drawn(self) -> int:
        """Of the smallest table or list of features behind a chart."""
        if isinstance(self.value, ShownImage):
            return 1
        drawn = self.value.to_dict()
        given = [each["values"] for each in _dictionaries(drawn) if isinstance(each.get("values"), list)]
        return min(len(rows) for rows in (*drawn.get("datasets", {}).values(), *given))

    def png(self) -> bytes:
        """The picture that a viewer would get."""
        shown, _ = DisplayFormatter().format(self.value)
        png = shown["image/png"]
        return png if isinstance(png, bytes) else base64.b64decode(png)

    def colours(self) -> int:
        """How many the picture has; a blank one has one."""
        with Image.open(io.BytesIO(self.png())) as picture:
            return len(picture.convert("RGB").getcolors(picture.width * picture.height) or [])


def _dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _dictionaries(part)


def execute(notebook: Path) -> tuple[list[Cell], dict[str, Any]]:
    """Its code cells in order, and the names they defined; the first that fails raises what it raised."""
    names: dict[str, Any] = {"__name__": notebook.stem}
    cells = []
    for cell in jupytext.read(notebook).cells:
        if cell.cell_type != "code":
            continue
        tree = ast.parse(cell.source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, notebook.name, "exec"), names)
        value = None if last is None else eval(compile(ast.Expression(last.value), notebook.name, "eval"), names)
        cells.append(Cell(cell.source, value))
    return cells, names
