"""What the layouts of image folders share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from gait.config.dataset import NAME, UNFIT_NAME
from gait.formats.catalogue import CatalogueRow, RowKind
from gait.formats.source import File
from gait.prepare.catalogue.layout import MISPLACED, NO_SILHOUETTES, ArchiveFile, Scan
from gait.prepare.raw.archives.passwords import is_password_file
from gait.prepare.raw.files import (
    Folder,
    fingerprint,
    is_frame,
    not_looked_for,
    state_of,
    walk,
)
from gait.prepare.raw.unused import Unused
from gait.types import SequenceKey

# The sequence that a folder of some path stands for; None for any other folder.
KeyOf = Callable[[str], SequenceKey | None]


def scan_folders(
    raw: Path, key_of: KeyOf, archive: re.Pattern[str] | None, kind: RowKind = RowKind.IMAGES
) -> Scan:
    """The folders of images in any folder below `raw`; archives are left to be listed.

    Args:
        raw: the dataset's raw folder.
        key_of: tells the sequence by a folder's path below `raw`, for archives as `ArchiveFile`
            has it.
        archive: matches the paths below `raw` of the dataset's archives; None where there are
            none that can be read.
        kind: what the folders hold.
    """
    unused = Unused()
    rows: list[CatalogueRow] = []
    archives: list[ArchiveFile] = []
    for folder in walk(raw, unused):
        if key := key_of(folder.path):
            if row := folder_row(folder, key, unused, kind):
                rows.append(row)
            continue
        for file in folder.files:
            path = folder.path_of(file.name)
            if archive and archive.fullmatch(path):
                archives.append(ArchiveFile(path, state_of(file), key_of, kind))
            elif is_frame(file.name):
                unused.add(folder.path, MISPLACED)
            elif not is_password_file(file.name):
                unused.add(folder.path, not_looked_for(file.name))
    return Scan(some_have_frames(rows, unused), unused, archives)


def scan_three_levels(raw: Path, kind: RowKind) -> Scan:
    """The folders `<subject>/<condition>/<view>/` right below `raw` that are of some kind.

    Args:
        raw: the dataset's raw folder.
        kind: what they hold.
    """
    unused = Unused()
    rows = []
    for folder in walk(raw, unused):
        if len(folder.parts) != 3:
            for file in folder.files:
                reason = MISPLACED if is_frame(file.name) else not_looked_for(file.name)
                unused.add(folder.path, reason)
        elif not all(re.fullmatch(NAME, part) for part in folder.parts):
            unused.add(folder.path, f"folder {UNFIT_NAME}")
        elif row := folder_row(folder, SequenceKey(*folder.parts), unused, kind):
            rows.append(row)
    return Scan(some_have_frames(rows, unused), unused)


def scan_trees(
    raw: Path,
    key_of: KeyOf,
    archive: re.Pattern[str] | None = None,
    key_inside: KeyOf | None = None,
) -> Scan:
    """Sequences of which a folder in each of several trees, or archives, holds something.

    A sequence has one row, of the first of its folders; all it has are companion files, so that
    it does not matter which.

    Args:
        raw: the dataset's raw folder.
        key_of: tells the sequence by a folder's path below `raw`.
        archive: matches the paths below `raw` of archives of such trees.
        key_inside: tells the sequence by a folder's path in one.
    """
    unused = Unused()
    rows: list[CatalogueRow] = []
    archives: list[ArchiveFile] = []
    for folder in walk(raw, unused):
        for file in folder.files:
            path = folder.path_of(file.name)
            if archive and key_inside and archive.fullmatch(path):
                archives.append(ArchiveFile(path, state_of(file), key_inside, RowKind.PKL))
            elif not is_password_file(file.name):
                reason = MISPLACED if is_frame(file.name) else not_looked_for(file.name)
                unused.add(folder.path, reason)
        if folder.files and (key := key_of(folder.path)):
            digest = fingerprint(map(state_of, folder.files))
            row = CatalogueRow(key, RowKind.PKL, File(folder.path), fingerprint=digest)
            rows.append(row)
    return Scan(_one_of_each(rows), unused, archives, _one_of_each)


def _one_of_each(rows: list[CatalogueRow]) -> list[CatalogueRow]:
    """The first row of each sequence."""
    return list({row.key: row for row in reversed(rows)}.values())[::-1]


def folder_row(
    folder: Folder, key: SequenceKey, unused: Unused, kind: RowKind = RowKind.IMAGES
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
            if kind.has_only_companions:
                # Until it is found to be used, see `gait.prepare.catalogue.companions`.
                unused.add(folder.path, not_looked_for(file.name))
        elif is_frame(file.name):
            others += 1
        else:
            unused.add(folder.path, not_looked_for(file.name))
    if others:
        unused.add(folder.path, MISPLACED if frames else NO_SILHOUETTES, others)
    if not frames and (folder.files or folder.has_folders):
        return None
    return CatalogueRow(key, kind, File(folder.path), fingerprint=fingerprint(frames))


def some_have_frames(rows: list[CatalogueRow], unused: Unused) -> list[CatalogueRow]:
    """The rows, or none of them when not one folder has a frame: that is another kind of tree."""
    if any(row.fingerprint != fingerprint([]) for row in rows):
        return rows
    if rows:
        unused.add("", "empty folder", len(rows))
    return []
