"""The wiring: read tables → call rooms → publish; no formulas."""
