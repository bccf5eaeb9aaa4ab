"""Who lives with whom: draws from the posterior of the model, and the point assignment of least expected loss.

In a dwelling unit the register's people and the bureau's of one sex and band are the same people, and the unit is the
household. Elsewhere (houses without units, people whose unit is missing) the bureau persons of an address are matched
to register persons of the same sex and band jointly: a Markov chain over the matchings of all cells (address, sex, band).
Gibbs steps draw whether a register household is settled and how a dwelling spends; given those, cells are independent
and all of them swap side by side, by Metropolis.

The point assignment minimises the expected pair loss over the draws (Binder 1978; Wade & Ghahramani 2018), plus the
expected loss of calling a resident an extra; found by search from the best draw. Random numbers are hashes of the
address, the cell and the step, so that a person's result depends on nothing but the people of the address.

Bound: chain and search take a fixed number of rounds, each linear in the people of a block; pairs of an address are
counted only where draws put them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.special import ndtri

from living_finance.households.layout import EXTRA, Flags, Layout, group_of, numbered, ranks, run_starts, size_of
from living_finance.households.model import AssignmentModel, cell_of, pair_class, residuals, role_ratios
from living_finance.methods.grouped import Floats, Integers

BURN_IN = 15
DRAWS = 48
"""Every other draw chooses the point assignment, the others say how probable it is: a choice flatters its own draws."""
_STRIDE = 19
"""Between draws handed out: near the golden section of `DRAWS` and without a common divisor, so that all are reached."""
_MOVES = 4
_SEARCH_ROUNDS = 24
_LEAST_GAIN = 1e-9
_MOST_MOVES = 64
_LONE_PAIR = 0.5
"""Extras go together if the probability exceeds one half: equal losses for wrong and missed pairs."""


@dataclass(frozen=True)
class Assignment:
    """The result by row of the layout's block."""

    dwelling: Integers
    """Number of the register's dwelling where the row belongs; -1 for extras."""
    extras: Integers
    """Number of the group of extras; -1 for everybody else."""
    is_matched: Flags
    """The row has a partner in the other source."""
    probability: Floats
    """Posterior probability of the assignment; 1 for register persons, whose place is given."""
    is_contested: Flags
    """Decided by the chain: without unit, or the unit is missing."""


def _uniform(seed: np.uint64, *keys: Integers | int) -> Floats:
    """A number in (0, 1) from keys: splitmix64 (Steele, Lea & Flood 2014)."""
    state = np.uint64(seed)
    value: np.ndarray = np.zeros(1, np.uint64)
    with np.errstate(over="ignore"):
        for key in keys:
            value = (value + state) ^ np.asarray(key).astype(np.int64).view(np.uint64)
            value = value + np.uint64(0x9E3779B97F4A7C15)
            value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            value = value ^ (value >> np.uint64(31))
    return ((value >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53


def assign(layout: Layout, model: AssignmentModel, *, seed: int, draw: int | None = None) -> Assignment:
    """Households of the bureau residents of a block.

    Args:
        layout: whole addresses.
        model: parameters (`model.fit`).
        seed: the run's seed.
        draw: None for the point assignment; a number for a draw of the whole assignment from its posterior, for multiple
            imputation (Rubin 1987). Draws that follow one another are far apart in the chain; `DRAWS` of them differ.

    Returns:
        One entry per row of the block. Every bureau row has either a dwelling or a group of extras.
    """
    block = layout.block
    rows = block.rows
    dwelling = layout.dwelling.copy()
    matched = block.is_bureau & (layout.partner >= 0)
    dwelling[matched] = layout.dwelling[layout.partner[matched]]
    probability = np.ones(rows)
    probability[matched] = _sure_match(layout, model, np.flatnonzero(matched))
    is_matched = layout.partner >= 0
    if draw is not None:
        apart = np.flatnonzero(matched)
        apart = apart[_uniform(np.uint64(seed), block.key[apart], draw, 6) > probability[apart]]
        dwelling[apart] = -1
        probability[apart] = 1 - probability[apart]
        is_matched[apart] = is_matched[layout.partner[apart]] = False
    is_contested = np.zeros(rows, bool)
    pool = _Pool.of(layout, model, seed=seed)
    if pool is not None:
        decided = pool.solve(draw)
        is_contested[pool.person_row] = True
        dwelling[pool.person_row] = decided.dwelling
        probability[pool.person_row] = decided.probability
        is_matched[pool.person_row] = decided.dwelling >= 0
        is_matched[decided.slot_row] = True
    extra = block.is_bureau & (dwelling < 0)
    # An extra that no chain decided: nobody of the sex and band is registered, which leaves no other place.
    groups = np.full(rows, -1, np.int64)
    extra_rows = np.flatnonzero(extra)
    groups[extra_rows] = _group_extras(layout, model, extra_rows, seed=seed, draw=draw)
    return Assignment(dwelling, groups, is_matched, probability, is_contested)


def _sure_match(layout: Layout, model: AssignmentModel, rows: Integers) -> Floats:
    """Probability that a bureau person in a unit is the registered one, and no extra of the same sex and band."""
    sex_age = layout.block.sex_age[rows]
    present = np.array(model.present)
    q = (model.settled * present[1] + (1 - model.settled) * present[0])[group_of(sex_age)]
    rate = np.array(model.extra_rate)[2][cell_of(sex_age)]
    sure: Floats = q / (q + (1 - q) * rate)
    return sure


def _group_extras(layout: Layout, model: AssignmentModel, rows: Integers, *, seed: int, draw: int | None) -> Integers:
    """Groups of extras of one unit, or of one address without units: people who moved together stay together.

    Average linkage of the pair probabilities, cut at one half; in a draw, at a random number, so that two people are together
    as often as their probability says. More than 64 extras at one place are strangers.
    """
    sex_age = layout.block.sex_age
    has_unit = layout.block.unit[rows] != 0
    # Somebody whose unit is missing in a house with units may have lived in any of them: alone.
    may_join = has_unit | ~layout.has_units[layout.address[rows]]
    label = np.arange(len(rows))
    place = np.where(may_join, layout.unit[rows], -1 - np.arange(len(rows)))
    order = np.argsort(place, kind="stable")
    starts = run_starts(place[order])
    sizes = np.diff(np.r_[starts, len(rows)])
    together, apart = np.array(model.pair_together), np.array(model.pair_apart)
    if draw is None:
        least = np.full(len(starts), _LONE_PAIR)
    else:
        least = _uniform(np.uint64(seed), layout.block.key[rows[order[starts]]], draw, 7)

    def probability(left: Integers, right: Integers, others: Integers | int) -> Floats:
        in_unit = has_unit[left]
        # The share was seen on neighbouring pairs; with more extras at an address there are more strangers.
        share = np.array(model.pair_share)[in_unit.astype(np.int64)] / np.where(in_unit, 1, others)
        kind = pair_class(sex_age[rows[left]], sex_age[rows[right]])
        belongs: Floats = share * together[kind] / (share * together[kind] + (1 - share) * apart[kind])
        return belongs

    first = order[starts[sizes == 2]]
    second = order[starts[sizes == 2] + 1]
    joined = probability(first, second, 1) > least[sizes == 2]
    label[second[joined]] = first[joined]
    several = (sizes > 2) & (sizes <= _MOST_MOVES)
    for start, size, cut in zip(starts[several].tolist(), sizes[several].tolist(), least[several].tolist(), strict=True):
        members = order[start : start + size]
        left, right = np.triu_indices(size, 1)
        apart_by = 1 - probability(members[left], members[right], size - 1)
        group = fcluster(linkage(apart_by, "average"), t=1 - cut, criterion="distance")
        label[members] = members[np.unique(group, return_index=True)[1]][group - 1]
    return label


@dataclass(frozen=True)
class _Sure:
    """The bureau persons whose dwelling is certain, by dwelling."""

    residual: Floats
    """Sum of their spending residuals."""
    members: Floats
    """How many they are."""


@dataclass(frozen=True)
class _Decided:
    dwelling: Integers
    probability: Floats
    slot_row: Integers
    """Rows of register persons who got a partner."""


@dataclass
class _Pool:
    """Cells (address, sex, band) where bureau persons meet register persons without a unit to tell them apart.

    A cell has as many places as register persons and bureau persons together: first one place per register person,
    then one per bureau person for being an extra. Each place holds a bureau person or nobody.
    """

    layout: Layout
    model: AssignmentModel
    seed: np.uint64
    person_row: Integers
    slot_row: Integers
    cell_key: Integers
    first: Integers
    """First place of each cell."""
    places: Integers
    """Number of places of each cell."""
    place_slot: Integers
    """Register person (position in slot_row) of each place, -1 for an extra's."""
    place_dwelling: Integers
    """Dwelling of each place, -1 for an extra's."""
    place_cell: Integers
    held: Integers
    """Bureau person (position in person_row) in each place, or -1."""
    ratio: Floats
    residual: Floats
    log_extra: Floats
    """By cell: log rate of extras."""

    @classmethod
    def of(cls, layout: Layout, model: AssignmentModel, *, seed: int) -> _Pool | None:
        block = layout.block
        open_to = (block.unit == 0) | ~layout.has_units[layout.address]
        persons = np.flatnonzero(block.is_bureau & (layout.partner < 0) & open_to)
        slots = np.flatnonzero(layout.is_register & (layout.partner < 0) & (block.sex_age >= 0))
        cell = numbered(layout.address, block.sex_age)
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
        held = np.where(within < n_person[place_cell], first_person[place_cell] + within, -1)
        cell_address = layout.address[slots[first_slot]]
        cell_sex_age = block.sex_age[slots[first_slot]]
        ratio = role_ratios(model, block.features[persons], block.sex_age[persons])
        kind = layout.has_units[cell_address].astype(np.int64)
        rate = np.array(model.extra_rate)[kind, cell_of(cell_sex_age)] * np.maximum(layout.households_at[cell_address], 1)
        return cls(
            layout=layout,
            model=model,
            seed=np.uint64(seed),
            person_row=persons,
            slot_row=slots,
            cell_key=block.address[slots[first_slot]] ^ (cell_sex_age * np.int64(0x632BE59BD9B4E01)),
            first=first,
            places=places,
            place_slot=place_slot,
            place_dwelling=np.where(place_slot >= 0, layout.dwelling[slots[place_slot]], -1),
            place_cell=place_cell,
            held=held,
            ratio=ratio,
            residual=residuals(model, block.features[persons], block.sex_age[persons]),
            log_extra=np.log(rate),
        )

    # --- the chain ---------------------------------------------------------------------------------------------------

    def solve(self, draw: int | None) -> _Decided:
        draws = self._draws()
        choosing, judging = draws[::2], draws[1::2]
        if draw is None:
            together = _Together.of(choosing, self.sure.members)
            self._start_from_best(choosing, together)
            self._search(together, choosing)
        else:
            self.held = self._places_for(draws[draw * _STRIDE % DRAWS])
        where = self._dwelling_of_persons(self.held)
        share = np.mean(judging == where[None, :], axis=0)
        in_slot = (self.held >= 0) & (self.place_slot >= 0)
        return _Decided(where, share, self.slot_row[self.place_slot[in_slot]])

    def _dwelling_of_persons(self, held: Integers) -> Integers:
        where = np.full(len(self.person_row), -1, np.int64)
        taken = np.flatnonzero(held >= 0)
        where[held[taken]] = self.place_dwelling[taken]
        return where

    def _draws(self) -> Integers:
        """One row per draw, one column per person: the dwelling, or -1."""
        layout, model = self.layout, self.model
        slot_household = layout.household[self.slot_row]
        slot_group = group_of(layout.block.sex_age[self.slot_row])
        slot_role = layout.role[self.slot_row]
        has_unit = layout.block.unit[self.slot_row] != 0
        present = np.array(model.present)[:, slot_group]
        # A register person with a unit who has no partner there: the record is the one without a unit, or there is none.
        without = present * (1 - model.unit_known)
        present = np.where(has_unit, without / (1 - present + without), present)
        log_in, log_out = np.log(present), np.log1p(-present)
        prior = self._settled_prior()
        place_role = np.where(self.place_slot >= 0, slot_role[self.place_slot], EXTRA)
        household_key = np.zeros(layout.households, np.int64)
        household_key[slot_household] = layout.block.key[self.slot_row]
        dwelling_key = np.zeros(layout.dwellings, np.int64)
        dwelling_key[layout.dwelling[self.slot_row]] = layout.block.key[self.slot_row]
        draws = np.empty((DRAWS, len(self.person_row)), np.int64)
        for sweep in range(BURN_IN + DRAWS):
            inside = np.flatnonzero((self.held >= 0) & (self.place_slot >= 0))
            is_in = np.zeros(len(self.slot_row), bool)
            is_in[self.place_slot[inside]] = True
            odds = prior + np.bincount(
                slot_household,
                weights=np.where(is_in, log_in[1] - log_in[0], log_out[1] - log_out[0]),
                minlength=layout.households,
            )
            is_settled = _uniform(self.seed, household_key, sweep, 4) < 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
            state = is_settled[slot_household].astype(np.int64)
            gain = np.take_along_axis(log_in - log_out, state[None, :], axis=0)[0]  # of having a record, by slot
            level = self._spending_level(inside, dwelling_key, sweep)
            base = np.where(self.place_slot >= 0, gain[self.place_slot], self.log_extra[self.place_cell])
            place_level = np.where(self.place_slot >= 0, level[self.place_dwelling], np.nan)
            self._swap(sweep, base, place_role, place_level)
            if sweep >= BURN_IN:
                draws[sweep - BURN_IN] = self._dwelling_of_persons(self.held)
        return draws

    def _spending_level(self, inside: Integers, dwelling_key: Integers, sweep: int) -> Floats:
        """A draw of every dwelling's level of spending, given the residuals of those who are in it."""
        rho = self.model.spending_icc
        where, residual = self.place_dwelling[inside], self.residual[self.held[inside]]
        says = (residual != 0).astype(float)
        dwellings = self.layout.dwellings
        total = self.sure.residual + np.bincount(where, weights=residual, minlength=dwellings)
        count = self.sure.members + np.bincount(where, weights=says, minlength=dwellings)
        precision = (1 - rho) + rho * count
        mean, variance = rho * total / precision, rho * (1 - rho) / precision
        return np.asarray(mean + np.sqrt(variance) * ndtri(_uniform(self.seed, dwelling_key, sweep, 5)))

    def _settled_prior(self) -> Floats:
        """Log odds that a register household is settled, given its adults whose presence is known already."""
        layout, model = self.layout, self.model
        present = np.array(model.present)
        adults = np.flatnonzero(layout.is_register & (layout.block.sex_age >= 0))
        in_pool = np.zeros(layout.block.rows, bool)
        in_pool[self.slot_row] = True
        adults = adults[~in_pool[adults]]
        group = group_of(layout.block.sex_age[adults])
        q = present[:, group]
        ratio = np.where(layout.partner[adults] >= 0, np.log(q[1] / q[0]), np.log((1 - q[1]) / (1 - q[0])))
        odds = np.log(model.settled / (1 - model.settled))
        known = np.bincount(layout.household[adults], weights=ratio, minlength=layout.households).astype(np.float64)
        return np.asarray(odds + known, np.float64)

    @cached_property
    def sure(self) -> _Sure:
        layout = self.layout
        sure = np.flatnonzero(layout.block.is_bureau & (layout.partner >= 0))
        near = np.zeros(layout.addresses, bool)
        near[layout.address[self.slot_row]] = True
        sure = sure[near[layout.address[sure]]]
        dwelling = layout.dwelling[layout.partner[sure]]
        residual = residuals(self.model, layout.block.features[sure], layout.block.sex_age[sure])
        total = np.bincount(dwelling, weights=residual, minlength=layout.dwellings).astype(np.float64)
        members = np.bincount(dwelling, minlength=layout.dwellings).astype(np.float64)
        return _Sure(total, members)

    def _proposals(self, cells: Integers, *step: int) -> tuple[Integers, Integers]:
        """Two different places of each cell."""
        key, places = self.cell_key[cells], self.places[cells]
        first = np.floor(_uniform(self.seed, key, *step, 1) * places).astype(np.int64)
        other = np.floor(_uniform(self.seed, key, *step, 2) * (places - 1)).astype(np.int64)
        other += other >= first
        return self.first[cells] + first, self.first[cells] + other

    def _swap(self, sweep: int, base: Floats, place_role: Integers, place_level: Floats) -> None:
        """Metropolis swaps within every cell; large cells get more of them.

        Given which households are settled and their levels of spending, cells are independent of one another.
        """
        rho = self.model.spending_icc

        def score(person: Integers, place: Integers) -> Floats:
            """Log weight of a person (or nobody) in a place."""
            level, residual = place_level[place], self.residual[person]
            alike = -0.5 * ((residual - level) ** 2 / (1 - rho) + np.log(1 - rho) - residual**2)
            says = (residual != 0) & ~np.isnan(level)
            weight = base[place] + self.ratio[person, place_role[place]] + np.where(says, alike, 0.0)
            return np.where(person >= 0, weight, 0.0)

        for move in range(int(min(_MOST_MOVES, max(_MOVES, self.places.max() // 2)))):
            cells = np.flatnonzero(self.places > (0 if move == 0 else 2 if move < _MOVES else 2 * move))
            if len(cells) == 0:
                return
            left, right = self._proposals(cells, sweep, move)
            a, b = self.held[left], self.held[right]
            difference = score(b, left) + score(a, right) - score(a, left) - score(b, right)
            accepted = np.log(_uniform(self.seed, self.cell_key[cells], sweep, move, 3)) < difference
            left, right = left[accepted], right[accepted]
            self.held[left], self.held[right] = b[accepted], a[accepted]

    # --- the point assignment ----------------------------------------------------------------------------------------

    def _start_from_best(self, draws: Integers, together: _Together) -> None:
        """Put everybody where the draw with the least expected pair loss has them, address by address."""
        address = self.layout.address[self.person_row]
        score = np.stack([np.bincount(address, weights=w, minlength=self.layout.addresses) for w in together.worth(draws)])
        best = np.argmax(score, axis=0)[address]
        wanted = np.take_along_axis(draws, best[None, :], axis=0)[0]
        together.move(np.arange(len(wanted)), wanted)
        self.held = self._places_for(wanted)

    def _places_for(self, wanted: Integers) -> Integers:
        """Places that put each person into the wanted dwelling (-1: an extra's place)."""
        held = np.full(len(self.place_slot), -1, np.int64)
        person_cell = np.empty(len(self.person_row), np.int64)
        in_place = self.held >= 0
        person_cell[self.held[in_place]] = self.place_cell[in_place]
        # The k-th person of a cell who is wanted in a dwelling takes the k-th place of it there.
        place_group = numbered(np.r_[self.place_cell, person_cell], np.r_[self.place_dwelling, wanted])
        of_place, of_person = place_group[: len(held)], place_group[len(held) :]
        place_order = np.lexsort((np.arange(len(held)), of_place))
        person_order = np.lexsort((np.arange(len(wanted)), of_person))
        starts = np.searchsorted(of_place[place_order], of_person[person_order])
        held[place_order[starts + ranks(of_person)[person_order]]] = person_order
        return held

    def _search(self, together: _Together, draws: Integers) -> None:
        """Swap while the expected loss falls: each round the best proposal of every address, a bounded number of rounds."""
        extra_loss = np.mean(draws == -1, axis=0) - 0.5
        cell_address = self.layout.address[self.slot_row[self.place_slot[self.first]]]
        cells = np.flatnonzero(self.places > 1)
        for round_ in range(_SEARCH_ROUNDS):
            left, right = self._proposals(cells, -1 - round_, 0)
            a, b = self.held[left], self.held[right]
            from_, to = self.place_dwelling[left], self.place_dwelling[right]
            worth = ((a >= 0) | (b >= 0)) & (from_ != to)
            left, right, a, b, from_, to = (values[worth] for values in (left, right, a, b, from_, to))
            gain = (
                together.in_dwelling(b, from_, without=a)
                + together.in_dwelling(a, to, without=b)
                - together.in_dwelling(a, from_, without=a)
                - together.in_dwelling(b, to, without=b)
            )
            for person, old, new in ((a, from_, to), (b, to, from_)):
                gain += np.where((person >= 0) & (new < 0), extra_loss[person], 0.0)
                gain -= np.where((person >= 0) & (old < 0), extra_loss[person], 0.0)
            better = np.flatnonzero(gain > _LEAST_GAIN)
            order = better[np.lexsort((better, -gain[better], cell_address[cells[worth]][better]))]
            of_address = cell_address[cells[worth]][order]
            chosen = order[run_starts(of_address)]
            self.held[left[chosen]], self.held[right[chosen]] = b[chosen], a[chosen]
            together.move(a[chosen], to[chosen])
            together.move(b[chosen], from_[chosen])


class _Together:
    """How often two people are in one dwelling over the draws, as a sparse symmetric table."""

    def __init__(
        self, start: Integers, other: Integers, probability: Floats, current: Integers, draws: Integers, sure: Floats
    ) -> None:
        self._start = start
        self._other = other
        self._probability = probability
        self._current = current
        self._share = draws
        self._sure = sure

    @classmethod
    def of(cls, draws: Integers, sure: Floats) -> _Together:
        people = draws.shape[1]
        codes = []
        for drawn in draws:
            inside = np.flatnonzero(drawn >= 0)
            order = inside[np.argsort(drawn[inside], kind="stable")]
            dwelling = drawn[order]
            step = 1
            while True:  # pairs at distance 1, 2 … within the sorted runs
                is_pair = dwelling[step:] == dwelling[:-step]
                if step >= len(order) or not is_pair.any():
                    break
                codes.append(order[:-step][is_pair] * people + order[step:][is_pair])
                step += 1
        flat = np.concatenate(codes) if codes else np.zeros(0, np.int64)
        pair, count = np.unique(flat, return_counts=True)
        left, right = pair // people, pair % people
        both = np.r_[left, right], np.r_[right, left]
        order = np.lexsort((both[1], both[0]))
        start = np.searchsorted(both[0][order], np.arange(people + 1))
        probability = np.r_[count, count][order] / len(draws)
        return cls(start, both[1][order], probability, draws[-1].copy(), draws, sure)

    def worth(self, draws: Integers) -> list[Floats]:
        """Expected gain in pairs of each draw, by person (half of it at each end)."""
        result = []
        row = np.repeat(np.arange(len(self._start) - 1), np.diff(self._start))
        for drawn in draws:
            is_together = (drawn[row] == drawn[self._other]) & (drawn[row] >= 0)
            gain = np.bincount(row[is_together], weights=(self._probability - 0.5)[is_together], minlength=draws.shape[1]) / 2
            result.append(gain + self._with_sure(np.arange(draws.shape[1]), drawn))
        return result

    def _with_sure(self, person: Integers, dwelling: Integers) -> Floats:
        """Gain from the people who certainly live in the dwelling."""
        inside = (dwelling >= 0) & (person >= 0)
        gain = np.zeros(len(person))
        share = np.mean(self._share[:, person[inside]] == dwelling[inside][None, :], axis=0)
        gain[inside] = (share - 0.5) * self._sure[dwelling[inside]]
        return gain

    def in_dwelling(self, person: Integers, dwelling: Integers, *, without: Integers) -> Floats:
        """Expected gain in pairs of a person in a dwelling as it is now, the person and `without` left out."""
        inside = np.flatnonzero((person >= 0) & (dwelling >= 0))
        gain = np.zeros(len(person))
        if len(inside) == 0:
            return gain
        of = person[inside]
        begin, length = self._start[of], self._start[of + 1] - self._start[of]
        query = np.repeat(np.arange(len(inside)), length)
        entry = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length) + np.repeat(begin, length)
        other = self._other[entry]
        is_there = (self._current[other] == dwelling[inside][query]) & (other != without[inside][query])
        gain[inside] = np.bincount(query[is_there], weights=(self._probability[entry] - 0.5)[is_there], minlength=len(inside))
        # Pairs that no draw has made are wrong for certain.
        size = np.bincount(self._current[self._current >= 0], minlength=int(dwelling.max()) + 1)
        others = size[dwelling[inside]] - (self._current[of] == dwelling[inside])
        has_other = (without[inside] >= 0) & (without[inside] != of)
        others = others - (has_other & (self._current[without[inside]] == dwelling[inside]))
        seen = np.bincount(query[is_there], minlength=len(inside))
        gain[inside] -= 0.5 * (others - seen)
        return gain + self._with_sure(person, dwelling)

    def move(self, person: Integers, dwelling: Integers) -> None:
        moved = person >= 0
        self._current[person[moved]] = dwelling[moved]
