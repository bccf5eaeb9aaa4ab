"""Householding: persons at addresses become households with weights (silver.household, gold.household_member).

`form.householding` is the entry. `evidence` puts both sources side by side; `model` is fitted on a sample of addresses;
`assignment` solves blocks of addresses (arrays numbered by `layout`, draws by `pool`, people the register has elsewhere by
`absent`), `tally` adds up the people of each
household, `matching` carries all that to Spark; `composition` says what the households are, `tenure` what nothing shows;
`weights` calibrates them to the census; `identity` keeps a household's id over months and writes its lineage.
Non-goal of this version: the month before as evidence of who lives where.
"""

from living_finance.households.form import Householding, householding
from living_finance.households.identity import PreviousMonth

__all__ = ["Householding", "PreviousMonth", "householding"]
