"""Whole months: receive what is new, make what is due, say what was done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.table import Table as RichTable

from living_finance.config import Settings
from living_finance.contracts import gold
from living_finance.errors import ConfigurationError, MissingInput
from living_finance.monitor import MemoryMonitor
from living_finance.months import Month
from living_finance.progress import note, working
from living_finance.steps.month import STEPS, Step, StepOutcome, open_month, pending_steps, run_steps, steps_to_do
from living_finance.steps.quality import check_names
from living_finance.steps.receive import Receipt, concerns, receive, waiting
from living_finance.storage.ledger import Ledger
from living_finance.storage.pseudonyms import open_keys
from living_finance.storage.register import DeliveryRegister
from living_finance.storage.warehouse import Warehouse

_MONTHLY = ("city", "bureau")
_DATASETS = ("regions", "census", "survey", "benchmarks", *_MONTHLY)


@dataclass(frozen=True)
class RunPlan:
    """What a run would do (`--dry-run`)."""

    lines: tuple[tuple[str, str], ...]

    def table(self) -> RichTable:
        table = RichTable("month", "to do", title="plan")
        for line in self.lines:
            table.add_row(*line)
        return table


@dataclass
class RunOutcome:
    """What a run did."""

    root: str
    models: str
    """Where they can be looked at."""
    receipts: list[Receipt] = field(default_factory=list)
    steps: list[tuple[Month, StepOutcome]] = field(default_factory=list)
    reasons: list[tuple[str, str, str, int]] = field(default_factory=list)
    """(month, table, reason, rows that did not go on)"""
    missing: list[Month] = field(default_factory=list)
    peak_bytes: dict[str, int] = field(default_factory=dict)

    def table(self) -> RichTable:
        table = RichTable("month", "step", "table", "rows", "seconds", "peak memory", title="run")
        for receipt in self.receipts:
            table.add_row(
                str(receipt.month),
                f"receive {receipt.dataset}",
                receipt.outcome,
                f"{sum(receipt.rows.values()):,}",
                f"{receipt.seconds:.1f}",
                _gibibytes(self.peak_bytes.get("receive", 0)),
            )
        for month, outcome in self.steps:
            key = f"{month} {outcome.step.name}"
            seconds = "up to date" if outcome.is_skipped else f"{outcome.seconds:.1f}"
            names = _last_of_each(outcome)
            for position, (name, rows) in enumerate(names):
                is_first = position == 0
                table.add_row(
                    str(month) if is_first else "",
                    outcome.step.name if is_first else "",
                    name,
                    f"{rows:,}",
                    seconds if is_first else "",
                    _gibibytes(self.peak_bytes.get(key, 0)) if is_first else "",
                )
            for said in outcome.notes:
                table.add_row(str(month), "note", said, "", "", "")
        for month_text, name, reason, rows in self.reasons:
            table.add_row(month_text, "left out", f"{name}: {reason}", f"{rows:,}", "", "")
        return table

    def directions(self) -> list[str]:
        """Where the results are and what to do next."""
        return [
            f"tables      {self.root}/gold   (as delivered: bronze; cleansed: silver; left out: silver/set_aside)",
            f"models      {self.models}",
            f"next        living-finance status --warehouse {self.root}",
            "            living-finance describe gold.household_statistics",
        ]


def _last_of_each(outcome: StepOutcome) -> list[tuple[str, int]]:
    rows: dict[str, int] = {}
    for commit in outcome.commits:
        rows[commit.table] = rows.get(commit.table, 0) + commit.rows if commit.table == "silver.set_aside" else commit.rows
    return list(rows.items())


def _gibibytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count else ""


def make_months(
    spark: SparkSession,
    *,
    landing: Path,
    root: str,
    months: Sequence[Month],
    settings: Settings,
    only: Sequence[str] | None = None,
    dry_run: bool = False,
) -> RunPlan | RunOutcome:
    """Receive and make months in order.

    Args:
        spark: the session.
        landing: folder of deliveries.
        root: folder of the warehouse.
        months: in order.
        settings: of the run.
        only: names of steps to do whether due or not; None does what is due.
        dry_run: change nothing, return the plan.

    Raises:
        RefusedDelivery, ImplausibleChange: a delivery that a month needs.
        MissingInput: nothing serves the only month asked for.
        ConfigurationError: no such step, or a setting names a check that there is not.
    """
    unknown = sorted(set(only or ()) - {step.name for step in STEPS})
    if unknown:
        raise ConfigurationError(f"No step {', '.join(unknown)}.", remedy=f"steps are {', '.join(s.name for s in STEPS)}")
    check_names(settings.quality)
    warehouse, ledger = Warehouse(spark, root), Ledger(root)
    ledger.check_versions()
    keys = open_keys(settings.pseudonyms, outside=(root, landing))
    if dry_run:
        return _plan(warehouse, landing, months, settings, only)
    outcome = RunOutcome(root, "where tracking.uri says" if settings.tracking.uri else f"make mlflow-ui WAREHOUSE={root}")
    with MemoryMonitor() as memory:
        with working("receive 수신"):
            outcome.receipts = receive(
                warehouse,
                landing=landing,
                settings=settings.receipt,
                datasets=_DATASETS,
                months=months,
                keys=keys,
                on_progress=note,
            )
        outcome.peak_bytes["receive"] = memory.restart()
        register = DeliveryRegister(warehouse)
        for month in months:
            if any(register.current(dataset, month) is None for dataset in _MONTHLY) and len(months) > 1:
                outcome.missing.append(month)
                continue
            with ledger.lock(month):
                _make_month(warehouse, month, settings, only, outcome, memory)
    return outcome


def _make_month(
    warehouse: Warehouse,
    month: Month,
    settings: Settings,
    only: Sequence[str] | None,
    outcome: RunOutcome,
    memory: MemoryMonitor,
) -> None:
    run = open_month(warehouse, month, settings)

    @contextlib.contextmanager
    def around(step: Step) -> Iterator[None]:
        memory.restart()
        with working(f"{month} {step.title}"):
            yield
        outcome.peak_bytes[f"{month} {step.name}"] = memory.restart()

    outcome.steps.extend((month, done) for done in run_steps(run, only=only, around=around))
    left_out = (
        run.read(gold.EDIT_REPORT)
        .where(F.col("reason") != "all")
        .groupBy("table", "reason")
        .agg(F.sum(F.col("rows_quarantined") + F.col("rows_removed")).alias("rows"))
        .where(F.col("rows") > 0)
        .orderBy("table", "reason")
    )
    for row in left_out.collect():  # ok: one row per reason, a few dozen
        outcome.reasons.append((str(month), row["table"], row["reason"], row["rows"]))


def _plan(
    warehouse: Warehouse, landing: Path, months: Sequence[Month], settings: Settings, only: Sequence[str] | None
) -> RunPlan:
    new = waiting(warehouse, landing=landing, settings=settings.receipt, datasets=_DATASETS, months=months)
    lines = [("", f"receive {', '.join(folder.label for folder in new) or 'nothing'}")]
    everything = ", ".join(step.name for step in STEPS)
    for month in months:
        mine = [folder.label for folder in new if concerns(folder, month)]
        try:
            run = open_month(warehouse, month, settings)
        except MissingInput:
            lines.append((str(month), f"{everything} (once its deliveries are received)"))
            continue
        due = ", ".join(step.name for step in steps_to_do(month, pending_steps(run), only)) or "up to date"
        lines.append((str(month), f"{due}; all steps are due if it rests on {', '.join(mine)}" if mine else due))
    return RunPlan(tuple(lines))
