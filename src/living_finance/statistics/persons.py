"""Statistics of bureau persons by where they live and where they work."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import gold, silver
from living_finance.methods.joins import join_to_one
from living_finance.methods.quantiles import cube, weighted_quantiles
from living_finance.months import Month
from living_finance.statistics.cells import ROWS, CellPlan, Quantile, city_of, mean_of, share_of, summarise, whole

_LABOUR, _BUSINESS = silver.INCOME_COLUMNS
_EARNED = "labour_business_income_krw_year"
_SPENDING = "spending_krw_month"
_MEDIANS = {f"median_{_EARNED}": _EARNED, f"median_{_SPENDING}": _SPENDING}
_GU_CODE_LENGTH = 5

_PLAN = CellPlan(
    within=("place", "_gu_code"),
    levels={"dong": "_dong_code", "gu": "_gu_code"},
    sets=tuple(cube(("sex", "age_band"), always=("place",))),
    weight="_one",
    value=_EARNED,
    amounts=(_EARNED, _LABOUR, _BUSINESS, *silver.BALANCE_COLUMNS, "debt_krw", _SPENDING),
    flags=("has_debt", "is_overdue"),
    quantiles=tuple(Quantile(name=name, value=value, probability=0.5) for name, value in _MEDIANS.items()),
)


def person_statistics(persons: DataFrame, *, month: Month) -> DataFrame:
    """Income, debt and spending of bureau persons by region of residence and of work, sex and age band.

    By residence: residents of the city by the dong they are placed in, or the delivered one where they are not
    placed. By workplace: everybody, residents or not, by the dong of the workplace. Whoever has no known dong
    is in no row: the city is the sum of its districts. Persons are counted, not grossed up; debt is the four
    balances; amounts are rounded to the won, halves to even; a median is the smallest value that half of the
    persons do not exceed.

    Args:
        persons: silver.placed_person, one row per bureau person of the month; read several times, so a stored table.
        month: written into every row.

    Returns:
        One row per place × region (dong, gu, city) × sex × age band that occurs, the last two also `all`:
        gold.person_statistics.
    """
    frame = _by_place(persons)
    regional = summarise(frame, plan=_PLAN, levels=_PLAN.levels)
    city = city_of(summarise(frame, plan=_PLAN, levels=["gu"]), plan=_PLAN)
    for name, value in _MEDIANS.items():
        medians = weighted_quantiles(frame, value=value, weight="_one", sets=_PLAN.sets, probabilities={name: 0.5})
        city = join_to_one(city, medians, on=_PLAN.categories, how="left")
    measures = {
        "base_month": F.lit(month.date),
        "persons": F.col(ROWS),
        **{f"mean_{name}": whole(mean_of(name)) for name in _PLAN.amounts},
        **{name: whole(F.col(name)) for name in _MEDIANS},
        "share_with_debt": share_of("has_debt"),
        "overdue_share": share_of("is_overdue"),
    }
    cells = regional.unionByName(city, allowMissingColumns=True)
    columns = gold.PERSON_STATISTICS.columns
    return cells.select(*(measures.get(column.name, F.col(column.name)).alias(column.name) for column in columns))


def _by_place(persons: DataFrame) -> DataFrame:
    """One row per person and place with a known dong: at most two a person."""
    is_resident = F.col("residence") == "seoul"
    home = F.when(is_resident, F.coalesce("dong_code", "home_dong"))
    places = F.array(
        F.struct(F.lit("residence").alias("place"), home.alias("_dong_code")),
        F.struct(F.lit("workplace").alias("place"), F.col("workplace_dong_code").alias("_dong_code")),
    )
    debt = sum((F.col(name) for name in silver.BALANCE_COLUMNS), start=F.lit(0.0))
    spending = sum((F.col(name) for name in silver.SPENDING_COLUMNS), start=F.lit(0.0))
    return (
        persons.select(
            F.inline(places),
            "sex",
            F.col("age_band").cast("string").alias("age_band"),
            *silver.INCOME_COLUMNS,
            *silver.BALANCE_COLUMNS,
            (F.col(_LABOUR) + F.col(_BUSINESS)).alias(_EARNED),
            debt.alias("debt_krw"),
            spending.alias(_SPENDING),
            (debt > 0).alias("has_debt"),
            (F.col("overdue_balance_krw") > 0).alias("is_overdue"),
            F.lit(1.0).alias("_one"),
        )
        .where(F.col("_dong_code").isNotNull())
        .withColumns({"_gu_code": F.substring("_dong_code", 1, _GU_CODE_LENGTH)})
    )
