from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from cubes import made_month, small_rules

from living_finance.contracts import releases as r
from living_finance.release.protect import protect
from living_finance.release.utility import utility


@pytest.fixture(scope="module")
def wide() -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame], pd.DataFrame]:
    rules = small_rules()
    cells = made_month(rules, seed=5, districts=2, dongs=8, areas=2, per_area=60)
    protected = protect(cells, rules=rules)
    return cells, protected.tables, protected.counts


def test_errors_and_ranks_of_dongs_are_those_of_the_figures(
    wide: tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame], pd.DataFrame],
) -> None:
    cells, tables, counts = wide
    found = pd.DataFrame(utility(tables, counts, cells, rules=small_rules())["dongs"])
    name = "median_total_income_krw_year"
    inside = cells["household_statistics"].query("region_level == 'dong' and head_sex == 'all' and household_type == 'all'")
    shown = tables["household_statistics"].query(
        "region_level == 'dong' and head_sex == 'all' and household_type == 'all' and statistic == @name"
    )
    both = shown.merge(inside[["region_code", name]].drop_duplicates(), on="region_code")
    error = ((both["value"] - both[name]).abs() / both[name]).mean()
    correlation = both["value"].rank().corr(both[name].rank())
    said = found.query("table == 'household_statistics' and statistic == @name").iloc[0]
    assert said["dongs"] == len(both) == 16
    assert error <= said["mean_error"] < error + 0.0001
    assert correlation - 0.0001 < said["rank_correlation"] <= correlation + 1e-9


def test_worse_figures_are_said_to_be_worse(
    wide: tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame], pd.DataFrame],
) -> None:
    cells, tables, counts = wide
    draws = np.random.default_rng(0)
    frame = tables["household_statistics"]
    is_mean = frame["statistic"] == "mean_debt_krw"
    worse = frame.assign(value=frame["value"].where(~is_mean, frame["value"] * draws.uniform(0.5, 1.5, len(frame))))
    rows = [
        next(
            row
            for row in utility({**tables, "household_statistics": made}, counts, cells, rules=small_rules())["dongs"]
            if (row["table"], row["statistic"]) == ("household_statistics", "mean_debt_krw")
        )
        for made in (frame, worse)
    ]
    assert rows[0]["mean_error"] < 0.01 < 0.1 < rows[1]["mean_error"]
    assert rows[1]["rank_correlation"] < rows[0]["rank_correlation"]


def test_few_dongs_are_not_spoken_of(wide: tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame], pd.DataFrame]) -> None:
    cells, tables, counts = wide
    nine = {name: frame[frame["region_code"] < "1102051"] for name, frame in tables.items()}
    found = utility(nine, counts, cells, rules=small_rules())["dongs"]
    assert {row["dongs"] for row in found} == {9}
    assert all(row["mean_error"] is None and row["rank_correlation"] is None for row in found)
    assert r.PUBLISHED in set(nine["household_statistics"]["status"])
