"""The mathematics that more than one room needs."""

from living_finance.methods.area_calibration import (
    Calibrated,
    calibrate,
    counts,
    in_category,
    in_each,
    packed_counts,
    quantity,
    with_zero_targets,
)
from living_finance.methods.calibration import Distance

__all__ = [
    "Calibrated",
    "Distance",
    "calibrate",
    "counts",
    "in_category",
    "in_each",
    "packed_counts",
    "quantity",
    "with_zero_targets",
]
