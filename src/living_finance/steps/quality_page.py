"""The quality report of a month as a page; no table rests on it."""

from __future__ import annotations

from pathlib import Path

from living_finance.contracts import gold
from living_finance.contracts import quality as q
from living_finance.contracts.language import Language
from living_finance.months import Month
from living_finance.quality import evidence
from living_finance.quality.report import quality_page
from living_finance.reports.fonts import embedded
from living_finance.steps.quality import check_assessed, small
from living_finance.storage.ledger import Ledger
from living_finance.storage.warehouse import Warehouse


def write_page(warehouse: Warehouse, month: Month, *, language: Language, out: Path) -> None:
    """Write the quality report of a month as HTML.

    Raises:
        MissingInput: its quality has not been assessed.
    """
    check_assessed(warehouse, month)
    ledger = Ledger(warehouse.root)
    page = quality_page(
        {table: small(warehouse.read(table, base_month=month.date)) for table in q.QUALITY_TABLES},
        edits=small(evidence.edit_counts(warehouse.read(gold.EDIT_REPORT, base_month=month.date))),
        coverage=small(warehouse.read(gold.COVERAGE, base_month=month.date)),
        month=month,
        models=ledger.model_versions(month),
        language=language,
        versions=ledger.versions(month),
        fonts=embedded,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
