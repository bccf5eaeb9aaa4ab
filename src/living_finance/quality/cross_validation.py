"""The same quantity as every source sees it: bureau, register, census, benefits, survey and published figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from living_finance.contracts import codes, gold
from living_finance.contracts import quality as q
from living_finance.quality.dimensions import PUBLISHED_MEASURES, published
from living_finance.quality.evidence import Evidence

SMALLEST_SURVEY = 30
"""Surveyed households that a district's mean is compared from; a house rule, fewer say next to nothing."""


@dataclass(frozen=True)
class _Definition:
    ko: str
    en: str
    is_reference_definition: bool


_SAME = True
_CENSUS = _Definition("일반가구 가구원(비공개 칸은 2.5명)", "members of private households; masked cells count 2.5", _SAME)
_PERSONS: Mapping[str, _Definition] = {
    "bureau": _Definition(
        "신용거래 있는 15세 이상, 옛 주소 포함", "people of 15 and over with credit activity, old addresses too", not _SAME
    ),
    "register": _Definition("주민등록 거주자", "registered residents, wherever they live", not _SAME),
    "census": _CENSUS,
    "statistics": _Definition("가중 가구의 가구원", "members of the weighted households", _SAME),
}
_HOUSEHOLDS: Mapping[str, _Definition] = {
    "register": _Definition("세대", "register households", not _SAME),
    "census": _Definition("일반가구", "private households", _SAME),
    "statistics": _Definition(
        "가중 가구(총조사 이후 등록 세대 변화 반영)", "weighted households, moved by the register since the census", _SAME
    ),
}
_MONEY: Mapping[str, _Definition] = {
    "statistics": _Definition("가구 평균(가중)", "mean of the weighted households", _SAME),
    "benchmark": _Definition("공표된 서울 가구 평균", "published mean of the city's households", _SAME),
    "survey": _Definition("검증 조사의 설계가중 평균", "design-weighted mean of the validation survey", _SAME),
    "bureau": _Definition("신용거래자 합계 ÷ 가중 가구", "sum over bureau residents ÷ weighted households", not _SAME),
    "benefits": _Definition(
        "시 지급 급여 연 환산 ÷ 가중 가구", "benefits paid in the month × 12 ÷ weighted households", not _SAME
    ),
}
_OWN_DEBT = _Definition(
    "가구 평균(가중), 임대보증금 제외", "mean of the weighted households, without deposits that landlords owe", not _SAME
)
"""The survey's and the published debt hold them (docs/definitions.md)."""
_PROGRAMMES: Mapping[str, tuple[str, _Definition]] = {
    "persons_65_and_over": ("basic_pension", _Definition("기초연금 수급자", "recipients of the basic pension", not _SAME)),
    "persons_under_5": ("child_allowance", _Definition("아동수당 수급자", "recipients of the child allowance", not _SAME)),
}
_AGES: Mapping[str, tuple[int, int]] = {
    "persons": (0, 200),
    "persons_15_and_over": (15, 200),
    "persons_65_and_over": (65, 200),
    "persons_under_5": (0, 5),
}
_SURVEYED: Mapping[str, str] = {
    "mean_total_income_krw_year": "total",
    **{f"mean_{name}": name for name in gold.INCOME_COMPONENTS},
    "mean_debt_krw": "debt_krw",
    "mean_spending_krw_month": "spending_krw_month",
}
"""Column of the statistics → measure of `survey_sums`."""
_CITY = {"region_level": "city", "region_code": codes.CITY_CODE}
_UNITS = {"krw_year": "KRW/year", "krw_month": "KRW/month", "krw": "KRW"}


def cross_validation(evidence: Evidence) -> pd.DataFrame:
    """One row per region, measure and source that knows it, beside the source it is compared with.

    Counts of people and households are compared with the census, means with published figures (of the city) or the
    survey. Ratios away from 1 are expected where `is_same_definition` is false. The survey's standard errors are those of ratios
    of weighted sums over a sample of households (Särndal, Swensson & Wretman 1992, Model Assisted Survey Sampling, ch. 5).

    Returns:
        Columns of gold.cross_validation but `base_month`.
    """
    parts = [*_persons(evidence), *_households(evidence), *_means(evidence), *_tenure(evidence)]
    found = pd.concat(parts, ignore_index=True)
    reference = found[found["source"] == found["reference_source"]]
    keys = ["region_level", "region_code", "measure"]
    joined = found.merge(reference[keys].assign(reference_value=reference["value"]), on=keys, how="left", validate="many_to_one")
    known = joined["reference_value"].where(joined["reference_value"] != 0)
    joined["ratio"] = joined["value"] / known
    return joined[[name for name in q.CROSS_VALIDATION.column_names if name != "base_month"]]


def _by_region(dongs: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Sums of dong rows for dongs, districts and the city: region_level, region_code and the columns `names`."""
    parts = []
    for level, code in (("dong", dongs["dong_code"]), ("gu", dongs["dong_code"].str[:5]), ("city", codes.CITY_CODE)):
        keyed = dongs[names].assign(region_level=level, region_code=code)
        parts.append(keyed.groupby(["region_level", "region_code"], as_index=False)[names].sum())
    return pd.concat(parts, ignore_index=True)


def _rows(frame: pd.DataFrame, *, measure: str, source: str, reference: str, unit: str, definition: _Definition) -> pd.DataFrame:
    return frame.assign(
        measure=measure,
        source=source,
        reference_source=reference,
        unit=unit,
        is_same_definition=definition.is_reference_definition,
        definition_ko=definition.ko,
        definition_en=definition.en,
    )


def _persons(evidence: Evidence) -> Iterator[pd.DataFrame]:
    columns = {
        "bureau": "bureau_persons",
        "register": "register_persons",
        "census": "census_persons",
        "statistics": "weighted_persons",
    }
    cells = evidence.now.coverage
    for measure, (least, below) in _AGES.items():
        own = cells[(cells["age_band"] >= least) & (cells["age_band"] < below)]
        sums = _by_region(own, list(columns.values()))
        for source, column in columns.items():
            if source != "bureau" or least >= 15:
                frame = sums[["region_level", "region_code"]].assign(value=sums[column])
                yield _rows(
                    frame, measure=measure, source=source, reference="census", unit="persons", definition=_PERSONS[source]
                )
        if measure in _PROGRAMMES:
            programme, definition = _PROGRAMMES[measure]
            paid = evidence.benefits[evidence.benefits["programme"] == programme]
            frame = _by_region(paid.assign(value=paid["recipients"].astype(float)), ["value"])
            yield _rows(frame, measure=measure, source="benefits", reference="census", unit="persons", definition=definition)


def _households(evidence: Evidence) -> Iterator[pd.DataFrame]:
    columns = {"register": "register_households", "census": "census_households", "statistics": "weighted_households"}
    sums = _by_region(evidence.areas, list(columns.values()))
    for source, column in columns.items():
        frame = sums[["region_level", "region_code"]].assign(value=sums[column])
        yield _rows(
            frame, measure="households", source=source, reference="census", unit="households", definition=_HOUSEHOLDS[source]
        )


def _means(evidence: Evidence) -> Iterator[pd.DataFrame]:
    regions = ["region_level", "region_code"]
    upper = evidence.now.statistics[evidence.now.statistics["region_level"].isin(("city", "gu"))]
    survey = _survey_regions(evidence)
    delivered = _delivered_means(evidence, upper)
    by_column = {column: indicator for indicator, column in PUBLISHED_MEASURES.items()}
    for column, surveyed in _SURVEYED.items():
        unit = next(unit for ending, unit in _UNITS.items() if column.endswith(ending))
        figure = published(evidence, by_column[column]) if column in by_column else None
        frames = {
            "statistics": upper[regions].assign(value=upper[column].astype(float), standard_error=_rmse(upper, column)),
            "survey": _survey_means(survey, surveyed),
        }
        if figure is not None:
            error = figure.value * figure.relative_error or math.nan
            frames["benchmark"] = pd.DataFrame([_CITY | {"value": figure.value, "standard_error": error}])
        frames |= {source: frame for (name, source), frame in delivered.items() if name == column}
        for source, frame in frames.items():
            is_city = frame["region_level"] == "city"
            for part, reference in (
                (frame[is_city], "benchmark" if figure is not None else "survey"),
                (frame[~is_city], "survey"),
            ):
                if len(part):
                    is_own_debt = (column, source) == ("mean_debt_krw", "statistics")
                    definition = _OWN_DEBT if is_own_debt else _MONEY[source]
                    yield _rows(part, measure=column, source=source, reference=reference, unit=unit, definition=definition)


def _rmse(statistics: pd.DataFrame, column: str) -> pd.Series | None:
    name = f"rmse_{column}"
    return statistics[name].astype(float) if name in statistics else None


def _survey_means(survey: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Means by region with the standard error of a ratio, residuals w (y - mean), drawn with replacement."""
    answered, weight = survey[f"n_{measure}"], survey[f"w_{measure}"].where(survey[f"w_{measure}"] > 0)
    mean = survey[f"s_{measure}"] / weight
    millions = mean / 1e6
    squares = survey[f"ss_{measure}"] - 2.0 * millions * survey[f"ws_{measure}"] + millions**2 * survey[f"ww_{measure}"]
    variance = squares.clip(lower=0.0) * answered / (answered - 1).where(answered > 1) / weight**2
    return survey[["region_level", "region_code"]].assign(value=mean, standard_error=1e6 * variance**0.5)


def _survey_regions(evidence: Evidence) -> pd.DataFrame:
    """Sums of the survey for the city and for the districts where it asked enough households."""
    names = [name for name in evidence.survey.columns if name not in ("gu_code", "surveyed")]
    gus = evidence.survey[evidence.survey["surveyed"] >= SMALLEST_SURVEY]
    city = pd.DataFrame([evidence.survey[names].sum()]).assign(**_CITY)
    return pd.concat([gus[names].assign(region_level="gu", region_code=gus["gu_code"]), city], ignore_index=True)


def _delivered_means(evidence: Evidence, upper: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """Per household what the bureau and the benefits hold, as delivered."""
    regions = ["region_level", "region_code"]
    joined = evidence.persons.merge(upper[[*regions, "households"]], on=regions, how="inner", validate="one_to_one")
    per_household = joined["persons"] / joined["households"].where(joined["households"] > 0)
    found = {
        (f"{name}", "bureau"): joined[regions].assign(value=joined[name] * per_household)
        for name in ("mean_debt_krw", "mean_spending_krw_month")
    }
    paid = _by_region(evidence.benefits.assign(value=evidence.benefits["amount_krw"] * 12.0), ["value"])
    transfers = paid.merge(upper[[*regions, "households"]], on=regions, how="inner", validate="one_to_one")
    found["mean_transfer_income_krw_year", "benefits"] = transfers[regions].assign(
        value=transfers["value"] / transfers["households"].where(transfers["households"] > 0)
    )
    return found


def _tenure(evidence: Evidence) -> Iterator[pd.DataFrame]:
    shares = evidence.benchmarks
    wanted = (
        (shares["region_code"] == codes.CITY_CODE)
        & (shares["indicator"] == "household_share")
        & (shares["dimension"] == "tenure")
    )
    newest = shares[wanted].sort_values("year").drop_duplicates("category", keep="last").set_index("category")
    newest = newest.assign(value=newest["value"] / 1e6)
    made = evidence.tenure.set_index("category")["households"]
    total = made.sum()
    for tenure in codes.TENURE.codes:
        values = {"benchmark": newest["value"].get(tenure), "statistics": made.get(tenure, 0.0) / total if total > 0 else None}
        for source, value in values.items():
            if value is not None:
                error = value * newest["relative_standard_error"][tenure] if source == "benchmark" else math.nan
                frame = pd.DataFrame([_CITY | {"value": float(value), "standard_error": error}])
                definition = _Definition(
                    f"{codes.TENURE.label(tenure)} 가구 비율", f"share of households: {codes.TENURE.label(tenure, 'en')}", _SAME
                )
                yield _rows(
                    frame, measure=f"share_{tenure}", source=source, reference="benchmark", unit="share", definition=definition
                )
