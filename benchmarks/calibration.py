"""Calibration of a city of small areas on one core, beside a raking library that takes the same areas one by one.

A made city: 19,000 areas of some 210 households, 62 targets each (household total, size, type, dwelling, tenure, population,
population by sex and age), counts of 1 to 4 masked. The households calibrated are not those counted: some are missing, doubled,
in another tenure or dwelling, or short of members, so that targets contradict what is there. Generating does not count.

    python benchmarks/calibration.py [--areas 19000] [--error 0.1] [--sample 40] [--distance truncated_linear] [--seed 1]
    python benchmarks/calibration.py --warehouse .bench/city/warehouse --month 202001 [--areas 400]

Prints seconds, areas per second and core, rounds, gaps; on the sample: whether a linear program (SciPy) finds weights
within the bounds and whether ours then meet every target; the rate of ipfn (of conf/bench.lock), which rakes to the four
household margins only, since it has no counts of members, intervals or bounds, and ours on the same four. The linear program
is tried on ten times the sample.

With a warehouse: output areas of a made month, chosen by the hash of their codes, with the households and margins that the month
had (`real_areas`). Which targets the month's weights miss is read from them, not from a second solution.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import functions as F
from scipy.optimize import linprog

from living_finance.config import Settings, SparkSettings
from living_finance.contracts import silver
from living_finance.households.composition import form_households
from living_finance.households.evidence import gather_evidence
from living_finance.households.matching import fit_model, match_addresses
from living_finance.households.tally import BITS_PER_CELL, CELLS, PACKED_MEMBERS
from living_finance.households.weights import HEAD_CATEGORIES, HEADS, HEADS_PRIORITY, with_base_weight
from living_finance.households.weights import PRIORITY as MONTH_PRIORITY
from living_finance.methods.calibration import Distance, Floats, Integers, Problem, Solution, calibrate_areas
from living_finance.methods.joins import join_to_one
from living_finance.months import Month
from living_finance.session import build_session
from living_finance.steps.month import open_month
from living_finance.storage.warehouse import Warehouse

MARGINS = {"households": 1, "size": 7, "type": 5, "dwelling": 8, "tenure": 4, "population": 1, "sex_age": 36}
PRIORITY = {"households": 0, "size": 1, "type": 2, "dwelling": 2, "tenure": 3, "population": 3, "sex_age": 4}
FIRST = dict(zip(MARGINS, np.cumsum([0, *MARGINS.values()]), strict=False))
TARGETS = sum(MARGINS.values())
HOUSEHOLD_MARGINS = ("size", "type", "dwelling", "tenure")
LARGEST = 7


class Households:
    """Columns of many households; `members` has a cell of sex and age, or -1, in up to seven places."""

    def __init__(self, area: Integers, categories: dict[str, Integers], members: Integers) -> None:
        self.area, self.categories, self.members = area, categories, members

    def take(self, rows: Integers) -> Households:
        """These rows, in this order."""
        return Households(self.area[rows], {name: codes[rows] for name, codes in self.categories.items()}, self.members[rows])

    def contributions(self) -> tuple[Integers, Integers]:
        """Household and target (of its area), one pair per unit of contribution."""
        rows = np.arange(self.area.size)
        household, place = np.nonzero(self.members >= 0)
        columns = [(rows, np.zeros_like(rows)), *((rows, FIRST[name] + codes) for name, codes in self.categories.items())]
        columns += [(household, np.full_like(household, FIRST["population"]))]
        columns += [(household, FIRST["sex_age"] + self.members[household, place])]
        return np.concatenate([unit for unit, _ in columns]), np.concatenate([target for _, target in columns])


def made_households(areas: int, random: np.random.Generator) -> Households:
    """Households as the census would count them."""
    area = np.repeat(np.arange(areas), random.integers(140, 281, areas))
    size = random.choice(np.arange(1, 8), p=[0.38, 0.26, 0.18, 0.13, 0.035, 0.01, 0.005], size=area.size)
    drawn = random.random(area.size)
    kind = np.where(size == 1, 0, np.where(size == 2, np.where(drawn < 0.5, 1, np.where(drawn < 0.94, 2, 4)), 2))
    kind = np.where((size > 2) & (drawn > 0.85), 3, kind)
    kinds_of_area = np.cumsum(random.dirichlet(1.2 * np.array([0.3, 1.2, 2.5, 0.4, 0.8, 0.5, 0.05, 0.02]), areas), axis=1)
    dwelling = np.minimum((kinds_of_area[area] < random.random(area.size)[:, None]).sum(axis=1), 7)
    tenure = random.choice(4, p=[0.43, 0.26, 0.28, 0.03], size=area.size)
    head = np.clip(random.normal(50 + random.normal(0, 5, areas)[area], 16), 20, 95)
    place = np.arange(LARGEST)
    age = np.where(place == 0, head[:, None], head[:, None] - 30 + random.normal(0, 6, (area.size, LARGEST)))
    age[:, 1] = np.where(drawn < 0.8, head + random.normal(-2, 3, area.size), age[:, 1])
    cell = 18 * random.integers(0, 2, age.shape) + np.clip(age // 5, 0, 17).astype(np.int64)
    members = np.where(place < size[:, None], cell, -1)
    return Households(area, {"size": size - 1, "type": kind, "dwelling": dwelling, "tenure": tenure}, members)


def formed_from(census: Households, error: float, random: np.random.Generator) -> Households:
    """What a register and a bureau might make of them."""
    drawn = random.random(census.area.size)
    times = np.where(drawn < error / 2, 0, np.where(drawn > 1 - error / 2, 2, 1))
    formed = census.take(np.repeat(np.arange(census.area.size), times))
    households = formed.area.size
    for name, share, codes in (("tenure", error, 4), ("dwelling", 0.3 * error, 8)):
        other = random.integers(0, codes, households)
        formed.categories[name] = np.where(random.random(households) < share, other, formed.categories[name])
    size = (formed.members >= 0).sum(axis=1)
    loses_one = (random.random(households) < error) & (size > 1)
    formed.members[loses_one, size[loses_one] - 1] = -1
    formed.categories["size"] = formed.categories["size"] - loses_one
    formed.categories["type"] = np.where(formed.categories["size"] == 0, 0, formed.categories["type"])
    return formed


def made_problem(areas: int, error: float, seed: int) -> tuple[Problem, Households]:
    """Targets from the census households, units the formed ones."""
    random = np.random.default_rng(seed)
    census = made_households(areas, random)
    formed = formed_from(census, error, random)
    household, target = census.contributions()
    counted = np.bincount(census.area[household] * TARGETS + target, minlength=areas * TARGETS).astype(np.float64)
    is_total = np.isin(np.arange(TARGETS), [FIRST["households"], FIRST["population"]])
    is_masked = (counted > 0) & (counted < 5) & ~np.tile(is_total, areas)
    unit, target = formed.contributions()
    per_area = counted.reshape(areas, TARGETS)[:, 0] / np.bincount(formed.area, minlength=areas)
    priority = np.repeat([PRIORITY[name] for name in MARGINS], list(MARGINS.values()))
    problem = Problem(
        areas=areas,
        unit_area=formed.area,
        base_weight=per_area[formed.area],
        target_area=np.repeat(np.arange(areas), TARGETS),
        lower=np.where(is_masked, 1.0, counted),
        upper=np.where(is_masked, 4.0, counted),
        priority=np.tile(priority, areas),
        unit=unit,
        target=formed.area[unit] * TARGETS + target,
        value=np.ones(unit.size),
    )
    return problem, formed


def one_of(problem: Problem, area: int) -> Problem:
    """One area by itself."""
    units, targets = np.flatnonzero(problem.unit_area == area), np.flatnonzero(problem.target_area == area)
    entries = np.flatnonzero(problem.unit_area[problem.unit] == area)
    return Problem(
        areas=1,
        unit_area=np.zeros(units.size, dtype=np.int64),
        base_weight=problem.base_weight[units],
        target_area=np.zeros(targets.size, dtype=np.int64),
        lower=problem.lower[targets],
        upper=problem.upper[targets],
        priority=problem.priority[targets],
        unit=np.searchsorted(units, problem.unit[entries]),
        target=problem.target[entries] - targets[0],
        value=problem.value[entries],
    )


def is_feasible(problem: Problem, distance: Distance, *, slack: Floats | float = 0.0) -> bool:
    """Whether a linear program finds weights within the bounds, every target met within `slack`."""
    table = np.zeros((problem.lower.size, problem.base_weight.size))
    np.add.at(table, (problem.target, problem.unit), problem.value)
    bounds = np.column_stack([distance.lowest * problem.base_weight, distance.highest * problem.base_weight])
    limits = np.concatenate([problem.upper + slack, slack - problem.lower])
    return bool(linprog(np.zeros(table.shape[1]), np.vstack([table, -table]), limits, bounds=bounds, method="highs").status == 0)


Places = Mapping[str, Integers]
"""Margin → areas x categories: the target, -1 where there is none."""


def household_margins(
    problem: Problem, categories: Mapping[str, Integers], places: Places, sample: Integers
) -> list[tuple[pd.DataFrame, list[pd.Series]]]:
    """For ipfn: units and the four household margins, masked counts at the base total cut to them, scaled to the total."""
    weight = problem.base_weight
    cases = []
    for area in sample:
        rows = np.flatnonzero((problem.unit_area == area) & (weight > 0))
        frame = pd.DataFrame({name: categories[name][rows] for name in HOUSEHOLD_MARGINS})
        frame["total"] = weight[rows]
        # ipfn fails on a category of one row: such rows come twice, at half their weight.
        is_alone = np.any([frame.groupby(name)["total"].transform("size") == 1 for name in HOUSEHOLD_MARGINS], axis=0)
        frame.loc[is_alone, "total"] /= 2
        frame = pd.concat([frame, frame[is_alone]], ignore_index=True)
        total = problem.lower[places["households"][area, 0]]
        margins = []
        for name in HOUSEHOLD_MARGINS:
            base = frame.groupby(name)["total"].sum()
            target = places[name][area, base.index.to_numpy()]
            wanted = np.where(target >= 0, np.clip(base.to_numpy(), problem.lower[target], problem.upper[target]), base)
            margins.append(pd.Series(wanted * total / wanted.sum(), index=base.index))
        cases.append((frame, margins))
    return cases


def rate_of_ipfn(cases: list[tuple[pd.DataFrame, list[pd.Series]]]) -> dict[str, float] | str:
    """Areas per second and the largest gap."""
    try:
        from ipfn import ipfn
    except ImportError:
        return "not installed"
    started, gap = time.process_time(), 0.0
    for frame, margins in cases:
        raked = ipfn.ipfn(frame.copy(), margins, [[name] for name in HOUSEHOLD_MARGINS], convergence_rate=1e-6).iteration()
        for name, margin in zip(HOUSEHOLD_MARGINS, margins, strict=True):
            gap = max(gap, float((raked.groupby(name)["total"].sum() - margin).abs().max()))
    return {"areas_per_second": len(cases) / (time.process_time() - started), "largest_gap": gap}


def rate_on_household_margins(cases: list[tuple[pd.DataFrame, list[pd.Series]]]) -> dict[str, float]:
    """Ours on what ipfn gets: unbounded raking to four margins of equal rank."""
    problems = []
    for frame, margins in cases:
        first = np.cumsum([0, *(len(margin) for margin in margins)])
        places = [
            start + np.searchsorted(margin.index.to_numpy(), frame[name].to_numpy())
            for name, margin, start in zip(HOUSEHOLD_MARGINS, margins, first, strict=False)
        ]
        wanted = np.concatenate([margin.to_numpy() for margin in margins])
        problems.append((frame["total"].to_numpy(), wanted, np.concatenate(places)))
    units, targets = np.cumsum([0, *(b.size for b, _, _ in problems)]), np.cumsum([0, *(w.size for _, w, _ in problems)])
    total = np.concatenate([wanted for _, wanted, _ in problems])
    unit = [first + np.tile(np.arange(b.size), len(HOUSEHOLD_MARGINS)) for (b, _, _), first in zip(problems, units, strict=False)]
    problem = Problem(
        areas=len(problems),
        unit_area=np.repeat(np.arange(len(problems)), np.diff(units)),
        base_weight=np.concatenate([base for base, _, _ in problems]),
        target_area=np.repeat(np.arange(len(problems)), np.diff(targets)),
        lower=total,
        upper=total,
        priority=np.ones(total.size, dtype=np.int64),
        unit=np.concatenate(unit),
        target=np.concatenate([place + first for (_, _, place), first in zip(problems, targets, strict=False)]),
        value=np.ones(len(HOUSEHOLD_MARGINS) * int(units[-1])),
    )
    started = time.process_time()
    found = calibrate_areas(problem, distance=Distance("truncated_raking", 0.0))
    seconds = time.process_time() - started
    return {"areas_per_second": len(problems) / seconds, "largest_gap": float(np.abs(found.gap).max())}


def measured(options: argparse.Namespace, distance: Distance) -> tuple[dict[str, object], tuple[Problem, Households, Solution]]:
    """The whole city, a district of 760 areas at a time as Spark would hand them out."""
    seconds, wall, solutions, last = 0.0, 0.0, [], None
    for number, first in enumerate(range(0, options.areas, 760)):
        problem, formed = made_problem(min(760, options.areas - first), options.error, options.seed + number)
        started, started_wall = time.process_time(), time.monotonic()
        found = calibrate_areas(problem, distance=distance)
        seconds, wall = seconds + time.process_time() - started, wall + time.monotonic() - started_wall
        solutions.append((problem, found))
        last = last or (problem, formed, found)
    gaps: Floats = np.concatenate([found.gap.reshape(-1, TARGETS) for _, found in solutions])
    rounds = np.concatenate([found.rounds for _, found in solutions])
    figures: dict[str, object] = {
        "areas": options.areas,
        "households": sum(problem.base_weight.size for problem, _ in solutions),
        "cpu_seconds": seconds,
        "wall_seconds": wall,
        "areas_per_cpu_second": options.areas / seconds,
        "rounds_median_and_largest": [int(np.median(rounds)), int(rounds.max())],
        "areas_not_converged": sum(int((~found.is_converged).sum()) for _, found in solutions),
        "areas_with_all_targets_met_within_half": int((np.abs(gaps).max(axis=1) < 0.5).sum()),
        "targets_missed_by_more_than_half_percent": 100 * float((np.abs(gaps) > 0.5).mean()),
        "largest_gap_of_household_total": float(np.abs(gaps[:, 0]).max()),
        "gap_of_the_city_total": float(gaps[:, 0].sum()),
        "largest_avoidable": max(float(found.avoidable.max()) for _, found in solutions),
    }
    if last is None:
        raise SystemExit("no areas")
    return figures, last


@dataclass(frozen=True)
class RealAreas:
    """Output areas of a made month."""

    problem: Problem
    weight: Floats
    """Of each unit, as the month has it."""
    achieved: Floats
    """Of each target, as the month has it."""
    categories: Mapping[str, Integers]
    places: Places


def real_areas(options: argparse.Namespace) -> RealAreas:
    """Households and targets of some output areas, as the month's step had them before it weighted.

    Base weights are made of silver.household again. Which cells of sex and age a household's members count in is not stored: the
    addresses of these areas are matched once more, with the model fitted once more. `achieved` shows that all is as it was.
    """
    spark = build_session(SparkSettings(), name="calibration")
    run = open_month(Warehouse(spark, str(options.warehouse.absolute())), Month.parse(options.month), Settings())
    areas = run.read(silver.OUTPUT_AREA).where("target_households > 0 and formed_households > 0")
    chosen = areas.orderBy(F.xxhash64("output_area_id"), "output_area_id").limit(options.areas).select("output_area_id").persist()
    homes = run.read(silver.BUILDING).join(F.broadcast(chosen), on="output_area_id", how="left_semi").select("address_id")
    everybody = gather_evidence(
        persons=run.read(silver.PLACED_PERSON), register=run.read(silver.REGISTER_PERSON), buildings=run.read(silver.BUILDING)
    )
    rows = run.rows(silver.PLACED_PERSON) + run.rows(silver.REGISTER_PERSON)
    people = everybody.join(F.broadcast(homes), on="address_id", how="left_semi")
    matched = match_addresses(people, model=fit_model(everybody, rows=rows), rows=rows, seed=run.settings.seed)
    formed = form_households(matched, buildings=run.read(silver.BUILDING)).select("household_id", *PACKED_MEMBERS)
    based = with_base_weight(run.read(silver.HOUSEHOLD), areas=run.read(silver.OUTPUT_AREA)).where("_base > 0")
    names = ("output_area_id", "household_id", "_base", "weight", "household_size", "household_type", "dwelling_type", "tenure")
    head = ("head_sex", "head_age_band")
    units = based.join(F.broadcast(chosen), on="output_area_id", how="left_semi").select(*names, *head)
    households = join_to_one(units, formed, on=["household_id"], how="left").orderBy("household_id").toPandas()
    if households[PACKED_MEMBERS[0]].isna().any():
        raise SystemExit(
            "Households of the month are not found again. Name a warehouse's first month, with the code that made it."
        )
    of_chosen = run.read(silver.CALIBRATION_TARGET).join(F.broadcast(chosen), on="output_area_id", how="left_semi")
    targets = of_chosen.toPandas()
    spark.stop()
    return as_problem(households, with_heads(targets))


def with_heads(targets: pd.DataFrame) -> pd.DataFrame:
    """And the limits of heads by sex and age, which the account leaves out; in the order of the month's step."""
    total = targets[targets["margin"] == "households"]
    heads = total[["output_area_id", "upper"]].merge(pd.DataFrame({"category": HEAD_CATEGORIES}), how="cross")
    both = pd.concat([targets, heads.assign(margin=HEADS, lower=0.0)])
    return both.sort_values(["output_area_id", "margin", "category"], ignore_index=True)


def as_problem(households: pd.DataFrame, targets: pd.DataFrame) -> RealAreas:
    """Rows as arrays; written apart from `methods.area_calibration`, which it checks."""
    area_of, unit_area = np.unique(households["output_area_id"], return_inverse=True)
    target_area = np.searchsorted(area_of, targets["output_area_id"])
    place = {key: row for row, key in enumerate(zip(target_area, targets["margin"], targets["category"], strict=True))}
    size = households["household_size"]
    texts = {
        "size": ("household_size", size.astype(str).where(size < LARGEST, f"{LARGEST}_plus")),
        "type": ("household_type", households["household_type"]),
        "dwelling": ("dwelling_type", households["dwelling_type"]),
        "tenure": ("tenure", households["tenure"]),
    }
    units = np.arange(len(households))
    counts = {("households", "all"): np.ones(len(households)), ("population", "all"): size.to_numpy(np.float64)}
    categories, places = {}, {"households": np.array([[place[area, "households", "all"]] for area in range(area_of.size)])}
    for name, (margin, text) in texts.items():
        labels, codes = np.unique(text.fillna("").astype(str), return_inverse=True)
        categories[name] = codes
        places[name] = np.array([[place.get((area, margin, label), -1) for label in labels] for area in range(area_of.size)])
        counts |= {(margin, label): (codes == code).astype(np.float64) for code, label in enumerate(labels)}
    of_head = households["head_sex"] + households["head_age_band"].astype(str)
    counts |= {(HEADS, label): (of_head == label).to_numpy(np.float64) for label in HEAD_CATEGORIES}
    per_number = 63 // BITS_PER_CELL
    for cell, label in enumerate(CELLS):
        packed = households[PACKED_MEMBERS[cell // per_number]].to_numpy(np.int64)
        within = packed >> (BITS_PER_CELL * (cell % per_number)) & (2**BITS_PER_CELL - 1)
        counts["population_sex_age", label] = within.astype(np.float64)
    unit, target, value = [], [], []
    for (margin, category), number in counts.items():
        found = np.array([place.get((area, margin, category), -1) for area in range(area_of.size)])[unit_area]
        has = (number != 0) & (found >= 0)
        unit, target, value = [*unit, units[has]], [*target, found[has]], [*value, number[has]]
    problem = Problem(
        areas=area_of.size,
        unit_area=unit_area.astype(np.int64),
        base_weight=households["_base"].to_numpy(np.float64),
        target_area=target_area.astype(np.int64),
        lower=targets["lower"].to_numpy(np.float64),
        upper=targets["upper"].to_numpy(np.float64),
        priority=targets["margin"].map(MONTH_PRIORITY | {HEADS: HEADS_PRIORITY}).to_numpy(np.int64),
        unit=np.concatenate(unit),
        target=np.concatenate(target),
        value=np.concatenate(value),
    )
    weight, achieved = households["weight"].to_numpy(np.float64), targets["achieved"].to_numpy(np.float64)
    return RealAreas(problem, weight, achieved, categories, places)


def measured_month(options: argparse.Namespace, distance: Distance) -> dict[str, object]:
    """The month's own weights beside the linear program, and the rates."""
    real = real_areas(options)
    problem = real.problem
    achieved = np.bincount(problem.target, problem.value * real.weight[problem.unit], problem.target_area.size)
    miss = np.maximum(achieved - problem.upper, 0.0) + np.maximum(problem.lower - achieved, 0.0)
    is_masked = problem.upper > problem.lower
    worst, worst_unmasked = np.zeros(problem.areas), np.zeros(problem.areas)
    np.maximum.at(worst, problem.target_area, miss)
    np.maximum.at(worst_unmasked, problem.target_area, np.where(is_masked, 0.0, miss))
    started = time.process_time()
    again = calibrate_areas(problem, distance=distance)
    seconds = time.process_time() - started
    found: dict[str, list[bool]] = {"all_met": [], "all_unmasked_within_half": []}
    for area in range(problem.areas):
        one = one_of(problem, area)
        found["all_met"].append(is_feasible(one, distance))
        found["all_unmasked_within_half"].append(is_feasible(one, distance, slack=np.where(one.upper > one.lower, 0.0, 0.5)))
    cases = household_margins(problem, real.categories, real.places, np.arange(problem.areas))
    ours, library = rate_on_household_margins(cases), rate_of_ipfn(cases)
    linear_program = {}
    for name, feasible in found.items():
        inside = worst_unmasked[feasible]
        linear_program[name] = {
            "areas_where_it_finds_weights": inside.size,
            "of_these_the_month_meets_every_unmasked_target_within_half": int((inside <= 0.5).sum()),
            "largest_miss_of_the_month_there": float(inside.max(initial=0.0)),
        }
    return {
        "areas": problem.areas,
        "households": problem.base_weight.size,
        "targets": int(np.isfinite(real.achieved).sum()),
        "largest_difference_of_totals_from_the_month's": float(np.nanmax(np.abs(achieved - real.achieved))),
        "largest_difference_of_weights_solved_again": float(np.abs(again.weight - real.weight).max()),
        "linear_program": linear_program,
        "areas_with_every_unmasked_target_met_within_half": int((worst_unmasked <= 0.5).sum()),
        "unmasked_targets_met_within_half_percent": 100 * float((miss[~is_masked] <= 0.5).mean()),
        "largest_avoidable": float(again.avoidable.max()),
        "areas_per_cpu_second_all_margins": problem.areas / seconds,
        "ours_on_household_margins": ours,
        "ipfn_on_household_margins": library,
        "times_as_fast": ours["areas_per_second"] / library["areas_per_second"] if isinstance(library, dict) else None,
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warehouse", type=Path, help="of a made month, instead of a made city")
    parser.add_argument("--month", default="202001")
    parser.add_argument("--areas", type=int, default=None, help="19,000 made ones, or 400 of the month")
    parser.add_argument("--error", type=float, default=0.1)
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--distance", default="truncated_linear")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    distance = Distance(options.distance, 0.25, 4.0)
    options.areas = options.areas or (400 if options.warehouse else 19_000)
    if options.warehouse:
        print(json.dumps(measured_month(options, distance), indent=2))
        return
    figures, (problem, formed, found) = measured(options, distance)
    sample = np.arange(min(options.sample, problem.areas))
    is_met = np.abs(found.gap.reshape(-1, TARGETS)).max(axis=1) < 0.5
    tried = range(min(10 * options.sample, problem.areas))
    checks = [(is_feasible(one_of(problem, area), distance), bool(is_met[area])) for area in tried]
    first = np.arange(problem.areas)[:, None] * TARGETS
    places = {name: first + FIRST[name] + np.arange(count) for name, count in MARGINS.items()}
    cases = household_margins(problem, formed.categories, places, sample)
    figures |= {
        "tried_by_linear_program": len(checks),
        "linear_program_finds_weights": sum(feasible for feasible, _ in checks),
        "of_these_met_within_half": sum(feasible and met for feasible, met in checks),
        "ipfn_on_household_margins": rate_of_ipfn(cases),
        "ours_on_household_margins": rate_on_household_margins(cases),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
