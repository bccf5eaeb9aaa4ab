"""Boundaries of dongs and districts, and 250 m grid cells."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

import pandas as pd
import pyarrow as pa
import pyproj
import shapely
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from shapely.geometry import MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

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


PROPERTIES = ("region_level", "region_code", "mois_code", "region_name_ko", "region_name_en", "boundary_year", "source")
"""Of a boundary that is handed on."""
_EPSG = 4326


def named_boundaries(regions: pd.DataFrame, dongs: Mapping[str, Any], *, code_property: str) -> pd.DataFrame:
    """Boundaries of the dongs and districts of a list, with their names.

    Args:
        regions: one row per region: region_code, mois_code, region_name_ko, region_name_en.
        dongs: GeoJSON FeatureCollection, a feature per dong, WGS 84.
        code_property: property that holds the dong's code.

    Returns:
        One row per dong and district of the list that has a boundary: PROPERTIES and `geometry` (shapely, WGS 84, longitude
        first, outer rings counter-clockwise).
    """
    found = pd.DataFrame(
        [
            (level, code, _turned(shapely.from_geojson(geometry)))
            for level, code, geometry in region_boundaries(dongs, code_property=code_property)
        ],
        columns=["region_level", "region_code", "geometry"],
    )
    rows = found.merge(regions, on="region_code", how="inner", validate="one_to_one")
    rows = rows.assign(boundary_year=BOUNDARY_YEAR, source=BOUNDARY_SOURCE)
    return rows[[*PROPERTIES, "geometry"]].sort_values(["region_level", "region_code"], ignore_index=True)


def _turned(geometry: BaseGeometry) -> BaseGeometry:
    """The same area with rings as RFC 7946 has them; the source has them the other way round."""
    if isinstance(geometry, Polygon):
        return orient(geometry)
    return MultiPolygon([orient(part) for part in shapely.get_parts(geometry)])


def feature_collection(rows: pd.DataFrame) -> dict[str, Any]:
    """`named_boundaries` as GeoJSON (Source: RFC 7946)."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {name: None if pd.isna(row[name]) else row[name] for name in PROPERTIES},
                "geometry": json.loads(shapely.to_geojson(row["geometry"])),
            }
            for row in rows.to_dict(orient="records")
        ],
    }


def geo_table(rows: pd.DataFrame) -> pa.Table:
    """`named_boundaries` as an Arrow table that, written as Parquet, is GeoParquet.

    Source: OGC, GeoParquet 1.1.0: `geo` in the schema's metadata; coordinates are longitude, latitude whatever the axes of the
    reference system.
    """
    geometries = rows["geometry"].tolist()
    column = {
        "encoding": "WKB",
        "geometry_types": sorted({geometry.geom_type for geometry in geometries}),
        "crs": pyproj.CRS.from_epsg(_EPSG).to_json_dict(),
        "orientation": "counterclockwise",
        "bbox": list(shapely.total_bounds(geometries)),
    }
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    arrays = {name: pa.array(rows[name], from_pandas=True) for name in PROPERTIES}
    arrays["mois_code"] = arrays["mois_code"].cast(pa.string())
    table = pa.table({**arrays, "geometry": pa.array(shapely.to_wkb(geometries).tolist(), type=pa.binary())})
    return table.replace_schema_metadata({"geo": json.dumps(geo)})


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
