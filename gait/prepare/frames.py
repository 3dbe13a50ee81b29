"""The silhouette images of a sequence, in their order, out of files or what has been unpacked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.prepare.held import Read

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


def frames_of_files(files: list[Path], order: Callable[[str], Any]) -> Iterator[Frame]:
    """The frames in image files, decoded one by one, by `order` of their names."""
    for path in sorted(files, key=lambda path: order(path.name)):
        try:
            data = path.read_bytes()
        except OSError:
            yield Frame(path.name, None, UNREADABLE)
        else:
            yield _decoded(path.name, data)


def frames_unpacked(
    frames: Mapping[str, Read], is_unfinished: bool, order: Callable[[str], Any]
) -> Iterator[Frame]:
    """The same of images out of an archive, by name; at the end, that some may be missing."""
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
