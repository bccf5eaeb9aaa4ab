"""Pseudonyms on entry and their rotation: no delivered identifier is stored, and persons join over months as before."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from living_finance.config import PseudonymSettings, ReceiptSettings
from living_finance.contracts import gold
from living_finance.contracts.bronze import BRONZE_TABLES, DELIVERY_COLUMN
from living_finance.contracts.deliveries import PERSONS
from living_finance.errors import ConfigurationError, PseudonymKeyMissing
from living_finance.steps.receive import key_in_data, receive
from living_finance.steps.rotate import PERSON_TABLES, rotate_key
from living_finance.storage.pseudonyms import Keys, add_key, open_keys, pseudonym
from living_finance.storage.warehouse import Warehouse

LANDING = Path(__file__).parent / "data" / "landing"
ONE, TWO = b"1" * 32, b"2" * 32


def settings(file: Path) -> PseudonymSettings:
    return PseudonymSettings(enabled=True, key_file=str(file))


def test_a_pseudonym_is_the_hmac_of_the_identifier_and_of_the_pseudonym_before() -> None:
    first = "P" + hmac.new(ONE, b"P123", hashlib.sha256).hexdigest()[:32]
    assert pseudonym("P123", [ONE]) == first
    assert pseudonym("P123", [ONE, TWO]) == pseudonym(first, [TWO]) != first
    assert pseudonym(None, [ONE]) is None


@pytest.mark.parametrize("identifier", ["", "P 1", "P-1", "P1\n", "P" * 65, "가"])
def test_what_is_no_identifier_stays_none_and_tells_nothing(identifier: str) -> None:
    assert pseudonym(identifier, [ONE]) == "-"


def test_a_key_file_is_made_for_its_owner_only_and_grows(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "pseudonyms.json"
    assert add_key(file, "2026-1").ids == ("2026-1",)
    assert add_key(file, "2026-2").ids == ("2026-1", "2026-2")
    assert file.stat().st_mode & 0o077 == 0
    keys = [key["person"] for key in json.loads(file.read_text())["keys"]]
    assert [len(bytes.fromhex(key)) for key in keys] == [32, 32] and keys[0] != keys[1]
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
    """Two months of persons received with pseudonyms, and households of them: people of one sex and age together."""
    for name in ("regions", "bureau"):
        shutil.copytree(LANDING / name, place / "landing" / name)
    warehouse = Warehouse(spark, str(place / "warehouse"))
    receive(warehouse, landing=place / "landing", settings=ReceiptSettings(), keys=keys)
    for month in (dt.date(2020, 1, 1), dt.date(2020, 2, 1)):
        persons = warehouse.read(BRONZE_TABLES[PERSONS.bronze_name], delivery_month=month).where("person_id is not null")
        members = persons.dropDuplicates(["person_id"]).select(
            F.lit(month).alias("base_month"),
            F.lit("11140").alias("gu_code"),
            "person_id",
            F.concat(F.lit("H"), "sex", "age_band").alias("household_id"),
            F.lit("alone").alias("assignment_evidence"),
            F.lit(1.0).alias("assignment_probability"),
        )
        warehouse.commit(gold.HOUSEHOLD_MEMBER, members, partition={"base_month": month})
    return warehouse


def links(store: Warehouse) -> list[tuple[str, str, int]]:
    """Households of two months by the persons that they share: what lineage rests on."""
    members = store.read(gold.HOUSEHOLD_MEMBER)
    january, february = (
        members.where(F.col("base_month") == day).select("person_id", F.col("household_id").alias(name))
        for day, name in ((dt.date(2020, 1, 1), "before"), (dt.date(2020, 2, 1), "now"))
    )
    shared = january.join(february, on="person_id", how="inner").groupBy("before", "now").count().orderBy("before", "now")
    return [(row["before"], row["now"], row["count"]) for row in shared.collect()]


def test_no_delivered_identifier_is_stored_and_rotation_keeps_the_links(store: Warehouse, place: Path, keys: Keys) -> None:
    import pandas as pd

    files = sorted((place / "landing" / "bureau").rglob("*.csv.gz"))
    delivered = {str(i) for file in files for i in pd.read_csv(file, dtype=str)["person_id"].dropna()}
    assert len(delivered) > 1000
    root = Path(store.root)
    before = values_in(root)
    assert not before & delivered
    assert key_in_data(store) == {"k1"}
    linked = links(store)
    assert sum(count for *_, count in linked) > 1000
    pseudonyms = {row["person_id"] for row in store.read(gold.HOUSEHOLD_MEMBER).select("person_id").collect()}

    done = rotate_key(store, keys=keys, key_id="k2")
    assert len(done) == 4, "two months of bronze persons and of members"
    assert links(store) == linked
    after = values_in(root)
    assert not after & pseudonyms and not after & delivered, "not even in files of old versions"
    assert key_in_data(store) == {"k2"}

    renewed = open_keys(settings(place / "keys.json"))
    assert renewed is not None and renewed.ids == ("k1", "k2")
    chain = [bytes.fromhex(key["person"]) for key in json.loads((place / "keys.json").read_text())["keys"]]
    assert {pseudonym(i, chain) for i in delivered} >= {
        row["person_id"] for row in store.read(gold.HOUSEHOLD_MEMBER).select("person_id").collect()
    }, "what is delivered next month gets the same pseudonyms"
    assert rotate_key(store, keys=renewed, key_id="k2") == [], "again: nothing"
    with pytest.raises(ConfigurationError, match="k2"):
        receive(store, landing=place / "landing", settings=ReceiptSettings(), keys=None)
    secrets = [key.hex() for key in chain]
    texts = "".join(f.read_text(errors="replace") for f in root.rglob("*.json"))
    assert not any(secret in texts for secret in secrets)
    said = store.read(DELIVERY_COLUMN).where("column_name = 'home_address_id'").select("applied_by").distinct().collect()
    assert not any("HMAC" in row["applied_by"] for row in said)


def test_every_table_with_a_person_is_rotated() -> None:
    from living_finance.contracts import STORED_TABLES

    with_persons = {name for name, table in STORED_TABLES.items() if "person_id" in table.column_names}
    assert {table.qualified_name for table in PERSON_TABLES} == with_persons
