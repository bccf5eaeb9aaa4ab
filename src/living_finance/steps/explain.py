"""Read what `explain` tells: ledger, edit report, calibration, and the rows of a region or a household."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from living_finance.catalog.explain import FigureFacts, HouseholdFacts, transfer_parts
from living_finance.contracts import codes, gold, silver
from living_finance.contracts import releases as r
from living_finance.contracts.core import Kind, Table
from living_finance.errors import ConfigurationError, MissingInput
from living_finance.income.value_benchmark import AGE_GROUPS, age_group_of
from living_finance.methods.margins import is_margin
from living_finance.months import Month
from living_finance.steps.month import STEPS
from living_finance.steps.regions import check_form, check_region
from living_finance.storage.ledger import Ledger, StepRecord
from living_finance.storage.warehouse import Warehouse

EXPLAINED: dict[str, Table] = {
    table.qualified_name: table for table in (gold.HOUSEHOLD_STATISTICS, gold.HOUSEHOLD_BREAKDOWN, gold.PERSON_STATISTICS)
}
_OF_GROUPS: dict[str, tuple[str, ...]] = {
    gold.HOUSEHOLD_BREAKDOWN.name: (
        "households",
        "households_unweighted",
        f"mean_{gold.TOTAL_INCOME}",
        "cv_mean_total_income",
        "reliability",
        f"median_{gold.TOTAL_INCOME}",
        "mean_debt_krw",
    ),
    gold.PERSON_STATISTICS.name: (
        "persons",
        "mean_labour_business_income_krw_year",
        "median_labour_business_income_krw_year",
        "mean_debt_krw",
        "share_with_debt",
        "mean_spending_krw_month",
        "overdue_share",
    ),
}
"""Table without a row of everybody → its main figures."""
_OF_PERSONS = ("cleanse", "place", "statistics")
"""Steps that figures of persons come from."""
_LEVELS = {2: "city", 5: "gu", 7: "dong"}
_GU_DIGITS, _DONG_DIGITS = 5, 7


def figure_facts(spark: SparkSession, *, root: str, table: str, month: Month, region: str) -> FigureFacts:
    """What a region's figures in a table rest on.

    Args:
        spark: the session.
        root: folder of the warehouse.
        table: qualified name of a table of statistics.
        month: a finished month.
        region: code of a city, district, dong or output area.

    Raises:
        ConfigurationError: no such table of statistics, or no code of a region.
        MissingInput: the month is not finished, or the table has no such region in it.
    """
    if table not in EXPLAINED:
        raise ConfigurationError(f"{table} is no table of statistics.", remedy=f"one of {', '.join(EXPLAINED)}, or household ID")
    ledger, warehouse = Ledger(root), Warehouse(spark, root)
    manifest = ledger.finished(month)
    check_form(region, digits=(2, 5, 7, 11))
    of_region = warehouse.read(EXPLAINED[table], base_month=month.date).where(F.col("region_code") == region)
    rows = of_region.count()  # ok: one number
    if rows == 0:
        areas = warehouse.read(silver.OUTPUT_AREA, base_month=month.date)
        if areas.where(F.col("output_area_id") == region).isEmpty():
            check_region(warehouse, month, region)
        raise MissingInput(
            f"{table} has no region {region} in {month}.", remedy="nothing was published of it: try the region around it"
        )
    cleansed, income = ledger.find(month, "cleanse"), ledger.find(month, "income")
    of_persons = EXPLAINED[table] is gold.PERSON_STATISTICS
    edits, district = warehouse.read(gold.EDIT_REPORT, base_month=month.date), region[:_GU_DIGITS]
    if len(region) >= _GU_DIGITS:
        edits = edits.where(F.col("gu_code") == district)
    figures = _margin(of_region) if EXPLAINED[table] is gold.HOUSEHOLD_STATISTICS else {}
    return FigureFacts(
        table=table,
        month=str(month),
        region=region,
        region_name=_region_name(warehouse, month, region),
        figures=figures,
        groups=_groups(of_region, EXPLAINED[table]),
        rows=rows,
        deliveries=cleansed.facts.get("deliveries", {}) if cleansed else {},
        edits=_dicts(_edits(edits)),
        edits_of=f"{district} {_region_name(warehouse, month, district)}" if len(region) >= _GU_DIGITS else "",
        versions=manifest["tables"],
        steps=[step for step in _steps(ledger, month) if not of_persons or step["step"] in _OF_PERSONS],
        transfers=_transfers(warehouse, month, region, figures),
        **({} if of_persons else _weighted(warehouse, month, region, income)),
    )


def household_facts(
    spark: SparkSession, *, root: str, household_id: str, month: Month, districts: Collection[str] | None
) -> HouseholdFacts:
    """What a household of a month rests on.

    Args:
        spark: the session.
        root: folder of the warehouse.
        household_id: of the household.
        month: a finished month.
        districts: whose households the reader may see; None: all.

    Raises:
        MissingInput: the month is not finished, or has no such household in these districts.
    """
    ledger, warehouse = Ledger(root), Warehouse(spark, root)

    def rows(table: Table) -> Sequence[Mapping[str, Any]]:
        return _dicts(warehouse.read(table, base_month=month.date).where(F.col("household_id") == household_id))

    ledger.finished(month)
    household = [row for row in rows(gold.HOUSEHOLD) if districts is None or row["gu_code"] in districts]
    if not household:
        where = "" if districts is None else f" in the districts granted to this login ({', '.join(sorted(districts)) or 'none'})"
        raise MissingInput(f"{month} has no such household{where}.", remedy="check id and month: ids differ where nobody stayed")
    return HouseholdFacts(
        household=household[0],
        before_income=rows(silver.HOUSEHOLD)[0],
        members=rows(gold.HOUSEHOLD_MEMBER),
        register=rows(silver.HOUSEHOLD_REGISTER),
        lineage=rows(gold.HOUSEHOLD_LINEAGE),
        steps=_steps(ledger, month),
        paid=_paid(warehouse, month, household[0]["dong_code"]),
        adjustment=_adjustment(ledger.find(month, "income"), _means_after(warehouse, month)),
    )


def _paid(warehouse: Warehouse, month: Month, region: str) -> list[dict[str, Any]]:
    """Per programme: recipients and amounts of a month in a city, district or dong."""
    benefits = warehouse.read(silver.BENEFIT, base_month=month.date)
    if region != codes.CITY_CODE:
        benefits = benefits.where(F.col("dong_code").startswith(region))
    sums = {"recipients": F.col("recipients").cast("bigint"), "paid_krw_month": F.rint("amount_krw").cast("bigint")}
    return _dicts(
        benefits.groupBy("programme").agg(*(F.sum(value).alias(name) for name, value in sums.items())).orderBy("programme")
    )


def _transfers(warehouse: Warehouse, month: Month, region: str, figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    mean = figures.get("mean_transfer_income_krw_year [KRW/year]")
    if mean is None or not figures["households"] or len(region) > _DONG_DIGITS:
        return []
    return transfer_parts(mean, households=figures["households"], paid=_paid(warehouse, month, region))


def _weighted(warehouse: Warehouse, month: Month, region: str, income: StepRecord | None) -> dict[str, Any]:
    """What figures of households rest on beside their rows: adjustment, weights and calibration."""
    is_within, is_area_within = _is_within(region), _is_area_within(region)

    def rows(table: Table, condition: Column) -> DataFrame:
        return warehouse.read(table, base_month=month.date).where(condition)

    return {
        "adjustment": _adjustment(income, _means_after(warehouse, month)),
        "not_met": income.facts.get("not_met", ()) if income else (),
        "notes": income.facts.get("notes", ()) if income else (),
        "joint_test": income.facts.get("joint_test") if income else None,
        "weights": _one(_weights(rows(gold.HOUSEHOLD, is_within))),
        "areas": _one(_areas(rows(silver.OUTPUT_AREA, is_area_within))),
        "targets": _dicts(_targets(rows(silver.CALIBRATION_TARGET, is_area_within))),
    }


def _is_within(region: str) -> Column:
    """Households of a region."""
    if len(region) == len(codes.CITY_CODE):
        return F.lit(True)
    level = {5: "gu_code", 7: "dong_code"}.get(len(region), "output_area_id")
    return F.col(level) == region


def _is_area_within(region: str) -> Column:
    return F.col("output_area_id").startswith(region)


def _margin(of_region: DataFrame) -> dict[str, Any]:
    """The row of gold.household_statistics in which every category is `all`."""
    table = gold.HOUSEHOLD_STATISTICS
    everybody = of_region.where(is_margin(r.DIMENSIONS[table.name]))
    names = [column.name for column in table.columns if column.name not in (*table.key, "base_month")]
    return _one(everybody.select(*_with_units(names, table)))


def _groups(of_region: DataFrame, table: Table) -> list[dict[str, Any]]:
    """Main figures by dimension and category, or of everybody by place; none of a table with a row of everybody."""
    if table.name not in _OF_GROUPS:
        return []
    keys = [r.PLACE] if table is gold.PERSON_STATISTICS else ["dimension", "category"]
    rows = of_region.where(is_margin(r.DIMENSIONS[table.name])) if table is gold.PERSON_STATISTICS else of_region
    return _dicts(rows.orderBy(*keys).select(*keys, *_with_units(_OF_GROUPS[table.name], table)))


def _with_units(names: Sequence[str], table: Table) -> list[Column]:
    """Columns by their names, money with its unit behind it."""
    units = {column.name: column.unit for column in table.columns if column.kind is Kind.MONEY}
    return [F.col(name).alias(f"{name} [{units[name]}]" if name in units else name) for name in names]


def _edits(report: DataFrame) -> DataFrame:
    return (
        report.groupBy("table", "reason")
        .agg(*(F.sum(name).alias(name) for name in gold.EDIT_COUNTS))
        .orderBy("table", F.col("reason") != codes.ALL, "reason")
    )


def _weights(households: DataFrame) -> DataFrame:
    return households.where(~F.col("is_group_quarters")).agg(
        F.count(F.lit(1)).alias("households formed"),
        F.sum("weight").alias("sum of weights"),
        F.min("weight").alias("least weight"),
        F.median("weight").alias("median weight"),
        F.max("weight").alias("largest weight"),
    )


def _areas(areas: DataFrame) -> DataFrame:
    return areas.agg(
        F.count(F.lit(1)).alias("output areas"),
        F.count_if("is_converged").alias("converged"),
        F.sum("targets").alias("targets"),
        F.sum("relaxed_targets").alias("not met exactly"),
        F.sum("census_households").alias("households in the census"),
        F.sum("target_households").alias("households aimed at"),
        F.sum("weighted_households").alias("households by weight"),
        F.max("largest_gap").alias("largest gap"),
    )


def _targets(targets: DataFrame) -> DataFrame:
    return (
        targets.groupBy("margin")
        .agg(
            F.count(F.lit(1)).alias("targets"),
            F.count_if("is_relaxed").alias("not met exactly"),
            F.max(F.abs("gap")).alias("largest gap"),
        )
        .orderBy("margin")
    )


def _steps(ledger: Ledger, month: Month) -> list[dict[str, Any]]:
    records = [record for step in STEPS if (record := ledger.find(month, step.name))]
    return [
        {
            "step": record.step,
            "fingerprint": record.fingerprint[:12],
            **{name: record.facts.get(name) for name in ("model_version", "mlflow_run_id")},
            "registry_number": _model(record).get("number"),
            "trained_on": _model(record).get("trained_month"),
        }
        for record in records
    ]


def _model(record: StepRecord) -> Mapping[str, Any]:
    """Of a step that scores with a registered model: its number in the MLflow registry, the month it was trained on."""
    model: Mapping[str, Any] = record.facts.get("model", {})
    return model


def _means_after(warehouse: Warehouse, month: Month) -> dict[str, int]:
    """Mean incomes of the city as published here, KRW/year, by the names of `income.estimate.ADJUSTED`."""
    is_city = F.col("region_code") == codes.CITY_CODE
    statistics = warehouse.read(gold.HOUSEHOLD_STATISTICS, base_month=month.date)
    means = {name.removesuffix("_income_krw_year"): f"mean_{name}" for name in (gold.TOTAL_INCOME, *gold.INCOME_COMPONENTS)}
    everybody = statistics.where(is_city & is_margin(r.DIMENSIONS[gold.HOUSEHOLD_STATISTICS.name]))
    found = _one(everybody.select(*(F.col(column).alias(name) for name, column in means.items())))
    breakdown = warehouse.read(gold.HOUSEHOLD_BREAKDOWN, base_month=month.date)
    names = {"income_class": "fifth", "tenure": "tenure"}
    groups = breakdown.where(is_city & F.col("dimension").isin(*names)).select("dimension", "category", means["total"])
    return {
        **found,
        **{f"{names[row['dimension']]}_{row['category']}": row[means["total"]] for row in _dicts(groups)},
        **_means_by_age(statistics.where(is_city), means["total"]),
    }


def _means_by_age(statistics: DataFrame, mean: str) -> dict[str, int]:
    """Of the age groups that are published, from rows of households with a head of ten years of age."""
    others = is_margin(tuple(name for name in r.DIMENSIONS[gold.HOUSEHOLD_STATISTICS.name] if name != "head_age_band"))
    rows = _dicts(statistics.where(others & (F.col("head_age_band") != codes.ALL)).select("head_age_band", "households", mean))
    number, sums = dict.fromkeys(AGE_GROUPS, 0.0), dict.fromkeys(AGE_GROUPS, 0.0)
    for row in rows:
        name = AGE_GROUPS[int(age_group_of(np.array(int(row["head_age_band"]))))]
        number[name] += row["households"]
        sums[name] += row["households"] * (row[mean] or 0)
    return {f"age_{name}": round(sums[name] / number[name]) for name in AGE_GROUPS if number[name] > 0}


def _adjustment(income: StepRecord | None, after: Mapping[str, int]) -> list[dict[str, Any]]:
    """Noted figures with what came of them."""
    noted = income.facts.get("adjustment", ()) if income else ()
    return [
        {
            "figure": entry["figure"],
            "before_krw_year": entry["before_krw_year"],
            "after_krw_year": after.get(entry["figure"]),
            **{name: entry[name] for name in ("published_krw_year", "relative_error", "source")},
        }
        for entry in noted
    ]


def _region_name(warehouse: Warehouse, month: Month, region: str) -> str:
    level = _LEVELS.get(len(region), "dong")
    if level == "city":
        return "서울"
    key = "gu_code" if level == "gu" else "dong_code"
    row = warehouse.read(silver.REGION, base_month=month.date).where(F.col(key) == region[:7]).first()
    if row is None:
        return ""
    return str(row["gu_name_ko"]) if level == "gu" else f"{row['gu_name_ko']} {row['dong_name_ko']}"


def _one(frame: DataFrame) -> dict[str, Any]:
    row = frame.first()
    return row.asDict() if row is not None else {}


def _dicts(frame: DataFrame) -> list[dict[str, Any]]:
    rows: list[Row] = frame.collect()  # ok: reasons, margins, or the rows of one household
    return [row.asDict() for row in rows]
