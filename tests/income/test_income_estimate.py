"""The income step on a small made month: totals, published means, errors, determinism, what a thin survey does."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from living_finance.contracts import gold, silver
from living_finance.contracts.core import Table
from living_finance.income.areas import consistent, last_ratios
from living_finance.income.drift import input_shares
from living_finance.income.estimate import EstimatedIncome, adjustment, estimate_income, gather_income
from living_finance.income.model import IncomeModel, fit_income
from living_finance.income.programme_rules import MonthRules
from living_finance.income.published import published_figures
from living_finance.income.value_benchmark import COMPONENTS
from living_finance.months import Month

MONTH = Month(2020, 1)
HOUSEHOLDS, DRAWS = 1500, 6
DONGS = ("1111051", "1111052", "1114051")
SPENDING, PROPERTY, TOTAL = 2_400_000.0, 3_000_000.0, 60_000_000.0
BY_TENURE = {"owned": 1.05 * TOTAL, "jeonse": TOTAL, "monthly_rent": 0.95 * TOTAL}


def frame(spark: SparkSession, table: Table, rows: list[dict[str, Any]]) -> DataFrame:
    return spark.createDataFrame([tuple(row.get(name) for name in table.column_names) for row in rows], table.schema())


def month_of(spark: SparkSession) -> dict[str, Any]:
    """Inputs of `estimate_income`, but for seed and draws."""
    random = np.random.default_rng(1)
    households, members, persons = [], [], []
    for number in range(HOUSEHOLDS):
        dong = DONGS[number % 3]
        adults = 1 + number % 2
        labour = [float(round(np.exp(17.2 + 0.5 * random.normal()))) if random.random() < 0.7 else 0.0 for _ in range(adults)]
        business = [-4e6 if random.random() < 0.02 else 9e6 * (random.random() < 0.1) for _ in range(adults)]
        is_known = number % 20 != 0
        households.append(
            {
                "base_month": MONTH.date,
                "gu_code": dong[:5],
                "household_id": f"H{number:05d}",
                "household_source": "register",
                "address_id": f"A{number}",
                "dong_code": dong,
                "output_area_id": f"{dong}{number % 4 + 1:04d}" if number % 50 else None,
                "dwelling_type": ("apartment", "multi_family")[number % 2],
                "tenure": ("owned", "jeonse", "monthly_rent")[number % 3],
                "household_type": "one_person" if adults == 1 else "one_generation",
                "household_size": adults,
                "head_sex": "M",
                "head_age_band": 10 * (2 + number % 7),
                "bureau_members": adults if is_known else 0,
                "register_members": adults,
                "adults": adults,
                "children": 0,
                "elderly": 0,
                "unseen_adults": 0 if is_known else adults << 10,  # men from 30
                "weight": 0.0 if number == 7 else 0.8 + 0.1 * (number % 5),
                "is_group_quarters": number == 7,
                "bureau_labour_income_krw_year": 0,
                "bureau_business_income_krw_year": 0,
                "bureau_debt_krw": 1_000_000 * (number % 9) if is_known else 0,
                "bureau_mortgage_balance_krw": 0,
                "bureau_jeonse_loan_balance_krw": 0,
                "bureau_spending_krw_month": 1_500_000 * adults if is_known else 0,
                "is_provisional": False,
            }
        )
        for position in range(adults if is_known else 0):
            person = f"P{number:05d}{position}"
            members.append(
                {
                    "base_month": MONTH.date,
                    "gu_code": dong[:5],
                    "person_id": person,
                    "household_id": f"H{number:05d}",
                    "assignment_evidence": "register_unit",
                    "assignment_probability": 1.0,
                }
            )
            balance = float(households[-1]["bureau_debt_krw"]) * (position == 0)
            persons.append(
                dict.fromkeys(silver.PERSON_RENAMES.values(), 0.0)
                | {
                    "base_month": MONTH.date,
                    "gu_code": dong[:5],
                    "person_id": person,
                    "sex": "MF"[position],
                    "age_band": 15 + 5 * (number % 14),
                    "residence": "seoul",
                    "workplace": "none",
                    "employment": "none",
                    "dong_code": dong,
                    "home_evidence": "bureau",
                    "has_household": True,
                    "labour_income_krw_year": labour[position],
                    "business_income_krw_year": business[position],
                    "mortgage_balance_krw": balance * 1.1,
                    "edits": [],
                }
            )
    register = [
        {"base_month": MONTH.date, "gu_code": dong[:5], "dong_code": dong, "sex": "F", "age": 70, "edits": []}
        | {"register_household_id": "R1", "address_id": "A1", "relation_to_head": "head"}
        for dong in DONGS
    ]
    return {
        "households": frame(spark, silver.HOUSEHOLD, households),
        "persons": frame(spark, silver.PLACED_PERSON, persons),
        "members": frame(spark, gold.HOUSEHOLD_MEMBER, members),
        "register": frame(spark, silver.REGISTER_PERSON, register),
        "benefits": frame(spark, silver.BENEFIT, paid()),
        "rules": MonthRules(MONTH, MONTH),
        "survey": frame(spark, silver.SURVEY_HOUSEHOLD, surveyed(400)),
        "benchmarks": frame(spark, silver.BENCHMARK, published()),
    }


def surveyed(count: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(2)

    def some(share: float, centre: float, spread: float) -> float:
        return float(np.exp(centre + spread * random.normal())) if random.random() < share else 0.0

    return [
        {
            "base_month": MONTH.date,
            "reference_month": dt.date(2020, 11, 1),
            "survey_household_id": f"S{number:04d}",
            "weight": 1.0,
            "gu_code": DONGS[number % 3][:5],
            "dong_code": DONGS[number % 3],
            "dwelling_type": ("apartment", "multi_family")[number % 2],
            "tenure": ("owned", "jeonse", "monthly_rent")[number % 3],
            "household_size": 1 + number % 2,
            "household_type": "one_person",
            "head_sex": "M",
            "head_age": 20 + number % 60,
            "labour_income_krw_year": some(0.8, 17.5, 0.6),
            "business_income_krw_year": None if number == 5 else some(0.15, 16.5, 0.9),
            "property_income_krw_year": some(0.3, 15.5, 1.0),
            "transfer_income_krw_year": some(0.5, 14.8, 0.6),
            "irregular_income_krw_year": some(0.1, 15.0, 0.8),
            "spending_krw_month": 2_000_000.0,
            "edits": [],
        }
        for number in range(count)
    ]


def paid() -> list[dict[str, Any]]:
    """A programme that the rules do not know, four times as large in the first dong: 0.96 and 0.24 M a year per household."""
    return [
        {"base_month": MONTH.date, "gu_code": dong[:5], "dong_code": dong, "programme": "new", "edits": []}
        | {"recipients": 40 * share, "amount_krw": 1e7 * share}
        for dong, share in zip(DONGS, (4, 1, 1), strict=True)
    ]


def published() -> list[dict[str, Any]]:
    figures = {("mean_total_income", "all", "all"): TOTAL, ("mean_property_income", "all", "all"): PROPERTY}
    figures |= {("mean_spending_month", "all", "all"): SPENDING}
    figures |= {("mean_total_income", "tenure", name): value for name, value in BY_TENURE.items()}
    return [
        {
            "base_month": MONTH.date,
            "reference_month": dt.date(2020, 11, 1),
            "source": "household_finances_survey",
            "year": 2020,
            "region_code": "11",
            "indicator": indicator,
            "dimension": dimension,
            "category": category,
            "value": value,
            "relative_standard_error": 0.01,
        }
        for (indicator, dimension, category), value in figures.items()
    ]


def estimate(inputs: dict[str, Any], *, draws: int = DRAWS, **changes: Any) -> EstimatedIncome:
    given = {**inputs, **changes}
    evidence = gather_income(given.pop("households"), **given, month=MONTH, rows=HOUSEHOLDS, register_rows=3)
    data = evidence.training()
    fitted = fit_income(data.survey, data.city, data.published, draws=draws, seed=7, benefits=data.benefits)
    stored = IncomeModel.from_json(fitted.to_json())
    return estimate_income(evidence, model=stored, version=stored.version())


@pytest.fixture(scope="module")
def inputs(spark: SparkSession) -> dict[str, Any]:
    return month_of(spark)


@pytest.fixture(scope="module")
def estimated(inputs: dict[str, Any]) -> EstimatedIncome:
    return estimate(inputs)


@pytest.fixture(scope="module")
def city(estimated: EstimatedIncome) -> pd.DataFrame:
    assert estimated.household.schema.simpleString() == gold.HOUSEHOLD.schema().simpleString()
    return estimated.household.toPandas().set_index("household_id").sort_index()


@pytest.fixture(scope="module")
def areas(estimated: EstimatedIncome) -> pd.DataFrame:
    found = estimated.errors()[0].to_pandas()
    assert found.columns.tolist() == list(silver.AREA_INCOME.column_names)
    return found.set_index(["region_level", "region_code"]).sort_index()


def mean(table: pd.DataFrame, column: str) -> float:
    return float(np.average(table[column], weights=table["weight"]))


def test_every_household_is_there_and_components_add_up(city: pd.DataFrame) -> None:
    assert len(city) == HOUSEHOLDS
    assert (city[list(gold.INCOME_COMPONENTS)].sum(axis=1) == city[gold.TOTAL_INCOME]).all()
    assert (city["business_income_krw_year"] < 0).any()


def test_published_means_are_met(city: pd.DataFrame) -> None:
    assert mean(city, gold.TOTAL_INCOME) == pytest.approx(TOTAL, rel=1e-6)
    assert mean(city, "expected_total_income_krw_year") == pytest.approx(TOTAL, rel=1e-6)
    # A component alone is met by means over draws: later draws take the published figure with an error whose mean is 0.
    assert mean(city, "property_income_krw_year") == pytest.approx(PROPERTY, rel=1e-6)
    assert mean(city, "spending_krw_month") == pytest.approx(SPENDING, rel=1e-3)


def test_published_means_by_tenure_move_values_and_are_reported(
    estimated: EstimatedIncome, city: pd.DataFrame, inputs: dict[str, Any]
) -> None:
    """Before, tenures hardly differ; after, they do as published, as far as their errors let them."""
    before = {name: estimated.fit.metrics[f"mean_tenure_{name}_before_krw_year"] for name in BY_TENURE}
    assert before["owned"] / before["monthly_rent"] < 1.06
    after = {name: mean(city[city["tenure"] == name], "expected_total_income_krw_year") for name in BY_TENURE}
    assert after["owned"] / after["monthly_rent"] == pytest.approx(1.05 / 0.95, abs=0.03)
    assert estimated.fit.metrics["factor_tenure_owned"] > 1.0 > estimated.fit.metrics["factor_tenure_monthly_rent"]
    published = published_figures(inputs["benchmarks"], month=MONTH)[0]
    noted = {entry["figure"]: entry for entry in adjustment(estimated.fit.metrics, published)}
    assert noted["tenure_owned"]["published_krw_year"] == round(BY_TENURE["owned"]) and noted["tenure_free"]["source"] is None
    assert estimated.fit.joint_test is not None and estimated.fit.joint_test.figures >= 3


def test_dongs_of_the_draw_have_the_means_over_draws(city: pd.DataFrame, areas: pd.DataFrame) -> None:
    counted = city[city["weight"] > 0]
    for dong, inside in counted.groupby("dong_code"):
        assert mean(inside, gold.TOTAL_INCOME) == pytest.approx(mean(inside, "expected_total_income_krw_year"), rel=1e-3)
        assert areas.loc[("dong", dong), "mean_total_income_krw_year"] == pytest.approx(mean(inside, gold.TOTAL_INCOME), rel=1e-3)


def test_output_areas_and_then_dongs_of_the_draw_are_carried_to_the_means_over_draws(spark: SparkSession) -> None:
    """Area A by 3/4; B by the bound, 1.5 for 4; C, without weight, and the unplaced by the rest of the dong alone."""
    million = [
        ("A", 1.0, 100, 150.0),
        ("A", 1.0, 300, 150.0),
        ("B", 2.0, 50, 200.0),
        ("C", 0.0, 10, 99.0),
        (None, 1.0, 50, 50.0),
    ]
    rows = []
    for area, weight, draw, average in million:
        columns = {f"_{name}": 0 for name in COMPONENTS} | {f"_mean_{name}": 0.0 for name in COMPONENTS}
        columns |= {"_labour": draw * 1_000_000, "_mean_labour": average * 1e6, "weight": weight}
        rows.append({"dong_code": "11110101", "output_area_id": area, **columns})
    moved = consistent(spark.createDataFrame(rows)).select("_labour", "labour_income_krw_year", "property_income_krw_year")
    found = moved.collect()
    carried = {row["_labour"] // 1_000_000: row["labour_income_krw_year"] / 1e6 for row in found if row["_labour"] != 50e6}
    of_dong = (300 + 400 + 50) / (300 + 150 + 50)
    assert carried == pytest.approx({100: 75 * of_dong, 300: 225 * of_dong, 10: 10 * of_dong})
    fifties = sorted(row["labour_income_krw_year"] / 1e6 for row in found if row["_labour"] == 50e6)
    assert fifties == pytest.approx([50 * of_dong, 75 * of_dong])
    assert {row["property_income_krw_year"] for row in found} == {0}


def test_output_areas_of_a_city_have_the_means_over_draws(city: pd.DataFrame) -> None:
    """But for components that few of their households drew."""
    counted = city[city["weight"] > 0]
    of_area = {
        area: mean(inside, gold.TOTAL_INCOME) / mean(inside, "expected_total_income_krw_year")
        for area, inside in counted.groupby("output_area_id")
        if len(inside) > 30
    }
    assert len(of_area) > 3
    assert np.median(np.abs(np.log(list(of_area.values())))) < 0.005


def test_a_component_that_dongs_keep_too_little_of_meets_its_published_mean(spark: SparkSession) -> None:
    """Labour and business share what is left of the total, though means of theirs are published; without any nothing moves."""
    amounts = {"labour": 600, "business": 200, "property": 50, "transfer": 0, "irregular": 40}
    columns = {f"{name}_income_krw_year": 1_000_000 * amount for name, amount in amounts.items()}
    rows = [
        {**columns, "expected_total_income_krw_year": 890_000_000, "_spending": 10.0, "weight": weight} for weight in (0.5, 1.5)
    ]
    table = spark.createDataFrame(rows)
    told = {"total": 1000e6, "property": 60e6, "transfer": 30e6, "irregular": 80e6, "spending": 11.0}
    ratios = last_ratios(table, told)
    assert ratios == pytest.approx(
        {
            **dict.fromkeys(("labour_income_krw_year", "business_income_krw_year"), 860 / 800),
            "property_income_krw_year": 1.2,
            "transfer_income_krw_year": 1.0,
            "irregular_income_krw_year": 2.0,
            "expected_total_income_krw_year": 1000 / 890,
            "_spending": 1.1,
        }
    )
    assert last_ratios(table, told | {"labour": 500e6, "business": 300e6}) == pytest.approx(ratios)
    assert set(last_ratios(table, {}).values()) == {1.0}


def test_smaller_regions_have_larger_errors(areas: pd.DataFrame) -> None:
    error = areas["rmse_mean_total_income_krw_year"]
    assert (error > 0).all()
    assert error["output_area"].mean() > error["dong"].mean() > error["city"].mean()
    assert error["city"].iloc[0] > 0.003 * TOTAL  # the published mean's own error is in it
    assert set(areas.loc["dong"].index) == set(DONGS)


def test_every_draw_of_dongs_and_above_is_kept_for_differences(estimated: EstimatedIncome, areas: pd.DataFrame) -> None:
    draws = estimated.draws_of_regions().to_pandas().set_index(["region_level", "region_code"]).sort_index()
    above = areas.drop(index="output_area", level="region_level")
    assert set(draws.index) == set(above.index)
    assert all(found == set(range(DRAWS)) for found in draws.groupby(level=[0, 1])["draw"].agg(set))
    later = draws[draws["draw"] > 0].groupby(level=[0, 1])
    of_average = later[[name for name in draws if "total_income" in name]].std() * (1 + 1 / (DRAWS - 1)) ** 0.5
    for name, error in (*((f"{name}_{gold.TOTAL_INCOME}", 1.0) for name, _ in gold.QUANTILES), ("gini_total_income", 1e-9)):
        assert of_average[name].to_numpy() == pytest.approx(above[f"spread_{name}"].to_numpy(dtype=float), abs=error), name
    of_mean = of_average[f"mean_{gold.TOTAL_INCOME}"].to_numpy()
    assert of_mean == pytest.approx(above[f"rmse_mean_{gold.TOTAL_INCOME}"].to_numpy(dtype=float), abs=1.0)


def test_quantiles_and_gini_of_draws_have_errors_and_are_near_the_published_draw(city: pd.DataFrame, areas: pd.DataFrame) -> None:
    names = [f"{name}_{gold.TOTAL_INCOME}" for name, _ in gold.QUANTILES]
    assert (areas[[f"spread_{name}" for name in (*names, "gini_total_income")]] > 0).all(axis=None)
    assert (areas[names].diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
    assert areas.loc["output_area", f"spread_{names[2]}"].mean() > areas.loc["city", f"spread_{names[2]}"].iloc[0]
    counted = city[city["weight"] > 0].sort_values(gold.TOTAL_INCOME)
    through = counted["weight"].cumsum() / counted["weight"].sum()
    for (_, probability), name in zip(gold.QUANTILES, names, strict=True):
        published = counted.loc[through >= probability, gold.TOTAL_INCOME].iloc[0]
        assert areas.loc[("city", "11"), name] == pytest.approx(published, rel=0.15)


def test_transfers_of_a_dong_follow_what_its_programmes_paid(estimated: EstimatedIncome, city: pd.DataFrame) -> None:
    placed, given = (estimated.fit.metrics[f"programmes_{name}_krw_year"] for name in ("placed", "paid"))
    assert placed == given == pytest.approx(12 * 6e7)
    of_dong = [mean(city[city["dong_code"] == dong], "transfer_income_krw_year") for dong in DONGS]
    assert of_dong[0] - (of_dong[1] + of_dong[2]) / 2 == pytest.approx(0.72e6, rel=0.4)
    assert any("anybody may receive new" in note for note in estimated.fit.notes)


def test_households_unknown_to_the_bureau_earn_and_spend(city: pd.DataFrame) -> None:
    unknown, alone = city[city["bureau_members"] == 0], city[city["bureau_members"] == 1]
    assert set(unknown["household_size"]) == {1}
    # 75 households, six draws: two of five have no work in either group.
    found, known = (mean(table, "expected_total_income_krw_year") for table in (unknown, alone))
    assert found == pytest.approx(known, rel=0.25)
    assert mean(unknown, "spending_krw_month") > 0.4 * SPENDING


def test_debt_adds_up_to_what_bureau_residents_owe(city: pd.DataFrame, inputs: dict[str, Any]) -> None:
    owed = inputs["persons"].groupBy("dong_code").sum("mortgage_balance_krw").toPandas().set_index("dong_code").iloc[:, 0]
    for dong, inside in city[city["weight"] > 0].groupby("dong_code"):
        apart = 1_100_000 * 7 if dong == DONGS[7 % 3] else 0
        assert float((inside["debt_krw"] * inside["weight"]).sum()) == pytest.approx(owed[dong] - apart, rel=0.01)


def test_same_whatever_the_partitions_and_order(inputs: dict[str, Any], city: pd.DataFrame, areas: pd.DataFrame) -> None:
    shuffled = {
        name: rows.repartition(5, *rows.columns[2:3]) if name in ("households", "persons", "members", "survey") else rows
        for name, rows in inputs.items()
    }
    again = estimate(shuffled)
    pd.testing.assert_frame_equal(again.household.toPandas().set_index("household_id").sort_index(), city)
    found = again.errors()[0].to_pandas().set_index(["region_level", "region_code"]).sort_index()
    pd.testing.assert_frame_equal(found, areas)


def test_the_budget_tells_survey_and_published_figures_apart(estimated: EstimatedIncome) -> None:
    budget = estimated.errors()[1].to_pandas().set_index(["region_level", "figure"])
    assert budget.columns.tolist() == ["base_month", "regions", *gold.ERROR_PARTS, "total"]
    city = budget.loc["city", "mean"]
    # The city's mean is the published one, whose error is 1 %: nothing of the survey is left in it.
    assert city["benchmarking"] == pytest.approx(0.01, rel=0.5) and max(city["sampling"], city["model"]) < 0.002
    assert budget.loc["output_area", "mean"]["sampling"] > city["sampling"]
    assert budget.loc["output_area", "median"]["model"] > budget.loc["city", "median"]["model"]
    squares = (budget[list(gold.ERROR_PARTS)].fillna(0.0) ** 2).sum(axis=1)
    assert budget["total"].to_numpy() ** 2 == pytest.approx(squares.to_numpy())


def test_the_same_households_again_have_the_same_figures(estimated: EstimatedIncome, inputs: dict[str, Any]) -> None:
    again = estimated.figures_of(inputs["households"], inputs["members"], inputs["persons"])
    of_areas = estimated.regions.level == "output_area"
    assert again.code.tolist() == estimated.regions.code[of_areas].tolist()
    for name, values in estimated.regions.figures.items():
        assert again.figures[name] == pytest.approx(values[of_areas], rel=1e-12)


def test_shares_of_inputs_are_those_of_the_households(inputs: dict[str, Any]) -> None:
    given = {name: rows for name, rows in inputs.items() if name != "households"}
    evidence = gather_income(inputs["households"], **given, month=MONTH, rows=HOUSEHOLDS, register_rows=3)
    shares = input_shares(evidence.households)
    assert all(sum(of.values()) == pytest.approx(1.0, abs=1e-3) for of in shares.values())
    counted = inputs["households"].where("weight > 0").toPandas()
    owned = counted["weight"][counted["tenure"] == "owned"].sum() / counted["weight"].sum()
    assert shares["tenure"]["owned"] == pytest.approx(owned, abs=2e-3)
    assert shares["labour_score"].keys() > {"0", "3", "4"}
    nobody = counted["weight"][counted["unseen_adults"] == 0].sum() / counted["weight"].sum()
    assert shares["unseen_adults"]["0"] == pytest.approx(nobody, abs=2e-3) and 0.0 < nobody < 1.0
    spends = counted["weight"][counted["bureau_spending_krw_month"] > 0].sum() / counted["weight"].sum()
    assert 1.0 - shares["spending"].get("0", 0.0) == pytest.approx(spends, abs=2e-3)
    assert shares.keys() >= {"children", "elderly", "place", "business_score"}
    evidence.release()


def test_the_fit_holds_no_household(estimated: EstimatedIncome) -> None:
    text = str(estimated.fit.content)
    assert "H0" not in text and "S0" not in text and "P0" not in text
    assert estimated.fit.model_version.startswith("small-area/")


def test_without_survey_answers_and_published_figures_a_month_is_still_made(spark: SparkSession, inputs: dict[str, Any]) -> None:
    thin = [{**row, "property_income_krw_year": None, "irregular_income_krw_year": 0.0} for row in surveyed(12)]
    found = estimate(
        inputs,
        survey=frame(spark, silver.SURVEY_HOUSEHOLD, thin),
        benchmarks=frame(spark, silver.BENCHMARK, []),
        draws=1,
    )
    table = found.household.toPandas()
    assert (table["property_income_krw_year"] == 0).all() and (table["labour_income_krw_year"] > 0).any()
    assert any("property" in note for note in found.fit.notes)
    area, budget = found.errors()
    assert area["rmse_mean_total_income_krw_year"].null_count == area.num_rows
    assert all(budget[name].null_count == budget.num_rows for name in (*gold.ERROR_PARTS, "total"))
    found.release()
