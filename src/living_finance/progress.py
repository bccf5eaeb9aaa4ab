"""What a person sees while a month is made: a live line per step on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console

console = Console(stderr=True, highlight=False)


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
