"""The catalogue of a dataset, `sequences.csv`, and its shards: one row per raw sequence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gait.errors import DataError
from gait.formats.manifest import check_key, check_once
from gait.formats.source import Source, parse_source
from gait.formats.tables import parse_table, read_table, table_text
from gait.modalities import COMPANIONS
from gait.types import SequenceKey

COLUMNS = (
    "subject",
    "condition",
    "view",
    "kind",
    "source",
    "background",
    "fingerprint",
    "pose",
    "files",
)
_AGAIN = "run gait rearrange again, or delete it and run the workflow again"

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".bmp"})


class RowKind(StrEnum):
    """What the source of a sequence is.

    A video, a folder of silhouettes (`IMAGES`; `MASKS` where only PNG files are silhouettes), or
    a folder without silhouettes, all of whose content is companion files: poses, one file per
    frame, or pickled arrays.
    """

    VIDEO = "video"
    IMAGES = "images"
    MASKS = "masks"
    POSES = "poses"
    PKL = "pkl"

    @property
    def suffixes(self) -> frozenset[str]:
        """Suffixes of the frames in a folder of this kind; none for videos."""
        return _SUFFIXES.get(self, frozenset())

    @property
    def is_folder(self) -> bool:
        """Whether the source is a folder."""
        return self is not RowKind.VIDEO

    @property
    def has_silhouettes(self) -> bool:
        """Whether the frames of the folder are silhouettes."""
        return self in (RowKind.IMAGES, RowKind.MASKS)

    @property
    def has_only_companions(self) -> bool:
        """Whether all that is known of the sequence lies in companion files."""
        return self in (RowKind.POSES, RowKind.PKL)


_SUFFIXES = {
    RowKind.IMAGES: IMAGES,
    # Beside masks, images of other suffixes show the same frames in colour.
    RowKind.MASKS: frozenset({".png"}),
    RowKind.POSES: frozenset({".json", ".txt"}),
    RowKind.PKL: frozenset({".pkl"}),
}
FRAME_SUFFIXES = frozenset[str]().union(*_SUFFIXES.values())


@dataclass(frozen=True, slots=True)
class Companion:
    """Companion files of one kind that a sequence has, with silhouettes or without.

    Attributes:
        kind: what they are, a key of `gait.modalities.COMPANIONS`.
        files: where they lie; the last part of the path may hold `*`, `?` and `[`.
        digest: changes when one of them does.
    """

    kind: str
    files: Source
    digest: str


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One raw sequence.

    Attributes:
        key: subject, condition and view.
        kind: what the source is.
        source: the video or folder.
        background: path of the background clip of the same camera, empty where there is none.
        fingerprint: digest of the names, sizes and modification times of the sources.
        pose: path of the file of joints that belongs to the video, empty where there is none.
        companions: companion files, at most one entry per kind.
    """

    key: SequenceKey
    kind: RowKind
    source: Source
    background: str = ""
    fingerprint: str = ""
    pose: str = ""
    companions: tuple[Companion, ...] = ()


def read_rows(path: Path) -> list[CatalogueRow]:
    """Read a `sequences.csv` or a shard of it.

    Raises:
        DataError: the file is missing or damaged, is no catalogue, or lists a sequence twice.
    """
    return _rows(path, *read_table(path, _AGAIN))


def parse_rows(text: str, path: Path) -> list[CatalogueRow]:
    """Parse what `rows_text` gives.

    Args:
        text: the table as CSV.
        path: the file that it comes from, for messages.

    Raises:
        DataError: as `read_rows`.
    """
    return _rows(path, *parse_table(text, path, _AGAIN))


def rows_text(rows: Iterable[CatalogueRow]) -> str:
    """Format rows as CSV text with a header."""
    return table_text(
        COLUMNS,
        (
            (
                *row.key,
                row.kind.value,
                str(row.source),
                row.background,
                row.fingerprint,
                row.pose,
                companions_text(row.companions),
            )
            for row in rows
        ),
    )


def rows_digest(rows: Iterable[CatalogueRow]) -> str:
    """Digest of rows, 16 hexadecimal digits."""
    return hashlib.sha256(rows_text(rows).encode()).hexdigest()[:16]


def companions_text(companions: Iterable[Companion]) -> str:
    """Format companion files as a cell of the table: JSON, or empty where there are none."""
    listed = {each.kind: [str(each.files), each.digest] for each in companions}
    return json.dumps(listed, sort_keys=True) if listed else ""


def _rows(path: Path, header: list[str], lines: list[list[str]]) -> list[CatalogueRow]:
    if tuple(header) != COLUMNS:
        raise DataError(
            f"{path}: expected the columns {','.join(COLUMNS)}, got "
            f"{','.join(header)[:200] or 'an empty file'}; {_AGAIN}"
        )
    try:
        rows = [_parse(line) for line in lines]
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    check_once((row.key for row in rows), path, _AGAIN)
    return rows


def _parse(line: list[str]) -> CatalogueRow:
    key = SequenceKey(*line[:3])
    check_key(key)
    kind, source, background, fingerprint, pose, companions = line[3:]
    if kind not in RowKind.__members__.values():
        raise DataError(
            f"sequence {key}: expected a kind out of {', '.join(RowKind)}, got {kind!r}; {_AGAIN}"
        )
    return CatalogueRow(
        key,
        RowKind(kind),
        parse_source(source),
        background,
        fingerprint,
        pose,
        _parse_companions(companions, key),
    )


def _parse_companions(text: str, key: SequenceKey) -> tuple[Companion, ...]:
    if not text:
        return ()
    # RecursionError: a cell of nothing but brackets.
    with suppress(ValueError, TypeError, AttributeError, RecursionError):
        listed = json.loads(text)
        companions = tuple(
            Companion(kind, parse_source(files), digest)
            for kind, (files, digest) in listed.items()
            if kind in COMPANIONS and isinstance(digest, str)
        )
        if companions and len(companions) == len(listed):
            return companions
    raise DataError(
        f"sequence {key}: expected companion files as JSON, got {text[:200]!r}; "
        "run gait rearrange again"
    )
