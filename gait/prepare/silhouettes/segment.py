"""Extracts silhouettes from the videos of a shard, only where something changed."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from gait import registry
from gait.errors import ConfigError, DataError
from gait.files import confined
from gait.formats.catalogue import CatalogueRow, RowKind, read_rows
from gait.formats.manifest import format_drops, lines_text
from gait.formats.seal import write_sealed_table
from gait.prepare.silhouettes.masks import MaskRecord, read_record, write_masks
from gait.prepare.silhouettes.segmenters._figure import UNFIT
from gait.prepare.silhouettes.video import VideoError
from gait.prepare.summary import ShardSummary
from gait.progress import Progress
from gait.types import SequenceKey

COLUMNS = (
    "subject",
    "condition",
    "view",
    "silhouettes",
    "frames_read",
    "frames_kept",
    "dropped",
    "fingerprint",
    "pose",
)

NO_WALKER = "no walker"
# Share of the frames that a segmenter is not made for, above which a clip gives no silhouettes.
_MOST_UNFIT = 0.2
CUT = "touches the frame's edge"

# A mask [h, w]; None where nobody is; or why there is none, in few words.
WalkerMask = NDArray[np.bool_] | str | None


class Segmenter(Protocol):
    """What a file in `segmenters/` provides.

    Attributes:
        version: changes when the same settings would give other masks.
        cut_frames: 'drop' or 'keep' frames where the walker touches the left or right border.
    """

    version: str
    cut_frames: str

    def segment(self, video: Path, background: Path | None) -> Iterator[WalkerMask]:
        """The walker in each frame.

        Args:
            video: the clip.
            background: a clip of the same camera without a walker, if there is one.

        Raises:
            VideoError: a clip is broken.
        """
        ...


def segment_shard(
    shard: Path, raw: Path, root: Path, output: Path, segmenter: dict[str, Any]
) -> ShardSummary:
    """Segment every video of a shard; write its masks and, last, the shard's table of them.

    A sequence is left alone when its video, its background clip and the segmenter are those that
    its file of masks was made with. A sequence without a single mask has such a file too, so that
    it is not tried again; its row in the table names none. Files of sequences that are no longer
    in the catalogue stay: nothing reads a file that no table names.

    A video that cannot be read to its end keeps nothing, is reported on stderr and in the table,
    and does not stop the others.

    Args:
        shard: the shard's part of the catalogue.
        raw: folder of the raw data, which the catalogue's sources lie in.
        root: the dataset's folder, which gets `silhouettes/`.
        output: the table to write.
        segmenter: the segmenter's name and parameters.

    Raises:
        ConfigError: no such segmenter, or parameters that it does not take.
        DataError: the shard cannot be used, or a file cannot be written.
    """
    started = time.perf_counter()
    if problems := registry.check("segmenter", segmenter):
        raise ConfigError(problems)
    # Shards run side by side; each has one core.
    cv2.setNumThreads(1)
    rows = read_rows(shard)
    tool: Segmenter = registry.build("segmenter", segmenter)
    settings = json.dumps(
        segmenter | {"name": registry.canonical("segmenter", segmenter["name"])}, sort_keys=True
    )
    summary = ShardSummary(sequences=len(rows))
    records: dict[SequenceKey, MaskRecord] = {}
    progress = Progress(f"segmenting {shard.stem}", len(rows), "videos")
    # Clips of one camera come together, so that a segmenter models each empty scene once.
    for row in sorted(rows, key=lambda row: (row.background, row.key)):
        records[row.key] = _one(row, tool, settings, shard, raw, root, summary, progress)
        progress.advance()
    lines = (_line(row, records[row.key]) for row in sorted(rows, key=lambda row: row.key))
    write_sealed_table(output, lines_text(COLUMNS, lines))
    summary.seconds = time.perf_counter() - started
    return summary


def _one(
    row: CatalogueRow,
    tool: Segmenter,
    settings: str,
    shard: Path,
    raw: Path,
    root: Path,
    summary: ShardSummary,
    progress: Progress,
) -> MaskRecord:
    """What is known of a sequence already, or what comes of segmenting it now."""
    if row.kind is not RowKind.VIDEO:
        raise DataError(
            f"{shard}: expected videos, got {row.source} ({row.kind}); silhouettes need no "
            "segmentation: align them as they are"
        )
    state = f"{settings}\0{tool.version}\0{row.fingerprint}"
    fingerprint = hashlib.sha256(state.encode()).hexdigest()[:16]
    masks = confined(root, _mask_name(row.key), shard, "silhouettes")
    record = read_record(masks)
    if record is not None and record.fingerprint == fingerprint:
        summary.unchanged += 1
    else:
        video = confined(raw, str(row.source), shard)
        background = confined(raw, row.background, shard) if row.background else None
        try:
            figures = _with_progress(tool.segment(video, background), row, progress)
            record = _segment(figures, tool.cut_frames, masks, fingerprint)
        except VideoError as error:
            # Not remembered: it is tried, and reported, again until the file is mended.
            print(f"{row.key}: {error}", file=sys.stderr)
            summary.broken += 1
            record = MaskRecord(fingerprint, error.frames, 0, {error.reason: error.frames or 1})
        summary.frames_done += record.frames_read
    summary.add(record.frames_read, record.frames_kept, record.dropped)
    return record


def _with_progress(
    figures: Iterator[WalkerMask], row: CatalogueRow, progress: Progress
) -> Iterator[WalkerMask]:
    """Pass on the figures, and report progress within a long video."""
    for number, figure in enumerate(figures, 1):
        yield figure
        progress.advance(0, f"{row.key}: {number:,} frames")


def _segment(
    figures: Iterator[WalkerMask], cut_frames: str, masks: Path, fingerprint: str
) -> MaskRecord:
    """Store the masks of one video, if only to remember that there are none."""
    dropped: Counter[str] = Counter()
    # Written as they come, so that the masks of a long video need not fit in memory.
    with suppress(_Unfit), write_masks(masks) as writer:
        for number, mask in enumerate(figures):
            if isinstance(mask, str):
                dropped[mask] += 1
            elif mask is None or not mask.any():
                dropped[NO_WALKER] += 1
            elif cut_frames == "drop" and (mask[:, 0].any() or mask[:, -1].any()):
                dropped[CUT] += 1
            else:
                writer.add(mask, number)
        read = len(writer) + dropped.total()
        unfit = Counter({reason: dropped[reason] for reason in UNFIT & dropped.keys()})
        if unfit.total() > _MOST_UNFIT * read:
            raise _Unfit
        return writer.finish(fingerprint, read, dropped)
    # Nobody knows who, or what, the rest shows.
    reason = max(sorted(unfit), key=lambda each: unfit[each])
    dropped[reason] += len(writer)
    with write_masks(masks) as writer:
        return writer.finish(fingerprint, read, dropped)


class _Unfit(Exception):
    """A clip is not what the segmenter is made for."""


def _mask_name(key: SequenceKey) -> str:
    return f"silhouettes/{key.subject}/{key.condition}/{key.view}.npz"


def _line(row: CatalogueRow, record: MaskRecord) -> dict[str, str]:
    key = row.key
    return {
        "subject": key.subject,
        "condition": key.condition,
        "view": key.view,
        "silhouettes": _mask_name(key) if record.frames_kept else "",
        "frames_read": str(record.frames_read),
        "frames_kept": str(record.frames_kept),
        "dropped": format_drops(record.dropped),
        "fingerprint": record.fingerprint,
        "pose": row.pose,
    }
