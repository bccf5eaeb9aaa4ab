"""What households earn, behind the scores that a bureau gives its persons.

A score pulls to the middle of a person's peers, understates business, and is not there for adults without credit. Nothing
links a score to a true income; what is known of both sides is their distribution. Assumed is that ranks are kept within
peers (people of one sex and five-year age band): a log-linear correction

    log income = level + middle of the peers + slope x (log score - middle of the peers),

whose level and slope carry centre and spread of *household* earnings above 0 to those of the survey, for labour and for business
each; how many households earn at all is better known from the bureau than from a survey of a thousand. A few hundred surveyed
households have business income, too few for a slope of its own: it has the slope of labour, as one bureau pulls both to the
middle, unless the survey contradicts that (a test at 1 %), and a centre moved by what they spend (`spending_contrast`). If a
share of a score's variance is noise of the person, the spread of scores is due to it in part, the slope is too small by
sqrt(1 - share), and differences between places, where noise averages out, are widened too little. The share is not known: it
is taken as uniform between 0 and 0.3, updated by how survey incomes differ between places (`noise_share`), and places have a
slope of their own, slope / sqrt(1 - share). Draws after the first take what each person earns given a noisy score: nearer to
the middle of peers and place by sqrt(1 - share), with a spread that gives the distribution back. The error of an area then
has the luck of its people in it.

Adults whom the bureau does not know earn what known ones of their sex and age do (missing at random within classes), moved
by how scores of their dong lie among peers.

Source: D'Orazio, Di Zio & Scanu (2006), Statistical Matching, ch. 2 (what two files without a key identify); quantile
matching of two distributions: Bolstad et al. (2003) call it quantile normalisation, here in its log-linear form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from living_finance.contracts.silver import UNSEEN_AGES, UNSEEN_CLASSES
from living_finance.income.value_benchmark import COMPONENT_NAMES
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import Bits, mixed, normal, unit_interval

FIRST_BAND, BANDS = 15, 14
PEERS = 2 * BANDS
"""Men from 15, 20, … 80 years on, then women."""
_SLOPES = (0.4, 3.0)
MOST_NOISE = 0.3
"""Largest share of noise in the scores that is thought possible."""
_NOISE_SHARES = np.linspace(0.0, MOST_NOISE, 61)
_CONTRADICTED = 2.58
"""Standard errors between the log slopes of labour and of business from which each has its own."""
_LEAST_PEERS = 30
"""Persons with earnings that a peer group needs to have a middle of its own."""
_DONORS = 400
"""Groups kept of a class, about, to lend their earnings to unseen adults."""
_PERSONS_PER_DONOR = 10
"""Least persons whose mean a donor is: no value of one person is kept."""
_PERSON_KEY = 0xEA12


def classes_of_peers() -> Integers:
    """Class of unseen adults that each peer group belongs to."""
    ages = FIRST_BAND + 5 * (np.arange(PEERS) % BANDS)
    group = np.searchsorted(UNSEEN_AGES, ages, side="right") - 1 + len(UNSEEN_AGES) * (np.arange(PEERS) // BANDS)
    return group.astype(np.int64)


@dataclass(frozen=True)
class Earners:
    """Those who may earn in a number of households."""

    households: int
    household: Integers
    """Of each bureau member, its position."""
    peer: Integers
    labour: Floats
    business: Floats
    """Scores of each bureau member, KRW/year; a business income below 0 is a loss."""
    key: Bits
    """Of each bureau member."""
    unseen_household: Integers
    """Of each unseen adult, its position."""
    unseen_class: Integers
    unseen_key: Bits
    place: Floats
    """Of each household: mean log score among peers in its dong."""

    def sums(self, seen: Floats, unseen: Floats) -> Floats:
        """Amounts of members added up by household."""
        of_seen = np.bincount(self.household, weights=seen, minlength=self.households)
        of_unseen = np.bincount(self.unseen_household, weights=unseen, minlength=self.households)
        return (of_seen + of_unseen).astype(np.float64)


@dataclass(frozen=True)
class Correction:
    """From log scores to log incomes."""

    middle: tuple[float, ...]
    """Mean log score of each peer group's persons with earnings."""
    level: float = 0.0
    slope: float = 1.0
    noise_share: float = 0.0
    """Of the scores' variance among peers of one place."""
    spread: float = 0.0
    """Standard deviation of log scores among peers of one place."""

    @property
    def place_slope(self) -> float:
        """Log income per unit of a place's mean log score among peers."""
        return float(self.slope / np.sqrt(1.0 - self.noise_share))

    def apply(self, score: Floats, peer: Integers, place: Floats, *, chance: Floats | None = None) -> Floats:
        """Incomes of scores in places; a loss moves with the level alone.

        Args:
            score: of each person, KRW/year.
            peer: its peer group.
            place: mean log score among peers where it lives.
            chance: standard normal numbers, which draw what a person earns given a noisy score; None keeps ranks.
        """
        middle = np.asarray(self.middle)[peer]
        log = np.log(np.where(score > 0.0, score, 1.0))
        kept = np.sqrt(1.0 - self.noise_share)
        apart = log - middle - place
        if chance is not None:
            apart = kept * apart + np.sqrt(self.noise_share) * self.spread * chance
        positive = np.exp(self.level + middle + self.place_slope * place + self.slope * apart)
        amount: Floats = np.where(score > 0.0, positive, np.minimum(score, 0.0) * np.exp(self.level))
        return amount


@dataclass(frozen=True)
class Donors:
    """What adults of each class score, for unseen adults to borrow: means of ten persons or more who are next to each other."""

    start: tuple[int, ...]
    """Where each class begins, and the end."""
    through: Floats
    """Class number + share of the class's persons up to and with this donor."""
    peer: Integers
    labour: Floats
    business: Floats

    def positions(self, classes: Integers, bits: Bits) -> Integers:
        """A donor for each adult, by its share of persons; -1 where the class has none."""
        start = np.asarray(self.start)
        found = np.searchsorted(self.through, classes + unit_interval(bits), side="right")
        return np.where(np.diff(start)[classes] > 0, np.minimum(found, start[classes + 1] - 1), -1).astype(np.int64)


@dataclass(frozen=True)
class EarningsTargets:
    """Distribution of household earnings above 0."""

    households: int
    """With some."""
    centre: float
    """Log of their power mean (KRW/year): with power 0 the mean of their log earnings."""
    spread: float
    """Mean distance of log earnings from their median: outliers weigh once, not squared."""
    error: float
    """Relative standard error of the spread."""
    power: float = 0.0
    """Of the mean: of 0 that of logs, which small amounts move most; of 1 that of amounts, which large ones do."""

    @classmethod
    def of(cls, amount: Floats, weight: Floats, *, power: float = 0.0) -> EarningsTargets:
        """What weighted amounts have.

        >>> float(np.exp(EarningsTargets.of(np.array([1.0, 9.0]), np.ones(2), power=0.5).centre))
        4.0
        """
        has = (amount > 0.0) & (weight > 0.0)
        if not has.any():
            return cls(0, 0.0, 0.0, np.inf, power)
        log, of = np.log(amount[has]), weight[has] / weight[has].sum()
        order = np.argsort(log, kind="stable")
        reached = np.cumsum(of[order])
        median = log[order][np.searchsorted(reached, 0.5 * reached[-1])]
        distance = np.abs(log - median)
        spread = float(of @ distance)
        error = float(np.sqrt(of**2 @ (distance - spread) ** 2) / spread) if spread > 0.0 else np.inf
        centre = np.log(of @ np.exp(power * log)) / power if power else of @ log
        return cls(int(has.sum()), float(centre), spread, error, power)


@dataclass(frozen=True)
class EarningsModel:
    """Corrections of one fit, and the donors."""

    labour: Correction
    business: Correction
    donors: Donors

    @property
    def has_one_slope(self) -> bool:
        """Whether scores of both kinds pull to the middle alike."""
        return self.labour.slope == self.business.slope

    def amounts(self, earners: Earners, *, draw: int) -> tuple[Floats, Floats]:
        """Labour and business income of each household in one draw, KRW/year.

        Draws 2k and 2k + 1 are opposite in the luck of persons; draw 0 has none.
        """
        lent = self.donors.positions(earners.unseen_class, mixed(draw, earners.unseen_key))
        labour, business = (
            household_amounts(
                correction,
                earners,
                seen=seen,
                donors=self.donors,
                lending=lending,
                lent=lent,
                chance=_chance(earners, seen, draw=draw, kind=kind) if draw else None,
            )
            for kind, (correction, seen, lending) in enumerate(
                (
                    (self.labour, earners.labour, self.donors.labour),
                    (self.business, earners.business, self.donors.business),
                )
            )
        )
        return labour, business


def _chance(earners: Earners, score: Floats, *, draw: int, kind: int) -> Floats:
    """A standard normal number for each bureau member with a score above 0; 0 for others."""
    has = score > 0.0
    chance = np.zeros(score.size)
    chance[has] = normal(mixed(_PERSON_KEY + kind, draw // 2, earners.key[has]))
    return -chance if draw % 2 else chance


def household_amounts(
    correction: Correction,
    earners: Earners,
    *,
    seen: Floats,
    donors: Donors,
    lending: Floats,
    lent: Integers,
    chance: Floats | None = None,
) -> Floats:
    """One kind of earnings added up by household.

    Args:
        correction: of this kind.
        earners: of the households.
        seen: scores of this kind of each bureau member.
        donors: of this month.
        lending: their scores of this kind.
        lent: donor of each unseen adult, -1 for none.
        chance: of each bureau member, as `Correction.apply` takes it.
    """
    of_seen, of_unseen = earners.place[earners.household], earners.place[earners.unseen_household]
    has = lent >= 0
    unseen = np.zeros(lent.size)
    unseen[has] = correction.apply(lending[lent[has]] * np.exp(of_unseen[has]), donors.peer[lent[has]], of_unseen[has])
    return earners.sums(correction.apply(seen, earners.peer, of_seen, chance=chance), unseen)


@dataclass(frozen=True)
class PlaceSlope:
    """Slope of survey log earnings on what scores differ between places, with its standard error."""

    estimate: float
    error: float


def noise_share(slope: float, places: PlaceSlope, *, chance: float | None) -> float:
    """The share of noise in the scores: uniform a priori, its likelihood from the slope between places.

    Args:
        slope: within places, by the spread.
        places: estimated slope between places; an infinite error says nothing.
        chance: quantile of the posterior; None for the mean.
    """
    between = slope / np.sqrt(1.0 - _NOISE_SHARES)
    distance = (between - places.estimate) / places.error if np.isfinite(places.error) else np.zeros(between.size)
    density = np.exp(-0.5 * (distance**2 - (distance**2).min()))
    density /= density.sum()
    if chance is None:
        return float(density @ _NOISE_SHARES)
    return float(np.interp(chance, np.cumsum(density), _NOISE_SHARES))


def middles(score: Floats, peer: Integers) -> tuple[float, ...]:
    """Mean log score of each peer group; a small group takes that of everybody."""
    has = score > 0.0
    log = np.log(score[has])
    number = np.bincount(peer[has], minlength=PEERS)
    total = np.bincount(peer[has], weights=log, minlength=PEERS)
    overall = float(log.mean()) if log.size else 0.0
    return tuple(np.where(number >= _LEAST_PEERS, total / np.maximum(number, 1), overall).tolist())


def _spread(score: Floats, earners: Earners, middle: tuple[float, ...]) -> float:
    has = score > 0.0
    apart = np.log(score[has]) - np.asarray(middle)[earners.peer[has]] - earners.place[earners.household[has]]
    return float(apart.std()) if apart.size else 0.0


def donors_of(earners: Earners) -> Donors:
    """Bureau members of each class in groups of alike: same kinds of earnings, same peers where they are enough, next in rank.

    Microaggregation (Domingo-Ferrer & Mateo-Sanz 2002, IEEE TKDE 14(1), 189-201): kinds with fewer persons than a group are
    left out.
    """
    of_class = classes_of_peers()[earners.peer]
    kind = 3 * (earners.labour > 0.0) + np.sign(earners.business).astype(np.int64) + 1
    has_own = np.bincount(earners.peer * 6 + kind, minlength=6 * PEERS)[earners.peer * 6 + kind] >= _PERSONS_PER_DONOR
    cell = np.where(has_own, earners.peer + 1, 0)
    order = np.lexsort((earners.business, earners.labour, earners.labour + earners.business, cell, kind, of_class))
    number = np.bincount(of_class, minlength=len(UNSEEN_CLASSES))
    size = np.maximum(_PERSONS_PER_DONOR, -(-number // _DONORS))
    labels = np.column_stack([of_class, kind, cell])[order]
    begins = np.flatnonzero(np.r_[True, (labels[1:] != labels[:-1]).any(axis=1)]) if order.size else np.zeros(0, np.int64)
    group: list[Integers] = []
    for first, last in zip(begins, np.r_[begins[1:], order.size], strict=True):
        count = int(last - first)
        groups = 1 if labels[first][1] == 1 else count // int(size[labels[first][0]])  # kind 1 earns nothing
        if count >= _PERSONS_PER_DONOR:
            group.extend(np.array_split(order[first:last], max(groups, 1)))
    belongs = np.array([of_class[rows[0]] for rows in group], dtype=np.int64)
    persons = np.array([rows.size for rows in group], dtype=np.float64)
    of = np.bincount(belongs, weights=persons, minlength=len(UNSEEN_CLASSES))
    start = np.r_[0, np.cumsum(np.bincount(belongs, minlength=len(UNSEEN_CLASSES)))]
    through = np.cumsum(persons) - np.r_[0.0, np.cumsum(of)][belongs]
    return Donors(
        tuple(start.tolist()),
        belongs + through / of[belongs],
        np.array([int(np.sort(earners.peer[rows])[rows.size // 2]) for rows in group], dtype=np.int64),
        np.array([np.rint(earners.labour[rows].mean()) for rows in group]),
        np.array([np.rint(earners.business[rows].mean()) for rows in group]),
    )


def fit_earnings(
    earners: Earners,
    weight: Floats,
    *,
    labour: EarningsTargets,
    business: EarningsTargets,
    donors: Donors,
    draw: int,
    places: PlaceSlope,
    chance: float | None,
    has_one_slope: bool | None = None,
    known_noise_share: float | None = None,
) -> tuple[EarningsModel, tuple[str, ...]]:
    """Corrections that give weighted household earnings the survey's centre and spread.

    Args:
        earners: of a sample of households.
        weight: of each household.
        labour: what labour income has in the survey.
        business: the same of business income.
        donors: `donors_of` the sample.
        draw: which draw of unseen adults' earnings is fitted.
        places: how survey incomes differ between places.
        chance: a number in (0, 1) that picks the share of noise from its posterior; None for its mean.
        has_one_slope: whether business income takes the slope of labour; None: unless the survey contradicts it.
        known_noise_share: the share of noise where it is taken as known; None: as places say.

    Returns:
        The model, and notes on what could not be met.
    """
    lent = donors.positions(earners.unseen_class, mixed(draw, earners.unseen_key))

    def of_labour(correction: Correction) -> Floats:
        return household_amounts(correction, earners, seen=earners.labour, donors=donors, lending=donors.labour, lent=lent)

    def of_business(correction: Correction) -> Floats:
        return household_amounts(correction, earners, seen=earners.business, donors=donors, lending=donors.business, lent=lent)

    middle = {name: middles(getattr(earners, name), earners.peer) for name in ("labour", "business")}
    spread = {name: _spread(getattr(earners, name), earners, of) for name, of in middle.items()}
    found = Correction(middle["labour"], spread=spread["labour"])
    # The share follows the slope and the slope, a little, the share: twice is enough for the digits that count.
    for _ in range(2):
        fitted, _ = _matched(found, of_labour, weight, target=labour, name="labour")
        found = replace(
            found,
            noise_share=noise_share(fitted.slope, places, chance=chance) if known_noise_share is None else known_noise_share,
        )
    for_labour, notes = _matched(found, of_labour, weight, target=labour, name="labour")
    start = Correction(middle["business"], noise_share=found.noise_share, spread=spread["business"])
    if has_one_slope is None:
        own, _ = _matched(start, of_business, weight, target=business, name="business")
        apart = abs(np.log(own.slope / for_labour.slope))
        has_one_slope = not notes and bool(apart < _CONTRADICTED * np.hypot(labour.error, business.error))
    slope = for_labour.slope if has_one_slope else None
    for_business, more = _matched(start, of_business, weight, target=business, name="business", slope=slope)
    return EarningsModel(for_labour, for_business, donors), (*notes, *more)


def _matched(
    given: Correction,
    amounts: Callable[[Correction], Floats],
    weight: Floats,
    *,
    target: EarningsTargets,
    name: str,
    slope: float | None = None,
) -> tuple[Correction, tuple[str, ...]]:
    """Slope by the spread unless it is given, then level by the centre: a level multiplies every amount and leaves the spread."""
    if not target.households or not (amounts(given) > 0.0).any():
        korean = COMPONENT_NAMES[name].ko
        return given, (
            f"{korean}: 조사나 신용정보에 소득이 있는 사람이 없어 보정하지 않음; "
            f"nobody has {name} income in the survey or the bureau: not corrected",
        )

    def surplus(slope: float) -> float:
        return EarningsTargets.of(amounts(replace(given, slope=slope)), weight).spread - target.spread

    notes: tuple[str, ...] = ()
    if slope is None:
        slope = 1.0
        if surplus(_SLOPES[0]) < 0.0 < surplus(_SLOPES[1]):
            slope = float(brentq(surplus, *_SLOPES, xtol=1e-6))
        else:
            notes = (
                f"{COMPONENT_NAMES[name].ko}: 조사의 산포가 기울기로 맞출 수 있는 범위를 벗어나 산포를 보정하지 않음; "
                f"the spread of {name} income in the survey is beyond what a slope reaches: its spread is not corrected",
            )
    found = EarningsTargets.of(amounts(replace(given, slope=slope)), weight, power=target.power)
    return replace(given, slope=slope, level=target.centre - found.centre), notes
