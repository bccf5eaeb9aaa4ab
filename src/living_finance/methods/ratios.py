"""Weighted ratios (means, shares, rates) of many cells with their linearised standard errors, in one pass.

A ratio is Σ w numerator / Σ w denominator; a mean has the denominator 1, a share a numerator of 0 or 1. All that
its value, its error, and its covariance with the ratio of another cell need are sums of products, and those are
kept as whole numbers: they add up exactly in any order, and cells can be merged into larger ones.

Error: e = numerator - R denominator; sqrt(n / (n - 1) Σ w² e²) / Σ w denominator, as if rows were drawn with
replacement with the weights given. Source: Särndal, Swensson & Wretman (1992), Model Assisted Survey Sampling,
sections 2.9 and 5.5-5.6. Rows that share a cluster (persons of a household) are not drawn apart: their w e are added up
first, and the m clusters take the place of the n rows (sections 4.2 and 5.5-5.6). It holds no error of the income model, of
householding or of coverage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_LINEAR = {True: 2.0**8, False: 2.0**36}
"""Units of a weighted sum of amounts (1/256 won, sums to 2^55 won) and of counts (2^-36, sums to 2^27)."""
_FACTOR = {True: 2.0**-10, False: 2.0**10}
"""What each factor of a product is scaled by: a sum of squares counts in units of 2^20 won² or of 2^-20."""
_SLOPE = 2.0**24

ESTIMATE = ("statistic", "unit", "value", "standard_error", "population", "contributors")
"""Columns that `estimates` adds to the cell's."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How a share moves when the line it is measured by is itself estimated (a multiple of everybody's median).

    The line is everybody's, the share a cell's, so its influence reaches beyond the cell. Source: Deville (1999),
    Variance estimation for complex statistics and estimators, Survey Methodology 25(2), 193-203; Osier (2009), Variance
    estimation for complex indicators of poverty and inequality using linearization techniques, Survey Research
    Methods 3(3), 167-195.
    """

    density: Column
    """Of each row, summing to the slope of the numerator in the logarithm of the line."""
    half: Column
    """Influence of the row on the line, up to `factor`; the same column for every cell."""
    factor: Column
    """Constant of the month that `half` is to be multiplied by, and negated."""
    squares: Column
    """Constant of the month: Σ w² half² over everybody."""


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One statistic: Σ w numerator / Σ w denominator over the rows where both are known."""

    name: str
    numerator: Column
    denominator: Column
    unit: str
    """`share`, `rate` (one amount by another, read in per cent), `ratio`, `index`, `persons`, or money, which starts with KRW."""
    is_of_amounts: bool = False
    """The denominator is money: the ratio of two amounts."""
    shift: Shift | None = None
    is_total: bool = False
    """The statistic is Σ w numerator itself, with the error of a Poisson sample, sqrt(Σ w² numerator²), of rows or clusters."""

    @property
    def has_amounts(self) -> bool:
        return self.is_of_amounts or self.unit.startswith("KRW")


def mean(name: str, value: Column, *, unit: str, count: Column | None = None) -> Ratio:
    """The mean of `value` over the rows that have one; `count` is what a row counts for, 1 unless given."""
    units = F.lit(1.0) if count is None else count.cast("double")
    return Ratio(name=name, numerator=value.cast("double") * units, denominator=units, unit=unit)


def share(name: str, condition: Column, *, count: Column | None = None) -> Ratio:
    """The share for which `condition` holds, of those for which it is known."""
    return mean(name, condition.cast("int"), unit="share", count=count)


def ratio(name: str, numerator: Column, denominator: Column) -> Ratio:
    """One amount by another, of the sums."""
    return Ratio(
        name=name,
        numerator=numerator.cast("double"),
        denominator=denominator.cast("double"),
        unit="rate",
        is_of_amounts=True,
    )


def total(name: str, value: Column, *, unit: str) -> Ratio:
    """The weighted total of `value` over the rows that have one; `contributors` are these rows.

    The error is that of a Poisson sample: right for counts of persons (weight 1, where it says how far a small
    count could have come out otherwise by chance), too large where weights are calibrated to the total.
    """
    return Ratio(name=name, numerator=value.cast("double"), denominator=F.lit(1.0), unit=unit, is_total=True)


def sums(frame: DataFrame, ratios: Sequence[Ratio], *, weight: str, by: Sequence[str]) -> DataFrame:
    """Exact sums of products by cell.

    Args:
        frame: any grain; rows without a positive weight are left out.
        ratios: their columns are looked up in `frame`.
        weight: numeric column.
        by: columns that name the cell.

    Returns:
        One row per cell: `by` and whole numbers, for `merged` and `estimates`.
    """
    columns = [sql for number, ratio_ in enumerate(ratios) for sql in _sums_of(ratio_, number)]
    return _terms(frame, ratios, weight=weight, keep=by).groupBy(*by).agg(*map(F.expr, columns))


def unit_sums(frame: DataFrame, ratios: Sequence[Ratio], *, weight: str, keep: Sequence[str]) -> DataFrame:
    """What each row adds to the sums of its cell and its cluster: input of `clustered_sums`.

    Args:
        frame: any grain; rows without a positive weight are left out.
        ratios: their columns are looked up in `frame`.
        weight: numeric column.
        keep: columns to keep.

    Returns:
        One row per row: `keep` and whole numbers, 0 where a ratio does not count the row.

    Raises:
        ValueError: a ratio has a line that is estimated: how clusters move it is not known here.
    """
    if moved := [ratio_.name for ratio_ in ratios if ratio_.shift is not None]:
        raise ValueError(f"no errors by cluster of {', '.join(moved)}: their line is estimated")
    columns = (
        f"{_whole(value, ratio_, number)} as _{name}_{number}"
        for number, ratio_ in enumerate(ratios)
        for name, value in _linear_parts(ratio_, number).items()
    )
    return _terms(frame, ratios, weight=weight, keep=keep).select(*keep, *map(F.expr, columns))


def clustered_sums(units: DataFrame, ratios: Sequence[Ratio], *, by: Sequence[str], cluster: str) -> DataFrame:
    """Exact sums of products by cell, of rows that were added up by cluster first.

    Args:
        units: of `unit_sums`, once for each cell that a row is in.
        ratios: as in `unit_sums`.
        by: columns that name the cell.
        cluster: column that rows of a cluster share; those of other clusters must not.

    Returns:
        As `sums`, and the clusters that count, `_c_`. Cells cannot be merged: a cluster may be in several.
    """
    linear = [name for name in units.columns if name.startswith("_")]
    of_cluster = units.groupBy(*by, cluster).agg(*(F.expr(f"sum({name}) as {name}") for name in linear))
    columns = [f"sum({name}) as {name}" for name in linear]
    for number, ratio_ in enumerate(ratios):
        of_x, of_y = ratio_.is_of_amounts, ratio_.has_amounts
        x = f"(_x_{number} / {_number(_LINEAR[of_x])} * {_number(_FACTOR[of_x])})"
        y = f"(_y_{number} / {_number(_LINEAR[of_y])} * {_number(_FACTOR[of_y])})"
        for name, value in {"xx": f"{x} * {x}", "xy": f"{x} * {y}", "yy": f"{y} * {y}"}.items():
            columns.append(f"sum(cast(rint({value}) as bigint)) as _{name}_{number}")
        columns.append(f"count_if(_n_{number} > 0) as _c_{number}")
    return of_cluster.groupBy(*by).agg(*map(F.expr, columns))


def _terms(frame: DataFrame, ratios: Sequence[Ratio], *, weight: str, keep: Sequence[str]) -> DataFrame:
    """Rows with a positive weight: `keep`, the weight `_w`, and of the k-th ratio denominator `_den_k` and numerator `_num_k`.

    Sums are SQL over these names: as columns they would be thousands of calls to the JVM for some forty ratios, and
    numerators would be worked out anew in each.
    """
    w = F.col(weight).cast("double")
    columns = [w.alias("_w")]
    for number, ratio_ in enumerate(ratios):
        columns += [ratio_.denominator.alias(f"_den_{number}"), ratio_.numerator.alias(f"_num_{number}")]
        if ratio_.shift is not None:
            columns += [value.alias(f"_{name}_{number}") for name, value in vars(ratio_.shift).items()]
    return frame.where(w > 0).select(*keep, *columns)


def _number(value: float) -> str:
    return f"{value!r}D"


def _linear_parts(ratio_: Ratio, number: int) -> dict[str, str]:
    """What is added up of a row itself, not of products: SQL over `_terms`."""
    x, y = f"_den_{number}", f"_num_{number}"
    return {
        "x": f"_w * {x} * {_number(_LINEAR[ratio_.is_of_amounts])}",
        "y": f"_w * {y} * {_number(_LINEAR[ratio_.has_amounts])}",
        "p": f"_w * {'1D' if ratio_.is_of_amounts else x} * {_number(_LINEAR[False])}",
        "n": "1D",
    }


def _whole(value: str, ratio_: Ratio, number: int) -> str:
    """A part of a row as a whole number; 0 where the ratio does not count the row."""
    known = f"_num_{number} is not null and _den_{number} is not null"
    counts = known if ratio_.is_of_amounts else f"{known} and _den_{number} <> 0D"
    return f"if({counts}, cast(rint({value}) as bigint), 0L)"


def _sums_of(ratio_: Ratio, number: int) -> Iterator[str]:
    x = f"(_den_{number} * {_number(_FACTOR[ratio_.is_of_amounts])})"
    y = f"(_num_{number} * {_number(_FACTOR[ratio_.has_amounts])})"
    products = {"xx": f"{x} * {x}", "xy": f"{x} * {y}", "yy": f"{y} * {y}"}
    whole = _linear_parts(ratio_, number) | {name: f"_w * _w * {product}" for name, product in products.items()}
    if ratio_.shift is not None:
        half = f"(_half_{number} * {_number(_FACTOR[False])})"
        whole |= {"s": f"_w * _density_{number} * {_number(_SLOPE)}"}
        whole |= {"xh": f"_w * _w * {x} * {half}", "yh": f"_w * _w * {y} * {half}"}
        yield from (f"max(_{name}_{number}) as _{name}_{number}" for name in ("factor", "squares"))
    for name, value in whole.items():
        yield f"coalesce(sum({_whole(value, ratio_, number)}), 0L) as _{name}_{number}"


def merged(cells: DataFrame, *, by: Sequence[str]) -> DataFrame:
    """Cells added up into larger ones."""
    names = [name for name in cells.columns if name.startswith("_")]
    is_constant = {name: name.startswith(("_factor_", "_squares_")) for name in names}
    return cells.groupBy(*by).agg(*(F.expr(f"{'max' if is_constant[name] else 'sum'}({name}) as {name}") for name in names))


def estimates(cells: DataFrame, ratios: Sequence[Ratio], *, by: Sequence[str], with_denominators: bool = False) -> DataFrame:
    """Values and standard errors of the cells.

    Args:
        cells: of `sums`, `merged` or `clustered_sums`.
        ratios: as there.
        by: columns that name the cell.
        with_denominators: also `denominator`, Σ w denominator, for `covariance_of`.

    Returns:
        One row per cell × ratio that has contributors: `by` and the columns of ESTIMATE; of `clustered_sums` also `clusters`.
        A value is missing where the denominator adds up to nothing or less; an error where fewer than two rows, or clusters,
        contribute.
    """
    has_clusters = "_c_0" in cells.columns
    rows = [
        F.struct(
            F.lit(ratio_.name).alias("statistic"),
            F.lit(ratio_.unit).alias("unit"),
            value_of(ratio_, number).alias("value"),
            F.sqrt(_variance_of(ratio_, number, units="c" if has_clusters else "n")).alias("standard_error"),
            (F.col(f"_p_{number}") / F.lit(_LINEAR[False])).alias("population"),
            F.col(f"_n_{number}").alias("contributors"),
            *([F.col(f"_c_{number}").alias("clusters")] if has_clusters else []),
            *([_linear(ratio_, number, "")[0].alias("denominator")] if with_denominators else []),
        )
        for number, ratio_ in enumerate(ratios)
    ]
    return cells.select(*by, F.inline(F.array(*rows))).where(F.col("contributors") > 0)


def value_of(ratio_: Ratio, number: int, *, of: str = "") -> Column:
    """Value of the ratio of that number, from sums whose names end in `of`."""
    x, y = _linear(ratio_, number, of)
    return y if ratio_.is_total else F.when(x > 0, y / x)


def _linear(ratio_: Ratio, number: int, of: str) -> tuple[Column, Column]:
    x = F.col(f"_x_{number}{of}") / F.lit(_LINEAR[ratio_.is_of_amounts])
    y = F.col(f"_y_{number}{of}") / F.lit(_LINEAR[ratio_.has_amounts])
    return x, y


def _variance_of(ratio_: Ratio, number: int, *, units: str) -> Column:
    """`units`: `n` or `c`, the sum that counts what is drawn."""
    x, y = _linear(ratio_, number, "")
    if ratio_.is_total:
        return F.col(f"_yy_{number}") / F.lit(_FACTOR[ratio_.has_amounts] ** 2)
    own = covariance(ratio_, number, (x, y), (x, y), products=("xx", "xy", "xy", "yy"))
    n = F.col(f"_{units}_{number}").cast("double")
    variance = own * F.try_divide(n, n - 1)
    shift = ratio_.shift
    if shift is not None:
        value = F.try_divide(y, x)
        slope = F.try_divide(F.col(f"_s_{number}") / F.lit(_SLOPE), x) * F.col(f"_factor_{number}")
        scale = F.lit(_FACTOR[False] ** 2)
        together = F.try_divide(F.col(f"_yh_{number}") - value * F.col(f"_xh_{number}"), x * scale)
        variance = variance - F.lit(2.0) * slope * together + slope * slope * F.col(f"_squares_{number}")
    return F.when((n > 1) & (x > 0), F.greatest(variance, F.lit(0.0)))


def covariance(
    ratio_: Ratio,
    number: int,
    one: tuple[Column, Column],
    other: tuple[Column, Column],
    *,
    products: tuple[str, str, str, str],
    of: str = "",
) -> Column:
    """Covariance of two estimates of a ratio that share rows, without the factor n / (n - 1).

    Args:
        ratio_: the statistic.
        number: its place among the ratios of the sums.
        one: Σ w denominator and Σ w numerator of the first.
        other: of the second.
        products: names of the sums, over the rows they share, of denominator × denominator, denominator of the first ×
            numerator of the second, numerator × denominator, numerator × numerator.
        of: what the names of these sums end in.
    """
    fx, fy = _FACTOR[ratio_.is_of_amounts], _FACTOR[ratio_.has_amounts]
    scales = (fx * fx, fx * fy, fx * fy, fy * fy)
    xx, xy, yx, yy = (F.col(f"_{name}_{number}{of}") / F.lit(scale) for name, scale in zip(products, scales, strict=True))
    (x1, y1), (x2, y2) = one, other
    return covariance_of((xx, xy, yx, yy), (x1, F.try_divide(y1, x1)), (x2, F.try_divide(y2, x2)))


def covariance_of(
    products: tuple[Column, Column, Column, Column], one: tuple[Column, Column], other: tuple[Column, Column]
) -> Column:
    """As `covariance`, of sums of products in their own units and of each estimate's Σ w denominator and value."""
    xx, xy, yx, yy = products
    (x1, r1), (x2, r2) = one, other
    return F.try_divide(yy - r2 * yx - r1 * xy + r1 * r2 * xx, x1 * x2)


def covariances(
    frame: DataFrame, ratios: Sequence[Ratio], *, keys: Sequence[str], of: str, products: tuple[str, str, str, str]
) -> DataFrame:
    """`covariance` of every ratio with the one whose totals end in `of`.

    Args:
        frame: sums of products and totals of both estimates; one row per `keys`.
        ratios: as in `sums`.
        keys: columns to keep.
        of: what the names of the second estimate's totals end in.
        products: as in `covariance`.

    Returns:
        One row per row of the frame and ratio: keys, statistic, covariance.
    """
    structs = (
        F.struct(
            F.lit(ratio_.name).alias("statistic"),
            covariance(ratio_, number, totals_of(ratio_, number), totals_of(ratio_, number, of=of), products=products).alias(
                "covariance"
            ),
        )
        for number, ratio_ in enumerate(ratios)
    )
    return frame.select(*keys, F.inline(F.array(*structs)))


def totals_of(ratio_: Ratio, number: int, *, of: str = "") -> tuple[Column, Column]:
    """Σ w denominator and Σ w numerator, for `covariance`."""
    return _linear(ratio_, number, of)


PRODUCTS = ("xx", "xy", "yx", "yy")
"""Products of denominator and numerator of two estimates, the first letter of the first; columns of `shared_products`."""


def shared_products(pairs: DataFrame, ratios: Sequence[Ratio], *, weight: str, by: Sequence[str]) -> DataFrame:
    """Sums of products of two occasions over the units that are in both.

    Args:
        pairs: one row per unit; for each ratio `_x_k_one`, `_y_k_one`, `_x_k_other`, `_y_k_other` as `unit_values` names
            them, weights `<weight>_one` and `<weight>_other`.
        ratios: as in `sums`.
        weight: name of the weight.
        by: columns that name the cell.

    Returns:
        One row per cell × ratio: `by`, statistic and PRODUCTS, for `covariance_of`.
    """
    columns, rows = [], []
    for number, ratio_ in enumerate(ratios):
        scale = {"x": _FACTOR[ratio_.is_of_amounts], "y": _FACTOR[ratio_.has_amounts]}
        products = []
        for name in PRODUCTS:
            first, second = name[0], name[1]
            one = f"(_{first}_{number}_one * {_number(scale[first])})"
            other = f"(_{second}_{number}_other * {_number(scale[second])})"
            whole = f"cast(rint({weight}_one * {weight}_other * {one} * {other}) as bigint)"
            columns.append(f"coalesce(sum({whole}), 0L) as _{name}_{number}")
            products.append(f"_{name}_{number} / {_number(scale[first] * scale[second])} as {name}")
        rows.append(f"struct('{ratio_.name}' as statistic, {', '.join(products)})")
    return pairs.groupBy(*by).agg(*map(F.expr, columns)).selectExpr(*by, f"inline(array({', '.join(rows)}))")


def clustered_products(
    units: DataFrame, ratios: Sequence[Ratio], *, by: Sequence[str], cluster: str, is_later: Column
) -> DataFrame:
    """As `shared_products`, over the clusters that are in both, of rows that are added up by cluster on each occasion.

    Args:
        units: of `unit_sums` on both occasions, once for each cell that a row is in.
        ratios: as there.
        by: columns that name the cell.
        cluster: column that rows of a cluster share, on both occasions.
        is_later: of a row of the first of the two.
    """
    linear = [f"_{name}_{number}" for number in range(len(ratios)) for name in "xy"]
    sides = {"_one": is_later, "_other": ~is_later}
    there = [F.count_if(is_side).alias(f"_there{side}") for side, is_side in sides.items()]
    sums_ = [F.sum(F.when(is_side, F.col(n))).alias(f"{n}{side}") for side, is_side in sides.items() for n in linear]
    both = units.groupBy(*by, cluster).agg(*there, *sums_).where("_there_one > 0 and _there_other > 0")
    scaled = {}
    for number, ratio_ in enumerate(ratios):
        for name, has_amounts in {"x": ratio_.is_of_amounts, "y": ratio_.has_amounts}.items():
            for side in sides:
                column = f"_{name}_{number}{side}"
                scaled[column] = F.col(column) / F.lit(_LINEAR[has_amounts])
    ones = {f"_w{side}": F.lit(1.0) for side in sides}
    return shared_products(both.withColumns({**scaled, **ones}), ratios, weight="_w", by=by)


def unit_values(frame: DataFrame, ratios: Sequence[Ratio], *, keep: Sequence[str]) -> DataFrame:
    """`_x_k` and `_y_k` of each unit, denominator and numerator of the k-th ratio, missing where it does not count."""
    values = {}
    for number, ratio_ in enumerate(ratios):
        known = ratio_.numerator.isNotNull() & ratio_.denominator.isNotNull()
        values[f"_x_{number}"] = F.when(known, ratio_.denominator)
        values[f"_y_{number}"] = F.when(known, ratio_.numerator)
    return frame.select(*keep, *(value.alias(name) for name, value in values.items()))
