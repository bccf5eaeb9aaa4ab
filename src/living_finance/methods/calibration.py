"""Bounded calibration of the weights of many small areas at once, in NumPy, for areas that fit one worker.

For each area: the weights nearest to the base weights whose totals lie between the lower and the upper target
of every margin, each weight within fixed bounds times its base weight. Where no such weights exist, targets
give way by as little as possible:

    gaps = argmin Σ_j penalty_j (gap_j / size_j)²   over all weights within the bounds,

penalty_j by the target's priority, size_j its mean contribution (1 for an indicator, so that a gap counts in
households or persons). The result is then the nearest weights among those with these gaps. Gaps and weights
are unique, the gaps are zero wherever the targets can be met, and collinear targets change nothing.

One algorithm does both: the method of multipliers, which on contradicting constraints converges to the nearest
consistent ones (Chiche & Gilbert). Its inner problems are solved by Newton's method on the multipliers, one
system of targets x targets per area and step. A target with an interval has a total of its own inside it,
treated as one more unit with a linear distance: it leaves its base total (or the nearest end) at a price, by
default that of one unit of mean weight. A base total is evidence about a masked count, and the problem becomes
smooth; the interval is kept as strictly as an equality.

Nothing depends on the order of units or on which areas are solved together: units are ordered by base weight
and content, areas are batched with others of the same number of targets, sums run in that order.

Source: Deville & Särndal (1992), Calibration estimators in survey sampling, JASA 87(418), 376-382, cases 1, 2,
6 and 7; Chiche & Gilbert (2016), How the augmented Lagrangian algorithm can deal with an infeasible convex
quadratic optimization problem, Journal of Convex Analysis 23(2), 425-459; Rockafellar (1976), Augmented
Lagrangians and applications of the proximal point algorithm, Mathematics of Operations Research 1(2), 97-116.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from living_finance.errors import ConfigurationError

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

DistanceName = Literal["truncated_linear", "logit", "truncated_raking"]

LEAST_PRIORITY = 6
"""Priorities run from 0 (first) to 6; larger ones count as 6."""

RELAXED_GAP = 1e-4
"""A target is relaxed if it is missed by more than this share of one mean contribution of one mean weight."""

_HARD_PENALTY = 1e6
"""Of priority 0: next to priority 1 its gap is of the order of a millionth, so a household total is exact to print."""

_PENALTY_STEP = 10.0
"""A squared gap counts ten times one of the next priority."""

_FIRST_STEP, _STEP_GROWTH, _LARGEST_STEP = 1e2, 10.0, 1e6
"""Of the multipliers. A larger step closes the gaps in fewer rounds; beyond 1e6 multipliers lose digits."""

_PATIENCE = 8
"""Newton steps on one inner problem before the step is made smaller, which makes the problem easier."""

_INEXACTNESS = 0.1
"""An inner problem is solved well enough at this share of what it has moved (Rockafellar's criterion B)."""

_SUFFICIENT_RISE = 1e-4
"""Armijo's constant: the share of the predicted rise that a Newton step must bring."""

_SHORTENINGS = (0.5,) * 5 + (0.1,) * 15
"""Of a step that does not bring it. Where all weights of a target are at a bound only the penalty curves, so that a step can
be 1e8 too long."""

_LENGTHENINGS = 3
"""Bisections between the accepted and the refused length of a step that was shortened."""

_WIDTH_STEP = 8
"""Areas whose numbers of targets round up to the same multiple are solved together, the smaller ones with empty columns."""

_NO_BOUND = 1e300
_LARGEST_EXPONENT = 100.0
_BATCH = 24
"""Areas solved together: enough that NumPy's cost per call is small, few enough that none waits long for another."""


@dataclass(frozen=True)
class Distance:
    """How far a weight w may be from its base weight d, and what it costs; g = w / d.

    `truncated_linear`: (g - 1)² / 2 within the bounds (regression estimator; case 7, case 1 without bounds).
    `logit`: grows without limit of its slope towards the bounds, so that weights stay inside them (case 6).
    `truncated_raking`: g log g - g + 1 within the bounds (raking; case 2 without bounds).
    """

    name: DistanceName = "truncated_linear"
    lowest: float = -np.inf
    highest: float = np.inf

    def __post_init__(self) -> None:
        if not self.lowest < 1.0 < self.highest:
            raise ConfigurationError("Bounds of calibration do not enclose 1.", remedy="for instance 0.25 and 4")
        if self.name == "logit" and not (np.isfinite(self.lowest) and np.isfinite(self.highest)):
            raise ConfigurationError("The logit distance needs two finite bounds.", remedy="for instance 0.25 and 4")
        if self.name == "truncated_raking" and self.lowest < 0.0:
            raise ConfigurationError("Raking gives no negative weights.", remedy="set the lower bound to 0 or more")
        if self.name not in ("truncated_linear", "logit", "truncated_raking"):
            raise ConfigurationError("Unknown distance.", remedy="truncated_linear, logit or truncated_raking")

    def ratios(self, score: Floats) -> tuple[Floats, Floats]:
        """g that minimises distance - g x score, and its derivative."""
        low, high = self.lowest, self.highest
        if self.name == "truncated_linear":
            ratio = np.clip(1.0 + score, low, high)
            return ratio, ((ratio > low) & (ratio < high)).astype(np.float64)
        if self.name == "truncated_raking":
            ratio = np.clip(np.exp(np.minimum(score, _LARGEST_EXPONENT)), low, high)
            return ratio, np.where((ratio > low) & (ratio < high), ratio, 0.0)
        to_low = 1.0 / (1.0 + (1.0 - low) / (high - 1.0) * np.exp(np.clip(self._steepness * score, -700.0, 700.0)))
        return low * to_low + high * (1.0 - to_low), self._steepness * (high - low) * to_low * (1.0 - to_low)

    def conjugate(self, score: Floats) -> Floats:
        """max over g of g x score - distance: the integral of `ratios`."""
        if self.name == "logit":
            low, high, steepness = self.lowest, self.highest, self._steepness
            grown = np.logaddexp(np.log(high - 1.0), np.log(1.0 - low) + steepness * score) - np.log(high - low)
            logit: Floats = low * score + (high - low) / steepness * grown
            return logit
        low, high = max(self.lowest, -_NO_BOUND), min(self.highest, _NO_BOUND)
        if self.name == "truncated_linear":
            first, last = low - 1.0, high - 1.0
            inner = np.clip(score, first, last)
            within = inner + inner * inner / 2.0
        else:
            first = np.log(low) if low > 0.0 else -_LARGEST_EXPONENT
            last = min(np.log(high), _LARGEST_EXPONENT)
            within = np.exp(np.clip(score, first, last)) - 1.0
        return within + low * np.minimum(score - first, 0.0) + high * np.maximum(score - last, 0.0)

    @property
    def _steepness(self) -> float:
        return (self.highest - self.lowest) / ((1.0 - self.lowest) * (self.highest - 1.0))


@dataclass(frozen=True)
class Problem:
    """Units, targets and what units contribute to targets, of any number of areas.

    Positions count from 0. An area's targets come in an order of the caller's that does not depend on chance
    (for instance by margin and category); everything else may come in any order.
    """

    areas: int
    unit_area: Integers
    """Area of each unit."""
    base_weight: Floats
    """Of each unit. One that is missing, not finite or not positive puts the unit out of scope: weight 0."""
    target_area: Integers
    """Area of each target."""
    lower: Floats
    upper: Floats
    """Of each target; NaN or infinite: no limit on that side; the two are exchanged if they are the wrong way round."""
    priority: Integers
    """Of each target: 0 is met first, then 1, …"""
    unit: Integers
    target: Integers
    value: Floats
    """Contributions: this unit adds weight x value to this target (of its own area). Several of one pair add up."""


@dataclass(frozen=True)
class Solution:
    """Weights and an account of every target and area."""

    weight: Floats
    """Of each unit: the base weight where the area has nothing to calibrate to, 0 out of scope."""
    achieved: Floats
    """Total of each target."""
    gap: Floats
    """Of each target: achieved less the nearest of its limits; 0 inside them."""
    is_relaxed: Flags
    units: Integers
    """Of each area: units in scope."""
    rounds: Integers
    """Of each area: Newton steps; 0 where there was nothing to solve."""
    is_converged: Flags
    """Of each area: weights and gaps no longer moved by more than the tolerance."""
    avoidable: Floats
    """Of each area: by how much Σ penalty (gap / size)² / 2 could at most be smaller with other weights within the bounds
    (in squared mean weights, over targets that some unit contributes to). Proved by duality, to some 1e-8 of that sum."""


def calibrate_areas(
    problem: Problem, *, distance: Distance, interval_price: float = 1.0, tolerance: float = 1e-7, max_rounds: int = 120
) -> Solution:
    """Calibrate every area.

    Args:
        problem: units, targets, contributions.
        distance: kind and bounds of w / d.
        interval_price: what it costs a total to leave its base total inside an interval, as a multiple of what it
            costs a unit of mean weight. Towards 0 the inside is free, and the problem harder (0.1: twice the time).
        tolerance: largest movement of a weight, and largest error of a total, relative to the area's mean base weight,
            at which an area counts as converged.
        max_rounds: Newton steps; the bounds hold after any number of them.

    Returns:
        Weights in the order of the units, gaps in the order of the targets. Never fails on data.

    Raises:
        ConfigurationError: the price is not positive.
    """
    if not interval_price > 0.0:
        raise ConfigurationError("The price inside an interval is not positive.", remedy="1, or less for freer intervals")
    layout = _Layout.of(problem)
    weight = layout.base.copy()
    rounds = np.zeros(problem.areas, dtype=np.int64)
    is_converged = np.ones(problem.areas, dtype=bool)
    avoidable = np.zeros(problem.areas)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for areas, batch in layout.batches():
            solver = _Solver(batch, distance=distance, price=interval_price, tolerance=tolerance)
            solver.run(max_rounds)
            weight[batch.rows] = solver.ratio * layout.base[batch.rows]
            rounds[areas], is_converged[areas], avoidable[areas] = solver.rounds, ~solver.is_open, solver.avoidable()
    return layout.account(weight, rounds=rounds, is_converged=is_converged, avoidable=avoidable)


def penalties(priority: Integers) -> Floats:
    """Penalty of a squared gap by priority.

    >>> penalties(np.array([0, 1, 2, 3])).tolist()
    [1000000.0, 1.0, 0.1, 0.01]
    """
    place = np.clip(priority, 0, LEAST_PRIORITY).astype(np.float64)
    return np.where(place == 0.0, _HARD_PENALTY, _PENALTY_STEP ** (1.0 - place))


class _Batch(NamedTuple):
    """Areas with the same number of targets, scaled: mean base weight 1, mean contribution 1."""

    rows: Integers
    """Of each unit: its place in the layout; units of an area follow each other."""
    area: Integers
    first: Integers
    """First unit of each area."""
    base: Floats
    unit: Integers
    column: Integers
    value: Floats
    """Contributions by unit, then column."""
    lower: Floats
    upper: Floats
    penalty: Floats
    """Areas x columns."""


class _Layout:
    """The problem in canonical order: units by area, base weight and content; contributions by unit and target."""

    def __init__(self, problem: Problem, *, order: Integers, base: Floats, entries: tuple[Integers, Integers, Floats]) -> None:
        self.problem = problem
        self.order = order
        self.base = base
        self.area = problem.unit_area[order]
        self.unit, self.target, self.value = entries
        areas, targets = problem.areas, problem.target_area.size
        self.units = np.bincount(self.area, minlength=areas)
        mean = _sums(self.area, base, areas) / np.maximum(self.units, 1)
        self.mean_base = np.where(mean > 0.0, mean, 1.0)
        contributing = np.bincount(self.target, minlength=targets)
        size = _sums(self.target, np.abs(self.value), targets) / np.maximum(contributing, 1)
        self.size = np.where(size > 0.0, size, 1.0)
        lower = np.where(np.isnan(problem.lower), -np.inf, problem.lower)
        upper = np.where(np.isnan(problem.upper), np.inf, problem.upper)
        self.lower, self.upper = np.minimum(lower, upper), np.maximum(lower, upper)
        # Targets that no unit can move, or that ask nothing, are reported but not solved for.
        self.is_solved = (contributing > 0) & (np.isfinite(self.lower) | np.isfinite(self.upper))

    @classmethod
    def of(cls, problem: Problem) -> _Layout:
        base = np.where(np.isfinite(problem.base_weight) & (problem.base_weight > 0.0), problem.base_weight, 0.0)
        place = _place_in_area(problem.target_area, problem.areas)
        is_used = (base[problem.unit] > 0.0) & np.isfinite(problem.value) & (problem.value != 0.0)
        unit, target, value = _merged(problem.unit[is_used], problem.target[is_used], problem.value[is_used], place)
        in_scope = np.flatnonzero(base > 0.0)
        content = _content(unit, place[target], value, units=base.size)
        order = in_scope[np.lexsort((content[in_scope], base[in_scope], problem.unit_area[in_scope]))]
        count = np.bincount(unit, minlength=base.size)
        start = np.cumsum(count) - count
        taken = ranges(start[order], count[order])
        entries = (np.repeat(np.arange(order.size), count[order]), target[taken], value[taken])
        return cls(problem, order=order, base=base[order], entries=entries)

    def batches(self) -> Iterator[tuple[Integers, _Batch]]:
        """Areas that have targets to solve, by number of targets."""
        areas = self.problem.areas
        solved = np.flatnonzero(self.is_solved)
        solved = solved[np.argsort(self.problem.target_area[solved], kind="stable")]
        columns = np.bincount(self.problem.target_area[solved], minlength=areas)
        first_target = np.cumsum(columns) - columns
        column = np.full(self.is_solved.size, -1, dtype=np.int64)
        column[solved] = np.arange(solved.size) - first_target[self.problem.target_area[solved]]
        first_unit = np.cumsum(self.units) - self.units
        entries = np.bincount(self.unit, minlength=self.area.size)
        first_entry = np.cumsum(entries) - entries
        padded = -(-columns // _WIDTH_STEP) * _WIDTH_STEP
        for width in np.unique(padded[padded > 0]):
            same = np.flatnonzero(padded == width)
            for at in range(0, same.size, _BATCH):
                chosen = same[at : at + _BATCH]
                rows = ranges(first_unit[chosen], self.units[chosen])
                taken = ranges(first_entry[rows], entries[rows])
                unit = np.repeat(np.arange(rows.size), entries[rows])
                is_kept = column[self.target[taken]] >= 0
                taken, unit = taken[is_kept], unit[is_kept]
                is_there = np.arange(width) < columns[chosen][:, None]
                targets = solved[np.where(is_there, first_target[chosen][:, None] + np.arange(width), 0)]
                unit_of_target = self.size[targets] * self.mean_base[chosen][:, None]
                units = self.units[chosen]
                area = np.repeat(np.arange(chosen.size), units)
                yield (
                    chosen,
                    _Batch(
                        rows=rows,
                        area=area,
                        first=np.cumsum(units) - units,
                        base=self.base[rows] / self.mean_base[chosen][area],
                        unit=unit,
                        column=column[self.target[taken]],
                        value=self.value[taken] / self.size[self.target[taken]],
                        lower=np.where(is_there, self.lower[targets] / unit_of_target, 0.0),
                        upper=np.where(is_there, self.upper[targets] / unit_of_target, 0.0),
                        penalty=np.where(is_there, penalties(self.problem.priority[targets]), 1.0),
                    ),
                )

    def account(self, weight: Floats, *, rounds: Integers, is_converged: Flags, avoidable: Floats) -> Solution:
        """What the weights achieve."""
        problem = self.problem
        achieved = _sums(self.target, self.value * weight[self.unit], problem.target_area.size)
        gap = np.maximum(achieved - self.upper, 0.0) - np.maximum(self.lower - achieved, 0.0)
        unit_of_gap = self.size * self.mean_base[problem.target_area]
        in_order = np.zeros(problem.base_weight.size)
        in_order[self.order] = weight
        return Solution(
            weight=in_order,
            achieved=achieved,
            gap=gap,
            is_relaxed=np.abs(gap) > RELAXED_GAP * unit_of_gap,
            units=self.units,
            rounds=rounds,
            is_converged=is_converged,
            avoidable=avoidable,
        )


class _Solver:
    """The method of multipliers on one batch, all its areas in step.

    Of an area: multipliers λ of the targets, λ' those before the inner problem, step r = step x penalty.
    An inner problem is the maximum over λ of

        Σ_j [λ_j t_j + price (t_j - s_j)² / 2 - (λ_j - λ'_j)² / (2 r_j)] - Σ_i d_i conjugate(Σ_j x_ij λ_j),

    t_j = s_j - λ_j / price cut to the target's limits, s_j the base total cut to them: smooth and strictly concave. Its
    gradient is t_j - Σ_i x_ij w_i - (λ_j - λ'_j) / r_j, and (λ_j - λ'_j) / r_j tends to the gap.
    """

    def __init__(self, batch: _Batch, *, distance: Distance, price: float, tolerance: float) -> None:
        self.batch, self.distance, self.tolerance = batch, distance, tolerance
        self.areas, self.columns = batch.lower.shape
        self.place = batch.area[batch.unit] * self.columns + batch.column
        self.pair_unit, self.pair_value, self.pair_place = _pairs(batch, self.place, self.columns)
        self.rounds = np.zeros(self.areas, dtype=np.int64)
        self.is_open = np.ones(self.areas, dtype=bool)
        self.step = np.full(self.areas, _FIRST_STEP)
        self.before = np.zeros((self.areas, self.columns))
        self._at(np.zeros((self.areas, self.columns)))
        self.start = np.clip(self.total, batch.lower, batch.upper)
        self.price = price

    def run(self, max_rounds: int) -> None:
        """Newton steps until every area has converged."""
        steps = np.zeros(self.areas, dtype=np.int64)
        settled = self.ratio
        for _ in range(max_rounds):
            gradient = self._gradient()
            error = np.abs(gradient).max(axis=1)
            movement = np.abs((self.multiplier - self.before) / self._reach()).max(axis=1)
            moved = np.maximum.reduceat(np.abs(self.ratio - settled), self.batch.first)
            # A gap that stays would keep a share of it as the criterion forever; the weights' movement does not.
            is_near = error <= np.maximum(self.tolerance, _INEXACTNESS * np.minimum(movement, moved))
            is_solved = self.is_open & (steps > 0) & is_near
            is_final = is_solved & (moved <= self.tolerance) & (error <= self.tolerance)
            if is_final.any():
                is_final &= ~self._is_leaving()
            self.is_open &= ~is_final
            is_solved &= ~is_final
            if not self.is_open.any():
                return
            settled = np.where(is_solved[self.batch.area], self.ratio, settled)
            self.before = np.where(is_solved[:, None], self.multiplier, self.before)
            is_hard = ~is_solved & (steps > 0) & (steps % _PATIENCE == 0)
            self.step = np.where(is_solved, np.minimum(self.step * _STEP_GROWTH, _LARGEST_STEP), self.step)
            self.step = np.where(is_hard, np.maximum(self.step / _STEP_GROWTH, _FIRST_STEP), self.step)
            steps = np.where(is_solved, 0, steps) + self.is_open
            self._newton()
            self.rounds += self.is_open

    def _is_leaving(self) -> Flags:
        """Areas where some weight stands at a bound that it will leave: multipliers move towards it and are not there yet.

        Such a weight does not move for some inner problems. How far it would, by itself: the slope of the penalised gaps
        along it, which is its score's movement over the step, by their curvature.
        """
        batch = self.batch
        slope = _sums(batch.unit, batch.value * (self.multiplier - self.before).ravel()[self.place], batch.base.size)
        curvature = _sums(batch.unit, batch.value**2 * self._reach().ravel()[self.place], batch.base.size) * batch.base
        movement = np.where(curvature > 0.0, slope / curvature, 0.0)
        is_low = self.ratio <= self.distance.lowest + self.tolerance
        is_high = self.ratio >= self.distance.highest - self.tolerance
        is_leaving = is_low & (movement > self.tolerance) | is_high & (movement < -self.tolerance)
        return np.logical_or.reduceat(is_leaving, batch.first)

    def avoidable(self) -> Floats:
        """Penalised gaps less a lower bound of what any weights within the bounds leave.

        The bound is the dual value of "least penalised gaps" at the last movement of the multipliers; any
        multipliers give a valid one, these give nearly the best.
        """
        batch = self.batch
        gap = np.maximum(batch.lower - self.total, 0.0) - np.maximum(self.total - batch.upper, 0.0)
        pull = (self.multiplier - self.before) / self.step[:, None]
        limit = np.where(pull > 0.0, batch.lower, np.where(pull < 0.0, batch.upper, 0.0))
        by_target = np.where(pull == 0.0, 0.0, pull * limit) - pull**2 / (2.0 * batch.penalty)
        gain = _sums(batch.unit, batch.value * pull.ravel()[self.place], batch.base.size)
        end = np.where(gain > 0.0, self.distance.highest, self.distance.lowest)
        most = _sums(batch.area, np.where(gain == 0.0, 0.0, gain * end) * batch.base, self.areas)
        bound: Floats = by_target.sum(axis=1) - most
        least = np.where(bound > 0.0, bound, 0.0)
        excess: Floats = np.maximum((batch.penalty * gap**2).sum(axis=1) / 2.0 - least, 0.0)
        return excess

    def _reach(self) -> Floats:
        return self.step[:, None] * self.batch.penalty

    def _at(self, multiplier: Floats) -> None:
        """Evaluate weights, totals and conjugates."""
        batch = self.batch
        score = _sums(batch.unit, batch.value * multiplier.ravel()[self.place], batch.base.size)
        self.multiplier = multiplier
        self.ratio, self.slope = self.distance.ratios(score)
        weight = batch.base * self.ratio
        self.total = _sums(self.place, batch.value * weight[batch.unit], multiplier.size).reshape(multiplier.shape)
        self.conjugate = _sums(batch.area, batch.base * self.distance.conjugate(score), self.areas)

    def _goal(self) -> Floats:
        """t: where the totals should be."""
        return np.clip(self.start - self.multiplier / self.price, self.batch.lower, self.batch.upper)

    def _gradient(self) -> Floats:
        return self._goal() - self.total - (self.multiplier - self.before) / self._reach()

    def _objective(self) -> Floats:
        goal, away = self._goal(), self.multiplier - self.before
        by_target = self.multiplier * goal + self.price * (goal - self.start) ** 2 / 2.0 - away**2 / (2.0 * self._reach())
        objective: Floats = by_target.sum(axis=1) - self.conjugate
        return objective

    def _newton(self) -> None:
        """One step in all open areas, shortened until the objective rises enough.

        The longest step that is accepted may be half of the best: a few bisections towards the shortest refused one.
        """
        chosen = np.flatnonzero(self.is_open)
        gradient, before, origin = self._gradient()[chosen], self._objective()[chosen], self.multiplier
        direction = np.linalg.solve(self._curvature(chosen), gradient[:, :, None])[:, :, 0]
        predicted = (gradient * direction).sum(axis=1)
        slack = 1e-12 * (1.0 + np.abs(before))

        def objective_at(length: Floats) -> Floats:
            trial = origin.copy()
            trial[chosen] += length[:, None] * direction
            self._at(trial)
            return self._objective()[chosen]

        length = refused = np.ones(chosen.size)
        for shortening in _SHORTENINGS:
            reached = objective_at(length)
            is_enough = reached >= before + _SUFFICIENT_RISE * length * predicted - slack
            if is_enough.all():
                break
            refused = np.where(is_enough, refused, length)
            length = np.where(is_enough, length, length * shortening)
        if (refused == length).all():
            return
        for _ in range(_LENGTHENINGS):
            middle = (length + refused) / 2.0
            risen = objective_at(middle)
            is_better = risen > reached
            length, reached = np.where(is_better, middle, length), np.where(is_better, risen, reached)
            refused = np.where(is_better, refused, middle)
        objective_at(length)

    def _curvature(self, chosen: Integers) -> Floats:
        """Σ_i d_i g'_i x_i x_i' + 1 / r, and 1 / price for a target that is inside its interval."""
        batch, width = self.batch, self.columns
        curved = self.pair_value * (batch.base * self.slope)[self.pair_unit]
        lower_half = _sums(self.pair_place, curved, self.areas * width * width).reshape(self.areas, width, width)[chosen]
        matrix = lower_half + lower_half.transpose(0, 2, 1)
        goal = self.start - self.multiplier / self.price
        is_inside = (goal > batch.lower) & (goal < batch.upper)
        diagonal = np.arange(width)
        matrix[:, diagonal, diagonal] *= 0.5
        matrix[:, diagonal, diagonal] += (1.0 / self._reach() + is_inside / self.price)[chosen]
        return matrix


def _sums(place: Integers, amount: Floats, places: int) -> Floats:
    """Sum of the amounts of each place, added in their order."""
    return np.bincount(place, amount, places).astype(np.float64, copy=False)


def _pairs(batch: _Batch, place: Integers, columns: int) -> tuple[Integers, Floats, Integers]:
    """Pairs of contributions of one unit, column of the first at or after that of the second."""
    count = np.bincount(batch.unit, minlength=batch.base.size)
    start = np.cumsum(count) - count
    position = np.arange(batch.unit.size) - start[batch.unit]
    first = np.repeat(np.arange(batch.unit.size), position + 1)
    second = ranges(start[batch.unit], position + 1)
    return batch.unit[first], batch.value[first] * batch.value[second], place[first] * columns + batch.column[second]


def _place_in_area(area: Integers, areas: int) -> Integers:
    """Number of each target among those of its area."""
    order = np.argsort(area, kind="stable")
    count = np.bincount(area, minlength=areas)
    place = np.empty(area.size, dtype=np.int64)
    place[order] = np.arange(area.size) - np.repeat(np.cumsum(count) - count, count)
    return place


def _merged(unit: Integers, target: Integers, value: Floats, place: Integers) -> tuple[Integers, Integers, Floats]:
    """Contributions by unit, then target; several of one pair added up."""
    key = unit * (int(place.max(initial=0)) + 1) + place[target]
    order = np.argsort(key, kind="stable")
    if np.any(np.diff(key[order]) == 0):
        order = np.lexsort((value, key))
    unit, target, value, key = unit[order], target[order], value[order], key[order]
    is_first = np.ones(key.size, dtype=bool)
    is_first[1:] = key[1:] != key[:-1]
    if is_first.all():
        return unit, target, value
    return unit[is_first], target[is_first], np.add.reduceat(value, np.flatnonzero(is_first))


def _content(unit: Integers, place: Integers, value: Floats, *, units: int) -> npt.NDArray[np.uint64]:
    """A number of 64 bits that units with the same contributions share; contributions sorted by unit."""
    mixed = _mix(place.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ _mix(value.view(np.uint64)))
    content = np.zeros(units, dtype=np.uint64)
    if unit.size:
        first = np.flatnonzero(np.diff(unit, prepend=-1))
        content[unit[first]] = np.add.reduceat(mixed, first)
    return content


def _mix(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scatter bits (the finaliser of SplitMix64; Steele, Lea & Flood 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def ranges(start: Integers, count: Integers) -> Integers:
    """start, start + 1, … of each, one after the other.

    >>> ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    before = np.cumsum(count) - count
    found: Integers = np.arange(int(count.sum())) + np.repeat(start - before, count)
    return found
