"""What becomes of each kind of bureau row: one small text table, one run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from bronze_rows import (
    GOOD,
    MONTH,
    REGIONS,
    bronze_frame,
    changes,
    delivered_frame,
    sample_regions,
    shape_of_schema,
)
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from living_finance.cleansing.disposition import disposition_counts
from living_finance.cleansing.persons import cleanse_persons
from living_finance.config import CleansingSettings
from living_finance.contracts.silver import PERSON, PERSON_RENAMES, SET_ASIDE

LABOUR, BUSINESS, CREDIT = "labour_income_krw_year", "business_income_krw_year", "credit_card_spending_krw_month"

# person | changes to a good row | disposition and reasons, or the edits of the kept row
SCENARIOS = """
Pgood          |                                          | kept
PoutsideDong   | home_dong=, residence=outside            | kept
Ploss          | business_income=-7000000                 | kept
PtenMillion    | labour_income=1e7                        | kept
Psex           | sex=X                                    | quarantined sex:unknown_code
Pband          | age_band=33                              | quarantined age_band:unknown_code
PbandText      | age_band=old                             | quarantined age_band:wrong_type
Pdong          | home_dong=1199999                        | quarantined home_dong:unknown_dong
Ptext          | labour_income=abc                        | quarantined labour_income:wrong_type
Phuge          | labour_income=1e18                       | quarantined labour_income:above_range
Pbalance       | mortgage_balance=-1                      | quarantined mortgage_balance:below_range
Pblank         | person_id=                               | quarantined person_id:missing
Pnewline       | home_address_id=A\\n1                    | quarantined home_address_id:control_character
Ptwo           | sex=X, employment=retired                | quarantined sex:unknown_code employment:unknown_code
Pdead          | deceased=True                            | removed deceased:true
Pnegative      | labour_income=-1                         | kept labour:negative_as_missing labour:imputed
PnegativeCard  | credit_card_spending=-400000             | kept credit:negative_as_missing credit:imputed
PnoLabour      | labour_income=                           | kept labour:imputed
PnoWork        | labour_income=, employment=none          | kept labour:imputed
PnoBusiness    | business_income=                         | kept business:imputed
PnoTwo         | labour_income=, credit_card_spending=    | kept labour:imputed credit:imputed
Pother         | employment=none, labour_income=0         | kept
Pself          | employment=self_employed, labour_income= | kept labour:imputed_zero
"""
# Rows that share their person; `#2` and so on are further rows of it. The first is first by file name, then row number.
SHARED = """
Prepeat        | file_name=z.csv.gz                       | removed row:repeated
Prepeat#2      |                                          | kept
Prepeat#3      | labour_income=3e7, deceased=0            | removed row:repeated
Pconflict      |                                          | quarantined person_id:conflicting_rows
Pconflict#2    | labour_income=30000001                   | quarantined person_id:conflicting_rows
Pthree         |                                          | quarantined person_id:conflicting_rows
Pthree#2       |                                          | quarantined person_id:conflicting_rows
Pthree#3       | home_unit_id=U1                          | quarantined person_id:conflicting_rows
Phalf          | sex=X                                    | quarantined sex:unknown_code
Phalf#2        |                                          | kept
PdeadTwice     | deceased=true                            | removed deceased:true
PdeadTwice#2   | deceased=true                            | removed row:repeated deceased:true
"""


@dataclass(frozen=True)
class Outcome:
    rows: dict[str, tuple[str, ...]]
    kept: dict[str, Row]
    kept_frame: DataFrame
    set_aside_frame: DataFrame
    counts: Row


def _scenarios() -> list[tuple[str, dict[str, str | None], tuple[str, ...]]]:
    found = []
    for line in (SCENARIOS + SHARED).strip().splitlines():
        if line.strip():
            name, change, outcome = (part.strip() for part in line.split("|"))
            found.append((name, changes(change.replace("\\\\n", "\\n")), tuple(outcome.split())))
    return found


_SHORT = {"labour": LABOUR, "business": BUSINESS, "credit": CREDIT}


def _spelled(outcome: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        f"{_SHORT[item.split(':')[0]]}:{item.split(':')[1]}" if item.split(":")[0] in _SHORT else item for item in outcome
    )


@pytest.fixture(scope="module")
def outcome(spark: SparkSession) -> Iterator[Outcome]:
    rows = [{"person_id": name.split("#")[0], **change} for name, change, _ in _scenarios()]
    cleansed = cleanse_persons(
        bronze_frame(spark, "bureau_persons", rows).repartition(3),
        month=MONTH,
        regions=REGIONS,
        settings=CleansingSettings(min_donors=2, donors_kept=16),
        seed=1,
    )
    set_aside = cleansed.set_aside.collect()
    kept = {row.person_id: row for row in cleansed.kept.collect()}
    found = {row.row_number: (row.disposition, *row.reasons) for row in set_aside}
    names = {name: found.get(number) for number, (name, _, _) in enumerate(_scenarios(), start=1)}
    outcomes = {
        name: value or ("kept", *(kept[name.split("#")[0]].edits if name.split("#")[0] in kept else ("lost",)))
        for name, value in names.items()
    }
    counts = disposition_counts(spark.createDataFrame(set_aside, SET_ASIDE.schema())).collect()[0]
    yield Outcome(outcomes, kept, cleansed.kept, cleansed.set_aside, counts)


@pytest.mark.parametrize(("name", "expected"), [(name, _spelled(expected)) for name, _, expected in _scenarios()])
def test_outcome_of_row(outcome: Outcome, name: str, expected: tuple[str, ...]) -> None:
    assert outcome.rows[name] == expected


def test_schemas_are_the_contracts(outcome: Outcome) -> None:
    assert shape_of_schema(outcome.kept_frame) == shape_of_schema(
        outcome.kept_frame.sparkSession.createDataFrame([], PERSON.schema())
    )
    assert shape_of_schema(outcome.set_aside_frame) == shape_of_schema(
        outcome.kept_frame.sparkSession.createDataFrame([], SET_ASIDE.schema())
    )


def test_rows_in_are_kept_quarantined_or_removed(outcome: Outcome) -> None:
    expected = [result[0] for _, _, result in _scenarios()]
    assert len(outcome.kept) == expected.count("kept")
    assert outcome.counts.asDict() == {
        "table_name": "bureau_persons",
        "quarantined": expected.count("quarantined"),
        "removed": expected.count("removed"),
    }


def test_values_of_kept_rows(outcome: Outcome) -> None:
    kept = outcome.kept
    assert all(kept[person][name] is not None for person in kept for name in PERSON_RENAMES.values())
    assert (kept["Pgood"].gu_code, kept["PoutsideDong"].gu_code) == ("11140", "none")
    assert (kept["Ploss"][BUSINESS], kept["PtenMillion"][LABOUR]) == (-7e6, 1e7)
    observed_labour = {3e7, 1e7}
    assert {kept[person][LABOUR] for person in ("Pnegative", "PnoLabour", "PnoTwo")} <= observed_labour
    assert kept["PnoWork"][LABOUR] == 0.0, "a person without work borrows from people without work"
    assert kept["Pself"][LABOUR] == 0.0, "nobody who is self-employed has a labour income to lend"
    assert kept["PnegativeCard"][CREDIT] == 4e5


def test_every_column_of_the_contract_is_in_the_good_row() -> None:
    assert set(GOOD["bureau_persons"]) == {*PERSON_RENAMES, *PERSON.column_names} - {
        "gu_code",
        "edits",
        *PERSON_RENAMES.values(),
    } | {"deceased"}


@pytest.fixture(scope="module")
def sample(spark: SparkSession) -> DataFrame:
    return delivered_frame(spark, dataset="bureau", name="persons", month="202001")


def test_sample_delivery_end_to_end(spark: SparkSession, sample: DataFrame) -> None:
    """1,795 rows with two repeats, one deceased, one slip and one negative spending, all found and nothing else set aside."""

    def run(partitions: int) -> tuple[list[Row], list[Row]]:
        cleansed = cleanse_persons(
            sample.repartition(partitions), month=MONTH, regions=sample_regions(), settings=CleansingSettings(), seed=7
        )
        set_aside = cleansed.set_aside.orderBy("file_name", "row_number").collect()
        kept = cleansed.kept.orderBy("person_id").collect()
        return kept, set_aside

    kept, set_aside = run(1)
    assert (kept, set_aside) == run(7), "cleansing depends on how rows are partitioned"
    reasons = sorted(reason for row in set_aside for reason in row.reasons)
    assert reasons == ["deceased:true", "row:repeated", "row:repeated"]
    assert len(kept) + len(set_aside) == 1795
    edits: dict[str, int] = {}
    for row in kept:
        for edit in row.edits:
            edits[edit] = edits.get(edit, 0) + 1
    assert edits.pop(f"{LABOUR}:unit_slip") == 1
    assert edits.pop(f"{CREDIT}:negative_as_missing") == edits.pop(f"{CREDIT}:imputed") == 1
    assert {name.split(":")[1] for name in edits} <= {"imputed", "outlier"}
    assert sum(count for name, count in edits.items() if name.endswith(":outlier")) <= 10
    assert max(row[LABOUR] for row in kept) < 1e9
    delivered = sample.dropDuplicates(["person_id"]).where(F.lower("deceased") == "false")
    missing = delivered.where(F.col("labour_income").isNull()).count()
    assert edits[f"{LABOUR}:imputed"] == missing
