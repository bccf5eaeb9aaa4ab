"""A section for each policy analysis: what it asks, a table or two, how it is made. Nothing is computed here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from living_finance.contracts import codes
from living_finance.contracts.language import Language
from living_finance.reports import charts
from living_finance.reports.data import PERSONS_AT, PolicyAnalysis, ReportData
from living_finance.reports.document import Block, Figure, Grid, Origin, Section, Text
from living_finance.reports.formats import NONE, Estimate, is_missing, marks_note, unit_label
from living_finance.reports.labels import category_label, dimension_label, position, statistic_label

REGIONS, STATISTICS, PUBLISHED = "regions", "statistics", "minus_published"
_AT_HOME, _AT_WORK = PERSONS_AT["residence"], PERSONS_AT["workplace"]


@dataclass(frozen=True, kw_only=True)
class View:
    """One table of an analysis: what its rows are, and which statistics its columns."""

    by: str
    """`regions`: what the report's region is divided into; `statistics`: one row each; else a dimension."""
    statistics: tuple[str, ...]
    """Names, or beginnings of names."""
    level: str = ""
    """Of `regions`; the level below the report's region unless given. Of a dimension: its categories in each region of it."""
    of: str = ""
    """Of `regions`: the dimension that holds everybody, where that is not `all`."""
    sort_by: str = ""
    is_ascending: bool = False
    limit: int = 0
    """Rows shown; 0: all."""
    chart: str = ""
    """Statistic, or beginning of statistics of which the last, drawn with its interval."""
    beside: tuple[str, tuple[str, ...]] = ("", ())
    """Another analysis, and statistics of it that every row has of its region, in further columns."""


def _by_region(*, statistics: tuple[str, ...], sort_by: str, is_ascending: bool = False, of: str = "") -> tuple[View, View]:
    """What the region is divided into, and the first ten dongs by the statistic that is drawn."""
    return (
        View(by=REGIONS, of=of, statistics=statistics, chart=sort_by),
        View(
            by=REGIONS,
            of=of,
            level="dong",
            statistics=statistics,
            sort_by=sort_by,
            is_ascending=is_ascending,
            limit=10,
            chart=sort_by,
        ),
    )


_OF_WORK = ("persons", "mean_labour_business_income_krw_year", "overdue_share")
_OF_PAY = ("persons", "mean_labour_business_income_krw_year", "low_pay_share", "overdue_share")
_RANKS = ("rank", "rank_low", "rank_high")
VIEWS: Mapping[str, tuple[View, ...]] = {
    "household_balance": (
        View(
            by=REGIONS,
            statistics=("mean_surplus_krw_month", "spending_to_income", "deficit_share"),
            chart="mean_surplus_krw_month",
        ),
        View(by="income_quintile", statistics=("mean_surplus_krw_month", "spending_to_income", "deficit_share")),
    ),
    "inequality": (View(by=REGIONS, statistics=("gini", "s80_s20", "p90_p10", "wolfson", "middle_50_150"), chart="gini"),),
    "low_income": (
        View(by=REGIONS, statistics=("poverty_rate", "poverty_rate_elderly", "poverty_rate_children"), chart="poverty_rate"),
        View(by="head_age_band", statistics=("poverty_rate", "poverty_gap")),
        View(by="family", statistics=("poverty_rate", "poverty_gap")),
        View(by="programme", statistics=("recipients", "amount_per_recipient", "recipients_to_entitled")),
    ),
    "employment": (
        View(by="residence / employment", statistics=_OF_WORK),
        View(by="workplace / employment", statistics=_OF_WORK),
        *_by_region(of=_AT_HOME, statistics=_OF_PAY, sort_by="low_pay_share"),
        View(by=REGIONS, level="dong", of=_AT_WORK, statistics=_OF_PAY, sort_by="low_pay_share", limit=10, chart="low_pay_share"),
    ),
    "commuting": tuple(
        View(
            by=place,
            statistics=("persons", "mean_labour_business_income_krw_year", "low_pay_share"),
            sort_by="persons",
            limit=10,
            chart="persons",
        )
        for place in ("workplace_dong", "home_dong")
    ),
    "small_business": (
        View(
            by="workplace / industry_at_work",
            statistics=(
                "persons",
                "mean_business_income_krw_year",
                "loss_share",
                "mean_business_loan_balance_krw",
                "overdue_share",
            ),
            sort_by="persons",
            limit=12,
            chart="mean_business_income_krw_year",
        ),
        *_by_region(
            of=_AT_WORK,
            statistics=("persons", "mean_business_income_krw_year", "mean_business_loan_balance_krw", "overdue_share"),
            sort_by="mean_business_income_krw_year",
            is_ascending=True,
        ),
    ),
    "youth": (
        *_by_region(
            statistics=(
                "persons",
                "mean_labour_business_income_krw_year",
                "mean_debt_krw",
                "independent_share",
                "allowance_candidate_share",
            ),
            sort_by="allowance_candidate_share",
        ),
        View(
            by="age_band",
            statistics=("persons", "mean_labour_business_income_krw_year", "mean_debt_krw", "independent_share"),
            chart="independent_share",
        ),
    ),
    "household_debt": (
        View(
            by=REGIONS,
            statistics=("debt_to_income", "debt_service_to_income", "overdue_share", "high_risk_share_of_debtors"),
            chart="debt_to_income",
        ),
        View(
            by="income_quintile",
            statistics=("share_with_debt", "mean_debt_krw", "debt_service_to_income", "livelihood_loan_share"),
        ),
    ),
    "interest_rate_rise": (
        View(
            by="income_quintile",
            statistics=("rise_of_debt_service_to_income_", "pushed_over_limit_share_of_debtors_"),
            chart="rise_of_debt_service_to_income_",
        ),
    ),
    "debt_sensitivity": (
        View(
            by=STATISTICS,
            statistics=("high_risk_share_of_debtors", "livelihood_loan_share", "pushed_over_limit_share_of_debtors_"),
            chart="high_risk_share_of_debtors",
        ),
    ),
    "vulnerable_groups": (
        View(
            by="employment / age",
            statistics=("persons", "poverty_share", "overdue_share", *_RANKS),
            sort_by="rank",
            is_ascending=True,
            limit=10,
            chart="poverty_share",
        ),
        View(
            by="employment / age",
            level="dong",
            statistics=("persons", "poverty_share", *_RANKS),
            sort_by="rank",
            is_ascending=True,
            limit=10,
            beside=("jobs_in_reach", ("establishments_within_reach", "jobs_within_reach")),
        ),
        *_by_region(statistics=("persons", "poverty_share", "overdue_share"), sort_by="poverty_share"),
    ),
    "jobs_in_reach": (
        View(
            by=REGIONS,
            level="dong",
            statistics=("jobs_within_reach", "establishments_within_reach"),
            sort_by="jobs_within_reach",
            is_ascending=True,
            limit=10,
            chart="jobs_within_reach",
        ),
    ),
    "limit_sensitivity": (
        View(by=STATISTICS, statistics=("low_pay_share", "allowance_candidate_share"), chart="allowance_candidate_share"),
        View(
            by=REGIONS,
            level="dong",
            statistics=("jobs_within_reach", "jobs_within_"),
            sort_by="jobs_within_reach",
            is_ascending=True,
            limit=10,
        ),
    ),
    "household_moves": (
        View(by="event", statistics=("households", "mean_total_income_krw_year")),
        *_by_region(statistics=("came_share", "left_share"), sort_by="came_share"),
        *(
            View(
                by=place,
                statistics=("households", "mean_total_income_krw_year"),
                sort_by="households",
                limit=10,
                chart="households",
            )
            for place in ("origin_dong", "destination_dong")
        ),
    ),
    "comparison": (
        View(
            by=REGIONS,
            statistics=("mean_total_income_krw_year", "mean_debt_krw", "poverty_rate", "middle_50_150"),
            chart="mean_total_income_krw_year",
        ),
        View(by=PUBLISHED, statistics=("mean_",)),
    ),
}
"""Analysis → what of it is shown. Of an analysis that is not here, the first statistics by region are."""

_OTHERS = (View(by=REGIONS, statistics=("",)),)
_COLUMNS = 4
_LONG = 30
_FEWEST_DRAWN = 3
_IN_REGION = "|"
"""Between a region's code and the category in it."""
_NUMBERS = re.compile(r"(\D+)|(\d+(?:\.\d+)?)")
_FIRST_MONTH = "first"
"""Event of every household of the first month."""
_DIFFERENCES = {"comparison": "minus_city"}
"""Analyses whose values are differences, which are shown only beyond their error → the dimension of their regions."""
_OF_PERSONS = frozenset({"employment", "commuting", "small_business", "youth", "vulnerable_groups"})
"""Analyses of persons; the others are of households."""


def policy_sections(data: ReportData, language: Language) -> Iterator[Section]:
    """One section per analysis that has rows for the region."""
    for analysis in data.analyses:
        blocks = tuple(_blocks(analysis, data, language))
        if blocks:
            title = analysis.label_ko if language == "ko" else analysis.label_en
            yield Section(key=analysis.name.replace("_", "-"), title=title, blocks=(*blocks, method_of(analysis, language)))


def _blocks(analysis: PolicyAnalysis, data: ReportData, language: Language) -> Iterator[Block]:
    own = f"analyse {analysis.name}"
    origin = data.origin(own)
    if analysis.name == "household_moves" and _has_nothing_before(analysis):
        yield Text(
            (
                "앞선 달이 없어 가구의 이동을 아직 알 수 없다."
                if language == "ko"
                else "There is no earlier month, so that moves of households are not known yet.",
            )
        )
        return
    if analysis.name == "inequality":
        curve = _lorenz(analysis, data, language, origin)
        if curve is not None:
            yield curve
    views = VIEWS.get(analysis.name, _OTHERS)
    for view in views:
        if _is_told(view, views, data):
            continue
        rows = _rows_of(view, analysis, data)
        if rows.empty:
            continue
        other = next((a for a in data.analyses if a.name == view.beside[0]), None)
        if other is not None:
            rows = pd.concat([rows, _beside(view, rows, other)], ignore_index=True)
        columns = _columns(view, rows)
        if not columns:
            continue
        origin = data.origin(own, *([f"analyse {other.name}"] if other is not None else []))
        if view.by == PUBLISHED:
            yield _beside_published(analysis, rows, language=language, origin=origin)
            continue
        yield from _shown(view, analysis, rows, columns, data=data, language=language, origin=origin)


def _is_told(view: View, views: Sequence[View], data: ReportData) -> bool:
    """Whether all of a view's regions are in another: a district is divided into dongs."""
    is_of_own_level = view.by == REGIONS and view.level == data.child_level
    return is_of_own_level and any(other.by == REGIONS and not other.level and other.of == view.of for other in views)


def _has_nothing_before(analysis: PolicyAnalysis) -> bool:
    events = analysis.rows.loc[analysis.rows["dimension"] == "event", "category"]
    return len(events) > 0 and set(events) == {_FIRST_MONTH}


def _beside_published(analysis: PolicyAnalysis, rows: pd.DataFrame, *, language: Language, origin: Origin) -> Grid:
    """One row per published figure: most sources have one or two."""
    ordered = sorted(_cells(rows).items(), key=lambda item: (codes.BENCHMARK_INDICATOR.codes.index(item[0][1]), item[0][0]))
    korean = language == "ko"
    title = analysis.label_ko if korean else analysis.label_en
    return Grid(
        caption=f"{title}: {dimension_label(PUBLISHED, language)}" if korean else f"{title}, less published figures",
        header=("공표 통계", "지표 (단위)", "차이") if korean else ("published by", "indicator (unit)", "difference"),
        rows=tuple(
            (
                category_label(PUBLISHED, category, language, {}),
                _head(codes.BENCHMARK_INDICATOR.label(name, language), estimate.unit, language, is_difference=True),
                estimate.change(language),
            )
            for (category, name), estimate in ordered
        ),
        origin=origin,
        notes=(difference_note(language),),
    )


def _rows_of(view: View, analysis: PolicyAnalysis, data: ReportData) -> pd.DataFrame:
    """Rows of a view with `_row`, by which they are told apart."""
    frame = analysis.rows
    if view.by == REGIONS:
        level = view.level or data.child_level
        of_regions = frame["dimension"] == (view.of or _DIFFERENCES.get(analysis.name, codes.ALL))
        is_shown = (frame["region_level"] == level) | (frame["region_code"] == data.region)
        inside = frame["region_code"].str.startswith(data.region)
        return frame[of_regions & is_shown & inside].assign(_row=lambda f: f["region_code"])
    if view.level:
        inside = (frame["region_level"] == view.level) & frame["region_code"].str.startswith(data.region)
        found = frame[inside & (frame["dimension"] == view.by)]
        return found.assign(_row=lambda f: f["region_code"] + _IN_REGION + f["category"])
    own = frame[frame["region_code"] == data.region]
    if view.by == STATISTICS:
        return own[own["dimension"] == codes.ALL].assign(_row=lambda f: f["statistic"])
    return own[own["dimension"] == view.by].assign(_row=lambda f: f["category"])


def _beside(view: View, rows: pd.DataFrame, other: PolicyAnalysis) -> pd.DataFrame:
    """For every row, the statistics that another analysis has of its region."""
    shown = rows[["region_code", "_row"]].drop_duplicates()
    found = other.rows[(other.rows["dimension"] == codes.ALL) & other.rows["statistic"].isin(view.beside[1])]
    parts = [of.merge(shown, on="region_code", how="inner", validate="one_to_many") for _, of in found.groupby("statistic")]
    return pd.concat(parts, ignore_index=True) if parts else rows.iloc[:0]


def _columns(view: View, rows: pd.DataFrame) -> list[str]:
    """Statistics shown, in the order of the view; at most four of an analysis without one."""
    present = list(dict.fromkeys(rows["statistic"]))
    wanted = (*view.statistics, *view.beside[1])
    chosen = [s for name in wanted for s in present if s == name or (name.endswith("_") and s.startswith(name))]
    if view.by == STATISTICS:
        return [s for s in present if s.startswith(view.statistics)]
    chosen.sort(key=_place_of_rise)
    return list(dict.fromkeys(chosen)) if view.statistics != ("",) else present[:_COLUMNS]


def _place_of_rise(statistic: str) -> int:
    """Rises of interest in order of their size, everything else as the view has it."""
    found = re.search(r"_(\d+)bp", statistic)
    return int(found[1]) if found else 0


def _shown(
    view: View,
    analysis: PolicyAnalysis,
    rows: pd.DataFrame,
    columns: Sequence[str],
    *,
    data: ReportData,
    language: Language,
    origin: Origin,
) -> Iterator[Block]:
    is_difference = analysis.name in _DIFFERENCES
    units = {s: str(u) for s, u in zip(rows["statistic"], rows["unit"], strict=True)}
    cells = _cells(rows)
    order = _order(view, rows, cells, data)
    if not order:
        return
    naming = _naming(view, data, language)
    if view.by == STATISTICS:
        label = "지표" if language == "ko" else "indicator"
        header: tuple[str, ...] = (label, _head(_value_word(language), next(iter(units.values())), language))
        body: tuple[tuple[str, ...], ...] = tuple((naming(s), cells[s, s].shown()) for s in order if s in columns)
    else:
        header = (
            _first(view, data, language),
            *(_head(statistic_label(s, language), units[s], language, is_difference) for s in columns),
        )
        told = ((naming(row), *(_cell(cells.get((row, s)), is_difference, language) for s in columns)) for row in order)
        # Of the whole city nothing is counted that is counted around a dong.
        body = tuple(row for row in told if set(row[1:]) != {NONE})
    if not body:
        return
    title = analysis.label_ko if language == "ko" else analysis.label_en
    by = header[0]
    place = [part for part in f"{view.by} / {view.of}".split(" / ") if part in codes.PLACE.codes]
    where = f", {codes.PLACE.label(place[0], language)}" if place else ""
    caption = f"{title}: {by}별{where}" if language == "ko" else f"{title}, by {by}{where}"
    has_errors = any("±" in cell or cell.endswith(("*", "†")) for row in body for cell in row[1:])
    errors = difference_note(language) if is_difference else marks_note(language)
    of_persons = [persons_note(language, has_errors=has_errors)] if analysis.name in _OF_PERSONS else []
    limits = tuple(_limit_notes(view, cells, data, language))
    notes = (*limits, *([errors] if has_errors else []), *of_persons)
    grid = Grid(caption=caption, header=header, rows=body, origin=origin, notes=notes, is_long=len(body) > _LONG)
    yield (
        _figure(
            view,
            analysis,
            cells,
            order,
            columns,
            grid=grid,
            where=_told_by(view, by, language) + where,
            limits=limits,
            data=data,
            language=language,
        )
        or grid
    )


def _told_by(view: View, by: str, language: Language) -> str:
    if view.by == STATISTICS:
        return "대리지표별" if language == "ko" else "by proxy"
    return f"{by}별" if language == "ko" else f"by {by}"


def _drawn(
    view: View,
    cells: Mapping[tuple[str, str], Estimate],
    order: Sequence[str],
    columns: Sequence[str],
    naming: Callable[[str], str],
) -> tuple[str, list[tuple[str, str, Estimate]]]:
    """The statistic that is drawn, and the row, label and estimate of each point."""
    if view.by == STATISTICS:
        names = [s for s in order if s in columns and s.partition(" (")[0] == view.chart]
        return view.chart, [(s, naming(s).partition(": ")[2] or naming(s), cells[s, s]) for s in names]
    found = [s for s in columns if s == view.chart or (view.chart.endswith("_") and s.startswith(view.chart))]
    if not view.chart or not found:
        return "", []
    return found[-1], [(row, naming(row), cells[row, found[-1]]) for row in order if (row, found[-1]) in cells]


def _figure(
    view: View,
    analysis: PolicyAnalysis,
    cells: Mapping[tuple[str, str], Estimate],
    order: Sequence[str],
    columns: Sequence[str],
    *,
    grid: Grid,
    where: str,
    limits: Sequence[str],
    data: ReportData,
    language: Language,
) -> Figure | None:
    """Points with their intervals, bars of counts without an error; nothing of fewer than three."""
    statistic, points = _drawn(view, cells, order, columns, _naming(view, data, language))
    is_difference = analysis.name in _DIFFERENCES
    points = [(r, label, e) for r, label, e in points if not is_missing(e.value) and (not is_difference or e.is_beyond_error)]
    if len(points) < _FEWEST_DRAWN:
        return None
    unit = points[0][2].unit
    scale = {"KRW/year": 1e-4, "KRW/month": 1e-4, "KRW": 1e-4, "share": 100.0, "rate": 100.0}.get(unit, 1.0)
    drawn = pd.DataFrame(
        [
            {
                "label": label,
                "value": float(e.value) * scale,  # type: ignore[arg-type]
                "error": None if is_missing(e.error) else float(e.error) * scale,  # type: ignore[arg-type]
                "reliability": e.reliability or "unreliable",
                "shown": e.change(language) if is_difference else e.shown(shows_error=False),
                "is_whole": row == data.region,
            }
            for row, label, e in points
        ]
    )
    name = statistic_label(statistic, language)
    if is_difference:
        name = f"{name}, {dimension_label(_DIFFERENCES[analysis.name], language)}"
    title = _head(name, unit, language, is_difference)
    legend, classes = reliability_legend(language)
    has_errors = bool(drawn["error"].notna().any())
    chart = (
        charts.intervals(drawn, title=title, classes=classes, legend=legend)
        if has_errors
        else charts.parts(drawn[["label"]].assign(**{title: drawn["value"]}), title=title, names=[title])
    )
    notes = (*([interval_note(language)] if has_errors else []), *([difference_note(language)] if is_difference else []), *limits)
    return Figure(
        caption=f"{name}, {where}",
        alternative=interval_words(drawn[~drawn["is_whole"]], label=title, language=language),
        chart=chart,
        key=re.sub("[^a-z0-9]+", "-", f"{analysis.name}-{statistic}-{view.by}-{view.level}-{view.of}".lower()).strip("-"),
        origin=grid.origin,
        notes=notes,
        table=grid,
    )


def _cells(rows: pd.DataFrame) -> dict[tuple[str, str], Estimate]:
    parts = zip(
        rows["_row"], rows["statistic"], rows["value"], rows["unit"], rows["standard_error"], rows["reliability"], strict=True
    )
    return {
        (row, statistic): Estimate(value, str(unit), error, None if is_missing(reliability) else str(reliability))
        for row, statistic, value, unit, error, reliability in parts
    }


def _cell(estimate: Estimate | None, is_difference: bool, language: Language) -> str:
    if estimate is None:
        return NONE
    return estimate.change(language) if is_difference else estimate.shown()


def _order(view: View, rows: pd.DataFrame, cells: Mapping[tuple[str, str], Estimate], data: ReportData) -> list[str]:
    present = list(dict.fromkeys(rows["_row"]))
    if view.sort_by:
        limit = _limit(view, data)
        whole = [data.region] if view.by == REGIONS and data.region in present else []
        known = {row: cells[row, view.sort_by] for row in present if (row, view.sort_by) in cells and row not in whole}
        leaves_out = bool(limit) and view.by == REGIONS
        ranked = [row for row, e in known.items() if not is_missing(e.value) and not (leaves_out and e.is_unreliable)]
        sign = 1 if view.is_ascending else -1
        ranked.sort(key=lambda row: (sign * float(known[row].value), row))  # type: ignore[arg-type]
        return [*whole, *ranked[: limit or None]] if ranked else []
    if view.by == STATISTICS:
        return sorted(present, key=lambda name: [float(n) if n else text for text, n in _NUMBERS.findall(name)])
    if view.by == REGIONS:
        return sorted(present, key=lambda code: (code != data.region, code))
    last = view.by.split(" / ")[-1]
    return sorted(present, key=lambda category: position(last, category))


def _limit(view: View, data: ReportData) -> int:
    """Rows shown; of a district all of its dongs are."""
    return 0 if view.by == REGIONS and view.level == data.child_level else view.limit


def _naming(view: View, data: ReportData, language: Language) -> Callable[[str], str]:
    if view.by == REGIONS:
        return lambda code: data.name(code, language)
    if view.by == STATISTICS:
        return lambda name: statistic_label(name, language)
    if view.level:
        return lambda row: (
            f"{data.name(row.partition(_IN_REGION)[0], language)} / "
            + category_label(view.by, row.partition(_IN_REGION)[2], language, data.names)
        )
    return lambda category: category_label(view.by, category, language, data.names)


def _first(view: View, data: ReportData, language: Language) -> str:
    if view.by == REGIONS:
        return codes.REGION_LEVEL.label(view.level or data.child_level, language)
    of = dimension_label(view.by, language)
    return f"{codes.REGION_LEVEL.label(view.level, language)} / {of}" if view.level else of


def _head(label: str, unit: str, language: Language, is_difference: bool = False) -> str:
    """A label with its unit, unless it begins with what it counts: `rank, at best`, `jobs within reach`."""
    counted = "%p" if is_difference and unit in ("share", "rate") else unit_label(unit, language)
    return f"{label} ({counted})" if counted and not label.startswith(counted) else label


def _value_word(language: Language) -> str:
    return "값" if language == "ko" else "value"


def _limit_notes(view: View, cells: Mapping[tuple[str, str], Estimate], data: ReportData, language: Language) -> Iterator[str]:
    limit = _limit(view, data)
    if not limit:
        return
    what = statistic_label(view.sort_by, language)
    if language == "ko":
        yield f"‘{what}’ 기준 {'작은' if view.is_ascending else '큰'} 순서로 {limit}개까지."
    else:
        yield f"The first {limit} by {what}, {'smallest' if view.is_ascending else 'largest'} first."
    unreliable = sum(e.is_unreliable for (row, s), e in cells.items() if s == view.sort_by and row != data.region)
    if view.by == REGIONS and unreliable:
        yield f"신뢰 불가인 {unreliable}곳은 뺐다." if language == "ko" else f"{unreliable} that are unreliable are left out."


def _lorenz(analysis: PolicyAnalysis, data: ReportData, language: Language, origin: Origin) -> Figure | None:
    own = analysis.rows[(analysis.rows["region_code"] == data.region) & analysis.rows["statistic"].str.startswith("lorenz_")]
    points = sorted((int(str(s).rpartition("_")[2]), float(v) * 100) for s, v in zip(own["statistic"], own["value"], strict=True))
    if not points:
        return None
    half = dict(points).get(50)
    people, income = (
        ("인구 누적 (%)", "소득 누적 (%)") if language == "ko" else ("people, cumulated (%)", "income, cumulated (%)")
    )
    shares = [(0.0, 0.0), *((float(p), v) for p, v in points), (100.0, 100.0)]
    name = data.name(data.region, language)
    in_words = f"{half:.1f}" if half is not None else "–"
    return Figure(
        caption="로렌츠 곡선(균등화소득)" if language == "ko" else "Lorenz curve of equivalised income",
        alternative=f"{name}에서 소득이 낮은 절반의 인구가 전체 균등화소득의 {in_words}%를 가진다. 점선은 완전 평등."
        if language == "ko"
        else f"In {name} the poorer half of the people has {in_words} % of all equivalised income. Dashed: perfect equality.",
        chart=charts.lorenz(shares, x_title=people, y_title=income),
        key="lorenz",
        origin=origin,
        table=Grid(
            caption="로렌츠 곡선의 값" if language == "ko" else "Points of the Lorenz curve",
            header=(people, income),
            rows=tuple((f"{p:.0f}", f"{v:.1f}") for p, v in shares),
            origin=origin,
        ),
    )


def method_of(analysis: PolicyAnalysis, language: Language) -> Text:
    """Formulas and source of an analysis."""
    formulas, source = "; ".join(formula.of(language) for formula in analysis.formulas), analysis.source.of(language)
    return Text((f"산식: {formulas}. 근거: {source}." if language == "ko" else f"Method: {formulas}. Source: {source}.",))


def reliability_legend(language: Language) -> tuple[str, dict[str, str]]:
    """Title of a legend of reliability, and class → label."""
    title = "신뢰 등급" if language == "ko" else "reliability"
    return title, {code: codes.RELIABILITY.label(code, language) for code in codes.RELIABILITY.codes}


def interval_note(language: Language) -> str:
    """What the lines of a chart of intervals are."""
    return (
        "점은 추정값, 선은 95% 구간(±1.96 표준오차)."
        if language == "ko"
        else "Point: estimate; line: 95 % interval (±1.96 standard errors)."
    )


def persons_note(language: Language, *, has_errors: bool) -> str:
    """What figures of persons are of, and their errors."""
    if language == "ko":
        told = (
            "표본조사가 아니므로 표준오차는 우연에 따른 변동을 나타내며, 한 가구의 사람들을 한 집락으로 보아 계산하였다. "
            "신용정보 추정소득의 오차는 포함하지 않는다."
            if has_errors
            else "표본조사가 아니므로 표본오차가 없고, 신용정보 추정소득의 오차는 산출하지 않았다."
        )
        return f"신용거래자 전수의 값이며 전체 인구로 확대하지 않았다. {told}"
    told = (
        "There is no sample: the standard error says how far a figure could have come out otherwise by chance, people of a "
        "household together. It leaves out that of the bureau's income scores."
        if has_errors
        else "There is no sample and no sampling error; that of the bureau's income scores is not estimated."
    )
    return f"Persons with credit activity, all of them and not grossed up. {told}"


def difference_note(language: Language) -> str:
    """When a difference is shown."""
    if language == "ko":
        return "± 뒤는 차이의 표준오차. 1.96 표준오차를 넘는 차이만 값을 싣는다."
    return "After ±: standard error of the difference. Differences within 1.96 standard errors are not shown."


def interval_words(rows: pd.DataFrame, *, label: str, language: Language) -> str:
    """Highest and lowest row of a chart in words.

    Args:
        rows: label, value, shown (the value as the table has it).
        label: of the values, with the unit.
        language: `ko` or `en`.

    >>> frame = pd.DataFrame({"label": ["A", "B", "C"], "value": [3.0, 1.0, 2.0], "shown": ["3", "1", "2"]})
    >>> interval_words(frame, label="income (10,000 KRW)", language="en")
    'income (10,000 KRW): highest in A (3), lowest in B (1); 3 rows. The table below has all values.'
    """
    high, low = rows.loc[rows["value"].idxmax()], rows.loc[rows["value"].idxmin()]
    first, last = f"{high['label']} ({high['shown']})", f"{low['label']} ({low['shown']})"
    if language == "ko":
        return f"{label}: 가장 높은 값은 {first}, 가장 낮은 값은 {last}, 모두 {len(rows)}개. 값은 아래 표에 있다."
    return f"{label}: highest in {first}, lowest in {last}; {len(rows)} rows. The table below has all values."
