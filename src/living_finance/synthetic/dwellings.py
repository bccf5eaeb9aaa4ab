"""Buildings, dwelling units, output areas and establishments of one district."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from living_finance.synthetic.draws import chosen, generator, shared_out
from living_finance.synthetic.plan import (
    APARTMENT,
    COMMERCIAL,
    DETACHED,
    MULTI_FAMILY,
    MULTI_UNIT,
    NON_RESIDENTIAL,
    OFFICETEL,
    ROW_HOUSE,
    DistrictPlan,
    DongPlan,
)
from living_finance.synthetic.rows import Array, Rows, joined, numbered_within

_CAPACITY = {  # fewest and most households of a building; spread of sizes (gamma shape)
    DETACHED: (1, 3, 1.0),
    MULTI_FAMILY: (2, 20, 2.2),
    APARTMENT: (8, 400, 3.0),
    ROW_HOUSE: (3, 40, 3.0),
    MULTI_UNIT: (3, 24, 4.0),
    OFFICETEL: (4, 300, 1.5),
    COMMERCIAL: (1, 8, 1.2),
}
_AREA_M2 = np.array([105.0, 32.0, 74.0, 66.0, 48.0, 31.0, 55.0, 150.0])  # a household's, by dwelling type
_PRICE_KRW_M2 = np.array([3.6e6, 2.9e6, 6.9e6, 4.0e6, 3.4e6, 3.9e6, 3.1e6, 3.3e6])
_APPROVED = np.array([1981, 1992, 2001, 1990, 2003, 2009, 1986, 1994])
_INDUSTRIES = "ABCDEFGHIJKLMNOPQRS"
_INDUSTRY_SHARE = np.array(
    [
        0.0005,
        0.0005,
        0.075,
        0.001,
        0.002,
        0.04,
        0.265,
        0.085,
        0.135,
        0.035,
        0.02,
        0.05,
        0.07,
        0.03,
        0.004,
        0.05,
        0.045,
        0.032,
        0.06,
    ]
)  # establishments by section, rounded from the census of establishments' order of sections in Seoul (assumed)
_MEAN_LOG_WORKERS = np.array([1.0, 1.2, 1.3, 2.2, 1.4, 1.3, 0.7, 0.7, 0.7, 1.6, 1.8, 0.7, 1.4, 1.5, 2.4, 1.3, 1.5, 0.7, 0.5])


@dataclass(frozen=True)
class Homes:
    """The built district: positions in these tables are the keys of the state."""

    buildings: Rows
    units: Rows
    establishments: Rows


def build(plan: DistrictPlan, *, first_dong: int, seed: int) -> Homes:
    """Buildings, units and establishments of a district.

    Args:
        plan: counts by dong.
        first_dong: position of the district's first dong in the city plan.
        seed: of the city.

    Returns:
        buildings: one row per building; `dong` is the position in the city plan, `number` the position within the dong
        (work buildings first), `area` the output area's number within the dong, from 1.
        units: one row per place for one household.
        establishments: one row per establishment, every work building has one.
    """
    buildings, units, establishments = [], [], []
    offset = 0
    for position, dong in enumerate(plan.dongs):
        random = generator(seed, "dwellings", dong.ordinal)
        built, places = _dong(dong, position=first_dong + position, random=random)
        places["building"] += offset
        shops = _establishments(dong, built, random=random)
        shops["building"] += offset
        offset += built.size
        buildings.append(built)
        units.append(places)
        establishments.append(shops)
    return Homes(buildings=joined(buildings), units=joined(units), establishments=joined(establishments))


def _dong(dong: DongPlan, *, position: int, random: np.random.Generator) -> tuple[Rows, Rows]:
    offices = dong.work_buildings - dong.buildings[COMMERCIAL]
    kinds = [np.full(offices, NON_RESIDENTIAL)]
    capacities = [np.zeros(offices, np.int64)]
    # Work buildings come first: offices, then shops with dwellings above them (see Workplaces).
    for of_kind in (COMMERCIAL, DETACHED, MULTI_FAMILY, APARTMENT, ROW_HOUSE, MULTI_UNIT, OFFICETEL):
        count = dong.buildings[of_kind]
        fewest, most, shape = _CAPACITY[of_kind]
        kinds.append(np.full(count, of_kind))
        capacities.append(_capacities(dong.units[of_kind], count, fewest=fewest, most=most, shape=shape, random=random))
    kinds.append(np.full(dong.buildings[NON_RESIDENTIAL], NON_RESIDENTIAL))
    capacities.append(np.ones(dong.buildings[NON_RESIDENTIAL], np.int64))
    kind = np.concatenate(kinds)
    capacity = np.concatenate(capacities)
    count = len(kind)
    xy = _points_inside(dong.boundary, count, random=random)
    area = _output_areas(xy, np.where(kind == NON_RESIDENTIAL, 0, capacity), dong.output_areas)
    is_quarters = (kind == NON_RESIDENTIAL) & (capacity > 0)
    floor = _AREA_M2[kind] * np.maximum(capacity, 1) * np.exp(random.normal(0, 0.22, count))
    floor = np.where(kind == NON_RESIDENTIAL, floor * random.integers(3, 14, count), floor)
    price = floor * _PRICE_KRW_M2[kind] * np.exp(dong.price_effect + random.normal(0, 0.15, count))
    year = np.clip(np.round(_APPROVED[kind] + random.normal(0, 9, count)), 1936, 2017)
    buildings = Rows(
        dong=np.full(count, position, np.int32),
        number=np.arange(count, dtype=np.int32),
        kind=kind.astype(np.int8),
        capacity=capacity.astype(np.int32),
        is_quarters=is_quarters,
        area=area.astype(np.int32),
        x=np.round(xy[:, 0], 1),
        y=np.round(xy[:, 1], 1),
        legal=_legal_dwellings(kind, capacity).astype(np.int32),
        permitted=_permitted(kind, capacity, random=random).astype(np.int32),
        floor=np.round(floor, 1),
        price=np.round(price, -5),
        year=np.where(random.random(count) < 0.02, -1, year).astype(np.int32),
    )
    home = np.repeat(np.arange(count), capacity)
    units = Rows(
        building=home.astype(np.int32),
        number=numbered_within(home).astype(np.int32),
        kind=kind[home].astype(np.int8),
        dong=np.full(len(home), position, np.int32),
    )
    return buildings, units


def _capacities(total: int, count: int, *, fewest: int, most: int, shape: float, random: np.random.Generator) -> Array:
    """Places per building that add up to `total`, gamma-spread between the bounds as far as the total allows."""
    if count == 0:
        return np.zeros(0, np.int64)
    low = min(fewest, total // count)
    high = max(most, -(-total // count))
    weights = random.gamma(shape, 1.0, count)
    places = np.full(count, low, np.int64)
    for _ in range(60):  # each round fills at least one building up or ends
        left = total - int(places.sum())
        if left <= 0:
            break
        has_room = places < high
        places[has_room] += shared_out(weights[has_room], left)
        places = np.minimum(places, high)
    left = total - int(places.sum())
    places[:1] += left
    return places


def _points_inside(boundary: bytes, count: int, *, random: np.random.Generator) -> Array:
    polygon = shapely.from_wkb(boundary)
    shapely.prepare(polygon)
    low_x, low_y, high_x, high_y = polygon.bounds
    found = np.empty((0, 2))
    while len(found) < count:
        points = random.random((4 * count + 16, 2)) * [high_x - low_x, high_y - low_y] + [low_x, low_y]
        found = np.concatenate([found, points[shapely.contains_xy(polygon, points[:, 0], points[:, 1])]])
    return found[:count]


def _output_areas(xy: Array, households: Array, areas: int) -> Array:
    """Cut the dong into compact areas of about equal households: strips from west to east, each walked north or south."""
    strips = max(1, round(np.sqrt(areas)))
    by_x = np.argsort(xy[:, 0], kind="stable")
    before = np.cumsum(households[by_x]) - households[by_x]
    total = max(int(households.sum()), 1)
    strip = np.empty(len(xy), np.int64)
    strip[by_x] = np.minimum(before * strips // total, strips - 1)
    along = np.where(strip % 2 == 0, xy[:, 1], -xy[:, 1])
    order = np.lexsort((along, strip))
    middle = np.cumsum(households[order]) - households[order] / 2
    area = np.empty(len(xy), np.int64)
    area[order] = np.minimum(middle * areas // total, areas - 1).astype(np.int64)
    used = np.unique(area[households > 0])  # a large block can skip a number
    return np.clip(np.searchsorted(used, area), 0, max(len(used) - 1, 0)) + 1


def _legal_dwellings(kind: Array, capacity: Array) -> Array:
    in_parts = np.isin(kind, (APARTMENT, ROW_HOUSE, MULTI_UNIT, OFFICETEL))
    shops = np.maximum(np.round(capacity * 0.37), 1)
    legal = np.where(in_parts, capacity, np.where(kind == COMMERCIAL, shops, 1))
    return np.where(kind == NON_RESIDENTIAL, 0, legal)


def _permitted(kind: Array, capacity: Array, *, random: np.random.Generator) -> Array:
    """Households permitted, -1 where not recorded; multi-family houses hold more than permitted in one case of five."""
    u = random.random(len(kind))
    fewer = np.maximum(capacity - random.integers(1, 4, len(kind)), 1)
    permitted = np.where((kind == MULTI_FAMILY) & (u < 0.2), fewer, capacity)
    permitted = np.where((kind == MULTI_FAMILY) & (u > 0.92), -1, permitted)
    permitted = np.where(np.isin(kind, (DETACHED, COMMERCIAL)) & (u > 0.90), -1, permitted)
    return np.where(kind == NON_RESIDENTIAL, 0, permitted)


def _establishments(dong: DongPlan, buildings: Rows, *, random: np.random.Generator) -> Rows:
    count = max(dong.establishments, dong.work_buildings)
    popularity = random.gamma(0.7, 1.0, dong.work_buildings) * np.where(
        buildings["kind"][: dong.work_buildings] == COMMERCIAL, 0.4, 1.0
    )
    extra = shared_out(popularity, count - dong.work_buildings)
    building = np.repeat(np.arange(dong.work_buildings), extra + 1)
    mix = _INDUSTRY_SHARE * random.gamma(12.0, 1.0, len(_INDUSTRIES))
    industry = chosen(random, np.broadcast_to(mix, (count, len(mix))))
    workers = np.exp(_MEAN_LOG_WORKERS[industry] + random.normal(0, 0.95, count) - 0.25)
    return Rows(
        building=building.astype(np.int32),
        dong=np.full(count, buildings["dong"][0], np.int32),
        number=np.arange(count, dtype=np.int32),
        industry=industry,
        workers=np.maximum(np.round(workers), 1).astype(np.int32),
    )


def industry_letters() -> tuple[str, ...]:
    """KSIC sections in the order of the `industry` column."""
    return tuple(_INDUSTRIES)
