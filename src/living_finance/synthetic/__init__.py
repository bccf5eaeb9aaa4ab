"""A seeded synthetic city: conforming deliveries, anchored on the real census, with known truth apart."""

from living_finance.synthetic.city import SynthesisReport, synthesize

__all__ = ["SynthesisReport", "synthesize"]
