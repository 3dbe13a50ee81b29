"""Compares what is there of a dataset with what it should hold, before any long job."""

from gait.prepare.check.examine import check

__all__ = ["check"]
