"""Watches what a process does to the world: it may write in one folder and start nothing."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.fuzz.mutators import OUTSIDE

_STARTS = frozenset(
    {
        *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork"),
        *("os.forkpty", "pty.spawn", "socket.connect", "socket.bind", "os.startfile"),
    }
)
# Which of the arguments are paths, and which say that these lie in an open folder.
_CHANGES = {
    "os.remove": ((0,), 1),
    "os.rmdir": ((0,), 1),
    "os.mkdir": ((0,), 2),
    "os.truncate": ((0,), None),
    "os.chmod": ((0,), 2),
    "os.utime": ((0,), 3),
    "os.link": ((0, 1), 2),
    "os.symlink": ((1,), 2),
    "os.rename": ((0, 1), 2),
    "shutil.rmtree": ((0,), 1),
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Escape(BaseException):
    """Something was about to be done outside the folder, and was not."""


class Guard:
    """Keeps whatever is done inside a folder; it lasts as long as the process.

    Args:
        folder: where everything is allowed; temporary files are sent there.

    Attributes:
        seen: what was about to be done, in words; emptied by whoever reads it.
        is_watching: whether anything is kept from being done at the moment.
    """

    def __init__(self, folder: Path) -> None:
        self.seen: list[str] = []
        self.is_watching = False
        self._folder = os.path.realpath(folder)
        tempfile.tempdir = self._folder
        sys.dont_write_bytecode = True
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_watching:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, int) or path is None:
                return
            name = os.fsdecode(path)
            if OUTSIDE in name or (flags & _WRITES and self._is_outside(name)):
                self._stop(f"open {name}")
        elif event in _STARTS:
            self._stop(f"{event} {arguments!r:.200}")
        elif event in _CHANGES:
            places, folder = _CHANGES[event]
            # What is named relative to an open folder was reached through that folder.
            if folder is not None and any(each >= 0 for each in arguments[folder:]):
                return
            for path in (arguments[place] for place in places):
                if not isinstance(path, int) and self._is_outside(os.fsdecode(path)):
                    self._stop(f"{event} {os.fsdecode(path)}")

    def _stop(self, what: str) -> None:
        self.seen.append(what)
        raise Escape(what)

    def _is_outside(self, name: str) -> bool:
        if name == os.devnull:
            return False
        # The last part may be a link, which is what is written or removed.
        place = os.path.join(os.path.realpath(os.path.dirname(name)), os.path.basename(name))  # noqa: PTH118, PTH120, PTH119
        return place != self._folder and not place.startswith(self._folder + os.sep)
