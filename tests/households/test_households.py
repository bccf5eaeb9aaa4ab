"""Householding on small cities: each rule, and what must hold for any city."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from living_finance.contracts import gold, silver
from living_finance.contracts.core import Table
from living_finance.households import Householding, householding
from living_finance.households.matching import DOUBT, accuracy
from living_finance.households.tenure import NOTHING_SURVEYED
from living_finance.households.weights import KINDS, existence_shares, with_kind
from living_finance.months import Month

MONTH = Month(2020, 1)
GU, DONG, AREA = "11110", "1111051", "11110510001"

Rows = list[dict[str, Any]]


@dataclass
class City:
    """A small city written down person by person."""

    persons: Rows = field(default_factory=list)
    register: Rows = field(default_factory=list)
    buildings: Rows = field(default_factory=list)
    margins: Rows = field(default_factory=list)

    def building(self, address: str, dwelling: str = "apartment", area: str = AREA) -> City:
        self.buildings.append({"address_id": address, "dwelling_type": dwelling, "output_area_id": area, "dong_code": DONG})
        return self

    def bureau(self, person: str, address: str, unit: str | None, sex: str, band: int, **amounts: float) -> City:
        self.persons.append(
            {"person_id": person, "home_address_id": address, "home_unit_id": unit, "sex": sex, "age_band": band, **amounts}
        )
        return self

    def registered(self, household: str, address: str, unit: str | None, *members: str) -> City:
        """Members as `relation sex age`."""
        for member in members:
            relation, sex, age = member.split()
            self.register.append(
                {
                    "register_household_id": household,
                    "address_id": address,
                    "unit_id": unit,
                    "relation_to_head": relation,
                    "sex": sex,
                    "age": int(age),
                }
            )
        return self

    def margin(self, margin: str, category: str, count: int | None, area: str = AREA) -> City:
        self.margins.append(
            {"margin": margin, "category": category, "count": count, "is_masked": count is None, "output_area_id": area}
        )
        return self

    def form(self, spark: SparkSession, *, partitions: int | None = None, **changes: Any) -> Householding:
        defaults = {"base_month": MONTH.date, "gu_code": GU, "dong_code": DONG, "edits": []}
        amounts = dict.fromkeys(silver.PERSON_RENAMES.values(), 0.0)
        fixed = {
            "residence": "seoul",
            "workplace": "none",
            "employment": "none",
            "home_evidence": "register_unit",
            "has_household": True,
        }
        building = {"x": 0.0, "y": 0.0, "dwelling_units": 1}

        def table(declared: Table, rows: Rows, **default: Any) -> DataFrame:
            made = frame(spark, declared, ({**default, **row} for row in rows))
            return made if partitions is None else made.repartition(partitions)

        arguments: dict[str, Any] = {
            "persons": table(silver.PLACED_PERSON, self.persons, **defaults, **amounts, **fixed),
            "register": table(silver.REGISTER_PERSON, self.register, **defaults),
            "buildings": table(silver.BUILDING, self.buildings, **defaults, **building),
            "margins": table(silver.CENSUS_MARGIN, self.margins, base_month=MONTH.date, reference_month=dt.date(2020, 11, 1)),
            "tenure": NOTHING_SURVEYED,
            "census_register_counts": None,
            "month": MONTH,
            "rows": len(self.persons) + len(self.register),
            "seed": 7,
            "is_provisional": True,
        }
        return householding(**{**arguments, **changes})


def frame(spark: SparkSession, table: Table, rows: Iterable[dict[str, Any]]) -> DataFrame:
    return spark.createDataFrame([tuple(row.get(name) for name in table.column_names) for row in rows], table.schema())


def tables(formed: Householding) -> dict[str, list[Row]]:
    """Everything, made as a run makes it: what several tables need is kept."""
    kept = [formed.matched.persist(), formed.formed.persist()]
    made = {name: getattr(formed, name).collect() for name in ("member", "household", "output_area")}
    for intermediate in kept:
        intermediate.unpersist()
    return made


def groups(formed: Householding) -> set[frozenset[str]]:
    by_household: dict[str, set[str]] = {}
    for row in formed.member.collect():
        by_household.setdefault(row["household_id"], set()).add(row["person_id"])
    return {frozenset(people) for people in by_household.values()}


def every_rule() -> City:
    """One address per rule; persons are named after what should happen to them."""
    city = City()
    for address in ("A1", "A2", "A3", "A4", "A5", "A6"):
        city.building(address)
    city.building("M1", "multi_family").building("N1", "non_residential")
    # A1: matched in the unit; the wife's unit is missing and she is found at the address.
    city.registered("R1", "A1", "U1", "head M 41", "spouse F 38", "child F 9")
    city.bureau("Pman", "A1", "U1", "M", 40, labour_income_krw_year=1000.4, mortgage_balance_krw=5.0)
    city.bureau("Pwife", "A1", None, "F", 35, labour_income_krw_year=2000.6, business_income_krw_year=-500.0)
    # A1/U2: an old address of two people, in a unit whose people are known.
    city.registered("R2", "A1", "U2", "head F 67")
    city.bureau("Pwidow", "A1", "U2", "F", 65).bureau("Pold1", "A1", "U2", "M", 20).bureau("Pold2", "A1", "U2", "M", 25)
    # A2/U1: nobody of the register household is in the bureau, and two others are: new people together.
    city.registered("R3", "A2", "U1", "head M 70")
    city.bureau("Pnew1", "A2", "U1", "M", 30).bureau("Pnew2", "A2", "U1", "F", 30)
    # A2: unit unknown, and nobody like that is registered: alone, each.
    city.bureau("Palone1", "A2", None, "M", 50).bureau("Palone2", "A2", None, "M", 50)
    # A3/U1: two register households in one unit: a grown son registered apart.
    city.registered("R4", "A3", "U1", "head M 62", "spouse F 60").registered("R5", "A3", "U1", "child M 31")
    city.bureau("Pfather", "A3", "U1", "M", 60).bureau("Pson", "A3", "U1", "M", 30)
    # A4: only the register knows them; grandparents, parents, child.
    city.registered("R6", "A4", "U1", "head M 45", "parent F 72", "child M 14")
    # A5: the register knows no head; two unrelated; a grandchild as "other".
    city.registered("R7", "A5", "U1", "child F 33", "child M 35")
    city.registered("R8", "A5", "U2", "head F 24", "other F 26")
    city.registered("R9", "A5", "U3", "head F 68", "child M 40", "other M 10")
    city.registered("R10", "A5", "U4", *["head M 50", *["other M 30"] * 5])
    # M1: exchangeable men of one band; one more than the register has.
    city.registered("R11", "M1", None, "head M 30").registered("R12", "M1", None, "head M 33", "spouse F 31")
    city.bureau("Pm1", "M1", None, "M", 30).bureau("Pm2", "M1", None, "M", 30).bureau("Pm3", "M1", None, "M", 30)
    city.bureau("Pm4", "M1", None, "F", 30)
    # A6: the register knows no units here, so the bureau's unit cannot contradict it.
    city.registered("R13", "A6", None, "head F 50")
    city.bureau("Punit", "A6", "U9", "F", 50)
    # N1, X1: not a dwelling; not in the list of buildings. A register household at two addresses is two households.
    city.registered("R14", "N1", None, "head M 80").registered("R14", "X1", None, "head M 99")
    city.bureau("Pshop", "N1", None, "M", 80).bureau("Pnowhere", "X1", None, "F", 15)
    city.margin("households", "all", 34).margin("tenure", "owned", 20).margin("tenure", "free", None)
    city.margin("households", "all", 9, area="11110510002")
    return city


@pytest.fixture(scope="module")
def formed(spark: SparkSession) -> tuple[dict[str, Row], dict[str, Row], list[Row]]:
    """Members by person, households by a member or register address, output areas."""
    result = every_rule().form(spark)
    made = tables(result)
    members = {row["person_id"]: row for row in made["member"]}
    households = {row["household_id"]: row for row in made["household"]}
    assert result.household.schema.simpleString() == silver.HOUSEHOLD.schema().simpleString()
    assert result.member.schema.simpleString() == gold.HOUSEHOLD_MEMBER.schema().simpleString()
    assert result.output_area.schema.simpleString() == silver.OUTPUT_AREA.schema().simpleString()
    return members, households, made["output_area"]


Formed = tuple[dict[str, Row], dict[str, Row], list[Row]]


@pytest.mark.parametrize(
    ("together", "evidence"),
    [
        ({"Pman"}, "register_unit"),
        ({"Pwife"}, "register_address"),
        ({"Pwidow"}, "register_unit"),
        ({"Pnew1", "Pnew2"}, "shared_unit"),
        ({"Palone1"}, "alone"),
        ({"Palone2"}, "alone"),
        ({"Pfather"}, "register_unit"),
        ({"Pson"}, "register_unit"),
        ({"Pm4"}, "register_address"),
        ({"Punit"}, "register_address"),
        ({"Pshop"}, "register_address"),
        ({"Pnowhere"}, "alone"),
    ],
)
def test_evidence_of_each_assignment(formed: Formed, together: set[str], evidence: str) -> None:
    members, _, _ = formed
    assert {members[person]["assignment_evidence"] for person in together} == {evidence}


def test_who_lives_with_whom(formed: Formed) -> None:
    members, _, _ = formed
    home = {person: row["household_id"] for person, row in members.items()}
    assert home["Pman"] == home["Pwife"]
    assert home["Pnew1"] == home["Pnew2"]
    assert home["Pfather"] == home["Pson"], "one unit is one household, though registered apart"
    assert len({home[p] for p in ("Pman", "Pwidow", "Pold1", "Palone1", "Palone2", "Pfather")}) == 6
    assert len({home[p] for p in ("Pm1", "Pm2", "Pm3")}) == 3, "no two men of one band in a couple's or a single's household"
    men = [members[p]["assignment_evidence"] for p in ("Pm1", "Pm2", "Pm3")]
    assert 1 <= men.count("register_address") <= 2, "the register has two"
    assert len(members) == 18
    assert all(0 < row["assignment_probability"] <= 1 for row in members.values())


@dataclass
class Expected:
    source: str
    kind: str
    size: int
    head: str
    band: int
    children: int = 0
    elderly: int = 0
    bureau: int = 1


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ("Pman", Expected("register", "two_generation", 3, "M", 40, children=1, bureau=2)),
        ("Pwidow", Expected("register", "one_person", 1, "F", 60, elderly=1)),
        ("Pnew1", Expected("bureau", "one_generation", 2, "M", 30, bureau=2)),
        ("Pfather", Expected("register", "two_generation", 3, "M", 60, bureau=2)),
        ("Palone1", Expected("bureau", "one_person", 1, "M", 50)),
        ("Pnowhere", Expected("bureau", "one_person", 1, "F", 10)),
        ("Pshop", Expected("register", "one_person", 1, "M", 80, elderly=1)),
    ],
)
def test_composition_of_households_with_bureau_members(formed: Formed, person: str, expected: Expected) -> None:
    members, households, _ = formed
    row = households[members[person]["household_id"]]
    found = Expected(
        row["household_source"],
        row["household_type"],
        row["household_size"],
        row["head_sex"],
        row["head_age_band"],
        row["children"],
        row["elderly"],
        row["bureau_members"],
    )
    assert found == expected


@pytest.mark.parametrize(
    ("address", "unit", "kind", "size", "head", "quarters"),
    [
        ("A2", "U1", "one_person", 1, ("M", 70), False),
        ("A4", "U1", "three_generation", 3, ("M", 40), False),
        ("A5", "U1", "one_generation", 2, ("M", 30), False),
        ("A5", "U2", "unrelated", 2, ("F", 20), False),
        ("A5", "U3", "three_generation", 3, ("F", 60), False),
        ("A5", "U4", "two_generation", 6, ("M", 50), True),
        ("N1", None, "one_person", 1, ("M", 80), True),
        ("X1", None, "one_person", 1, ("M", 80), False),
    ],
)
def test_register_households(
    formed: Formed, address: str, unit: str | None, kind: str, size: int, head: tuple[str, int], quarters: bool
) -> None:
    _, households, _ = formed
    found = [
        (row["household_type"], row["household_size"], (row["head_sex"], row["head_age_band"]), row["is_group_quarters"])
        for row in households.values()
        if (row["address_id"], row["unit_id"], row["household_source"]) == (address, unit, "register")
    ]
    assert found == [(kind, size, head, quarters)]


def test_register_households_beyond_the_capacity_of_their_building_are_all_formed(formed: Formed) -> None:
    """M1 is one legal dwelling, and two households are registered there (silver.address marks it: is_over_capacity)."""
    _, households, _ = formed
    found = [row for row in households.values() if (row["address_id"], row["household_source"]) == ("M1", "register")]
    assert sorted((row["household_type"], row["household_size"]) for row in found) == [("one_generation", 2), ("one_person", 1)]


def test_amounts_are_whole_won_of_bureau_members(formed: Formed) -> None:
    members, households, _ = formed
    row = households[members["Pman"]["household_id"]]
    assert row["bureau_labour_income_krw_year"] == 1000 + 2001
    assert row["bureau_business_income_krw_year"] == -500
    assert (row["bureau_debt_krw"], row["bureau_mortgage_balance_krw"], row["bureau_jeonse_loan_balance_krw"]) == (5, 5, 0)
    assert row["tenure"] == "owned"
    assert row["is_provisional"]


def test_weights_add_up_to_the_census(formed: Formed) -> None:
    _, households, areas = formed
    by_area = {row["output_area_id"]: row for row in areas}
    private = [row for row in households.values() if row["output_area_id"] == AREA and not row["is_group_quarters"]]
    assert sum(row["weight"] for row in private) == pytest.approx(34, abs=1e-6)
    assert by_area[AREA]["formed_households"] == len(private)
    assert by_area[AREA]["weighted_households"] == by_area[AREA]["target_households"] == 34
    assert by_area[AREA]["register_change"] == 1.0
    empty = by_area["11110510002"]
    assert (empty["census_households"], empty["formed_households"], empty["weighted_households"]) == (9, 0, 0)
    outside = [row for row in households.values() if row["is_group_quarters"] or row["address_id"] == "X1"]
    assert {row["weight"] for row in outside} == {0.0}
    assert {row["output_area_id"] for row in outside if row["address_id"] == "X1"} == {None}


def test_the_census_tells_which_kinds_of_households_exist(spark: SparkSession) -> None:
    """Half of the register households that nobody in the bureau answers are there, a tenth of those in a taken unit."""
    random, exist = Random(5), dict(zip(KINDS, (1.0, 0.5, 0.1, 0.9, 0.6, 0.2), strict=True))
    areas = [{kind: float(random.randint(20, 200)) for kind in KINDS} for _ in range(400)]
    rows = [area | {"target_households": sum(exist[kind] * area[kind] for kind in KINDS)} for area in areas]
    found = existence_shares(spark.createDataFrame(rows)).collect()
    assert [row.asDict() for row in found] == [pytest.approx({f"share_{kind}": exist[kind] for kind in KINDS}, abs=0.05)]


def test_people_beside_the_register_are_told_apart_by_their_unit(spark: SparkSession) -> None:
    """A unit holds one household: somebody beside a register household is another's, somebody in an empty unit may live there."""
    scenarios = [
        ("register", 1, "A", "U1", 40, "register_and_bureau"),
        ("bureau", 1, "A", "U1", 20, "in_registered_unit"),
        ("bureau", 2, "A", "U1", 50, "in_registered_unit"),
        ("register", 0, "A", "U2", 40, "register_only"),
        ("bureau", 1, "A", "U2", 30, "in_registered_unit"),
        ("bureau", 1, "A", "U3", 60, "in_unregistered_unit"),
        ("bureau", 1, "B", "U1", 20, "in_unregistered_unit"),
        ("register", 1, "H", None, 40, "register_and_bureau"),
        ("bureau", 1, "H", None, 20, "elsewhere_young"),
        ("bureau", 3, "H", None, 30, "elsewhere_older"),
    ]
    columns = "household_source string, bureau_members int, address_id string, unit_id string, head_age_band int, expected string"
    found = spark.createDataFrame(scenarios, columns).transform(with_kind).select("_kind", "expected").collect()
    assert len(found) == len(scenarios)
    assert [row["_kind"] for row in found] == [row["expected"] for row in found]


def test_tenures_without_a_loan_come_from_the_margin(formed: Formed) -> None:
    """The margin knows owners and a few (masked) free tenants: nobody rents."""
    _, households, _ = formed
    tenures = {row["tenure"] for row in households.values()}
    assert "owned" in tenures
    assert tenures <= {"owned", "free"}


def test_same_tables_whatever_the_order_and_partitions(spark: SparkSession) -> None:
    city = every_rule()
    turned = City(city.persons[::-1], city.register[::-1], city.buildings[::-1], city.margins[::-1])
    one, other = tables(city.form(spark)), tables(turned.form(spark, partitions=5))
    for name, rows in one.items():
        assert sorted(map(repr, rows)) == sorted(map(repr, other[name])), name


def test_ids_stay_when_others_change(spark: SparkSession) -> None:
    before = every_rule()
    after = every_rule()
    after.persons = [row for row in after.persons if row["person_id"] != "Palone1"]
    after.registered("R0", "A1", "U7", "head M 20").registered("R0", "M1", None, "head F 99").bureau("Pa", "A1", "U7", "M", 20)
    first = {row["person_id"]: row["household_id"] for row in before.form(spark).member.collect()}
    second = {row["person_id"]: row["household_id"] for row in after.form(spark).member.collect()}
    assert {p: h for p, h in first.items() if p in second} == {p: h for p, h in second.items() if p in first}


def test_register_change_moves_the_target(spark: SparkSession) -> None:
    """Two private register households now, four in the census month: half of the census' households."""
    city = City().building("A1").registered("R1", "A1", "U1", "head M 30").registered("R2", "A1", "U2", "head F 30")
    city.bureau("P1", "A1", "U1", "M", 30).bureau("P9", "A1", None, "M", 70).margin("households", "all", 9)
    then = spark.createDataFrame([(AREA, 4), ("11110510009", 7)], "output_area_id string, register_households bigint")
    result = city.form(spark, census_register_counts=then)
    made = tables(result)
    [area] = made["output_area"]
    assert (area["register_households"], area["register_change"], area["target_households"]) == (2, 0.5, 4.5)
    assert [row["weight"] for row in made["household"]] == pytest.approx([1.5] * 3, abs=1e-9)


def test_persons_without_a_household_flag_stay_out(spark: SparkSession) -> None:
    city = City().building("A1").registered("R1", "A1", "U1", "head M 30").margin("households", "all", 1)
    city.bureau("P1", "A1", "U1", "M", 30).bureau("P2", "A1", "U1", "M", 30)
    city.persons[1]["has_household"] = False
    assert groups(city.form(spark)) == {frozenset({"P1"})}


def test_a_register_household_in_two_units_is_two_households(spark: SparkSession) -> None:
    city = City().building("A1").registered("R1", "A1", "U1", "head M 40").registered("R1", "A1", "U2", "spouse F 40")
    made = city.margin("households", "all", 2).bureau("P1", "A1", "U1", "M", 40).form(spark)
    households = {row["household_id"]: (row["unit_id"], row["household_size"]) for row in made.household.collect()}
    assert sorted(households.values()) == [("U1", 1), ("U2", 1)]
    assert sorted(row["household_id"] for row in made.register.collect()) == sorted(households)


def test_random_cities_lose_nobody(spark: SparkSession) -> None:
    """Against an independent count: everybody once, no more matches than each cell allows, units intact."""
    import random

    draw = random.Random(3)
    city = City()
    for address in range(12):
        has_units = address % 3 > 0
        city.building(f"A{address}", "apartment" if has_units else "multi_family")
        for unit in range(6):
            unit_id = f"U{address}x{unit}" if has_units else None
            members = [f"other {draw.choice('MF')} {draw.randrange(90)}" for _ in range(draw.randint(0, 4))]
            city.registered(f"R{address}x{unit}", f"A{address}", unit_id, *members)
            for person in range(draw.randint(0, 4)):
                known = unit_id if draw.random() < 0.8 else None
                band = draw.randrange(15, 85, 5)
                city.bureau(f"P{address}x{unit}x{person}", f"A{address}", known, draw.choice("MF"), band)
    result = city.form(spark)
    made = tables(result)
    members, households = made["member"], made["household"]
    assert sorted(row["person_id"] for row in members) == sorted(row["person_id"] for row in city.persons)
    assert {row["household_id"] for row in members} <= {row["household_id"] for row in households}
    assert len({row["household_id"] for row in households}) == len(households)
    assert sum(row["bureau_members"] for row in households) == len(members)
    assert sum(row["register_members"] for row in households) == len(city.register)
    dwellings = {(row["address_id"], row["unit_id"] or row["register_household_id"]) for row in city.register}
    assert sum(row["household_source"] == "register" for row in households) == len(dwellings)
    matched = sum(row["assignment_evidence"].startswith("register") for row in members)
    assert matched <= most_matches(city)
    assert sum(row["household_size"] for row in households) == len(city.register) + len(members) - matched


def most_matches(city: City) -> int:
    from collections import Counter

    def cell(address: str, unit: str | None, sex: str, band: int) -> tuple[str, str, str, int]:
        return address, unit or "", sex, band

    bureau = Counter(cell(r["home_address_id"], r["home_unit_id"], r["sex"], r["age_band"]) for r in city.persons)
    register = Counter(
        cell(r["address_id"], r["unit_id"], r["sex"], min(r["age"] // 5 * 5, 80)) for r in city.register if r["age"] >= 15
    )
    in_unit = bureau & register
    left_bureau, left_register = bureau - in_unit, register - in_unit
    unitless = Counter({(a, s, b): n for (a, u, s, b), n in left_bureau.items() if u == ""})
    at_address: Counter[tuple[str, str, int]] = Counter()
    for (address, _, sex, band), count in left_register.items():
        at_address[address, sex, band] += count
    return sum(in_unit.values()) + sum((unitless & at_address).values())


def test_accuracy_adds_up_what_households_say(spark: SparkSession) -> None:
    rows = [(2.0, 1.0, 0.5, 0.06), (0.0, 0.0, 0.0, 0.0), (1.0, 0.5, 0.25, 0.06)]
    found = accuracy(spark.createDataFrame(rows, ", ".join(f"{name} double" for name in DOUBT))).first()
    assert found is not None
    assert found.asDict() == pytest.approx(
        {"contested_persons": 3.0, "expected_pair_loss": 1.5, "least_pair_loss": 0.75, "probability_error": 0.2}
    )
