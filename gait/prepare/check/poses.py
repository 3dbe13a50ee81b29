"""Looks at the poses of a few sequences: can they be read, and is it known whose they are?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gait.modalities import POSE, WALKER_SILHOUETTES
from gait.prepare.archives import SEPARATOR
from gait.prepare.beside import patterns_of, with_kinds
from gait.prepare.check.findings import Finding, Severity, such_as
from gait.prepare.check.raw import spread
from gait.prepare.pose_files import UNREADABLE
from gait.prepare.readers import read_tracks
from gait.prepare.sources import read_material
from gait.prepare.tree import WITHOUT_SILHOUETTES
from gait.types import CatalogueRow

# Sequences to look at, and archives that are read for that.
_SAMPLE, _ARCHIVES = 16, 4
_KINDS = ("pose_json", "pose_text")


def look_at(raw: Path, rows: list[CatalogueRow]) -> Iterator[Finding]:
    """Poses that no reader knows, and frames in which the walker would be guessed.

    Args:
        raw: the dataset's raw folder.
        rows: its sequences, sorted by key.
    """
    posed = [row for row in rows if any(kind in patterns_of(row) for kind in _KINDS)]
    sample = _few_archives([posed[index] for index in spread(len(posed), _SAMPLE)])
    has_own = {row.key for row in sample if row.kind not in WITHOUT_SILHOUETTES}
    # Nothing else of them is read.
    alone = [
        replace(with_kinds(row, (*_KINDS, WALKER_SILHOUETTES)), kind="poses") for row in sample
    ]
    looked_at = 0
    unreadable: dict[str, int] = {}
    guessed: dict[str, int] = {}
    for material in read_material(raw, alone, raw.parent):
        row = material.row
        track = read_tracks(material.beside, 1, {})[POSE]
        looked_at += len(track.keys) + len(track.problems)
        if number := list(track.problems.values()).count(UNREADABLE):
            unreadable[row.source] = number
        # A silhouette of its own tells the walker.
        if track.guessed and row.key not in has_own:
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


def _few_archives(rows: list[CatalogueRow]) -> list[CatalogueRow]:
    """Those whose poses lie on the disk, and one of each of a few archives."""
    chosen: list[CatalogueRow] = []
    archives: set[str] = set()
    for row in rows:
        archive, separator, _ = next(
            pattern for kind, pattern in patterns_of(row).items() if kind in _KINDS
        ).partition(SEPARATOR)
        if not separator:
            chosen.append(row)
        elif archive not in archives and len(archives) < _ARCHIVES:
            archives.add(archive)
            chosen.append(row)
    return chosen
