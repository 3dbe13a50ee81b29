"""The archive index: what the archives of a raw tree hold, remembered from run to run."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from gait.errors import DataError
from gait.files import confined, write_if_changed
from gait.limits import FILE_BYTES
from gait.prepare.raw.archives import Contents, contents_of

# Raised when the same archive would be listed otherwise than before.
_VERSION = 3


class _Remembered(BaseModel):
    """What a file in `journal/archives/` says; see `Contents`."""

    model_config = ConfigDict(strict=True, extra="forbid")

    state: tuple[int, str, int, int]
    patterns: list[str]
    folders: dict[str, dict[str, NonNegativeInt]]
    matches: dict[str, dict[str, tuple[NonNegativeInt, NonNegativeInt]]]
    problems: dict[str, str]
    unfinished: list[str]
    ignored: dict[str, NonNegativeInt]

    def contents(self) -> Contents:
        """The listing, as `contents_of` gave it."""
        contents = Contents(
            problems=self.problems,
            unfinished=set(self.unfinished),
            ignored=Counter(self.ignored),
        )
        contents.folders.update((name, Counter(each)) for name, each in self.folders.items())
        for name, matches in self.matches.items():
            contents.matches[name] = {glob: list(both) for glob, both in matches.items()}
        return contents


class ArchiveIndex:
    """What archives hold, remembered from run to run, as listing one may take long.

    Numbers are remembered, not names: an archive may hold a hundred million files. Without what is
    remembered everything is listed anew, with the same outcome.

    Args:
        raw: the dataset's raw folder.
        root: the dataset's folder, which gets `journal/archives/`; None to remember nothing.
        patterns: of names of files whose number in each folder is asked for.
    """

    def __init__(self, raw: Path, root: Path | None, patterns: Collection[str] = ()) -> None:
        self._raw = raw
        self._folder = None if root is None else root / "journal" / "archives"
        self._patterns = set(patterns)
        self._known: dict[str, Contents] = {}

    def of(self, archive: str) -> Contents:
        """What the archive of this path below the raw folder holds, as it lies there when it is
        first asked for.

        Raises:
            DataError: the path leaves the raw folder; otherwise as `contents_of`.
        """
        if archive not in self._known:
            self._known[archive] = self._listed(archive)
        return self._known[archive]

    def _listed(self, archive: str) -> Contents:
        path = confined(self._raw, archive)
        if self._folder is None:
            return contents_of(path, self._patterns)
        digest = hashlib.sha256(os.fsencode(archive)).hexdigest()[:16]
        journal = self._folder / f"{digest}.json"
        try:
            status = path.stat()
        except OSError:
            # It says why not when it is opened.
            return contents_of(path, self._patterns)
        state = (_VERSION, archive, status.st_size, status.st_mtime_ns)
        known = _remembered(journal)
        patterns = self._patterns
        if known is not None and known.state == state:
            if patterns <= set(known.patterns):
                return known.contents()
            # What another user of the listing asks for stays in it.
            patterns = patterns | set(known.patterns)
        contents = contents_of(path, patterns)
        entry = {
            "state": state,
            "patterns": sorted(patterns),
            "folders": contents.folders,
            "matches": contents.matches,
            "problems": contents.problems,
            "unfinished": sorted(contents.unfinished),
            "ignored": contents.ignored,
        }
        # On a disk that cannot be written, the next run takes its time again.
        with suppress(DataError):
            write_if_changed(journal, json.dumps(entry))
        return contents


def _remembered(journal: Path) -> _Remembered | None:
    """What an earlier run has found; nothing where the file is missing or damaged."""
    try:
        with journal.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return _Remembered.model_validate_json(file.read(min(size, FILE_BYTES.value)))
    except (OSError, ValidationError):
        return None
