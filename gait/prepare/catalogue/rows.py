"""The catalogue's rows as CSV, and how they are dealt to shards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from gait.errors import DataError
from gait.formats.manifest import check_key, check_once
from gait.prepare.raw.archives import SEPARATOR
from gait.tables import read_table, table_text
from gait.types import CatalogueRow, SequenceKey

COLUMNS = (
    "subject",
    "condition",
    "view",
    "kind",
    "source",
    "background",
    "fingerprint",
    "pose",
    "beside",
)
# Tables of former versions end before the last column, or before the pose.
_KNOWN_HEADERS = (COLUMNS, COLUMNS[:-1], COLUMNS[:-2])
_AGAIN = "run gait rearrange again, or delete it and run the workflow again"


def read_rows(path: Path) -> list[CatalogueRow]:
    """The rows of a `sequences.csv` or of a shard of it.

    Raises:
        DataError: the file is missing or damaged, is no catalogue, or lists a sequence twice.
    """
    header, rows = read_table(path, _AGAIN)
    if tuple(header) not in _KNOWN_HEADERS:
        raise DataError(
            f"{path}: expected the columns {','.join(COLUMNS)}, got "
            f"{','.join(header)[:200] or 'an empty file'}; {_AGAIN}"
        )
    found = [CatalogueRow(SequenceKey(*row[:3]), *row[3:]) for row in rows]
    for row in found:
        try:
            check_key(row.key)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
    check_once((row.key for row in found), path, _AGAIN)
    return found


def rows_text(rows: Iterable[CatalogueRow]) -> str:
    """The rows as CSV text with a header."""
    return table_text(
        COLUMNS,
        (
            (*row.key, row.kind, row.source, row.background, row.fingerprint, row.pose, row.beside)
            for row in rows
        ),
    )


def rows_digest(rows: Iterable[CatalogueRow]) -> str:
    """Changes when any of the rows does, 16 hexadecimal digits."""
    return hashlib.sha256(rows_text(rows).encode()).hexdigest()[:16]


def archive_in_one_go(row: CatalogueRow) -> str:
    """The archive that a row lies in, of which nothing can be reached but by unpacking all before
    it; empty where there is none such.

    Of a zip file on disk, and of tar files that are not compressed, what is not wanted is passed
    over. Any other archive has to be unpacked, as has any that lies in a zip file.
    """
    *archives, _ = row.source.split(SEPARATOR)
    for depth, archive in enumerate(archives):
        is_tar_on_disk = all(each.lower().endswith(".tar") for each in archives[: depth + 1])
        is_zip_on_disk = depth == 0 and archive.lower().endswith(".zip")
        if not (is_tar_on_disk or is_zip_on_disk):
            return SEPARATOR.join(archives[: depth + 1])
    return ""


def deal(rows: Iterable[CatalogueRow], shards: int) -> list[list[CatalogueRow]]:
    """Cuts rows into `shards` lists: by archive where that spares unpacking, else by subject.

    Where several subjects lie in an archive that is unpacked in one go, such archives are dealt
    whole, so that each is unpacked for one shard only: the largest first, each to the shard with
    the fewest such rows. With fewer archives than shards, some shards would have nothing to do;
    then, as for all other rows, subjects count.
    """
    listed = list(rows)
    archives: dict[str, list[CatalogueRow]] = {}
    for row in listed:
        archives.setdefault(archive_in_one_go(row), []).append(row)
    others = archives.pop("", [])
    is_shared = any(len({row.key.subject for row in each}) > 1 for each in archives.values())
    if len(archives) < shards or not is_shared:
        return _deal_subjects(listed, shards)
    dealt: list[list[CatalogueRow]] = [[] for _ in range(shards)]
    for archive in sorted(archives, key=lambda name: (-len(archives[name]), name)):
        min(dealt, key=len).extend(archives[archive])
    for shard, further in zip(dealt, _deal_subjects(others, shards), strict=True):
        shard += further
    return [sorted(shard, key=lambda row: row.key) for shard in dealt]


def _deal_subjects(rows: list[CatalogueRow], shards: int) -> list[list[CatalogueRow]]:
    """Cuts rows by subject into lists, none with more than its share of subjects.

    Each subject has a shard of its own choice, from a digest of its name; in the order of their
    names, subjects take that shard or, where it is full, the next one with room. So the fullest
    shard, which decides how long a stage takes, is as small as can be, and a subject more or less
    moves few others, which dealing in turn would not do. What a subject's sequences hold plays
    no part: a replaced or added video changes the shard it is in and no other.
    """
    subjects: dict[str, list[CatalogueRow]] = {}
    for row in rows:
        subjects.setdefault(row.key.subject, []).append(row)
    room = [-(-len(subjects) // shards)] * shards
    dealt: list[list[CatalogueRow]] = [[] for _ in range(shards)]
    for subject in sorted(subjects):
        wish = int.from_bytes(hashlib.sha256(subject.encode()).digest()[:8], "big")
        chosen = next(
            (wish + step) % shards for step in range(shards) if room[(wish + step) % shards]
        )
        room[chosen] -= 1
        dealt[chosen] += subjects[subject]
    return dealt
