"""Transfers of dongs moved by what their benefits differ."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_ELIGIBLE_AGES: Mapping[str, tuple[int, int]] = {
    "basic_pension": (65, 200),
    "disability_allowance": (18, 200),
    "childcare_allowance": (0, 6),
    "child_allowance": (0, 7),
}
"""Ages a programme is paid for, from and up to (not including); another programme: all ages."""
_LARGEST_LIFT = 2.0


def transfer_lifts(
    transfers: Mapping[str, float], *, place: Mapping[str, float], register: DataFrame, benefits: DataFrame
) -> dict[str, float]:
    """Ratio of each dong's transfers: what its benefits differ from those of dongs alike in ages and earnings.

    Paid per person of the programme's ages is regressed on the dong's earnings (weighted least squares over dongs), since the
    survey's model has the ages and the earnings already; what is left goes on top of the dong's transfers.
    """
    age = F.col("age")
    counted = register.groupBy("dong_code").agg(
        F.count(F.lit(1)).alias("_all"),
        *(F.count(F.when((age >= first) & (age < last), 1)).alias(name) for name, (first, last) in _ELIGIBLE_AGES.items()),
    )
    people = {row["dong_code"]: row.asDict() for row in counted.collect()}  # ok: a row per dong
    amounts = benefits.groupBy("programme", "dong_code").agg(F.sum(F.rint("amount_krw").cast("bigint")).alias("paid"))
    paid = amounts.collect()  # ok: programmes x dongs
    dongs = [dong for dong in transfers if dong in people]
    extra = dict.fromkeys(dongs, 0.0)
    by_programme: dict[str, dict[str, float]] = {}
    for row in paid:
        by_programme.setdefault(row["programme"], {})[row["dong_code"]] = 12.0 * float(row["paid"])
    for programme, by_dong in sorted(by_programme.items()):
        eligible = np.array([float(people[d][programme if programme in _ELIGIBLE_AGES else "_all"]) for d in dongs])
        amount = np.array([by_dong.get(d, 0.0) for d in dongs])
        if len(dongs) < 3 or not eligible.sum() > 0.0:
            continue
        terms = np.column_stack([eligible, eligible * np.array([place.get(d, 0.0) for d in dongs])])
        root = 1.0 / np.sqrt(np.maximum(eligible, 1.0))
        solved, *_ = np.linalg.lstsq(terms * root[:, None], amount * root, rcond=None)
        for dong, left in zip(dongs, amount - terms @ solved, strict=True):
            extra[dong] += float(left)
    return {
        dong: float(np.clip((total + extra.get(dong, 0.0)) / total, 1.0 / _LARGEST_LIFT, _LARGEST_LIFT)) if total > 0.0 else 1.0
        for dong, total in transfers.items()
    }
