"""Charts and maps as SVG: drawn by Vega-Lite from tables of some hundred rows, without a browser and without a network."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import altair as alt
import pandas as pd
import shapely
import vl_convert as vlc

from living_finance.reports.fonts import FAMILY, font_folder

Chart = Any
"""An altair chart of any kind."""
_Bounds = tuple[float, float, float, float]
"""West, south, east and north of regions, degrees."""

WIDTH = 480
"""Pixels of a chart with its axes: text stays readable on a phone, where it is drawn smaller."""
_NAME_SIZE = 13
"""Pixels of the names on a map."""
_LAST_NARROW_LETTER = 0x2FF
_INK, _SOFT, _ACCENT = "#1f2937", "#6b7280", "#005a9c"
_CLASSES = ("#deebf7", "#9ecae1", "#4292c6", "#2171b5", "#084594")
"""Light to dark: readable in grey and by people who do not see colours apart."""
_GREY = "#bdbdbd"
_PARTS = ("#005a9c", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")
"""Okabe & Ito (2008), Color universal design."""
_SHORT = 8
"""Letters of a name of which three stand beside each other in a legend."""
_LEGEND_TITLE, _LEGEND_LINE = 50, 18
"""Pixels of a legend below: its distance and title, a line of it."""
_HIGHEST_MAP = 0.95
_SHAPES = {"publishable": "circle", "caution": "diamond", "unreliable": "cross"}
_SURE = 1.96


_TEXT = {"labelFontSize": 14, "titleFontSize": 14, "labelColor": _INK, "titleColor": _INK, "titleFontWeight": "normal"}
_CONFIG: Mapping[str, Any] = {
    "font": FAMILY,
    "background": "white",
    "axis": _TEXT,
    "legend": _TEXT,
    "view": {"stroke": None},
    "axisQuantitative": {"grid": True, "gridColor": "#e5e7eb", "tickCount": 5, "labelFlush": False, "labelOverlap": "greedy"},
}


@cache
def _register_fonts() -> None:
    vlc.register_font_directory(str(font_folder()))


def draw(chart: Chart, *, prefix: str) -> str:
    """The chart as an SVG element, without names for its parts: the page says what it shows.

    Args:
        chart: what to draw.
        prefix: put before the ids in it, so that several can stand in one page.
    """
    _register_fonts()
    spec = chart.to_dict()
    spec["config"] = _CONFIG
    spec["autosize"] = {"type": "fit", "contains": "padding"}
    drawn = vlc.vegalite_to_svg(json.dumps(spec, ensure_ascii=False))
    unnamed = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", drawn)
    return re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{prefix}-", unnamed)


def use_in_notebooks() -> None:
    """Altair charts as pictures with the look and the Korean typeface of the report, in every viewer, without a network."""
    _register_fonts()
    title = {"fontSize": 14, "fontWeight": "normal", "color": _INK, "anchor": "start"}
    style = {**_CONFIG, "title": title, "header": _TEXT, "range": {"category": list(_PARTS)}, "bar": {"color": _ACCENT}}

    @alt.theme.register("living-finance", enable=True)
    def theme() -> alt.theme.ThemeConfig:
        return alt.theme.ThemeConfig(config=style)  # type: ignore[typeddict-item]

    alt.renderers.enable("png", ppi=144)


def png(drawn: str, *, width: int) -> bytes:
    """An SVG as PNG, of so many pixels."""
    _register_fonts()
    found = re.search(r'<svg[^>]* width="([0-9.]+)"', drawn)
    scale = width / float(found.group(1)) if found else 1.0
    return bytes(vlc.svg_to_png(drawn, scale=scale))


def intervals(rows: pd.DataFrame, *, title: str, classes: Mapping[str, str], legend: str) -> Chart:
    """A point with its 95 % interval for each row, in the order of the rows.

    Args:
        rows: label, value, error (standard error, may be missing), reliability.
        title: of the axis, with the unit.
        classes: reliability → its label.
        legend: title of the legend.
    """
    frame = rows.assign(
        low=rows["value"] - _SURE * rows["error"].astype(float),
        high=rows["value"] + _SURE * rows["error"].astype(float),
        kind=rows["reliability"].map(classes),
    )
    order = list(rows["label"])
    base = alt.Chart(_values(frame)).encode(y=_names(order))
    lines = base.mark_rule(color=_SOFT, strokeWidth=2).encode(x=_amounts("low", title), x2="high:Q")
    present = [name for name in classes if name in set(rows["reliability"])]
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=_amounts("value", title),
        shape=alt.Shape(
            "kind:N",
            title=legend,
            scale=alt.Scale(domain=[classes[c] for c in present], range=[_SHAPES[c] for c in present]),
            legend=alt.Legend(orient="bottom"),
        ),
        color=alt.Color(
            "kind:N",
            title=legend,
            scale=alt.Scale(
                domain=[classes[c] for c in present],
                range=["#b91c1c" if c == "unreliable" else "#b45309" if c == "caution" else _ACCENT for c in present],
            ),
            legend=alt.Legend(orient="bottom"),
        ),
    )
    return alt.layer(lines, points).properties(width=WIDTH, height=_height(order))


def spread(rows: pd.DataFrame, *, title: str) -> Chart:
    """Tenth to ninetieth percentile as a line, the middle half as a bar, the median as a tick, in the order of the rows.

    Args:
        rows: label, p10, p25, median, p75, p90.
        title: of the axis, with the unit.
    """
    order = list(rows["label"])
    base = alt.Chart(_values(rows)).encode(y=_names(order))
    lines = base.mark_rule(color=_SOFT).encode(x=_amounts("p10", title), x2="p90:Q")
    boxes = base.mark_bar(size=10, color=_CLASSES[1]).encode(x=_amounts("p25", title), x2="p75:Q")
    medians = base.mark_tick(size=13, thickness=3, color=_CLASSES[4]).encode(x=_amounts("median", title))
    return alt.layer(lines, boxes, medians).properties(width=WIDTH, height=_height(order))


def parts(rows: pd.DataFrame, *, title: str, names: Sequence[str]) -> Chart:
    """Stacked bars.

    Args:
        rows: label, one column per part.
        title: of the axis, with the unit.
        names: columns of the parts, in order.
    """
    order = list(rows["label"])
    long = rows.melt(id_vars="label", value_vars=list(names), var_name="part")
    long["position"] = long["part"].map(list(names).index)
    return (
        alt.Chart(_values(long))
        .mark_bar(size=14, stroke="white", strokeWidth=1)
        .encode(
            y=_names(order),
            x=alt.X("value:Q", title=title, axis=alt.Axis(format=",f")),
            color=alt.Color(
                "part:N",
                title=None,
                scale=alt.Scale(domain=list(names), range=list(_PARTS[: len(names)])),
                legend=alt.Legend(orient="bottom", columns=3 if max(map(len, names)) <= _SHORT else 2),
            ),
            order="position:Q",
        )
        .properties(width=WIDTH, height=_height(order))
    )


def series(rows: pd.DataFrame, *, title: str, months: str) -> Chart:
    """A line over months with its 95 % band.

    Args:
        rows: month (text), value, error (standard error, may be missing).
        title: of the axis of values, with the unit.
        months: title of the axis of months.
    """
    error = rows["error"].astype(float).fillna(0.0)
    frame = rows.assign(low=rows["value"] - _SURE * error, high=rows["value"] + _SURE * error)
    base = alt.Chart(_values(frame)).encode(
        x=alt.X("month:O", title=months, axis=alt.Axis(labelAngle=-45 if len(rows) > 6 else 0))
    )
    scale = alt.Scale(zero=False, nice=True)
    y = alt.Y("low:Q", title=title, scale=scale, axis=alt.Axis(format=",f"))
    band = base.mark_area(color=_CLASSES[1], opacity=0.6).encode(y=y, y2="high:Q")
    line = base.mark_line(color=_CLASSES[4], point=alt.OverlayMarkDef(color=_CLASSES[4], size=50)).encode(
        y=alt.Y("value:Q", title=title, scale=scale)
    )
    return alt.layer(band, line).properties(width=WIDTH, height=320)


def lorenz(shares: Sequence[tuple[float, float]], *, x_title: str, y_title: str) -> Chart:
    """A Lorenz curve beside the line of equality.

    Args:
        shares: share of people, share of income, both per cent, from 0 to 100.
        x_title: of the share of people.
        y_title: of the share of income.
    """
    frame = pd.DataFrame(shares, columns=["people", "income"])
    x = alt.X("people:Q", title=x_title, scale=alt.Scale(domain=[0, 100]))
    base = alt.Chart(_values(frame))
    equal = base.mark_line(color=_SOFT, strokeDash=[4, 4]).encode(
        x=x, y=alt.Y("people:Q", title=y_title, scale=alt.Scale(domain=[0, 100]))
    )
    curve = base.mark_line(color=_CLASSES[4], point=alt.OverlayMarkDef(color=_CLASSES[4])).encode(
        x=x, y=alt.Y("income:Q", title=y_title, scale=alt.Scale(domain=[0, 100]))
    )
    return alt.layer(equal, curve).properties(width=WIDTH, height=WIDTH - 60)


def class_limits(values: Sequence[float], *, step: float) -> tuple[float, ...]:
    """Limits between at most five classes that hold about as many values each, rounded to `step`.

    >>> class_limits([31, 38, 42, 55, 58, 61, 70, 88, 90, 120], step=10)
    (40, 60, 90)
    """
    if len(values) < len(_CLASSES):
        return ()
    quantiles = pd.Series(values, dtype=float).quantile([0.2, 0.4, 0.6, 0.8])
    return tuple(sorted({round(q / step) * step for q in quantiles}))


def choropleth(
    features: Sequence[Mapping[str, Any]],
    *,
    classes: Mapping[str, str],
    order: Sequence[str],
    missing: Sequence[str],
    title: str,
    labels: Sequence[Mapping[str, Any]] = (),
    outlines: Sequence[Mapping[str, Any]] = (),
) -> Chart:
    """A map of regions by class.

    Args:
        features: GeoJSON features, `dong_code` in their properties.
        classes: dong code → its class.
        order: classes from low to high.
        missing: classes that are no amounts (not published, not reliable), drawn grey.
        title: of the legend, with the unit.
        labels: name, longitude and latitude of what is named on the map, unless it would cover a name before it.
        outlines: GeoJSON features drawn as lines over the regions.
    """
    drawn = [
        {"type": "Feature", "geometry": f["geometry"], "properties": {"class": classes[f["properties"]["dong_code"]]}}
        for f in features
        if f["properties"]["dong_code"] in classes
    ]
    used = set(classes.values())
    greys = [name for name in missing if name in used]
    colours = [*_shades(len(order)), *[_GREY] * len(greys)]
    lines = [{"type": "Feature", "geometry": f["geometry"], "properties": {}} for f in outlines]
    place = {"longitude": "lon:Q", "latitude": "lat:Q", "text": "name:N"}
    bounds = _bounds(drawn)
    words = alt.Chart({"values": _apart(labels, bounds)})
    return (
        alt.layer(
            alt.Chart({"values": drawn})
            .mark_geoshape(stroke="white", strokeWidth=0.6)
            .encode(
                color=alt.Color(
                    "properties.class:N",
                    title=title,
                    scale=alt.Scale(domain=[*order, *greys], range=colours),
                    legend=alt.Legend(
                        orient="bottom", columns=2, symbolType="square", symbolStrokeWidth=0, labelLimit=220, titleLimit=WIDTH
                    ),
                )
            ),
            *([alt.Chart({"values": lines}).mark_geoshape(filled=False, stroke=_INK, strokeWidth=1.2)] if lines else []),
            # The halo first: names are read on light and on dark.
            *(
                [
                    words.mark_text(fontSize=_NAME_SIZE, stroke="white", strokeWidth=3).encode(**place),
                    words.mark_text(fontSize=_NAME_SIZE, fill=_INK).encode(**place),
                ]
                if labels
                else []
            ),
        )
        .properties(width=WIDTH, height=_map_height(bounds, entries=len(order) + len(greys)))
        .project(type="mercator")
    )


def _apart(labels: Sequence[Mapping[str, Any]], bounds: _Bounds) -> list[Mapping[str, Any]]:
    """Names in their order that cover none before them, at the size at which they are drawn."""
    west, south, east, north = bounds
    stretched = 1 / math.cos(math.radians((north + south) / 2))
    per_degree = WIDTH * min(1 / (east - west), _HIGHEST_MAP / ((north - south) * stretched))
    kept: list[Mapping[str, Any]] = []
    boxes: list[shapely.Geometry] = []
    for label in labels:
        # Hangul is as wide as it is high, Latin letters a little more than half.
        half = _NAME_SIZE / 2 * sum(1.0 if ord(letter) > _LAST_NARROW_LETTER else 0.56 for letter in label["name"])
        x, y = label["lon"] * per_degree, label["lat"] * per_degree * stretched
        box = shapely.box(x - half, y - _NAME_SIZE / 2, x + half, y + _NAME_SIZE / 2)
        if not any(box.intersects(other) for other in boxes):
            kept.append(label)
            boxes.append(box)
    return kept


def _bounds(drawn: Sequence[Mapping[str, Any]]) -> _Bounds:
    west, south, east, north = shapely.total_bounds(shapely.from_geojson([json.dumps(each["geometry"]) for each in drawn]))
    return float(west), float(south), float(east), float(north)


def _map_height(bounds: _Bounds, *, entries: int) -> int:
    """Pixels of a map as high as its regions ask for, with a legend of so many entries in two columns below."""
    west, south, east, north = bounds
    ratio = (north - south) / ((east - west) * math.cos(math.radians((north + south) / 2)))
    return round(min(ratio * WIDTH + _LEGEND_TITLE + _LEGEND_LINE * math.ceil(entries / 2), _HIGHEST_MAP * WIDTH))


def _shades(count: int) -> tuple[str, ...]:
    """Colours of at most five classes, light to dark and as far apart as they can be."""
    return {1: _CLASSES[2:3], 2: _CLASSES[1::2], 3: _CLASSES[::2]}.get(count, _CLASSES[:count])


def _values(frame: pd.DataFrame) -> dict[str, Any]:
    """Rows as inline data: no hash of them in the chart, missing numbers as null."""
    return {"values": json.loads(frame.to_json(orient="records", double_precision=10))}


def _names(order: Sequence[str]) -> alt.Y:
    return alt.Y("label:N", title=None, sort=list(order), axis=alt.Axis(labelLimit=round(0.62 * WIDTH)))


def _amounts(column: str, title: str) -> alt.X:
    return alt.X(f"{column}:Q", title=title, axis=alt.Axis(format=",f"), scale=alt.Scale(zero=False))


def _height(order: Sequence[str]) -> int:
    return 120 + 22 * max(len(order), 2)


def texts(drawn: str) -> Iterator[str]:
    """The words in an SVG."""
    yield from re.findall(r">([^<>]+)<", drawn)
