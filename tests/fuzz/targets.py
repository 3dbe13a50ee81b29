"""All readers of files, each with good files and ways to spoil them."""

from __future__ import annotations

from importlib import import_module

import cv2
import torch

from tests.fuzz import (
    targets_numbers,
    targets_raw,
    targets_results,
    targets_settings,
    targets_stages,
    targets_tables,
)

TARGETS = [
    *targets_raw.TARGETS,
    *targets_settings.TARGETS,
    *targets_tables.TARGETS,
    *targets_results.TARGETS,
    *targets_numbers.TARGETS,
    *targets_stages.TARGETS,
]

# Modules that open files and have no target, and why not.
NOT_FROM_OUTSIDE = {
    "engine.runtime.alone": "opens a folder to lock it",
    "files": "compares a file with the bytes that are to be written",
    "workflow.messages": "shows lines of logs that jobs of the same run wrote",
    "workflow.datasets": "compares a table with the bytes that are to be written",
    "workflow.lock": "opens a file to lock it",
    "prepare.sequences.latents": "leaves the folder of Stable Diffusion to the library diffusers",
    "formats.pickles.writer": "compares a file with the bytes that are to be written",
    "synthgait.avi": "measures the file that it has just written",
    "registry": "parses the package's own modules",
}

_ON_DEMAND = (
    "gait.config.load",
    "gait.prepare.catalogue.scan",
    "gait.prepare.check",
    "gait.prepare.pack",
    "gait.prepare.sequences.pretreat",
    "gait.prepare.silhouettes.segment",
    "gait.report.figures",
    "gait.report.quality_page",
    "matplotlib.figure",
    "matplotlib.font_manager",
    "onnxruntime",
    "py7zr",
    "pyzipper",
    "torch.utils.tensorboard.writer",
)


def preload() -> None:
    """Import what readers import on demand, so that no case has to wait for it."""
    for name in _ON_DEMAND:
        import_module(name)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
