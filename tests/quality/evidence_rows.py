"""Evidence of a hand-made city of two districts and three dongs, and of the month before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pandas as pd

from living_finance.contracts import gold
from living_finance.months import Month
from living_finance.quality.evidence import MEAN_AMOUNTS, PRODUCTS, SURVEY_MEASURES, DeliveryFacts, Evidence, MonthFacts

DONGS = ("1111051", "1111053", "1114055")
JANUARY, FEBRUARY = Month(2020, 1), Month(2020, 2)
HOUSEHOLDS = 100.0
"""Of every dong."""


def statistics_rows(mean: float = 50e6) -> pd.DataFrame:
    """Region rows as `region_statistics` gives them; every dong alike."""
    regions = [*(("dong", dong, 1) for dong in DONGS), ("gu", "11110", 2), ("gu", "11140", 1), ("city", "11", 3)]
    rows = []
    for level, code, dongs in regions:
        rows.append(
            {
                "region_level": level,
                "region_code": code,
                "households": HOUSEHOLDS * dongs,
                "households_unweighted": 100 * dongs,
                "mean_total_income_krw_year": mean,
                **{f"{name}_total_income_krw_year": mean * part * 2 for name, part in gold.QUANTILES},
                **{f"mean_{name}": mean / 5 for name in gold.INCOME_COMPONENTS},
                "mean_debt_krw": 40e6,
                "share_with_debt": 0.5,
                "mean_spending_krw_month": 2e6,
                "gini_total_income": 0.35,
                "rmse_mean_total_income_krw_year": 0.04 * mean,
                "cv_mean_total_income": 0.04,
                "reliability": "publishable",
            }
        )
    return pd.DataFrame(rows)


def coverage_rows(bureau: float = 80.0) -> pd.DataFrame:
    """Every dong and sex: 100 people aged 30 and 50 aged 65, of whom `bureau` per cent are in the bureau; 10 aged 0."""
    cells = [(dong, sex, band, people) for dong in DONGS for sex in "MF" for band, people in ((0, 10.0), (30, 100.0), (65, 50.0))]
    return pd.DataFrame(
        {
            "gu_code": dong[:5],
            "dong_code": dong,
            "sex": sex,
            "age_band": band,
            "bureau_persons": people * bureau / 100 if band >= 15 else 0.0,
            "register_persons": people,
            "census_persons": people,
            "weighted_persons": people,
        }
        for dong, sex, band, people in cells
    )


def edit_rows(reasons: Iterable[tuple[str, int, int, int]] = ()) -> pd.DataFrame:
    """The bureau's rows, 1,000 delivered; reasons: name, rows edited, quarantined, removed."""
    gone = sum(quarantined + removed for _, _, quarantined, removed in reasons)
    lines = [("all", 1000 - gone, sum(e for _, e, _, _ in reasons), sum(q for *_, q, _ in reasons), sum(r for *_, r in reasons))]
    lines += [(name, edited, edited, quarantined, removed) for name, edited, quarantined, removed in reasons]
    columns = ["reason", "rows_kept", "rows_edited", "rows_quarantined", "rows_removed"]
    return pd.DataFrame(lines, columns=columns).assign(table="bureau_persons", gu_code="11110")


def delivery(dataset: str, month: Month, rows: dict[str, int], *, as_of: str = "2020-03-12", number: int = 0) -> DeliveryFacts:
    return DeliveryFacts(dataset, month, number, False, rows, as_of)


def evidence(*, before: MonthFacts | None = None) -> Evidence:
    """A sound month: nothing to complain of."""
    now = MonthFacts(
        month=FEBRUARY,
        deliveries={
            "bureau": delivery("bureau", FEBRUARY, {"persons": 1000}),
            "census": delivery("census", Month(2020, 11), {"margins": 0}),
        },
        edits=edit_rows(),
        coverage=coverage_rows(),
        statistics=statistics_rows(),
        models={"code": "a"},
    )
    survey = {f"{part}_{name}": 10.0 for name in (*SURVEY_MEASURES, "total") for part in ("n", "w", "s", "ww", "ws", "ss")}
    survey |= {"gu_code": "11110", "surveyed": 40, "s_total": 10.0 * 45e6}
    empty = pd.DataFrame({"dong_code": pd.Series(dtype=str), "observed": pd.Series(dtype=int)})
    return Evidence(
        now=now,
        before=before,
        report=pd.DataFrame(
            [
                ("share_of_residents_without_address", 0.02, True),
                ("share_of_residents_the_register_does_not_know_here", 0.10, True),
                ("largest_gap_of_components_to_total_krw", 0.0, True),
            ],
            columns=["indicator", "value", "passed"],
        ),
        tenure=pd.DataFrame({"category": ["owned", "jeonse"], "households": [200.0, 100.0]}),
        persons=pd.DataFrame(
            [("city", "11", 600, 3e7, 2e7, 1e6), *(("dong", dong, 200, 3e7, 2e7, 1e6) for dong in DONGS)],
            columns=[
                *("region_level", "region_code", "persons", "mean_labour_business_income_krw_year", "mean_debt_krw"),
                "mean_spending_krw_month",
            ],
        ),
        areas=pd.DataFrame(
            {
                "dong_code": DONGS,
                **{f"{name}_households": HOUSEHOLDS for name in ("census", "register", "target", "formed", "weighted")},
                "areas": 2,
                "areas_converged": 2,
                "areas_met": 2,
            }
        ),
        targets=pd.DataFrame({"margin": ["tenure"], "targets": [20], "kept": [19]}),
        survey=pd.DataFrame([survey]),
        benchmarks=pd.DataFrame(
            [
                ("household_finances_survey", 2020, "11", "mean_total_income", "all", "all", 50e6, 0.01),
                ("household_finances_survey", 2020, "11", "mean_debt", "all", "all", 50e6, 0.01),
                ("housing_survey", 2020, "11", "household_share", "tenure", "owned", 500_000.0, 0.01),
            ],
            columns=["source", "year", "region_code", "indicator", "dimension", "category", "value", "relative_standard_error"],
        ),
        benefits=pd.DataFrame(
            [(DONGS[0], "basic_pension", 60, 3e6)], columns=["dong_code", "programme", "recipients", "amount_krw"]
        ),
        moves=empty.assign(event=pd.Series(dtype=str)),
        infants=empty,
        deaths=empty,
        products=pd.DataFrame(
            {
                "table": [table.qualified_name for table in PRODUCTS],
                **dict.fromkeys(("rows", "keys", "valid"), 40),
                "final": [40, 30, None],
                "dongs": 3,
                "judged": [3, 3, 0],
                "publishable": [3, 3, 0],
                **{name: [300.0, 300.0, 600.0] for name in ("of_districts", "of_city", "covered")},
            }
        ),
        household=pd.DataFrame(
            [{"rows": 250, "placed": 245, "valid": 250, "final": 200, "covered": 300.0, **dict.fromkeys(MEAN_AMOUNTS, 50e6)}]
        ),
        member=pd.DataFrame([{"rows": 400, "keys": 400, "valid": 400, "sure": 320.0, "residents": 400}]),
        links=pd.DataFrame([{"households": 250, "agreeing": 250, "linked": 400}]),
        regions=pd.DataFrame({"dong_code": DONGS, "gu_code": [dong[:5] for dong in DONGS]}),
    )


def two_months(**now: object) -> Evidence:
    """The sound month after one like it; `now` replaces facts of the later one."""
    sound = evidence()
    before = dataclasses.replace(sound.now, month=JANUARY)
    return dataclasses.replace(sound, now=dataclasses.replace(sound.now, **now), before=before)  # type: ignore[arg-type]
