"""Tenure: loans tell; else it is drawn by what the survey says of households alike, so that each output area has its census.

A mortgage says owned, a jeonse loan jeonse. For the others a multinomial logistic regression of the survey's tenure on head's
age, size, dwelling type and earnings gives chances; earnings count by their distance from the mean log in standard deviations,
of survey and bureau each, since scores are on a scale of their own. One factor per tenure and output area then carries the
chances to what its margin leaves when the loans are taken out. That owners with and without a mortgage are alike in these
characteristics is an assumption: no source shows owners without one.

Source: Agresti (2013), Categorical Data Analysis, 3rd edition, ch. 8 (multinomial logit); Deming & Stephan (1940), Annals of
Mathematical Statistics 11(4), 427-444 (raking). Decision 0057.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from living_finance.contracts import codes
from living_finance.methods.census import expected_count
from living_finance.methods.grouped import Floats
from living_finance.methods.joins import join_to_one
from living_finance.methods.keyed_random import uniform
from living_finance.methods.multinomial import fit_multinomial

_TENURES = codes.TENURE.codes
_EACH = range(len(_TENURES))
_AGES = (30, 40, 50, 60, 70)
_SIZES = (2, 3, 4)
_CELLS = (len(_AGES) + 1, len(_SIZES) + 1, len(codes.DWELLING_TYPE.codes) + 1, 2)
_FURTHEST = 3.0
"""Standard deviations of log earnings beyond which nothing is said."""
_LOG_UNITS, _MICRO = 1e4, 1e6
_ROUNDS, _TOLERANCE = 200, 1e-6
_NEVER = -700.0
"""Log factor of a tenure that a margin leaves nothing of."""


@dataclass(frozen=True)
class TenureModel:
    """Log chances of each tenure but for a constant, as the survey has them."""

    intercepts: Mapping[str, float]
    coefficients: Mapping[str, Mapping[str, float]]
    """Tenure → term → coefficient."""

    def cells(self) -> list[tuple[float, ...]]:
        """Every cell of `_cell` and its log chances where earnings are at their mean."""

        def log_chance(tenure: str, terms: Sequence[str]) -> float:
            known = self.coefficients[tenure]
            return self.intercepts[tenure] + sum(known.get(term, 0.0) for term in terms)

        found = []
        for position, (age, size, dwelling, earns) in enumerate(itertools.product(*map(range, _CELLS))):
            terms = [f"age {limit}" for limit in _AGES[:age]] + [f"size {limit}" for limit in _SIZES[:size]]
            terms += [codes.DWELLING_TYPE.codes[dwelling - 1]] * (dwelling > 0) + ["earns"] * earns
            found.append((position, *(log_chance(tenure, terms) for tenure in _TENURES)))
        return found

    def log_chances(self) -> list[Column]:
        """One per tenure, in the order of the code list, of rows with `_distance` and their cell's `_base_<n>`."""
        slopes = [self.coefficients[tenure].get("distance", 0.0) for tenure in _TENURES]
        return [F.col(f"_base_{k}") + F.lit(slope) * F.col("_distance") for k, slope in enumerate(slopes)]


NOTHING_SURVEYED = TenureModel(dict.fromkeys(_TENURES, 0.0), {tenure: {} for tenure in _TENURES})
"""All tenures are as likely as the margin says."""


def fit_tenure(survey: DataFrame) -> TenureModel:
    """Fit the regression to silver.SURVEY_HOUSEHOLD; a tenure that nobody surveyed has counts as half a household."""
    # Collected: about 1,000 households whatever the size of the city.
    rows = survey.orderBy("survey_household_id").toPandas()  # ok: about 1,000 surveyed households
    earned = rows["labour_income_krw_year"].astype(float) + rows["business_income_krw_year"].astype(float)
    has = earned > 0.0
    log = np.log(earned.where(has))
    rows = rows.assign(_distance=((log - log.mean()) / (log.std(ddof=0) or 1.0)).fillna(0.0), _has=has)[earned.notna()]
    if rows["tenure"].nunique() < 2:
        return NOTHING_SURVEYED
    terms = {
        **{f"age {age}": rows["head_age"] >= age for age in _AGES},
        **{f"size {size}": rows["household_size"] >= size for size in _SIZES},
        **{kind: rows["dwelling_type"] == kind for kind in codes.DWELLING_TYPE.codes},
        "earns": rows["_has"],
        "distance": rows["_distance"].clip(-_FURTHEST, _FURTHEST),
    }
    return _regression(pd.DataFrame(terms).astype(float), rows["tenure"], rows["weight"].astype(float))


def _regression(terms: pd.DataFrame, tenure: pd.Series[str], weight: pd.Series[float]) -> TenureModel:
    relative = np.asarray(weight / weight.mean(), dtype=np.float64)
    classes, coefficients, intercepts = fit_multinomial(terms.to_numpy(), tenure.to_numpy(), weight=relative, rounds=500)
    seen = {str(name): (level, row) for name, level, row in zip(classes, intercepts, coefficients, strict=True)}
    rarest = intercepts.min() - np.log(2.0 * len(terms))
    of = {name: seen.get(name, (rarest, np.zeros(terms.shape[1]))) for name in _TENURES}
    return TenureModel(
        {name: float(level) for name, (level, _) in of.items()},
        {name: dict(zip(terms.columns, map(float, row), strict=True)) for name, (_, row) in of.items()},
    )


def observed_tenure() -> Column:
    """What a loan says: a mortgage `owned`, else a jeonse loan `jeonse`, else unknown."""
    return F.when(F.col("bureau_mortgage_balance_krw") > 0, "owned").when(F.col("bureau_jeonse_loan_balance_krw") > 0, "jeonse")


@dataclass(frozen=True)
class DrawnTenure:
    """Lazy tables; whoever uses `households` more than once persists `moments` and `areas` first."""

    moments: DataFrame
    """One row: mean and standard deviation of households' log earnings, by the bureau."""
    areas: DataFrame
    """One row per output area with a margin, of `_AREAS`."""
    households: DataFrame
    """The formed rows with `tenure`."""


def draw_tenure(formed: DataFrame, *, margins: DataFrame, model: TenureModel, seed: int) -> DrawnTenure:
    """Tenure observed by a loan, else drawn so that the output area's margin is met in expectation.

    The margin of an output area is scaled to its formed private households; what the loans have not used up of
    it (not below 0) is shared among the others by the model's chances times a factor per tenure. Where an area leaves
    nothing or the census lacks it, the factors are what its district leaves over what the chances add up to there; without
    those the chances are the model's alone.

    Args:
        formed: rows of `form_households`.
        margins: silver.CENSUS_MARGIN of the month; masked counts stand for their middle.
        model: of the survey.
        seed: the run's seed. A household with the same id draws the same number every month.
    """
    moments, chances = _moments(formed), model.log_chances()
    cells = formed.sparkSession.createDataFrame(model.cells(), ["_cell", *(f"_base_{k}" for k in _EACH)])
    # One row (sums without groups), and some hundred cells: expressions of all terms are too long to be compiled.
    placed = formed.crossJoin(F.broadcast(moments)).withColumns({"_cell": _cell(), "_distance": _distance()})
    scored = join_to_one(placed, cells, on=["_cell"], how="left", broadcast=True)
    areas = _left_by_area(scored, chances, margins=margins)
    districts = areas.groupBy("gu_code").agg(
        *(F.sum(F.col(f"_{what}")[k].cast("bigint")).alias(f"_{what}_{k}") for what in ("left", "have") for k in _EACH)
    )
    of_district = F.array(
        *(
            F.when(F.col(f"_left_{k}") > 0, F.log(F.col(f"_left_{k}") / F.greatest(F.col(f"_have_{k}"), F.lit(1)))).otherwise(
                _NEVER
            )
            for k in _EACH
        )
    )
    # At most 19,000 and 25 rows for the city: sent to every task.
    by_area = areas.where("_log_factors IS NOT NULL").select("output_area_id", "_log_factors")
    by_district = districts.where(_added([F.col(f"_left_{k}") for k in _EACH]) > 0).select(
        "gu_code", of_district.alias("_district_factors")
    )
    joined = join_to_one(scored, by_area, on=["output_area_id"], how="left", broadcast=True)
    joined = join_to_one(joined, by_district, on=["gu_code"], how="left", broadcast=True)
    factors = F.coalesce("_log_factors", "_district_factors")
    log = {f"_log_{k}": chance + F.coalesce(factors[k], F.lit(0.0)) for k, chance in enumerate(chances)}
    through = itertools.accumulate(F.exp(F.col(name) - F.greatest(*log)) for name in log)
    number = uniform(F.col("household_id"), seed=seed, purpose="tenure")
    # Step by step: each column is computed once, not wherever it is used.
    households = (
        joined.withColumns(log)
        .withColumns({f"_through_{k}": each for k, each in enumerate(through)})
        .withColumn("tenure", F.coalesce(observed_tenure(), _drawn(number, [F.col(f"_through_{k}") for k in _EACH])))
        .select(*formed.columns, "tenure")
    )
    return DrawnTenure(moments, areas, households)


def _earned() -> Column:
    return F.col("bureau_labour_income_krw_year") + F.col("bureau_business_income_krw_year")


def _added(columns: Sequence[Column]) -> Column:
    return functools.reduce(operator.add, columns)


def _moments(formed: DataFrame) -> DataFrame:
    """Sums of whole numbers: the same in any order."""
    log = F.when((_earned() > 0) & ~F.col("is_group_quarters"), F.rint(F.log(_earned()) * F.lit(_LOG_UNITS)).cast("bigint"))
    sums = formed.select(log.alias("_log")).agg(
        F.count("_log").cast("double").alias("_number"),
        F.sum("_log").cast("double").alias("_sum"),
        F.sum(F.col("_log") * F.col("_log")).cast("double").alias("_squares"),
    )
    mean = F.try_divide(F.col("_sum"), F.col("_number"))
    deviation = F.sqrt(F.greatest(F.try_divide(F.col("_squares"), F.col("_number")) - mean * mean, F.lit(1.0)))
    return sums.select((mean / F.lit(_LOG_UNITS)).alias("_mean"), (deviation / F.lit(_LOG_UNITS)).alias("_deviation"))


def _cell() -> Column:
    """Position of a household's age, size, dwelling type and whether it earns among `_CELLS`."""

    def reached(name: str, limits: Sequence[int]) -> Column:
        return _added([(F.col(name) >= limit).cast("int") for limit in limits])

    kinds = F.array(*map(F.lit, codes.DWELLING_TYPE.codes))
    dwelling = F.coalesce(F.array_position(kinds, F.col("dwelling_type")), F.lit(0))
    parts = (reached("head_age_band", _AGES), reached("household_size", _SIZES), dwelling, (_earned() > 0).cast("int"))
    place = F.lit(0)
    for part, count in zip(parts, _CELLS, strict=True):
        place = place * count + part
    return place.cast("bigint")


def _distance() -> Column:
    """Log earnings from the mean of the city's, in standard deviations; 0 without earnings."""
    distance = F.when(_earned() > 0, (F.log(_earned()) - F.col("_mean")) / F.col("_deviation"))
    return F.coalesce(F.greatest(F.least(distance, F.lit(_FURTHEST)), F.lit(-_FURTHEST)), F.lit(0.0))


def _left_by_area(scored: DataFrame, chances: Sequence[Column], *, margins: DataFrame) -> DataFrame:
    """Rows of `_AREAS`."""
    counts, observed = expected_count(), observed_tenure()
    census = (
        margins.where(F.col("margin") == "tenure")
        .groupBy("output_area_id")
        .agg(*(F.sum(F.when(F.col("category") == tenure, counts).otherwise(0.0)).alias(tenure) for tenure in _TENURES))
    )
    known = (
        scored.where(~F.col("is_group_quarters") & F.col("output_area_id").isNotNull())
        .groupBy("output_area_id")
        .agg(
            F.max("gu_code").alias("gu_code"),
            F.count(F.lit(1)).cast("double").alias("_formed"),
            # Sorted: sums over them are the same in whatever order they come.
            F.array_sort(F.collect_list(F.when(observed.isNull(), F.array(*chances)))).alias("_log_chances"),
            *(F.count_if(observed == tenure).cast("double").alias(f"_known_{tenure}") for tenure in _TENURES),
        )
    )
    total = _added([F.col(tenure) for tenure in _TENURES])

    def left(tenure: str) -> Column:
        share = F.coalesce(F.try_divide(F.col(tenure) * F.col("_formed"), total), F.lit(0.0))
        return F.greatest(share - F.col(f"_known_{tenure}"), F.lit(0.0))

    return (
        join_to_one(known, census, on=["output_area_id"], how="inner")
        .select("gu_code", "output_area_id", "_log_chances", F.array(*map(left, _TENURES)).alias("_left"))
        .mapInArrow(_of_areas, _AREAS)
    )


_AREAS = T.StructType(
    [
        T.StructField("gu_code", T.StringType()),
        T.StructField("output_area_id", T.StringType()),
        T.StructField("_log_factors", T.ArrayType(T.DoubleType())),
        T.StructField("_left", T.ArrayType(T.DoubleType())),
        T.StructField("_have", T.ArrayType(T.DoubleType())),
    ]
)


def _of_areas(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Of each output area: log factors, null where nothing is left; what is left and what chances add up to, in millionths."""
    for batch in batches:
        found: list[list[list[float] | None]] = [[], [], []]
        for chances, of_area in zip(batch["_log_chances"], batch["_left"].to_pylist(), strict=True):
            log, left = chances.values.flatten().to_numpy().reshape(-1, len(_TENURES)), np.array(of_area)
            left *= len(log) / max(left.sum(), 1e-300)
            found[0].append(raked(log, left).tolist() if left.any() else None)
            for counts, amount in zip(found[1:], (left, _shares(log).sum(axis=0)), strict=True):
                counts.append(np.rint(amount * _MICRO).tolist())
        arrays = [pa.array(values, pa.list_(pa.float64())) for values in found]
        yield pa.RecordBatch.from_arrays([batch["gu_code"], batch["output_area_id"], *arrays], names=_AREAS.fieldNames())


def _shares(log: Floats) -> Floats:
    """Chances that add up to 1 in each row."""
    chance = np.exp(log - log.max(axis=1, keepdims=True))
    shares: Floats = chance / chance.sum(axis=1, keepdims=True)
    return shares


def raked(log_chances: Floats, left: Floats) -> Floats:
    """Log factors by which the chances of households add up to what is left.

    Args:
        log_chances: households x tenures, each but for a constant.
        left: households of each tenure, as many in all as there are.

    Returns:
        One per tenure.
    """
    factor = np.where(left > 0.0, 0.0, _NEVER)
    some = left > 0.0
    for _ in range(_ROUNDS):
        have = _shares(log_chances + factor).sum(axis=0)
        if np.abs(have - left)[some].max() < _TOLERANCE * len(log_chances):
            break
        factor[some] += np.log(left[some] / np.maximum(have[some], 1e-300))
    return factor


def _drawn(number: Column, through: Sequence[Column]) -> Column:
    """The tenure at a share of the chances added up."""
    at = number * through[-1]
    first, second, third, last = _TENURES
    return F.when(at < through[0], first).when(at < through[1], second).when(at < through[2], third).otherwise(last)
