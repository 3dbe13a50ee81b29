"""What the layouts of image folders share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from gait.config.dataset import NAME, UNFIT_NAME
from gait.prepare.raw.archives.passwords import is_password_file
from gait.prepare.raw.tree import (
    MISPLACED,
    NO_SILHOUETTES,
    WITHOUT_SILHOUETTES,
    ArchiveFile,
    Folder,
    Scan,
    fingerprint,
    is_frame,
    not_looked_for,
    state_of,
    walk,
)
from gait.types import CatalogueRow, SequenceKey

# The sequence that a folder of some path stands for; None for any other folder.
KeyOf = Callable[[str], SequenceKey | None]


def scan_folders(
    raw: Path, key_of: KeyOf, archive: re.Pattern[str] | None, kind: str = "images"
) -> Scan:
    """The folders of images in any folder below `raw`; archives are left to be listed.

    Args:
        raw: the dataset's raw folder.
        key_of: tells the sequence by a folder's path below `raw`, for archives as `ArchiveFile`
            has it.
        archive: matches the paths below `raw` of the dataset's archives; None where there are
            none that can be read.
        kind: what the folders hold, a key of `gait.prepare.raw.tree.FRAMES`.
    """
    ignored: Counter[str] = Counter()
    rows: list[CatalogueRow] = []
    archives: list[ArchiveFile] = []
    for folder in walk(raw, ignored):
        if key := key_of("/".join(folder.parts)):
            if row := folder_row(folder, key, ignored, kind):
                rows.append(row)
            continue
        for file in folder.files:
            path = folder.path_of(file.name)
            if archive and archive.fullmatch(path):
                archives.append(ArchiveFile(path, state_of(file), key_of, kind))
            elif is_frame(file.name):
                ignored[MISPLACED] += 1
            elif not is_password_file(file.name):
                ignored[not_looked_for(file.name)] += 1
    return Scan(some_have_frames(rows, ignored), dict(ignored), archives)


def scan_three_levels(raw: Path, kind: str) -> Scan:
    """The folders `<subject>/<condition>/<view>/` right below `raw` that are of some kind.

    Args:
        raw: the dataset's raw folder.
        kind: what they hold, a key of `gait.prepare.raw.tree.FRAMES`.
    """
    ignored: Counter[str] = Counter()
    rows = []
    for folder in walk(raw, ignored):
        if len(folder.parts) != 3:
            for file in folder.files:
                reason = MISPLACED if is_frame(file.name) else not_looked_for(file.name)
                ignored[reason] += 1
        elif not all(re.fullmatch(NAME, part) for part in folder.parts):
            ignored[f"folder {UNFIT_NAME}"] += 1
        elif row := folder_row(folder, SequenceKey(*folder.parts), ignored, kind):
            rows.append(row)
    return Scan(some_have_frames(rows, ignored), dict(ignored))


def scan_trees(
    raw: Path,
    key_of: KeyOf,
    archive: re.Pattern[str] | None = None,
    key_inside: KeyOf | None = None,
) -> Scan:
    """Sequences of which a folder in each of several trees, or archives, holds something.

    A sequence has one row, of the first of its folders; all it has lies `beside`, so that it does
    not matter which.

    Args:
        raw: the dataset's raw folder.
        key_of: tells the sequence by a folder's path below `raw`.
        archive: matches the paths below `raw` of archives of such trees.
        key_inside: tells the sequence by a folder's path in one.
    """
    ignored: Counter[str] = Counter()
    rows: list[CatalogueRow] = []
    archives: list[ArchiveFile] = []
    for folder in walk(raw, ignored):
        for file in folder.files:
            path = folder.path_of(file.name)
            if archive and key_inside and archive.fullmatch(path):
                archives.append(ArchiveFile(path, state_of(file), key_inside, "pkl"))
            elif not is_password_file(file.name):
                ignored[MISPLACED if is_frame(file.name) else not_looked_for(file.name)] += 1
        path = "/".join(folder.parts)
        if folder.files and (key := key_of(path)):
            digest = fingerprint(map(state_of, folder.files))
            rows.append(CatalogueRow(key, "pkl", path, "", digest))
    return Scan(_one_of_each(rows), dict(ignored), archives, _one_of_each)


def _one_of_each(rows: list[CatalogueRow]) -> list[CatalogueRow]:
    """The first row of each sequence."""
    return list({row.key: row for row in reversed(rows)}.values())[::-1]


def folder_row(
    folder: Folder, key: SequenceKey, ignored: Counter[str], kind: str = "images"
) -> CatalogueRow | None:
    """The row of a folder that stands where a sequence does; None if it holds something else.

    A folder with nothing in it is a sequence without frames, as CASIA-B has some: it gets its
    row, so that the manifest can say that nothing came of it.
    """
    frames = []
    others = 0
    for file in folder.files:
        if is_frame(file.name, kind):
            frames.append(state_of(file))
            if kind in WITHOUT_SILHOUETTES:
                # Until it is found to be used, see `gait.prepare.catalogue.companions`.
                ignored[not_looked_for(file.name)] += 1
        elif is_frame(file.name):
            others += 1
        else:
            ignored[not_looked_for(file.name)] += 1
    if others:
        ignored[MISPLACED if frames else NO_SILHOUETTES] += others
    if not frames and (folder.files or folder.has_folders):
        return None
    return CatalogueRow(key, kind, "/".join(folder.parts), "", fingerprint(frames))


def some_have_frames(rows: list[CatalogueRow], ignored: Counter[str]) -> list[CatalogueRow]:
    """The rows, or none of them when not one folder has a frame: that is another kind of tree."""
    if any(row.fingerprint != fingerprint([]) for row in rows):
        return rows
    if rows:
        ignored["empty folder"] += len(rows)
    return []
