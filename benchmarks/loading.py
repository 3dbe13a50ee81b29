"""Sequences per second from a packed store to batches, in one process, and the time to open one.

    python benchmarks/loading.py

The store is fabricated in a temporary folder, so that reading comes from the page cache: this
measures the work per sequence (draw, gather, cut, augment, collate), not a disk.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from gait.data.transforms.cut_sides import CutSides

from gait.config.experiment import Frames
from gait.data.dataset import TrainingSet
from gait.data.inputs import ModelInput
from gait.data.loader import training_loader
from gait.data.samplers.triplet_sampler import TripletSampler
from gait.data.store import PackedStore
from gait.data.transforms import Transform
from gait.data.transforms.random_erasing import RandomErasing
from gait.data.transforms.random_rotate import RandomRotate
from gait.formats.blocks import DIGESTS, write_digests

OPENED_SEQUENCES = 280_000
RECIPES: dict[str, list[Transform]] = {
    "cut": [CutSides()],
    "cut, rotate 0.3, erase 0.3": [CutSides(), RandomRotate(0.3), RandomErasing(0.3)],
    "cut, rotate 1.0, erase 1.0": [CutSides(), RandomRotate(1.0), RandomErasing(1.0)],
}


def fabricate(packed: Path, lengths: np.ndarray, size_px: int, per_subject: int) -> None:
    """Writes a store of noise whose sequences have the given lengths."""
    shape = (int(lengths.sum()), size_px, size_px)
    frames = np.lib.format.open_memmap(packed / "frames.npy", mode="w+", dtype="u1", shape=shape)
    some = np.random.default_rng(0).integers(0, 256, (500, size_px, size_px), dtype=np.uint8)
    for first in range(0, len(frames), len(some)):
        frames[first : first + len(some)] = some[: len(frames) - first]
    numbers = np.arange(len(lengths))
    pd.DataFrame(
        {
            "subject": [f"{each:05d}" for each in numbers // per_subject],
            "condition": [f"nm-{each % per_subject:03d}" for each in numbers],
            "view": "090",
            "start": np.cumsum(lengths) - lengths,
            "frames": lengths,
            "sha256": [f"{each:064x}" for each in numbers],
        }
    ).to_csv(packed / "index.csv", index=False)
    write_digests(packed / DIGESTS, {"frames.npy": packed / "frames.npy"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=32, help="subjects in the store")
    parser.add_argument("--iterations", type=int, default=30, help="batches of 8 x 16 timed")
    parser.add_argument("--workers", type=int, default=0, help="processes that read ahead")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)

    with tempfile.TemporaryDirectory() as folder:
        lengths = np.random.default_rng(0).integers(60, 141, options.subjects * 20)
        fabricate(Path(folder), lengths, size_px=64, per_subject=20)
        store = PackedStore(Path(folder))
        for recipe, transforms in RECIPES.items():
            training = TrainingSet(
                store,
                store.subjects,
                TripletSampler(8, 16),
                Frames(count=30),
                [ModelInput("silhouettes", transforms)],
                seed=0,
            )
            batches = iter(training_loader(training, 0, options.iterations + 3, options.workers))
            for _ in range(3):
                next(batches)
            start = time.perf_counter()
            count = sum(len(batch.labels) for batch in batches)
            rate = count / (time.perf_counter() - start)
            print(f"{recipe:28} {rate:9,.0f} sequences/s {1000 * 128 / rate:6.1f} ms a batch")

    with tempfile.TemporaryDirectory() as folder:
        lengths = np.full(OPENED_SEQUENCES, 100)
        fabricate(Path(folder), lengths, size_px=1, per_subject=28)
        start = time.perf_counter()
        PackedStore(Path(folder))
        print(f"opening {OPENED_SEQUENCES:,} sequences: {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
