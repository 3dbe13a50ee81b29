"""Gait recognition from raw video to a metric table."""

__version__ = "0.1.0"
