"""On Spark a small-area model gives what it gives in memory, bit for bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession

from living_finance.income import (
    EmpiricalBestPredictor,
    area_errors,
    area_estimates,
    household_draws,
    mean_squared_errors,
)
from living_finance.income.small_area_spark import PopulationColumns

COLUMNS = PopulationColumns(key="household_id", area="output_area_id", terms=("size", "age"), weight="weight", within="dong_code")


def test_a_cluster_gives_the_numbers_of_a_session_in_memory(spark: SparkSession) -> None:
    random = np.random.default_rng(6)
    area = np.repeat(np.arange(12), 30)
    population = pd.DataFrame(
        {
            "household_id": [f"H{k}" for k in random.permutation(area.size)],
            "output_area_id": [f"A{k:02d}" for k in area],
            "dong_code": [f"D{k // 4}" for k in area],
            "size": random.integers(1, 6, area.size),
            "age": random.uniform(20.0, 80.0, area.size),
            "weight": random.uniform(0.5, 2.0, area.size),
        }
    )
    terms = population[["size", "age"]].astype(float)
    amount = np.exp(10 + 0.1 * terms["size"] + random.normal(size=12)[area] * 0.3 + random.normal(size=area.size))
    amount = np.where(random.random(area.size) < 0.3, 0.0, amount)
    sampled = (np.arange(area.size) % 30 < 10) & (area < 10)
    fit = EmpiricalBestPredictor(two_part=True).fit(terms[sampled], amount[sampled], areas=population["output_area_id"][sampled])
    model, replicates = fit.model_.to_json(), fit.bootstrap(replicates=2)
    frame = spark.createDataFrame(population.sample(frac=1.0, random_state=5)).repartition(3)
    people = {"areas": population["output_area_id"], "keys": population["household_id"]}
    asked = {"draws": 4, "indicators": ("mean", "gini", "p25", "head_count_ratio"), "poverty_line": 9_000.0}

    drawn = household_draws(frame, columns=COLUMNS, model=model, draws=4).toPandas().set_index("key")
    expected = fit.draws(terms, **people, draws=4)
    assert np.array_equal(np.vstack(drawn.loc[population["household_id"], "draws"]), expected)

    found = area_estimates(frame, columns=COLUMNS, model=model, **asked).toPandas().sort_values("area", ignore_index=True)
    in_memory = fit.predict(terms, **people, weights=population["weight"], **asked)
    pd.testing.assert_frame_equal(found, in_memory, check_exact=True)

    texts = [replicate.to_json() for replicate in replicates]
    errors = area_errors(frame, columns=COLUMNS, model=model, replicates=texts, **asked).toPandas()
    in_memory = mean_squared_errors(fit.model_, replicates, terms.to_numpy(), **people, weights=population["weight"], **asked)
    pd.testing.assert_frame_equal(errors.sort_values("area", ignore_index=True), in_memory, check_exact=True)
