"""The gate itself: leaks of every kind are planted into clean releases, and clean releases pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from cubes import SIGNED, a_month_later, cells_of_people, made_month, people_of, released, small_month

from living_finance.contracts import publications as p
from living_finance.contracts import releases as r
from living_finance.contracts.language import Words
from living_finance.release import bounds, verify_population
from living_finance.release.protect import protect
from living_finance.release.rules import ReleaseRules
from living_finance.release.verify import Released, verify
from living_finance.release.verify_findings import Limits
from living_finance.release.verify_publications import verify_publications
from living_finance.release.verify_texts import formulas
from living_finance.reports.public import public_map, public_report

STATISTICS, AREAS, BREAKDOWN, PERSONS = (
    "household_statistics",
    "household_statistics_output_area",
    "household_breakdown",
    "person_statistics",
)
Month = dict[str, pd.DataFrame]
ABOUT = p.About(
    month="2020-01", release="portal 202001-v1", model="income v3", publisher=Words.same("시"), licence="KOGL-1.0", licence_url=""
)


def attacks_on(release: Released, *history: Released, facts: Month | None = None) -> set[str]:
    return set(verify(release, history=history, signed=SIGNED, facts=facts)["attack"])


SHAPES = ((2, 2, 3, 50), (2, 3, 2, 40), (3, 2, 2, 60), (2, 1, 4, 45), (3, 2, 1, 90))
"""Districts, dongs in each, output areas in each, households in each on average."""


@pytest.mark.parametrize("seed", range(20))
def test_clean_releases_pass(rules: ReleaseRules, seed: int) -> None:
    """Twenty cities of five shapes, other people in each; with the warehouse and without."""
    districts, dongs, areas, households = SHAPES[seed % len(SHAPES)]
    cells = made_month(rules, seed=100 + seed, districts=districts, dongs=dongs, areas=areas, per_area=households)
    release = released(protect(cells, rules=rules), cells, rules)
    for facts in (cells, None):
        findings = verify(release, signed=SIGNED, facts=facts)
        assert findings.empty, findings.to_string()
    reports = {path: public_report(release.tables, about=ABOUT, language=n, boundaries={}) for path, n in p.REPORTS.items()}
    maps = {path: public_map(release.tables, about=ABOUT, level=level, boundaries=[]) for path, level in p.MAPS.items()}
    assert verify_publications(reports | maps, tables=release.tables, about=ABOUT) == []


def changed(release: Released, table: str, change: Callable[[pd.DataFrame], pd.DataFrame | None]) -> Released:
    frame = release.tables[table].copy()
    result = change(frame)
    return replace(release, tables={**release.tables, table: frame if result is None else result})


def rows_of(frame: pd.DataFrame, *, status: str = r.PUBLISHED, measured: str = "", level: str = "") -> pd.Index:
    wanted = frame["status"] == status
    if measured:
        wanted &= frame["statistic"].str.startswith(measured)
    if level:
        wanted &= frame["region_level"] == level
    return frame.index[wanted]


def put(release: Released, table: str, at: int, **values: object) -> Released:
    def change(frame: pd.DataFrame) -> None:
        for name, value in values.items():
            frame.loc[at, name] = value

    return changed(release, table, change)


FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n", "  =", "\u3000＋", " \n")
ROW_OF_ZEROS = pd.DataFrame([dict.fromkeys(r.ZERO_COLUMNS, "a")])
Leak = tuple[str, Released, tuple[Released, ...], Month | None]
"""(attack that has to find it, or two of which one has to; release; what was public before; facts)"""


def one_by_one(clean: Released, pick: Callable[[pd.Index], int]) -> list[Leak]:
    """Leaks of a single printed row, in every table that has such rows."""
    leaks: list[Leak] = []
    for table in (STATISTICS, AREAS, BREAKDOWN):
        frame = clean.tables[table]
        small, shown = rows_of(frame, status=r.SMALL, measured="households"), rows_of(frame, measured="households")
        means, at = rows_of(frame, measured="mean"), pick(shown)
        planted = [
            ("P1", put(clean, table, pick(small), value=5.0, status=r.PUBLISHED)),
            ("P9", put(clean, table, pick(small), value=0.0, status=r.PUBLISHED)),
            ("P5", put(clean, table, at, value=frame.loc[at, "value"] + 1)),
            ("P5", put(clean, table, pick(means), value=frame.loc[pick(means), "value"] + 1234)),
            ("P13", put(clean, table, pick(small), value=7.0)),
            ("P13", put(clean, table, pick(small), reliability="caution")),
            ("P13", put(clean, table, at, status="hidden")),
            ("P13", put(clean, table, at, base_month="2019-12")),
            ("P9", changed(clean, table, lambda f, s=small: f.drop(index=pick(s)).reset_index(drop=True))),
            (
                "P12",
                changed(
                    clean,
                    table,
                    lambda f, a=at: pd.concat([f, f.loc[[a]]]).sort_values(
                        list(r.sort_key(STATISTICS if "head_sex" in f else BREAKDOWN)), ignore_index=True
                    ),
                ),
            ),
        ]
        leaks += [(attack, release, (), None) for attack, release in planted]
    return leaks


def of_links(clean: Released, month: Month) -> list[Leak]:
    """Leaks that show only when rows are put together."""

    def add(table: str, level: str, amount: float) -> Released:
        at = rows_of(clean.tables[table], measured="households", level=level)[-1]
        return put(clean, table, at, value=clean.tables[table].loc[at, "value"] + amount)

    def exact(source: str, table: str, unit: str) -> Released:
        """Unrounded counts, small ones alone withheld."""
        keys = ["region_level", "region_code", *r.dimension_columns(source)]
        true = month[source][keys].assign(true=month[source][unit], behind=month[source][r.CONTRIBUTORS[unit]])

        def change(frame: pd.DataFrame) -> pd.DataFrame:
            both = frame.merge(true, on=keys, how="left")
            is_count = both["statistic"] == unit
            is_shown = is_count & (both["behind"] >= 10)
            both.loc[is_shown, "value"] = both.loc[is_shown, "true"]
            both.loc[is_shown, "status"] = r.PUBLISHED
            return both[frame.columns]

        return changed(clean, table, change)

    def only_one_withheld(frame: pd.DataFrame) -> pd.DataFrame:
        """One category withheld, no other, figures exact: total less the rest gives it."""
        counts = frame["statistic"] == "households"
        one = rows_of(frame, status=r.SMALL, measured="households", level="dong")[0]
        region = counts & (frame["region_code"] == frame.loc[one, "region_code"]) & (frame["value"].notna())
        frame.loc[region, "value"] += 0.5
        others = counts & (frame["region_code"] == frame.loc[one, "region_code"]) & (frame.index != one) & frame["value"].isna()
        frame.loc[others, ["value", "status"]] = [11.5, r.PUBLISHED]
        return frame

    def only_one_sex_withheld(frame: pd.DataFrame) -> None:
        """Total and the other sex are rounded, so that the one withheld is known to four on either side: persons are whole."""
        one = (frame["statistic"] == "persons") & (frame["region_level"] == "dong") & (frame["sex"] != "all")
        frame.loc[frame.index[one][0], ["value", "status"]] = [np.nan, r.SMALL]

    return [
        ("P2|P7", add(BREAKDOWN, "gu", 500.0), (), None),
        ("P2|P7", add(STATISTICS, "city", 500.0), (), None),
        ("P2|P7", add(BREAKDOWN, "dong", 500.0), (), None),
        ("P2|P7", add(AREAS, "output_area", 500.0), (), None),
        ("P2", changed(clean, BREAKDOWN, only_one_withheld), (), None),
        ("P3", exact("household_breakdown", BREAKDOWN, "households"), (), None),
        ("P3", exact("household_statistics", AREAS, "households"), (), None),
        ("P5", exact("person_statistics", PERSONS, "persons"), (), None),
        ("P4", changed(clean, PERSONS, only_one_sex_withheld), (), None),
    ]


def of_histories(clean: Released) -> list[Leak]:
    """Leaks through other versions, channels and months."""
    frame = clean.tables[BREAKDOWN]
    shown, small = rows_of(frame, measured="households")[-1], rows_of(frame, status=r.SMALL, measured="households")[0]
    other = replace(clean, channel="campus")
    withheld = changed(
        other,
        BREAKDOWN,
        lambda f: f.assign(
            value=np.where(f.index == shown, np.nan, f["value"]), status=np.where(f.index == shown, r.SECONDARY, f["status"])
        ),
    )
    leaks: list[Leak] = [
        ("P6", clean, (withheld,), None),
        ("P6", replace(clean, version=2, release_id="202001-v2"), (replace(withheld, channel="portal"),), None),
        ("P6", clean, (put(other, BREAKDOWN, small, value=15.0, status=r.PUBLISHED),), None),
        ("P12", clean, (put(other, BREAKDOWN, shown, value=frame.loc[shown, "value"] + 5),), None),
        ("P12", clean, (put(other, STATISTICS, 0, value=clean.tables[STATISTICS].loc[0, "value"] + 10_000),), None),
    ]

    def moved(frame: pd.DataFrame) -> pd.DataFrame:
        """The last dong under a new code, with a few people less, exactly told."""
        dongs = sorted(frame.loc[frame["region_level"] == "dong", "region_code"].unique())
        old, new = dongs[-1], dongs[-1][:5] + "99"
        gone = frame["region_code"] == old
        frame.loc[gone & (frame["unit"] == "households"), "value"] += 3.5
        frame.loc[gone, "region_code"] = new
        return frame

    before = replace(changed(clean, STATISTICS, moved), month="2019-12", release_id="201912-v1")
    leaks.append(
        (
            "P7",
            changed(clean, STATISTICS, lambda f: f.assign(value=f["value"] + 0.5 * (f["unit"] == "households"))),
            (before,),
            None,
        )
    )
    return leaks


def of_shares(clean: Released) -> list[Leak]:
    frame = clean.tables[STATISTICS]
    shares = rows_of(frame, measured="share")
    return [
        (attack, put(clean, STATISTICS, at, value=value), (), None)
        for at in (shares[0], shares[-1])
        for attack, value in (("P9", 0.0), ("P9", 1.0), ("P5", 0.1234))
    ] + [
        ("P1", put(clean, STATISTICS, shares[-1], value=0.01), (), None),
        ("P1", put(clean, STATISTICS, shares[-1], value=0.99), (), None),
    ]


def of_files(clean: Released) -> list[Leak]:
    """Leaks in columns, order, files and row-like tables."""
    people = pd.DataFrame({"age_band": ["30"] * 9 + ["80"], "sex": ["F"] * 10, "income": np.arange(10.0)})
    leaks: list[Leak] = []
    for table in (STATISTICS, AREAS, BREAKDOWN, PERSONS):
        leaks += [
            ("P13", changed(clean, table, lambda f: f.assign(households_unweighted=3)), (), None),
            ("P13", changed(clean, table, lambda f: f.iloc[::-1].reset_index(drop=True)), (), None),
        ]
    return [
        *leaks,
        ("P13", changed(clean, STATISTICS, lambda f: f.assign(region_name_en="＝1")), (), None),
        ("P13", replace(clean, oddities=("data/.cache belongs to no release",)), (), None),
        ("P10", replace(clean, tables={**clean.tables, "persons": people}), (), None),
        ("P10", replace(clean, tables={**clean.tables, "persons": people.iloc[:9].assign(person_id="P1")}), (), None),
        ("P10", replace(clean, tables={**clean.tables, "amounts": people[["income"]]}), (), None),
    ]


def of_insiders(clean: Released, month: Month) -> list[Leak]:
    """Leaks that only the warehouse shows: the facts behind a published cell are changed."""

    def with_facts(source: str, **values: float) -> Month:
        frame = month[source].copy()
        for name, value in values.items():
            frame[name] = value
        return {**month, source: frame}

    statistics = "household_statistics"
    return [
        (attack, clean, (), with_facts(source, **values))
        for attack, source, values in (
            ("P1", statistics, {"households_unweighted": 9}),
            ("P11", statistics, {"households_unweighted": 4}),
            ("P1", "household_breakdown", {"households_unweighted": 9}),
            ("P11", "person_statistics", {"persons": 4}),
            ("P8", statistics, {"largest_mean_debt_krw": 1e12}),
            ("P8", statistics, {"second_mean_total_income_krw_year": 1e12}),
            ("P8", "household_breakdown", {"largest_mean_debt_krw": 1e12}),
            ("P1", statistics, {"below_median_total_income_krw_year": 9}),
            ("P1", statistics, {"above_median_total_income_krw_year": 9}),
            ("P1", statistics, {"with_share_with_debt": 9}),
        )
    ]


def of_months(clean: Released, month: Month) -> list[Leak]:
    """Leaks that months, registers, boundaries and differences give."""

    def exact(frame: pd.DataFrame, more: float = 0.0) -> pd.DataFrame:
        """Counts and mean debts as the warehouse has them."""
        keys = ["region_level", "region_code", *r.dimension_columns(STATISTICS)]
        both = frame.merge(month[STATISTICS][[*keys, "households", "mean_debt_krw"]], on=keys, how="left")
        for name in ("households", "mean_debt_krw"):
            at = (both["statistic"] == name) & both["value"].notna()
            both.loc[at, "value"] = both.loc[at, name] + (more if name == "households" else 0.0) + 0.25
        return both[frame.columns]

    sex = rows_of(clean.tables[PERSONS], measured="persons", level="dong")
    dongs = sorted(clean.tables[PERSONS].query("region_level == 'dong'")["region_code"].unique())
    before = replace(changed(clean, STATISTICS, lambda f: exact(f, 2.0)), month="2019-12", release_id="201912-v1")

    def recoded(frame: pd.DataFrame) -> None:
        """The same month with the last dong under a new code and one rounding step more."""
        gone = frame["region_code"] == dongs[-1]
        frame.loc[gone & (frame["unit"] == "persons"), "value"] += 5
        frame.loc[gone, "region_code"] = dongs[-1][:5] + "99"

    shown = rows_of(clean.tables[STATISTICS], measured="households", level="dong")
    mean, quantile = (rows_of(clean.tables[STATISTICS], measured=m)[0] for m in ("mean", "median"))
    share = rows_of(clean.tables[STATISTICS], measured="share")[0]
    dominated = month[STATISTICS].copy()
    hidden = clean.tables[STATISTICS].loc[rows_of(clean.tables[STATISTICS], status=r.SMALL, measured="mean_debt", level="gu")]
    at = (
        dominated.merge(hidden[["region_code", "head_sex", "household_type"]].head(1), how="left", indicator=True)["_merge"]
        == "both"
    )
    dominated.loc[at.to_numpy(), "largest_mean_debt_krw"] = 1e15
    everybody = month[STATISTICS].assign(households_unweighted=500)
    return [
        ("P5", changed(clean, STATISTICS, exact), (before,), None),
        ("P7", changed(clean, PERSONS, recoded), (replace(clean, version=0, release_id="202001-v0"),), None),
        (
            "P7",
            changed(clean, PERSONS, lambda f: f.assign(region_level=f["region_level"].replace("dong", "school_zone"))),
            (),
            None,
        ),
        ("P7", changed(clean, AREAS, lambda f: f[f["region_code"] != dongs[0]].reset_index(drop=True)), (), None),
        ("P8", clean, (), {**month, STATISTICS: dominated}),
        ("P9", clean, (), {**month, STATISTICS: everybody}),
        ("P9", put(clean, STATISTICS, mean, value=0.0), (), None),
        ("P1", put(clean, STATISTICS, share, value=0.417), (), None),
        ("P11", put(clean, STATISTICS, shown[0], value=clean.tables[STATISTICS].loc[shown[0], "value"] + 5), (), month),
        ("P11", put(clean, STATISTICS, quantile, value=clean.tables[STATISTICS].loc[quantile, "value"] + 1e5), (), month),
        ("P11", put(clean, PERSONS, sex[0], value=clean.tables[PERSONS].loc[sex[0], "value"] + 5), (), month),
        ("P12", put(clean, AREAS, 0, value=clean.tables[AREAS].loc[0, "value"] + 5), (), None),
        ("P13", put(clean, STATISTICS, shown[0], region_name_en="12 of them"), (), None),
        ("P13", put(clean, STATISTICS, shown[0], mois_code="0000000007"), (), None),
        ("P13", put(clean, STATISTICS, mean, unit="KRW/month"), (), None),
        ("P13", put(clean, STATISTICS, mean, statistic="mean_of_three_months"), (), None),
        ("P13", put(clean, STATISTICS, mean, reliability="n=7"), (), None),
        ("P5", put(clean, STATISTICS, shown[0], value=clean.tables[STATISTICS].loc[shown[0], "value"] + 1e-9), (), None),
    ]


def test_every_planted_leak_is_found(clean: Released, month: Month) -> None:
    leaks = [
        *one_by_one(clean, lambda rows: int(rows[-1])),
        *of_links(clean, month),
        *of_histories(clean),
        *of_shares(clean),
        *of_files(clean),
        *of_insiders(clean, month),
        *of_months(clean, month),
    ]
    assert len(leaks) >= 90
    assert {attack for kinds, *_ in leaks for attack in kinds.split("|")} == {f"P{number}" for number in range(1, 14)}
    missed = [
        (number, attack, found)
        for number, (attack, release, history, facts) in enumerate(leaks)
        if not set(attack.split("|")) & (found := attacks_on(release, *history, facts=facts))
    ]
    assert missed == []


@pytest.mark.parametrize("table", [STATISTICS, AREAS, BREAKDOWN])
@pytest.mark.parametrize("level", ["city", "gu", "dong"])
def test_a_missing_row_is_found_at_every_level(clean: Released, table: str, level: str) -> None:
    """A single city has no sibling to be compared with: an earlier gate overlooked its missing rows."""
    frame = clean.tables[table]
    count = (frame["statistic"] == "households") & (frame["region_level"] == level)
    crossed = frame[[c for c in ("household_type", "dwelling_type") if c in frame]].ne("all").any(axis=1)
    at = frame.index[count & crossed][0]
    assert "P9" in attacks_on(changed(clean, table, lambda f: f.drop(index=at).reset_index(drop=True)))


def test_an_empty_history_and_the_same_release_elsewhere_are_no_leaks(clean: Released) -> None:
    assert attacks_on(clean, replace(clean, channel="campus"), replace(clean, month="2019-12", release_id="201912-v1")) == set()


def test_releases_of_the_same_data_are_attacked_together_whatever_their_version_numbers(rules: ReleaseRules) -> None:
    """One channel has crosses to the output area, the other the rest; each withholds well, but not the same complements."""
    cells = small_month(2, rules)
    by_channel = {
        "portal": [t for t in rules.tables if t.name != AREAS],
        "campus": [t for t in rules.tables if t.name == AREAS],
    }
    alone = {
        channel: released(protect(cells, rules=of), cells, of)
        for channel, tables in by_channel.items()
        for of in (rules.model_copy(update={"channel": channel, "tables": tuple(tables)}),)
    }
    portal = replace(alone["portal"], release_id="202001-v2", version=2, edition=2)
    campus = replace(alone["campus"], edition=2)
    assert attacks_on(portal) == attacks_on(campus) == set()
    assert attacks_on(campus, replace(portal, edition=1)) == attacks_on(campus, replace(portal, edition=0)) == set()
    assert "P3" in attacks_on(campus, portal)
    assert "P3" in attacks_on(replace(campus, edition=0), replace(portal, edition=0, version=1)), (
        "as numbers say where data do not"
    )


@pytest.mark.parametrize(("when", "attack", "size"), [("2019-12", "P5", 5_000), ("2020-01", "P6", 5_000), ("2019-12", "P5", 0)])
def test_releases_are_attacked_together_over_all_links(
    clean: Released, when: str, attack: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier release told a small count exactly: since counts change little, it tells the one that is withheld now."""
    monkeypatch.setattr(verify_population, "_ONE_PROGRAM", size)

    def with_exact_count(frame: pd.DataFrame) -> None:
        small = rows_of(frame, status=r.SMALL, measured="households", level="dong")
        frame.loc[small[0], ["value", "status"]] = [3.0, r.PUBLISHED]

    other = replace(changed(clean, STATISTICS, with_exact_count), month=when, version=0, release_id=f"{when}-v0")

    def together(change: float) -> set[str]:
        findings = verify(clean, history=[other], signed=SIGNED, limits=Limits(change=change))
        return set(findings[findings["what"].str.contains("threshold with ")]["attack"])

    assert together(5.0) == {attack}
    assert together(1000.0) == set(), "a reader to whom counts can change by anything learns nothing"


def test_of_large_releases_together_only_what_each_alone_does_not_show_is_asked(
    rules: ReleaseRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apart and together the verdict is the same; most withheld counts of two months of nearly the same people need no program
    of both."""
    draws, people = np.random.default_rng(5), people_of(seed=9, districts=3, dongs=4, areas=4, per_area=60)
    months = []
    for month in ("202001", "202002"):
        cells = cells_of_people(people, rules)
        months.append(released(protect(cells, rules=rules), cells, rules, month=month))
        people = tuple(a_month_later(part, draws) for part in people)  # type: ignore[assignment]
    asked: list[int] = []

    def counted(*system: np.ndarray, **named: np.ndarray) -> np.ndarray | None:
        asked.append(int((system[3] > 0).sum()))
        return bounds.narrow_cells(*system, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(verify_population, "narrow_cells", counted)
    limits = Limits(change=20.0)
    assert verify(months[1], history=months[:1], signed=SIGNED, limits=limits).empty
    at_once = sum(asked)
    asked.clear()
    for name, size in ((verify_population, "_ONE_PROGRAM"), (bounds, "_WHOLE")):
        monkeypatch.setattr(name, size, 0)
    assert verify(months[1], history=months[:1], signed=SIGNED, limits=limits).empty
    assert sum(asked) < 0.15 * at_once


def test_a_reader_who_takes_too_small_a_change_learns_nothing(rules: ReleaseRules, clean: Released) -> None:
    """Other people altogether: no counts agree with a change of five, which is no reason to refuse."""
    cells = small_month(77, rules)
    later = released(protect(cells, rules=rules), cells, rules, month="202002")
    assert attacks_on(later, clean) == set()


def test_by_district_the_gate_finds_the_same(clean: Released, month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large cities are attacked a district at a time: clean stays clean, and exact counts are found."""
    monkeypatch.setattr(bounds, "_WHOLE", 0)
    assert attacks_on(clean) == set()
    exact = [leak for leak in of_links(clean, month) if leak[0] == "P3"]
    assert len(exact) == 2
    assert all("P3" in attacks_on(release) for _, release, _, _ in exact)


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_a_text_that_spreadsheets_evaluate_is_found_in_tables_and_list(clean: Released, start: str) -> None:
    """As the only leak; negative numbers are no text."""
    said = "a text that spreadsheets take for a formula"
    for table, frame in (*clean.tables.items(), (r.STRUCTURAL_ZEROS, ROW_OF_ZEROS)):
        assert list(formulas(table, frame)) == []
        for column in ("region_name_ko", "region_name_en", "region_code"):
            assert list(formulas(table, frame.assign(**{column: f"{start}1"}))) == [("P13", table, column, said)]
    assert list(formulas("t", pd.DataFrame({"value": [-1.0], "name": ["a-b"], "none": [None]}))) == []
