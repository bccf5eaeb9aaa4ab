from __future__ import annotations

import itertools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import highspy
import numpy as np
import pandas as pd
import pytest
from cubes import ROOT, SIGNED, earlier_of, made_month, portal_rules, released, small_month, with_parameters
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog

from living_finance.contracts import releases as r
from living_finance.errors import ConfigurationError
from living_finance.release import protect as protection
from living_finance.release.complement import Demands, LinkedCells, complement
from living_finance.release.protect import protect
from living_finance.release.rules import ReleaseRules, read_rules
from living_finance.release.verify import Released, verify

KEY = ["region_level", "region_code"]


OFF = {
    "threshold_households": 0,
    "threshold_persons": 0,
    "dominance_percent": 0,
    "group_disclosure": False,
    "count_base": 0,
    "krw_year_base": 0,
    "krw_month_base": 0,
    "krw_base": 0,
    "share_base": 0,
    "ratio_base": 0,
}


def test_with_protection_off_the_release_is_the_plain_table(rules: ReleaseRules, month: dict[str, pd.DataFrame]) -> None:
    protected = protect(month, rules=with_parameters(rules, **OFF))
    for table in rules.tables:
        dimensions = list(r.dimension_columns(table.source))
        long = protected.tables[table.name]
        plain = month[table.source].melt([*KEY, *dimensions], list(r.STATISTICS[table.source]), "statistic", "plain")
        both = long.merge(plain, on=[*KEY, *dimensions, "statistic"], how="left")
        occupied = both["plain"].notna()
        assert occupied.sum() > 0.8 * len(both)
        assert (both.loc[occupied, "status"] == r.PUBLISHED).all()
        np.testing.assert_array_equal(both.loc[occupied, "value"], both.loc[occupied, "plain"])
        assert (both.loc[~occupied, "value"].fillna(0) == 0).all()


def test_nothing_small_dominated_or_lopsided_is_published(rules: ReleaseRules, month: dict[str, pd.DataFrame]) -> None:
    protected = protect(month, rules=rules)
    for table in rules.tables:
        dimensions = list(r.dimension_columns(table.source))
        long = protected.tables[table.name].merge(month[table.source], on=[*KEY, *dimensions], how="left", suffixes=("", "_x"))
        shown = long[long["status"] == r.PUBLISHED]
        assert len(shown) > 0.3 * len(long)
        structural = shown.get("dwelling_type", pd.Series("", shown.index)) == "non_residential"
        assert (shown.loc[~structural, r.CONTRIBUTORS[r.COUNT_OF[table.source]]] >= 10).all()
        means = shown[shown["statistic"] == "mean_debt_krw"]
        if len(means):
            rest = means["absolute_mean_debt_krw"] - means["largest_mean_debt_krw"] - means["second_mean_debt_krw"]
            assert (rest >= 0.1 * means["largest_mean_debt_krw"]).all()
        medians = shown[shown["statistic"] == "median_total_income_krw_year"]
        if len(medians):
            assert (medians[["below_median_total_income_krw_year", "above_median_total_income_krw_year"]].min(axis=1) >= 10).all()
        bases = shown["unit"].map({"households": 5, "persons": 5, "KRW/year": 1e5, "KRW": 1e5, "share": 0.001})
        assert np.allclose(shown["value"] / bases, np.rint(shown["value"] / bases))


def test_a_dominated_mean_is_withheld_with_its_row_and_the_count_stays(
    rules: ReleaseRules, month: dict[str, pd.DataFrame]
) -> None:
    cells = {source: frame.copy() for source, frame in month.items()}
    frame = cells["household_statistics"]
    open_counts = (
        protect(month, rules=rules)
        .tables["household_statistics"]
        .query(
            "statistic == 'households' and status == 'published' and region_level == 'dong'"
            " and head_sex == 'all' and household_type != 'all'"
        )
    )
    types = open_counts.groupby("region_code")["household_type"].agg(list)
    region, (one, other) = next((code, found[:2]) for code, found in types.items() if len(found) > 1)
    at = frame.index[(frame["region_code"] == region) & (frame["household_type"] == one) & (frame["head_sex"] == "all")][0]
    frame.loc[at, "largest_mean_debt_krw"] = frame.loc[at, "absolute_mean_debt_krw"] * 0.95
    frame.loc[at, "second_mean_debt_krw"] = 0.0
    table = protect(cells, rules=rules).tables["household_statistics"]
    row = table[(table["region_code"] == region) & (table["head_sex"] == "all")].set_index(["household_type", "statistic"])[
        "status"
    ]
    assert row[one, "mean_debt_krw"] == r.DOMINANCE
    assert row[one, "households"] == r.PUBLISHED
    assert row[other, "mean_debt_krw"] == r.SECONDARY


def attacked_by_another_program(
    release: Released, unit: str, half: float, totals: Mapping[str, float] | None = None
) -> dict[tuple[str, ...], float]:
    """Interval width of every withheld count, by SciPy, one pair of programs per cell, from printed rows alone, or with the
    exact totals of regions that a register prints."""
    rows = pd.concat([f[(f["unit"] == unit) & (f["statistic"] == unit)] for f in release.tables.values()])
    dimensions = [c for c in rows if c not in (*r.REGION_COLUMNS, *r.VALUE_COLUMNS)]
    rows = rows.fillna(dict.fromkeys(dimensions, "all")).drop_duplicates([*KEY, *dimensions]).reset_index(drop=True)
    position = {tuple(row): i for i, row in enumerate(rows[["region_code", *dimensions]].itertuples(index=False))}
    links: dict[tuple[object, ...], dict[int, float]] = {}
    for cell, i in position.items():
        region, categories = cell[0], cell[1:]
        wholes = [
            (("c", d), (region, *categories[:d], "all", *categories[d + 1 :]))
            for d in range(len(dimensions))
            if categories[d] != "all" and dimensions[d] != "place"
        ]
        wholes += [(("r", 0), (region[: {11: 7, 7: 5, 5: 2}[len(region)]], *categories))] if len(region) > 2 else []
        for kind, whole in wholes:
            if whole in position:
                links.setdefault((kind, whole), {position[whole]: -1.0})[i] = 1.0
    matrix = np.zeros((len(links), len(rows)))
    for number, link in enumerate(links.values()):
        for i, sign in link.items():
            matrix[number, i] = sign
    shown = rows["status"] == r.PUBLISHED
    bounds = [
        (max(v - half, 0) if v else 0, v + half if v else 0) if ok else (0, None)
        for v, ok in zip(rows["value"], shown, strict=True)
    ]
    is_total = (rows[[d for d in dimensions if d != "place"]] == "all").all(axis=1)
    for i in np.flatnonzero(is_total) if totals is not None else ():
        bounds[i] = (totals[rows["region_code"].iat[i]],) * 2
    widths = {}
    for i in np.flatnonzero(~shown & ~(is_total & (totals is not None))):
        ends = []
        for sign in (1, -1):
            cost = np.zeros(len(rows))
            cost[i] = sign
            solved = linprog(cost, A_eq=matrix, b_eq=np.zeros(len(links)), bounds=bounds, method="highs")
            assert solved.status in (0, 3)
            ends.append(sign * solved.fun if solved.status == 0 else np.inf)
        widths[(rows["status"].iat[i], *rows.loc[i, ["region_code", *dimensions]])] = ends[1] - ends[0]
    return widths


@pytest.mark.parametrize(("unit", "half"), [("households", 2.5), ("persons", 2.0)])
def test_another_linear_program_recovers_nothing(clean: Released, unit: str, half: float) -> None:
    widths = attacked_by_another_program(clean, unit, half)
    primaries = [width for name, width in widths.items() if name[0] == r.SMALL]
    assert unit == "persons" or len(primaries) > 40
    assert all(width >= 10 - 1e-4 for width in primaries)
    assert all(width > 0.9 for width in widths.values())


def test_that_program_does_recover_counts_when_only_small_ones_are_withheld(
    rules: ReleaseRules, month: dict[str, pd.DataFrame]
) -> None:
    """The attack is able to succeed: exact counts with primary suppression alone give nearly all away."""
    cells = month["household_statistics"]
    long = cells.assign(
        statistic="households", value=cells["households_unweighted"].astype(float), unit="households", base_month="2020-01"
    )
    long["status"] = np.where(long["value"] < 10, r.SMALL, r.PUBLISHED)
    long["value"] = long["value"].where(long["status"] == r.PUBLISHED)
    naive = Released("x", "portal", "2020-01", 1, {"t": long.reindex(columns=r.columns_of("household_statistics"))})
    widths = attacked_by_another_program(naive, "households", 0.0)
    assert sum(width < 1e-6 for width in widths.values()) > 0.3 * len(widths) > 0


def test_same_cells_in_any_order_give_the_same_release(rules: ReleaseRules, month: dict[str, pd.DataFrame]) -> None:
    first = protect(month, rules=rules)
    shuffled = {source: frame.sample(frac=1, random_state=3).reset_index(drop=True) for source, frame in month.items()}
    second = protect(shuffled, rules=rules)
    for name in first.tables:
        pd.testing.assert_frame_equal(first.tables[name], second.tables[name])


@pytest.mark.parametrize("nests", [0, 1, 2])
def test_neither_workers_nor_nests_change_the_release(
    rules: ReleaseRules, month: dict[str, pd.DataFrame], nests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def alone(cells: LinkedCells, **asked: Any) -> Any:
        return complement(replace(cells, nests=cells.nests[:nests]), **asked, workers=1)

    together = protect(month, rules=rules)
    monkeypatch.setattr(protection, "complement", alone)
    one_by_one = protect(month, rules=rules)
    for name in together.tables:
        pd.testing.assert_frame_equal(together.tables[name], one_by_one.tables[name])


def test_programs_that_others_solved_in_the_thread_change_nothing(
    rules: ReleaseRules, month: dict[str, pd.DataFrame], clean: Released, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HiGHS keeps the first number of threads that a thread asks for, and solves nothing with another."""

    def alone(cells: LinkedCells, **asked: Any) -> Any:
        another_program()
        return complement(cells, **asked, workers=1)

    def another_program() -> None:
        another = highspy.Highs()
        another.silent()
        another.addVariable(0.0, 1.0)
        another.run()

    def again() -> None:
        another_program()
        for name, table in protect(month, rules=rules).tables.items():
            pd.testing.assert_frame_equal(table, before.tables[name])
        assert verify(clean, signed=SIGNED, facts=month).empty

    before = protect(month, rules=rules)
    monkeypatch.setattr(protection, "complement", alone)
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(again).result()


def test_a_restated_month_withholds_what_was_withheld(rules: ReleaseRules, clean: Released) -> None:
    restated = small_month(2, rules)
    again = protect(restated, rules=rules, earlier=earlier_of(clean, is_same_data=False))
    for name, table in again.tables.items():
        keys = [c for c in table if c not in r.VALUE_COLUMNS] + ["statistic"]
        before = clean.tables[name]
        both = table.merge(before, on=keys, suffixes=("", "_before"))
        was_withheld = both["status_before"] != r.PUBLISHED
        assert (both.loc[was_withheld, "status"] != r.PUBLISHED).all()
    assert any((again.tables[n]["status"] != protect(restated, rules=rules).tables[n]["status"]).any() for n in again.tables)


def test_what_another_channel_shows_is_no_complement(
    rules: ReleaseRules, month: dict[str, pd.DataFrame], clean: Released
) -> None:
    again = released(protect(month, rules=rules, earlier=earlier_of(clean, is_same_data=True)), month, rules)
    for name, table in again.tables.items():
        pd.testing.assert_series_equal(table["value"], clean.tables[name]["value"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 40), min_size=9, max_size=9), st.booleans())
def test_every_sensitive_cell_of_a_square_can_move(inner: list[int], is_rounded: bool) -> None:
    """3 × 3 counts with margins: whatever is withheld, its exact interval, by SciPy, is at least the threshold wide."""
    table = np.array(inner, float).reshape(3, 3)
    full = np.vstack([np.column_stack([table, table.sum(axis=1)]), [*table.sum(axis=0), table.sum()]]).ravel()
    links = np.zeros((8, 16))
    for i in range(4):
        links[i, [4 * i, 4 * i + 1, 4 * i + 2]], links[i, 4 * i + 3] = 1, -1
        links[4 + i, [i, 4 + i, 8 + i]], links[4 + i, 12 + i] = 1, -1
    printed = np.rint(full / 5) * 5 if is_rounded else full
    half = 2.5 if is_rounded else 0.0
    small = full < 10
    cells = LinkedCells(
        count=full,
        printed=printed,
        slack=np.full(16, half),
        links=sparse.csr_matrix(links),
        block=np.zeros(16, np.int64),
        district=np.full(16, -1),
        room=np.full(16, np.inf),
    )
    hidden = complement(
        cells,
        sensitive=small,
        withheld=small,
        is_fixed=np.zeros(16, bool),
        demands=Demands(threshold=10.0, secondary=1.0, district_price=20.0),
    )
    assert (hidden | ~small).all()
    bounds = [(0, None) if h else (max(v - half, 0), v + half) for v, h in zip(printed, hidden, strict=True)]
    for cell in np.flatnonzero(small):
        ends = []
        for sign in (1, -1):
            cost = np.zeros(16)
            cost[cell] = sign
            solved = linprog(cost, A_eq=links, b_eq=np.zeros(8), bounds=bounds, method="highs")
            ends.append(sign * solved.fun if solved.status == 0 else np.inf)
        assert ends[1] - ends[0] >= 10 - 1e-4


def test_rules_of_both_channels_hold_and_say_who_answers() -> None:
    for channel, other in itertools.permutations(("portal", "campus")):
        file = f"conf/release/{channel}.yaml"
        rules = read_rules((ROOT / file).read_text(encoding="utf-8"), name=file)
        assert rules.channel == channel != other
        sourced = (*rules.parameters.model_dump().values(), rules.access.model_dump(), rules.terms.model_dump())
        assert all(value["owner"] and value["source"] for value in sourced)


Shape = tuple[int, int, int, int]
WITH_ONE_HOUSEHOLD: tuple[Shape, int] = (2, 3, 2, 4), 5


def tiny_city(shape: Shape, seed: int, rules: ReleaseRules) -> dict[str, pd.DataFrame]:
    districts, dongs, areas, people = shape
    return made_month(rules, seed=seed, districts=districts, dongs=dongs, areas=areas, per_area=people)


def too_narrow_beside_the_register(release: Released, cells: dict[str, pd.DataFrame]) -> tuple[int, int]:
    """Withheld counts of regions of fewer than ten households; and those of any region that release and register together bound
    more closely than the threshold, or, where the region has fewer, than the register alone does."""
    frame = cells["household_statistics"]
    is_total = (frame[list(r.DIMENSIONS["household_statistics"])] == "all").all(axis=1)
    totals = frame[is_total].groupby("region_code")["households"].first().to_dict()
    widths = attacked_by_another_program(release, "households", 2.5, totals)
    asked = {name: min(10.0 if name[0] == r.SMALL else 1.0, totals[name[1]]) for name in widths}
    narrow = sum(widths[name] < asked[name] - 1e-4 for name in widths)
    return sum(totals[name[1]] < 10 for name in widths), narrow


@pytest.mark.parametrize(
    ("shape", "seed"),
    [((2, 2, 1, 15), 0), ((2, 2, 1, 15), 3), ((2, 2, 1, 25), 0), ((2, 1, 1, 12), 0), ((2, 1, 1, 12), 5), WITH_ONE_HOUSEHOLD],
)
def test_tiny_cities_are_protected_and_pass_the_gate(rules: ReleaseRules, shape: Shape, seed: int) -> None:
    """Totals of seven households that the register prints, and districts of one dong: refused before. What a region is asked to
    leave open is at most what it has: to whom knows its total, every small count is still anything from nought to that."""
    cells = tiny_city(shape, seed, rules)
    release = released(protect(cells, rules=rules), cells, rules)
    assert verify(release, signed=SIGNED, facts=cells).empty
    assert verify(release, signed=SIGNED).empty, "nor does the gate without the warehouse refuse it"
    assert any((frame["status"] == r.PUBLISHED).any() for frame in release.tables.values())
    in_tiny, narrow = too_narrow_beside_the_register(release, cells)
    assert narrow == 0 and (in_tiny > 20 or shape == (2, 2, 1, 25))


def test_tiny_cities_asked_for_less_are_broken_and_refused(rules: ReleaseRules, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attack is able to succeed, and the gate sees it with the warehouse and without."""
    cells = tiny_city(*WITH_ONE_HOUSEHOLD, rules)
    monkeypatch.setattr(protection._Layout, "of_region", lambda _, count: np.zeros(count.size))
    release = released(protect(cells, rules=rules), cells, rules)
    assert too_narrow_beside_the_register(release, cells)[1] > 20
    assert "P11" in set(verify(release, signed=SIGNED, facts=cells)["attack"])
    assert "P3" in set(verify(release, signed=SIGNED)["attack"])


def test_the_steps_of_shares_are_those_of_the_rules(rules: ReleaseRules, month: dict[str, pd.DataFrame], clean: Released) -> None:
    fine = with_parameters(rules, share_steps=(1,))
    found = verify(released(protect(month, rules=fine), month, fine), signed=SIGNED)
    assert "finer than its count allows" in " ".join(found["what"])
    assert verify(clean, signed=SIGNED).empty


@pytest.mark.parametrize(
    "change",
    [
        ("channel: portal", "channel: portal\nchanel: x"),
        ("    value: 10\n    owner: *owner\n", "    value: 10\n"),
        ("dimensions: [head_sex]", "dimensions: [head_sexx]"),
        ("      - dimensions: [head_sex]\n        levels: [city, gu, dong]\n", ""),
        ("levels: [city, gu, dong]", "levels: [gu, dong]"),
        ("value: [1, 10, 50, 100]", "value: [10, 50]"),
        ("value: [1, 10, 50, 100]", "value: [1, 50, 10]"),
    ],
)
def test_wrong_rules_are_refused(change: tuple[str, str]) -> None:
    text = (ROOT / "conf" / "release" / "portal.yaml").read_text(encoding="utf-8")
    assert change[0] in text
    with pytest.raises(ConfigurationError):
        read_rules(text.replace(*change, 1), name="x")
    assert portal_rules().channel == "portal"
