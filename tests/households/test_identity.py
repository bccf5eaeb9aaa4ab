"""Identity of households over months: each rule on a case written down by hand, and what must hold of any two months.

A month is written household by household: `x @home: P1 P2 R1*3` is household x at address home with bureau persons P1 and
P2 and three people of register household R1. All cases are one city, so that they cost one query.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession

from living_finance.contracts import gold, silver
from living_finance.households.identity import Identity, PreviousMonth, identify
from living_finance.households.matching import registered
from living_finance.months import Month

JANUARY, FEBRUARY = Month(2020, 1), Month(2020, 2)
SAME = {"unchanged", "members_changed", "moved"}
FORMED = "household_id string, address_id string, gu_code string, dong_code string, bureau_members int, register_members int"


@dataclass(frozen=True)
class Home:
    """One household of one month, by the people in it."""

    name: str
    address: str
    bureau: frozenset[str] = frozenset()
    register: dict[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, case: str) -> Home:
        """`case` keeps the names of one case apart from all others'."""
        head, _, people = text.partition(":")
        name, _, address = head.strip().partition(" @")
        counted = {f"{case}{who}": int(number or 1) for who, _, number in (p.partition("*") for p in people.split())}
        return cls(
            f"{case}{name}",
            f"A{case}{address}",
            frozenset(who for who in counted if who.removeprefix(case).startswith("P")),
            {who: n for who, n in counted.items() if who.removeprefix(case).startswith("R")},
        )

    @property
    def key(self) -> str:
        return f"register|{self.name}"


def parse(text: str, case: str = "") -> list[Home]:
    return [Home.parse(line, case) for line in text.split(";") if line.strip()]


def gu(home: Home) -> str:
    return "11110" if "far" not in home.address else "11140"


class Book:
    """Frames of one month, as the room and the warehouse hold them."""

    def __init__(self, spark: SparkSession, homes: list[Home], *, shuffled: random.Random | None = None, partitions: int = 1):
        def frame(rows: Iterable[tuple[Any, ...]], schema: str) -> DataFrame:
            listed = list(rows)
            if shuffled:
                shuffled.shuffle(listed)
            return spark.createDataFrame(listed, schema).repartition(partitions)

        self.matched = frame(
            [
                (h.key, [(p, gu(h)) for p in sorted(h.bureau)], [(r.split("|")[0], gu(h), n) for r, n in h.register.items()])
                for h in homes
            ],
            """household_key string, residents array<struct<person_id: string, gu_code: string>>,
            registered array<struct<register_household_id: string, gu_code: string, register_members: int>>""",
        )
        self.formed = frame(
            [(first_id(h.key), h.address, gu(h), f"{gu(h)}51", len(h.bureau), sum(h.register.values())) for h in homes], FORMED
        )

    def identify(self, month: Month, previous: PreviousMonth | None) -> Identity:
        return identify(matched=self.matched, formed=self.formed, month=month, previous=previous)


def first_id(key: str) -> str:
    import hashlib

    return "H" + hashlib.sha256(key.encode()).hexdigest()[:24]


def later_id(key: str, month: Month) -> str:
    return first_id(f"{month}|{first_id(key)}")


def previous(spark: SparkSession, homes: list[Home], ids: dict[str, str], month: Month = JANUARY) -> PreviousMonth:
    """A month before whose households have the given ids, as the warehouse holds it."""
    return PreviousMonth(
        month,
        households=spark.createDataFrame(
            [(ids[h.name], h.address, gu(h), f"{gu(h)}51", len(h.bureau), sum(h.register.values())) for h in homes], FORMED
        ),
        members=spark.createDataFrame(
            [(p, ids[h.name]) for h in homes for p in sorted(h.bureau)], "person_id string, household_id string"
        ),
        register=spark.createDataFrame(
            [(r.partition("|")[0], ids[h.name], n) for h in homes for r, n in h.register.items()],
            "register_household_id string, household_id string, register_members int",
        ),
    )


def lineage(result: Identity) -> list[Row]:
    """Made as a run makes it: the links are kept."""
    links = result.links and result.links.persist()
    rows = result.lineage.collect()
    if links:
        links.unpersist()
    return rows


@dataclass(frozen=True)
class Case:
    """Two months, and the events expected: `previous → household` with `-` for nobody."""

    name: str
    before: str
    after: str
    events: dict[str, str]


CASES = [
    Case("unchanged", "a @1: P1 P2 R1*3", "x @1: P1 P2 R1*3", {"a → x": "unchanged"}),
    Case("another key", "a @1: P1 R1*2; b @2: P2", "b @1: P1 R1*2; a @2: P2", {"a → b": "unchanged", "b → a": "unchanged"}),
    Case("birth", "a @1: P1 P2 R1*2", "x @1: P1 P2 R1*3", {"a → x": "members_changed"}),
    Case("member added", "a @1: P1 R1*2", "x @1: P1 P2 R1*2", {"a → x": "members_changed"}),
    Case("member died", "a @1: P1 P2 R1*2", "x @1: P1 R1*1", {"a → x": "members_changed"}),
    Case("left the bureau", "a @1: P1 R1*2", "x @1: R1*2", {"a → x": "members_changed"}),
    Case("register only", "a @1: R1*2", "x @1: R1*2", {"a → x": "unchanged"}),
    Case("moved", "a @1: P1 P2 R1*3", "x @far: P1 P2 R1*3", {"a → x": "moved"}),
    Case("moved before the register", "a @1: P1 P2 R1*3", "x @far: P1 P2; y @1: R1*3", {"a → x": "moved", "a → y": "split"}),
    Case("moved and grew", "a @1: P1 R1", "x @2: P1 P2 R1*2", {"a → x": "moved"}),
    Case("child leaves", "a @1: P1 P2 P3 R1*3", "x @1: P1 P2 R1*2; y @2: P3 R2", {"a → x": "members_changed", "a → y": "split"}),
    Case("larger part moves", "a @1: P1 P2 P3", "x @1: P1; y @2: P2 P3", {"a → y": "moved", "a → x": "split"}),
    Case("even, register decides", "a @1: P1 P2 R1*3", "x @2: P1; y @3: P2 R1*2", {"a → y": "moved", "a → x": "split"}),
    Case("even, address decides", "a @1: P1 P2", "x @2: P1; y @1: P2", {"a → y": "members_changed", "a → x": "split"}),
    Case("register split", "a @1: R1*5", "x @1: R1*2; y @1: R1*3", {"a → y": "members_changed", "a → x": "split"}),
    Case("two addresses, then one", "a @1: R1|1; b @2: R1|2", "x @2: R1", {"b → x": "unchanged", "a → x": "merged"}),
    Case("two addresses", "a @1: R1|1; b @2: R1|2", "x @1: R1|1; y @2: R1|2",
         {"a → x": "unchanged", "b → y": "unchanged"}),
    Case("child registered with parents", "a @1: P1 R1*3; b @2: P2 R1", "x @1: P1 R1*3; y @2: P2 R1",
         {"a → x": "unchanged", "b → y": "unchanged"}),
    Case("merge", "a @1: P1 P2 R1*2; b @2: P3 R2", "x @3: P1 P2 P3 R1*3", {"a → x": "moved", "b → x": "merged"}),
    Case("even merge, address decides", "a @1: P1; b @2: P2", "x @2: P1 P2", {"b → x": "members_changed", "a → x": "merged"}),
    Case("swap", "a @1: P1 P2; b @2: P3 P4", "x @1: P1 P4; y @2: P2 P3",
         {"a → x": "members_changed", "b → y": "members_changed", "a → y": "transferred", "b → x": "transferred"}),
    Case("moves in with others", "a @1: P1 P2 R1*2; b @2: P3 P4", "x @1: P1 R1; y @2: P2 P3 P4",
         {"a → x": "members_changed", "b → y": "members_changed", "a → y": "transferred"}),
    Case("fewer other links", "a @1: P1 P2 P3; b @2: P4", "x @1: P1 P2; y @3: P3 P4",
         {"a → x": "members_changed", "b → y": "moved", "a → y": "transferred"}),
    Case("not mutual", "a @1: P1 P2 P3 P4 P5; b @2: P6", "x @1: P1 P2 P3; y @2: P4 P5 P6",
         {"a → x": "members_changed", "a → y": "split", "b → y": "split"}),
    Case("dissolved", "a @1: P1 P2; b @2: P3 P4 R2; c @3: P5 P6 R3", "x @2: P1 P3 P4 R2; y @3: P2 P5 P6 R3",
         {"b → x": "members_changed", "c → y": "members_changed", "a → x": "merged", "a → y": "merged"}),
    Case("register renamed", "a @1: P1 R1*2", "x @1: P1 R2*2", {"a → x": "members_changed"}),
    Case("register renamed, not in the bureau", "a @1: R1*2", "x @1: R2*2", {"a → -": "ended", "- → x": "new"}),
    Case("two registers in one", "a @1: P1 R1*2 R2", "x @1: P1 R1*2 R2", {"a → x": "unchanged"}),
    Case("one of two registers leaves", "a @1: R1*2 R2", "x @1: R1*2; y @9: R2", {"a → x": "members_changed", "a → y": "split"}),
    Case("arrival", "", "x @1: P1 R1", {"- → x": "new"}),
    Case("departure", "a @1: P1 R1", "", {"a → -": "ended"}),
]  # fmt: skip
PREFIXES = {case.name: f"{number:02d}" for number, case in enumerate(CASES)}


def city(moment: str) -> list[Home]:
    return [home for case in CASES for home in parse(getattr(case, moment), PREFIXES[case.name])]


@pytest.fixture(scope="module")
def cases(spark: SparkSession) -> list[Row]:
    """Lineage of all cases; the months are not adjacent (a gap), and previous ids are the first month's."""
    before = city("before")
    ids = {home.name: first_id(home.key) for home in before}
    result = Book(spark, city("after")).identify(Month(2020, 4), previous(spark, before, ids))
    wanted = {column.name: column.spark_type for column in gold.HOUSEHOLD_LINEAGE.columns}
    assert {f.name: f.dataType for f in result.lineage.schema.fields} == wanted
    return lineage(result)


def events_of(rows: list[Row], case: Case) -> dict[str, str]:
    """Lineage of one case in the notation of the case; ids are told by what they must be."""
    prefix = PREFIXES[case.name]
    before, after = parse(case.before, prefix), parse(case.after, prefix)
    was = {first_id(home.key): home.name.removeprefix(prefix) for home in before}
    inherited = {row["household_id"] for row in rows if row["event"] in SAME and row["household_id"] in was}
    fresh = {later_id(home.key, Month(2020, 4)): home.name.removeprefix(prefix) for home in after}
    heirs = {e.split(" → ")[0]: e.split(" → ")[1] for e, event in case.events.items() if event in SAME}
    now = {**fresh, **{old: heirs.get(name, f"{name} by mistake") for old, name in was.items() if old in inherited}}
    ours = [row for row in rows if row["household_id"] in now or row["previous_household_id"] in was]
    return {f"{was.get(row['previous_household_id'], '-')} → {now.get(row['household_id'], '-')}": row["event"] for row in ours}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rules(cases: list[Row], case: Case) -> None:
    assert events_of(cases, case) == case.events


def of_case(rows: list[Row], name: str) -> list[Row]:
    case = next(case for case in CASES if case.name == name)
    prefix = PREFIXES[name]
    ids = {first_id(home.key) for home in parse(case.before, prefix)}
    ids |= {later_id(home.key, Month(2020, 4)) for home in parse(case.after, prefix)}
    return [row for row in rows if row["household_id"] in ids or row["previous_household_id"] in ids]


def test_a_row_says_what_was_shared_and_where(cases: list[Row]) -> None:
    [moved] = of_case(cases, "moved")
    assert moved["household_id"] == moved["previous_household_id"]
    assert tuple(moved[f"shared_{what}"] for what in ("bureau_persons", "register_households", "register_persons")) == (2, 1, 3)
    assert (moved["previous_gu_code"], moved["gu_code"]) == ("11110", "11140")
    assert (moved["previous_dong_code"], moved["dong_code"]) == ("1111051", "1114051")
    assert (moved["is_address_changed"], moved["has_members_changed"]) == (True, False)
    assert (moved["base_month"], moved["previous_month"]) == (Month(2020, 4).date, JANUARY.date)
    [grown] = of_case(cases, "moved and grew")
    assert (grown["is_address_changed"], grown["has_members_changed"]) == (True, True)
    [gone] = of_case(cases, "departure")
    assert (gone["household_id"], gone["gu_code"], gone["dong_code"]) == (gold.NO_HOUSEHOLD, "11110", None)
    assert gone["is_address_changed"] is None and gone["has_members_changed"] is None
    [come] = of_case(cases, "arrival")
    assert (come["previous_household_id"], come["previous_gu_code"], come["previous_dong_code"]) == (
        gold.NO_HOUSEHOLD,
        None,
        None,
    )


def test_the_first_month_has_the_ids_of_the_keys(spark: SparkSession) -> None:
    homes = parse("a @1: P1 R1*2; b @far: R2")
    result = Book(spark, homes).identify(JANUARY, None)
    assert result.links is None and result.ids is None
    rows = result.lineage.collect()
    assert result.lineage.columns == list(gold.HOUSEHOLD_LINEAGE.column_names)
    assert {(row["household_id"], row["event"], row["gu_code"], row["previous_month"]) for row in rows} == {
        (first_id(homes[0].key), "first", "11110", None),
        (first_id(homes[1].key), "first", "11140", None),
    }


def test_a_person_in_two_households_of_a_month_fails(spark: SparkSession) -> None:
    homes = parse("a @1: P1; b @2: P1")
    ids = {"a": "Ha", "b": "Hb"}
    for now, before in ((homes, homes[:1]), (homes[:1], homes)):
        result = Book(spark, now).identify(FEBRUARY, previous(spark, before, ids))
        # Spark wraps the failure where several tasks meet it at once.
        with pytest.raises((PySparkException, Py4JJavaError), match="a bureau person is in two households of one month"):
            result.lineage.collect()


# --- any two months: random cities against an independent implementation ---------------------------------------------


def random_month(draw: random.Random, homes: list[Home], number: int) -> list[Home]:
    """The homes a month later: people swap, leave, arrive; homes split, merge, move, vanish, appear; keys change."""
    bureau = {home.name: set(home.bureau) for home in homes}
    register = {home.name: dict(home.register) for home in homes}
    address = {home.name: home.address for home in homes}
    for name in sorted(bureau):
        for other in draw.sample(sorted(bureau), 2):
            if draw.random() < 0.15 and bureau[name]:
                person = draw.choice(sorted(bureau[name]))
                bureau[name].discard(person)
                bureau[other].add(person)
            if draw.random() < 0.06 and register[name]:
                household = draw.choice(sorted(register[name]))
                register[name][household] -= 1
                register[other][household] = register[other].get(household, 0) + 1
                if not register[name][household]:
                    del register[name][household]
        if draw.random() < 0.1:
            address[name] = f"A{draw.randrange(40)}"
        if draw.random() < 0.06:
            bureau[name].clear()
            if draw.random() < 0.5:
                register[name].clear()
        if draw.random() < 0.2:
            bureau[name].add(f"P{number}x{name}")
    names = list(bureau)
    keys = draw.sample(names, len(names)) if draw.random() < 0.5 else names
    found = [
        Home(key, address[name], frozenset(bureau[name]), register[name])
        for name, key in zip(names, keys, strict=True)
        if bureau[name] or register[name]
    ]
    return [*found, Home(f"n{number}", "A1", frozenset({f"P{number}"}))]


def oracle(now: list[Home], before: list[Home], ids: dict[str, str], month: Month) -> tuple[dict[str, str], set[tuple[Any, ...]]]:
    """Ids by name of home, and (household, previous, event), by the rules as written, pair by pair."""
    shares = {}
    for home in now:
        for old in before:
            bureau = len(home.bureau & old.bureau)
            households = home.register.keys() & old.register.keys()
            if bureau or households:
                persons = sum(min(home.register[r], old.register[r]) for r in households)
                shares[home.name, old.name] = (-bureau, -len(households), -persons)
    of_now = {home.name: home for home in now}
    of_before = {home.name: home for home in before}

    def rank(pair: tuple[str, str]) -> tuple[Any, ...]:
        home, old = pair
        others = sum(h == home for h, _ in shares) + sum(o == old for _, o in shares)
        differs = of_now[home].address != of_before[old].address
        return (*shares[pair], differs, others, ids[old], first_id(of_now[home].key))

    best_old = {h: min((p for p in shares if p[0] == h), key=rank) for h, _ in shares}
    best_new = {o: min((p for p in shares if p[1] == o), key=rank) for _, o in shares}
    heirs = {pair[0]: pair[1] for pair in set(best_old.values()) & set(best_new.values())}
    given = {h.name: ids[heirs[h.name]] if h.name in heirs else later_id(h.key, month) for h in now}
    rows: set[tuple[Any, ...]] = set()
    for home, old in shares:
        if heirs.get(home) == old:
            same = (of_now[home].bureau, of_now[home].register) == (of_before[old].bureau, of_before[old].register)
            is_moved = of_now[home].address != of_before[old].address
            event = "moved" if is_moved else "unchanged" if same else "members_changed"
        elif home in heirs:
            event = "transferred" if old in heirs.values() else "merged"
            if event == "transferred" and not shares[home, old][0]:
                continue
        else:
            event = "split"
        rows.add((given[home], ids[old], event))
    rows |= {(given[h.name], gold.NO_HOUSEHOLD, "new") for h in now if h.name not in best_old}
    rows |= {(gold.NO_HOUSEHOLD, ids[o.name], "ended") for o in before if o.name not in best_new}
    return given, rows


def test_three_months_agree_with_the_rules_as_written(spark: SparkSession) -> None:
    draw = random.Random(11)
    before = [
        Home(f"h{n}", f"A{n // 3}", frozenset(f"P{n}x{p}" for p in range(n % 4)), {f"R{n}": 1 + n % 3} if n % 5 else {})
        for n in range(120)
    ]
    before = [home for home in before if home.bureau or home.register]
    ids = {home.name: first_id(home.key) for home in before}
    ever = set(ids.values())
    for number, month in enumerate((FEBRUARY, Month(2020, 3)), start=1):
        now = random_month(draw, before, number)
        result = Book(spark, now).identify(month, previous(spark, before, ids, month.previous()))
        rows = lineage(result)
        given, wanted = oracle(now, before, ids, month)
        assert {(row["household_id"], row["previous_household_id"], row["event"]) for row in rows} == wanted
        assert len(rows) == len({(row["household_id"], row["previous_household_id"]) for row in rows}) == len(wanted), (
            "the key holds"
        )
        assert sorted(row["household_id"] for row in rows if row["is_main_previous"]) == sorted(given.values())
        assert sorted(row["previous_household_id"] for row in rows if row["is_main_successor"]) == sorted(ids.values())
        assert len(set(given.values())) == len(now)
        fresh = set(given.values()) - set(ids.values())
        assert fresh and not fresh & ever, "a new id is not one that ever was"
        assert {row["event"] for row in rows} >= {"unchanged", "moved", "split", "merged", "transferred", "new", "ended"}
        turned = Book(spark, now, shuffled=random.Random(5), partitions=7).identify(
            month, previous(spark, before[::-1], ids, month.previous())
        )
        assert sorted(map(repr, lineage(turned))) == sorted(map(repr, rows))
        before, ids, ever = now, given, ever | set(given.values())
    # Ids reach the tables: each row of the register's links gets the id of its household.
    linked = Book(spark, before).matched.transform(registered).transform(result.give_ids)
    assert {(r["register_household_id"], r["household_id"], r["register_members"]) for r in linked.collect()} == {
        (r, ids[home.name], n) for home in before for r, n in home.register.items()
    }
    assert set(linked.columns) < set(silver.HOUSEHOLD_REGISTER.column_names)
