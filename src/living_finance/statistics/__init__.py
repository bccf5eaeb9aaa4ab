"""Estimates of households and persons by region, and their precision."""
