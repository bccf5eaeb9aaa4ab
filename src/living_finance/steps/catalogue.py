"""The catalogue of products, from the ledger: no table is read. Boundaries with the names of a month's regions."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from living_finance.catalog.products import MonthVersions, product_catalogue, product_list
from living_finance.config import CatalogSettings
from living_finance.contracts.bronze import BRONZE_TABLES
from living_finance.errors import MissingInput
from living_finance.places.boundaries import (
    DONG_CODE_PROPERTY,
    dong_boundaries,
    feature_collection,
    geo_table,
    named_boundaries,
)
from living_finance.storage.ledger import Ledger

JSON_LD, LIST = "catalog.jsonld", "products.csv"
GEOJSON, GEOPARQUET = "boundaries.geojson", "boundaries.parquet"


def write_catalogue(root: str, *, out: Path, settings: CatalogSettings) -> list[MonthVersions]:
    """Write `catalog.jsonld` (DCAT, PROV-O) and `products.csv` (Korean metadata items) into a folder.

    Args:
        root: folder of the warehouse.
        out: folder; made where it is missing.
        settings: publisher, department, legal basis, licence.

    Returns:
        The finished months that the catalogue holds.

    Raises:
        MissingInput: no month is finished.
    """
    months = finished_months(Ledger(root))
    if not months:
        raise MissingInput(f"No finished month in {root}.", remedy="living-finance run")
    out.mkdir(parents=True, exist_ok=True)
    (out / JSON_LD).write_text(product_catalogue(months, settings=settings), encoding="utf-8")
    product_list(months, settings=settings).to_csv(out / LIST, index=False, encoding="utf-8-sig")
    return months


def write_boundaries(regions: pd.DataFrame, *, out: Path) -> int:
    """Write `boundaries.geojson` and `boundaries.parquet` (GeoParquet) into a folder: dongs and districts, WGS 84.

    Args:
        regions: of a month, as `steps.regions.region_names` gives them.
        out: folder; made where it is missing.

    Returns:
        How many boundaries there are. A region made after the year of the boundaries has none.
    """
    rows = named_boundaries(regions, dong_boundaries(), code_property=DONG_CODE_PROPERTY)
    out.mkdir(parents=True, exist_ok=True)
    (out / GEOJSON).write_text(json.dumps(feature_collection(rows), ensure_ascii=False), encoding="utf-8")
    pq.write_table(geo_table(rows), out / GEOPARQUET)
    return len(rows)


def finished_months(ledger: Ledger) -> list[MonthVersions]:
    """Delta versions, deliveries and models of every finished month, in order."""
    found = []
    for month in ledger.months():
        manifest = ledger.manifest(month)
        if manifest is None:
            continue
        cleansed = ledger.find(month, "cleanse")
        tables = {name: entry for name, entry in manifest["tables"].items() if name.partition(".")[2] not in BRONZE_TABLES}
        found.append(MonthVersions(month, tables, cleansed.facts.get("deliveries", {}) if cleansed else {}, ledger.models(month)))
    return found
