"""What every analysis returns: one long table, so that a release can check it and a report can read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import codes, silver
from living_finance.contracts.core import Column as Declared
from living_finance.contracts.core import Kind
from living_finance.methods import ratios
from living_finance.methods.ratios import Ratio
from living_finance.methods.regions import regions_of

RESULT: tuple[Declared, ...] = (
    *silver.REGION_COLUMNS,
    Declared(
        name="dimension",
        kind=Kind.TEXT,
        label_ko="차원",
        label_en="dimension",
        meaning="what the category is of; `all` for everybody",
        is_required=True,
    ),
    Declared(name="category", kind=Kind.TEXT, label_ko="범주", label_en="category", is_required=True),
    Declared(name="statistic", kind=Kind.TEXT, label_ko="통계 항목", label_en="statistic", is_required=True),
    Declared(name="unit", kind=Kind.TEXT, label_ko="단위", label_en="unit", is_required=True),
    Declared(name="value", kind=Kind.DECIMAL, label_ko="값", label_en="value", meaning="missing where it is not defined"),
    Declared(
        name="standard_error",
        kind=Kind.DECIMAL,
        label_ko="표준오차",
        label_en="standard error",
        meaning="linearised; without the error of the income model, of householding and of coverage",
    ),
    Declared(
        name="population",
        kind=Kind.DECIMAL,
        label_ko="모집단 규모",
        label_en="households or persons described, weighted",
        is_required=True,
    ),
    Declared(
        name="contributors",
        kind=Kind.COUNT,
        label_ko="구성 단위 수",
        label_en="contributing rows, unweighted",
        meaning="households or bureau persons; what a release checks",
        is_required=True,
    ),
    Declared(
        name="reliability",
        kind=Kind.CODE,
        label_ko="신뢰 등급",
        label_en="reliability",
        meaning="missing for counts and ranks, which have no error",
        codes=codes.RELIABILITY,
    ),
)
"""Columns of an analysis, one row per month × region × dimension × category × statistic."""

KEY = ("base_month", "region_level", "region_code", "dimension", "category", "statistic")
CELL = KEY[:-1]
COVARIANCE = "covariance"
SEPARATOR = " / "
"""Between the categories of a cross, for instance of `dong × employment × age`."""

_SURE = 1.96
CITY_DIGITS = 2
_LEVELS = 3
"""Of `regions`: city, district, dong."""
_NARROW, _WIDE = 0.025, 0.05
"""Standard errors of a share: 95 % intervals of 10 and 20 points. A rule of this house: the brief asks for the width of
a share's interval and gives no limit."""
_FEWEST = 10
"""Contributors below which an estimated error says nothing: a rule of this house."""


Estimator = Callable[..., DataFrame]
"""`ratio_results`, or what gives more beside it: an analysis is told by which it estimates."""


def regions(*, dong: Column | None = None, gu: Column | None = None) -> Column:
    """City, district and dong of a row, as an array to be exploded (`inline`) into region_level and region_code."""
    dong = F.col("dong_code") if dong is None else dong
    gu = F.substring(dong, 1, 5) if gu is None else gu
    return regions_of({"city": F.substring(dong, 1, CITY_DIGITS), "gu": gu, "dong": dong})


def ratio_cells(
    frame: DataFrame,
    measures: Sequence[Ratio],
    *,
    weight: str,
    groups: Mapping[str, Column],
    dong: Column | None = None,
    cluster: str | None = None,
) -> DataFrame:
    """Sums of ratios for every region × (everybody, each category of each group).

    Args:
        frame: one row per unit, with base_month; units without a dong are left out.
        measures: ratios on its columns.
        weight: numeric column.
        groups: dimension → category of the row as text; a row whose category is missing is not in that dimension.
        dong: the dong a unit counts in; `dong_code` unless given.
        cluster: column that units share which are not drawn apart; without it each unit is drawn by itself.

    Returns:
        One row per CELL, sums as `ratios.sums` or `ratios.clustered_sums` makes them.
    """
    placed = placed_in(frame, groups=groups, dong=dong)
    keys = ["base_month", "_dong", *_names(groups)]
    if cluster is None:
        finest = ratios.sums(placed, measures, weight=weight, by=keys)
    else:
        # By cluster before rows are put into all of their cells: what is many times as long is not sent around.
        finest = ratios.unit_sums(placed, measures, weight=weight, keep=[*keys, cluster]).repartition(cluster)
    of = F.array(*(F.struct(F.lit(name).alias("dimension"), value.alias("category")) for name, value in _categories(groups)))
    kept = [name for name in finest.columns if name not in keys]
    long = finest.select("base_month", "_dong", F.inline(of), *kept).where(F.col("category").isNotNull())
    cells = long.select("base_month", F.inline(regions(dong=F.col("_dong"))), "dimension", "category", *kept)
    if cluster is None:
        return ratios.merged(cells, by=CELL)
    return ratios.clustered_sums(cells, measures, by=CELL, cluster=cluster)


def placed_in(frame: DataFrame, *, groups: Mapping[str, Column], dong: Column | None) -> DataFrame:
    """Rows that have a dong, as `_dong`, with their category of each group, as `of_` and its name; otherwise as `ratio_cells`."""
    place = F.col("dong_code") if dong is None else dong
    placed = frame.withColumns({"_dong": place, **dict(zip(_names(groups), groups.values(), strict=True))})
    return placed.where(F.col("_dong").isNotNull())


def _names(groups: Mapping[str, Column]) -> list[str]:
    return [f"of_{name}" for name in groups]


def _categories(groups: Mapping[str, Column], side: str = "") -> list[tuple[str, Column]]:
    named = zip(groups, _names(groups), strict=True)
    return [(codes.ALL, F.lit(codes.ALL)), *((name, F.col(f"{column}{side}")) for name, column in named)]


def cells_of(groups: Mapping[str, Column], *, side: str = "") -> Column:
    """All cells of a row of `placed_in`, as an array to be exploded (`inline`) into CELL without its month.

    A group that the row has no category of is missing in it, and is a row without a region when exploded.

    Args:
        groups: as in `placed_in`.
        side: what the names of its columns end in.
    """
    here = regions(dong=F.col(f"_dong{side}"))
    cells = [
        F.when(
            category.isNotNull(),
            F.struct(
                *(here[level][name].alias(name) for name in ("region_level", "region_code")),
                F.lit(dimension).alias("dimension"),
                category.alias("category"),
            ),
        )
        for level in range(_LEVELS)
        for dimension, category in _categories(groups, side)
    ]
    return F.array(*cells)


def ratio_results(
    frame: DataFrame,
    measures: Sequence[Ratio],
    *,
    weight: str,
    groups: Mapping[str, Column],
    dong: Column | None = None,
    cluster: str | None = None,
) -> DataFrame:
    """`ratio_cells` as estimates: one row per CELL × ratio, columns of RESULT but reliability, and `clusters` where there are."""
    cells = ratio_cells(frame, measures, weight=weight, groups=groups, dong=dong, cluster=cluster)
    return ratios.estimates(cells, measures, by=CELL)


def finished(estimates: DataFrame, *, region: str) -> DataFrame:
    """The declared columns and the reliability class, for one region and what is inside it.

    A share is classed by its standard error (publishable to 0.025, caution to 0.05) or that of Agresti & Coull (1998,
    Approximate is better than "exact", The American Statistician 52(2), 119-126) where it is larger: nobody of two is not
    surely nobody. Everything else is classed by its coefficient of variation (15 %, 30 %); a figure of fewer than ten
    contributors is unreliable. Of persons who are drawn by household, households are what counts. What has no error though it
    rests on several rows (counts of recipients and jobs, ranks, the parts of Theil's index) has no class.

    Args:
        estimates: columns of RESULT but reliability; `clusters` where units are not drawn apart; `covariance` stays where it is
            there (`change.paired_results`).
        region: code of the city, a district or a dong; regions whose code begins with it stay.
    """
    error = F.col("standard_error")
    cv = F.try_divide(error, F.abs("value"))
    drawn = F.coalesce("clusters", "contributors") if "clusters" in estimates.columns else F.col("contributors")
    is_share, n = F.col("unit") == "share", drawn.cast("double")
    shrunk = (n * F.col("value") + 2.0) / (n + 4.0)
    width = F.when(error.isNotNull(), F.greatest(error, F.sqrt(shrunk * (1.0 - shrunk) / (n + 4.0))))
    is_enough = n >= _FEWEST
    is_publishable = is_enough & F.when(is_share, width <= _NARROW).otherwise(cv <= codes.PUBLISHABLE_CV)
    is_usable = is_enough & F.when(is_share, width <= _WIDE).otherwise(cv <= codes.CAUTION_CV)
    is_classed = error.isNotNull() | (n <= 1)
    reliability = F.when(is_publishable, "publishable").when(is_usable, "caution").when(is_classed, "unreliable")
    rows = estimates.where(F.col("region_code").startswith(region)).withColumns({"reliability": reliability})
    beside = [F.col(COVARIANCE)] if COVARIANCE in estimates.columns else []
    return rows.select(*(F.col(column.name).cast(column.spark_type) for column in RESULT), *beside)


def finished_difference(estimates: DataFrame, *, region: str, dimension: Column, category: Column) -> DataFrame:
    """As `finished`, for differences: `publishable` beyond 1.96 standard errors, `caution` beyond one, else unreliable.

    A difference that is within its error may be none, whatever its size is relative to its level. One of counts and ranks, which
    have no error, has no class.

    Args:
        estimates: columns of RESULT but reliability.
        region: see `finished`.
        dimension: what the value is a difference from, as a name.
        category: what it is a difference from.
    """
    size, error = F.abs("value"), F.col("standard_error")
    is_classed = error.isNotNull() | (F.col("contributors") <= 1)
    classed = F.when(size > _SURE * error, "publishable").when(size > error, "caution").otherwise("unreliable")
    reliability = F.when(is_classed, classed)
    named = estimates.where(F.col("region_code").startswith(region)).withColumns(
        {"category": category, "dimension": dimension, "reliability": reliability}
    )
    return named.select(*(F.col(column.name).cast(column.spark_type) for column in RESULT))
