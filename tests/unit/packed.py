"""Small packed stores for tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gait.formats.blocks import DIGESTS, write_digests
from gait.types import SequenceKey

LENGTHS = {
    SequenceKey("010", "nm-01", "090"): 4,
    SequenceKey("002", "NA", "000"): 3,
    SequenceKey("010", "bg-01", "090"): 5,
}


def write_packed(
    packed: Path, lengths: dict[SequenceKey, int], height_px: int = 64, width_px: int = 64
) -> None:
    """A store of noise, in the order of `lengths`."""
    total = sum(lengths.values())
    rng = np.random.default_rng(0)
    packed.mkdir(parents=True, exist_ok=True)
    frames = rng.integers(0, 256, (total, height_px, width_px), dtype=np.uint8)
    np.save(packed / "frames.npy", frames)
    lines = ["subject,condition,view,start,frames,sha256"]
    start = 0
    for key, length in lengths.items():
        lines.append(f"{','.join(key)},{start},{length},{start:064x}")
        start += length
    (packed / "index.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    seal_packed(packed)


def seal_packed(packed: Path) -> None:
    """Write the digests of the arrays that are there now."""
    write_digests(packed / DIGESTS, {path.name: path for path in packed.glob("*.npy")})


def add_clouds(packed: Path, clouds: Iterable[NDArray[np.float32]]) -> None:
    """The points [p, 3] of each frame of a store."""
    frames = list(clouds)
    np.save(packed / "points.npy", np.concatenate(frames))
    np.save(packed / "points.offsets.npy", np.cumsum([0, *map(len, frames)]))
    seal_packed(packed)


def noisy_clouds(packed: Path, seed: int = 0) -> list[NDArray[np.float32]]:
    """Clouds of the twelve frames of a store of `LENGTHS`, also in the store."""
    rng = np.random.default_rng(seed)
    frames = [rng.normal(size=(size, 3)).astype(np.float32) for size in rng.integers(1, 9, 12)]
    add_clouds(packed, frames)
    return frames


def population(subjects: int, sequences: int, shortest: int = 5) -> dict[SequenceKey, int]:
    """Sequences of `subjects` subjects; their lengths differ, and some are equal."""
    return {
        SequenceKey(f"{subject:03d}", f"nm-{number:02d}", "090"): shortest
        + (7 * subject + 3 * number) % 11
        for subject in range(1, subjects + 1)
        for number in range(1, sequences + 1)
    }
