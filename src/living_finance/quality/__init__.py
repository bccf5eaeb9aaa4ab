"""Indicators, scores and cross-checks of a month."""
