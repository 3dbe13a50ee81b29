"""What the jobs of a stage came to, as one line for the screen and the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gait.formats.manifest import ManifestRow, told
from gait.types import SequenceKey

# Shorter sequences are kept, as published, and counted.
FEW_FRAMES = 5


@dataclass(slots=True)
class ShardSummary:
    """Sums over the sequences of a shard.

    Attributes:
        sequences: sequences of the shard.
        unchanged: of these, not done again as nothing about them has changed.
        empty: of these, without a usable frame.
        broken: of these, those whose video cannot be read to its end.
        short: of these, with fewer than 5 frames, kept nevertheless.
        frames_read: frames of the sources.
        frames_kept: frames with a silhouette.
        dropped: number of the other frames, by reason; 1 for a video without any frame.
        guessed: number of the frames in which something had to be guessed, by what.
        frames_done: frames worked on in this run.
        seconds: time this run took.
    """

    sequences: int = 0
    unchanged: int = 0
    empty: int = 0
    broken: int = 0
    short: int = 0
    frames_read: int = 0
    frames_kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    guessed: Counter[str] = field(default_factory=Counter)
    frames_done: int = 0
    seconds: float = 0.0

    def add(self, frames_read: int, frames_kept: int, dropped: Mapping[str, int]) -> None:
        """Count one sequence's frames."""
        self.frames_read += frames_read
        self.frames_kept += frames_kept
        self.dropped.update(dropped)
        self.empty += not frames_kept
        self.short += 0 < frames_kept < FEW_FRAMES

    def __str__(self) -> str:
        parts = [
            f"{self.sequences:,} sequences ({self.unchanged:,} unchanged)",
            f"{self.frames_kept:,} of {self.frames_read:,} frames kept",
        ]
        if self.dropped:
            parts.append(f"dropped: {told(self.dropped)}")
        if self.guessed:
            parts.append(f"guessed: {told(self.guessed)}")
        if self.empty:
            parts.append(f"{self.empty:,} sequences without a usable frame")
        if self.broken:
            parts.append(f"{self.broken:,} broken videos")
        if self.short:
            parts.append(f"{self.short:,} with fewer than {FEW_FRAMES} frames")
        if self.frames_done:
            parts.append(f"{self.frames_done / self.seconds:,.0f} frames/s")
        return "; ".join(parts)


def lost_line(rows: Iterable[ManifestRow]) -> str:
    """What a dataset lost on the way, for the end of a run; empty when that is nothing.

    Args:
        rows: all that the tables of its shards tell. Of each sequence the first row counts, as
            its other modalities lack the same frames.
    """
    first: dict[SequenceKey, ManifestRow] = {}
    for row in rows:
        first.setdefault(row.key, row)
    dropped: Counter[str] = Counter()
    guessed: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for row in first.values():
        dropped.update(row.dropped)
        guessed.update(row.guessed)
        if not row.frames_kept:
            reasons = sorted(row.dropped, key=lambda reason: (-row.dropped[reason], reason))
            whole[reasons[0] if reasons else "no frame"] += 1
    if not (dropped or guessed or whole):
        return ""
    read = sum(row.frames_read for row in first.values())
    kept = sum(row.frames_kept for row in first.values())
    parts = [f"{kept:,} of {read:,} frames kept"]
    if dropped:
        parts.append(f"dropped: {told(dropped)}")
    if guessed:
        parts.append(f"guessed: {told(guessed)}")
    if whole:
        parts.append(
            f"{whole.total():,} of {len(first):,} sequences dropped as a whole: {told(whole)}"
        )
    return "; ".join(parts)
