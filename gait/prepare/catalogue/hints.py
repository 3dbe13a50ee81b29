"""Suggests what a raw folder holds in which no layout finds a sequence."""

from __future__ import annotations

import re
from collections import Counter

from gait.prepare.raw.archives.passwords import is_password_file
from gait.prepare.raw.files import VIDEOS, is_frame, suffix_of
from gait.prepare.raw.unread import unread_format

# A tree may have millions of files, mostly of one kind.
_LOOKED_AT = 1000
_ARCHIVES = frozenset({".zip", ".7z", ".rar", ".tar", ".gz", ".tgz"})
# The folders that datasets are told by, and whose they are; the published layouts.
_SIGNS = [
    (re.compile(sign, re.ASCII), name)
    for sign, name in (
        (r"(^|/)Silhouette_\d{3}-\d{2}/", "silhouettes of OUMVLP"),
        (r"(^|/)\d{5}/\d{3}_\d{2}/[^/]*\.json$", "poses of OUMVLP-Pose"),
        (r"(^|/)camid\d+_videoid\d+/seq\d+/", "Gait3D"),
        (r"(^|/)test/(gallery|probe)/", "GREW"),
        (r"(^|/)U\d_D\d(_BG)?/", "CCPG"),
        (r"(^|/)(PCDs|PCDs_depths|Sils_aligned|RGB_raw)/", "SUSTech1K"),
        (r"(^|/)[HL]/scene\d", "CASIA-E"),
        (r"(^|/)devid_?\d/seq_\d{2}", "FreeGait"),
        (r"(^|/)\d{5}/(?i:positive|neutral|negative)/", "Scoliosis1K"),
        (r"(^|/)\d{3}/(nm|bg|cl)-\d{2}/\d{3}/.*(?<!\.pkl)$", "silhouettes of CASIA-B"),
        (r"(^|/)\d{3}-(nm|bg|cl)-\d{2}-\d{3}\.avi$", "videos of CASIA-B"),
    )
]


def guess(files: list[str]) -> str:
    """What most of some files may be, and what to do with that; empty when nothing comes to mind.

    Args:
        files: paths below the raw folder.
    """
    known = [file for file in files if not is_password_file(file.rpartition("/")[2])]
    looked_at = known[:: len(known) // _LOOKED_AT + 1]
    counts = Counter(filter(None, map(_kind, looked_at)))
    if not counts:
        return ""
    kind, number = counts.most_common(1)[0]
    return kind if 2 * number > len(looked_at) else ""


def _kind(path: str) -> str:
    suffix = suffix_of(path.rpartition("/")[2])
    depth = path.count("/")
    if unread := unread_format(suffix):
        return f"{unread[0]} of a format that is not read ({suffix}): {unread[1]}"
    if suffix == ".pkl" and depth == 3:
        return "a pkl tree, which belongs into the folder pkl beside raw, without a folder raw"
    for sign, name in _SIGNS:
        if sign.search(path):
            return name
    if suffix in _ARCHIVES:
        return "archives of other names or contents"
    if suffix == ".pkl":
        return f"pkl files {_folders(depth)} down"
    if is_frame(path.rpartition("/")[2]) and depth != 3:
        return f"images {_folders(depth)} down"
    return "videos of other names" if suffix in VIDEOS else ""


def _folders(number: int) -> str:
    return f"{number} folder{'' if number == 1 else 's'}"
