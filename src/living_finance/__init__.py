"""Monthly household income, debt and spending statistics for the neighbourhoods of a city."""

__version__ = "0.1.0"
