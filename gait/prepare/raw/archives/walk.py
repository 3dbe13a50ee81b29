"""Walks through an archive of any kind and through those inside it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import IO

from gait.prepare.raw.archives.part import Inner, Member, Part
from gait.prepare.raw.archives.sevens import walk_seven
from gait.prepare.raw.archives.spool import Spool
from gait.prepare.raw.archives.tars import walk_tar
from gait.prepare.raw.archives.zips import walk_zip


def walk_archive(
    part: Part, raw: IO[bytes], damage: tuple[type[Exception], ...] = ()
) -> Generator[Member]:
    """The wanted files of an archive and of the archives inside it.

    Args:
        part: what this archive is part of.
        raw: its bytes, of a buffered file; those of tar files are read forwards only.
        damage: what reading them may raise when they are corrupt.

    Raises:
        DataError, MissingExtraError: as `contents_of`.
    """
    found: Iterator[Member | Inner]
    match part.suffix:
        case ".zip":
            found = walk_zip(part, raw)
        case ".7z":
            found = walk_seven(part, raw)
        case _:
            found = walk_tar(part, raw, damage)
    for each in found:
        if isinstance(each, Member):
            yield each
        else:
            yield from _inside(each)


def _inside(inner: Inner) -> Iterator[Member]:
    if inner.size > inner.part.growth.most:
        inner.part.damaged(inner.part.growth.error())
        return
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(inner.open())
            # The list of what a zip or 7z file holds is at its end.
            if inner.part.suffix in {".zip", ".7z"} and not isinstance(raw, Spool):
                spool = stack.enter_context(Spool(str(inner.part), inner.size))
                while some := raw.read(2**20):
                    spool.write(some)
                spool.seek(0)
                raw = spool
        except inner.damage as error:
            inner.part.damaged(error)
            return
        yield from walk_archive(inner.part, raw, inner.damage)
