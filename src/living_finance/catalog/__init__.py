"""Dictionary and descriptions of every table, derived from the contracts."""
