"""Facts about contributors, in Spark, beside the same by hand."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from living_finance.contracts import releases as r
from living_finance.release.contributors import cell_facts, household_rows, wide_breakdown

INCOMES = [10, 20, 30, 40, 1000]


def test_facts_of_a_cell_are_those_of_its_households(spark: SparkSession) -> None:
    """Five households in one dong, the last without an output area; one more has no weight and counts nowhere."""
    rows = [
        (f"H{i}", "1101050" + "0001" * (i < 4), "11010", "1101050", income, float(weight), "M" if i < 3 else "F")
        for i, (income, weight) in enumerate(zip([*INCOMES, 5], [1, 1, 1, 2, 1, 0], strict=True))
    ]
    households = spark.createDataFrame(
        rows,
        "household_id string, area string, gu_code string, dong_code string, total_income_krw_year bigint, weight double,"
        " head_sex string",
    ).select(
        "*",
        F.when(F.length("area") == 11, F.col("area")).alias("output_area_id"),
        *(F.lit(v).alias(k) for k, v in {"head_age_band": 30, "household_type": "one_person", "household_size": 1}.items()),
        *(F.lit("apartment").alias(name) for name in ("dwelling_type", "tenure")),
        *(
            (-F.col("total_income_krw_year")).alias(name.removeprefix("mean_"))
            for name, s in r.STATISTICS["household_statistics"].items()
            if s.measured is r.Measured.MEAN and "total" not in name and name != "mean_debt_krw"
        ),
        F.when(F.col("head_sex") == "F", F.col("total_income_krw_year")).otherwise(0).alias("debt_krw"),
    )
    names = r.STATISTICS["household_statistics"]
    statistics = spark.createDataFrame(
        [
            (level, region, sex, "all", "all", n)
            for level, region, sex, n in (
                ("dong", "1101050", "all", 5),
                ("dong", "1101050", "F", 2),
                ("output_area", "11010500001", "all", 4),
                ("city", "11", "all", 5),
                ("dong", "1101050", "M", 3),
            )
        ],
        "region_level string, region_code string, head_sex string, head_age_band string, household_type string,"
        " households_unweighted int",
    ).select("*", *(F.lit(30).alias(name) for name in names))
    crosses = [("dong", ()), ("dong", ("head_sex",)), ("output_area", ()), ("city", ())]
    facts = cell_facts(
        household_rows(households, class_limits=[1, 2, 3, 4]),
        statistics=statistics,
        source="household_statistics",
        crosses=crosses,
    )
    found = {(row["region_level"], row["head_sex"]): row for row in facts.collect()}
    assert len(found) == 5
    dong, women, area = found["dong", "all"], found["dong", "F"], found["output_area", "all"]
    income = "mean_total_income_krw_year"
    assert [dong[f"{fact}_{income}"] for fact in ("largest", "second", "absolute")] == [1000, 80, 1140]
    assert dong["largest_mean_labour_income_krw_year"] == 1000, "a loss counts without its sign"
    assert (dong["below_median_total_income_krw_year"], dong["above_median_total_income_krw_year"]) == (3, 3)
    assert (dong["with_share_with_debt"], women["with_share_with_debt"]) == (2, 2)
    assert [women[f"{fact}_{income}"] for fact in ("largest", "second", "absolute")] == [1000, 80, 1080]
    assert area[f"largest_{income}"] == 80, "who has no output area counts from the dong up"
    assert found["city", "all"][f"absolute_{income}"] == 1140


def test_breakdown_gets_its_margin_from_the_household_statistics(spark: SparkSession) -> None:
    breakdown = spark.createDataFrame(
        [("dong", "1", "tenure", "owned", 3.0)],
        "region_level string, region_code string, dimension string, category string, households double",
    )
    heads = r.DIMENSIONS["household_statistics"]
    statistics = spark.createDataFrame(
        [("dong", "1", "all", "all", "all", 9.0), ("dong", "1", "M", "all", "all", 4.0)],
        f"region_level string, region_code string, {', '.join(f'{h} string' for h in heads)}, households double",
    )
    wide = wide_breakdown(breakdown, statistics=statistics)
    assert {(row["tenure"], row["dwelling_type"], row["households"]) for row in wide.collect()} == {
        ("owned", "all", 3.0),
        ("all", "all", 9.0),
    }
