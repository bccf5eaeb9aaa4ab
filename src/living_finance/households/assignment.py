"""Who lives with whom: the point assignment of least expected loss, or a draw from the posterior.

In a dwelling unit the register's people and the bureau's of one sex and band are the same people, and the unit is the
household. Elsewhere (houses without units, people whose unit is missing) `pool` draws who is whom; the point assignment
minimises the expected pair loss over the draws (Binder 1978; Wade & Ghahramani 2018), plus the expected loss of calling
a resident an extra; found by search from the best draw. Some extras live with register households all the same (`absent`); others
of one place are grouped by how likely they came together.

Bound: chain and search take a fixed number of rounds, each linear in the people of a block; pairs of an address are
counted only where draws put them together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from living_finance.households.absent import claims
from living_finance.households.layout import Flags, Layout, group_of, run_starts
from living_finance.households.model import AssignmentModel, cell_of, pair_class
from living_finance.households.pool import DRAWS, Pool
from living_finance.households.sharing import living_together
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import mixed, unit_interval

_STRIDE = 19
"""Between draws handed out: near the golden section of `DRAWS` and without a common divisor, so that all are reached."""
_SEARCH_ROUNDS = 24
_LEAST_GAIN = 1e-9
_SEARCH_STEP, _MATCH, _GROUP = 2**40, 2**41, 2**42
"""Purposes of random numbers, beyond every step of the chain."""
_MOST_LINKED = 64
"""Extras of one place; more of them are strangers."""
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
    loss: Floats
    """Expected loss of the point assignment, of people whom the chain places: wrong and missed pairs, half of each at both ends,
    and residents called extras or the reverse; 0 elsewhere and in draws."""
    least_loss: Floats
    """What no assignment could lose less than, in the same units: `loss` exceeds the best possible by at most the difference."""
    probability_error: Floats
    """Monte-Carlo error of the probability: half the difference of two halves of the rounds; 0 where it is exact."""
    is_missing_head: Flags
    """The register household lacks a head, and the row is taken for it."""


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
    quarters = np.flatnonzero(block.is_bureau & block.is_quarters)
    dwelling[quarters] = _dwelling_of_quarters(layout)[layout.address[quarters]]
    matched = block.is_bureau & (layout.partner >= 0) & ~layout.is_crowded & ~block.is_quarters
    dwelling[matched] = layout.dwelling[layout.partner[matched]]
    probability = np.ones(rows)
    probability[matched] = _sure_match(layout, model, np.flatnonzero(matched))
    is_matched = (layout.partner >= 0) & ~layout.is_crowded
    if draw is not None:
        apart = np.flatnonzero(matched)
        apart = apart[unit_interval(mixed(np.uint64(seed), block.key[apart], draw, _MATCH)) > probability[apart]]
        dwelling[apart] = -1
        probability[apart] = 1 - probability[apart]
        is_matched[apart] = is_matched[layout.partner[apart]] = False
    is_contested = np.zeros(rows, bool)
    loss, least_loss, probability_error = np.zeros((3, rows))
    pool = Pool.of(layout, model, seed=seed)
    if pool is not None:
        chain = pool.chain()
        draws = chain.draws()
        held = _least_loss(pool, draws[::2]) if draw is None else pool.places_for(draws[draw * _STRIDE % DRAWS])
        found = pool.dwelling_of_persons(held)
        if draw is None:
            # The draws that have not chosen: those that have flatter the choice.
            judges = _Together.of(draws[1::2], pool.sure_members)
            loss[pool.person_row], least_loss[pool.person_row] = judges.loss(found)
        is_contested[pool.person_row] = True
        dwelling[pool.person_row] = found
        # Later rounds say how probable the choice is: it flatters the draws it was made from.
        together = living_together(layout, model.sharing)
        elsewhere = np.mean([together.of(drawn, found) for drawn in draws], axis=0)
        support, probability_error[pool.person_row] = chain.support(found, draws=draws)
        probability[pool.person_row] = np.minimum(support + elsewhere, 1.0)
        is_matched[pool.person_row] = found >= 0
        is_matched[pool.slot_row[pool.place_slot[(held >= 0) & (pool.place_slot >= 0)]]] = True
    is_missing_head, in_chain = np.zeros((2, rows), bool)
    if pool is not None:
        in_chain[pool.slot_row] = True
    unplaced = np.flatnonzero(block.is_bureau & (dwelling < 0) & ~is_contested & (layout.partner < 0) & ~block.is_quarters)
    claimed = claims(
        layout,
        model.absences,
        rows=unplaced,
        extra_rate=model.extra_rate,
        settled=model.settled,
        present=model.present,
        unit_known=model.unit_known,
        seed=seed,
        draw=draw,
    )
    np.subtract.at(probability, claimed.row, claimed.probability)
    # Whom the chain has found for a register person goes before.
    made = np.flatnonzero(claimed.is_made & ((claimed.slot < 0) | ~is_matched[claimed.slot]))
    row, slot = claimed.row[made], claimed.slot[made]
    dwelling[row], probability[row] = claimed.dwelling[made], claimed.probability[made]
    is_contested[claimed.row[claimed.is_made & in_chain[claimed.slot] & (claimed.slot >= 0)]] = True
    is_missing_head[row] = slot < 0
    is_matched[row] = slot >= 0
    is_matched[slot[slot >= 0]] = True
    extra = block.is_bureau & (dwelling < 0)
    groups = np.full(rows, -1, np.int64)
    extra_rows = np.flatnonzero(extra)
    groups[extra_rows] = _group_extras(layout, model, extra_rows, seed=seed, draw=draw)
    return Assignment(
        dwelling=dwelling,
        extras=groups,
        is_matched=is_matched,
        probability=probability,
        is_contested=is_contested,
        loss=loss,
        least_loss=least_loss,
        probability_error=probability_error,
        is_missing_head=is_missing_head,
    )


def _dwelling_of_quarters(layout: Layout) -> Integers:
    """The dwelling of each address that is group quarters with registered people; -1 elsewhere."""
    dwelling = np.full(layout.addresses, -1, np.int64)
    rows = np.flatnonzero(layout.is_register & layout.block.is_quarters)
    dwelling[layout.address[rows]] = layout.dwelling[rows]
    return dwelling


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
    in_quarters = layout.block.is_quarters[rows]
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
        least = unit_interval(mixed(np.uint64(seed), layout.block.key[rows[order[starts]]], draw, _GROUP))

    def probability(left: Integers, right: Integers, others: Integers | int) -> Floats:
        in_unit = has_unit[left]
        # The share was seen on neighbouring pairs; with more extras at an address there are more strangers.
        share = np.array(model.pair_share)[in_unit.astype(np.int64)] / np.where(in_unit, 1, others)
        kind = pair_class(sex_age[rows[left]], sex_age[rows[right]])
        belongs: Floats = share * together[kind] / (share * together[kind] + (1 - share) * apart[kind])
        return np.where(in_quarters[left], 1.0, belongs)

    first = order[starts[sizes == 2]]
    second = order[starts[sizes == 2] + 1]
    joined = probability(first, second, 1) > least[sizes == 2]
    label[second[joined]] = first[joined]
    several = (sizes > 2) & (sizes <= _MOST_LINKED)
    for start, size, cut in zip(starts[several].tolist(), sizes[several].tolist(), least[several].tolist(), strict=True):
        members = order[start : start + size]
        left, right = np.triu_indices(size, 1)
        apart_by = 1 - probability(members[left], members[right], size - 1)
        group = fcluster(linkage(apart_by, "average"), t=1 - cut, criterion="distance")
        label[members] = members[np.unique(group, return_index=True)[1]][group - 1]
    return label


def _least_loss(pool: Pool, draws: Integers) -> Integers:
    """Who is in which place, of least expected pair loss over the draws.

    Starts, address by address, from the draw with the least loss, and swaps while the loss falls: each round the best proposal
    of every address, a bounded number of rounds.
    """
    together = _Together.of(draws, pool.sure_members)
    address = pool.layout.address[pool.person_row]
    score = np.stack([np.bincount(address, weights=w, minlength=pool.layout.addresses) for w in together.worth(draws)])
    wanted = np.take_along_axis(draws, np.argmax(score, axis=0)[address][None, :], axis=0)[0]
    together.move(np.arange(len(wanted)), wanted)
    held = pool.places_for(wanted)
    place_of = pool.place_of_persons(held)
    extra_loss = np.mean(draws == -1, axis=0) - 0.5
    cells = np.flatnonzero(pool.places > 1)
    for step in range(_SEARCH_ROUNDS):
        left, right, _ = pool.proposals(cells, _SEARCH_STEP + step, place_of)
        a, b = held[left], held[right]
        from_, to = pool.place_dwelling[left], pool.place_dwelling[right]
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
        of_address = pool.cell_address[cells[worth]]
        order = better[np.lexsort((better, -gain[better], of_address[better]))]
        chosen = order[run_starts(of_address[order])]
        held[left[chosen]], held[right[chosen]] = b[chosen], a[chosen]
        place_of[a[chosen]], place_of[b[chosen]] = right[chosen], left[chosen]
        together.move(a[chosen], to[chosen])
        together.move(b[chosen], from_[chosen])
    return held


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

    def loss(self, dwelling: Integers) -> tuple[Floats, Floats]:
        """Expected loss of people in dwellings (-1: extras), and what every choice loses at least, by person.

        A pair that lives together with probability p loses 1 - p if put together, else p; a person who is an extra with
        probability p likewise. No choice can lose less than the smaller of both. Half of a pair is each one's.
        """
        people = len(dwelling)
        row = np.repeat(np.arange(people), np.diff(self._start))
        is_together = (dwelling[row] == dwelling[self._other]) & (dwelling[row] >= 0)
        # Pairs that no draw has made lose one.
        size = np.bincount(dwelling[dwelling >= 0], minlength=1)
        unseen = np.where(dwelling >= 0, size[dwelling] - 1, 0) - np.bincount(row[is_together], minlength=people)
        extra = np.mean(self._share == -1, axis=0)
        # With the people who certainly live in a dwelling that a draw or the choice has put the person in.
        drawn = np.vstack([self._share, dwelling[None, :]])
        number, person = np.nonzero((drawn >= 0) & (self._sure[drawn] > 0))
        code, times = np.unique(person * len(self._sure) + drawn[number, person], return_counts=True)
        person, to = code // max(len(self._sure), 1), code % max(len(self._sure), 1)
        is_there = dwelling[person] == to
        of_sure = (times - is_there) / len(self._share)
        loss, least = np.where(dwelling < 0, 1 - extra, extra) + unseen / 2, np.minimum(extra, 1 - extra)
        for who, p, is_chosen, pairs in ((row, self._probability, is_together, 0.5), (person, of_sure, is_there, self._sure[to])):
            loss += np.bincount(who, weights=pairs * np.where(is_chosen, 1 - p, p), minlength=people)
            least += np.bincount(who, weights=pairs * np.minimum(p, 1 - p), minlength=people)
        return loss, least

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
