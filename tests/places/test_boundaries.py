"""Boundaries that are handed on: both files hold the same areas, with codes and names, where Seoul is."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely
from shapely.geometry import shape

from living_finance.places.boundaries import PROPERTIES, dong_boundaries
from living_finance.steps.catalogue import GEOJSON, GEOPARQUET, write_boundaries

REGIONS = pd.DataFrame(
    [
        ("1114059", "1144056500", "용강동", "Yonggang-dong"),
        ("1114060", None, "대흥동", "Daeheung-dong"),
        ("1114099", None, "새 동", "a dong made later"),
        ("11140", None, "마포구", "Mapo-gu"),
        ("11", None, "서울특별시", "Seoul"),
    ],
    columns=["region_code", "mois_code", "region_name_ko", "region_name_en"],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("boundaries") / "out"
    assert write_boundaries(REGIONS, out=out) == 3
    return out


def test_both_files_read_back_as_the_same_regions(folder: Path) -> None:
    features = json.loads((folder / GEOJSON).read_text(encoding="utf-8"))["features"]
    table = pq.read_table(folder / GEOPARQUET)
    rows = table.drop(["geometry"]).to_pylist()
    assert [feature["properties"] for feature in features] == rows
    assert [(row["region_code"], row["mois_code"], row["region_name_ko"], row["region_name_en"]) for row in rows] == [
        ("1114059", "1144056500", "용강동", "Yonggang-dong"),
        ("1114060", None, "대흥동", "Daeheung-dong"),
        ("11140", None, "마포구", "Mapo-gu"),
    ]
    assert set(rows[0]) == set(PROPERTIES) and all(row["source"] and row["boundary_year"] == 2020 for row in rows)
    of_features = [shape(feature["geometry"]) for feature in features]
    of_table = shapely.from_wkb(table["geometry"].to_pylist())
    assert shapely.equals_exact(of_features, of_table, tolerance=1e-9).all()


def test_areas_are_the_source_and_a_district_covers_its_dongs(folder: Path) -> None:
    first, second, district = shapely.from_wkb(pq.read_table(folder / GEOPARQUET)["geometry"].to_pylist())
    source = {f["properties"]["adm3_code"]: shape(f["geometry"]) for f in dong_boundaries()["features"]}
    assert first.equals(source["1114059"]) and second.equals(source["1114060"])
    # The union is made on the source's grid of 1e-5 degrees, so that an edge may move by a metre.
    assert all(part.is_valid and part.difference(district).area < 1e-4 * part.area for part in (first, second))
    own = shapely.union_all([area for code, area in source.items() if code[:5] == "11140"])
    assert district.symmetric_difference(own).area < 1e-4 * own.area
    assert all(ring.exterior.is_ccw for area in (first, second, district) for ring in shapely.get_parts(area))


def test_the_file_says_that_it_is_geoparquet(folder: Path) -> None:
    geo = json.loads(pq.read_schema(folder / GEOPARQUET).metadata[b"geo"])
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    column = geo["columns"]["geometry"]
    assert column["encoding"] == "WKB" and set(column["geometry_types"]) <= {"Polygon", "MultiPolygon"}
    assert pyproj.CRS.from_json_dict(column["crs"]).to_epsg() == 4326
    west, south, east, north = column["bbox"]
    assert 126.8 < west < east < 127.0 and 37.5 < south < north < 37.7, "longitude first"
