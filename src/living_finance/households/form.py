"""The room's entry: one month's persons, register, buildings and census to households, members, output areas."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import gold, silver
from living_finance.households.composition import form_households
from living_finance.households.evidence import gather_evidence
from living_finance.households.matching import assignments, fit_model, match_to_register
from living_finance.households.model import AssignmentModel
from living_finance.households.tenure import draw_tenure
from living_finance.households.weights import output_areas, weigh
from living_finance.months import Month


@dataclass(frozen=True)
class Householding:
    """Lazy tables of one month.

    `people` feeds `member` and `formed`; `formed` feeds `household` and `output_area`. Whoever writes the three
    tables persists those two (on disk) first: unpersisted, the matching is repeated for every table.
    """

    people: DataFrame
    """One row per bureau resident and per register person, with the household of each (`match_to_register`)."""
    formed: DataFrame
    """One row per household, without tenure and weight (`form_households`)."""
    household: DataFrame
    """silver.HOUSEHOLD."""
    member: DataFrame
    """gold.HOUSEHOLD_MEMBER."""
    output_area: DataFrame
    """silver.OUTPUT_AREA."""
    model: AssignmentModel
    """What the assignments rest on."""


def householding(
    *,
    persons: DataFrame,
    register: DataFrame,
    buildings: DataFrame,
    margins: DataFrame,
    census_register_counts: DataFrame | None,
    month: Month,
    rows: int,
    seed: int,
    is_provisional: bool,
) -> Householding:
    """Households of a month, every bureau resident with a known address in exactly one.

    Args:
        persons: silver.PLACED_PERSON of the month.
        register: silver.REGISTER_PERSON of the month.
        buildings: silver.BUILDING of the month.
        margins: silver.CENSUS_MARGIN used for the month.
        census_register_counts: silver.OUTPUT_AREA of the census month, or None (see `output_areas`).
        month: the month.
        rows: about how many people both sources hold; decides how work is cut, not the result.
        seed: the run's seed, for assignments and for tenures that nothing shows.
        is_provisional: the census used is of another year than the month asks for.

    Returns:
        Lazy tables; only the model is fitted at once, on a sample. People move once, by address.
    """
    evidence = gather_evidence(persons=persons, register=register)
    model = fit_model(evidence, rows=rows)
    people = match_to_register(evidence, model=model, rows=rows, seed=seed)
    formed = form_households(people, buildings=buildings)
    areas = output_areas(formed, margins=margins, census_register_counts=census_register_counts, month=month)
    household = (
        formed.transform(weigh, areas=areas)
        .transform(draw_tenure, margins=margins, seed=seed)
        .withColumns({"base_month": F.lit(month.date), "is_provisional": F.lit(is_provisional)})
        .select(*silver.HOUSEHOLD.column_names)
    )
    member = people.transform(assignments).withColumn("base_month", F.lit(month.date)).select(*gold.HOUSEHOLD_MEMBER.column_names)
    return Householding(people=people, formed=formed, household=household, member=member, output_area=areas, model=model)
