"""Addresses → building, output area, dong and district in a month."""
