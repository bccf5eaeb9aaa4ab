"""Register households of one house without dwelling units that live together.

In a dwelling unit they are seen: a register household of one person (a grown child, a parent, a flatmate registered apart)
stands beside the unit's main one. That gives the rate at which a main household has such a guest, by how the two differ in sex
and age. In a house a single person is a guest, or a household; households of one person appear in houses at a rate of their own,
by sex and age and by how many register households the house has (mixture of Poisson processes, EM).
Source: Dempster, Laird & Rubin (1977), JRSS B 39.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from living_finance.households.layout import Layout, numbered, ranks, run_starts
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import mixed, unit_interval

_GAPS = 8
_KINDS = 2 * 2 * (2 * _GAPS + 1)
_CELLS = 34
_HOUSE_STARTS = (2, 3, 4, 6, 11)
"""Register households at an address: houses of one class have one rate."""
_MOST_HOUSEHOLDS = 64
"""At an address; in larger houses nobody is taken for a guest."""
_ROUNDS = 100
_PSEUDO = 2.0
_LEAST = 1e-3
_SHARING = 2**43
"""Purpose of random numbers, beyond every step of the chain."""


@dataclass(frozen=True)
class Sharing:
    """Rates of guests and of people living alone; plain numbers."""

    guest_rate: list[float]
    """By kind of pair: guests per main household and cell of sex and band."""
    alone_rate: list[list[float]]
    """[class of house] × sex and band: households of one person per house that has one register household less."""


@dataclass(frozen=True)
class _Households:
    """Register households by number: address, size, sex and age of the one who stands for it (head, else the oldest)."""

    row: Integers
    address: Integers
    size: Integers
    sex_age: Integers

    @classmethod
    def of(cls, layout: Layout) -> _Households:
        block = layout.block
        rows = np.flatnonzero(layout.is_register)
        order = rows[np.lexsort((rows, -block.sex_age[rows], block.relation[rows] != 0, layout.household[rows]))]
        first = order[run_starts(layout.household[order])] if len(order) else order
        size = np.bincount(layout.household[rows], minlength=layout.households)
        return cls(first, layout.address[first], size, block.sex_age[first])


def fit_sharing(layout: Layout) -> Sharing:
    """Rates from the month's units and houses.

    Args:
        layout: of the sampled addresses.

    Returns:
        The rates; 0 for guests where no unit shows any.
    """
    block = layout.block
    homes = _Households.of(layout)
    adult = homes.sex_age >= 0
    unit = np.where(block.unit[homes.row] != 0, layout.unit[homes.row], -1)
    in_unit = np.flatnonzero((unit >= 0) & adult)
    order = in_unit[np.lexsort((in_unit, -homes.sex_age[in_unit], -homes.size[in_unit], unit[in_unit]))]
    turn = ranks(unit[order])
    hosts = order[turn == 0]
    guests = np.flatnonzero((turn > 0) & (homes.size[order] == 1))
    host_of = np.repeat(hosts, np.diff(np.r_[np.flatnonzero(turn == 0), len(order)]))[guests]
    guests = order[guests]
    seen = np.bincount(_kind(homes, guests, host_of), minlength=_KINDS).astype(float)
    band, man = np.divmod(np.arange(_CELLS), 2)
    cells = band * 10 + man
    exposure = np.zeros(_KINDS)
    for cell in cells.tolist():
        exposure += np.bincount(_kind_of(np.full(len(hosts), cell), homes.sex_age[hosts], homes.size[hosts]), minlength=_KINDS)
    # Few pairs of a kind: as many pseudo-guests at the mean over all differences of age keep it near the rest.
    by_age = (seen.reshape(4, -1).sum(axis=1) / np.maximum(exposure.reshape(4, -1).sum(axis=1), 1.0)).repeat(2 * _GAPS + 1)
    guest_rate = by_age * (seen + _PSEUDO) / np.maximum(exposure * by_age + _PSEUDO, 1e-12)
    sharing = Sharing(guest_rate.tolist(), np.zeros((len(_HOUSE_STARTS), _CELLS)).tolist())
    return replace(sharing, alone_rate=_alone_rates(layout, homes, sharing).tolist())


def _alone_rates(layout: Layout, homes: _Households, sharing: Sharing) -> Floats:
    guest, _, rate = _pairs(layout, homes, sharing)
    total = np.bincount(guest, weights=rate, minlength=layout.households)
    singles = np.unique(guest)
    house = _house_class(layout.households_at[homes.address[singles]])
    cell = homes.sex_age[singles] // 10 * 2 + homes.sex_age[singles] % 2
    is_house = _is_house(layout)
    exposed = np.bincount(_house_class(layout.households_at[is_house] + 1), minlength=len(_HOUSE_STARTS))
    alone = np.full(len(singles), 0.9)
    counts = np.zeros((len(_HOUSE_STARTS), _CELLS))
    for _ in range(_ROUNDS):
        counts = np.zeros((len(_HOUSE_STARTS), _CELLS))
        np.add.at(counts, (house, cell), alone)
        # Pseudo-persons with the sexes and ages of all keep small classes near the rest.
        share = (counts.sum(axis=0) + _PSEUDO) / (counts.sum() + _PSEUDO * _CELLS)
        level = counts.sum(axis=1, keepdims=True)
        counts = (counts + _PSEUDO * _CELLS * share) * level / (level + _PSEUDO * _CELLS)
        counts /= np.maximum(exposed, 1)[:, None]
        expected = counts[house, cell]
        alone = expected / np.maximum(expected + total[singles], 1e-12)
    return counts


def _is_house(layout: Layout) -> Integers:
    """Addresses of houses without units."""
    in_quarters = np.zeros(layout.addresses, bool)
    in_quarters[layout.address[layout.block.is_quarters]] = True
    return np.flatnonzero(~layout.has_units & ~in_quarters & (layout.households_at > 0))


def _house_class(households: Integers) -> Integers:
    return np.maximum(np.searchsorted(_HOUSE_STARTS, households, side="right") - 1, 0)


def _kind_of(guest: Integers, host: Integers, host_size: Integers) -> Integers:
    gap = np.clip(guest // 10 - host // 10, -_GAPS, _GAPS) + _GAPS
    kind: Integers = ((host_size == 1) * 2 + (guest % 2 == host % 2)) * (2 * _GAPS + 1) + gap
    return kind


def _kind(homes: _Households, guest: Integers, host: Integers) -> Integers:
    return _kind_of(homes.sex_age[guest], homes.sex_age[host], homes.size[host])


def _pairs(layout: Layout, homes: _Households, sharing: Sharing) -> tuple[Integers, Integers, Floats]:
    """Who could be whose guest in a house, and at which rate. Of two single people the younger is the guest."""
    is_house = np.zeros(layout.addresses, bool)
    is_house[_is_house(layout)] = True
    is_house &= (layout.households_at >= 2) & (layout.households_at <= _MOST_HOUSEHOLDS)
    chosen = np.flatnonzero(is_house[homes.address] & (homes.sex_age >= 0))
    chosen = chosen[np.lexsort((chosen, -homes.sex_age[chosen], homes.address[chosen]))]
    address = homes.address[chosen]
    count = np.bincount(numbered(address)) if len(chosen) else np.zeros(0, np.int64)
    start = np.repeat(np.cumsum(count) - count, count)
    many = np.repeat(count, count)
    left = np.repeat(np.arange(len(chosen)), many)
    right = np.arange(len(left)) - np.repeat(np.cumsum(many) - many, many) + np.repeat(start, many)
    guest_place, host_place = left, right
    guest, host = chosen[guest_place], chosen[host_place]
    may = (guest_place != host_place) & (homes.size[guest] == 1) & ((homes.size[host] > 1) | (host_place < guest_place))
    guest, host = guest[may], host[may]
    return guest, host, np.array(sharing.guest_rate)[_kind(homes, guest, host)]


def sharing_pairs(layout: Layout, sharing: Sharing) -> tuple[Integers, Integers, Floats]:
    """Probability that a single person's register household lives with another of the house.

    Args:
        layout: whole addresses.
        sharing: the month's rates (`fit_sharing`).

    Returns:
        Numbers of the two register households, and the probability; pairs below 0.001 left out.
    """
    homes = _Households.of(layout)
    guest, host, rate = _pairs(layout, homes, sharing)
    total = np.bincount(guest, weights=rate, minlength=layout.households)
    cell = homes.sex_age[guest] // 10 * 2 + homes.sex_age[guest] % 2
    house = _house_class(layout.households_at[homes.address[guest]])
    probability = rate / np.maximum(total[guest] + np.array(sharing.alone_rate)[house, cell], 1e-12)
    kept = probability >= _LEAST
    return guest[kept], host[kept], probability[kept]


def share(layout: Layout, sharing: Sharing, *, seed: int, draw: int) -> Layout:
    """A draw of who lives together: the layout with register households of a house in one dwelling as often as is probable.

    Args:
        layout: whole addresses.
        sharing: the month's rates.
        seed: the run's seed.
        draw: number of the draw.
    """
    guest, host, probability = sharing_pairs(layout, sharing)
    if len(guest) == 0:
        return layout
    order = np.lexsort((host, guest))
    guest, host, probability = guest[order], host[order], probability[order]
    first = run_starts(guest)
    before = np.cumsum(probability) - probability
    before -= np.repeat(before[first], np.diff(np.r_[first, len(guest)]))
    key = layout.block.key[_Households.of(layout).row[guest]]
    number = unit_interval(mixed(np.uint64(seed), key, draw, _SHARING))
    is_host = (number >= before) & (number < before + probability)
    leads_to = np.arange(layout.households)
    leads_to[guest[is_host]] = host[is_host]
    while not np.array_equal(leads_to[leads_to], leads_to):  # ends: hosts are larger or older than guests
        leads_to = leads_to[leads_to]
    dwelling_of = _dwelling_of(layout)
    dwelling = layout.dwelling.copy()
    rows = np.flatnonzero(layout.is_register)
    dwelling[rows] = numbered(dwelling_of[leads_to[layout.household[rows]]])
    return replace(layout, dwelling=dwelling)


def _dwelling_of(layout: Layout) -> Integers:
    """The dwelling of each register household."""
    rows = np.flatnonzero(layout.is_register)
    dwelling = np.zeros(layout.households, np.int64)
    dwelling[layout.household[rows]] = layout.dwelling[rows]
    return dwelling


def living_together(layout: Layout, sharing: Sharing) -> Together:
    """How probable it is that two dwellings of the layout are one."""
    guest, host, probability = sharing_pairs(layout, sharing)
    dwelling_of = _dwelling_of(layout)
    left, right = dwelling_of[guest], dwelling_of[host]
    apart = left != right
    left, right, probability = left[apart], right[apart], probability[apart]
    many = layout.dwellings
    code = np.r_[left * many + right, right * many + left]
    pair, place = np.unique(code, return_inverse=True)
    return Together(many, pair, np.minimum(np.bincount(place, weights=np.r_[probability, probability]), 1.0))


@dataclass(frozen=True)
class Together:
    """Sparse table of dwellings that may be one."""

    dwellings: int
    pair: Integers
    probability: Floats

    def of(self, left: Integers, right: Integers) -> Floats:
        """The probability that two dwellings are one; 0 for extras, and for the same."""
        if len(self.pair) == 0:
            return np.zeros(len(left))
        code = np.where((left >= 0) & (right >= 0), left * self.dwellings + right, -1)
        place = np.minimum(np.searchsorted(self.pair, code), len(self.pair) - 1)
        return np.where(self.pair[place] == code, self.probability[place], 0.0)
