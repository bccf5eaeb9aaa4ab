"""`living-finance`: everything a person does with the system, one command each."""

from __future__ import annotations

import sys

import typer
from rich.markup import escape

from living_finance.cli import database, figures, income_models, months, people, releases
from living_finance.errors import LivingFinanceError
from living_finance.progress import console

__all__ = ["app", "main", "main_of"]

app = typer.Typer(
    help="Monthly household income, debt and spending by neighbourhood (생활금융 통계).",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for room in (months, income_models, figures, database, releases, people):
    app.add_typer(room.app)


def main_of(command: str, *options: str) -> None:
    """Entry point of the spark-submit jobs: one command with the flags of the command line."""
    sys.argv = [sys.argv[0], command, *options, *sys.argv[1:]]
    main()


def main() -> None:
    """Entry point: our own errors become one line and their exit code."""
    try:
        app()
    except LivingFinanceError as error:
        console.print(f"[red]{type(error).__name__}[/red] {escape(str(error))}")
        raise SystemExit(error.exit_code) from None
