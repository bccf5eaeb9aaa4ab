"""Incomes of all draws where the households are: profiles for benchmarking first, then one draw and means over draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from living_finance.income.evidence import NEEDED, as_city
from living_finance.income.model import CityHouseholds, DrawModel, IncomeModel, market_need
from living_finance.income.programmes import SCORE_BINS, Benefits, DongProgrammes, score_counts
from living_finance.income.value_benchmark import BINS, COMPONENTS, Factors, Profile, cell_of, empty_profile, tenure_of
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import mixed

WEIGHT_UNITS = 2**14
"""Sums are of whole numbers of weight / 2^14: the same in any order."""
_AMOUNT_UNIT_KRW = 10_000
_SPENDING_KEY = 0x5E4D
_TRANSFER = COMPONENTS.index("transfer")
_OF_DONGS = -1
"""Draw of a profile's rows that count a dong's persons by programme (in place of the group) and bin of score."""
_PROFILE = T.StructType(
    [T.StructField(name, T.IntegerType()) for name in ("draw", "group", "bin")]
    + [T.StructField("dong_code", T.StringType())]
    + [T.StructField(name, T.LongType()) for name in ("households", *COMPONENTS)]
)


def profiles_of(
    evidence: DataFrame, model: IncomeModel, benefits: Benefits, *, by_tenure: bool
) -> tuple[list[Profile], dict[str, dict[str, Floats]]]:
    """Profile of each draw, and of the first draw who may receive each programme: weighted persons by dong and bin of score.

    Args:
        evidence: rows of `income_evidence` with `_place`.
        model: one profile for each of its draws.
        benefits: of the month.
        by_tenure: whether profiles have groups of tenure.
    """
    shared = evidence.sparkSession.sparkContext.broadcast(model)
    programmes, may = sorted(benefits.recipients), benefits.may

    def add_up(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        fitted = shared.value
        cells = np.stack([empty_profile(by_tenure=by_tenure).reshape(-1, 1 + len(COMPONENTS)) for _ in fitted.draws])
        dongs: dict[str, Floats] = {}
        for batch in batches:
            city = as_city(pa.Table.from_batches([batch]))
            weight = np.rint(city.weight * WEIGHT_UNITS)
            tenure = tenure_of(city.households.tenure)
            for number, draw in enumerate(fitted.draws):
                drawn = draw.amounts(city)
                amount = np.rint(drawn / _AMOUNT_UNIT_KRW)
                total = amount.sum(axis=0) * _AMOUNT_UNIT_KRW
                cell = cell_of(total, city.households.head_age_band, tenure, by_tenure=by_tenure)
                for position, values in enumerate((weight, *(weight * a for a in amount))):
                    cells[number, :, position] += np.bincount(cell, weights=values, minlength=cells.shape[1])
                if number == 0:
                    need = market_need(drawn, city)
                    counts = [
                        score_counts(
                            city.people,
                            need,
                            weight,
                            city.dong,
                            places=len(city.dongs),
                            programme=name,
                            may=may,
                            draw=draw.draw,
                        )
                        for name in programmes
                    ]
                    for position, code in enumerate(city.dongs if counts else ()):
                        dongs[code] = dongs.get(code, 0.0) + np.stack([of[position] for of in counts])
        of_draw, cell = np.nonzero(cells[:, :, 0])
        keys, sums_of = [np.column_stack([of_draw, cell // BINS, cell % BINS])], [cells[of_draw, cell]]
        codes_of: list[str | None] = [None] * len(cell)
        for code, counted in dongs.items():
            programme, score = np.nonzero(counted)
            keys.append(np.column_stack([np.full(score.size, _OF_DONGS), programme, score]))
            sums_of.append(np.zeros((score.size, 1 + len(COMPONENTS))))
            sums_of[-1][:, 0] = counted[programme, score]
            codes_of += [code] * score.size
        yield pa.RecordBatch.from_arrays(
            [
                *(pa.array(column) for column in np.concatenate(keys).astype(np.int32).T),
                pa.array(codes_of, pa.string()),
                *(pa.array(column) for column in np.concatenate(sums_of).astype(np.int64).T),
            ],
            names=_PROFILE.fieldNames(),
        )

    sums = (
        evidence.where("weight > 0")
        .select(*NEEDED)
        .mapInArrow(add_up, _PROFILE)
        .groupBy("draw", "group", "bin", "dong_code")
        .agg(*(F.sum(name).alias(name) for name in ("households", *COMPONENTS)))
        .collect()  # ok: draws x bins x groups, and dongs x programmes x bins of score
    )
    profiles = [empty_profile(by_tenure=by_tenure) for _ in model.draws]
    found: dict[str, dict[str, Floats]] = {programme: {} for programme in programmes}
    for row in sums:
        if row["draw"] == _OF_DONGS:
            of_dong = found[programmes[row["group"]]].setdefault(row["dong_code"], np.zeros(SCORE_BINS))
            of_dong[row["bin"]] = row["households"] / WEIGHT_UNITS
        else:
            values = [row["households"], *(row[name] * _AMOUNT_UNIT_KRW for name in COMPONENTS)]
            profiles[row["draw"]][row["group"], row["bin"]] = np.array(values, dtype=np.float64) / WEIGHT_UNITS
    return profiles, found


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
    programmes: DongProgrammes,
    apart: Sequence[tuple[DrawModel, Factors]] = (),
) -> DataFrame:
    """Households with one draw (`_<component>`), means over draws (`_mean_<component>`), totals of all draws, spending.

    Programmes pay at least what they were paid: benchmarking moves a household's transfers together, never below it.

    Args:
        evidence: rows of `income_evidence` with `_place`.
        model: its draws make the means.
        by_draw: what each of them is multiplied by.
        programmes: of the month, by dong.
        apart: further fits and factors, whose totals follow in `_totals` and are in no mean.
    """
    fits = (*zip(model.draws, by_draw, strict=True), *apart)
    shared = evidence.sparkSession.sparkContext.broadcast((model, fits, programmes))
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
        fitted, all_fits, of_dongs = shared.value
        point, draws = fitted.draws[0], len(fitted.draws)
        for batch in batches:
            city = as_city(pa.Table.from_batches([batch]))
            mean = np.zeros((len(COMPONENTS), batch.num_rows))
            totals = np.zeros((batch.num_rows, len(all_fits)), np.int64)
            tenure = tenure_of(city.households.tenure)

            def drawn(draw: DrawModel, city: CityHouseholds = city) -> tuple[Floats, Floats]:
                placed = of_dongs.at(city.dongs, city.dong, of=draw.programmes, first=point.programmes)
                return draw.with_programmes(city, placed)

            of_point = drawn(point)
            for number, (draw, factor) in enumerate(all_fits):
                amount, received = of_point if draw is point else drawn(draw)
                by_household = factor.of_households(amount.sum(axis=0), city.households.head_age_band, tenure)
                amount = amount * np.asarray(factor.ratios)[:, None] * by_household
                amount[_TRANSFER] = np.maximum(amount[_TRANSFER], received)
                totals[:, number] = np.rint(amount.sum(axis=0)).astype(np.int64)
                if number < draws:
                    mean += amount
                if number == 0:
                    first = np.rint(amount).astype(np.int64)
            mean /= draws
            spending = _spending(city, fitted, total=first.sum(axis=0))
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

    needed = dict.fromkeys((*_KEPT, *NEEDED))
    return evidence.select(*needed).mapInArrow(draw_all, schema)


def _spending(city: CityHouseholds, model: IncomeModel, *, total: Integers) -> Floats:
    """The bureau's spending, grossed up for adults of 20 or more whom it does not know; drawn where it knows nobody."""
    if model.spending is None:
        return np.nan_to_num(city.spending)
    drawn = model.spending.draw(total.astype(np.float64), city.households.size, key=mixed(_SPENDING_KEY, city.key))
    spending: Floats = np.where(np.isfinite(city.spending), city.spending, drawn)
    return spending
