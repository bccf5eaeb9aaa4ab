"""The state of a district: who lives, is registered and is known to the bureau where; and how people come into it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from living_finance.synthetic import money, work
from living_finance.synthetic.draws import chosen, generator
from living_finance.synthetic.dwellings import Homes, build
from living_finance.synthetic.people import CHILD, HEAD, PARENT, SIBLING, SPOUSE, UNRELATED, compose, housed, quarters_members
from living_finance.synthetic.plan import NON_RESIDENTIAL, DistrictPlan, Workplaces
from living_finance.synthetic.rows import Array, Rows, numbered_within

LIVES, DEPARTED, DECEASED, COMMUTES = range(4)
"""Status of a person: lives here; left, but the bureau does not know yet; died lately; only works here."""
NEVER = 2**30
RELATIONS = ("head", "spouse", "child", "parent", "other")
REGISTER_STATES = ("resident", "unknown_residence", "overseas")

# Who is registered apart from those they live with, by role, and from which age (assumed; a few per cent of units hold
# two register households).
_APART = {SPOUSE: (0.012, 19), CHILD: (0.06, 25), PARENT: (0.07, 19), SIBLING: (0.12, 19), UNRELATED: (0.60, 15)}
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
    tally: dict[str, int] = field(default_factory=dict)

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
        return role != HEAD
    apart = np.zeros(len(role), bool)
    for of_role, (share, from_age) in _APART.items():
        apart |= (role == of_role) & (age >= from_age) & (u < share)
    return apart


def found(plan: DistrictPlan, *, places: Workplaces, first_dong: int, month_index: int, seed: int) -> District:
    """The district in its first month: everybody at home, then the ways in which the registers are wrong.

    Args:
        plan: of the district.
        places: workplaces of the whole plan.
        first_dong: position of the district's first dong in the city plan.
        month_index: the first month.
        seed: of the city.
    """
    homes = build(plan, first_dong=first_dong, seed=seed)
    district = District(
        plan=plan,
        homes=homes,
        places=places,
        seed=seed,
        first_dong=first_dong,
        income_effect=np.array([dong.income_effect for dong in plan.dongs]),
        persons=Rows(),
        households=Rows(),
        registers=Rows(),
        absent=Rows(),
    )
    random = generator(seed, "found", plan.code)
    unit = _occupied_units(random, plan, homes, first_dong)
    size, size_dong = _sizes(random, plan)
    home = housed(random, size=size, size_dong=size_dong, unit_kind=homes.units["kind"][unit], unit_dong=homes.units["dong"][unit])
    settle(district, generator(seed, "settle", plan.code), size=size, unit=unit[home], month_index=month_index)
    _settle_quarters(district, month_index=month_index)
    _leave_old_addresses(district, month_index=month_index)
    _leave_former_residents(district, month_index=month_index)
    _register_elsewhere(district, month_index=month_index)
    _add_absent(district, month_index=month_index)
    _add_commuters(district, month_index=month_index)
    return district


def _occupied_units(random: np.random.Generator, plan: DistrictPlan, homes: Homes, first_dong: int) -> Array:
    """As many units of each dong and dwelling type as households live in it; the rest is vacant."""
    units = homes.units
    group = (units["dong"] - first_dong) * 8 + units["kind"]
    order = np.lexsort((random.random(units.size), group))
    place = numbered_within(group[order])
    wanted = np.array([count for dong in plan.dongs for count in dong.dwellings])
    return np.sort(order[place < wanted[group[order]]])


def _sizes(random: np.random.Generator, plan: DistrictPlan) -> tuple[Array, Array]:
    counts = np.array([dong.sizes for dong in plan.dongs])
    size = np.concatenate([np.repeat(np.arange(1, 8), row) for row in counts])
    dong = np.repeat(np.arange(len(plan.dongs)), counts.sum(axis=1))
    more = random.random(len(size))
    return np.where(size == 7, np.select([more < 0.80, more < 0.95], [7, 8], 9), size), dong


def _settle_quarters(district: District, *, month_index: int) -> None:
    random = generator(district.seed, "quarters", district.plan.code)
    units = district.homes.units
    for position, dong in enumerate(district.plan.dongs):
        of_dong = np.flatnonzero((units["kind"] == NON_RESIDENTIAL) & (units["dong"] == district.first_dong + position))
        if len(of_dong) == 0 or dong.quarters_persons == 0:
            continue
        members = quarters_members(random, persons=dong.quarters_persons, homes=len(of_dong), month_index=month_index)
        size = np.bincount(members["household"], minlength=len(of_dong))
        persons, _ = settle(district, random, size=size, unit=of_dong, month_index=month_index, members=members)
        is_elsewhere = random.random(len(persons)) < 0.4
        district.persons["register"][persons[is_elsewhere]] = -1


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


def _leave_old_addresses(district: District, *, month_index: int) -> None:
    """Households that moved before the first month: each member may still be at the old address in the bureau."""
    random = generator(district.seed, "old addresses", district.plan.code)
    persons, households = district.persons, district.households
    figures = district.figures(month_index)
    rents = households["tenure"] != money.OWNED
    moved_share = np.where(rents, np.interp(figures.head_age, [20, 35, 50, 70], [0.20, 0.15, 0.09, 0.06]), 0.045)
    has_moved = (random.random(households.size) < moved_share) & ~households["is_quarters"]
    old = another_unit(district, random, np.maximum(households["unit"], 0))
    home = persons["household"]
    is_old = has_moved[home] & (random.random(persons.size) < 0.72)
    persons["bureau_unit"] = np.where(is_old, old[home], persons["bureau_unit"]).astype(np.int32)
    due = month_index + random.geometric(1 / 9, persons.size)
    persons["bureau_due"] = np.where(is_old, due, NEVER).astype(np.int32)


def _leave_former_residents(district: District, *, month_index: int) -> None:
    """People who left or died before the first month and whom the bureau still has here."""
    random = generator(district.seed, "former", district.plan.code)
    units = district.homes.units
    candidates = np.flatnonzero(units["kind"] != NON_RESIDENTIAL)
    count = max(1, round(0.005 * district.households.size))
    unit = np.sort(random.choice(candidates, count, replace=False))
    size = chosen(random, np.broadcast_to(np.array([0.5, 0.25, 0.15, 0.1]), (count, 4))).astype(np.int64) + 1
    persons, households = settle(district, random, size=size, unit=unit, month_index=month_index)
    depart(district, random, persons=persons, month_index=month_index, is_known=False)
    district.households["unit"][households] = -1
    age = work.years_old(district.persons["birth"][persons], month_index)
    dead = persons[(age >= 40) & (random.random(len(persons)) < 0.05)]
    district.persons["status"][dead] = DECEASED


def depart(district: District, random: np.random.Generator, *, persons: Array, month_index: int, is_known: bool = True) -> None:
    """People leave the district for good; the bureau may keep them at their old address for some months."""
    lag = bureau_lag(random, len(persons)) // 2
    if not is_known:
        lag = random.geometric(1 / 5, len(persons)).astype(np.int32)
    district.persons["household"][persons] = -1
    district.persons["status"][persons] = DEPARTED
    district.persons["register"][persons] = -1
    district.persons["until"][persons] = month_index + lag


def _register_elsewhere(district: District, *, month_index: int) -> None:
    """Young people who live alone but stay registered with their parents; heads registered away; the unregistered."""
    random = generator(district.seed, "register", district.plan.code)
    persons = district.persons
    age = work.years_old(persons["birth"], month_index)
    at_home = persons["household"] >= 0
    size = np.bincount(persons["household"][at_home], minlength=district.households.size)
    alone = at_home & (size[np.maximum(persons["household"], 0)] == 1)
    u = random.random(persons.size)
    with_parents = np.flatnonzero(alone & (u < np.interp(age, [18, 22, 29, 33, 37], [0.18, 0.16, 0.10, 0.04, 0.0])))
    away = np.flatnonzero(alone & (u > 1 - np.interp(age, [18, 22, 29, 35, 60], [0.13, 0.10, 0.05, 0.02, 0.01])))
    register_with_parents(district, random, children=with_parents, age=age)
    persons["register"][away] = -1
    absent_head = at_home & ~alone & (persons["role"] == HEAD) & (random.random(persons.size) < 0.004)
    persons["register"][absent_head] = -1


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


def _add_absent(district: District, *, month_index: int) -> None:
    random = generator(district.seed, "absent", district.plan.code)
    persons = district.persons
    age = work.years_old(persons["birth"], month_index)
    registered = np.flatnonzero((persons["household"] >= 0) & (persons["register"] >= 0) & (persons["relation"] == 0))
    parents = registered[(age[registered] >= 44) & (age[registered] < 66)]
    total = len(registered) * 2.2
    counts = [round(0.0058 * total), round(0.0015 * total), round(0.006 * total)]
    status = np.repeat(np.array([1, 2, 0], np.int8), counts)
    count = len(status)
    is_child = (status != 1) & (len(parents) > 0)
    host = np.where(is_child, random.choice(parents, count) if len(parents) else 0, random.choice(registered, count))
    register = persons["register"][host].astype(np.int64)
    is_own = (status == 1) & (random.random(count) < 0.5)
    own = np.flatnonzero(is_own)
    units = district.homes.units
    candidates = np.flatnonzero(units["kind"] != NON_RESIDENTIAL)
    register[own] = district.registers.size + np.arange(len(own))
    district.registers.append(
        Rows(
            household=np.full(len(own), -1, np.int32),
            unit=random.choice(candidates, len(own)).astype(np.int32),
            due=np.full(len(own), NEVER, np.int32),
        )
    )
    years = np.where(is_child, random.integers(19, 33, count), np.clip(random.normal(48, 15, count), 19, 90)).astype(np.int64)
    district.absent = Rows(
        register=register.astype(np.int32),
        sex=random.integers(0, 2, count).astype(np.int8),
        birth=(month_index - years * 12 - random.integers(0, 12, count)).astype(np.int32),
        relation=np.select([is_own, is_child], [0, 2], 4).astype(np.int8),
        status=status,
    )


def _add_commuters(district: District, *, month_index: int) -> None:
    """People who live outside and work here."""
    if district.plan.commuters:
        commute(district, generator(district.seed, "commuters", district.plan.code), count=district.plan.commuters, month_index=month_index)


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
    people["work_building"] = np.floor(
        district.places.work_buildings[people["work_dong"]] * random.random(count) ** 1.3
    ).astype(np.int32)
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
