"""All readers of files, each with good files and ways to spoil them."""

from __future__ import annotations

from tests.fuzz import targets_numbers, targets_raw, targets_stages, targets_tables

TARGETS = [
    *targets_raw.TARGETS,
    *targets_tables.TARGETS,
    *targets_numbers.TARGETS,
    *targets_stages.TARGETS,
]


def preload() -> None:
    """Import what readers import on demand, so that no case has to wait for it."""
    import cv2
    import py7zr  # noqa: F401
    import pyzipper  # noqa: F401
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
