"""One month later: births, deaths, moves, jobs, loans and drift, at realistic monthly rates."""

from __future__ import annotations

import numpy as np

from living_finance.synthetic import money, work
from living_finance.synthetic.draws import generator
from living_finance.synthetic.people import CHILD, FEMALE, HEAD, PARENT, SIBLING, SPOUSE
from living_finance.synthetic.rows import Array, Rows
from living_finance.synthetic.state import (
    COMMUTES,
    DECEASED,
    LIVES,
    NEVER,
    District,
    another_unit,
    bureau_lag,
    commute,
    depart,
    register_with_parents,
    settle,
)

# Monthly rates, assumed in the size of Seoul's yearly ones: 13 % of residents move within the city, 5 % leave it, 0.5 %
# are born and 0.5 % die, one worker in thirty changes the workplace in a year's tenth.
_MOVES = 0.0085
_LEAVES = 0.0035
_GROWTH = 0.0004
_CHILD_LEAVES = 0.004
_BIRTHS = 0.0062  # of couples whose woman is 25 to 42
_NEW_JOB = 0.0035
_NEW_STATUS = 0.004
_SAME_REGISTER = 0.3  # of grown children who move out: stay registered with the parents
_PAY_GROWTH = 0.0018


def advance(district: District, *, month_index: int) -> None:
    """Move the state one month on; `district` is changed in place."""

    def random(purpose: str) -> np.random.Generator:
        return generator(district.seed, purpose, district.plan.code, month_index)

    _catch_up(district, month_index=month_index)
    _die(district, random("deaths"), month_index=month_index)
    _leave(district, random("leave"), month_index=month_index)
    _name_heads(district, month_index=month_index)
    _bear(district, random("births"), month_index=month_index)
    _leave_home(district, random("leave home"), month_index=month_index)
    _move(district, random("moves"), month_index=month_index)
    _arrive(district, random("arrivals"), month_index=month_index)
    _work_on(district, random("work"), month_index=month_index)
    _pay_and_borrow(district, random("loans"))
    district.persons.keep((district.persons["status"] == LIVES) | (district.persons["until"] > month_index))


def _catch_up(district: District, *, month_index: int) -> None:
    """Registers and the bureau learn of moves whose time has come."""
    persons, registers, households = district.persons, district.registers, district.households
    is_due = registers["due"] <= month_index
    home = registers["household"]
    unit = households["unit"][np.maximum(home, 0)]
    moves = is_due & (home >= 0) & (unit >= 0)
    registers["unit"] = np.where(moves, unit, registers["unit"])
    registers["due"] = np.where(is_due, NEVER, registers["due"]).astype(np.int32)
    knows = (persons["bureau_due"] <= month_index) & (persons["household"] >= 0)
    persons["bureau_unit"] = np.where(knows, households["unit"][persons["household"]], persons["bureau_unit"])
    persons["bureau_due"] = np.where(knows, NEVER, persons["bureau_due"]).astype(np.int32)


def _die(district: District, random: np.random.Generator, *, month_index: int) -> None:
    persons = district.persons
    age = work.years_old(persons["birth"], month_index)
    yearly = np.minimum(0.0008 * np.exp(0.098 * (age - 40)), 0.6) * np.where(persons["sex"] == FEMALE, 0.6, 1.0)
    dies = (persons["household"] >= 0) & (random.random(persons.size) < yearly / 12)
    dead = np.flatnonzero(dies)
    persons["household"][dead] = -1
    persons["status"][dead] = DECEASED
    persons["register"][dead] = -1
    persons["until"][dead] = month_index + 1 + (random.random(len(dead)) < 0.3)


def _leave(district: District, random: np.random.Generator, *, month_index: int) -> None:
    """Whole households leave the district's city; grown children leave it alone; homes without adults dissolve."""
    persons, households = district.persons, district.households
    rents = households["tenure"] != money.OWNED
    leaves = (random.random(households.size) < np.where(rents, 1.3, 0.6) * _LEAVES) & ~households["is_quarters"]
    home = persons["household"]
    at = np.maximum(home, 0)
    adults = np.bincount(
        at, weights=(home >= 0) & (work.years_old(persons["birth"], month_index) >= 19), minlength=households.size
    )
    has_members = np.bincount(at, weights=home >= 0, minlength=households.size) > 0
    # People of group quarters and teenagers who live alone keep their household without an adult.
    is_orphaned = has_members & (adults == 0) & (random.random(households.size) < 0.5) & ~households["is_quarters"]
    goes = (households["unit"] >= 0) & (leaves | is_orphaned | ~has_members)
    who = np.flatnonzero((home >= 0) & goes[at])
    depart(district, random, persons=who, month_index=month_index)
    households["unit"][goes] = -1
    keeps = ~goes[np.maximum(district.registers["household"], 0)] | (district.registers["household"] < 0)
    district.absent.keep(keeps[district.absent["register"]])
    stranded = (persons["register"] >= 0) & ~keeps[np.maximum(persons["register"], 0)]
    persons["register"] = np.where(stranded, -1, persons["register"]).astype(np.int32)


def _name_heads(district: District, *, month_index: int) -> None:
    """Households and register households whose head is gone get another: the spouse, else the oldest."""
    persons = district.persons
    at_home = np.flatnonzero(persons["household"] >= 0)
    home, role = persons["household"][at_home], persons["role"][at_home]
    has_head = np.zeros(district.households.size, bool)
    has_head[home[role == HEAD]] = True
    needs = ~has_head[home]
    rows, homes, roles = at_home[needs], home[needs], role[needs]
    if len(rows) == 0:
        return
    order = np.lexsort((persons["key"][rows], persons["birth"][rows], roles != SPOUSE, homes))
    is_first = np.ones(len(rows), bool)
    is_first[1:] = homes[order][1:] != homes[order][:-1]
    heads = rows[order[is_first]]
    was = np.full(district.households.size, -1, np.int8)
    was[persons["household"][heads]] = persons["role"][heads]
    former = was[homes]
    roles = np.where((former == CHILD) & (roles == CHILD), SIBLING, roles)
    roles = np.where((former == PARENT) & (roles == PARENT), SPOUSE, roles)
    persons["role"][rows] = roles
    persons["role"][heads] = HEAD
    in_home_register = persons["register"][heads] >= 0
    persons["relation"][heads[in_home_register]] = 0


def _bear(district: District, random: np.random.Generator, *, month_index: int) -> None:
    persons = district.persons
    age = work.years_old(persons["birth"], month_index)
    home = persons["household"]
    is_couple = np.zeros(district.households.size, bool)
    is_couple[home[(persons["role"] == SPOUSE) & (home >= 0)]] = True
    may = (home >= 0) & (persons["sex"] == FEMALE) & np.isin(persons["role"], (HEAD, SPOUSE)) & is_couple[np.maximum(home, 0)]
    mothers = np.flatnonzero(may & (age >= 25) & (age <= 42) & (random.random(persons.size) < _BIRTHS))
    if len(mothers) == 0:
        return
    born = Rows(
        household=np.arange(len(mothers)),
        sex=(random.random(len(mothers)) < 0.487).astype(np.int8),
        birth=np.full(len(mothers), month_index, np.int32),
        role=np.full(len(mothers), CHILD, np.int8),
    )
    effect = district.effect_of_person()[mothers]
    born = Rows({**born, **work.characters(random, born, income_effect=effect, month_index=month_index)})
    parents = persons.take(mothers)
    for name in persons:
        if name not in born:
            born[name] = np.zeros(len(mothers), persons[name].dtype)
    for name in ("household", "register", "bureau_unit", "until"):
        born[name] = parents[name]
    born["relation"][:] = 2
    born["work_dong"][:] = work.WORKS_NOWHERE
    born["bureau_due"] = np.full(len(mothers), NEVER, np.int32)
    born["key"] = district.next_person + np.arange(len(mothers), dtype=np.int64)
    district.next_person += len(mothers)
    persons.append(born)


def _leave_home(district: District, random: np.random.Generator, *, month_index: int) -> None:
    """Grown children move out: into a vacant home of the district, alone."""
    persons = district.persons
    age = work.years_old(persons["birth"], month_index)
    may = (persons["household"] >= 0) & (persons["role"] == CHILD) & (age >= 22) & (age <= 39)
    goes = np.flatnonzero(may & (random.random(persons.size) < _CHILD_LEAVES))
    vacant = district.vacant_units()
    vacant = vacant[np.argsort(random.random(len(vacant)), kind="stable")]
    goes, unit = goes[: len(vacant)], vacant[: len(goes)]
    if len(goes) == 0:
        return
    first_household, first_register = district.households.size, district.registers.size
    count = len(goes)
    tenure = np.where(random.random(count) < 0.55, money.MONTHLY_RENT, money.JEONSE).astype(np.int8)
    new = Rows(
        unit=unit.astype(np.int32),
        tenure=tenure,
        is_quarters=np.zeros(count, bool),
        key=first_household + np.arange(count, dtype=np.int64),
        **money.endowments(random, count),
    )
    district.households.append(new)
    district.registers.append(
        Rows(
            household=(first_household + np.arange(count)).astype(np.int32),
            unit=unit.astype(np.int32),
            due=np.full(count, NEVER, np.int32),
        )
    )
    persons["household"][goes] = first_household + np.arange(count)
    persons["role"][goes] = HEAD
    registers_anew = random.random(count) >= _SAME_REGISTER
    movers = goes[registers_anew]
    persons["register"][movers] = first_register + np.flatnonzero(registers_anew)
    persons["relation"][movers] = 0
    lag = bureau_lag(random, count)
    _tell_bureau(district, goes, lag, month_index=month_index)


def _tell_bureau(district: District, persons: Array, lag: Array, *, month_index: int) -> None:
    state = district.persons
    unit = district.households["unit"][state["household"][persons]]
    state["bureau_unit"][persons] = np.where(lag == 0, unit, state["bureau_unit"][persons])
    state["bureau_due"][persons] = np.where(lag == 0, NEVER, month_index + lag)


def _move(district: District, random: np.random.Generator, *, month_index: int) -> None:
    """Households exchange homes of the same dwelling type, mostly with others of the same dong; some take vacant ones."""
    persons, households, units = district.persons, district.households, district.homes.units
    rents = households["tenure"] != money.OWNED
    lives = (households["unit"] >= 0) & ~households["is_quarters"]
    moves = lives & (random.random(households.size) < np.where(rents, 1.35, 0.55) * _MOVES)
    movers = np.flatnonzero(moves)
    if len(movers) < 2:
        return
    unit = households["unit"][movers].copy()
    is_far = random.random(len(movers)) < 0.4
    dong = np.where(is_far, -1, units["dong"][unit])
    order = np.lexsort((random.random(len(movers)), dong, units["kind"][unit]))
    households["unit"][movers[order]] = np.roll(unit[order], 1)
    vacant = district.vacant_units()
    takes = movers[random.random(len(movers)) < 0.3][: len(vacant)]
    households["unit"][takes] = random.choice(vacant, len(takes), replace=False)
    lag = random.choice(3, len(movers), p=[0.7, 0.2, 0.1])
    lag_of = np.full(households.size, -1)
    lag_of[movers] = lag
    registers = district.registers
    home = registers["household"]
    register_lag = np.where(home >= 0, lag_of[np.maximum(home, 0)], -1)
    at_once = register_lag == 0
    registers["unit"] = np.where(at_once, households["unit"][np.maximum(home, 0)], registers["unit"])
    registers["due"] = np.where(register_lag > 0, month_index + register_lag, registers["due"]).astype(np.int32)
    who = np.flatnonzero((persons["household"] >= 0) & moves[np.maximum(persons["household"], 0)])
    _tell_bureau(district, who, bureau_lag(random, len(who)), month_index=month_index)


def _arrive(district: District, random: np.random.Generator, *, month_index: int) -> None:
    """New households fill the places of those who left; half of their adults the bureau still has at an older address."""
    is_private = ~district.households["is_quarters"]
    now = int(((district.households["unit"] >= 0) & is_private).sum())
    district.private_households += round(district.private_households * _GROWTH)
    wanted = district.private_households - now
    vacant = district.vacant_units()
    count = int(np.clip(wanted, 0, len(vacant)))
    if count > 0:
        unit = np.sort(random.choice(vacant, count, replace=False))
        shares = np.array([sum(d.sizes[k] for d in district.plan.dongs) for k in range(7)], float) * [
            1.3,
            1.0,
            0.9,
            0.7,
            0.5,
            0.4,
            0.3,
        ]
        size = random.choice(np.arange(1, 8), count, p=shares / shares.sum())
        persons, _ = settle(district, random, size=size, unit=unit, month_index=month_index)
        state = district.persons
        is_old = random.random(len(persons)) < 0.35
        lag = np.maximum(bureau_lag(random, len(persons)), 1)
        elsewhere = another_unit(district, random, state["bureau_unit"][persons])
        state["bureau_unit"][persons] = np.where(is_old, elsewhere, state["bureau_unit"][persons])
        state["bureau_due"][persons] = np.where(is_old, month_index + lag, NEVER)
        age = work.years_old(state["birth"], month_index)
        alone = persons[(size[state["household"][persons] - state["household"][persons[0]]] == 1) & (age[persons] < 31)]
        register_with_parents(district, random, children=alone[random.random(len(alone)) < 0.12], age=age)
    district.absent.keep(random.random(district.absent.size) < 0.995)
    state = district.persons
    commutes = np.flatnonzero(state["status"] == COMMUTES)
    ends = commutes[random.random(len(commutes)) < 0.01]
    state["until"][ends] = month_index
    if len(ends):
        commute(district, random, count=len(ends), month_index=month_index)


def _work_on(district: District, random: np.random.Generator, *, month_index: int) -> None:
    persons = district.persons
    age = work.years_old(persons["birth"], month_index)
    lives = persons["status"] == LIVES
    redraws = lives & (random.random(persons.size) < _NEW_STATUS)
    persons["u_work"] = np.where(redraws, random.random(persons.size), persons["u_work"]).astype(np.float32)
    persons["u_self"] = np.where(redraws & (age >= 19), random.random(persons.size), persons["u_self"]).astype(np.float32)
    now = np.where(lives, work.employment(persons, age), persons["employment"])
    changed = lives & (now != persons["employment"])
    changed |= lives & (now != work.NO_WORK) & (random.random(persons.size) < _NEW_JOB)
    persons["employment"] = now.astype(np.int8)
    new_pay = changed & (now != work.NO_WORK)
    drift = random.normal(_PAY_GROWTH, 0.008, persons.size) * (random.random(persons.size) < 0.6)
    persons["skill"] = (persons["skill"] + drift + np.where(new_pay, random.normal(0.01, 0.12, persons.size), 0)).astype(
        np.float32
    )
    rows = np.flatnonzero(changed & (persons["household"] >= 0))
    if len(rows) == 0:
        return
    movers = persons.take(rows)
    labour, business = work.earnings(movers, age[rows])
    home = district.homes.units["dong"][district.households["unit"][movers["household"]]]
    persons["work_dong"][rows], persons["work_building"][rows] = work.find_work(
        random,
        employment=movers["employment"],
        home_dong=home,
        log_pay=np.log(np.maximum(labour + business, 4e6)),
        places=district.places,
    )


def _pay_and_borrow(district: District, random: np.random.Generator) -> None:
    """Balances fall as due; few new loans keep their sum; arrears come and go."""
    persons = district.persons
    count = persons.size
    for loan, monthly in (("mortgage", 0.0030), ("credit_loan", 0.010), ("business_loan", 0.004)):
        persons[loan] = np.where(persons[loan] < 3e5, 0.0, np.round(persons[loan] * (1 - monthly), -3))
    u = random.random(count)
    has_credit = persons["credit_loan"] > 0
    persons["credit_loan"] += np.where(has_credit & (u < 0.03), np.round(persons["credit_loan"] * 0.35, -3), 0.0)
    in_arrears = persons["overdue"] > 0
    balance = persons["credit_loan"] + persons["business_loan"]
    falls = (balance > 0) & ~in_arrears & (u > 1 - 0.0025)
    recovers = in_arrears & (random.random(count) < 0.11)
    persons["overdue"] = np.where(recovers | (balance <= 0), 0.0, np.minimum(persons["overdue"], balance))
    persons["overdue"] = np.where(falls, np.round(balance * 0.35, -3), persons["overdue"])
