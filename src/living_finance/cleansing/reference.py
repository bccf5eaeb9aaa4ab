"""The city's reference tables of a month: buildings, establishments, benefits.

Their keys are unique and their rows complete on arrival (receipt refuses the delivery otherwise); here single values that
cannot be true are taken out or marked. An edited value becomes missing unless the table needs one.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.cleansing.disposition import Cleansed, checked, gu_of, settled, split
from living_finance.contracts import codes
from living_finance.contracts.deliveries import BENEFITS, BUILDINGS, ESTABLISHMENTS
from living_finance.contracts.silver import BENEFIT, BUILDING, ESTABLISHMENT
from living_finance.contracts.validation import ValidRegions
from living_finance.months import Month

KOREA_X_M = (531_371.0, 1_663_742.0)
KOREA_Y_M = (957_856.0, 2_274_022.0)
"""Area of use of EPSG:5179 (122.71–134.28° E, 28.60–40.27° N) in its own metres, by PROJ's transform of the bounds."""

FIRST_APPROVAL_YEAR = 1900
"""Seoul's oldest inhabited houses carry later years in the building ledger; 0 and 9999 are its fillers."""


def cleanse_buildings(rows: DataFrame, *, month: Month, regions: ValidRegions) -> Cleansed:
    """Buildings with values that can be true.

    Edits: `dwelling_units:zero_as_one` (people are registered in dwellings: a residential building has at least one, and
    the column is required), `households_permitted:below_one_as_missing`, `floor_area_m2:not_positive_as_missing`,
    `approval_year:implausible_as_missing` (before 1900 or after the month's year),
    `official_price_krw:zero_as_missing`; marked only: `x:outside_korea`, `y:outside_korea` (region membership is by
    code, so a wrong coordinate spoils no figure but a map).

    Args:
        rows: bronze.city_buildings of one delivery, one row per building.
        month: the month made.
        regions: codes valid in the month.

    Returns:
        kept: silver.building, one row per kept row.
    """
    is_residential = F.col("dwelling_type") != "non_residential"
    has_no_units = is_residential & (F.col("dwelling_units") == 0)
    has_no_households = F.col("households_permitted") < 1
    has_no_area = F.col("floor_area_m2") <= 0
    has_wrong_year = (F.col("approval_year") < FIRST_APPROVAL_YEAR) | (F.col("approval_year") > month.year)
    has_no_price = F.col("official_price_krw") == 0
    frame = checked(rows, table=BUILDINGS, regions=regions, gu=gu_of(F.col("dong_code"), regions))
    return split(
        settled(frame),
        delivered=BUILDINGS,
        silver=BUILDING,
        month=month,
        edits=(
            ("x:outside_korea", ~F.col("x").between(*KOREA_X_M)),
            ("y:outside_korea", ~F.col("y").between(*KOREA_Y_M)),
            ("dwelling_units:zero_as_one", has_no_units),
            ("households_permitted:below_one_as_missing", has_no_households),
            ("floor_area_m2:not_positive_as_missing", has_no_area),
            ("approval_year:implausible_as_missing", has_wrong_year),
            ("official_price_krw:zero_as_missing", has_no_price),
        ),
        edited={
            "dwelling_units": F.when(has_no_units, F.lit(1)).otherwise(F.col("dwelling_units")),
            "households_permitted": _unless(has_no_households, "households_permitted"),
            "floor_area_m2": _unless(has_no_area, "floor_area_m2"),
            "approval_year": _unless(has_wrong_year, "approval_year"),
            "official_price_krw": _unless(has_no_price, "official_price_krw"),
        },
    )


def cleanse_establishments(rows: DataFrame, *, month: Month, regions: ValidRegions) -> Cleansed:
    """Establishments; an address that no building has is allowed here and checked when places are joined.

    Args:
        rows: bronze.city_establishments of one delivery, one row per establishment.
        month: the month made.
        regions: codes valid in the month.

    Returns:
        kept: silver.establishment, one row per kept row, never edited.
    """
    frame = checked(rows, table=ESTABLISHMENTS, regions=regions, gu=gu_of(F.col("dong_code"), regions))
    return split(settled(frame), delivered=ESTABLISHMENTS, silver=ESTABLISHMENT, month=month)


def cleanse_benefits(rows: DataFrame, *, month: Month, regions: ValidRegions) -> Cleansed:
    """Benefit totals. Marked, never changed: `programme:unknown_code` (the list is open), `recipients:zero_for_amount`
    (money paid to nobody), `amount_krw:zero_for_recipients`.

    Args:
        rows: bronze.city_benefits of one delivery, one row per dong × programme.
        month: the month made.
        regions: codes valid in the month.

    Returns:
        kept: silver.benefit, one row per kept row.
    """
    has_recipients, has_amount = F.col("recipients") > 0, F.col("amount_krw") > 0
    frame = checked(rows, table=BENEFITS, regions=regions, gu=gu_of(F.col("dong_code"), regions))
    return split(
        settled(frame),
        delivered=BENEFITS,
        silver=BENEFIT,
        month=month,
        edits=(
            ("programme:unknown_code", ~F.col("programme").isin(list(codes.PROGRAMME.codes))),
            ("recipients:zero_for_amount", ~has_recipients & has_amount),
            ("amount_krw:zero_for_recipients", has_recipients & ~has_amount),
        ),
    )


def _unless(condition: Column, name: str) -> Column:
    """The column, null where the condition is true."""
    return F.when(~F.coalesce(condition, F.lit(False)), F.col(name))
