"""The city's benefit programmes, given to households by their rules and tied to what each dong was paid in the month.

Benefits come as sums, never as persons. A programme is paid to people of certain ages. Where it goes by income, those receive
it whose households have least labour, business and property income per root of members, and how many they are gives the limit;
what no source shows of them (a disability) falls to a stated share of them by chance. Where the law states a limit, or income
does not count, chance decides among those who may, and how many receive gives their share. Other transfers (pensions,
unemployment, private) are modelled: what surveyed households have beyond the programmes that the same rules give people like
them (`without_programmes`).

Who may receive what in which month is configuration (`programme_rules`), with the law that says it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.optimize import brentq

from living_finance.income.programme_rules import CHILD_AGE, OTHER, Rule
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import Bits, key_bits, mixed, unit_interval

_MONTHS = 12
_TIE_KRW = 1e5
"""Households without any income are told apart by chance, within this much of it."""
_TURN = (5.0**0.5 - 1.0) / 2.0
"""Chances of draws are turned by it: evenly spread over draws (Weyl 1916), each known from the first."""
_NO_LIMIT = 1e18
SCORE_BINS, _TIE_BINS = 128, 20
_BY_INCOME = np.r_[np.linspace(0.0, _TIE_KRW, _TIE_BINS + 1), np.geomspace(1.1 * _TIE_KRW, 3e8, SCORE_BINS - _TIE_BINS)]
_BY_CHANCE = np.linspace(0.0, 1.0, SCORE_BINS + 1)
_CHILD_KEY, _LIKE_KEY = 0xC41D, 0x11CE
_ALIKE = 16
"""Households of the city tried for the members of a surveyed one."""
_SAMPLED_PERSONS, _SAMPLE_STEPS = 500_000, 1_000_000
_BANDS = 9
_LARGEST_TILT = 4.0
_PRIOR_CHILDREN = 100.0
Young = Mapping[int, tuple[float, ...]]
"""Age that a rule has children below → by ten-year band of the head's age, share of children under 15 who are."""
_ANSWER_ERROR = 0.1
"""Transfers within this part of what programmes pay are these programmes: answers are not exact."""


@dataclass(frozen=True)
class Eligibility:
    """Who may receive in a month."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    """By programme."""
    young: Young = field(default_factory=dict)

    def rule(self, programme: str) -> Rule:
        return self.rules.get(programme, OTHER)


NOBODY_KNOWN = Eligibility()


@dataclass(frozen=True)
class _Candidates:
    household: Integers
    number: Floats
    """Persons who receive together."""
    chance: Floats
    age: Floats
    """Of children: place among those under 15, 0 to 1, by age."""


@dataclass(frozen=True)
class People:
    """Who lives in a number of households; arrays of one length."""

    size: Integers
    adults: Integers
    """15 and over."""
    children: Integers
    elderly: Integers
    """65 and over."""
    head_age_band: Integers
    """Ten-year lower bound."""
    key: Bits
    """`key_bits` of each household."""
    _known: dict[tuple[str, Rule], _Candidates] = field(default_factory=dict, compare=False)

    def candidates(self, programme: str, rule: Rule) -> _Candidates:
        """Those of a programme's ages, but for the young among children."""
        if (programme, rule) not in self._known:
            count = {"all": self.size, "adults": self.adults, "children": self.children, "elderly": self.elderly}[rule.among]
            number = np.ones(int(count.sum()))
            if rule.together:
                number, count = count[count > 0].astype(np.float64), np.minimum(count, 1)
            household = np.repeat(np.arange(count.size), count)
            position = np.arange(household.size) - np.repeat(np.cumsum(count) - count, count)
            key = self.key[household]
            chance = unit_interval(mixed(key_bits([programme])[0], key, position))
            age = unit_interval(mixed(_CHILD_KEY, key, position)) if rule.under else np.zeros(household.size)
            self._known[programme, rule] = _Candidates(household, number, chance, age)
        return self._known[programme, rule]

    def like(self, rows: Integers, key: Bits) -> People:
        """Households with the members of some of these, with chances of their own."""
        size, adults, children = self.size[rows], self.adults[rows], self.children[rows]
        return People(size, adults, children, self.elderly[rows], self.head_age_band[rows], key)

    def scores(self, programme: str, need: Floats, *, may: Eligibility, draw: int) -> tuple[Integers, Floats, Floats]:
        """Household, persons and score of those who may receive a programme: those with least do.

        Args:
            programme: its name.
            need: `need_of` each household.
            may: rules and shares of young children.
            draw: number of the draw.
        """
        rule = may.rule(programme)
        found = self.candidates(programme, rule)
        chance = (found.chance + draw * _TURN) % 1.0
        score = need[found.household] + _TIE_KRW * chance / rule.share if rule.by_income else chance
        can = chance < rule.share
        if rule.below_krw_year is not None:
            can &= need[found.household] < rule.below_krw_year
        if rule.under:
            shares = np.asarray(may.young[rule.under])
            can &= found.age < shares[np.minimum(self.head_age_band // 10, _BANDS - 1)][found.household]
        return found.household[can], found.number[can], score[can]


def need_of(market: Floats, size: Integers) -> Floats:
    """Labour, business and property income per root of members, KRW/year; a loss counts as none."""
    per_head: Floats = np.maximum(market, 0.0) / np.sqrt(np.maximum(size, 1))
    return per_head


@dataclass(frozen=True)
class Benefits:
    """What a month's programmes were paid: programme → dong → number."""

    recipients: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    paid: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """KRW/year at the month's rate."""
    may: Eligibility = NOBODY_KNOWN


NO_BENEFITS = Benefits()


def benefits_of(benefits: DataFrame, *, register: DataFrame, register_rows: int, rules: Mapping[str, Rule]) -> Benefits:
    """Sums of silver.BENEFIT by programme and dong, ages of silver.REGISTER_PERSON's children, the month's rules."""
    sums = benefits.groupBy("programme", "dong_code").agg(
        F.sum(F.col("recipients").cast("bigint")).alias("recipients"),
        F.sum(F.rint("amount_krw").cast("bigint")).alias("paid"),
    )
    rows = sums.orderBy("programme", "dong_code").collect()  # ok: programmes x dongs
    recipients: dict[str, dict[str, float]] = {}
    paid: dict[str, dict[str, float]] = {}
    for row in rows:
        recipients.setdefault(row["programme"], {})[row["dong_code"]] = float(row["recipients"] or 0)
        paid.setdefault(row["programme"], {})[row["dong_code"]] = _MONTHS * float(row["paid"] or 0)
    young = _young(register, register_rows, sorted({rule.under for rule in rules.values() if rule.under})) if recipients else {}
    return Benefits(recipients, paid, Eligibility(rules, young))


def _young(register: DataFrame, rows: int, below: Sequence[int]) -> Young:
    """Shares of children below these ages, from a sample of register households by hash."""
    share = min(1.0, _SAMPLED_PERSONS / max(rows, 1))
    is_sampled = F.pmod(F.xxhash64(F.lit("young"), "register_household_id"), F.lit(_SAMPLE_STEPS)) < int(share * _SAMPLE_STEPS)
    ages = (*below, CHILD_AGE)
    counted = (
        register.where(is_sampled)
        .groupBy("register_household_id")
        .agg(
            F.max(F.when(F.col("relation_to_head") == "head", F.col("age"))).alias("head_age"),
            *(F.count_if(F.col("age") < age).alias(f"under_{age}") for age in ages),
        )
        .where("head_age is not null")  # `least` would put them in the last band
        .groupBy(F.least(F.floor(F.col("head_age") / 10), F.lit(_BANDS - 1)).cast("int").alias("band"))
        .agg(*(F.sum(f"under_{age}").alias(f"under_{age}") for age in ages))
        .collect()  # ok: a row per ten-year band
    )
    number = np.zeros((len(ages), _BANDS))
    for row in counted:
        number[:, row["band"]] += [row[f"under_{age}"] for age in ages]
    # A hundred children as alike as all of them: bands with few take the shares of all.
    everywhere = number.sum(axis=1) / max(float(number[-1].sum()), 1.0)
    shares = (number + _PRIOR_CHILDREN * everywhere[:, None]) / np.maximum(number[-1] + _PRIOR_CHILDREN, 1.0)
    return {age: tuple(of.tolist()) for age, of in zip(below, shares[:-1], strict=True)}


@dataclass(frozen=True)
class Programmes:
    """By programme: score up to which people receive, and how much each; one number, or one for each household."""

    limits: Mapping[str, float | Floats] = field(default_factory=dict)
    amounts: Mapping[str, float | Floats] = field(default_factory=dict)
    """KRW/year."""
    may: Eligibility = NOBODY_KNOWN

    def given(self, people: People, need: Floats, *, draw: int) -> Floats:
        """What each household receives in a draw, KRW/year."""
        total = np.zeros(people.size.size)
        for programme, limit in self.limits.items():
            household, number, score = people.scores(programme, need, may=self.may, draw=draw)
            receives = score < np.broadcast_to(limit, need.shape)[household]
            persons = np.bincount(household[receives], weights=number[receives], minlength=need.size)
            total += persons * self.amounts[programme]
        return total


NO_PROGRAMMES = Programmes()


def score_counts(
    people: People,
    need: Floats,
    weight: Floats,
    place: Integers,
    *,
    places: int,
    programme: str,
    may: Eligibility,
    draw: int,
) -> Floats:
    """Weighted persons of a programme's ages by place and bin of score (places x bins)."""
    household, number, score = people.scores(programme, need, may=may, draw=draw)
    bins = np.searchsorted(_edges(may.rule(programme)), score, side="right") - 1
    cell = place[household] * SCORE_BINS + np.clip(bins, 0, SCORE_BINS - 1)
    counts = np.bincount(cell, weights=weight[household] * number, minlength=places * SCORE_BINS)
    return counts.reshape(places, SCORE_BINS).astype(np.float64)


def _edges(rule: Rule) -> Floats:
    return _BY_INCOME if rule.by_income else _BY_CHANCE


def _limit(rule: Rule, counts: Floats, recipients: float) -> tuple[float, float]:
    """Edge of a bin of scores up to which about as many receive as did, and how many do: the sum paid is divided by these."""
    through = np.cumsum(counts)
    if recipients >= through[-1]:
        return _NO_LIMIT, float(through[-1])
    distance = np.where(through > 0.0, np.abs(through - recipients), np.inf)
    at = int(distance.argmin())
    return float(_edges(rule)[at + 1]), float(through[at])


def learned_programmes(
    people: People, need: Floats, weight: Floats, *, benefits: Benefits, share: float, draw: int
) -> Programmes:
    """Limits and amounts of the whole city from a sample of its households.

    Args:
        people: of the sample.
        need: `need_of` them in the draw.
        weight: of each household.
        benefits: of the month.
        share: of the city's households in the sample.
        draw: number of the draw.
    """
    limits, amounts = {}, {}
    everywhere = np.zeros(people.size.size, np.int64)
    for programme, by_dong in sorted(benefits.recipients.items()):
        counts = score_counts(people, need, weight, everywhere, places=1, programme=programme, may=benefits.may, draw=draw)
        limit, number = _limit(benefits.may.rule(programme), counts[0], share * sum(by_dong.values()))
        if number > 0.0:
            limits[programme] = limit
            amounts[programme] = share * sum(benefits.paid[programme].values()) / number
    return Programmes(limits, amounts, benefits.may)


@dataclass(frozen=True)
class DongProgrammes:
    """Limits and amounts of each dong: programme → dong → number, from the households of the first draw."""

    limits: Mapping[str, Mapping[str, float]]
    amounts: Mapping[str, Mapping[str, float]]
    may: Eligibility
    paid: float
    """KRW/year, in all dongs."""
    placed: float
    """Of it, what somebody may receive by the rules."""

    def at(self, dongs: Sequence[str], dong: Integers, *, of: Programmes, first: Programmes) -> Programmes:
        """For households of a draw; its limits differ from the first draw's as the whole city's do.

        Args:
            dongs: codes.
            dong: position of each household's among them.
            of: the draw's, of the whole city.
            first: the first draw's.
        """
        limits, amounts = {}, {}
        for programme, by_dong in self.limits.items():
            low, high = first.limits.get(programme, _NO_LIMIT), of.limits.get(programme, _NO_LIMIT)
            is_known = self.may.rule(programme).by_income and max(low, high) < _NO_LIMIT and low > 0.0
            ratio = high / low if is_known else 1.0
            limits[programme] = ratio * np.array([by_dong.get(code, -1.0) for code in dongs])[dong]
            amounts[programme] = np.array([self.amounts[programme].get(code, 0.0) for code in dongs])[dong]
        return Programmes(limits, amounts, self.may)


def dong_programmes(counts: Mapping[str, Mapping[str, Floats]], benefits: Benefits) -> DongProgrammes:
    """Limits that give each dong its recipients, amounts that give it what was paid.

    Args:
        counts: programme → dong → weighted persons by bin of score (`score_counts`).
        benefits: of the month.
    """
    limits: dict[str, dict[str, float]] = {}
    amounts: dict[str, dict[str, float]] = {}
    placed = 0.0
    for programme, by_dong in benefits.recipients.items():
        limits[programme], amounts[programme] = {}, {}
        for dong, recipients in by_dong.items():
            found = counts.get(programme, {}).get(dong, np.zeros(SCORE_BINS))
            limit, number = _limit(benefits.may.rule(programme), found, recipients)
            if number > 0.0:
                limits[programme][dong] = limit
                amounts[programme][dong] = benefits.paid[programme][dong] / number
                placed += benefits.paid[programme][dong]
    paid = float(sum(sum(of.values()) for of in benefits.paid.values()))
    return DongProgrammes(limits, amounts, benefits.may, paid, placed)


def without_programmes(
    transfer: Floats,
    weight: Floats,
    need: Floats,
    kinds: npt.NDArray[np.str_],
    key: Bits,
    groups: Integers,
    *,
    people: People,
    people_kinds: npt.NDArray[np.str_],
    programmes: Programmes,
    draw: int,
) -> Floats:
    """Transfers of surveyed households beyond the city's programmes, KRW/year.

    The survey does not say how old members are. They are taken from a household of the city of the same kind, and the
    programmes follow by the rules from the surveyed household's own income (hot deck). Of a few such households those count
    whose programmes pay no more than the transfers there are; among them more is as much likelier as it takes for the survey's
    programmes to add up to what the rules give it.

    Args:
        transfer: answers, NaN where missing.
        weight: of each.
        need: `need_of` the surveyed households.
        kinds: kind of each.
        key: of each.
        groups: of each; the programmes of those who answered add up in each.
        people: households of the city.
        people_kinds: kind of each.
        programmes: limits and amounts of the whole city.
        draw: number of the draw.
    """
    if not programmes.limits or not people_kinds.size:
        return transfer
    order = np.argsort(people_kinds, kind="stable")
    start, stop = (np.searchsorted(people_kinds[order], kinds, side=side) for side in ("left", "right"))
    start, stop = np.where(stop > start, start, 0), np.where(stop > start, stop, order.size)
    paid = np.empty((_ALIKE, transfer.size))
    for tried in range(_ALIKE):
        bits = mixed(_LIKE_KEY, key, draw, tried)
        like = order[start + (unit_interval(bits) * (stop - start)).astype(np.int64)]
        paid[tried] = programmes.given(people.like(like, bits), need, draw=0)
    programme, chance = np.zeros(transfer.size), unit_interval(mixed(_LIKE_KEY, key, draw, _ALIKE))
    for group in np.unique(groups):
        of = (groups == group) & np.isfinite(transfer)
        programme[of] = _fitting(paid[:, of], transfer[of], weight[of], chance=chance[of])
    rest = transfer - programme
    return np.where(rest > _ANSWER_ERROR * programme, rest, np.where(np.isfinite(transfer), 0.0, np.nan))


def _fitting(paid: Floats, transfer: Floats, weight: Floats, *, chance: Floats) -> Floats:
    """One of each household's tries (tries x households), no more than its transfers; if it can be with their weighted mean."""
    fits = paid <= (1.0 + _ANSWER_ERROR) * transfer
    ranked = np.sort(np.where(fits, paid, np.inf), axis=0)
    number = fits.sum(axis=0)
    wanted = float(weight @ paid.mean(axis=0))

    def chosen(tilt: float) -> Floats:
        at = np.minimum((chance ** np.exp(-tilt) * number).astype(np.int64), np.maximum(number - 1, 0))
        return np.where(number > 0, ranked[at, np.arange(number.size)], 0.0)

    def surplus(tilt: float) -> float:
        return float(weight @ chosen(tilt)) - wanted

    if surplus(0.0) >= 0.0 or surplus(_LARGEST_TILT) <= 0.0:
        return chosen(0.0 if surplus(0.0) >= 0.0 else _LARGEST_TILT)
    return chosen(float(brentq(surplus, 0.0, _LARGEST_TILT, xtol=1e-3)))
