"""How far the city's means by component go with the survey's luck: one made month, its thousand households drawn again and again.

    python benchmarks/income_survey.py --warehouse DIR --truth DIR --month 202001 [--surveys 40]

Each time other households are interviewed and other errors published: households of the truth by chance, of whom the rich answer
less, as they do in ours; answers off by some per cent; published means with their errors about the true ones. The month's
bureau, register and weights stay. Prints for each component the bias over surveys, the spread between them and the mean
absolute error of the city's mean: of the point fit benchmarked as a month is, of the survey's mean after calibration, and the
reference of `income.py`: survey and published figures put together by their errors, without the bureau. Of business income also
what the survey's sample leaves unknown were everything known but its level (`level`).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from income import without_bureau
from living_finance.config import Settings, SparkSettings
from living_finance.contracts import codes
from living_finance.income.earnings import EarningsTargets
from living_finance.income.model import POWER, SurveyHouseholds, fit_income, month_targets
from living_finance.income.other_components import Characteristics
from living_finance.income.published import Figure, Published
from living_finance.income.training import TrainingData
from living_finance.income.value_benchmark import AGE_GROUPS, BINS, COMPONENTS, age_group_of, bin_of, component_ratios
from living_finance.methods.grouped import Floats
from living_finance.months import Month
from living_finance.session import build_session
from living_finance.steps.month import income_evidence_of, open_month
from living_finance.storage.warehouse import Warehouse

SEED = 20180901
SAID = 0.04
"""Spread of an answer about the true amount."""
ANSWERS, FALLING = 0.9, 0.4
"""Share of the poorest who answer, and how much lower that of the richest is."""


def main() -> None:
    """Parse, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warehouse", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--month", default="202001")
    parser.add_argument("--surveys", type=int, default=40)
    options = parser.parse_args()
    month = Month.parse(options.month)
    spark = build_session(SparkSettings(driver_memory="3g"))
    spark.sparkContext.setLogLevel("OFF")
    try:
        evidence = income_evidence_of(open_month(Warehouse(spark, str(options.warehouse.absolute())), month, Settings()))
        training, place = evidence.training(), evidence.place
        truth = spark.read.parquet(*(str(file) for file in sorted((options.truth / "households").glob(f"{month}*.parquet"))))
        private = truth.where(~F.col("is_group_quarters")).toPandas()
    finally:
        spark.stop()
    random = np.random.default_rng(SEED)
    number = training.survey.weight.size
    found = [errors_of_one(training, private, place=place, number=number, random=random) for _ in range(options.surveys)]
    for name in COMPONENTS:
        of_name = pd.DataFrame([row[name] for row in found])
        reference = of_name.pop("reference").mean()
        table = {
            way: {"bias": round(v.mean(), 4), "spread": round(v.std(), 4), "mean_absolute": round(v.abs().mean(), 4)}
            for way, v in of_name.items()
        }
        print(json.dumps({"component": name, "surveys": len(found), **table, "reference": round(reference, 4)}))


def errors_of_one(
    training: TrainingData, private: pd.DataFrame, *, place: dict[str, float], number: int, random: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Relative errors of the city's mean of each component with one other survey and other published figures."""
    asked = private.sample(n=4 * number, random_state=random)
    rank = private["total_income"].rank(pct=True).loc[asked.index].to_numpy()
    chosen = asked[random.random(len(asked)) < ANSWERS - FALLING * rank].head(number)
    survey = as_survey(chosen, place=place, weight=len(private) / number, random=random)
    published = published_again(training.published, private, random=random)
    model = fit_income(
        survey, training.city, published, draws=1, seed=SEED, benefits=training.benefits, sample_share=training.sample_share
    )
    ours = city_means(model.draws[0].amounts(training.city), training, published)
    calibrated = replace(training, survey=survey, published=published).weight
    answers = pd.DataFrame({f"{name}_income_krw_year": survey.amounts[name] for name in COMPONENTS})
    references = without_bureau(answers.assign(weight=survey.weight), published)
    found = {}
    for position, name in enumerate(COMPONENTS):
        true = private[f"{name}_income"].mean()
        by_survey = float(np.average(survey.amounts[name], weights=calibrated))
        found[name] = {
            "month": ours[position] / true - 1.0,
            "survey": by_survey / true - 1.0,
            "reference": references[f"{name}_abs_as_published"],
        }
    found["business"]["level"] = level_alone(survey.amounts["business"], calibrated, private)
    return found


def level_alone(answer: Floats, weight: Floats, private: pd.DataFrame) -> float:
    """Relative error of mean business income were nothing unknown but its level: what the survey tells without help, no floor."""
    true, labour = private["business_income"].to_numpy(float), float(private["labour_income"].mean())
    power = POWER["business"]
    asked, whole = (EarningsTargets.of(a, w, power=power).centre for a, w in ((answer, weight), (true, np.ones(true.size))))
    found = np.exp(asked - whole) * true.mean()
    return float(found / (found + labour) * (1.0 + labour / true.mean()) - 1.0)


def as_survey(chosen: pd.DataFrame, *, place: dict[str, float], weight: float, random: np.random.Generator) -> SurveyHouseholds:
    """Households of the truth as the survey's."""
    count = len(chosen)
    amounts = {name: chosen[f"{name}_income"].to_numpy(float) * np.exp(random.normal(0.0, SAID, count)) for name in COMPONENTS}
    band = np.clip(chosen["head_age"].to_numpy(np.int64) // 10 * 10, codes.HEAD_AGE_BANDS[0], codes.HEAD_AGE_BANDS[-1])
    dongs = chosen["dong_code"].to_numpy()
    households = Characteristics(
        head_age_band=band,
        size=chosen["household_size"].to_numpy(np.int64),
        tenure=chosen["tenure"].to_numpy(),
        dwelling_type=chosen["dwelling_type"].to_numpy(),
        household_type=chosen["household_type"].to_numpy(),
        dong_code=dongs,
        earnings=amounts["labour"] + amounts["business"],
        place=np.array([place.get(code, 0.0) for code in dongs]),
    )
    keys = np.array([f"S{number:05d}" for number in range(count)])
    return SurveyHouseholds(households, amounts, chosen["spending_month"].to_numpy(float), np.full(count, weight), keys)


def published_again(
    published: dict[Figure, Published], private: pd.DataFrame, *, random: np.random.Generator
) -> dict[Figure, Published]:
    """The month's published incomes with other errors about the true figures."""
    total = private["total_income"]
    fifth = np.ceil(total.rank(pct=True) * 5).clip(1, 5).astype(int)
    age = age_group_of(private["head_age"].to_numpy() // 10 * 10)
    true: dict[Figure, float] = {("mean_total_income", "all", "all"): total.mean()}
    true |= {(f"mean_{name}_income", "all", "all"): private[f"{name}_income"].mean() for name in COMPONENTS}
    true |= {("mean_total_income", "income_quintile", str(k)): total[fifth == k].mean() for k in range(1, 6)}
    true |= {("mean_total_income", "head_age", name): total[age == k].mean() for k, name in enumerate(AGE_GROUPS)}
    return {
        figure: replace(known, value=true[figure] * (1.0 + known.relative_error * random.standard_normal()))
        for figure, known in published.items()
        if figure in true
    }


def city_means(amounts: Floats, training: TrainingData, published: dict[Figure, Published]) -> Floats:
    """Means by component of the sampled households once published means are met, KRW/year."""
    weight = training.city.weight
    cell = age_group_of(training.city.households.head_age_band) * BINS + bin_of(amounts.sum(axis=0))
    profile = np.stack(
        [np.bincount(cell, weights=values, minlength=len(AGE_GROUPS) * BINS) for values in (weight, *(weight * amounts))], axis=-1
    ).reshape(len(AGE_GROUPS), BINS, -1)
    ratio = component_ratios(profile, month_targets(published, draws=1, seed=SEED)[0])
    means: Floats = ratio * (amounts @ weight) / weight.sum()
    return means


if __name__ == "__main__":
    main()
