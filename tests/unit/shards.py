"""Two pretreated shards to pack, and what packing writes."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gait.formats.manifest import ManifestRow, manifest_text, pkl_name
from gait.formats.pkl import write_pkl
from gait.prepare.pack import PackSummary, pack
from gait.types import SequenceKey

STORE = ["digests.npz", "index.csv", "index.csv.sha256"]
FILES = sorted(["manifest.csv", *(f"packed/{each}" for each in [*STORE, "frames.npy"])])
NAMES = ["001/nm-01/000", "001/nm-01/090", "002/nm-01/000", "010/nm-01/000"]


def frames_of(name: str, size: tuple[int, int] = (64, 64)) -> NDArray[np.uint8]:
    """The silhouettes of a sequence, which its name tells."""
    rng = np.random.default_rng(list(name.encode()))
    return rng.integers(0, 256, (int(rng.integers(1, 9)), *size), np.uint8)


def add(root: Path, name: str, frames: NDArray[np.uint8] | None = None) -> ManifestRow:
    """A pkl and its row."""
    key = SequenceKey(*name.split("/"))
    frames = frames_of(name) if frames is None else frames
    pkl = pkl_name(key)
    write_pkl(root / pkl, frames)
    digest = hashlib.sha256(frames.tobytes()).hexdigest()
    return ManifestRow(key, pkl, len(frames) + 1, len(frames), {"unreadable": 1}, "f", digest)


def shard(root: Path, number: int, rows: list[ManifestRow]) -> Path:
    """The manifest of one of two shards."""
    path = root / "shards" / f"{number}-of-2.pkl.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(manifest_text(rows))
    return path


def run(root: Path, shards: list[Path]) -> PackSummary:
    """Pack the shards."""
    return pack(shards, root, root / "manifest.csv", root / "packed")


def index(root: Path) -> list[dict[str, str]]:
    """The lines of the store's index."""
    with (root / "packed" / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def contents(root: Path) -> dict[str, bytes]:
    """Everything that packing writes, by path; also what it should not leave."""
    files = [*root.glob("*.csv"), *root.glob(".*"), *(root / "packed").rglob("*")]
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(files)}


def two_shards(root: Path) -> list[Path]:
    """Two shards whose keys interleave, and a sequence of which nothing was kept."""
    first = [add(root, NAMES[2]), add(root, NAMES[0])]
    second = [add(root, NAMES[3]), add(root, NAMES[1])]
    lost = ManifestRow(SequenceKey("002", "nm-01", "090"), "", 5, 0, {"no walker": 5}, "f")
    return [shard(root, 1, [*first, lost]), shard(root, 2, second)]
