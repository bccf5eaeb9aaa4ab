"""Change between two months (변화) and difference between an area and the whole, with the errors of the differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from living_finance.analyses.balance import balance_measures
from living_finance.analyses.debt import debt_measures, with_loans
from living_finance.analyses.households import counted, members_of, with_relative_income
from living_finance.analyses.inequality import class_measures
from living_finance.analyses.low_income import poverty_measures
from living_finance.analyses.moves import CAME, LEFT, with_moves
from living_finance.analyses.result import (
    CELL,
    COVARIANCE,
    SEPARATOR,
    cells_of,
    finished_difference,
    placed_in,
    ratio_cells,
    regions,
)
from living_finance.config import AnalysisSettings
from living_finance.contracts import codes, gold
from living_finance.methods import ratios
from living_finance.methods.distribution import covariances, distribution
from living_finance.methods.exact_sums import exact_sum
from living_finance.methods.joins import join_to_one
from living_finance.methods.ratios import Ratio, mean, share
from living_finance.months import Month

_REGION = ("region_level", "region_code")
_VALUE = "equivalised_income_krw_year"
_BEFORE = "_before"
_UNIT = ("base_month", "household_id", "dong_code", "weight")
SINCE = "change_since"
_BEYOND = f"{SINCE}{SEPARATOR}minus_region"
_WON_SQUARED, _UNIT_SQUARED = 1.0, 2.0**50
"""Parts of a covariance that are added up as whole numbers: of a mean in won, of a share or rate."""


def measures_compared() -> Sequence[Ratio]:
    """What change and comparison look at of households alone; lines are taken as given: errors have the units' own part only."""
    lines = (replace(measure, shift=None) for measure in class_measures())
    return (
        mean("mean_total_income_krw_year", F.col(gold.TOTAL_INCOME), unit="KRW/year"),
        mean("mean_debt_krw", F.col("debt_krw"), unit="KRW"),
        share("share_with_debt", F.col("debt_krw") > 0),
        *balance_measures(),
        *lines,
    )


def measures_changed(settings: AnalysisSettings) -> Sequence[Ratio]:
    """What change looks at: `measures_compared`, and those of debt and of low income, each once."""
    poverty = (replace(measure, shift=None) for measure in poverty_measures())
    measures = (*measures_compared(), *debt_measures(settings), *poverty)
    return tuple({measure.name: measure for measure in measures}.values())


def change(
    *,
    household: DataFrame,
    household_members: DataFrame,
    household_member: DataFrame,
    placed_person: DataFrame,
    household_lineage: DataFrame,
    building: DataFrame,
    region: str,
    month: Month,
    against: Month,
    settings: AnalysisSettings,
    reference: str = "",
) -> DataFrame:
    """Change of household figures from `against` to `month`, on the later month's boundaries; before and after by area.

    Figures are those of income, balance, inequality, low income and debt; rates of members by age and loans by type among them;
    and the shares of households that came from another dong in the month, or left for one (see `household_moves`), whose
    dongs are those of the time.
    Households are mostly the same in both months, so the error of a change is far below that of two samples: it is
    sqrt(V₁ + V₂ - 2 C), C from the households that are in the region in both. Dongs that merged or split in between
    are compared on the later boundaries: a household of the earlier month counts in the dong that its building is in
    later, and in its own where the building is no longer listed. Each month's poverty line and middle class are by its
    own median, taken as given.

    With a reference, also the change less that of another area (difference in differences): what a policy changed in a district
    beyond what changed around it, if both would have gone the same way. Its error has the covariance of the households that are
    in both areas, at either time.

    Two months that are adjusted to the same year's published figures have the same mean income and spending in the city by
    construction: such a difference says nothing, and between areas only their shares of the city's total can move. A change of
    those levels is that between years.

    Args:
        household: gold.household of both months, of the whole city.
        household_members: silver.household of both months, for members by age.
        household_member: gold.household_member of both months.
        placed_person: silver.placed_person of both months, for loans by type, arrears and repayments.
        household_lineage: gold.household_lineage of both months, for moves.
        building: silver.building of the later month.
        region: see `finished`.
        month: the later month.
        against: the earlier month.
        settings: the proxies of debt.
        reference: code of an area that changes are compared with; none unless given.

    Returns:
        RESULT for everybody, base_month the later: value is later less earlier; a change of less than 1.96 standard errors is
        not `publishable`. `change_since`; with a reference also `change_since / minus_region`, of ratios, not of the
        distribution (Gini, quantiles).
    """
    both = household.where(F.col("base_month").isin(month.date, against.date))
    placed = on_boundaries(both, building, month=month)
    equivalised = counted(placed)
    members = members_of(equivalised.transform(with_relative_income), household_members, counts=("children", "elderly"))
    owing = with_loans(members, household_member, placed_person)
    moves = _moves(household, household_lineage)
    changes = [
        _ratio_change(frame, measures, places=places, month=month, against=against, reference=reference)
        for frame, places, measures in (
            (owing, placed, measures_changed(settings)),
            (moves, moves, tuple(share(name, F.when(F.col("_share") == name, F.col("has_crossed"))) for name in (CAME, LEFT))),
        )
    ]
    rows = reduce(DataFrame.unionByName, [*changes, _distribution_change(equivalised, month=month, against=against)])
    since, is_beyond = _said(against), F.col("dimension") == _BEYOND
    return finished_difference(
        rows,
        region=region,
        dimension=F.when(is_beyond, _BEYOND).otherwise(SINCE),
        category=F.when(is_beyond, f"{since}{SEPARATOR}{reference}").otherwise(since),
    )


def _said(month: Month) -> str:
    return f"{month.date:%Y-%m}"


def change_of(
    function: Callable[..., DataFrame],
    frames: Mapping[str, DataFrame],
    *,
    building: DataFrame,
    month: Month,
    against: Month,
    region: str,
    **arguments: object,
) -> DataFrame:
    """Change of every figure of an analysis, by its own groups, from `against` to `month`.

    Errors are those of `change`, with the covariance of the households, or of the persons by household, that are in a region
    and group in both months; that of the reach of benefits is sqrt(V₁ + V₂), which is too large for what is mostly the same in
    both. Lines (poverty, quintiles, low pay) are each month's own, taken as given. A figure that one of the months does not have
    is left out. Counts without error and ranks have none here either.

    Homes and workplaces of the earlier month are on the later month's dongs, by building; benefits, which are delivered by dong,
    are on those of the time.

    Args:
        function: the analysis; it takes `estimate`.
        frames: its tables, by argument, of both months.
        building: silver.building of the later month.
        month: the later month.
        against: the earlier month.
        region: see `finished`.
        arguments: others of the analysis.

    Returns:
        RESULT, base_month the later: dimension `change_since`, with that of the analysis behind it (`change_since / sex`), and
        category the earlier month, with its category behind it (`2019-01 / F`).
    """
    placed = dict(frames)
    for name, columns in PLACES.items():
        for address, dong in columns.items() if name in frames else ():
            placed[name] = on_boundaries(placed[name], building, month=month, address=address, dong=dong)
    rows = function(**placed, region=region, estimate=partial(paired_results, month=month, against=against), **arguments)
    own, category = F.regexp_replace("dimension", f"(^|{SEPARATOR}){codes.ALL}$", ""), F.col("category")
    return finished_difference(
        _differences(_side_by_side(rows, month, against)),
        region=region,
        dimension=F.concat_ws(SEPARATOR, F.lit(SINCE), F.when(own != "", own)),
        category=F.concat_ws(SEPARATOR, F.lit(_said(against)), F.when(category != codes.ALL, category)),
    )


PLACES = {
    "household": {"address_id": "dong_code"},
    "placed_person": {"home_address_id": "dong_code", "work_address_id": "workplace_dong_code"},
}
"""Table of an analysis → address → dong that is of it."""


def on_boundaries(
    frame: DataFrame, building: DataFrame, *, month: Month, address: str = "address_id", dong: str = "dong_code"
) -> DataFrame:
    """Rows of earlier months in the dong that their building is in in this one; in their own where it is no longer listed."""
    later = building.where(F.col("base_month") == F.lit(month.date)).select(
        F.col("address_id").alias(address), F.col("dong_code").alias("_later_dong")
    )
    placed = join_to_one(frame, later, on=[address], how="left")
    is_earlier = F.col("base_month") < F.lit(month.date)
    return placed.withColumns({dong: F.when(is_earlier, F.coalesce("_later_dong", dong)).otherwise(F.col(dong))}).drop(
        "_later_dong"
    )


def _moves(household: DataFrame, household_lineage: DataFrame) -> DataFrame:
    """Households that go on, by `_share`: where they are, for CAME, and where they were, for LEFT."""
    came = with_moves(counted(household), household_lineage).withColumns({"_share": F.lit(CAME)})
    left = came.withColumns(
        {
            "dong_code": F.col("former_dong_code"),
            "household_id": F.concat(F.lit("left "), "household_id"),
            "_share": F.lit(LEFT),
        }
    )
    return came.unionByName(left.where(F.col("dong_code").isNotNull()))


def _ratio_change(
    people: DataFrame, measures: Sequence[Ratio], *, places: DataFrame, month: Month, against: Month, reference: str
) -> DataFrame:
    """Changes; with a reference also those less the reference's, of dimension _BEYOND.

    Args:
        people: households with what the measures need.
        measures: ratios.
        places: the same households with their dong, from a shorter way.
        month: the later.
        against: the earlier.
        reference: code of an area, or empty.
    """
    paired = paired_results(people, measures, weight="weight", groups={}, month=month, against=against)
    changes = _differences(_side_by_side(paired, month, against))
    if not reference:
        return changes
    were_there = places.where(F.col("dong_code").startswith(reference)).select("household_id").distinct()
    rows = people.where(F.col("base_month").isin(month.date, against.date)).join(were_there, on="household_id", how="left_semi")
    cells = ratio_cells(people, measures, weight="weight", groups={})
    return _beside_reference(changes, _change_covariances(rows, cells, measures, month, reference), reference)


def _beside_reference(changes: DataFrame, shared: DataFrame, reference: str) -> DataFrame:
    """Each change, and that of every other region less the reference's; without shared households the covariance is 0."""
    is_reference = F.col("region_code") == reference
    whole = Window.partitionBy("statistic").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    base = {f"_{name}": F.max(F.when(is_reference, F.col(name))).over(whole) for name in ("value", "standard_error")}
    joined = join_to_one(changes.withColumns(base), shared, on=[*_REGION, "statistic"], how="left")
    own = F.col("standard_error") * F.col("standard_error") + F.col("_standard_error") * F.col("_standard_error")
    error = F.sqrt(F.greatest(own - F.lit(2.0) * F.coalesce("covariance", F.lit(0.0)), F.lit(0.0)))
    both = F.array(
        F.struct(F.col("dimension"), F.col("value"), F.col("standard_error")),
        F.struct(
            F.lit(_BEYOND).alias("dimension"),
            (F.col("value") - F.col("_value")).alias("value"),
            error.alias("standard_error"),
        ),
    )
    kept = [name for name in changes.columns if name not in ("dimension", "value", "standard_error")]
    return joined.select(*kept, F.inline(both)).where(~is_reference | (F.col("dimension") != _BEYOND))


def _change_covariances(rows: DataFrame, cells: DataFrame, measures: Sequence[Ratio], month: Month, reference: str) -> DataFrame:
    """Covariance of every region's change with the reference's, from the households that were in both at either time.

    What a household adds to a change is what it adds to the later figure less what it adds to the earlier one:
    w (y - R x) / Σ w x each.
    """
    values = ratios.unit_values(rows, measures, keep=_UNIT)
    totals = [name for number in range(len(measures)) for name in (f"_x_{number}", f"_y_{number}")]
    own = {name: f"{name}_one" for name in totals}
    placed = values.withColumnsRenamed(own).select("base_month", "household_id", "weight", F.inline(regions()), *own.values())
    keys = ["base_month", *_REGION]
    joined = join_to_one(placed, cells.select(*keys, *totals), on=keys, how="inner", broadcast=True)
    sign = F.when(F.col("base_month") == F.lit(month.date), F.col("weight")).otherwise(-F.col("weight"))
    added = {}
    for number, measure in enumerate(measures):
        x, y = ratios.totals_of(measure, number)
        deviation = F.col(f"_y_{number}_one") - F.try_divide(y, x) * F.col(f"_x_{number}_one")
        added[f"_u_{number}"] = F.coalesce(F.try_divide(sign * deviation, x), F.lit(0.0))
    # Two terms at most: the same in either order.
    units = joined.groupBy(*_REGION, "household_id").agg(*(F.sum(value).alias(name) for name, value in added.items()))
    # A household is in a region once, so the largest is the only one.
    household = Window.partitionBy("household_id").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    is_reference = F.col("region_code") == reference
    base = {f"{n}_base": F.max(F.when(is_reference, F.col(n))).over(household) for n in added}
    pairs = units.withColumns(base).where(~is_reference & F.col("_u_0_base").isNotNull())
    parts = [_WON_SQUARED if measure.unit.startswith("KRW") else _UNIT_SQUARED for measure in measures]
    sums = pairs.groupBy(*_REGION).agg(
        *(exact_sum(F.col(n) * F.col(f"{n}_base"), parts=p).alias(n) for n, p in zip(added, parts, strict=True))
    )
    structs = (
        F.struct(F.lit(measure.name).alias("statistic"), F.col(name).alias("covariance"))
        for measure, name in zip(measures, added, strict=True)
    )
    return sums.select(*_REGION, F.inline(F.array(*structs)))


def paired_results(
    frame: DataFrame,
    measures: Sequence[Ratio],
    *,
    weight: str,
    groups: Mapping[str, Column],
    dong: Column | None = None,
    cluster: str | None = None,
    month: Month,
    against: Month,
) -> DataFrame:
    """`ratio_results` of two months, with `covariance` between them: an estimator for `change_of`.

    Args:
        frame: as in `ratio_cells`, of both months; without a cluster its rows are households.
        measures: ratios; a line that they are measured by is taken as given.
        weight: as there.
        groups: as there.
        dong: as there.
        cluster: as there.
        month: the later.
        against: the earlier.
    """
    plain = [replace(measure, shift=None) for measure in measures]
    places: dict[str, Any] = {"weight": weight, "groups": groups, "dong": dong, "cluster": cluster}
    found = ratios.estimates(ratio_cells(frame, plain, **places), plain, by=CELL, with_denominators=True)
    products = _shared_products(frame, plain, **places, month=month, against=against)
    joined = join_to_one(found, products, on=[*CELL[1:], "statistic"], how="left")
    pair = Window.partitionBy(*CELL[1:], "statistic").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    drawn = "contributors" if cluster is None else "clusters"
    (x1, r1, n1), (x2, r2, n2) = (
        [F.max(F.when(F.col("base_month") == F.lit(m.date), F.col(name))).over(pair) for name in ("denominator", "value", drawn)]
        for m in (month, against)
    )
    xx, xy, yx, yy = (F.col(name) for name in ratios.PRODUCTS)
    n = F.least(n1, n2).cast("double")
    of_ratio = ratios.covariance_of((xx, xy, yx, yy), (x1, r1), (x2, r2)) * F.try_divide(n, n - 1)
    is_total = F.col("statistic").isin([measure.name for measure in plain if measure.is_total])
    return joined.withColumns({COVARIANCE: F.when(is_total, yy).otherwise(of_ratio)}).drop("denominator", *ratios.PRODUCTS)


def _shared_products(
    frame: DataFrame,
    measures: Sequence[Ratio],
    *,
    weight: str,
    groups: Mapping[str, Column],
    dong: Column | None,
    cluster: str | None,
    month: Month,
    against: Month,
) -> DataFrame:
    """Sums of products of both months by cell, over the households, or clusters, that are in it in both."""
    placed, by = placed_in(frame, groups=groups, dong=dong), CELL[1:]
    keep = ["base_month", "_dong", *(f"of_{name}" for name in groups)]
    if cluster is not None:
        units = ratios.unit_sums(placed, measures, weight=weight, keep=[*keep, cluster]).repartition(cluster)
        kept = [name for name in units.columns if name not in keep]
        cells = units.select("base_month", F.inline(cells_of(groups)), *kept).where(F.col("region_code").isNotNull())
        is_later = F.col("base_month") == F.lit(month.date)
        return ratios.clustered_products(cells, measures, by=by, cluster=cluster, is_later=is_later)
    values = ratios.unit_values(placed, measures, keep=[*keep, "household_id", weight])
    names = [name for name in values.columns if name not in ("base_month", "household_id")]
    # A household is there once a month: of the rows that have a value there is one.
    sides = {"_one": month, "_other": against}
    pairs = values.groupBy("household_id").agg(
        *(
            F.first(
                F.when(F.col("base_month") == F.lit(m.date), F.struct(*(F.col(name).alias(f"{name}{of}") for name in names))),
                ignorenulls=True,
            ).alias(of)
            for of, m in sides.items()
        )
    )
    in_both = pairs.where(F.col("_one").isNotNull() & F.col("_other").isNotNull()).select("_one.*", "_other.*")
    shared = F.array_intersect(cells_of(groups, side="_one"), cells_of(groups, side="_other"))
    by_cell = in_both.select(F.inline(shared), *in_both.columns).where(F.col("region_code").isNotNull())
    return ratios.shared_products(by_cell, measures, weight=weight, by=by)


def _distribution_change(people: DataFrame, *, month: Month, against: Month) -> DataFrame:
    places = people.select("base_month", "household_id", F.inline(regions()), _VALUE, "person_weight")
    found = distribution(places, cells=["base_month", *_REGION], value=_VALUE, weight="person_weight")
    shared = covariances(places, cells=_REGION, value=_VALUE, weight="person_weight", unit="household_id", occasion="base_month")
    everybody = {"dimension": F.lit("all"), "category": F.lit("all")}
    both = _side_by_side(found.withColumns(everybody), month, against)
    n = F.least("contributors", f"contributors{_BEFORE}").cast("double")
    joined = join_to_one(both, shared, on=[*_REGION, "statistic"], how="left")
    return _differences(joined.withColumns({COVARIANCE: F.col(COVARIANCE) * F.try_divide(n, n - 1)}))


def _side_by_side(found: DataFrame, month: Month, against: Month) -> DataFrame:
    """One row per region × statistic that both months have: columns of the later one, of the earlier one ending in _BEFORE."""
    keys = [*CELL[1:], "statistic", "unit"]
    names = [name for name in found.columns if name not in ("base_month", *keys)]
    # A statistic is there once a month: of the rows that have a value there is one.
    sides = {"": F.col("base_month") == F.lit(month.date), _BEFORE: F.col("base_month") == F.lit(against.date)}
    values = (F.first(F.when(is_of, F.col(n)), ignorenulls=True).alias(f"{n}{of}") for of, is_of in sides.items() for n in names)
    there = (F.count_if(is_of).alias(f"_there{of}") for of, is_of in sides.items())
    both = found.groupBy(*keys).agg(*values, *there).where((F.col("_there") > 0) & (F.col(f"_there{_BEFORE}") > 0))
    return both.drop(*(f"_there{of}" for of in sides)).withColumns({"base_month": F.lit(month.date)})


def _differences(both: DataFrame) -> DataFrame:
    """Later less earlier, of `_side_by_side` with `covariance`, 0 where it is missing: without shared households."""
    together = F.coalesce(COVARIANCE, F.lit(0.0))
    own = F.pow("standard_error", F.lit(2.0)) + F.pow(f"standard_error{_BEFORE}", F.lit(2.0))
    return both.select(
        *CELL,
        "statistic",
        "unit",
        (F.col("value") - F.col(f"value{_BEFORE}")).alias("value"),
        F.sqrt(F.greatest(own - F.lit(2.0) * together, F.lit(0.0))).alias("standard_error"),
        "population",
        F.least("contributors", f"contributors{_BEFORE}").alias("contributors"),
    )
