"""Folders, register, approval: what is written, and that nothing gets past the gate."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import frictionless
import pandas as pd
import pytest
import rdflib
from cubes import regions_of, small_month

from living_finance.contracts import releases as r
from living_finance.errors import DisclosureFound, ReleaseDamaged, ReleaseNotReady
from living_finance.months import Month
from living_finance.release.package import neutralised
from living_finance.release.rules import ReleaseRules
from living_finance.steps.release import approve, release_cells, summary, verify_release, withdraw
from living_finance.storage.releases import ReleaseStore

MONTH = Month(2020, 1)


def store_at(root: Path) -> ReleaseStore:
    return ReleaseStore(root, clock=lambda: "2020-02-20T00:00:00+00:00")


def made(root: Path, cells: dict[str, pd.DataFrame], rules: ReleaseRules) -> Path:
    return release_cells(cells, regions=regions_of(cells), month=MONTH, rules=rules, store=store_at(root))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, month: dict[str, pd.DataFrame], rules: ReleaseRules) -> Path:
    return made(tmp_path_factory.mktemp("releases"), month, rules)


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
    described = frictionless.Package.from_descriptor(
        json.loads((package / "datapackage.json").read_text(encoding="utf-8")), basepath=str(package)
    )
    for resource in described.resources:
        if resource.format == "csv":
            report = resource.validate()
            assert report.valid, report.flatten(["type", "message"])[:3]
    names = {resource["name"] for resource in json.loads((package / "datapackage.json").read_text(encoding="utf-8"))["resources"]}
    assert {"household-statistics", "household-statistics-parquet"} <= names


def test_dcat_is_json_ld_and_lists_every_file(package: Path) -> None:
    graph = rdflib.Graph().parse(package / "dcat.jsonld", format="json-ld")
    titles = {str(title) for title in graph.objects(None, rdflib.DCTERMS.title)}
    assert {path.relative_to(package).as_posix() for path in (package / "data").iterdir()} <= titles


def test_evidence_and_package_hold_neither_p_nor_true_counts(package: Path, month: dict[str, pd.DataFrame]) -> None:
    documents = "".join(
        (package / name).read_text(encoding="utf-8")
        for name in ("datapackage.json", "dcat.jsonld", "README.md", "evidence/evidence.json")
    )
    assert "dominance_percent" not in documents
    evidence = json.loads((package / "evidence" / "evidence.json").read_text(encoding="utf-8"))
    assert set(evidence["공격별 발견 건수"].values()) == {0}
    assert evidence["셀 수"]["처리 후"] < evidence["셀 수"]["처리 전"]
    exact = month["household_statistics"]["households"]
    assert not any(f"{value:.4f}" in documents for value in exact[exact % 1 > 0])


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


@pytest.mark.parametrize("change", [lambda ls: ls[1:], lambda ls: [ls[0].replace("Kim", "Lee"), *ls[1:]], lambda ls: ["{}", *ls]])
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


def test_formulas_become_text() -> None:
    assert [neutralised(text) for text in ("=A1", "+1", "-1", "@x", "\tx", "동")] == ["'=A1", "'+1", "'-1", "'@x", "'\tx", "동"]
