"""Where nobody can be, by public evidence: regions whose building register has no building of a dwelling type.

The register is public, so whoever reads a release knows these zeros, printed or not.
"""

from __future__ import annotations

import itertools

import pandas as pd
from pyspark.sql import DataFrame

from living_finance.contracts import codes
from living_finance.contracts import releases as r

_DIMENSION = r.EVIDENCE_OF["buildings"]


def building_types(buildings: DataFrame) -> DataFrame:
    """Dwelling types that there are.

    Args:
        buildings: the month's rows of silver.building.

    Returns:
        One row per output area × dong × dwelling type of some building.
    """
    return buildings.select("output_area_id", "dong_code", _DIMENSION).distinct()


def without_buildings(types: pd.DataFrame, *, regions: pd.DataFrame) -> pd.DataFrame:
    """Regions and dwelling types of which the register has no building there.

    A region of which the register has nothing at all is not covered by it: that is no evidence.

    Args:
        types: of `building_types`.
        regions: region_level and region_code, in any number of rows.

    Returns:
        One row per region × category: region_level, region_code, dimension, category, in this order.
    """
    dong = types["dong_code"]
    region_of = {"output_area": types["output_area_id"], "dong": dong, "gu": dong.str[: r.PARENT_CODE_LENGTH["dong"]]}
    seen = {level: set(zip(region, types[_DIMENSION], strict=True)) for level, region in region_of.items()}
    seen["city"] = {(codes.CITY_CODE, name) for name in types[_DIMENSION]}
    covered = {(level, region) for level, pairs in seen.items() for region, _ in pairs}
    wanted = sorted(covered & set(regions[["region_level", "region_code"]].itertuples(index=False, name=None)))
    empty = [
        (level, region, _DIMENSION, category)
        for (level, region), category in itertools.product(wanted, codes.DWELLING_TYPE.codes)
        if (region, category) not in seen[level]
    ]
    return pd.DataFrame(empty, columns=list(r.ZERO_KEY), dtype=object).sort_values(list(r.ZERO_KEY), ignore_index=True)
