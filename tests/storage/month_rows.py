"""Small months for the utilization database, as Arrow batches: what a test says of a row, and conforming values for the rest."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa

from living_finance.contracts import gold, quality, silver
from living_finance.contracts.core import Column, Kind, Table
from living_finance.contracts.utilization import BUILDING_GRID, HOUSEHOLD_CUBE, HOUSEHOLD_GRID, OUTPUT_AREA_GRID, PUBLISHED
from living_finance.months import Month
from living_finance.storage.postgres import Load, load_arrow

JANUARY = Month(2020, 1)
ARROW = {
    Kind.TEXT: pa.string(),
    Kind.KEY: pa.string(),
    Kind.CODE: pa.string(),
    Kind.MONTH: pa.date32(),
    Kind.INTEGER: pa.int32(),
    Kind.COUNT: pa.int64(),
    Kind.MONEY: pa.int64(),
    Kind.AMOUNT: pa.float64(),
    Kind.DECIMAL: pa.float64(),
    Kind.FLAG: pa.bool_(),
}
DISTRICTS = ("11140", "11230")
DONGS = {"1114059": "11140", "1123060": "11230"}


def value(column: Column) -> Any:
    """A value that the column's contract allows."""
    if column.codes is not None:
        return column.codes.codes[0]
    if column.kind is Kind.MONTH:
        return JANUARY.date
    if column.kind is Kind.FLAG:
        return False
    if column.kind in (Kind.TEXT, Kind.KEY, Kind.CODE):
        return "all"
    return column.minimum or 0


def batch(table: Table, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Rows of a table, completed."""
    full = [{column.name: row.get(column.name, value(column)) for column in table.columns} for row in rows]
    fields = [pa.field(column.name, ARROW[column.kind]) for column in table.columns]
    return pa.RecordBatch.from_pylist(full, schema=pa.schema(fields))


def _regions() -> list[dict[str, Any]]:
    areas = [("output_area", f"{dong}0001") for dong in DONGS]
    return [
        {"region_level": level, "region_code": code}
        for level, code in (("city", "11"), *(("gu", gu) for gu in DISTRICTS), *(("dong", dong) for dong in DONGS), *areas)
    ]


def month_rows(income: int = 50_000_000) -> dict[str, list[dict[str, Any]]]:
    """Two districts of one dong, one output area and three households each; cells of ten and, crossed, of four households."""
    mean = {"mean_total_income_krw_year": income}
    cells = [{**region, **mean, "households": 12.5, "households_unweighted": 10} for region in _regions()]
    crossed = [
        {**cell, "head_sex": sex, "household_type": "one_person", "households_unweighted": count}
        for cell in cells
        for sex, count in (("M", 6), ("F", 4))
    ]
    households = [
        {
            "household_id": f"H{gu}{number}",
            "gu_code": gu,
            "dong_code": dong,
            "output_area_id": f"{dong}0001",
            "address_id": f"A{gu}",
            "weight": 1.25,
            "labour_income_krw_year": income,
            "total_income_krw_year": income,
            "model_version": "m/1",
        }
        for dong, gu in DONGS.items()
        for number in range(6 if gu == "11140" else 3)
    ]
    return {
        "gold.household_statistics": cells + crossed,
        "gold.household_breakdown": [
            {**cell, "dimension": dimension, "category": "1"}
            for cell in cells
            for dimension in ("household_size", "income_class")
        ],
        "gold.household_cube": [
            {**cell, "income_class": income_class}
            for cell in cells
            if cell["region_level"] != "output_area"
            for income_class in ("all", "1")
        ],
        "gold.person_statistics": [
            {**region, "place": "residence", "sex": sex, "persons": persons}
            for region in _regions()
            if region["region_level"] != "output_area"
            for sex, persons in (("all", 7), ("M", 4))
        ],
        "gold.coverage": [
            {
                "gu_code": gu,
                "dong_code": dong,
                "age_band": age,
                "bureau_persons": 9.0,
                "register_persons": 9.0,
                "census_persons": census,
                "weighted_persons": 9.0,
            }
            for dong, gu in DONGS.items()
            for age, census in ((20, 9.0), (25, 4.5))
        ],
        "gold.quality_report": [{"table": "silver.person", "indicator": "address_known"}],
        "gold.edit_report": [{"table": "bureau_persons", "gu_code": gu, "reason": "all"} for gu in (*DISTRICTS, "none")],
        "gold.quality_indicator": [{"object_name": "bureau"}],
        "gold.quality_score": [{"object_name": "bureau", "score": 90.0}],
        "gold.quality_check": [{"check_name": "levels_add_up", "passed": True}],
        "gold.quality_change": [{"region_level": "city", "region_code": "11", "measure": "households"}],
        "gold.cross_validation": [
            {"region_level": "dong", "region_code": dong, "unit": unit, "value": value, "reference_value": value}
            for dong, unit, value in zip(DONGS, ("persons", "persons"), (9.0, 4.0), strict=True)
        ],
        "gold.population_movement": [
            {"region_level": "dong", "region_code": dong, "observed": observed}
            for dong, observed in zip(DONGS, (9, 4), strict=True)
        ],
        "silver.region": [
            {
                "gu_code": gu,
                "dong_code": dong,
                "gu_name_ko": f"구{gu}",
                "gu_name_en": f"gu {gu}",
                "dong_name_ko": f"동{dong}",
                "dong_name_en": f"dong {dong}",
            }
            for dong, gu in DONGS.items()
        ],
        "gold.household": households,
        "gold.household_lineage": [
            {
                **{name: household[name] for name in ("household_id", "gu_code", "dong_code")},
                "previous_household_id": gold.NO_HOUSEHOLD,
                "event": "first",
                "is_main_previous": True,
            }
            for household in households
        ],
        "gold.household_grid": [
            {"grid_id": f"CRS5179RES250mN1952000E{x}", "x_m": x, "y_m": 1_952_000, **mean, "households_unweighted": count}
            for x, count in ((953_750, 6), (954_000, 4))
        ],
        "gold.output_area_grid": [
            {
                "region_level": "output_area",
                "region_code": f"{dong}0001",
                "grid_id": f"CRS5179RES250mN1952000E{x}",
                "x_m": x,
                "y_m": 1_952_000,
                "buildings": count,
            }
            for dong in DONGS
            for x, count in ((953_750, 5), (954_000, 4))
        ],
        "gold.building_grid": [
            {
                "address_id": f"A{gu}",
                "gu_code": gu,
                "dong_code": dong,
                "output_area_id": f"{dong}0001",
                "grid_id": f"CRS5179RES250mN1952000E9{gu[2:]}50",
            }
            for dong, gu in DONGS.items()
        ],
    }


def loads(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Load]:
    """Loads of a whole month."""
    tables = {p.table.qualified_name: p.table for p in PUBLISHED}
    return {name: load_arrow([batch(table, rows[name])]) for name, table in tables.items()}


def dated(rows: dict[str, list[dict[str, Any]]], date: dt.date) -> dict[str, list[dict[str, Any]]]:
    """The same rows in another month."""
    return {name: [{**row, "base_month": date} for row in of_table] for name, of_table in rows.items()}


TABLES: tuple[Table, ...] = tuple(p.table for p in PUBLISHED)
HOUSEHOLD_TABLES = (gold.HOUSEHOLD, gold.HOUSEHOLD_LINEAGE, BUILDING_GRID)
STATISTICS_TABLES = (
    gold.HOUSEHOLD_STATISTICS,
    gold.HOUSEHOLD_BREAKDOWN,
    HOUSEHOLD_CUBE,
    HOUSEHOLD_GRID,
    OUTPUT_AREA_GRID,
    gold.PERSON_STATISTICS,
    gold.COVERAGE,
    gold.QUALITY_REPORT,
    *quality.QUALITY_TABLES,
    silver.REGION,
)
