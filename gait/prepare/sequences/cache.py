"""What a stage has done for each subject, so that a rerun does only what has changed.

A journal is of one subject or, of archives that shards may be cut by, of one subject in one
archive: one shard writes it, however they are cut and however many they are.

A journal is no result: it lives undeclared beside the results, and without it everything is done
again, with the same outcome.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gait.errors import DataError
from gait.files import confined
from gait.formats.manifest import (
    COLUMNS,
    NEEDED,
    ManifestRow,
    check_key,
    lines_text,
    pkl_name,
    read_lines,
    row_of,
    texts_of,
)
from gait.formats.seal import sidecar, write_sealed_table
from gait.types import SequenceKey


@dataclass(frozen=True, slots=True)
class _Entry:
    """The rows of a sequence, one per modality, and the state of the file of each."""

    rows: tuple[ManifestRow, ...]
    state: str
    pkl_states: tuple[str, ...]


class SequenceCache:
    """The journals of the subjects of a shard, one file per subject and archive.

    Args:
        root: the dataset's folder; the journals lie in `journal/<stage>/<subject>.csv`, or in
            `journal/<stage>/<archive>/<subject>.csv` with a digest of the archive's path.
        stage: name of the stage.
        archives: for every sequence of the shard the archive that it comes from, if shards may be
            cut by that, or nothing. What a journal knows of other sequences is stale, as what has
            one journal is never split over shards.
    """

    def __init__(self, root: Path, stage: str, archives: Mapping[SequenceKey, str]) -> None:
        self._root = root
        self._folder = root / "journal" / stage
        self._names = {key: _name(key, archive) for key, archive in archives.items()}
        self._entries = {name: self._load(name) for name in sorted(set(self._names.values()))}

    def name(self, key: SequenceKey) -> str:
        """The journal that a sequence is in, for `save`."""
        return self._names[key]

    def unchanged(self, key: SequenceKey, state: str) -> tuple[ManifestRow, ...] | None:
        """What a former run made of a sequence, if it was made from `state` and is still there."""
        entry = self._entries[self._names[key]].get(key)
        if entry is None or entry.state != state or entry.pkl_states != self._states(entry.rows):
            return None
        return entry.rows

    def make_room(self, key: SequenceKey, modalities: Iterable[str]) -> None:
        """Remove what there is of a sequence that is new in its archive.

        Another shard may have made it, from another archive where it is no more: that one removes
        what it made, unless it has been made anew.
        """
        name = self._names[key]
        if name != key.subject and key not in self._entries[name]:
            for modality in modalities:
                remove_pkl(self._root, pkl_name(key, modality))

    def record(self, rows: tuple[ManifestRow, ...], state: str) -> None:
        """Note what was made of a sequence, one row per modality; kept by `save`."""
        key = rows[0].key
        self._entries[self._names[key]][key] = _Entry(rows, state, self._states(rows))

    def save(self, name: str) -> None:
        """Write the journal of that name."""
        entries = self._entries[name]
        lines = (
            texts_of(row) | {"state": entry.state, "pkl_state": pkl_state}
            for _, entry in sorted(entries.items())
            for row, pkl_state in zip(entry.rows, entry.pkl_states, strict=True)
        )
        text = lines_text((*COLUMNS, "state", "pkl_state"), lines)
        write_sealed_table(self._path(name), text)

    def close(self) -> None:
        """Remove what was made of sequences that are no more, and forget them.

        A journal whose digest is missing gets one.
        """
        for name, entries in self._entries.items():
            stale = [key for key in entries if self._names.get(key) != name]
            for key in stale:
                entry = entries.pop(key)
                if key not in self._names:
                    for row, state in zip(entry.rows, entry.pkl_states, strict=True):
                        if row.pkl:
                            remove_pkl(self._root, row.pkl, state)
            # A full disk leaves a journal that is written and its digest that is not.
            lacks_digest = self._path(name).exists() and not sidecar(self._path(name)).exists()
            if stale or lacks_digest:
                self.save(name)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.csv"

    def _states(self, rows: tuple[ManifestRow, ...]) -> tuple[str, ...]:
        return tuple(file_state(self._root / row.pkl) if row.pkl else "" for row in rows)

    def _load(self, name: str) -> dict[SequenceKey, _Entry]:
        # A journal that is missing or unusable costs time, nothing else.
        with suppress(DataError, ValueError):
            return self._read(self._path(name))
        return {}

    def _read(self, path: Path) -> dict[SequenceKey, _Entry]:
        entries: dict[SequenceKey, _Entry] = {}
        for line in read_lines(path, (*NEEDED, "state", "pkl_state")):
            row = row_of(line)
            _check_own(row, line["pkl_state"], path.stem)
            known = entries.get(row.key, _Entry((), line["state"], ()))
            entries[row.key] = _Entry(
                (*known.rows, row), line["state"], (*known.pkl_states, line["pkl_state"])
            )
        return entries


def _check_own(row: ManifestRow, pkl_state: str, subject: str) -> None:
    """Refuse a row that its journal cannot have: what it names would be removed one day.

    Raises:
        ValueError: another subject, another file than the sequence's own, or one in any state.
    """
    is_own = row.pkl == pkl_name(row.key, row.modality) and pkl_state
    if row.key.subject != subject or (row.pkl and not is_own):
        raise ValueError(f"expected the pkl of a sequence of {subject}, got {row.pkl!r}")


def _name(key: SequenceKey, archive: str) -> str:
    """A journal's path without its suffix."""
    check_key(key)
    if not archive:
        return key.subject
    return f"{hashlib.sha256(archive.encode()).hexdigest()[:16]}/{key.subject}"


def file_state(path: Path) -> str:
    """Size and modification time of a file; 'absent' when it is not there."""
    try:
        status = path.stat()
    except OSError:
        return "absent"
    return f"{status.st_size} bytes {status.st_mtime_ns} ns"


def remove_pkl(root: Path, pkl: str, state: str = "") -> None:
    """Remove a pkl, and its folders as far as nothing else is in them.

    Args:
        root: the dataset's folder.
        pkl: path below it.
        state: what `file_state` told of it; one in another state stays. Empty for any.
    """
    path = confined(root, pkl, folder="pkl")
    # Taken away first, as another process may replace it at any time.
    taken = path.with_name(f".{path.name}.removed")
    try:
        path.replace(taken)
    except FileNotFoundError:
        return
    if state and file_state(taken) != state:
        with suppress(FileExistsError):
            os.link(taken, path)
    taken.unlink()
    for folder in path.relative_to(root).parents[:3]:
        with suppress(OSError):
            (root / folder).rmdir()
