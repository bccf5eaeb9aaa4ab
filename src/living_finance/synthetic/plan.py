"""What the city looks like before anybody lives in it: the real census by dong, scaled, and the effects of places.

A plan is small (424 dongs) and made on the driver; every district task gets the same one, so that any task can
name the work buildings of any other.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import shapely
from shapely.ops import transform

from living_finance.errors import ConfigurationError
from living_finance.synthetic.draws import generator, shared_out
from living_finance.synthetic.rows import Array

DWELLINGS = (
    "detached",
    "multi_family",
    "apartment",
    "row_house",
    "multi_unit",
    "officetel",
    "commercial_building",
    "non_residential",
)
DETACHED, MULTI_FAMILY, APARTMENT, ROW_HOUSE, MULTI_UNIT, OFFICETEL, COMMERCIAL, NON_RESIDENTIAL = range(8)
HAS_UNITS = np.array([False, False, True, True, True, True, False, False])
"""Dwelling types whose dwellings have a unit number."""

_SIZES = [f"households_size_{size}" for size in ("1", "2", "3", "4", "5", "6", "7_plus")]
_CENSUS_DWELLINGS = ["detached", "apartment", "row_house", "multi_unit", "commercial_building", "non_housing"]
_HOUSEHOLDS_PER_OUTPUT_AREA = 210  # domain brief: about 210 households to a census output area
_FEWEST_HOUSEHOLDS = 60  # of a dong in a scaled city: below it, census margins would be masked throughout
_HOUSEHOLDS_PER_BUILDING = {APARTMENT: 60.0, ROW_HOUSE: 9.0, MULTI_UNIT: 8.5, OFFICETEL: 30.0, COMMERCIAL: 2.4}
_DETACHED_PER_BUILDING = 1.45
_VACANT = {MULTI_FAMILY: 0.04, OFFICETEL: 0.05, COMMERCIAL: 0.03, DETACHED: 0.02}
_ESTABLISHMENTS_PER_WORK_BUILDING = 7.0
_PERSONS_PER_QUARTERS = 45.0

INCOME_BY_RESIDENCE = {
    "11230": 0.42, "11220": 0.42, "11030": 0.33, "11240": 0.14, "11010": 0.08, "11040": 0.07, "11140": 0.06,
    "11020": 0.05, "11150": 0.04, "11190": 0.02, "11250": 0.00, "11200": 0.00, "11050": -0.02, "11130": -0.03,
    "11160": -0.06, "11080": -0.06, "11060": -0.10, "11170": -0.10, "11110": -0.12, "11120": -0.12, "11210": -0.14,
    "11180": -0.17, "11070": -0.18, "11100": -0.18, "11090": -0.22,
}  # fmt: skip
"""Log of earnings relative to the city by district of residence.

The first eight follow the order and spread of mean wages by residence (National Tax Service 2022); the rest is assumed.
"""
PAY_BY_WORKPLACE = {
    "11010": 0.35, "11190": 0.33, "11020": 0.28, "11220": 0.24, "11230": 0.16, "11240": 0.02, "11140": 0.06,
    "11030": 0.05, "11160": 0.02, "11040": 0.00, "11180": -0.02, "11170": -0.05,
}  # fmt: skip
"""How strongly a district's workplaces draw the well paid; 0 < top four: order of mean wages by workplace (NTS 2023)."""
_PAY_ELSEWHERE = -0.15


@dataclass(frozen=True)
class DongPlan:
    """One dong: counts at the scale of the city that is made."""

    code: str
    ordinal: int
    """Position in the full list of Seoul's dongs: part of every pseudonym, whatever districts are asked for."""
    sizes: tuple[int, ...]
    """Private households by size 1 … 7 and over."""
    dwellings: tuple[int, ...]
    """Private households by dwelling type, in the order of DWELLINGS."""
    buildings: tuple[int, ...]
    """Buildings by dwelling type; of the last type, buildings of group quarters."""
    units: tuple[int, ...]
    """Places for one household each, vacant ones included, by dwelling type."""
    quarters_persons: int
    establishments: int
    work_buildings: int
    """Buildings numbered 0 … work_buildings - 1 hold every workplace of the dong."""
    output_areas: int
    male_share: float
    income_effect: float
    age_shift: float
    price_effect: float
    boundary: bytes
    """Polygon (WKB, EPSG:5179)."""

    @property
    def households(self) -> int:
        return sum(self.sizes)


@dataclass(frozen=True)
class DistrictPlan:
    """One gu."""

    code: str
    name_en: str
    name_ko: str
    dongs: tuple[DongPlan, ...]
    ordinal: int
    commuters: int
    """Bureau persons who live outside and work here."""
    surveyed: int
    """Households the survey interviews here."""
    first_survey_number: int

    @property
    def households(self) -> int:
        return sum(dong.households for dong in self.dongs)


@dataclass(frozen=True)
class CityPlan:
    """The districts that are made, and where their people can work."""

    districts: tuple[DistrictPlan, ...]
    names: dict[str, tuple[str, str]]
    """Dong code → English and Korean name."""
    is_whole_city: bool

    @cached_property
    def dongs(self) -> tuple[DongPlan, ...]:
        return tuple(dong for district in self.districts for dong in district.dongs)

    @cached_property
    def workplaces(self) -> Workplaces:
        """Where people can work, by dong of the plan."""
        return _workplaces(self)


@dataclass(frozen=True)
class Workplaces:
    """One entry per dong of the plan, in its order."""

    dong_codes: list[str]
    ordinals: Array
    work_buildings: Array
    attraction: Array
    pay: Array
    xy: Array


def make_plan(*, gu_codes: Sequence[str] | None, fraction: float, seed: int, commuter_share: float = 0.10) -> CityPlan:
    """Scale the census to the city that is asked for.

    Args:
        gu_codes: districts; None for all 25.
        fraction: share of the real number of households; a dong keeps at least 60.
        seed: of the effects of places.
        commuter_share: bureau persons from outside per bureau person in the city.

    Raises:
        ConfigurationError: no such district, or a fraction outside (0, 1].
    """
    if not 0 < fraction <= 1:
        raise ConfigurationError(f"The fraction {fraction} is not in (0, 1].", remedy="0.05 is a small city, 1 the real one")
    census = _read_census()
    known = sorted(census["gu_code"].unique())
    wanted = known if gu_codes is None else sorted(set(gu_codes))
    unknown = [code for code in wanted if code not in known]
    if unknown or not wanted:
        raise ConfigurationError(f"No district {', '.join(unknown)}.", remedy=f"choose among {', '.join(known)}, or all")
    boundaries, names_ko = _read_boundaries()
    ordinals = {code: position for position, code in enumerate(sorted(census["dong_code"]))}
    drafts = {
        gu: [
            _dong_plan(
                row, fraction=fraction, seed=seed, ordinal=ordinals[row["dong_code"]], boundary=boundaries[row["dong_code"]]
            )
            for row in census[census["gu_code"] == gu].sort_values("dong_code").to_dict("records")
        ]
        for gu in wanted
    }
    households = np.array([sum(dong.households for dong in drafts[gu]) for gu in wanted])
    surveyed = shared_out(households.astype(float), min(1000, round(0.25 * int(households.sum()))))
    jobs = np.array([sum(dong.establishments for dong in drafts[gu]) for gu in wanted], float) * _size_of_workplaces(
        wanted, census
    )
    commuters = shared_out(jobs, round(commuter_share * 1.75 * int(households.sum())))
    english = census.groupby("gu_code")["gu_name_en"].first()
    districts = []
    for position, gu in enumerate(wanted):
        districts.append(
            DistrictPlan(
                code=gu,
                name_en=str(english[gu]),
                name_ko=names_ko[drafts[gu][0].code].split(" ")[1],
                dongs=tuple(drafts[gu]),
                ordinal=known.index(gu),
                commuters=int(commuters[position]),
                surveyed=int(surveyed[position]),
                first_survey_number=int(surveyed[:position].sum()),
            )
        )
    english_dongs = dict(zip(census["dong_code"], census["dong_name"], strict=True))
    names = {code: (str(english_dongs[code]), names_ko[code].split(" ", 2)[2]) for code in english_dongs}
    return CityPlan(districts=tuple(districts), names=names, is_whole_city=len(wanted) == len(known))


def _read_census() -> pd.DataFrame:
    file = resources.files("living_finance.synthetic") / "data" / "seoul_dong_census_2020.csv"
    with file.open(encoding="utf-8") as stream:
        return pd.read_csv(stream, dtype={"dong_code": str, "gu_code": str})


def _read_boundaries() -> tuple[dict[str, bytes], dict[str, str]]:
    """Polygons in metres and full Korean names by dong; points are drawn a little inside, so that rounding stays in."""
    file = resources.files("living_finance.places") / "data" / "seoul_dong_2020.geojson"
    features = json.loads(file.read_text(encoding="utf-8"))["features"]
    project = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:5179", always_xy=True).transform
    boundaries: dict[str, bytes] = {}
    names: dict[str, str] = {}
    for feature in features:
        code = feature["properties"]["adm3_code"]
        polygon = shapely.make_valid(transform(project, shapely.geometry.shape(feature["geometry"])))
        inner = polygon.buffer(-8.0)
        boundaries[code] = shapely.to_wkb(polygon if inner.is_empty else inner)
        names[code] = feature["properties"]["adm3_name_kr"]
    return boundaries, names


def _filled(values: Array, total: int) -> Array:
    """Masked counts (1 to 4 at the source) get what is missing from the total."""
    missing = np.isnan(values)
    filled = np.where(missing, 0.0, values)
    if missing.any():
        filled[missing] = max(total - filled.sum(), 0) / missing.sum()
    return filled


def _dong_plan(row: dict[Hashable, Any], *, fraction: float, seed: int, ordinal: int, boundary: bytes) -> DongPlan:
    def number(name: str) -> float:
        return float(row[name])

    real = int(number("general_households"))
    total = max(min(_FEWEST_HOUSEHOLDS, real), round(real * fraction))
    scale = total / real
    sizes = shared_out(_filled(np.array([number(name) for name in _SIZES]), real), total)
    census = _filled(np.array([number(f"households_dwelling_{name}") for name in _CENSUS_DWELLINGS]), real)
    counts = shared_out(census, total)
    legal = {name: np.nan_to_num(number(f"dwellings_{name}")) for name in _CENSUS_DWELLINGS[:-1]}
    households = dict(zip(_CENSUS_DWELLINGS, counts.tolist(), strict=True))
    in_detached, in_multi_family, detached, multi_family = _split_detached(
        households["detached"], round(legal["detached"] * scale)
    )
    dwellings = [
        in_detached,
        in_multi_family,
        households["apartment"],
        households["row_house"],
        households["multi_unit"],
        households["non_housing"],
        households["commercial_building"],
        0,
    ]
    vacant = dict(_VACANT)
    for kind, name in ((APARTMENT, "apartment"), (ROW_HOUSE, "row_house"), (MULTI_UNIT, "multi_unit")):
        lived_in = census[_CENSUS_DWELLINGS.index(name)]
        vacant[kind] = float(np.clip(legal[name] / lived_in - 1, 0.015, 0.12)) if lived_in else 0.03
    units = [int(np.ceil(n * (1 + vacant[kind]))) if n else 0 for kind, n in enumerate(dwellings[:-1])]
    buildings = [detached, multi_family]
    for kind in range(APARTMENT, NON_RESIDENTIAL):
        buildings.append(max(1, round(units[kind] / _HOUSEHOLDS_PER_BUILDING[kind])) if units[kind] else 0)
    units[DETACHED] = min(max(units[DETACHED], detached), 3 * detached)
    units[MULTI_FAMILY] = min(max(units[MULTI_FAMILY], 2 * multi_family), 20 * multi_family)
    members = number("general_members")
    persons = number("population_male") + number("population_female")
    quarters = round(min(max(persons - members, 0), 0.05 * members) * scale)
    quarters_buildings = max(1, round(quarters / _PERSONS_PER_QUARTERS)) if quarters >= 8 else 0
    establishments = max(3, round(number("establishments_total") * fraction))
    offices = max(1, round(establishments / _ESTABLISHMENTS_PER_WORK_BUILDING))
    random = generator(seed, "dong", ordinal)
    effect = INCOME_BY_RESIDENCE[str(row["gu_code"])]
    return DongPlan(
        code=str(row["dong_code"]),
        ordinal=ordinal,
        sizes=tuple(sizes.tolist()),
        dwellings=tuple(dwellings),
        buildings=(*buildings, quarters_buildings),
        units=(*units, quarters_buildings),
        quarters_persons=quarters if quarters_buildings else 0,
        establishments=establishments,
        work_buildings=offices + buildings[COMMERCIAL],
        output_areas=max(1, round(total / _HOUSEHOLDS_PER_OUTPUT_AREA)),
        male_share=number("population_male") / persons,
        income_effect=effect + random.normal(0, 0.09),
        age_shift=random.normal(0, 0.10),
        price_effect=1.3 * effect + random.normal(0, 0.12),
        boundary=boundary,
    )


def _split_detached(households: int, legal: int) -> tuple[int, int, int, int]:
    """Split what the census calls detached: households in detached and multi-family houses, and houses of each.

    The more households share a legal dwelling, the more of the houses are multi-family (assumed: 1 - exp(-(ratio - 1.15)/3),
    which gives the city some 150,000 multi-family houses with five or six households each).
    """
    if households == 0:
        return 0, 0, 0, 0
    legal = max(legal, 1)
    ratio = households / legal
    multi_family = round(legal * (1 - np.exp(-max(ratio - 1.15, 0) / 3.0)))
    detached = max(legal - multi_family, 1)
    in_detached = min(round(detached * _DETACHED_PER_BUILDING), households)
    in_multi_family = households - in_detached
    if in_multi_family < 2:
        in_detached, in_multi_family, multi_family = households, 0, 0
        detached = max(detached, -(-households // 3))
    else:
        multi_family = int(np.clip(multi_family, -(-in_multi_family // 14), in_multi_family // 2))
        multi_family = max(multi_family, 1)
    detached = min(detached, max(in_detached, 1)) if in_detached else 0
    return in_detached, in_multi_family, detached, multi_family


def _size_of_workplaces(gu_codes: Sequence[str], census: pd.DataFrame) -> Array:
    """Relative size of a district's establishments, from product per establishment (dampened)."""
    file = resources.files("living_finance.synthetic") / "data" / "seoul_gu_indicators_2020.csv"
    with file.open(encoding="utf-8") as stream:
        indicators = pd.read_csv(stream, dtype={"gu_code": str})
    product = indicators[indicators["indicator"] == "grdp"].set_index("gu_code")["value"]
    establishments = census.groupby("gu_code")["establishments_total"].sum()
    ratio = product / establishments
    return np.array((ratio / ratio.median()).clip(0.6, 2.5).pow(0.7).loc[list(gu_codes)], float)


def _workplaces(plan: CityPlan) -> Workplaces:
    sizes = _size_of_workplaces([district.code for district in plan.districts], _read_census())
    points = [shapely.from_wkb(dong.boundary).centroid for dong in plan.dongs]
    return Workplaces(
        dong_codes=[dong.code for dong in plan.dongs],
        ordinals=np.array([dong.ordinal for dong in plan.dongs]),
        work_buildings=np.array([dong.work_buildings for dong in plan.dongs]),
        attraction=np.array(
            [dong.establishments * size for district, size in zip(plan.districts, sizes, strict=True) for dong in district.dongs],
            float,
        ),
        pay=np.array(
            [PAY_BY_WORKPLACE.get(district.code, _PAY_ELSEWHERE) for district in plan.districts for _ in district.dongs]
        ),
        xy=np.array([[point.x, point.y] for point in points]),
    )
