"""A shard of silhouettes under construction, and what its pretreatment has written."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.config.dataset import Pretreat
from gait.formats.catalogue import CatalogueRow, RowKind, rows_text
from gait.formats.manifest import ManifestRow, read_manifest
from gait.formats.source import parse_source
from gait.prepare.sequences.pretreat import pretreat_shard
from gait.prepare.summary import ShardSummary
from gait.types import SequenceKey


def walker(step: int) -> NDArray[np.uint8]:
    """A silhouette that moves and grows with each step."""
    frame = np.zeros((60, 80), np.uint8)
    cv2.ellipse(frame, (20 + step, 30), (6 + step % 4, 25), 0, 0, 360, 255, -1)
    return frame


EMPTY = np.zeros((60, 80), np.uint8)


@dataclass
class Shard:
    """A dataset of one shard under construction."""

    root: Path
    rows: dict[SequenceKey, CatalogueRow]

    @property
    def table(self) -> Path:
        return self.root / "shards" / "1-of-1.csv"

    @property
    def output(self) -> Path:
        return self.root / "shards" / "1-of-1.pkl.csv"

    def add(self, name: str, frames: list[NDArray[np.uint8] | bytes], fingerprint: str) -> None:
        """A sequence of PNG files; bytes are written as they are."""
        key = SequenceKey(*name.split("/"))
        folder = self.root / "raw" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for number, frame in enumerate(frames):
            path = folder / f"{number:03d}.png"
            if isinstance(frame, bytes):
                path.write_bytes(frame)
            else:
                assert cv2.imwrite(str(path), frame)
        self.rows[key] = CatalogueRow(key, RowKind.IMAGES, parse_source(name), "", fingerprint)
        self.write()

    def remove(self, name: str) -> None:
        del self.rows[SequenceKey(*name.split("/"))]
        self.write()

    def write(self) -> None:
        self.table.parent.mkdir(exist_ok=True)
        self.table.write_text(rows_text(self.rows[key] for key in sorted(self.rows)))

    def run(self, size_px: int = 64, **settings: Any) -> ShardSummary:
        rules = Pretreat(size_px=size_px, **settings)
        return pretreat_shard(self.table, self.root / "raw", self.root, self.output, rules)

    def manifest(self) -> dict[str, ManifestRow]:
        return {str(row.key): row for row in read_manifest(self.output)}

    def pkl_files(self) -> dict[str, bytes]:
        """Everything below pkl/, by path."""
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted((self.root / "pkl").rglob("*"))
            if path.is_file()
        }

    def age(self) -> None:
        """Set every pkl's modification time back, as a sign of not having been written since."""
        for path in (self.root / "pkl").rglob("*.pkl"):
            os.utime(path, ns=(10**18, 10**18))

    def written(self) -> set[str]:
        """The sequences whose pkl was written since `age`."""
        return {
            path.parent.relative_to(self.root / "pkl").as_posix()
            for path in (self.root / "pkl").rglob("*.pkl")
            if path.stat().st_mtime_ns != 10**18
        }


def small_shard(root: Path) -> Shard:
    """Three sequences of two subjects."""
    made = Shard(root, {})
    made.add("001/nm-01/000", [walker(step) for step in range(6)], "a")
    made.add("001/nm-01/090", [walker(step) for step in range(3, 10)], "b")
    made.add("002/nm-01/000", [walker(step) for step in range(2, 8)], "c")
    return made
