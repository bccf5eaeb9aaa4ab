"""Draws of who is whom where no dwelling unit tells people apart: a Markov chain over the matchings of an address.

A cell is everybody of one address, sex and band who has no partner by unit. Its bureau persons and register persons are
matched one to one, or not at all (extras; register persons without a record). What the cells of an address share is
integrated out, not drawn: whether a register household is settled (two classes), and the level at which a dwelling spends
(normal). Where each cell of an address has one person and one register person, and there are few cells, all matchings are listed
and their posterior is exact. Elsewhere the chain moves freely between matchings (collapsed sampler; Liu 1994): it swaps two
places of a cell at a time (Metropolis); one cell of every address moves at once, those of different addresses side by side.

Random numbers are hashes of address, cell and step: a person's draws depend on nothing but the people of the address.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from living_finance.households.layout import EXTRA, Layout, group_of, numbered, ranks, size_of
from living_finance.households.model import AssignmentModel, cell_of, holds_housing_loan, residuals, role_ratios
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import mixed, unit_interval

BURN_IN = 15
DRAWS = 48
_JUDGING = 8
_JUDGING_DOUBTFUL = 64
"""Rounds that say how probable the chosen assignment is: everywhere, then where draws differ."""
_SURE = 0.05
_MOVES = 4
MOST_MOVES = 64
"""Of a cell in one round of the chain."""
_NOBODY = -1
_MOST_LISTED_CELLS = 7
"""Cells of an address whose matchings are listed: at most 128 of them."""
_LISTED = 104_729
"""Step that gives such an address its random number; draws follow it by the golden ratio, evenly over the matchings."""
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Pool:
    """Cells where bureau persons meet register persons, and their places.

    A cell has as many places as register persons and bureau persons together: first one place per register person,
    then one per bureau person for being an extra. Each place holds a bureau person or nobody.
    """

    layout: Layout
    model: AssignmentModel
    person_row: Integers
    """Row of the block of each bureau person."""
    slot_row: Integers
    """Row of the block of each register person."""
    cell_key: npt.NDArray[np.uint64]
    cell_address: Integers
    log_extra_rate: Floats
    """Of each cell: extras expected at the address."""
    first: Integers
    """First place of each cell."""
    places: Integers
    """Number of places of each cell."""
    first_person: Integers
    """First bureau person (position in person_row) of each cell, whose persons follow one another."""
    persons: Integers
    """Number of bureau persons of each cell."""
    place_slot: Integers
    """Register person (position in slot_row) of each place, -1 for an extra's."""
    place_dwelling: Integers
    """Dwelling of each place, -1 for an extra's."""
    place_cell: Integers
    start: Integers
    """Bureau person (position in person_row) in each place, or -1, before the chain begins."""

    @classmethod
    def of(cls, layout: Layout, model: AssignmentModel, *, seed: int) -> Pool | None:
        """The pool of a block; None if nothing is open there."""
        block = layout.block
        open_to = (block.unit == 0) | ~layout.has_units[layout.address]
        open_to &= ~block.is_quarters
        crowded = layout.is_crowded
        persons = np.flatnonzero(block.is_bureau & (crowded | ((layout.partner < 0) & open_to)))
        slots = np.flatnonzero(layout.is_register & (crowded | (layout.partner < 0)) & (block.sex_age >= 0))
        cell = numbered(layout.address, np.where(crowded, layout.unit, -1), block.sex_age)
        count = size_of(cell)
        in_play = (np.bincount(cell[persons], minlength=count) > 0) & (np.bincount(cell[slots], minlength=count) > 0)
        persons, slots = persons[in_play[cell[persons]]], slots[in_play[cell[slots]]]
        if len(persons) == 0:
            return None
        names = np.flatnonzero(in_play)
        persons, slots = (rows[np.argsort(cell[rows], kind="stable")] for rows in (persons, slots))
        n_person, n_slot = (np.bincount(cell[rows], minlength=count)[names] for rows in (persons, slots))
        places = n_person + n_slot
        first = np.r_[0, np.cumsum(places)[:-1]]
        place_cell = np.repeat(np.arange(len(names)), places)
        within = np.arange(places.sum()) - first[place_cell]
        first_slot, first_person = np.r_[0, np.cumsum(n_slot)[:-1]], np.r_[0, np.cumsum(n_person)[:-1]]
        place_slot = np.where(within < n_slot[place_cell], first_slot[place_cell] + within, -1)
        row = slots[first_slot]
        kind = np.where(crowded[row], 2, layout.has_units[layout.address[row]])
        rate = np.array(model.extra_rate)[kind, cell_of(block.sex_age[row])]
        exposed = np.where(crowded[row], 1, np.maximum(layout.households_at[layout.address[row]], 1))
        key = mixed(np.uint64(seed), block.address[row], block.sex_age[row])
        return cls(
            layout=layout,
            model=model,
            person_row=persons,
            slot_row=slots,
            cell_key=np.where(crowded[row], mixed(key, block.unit[row]), key),
            cell_address=layout.address[row],
            log_extra_rate=np.log(rate * exposed),
            first=first,
            places=places,
            first_person=first_person,
            persons=n_person,
            place_slot=place_slot,
            place_dwelling=np.where(place_slot >= 0, layout.dwelling[slots[place_slot]], -1),
            place_cell=place_cell,
            start=np.where(within < n_person[place_cell], first_person[place_cell] + within, _NOBODY),
        )

    def chain(self) -> Chain:
        """A chain at its start."""
        return Chain(self)

    def dwelling_of_persons(self, held: Integers) -> Integers:
        """The dwelling of each person, -1 for extras, from who is in which place."""
        where = np.full(len(self.person_row), -1, np.int64)
        taken = np.flatnonzero(held >= 0)
        where[held[taken]] = self.place_dwelling[taken]
        return where

    def places_for(self, wanted: Integers) -> Integers:
        """Who is in which place if each person is in the wanted dwelling (-1: an extra's place)."""
        held = np.full(len(self.place_slot), _NOBODY, np.int64)
        person_cell = np.empty(len(self.person_row), np.int64)
        in_place = self.start >= 0
        person_cell[self.start[in_place]] = self.place_cell[in_place]
        # The k-th person of a cell who is wanted in a dwelling takes the k-th place of it there.
        place_group = numbered(np.r_[self.place_cell, person_cell], np.r_[self.place_dwelling, wanted])
        of_place, of_person = place_group[: len(held)], place_group[len(held) :]
        place_order = np.lexsort((np.arange(len(held)), of_place))
        person_order = np.lexsort((np.arange(len(wanted)), of_person))
        starts = np.searchsorted(of_place[place_order], of_person[person_order])
        held[place_order[starts + ranks(of_person)[person_order]]] = person_order
        return held

    def place_of_persons(self, held: Integers) -> Integers:
        """The place of each person, from who is in which place; the last entry is nobody's."""
        place_of = np.empty(len(self.person_row) + 1, np.int64)
        place_of[held] = np.arange(len(held))
        return place_of

    def proposals(self, cells: Integers, step: int, place_of: Integers) -> tuple[Integers, Integers, Floats]:
        """The place of one of the persons of each cell, another place of the cell, and a number in (0, 1)."""
        bits = mixed(self.cell_key[cells], step)
        who = (bits >> np.uint64(43)).astype(np.int64) * self.persons[cells] >> 21
        left = place_of[self.first_person[cells] + who]
        other = (bits >> np.uint64(22) & np.uint64(0x1FFFFF)).astype(np.int64) * (self.places[cells] - 1) >> 21
        right = self.first[cells] + other
        right += right >= left
        number = ((bits & np.uint64(0x3FFFFF)).astype(np.float64) + 0.5) / 2.0**22
        return left, right, number

    @cached_property
    def sure_spending(self) -> tuple[Floats, Floats]:
        """Sum of the spending residuals of the bureau persons whose dwelling is certain, and how many have one, by dwelling."""
        layout, rows = self.layout, self._sure_rows
        dwelling = layout.dwelling[layout.partner[rows]]
        residual = residuals(self.model, layout.block.features[rows], layout.block.sex_age[rows])
        total = np.bincount(dwelling, weights=residual, minlength=layout.dwellings).astype(np.float64)
        return total, np.bincount(dwelling[residual != 0], minlength=layout.dwellings).astype(np.float64)

    @cached_property
    def sure_members(self) -> Floats:
        """Bureau persons whose dwelling is certain, by dwelling."""
        layout = self.layout
        dwelling = layout.dwelling[layout.partner[self._sure_rows]]
        return np.bincount(dwelling, minlength=layout.dwellings).astype(np.float64)

    @cached_property
    def sure_loans(self) -> Floats:
        """Holders of a housing loan among the bureau persons whose dwelling is certain, by dwelling."""
        layout = self.layout
        rows = self._sure_rows[holds_housing_loan(layout.block.features[self._sure_rows])]
        return np.bincount(layout.dwelling[layout.partner[rows]], minlength=layout.dwellings).astype(np.float64)

    @property
    def _sure_rows(self) -> Integers:
        layout = self.layout
        sure = np.flatnonzero(layout.block.is_bureau & (layout.partner >= 0) & ~layout.is_crowded)
        near = np.zeros(layout.addresses, bool)
        near[layout.address[self.slot_row]] = True
        return sure[near[layout.address[sure]]]

    @cached_property
    def settled_odds(self) -> Floats:
        """Log odds that a register household is settled, given its adults whose presence is known already."""
        layout, model = self.layout, self.model
        present = np.array(model.present)
        adults = np.flatnonzero(layout.is_register & (layout.block.sex_age >= 0))
        in_pool = np.zeros(layout.block.rows, bool)
        in_pool[self.slot_row] = True
        adults = adults[~in_pool[adults]]
        q = present[:, group_of(layout.block.sex_age[adults])]
        ratio = np.where(layout.partner[adults] >= 0, np.log(q[1] / q[0]), np.log((1 - q[1]) / (1 - q[0])))
        odds = np.log(model.settled / (1 - model.settled))
        known = np.bincount(layout.household[adults], weights=ratio, minlength=layout.households).astype(np.float64)
        return np.asarray(odds + known, np.float64)


class Chain:
    """State of the chain: who is in which place, and by household and dwelling what the integrals rest on.

    Arrays by person, household and dwelling end in an entry for "none", at index -1: an extra's place belongs to no household
    and no dwelling, and nobody has no role and no spending.
    """

    def __init__(self, pool: Pool) -> None:
        layout, model = pool.layout, pool.model
        self._pool = pool
        self._rounds = 0
        self._listed = _listed(pool)
        self._steps = _steps(pool, np.setdiff1d(np.arange(len(pool.places)), np.concatenate([c.ravel() for c in self._listed])))
        self.held = pool.start.copy()
        self._place_of = pool.place_of_persons(self.held)
        is_slot = pool.place_slot >= 0
        rows = pool.slot_row[pool.place_slot]
        self._is_slot = is_slot.astype(np.float64)
        self._role = np.where(is_slot, layout.role[rows], EXTRA)
        self._household = np.where(is_slot, layout.household[rows], -1)
        present = np.array(model.present)[:, group_of(layout.block.sex_age[rows])]
        # A register person with a unit who has no partner there: the record is the one without a unit, or there is none.
        without = present * (1 - model.unit_known)
        is_unseen = (layout.block.unit[rows] != 0) & ~layout.is_crowded[rows]
        present = np.where(is_unseen, without / (1 - present + without), present)
        log_in, log_out = np.log(present), np.log1p(-present)
        self._worth = np.where(is_slot, log_in[0] - log_out[0], pool.log_extra_rate[pool.place_cell])
        """Log weight of holding somebody rather than nobody, the household not settled."""
        self._shift = np.where(is_slot, (log_in[1] - log_out[1]) - (log_in[0] - log_out[0]), 0.0)
        """What holding somebody adds to the log odds that the household is settled."""
        features, sex_age = layout.block.features[pool.person_row], layout.block.sex_age[pool.person_row]
        self._ratio = np.vstack([role_ratios(model, features, sex_age), np.zeros(EXTRA + 1)])
        self._rho = rho = model.spending_icc
        self._residual = residual = np.r_[residuals(model, features, sex_age), 0.0]
        self._says = (residual != 0).astype(np.float64)
        self._apart = self._says * (residual**2 * (0.5 - 0.5 / (1 - rho)) - 0.5 * np.log(1 - rho))
        """Log density of a residual given the dwelling's level at its mean, against that of anybody."""
        self._holds = np.r_[holds_housing_loan(features), False].astype(np.float64)
        self._log_loan_pairs = np.log(model.loan_pairs)
        empty = np.bincount(self._household[is_slot], weights=(log_out[1] - log_out[0])[is_slot], minlength=layout.households)
        self._settled = np.r_[pool.settled_odds + empty, 0.0]
        self._total, self._count = (np.r_[sums, 0.0] for sums in pool.sure_spending)
        self._loans = np.r_[pool.sure_loans, 0.0]
        taken = np.flatnonzero((self.held >= 0) & is_slot)
        self._matched = np.bincount(pool.place_cell[taken], minlength=len(pool.places))
        np.add.at(self._settled, self._household[taken], self._shift[taken])
        np.add.at(self._total, pool.place_dwelling[taken], residual[self.held[taken]])
        np.add.at(self._count, pool.place_dwelling[taken], self._says[self.held[taken]])
        np.add.at(self._loans, pool.place_dwelling[taken], self._holds[self.held[taken]])

    def draws(self) -> Integers:
        """Draws from the posterior: one row per draw, one column per person: the dwelling, or -1 for an extra."""
        pool = self._pool
        drawn = np.empty((DRAWS, len(pool.person_row)), np.int64)
        for _ in range(BURN_IN):
            self._round(self._steps)
        for number in range(DRAWS):
            self._round(self._steps)
            drawn[number] = pool.dwelling_of_persons(self.held)
        for cells, posterior in self._exact:
            through = np.cumsum(posterior, axis=1)
            start = unit_interval(mixed(pool.cell_key[cells[:, 0]], _LISTED))
            for number in range(DRAWS):
                chance = (start + number * _GOLDEN) % 1
                matching = np.minimum((through < chance[:, None]).sum(axis=1), through.shape[1] - 1)
                is_extra = (matching[:, None] >> np.arange(cells.shape[1]) & 1).astype(bool)
                drawn[number, pool.first_person[cells]] = np.where(is_extra, -1, pool.place_dwelling[pool.first[cells]])
        return drawn

    @cached_property
    def _exact(self) -> list[tuple[Integers, Floats]]:
        """Addresses of few cells of one person and one register person each: their cells, and the probability of each matching.

        Bit j of a matching's number: the person of cell j is an extra. Each differs from the one before it in one cell (Gray
        code), so that all addresses of so many cells step through theirs side by side.
        """
        found = []
        for cells in self._listed:
            count = cells.shape[1]
            weight = np.zeros((len(cells), 2**count))
            matching, so_far = 0, np.zeros(len(cells))
            everybody = np.arange(len(cells))
            for step in range(1, 2**count):
                bit = (step & -step).bit_length() - 1
                first = self._pool.first[cells[:, bit]]
                gain, change = self._weigh(cells[:, bit], np.stack((first, first + 1)))
                self._apply(change, everybody)
                matching ^= 1 << bit
                so_far = so_far + gain
                weight[:, matching] = so_far
            weight = np.exp(weight - weight.max(axis=1, keepdims=True))
            found.append((cells, weight / weight.sum(axis=1, keepdims=True)))
        return found

    def support(self, dwelling: Integers, *, draws: Integers) -> tuple[Floats, Floats]:
        """Posterior probability of each person's dwelling (-1: an extra), from further rounds; exact where matchings are listed.

        And its Monte-Carlo error: half the difference between the first and the second half of the rounds; 0 where it is exact.

        Every proposal counts with the probabilities of its two outcomes given all the rest, not with the one that came out
        (Rao-Blackwell; Gelfand & Smith 1990). Cells where the draws agree on everybody get fewer rounds.
        """
        pool = self._pool
        count = len(dwelling) + 1
        halves = [_Evidence(np.r_[dwelling, _NOBODY - 1], np.zeros(count), np.zeros(count)) for _ in range(2)]
        for number in range(_JUDGING):
            self._round(self._steps, halves[2 * number // _JUDGING])
        share = np.mean(draws == dwelling[None, :], axis=0)
        is_doubtful = np.zeros(len(pool.places), bool)
        is_doubtful[np.repeat(np.arange(len(pool.places)), pool.persons)[(share > _SURE) & (share < 1 - _SURE)]] = True
        steps = [(move, cells[is_doubtful[cells]]) for move, cells in self._steps]
        steps = [(move, cells) for move, cells in steps if len(cells)]
        for number in range(_JUDGING_DOUBTFUL):
            self._round(steps, halves[2 * number // _JUDGING_DOUBTFUL])
        right, seen = (np.stack([of.right[:-1] for of in halves]), np.stack([of.seen[:-1] for of in halves]))
        support = right.sum(axis=0) / np.maximum(seen.sum(axis=0), 1.0)
        error = np.where((seen > 0).all(axis=0), np.abs(np.diff(right / np.maximum(seen, 1.0), axis=0)[0]) / 2, 0.0)
        for cells, posterior in self._exact:
            persons = pool.first_person[cells]
            is_extra = np.arange(posterior.shape[1])[:, None] >> np.arange(cells.shape[1]) & 1
            extra = posterior @ is_extra
            support[persons] = np.where(dwelling[persons] < 0, extra, 1 - extra)
        return np.asarray(support), np.asarray(error)

    def _round(self, steps: list[tuple[int, Integers]], evidence: _Evidence | None = None) -> None:
        """Move the cells of the steps, one of each address at a time."""
        for move, cells in steps:
            self._swap(cells, self._rounds * MOST_MOVES + move, evidence)
        self._rounds += 1

    def _swap(self, cells: Integers, step: int, evidence: _Evidence | None) -> None:
        """Propose to swap two places of each cell. No two cells are of one address, so that none changes another's sums."""
        left, right, number = self._pool.proposals(cells, step, self._place_of)
        gain, change = self._weigh(cells, np.stack((left, right)))
        if evidence is not None:
            evidence.add(change.who, change.dwelling, 1 / (1 + np.exp(-np.clip(gain, -50, 50))))
        self._apply(change, np.flatnonzero(np.log(number) < gain))

    def _weigh(self, cells: Integers, place: Integers) -> tuple[Floats, _Change]:
        """What the log posterior of each address gains if two places of the cell swap who they hold, and what changes by it."""
        who = self.held[place]
        some = (who >= 0).astype(np.float64)
        more = some[::-1] - some
        """People that each place gains."""
        role, home = self._role[place], self._household[place]
        gain = (more * self._worth[place]).sum(axis=0)
        # Places of extras are told apart here, and extras are not: of each matching there are n! / matched! states.
        joining = (more * self._is_slot[place]).sum(axis=0)
        gain += joining * np.log(np.maximum(self._matched[cells] + (joining > 0), 1))
        gain += (self._ratio[who, role[::-1]] - self._ratio[who, role]).sum(axis=0)
        shift = more * self._shift[place]
        is_one = home[0] == home[1]
        shift[0] += np.where(is_one, shift[1], 0.0)
        shift[1, is_one] = 0.0
        settled = self._settled[home]
        gain += (np.logaddexp(0.0, settled + shift) - np.logaddexp(0.0, settled)).sum(axis=0)
        dwelling = self._pool.place_dwelling[place]
        inside = self._is_slot[place] * (dwelling[0] != dwelling[1])
        spends, says, apart = self._residual[who], self._says[who], self._apart[who]
        spends, says = inside * (spends[::-1] - spends), inside * (says[::-1] - says)
        gain += (inside * (apart[::-1] - apart)).sum(axis=0)
        total, count = self._total[dwelling], self._count[dwelling]
        gain += (self._shared(total + spends, count + says) - self._shared(total, count)).sum(axis=0)
        holds = inside * (self._holds[who][::-1] - self._holds[who])
        loans = self._loans[dwelling]
        # Pairs of holders that a place gains: each newcomer with those who are there.
        gain += self._log_loan_pairs * (holds * loans + holds * (holds - 1) / 2).sum(axis=0)
        return gain, _Change(cells, place, who, home, dwelling, joining.astype(np.int64), shift, spends, says, holds)

    def _apply(self, change: _Change, accepted: Integers) -> None:
        self._matched[change.cells[accepted]] += change.joining[accepted]
        place, who, home, dwelling = (of[:, accepted] for of in (change.place, change.who, change.home, change.dwelling))
        self.held[place], self._place_of[who[::-1]] = who[::-1], place
        for side in (0, 1):
            self._settled[home[side]] += change.shift[side, accepted]
            self._total[dwelling[side]] += change.spends[side, accepted]
            self._count[dwelling[side]] += change.says[side, accepted]
            self._loans[dwelling[side]] += change.holds[side, accepted]

    def _shared(self, total: Floats, count: Floats) -> Floats:
        """Log density of residuals with the intraclass correlation, but for what `_apart` holds, from their sum and number."""
        rho = self._rho
        precision = 1 - rho + rho * count
        return np.asarray(0.5 * rho * total**2 / ((1 - rho) * precision) - 0.5 * np.log(precision / (1 - rho)))


@dataclass(frozen=True)
class _Change:
    """Two places of some cells swap: two rows, one per place, but for `cells` and `joining`."""

    cells: Integers
    place: Integers
    who: Integers
    """Whom the place holds before."""
    home: Integers
    dwelling: Integers
    joining: Integers
    """People who are matched by it."""
    shift: Floats
    spends: Floats
    says: Floats
    holds: Floats


@dataclass(frozen=True)
class _Evidence:
    """What the chain says of each person's dwelling; the last entry is nobody's."""

    dwelling: Integers
    right: Floats
    seen: Floats

    def add(self, who: Integers, dwelling: Integers, swaps: Floats) -> None:
        """Two people in two dwellings, who swap with a probability."""
        here = (dwelling == self.dwelling[who]).astype(np.float64)
        there = (dwelling[::-1] == self.dwelling[who]).astype(np.float64)
        right = here + swaps * (there - here)
        for side in (0, 1):  # a person is in one place: no index twice but nobody's
            self.right[who[side]] += right[side]
            self.seen[who[side]] += 1


def _listed(pool: Pool) -> list[Integers]:
    """Cells of the addresses whose matchings are listed: one row per address; an array for each number of cells."""
    count = np.bincount(pool.cell_address, minlength=pool.layout.addresses)
    widest = np.zeros(pool.layout.addresses, np.int64)
    np.maximum.at(widest, pool.cell_address, pool.places)
    is_small = (widest == 2) & (count <= _MOST_LISTED_CELLS)
    order = np.argsort(pool.cell_address, kind="stable")
    return [
        order[(is_small & (count == cells))[pool.cell_address[order]]].reshape(-1, cells)
        for cells in range(1, _MOST_LISTED_CELLS + 1)
    ]


def _steps(pool: Pool, chosen: Integers) -> list[tuple[int, Integers]]:
    """The moves of a round over chosen cells: number of the move within its cell, and cells of different addresses.

    A cell of two places has one pair to swap; larger ones get a move for every second place, at least four.
    """
    turn = ranks(pool.cell_address[chosen])
    moves = np.where(pool.places == 2, 1, np.clip(pool.places // 2, _MOVES, MOST_MOVES))
    order = np.argsort(turn, kind="stable")
    steps = []
    for cells in np.split(chosen[order], np.flatnonzero(np.diff(turn[order])) + 1):
        if len(cells) == 0:
            continue
        steps += [(move, cells[moves[cells] > move]) for move in range(int(moves[cells].max()))]
    return steps
