"""Means that differences would tell: in made months, by hand, and with a gate that looks for them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from cubes import SIGNED, cells_of_people, people_of, released
from scipy import sparse

from living_finance.contracts import releases as r
from living_finance.release import protect as protection
from living_finance.release.differences import Totals, withhold_differences
from living_finance.release.protect import protect
from living_finance.release.rules import ReleaseRules
from living_finance.release.verify import verify
from living_finance.release.verify_findings import Limits
from living_finance.release.verify_insiders import with_warehouse


def month_with_rare_debt(seed: int, rules: ReleaseRules) -> dict[str, pd.DataFrame]:
    """Three districts in which few have debts, large ones; in the first of them one household."""
    households, persons = people_of(seed=seed, districts=3, dongs=2, areas=3, per_area=50)
    draws = np.random.default_rng(seed)
    has_debt = draws.random(len(households)) < 0.03
    in_first = households["area"].str.startswith("11010").to_numpy()
    has_debt[in_first] = np.arange(in_first.sum()) == 0
    households["debt_krw"] = np.where(has_debt, np.exp(draws.normal(22, 0.5, len(households))), 0.0)
    return cells_of_people((households, persons), rules)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_difference_of_districts_is_one_contributors(seed: int, rules: ReleaseRules, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = month_with_rare_debt(seed, rules)
    release = released(protect(cells, rules=rules), cells, rules)
    assert verify(release, signed=SIGNED, facts=cells).empty
    monkeypatch.setattr(protection, "_without_differences", lambda tables, *_: dict(tables))
    plain = released(protect(cells, rules=rules), cells, rules)
    assert set(verify(plain, signed=SIGNED, facts=cells)["attack"]) == {"P8"}, "and the gate finds what is left undone"
    lost = {
        name: (frame["status"] != release.tables[name]["status"]).sum() / (frame["status"] == r.PUBLISHED).sum()
        for name, frame in plain.tables.items()
    }
    assert 0 < max(lost.values()) < 0.05


NAMES = ("city", "one", "two", "three", "one's one", "one's two")
LINKS = sparse.csr_matrix([[-1, 1, 1, 1, 0, 0], [0, -1, 0, 0, 1, 1]], dtype=float)


def dropped(*hidden: str, totals: Mapping[str, tuple[float, float, float]], slack: float = 0.0) -> set[str]:
    """Of a city of three districts, the first with two dongs; each cell its own unit."""
    facts = np.array([totals.get(name, (10.0, 10.0, 100.0)) for name in NAMES]).T
    found = withhold_differences(
        LINKS,
        Totals(np.full(6, slack), np.full(6, slack), *facts),
        is_printed=~np.isin(NAMES, hidden),
        is_empty=np.zeros(6, dtype=bool),
        unit=np.arange(6),
        price=np.array([100.0, 20.0, 21.0, 22.0, 9.0, 11.0]),
        percent=10,
    )
    return {NAMES[at] for at in np.flatnonzero(found)}


LONELY = (100.0, 0.0, 100.0)


def test_the_cheapest_part_goes_with_a_dominated_one() -> None:
    assert dropped("one", totals={"one": LONELY}) == {"two", "one's one"}, "the district and one of its dongs, or they tell it"
    assert dropped("three", totals={"three": LONELY}) == {"one", "one's one"}, (
        "the first district is no help if its dongs tell it"
    )
    assert dropped("three", totals={}) == set(), "not dominated: told, and harmless"
    assert dropped("three", totals={"three": LONELY}, slack=4.0) == set(), "three figures rounded by 4 leave 12 of 100 open"
    assert dropped("three", totals={"three": LONELY}, slack=3.0) == {"one"}, (
        "its dongs tell it to within 6, and so the third to 12"
    )


def test_what_is_told_by_one_link_tells_in_another() -> None:
    """The first district is told by the city and the others, so its dongs are as if it were printed."""
    assert dropped("one", "one's one", totals={"one's one": LONELY}) == {"one's two"}
    assert dropped("one", "two", "one's one", totals={"one's one": LONELY}) == set()


def test_if_nothing_of_a_link_is_printed_what_tells_it_goes() -> None:
    """Both dongs are withheld, and together they are what the city and the other districts tell."""
    facts = {"one": LONELY, "one's one": LONELY, "one's two": (0.0, 0.0, 0.0)}
    assert dropped("one", "one's one", "one's two", totals=facts) == {"two"}


def test_the_gate_follows_what_is_told_from_link_to_link() -> None:
    codes_of = {"city": "11", "one": "11010", "two": "11020", "one's one": "1101050", "one's two": "1101051"}
    levels = {2: "city", 5: "gu", 7: "dong"}
    keys = pd.DataFrame({"region_code": list(codes_of.values())})
    keys = keys.assign(
        region_level=keys["region_code"].str.len().map(levels), **dict.fromkeys(r.DIMENSIONS["household_statistics"], "all")
    )
    count = keys["region_level"].map({"city": 4000.0, "gu": 2000.0, "dong": 1000.0})
    figures = {name: 1e6 if f.measured is r.Measured.MEAN else 0.5 for name, f in r.STATISTICS["household_statistics"].items()}
    behind = {f"{fact}_{name}": 500.0 for name in figures for fact in ("largest", "second", "absolute", "below", "above", "with")}
    own = {"households": count, "households_unweighted": count.astype(int)}
    facts = pd.concat([keys, pd.DataFrame(figures | behind | own, index=keys.index)], axis=1)
    mean = "mean_debt_krw"
    facts[f"absolute_{mean}"] = facts[mean] * facts["households"]
    facts[f"largest_{mean}"] = np.where(facts["region_code"] == codes_of["one's one"], facts[f"absolute_{mean}"], 0.0)
    facts[f"second_{mean}"] = 0.0

    def found(*hidden: str) -> list[str]:
        rows = [
            keys.assign(
                statistic=name,
                value=facts[name],
                unit=unit,
                status=r.PUBLISHED,
                **{name: "" for name in r.REGION_COLUMNS if name not in keys},
            )
            for name, unit in (("households", "households"), (mean, "KRW"))
        ]
        frame = pd.concat(rows, ignore_index=True)
        gone = frame["region_code"].isin([codes_of[name] for name in hidden]) & (frame["statistic"] == mean)
        frame = frame.assign(status=frame["status"].mask(gone, r.SECONDARY), value=frame["value"].mask(gone))
        limits = Limits(bases={**Limits().bases, "KRW": 1.0, "households": 1.0})
        findings = with_warehouse("household_statistics", frame, {"household_statistics": facts}, limits)
        return [what for attack, _, _, what in findings if attack == "P8"]

    assert found("one", "one's one") == found("one's one") != []
    assert found("one", "two", "one's one") == []
    assert found("one's one", "one's two", "one") == []
