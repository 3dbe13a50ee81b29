"""Reads the silhouette images of catalogue rows, from folders and from archives alike."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.files import confined
from gait.prepare.archives import SEPARATOR, Contents, read_archive
from gait.prepare.listing import Listings
from gait.prepare.tree import SILHOUETTE_FRAMES, image_files
from gait.types import CatalogueRow

UNREADABLE = "unreadable"
UNFINISHED = "archive cut short"


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of a sequence.

    Attributes:
        name: its file name.
        image: gray values, uint8 [h, w]; None when there is a problem.
        problem: what is wrong with it, in a few words; empty for a good image.
    """

    name: str
    image: NDArray[np.uint8] | None
    problem: str


def natural(name: str) -> tuple[list[str | int], str]:
    """By what to sort file names so that numbers in them count as numbers: f9 before f10."""
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if number % 2 else part for number, part in enumerate(parts)], name


def read_images(
    raw: Path,
    rows: list[CatalogueRow],
    root: Path | None = None,
    order: Callable[[str], Any] = str,
) -> Iterator[tuple[CatalogueRow, Iterator[Frame]]]:
    """The frames of each row, decoded one by one, in an order of their names.

    Each row comes exactly once: those of image folders in the order given, then archive by
    archive those of archives, each as soon as its last frame has passed, so that an archive is
    read through once and, however its members are mixed, only unfinished sequences are held, as
    compressed bytes. A sequence that an archive's early end may have robbed of frames ends with
    a frame of the problem 'archive cut short'.

    Args:
        raw: the dataset's raw folder.
        rows: rows of the kinds 'images', 'masks' and 'archive'.
        root: the dataset's folder, where it is remembered what archives hold; without it, each is
            listed before it is read.
        order: by what to sort file names; `natural` or, as published, the names themselves.

    Raises:
        DataError: a row is a video, its folder or archive is gone, its path leaves `raw`, or the
            password of its archive is missing or wrong.
    """
    archives: dict[str, dict[str, CatalogueRow]] = defaultdict(dict)
    for row in rows:
        if row.kind in SILHOUETTE_FRAMES:
            files = image_files(raw, _existing(raw, row.source), row.kind)
            yield row, _file_frames(files, order)
        elif row.kind == "archive":
            archive, _, folder = row.source.partition(SEPARATOR)
            archives[archive][folder] = row
        else:
            raise DataError(
                f"{row.key}: expected images or an archive of images, got {row.kind} "
                f"{row.source}; extract its silhouettes with gait segment"
            )
    listings = Listings(raw, root)
    for source, wanted in archives.items():
        yield from _archive_frames(_existing(raw, source), listings.of(source), wanted, order)


def _existing(raw: Path, source: str) -> Path:
    path = confined(raw, source)
    if not path.exists():
        raise DataError(
            f"{path}: is in the catalogue and not on disk any more; put it back, or run gait "
            "rearrange again"
        )
    return path


def _file_frames(files: list[Path], order: Callable[[str], Any]) -> Iterator[Frame]:
    for path in sorted(files, key=lambda path: order(path.name)):
        try:
            data = path.read_bytes()
        except OSError:
            yield Frame(path.name, None, UNREADABLE)
        else:
            yield _decoded(path.name, data)


def _archive_frames(
    path: Path,
    contents: Contents,
    wanted: dict[str, CatalogueRow],
    order: Callable[[str], Any],
) -> Iterator[tuple[CatalogueRow, Iterator[Frame]]]:
    waiting = {folder: contents.folders[folder] for folder in wanted if contents.folders[folder]}
    for folder, row in wanted.items():
        if folder not in waiting:
            if folder not in contents.folders and not contents.problems:
                raise DataError(
                    f"{path}: has no folder {folder} any more; run gait rearrange again"
                )
            yield row, _held_frames({}, bool(contents.problems), order)
    held: dict[str, dict[str, tuple[bytes, str]]] = defaultdict(dict)
    for member in read_archive(path, waiting) if waiting else ():
        # An archive that was appended to holds a name twice; the later one is meant.
        held[member.folder][member.name] = member.read()
        waiting[member.folder] -= 1
        if waiting[member.folder] == 0:
            del waiting[member.folder]
            frames = held.pop(member.folder)
            is_unfinished = member.folder in contents.unfinished
            yield wanted[member.folder], _held_frames(frames, is_unfinished, order)
        if not waiting:
            break
    for folder in waiting:
        yield wanted[folder], _held_frames(held[folder], True, order)


def _held_frames(
    frames: dict[str, tuple[bytes, str]], is_unfinished: bool, order: Callable[[str], Any]
) -> Iterator[Frame]:
    for name in sorted(frames, key=order):
        data, problem = frames[name]
        yield Frame(name, None, problem) if problem else _decoded(name, data)
    if is_unfinished:
        yield Frame("", None, UNFINISHED)


def _decoded(name: str, data: bytes) -> Frame:
    if not data:
        return Frame(name, None, UNREADABLE)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        image = None
    if image is None:
        return Frame(name, None, UNREADABLE)
    return Frame(name, np.asarray(image, dtype=np.uint8), "")
