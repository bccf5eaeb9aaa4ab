"""Programs of a whole city, by district."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from living_finance.release import bounds, programs
from living_finance.release.verify_links import links_between, places_of

REGIONS = {"11": "city", "11010": "gu", "11020": "gu", "1101053": "dong", "1101054": "dong", "1102053": "dong", "1102054": "dong"}
RARE = {"11": 20, "11010": 0, "11020": 20, "1101053": 0, "1101054": 0, "1102053": 12, "1102054": 8}
"""Households of three generations; all of them in one district."""
ALL = {"11": 400, "11010": 200, "11020": 200, "1101053": 100, "1101054": 100, "1102053": 100, "1102054": 100}


def city() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Cells with true counts, and the ends that a reader has: totals and the city's own counts are printed."""
    cells = pd.DataFrame(
        {"region_level": REGIONS[code], "region_code": code, "household_type": kind, "count": float(count)}
        for code in REGIONS
        for kind, count in (("all", ALL[code]), ("three_generation", RARE[code]), ("one_person", ALL[code] - RARE[code]))
    )
    is_printed = (cells["household_type"].eq("all") | cells["region_level"].eq("city")).to_numpy()
    count = cells["count"].to_numpy()
    low, high = np.where(is_printed, count - 2.0, 0.0), np.where(is_printed, count + 2.0, np.inf)
    return cells, low, high


def test_what_a_district_has_none_of_it_can_have_where_another_has_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """The city's total is printed: ten more in one district are ten fewer in the other. With that one held there cannot be."""
    cells, low, high = city()
    links, _ = links_between(cells, pd.DataFrame({"household_type": pd.factorize(cells["household_type"])[0]}))
    need = np.where(np.isinf(high), 10.0, 0.0)
    table = cells["count"].to_numpy()
    asked = {"places": places_of(cells.drop(columns="count")), "table": table}

    def narrow() -> set[str]:
        found = bounds.narrow_cells(links, low, high, need, **asked)
        return set(cells["region_code"].iloc[found])

    for name in ("_WHOLE", "_FEW"):
        monkeypatch.setattr(bounds, name, 0)
    assert narrow() == set()
    monkeypatch.setattr(bounds, "left_by_dongs", lambda links, low, high, need, **_: need)
    assert narrow() == set()
    monkeypatch.setattr(programs, "_PARTNERS", 0)
    left = bounds._left_by_districts(links, low, high, need, need, **asked) > 0
    assert set(cells["region_code"][left]) == {"11010", "11020", "1101053", "1101054"}
    assert narrow() == {"11010", "11020"}, "in a corner one dong can have all that its district has"
    monkeypatch.setattr(bounds, "_FEW", 100)
    assert narrow() == set(), "all at once shows them wide"
