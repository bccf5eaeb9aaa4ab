"""How well the persons of a month were put into households: pairwise and B-cubed agreement with the truth."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

OVERALL = "all"


def _pairs(size: Column) -> Column:
    return size * (size - 1) / 2


def agreement(persons: DataFrame) -> dict[str, dict[str, float]]:
    """Agreement of two partitions of the same persons.

    Counts come from the sizes of the intersections of true and found households; pairs are never listed.

    Args:
        persons: one row per person in both partitions: `true_id`, `found_id`, `true_dwelling`, `found_dwelling`
            (dwelling types of the two households).

    Returns:
        Per dwelling type and `all`: persons, pairwise precision, recall and F1, B-cubed precision, recall and F1. A pair
        counts for recall with the dwelling of the true household, for precision with that of the found one.

    Source: Amigó et al. (2009), A comparison of extrinsic clustering evaluation metrics, Information Retrieval 12.
    """
    cells = persons.groupBy("true_id", "found_id", "true_dwelling", "found_dwelling").agg(F.count(F.lit(1)).alias("n"))
    true_size = F.sum("n").over(Window.partitionBy("true_id"))
    found_size = F.sum("n").over(Window.partitionBy("found_id"))
    sized = cells.withColumns({"of_true": true_size, "of_found": found_size})
    # Each cell carries its share of its household's pairs: n/size of size (size - 1)/2.
    n = F.col("n")

    def side(name: str, size: str) -> DataFrame:
        whole = F.col(size)
        return (
            sized.select(
                F.explode(F.array(F.lit(OVERALL), F.coalesce(F.col(f"{name}_dwelling"), F.lit("unknown")))).alias("dwelling"),
                n.alias("n"),
                _pairs(n).alias("together"),
                (n * (whole - 1) / 2).alias("pairs"),
                (n * n / whole).alias("b_cubed"),
            )
            .groupBy("dwelling")
            .agg(*(F.sum(column).alias(f"{name}_{column}") for column in ("n", "together", "pairs", "b_cubed")))
        )

    both = side("true", "of_true").join(side("found", "of_found"), on="dwelling", how="full_outer")
    rows = both.collect()  # ok: one row per dwelling type
    return {row["dwelling"]: _scores(row.asDict()) for row in sorted(rows, key=lambda row: row["dwelling"])}


def _ratio(part: float | None, whole: float | None) -> float:
    return float(part or 0) / float(whole) if whole else 0.0


def _f1(precision: float, recall: float) -> float:
    return _ratio(2 * precision * recall, precision + recall)


def _scores(row: dict[str, float | None]) -> dict[str, float]:
    recall, precision = _ratio(row["true_together"], row["true_pairs"]), _ratio(row["found_together"], row["found_pairs"])
    b_recall, b_precision = _ratio(row["true_b_cubed"], row["true_n"]), _ratio(row["found_b_cubed"], row["found_n"])
    return {
        "persons": float(row["true_n"] or 0),
        "pairwise_precision": precision,
        "pairwise_recall": recall,
        "pairwise_f1": _f1(precision, recall),
        "b_cubed_precision": b_precision,
        "b_cubed_recall": b_recall,
        "b_cubed_f1": _f1(b_precision, b_recall),
    }


def household_shares(persons: DataFrame) -> dict[str, float]:
    """Shares of true households that were found with the right size and with exactly their members.

    Args:
        persons: as for `agreement`, with `true_size` and `found_size` (all members of the households, children included).

    Returns:
        `right_size_share`: the found household with most of the true one's bureau members has its size;
        `exact_member_share`: a found household has exactly the true one's bureau members. Of true households with at
        least one bureau member who is in both.
    """
    cells = persons.groupBy("true_id", "found_id").agg(
        F.count(F.lit(1)).alias("n"), F.first("true_size").alias("true_size"), F.first("found_size").alias("found_size")
    )
    best_first = Window.partitionBy("true_id").orderBy(F.desc("n"), "found_id")
    sized = cells.withColumns(
        {
            "of_true": F.sum("n").over(Window.partitionBy("true_id")),
            "of_found": F.sum("n").over(Window.partitionBy("found_id")),
            "rank": F.row_number().over(best_first),
        }
    ).where(F.col("rank") == 1)
    is_exact = (F.col("n") == F.col("of_true")) & (F.col("n") == F.col("of_found"))
    is_right_size = F.col("true_size") == F.col("found_size")
    row = sized.agg(
        F.count(F.lit(1)).alias("households"),
        F.avg(is_right_size.cast("double")).alias("right_size_share"),
        F.avg(is_exact.cast("double")).alias("exact_member_share"),
    ).collect()[0]  # ok: one row
    return {name: float(row[name] or 0.0) for name in ("households", "right_size_share", "exact_member_share")}
