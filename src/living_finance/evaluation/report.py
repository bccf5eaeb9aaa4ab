"""Scores for people to read."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table


def format_scores(scores: dict[str, Any]) -> Group:
    """Tables of the scores that `evaluate` returns."""
    tables = _householding(scores), _distances(scores["distances"]), _income(scores["income"])
    return Group(*tables, _by_group(scores["income_by_group"]))


def _percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value * 100:.{digits}f} %"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for position, column in enumerate(columns):
        table.add_column(column, justify="left" if position == 0 else "right")
    return table


def _householding(scores: dict[str, Any]) -> Table:
    table = _table(
        f"Householding {scores['month']}: bureau persons", "dwelling", "persons", "precision", "recall", "F1", "B-cubed F1"
    )
    for dwelling, row in scores["householding"].items():
        table.add_row(
            dwelling,
            f"{row['persons']:,.0f}",
            *(f"{row[name]:.3f}" for name in ("pairwise_precision", "pairwise_recall", "pairwise_f1", "b_cubed_f1")),
        )
    shares = scores["households"]
    table.caption = (
        f"right size {_percent(shares['right_size_share'])}, exactly the same members {_percent(shares['exact_member_share'])}"
        f" of {shares['households']:,.0f} true households"
    )
    return table


def _distances(distances: dict[str, dict[str, float]]) -> Table:
    table = _table("Total variation from the truth", "distribution", "city", "city, weighted", "dongs", "dongs, weighted")
    for name, row in distances.items():
        columns = ("city_unweighted", "city_weighted", "dong_unweighted", "dong_weighted")
        table.add_row(name, *(_percent(row[column], 2) for column in columns))
    return table


def _income(income: dict[str, Any]) -> Table:
    table = _table("Error of published figures", "figure", "error", "after the city's ratio")
    for level, row in income["mean_total_income"].items():
        table.add_row(f"mean total income by {level} (MAPE)", _percent(row["mape"], 2), _percent(row["mape_scaled"], 2))
    for name in ("median", "debt", "spending"):
        row = income[f"{name}_by_dong"]
        table.add_row(f"{name} by dong (MAPE)", _percent(row["mape"], 2), _percent(row["mape_scaled"], 2))
    for name, share in income["interval_90_coverage_by_dong"].items():
        table.add_row(f"90 % intervals that hold the dong's {name}", "", _percent(share))
    for name, row in income["components"].items():
        table.add_row(f"mean {name} income, city", _percent(row["city_error"], 2), "")
    for name, row in income["city"].items():
        error = row["error"]
        shown = ("–" if error is None else f"{error:+.4f}") if name == "gini" else _percent(error, 2)
        table.add_row(f"city {name}", shown, "")
    return table


def _by_group(errors: dict[str, dict[str, float]]) -> Table:
    table = _table("Error of the city's mean total income by group", "group", "after the city's ratio")
    for dimension, row in errors.items():
        for category, error in row.items():
            table.add_row(f"{dimension} {category}", _percent(error, 1))
    return table
