"""The distributed methods against the kernel, the definition, and themselves under another partitioning."""

from __future__ import annotations

import random
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from living_finance.errors import ConfigurationError
from living_finance.methods import grouped
from living_finance.methods.inequality import grouped_gini, weighted_gini
from living_finance.methods.quantiles import cube, weighted_quantiles

PROBABILITIES = {"p10": 0.1, "median": 0.5, "p90": 0.9, "all": 1.0}
SETS = cube(("sex", "age"), always=("place",))
COLUMNS = ("place", "sex", "age")

Row = tuple[str, str | None, str, float | None, float | None]


def _rows() -> list[Row]:
    """Ties, negative, zero and very large values, missing values and categories, weights of 0 and awkward ones."""
    draw = random.Random(20180901)
    values = [*(float(x) for x in range(-3, 4)), 1e-3, 2.5e7, 2.5e7 + 1, -4e6, 1e12]
    rows: list[Row] = []
    for _ in range(1500):
        value = draw.choice(values) if draw.random() < 0.5 else float(round(draw.lognormvariate(17, 0.8)))
        weight = draw.choice([0.125, 1.0473, 1.0473, 2.0, 0.3])
        rows.append((draw.choice(["home", "work"]), draw.choice(["M", "F", None]), draw.choice("abcdef"), value, weight))
    return [*rows, ("home", "M", "a", None, 1.0), ("home", "M", "a", 1e15, 0.0), ("home", "M", "a", 1e15, None)]


@pytest.fixture(scope="module")
def frame(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(_rows(), "place string, sex string, age string, value double, weight double")


def _cells() -> dict[tuple[str | None, ...], list[tuple[float, float]]]:
    cells: dict[tuple[str | None, ...], list[tuple[float, float]]] = defaultdict(list)
    for place, sex, age, value, weight in _rows():
        if value is not None and weight:
            for by_sex in (sex, "all"):
                for by_age in (age, "all"):
                    cells[(place, by_sex, by_age)].append((value, weight))
    return cells


def _quantile(pairs: list[tuple[float, float]], probability: float) -> float:
    to_reach = Fraction(str(probability)) * sum(Fraction(str(weight)) for _, weight in pairs)
    through = Fraction(0)
    for value, weight in sorted(pairs):
        through += Fraction(str(weight))
        if through >= to_reach:
            return value
    raise AssertionError


def _kernel_gini(pairs: list[tuple[float, float]]) -> float:
    value, weight = np.array(sorted(pairs)).T
    grouping = grouped.group(np.zeros(len(pairs), dtype=np.int64))
    return float(grouped_gini(grouping, value=value, weight=grouped.fixed_weights(weight))[0])


def test_quantiles_are_the_definition_whatever_the_partitioning(frame: DataFrame) -> None:
    def found(rows: DataFrame) -> dict[tuple[str | None, ...], tuple[float, ...]]:
        result = weighted_quantiles(rows, value="value", weight="weight", sets=SETS, probabilities=PROBABILITIES)
        assert result.columns == [*COLUMNS, *PROBABILITIES]
        collected = result.collect()
        by_cell = {tuple(row[name] for name in COLUMNS): tuple(row[name] for name in PROBABILITIES) for row in collected}
        assert len(by_cell) == len(collected)
        return by_cell

    expected = {cell: tuple(_quantile(pairs, p) for p in PROBABILITIES.values()) for cell, pairs in _cells().items()}
    assert found(frame) == expected
    assert found(frame.repartition(5, "value")) == expected


def test_gini_is_the_kernels_whatever_the_partitioning(frame: DataFrame) -> None:
    def found(rows: DataFrame) -> dict[tuple[str | None, ...], float]:
        result = weighted_gini(rows, value="value", weight="weight", sets=SETS).collect()
        return {tuple(row[name] for name in COLUMNS): row["gini"] for row in result}

    first = found(frame)
    expected = {cell: _kernel_gini(pairs) for cell, pairs in _cells().items()}
    assert first == pytest.approx(expected, abs=1e-12)
    assert found(frame.repartition(5, "value")) == first


def test_everything_together_and_no_positive_income(spark: SparkSession) -> None:
    rows = [("a", -5.0, 2.0), ("a", 0.0, 1.0), ("b", 1.0, 1.0), ("b", 3.0, 1.0)]
    frame = spark.createDataFrame(rows, "k string, x double, w double")
    gini = weighted_gini(frame, value="x", weight="w", sets=[("k",), ()]).collect()
    assert {row["k"]: row["gini"] for row in gini} == {"a": None, "b": 0.25, "all": pytest.approx(0.7)}
    median = weighted_quantiles(frame, value="x", weight="w", sets=[()], probabilities={"median": 0.5})
    assert [row.asDict() for row in median.collect()] == [{"median": 0.0}]


@pytest.mark.parametrize("probability", [0.0, -0.1, 1.1])
def test_probabilities_outside_their_range_are_refused(frame: DataFrame, probability: float) -> None:
    with pytest.raises(ConfigurationError, match="probability"):
        weighted_quantiles(frame, value="value", weight="weight", sets=[()], probabilities={"p": probability})
