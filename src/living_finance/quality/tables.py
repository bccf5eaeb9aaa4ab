"""All quality tables of a month from its evidence."""

from __future__ import annotations

import pandas as pd

from living_finance.config import QualitySettings
from living_finance.contracts import quality as q
from living_finance.contracts.core import Table
from living_finance.quality.change import quality_change
from living_finance.quality.cross_validation import cross_validation
from living_finance.quality.dimensions import indicators, scores
from living_finance.quality.evidence import Evidence
from living_finance.quality.movement import population_movement
from living_finance.quality.prechecks import quality_checks


def quality_tables(found: Evidence, settings: QualitySettings) -> dict[Table, pd.DataFrame]:
    """Table → rows, without `base_month`; a few thousand at most for a city."""
    measured = indicators(found, settings)
    scored, changes, movement = scores(measured, settings), quality_change(found, settings), population_movement(found, settings)
    return {
        q.QUALITY_INDICATOR: measured,
        q.QUALITY_SCORE: scored,
        q.CROSS_VALIDATION: cross_validation(found),
        q.POPULATION_MOVEMENT: movement,
        q.QUALITY_CHANGE: changes,
        q.QUALITY_CHECK: quality_checks(found, scores=scored, changes=changes, movement=movement, settings=settings),
    }
