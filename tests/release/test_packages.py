"""Folders, register, approval: what is written, and that nothing gets past the gate."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import frictionless
import pandas as pd
import pytest
import rdflib
from cubes import regions_of, rules_of, small_month
from markupsafe import escape
from pyspark.sql import DataFrame, SparkSession

from living_finance.cli import app
from living_finance.contracts import releases as r
from living_finance.contracts.core import Table
from living_finance.errors import ConfigurationError, DisclosureFound, MissingInput, ReleaseDamaged, ReleaseNotReady
from living_finance.months import Month
from living_finance.release.evidence_page import evidence_page
from living_finance.release.package import ReleaseName, dcat, neutralised, release_table
from living_finance.release.protect import protect
from living_finance.release.rules import ReleaseRules, read_rules
from living_finance.release.verify import Released
from living_finance.release.verify_scope import looked_at
from living_finance.steps.release import (
    Inside,
    approve,
    data_hash,
    has_history,
    release_cells,
    summary,
    verify_release,
    withdraw,
)
from living_finance.storage.ledger import Ledger, StepRecord
from living_finance.storage.releases import ReleaseStore, about_release, read_release
from living_finance.storage.warehouse import Commit, Warehouse

MONTH = Month(2020, 1)


def store_at(root: Path) -> ReleaseStore:
    return ReleaseStore(root, clock=lambda: "2020-02-20T00:00:00+00:00")


def made(
    root: Path, cells: dict[str, pd.DataFrame], rules: ReleaseRules, *, data: str = "", ledger: Ledger | None = None
) -> Path:
    return release_cells(
        cells, regions=regions_of(cells), month=MONTH, rules=rules, store=store_at(root), data_sha256=data, ledger=ledger
    )


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, month: dict[str, pd.DataFrame], rules: ReleaseRules) -> Path:
    return made(tmp_path_factory.mktemp("releases"), month, rules)


@pytest.fixture(scope="module")
def campus_package(tmp_path_factory: pytest.TempPathFactory, month: dict[str, pd.DataFrame], rules: ReleaseRules) -> Path:
    """Of the campus's own rules, over the small tables and without row-level files."""
    campus = rules_of("campus").model_copy(update={"tables": rules.tables, "publications": (), "rows": None})
    return made(tmp_path_factory.mktemp("campus"), month, campus)


def test_a_package_is_what_the_contract_says(package: Path) -> None:
    assert package.parts[-2:] == ("portal", "202001-v1")
    assert {path.name for path in package.iterdir()} == {
        "datapackage.json",
        "dcat.jsonld",
        "README.md",
        "checksums.sha256",
        "evidence",
        "data",
    }
    csv = (package / "data" / "household_statistics.csv").read_bytes()
    assert csv.startswith(b"\xef\xbb\xbf")
    frame = pd.read_csv(package / "data" / "household_statistics.csv", dtype={"region_code": str}, encoding="utf-8-sig")
    assert tuple(frame.columns) == r.columns_of("household_statistics")
    assert frame.loc[frame["status"] != r.PUBLISHED, "value"].isna().all()
    assert frame.loc[frame["status"] == r.PUBLISHED, "value"].notna().all()
    assert set(frame["base_month"]) == {"2020-01"}
    assert set(frame["region_name_en"]) == {"'-dong"}, "a formula for a spreadsheet is text"
    parquet = pd.read_parquet(package / "data" / "household_statistics.parquet")
    pd.testing.assert_series_equal(frame["value"], parquet["value"], check_dtype=False)


def test_frictionless_finds_the_package_valid(package: Path) -> None:
    report = frictionless.Package(str(package / "datapackage.json")).validate()
    assert report.valid, report.flatten(["type", "message"])[:3]
    assert len(report.tasks) == 2 * 5
    for name in ("household_statistics.csv", "household_statistics.parquet"):
        file = package / "data" / name
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert not frictionless.Package(str(package / "datapackage.json")).validate().valid, name
        file.write_bytes(whole)
    names = {resource["name"] for resource in json.loads((package / "datapackage.json").read_text(encoding="utf-8"))["resources"]}
    assert {"household-statistics", "household-statistics-parquet"} <= names


def test_dcat_is_json_ld_and_lists_every_file(package: Path) -> None:
    graph = rdflib.Graph().parse(package / "dcat.jsonld", format="json-ld")
    titles = {str(title) for title in graph.objects(None, rdflib.DCTERMS.title)}
    assert {path.relative_to(package).as_posix() for path in (package / "data").iterdir()} <= titles


AUTHORITY = "http://publications.europa.eu/resource/authority/"


@pytest.mark.parametrize(("channel", "access"), [("portal", "PUBLIC"), ("campus", "RESTRICTED")])
def test_access_and_terms_are_said_in_readme_dcat_and_datapackage(
    channel: str, access: str, package: Path, campus_package: Path
) -> None:
    folder, rules = {"portal": package, "campus": campus_package}[channel], rules_of(channel)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    described = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    graph = rdflib.Graph().parse(folder / "dcat.jsonld", format="json-ld")
    uri = f"{AUTHORITY}access-right/{access}"
    assert described["access_rights"] == uri and uri in readme
    assert [str(found) for found in graph.objects(None, rdflib.DCTERMS.accessRights)] == [uri]
    assert described["terms_of_use"] == {"ko": list(rules.terms.ko), "en": list(rules.terms.en)}
    assert all(term in readme for term in (*rules.terms.ko, *rules.terms.en))
    statement = graph.value(graph.value(predicate=rdflib.RDF.type, object=rdflib.DCAT.Dataset), rdflib.DCTERMS.rights)
    said = {text.language: str(text) for text in graph.objects(statement, rdflib.RDFS.label)}  # type: ignore[attr-defined]
    assert said == {"ko": "\n".join(rules.terms.ko), "en": "\n".join(rules.terms.en)}
    is_open = "kogl" in readme.lower() and "KOGL" in described["licenses"][0]["name"]
    assert is_open == (channel == "portal"), "the campus has no open licence"


def test_terms_of_the_campus_forbid_what_a_closed_room_forbids() -> None:
    terms = rules_of("campus").terms
    for korean, english in (("재식별", "identify"), ("연계", "linkage"), ("반출 심사", "output check"), ("제3자", "passed on")):
        assert any(korean in term for term in terms.ko) and any(english in term for term in terms.en), english


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.pop("access"), "access: Field required"),
        (lambda c: c.pop("terms"), "terms: Field required"),
        (lambda c: c["access"].pop("owner"), "access.owner: Field required"),
        (lambda c: c["terms"].pop("source"), "terms.source: Field required"),
        (lambda c: c["terms"].pop("ko"), "terms.ko: Field required"),
        (lambda c: c["terms"]["en"].pop(), "each term stands in Korean and in English"),
        (lambda c: c["access"].update(value="PUBLIC"), "row-level files leave where access is RESTRICTED only"),
        (lambda c: c["access"].update(value="OPEN"), "access.value"),
        (lambda c: c.pop("contact"), "contact: Field required"),
    ],
)
def test_rules_without_access_or_terms_are_refused(change: Callable[[Any], object], said: str) -> None:
    content = json.loads(rules_of("campus").model_dump_json())
    change(content)
    with pytest.raises(ConfigurationError, match=said):
        read_rules(json.dumps(content), name="campus.yaml")


VCARD = rdflib.Namespace("http://www.w3.org/2006/vcard/ns#")
DATASET_ASKED = ("title", "description")
DATASET_RECOMMENDED = ("publisher", "spatial", "temporal")
DATASET_MORE = ("accessRights", "accrualPeriodicity", "conformsTo")
FILE_RECOMMENDED = ("description", "format", "license")


@pytest.mark.parametrize("channel", ["portal", "campus"])
def test_dcat_has_what_dcat_ap_3_asks_for_and_recommends(channel: str, package: Path, campus_package: Path) -> None:
    """SEMIC, DCAT-AP 3.0 (2024): mandatory and recommended properties of Dataset, Distribution, Agent, Kind, Period of time."""
    folder, rules = {"portal": package, "campus": campus_package}[channel], rules_of(channel)
    graph = rdflib.Graph().parse(folder / "dcat.jsonld", format="json-ld")
    terms, dcat = rdflib.DCTERMS, rdflib.DCAT
    dataset = graph.value(predicate=rdflib.RDF.type, object=dcat.Dataset)
    wanted = [terms[name] for name in (*DATASET_ASKED, *DATASET_RECOMMENDED, *DATASET_MORE)]
    wanted += [dcat.contactPoint, dcat.distribution, dcat.keyword, dcat.theme]
    assert [name for name in wanted if graph.value(dataset, name, any=True) is None] == []
    for name in (terms.title, terms.description, dcat.keyword):
        assert {text.language for text in graph.objects(dataset, name)} == {"ko", "en"}, name  # type: ignore[attr-defined]
    period = graph.value(dataset, terms.temporal)
    assert [str(graph.value(period, dcat[name])) for name in ("startDate", "endDate")] == ["2020-01-01", "2020-01-31"]
    assert str(graph.value(dataset, terms.spatial)) == rules.spatial_url
    publisher, contact = graph.value(dataset, terms.publisher), graph.value(dataset, dcat.contactPoint)
    assert graph.value(publisher, terms.type) is not None
    names = {str(text) for text in graph.objects(publisher, rdflib.FOAF.name)}
    assert names == {rules.publisher_ko, rules.publisher_en}
    assert {str(text) for text in graph.objects(contact, VCARD.fn)} == {rules.department_ko, rules.department_en}
    assert str(graph.value(contact, VCARD.hasURL)) == rules.contact
    assert {str(theme) for theme in graph.objects(dataset, dcat.theme)} == {
        f"{AUTHORITY}data-theme/ECON",
        f"{AUTHORITY}data-theme/SOCI",
    }
    files = list(graph.objects(dataset, dcat.distribution))
    assert len(files) == len(json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))["resources"])
    availability = rdflib.URIRef("http://data.europa.eu/r5r/availability")
    asked = [dcat.accessURL, availability, *(terms[name] for name in FILE_RECOMMENDED)]
    for file in files:
        assert [name for name in asked if graph.value(file, name, any=True) is None] == []
        assert str(graph.value(file, dcat.accessURL)) == rules.access_url
        assert graph.value(file, dcat.downloadURL) is None, "not known"


def test_a_known_folder_of_downloads_is_said_of_every_file() -> None:
    known = rules_of("portal").model_copy(update={"download_url": "https://example.org/files/"})
    file = {"path": "data/a.csv", "format": "csv", "mediatype": "text/csv", "bytes": 1, "hash": "sha256:00", "title": "표 / a"}
    text = dcat({"title": "가 / a", "resources": [file]}, rules=known, name=ReleaseName("portal", MONTH, 1))
    graph = rdflib.Graph().parse(data=text, format="json-ld")
    urls = [str(url) for url in graph.objects(None, rdflib.DCAT.downloadURL)]
    assert urls == ["https://example.org/files/202001-v1/data/a.csv"]


def test_every_code_of_the_tables_has_labels_in_the_package(package: Path) -> None:
    described = json.loads((package / "datapackage.json").read_text(encoding="utf-8"))
    readme = (package / "README.md").read_text(encoding="utf-8")
    said: dict[str, set[str]] = {}
    for resource in described["resources"]:
        if resource["format"] != "csv":
            continue
        frame = pd.read_csv(package / resource["path"], dtype=str, encoding="utf-8-sig", keep_default_na=False, na_values=[""])
        assert set(frame.get("statistic", [])) <= {statistic["name"] for statistic in described["statistics"]}
        for field in resource["schema"]["fields"]:
            korean, _, english = field["title"].partition(" / ")
            assert field["meaning_ko"] and field["meaning_en"]
            row = f"| `{field['name']}` | {korean} ({field['meaning_ko']}) | {english} ({field['meaning_en']}) |"
            assert row in readme
            if "codes" in field:
                codes = {code["code"] for code in field["codes"]}
                assert set(frame[field["name"]].dropna()) <= codes == set(field["constraints"]["enum"])
                assert all(code["label_ko"] and code["label_en"] for code in field["codes"])
                assert all(f"| `{c['code']}` | {c['label_ko']} | {c['label_en']} |" in readme for c in field["codes"])
                said[field["name"]] = codes
    for one in described["statistics"]:
        korean, english = (f"{one[f'label_{language}']} ({one[f'meaning_{language}']})" for language in ("ko", "en"))
        assert f"| `{one['name']}` | {korean} | {english} | {one['unit']} |" in readme
    assert said.keys() == {
        *("region_level", "head_sex", "head_age_band", "household_type", "dwelling_type", "tenure", "household_size"),
        *("income_class", "place", "sex", "age_band", "unit", "status", "reliability", "dimension", "evidence"),
    }
    assert {"apartment", "all"} <= said["dwelling_type"] and "KRW/year" in said["unit"]


def test_evidence_and_package_hold_neither_p_nor_true_counts(package: Path, month: dict[str, pd.DataFrame]) -> None:
    documents = "".join(
        (package / name).read_text(encoding="utf-8")
        for name in ("datapackage.json", "dcat.jsonld", "README.md", "evidence/evidence.json", "evidence/evidence.html")
    )
    assert "dominance_percent" not in documents
    evidence = json.loads((package / "evidence" / "evidence.json").read_text(encoding="utf-8"))
    assert set(evidence["공격별 발견 건수"].values()) == {0}
    assert evidence["셀 수"]["처리 후"] < evidence["셀 수"]["처리 전"]
    exact = month["household_statistics"]["households"]
    assert not any(f"{value:.4f}" in documents for value in exact[exact % 1 > 0])


def test_evidence_says_what_each_attack_looked_at_and_what_the_files_were(package: Path) -> None:
    evidence = json.loads((package / "evidence" / "evidence.json").read_text(encoding="utf-8"))
    looked = evidence["공격별 검사 대상"]
    assert looked.keys() == evidence["공격별 발견 건수"].keys()
    frames = [pd.read_parquet(file) for file in (package / "data").glob("*.parquet") if file.stem != r.STRUCTURAL_ZEROS]
    shown = [frame[frame["status"] == r.PUBLISHED] for frame in frames]
    assert looked["P5"] == {"표": 4, "셀": sum(map(len, shown))}
    assert looked["P8"]["셀"] == sum(int(frame["statistic"].str.startswith("mean_").sum()) for frame in shown)
    withheld = pd.concat(frame[frame["value"].isna() & (frame["statistic"] == "households")] for frame in frames)
    assert looked["P3"] == {"표": 3, "셀": len(withheld)} and len(withheld)
    assert looked["P6"] == looked["P10"] == {"표": 0, "셀": 0}, "nothing was public before, and there are no rows"
    listed = (line.split("  ") for line in (package / "checksums.sha256").read_text(encoding="utf-8").splitlines())
    assert evidence["파일 SHA-256"] == {path: sha for sha, path in listed if not path.startswith("evidence/")}


@pytest.mark.parametrize("channel", ["portal", "campus"])
def test_the_evidence_names_what_it_counts_and_can_be_read_without_us(channel: str, package: Path, campus_package: Path) -> None:
    folder = {"portal": package, "campus": campus_package}[channel]
    text = (folder / "evidence" / "evidence.json").read_text(encoding="utf-8")
    page, evidence = (folder / "evidence" / "evidence.html").read_text(encoding="utf-8"), json.loads(text)
    names = evidence["이름"]
    assert names["공격"].keys() == evidence["공격별 발견 건수"].keys() == {f"P{number}" for number in range(1, 14)}
    assert names["상태"].keys() == set(r.STATUS.codes) and names["원천"].keys() == r.SOURCES.keys()
    assert {cell["table"] for cell in evidence["표별 셀 수"]} <= names["표"].keys()
    assert all(name["ko"] and name["en"] for kind in names.values() for name in kind.values())
    assert page == evidence_page(text), "made from the JSON and nothing else"
    listing = (folder / "checksums.sha256").read_text(encoding="utf-8")
    assert "  evidence/evidence.html\n" in listing and read_release(folder).oddities == ()
    assert r.CHANNEL.label(channel) in page and "공격 13종, 발견 0건" in page
    assert all(name["ko"] in page for name in names["공격"].values())
    assert all(rule["owner"] in page and escape(rule["source"]) in page for rule in evidence["규칙"].values())
    assert all(sha in page for sha in evidence["파일 SHA-256"].values())
    for status in set(r.STATUS.codes) - {r.PUBLISHED}:
        cells = sum(cell["cells"] for cell in evidence["표별 셀 수"] if cell["status"] == status)
        assert f'<td>{r.STATUS.label(status)}</td><td class="n">{cells:,}</td>' in page
    assert all(f"{row['share']:.1%}" in page for row in evidence["유용성"]["published"])
    assert all(escape(term) in page for term in rules_of(channel).terms.ko)
    assert "생성" not in evidence, "no ledger was at hand"


def test_the_evidence_says_by_which_code_and_from_which_tables(
    tmp_path: Path, month: dict[str, pd.DataFrame], rules: ReleaseRules
) -> None:
    ledger = Ledger(str(tmp_path / "warehouse"))
    commit = Commit("gold.household_statistics", 7, 3)
    record = StepRecord("quality", "f", (commit,), 1.0, {"code_version": "abc123"})
    ledger.record(MONTH, record)
    ledger.publish(MONTH, [record])
    folder = made(tmp_path / "releases", month, rules, ledger=ledger)
    versions = json.loads((folder / "evidence" / "evidence.json").read_text(encoding="utf-8"))["생성"]
    assert versions == {"코드 버전": "abc123", "모형 버전": "unknown", "델타 버전": {"gold.household_statistics": 7}}
    page = (folder / "evidence" / "evidence.html").read_text(encoding="utf-8")
    assert "abc123" in page and "<code>gold.household_statistics</code> 7" in page
    assert Ledger(str(tmp_path / "another")).made_by(MONTH) is None


def test_the_warehouse_and_other_releases_widen_what_is_looked_at(clean: Released) -> None:
    def cells(release: Released, *history: Released, has_facts: bool = False) -> dict[str, int]:
        return looked_at(release, history=history, has_facts=has_facts).set_index("attack")["cells"].to_dict()

    alone, inside = cells(clean), cells(clean, has_facts=True)
    assert alone["P8"] == alone["P11"] == 0 < inside["P8"] < inside["P11"]
    campus = dataclasses.replace(clean, channel="campus")
    same, restated = cells(clean, campus), cells(clean, dataclasses.replace(campus, version=2))
    assert (same["P2"], restated["P2"]) == (2 * alone["P2"], alone["P2"])
    assert same["P6"] == restated["P6"] == alone["P13"] and alone["P6"] == 0
    assert same["P12"] > restated["P12"] == alone["P12"] > 0, "two tables print the same counts"
    assert cells(clean, dataclasses.replace(clean, month="2019-12"))["P6"] == 0


def test_utility_stands_in_evidence_and_readme(package: Path) -> None:
    useful = json.loads((package / "evidence" / "evidence.json").read_text(encoding="utf-8"))["유용성"]
    counts = pd.read_parquet(package / "data" / "household_breakdown.parquet").query("statistic == 'households'")
    by_dong = counts[(counts["region_level"] == "dong") & (counts["dwelling_type"] != "all")]
    said = [r for r in useful["published"] if (r["table"], r["ways"], r["level"]) == ("household_breakdown", 1, "dong")]
    assert [row["share"] for row in said] == [round((by_dong["status"] == r.PUBLISHED).mean(), 3)]
    assert all(row["mean_error"] is None for row in useful["dongs"]), "four dongs are too few to speak of their errors"
    assert "유용성 / Utility" in (package / "README.md").read_text(encoding="utf-8")
    assert any("household_breakdown" in line for line in summary(package))


def test_the_same_month_twice_gives_the_same_bytes(
    package: Path, tmp_path: Path, month: dict[str, pd.DataFrame], rules: ReleaseRules
) -> None:
    again = made(tmp_path, month, rules)
    files = sorted(path.relative_to(package) for path in package.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert [path for path in files if (package / path).read_bytes() != (again / path).read_bytes()] == []


def test_candidate_approval_restatement_withdrawal(tmp_path: Path, month: dict[str, pd.DataFrame], rules: ReleaseRules) -> None:
    first = made(tmp_path, month, rules)
    assert made(tmp_path, month, rules) == first, "a candidate that nobody approved is made anew"
    approve(first, approver="Kim", rules=rules)
    with pytest.raises(ReleaseNotReady):
        approve(first, approver="Kim", rules=rules)
    second = made(tmp_path, small_month(2, rules), rules)
    assert second.name == "202001-v2"
    withdraw(first, reason="restated", approver="Kim")
    assert verify_release(second, rules=rules).empty
    approve(second, approver="Lee", rules=rules)
    assert verify_release(second, rules=rules).empty
    lines = store_at(tmp_path).lines()
    assert [(line.id, line.state) for line in lines] == [
        ("202001-v1", r.CANDIDATE),
        ("202001-v1", r.CANDIDATE),
        ("202001-v1", r.APPROVED),
        ("202001-v1", r.IS_PUBLIC),
        ("202001-v2", r.CANDIDATE),
        ("202001-v1", r.WITHDRAWN),
        ("202001-v2", r.APPROVED),
        ("202001-v2", r.IS_PUBLIC),
    ]
    assert (lines[3].approver, lines[5].reason) == ("Kim", "restated")


def test_a_channel_whose_first_version_has_the_data_of_anothers_second_is_held_against_that(
    tmp_path: Path, month: dict[str, pd.DataFrame], rules: ReleaseRules
) -> None:
    restated, campus = small_month(2, rules), rules.model_copy(update={"channel": "campus"})
    for cells, data in ((month, "a"), (restated, "b")):
        approve(made(tmp_path, cells, rules, data=data), approver="Kim", rules=rules)
    with pytest.raises(DisclosureFound, match="P12"):  # by version numbers it would be held against the first
        made(tmp_path, restated, campus)
    folder = made(tmp_path, restated, campus, data="b")
    assert (folder.name, about_release(folder).edition) == ("202001-v1", 2)
    approve(folder, approver="Kim", rules=campus)
    assert [(line.channel, line.version, line.edition) for line in store_at(tmp_path).ever_public()] == [
        ("portal", 1, 1),
        ("portal", 2, 2),
        ("campus", 1, 2),
    ]
    assert made(tmp_path, month, campus, data="c").name == "202001-v2"
    assert [store_at(tmp_path).edition("202001", data) for data in ("a", "b", "c", "d", "")] == [1, 2, 3, 4, 0]
    assert "data_sha256" not in (folder / "datapackage.json").read_text(encoding="utf-8")


class _Tables:
    """As much of a warehouse as the hash of its data reads."""

    def __init__(self, spark: SparkSession, households: tuple[float, ...], *, partitions: int) -> None:
        self._spark, self._households, self._partitions = spark, households, partitions

    def read(self, table: Table, **_: object) -> DataFrame:
        count = "persons" if any(c.name == "persons" for c in table.columns) else "households"
        rows = ", ".join(f"({value}D, '{number}')" for number, value in enumerate(self._households))
        named = self._spark.sql(f"select * from values {rows} as t({count}, region_code)").repartition(self._partitions)
        return named.selectExpr(
            *(
                c.name if c.name in (count, "region_code") else f"cast(null as {c.spark_type.simpleString()}) as {c.name}"
                for c in table.columns
            )
        )


def test_the_same_rows_in_another_order_are_the_same_data(spark: SparkSession) -> None:
    def hashed(*households: float, partitions: int = 1) -> str:
        return data_hash(cast(Warehouse, _Tables(spark, households, partitions=partitions)), MONTH)

    assert hashed(1.5, 2.5, 3.5) == hashed(1.5, 2.5, 3.5, partitions=3)
    assert len({hashed(1.5, 2.5, 3.5), hashed(2.5, 1.5, 3.5), hashed(1.5, 2.5, 3.5000000001), hashed(1.5, 2.5)}) == 4


def test_a_hand_edited_file_is_not_published(tmp_path: Path, month: dict[str, pd.DataFrame], rules: ReleaseRules) -> None:
    folder = made(tmp_path, month, rules)
    file = folder / "data" / "household_statistics.csv"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("published", "publishes", 1), encoding="utf-8")
    with pytest.raises(ReleaseDamaged):
        approve(folder, approver="Kim", rules=rules)
    file.write_text(text, encoding="utf-8")
    (folder / "data" / "notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(ReleaseDamaged):
        approve(folder, approver="Kim", rules=rules)
    assert [line.state for line in store_at(tmp_path).lines()] == [r.CANDIDATE]


def test_edited_files_with_new_checksums_are_not_published_either(
    tmp_path: Path, month: dict[str, pd.DataFrame], rules: ReleaseRules
) -> None:
    folder = made(tmp_path, month, rules)
    listing = folder / "checksums.sha256"
    readme = folder / "README.md"
    old = hashlib.sha256(readme.read_bytes()).hexdigest()
    readme.write_text("other", encoding="utf-8")
    listing.write_text(listing.read_text().replace(old, hashlib.sha256(b"other").hexdigest()), encoding="utf-8")
    with pytest.raises(ReleaseDamaged, match="registered"):
        approve(folder, approver="Kim", rules=rules)


def _reworded(folder: Path, text: str) -> tuple[str, str]:
    """Change README and checksums; the SHA-256 of the checksums before and after."""
    listing, readme = folder / "checksums.sha256", folder / "README.md"
    old, before = (hashlib.sha256(file.read_bytes()).hexdigest() for file in (readme, listing))
    readme.write_text(text, encoding="utf-8")
    listing.write_text(listing.read_text().replace(old, hashlib.sha256(text.encode()).hexdigest()), encoding="utf-8")
    return before, hashlib.sha256(listing.read_bytes()).hexdigest()


def test_files_checksums_and_the_last_line_edited_together_are_not_published(
    tmp_path: Path, month: dict[str, pd.DataFrame], rules: ReleaseRules
) -> None:
    """Whoever forgets the line's own hash is found by the register, whoever makes that anew too by the ledger."""
    ledger, inside = Ledger(str(tmp_path / "warehouse")), Inside(month, None, pd.DataFrame())
    folder = made(tmp_path, month, rules, ledger=ledger)
    register = tmp_path / "register.jsonl"
    before, after = _reworded(folder, "other")
    register.write_text(register.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    with pytest.raises(ReleaseDamaged, match="line 1 was changed"):
        approve(folder, approver="Kim", rules=rules)
    line = json.loads(register.read_text(encoding="utf-8")) | {"line_sha256": ""}
    line["line_sha256"] = hashlib.sha256(json.dumps(line, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
    register.write_text(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    assert store_at(tmp_path).lines()[0].checksums_sha256 == after
    with pytest.raises(ReleaseDamaged, match="from this warehouse"):
        approve(folder, approver="Kim", rules=rules, ledger=ledger)
    with pytest.raises(ReleaseDamaged, match="from this warehouse"):
        approve(folder, approver="Kim", rules=rules, ledger=Ledger(str(tmp_path / "another")))
    folder = made(tmp_path, month, rules, ledger=ledger)
    approve(folder, approver="Kim", rules=rules, inside=inside, ledger=ledger)


def test_a_file_changed_while_it_is_attacked_is_not_published(
    tmp_path: Path, month: dict[str, pd.DataFrame], rules: ReleaseRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made(tmp_path, month, rules)

    def attacked(place: Path, **_: object) -> pd.DataFrame:
        _reworded(place, "other")
        return pd.DataFrame()

    monkeypatch.setattr("living_finance.steps.release.verify_release", attacked)
    with pytest.raises(ReleaseDamaged, match="while it is attacked"):
        approve(folder, approver="Kim", rules=rules)
    with pytest.raises(ReleaseDamaged, match="not what was registered"):
        store_at(tmp_path).register(channel="portal", release_id=folder.name, month="202001", version=1, state=r.APPROVED)
    assert [line.state for line in store_at(tmp_path).lines()] == [r.CANDIDATE]


def test_nothing_is_released_beside_a_public_release_that_was_changed(
    tmp_path: Path, month: dict[str, pd.DataFrame], rules: ReleaseRules
) -> None:
    """Less of what was public would mean fewer attacks; a withdrawal does not make a changed one the public one."""
    first = made(tmp_path, month, rules)
    approve(first, approver="Kim", rules=rules)
    second = made(tmp_path, small_month(2, rules), rules)
    _reworded(first, "other")
    for step in range(2):
        with pytest.raises(ReleaseDamaged, match="it was public"):
            approve(second, approver="Kim", rules=rules)
        with pytest.raises(ReleaseDamaged, match="it was public"):
            made(tmp_path, small_month(2, rules), rules)
        if not step:
            withdraw(first, reason="changed", approver="Kim")


def test_approval_attacks_with_what_the_warehouse_knows(
    tmp_path: Path, month: dict[str, pd.DataFrame], rules: ReleaseRules
) -> None:
    folder = made(tmp_path, month, rules)
    another = Inside(small_month(2, rules), None, pd.DataFrame())
    with pytest.raises(DisclosureFound, match="P11"):
        approve(folder, approver="Kim", rules=rules, inside=another)
    approve(folder, approver="Kim", rules=rules, inside=Inside(month, None, pd.DataFrame()))


def test_a_copy_of_any_name_is_attacked_and_its_history_is_missing(
    tmp_path: Path, month: dict[str, pd.DataFrame], rules: ReleaseRules
) -> None:
    first = made(tmp_path / "releases", month, rules)
    approve(first, approver="Kim", rules=rules)
    copy = tmp_path / "elsewhere" / "deep" / "what came by mail"
    shutil.copytree(first, copy)
    assert (has_history(first), has_history(copy)) == (True, False)
    about = about_release(copy)
    assert (about.channel, about.month, about.release_id) == ("portal", "202001", "202001-v1")
    assert verify_release(copy, rules=rules).empty
    beside = first.with_name("renamed")
    shutil.copytree(first, beside)
    assert has_history(beside) and verify_release(beside, rules=rules).empty, "it is no other release than itself"
    with pytest.raises(ReleaseDamaged, match="registered"):
        approve(beside, approver="Kim", rules=rules)
    (copy / "data" / "household_statistics.csv").write_text("x", encoding="utf-8")
    with pytest.raises(ReleaseDamaged):
        verify_release(copy, rules=rules)
    with pytest.raises(MissingInput):
        about_release(tmp_path)


def test_the_commands_take_copies_and_the_warehouse(
    tmp_path: Path,
    month: dict[str, pd.DataFrame],
    rules: ReleaseRules,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    inside, warehouse = Inside(month, None, pd.DataFrame()), tmp_path / "warehouse"
    monkeypatch.setattr("living_finance.cli.releases._inside", lambda *_: inside)
    folder = made(tmp_path / "releases", month, rules, ledger=Ledger(str(warehouse)))
    copy = tmp_path / "elsewhere" / "deep" / "a copy"
    shutil.copytree(folder, copy)
    app(["verify-release", str(copy), "--warehouse", str(warehouse)], standalone_mode=False)
    assert "history     none" in capsys.readouterr().err
    app(["verify-release", str(folder)], standalone_mode=False)
    assert "history     none" not in capsys.readouterr().err
    approval = ["approve", str(folder), "--approver", "Kim", "--warehouse"]
    with pytest.raises(ReleaseDamaged, match="from this warehouse"):
        app([*approval, str(tmp_path / "another")], standalone_mode=False)
    app([*approval, str(warehouse)], standalone_mode=False)
    assert store_at(tmp_path / "releases").lines()[-1].state == r.IS_PUBLIC
    capsys.readouterr()
    app(["releases", str(tmp_path / "releases")], standalone_mode=False)
    told = capsys.readouterr().out
    assert all(word in told for word in ("202001-v1", "Kim", "✓")) and "changed" not in told
    _reworded(folder, "other")
    with pytest.raises(ReleaseDamaged, match="restore it from a copy"):
        app(["releases", str(tmp_path / "releases")], standalone_mode=False)
    assert "changed" in capsys.readouterr().out, "the list is there all the same"


@pytest.mark.parametrize(
    "change",
    [
        lambda ls: ls[1:],
        lambda ls: [ls[0].replace("Kim", "Lee"), *ls[1:]],
        lambda ls: [*ls[:-1], ls[-1].replace("Kim", "Lee")],
        lambda ls: [*ls[:-1], ls[-1].replace('"line_sha256"', '"reason"')],
        lambda ls: ["{}", *ls],
    ],
)
def test_a_register_that_was_edited_is_refused(
    tmp_path: Path, month: dict[str, pd.DataFrame], rules: ReleaseRules, change: object
) -> None:
    store = store_at(tmp_path)
    folder = tmp_path / "portal" / "202001-v1"
    folder.mkdir(parents=True)
    (folder / "checksums.sha256").write_text("x", encoding="utf-8")
    about = {"channel": "portal", "release_id": "202001-v1", "month": "202001", "version": 1}
    for state in (r.CANDIDATE, r.APPROVED, r.IS_PUBLIC):
        store.register(**about, state=state, approver="Kim")  # type: ignore[arg-type]
    file = tmp_path / "register.jsonl"
    assert callable(change)
    file.write_text("\n".join(change(file.read_text(encoding="utf-8").splitlines())) + "\n", encoding="utf-8")
    with pytest.raises(ReleaseDamaged):
        store.lines()


def test_a_candidate_that_leaks_is_refused_and_nothing_is_left(
    tmp_path: Path, month: dict[str, pd.DataFrame], rules: ReleaseRules
) -> None:
    weak = rules.parameters.model_copy(update={"count_base": rules.parameters.count_base.model_copy(update={"value": 1})})
    with pytest.raises(DisclosureFound):
        made(tmp_path, month, rules.model_copy(update={"parameters": weak}))
    assert not (tmp_path / "portal").exists()
    assert store_at(tmp_path).lines() == []
    findings = pd.read_csv(tmp_path / "_refused" / "portal" / "202001-v1" / "findings.csv")
    assert "P5" in set(findings["attack"])


@pytest.mark.parametrize(
    "text", ["=A1", "+1", "-1", "@x", "＝A1", "＋1", "－1", "＠x", "\tx", "\rx", "\nx", "  =A1", "\u3000＝1", " \n동"]
)
def test_formulas_become_text(text: str) -> None:
    assert neutralised(text) == f"'{text}"


@pytest.mark.parametrize("text", ["동", " 동", "a=1", "1-1", "", "종로1·2·3·4가동"])
def test_other_texts_stay(text: str) -> None:
    assert neutralised(text) == text


def test_negative_numbers_stay_numbers(rules: ReleaseRules, month: dict[str, pd.DataFrame]) -> None:
    rows = protect(month, rules=rules).tables["household_statistics"].assign(value=-5.0)
    name = ReleaseName("portal", MONTH, 1)
    table = release_table(rows, source="household_statistics", regions=regions_of(month), name=name)
    assert (table["value"] == -5.0).all()
