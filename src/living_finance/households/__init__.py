"""Householding: persons at addresses become households with weights (silver.household, gold.household_member).

`form.householding` is the entry; `matching.match_to_register` is the seam where a better method plugs in.
Non-goals of this version: joint likelihood of a whole address, draws of assignments, identity of moving households,
calibration to more than the number of households.
"""

from living_finance.households.form import Householding, householding

__all__ = ["Householding", "householding"]
