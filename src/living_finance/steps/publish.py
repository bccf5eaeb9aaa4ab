"""A finished month to the utilization database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from living_finance.config import Settings
from living_finance.contracts import gold, silver
from living_finance.contracts.core import Table
from living_finance.contracts.utilization import BUILDING_GRID, HOUSEHOLD_CUBE, HOUSEHOLD_GRID, OUTPUT_AREA_GRID, PUBLISHED
from living_finance.months import Month
from living_finance.places.boundaries import (
    BOUNDARY_SOURCE,
    BOUNDARY_YEAR,
    DONG_CODE_PROPERTY,
    building_grid,
    dong_boundaries,
    region_boundaries,
)
from living_finance.statistics.cube import household_cube
from living_finance.statistics.grid import household_grid, output_area_grid
from living_finance.steps.quality import refuse_failed
from living_finance.storage import postgres_schema
from living_finance.storage.ledger import Ledger
from living_finance.storage.postgres import Database, load_spark
from living_finance.storage.warehouse import Warehouse


@dataclass(frozen=True)
class PublishOutcome:
    """What publishing a month did."""

    month: Month
    is_unchanged: bool
    rows: dict[str, int]


def published_already(*, root: str, month: Month, database: Database) -> PublishOutcome | None:
    """What the database holds of a month, if that is what the warehouse holds now; needs no Spark.

    Raises:
        MissingInput: the month is not finished.
    """
    before = database.publication(month)
    if before is None or not _is_same(publication_facts(Ledger(root), month), before.facts, before.definition):
        return None
    return PublishOutcome(month, True, dict(before.facts["rows"]))


def publish_month(
    spark: SparkSession, *, root: str, month: Month, settings: Settings, database: Database, force: bool = False
) -> PublishOutcome:
    """Publish a finished month; the same Delta versions again change nothing.

    Args:
        spark: the session.
        root: folder of the warehouse.
        month: the month.
        settings: of the run.
        database: where to.
        force: publish although nothing has changed, for instance after a table was damaged there.

    Raises:
        MissingInput: the month is not finished.
        QualityInsufficient: it fails a blocking check.
        ConcurrentRun: it is being made or published.
        ContractViolation, DatabaseUnavailable: the database holds the month as it was.
    """
    ledger, warehouse = Ledger(root), Warehouse(spark, root)
    database.prepare(boundaries)
    with ledger.lock(month):  # the month's tables cannot change while they are read
        already = None if force else published_already(root=root, month=month, database=database)
        if already is not None:
            return already
        facts = publication_facts(ledger, month)
        refuse_failed(ledger, month, settings.quality)
        frames = _frames(warehouse, month)
        rows = {name: entry["rows"] for name, entry in facts["tables"].items()}
        done = database.publish(
            month,
            loads={name: load_spark(frame, connections=settings.database.connections) for name, frame in frames.items()},
            rows=rows,
            facts=facts,
        )
    return PublishOutcome(month, False, dict(done.facts["rows"]))


def publication_facts(ledger: Ledger, month: Month) -> dict[str, Any]:
    """What the published figures of a month rest on, from the ledger: Delta versions, rows, deliveries, models.

    Raises:
        MissingInput: the month is not finished.
    """
    manifest = ledger.finished(month)
    published = {p.table.qualified_name for p in PUBLISHED} | {silver.BUILDING.qualified_name}
    tables = {name: entry for name, entry in manifest["tables"].items() if name in published}
    tables[BUILDING_GRID.qualified_name] = tables.pop(silver.BUILDING.qualified_name)
    cleansed, households, income = (ledger.find(month, step) for step in ("cleanse", "households", "income"))
    models = {
        name: {key: record.facts[key] for key in ("model_version", "mlflow_run_id") if key in record.facts}
        for name, record in (("households", households), ("income", income))
        if record is not None
    }
    deliveries = cleansed.facts.get("deliveries", {}) if cleansed else {}
    return {"fingerprint": manifest["fingerprint"], "tables": tables, "models": models, "deliveries": deliveries}


def boundaries() -> Iterator[tuple[str, str, int, str, str]]:
    """Rows of the boundary table: region level, region code, year, GeoJSON geometry, source."""
    for level, code, geometry in region_boundaries(dong_boundaries(), code_property=DONG_CODE_PROPERTY):
        yield level, code, BOUNDARY_YEAR, geometry, BOUNDARY_SOURCE


def _is_same(facts: dict[str, Any], before: Any, definition: str) -> bool:
    return definition == postgres_schema.fingerprint() and {key: before.get(key) for key in facts} == facts


def _frames(warehouse: Warehouse, month: Month) -> dict[str, DataFrame]:
    households = warehouse.read(gold.HOUSEHOLD, base_month=month.date)
    grid = building_grid(warehouse.read(silver.BUILDING, base_month=month.date))
    made = {
        HOUSEHOLD_CUBE: lambda: household_cube(households, month=month),
        HOUSEHOLD_GRID: lambda: household_grid(households, grid),
        OUTPUT_AREA_GRID: lambda: output_area_grid(grid),
        BUILDING_GRID: lambda: grid,
    }

    def frame(table: Table) -> DataFrame:
        return made[table]() if table in made else warehouse.read(table, base_month=month.date)

    return {p.table.qualified_name: frame(p.table) for p in PUBLISHED}
