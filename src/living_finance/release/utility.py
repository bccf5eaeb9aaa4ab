"""What a release is still good for: share of cells published, and how near its dong figures are to the internal ones.

Nothing here tells a cell: errors are means over many dongs and rounded up, correlations rounded down, and neither is
stated over fewer dongs than a cell needs contributors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.release.rules import ReleaseRules

_ERROR_STEP, _CORRELATION_STEP = 0.0001, 0.0001
_LABELS = {
    "published": ("공표 셀 비율", "share of cells published"),
    "zeros": ("그 가운데 구조적 0", "of them structural zeros"),
    "dongs": ("행정동 수치의 오차", "error of dong figures"),
}


def utility(
    tables: Mapping[str, pd.DataFrame], counts: pd.DataFrame, cells: Mapping[str, pd.DataFrame], *, rules: ReleaseRules
) -> dict[str, Any]:
    """Figures about a release that may be printed with it.

    Args:
        tables: of `Protected.tables`.
        counts: of `Protected.counts`.
        cells: gold table → cells with the internal figures.
        rules: of the channel.

    Returns:
        `published`: share of cells whose count is published, by table, number of dimensions (`ways`) and level, and `zeros`,
        the share of all cells that are published because nobody can be in them: they tell a reader nothing new.
        `dongs`: for each mean and median of whole dongs the mean relative error and Spearman's rank correlation with the
        internal figures, over the dongs that are published; None where these are too few.
    """
    return {
        "labels": {name: {"ko": ko, "en": en} for name, (ko, en) in _LABELS.items()},
        "published": _published(counts),
        "dongs": [row for table in rules.tables for row in _dongs(tables[table.name], table.name, cells[table.source], rules)],
    }


def lines(figures: Mapping[str, Any]) -> list[str]:
    """The figures as rows of a Markdown table, Korean and English."""
    published, zeros = _LABELS["published"], _LABELS["zeros"]
    shares = [
        f"| `{row['table']}` | {row['ways']} | {row['level']} | {row['share']:.1%} | {row['zeros']:.1%} |"
        for row in figures["published"]
    ]
    errors = [
        f"| `{row['table']}` | {row['place']} | {row['label_ko']} / {row['label_en']} | {row['dongs']} | "
        + (f"≤ {row['mean_error']:.2%} | ≥ {row['rank_correlation']:.4f} |" if row["mean_error"] is not None else "| |")
        for row in figures["dongs"]
    ]
    return [
        f"| 표 / table | 차원 수 / dimensions | 단위 / level | {published[0]} / {published[1]} | {zeros[0]} / {zeros[1]} |",
        "|---|---|---|---|---|",
        *shares,
        "",
        "| 표 / table | 장소 / place | 항목 / figure | 동 수 / dongs | 평균 오차 / mean error | 순위상관 / rank correlation |",
        "|---|---|---|---|---|---|",
        *errors,
    ]


def _published(counts: pd.DataFrame) -> list[dict[str, Any]]:
    keys = ["table", "ways", "region_level"]
    of_status = counts.assign(shown=counts["cells"].where(counts["status"] == r.PUBLISHED, 0)).groupby(keys)[
        ["shown", "zeros", "cells"]
    ]
    total = of_status.sum().reset_index()
    return [
        {
            "table": str(row["table"]),
            "ways": int(row["ways"]),
            "level": str(row["region_level"]),
            "share": round(float(row["shown"] / row["cells"]), 3),
            "zeros": round(float(row["zeros"] / row["cells"]), 3),
        }
        for row in total.to_dict("records")
    ]


def _dongs(protected: pd.DataFrame, table: str, cells: pd.DataFrame, rules: ReleaseRules) -> list[dict[str, Any]]:
    source = next(t.source for t in rules.tables if t.name == table)
    dimensions = list(r.dimension_columns(source))
    margins = [name for name in dimensions if name != r.PLACE]
    keys = ["region_code", *dimensions]

    def totals(frame: pd.DataFrame) -> pd.DataFrame:
        is_total = (frame["region_level"] == "dong") & (frame[margins] == codes.ALL).all(axis=1)
        return frame[is_total]

    inside = totals(cells)
    rows: list[dict[str, Any]] = []
    shown = totals(protected).query("status == @r.PUBLISHED")
    for name, statistic in r.STATISTICS[source].items():
        if statistic.measured is not r.Measured.MEAN and not name.startswith("median_"):
            continue
        ours = shown[shown["statistic"] == name]
        both = ours.merge(inside[[*keys, name]], on=keys, how="inner", validate="one_to_one").query(f"{name} > 0")
        for place, part in both.groupby(both[r.PLACE] if r.PLACE in both else np.full(len(both), "")):
            error = (part["value"] - part[name]).abs() / part[name]
            is_said = len(part) >= rules.parameters.threshold(r.COUNT_OF[source]) and part[name].nunique() > 1
            rows.append(
                {
                    "table": table,
                    "place": str(place),
                    "statistic": name,
                    "label_ko": statistic.label_ko,
                    "label_en": statistic.label_en,
                    "dongs": len(part),
                    "mean_error": _up(float(error.mean()), _ERROR_STEP) if is_said else None,
                    "rank_correlation": -_up(-float(stats.spearmanr(part["value"], part[name])[0]), _CORRELATION_STEP)
                    if is_said
                    else None,
                }
            )
    return rows


def _up(value: float, step: float) -> float:
    """The next multiple of a step that is not below the value."""
    return round(float(np.ceil(round(value / step, 6))) * step, 6)
