"""Finds companion files inside archives, as if these were unpacked where they lie."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gait.formats.catalogue import IMAGES
from gait.formats.source import ArchiveMember
from gait.prepare.catalogue.archived_rows import count_damage, member_digest
from gait.prepare.catalogue.layout import MISPLACED, ArchiveFile
from gait.prepare.raw.archive_index import ArchiveIndex
from gait.prepare.raw.archives import READ
from gait.prepare.raw.files import FileState, is_system, not_looked_for
from gait.prepare.raw.unused import Unused


@dataclass(frozen=True, slots=True)
class ArchivedMatch:
    """Files in a folder of an archive that match a pattern.

    Attributes:
        folder: the folder.
        files: the same with the pattern of their names.
        digest: changes when the archive does, or their number.
        images: how many of them are images.
        others: how many are not.
    """

    folder: ArchiveMember
    files: ArchiveMember
    digest: str
    images: int
    others: int


class ArchivedFolders:
    """The folders in archives that hold companion files.

    They are looked for in archives that hold sequences; where a pattern begins without a field, as
    `2D_Poses/{subject}/*.txt` does, in archives in that folder; and in those that are called like
    it and lie beside it, also where its name has fields and more, as `Silhouette_{view}/` does.
    What is in `2D_Poses.zip` is also found as if that were unpacked to a folder `2D_Poses`.

    Args:
        raw: the dataset's raw folder.
        index: what archives hold; it has to know the patterns of names.
    """

    def __init__(self, raw: Path, index: ArchiveIndex) -> None:
        self._raw = raw
        self._index = index
        self._folders: dict[str, list[tuple[ArchiveMember, FileState, dict[str, list[int]]]]] = (
            defaultdict(list)
        )

    def look_through(
        self,
        known: Iterable[ArchiveFile],
        further: Iterable[ArchiveFile],
        patterns: Iterable[str],
        unused: Unused,
    ) -> None:
        """Look through archives for the folders that patterns name.

        Args:
            known: archives that the layout knows.
            further: those that it does not know and another one does.
            patterns: where the files of each kind lie, as in a dataset.yaml.
            unused: gets what has no use in archives that the layout did not know, which are
                claimed.

        Raises:
            DataError: as `contents_of`.
        """
        files = {each.path: each.file for each in known}
        called: dict[str, set[str]] = defaultdict(set)
        for pattern in patterns:
            for path, folder in _candidates(self._raw, pattern):
                called[path].add(folder)
        for path in sorted(called.keys() | {each.path for each in further}):
            if path not in files:
                status = (self._raw / path).stat()
                files[path] = FileState(Path(path).name, status.st_size, status.st_mtime_ns)
                unused.claim(path.rpartition("/")[0], not_looked_for(path))
                contents = self._index.of(path)
                count_damage(path, contents, unused)
                images = (each[suffix] for each in contents.folders.values() for suffix in IMAGES)
                unused.add(path, MISPLACED, sum(images))
        for path, file in files.items():
            for folder, matches in self._index.of(path).matches.items():
                source = ArchiveMember(path, folder)
                named = {ArchiveMember(f"{each}/x", folder).unpacked for each in called[path]}
                for place in {source.unpacked} | named:
                    self._folders[place].append((source, file, matches))

    def matching(self, pattern: str, listed: str) -> list[ArchivedMatch]:
        """Where files of a pattern without fields lie.

        Args:
            pattern: the folder, and the pattern of their names.
            listed: what the index knows of such names, a pattern for those of all sequences.
        """
        folder, _, name = pattern.rpartition("/")
        found = []
        for source, file, matches in self._folders.get(folder, ()):
            if listed in matches:
                images, others = matches[listed]
                digest = member_digest(file, str(source), name, f"{images + others}")
                files = ArchiveMember(source.archive, f"{source.member}/{name}")
                found.append(ArchivedMatch(source, files, digest, images, others))
        return found


def _candidates(raw: Path, pattern: str) -> Iterator[tuple[str, str]]:
    """Archives that may hold what lies in the folders that a pattern begins with, each with the
    folder that it would be unpacked to."""
    above = PurePosixPath()
    for name in pattern.split("/")[:-1]:
        called = re.compile(".+".join(map(re.escape, re.split(r"\{\w+\}", name))), re.DOTALL)
        is_any = called.pattern == ".+"
        for archive, stem in _archives(raw, above.as_posix()) if above.parts or not is_any else ():
            if called.fullmatch(stem):
                yield (above / archive).as_posix(), (above / stem).as_posix()
            if above.parts:
                yield (above / archive).as_posix(), above.as_posix()
        if "{" in name:
            return
        above /= name


def _archives(raw: Path, folder: str) -> Iterator[tuple[str, str]]:
    """The names of archives right in a folder, as they are and without their suffix."""
    root = raw.resolve()
    for path in sorted((raw / folder).iterdir()) if (raw / folder).is_dir() else ():
        suffix = next((each for each in READ if path.name.lower().endswith(each)), "")
        is_here = path.is_file() and path.resolve().is_relative_to(root)
        if suffix and is_here and not is_system(path.name):
            yield path.name, path.name[: -len(suffix)]
