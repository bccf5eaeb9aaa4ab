"""Who lives together: households of a given size get members with sexes, ages and relations."""

from __future__ import annotations

import numpy as np

from living_finance.synthetic.draws import chosen
from living_finance.synthetic.plan import COMMERCIAL, MULTI_FAMILY, OFFICETEL
from living_finance.synthetic.rows import Array, Rows, joined, numbered_within

HEAD, SPOUSE, CHILD, PARENT, SIBLING, UNRELATED = range(6)
ROLES = ("head", "spouse", "child", "parent", "sibling", "unrelated")
HOUSEHOLD_TYPES = ("one_person", "one_generation", "two_generation", "three_generation", "unrelated")
ONE_PERSON, ONE_GENERATION, TWO_GENERATION, THREE_GENERATION, NOT_RELATED = range(5)
MALE, FEMALE = 0, 1

# Patterns: (spouses, children, parents, siblings, unrelated) and their share by household size. Shares are assumed from
# the census' tables of Seoul's households by generation: two thirds of couples with children, one in ten without kin.
_PATTERNS: tuple[tuple[int, int, int, int, int], ...] = (
    (0, 0, 0, 0, 0),  # 0 alone
    (1, 0, 0, 0, 0),  # 1 couple
    (0, 1, 0, 0, 0),  # 2 lone parent
    (0, 0, 1, 0, 0),  # 3 grown child with a parent
    (0, 0, 0, 1, 0),  # 4 siblings
    (0, 0, 0, 0, 1),  # 5 flatmates
    (1, 1, 0, 0, 0),  # 6
    (0, 2, 0, 0, 0),  # 7
    (1, 0, 1, 0, 0),  # 8
    (0, 1, 1, 0, 0),  # 9
    (0, 0, 2, 0, 0),  # 10
    (0, 0, 0, 2, 0),  # 11
    (0, 0, 0, 0, 2),  # 12
    (1, 2, 0, 0, 0),  # 13
    (1, 1, 1, 0, 0),  # 14
    (0, 3, 0, 0, 0),  # 15
    (0, 2, 1, 0, 0),  # 16
    (1, 0, 2, 0, 0),  # 17
    (0, 0, 0, 0, 3),  # 18
    (1, 3, 0, 0, 0),  # 19
    (1, 2, 1, 0, 0),  # 20
    (1, 1, 2, 0, 0),  # 21
    (0, 0, 0, 0, 4),  # 22
    (1, 2, 2, 0, 0),  # 23
    (1, 3, 1, 0, 0),  # 24
    (1, 4, 0, 0, 0),  # 25
    (1, 3, 2, 0, 0),  # 26
    (1, 4, 1, 0, 0),  # 27
    (1, 5, 0, 0, 0),  # 28
)
_PATTERN_SHARES: dict[int, dict[int, float]] = {
    1: {0: 1.0},
    2: {1: 0.52, 2: 0.27, 3: 0.07, 4: 0.06, 5: 0.08},
    3: {6: 0.66, 7: 0.13, 8: 0.06, 9: 0.05, 10: 0.03, 11: 0.03, 12: 0.04},
    4: {13: 0.83, 14: 0.08, 15: 0.02, 16: 0.02, 17: 0.02, 18: 0.03},
    5: {19: 0.54, 20: 0.36, 21: 0.07, 22: 0.03},
    6: {23: 0.42, 24: 0.38, 25: 0.20},
    7: {26: 0.55, 27: 0.35, 28: 0.10},
}
_COUNTS = np.array(_PATTERNS)

# Ages of heads: quantiles of the distribution at these cumulative shares (assumed, in the order of the census' tables).
_SHARES = np.array([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
_HEAD_AGE = np.array(
    [
        [19.5, 25, 32, 50, 68, 79, 96],  # alone
        [24, 31, 41, 62, 71, 78, 92],  # couple without children
        [27, 36, 41, 48, 56, 63, 84],  # couple with children
        [27, 39, 45, 54, 66, 78, 93],  # lone parent
        [28, 38, 43, 49, 56, 62, 74],  # three generations
        [23, 29, 34, 42, 51, 57, 68],  # with own parents
        [19, 21, 23, 27, 34, 48, 70],  # siblings and flatmates
    ],
    float,
)


def _age_class(pattern: Array) -> Array:
    spouses, children, parents, siblings, unrelated = _COUNTS[pattern].T
    has_kin_of_age = (siblings > 0) | (unrelated > 0)
    return np.select(
        [
            has_kin_of_age,
            (parents > 0) & (children > 0),
            parents > 0,
            (spouses > 0) & (children > 0),
            children > 0,
            spouses > 0,
        ],
        [6, 4, 5, 2, 3, 1],
        0,
    )


def compose(
    random: np.random.Generator, *, size: Array, dwelling: Array, age_shift: Array, male_share: Array, month_index: int
) -> Rows:
    """Members of new households.

    Args:
        random: generator of this call alone.
        size: members by household.
        dwelling: dwelling type by household; officetels and rooms hold younger people living alone.
        age_shift: of the dong; positive is older.
        male_share: of the dong's population.
        month_index: month in which the ages hold.

    Returns:
        One row per person: `household` (position in the arguments), `sex`, `birth` (month index), `role`.
    """
    count = len(size)
    pattern = np.zeros(count, np.int64)
    for members, shares in _PATTERN_SHARES.items():
        is_size = size == members if members < 7 else size >= 7
        weights = np.broadcast_to(np.array(list(shares.values())), (int(is_size.sum()), len(shares)))
        pattern[is_size] = np.array(list(shares))[chosen(random, weights)]
    spouses, children, parents, siblings, unrelated = _COUNTS[pattern].T
    children = children + np.maximum(size - 7, 0)
    kind = _age_class(pattern)

    is_young_dwelling = np.isin(dwelling, (OFFICETEL, MULTI_FAMILY, COMMERCIAL)) & (kind == 0)
    tilt = np.exp(-age_shift * 1.5 + np.where(is_young_dwelling, 0.35, 0.0) + np.where(dwelling == OFFICETEL, 0.35, 0.0))
    u = random.random(count) ** tilt
    age = np.empty(count)
    for row in range(len(_HEAD_AGE)):
        of_kind = kind == row
        age[of_kind] = np.interp(u[of_kind], _SHARES, _HEAD_AGE[row])
    male_tilt = np.clip((male_share - 0.475) * 3.0, -0.15, 0.25)
    alone_male = np.where(age < 50, 0.52, np.where(age < 65, 0.50, 0.28))
    male = np.select([spouses > 0, kind == 3, kind == 0], [0.88, 0.22, alone_male], 0.5) + male_tilt
    sex = np.where(random.random(count) < male, MALE, FEMALE)
    households = np.arange(count)
    parts = [_persons(households, sex, age, HEAD)]

    with_spouse = households[spouses > 0]
    gap = random.normal(2.4, 3.2, len(with_spouse))
    spouse_age = np.clip(age[with_spouse] + np.where(sex[with_spouse] == MALE, -gap, gap), 20, 97)
    parts.append(_persons(with_spouse, 1 - sex[with_spouse], spouse_age, SPOUSE))

    mother_age = age.copy()
    couple_mother = np.where(sex[with_spouse] == FEMALE, age[with_spouse], spouse_age)
    mother_age[with_spouse] = couple_mother
    born_by = np.where((sex == MALE) & (spouses == 0), mother_age - 2.5, mother_age)
    parts.append(_children(random, children, born_by, male_tilt))

    of_parents = np.repeat(households, parents)
    number = numbered_within(of_parents)
    older = random.normal(27.5, 4.0, count)[of_parents] + np.where(number == 1, random.normal(2.5, 3, len(of_parents)), 0)
    first_male = (random.random(count) < 0.18)[of_parents]
    parent_sex = np.where(first_male ^ (number == 1), MALE, FEMALE)
    parts.append(_persons(of_parents, parent_sex, np.clip(age[of_parents] + np.maximum(older, 19), 40, 102), PARENT))

    of_siblings = np.repeat(households, siblings)
    parts.append(
        _persons(
            of_siblings,
            random.integers(0, 2, len(of_siblings)),
            np.clip(age[of_siblings] + random.normal(-1, 4, len(of_siblings)), 15, 90),
            SIBLING,
        )
    )
    of_others = np.repeat(households, unrelated)
    same_sex = random.random(len(of_others)) < 0.8
    parts.append(
        _persons(
            of_others,
            np.where(same_sex, sex[of_others], 1 - sex[of_others]),
            np.clip(age[of_others] + random.normal(0, 5, len(of_others)), 18, 90),
            UNRELATED,
        )
    )
    persons = joined(parts)
    months = np.floor(persons.pop("age") * 12 + random.random(len(persons["sex"])) * 12).astype(np.int64)
    persons["birth"] = (month_index - months).astype(np.int32)
    return persons.take(np.lexsort((persons["birth"], persons["role"], persons["household"])))


def _persons(household: Array, sex: Array, age: Array, role: int) -> Rows:
    return Rows(
        household=household.astype(np.int64),
        sex=sex.astype(np.int8),
        age=np.floor(age),
        role=np.full(len(household), role, np.int8),
    )


def _children(random: np.random.Generator, children: Array, mother_age: Array, male_tilt: Array) -> Rows:
    """Children of mothers aged 19 to 45 at birth; the first is the oldest that the mother's age allows."""
    household = np.repeat(np.arange(len(children)), children)
    number = numbered_within(household)
    at_birth = np.clip(random.normal(29.8, 4.2, len(children)), 19, 42)
    first = np.clip(mother_age - at_birth, 0, np.minimum(mother_age - 19, 52))
    spacing = random.gamma(3.0, 1.0, len(household)) + 0.5
    age = np.maximum(first[household] - np.where(number > 0, spacing * number, 0), random.random(len(household)) * 2)
    male = 0.513 + male_tilt[household] * 0.3
    sex = np.where(random.random(len(household)) < male, MALE, FEMALE)
    return _persons(household, sex, np.maximum(age, 0), CHILD)


def quarters_members(random: np.random.Generator, *, persons: int, homes: int, month_index: int) -> Rows:
    """People of group quarters: students, the old in care, workers; one row per person, as `compose` gives them."""
    kind = random.integers(0, 10, homes)
    household = np.sort(random.integers(0, homes, persons)) if homes else np.zeros(0, np.int64)
    household[: min(homes, persons)] = np.arange(min(homes, persons))
    kind = kind[household]
    age = np.select(
        [kind < 5, kind < 8],
        [random.integers(18, 27, persons), np.clip(random.normal(82, 7, persons), 62, 103)],
        np.clip(random.normal(38, 9, persons), 20, 64),
    )
    sex = np.where(random.random(persons) < np.where((kind >= 5) & (kind < 8), 0.3, 0.6), MALE, FEMALE)
    rows = _persons(household, sex, age, UNRELATED)
    months = np.floor(rows.pop("age") * 12 + random.random(persons) * 12).astype(np.int64)
    rows["birth"] = (month_index - months).astype(np.int32)
    order = np.lexsort((rows["birth"], rows["household"]))
    rows = rows.take(order)
    rows["role"] = np.where(numbered_within(rows["household"]) == 0, HEAD, UNRELATED).astype(np.int8)
    return rows


def housed(random: np.random.Generator, *, size: Array, size_dong: Array, unit_kind: Array, unit_dong: Array) -> Array:
    """Match households to as many occupied units within the same dong: large ones tend to houses and apartments.

    Returns:
        For each household the position of its unit in the arguments.
    """
    room = np.array([0.6, -0.2, 0.7, 0.6, 0.4, -1.1, 0.0, 0.0])[unit_kind]
    wish = np.log(size) * 1.5
    by_household = np.lexsort((wish + random.normal(0, 0.8, len(size)), size_dong))
    by_unit = np.lexsort((room + random.normal(0, 0.8, len(unit_kind)), unit_dong))
    unit = np.empty(len(size), np.int64)
    unit[by_household] = by_unit
    return unit
