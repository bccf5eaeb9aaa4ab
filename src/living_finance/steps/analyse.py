"""One analysis on the tables of a warehouse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.analyses.change import SINCE, change_of
from living_finance.analyses.debt import with_loans
from living_finance.analyses.households import counted, with_income_quintile, with_relative_income
from living_finance.analyses.registry import ANALYSES, Analysis, find
from living_finance.analyses.result import KEY
from living_finance.config import AnalysisSettings
from living_finance.contracts import codes, gold, silver
from living_finance.contracts.core import Table
from living_finance.contracts.language import NOTICE, Language
from living_finance.errors import ConfigurationError, MissingInput
from living_finance.months import Month
from living_finance.progress import note
from living_finance.reports.formats import Estimate, reliability_label, unit_label
from living_finance.reports.labels import category_label, dimension_label, statistic_label
from living_finance.steps.regions import check_form, check_region
from living_finance.storage.ledger import Ledger
from living_finance.storage.warehouse import Warehouse

_REGION_DIGITS = (2, 5, 7)
_AT_A_TIME = 4
Wanted = tuple[Analysis, Month | None]
"""An analysis, with the month that it compares with if it compares months."""


def analyse(
    store: Warehouse,
    name: str,
    *,
    month: Month,
    region: str,
    settings: AnalysisSettings,
    against: Month | None = None,
    reference: str = "",
) -> DataFrame:
    """The result of an analysis, in the order of its key.

    Args:
        store: where the month has been made.
        name: of the analysis.
        month: looked at.
        region: code of the city (2 digits), a district (5) or a dong (7).
        settings: proxies and limits.
        against: the month compared with: changes since; for `change` the year before unless given, otherwise levels.
        reference: code of an area to compare with, for analyses that do.

    Returns:
        analyses.result.RESULT.

    Raises:
        ConfigurationError: unknown analysis, a region that is no code, `reference` for an analysis that compares no areas, or
            `against` for one that compares no months.
        MissingInput: a month has not been made, or has no such region.
    """
    analysis = find(name)
    areas = [region, *([reference] if reference else [])]
    for area in areas:
        check_form(area, digits=_REGION_DIGITS)
    if reference and not analysis.compares_areas:
        comparing = ", ".join(a.name for a in ANALYSES.values() if a.compares_areas)
        raise ConfigurationError(f"{name} compares no areas.", remedy=f"--with is for {comparing}")
    if against and not (analysis.compares_months or analysis.can_change):
        comparing = ", ".join(a.name for a in ANALYSES.values() if a.compares_months or a.can_change)
        raise ConfigurationError(f"{name} compares no months.", remedy=f"--against is for {comparing}")
    earlier = (against or month.plus(-12)) if analysis.compares_months else against
    months = [month] if earlier is None else [month, earlier]
    frames = {argument: rows_of(store, table, months) for argument, table in analysis.tables.items()}
    first = next(iter(frames.values()))
    for needed in months:
        if first.where(F.col("base_month") == F.lit(needed.date)).isEmpty():
            raise MissingInput(f"{needed} has not been made.", remedy="run it first; `living-finance status` lists what there is")
    for area in areas:
        check_region(store, month, area)
    if earlier is not None and analysis.can_change:
        extra: dict[str, object] = {"settings": settings} if analysis.takes_settings else {}
        building = rows_of(store, silver.BUILDING, [month])
        result = change_of(analysis.function, frames, building=building, month=month, against=earlier, region=region, **extra)
    else:
        result = result_of(analysis, frames, month=month, region=region, settings=settings, against=earlier, reference=reference)
    return result.orderBy(*KEY)


def rows_of(store: Warehouse, table: Table, months: Sequence[Month]) -> DataFrame:
    """The rows of some months."""
    return store.read(table).where(F.col("base_month").isin(*(m.date for m in months)))


def result_of(
    analysis: Analysis,
    frames: Mapping[str, DataFrame],
    *,
    month: Month,
    region: str,
    settings: AnalysisSettings,
    against: Month | None = None,
    reference: str = "",
) -> DataFrame:
    """The result of an analysis on frames, in no order.

    Args:
        analysis: of the registry.
        frames: name of the function's argument → rows of its table, of the month and the one compared with.
        month: looked at.
        region: code of the city, a district or a dong.
        settings: proxies and limits.
        against: the month compared with, for analyses of change.
        reference: code of an area to compare with, for analyses that do.

    Returns:
        analyses.result.RESULT.
    """
    extra: dict[str, object] = {"settings": settings} if analysis.takes_settings else {}
    if analysis.compares_months:
        extra |= {"month": month, "against": against}
    if analysis.compares_areas:
        extra["reference"] = reference
    return analysis.function(**frames, region=region, **extra)


def analyse_all(
    store: Warehouse,
    wanted: Sequence[Wanted],
    *,
    month: Month,
    region: str,
    settings: AnalysisSettings,
    everywhere: Callable[[Analysis], Sequence[str]] | None = None,
) -> list[pd.DataFrame]:
    """Results of several analyses, several at a time: each is many small jobs, and some begin with the same rows.

    Args:
        store: where the months have been made.
        wanted: what to do.
        month: looked at.
        region: code of the city or a district.
        settings: proxies and limits.
        everywhere: dimensions of an analysis that are kept of every region, others of `region` alone; everything unless given.

    Returns:
        Of each wanted, rows of analyses.result.RESULT in the order of their key.
    """
    tables = {table.qualified_name: rows_of(store, table, [month]) for a, _ in wanted for table in a.tables.values()}
    kept = [frame.persist() for frame in _shared(tables)]

    def result(each: Wanted) -> pd.DataFrame:
        analysis, since = each
        note(f"analysis: {analysis.label_ko} {analysis.label_en}{f', {since}' if since else ''}")
        frames = {
            argument: rows_of(store, table, [month, since]) if since else tables[table.qualified_name]
            for argument, table in analysis.tables.items()
        }
        found = result_of(analysis, frames, month=month, region=region, settings=settings, against=since)
        if everywhere is not None:
            found = found.where(F.col("dimension").isin(*everywhere(analysis)) | (F.col("region_code") == region))
        rows = found.toPandas()  # ok: some hundred regions × a dozen categories; of one region, dongs by dongs
        return rows.sort_values(list(KEY), ignore_index=True)

    try:
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            return list(pool.map(result, wanted))
    finally:
        for frame in kept:
            frame.unpersist()


def _shared(tables: Mapping[str, DataFrame]) -> list[DataFrame]:
    """Frames that several analyses begin with: Spark puts the kept rows in their place where a plan holds the same."""
    household, members, persons = (
        tables.get(table.qualified_name) for table in (gold.HOUSEHOLD, gold.HOUSEHOLD_MEMBER, silver.PLACED_PERSON)
    )
    if household is None:
        return []
    relative = counted(household).transform(with_relative_income)
    if members is None or persons is None:
        return [relative]
    return [relative, with_loans(household, members, persons).transform(with_income_quintile)]


def sources_of(store: Warehouse, analysis: Analysis, month: Month) -> str:
    """Tables with Delta versions and models that an analysis of a finished month rests on."""
    ledger = Ledger(store.root)
    return f"{tables_of(analysis, ledger.versions(month))}; {', '.join(ledger.models(month).values()) or '–'}"


def tables_of(analysis: Analysis, versions: Mapping[str, str]) -> str:
    """Tables that an analysis reads, with their Delta versions where these are known."""
    return ", ".join(versions.get(table.qualified_name, table.qualified_name) for table in analysis.tables.values())


def labelled(rows: pd.DataFrame, *, names: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """Rows of an analysis with the names of regions, dimensions, categories and statistics in Korean and English.

    Args:
        rows: analyses.result.RESULT.
        names: region code → names.
    """
    found = rows.copy()
    languages: tuple[Language, ...] = ("ko", "en")
    for position, language in enumerate(languages):
        found[f"region_name_{language}"] = [names.get(code, (code, code))[position] for code in rows["region_code"]]
        found[f"dimension_{language}"] = [dimension_label(name, language) for name in rows["dimension"]]
        pairs = zip(rows["dimension"], rows["category"], strict=True)
        found[f"category_{language}"] = [category_label(dimension, category, language, names) for dimension, category in pairs]
        found[f"statistic_{language}"] = [statistic_label(name, language) for name in rows["statistic"]]
    return found


def write_rows(rows: pd.DataFrame, out: Path, *, sources: str) -> None:
    """Write rows of an analysis as .csv or .json; each says what it rests on and that the statistic is in development.

    Args:
        rows: of `labelled`.
        out: the file.
        sources: of `sources_of`.
    """
    marked = rows.assign(sources=sources, **NOTICE)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".csv":
        marked.to_csv(out, index=False, encoding="utf-8-sig")
    else:
        marked.astype({"base_month": "string"}).to_json(out, orient="records", force_ascii=False, indent=1)


_DIFFERENCES = (SINCE, "minus_city", "minus_region", "minus_published")
"""What a dimension of differences begins with."""
SHOWN = ("region", "of", "statistic", "value", "unit", "n", "reliability")


def _unit(dimension: str, unit: str, language: Language) -> str:
    """Of a value as it is shown; differences of per cent are in points."""
    is_difference = dimension.startswith(_DIFFERENCES)
    return "%p" if is_difference and unit in ("share", "rate") else unit_label(unit, language)


def shown(rows: pd.DataFrame, *, language: Language) -> list[tuple[str, ...]]:
    """Rows as a person reads them: SHOWN, amounts in 만원, shares in per cent, values with their standard errors."""
    return [
        (
            f"{row['region_code']} {row[f'region_name_{language}']}",
            "" if row["category"] == codes.ALL else f"{row[f'dimension_{language}']}: {row[f'category_{language}']}",
            row[f"statistic_{language}"],
            Estimate(row["value"], row["unit"], row["standard_error"]).shown(),
            _unit(row["dimension"], row["unit"], language),
            f"{row['contributors']:,}",
            "" if pd.isna(row["reliability"]) else reliability_label(row["reliability"], language),
        )
        for row in rows.to_dict(orient="records")
    ]
