"""What a stage has done for each subject, so that a rerun does only what has changed.

A journal is no result: it lives undeclared beside the results, and without it everything is done
again, with the same outcome.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gait.errors import DataError
from gait.files import write_if_changed
from gait.prepare.manifest import (
    COLUMNS,
    NEEDED,
    ManifestRow,
    read_table,
    row_of,
    table_text,
    texts_of,
)
from gait.types import SequenceKey


@dataclass(frozen=True, slots=True)
class _Entry:
    """The rows of a sequence, one a modality, and the state of the file of each."""

    rows: tuple[ManifestRow, ...]
    state: str
    pkl_states: tuple[str, ...]


class Journal:
    """The journals of the subjects of a shard, one file a subject.

    Args:
        root: the dataset's folder; the journals lie in `journal/<stage>/<subject>.csv`.
        stage: name of the stage.
        keys: every sequence of the shard. What a journal knows of other sequences of the same
            subjects is stale, as a subject is never split over shards.
    """

    def __init__(self, root: Path, stage: str, keys: Iterable[SequenceKey]) -> None:
        self._root = root
        self._folder = root / "journal" / stage
        self._keys = set(keys)
        self._entries: dict[str, dict[SequenceKey, _Entry]] = {}
        for subject in sorted({key.subject for key in self._keys}):
            self._entries[subject] = self._load(subject)

    def unchanged(self, key: SequenceKey, state: str) -> tuple[ManifestRow, ...] | None:
        """What a former run made of a sequence, if it was made from `state` and is still there."""
        entry = self._entries[key.subject].get(key)
        if entry is None or entry.state != state or entry.pkl_states != self._states(entry.rows):
            return None
        return entry.rows

    def record(self, rows: tuple[ManifestRow, ...], state: str) -> None:
        """Note what was made of a sequence, one row a modality; kept by `save`."""
        key = rows[0].key
        self._entries[key.subject][key] = _Entry(rows, state, self._states(rows))

    def save(self, subject: str) -> None:
        """Write the journal of a subject."""
        entries = self._entries[subject]
        lines = (
            texts_of(row) | {"state": entry.state, "pkl_state": pkl_state}
            for _, entry in sorted(entries.items())
            for row, pkl_state in zip(entry.rows, entry.pkl_states, strict=True)
        )
        text = table_text((*COLUMNS, "state", "pkl_state"), lines)
        write_if_changed(self._path(subject), text)

    def close(self) -> None:
        """Remove what was made of sequences that are no more, and forget them."""
        for subject, entries in self._entries.items():
            stale = [key for key in entries if key not in self._keys]
            for key in stale:
                for row in entries.pop(key).rows:
                    if row.pkl:
                        remove_pkl(self._root, row.pkl)
            if stale:
                self.save(subject)

    def _path(self, subject: str) -> Path:
        return self._folder / f"{subject}.csv"

    def _states(self, rows: tuple[ManifestRow, ...]) -> tuple[str, ...]:
        return tuple(state_of(self._root / row.pkl) if row.pkl else "" for row in rows)

    def _load(self, subject: str) -> dict[SequenceKey, _Entry]:
        # A journal that is missing or unusable costs time, nothing else.
        entries: dict[SequenceKey, _Entry] = {}
        with suppress(DataError, ValueError):
            for line in read_table(self._path(subject), (*NEEDED, "state", "pkl_state")):
                row = row_of(line)
                known = entries.get(row.key, _Entry((), line["state"], ()))
                entries[row.key] = _Entry(
                    (*known.rows, row), line["state"], (*known.pkl_states, line["pkl_state"])
                )
        return entries


def state_of(path: Path) -> str:
    """Size and modification time of a file; 'absent' when it is not there."""
    try:
        status = path.stat()
    except OSError:
        return "absent"
    return f"{status.st_size} bytes {status.st_mtime_ns} ns"


def remove_pkl(root: Path, pkl: str) -> None:
    """Remove a pkl, and its folders as far as nothing else is in them."""
    path = root / pkl
    path.unlink(missing_ok=True)
    for folder in path.relative_to(root).parents[:3]:
        with suppress(OSError):
            (root / folder).rmdir()
