"""SynthGait: synthetic walkers, rendered as raw videos."""
