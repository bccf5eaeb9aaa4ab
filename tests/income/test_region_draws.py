"""Figures of regions over draws against sums over sorted lists; the city's from bins of its districts."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from living_finance.contracts import silver
from living_finance.income import region_draws
from living_finance.income.areas import area_errors
from living_finance.income.region_draws import FIGURES, LEVELS, RegionDraws
from living_finance.methods.grouped import Floats
from living_finance.months import Month

DRAWS, HOUSEHOLDS = 5, 4_000
GUS = ("11110", "11140")


def district(gu: str, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    dong = [f"{gu}{51 + number % 3}" for number in range(HOUSEHOLDS)]
    totals = np.rint(np.exp(17.5 + 0.8 * random.normal(size=(HOUSEHOLDS, DRAWS)))).astype(np.int64)
    totals[:40] = random.choice([0, -3_000_000, 25_000_000], size=(40, DRAWS))
    return pa.table(
        {
            "gu_code": [gu] * HOUSEHOLDS,
            "dong_code": dong,
            "output_area_id": [None if number % 50 == 0 else f"{code}{number % 4:04d}" for number, code in enumerate(dong)],
            "weight": random.choice([0.75, 1.0, 1.2471], size=HOUSEHOLDS),
            "_doubt": random.integers(0, 2**20, HOUSEHOLDS),
            "_totals": totals.tolist(),
        }
    )


def figures_of(table: pa.Table) -> dict[str, Floats]:
    """Every figure of all rows together, by draw, in the plainest way."""
    weight, totals = table["weight"].to_numpy(), np.array(table["_totals"].to_pylist(), np.float64)
    found: dict[str, list[float]] = {name: [] for name in FIGURES}
    for value in totals.T:
        order = np.argsort(value)
        x, w = value[order], weight[order]
        through = np.cumsum(w)
        found["mean"].append(float(np.average(x, weights=w)))
        for name, probability in silver.QUANTILES:
            found[name].append(float(x[np.flatnonzero(through >= probability * through[-1] * (1 - 1e-10))[0]]))
        earned = np.maximum(x, 0.0)
        found["gini"].append(float((w * earned) @ (2 * through - w) / (through[-1] * (w @ earned)) - 1.0))
    return {name: np.array(values) for name, values in found.items()}


def rows_of(table: pa.Table) -> dict[tuple[str, str], dict[str, Floats]]:
    made = pa.concat_tables(region_draws._district(table, DRAWS, tuple(LEVELS), has_city=True)).to_pylist()
    return {(row["region_level"], row["region_code"]): row for row in made}


def test_regions_of_a_district_equal_sums_over_sorted_lists() -> None:
    table = district(GUS[0], 1)
    rows = rows_of(table)
    assert {level for level, _ in rows} == {*LEVELS, "bins"}
    assert len(rows) == 12 + 3 + 1 + 1
    for (level, code), row in rows.items():
        if level == "bins":
            continue
        inside = table.filter(pa.compute.equal(table[LEVELS[level]], code))
        wanted = figures_of(inside)
        mean = np.array(row["sums"]) / row["weight"] * 1000
        assert mean == pytest.approx(wanted.pop("mean"), rel=1e-4)
        assert row["weight"] / 2**14 == pytest.approx(inside["weight"].to_numpy().sum(), rel=1e-4)
        doubt = np.average(inside["_doubt"].to_numpy(), weights=inside["weight"].to_numpy())
        assert row["doubt"] / row["weight"] == pytest.approx(doubt, rel=1e-4)
        for name, value in wanted.items():
            assert np.array(row[name]) == pytest.approx(value, rel=1e-12), (level, code, name)


def test_the_city_from_bins_is_near_its_sorted_households() -> None:
    tables = [district(gu, seed) for seed, gu in enumerate(GUS)]
    city = region_draws._city([rows_of(table)["bins", gu] for table, gu in zip(tables, GUS, strict=True)], DRAWS)
    wanted = figures_of(pa.concat_tables(tables))
    assert np.array(city["sums"]) / city["weight"] * 1000 == pytest.approx(wanted.pop("mean"), rel=1e-4)
    for name, value in wanted.items():
        assert np.array(city[name]) == pytest.approx(value, rel=2e-3), name


def test_a_district_is_the_same_in_any_order() -> None:
    table = district(GUS[0], 3)
    shuffled = table.take(pa.array(np.random.default_rng(4).permutation(HOUSEHOLDS)))
    assert rows_of(shuffled) == rows_of(table)


def test_spreads_are_errors_of_an_average() -> None:
    values = np.array([[50.0, 10.0, 12.0, 14.0]])
    figures = dict.fromkeys(FIGURES, values * 1000000.0)
    found = RegionDraws(np.array(["gu"]), np.array(["11110"]), np.array([3.0]), figures, np.zeros(1))
    (row,) = area_errors(found, month=Month(2020, 1)).to_pylist()
    assert row["base_month"] == dt.date(2020, 1, 1) and row["median_total_income_krw_year"] == 21_500_000
    # The first draw, the point fit, is in the average and not in the spread.
    assert row["spread_median_total_income_krw_year"] == row["rmse_mean_total_income_krw_year"] == round(2e6 * (4 / 3) ** 0.5)
    assert row["householding_median_total_income_krw_year"] is None


def test_a_single_draw_has_no_spread() -> None:
    figures = {name: np.array([[40e6]]) for name in FIGURES} | {"gini": np.array([[np.nan]])}
    found = RegionDraws(np.array(["city"]), np.array(["11"]), np.array([3.0]), figures, np.zeros(1))
    (row,) = area_errors(found, month=Month(2020, 1)).to_pylist()
    assert row["rmse_mean_total_income_krw_year"] is None and row["spread_p10_total_income_krw_year"] is None
    assert row["gini_total_income"] is None and row["p10_total_income_krw_year"] == 40_000_000
