"""What can be handed back to the bureau: coverage, old addresses and bias by group, no cell of fewer than five people."""

from __future__ import annotations

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import codes
from living_finance.contracts.language import NOTICE

SMALLEST_CELL = 5
"""People a shown count is of, or none (privacy rules, inside)."""
YOUNGEST = 15
"""The bureau knows nobody younger."""
COUNTS = ("bureau_persons", "old_address_persons", "no_address_persons")
COLUMNS = (
    "base_month",
    "region_level",
    "region_code",
    "dimension",
    "category",
    *COUNTS,
    "census_persons",
    "coverage",
    "representation",
    "old_address_share",
    "no_address_share",
    "status",
    *NOTICE,
)
_KEYS = ["region_level", "region_code", "dimension", "category"]
_SHOWN, _MASKED = "shown", "masked"


def resident_groups(residents: DataFrame) -> DataFrame:
    """Bureau residents by region and by one characteristic at a time.

    Args:
        residents: silver.placed_person of a month, residents.

    Returns:
        region_level (city, gu, dong), region_code, dimension (all, sex, age_band, dwelling_type; of dongs `all` only),
        category, bureau_persons, old_address_persons (the register does not know them there), no_address_persons.
    """
    counted = residents.groupBy("gu_code", "dong_code", "sex", "age_band", "dwelling_type").agg(
        F.count(F.lit(1)).alias("bureau_persons"),
        F.count_if(F.col("home_evidence") == "not_in_register").alias("old_address_persons"),
        F.count_if(F.col("home_evidence") == "no_address").alias("no_address_persons"),
    )
    whole, dwelling = F.lit(codes.ALL), F.coalesce("dwelling_type", F.lit("unknown"))
    city, gu = F.lit(codes.CITY_CODE), F.col("gu_code")
    cells: list[tuple[str, Column, str, Column]] = [("dong", F.col("dong_code"), codes.ALL, whole)]
    for level, code in (("city", city), ("gu", gu)):
        cells += [
            (level, code, codes.ALL, whole),
            (level, code, "sex", F.col("sex")),
            (level, code, "age_band", F.col("age_band").cast("string")),
            (level, code, "dwelling_type", dwelling),
        ]
    rows = F.array(
        *(
            F.struct(
                F.lit(level).alias(_KEYS[0]), code.alias(_KEYS[1]), F.lit(dimension).alias(_KEYS[2]), category.alias(_KEYS[3])
            )
            for level, code, dimension, category in cells
        )
    )
    exploded = counted.select(F.inline(rows), *COUNTS).where(F.col("region_code").isNotNull())
    return exploded.groupBy(*_KEYS).agg(*(F.sum(name).alias(name) for name in COUNTS))


def bureau_feedback(groups: pd.DataFrame, *, coverage: pd.DataFrame, month: str) -> pd.DataFrame:
    """The table that is handed over.

    `coverage` = bureau residents ÷ census members of private households of 15 and over. `representation` = the group's share
    of the region's bureau residents ÷ its share of the region's census population: below 1, the delivery holds too few
    of it. Counts of 1 to 4 are masked, and where one cell of a sum is masked alone, the next smallest with it; rates
    that would give a masked count away are left out.

    Args:
        groups: of `resident_groups`.
        coverage: gold.coverage of the month.
        month: YYYYMM.

    Returns:
        One row per region × characteristic × category, in the order of COLUMNS.
    """
    rows = groups.merge(_census_groups(coverage), on=_KEYS, how="left", validate="one_to_one")
    rows = rows.sort_values(_KEYS, ignore_index=True)
    masked = {name: _masked(rows, name) for name in COUNTS}
    hidden = masked["bureau_persons"]
    counts = {name: rows[name].astype(float).mask(masked[name] | hidden) for name in COUNTS}
    census = rows["census_persons"].where(rows["census_persons"] > 0)
    people = counts["bureau_persons"]
    total = rows.assign(people=people).loc[rows["dimension"] == codes.ALL].set_index("region_code")[["people", "census_persons"]]
    whole = rows["region_code"].map(total["people"]), rows["region_code"].map(total["census_persons"])
    found = rows[_KEYS].assign(
        base_month=month,
        **counts,
        census_persons=rows["census_persons"],
        coverage=people / census,
        representation=(people / whole[0]) / (census / whole[1]),
        old_address_share=counts["old_address_persons"] / people.where(people > 0),
        no_address_share=counts["no_address_persons"] / people.where(people > 0),
        status=_SHOWN,
        **NOTICE,
    )
    found.loc[pd.concat([found[name].isna() for name in COUNTS], axis=1).any(axis=1), "status"] = _MASKED
    return found[list(COLUMNS)]


def _census_groups(coverage: pd.DataFrame) -> pd.DataFrame:
    adults = coverage[coverage["age_band"] >= YOUNGEST]
    parts = []
    for level, code in (("dong", adults["dong_code"]), ("gu", adults["gu_code"]), ("city", codes.CITY_CODE)):
        for dimension, category in ((codes.ALL, codes.ALL), ("sex", adults["sex"]), ("age_band", adults["age_band"].astype(str))):
            if level != "dong" or dimension == codes.ALL:
                keyed = adults.assign(region_level=level, region_code=code, dimension=dimension, category=category)
                parts.append(keyed.groupby(_KEYS)["census_persons"].sum().reset_index())
    return pd.concat(parts, ignore_index=True)


def _masked(rows: pd.DataFrame, name: str) -> pd.Series:
    """Which counts stay hidden: those of 1 to 4, and in every sum with one hidden part the next smallest part."""
    count = rows[name]
    hidden = count.between(1, SMALLEST_CELL - 1)
    parent = rows["region_code"].str[:5].where(rows["region_level"] == "dong", codes.CITY_CODE)
    of_region, below_city = rows[rows["dimension"] != codes.ALL], rows[rows["region_level"] != "city"]
    sums = (
        *of_region.groupby(["region_code", "dimension"]).groups.values(),
        *below_city.groupby([parent[below_city.index], "region_level", "dimension", "category"]).groups.values(),
    )
    is_changed = True
    while is_changed:  # each round hides at least one more count
        is_changed = False
        for parts in sums:
            own = hidden[parts]
            others = count[parts][~own & (count[parts] > 0)]
            if own.sum() == 1 and len(others):
                hidden[others.index[[int(others.to_numpy().argmin())]]] = True
                is_changed = True
    return hidden
