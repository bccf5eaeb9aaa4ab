"""Lines of the quality report on the model that scored a month: did it pass the gate, its age, how far the month has moved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from living_finance.config import ModelSettings
from living_finance.months import Month

Line = tuple[dt.date, str, str, float, float, bool]


def model_indicators(facts: Mapping[str, Any], *, month: Month, settings: ModelSettings) -> list[Line]:
    """gold.quality_report rows; none without facts.

    Args:
        facts: of the income step in the ledger: is_promoted, trained_month, stability (index by input, and of the score).
        month: the month scored.
        settings: the limits.
    """
    if not facts:
        return []
    promoted = 1.0 if facts["is_promoted"] else 0.0
    age = float(month.index - Month.parse(facts["trained_month"]).index)
    values = [
        ("income_model_passed_the_gate", promoted, 1.0, promoted >= 1.0),
        ("income_model_age_months", age, float(settings.largest_age_months), age <= settings.largest_age_months),
        *(
            (f"population_stability_{name}", float(value), settings.largest_instability, value <= settings.largest_instability)
            for name, value in sorted(facts["stability"].items())
        ),
    ]
    return [(month.date, "gold.household", name, value, limit, passed) for name, value, limit, passed in values]
