"""Looks at the poses of a few sequences: can they be read, and is it known whose they are?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gait.modalities import POSE, WALKER_SILHOUETTES
from gait.prepare.beside import patterns_of
from gait.prepare.check.findings import Finding, Severity, such_as
from gait.prepare.check.raw import spread
from gait.prepare.pose_files import UNREADABLE
from gait.prepare.tracks import read_tracks
from gait.prepare.tree import WITHOUT_SILHOUETTES
from gait.types import CatalogueRow

_SAMPLE = 16
_KINDS = ("pose_json", "pose_text")


def look_at(raw: Path, rows: list[CatalogueRow]) -> Iterator[Finding]:
    """Poses that no reader knows, and frames in which the walker would be guessed.

    Args:
        raw: the dataset's raw folder.
        rows: its sequences, sorted by key.
    """
    patterns = {row: patterns_of(row) for row in rows}
    posed = [row for row in rows if any(kind in patterns[row] for kind in _KINDS)]
    looked_at = 0
    unreadable: dict[str, int] = {}
    guessed: dict[str, int] = {}
    for index in spread(len(posed), _SAMPLE):
        row = posed[index]
        files = {
            kind: pattern
            for kind, pattern in patterns[row].items()
            if kind in (*_KINDS, WALKER_SILHOUETTES)
        }
        track = read_tracks(raw, files, 1, {})[POSE]
        looked_at += len(track.keys) + len(track.problems)
        if number := list(track.problems.values()).count(UNREADABLE):
            unreadable[row.source] = number
        # A silhouette of its own tells the walker.
        if track.guessed and row.kind in WITHOUT_SILHOUETTES:
            guessed[row.source] = len(track.guessed)
    if unreadable:
        count = sum(unreadable.values())
        yield Finding(
            Severity.error if count == looked_at else Severity.warning,
            f"poses that cannot be read, of {looked_at} looked at",
            count,
            f"in {such_as(unreadable)}",
            "copy them again; as they are, these frames are dropped",
        )
    if guessed:
        yield Finding(
            Severity.warning,
            "frames of several people without a silhouette that tells the walker, of "
            f"{looked_at} looked at",
            sum(guessed.values()),
            f"in {such_as(guessed)}",
            f"lay the dataset's silhouettes there as well, or where '{WALKER_SILHOUETTES}' under "
            "'beside' in the dataset.yaml says; as it is, the first person is taken, and counted "
            "under 'guessed' in manifest.csv",
        )
