"""Anybody's own videos: <subject>-<condition>-<view>.mp4, also with hyphens in the condition."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.config.dataset import NAME, UNFIT_NAME
from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._videos import scan_videos
from gait.prepare.raw.files import VIDEOS, suffix_of
from gait.types import SequenceKey


class NamedVideos:
    """Videos whose name says it all, in whatever folders.

    The subject is what stands before the first hyphen, the view what stands after the last one.
    A clip of the empty scene is `<subject>-background-<view>`.
    """

    looked_for: ClassVar[str] = (
        "videos named like anna-walk-090.mp4: <subject>-<condition>-<view>, as avi, mp4, mkv, mov "
        "or webm"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per video; a background clip belongs to all videos of its subject and view."""
        return scan_videos(raw, _key_of)


def _key_of(name: str) -> SequenceKey | str | None:
    suffix = suffix_of(name)
    if suffix not in VIDEOS:
        return None
    subject, _, rest = name[: -len(suffix)].partition("-")
    condition, _, view = rest.rpartition("-")
    if not (subject and condition and view):
        return "video not named <subject>-<condition>-<view>"
    key = SequenceKey(subject, condition, view)
    if not all(re.fullmatch(NAME, part) for part in key):
        return f"video {UNFIT_NAME}"
    return key
