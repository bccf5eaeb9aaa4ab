"""A fitted small-area model over a population that no single worker holds; the same numbers as in memory, bit for bit.

The model travels as JSON. Draws need nothing but the row; indicators need an area's households in one worker. Bound: the
households of one `within` group, with their terms and one draw, in one worker's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from living_finance.income.area_indicators import checked
from living_finance.income.small_area_model import SmallAreaModel, mean_squared_errors
from living_finance.methods.grouped import Floats


@dataclass(frozen=True)
class PopulationColumns:
    """Names of the columns of a population: one row per household."""

    key: str
    """Unique within an area."""
    area: str
    terms: Sequence[str]
    """In the order of the fit."""
    weight: str | None = None
    """Population weight, positive; None for 1."""
    within: str | None = None
    """A column whose values hold whole areas (the dong of output areas): one group of work; None: the area."""


def household_draws(population: DataFrame, *, columns: PopulationColumns, model: str, draws: int = 50) -> DataFrame:
    """Amounts of every household drawn given the sample.

    Args:
        population: one row per household.
        columns: their names.
        model: `SmallAreaModel.to_json()`.
        draws: how many; an even number.

    Returns:
        One row per household: key and area as text, `draws` (array of double).
    """
    schema = T.StructType(
        [
            T.StructField("key", T.StringType()),
            T.StructField("area", T.StringType()),
            T.StructField("draws", T.ArrayType(T.DoubleType())),
        ]
    )

    fitted = SmallAreaModel.from_json(model)

    def draw(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            table = pa.Table.from_batches([batch])
            area, key = table["_area"].to_pylist(), table["_key"].to_pylist()
            drawn = fitted.draws(_terms(table, columns), areas=area, keys=key, draws=draws)
            offsets = np.arange(0, drawn.size + 1, draws, dtype=np.int32)
            lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(drawn.ravel()))
            yield pa.RecordBatch.from_arrays([batch["_key"], batch["_area"], lists], names=["key", "area", "draws"])

    return _slim(population, columns).mapInArrow(draw, schema)


def area_estimates(
    population: DataFrame,
    *,
    columns: PopulationColumns,
    model: str,
    draws: int = 50,
    indicators: Sequence[str] = ("mean",),
    poverty_line: float | None = None,
) -> DataFrame:
    """Empirical best predictors of every area: `SmallAreaModel.predict`, distributed.

    Returns:
        One row per area: area (text), households, is_sampled, one double per indicator (NaN where there is none).
    """
    names = checked(indicators, poverty_line=poverty_line)
    schema = T.StructType(
        [
            T.StructField("area", T.StringType()),
            T.StructField("households", T.LongType()),
            T.StructField("is_sampled", T.BooleanType()),
            *(T.StructField(name, T.DoubleType()) for name in names),
        ]
    )

    fitted = SmallAreaModel.from_json(model)

    def predict(table: pa.Table) -> pd.DataFrame:
        return fitted.predict(
            _terms(table, columns),
            areas=table["_area"].to_pylist(),
            keys=table["_key"].to_pylist(),
            weights=_weights(table, columns),
            draws=draws,
            indicators=names,
            poverty_line=poverty_line,
        )

    return _by_group(population, columns, predict, schema)


def area_errors(
    population: DataFrame,
    *,
    columns: PopulationColumns,
    model: str,
    replicates: Sequence[str],
    draws: int = 50,
    indicators: Sequence[str] = ("mean",),
    poverty_line: float | None = None,
) -> DataFrame:
    """Bootstrap mean squared errors of every area: `mean_squared_errors`, distributed.

    Args:
        population: one row per household.
        columns: their names.
        model: `SmallAreaModel.to_json()`.
        replicates: the same of each of `EmpiricalBestPredictor.bootstrap()`.
        draws: per replicate.
        indicators: names.
        poverty_line: for head-count ratio and poverty gap.

    Returns:
        One row per area: area (text), one double per indicator.
    """
    names = checked(indicators, poverty_line=poverty_line)
    schema = T.StructType([T.StructField("area", T.StringType()), *(T.StructField(name, T.DoubleType()) for name in names)])

    fitted = SmallAreaModel.from_json(model)
    refitted = [SmallAreaModel.from_json(replicate) for replicate in replicates]

    def measure(table: pa.Table) -> pd.DataFrame:
        return mean_squared_errors(
            fitted,
            refitted,
            _terms(table, columns),
            areas=table["_area"].to_pylist(),
            keys=table["_key"].to_pylist(),
            weights=_weights(table, columns),
            draws=draws,
            indicators=names,
            poverty_line=poverty_line,
        )

    return _by_group(population, columns, measure, schema)


def _by_group(
    population: DataFrame, columns: PopulationColumns, work: Callable[[pa.Table], pd.DataFrame], schema: T.StructType
) -> DataFrame:
    def in_arrow(table: pa.Table) -> pa.Table:
        return pa.Table.from_pandas(work(table), preserve_index=False)

    return _slim(population, columns).groupBy("_within").applyInArrow(in_arrow, schema)


def _slim(population: DataFrame, columns: PopulationColumns) -> DataFrame:
    weight = [F.col(columns.weight).cast("double").alias("_weight")] if columns.weight else []
    return population.select(
        F.col(columns.key).cast("string").alias("_key"),
        F.col(columns.area).cast("string").alias("_area"),
        F.col(columns.within or columns.area).cast("string").alias("_within"),
        *weight,
        *(F.col(name).cast("double").alias(f"_term_{k}") for k, name in enumerate(columns.terms)),
    )


def _terms(table: pa.Table, columns: PopulationColumns) -> Floats:
    matrix = [table[f"_term_{k}"].to_numpy() for k in range(len(columns.terms))]
    return np.column_stack(matrix) if matrix else np.zeros((table.num_rows, 0))


def _weights(table: pa.Table, columns: PopulationColumns) -> Floats | None:
    weight: Floats | None = table["_weight"].to_numpy() if columns.weight else None
    return weight
