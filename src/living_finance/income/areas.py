"""From drawn households to tables: areas consistent with means over draws, debt and spending, errors of regions."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import gold, silver
from living_finance.income.draws import WEIGHT_UNITS
from living_finance.income.householding_error import HouseholdingError
from living_finance.income.region_draws import FIGURES, GINI, MEAN, RegionDraws
from living_finance.income.value_benchmark import COMPONENTS, ratios_of_means
from living_finance.methods.grouped import Floats
from living_finance.methods.joins import join_to_one
from living_finance.months import Month

_LARGEST_RATIO = 2.0
"""Of a dong's draw to its mean over draws."""
_LARGEST_RATIO_NEAR = 1.5
"""Of an output area's."""
_EXPECTED = "expected_total_income_krw_year"
_FINE_WEIGHT_UNITS = 2**30
_DEBT_RATIO = 1.25
"""Bound of the correction of a dong's debt to the total of its bureau residents."""


def _weight() -> Column:
    return F.rint(F.col("weight") * F.lit(float(WEIGHT_UNITS))).cast("bigint")


def _weighted(column: Column) -> Column:
    """Exact sums: whole numbers of weight / 2^14 x 1,000 won."""
    return F.sum(_weight() * F.rint(column / F.lit(1000.0)).cast("bigint"))


def consistent(drawn: DataFrame) -> DataFrame:
    """Components of the one draw carried to their means over draws by ratios, of output areas and then of dongs.

    Those of output areas are held narrower, as few households there draw a component; those of dongs take up what they leave
    (decision 0074).
    """
    sums = (
        drawn.where("weight > 0")
        .groupBy("dong_code", "output_area_id")
        .agg(
            *(_weighted(F.col(f"_{name}")).alias(f"_sum_{name}") for name in COMPONENTS),
            *(_weighted(F.col(f"_mean_{name}")).alias(f"_sum_mean_{name}") for name in COMPONENTS),
        )
    )
    is_placed = F.col("output_area_id").isNotNull()
    areas = sums.withColumns(
        {f"_near_{name}": F.when(is_placed, _to_mean(name, largest=_LARGEST_RATIO_NEAR)).otherwise(1.0) for name in COMPONENTS}
    )
    # Whole numbers again, so that sums are exact.
    moved = {f"_sum_{name}": F.rint(F.col(f"_sum_{name}") * F.col(f"_near_{name}")).cast("bigint") for name in COMPONENTS}
    added = (f"_sum{infix}{name}" for name in COMPONENTS for infix in ("_", "_mean_"))
    dongs = areas.withColumns(moved).groupBy("dong_code").agg(*(F.sum(name).alias(name) for name in added))
    of_dongs = dongs.select("dong_code", *(_to_mean(name, largest=_LARGEST_RATIO).alias(f"_far_{name}") for name in COMPONENTS))
    of_areas = areas.where(is_placed).select("dong_code", "output_area_id", *(f"_near_{name}" for name in COMPONENTS))
    joined = join_to_one(drawn, of_dongs, on=["dong_code"], how="left", broadcast=True)
    joined = join_to_one(joined, of_areas, on=["dong_code", "output_area_id"], how="left", broadcast=True)
    ratios = {name: F.coalesce(f"_far_{name}", F.lit(1.0)) * F.coalesce(f"_near_{name}", F.lit(1.0)) for name in COMPONENTS}
    return joined.withColumns(
        {f"{name}_income_krw_year": F.rint(F.col(f"_{name}") * ratio).cast("bigint") for name, ratio in ratios.items()}
    )


def _to_mean(name: str, *, largest: float) -> Column:
    """Sum of a component's means over draws to that of its draw, bounded; 1 where either has none."""
    mean, drawn = F.col(f"_sum_mean_{name}"), F.col(f"_sum_{name}")
    return F.when((drawn > 0) & (mean > 0), _bounded(F.try_divide(mean, drawn), largest=largest)).otherwise(1.0)


def _bounded(ratio: Column, *, largest: float) -> Column:
    return F.least(F.greatest(ratio, F.lit(1.0 / largest)), F.lit(largest))


def debt_ratios(drawn: DataFrame, persons: DataFrame) -> DataFrame:
    """By dong: debt of all bureau residents ÷ weighted debt of households, those without weight taken from the former."""
    balance = functools.reduce(operator.add, (F.rint(F.col(name)).cast("bigint") for name in silver.BALANCE_COLUMNS))
    residents = (
        persons.where((F.col("residence") == "seoul") & F.col("dong_code").isNotNull())
        .groupBy("dong_code")
        .agg(F.sum(balance).alias("_owed"))
    )
    of_households = drawn.groupBy("dong_code").agg(
        _weighted(F.col("bureau_debt_krw")).alias("_held"),
        F.sum(F.when(F.col("weight") > 0, 0).otherwise(F.col("bureau_debt_krw"))).alias("_apart"),
    )
    joined = join_to_one(of_households, residents, on=["dong_code"], how="left")
    ratio = F.try_divide(F.col("_owed") - F.col("_apart"), F.col("_held") / F.lit(float(WEIGHT_UNITS)) * F.lit(1000.0))
    bounded = _bounded(ratio, largest=_DEBT_RATIO)
    return joined.select("dong_code", F.when(ratio.isNull(), 1.0).otherwise(bounded).alias("_debt_ratio"))


def last_ratios(households: DataFrame, published: Mapping[str, float | None]) -> dict[str, float]:
    """What carries weighted means to published ones, by column; 1 without any.

    Of components as in the draws (`ratios_of_means`): labour and business share what the others leave of the total.

    Args:
        households: rows of `with_totals`.
        published: means of `total`, components and `spending`, KRW.
    """
    columns = [*gold.INCOME_COMPONENTS, _EXPECTED, "_spending"]
    # Sums of whole numbers in 38 digits: exact, whatever the order; weights finer than in sums of 64 bits.
    weight = F.rint(F.col("weight") * F.lit(float(_FINE_WEIGHT_UNITS))).cast("decimal(20,0)")
    amounts = (F.sum(weight * F.rint(name).cast("decimal(18,0)")).alias(name) for name in columns)
    row = households.where("weight > 0").agg(F.sum(weight).alias("_weights"), *amounts).collect()[0]  # ok: one row of sums
    mean = {name: float((row[name] or 0) / row["_weights"]) if row["_weights"] else 0.0 for name in columns}
    told = {name: value for name, value in published.items() if value is not None and value > 0.0}
    components = ratios_of_means(np.array([mean[name] for name in gold.INCOME_COMPONENTS]), told)
    ratios = dict(zip(gold.INCOME_COMPONENTS, components.tolist(), strict=True))
    for name, of in ((_EXPECTED, "total"), ("_spending", "spending")):
        ratios[name] = told[of] / mean[name] if of in told and mean[name] > 0.0 else 1.0
    return ratios


def with_totals(consistent: DataFrame) -> DataFrame:
    """Rows of `consistent` with the total of the draw and the mean total over draws, before the last ratio."""
    return consistent.withColumns(
        {
            gold.TOTAL_INCOME: functools.reduce(operator.add, (F.col(name) for name in gold.INCOME_COMPONENTS)),
            _EXPECTED: functools.reduce(operator.add, (F.rint(F.col(f"_mean_{name}")).cast("bigint") for name in COMPONENTS)),
        }
    )


def finished(households: DataFrame, *, debts: DataFrame, published: Mapping[str, float | None], version: str) -> DataFrame:
    """gold.HOUSEHOLD of rows of `with_totals`.

    Published means are met by last ratios: draws meet them with an error each, and a small dong where nobody draws a component
    that some could have keeps less than its mean over draws.

    Args:
        households: rows of `with_totals`.
        debts: rows of `debt_ratios`.
        published: means of `total`, components and `spending`, KRW.
        version: of the model.
    """
    ratio = last_ratios(households, published)

    def scaled(name: str) -> Column:
        return F.rint(F.col(name) * F.lit(ratio[name])).cast("bigint")

    components = {name: scaled(name) for name in gold.INCOME_COMPONENTS}
    return (
        join_to_one(households, debts, on=["dong_code"], how="left", broadcast=True)
        .withColumns(components)
        .withColumns(
            {
                gold.TOTAL_INCOME: functools.reduce(operator.add, (F.col(name) for name in components)),
                _EXPECTED: scaled(_EXPECTED),
                "debt_krw": F.rint(F.col("bureau_debt_krw") * F.coalesce("_debt_ratio", F.lit(1.0))).cast("bigint"),
                "spending_krw_month": scaled("_spending"),
                "model_version": F.lit(version),
            }
        )
        .select(*gold.HOUSEHOLD.column_names)
    )


def area_errors(found: RegionDraws, *, month: Month, householding: HouseholdingError | None = None) -> pa.Table:
    """silver.AREA_INCOME: averages over draws and how draws spread, one row per region.

    The first draw is the point fit: spreads are taken among the others, as errors of an average over draws (Rubin 1987, ch. 3).
    """
    centre, spread = _over_draws(found)
    columns = {
        "base_month": [month.date] * len(found.code),
        "region_level": found.level.tolist(),
        "region_code": found.code.tolist(),
        "households": found.households,
        "mean_total_income_krw_year": _whole(centre[MEAN]),
        "rmse_mean_total_income_krw_year": _whole(spread[MEAN]),
        "gini_total_income": _known(centre[GINI]),
        "spread_gini_total_income": _known(spread[GINI]),
    }
    for name, _ in silver.QUANTILES:
        columns[f"{name}_{gold.TOTAL_INCOME}"] = _whole(centre[name])
        columns[f"spread_{name}_{gold.TOTAL_INCOME}"] = _whole(spread[name])
    for name in FIGURES:
        apart = householding.of(name, found) if householding else np.full(len(found.code), np.nan)
        column = _known if name == GINI else _whole
        columns[silver.HOUSEHOLDING_ERRORS[name]] = column(apart)
    return pa.table([columns[name] for name in silver.AREA_INCOME.column_names], names=list(silver.AREA_INCOME.column_names))


def _over_draws(found: RegionDraws) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Average of each figure by region, and its error."""
    centre, spread = {}, {}
    for name, by_draw in found.figures.items():
        later = by_draw[:, 1:] if by_draw.shape[1] > 2 else by_draw
        centre[name] = by_draw.mean(axis=1)
        plain = later.std(axis=1, ddof=1) if later.shape[1] > 1 else np.full(len(later), np.nan)
        spread[name] = plain * np.sqrt(1.0 + 1.0 / later.shape[1])
    return centre, spread


def error_budget(
    found: RegionDraws, *, survey: RegionDraws, published: RegionDraws, householding: HouseholdingError | None, month: Month
) -> pa.Table:
    """gold.ERROR_BUDGET: root mean square over the regions of a level of each part of the error, relative to the figure.

    Sampling and benchmarking vary alone over some draws; the model's part is what they leave of the same draws: the chances of
    households and areas. The variance over all draws is divided in the proportions of the three.

    Args:
        found: figures in all draws, the first from the point fit.
        survey: in draws that differ from it by the survey's bootstrap only.
        published: in draws that differ from it by the errors of published figures only.
        householding: None: not known.
        month: written into every row.
    """
    centre, spread = _over_draws(found)
    rows: list[tuple[object, ...]] = []
    for level in dict.fromkeys(found.level.tolist()):
        of_level = found.level == level
        for name, by_draw in found.figures.items():
            usual = of_level & (np.nan_to_num(centre[name]) > 0.0)
            if not usual.any():
                continue
            figure = centre[name][usual]
            alone = [of.figures[name][usual] for of in (survey, published)]
            rest = by_draw[usual, 1 : 1 + alone[0].shape[1]] - alone[0] - alone[1]
            spreads = [each.std(axis=1, ddof=1) if each.shape[1] > 1 else np.full(len(each), np.nan) for each in (rest, *alone)]
            parts = np.array([_mean_square(each / figure) for each in spreads])
            drawn = _mean_square(spread[name][usual] / figure)
            formed = _mean_square(householding.of(name, found)[usual] / figure) if householding else np.nan
            parts *= drawn / parts.sum() if parts.sum() > 0.0 else np.nan
            squares = np.array([formed, *parts, drawn + np.nan_to_num(formed)])
            rows.append((month.date, level, name, int(usual.sum()), *np.sqrt(squares).tolist()))
    columns = zip(*rows, strict=True) if rows else ((),) * len(gold.ERROR_BUDGET.columns)
    arrays = [pa.array(column, from_pandas=True) for column in columns]
    return pa.table(arrays, names=list(gold.ERROR_BUDGET.column_names))


def _mean_square(values: Floats) -> float:
    return float(np.mean(values**2))


def area_draws(found: RegionDraws, *, month: Month) -> pa.Table:
    """silver.AREA_INCOME_DRAW: what errors of differences between regions are taken from. Output areas are left out."""
    is_shown = found.level != "output_area"
    codes, draws = found.code[is_shown], found.figures[MEAN].shape[1]
    columns = {
        "base_month": [month.date] * (len(codes) * draws),
        "region_level": np.repeat(found.level[is_shown], draws).tolist(),
        "region_code": np.repeat(codes, draws).tolist(),
        "draw": pa.array(np.tile(np.arange(draws), len(codes)), pa.int32()),
        "gini_total_income": _known(found.figures[GINI][is_shown].ravel()),
    }
    for name in (MEAN, *(name for name, _ in silver.QUANTILES)):
        columns[f"{name}_{gold.TOTAL_INCOME}"] = _whole(found.figures[name][is_shown].ravel())
    names = list(silver.AREA_INCOME_DRAW.column_names)
    return pa.table([columns[name] for name in names], names=names)


def _whole(values: Floats) -> pa.Array:
    return pa.array(np.rint(values), from_pandas=True).cast(pa.int64())


def _known(values: Floats) -> pa.Array:
    return pa.array(values, from_pandas=True)
