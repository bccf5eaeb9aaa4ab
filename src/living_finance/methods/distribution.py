"""Inequality and polarisation of the incomes of many cells, exact and with linearised standard errors.

Every measure comes from one ranking: for each row, the weight and the income of everybody poorer, and of everybody
as poor. Weights, incomes and ranked incomes are added as whole numbers, so the figures are the same whatever the
partitioning. No row passes through Python; the largest group that one task sorts is one bucket of one cell, the
rows whose incomes differ by less than 7 % (or are equal).

Rule for incomes that are not positive: a negative income counts as zero, as in the OECD's Income Distribution
Database; zeros stay in. A ratio whose denominator is then zero (P90/P10, S80/S20), and everything about a cell
without positive income, is missing.

Errors are those of a sample drawn with replacement with the weights given. Sources: Deville (1999), Variance
estimation for complex statistics and estimators, Survey Methodology 25(2), 193-203; Osier (2009), Survey Research
Methods 3(3), 167-195; Langel & Tillé (2013), Variance estimation of the Gini index: revisiting a result several
times published, JRSS A 176(2), 521-540; Langel & Tillé (2011), Statistical inference for the quintile share ratio,
Journal of Statistical Planning and Inference 141(8), 2976-2985. Densities at quantiles are spacings over Woodruff's
interval: Woodruff (1952), Confidence intervals for medians and other position measures, JASA 47(260), 635-646.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from living_finance.methods.grouped import AMOUNT_SCALE, WEIGHT_SCALE
from living_finance.methods.quantiles import fixed_weight, target_weight, value_bucket

DECILES = tuple(range(1, 10))
"""Tenths of the population at which the Lorenz curve is read."""

_BUCKETS_PER_UNIT_LOG = 16.0
_THEIL_INCOME = 2.0**-20
"""Incomes are put in units of about a million won before r ln r is taken: the Theil index does not depend on units."""
_THEIL_SCALE = 2.0**27
"""Units of Σ w v ln v: good to 1e-8 in a cell of two rows; sums to 2^36."""
_SQUARE_SCALE = 2.0**20
_INTERVAL = 1.96
_DENSITY_AT = {"p10": 0.1, "median": 0.5, "p90": 0.9}
_LORENZ_AT = {f"lorenz_{10 * tenth}": tenth / 10 for tenth in DECILES}

UNITS: Mapping[str, str] = {
    "mean_equivalised_income": "KRW/year",
    "median_equivalised_income": "KRW/year",
    "gini": "index",
    "s80_s20": "ratio",
    "p90_p10": "ratio",
    "wolfson": "index",
    "theil": "index",
    **dict.fromkeys(_LORENZ_AT, "share"),
}
"""Statistics of `distribution` and their units."""


def distribution(frame: DataFrame, *, cells: Sequence[str], value: str, weight: str) -> DataFrame:
    """Mean, median, Gini, S80/S20, P90/P10, Wolfson, Theil and Lorenz ordinates of each cell, with errors.

    S80/S20 is the income of those above the 80th percentile by that of those up to the 20th, as Eurostat has it.
    Wolfson's index is 2 (1 - 2 L(1/2) - Gini) mean / median. Lorenz ordinates are on the polygon through the sorted
    incomes. Theil's is T, r ln r with r the income by the mean, 0 where r is 0.

    Args:
        frame: one row per cell × unit, a unit once for each cell it is in; rows without a value or a positive weight are
            left out. Read twice.
        cells: columns that name the cell, none missing.
        value: income.
        weight: numeric; the weight of a cell below 2^27, its income below 2^55.

    Returns:
        One row per cell × statistic: `cells`, `statistic`, `unit`, `value`, `standard_error` (missing for a single
        row), `population` (sum of weights), `contributors` (rows).
    """
    ranked = _ranked(frame, cells=cells, value=value, weight=weight)
    parameters = _parameters(ranked, cells=cells)
    rows = ranked.join(F.broadcast(parameters), on=list(cells), how="inner")  # one row per cell on the right
    weighted = rows.select(*cells, *((F.col("_w") * influence).alias(f"_u_{name}") for name, influence in _influences().items()))
    squares = weighted.groupBy(*cells).agg(
        *(_fixed_sum(F.col(f"_u_{name}") * F.col(f"_u_{name}")).alias(f"_e_{name}") for name in UNITS)
    )
    found = parameters.join(squares, on=list(cells), how="inner")
    n, values = F.col("_n").cast("double"), _values()
    statistics = []
    for name, unit in UNITS.items():
        relative = F.sqrt(F.col(f"_e_{name}") / F.lit(_SQUARE_SCALE) * F.try_divide(n, n - 1)) / F.col("_population")
        scale = F.abs(values[name]) if name in _RELATIVE else F.lit(1.0)
        statistics.append(
            F.struct(
                F.lit(name).alias("statistic"),
                F.lit(unit).alias("unit"),
                values[name].alias("value"),
                F.when((n > 1) & values[name].isNotNull(), relative * scale).alias("standard_error"),
                F.col("_population").alias("population"),
                F.col("_n").alias("contributors"),
            )
        )
    return found.select(*cells, F.inline(F.array(*statistics)))


def covariances(frame: DataFrame, *, cells: Sequence[str], value: str, weight: str, unit: str, occasion: str) -> DataFrame:
    """Covariances of the statistics of a cell on two occasions, from the units that are in the cell on both.

    Args:
        frame: as in `distribution`, of both occasions.
        cells: columns that name the cell, without the occasion.
        value: income.
        weight: numeric.
        unit: column that names the unit, once per cell and occasion.
        occasion: column with two values.

    Returns:
        One row per cell × statistic: `cells`, `statistic`, `covariance` (without the factor n / (n - 1)).
    """
    keys = [*cells, occasion]
    ranked = _ranked(frame, cells=keys, value=value, weight=weight, keep=[unit])
    parameters = _parameters(ranked, cells=keys)
    values = _values()
    influences = {
        f"_u_{name}": F.col("_w") * influence * (F.abs(values[name]) if name in _RELATIVE else F.lit(1.0))
        for name, influence in _influences().items()
    }
    scale = {name: 2.0**-10 if unit_.startswith("KRW") else 2.0**10 for name, unit_ in UNITS.items()}
    rows = ranked.join(F.broadcast(parameters), on=keys, how="inner").select(*cells, unit, "_population", *_named(influences))
    both = rows.groupBy(*cells, unit).agg(
        F.count(F.lit(1)).alias("_occasions"),
        F.product("_population").alias("_populations"),
        *(F.product(F.col(name)).alias(name) for name in influences),
    )
    shared = both.where(F.col("_occasions") == 2).groupBy(*cells, "_populations")
    sums = shared.agg(
        *(F.sum(F.rint(F.col(f"_u_{name}") * F.lit(scale[name] ** 2)).cast("bigint")).alias(name) for name in UNITS)
    )
    covariance = {name: F.col(name) / F.lit(scale[name] ** 2) / F.col("_populations") for name in UNITS}
    long = (F.struct(F.lit(name).alias("statistic"), value.alias("covariance")) for name, value in covariance.items())
    return sums.select(*cells, F.inline(F.array(*long)))


def theil_decomposition(parts: DataFrame, *, by: Sequence[str]) -> DataFrame:
    """Theil's index of a whole split into what is within its parts and what is between them.

    Within is Σ s T, between Σ s ln(μ / mean), s a part's share of all income: they add up to the whole's index.

    Args:
        parts: one row per part: `by` of the whole and the columns of `theil_parts`.
        by: columns that name the whole.

    Returns:
        One row per whole: `by`, `theil`, `within`, `between`, missing without positive income.

    Source: Theil (1967), Economics and Information Theory, chapter 4; Shorrocks (1980), The class of additively
    decomposable inequality measures, Econometrica 48(3), 613-625.
    """
    # Sums of whole numbers over partitions are exact; the few logarithms per part are added in a fixed order.
    gathered = parts.groupBy(*by).agg(
        F.sum("_w").alias("_w_all"),
        F.sum("_y").alias("_y_all"),
        F.sum("_t").alias("_t_all"),
        F.array_sort(F.collect_list(F.struct("_y", "_w", "_t"))).alias("_parts"),
    )
    whole_mean = F.col("_y_all") / F.col("_w_all")

    def add(sofar: Column, part: Column) -> Column:
        mean = part["_y"] / part["_w"]
        has_income = part["_y"] > 0
        between = F.when(has_income, part["_y"] * F.log(mean / whole_mean)).otherwise(0.0)
        within = F.when(has_income, part["_y"] * _theil(part["_t"], part["_y"], part["_w"])).otherwise(0.0)
        return F.struct((sofar["within"] + within).alias("within"), (sofar["between"] + between).alias("between"))

    start = F.struct(F.lit(0.0).alias("within"), F.lit(0.0).alias("between"))
    summed = gathered.withColumns({"_sum": F.aggregate("_parts", start, add)})
    has_income = F.col("_y_all") > 0
    return summed.select(
        *by,
        F.when(has_income, _theil(F.col("_t_all"), F.col("_y_all"), F.col("_w_all"))).alias("theil"),
        F.when(has_income, F.col("_sum.within") / F.col("_y_all")).alias("within"),
        F.when(has_income, F.col("_sum.between") / F.col("_y_all")).alias("between"),
    )


def theil_parts(frame: DataFrame, *, cells: Sequence[str], value: str, weight: str) -> DataFrame:
    """What `theil_decomposition` needs of each part: weight, income and Σ w v ln v, as whole numbers, and the rows."""
    return _rows(frame, cells=cells, value=value, weight=weight).groupBy(*cells).agg(*_sums(), F.count(F.lit(1)).alias("_n"))


_RELATIVE = frozenset({"mean_equivalised_income", "median_equivalised_income", "s80_s20", "p90_p10"})
"""Statistics whose influence is written relative to their value."""


def _named(columns: Mapping[str, Column]) -> list[Column]:
    return [column.alias(name) for name, column in columns.items()]


def _fixed_sum(value: Column) -> Column:
    """A sum that does not depend on the order: of whole units of 2^-20."""
    return F.sum(F.rint(value * F.lit(_SQUARE_SCALE)).cast("bigint"))


def _rows(frame: DataFrame, *, cells: Sequence[str], value: str, weight: str, keep: Sequence[str] = ()) -> DataFrame:
    is_counted = F.col(value).isNotNull() & (fixed_weight(F.col(weight)) > 0)
    income = F.greatest(F.col(value).cast("double"), F.lit(0.0))
    fixed = fixed_weight(F.col(weight))
    v = income * F.lit(_THEIL_INCOME)
    w = fixed / F.lit(WEIGHT_SCALE)
    return frame.where(is_counted).select(
        *cells,
        *keep,
        income.alias("_income"),
        w.alias("_w"),
        fixed.alias("_weight"),
        F.rint(w * income * F.lit(AMOUNT_SCALE)).cast("bigint").alias("_amount"),
        F.when(v > 0, F.rint(w * v * F.log(v) * F.lit(_THEIL_SCALE)).cast("bigint")).otherwise(0).alias("_log"),
    )


def _sums() -> list[Column]:
    return [F.sum("_weight").alias("_w"), F.sum("_amount").alias("_y"), F.sum("_log").alias("_t")]


def _theil(logs: Column, amounts: Column, weights: Column) -> Column:
    """T from Σ w v ln v, Σ w income, Σ w in their units."""
    income = amounts / F.lit(AMOUNT_SCALE) * F.lit(_THEIL_INCOME)
    return logs / F.lit(_THEIL_SCALE) / income - F.log(income / (weights / F.lit(WEIGHT_SCALE)))


def _ranked(frame: DataFrame, *, cells: Sequence[str], value: str, weight: str, keep: Sequence[str] = ()) -> DataFrame:
    """Each row with the weight and the income of everybody poorer, of these and everybody as poor, and of the cell."""
    keys = [*cells, "_bucket"]
    bucket = value_bucket(F.col("_income"), per_unit_log=_BUCKETS_PER_UNIT_LOG)
    rows = _rows(frame, cells=cells, value=value, weight=weight, keep=keep).withColumns({"_bucket": bucket})
    cell = Window.partitionBy(*cells)
    poorer = cell.orderBy("_bucket").rowsBetween(Window.unboundedPreceding, -1)
    histogram = (
        rows.groupBy(*keys)
        .agg(
            *(column.alias(f"_bucket{name}") for column, name in zip(_sums(), ("_w", "_y", "_t"), strict=True)),
            F.count(F.lit(1)).alias("_bucket_n"),
            _fixed_sum(F.col("_w") * F.col("_w")).alias("_bucket_ww"),
        )
        .select(
            *keys,
            F.coalesce(F.sum("_bucket_w").over(poorer), F.lit(0)).alias("_weight_below"),
            F.coalesce(F.sum("_bucket_y").over(poorer), F.lit(0)).alias("_amount_below"),
            *(F.sum(f"_bucket{name}").over(cell).alias(f"_all{name}") for name in ("_w", "_y", "_t", "_n", "_ww")),
        )
    )
    inside = Window.partitionBy(*keys).orderBy("_income")
    upto = inside.rangeBetween(Window.unboundedPreceding, Window.currentRow)
    same = inside.rangeBetween(Window.currentRow, Window.currentRow)
    return (
        rows.join(histogram, on=keys, how="inner")
        .withColumns(
            {
                "_weight_through": F.col("_weight_below") + F.sum("_weight").over(upto),
                "_amount_through": F.col("_amount_below") + F.sum("_amount").over(upto),
                "_weight_same": F.sum("_weight").over(same),
                "_amount_same": F.sum("_amount").over(same),
            }
        )
        .withColumns(
            {
                "_weight_before": F.col("_weight_through") - F.col("_weight_same"),
                "_amount_before": F.col("_amount_through") - F.col("_amount_same"),
            }
        )
        .drop("_weight_below", "_amount_below", "_weight_same", "_amount_same", "_bucket")
    )


def _quantile(probability: Column | float) -> Column:
    """The row at a quantile: its income, and weight and income before it and through it."""
    fields = ("_income", "_weight_before", "_amount_before", "_weight_through", "_amount_through")
    is_reached = F.col("_weight_through") >= target_weight(F.col("_all_w"), probability)
    return F.min(F.when(is_reached, F.struct(*fields)))


def _spread(probability: float, sign: int) -> Column:
    """An end of Woodruff's interval for the probability, with Kish's effective sample size; inside (0, 1]."""
    weight = F.col("_all_w") / F.lit(WEIGHT_SCALE)
    effective = weight * weight / (F.col("_all_ww") / F.lit(_SQUARE_SCALE))
    reach = F.lit(_INTERVAL) * F.sqrt(F.lit(probability * (1.0 - probability)) / effective)
    return F.least(F.greatest(F.lit(probability) + F.lit(float(sign)) * reach, F.lit(1e-6)), F.lit(1.0))


def _parameters(ranked: DataFrame, *, cells: Sequence[str]) -> DataFrame:
    """One row per cell: totals, quantiles, Lorenz ordinates, densities, Gini and Theil."""
    middle = (F.col("_weight_through") + F.col("_weight_before")) / F.col("_all_w")
    totals = ("_all_w", "_all_y", "_all_t", "_all_n", "_all_ww")
    found = ranked.groupBy(*cells, *totals).agg(
        F.sum(F.rint(F.col("_amount") * middle).cast("bigint")).alias("_ranked"),
        *(_quantile(p).alias(f"_at_{name}") for name, p in _LORENZ_AT.items()),
        *(_quantile(_spread(p, -1)).alias(f"_low_{name}") for name, p in _DENSITY_AT.items()),
        *(_quantile(_spread(p, +1)).alias(f"_high_{name}") for name, p in _DENSITY_AT.items()),
    )
    population = F.col("_all_w") / F.lit(WEIGHT_SCALE)
    has_income = F.col("_all_y") > 0
    columns = {
        "_n": F.col("_all_n"),
        "_population": population,
        "_mean": F.col("_all_y") / F.lit(AMOUNT_SCALE) / population,
        "_gini": F.when(has_income, F.col("_ranked") / F.col("_all_y") - F.lit(1.0)),
        "_theil": F.when(has_income, _theil(F.col("_all_t"), F.col("_all_y"), F.col("_all_w"))),
    }
    for name, p in _LORENZ_AT.items():
        row = F.col(f"_at_{name}")
        missing = F.lit(p) * F.col("_all_w") - row["_weight_before"]
        partial = missing / F.lit(WEIGHT_SCALE) * row["_income"] * F.lit(AMOUNT_SCALE)
        columns[f"_quantile_{name}"] = row["_income"]
        columns[f"_{name}"] = F.when(has_income, (row["_amount_before"] + partial) / F.col("_all_y"))
    for name, p in _DENSITY_AT.items():
        width = F.col(f"_high_{name}")["_income"] - F.col(f"_low_{name}")["_income"]
        columns[f"_sparsity_{name}"] = width / (_spread(p, +1) - _spread(p, -1))
    low, high = F.col("_at_lorenz_20"), F.col("_at_lorenz_80")
    bottom = F.when(low["_amount_through"] > 0, low["_amount_through"])
    columns["_s80_s20"] = F.try_divide(F.col("_all_y") - high["_amount_through"], bottom)
    return found.select(*cells, *_named(columns))


def _values() -> dict[str, Column]:
    """Statistics from the parameters."""
    median = F.col("_quantile_lorenz_50")
    tenth = F.col("_quantile_lorenz_10")
    polarised = F.lit(1.0) - F.lit(2.0) * F.col("_lorenz_50") - F.col("_gini")
    return {
        "mean_equivalised_income": F.col("_mean"),
        "median_equivalised_income": median,
        "gini": F.col("_gini"),
        "s80_s20": F.col("_s80_s20"),
        "p90_p10": F.try_divide(F.col("_quantile_lorenz_90"), F.when(tenth > 0, tenth)),
        "wolfson": F.lit(2.0) * polarised * F.try_divide(F.col("_mean"), F.when(median > 0, median)),
        "theil": F.col("_theil"),
        **{name: F.col(f"_{name}") for name in _LORENZ_AT},
    }


def _influences() -> dict[str, Column]:
    """Influence of each row, times the cell's weight; of `_RELATIVE` divided by the statistic."""
    income, mean = F.col("_income"), F.col("_mean")
    r = F.try_divide(income, F.when(mean > 0, mean))
    rank = (F.col("_weight_through") + F.col("_weight_before")) / (F.lit(2.0) * F.col("_all_w"))
    held = F.try_divide(F.col("_amount_through") + F.col("_amount_before"), F.lit(2.0) * F.col("_all_y"))
    gini = F.lit(2.0) * (rank * r - held) + F.lit(1.0) - r - F.col("_gini") * (F.lit(1.0) + r)
    lorenz = {}
    for name, p in _LORENZ_AT.items():
        limit = F.try_divide(F.col(f"_quantile_{name}"), F.when(mean > 0, mean))
        below = F.when(r <= limit, r - limit).otherwise(0.0)
        lorenz[name] = below + F.lit(p) * limit - F.col(f"_{name}") * r
    quantile = {}
    for name, p in _DENSITY_AT.items():
        limit = F.col(f"_quantile_lorenz_{round(100 * p)}")
        is_below = F.when(income <= limit, F.lit(1.0)).otherwise(0.0)
        quantile[name] = -(is_below - F.lit(p)) * F.try_divide(F.col(f"_sparsity_{name}"), F.when(limit > 0, limit))
    polarised = F.lit(1.0) - F.lit(2.0) * F.col("_lorenz_50") - F.col("_gini")
    to_median = F.try_divide(mean, F.when(F.col("_quantile_lorenz_50") > 0, F.col("_quantile_lorenz_50")))
    relative_mean = r - F.lit(1.0)
    top = F.lit(1.0) - F.col("_lorenz_80")
    return {
        "mean_equivalised_income": relative_mean,
        "median_equivalised_income": quantile["median"],
        "gini": gini,
        "s80_s20": -F.try_divide(lorenz["lorenz_80"], top) - F.try_divide(lorenz["lorenz_20"], F.col("_lorenz_20")),
        "p90_p10": quantile["p90"] - quantile["p10"],
        "wolfson": F.lit(2.0)
        * to_median
        * (-F.lit(2.0) * lorenz["lorenz_50"] - gini + polarised * (relative_mean - quantile["median"])),
        "theil": F.when(r > 0, r * F.log(r)).otherwise(0.0) - F.col("_theil") * r - r + F.lit(1.0),
        **lorenz,
    }
