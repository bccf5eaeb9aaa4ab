"""Zeros where nobody can be: printed with their evidence, known to whoever looks it up, refused where they are false."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import frictionless
import pandas as pd
import pytest
from cubes import (
    ABSENT,
    SIGNED,
    cells_of_people,
    earlier_of,
    evidence_of,
    people_of,
    portal_rules,
    regions_of,
    register_of,
    released,
    typed_month,
)
from test_protect import attacked_by_another_program

from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.errors import ConfigurationError, ReleaseDamaged
from living_finance.months import Month
from living_finance.release.protect import Protected, protect
from living_finance.release.rules import ReleaseRules, read_rules
from living_finance.release.structural import without_buildings
from living_finance.release.verify import Released, verify
from living_finance.steps.release import Inside, approve, release_cells, verify_release
from living_finance.storage.releases import ReleaseStore, check_hashes, read_release

BREAKDOWN = "household_breakdown"
CATEGORIES_OF = list(r.DIMENSIONS[BREAKDOWN])
Typed = tuple[dict[str, pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def typed(rules: ReleaseRules) -> Typed:
    return typed_month(1, rules)


@pytest.fixture(scope="module")
def protected(typed: Typed, rules: ReleaseRules) -> Protected:
    cells, buildings = typed
    return protect(cells, rules=rules, evidence=evidence_of(buildings, cells))


def counts_of(protected: Protected) -> pd.DataFrame:
    """Counts by region and dwelling type."""
    table = protected.tables[BREAKDOWN]
    return table[table["statistic"] == "households"].set_index(["region_code", "dwelling_type"])


def pairs_of(zeros: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(zeros["region_code"], zeros["category"], strict=True))


def test_what_the_register_has_none_of_by_region() -> None:
    types = pd.DataFrame(
        [("11010500001", "1101050", "detached"), ("11010510001", "1101051", "apartment"), ("11020500001", "1102050", "detached")],
        columns=["output_area_id", "dong_code", "dwelling_type"],
    )
    regions = pd.DataFrame(
        [
            ("city", "11"),
            ("gu", "11010"),
            ("gu", "11020"),
            ("dong", "1101050"),
            ("dong", "1101052"),
            ("output_area", "11010500001"),
            ("output_area", "11010500002"),
        ],
        columns=["region_level", "region_code"],
    )
    found = without_buildings(types, regions=regions)
    assert list(found.columns) == list(r.ZERO_KEY)
    others = set(codes.DWELLING_TYPE.codes) - {"detached", "apartment"}
    by_region = found.groupby("region_code")["category"].agg(set).to_dict()
    assert by_region == {
        "11": others,
        "11010": others,
        "11020": others | {"apartment"},
        "1101050": others | {"apartment"},
        "11010500001": others | {"apartment"},
    }, "of a region without any building the register says nothing"


def test_zeros_are_printed_where_the_register_has_no_building_and_nowhere_else(protected: Protected) -> None:
    counts = counts_of(protected)
    for dong, types in ABSENT.items():
        for name in types:
            is_built = (dong, name) == ("1102051", "row_house")
            assert counts.loc[(dong, name), "status"] == (r.SMALL if is_built else r.PUBLISHED)
            assert is_built or counts.loc[(dong, name), "value"] == 0
    assert counts.loc[("11010", "row_house"), "value"] == 0, "in none of its dongs"
    zeros = counts[counts["value"] == 0]
    assert pairs_of(protected.zeros) == set(zeros.index)


def test_where_somebody_is_there_is_no_structural_zero(typed: Typed, protected: Protected, rules: ReleaseRules) -> None:
    cells, buildings = typed
    shown = counts_of(protected).query("region_level == 'dong' and status == 'published' and value > 0")
    dong, name = next((d, t) for d, t in shown.index if t not in ("all", "apartment"))
    gone = buildings[~((buildings["dong_code"] == dong) & (buildings["dwelling_type"] == name))]
    evidence = evidence_of(gone, cells)
    assert (dong, name) in pairs_of(evidence)
    again = protect(cells, rules=rules, evidence=evidence)
    assert (dong, name) not in pairs_of(again.zeros)
    pd.testing.assert_frame_equal(again.tables[BREAKDOWN], protected.tables[BREAKDOWN])


def test_who_can_live_in_one_type_only_gives_nothing_away(typed: Typed, protected: Protected, rules: ReleaseRules) -> None:
    cells, buildings = typed
    row = counts_of(protected).loc["1101050"]
    assert row.loc["apartment", "status"] == r.PUBLISHED and row.loc["apartment", "value"] == row.loc["all", "value"]
    built = pd.DataFrame([("11010500001", "1101050", "row_house")], columns=buildings.columns)
    evidence = evidence_of(pd.concat([buildings, built]), cells)
    release = released(protected, cells, rules)
    found = verify(release, signed=SIGNED, facts=cells, buildings=pd.concat([buildings, built]))
    assert {"listed as a zero, but there are such buildings"} <= set(found["what"])
    assert ("1101050", "row_house") not in pairs_of(evidence)


def test_a_listed_zero_where_somebody_lives_is_found(typed: Typed, protected: Protected, rules: ReleaseRules) -> None:
    """The register misses a building; with what only the warehouse knows the list is wrong all the same."""
    cells, buildings = typed
    release = released(protected, cells, rules)
    listed = release.zeros[(release.zeros["region_level"] == "dong") & (release.zeros["dimension"] == "dwelling_type")].iloc[0]
    breakdown = cells[BREAKDOWN]
    whole = breakdown[(breakdown["region_code"] == listed["region_code"]) & (breakdown[CATEGORIES_OF].eq("all").all(axis=1))]
    lived_in = whole.assign(dwelling_type=listed["category"], households=1.0, households_unweighted=1)
    facts = cells | {BREAKDOWN: pd.concat([breakdown, lived_in], ignore_index=True)}
    found = verify(release, signed=SIGNED, facts=facts, buildings=buildings)
    assert "listed as a zero, but somebody is there" in set(found["what"])
    assert "listed as a zero, but somebody is there" not in set(
        verify(release, signed=SIGNED, facts=cells, buildings=buildings)["what"]
    )


def test_shares_by_type_are_published_beside_types_that_are_not_there(protected: Protected) -> None:
    """Of nobody there is no share: an earlier protection withheld the whole row for it."""
    table = protected.tables[BREAKDOWN].query("statistic == 'share_with_debt' and dwelling_type != 'all'")
    status = table.set_index(["region_code", "dwelling_type"])["status"]
    assert status["1101050", "apartment"] == r.PUBLISHED
    assert status["1101050", "row_house"] == r.SMALL


@pytest.mark.parametrize("seed", range(10))
def test_clean_releases_with_lists_pass_with_and_without_the_warehouse(rules: ReleaseRules, seed: int) -> None:
    cells, buildings = typed_month(200 + seed, rules)
    release = released(protect(cells, rules=rules, evidence=evidence_of(buildings, cells)), cells, rules)
    assert len(release.zeros) > 10
    for inside in ({}, {"facts": cells, "buildings": buildings}):
        findings = verify(release, signed=SIGNED, **inside)
        assert findings.empty, findings.to_string()


def test_another_linear_program_that_knows_the_register_recovers_nothing(
    typed: Typed, protected: Protected, rules: ReleaseRules
) -> None:
    widths = attacked_by_another_program(released(protected, typed[0], rules), "households", 2.5)
    primaries = [width for name, width in widths.items() if name[0] == r.SMALL]
    assert len(primaries) > 40
    assert all(width >= 10 - 1e-4 for width in primaries)


def few_detached(rules: ReleaseRules) -> Typed:
    """A dong with eight households in detached houses, all others in apartments, and no other building."""
    households, persons = people_of(seed=3, districts=2, dongs=3, areas=3, per_area=50)
    of_dong = households.index[households["area"].str[:7] == "1101050"]
    households.loc[of_dong, "dwelling_type"] = "apartment"
    households.loc[of_dong[:8], "dwelling_type"] = "detached"
    return cells_of_people((households, persons), rules), register_of(households)


def test_small_counts_do_not_hide_behind_zeros_that_everybody_knows(rules: ReleaseRules) -> None:
    """Without evidence zeros are withheld and seem to hide the eight; with the register they are zeros, and eight is narrow."""
    cells, buildings = few_detached(rules)
    naive = released(protect(cells, rules=rules), cells, rules)
    assert verify(naive, signed=SIGNED, facts=cells).empty
    found = verify(naive, signed=SIGNED, facts=cells, buildings=buildings)
    assert set(found["attack"]) == {"P11"}
    assert any("1101050 dwelling_type=detached" in cell for cell in found["cell"])
    aware = released(protect(cells, rules=rules, evidence=evidence_of(buildings, cells)), cells, rules)
    assert verify(aware, signed=SIGNED, facts=cells, buildings=buildings).empty


def test_evidence_that_nobody_signed_protects_but_prints_nothing(rules: ReleaseRules) -> None:
    cells, buildings = few_detached(rules)
    whole = tuple(zero for zero in rules.structural_zeros if zero.evidence is None)
    protected = protect(cells, rules=rules.model_copy(update={"structural_zeros": whole}), evidence=evidence_of(buildings, cells))
    assert protected.zeros.empty
    assert set(counts_of(protected).query("value == 0").index.get_level_values("dwelling_type")) == {"non_residential"}
    unsigned = replace(SIGNED, evidence=frozenset())
    for inside in ({}, {"facts": cells, "buildings": buildings}):
        findings = verify(released(protected, cells, rules), signed=unsigned, **inside)
        assert findings.empty, findings.to_string()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_withheld_in_the_month_stays_so_when_it_becomes_structural(rules: ReleaseRules, seed: int) -> None:
    """First the register had a building of every type in all dongs but one."""
    cells, buildings = typed_month(seed, rules)
    evidence = evidence_of(buildings, cells)
    before = protect(cells, rules=rules, evidence=evidence[evidence["region_code"] == "1101050"])
    first = released(before, cells, rules)
    again = protect(cells, rules=rules, evidence=evidence, earlier=earlier_of(first, is_same_data=False))
    second = released(again, cells, rules, version=2)
    was, now = counts_of(before)["status"], counts_of(again)["status"]
    assert (now[was != r.PUBLISHED] != r.PUBLISHED).all()
    assert now["1101051", "row_house"] == r.SECONDARY and ("1101051", "row_house") in pairs_of(evidence)
    assert pairs_of(again.zeros) == pairs_of(before.zeros) | {pair for pair in pairs_of(evidence) if pair[1] == "non_residential"}
    for inside in ({}, {"facts": cells, "buildings": buildings}):
        findings = verify(second, history=[first], signed=SIGNED, **inside)
        assert findings.empty, findings.to_string()
    open_again = released(protect(cells, rules=rules, evidence=evidence), cells, rules, version=2)
    assert "P6" in set(verify(open_again, history=[first], signed=SIGNED)["attack"]), "the rule is needed"


def test_the_other_channel_shows_the_same_zeros(rules: ReleaseRules, typed: Typed, protected: Protected) -> None:
    cells, buildings = typed
    portal, campus_rules = released(protected, cells, rules), rules.model_copy(update={"channel": "campus"})
    again = protect(
        cells,
        rules=campus_rules,
        earlier=earlier_of(portal, is_same_data=True),
        evidence=evidence_of(buildings, cells),
    )
    pd.testing.assert_frame_equal(again.zeros, protected.zeros)
    campus = released(again, cells, campus_rules)
    assert verify(campus, history=[portal], signed=SIGNED, facts=cells, buildings=buildings).empty


def test_other_months_have_their_own_lists(rules: ReleaseRules, typed: Typed, protected: Protected) -> None:
    """A building goes up: next month the zero is no longer structural, and the month before says nothing against it."""
    cells, buildings = typed
    built = pd.concat(
        [buildings, pd.DataFrame([("11010510001", "1101051", "row_house")], columns=buildings.columns)], ignore_index=True
    )
    later = protect(cells, rules=rules, evidence=evidence_of(built, cells))
    assert counts_of(later)["status"]["1101051", "row_house"] == r.SMALL
    second = released(later, cells, rules, month="202002")
    assert verify(second, history=[released(protected, cells, rules)], signed=SIGNED, facts=cells, buildings=built).empty


MONTH = Month(2020, 1)


@pytest.fixture
def package(tmp_path: Path, typed: Typed, rules: ReleaseRules) -> Path:
    cells, buildings = typed
    store = ReleaseStore(tmp_path, clock=lambda: "2020-02-20T00:00:00+00:00")
    return release_cells(cells, regions=regions_of(cells), month=MONTH, rules=rules, store=store, buildings=buildings)


def test_the_list_is_part_of_the_package(package: Path, typed: Typed, rules: ReleaseRules, protected: Protected) -> None:
    cells, buildings = typed
    path = f"data/{r.STRUCTURAL_ZEROS}.csv"
    listed = pd.read_csv(package / path, dtype=str, encoding="utf-8-sig")
    assert tuple(listed.columns) == r.ZERO_COLUMNS
    pd.testing.assert_frame_equal(listed[list(r.ZERO_KEY)], protected.zeros, check_dtype=False)
    row = listed.query("region_code == '11010' and category == 'row_house'").iloc[0]
    assert (row["category_ko"], row["category_en"], row["evidence"]) == ("연립주택", "row house", "buildings")
    assert path in (package / "checksums.sha256").read_text(encoding="utf-8")
    described = json.loads((package / "datapackage.json").read_text(encoding="utf-8"))
    resource = next(found for found in described["resources"] if found["path"] == path)
    assert "구조적 0" in resource["title"]
    assert {field["title"] for field in resource["schema"]["fields"]} >= {"근거 / evidence", "구분(한글) / category, Korean"}
    assert (
        frictionless.Package.from_descriptor(described, basepath=str(package)).get_resource("structural-zeros").validate().valid
    )
    readme = (package / "README.md").read_text(encoding="utf-8")
    assert readme.count(path) == 3, "in the listing, in Korean and in English"
    pack = json.loads((package / "evidence" / "evidence.json").read_text(encoding="utf-8"))
    assert {zero.get("evidence") for zero in pack["구조적 0"]} == {None, "buildings"}
    shares = {(row["table"], row["ways"], row["level"]): row for row in pack["유용성"]["published"]}
    of_dongs = listed.query("region_level == 'dong'")
    assert shares[BREAKDOWN, 1, "dong"]["zeros"] == round(len(of_dongs) / (4 * 8), 3) < shares[BREAKDOWN, 1, "dong"]["share"]
    inside = Inside(cells, buildings, pd.DataFrame())
    assert verify_release(package, rules=rules).empty
    assert verify_release(package, rules=rules, inside=inside).empty
    approve(package, approver="Kim", rules=rules)


def edited(package: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """The list in both formats, other rows; the hashes stay those of the old."""
    for kind in ("csv", "parquet"):
        file = package / f"data/{r.STRUCTURAL_ZEROS}.{kind}"
        frame = change(pd.read_parquet(package / f"data/{r.STRUCTURAL_ZEROS}.parquet"))
        if kind == "csv":
            frame.to_csv(file, index=False, encoding="utf-8-sig", lineterminator="\n")
        else:
            frame.to_parquet(file, index=False)


@pytest.mark.parametrize(
    "change",
    [lambda f: f.iloc[1:], lambda f: f.assign(category=f["category"].replace("detached", "apartment"))],
    ids=["row less", "other category"],
)
def test_an_edited_list_breaks_the_chain_of_hashes(
    package: Path, rules: ReleaseRules, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    edited(package, change)
    for attempt in (verify_release, lambda folder, rules: approve(folder, approver="Kim", rules=rules)):
        with pytest.raises(ReleaseDamaged, match=r.STRUCTURAL_ZEROS):
            attempt(package, rules=rules)


def test_a_list_whose_formats_differ_or_that_is_gone_is_found(package: Path, rules: ReleaseRules) -> None:
    check_hashes(package)
    file = package / f"data/{r.STRUCTURAL_ZEROS}.csv"
    file.write_text(file.read_text(encoding="utf-8-sig").replace("row_house", "apartment", 1), encoding="utf-8-sig")
    assert any("differ" in oddity for oddity in read_release(package).oddities)
    (package / f"data/{r.STRUCTURAL_ZEROS}.parquet").unlink()
    stored = read_release(package)
    assert stored.zeros.empty and any("belongs to no release" in oddity for oddity in stored.oddities)
    bare = Released(stored.release_id, stored.channel, stored.month, stored.version, stored.tables)
    assert "P9" in set(verify(bare, signed=SIGNED)["attack"])


@pytest.mark.parametrize(
    "change",
    [
        ("    evidence: buildings", "    category: apartment\n    evidence: buildings"),
        ("    evidence: buildings", "    evidence: hearsay"),
        ("    evidence: buildings", "    # nothing"),
        ("    dimension: dwelling_type\n    evidence", "    dimension: tenure\n    evidence"),
        ("    dimension: dwelling_type\n    category", "    dimension: dwelling\n    category"),
    ],
)
def test_wrong_evidence_in_rules_is_refused(change: tuple[str, str]) -> None:
    text = (Path(__file__).parents[2] / "conf" / "release" / "portal.yaml").read_text(encoding="utf-8")
    assert change[0] in text
    with pytest.raises(ConfigurationError):
        read_rules(text.replace(*change, 1), name="x")
    assert portal_rules().with_evidence(BREAKDOWN) == ("dwelling_type",)
    assert portal_rules().signed_categories(BREAKDOWN, "dwelling_type") == {"non_residential"}
