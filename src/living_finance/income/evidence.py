"""What the income model reads of households, persons and the survey, as Spark rows and as arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from living_finance.contracts import codes, silver
from living_finance.contracts.silver import UNSEEN_BITS, UNSEEN_CLASSES
from living_finance.income.earnings import BANDS, FIRST_BAND, Earners
from living_finance.income.model import EARNED, CityHouseholds, SurveyHouseholds
from living_finance.income.other_components import Characteristics, answered_sum
from living_finance.income.programmes import People
from living_finance.income.value_benchmark import COMPONENT_NAMES, COMPONENTS
from living_finance.methods.grouped import Floats
from living_finance.methods.joins import join_to_one
from living_finance.methods.keyed_random import key_bits, mixed

_EARNERS = T.ArrayType(
    T.StructType(
        [
            T.StructField("peer", T.IntegerType()),
            T.StructField("labour", T.LongType()),
            T.StructField("business", T.LongType()),
        ]
    )
)
NEEDED = (
    *("household_id", "head_age_band", "household_size", "tenure", "dwelling_type", "household_type", "dong_code", "weight"),
    *("adults", "children", "elderly", "unseen_adults", "bureau_members", "bureau_spending_krw_month", "_place", "_earners"),
)
"""Columns that `as_city` reads."""


_MOST_MEDIANS = 1000
"""Of the amounts above 0 of a component: a house rule. One such answer of a thousand would be the survey's mean."""

DOUBT_UNITS = 2**20
"""`_doubt` counts in these, so that sums are the same in any order."""


def income_evidence(households: DataFrame, *, persons: DataFrame, members: DataFrame) -> DataFrame:
    """Households with `_earners` and `_doubt`.

    `_earners`: peer group, labour and business score of each bureau member, sorted; `_doubt`: how many of them are expected to
    live elsewhere (Σ 1 - assignment_probability), in 2^-20 persons.
    """
    labour, business = silver.INCOME_COLUMNS
    band = F.least(F.greatest(F.col("age_band"), F.lit(FIRST_BAND)), F.lit(FIRST_BAND + 5 * (BANDS - 1)))
    peer = ((band - F.lit(FIRST_BAND)) / F.lit(5)).cast("int") + F.when(F.col("sex") == "M", 0).otherwise(BANDS)
    doubt = F.rint((F.lit(1.0) - F.col("assignment_probability")) * F.lit(float(DOUBT_UNITS))).cast("bigint")
    scored = persons.where("has_household").select(
        "person_id",
        F.struct(
            peer.alias("peer"),
            *(F.rint(F.col(n)).cast("bigint").alias(a) for n, a in ((labour, "labour"), (business, "business"))),
        ).alias("_earner"),
    )
    grouped = (
        join_to_one(members.select("person_id", "household_id", doubt.alias("_doubt")), scored, on=["person_id"], how="inner")
        .groupBy("household_id")
        .agg(F.sort_array(F.collect_list("_earner")).alias("_earners"), F.sum("_doubt").alias("_doubt"))
    )
    return join_to_one(households, grouped, on=["household_id"], how="left").withColumns(
        {"_earners": F.coalesce("_earners", F.array().cast(_EARNERS)), "_doubt": F.coalesce("_doubt", F.lit(0).cast("bigint"))}
    )


def places_of(evidence: DataFrame) -> dict[str, float]:
    """Mean log labour score among peers of each dong's earners, relative to the city's; exact sums of millionths."""
    earner = evidence.select("dong_code", F.explode("_earners").alias("e")).where(F.col("e.labour") > 0)
    millionths = F.rint(F.log("e.labour") * F.lit(1e6)).cast("bigint")
    sums = (
        earner.groupBy("dong_code", F.col("e.peer").alias("peer"))
        .agg(F.sum(millionths).alias("total"), F.count(F.lit(1)).alias("number"))
        .orderBy("dong_code", "peer")
        .collect()  # ok: dongs x 28 peer groups
    )
    city: dict[int, list[int]] = {}
    for row in sums:
        of_peer = city.setdefault(row["peer"], [0, 0])
        of_peer[0] += row["total"]
        of_peer[1] += row["number"]
    middle = {peer: total / number for peer, (total, number) in city.items()}
    dong: dict[str, list[float]] = {}
    for row in sums:
        of_dong = dong.setdefault(row["dong_code"], [0.0, 0])
        of_dong[0] += row["total"] - row["number"] * middle[row["peer"]]
        of_dong[1] += row["number"]
    return {code: total / number / 1e6 for code, (total, number) in dong.items()}


def with_place(evidence: DataFrame, places: Mapping[str, float]) -> DataFrame:
    """Households with `_place` of their dong; 0, the city's, where nobody earns."""
    frame = evidence.sparkSession.createDataFrame(sorted(places.items()), "dong_code string, _place double")
    joined = join_to_one(evidence, frame, on=["dong_code"], how="left", broadcast=True)
    return joined.withColumns({"_place": F.coalesce("_place", F.lit(0.0))})


def as_survey(survey: DataFrame, place: Mapping[str, float]) -> SurveyHouseholds:
    """silver.SURVEY_HOUSEHOLD as arrays, in the order of its keys."""
    # Collected: about 1,000 households whatever the size of the city.
    table = survey.orderBy("survey_household_id").toArrow()  # ok: about 1,000 surveyed households
    value = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names if name != "edits"}
    amounts, notes = plausible({name: value[f"{name}_income_krw_year"].astype(np.float64) for name in COMPONENTS})
    band = np.clip(value["head_age"].astype(np.int64) // 10 * 10, codes.HEAD_AGE_BANDS[0], codes.HEAD_AGE_BANDS[-1])
    households = Characteristics(
        head_age_band=band,
        size=value["household_size"].astype(np.int64),
        tenure=value["tenure"],
        dwelling_type=value["dwelling_type"],
        household_type=value["household_type"],
        dong_code=value["dong_code"],
        earnings=answered_sum([amounts[name] for name in EARNED]),
        place=np.array([place.get(code, 0.0) for code in value["dong_code"]]),
    )
    keys = value["survey_household_id"].astype(str)
    return SurveyHouseholds(
        households, amounts, value["spending_krw_month"].astype(np.float64), value["weight"].astype(np.float64), keys, notes
    )


def plausible(amounts: Mapping[str, Floats]) -> tuple[dict[str, Floats], tuple[str, ...]]:
    """Answers with those taken as unknown that are more than `_MOST_MEDIANS` medians, and how many those are.

    >>> plausible({"labour": np.array([3e7, 4e7, 5e7, 1e12])})[0]["labour"].tolist()
    [30000000.0, 40000000.0, 50000000.0, nan]
    """
    found, notes = dict(amounts), []
    for name, amount in amounts.items():
        positive = amount[amount > 0.0]
        most = _MOST_MEDIANS * float(np.median(positive)) if positive.size else np.inf
        is_beyond = np.abs(amount) > most
        if is_beyond.any():
            found[name] = np.where(is_beyond, np.nan, amount)
            words = COMPONENT_NAMES[name]
            notes.append(
                f"{words.ko}: 중위의 {_MOST_MEDIANS:,}배를 넘는 조사 응답 {is_beyond.sum()}건은 무응답으로 봄; "
                f"{name}: {is_beyond.sum()} answers of the survey beyond {_MOST_MEDIANS:,} medians count as not given"
            )
    return found, tuple(notes)


def as_city(table: pa.Table) -> CityHouseholds:
    """Rows of `income_evidence` with `_place`, columns NEEDED, as arrays in the order of the rows."""
    rows = table.num_rows
    column = {name: table[name].to_numpy() for name in NEEDED if name != "_earners"}
    lists = table["_earners"].combine_chunks()
    flat = lists.flatten()
    household = np.repeat(np.arange(rows), lists.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64))
    number = column["unseen_adults"].astype(np.int64)
    counts = np.stack([(number >> (UNSEEN_BITS * k)) & (2**UNSEEN_BITS - 1) for k in range(len(UNSEEN_CLASSES))])
    unseen_class = np.repeat(np.tile(np.arange(len(UNSEEN_CLASSES)), rows), counts.T.ravel())
    unseen_household = np.repeat(np.repeat(np.arange(rows), len(UNSEEN_CLASSES)), counts.T.ravel())
    first = np.r_[0, np.cumsum(counts.sum(axis=0))][:-1]
    key = key_bits(column["household_id"])
    unseen_key = mixed(key[unseen_household], np.arange(unseen_household.size) - first[unseen_household])
    begins = lists.offsets.to_numpy().astype(np.int64)[:-1] - lists.offsets[0].as_py()
    place = column["_place"].astype(np.float64)
    earners = Earners(
        households=rows,
        household=household.astype(np.int64),
        peer=flat.field("peer").to_numpy(zero_copy_only=False).astype(np.int64),
        labour=flat.field("labour").to_numpy(zero_copy_only=False).astype(np.float64),
        business=flat.field("business").to_numpy(zero_copy_only=False).astype(np.float64),
        key=mixed(key[household], np.arange(household.size) - begins[household]),
        unseen_household=unseen_household.astype(np.int64),
        unseen_class=unseen_class.astype(np.int64),
        unseen_key=unseen_key,
        place=place,
    )
    households = Characteristics(
        head_age_band=column["head_age_band"].astype(np.int64),
        size=column["household_size"].astype(np.int64),
        tenure=column["tenure"],
        dwelling_type=column["dwelling_type"],
        household_type=column["household_type"],
        dong_code=column["dong_code"],
        earnings=np.zeros(rows),
        place=place,
    )
    size, adults, children, elderly = (
        column[name].astype(np.int64) for name in ("household_size", "adults", "children", "elderly")
    )
    known = column["bureau_members"].astype(np.int64)
    is_grown = np.array([age >= 20 for _, age in UNSEEN_CLASSES])[unseen_class]
    unknown = np.bincount(unseen_household[is_grown], minlength=rows)
    spent = column["bureau_spending_krw_month"].astype(np.float64)
    spending = np.where(known > 0, spent * (known + unknown) / np.maximum(known, 1), np.nan)
    dongs, dong = np.unique(column["dong_code"].astype(str), return_inverse=True)
    return CityHouseholds(
        households=households,
        earners=earners,
        spending=spending,
        people=People(size, adults, children, elderly, column["head_age_band"].astype(np.int64), key),
        weight=column["weight"].astype(np.float64),
        key=key,
        dongs=dongs.tolist(),
        dong=dong.astype(np.int64),
    )
