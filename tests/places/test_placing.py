"""Homes and workplaces: what the buildings list, the register and the delivered dong each decide."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from living_finance.contracts import silver
from living_finance.places.placing import place_persons, summarise_addresses

MONTH = dt.date(2020, 1, 1)
DONG, OTHER_DONG = "1114059", "1123051"


def person(person_id: str, **values: Any) -> dict[str, Any]:
    row: dict[str, Any] = {column.name: None for column in silver.PERSON.columns}
    money = (*silver.INCOME_COLUMNS, *silver.SPENDING_COLUMNS, *silver.BALANCE_COLUMNS)
    row.update(dict.fromkeys((*money, "overdue_balance_krw", "repayment_krw_month"), 0.0))
    row.update(
        base_month=MONTH, gu_code="11140", person_id=person_id, sex="F", age_band=30, residence="seoul",
        workplace="none", employment="none", edits=[],
    )  # fmt: skip
    return row | values


def resident(
    household: str, address: str, age: int, *, unit: str | None = None, sex: str = "F", dong: str = DONG
) -> dict[str, Any]:
    return {
        "base_month": MONTH, "gu_code": dong[:5], "register_household_id": household, "address_id": address, "unit_id": unit,
        "dong_code": dong, "sex": sex, "age": age, "relation_to_head": "head", "edits": [],
    }  # fmt: skip


def building(address: str, dong: str = DONG, dwelling: str = "apartment", units: int = 2) -> dict[str, Any]:
    return {
        "base_month": MONTH, "gu_code": dong[:5], "address_id": address, "dong_code": dong, "output_area_id": dong + "0001",
        "x": 950000.0, "y": 1950000.0, "dwelling_type": dwelling, "dwelling_units": units, "households_permitted": None,
        "floor_area_m2": 100.0, "approval_year": 2000, "official_price_krw": 1e8, "edits": [],
    }  # fmt: skip


def establishment(identifier: str, address: str) -> dict[str, Any]:
    return {
        "base_month": MONTH, "gu_code": "11140", "establishment_id": identifier, "address_id": address, "dong_code": DONG,
        "industry": "G", "workers": 3, "edits": [],
    }  # fmt: skip


PERSONS = [
    person("P1", home_address_id="A1", home_unit_id="U1", home_dong=DONG),
    person("P2", home_address_id="A1", home_unit_id="U2", home_dong=DONG),
    person("P3", home_address_id="A1", home_dong=DONG),
    person("P4", home_address_id="A1", home_unit_id="U1", home_dong=OTHER_DONG),
    person("P5", home_address_id="A9", home_dong=OTHER_DONG),
    person("P6", home_address_id="A8", age_band=80),
    person("P7", home_dong=OTHER_DONG),
    person("P8", residence="outside", workplace="seoul", work_address_id="A2", work_dong=OTHER_DONG, gu_code="none"),
    person("P9", home_address_id="A1", sex="M", home_dong=DONG, workplace="seoul", work_address_id="A1", work_dong=DONG,
           labour_income_krw_year=10.6, mortgage_balance_krw=5.0),
    person("P10", residence="outside", gu_code="none", home_address_id="A1"),
]  # fmt: skip

EXPECTED = {
    # person: (dong, gu, output area, evidence, has_household, work dong, establishment at work, edits)
    "P1": (DONG, "11140", DONG + "0001", "register_unit", True, None, None, []),
    "P2": (DONG, "11140", DONG + "0001", "not_in_register", True, None, None, []),
    "P3": (DONG, "11140", DONG + "0001", "register_address", True, None, None, []),
    "P4": (DONG, "11140", DONG + "0001", "register_unit", True, None, None, ["home_dong:conflicts_with_building"]),
    "P5": (OTHER_DONG, "11230", None, "not_in_register", True, None, None, ["home_address_id:not_in_buildings"]),
    "P6": (OTHER_DONG, "11230", None, "register_address", True, None, None, ["home_address_id:not_in_buildings"]),
    "P7": (OTHER_DONG, "11230", None, "no_address", False, None, None, []),
    "P8": (None, "none", None, "no_address", False, DONG, True, ["work_dong:conflicts_with_building"]),
    "P9": (DONG, "11140", DONG + "0001", "not_in_register", True, DONG, False, []),
    "P10": (None, "none", None, "no_address", False, None, None, []),
}


def sources(spark: SparkSession) -> dict[str, DataFrame]:
    return {
        "register": spark.createDataFrame(
            [
                resident("R1", "A1", 34, unit="U1"),
                resident("R2", "A1", 8, unit="U2"),
                resident("R3", "A8", 97, dong=OTHER_DONG),
            ],
            silver.REGISTER_PERSON.schema(),
        ),
        "buildings": spark.createDataFrame([building("A1"), building("A2", units=1)], silver.BUILDING.schema()),
        "establishments": spark.createDataFrame([establishment("E1", "A2")], silver.ESTABLISHMENT.schema()),
    }


@pytest.mark.parametrize("broadcast", [True, False])
def test_every_person_is_placed_by_the_best_evidence(spark: SparkSession, broadcast: bool) -> None:
    persons = spark.createDataFrame(PERSONS, silver.PERSON.schema()).repartition(3)
    placed = place_persons(persons, broadcast_buildings=broadcast, **sources(spark))
    assert placed.schema.simpleString() == silver.PLACED_PERSON.schema().simpleString()
    found = {
        row["person_id"]: (
            row["dong_code"], row["gu_code"], row["output_area_id"], row["home_evidence"], row["has_household"],
            row["workplace_dong_code"], row["has_establishment_at_work"], row["edits"],
        )
        for row in placed.collect()
    }  # fmt: skip
    assert found == EXPECTED


def test_addresses_show_the_sources_side_by_side(spark: SparkSession) -> None:
    tables = sources(spark)
    placed = place_persons(spark.createDataFrame(PERSONS, silver.PERSON.schema()), broadcast_buildings=True, **tables)
    rows = {r["address_id"]: r for r in summarise_addresses(placed, broadcast_buildings=True, **tables).collect()}
    assert set(rows) == {"A1", "A2"}, "an address outside the buildings list has no row"
    home = rows["A1"]
    assert (home["register_persons"], home["register_households"]) == (2, 2)
    assert (home["bureau_persons"], home["bureau_persons_not_in_register"], home["bureau_workers"]) == (5, 2, 1)
    assert (home["labour_income_krw_year"], home["debt_krw"]) == (11, 5), "sums of whole won"
    assert (home["is_over_capacity"], home["has_unregistered_excess"], home["lacks_establishments"]) == (False, True, True)
    work = rows["A2"]
    assert (work["bureau_workers"], work["establishments"], work["establishment_workers"]) == (1, 1, 3)
    assert not work["lacks_establishments"]


def test_empty_units_are_those_where_neither_source_knows_anybody(spark: SparkSession) -> None:
    """Flats: one unit known to both, one to the bureau only, one to the register only. Houses count register households."""
    buildings = [
        building("A1", units=6), building("A2", units=1) | {"households_permitted": 5}, building("A3", units=1),
        building("A4", units=4), building("A5", units=9, dwelling="non_residential"), building("A6", units=3),
        building("A7", units=1, dwelling="non_residential"),
    ]  # fmt: skip
    register = [
        resident("R1", "A1", 34, unit="U1"), resident("R2", "A1", 8, unit="U1"), resident("R3", "A1", 40, unit="U3"),
        resident("R4", "A2", 50), resident("R4", "A2", 9), resident("R5", "A2", 60),
        resident("R6", "A3", 70), resident("R7", "A3", 71), resident("R8", "A5", 80),
        resident("R9", "A7", 81), resident("R10", "A7", 82),
    ]  # fmt: skip
    persons = [
        person("P1", home_address_id="A1", home_unit_id="U1"), person("P2", home_address_id="A1", home_unit_id="U2"),
        person("P3", home_address_id="A1"), person("P4", home_address_id="A2"), person("P5", home_address_id="A4"),
        person("P6", residence="outside", workplace="seoul", work_address_id="A6", gu_code="none"),
    ]  # fmt: skip
    tables = {
        "register": spark.createDataFrame(register, silver.REGISTER_PERSON.schema()),
        "buildings": spark.createDataFrame(buildings, silver.BUILDING.schema()),
        "establishments": spark.createDataFrame([], silver.ESTABLISHMENT.schema()),
    }
    placed = place_persons(spark.createDataFrame(persons, silver.PERSON.schema()), broadcast_buildings=True, **tables)
    made = summarise_addresses(placed, broadcast_buildings=True, **tables)
    assert made.schema.simpleString() == silver.ADDRESS.schema().simpleString()
    rows = made.collect()
    found = {row["address_id"]: (row["empty_units"], row["register_persons"]) for row in rows}
    assert found == {"A1": (3, 3), "A2": (3, 3), "A3": (0, 2), "A4": (3, 0), "A5": (0, 1), "A6": (3, 0), "A7": (0, 2)}
    assert [row["address_id"] for row in rows if row["is_over_capacity"]] == ["A3"], "two register households in a house for one"
