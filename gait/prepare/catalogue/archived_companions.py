"""Finds files of further modalities inside archives, as if these were unpacked where they lie."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gait.prepare.raw.archive_index import Listings, count_damage, member_digest
from gait.prepare.raw.archives import READ, SEPARATOR, unpacked_path
from gait.prepare.raw.tree import (
    IMAGES,
    MISPLACED,
    ArchiveFile,
    File,
    is_system,
    not_looked_for,
)


@dataclass(frozen=True, slots=True)
class Found:
    """Files in a folder of an archive that match a pattern.

    Attributes:
        source: the folder, `<archive>::<folder inside>`.
        pattern: the same with the pattern of their names.
        digest: changes when the archive does, or their number.
        images: how many of them are images.
        others: how many are not.
    """

    source: str
    pattern: str
    digest: str
    images: int
    others: int


class Inside:
    """The folders in archives that hold files of further modalities.

    They are looked for in archives that hold sequences; where a pattern begins without a field, as
    `2D_Poses/{subject}/*.txt` does, in archives in that folder; and in those that are called like
    it and lie beside it, also where its name has fields and more, as `Silhouette_{view}/` does.
    What is in `2D_Poses.zip` is also found as if that were unpacked to a folder `2D_Poses`.

    Args:
        raw: the dataset's raw folder.
        archives: those that the layout knows.
        further: those that it does not know and another one does.
        patterns: where the files of each kind lie, as in a dataset.yaml.
        listings: tells what archives hold; it has to know the patterns of names.

    Attributes:
        counted: what the layout counted as not used and should not have, with negative numbers,
            and what is not used of the archives that it did not know.

    Raises:
        DataError: as `contents_of`.
    """

    def __init__(
        self,
        raw: Path,
        archives: Iterable[ArchiveFile],
        further: Iterable[ArchiveFile],
        patterns: Collection[str],
        listings: Listings,
    ) -> None:
        self.counted: Counter[str] = Counter()
        self._folders: dict[str, list[tuple[str, File, dict[str, list[int]]]]] = defaultdict(list)
        files = {each.path: each.file for each in archives}
        called: dict[str, set[str]] = defaultdict(set)
        for pattern in patterns:
            for path, folder in _candidates(raw, pattern):
                called[path].add(folder)
        for path in sorted(called.keys() | {each.path for each in further}):
            if path not in files:
                status = (raw / path).stat()
                files[path] = File(Path(path).name, status.st_size, status.st_mtime_ns)
                self.counted[not_looked_for(path)] -= 1
                contents = listings.of(path)
                count_damage(path, contents, self.counted)
                images = (each[suffix] for each in contents.folders.values() for suffix in IMAGES)
                self.counted[MISPLACED] += sum(images)
        for path, file in files.items():
            for folder, matches in listings.of(path).matches.items():
                source = f"{path}{SEPARATOR}{folder}"
                named = {unpacked_path(f"{each}/x{SEPARATOR}{folder}") for each in called[path]}
                for place in {unpacked_path(source)} | named:
                    self._folders[place].append((source, file, matches))

    def matching(self, pattern: str, listed: str) -> list[Found]:
        """Where files of a pattern without fields lie.

        Args:
            pattern: the folder, and the pattern of their names.
            listed: what the listings know of such names, a pattern for those of all sequences.
        """
        folder, _, name = pattern.rpartition("/")
        found = []
        for source, file, matches in self._folders.get(folder, ()):
            if listed in matches:
                images, others = matches[listed]
                digest = member_digest(file, source, name, f"{images + others}")
                found.append(Found(source, f"{source}/{name}", digest, images, others))
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
