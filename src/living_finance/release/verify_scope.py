"""How much each attack of the gate had to look at in a release: without it, no finding could mean no look.

Counted from what the gate reads, beside it: `verify` and `verify_rows` say what was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.release.verify import Released
from living_finance.release.verify_links import DIMENSIONS

ATTACKS = tuple(f"P{number}" for number in range(1, 14))
_SAID = ("value", "status")


def looked_at(
    candidate: Released,
    *,
    history: Sequence[Released] = (),
    rows: Mapping[str, pd.DataFrame] | None = None,
    publications: Mapping[str, str] | None = None,
    has_facts: bool = False,
) -> pd.DataFrame:
    """Tables and cells by attack.

    | attack | cells |
    |---|---|
    | P1 | published counts and shares; with the warehouse all published figures |
    | P2 | counts, of releases of the same data too |
    | P3, P4 | withheld counts of households, of persons, of releases of the same data too |
    | P5 | published figures, rows of row-level files |
    | P9 | published figures, entries of the list of zeros |
    | P6 | figures that another release of the month has too |
    | P7 | counts of regions that are part of another |
    | P8 | published means, with the warehouse; rows of row-level files |
    | P10 | rows of row-level files |
    | P11 | published figures, with the warehouse; rows of row-level files |
    | P12 | published figures that a release of the same data has too, counts that another table has too; of report and maps |
    | P13 | all rows of tables and row-level files; figures of report and maps |

    Args:
        candidate: the release.
        history: everything public before.
        rows: its row-level files.
        publications: texts of its report and maps.
        has_facts: whether the warehouse was at hand.

    Returns:
        One row per attack: attack, tables, cells. 0 where there was nothing to look at.
    """
    own, files = _figures([candidate]), rows or {}
    month = [other for other in history if other.month == candidate.month and candidate.is_another(other)]
    same = [other for other in month if candidate.is_of_same_data(other)]
    shown = own[own["value"].notna() & (own["status"] == r.PUBLISHED)]
    together = _figures([candidate, *same])
    counts = together[together["unit"].isin(r.CONTRIBUTORS)]
    withheld, own_counts = counts[counts["value"].isna()], own[own["unit"].isin(r.CONTRIBUTORS)]
    also_elsewhere = shown["cell"].isin(_figures(same)["cell"]) | (
        shown["unit"].isin(r.CONTRIBUTORS) & shown["count_cell"].duplicated(keep=False)
    )
    nothing = own.iloc[:0]
    looked: dict[str, pd.DataFrame] = {
        "P1": shown if has_facts else shown[shown["unit"].isin((*r.CONTRIBUTORS, "share"))],
        "P2": counts,
        "P3": withheld[withheld["unit"] == "households"],
        "P4": withheld[withheld["unit"] == "persons"],
        "P5": shown,
        "P6": own[own["cell"].isin(_figures(month)["cell"])],
        "P7": own_counts[own_counts["region_level"] != "city"],
        "P8": shown[shown["statistic"].str.startswith("mean_")] if has_facts else nothing,
        "P9": shown,
        "P10": nothing,
        "P11": shown if has_facts else nothing,
        "P12": shown[also_elsewhere],
        "P13": own,
    }
    beside = {attack: [len(frame) for frame in files.values()] for attack in ("P5", "P8", "P10", "P11", "P13")}
    said = [text.count("data-cell=") + text.count('_status":') for text in (publications or {}).values()]
    beside |= {"P12": said, "P13": beside["P13"] + said}
    beside |= {"P9": [len(candidate.zeros)] if len(candidate.zeros) else []}
    return pd.DataFrame(
        [
            (attack, looked[attack]["table"].nunique() + len(more), len(looked[attack]) + sum(more))
            for attack in ATTACKS
            for more in (beside.get(attack, []),)
        ],
        columns=["attack", "tables", "cells"],
    )


def _figures(releases: Iterable[Released]) -> pd.DataFrame:
    """Figures of the tables of releases: table, region_level, statistic, unit, value, status; `cell` and `count_cell` are keys
    over releases and over tables."""
    columns = ["table", "region_level", "statistic", "unit", *_SAID, "cell", "count_cell"]
    parts = [pd.DataFrame({name: pd.Series(dtype=float if name == "value" else object) for name in columns})]
    for released in releases:
        for table, frame in released.tables.items():
            if not {*r.VALUE_COLUMNS, *r.REGION_COLUMNS} <= set(frame.columns):
                continue
            dimensions = sorted(name for name in frame if name in DIMENSIONS)
            count_cell = frame["region_code"] + " " + frame["statistic"]
            for name in dimensions:
                count_cell += (" " + name + "=" + frame[name].astype(str)).where(frame[name] != codes.ALL, "")
            parts.append(frame.assign(table=table, count_cell=count_cell, cell=table + " " + count_cell)[columns])
    return pd.concat(parts, ignore_index=True)
