"""Gathers pkl sequences into one memory-mapped array that training reads frames from."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.files import atomic_path, write_if_changed
from gait.prepare.manifest import (
    ManifestRow,
    below,
    manifest_text,
    read_manifest,
    table_text,
    told,
)
from gait.prepare.pkl import read_pkl
from gait.prepare.rows import read_rows
from gait.types import SequenceKey

INDEX_COLUMNS = ("subject", "condition", "view", "start", "frames", "sha256")


@dataclass(frozen=True, slots=True)
class PackSummary:
    """What the packed store holds; as text, one line.

    Attributes:
        sequences: sequences in the store.
        frames: frames in the store.
        height_px: height of a frame.
        width_px: width of a frame.
        left_out: sequences without a pkl.
        left_out_frames: their frames, by the reason each was dropped for.
        dropped: frames dropped from all sequences, by reason.
    """

    sequences: int
    frames: int
    height_px: int
    width_px: int
    left_out: int
    left_out_frames: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        parts = [
            f"{self.sequences:,} sequences, {self.frames:,} frames of "
            f"{self.height_px} x {self.width_px} packed"
        ]
        if self.dropped:
            parts.append(f"frames dropped before: {told(self.dropped)}")
        if self.left_out:
            parts.append(
                f"{self.left_out:,} sequences left out without a usable frame"
                + _because(self.left_out_frames)
            )
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class _Listed:
    """A manifest row and the file it stands in."""

    row: ManifestRow
    manifest: Path


def pack(
    manifests: list[Path],
    root: Path,
    manifest: Path,
    packed: Path,
    catalogue: Path | None = None,
) -> PackSummary:
    """Write the dataset's manifest and its packed store, or, on any failure, neither.

    Every pkl is checked against its manifest row. `index.csv` is written last, and is absent
    while `frames.npy` changes, so a store that was cut short is never taken for a whole one.

    Args:
        manifests: the manifests of all shards.
        root: the dataset's folder, which the manifests' paths lie below.
        manifest: the manifest of the dataset, all rows sorted by key; left alone if unchanged.
        packed: folder that gets `frames.npy`, uint8 [total frames, h, w], and `index.csv`.
        catalogue: the table of all sequences, each of which has to be accounted for.

    Raises:
        DataError: a manifest or pkl cannot be used or does not fit the others, no sequence has a
            pkl, or a file cannot be written.
    """
    listed = _listed(manifests)
    if catalogue is not None:
        _account_for(catalogue, listed)
    kept = [each for each in listed if each.row.pkl]
    rows = [each.row for each in listed]
    if not kept:
        drops = _drops(rows)
        raise DataError(
            f"{root}: expected sequences with usable silhouettes, got {len(rows)} sequences of "
            f"which none has any{_because(drops)}; look at "
            f"{', '.join(map(str, manifests)) or 'the shards'} for each of them"
        )
    index = packed / "index.csv"
    with atomic_path(index) as new_index:
        new_index.write_text(_index_text([each.row for each in kept]), encoding="utf-8")
        with atomic_path(packed / "frames.npy") as new_frames:
            height_px, width_px = _write_frames(new_frames, kept, root)
            write_if_changed(manifest, manifest_text(rows))
            index.unlink(missing_ok=True)
    empty = [row for row in rows if not row.pkl]
    return PackSummary(
        sequences=len(kept),
        frames=sum(each.row.frames_kept for each in kept),
        height_px=height_px,
        width_px=width_px,
        left_out=len(empty),
        left_out_frames=_drops(empty),
        dropped=_drops(rows),
    )


def _account_for(catalogue: Path, listed: list[_Listed]) -> None:
    lost = {row.key for row in read_rows(catalogue)} - {each.row.key for each in listed}
    if lost:
        raise DataError(
            f"{catalogue}: lists {min(lost)} and {len(lost) - 1} more sequences of which no shard "
            "says what became; delete the shards' pkl.csv to have them made again"
        )


def _listed(manifests: list[Path]) -> list[_Listed]:
    """All rows, sorted by key."""
    listed: dict[SequenceKey, _Listed] = {}
    for manifest in manifests:
        for row in read_manifest(manifest):
            former = listed.setdefault(row.key, _Listed(row, manifest))
            if former.row is not row:
                raise DataError(
                    f"{manifest}: sequence {row.key} is also in {former.manifest}; each may be "
                    "listed once; delete the shards' tables and run again"
                )
    return [listed[key] for key in sorted(listed)]


def _write_frames(target: Path, kept: list[_Listed], root: Path) -> tuple[int, int]:
    """Write the frames of all sequences one after the other; returns their height and width.

    Written, not mapped: on a full disk a write is an error that can be told, while a page of a
    mapped file that finds no room kills the process.
    """
    arrays = _arrays(kept, root)
    first = next(arrays)
    height_px, width_px = first.shape[1:]
    total = sum(each.row.frames_kept for each in kept)
    header = {
        "descr": np.lib.format.dtype_to_descr(first.dtype),
        "fortran_order": False,
        "shape": (total, height_px, width_px),
    }
    with target.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.write(first.data)
        for frames in arrays:
            file.write(frames.data)
    return height_px, width_px


def _arrays(kept: list[_Listed], root: Path) -> Iterator[NDArray[np.uint8]]:
    """The array of each sequence, checked against its row and against the first one's size."""
    size: tuple[int, ...] = ()
    for each in kept:
        path = below(root, each.row.pkl, each.manifest)
        frames = read_pkl(path)
        if (
            len(frames) != each.row.frames_kept
            or hashlib.sha256(frames.data).hexdigest() != each.row.sha256
        ):
            raise DataError(
                f"{path}: expected the {each.row.frames_kept} frames that {each.manifest} lists, "
                f"got {len(frames)} that differ from them; delete that table and run again"
            )
        size = size or frames.shape[1:]
        if frames.shape[1:] != size:
            raise DataError(
                f"{path}: expected frames of {_size(size)} as in {kept[0].row.pkl}, got "
                f"{_size(frames.shape[1:])}; a dataset has one size (pretreat.size_px in "
                "dataset.yaml): delete the tables of the shards and run again"
            )
        yield frames


def _size(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))


def _index_text(rows: list[ManifestRow]) -> str:
    lines = []
    start = 0
    for row in rows:
        values = (*row.key, str(start), str(row.frames_kept), row.sha256)
        lines.append(dict(zip(INDEX_COLUMNS, values, strict=True)))
        start += row.frames_kept
    return table_text(INDEX_COLUMNS, lines)


def _drops(rows: list[ManifestRow]) -> Counter[str]:
    dropped: Counter[str] = Counter()
    for row in rows:
        dropped.update(row.dropped)
    return dropped


def _because(dropped: Counter[str]) -> str:
    return f" (frames: {told(dropped)})" if dropped else ""
