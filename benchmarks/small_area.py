"""How right a small-area predictor's bootstrap errors are, in a made city with known parameters; one core, no Spark.

Areas with a log-normal income; samples of a few households in most areas, none in the others; households of the sample are
not those predicted. Repeated samples show the mean squared error of the area means; some of them also get bootstrap errors.

    python benchmarks/small_area.py [--areas 50] [--households 30] [--sampled 5] [--repeats 400] [--bootstrapped 20]
                                    [--replicates 200] [--draws 10] [--seed 1]

Prints, for sampled areas and for the others: relative bias of the bootstrap error (mean over areas and samples), coverage of 90 %
intervals, relative root mean squared error, bias of mean and Gini; and seconds.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import pandas as pd

from living_finance.income import EmpiricalBestPredictor

INDICATORS = ("mean", "gini")
UNSAMPLED_SHARE = 0.1
AREA_SCALE, UNIT_SCALE, SLOPE = 0.3, 0.6, 0.3


def made(arguments: argparse.Namespace, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Population to predict, and sample."""
    random = np.random.default_rng(seed)
    households = arguments.households + arguments.sampled
    area = np.repeat(np.arange(arguments.areas), households)
    term = random.normal(size=area.size)
    effect = random.normal(scale=AREA_SCALE, size=arguments.areas)
    amount = np.exp(10.0 + SLOPE * term + effect[area] + random.normal(scale=UNIT_SCALE, size=area.size))
    frame = pd.DataFrame({"area": [f"A{k:05d}" for k in area], "term": term, "amount": amount})
    is_asked = np.arange(area.size) % households < arguments.sampled
    return frame[~is_asked], frame[is_asked & (area >= UNSAMPLED_SHARE * arguments.areas)]


def gini(amount: pd.Series) -> float:
    """Of equal weights."""
    ordered = np.sort(amount.to_numpy())
    rank = np.arange(1, ordered.size + 1)
    return float((2 * rank - 1 - ordered.size) @ ordered / (ordered.size * ordered.sum()))


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"areas": 50, "households": 30, "sampled": 5, "repeats": 400, "bootstrapped": 20, "replicates": 200, "draws": 10}
    for name, value in {**defaults, "seed": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    arguments = parser.parse_args()
    started = time.process_time()
    gaps, actuals, claims, covered = [], [], [], []
    for repeat in range(arguments.repeats):
        population, sample = made(arguments, 10_000 * arguments.seed + repeat)
        fit = EmpiricalBestPredictor(seed=repeat).fit(sample[["term"]], sample["amount"], areas=sample["area"])
        asked = {"areas": population["area"], "keys": population.index, "draws": arguments.draws, "indicators": INDICATORS}
        found = fit.predict(population[["term"]], **asked)
        by_area = population.groupby("area")["amount"]
        actual = np.column_stack([by_area.mean(), by_area.apply(gini)])
        gaps.append(found[list(INDICATORS)].to_numpy() - actual)
        actuals.append(actual)
        if repeat < arguments.bootstrapped:
            error = fit.mse(population[["term"]], replicates=arguments.replicates, **asked)[list(INDICATORS)].to_numpy()
            claims.append(error)
            covered.append(np.abs(gaps[-1]) <= 1.6449 * np.sqrt(error))
    square, actual = np.mean(np.square(gaps), axis=0), np.mean(actuals, axis=0)
    is_sampled = np.arange(arguments.areas) >= UNSAMPLED_SHARE * arguments.areas
    for column, indicator in enumerate(INDICATORS):
        for name, areas in (("sampled", is_sampled), ("unsampled", ~is_sampled)):
            claimed = np.mean(claims, axis=0)[areas, column]
            print(
                json.dumps(
                    {
                        "indicator": indicator,
                        "areas": name,
                        "bias_of_bootstrap_mse": round(float(claimed.mean() / square[areas, column].mean() - 1.0), 3),
                        "coverage_90": round(float(np.mean(covered, axis=0)[areas, column].mean()), 3),
                        "relative_rmse": round(float(np.sqrt(square[areas, column].mean()) / actual[areas, column].mean()), 3),
                        "relative_bias": round(
                            float(np.mean(gaps, axis=0)[areas, column].mean() / actual[areas, column].mean()), 4
                        ),
                    }
                )
            )
    print(json.dumps({"cpu_seconds": round(time.process_time() - started, 1), **vars(arguments)}))


if __name__ == "__main__":
    main()
