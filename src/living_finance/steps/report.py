"""A trend report: read what is published, hand it to `reports`, write the files. No formulas."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import shapely
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from shapely.geometry import Polygon

from living_finance.analyses.registry import ANALYSES
from living_finance.config import AnalysisSettings
from living_finance.contracts import codes, gold
from living_finance.contracts import releases as r
from living_finance.contracts.core import Table
from living_finance.contracts.language import Language
from living_finance.errors import ConfigurationError, DisclosureFound, MissingInput, ReleaseNotReady
from living_finance.methods.margins import is_margin
from living_finance.months import Month
from living_finance.places.boundaries import (
    BOUNDARY_SOURCE,
    BOUNDARY_YEAR,
    DONG_CODE_PROPERTY,
    dong_boundaries,
    region_boundaries,
)
from living_finance.progress import note
from living_finance.release.verify_publications import verify_figures
from living_finance.reports.content import build_report
from living_finance.reports.data import (
    PERSONS_AT,
    PolicyAnalysis,
    ReportData,
    region_pairs,
    released_areas,
    released_breakdown,
    released_names,
    released_persons,
)
from living_finance.reports.document import Report
from living_finance.reports.to_html import to_html
from living_finance.reports.to_hwpx import to_hwpx
from living_finance.reports.to_pdf import to_pdf
from living_finance.steps.analyse import Wanted, analyse_all, tables_of
from living_finance.steps.regions import check_form, check_region, region_names
from living_finance.storage import releases as files
from living_finance.storage.ledger import Ledger
from living_finance.storage.warehouse import Warehouse

FORMATS: Mapping[str, Callable[[Report], bytes]] = {"html": to_html, "pdf": to_pdf, "hwpx": to_hwpx}
_LEVELS = ("city", "gu", "dong")
_GU_DIGITS = 5
_REGION_DIGITS = (2, _GU_DIGITS)
_OF_EVERY_REGION = (codes.ALL, "minus_city", "change_since", *PERSONS_AT.values())
"""Dimensions of analyses that a report shows of every region; others of its own region only."""
_CROSSED_WITH_REGIONS: Mapping[str, tuple[str, ...]] = {"vulnerable_groups": ("employment / age",)}
"""Analysis → dimensions of a dozen categories that it ranks among all regions."""
_TABLES = (
    gold.HOUSEHOLD_STATISTICS,
    gold.HOUSEHOLD_BREAKDOWN,
    gold.PERSON_STATISTICS,
    gold.QUALITY_REPORT,
    gold.ERROR_BUDGET,
    gold.EDIT_REPORT,
)


def data_of_warehouse(
    warehouse: Warehouse, *, month: Month | None, year: int | None, region: str, settings: AnalysisSettings
) -> ReportData:
    """Published figures of a month or a year, and the policy analyses of its (last) month.

    Args:
        warehouse: where months are.
        month: a finished month; None with a year.
        year: its finished months are the series, the last of them is described.
        region: code of the city or of a district.
        settings: of the analyses.

    Raises:
        MissingInput: the month, or every month of the year, is not finished; it has no such region.
        ConfigurationError: neither month nor year, or no code of a region.
    """
    check_form(region, digits=_REGION_DIGITS)
    ledger = Ledger(warehouse.root)
    finished = [m for m in ledger.months() if ledger.manifest(m) is not None]
    last = _last(finished, month, year)
    series = [m for m in finished if m <= last and (year is None or m.year == year)]
    versions = ledger.versions(last)
    check_region(warehouse, last, region)
    areas = _areas(warehouse, series)
    wanted: list[Wanted] = [(a, None) for a in ANALYSES.values() if not a.compares_months]
    wanted += [(ANALYSES["change"], since) for since in _compared(finished, last, year)]
    analysed = _all_analysed(warehouse, wanted, month=last, region=region, settings=settings, versions=versions)
    at_month = {table.name: warehouse.read(table, base_month=last.date) for table in _TABLES}
    edits = at_month["edit_report"].groupBy("table", "reason").agg(*(F.sum(c).alias(c) for c in gold.EDIT_COUNTS))
    return ReportData(
        month=last,
        year=year,
        region=region,
        names=_names(region_names(warehouse, last), region),
        areas=areas,
        breakdown=at_month["household_breakdown"].where(F.col("region_code") == region).toPandas(),  # ok: some twenty rows
        persons=_margins(at_month["person_statistics"], gold.PERSON_STATISTICS).toPandas(),  # ok: two rows per dong
        models={m: ledger.model_versions(m) for m in series},
        sources={table.name: versions.get(table.qualified_name, table.qualified_name) for table in _TABLES},
        is_public=False,
        analyses=tuple(found for found, (_, since) in zip(analysed, wanted, strict=True) if since is None),
        changes={since: found for found, (_, since) in zip(analysed, wanted, strict=True) if since is not None},
        quality=at_month["quality_report"].toPandas(),  # ok: one row per indicator
        budget=at_month["error_budget"].toPandas(),  # ok: seven figures of four levels
        edits=edits.toPandas(),  # ok: one row per table and reason
        **_boundaries(set(areas["region_code"])),
        boundary_source=f"{BOUNDARY_SOURCE}, {BOUNDARY_YEAR}",
    )


def data_of_release(folder: Path, *, region: str) -> ReportData:
    """Approved cells of a release and, as a series, of earlier releases of its channel that are public; attacked before anybody
    makes a report of them (decision 0070).

    Args:
        folder: `<releases>/<channel>/<YYYYMM-vN>`.
        region: code of the city or of a district.

    Raises:
        ReleaseDamaged: a file is not what was registered.
        ReleaseNotReady: the release is not approved, or was withdrawn.
        DisclosureFound: a figure is not the value that its release publishes, or is of no release.
    """
    check_form(region, digits=_REGION_DIGITS)
    place = folder.resolve()
    store = files.ReleaseStore(place.parents[1])
    line = store.current().get((place.parent.name, place.name))
    if line is None or line.state not in (r.APPROVED, r.IS_PUBLIC):
        raise ReleaseNotReady(f"{folder} is not approved.", remedy="living-finance approve, or name an approved release")
    month = Month.parse(line.month)
    series = {
        Month.parse(other.month): other
        for other in sorted(store.current().values(), key=lambda o: (o.month, o.version))
        if other.state == r.IS_PUBLIC and other.channel == line.channel and Month.parse(other.month) < month
    } | {month: line}
    released = {when: _regions_of(store, each, with_groups=when == month) for when, each in series.items()}
    areas = {when: released_areas(of["household_statistics"], month=when) for when, of in released.items()}
    tables, (own, withheld) = released[month], areas[month]
    if region not in set(own["region_code"]):
        raise MissingInput(f"{folder} has no region {region}.", remedy="name the city (11) or a district that was released")
    data = ReportData(
        month=month,
        year=None,
        region=region,
        names=_in_district(released_names(tables["household_statistics"]), region),
        areas=pd.concat([rows for rows, _ in areas.values()], ignore_index=True),
        breakdown=released_breakdown(tables["household_breakdown"], region=region),
        persons=released_persons(tables["person_statistics"]),
        models={when: models_of_release(store.folder(each.channel, each.id)) for when, each in series.items()},
        sources={name: f"{line.channel} {line.id} data/{name}.csv" for name in tables},
        is_public=True,
        withheld=withheld,
        **_boundaries(set(own["region_code"])),
        boundary_source=f"{BOUNDARY_SOURCE}, {BOUNDARY_YEAR}",
    )
    refuse_unpublished(data, released)
    return data


def _regions_of(store: files.ReleaseStore, line: files.RegisterLine, *, with_groups: bool) -> dict[str, pd.DataFrame]:
    """Of a release that is as it was registered the rows of whole regions, and the other tables of a report."""
    store.check(line, remedy="make the release again")
    tables = files.read_release(store.folder(line.channel, line.id), with_csv=False).tables
    statistics = tables["household_statistics"]
    is_whole = (statistics[list(r.DIMENSIONS["household_statistics"])] == codes.ALL).all(axis=1)
    others = {name: tables[name] for name in ("household_breakdown", "person_statistics")} if with_groups else {}
    return {"household_statistics": statistics[is_whole], **others}


def refuse_unpublished(data: ReportData, released: Mapping[Month, Mapping[str, pd.DataFrame]]) -> None:
    """The gate of a public report: all that it is made of is a published cell of a release.

    Args:
        data: of the report; it sees nothing else.
        released: month → tables of the release that its figures are said to be of.

    Raises:
        DisclosureFound: something is not.
    """
    inside = (data.analyses, data.changes, data.quality, data.budget, data.edits)
    findings = [("P13", "", "", "what no release has") for held in inside if held is not None and len(held)]
    last = {"household_breakdown": data.breakdown, "person_statistics": data.persons}
    for month in {data.month, *map(Month.parse, data.areas["base_month"].unique())}:
        rows = {"household_statistics": data.at(month), **(last if month == data.month else {})}
        findings += verify_figures(rows, tables=released.get(month, {}), region=data.region)
    if findings:
        what = ", ".join(sorted({f"{attack} {table}: {said}" for attack, table, _, said in findings}))
        raise DisclosureFound(f"{len(findings)} findings ({what}); no report is made.", remedy="report it: this is a defect")


def models_of_release(folder: Path) -> str:
    """Channel and id of a release, and the models that its package names."""
    place = folder.resolve()
    named = str((files.read_package(folder) or {}).get("model_version", ""))
    return ", ".join(filter(None, (f"{place.parent.name} {place.name}", named)))


def write_report(data: ReportData, *, language: Language, formats: Sequence[str], out: Path) -> list[Path]:
    """Write a report; the same figures give the same bytes.

    Args:
        data: of `data_of_warehouse` or `data_of_release`.
        language: `ko` or `en`.
        formats: of FORMATS.
        out: folder, made where it is not there.

    Returns:
        The files.

    Raises:
        ConfigurationError: unknown format.
    """
    check_formats(formats)
    report = build_report(data, language)
    out.mkdir(parents=True, exist_ok=True)
    when = str(data.year or data.month)
    where = "" if data.region == codes.CITY_CODE else f"-{data.region}"
    written = []
    for name in formats:
        note(f"report: {name}")
        file = out / f"report{'-public' if data.is_public else ''}-{when}{where}-{language}.{name}"
        file.write_bytes(FORMATS[name](report))
        written.append(file)
    return written


def check_formats(formats: Sequence[str]) -> None:
    """Refuse an unknown format before anything is read.

    Raises:
        ConfigurationError: one is unknown.
    """
    unknown = sorted(set(formats) - FORMATS.keys())
    if unknown or not formats:
        raise ConfigurationError(f"There is no format {', '.join(unknown) or '(none)'}.", remedy=f"--format {','.join(FORMATS)}")


def _last(finished: Sequence[Month], month: Month | None, year: int | None) -> Month:
    if (month is None) == (year is None):
        raise ConfigurationError("A report is of a month or of a year.", remedy="give --month YYYYMM or --year YYYY")
    known = [m for m in finished if (m == month if month else m.year == year)]
    if not known:
        raise MissingInput(f"{month or year} is not finished.", remedy="living-finance run; `living-finance status` lists months")
    return known[-1]


def _compared(finished: Sequence[Month], last: Month, year: int | None) -> list[Month]:
    """The finished month before (of a year: its first), and the same month a year ago, where they are there."""
    before = [m for m in finished if m < last and (year is None or m.year == year)]
    nearest = before[:1] if year else before[-1:]
    return sorted({*nearest, *(m for m in finished if m == last.plus(-12))})


def _areas(warehouse: Warehouse, months: Sequence[Month]) -> pd.DataFrame:
    statistics = warehouse.read(gold.HOUSEHOLD_STATISTICS).where(F.col("base_month").isin(*(m.date for m in months)))
    frame = _margins(statistics, gold.HOUSEHOLD_STATISTICS)
    rows = frame.withColumns({"base_month": F.date_format("base_month", "yyyyMM")})
    return rows.toPandas()  # ok: one row per month and region


def _margins(frame: DataFrame, table: Table) -> DataFrame:
    """Rows of the city, its districts and dongs in which every category is `all`."""
    return frame.where(F.col("region_level").isin(*_LEVELS) & is_margin(r.DIMENSIONS[table.name]))


def _all_analysed(
    warehouse: Warehouse,
    wanted: Sequence[Wanted],
    *,
    month: Month,
    region: str,
    settings: AnalysisSettings,
    versions: Mapping[str, str],
) -> list[PolicyAnalysis]:
    """Analyses and the months they compare with, of each the rows that a report shows."""
    found = analyse_all(
        warehouse,
        wanted,
        month=month,
        region=region,
        settings=settings,
        everywhere=lambda analysis: (*_OF_EVERY_REGION, *_CROSSED_WITH_REGIONS.get(analysis.name, ())),
    )
    return [
        PolicyAnalysis(
            name=analysis.name,
            label_ko=analysis.label_ko,
            label_en=analysis.label_en,
            formulas=analysis.formulas,
            source=analysis.source,
            tables=tables_of(analysis, versions),
            rows=rows,
        )
        for (analysis, _), rows in zip(wanted, found, strict=True)
    ]


def _names(regions: pd.DataFrame, region: str) -> dict[str, tuple[str, str]]:
    return _in_district(region_pairs(regions), region)


def _in_district(names: Mapping[str, tuple[str, str]], region: str) -> dict[str, tuple[str, str]]:
    """Dongs of the whole city with their district before them: some names occur twice."""
    if region != codes.CITY_CODE:
        return dict(names)
    return {
        code: (f"{gu[0]} {own[0]}", f"{own[1]}, {gu[1]}")
        if len(code) > _GU_DIGITS and (gu := names.get(code[:_GU_DIGITS]))
        else own
        for code, own in names.items()
    }


def _boundaries(regions: set[str]) -> dict[str, Any]:
    """Boundaries of the dongs and districts among some regions, with their codes and where their names stand."""
    features: dict[str, list[dict[str, Any]]] = {"dong": [], "gu": []}
    for level, code, geometry in region_boundaries(dong_boundaries(), code_property=DONG_CODE_PROPERTY):
        if code in regions:
            drawn = shapely.from_geojson(geometry)
            if level == "gu":
                # Simplified neighbours leave slivers in their union; no district has a hole.
                drawn = shapely.union_all([Polygon(part.exterior) for part in shapely.get_parts(drawn)])
            middle = drawn.centroid if drawn.contains(drawn.centroid) else drawn.representative_point()
            properties = {f"{level}_code": code, "label": [round(middle.x, 5), round(middle.y, 5)]}
            shown = json.loads(shapely.to_geojson(drawn))
            features[level].append({"type": "Feature", "geometry": shown, "properties": properties})
    return {
        name: {"type": "FeatureCollection", "features": features[level]}
        for name, level in (("boundaries", "dong"), ("districts", "gu"))
    }
