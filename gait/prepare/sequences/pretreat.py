"""Pretreats the sequences of a shard: silhouettes and what accompanies them become pkl files."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2

from gait.config.dataset import Pretreat
from gait.formats.catalogue import CatalogueRow
from gait.formats.manifest import manifest_text
from gait.formats.seal import write_sealed_table
from gait.prepare.modalities import video_poses
from gait.prepare.raw.frames import natural
from gait.prepare.raw.sources import Files, read_material
from gait.prepare.sequences import blocks
from gait.prepare.sequences.blocks import Block, blocks_of
from gait.prepare.sequences.cache import SequenceCache
from gait.prepare.sequences.one_sequence import pretreat_sequence
from gait.prepare.sequences.tasks import PretreatItem, pretreat_items
from gait.prepare.silhouettes.masks import read_masks
from gait.prepare.silhouettes.values import judged
from gait.prepare.summary import ShardSummary
from gait.progress import Progress

# Raised when the same silhouettes would give other arrays than before.
ALGORITHM = "align-2"

ORDERS: dict[str, Callable[[str], Any]] = {"lexical": str, "natural": natural}


def pretreat_shard(
    shard: Path, raw: Path, root: Path, output: Path, rules: Pretreat | None = None
) -> ShardSummary:
    """Align every sequence of a shard and write its pkl files and, last, the shard's manifest.

    A sequence with a pose gets its pose and its skeleton maps as well, for exactly the frames
    that have an aligned silhouette. Of a sequence whose pose cannot be used, or has another
    number of frames than the video, nothing is kept: it is reported on stderr and in the
    manifest, and does not stop the others.

    Of images with companion files, a frame that one of these lacks is dropped from all, so that
    the pkl files of a sequence always have the same frames.

    A sequence is left alone when its sources, the settings and its pkl files are as a former run
    left them. A run that was cut short continues after the last subject it had finished.

    Args:
        shard: the shard's part of the catalogue (images, archives), or its table of silhouettes
            (masks extracted from videos); told apart by the columns.
        raw: folder of the raw data, which the catalogue's sources lie in.
        root: the dataset's folder, which gets `pkl/` and `journal/`.
        output: the manifest to write.
        rules: what the dataset wants of its sequences; the defaults where nothing is given.

    Raises:
        DataError: a table, a source or a file of masks cannot be used, or a file not be written.
    """
    rules = Pretreat() if rules is None else rules
    started = time.perf_counter()
    # Shards run side by side; each has one core.
    cv2.setNumThreads(1)
    settings = json.dumps(rules.model_dump(mode="json"), sort_keys=True)
    tasks = pretreat_items(shard, raw, root, f"{ALGORITHM} {settings}")
    journal = SequenceCache(root, "pretreat", {task.key: task.archive for task in tasks})
    done = {task.key: rows for task in tasks if (rows := journal.unchanged(task.key, task.state))}
    waiting = [task for task in tasks if task.key not in done]
    summary = ShardSummary(sequences=len(tasks), unchanged=len(done))
    unfinished = Counter(journal.name(task.key) for task in waiting)
    progress = Progress(f"aligning {shard.stem}", len(waiting), "sequences")
    for task, frames, companions in _sources(waiting, shard, raw, root, rules):
        journal.make_room(task.key, task.modalities)
        followed = _with_progress(frames, task, progress)
        rows = pretreat_sequence(task, followed, companions, root, rules)
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
    tasks: list[PretreatItem], shard: Path, raw: Path, root: Path, rules: Pretreat
) -> Iterator[tuple[PretreatItem, Iterator[Block], dict[str, Files]]]:
    """The frames of each task and its companion files; an archive is read in one pass."""
    by_key = {task.key: task for task in tasks}
    rows = [task.source for task in tasks if isinstance(task.source, CatalogueRow)]
    for material in read_material(raw, rows, root, ORDERS[rules.frame_order]):
        yield by_key[material.row.key], blocks_of(judged(material.frames)), material.companions
    for task in tasks:
        if task.source is None:
            yield task, iter(()), {}
        elif isinstance(task.source, Path):
            remedy = f"delete {shard} and run again, which makes that file anew"
            masks = read_masks(task.source, blocks.BLOCK_BYTES, remedy)
            yield task, (Block(each.masks, each.frames) for each in masks), {}


def _with_progress(
    found: Iterator[Block], task: PretreatItem, progress: Progress
) -> Iterator[Block]:
    """Pass on the blocks, and report progress within a long sequence."""
    number = 0
    for block in found:
        number += len(block.frames)
        yield block
        # Not held any longer, or two blocks would be in memory.
        del block
        progress.advance(0, f"{task.key}: {number:,} frames")
