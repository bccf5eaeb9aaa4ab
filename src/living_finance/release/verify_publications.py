"""The gate for the report and the maps of a release: whether they say anything that its tables do not publish.

Reads the files as a reader does and shares no code with who writes them. Every text must be one of the contract, a name of a
region or a figure; every figure names its cell and must be that cell's published value; colours of a map must follow from
published values and from limits that are published values themselves.

| attack | here |
|---|---|
| P12 | a figure that is not the value its cell publishes |
| P13 | a withheld cell with a value or a colour; texts, elements, attributes, members and geometries that could carry more |

The long report of a release is prose with errors and differences of published values, so not its files but the figures it is made
of are attacked (`verify_figures`).

Source: decision 0070.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

import pandas as pd

from living_finance.contracts import codes, gold
from living_finance.contracts import publications as p
from living_finance.contracts import releases as r
from living_finance.contracts.language import Language

Finding = tuple[str, str, str, str]
_Cells = Mapping[str, tuple[float | None, str, str | None]]
"""Name → published value, unit, reliability; no value: withheld."""

_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    tag: frozenset(names.split())
    for tag, names in {
        "html": "lang",
        "head": "",
        "meta": "charset name content",
        "title": "",
        "style": "",
        "body": "",
        "header": "",
        "main": "",
        "footer": "",
        "section": "",
        "p": "class",
        "h1": "",
        "h2": "id",
        "dl": "",
        "dt": "",
        "dd": "",
        "a": "href",
        "ul": "class",
        "li": "",
        "div": "class tabindex role aria-labelledby",
        "table": "",
        "thead": "",
        "tbody": "",
        "tr": "",
        "th": "scope class",
        "td": "",
        "data": "value data-cell",
        "span": "class data-cell",
        "figure": "id",
        "figcaption": "",
        "svg": "viewbox role aria-label width height aria-hidden",
        "defs": "",
        "path": "id d",
        "use": "href class data-cell",
        "text": "x y",
    }.items()
}
_CLASSES = frozenset(("banner", "marking", "row", "unit", "scroll", "legend", "line"))
_COLOURS = (*(f"c{number}" for number in range(p.CLASSES)), "none")
_KEYS = frozenset(f"key {colour}" for colour in _COLOURS)
_VOID = frozenset(("meta", "use", "path"))
_META = frozenset(("utf-8", "viewport", "width=device-width, initial-scale=1"))
_NUMBER = re.compile(r"-?(\d{1,3}(,\d{3})*)(\.\d+)?")
_PATH = re.compile(r"(M-?\d+\.\d -?\d+\.\d(L-?\d+\.\d -?\d+\.\d)*Z)+")
_PLACE = re.compile(r"-?\d+\.\d")
_BOX = re.compile(r"0 0 \d+ \d+")
_FONT = re.compile(r"base64,([A-Za-z0-9+/]+={0,2})\)")
_MODEL = re.compile(r"[\w .,:+;()/-]{1,200}")
_DECIMALS = 5
_NO_FIGURES = frozenset(("base_month", "region_level", "region_code", r.PLACE, "dimension", "category", "reliability"))
"""Columns of a report's rows that say which cells they are of."""


def verify_publications(files: Mapping[str, str], *, tables: Mapping[str, pd.DataFrame], about: p.About) -> list[Finding]:
    """Attack report and maps.

    Args:
        files: path in the package → text, as read.
        tables: of the same release, as read.
        about: what they may say of the release.

    Returns:
        Findings: attack, file, cell, what.
    """
    if not files:
        return []
    findings: list[Finding] = []
    if not _MODEL.fullmatch(about.model):
        findings.append(("P13", "", "", "the model's version is more than a version"))
    for kind in (p.REPORTS, p.MAPS):
        if (there := files.keys() & kind.keys()) and there != kind.keys():
            findings += [("P13", path, "", "is missing beside the others") for path in sorted(kind.keys() - there)]
    for path in sorted(files.keys() - p.REPORTS.keys() - p.MAPS.keys()):
        findings.append(("P13", path, "", "no report or map of the contract"))
    cells, regions = _published(tables), _regions(tables)
    for path, language in p.REPORTS.items():
        if path in files:
            reader = _Reader(path, language, cells, known=_known(about, language, regions), link=about.licence_url)
            reader.feed(files[path])
            reader.close()
            findings += reader.findings
            findings += list(reader.colours())
            if reader.open_tags or not reader.figures:
                findings.append(("P13", path, "", "is no whole report"))
    for path, level in p.MAPS.items():
        if path in files:
            findings += _map(path, files[path], cells, regions, level=level, about=about)
    return findings


def verify_figures(
    rows: Mapping[str, pd.DataFrame], *, tables: Mapping[str, pd.DataFrame], region: str = codes.CITY_CODE
) -> list[Finding]:
    """Attack the figures that a long report of a release is made of: each must be the value that its cell publishes.

    Args:
        rows: gold table → one row per region, of persons per place too, of the breakdown per dimension × category of `region`;
            a column per statistic, missing where it is withheld, and the class of reliability of the mean income.
        tables: of the release that they are said to be of, as read.
        region: that the breakdown is of.

    Returns:
        Findings: attack, table, cell, what.
    """
    cells = _published(tables, region=region)
    findings: list[Finding] = []
    for table, frame in rows.items():
        for row in frame.to_dict("records"):
            categories = {str(row["dimension"]): str(row["category"])} if "dimension" in row else {}
            categories |= {r.PLACE: str(row[r.PLACE])} if r.PLACE in row else {}
            where = str(row.get("region_code", region))
            for name in row.keys() - _NO_FIGURES:
                key = p.cell_key(table, where, categories, str(name))
                published = cells.get(key, (None, "", None))[0]
                if pd.notna(row[name]) and published is None:
                    findings.append(("P13", table, key, "a figure of a cell that is not published"))
                elif pd.notna(row[name]) and row[name] != published:
                    findings.append(("P12", table, key, "not the value that the tables publish"))
            key = p.cell_key(table, where, categories, f"mean_{gold.TOTAL_INCOME}")
            published, _, reliability = cells.get(key, (None, "", None))
            said = row.get("reliability")
            if isinstance(said, str) and (published is None or said != reliability):
                findings.append(("P13", table, key, "another reliability than the tables have"))
    return findings


def _published(
    tables: Mapping[str, pd.DataFrame], *, region: str = codes.CITY_CODE
) -> dict[str, tuple[float | None, str, str | None]]:
    """Cells by their names: whole regions, and one-way categories of the city and of `region`."""
    cells: dict[str, tuple[float | None, str, str | None]] = {}
    for table, frame in tables.items():
        if table not in r.SOURCES or tuple(frame.columns) != r.columns_of(table):
            continue
        ways = sum((frame[name] != codes.ALL).astype(int) for name in r.DIMENSIONS[table])
        near = frame[(ways == 0) | ((ways == 1) & ((frame["region_level"] == "city") | (frame["region_code"] == region)))]
        near = near[near["region_level"] != "output_area"]
        name = table + " " + near["region_code"]
        for dimension in sorted(r.dimension_columns(table)):
            name += (" " + dimension + "=" + near[dimension].astype(str)).where(near[dimension] != codes.ALL, "")
        shown = ((near["status"] == r.PUBLISHED) & near["value"].notna()).to_numpy()
        value = [float(v) if is_shown else None for v, is_shown in zip(near["value"], shown, strict=True)]
        said = [text if isinstance(text, str) else None for text in near["reliability"]]
        cells |= dict(zip(name + " " + near["statistic"], zip(value, near["unit"], said, strict=True), strict=True))
    return cells


def _regions(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    about = ["region_level", "region_code", "mois_code", "region_name_ko", "region_name_en"]
    frames = [frame[about] for frame in tables.values() if set(about) <= set(frame)]
    frames = [frame[frame["region_level"] != "output_area"] for frame in frames]
    return pd.concat(frames).drop_duplicates() if frames else pd.DataFrame(columns=about)


def _known(about: p.About, language: Language, regions: pd.DataFrame) -> frozenset[str]:
    return frozenset((*p.known_texts(about, language), *regions[f"region_name_{language}"].dropna()))


class _Reader(HTMLParser):
    """Reads one report and notes what should not be there."""

    def __init__(self, path: str, language: Language, cells: _Cells, *, known: frozenset[str], link: str) -> None:
        super().__init__(convert_charrefs=True)
        self.path, self.figures = path, 0
        self.findings: list[Finding] = []
        self._language = language
        self.open_tags: list[str] = []
        self._cells, self._known, self._link = cells, known, link
        self._ids: set[str] = set()
        self._cell: tuple[str, str] | None = None
        self._class_of: str | None = None
        self._text = ""
        self._areas: list[tuple[str, str, str]] = []
        self._limits: dict[str, list[str]] = {}
        self._map = ""

    def _say(self, attack: str, cell: str, what: str) -> None:
        self.findings.append((attack, self.path, cell, what))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._flush()
        if tag not in _ATTRIBUTES or given.keys() - _ATTRIBUTES[tag] or len(given) < len(attrs):
            self._say("P13", "", f"an element or attribute that no report has: {tag}")
            return
        if tag not in _VOID:
            self.open_tags.append(tag)
        for name, value in given.items():
            if not self._is_plain(tag, name, value):
                self._say("P13", given.get("data-cell", ""), f"{name} of {tag} says more than it should")
        if tag == "data":
            self._cell = (given.get("data-cell", ""), given.get("value", ""))
        elif tag == "span" and "data-cell" in given:
            self._class_of = given["data-cell"]
        elif tag == "figure":
            self._map = given.get("id", "")
        elif tag == "use" and "data-cell" not in given and given.get("class") != "line":
            self._say("P13", "", "a coloured region that names no cell")
        elif tag == "use" and "data-cell" in given:
            self._areas.append((self._map, given["data-cell"], given.get("class", "")))
            if given["data-cell"].split(" ")[1:2] != [given.get("href", "").removeprefix("#dong-")]:
                self._say("P13", given["data-cell"], "drawn as another region")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self._say("P13", "", f"an element without an end: {tag}")
        self.handle_starttag(tag, attrs)

    def _is_plain(self, tag: str, name: str, value: str) -> bool:
        """Whether an attribute's value is one that a report can have."""
        if name == "id":
            is_new = value not in self._ids
            self._ids.add(value)
            return is_new and (_is_key(value) or (tag == "path" and bool(re.fullmatch(r"(dong|gu)-\d+", value))))
        if name == "class":
            return value in _CLASSES or value in _COLOURS or (tag == "span" and value in _KEYS)
        patterns = {"d": _PATH, "x": _PLACE, "y": _PLACE, "viewbox": _BOX}
        if name in patterns:
            return bool(patterns[name].fullmatch(value))
        allowed = {
            "lang": (self._language,),
            "charset": _META,
            "name": _META,
            "content": _META,
            "scope": ("col", "row"),
            "role": ("region", "img"),
            "tabindex": ("0",),
            "width": ("0",),
            "height": ("0",),
            "aria-hidden": ("true",),
            "aria-labelledby": self._ids,
            "aria-label": self._known,
            "data-cell": self._cells.keys(),
        }
        if name == "href":
            return value == self._link if tag == "a" else value.removeprefix("#") in self._ids
        return name == "value" or value in allowed.get(name, ())

    def close(self) -> None:
        super().close()
        self._flush()

    def handle_endtag(self, tag: str) -> None:
        self._flush()
        if tag in _VOID:
            return
        if not self.open_tags or self.open_tags.pop() != tag:
            self._say("P13", "", f"elements that are not nested: {tag}")
        if tag == "figure":
            self._map = ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def _flush(self) -> None:
        """Judge the text since the last tag."""
        text, self._text = self._text.strip(), ""
        if self._cell is not None:
            (cell, value), self._cell = self._cell, None
            self._figure(cell, value, text)
        elif self._class_of is not None:
            cell, self._class_of = self._class_of, None
            published, _, reliability = self._cells.get(cell, (None, "", None))
            if published is None or not reliability or text != codes.RELIABILITY.label(reliability, self._language):
                self._say("P13", cell, "another reliability than the tables have")
        elif self.open_tags[-1:] == ["style"]:
            if not _is_style(text, self._language):
                self._say("P13", "", "another style, or another font than the contract's")
        elif text and text not in self._known:
            self._say("P13", "", "a text that is none of the contract and no name of a region")

    def _figure(self, cell: str, value: str, text: str) -> None:
        self.figures += 1
        published, unit, reliability = self._cells.get(cell, (None, "", None))
        if published is None:
            if value or text != p.WITHHELD:
                self._say("P13", cell, "a figure of a cell that is not published")
            return
        shown = _value(text.removesuffix(p.MARKS.get(reliability or "", "")), unit)
        if shown is None or abs(shown - published) > abs(published) * 1e-9 or value != p.value_text(published):
            self._say("P12", cell, "not the value that the tables publish")
        if self._map:
            self._limits.setdefault(self._map, []).append(cell)

    def handle_comment(self, data: str) -> None:
        self._say("P13", "", "a comment")

    def handle_pi(self, data: str) -> None:
        self._say("P13", "", "an instruction")

    def unknown_decl(self, data: str) -> None:
        self._say("P13", "", "a declaration")

    def handle_decl(self, decl: str) -> None:
        if decl != "DOCTYPE html":
            self._say("P13", "", "a declaration")

    def colours(self) -> Iterator[Finding]:
        """Colours that do not follow from what is published."""
        for name, cell, colour in self._areas:
            values = {value for key in self._limits.get(name, ()) if (value := self._cells[key][0]) is not None}
            kinds = {key.rsplit(" ", 1)[-1] for key in (cell, *self._limits.get(name, ()))}
            published = self._cells.get(cell, (None, "", None))[0]
            wanted = "none" if published is None else f"c{sum(published >= limit for limit in values)}"
            if colour != wanted or len(kinds) > 1:
                yield "P13", self.path, cell, "drawn in another colour than its published value has"


def _is_style(text: str, language: Language) -> bool:
    """Whether a style is the contract's, with the fonts whose hashes it has, and nothing between their bits."""
    fonts = p.FONTS[language]
    inside = _FONT.findall(text)
    if len(inside) != len(fonts) or text != p.style_sheet(dict(zip(fonts, inside, strict=True))):
        return False
    try:
        contents = [base64.b64decode(font, validate=True) for font in inside]
    except binascii.Error:
        return False
    return all(
        base64.b64encode(content).decode() == font and hashlib.sha256(content).hexdigest() == known
        for font, content, known in zip(inside, contents, fonts.values(), strict=True)
    )


def _is_key(value: str) -> bool:
    return value in {table.key for table in p.TABLES} or value in {f"map-{name}" for name in p.MAPPED}


def _value(text: str, unit: str) -> float | None:
    """What a reader takes a printed number for; None: no number."""
    return float(text.replace(",", "")) * p.SHOWN[unit].scale if _NUMBER.fullmatch(text) else None


def _map(path: str, text: str, cells: _Cells, regions: pd.DataFrame, *, level: str, about: p.About) -> Iterator[Finding]:
    """A GeoJSON map."""

    def found(attack: str, cell: str, what: str) -> Finding:
        return attack, path, cell, what

    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            raise ValueError
        return members

    try:
        collection = json.loads(text, object_pairs_hook=once)
        features = collection.pop("features")
        beside = {"type": "FeatureCollection", **p.map_members(about)}
    except (ValueError, KeyError, AttributeError, RecursionError):
        yield found("P13", "", "is no GeoJSON, or says something twice")
        return
    if collection != beside or not isinstance(features, list):
        yield found("P13", "", "members that are not those of the contract")
        return
    of_level = regions[regions["region_level"] == level].to_dict("records")
    known = {
        row["region_code"]: {name: text if isinstance(text, str) else None for name, text in row.items()} for row in of_level
    }
    seen: list[str] = []
    for feature in features:
        if not isinstance(feature, dict) or feature.keys() != {"type", "properties", "geometry"} or feature["type"] != "Feature":
            yield found("P13", "", "a feature with other members")
            continue
        properties = dict(feature["properties"])
        about_region = {name: properties.pop(name, None) for name in p.MAP_PROPERTIES}
        code = str(about_region["region_code"])
        seen.append(code)
        row = known.get(code)
        if row is None or any(about_region[name] != row[name] for name in p.MAP_PROPERTIES):
            yield found("P13", code, "described otherwise than in the tables")
        if not _is_outline(feature["geometry"]):
            yield found("P13", code, "a geometry that could say more")
        for name in p.MAP_STATISTICS:
            key = p.cell_key(p.MAP_TABLE, code, {}, name)
            value, status = properties.pop(name, None), properties.pop(f"{name}_status", None)
            published = cells.get(key, (None, "", None))[0]
            if published is None and (value is not None or status == r.PUBLISHED):
                yield found("P13", key, "a figure of a cell that is not published")
            elif published is not None and (value != published or isinstance(value, bool) or status != r.PUBLISHED):
                yield found("P12", key, "not the value that the tables publish")
            elif status is not None and status not in r.STATUS.codes:
                yield found("P13", key, "unknown status")
        if properties:
            yield found("P13", code, "properties that are not those of the contract")
    if seen != sorted(set(seen)):
        yield found("P13", "", "regions twice, or not in the order of their codes")


def _is_outline(geometry: Any) -> bool:
    """Whether a geometry is made of closed rings on a grid of 1e-5 degrees and nothing else."""
    if not isinstance(geometry, dict) or geometry.keys() != {"type", "coordinates"}:
        return False
    if geometry["type"] not in ("Polygon", "MultiPolygon"):
        return False
    polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    try:
        rings = [ring for polygon in polygons for ring in polygon]
        return all(
            ring[0] == ring[-1] and all(len(point) == 2 and all(round(x, _DECIMALS) == x for x in point) for point in ring)
            for ring in rings
        )
    except (TypeError, IndexError, KeyError):
        return False
