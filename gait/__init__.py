"""Gait recognition from raw video to a metric table."""

from importlib.metadata import version

__version__ = version("gait")
