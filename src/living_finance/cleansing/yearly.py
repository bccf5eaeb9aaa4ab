"""Tables that a month borrows: census margins, survey, benchmarks, the regions list."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.cleansing.disposition import Cleansed, checked, gu_of, settled, split
from living_finance.contracts import codes
from living_finance.contracts.deliveries import BENCHMARKS, MARGINS, REGIONS, SURVEY_HOUSEHOLDS
from living_finance.contracts.silver import BENCHMARK, CENSUS_MARGIN, REGION, SURVEY_HOUSEHOLD
from living_finance.contracts.validation import ValidRegions
from living_finance.months import Month

SURVEY_RENAMES: dict[str, str] = {
    "labour_income": "labour_income_krw_year",
    "business_income": "business_income_krw_year",
    "property_income": "property_income_krw_year",
    "transfer_income": "transfer_income_krw_year",
    "irregular_income": "irregular_income_krw_year",
    "debt": "debt_krw",
    "spending": "spending_krw_month",
}


def cleanse_margins(rows: DataFrame, *, month: Month, regions: ValidRegions, reference_month: Month) -> Cleansed:
    """Census margins; a missing count is one of 1 to 4 that the statistics office masked, and stays missing.

    Margins that contradict each other are not edited here: calibration weighs them against one another.

    Args:
        rows: bronze.census_margins of one delivery, one row per output area × margin × category.
        month: the month made.
        regions: codes valid in the month.
        reference_month: the month the census describes.

    Returns:
        kept: silver.census_margin, one row per kept row.
    """
    frame = checked(rows, table=MARGINS, regions=regions, gu=gu_of(F.col("output_area_id"), regions))
    return split(
        settled(frame),
        delivered=MARGINS,
        silver=CENSUS_MARGIN,
        month=month,
        reference_month=reference_month,
        edited={"is_masked": F.col("count").isNull()},
    )


def cleanse_survey(rows: DataFrame, *, month: Month, regions: ValidRegions, reference_month: Month) -> Cleansed:
    """Survey households; missing parts of income stay missing (the income model knows how to read them).

    Edit: `labour_income_krw_year:negative_as_missing`; a negative business income is a loss and stays. Removed:
    `weight:not_positive`, because such a household stands for nobody.

    Args:
        rows: bronze.survey_households of one delivery, one row per surveyed household.
        month: the month made.
        regions: codes valid in the month.
        reference_month: the month the survey describes.

    Returns:
        kept: silver.survey_household, one row per kept row.
    """
    frame = checked(rows, table=SURVEY_HOUSEHOLDS, regions=regions, gu=gu_of(F.col("dong_code"), regions), renames=SURVEY_RENAMES)
    is_negative = F.col("labour_income_krw_year") < 0
    return split(
        settled(frame, removals=[("weight:not_positive", F.col("weight") <= 0)]),
        delivered=SURVEY_HOUSEHOLDS,
        silver=SURVEY_HOUSEHOLD,
        month=month,
        reference_month=reference_month,
        edits=[("labour_income_krw_year:negative_as_missing", is_negative)],
        edited={"labour_income_krw_year": F.when(F.col("labour_income_krw_year") >= 0, F.col("labour_income_krw_year"))},
    )


def cleanse_benchmarks(rows: DataFrame, *, month: Month, regions: ValidRegions, reference_month: Month) -> Cleansed:
    """Published benchmarks, as published.

    Args:
        rows: bronze.benchmarks_benchmarks of one delivery, one row per published figure.
        month: the month made.
        regions: codes valid in the month.
        reference_month: the month of the benchmarks' folder.

    Returns:
        kept: silver.benchmark, one row per kept row.
    """
    frame = checked(rows, table=BENCHMARKS, regions=regions, gu=F.lit(codes.NO_DISTRICT))
    return split(settled(frame), delivered=BENCHMARKS, silver=BENCHMARK, month=month, reference_month=reference_month)


def cleanse_regions(rows: DataFrame, *, month: Month, reference_month: Month) -> Cleansed:
    """Dongs that exist in the month: valid_from ≤ month ≤ valid_to, both inclusive.

    Args:
        rows: bronze.regions_regions of one delivery, one row per dong × period of validity.
        month: the month made.
        reference_month: the month of the regions folder.

    Returns:
        kept: silver.region, one row per dong. set_aside: dongs of other times (removed, `valid_from:later` or
        `valid_to:earlier`).
    """
    gu = F.when(F.col("gu_code").rlike(r"^[0-9]{5}\z"), F.col("gu_code")).otherwise(F.lit(codes.NO_DISTRICT))
    # The delivered district is typed under its own name too, so the frame needs no second one.
    frame = checked(rows, table=REGIONS, regions=None, gu=gu)
    this_month = F.lit(month.date)
    return split(
        settled(
            frame,
            removals=[
                ("valid_from:later", F.col("valid_from") > this_month),
                ("valid_to:earlier", F.col("valid_to") < this_month),
            ],
        ),
        delivered=REGIONS,
        silver=REGION,
        month=month,
        reference_month=reference_month,
    )
