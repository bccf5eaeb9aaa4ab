"""The truth about a month, kept apart from the deliveries; read by evaluation only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from living_finance.months import Month
from living_finance.synthetic import money, people
from living_finance.synthetic.deliveries import SEXES, Clerk
from living_finance.synthetic.draws import labels
from living_finance.synthetic.plan import DWELLINGS, HAS_UNITS
from living_finance.synthetic.rows import Array
from living_finance.synthetic.state import DECEASED, DEPARTED, District


def household_types(district: District, size: Array) -> Array:
    """Position in HOUSEHOLD_TYPES by household."""
    persons, count = district.persons, district.households.size
    home = np.maximum(persons["household"], 0)
    lives = persons["household"] >= 0

    def has(role: int) -> Array:
        return np.bincount(home, weights=lives & (persons["role"] == role), minlength=count) > 0

    generations = has(people.CHILD).astype(int) + has(people.PARENT)
    return np.select(
        [size == 1, has(people.UNRELATED) | district.households["is_quarters"], generations == 0, generations == 1],
        [people.ONE_PERSON, people.NOT_RELATED, people.ONE_GENERATION, people.TWO_GENERATION],
        people.THREE_GENERATION,
    )


def head_sexes(district: District) -> Array:
    """Sex of the head by household."""
    persons = district.persons
    heads = np.flatnonzero((persons["household"] >= 0) & (persons["role"] == people.HEAD))
    sex = np.zeros(district.households.size, np.int8)
    sex[persons["household"][heads]] = persons["sex"][heads]
    return sex


def household_truth(district: District, clerk: Clerk, month: Month, figures: money.Month) -> pa.Table:
    """One row per household that lives in the district."""
    rows = np.flatnonzero((district.households["unit"] >= 0) & (figures.size > 0))
    unit = district.households["unit"][rows]
    units = district.homes.units
    kind = units["kind"][unit]
    whole = {name: np.round(values[rows]).astype(np.int64) for name, values in figures.components.items()}
    return pa.table(
        {
            "base_month": pa.array([str(month)] * len(rows)),
            "household_id": clerk.household_ids(rows),
            "gu_code": pa.array([district.plan.code] * len(rows)),
            "dong_code": clerk.dong(units["dong"][unit]),
            "output_area_id": clerk.output_areas(units["building"][unit]),
            "address_id": clerk.addresses(unit),
            "unit_id": clerk.unit_ids(unit, is_missing=~HAS_UNITS[kind]),
            "dwelling_type": labels(kind, DWELLINGS),
            "tenure": labels(district.households["tenure"][rows], money.TENURES),
            "household_type": labels(household_types(district, figures.size)[rows], people.HOUSEHOLD_TYPES),
            "household_size": figures.size[rows],
            "head_sex": labels(head_sexes(district)[rows], SEXES),
            "head_age": figures.head_age[rows],
            **{f"{name}_income": values for name, values in whole.items()},
            "total_income": np.sum(list(whole.values()), axis=0),
            "debt": np.round(figures.debt[rows]).astype(np.int64),
            "spending_month": np.round(figures.household_spending[rows]).astype(np.int64),
            "is_group_quarters": district.households["is_quarters"][rows],
        }
    )


def person_truth(district: District, clerk: Clerk, month: Month, figures: money.Month) -> pa.Table:
    """One row per person who lives here, and those whom the bureau still has here (without a household)."""
    persons = district.persons
    rows = np.flatnonzero((persons["household"] >= 0) | np.isin(persons["status"], (DEPARTED, DECEASED)))
    home = persons["household"][rows]
    in_bureau = clerk.in_bureau(figures)[rows]
    unit = district.households["unit"][np.maximum(home, 0)]
    return pa.table(
        {
            "base_month": pa.array([str(month)] * len(rows)),
            "person_id": clerk.person_ids(persons["key"][rows], is_missing=~in_bureau),
            "household_id": pa.compute.if_else(pa.array(home >= 0), clerk.household_ids(np.maximum(home, 0)), None),
            "sex": labels(persons["sex"][rows], SEXES),
            "age": figures.age[rows],
            "role": labels(persons["role"][rows], people.ROLES),
            "register_household_id": clerk.register_ids(persons["register"][rows], is_missing=persons["register"][rows] < 0),
            "labour_income": np.round(figures.labour[rows]).astype(np.int64),
            "business_income": np.round(figures.business[rows]).astype(np.int64),
            "is_stale": in_bureau & ((home < 0) | (persons["bureau_unit"][rows] != unit)),
            "in_bureau": in_bureau,
        }
    )


def write_truth(folder: Path, name: str, table: pa.Table) -> None:
    """Write truth as Parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = pa.table(
        {
            n: c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c
            for n, c in zip(table.column_names, table.columns, strict=True)
        }
    )
    pyarrow.parquet.write_table(plain, folder / f"{name}.parquet", compression="zstd")
