"""Aligns the silhouettes of a shard and writes pkl sequences, with what lies beside them."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gait import ragged
from gait.errors import DataError
from gait.formats.catalogue import CatalogueRow
from gait.formats.manifest import ManifestRow, manifest_text, pkl_name
from gait.formats.pkl import digest_of, write_pkl
from gait.modalities import POSE, SILHOUETTES, SKELETON_MAPS
from gait.prepare.modalities import decoders, skeleton_maps, streams, video_poses
from gait.prepare.modalities.joints import JOINTS
from gait.prepare.raw.frames import Frame, natural
from gait.prepare.raw.sources import Files, read_material
from gait.prepare.sequences.cache import Journal, remove_pkl
from gait.prepare.sequences.kept import Kept
from gait.prepare.sequences.tasks import Task, tasks_of
from gait.prepare.silhouettes.align import CCPG, Aligned, Frames, align
from gait.prepare.silhouettes.masks import read_masks
from gait.prepare.silhouettes.resize import as_is, resize, resize_bicubic
from gait.prepare.silhouettes.values import judged
from gait.prepare.summary import ShardSummary
from gait.progress import Progress
from gait.seal import write_sealed_table

# Raised when the same silhouettes would give other arrays than before.
ALGORITHM = "align-2"

# Why nothing of a sequence is kept, where one of its files is at fault.
UNUSABLE = "files that cannot be used together"
OTHER_JOINTS = "pose of other joints"

# By the names that a dataset.yaml gives them under `pretreat`.
KINDS: dict[str, Callable[[Frames, int], Aligned]] = {
    "normalise": align,
    "ccpg": partial(align, rules=CCPG),
    "as_is": as_is,
    "resize": resize,
    "resize_bicubic": resize_bicubic,
}

ORDERS: dict[str, Callable[[str], Any]] = {"lexical": str, "natural": natural}

# Images and masks are aligned in blocks, so that a long sequence of large ones fits in memory.
BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a dataset wants of its sequences, see `pretreat_shard`."""

    size_px: int
    align: Callable[[Frames, int], Aligned]
    least_frames: int
    order: Callable[[str], Any]
    joints: Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Block:
    """Consecutive frames of a sequence.

    Attributes:
        frames: those that can be read.
        numbers: the number of each in the source, from 0, [s].
        keys: what each is called, where images are; nothing for masks.
        problems: what was wrong with the others.
        lost: the same, by what each is called.
        notes: how the values of each came about, where images are; empty for those of the file.
    """

    frames: Frames
    numbers: NDArray[np.integer]
    keys: list[str] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    lost: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class _Stack:
    """Frames of one shape that come in blocks, held once: joined blocks would be held twice."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._shape: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self._bytes)

    def add(self, frames: NDArray[np.uint8]) -> None:
        """Append frames [s, ...]."""
        if len(frames):
            self._bytes += np.ascontiguousarray(frames).data
            self._shape = frames.shape[1:]

    @property
    def frames(self) -> NDArray[np.uint8]:
        """All of them; none can be appended any more."""
        return np.frombuffer(self._bytes, np.uint8).reshape(-1, *self._shape)


def pretreat_shard(
    shard: Path,
    raw: Path,
    root: Path,
    output: Path,
    size_px: int,
    kind: str = "normalise",
    least_frames: int = 1,
    frame_order: str = "lexical",
    joints: str | None = None,
) -> ShardSummary:
    """Align every sequence of a shard and write its pkl files and, last, the shard's manifest.

    A sequence with a pose gets its pose and its skeleton maps as well, for exactly the frames
    that have an aligned silhouette. Of a sequence whose pose cannot be used, or has another
    number of frames than the video, nothing is kept: it is reported on stderr and in the
    manifest, and does not stop the others.

    Of images with files of further modalities beside them, a frame that one of these lacks is
    dropped from all, so that the pkl files of a sequence always have the same frames.

    A sequence is left alone when its sources, the settings and its pkl files are as a former run
    left them. A run that was cut short continues after the last subject it had finished.

    Args:
        shard: the shard's part of the catalogue (images, archives), or its table of silhouettes
            (masks extracted from videos); told apart by the columns.
        raw: folder of the raw data, which the catalogue's sources lie in.
        root: the dataset's folder, which gets `pkl/` and `journal/`.
        output: the manifest to write.
        size_px: height and width of the aligned frames.
        kind: how frames are aligned, a name in `KINDS`.
        least_frames: nothing is kept of a sequence with fewer usable frames.
        frame_order: how images, or poses without any, are sorted by name, a name in `ORDERS`.
        joints: which joints poses keep, a name in `gait.prepare.modalities.joints`.

    Raises:
        DataError: a table, a source or a file of masks cannot be used, or a file not be written.
    """
    started = time.perf_counter()
    # Shards run side by side; each has one core.
    cv2.setNumThreads(1)
    settings = f"{ALGORITHM} {size_px} px"
    # As journals of former versions have it, where there was no choice.
    if (kind, least_frames, frame_order) != ("normalise", 1, "lexical"):
        settings += f" {kind}, {least_frames} frames, {frame_order}"
    if joints:
        settings += f" {joints}"
    rules = _Rules(size_px, KINDS[kind], least_frames, ORDERS[frame_order], JOINTS[joints])
    tasks = tasks_of(shard, raw, root, settings)
    journal = Journal(root, "pretreat", {task.key: task.archive for task in tasks})
    done = {task.key: rows for task in tasks if (rows := journal.unchanged(task.key, task.state))}
    waiting = [task for task in tasks if task.key not in done]
    summary = ShardSummary(sequences=len(tasks), unchanged=len(done))
    unfinished = Counter(journal.name(task.key) for task in waiting)
    progress = Progress(f"aligning {shard.stem}", len(waiting), "sequences")
    for task, frames, beside in _sources(waiting, shard, raw, root, rules.order):
        journal.make_room(task.key, task.modalities)
        rows = _pretreat(task, _with_progress(frames, task, progress), beside, root, rules)
        progress.advance()
        # A bad pose is remembered without a state: it is tried, and reported, until it is mended.
        has_bad_pose = any(reason in rows[0].dropped for reason in video_poses.PROBLEMS)
        journal.record(rows, "" if has_bad_pose else task.state)
        done[task.key] = rows
        # What was dropped before is counted even of a video of which nothing could be read.
        summary.frames_done += max(0, rows[0].frames_read - sum(task.dropped.values()))
        name = journal.name(task.key)
        unfinished[name] -= 1
        if not unfinished[name]:
            journal.save(name)
    assert len(done) == len(tasks), f"{shard}: a sequence came twice or not at all"
    journal.close()
    write_sealed_table(output, manifest_text(row for rows in done.values() for row in rows))
    for row, *_ in done.values():
        summary.add(row.frames_read, row.frames_kept, row.dropped)
        summary.guessed.update(row.guessed)
    summary.seconds = time.perf_counter() - started
    return summary


def _sources(
    tasks: list[Task], shard: Path, raw: Path, root: Path, order: Callable[[str], Any]
) -> Iterator[tuple[Task, Iterator[_Block], dict[str, Files]]]:
    """The frames of each task, and what lies beside them; an archive is read in one pass."""
    by_key = {task.key: task for task in tasks}
    rows = [task.source for task in tasks if isinstance(task.source, CatalogueRow)]
    for material in read_material(raw, rows, root, order):
        yield by_key[material.row.key], _blocks(judged(material.frames)), material.companions
    for task in tasks:
        if task.source is None:
            yield task, iter(()), {}
        elif isinstance(task.source, Path):
            remedy = f"delete {shard} and run again, which makes that file anew"
            masks = read_masks(task.source, BLOCK_BYTES, remedy)
            yield task, (_Block(each.masks, each.frames) for each in masks), {}


def _with_progress(blocks: Iterator[_Block], task: Task, progress: Progress) -> Iterator[_Block]:
    """Pass on the blocks, and report progress within a long sequence."""
    number = 0
    for block in blocks:
        number += len(block.frames)
        yield block
        # Not held any longer, or two blocks would be in memory.
        del block
        progress.advance(0, f"{task.key}: {number:,} frames")


def _blocks(frames: Iterator[Frame]) -> Iterator[_Block]:
    images: list[NDArray[np.uint8]] = []
    block = _Block(images, np.zeros(0, np.int64))
    numbers: list[int] = []
    size = 0
    for number, frame in enumerate(frames):
        key = Path(frame.name).stem
        if frame.image is None:
            block.problems[frame.problem] += 1
            block.lost[key] = frame.problem
            continue
        images.append(frame.image)
        numbers.append(number)
        block.keys.append(key)
        block.notes.append(frame.note)
        size += frame.image.nbytes
        if size > BLOCK_BYTES:
            yield replace(block, numbers=np.array(numbers))
            images, numbers, size = [], [], 0
            block = _Block(images, np.zeros(0, np.int64))
    yield replace(block, numbers=np.array(numbers, np.int64))


def _pretreat(
    task: Task,
    blocks: Iterator[_Block],
    beside: dict[str, Files],
    root: Path,
    rules: _Rules,
) -> tuple[ManifestRow, ...]:
    """Align one sequence and write its pkl files, or remove those of a former run.

    Returns:
        Its rows, that of its silhouettes first.
    """
    dropped = Counter(task.dropped)
    kept = _Stack()
    numbers: list[NDArray[np.integer]] = []
    keys: list[str] = []
    notes: list[str] = []
    problems: dict[str, str] = {}
    images = Kept()
    frames_seen = 0
    for block in blocks:
        aligned = rules.align(block.frames, rules.size_px)
        kept.add(aligned.frames)
        numbers.append(block.numbers[aligned.kept])
        dropped.update(aligned.dropped)
        dropped.update(block.problems)
        notes += [block.notes[row] for row in aligned.kept] if block.notes else []
        frames_seen += len(block.frames) + block.problems.total()
        if task.companions:
            keys += [block.keys[row] for row in aligned.kept]
            lost = {block.keys[row]: reason for row, reason in aligned.problems.items()}
            problems |= block.lost | lost
        if "pose_json" in task.companions:
            for key, image in zip(block.keys, block.frames, strict=True):
                images.add(key, image)
    frames_read = frames_seen if isinstance(task.source, CatalogueRow) else task.frames_read
    found: dict[str, ragged.Frames] = {}
    guessed = dict(Counter(filter(None, notes)))
    if task.is_without_silhouettes:
        joined = _joined(task, {}, {}, beside, rules)
        found, dropped, guessed = joined.frames, Counter(joined.dropped), joined.guessed
        frames_read = joined.number + dropped.total()
    elif len(kept):
        found[SILHOUETTES] = kept.frames
        if task.pose is not None:
            pose, problem = video_poses.pose_of_frames(
                task.pose, task.key, frames_read, np.concatenate(numbers)
            )
            if pose is None:
                # Whatever else the sequence has, nobody knows that it is of the same walk.
                dropped[problem] += len(found.pop(SILHOUETTES))
            else:
                found[POSE] = pose
        elif task.companions:
            told = {key: note for key, note in zip(keys, notes, strict=True) if note}
            track = streams.Track(keys, found[SILHOUETTES], problems, guessed=told)
            silhouettes = {SILHOUETTES: track}
            joined = _joined(task, silhouettes, images, beside, rules)
            found, dropped, guessed = joined.frames, Counter(joined.dropped), joined.guessed
            frames_read = joined.number + dropped.total()
    usable = min(map(len, found.values()), default=0)
    if 0 < usable < rules.least_frames:
        dropped[f"sequence of fewer than {rules.least_frames} frames"] += usable
        found, guessed = {}, {}
    if isinstance(joints := found.get(POSE), np.ndarray):
        try:
            found = found | _with_maps(joints, SKELETON_MAPS not in found, rules)
        except DataError as error:
            print(f"sequence {task.key}: {error}", file=sys.stderr)
            dropped[OTHER_JOINTS] += usable
            found, guessed = {}, {}
    for modality in task.modalities:
        if modality not in found:
            remove_pkl(root, pkl_name(task.key, modality))
    row = ManifestRow(
        task.key, "", frames_read, 0, dict(dropped), task.fingerprint, guessed=guessed
    )
    if not found:
        # The modality that the others of the dataset are counted by.
        has_none = task.is_without_silhouettes and SILHOUETTES not in task.made
        return (replace(row, modality=task.made[0]) if has_none else row,)
    return tuple(
        _written(replace(row, modality=modality), frames, root)
        for modality, frames in found.items()
    )


def _joined(
    task: Task,
    silhouettes: dict[str, streams.Track],
    images: decoders.Silhouettes,
    beside: dict[str, Files],
    rules: _Rules,
) -> streams.Joined:
    """The silhouettes, if there are any, with what lies beside them.

    Of a sequence whose files do not go together nothing is kept, which is reported on stderr.
    """
    try:
        return streams.join(silhouettes | decoders.read_tracks(beside, rules.size_px, images))
    except DataError as error:
        print(f"sequence {task.key}: {error}", file=sys.stderr)
        frames = max(
            (len(each.keys) + len(each.problems) for each in silhouettes.values()), default=0
        )
        return streams.Joined({}, 0, {UNUSABLE: frames or 1})


def _with_maps(
    pose: NDArray[Any], are_maps_wanted: bool, rules: _Rules
) -> dict[str, ragged.Frames]:
    """The pose with the joints that are wanted, and skeleton maps drawn from it.

    Raises:
        DataError: it has other joints than are known.
    """
    made: dict[str, ragged.Frames] = {POSE: rules.joints(pose)}
    if are_maps_wanted:
        made[SKELETON_MAPS] = skeleton_maps.skeleton_maps(rules.joints(pose), rules.size_px)
    return made


def _written(row: ManifestRow, frames: ragged.Frames, root: Path) -> ManifestRow:
    """The row with its pkl, which is written unless it is there.

    Each modality has the drops of its source: what a frame lacks, it lacks in all of them.
    """
    pkl = pkl_name(row.key, row.modality)
    write_pkl(root / pkl, frames, row.modality)
    return replace(row, pkl=pkl, frames_kept=len(frames), sha256=digest_of(frames))
