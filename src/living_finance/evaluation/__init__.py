"""Scores of a synthetic month against its truth; the only reader of truth."""
