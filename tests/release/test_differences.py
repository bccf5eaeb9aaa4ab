"""Means that differences would tell: in made months, by hand, and with a gate that looks for them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from cubes import SIGNED, cells_of_people, people_of, released, with_parameters
from scipy import sparse

from living_finance.contracts import releases as r
from living_finance.release import protect as protection
from living_finance.release.differences import Totals, withhold_differences
from living_finance.release.protect import protect
from living_finance.release.rules import ReleaseRules
from living_finance.release.verify import verify
from living_finance.release.verify_findings import Limits
from living_finance.release.verify_insiders import with_warehouse
from living_finance.release.verify_links import half_width


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


def dropped(
    *hidden: str, totals: Mapping[str, tuple[float, float, float]], slack: float | list[float] = 0.0, known: str = ""
) -> set[str]:
    """Of a city of three districts, the first with two dongs; each cell its own unit."""
    facts = np.array([totals.get(name, (10.0, 10.0, 100.0)) for name in NAMES]).T
    found = withhold_differences(
        LINKS,
        Totals(*np.broadcast_to(slack, (2, 6)), *facts),
        is_printed=~np.isin(NAMES, hidden),
        is_known=np.array(NAMES) == known,
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


def test_what_tells_nothing_is_left_alone() -> None:
    """The dongs tell the first district to within 12, and so does not matter that they are printed."""
    assert dropped("one", totals={"one": LONELY}, slack=[1, 0, 1, 1, 6, 6]) == {"two"}


def test_what_others_have_printed_is_known_and_no_help() -> None:
    assert dropped("three", totals={"three": LONELY}, known="one") == {"two"}
    assert dropped("one", "one's one", totals={"one's one": LONELY}, known="one") == {"one's two"}, "known, though withheld here"


def test_a_cell_told_loosely_first_is_asked_again() -> None:
    """By the city the lonely one is told to within 20; by its district as exactly as the one beside it, which its dongs tell."""
    links = sparse.csr_matrix([[-1, 1, 1, 0, 0, 0, 0, 0], [0, 1, 0, -1, 1, 1, 0, 0], [0, 0, 0, 0, -1, 0, 1, 1]], dtype=float)
    facts = np.array([(10.0, 10.0, 100.0)] * 8).T
    facts[:, 1] = LONELY
    slack = np.array([20.0, *[0.0] * 7])

    def found(rows: sparse.csr_matrix) -> list[int]:
        is_printed = ~np.isin(np.arange(8), (1, 4))
        made = withhold_differences(
            rows,
            Totals(slack, slack, *facts),
            is_printed=is_printed,
            is_known=np.zeros(8, dtype=bool),
            unit=np.arange(8),
            price=np.arange(8.0)[::-1],
            percent=10,
        )
        return np.flatnonzero(made).tolist()

    assert found(links) == found(links[1:]) == [7]


def test_if_nothing_of_a_link_is_printed_what_tells_it_goes() -> None:
    """Both dongs are withheld, and together they are what the city and the other districts tell."""
    facts = {"one": LONELY, "one's one": LONELY, "one's two": (0.0, 0.0, 0.0)}
    assert dropped("one", "one's one", "one's two", totals=facts) == {"two"}


def gate_finds(
    cells: pd.DataFrame, *hidden: str, elsewhere: tuple[str, ...] = (), source: str = "household_statistics"
) -> list[str]:
    """P8 of a table of mean debts.

    Args:
        cells: index "region sex"; count, total, largest (then nobody else brings any; 0: many do).
        hidden: cells whose mean is withheld.
        elsewhere: those of them that another release prints.
        source: gold table.
    """
    mean, count = "mean_debt_krw", r.COUNT_OF[source]
    key = cells.index.str.split(" ", expand=True).to_frame(index=False).set_axis(["region_code", "sex"], axis=1)
    dimension = "head_sex" if source == "household_statistics" else "sex"
    others = {name: "all" for name in r.dimension_columns(source) if name != dimension}
    keys = key.rename(columns={"sex": dimension}).assign(
        region_level=key["region_code"].str.len().map({2: "city", 5: "gu", 7: "dong"})
    )
    keys = keys.assign(**others | ({r.PLACE: "residence"} if source == "person_statistics" else {}))
    keys = keys[["region_level", "region_code", *r.dimension_columns(source)]]
    own = cells.reset_index(drop=True)
    columns = dict.fromkeys(r.STATISTICS[source], 0.5)
    columns |= {
        f"{fact}_{name}": 500.0 for name in columns for fact in ("largest", "second", "absolute", "below", "above", "with")
    }
    facts = pd.concat([keys, pd.DataFrame(columns, index=keys.index)], axis=1).assign(
        **{
            count: own["count"],
            r.CONTRIBUTORS[count]: own["count"].astype(int),
            mean: own["total"] / own["count"],
            f"largest_{mean}": own["largest"],
            f"second_{mean}": 0.0,
            f"absolute_{mean}": own["total"],
        }
    )
    bases = {count: 5.0, mean: 1e5}
    rows = pd.concat(
        [
            keys.assign(statistic=name, value=(facts[name] / base).round() * base, unit=count if name == count else "KRW")
            for name, base in bases.items()
        ],
        ignore_index=True,
    ).assign(status=r.PUBLISHED, **{name: "" for name in r.REGION_COLUMNS if name not in keys})
    cell = pd.concat([pd.Series(cells.index)] * 2, ignore_index=True)
    gone = cell.isin(hidden) & (rows["statistic"] == mean)
    frame = rows.assign(status=rows["status"].mask(gone, r.SECONDARY), value=rows["value"].mask(gone))
    others_print = rows[cell.isin(elsewhere)] if elsewhere else None
    return [
        what for attack, _, _, what in with_warehouse(source, frame, {source: facts}, Limits(), others_print) if attack == "P8"
    ]


def of_cells(**cells: tuple[float, float, float]) -> pd.DataFrame:
    names = [name.removeprefix("r").replace("_", " ") for name in cells]
    return pd.DataFrame(list(cells.values()), index=names, columns=["count", "total", "largest"])


def test_the_gate_follows_what_is_told_from_link_to_link() -> None:
    cells = of_cells(
        r11_all=(4000, 4e11, 0),
        r11010_all=(2000, 2e11, 0),
        r11020_all=(2000, 2e11, 0),
        r1101050_all=(1000, 1e11, 1e11),
        r1101051_all=(1000, 1e11, 0),
    )
    one, two, lonely, beside = "11010 all", "11020 all", "1101050 all", "1101051 all"
    assert gate_finds(cells, one, lonely) == gate_finds(cells, lonely) != []
    assert gate_finds(cells, one, two, lonely) == []
    assert gate_finds(cells, lonely, beside, one) == []
    assert gate_finds(cells, lonely, beside) == []
    assert gate_finds(cells, lonely, beside, elsewhere=(beside,)) != [], "another release prints it"


def test_the_gate_asks_again_what_it_first_was_told_loosely() -> None:
    """One man's debt in 11010: by the city's men it is known to within 10,000 million, by its women's to within 800."""
    cells = of_cells(
        r11010_M=(1000, 2e10, 2e10),
        r11010_F=(40, 3e9, 0),
        r11010_all=(1040, 2.3e10, 0),
        r11020_M=(50_000, 5e11, 0),
        r11020_F=(1000, 7.5e10, 0),
        r11020_all=(51_000, 5.75e11, 0),
        r11030_M=(49_000, 4.9e11, 0),
        r11030_F=(1000, 7.5e10, 0),
        r11030_all=(50_000, 5.65e11, 0),
        r11_M=(100_000, 1.01e12, 0),
        r11_F=(2040, 1.53e11, 0),
        r11_all=(102_040, 1.163e12, 0),
    )
    assert gate_finds(cells, "11010 M", "11010 F") != []
    assert gate_finds(cells, "11010 M", "11010 F", "11020 M", "11020 F") == []


@pytest.mark.parametrize(("largest", "found"), [(8e9, ()), (9.2e9, ("person_statistics",)), (1.2e10, tuple(r.COUNT_OF))])
def test_persons_are_known_to_two_and_households_to_two_and_a_half(largest: float, found: tuple[str, ...]) -> None:
    """What is left of a city and two districts is open by some 900 million of persons and 1,040 of households."""
    cells = of_cells(
        r11_all=(4000, 3e11 + largest, 0),
        r11010_all=(1000, largest, largest),
        r11020_all=(1000, 1e11, 0),
        r11030_all=(2000, 2e11, 0),
    )
    for source in ("household_statistics", "person_statistics"):
        assert (gate_finds(cells, "11010 all", source=source) != []) == (source in found)


@pytest.mark.parametrize(("unit", "half"), [("persons", 2.0), ("households", 2.5), ("KRW", 50_000.0)])
def test_protection_and_gate_take_a_figure_to_be_known_as_well(rules: ReleaseRules, unit: str, half: float) -> None:
    assert protection._half_width(unit, rules) == half
    assert half_width(np.array([1e6]), Limits().bases[unit], is_whole=unit == "persons").tolist() == [half]
    assert protection._half_width(unit, with_parameters(rules, rounding_protects=False)) == 0.0
