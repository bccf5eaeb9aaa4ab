"""What a person sees while a month is made: a live line per step on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.table import Table

console = Console(stderr=True, highlight=False, soft_wrap=True)
"""Says sentences whole, whatever the width: a path stays one word."""

_WIDE = 200
"""Columns of an answer that goes to a file or another program, unless COLUMNS says otherwise."""


def answer(*parts: RenderableType) -> None:
    """What was asked for, on standard output, in tables nothing cut, sentences whole; all else goes to standard error."""
    for part in parts:
        for column in part.columns if isinstance(part, Table) else ():
            column.overflow = "fold"
    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    Console(highlight=False, soft_wrap=True, width=None if has_width else _WIDE).print(*parts, sep="\n")  # ok: the one place


@contextlib.contextmanager
def working(label: str) -> Iterator[None]:
    """Show that `label` is under way, then how long it took."""
    started = time.monotonic()
    if console.is_terminal:
        with console.status(f"{label} …"):
            yield
    else:
        console.print(f"… {label}")
        yield
    console.print(f"[green]✓[/green] {label}  {time.monotonic() - started:.1f} s")


def note(text: str) -> None:
    """One line for the person who watches."""
    console.print(f"  {text}")
