"""Published figures of a made-up city: two districts, seven dongs, three months; the last dong is unreliable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from living_finance.contracts import codes, gold
from living_finance.contracts.language import Words
from living_finance.months import Month
from living_finance.places.boundaries import BOUNDARY_SOURCE, DONG_CODE_PROPERTY, dong_boundaries
from living_finance.reports.data import PolicyAnalysis, ReportData

MONTHS = (Month(2020, 1), Month(2020, 2), Month(2020, 3))
DONGS = ("1114059", "1114060", "1114061", "1114063", "1123051", "1123052", "1123053")
UNRELIABLE = DONGS[-1]
REGIONS = (("city", "11"), ("gu", "11140"), ("gu", "11230"), *(("dong", code) for code in DONGS))
NAMES = {
    "11": ("서울특별시", "Seoul"),
    "11140": ("마포구", "Mapo-gu"),
    "11230": ("강남구", "Gangnam-gu"),
    **{code: (f"{code[-2:]}동", f"Dong {code[-2:]}") for code in DONGS},
}
MODELS = "joint-assignment/ba9876543210, small-area/0123456789ab"
SOURCES = {
    "household_statistics": "gold.household_statistics v3",
    "household_breakdown": "gold.household_breakdown v3",
    "person_statistics": "gold.person_statistics v3",
    "quality_report": "gold.quality_report v3",
    "error_budget": "gold.error_budget v3",
    "edit_report": "gold.edit_report v3",
}

ERRORS = tuple(
    c for c in gold.HOUSEHOLD_STATISTICS.column_names if c.startswith("rmse_") and c != f"rmse_mean_{gold.TOTAL_INCOME}"
)
"""Errors of the distribution: of regions alone, not in the breakdown."""


def _area(month: Month, level: str, code: str, position: int) -> dict[str, Any]:
    mean = 60_000_000 + 2_500_000 * (position - 4) + 200_000 * month.number
    is_bad = code == UNRELIABLE
    cv = 0.34 if is_bad else 0.2 if code == DONGS[0] else 0.016
    quantiles = {
        f"{name}_{gold.TOTAL_INCOME}": round(mean * factor)
        for (name, _), factor in zip(gold.QUANTILES, (0.2, 0.45, 0.82, 1.3, 2.0), strict=True)
    }
    parts = dict(zip(gold.INCOME_COMPONENTS, (0.7, 0.15, 0.07, 0.06, 0.02), strict=True))
    return {
        "base_month": str(month),
        "region_level": level,
        "region_code": code,
        "households": 10_000.0 / (1 + position),
        "households_unweighted": 500,
        f"mean_{gold.TOTAL_INCOME}": mean,
        **quantiles,
        **{f"rmse_{name}": round(value * cv * 1.5) for name, value in quantiles.items()},
        **{f"mean_{name}": round(mean * part) for name, part in parts.items()},
        "mean_debt_krw": round(mean * 0.9),
        "share_with_debt": 0.48,
        "mean_spending_krw_month": round(mean / 27),
        "gini_total_income": 0.41 + position / 500,
        f"rmse_mean_{gold.TOTAL_INCOME}": round(mean * cv),
        "cv_mean_total_income": cv,
        "reliability": "unreliable" if is_bad else "caution" if cv > 0.15 else "publishable",
        "rmse_gini_total_income": 0.4 * cv,
        "is_provisional": False,
    }


def areas() -> pd.DataFrame:
    return pd.DataFrame([_area(m, level, code, p) for m in MONTHS for p, (level, code) in enumerate(REGIONS)])


def result_row(**values: Any) -> dict[str, Any]:
    return {
        "base_month": "2020-03-01",
        "region_level": "city",
        "region_code": "11",
        "dimension": codes.ALL,
        "category": codes.ALL,
        "unit": "share",
        "standard_error": 0.004,
        "population": 1000.0,
        "contributors": 500,
        "reliability": "publishable",
        **values,
    }


def analysis(name: str, rows: list[dict[str, Any]]) -> PolicyAnalysis:
    return PolicyAnalysis(
        name=name,
        label_ko=f"분석 {name}",
        label_en=f"analysis {name}",
        formulas=(Words(ko=f"{name} 비율 = 가 / 나", en=f"{name} share = a / b"),),
        source=Words(ko="아무개 (2020)", en="Nobody (2020)"),
        tables="gold.household v3",
        rows=pd.DataFrame(rows),
    )


def _inequality() -> list[dict[str, Any]]:
    rows = []
    for position, (level, code) in enumerate(REGIONS):
        bad = {"reliability": "unreliable", "standard_error": 0.2} if code == UNRELIABLE else {}
        of = {"region_level": level, "region_code": code}
        rows += [
            result_row(**of, statistic="gini", unit="index", value=0.36 + position / 300, **bad),
            result_row(**of, statistic="s80_s20", unit="ratio", value=5.2 + position / 10, **{"standard_error": 0.1, **bad}),
            result_row(
                **of,
                statistic="median_equivalised_income",
                unit="KRW/year",
                value=3.2e7 + 1e5 * position,
                **{**bad, "standard_error": 4e5},
            ),
        ]
    rows += [result_row(statistic=f"lorenz_{10 * tenth}", value=(tenth / 10) ** 1.9) for tenth in range(1, 10)]
    return rows


def _low_income() -> list[dict[str, Any]]:
    rows = []
    for position, (level, code) in enumerate(REGIONS):
        bad = {"reliability": "unreliable", "standard_error": 0.2} if code == UNRELIABLE else {}
        rows.append(
            result_row(region_level=level, region_code=code, statistic="poverty_rate", value=0.13 + position / 100, **bad)
        )
    rows += [
        result_row(dimension="head_age_band", category=str(band), statistic="poverty_rate", value=0.05 + band / 300)
        for band in (80, 20, 30)
    ]
    return rows


def _moves() -> list[dict[str, Any]]:
    return [
        result_row(
            dimension="event", category=event, statistic="households", unit="households", value=100.0 * n, standard_error=3.0
        )
        for n, event in enumerate(("moved", "unchanged", "new"), 1)
    ]


CHANGES = [
    result_row(dimension="change_since", category="2020-02", statistic=f"mean_{gold.TOTAL_INCOME}", unit="KRW/year",
               value=1_230_000.0, standard_error=300_000.0),
    result_row(dimension="change_since", category="2020-02", statistic="mean_debt_krw", unit="KRW", value=50_000.0,
               standard_error=300_000.0, reliability="unreliable"),
    result_row(dimension="change_since", category="2020-02", statistic="gini", unit="index", value=-0.001,
               standard_error=0.002, reliability="unreliable"),
]  # fmt: skip


def breakdown() -> pd.DataFrame:
    rows = []
    for dimension, category in (
        *(("income_class", str(rank)) for rank in (5, 4, 3, 2, 1)),
        ("tenure", "jeonse"),
        ("tenure", "owned"),
    ):
        scale = int(category) if category.isdigit() else 3
        row = _area(MONTHS[-1], "city", "11", 4) | {"dimension": dimension, "category": category}
        rows.append({k: v * scale / 3 if k.startswith(("mean_", "median_")) else v for k, v in row.items() if k not in ERRORS})
    return pd.DataFrame(rows)


def persons() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "place": place,
                "region_level": level,
                "region_code": code,
                "persons": 1000 + n,
                "mean_labour_business_income_krw_year": 30_000_000 + 1_000_000 * n,
            }
            for place in codes.PLACE.codes
            for n, (level, code) in enumerate(REGIONS)
        ]
    )


def boundaries() -> dict[str, Any]:
    features = [f for f in dong_boundaries()["features"] if f["properties"][DONG_CODE_PROPERTY] in DONGS]
    return {
        "features": [
            {"type": "Feature", "geometry": f["geometry"], "properties": {"dong_code": f["properties"][DONG_CODE_PROPERTY]}}
            for f in features
        ]
    }


def small_city(**changes: Any) -> ReportData:
    data = ReportData(
        month=MONTHS[-1],
        year=None,
        region="11",
        names=NAMES,
        areas=areas(),
        breakdown=breakdown(),
        persons=persons(),
        models=dict.fromkeys(MONTHS, MODELS),
        sources=SOURCES,
        is_public=False,
        analyses=(
            analysis("inequality", _inequality()),
            analysis("low_income", _low_income()),
            analysis("household_moves", _moves()),
        ),
        changes={MONTHS[1]: analysis("change", CHANGES)},
        quality=pd.DataFrame(
            [{"table": "gold.household", "indicator": "some_gap", "value": 0.01, "threshold": 0.1, "passed": True}]
        ),
        edits=pd.DataFrame(
            [
                {
                    "table": "city_residents",
                    "reason": "all",
                    "rows_kept": 1000,
                    "rows_edited": 10,
                    "rows_quarantined": 1,
                    "rows_removed": 5,
                }
            ]
        ),
        boundaries=boundaries(),
        boundary_source=BOUNDARY_SOURCE,
    )
    return replace(data, **changes)
