"""Small disks: a workspace whose data and results lie where there is little room, or none.

Mounting takes the superuser; who is none cannot run these cases.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults import chain
from tests.workflow.workspace import Workspace

_ROOMY_BYTES = 2**30
_PAGE = 4096


@dataclass
class SmallDisk:
    """A mounted file system of memory, which holds a workspace's data and results.

    Attributes:
        workspace: the workspace, whose `data` and `results` are links into the disk.
        needed_bytes: about what the outputs take that are to be made.
    """

    workspace: Workspace
    needed_bytes: int
    _mount: Path

    def leave(self, room_bytes: int) -> None:
        """Leave that much room on the disk."""
        usage = shutil.disk_usage(self._mount)
        # A file system of memory counts pages.
        self._remount(f"size={(usage.used + room_bytes) // _PAGE * _PAGE + _PAGE}")

    def lock(self) -> None:
        """Let nothing be written any more."""
        self._remount("ro")

    def unlock(self) -> None:
        """Give room enough for everything."""
        self._remount(f"rw,size={_ROOMY_BYTES}")

    def _remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self._mount)], check=True)


@contextmanager
def small_disk(finished: Workspace, root: Path, stage: chain.Stage) -> Iterator[SmallDisk]:
    """Copy a finished workspace, less what a stage makes, to a disk whose size can be set."""
    copy = chain.copy_of(finished, root)
    before = _size(root)
    chain.forget(root, [stage])
    needed = before - _size(root)
    mount = root / "disk"
    mount.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_ROOMY_BYTES}", "tmpfs", str(mount)], check=True
    )
    try:
        for top in ("data", "results"):
            # With their times, which say what has to be made again.
            shutil.copytree(root / top, mount / top, symlinks=True)
            shutil.rmtree(root / top)
            (root / top).symlink_to(mount / top)
        yield SmallDisk(copy, needed, mount)
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def _size(root: Path) -> int:
    return sum(
        (Path(folder) / name).lstat().st_size
        for top in ("data", "results")
        for folder, _, names in os.walk(root / top)
        for name in names
    )
