"""Empirical best prediction for every household of the city: 50 draws, indicators by dong, bootstrap errors; seconds and memory.

    python benchmarks/city_draws.py [--warehouse .bench/city/warehouse] [--month 202001] [--replicates 100]

From the month that `full_city.py` left: total income of the survey on what survey and households both have (size, head's age and
sex, type, dwelling, tenure); areas are dongs. Bootstrap errors take a sample of households of each dong, drawn by a hash of their
keys, with few draws in each replicate; a second set with another seed shows their Monte-Carlo error. Beside each other, on the
bootstrap's sample and one core: ours in memory (every random number by its household's key), and statsmodels' MixedLM with
draws that NumPy makes from its fit, dong by dong.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from living_finance.config import SparkSettings
from living_finance.contracts import codes, gold, silver
from living_finance.income import EmpiricalBestPredictor, area_errors, area_estimates, household_draws
from living_finance.income.small_area_spark import PopulationColumns
from living_finance.monitor import MemoryMonitor
from living_finance.months import Month
from living_finance.session import build_session
from living_finance.storage.warehouse import Warehouse

INDICATORS = ("mean", "p50", "gini")
DRAWS, INNER_DRAWS = 50, 4
CATEGORIES = {
    "head_sex": codes.SEX.codes,
    "household_type": codes.HOUSEHOLD_TYPE.codes,
    "dwelling_type": codes.DWELLING_TYPE.codes,
    "tenure": codes.TENURE.codes,
}
AGE_KNOTS = (40, 60)


def terms_of(age: Column) -> dict[str, Column]:
    """Terms of the regression: size, age with knots, categories."""
    found = {"size": F.least(F.col("household_size"), F.lit(7)).cast("double"), "age": age / 10.0}
    found |= {f"age_{knot}": F.greatest(age - knot, F.lit(0.0)) / 10.0 for knot in AGE_KNOTS}
    for name, values in CATEGORIES.items():
        found |= {f"{name}_{value}": (F.col(name) == value).cast("double") for value in values[1:]}
    return found


def with_terms(frame: DataFrame, age: Column, *kept: str) -> tuple[DataFrame, list[str]]:
    """Columns to keep and terms, and the names of the terms."""
    terms = terms_of(age)
    return frame.select(*kept, *(F.coalesce(column, F.lit(0.0)).alias(name) for name, column in terms.items())), list(terms)


def survey_of(store: Warehouse, month: Month) -> tuple[pd.DataFrame, list[str]]:
    """Surveyed households with all components: dong, weight, total income, terms that vary."""
    total = sum((F.col(name) for name in gold.INCOME_COMPONENTS), F.lit(0))
    frame = store.read(silver.SURVEY_HOUSEHOLD, base_month=month.date).withColumn("total", total).where("total > 0")
    band = F.floor(F.col("head_age") / 10) * 10 + 5
    rows, terms = with_terms(frame, band.cast("double"), "dong_code", "weight", "total")
    sample = rows.orderBy("dong_code", "total").toPandas()
    return sample, [name for name in terms if sample[name].nunique() > 1]


def plain_rate(sample: pd.DataFrame, terms: list[str], population: pd.DataFrame) -> tuple[float, float]:
    """Seconds of statsmodels' fit, household-draws per second of a plain loop over dongs."""
    started = time.perf_counter()
    fit = sm.MixedLM(np.log(sample["total"]), sm.add_constant(sample[terms]), groups=sample["dong_code"]).fit(reml=True)
    fitted_at = time.perf_counter()
    effect_sd, unit_sd = float(np.sqrt(fit.cov_re.iloc[0, 0])), float(np.sqrt(fit.scale))
    effects = {dong: float(effect.iloc[0]) for dong, effect in fit.random_effects.items()}
    draws = np.random.default_rng(1)
    for dong, households in population.groupby("area"):
        at = sm.add_constant(households[terms], has_constant="add").to_numpy() @ fit.fe_params.to_numpy()
        for _ in range(DRAWS):
            income = np.exp(at + effects.get(str(dong), 0.0) + draws.normal(0, effect_sd) + draws.normal(0, unit_sd, at.size))
            ordered = np.sort(income)
            rank = np.arange(1, ordered.size + 1)
            _ = income.mean(), np.median(income), (2 * rank - 1 - ordered.size) @ ordered / (ordered.size * ordered.sum())
    drawn_at = time.perf_counter()
    return fitted_at - started, len(population) * DRAWS / (drawn_at - fitted_at)


def own_rate(fit: EmpiricalBestPredictor, terms: list[str], population: pd.DataFrame) -> float:
    """Household-draws per second of ours in memory: draws, mean, median and Gini by dong, as `plain_rate`."""
    started = time.perf_counter()
    fit.predict(population[terms], areas=population["area"], keys=population["household_id"], draws=DRAWS, indicators=INDICATORS)
    return len(population) * DRAWS / (time.perf_counter() - started)


def main() -> None:
    """Measure and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warehouse", type=Path, default=Path(".bench/city/warehouse"))
    parser.add_argument("--month", default="202001")
    parser.add_argument("--replicates", type=int, default=100)
    parser.add_argument("--per-dong", type=int, default=200, help="households of a dong in the bootstrap")
    parser.add_argument("--out", type=Path, default=Path(".bench/city_draws.json"))
    arguments = parser.parse_args()
    month = Month.parse(arguments.month)
    seconds: dict[str, float] = {}
    peaks: dict[str, float] = {}
    with MemoryMonitor() as memory:
        began = time.perf_counter()

        def lap(name: str, since: float) -> float:
            seconds[name] = round(time.perf_counter() - since, 1)
            peaks[name] = round(memory.restart() / 2**30, 2)
            return time.perf_counter()

        spark = build_session(SparkSettings(driver_memory="3g"), name="city-draws")
        store = Warehouse(spark, str(arguments.warehouse.absolute()))
        sample, terms = survey_of(store, month)
        at = lap("start Spark, read survey", began)
        fit = EmpiricalBestPredictor(transformation="log_shift", seed=1)
        fit.fit(sample[terms], sample["total"], areas=sample["dong_code"], weights=sample["weight"])
        at = lap("fit", at)
        households = store.read(gold.HOUSEHOLD, base_month=month.date).where("weight > 0")
        rows, _ = with_terms(households, F.col("head_age_band") + 5.0, "household_id", "dong_code", "weight")
        columns = PopulationColumns(key="household_id", area="dong_code", terms=terms, weight="weight")
        model = fit.model_.to_json()
        drawn = household_draws(rows, columns=columns, model=model, draws=DRAWS)
        total = drawn.agg(F.count(F.lit(1)).alias("n"), F.sum(F.aggregate("draws", F.lit(0.0), lambda a, x: a + x))).first()
        at = lap(f"{DRAWS} draws of every household", at)
        estimates = area_estimates(rows, columns=columns, model=model, draws=DRAWS, indicators=INDICATORS).toPandas()
        at = lap(f"indicators by dong from {DRAWS} draws", at)
        ranked = F.row_number().over(_order_of_hash())
        few = rows.withColumn("_rank", ranked).where(F.col("_rank") <= arguments.per_dong).drop("_rank").persist()
        population = few.select("household_id", F.col("dong_code").alias("area"), *terms).toPandas()
        at = lap("sample of households", at)
        roots = []
        for seed in (1, 2):
            again = EmpiricalBestPredictor(transformation="log_shift", seed=seed)
            again.fit(sample[terms], sample["total"], areas=sample["dong_code"], weights=sample["weight"])
            texts = [each.to_json() for each in again.bootstrap(replicates=arguments.replicates)]
            at = lap(f"{arguments.replicates} fits of the bootstrap, seed {seed}", at)
            errors = area_errors(
                few, columns=columns, model=again.model_.to_json(), replicates=texts, draws=INNER_DRAWS, indicators=INDICATORS
            ).toPandas()
            roots.append(errors.set_index("area")[list(INDICATORS)].sort_index() ** 0.5)
            at = lap(f"errors by dong from {arguments.replicates} replicates, seed {seed}", at)
        spark.stop()
    fit_seconds, rate = plain_rate(sample, terms, population)
    n = int(total["n"]) if total else 0
    level = estimates.set_index("area")[list(INDICATORS)].sort_index()
    spread = (roots[0] - roots[1]).abs().div((roots[0] + roots[1]) / 2)
    once = {name: value for name, value in seconds.items() if "seed 2" not in name}
    result = {
        "households": n,
        "surveyed": len(sample),
        "seconds": seconds,
        "seconds of one month: 50 draws and one bootstrap": round(sum(once.values()), 1),
        "peak_gib": peaks,
        "household_draws_per_second": {
            "draws": round(n * DRAWS / seconds[f"{DRAWS} draws of every household"]),
            "with indicators": round(n * DRAWS / seconds[f"indicators by dong from {DRAWS} draws"]),
            "ours on the sample, one core": round(own_rate(fit, terms, population)),
            "statsmodels and NumPy on the sample, one core": round(rate),
        },
        "statsmodels_fit_seconds": round(fit_seconds, 2),
        "households_of_the_bootstrap": len(population),
        "median_relative_error_by_dong": {k: round(float((roots[0] / level)[k].median()), 4) for k in INDICATORS},
        "monte_carlo": {k: round(float(spread[k].mean()), 3) for k in INDICATORS},
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1)
    arguments.out.write_text(text + "\n", encoding="utf-8")
    print(text)


def _order_of_hash() -> WindowSpec:
    """Households of a dong in an order that is as good as drawn, and the same every time."""
    return Window.partitionBy("dong_code").orderBy(F.xxhash64("household_id"), "household_id")


if __name__ == "__main__":
    main()
