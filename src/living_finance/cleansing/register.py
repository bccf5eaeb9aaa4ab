"""Resident register: who is registered and lives there.

Identical rows are different people (a register row carries no key), so nothing here removes repeats.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.cleansing.disposition import Cleansed, checked, gu_of, settled, split
from living_finance.contracts.deliveries import RESIDENTS
from living_finance.contracts.silver import REGISTER_PERSON
from living_finance.contracts.validation import ValidRegions
from living_finance.months import Month

STATUSES_LEFT_OUT = ("unknown_residence", "overseas")
"""거소(거주)불명자 and 해외체류자 are registered but do not live there (contract, section 1)."""


def cleanse_residents(rows: DataFrame, *, month: Month, regions: ValidRegions) -> Cleansed:
    """Registered people who live at their address.

    Args:
        rows: bronze.city_residents of one delivery, one row per registered person.
        month: the month made.
        regions: codes valid in the month.

    Returns:
        kept: silver.register_person, one row per kept row, never edited. set_aside: rows that break the contract
        (quarantined) and people of unknown residence or overseas (removed).
    """
    frame = checked(rows, table=RESIDENTS, regions=regions, gu=gu_of(F.col("dong_code"), regions))
    removals = [(f"status:{status}", F.col("status") == status) for status in STATUSES_LEFT_OUT]
    return split(settled(frame, removals=removals), delivered=RESIDENTS, silver=REGISTER_PERSON, month=month)
