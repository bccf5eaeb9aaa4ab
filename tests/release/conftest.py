"""A small set of rules, a made month under it, and what may leave of it."""

from __future__ import annotations

import pandas as pd
import pytest
from cubes import released, small_month, small_rules

from living_finance.release.protect import protect
from living_finance.release.rules import ReleaseRules
from living_finance.release.verify import Released


@pytest.fixture(scope="session")
def rules() -> ReleaseRules:
    return small_rules()


@pytest.fixture(scope="session")
def month(rules: ReleaseRules) -> dict[str, pd.DataFrame]:
    return small_month(1, rules)


@pytest.fixture(scope="session")
def clean(rules: ReleaseRules, month: dict[str, pd.DataFrame]) -> Released:
    return released(protect(month, rules=rules), month, rules)
