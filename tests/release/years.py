"""A year of releases of nearly the same people, and a reader who attacks them all in one program, written apart from the gate."""

from __future__ import annotations

import highspy
import numpy as np
import pandas as pd
from cubes import a_month_later, cells_of_people, earlier_of, people_of, released
from scipy import sparse

from living_finance.contracts import releases as r
from living_finance.release.protect import protect
from living_finance.release.rules import ReleaseRules
from living_finance.release.verify import Released

Year = tuple[list[Released], list[dict[str, pd.DataFrame]]]
"""Releases in the order in which they are published, and the cells that each was made from."""
HALF = {"households": 2.5, "persons": 2.0}
"""How far a printed count can be from the true one: households are weighted, persons whole."""
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

    def __init__(self, releases: list[Released], unit: str, change: float | None = None) -> None:
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
        value, half = self.rows["value"].fillna(0).to_numpy(), HALF[unit]
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


def made_year(rules: ReleaseRules, *, seed: int = 1) -> Year:
    """Twelve months, every fourth of them restated once."""
    draws = np.random.default_rng(seed + 2)
    people = people_of(seed=seed, districts=2, dongs=2, areas=3, per_area=50)
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
