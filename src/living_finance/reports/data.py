"""What a report is made from: published figures as small tables, whether from a warehouse or from an approved release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from living_finance.contracts import codes, gold
from living_finance.contracts import releases as r
from living_finance.contracts.language import Language, Words
from living_finance.months import Month
from living_finance.reports.document import Origin

_HEAD = r.DIMENSIONS["household_statistics"]
_PERSON = r.DIMENSIONS["person_statistics"]
PERSONS_AT: Mapping[str, str] = {place: f"{place} / {codes.ALL}" for place in codes.PLACE.codes}
"""Place → dimension of an analysis of persons that holds everybody there."""
_ONE_CATEGORY = (codes.ALL, "change_since", *PERSONS_AT.values())
"""Dimensions of one category."""
_MODELS_TOLD = 3
"""Model versions listed under a series; of more, the first and the last."""


@dataclass(frozen=True, kw_only=True)
class PolicyAnalysis:
    """The result of one policy analysis, and what the registry says of it."""

    name: str
    label_ko: str
    label_en: str
    formulas: tuple[Words, ...]
    source: Words
    tables: str
    """Tables it reads, with their versions."""
    rows: pd.DataFrame
    """One row per region × dimension × category × statistic: `analyses.result.RESULT`."""

    @cached_property
    def by_region(self) -> dict[tuple[str, str, str], dict[Any, Any]]:
        """(region, dimension, statistic) → its row"""
        found: dict[tuple[str, str, str], dict[Any, Any]] = {}
        for row in self.rows[self.rows["dimension"].isin(_ONE_CATEGORY)].to_dict("records"):
            found.setdefault((row["region_code"], row["dimension"], row["statistic"]), row)
        return found


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """Figures of a month (or of the months of a year), of a region and what is inside it."""

    month: Month
    """The month the report describes; of a year the last that is there."""
    year: int | None
    region: str
    """Code of the city or of a district."""
    names: Mapping[str, tuple[str, str]]
    """Region code → Korean and English name."""
    areas: pd.DataFrame
    """gold.household_statistics where every category is `all`: one row per month × region, the city among them."""
    breakdown: pd.DataFrame
    """gold.household_breakdown of the month and the region: one row per dimension × category."""
    persons: pd.DataFrame
    """gold.person_statistics of the month where sex and age are `all`: one row per place × region."""
    models: Mapping[Month, str]
    """Month → versions of the models, or the release, that its figures rest on."""
    sources: Mapping[str, str]
    """Table → how it is cited, with its version."""
    is_public: bool
    """Made from approved cells only."""
    analyses: tuple[PolicyAnalysis, ...] = ()
    changes: Mapping[Month, PolicyAnalysis] = field(default_factory=dict)
    """Earlier month → change since."""
    quality: pd.DataFrame | None = None
    """gold.quality_report of the month."""
    budget: pd.DataFrame | None = None
    """gold.error_budget of the month."""
    edits: pd.DataFrame | None = None
    """gold.edit_report of the month, one row per table × reason."""
    withheld: Mapping[str, int] = field(default_factory=dict)
    """Of a release: status → cells not published."""
    boundaries: Mapping[str, Any] | None = None
    """GeoJSON FeatureCollection of dongs, `dong_code` and `label` (longitude and latitude of its name) in the properties."""
    districts: Mapping[str, Any] | None = None
    """The same of districts, `gu_code` in the properties."""
    boundary_source: str = ""

    @property
    def child_level(self) -> str:
        """What the region is divided into: the city into districts, a district into dongs."""
        return "gu" if self.region == codes.CITY_CODE else "dong"

    def origin(self, *tables: str, months: tuple[Month, ...] = ()) -> Origin:
        """Where figures from tables come from."""
        first, last = (months[0], months[-1]) if months else (self.month, self.month)
        span = month_text(last) if first == last else f"{month_text(first)} – {month_text(last)}"
        models = list(dict.fromkeys(self.models.get(m, "") for m in months or (self.month,)))
        told = models if len(models) <= _MODELS_TOLD else [models[0], "…", models[-1]]
        return Origin(source=", ".join(self._source(t) for t in tables), month=span, model="; ".join(told))

    def _source(self, table: str) -> str:
        """How a table, or `analyse NAME`, is cited."""
        analyses = (*self.analyses, *self.changes.values())
        tables = next((a.tables for a in analyses if table == f"analyse {a.name}"), "")
        return f"{table} ({tables})" if tables else self.sources.get(table, table)

    def at(self, month: Month, *, level: str | None = None, region: str | None = None) -> pd.DataFrame:
        """Areas of a month, in the order of their codes; of one level, or one region."""
        frame = self.areas[self.areas["base_month"] == str(month)]
        if level is not None:
            frame = frame[(frame["region_level"] == level) & frame["region_code"].str.startswith(self.region)]
        if region is not None:
            frame = frame[frame["region_code"] == region]
        return frame.sort_values("region_code", ignore_index=True)

    @property
    def months(self) -> tuple[Month, ...]:
        """Months of the series, in order."""
        own = self.areas.loc[self.areas["region_code"] == self.region, "base_month"]
        return tuple(Month.parse(text) for text in sorted(own.unique()))

    def name(self, code: str, language: Language) -> str:
        """Name of a region; its code where the list of regions does not have it."""
        korean, english = self.names.get(code, (code, code))
        return korean if language == "ko" else english


def month_text(month: Month) -> str:
    """As readers write a month.

    >>> month_text(Month(2020, 1))
    '2020-01'
    """
    return f"{month.year:04d}-{month.number:02d}"


def released_areas(long: pd.DataFrame, *, month: Month) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows of `areas` from the long table household_statistics of a release.

    Args:
        long: the release's table: one row per region × categories × statistic.
        month: of the release.

    Returns:
        One row per region with one column per statistic, missing unless published, and how many cells of them are withheld,
        by status.
    """
    margin = long[(long[list(_HEAD)] == codes.ALL).all(axis=1)]
    wide = _wide(margin, index=["region_level", "region_code"])
    withheld = margin.loc[margin["status"] != r.PUBLISHED, "status"].value_counts()
    columns = [c.name for c in gold.HOUSEHOLD_STATISTICS.columns if c.name not in wide and c.name not in ("base_month", *_HEAD)]
    return wide.assign(base_month=str(month), **dict.fromkeys(columns)), {str(k): int(v) for k, v in withheld.items()}


def released_breakdown(long: pd.DataFrame, *, region: str) -> pd.DataFrame:
    """Rows of `breakdown` from the long table household_breakdown of a release: dimension, category, statistics."""
    dimensions = list(r.DIMENSIONS["household_breakdown"])
    own = long[long["region_code"] == region]
    parts = []
    for dimension in dimensions:
        others = [name for name in dimensions if name != dimension]
        rows = own[(own[others] == codes.ALL).all(axis=1) & (own[dimension] != codes.ALL)]
        if len(rows):
            parts.append(_wide(rows.assign(category=rows[dimension]), index=["category"]).assign(dimension=dimension))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["dimension", "category"])


def released_persons(long: pd.DataFrame) -> pd.DataFrame:
    """Rows of `persons` from the long table person_statistics of a release."""
    margin = long[(long[list(_PERSON)] == codes.ALL).all(axis=1)]
    return _wide(margin, index=["place", "region_level", "region_code"])


def released_names(long: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Region code → names, as the release writes them."""
    regions = long.drop_duplicates("region_code")
    return region_pairs(regions)


def region_pairs(regions: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Region code → Korean and English name, from rows with region_code, region_name_ko and region_name_en."""
    columns = (regions[name].astype(str) for name in ("region_code", "region_name_ko", "region_name_en"))
    return {code: (korean, english) for code, korean, english in zip(*columns, strict=True)}


def _wide(rows: pd.DataFrame, *, index: list[str]) -> pd.DataFrame:
    """One column per statistic; the class is that of the mean income's cell, or missing."""
    shown = rows.assign(value=rows["value"].where(rows["status"] == r.PUBLISHED))
    wide = shown.pivot(index=index, columns="statistic", values="value").reset_index()
    reliability = rows.loc[rows["statistic"] == f"mean_{gold.TOTAL_INCOME}", [*index, "reliability"]]
    return wide.merge(reliability, on=index, how="left", validate="one_to_one")
