"""Is there such a region in a month? Without asking, an unknown code is an answer without rows."""

from __future__ import annotations

from living_finance.contracts import codes, silver
from living_finance.errors import ConfigurationError, MissingInput
from living_finance.months import Month
from living_finance.storage.warehouse import Warehouse

_DIGITS = {2: "the city (11)", 5: "a district (11140)", 7: "a dong (1114059)", 11: "an output area (11140590001)"}
_MOST_NAMED = 30


def check_form(region: str, *, digits: tuple[int, ...]) -> None:
    """Raises ConfigurationError for what is no code of so many digits."""
    if not region.isdigit() or len(region) not in digits:
        allowed = ", ".join(_DIGITS[number] for number in digits)
        raise ConfigurationError(f"{region!r} is not a region.", remedy=f"give {allowed}")


def check_region(warehouse: Warehouse, month: Month, region: str) -> None:
    """Raises MissingInput, with the codes that there are, where the month's regions have none of this code."""
    rows = warehouse.read(silver.REGION, base_month=month.date).select("gu_code", "gu_name_ko", "dong_code", "dong_name_ko")
    known = rows.distinct().collect()  # ok: one row per dong
    gus = {row["gu_code"]: row["gu_name_ko"] for row in known}
    dongs = {row["dong_code"]: row["dong_name_ko"] for row in known}
    if region == codes.CITY_CODE or region in gus or region in dongs:
        return
    inside = {code: name for code, name in dongs.items() if code.startswith(region[:5])}
    there = inside if len(region) > len(next(iter(gus), "")) and inside else gus
    named = ", ".join(f"{code} {name}" for code, name in sorted(there.items())[:_MOST_NAMED])
    raise MissingInput(f"{month} has no region {region}.", remedy=f"one of: {named}")
