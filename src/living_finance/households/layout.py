"""People of a block of addresses as arrays: sorted, numbered, matched where a dwelling unit leaves no doubt.

A block holds whole addresses. Everything is ordered by key, so that nothing depends on how rows arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from living_finance.methods.grouped import Floats, Integers

Flags = npt.NDArray[np.bool_]

FEATURES = (
    "is_employee",
    "is_self_employed",
    "labour_krw",
    "business_krw",
    "spending_krw",
    "mortgage_krw",
    "jeonse_krw",
    "credit_krw",
    "business_loan_krw",
    "repayment_krw",
)
"""What evidence hands over of a bureau person, in this order; amounts in won."""

RELATIONS = ("head", "spouse", "child", "parent", "other")
ROLES = ("single", "head_with_spouse", "head", "spouse", "child", "parent", "other")
"""What a register person is in the register household; `head` is one without a spouse, `single` lives alone there."""
EXTRA = len(ROLES)
"""Class of a bureau person whom the register does not know at the address."""
AGE_GROUP_STARTS = (15, 20, 30, 40, 50, 65)
GROUPS = 2 * len(AGE_GROUP_STARTS)
"""Groups of sex and age that have parameters of their own."""


@dataclass(frozen=True)
class Block:
    """One row per bureau resident and per register person, sorted by address, unit, sex and age, source, key."""

    address: Integers
    """Hash of the address."""
    unit: Integers
    """Hash of the dwelling unit; 0 where there is none."""
    sex_age: Integers
    """Twice the lower bound of the five-year band, plus one for men; -1 for children under 15."""
    is_bureau: Flags
    key: Integers
    """Hash of the person (bureau) or of the register household (register)."""
    relation: Integers
    """Position in RELATIONS; -1 for bureau persons."""
    features: Floats
    """What the bureau knows of a person, one column per feature; 0 for register persons."""
    position: Integers
    """Row of the input that the sorted row came from."""
    is_quarters: Flags
    """The building is no dwelling: whoever is there lives in group quarters, without dwelling units."""

    @property
    def rows(self) -> int:
        return len(self.address)


def sorted_block(
    *,
    address: Integers,
    unit: Integers,
    sex_age: Integers,
    is_bureau: Flags,
    key: Integers,
    relation: Integers,
    features: Floats,
    is_quarters: Flags | None = None,
) -> Block:
    """A block from columns in any order; without `is_quarters` every building is a dwelling."""
    quarters = np.zeros(len(address), bool) if is_quarters is None else is_quarters
    unit = np.where(quarters, 0, unit)
    order = np.lexsort((relation, key, is_bureau, sex_age, unit, address))
    return Block(
        address=address[order],
        unit=unit[order],
        sex_age=sex_age[order],
        is_bureau=is_bureau[order],
        key=key[order],
        relation=relation[order],
        features=features[order],
        position=order,
        is_quarters=quarters[order],
    )


def group_of(sex_age: Integers) -> Integers:
    """Group of sex and age; -1 for children."""
    band, is_man = sex_age // 2, sex_age % 2
    age_group = np.searchsorted(AGE_GROUP_STARTS, band, side="right") - 1
    return np.where(sex_age < 0, -1, age_group * 2 + is_man)


def numbered(*columns: Integers) -> Integers:
    """Number of each distinct combination, in the order of the values."""
    order = np.lexsort(columns[::-1])
    is_new = np.zeros(len(order), bool)
    if len(order):
        is_new[0] = True
    for column in columns:
        ordered = column[order]
        is_new[1:] |= ordered[1:] != ordered[:-1]
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(is_new) - 1
    return number


def run_starts(ordered: Integers) -> Integers:
    """Positions at which a sorted column changes its value, the first included."""
    is_first = np.ones(len(ordered), bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    return np.flatnonzero(is_first)


def ranks(group: Integers) -> Integers:
    """Position of each row within its group, in the order of the rows."""
    order = np.argsort(group, kind="stable")
    starts = run_starts(group[order])
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(starts, np.diff(np.r_[starts, len(group)]))
    return rank


@dataclass(frozen=True)
class Layout:
    """A block with its numbers: addresses, units, register households, dwellings, and the certain matches."""

    block: Block
    address: Integers
    """Number of the address, by row."""
    unit: Integers
    """Number of address and unit, by row."""
    household: Integers
    """Number of the register household at the address, by row; -1 for bureau persons. One that stands in several units (a defect
    of the register) is one in each."""
    dwelling: Integers
    """Number of the people who live together as the register shows it; -1 for bureau persons.

    A dwelling unit holds one household (census definition), so register households of one unit live together, and so do
    those of group quarters; in houses without units each register household is a dwelling of its own.
    """
    role: Integers
    """Position in ROLES, by row; -1 for bureau persons."""
    partner: Integers
    """Row of the person of the other source with the same unit (or group quarters), sex and band; -1 where there is none."""
    is_crowded: Flags
    """The bureau has more people of the sex and band in the unit than the register: partners there are a guess."""

    @cached_property
    def addresses(self) -> int:
        return size_of(self.address)

    @cached_property
    def households(self) -> int:
        return size_of(self.household)

    @cached_property
    def dwellings(self) -> int:
        return size_of(self.dwelling)

    @cached_property
    def is_register(self) -> Flags:
        return ~self.block.is_bureau

    @cached_property
    def has_units(self) -> Flags:
        """Whether the register knows units at the address, by address."""
        has_unit = self.is_register & (self.block.unit != 0)
        return np.bincount(self.address[has_unit], minlength=self.addresses) > 0

    @cached_property
    def households_at(self) -> Integers:
        """Register households, by address."""
        registered = np.flatnonzero(self.is_register)
        first = registered[np.unique(self.household[registered], return_index=True)[1]]
        return np.bincount(self.address[first], minlength=self.addresses)


def size_of(numbers: Integers) -> int:
    """How many numbers there are, counted from 0."""
    return int(numbers.max()) + 1 if len(numbers) else 0


def lay_out(block: Block) -> Layout:
    """Number the rows of a block and match bureau and register persons of one unit, sex and band.

    In a unit the k-th bureau person of a sex and band is the k-th register person of it, large register households
    first: whichever is taken, the dwelling is the same.
    """
    address = numbered(block.address)
    unit = numbered(block.address, block.unit)
    is_register = ~block.is_bureau
    rows = np.flatnonzero(is_register)
    household = np.full(block.rows, -1, np.int64)
    household[rows] = numbered(block.address[rows], block.unit[rows], block.key[rows])
    size = np.bincount(household[rows]) if len(rows) else np.zeros(0, np.int64)
    role = np.full(block.rows, -1, np.int64)
    role[rows] = _roles(household[rows], block.relation[rows], size)
    # The unit of a register household is the unit of its rows; a household without units is its own dwelling.
    own = np.where((block.unit[rows] == 0) & ~block.is_quarters[rows], household[rows] + 1, 0)
    dwelling = np.full(block.rows, -1, np.int64)
    dwelling[rows] = numbered(unit[rows], own)
    household_size = np.zeros(block.rows, np.int64)
    household_size[rows] = size[household[rows]]
    return Layout(block, address, unit, household, dwelling, role, *_partners(block, unit, household_size))


def _roles(household: Integers, relation: Integers, size: Integers) -> Integers:
    has_spouse = np.bincount(household[relation == 1], minlength=len(size)) > 0
    is_head = relation == 0
    return np.select(
        [size[household] == 1, is_head & has_spouse[household], is_head, relation == 1, relation == 2, relation == 3],
        [0, 1, 2, 3, 4, 5],
        6,
    ).astype(np.int64)


def _partners(block: Block, unit: Integers, household_size: Integers) -> tuple[Integers, Flags]:
    partner = np.full(block.rows, -1, np.int64)
    rows = np.flatnonzero(((block.unit != 0) | block.is_quarters) & (block.sex_age >= 0))
    # Within the sorted block bureau follows register; large register households come first among equals.
    order = rows[np.lexsort((rows, -household_size[rows], block.is_bureau[rows], block.sex_age[rows], unit[rows]))]
    cell = numbered(unit[order], block.sex_age[order])
    source = block.is_bureau[order]
    rank = ranks(cell * 2 + source)
    cells = size_of(cell)
    registered = np.bincount(cell[~source], minlength=cells)
    known = np.bincount(cell[source], minlength=cells)
    is_paired = rank < np.minimum(registered, known)[cell]
    left, right = order[is_paired & ~source], order[is_paired & source]
    partner[left], partner[right] = right, left
    is_crowded = np.zeros(block.rows, bool)
    is_crowded[order] = ((known > registered) & (registered > 0))[cell] & ~block.is_quarters[order]
    return partner, is_crowded
