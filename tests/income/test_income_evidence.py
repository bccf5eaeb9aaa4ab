"""Households as arrays: what the bureau's spending becomes where it does not know every adult."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from living_finance.contracts.silver import UNSEEN_BITS, UNSEEN_CLASSES
from living_finance.income.evidence import _EARNERS, NEEDED, as_city


def unseen(*ages: int) -> int:
    """Packed counts of unseen men whose age class begins at these."""
    first = {age: place for place, (_, age) in reversed(list(enumerate(UNSEEN_CLASSES)))}
    return sum(1 << (UNSEEN_BITS * first[age]) for age in ages)


def test_spending_is_grossed_up_for_adults_whom_the_bureau_does_not_know() -> None:
    known = np.array([2, 1, 2, 1, 0])
    number = [0, unseen(30), unseen(65), unseen(15), unseen(30)]
    rows = known.size
    text = {
        "household_id": [f"h{k}" for k in range(rows)],
        "tenure": ["owned"] * rows,
        "dwelling_type": ["apartment"] * rows,
        "household_type": ["one_person"] * rows,
        "dong_code": ["11010530"] * rows,
    }
    whole = {name: [1] * rows for name in NEEDED if name not in text}
    whole |= {"bureau_members": known.tolist(), "unseen_adults": number, "bureau_spending_krw_month": [900_000] * rows}
    earner = {"peer": 3, "labour": 30_000_000, "business": 0}
    columns = {name: pa.array(values) for name, values in (whole | text).items() if name != "_earners"}
    earners = pa.array(
        [[earner] * count for count in known], pa.list_(pa.struct([(f.name, pa.int64()) for f in _EARNERS.elementType]))
    )
    table = pa.table({**columns, "_earners": earners})
    found = as_city(table).spending
    assert found[:4].tolist() == [900_000.0, 1_800_000.0, 1_350_000.0, 900_000.0]
    assert np.isnan(found[4])
