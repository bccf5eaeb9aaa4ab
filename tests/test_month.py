"""Two months of the sample delivery, from landing to gold, and what must hold of the result."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console, RenderableType

from living_finance import tracking
from living_finance.catalog.explain import explain_figure, explain_household
from living_finance.cli import app
from living_finance.config import DatabaseSettings, TrackingSettings
from living_finance.contracts import bronze, codes, gold, quality, silver
from living_finance.contracts.core import Table
from living_finance.contracts.language import IN_DEVELOPMENT
from living_finance.contracts.utilization import HOUSEHOLD_CUBE, MADE_ON_PUBLICATION, PUBLISHED
from living_finance.errors import ConcurrentRun, ConfigurationError, MissingInput
from living_finance.households.layout import AGE_GROUP_STARTS
from living_finance.registry import Registry
from living_finance.steps.catalogue import GEOJSON
from living_finance.steps.explain import figure_facts, household_facts
from living_finance.steps.month import open_month, train_month
from living_finance.steps.publish import PublishOutcome, publish_month
from living_finance.steps.run import RunOutcome, RunPlan, make_months
from living_finance.storage.ledger import Ledger
from living_finance.storage.postgres import Database, open_database
from living_finance.storage.warehouse import Warehouse
from sample_months import FEBRUARY, JANUARY, LANDING, MONTHS, SETTINGS, read

FIFTHS = [f"fifth_{k}" for k in range(1, 6)]
AGES = ["age_0-29", "age_30-39", "age_40-49", "age_50-59", "age_60-119"]


def test_a_finished_month_is_up_to_date(spark: SparkSession, store: Warehouse) -> None:
    before = {month: Ledger(store.root).manifest(month) for month in MONTHS}
    assert all(before.values())
    outcome = make_months(spark, landing=LANDING, root=store.root, months=MONTHS, settings=SETTINGS)
    assert isinstance(outcome, RunOutcome)
    assert {r.outcome for r in outcome.receipts} == {"unchanged"}
    assert all(o.is_skipped for _, o in outcome.steps)
    assert {month: Ledger(store.root).manifest(month) for month in MONTHS} == before
    plan = make_months(spark, landing=LANDING, root=store.root, months=MONTHS, settings=SETTINGS, dry_run=True)
    assert isinstance(plan, RunPlan) and {line[1] for line in plan.lines[1:]} == {"up to date"}


def test_a_changed_setting_makes_what_depends_on_it_due(spark: SparkSession, store: Warehouse) -> None:
    plan = make_months(
        spark, landing=LANDING, root=store.root, months=MONTHS[:1], settings=SETTINGS.model_copy(update={"seed": 1}), dry_run=True
    )
    assert isinstance(plan, RunPlan) and plan.lines[1][1] == "cleanse, place, households, income, statistics, quality"
    assert plan.lines[0][1] == "receive nothing"


def test_a_step_that_rests_on_what_is_due_is_refused_and_the_month_stays(spark: SparkSession, store: Warehouse) -> None:
    changed = SETTINGS.model_copy(update={"seed": 1})
    with pytest.raises(MissingInput, match="rests on income"):
        make_months(spark, landing=LANDING, root=store.root, months=MONTHS[:1], settings=changed, only=["statistics"])
    assert Ledger(store.root).manifest(MONTHS[0])
    with pytest.raises(ConfigurationError, match="No step statistic"):
        make_months(spark, landing=LANDING, root=store.root, months=MONTHS[:1], settings=changed, only=["statistic"])


def test_a_month_made_from_other_deliveries_is_not_trained_on(
    spark: SparkSession, store: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_month(store, MONTHS[0], SETTINGS)
    newer = {**run.deliveries, "survey": dataclasses.replace(run.deliveries["survey"], content_sha256="of another")}
    with pytest.raises(MissingInput, match="other deliveries"):
        train_month(dataclasses.replace(run, deliveries=newer))
    with Ledger(store.root).lock(MONTHS[0]), pytest.raises(ConcurrentRun):
        train_month(run)


def test_every_delivered_row_is_accounted_for(store: Warehouse) -> None:
    report = read(store, gold.EDIT_REPORT).where(F.col("reason") == "all").groupBy("table").agg(
        F.sum(F.col("rows_kept") + F.col("rows_quarantined") + F.col("rows_removed")).alias("rows")
    )  # fmt: skip
    accounted = {row["table"]: row["rows"] for row in report.collect()}
    manifests = [json.loads(path.read_text()) for path in LANDING.glob("*/*/manifest.json") if "202002" not in str(path)]
    delivered: dict[str, int] = {}
    for manifest in manifests:
        for file in manifest["files"]:
            name = f"{manifest['dataset']}_{file['table']}"
            delivered[name] = delivered.get(name, 0) + file["rows"]
    assert accounted == delivered


def test_every_resident_with_an_address_is_in_exactly_one_household(store: Warehouse) -> None:
    persons = read(store, silver.PLACED_PERSON).where((F.col("residence") == "seoul") & F.col("home_address_id").isNotNull())
    members = read(store, gold.HOUSEHOLD_MEMBER)
    households = read(store, gold.HOUSEHOLD)
    assert persons.select("person_id").exceptAll(members.select("person_id")).isEmpty()
    assert members.select("person_id").exceptAll(persons.select("person_id")).isEmpty()
    assert members.join(households, on="household_id", how="left_anti").isEmpty()
    ids = households.agg(F.count(F.lit(1)).alias("rows"), F.count_distinct("household_id").alias("ids")).first()
    assert ids is not None and ids["rows"] == ids["ids"]


def test_households_of_both_months_are_in_the_lineage_once(store: Warehouse) -> None:
    lineage = store.read(gold.HOUSEHOLD_LINEAGE, base_month=FEBRUARY)
    sides = {
        FEBRUARY: lineage.where("is_main_previous").select("household_id"),
        JANUARY: lineage.where("is_main_successor").select(F.col("previous_household_id").alias("household_id")),
    }
    for month, found in sides.items():
        households = store.read(gold.HOUSEHOLD, base_month=month).select("household_id")
        assert found.exceptAll(households).isEmpty() and households.exceptAll(found).isEmpty()
    members = store.read(gold.HOUSEHOLD_MEMBER)
    stayed = members.where(F.col("base_month") == JANUARY).select("person_id", F.col("household_id").alias("was")).join(
        members.where(F.col("base_month") == FEBRUARY), on="person_id", how="inner"
    ).agg(F.avg((F.col("was") == F.col("household_id")).cast("int")).alias("share")).first()  # fmt: skip
    assert stayed is not None and stayed["share"] > 0.9


def test_another_january_makes_february_due_from_households_on(spark: SparkSession, store: Warehouse, tmp_path: Path) -> None:
    root = str(shutil.copytree(store.root, tmp_path / "copy"))
    ledger, month = Ledger(root), MONTHS[0]
    record = ledger.find(month, "households")
    assert record is not None
    ledger.record(month, dataclasses.replace(record, fingerprint="another"))
    plan = make_months(spark, landing=LANDING, root=root, months=MONTHS[1:], settings=SETTINGS, dry_run=True)
    assert isinstance(plan, RunPlan) and plan.lines[1][1] == "households, income, statistics, quality"


def test_the_error_of_householding_is_in_the_published_errors(store: Warehouse) -> None:
    budget = read(store, gold.ERROR_BUDGET).toPandas().set_index(["region_level", "figure"]).sort_index()
    assert (budget.loc["dong", list(gold.ERROR_PARTS)].drop(columns="model") > 0).all(axis=None)
    assert (budget["householding"].loc["dong"] > budget["householding"].loc["city"]).all()
    area = read(store, silver.AREA_INCOME).toPandas().set_index(["region_level", "region_code"])
    every = " and ".join(f"{name} = 'all'" for name in ("head_sex", "head_age_band", "household_type"))
    found = read(store, gold.HOUSEHOLD_STATISTICS).where(every).toPandas().set_index(["region_level", "region_code"])
    parts = area[["rmse_mean_total_income_krw_year", "householding_mean_total_income_krw_year"]].astype(float)
    wanted = ((parts**2).sum(axis=1) ** 0.5).reindex(found.index)
    assert found["rmse_mean_total_income_krw_year"].astype(float).to_numpy() == pytest.approx(wanted.to_numpy(), abs=1.0)


def test_weights_add_up_to_the_census(store: Warehouse) -> None:
    margins = read(store, silver.CENSUS_MARGIN).where(F.col("margin") == "households").select("output_area_id", "count")
    formed = read(store, gold.HOUSEHOLD).groupBy("output_area_id").agg(F.sum("weight").alias("weight"))
    gaps = margins.join(formed, on="output_area_id", how="full").select(F.abs(F.col("weight") - F.col("count")).alias("gap"))
    assert gaps.where(F.col("gap").isNull() | (F.col("gap") > 1e-6)).isEmpty()


def test_the_published_mean_is_met_and_totals_add_up_to_the_won(store: Warehouse) -> None:
    households = read(store, gold.HOUSEHOLD)
    benchmark = read(store, silver.BENCHMARK).where(
        (F.col("indicator") == "mean_total_income") & (F.col("dimension") == "all") & (F.col("region_code") == "11")
    )
    published = benchmark.first()
    mean = households.agg((F.sum(F.col("weight") * F.col(gold.TOTAL_INCOME)) / F.sum("weight")).alias("mean")).first()
    assert published is not None and mean is not None and mean["mean"] == pytest.approx(published["value"], rel=1e-6)
    gap = F.col(gold.TOTAL_INCOME) - sum((F.col(name) for name in gold.INCOME_COMPONENTS), F.lit(0))
    assert households.where(gap != 0).isEmpty()


@pytest.mark.parametrize(
    ("table", "count", "dimensions"),
    [
        (gold.HOUSEHOLD_STATISTICS, "households_unweighted", ("head_sex", "head_age_band", "household_type")),
        (gold.PERSON_STATISTICS, "persons", ("sex", "age_band")),
    ],
    ids=["households", "persons"],
)
def test_margins_agree_with_their_parts(store: Warehouse, table: Table, count: str, dimensions: tuple[str, ...]) -> None:
    cells = read(store, table)
    fixed = [name for name in table.key if name not in dimensions]
    for dimension in dimensions:
        others = [*fixed, *(name for name in dimensions if name != dimension)]
        parts = cells.where(F.col(dimension) != "all").groupBy(*others).agg(F.sum(count).alias("parts"))
        whole = cells.where(F.col(dimension) == "all").select(*others, F.col(count).alias("whole"))
        joined = whole.join(parts, on=others, how="full")
        assert joined.where(~F.col("parts").eqNullSafe(F.col("whole"))).isEmpty(), dimension
    levels = {"output_area": 11, "dong": 7, "gu": 5, "city": 2}
    all_rows = cells.where(" and ".join(f"{name} = 'all'" for name in dimensions))
    totals = {
        (row.get("place"), row["region_level"]): row["total"]
        for row in (
            r.asDict()
            for r in all_rows.groupBy(*(n for n in fixed if n != "region_code")).agg(F.sum(count).alias("total")).collect()
        )
    }
    for (place, level), total in totals.items():
        assert total == totals[place, "city"], (place, level)
        assert level in levels


def test_rows_say_which_registered_model_scored_them(store: Warehouse) -> None:
    versions = {v.label: v for v in Registry(TrackingSettings(), store.root).versions()}
    found = []
    for month in MONTHS:
        record = Ledger(store.root).find(month, "income")
        assert record is not None
        rows = store.read(gold.HOUSEHOLD, base_month=month.date).select("model_version").distinct().collect()
        assert [row["model_version"] for row in rows] == [record.facts["model_version"]]
        version = versions[record.facts["model_version"]]
        assert version.month <= month and version.number == record.facts["model"]["number"]
        assert any("mean_debt" in reason for reason in record.facts["not_met"])
        found.append(record.facts["model"])
    assert [facts["why"] for facts in found] == ["trained", "champion" if found[0]["is_promoted"] else "trained"]
    own, later = (facts["stability"] for facts in found)
    assert own.keys() == later.keys() >= {"score", "labour_score", "spending"}
    assert {value for name, value in own.items() if name != "score"} == {0.0}, "of its own month"
    assert 0.0 <= own["score"] < 0.25 and 0.0 <= later["score"] < 0.25
    assert (min(later["spending"], later["score"]) > 0.0) == (found[1]["why"] == "champion")


def test_the_run_of_householding_has_probabilities_fit_coverage_and_expected_loss(store: Warehouse) -> None:
    with tracking.store(TrackingSettings(), store.root) as (client, experiment):
        [run] = client.search_runs([experiment], filter_string=f"attributes.run_name = 'householding-{MONTHS[0]}'")
    found, metrics = run.data.params, run.data.metrics
    present = [f"present_{of}_{sex}{age}" for of in ("settled", "elsewhere") for sex in "FM" for age in AGE_GROUP_STARTS]
    assert all(0 <= float(found[name]) <= 1 for name in ("settled", "unit_known", *present))
    targets = read(store, silver.CALIBRATION_TARGET).toPandas()
    met = (targets["gap"].abs() <= 0.5).groupby(targets["margin"]).mean().add_prefix("met_").to_dict()
    counts = read(store, gold.COVERAGE).toPandas().filter(like="_persons").sum()
    sources = ("bureau", "register", "weighted")
    covered = {f"{source}_to_census": counts[f"{source}_persons"] / counts["census_persons"] for source in sources}
    assert len(met) == 7 and {name: metrics[name] for name in met | covered} == pytest.approx(met | covered)
    assert 0 < metrics["least_pair_loss"] <= metrics["expected_pair_loss"] < metrics["contested_persons"]


def test_quality_report_passes_or_says_why(store: Warehouse) -> None:
    rows = read(store, gold.QUALITY_REPORT).collect()
    assert len(rows) >= 10
    assert all(row["value"] is not None and row["passed"] is not None for row in rows)


def test_rows_of_households_and_members_are_whole_unique_and_agree(store: Warehouse) -> None:
    rows = read(store, quality.QUALITY_INDICATOR).where(F.col("object_name").isin("gold.household", "gold.household_member"))
    found = {(row["object_name"], row["indicator"]): row["value"] for row in rows.collect()}
    whole = [("gold.household", name) for name in ("rows_valid", "members_agree", "keys_unique")]
    of_members = ("residents_in_households", "rows_valid", "members_of_households", "keys_unique")
    whole += [("gold.household_member", name) for name in of_members]
    assert {key: found[key] for key in whole} == dict.fromkeys(whole, 1.0)
    assert 0.5 < found["gold.household_member", "assignments_expected_right"] < 1
    assert found["gold.household", "households_to_census"] == pytest.approx(1.0, abs=0.01)


def test_quality_is_written_for_staff_and_for_the_bureau(
    spark: SparkSession, store: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("living_finance.cli.figures.spark_session", lambda _: contextlib.nullcontext(spark))
    files = {"staff": tmp_path / "quality.html", "bureau": tmp_path / "bureau.csv"}
    for audience, file in files.items():
        arguments = ["--warehouse", store.root, "--month", "202001", "--for", audience, "--out", str(file)]
        app(["quality", *arguments], standalone_mode=False)
    assert "gold.household_member" in files["staff"].read_text(encoding="utf-8")
    rows = pd.read_csv(files["bureau"]).set_index(["region_level", "dimension"])
    residents = read(store, silver.PLACED_PERSON).where("residence = 'seoul'")
    assert rows.loc[("city", "all"), "bureau_persons"].tolist() == [residents.count()]
    assert rows.loc[("city", "all"), "old_address_persons"].tolist() == [
        residents.where("home_evidence = 'not_in_register'").count()
    ]
    assert {"sex", "age_band", "dwelling_type"} <= set(rows.index.get_level_values("dimension"))
    assert not rows["bureau_persons"].between(1, 4).any()


def test_nothing_of_the_deliveries_is_lost_in_bronze(store: Warehouse) -> None:
    for name, files in (("bureau_persons", "bureau/202001"), ("city_residents", "city/202001")):
        table = bronze.BRONZE_TABLES[name]
        rows = store.read(table, delivery_month=JANUARY).groupBy("file_name").agg(F.max("row_number").alias("n")).collect()
        manifest = json.loads((LANDING / files / "manifest.json").read_text())
        wanted = {f["name"]: f["rows"] for f in manifest["files"] if f["table"] == name.split("_")[1]}
        assert {row["file_name"]: row["n"] for row in rows} == wanted


# --- the utilization database, from the same two months ------------------------------------------------------------------


@pytest.fixture(scope="module")
def database(store: Warehouse) -> Iterator[Database]:
    with open_database(DatabaseSettings(), warehouse_root=store.root) as opened:
        yield opened


@pytest.fixture(scope="module")
def published(spark: SparkSession, store: Warehouse, database: Database) -> PublishOutcome:
    return publish_month(spark, root=store.root, month=MONTHS[0], settings=SETTINGS, database=database)


def test_a_published_month_holds_the_rows_of_its_delta_versions(published: PublishOutcome, store: Warehouse) -> None:
    manifest = Ledger(store.root).manifest(MONTHS[0])
    assert manifest is not None and not published.is_unchanged
    assert published.rows.keys() == {p.table.qualified_name for p in PUBLISHED}
    made = {table.qualified_name for table in MADE_ON_PUBLICATION}
    assert {n: r for n, r in published.rows.items() if n not in made} == {
        name: manifest["tables"][name]["rows"] for name in published.rows if name not in made
    }
    assert 0 < published.rows["gold.household_grid"] < published.rows["gold.building_grid"]
    assert published.rows["gold.building_grid"] == manifest["tables"]["silver.building"]["rows"]


def test_publishing_the_same_versions_again_changes_nothing(
    spark: SparkSession, published: PublishOutcome, store: Warehouse, database: Database
) -> None:
    before = database.publication(MONTHS[0])
    again = publish_month(spark, root=store.root, month=MONTHS[0], settings=SETTINGS, database=database)
    assert again.is_unchanged and again.rows == published.rows
    assert database.publication(MONTHS[0]) == before
    assert before is not None and before.facts["models"]["income"]["model_version"]
    assert before.facts["deliveries"]["bureau"]["month"] == "202001"


def test_rollups_of_the_cube_agree_with_gold(published: PublishOutcome, database: Database) -> None:
    """Income class `all` is household_statistics, income class alone is household_breakdown, and classes add up."""
    shared = [c for c in HOUSEHOLD_CUBE.column_names if c in gold.HOUSEHOLD_STATISTICS.column_names]
    measures = ", ".join(c for c in shared if c not in ("head_sex", "head_age_band", "household_type"))
    everything = f"select {', '.join(shared)} from gold.household_cube where income_class = 'all'"
    statistics = f"select {', '.join(shared)} from gold.household_statistics where region_level <> 'output_area'"
    alone = f"""select {measures}, income_class from gold.household_cube where income_class <> 'all'
        and head_sex = 'all' and head_age_band = 'all' and household_type = 'all'"""
    breakdown = f"""select {measures}, category from gold.household_breakdown
        where region_level <> 'output_area' and dimension = 'income_class'"""
    apart = """select 1 from gold.household_cube group by region_code, head_sex, head_age_band, household_type
        having abs(2 * sum(households) filter (where income_class = 'all') - sum(households)) > 1e-6"""
    with database.connection(role=None) as connection:
        for left, right in ((everything, statistics), (statistics, everything), (alone, breakdown), (breakdown, alone)):
            assert connection.execute(f"({left}) except ({right}) limit 3".encode()).fetchall() == []
        assert connection.execute(apart.encode()).fetchall() == []


def test_cells_of_the_grid_add_up_to_the_city(published: PublishOutcome, database: Database) -> None:
    """Every building of the sample is in the list, and in one cell of its output area."""
    query = """select sum(households), sum(households_unweighted), sum(households * mean_total_income_krw_year) / sum(households)
        from gold.household_grid"""
    city = """select households, households_unweighted, mean_total_income_krw_year from gold.household_statistics
        where region_level = 'city' and head_sex = 'all' and head_age_band = 'all' and household_type = 'all'"""
    with database.connection(role=None) as connection:
        cells, whole = (connection.execute(text.encode()).fetchone() for text in (query, city))
        apart = connection.execute(b"select 1 from gold.household_grid where mod(x_m, 250) <> 0 or mod(y_m, 250) <> 0").fetchall()
        buildings = connection.execute(b"select sum(buildings) from gold.output_area_grid").fetchall()
    assert buildings == [(published.rows["gold.building_grid"],)]
    assert cells is not None and whole is not None and apart == []
    assert [float(value) for value in cells] == pytest.approx([float(value) for value in whole], rel=1e-6)


def test_a_figure_is_explained_from_delivery_to_calibration(spark: SparkSession, store: Warehouse) -> None:
    district = read(store, gold.HOUSEHOLD).select("gu_code").first()
    assert district is not None
    facts = figure_facts(spark, root=store.root, table="gold.household_statistics", month=MONTHS[0], region=district["gu_code"])
    assert facts.deliveries.keys() == {"benchmarks", "bureau", "census", "city", "regions", "survey"}
    persons = next(e for e in facts.edits if e["table"] == "bureau_persons" and e["reason"] == "all")
    assert persons["rows_kept"] + persons["rows_quarantined"] + persons["rows_removed"] > 0
    assert [s["step"] for s in facts.steps if s["model_version"]] == ["households", "income"]
    assert facts.versions["gold.household_statistics"]["rows"] > 0
    own = read(store, gold.EDIT_REPORT).where((F.col("gu_code") == district["gu_code"]) & (F.col("reason") == "all"))
    assert {e["table"]: e["rows_kept"] for e in facts.edits if e["reason"] == "all"} == {
        row["table"]: row["rows_kept"] for row in own.collect()
    }
    assert facts.weights["sum of weights"] == pytest.approx(facts.figures["households"])
    assert facts.areas["households by weight"] == pytest.approx(facts.areas["households aimed at"], abs=0.01)
    assert sum(target["targets"] for target in facts.targets) == facts.areas["targets"]
    paid = read(store, silver.BENEFIT).where(F.col("dong_code").startswith(district["gu_code"])).agg(F.sum("amount_krw")).first()
    monthly = sum(part["paid_krw_month"] for part in facts.transfers[:-1])
    assert paid is not None and monthly == pytest.approx(paid[0], rel=1e-6)
    transfer = facts.figures["mean_transfer_income_krw_year [KRW/year]"]
    assert sum(part["mean_krw_year"] for part in facts.transfers) == transfer > facts.transfers[-1]["mean_krw_year"] > 0
    shown = _text(explain_figure(facts))
    assert "bureau" in shown and "household_size" in shown and facts.steps[2]["model_version"][:12] in shown
    assert f"delivered rows of the district {district['gu_code']}" in shown and "whole city, before and after" in shown
    number = next(s["registry_number"] for s in facts.steps if s["step"] == "income")
    assert number in {v.number for v in Registry(TrackingSettings(), store.root).versions()}
    with pytest.raises(MissingInput):
        figure_facts(spark, root=store.root, table="gold.household_statistics", month=MONTHS[0], region="9999999")


def test_a_figure_of_the_city_is_explained_with_all_rows_and_the_published_income(spark: SparkSession, store: Warehouse) -> None:
    facts = figure_facts(spark, root=store.root, table="gold.household_statistics", month=MONTHS[0], region="11")
    kept = read(store, gold.EDIT_REPORT).where("reason = 'all' and table = 'bureau_persons'").agg(F.sum("rows_kept")).first()
    assert kept is not None
    assert next(e["rows_kept"] for e in facts.edits if (e["table"], e["reason"]) == ("bureau_persons", "all")) == kept[0]
    adjusted = {entry["figure"]: entry for entry in facts.adjustment}
    assert list(adjusted) == ["total", *(n.removesuffix("_income_krw_year") for n in gold.INCOME_COMPONENTS), *FIFTHS, *AGES]
    total = adjusted["total"]
    assert total["after_krw_year"] == facts.figures["mean_total_income_krw_year [KRW/year]"]
    assert total["after_krw_year"] == pytest.approx(total["published_krw_year"], rel=1e-6) and total["source"]
    assert total["before_krw_year"] == pytest.approx(sum(adjusted[n]["before_krw_year"] for n in list(adjusted)[1:6]), abs=5)
    assert all(entry["after_krw_year"] for entry in facts.adjustment)
    assert facts.joint_test is not None and facts.joint_test["figures"] == 14 and 0 <= facts.joint_test["probability"] <= 1
    shown = _text(explain_figure(facts))
    assert "delivered rows of the whole city" in shown and f"{total['before_krw_year']:,}" in shown
    assert facts.not_met and all(line[:40] in shown for line in facts.not_met)


def test_figures_of_a_breakdown_and_of_persons_are_explained_by_group(spark: SparkSession, store: Warehouse) -> None:
    asked: dict[str, Any] = {"root": store.root, "month": MONTHS[0], "region": "11"}
    facts = figure_facts(spark, table="gold.household_breakdown", **asked)
    own = read(store, gold.HOUSEHOLD_BREAKDOWN).where("region_code = '11'").collect()
    assert facts.rows == len(own) and facts.weights["sum of weights"] > 0 and facts.adjustment
    assert {(g["dimension"], g["category"], g["mean_total_income_krw_year [KRW/year]"]) for g in facts.groups} == {
        (row["dimension"], row["category"], row["mean_total_income_krw_year"]) for row in own
    }
    assert "income_class" in _text(explain_figure(facts))

    facts = figure_facts(spark, table="gold.person_statistics", **asked)
    everybody = read(store, gold.PERSON_STATISTICS).where("region_code = '11' and sex = 'all' and age_band = 'all'").collect()
    assert {g["place"]: g["persons"] for g in facts.groups} == {row["place"]: row["persons"] for row in everybody}
    assert len(everybody) == 2 and not facts.weights and [s["step"] for s in facts.steps] == ["cleanse", "place", "statistics"]
    with pytest.raises(MissingInput, match=r"gold.person_statistics has no region 1\d{10}"):
        area = read(store, silver.OUTPUT_AREA).select("output_area_id").first()
        assert area is not None
        figure_facts(spark, table="gold.person_statistics", **asked | {"region": area["output_area_id"]})


def test_a_household_is_explained_by_its_members_evidence(spark: SparkSession, store: Warehouse) -> None:
    member = read(store, gold.HOUSEHOLD_MEMBER).first()
    assert member is not None
    asked: dict[str, Any] = {"root": store.root, "household_id": member["household_id"], "month": MONTHS[0]}
    facts = household_facts(spark, **asked, districts={member["gu_code"]})
    assert member.asDict() in facts.members and len(facts.members) == facts.household["bureau_members"]
    assert facts.household["total_income_krw_year"] == sum(facts.household[name] for name in gold.INCOME_COMPONENTS)
    shown = _text(explain_household(facts))
    assert member["assignment_evidence"] in shown and IN_DEVELOPMENT.both in shown
    labour = next(line for line in shown.splitlines() if "by rank among peers" in line)
    adjusted = next(entry for entry in facts.adjustment if entry["figure"] == "labour")
    wanted = [facts.before_income["bureau_labour_income_krw_year"], facts.household["labour_income_krw_year"]]
    wanted += [adjusted["before_krw_year"], adjusted["after_krw_year"]]
    assert [cell for cell in map(str.strip, labour.split("│")) if cell.replace(",", "").isdigit()] == [f"{v:,}" for v in wanted]
    assert {row["programme"] for row in facts.paid} <= set(codes.PROGRAMME.codes) and facts.paid
    with pytest.raises(MissingInput, match="in the districts granted to this login"):
        household_facts(spark, **asked, districts={"11999"})


def test_what_the_commands_show_says_that_it_is_in_development(
    spark: SparkSession, store: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("living_finance.cli.figures.spark_session", lambda _: contextlib.nullcontext(spark))
    of_month = ("--warehouse", store.root, "--month", "202001")
    for command in (("analyse", "inequality", "--lang", "en"), ("explain", "gold.household_statistics")):
        app([*command, *of_month], standalone_mode=False)
        said = " ".join(capsys.readouterr().out.split())
        assert IN_DEVELOPMENT.en in said, command
        assert "gold.household_statistics" in said or "Source: gold.household v" in said


def test_the_catalogue_has_boundaries_of_the_regions_of_the_newest_month(
    spark: SparkSession, store: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("living_finance.cli.figures.spark_session", lambda _: contextlib.nullcontext(spark))
    app(["catalog", "--warehouse", store.root, "--out", str(tmp_path), "--boundaries"], standalone_mode=False)
    found = {f["properties"]["region_code"] for f in json.loads((tmp_path / GEOJSON).read_text(encoding="utf-8"))["features"]}
    regions = store.read(silver.REGION, base_month=FEBRUARY).select("dong_code", "gu_code").collect()
    assert found == {row["dong_code"] for row in regions} | {row["gu_code"] for row in regions}


def _text(told: RenderableType) -> str:
    console = Console(width=250, file=io.StringIO())
    console.print(told)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
