"""The report and the maps that leave with a release: its own cells, each with its name, and the texts of the contract.

Nothing else is read: no gold, no analysis. The same tables give the same bytes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, radians
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from living_finance.contracts import codes
from living_finance.contracts import publications as p
from living_finance.contracts import releases as r
from living_finance.contracts.language import IN_DEVELOPMENT, Language
from living_finance.reports.fonts import public_fonts

_WIDTH = 600.0
"""Units of the drawing."""


@dataclass(frozen=True)
class _Figure:
    """One figure of the report, or one word about it."""

    key: str
    text: str
    value: str = ""
    """Whole or decimal, as it stands in the tables; empty: withheld."""
    css: str = ""


class _Cells:
    """Cells of a release that a report can show: whole regions, and one-way categories."""

    def __init__(self, tables: Mapping[str, pd.DataFrame]) -> None:
        self._rows: dict[str, tuple[float, str, str | None, str]] = {}
        self.regions: dict[str, list[str]] = {}
        self.names: dict[str, tuple[str, str]] = {}
        self.mois_codes: dict[str, str | None] = {}
        for table in dict.fromkeys(shown.table for shown in p.TABLES):
            if table in tables:
                self._add(table, tables[table])

    def _add(self, table: str, frame: pd.DataFrame) -> None:
        dimensions = list(r.dimension_columns(table))
        ways = (frame[list(r.DIMENSIONS[table])] != codes.ALL).sum(axis=1)
        rows = frame[
            ((ways == 0) & frame["region_level"].isin(("city", "gu", "dong"))) | ((ways == 1) & (frame["region_level"] == "city"))
        ]
        for row in rows.to_dict("records"):
            key = p.cell_key(table, row["region_code"], {name: row[name] for name in dimensions}, row["statistic"])
            self._rows[key] = (row["value"], row["status"], row["reliability"], row["unit"])
        for about in rows[list(p.MAP_PROPERTIES)].drop_duplicates().to_dict("records"):
            level, code, mois_code, korean, english = about.values()
            if code not in self.names:
                self.names[code] = (korean, english)
                self.mois_codes[code] = mois_code if isinstance(mois_code, str) else None
                self.regions.setdefault(level, []).append(code)

    def has(self, key: str) -> bool:
        return key in self._rows

    def value(self, key: str) -> float | None:
        """None: withheld."""
        found, status, _, _ = self._rows[key]
        return float(found) if status == r.PUBLISHED else None

    def status(self, key: str) -> str:
        return self._rows[key][1]

    def figure(self, key: str, *, is_marked: bool = True) -> _Figure:
        """As it is shown."""
        value, status, reliability, unit = self._rows[key]
        if status != r.PUBLISHED:
            return _Figure(key, p.WITHHELD)
        return _Figure(key, p.figure_text(value, unit, reliability if is_marked else None), value=p.value_text(value))

    def reliability(self, key: str, language: Language) -> _Figure:
        """In words; nothing where the figure is withheld."""
        found = self._rows[key][2]
        return _Figure(key, codes.RELIABILITY.label(found, language) if isinstance(found, str) else "")


def public_report(
    tables: Mapping[str, pd.DataFrame],
    *,
    about: p.About,
    language: Language,
    boundaries: Mapping[str, Sequence[Mapping[str, Any]]],
) -> str:
    """The report of a release as one HTML file: no script, no request to anywhere, fonts inside.

    Args:
        tables: of the release, as they leave.
        about: what it says of the release.
        language: `ko` or `en`.
        boundaries: region level → GeoJSON features with `region_code` in their properties; no feature: no maps.
    """
    cells = _Cells(tables)
    environment = Environment(
        loader=PackageLoader("living_finance.reports"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    fonts = {weight: base64.b64encode(content).decode() for weight, content in public_fonts(language).items()}
    drawing = _Drawing(boundaries)
    maps = [found for name in p.MAPPED if (found := _map(cells, drawing, name, language)) is not None]
    return environment.get_template("public.html.j2").render(
        language=language,
        css=p.style_sheet(fonts),
        title=p.page_title(about, language),
        banner=IN_DEVELOPMENT.of(language),
        marking=p.MARKING.of(language),
        facts=[
            (p.FACTS[key].of(language), text, about.licence_url if key == "licence" else "")
            for key, text in p.facts(about, language).items()
        ],
        how_to_read=p.HOW_TO_READ.of(language),
        notes=[note.of(language) for note in p.NOTES],
        tables=[found for shown in p.TABLES if shown.table in tables and (found := _table(cells, shown, language)) is not None],
        maps=maps,
        drawing=drawing,
        names={code: pair[language == "en"] for code, pair in cells.names.items()},
        words={
            name: words.of(language)
            for name, words in {
                "below": p.BELOW,
                "under": p.UNDER,
                "more": p.AND_MORE,
                "none": p.NOT_PUBLISHED,
                "to": p.UP_TO,
            }.items()
        },
    )


def _table(cells: _Cells, shown: p.PublicTable, language: Language) -> dict[str, Any] | None:
    """A table for the template; None where the release has nothing of it."""
    regions = cells.regions.get(shown.level, [])
    if shown.by:
        rows = [(codes.CITY_CODE, {shown.by: code}) for code, _, _ in r.labels_of(shown.by) if code != codes.ALL]
    else:
        rows = [(code, {}) for code in regions]
    wanted = [(code, shown.fixed | categories) for code, categories in rows]

    def key(code: str, categories: Mapping[str, str], statistic: str) -> str:
        return p.cell_key(shown.table, code, categories, statistic)

    wanted = [(code, c) for code, c in wanted if any(cells.has(key(code, c, name)) for name in shown.statistics)]
    statistics = [name for name in shown.statistics if wanted and all(cells.has(key(code, c, name)) for code, c in wanted)]
    if not wanted or not statistics:
        return None
    units = {name: r.STATISTICS[shown.source][name].unit for name in statistics}
    main = next((name for name in statistics if name.startswith("mean_")), "")
    heads = [r.column(shown.by).label_en if language == "en" else r.column(shown.by).label_ko] if shown.by else []
    heads = heads or [codes.REGION_LEVEL.label(shown.level, language)]
    if shown.level == "dong":
        heads = [p.REGION_OF.of(language), *heads]
    return {
        "key": shown.key,
        "title": shown.title.of(language),
        "heads": heads,
        "columns": [
            (p.statistic_words(shown.source, name).of(language), p.SHOWN[units[name]].words.of(language)) for name in statistics
        ],
        "reliability": p.RELIABILITY.of(language) if main else "",
        "rows": [
            {
                "heads": _row_heads(cells, shown, code, categories, language),
                "figures": [cells.figure(key(code, categories, name)) for name in statistics],
                "reliability": cells.reliability(key(code, categories, main), language) if main else None,
            }
            for code, categories in wanted
        ],
    }


def _row_heads(cells: _Cells, shown: p.PublicTable, code: str, categories: Mapping[str, str], language: Language) -> list[str]:
    if shown.by:
        return [p.category_words(shown.by, categories[shown.by]).of(language)]
    of = [code] if shown.level != "dong" else [code[: r.PARENT_CODE_LENGTH["dong"]], code]
    return [cells.names[each][language == "en"] for each in of]


def _map(cells: _Cells, drawing: _Drawing, statistic: str, language: Language) -> dict[str, Any] | None:
    """A choropleth for the template: regions in classes whose limits are published values themselves."""
    keys = {
        code: p.cell_key(p.MAP_TABLE, code, {}, statistic) for code in cells.regions.get(p.MAP_LEVEL, []) if code in drawing.dongs
    }
    keys = {code: key for code, key in keys.items() if cells.has(key)}
    values = {key: value for key in keys.values() if (value := cells.value(key)) is not None}
    distinct = sorted(set(values.values()))
    if len(distinct) < 2:
        return None
    count = min(p.CLASSES, len(distinct))
    limits = [distinct[number * len(distinct) // count] for number in range(1, count)]
    where = [next(key for key, value in sorted(values.items()) if value == limit) for limit in limits]
    unit = r.STATISTICS[p.MAP_TABLE][statistic].unit
    return {
        "key": f"map-{statistic}",
        "title": p.map_title(statistic, language),
        "unit": p.SHOWN[unit].words.of(language),
        "limits": [cells.figure(key, is_marked=False) for key in where],
        "areas": [
            (code, _Figure(key, "", css="none" if key not in values else f"c{sum(values[key] >= limit for limit in limits)}"))
            for code, key in keys.items()
        ],
    }


class _Drawing:
    """Boundaries as paths: longitudes shrunk by the cosine of the middle latitude, so that a kilometre is one length."""

    def __init__(self, boundaries: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        shapes = {
            level: {f["properties"]["region_code"]: f["geometry"] for f in features} for level, features in boundaries.items()
        }
        points = [point for of in shapes.values() for geometry in of.values() for ring in _rings(geometry) for point in ring]
        self.west, self.north = min((x for x, _ in points), default=0.0), max((y for _, y in points), default=0.0)
        east, south = max((x for x, _ in points), default=1.0), min((y for _, y in points), default=0.0)
        self.squeeze = cos(radians((self.north + south) / 2))
        self.scale = _WIDTH / ((east - self.west) * self.squeeze)
        self.height = (self.north - south) * self.scale
        self.box = f"0 0 {_WIDTH:.0f} {self.height:.0f}"
        self.dongs, self.gus = ({code: self._path(g) for code, g in shapes.get(level, {}).items()} for level in ("dong", "gu"))
        self.labels = {code: self._middle(geometry) for code, geometry in shapes.get("gu", {}).items()}

    def _at(self, point: Sequence[float]) -> tuple[float, float]:
        return (point[0] - self.west) * self.squeeze * self.scale, (self.north - point[1]) * self.scale

    def _path(self, geometry: Mapping[str, Any]) -> str:
        drawn = (("L".join(f"{x:.1f} {y:.1f}" for x, y in map(self._at, ring))) for ring in _rings(geometry))
        return "".join(f"M{ring}Z" for ring in drawn)

    def _middle(self, geometry: Mapping[str, Any]) -> tuple[str, str]:
        """Of the box around the longest ring."""
        longest = [self._at(point) for point in max(_rings(geometry), key=len)]
        middle = ((min(side) + max(side)) / 2 for side in zip(*longest, strict=True))
        x, y = (f"{coordinate:.1f}" for coordinate in middle)
        return x, y


def _rings(geometry: Mapping[str, Any]) -> Iterator[Sequence[Sequence[float]]]:
    polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    for polygon in polygons:
        yield from polygon


def public_map(tables: Mapping[str, pd.DataFrame], *, about: p.About, level: str, boundaries: Sequence[Mapping[str, Any]]) -> str:
    """Published figures of the regions of a level as GeoJSON (RFC 7946).

    Args:
        tables: of the release, as they leave.
        about: what is said of the release, as members of the collection.
        level: `gu` or `dong`.
        boundaries: GeoJSON features of the level with `region_code` in their properties.

    Returns:
        A feature per region that has a boundary: names, and for each statistic its value (null unless published) and status.
    """
    cells = _Cells(tables)
    features = []
    for feature in boundaries:
        code = feature["properties"]["region_code"]
        if code not in cells.regions.get(level, []):
            continue
        about_region = (level, code, cells.mois_codes[code], *cells.names[code])
        properties: dict[str, Any] = dict(zip(p.MAP_PROPERTIES, about_region, strict=True))
        for statistic in p.MAP_STATISTICS:
            key = p.cell_key(p.MAP_TABLE, code, {}, statistic)
            if cells.has(key):
                properties[statistic] = cells.value(key)
                properties[f"{statistic}_status"] = cells.status(key)
        features.append({"type": "Feature", "properties": properties, "geometry": feature["geometry"]})
    collection = {"type": "FeatureCollection", "features": features, **p.map_members(about)}
    return json.dumps(collection, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
