"""Makes the <subject>/<condition>/<view>/ tree of a catalogue, for tools that want one."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Literal

from gait.errors import DataError
from gait.files import atomic_path, confined
from gait.formats.catalogue import CatalogueRow, RowKind, read_rows
from gait.formats.source import ArchiveMember
from gait.prepare.raw.archives import read_archive
from gait.prepare.raw.files import image_files, is_frame


def materialise(catalogue: Path, raw: Path, target: Path, how: Literal["symlink", "copy"]) -> int:
    """Lays each sequence at `target/<subject>/<condition>/<view>/`; gives their number.

    Links are relative, so that the folders can be moved together. Sequences in archives are
    written out as files either way. What is there already and unchanged is left alone.

    Raises:
        DataError: a source is gone, something else stands in the place of a link, `target` lies
            inside `raw`, or an archive's image is damaged.
    """
    if target.resolve().is_relative_to(raw.resolve()):
        raise DataError(f"{target}: lies inside {raw}, which is only read; choose another folder")
    rows = read_rows(catalogue)
    archives: dict[str, dict[str, CatalogueRow]] = {}
    for row in rows:
        place = target.joinpath(*row.key)
        if isinstance(row.source, ArchiveMember):
            archives.setdefault(row.source.archive, {})[row.source.member] = row
            continue
        source = confined(raw, row.source.path)
        if not source.exists():
            raise DataError(f"{source}: is in {catalogue} and not on disk; run gait rearrange")
        if how == "symlink" and row.kind is RowKind.IMAGES:
            _link(source, place)
            continue
        # A folder of masks holds more than masks, and is not linked as a whole.
        # A link that is there from before may lead into the raw folder.
        confined(target, f"{row.key}").mkdir(parents=True, exist_ok=True)
        for file in image_files(raw, source, row.kind) if row.kind.is_folder else [source]:
            (_link if how == "symlink" else _copy)(file, place / file.name)
    for archive, wanted in archives.items():
        _unpack(confined(raw, archive), wanted, target)
    return len(rows)


def _link(source: Path, place: Path) -> None:
    relative = os.path.relpath(source.absolute(), place.parent.absolute())
    if place.is_symlink() and str(place.readlink()) == relative:
        return
    if place.exists() and not place.is_symlink():
        raise DataError(f"{place}: expected a link to {source}, got something else; remove it")
    with atomic_path(place) as temporary:
        # A link cannot take the place of the file that is there to be written to.
        temporary.unlink()
        temporary.symlink_to(relative)


def _copy(source: Path, place: Path) -> None:
    state = source.stat()
    if place.is_file():
        copied = place.stat()
        if (copied.st_size, copied.st_mtime_ns) == (state.st_size, state.st_mtime_ns):
            return
    with atomic_path(place) as temporary:
        shutil.copy2(source, temporary)


def _unpack(path: Path, wanted: dict[str, CatalogueRow], target: Path) -> None:
    for row in wanted.values():
        # A link that is there from before may lead into the raw folder.
        confined(target, f"{row.key}").mkdir(parents=True, exist_ok=True)
    names = {folder: partial(is_frame, kind=row.kind) for folder, row in wanted.items()}
    for member in read_archive(path, names):
        data, problem = member.read()
        if problem:
            raise DataError(
                f"{path}: {member.folder}/{member.name} is {problem}; get the archive again"
            )
        place = target.joinpath(*wanted[member.folder].key, member.name)
        if not (place.is_file() and place.read_bytes() == data):
            with atomic_path(place) as temporary:
                temporary.write_bytes(data)
