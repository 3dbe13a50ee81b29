"""SynthGait: synthetic walkers, rendered as raw videos."""

from gait.prepare.synthetic.population import synthesize

__all__ = ["synthesize"]
