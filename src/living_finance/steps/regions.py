"""Regions of a month: their names, and whether there is one; an unknown code would be an answer without rows."""

from __future__ import annotations

import pandas as pd

from living_finance.contracts import codes, silver
from living_finance.errors import ConfigurationError, MissingInput
from living_finance.months import Month
from living_finance.reports.data import region_pairs
from living_finance.storage.warehouse import Warehouse

_DIGITS = {2: "the city (11)", 5: "a district (11140)", 7: "a dong (1114059)", 11: "an output area (11140590001)"}
_GU_DIGITS = 5
_MOST_NAMED = 30


def check_form(region: str, *, digits: tuple[int, ...]) -> None:
    """Raises ConfigurationError for what is no code of so many digits."""
    if not region.isdigit() or len(region) not in digits:
        allowed = ", ".join(_DIGITS[number] for number in digits)
        raise ConfigurationError(f"{region!r} is not a region.", remedy=f"give {allowed}")


def region_names(warehouse: Warehouse, month: Month) -> pd.DataFrame:
    """One row per dong, district and the city: code and names."""
    valid = warehouse.read(silver.REGION, base_month=month.date).toPandas()  # ok: one row per dong
    dongs = valid.rename(columns={"dong_code": "region_code", "dong_name_ko": "region_name_ko", "dong_name_en": "region_name_en"})
    gus = valid.drop_duplicates("gu_code").assign(mois_code=None)
    gus = gus.rename(columns={"gu_code": "region_code", "gu_name_ko": "region_name_ko", "gu_name_en": "region_name_en"})
    columns = ["region_code", "mois_code", "region_name_ko", "region_name_en"]
    city = pd.DataFrame([[codes.CITY_CODE, None, "서울특별시", "Seoul"]], columns=columns)
    return pd.concat([dongs[columns], gus[columns], city], ignore_index=True)


def check_region(warehouse: Warehouse, month: Month, region: str) -> None:
    """Raises MissingInput, with the codes that there are, where the month's regions have none of this code."""
    known = region_pairs(region_names(warehouse, month))
    if region in known:
        return
    inside = {code for code in known if len(code) > _GU_DIGITS and code.startswith(region[:_GU_DIGITS])}
    there = inside if len(region) > _GU_DIGITS and inside else {code for code in known if len(code) == _GU_DIGITS}
    named = ", ".join(f"{code} {known[code][0]}" for code in sorted(there)[:_MOST_NAMED])
    raise MissingInput(f"{month} has no region {region}.", remedy=f"one of: {named}")
