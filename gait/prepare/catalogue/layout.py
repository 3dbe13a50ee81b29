"""What a layout is, and what it finds in a raw tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from gait.formats.catalogue import CatalogueRow, RowKind
from gait.formats.source import Source
from gait.prepare.raw.files import FileState
from gait.prepare.raw.unused import Unused
from gait.types import SequenceKey

# The reasons by which an image is counted that belongs to no sequence, and one in the folder of a
# sequence that has nothing else.
MISPLACED = "image outside <subject>/<condition>/<view>/"
NO_SILHOUETTES = "image in a folder without silhouettes"


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """An archive whose folders are sequences; listing it is left to the catalogue.

    Attributes:
        path: where it lies below the raw folder.
        file: its name, size and modification time.
        key_of: the sequence that a folder stands for, given the path below the raw folder that it
            would have if the archive, and any inside it, were unpacked where they lie; None for
            any other folder.
        kind: what these folders hold, never videos.
    """

    path: str
    file: FileState
    key_of: Callable[[str], SequenceKey | None]
    kind: RowKind = RowKind.IMAGES


@dataclass(frozen=True, slots=True)
class Scan:
    """What a layout found.

    Attributes:
        rows: the sequences, in any order.
        unused: the files and folders without a use.
        archives: archives that hold further sequences, or what belongs to them.
        named: gives rows the keys that depend on which others there are, once all are known.
        frames: number of frames by a row's source, of archives that were listed.
    """

    rows: list[CatalogueRow]
    unused: Unused
    archives: list[ArchiveFile] = field(default_factory=list)
    named: Callable[[list[CatalogueRow]], list[CatalogueRow]] = list
    frames: dict[Source, int] = field(default_factory=dict)


class Layout(Protocol):
    """A raw tree's form: turns its files into rows and moves none of them.

    Attributes:
        looked_for: what the layout expects to find, in one line, for messages.
    """

    looked_for: ClassVar[str]

    def scan(self, raw: Path) -> Scan:
        """The sequences below `raw`; no rows when the tree has another form."""
