"""The mathematics that more than one room needs."""
