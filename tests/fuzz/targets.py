"""All readers of files, each with good files and ways to spoil them."""

from __future__ import annotations

from tests.fuzz import targets_numbers, targets_raw, targets_stages, targets_tables

TARGETS = [
    *targets_raw.TARGETS,
    *targets_tables.TARGETS,
    *targets_numbers.TARGETS,
    *targets_stages.TARGETS,
]

# Modules that open files and have no target, and why not.
NOT_FROM_OUTSIDE = {
    "files": "compares a file with the bytes that are to be written",
    "flow": "shows lines of logs that jobs of the same run wrote",
    "flow.data": "compares a table with the bytes that are to be written",
    "prepare.latents": "leaves the folder of Stable Diffusion to the library diffusers",
    "prepare.synthetic.avi": "measures the file that it has just written",
    "registry": "parses the package's own modules",
}


def preload() -> None:
    """Import what readers import on demand, so that no case has to wait for it."""
    import cv2
    import py7zr  # noqa: F401
    import pyzipper  # noqa: F401
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
