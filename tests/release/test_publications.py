"""Report and maps of a release: made of its own cells, and every planted leak in them is found."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import frictionless
import pandas as pd
import pytest
from cubes import regions_of
from fontTools.ttLib import TTFont

from living_finance.contracts import publications as p
from living_finance.contracts import releases as r
from living_finance.contracts.language import IN_DEVELOPMENT, Language, Words
from living_finance.errors import ConfigurationError, DisclosureFound, ReleaseDamaged
from living_finance.months import Month
from living_finance.release.rules import ReleaseRules
from living_finance.release.verify import Released
from living_finance.release.verify_publications import verify_publications
from living_finance.reports.fonts import made_anew, public_fonts
from living_finance.reports.public import public_map, public_report
from living_finance.steps import release as steps
from living_finance.steps import report as report_step
from living_finance.steps.release import approve, release_cells, verify_release
from living_finance.storage.releases import ReleaseStore, write_approval

Files = dict[str, str]
KOREAN, ENGLISH, GU, DONG = *p.REPORTS, *p.MAPS
ABOUT = p.About(
    month="2020-01",
    release="portal 202001-v1",
    model="joint-assignment/dc618018b752, living-finance-income/1/f2288e1e6d62",
    publisher=Words(ko="서울특별시", en="Seoul Metropolitan Government"),
    licence="KOGL-1.0",
    licence_url="https://www.kogl.or.kr/info/license.do",
)


def square(number: int) -> list[list[float]]:
    west = 126.9 + number / 100
    ring = [(west, 37.5), (west + 0.01, 37.5), (west + 0.01, 37.51), (west, 37.51), (west, 37.5)]
    return [[round(x, 5), y] for x, y in ring]


def outlines(clean: Released, level: str) -> list[dict[str, object]]:
    found = sorted(clean.tables["household_statistics"].query("region_level == @level")["region_code"].unique())
    return [
        {
            "type": "Feature",
            "properties": {"region_code": code},
            "geometry": {"type": "Polygon", "coordinates": [square(number)]},
        }
        for number, code in enumerate(found)
    ]


@pytest.fixture(scope="module")
def tables(clean: Released) -> Mapping[str, pd.DataFrame]:
    """With one dong whose median is withheld, and one to be used with caution."""
    frame = clean.tables["household_statistics"].copy()
    whole = (frame["head_sex"] == "all") & (frame["household_type"] == "all") & (frame["region_level"] == "dong")
    medians = frame.index[whole & frame["statistic"].str.startswith("median")]
    frame.loc[medians[0], ["value", "status", "reliability"]] = [None, r.SMALL, None]
    frame.loc[medians[1], "reliability"] = "caution"
    return {**clean.tables, "household_statistics": frame}


@pytest.fixture(scope="module")
def files(clean: Released, tables: Mapping[str, pd.DataFrame]) -> Files:
    boundaries = {level: outlines(clean, level) for level in ("gu", "dong")}
    reports = {
        path: public_report(tables, about=ABOUT, language=language, boundaries=boundaries) for path, language in p.REPORTS.items()
    }
    maps = {path: public_map(tables, about=ABOUT, level=level, boundaries=boundaries[level]) for path, level in p.MAPS.items()}
    return reports | maps


def attacks(files: Files, tables: Mapping[str, pd.DataFrame]) -> set[str]:
    return {attack for attack, *_ in verify_publications(files, tables=tables, about=ABOUT)}


def test_a_report_of_published_cells_passes_and_says_what_it_is(files: Files, tables: Mapping[str, pd.DataFrame]) -> None:
    assert verify_publications(files, tables=tables, about=ABOUT) == []
    for path, language in p.REPORTS.items():
        text = files[path]
        for said in (IN_DEVELOPMENT, p.MARKING, p.SOURCES, p.BOUNDARIES, *(table.title for table in p.TABLES[:3])):
            assert said.of(language) in text
        assert ABOUT.month in text and ABOUT.model in text and ABOUT.licence_url in text
        assert "<script" not in text and text.count("http") == 1, "nothing is fetched from anywhere"
        assert text.count("<figure") == len(p.MAPPED)
        assert " *</data>" in text
        assert text.count("@font-face") == 2 and len(text) < 1_500_000
    withheld = tables["household_statistics"].query("status != 'published' and region_level == 'dong'")["region_code"].iloc[0]
    cell = f'data-cell="household_statistics {withheld} median_total_income_krw_year"'
    assert f'<data value="" {cell}>–</data>' in files[KOREAN] and f'class="none" {cell}' in files[KOREAN]
    shown = {f["properties"]["region_code"]: f["properties"] for f in json.loads(files[DONG])["features"]}
    assert shown[withheld]["median_total_income_krw_year"] is None
    assert json.loads(files[GU])["notice_ko"] == IN_DEVELOPMENT.ko


@pytest.mark.parametrize("language", p.LANGUAGES)
def test_fonts_are_the_contracts_and_parts_of_the_installed_ones(language: Language) -> None:
    fonts, again = public_fonts(language), made_anew(language)
    assert {weight: hashlib.sha256(font).hexdigest() for weight, font in fonts.items()} == p.FONTS[language]
    for weight, content in fonts.items():
        font, installed = (TTFont(io.BytesIO(file)) for file in (content, again[weight]))
        kept, made = ({t: f.getTableData(t) for t in f.reader.keys() - {"head"}} for f in (font, installed))
        assert kept == made
        texts = "".join(p.known_texts(ABOUT, language))
        assert set(texts) <= set(map(chr, font.getBestCmap())), "contract's texts are all in the font"


def test_every_figure_of_the_city_stands_in_the_report(files: Files, tables: Mapping[str, pd.DataFrame]) -> None:
    frame = tables["household_statistics"]
    city = frame[(frame["region_level"] == "city") & (frame["head_sex"] == "all") & (frame["household_type"] == "all")]
    shown = city[city["statistic"].isin(p.MAP_STATISTICS)]
    assert len(shown) >= 5
    for row in shown.itertuples():
        assert f'<data value="{row.value:.12g}" data-cell="household_statistics 11 {row.statistic}">' in files[ENGLISH]


def _planted(files: Files, tables: Mapping[str, pd.DataFrame]) -> list[tuple[str, Files]]:
    """(attack, files with a leak)"""
    html = files[KOREAN]
    key = "household_statistics 11 households"
    city = tables["household_statistics"].query(
        "region_level == 'city' and statistic == 'households' and head_sex == 'all' and household_type == 'all'"
    )
    value = int(city["value"].item())
    published = f'<data value="{value}" data-cell="{key}">{value:,}</data>'
    withheld = html[html.index('<data value="" data-cell=') :].split("</data>")[0] + "</data>"
    hidden = withheld.split('data-cell="')[1].split('"')[0]
    colour = 'class="none" data-cell='
    assert published in html and colour in html

    def swap(old: str, new: str, *, path: str = KOREAN) -> Files:
        assert old in files[path], old
        return files | {path: files[path].replace(old, new, 1)}

    def edited(change: Callable[[dict[str, object], dict[str, object]], object], *, path: str = DONG) -> Files:
        collection = json.loads(files[path])
        change(collection, collection["features"][0])
        return files | {path: json.dumps(collection)}

    def of(feature: dict[str, object]) -> dict[str, object]:
        properties = feature["properties"]
        assert isinstance(properties, dict)
        return properties

    face = html[html.index("@font-face") :].split("\n")[0]
    font = face.split("base64,")[1].split(")")[0]
    content = base64.b64decode(font)
    bit = content[:200_000] + bytes([content[200_000] ^ 1]) + content[200_001:]
    padded = font.rstrip("=")
    assert len(content) > 200_001 and padded != font, "bits behind the last byte are there to hide in"
    loose = padded[:-1] + chr(ord(padded[-1]) + 1) + font[len(padded) :]
    assert base64.b64decode(loose) == content != bit

    median = "median_total_income_krw_year"
    return [
        ("P13", swap(font, base64.b64encode(bit).decode())),
        ("P13", swap(font, base64.b64encode(content + b"7").decode())),
        ("P13", swap(font, loose)),
        ("P13", swap(face, f"{face}\n{face}")),
        ("P13", swap(face, face.replace("400", "437"))),
        ("P13", swap(f"{face}\n", "")),
        ("P13", swap("</style>", "</style><style></style>")),
        ("P12", swap(published, published.replace(f">{value:,}<", f">{value + 5:,}<"))),
        ("P12", swap(published, published.replace(f'"{value}"', f'"{value}.37"'))),
        ("P12", swap(published, published.replace(f">{value:,}<", f">{value:,}.4<"))),
        ("P13", swap(published, published.replace(f">{value:,}<", f">{value:,}<span>7</span><"))),
        ("P13", swap(published, published.replace(key, "household_statistics 11 households_unweighted"))),
        ("P13", swap(withheld, withheld.replace("–", "7"))),
        ("P13", swap(withheld, withheld.replace('value=""', 'value="7"'))),
        ("P13", swap(withheld, f'{withheld}<span data-cell="{hidden}">공표 가능</span>')),
        ("P13", swap(colour, 'class="c1" data-cell=')),
        ("P13", swap('class="line"', 'class="c1"')),
        ("P13", swap('class="c0" data-cell=', 'class="c2" data-cell=')),
        ("P13", swap("<main>", "<main><p>종로구의 7가구</p>")),
        ("P13", swap("<main>", '<main><p class="unit" title="7">가구</p>')),
        ("P13", swap("<main>", '<main><p class="k7">가구</p>')),
        ("P13", swap("<main>", "<main><!-- 7 -->")),
        ("P13", swap("<main>", "<main><?x 7?>")),
        ("P13", swap("<main>", "<main><script>7</script>")),
        ("P13", swap("<main>", '<main><img src="https://x/7">')),
        ("P13", swap(ABOUT.licence_url, "https://elsewhere.kr/7")),
        ("P13", swap("</style>", ".x { content: '7' }</style>")),
        ("P13", swap('viewBox="0 0', 'viewBox="7 0')),
        ("P13", swap('Z"/>', 'Z M7 7"/>')),
        ("P13", swap('id="dong-', 'id="dong-7x-')),
        ("P13", swap("</html>", "")),
        ("P13", swap("</html>", "</html>7")),
        ("P13", swap(ABOUT.model, "income v3 n=7")),
        ("P13", {path: text for path, text in files.items() if path != ENGLISH}),
        ("P13", {path: text for path, text in files.items() if path != GU}),
        ("P13", files | {"report/notes.html": "7"}),
        ("P12", edited(lambda _, f: of(f).update(households=float(str(of(f)["households"])) + 5))),
        ("P13", edited(lambda _, f: of(f).update({median: 7e6}))),
        ("P13", edited(lambda _, f: of(f).update({f"{median}_status": "published"}))),
        ("P13", edited(lambda _, f: of(f).update({f"{median}_status": "small: 7"}))),
        ("P13", edited(lambda _, f: of(f).update(households_unweighted=7))),
        ("P13", edited(lambda _, f: of(f).update(region_name_en="7 of them"))),
        ("P13", edited(lambda _, f: f.update(id=7))),
        ("P13", edited(lambda c, _: c.update(bbox=[7]))),
        ("P13", edited(lambda c, _: c.update(model_ko="7"))),
        ("P13", edited(lambda _, f: f.update(geometry={"type": "Point", "coordinates": [7, 7]}))),
        ("P13", edited(lambda _, f: f["geometry"]["coordinates"][0][1].append(7))),  # type: ignore[index]
        ("P13", edited(lambda _, f: f["geometry"]["coordinates"][0][1].__setitem__(0, 126.910000007))),  # type: ignore[index]
        ("P13", edited(lambda c, _: c["features"].reverse())),  # type: ignore[attr-defined]
        ("P13", edited(lambda c, f: c["features"].append(f), path=GU)),  # type: ignore[attr-defined]
        ("P13", swap('"type":"FeatureCollection"', '"type":"x","type":"FeatureCollection"', path=GU)),
        ("P13", files | {GU: "7"}),
    ]


def test_every_leak_planted_into_report_and_maps_is_found(files: Files, tables: Mapping[str, pd.DataFrame]) -> None:
    missed = [
        (number, attack, found)
        for number, (attack, planted) in enumerate(_planted(files, tables))
        if attack not in (found := attacks(planted, tables))
    ]
    assert missed == []


def test_a_model_version_that_says_more_is_found(files: Files, tables: Mapping[str, pd.DataFrame]) -> None:
    about = dataclasses.replace(ABOUT, model="v1 <7>")
    assert "P13" in {attack for attack, *_ in verify_publications(files, tables=tables, about=about)}


@pytest.fixture(scope="module")
def package(
    tmp_path_factory: pytest.TempPathFactory, clean: Released, month: dict[str, pd.DataFrame], rules: ReleaseRules
) -> Path:
    """On disk, with boundaries of the made city, written twice."""
    dongs = [
        {"properties": {"adm3_code": f["properties"]["region_code"]}, "geometry": f["geometry"]}  # type: ignore[index]
        for f in outlines(clean, "dong")
    ]
    folders = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "dong_boundaries", lambda: {"features": dongs})
        for root in (tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")):
            folders.append(
                release_cells(
                    month,
                    regions=regions_of(month),
                    month=Month(2020, 1),
                    rules=rules.model_copy(update={"publications": ("report", "maps")}),
                    store=ReleaseStore(root, clock=lambda: "2020-02-20T00:00:00+00:00"),
                    model="income v3",
                )
            )
    first, second = folders
    assert all((first / path).read_bytes() == (second / path).read_bytes() for path in (*p.REPORTS, *p.MAPS))
    assert (first / "checksums.sha256").read_bytes() == (second / "checksums.sha256").read_bytes()
    return first


def test_a_portal_package_has_report_and_maps_and_describes_them(package: Path, rules: ReleaseRules) -> None:
    described = json.loads((package / "datapackage.json").read_text(encoding="utf-8"))
    listed = {resource["path"]: resource["mediatype"] for resource in described["resources"]}
    assert {path: listed[path] for path in (*p.REPORTS, *p.MAPS)} == {
        **dict.fromkeys(p.REPORTS, "text/html"),
        **dict.fromkeys(p.MAPS, "application/geo+json"),
    }
    assert described["model_version"] == "income v3"
    assert frictionless.Package(str(package / "datapackage.json")).validate().valid
    evidence = json.loads((package / "evidence" / "evidence.json").read_text(encoding="utf-8"))
    figures = sum((package / path).read_text(encoding="utf-8").count("data-cell=") for path in p.REPORTS)
    assert evidence["공격별 검사 대상"]["P12"]["셀"] > figures > 100
    assert evidence["파일 SHA-256"].keys() >= {*p.REPORTS, *p.MAPS}
    assert all(f"`{path}`" in (package / "README.md").read_text(encoding="utf-8") for path in (*p.REPORTS, *p.MAPS))
    assert verify_release(package, rules=rules).empty
    assert (package / "report" / "report-ko.html").read_text(encoding="utf-8").count("<figure") == len(p.MAPPED)


def test_an_edited_report_is_refused_and_with_new_checksums_it_is_found(
    package: Path, rules: ReleaseRules, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(package, copy)
    file, listing = copy / KOREAN, copy / "checksums.sha256"
    whole, sums = file.read_bytes(), listing.read_bytes()
    edited = whole.replace(b">\xe2\x80\x93</data>", b">7</data>", 1).replace(b"<main>", b"<main><p>7</p>", 1)
    file.write_bytes(edited)
    with pytest.raises(ReleaseDamaged):
        verify_release(copy, rules=rules)
    old, new = (hashlib.sha256(content).hexdigest().encode() for content in (whole, edited))
    listing.write_bytes(sums.replace(old, new))
    findings = verify_release(copy, rules=rules)
    assert set(findings["table"]) == {KOREAN} and "P13" in set(findings["attack"])
    registered = package.with_name("202001-v1.copy")
    shutil.copytree(copy, registered)
    with pytest.raises(ReleaseDamaged, match="registered"):
        verify_release(registered, rules=rules)
    beside = copy / "maps" / "areas.geojson"
    beside.write_text("{}", encoding="utf-8")
    line = f"{hashlib.sha256(b'{}').hexdigest()}  maps/areas.geojson"
    listing.write_text("\n".join(sorted([*sums.decode().splitlines(), line], key=lambda text: text[66:])) + "\n")
    file.write_bytes(whole)
    assert list(verify_release(copy, rules=rules)["attack"]) == ["P13"], "a file that belongs to no release"


def test_an_approval_says_who_and_nothing_else(package: Path, rules: ReleaseRules, tmp_path: Path) -> None:
    """No hash covers it, since it is written after the others."""
    copy = tmp_path / "copy"
    shutil.copytree(package, copy)
    for name in ("", " ", "n=7", "7\n8", "x" * 101):
        with pytest.raises(ConfigurationError, match="no name"):
            approve(copy, approver=name, rules=rules)
    write_approval(copy, approver="김하나")
    assert verify_release(copy, rules=rules).empty
    signed = (copy / "evidence" / "approval.json").read_text(encoding="utf-8")
    for planted in (
        signed.replace("김하나", "서울 11110: 7"),
        signed.replace("{", '{\n "n": 7,', 1),
        signed.replace("}", " }"),
        signed.replace('"checksums_sha256": "', '"checksums_sha256": "7'),
        "7",
    ):
        assert planted != signed
        (copy / "evidence" / "approval.json").write_text(planted, encoding="utf-8")
        assert list(verify_release(copy, rules=rules)["attack"]) == ["P13"]


# --- the long report of an approved release --------------------------------------------------------------------------------


@pytest.fixture
def approved(package: Path, rules: ReleaseRules, tmp_path: Path) -> Path:
    root = tmp_path / "releases"
    shutil.copytree(package.parents[1], root)
    folder = root / package.parent.name / package.name
    approve(folder, approver="김하나", rules=rules)
    return folder


def test_a_long_report_of_a_release_is_refused_for_any_figure_that_is_no_published_cell(
    approved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the report's data would be if the step that makes them had a defect."""
    store, month, district = ReleaseStore(approved.parents[1]), Month(2020, 1), "11010"
    data = report_step.data_of_release(approved, region=district)
    (line,) = store.current().values()
    released = {month: report_step._regions_of(store, line, with_groups=True)}
    breakdown = data.breakdown
    withheld, shown = (
        int(breakdown.index[rows][0]) for rows in (breakdown["households"].isna(), breakdown["households"].notna())
    )
    assert len(data.areas) > 5 and len(data.persons)

    def planted(name: str, column: str, value: object, row: int = 0) -> dict[str, Any]:
        frame = getattr(data, name).astype({column: object})
        frame.loc[row, column] = value
        return {name: frame}

    leaks: tuple[dict[str, Any], ...] = (
        planted("breakdown", "households", 7.0, withheld),
        planted("breakdown", "reliability", "publishable", withheld),
        planted("breakdown", "households", breakdown["households"][shown] + 5, shown),
        planted("areas", "households_unweighted", 7),
        planted("areas", "households", data.areas["households"][0] + 5),
        planted("areas", "reliability", "unreliable"),
        planted("areas", "base_month", "201912"),
        planted("persons", "persons", 7.0),
        {"quality": pd.DataFrame({"value": [7]})},
        {"changes": {month: None}},
    )
    for leak in leaks:
        with pytest.raises(DisclosureFound, match="no report is made"):
            report_step.refuse_unpublished(dataclasses.replace(data, **leak), released)

    made = report_step.released_breakdown

    def leaking(long: pd.DataFrame, *, region: str) -> pd.DataFrame:
        rows = made(long, region=region)
        return rows.assign(households=rows["households"].fillna(7.0))

    monkeypatch.setattr(report_step, "released_breakdown", leaking)
    with pytest.raises(DisclosureFound, match="household_breakdown: a figure of a cell that is not published"):
        report_step.data_of_release(approved, region=district)


def test_the_series_of_a_long_report_is_of_releases_as_they_were_registered(approved: Path) -> None:
    store, earlier = ReleaseStore(approved.parents[1]), approved.with_name("201912-v1")
    shutil.copytree(approved, earlier)
    for state in (r.CANDIDATE, r.APPROVED, r.IS_PUBLIC):
        store.register(channel="portal", release_id=earlier.name, month="201912", version=1, state=state)
    assert report_step.data_of_release(approved, region="11").months == (Month(2019, 12), Month(2020, 1))
    (earlier / "README.md").write_text("7")
    with pytest.raises(ReleaseDamaged, match="201912-v1"):
        report_step.data_of_release(approved, region="11")
