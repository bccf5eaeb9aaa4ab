"""People of register households whom the register has elsewhere, among the extras.

An extra is a bureau person of whose sex and band the register knows nobody where it stands. Two kinds live with register people:

- **The head a register household lacks.** Relations are to a head, so a household in which nobody is head says whom it misses:
  somebody who is to its oldest member as heads are to such members (relation, sexes, distance of bands).
- **Another unit.** Nobody of a register household is known in its unit, and extras of its sexes and bands are in another unit of
  the building: one of the sources has an old unit. By chance extras come too, the likelier the more people of their sex and band
  are registered in the building, and with their own family.

Each such household has one of these options or none; how often it has one is estimated by EM. Exact where options exclude one
another at one household or at one place; else each stands against all that exclude it. Source: Dempster, Laird & Rubin (1977).

Bound: pairs of such households and extras of one address, in buildings of at most 4,096 units; no step over people in Python.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from living_finance.households.layout import RELATIONS, Flags, Layout, group_of, numbered, run_starts, size_of
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import mixed, unit_interval

_BANDS = 17
_CELLS = 2 * _BANDS
_CELL_SEX_AGE = np.arange(_CELLS) // 2 * 10 + np.arange(_CELLS) % 2
_YOUNGEST_ADULT = 30
_GAPS = 2 * _BANDS - 1
_KINDS = (len(RELATIONS) + 1) * 2 * _GAPS
"""Relation of the oldest member to the head (children under 15 are one of their own), same sex, distance of bands."""
_MOST_UNITS = 4096
_MOST_COMPANY = 32
_FEWEST = 20
"""Households: with fewer the month does not tell how often they have somebody."""
_PSEUDO = 0.1
_ROUNDS = 200
_OUTER_ROUNDS = 5
_MOST_CLAIMED = 0.9
_LEAST = 1e-3
_MOST_LOG_WEIGHT = 50.0
_ABSENT = 2**44
"""Purpose of random numbers, beyond every step of the chain."""


@dataclass(frozen=True)
class Absences:
    """How often the register has people elsewhere, and who goes with whom; plain numbers."""

    by_chance: float
    """Share of extras who live with no register household."""
    heads_here: float
    """Share of register households without a head whose head is among the extras."""
    head_kinds: list[float]
    """Share of heads by what they are to the oldest other member; each relation adds up to one."""
    other_unit: float
    """Share of register households in units who are in another unit of the building."""
    company: list[list[float]]
    """People of each sex and band (columns) in the register household of somebody of a sex and band (rows)."""
    registered: list[float]
    """Share of each sex and band among registered adults."""


@dataclass(frozen=True)
class Claims:
    """Extras whom register households may have: one entry per person and household."""

    row: Integers
    dwelling: Integers
    slot: Integers
    """Row of the register person who would be the same; -1 for a head whom the register lacks."""
    probability: Floats
    is_made: Flags
    """In the point assignment or the draw; at most one of a person."""


@dataclass(frozen=True)
class _Options:
    """What register households may have: a household has one of its options or none, a place is of one option."""

    household: Integers
    place: Integers
    weight: Floats
    """Likelihood of the option to that of none."""
    option: Integers
    """Of each person, and so `row` and `slot`."""
    row: Integers
    slot: Integers

    def probability(self, share: float) -> Floats:
        odds = share * self.weight
        at_household, at_place = (_sums(of, odds)[of] for of in (self.household, self.place))
        result: Floats = odds / (1 - share + at_household + at_place - odds)
        return result


def fit_absences(
    layout: Layout,
    *,
    rows: Integers,
    extra_rate: list[list[float]],
    settled: float,
    present: list[list[float]],
    unit_known: float,
) -> Absences:
    """Shares from the month's own data.

    Args:
        layout: of the sampled addresses.
        rows: the extras.
        extra_rate: of `AssignmentModel`, as are `settled`, `present` and `unit_known`.

    Returns:
        The shares; 0 where there are too few such households.
    """
    kinds, company, registered = _head_kinds(layout), _company(layout), _registered_shares(layout)
    without_head = len(_oldest(layout, has_head=False))
    unanswered = len(np.unique(layout.household[_unanswered(layout)]))
    in_units = len(np.unique(layout.household[_adults_in_units(layout)])) if unanswered >= _FEWEST else 0
    by_chance, heads_here, other_unit = 1.0, 0.0, 0.0
    for _ in range(_OUTER_ROUNDS):
        rates = np.array(extra_rate) * by_chance
        heads = _missing_heads(layout, rows, rates, kinds=kinds, unit_known=unit_known)
        movers = _in_other_units(
            layout, rows, rates[2], settled=settled, present=np.array(present), company=company, registered=registered
        )
        heads_here, other_unit = _share(heads, without_head), _share(movers, in_units)
        claimed = heads.probability(heads_here).sum() + movers.probability(other_unit)[movers.option].sum()
        by_chance = 1 - min(claimed / max(len(rows), 1), _MOST_CLAIMED)
    return Absences(by_chance, heads_here, kinds.tolist(), other_unit, company.tolist(), registered.tolist())


def claims(
    layout: Layout,
    absences: Absences,
    *,
    rows: Integers,
    extra_rate: list[list[float]],
    settled: float,
    present: list[list[float]],
    unit_known: float,
    seed: int,
    draw: int | None,
) -> Claims:
    """Which extras live with which register households.

    Args:
        layout: whole addresses.
        absences: the month's shares (`fit_absences`).
        rows: the extras.
        extra_rate: of `AssignmentModel`, as are `settled`, `present` and `unit_known`.
        seed: the run's seed.
        draw: None for the claims more probable than not; else the number of a draw.

    Returns:
        Claims with a probability of at least 0.001, in its order; those of a person add up to 1 at most.
    """
    rates, kinds = np.array(extra_rate) * absences.by_chance, np.array(absences.head_kinds)
    about = {"present": np.array(present), "company": np.array(absences.company), "registered": np.array(absences.registered)}
    ways = (
        (absences.heads_here, _missing_heads(layout, rows, rates, kinds=kinds, unit_known=unit_known)),
        (absences.other_unit, _in_other_units(layout, rows, rates[2], settled=settled, **about)),
    )
    home_row = _first_rows(layout)
    found = []
    for number, (share, options) in enumerate(ways):
        probability = options.probability(share)
        chance = unit_interval(mixed(np.uint64(seed), layout.block.key[home_row[options.household]], draw or 0, _ABSENT + number))
        is_made = probability > 0.5 if draw is None else _picked(options.household, probability, chance)
        of = options.option
        found.append((options.row, home_row[options.household[of]], options.slot, probability[of], is_made[of]))
    row, home, slot, probability, is_made = (np.concatenate(column) for column in zip(*found, strict=True))
    # Both ways may speak for a person, and in a draw several households: the likeliest has it.
    order = np.lexsort((slot, home, -probability, ~is_made, row))
    is_first = np.zeros(len(row), bool)
    is_first[order[run_starts(row[order])]] = True
    is_made &= is_first
    probability = probability / np.maximum(_sums(row, probability)[row], 1.0)
    kept = np.flatnonzero((probability >= _LEAST) | is_made)
    kept = kept[np.argsort(probability[kept], kind="stable")]
    return Claims(row[kept], layout.dwelling[home[kept]], slot[kept], probability[kept], is_made[kept])


def _sums(group: Integers, values: Floats) -> Floats:
    """Sums by group, added up in the order of the values: the same to the last bit whatever things are called."""
    order = np.argsort(values, kind="stable")
    return np.bincount(group[order], weights=values[order]).astype(np.float64)


def _share(options: _Options, households: int) -> float:
    if households < _FEWEST:
        return 0.0
    share = 0.5
    for _ in range(_ROUNDS):
        share = float(np.clip(options.probability(share).sum() / households, 0.0, 0.99))
    return share


def _picked(household: Integers, probability: Floats, chance: Floats) -> Flags:
    """One of a household's options or none, as often as is probable, by a number in (0, 1) that its options share."""
    order = np.argsort(household, kind="stable")
    starts = run_starts(household[order])
    before = np.cumsum(probability[order]) - probability[order]
    before -= np.repeat(before[starts], np.diff(np.r_[starts, len(order)]))
    picked = np.zeros(len(order), bool)
    picked[order] = (chance[order] >= before) & (chance[order] < before + probability[order])
    return picked


def _first_rows(layout: Layout) -> Integers:
    """A row of each register household."""
    rows = np.flatnonzero(layout.is_register)
    return rows[np.unique(layout.household[rows], return_index=True)[1]]


def _oldest(layout: Layout, *, has_head: bool) -> Integers:
    """The oldest of the members who are not the head, of each register household with or without a head; none in quarters."""
    block = layout.block
    rows = np.flatnonzero(layout.is_register & ~block.is_quarters)
    is_head = block.relation[rows] == 0
    headed = np.bincount(layout.household[rows[is_head]], minlength=layout.households) > 0
    rows = rows[~is_head & (headed[layout.household[rows]] == has_head)]
    order = rows[np.lexsort((rows, -block.sex_age[rows], layout.household[rows]))]
    oldest: Integers = order[run_starts(layout.household[order])]
    return oldest


def _kind(layout: Layout, member: Integers, head: Integers) -> Integers:
    """What a head of a sex and band is to a member."""
    sex_age = layout.block.sex_age[member]
    relation = np.where(sex_age < 0, len(RELATIONS), layout.block.relation[member] % len(RELATIONS))
    gap = head // 10 - np.maximum(sex_age, 0) // 10 + _BANDS - 1
    kind: Integers = (relation * 2 + (head % 2 == sex_age % 2)) * _GAPS + gap
    return kind


def _head_kinds(layout: Layout) -> Floats:
    """Share of heads by kind, from register households of several."""
    block = layout.block
    heads = np.flatnonzero(layout.is_register & (block.relation == 0) & (block.sex_age >= 0))
    of_household = np.full(layout.households, -1, np.int64)
    of_household[layout.household[heads]] = heads
    member = _oldest(layout, has_head=True)
    head = of_household[layout.household[member]]
    kind = _kind(layout, member[head >= 0], block.sex_age[head[head >= 0]])
    counts = np.bincount(kind, minlength=_KINDS).reshape(len(RELATIONS) + 1, -1) + _PSEUDO
    shares: Floats = (counts / counts.sum(axis=1, keepdims=True)).ravel()
    return shares


def _missing_heads(layout: Layout, rows: Integers, rates: Floats, *, kinds: Floats, unit_known: float) -> _Options:
    """Extras of the unit, or of the address if either has no unit, as heads of register households without one."""
    block = layout.block
    member = _oldest(layout, has_head=False)
    left, right = _joined(layout.address[member], layout.address[rows])
    member, row = member[left], rows[right]
    may = (block.unit[member] == 0) | (block.unit[row] == 0) | (block.unit[member] == block.unit[row])
    member, row = member[may], row[may]
    has_units = layout.has_units[layout.address[row]]
    place = np.where(block.unit[row] != 0, 2, has_units)
    exposed = np.where(place == 2, 1, layout.households_at[layout.address[row]])
    is_said = np.where(place == 2, unit_known, np.where(has_units, 1 - unit_known, 1.0))
    weight = is_said * kinds[_kind(layout, member, block.sex_age[row])] / (rates[place, _cell(layout, row)] * exposed)
    return _Options(layout.household[member], row, weight, np.arange(len(row)), row, np.full(len(row), -1))


def _adults_in_units(layout: Layout) -> Integers:
    block = layout.block
    return np.flatnonzero(layout.is_register & (block.unit != 0) & ~block.is_quarters & (block.sex_age >= 0))


def _unanswered(layout: Layout) -> Integers:
    """Adults of register households in units in which no bureau person answers anybody of the household."""
    adults = _adults_in_units(layout)
    is_answered = np.zeros(layout.households, bool)
    is_answered[layout.household[adults[(layout.partner[adults] >= 0) | layout.is_crowded[adults]]]] = True
    return adults[~is_answered[layout.household[adults]]]


def _in_other_units(
    layout: Layout, rows: Integers, rate: Floats, *, settled: float, present: Floats, company: Floats, registered: Floats
) -> _Options:
    """Extras of one unit as the people of a register household of another.

    If they are, each adult of the household is there with the probability of a settled one, and other extras come by chance.
    If they are not, nobody of the household has a record: of somebody alone that is common, of a family rare.
    """
    block = layout.block
    units = np.bincount(layout.address[np.unique(layout.unit, return_index=True)[1]], minlength=layout.addresses)
    adults, rows = _unanswered(layout), rows[block.unit[rows] != 0]
    adults, rows = (of[units[layout.address[of]] <= _MOST_UNITS] for of in (adults, rows))
    expected = rate[_cell(layout, rows)] * _likeness(layout, rows, registered)
    by_chance = _all_by_chance(layout, rows, expected, company * present[1, group_of(np.maximum(_CELL_SEX_AGE, _YOUNGEST_ADULT))])
    cell = numbered(np.r_[layout.address[adults], layout.address[rows]], np.r_[block.sex_age[adults], block.sex_age[rows]])
    left, right = _joined(cell[: len(adults)], cell[len(adults) :])
    may = layout.unit[adults[left]] != layout.unit[rows[right]]
    slot, row, expected = adults[left[may]], rows[right[may]], expected[right[may]]
    # Of several people of a cell the k-th is the k-th.
    both = numbered(layout.household[slot], layout.unit[row], block.sex_age[row])
    is_kth = _rank_in(both, slot) == _rank_in(both, row)
    slot, row, expected = slot[is_kth], row[is_kth], expected[is_kth]
    option = numbered(layout.household[slot], layout.unit[row])
    first = np.unique(option, return_index=True)[1]
    household, place = layout.household[slot[first]], layout.unit[row[first]]
    here = present[1, group_of(block.sex_age)]
    at_random, nobody = (
        np.bincount(
            layout.household[adults], weights=np.log1p(-of_class[group_of(block.sex_age[adults])]), minlength=layout.households
        )
        for of_class in present
    )
    unanswered = np.logaddexp(np.log(settled) + nobody, np.log(1 - settled) + at_random)
    somebody = np.bincount(option, weights=np.log(here[slot] / (1 - here[slot]) / expected), minlength=len(first))
    log_weight = (
        somebody
        + (nobody - unanswered)[household]
        + by_chance[place]
        - np.log(np.maximum(units[layout.address[row[first]]] - 1, 1))
    )
    return _Options(household, place, np.exp(np.minimum(log_weight, _MOST_LOG_WEIGHT)), option, row, slot)


def _cell(layout: Layout, row: Integers) -> Integers:
    """Position of sex and band in the rates."""
    sex_age = layout.block.sex_age[row]
    cell: Integers = sex_age // 10 * 2 + sex_age % 2
    return cell


def _registered_adults(layout: Layout) -> Integers:
    return np.flatnonzero(layout.is_register & ~layout.block.is_quarters & (layout.block.sex_age >= 0))


def _registered_shares(layout: Layout) -> Floats:
    """`Absences.registered`; a pseudo-person for ten cells, so that none is empty."""
    cell = _cell(layout, _registered_adults(layout))
    return np.asarray((np.bincount(cell, minlength=_CELLS) + _PSEUDO) / (len(cell) + _PSEUDO * _CELLS), dtype=np.float64)


def _likeness(layout: Layout, rows: Integers, overall: Floats) -> Floats:
    """How much more often than elsewhere people of a row's sex and band are registered at the address, which draws its extras.

    A pseudo-person to each sex and band, spread as in all addresses, keeps small buildings near the rest.
    """
    registered = _registered_adults(layout)
    here = np.bincount(layout.address[registered] * _CELLS + _cell(layout, registered), minlength=layout.addresses * _CELLS)
    people = np.bincount(layout.address[registered], minlength=layout.addresses)[layout.address[rows]]
    of_row = _cell(layout, rows)
    found = here[layout.address[rows] * _CELLS + of_row] + _CELLS * overall[of_row]
    likeness: Floats = found / ((people + _CELLS) * overall[of_row])
    return likeness


def _all_by_chance(layout: Layout, rows: Integers, expected: Floats, company: Floats) -> Floats:
    """Log likelihood of the extras of each unit if all came by chance, to that if the others are the family of the oldest."""
    number = np.lexsort((rows, -layout.block.sex_age[rows], layout.unit[rows]))
    order = rows[number]
    starts = run_starts(layout.unit[order])
    oldest = np.repeat(order[starts], np.diff(np.r_[starts, len(order)]))
    beside = company[_cell(layout, oldest), _cell(layout, order)]
    ratio = np.where(order == oldest, company.sum(axis=1)[_cell(layout, oldest)], -np.log1p(beside / expected[number]))
    return np.bincount(layout.unit[order], weights=ratio, minlength=size_of(layout.unit)).astype(np.float64)


def _company(layout: Layout) -> Floats:
    """`Absences.company`, from register households of at most 32 adults."""
    rows = _registered_adults(layout)
    rows = rows[np.bincount(layout.household[rows], minlength=layout.households)[layout.household[rows]] <= _MOST_COMPANY]
    left, right = _joined(layout.household[rows], layout.household[rows])
    cell = _cell(layout, rows)
    left, right = left[left != right], right[left != right]
    together = np.bincount(cell[left] * _CELLS + cell[right], minlength=_CELLS**2).reshape(_CELLS, _CELLS)
    table: Floats = together / (np.bincount(cell, minlength=_CELLS)[:, None] + 1.0)
    return table


def _rank_in(group: Integers, value: Integers) -> Integers:
    """Position of each value among the distinct values of its group."""
    pair = numbered(group, value)
    first = np.full(size_of(group), len(group), np.int64)
    np.minimum.at(first, group, pair)
    rank: Integers = pair - first[group]
    return rank


def _joined(left: Integers, right: Integers) -> tuple[Integers, Integers]:
    """Positions of all pairs of equal values."""
    order = np.argsort(right, kind="stable")
    start, end = (np.searchsorted(right[order], left, side=side) for side in ("left", "right"))
    many = end - start
    within = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    return np.repeat(np.arange(len(left)), many), order[np.repeat(start, many) + within]
