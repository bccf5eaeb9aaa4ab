"""The generator makes conforming deliveries whose truth is known; one tiny city for the whole module."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from living_finance.contracts.deliveries import DATASETS
from living_finance.contracts.validation import ValidRegions, row_reasons
from living_finance.errors import ConfigurationError
from living_finance.months import Month, parse_months
from living_finance.synthetic import SynthesisReport, synthesize
from living_finance.synthetic.district import Order, make_district, reference_months
from living_finance.synthetic.plan import make_plan

GU, FRACTION, MONTHS, SEED = "11010", 0.01, parse_months("202001..202002"), 11
MONTH = "202001"


@dataclass(frozen=True)
class City:
    landing: Path
    truth: Path
    report: SynthesisReport

    def read(self, delivery: str, table: str) -> pd.DataFrame:
        parts = [pd.read_csv(path, dtype=str) for path in sorted((self.landing / delivery).glob(f"{table}-*.csv.gz"))]
        return pd.concat(parts, ignore_index=True)

    def true(self, table: str, month: str) -> pd.DataFrame:
        return pd.concat([pd.read_parquet(path) for path in sorted((self.truth / table).glob(f"{month}-*.parquet"))])


@pytest.fixture(scope="module")
def city(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> City:
    folder = tmp_path_factory.mktemp("city")
    report = synthesize(
        spark,
        out=folder / "landing",
        truth=folder / "truth",
        gu_codes=[GU],
        fraction=FRACTION,
        months=MONTHS,
        seed=SEED,
    )
    return City(landing=folder / "landing", truth=folder / "truth", report=report)


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> City:
    """A district of some 8,000 households over a year, made without Spark: enough for shares."""
    folder = tmp_path_factory.mktemp("larger")
    months = parse_months("202001..202012")
    make_in_process(folder, gu="11140", fraction=0.05, months=months)
    return City(landing=folder / "landing", truth=folder / "truth", report=SynthesisReport({}, 0.0, 0, 0))


def make_in_process(folder: Path, *, gu: str, fraction: float, months: list[Month], seed: int = SEED) -> list[str]:
    order = Order(
        plan=make_plan(gu_codes=[gu], fraction=fraction, seed=seed),
        out=folder / "landing",
        truth=folder / "truth",
        months=tuple(months),
        reference_months=reference_months(months),
        seed=seed,
        file_format="csv",
    )
    return [file.sha256 for file in make_district(order, 0).files]


def manifests(landing: Path) -> Iterator[tuple[Path, dict[str, object]]]:
    for path in sorted(landing.glob("*/*/manifest.json")):
        yield path.parent, json.loads(path.read_text(encoding="utf-8"))


def test_every_row_conforms(spark: SparkSession, city: City) -> None:
    regions = city.read("regions/201001", "regions")
    valid = ValidRegions(dong_codes=regions["dong_code"].tolist(), gu_codes=[GU])
    counted: DataFrame | None = None
    for dataset in DATASETS:
        for table in dataset.tables:
            rows = spark.read.option("header", True).csv(str(city.landing / dataset.name / "*" / f"{table.name}-*.csv.gz"))
            assert rows.columns == list(table.column_names)
            reasons = row_reasons(table, regions=None if dataset.name == "regions" else valid)
            found = rows.select(F.lit(table.bronze_name).alias("table"), reasons.alias("reasons")).groupBy("table", "reasons")
            counted = found.count() if counted is None else counted.unionByName(found.count())
    assert counted is not None
    spark.conf.set("spark.sql.codegen.wholeStage", "false")  # thousands of rows: compiling costs more than interpreting
    try:
        outcome = counted.collect()
    finally:
        spark.conf.unset("spark.sql.codegen.wholeStage")
    assert {row["table"] for row in outcome if row["reasons"]} == set()
    assert len(outcome) == 9


def test_manifests_tell_the_truth_about_their_files(city: City) -> None:
    folders = []
    for folder, manifest in manifests(city.landing):
        folders.append(f"{manifest['dataset']}/{manifest['base_month']}")
        listed = {file["name"]: file for file in manifest["files"]}  # type: ignore[attr-defined]
        assert listed.keys() == {path.name for path in folder.iterdir()} - {"manifest.json"}
        for name, file in listed.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == file["sha256"]
            assert len(pd.read_csv(folder / name, dtype=str)) == file["rows"]
        assert (manifest["agreement"] is not None) == (manifest["dataset"] == "bureau")
    assert folders == [
        "benchmarks/202011",
        "bureau/202001",
        "bureau/202002",
        "census/202011",
        "city/202001",
        "city/202002",
        "regions/201001",
        "survey/202011",
    ]


def test_same_seed_same_bytes_without_spark_and_other_seed_other_bytes(city: City, tmp_path: Path) -> None:
    again = make_in_process(tmp_path / "again", gu=GU, fraction=FRACTION, months=MONTHS)
    other = make_in_process(tmp_path / "other", gu=GU, fraction=FRACTION, months=MONTHS, seed=SEED + 1)
    made = {file["sha256"] for _, manifest in manifests(city.landing) for file in manifest["files"]}  # type: ignore[attr-defined]
    assert set(again) <= made
    assert not set(other) & made


def test_first_month_has_the_planned_households(city: City) -> None:
    plan = make_plan(gu_codes=[GU], fraction=FRACTION, seed=SEED)
    homes = city.true("households", MONTH)
    private = homes[~homes["is_group_quarters"]]
    for dong in plan.dongs:
        of_dong = private[private["dong_code"] == dong.code]
        sizes = of_dong["household_size"].clip(upper=7).value_counts()
        assert tuple(sizes.get(size, 0) for size in range(1, 8)) == dong.sizes
        kinds = of_dong["dwelling_type"].value_counts()
        assert kinds.get("apartment", 0) == dong.dwellings[2]
    assert city.report.households == len(homes)


def test_whole_city_at_full_size_is_the_census() -> None:
    plan = make_plan(gu_codes=None, fraction=1.0, seed=1)
    assert len(plan.dongs) == 424
    assert sum(dong.households for dong in plan.dongs) == 3_967_930
    assert sum(sum(dong.dwellings) for dong in plan.dongs) == 3_967_930
    assert all(units >= lived for dong in plan.dongs for units, lived in zip(dong.units, dong.dwellings, strict=False))
    assert 18_000 < sum(dong.output_areas for dong in plan.dongs) < 20_000


def test_census_margins_are_the_truth_where_not_masked(city: City) -> None:
    margins = city.read("census/2020", "margins")
    homes = city.true("households", "202002")  # the asked month nearest to November
    homes = homes[~homes["is_group_quarters"]]
    people = city.true("persons", "202002").merge(homes[["household_id", "output_area_id"]], on="household_id")
    band = np.minimum(people["age"] // 5 * 5, 85).astype(str)
    true = pd.concat(
        [
            homes.assign(margin="households", category="all"),
            people.assign(margin="population", category="all"),
            people.assign(margin="population_sex_age", category=people["sex"] + band),
            homes.assign(
                margin="household_size",
                category=np.where(homes["household_size"] >= 7, "7_plus", homes["household_size"].astype(str)),
            ),
            *(homes.assign(margin=name, category=homes[name]) for name in ("household_type", "dwelling_type", "tenure")),
        ]
    )
    counts = true.groupby(["output_area_id", "margin", "category"]).size().rename("true")
    delivered = margins[margins["margin"] != "dwellings"].set_index(["output_area_id", "margin", "category"])["count"]
    both = counts.to_frame().join(delivered, how="outer")
    is_masked = both["count"].isna()
    assert both["true"].notna().all()
    assert (both.loc[~is_masked, "true"] == both.loc[~is_masked, "count"].astype(int)).all()
    assert both.loc[is_masked, "true"].between(1, 4).all()
    assert is_masked.any()
    assert not both[~is_masked & ~both.index.get_level_values("margin").isin(["households", "population"])]["true"].lt(5).any()


def test_buildings_lie_inside_their_dong_and_hold_their_people(city: City) -> None:
    boundaries = json.loads(
        (Path(__file__).parents[2] / "src/living_finance/places/data/seoul_dong_2020.geojson").read_text(encoding="utf-8")
    )
    project = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:5179", always_xy=True).transform
    polygons = {f["properties"]["adm3_code"]: shapely.geometry.shape(f["geometry"]) for f in boundaries["features"]}
    buildings = city.read(f"city/{MONTH}", "buildings")
    for code, of_dong in buildings.groupby("dong_code"):
        polygon = shapely.ops.transform(project, polygons[code])
        assert shapely.contains_xy(polygon, of_dong["x"].astype(float), of_dong["y"].astype(float)).all()
        assert of_dong["output_area_id"].str.startswith(code).all()
    homes = city.true("households", MONTH)
    living = homes.groupby("address_id").size()
    of_building = buildings.set_index("address_id")
    has_units = of_building["dwelling_type"].isin(["apartment", "row_house", "multi_unit", "officetel"])
    capacity = of_building.loc[has_units, "dwelling_units"].astype(int)
    assert (living.reindex(capacity.index).fillna(0) <= capacity).all()
    persons = city.read(f"bureau/{MONTH}", "persons")
    assert persons["home_address_id"].dropna().isin(of_building.index).all()
    workplaces = city.read(f"city/{MONTH}", "establishments")
    assert persons["work_address_id"].dropna().isin(workplaces["address_id"]).all()
    assert workplaces["address_id"].isin(of_building.index).all()


def test_unit_numbers_are_missing_where_the_contract_says(city: City) -> None:
    kind = city.read(f"city/{MONTH}", "buildings").set_index("address_id")["dwelling_type"]
    for table, address, unit in (
        (city.read(f"bureau/{MONTH}", "persons"), "home_address_id", "home_unit_id"),
        (city.read(f"city/{MONTH}", "residents"), "address_id", "unit_id"),
    ):
        placed = table[table[address].notna()]
        without = placed[address].map(kind).isin(["detached", "multi_family", "commercial_building", "non_residential"])
        assert placed.loc[without, unit].isna().all()
        assert placed.loc[~without, unit].isna().mean() < 0.11


def test_bureau_is_wrong_in_the_ways_of_the_brief(larger: City) -> None:
    people = larger.true("persons", MONTH)
    homes = larger.true("households", MONTH)
    people = people.merge(homes[["household_id", "is_group_quarters"]], on="household_id", how="left")
    bureau = people[people["in_bureau"]]
    assert 0.05 <= bureau["is_stale"].mean() <= 0.10
    adults = people[people["household_id"].notna() & people["age"].between(20, 74)]
    assert 0.88 <= adults["in_bureau"].mean() <= 0.96
    assert people.loc[people["age"] < 18, "in_bureau"].mean() < 0.02
    scores = larger.read(f"bureau/{MONTH}", "persons").drop_duplicates("person_id").merge(people, on="person_id")
    labour, true = scores["labour_income_x"].astype(float), scores["labour_income_y"]
    seen = (labour > 0) & (true > 0) & (labour < 5e9)
    group = [scores.loc[seen, "sex_x"], scores.loc[seen, "age"] // 5]
    x, y = np.log(true[seen]), np.log(labour[seen])
    x, y = x - x.groupby(group).transform("mean"), y - y.groupby(group).transform("mean")
    assert 0.77 < (x * y).sum() / (x * x).sum() < 0.83
    business, own = scores["business_income_x"].astype(float), scores["business_income_y"]
    works = (own > 0) & (business > 0) & (business < 5e9)
    assert 0.60 < business[works].sum() / own[works].sum() < 0.80
    rows = larger.read(f"bureau/{MONTH}", "persons")
    assert 0.0003 < rows.duplicated().mean() < 0.003
    assert rows["person_id"].duplicated().sum() == rows.duplicated().sum()
    assert 0.012 < rows["labour_income"].isna().mean() < 0.035
    assert 0.04 < (rows["residence"] == "outside").mean() < 0.20


def test_money_is_in_the_published_size(larger: City) -> None:
    homes = larger.true("households", MONTH)
    homes = homes[~homes["is_group_quarters"]]
    parts = ["labour_income", "business_income", "property_income", "transfer_income", "irregular_income"]
    assert (homes[parts].sum(axis=1) == homes["total_income"]).all()
    assert 58e6 < homes["total_income"].mean() < 78e6
    shares = homes[parts].sum() / homes["total_income"].sum()
    for part, (low, high) in zip(parts, [(0.65, 0.76), (0.12, 0.18), (0.05, 0.10), (0.03, 0.07), (0.005, 0.02)], strict=True):
        assert low < shares[part] < high, part
    income = np.sort(homes["total_income"].to_numpy(float))
    rank = np.arange(1, len(income) + 1)
    assert 0.37 < 2 * (rank * income).sum() / len(income) / income.sum() - (len(income) + 1) / len(income) < 0.45
    assert 0.47 < (homes["debt"] > 0).mean() < 0.58
    assert 40e6 < homes["debt"].mean() < 90e6
    assert 2.0e6 < homes["spending_month"].mean() < 2.9e6


def test_months_are_a_panel(larger: City) -> None:
    first, second, last = (
        larger.read(f"bureau/{month}", "persons").set_index("person_id") for month in ("202001", "202002", "202012")
    )
    first, second, last = (rows[~rows.index.duplicated()] for rows in (first, second, last))
    assert first.index.isin(second.index).mean() > 0.985
    assert first.index.isin(last.index).mean() > 0.90
    both = first.join(second, how="inner", rsuffix="_later")
    living = both[both["residence"] == "seoul"]
    moved = living["home_address_id"].fillna("") != living["home_address_id_later"].fillna("")
    assert 0.004 < moved.mean() < 0.02
    assert (both["sex"] == both["sex_later"]).all()
    homes = {month: larger.true("households", month) for month in ("202001", "202012")}
    assert 0.97 < len(homes["202012"]) / len(homes["202001"]) < 1.03
    late = larger.true("persons", "202012")
    assert 0.05 <= late.loc[late["in_bureau"], "is_stale"].mean() <= 0.10
    known = set(larger.true("persons", "202001")["person_id"].dropna())
    born = late[(late["age"] == 0) & late["household_id"].notna()]
    assert len(born) > 0
    assert not set(born["person_id"].dropna()) & known


def test_register_is_evidence_not_truth(larger: City) -> None:
    residents = larger.read(f"city/{MONTH}", "residents")
    assert 0.003 < (residents["status"] == "unknown_residence").mean() < 0.010
    assert residents.groupby("register_household_id")["address_id"].nunique().max() == 1
    heads = (residents["relation_to_head"] == "head").groupby(residents["register_household_id"]).sum()
    assert 0 < (heads == 0).mean() < 0.02
    assert (heads <= 1).all()
    in_units = residents.dropna(subset=["unit_id"]).groupby("unit_id")["register_household_id"].nunique()
    assert 0.01 < (in_units > 1).mean() < 0.10


def test_survey_weights_add_up_and_the_rich_answer_less(larger: City) -> None:
    survey = larger.read("survey/2020", "households")
    homes = larger.true("households", "202011")
    homes = homes[~homes["is_group_quarters"]]
    assert len(survey) == 1000
    assert survey["weight"].astype(float).sum() == pytest.approx(len(homes), rel=0.001)
    total = survey[[c for c in survey if c.endswith("_income")]].astype(float).fillna(0).sum(axis=1)
    assert total.mean() < 0.97 * homes["total_income"].mean()


def test_wrong_orders_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    cases = [
        {"gu_codes": ["99999"]},
        {"gu_codes": []},
        {"fraction": 0.0},
        {"fraction": 1.5},
        {"months": []},
        {"truth": tmp_path / "landing" / "truth"},
    ]
    good = {
        "out": tmp_path / "landing",
        "truth": tmp_path / "truth",
        "gu_codes": [GU],
        "fraction": 0.01,
        "months": MONTHS,
        "seed": 1,
    }
    for case in cases:
        with pytest.raises(ConfigurationError):
            synthesize(spark, **{**good, **case})  # type: ignore[arg-type]
    assert not any(tmp_path.iterdir())
