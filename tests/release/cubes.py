"""Small made months: households and persons of a little city, and the cells of gold with facts about contributors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.months import Month
from living_finance.release.package import ReleaseName, release_table, zero_table
from living_finance.release.protect import Earlier, Protected
from living_finance.release.rules import CATEGORIES, Cross, ReleaseRules, TableRules, read_rules
from living_finance.release.structural import without_buildings
from living_finance.release.verify import Released, SignedZeros

LEVELS = {"city": 2, "gu": 5, "dong": 7, "output_area": 11}
_SHARES = {
    "head_sex": (0.68, 0.32),
    "head_age_band": (0.01, 0.11, 0.19, 0.20, 0.20, 0.15, 0.10, 0.04),
    "household_type": (0.33, 0.22, 0.40, 0.03, 0.02),
    "dwelling_type": (0.12, 0.16, 0.43, 0.03, 0.17, 0.07, 0.02, 0.0),
    "tenure": (0.43, 0.26, 0.28, 0.03),
    "household_size": (0.33, 0.26, 0.20, 0.16, 0.04, 0.008, 0.002),
    "income_class": (0.2, 0.2, 0.2, 0.2, 0.2),
    "sex": (0.5, 0.5),
    "age_band": (0.04, *(0.08,) * 9, *(0.06,) * 4),
}


def codes_of_areas(*, districts: int, dongs: int, areas: int) -> list[str]:
    return [f"11{10 * (g + 1):03d}{50 + d:02d}{a + 1:04d}" for g in range(districts) for d in range(dongs) for a in range(areas)]


def made_rows(
    seed: int, *, dimensions: tuple[str, ...], areas: list[str], per_area: int, columns: dict[str, float]
) -> pd.DataFrame:
    """Households or persons: one row each, categories that lean by area, log-normal amounts with some zeros."""
    draws = np.random.default_rng(seed)
    sizes = draws.poisson(per_area, len(areas))
    area = np.repeat(np.arange(len(areas)), sizes)
    frame = pd.DataFrame({"area": np.array(areas, dtype=object)[area]})
    for name in dimensions:
        share = np.array(_SHARES[name])
        lean = draws.gamma(20, 1 / 20, (len(areas), share.size)) * share
        upto = (lean / lean.sum(axis=1, keepdims=True)).cumsum(axis=1)
        place = (draws.random(area.size)[:, None] > upto[area, :-1]).sum(axis=1)
        frame[name] = np.array(CATEGORIES[name], dtype=object)[place]
    for name, nonzero in columns.items():
        amount = np.round(np.exp(draws.normal(17.5, 0.7, area.size)))
        frame[name] = np.where(draws.random(area.size) < nonzero, amount, 0.0)
    frame["weight"] = draws.uniform(0.9, 1.1, area.size).round(4)
    return frame


def cells_of(rows: pd.DataFrame, source: str, rules: ReleaseRules) -> pd.DataFrame:
    """Cells of a gold table over the crosses of the rules, with the facts about contributors."""
    wanted = {
        (level, cross.dimensions)
        for table in rules.tables
        if table.source == source
        for cross in table.crosses
        for level in cross.levels
    }
    frames = [_cells(rows, source, level, dimensions) for level, dimensions in sorted(wanted)]
    return pd.concat(frames, ignore_index=True)


def _cells(rows: pd.DataFrame, source: str, level: str, dimensions: tuple[str, ...]) -> pd.DataFrame:
    count = r.COUNT_OF[source]
    weight = rows["weight"].to_numpy() if count == "households" else np.ones(len(rows))
    names = ["region_code", *dimensions]
    columns = [rows["area"].str[: LEVELS[level]], *(rows[name] for name in dimensions)]
    numbers = [pd.factorize(column)[0] for column in columns]
    code = np.ravel_multi_index(numbers, [n.max() + 1 for n in numbers])
    _, first, group, size = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
    total = np.bincount(group, weights=weight)
    last = size.cumsum() - 1

    def by_rank(values: np.ndarray) -> np.ndarray:
        return values[np.lexsort((values, group))]

    found = {name: column.to_numpy()[first] for name, column in zip(names, columns, strict=True)}
    found |= {count: total, r.CONTRIBUTORS[count]: size if count == "households" else total.astype(int)}
    for name, statistic in r.STATISTICS[source].items():
        if statistic.measured is r.Measured.MEAN:
            value = rows[name.removeprefix("mean_")].to_numpy()
            ranked = by_rank(weight * np.abs(value))
            found |= {
                name: np.rint(np.bincount(group, weights=weight * value) / total),
                f"largest_{name}": ranked[last],
                f"second_{name}": np.where(size > 1, ranked[last - 1], 0.0),
                f"absolute_{name}": np.bincount(group, weights=weight * np.abs(value)),
            }
        elif statistic.measured is r.Measured.QUANTILE:
            reached = np.ceil(size * statistic.probability).astype(int)
            ranked = by_rank(rows[name.partition("_")[2]].to_numpy())
            found |= {name: ranked[last - size + reached], f"below_{name}": reached, f"above_{name}": size - reached + 1}
        elif statistic.measured is r.Measured.SHARE:
            debt = (rows["debt_krw"] > 0).to_numpy()
            found |= {
                name: np.bincount(group, weights=weight * debt) / total,
                f"with_{name}": np.bincount(group, weights=debt).astype(int),
            }
        elif statistic.measured is r.Measured.INDEX:
            found[name] = np.full(size.size, 0.314)
    others = [name for name in r.DIMENSIONS[source] if name not in dimensions]
    place = {r.PLACE: "residence"} if source == "person_statistics" else {}
    return pd.DataFrame(found).assign(region_level=level, reliability="publishable", **place, **dict.fromkeys(others, codes.ALL))


def people_of(
    *, seed: int, districts: int = 2, dongs: int = 3, areas: int = 4, per_area: int = 60
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Households and persons of a made month."""
    areas_made = codes_of_areas(districts=districts, dongs=dongs, areas=areas)
    amounts = {
        name.removeprefix("mean_"): 0.9 if "total" in name or "labour" in name or "spending" in name else 0.5
        for source in ("household_statistics", "person_statistics")
        for name, statistic in r.STATISTICS[source].items()
        if statistic.measured is r.Measured.MEAN
    }
    of_households = r.DIMENSIONS["household_statistics"] + r.DIMENSIONS["household_breakdown"]
    households = made_rows(seed, dimensions=of_households, areas=areas_made, per_area=per_area, columns=amounts)
    persons = made_rows(
        seed + 1, dimensions=r.DIMENSIONS["person_statistics"], areas=areas_made, per_area=2 * per_area, columns=amounts
    )
    return households, persons


def cells_of_people(people: tuple[pd.DataFrame, pd.DataFrame], rules: ReleaseRules) -> dict[str, pd.DataFrame]:
    """All cells by gold table."""
    households, persons = people
    return {source: cells_of(persons if source == "person_statistics" else households, source, rules) for source in r.SOURCES}


def made_month(
    rules: ReleaseRules, *, seed: int, districts: int = 2, dongs: int = 3, areas: int = 4, per_area: int = 60
) -> dict[str, pd.DataFrame]:
    """All cells of a made month by gold table."""
    return cells_of_people(people_of(seed=seed, districts=districts, dongs=dongs, areas=areas, per_area=per_area), rules)


def a_month_later(
    people: pd.DataFrame, draws: np.random.Generator, *, movers: float = 0.012, changes: float = 0.03
) -> pd.DataFrame:
    """The same people: a few have swapped homes with somebody elsewhere or gone or come, a few have other categories."""
    later = people.copy()
    dimensions = [name for name in later if name in CATEGORIES]
    for name, share in (("area", movers), *((dimension, changes) for dimension in dimensions)):
        chosen = np.flatnonzero(draws.random(len(later)) < share)
        later.loc[chosen, name] = later[name].to_numpy()[draws.integers(0, len(later), chosen.size)]
    stays = draws.random(len(later)) >= movers / 2
    came = later.sample(n=int((~stays).sum()), random_state=draws)
    return pd.concat([later[stays], came], ignore_index=True)


ROOT = Path(__file__).resolve().parents[2]
_TO_DONG, _TO_AREA = ("city", "gu", "dong"), ("city", "gu", "dong", "output_area")
_FIGURES = ("households", "mean_total_income_krw_year", "median_total_income_krw_year", "mean_debt_krw", "share_with_debt")
SIGNED = SignedZeros(frozenset({("dwelling_type", "non_residential")}), frozenset({("dwelling_type", "buildings")}))


def rules_of(channel: str) -> ReleaseRules:
    return read_rules((ROOT / "conf" / "release" / f"{channel}.yaml").read_text(encoding="utf-8"), name=f"{channel}.yaml")


def portal_rules() -> ReleaseRules:
    return rules_of("portal")


def small_rules() -> ReleaseRules:
    """The portal's parameters over fewer tables and without report and maps, so that a test takes little."""

    def crosses(levels: tuple[str, ...], *names: tuple[str, ...], figures: tuple[str, ...] = _FIGURES) -> tuple[Cross, ...]:
        return tuple(Cross(dimensions=cross, levels=levels, statistics=figures) for cross in names)

    heads = crosses(_TO_DONG, (), ("head_sex",), ("household_type",), ("head_sex", "household_type"))
    tables = (
        TableRules(name="household_statistics", source="household_statistics", crosses=heads),
        TableRules(name="household_breakdown", source="household_breakdown", crosses=crosses(_TO_DONG, (), ("dwelling_type",))),
        TableRules(
            name="household_statistics_output_area",
            source="household_statistics",
            crosses=crosses(_TO_AREA, (), ("household_type",), figures=_FIGURES[:3]),
        ),
        TableRules(
            name="person_statistics", source="person_statistics", crosses=crosses(_TO_DONG, (), ("sex",), figures=("persons",))
        ),
    )
    return portal_rules().model_copy(update={"tables": tables, "publications": ()})


def with_parameters(rules: ReleaseRules, **values: float | tuple[int, ...]) -> ReleaseRules:
    changed = {name: getattr(rules.parameters, name).model_copy(update={"value": value}) for name, value in values.items()}
    return rules.model_copy(update={"parameters": rules.parameters.model_copy(update=changed)})


def small_month(seed: int, rules: ReleaseRules) -> dict[str, pd.DataFrame]:
    return made_month(rules, seed=seed, districts=2, dongs=2, areas=3, per_area=50)


ABSENT = {
    "1101050": ("detached", "multi_family", "row_house", "multi_unit", "officetel", "commercial_building"),
    "1101051": ("row_house", "commercial_building"),
    "1102051": ("row_house", "multi_unit"),
}
"""Dong → types that nobody lives in there: in the first all but apartments, and none of its district lives in a row house."""
_EMPTY_BUILDINGS = (("11020510001", "1102051", "row_house"),)
"""A building in which nobody lives: its zero is not structural."""


def typed_month(seed: int, rules: ReleaseRules) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Cells of `small_month`, some dongs without some dwelling types, and the building register."""
    households, persons = people_of(seed=seed, districts=2, dongs=2, areas=3, per_area=50)
    for dong, types in ABSENT.items():
        absent = (households["area"].str[:7] == dong) & households["dwelling_type"].isin(types)
        households.loc[absent, "dwelling_type"] = "apartment"
    lived_in = register_of(households)
    empty = pd.DataFrame(list(_EMPTY_BUILDINGS), columns=lived_in.columns)
    return cells_of_people((households, persons), rules), pd.concat([lived_in, empty], ignore_index=True)


def register_of(households: pd.DataFrame) -> pd.DataFrame:
    """A building register with just the buildings that somebody lives in."""
    lived_in = households[["area", "dwelling_type"]].drop_duplicates().rename(columns={"area": "output_area_id"})
    return lived_in.assign(dong_code=lived_in["output_area_id"].str[:7])[["output_area_id", "dong_code", "dwelling_type"]]


def evidence_of(buildings: pd.DataFrame, cells: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return without_buildings(buildings, regions=cells["household_breakdown"])


def regions_of(cells: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    codes = pd.concat([frame["region_code"] for frame in cells.values()]).unique()
    return pd.DataFrame({"region_code": codes, "mois_code": None, "region_name_ko": "동", "region_name_en": "-dong"})


def released(
    protected: Protected, cells: Mapping[str, pd.DataFrame], rules: ReleaseRules, *, month: str = "202001", version: int = 1
) -> Released:
    name = ReleaseName(rules.channel, Month.parse(month), version)
    sources = {table.name: table.source for table in rules.tables}
    tables = {
        table: release_table(frame, source=sources[table], regions=regions_of(cells), name=name)
        for table, frame in protected.tables.items()
    }
    zeros = zero_table(protected.zeros, regions=regions_of(cells), name=name)
    return Released(name.release_id, name.channel, name.base_month, version, tables, zeros)


def earlier_of(release: Released, *, is_same_data: bool) -> Earlier:
    return Earlier({table: frame.assign(is_same_data=is_same_data) for table, frame in release.tables.items()})
