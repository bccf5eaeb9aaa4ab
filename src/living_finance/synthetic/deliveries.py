"""What suppliers send: rows of the bureau and the city, with the bureau's ways of being wrong, and the files they come in."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from living_finance.contracts.core import Kind
from living_finance.contracts.deliveries import DeliveredTable
from living_finance.months import Month
from living_finance.synthetic import money
from living_finance.synthetic.draws import generator, labels, lasting, pseudonyms
from living_finance.synthetic.dwellings import industry_letters
from living_finance.synthetic.plan import DWELLINGS, HAS_UNITS
from living_finance.synthetic.rows import Array
from living_finance.synthetic.state import COMMUTES, DECEASED, REGISTER_STATES, RELATIONS, District
from living_finance.synthetic.work import EMPLOYMENTS, NO_WORK, WORKS_OUTSIDE, WORKS_UNKNOWN, usual_log_pay

FileFormat = Literal["csv", "parquet"]
SEXES = ("M", "F")

# The bureau's errors (brief: scores pull to the middle, business income is understated, slips and gaps happen).
_PULL = 0.80
_BUSINESS_SEEN = 0.70
_CASH_SEEN = 0.70
_NO_LABOUR, _NO_BUSINESS, _NO_SPENDING = 0.022, 0.012, 0.010
_ERRORS_LAST = 6  # months a gap or slip of one person lasts
_SLIP, _NEGATIVE, _REPEATED = 0.0005, 0.0004, 0.001
_NO_UNIT, _NO_ADDRESS, _UNKNOWN_RESIDENCE = 0.07, 0.004, 0.0015
_REPAYMENT = {"mortgage": 0.0042, "jeonse_loan": 0.0024, "credit_loan": 0.012, "business_loan": 0.009}

_ARROW = {
    Kind.INTEGER: pa.int64(),
    Kind.COUNT: pa.int64(),
    Kind.AMOUNT: pa.float64(),
    Kind.DECIMAL: pa.float64(),
    Kind.FLAG: pa.bool_(),
}


@dataclass(frozen=True)
class WrittenFile:
    """One data file of a delivery, as its manifest lists it."""

    delivery: str
    """Folder below the landing folder, for instance `city/202001`."""
    name: str
    table: str
    rows: int
    sha256: str


def write_table(folder: Path, name: str, table: pa.Table, *, declared: DeliveredTable, file_format: FileFormat) -> WrittenFile:
    """Write rows as one file of a delivery; the same rows give the same bytes.

    Args:
        folder: landing folder / dataset / month, created if absent.
        name: file name without its ending.
        table: columns of the declaration, in any order.
        declared: the delivered table; decides order and types.
        file_format: csv (gzip, no time stamp) or parquet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    typed = pa.table({c.name: table[c.name].cast(_ARROW.get(c.kind, pa.string())) for c in declared.columns})
    path = folder / f"{name}.{'csv.gz' if file_format == 'csv' else 'parquet'}"
    if file_format == "csv":
        with path.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=1, mtime=0) as out:
            out.write((",".join(typed.column_names) + "\n").encode())
            pyarrow.csv.write_csv(
                _whole_numbers(typed),
                out,
                pyarrow.csv.WriteOptions(
                    include_header=False, batch_size=50_000, quoting_style="needed" if declared.of_kind(Kind.TEXT) else "none"
                ),
            )
    else:
        pyarrow.parquet.write_table(typed, path, compression="zstd")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return WrittenFile(
        delivery=f"{folder.parent.name}/{folder.name}", name=path.name, table=declared.name, rows=typed.num_rows, sha256=digest
    )


def _whole_numbers(table: pa.Table) -> pa.Table:
    """Amounts without a fraction as integers, so that CSV holds no exponents."""
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        is_amount = pa.types.is_floating(column.type)
        whole = is_amount and pa.compute.all(pa.compute.equal(pa.compute.round(column), column)).as_py() is not False
        columns[name] = column.cast(pa.int64()) if whole else column
    return pa.table(columns)


def address_key(ordinal: Array, number: Array) -> Array:
    """Key of a building from its dong's ordinal in Seoul and its number in the dong: known to every district."""
    return (ordinal.astype(np.int64) << 32) | number.astype(np.int64)


class Clerk:
    """Turns the state of a district into delivered rows."""

    def __init__(self, district: District, *, dong_codes: list[str]) -> None:
        homes = district.homes
        self._district = district
        self._seed = district.seed
        self._dong_codes = dong_codes
        self._ordinals = district.places.ordinals
        self.building_key = address_key(self._ordinals[homes.buildings["dong"]], homes.buildings["number"])
        self.unit_key = self.building_key[homes.units["building"]] * 512 + homes.units["number"]

    def _own(self, key: Array) -> Array:
        """Keys of this district's persons or households, unique in the city."""
        return (np.int64(self._district.plan.ordinal) << 48) | key.astype(np.int64)

    def dong(self, position: Array, *, is_missing: Array | None = None) -> pa.Array:
        """Codes of dongs by position in the city plan."""
        return labels(np.maximum(position, 0), self._dong_codes, is_missing=is_missing)

    def addresses(self, unit: Array, *, is_missing: Array | None = None) -> pa.Array:
        building = self._district.homes.units["building"][np.maximum(unit, 0)]
        return pseudonyms(self.building_key[building], prefix="A", seed=self._seed, is_missing=is_missing)

    def unit_ids(self, unit: Array, *, is_missing: Array) -> pa.Array:
        return pseudonyms(self.unit_key[np.maximum(unit, 0)], prefix="U", seed=self._seed, is_missing=is_missing)

    def person_ids(self, key: Array, *, is_missing: Array | None = None) -> pa.Array:
        return pseudonyms(self._own(key), prefix="P", seed=self._seed, is_missing=is_missing)

    def household_ids(self, position: Array) -> pa.Array:
        return pseudonyms(self._own(position), prefix="H", seed=self._seed)

    def register_ids(self, position: Array, *, is_missing: Array | None = None) -> pa.Array:
        return pseudonyms(self._own(position), prefix="R", seed=self._seed, is_missing=is_missing)

    def output_areas(self, building: Array) -> pa.Array:
        """Output area codes: the dong's and four digits."""
        rows = self._district.homes.buildings
        number = pa.array(rows["area"][building]).cast(pa.string())
        padded = pa.compute.utf8_lpad(number, 4, "0")
        return pa.compute.binary_join_element_wise(self.dong(rows["dong"][building]).cast(pa.string()), padded, "")

    def buildings(self) -> pa.Table:
        """One row per building."""
        rows = self._district.homes.buildings
        everything = np.arange(rows.size)
        return pa.table(
            {
                "address_id": pseudonyms(self.building_key, prefix="A", seed=self._seed),
                "dong_code": self.dong(rows["dong"]),
                "output_area_id": self.output_areas(everything),
                "x": rows["x"],
                "y": rows["y"],
                "dwelling_type": labels(rows["kind"], DWELLINGS),
                "dwelling_units": rows["legal"],
                "households_permitted": pa.array(rows["permitted"], mask=rows["permitted"] < 0),
                "floor_area_m2": rows["floor"],
                "approval_year": pa.array(rows["year"], mask=rows["year"] < 0),
                "official_price_krw": rows["price"],
            }
        )

    def establishments(self) -> pa.Table:
        """One row per establishment."""
        rows = self._district.homes.establishments
        key = address_key(self._ordinals[rows["dong"]], rows["number"])
        return pa.table(
            {
                "establishment_id": pseudonyms(key, prefix="E", seed=self._seed),
                "address_id": pseudonyms(self.building_key[rows["building"]], prefix="A", seed=self._seed),
                "dong_code": self.dong(rows["dong"]),
                "industry": labels(rows["industry"], industry_letters()),
                "workers": rows["workers"],
            }
        )

    def benefits(self, month: Month, figures: money.Month) -> pa.Table:
        """One row per dong and programme that pays."""
        district = self._district
        dong = district.dong_of_household()
        lives = district.households["unit"] >= 0
        parts = []
        for programme, (people, amount) in figures.recipients.items():
            count = len(district.plan.dongs)
            recipients = np.bincount(dong[lives], weights=people[lives], minlength=count).astype(np.int64)
            paid = np.bincount(dong[lives], weights=amount[lives], minlength=count)
            has = np.flatnonzero(recipients > 0)
            parts.append(
                pa.table(
                    {
                        "base_month": pa.array([str(month)] * len(has), pa.string()),
                        "dong_code": self.dong(district.first_dong + has).cast(pa.string()),
                        "programme": pa.array([programme] * len(has), pa.string()),
                        "recipients": recipients[has],
                        "amount_krw": np.round(paid[has]),
                    }
                )
            )
        return pa.concat_tables(parts)

    def residents(self, month: Month) -> pa.Table:
        """One row per registered person, shuffled."""
        district = self._district
        persons, absent, registers = district.persons, district.absent, district.registers
        registered = np.flatnonzero((persons["register"] >= 0) & (persons["household"] >= 0))

        def both(name: str, other: str | None = None) -> Array:
            return np.concatenate([persons[name][registered], absent[other or name]])

        register = both("register")
        status = np.concatenate([np.zeros(len(registered), np.int8), absent["status"]])
        age = np.clip((month.index - both("birth")) // 12, 0, 120)
        order = generator(self._seed, "residents order", district.plan.code, month).permutation(len(register))
        register = register[order]
        unit = registers["unit"][register]
        kind = district.homes.units["kind"][unit]
        return pa.table(
            {
                "base_month": pa.array([str(month)]).take(pa.array(np.zeros(len(unit), np.int32))),
                "register_household_id": self.register_ids(register),
                "address_id": self.addresses(unit),
                "unit_id": self.unit_ids(unit, is_missing=~HAS_UNITS[kind]),
                "dong_code": self.dong(district.homes.units["dong"][unit]),
                "sex": labels(both("sex")[order], SEXES),
                "age": age[order],
                "relation_to_head": labels(both("relation")[order], RELATIONS),
                "status": labels(status[order], REGISTER_STATES),
            }
        )

    def in_bureau(self, figures: money.Month) -> Array:
        """Persons the bureau has in its extract of the month."""
        district = self._district
        covered = money.is_covered(district.persons, age=figures.age, income_effect=district.effect_of_person())
        is_extra = (district.persons["status"] == COMMUTES) & (figures.age >= 15)
        return np.asarray(covered | is_extra)

    def persons(self, month: Month, figures: money.Month) -> pa.Table:
        """One row per person in the bureau, few twice, shuffled; with everything the bureau gets wrong."""
        district = self._district
        random = generator(self._seed, "bureau", district.plan.code, month)
        known = np.flatnonzero(self.in_bureau(figures))
        scores = _scores(random, district, figures, known, month_index=month.index)
        again = np.flatnonzero(random.random(len(known)) < _REPEATED)
        order = np.concatenate([np.arange(len(known)), again])
        order = order[random.permutation(len(order))]
        rows, count = known[order], len(order)
        state = district.persons.take(rows)
        commutes = state["status"] == COMMUTES
        is_unknown = ~commutes & (state["u_address"] > 1 - _UNKNOWN_RESIDENCE)
        no_address = commutes | is_unknown | (state["u_address"] < _NO_ADDRESS)
        unit = np.maximum(state["bureau_unit"], 0)
        no_unit = no_address | ~HAS_UNITS[district.homes.units["kind"][unit]] | (state["u_unit"] < _NO_UNIT)
        works = state["employment"] != NO_WORK
        work_dong = state["work_dong"]
        in_city = works & (work_dong >= 0)
        workplace = np.select(
            [~works, work_dong == WORKS_OUTSIDE, work_dong == WORKS_UNKNOWN], [3, 1, 2], 0
        )  # seoul, outside, unknown, none
        work_key = address_key(self._ordinals[np.maximum(work_dong, 0)], state["work_building"])
        repayment = np.sum([np.round(state[loan] * rate, -3) for loan, rate in _REPAYMENT.items()], axis=0)
        return pa.table(
            {
                "base_month": pa.array([str(month)]).take(pa.array(np.zeros(count, np.int32))),
                "person_id": self.person_ids(state["key"]),
                "sex": labels(state["sex"], SEXES),
                "age_band": np.clip(figures.age[rows] // 5 * 5, 15, 80),
                "deceased": state["status"] == DECEASED,
                "residence": labels(np.select([commutes, is_unknown], [1, 2], 0), ("seoul", "outside", "unknown")),
                "home_address_id": self.addresses(unit, is_missing=no_address),
                "home_unit_id": self.unit_ids(unit, is_missing=no_unit),
                "home_dong": self.dong(district.homes.units["dong"][unit], is_missing=commutes | is_unknown),
                "workplace": labels(workplace, ("seoul", "outside", "unknown", "none")),
                "work_address_id": pseudonyms(work_key, prefix="A", seed=self._seed, is_missing=~in_city),
                "work_dong": self.dong(work_dong, is_missing=~in_city),
                "employment": labels(state["employment"], EMPLOYMENTS),
                **{name: pa.array(values[order], mask=np.isnan(values[order])) for name, values in scores.items()},
                "mortgage_balance": state["mortgage"],
                "jeonse_loan_balance": state["jeonse_loan"],
                "credit_loan_balance": state["credit_loan"],
                "business_loan_balance": state["business_loan"],
                "overdue_balance": state["overdue"],
                "monthly_repayment": repayment,
            }
        )


def _scores(
    random: np.random.Generator, district: District, figures: money.Month, rows: Array, *, month_index: int
) -> dict[str, Array]:
    """Incomes and spending as the bureau has them (NaN where missing)."""
    persons = district.persons
    count = len(rows)
    age, sex = figures.age[rows], persons["sex"][rows]
    error = persons["score_error"][rows]
    key, period = (district.plan.ordinal << 48) | persons["key"][rows], month_index // _ERRORS_LAST
    middle = usual_log_pay(sex, age)
    result = {}
    for name, truth, seen, no_value in (
        ("labour_income", figures.labour[rows], 1.0, _NO_LABOUR),
        ("business_income", figures.business[rows], _BUSINESS_SEEN, _NO_BUSINESS),
    ):
        log = np.log(np.maximum(truth, 1e4))
        is_positive = truth > 0
        score = np.round(np.exp(middle + _PULL * (log - middle) + error) * seen, -4)
        score = np.where(is_positive, score, np.where(truth < 0, np.round(truth * seen, -4), 0.0))
        slips = lasting(key, seed=district.seed, purpose=f"{name} slip", period=period) < _SLIP
        score = np.where(slips, score * 1000, score)
        if name == "labour_income":
            score = np.where(random.random(count) < _NEGATIVE, -np.abs(score) - 10_000, score)
        is_missing = lasting(key, seed=district.seed, purpose=f"{name} missing", period=period) < no_value
        result[name] = np.where(is_missing, np.nan, score)
    spending = figures.spending[rows]
    card = persons["card_share"][rows]
    for name, share in (
        ("credit_card_spending", card),
        ("check_card_spending", (1 - card) * 0.55),
        ("cash_spending", (1 - card) * 0.45 * _CASH_SEEN),
    ):
        value = np.round(spending * share * np.exp(random.normal(-0.006, 0.11, count)), -2)
        value = np.where(random.random(count) < _NEGATIVE, -value, value)
        is_missing = lasting(key, seed=district.seed, purpose=f"{name} missing", period=period) < _NO_SPENDING
        result[name] = np.where(is_missing, np.nan, value)
    return result
