"""How far the found households' distributions are from the true ones: total variation."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from living_finance.contracts import codes
from living_finance.methods.ages import ten_year_band

CITY = codes.CITY_CODE


def dimensions(head_age: Column) -> dict[str, Column]:
    """Categories that are compared, by name; the last three are crosses that no census margin fixes."""
    size = F.when(F.col("household_size") >= 7, F.lit("7_plus")).otherwise(F.col("household_size").cast("string"))
    band = ten_year_band(head_age).cast("string")
    tenure = F.col("tenure")
    return {
        "size": size,
        "type": F.col("household_type"),
        "head_sex_age": F.concat_ws(" ", F.col("head_sex"), band),
        "dwelling_type": F.col("dwelling_type"),
        "tenure": tenure,
        "size_type_dwelling": F.concat_ws(" ", size, F.col("household_type"), F.col("dwelling_type")),
        "tenure_head_age": F.concat_ws(" ", tenure, band),
        "tenure_dwelling": F.concat_ws(" ", tenure, F.col("dwelling_type")),
    }


def _counts(households: DataFrame, *, head_age: Column, weight: Column, source: str) -> DataFrame:
    """One row per region (dong, city) × dimension × category: number and weight of households."""
    cells = F.array(
        *(
            F.struct(F.lit(name).alias("dimension"), F.coalesce(category, F.lit("missing")).alias("category"))
            for name, category in dimensions(head_age).items()
        )
    )
    return (
        households.select("dong_code", weight.cast("double").alias("weight"), F.explode(cells).alias("cell"))
        .select(F.explode(F.array("dong_code", F.lit(CITY))).alias("region"), "weight", "cell.*")
        .groupBy("region", "dimension", "category")
        .agg(F.count(F.lit(1)).cast("double").alias("number"), F.sum("weight").alias("weight"))
        .withColumn("source", F.lit(source))
    )


def distances(*, found: DataFrame, true: DataFrame) -> dict[str, dict[str, float]]:
    """Total-variation distance of each dimension, over the city and on average over dongs.

    Args:
        found: private households of the product with `weight` and `head_age_band`.
        true: private households of the truth with `head_age`; or other ones, with `weight` and `head_age_band`.

    Returns:
        Dimension → `city_unweighted`, `city_weighted`, `dong_unweighted`, `dong_weighted`, between 0 and 1.
    """
    has_weight = "weight" in true.columns
    true_age, true_weight = (F.col("head_age_band"), F.col("weight")) if has_weight else (F.col("head_age"), F.lit(1.0))
    counts = _counts(found, head_age=F.col("head_age_band"), weight=F.col("weight"), source="found").unionByName(
        _counts(true, head_age=true_age, weight=true_weight, source="true")
    )
    is_found = F.col("source") == "found"
    wide = counts.groupBy("region", "dimension", "category").agg(
        F.sum(F.when(is_found, F.col("number")).otherwise(0.0)).alias("found_number"),
        F.sum(F.when(is_found, F.col("weight")).otherwise(0.0)).alias("found_weight"),
        F.sum(F.when(~is_found, F.col("weight")).otherwise(0.0)).alias("true_weight"),
    )
    whole = Window.partitionBy("region", "dimension")
    shares = wide.select(
        "region",
        "dimension",
        *(
            F.coalesce(F.try_divide(F.col(name), F.sum(name).over(whole)), F.lit(0.0)).alias(name)
            for name in ("found_number", "found_weight", "true_weight")
        ),
    )
    per_region = shares.groupBy("region", "dimension").agg(
        (F.sum(F.abs(F.col("found_number") - F.col("true_weight"))) / 2).alias("unweighted"),
        (F.sum(F.abs(F.col("found_weight") - F.col("true_weight"))) / 2).alias("weighted"),
    )
    is_city = F.col("region") == CITY
    rows = (
        per_region.groupBy("dimension")
        .agg(
            *(
                F.avg(F.when(where, F.col(name))).alias(f"{place}_{name}")
                for place, where in (("city", is_city), ("dong", ~is_city))
                for name in ("unweighted", "weighted")
            )
        )
        .collect()  # ok: one row per dimension
    )
    return {
        row["dimension"]: {name: float(row[name] or 0.0) for name in row.asDict() if name != "dimension"}
        for row in sorted(rows, key=lambda row: row["dimension"])
    }
