"""Boundaries of dongs and districts, and 250 m grid cells."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

import shapely
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from shapely.geometry import shape

from living_finance.contracts.utilization import BUILDING_GRID, GRID_METRES

_DIGITS = 5
"""Decimals of a degree kept: about a metre, as in the source."""
_GU_CODE_LENGTH = 5

BOUNDARY_YEAR = 2020
BOUNDARY_SOURCE = "Statistics Korea SGIS (통계청 통계지리정보서비스), KOGL type 1 (공공누리 제1유형)"
DONG_CODE_PROPERTY = "adm3_code"


def dong_boundaries() -> Mapping[str, Any]:
    """Published boundaries of the dongs: GeoJSON FeatureCollection, WGS 84, the dong's code in `adm3_code`."""
    file = resources.files("living_finance.places").joinpath("data", f"seoul_dong_{BOUNDARY_YEAR}.geojson")
    collection: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))  # ok: part of the package
    return collection


def region_boundaries(dongs: Mapping[str, Any], *, code_property: str) -> Iterator[tuple[str, str, str]]:
    """Geometries of dongs as they are, and of districts as the union of their dongs.

    Args:
        dongs: GeoJSON FeatureCollection, a feature per dong, WGS 84.
        code_property: property that holds the dong's code.

    Returns:
        One (region level, region code, GeoJSON geometry) per dong, then per district.
    """
    by_district = defaultdict(list)
    for feature in dongs["features"]:
        code = feature["properties"][code_property]
        by_district[code[:_GU_CODE_LENGTH]].append(shape(feature["geometry"]))
        yield "dong", code, json.dumps(feature["geometry"])
    for code, parts in sorted(by_district.items()):
        # Neighbours were simplified with the same vertices: on the source's grid of 1e-5 degrees their union has no slivers.
        union = shapely.union_all([shapely.make_valid(part) for part in parts], grid_size=10**-_DIGITS)
        yield "gu", code, shapely.to_geojson(union)


def building_grid(buildings: DataFrame) -> DataFrame:
    """The grid cell of each building.

    Args:
        buildings: silver.building, one row per building of a month; x and y in metres, EPSG:5179.

    Returns:
        One row per building: `contracts.utilization.BUILDING_GRID`. A cell's code has its south-west corner, as INSPIRE's
        geographical grid systems code it (`CRS5179RES250mN1952000E953750`).

    Source: INSPIRE Data Specification on Geographical Grid Systems, Technical Guidelines 3.1 (2014), section 4.2.2.
    """
    code = F.format_string(f"CRS5179RES{GRID_METRES}mN%dE%d", _south_west(F.col("y")), _south_west(F.col("x")))
    return buildings.withColumn("grid_id", code).select(*BUILDING_GRID.column_names)


def _south_west(coordinate: Column) -> Column:
    return F.floor(coordinate / GRID_METRES).cast("bigint") * GRID_METRES
