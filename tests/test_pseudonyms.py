"""Pseudonyms on entry and their rotation: no delivered identifier is stored, and persons, households and homes join as before."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from living_finance.config import PseudonymSettings, ReceiptSettings
from living_finance.contracts import STORED_TABLES, gold, silver
from living_finance.contracts.bronze import BRONZE_TABLES, DELIVERY_COLUMN, PSEUDONYMISED_ON_ENTRY, PURPOSES, identifiers_of
from living_finance.contracts.deliveries import PERSONS
from living_finance.errors import ConfigurationError, PseudonymKeyMissing
from living_finance.steps.receive import key_in_data, receive
from living_finance.steps.rotate import IDENTIFIED, rotate_key
from living_finance.storage.pseudonyms import Keys, add_key, open_keys, pseudonym
from living_finance.storage.warehouse import Warehouse

LANDING = Path(__file__).parent / "data" / "landing"
ONE, TWO = b"1" * 32, b"2" * 32


def settings(file: Path) -> PseudonymSettings:
    return PseudonymSettings(enabled=True, key_file=str(file))


def test_a_pseudonym_is_the_hmac_of_the_identifier_and_of_the_pseudonym_before() -> None:
    first = "P" + hmac.new(ONE, b"P123", hashlib.sha256).hexdigest()[:32]
    assert pseudonym("P123", [ONE], letter="P") == first
    assert pseudonym("P123", [ONE, TWO], letter="P") == pseudonym(first, [TWO], letter="P") != first
    assert pseudonym(None, [ONE], letter="P") is None


@pytest.mark.parametrize("identifier", ["", "P 1", "P-1", "P1\n", "P" * 65, "가"])
def test_what_is_no_identifier_stays_none_and_tells_nothing(identifier: str) -> None:
    assert pseudonym(identifier, [ONE], letter="P") == "-"


def test_a_key_file_is_made_for_its_owner_only_and_grows(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "pseudonyms.json"
    assert add_key(file, "2026-1").ids == ("2026-1",)
    assert add_key(file, "2026-2").ids == ("2026-1", "2026-2")
    assert file.stat().st_mode & 0o077 == 0
    keys = [key[purpose] for key in json.loads(file.read_text())["keys"] for purpose in PURPOSES]
    assert {len(bytes.fromhex(key)) for key in keys} == {32} and len(set(keys)) == len(keys) == 2 * len(PURPOSES)
    with pytest.raises(ConfigurationError):
        add_key(file, "2026-1")
    opened = open_keys(settings(file), outside=[tmp_path / "warehouse"])
    assert opened is not None and opened.current == "2026-2"
    assert not any(key in repr(opened) for key in keys)
    assert open_keys(PseudonymSettings()) is None


def test_keys_that_cannot_be_used_say_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "pseudonyms.json"
    for missing in ("", str(file)):
        with pytest.raises(PseudonymKeyMissing, match="new-key"):
            open_keys(PseudonymSettings(enabled=True, key_file=missing))
    for text in ("x", "{}", json.dumps({"keys": []}), json.dumps({"keys": [{"id": "a", "person": "00"}]})):
        file.write_text(text)
        file.chmod(0o600)
        with pytest.raises(PseudonymKeyMissing, match="no key file"):
            open_keys(settings(file))
    file.unlink()
    add_key(file, "a")
    with pytest.raises(ConfigurationError, match="data zone"):
        open_keys(settings(file), outside=[tmp_path])
    file.chmod(0o644)
    with pytest.raises(PseudonymKeyMissing, match="Everybody"):
        open_keys(settings(file))
    assert PseudonymKeyMissing.exit_code == 12


def values_in(folder: Path) -> set[str]:
    """Every text in every Parquet file, current or not."""
    found: set[str] = set()
    for file in folder.rglob("*.parquet"):
        table = pq.ParquetFile(file).read()
        for column in table.columns:
            if str(column.type) in ("string", "large_string"):
                found.update(column.unique().to_pylist())
    return found - {None}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pseudonyms")


@pytest.fixture(scope="module")
def keys(place: Path) -> Keys:
    return add_key(place / "keys.json", "k1")


@pytest.fixture(scope="module")
def store(spark: SparkSession, place: Path, keys: Keys) -> Warehouse:
    """Deliveries received with pseudonyms, and households: people of one sex and age in one month, of an age in the next."""
    for name in ("regions", "bureau/202001", "city/202001"):
        shutil.copytree(LANDING / name, place / "landing" / name)
    warehouse = Warehouse(spark, str(place / "warehouse"))
    receive(warehouse, landing=place / "landing", settings=ReceiptSettings(), keys=keys)
    persons = warehouse.read(BRONZE_TABLES[PERSONS.bronze_name]).where("person_id is not null")
    for month, together in ((dt.date(2020, 1, 1), ("sex", "age_band")), (dt.date(2020, 2, 1), ("age_band",))):
        members = persons.dropDuplicates(["person_id"]).select(
            F.lit(month).alias("base_month"),
            F.lit("11140").alias("gu_code"),
            "person_id",
            F.concat(F.lit("H"), *together).alias("household_id"),
            F.lit("alone").alias("assignment_evidence"),
            F.lit(1.0).alias("assignment_probability"),
        )
        warehouse.commit(gold.HOUSEHOLD_MEMBER, members, partition={"base_month": month})
    residents = warehouse.read(BRONZE_TABLES["city_residents"]).where("register_household_id is not null")
    registered = residents.groupBy("register_household_id").agg(F.count(F.lit(1)).cast("int").alias("register_members"))
    named = registered.select(
        F.lit(dt.date(2020, 1, 1)).alias("base_month"),
        F.lit("11140").alias("gu_code"),
        "register_household_id",
        F.concat(F.lit("H"), F.col("register_members").cast("string")).alias("household_id"),
        "register_members",
    )
    warehouse.commit(silver.HOUSEHOLD_REGISTER, named, partition={"base_month": dt.date(2020, 1, 1)})
    return warehouse


def delivered_rows(place: Path, table: str) -> pd.DataFrame:
    dataset, _, name = table.partition("_")
    files = sorted((place / "landing" / dataset).rglob(f"{name}-*.csv.gz"))
    return pd.concat([pd.read_csv(file, dtype=str) for file in files], ignore_index=True)


def stored_rows(store: Warehouse, table: str) -> pd.DataFrame:
    return store.read(BRONZE_TABLES[table]).select(*PSEUDONYMISED_ON_ENTRY[table]).toPandas()


def homes(persons: pd.DataFrame, residents: pd.DataFrame, buildings: pd.DataFrame) -> tuple[int, int, int]:
    """How many rows of the bureau and of the register meet at one address, in one unit, and have a building."""
    persons = persons.rename(columns={"home_address_id": "address_id", "home_unit_id": "unit_id"})[["address_id", "unit_id"]]
    people = residents[["address_id", "unit_id"]]
    return (
        len(persons[["address_id"]].dropna().merge(people, on="address_id")),
        len(persons.dropna().merge(people.dropna(), on=["address_id", "unit_id"])),
        int(residents["address_id"].isin(buildings["address_id"]).sum()),
    )


JOINED = ("bureau_persons", "city_residents", "city_buildings")
RECEIVED = (*JOINED, "city_establishments")


def stored_identifiers(store: Warehouse) -> set[str]:
    found: set[str] = set()
    for table in RECEIVED:
        found.update(*(column.dropna() for _, column in stored_rows(store, table).items()))
    return found - {"-"}


def links(store: Warehouse) -> list[tuple[str, str, int]]:
    """Households of two months by the persons that they share, and by the residents: what lineage rests on."""
    members = store.read(gold.HOUSEHOLD_MEMBER)
    january, february = (
        members.where(F.col("base_month") == day).select("person_id", F.col("household_id").alias(name))
        for day, name in ((dt.date(2020, 1, 1), "before"), (dt.date(2020, 2, 1), "now"))
    )
    shared = january.join(february, on="person_id", how="inner").groupBy("before", "now").count().orderBy("before", "now")
    residents = store.read(BRONZE_TABLES["city_residents"])
    registered = residents.join(store.read(silver.HOUSEHOLD_REGISTER), on="register_household_id", how="inner")
    by_register = registered.groupBy("household_id").count().orderBy("household_id")
    return [(row["before"], row["now"], row["count"]) for row in shared.collect()] + [
        (row["household_id"], "", row["count"]) for row in by_register.collect()
    ]


def test_no_delivered_identifier_is_stored_and_rotation_keeps_the_links(store: Warehouse, place: Path, keys: Keys) -> None:
    as_delivered = {table: delivered_rows(place, table) for table in RECEIVED}
    by_purpose: dict[str, set[str]] = {}
    for table in RECEIVED:
        for column, purpose in PSEUDONYMISED_ON_ENTRY[table].items():
            by_purpose.setdefault(purpose, set()).update(as_delivered[table][column].dropna())
    assert len(by_purpose) == 4 and min(map(len, by_purpose.values())) > 100
    delivered = set().union(*by_purpose.values())
    root = Path(store.root)
    before = values_in(root)
    assert not before & delivered
    assert key_in_data(store) == {"k1"}
    met = homes(*(as_delivered[table] for table in JOINED))
    assert min(met) > 100 and homes(*(stored_rows(store, table) for table in JOINED)) == met
    linked = links(store)
    assert sum(count for *_, count in linked) > 1000
    pseudonyms = stored_identifiers(store)
    assert {name[0] for name in pseudonyms} == set("PRAU") and {len(name) for name in pseudonyms} == {33}

    done = rotate_key(store, keys=keys, key_id="k2")
    assert len(done) == 7, "four tables as delivered, two months of members, the register's households"
    assert links(store) == linked
    assert homes(*(stored_rows(store, table) for table in JOINED)) == met
    after = values_in(root)
    assert not after & pseudonyms and not after & delivered, "not even in files of old versions"
    assert key_in_data(store) == {"k2"}

    renewed = open_keys(settings(place / "keys.json"))
    assert renewed is not None and renewed.ids == ("k1", "k2")
    in_file = json.loads((place / "keys.json").read_text())["keys"]
    again = {
        pseudonym(i, [bytes.fromhex(key[purpose]) for key in in_file], letter=PURPOSES[purpose])
        for purpose, found in by_purpose.items()
        for i in found
    }
    assert stored_identifiers(store) == again - {"-"}, "what is delivered next month gets the same pseudonyms"
    assert rotate_key(store, keys=renewed, key_id="k2") == [], "again: nothing"
    with pytest.raises(ConfigurationError, match="k2"):
        receive(store, landing=place / "landing", settings=ReceiptSettings(), keys=None)
    secrets = [key[purpose] for key in in_file for purpose in PURPOSES]
    texts = "".join(f.read_text(errors="replace") for f in root.rglob("*.json"))
    assert not any(secret in texts for secret in secrets)
    said = store.read(DELIVERY_COLUMN).where("applied_by like '%HMAC%'").select("table_name", "column_name").distinct().collect()
    assert {tuple(row) for row in said} == {
        (table.partition("_")[2], column) for table in RECEIVED for column in PSEUDONYMISED_ON_ENTRY[table]
    }


def test_every_table_with_a_delivered_identifier_is_rotated() -> None:
    assert {table.qualified_name for table in IDENTIFIED} == {n for n, table in STORED_TABLES.items() if identifiers_of(table)}
    named = {column for columns in IDENTIFIED.values() for column in columns}
    others = {c for t in STORED_TABLES.values() for c in t.column_names if c.endswith("_id")} - named
    assert others == {
        *("agreement_id", "establishment_id", "output_area_id", "household_id", "previous_household_id"),
    }, "whoever adds an identifier says here that it is none of people and homes"
