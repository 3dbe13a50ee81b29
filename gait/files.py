"""Writes files whole or not at all, and leaves alone those that would not change."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from gait.errors import DataError

_PARTIAL = ".partial"
_REMEDY = {
    errno.ENOSPC: "free space on that disk, then run again",
    errno.EDQUOT: "free space within the quota, then run again",
    errno.EACCES: "make its folder writable",
    errno.EPERM: "make its folder writable",
    errno.EROFS: "choose a folder on a disk that can be written",
}


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a temporary name beside `path`, which replaces `path` when the block succeeds.

    The folder of `path` is made. The temporary name keeps the suffix, as some writers choose the
    format by it, and begins with a dot. When the block fails, the temporary file is removed and
    whatever was at `path` stays. What a process that was killed has left is removed by the next
    one that writes into the same folder.

    Raises:
        DataError: the file cannot be written, for instance on a full disk. Errors about other
            files that the block opens are passed on as they are.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex[:12]}{_PARTIAL}{path.suffix}")
    try:
        _make(path.parent)
        with _claimed(temporary):
            _discard_unclaimed(path.parent)
            yield temporary
            temporary.replace(path)
    except OSError as error:
        _discard(temporary)
        if _is_about_another_file(error, path, temporary):
            raise
        reason = error.strerror or str(error) or type(error).__name__
        remedy = _REMEDY.get(error.errno or 0)
        raise DataError(
            f"{path}: cannot be written ({reason}); what was there before is kept"
            + (f"; {remedy}" if remedy else "")
        ) from error
    except BaseException:
        _discard(temporary)
        raise


def write_if_changed(path: Path, content: str | bytes) -> bool:
    """Writes bytes, or text as UTF-8, unless `path` holds exactly that; tells whether it wrote.

    A file that is not rewritten keeps its modification time, so nothing after it runs again.

    Raises:
        DataError: the file cannot be written; the former content stays.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    # What cannot be read is replaced, or says why not when it is written.
    with suppress(OSError):
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return False
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return True


def check_writable(paths: Iterable[Path]) -> None:
    """Refuse outputs whose folders take no files, before anything is computed for them.

    Args:
        paths: files that will be written; their folders need not be there yet.

    Raises:
        DataError: every existing folder that would be written into and cannot be, once.
    """
    folders = {next(each for each in path.absolute().parents if each.exists()) for path in paths}
    problems = []
    for folder in sorted(folders):
        if not os.access(folder, os.W_OK | os.X_OK):
            is_locked = os.statvfs(folder).f_flag & os.ST_RDONLY
            number = errno.EROFS if is_locked else errno.EACCES
            problems.append(
                f"{folder}: cannot be written ({os.strerror(number)}); {_REMEDY[number]}"
            )
    if problems:
        raise DataError(problems)


def confined(root: Path, relative: str, table: Path | None = None, folder: str = "") -> Path:
    """The path `relative` below `root`, as a table gives it; there need not be a file.

    Args:
        root: the folder that the path may not leave; it may be a link itself.
        relative: the path, as it stands in the table.
        table: the table, for the message.
        folder: the folder of `root` that the path has to begin with, if any. That one may be a
            link to somewhere else, as whoever laid out `root` has chosen it, and no table.

    Raises:
        DataError: `relative` is absolute, climbs with '..', leads through a link out of `root`,
            or not into `folder`.
    """
    parts = Path(relative).parts
    is_inside = bool(parts) and ".." not in parts and parts[0][0] != "/" and "\0" not in relative
    if folder:
        is_inside = is_inside and len(parts) > 1 and parts[0] == folder
    bound = root / folder
    if not is_inside or not _stays(bound, parts[bool(folder) :]):
        raise DataError(
            f"{'' if table is None else f'{table}: '}{relative!r}: expected a path that stays "
            f"below {bound}; correct that row of {table or 'the table that has it'}, or make the "
            "table again"
        )
    return root / relative


def _stays(bound: Path, parts: Sequence[str]) -> bool:
    """Whether no link on the way leads out of `bound`. Tables are long: most paths have none."""
    path = os.fspath(bound)
    for part in parts:
        path = f"{path}/{part}"
        try:
            is_link = stat.S_ISLNK(os.lstat(path).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except (OSError, ValueError):
            # A name that no file can have, or a folder that cannot be searched.
            is_link = True
        if is_link:
            real = os.path.realpath(Path(bound, *parts))
            return Path(real).is_relative_to(os.path.realpath(bound))
    return True


@contextmanager
def _claimed(temporary: Path) -> Iterator[None]:
    """Makes an empty file that is seen to be in use until the block or the process ends."""
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    try:
        # Where the file system knows no locks, nothing is taken for unclaimed either.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


# Folders of ten thousand files are written into ten thousand times.
@lru_cache(maxsize=64)
def _discard_unclaimed(folder: Path) -> None:
    """Remove temporary files that no process has claimed any more."""
    with os.scandir(folder) as entries:
        found = [Path(each) for each in entries if each.name[:1] == "." and _PARTIAL in each.name]
    for path in found:
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _make(folder: Path) -> None:
    # Another process may just be removing a folder above, as long as that is empty.
    for _ in range(9):
        with suppress(FileNotFoundError):
            return folder.mkdir(parents=True, exist_ok=True)
    return folder.mkdir(parents=True, exist_ok=True)


def _discard(temporary: Path) -> None:
    # The failure that led here is the one to report, not a folder that was never made.
    with suppress(OSError):
        temporary.unlink()


def _is_about_another_file(error: OSError, path: Path, temporary: Path) -> bool:
    """Whether `error` names a file that has nothing to do with writing `path`."""
    if error.filename is None:
        return False
    named = Path(os.fsdecode(error.filename))
    return named not in {path, temporary, *path.parents}
