"""The state of a district: who lives, is registered and is known to the bureau where; and how people come into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from living_finance.synthetic import money, work
from living_finance.synthetic.dwellings import Homes
from living_finance.synthetic.people import CHILD, HEAD, PARENT, SIBLING, SPOUSE, UNRELATED, compose
from living_finance.synthetic.plan import NON_RESIDENTIAL, DistrictPlan, Workplaces
from living_finance.synthetic.rows import Array, Rows

LIVES, DEPARTED, DECEASED, COMMUTES = range(4)
"""Status of a person: lives here; left, but the bureau does not know yet; died lately; only works here."""
NEVER = 2**30
RELATIONS = ("head", "spouse", "child", "parent", "other")
REGISTER_STATES = ("resident", "unknown_residence", "overseas")

# Who is registered apart from those they live with, by role, and from which age (assumed; a few per cent of units hold
# two register households).
_APART = {SPOUSE: (0.012, 19), CHILD: (0.05, 25), PARENT: (0.05, 19), SIBLING: (0.12, 19), UNRELATED: (0.50, 15)}
_RELATION_OF_ROLE = np.array([0, 1, 2, 3, 4, 4], np.int8)


@dataclass
class District:
    """Everything about one gu; tables grow and shrink month by month."""

    plan: DistrictPlan
    homes: Homes
    places: Workplaces
    seed: int
    first_dong: int
    income_effect: Array
    """By dong of the district."""
    persons: Rows
    """One row per person: kept while they live here, work here, or the bureau still has them here."""
    households: Rows
    """One row per household ever seen; `unit` is -1 once it is dissolved or gone."""
    registers: Rows
    """One row per register household ever seen: `unit`, the `household` it moves with (or -1), `due` month of its next change."""
    absent: Rows
    """Registered people who live elsewhere: unknown residence, overseas, away."""
    next_person: int = 0
    private_households: int = 0
    """How many there should be: arrivals make up for those who leave."""

    def dong_of_household(self) -> Array:
        """Position within the district; 0 for households that are gone."""
        units = self.homes.units
        return units["dong"][np.maximum(self.households["unit"], 0)] - self.first_dong

    def effect_of_person(self) -> Array:
        """Income effect of the dong where a person lives; 0 for others."""
        home = self.persons["household"]
        of_household = self.income_effect[self.dong_of_household()]
        return np.where(home >= 0, of_household[np.maximum(home, 0)], 0.0)

    def figures(self, month_index: int) -> money.Month:
        """True money of the month."""
        effect = self.income_effect[self.dong_of_household()]
        return money.figures(self.persons, self.households, income_effect=effect, month_index=month_index)

    def vacant_units(self) -> Array:
        """Units in which nobody lives; homes of group quarters excepted."""
        is_taken = np.zeros(self.homes.units.size, bool)
        units = self.households["unit"]
        is_taken[units[units >= 0]] = True
        return np.flatnonzero(~is_taken & (self.homes.units["kind"] != NON_RESIDENTIAL))


def settle(
    district: District, random: np.random.Generator, *, size: Array, unit: Array, month_index: int, members: Rows | None = None
) -> tuple[Array, Array]:
    """New households move in, registered and known to the bureau where they live.

    Args:
        district: changed in place.
        random: generator of this call alone.
        size: members by household.
        unit: home by household.
        month_index: the month.
        members: people already composed (group quarters), or None.

    Returns:
        Positions of the new persons and of the new households.
    """
    homes, plan = district.homes, district.plan
    first_household, first_person, first_register = district.households.size, district.persons.size, district.registers.size
    count = len(size)
    dong = homes.units["dong"][unit] - district.first_dong
    kind = homes.units["kind"][unit]
    is_quarters = members is not None
    if members is None:
        members = compose(
            random,
            size=size,
            dwelling=kind,
            age_shift=np.array([d.age_shift for d in plan.dongs])[dong],
            male_share=np.array([d.male_share for d in plan.dongs])[dong],
            month_index=month_index,
        )
    local = members["household"]
    age = work.years_old(members["birth"], month_index)
    effect = district.income_effect[dong]
    people = Rows({**members, **work.characters(random, members, income_effect=effect[local], month_index=month_index)})
    people["employment"] = work.employment(people, age)
    labour, business = work.earnings(people, age)
    earned = np.bincount(local, weights=labour + business, minlength=count)
    people["work_dong"], people["work_building"] = work.find_work(
        random,
        employment=people["employment"],
        home_dong=homes.units["dong"][unit][local],
        log_pay=np.log(np.maximum(labour + business, 4e6)),
        places=district.places,
    )
    head_age = np.zeros(count, np.int64)
    is_head = people["role"] == HEAD
    head_age[local[is_head]] = age[is_head]
    tenure = money.tenures(random, head_age=head_age, size=size, dwelling=kind, earned=earned, income_effect=effect)
    if is_quarters:
        tenure[:] = money.FREE
    known = money.is_covered(people, age=age, income_effect=effect[local])
    relative = np.log(np.maximum(earned, 8e6) / 4.5e7)[local]
    money.borrow(random, people, known=known, tenure=np.where(is_quarters, -1, tenure[local]), relative_income=relative, age=age)
    is_overdue = known & (people["credit_loan"] + people["business_loan"] > 0) & (random.random(people.size) < 0.022)
    people["overdue"] = np.where(is_overdue, np.round((people["credit_loan"] + people["business_loan"]) * 0.4, -3), 0.0)

    households = Rows(
        unit=unit.astype(np.int32),
        tenure=tenure,
        is_quarters=np.full(count, is_quarters),
        key=(first_household + np.arange(count)).astype(np.int64),
        **money.endowments(random, count),
    )
    is_apart = _is_apart(random, role=people["role"], age=age, is_quarters=is_quarters)
    apart = np.flatnonzero(is_apart)
    register = first_register + local.copy()
    register[apart] = first_register + count + np.arange(len(apart))
    registers = Rows(
        household=(first_household + np.concatenate([np.arange(count), local[apart]])).astype(np.int32),
        unit=np.concatenate([unit, unit[local[apart]]]).astype(np.int32),
        due=np.full(count + len(apart), NEVER, np.int32),
    )
    people["register"] = register.astype(np.int32)
    people["relation"] = np.where(is_apart, 0, _RELATION_OF_ROLE[people["role"]]).astype(np.int8)
    people["household"] = (first_household + local).astype(np.int32)
    people["key"] = district.next_person + np.arange(people.size, dtype=np.int64)
    people["status"] = np.full(people.size, LIVES, np.int8)
    people["until"] = np.full(people.size, NEVER, np.int32)
    people["bureau_unit"] = unit[local].astype(np.int32)
    people["bureau_due"] = np.full(people.size, NEVER, np.int32)
    district.next_person += people.size
    if district.persons:
        district.persons.append(people)
        district.households.append(households)
        district.registers.append(registers)
    else:
        district.persons, district.households, district.registers = people, households, registers
    return first_person + np.arange(people.size), first_household + np.arange(count)


def _is_apart(random: np.random.Generator, *, role: Array, age: Array, is_quarters: bool) -> Array:
    u = random.random(len(role))
    if is_quarters:
        return np.asarray(role != HEAD)
    apart: Array = np.zeros(len(role), bool)
    for of_role, (share, from_age) in _APART.items():
        apart |= (role == of_role) & (age >= from_age) & (u < share)
    return apart


def another_unit(district: District, random: np.random.Generator, unit: Array) -> Array:
    """A home other people live in: three of five times in the same dong, else anywhere in the district."""
    units = district.homes.units
    is_home = np.flatnonzero(units["kind"] != NON_RESIDENTIAL)
    dongs = units["dong"][is_home]
    start, end = np.searchsorted(dongs, units["dong"][unit]), np.searchsorted(dongs, units["dong"][unit], side="right")
    is_near = random.random(len(unit)) < 0.6
    u = random.random(len(unit))
    near = start + np.floor(u * np.maximum(end - start, 1)).astype(np.int64)
    anywhere = np.floor(u * len(is_home)).astype(np.int64)
    return is_home[np.minimum(np.where(is_near, near, anywhere), len(is_home) - 1)].astype(np.int32)


def bureau_lag(random: np.random.Generator, count: int) -> Array:
    """Months until the bureau learns of a move: one in four at once, the others after nine on average."""
    return np.where(random.random(count) < 0.25, 0, random.geometric(1 / 9, count)).astype(np.int32)


def depart(district: District, random: np.random.Generator, *, persons: Array, month_index: int, is_known: bool = True) -> None:
    """People leave the district for good; the bureau may keep them at their old address for some months."""
    lag = bureau_lag(random, len(persons)) // 2
    if not is_known:
        lag = random.geometric(1 / 5, len(persons)).astype(np.int32)
    district.persons["household"][persons] = -1
    district.persons["status"][persons] = DEPARTED
    district.persons["register"][persons] = -1
    district.persons["until"][persons] = month_index + lag


def register_with_parents(district: District, random: np.random.Generator, *, children: Array, age: Array) -> None:
    """Register people as children of households whose head could be their parent."""
    persons = district.persons
    could = (persons["role"] == HEAD) & (age >= 42) & (age <= 72) & (persons["household"] >= 0) & (persons["register"] >= 0)
    heads = np.flatnonzero(could & (persons["relation"] == 0))
    if len(heads) == 0 or len(children) == 0:
        return
    heads = heads[np.lexsort((random.random(len(heads)), age[heads]))]
    wanted = age[children] + random.normal(30, 3.5, len(children))
    place = np.searchsorted(age[heads], wanted) + random.integers(-40, 41, len(children))
    parents = heads[np.clip(place, 0, len(heads) - 1)]
    persons["register"][children] = persons["register"][parents]
    persons["relation"][children] = 2


def commute(district: District, random: np.random.Generator, *, count: int, month_index: int) -> None:
    """Add commuters from outside, by work dong in proportion to its jobs."""
    persons = district.persons
    years = np.clip(random.normal(41, 11, count), 20, 72)
    people = Rows(
        household=np.arange(count, dtype=np.int64),
        sex=(random.random(count) < 0.42).astype(np.int8),
        birth=(month_index - np.floor(years * 12)).astype(np.int32),
        role=np.full(count, UNRELATED, np.int8),
    )
    age = work.years_old(people["birth"], month_index)
    people = Rows({**people, **work.characters(random, people, income_effect=np.full(count, 0.05), month_index=month_index)})
    people["u_work"] = (people["u_work"] * 0.3).astype(np.float32)
    people["u_covered"] = np.zeros(count, np.float32)
    people["employment"] = np.where(work.employment(people, age) == work.SELF_EMPLOYED, 2, 1).astype(np.int8)
    dongs = district.first_dong + np.arange(len(district.plan.dongs))
    pull = district.places.attraction[dongs]
    people["work_dong"] = random.choice(dongs, count, p=pull / pull.sum()).astype(np.int32)
    people["work_building"] = np.floor(district.places.work_buildings[people["work_dong"]] * random.random(count) ** 1.3).astype(
        np.int32
    )
    for name in ("household", "register", "bureau_unit"):
        people[name] = np.full(count, -1, np.int32)
    relative = np.zeros(count)
    money.borrow(random, people, known=np.ones(count, bool), tenure=np.full(count, -1), relative_income=relative, age=age)
    people["overdue"] = np.zeros(count)
    people["relation"] = np.zeros(count, np.int8)
    people["key"] = district.next_person + np.arange(count, dtype=np.int64)
    people["status"] = np.full(count, COMMUTES, np.int8)
    people["until"] = np.full(count, NEVER, np.int32)
    people["bureau_due"] = np.full(count, NEVER, np.int32)
    district.next_person += count
    persons.append(people)
