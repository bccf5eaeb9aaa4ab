"""What the people of each household of a block add up to: counts by age and relation, head, amounts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from living_finance.contracts.silver import UNSEEN_ADULTS, UNSEEN_AGES, UNSEEN_BITS
from living_finance.households.layout import FEATURES, RELATIONS, Flags, Layout
from living_finance.methods.grouped import Integers

Counts = npt.NDArray[np.int64]

_ADULT_AGE = 15
_ELDERLY_AGE = 65
NO_AGE = -1
"""Where a household has nobody of the kind."""

_BANDS = 17
CELLS = [f"{sex}{band * 5}" for sex in "MF" for band in range(_BANDS)]
"""Categories of margin population_sex_age, with 80 as the last band, in the order in which they are packed."""
BITS_PER_CELL = 5
_CELLS_PER_NUMBER = 63 // BITS_PER_CELL
PACKED_MEMBERS = ("_members_0", "_members_1", "_members_2")
_MOST_MEMBERS_PACKED = 2**BITS_PER_CELL - 1

COUNTS = (
    "household_size",
    "register_members",
    "bureau_members",
    "adults",
    "children",
    "elderly",
    "_men",
    "_head_men",
    "_heads_and_spouses",
    "_spouses",
    "_children",
    "_parents",
)
AGES = ("_head_age", "_youngest", "_oldest", "_oldest_child", "_youngest_other", "_oldest_other")
"""NO_AGE where the household has nobody of the kind."""
SUMS = {
    "bureau_labour_income_krw_year": ("labour_krw",),
    "bureau_business_income_krw_year": ("business_krw",),
    "bureau_debt_krw": ("mortgage_krw", "jeonse_krw", "credit_krw", "business_loan_krw"),
    "bureau_mortgage_balance_krw": ("mortgage_krw",),
    "bureau_jeonse_loan_balance_krw": ("jeonse_krw",),
    "bureau_spending_krw_month": ("spending_krw",),
}
"""Amounts of bureau persons that households add up, and the features each is made of."""

_CALLED_HEAD = 10_000
"""What being called head adds to the rank for headship: more than any age does."""
_NO_LEAST = np.iinfo(np.int64).max
_HEAD, _SPOUSE, _CHILD, _PARENT, _OTHER = range(len(RELATIONS))


def tally(
    layout: Layout, *, household: Integers, relation: Integers, age: Integers, is_man: Flags, is_matched: Flags
) -> dict[str, Counts]:
    """Numbers of each household.

    Members are the register persons and the bureau persons without a partner in the register.

    Args:
        layout: of the block.
        household: number of the household of each row.
        relation: position in RELATIONS of each row, to the head of the household.
        age: years of each row; of a bureau person the lower bound of its band.
        is_man: of each row.
        is_matched: the row has a partner in the other source.

    Returns:
        By name, one number per household: COUNTS, AGES, SUMS (whole won: each amount is rounded before it is added),
        UNSEEN_ADULTS (0 for more than 31 members), and PACKED_MEMBERS: members by CELLS, five bits a cell, twelve cells a
        number, -1 for more than 31 members.
    """
    is_register, is_bureau = layout.is_register, layout.block.is_bureau
    is_member = is_register | ~is_matched
    households = int(household.max(initial=-1)) + 1

    def count(rows: Flags) -> Counts:
        return np.bincount(household[rows], minlength=households).astype(np.int64)

    def of(*relations: int) -> Flags:
        return is_member & np.isin(relation, relations)

    def most(rows: Flags, values: Integers) -> Counts:
        found = np.full(households, NO_AGE, np.int64)
        np.maximum.at(found, household[rows], values[rows])
        return found

    def least(rows: Flags) -> Counts:
        found = np.full(households, _NO_LEAST, np.int64)
        np.minimum.at(found, household[rows], age[rows])
        return np.where(found == _NO_LEAST, NO_AGE, found)

    # Order for headship: called head, then age, then man.
    head = most(is_member, np.where(relation == _HEAD, _CALLED_HEAD, 0) + age * 10 + is_man)
    found = {
        "household_size": count(is_member),
        "register_members": count(is_register),
        "bureau_members": count(is_bureau),
        "adults": count(is_member & (age >= _ADULT_AGE)),
        "children": count(is_member & (age < _ADULT_AGE)),
        "elderly": count(is_member & (age >= _ELDERLY_AGE)),
        "_men": count(is_member & is_man),
        "_head_men": np.where(head == NO_AGE, 0, head % 10),
        "_heads_and_spouses": count(of(_HEAD, _SPOUSE)),
        "_spouses": count(of(_SPOUSE)),
        "_children": count(of(_CHILD)),
        "_parents": count(of(_PARENT)),
        "_head_age": np.where(head == NO_AGE, NO_AGE, head % _CALLED_HEAD // 10),
        "_youngest": least(is_member),
        "_oldest": most(is_member, age),
        "_oldest_child": most(of(_CHILD), age),
        "_youngest_other": least(of(_OTHER)),
        "_oldest_other": most(of(_OTHER), age),
    }
    features = np.rint(layout.block.features[is_bureau])
    for name, parts in SUMS.items():
        amount = features[:, [FEATURES.index(part) for part in parts]].sum(axis=1)
        # Whole numbers below 2**53 are exact as doubles, whatever their order.
        found[name] = np.bincount(household[is_bureau], weights=amount, minlength=households).astype(np.int64)
    is_small = found["household_size"] <= _MOST_MEMBERS_PACKED
    is_unseen = is_register & ~is_matched & (age >= _ADULT_AGE) & is_small[household]
    found[UNSEEN_ADULTS] = _unseen(household[is_unseen], age=age[is_unseen], is_man=is_man[is_unseen], households=households)
    return {**found, **_packed(household, age=age, is_man=is_man, is_member=is_member, size=found["household_size"])}


def _unseen(household: Integers, *, age: Integers, is_man: Flags, households: int) -> Counts:
    place = np.searchsorted(UNSEEN_AGES, age, side="right") - 1 + np.where(is_man, 0, len(UNSEEN_AGES))
    packed = np.zeros(households, np.int64)
    np.add.at(packed, household, np.left_shift(np.int64(1), UNSEEN_BITS * place))
    return packed


def _packed(household: Integers, *, age: Integers, is_man: Flags, is_member: Flags, size: Counts) -> dict[str, Counts]:
    rows = np.flatnonzero(is_member & (size <= _MOST_MEMBERS_PACKED)[household])
    cell = np.minimum(age[rows] // 5, _BANDS - 1) + np.where(is_man[rows], 0, _BANDS)
    number, place = np.divmod(cell, _CELLS_PER_NUMBER)
    bit = np.left_shift(np.int64(1), BITS_PER_CELL * place)
    packed = {}
    for position, name in enumerate(PACKED_MEMBERS):
        sums = np.where(size <= _MOST_MEMBERS_PACKED, 0, -1)
        here = number == position
        np.add.at(sums, household[rows[here]], bit[here])
        packed[name] = sums
    return packed
