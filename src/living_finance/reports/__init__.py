"""Trend report (동향보고서): content from published figures, and its files in HTML, PDF and HWPX."""
