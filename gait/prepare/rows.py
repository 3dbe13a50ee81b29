"""The catalogue's rows as CSV, and how they are dealt to shards."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

from gait.errors import DataError
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


def read_rows(path: Path) -> list[CatalogueRow]:
    """The rows of a `sequences.csv` or of a shard of it.

    Raises:
        DataError: the file is missing, or does not have the columns of a catalogue.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            header, *rows = [tuple(row) for row in csv.reader(stream)] or [()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}); run gait rearrange again") from error
    if header not in _KNOWN_HEADERS or any(len(row) != len(header) for row in rows):
        raise DataError(
            f"{path}: expected the columns {','.join(COLUMNS)} in every row, got "
            f"{','.join(header) or 'an empty file'}; run gait rearrange again"
        )
    return [CatalogueRow(SequenceKey(*row[:3]), *row[3:]) for row in rows]


def rows_text(rows: Iterable[CatalogueRow]) -> str:
    """The rows as CSV text with a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        (
            *row.key,
            *(row.kind, row.source, row.background, row.fingerprint, row.pose, row.beside),
        )
        for row in rows
    )
    return stream.getvalue()


def rows_digest(rows: Iterable[CatalogueRow]) -> str:
    """Changes when any of the rows does, 16 hexadecimal digits."""
    return hashlib.sha256(rows_text(rows).encode()).hexdigest()[:16]


def deal(rows: Iterable[CatalogueRow], shards: int) -> list[list[CatalogueRow]]:
    """Cuts rows by subject into `shards` lists, none with more than its share of subjects.

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
