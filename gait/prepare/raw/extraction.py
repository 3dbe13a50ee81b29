"""Extracts all requested members of one archive in a single pass."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from gait.errors import DataError
from gait.formats.source import nested_name, outer_archives
from gait.prepare.raw.archives import Contents, Member, NameFilter, opened
from gait.prepare.raw.spill_buffer import LazyFiles, SpillBuffer
from gait.types import SequenceKey


@dataclass(frozen=True, slots=True)
class MemberRequest:
    """Files that a sequence wants of one folder.

    Attributes:
        what: what they are for, each but once for a sequence.
        folder: as `Contents.folders` names it.
        names: which of its files.
        number: how many these are, as the archive was listed.
    """

    what: str
    folder: str
    names: NameFilter
    number: int


class Extraction:
    """What sequences want of an archive.

    Files right in a zip file are read when they are asked for. Of any other archive, one pass
    gives all: only files of sequences that are not complete yet are held, compressed as they are.

    Args:
        path: where the archive lies.
        wishes: what each sequence wants.
        root: the dataset's folder, on whose disk waits what memory does not hold.
        listed: what the archive holds, as it was listed.
    """

    def __init__(
        self,
        path: Path,
        wishes: Mapping[SequenceKey, list[MemberRequest]],
        root: Path | None,
        listed: Contents,
    ) -> None:
        self._path = path
        self._wishes = wishes
        self._listed = listed
        self._held = SpillBuffer(root)
        self._stack = ExitStack()
        self._members: dict[str, list[Member]] = {}
        self._by_folder: dict[str, list[tuple[SequenceKey, MemberRequest]]] = defaultdict(list)
        for key, each in wishes.items():
            for wish in each:
                self._by_folder[wish.folder].append((key, wish))
        self._users = {folder: len(each) for folder, each in self._by_folder.items()}
        folders = self._by_folder
        self._is_by_member = path.suffix.lower() == ".zip" and not any(
            outer_archives(folder) for folder in folders
        )
        self.incomplete: set[SequenceKey] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        self._held.close()

    def ready(self) -> Iterator[SequenceKey]:
        """Each sequence once, as soon as its files can be taken.

        In `incomplete` are those of which the archive has fewer files than were listed.

        Raises:
            DataError, MissingExtraError: as `contents_of`.
        """
        waiting = Counter({key: sum(w.number for w in each) for key, each in self._wishes.items()})
        yield from (key for key, number in waiting.items() if not number)
        waiting = +waiting
        if waiting:
            yield from self._by_member(waiting) if self._is_by_member else self._pass(waiting)
        self.incomplete |= waiting.keys()
        yield from waiting

    def wait(self) -> None:
        """Have all that is wanted ready."""
        for _ in self.ready():
            pass

    def take(self, key: SequenceKey) -> dict[str, LazyFiles]:
        """The files of a sequence by what they are for, and by name; asked for once.

        Each is read when it is looked up, as long as the archive is open.
        """
        wishes = self._wishes.get(key, ())
        taken = {wish.what: self._files(wish) for wish in wishes}
        for wish in wishes:
            self._users[wish.folder] -= 1
            if not self._users[wish.folder]:
                self._held.drop(wish.folder)
                self._members.pop(wish.folder, None)
        return taken

    def _files(self, wish: MemberRequest) -> LazyFiles:
        if self._is_by_member:
            members = self._members.get(wish.folder, ())
            return LazyFiles({each.name: each.read for each in members if wish.names(each.name)})
        return self._held.get(wish.folder, wish.names)

    def _names(self, folder: str) -> NameFilter:
        """Which files of a folder any sequence wants."""
        wishes = [wish.names for _, wish in self._by_folder[folder]]
        return wishes[0] if len(wishes) == 1 else lambda name: any(each(name) for each in wishes)

    def _arrived(self, member: Member, waiting: Counter[SequenceKey]) -> Iterator[SequenceKey]:
        """The sequences that are complete with this file."""
        for key, wish in self._by_folder[member.folder]:
            if key in waiting and wish.names(member.name):
                waiting[key] -= 1
                if not waiting[key]:
                    del waiting[key]
                    yield key

    def _by_member(self, waiting: Counter[SequenceKey]) -> Iterator[SequenceKey]:
        wanted = {folder: self._names(folder) for folder in self._by_folder}
        complete: list[SequenceKey] = []
        for member in self._stack.enter_context(opened(self._path, wanted)):
            self._members.setdefault(member.folder, []).append(member)
            complete += self._arrived(member, waiting)
        # The archive is open now, and where each file lies in it is known.
        yield from complete

    def _pass(self, waiting: Counter[SequenceKey]) -> Iterator[SequenceKey]:
        wanted = {folder: self._names(folder) for folder in self._by_folder}
        # Then hardly anything is behind the last of them but the archive's check sum.
        is_whole = wanted.keys() >= {each for each, files in self._listed.folders.items() if files}
        contents = Contents()
        with opened(self._path, wanted, contents) as members:
            for member in members:
                if waiting:
                    # An archive that was appended to holds a name twice; the later one is meant.
                    self._held.put(member.folder, member.name, member.read())
                    yield from self._arrived(member, waiting)
                if not waiting and not is_whole:
                    break
        for inside in contents.problems.keys() - self._listed.problems.keys():
            path = nested_name(str(self._path), inside) if inside else str(self._path)
            raise DataError(
                f"{path}: was whole when it was listed and is damaged now "
                f"({contents.problems[inside]}); get the archive again, then run again"
            )
