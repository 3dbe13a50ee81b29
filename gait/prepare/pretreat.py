"""Aligns the silhouettes of a shard and writes them as pkl sequences, only where needed."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.files import write_if_changed
from gait.prepare.align import Frames, align
from gait.prepare.journal import Journal, remove_pkl, state_of
from gait.prepare.manifest import (
    ManifestRow,
    below,
    manifest_text,
    parse_drops,
    pkl_name,
    read_table,
)
from gait.prepare.masks import load_masks
from gait.prepare.pkl import write_pkl
from gait.prepare.rows import read_rows
from gait.prepare.sources import Frame, read_images
from gait.prepare.summary import ShardSummary
from gait.types import CatalogueRow, SequenceKey

# Raised when the same silhouettes would give other arrays than before.
ALGORITHM = "align-2"

# Images are aligned in blocks, so that a long sequence of large images fits in memory.
BLOCK_BYTES = 64 * 2**20

_MASK_COLUMNS = (
    "subject",
    "condition",
    "view",
    "silhouettes",
    "frames_read",
    "dropped",
    "fingerprint",
)


@dataclass(frozen=True, slots=True)
class _Block:
    """Consecutive frames of a sequence, and what was wrong with those that cannot be read."""

    frames: Frames
    problems: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Task:
    """A sequence to align.

    Attributes:
        key: subject, condition and view.
        fingerprint: of the sources, as the manifest tells it.
        state: changes whenever the aligned frames could.
        source: catalogue row of the images, or the file of masks; None when there are no masks.
        frames_read: frames of the video that the masks come from; 0 for images.
        dropped: frames dropped before, by reason.
    """

    key: SequenceKey
    fingerprint: str
    state: str
    source: CatalogueRow | Path | None
    frames_read: int = 0
    dropped: dict[str, int] = field(default_factory=dict)


def pretreat_shard(shard: Path, raw: Path, root: Path, output: Path, size_px: int) -> ShardSummary:
    """Align every sequence of a shard and write its pkl and, last, the shard's manifest.

    A sequence is left alone when its sources, the settings and its pkl are as a former run left
    them. A run that was cut short continues after the last subject it had finished.

    Args:
        shard: the shard's part of the catalogue (images, archives), or its table of silhouettes
            (masks extracted from videos); told apart by the columns.
        raw: folder of the raw data, which the catalogue's sources lie in.
        root: the dataset's folder, which gets `pkl/` and `journal/`.
        output: the manifest to write.
        size_px: height and width of the aligned frames.

    Raises:
        DataError: a table, a source or a file of masks cannot be used, or a file not be written.
    """
    started = time.perf_counter()
    # Shards run side by side; each has one core.
    cv2.setNumThreads(1)
    tasks = _tasks(shard, root, f"{ALGORITHM} {size_px} px")
    journal = Journal(root, "pretreat", {task.key for task in tasks})
    done = {task.key: row for task in tasks if (row := journal.unchanged(task.key, task.state))}
    waiting = [task for task in tasks if task.key not in done]
    summary = ShardSummary(sequences=len(tasks), unchanged=len(done))
    unfinished = Counter(task.key.subject for task in waiting)
    for task, frames in _sources(waiting, raw):
        row = _pretreat(task, frames, root, size_px)
        journal.record(row, task.state)
        done[task.key] = row
        summary.frames_done += row.frames_read - sum(task.dropped.values())
        unfinished[task.key.subject] -= 1
        if not unfinished[task.key.subject]:
            journal.save(task.key.subject)
    assert len(done) == len(tasks), f"{shard}: a sequence came twice or not at all"
    journal.close()
    write_if_changed(output, manifest_text(done.values()))
    _sum_up(done.values(), summary)
    summary.seconds = time.perf_counter() - started
    return summary


def _sum_up(rows: Iterable[ManifestRow], summary: ShardSummary) -> None:
    for row in rows:
        summary.add(row.frames_read, row.frames_kept, row.dropped)


def _tasks(shard: Path, root: Path, settings: str) -> list[_Task]:
    header = read_table(shard, ("subject", "condition", "view", "fingerprint"))
    if not header:
        return []
    if "silhouettes" not in header[0]:
        return [_image_task(row, settings, shard) for row in read_rows(shard)]
    return [_mask_task(line, root, settings, shard) for line in read_table(shard, _MASK_COLUMNS)]


def _image_task(row: CatalogueRow, settings: str, shard: Path) -> _Task:
    if row.kind == "video":
        raise DataError(
            f"{shard}: expected silhouette images, got the video {row.source}; extract its "
            "silhouettes first and give their table (<shard>.silhouettes.csv)"
        )
    return _Task(row.key, row.fingerprint, f"{settings} {row.fingerprint}", row)


def _mask_task(line: dict[str, str], root: Path, settings: str, shard: Path) -> _Task:
    key = SequenceKey(line["subject"], line["condition"], line["view"])
    try:
        frames_read, dropped = int(line["frames_read"]), parse_drops(line["dropped"])
    except ValueError as error:
        raise DataError(f"{shard}, sequence {key}: {error}; delete it and run again") from None
    masks = below(root, line["silhouettes"], shard) if line["silhouettes"] else None
    # The file's own state as well, so that masks replaced by hand count as changed.
    state = f"{settings} {line['fingerprint']} {state_of(masks) if masks else 'no masks'}"
    return _Task(key, line["fingerprint"], state, masks, frames_read, dropped)


def _sources(tasks: list[_Task], raw: Path) -> Iterator[tuple[_Task, Iterator[_Block]]]:
    """The frames of each task; those of one archive are read in one pass."""
    by_key = {task.key: task for task in tasks}
    rows = [task.source for task in tasks if isinstance(task.source, CatalogueRow)]
    for row, frames in read_images(raw, rows):
        yield by_key[row.key], _blocks(frames)
    for task in tasks:
        if task.source is None:
            yield task, iter(())
        elif isinstance(task.source, Path):
            yield task, iter([_Block(load_masks(task.source).masks)])


def _blocks(frames: Iterator[Frame]) -> Iterator[_Block]:
    images: list[NDArray[np.uint8]] = []
    problems: Counter[str] = Counter()
    size = 0
    for frame in frames:
        if frame.image is None:
            problems[frame.problem] += 1
            continue
        images.append(frame.image)
        size += frame.image.nbytes
        if size > BLOCK_BYTES:
            yield _Block(images, problems)
            images, problems, size = [], Counter(), 0
    yield _Block(images, problems)


def _pretreat(task: _Task, blocks: Iterator[_Block], root: Path, size_px: int) -> ManifestRow:
    """Align one sequence and write its pkl, or remove the one of a former run."""
    dropped = Counter(task.dropped)
    kept: list[NDArray[np.uint8]] = []
    frames_seen = 0
    for block in blocks:
        aligned = align(block.frames, size_px)
        kept.append(aligned.frames)
        dropped.update(aligned.dropped)
        dropped.update(block.problems)
        frames_seen += len(block.frames) + block.problems.total()
    frames_read = frames_seen if isinstance(task.source, CatalogueRow) else task.frames_read
    pkl = pkl_name(task.key)
    frames = np.concatenate(kept) if kept else np.empty((0, size_px, size_px), np.uint8)
    if not len(frames):
        remove_pkl(root, pkl)
        return ManifestRow(task.key, "", frames_read, 0, dict(dropped), task.fingerprint)
    write_pkl(root / pkl, frames)
    digest = hashlib.sha256(frames.data).hexdigest()
    return ManifestRow(
        task.key, pkl, frames_read, len(frames), dict(dropped), task.fingerprint, digest
    )
