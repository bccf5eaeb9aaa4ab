"""Mean, quantiles and Gini coefficient of every region in every draw: what their errors are taken from.

Below the city a district goes to one Python worker, which ranks its households once a draw. The city's quantiles and Gini
coefficient come from bins of income 0.3 % wide, so that no worker holds the whole city.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from living_finance.contracts import codes, silver
from living_finance.income.draws import WEIGHT_UNITS
from living_finance.income.evidence import DOUBT_UNITS
from living_finance.methods import grouped
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.inequality import grouped_gini

MEAN, GINI = "mean", "gini"
FIGURES = (MEAN, *(name for name, _ in silver.QUANTILES), GINI)
LEVELS: Mapping[str, str] = {"output_area": "output_area_id", "dong": "dong_code", "gu": "gu_code"}
_CITY, _BINS = "city", "bins"
_ALL_LEVELS = (*LEVELS, _CITY)
_GRAIN_KRW = 1000
"""Means are sums of whole numbers of weight / 2^14 x 1,000 won: the same in any order."""
_EDGES = np.geomspace(1e5, 1e10, 4001)
_LOWER, _UPPER = np.r_[0.0, _EDGES], np.r_[_EDGES, _EDGES[-1]]
_RANKED = FIGURES[1:]
_SCHEMA = T.StructType(
    [
        T.StructField("region_level", T.StringType()),
        T.StructField("region_code", T.StringType()),
        T.StructField("weight", T.LongType()),
        T.StructField("doubt", T.LongType()),
        T.StructField("sums", T.ArrayType(T.LongType())),
        *(T.StructField(name, T.ArrayType(T.DoubleType())) for name in _RANKED),
    ]
)


@dataclass(frozen=True)
class RegionDraws:
    """Regions by level and code, and their figures of total income in every draw."""

    level: npt.NDArray[np.str_]
    code: npt.NDArray[np.str_]
    households: Floats
    """Weighted."""
    figures: Mapping[str, Floats]
    """Figure → regions x draws; won a year, Gini coefficients as they are; NaN where there is none."""
    doubt: Floats
    """Bureau members per household who are expected to live elsewhere."""

    def only(self, draws: slice) -> RegionDraws:
        """The same regions with some of the draws."""
        return replace(self, figures={name: values[:, draws] for name, values in self.figures.items()})


def region_draws(drawn: DataFrame, *, draws: int, levels: Sequence[str] = _ALL_LEVELS) -> RegionDraws:
    """Figures of every region in every draw.

    Bound: the households of one district in one Python worker, 8 bytes a draw each; on the driver a row per region.

    Args:
        drawn: households with gu_code, dong_code, output_area_id, weight, `_doubt` and `_totals` (won a year, one per draw).
        draws: how many there are.
        levels: which regions.
    """
    below = tuple(level for level in levels if level != _CITY)

    def summarise(table: pa.Table) -> pa.Table:
        return pa.concat_tables(_district(table, draws, below, has_city=_CITY in levels))

    found = (
        drawn.where("weight > 0")
        .select(*LEVELS.values(), F.col("weight").cast("double").alias("weight"), "_doubt", "_totals")
        .groupBy("gu_code")
        .applyInArrow(summarise, _SCHEMA)
        .toArrow()  # ok: a row per region
    )
    rows = found.to_pylist()
    tables = [row for row in rows if row["region_level"] in below]
    if _CITY in levels and rows:
        tables.append(_city([row for row in rows if row["region_level"] == _BINS], draws))
    tables.sort(key=lambda row: (_ALL_LEVELS.index(row["region_level"]), row["region_code"]))
    weight = np.array([row["weight"] for row in tables], np.float64)
    sums = np.array([row["sums"] for row in tables], np.float64).reshape(len(tables), draws)
    figures = {name: np.array([row[name] for row in tables], np.float64).reshape(len(tables), draws) for name in _RANKED}
    return RegionDraws(
        np.array([row["region_level"] for row in tables], dtype=np.str_),
        np.array([row["region_code"] for row in tables], dtype=np.str_),
        weight / WEIGHT_UNITS,
        {MEAN: sums / np.maximum(weight, 1.0)[:, None] * _GRAIN_KRW, **figures},
        np.array([row["doubt"] for row in tables], np.float64) / np.maximum(weight, 1.0) / DOUBT_UNITS,
    )


def _district(table: pa.Table, draws: int, levels: Sequence[str], *, has_city: bool) -> Iterator[pa.Table]:
    """The regions of a district, and its bins for the city."""
    weight = table["weight"].to_numpy()
    units, fixed = np.rint(weight * WEIGHT_UNITS).astype(np.int64), grouped.fixed_weights(weight)
    totals = table["_totals"].combine_chunks().flatten().to_numpy().reshape(table.num_rows, draws)
    thousands = np.rint(totals / _GRAIN_KRW).astype(np.int64)
    doubt = units * table["_doubt"].to_numpy()
    added = np.column_stack([units, doubt, units[:, None] * thousands])
    ranks = [grouped.sorted_by_value(totals[:, draw].astype(np.float64), weight) for draw in range(draws)]
    for level in levels:
        region = grouped.encode(table[LEVELS[level]])
        of_region = grouped.group(region.codes)
        sums = grouped.sums(of_region, added)
        ranked = np.empty((len(_RANKED), len(sums), draws))
        for draw, order in enumerate(ranks):
            value, weights = totals[order, draw].astype(np.float64), fixed[order]
            cells = grouped.group(region.codes[order])
            probabilities = [probability for _, probability in silver.QUANTILES]
            ranked[:-1, :, draw] = grouped.quantiles(cells, value=value, weight=weights, probabilities=probabilities).T
            ranked[-1, :, draw] = grouped_gini(cells, value=value, weight=weights)
        yield pa.table(
            [
                pa.repeat(level, len(sums)),
                region.take(of_region.first),
                pa.array(sums[:, 0]),
                pa.array(sums[:, 1]),
                _lists(sums[:, 2:]),
                *map(_lists, ranked),
            ],
            names=_SCHEMA.fieldNames(),
        ).cast(_arrow_schema())
    if has_city:
        whole = added.sum(axis=0)
        flat = np.concatenate([whole[2:], _binned(totals, units, thousands).ravel()])
        code = table["gu_code"][0].as_py()
        empty = [pa.array([None], pa.list_(pa.float64()))] * len(_RANKED)
        row = [pa.array([_BINS]), pa.array([code]), pa.array(whole[:1]), pa.array(whole[1:2]), _lists(flat[None, :]), *empty]
        yield pa.table(row, names=_SCHEMA.fieldNames()).cast(_arrow_schema())


def _lists(values: Floats | Integers) -> pa.Array:
    offsets = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.ascontiguousarray(values).ravel()))


def _arrow_schema() -> pa.Schema:
    lists = [(name, pa.list_(pa.float64())) for name in _RANKED]
    return pa.schema(
        [
            ("region_level", pa.string()),
            ("region_code", pa.string()),
            ("weight", pa.int64()),
            ("doubt", pa.int64()),
            ("sums", pa.list_(pa.int64())),
            *lists,
        ]
    )


def _binned(totals: Integers, units: Integers, thousands: Integers) -> Integers:
    """Draws x bins x (weight, income that is positive), in units."""
    bins = np.zeros((totals.shape[1], _LOWER.size, 2), np.int64)
    for draw in range(totals.shape[1]):
        at = np.searchsorted(_EDGES, totals[:, draw], side="right")
        np.add.at(bins[draw, :, 0], at, units)
        np.add.at(bins[draw, :, 1], at, units * np.maximum(thousands[:, draw], 0))
    return bins


def _city(districts: list[dict[str, list[int]]], draws: int) -> dict[str, object]:
    """The city's row: sums of its districts, quantiles and Gini coefficient from their bins."""
    flat = np.sum([np.array(row["sums"], np.int64) for row in districts], axis=0)
    bins = flat[draws:].reshape(draws, _LOWER.size, 2).astype(np.float64)
    figures: dict[str, list[float]] = {name: [] for name in _RANKED}
    for weight, income in zip(bins[:, :, 0], bins[:, :, 1], strict=True):
        through = np.cumsum(weight)
        for name, probability in silver.QUANTILES:
            target = probability * through[-1]
            at = int(np.searchsorted(through, target))
            share = (target - (through[at] - weight[at])) / weight[at]
            figures[name].append(float(_LOWER[at] + share * (_UPPER[at] - _LOWER[at])))
        earned = income.sum()
        ranked = float(np.sum(income * (2.0 * through - weight)))
        figures[GINI].append(ranked / (through[-1] * earned) - 1.0 if earned > 0.0 else np.nan)
    added = {name: sum(int(row[name]) for row in districts) for name in ("weight", "doubt")}  # type: ignore[call-overload]
    return {"region_level": _CITY, "region_code": codes.CITY_CODE, **added, "sums": flat[:draws].tolist(), **figures}
