"""A population that is rendered in seconds."""

from __future__ import annotations

from gait.config.dataset import Population

TINY = Population(
    seed=3,
    subjects=2,
    views_deg=[0, 90],
    sequences={"nm": 1, "bg": 1, "cl": 1},
    width_px=160,
    height_px=120,
    duration_s=0.5,
)
