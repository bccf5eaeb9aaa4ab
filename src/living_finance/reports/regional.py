"""Regions: districts and dongs, maps, distributions, components, groups, persons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd

from living_finance.contracts import codes, gold
from living_finance.contracts.language import Language
from living_finance.reports import charts
from living_finance.reports.author import MAN, MEAN, MEDIAN, Author, Indicator, find, find_indicator, published
from living_finance.reports.data import PERSONS_AT
from living_finance.reports.document import Block, Figure, Grid, Origin, Section, Text
from living_finance.reports.formats import (
    NONE,
    is_missing,
    percent,
    reliability_label,
    unit_label,
    value_in,
)
from living_finance.reports.labels import category_label, dimension_label, position
from living_finance.reports.policy import interval_note, interval_words, persons_note, reliability_legend

_NAMED_ON_A_MAP = 30


def regions(author: Author) -> Section | None:
    """What the region is divided into."""
    data, language = author.data, author.language
    children = data.at(data.month, level=data.child_level)
    if children.empty:
        return None
    shown = pd.concat([data.at(data.month, region=data.region), children], ignore_index=True)
    keys = ["mean_income", "median_income", "debt", "spending"]
    keys.append("gini" if "inequality" in author.analyses else "gini_households")
    rows = tuple(
        (
            data.name(row["region_code"], language),
            value_in("households", row.get("households")),
            *(author.level(find_indicator(key), row["region_code"]).shown() for key in keys),
            reliability_label(row.get("reliability"), language),
        )
        for _, row in shown.iterrows()
    )
    grid = Grid(
        caption=author.say(f"{author.level_word()}별 주요 지표", f"Main figures by {author.level_word()}"),
        header=(
            author.level_word(),
            author.say("가구", "households"),
            *author.heads(*keys),
            author.say("신뢰 등급", "reliability"),
        ),
        rows=rows,
        origin=data.origin(*_tables_of(author, keys)),
        notes=(author.class_of_mean(), author.marks()),
        is_long=len(rows) > 30,
    )
    figure = _interval_figure(author, children, grid)
    return Section(
        key="regions",
        title=author.say(f"{author.level_word()}별 현황", f"By {author.level_word()}"),
        blocks=(figure,) if figure else (grid,),
    )


def _tables_of(author: Author, keys: Sequence[str]) -> tuple[str, ...]:
    """Where the figures of indicators come from."""
    names = (find_indicator(key).analysis for key in keys)
    return ("household_statistics", *dict.fromkeys(f"analyse {name}" for name in names if name in author.analyses))


def _interval_figure(author: Author, children: pd.DataFrame, grid: Grid) -> Figure | None:
    estimates = {row["region_code"]: published(row, MEAN, "KRW/year") for _, row in children.iterrows()}
    known = [(code, e) for code, e in estimates.items() if not is_missing(e.value)]
    if len(known) < 2:
        return None
    known.sort(key=lambda pair: (-float(pair[1].value), pair[0]))  # type: ignore[arg-type]
    drawn = pd.DataFrame(
        [
            {
                "label": author.data.name(code, author.language),
                "value": float(e.value) * MAN,  # type: ignore[arg-type]
                "error": None if is_missing(e.error) else float(e.error) * MAN,  # type: ignore[arg-type]
                "reliability": e.reliability or "unreliable",
                "shown": e.shown(shows_error=False),
            }
            for code, e in known
        ]
    )
    label = author.head("mean_income")
    legend, classes = reliability_legend(author.language)
    return Figure(
        caption=author.say(f"{author.level_word()}별 평균 총소득", f"Mean total income by {author.level_word()}"),
        alternative=interval_words(drawn, label=label, language=author.language),
        chart=charts.intervals(drawn, title=label, classes=classes, legend=legend),
        key="regions",
        origin=author.data.origin("household_statistics"),
        notes=(interval_note(author.language),),
        table=grid,
    )


def maps(author: Author) -> Section | None:
    """Dongs by class; unreliable ones grey."""
    data = author.data
    dongs = data.at(data.month, level="dong")
    if data.boundaries is None or dongs.empty:
        return None
    gini = "gini" if "inequality" in author.analyses else "gini_households"
    made = [
        figure
        for key, step in (("median_income", 100.0), ("debt", 100.0), ("poverty", 1.0), (gini, 0.01))
        if (figure := _map(author, find_indicator(key), dongs, step=step)) is not None
    ]
    if not made:
        return None
    text = author.say(
        "행정동별 값은 부록의 표에 모두 있다. 신뢰 불가 또는 비공표인 동은 회색이다.",
        "The table in the appendix has the values of all dongs. Dongs whose figure is not reliable or not published are grey.",
    )
    return Section(key="maps", title=author.say("지도", "Maps"), blocks=(Text((text,)), *made))


def _map(author: Author, indicator: Indicator, dongs: pd.DataFrame, *, step: float) -> Figure | None:
    data, language = author.data, author.language
    estimates = {code: author.level(indicator, code) for code in dongs["region_code"]}
    scale = {"share": 100.0, "index": 1.0}.get(indicator.unit, MAN)
    digits = {"share": 1, "index": 3}.get(indicator.unit, 0)
    values = {
        code: float(e.value) * scale  # type: ignore[arg-type]
        for code, e in estimates.items()
        if not is_missing(e.value) and not e.is_unreliable
    }
    limits = charts.class_limits(list(values.values()), step=step)
    if not limits:
        return None
    order = _class_names(limits, language, digits=2 if indicator.unit == "index" else 0)
    grey = {True: reliability_label("unreliable", language), False: author.say("비공표", "not published")}
    classes = {
        code: order[sum(values[code] >= limit for limit in limits)] if code in values else grey[e.is_unreliable]
        for code, e in estimates.items()
    }
    features = data.boundaries["features"] if data.boundaries else []
    drawn = {f["properties"]["dong_code"] for f in features}
    ranked = sorted(values, key=lambda code: (-values[code], code))
    label = f"{indicator.label[language == 'en']} ({author.unit(indicator)})"
    top, bottom = (
        ", ".join(f"{data.name(code, language)} {values[code]:,.{digits}f}" for code in part)
        for part in (ranked[:3], ranked[-3:])
    )
    undrawn = len(set(classes) - drawn)
    notes = [author.say(f"경계: {data.boundary_source}.", f"Boundaries: {data.boundary_source}.")]
    if undrawn:
        notes.append(
            author.say(
                f"경계 자료에 없는 동 {undrawn}개는 그리지 못했다.",
                f"{undrawn} dongs have no boundary here and are not drawn.",
            )
        )
    return Figure(
        caption=author.say(f"행정동별 {label}", f"{label[0].upper()}{label[1:]} by dong"),
        alternative=author.say(
            f"{len(values)}개 동의 지도. 높은 동: {top}. 낮은 동: {bottom}.",
            f"Map of {len(values)} dongs. Highest: {top}. Lowest: {bottom}.",
        ),
        chart=charts.choropleth(
            features,
            classes=classes,
            order=order,
            missing=list(grey.values()),
            title=label,
            labels=_map_labels(author, [f for f in features if f["properties"]["dong_code"] in classes]),
            outlines=_districts(author),
        ),
        key=f"map-{indicator.key.replace('_', '-')}",
        origin=data.origin(f"analyse {indicator.analysis}" if indicator.analysis in author.analyses else "household_statistics"),
        notes=tuple(notes),
    )


def _districts(author: Author) -> list[Mapping[str, Any]]:
    """Outlines of the districts of the city; none in a district's own edition."""
    if author.data.region != codes.CITY_CODE or author.data.districts is None:
        return []
    return list(author.data.districts["features"])


def _map_labels(author: Author, dongs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Names on a map: of districts on that of the city, else of dongs."""
    named = [(f["properties"], "gu_code") for f in _districts(author)] or [(f["properties"], "dong_code") for f in dongs]
    if len(named) > _NAMED_ON_A_MAP:
        return []
    return [
        {"name": author.data.name(of[key], author.language), "lon": of["label"][0], "lat": of["label"][1]}
        for of, key in named
        if "label" in of
    ]


def distribution(author: Author) -> Section | None:
    """Quantiles of total income."""
    data = author.data
    shown = pd.concat([data.at(data.month, region=data.region), data.at(data.month, level=data.child_level)], ignore_index=True)
    figure = spread_of_income(
        author,
        shown.assign(label=[data.name(code, author.language) for code in shown["region_code"]]),
        first=author.level_word(),
        captions=(
            author.say("가구 총소득의 분포", "Distribution of household income"),
            author.say("총소득의 분위수", "Quantiles of total income"),
        ),
        key="spread",
        origin=data.origin("household_statistics"),
    )
    if figure is None:
        return None
    return Section(key="distribution", title=author.say("소득 분포", "Distribution of income"), blocks=(figure,))


def spread_of_income(
    author: Author, shown: pd.DataFrame, *, first: str, captions: tuple[str, str], key: str, origin: Origin
) -> Figure | None:
    """Quantiles of total income, one line each of the rows that have them; None where none has.

    Args:
        author: of the report.
        shown: rows of `ReportData.areas` with `label`, what they are called.
        first: what the labels are.
        captions: of the figure and, with the unit, of its table.
        key: of the figure.
        origin: of the figures.
    """
    language = author.language
    columns = [f"{name}_{gold.TOTAL_INCOME}" for name, _ in gold.QUANTILES]
    known = shown.dropna(subset=columns)
    if known.empty:
        return None
    amounts = {
        name: known[column].astype(float).to_numpy() * MAN for (name, _), column in zip(gold.QUANTILES, columns, strict=True)
    }
    rows = pd.DataFrame({"label": known["label"].to_numpy(), **amounts})
    own = rows.iloc[0]
    label = author.say("가구 총소득 (만원/연)", f"household income ({unit_label('KRW/year', 'en')})")
    head = (first, "P10", "P25", author.say("중위", "median"), "P75", "P90", author.say("신뢰 등급", "reliability"))
    classes = [reliability_label(value, language) for value in known["reliability"]]
    grid = Grid(
        caption=f"{captions[1]} ({unit_label('KRW/year', language)})",
        header=head,
        rows=tuple(
            (name, *(published(row, column, "KRW/year").shown() for column in columns), of_mean)
            for name, row, of_mean in zip(rows["label"], known.to_dict("records"), classes, strict=True)
        ),
        origin=origin,
        notes=(author.class_of_mean(), author.marks()),
        is_long=len(rows) > 30,
    )
    return Figure(
        caption=captions[0],
        alternative=author.say(
            f"{own['label']}: 하위 10%는 {own['p10']:,.0f}만원, 절반은 "
            f"{own['median']:,.0f}만원, 상위 10%는 {own['p90']:,.0f}만원에서 "
            "갈린다.",
            f"{own['label']}: a tenth of households has less than "
            f"{own['p10']:,.0f}, half less than {own['median']:,.0f}, a tenth "
            f"more than {own['p90']:,.0f} ({unit_label('KRW/year', 'en')}).",
        ),
        chart=charts.spread(rows, title=label),
        key=key,
        origin=origin,
        notes=(
            author.say(
                "막대는 가운데 절반(P25–P75), 선은 P10–P90, 굵은 눈금은 중위값.",
                "Bar: the middle half (P25–P75); line: P10–P90; tick: the median.",
            ),
        ),
        table=grid,
    )


def composition(author: Author) -> Section | None:
    """Components of income, by region and income class."""
    data, language = author.data, author.language
    columns = [f"mean_{name}" for name in gold.INCOME_COMPONENTS]
    names = [author.say(c.label_ko, c.label_en) for c in (gold.HOUSEHOLD.column(name) for name in gold.INCOME_COMPONENTS)]
    shown = pd.concat([data.at(data.month, region=data.region), data.at(data.month, level=data.child_level)], ignore_index=True)
    shown = shown.assign(_label=[data.name(code, language) for code in shown["region_code"]])
    classes = data.breakdown[data.breakdown["dimension"] == "income_class"]
    blocks: list[Block] = []
    for key, frame, first, table in (
        ("regions", shown, author.level_word(), "household_statistics"),
        ("classes", classes, author.say("소득 5분위", "income quintile"), "household_breakdown"),
    ):
        if not set(columns) <= set(frame.columns) or len(known := frame.dropna(subset=columns)) < 2:
            continue
        if key == "classes":
            known = known.sort_values("category").assign(
                _label=lambda f: [category_label("income_class", c, language, {}) for c in f["category"]]
            )
        amounts = known[columns].astype(float) * MAN
        rows = pd.DataFrame({"label": known["_label"].to_numpy()}).join(amounts.set_axis(names, axis=1).reset_index(drop=True))
        total = amounts.sum(axis=1)
        share = (amounts[columns[0]] / total).to_numpy()
        head = (first, *(author.with_unit(name) for name in names), author.say("신뢰 등급", "reliability"))
        grid = Grid(
            caption=author.say(f"{first}별 소득 구성", f"Components of income by {first}"),
            header=head,
            rows=tuple(
                (str(label), *(f"{value:,.0f}" for value in values), reliability_label(of_mean, language))
                for label, values, of_mean in zip(rows["label"], amounts.to_numpy(), known["reliability"], strict=True)
            ),
            origin=data.origin(table),
            notes=(author.class_of_mean(),),
            is_long=len(rows) > 30,
        )
        labelled = list(rows["label"])
        blocks.append(
            Figure(
                caption=author.say(f"{first}별 총소득의 구성", f"Total income by component and {first}"),
                alternative=author.say(
                    f"근로소득이 차지하는 비율: {labelled[0]} {percent(share[0])}%, "
                    f"{labelled[-1]} {percent(share[-1])}%. 값은 아래 표에 있다.",
                    f"Share of labour income: {percent(share[0])} % in "
                    f"{labelled[0]}, {percent(share[-1])} % in {labelled[-1]}. "
                    "The table below has all values.",
                ),
                chart=charts.parts(rows, title=author.with_unit(author.say("평균 총소득", "mean total income")), names=names),
                key=f"parts-{key}",
                origin=data.origin(table),
                table=grid,
            )
        )
    if not blocks:
        return None
    return Section(key="composition", title=author.say("소득 구성", "Components of income"), blocks=tuple(blocks))


def groups(author: Author) -> Section | None:
    """Households by characteristic."""
    data, language = author.data, author.language
    blocks: list[Block] = []
    for dimension in codes.BREAKDOWN_DIMENSION.codes:
        rows = data.breakdown[data.breakdown["dimension"] == dimension]
        if rows.empty:
            continue
        ordered = sorted((dict(row) for _, row in rows.iterrows()), key=lambda row: position(dimension, row["category"]))
        what = dimension_label(dimension, language)
        blocks.append(
            Grid(
                caption=author.say(f"{what}별 가구 통계", f"Households by {what}"),
                header=(
                    what,
                    author.say("가구", "households"),
                    *author.heads("mean_income", "median_income", "debt", "spending"),
                    author.say("신뢰 등급", "reliability"),
                ),
                rows=tuple(
                    (
                        category_label(dimension, row["category"], language, {}),
                        value_in("households", row.get("households")),
                        published(row, MEAN, "KRW/year").shown(),
                        published(row, MEDIAN, "KRW/year").shown(),
                        value_in("KRW", row.get("mean_debt_krw")),
                        value_in("KRW/month", row.get("mean_spending_krw_month")),
                        reliability_label(row.get("reliability"), language),
                    )
                    for row in ordered
                ),
                origin=data.origin("household_breakdown"),
                notes=(author.class_of_mean(), author.marks()),
            )
        )
    if not blocks:
        return None
    return Section(key="groups", title=author.say("가구 특성별", "By characteristics of households"), blocks=tuple(blocks))


def persons(author: Author) -> Section | None:
    """Persons by residence and workplace."""
    data, language = author.data, author.language
    shown = (
        data.persons[
            ((data.persons["region_level"] == data.child_level) | (data.persons["region_code"] == data.region))
            & data.persons["region_code"].str.startswith(data.region)
        ]
        if len(data.persons)
        else data.persons
    )
    if shown.empty:
        return None
    by_place = {place: rows.set_index("region_code") for place, rows in shown.groupby("place")}
    codes_shown = sorted(set(shown["region_code"]), key=lambda code: (code != data.region, code))
    column = "mean_labour_business_income_krw_year"
    estimated = author.analyses.get("employment")

    def cell(place: str, code: str, name: str, unit: str) -> str:
        """As the analysis has it, with its error; else as published."""
        found = find(estimated, name, region=code, dimension=PERSONS_AT[place]) if estimated else None
        if found is not None:
            return found.shown()
        rows = by_place.get(place)
        return NONE if rows is None or code not in rows.index else value_in(unit, rows.loc[code].get(name))

    places = [(p, codes.PLACE.label(p, language)) for p in codes.PLACE.codes]
    income = author.say("평균 근로·사업소득", "mean labour + business income")
    grid = Grid(
        caption=author.say("거주지와 근무지로 본 개인 소득", "Income of persons by residence and by workplace"),
        header=(
            author.level_word(),
            *(f"{label}: {author.say('인원 (명)', 'persons')}" for _, label in places),
            *(f"{label}: {author.with_unit(income)}" for _, label in places),
        ),
        rows=tuple(
            (
                data.name(code, language),
                *(cell(place, code, "persons", "persons") for place, _ in places),
                *(cell(place, code, column, "KRW/year") for place, _ in places),
            )
            for code in codes_shown
        ),
        origin=data.origin("person_statistics", *(["analyse employment"] if estimated else [])),
        notes=(*([author.marks()] if estimated else []), persons_note(language, has_errors=estimated is not None)),
        is_long=len(codes_shown) > 30,
    )
    return Section(key="persons", title=author.say("거주지와 근무지", "Residence and workplace"), blocks=(grid,))


def appendix(author: Author) -> Section | None:
    """All dongs."""
    data, language = author.data, author.language
    dongs = data.at(data.month, level="dong")
    if dongs.empty:
        return None
    keys = ["mean_income", "median_income", "debt", "spending"]
    keys.append("gini" if "inequality" in author.analyses else "gini_households")
    if "low_income" in author.analyses:
        keys.append("poverty")
    grid = Grid(
        caption=author.say("행정동별 주요 지표", "Main figures by dong"),
        header=(
            codes.REGION_LEVEL.label("dong", language),
            author.say("가구", "households"),
            *author.heads(*keys),
            author.say("신뢰 등급", "reliability"),
        ),
        rows=tuple(
            (
                data.name(row["region_code"], language),
                value_in("households", row.get("households")),
                *(author.level(find_indicator(key), row["region_code"]).shown() for key in keys),
                reliability_label(row.get("reliability"), language),
            )
            for _, row in dongs.iterrows()
        ),
        origin=data.origin(*_tables_of(author, keys)),
        notes=(author.class_of_mean(), author.marks()),
        is_long=True,
    )
    return Section(key="appendix", title=author.say("부록: 행정동 통계", "Appendix: dongs"), blocks=(grid,))


def _class_names(limits: Sequence[float], language: Language, *, digits: int = 0) -> list[str]:
    """Names of the classes between limits, from low to high.

    >>> _class_names([3000, 4000], "ko"), _class_names([0.31], "en", digits=2)
    (['3,000 미만', '3,000–4,000 미만', '4,000 이상'], ['under 0.31', '0.31 and more'])
    """
    names = [f"{limit:,.{digits}f}" for limit in limits]
    below, above = names[0], names[-1]
    between = [f"{low}–{high}" for low, high in pairwise(names)]
    if language == "ko":
        return [f"{below} 미만", *(f"{name} 미만" for name in between), f"{above} 이상"]
    return [f"under {below}", *(f"{name}" for name in between), f"{above} and more"]
