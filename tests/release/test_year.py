"""A year of months of nearly the same people, each protected against what came before, attacked all together."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import highspy
import numpy as np
import pandas as pd
import pytest
from cubes import SIGNED, a_month_later, cells_of_people, earlier_of, people_of, released
from scipy import sparse

from living_finance.contracts import releases as r
from living_finance.release.protect import protect
from living_finance.release.rules import ReleaseRules
from living_finance.release.verify import Released, verify

MONTHS = [f"2020{number:02d}" for number in range(1, 13)]
PARENT = {11: 7, 7: 5, 5: 2}


def counts_of(release: Released, unit: str) -> pd.DataFrame:
    """Printed counts of all tables, one row per cell: region, categories, value, status, version of the month."""
    rows = pd.concat([f[(f["unit"] == unit) & (f["statistic"] == unit)] for f in release.tables.values()])
    dimensions = sorted(c for c in rows if c not in (*r.REGION_COLUMNS, *r.VALUE_COLUMNS, r.PLACE))
    rows = rows.fillna(dict.fromkeys(dimensions, "all")).sort_values("value").drop_duplicates(["region_code", *dimensions])
    cell = list(zip(rows["region_code"], rows[dimensions].itertuples(index=False, name=None), strict=True))
    return pd.DataFrame(
        {"cell": cell, "value": rows["value"].to_numpy(), "status": rows["status"].to_numpy(), "month": release.release_id}
    )


class Attacker:
    """Everything printed as one linear program: a variable per release and cell, links inside each release, and, if the
    reader takes it that no cell changes by more than `change` from one release to the next, links between them."""

    def __init__(self, releases: list[Released], unit: str, half: float, change: float | None = None) -> None:
        self.rows = pd.concat([counts_of(release, unit) for release in releases], ignore_index=True)
        at = {(month, cell): i for i, (month, cell) in enumerate(zip(self.rows["month"], self.rows["cell"], strict=True))}
        links: dict[object, dict[int, float]] = {}
        for (month, (region, categories)), i in at.items():
            wholes = [
                (d, (region, (*categories[:d], "all", *categories[d + 1 :]))) for d, c in enumerate(categories) if c != "all"
            ]
            wholes += [(-1, (region[: PARENT[len(region)]], categories))] if len(region) > 2 else []
            for kind, whole in wholes:
                if (month, whole) in at:
                    links.setdefault((month, kind, whole), {at[month, whole]: -1.0})[i] = 1.0
        shown = self.rows["status"] == r.PUBLISHED
        value = self.rows["value"].fillna(0).to_numpy()
        low = np.where(shown, np.maximum(value - half, 0), 0.0)
        high = np.where(shown, np.where(value > 0, value + half, 0.0), 1e9)
        ends = [(0.0, 0.0)] * len(links)
        entries = [(row, i, sign) for row, link in enumerate(links.values()) for i, sign in link.items()]
        if change is not None:
            order = {release.release_id: number for number, release in enumerate(releases)}
            names = [release.release_id for release in releases]
            for (month, cell), i in at.items():
                before = at.get((names[order[month] - 1], cell)) if order[month] else None
                if before is not None:
                    entries += [(len(ends), i, 1.0), (len(ends), before, -1.0)]
                    ends.append((-change, change))
        row, column, sign = (np.array(part) for part in zip(*entries, strict=True))
        matrix = sparse.csc_matrix((sign, (row, column)), shape=(len(ends), len(self.rows)))
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.rows), len(ends)
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = np.zeros(len(self.rows)), low, high
        lp.row_lower_, lp.row_upper_ = (np.array(side) for side in zip(*ends, strict=True))
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
        self.solver = highspy.Highs()
        self.solver.silent()
        self.solver.passModel(lp)

    def widths(self, enough: float) -> pd.DataFrame:
        """Withheld cells with the width of their intervals; wider ones than `enough` are not asked for more."""
        withheld = np.flatnonzero(self.rows["status"] != r.PUBLISHED)
        least, most = np.full(len(self.rows), np.inf), np.full(len(self.rows), -np.inf)
        columns = np.arange(len(self.rows), dtype=np.int32)

        def ask(cells: np.ndarray, signs: np.ndarray) -> None:
            cost = np.zeros(columns.size)
            cost[cells] = signs
            self.solver.changeColsCost(columns.size, columns, cost)
            self.solver.run()
            assert self.solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
            found = np.asarray(self.solver.getSolution().col_value)
            np.minimum(least, found, out=least)
            np.maximum(most, found, out=most)

        draws = np.random.default_rng(0)
        for _ in range(12):  # many at once, then one by one what is left
            signs = draws.choice([-1.0, 1.0], withheld.size)
            ask(withheld, signs)
            ask(withheld, -signs)
        for cell in withheld[(most - least)[withheld] < enough]:
            for sign in (1.0, -1.0):
                ask(np.array([cell]), np.array([sign]))
        return self.rows.iloc[withheld].assign(width=(most - least)[withheld])


Year = tuple[list[Released], list[dict[str, pd.DataFrame]]]


@pytest.fixture(scope="module")
def year(rules: ReleaseRules) -> Year:
    """Twelve months, every fourth of them restated once, in the order in which they are published."""
    draws = np.random.default_rng(3)
    people = people_of(seed=1, districts=2, dongs=2, areas=3, per_area=50)
    releases: list[Released] = []
    made: list[dict[str, pd.DataFrame]] = []
    for number, month in enumerate(MONTHS):
        for version in (1, 2) if number % 4 == 3 else (1,):
            cells = cells_of_people(people, rules)
            before = earlier_of(releases[-1], is_same_data=False) if version > 1 else None
            releases.append(released(protect(cells, rules=rules, earlier=before), cells, rules, month=month, version=version))
            made.append(cells)
            people = tuple(a_month_later(part, draws) for part in people)  # type: ignore[assignment]
    return releases, made


def test_months_differ_by_few_in_few_cells(year: Year) -> None:
    _, made = year
    keys = ["region_code", *r.DIMENSIONS["household_statistics"]]
    first, second = (cells["household_statistics"].set_index(keys)["households_unweighted"] for cells in made[:2])
    change = (first - second).abs().dropna()
    assert 0.2 < (change > 0).mean() < 0.95
    assert change.max() < 20


@pytest.mark.parametrize(("unit", "half"), [("households", 2.5), ("persons", 2.0)])
def test_a_year_of_releases_gives_nothing_away(year: Year, unit: str, half: float) -> None:
    releases, _ = year
    found = Attacker(releases, unit, half).widths(10 - 1e-4)
    assert unit == "persons" or Counter(found["status"])[r.SMALL] > 500
    assert (found.loc[found["status"] == r.SMALL, "width"] >= 10 - 1e-4).all()
    assert (found["width"] > 0.9).all()


def test_nor_to_a_reader_who_knows_how_little_cells_change(year: Year) -> None:
    """From one release to the next, a restated one too, no count changes by 20 (the whole year so takes three minutes)."""
    releases, _ = year
    found = Attacker(releases[2:6], "households", 2.5, change=20.0).widths(10 - 1e-4)
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
    alone = Attacker([closed], "households", 2.5).widths(1e9)
    both = Attacker([replace(open_month, tables={"household_statistics": frame}), closed], "households", 2.5, 0.0).widths(1e9)
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
