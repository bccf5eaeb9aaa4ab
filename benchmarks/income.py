"""Income on made cities that were not used in building, beside its baselines.

    python benchmarks/income.py [--cities 3] [--first 1] [--districts 3] [--whole N] [--out .bench/income] [--keep]

Each city: districts drawn by its number, 5 % of their people, one month; city N, if asked for, has all 25. For every city the
month is made by `living-finance run`; then, from the same tables and against the same truth:

- ours, with the city furthest off and how many cities are above the aim;
- the baseline: register households, bureau persons put to them by first fit (`householding.py`), labour and business scores by
  one ratio to the published mean of the total, other income the published means, the same for every household, debt and
  spending as the bureau has them, no weights;
- the first version: the month's households and weights, scores by one ratio too, but other income drawn from survey cells and
  so with its spread: what is left when householding and weights are ours and only income is simple;
- the direct survey estimate by dong and Fay-Herriot on it;
- a reference, no floor, as ours can be nearer. Regions: true households with what the deliveries say of their members, total
  income learned from the truth of the city's other households (gradient boosting, five folds). Components: what survey and
  published figures say of the city's means together, each by its standard error, without the bureau.

Errors are after the error of the published figure is taken out: of the total by the city's own ratio, of a component by its
published mean, of labour and business income by what published means leave for both. Components, debt and spending also as
they are; averages over cities, of components those with their sign too. The share of dongs that 90 % intervals hold is of the
dongs of all cities, as published and (scaled) relative to the city's mean, whose error is then in neither. `--keep` leaves each
city's landing, truth and warehouse in its folder, for other benchmarks.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from householding import first_fit
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold, cross_val_predict

from living_finance.config import SparkSettings
from living_finance.contracts import codes, gold, silver
from living_finance.evaluation.incomes import COMPONENTS, errors
from living_finance.households.evidence import gather_evidence
from living_finance.households.layout import FEATURES, lay_out
from living_finance.households.matching import as_block, as_numbers
from living_finance.income.fay_herriot import FayHerriot
from living_finance.income.first_version import MODELLED, OBSERVED, estimate_income
from living_finance.income.published import Figure, Published, published_figures
from living_finance.methods.joins import join_to_one
from living_finance.months import Month
from living_finance.session import build_session
from living_finance.statistics.households import household_statistics
from living_finance.storage.warehouse import Warehouse

DISTRICTS = [f"11{10 * k:03d}" for k in range(1, 26)]
MONTH = Month.parse("202001")
AIMS = {
    **{f"mean_{level}_mape": aim for level, aim in (("output_area", 0.035), ("dong", 0.018), ("gu", 0.007))},
    "median_dong_mape": 0.04,
    "debt_dong_mape": 0.05,
    "debt_dong_mape_as_published": 0.05,
    "spending_dong_mape": 0.05,
    "spending_dong_mape_as_published": 0.05,
    "gini_abs": 0.008,
    **{f"{name}_abs{told}": 0.04 for told in ("", "_as_published") for name in COMPONENTS},
    **{f"{name}_abs": 0.05 for name in ("p10", "p25", "median", "p75", "p90")},
}
COVERAGE = (0.86, 0.94)
"""Aim for the share of dongs that 90 % intervals of the mean hold."""


def main() -> None:
    """Parse, make cities, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cities", type=int, default=3)
    parser.add_argument("--first", type=int, default=1, help="number of the first city; decides districts and seed")
    parser.add_argument("--districts", type=int, default=3)
    parser.add_argument("--whole", type=int, metavar="N", help="number of a city of all districts, made after the others")
    parser.add_argument("--out", type=Path, default=Path(".bench/income"))
    parser.add_argument("--keep", action="store_true", help="leave landing, truth and warehouse of each city")
    options = parser.parse_args()
    scores: list[dict[str, Any]] = []
    cities = dict.fromkeys(range(options.first, options.first + options.cities), options.districts)
    if options.whole is not None:
        cities[options.whole] = len(DISTRICTS)
    for number, size in cities.items():
        folder = options.out / str(number)
        districts = sorted(np.random.default_rng(number).choice(DISTRICTS, size, replace=False).tolist())
        make(folder, districts=districts, seed=9000 + number)
        scored = score(folder)
        scores.append({"city": number, "districts": districts, **scored})
        print(json.dumps(scores[-1]), flush=True)
        (options.out / "scores.json").write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
        if not options.keep:
            shutil.rmtree(folder)
    print(beside_aims(scores).round(4).to_string())
    for some in ([s for s in scores if s["city"] != options.whole], [s for s in scores if s["city"] == options.whole]):
        if some:  # A survey of two households a dong is not one of twenty.
            print(pd.Series(mean_of([s["survey"] for s in some])).round(4).to_string())
    signed = mean_of([{name: s["ours"][f"{name}_signed"] for name in COMPONENTS} for s in scores])
    print("signed", pd.Series(signed).round(4).to_dict())
    dongs = [s["ours"]["dongs"] for s in scores]
    print("dongs", int(sum(dongs)))
    for name in (name for name in scores[0]["ours"] if name.startswith("interval_90")):
        held = float(np.average([s["ours"][name] for s in scores], weights=dongs))
        of_mean = name in ("interval_90_dong", "interval_90_dong_scaled")
        said = ("met" if COVERAGE[0] <= held <= COVERAGE[1] else "missed") if of_mean else ""
        print(name, round(held, 4), said)


def beside_aims(scores: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per score that has an aim: means over cities, and of ours the city furthest off and the cities above the aim."""
    ours = pd.DataFrame([s["ours"] for s in scores])[list(AIMS)]
    aim = pd.Series(AIMS)
    others = {name: mean_of([s[name] for s in scores]) for name in ("baseline", "first version", "reference")}
    return pd.DataFrame(
        {
            "ours": ours.mean(),
            "furthest off": ours.max(),
            "cities above the aim": (ours > aim).sum(),
            **{name: pd.Series(found).reindex(list(AIMS)) for name, found in others.items()},
            "aim": aim,
            "met": np.where(ours.mean() <= aim, "met", "missed"),
        }
    )


def make(folder: Path, *, districts: list[str], seed: int) -> None:
    """Deliveries, truth and the month of one city."""
    shutil.rmtree(folder, ignore_errors=True)
    command = str(Path(sys.executable).parent / "living-finance")
    made = ["--gu", ",".join(districts), "--fraction", "0.05", "--months", str(MONTH), "--seed", str(seed)]
    paths = {name: str(folder / name) for name in ("landing", "truth", "warehouse")}
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([command, "synthesize", *made, "--out", paths["landing"], "--truth", paths["truth"]], **quiet)
    subprocess.run(
        [command, "run", "--landing", paths["landing"], "--warehouse", paths["warehouse"], "--month", str(MONTH)], **quiet
    )


def score(folder: Path) -> dict[str, dict[str, float]]:
    """Errors of ours and of everything beside it."""
    spark = build_session(SparkSettings(driver_memory="3g"))
    spark.sparkContext.setLogLevel("OFF")
    try:
        warehouse = Warehouse(spark, str((folder / "warehouse").absolute()))
        truth = spark.read.parquet(*(str(file) for file in sorted((folder / "truth" / "households").glob(f"{MONTH}*.parquet"))))
        private = truth.where(~F.col("is_group_quarters")).cache()
        ours = warehouse.read(gold.HOUSEHOLD_STATISTICS, base_month=MONTH.date)
        published = published_figures(warehouse.read(silver.BENCHMARK, base_month=MONTH.date), month=MONTH)[0]
        true = private.toPandas()
        told = published_errors(published, {name: float(true[f"{name}_income"].mean()) for name in COMPONENTS})

        def scored(statistics: DataFrame, draws: DataFrame | None = None) -> dict[str, float]:
            return flat(errors(statistics=statistics, households=private, draws=draws), told)

        return {
            "ours": scored(ours, warehouse.read(silver.AREA_INCOME_DRAW, base_month=MONTH.date)),
            "baseline": scored(_baseline(spark, warehouse)),
            "first version": scored(_first_version(spark, warehouse)),
            "survey": survey_alone(warehouse.read(silver.SURVEY_HOUSEHOLD, base_month=MONTH.date), private),
            "reference": {
                **learned_from_truth(
                    true,
                    true_persons=spark.read.parquet(str(folder / "truth" / "persons"))
                    .where(F.col("base_month") == str(MONTH))
                    .toPandas(),
                    placed=warehouse.read(silver.PLACED_PERSON, base_month=MONTH.date).toPandas(),
                ),
                **without_bureau(warehouse.read(silver.SURVEY_HOUSEHOLD, base_month=MONTH.date).toPandas(), published),
            },
        }
    finally:
        spark.stop()


def _baseline(spark: SparkSession, warehouse: Warehouse) -> DataFrame:
    buildings = warehouse.read(silver.BUILDING, base_month=MONTH.date)
    evidence = gather_evidence(
        persons=warehouse.read(silver.PLACED_PERSON, base_month=MONTH.date),
        register=warehouse.read(silver.REGISTER_PERSON, base_month=MONTH.date),
        buildings=buildings,
    )
    published, _ = published_figures(warehouse.read(silver.BENCHMARK, base_month=MONTH.date), month=MONTH)
    incomes = baseline_incomes(register_households(evidence.select("address_id", *as_numbers()).toArrow()), published)
    places = buildings.select("address_id", "gu_code", "dong_code", "output_area_id")
    unasked = {name: F.lit("unknown") for name in ("head_sex", "head_age_band", "household_type")}
    households = join_to_one(spark.createDataFrame(incomes), places, on=["address_id"], how="inner").withColumns(
        {**unasked, "weight": F.lit(1.0), "is_provisional": F.lit(False)}
    )
    without = spark.createDataFrame([], silver.AREA_INCOME.schema())
    return household_statistics(households.cache(), errors=without, month=MONTH)


def register_households(people: pa.Table) -> pd.DataFrame:
    """Private households by first fit, old addresses in: one row each, its address and its bureau persons' sums of `FEATURES`.

    A bureau person who finds nobody in the register is a household of its own.

    Args:
        people: address_id and the columns `as_numbers` of everybody.
    """
    block = as_block(people)
    household, _ = first_fit(lay_out(block), old_addresses_out=False)
    about = {"household": household, "address_id": people["address_id"].to_numpy()[block.position]}
    rows = pd.DataFrame(block.features, columns=list(FEATURES)).assign(**about)[~block.is_quarters]
    return rows.groupby("household").agg({"address_id": "first", **dict.fromkeys(FEATURES, "sum")})


def baseline_incomes(households: pd.DataFrame, published: Mapping[Figure, Published]) -> pd.DataFrame:
    """Amounts of gold.household in whole won: scores by one ratio, other income the published means, the rest as it is."""
    mean = {name: published[f"mean_{name}_income", codes.ALL, codes.ALL].value for name in ("total", *MODELLED)}
    scores = households[[f"{name}_krw" for name in OBSERVED]]
    ratio = (mean["total"] - sum(mean[name] for name in MODELLED)) / scores.sum(axis=1).mean()
    amounts = {f"{name}_income_krw_year": scores[f"{name}_krw"] * ratio for name in OBSERVED}
    amounts |= {f"{name}_income_krw_year": mean[name] for name in MODELLED}
    debts = [f"{name}_krw" for name in ("mortgage", "jeonse", "credit", "business_loan")]
    amounts |= {"debt_krw": households[debts].sum(axis=1), "spending_krw_month": households["spending_krw"]}
    found = pd.DataFrame(amounts).round().astype("int64")
    total = {gold.TOTAL_INCOME: found[list(gold.INCOME_COMPONENTS)].sum(axis=1)}
    return found.assign(address_id=households["address_id"], **total)


def _first_version(spark: SparkSession, warehouse: Warehouse) -> DataFrame:
    households, _ = estimate_income(
        warehouse.read(silver.HOUSEHOLD, base_month=MONTH.date),
        survey=warehouse.read(silver.SURVEY_HOUSEHOLD, base_month=MONTH.date),
        benchmarks=warehouse.read(silver.BENCHMARK, base_month=MONTH.date),
        month=MONTH,
        seed=20180901,
    )
    without = spark.createDataFrame([], silver.AREA_INCOME.schema())
    return household_statistics(households.cache(), errors=without, month=MONTH)


def published_errors(published: Mapping[Figure, Published], true: Mapping[str, float]) -> dict[str, float]:
    """By how much published means of components are off, relative; of labour and business what they leave for both."""

    def mean(name: str) -> float | None:
        figure = published.get((f"mean_{name}_income", codes.ALL, codes.ALL))
        return figure.value if figure else None

    told = {name: value for name in MODELLED if (value := mean(name)) is not None}
    total = mean("total")
    found = {name: value / true[name] - 1.0 for name, value in told.items()}
    if total is not None:
        rest = [name for name in COMPONENTS if name not in told]
        found |= dict.fromkeys(rest, (total - sum(told.values())) / sum(true[name] for name in rest) - 1.0)
    return found


def flat(found: dict[str, Any], told: Mapping[str, float]) -> dict[str, float]:
    """The scores that have targets, one number each; `told`: `published_errors`."""
    means = found["mean_total_income"]
    off = {name: found["components"][name]["city_error"] for name in COMPONENTS}
    left = {name: (1.0 + error) / (1.0 + told.get(name, 0.0)) - 1.0 for name, error in off.items()}
    return {
        **{f"mean_{level}_mape": means[level]["mape_scaled"] for level in ("output_area", "dong", "gu")},
        "median_dong_mape": found["median_by_dong"]["mape_scaled"],
        "debt_dong_mape": found["debt_by_dong"]["mape_scaled"],
        "debt_dong_mape_as_published": found["debt_by_dong"]["mape"],
        "spending_dong_mape": found["spending_by_dong"]["mape_scaled"],
        "spending_dong_mape_as_published": found["spending_by_dong"]["mape"],
        **{f"{name}_signed": error for name, error in left.items()},
        **{f"{name}_abs": abs(error) for name, error in left.items()},
        **{f"{name}_abs_as_published": abs(error) for name, error in off.items()},
        **{
            f"{name}_abs": abs(row["error"] - (found["city"]["mean"]["error"] if name != "gini" else 0.0))
            for name, row in found["city"].items()
            if name != "mean"
        },
        "dongs": float(means["dong"]["regions"]),
        "interval_90_dong": means["dong"]["interval_90_coverage"] or 0.0,
        "interval_90_dong_scaled": means["dong"]["interval_90_coverage_scaled"] or 0.0,
        **{f"interval_90_dong_{name}": held or 0.0 for name, held in found["interval_90_coverage_by_dong"].items()},
    }


def survey_alone(survey: DataFrame, private: DataFrame) -> dict[str, float]:
    """MAPE by dong of the direct estimate and of Fay-Herriot on it (no covariates), both after the city's ratio."""
    answers = survey.toPandas()
    total = answers[[f"{name}_income_krw_year" for name in ("labour", "business", "property", "transfer", "irregular")]].sum(
        axis=1, min_count=5
    )
    answers = answers.assign(total=total).dropna(subset=["total"])
    true = private.groupBy("dong_code").agg(F.avg("total_income").alias("true"), F.count(F.lit(1)).alias("n")).toPandas()
    by_dong = answers.groupby("dong_code")["total"].agg(["mean", "count"])
    spread = float(answers.groupby("dong_code")["total"].transform(lambda x: x - x.mean()).std())
    joined = true.set_index("dong_code").join(by_dong, how="inner")
    variance = spread**2 / joined["count"].to_numpy()
    none, areas = np.zeros((len(joined), 0)), list(joined.index)
    fitted = FayHerriot().fit(none, joined["mean"].to_numpy(), areas=areas, variances=variance).predict(none, areas=areas)
    return {
        "sampled_dongs": float(len(joined)),
        "direct_dong_mape": _mape(joined["mean"].to_numpy(), joined["true"].to_numpy(), joined["n"].to_numpy()),
        "fay_herriot_dong_mape": _mape(fitted["estimate"].to_numpy(), joined["true"].to_numpy(), joined["n"].to_numpy()),
    }


_AMOUNTS = [*silver.INCOME_COLUMNS, *silver.BALANCE_COLUMNS, "credit_card_spending_krw_month", "check_card_spending_krw_month"]
_KNOWN = ["dwelling_type", "tenure", "household_type", "head_sex"]


def learned_from_truth(households: pd.DataFrame, *, true_persons: pd.DataFrame, placed: pd.DataFrame) -> dict[str, float]:
    """MAPE by region of a predictor that has learned the truth of other households, after the city's ratio.

    True households with what the deliveries say of their members, total income learned by gradient boosting. No bound: ours also
    meets published figures by group, and another learner may find more.
    """
    members = true_persons.merge(placed.drop(columns="sex"), on="person_id", how="left")
    members = members.assign(
        is_seen=members["in_bureau"].astype(int),
        is_unseen_adult=((~members["in_bureau"]) & (members["age"] >= 20)).astype(int),
        is_child=(members["age"] < 20).astype(int),
        is_old=(members["age"] >= 65).astype(int),
        **{name: members[name].astype(float) for name in _AMOUNTS},
    )
    work = pd.get_dummies(members["employment"], prefix="work", dtype=int)
    counted = ["is_seen", "is_unseen_adult", "is_child", "is_old", *_AMOUNTS]
    by_household = members[counted].join(work).groupby(members["household_id"]).sum()
    known = households.set_index("household_id")
    terms = known[[*_KNOWN, "household_size", "head_age"]].join(by_household)
    for name in silver.INCOME_COLUMNS:
        terms[f"dong_{name}"] = terms[name].groupby(known["dong_code"]).transform("mean")
    terms = terms.astype(dict.fromkeys(_KNOWN, "category"))
    total = households["total_income"].to_numpy(dtype=float)
    learner = HistGradientBoostingRegressor(
        learning_rate=0.06, min_samples_leaf=40, categorical_features="from_dtype", random_state=1
    )
    told = cross_val_predict(learner, terms, total, cv=KFold(5, shuffle=True, random_state=1))
    found = {}
    for level, code in (("output_area", "output_area_id"), ("dong", "dong_code"), ("gu", "gu_code")):
        rows = pd.DataFrame({"true": total, "told": told}).groupby(households[code].to_numpy())
        means = rows.agg(true=("true", "mean"), told=("told", "mean"), n=("true", "size"))
        found[f"mean_{level}_mape"] = _mape(*(means[name].to_numpy() for name in ("told", "true", "n")))
    return found


def without_bureau(survey: pd.DataFrame, published: Mapping[Figure, Published]) -> dict[str, float]:
    """Mean absolute relative error of the city's means by generalised least squares of what is known of them without the bureau.

    No bound: the bureau tells more, of labour and business above all. Known are the survey's means, with the errors of a sample
    of so many with these weights, and published means of components and of the total.
    """
    weight = survey["weight"].to_numpy(dtype=float)
    mean, rows, errors_of = np.zeros(len(COMPONENTS)), [*np.eye(len(COMPONENTS))], []
    for position, name in enumerate(COMPONENTS):
        value = survey[f"{name}_income_krw_year"].to_numpy(dtype=float)
        has = np.isfinite(value)
        mean[position] = np.average(value[has], weights=weight[has])
        errors_of.append(float(np.sqrt(np.sum((weight[has] * (value[has] - mean[position])) ** 2)) / weight[has].sum()))
    for indicator, row in (*zip(COMPONENTS, np.eye(len(COMPONENTS)), strict=True), ("total", np.ones(len(COMPONENTS)))):
        figure = published.get((f"mean_{indicator}_income", "all", "all"))
        if figure is not None:
            rows.append(row)
            errors_of.append(figure.relative_error * figure.value)
    terms = np.array(rows) / np.array(errors_of)[:, None]
    error = np.sqrt(np.diag(np.linalg.inv(terms.T @ terms)))
    return {
        f"{name}_abs_as_published": float(np.sqrt(2 / np.pi) * e / m) for name, e, m in zip(COMPONENTS, error, mean, strict=True)
    }


def _mape(found: Any, true: Any, number: Any) -> float:
    ratio = np.average(found, weights=number) / np.average(true, weights=number)
    return float(np.mean(np.abs(found / ratio / true - 1.0)))


def mean_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """Average of each score over cities."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


if __name__ == "__main__":
    main()
