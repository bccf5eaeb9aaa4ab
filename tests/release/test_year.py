"""A year of months of nearly the same people, each protected against what came before, attacked all together."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from cubes import SIGNED
from years import HALF, Attacker, Year, made_year

from living_finance.contracts import releases as r
from living_finance.release.rules import ReleaseRules
from living_finance.release.verify import verify


@pytest.fixture(scope="module")
def year(rules: ReleaseRules) -> Year:
    return made_year(rules)


def test_months_differ_by_few_in_few_cells(year: Year) -> None:
    _, made = year
    keys = ["region_code", *r.DIMENSIONS["household_statistics"]]
    first, second = (cells["household_statistics"].set_index(keys)["households_unweighted"] for cells in made[:2])
    change = (first - second).abs().dropna()
    assert 0.2 < (change > 0).mean() < 0.95
    assert change.max() < 20


@pytest.mark.parametrize("unit", HALF)
def test_a_year_of_releases_gives_nothing_away(year: Year, unit: str) -> None:
    releases, _ = year
    found = Attacker(releases, unit).widths(10 - 1e-4)
    assert unit == "persons" or Counter(found["status"])[r.SMALL] > 500
    assert (found.loc[found["status"] == r.SMALL, "width"] >= 10 - 1e-4).all()
    assert (found["width"] > 0.9).all()


def test_nor_to_a_reader_who_knows_how_little_cells_change(year: Year) -> None:
    """From one release to the next, a restated one too, no count changes by 20 (all fifteen: benchmarks/year.py)."""
    releases, _ = year
    found = Attacker(releases[2:6], "households", change=20.0).widths(10 - 1e-4)
    assert (found.loc[found["status"] == r.SMALL, "width"] >= 10 - 1e-4).all()
    assert (found["width"] > 0.9).all()


def test_that_reader_learns_from_months_if_counts_are_exact(year: Year) -> None:
    """The attack is able to succeed: a count withheld in one month only, with the same exact counts around it."""
    releases, _ = year
    open_month, closed = releases[0], replace(releases[0], release_id="202002-v1", month="2020-02")
    frame = open_month.tables["household_statistics"]
    at = frame.index[(frame["statistic"] == "households") & (frame["status"] == r.PUBLISHED) & (frame["head_sex"] != "all")][0]
    hidden = frame.copy()
    hidden.loc[at, ["value", "status"]] = [np.nan, r.SMALL]
    closed = replace(closed, tables={"household_statistics": hidden})
    alone = Attacker([closed], "households").widths(1e9)
    both = Attacker([replace(open_month, tables={"household_statistics": frame}), closed], "households", 0.0).widths(1e9)
    cell = (frame.loc[at, "region_code"], tuple(frame.loc[at, sorted(r.DIMENSIONS["household_statistics"])]))
    width = both.loc[(both["cell"] == cell) & (both["month"] == "202002-v1"), "width"].item()
    assert width <= 5.0 + 1e-6
    assert width <= alone.loc[alone["cell"] == cell, "width"].item()


def test_the_gate_passes_first_restated_and_last_against_all_before(year: Year) -> None:
    releases, made = year
    for number in (0, 4, 9, 14):
        release, cells = releases[number], made[number]
        findings = verify(release, history=releases[:number], signed=SIGNED, facts=cells)
        assert findings.empty, findings.to_string()


def test_a_restated_month_shows_nothing_that_was_withheld(year: Year) -> None:
    releases, _ = year
    months = Counter(release.month for release in releases)
    assert sorted(months.values()) == [1] * 9 + [2] * 3
    for first, again in itertools.pairwise(releases):
        if first.month == again.month:
            for name, frame in again.tables.items():
                keys = [c for c in frame if c not in (*r.VALUE_COLUMNS, "base_month")] + ["statistic"]
                both = frame.merge(first.tables[name], on=keys, suffixes=("", "_before"), validate="one_to_one")
                assert (both.loc[both["status_before"] != r.PUBLISHED, "status"] != r.PUBLISHED).all()
