"""Deals the rows of a catalogue to shards, each with a table of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from gait.formats.catalogue import CatalogueRow, read_rows, rows_text
from gait.formats.seal import write_sealed_table
from gait.formats.source import File
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.remembered import remembered_scan
from gait.prepare.catalogue.scan import Sequences


def rearrange(raw: Path, form: RawForm, shard: Path, number: int, of: int) -> Sequences:
    """Find the sequences below `raw` and write those of one shard, sorted by key.

    Shards are written one by one, as a changed raw tree concerns few of them.

    Args:
        raw: the dataset's raw folder, only read.
        form: what the dataset says of it.
        shard: the table to write; it is written, too, when it is without rows.
        number: the shard's number, from 1.
        of: how many shards there are.

    Returns:
        All sequences, not only those of the shard.

    Raises:
        DataError, ConfigError: as `scan`.
    """
    sequences = remembered_scan(raw, form, shard.absolute().parent.parent)
    write_sealed_table(shard, rows_text(deal(sequences.rows, of)[number - 1]))
    return sequences


def merge_catalogue(shards: list[Path], catalogue: Path) -> int:
    """Write the rows of all shards to one table, sorted by key; tells how many they are."""
    rows = sorted((row for shard in shards for row in read_rows(shard)), key=lambda row: row.key)
    write_sealed_table(catalogue, rows_text(rows))
    return len(rows)


def archive_in_one_go(row: CatalogueRow) -> str:
    """The archive that a row lies in, of which nothing can be reached but by unpacking all before
    it; empty where there is none such.

    Of a zip file on disk, and of tar files that are not compressed, what is not wanted is passed
    over. Any other archive has to be unpacked, as has any that lies in a zip file.
    """
    if isinstance(row.source, File):
        return ""
    are_tars = True
    for depth, archive in enumerate(row.source.archives):
        are_tars = are_tars and archive.lower().endswith(".tar")
        is_zip_on_disk = depth == 0 and archive.lower().endswith(".zip")
        if not (are_tars or is_zip_on_disk):
            return archive
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
