"""A digest of a raw tree, cheap enough for every start of the workflow."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from gait.errors import DataError


def tree_state(folder: Path) -> str:
    """Digest the names, sizes and modification times of all files below a folder.

    Nothing is opened. A file that is added, removed, renamed, replaced or touched changes the
    digest. One that is rewritten with content of the same size, its modification time set back
    afterwards, does not; touch it. Links are not followed: what they lead to counts where it lies.

    Returns:
        32 hexadecimal digits.

    Raises:
        DataError: a folder cannot be listed, or a file goes while it is.
    """
    folders: dict[bytes, bytes] = {}
    root = os.path.realpath(os.fsencode(folder))
    pending = [root]
    while pending:
        path = pending.pop()
        # The same folder elsewhere has the same state.
        lines = [b"/%b" % path[len(root) :]]
        try:
            # A million times: as little as can be for each file.
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        of = entry.stat(follow_symlinks=False)
                        lines.append(b"%b/%d/%d" % (entry.name, of.st_size, of.st_mtime_ns))
        except OSError as error:
            name = os.fsdecode(error.filename or path)
            raise DataError(
                f"{name}: cannot be listed ({error.strerror}); make the folder readable, and run "
                "again when nothing else changes it"
            ) from error
        folders[lines[0]] = b"\0".join(sorted(lines))
    digest = hashlib.blake2b(digest_size=16)
    for _, text in sorted(folders.items()):
        digest.update(text + b"\0\0")
    return digest.hexdigest()
