"""The catalogue: metadata items, join keys, lineage and versions; its vocabulary is shared with releases."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pandas as pd
import pytest
import rdflib
from rdflib.namespace import DCAT, DCTERMS, PROV, RDF, RDFS, SKOS

from living_finance.catalog.products import KOREAN_ITEMS, MonthVersions, product_catalogue, product_list
from living_finance.config import CatalogSettings
from living_finance.contracts import STORED_TABLES, gold, quality, silver
from living_finance.contracts import catalogue as c
from living_finance.contracts.core import Layer, Measure
from living_finance.contracts.gold import GOLD_TABLES
from living_finance.contracts.language import IN_DEVELOPMENT
from living_finance.contracts.utilization import MADE_ON_PUBLICATION
from living_finance.dcat import BASE, Dataset, Description
from living_finance.errors import MissingInput
from living_finance.months import Month
from living_finance.quality.evidence import PRODUCTS
from living_finance.steps import month as month_steps
from living_finance.steps import quality as quality_steps
from living_finance.steps.catalogue import JSON_LD, LIST, write_catalogue
from living_finance.storage.ledger import Ledger, StepRecord
from living_finance.storage.warehouse import Commit

JANUARY = Month(2020, 1)
SETTINGS = CatalogSettings()
STATISTICS = f"{BASE}gold.household_statistics"


def versions(month: Month = JANUARY) -> MonthVersions:
    names = [table.qualified_name for table in STORED_TABLES.values() if table.layer in (Layer.SILVER, Layer.GOLD)]
    deliveries = {
        name: {"month": "202001", "number": 1 if name == "bureau" else 0, "sha256": "ab"}
        for name in ("bureau", "city", "census", "survey", "benchmarks", "regions")
    }
    return MonthVersions(
        month, {name: {"version": 7, "rows": 3} for name in names}, deliveries, {"income": "m1", "households": "h1"}
    )


@pytest.fixture(scope="module")
def graph() -> rdflib.Graph:
    return rdflib.Graph().parse(data=product_catalogue([versions()], settings=SETTINGS), format="json-ld")


def test_every_product_is_in_the_catalogue_once() -> None:
    listed = [product.table for product in c.PRODUCTS]
    assert sorted(t.qualified_name for t in listed) == sorted(t.qualified_name for t in (*GOLD_TABLES, *MADE_ON_PUBLICATION))
    assert all(product.description_ko and product.description_en for product in c.PRODUCTS)


def test_every_metadata_item_of_a_product_is_said(graph: rdflib.Graph) -> None:
    for product in c.PRODUCTS:
        series = rdflib.URIRef(f"{BASE}{product.table.qualified_name}")
        for predicate in (
            *(DCTERMS.title, DCTERMS.description, DCTERMS.publisher, DCAT.contactPoint, DCTERMS.accrualPeriodicity),
            *(DCTERMS.spatial, DCTERMS.temporal, DCTERMS.source, DCTERMS.rights, DCTERMS.accessRights),
            rdflib.URIRef("http://data.europa.eu/r5r/applicableLegislation"),
        ):
            assert list(graph.objects(series, predicate)), (series, predicate)
        languages = {title.language for title in graph.objects(series, DCTERMS.title) if isinstance(title, rdflib.Literal)}
        assert languages == {"ko", "en"}
        rights = " ".join(
            str(label) for node in graph.objects(series, DCTERMS.rights) for label in graph.objects(node, RDFS.label)
        )
        assert (SETTINGS.licence in rights) == (product.access is c.RELEASABLE)
        assert not list(graph.objects(series, DCTERMS.license)), "a table inside is licensed to nobody"
    rows = product_list([versions()], settings=SETTINGS)
    assert list(rows.columns) == list(KOREAN_ITEMS) and len(rows) == len(c.PRODUCTS)
    assert set(rows["승인 여부"]) == {IN_DEVELOPMENT.ko}
    made = rows[~rows["제목"].isin([table.label_ko for table in MADE_ON_PUBLICATION])]
    assert (made[list(KOREAN_ITEMS)].drop(columns="결합 키").astype(str) != "").all(axis=None)


def test_months_carry_version_lineage_and_model(graph: rdflib.Graph) -> None:
    made = rdflib.URIRef(f"{STATISTICS}:202001")
    assert (made, RDF.type, DCAT.Dataset) in graph
    assert (made, rdflib.URIRef(f"{DCAT}inSeries"), rdflib.URIRef(STATISTICS)) in graph
    assert (made, rdflib.URIRef(f"{DCAT}version"), rdflib.Literal("7")) in graph
    reached = set(graph.transitive_objects(made, PROV.wasDerivedFrom))
    deliveries = {str(uri).removeprefix(f"{BASE}delivery:") for uri in reached if "delivery:" in str(uri)}
    assert deliveries == {*("bureau:202001.r1", "city:202001.r0", "census:202001.r0", "survey:202001.r0", "benchmarks:202001.r0")}
    runs = {run for uri in reached for run in graph.objects(uri, PROV.wasGeneratedBy)}
    models = {str(model) for run in runs for model in graph.objects(run, PROV.used)}
    assert models == {f"{BASE}model:income:m1", f"{BASE}model:households:h1"}


def test_nothing_in_the_graph_hangs(graph: rdflib.Graph) -> None:
    """Every node of ours that is pointed at is described."""
    pointed = {o for o in graph.objects() if isinstance(o, rdflib.URIRef) and str(o).startswith(BASE)}
    assert {str(node) for node in pointed if not list(graph.predicate_objects(node))} == set()


def test_join_keys_are_public_codes(graph: rdflib.Graph) -> None:
    names = {key.column for key in c.JOIN_KEYS}
    columns = [column for table in STORED_TABLES.values() for column in table.columns if column.name in names]
    assert columns and all(column.measure is not Measure.PSEUDONYMISED for column in columns)
    assert not names & {"person_id", "household_id", "address_id", "unit_id", "register_household_id"}
    keys = {str(key) for key in graph.objects(rdflib.URIRef(STATISTICS), DCTERMS.references)}
    assert keys == {f"{BASE}join-key:region_code", f"{BASE}join-key:mois_code"}


def test_indicators_have_labels_and_units(graph: rdflib.Graph) -> None:
    subjects = {str(subject) for subject in graph.objects(rdflib.URIRef(STATISTICS), DCTERMS.subject)}
    assert f"{BASE}indicator:gini_total_income" in subjects and f"{BASE}indicator:region_code" not in subjects
    mean = rdflib.URIRef(f"{BASE}indicator:mean_total_income_krw_year")
    assert (mean, SKOS.prefLabel, rdflib.Literal("평균 총소득", lang="ko")) in graph
    assert (mean, rdflib.URIRef("http://schema.org/unitText"), rdflib.Literal("KRW/year")) in graph


def test_lineage_covers_every_table_and_ends_in_deliveries() -> None:
    stored = [table for table in STORED_TABLES.values() if table.layer in (Layer.SILVER, Layer.GOLD)]
    assert {table.qualified_name for table in (*stored, *MADE_ON_PUBLICATION)} == set(c.MADE_FROM)
    assert [table.qualified_name for table in stored if not c.deliveries_of(table)] == []


STEP_OF = {
    "place": ("PLACED_PERSON", "ADDRESS"),
    "form_households": ("gold.HOUSEHOLD_MEMBER", "silver.HOUSEHOLD", "silver.OUTPUT_AREA", "silver.CALIBRATION_TARGET"),
    "coverage_of": ("gold.COVERAGE",),
    "income_evidence_of model_income householding_error_of": ("gold.HOUSEHOLD", "silver.AREA_INCOME", "gold.ERROR_BUDGET"),
}


@pytest.mark.parametrize("functions", STEP_OF)
def test_lineage_is_what_the_steps_read(functions: str) -> None:
    source = "".join(inspect.getsource(getattr(month_steps, function)) for function in functions.split())
    read = set(re.findall(r"(?<!commit\()\b(silver|gold)\.([A-Z_]+)", source))
    named = {getattr({"silver": silver, "gold": gold}[layer], name).qualified_name for layer, name in read}
    for name in STEP_OF[functions]:
        table = getattr(gold if name.startswith("gold") else silver, name.rpartition(".")[2])
        wanted = {t.qualified_name for t in c.MADE_FROM[table.qualified_name]}
        assert wanted <= named, name


def test_lineage_of_quality_is_what_its_step_reads() -> None:
    """All of it: what is read is a source of one of the tables, and the other way round."""
    read = re.findall(r"\b(silver|gold)\.([A-Z_]+)", inspect.getsource(quality_steps.read_evidence))
    tables = {getattr({"silver": silver, "gold": gold}[layer], name) for layer, name in read} | {*PRODUCTS}
    assert tables == {source for table in quality.QUALITY_TABLES for source in c.MADE_FROM[table.qualified_name]}


def test_the_same_months_give_the_same_bytes() -> None:
    months = [versions(), versions(Month(2020, 2))]
    assert product_catalogue(months, settings=SETTINGS) == product_catalogue(months, settings=SETTINGS)


def test_the_command_reads_the_ledger_and_no_table(tmp_path: Path) -> None:
    root = tmp_path / "warehouse"
    with pytest.raises(MissingInput):
        write_catalogue(str(root), out=tmp_path / "out", settings=SETTINGS)
    ledger = Ledger(str(root))
    record = StepRecord("income", "f", (Commit("gold.household", 3, 10),), 1.0, {"model_version": "m9"})
    ledger.record(JANUARY, record)
    ledger.publish(JANUARY, [record])
    write_catalogue(str(root), out=tmp_path / "out", settings=SETTINGS)
    graph = rdflib.Graph().parse(tmp_path / "out" / JSON_LD, format="json-ld")
    made = rdflib.URIRef(f"{BASE}gold.household:202001")
    assert (made, rdflib.URIRef(f"{DCAT}version"), rdflib.Literal("3")) in graph
    rows = pd.read_csv(tmp_path / "out" / LIST, encoding="utf-8-sig")
    assert "m9" in str(rows.loc[rows["제목"] == gold.HOUSEHOLD.label_ko, "모형 버전"].iloc[0])


def test_what_is_empty_is_not_said() -> None:
    description = Description()
    uri = description.dataset(Dataset(uri=f"{BASE}x", title=("가", "a")))
    assert set(description.graph.predicates(rdflib.URIRef(uri))) == {RDF.type, DCTERMS.title}
