"""Yearly reference data: census margins with masked counts, the validation survey, and what benchmarks are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from living_finance.contracts.codes import MARGIN_CATEGORIES
from living_finance.synthetic import money, people
from living_finance.synthetic.deliveries import SEXES, Clerk
from living_finance.synthetic.draws import generator, labels, shared_out
from living_finance.synthetic.plan import DWELLINGS
from living_finance.synthetic.rows import Array
from living_finance.synthetic.state import District
from living_finance.synthetic.truth import head_sexes, household_types
from living_finance.synthetic.work import EDUCATIONS, NO_WORK, OCCUPATIONS, education

_MASKED_BELOW = 5
HEAD_AGES = ("0-29", "30-39", "40-49", "50-59", "60-119")
_EDGES = np.concatenate([[-1e15], -np.geomspace(1e9, 1e4, 300), np.geomspace(1e4, 1e11, 4000), [1e15]])
"""Bins of total income of 0.4 % width: benchmarks by quintile need the city's order, not its rows."""


@dataclass(frozen=True)
class Sums:
    """Sums over a district's private households, to add up over districts."""

    households: float
    totals: dict[str, float]
    by_bin: Array
    """Households and total income by bin of total income (2 × bins)."""
    by_head_age: Array
    """Households and total income by HEAD_AGES."""
    by_tenure: Array
    """Households by tenure."""


def margins(district: District, clerk: Clerk, year: int, figures: money.Month) -> pa.Table:
    """Census margins of the district's output areas, counts of 1 to 4 masked, private households only."""
    households, units, buildings = district.households, district.homes.units, district.homes.buildings
    area_of_building = (buildings["dong"] - district.first_dong).astype(np.int64) * 10_000 + buildings["area"]
    rows = np.flatnonzero((households["unit"] >= 0) & (figures.size > 0) & ~households["is_quarters"])
    unit = households["unit"][rows]
    area = area_of_building[units["building"][unit]]
    area_of_household = np.full(households.size, -1, np.int64)
    area_of_household[rows] = area
    home = district.persons["household"]
    member = np.flatnonzero((home >= 0) & (area_of_household[np.maximum(home, 0)] >= 0))
    member_area = area_of_household[home[member]]
    sex_age = district.persons["sex"][member] * 18 + np.minimum(figures.age[member] // 5, 17)
    dwelling_area = np.repeat(area_of_building, buildings["legal"])
    counted = {
        "households": (area, np.zeros(len(area), np.int64)),
        "population": (member_area, np.zeros(len(member), np.int64)),
        "population_sex_age": (member_area, sex_age),
        "household_size": (area, np.minimum(figures.size[rows], 7) - 1),
        "household_type": (area, household_types(district, figures.size)[rows]),
        "dwelling_type": (area, units["kind"][unit].astype(np.int64)),
        "tenure": (area, households["tenure"][rows].astype(np.int64)),
        "dwellings": (dwelling_area, np.repeat(buildings["kind"], buildings["legal"]).astype(np.int64)),
    }
    names = {
        **MARGIN_CATEGORIES,
        "tenure": money.TENURES,
        "dwelling_type": DWELLINGS,
        "dwellings": DWELLINGS,
        "household_type": people.HOUSEHOLD_TYPES,
    }
    parts = []
    for margin, (where, category) in counted.items():
        cell, count = np.unique(where * 100 + category, return_counts=True)
        is_masked = (count < _MASKED_BELOW) & (margin not in ("households", "population"))
        number = pa.compute.utf8_lpad(pa.array(cell // 100 % 10_000).cast(pa.string()), 4, "0")
        dong = clerk.dong(district.first_dong + cell // 1_000_000).cast(pa.string())
        parts.append(
            pa.table(
                {
                    "year": np.full(len(cell), year),
                    "output_area_id": pa.compute.binary_join_element_wise(dong, number, ""),
                    "margin": pa.array([margin] * len(cell), pa.string()),
                    "category": labels(cell % 100, list(names[margin])).cast(pa.string()),
                    "count": pa.array(count, mask=is_masked),
                }
            )
        )
    return pa.concat_tables(parts)


def survey(district: District, clerk: Clerk, year: int, figures: money.Month) -> pa.Table:
    """Interviewed households: spread over dwelling types, the rich answer less, the weights do not know it."""
    plan, households = district.plan, district.households
    random = generator(district.seed, "survey", plan.code, year)
    rows = np.flatnonzero((households["unit"] >= 0) & (figures.size > 0) & ~households["is_quarters"])
    kind = district.homes.units["kind"][households["unit"][rows]]
    total = figures.total[rows]
    rank = np.empty(len(rows))
    rank[np.argsort(total, kind="stable")] = np.arange(len(rows)) / len(rows)
    answers = random.random(len(rows)) < 0.92 - 0.30 * rank - 0.15 * (rank > 0.9)
    wanted = shared_out(np.bincount(kind, minlength=8).astype(float), plan.surveyed)
    order = np.lexsort((random.random(len(rows)), ~answers, kind))
    place = np.arange(len(rows)) - np.searchsorted(kind[order], kind[order])
    chosen = np.sort(rows[order[place < wanted[kind[order]]]])
    count = len(chosen)
    persons = district.persons
    heads = np.zeros(households.size, np.int64)
    is_head = np.flatnonzero((persons["household"] >= 0) & (persons["role"] == people.HEAD))
    heads[persons["household"][is_head]] = is_head
    head = heads[chosen]
    works = persons["employment"][head] != NO_WORK

    def said(values: Array, spread: float, gap: float = 0.0, digits: int = -4) -> pa.Array:
        value = np.round(values * np.exp(random.normal(0, spread, count)), digits)
        return pa.array(value, mask=random.random(count) < gap)

    unit = households["unit"][chosen]
    number = pa.array(plan.first_survey_number + np.arange(count)).cast(pa.string())
    table = pa.table(
        {
            "survey_year": np.full(count, year),
            "survey_household_id": pa.compute.binary_join_element_wise("S", pa.compute.utf8_lpad(number, 5, "0"), ""),
            "weight": np.full(count, round(len(rows) / max(count, 1), 3)),
            "gu_code": pa.array([plan.code] * count, pa.string()),
            "dong_code": clerk.dong(district.homes.units["dong"][unit]).cast(pa.string()),
            "dwelling_type": labels(district.homes.units["kind"][unit], DWELLINGS).cast(pa.string()),
            "tenure": labels(households["tenure"][chosen], money.TENURES).cast(pa.string()),
            "household_size": figures.size[chosen],
            "household_type": labels(household_types(district, figures.size)[chosen], people.HOUSEHOLD_TYPES).cast(pa.string()),
            "head_sex": labels(head_sexes(district)[chosen], SEXES).cast(pa.string()),
            "head_age": figures.head_age[chosen],
            "head_occupation": labels(np.where(works, persons["occupation"][head], 8), OCCUPATIONS).cast(pa.string()),
            "head_education": labels(education(persons.take(head), figures.age[head]), EDUCATIONS).cast(pa.string()),
            "labour_income": said(figures.components["labour"][chosen], 0.03, 0.005),
            "business_income": said(figures.components["business"][chosen], 0.05, 0.005),
            "property_income": said(figures.components["property"][chosen], 0.04, 0.028),
            "transfer_income": said(figures.components["transfer"][chosen], 0.03, 0.015),
            "irregular_income": said(figures.components["irregular"][chosen], 0.04, 0.01),
            "debt": said(figures.debt[chosen], 0.03, 0.012),
            "spending": said(figures.household_spending[chosen], 0.04, 0.008),
        }
    )
    return table.take(pa.array(random.permutation(count)))


def sums(district: District, figures: money.Month) -> Sums:
    """What the district adds to the city's published figures."""
    households = district.households
    rows = np.flatnonzero((households["unit"] >= 0) & (figures.size > 0) & ~households["is_quarters"])
    total = figures.total[rows]
    place = np.clip(np.searchsorted(_EDGES, total, side="right"), 0, len(_EDGES))
    age = np.digitize(figures.head_age[rows], [30, 40, 50, 60])
    return Sums(
        households=float(len(rows)),
        totals={
            "mean_total_income": float(total.sum()),
            **{f"mean_{name}_income": float(np.round(values[rows]).sum()) for name, values in figures.components.items()},
            "mean_debt": float(figures.debt[rows].sum()),
            "mean_spending_month": float(figures.household_spending[rows].sum()),
        },
        by_bin=_by(place, total, len(_EDGES) + 1),
        by_head_age=_by(age, total, len(HEAD_AGES)),
        by_tenure=np.bincount(households["tenure"][rows], minlength=4).astype(float),
    )


def _by(group: Array, value: Array, groups: int) -> Array:
    return np.stack([np.bincount(group, minlength=groups).astype(float), np.bincount(group, weights=value, minlength=groups)])


def benchmarks(parts: list[Sums], *, year: int, seed: int) -> pa.Table:
    """Published figures of the year: true ones of the delivered area with the sampling error of their source."""
    random = generator(seed, "benchmarks", year)
    count = sum(part.households for part in parts)
    mean = {name: sum(part.totals[name] for part in parts) / count for name in parts[0].totals}
    rows: list[tuple[str, int, str, str, str, str, str, float, float]] = []

    def publish(
        source: str,
        indicator: str,
        value: float,
        error: float,
        *,
        dimension: str = "all",
        category: str = "all",
        region: str = "11",
    ) -> None:
        noisy = float(round(value * (1 + error * random.standard_normal())))
        rows.append((source, year, str(year), region, indicator, dimension, category, noisy, error))

    finances, trend, housing = "household_finances_survey", "household_trend_survey", "housing_survey"
    publish(finances, "mean_total_income", mean["mean_total_income"], 0.012)
    publish(finances, "mean_property_income", mean["mean_property_income"], 0.03)
    publish(finances, "mean_debt", mean["mean_debt"], 0.012)
    publish(finances, "mean_transfer_income", mean["mean_transfer_income"], 0.02)
    publish(trend, "mean_irregular_income", mean["mean_irregular_income"], 0.05)
    publish(trend, "mean_spending_month", mean["mean_spending_month"], 0.012)
    for quintile, value in enumerate(_quintile_means(np.sum([part.by_bin for part in parts], axis=0)), start=1):
        publish(finances, "mean_total_income", value, 0.012, dimension="income_quintile", category=str(quintile))
    numbers, incomes = np.sum([part.by_head_age for part in parts], axis=0)
    for name, number, income in zip(HEAD_AGES, numbers, incomes, strict=True):
        if number > 0:
            publish(finances, "mean_total_income", income / number, 0.012, dimension="head_age", category=name)
    tenure = np.sum([part.by_tenure for part in parts], axis=0)
    for name, number in zip(money.TENURES, tenure, strict=True):
        if number > 0:
            publish(housing, "household_share", number / count * 1e6, 0.004, dimension="tenure", category=name)
    # Comparison areas: in the size of published national figures (67.6 M against 72.9 M for Seoul in 2022), no city's truth.
    for region, factor in (("00", 0.927), ("capital", 0.985), ("non_capital", 0.86)):
        publish(finances, "mean_total_income", mean["mean_total_income"] * factor, 0.006, region=region)
        publish(trend, "mean_spending_month", mean["mean_spending_month"] * factor**0.8, 0.006, region=region)
    columns = (
        "source",
        "year",
        "reference_period",
        "region_code",
        "indicator",
        "dimension",
        "category",
        "value",
        "relative_standard_error",
    )
    return pa.table({name: pa.array(list(values)) for name, values in zip(columns, zip(*rows, strict=True), strict=True)})


def _quintile_means(by_bin: Array) -> list[float]:
    """Mean income of each fifth of the households; the bin at a cut is shared in proportion."""
    numbers, incomes = by_bin
    cumulative = np.cumsum(numbers)
    cuts = cumulative[-1] * np.arange(6) / 5
    income_up_to = np.interp(cuts, np.concatenate([[0.0], cumulative]), np.concatenate([[0.0], np.cumsum(incomes)]))
    return [float(value) for value in np.diff(income_up_to) / (cumulative[-1] / 5)]
