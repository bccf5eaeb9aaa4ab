"""The room's entry: one month's persons, register, buildings and census to households, members, output areas."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import gold, silver
from living_finance.contracts.core import Table
from living_finance.households.composition import form_households
from living_finance.households.evidence import gather_evidence
from living_finance.households.identity import PreviousMonth, identify
from living_finance.households.matching import accuracy, fit_model, match_addresses, registered, residents
from living_finance.households.model import AssignmentModel
from living_finance.households.tenure import DrawnTenure, TenureModel, draw_tenure
from living_finance.households.weights import output_areas, weigh, with_account
from living_finance.months import Month


@dataclass(frozen=True)
class Householding:
    """Lazy tables of one month.

    `matched` feeds all tables, `formed` all but `member`, `links` the ids in them, `solved` the weights. Whoever writes
    the tables persists `shared` (on disk) first: unpersisted, the matching is repeated for every table.
    """

    matched: DataFrame
    """One row per household with what its people add up to and who they are (`match_addresses`)."""
    formed: DataFrame
    """One row per household, without tenure and weight (`form_households`); its household_id is the hash of its key."""
    links: DataFrame | None
    """One row per household and previous household (`link_households`); None without a previous month."""
    tenure: DrawnTenure
    solved: DataFrame
    """One row per output area: weights and targets (`methods.Calibrated.solved`)."""
    household: DataFrame
    """silver.HOUSEHOLD."""
    member: DataFrame
    """gold.HOUSEHOLD_MEMBER."""
    register: DataFrame
    """silver.HOUSEHOLD_REGISTER."""
    lineage: DataFrame
    """gold.HOUSEHOLD_LINEAGE."""
    output_area: DataFrame
    """silver.OUTPUT_AREA."""
    calibration: DataFrame
    """silver.CALIBRATION_TARGET."""
    accuracy: DataFrame
    """One row: how sure the assignments are, and how far from the best (`matching.accuracy`)."""
    model: AssignmentModel
    """What the assignments rest on."""

    @property
    def shared(self) -> tuple[DataFrame, ...]:
        """What several tables are made of."""
        links = () if self.links is None else (self.links,)
        return (self.matched, self.formed, *links, self.tenure.moments, self.tenure.areas, self.solved)


def householding(
    *,
    persons: DataFrame,
    register: DataFrame,
    buildings: DataFrame,
    margins: DataFrame,
    tenure: TenureModel,
    census_register_counts: DataFrame | None,
    month: Month,
    rows: int,
    seed: int,
    is_provisional: bool,
    previous: PreviousMonth | None = None,
    draw: int | None = None,
    model: AssignmentModel | None = None,
) -> Householding:
    """Households of a month, every bureau resident with a known address in exactly one.

    Args:
        persons: silver.PLACED_PERSON of the month.
        register: silver.REGISTER_PERSON of the month.
        buildings: silver.BUILDING of the month.
        margins: silver.CENSUS_MARGIN used for the month.
        tenure: `fit_tenure` of the survey used for the month.
        census_register_counts: silver.OUTPUT_AREA of the census month, or None (see `output_areas`).
        month: the month.
        rows: about how many people both sources hold; decides how work is cut, not the result.
        seed: the run's seed, for assignments and for tenures that nothing shows.
        is_provisional: the census used is of another year than the month asks for.
        previous: the newest made month before, whose ids households keep; None in the first.
        draw: None for the point assignment; the number of a posterior draw to make the tables of that draw, from whose
            differences statistics take the uncertainty of householding (multiple imputation).
        model: parameters to use; None: fitted to these people.

    Returns:
        Lazy tables; only the model is fitted at once, on a sample. People move by address and, slim, once by person or
        register household to find the previous month's household.
    """
    evidence = gather_evidence(persons=persons, register=register, buildings=buildings)
    model = model or fit_model(evidence, rows=rows)
    matched = match_addresses(evidence, model=model, rows=rows, seed=seed, draw=draw)
    formed = form_households(matched, buildings=buildings)
    areas = output_areas(formed, margins=margins, census_register_counts=census_register_counts, month=month)
    identity = identify(matched=matched, formed=formed, month=month, previous=previous)
    drawn = draw_tenure(identity.give_ids(formed), margins=margins, model=tenure, seed=seed)
    calibrated = weigh(drawn.households, areas=areas, margins=margins)
    household = calibrated.units.withColumns({"base_month": F.lit(month.date), "is_provisional": F.lit(is_provisional)}).select(
        *silver.HOUSEHOLD.column_names
    )

    def with_ids(frame: DataFrame, table: Table) -> DataFrame:
        return frame.transform(identity.give_ids).withColumn("base_month", F.lit(month.date)).select(*table.column_names)

    return Householding(
        matched=matched,
        formed=formed,
        links=identity.links,
        tenure=drawn,
        household=household,
        member=matched.transform(residents).transform(with_ids, gold.HOUSEHOLD_MEMBER),
        register=matched.transform(registered).transform(with_ids, silver.HOUSEHOLD_REGISTER),
        lineage=identity.lineage,
        solved=calibrated.solved,
        output_area=with_account(areas, calibrated),
        calibration=calibrated.margins.withColumn("base_month", F.lit(month.date)).select(
            *silver.CALIBRATION_TARGET.column_names
        ),
        accuracy=accuracy(matched),
        model=model,
    )
