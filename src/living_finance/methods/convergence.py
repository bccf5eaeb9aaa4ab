"""What an iteration reached, said as it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Convergence:
    """What an iteration reached."""

    reached: bool
    rounds: int
    largest_change: float
    """Of what the iteration moves, in the last round."""
