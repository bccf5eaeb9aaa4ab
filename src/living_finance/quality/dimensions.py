"""Indicators of deliveries, tables and the month by quality dimension, and the scores made of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pandas as pd

from living_finance.config import QualityGrades, QualitySettings
from living_finance.contracts import codes
from living_finance.contracts import quality as q
from living_finance.contracts.core import Kind
from living_finance.contracts.definitions import is_same_concept
from living_finance.contracts.deliveries import DATASETS, DeliveredTable
from living_finance.contracts.edits import rule_of
from living_finance.contracts.gold import HOUSEHOLD, HOUSEHOLD_MEMBER, PERSON_STATISTICS
from living_finance.quality.evidence import MEAN_AMOUNTS, DeliveryFacts, Evidence

CENSUS_COUNTS = "census_persons"
_ADULT = 15
"""Years from which the bureau knows people."""


@dataclass(frozen=True)
class _Measured:
    """One indicator before it has a row."""

    dimension: str
    indicator: str
    method_ko: str
    method_en: str
    score: float | None
    numerator: float | None = None
    denominator: float | None = None
    value: float | None = None


def _ratio(dimension: str, indicator: str, part: float, whole: float, ko: str, en: str) -> Iterator[_Measured]:
    """A share of what is good: its score is the share in per cent."""
    if whole > 0:
        share = part / whole
        yield _Measured(dimension, indicator, ko, en, 100 * min(max(share, 0.0), 1.0), part, whole, share)


def _nearness(
    dimension: str, indicator: str, value: float, reference: float, tolerance: float, ko: str, en: str
) -> Iterator[_Measured]:
    """A ratio to a reference: 100 where they agree, 0 where they are `tolerance` apart."""
    if reference > 0:
        ratio = value / reference
        yield _Measured(dimension, indicator, ko, en, 100 * max(0.0, 1 - abs(ratio - 1) / tolerance), value, reference, ratio)


def indicators(evidence: Evidence, settings: QualitySettings) -> pd.DataFrame:
    """Indicators of every object of a month.

    Args:
        evidence: of the month.
        settings: tolerances and due days.

    Returns:
        Columns of gold.quality_indicator but `base_month`; a dimension of which nothing is known has no row.
    """
    rows: list[dict[str, object]] = []

    def add(object_type: str, object_name: str, found: Iterable[_Measured]) -> None:
        rows.extend({"object_type": object_type, "object_name": object_name, **vars(m)} for m in found)

    for dataset in DATASETS:
        facts = evidence.now.deliveries.get(dataset.name)
        if facts is None:
            continue
        compared = [*_delivered_coverage(evidence, dataset.name), *_delivered_accuracy(evidence, dataset.name, settings)]
        for table in dataset.tables:
            name = f"delivery.{table.bronze_name}"
            add("table", name, _table(table, facts.rows.get(table.name, 0), evidence.now.edits))
            add("table", name, _supplied(facts, settings))
            add("table", name, compared if table is dataset.tables[0] else [_not_measurable(*_NO_OTHER_SOURCE)])
        add("delivery", dataset.name, [*_delivery(evidence, facts, tuple(dataset.tables), settings), *compared])
    for product in evidence.products.to_dict("records"):
        add("table", str(product["table"]), _product(evidence, product, settings))
    add("table", HOUSEHOLD.qualified_name, _households(evidence, settings))
    add("table", HOUSEHOLD_MEMBER.qualified_name, _members(evidence, settings))
    add("month", str(evidence.now.month), _month(evidence, settings))
    columns = [name for name in q.QUALITY_INDICATOR.column_names if name != "base_month"]
    return pd.DataFrame(rows, columns=columns)


def scores(measured: pd.DataFrame, settings: QualitySettings) -> pd.DataFrame:
    """Weighted scores out of 100 and grades.

    Args:
        measured: of `indicators`. A dimension scores the mean of its indicators.
        settings: weights and grades. Dimensions that are not measured count for nothing.

    Returns:
        Columns of gold.quality_score but `base_month`.

    Source: weighted dimensions and grades at 80, 85 and 90 as in the interior ministry's evaluation of public data quality
    (공공데이터 품질관리 수준평가), as the brief gives them.
    """
    objects = ["object_type", "object_name"]
    known = measured.dropna(subset=["score"])
    wide = known.groupby([*objects, "dimension"])["score"].mean().unstack("dimension").reindex(columns=list(q.DIMENSION.codes))
    weights = pd.Series(settings.weights.model_dump()).reindex(wide.columns)
    counted = wide.notna() * weights
    total = ((wide.fillna(0.0) * weights).sum(axis=1) / counted.sum(axis=1)).clip(0.0, 100.0)
    frame = wide.add_suffix("_score").assign(score=total)
    frame = frame[frame["score"].notna()].reset_index()
    frame["grade"] = frame["score"].map(lambda score: grade_of(score, settings.grades))
    return frame[[name for name in q.QUALITY_SCORE.column_names if name != "base_month"]]


def grade_of(score: float, grades: QualityGrades) -> str:
    """The grade of a score.

    >>> [grade_of(score, QualityGrades()) for score in (90, 89.9, 80, 12)]
    ['excellent', 'good', 'fair', 'poor']
    """
    limits = {"excellent": grades.excellent, "good": grades.good, "fair": grades.fair}
    return next((grade for grade, least in limits.items() if score >= least), "poor")


def _counts(edits: pd.DataFrame, table: DeliveredTable) -> Mapping[str | None, int]:
    """Rows by the dimension that their reasons count against; a row with two reasons counts under each."""
    own = edits[(edits["table"] == table.bronze_name) & (edits["reason"] != codes.ALL)]
    touched = own["rows_edited"] + own["rows_quarantined"] + own["rows_removed"]
    rules = own["reason"].map(rule_of)
    dimension = rules.map(lambda rule: rule.dimension if rule is not None else "validity")
    return {name: int(count) for name, count in touched.groupby(dimension).sum().items()}  # type: ignore[misc]


def _amounts(table: DeliveredTable) -> int:
    """Amounts that may be missing and are filled in."""
    return sum(not column.is_required for column in table.of_kind(Kind.AMOUNT)) if table.bronze_name == "bureau_persons" else 0


def _table(table: DeliveredTable, rows: int, edits: pd.DataFrame) -> Iterator[_Measured]:
    flawed, amounts = _counts(edits, table), _amounts(table)
    values = rows * (amounts or 1)
    what = ("금액 값", "amounts") if amounts else ("행", "rows")
    yield from _ratio(
        "completeness",
        "values_not_missing" if amounts else "rows_not_missing",
        values - flawed.get("completeness", 0),
        values,
        f"결측이 아닌 {what[0]} ÷ 제공된 {what[0]}",
        f"{what[1]} that are not missing ÷ {what[1]} delivered",
    )
    for dimension, name, ko, en in (
        ("validity", "rows_valid", "유효성 규칙을 위반하지 않은 행 ÷ 제공 행", "rows without an invalid value ÷ rows delivered"),
        ("consistency", "rows_consistent", "상호 모순이 없는 행 ÷ 제공 행", "rows without a contradiction ÷ rows delivered"),
    ):
        if dimension == "validity" or table.bronze_name == "city_benefits":
            yield from _ratio(dimension, name, max(rows - flawed.get(dimension, 0), 0), rows, ko, en)
    if table.key:
        yield from _ratio(
            "uniqueness",
            "rows_unique",
            rows - flawed.get("uniqueness", 0),
            rows,
            "중복·상충이 없는 행 ÷ 제공 행 (기준 자료의 키 중복은 접수 거부)",
            "rows neither repeated nor in conflict ÷ rows delivered (a reference table with a key twice is refused)",
        )


def _delivery(
    evidence: Evidence, facts: DeliveryFacts, tables: tuple[DeliveredTable, ...], settings: QualitySettings
) -> Iterator[_Measured]:
    of_tables = [(table, facts.rows.get(table.name, 0)) for table in tables]
    yield from _pooled(evidence, of_tables, ("completeness", "validity", "consistency", "uniqueness"))
    yield from _supplied(facts, settings)
    if facts.dataset == "bureau":
        yield from _of_report(
            evidence, "completeness", "share_of_residents_without_address", "주소 있는 거주자", "residents with an address"
        )
        yield from _of_report(
            evidence,
            "consistency",
            "share_of_residents_the_register_does_not_know_here",
            "등록부가 그 주소에서 확인하는 거주자",
            "residents whom the register knows at their address",
        )
        yield from _of_report(
            evidence,
            "consistency",
            "share_of_residents_outside_the_buildings_list",
            "건물 목록에 있는 주소의 거주자",
            "residents in a listed building",
        )
    elif facts.dataset == "city":
        yield from _of_report(
            evidence, "consistency", "share_over_capacity", "수용 한도 이내 건물", "buildings within their capacity"
        )


def _delivered_coverage(evidence: Evidence, dataset: str) -> Iterator[_Measured]:
    """Of a delivery and of its first table: whom or what of those there are it has."""
    persons, adults = (cells.sum(numeric_only=True) for cells in (evidence.now.coverage, _adults(evidence)))
    if dataset == "bureau":
        yield from _nearness(
            "coverage",
            "adults_to_census",
            adults["bureau_persons"],
            adults[CENSUS_COUNTS],
            1.0,
            "15세 이상 신용거래자 ÷ 총조사 15세 이상 인구",
            "bureau residents ÷ census population of 15 and over",
        )
    elif dataset == "city":
        yield from _nearness(
            "coverage",
            "register_to_census",
            persons["register_persons"],
            persons[CENSUS_COUNTS],
            1.0,
            "등록 인구 ÷ 총조사 인구",
            "registered residents ÷ census population",
        )
    elif dataset == "survey":
        districts = evidence.regions["gu_code"].nunique()
        reached = evidence.survey["gu_code"].isin(evidence.regions["gu_code"]).sum()
        yield from _ratio(
            "coverage",
            "districts_reached",
            reached,
            districts,
            "조사 가구가 있는 자치구 ÷ 전체",
            "districts with surveyed households ÷ all",
        )
    elif dataset == "census":
        dongs = evidence.areas.loc[evidence.areas["census_households"] > 0, "dong_code"]
        valid = evidence.regions["dong_code"]
        yield from _ratio(
            "coverage",
            "dongs_with_margins",
            valid.isin(dongs).sum(),
            len(valid),
            "집계가 있는 행정동 ÷ 전체",
            "dongs with census margins ÷ all",
        )
    elif dataset == "benchmarks":
        wanted = PUBLISHED_MEASURES.keys()
        there = wanted & set(evidence.benchmarks.loc[evidence.benchmarks["region_code"] == codes.CITY_CODE, "indicator"])
        yield from _ratio(
            "coverage",
            "indicators_of_the_city",
            len(there),
            len(wanted),
            "서울 공표 지표 수 ÷ 필요 지표 수",
            "published figures of the city ÷ those wanted",
        )


def _adults(evidence: Evidence) -> pd.DataFrame:
    return evidence.now.coverage[evidence.now.coverage["age_band"] >= _ADULT]


_NO_REFERENCE: Mapping[str, tuple[str, str]] = {
    "census": (
        "다른 자료를 견주는 기준이므로 이를 견줄 기준이 없음",
        "it is the reference of the others, and there is none for it",
    ),
    "benchmarks": (
        "공표 통계 자체가 기준임. 그 오차는 제공된 relative_standard_error",
        "published figures are the reference; their own error is relative_standard_error as delivered",
    ),
    "regions": ("행정구역은 정해지는 것이지 재는 것이 아님", "regions are set, not measured"),
}
_NO_OTHER_SOURCE = ("같은 것을 담은 다른 자료가 없음", "no other source of it is delivered")


def _not_measurable(ko: str, en: str) -> _Measured:
    return _Measured("accuracy", "not_measurable", f"측정 불가: {ko}", f"not measurable: {en}", None)


def _delivered_accuracy(evidence: Evidence, dataset: str, settings: QualitySettings) -> Iterator[_Measured]:
    """Of a delivery and of its first table: what is delivered beside another source of the same, or why nothing can be.

    People of a source are compared with the census by their shares, so that this says nothing of how many it covers.
    """
    by, cells, adults = ["sex", "age_band"], evidence.now.coverage, _adults(evidence)
    found: list[_Measured] = []
    if dataset == "bureau":
        known = adults.groupby(by)[["bureau_persons", CENSUS_COUNTS]].sum()
        found = [
            *_same_shares("adults_by_sex_and_age", known["bureau_persons"], known[CENSUS_COUNTS], *_BY_SEX_AND_AGE),
            *_bureau_debt(evidence, settings),
        ]
    elif dataset == "city":
        known = cells.groupby(by)[["register_persons", CENSUS_COUNTS]].sum()
        found = [*_same_shares("residents_by_sex_and_age", known["register_persons"], known[CENSUS_COUNTS], *_BY_SEX_AND_AGE)]
    elif dataset == "survey":
        surveyed = _surveyed_mean(evidence)
        ko, en = "검증 조사의 가중 평균 총소득", "the survey's weighted mean total income"
        if surveyed is not None:
            found = [*_beside_published(evidence, settings, "mean_total_income", surveyed, "published_mean_total_income", ko, en)]
    yield from found or [_not_measurable(*_NO_REFERENCE.get(dataset, _NO_OTHER_SOURCE))]


_BY_SEX_AND_AGE = ("성·연령별 구성비", "shares by sex and five years of age")


def _same_shares(indicator: str, counted: pd.Series, census: pd.Series, ko: str, en: str) -> Iterator[_Measured]:
    """How many of a source are where the census has them: the smaller of both shares, added up over groups.

    Source: 1 less the index of dissimilarity, Duncan & Duncan (1955), American Sociological Review 20(2), 210-217.
    """
    both = pd.concat([counted, census], axis=1).fillna(0.0)
    total = both.sum()
    if (total > 0).all():
        same, of = float((both / total).min(axis=1).sum()), float(total.iloc[0])
        yield from _ratio(
            "accuracy",
            indicator,
            same * of,
            of,
            f"총조사와 겹치는 {ko}의 합 (1 − 상이지수)",
            f"{en} that the census has too, added up (1 − index of dissimilarity)",
        )


def _bureau_debt(evidence: Evidence, settings: QualitySettings) -> Iterator[_Measured]:
    """Debt of the city's bureau residents by household."""
    persons, city = (of[of["region_level"] == "city"] for of in (evidence.persons, evidence.now.statistics))
    if len(persons) and len(city) and city["households"].iloc[0] > 0:
        debt = float(persons["persons"].iloc[0] * persons["mean_debt_krw"].iloc[0] / city["households"].iloc[0])
        ko, en = "가구당 신용거래자 부채", "debt of bureau residents by household"
        yield from _beside_published(evidence, settings, "mean_debt", debt, "published_mean_debt", ko, en)


def _supplied(facts: DeliveryFacts, settings: QualitySettings) -> Iterator[_Measured]:
    days = _days(facts)
    if days is not None:
        span = settings.lost_days - settings.due_days
        yield _Measured(
            "timeliness",
            "days_to_supply",
            f"기준월 말일부터 제공일까지 일수 ÷ 기한 {settings.due_days:g}일; {settings.lost_days:g}일에 0점",
            f"days from the end of its month to supply ÷ {settings.due_days:g} due; no points at {settings.lost_days:g}",
            100 * min(1.0, max(0.0, (settings.lost_days - days) / max(span, 1e-9))),
            days,
            settings.due_days,
            days / settings.due_days,
        )


PUBLISHED_MEASURES: Mapping[str, str] = {
    "mean_total_income": "mean_total_income_krw_year",
    "mean_property_income": "mean_property_income_krw_year",
    "mean_transfer_income": "mean_transfer_income_krw_year",
    "mean_irregular_income": "mean_irregular_income_krw_year",
    "mean_debt": "mean_debt_krw",
    "mean_spending_month": "mean_spending_krw_month",
}
"""Indicator of a benchmark → the column of gold.household_statistics that it is compared with."""


class Published(NamedTuple):
    """A published mean of the city's households."""

    value: float
    relative_error: float
    """0 where none is given."""
    is_same_concept: bool
    """Whether it counts what ours does (`contracts.definitions`)."""


def published(evidence: Evidence, indicator: str) -> Published | None:
    """The city's published figure; the newest survey year."""
    rows = evidence.benchmarks
    of_city = rows[(rows["region_code"] == codes.CITY_CODE) & (rows["dimension"] == codes.ALL) & (rows["indicator"] == indicator)]
    if of_city.empty:
        return None
    newest = of_city.sort_values(["year", "source"]).iloc[-1]
    error = newest["relative_standard_error"]
    is_same = is_same_concept(str(newest["source"]), indicator)
    return Published(float(newest["value"]), 0.0 if pd.isna(error) else float(error), is_same)


def _beside_published(
    evidence: Evidence, settings: QualitySettings, measure: str, value: float, indicator: str, ko: str, en: str
) -> Iterator[_Measured]:
    """A mean beside the published one: without a score where that counts something else."""
    figure, tolerance = published(evidence, measure), settings.accuracy_tolerance
    if figure is None:
        return
    ko, en = f"{ko} ÷ 공표값", f"{en} ÷ published figure"
    lost = f" ({tolerance:.0%} 차이에 0점)", f" (no points at {tolerance:.0%} apart)"
    for found in _nearness("accuracy", indicator, value, figure.value, tolerance, ko + lost[0], en + lost[1]):
        if not figure.is_same_concept:
            ko, en = f"{ko} (정의가 달라 점수 없음)", f"{en} (not scored: definitions differ)"
            found = replace(found, score=None, method_ko=ko, method_en=en)
        yield found


def _surveyed_mean(evidence: Evidence) -> float | None:
    """Weighted mean total income of the survey."""
    sums = evidence.survey.sum(numeric_only=True)
    return float(sums["s_total"] / sums["w_total"]) if sums.get("w_total", 0) > 0 else None


def _pooled(evidence: Evidence, tables: Sequence[tuple[DeliveredTable, int]], dimensions: Sequence[str]) -> Iterator[_Measured]:
    """Indicators of delivered tables (and their rows), numerators and denominators added up."""
    parts = [m for table, rows in tables for m in _table(table, rows, evidence.now.edits)]
    for dimension in dimensions:
        own = [m for m in parts if m.dimension == dimension]
        yield from _ratio(
            dimension,
            f"tables_{dimension}",
            sum(m.numerator or 0 for m in own),
            sum(m.denominator or 0 for m in own),
            "테이블별 분자의 합 ÷ 분모의 합",
            "numerators of its tables ÷ denominators, added up",
        )


def _of_report(evidence: Evidence, dimension: str, indicator: str, ko: str, en: str) -> Iterator[_Measured]:
    """One less a share of flaws in gold.quality_report."""
    found = evidence.report.loc[evidence.report["indicator"] == indicator, "value"].dropna()
    if len(found):
        good = 1 - float(found.iloc[0])
        yield _Measured(
            dimension,
            indicator,
            f"{ko}의 비율 (1 − {indicator})",
            f"share of {en} (1 − {indicator})",
            100 * max(good, 0.0),
            value=good,
        )


def _days(facts: DeliveryFacts) -> int | None:
    """Days from the end of the month described to supply; 0 where it was supplied before."""
    try:
        supplied = dt.date.fromisoformat(facts.as_of[:10])
    except ValueError:
        return None
    return max(0, (supplied - facts.month.last_day).days)


def _product(evidence: Evidence, product: Mapping[Hashable, Any], settings: QualitySettings) -> Iterator[_Measured]:
    """Of a published table: all dimensions; accuracy where its rows have an error."""
    yield from _ratio(
        "completeness",
        "dongs_published",
        product["dongs"],
        len(evidence.regions),
        "통계가 있는 행정동 ÷ 유효 행정동",
        "dongs with statistics ÷ valid dongs",
    )
    yield from _ratio(
        "validity",
        "rows_valid",
        product["valid"],
        product["rows"],
        "계약의 규칙을 지키고 분위수가 차례대로인 행 ÷ 전체 행",
        "rows that keep the contract's checks, quantiles in order ÷ rows",
    )
    yield from _nearness(
        "consistency",
        "districts_add_up",
        product["of_districts"],
        product["of_city"],
        0.01,
        "자치구 가구(인원) 합 ÷ 시 가구(인원) (1% 차이에 0점)",
        "households or persons of districts ÷ of the city (no points at 1 % apart)",
    )
    yield from _ratio(
        "uniqueness",
        "keys_unique",
        product["keys"],
        product["rows"],
        *_DIFFERENT_KEYS,
    )
    if not pd.isna(product["final"]):
        yield from _final(product["final"], product["rows"])
    else:
        yield from _bureau_supplied(evidence, settings)
    yield from _ratio(
        "accuracy",
        "dongs_publishable",
        product["publishable"],
        product["judged"],
        f"평균 총소득의 변동계수가 {codes.PUBLISHABLE_CV:.0%} 이하인 행정동의 행 ÷ 전체",
        f"rows of dongs whose mean total income has a coefficient of variation up to {codes.PUBLISHABLE_CV:.0%} ÷ all",
    )
    if product["table"] == PERSON_STATISTICS.qualified_name:
        of_dongs = evidence.persons[evidence.persons["region_level"] == "dong"].set_index("region_code")["persons"]
        adults = _adults(evidence).groupby("dong_code")[CENSUS_COUNTS].sum()
        yield from _same_shares("residents_by_dong", of_dongs, adults, "행정동별 거주자 구성비", "shares of residents by dong")
        yield from _persons_covered(evidence, product["covered"], "통계의 거주 신용거래자", "residents in the statistics")
    else:
        yield from _households_covered(evidence, product["covered"], "통계의 가구", "households in the statistics")


def _households(evidence: Evidence, settings: QualitySettings) -> Iterator[_Measured]:
    """Of the rows of gold.household: all dimensions; a row has no error of its own, so accuracy is that of their means."""
    own, links = evidence.household.iloc[0], evidence.links.iloc[0]
    rows = own["rows"]
    yield from _ratio(
        "completeness",
        "households_placed",
        own["placed"],
        rows,
        "집계구와 거처 유형을 아는 가구 ÷ 전체 가구",
        "households whose output area and dwelling type are known ÷ rows",
    )
    yield from _ratio("validity", "rows_valid", own["valid"], rows, *_KEEPS_CHECKS)
    yield from _ratio(
        "consistency",
        "members_agree",
        links["agreeing"],
        links["households"],
        "신용거래 가구원 수가 gold.household_member와 일치하는 가구 ÷ 전체 가구",
        "households with as many bureau members as gold.household_member has ÷ households",
    )
    yield from _ratio("uniqueness", "keys_unique", links["households"], rows, *_DIFFERENT_KEYS)
    yield from _final(own["final"], rows)
    yield from _near_sources(evidence, settings, {f"mean_{name}": own[name] for name in MEAN_AMOUNTS})
    yield from _households_covered(evidence, own["covered"], "가구 가중치의 합", "sum of the households' weights")


def _members(evidence: Evidence, settings: QualitySettings) -> Iterator[_Measured]:
    """Of the rows of gold.household_member: all dimensions; accuracy is what the assignment's own probabilities expect."""
    own, links = evidence.member.iloc[0], evidence.links.iloc[0]
    rows = own["rows"]
    yield from _ratio(
        "completeness",
        "residents_in_households",
        own["keys"],
        own["residents"],
        "가구에 배정된 사람 ÷ 주소가 확인된 거주 신용거래자",
        "persons in a household ÷ bureau residents with a known address",
    )
    yield from _ratio("validity", "rows_valid", own["valid"], rows, *_KEEPS_CHECKS)
    yield from _ratio(
        "consistency",
        "members_of_households",
        links["linked"],
        rows,
        "gold.household에 있는 가구의 가구원 ÷ 전체 행",
        "members of a household that gold.household has ÷ rows",
    )
    yield from _ratio("uniqueness", "keys_unique", own["keys"], rows, *_DIFFERENT_KEYS)
    yield from _bureau_supplied(evidence, settings)
    yield from _ratio(
        "accuracy",
        "assignments_expected_right",
        own["sure"],
        rows,
        "배정 확률의 합 ÷ 전체 행 (가구화 모형이 스스로 기대하는 정확 배정 비율)",
        "sum of the assignments' probabilities ÷ rows: the share that the model of householding expects to be right",
    )
    yield from _persons_covered(evidence, own["keys"], "가구원인 신용거래자", "bureau members of households")


_KEEPS_CHECKS = ("계약의 규칙을 지키는 행 ÷ 전체 행", "rows that keep the contract's checks ÷ rows")
_DIFFERENT_KEYS = ("서로 다른 키 ÷ 전체 행", "different keys ÷ rows")


def _final(final: float, rows: float) -> Iterator[_Measured]:
    yield from _ratio(
        "timeliness",
        "rows_final",
        final,
        rows,
        "해당 연도 자료로 만든(잠정이 아닌) 행 ÷ 전체 행",
        "rows that are not provisional, made from data of their year ÷ rows",
    )


def _bureau_supplied(evidence: Evidence, settings: QualitySettings) -> Iterator[_Measured]:
    if "bureau" in evidence.now.deliveries:
        yield from _supplied(evidence.now.deliveries["bureau"], settings)


def _persons_covered(evidence: Evidence, persons: float, ko: str, en: str) -> Iterator[_Measured]:
    adults = _adults(evidence)[CENSUS_COUNTS].sum()
    yield from _nearness(
        "coverage",
        "persons_to_census",
        persons,
        float(adults),
        1.0,
        f"{ko} ÷ 총조사 15세 이상 인구",
        f"{en} ÷ census population of 15 and over",
    )


def _households_covered(evidence: Evidence, households: float, ko: str, en: str) -> Iterator[_Measured]:
    yield from _nearness(
        "coverage",
        "households_to_census",
        households,
        float(evidence.areas["census_households"].sum()),
        1.0,
        f"{ko} ÷ 총조사 일반가구",
        f"{en} ÷ private households of the census",
    )


def _month(evidence: Evidence, settings: QualitySettings) -> Iterator[_Measured]:
    made = evidence.now.deliveries
    tables = [(table, made[d.name].rows.get(table.name, 0)) for d in DATASETS if d.name in made for table in d.tables]
    yield from _pooled(evidence, tables, ("completeness", "validity", "uniqueness"))
    targets = evidence.targets
    yield from _ratio(
        "consistency",
        "census_targets_kept",
        targets["kept"].sum(),
        targets["targets"].sum(),
        "완화 없이 지킨 보정 기준 ÷ 전체",
        "targets of the weights that did not give way ÷ all",
    )
    of_year = sum(not facts.is_provisional for facts in made.values())
    yield from _ratio(
        "timeliness",
        "deliveries_of_its_year",
        of_year,
        len(made),
        "해당 연도의 자료를 쓴 제공 자료 ÷ 전체",
        "deliveries that are not of another year ÷ all",
    )
    yield from _accuracy(evidence, settings)
    persons = evidence.now.coverage.sum(numeric_only=True)
    yield from _nearness(
        "coverage",
        "weighted_to_census",
        persons["weighted_persons"],
        persons[CENSUS_COUNTS],
        1.0,
        "가중 인구 ÷ 총조사 인구",
        "members of weighted households ÷ census population",
    )


def _accuracy(evidence: Evidence, settings: QualitySettings) -> Iterator[_Measured]:
    city = evidence.now.statistics[evidence.now.statistics["region_level"] == "city"]
    if not city.empty:
        yield from _near_sources(
            evidence, settings, {column: float(city[column].iloc[0]) for column in PUBLISHED_MEASURES.values()}
        )


def _near_sources(evidence: Evidence, settings: QualitySettings, means: Mapping[str, float]) -> Iterator[_Measured]:
    """Means of the city beside published ones and, of total income, the survey's; `means` has the names of PUBLISHED_MEASURES."""
    for indicator, column in PUBLISHED_MEASURES.items():
        yield from _beside_published(evidence, settings, indicator, means[column], f"published_{indicator}", "추정값", "estimate")
    surveyed = _surveyed_mean(evidence)
    if surveyed is not None:
        yield from _nearness(
            "accuracy", "survey_mean_total_income", means[PUBLISHED_MEASURES["mean_total_income"]], surveyed,
            settings.accuracy_tolerance,
            f"추정 평균 총소득 ÷ 검증 조사 평균 ({settings.accuracy_tolerance:.0%} 차이에 0점)",
            f"estimated mean total income ÷ the survey's (no points at {settings.accuracy_tolerance:.0%} apart)",
        )  # fmt: skip
