"""Forty households in two districts of two dongs each, with everything the analyses read, and the same a year before."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

MONTH, AGAINST = dt.date(2020, 1, 1), dt.date(2019, 1, 1)
DONGS = ("1114051", "1114052", "1123051", "1123052")
MANWON = 10_000
REGIONS = ("11", "11140", "11230", *DONGS)
INCOMES = tuple(f"{name}_total_income_krw_year" for name in ("mean", "p10", "p25", "median", "p75", "p90"))
SHARED = (0, 3, -1, 2, -4)
"""What all regions have in common in each draw of the income model, in millions."""


@dataclass(frozen=True)
class Home:
    """What a test computes with."""

    month: dt.date
    number: int
    dong: str
    size: int
    weight: float
    income: int
    debt: int
    spending: int
    children: int
    elderly: int
    previous_dong: str


def homes(month: dt.date = MONTH) -> list[Home]:
    """Incomes from a loss to 1.5 hundred million; household 7 has lost money, 8 has nothing, 11 can hardly serve its debt.

    Three households were poorer the year before: 10 with an elderly member, 13 with a child, 14 with debt.
    """
    rows = []
    later = month == MONTH
    special = {7: -300, 8: 0, 11: 3670} | ({} if later else {10: 1500, 13: 2000, 14: 1000})
    for number in range(40):
        income = special.get(number, 900 + 367 * number) * MANWON
        rows.append(
            Home(
                month=month,
                number=number,
                # A border has moved: household 0 lives where it did, in another dong.
                dong=DONGS[1] if later and number == 0 else DONGS[number % 4],
                size=1 + number % 3,
                weight=0.5 + (number % 5) * 0.25,
                income=income + (number % 7) * 100 * MANWON * later,
                debt=(number % 3) * 4000 * MANWON,
                spending=(60 + 9 * (number % 11)) * MANWON,
                children=1 if number % 6 == 1 else 0,
                elderly=1 if number % 5 == 0 else 0,
                previous_dong=DONGS[(number + 1) % 4] if number < (6 if later else 3) else DONGS[number % 4],
            )
        )
    # In the earlier month the last household is not there.
    return rows if later else rows[:-1]


def drawn(region: str, draw: int) -> int:
    """Mean total income of a region in a draw: what all regions share, and a little of its own."""
    own = (5 * REGIONS.index(region) + 7 * draw) % 11 - 5
    return 50_000_000 + 1_000_000 * SHARED[draw] + 100_000 * own


def published(region: str) -> int:
    """The region's mean total income in gold.household_statistics; its quantiles are thousands of won apart, upwards."""
    return 50_000_000 + 700_000 * REGIONS.index(region)


def tables(spark: SparkSession) -> dict[str, DataFrame]:
    """The frames by the names that analyses give them, both months in each."""
    both = [*homes(MONTH), *homes(AGAINST)]
    household = spark.createDataFrame(
        [
            (
                *(h.month, f"H{h.number}", f"A{h.number}", h.dong[:5], h.dong, "apartment" if h.number % 2 else "multi_family"),
                *("owned" if h.number % 2 else None, "one_person" if h.size == 1 else "two_generation", h.size),
                *("M" if h.number % 2 else "F", 20 + 10 * (h.number % 6), h.weight, h.income, 0, 0, 0, h.debt, h.spending),
            )
            for h in both
        ],
        "base_month date, household_id string, address_id string, gu_code string, dong_code string, dwelling_type string,"
        " tenure string, household_type string, household_size int, head_sex string, head_age_band int, weight double,"
        " total_income_krw_year bigint, property_income_krw_year bigint, transfer_income_krw_year bigint,"
        " irregular_income_krw_year bigint, debt_krw bigint, spending_krw_month bigint",
    ).coalesce(1)
    members = spark.createDataFrame(
        [(h.month, f"H{h.number}", h.children, h.size - h.children, h.elderly) for h in both],
        "base_month date, household_id string, children int, adults int, elderly int",
    ).coalesce(1)
    persons = []
    for h in both:
        employment = ("employee", "self_employed", "none")[h.number % 3]
        works = employment != "none"
        labour, business = (float(h.income) if employment == kind else 0.0 for kind in ("employee", "self_employed"))
        fell_behind = 20 if h.month == AGAINST else None
        work_dong = DONGS[(h.number // 2) % 4] if works and h.number % 8 else None
        persons.append(
            (
                *(h.month, f"P{h.number}", "M" if h.number % 2 else "F", 20 + 5 * (h.number % 10), "seoul", h.dong),
                *("none" if not works else "seoul" if work_dong else "outside", f"W{h.number % 2}" if work_dong else None),
                *(work_dong, employment),
                *(labour, business, 0.0, 0.0, float(h.debt // 2), float(h.debt - h.debt // 2)),
                *(float(h.debt // 10) if h.number % 9 == 2 and h.number != fell_behind else 0.0, float(h.debt // 60)),
                f"A{h.number}",
            )
        )
    placed = spark.createDataFrame(
        persons,
        "base_month date, person_id string, sex string, age_band int, residence string, dong_code string, workplace string,"
        " work_address_id string, workplace_dong_code string, employment string, labour_income_krw_year double,"
        " business_income_krw_year double, mortgage_balance_krw double, jeonse_loan_balance_krw double,"
        " credit_loan_balance_krw double, business_loan_balance_krw double, overdue_balance_krw double,"
        " repayment_krw_month double, home_address_id string",
    ).coalesce(1)
    belongs = spark.createDataFrame(
        [(h.month, f"P{h.number}", f"H{h.number}") for h in both], "base_month date, person_id string, household_id string"
    ).coalesce(1)
    lineage = spark.createDataFrame(
        [
            # The border of household 7's dong has moved: it stays, and its dong had another code.
            (h.month, f"H{h.number}", "moved" if h.previous_dong != h.dong else "unchanged", True, h.previous_dong)
            if h.number != 7
            else (h.month, "H7", "unchanged", True, "1123099")
            for h in both
        ],
        "base_month date, household_id string, event string, is_main_previous boolean, previous_dong_code string",
    ).coalesce(1)
    at_work = [("W0", "G", 3), ("W0", "G", 2), ("W0", "I", 4), ("W1", "C", 2), ("W1", "K", 2)]
    establishment = spark.createDataFrame(
        [(month, f"E{number}", *where) for month in (MONTH, AGAINST) for number, where in enumerate(at_work)],
        "base_month date, establishment_id string, address_id string, industry string, workers bigint",
    ).coalesce(1)
    building = spark.createDataFrame(
        [
            *((MONTH, f"A{h.number}", h.dong, "multi_family", 1000.0 * (h.number % 4), 0.0) for h in homes(MONTH)),
            (MONTH, "W0", DONGS[0], "non_residential", 100.0, 100.0),
            (MONTH, "W1", DONGS[3], "non_residential", 3100.0, 100.0),
            (MONTH, "W2", DONGS[0], "non_residential", 90_000.0, 0.0),
        ],
        "base_month date, address_id string, dong_code string, dwelling_type string, x double, y double",
    ).coalesce(1)
    benefit = spark.createDataFrame(
        [(MONTH, dong, "basic_pension", 2, 600_000.0) for dong in DONGS]
        + [(MONTH, DONGS[0], "disability_allowance", 1, 180_000.0), (MONTH, DONGS[1], "child_allowance", 3, 300_000.0)],
        "base_month date, dong_code string, programme string, recipients bigint, amount_krw double",
    ).coalesce(1)
    keys = [(month, ("city", "gu", "dong")[(len(code) - 1) // 3], code) for month in (MONTH, AGAINST) for code in REGIONS]
    of_regions = ", ".join(("base_month date, region_level string, region_code string", *(f"{name} bigint" for name in INCOMES)))
    statistics = spark.createDataFrame(
        [
            (*key, *(published(key[-1]) + 1000 * k for k in range(len(INCOMES))), 0.3, "all", "all", sex, 10.0, 8)
            for key in keys
            for sex in ("all", "F")
        ],
        f"{of_regions}, gini_total_income double, head_age_band string, household_type string, head_sex string,"
        " households double, households_unweighted bigint",
    ).coalesce(1)
    draws = spark.createDataFrame(
        [
            (*key, *(drawn(key[-1], draw) + 1000 * k for k in range(len(INCOMES))), 0.3, draw)
            for key in keys
            for draw in reversed(range(len(SHARED)))
        ],
        f"{of_regions}, gini_total_income double, draw int",
    ).coalesce(1)
    benchmark = spark.createDataFrame(
        [
            (MONTH, "household_finances_survey", 2020, "2020", "00", "mean_total_income", "all", "all", 5e7, 0.01),
            (MONTH, "household_finances_survey", 2020, "2020", "capital", "mean_total_income", "all", "all", 6e7, 0.02),
            (MONTH, "household_finances_survey", 2020, "2020", "00", "mean_assets", "all", "all", 4e8, 0.02),
        ],
        "base_month date, source string, year bigint, reference_period string, region_code string, indicator string,"
        " dimension string, category string, value double, relative_standard_error double",
    ).coalesce(1)
    return {
        "household": household,
        "household_members": members,
        "placed_person": placed,
        "household_member": belongs,
        "household_lineage": lineage,
        "household_statistics": statistics,
        "area_income_draw": draws,
        "establishment": establishment,
        "building": building,
        "benefit": benefit,
        "benchmark": benchmark,
    }
