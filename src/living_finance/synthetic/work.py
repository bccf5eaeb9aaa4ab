"""Education, occupation, work and earnings of persons, and where they work."""

from __future__ import annotations

import numpy as np

from living_finance.synthetic.draws import chosen
from living_finance.synthetic.people import HEAD, MALE
from living_finance.synthetic.plan import Workplaces
from living_finance.synthetic.rows import Array, Rows

NO_WORK, EMPLOYEE, SELF_EMPLOYED = range(3)
EMPLOYMENTS = ("none", "employee", "self_employed")
EDUCATIONS = ("primary", "middle", "high", "college", "graduate")
OCCUPATIONS = ("manager", "professional", "clerical", "service", "sales", "craft", "operator", "elementary", "none")
WORKS_NOWHERE, WORKS_OUTSIDE, WORKS_UNKNOWN = -1, -2, -3

# Everything below is assumed in the shape of Korean statistics: employment by sex and age (economically active population
# survey), earnings by age, schooling and occupation (survey of labour conditions), self-employment rising with age.
_AGES = np.array([14, 15, 20, 24, 28, 33, 45, 55, 60, 65, 70, 75, 80, 90])
_AT_WORK = {
    0: np.array([0, 0.03, 0.25, 0.45, 0.76, 0.91, 0.93, 0.88, 0.76, 0.60, 0.46, 0.33, 0.20, 0.06]),
    1: np.array([0, 0.03, 0.32, 0.57, 0.76, 0.68, 0.67, 0.66, 0.55, 0.41, 0.28, 0.20, 0.12, 0.03]),
}
_SELF_AGES, _SELF_SHARE = np.array([20, 30, 40, 50, 60, 70]), np.array([0.03, 0.09, 0.16, 0.21, 0.28, 0.31])
_TALENT_AGES, _TALENT = np.array([25, 40, 50, 60, 70, 85]), np.array([1.0, 0.85, 0.5, 0.1, -0.4, -1.1])
_SCHOOLING = np.array([-1.2, -0.6, 0.45, 2.05])
_OCCUPATION_SHARE = np.array(
    [
        [0.00, 0.01, 0.02, 0.22, 0.12, 0.15, 0.12, 0.36],
        [0.00, 0.02, 0.04, 0.22, 0.14, 0.18, 0.16, 0.24],
        [0.01, 0.07, 0.16, 0.18, 0.16, 0.14, 0.14, 0.14],
        [0.02, 0.33, 0.33, 0.10, 0.10, 0.05, 0.04, 0.03],
        [0.07, 0.68, 0.17, 0.02, 0.03, 0.01, 0.01, 0.01],
    ]
)
_BASE_LOG_PAY = np.log(32.5e6)
_PAY_AGES = np.array([18, 25, 30, 40, 50, 58, 65, 75])
_PAY_BY_AGE = {
    0: np.array([-0.55, -0.15, 0.10, 0.38, 0.48, 0.32, -0.25, -0.70]),
    1: np.array([-0.55, -0.15, 0.02, 0.12, 0.03, -0.18, -0.55, -0.90]),
}
_PAY_BY_EDUCATION = np.array([-0.15, -0.10, 0.0, 0.14, 0.36])
_PAY_BY_OCCUPATION = np.array([0.50, 0.22, 0.10, -0.22, -0.12, 0.02, 0.0, -0.32])
_AREA_PULL = 0.80
_OUTSIDE_SHARE, _UNKNOWN_SHARE = 0.075, 0.04
_REACH_M = {NO_WORK: 1.0, EMPLOYEE: 6500.0, SELF_EMPLOYED: 2500.0}


def years_old(birth: Array, month_index: int) -> Array:
    """Age in completed years."""
    return np.asarray(np.maximum(month_index - birth, 0) // 12)


def characters(random: np.random.Generator, people: Rows, *, income_effect: Array, month_index: int) -> Rows:
    """What a person keeps for life: schooling, occupation, ability, chances of work, pension rights, coverage by the bureau.

    Args:
        random: generator of this call alone.
        people: `household`, `sex`, `birth`, `role`.
        income_effect: of the dong, by person.
        month_index: month in which ages are taken.
    """
    count = people.size
    age = years_old(people["birth"], month_index)
    talent = random.normal(0, 1, count) + np.interp(age, _TALENT_AGES, _TALENT) + 0.8 * income_effect
    schooling = np.searchsorted(_SCHOOLING, talent)
    household = people["household"]
    shared = random.normal(0, 0.16, int(household.max()) + 1 if count else 0)[household]
    skill = random.normal(0, 0.25, count) + shared + _AREA_PULL * income_effect
    effort = np.where((people["role"] == HEAD) & (age >= 23) & (age < 62), 0.80, 1.0)  # breadwinners work more often
    pension_share = np.where(people["sex"] == MALE, 0.62, 0.30)
    pension = np.exp(random.normal(np.log(7.4e6) + 0.28 * (schooling - 2), 0.55, count))
    return Rows(
        talent=talent.astype(np.float32),
        occupation=chosen(random, _OCCUPATION_SHARE[schooling]),
        skill=skill.astype(np.float32),
        venture=random.normal(0, 0.52, count).astype(np.float32),
        u_work=(random.random(count) * effort).astype(np.float32),
        u_self=random.random(count).astype(np.float32),
        pension=np.where(random.random(count) < pension_share, pension, 0).astype(np.float32),
        is_disabled=random.random(count) < np.interp(age, [0, 20, 50, 70, 90], [0.008, 0.012, 0.04, 0.10, 0.16]),
        u_covered=random.random(count).astype(np.float32),
        u_unit=random.random(count).astype(np.float32),
        u_address=random.random(count).astype(np.float32),
        score_error=random.normal(0, 0.12, count).astype(np.float32),
        spending_share=np.exp(random.normal(0, 0.3, count)).astype(np.float32),
        card_share=np.clip(random.normal(0.58, 0.08, count), 0.2, 0.9).astype(np.float32),
    )


def education(persons: Rows, age: Array) -> Array:
    """Position in EDUCATIONS; the young have finished what their age allows."""
    level = np.searchsorted(_SCHOOLING, persons["talent"])
    return np.asarray(np.minimum(level, np.select([age < 12, age < 15, age < 22, age < 26], [0, 1, 2, 3], 4)))


def employment(persons: Rows, age: Array) -> Array:
    """Position in EMPLOYMENTS from lasting chances, so that it changes only by ageing and by new draws."""
    at_work = np.where(persons["sex"] == MALE, np.interp(age, _AGES, _AT_WORK[0]), np.interp(age, _AGES, _AT_WORK[1]))
    is_own_boss = persons["u_self"] < np.interp(age, _SELF_AGES, _SELF_SHARE)
    return np.where(persons["u_work"] >= at_work, NO_WORK, np.where(is_own_boss, SELF_EMPLOYED, EMPLOYEE)).astype(np.int8)


def is_seeking_work(persons: Rows, age: Array) -> Array:
    """Out of work for a short time: draws unemployment benefit."""
    at_work = np.where(persons["sex"] == MALE, np.interp(age, _AGES, _AT_WORK[0]), np.interp(age, _AGES, _AT_WORK[1]))
    just_missed = (persons["u_work"] >= at_work) & (persons["u_work"] < at_work + 0.025)
    return np.asarray(just_missed & (age >= 25) & (age < 63))


def earnings(persons: Rows, age: Array) -> tuple[Array, Array]:
    """True labour and business income by person (KRW/year, whole 10,000), by employment."""
    by_age = np.where(
        persons["sex"] == MALE, np.interp(age, _PAY_AGES, _PAY_BY_AGE[0]), np.interp(age, _PAY_AGES, _PAY_BY_AGE[1])
    )
    school = _PAY_BY_EDUCATION[education(persons, age)]
    pay = _BASE_LOG_PAY + by_age + school + _PAY_BY_OCCUPATION[persons["occupation"]] + persons["skill"]
    own = _BASE_LOG_PAY - 0.04 + 0.5 * by_age + 0.5 * school + persons["skill"] + persons["venture"]
    is_employee, is_own_boss = persons["employment"] == EMPLOYEE, persons["employment"] == SELF_EMPLOYED
    labour = np.where(is_employee, np.round(np.exp(np.minimum(pay, 21.0)), -4), 0.0)
    profit = np.round(np.exp(np.minimum(own, 21.5)), -4)
    is_loss = persons["venture"] < -1.02  # the lowest 2.5 % of ventures
    business = np.where(is_own_boss, np.where(is_loss, -np.round(profit * 0.3, -4), profit), 0.0)
    has_side_business = is_employee & (persons["u_self"] > 0.985)
    return labour, np.where(has_side_business, np.round(profit * 0.25, -4), business)


def usual_log_pay(sex: Array, age: Array) -> Array:
    """What people of a sex and age earn in the city: the middle that a score pulls to."""
    by_age = np.where(sex == MALE, np.interp(age, _PAY_AGES, _PAY_BY_AGE[0]), np.interp(age, _PAY_AGES, _PAY_BY_AGE[1]))
    return np.asarray(_BASE_LOG_PAY + by_age + 0.08)


def find_work(
    random: np.random.Generator, *, employment: Array, home_dong: Array, log_pay: Array, places: Workplaces
) -> tuple[Array, Array]:
    """Workplace dong (position in the city plan, or a WORKS_ code) and work building of persons.

    Near places with many jobs draw most; the well paid go to the districts that pay well.

    Args:
        random: generator of this call alone.
        employment: position in EMPLOYMENTS.
        home_dong: position in the city plan.
        log_pay: log of annual earnings of those at work.
        places: of the whole plan.
    """
    count = len(employment)
    dong = np.full(count, WORKS_NOWHERE, np.int32)
    building = np.zeros(count, np.int32)
    works = employment != NO_WORK
    where = random.random(count)
    u, v = random.random(count), random.random(count)
    centre = np.median(log_pay[works]) if works.any() else 0.0
    level = np.clip(np.round((log_pay - centre) / 0.45) + 2, 0, 4).astype(np.int64)
    homes = np.unique(home_dong)
    for kind in (EMPLOYEE, SELF_EMPLOYED):
        distance = np.sqrt(((places.xy[homes][:, None, :] - places.xy[None, :, :]) ** 2).sum(axis=2))
        near = np.exp(-distance / _REACH_M[kind]) * places.attraction
        pull = np.exp(1.3 * (np.arange(5) - 2)[:, None] * places.pay[None, :])
        weights = (near[:, None, :] * pull[None, :, :]).reshape(len(homes) * 5, -1)
        cumulative = np.cumsum(weights, axis=1)
        cumulative /= cumulative[:, -1:]
        rows = np.flatnonzero(employment == kind)
        line = np.searchsorted(homes, home_dong[rows]) * 5 + level[rows]
        flat = (cumulative + np.arange(len(cumulative))[:, None]).ravel()
        found = np.searchsorted(flat, line + u[rows], side="right") - line * cumulative.shape[1]
        dong[rows] = np.clip(found, 0, cumulative.shape[1] - 1)
    inside = works & (dong >= 0)
    building[inside] = np.floor(places.work_buildings[dong[inside]] * v[inside] ** 1.3)
    dong = np.where(works & (where < _OUTSIDE_SHARE), WORKS_OUTSIDE, dong)
    is_unknown = works & (where >= _OUTSIDE_SHARE) & (where < _OUTSIDE_SHARE + _UNKNOWN_SHARE)
    dong = np.where(is_unknown, WORKS_UNKNOWN, dong)
    return dong.astype(np.int32), building
