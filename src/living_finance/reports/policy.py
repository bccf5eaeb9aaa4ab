"""A section for each policy analysis: what it asks, a table or two, how it is made. Nothing is computed here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from living_finance.contracts import codes
from living_finance.contracts.language import Language
from living_finance.reports import charts
from living_finance.reports.data import PolicyAnalysis, ReportData
from living_finance.reports.document import Block, Figure, Grid, Origin, Section, Text
from living_finance.reports.formats import Estimate, is_missing, marks_note, unit_label
from living_finance.reports.labels import category_label, dimension_label, position, statistic_label

REGIONS, STATISTICS, PUBLISHED = "regions", "statistics", "minus_published"


@dataclass(frozen=True, kw_only=True)
class View:
    """One table of an analysis: what its rows are, and which statistics its columns."""

    by: str
    """`regions`: what the report's region is divided into; `statistics`: one row each; else a dimension."""
    statistics: tuple[str, ...]
    """Names, or beginnings of names."""
    level: str = ""
    """Of `regions`; the level below the report's region unless given."""
    sort_by: str = ""
    is_ascending: bool = False
    limit: int = 0
    """Rows shown; 0: all."""
    has_chart: bool = False
    """Draws the first statistic with its interval."""


VIEWS: Mapping[str, tuple[View, ...]] = {
    "household_balance": (
        View(by=REGIONS, statistics=("mean_surplus_krw_month", "spending_to_income", "deficit_share"), has_chart=True),
        View(by="income_quintile", statistics=("mean_surplus_krw_month", "spending_to_income", "deficit_share")),
    ),
    "inequality": (View(by=REGIONS, statistics=("gini", "s80_s20", "p90_p10", "wolfson", "middle_50_150"), has_chart=True),),
    "low_income": (
        View(by=REGIONS, statistics=("poverty_rate", "poverty_rate_elderly", "poverty_rate_children"), has_chart=True),
        View(by="head_age_band", statistics=("poverty_rate", "poverty_gap")),
        View(by="family", statistics=("poverty_rate", "poverty_gap")),
        View(by="programme", statistics=("recipients", "amount_per_recipient", "recipients_to_entitled")),
    ),
    "employment": (
        View(by="residence / employment", statistics=("persons", "mean_labour_business_income_krw_year", "overdue_share")),
        View(by="workplace / employment", statistics=("persons", "mean_labour_business_income_krw_year", "overdue_share")),
    ),
    "commuting": (
        View(
            by="workplace_dong",
            statistics=("persons", "mean_labour_business_income_krw_year", "low_pay_share"),
            sort_by="persons",
            limit=10,
        ),
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
        ),
    ),
    "youth": (
        View(
            by=REGIONS,
            statistics=("persons", "mean_labour_business_income_krw_year", "independent_share", "allowance_candidate_share"),
        ),
        View(by="age_band", statistics=("persons", "mean_labour_business_income_krw_year", "mean_debt_krw", "independent_share")),
    ),
    "household_debt": (
        View(
            by=REGIONS,
            statistics=("debt_to_income", "debt_service_to_income", "overdue_share", "high_risk_share_of_debtors"),
            has_chart=True,
        ),
        View(
            by="income_quintile",
            statistics=("share_with_debt", "mean_debt_krw", "debt_service_to_income", "livelihood_loan_share"),
        ),
    ),
    "interest_rate_rise": (
        View(by="income_quintile", statistics=("rise_of_debt_service_to_income_", "pushed_over_limit_share_of_debtors_")),
    ),
    "debt_sensitivity": (
        View(
            by=STATISTICS,
            statistics=("high_risk_share_of_debtors", "livelihood_loan_share", "pushed_over_limit_share_of_debtors_"),
        ),
    ),
    "vulnerable_groups": (
        View(
            by="employment / age",
            statistics=("persons", "poverty_share", "overdue_share", "rank", "rank_low", "rank_high"),
            sort_by="rank",
            is_ascending=True,
            limit=10,
        ),
    ),
    "jobs_in_reach": (
        View(
            by=REGIONS,
            level="dong",
            statistics=("jobs_within_reach", "establishments_within_reach"),
            sort_by="jobs_within_reach",
            is_ascending=True,
            limit=10,
        ),
    ),
    "household_moves": (
        View(by="event", statistics=("households", "mean_total_income_krw_year")),
        View(by="destination_dong", statistics=("households", "mean_total_income_krw_year"), sort_by="households", limit=10),
    ),
    "comparison": (
        View(by=REGIONS, statistics=("mean_total_income_krw_year", "mean_debt_krw", "poverty_rate", "middle_50_150")),
        View(by=PUBLISHED, statistics=("mean_",)),
    ),
}
"""Analysis → what of it is shown. Of an analysis that is not here, the first statistics by region are."""

_OTHERS = (View(by=REGIONS, statistics=("",)),)
_COLUMNS = 4
_LONG = 30
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
            yield Section(key=analysis.name.replace("_", "-"), title=title, blocks=(*blocks, _method(analysis, language)))


def _blocks(analysis: PolicyAnalysis, data: ReportData, language: Language) -> Iterator[Block]:
    origin = data.origin(f"analyse {analysis.name}")
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
    for view in VIEWS.get(analysis.name, _OTHERS):
        rows = _rows_of(view, analysis, data)
        if rows.empty:
            continue
        columns = _columns(view, rows)
        if not columns:
            continue
        if view.by == PUBLISHED:
            yield _beside_published(analysis, rows, language=language, origin=origin)
            continue
        yield from _shown(view, analysis, rows, columns, data=data, language=language, origin=origin)


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
        of_regions = frame["dimension"] == _DIFFERENCES.get(analysis.name, codes.ALL)
        is_shown = (frame["region_level"] == level) | (frame["region_code"] == data.region)
        inside = frame["region_code"].str.startswith(data.region)
        return frame[of_regions & is_shown & inside].assign(_row=lambda f: f["region_code"])
    own = frame[frame["region_code"] == data.region]
    if view.by == STATISTICS:
        return own[own["dimension"] == codes.ALL].assign(_row=lambda f: f["statistic"])
    return own[own["dimension"] == view.by].assign(_row=lambda f: f["category"])


def _columns(view: View, rows: pd.DataFrame) -> list[str]:
    """Statistics shown, in the order of the view; at most four of an analysis without one."""
    present = list(dict.fromkeys(rows["statistic"]))
    chosen = [s for name in view.statistics for s in present if s == name or (name.endswith("_") and s.startswith(name))]
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
        body = tuple((naming(row), *(_cell(cells.get((row, s)), is_difference, language) for s in columns)) for row in order)
    title = analysis.label_ko if language == "ko" else analysis.label_en
    by = dimension_label(view.by, language) if view.by not in (REGIONS, STATISTICS) else header[0]
    place = [part for part in view.by.split(" / ") if part in codes.PLACE.codes]
    where = f", {codes.PLACE.label(place[0], language)}" if place else ""
    caption = f"{title}: {by}별{where}" if language == "ko" else f"{title}, by {by}{where}"
    has_errors = any("±" in cell or cell.endswith(("*", "†")) for row in body for cell in row[1:])
    errors = difference_note(language) if is_difference else marks_note(language)
    of_persons = [persons_note(language, has_errors=has_errors)] if analysis.name in _OF_PERSONS else []
    notes = (*_limit_note(view, language), *([errors] if has_errors else []), *of_persons)
    grid = Grid(caption=caption, header=header, rows=body, origin=origin, notes=notes, is_long=len(body) > _LONG)
    if not view.has_chart or len(order) < 3:
        yield grid
        return
    drawn = pd.DataFrame(
        [
            {
                "label": naming(row),
                "value": cells[row, columns[0]].value,
                "error": cells[row, columns[0]].error,
                "reliability": cells[row, columns[0]].reliability or "unreliable",
                "shown": cells[row, columns[0]].shown(shows_error=False),
            }
            for row in order
            if (row, columns[0]) in cells and not is_missing(cells[row, columns[0]].value)
        ]
    )
    scale = {"KRW/year": 1e-4, "KRW/month": 1e-4, "KRW": 1e-4, "share": 100.0, "rate": 100.0}.get(units[columns[0]], 1.0)
    drawn = drawn.assign(value=drawn["value"].astype(float) * scale, error=drawn["error"].astype(float) * scale)
    label = statistic_label(columns[0], language)
    legend, classes = reliability_legend(language)
    yield Figure(
        caption=f"{label}, {by}별" if language == "ko" else f"{label}, by {by}",
        alternative=interval_words(
            drawn[drawn["label"] != data.name(data.region, language)] if view.by == REGIONS else drawn,
            label=_head(label, units[columns[0]], language),
            language=language,
        ),
        chart=charts.intervals(drawn, title=_head(label, units[columns[0]], language), classes=classes, legend=legend),
        key=f"{analysis.name}-{columns[0]}".replace("_", "-"),
        origin=origin,
        notes=(interval_note(language),),
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
        return "–"
    return estimate.change(language) if is_difference else estimate.shown()


def _order(view: View, rows: pd.DataFrame, cells: Mapping[tuple[str, str], Estimate], data: ReportData) -> list[str]:
    present = list(dict.fromkeys(rows["_row"]))
    if view.sort_by:
        ranked = [row for row in present if (row, view.sort_by) in cells]
        sign = 1 if view.is_ascending else -1
        ranked.sort(key=lambda row: (sign * float(cells[row, view.sort_by].value), row))  # type: ignore[arg-type]
        return ranked[: view.limit or None]
    if view.by == STATISTICS:
        return sorted(present, key=lambda name: [float(n) if n else text for text, n in _NUMBERS.findall(name)])
    if view.by == REGIONS:
        return sorted(present, key=lambda code: (code != data.region, code))
    last = view.by.split(" / ")[-1]
    return sorted(present, key=lambda category: position(last, category))


def _naming(view: View, data: ReportData, language: Language) -> Callable[[str], str]:
    if view.by == REGIONS:
        return lambda code: data.name(code, language)
    if view.by == STATISTICS:
        return lambda name: statistic_label(name, language)
    return lambda category: category_label(view.by, category, language, data.names)


def _first(view: View, data: ReportData, language: Language) -> str:
    if view.by == REGIONS:
        return codes.REGION_LEVEL.label(view.level or data.child_level, language)
    return dimension_label(view.by, language)


def _head(label: str, unit: str, language: Language, is_difference: bool = False) -> str:
    counted = "%p" if is_difference and unit in ("share", "rate") else unit_label(unit, language)
    return f"{label} ({counted})" if counted else label


def _value_word(language: Language) -> str:
    return "값" if language == "ko" else "value"


def _limit_note(view: View, language: Language) -> tuple[str, ...]:
    if not view.limit:
        return ()
    what = statistic_label(view.sort_by, language)
    if language == "ko":
        return (f"‘{what}’ 기준 {'작은' if view.is_ascending else '큰'} 순서로 {view.limit}개까지.",)
    return (f"The first {view.limit} by {what}, {'smallest' if view.is_ascending else 'largest'} first.",)


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


def _method(analysis: PolicyAnalysis, language: Language) -> Text:
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
        return f"{label}: 가장 높은 곳은 {first}, 가장 낮은 곳은 {last}, 모두 {len(rows)}개. 값은 아래 표에 있다."
    return f"{label}: highest in {first}, lowest in {last}; {len(rows)} rows. The table below has all values."
