"""The Gini coefficient of weighted incomes, on one worker or over many.

Rule for incomes that are not positive: a negative income counts as zero (the OECD's rule for its Income
Distribution Database), a zero income as it is; the coefficient then lies in [0, 1). Without any positive
income there is none (missing).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from living_finance.contracts.codes import ALL
from living_finance.methods import grouped
from living_finance.methods.quantiles import columns_of_sets, fixed_weight, value_bucket

_BUCKETS_PER_UNIT_LOG = 16.0
"""About 11 buckets per doubling: each is 6 % wide and holds a twentieth of a city's incomes at most."""


def grouped_gini(grouping: grouped.Grouping, *, value: grouped.Floats, weight: grouped.Integers) -> grouped.Floats:
    """Gini coefficient by cell; NaN for a cell without positive income.

    G = Σ w x (2 C + w) / (W Σ w x) - 1, C the weight of everybody poorer and W of all: twice the area
    between the diagonal and the Lorenz curve through the sorted points.

    Args:
        grouping: of rows sorted by value.
        value: income of each row.
        weight: of each row, in units of 2^-36, positive.

    Source: Alfons & Templ (2013), Estimation of Social Exclusion Indicators from Complex Surveys: The R
    Package laeken, Journal of Statistical Software 54(15), section 2.3.
    """
    income, ranked = grouped.concentration(grouping, value=np.maximum(value, 0.0), weight=weight)
    total = grouped.sums(grouping, weight[:, None])[:, 0] / grouped.WEIGHT_SCALE
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(income > 0, ranked / (total * income) - 1.0, np.nan)


def weighted_gini(frame: DataFrame, *, value: str, weight: str, sets: Sequence[Sequence[str]]) -> DataFrame:
    """Exact Gini coefficients of data that no single worker holds.

    Incomes are split into fixed buckets by size; each bucket is ranked by itself in one Python worker, and
    the weight of the buckets below is added to the ranks afterwards. Bound: one bucket, the rows whose values
    differ by less than 7 % (or are equal), in one worker's memory.

    Args:
        frame: any grain; rows without a value or with a weight that is missing or not positive are left out.
        value: income.
        weight: numeric; total weight of a group below 2^27.
        sets: grouping sets of text columns, `[()]` for everything together (see `quantiles.cube`).

    Returns:
        One row per set × combination of its columns: the columns of all sets (`all` where a set leaves one
        out) and `gini` (double, missing without positive income).
    """
    names = columns_of_sets(sets)
    has_value = F.col(value).isNotNull() & (fixed_weight(F.col(weight)) > 0)
    rows = frame.where(has_value).select(
        *(F.col(name).cast("string").alias(name) for name in names),
        F.greatest(F.col(value).cast("double"), F.lit(0.0)).alias("_value"),
        fixed_weight(F.col(weight)).alias("_weight"),
    )
    partial = T.StructType(
        [
            T.StructField("_bucket", T.IntegerType()),
            *(T.StructField(name, T.StringType()) for name in names),
            T.StructField("_set", T.IntegerType()),
            T.StructField("_weight", T.LongType()),
            T.StructField("_income", T.DoubleType()),
            T.StructField("_ranked", T.DoubleType()),
        ]
    )

    def rank_bucket(key: tuple[pa.Scalar, ...], table: pa.Table) -> pa.Table:
        return _rank_bucket(key[0].as_py(), table, sets=sets, names=names)

    buckets = (
        rows.withColumns({"_bucket": value_bucket(F.col("_value"), per_unit_log=_BUCKETS_PER_UNIT_LOG)})
        .groupBy("_bucket")
        .applyInArrow(rank_bucket, partial)
    )
    parts = F.array_sort(F.collect_list(F.struct("_bucket", "_weight", "_income", "_ranked")))
    return buckets.groupBy(*names, "_set").agg(_combined(parts).alias("gini")).drop("_set")


def _combined(parts: Column) -> Column:
    """Gini coefficient from the ranked buckets, poorest first; a fixed order of additions."""
    start = F.struct(F.lit(0.0).alias("weight"), F.lit(0.0).alias("income"), F.lit(0.0).alias("ranked"))

    def add(sofar: Column, part: Column) -> Column:
        # Everybody in the bucket ranks behind all of the buckets before it.
        ranked = part["_ranked"] + F.lit(2.0) * sofar["weight"] * part["_income"]
        return F.struct(
            (sofar["weight"] + part["_weight"] / F.lit(grouped.WEIGHT_SCALE)).alias("weight"),
            (sofar["income"] + part["_income"]).alias("income"),
            (sofar["ranked"] + ranked).alias("ranked"),
        )

    def finish(total: Column) -> Column:
        return F.when(total["income"] > 0, total["ranked"] / (total["weight"] * total["income"]) - F.lit(1.0))

    return F.aggregate(parts, start, add, finish)


def _rank_bucket(bucket: int, table: pa.Table, *, sets: Sequence[Sequence[str]], names: Sequence[str]) -> pa.Table:
    value, weight = table["_value"].to_numpy(), table["_weight"].to_numpy()
    order = grouped.sorted_by_value(value, weight)
    value, weight = value[order], weight[order]
    sorted_table = table.select(names).take(pa.array(order))
    encoded = {name: grouped.encode(sorted_table[name], is_missing_a_label=True) for name in names}
    return pa.concat_tables(_ranked_sets(bucket, value, weight, encoded, sets=sets))


def _ranked_sets(
    bucket: int,
    value: grouped.Floats,
    weight: grouped.Integers,
    encoded: dict[str, grouped.Encoded],
    *,
    sets: Sequence[Sequence[str]],
) -> Iterator[pa.Table]:
    for number, names_of_set in enumerate(sets):
        cell = grouped.cell_codes([encoded[name] for name in names_of_set], rows=value.size)
        grouping = grouped.group(cell)
        cells = grouping.start.size
        income, ranked = grouped.concentration(grouping, value=value, weight=weight)
        labels = {
            name: column.take(grouping.first) if name in names_of_set else pa.repeat(ALL, cells)
            for name, column in encoded.items()
        }
        yield pa.table(
            {
                "_bucket": pa.array(np.full(cells, bucket, dtype=np.int32)),
                **labels,
                "_set": pa.array(np.full(cells, number, dtype=np.int32)),
                "_weight": grouped.sums(grouping, weight[:, None])[:, 0],
                "_income": income,
                "_ranked": ranked,
            }
        )
