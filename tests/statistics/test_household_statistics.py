"""Household tables against SQL written apart (DuckDB), their own parts, and another partitioning."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import duckdb
import pandas as pd
import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from living_finance.contracts import codes, gold, silver
from living_finance.contracts.core import Table
from living_finance.months import Month
from living_finance.statistics.households import household_breakdown, household_statistics

MONTH = Month.parse("202001")
BENCHMARK_RSE = 0.02
ERROR_KRW = 1_234_567
AVERAGE_KRW, SPREAD_KRW = 20_000_000, 3_000_000
HOUSEHOLDING_KRW = 700_000
INPUT = (
    "gu_code string, dong_code string, output_area_id string, head_sex string, head_age_band int, household_type string, "
    "dwelling_type string, tenure string, household_size int, weight double, labour_income_krw_year long, "
    "business_income_krw_year long, property_income_krw_year long, transfer_income_krw_year long, "
    "irregular_income_krw_year long, total_income_krw_year long, debt_krw long, spending_krw_month long, is_provisional boolean"
)
NAMES = [field.split()[0] for field in INPUT.split(", ")]
AMOUNTS = NAMES[10:18]
HEAD = ["head_sex", "head_age_band", "household_type"]
QUANTILES = [f"{name}_total_income_krw_year" for name, _ in gold.QUANTILES]
DIMENSIONS = list(codes.BREAKDOWN_DIMENSION.codes)
SPECIAL = ("1112051", "11120510001")
"""A dong and an output area of one household."""


def _households() -> list[tuple[Any, ...]]:
    draw = random.Random(7)
    rows: list[tuple[Any, ...]] = []

    def add(dong: str, area: str | None, weight: float, *, size: int = 2, provisional: bool = False) -> None:
        income = [draw.choice([0, round(draw.lognormvariate(16, 1))]) for _ in range(5)]
        income[1] = draw.choice([0, 0, -3_000_000, 20_000_000])
        rows.append(
            (
                *(
                    dong[:5],
                    dong,
                    area,
                    draw.choice("MF"),
                    draw.choice([20, 30, 80]),
                    draw.choice(codes.HOUSEHOLD_TYPE.codes[:3]),
                ),
                *(draw.choice(["apartment", "multi_family", None]), draw.choice(["owned", "jeonse"]), size, weight),
                *(*income, sum(income), draw.choice([0, 50_000_000]), draw.randrange(10**6, 4 * 10**6), provisional),
            )
        )

    for dong, areas in (("1111051", 2), ("1111052", 1), ("1114051", 2)):
        for _ in range(60):
            area = f"{dong}{draw.randrange(areas) + 1:04d}"
            add(dong, area, draw.choice([1.0473, 1.25, 0.375]), size=draw.choice([1, 2, 3, 7, 9]))
        add(dong, None, 1.0)
        add(dong, f"{dong}0001", 0.0)
    add(*SPECIAL, 1.0, provisional=True)
    return rows


@pytest.fixture(scope="module")
def households(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(_households(), INPUT).coalesce(1)


@pytest.fixture(scope="module")
def statistics(households: DataFrame) -> list[Row]:
    return _collect(household_statistics(households, errors=_errors(households), month=MONTH), gold.HOUSEHOLD_STATISTICS)


@pytest.fixture(scope="module")
def of_rows(households: DataFrame) -> list[Row]:
    """Where no region has draws."""
    none = households.sparkSession.createDataFrame([], silver.AREA_INCOME.schema())
    return _collect(household_statistics(households, errors=none, month=MONTH), gold.HOUSEHOLD_STATISTICS)


def _errors(households: DataFrame) -> DataFrame:
    """An error for every region but the special output area."""
    codes_of = ("output_area_id", "dong_code", "gu_code")
    levels = zip(("output_area", "dong", "gu"), codes_of, strict=True)
    regions = [(level, row[0]) for level, name in levels for row in households.select(name).distinct().collect() if row[0]]
    averages = {f"{name}_total_income_krw_year": AVERAGE_KRW for name, _ in gold.QUANTILES} | {"gini_total_income": 0.3}
    spreads = {f"spread_{name}": 0.04 if name == "gini_total_income" else SPREAD_KRW for name in averages}
    formed = {name: 0.03 if "gini" in name else HOUSEHOLDING_KRW for name in silver.HOUSEHOLDING_ERRORS.values()}
    known = {"base_month": MONTH.date, "households": 1.0, "rmse_mean_total_income_krw_year": ERROR_KRW}
    known |= averages | spreads | formed
    rows = [
        known | {"region_level": level, "region_code": code, "mean_total_income_krw_year": 0}
        for level, code in [*regions, ("city", "11")]
        if code != SPECIAL[1]
    ]
    values = [tuple(row[name] for name in silver.AREA_INCOME.column_names) for row in rows]
    return households.sparkSession.createDataFrame(values, silver.AREA_INCOME.schema())


@pytest.fixture(scope="module")
def breakdown(households: DataFrame) -> list[Row]:
    return _collect(household_breakdown(households, month=MONTH, benchmark_rse=BENCHMARK_RSE), gold.HOUSEHOLD_BREAKDOWN)


def _collect(frame: DataFrame, table: Table) -> list[Row]:
    assert [(field.name, field.dataType) for field in frame.schema] == [(c.name, c.spark_type) for c in table.columns]
    rows = frame.collect()
    required = [column.name for column in table.columns if column.is_required]
    assert not [name for row in rows for name in required if row[name] is None]
    keys = [tuple(row[name] for name in table.key) for row in rows]
    assert len(set(keys)) == len(keys)
    assert {row["base_month"] for row in rows} == {dt.date(2020, 1, 1)}
    return sorted(rows, key=lambda row: tuple(row[name] for name in table.key))


def _expected(sql_cells: str) -> dict[tuple[str, ...], dict[str, Any]]:
    """Every measure of every cell by SQL; `sql_cells` gives households × the cells they belong to."""
    data = pd.DataFrame(_households(), columns=NAMES)
    means = ", ".join(f"sum(weight * {name}) / sum(weight) as mean_{name}" for name in AMOUNTS)
    quantiles = ", ".join(
        f"min(total_income_krw_year) filter (through >= {p} * total * (1 - 1e-10)) as {name}_total_income_krw_year"
        for name, p in gold.QUANTILES
    )
    connection = duckdb.connect()
    connection.register("households", data)
    cells = connection.sql(
        f"""
        with placed as (
            select *, coalesce(dwelling_type, 'unknown') as dwelling,
                case when household_size >= 7 then '7_plus' else household_size::text end as size_class,
            from households where weight > 0
        ), leveled as (
            select 'output_area' as level, output_area_id as code, * from placed where output_area_id is not null
            union all select 'dong', dong_code, * from placed
            union all select 'gu', gu_code, * from placed
            union all select 'city', '11', * from placed
        ), cells as ({sql_cells}), ranked as (
            select *,
                sum(weight) over (of_cell order by total_income_krw_year range unbounded preceding) as through,
                sum(weight) over of_cell as total,
                sum(weight * total_income_krw_year) over of_cell / total as mean
            from cells window of_cell as (partition by level, code, cell)
        )
        select level, code, cell, sum(weight) as households, count(*) as households_unweighted, {means}, {quantiles},
            sum(weight) filter (debt_krw > 0) / sum(weight) as share_with_debt, bool_or(is_provisional) as is_provisional,
            sqrt(sum((weight * (total_income_krw_year - mean)) ** 2) * count(*) / (count(*) - 1)) / sum(weight) as standard_error
        from ranked group by level, code, cell
        """
    )
    names = cells.columns
    found = (dict(zip(names, row, strict=True)) for row in cells.fetchall())
    return {(row.pop("level"), row.pop("code"), *row.pop("cell").split("|")): row for row in found}


def _assert_equal(rows: list[Row], expected: dict[tuple[str, ...], dict[str, Any]], *, by: list[str]) -> None:
    found = {tuple(row[name] for name in ("region_level", "region_code", *by)): row for row in rows}
    assert found.keys() == expected.keys()
    for key, wanted in expected.items():
        row, wanted = found[key], dict(wanted)
        standard_error, mean = wanted.pop("standard_error"), wanted["mean_total_income_krw_year"]
        share = wanted.pop("share_with_debt") or 0.0
        assert row["households"] == pytest.approx(wanted.pop("households"), rel=1e-10), key
        assert row["share_with_debt"] == pytest.approx(share, rel=1e-9), key
        for name, value in wanted.items():
            # A mean is published in whole won; everything else here is a whole number or a flag.
            assert abs(row[name] - value) <= (0.51 if name.startswith("mean_") else 0), (key, name)
        if row["rmse_mean_total_income_krw_year"] is not None:
            parts = (ERROR_KRW, HOUSEHOLDING_KRW) if by == HEAD else (standard_error, BENCHMARK_RSE * mean)
            error = (parts[0] ** 2 + parts[1] ** 2) ** 0.5
            assert row["rmse_mean_total_income_krw_year"] == pytest.approx(error, abs=0.6), key
            cv = pytest.approx(error / mean, rel=1e-9) if mean > 0 else None
            assert row["cv_mean_total_income"] == cv, key


def test_statistics_equal_sql(statistics: list[Row], of_rows: list[Row]) -> None:
    source = "leveled"
    # One unnest a step: several in one select would be zipped, not crossed.
    for name in HEAD:
        source = f"(select *, unnest(['all', {name}::text]) as {name}_margin from {source})"
    key = " || '|' || ".join(f"{name}_margin" for name in HEAD)
    cells = f"select *, {key} as cell from {source}"
    expected = _expected(cells)
    _assert_equal(of_rows, expected, by=HEAD)
    apart = [
        Row(**row.asDict() | {name: same[name] for name in QUANTILES}) for row, same in zip(statistics, of_rows, strict=True)
    ]
    _assert_equal(apart, expected, by=HEAD)


def test_breakdown_equals_sql(breakdown: list[Row]) -> None:
    limits = ", ".join(
        f"min(x) filter (through >= {p} * total * (1 - 1e-10)) as limit_{at}" for at, p in enumerate((0.2, 0.4, 0.6, 0.8))
    )
    above = " + ".join(f"(leveled.total_income_krw_year > limit_{at})::int" for at in range(4))
    cells = f"""
        select leveled.*, unnest(['dwelling_type|' || dwelling, 'tenure|' || tenure, 'household_size|' || size_class,
            'income_class|' || (1 + {above})]) as cell
        from leveled, (
            select {limits} from (
                select total_income_krw_year as x, sum(weight) over (order by total_income_krw_year) as through,
                    sum(weight) over () as total
                from placed
            )
        )
    """
    _assert_equal(breakdown, _expected(cells), by=["dimension", "category"])


def test_error_gini_and_class_stand_where_they_should(statistics: list[Row], breakdown: list[Row]) -> None:
    special = [row for row in statistics if row["region_code"].startswith(SPECIAL[0][:5])]
    for row in statistics:
        is_margin = all(row[name] == codes.ALL for name in HEAD)
        assert (row["reliability"] is not None) == is_margin
        assert (row["gini_total_income"] is not None) == is_margin or row in special
        assert (row["rmse_mean_total_income_krw_year"] is not None) == (is_margin and row["region_code"] != SPECIAL[1])
    for row in breakdown:
        assert row["reliability"] is not None
        assert (row["rmse_mean_total_income_krw_year"] is not None) == (row["households_unweighted"] > 1)
    assert {row["reliability"] for row in special if row["head_sex"] == row["head_age_band"] == codes.ALL} >= {"unreliable"}


def test_quantiles_and_gini_of_regions_are_averages_over_draws_with_their_errors(
    statistics: list[Row], of_rows: list[Row]
) -> None:
    for row, same in zip(statistics, of_rows, strict=True):
        is_margin = all(row[name] == codes.ALL for name in HEAD)
        if not is_margin or row["region_code"] == SPECIAL[1]:
            assert [row[f"rmse_{name}"] for name in (*QUANTILES, "gini_total_income")] == [None] * (len(QUANTILES) + 1)
            assert [row[name] for name in QUANTILES] == [same[name] for name in QUANTILES]
            continue
        for name in QUANTILES:
            assert row[name] == AVERAGE_KRW
            assert row[f"rmse_{name}"] == pytest.approx((SPREAD_KRW**2 + HOUSEHOLDING_KRW**2) ** 0.5, abs=0.51)
        assert row["gini_total_income"] == 0.3
        assert row["rmse_gini_total_income"] == pytest.approx((0.04**2 + 0.03**2) ** 0.5)


def test_gini_equals_mean_difference_of_all_pairs(of_rows: list[Row], breakdown: list[Row]) -> None:
    data = [dict(zip(NAMES, row, strict=True)) for row in _households()]

    def gini(rows: list[dict[str, Any]]) -> float:
        pairs = [(max(row["total_income_krw_year"], 0), row["weight"]) for row in rows]
        total, mass = sum(w for _, w in pairs), sum(w * x for x, w in pairs)
        return sum(v * w * abs(x - y) for x, v in pairs for y, w in pairs) / (2 * total * mass)

    areas = {"city": "11", "gu": "11110", "dong": "1114051", "output_area": "11110520001"}
    column = {"gu": "gu_code", "dong": "dong_code", "output_area": "output_area_id"}
    for level, code in areas.items():
        inside = [row for row in data if level == "city" or row[column[level]] == code]
        found = [r for r in of_rows if r["region_code"] == code and all(r[name] == codes.ALL for name in HEAD)]
        assert [row["gini_total_income"] for row in found] == pytest.approx([gini(inside)], abs=1e-12)
        owned = [row for row in inside if row["tenure"] == "owned"]
        found = [r for r in breakdown if r["region_code"] == code and r["category"] == "owned"]
        assert [row["gini_total_income"] for row in found] == pytest.approx([gini(owned)], abs=1e-12)


def test_margins_are_the_sum_of_their_parts(statistics: list[Row], breakdown: list[Row]) -> None:
    households = {
        tuple(row[name] for name in ("region_level", "region_code", *HEAD)): (row["households"], row["households_unweighted"])
        for row in statistics
    }
    for key, (weighted, unweighted) in households.items():
        for position in range(2, 5):
            if key[position] == codes.ALL:
                parts = [
                    value
                    for other, value in households.items()
                    if other[position] != codes.ALL and (*other[:position], codes.ALL, *other[position + 1 :]) == key
                ]
                assert sum(part for part, _ in parts) == pytest.approx(weighted, rel=1e-14)
                assert sum(part for _, part in parts) == unweighted
    for row in statistics:
        if all(row[name] == codes.ALL for name in HEAD):
            for dimension in DIMENSIONS:
                parts = [r for r in breakdown if r["region_code"] == row["region_code"] and r["dimension"] == dimension]
                assert sum(part["households"] for part in parts) == pytest.approx(row["households"], rel=1e-14)
                mass = sum(part["households"] * part["mean_total_income_krw_year"] for part in parts)
                assert mass / row["households"] == pytest.approx(row["mean_total_income_krw_year"], abs=1.01)


def test_same_rows_whatever_the_partitioning(households: DataFrame, statistics: list[Row], breakdown: list[Row]) -> None:
    shuffled = households.orderBy(F.xxhash64(*NAMES)).repartition(5, "spending_krw_month")
    again = household_statistics(shuffled, errors=_errors(households), month=MONTH)
    assert _collect(again, gold.HOUSEHOLD_STATISTICS) == statistics
    assert (
        _collect(household_breakdown(shuffled, month=MONTH, benchmark_rse=BENCHMARK_RSE), gold.HOUSEHOLD_BREAKDOWN) == breakdown
    )
