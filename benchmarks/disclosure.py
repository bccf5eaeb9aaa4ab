"""A made month of the whole city: seconds to protect and to verify it against twelve months, and what is published.

    python benchmarks/disclosure.py [--fraction 1.0] [--months 12] [--no-verify]

The same of a month of gold, with nothing published before:

    python benchmarks/disclosure.py --warehouse W --month 202001 [--no-verify]

Made months: 424 dongs with the census's households of 2020, 45 output areas each on average; households by dwelling type and
size as in the census of the dong, other categories at random, leaning by area. Amounts are made and independent: they count
for speed, not for how much dominance costs.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from living_finance.config import load_settings
from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.months import Month
from living_finance.release.package import ReleaseName, release_table, zero_table
from living_finance.release.protect import Protected, protect
from living_finance.release.rules import CATEGORIES, ReleaseRules, read_rules
from living_finance.release.structural import without_buildings
from living_finance.release.utility import utility
from living_finance.release.verify import Released, verify
from living_finance.session import build_session
from living_finance.steps.release import buildings_of_month, cells_of_month, signed_zeros
from living_finance.storage.warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[1]
CENSUS = ROOT / "src" / "living_finance" / "synthetic" / "data" / "seoul_dong_census_2020.csv"
SHARES = {
    "head_sex": (0.68, 0.32),
    "head_age_band": (0.01, 0.13, 0.18, 0.19, 0.20, 0.16, 0.09, 0.04),
    "household_type": (0.35, 0.22, 0.36, 0.04, 0.03),
    "tenure": (0.43, 0.26, 0.28, 0.03),
    "income_class": (0.2, 0.2, 0.2, 0.2, 0.2),
    "sex": (0.5, 0.5),
    "age_band": (0.04, *(0.08,) * 9, *(0.06,) * 4),
}
DWELLINGS = {  # census category → ours; the census counts multi-family houses as detached
    "detached": (("detached", 0.3), ("multi_family", 0.7)),
    "apartment": (("apartment", 1.0),),
    "row_house": (("row_house", 1.0),),
    "multi_unit": (("multi_unit", 1.0),),
    "non_housing": (("officetel", 1.0),),
    "commercial_building": (("commercial_building", 1.0),),
}
AREA_HOUSEHOLDS = 210
MOVERS, CHANGES = 0.012, 0.03
WEIGHTS = np.random.default_rng(0).uniform(0.9, 1.1, 9973)
LARGEST_ERROR, LEAST_CORRELATION = 0.01, 0.995
"""Aims for figures of dongs."""
LENGTHS = {"city": 2, "gu": 5, "dong": 7, "output_area": 11}


def shares_by_dong(census: pd.DataFrame) -> dict[str, np.ndarray]:
    """Dong × category shares; what the census does not know is the city's share."""
    dwelling = {name: np.zeros(len(census)) for name in CATEGORIES["dwelling_type"]}
    for column, parts in DWELLINGS.items():
        for name, share in parts:
            dwelling[name] += census[f"households_dwelling_{column}"].fillna(0).to_numpy() * share
    size = census[[f"households_size_{name}" for name in CATEGORIES["household_size"]]].fillna(0).to_numpy(float)
    known = {"dwelling_type": np.column_stack(list(dwelling.values())), "household_size": size}
    shares = {**{name: np.tile(share, (len(census), 1)) for name, share in SHARES.items()}, **known}
    return {name: values / values.sum(axis=1, keepdims=True) for name, values in shares.items()}


def made_categories(draws: np.random.Generator, share: np.ndarray, area: np.ndarray, dong_of_area: np.ndarray) -> np.ndarray:
    """A category for each row, with shares that lean by output area."""
    lean = draws.gamma(30, 1 / 30, (dong_of_area.size, share.shape[1])) * share[dong_of_area]
    upto = (lean / lean.sum(axis=1, keepdims=True)).cumsum(axis=1).astype(np.float32)
    chance, place = draws.random(area.size, dtype=np.float32), np.zeros(area.size, dtype=np.int8)
    for category in range(share.shape[1] - 1):
        place += chance > upto[area, category]
    return place


def cells_of(
    source: str,
    rules: ReleaseRules,
    *,
    area: np.ndarray,
    areas: np.ndarray,
    categories: dict[str, np.ndarray],
    draws: np.random.Generator,
) -> pd.DataFrame:
    """Cells of a gold table with made figures: counts are of the rows, amounts are not."""
    crosses = {(level, c.dimensions) for t in rules.tables if t.source == source for c in t.crosses for level in c.levels}
    return pd.concat(
        [_cells(source, level, names, area, areas, categories, draws) for level, names in sorted(crosses)], ignore_index=True
    )


def _cells(
    source: str,
    level: str,
    names: tuple[str, ...],
    area: np.ndarray,
    areas: np.ndarray,
    categories: dict[str, np.ndarray],
    draws: np.random.Generator,
) -> pd.DataFrame:
    region, labels = pd.factorize(np.array([code[: LENGTHS[level]] for code in areas], dtype=object))
    shape = [len(labels), *(len(CATEGORIES[name]) for name in names)]
    code = np.ravel_multi_index([region[area], *(categories[name] for name in names)], shape)
    size = np.bincount(code, minlength=int(np.prod(shape)))
    weight = WEIGHTS[np.arange(code.size) % WEIGHTS.size] if source != "person_statistics" else None
    used = np.flatnonzero(size)
    where = np.unravel_index(used, shape)
    n = size[used]
    count = r.COUNT_OF[source]
    noise = draws.normal(0, 1, used.size)
    frame = {
        "region_level": level,
        "region_code": np.asarray(labels, dtype=object)[where[0]],
        **{name: np.array(CATEGORIES[name], dtype=object)[where[i + 1]] for i, name in enumerate(names)},
        **{name: codes.ALL for name in r.DIMENSIONS[source] if name not in names},
        count: np.bincount(code, weights=weight, minlength=size.size)[used],
        r.CONTRIBUTORS[count]: n,
        "reliability": "publishable",
    }
    for name, statistic in r.STATISTICS[source].items():
        if statistic.measured is r.Measured.MEAN:
            frame |= {
                name: np.rint(4e7 + 1e6 * noise),
                f"largest_{name}": 2e8,
                f"second_{name}": 1.5e8,
                f"absolute_{name}": 4e7 * n + 3.5e8,
            }
        elif statistic.measured is r.Measured.QUANTILE:
            below = np.ceil(n * statistic.probability)
            frame |= {
                name: np.rint(4e7 * (0.5 + statistic.probability) + 1e6 * noise),
                f"below_{name}": below,
                f"above_{name}": n - below + 1,
            }
        elif statistic.measured is r.Measured.SHARE:
            true = np.rint(n * (0.5 if name == "share_with_debt" else 0.02))
            frame |= {name: true / n, f"with_{name}": true}
        elif statistic.measured is r.Measured.INDEX:
            frame[name] = 0.31
    return pd.DataFrame(frame)


def made_month(
    rules: ReleaseRules, *, seed: int, fraction: float, is_later: bool = False
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Cells of a month by gold table, persons by both places; and the dwelling types of each output area's buildings.

    The census prints no number where a dong has few or no dwellings of a type: there is no building of it here.
    `is_later`: the same people a month later; 1.2 % have moved, and of the others 3 % changed in each dimension.
    """
    draws, changes, amounts = (np.random.default_rng(seed + number) for number in range(3))
    census = pd.read_csv(CENSUS, dtype={"dong_code": str})
    census = census.head(max(10, round(len(census) * fraction)))
    households = census["general_households"].to_numpy()
    per_dong = np.maximum(1, np.rint(households / AREA_HOUSEHOLDS)).astype(int)
    dong_of_area = np.repeat(np.arange(len(census)), per_dong)
    areas = np.array(
        [f"{d}{a + 1:04d}" for d, n in zip(census["dong_code"], per_dong, strict=True) for a in range(n)], dtype=object
    )
    shares = shares_by_dong(census)
    cells = {}
    populations = {
        "households": (AREA_HOUSEHOLDS, ("household_statistics", "household_breakdown")),
        "persons": (370, ("person_statistics",)),
    }
    for mean_size, sources in populations.values():
        area = np.repeat(np.arange(dong_of_area.size), draws.poisson(mean_size, dong_of_area.size))
        place, has_moved = area, np.zeros(area.size, dtype=bool)
        if is_later:
            has_moved = changes.random(area.size) < MOVERS
            place = np.where(has_moved, area[changes.integers(0, area.size, area.size)], area)
        for source in sources:
            categories = {name: made_categories(draws, shares[name], area, dong_of_area) for name in r.DIMENSIONS[source]}
            for name, before in categories.items() if is_later else ():
                is_new = has_moved | (changes.random(area.size) < CHANGES)
                categories[name] = np.where(is_new, made_categories(changes, shares[name], place, dong_of_area), before)
            frame = cells_of(source, rules, area=place, areas=areas, categories=categories, draws=amounts)
            is_persons = source == "person_statistics"
            cells[source] = pd.concat([frame.assign(place=p) for p in codes.PLACE.codes]) if is_persons else frame
    at, kind = np.nonzero(shares["dwelling_type"][dong_of_area])
    types = np.array(CATEGORIES["dwelling_type"], dtype=object)[kind]
    dongs = census["dong_code"].to_numpy(object)[dong_of_area[at]]
    return cells, pd.DataFrame({"output_area_id": areas[at], "dong_code": dongs, "dwelling_type": types})


def shares_of(counts: pd.DataFrame, status: str) -> dict[str, float]:
    """Share of cells whose count has a status, by table, number of dimensions and level."""
    key = ["table", "ways", "region_level"]
    total = counts.groupby(key)["cells"].sum()
    these = counts[counts["status"] == status].groupby(key)["cells"].sum().reindex(total.index, fill_value=0)
    return {"/".join(map(str, name)): round(float(share), 4) for name, share in (these / total).items()}


def published_of_dongs(counts: pd.DataFrame, ways: int) -> dict[str, float]:
    """Share of the dongs' cells by so many dimensions whose count is published: by table and of all tables."""
    cells = counts[(counts["region_level"] == "dong") & (counts["ways"] == ways)]
    is_published = cells["status"] == r.PUBLISHED
    total = cells.groupby("table")["cells"].sum()
    by_table = cells[is_published].groupby("table")["cells"].sum().reindex(total.index, fill_value=0) / total
    pooled = cells.loc[is_published, "cells"].sum() / cells["cells"].sum()
    return {**{str(name): round(float(share), 4) for name, share in by_table.items()}, "all": round(float(pooled), 4)}


def as_released(protected: Protected, *, rules: ReleaseRules, month: str) -> Released:
    """A release as its reader sees it, region names left out."""
    tables, sources = protected.tables, {table.name: table.source for table in rules.tables}
    name = ReleaseName(rules.channel, Month.parse(month), 1)
    codes_of = pd.concat([frame["region_code"] for frame in tables.values()]).unique()
    regions = pd.DataFrame({"region_code": codes_of, "mois_code": None, "region_name_ko": "", "region_name_en": ""})
    frames = {table: release_table(frame, source=sources[table], regions=regions, name=name) for table, frame in tables.items()}
    zeros = zero_table(protected.zeros, regions=regions, name=name)
    return Released(name.release_id, name.channel, name.base_month, 1, frames, zeros)


def _protected(cells: dict[str, pd.DataFrame], buildings: pd.DataFrame, *, rules: ReleaseRules) -> Protected:
    places = pd.concat([frame[["region_level", "region_code"]] for frame in cells.values()]).drop_duplicates()
    return protect(cells, rules=rules, evidence=without_buildings(buildings, regions=places))


def month_of_gold(warehouse: Path, month: str, rules: ReleaseRules) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """As `made_month`, of a finished month."""
    with build_session(load_settings().spark, name="disclosure") as spark:
        store = Warehouse(spark, str(warehouse.absolute()))
        return cells_of_month(store, Month.parse(month), rules), buildings_of_month(store, Month.parse(month))


def published_before(rules: ReleaseRules, *, fraction: float, months: int) -> list[Released]:
    """The candidate's people a month earlier. Months before that have the same figures: what costs is their number."""
    before = _protected(*made_month(rules, seed=1, fraction=fraction), rules=rules)
    earlier = as_released(before, rules=rules, month="202012")
    return [
        replace(
            earlier,
            release_id=f"{m}-v1",
            month=f"{m[:4]}-{m[4:]}",
            tables={t: f.assign(base_month=f"{m[:4]}-{m[4:]}") for t, f in earlier.tables.items()},
        )
        for m in (str(Month(2021, 1).plus(-number)) for number in range(months, 0, -1))
    ]


def main() -> None:
    """Measure and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fraction", type=float, default=1.0, help="share of the dongs")
    parser.add_argument("--months", type=int, default=12, help="published before")
    parser.add_argument("--warehouse", type=Path, help="a month of its gold instead of made ones")
    parser.add_argument("--month", default="202001", help="of the warehouse")
    parser.add_argument("--no-verify", action="store_true", help="protect only")
    arguments = parser.parse_args()
    rules = read_rules((ROOT / "conf" / "release" / "portal.yaml").read_text(encoding="utf-8"), name="portal.yaml")
    history: list[Released] = []
    if arguments.warehouse:
        month, (cells, buildings) = arguments.month, month_of_gold(arguments.warehouse, arguments.month, rules)
    else:
        month = "202101"
        if not arguments.no_verify:
            history = published_before(rules, fraction=arguments.fraction, months=arguments.months)
        cells, buildings = made_month(rules, seed=1, fraction=arguments.fraction, is_later=True)
    started, cpu = time.perf_counter(), time.process_time()
    protected = _protected(cells, buildings, rules=rules)
    protected_at, protected_cpu = time.perf_counter(), time.process_time()
    useful = utility(protected.tables, protected.counts, cells, rules=rules)
    said = [row for row in useful["dongs"] if row["mean_error"] is not None]
    medians = [row for row in said if row["statistic"].startswith("median_")]
    figures = {
        "cells": int(protected.counts["cells"].sum()),
        "protect_seconds": round(protected_at - started, 1),
        "protect_cpu_seconds": round(protected_cpu - cpu, 1),
        "withheld": protected.counts[protected.counts["status"] != r.PUBLISHED].groupby("status")["cells"].sum().to_dict(),
        "largest_mean_error_of_dong_figures": max(row["mean_error"] for row in said),
        "largest_mean_error_of_dong_medians": max(row["mean_error"] for row in medians),
        "least_rank_correlation_of_dongs": min(row["rank_correlation"] for row in said),
        "least_rank_correlation_of_dong_medians": min(row["rank_correlation"] for row in medians),
        "dong_figures_off_the_aims": {
            "/".join(filter(None, (row["table"], row["place"], row["statistic"]))): (row["mean_error"], row["rank_correlation"])
            for row in said
            if row["mean_error"] > LARGEST_ERROR or row["rank_correlation"] < LEAST_CORRELATION
        },
        "dong_one_way_published": published_of_dongs(protected.counts, 1),
        "dong_two_way_published": published_of_dongs(protected.counts, 2),
        "published_share": shares_of(protected.counts, r.PUBLISHED),
        "primary_share": {name: share for name, share in shares_of(protected.counts, r.SMALL).items() if share},
    }
    if not arguments.no_verify:
        candidate, signed = as_released(protected, rules=rules, month=month), signed_zeros(rules)
        verify_at, verify_cpu = time.perf_counter(), time.process_time()
        findings = verify(candidate, history=history, signed=signed, facts=cells, buildings=buildings)
        figures |= {
            "verify_seconds": round(time.perf_counter() - verify_at, 1),
            "verify_cpu_seconds": round(time.process_time() - verify_cpu, 1),
            "findings": findings.groupby("attack").size().to_dict(),
        }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
