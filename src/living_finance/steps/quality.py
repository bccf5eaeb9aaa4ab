"""Quality of a month: read small aggregates, let the rooms judge them, hand back the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql.types import AtomicType

from living_finance.config import QualitySettings
from living_finance.contracts import bronze, gold, silver
from living_finance.contracts import quality as q
from living_finance.contracts.core import Table
from living_finance.errors import ConfigurationError, MissingInput, QualityInsufficient
from living_finance.months import Month
from living_finance.quality import evidence
from living_finance.quality.bureau import bureau_feedback, resident_groups
from living_finance.quality.evidence import DeliveryFacts, Evidence, MonthFacts
from living_finance.quality.tables import quality_tables
from living_finance.storage.ledger import Ledger
from living_finance.storage.warehouse import Warehouse

_AT_ONCE = 4


def assess(
    warehouse: Warehouse, month: Month, *, previous: Month | None, settings: QualitySettings, code_version: str
) -> dict[Table, pd.DataFrame]:
    """The quality tables of a month whose other tables are made.

    Args:
        warehouse: where the tables are.
        month: the month.
        previous: the finished month that it is compared with.
        settings: weights, grades, limits.
        code_version: of the code that makes it.

    Returns:
        Table → rows, a few thousand at most for a city.

    Raises:
        ConfigurationError: a setting names a check or an event that there is not.
    """
    check_names(settings)
    found = read_evidence(warehouse, month, previous=previous, code_version=code_version)
    return {table: rows.assign(base_month=month.date) for table, rows in quality_tables(found, settings).items()}


def check_names(settings: QualitySettings) -> None:
    """Names in the settings that name nothing are typing errors.

    Raises:
        ConfigurationError: one does.
    """
    wrong = sorted({*settings.blocking} - {*q.CHECK.codes}) + sorted({*settings.movement_rates} ^ {*q.EVENT.codes})
    if wrong:
        raise ConfigurationError(
            f"quality: {', '.join(wrong)} is no check, or a movement without its rate.",
            remedy="conf/local.yaml lists quality.blocking and quality.movement_rates",
        )


def month_facts(rows: Mapping[Table, pd.DataFrame]) -> dict[str, Any]:
    """What the ledger keeps of the quality tables: score, grade, and the checks that failed."""
    scores = rows[q.QUALITY_SCORE]
    own = scores[scores["object_type"] == "month"]
    checks = rows[q.QUALITY_CHECK]
    failed = checks.loc[checks["passed"].eq(False), "check_name"]
    return {
        "score": round(float(own["score"].iloc[0]), 1) if len(own) else None,
        "grade": str(own["grade"].iloc[0]) if len(own) else None,
        "failed_checks": sorted(failed),
    }


def refuse_failed(ledger: Ledger, month: Month, settings: QualitySettings) -> None:
    """Stop a month that fails a blocking check, unless `quality.allow_failed_checks` lets it pass.

    Raises:
        MissingInput: the month's quality has not been assessed.
        QualityInsufficient: it fails one.
        ConfigurationError: a setting names a check that there is not, so that nothing would stop it.
    """
    check_names(settings)
    record = ledger.find(month, "quality")
    if record is None:
        raise MissingInput(f"The quality of {month} was not assessed.", remedy=f"living-finance run --month {month}")
    failed = sorted(set(record.facts.get("failed_checks", ())) & set(settings.blocking))
    if failed and not settings.allow_failed_checks:
        raise QualityInsufficient(
            f"{month} fails {', '.join(failed)}.",
            remedy="living-finance quality shows why; --allow-failed-checks lets it pass",
        )


def write_bureau_feedback(warehouse: Warehouse, month: Month, *, out: Path) -> pd.DataFrame:
    """Write what can be handed back to the bureau on its delivery of a month, as CSV.

    Returns:
        Its rows.

    Raises:
        MissingInput: the month's quality has not been assessed.
    """
    check_assessed(warehouse, month)
    out.parent.mkdir(parents=True, exist_ok=True)
    residents = warehouse.read(silver.PLACED_PERSON, base_month=month.date).where("residence = 'seoul'")
    rows = bureau_feedback(
        small(resident_groups(residents)),
        coverage=small(warehouse.read(gold.COVERAGE, base_month=month.date)),
        month=str(month),
    )
    rows.to_csv(out, index=False, encoding="utf-8-sig", float_format="%.4f")
    return rows


def check_assessed(warehouse: Warehouse, month: Month) -> None:
    """Refuse a month whose quality has not been assessed.

    Raises:
        MissingInput: it has not.
    """
    if Ledger(warehouse.root).find(month, "quality") is None:
        raise MissingInput(f"The quality of {month} was not assessed.", remedy=f"living-finance run --month {month}")


def read_evidence(warehouse: Warehouse, month: Month, *, previous: Month | None, code_version: str) -> Evidence:
    """Everything the quality of a month is judged by, as small frames."""
    ledger = Ledger(warehouse.root)
    supplied = _supplied(warehouse)

    def slice_of(table: Table, of: Month = month) -> DataFrame:
        return warehouse.read(table, base_month=of.date)

    def facts(of: Month) -> dict[str, Callable[[], pd.DataFrame]]:
        return {
            "edits": lambda: small(evidence.edit_counts(slice_of(gold.EDIT_REPORT, of))),
            "coverage": lambda: small(slice_of(gold.COVERAGE, of).drop("base_month")),
            "statistics": lambda: small(evidence.region_statistics(slice_of(gold.HOUSEHOLD_STATISTICS, of))),
        }

    def product(table: Table) -> Callable[[], pd.DataFrame]:
        return lambda: small(evidence.product_facts(slice_of(table), table))

    deliveries = _deliveries(ledger, month, supplied)
    bureau = deliveries["bureau"]
    delivered = warehouse.read(
        bronze.BRONZE_TABLES["bureau_persons"], delivery_month=bureau.month.date, delivery_number=bureau.number
    )
    wanted: dict[str, Callable[[], pd.DataFrame]] = {
        **{f"now.{name}": read for name, read in facts(month).items()},
        **({f"before.{name}": read for name, read in facts(previous).items()} if previous else {}),
        "report": lambda: small(slice_of(gold.QUALITY_REPORT)),
        "tenure": lambda: small(evidence.city_tenure(slice_of(gold.HOUSEHOLD_BREAKDOWN))),
        "persons": lambda: small(evidence.region_persons(slice_of(gold.PERSON_STATISTICS))),
        "areas": lambda: small(evidence.dong_areas(slice_of(silver.OUTPUT_AREA))),
        "targets": lambda: small(evidence.margin_targets(slice_of(silver.CALIBRATION_TARGET))),
        "survey": lambda: small(evidence.survey_sums(slice_of(silver.SURVEY_HOUSEHOLD))),
        "benchmarks": lambda: small(slice_of(silver.BENCHMARK)),
        "benefits": lambda: small(slice_of(silver.BENEFIT).drop("edits")),
        "moves": lambda: small(evidence.dong_moves(slice_of(gold.HOUSEHOLD_LINEAGE))),
        "infants": lambda: small(evidence.dong_infants(slice_of(silver.REGISTER_PERSON))),
        "deaths": lambda: small(evidence.dong_deaths(slice_of(silver.SET_ASIDE), delivered=delivered)),
        **{f"products.{table.name}": product(table) for table in evidence.PRODUCTS},
        "household": lambda: small(evidence.household_facts(slice_of(gold.HOUSEHOLD))),
        "member": lambda: small(evidence.member_facts(slice_of(gold.HOUSEHOLD_MEMBER), slice_of(silver.PLACED_PERSON))),
        "links": lambda: small(evidence.link_facts(slice_of(gold.HOUSEHOLD), slice_of(gold.HOUSEHOLD_MEMBER))),
        "regions": lambda: small(slice_of(silver.REGION).select("dong_code", "gu_code")),
    }
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:  # most of a small read is waiting for the driver
        frames = dict(zip(wanted, pool.map(lambda read: read(), wanted.values()), strict=True))

    def of_month(of: Month, prefix: str, code: str | None) -> MonthFacts:
        return MonthFacts(
            month=of,
            deliveries=_deliveries(ledger, of, supplied),
            models=_models(ledger, of, code),
            **{name: frames[f"{prefix}.{name}"] for name in ("edits", "coverage", "statistics")},
        )

    own = {name: frame for name, frame in frames.items() if "." not in name}
    products = [frame for name, frame in frames.items() if name.startswith("products.")]
    before = of_month(previous, "before", None) if previous else None
    now = of_month(month, "now", code_version)
    return Evidence(now=now, before=before, products=pd.concat(products, ignore_index=True), **own)


def small(frame: DataFrame) -> pd.DataFrame:
    """Rows in the order of their values: what is added up of them does not depend on how Spark had them."""
    keys = [column.name for column in frame.schema if isinstance(column.dataType, AtomicType)]
    rows = frame.toPandas()  # ok: regions by a few groups; coverage of a whole city, 14,000 rows, is the largest
    return rows.sort_values(keys, ignore_index=True)


def _supplied(warehouse: Warehouse) -> pd.DataFrame:
    """bronze.delivery: one row per accepted delivery and table."""
    columns = ("dataset", "delivery_month", "delivery_number", "table_name", "row_count", "as_of")
    return warehouse.read(bronze.DELIVERY).select(*columns).toPandas()  # ok: some hundred rows a year


def _deliveries(ledger: Ledger, month: Month, supplied: pd.DataFrame) -> dict[str, DeliveryFacts]:
    """What a month was made from, as the ledger noted it."""
    record = ledger.find(month, "cleanse")
    noted = record.facts.get("deliveries", {}) if record else {}
    found = {}
    for name, entry in noted.items():
        of = Month.parse(entry["month"])
        rows = supplied[
            (supplied["dataset"] == name)
            & (supplied["delivery_month"] == of.date)
            & (supplied["delivery_number"] == entry["number"])
        ]
        found[name] = DeliveryFacts(
            name,
            of,
            entry["number"],
            entry["is_provisional"],
            {str(table): int(count) for table, count in zip(rows["table_name"], rows["row_count"], strict=True)},
            str(rows["as_of"].iloc[0]) if len(rows) else "",
        )
    return found


def _models(ledger: Ledger, month: Month, code: str | None) -> dict[str, str]:
    assessed = ledger.find(month, "quality")
    made_by = code or (assessed.facts.get("code_version") if assessed else None)
    return {**ledger.models(month), **({"code": made_by} if made_by else {})}
