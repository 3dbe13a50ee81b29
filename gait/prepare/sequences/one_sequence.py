"""Pretreats one sequence: aligns its silhouettes and pairs them with what accompanies them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gait import ragged
from gait.config.dataset import Pretreat
from gait.errors import DataError
from gait.formats.catalogue import CatalogueRow
from gait.formats.manifest import ManifestRow, pkl_name
from gait.formats.pkl import digest_of, write_pkl
from gait.modalities import POSE, SILHOUETTES, SKELETON_MAPS
from gait.prepare.modalities import decoders, skeleton_maps, streams, video_poses
from gait.prepare.modalities.joints import JOINTS
from gait.prepare.raw.sources import Files
from gait.prepare.sequences.blocks import Block, FrameStack
from gait.prepare.sequences.cache import remove_pkl
from gait.prepare.sequences.kept import Kept
from gait.prepare.sequences.tasks import PretreatItem
from gait.prepare.silhouettes.align import CCPG, Aligned, Frames, align
from gait.prepare.silhouettes.resize import as_is, resize, resize_bicubic

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


@dataclass(slots=True)
class _Silhouettes:
    """The silhouettes of a sequence, aligned block by block.

    Attributes:
        frames: those that were kept.
        numbers: the number of each in the source, a block at a time.
        keys: what each is called, of sequences with companion files.
        notes: how the values of each came about.
        problems: why others were not kept, by what they are called.
        images: as they lie in their images, where poses may need them.
        dropped: how many were not kept, by reason.
        seen: how many there were.
    """

    frames: FrameStack = field(default_factory=FrameStack)
    numbers: list[NDArray[np.integer]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    images: Kept = field(default_factory=Kept)
    dropped: Counter[str] = field(default_factory=Counter)
    seen: int = 0


@dataclass(slots=True)
class _Outcome:
    """What becomes of a sequence.

    Attributes:
        frames: of each modality; empty where nothing is kept.
        read: how many frames there were.
        dropped: how many were not kept, by reason.
        guessed: how many are kept on a guess, by what was guessed.
    """

    frames: dict[str, ragged.Frames]
    read: int
    dropped: Counter[str]
    guessed: Mapping[str, int] = field(default_factory=dict)

    def drop(self, reason: str, number: int) -> None:
        """Keep nothing, for one reason."""
        self.dropped[reason] += number
        self.frames, self.guessed = {}, {}


def pretreat_sequence(
    task: PretreatItem,
    blocks: Iterator[Block],
    companions: dict[str, Files],
    root: Path,
    rules: Pretreat,
) -> tuple[ManifestRow, ...]:
    """Align one sequence and write its pkl files, or remove those of a former run.

    Args:
        task: the sequence.
        blocks: its silhouettes.
        companions: its companion files, by kind.
        root: the dataset's folder.
        rules: what the dataset wants.

    Returns:
        Its rows, that of its silhouettes first.
    """
    silhouettes = _aligned(task, blocks, rules)
    outcome = _outcome(task, silhouettes, companions, rules)
    usable = min(map(len, outcome.frames.values()), default=0)
    if 0 < usable < rules.min_frames:
        outcome.drop(f"sequence of fewer than {rules.min_frames} frames", usable)
    if isinstance(joints := outcome.frames.get(POSE), np.ndarray):
        try:
            outcome.frames |= _with_maps(joints, SKELETON_MAPS not in outcome.frames, rules)
        except DataError as error:
            print(f"sequence {task.key}: {error}", file=sys.stderr)
            outcome.drop(OTHER_JOINTS, usable)
    return _written(task, outcome, root)


def _aligned(task: PretreatItem, blocks: Iterator[Block], rules: Pretreat) -> _Silhouettes:
    made = _Silhouettes(dropped=Counter(task.dropped))
    align_block = KINDS[rules.kind]
    for block in blocks:
        aligned = align_block(block.frames, rules.size_px)
        made.frames.add(aligned.frames)
        made.numbers.append(block.numbers[aligned.kept])
        made.dropped.update(aligned.dropped)
        made.dropped.update(block.problems)
        made.notes += [block.notes[row] for row in aligned.kept] if block.notes else []
        made.seen += len(block.frames) + block.problems.total()
        if task.companions:
            made.keys += [block.keys[row] for row in aligned.kept]
            made.problems |= block.lost
            made.problems |= {block.keys[row]: why for row, why in aligned.problems.items()}
        if "pose_json" in task.companions:
            for key, image in zip(block.keys, block.frames, strict=True):
                made.images.add(key, image)
    return made


def _outcome(
    task: PretreatItem, made: _Silhouettes, companions: dict[str, Files], rules: Pretreat
) -> _Outcome:
    """The frames of each modality, row i the same moment in all of them."""
    if task.is_without_silhouettes:
        return _paired(task, {}, {}, companions, rules)
    read = made.seen if isinstance(task.source, CatalogueRow) else task.frames_read
    outcome = _Outcome({}, read, made.dropped, Counter(filter(None, made.notes)))
    if not len(made.frames):
        return outcome
    if task.companions and task.pose is None:
        notes = {key: note for key, note in zip(made.keys, made.notes, strict=True) if note}
        track = streams.ModalityStream(made.keys, made.frames.frames, made.problems, guessed=notes)
        return _paired(task, {SILHOUETTES: track}, made.images, companions, rules)
    outcome.frames[SILHOUETTES] = made.frames.frames
    if task.pose is not None:
        numbers = np.concatenate(made.numbers)
        pose, problem = video_poses.pose_of_frames(task.pose, task.key, read, numbers)
        if pose is None:
            # Whatever else the sequence has, nobody knows that it is of the same walk.
            outcome.dropped[problem] += len(outcome.frames.pop(SILHOUETTES))
        else:
            outcome.frames[POSE] = pose
    return outcome


def _paired(
    task: PretreatItem,
    silhouettes: dict[str, streams.ModalityStream],
    images: decoders.Silhouettes,
    companions: dict[str, Files],
    rules: Pretreat,
) -> _Outcome:
    """The silhouettes, if there are any, with the companion files.

    Of a sequence whose files do not go together nothing is kept, which is reported on stderr.
    """
    try:
        tracks = silhouettes | decoders.read_tracks(companions, rules.size_px, images)
        joined = streams.align_streams(tracks)
    except DataError as error:
        print(f"sequence {task.key}: {error}", file=sys.stderr)
        lengths = [len(each.keys) + len(each.problems) for each in silhouettes.values()]
        joined = streams.AlignedStreams({}, 0, {UNUSABLE: max(lengths, default=0) or 1})
    dropped = Counter(joined.dropped)
    return _Outcome(joined.frames, joined.number + dropped.total(), dropped, joined.guessed)


def _with_maps(
    pose: NDArray[Any], are_maps_wanted: bool, rules: Pretreat
) -> dict[str, ragged.Frames]:
    """The pose with the joints that are wanted, and skeleton maps drawn from it.

    Raises:
        DataError: it has other joints than are known.
    """
    joints = JOINTS[rules.joints](pose)
    made: dict[str, ragged.Frames] = {POSE: joints}
    if are_maps_wanted:
        made[SKELETON_MAPS] = skeleton_maps.skeleton_maps(joints, rules.size_px)
    return made


def _written(task: PretreatItem, outcome: _Outcome, root: Path) -> tuple[ManifestRow, ...]:
    """The rows of a sequence with their pkl files; each is written unless it is there.

    Each modality has the drops of its source: what a frame lacks, it lacks in all of them.
    """
    for modality in task.modalities - outcome.frames.keys():
        remove_pkl(root, pkl_name(task.key, modality))
    dropped, guessed = dict(outcome.dropped), dict(outcome.guessed)
    row = ManifestRow(task.key, "", outcome.read, 0, dropped, task.fingerprint, guessed=guessed)
    if not outcome.frames:
        # The modality that the others of the dataset are counted by.
        has_none = task.is_without_silhouettes and SILHOUETTES not in task.made
        return (replace(row, modality=task.made[0]) if has_none else row,)
    rows = []
    for modality, frames in outcome.frames.items():
        pkl = pkl_name(task.key, modality)
        write_pkl(root / pkl, frames, modality)
        digest = digest_of(frames)
        rows.append(
            replace(row, modality=modality, pkl=pkl, frames_kept=len(frames), sha256=digest)
        )
    return tuple(rows)
