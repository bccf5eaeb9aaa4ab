"""Income, first version: bureau sums, a two-part draw of the rest from the survey, one ratio to the published mean.

It is the documented baseline that the small-area model has to beat. Non-goals: correction of the bureau's scores,
income of adults outside the bureau (the ratio covers them on average only), area effects, several draws, error of
the estimates, benchmarks by group.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import codes, gold
from living_finance.income.donors import AGE_GROUP_BOUNDS, SIZE_GROUPS, ComponentCell, SurveyRow, fit_component
from living_finance.income.published import Published, published_figures
from living_finance.methods.joins import join_to_one
from living_finance.methods.keyed_random import uniform
from living_finance.months import Month

MODELLED = ("property", "transfer", "irregular")
"""Components that the bureau does not see."""
OBSERVED = ("labour", "business")


@dataclass(frozen=True)
class IncomeParameters:
    """Choices of the estimate."""

    donors_kept: int = 256
    """Order statistics kept of a cell's positive amounts."""
    min_households: int = 30
    """Surveyed households a cell's share needs; fewer borrow from the age group, then from everybody."""
    min_positive: int = 10
    """Positive amounts a cell's donors need; fewer borrow likewise."""


@dataclass(frozen=True)
class IncomeFit:
    """What was fitted for a month. Holds no surveyed household and no person: counts, shares and means only."""

    month: str
    seed: int
    model_version: str
    """`first-version/` and 12 hex digits over everything that was learned, donors included."""
    parameters: Mapping[str, int]
    ratios: Mapping[str, float]
    """labour_business, property, transfer, irregular: what values were multiplied by."""
    benchmarks: Mapping[str, Published]
    notes: tuple[str, ...]
    """Benchmarks that were missing or could not be met."""
    metrics: Mapping[str, float]
    """Weighted means before and after benchmarking (KRW/year), households and their weight."""
    cells: tuple[Mapping[str, float | str], ...]
    """Share and mean of each component in each cell, with the surveyed households they rest on."""

    def to_json(self) -> str:
        """The fit as JSON, keys sorted."""
        return json.dumps(asdict(self), sort_keys=True, indent=1, ensure_ascii=False)


@dataclass(frozen=True)
class _Means:
    """Weighted means before benchmarking."""

    households: int
    weight: float
    labour_business: float
    modelled: Mapping[str, float]


_Cells = Mapping[str, Mapping[tuple[int, int], ComponentCell]]


def estimate_income(
    households: DataFrame,
    *,
    survey: DataFrame,
    benchmarks: DataFrame,
    month: Month,
    seed: int,
    parameters: IncomeParameters | None = None,
) -> tuple[DataFrame, IncomeFit]:
    """Income by component of every household, with the city's means equal to the published ones.

    - labour, business: sums of the bureau's figures over the members it knows, times one ratio. Adults that the
      bureau does not know have nothing of their own: the ratio lifts everybody for them. A loss stays a loss.
    - property, transfer, irregular: two-part draw by head's age and household size. A household has any with the
      survey's weighted share of its cell, and then one of the cell's amounts: zeros and variance are kept.
      A household with the same id draws the same numbers every month.
    - benchmarks: region 11, everybody, as `income.published` chooses them. First each modelled component to its own mean
      where there is one, then labour and business by one ratio so that the total has its mean. A missing benchmark
      leaves the ratio at 1 and a note in the fit.

    Args:
        households: silver.HOUSEHOLD of the month; read twice (once for the weighted means).
        survey: silver.SURVEY_HOUSEHOLD used for the month.
        benchmarks: silver.BENCHMARK used for the month.
        month: the month.
        seed: the run's seed.
        parameters: choices; the defaults if None.

    Returns:
        gold.HOUSEHOLD (lazy; one row per household, components in whole won that add up to the total) and the fit.
        `expected_total_income_krw_year` has the mean over draws instead of the draw.

    Source: two-part model, Duan, Manning, Morris & Newhouse (1983); ratio to a published total, Särndal, Swensson &
    Wretman (1992), ch. 7.
    """
    chosen = parameters or IncomeParameters()
    cells = _fit_cells(survey, chosen)
    drawn = _draw(households, cells=cells, seed=seed)
    means = _weighted_means(drawn)
    published, refused = _published_means(benchmarks, month=month)
    ratios, notes = _benchmark_ratios(means, published)
    learned = {
        "month": str(month),
        "seed": seed,
        "parameters": asdict(chosen),
        "ratios": ratios,
        "cells": [[name, *group, *asdict(cell).values()] for name, by_group in cells.items() for group, cell in by_group.items()],
    }
    digest = hashlib.sha256(json.dumps(learned, sort_keys=True).encode()).hexdigest()[:12]
    fit = IncomeFit(
        month=str(month),
        seed=seed,
        model_version=f"first-version/{digest}",
        parameters=asdict(chosen),
        ratios=ratios,
        benchmarks=published,
        notes=(*notes, *refused),
        metrics=_metrics(means, ratios),
        cells=_summaries(cells),
    )
    return _apply(drawn, ratios=ratios, model_version=fit.model_version), fit


def _fit_cells(survey: DataFrame, parameters: IncomeParameters) -> _Cells:
    columns = ("head_age", "household_size", "weight", *(f"{name}_income_krw_year" for name in MODELLED))
    # Collected: a survey has about 1,000 households whatever the size of the city. Ordered, so that sums repeat.
    rows = survey.select(*columns).orderBy(*columns).collect()  # ok: about 1,000 surveyed households
    answers = [
        SurveyRow(
            weight=row["weight"],
            age_group=sum(row["head_age"] >= bound for bound in AGE_GROUP_BOUNDS),
            size_group=min(row["household_size"], SIZE_GROUPS) - 1,
            amounts={name: row[f"{name}_income_krw_year"] for name in MODELLED},
        )
        for row in rows
    ]
    return {
        name: fit_component(
            answers,
            name,
            donors_kept=parameters.donors_kept,
            min_households=parameters.min_households,
            min_positive=parameters.min_positive,
        )
        for name in MODELLED
    }


def _draw(households: DataFrame, *, cells: _Cells, seed: int) -> DataFrame:
    """Add `_<component>` (a draw, whole won) and `_<component>_expected` (its mean), before benchmarking."""
    schema = "_age_group int, _size_group int, " + ", ".join(
        f"_{name}_share double, _{name}_donors array<bigint>, _{name}_expected double" for name in MODELLED
    )
    rows = []
    for group in cells[MODELLED[0]]:
        parts = (cells[name][group] for name in MODELLED)
        rows.append((*group, *(value for cell in parts for value in (cell.share, list(cell.donors), cell.expected))))
    table = households.sparkSession.createDataFrame(rows, schema)
    age_group = F.lit(0)
    for bound in AGE_GROUP_BOUNDS:
        age_group = age_group + F.when(F.col("head_age_band") >= bound, 1).otherwise(0)
    size_group = F.least(F.col("household_size"), F.lit(SIZE_GROUPS)) - 1
    keyed = households.withColumns({"_age_group": age_group, "_size_group": size_group})
    numbers = {f"_{name}_number": uniform(F.col("household_id"), seed=seed, purpose=f"{name}_income") for name in MODELLED}
    return (
        join_to_one(keyed, table, on=["_age_group", "_size_group"], how="left", broadcast=True)
        .withColumns(numbers)
        .withColumns({f"_{name}": _two_part(name) for name in MODELLED})
    )


def _two_part(name: str) -> Column:
    """One number decides both parts: given that it is below the share, number / share is uniform again."""
    number, share, donors = F.col(f"_{name}_number"), F.col(f"_{name}_share"), F.col(f"_{name}_donors")
    count = F.size(donors)
    place = F.least(F.floor(F.try_divide(number, share) * count).cast("int"), count - 1)
    return F.when((number < share) & (count > 0), F.get(donors, place)).otherwise(F.lit(0).cast("bigint"))


def _weighted_means(drawn: DataFrame) -> _Means:
    """Exact sums: whole won within each weight, then decimals, so that no partitioning or order moves a ratio."""
    sums = {
        "labour_business": F.col("bureau_labour_income_krw_year") + F.col("bureau_business_income_krw_year"),
        **{name: F.col(f"_{name}") for name in MODELLED},
    }
    weight = F.col("weight").cast("decimal(18,10)")
    by_weight = drawn.groupBy("weight").agg(
        F.count(F.lit(1)).alias("households"), *(F.sum(amount).alias(name) for name, amount in sums.items())
    )
    row = by_weight.agg(
        F.sum("households").alias("households"),
        F.sum(weight * F.col("households").cast("decimal(19,0)")).alias("weight"),
        *(F.sum(weight * F.col(name).cast("decimal(19,0)")).alias(name) for name in sums),
    ).collect()[0]  # ok: one row of sums
    total = row["weight"] or Decimal(0)
    means = {name: float(row[name] / total) if total > 0 else 0.0 for name in sums}
    return _Means(
        households=row["households"] or 0,
        weight=float(total),
        labour_business=means["labour_business"],
        modelled={name: means[name] for name in MODELLED},
    )


def _published_means(benchmarks: DataFrame, *, month: Month) -> tuple[dict[str, Published], tuple[str, ...]]:
    """The mean to meet by component (and `total`), absent where there is none, and why others are not met."""
    wanted = {f"mean_{name}_income": name for name in ("total", *MODELLED)}
    figures, refused = published_figures(benchmarks.where(F.col("indicator").isin(*wanted)), month=month)
    everybody = {indicator: mean for (indicator, *of), mean in figures.items() if of == [codes.ALL, codes.ALL]}
    return {name: everybody[indicator] for indicator, name in wanted.items() if indicator in everybody}, refused


def _benchmark_ratios(means: _Means, published: Mapping[str, Published]) -> tuple[dict[str, float], tuple[str, ...]]:
    ratios: dict[str, float] = {}
    notes: list[str] = []
    for name, before in means.modelled.items():
        ratios[name] = 1.0
        if name not in published:
            notes.append(f"no published mean of {name} income: not benchmarked")
        elif before <= 0:
            notes.append(f"nobody draws {name} income: its published mean cannot be met")
        else:
            ratios[name] = published[name].value / before
    others = sum(before * ratios[name] for name, before in means.modelled.items())
    ratios["labour_business"] = 1.0
    if "total" not in published:
        notes.append("no published mean of total income: labour and business income not benchmarked")
    elif means.labour_business <= 0 or published["total"].value <= others:
        notes.append("the published mean of total income cannot be met by one positive ratio: not benchmarked")
    else:
        ratios["labour_business"] = (published["total"].value - others) / means.labour_business
    return ratios, tuple(notes)


def _metrics(means: _Means, ratios: Mapping[str, float]) -> dict[str, float]:
    before = {"labour_business": means.labour_business, **means.modelled}
    after = {name: value * ratios[name] for name, value in before.items()}
    return {
        "households": float(means.households),
        "weighted_households": means.weight,
        **{f"mean_{name}_before_krw_year": value for name, value in before.items()},
        "mean_total_before_krw_year": sum(before.values()),
        **{f"mean_{name}_after_krw_year": value for name, value in after.items()},
        "mean_total_after_krw_year": sum(after.values()),
    }


def _summaries(cells: _Cells) -> tuple[Mapping[str, float | str], ...]:
    return tuple(
        {
            "component": name,
            "age_group": float(age),
            "size_group": float(size),
            "share": cell.share,
            "mean_positive_krw_year": cell.mean_positive,
            "share_households": float(cell.share_households),
            "donor_households": float(cell.donor_households),
        }
        for name, by_group in cells.items()
        for (age, size), cell in by_group.items()
    )


def _apply(drawn: DataFrame, *, ratios: Mapping[str, float], model_version: str) -> DataFrame:
    """Scale, round each component to whole won, and add the rounded ones up."""

    def scaled(value: Column, ratio: float) -> Column:
        return F.rint(value * F.lit(ratio)).cast("bigint")

    observed = {
        f"{name}_income_krw_year": scaled(F.col(f"bureau_{name}_income_krw_year"), ratios["labour_business"]) for name in OBSERVED
    }
    modelled = {f"{name}_income_krw_year": scaled(F.col(f"_{name}"), ratios[name]) for name in MODELLED}
    expected = {f"_{name}_rounded": scaled(F.col(f"_{name}_expected"), ratios[name]) for name in MODELLED}
    return (
        drawn.withColumns({**observed, **modelled, **expected})
        .withColumns(
            {
                gold.TOTAL_INCOME: _sum(*observed, *modelled),
                "expected_total_income_krw_year": _sum(*observed, *expected),
                "debt_krw": F.col("bureau_debt_krw"),
                "spending_krw_month": F.col("bureau_spending_krw_month"),
                "model_version": F.lit(model_version),
            }
        )
        .select(*gold.HOUSEHOLD.column_names)
    )


def _sum(*names: str) -> Column:
    first, *others = (F.col(name) for name in names)
    for other in others:
        first = first + other
    return first
