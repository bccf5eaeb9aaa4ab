"""What a manifest may say, as a table: a change of a conforming one, and the rule that refuses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from delivered import SAMPLE

from living_finance.deliveries.manifest import parse_manifest
from living_finance.deliveries.rules import REMEDIES
from living_finance.errors import RefusedDelivery
from living_finance.months import Month

Facts = dict[str, Any]
Change = Callable[[Facts], object]


def sample(delivery: str) -> Facts:
    return json.loads((SAMPLE / delivery / "manifest.json").read_text(encoding="utf-8"))


def setting(name: str, value: object) -> Change:
    return lambda facts: facts.update({name: value})


def agreeing(**changes: object) -> Change:
    return lambda facts: facts["agreement"].update(changes)


def file(**changes: object) -> Change:
    return lambda facts: facts["files"][0].update(changes)


def without(name: str) -> Change:
    return lambda facts: facts.pop(name)


BUREAU, CITY, CENSUS = "bureau/202001", "city/202001", "census/2020"

REFUSED: list[tuple[str, str, Change, str]] = [
    ("schema version 2", BUREAU, setting("schema_version", 2), "schema_version_unknown"),
    ("schema version true", BUREAU, setting("schema_version", True), "manifest_broken"),
    ("no schema version", BUREAU, without("schema_version"), "manifest_broken"),
    ("unknown dataset", BUREAU, setting("dataset", "tax"), "dataset_unknown"),
    ("another dataset than the folder", BUREAU, setting("dataset", "city"), "folder_disagrees"),
    ("another month than the folder", BUREAU, setting("base_month", "202002"), "folder_disagrees"),
    ("another year than the folder", CENSUS, setting("base_month", "201911"), "folder_disagrees"),
    ("another number than the folder", BUREAU, setting("delivery", 1), "folder_disagrees"),
    ("number as text", BUREAU, setting("delivery", "0"), "manifest_broken"),
    ("negative number", BUREAU, setting("delivery", -1), "manifest_broken"),
    ("month 13", BUREAU, setting("base_month", "202013"), "manifest_broken"),
    ("month as number", BUREAU, setting("base_month", 202001), "manifest_broken"),
    ("supplied before the month ends", BUREAU, setting("as_of", "2020-01-31"), "as_of_not_after_month"),
    ("date of supply unreadable", BUREAU, setting("as_of", "soon"), "manifest_broken"),
    ("no supplier", BUREAU, setting("supplier", ""), "manifest_broken"),
    ("unknown encoding", BUREAU, setting("encoding", "euc-kr"), "encoding_unknown"),
    ("no agreement", BUREAU, setting("agreement", None), "agreement_missing"),
    ("agreement over", BUREAU, agreeing(to="201912"), "agreement_period"),
    ("agreement not begun", BUREAU, agreeing(**{"from": "202002"}), "agreement_period"),
    ("agreement the wrong way round", BUREAU, agreeing(**{"from": "202109", "to": "201809"}), "agreement_period"),
    ("unknown scope", BUREAU, agreeing(scope="everybody"), "agreement_scope"),
    ("agreement without id", BUREAU, agreeing(id=None), "manifest_broken"),
    ("no files", BUREAU, setting("files", None), "manifest_broken"),
    ("files are names", BUREAU, setting("files", ["persons-00.csv.gz"]), "manifest_broken"),
    ("files empty", BUREAU, setting("files", []), "table_missing"),
    ("reference table not listed", CITY, lambda f: f["files"].pop(), "table_missing"),
    ("unknown table", BUREAU, file(table="people"), "table_unknown"),
    ("table of another dataset", BUREAU, file(table="residents"), "table_unknown"),
    ("file listed twice", BUREAU, lambda f: f["files"].append(f["files"][0]), "file_listed_twice"),
    ("file listed twice in other case", BUREAU, file(name="PERSONS-01.csv.gz"), "file_listed_twice"),
    ("rows negative", BUREAU, file(rows=-1), "manifest_broken"),
    ("rows a fraction", BUREAU, file(rows=1.5), "manifest_broken"),
    ("rows true", BUREAU, file(rows=True), "manifest_broken"),
    ("hash short", BUREAU, file(sha256="abc"), "manifest_broken"),
    ("plain csv", BUREAU, file(name="persons-00.csv"), "file_format_unknown"),
    *(
        (f"name {name!r}", BUREAU, file(name=name), "file_name_unsafe")
        for name in (
            "../persons-00.csv.gz",
            "/tmp/persons-00.csv.gz",
            "sub/persons-00.csv.gz",
            "..\\persons-00.csv.gz",
            "C:persons-00.csv.gz",
            "..",
            ".hidden.csv.gz",
            "persons\x00.csv.gz",
            "persons\n.csv.gz",
        )
    ),
]


@pytest.mark.parametrize(("delivery", "change", "rule"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_broken_manifest_is_refused_by_its_rule(delivery: str, change: Change, rule: str) -> None:
    facts = sample(delivery)
    change(facts)
    dataset, folder = delivery.split("/")
    with pytest.raises(RefusedDelivery) as refused:
        parse_manifest(json.dumps(facts).encode(), dataset=dataset, folder=folder)
    assert (refused.value.rule, refused.value.delivery, refused.value.exit_code) == (rule, delivery, 20)
    assert refused.value.remedy == REMEDIES[rule]


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b'{"dataset": "\xff"}', b'{"rows": 1, "rows": 2}', b"[" * 100_000],
    ids=["empty", "cut", "list", "null", "not UTF-8", "name twice", "deep"],
)
def test_what_is_no_manifest_is_refused(raw: bytes) -> None:
    with pytest.raises(RefusedDelivery) as refused:
        parse_manifest(raw, dataset="bureau", folder="202001")
    assert refused.value.rule == "manifest_broken"


@pytest.mark.parametrize("folder", ["2020", "202001.r0", "202001.r01", "202001r1", "202013", "202001.r1.r2", "tmp", "202001 "])
def test_a_folder_name_that_is_none_is_refused(folder: str) -> None:
    with pytest.raises(RefusedDelivery) as refused:
        parse_manifest(json.dumps(sample(BUREAU)).encode(), dataset="bureau", folder=folder)
    assert refused.value.rule == "folder_name"


def test_conforming_manifests_are_read() -> None:
    read = {
        f"{path.parent.parent.name}/{path.parent.name}": parse_manifest(
            path.read_bytes(), dataset=path.parent.parent.name, folder=path.parent.name
        )
        for path in SAMPLE.glob("*/*/manifest.json")
    }
    bureau, census = read[BUREAU], read[CENSUS]
    assert len(read) == 8
    assert (bureau.month, bureau.number, bureau.rows_of("persons")) == (Month(2020, 1), 0, 1795)
    assert bureau.agreement is not None
    assert (bureau.agreement.first, bureau.agreement.last) == (Month(2018, 9), Month(2021, 9))
    assert (census.month, census.agreement) == (Month(2020, 11), None)


def test_a_byte_order_mark_and_an_unknown_name_are_fine() -> None:
    facts = sample(BUREAU) | {"comment": "resent"}
    raw = b"\xef\xbb\xbf" + json.dumps(facts).encode()
    assert parse_manifest(raw, dataset="bureau", folder="202001").month == Month(2020, 1)


def test_a_restatement_says_so_in_folder_and_manifest() -> None:
    facts = sample(BUREAU) | {"delivery": 12}
    assert parse_manifest(json.dumps(facts).encode(), dataset="bureau", folder="202001.r12").number == 12


def test_content_hash_follows_the_facts_not_their_layout(tmp_path: Path) -> None:
    facts = sample(BUREAU)
    original = parse_manifest(json.dumps(facts).encode(), dataset="bureau", folder="202001")
    shuffled = {**dict(reversed(facts.items())), "files": facts["files"][::-1]}
    same = parse_manifest(json.dumps(shuffled, indent=4).encode(), dataset="bureau", folder="202001")
    facts["files"][0]["sha256"] = "0" * 64
    other = parse_manifest(json.dumps(facts).encode(), dataset="bureau", folder="202001")
    assert original.content_sha256 == same.content_sha256 != other.content_sha256
