"""One month from accepted deliveries to gold: six steps, each repeatable, each skipped when nothing it rests on has changed."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from living_finance import tracking
from living_finance.cleansing import persons as person_rules
from living_finance.cleansing import reference, register, yearly
from living_finance.cleansing.disposition import Cleansed
from living_finance.config import Settings, conf_file
from living_finance.contracts import bronze, codes, gold, silver
from living_finance.contracts.core import Table
from living_finance.errors import MissingInput
from living_finance.households import PreviousMonth, householding
from living_finance.households.model import AssignmentModel
from living_finance.households.tenure import fit_tenure
from living_finance.income.drift import input_shares, stability
from living_finance.income.estimate import EstimatedIncome, IncomeEvidence, adjustment, estimate_income, gather_income
from living_finance.income.gate import Verdict
from living_finance.income.householding_error import HouseholdingError, fit_householding_error
from living_finance.income.programme_rules import MonthRules, rules_of_month
from living_finance.income.published import published_figures
from living_finance.months import Month
from living_finance.places.placing import place_persons, summarise_addresses
from living_finance.quality import indicators as quality
from living_finance.quality.coverage import coverage
from living_finance.quality.edit_report import edit_report
from living_finance.quality.householding import householding_metrics
from living_finance.quality.model import model_indicators
from living_finance.registry import ModelVersion, Registry, champion_of
from living_finance.statistics.households import household_breakdown, household_statistics
from living_finance.statistics.persons import person_statistics
from living_finance.steps.models import YEARLY, Circumstances, choose_model, train_version
from living_finance.steps.purge import PURGED
from living_finance.steps.quality import assess, month_facts
from living_finance.steps.receive import regions_for
from living_finance.storage.ledger import Ledger, StepRecord
from living_finance.storage.register import Delivery, DeliveryRegister
from living_finance.storage.warehouse import Commit, Warehouse, Write

log = logging.getLogger(__name__)

_DIGITS = 12
"""Of a delivery's fingerprint that a model keeps."""
_REDONE_AREAS = 200
"""Output areas on which the error of householding is estimated."""

_BYTES_PER_BUILDING = 150
"""A building's row as the joins of `places` send it, in memory; measured on Parquet of the full city."""


@dataclass
class MonthRun:
    """One month in the making: where, with what settings, from which deliveries."""

    warehouse: Warehouse
    month: Month
    settings: Settings
    deliveries: Mapping[str, Delivery]
    commits: list[Commit] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def is_provisional(self) -> bool:
        """Whether a census, survey or benchmarks of another year had to serve."""
        return any(delivery.is_provisional for delivery in self.deliveries.values())

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.warehouse.root)

    @cached_property
    def programmes(self) -> MonthRules:
        """Who may receive benefit programmes in the month."""
        file = conf_file("programmes.yaml")
        return rules_of_month(file.read_text(encoding="utf-8"), name=str(file), month=self.month)

    def read(self, table: Table) -> DataFrame:
        """The month's slice of a silver or gold table."""
        return self.warehouse.read(table, base_month=self.month.date)

    def bronze(self, dataset: str, name: str) -> DataFrame:
        """The rows of the delivery that counts, as delivered."""
        delivery = self.deliveries[dataset]
        return self.warehouse.read(
            bronze.BRONZE_TABLES[f"{dataset}_{name}"],
            delivery_month=delivery.month.date,
            delivery_number=delivery.number,
        )

    def commit(self, table: Table, frame: DataFrame, expected_rows: int | None = None) -> Commit:
        """Replace the month's slice of a table."""
        done = self.warehouse.commit(table, frame, partition={"base_month": self.month.date}, expected_rows=expected_rows)
        self.commits.append(done)
        return done

    def commit_together(self, writes: Iterable[tuple[Table, DataFrame, int | None]]) -> None:
        """Replace the month's slices of independent tables side by side."""
        partition = {"base_month": self.month.date}
        slices = [Write(table, frame, partition, expected_rows) for table, frame, expected_rows in writes]
        self.commits.extend(self.warehouse.commit_together(slices))

    def track(self, fit: tracking.TrackedFit) -> None:
        """Log a fit as a run in MLflow, with the versions of the tables written so far, and note it for the ledger."""
        self.facts["mlflow_run_id"] = tracking.track(
            fit,
            settings=self.settings.tracking,
            warehouse_root=self.warehouse.root,
            month=self.month,
            data_versions={commit.table: commit.version for commit in self.commits},
            code_version=code_version(),
            seed=self.settings.seed,
        )
        self.facts["model_version"] = fit.model_version

    def rows(self, table: Table) -> int:
        """Rows last committed to a table by this run or, for a skipped step, by the run before."""
        return self._last_commit(table).rows

    def version(self, table: Table) -> int:
        """Delta version of that commit."""
        return self._last_commit(table).version

    def _last_commit(self, table: Table) -> Commit:
        noted = [c for step in STEPS if (record := self.ledger.find(self.month, step.name)) for c in record.commits]
        return next(c for c in reversed([*noted, *self.commits]) if c.table == table.qualified_name)

    def can_broadcast_buildings(self) -> bool:
        limit = self.settings.spark.broadcast_limit_mb * 2**20
        return 0 < self.rows(silver.BUILDING) * _BYTES_PER_BUILDING <= limit


def cleanse(run: MonthRun) -> None:
    """Bronze → silver tables, with every row kept, removed or quarantined, and gold.edit_report."""
    month = run.month
    refuse_purged(run, month, {"bronze.bureau_persons", "bronze.city_residents"})
    regions = regions_for(run.warehouse, month)
    settings = run.settings

    def reference_of(dataset: str) -> Month:
        return run.deliveries[dataset].month

    jobs: list[tuple[str, str, Table, Callable[[DataFrame], Cleansed]]] = [
        (
            "regions",
            "regions",
            silver.REGION,
            lambda r: yearly.cleanse_regions(r, month=month, reference_month=reference_of("regions")),
        ),
        ("city", "buildings", silver.BUILDING, lambda r: reference.cleanse_buildings(r, month=month, regions=regions)),
        (
            "city",
            "establishments",
            silver.ESTABLISHMENT,
            lambda r: reference.cleanse_establishments(r, month=month, regions=regions),
        ),
        ("city", "benefits", silver.BENEFIT, lambda r: reference.cleanse_benefits(r, month=month, regions=regions)),
        ("city", "residents", silver.REGISTER_PERSON, lambda r: register.cleanse_residents(r, month=month, regions=regions)),
        (
            "bureau",
            "persons",
            silver.PERSON,
            lambda r: person_rules.cleanse_persons(
                r, month=month, regions=regions, settings=settings.cleansing, seed=settings.seed
            ),
        ),
        (
            "census",
            "margins",
            silver.CENSUS_MARGIN,
            lambda r: yearly.cleanse_margins(r, month=month, regions=regions, reference_month=reference_of("census")),
        ),
        (
            "survey",
            "households",
            silver.SURVEY_HOUSEHOLD,
            lambda r: yearly.cleanse_survey(r, month=month, regions=regions, reference_month=reference_of("survey")),
        ),
        (
            "benchmarks",
            "benchmarks",
            silver.BENCHMARK,
            lambda r: yearly.cleanse_benchmarks(r, month=month, regions=regions, reference_month=reference_of("benchmarks")),
        ),
    ]
    cleansed = {f"{dataset}_{name}": clean(run.bronze(dataset, name)) for dataset, name, _, clean in jobs}
    rows_in = {f"{dataset}_{name}": run.deliveries[dataset].rows[name] for dataset, name, _, _ in jobs}
    set_aside = functools.reduce(DataFrame.unionByName, (c.set_aside for c in cleansed.values()))
    run.commit(silver.SET_ASIDE, set_aside)
    counted = run.read(silver.SET_ASIDE).groupBy("table_name").count().collect()  # ok: one row per table
    left_out = {row["table_name"]: row["count"] for row in counted}
    tables = {f"{dataset}_{name}": table for dataset, name, table, _ in jobs}
    run.commit_together((table, cleansed[name].kept, rows_in[name] - left_out.get(name, 0)) for name, table in tables.items())
    run.facts["deliveries"] = _delivered(run)
    run.facts["rows"] = {name: {"in": rows_in[name], "left_out": left_out.get(name, 0)} for name in tables}
    written = {
        name: (run.read(table), run.read(silver.SET_ASIDE).where(F.col("table_name") == name)) for name, table in tables.items()
    }
    run.commit(gold.EDIT_REPORT, edit_report(month=month, tables=written))


def _delivered(run: MonthRun) -> dict[str, dict[str, Any]]:
    """The deliveries that a month is made from, for the ledger."""
    return {
        name: {"month": str(d.month), "number": d.number, "sha256": d.content_sha256, "is_provisional": d.is_provisional}
        for name, d in sorted(run.deliveries.items())
    }


def place(run: MonthRun) -> None:
    """Silver persons and addresses with building, output area, dong and district."""
    register_persons, buildings, establishments = (
        run.read(table) for table in (silver.REGISTER_PERSON, silver.BUILDING, silver.ESTABLISHMENT)
    )
    broadcast = run.can_broadcast_buildings()
    placed = place_persons(
        run.read(silver.PERSON),
        register=register_persons,
        buildings=buildings,
        establishments=establishments,
        broadcast_buildings=broadcast,
    )
    run.commit(silver.PLACED_PERSON, placed, expected_rows=run.rows(silver.PERSON))
    addresses = summarise_addresses(
        run.read(silver.PLACED_PERSON),
        register=register_persons,
        buildings=buildings,
        establishments=establishments,
        broadcast_buildings=broadcast,
    )
    run.commit(silver.ADDRESS, addresses)


def form_households(run: MonthRun) -> None:
    """Persons → households with weights, ids that last over months, and their lineage; the fit is a run in MLflow."""
    formed = householding(
        persons=run.read(silver.PLACED_PERSON),
        register=run.read(silver.REGISTER_PERSON),
        buildings=run.read(silver.BUILDING),
        margins=run.read(silver.CENSUS_MARGIN),
        rows=run.rows(silver.PLACED_PERSON) + run.rows(silver.REGISTER_PERSON),
        previous=_previous_month(run),
        **_about_householding(run),
    )
    shared = [frame.persist(StorageLevel.DISK_ONLY) for frame in formed.shared]
    run.commit(gold.HOUSEHOLD_MEMBER, formed.member)
    run.commit(silver.HOUSEHOLD, formed.household)
    run.commit(silver.HOUSEHOLD_REGISTER, formed.register)
    run.commit(gold.HOUSEHOLD_LINEAGE, formed.lineage)
    run.commit(silver.OUTPUT_AREA, formed.output_area)
    run.commit(silver.CALIBRATION_TARGET, formed.calibration)
    run.commit(gold.COVERAGE, coverage_of(run))
    model = formed.model
    metrics = householding_metrics(
        members=run.read(gold.HOUSEHOLD_MEMBER),
        areas=run.read(silver.OUTPUT_AREA),
        targets=run.read(silver.CALIBRATION_TARGET),
        coverage=run.read(gold.COVERAGE),
        accuracy=formed.accuracy,
    )
    for frame in shared:
        frame.unpersist()
    run.facts["deliveries"] = _delivered(run)
    run.track(tracking.TrackedFit("householding", model.version, model.parameters, metrics, model.notes, model.to_json()))


def model_income(run: MonthRun) -> None:
    """Households with income by component and the error of every region's mean, scored with a registered model."""
    evidence = income_evidence_of(run)
    chosen = choose_model(circumstances_of(run), evidence, fingerprint=fingerprints(run)["income"])
    estimated = estimate_income(
        evidence,
        model=chosen.model,
        version=chosen.version.label,
    )
    run.commit(gold.HOUSEHOLD, estimated.household, expected_rows=run.rows(silver.HOUSEHOLD))
    area, budget = estimated.errors(householding_error_of(run, estimated))
    draws = estimated.draws_of_regions()
    for table, rows in ((silver.AREA_INCOME, area), (silver.AREA_INCOME_DRAW, draws), (gold.ERROR_BUDGET, budget)):
        run.commit(table, run.warehouse.spark.createDataFrame(rows, table.schema()))
    estimated.release()
    evidence.release()
    moved = {**chosen.stability, "score": stability(estimated.scores, chosen.scores_then)}
    drift = {f"stability_{name}": value for name, value in moved.items()}
    fit = estimated.fit
    content = json.dumps(fit.content, sort_keys=True, indent=1, ensure_ascii=False, default=str)
    notes = (*fit.notes, *(f"training is due: {reason}" for reason in chosen.due))
    metrics = {**fit.metrics, **drift}
    run.track(tracking.TrackedFit("income", fit.model_version, fit.parameters, metrics, notes, content))
    run.facts["model"] = dataclasses.replace(chosen, stability=moved).facts()
    run.facts["adjustment"] = adjustment(fit.metrics, evidence.published)
    run.facts["joint_test"] = dataclasses.asdict(fit.joint_test) if fit.joint_test else None
    run.facts["not_met"] = list(evidence.refused)
    run.facts["notes"] = list(evidence.notes)


def householding_error_of(run: MonthRun, estimated: EstimatedIncome) -> HouseholdingError | None:
    """A sample of output areas put into households, weighted and given incomes again: as published, then by draws.

    The areas come by the hash of their codes. The model of the assignment is fitted to their people, once for all draws.
    """
    draws = run.settings.income.householding_draws
    if draws == 0:
        return None
    inhabited = run.read(silver.OUTPUT_AREA).where("target_households > 0 and formed_households > 0")
    areas = inhabited.orderBy(F.xxhash64("output_area_id"), "output_area_id").limit(_REDONE_AREAS).select("output_area_id")
    areas = areas.persist()
    buildings = run.read(silver.BUILDING).join(F.broadcast(areas), on="output_area_id", how="left_semi").persist()
    homes = F.broadcast(buildings.select("address_id"))
    at_home = homes.withColumnRenamed("address_id", "home_address_id")
    persons = run.read(silver.PLACED_PERSON).join(at_home, on="home_address_id", how="left_semi").persist()
    register = run.read(silver.REGISTER_PERSON).join(homes, on="address_id", how="left_semi").persist()
    margins = run.read(silver.CENSUS_MARGIN).join(F.broadcast(areas), on="output_area_id", how="left_semi").persist()
    rows = persons.count() + register.count()
    about = _about_householding(run)
    model: AssignmentModel | None = None
    found = []
    for draw in (None, *range(draws)):
        formed = householding(
            persons=persons,
            register=register,
            buildings=buildings,
            margins=margins,
            rows=rows,
            draw=draw,
            model=model,
            **about,
        )
        model = formed.model
        shared = [frame.persist(StorageLevel.DISK_ONLY) for frame in formed.shared]
        found.append(estimated.figures_of(formed.household, formed.member, persons))
        for frame in shared:
            frame.unpersist()
    for frame in (areas, buildings, persons, register, margins):
        frame.unpersist()
    return fit_householding_error(found[0], found[1:])


def income_evidence_of(run: MonthRun) -> IncomeEvidence:
    """What the month knows before incomes are modelled."""
    return gather_income(
        run.read(silver.HOUSEHOLD),
        persons=run.read(silver.PLACED_PERSON),
        members=run.read(gold.HOUSEHOLD_MEMBER),
        survey=run.read(silver.SURVEY_HOUSEHOLD),
        benchmarks=run.read(silver.BENCHMARK),
        register=run.read(silver.REGISTER_PERSON),
        benefits=run.read(silver.BENEFIT),
        rules=run.programmes,
        month=run.month,
        rows=run.rows(silver.HOUSEHOLD),
        register_rows=run.rows(silver.REGISTER_PERSON),
    )


_TRAINED_ON = (
    *(silver.HOUSEHOLD, silver.PLACED_PERSON, gold.HOUSEHOLD_MEMBER, silver.SURVEY_HOUSEHOLD, silver.BENCHMARK),
    *(silver.REGISTER_PERSON, silver.BENEFIT),
)


def circumstances_of(run: MonthRun) -> Circumstances:
    """What the month's model is chosen or trained in."""
    return Circumstances(
        settings=run.settings,
        root=run.warehouse.root,
        month=run.month,
        references={name: run.deliveries[name].month for name in YEARLY},
        data_versions={table.qualified_name: run.version(table) for table in _TRAINED_ON},
        code_version=code_version(),
        contents={name: delivery.content_sha256[:_DIGITS] for name, delivery in run.deliveries.items()},
        before=_scored_before(run),
    )


def train_month(run: MonthRun) -> tuple[ModelVersion, Verdict]:
    """Train on a month that has its households; its tables stay as they are.

    Raises:
        MissingInput: the month has no households yet, or they are of other deliveries than those that count now.
        ConcurrentRun: the month is being made.
    """
    with run.ledger.lock(run.month):
        return _train_month(run)


def _train_month(run: MonthRun) -> tuple[ModelVersion, Verdict]:
    records = [run.ledger.find(run.month, step) for step in ("cleanse", "households")]
    if None in records:
        raise MissingInput(f"{run.month} has no households to train on.", remedy="living-finance run")
    if any(record.facts.get("deliveries") != _delivered(run) for record in records if record):
        raise MissingInput(f"{run.month} was made from other deliveries than those that count now.", remedy="living-finance run")
    evidence = income_evidence_of(run)
    registry = Registry(run.settings.tracking, run.warehouse.root)
    champion = champion_of(registry.versions())
    made = train_version(
        circumstances_of(run), evidence, registry=registry, champion=champion, now=input_shares(evidence.households)
    )
    evidence.release()
    return made


def publish_statistics(run: MonthRun) -> None:
    """Gold statistics and the quality report."""
    households, persons = run.read(gold.HOUSEHOLD), run.read(silver.PLACED_PERSON)
    rse = _benchmark_rse(run)
    residents = persons.where(F.col("residence") == "seoul")
    report = (
        quality.measure(residents, quality.PERSON_INDICATORS, month=run.month)
        .unionByName(quality.measure(run.read(silver.ADDRESS), quality.ADDRESS_INDICATORS, month=run.month))
        .unionByName(quality.measure(run.read(silver.OUTPUT_AREA), quality.OUTPUT_AREA_INDICATORS, month=run.month))
        .unionByName(quality.measure(households, quality.HOUSEHOLD_INDICATORS, month=run.month))
        .unionByName(_of_the_model(run))
    )
    month = run.month
    run.commit_together(
        (
            (gold.HOUSEHOLD_STATISTICS, household_statistics(households, errors=run.read(silver.AREA_INCOME), month=month), None),
            (gold.HOUSEHOLD_BREAKDOWN, household_breakdown(households, month=month, benchmark_rse=rse), None),
            (gold.PERSON_STATISTICS, person_statistics(persons, month=month), None),
            (gold.QUALITY_REPORT, report, None),
        )
    )


def assess_quality(run: MonthRun) -> None:
    """Quality of the month: indicators, scores, cross-validation, movement, change and the checks before publication."""
    compared = _finished_before(run)
    rows = assess(
        run.warehouse,
        run.month,
        previous=compared[0] if compared else None,
        settings=run.settings.quality,
        code_version=code_version(),
    )
    run.commit_together((table, run.warehouse.frame(table, made), len(made)) for table, made in rows.items())
    run.facts.update(month_facts(rows), code_version=code_version())


def _of_the_model(run: MonthRun) -> DataFrame:
    """gold.quality_report lines on the model that scored the month."""
    record = run.ledger.find(run.month, "income")
    facts = record.facts.get("model", {}) if record else {}
    lines = model_indicators(facts, month=run.month, settings=run.settings.models)
    return run.warehouse.spark.createDataFrame(lines, gold.QUALITY_REPORT.schema())


def coverage_of(run: MonthRun) -> DataFrame:
    """gold.coverage from the month's persons, register, census and calibration."""
    return coverage(
        run.read(silver.PLACED_PERSON).where(F.col("residence") == "seoul"),
        register=run.read(silver.REGISTER_PERSON),
        margins=run.read(silver.CENSUS_MARGIN),
        targets=run.read(silver.CALIBRATION_TARGET),
        month=run.month,
    )


def _about_householding(run: MonthRun) -> dict[str, Any]:
    """What every householding of a month has in common, whoever takes part in it."""
    return {
        "tenure": fit_tenure(run.read(silver.SURVEY_HOUSEHOLD)),
        "census_register_counts": _register_counts_at_census(run),
        "month": run.month,
        "seed": run.settings.seed,
        "is_provisional": run.is_provisional,
    }


def _register_counts_at_census(run: MonthRun) -> DataFrame | None:
    """silver.output_area of the census month, if that month is past and has been made."""
    census_month = run.deliveries["census"].month
    if census_month >= run.month or run.ledger.find(census_month, "households") is None:
        return None
    return run.warehouse.read(silver.OUTPUT_AREA, base_month=census_month.date)


def _previous_made(run: MonthRun) -> tuple[Month, StepRecord] | None:
    """The newest month before whose households, ids included, have been made; months that were never made are passed over."""
    register = silver.HOUSEHOLD_REGISTER.qualified_name
    return _newest_before(run, "households", lambda record: any(commit.table == register for commit in record.commits))


def _finished_before(run: MonthRun) -> tuple[Month, StepRecord] | None:
    """The newest month before that has statistics."""
    return _newest_before(run, "statistics", lambda record: True)


def _scored_before(run: MonthRun) -> dict[Month, Mapping[str, Any]]:
    """What the ledger says of the model of the newest month before that has incomes; empty: there is none."""
    scored = _newest_before(run, "income", lambda record: "model" in record.facts)
    return {scored[0]: scored[1].facts["model"]} if scored else {}


def _newest_before(run: MonthRun, step: str, is_wanted: Callable[[StepRecord], bool]) -> tuple[Month, StepRecord] | None:
    """The newest month before with such a record of a step."""
    for month in reversed(run.ledger.months()):
        record = run.ledger.find(month, step) if month < run.month else None
        if record and is_wanted(record):
            return month, record
    return None


def _previous_month(run: MonthRun) -> PreviousMonth | None:
    """Households, members and register households of the newest made month before."""
    made = _previous_made(run)
    if made is None:
        return None
    month, _ = made
    refuse_purged(run, month, {silver.HOUSEHOLD_REGISTER.qualified_name, gold.HOUSEHOLD_MEMBER.qualified_name})
    households, members, register = (
        run.warehouse.read(table, base_month=month.date)
        for table in (silver.HOUSEHOLD, gold.HOUSEHOLD_MEMBER, silver.HOUSEHOLD_REGISTER)
    )
    return PreviousMonth(month, households=households, members=members, register=register)


def refuse_purged(run: MonthRun, month: Month, tables: set[str]) -> None:
    """Raises MissingInput where rows of a month that this one needs were purged and have not been made anew."""
    purged = run.ledger.find(month, PURGED)
    if purged is None or not tables & purged.facts["rows"].keys():
        return
    delivered = {
        name: delivery.content_sha256
        for name in purged.facts["deliveries"]
        if (delivery := DeliveryRegister(run.warehouse).current(name, month)) is not None
    }
    if delivered == purged.facts["deliveries"]:
        raise MissingInput(
            f"{run.month} cannot be made again: people of {month} were purged.",
            remedy=f"keep {run.month} as it is, or have {month} delivered again under a higher number",
        )


def _benchmark_rse(run: MonthRun) -> float | None:
    """Relative standard error of the published mean that incomes meet."""
    published, _ = published_figures(run.read(silver.BENCHMARK), month=run.month)
    met = published.get(("mean_total_income", codes.ALL, codes.ALL))
    return None if met is None else met.relative_error


@dataclass(frozen=True)
class Step:
    """A step, its work, and the sections of the settings its result depends on."""

    name: str
    title: str
    work: Callable[[MonthRun], None]
    sections: tuple[str, ...] = ()


STEPS: tuple[Step, ...] = (
    Step("cleanse", "정제 cleanse", cleanse, ("cleansing", "seed")),
    Step("place", "위치 확정 place", place),
    Step("households", "가구화 households", form_households, ("seed",)),
    Step("income", "소득 추정 income", model_income, ("income", "seed")),
    Step("statistics", "통계 작성 statistics", publish_statistics),
    Step("quality", "품질 점검 quality", assess_quality, ("quality",)),
)


def step_named(name: str) -> Step:
    """The step called `name`."""
    return next(step for step in STEPS if step.name == name)


APART = frozenset({"synthetic", "evaluation", "reports", "steps/report.py", "steps/quality_page.py"})
"""Folders and files of the package that no table of a month depends on: the generator, the scores, the reports."""


def code_version() -> str:
    """Hash of the package's source that a month's tables depend on."""
    digest = hashlib.sha256()
    folders = [("", resources.files("living_finance"))]
    while folders:
        where, folder = folders.pop()
        for entry in sorted(folder.iterdir(), key=lambda e: e.name):
            path = f"{where}{entry.name}"
            if path in APART:
                continue
            if entry.is_dir():
                folders.append((f"{path}/", entry))
            elif entry.name.endswith(".py"):
                digest.update(path.encode() + entry.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class StepOutcome:
    """What the summary says of a step."""

    step: Step
    is_skipped: bool
    seconds: float
    commits: tuple[Commit, ...]
    notes: tuple[str, ...] = ()
    """What was taken in place of what configuration does not say."""


def fingerprints(run: MonthRun) -> dict[str, str]:
    """For each step, a hash of everything its tables depend on: deliveries, settings, code and the steps before.

    Raises:
        ConfigurationError: conf/programmes.yaml is not valid, or has no rules for the month.
    """
    base = {
        "month": str(run.month),
        "code": code_version(),
        "deliveries": {name: [str(d.month), d.number, d.content_sha256] for name, d in sorted(run.deliveries.items())},
    }
    settings = run.settings.model_dump(mode="json")
    result: dict[str, str] = {}
    previous = _hash(base)
    for step in STEPS:
        parts: dict[str, Any] = {"before": previous, "step": step.name, "settings": [settings[s] for s in step.sections]}
        if step.name == "households":
            census = run.deliveries["census"].month
            earlier = run.ledger.find(census, "households") if census < run.month else None
            parts["census_register"] = earlier.fingerprint if earlier else None
            made = _previous_made(run)
            parts["ids_from"] = [str(made[0]), made[1].fingerprint] if made else None
        if step.name == "income":
            parts["programmes"] = run.programmes.content
        if step.name == "quality":
            compared = _finished_before(run)
            parts["compared_with"] = [str(compared[0]), compared[1].fingerprint] if compared else None
        previous = result[step.name] = _hash(parts)
    return result


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def pending_steps(run: MonthRun) -> list[Step]:
    """Steps that are not up to date: the first that differs and all after it."""
    wanted = fingerprints(run)
    for position, step in enumerate(STEPS):
        record = run.ledger.find(run.month, step.name)
        if record is None or record.fingerprint != wanted[step.name]:
            return list(STEPS[position:])
    return [] if run.ledger.manifest(run.month) else [STEPS[-1]]


def steps_to_do(month: Month, pending: list[Step], only: Sequence[str] | None) -> list[Step]:
    """The pending steps of a month (`pending_steps`), or the named ones whether pending or not.

    Raises:
        MissingInput: a named step rests on one that is neither done nor named.
    """
    if only is None:
        return pending
    for before, step in itertools.pairwise(STEPS):
        if step.name in only and before in pending and before.name not in only:
            raise MissingInput(
                f"Step {step.name} of {month} rests on {before.name}, which is not up to date.",
                remedy="run the earlier steps first, or the whole month",
            )
    return [step for step in STEPS if step.name in only]


def run_steps(
    run: MonthRun, *, only: Sequence[str] | None, around: Callable[[Step], Any], clock: Callable[[], float] = time.monotonic
) -> list[StepOutcome]:
    """Do the pending steps of a month, or the named ones whether pending or not.

    Args:
        run: the month.
        only: names of steps to do; None does what is pending.
        around: context manager made for each step that is done, for progress.
        clock: seconds.

    Raises:
        MissingInput: see `steps_to_do`; nothing has changed.
    """
    pending = pending_steps(run)
    to_do = steps_to_do(run.month, pending, only)
    undone = {step.name for step in pending}
    wanted = fingerprints(run)
    outcomes = []
    if to_do:
        run.ledger.withdraw(run.month)
    for step in STEPS:
        if step not in to_do:
            record = run.ledger.find(run.month, step.name)
            commits, notes = (record.commits, record.facts.get("notes", ())) if record else ((), ())
            outcomes.append(StepOutcome(step, True, 0.0, commits, tuple(notes)))
            continue
        started, first = clock(), len(run.commits)
        run.facts = {}
        with around(step):
            step.work(run)
        commits = tuple(run.commits[first:])
        record = StepRecord(step.name, wanted[step.name], commits, round(clock() - started, 2), run.facts)
        run.ledger.record(run.month, record)
        undone.discard(step.name)
        outcomes.append(StepOutcome(step, False, record.seconds, commits, tuple(run.facts.get("notes", ()))))
    if not undone:
        run.ledger.publish(run.month, [r for step in STEPS if (r := run.ledger.find(run.month, step.name))])
    return outcomes


def open_month(warehouse: Warehouse, month: Month, settings: Settings) -> MonthRun:
    """Choose the deliveries a month is made from.

    Raises:
        MissingInput: a dataset has no accepted delivery that serves the month.
    """
    return MonthRun(warehouse, month, settings, DeliveryRegister(warehouse).deliveries_for(month))
