"""Household values moved to published figures: components, fifths of total income, head's age, tenure, total.

Works on a profile: weighted sums of the components by bin of total income and group of head's age (and of tenure, where means
by tenure are published), of each draw, so that a city of any size is some thousand numbers. What comes out is a function of a
household's own values: a ratio per component, a factor of its total that is piecewise linear in the logarithm (monotone, as
`f(total) x total` rises), and a factor per age group and tenure. Published figures by group count by the share that their error
leaves them beside the estimate's own error, which is the spread over draws; of tenure more, since no draw draws it anew. The mean
of the total is met.

Source: Bell, Datta & Ghosh (2013), Biometrika 100(1), 189-202 (trust by errors); Särndal, Swensson & Wretman (1992), ch. 7
(ratios); DerSimonian & Laird (1986), Controlled Clinical Trials 7(3), 177-188 (a variance by moments).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import fdtrc

from living_finance.contracts import codes, gold
from living_finance.contracts.language import Words
from living_finance.income.survey_weights import FIFTHS
from living_finance.methods.grouped import Floats, Integers

COMPONENTS = ("labour", "business", "property", "transfer", "irregular")
COMPONENT_NAMES: Mapping[str, Words] = {
    name: Words(ko=column.label_ko, en=column.label_en)
    for name in (*COMPONENTS, "total")
    for column in (gold.HOUSEHOLD.column(f"{name}_income_krw_year"),)
}
AGE_GROUPS = ("0-29", "30-39", "40-49", "50-59", "60-119")
TENURES = codes.TENURE.codes
_EDGES = np.concatenate([[0.0], np.geomspace(2e5, 2e9, 240)])
BINS = _EDGES.size + 1
_LOG_MIDDLES = np.log(np.maximum(np.sqrt(np.maximum(np.r_[0.0, _EDGES], 1.0) * np.maximum(np.r_[_EDGES, _EDGES[-1]], 1.0)), 1.0))
"""Log of the total in the middle of each bin; 0 where it is not positive."""
_ROUNDS = 40
_LARGEST_STEP = 0.5
"""Bound of the log factor of a fifth, an age group or a tenure."""
_LEAST_OWN_ERROR = 0.005
_LEAST_TESTED_DRAWS = 6

Profile = npt.NDArray[np.float64]
"""Groups x bins x (households, components), weighted. Groups: of age; where means by tenure are published, of age x tenure."""


def bin_of(total: Floats) -> Integers:
    """Bin of a total income before benchmarking."""
    return np.searchsorted(_EDGES, total, side="right").astype(np.int64)


def age_group_of(head_age_band: Integers) -> Integers:
    """Position in AGE_GROUPS."""
    return np.clip(head_age_band // 10 - 2, 0, len(AGE_GROUPS) - 1)


def tenure_of(tenure: npt.NDArray[np.object_]) -> Integers:
    """Position in TENURES."""
    return np.select([tenure == name for name in TENURES], list(range(len(TENURES)))).astype(np.int64)


def empty_profile(*, by_tenure: bool) -> Profile:
    """A profile of nobody."""
    return np.zeros((len(AGE_GROUPS) * (len(TENURES) if by_tenure else 1), BINS, 1 + len(COMPONENTS)))


def cell_of(total: Floats, head_age_band: Integers, tenure: Integers, *, by_tenure: bool) -> Integers:
    """Position of households in a profile, groups and bins in one.

    Args:
        total: income before benchmarking.
        head_age_band: ten-year lower bound.
        tenure: `tenure_of` them; not looked at without `by_tenure`.
        by_tenure: whether the profile has groups of tenure.
    """
    age = age_group_of(head_age_band)
    return (age * len(TENURES) + tenure if by_tenure else age) * BINS + bin_of(total)


@dataclass(frozen=True)
class Targets:
    """Published figures, KRW/year, those there are."""

    means: Mapping[str, float]
    """total, property, transfer, irregular."""
    fifths: Mapping[int, float]
    ages: Mapping[str, float]
    tenures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Factors:
    """What one draw's values are multiplied by."""

    ratios: tuple[float, ...]
    """By component."""
    knots: tuple[float, ...]
    """Log of total income before benchmarking, in the middle of each fifth."""
    log_factors: tuple[float, ...]
    """At the knots; constant beyond."""
    ages: tuple[float, ...]
    tenures: tuple[float, ...] = ()
    """None where no mean by tenure is published."""
    largest_gap: float = 0.0
    """Of means by group from the published figures as trusted, relative; not small where these contradict each other."""

    def of_households(self, total: Floats, head_age_band: Integers, tenure: Integers) -> Floats:
        """Factor of each household, by its total before benchmarking and the position of its tenure (`tenure_of`)."""
        log = np.interp(np.log(np.maximum(total, 1.0)), self.knots, self.log_factors)
        factor: Floats = np.exp(log) * np.asarray(self.ages)[age_group_of(head_age_band)]
        return factor * np.asarray(self.tenures)[tenure] if self.tenures else factor


@dataclass(frozen=True)
class GroupMeans:
    """Means of total income by fifth, by age group and, of a profile that has them, by tenure."""

    fifths: Floats
    ages: Floats
    total: float
    tenures: Floats = field(default_factory=lambda: np.zeros(0))


def group_means(values: Profile) -> GroupMeans:
    """Means of a profile; its cells are ranked by their means, and households share a cell at a limit in proportion."""
    number, income = values[:, :, 0], values[:, :, 1:].sum(axis=2)
    of_cell, in_cell = number.ravel(), income.ravel()
    order = np.argsort(np.divide(in_cell, of_cell, out=np.zeros(of_cell.size), where=of_cell > 0.0), kind="stable")
    through = np.r_[0.0, np.cumsum(of_cell[order])]
    limits = through[-1] * np.arange(FIFTHS + 1) / FIFTHS
    up_to = np.interp(limits, through, np.r_[0.0, np.cumsum(in_cell[order])])
    by_age = (len(AGE_GROUPS), -1)
    by_tenure = (len(AGE_GROUPS), len(TENURES), BINS)
    tenures = np.zeros(0)
    if _tenures_in(values):
        tenures = _ratio(income.reshape(by_tenure).sum(axis=(0, 2)), number.reshape(by_tenure).sum(axis=(0, 2)))
    return GroupMeans(
        fifths=np.diff(up_to) / max(through[-1] / FIFTHS, 1e-300),
        ages=_ratio(income.reshape(by_age).sum(axis=1), number.reshape(by_age).sum(axis=1)),
        total=float(up_to[-1] / max(through[-1], 1e-300)),
        tenures=tenures,
    )


def _ratio(income: Floats, number: Floats) -> Floats:
    return np.divide(income, number, out=np.zeros(number.size), where=number > 0.0)


def _tenures_in(profile: Profile) -> tuple[str, ...]:
    """Its groups of tenure: all or none."""
    return TENURES if len(profile) > len(AGE_GROUPS) else ()


def component_ratios(profile: Profile, targets: Targets) -> Floats:
    """Ratios that meet the published means of components and, by labour and business, of the total."""
    mean = profile[:, :, 1:].sum(axis=(0, 1)) / max(float(profile[:, :, 0].sum()), 1e-300)
    return ratios_of_means(mean, targets.means)


def ratios_of_means(mean: Floats, published: Mapping[str, float]) -> Floats:
    """The same of means of the components, in their order; `published`: as `Targets.means`."""
    ratio = np.ones(len(COMPONENTS))
    for position, name in enumerate(COMPONENTS):
        if published.get(name, 0.0) > 0.0 and mean[position] > 0.0:
            ratio[position] = published[name] / mean[position]
    rest = float((mean * ratio)[2:].sum())
    earned = float(mean[:2].sum())
    if published.get("total", 0.0) > rest and earned > 0.0:
        ratio[:2] = (published["total"] - rest) / earned
    return ratio


def own_errors(profiles: list[Profile], targets: list[Targets], *, errors: Mapping[str, float]) -> GroupMeans:
    """Errors of the log means by group, once components and total are met: what the model is unsure of.

    The spread over draws. Means by tenure have in addition what their distances from the published figures hold beyond both
    errors, the same for all: households have one tenure in all draws, though that of many is drawn (`households.tenure`).

    Args:
        profiles: of draws, before benchmarking.
        targets: published figures as each draw takes them.
        errors: relative standard errors of the published figures, as in `factors`.
    """
    found = []
    for profile, target in zip(profiles, targets, strict=True):
        means = group_means(_scaled(profile, component_ratios(profile, target)))
        found.append(np.log(np.maximum(np.r_[means.fifths, means.ages, means.tenures], 1.0)))
    spread = np.std(found, axis=0, ddof=1) if len(found) > 1 else np.full(found[0].size, _LEAST_OWN_ERROR)
    own = np.maximum(spread, _LEAST_OWN_ERROR)
    fifths, ages, tenures = np.split(own, [FIFTHS, FIFTHS + len(AGE_GROUPS)])
    if tenures.size:
        distance = np.mean([_distances(profile, target) for profile, target in zip(profiles, targets, strict=True)], axis=0)
        error = np.array([errors.get(f"tenure {name}", 0.0) for name in TENURES])
        tenures = np.sqrt(tenures**2 + _variance_beyond(distance[-tenures.size :], np.hypot(tenures, error)))
    return GroupMeans(fifths, ages, 0.0, tenures)


def _variance_beyond(distance: Floats, error: Floats) -> float:
    """Variance of distances about 0 that their errors do not explain; NaN is none.

    >>> round(_variance_beyond(np.array([0.05, -0.05, np.nan]), np.full(3, 0.03)), 9)
    0.0016
    >>> _variance_beyond(np.array([0.02, -0.02]), np.full(2, 0.03))
    0.0

    Source: DerSimonian & Laird (1986), with a known mean of 0.
    """
    known = np.isfinite(distance)
    weight = 1.0 / error[known] ** 2
    beyond = float(weight @ distance[known] ** 2) - int(known.sum())
    return max(beyond, 0.0) / max(float(weight.sum()), 1e-300)


@dataclass(frozen=True)
class JointTest:
    """Whether estimates and published figures agree, all figures together."""

    figures: int
    mean_square: float
    """Of distances in standard errors: about 1 where only errors part the two."""
    freedom: float
    """Degrees of freedom: how many figures' worth they are, since they go together."""
    probability: float
    """Of a distance as large by their errors alone."""


def joint_test(profiles: list[Profile], targets: list[Targets]) -> JointTest | None:
    """Estimates before they are moved, held against all published figures at once; None: too few draws or figures.

    Means of total and components as they are; fifths, age groups and tenures once these are met. Distances are of logarithms.
    The first draw is tested; how much distances vary and go together is seen in the others, which hold the errors of both
    sides. These are few: their mean square goes by an F distribution.

    Args:
        profiles: of each draw, before benchmarking.
        targets: published figures as each draw takes them.

    Source: Rao & Scott (1981), JASA 76(374), 221-230 (second-order correction of a sum of squares for correlation).
    """
    if len(profiles) < _LEAST_TESTED_DRAWS:
        return None
    distances = np.array([_distances(profile, target) for profile, target in zip(profiles, targets, strict=True)])
    later = distances[1:]
    spread = later.std(axis=0, ddof=1)
    is_known = np.isfinite(distances).all(axis=0) & (spread > 0.0)
    number, count = int(is_known.sum()), len(later)
    if number == 0:
        return None
    square = float(np.mean((distances[0, is_known] / spread[is_known]) ** 2))
    between = np.corrcoef(later[:, is_known], rowvar=False).reshape(number, number) ** 2
    # What correlations of so few draws are above 0 by chance is taken off.
    apart = np.maximum(between - (1.0 - between) / (count - 2), 0.0)
    freedom = number**2 / (number + float(apart.sum() - np.trace(apart)))
    return JointTest(number, square, freedom, float(fdtrc(freedom, count - 1, square)))


def _distances(profile: Profile, targets: Targets) -> Floats:
    """Log of estimate to published figure: total, components, fifths, age groups, tenures; NaN where either is missing."""
    mean = profile[:, :, 1:].sum(axis=(0, 1)) / max(float(profile[:, :, 0].sum()), 1e-300)
    groups = group_means(_scaled(profile, component_ratios(profile, targets)))
    estimate = np.r_[mean.sum(), mean, groups.fifths, groups.ages, groups.tenures]
    published = np.array(
        [
            *(targets.means.get(name, np.nan) for name in ("total", *COMPONENTS)),
            *(targets.fifths.get(k + 1, np.nan) for k in range(FIFTHS)),
            *(targets.ages.get(name, np.nan) for name in AGE_GROUPS),
            *(targets.tenures.get(name, np.nan) for name in _tenures_in(profile)),
        ]
    )
    has = (estimate > 0.0) & (published > 0.0)
    ratio: Floats = np.log(np.where(has, estimate, np.nan) / np.where(has, published, np.nan))
    return ratio


def factors(profile: Profile, targets: Targets, *, own: GroupMeans, errors: Mapping[str, float]) -> Factors:
    """Factors of one draw.

    Args:
        profile: of the draw, before benchmarking.
        targets: published figures (of a draw: with an error added).
        own: relative error of the estimates by group (`own_errors`).
        errors: relative standard error of the published figures: `fifth 1` …, `age 0-29` …, `tenure owned` …
    """
    ratio = component_ratios(profile, targets)
    before = group_means(_scaled(profile, ratio))
    knots = _knots(profile)
    wanted_fifths = _trusted(
        before.fifths,
        [targets.fifths.get(k + 1) for k in range(FIFTHS)],
        own.fifths,
        [errors.get(f"fifth {k + 1}") for k in range(FIFTHS)],
    )
    wanted_ages = _trusted(
        before.ages, [targets.ages.get(name) for name in AGE_GROUPS], own.ages, [errors.get(f"age {name}") for name in AGE_GROUPS]
    )
    of_tenures = _tenures_in(profile)
    wanted_tenures = _trusted(
        before.tenures,
        [targets.tenures.get(name) for name in of_tenures],
        own.tenures,
        [errors.get(f"tenure {name}") for name in of_tenures],
    )
    log_fifths, log_ages, log_tenures = np.zeros(FIFTHS), np.zeros(len(AGE_GROUPS)), np.zeros(len(of_tenures))

    def means_now() -> tuple[GroupMeans, Floats]:
        moved = _moved(profile, knots, log_fifths, log_ages, log_tenures)
        ratio = component_ratios(moved, targets)
        return group_means(_scaled(moved, ratio)), ratio

    for _ in range(_ROUNDS):
        log_fifths = _stepped(log_fifths, wanted_fifths, means_now()[0].fifths)
        log_ages = _stepped(log_ages, wanted_ages, means_now()[0].ages)
        if of_tenures:
            log_tenures = _stepped(log_tenures, wanted_tenures, means_now()[0].tenures)
    after, ratio = means_now()
    is_published = np.array(
        [
            *(k + 1 in targets.fifths for k in range(FIFTHS)),
            *(name in targets.ages for name in AGE_GROUPS),
            *(name in targets.tenures for name in of_tenures),
        ]
    )
    reached, wanted = np.r_[after.fifths, after.ages, after.tenures], np.r_[wanted_fifths, wanted_ages, wanted_tenures]
    gap = np.abs(reached / wanted - 1.0)[is_published & (reached > 0.0)]
    return Factors(
        tuple(ratio.tolist()),
        tuple(knots.tolist()),
        tuple(log_fifths.tolist()),
        tuple(np.exp(log_ages).tolist()),
        tuple(np.exp(log_tenures).tolist()),
        float(gap.max(initial=0.0)),
    )


def _stepped(log_factor: Floats, wanted: Floats, now: Floats) -> Floats:
    """One step towards the wanted means; centred, since a common factor is what the components' ratios are for."""
    has = (now > 0.0) & (wanted > 0.0)
    moved = log_factor + np.where(has, np.log(np.where(has, wanted, 1.0) / np.where(has, now, 1.0)), 0.0)
    bounded: Floats = np.clip(moved - moved.mean(), -_LARGEST_STEP, _LARGEST_STEP)
    return bounded


def _trusted(estimate: Floats, published: list[float | None], own: Floats, error: list[float | None]) -> Floats:
    """Estimates moved towards the published figures by the share of their joint variance that is the estimates' own."""
    result = np.maximum(estimate, 1.0)
    for position, (figure, of_figure) in enumerate(zip(published, error, strict=True)):
        if figure and figure > 0.0 and estimate[position] > 0.0:
            share = own[position] ** 2 / (own[position] ** 2 + (of_figure or 0.0) ** 2)
            result[position] = estimate[position] * (figure / estimate[position]) ** share
    return result


def _knots(profile: Profile) -> Floats:
    """Log total income at the middle of each fifth, rising."""
    by_bin = profile[:, :, 0].sum(axis=0)
    through = np.cumsum(by_bin) / max(float(by_bin.sum()), 1e-300)
    at = np.minimum(np.searchsorted(through, (np.arange(FIFTHS) + 0.5) / FIFTHS), BINS - 1)
    rising: Floats = _LOG_MIDDLES[at] + 1e-9 * np.arange(FIFTHS)
    return rising


def _moved(profile: Profile, knots: Floats, log_fifths: Floats, log_ages: Floats, log_tenures: Floats) -> Profile:
    by_group = (log_ages[:, None] + log_tenures[None, :]).ravel() if log_tenures.size else log_ages
    factor = np.exp(np.interp(_LOG_MIDDLES, knots, log_fifths)[None, :] + by_group[:, None])
    moved = profile.copy()
    moved[:, :, 1:] *= factor[:, :, None]
    return moved


def _scaled(profile: Profile, ratio: Floats) -> Profile:
    scaled = profile.copy()
    scaled[:, :, 1:] *= ratio
    return scaled
