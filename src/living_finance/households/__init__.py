"""Householding: persons at addresses become households with weights (silver.household, gold.household_member).

`form.householding` is the entry; `matching.match_to_register` is the seam where a better method plugs in; `identity`
keeps a household's id over months and writes its lineage (gold.household_lineage).
Non-goals of this version: joint likelihood of a whole address, draws of assignments, calibration to more than the
number of households.
"""

from living_finance.households.form import Householding, householding
from living_finance.households.identity import PreviousMonth

__all__ = ["Householding", "PreviousMonth", "householding"]
