"""One declaration per table; everything about a column is said here and nowhere else."""

from __future__ import annotations

from living_finance.contracts.bronze import BRONZE_TABLES, DELIVERY, DELIVERY_COLUMN
from living_finance.contracts.core import Table
from living_finance.contracts.gold import GOLD_TABLES
from living_finance.contracts.silver import SILVER_TABLES

STORED_TABLES: dict[str, Table] = {
    table.qualified_name: table for table in (*BRONZE_TABLES.values(), DELIVERY, DELIVERY_COLUMN, *SILVER_TABLES, *GOLD_TABLES)
}
"""Every table of the warehouse by qualified name (`gold.household`)."""
