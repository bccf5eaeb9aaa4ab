"""The first month of a district: everybody at home, then the ways in which the register and the bureau are wrong."""

from __future__ import annotations

import numpy as np

from living_finance.synthetic import money, work
from living_finance.synthetic.draws import chosen, generator
from living_finance.synthetic.dwellings import Homes, build
from living_finance.synthetic.people import HEAD, housed, quarters_members
from living_finance.synthetic.plan import NON_RESIDENTIAL, DistrictPlan, Workplaces
from living_finance.synthetic.rows import Array, Rows, numbered_within
from living_finance.synthetic.state import (
    DECEASED,
    NEVER,
    District,
    another_unit,
    commute,
    depart,
    register_with_parents,
    settle,
)

_RESTLESS = np.array([0.9, 1.1, 0.7, 0.8, 0.9, 1.5, 1.0, 0.0])
"""How often tenants of a dwelling type have moved lately, relative to all tenants of their age (assumed)."""


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
    home = housed(
        random, size=size, size_dong=size_dong, unit_kind=homes.units["kind"][unit], unit_dong=homes.units["dong"][unit]
    )
    settle(district, generator(seed, "settle", plan.code), size=size, unit=unit[home], month_index=month_index)
    district.private_households = len(size)
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


def _leave_old_addresses(district: District, *, month_index: int) -> None:
    """Households that moved before the first month: each member may still be at the old address in the bureau."""
    random = generator(district.seed, "old addresses", district.plan.code)
    persons, households = district.persons, district.households
    figures = district.figures(month_index)
    rents = households["tenure"] != money.OWNED
    by_dwelling = _RESTLESS[district.homes.units["kind"][np.maximum(households["unit"], 0)]]
    by_age = np.interp(figures.head_age, [20, 35, 50, 70], [0.27, 0.19, 0.11, 0.07])
    moved_share = np.where(rents, by_age * by_dwelling, 0.035)
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
    dead = persons[(age >= 40) & (random.random(len(persons)) < 0.15)]
    district.persons["status"][dead] = DECEASED


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
    absent_head = at_home & ~alone & (persons["role"] == HEAD) & (random.random(persons.size) < 0.008)
    persons["register"][absent_head] = -1


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
        commute(
            district,
            generator(district.seed, "commuters", district.plan.code),
            count=district.plan.commuters,
            month_index=month_index,
        )
