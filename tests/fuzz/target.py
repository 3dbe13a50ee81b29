"""What the bench is aimed at: a reader, a good file for it, and ways to spoil that file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.fuzz.mutators import Mutate

# What a reader gives back when it went on without something that it could not use.
NOTED = object()

# Much more than anything here takes when it is given a small file.
MOST_BYTES = 1_500_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """A reader of files, as a user meets it.

    Attributes:
        name: as in tables and on the command line.
        covers: modules that open files and are reached, dotted and without `gait.`.
        seeds: gives good files, always the same ones; called once in a process.
        mutate: spoils a good file, or makes one that only looks like it.
        read: reads the file, in a folder of its own that is the working directory.
        file: the path of the file below that folder.
        lay: writes what else the reader needs into the folder, anew for every case.
        complete: writes what depends on the file, such as digests beside it.
        refusals: exceptions besides `GaitError` that the reader documents.
        most_bytes: how much the process may grow.
        share: how many of the cases it gets, relative to others.
        is_readable: whether any good file is to be read; not where that is no such file.
    """

    name: str
    covers: tuple[str, ...]
    seeds: Callable[[], list[bytes]]
    mutate: Mutate
    read: Callable[[Path], object]
    file: str = "file"
    lay: Callable[[Path], None] | None = None
    complete: Callable[[Path], None] | None = None
    refusals: tuple[type[Exception], ...] = ()
    most_bytes: int = MOST_BYTES
    share: float = 1.0
    is_readable: bool = True

    def case(self, seed: int, number: int) -> bytes:
        """The file of one case; the first ones are the good files themselves."""
        good = _seeds(self)
        if number < len(good):
            return good[number]
        random = Random(f"{seed}/{self.name}/{number}")
        return self.mutate(random, random.choice(good))


_KNOWN: dict[str, list[bytes]] = {}


def _seeds(target: Target) -> list[bytes]:
    if target.name not in _KNOWN:
        _KNOWN[target.name] = target.seeds()
    return _KNOWN[target.name]


def good_files(target: Target) -> int:
    """How many good files a target begins with, which are made if they are not known yet."""
    return len(_seeds(target))
