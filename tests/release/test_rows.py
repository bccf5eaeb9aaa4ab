"""Row-level files: the choice of levels against all of them, the gate against planted leaks, and a package on disk."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import frictionless
import numpy as np
import pandas as pd
import pytest
from cubes import ROOT, regions_of, rules_of, small_rules
from pycanon.anonymity import k_anonymity, l_diversity
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from living_finance.contracts import codes, silver
from living_finance.contracts import row_files as rf
from living_finance.errors import ConfigurationError
from living_finance.months import Month
from living_finance.release import rows as r
from living_finance.release.rules import ReleaseRules, RowRules, read_rules
from living_finance.release.verify_row_links import EarlierRows, verify_rows_over_releases
from living_finance.release.verify_rows import verify_rows
from living_finance.steps.release import RowSources, release_cells, verify_release
from living_finance.storage.releases import ReleaseStore, read_release

CAMPUS = ROOT / "conf" / "release" / "campus.yaml"
NONE = pd.DataFrame(columns=list(rf.HOUSEHOLDS.quasi_names), dtype=object)


def campus_rules(**changes: float | str) -> RowRules:
    rules = read_rules(CAMPUS.read_text(encoding="utf-8"), name="campus.yaml").rows
    assert rules is not None
    values = {name: getattr(rules, name).model_copy(update={"value": value}) for name, value in changes.items()}
    return rules.model_copy(update=values)


def made_people(seed: int, number: int) -> pd.DataFrame:
    """Rows with the categories of a household and its exact amounts."""
    draws = np.random.default_rng(seed)
    frame = pd.DataFrame({"region_code": draws.choice(["1101050", "1101051", "1102050", "1102051"], number)})
    for quasi in rf.HOUSEHOLDS.quasi:
        share = np.arange(len(quasi.categories), 0, -1) ** 2.0
        frame[quasi.name] = draws.choice(quasi.categories, number, p=share / share.sum())
    for amount in rf.HOUSEHOLDS.amounts:
        frame[amount.name] = np.round(np.exp(draws.normal(17, 1, number))) * (draws.random(number) < 0.6)
    return frame


def classes_of(frame: pd.DataFrame) -> pd.DataFrame:
    """As the aggregation counts them."""
    draws = np.random.default_rng(3)
    bits = {f"_bits_{name}": 1 << draws.integers(0, 5, len(frame)) for name in rf.SENSITIVE_CODES}
    grouped = frame.assign(_rows=1, _weights=1.0, **bits).groupby(list(rf.HOUSEHOLDS.quasi_names))
    classes = grouped.agg(
        {"_rows": "sum", "_weights": "sum", **dict.fromkeys(bits, lambda b: np.bitwise_or.reduce(b.to_numpy()))}
    )
    return classes.reset_index().assign(_group="11010")


@pytest.mark.parametrize(("seed", "number", "share"), [(1, 60, 0.05), (2, 300, 0.02), (3, 900, 0.1), (4, 900, 0.0)])
def test_the_chosen_levels_are_the_cheapest_that_suffice(seed: int, number: int, share: float) -> None:
    rules = campus_rules(largest_suppressed_share=share, scope="city")
    classes = r._Classes(classes_of(made_people(seed, number)), file=rf.HOUSEHOLDS, rules=rules)
    lattice = r._Lattice(classes.heights, [rules.importance[name].value for name in rf.HOUSEHOLDS.quasi_names])
    chosen = r.cheapest_node(classes, lattice, most_suppressed=share * number)
    assert classes.suppressed(lattice.nodes[chosen]) <= share * number
    cheaper = [at for at in range(chosen) if classes.suppressed(lattice.nodes[at]) <= share * number]
    assert cheaper == []


def test_nothing_suffices_and_everything_goes() -> None:
    out = r.generalised_classes(classes_of(made_people(1, 6)), file=rf.HOUSEHOLDS, rules=campus_rules(), forbidden=NONE)
    assert out["is_suppressed"].all()
    assert (out["level_tenure"] == len(rf.HOUSEHOLDS.quasi[-1].levels) - 1).all()


def test_a_class_inside_a_withheld_cell_is_not_shown() -> None:
    people = classes_of(made_people(5, 900))
    rules = campus_rules(k=1, distinct_classes=1)
    cell = NONE.assign(region_code=["11010"], household_type="one_generation").fillna(codes.ALL)
    out = r.generalised_classes(people, file=rf.HOUSEHOLDS, rules=rules, forbidden=cell)
    is_inside = out["region_code"].str.startswith("11010") & (out["household_type"] == "one_generation")
    assert is_inside.any() and (~is_inside).any()
    assert (out["is_suppressed"] == is_inside).all()
    wider = out.assign(region_code="11", is_suppressed=False)
    assert not r.inside_cells(wider, cell, names=rf.HOUSEHOLDS.quasi_names).any(), "the city is not inside the district"


def test_weights_are_those_of_the_class_to_one_decimal() -> None:
    people = classes_of(made_people(6, 900)).assign(_weights=lambda c: c["_rows"] * 1.23)
    out = r.generalised_classes(people, file=rf.HOUSEHOLDS, rules=campus_rules(household_share=0.5), forbidden=NONE)
    assert set(out["weight"]) == {2.5}


def test_levels_are_nested_and_labels_are_of_one_level_or_the_same_categories() -> None:
    for file in rf.ROW_FILES.values():
        for quasi in file.quasi:
            for lower, upper in itertools.pairwise(quasi.levels):
                for merged in set(lower.values()):
                    assert len({upper[c] for c in quasi.categories if lower[c] == merged}) == 1, (quasi.name, merged)
            for level, other in itertools.combinations(quasi.levels, 2):
                for label in set(level.values()) & set(other.values()):
                    assert {c for c, x in level.items() if x == label} == {c for c, x in other.items() if x == label}, label


def test_scarce_cells_of_the_register() -> None:
    register = pd.DataFrame(
        [("1101050", "M", "30", 6), ("1101050", "F", "30", 6), ("1101051", "M", "35", 20)],
        columns=["dong_code", "sex", "age_band", "persons"],
    )
    scarce = set(r.scarce_in_register(register, k=10)[["region_code", "sex", "age_band"]].itertuples(index=False, name=None))
    assert ("1101050", "M", "30") in scarce and ("11010", "F", "30_39") in scarce
    assert ("1101050", "all", "30") not in scarce, "twelve of them"
    assert ("1101051", "M", "35") not in scarce


@pytest.mark.parametrize(
    "change",
    [
        {"household_share": {"value": 0.7, "owner": "o", "source": "s"}},
        {"tail_share": {"value": 0.5, "owner": "o", "source": "s"}},
        {"importance": {}},
        {"l": {"value": 2, "owner": "o", "source": "s"}},
    ],
)
def test_rules_that_cannot_hold_are_refused(change: dict[str, object]) -> None:
    text = json.dumps(json.loads(read_rules(CAMPUS.read_text(encoding="utf-8"), name="x").model_dump_json()) | {})
    content = json.loads(text)
    content["rows"] |= change
    with pytest.raises(ConfigurationError):
        read_rules(json.dumps(content), name="x")


# --- the gate ------------------------------------------------------------------------------------------------------------


def clean_rows() -> dict[str, pd.DataFrame]:
    """Files that keep all rules: a few classes of 24 rows with six different amounts, each for four rows or more."""
    made = {}
    for file in rf.ROW_FILES.values():
        rows = []
        for region, sex in itertools.product(("1101050", "11020"), ("M", "F")):
            for number in range(24):
                step = number % 2
                row: dict[str, object] = dict.fromkeys((q.name for q in file.quasi), rf.ALL)
                row |= {"base_month": "2020-01", "region_level": rf.REGION_LEVELS[len(region)], "region_code": region}
                row |= {"region_name_ko": "동", "region_name_en": "dong", file.quasi[0].name: sex}
                row |= {"income_class": str(1 + step), "debt_class": ("none", "200m_plus")[step]}
                row |= {a.name: step * 300_000_000 for a in file.amounts}
                row |= {"weight": 1.5}
                rows.append(row)
        made[file.name] = ordered(pd.DataFrame(rows)[list(file.column_names)])
    return made


def ordered(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(list(frame.columns), ignore_index=True)


def test_clean_files_pass() -> None:
    assert verify_rows(clean_rows(), month="2020-01").empty


def _set(column: str, value: object, rows: int = 1) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        changed = frame.copy()
        changed.loc[changed.index[:rows], column] = value
        return ordered(changed)

    return change


LEAKS: list[tuple[str, str, Callable[[pd.DataFrame], pd.DataFrame]]] = [
    ("P10", "one row in a district of its own", _set("region_code", "1101051")),
    ("P10", "nine rows of an age", lambda f: _set("age_band" if "age_band" in f else "head_age_band", "50_plus", 9)(f)),
    ("P10", "a class with one income class", lambda f: ordered(f.assign(income_class="1"))),
    ("P10", "a class with one debt class", lambda f: ordered(f.assign(debt_class="none"))),
    ("P10", "names that tell rows apart", _set("region_name_ko", "동 가")),
    ("P5", "an exact amount", lambda f: _set("debt_krw", 12_345_678, 12)(f)),
    ("P8", "a lone extreme", _set("debt_krw", 900_000_000)),
    ("P13", "an identifier as a column", lambda f: f.assign(person_id="P1")),
    ("P13", "a column less", lambda f: f.drop(columns="debt_class")),
    ("P13", "an exact age", lambda f: _set("age_band" if "age_band" in f else "head_age_band", "37", 24)(f)),
    ("P13", "another order", lambda f: f.iloc[::-1].reset_index(drop=True)),
    ("P13", "another month", _set("base_month", "2020-02")),
    ("P13", "a formula", lambda f: ordered(f.assign(region_name_en="＝1"))),
    ("P13", "a missing value", _set("income_class", None)),
    ("P13", "a level that is not the code's", lambda f: ordered(f.assign(region_level="gu"))),
]


@pytest.mark.parametrize("file", list(rf.ROW_FILES))
@pytest.mark.parametrize(("attack", "name", "leak"), LEAKS, ids=[name for _, name, _ in LEAKS])
def test_planted_leaks_are_found(file: str, attack: str, name: str, leak: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    rows = clean_rows()
    rows[file] = leak(rows[file])
    findings = verify_rows(rows, month="2020-01")
    assert attack in set(findings.loc[findings["table"] == file, "attack"])


def test_weights_that_tell_rows_apart_are_found() -> None:
    rows = clean_rows()
    rows[rf.HOUSEHOLDS.name] = _set("weight", 1.7)(rows[rf.HOUSEHOLDS.name])
    assert set(verify_rows(rows, month="2020-01")["attack"]) == {"P10"}


def test_rows_of_a_withheld_cell_are_found() -> None:
    table = pd.DataFrame(
        {
            "region_level": ["dong", "dong"],
            "region_code": ["1101050", "1102050"],
            "place": "residence",
            "sex": "M",
            "age_band": "all",
            "statistic": "persons",
            "status": "suppressed_secondary",
        }
    )
    findings = verify_rows(clean_rows(), month="2020-01", tables={"person_statistics": table})
    assert list(zip(findings["attack"], findings["cell"], strict=True)) == [("P11", "region_code=1101050 sex=M")]


def test_classes_that_the_register_says_are_small_are_found() -> None:
    register = pd.DataFrame(
        [(dong, sex, "40", 9 if (dong, sex) == ("1101050", "F") else 50) for dong in ("1101050", "1102050") for sex in "MF"],
        columns=["dong_code", "sex", "age_band", "persons"],
    )
    findings = verify_rows(clean_rows(), month="2020-01", register=register)
    assert list(findings["cell"]) == ["region_code=1101050 sex=F"]


def test_bands_that_cut_across_each_other_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = clean_rows()
    age = next(q for q in rf.PERSONS.quasi if q.name == "age_band")
    crossing = rf.Quasi(age.column, age.categories, ({"25_44": ("25", "30", "35", "40")},))
    others = tuple(q if q.name != "age_band" else crossing for q in rf.PERSONS.quasi)
    object.__setattr__(rf.PERSONS, "quasi", others)
    try:
        for name, column, band in ((rf.PERSONS.name, "age_band", "25_44"), (rf.HOUSEHOLDS.name, "head_age_band", "30_49")):
            rows[name] = ordered(rows[name].assign(**{column: band}))
        findings = verify_rows(rows, month="2020-01")
    finally:
        object.__setattr__(rf.PERSONS, "quasi", tuple(age if q.name == "age_band" else q for q in others))
    assert set(findings["attack"]) == {"P11"}


# --- over releases ----------------------------------------------------------------------------------------------------


def household_file(seed: int = 4, *, classes: int = 6, rows: int = 40) -> pd.DataFrame:
    """Households of one district in classes of many rows, each alone with its amounts but for a tenth of them."""
    draws, number = np.random.default_rng(seed), classes * rows
    frame = pd.DataFrame({"base_month": "2020-01", "region_level": "dong"}, index=range(number))
    for quasi in rf.HOUSEHOLDS.quasi:
        frame[quasi.name] = rf.ALL
    frame["region_code"] = np.where(np.arange(number) % classes < classes // 2, "1101050", "1101051")
    frame["head_age_band"] = np.array(["30", "40", "50"])[np.arange(number) % 3]
    frame["region_name_ko"] = frame["region_name_en"] = "dong"
    for amount in rf.HOUSEHOLDS.amounts:
        frame[amount.name] = draws.integers(0, 30, number) * 5_000_000
    for name, known in rf.SENSITIVE_CODES.items():
        frame[name] = np.array(known)[np.arange(number) // classes % len(known)]
    frame["weight"] = 1.5
    return frame[list(rf.HOUSEHOLDS.column_names)]


def a_month_on(first: pd.DataFrame) -> pd.DataFrame:
    """Five moved to the other dong, three had a birthday; ages of the second dong are not given any more."""
    later = first.copy()
    later.loc[later.index[:5], "region_code"] = ["1101051" if c == "1101050" else "1101050" for c in later["region_code"][:5]]
    later.loc[later.index[10:13], "head_age_band"] = "60"
    later.loc[later["region_code"] == "1101051", "head_age_band"] = rf.ALL
    later["spending_krw_month"] = later["spending_krw_month"].sample(frac=1, random_state=1).to_numpy()
    return later


def followed(now: pd.DataFrame, before: pd.DataFrame, *, month: str = "2020-02", tables: object = None) -> pd.DataFrame:
    earlier = EarlierRows("campus 202001-v1", "2020-01", {rf.HOUSEHOLDS.name: before}, tables or {})  # type: ignore[arg-type]
    return verify_rows_over_releases({rf.HOUSEHOLDS.name: now}, month=month, earlier=[earlier])


def test_people_who_can_be_followed_from_release_to_release_are_found() -> None:
    first = household_file()
    assert followed(first, first).empty, "the same again says no more"
    amounts = [amount.name for amount in rf.HOUSEHOLDS.amounts]
    shuffled = first.assign(**{a: first[a].sample(frac=1, random_state=n).to_numpy() for n, a in enumerate(amounts)})
    assert followed(shuffled, first).empty, "nobody to follow"
    found = followed(a_month_on(first), first)
    assert set(found["attack"]) == {"P10"}
    cells = " ".join(found["cell"])
    assert "region_code=1101050>1101051" in cells and "head_age_band=" in cells
    finer = first.assign(head_age_band=rf.ALL)
    assert followed(finer, first).empty, "coarser now: both say what the first said, of as many rows"
    some = pd.concat([first.iloc[:5].assign(tenure="owned"), first.iloc[5:]])
    both = followed(some.assign(head_age_band=rf.ALL), first)
    assert "head_age_band" in " ".join(both["cell"]) and "tenure=owned" in " ".join(both["cell"]), (
        "an age from one, tenure from the other"
    )


def test_rows_of_cells_that_an_earlier_version_of_the_month_withheld_are_found() -> None:
    columns = {"region_level": ["dong"], "region_code": ["1101050"], "statistic": "households", "status": "suppressed_small"}
    table = pd.DataFrame(columns | dict.fromkeys(("head_sex", "household_type"), rf.ALL) | {"head_age_band": "30"})
    first = household_file()
    assert set(followed(first, first, month="2020-01", tables={"household_statistics": table})["attack"]) == {"P11"}
    assert followed(first, first, month="2020-02", tables={"household_statistics": table}).empty


def test_those_who_could_be_followed_are_left_out(spark: SparkSession) -> None:
    """And the gate, which shares no code with it, finds nobody; classes keep k and l."""
    first = household_file()
    later = a_month_on(first).assign(_row=[f"H{number}" for number in range(len(first))])
    rules, file = campus_rules(), rf.HOUSEHOLDS
    before, now = (spark.createDataFrame(frame) for frame in (first, later))
    kept, number = r.without_followed(now, file=file, rules=rules, earlier=[before])
    shown = r.with_cut_tails(kept, file, rules).toPandas()
    columns = list(file.column_names)
    assert not followed(ordered(later[columns]), first).empty
    assert followed(ordered(shown[columns]), first).empty
    assert 0 < number == len(later) - len(shown) < 60
    assert k_anonymity(shown[columns], list(file.quasi_names)) >= 10
    assert l_diversity(shown[columns], list(file.quasi_names), list(rf.SENSITIVE_CODES)) >= 2
    assert r.without_followed(now, file=file, rules=rules, earlier=[]) == (now, 0)


# --- a package -----------------------------------------------------------------------------------------------------------

MONTH = Month(2020, 1)


def people(spark: SparkSession) -> RowSources:
    """Households with their one or two bureau members, in four dongs."""
    frame = made_people(8, 2400)
    draws = np.random.default_rng(9)
    frame["household_id"] = [f"H{number:05d}" for number in range(len(frame))]
    frame["household_size"] = frame["household_size"].str[:1].astype(int)
    frame["head_age_band"] = frame["head_age_band"].astype(int)
    frame["weight"] = draws.uniform(0.5, 3, len(frame))
    households = frame.rename(columns={"region_code": "dong_code"})
    persons = pd.concat([frame, frame[draws.random(len(frame)) < 0.7]], ignore_index=True)
    persons["person_id"] = [f"P{number:05d}" for number in range(len(persons))]
    persons["sex"] = draws.choice(["M", "F"], len(persons))
    persons["age_band"] = draws.choice(codes.AGE_BANDS, len(persons))
    persons["employment"] = draws.choice(codes.EMPLOYMENT.codes, len(persons), p=[0.6, 0.15, 0.25])
    of_persons = spark.createDataFrame(
        persons[["person_id", "household_id", "region_code", "sex", "age_band", "employment", "debt_krw", "spending_krw_month"]]
    ).select(
        "*",
        F.col("region_code").alias("dong_code"),
        F.col("region_code").alias("home_dong"),
        F.lit("seoul").alias("residence"),
        *((F.col("debt_krw") / 4).alias(name) for name in silver.BALANCE_COLUMNS),
        *((F.col("spending_krw_month") / 3).alias(name) for name in silver.SPENDING_COLUMNS),
        *((F.col("spending_krw_month") * 20).alias(name) for name in silver.INCOME_COLUMNS),
    )
    bands = [*codes.AGE_BANDS]
    register = pd.DataFrame(
        [(dong, sex, str(age), 40) for dong in frame["region_code"].unique() for sex in "MF" for age in bands],
        columns=["dong_code", "sex", "age_band", "persons"],
    )
    return RowSources(
        spark.createDataFrame(households),
        of_persons.select("person_id", "household_id"),
        of_persons.drop("household_id", "region_code", "debt_krw", "spending_krw_month"),
        register,
    )


@pytest.fixture(scope="module")
def with_rows() -> ReleaseRules:
    """The campus's own rules over the small tables."""
    return rules_of("campus").model_copy(update={"tables": small_rules().tables, "publications": (), "rows": campus_rules()})


@pytest.fixture(scope="module")
def packages(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, month: dict[str, pd.DataFrame], with_rows: ReleaseRules
) -> list[Path]:
    """The same release made twice, the second time from other partitions."""
    made = []
    source = people(spark)
    for partitions in (2, 3):
        store = ReleaseStore(tmp_path_factory.mktemp("releases"), clock=lambda: "2020-02-20T00:00:00+00:00")
        again = RowSources(
            *(frame.repartition(partitions) for frame in (source.households, source.members, source.persons)), source.register
        )
        made.append(release_cells(month, regions=regions_of(month), month=MONTH, rules=with_rows, store=store, people=again))
    return made


def test_row_level_files_are_k_anonymous_and_l_diverse_by_pycanon(packages: list[Path]) -> None:
    for name, file in rf.ROW_FILES.items():
        for frame in (
            pd.read_csv(packages[0] / f"data/{name}.csv", dtype=str, encoding="utf-8-sig"),
            pd.read_parquet(packages[0] / f"data/{name}.parquet"),
        ):
            assert tuple(frame.columns) == file.column_names
            assert len(frame) > 300
            assert k_anonymity(frame, list(file.quasi_names)) >= 10
            assert l_diversity(frame, list(file.quasi_names), list(rf.SENSITIVE_CODES)) >= 2


def test_the_package_says_what_was_lost_and_holds_no_identifier(packages: list[Path]) -> None:
    evidence = json.loads((packages[0] / "evidence/evidence.json").read_text(encoding="utf-8"))["행 자료"]
    for name in rf.ROW_FILES:
        loss = evidence[name]["정보 손실"]
        rows = len(pd.read_parquet(packages[0] / f"data/{name}.parquet"))
        assert loss["행 수"] == rows
        assert 0 <= loss["삭제된 행 비율"] < 0.5 and loss["식별 불가 지수(discernibility) 행당"] >= 10
        text = (packages[0] / f"data/{name}.csv").read_text(encoding="utf-8-sig")
        assert "H0" not in text and "P0" not in text
    assert evidence["persons_deidentified"]["컬럼별 기법"]["person_id"].startswith("데이터 삭제")
    report = frictionless.Package(str(packages[0] / "datapackage.json")).validate()
    assert report.valid and {name.replace("_", "-") for name in rf.ROW_FILES} <= {task.name for task in report.tasks}
    described = (packages[0] / "dcat.jsonld").read_text(encoding="utf-8")
    assert "persons_deidentified" in described and "access-right/RESTRICTED" in described and "kogl" not in described.lower()
    page = (packages[0] / "evidence" / "evidence.html").read_text(encoding="utf-8")
    assert "행 자료" in page and "<code>distinct_classes</code>" in page and "households_deidentified" in page


def test_every_code_of_the_files_has_labels_in_the_package(packages: list[Path]) -> None:
    described = json.loads((packages[0] / "datapackage.json").read_text(encoding="utf-8"))
    readme = (packages[0] / "README.md").read_text(encoding="utf-8")
    for name, file in rf.ROW_FILES.items():
        resource = next(found for found in described["resources"] if found["path"] == f"data/{name}.csv")
        for field in resource["schema"]["fields"]:
            assert field["meaning_ko"] and field["meaning_en"]
            assert f"({field['meaning_ko']})" in readme
        codes = {field["name"]: field["codes"] for field in resource["schema"]["fields"] if "codes" in field}
        assert codes.keys() == {"region_level", *(q.name for q in file.quasi), *rf.SENSITIVE_CODES}
        for quasi in file.quasi:
            assert {code["code"] for code in codes[quasi.name]} == {c for level in quasi.levels for c in level.values()}
        assert all(f"| `{c['code']}` | {c['label_ko']} | {c['label_en']} |" in readme for of in codes.values() for c in of)
    assert rf.labels_of("household_size", rf.HOUSEHOLDS)[-2:] == (
        ("2_plus", "2인 이상", "2 persons or more"),
        ("all", "전체", "all"),
    )
    assert ("10_29", "10–29세", "10 to 29") in rf.labels_of("age_band", rf.PERSONS)
    assert ("70_plus", "70세 이상", "70 and over") in rf.labels_of("age_band", rf.PERSONS)


def test_other_partitions_give_the_same_bytes(packages: list[Path]) -> None:
    first, second = packages
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert [path for path in files if (first / path).read_bytes() != (second / path).read_bytes()] == []
    assert {path.name for path in (first / "data").iterdir()} >= {
        f"{n}.{kind}" for n in rf.ROW_FILES for kind in ("csv", "parquet")
    }


def test_a_row_more_in_a_file_is_refused(packages: list[Path], with_rows: ReleaseRules) -> None:
    folder = packages[1]
    assert verify_release(folder, rules=with_rows).empty
    stored = read_release(folder)
    name = rf.PERSONS.name
    planted = stored.rows[name].astype({c: object for c in stored.rows[name] if c not in {a.name for a in rf.PERSONS.amounts}})
    planted.loc[0, "age_band"] = "80"
    findings = verify_rows(stored.rows | {name: planted}, month="2020-01", tables=stored.tables)
    assert "P10" in set(findings["attack"])
    csv = folder / f"data/{name}.csv"
    csv.write_bytes(csv.read_bytes().replace(b"none", b"200m_plus", 1))
    assert any("differ" in oddity for oddity in read_release(folder).oddities)


def test_nobody_is_in_both_files_whatever_the_release(spark: SparkSession) -> None:
    rules = campus_rules(household_share=0.3, person_share=0.5)
    frame = spark.range(4000).select(F.concat(F.lit("H"), "id").alias("h"), F.concat(F.lit("P"), "id").alias("p"))
    flags = frame.select(
        *(
            r.sampled(household=F.col("h"), person=person, rules=rules, release=release).alias(f"{side}_{release}")
            for release in ("202001-v1", "202001-v2")
            for side, person in (("h", None), ("p", F.col("p")))
        )
    ).toPandas()
    households, persons = flags.filter(like="h_").any(axis=1), flags.filter(like="p_").any(axis=1)
    assert not (households & persons).any()
    assert abs(flags["h_202001-v1"].mean() - 0.3) < 0.03 and abs(flags["p_202001-v1"].mean() - 0.5) < 0.03
    assert (flags["h_202001-v1"] != flags["h_202001-v2"]).any(), "each release draws anew"
