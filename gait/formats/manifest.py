"""The manifests of the pkl tree: what became of each sequence, as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gait.errors import DataError, nearest
from gait.files import confined
from gait.formats import tables
from gait.formats.seal import read_sealed_table
from gait.modalities import MODALITIES, SILHOUETTES
from gait.types import SequenceKey

COLUMNS = (
    "subject",
    "condition",
    "view",
    "modality",
    "pkl",
    "frames_read",
    "frames_kept",
    "dropped",
    "guessed",
    "fingerprint",
    "sha256",
)
# Manifests of former versions know silhouettes only, and no guesses.
NEEDED = tuple(column for column in COLUMNS if column not in ("modality", "guessed"))
AGAIN = "delete it and run again"
# Of the 255 that a file system allows; files add a modality, an ending and a temporary name.
_LONGEST_NAME_BYTES = 180


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """What became of one modality of one sequence.

    Attributes:
        key: subject, condition and view.
        pkl: path below the dataset's folder; empty when no frame was kept.
        frames_read: frames of the source.
        frames_kept: frames in the pkl.
        dropped: number of the other frames, by reason.
        fingerprint: digest of the sources; empty when they are unknown.
        sha256: digest of the frames, see `gait.formats.pkl.digest_of`; empty without a pkl.
        modality: what the pkl holds, a name in `gait.modalities`.
        guessed: number of the sequence's frames in which something had to be guessed, by what.
    """

    key: SequenceKey
    pkl: str
    frames_read: int
    frames_kept: int
    dropped: dict[str, int] = field(default_factory=dict)
    fingerprint: str = ""
    sha256: str = ""
    modality: str = SILHOUETTES
    guessed: dict[str, int] = field(default_factory=dict)


def read_manifest(path: Path) -> list[ManifestRow]:
    """The rows of a shard's manifest or of a whole one.

    Raises:
        DataError: the file is missing, or is not such a table.
    """
    rows = []
    for number, line in enumerate(read_lines(path, NEEDED), start=2):
        try:
            rows.append(row_of(line))
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}; {AGAIN}") from None
    return rows


def row_of(line: Mapping[str, str]) -> ManifestRow:
    """One row from the texts of its columns.

    Raises:
        ValueError: a number or a list of reasons is malformed, the modality is unknown, or the key
            cannot be the names of folders.
    """
    modality = line.get("modality", SILHOUETTES)
    if modality not in MODALITIES:
        raise ValueError(f"expected a modality, got {modality!r}; {nearest(modality, MODALITIES)}")
    key = SequenceKey(line["subject"], line["condition"], line["view"])
    check_key(key)
    return ManifestRow(
        key,
        line["pkl"],
        _count(line["frames_read"]),
        _count(line["frames_kept"]),
        parse_drops(line["dropped"]),
        line["fingerprint"],
        line["sha256"],
        modality,
        parse_drops(line.get("guessed", "")),
    )


def texts_of(row: ManifestRow) -> dict[str, str]:
    """The texts of a row's columns."""
    return {
        "subject": row.key.subject,
        "condition": row.key.condition,
        "view": row.key.view,
        "modality": row.modality,
        "pkl": row.pkl,
        "frames_read": str(row.frames_read),
        "frames_kept": str(row.frames_kept),
        "dropped": format_drops(row.dropped),
        "guessed": format_drops(row.guessed),
        "fingerprint": row.fingerprint,
        "sha256": row.sha256,
    }


def manifest_text(rows: Iterable[ManifestRow]) -> str:
    """The rows as CSV, sorted by key and modality."""
    ordered = sorted(rows, key=lambda row: (row.key, row.modality))
    return lines_text(COLUMNS, (texts_of(row) for row in ordered))


def read_lines(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """The lines of a CSV file as texts by column name.

    Raises:
        DataError: the file is missing, is damaged, is no UTF-8 text, lacks one of `columns`, or
            has a line of another length.
    """
    header, lines = tables.read_table(path, AGAIN)
    missing = [column for column in columns if column not in header]
    if missing:
        raise DataError(
            f"{path}: expected the columns {', '.join(columns)}, but {', '.join(missing)} "
            f"is missing; {AGAIN}"
        )
    return [dict(zip(header, line, strict=True)) for line in lines]


def lines_text(columns: Sequence[str], lines: Iterable[Mapping[str, str]]) -> str:
    """A CSV table with a header, from the cells of each line by column."""
    return tables.table_text(columns, ([line[name] for name in columns] for line in lines))


def damaged_tables(root: Path) -> list[str]:
    """What differs from its digest of the tables in a dataset's folder, a sentence for each."""
    damaged = []
    for path in sorted([*root.glob("*.csv"), *root.glob("shards/*.csv")]):
        try:
            read_sealed_table(path, AGAIN)
        except DataError as error:
            damaged.append(str(error))
    return damaged


def format_drops(dropped: Mapping[str, int]) -> str:
    """`reason:count;reason:count`, sorted by reason."""
    return ";".join(f"{reason}:{count}" for reason, count in sorted(dropped.items()) if count)


def parse_drops(text: str) -> dict[str, int]:
    """What `format_drops` wrote.

    Raises:
        ValueError: the text is not of that form.
    """
    dropped = {}
    for item in text.split(";") if text else []:
        reason, colon, count = item.rpartition(":")
        if not colon:
            raise ValueError(f"expected 'reason:count', got {item!r}")
        dropped[reason] = _count(count)
    return dropped


def told(dropped: Mapping[str, int]) -> str:
    """Reasons for the screen, the most frequent first: '12 too few pixels, 3 unreadable'."""
    ordered = sorted(dropped.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {reason}" for reason, count in ordered)


def pkl_path(root: Path, relative: str, table: Path) -> Path:
    """The pkl file that a table names, below `pkl` of the dataset's folder, which may be a link.

    Raises:
        DataError: the name leads elsewhere.
    """
    return confined(root, relative, table, "pkl")


def check_key(key: SequenceKey) -> None:
    """Refuse a key of which a part cannot be the name of a folder.

    Raises:
        DataError: a part is empty, says '.' or '..', is too long, or has a sign that names cannot
            have.
    """
    for part in key:
        is_long = len(part.encode(errors="surrogatepass")) > _LONGEST_NAME_BYTES
        if part in ("", ".", "..") or any(sign in part for sign in "/\\\0") or is_long:
            raise DataError(
                f"sequence {str(key)[:200]}: {part[:200]!r} cannot be the name of a folder; "
                "rename it in the raw data"
            )


def check_once(keys: Iterable[SequenceKey], table: Path, remedy: str) -> None:
    """Refuse a table in which a sequence stands twice, as one of the two would be lost.

    Raises:
        DataError: one does.
    """
    known: set[SequenceKey] = set()
    for key in keys:
        if key in known:
            raise DataError(f"{table}: lists the sequence {key} more than once; {remedy}")
        known.add(key)


def pkl_name(key: SequenceKey, modality: str = SILHOUETTES) -> str:
    """Where the pkl of a modality of a sequence lies below the dataset's folder.

    Raises:
        DataError: a part of the key cannot be the name of a file.
    """
    check_key(key)
    suffix = "" if modality == SILHOUETTES else f"-{modality}"
    return f"pkl/{key.subject}/{key.condition}/{key.view}/{key.view}{suffix}.pkl"


def _count(text: str) -> int:
    # No table has more digits, and nobody means a sign, a blank or another script's.
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise ValueError(f"expected a count, got {text[:40]!r}")
    return int(text)
