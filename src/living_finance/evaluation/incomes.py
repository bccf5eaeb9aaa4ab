"""How far published household figures are from the true ones."""

from __future__ import annotations

from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from living_finance.contracts import codes, gold
from living_finance.contracts.releases import DIMENSIONS
from living_finance.methods.ages import ten_year_band
from living_finance.methods.inequality import weighted_gini
from living_finance.methods.joins import join_to_one
from living_finance.methods.margins import is_margin
from living_finance.methods.regions import regions_of

CITY = codes.CITY_CODE
COMPONENTS = ("labour", "business", "property", "transfer", "irregular")
QUANTILES = {"p10": 0.10, "p25": 0.25, "median": 0.50, "p75": 0.75, "p90": 0.90}
_GRAIN_KRW = 1000
"""City quantiles and Gini of the truth are taken from incomes rounded to it, so that a bounded number of values is sorted."""
_Z90 = 1.6448536269514722


def true_figures(households: DataFrame) -> DataFrame:
    """True means by region: one row per region_level × region_code.

    Args:
        households: private households of the truth.
    """
    codes_of = {"output_area": "output_area_id", "dong": "dong_code", "gu": "gu_code"}
    regions = regions_of({**{level: F.col(name) for level, name in codes_of.items()}, "city": F.lit(CITY)})
    values = ("total_income", *(f"{name}_income" for name in COMPONENTS), "debt", "spending_month")
    return (
        households.select(F.explode(regions).alias("region"), *values)
        .groupBy("region.region_level", "region.region_code")
        .agg(F.count(F.lit(1)).alias("true_households"), *(F.avg(name).alias(f"true_{name}") for name in values))
    )


def true_dongs(households: DataFrame) -> DataFrame:
    """True quantiles of total income (the smallest value that the share does not exceed) and Gini coefficient by dong."""
    quantiles = households.groupBy(F.col("dong_code").alias("region_code")).agg(
        *(
            F.expr(f"percentile_disc({p}) within group (order by total_income)").cast("double").alias(f"true_{name}")
            for name, p in QUANTILES.items()
        )
    )
    weighted = households.select("dong_code", "total_income", F.lit(1.0).alias("_one"))
    ginis = weighted_gini(weighted, value="total_income", weight="_one", sets=[("dong_code",)])
    of_dong = ginis.select(F.col("dong_code").alias("region_code"), F.col("gini").alias("true_gini"))
    return join_to_one(quantiles, of_dong, on=["region_code"], how="left")


def true_distribution(households: DataFrame) -> dict[str, float]:
    """Quantiles and Gini of total income over the city."""
    grain = F.round(F.col("total_income") / _GRAIN_KRW).cast("long") * _GRAIN_KRW
    values = households.groupBy(grain.alias("value")).agg(F.count(F.lit(1)).alias("n"))
    up_to = Window.orderBy("value").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    everything = Window.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    ranked = values.withColumns(
        {
            "up_to": F.sum("n").over(up_to),
            "income_up_to": F.sum(F.col("n") * F.col("value")).over(up_to),
            "total": F.sum("n").over(everything),
        }
    )
    before = F.col("income_up_to") - F.col("n") * F.col("value")
    row = ranked.agg(
        *(F.min(F.when(F.col("up_to") >= p * F.col("total"), F.col("value"))).alias(name) for name, p in QUANTILES.items()),
        F.sum(F.col("n").cast("double") * (F.col("income_up_to") + before)).alias("area"),
        F.max("up_to").alias("number"),
        F.sum((F.col("n") * F.col("value")).cast("double")).alias("income"),
    ).collect()[0]  # ok: one row
    number, income = float(row["number"] or 0), float(row["income"] or 0)
    gini = 1 - float(row["area"]) / (number * income) if number and income else 0.0
    return {**{name: float(row[name] or 0) for name in QUANTILES}, "gini": gini}


def _relative(found: Column, true: Column) -> Column:
    return F.try_divide(found - true, true)


def errors(*, statistics: DataFrame, households: DataFrame, draws: DataFrame | None = None) -> dict[str, Any]:
    """Errors of the published figures.

    Args:
        statistics: `gold.household_statistics` of the month.
        households: private households of the truth.
        draws: `silver.area_income_draw` of the month; None: intervals keep their width where the city's ratio is taken out.

    Returns:
        `mean_total_income`: level → `mape` (mean absolute relative error over regions), `mape_scaled` (after the city's own
        ratio is taken out, the published benchmark's error with it), `regions`, `missing_regions`, and where the product
        gives an error, `interval_90_coverage` and `interval_90_coverage_scaled` (that of means relative to the city's, with
        the error that draws give the ratio: the city's own error is in neither; output areas have no draws, and keep it);
        `interval_90_coverage_by_dong` of quantiles (after the city's ratio) and Gini; `median_by_dong`, `debt_by_dong`,
        `spending_by_dong` (mape and mape_scaled); `components`: city's relative error and mape by dong; `city`: published,
        true, error of mean, quantiles and Gini.
    """
    published = statistics.where(is_margin(DIMENSIONS["household_statistics"]))
    joined = true_figures(households).join(published, on=["region_level", "region_code"], how="left")
    joined = joined.join(true_dongs(households), on="region_code", how="left")
    city = joined.where(F.col("region_level") == "city").collect()[0].asDict()  # ok: one row
    pairs = {
        "total_income": "mean_total_income_krw_year",
        **{f"{name}_income": f"mean_{name}_income_krw_year" for name in COMPONENTS},
        "debt": "mean_debt_krw",
        "spending_month": "mean_spending_krw_month",
    }
    compared = {
        **{name: (F.col(column), F.col(f"true_{name}")) for name, column in pairs.items()},
        "median": (F.col("median_total_income_krw_year"), F.col("true_median")),
    }
    ratio = {name: _quotient(city[column], city[f"true_{name}"]) for name, column in pairs.items()}
    ratio["median"] = ratio["total_income"]
    found_mean, error = F.col("mean_total_income_krw_year"), F.col("rmse_mean_total_income_krw_year")
    relative = error
    if draws is not None:
        joined = joined.join(_spreads(draws), on=["region_level", "region_code"], how="left")
        householding = F.greatest(error**2 - F.col("_spread") ** 2, F.lit(0.0))
        of_ratio = F.sqrt(householding + (F.col("_spread_of_ratio") * city["mean_total_income_krw_year"]) ** 2)
        relative = F.when(F.col("region_level") != "city", F.coalesce(of_ratio, error))
    is_inside = {
        name: F.abs(found_mean / of - F.col("true_total_income")) <= _Z90 * width / of
        for name, of, width in (
            ("interval_90_coverage", 1.0, error),
            ("interval_90_coverage_scaled", ratio["total_income"], relative),
        )
    }
    is_inside |= {
        f"{name}_coverage": F.abs(F.col(published) / of - F.col(f"true_{name}")) <= _Z90 * F.col(f"rmse_{published}") / of
        for name, published, of in (
            *((name, f"{name}_total_income_krw_year", ratio["total_income"]) for name in QUANTILES),
            ("gini", "gini_total_income", 1.0),
        )
    }
    rows = (
        joined.groupBy("region_level")
        .agg(
            F.count(F.lit(1)).alias("regions"),
            F.sum(F.col("mean_total_income_krw_year").isNull().cast("int")).alias("missing_regions"),
            *(F.avg(inside.cast("double")).alias(name) for name, inside in is_inside.items()),
            *(F.avg(F.abs(_relative(found, true))).alias(f"{name}_mape") for name, (found, true) in compared.items()),
            *(
                F.avg(F.abs(_relative(found / ratio[name], true))).alias(f"{name}_mape_scaled")
                for name, (found, true) in compared.items()
            ),
        )
        .collect()  # ok: four levels
    )
    levels = {row["region_level"]: row.asDict() for row in rows}
    true_city = {**true_distribution(households), "mean": float(city["true_total_income"])}
    found_city = {
        **{name: _number(city[f"{name}_total_income_krw_year"]) for name in QUANTILES},
        "gini": _number(city["gini_total_income"]),
        "mean": _number(city["mean_total_income_krw_year"]),
    }

    def by_dong(name: str) -> dict[str, float | None]:
        return {kind: _number(levels["dong"][f"{name}_{kind}"]) for kind in ("mape", "mape_scaled")}

    return {
        "mean_total_income": {
            level: {
                "mape": _number(levels[level]["total_income_mape"]),
                "mape_scaled": _number(levels[level]["total_income_mape_scaled"]),
                "regions": int(levels[level]["regions"]),
                "missing_regions": int(levels[level]["missing_regions"]),
                **{name: _number(levels[level][name]) for name in ("interval_90_coverage", "interval_90_coverage_scaled")},
            }
            for level in ("output_area", "dong", "gu", "city")
        },
        "median_by_dong": by_dong("median"),
        "interval_90_coverage_by_dong": {name: _number(levels["dong"][f"{name}_coverage"]) for name in (*QUANTILES, "gini")},
        "debt_by_dong": by_dong("debt"),
        "spending_by_dong": by_dong("spending_month"),
        "components": {
            name: {"city_error": ratio[f"{name}_income"] - 1, "dong_mape": _number(levels["dong"][f"{name}_income_mape"])}
            for name in COMPONENTS
        },
        "debt_city_error": ratio["debt"] - 1,
        "spending_city_error": ratio["spending_month"] - 1,
        "city": {
            name: {
                "published": found_city[name],
                "true": true_city[name],
                "error": _error(name, found_city[name], true_city[name]),
            }
            for name in ("mean", *QUANTILES, "gini")
        },
    }


def _spreads(draws: DataFrame) -> DataFrame:
    """Error that draws after the first give a region's mean (`_spread`) and its ratio to the city's (`_spread_of_ratio`)."""
    mean, later = F.col("mean_total_income_krw_year"), draws.where("draw > 0")
    of_city = later.where(F.col("region_level") == "city").select("draw", mean.alias("_city"))
    number = F.count(F.lit(1))
    return (
        join_to_one(later, of_city, on=["draw"], how="inner")
        .groupBy("region_level", "region_code")
        .agg(
            (F.stddev_samp(mean) * F.sqrt(1 + 1 / number)).alias("_spread"),
            (F.stddev_samp(mean / F.col("_city")) * F.sqrt(1 + 1 / number)).alias("_spread_of_ratio"),
        )
    )


def group_errors(*, found: DataFrame, true: DataFrame) -> dict[str, dict[str, float]]:
    """Relative error of the city's mean total income by group of households, once the city's own error is out.

    Args:
        found: private rows of gold.household.
        true: private households of the truth.

    Returns:
        Dimension → category → error; categories that only one of both has are left out.
    """
    means = {
        source: _group_means(frame, age=age, weight=weight, income=income)
        for source, frame, age, weight, income in (
            ("found", found, F.col("head_age_band"), F.col("weight"), F.col(gold.TOTAL_INCOME)),
            ("true", true, F.col("head_age"), F.lit(1.0), F.col("total_income")),
        )
    }
    whole = _quotient(*(means[source][_EVERYBODY] for source in ("found", "true")))
    errors: dict[str, dict[str, float]] = {}
    for (dimension, category), mean in sorted(means["true"].items()):
        if (dimension, category) != _EVERYBODY and means["found"].get((dimension, category)) and mean:
            errors.setdefault(dimension, {})[category] = means["found"][dimension, category] / whole / mean - 1.0
    return errors


_EVERYBODY = (codes.ALL, codes.ALL)


def _group_means(households: DataFrame, *, age: Column, weight: Column, income: Column) -> dict[tuple[str, str], float]:
    """(dimension, category) → weighted mean total income, KRW/year."""
    band = ten_year_band(age).cast("string")
    groups = {codes.ALL: F.lit(codes.ALL), "tenure": F.col("tenure"), "head_age": band, "dwelling_type": F.col("dwelling_type")}
    cells = F.array(*(F.struct(F.lit(name).alias("dimension"), of.alias("category")) for name, of in groups.items()))
    rows = (
        households.select(F.explode(cells).alias("cell"), weight.alias("weight"), income.alias("income"))
        .groupBy("cell.dimension", "cell.category")
        .agg(F.try_divide(F.sum(F.col("weight") * F.col("income")), F.sum("weight")).alias("mean"))
        .collect()  # ok: one row per group
    )
    return {(row["dimension"], row["category"]): float(row["mean"] or 0.0) for row in rows if row["category"] is not None}


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _quotient(found: Any, true: Any) -> float:
    return float(found) / float(true) if found and true else 1.0


def _error(name: str, found: float | None, true: float) -> float | None:
    """Relative, for Gini absolute."""
    if found is None:
        return None
    return found - true if name == "gini" else (found / true - 1 if true else None)
