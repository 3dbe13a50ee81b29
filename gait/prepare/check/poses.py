"""Looks at the poses of a few sequences: can they be used, and is it known whose they are?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from gait.config.dataset import Pretreat
from gait.errors import DataError
from gait.formats.catalogue import CatalogueRow, RowKind
from gait.formats.source import ArchiveMember
from gait.modalities import POSE, WALKER_SILHOUETTES
from gait.prepare.check.findings import Finding, Severity, such_as
from gait.prepare.check.raw import spread
from gait.prepare.modalities.decoders import read_tracks
from gait.prepare.modalities.joints import COCO, OPENPOSE
from gait.prepare.modalities.pose_files import NOBODY, UNREADABLE
from gait.prepare.modalities.streams import align_streams
from gait.prepare.raw.sources import read_material
from gait.screen import shown

# Sequences to look at, and archives that are read for that.
_SAMPLE, _ARCHIVES = 16, 4
_KINDS = ("pose_json", "pose_text")
_JOINTS = {COCO, OPENPOSE}


def check_poses(raw: Path, rows: list[CatalogueRow], pretreat: Pretreat) -> Iterator[Finding]:
    """Poses that no reader knows, of nobody or of joints that do not go together, and frames in
    which the walker would be guessed.

    Args:
        raw: the dataset's raw folder.
        rows: its sequences, sorted by key.
        pretreat: what is to be made of the poses.
    """
    posed = [row for row in rows if any(each.kind in _KINDS for each in row.companions)]
    sample = _few_archives([posed[index] for index in spread(len(posed), _SAMPLE)])
    has_own = {row.key for row in sample if row.kind.has_silhouettes}
    # Nothing else of them is read.
    alone = [_poses_alone(row) for row in sample]
    looked_at = 0
    unreadable: dict[str, int] = {}
    guessed: dict[str, int] = {}
    nobody: dict[str, int] = {}
    unusable: dict[str, str] = {}
    sources: dict[int, list[str]] = defaultdict(list)
    for material in read_material(raw, alone, raw.parent):
        row, source = material.row, str(material.row.source)
        try:
            track = read_tracks(material.companions, 1, {})[POSE]
            align_streams({POSE: track})
        except DataError as error:
            unusable[source] = shown(error)
            continue
        looked_at += len(track.keys) + len(track.problems)
        if number := list(track.problems.values()).count(UNREADABLE):
            unreadable[source] = number
        if number := list(track.problems.values()).count(NOBODY):
            nobody[source] = number
        if track.keys:
            assert isinstance(track.frames, np.ndarray)
            sources[track.frames.shape[1]].append(source)
        # A silhouette of its own tells the walker.
        if track.guessed and row.key not in has_own:
            guessed[source] = len(track.guessed)
    if unusable:
        yield Finding(
            Severity.error if len(unusable) == len(sample) else Severity.warning,
            f"sequences whose poses cannot be used, of {len(sample)} looked at",
            len(unusable),
            such_as(f"{source}: {reason}" for source, reason in unusable.items()),
            "as they are, these sequences are dropped",
        )
    if unreadable:
        count = sum(unreadable.values())
        yield Finding(
            Severity.error if count == looked_at else Severity.warning,
            f"poses that cannot be read, of {looked_at} looked at",
            count,
            f"in {such_as(unreadable)}",
            "copy them again; as they are, these frames are dropped",
        )
    if looked_at and sum(nobody.values()) == looked_at:
        yield Finding(
            Severity.error,
            f"frames without anybody, of {looked_at} looked at",
            looked_at,
            f"in {such_as(nobody)}",
            "look whether these are the files of poses; as they are, every frame is dropped",
        )
    if sources.keys() - _JOINTS or (len(sources) > 1 and pretreat.joints is None):
        few = min(sources.values(), key=len)
        yield Finding(
            Severity.error,
            f"sequences with poses of {' or '.join(map(str, sorted(sources)))} joints, of "
            f"{sum(map(len, sources.values()))} looked at",
            len(few),
            such_as(few),
            f"expected either {' or '.join(map(str, sorted(_JOINTS)))} in all of them: move the "
            "others away, or keep those of COCO of both by 'pretreat: {joints: coco}' in "
            "dataset.yaml",
        )
    if guessed:
        yield Finding(
            Severity.warning,
            "frames of several people without a silhouette that tells the walker, of "
            f"{looked_at} looked at",
            sum(guessed.values()),
            f"in {such_as(guessed)}",
            f"lay the dataset's silhouettes there as well, or where '{WALKER_SILHOUETTES}' under "
            "'files' in the dataset.yaml says; as it is, the first person is taken, and counted "
            "under 'guessed' in manifest.csv",
        )


def _poses_alone(row: CatalogueRow) -> CatalogueRow:
    """The row with its poses only, and what tells the walker in them."""
    kinds = (*_KINDS, WALKER_SILHOUETTES)
    companions = tuple(each for each in row.companions if each.kind in kinds)
    return replace(row, kind=RowKind.POSES, companions=companions)


def _few_archives(rows: list[CatalogueRow]) -> list[CatalogueRow]:
    """Those whose poses lie on the disk, and one of each of a few archives."""
    chosen: list[CatalogueRow] = []
    archives: set[str] = set()
    for row in rows:
        files = next(each.files for each in row.companions if each.kind in _KINDS)
        if not isinstance(files, ArchiveMember):
            chosen.append(row)
        elif files.archive not in archives and len(archives) < _ARCHIVES:
            archives.add(files.archive)
            chosen.append(row)
    return chosen
