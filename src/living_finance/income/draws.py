"""Incomes of all draws where the households are: profiles for benchmarking first, then one draw and means over draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from living_finance.contracts.silver import UNSEEN_CLASSES
from living_finance.income.evidence import NEEDED, as_city
from living_finance.income.model import CityHouseholds, DrawModel, IncomeModel
from living_finance.income.value_benchmark import AGE_GROUPS, BINS, COMPONENTS, Factors, Profile, age_group_of, bin_of
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import mixed

WEIGHT_UNITS = 2**14
"""Sums are of whole numbers of weight / 2^14: the same in any order."""
_AMOUNT_UNIT_KRW = 10_000
_SPENDING_KEY = 0x5E4D
_TRANSFER = COMPONENTS.index("transfer")
_OF_DONGS = -1
"""Draw, age and bin of a profile's rows that hold a dong's transfers."""
_PROFILE = T.StructType(
    [T.StructField(name, T.IntegerType()) for name in ("draw", "age", "bin")]
    + [T.StructField("dong_code", T.StringType())]
    + [T.StructField(name, T.LongType()) for name in ("households", *COMPONENTS)]
)


def profiles_of(evidence: DataFrame, model: IncomeModel) -> tuple[list[Profile], dict[str, float]]:
    """Profile of each draw, and the transfers of each dong in the first (KRW/year)."""
    shared = evidence.sparkSession.sparkContext.broadcast(model)

    def add_up(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        fitted = shared.value
        cells = np.zeros((len(fitted.draws), len(AGE_GROUPS) * BINS, 1 + len(COMPONENTS)))
        dongs: dict[str, float] = {}
        for batch in batches:
            city = as_city(pa.Table.from_batches([batch]))
            weight = np.rint(city.weight * WEIGHT_UNITS)
            age = age_group_of(city.households.head_age_band)
            for number, draw in enumerate(fitted.draws):
                amount = np.rint(draw.amounts(city) / _AMOUNT_UNIT_KRW)
                cell = age * BINS + bin_of(amount.sum(axis=0) * _AMOUNT_UNIT_KRW)
                for position, values in enumerate((weight, *(weight * a for a in amount))):
                    cells[number, :, position] += np.bincount(cell, weights=values, minlength=len(AGE_GROUPS) * BINS)
                if number == 0:
                    sums = np.bincount(city.dong, weights=weight * amount[_TRANSFER], minlength=len(city.dongs))
                    for code, total in zip(city.dongs, sums.tolist(), strict=True):
                        dongs[code] = dongs.get(code, 0.0) + total
        of_draw, cell = np.nonzero(cells[:, :, 0])
        of_dong = np.zeros((len(dongs), 1 + len(COMPONENTS)))
        of_dong[:, 1 + _TRANSFER] = list(dongs.values())
        places = np.column_stack([of_draw, cell // BINS, cell % BINS])
        keys = np.concatenate([places, np.full((len(dongs), 3), _OF_DONGS)]).astype(np.int32)
        sums_of = np.concatenate([cells[of_draw, cell], of_dong]).astype(np.int64)
        codes_of = pa.array([None] * len(cell) + list(dongs), pa.string())
        yield pa.RecordBatch.from_arrays(
            [*(pa.array(column) for column in keys.T), codes_of, *(pa.array(column) for column in sums_of.T)],
            names=_PROFILE.fieldNames(),
        )

    sums = (
        evidence.where("weight > 0")
        .select(*NEEDED)
        .mapInArrow(add_up, _PROFILE)
        .groupBy("draw", "age", "bin", "dong_code")
        .agg(*(F.sum(name).alias(name) for name in ("households", *COMPONENTS)))
        .collect()  # ok: draws x bins x age groups, and a row per dong
    )
    profiles = [np.zeros((len(AGE_GROUPS), BINS, 1 + len(COMPONENTS))) for _ in model.draws]
    dongs = {}
    for row in sums:
        if row["draw"] == _OF_DONGS:
            dongs[row["dong_code"]] = row["transfer"] / WEIGHT_UNITS * _AMOUNT_UNIT_KRW
        else:
            values = [row["households"], *(row[name] * _AMOUNT_UNIT_KRW for name in COMPONENTS)]
            profiles[row["draw"]][row["age"], row["bin"]] = np.array(values, dtype=np.float64) / WEIGHT_UNITS
    return profiles, dict(sorted(dongs.items()))


_KEPT = (
    *("base_month", "gu_code", "household_id", "household_source", "address_id", "dong_code", "output_area_id", "dwelling_type"),
    *("tenure", "household_type", "household_size", "head_sex", "head_age_band", "bureau_members", "weight", "is_group_quarters"),
    *("is_provisional", "bureau_debt_krw", "_doubt"),
)


def drawn_households(
    evidence: DataFrame,
    *,
    model: IncomeModel,
    by_draw: tuple[Factors, ...],
    lifts: Mapping[str, float],
    apart: Sequence[tuple[DrawModel, Factors]] = (),
) -> DataFrame:
    """Households with one draw (`_<component>`), means over draws (`_mean_<component>`), totals of all draws, spending.

    Args:
        evidence: rows of `income_evidence` with `_place`.
        model: its draws make the means.
        by_draw: what each of them is multiplied by.
        lifts: of transfers, by dong.
        apart: further fits and factors, whose totals follow in `_totals` and are in no mean.
    """
    fits = (*zip(model.draws, by_draw, strict=True), *apart)
    shared = evidence.sparkSession.sparkContext.broadcast((model, fits, dict(lifts)))
    kept = list(evidence.select(*_KEPT).schema)
    schema = T.StructType(
        [
            *kept,
            *(T.StructField(f"_{name}", T.LongType()) for name in COMPONENTS),
            *(T.StructField(f"_mean_{name}", T.DoubleType()) for name in COMPONENTS),
            T.StructField("_totals", T.ArrayType(T.LongType())),
            T.StructField("_spending", T.DoubleType()),
        ]
    )

    def draw_all(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        fitted, all_fits, lift_of = shared.value
        point, draws = fitted.draws[0], len(fitted.draws)
        for batch in batches:
            city = as_city(pa.Table.from_batches([batch]))
            lift = np.array([lift_of.get(code, 1.0) for code in city.dongs])[city.dong]
            mean = np.zeros((len(COMPONENTS), batch.num_rows))
            totals = np.zeros((batch.num_rows, len(all_fits)), np.int64)
            of_point = point.amounts(city)
            for number, (draw, factor) in enumerate(all_fits):
                amount = of_point if draw is point else draw.amounts(city)
                by_household = factor.of_households(amount.sum(axis=0), city.households.head_age_band)
                amount = amount * np.asarray(factor.ratios)[:, None] * by_household
                amount[_TRANSFER] *= lift
                totals[:, number] = np.rint(amount.sum(axis=0)).astype(np.int64)
                if number < draws:
                    mean += amount
                if number == 0:
                    first = np.rint(amount).astype(np.int64)
            mean /= draws
            spent = batch["bureau_spending_krw_month"].to_numpy(zero_copy_only=False).astype(np.float64)
            spending = _spending(spent, batch, city, fitted, total=first.sum(axis=0))
            offsets = np.arange(0, totals.size + 1, totals.shape[1], dtype=np.int32)
            yield pa.RecordBatch.from_arrays(
                [
                    *(batch[f.name] for f in kept),
                    *(pa.array(values) for values in first),
                    *(pa.array(values) for values in mean),
                    pa.ListArray.from_arrays(pa.array(offsets), pa.array(totals.ravel())),
                    pa.array(spending),
                ],
                names=schema.fieldNames(),
            )

    needed = dict.fromkeys((*_KEPT, *NEEDED, "bureau_spending_krw_month"))
    return evidence.select(*needed).mapInArrow(draw_all, schema)


def _spending(spent: Floats, batch: pa.RecordBatch, city: CityHouseholds, model: IncomeModel, *, total: Integers) -> Floats:
    """The bureau's spending grossed up for adults of 20 or more whom it does not know; drawn where it knows nobody."""
    known = batch["bureau_members"].to_numpy(zero_copy_only=False).astype(np.int64)
    is_grown = np.array([age >= 20 for _, age in UNSEEN_CLASSES])[city.earners.unseen_class]
    unknown = np.bincount(city.earners.unseen_household[is_grown], minlength=known.size)
    grossed: Floats = spent * (known + unknown) / np.maximum(known, 1)
    if model.spending is None:
        return grossed
    drawn = model.spending.draw(total.astype(np.float64), city.households.size, key=mixed(_SPENDING_KEY, city.key))
    spending: Floats = np.where(known > 0, grossed, drawn)
    return spending
