"""The silhouette images of a sequence, in their order, out of files or what has been unpacked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.prepare.raw.images import Bounds, ImageError, decoded, header_of, read_file
from gait.prepare.raw.spill_buffer import Read

UNFINISHED = "archive cut short"
ALPHA = "alpha channel taken as the silhouette"
LOW_BYTES = "16 bits of which the lower 8 are used"

# A cut-out photograph has more gray levels than this, and at least this share of middle ones.
_LEVELS, _GRAY_SHARE = 16, 0.25

# Up to the one a value counts as the ground's 0, from the other on as the walker's 255.
DARK, BRIGHT = 15, 240


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of a sequence.

    Attributes:
        name: its file name.
        image: gray values, uint8 [h, w]; None when there is a problem.
        problem: what is wrong with it, in a few words; empty for a good image.
        note: how its gray values came about, in a few words; empty for those of the file.
    """

    name: str
    image: NDArray[np.uint8] | None
    problem: str
    note: str = ""


def natural(name: str) -> tuple[list[str | int], str]:
    """By what to sort file names so that numbers in them count as numbers: f9 before f10."""
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if number % 2 else part for number, part in enumerate(parts)], name


def frames_of_files(files: list[Path], order: Callable[[str], Any]) -> Iterator[Frame]:
    """The frames in image files, decoded one by one, by `order` of their names."""
    bounds = Bounds.now()
    for path in sorted(files, key=lambda path: order(path.name)):
        try:
            data = read_file(path, bounds)
        except ImageError as error:
            yield Frame(path.name, None, error.reason)
        else:
            yield _decoded(path.name, data, bounds)


def frames_of_contents(files: Iterable[tuple[str, bytes]]) -> Iterator[Frame]:
    """The frames in images of which name and content are given, decoded one by one."""
    bounds = Bounds.now()
    for name, data in files:
        yield _decoded(name, data, bounds)


def frames_unpacked(
    frames: Mapping[str, Read], is_unfinished: bool, order: Callable[[str], Any]
) -> Iterator[Frame]:
    """The same of images out of an archive, by name; at the end, that some may be missing."""
    bounds = Bounds.now()
    for name in sorted(frames, key=order):
        data, problem = frames[name]
        yield Frame(name, None, problem) if problem else _decoded(name, data, bounds)
    if is_unfinished:
        yield Frame("", None, UNFINISHED)


def _decoded(name: str, data: bytes, bounds: Bounds) -> Frame:
    try:
        image, note = silhouette_of(data, name, bounds)
    except ImageError as error:
        return Frame(name, None, error.reason)
    return Frame(name, image, "", note)


def silhouette_of(data: bytes, source: str, bounds: Bounds) -> tuple[NDArray[np.uint8], str]:
    """The silhouette in an image file, and a note where it is not simply the image's gray.

    Where all that is visible has one colour, or is a photograph, the alpha channel is the
    silhouette. Labels are sometimes written with 16 bits, of which OpenCV drops the lower 8.

    Args:
        data: the file's content.
        source: what to call it in messages.
        bounds: how large it may be.

    Returns:
        Gray values, uint8 [h, w], and the note, `ALPHA`, `LOW_BYTES` or empty.

    Raises:
        ImageError: see `gait.prepare.raw.images.decode`.
    """
    header = header_of(data, source, bounds)
    if not header.has_alpha and not header.is_deep:
        return decoded(data, header, source, cv2.IMREAD_GRAYSCALE), ""
    whole = decoded(data, header, source, cv2.IMREAD_UNCHANGED)
    note = ""
    if whole.dtype == np.uint16 and 0 < whole.max() < 256:
        gray = _gray(whole.astype(np.uint8))
        note = LOW_BYTES
    else:
        gray = decoded(data, header, source, cv2.IMREAD_GRAYSCALE)
    if whole.ndim == 3 and whole.shape[2] == 4:
        alpha = _bytes(whole[..., 3])
        if _is_silhouette(alpha, gray) and not np.array_equal(alpha, gray):
            return alpha, ALPHA
    return gray, note


def _gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(image[..., :3], cv2.COLOR_BGR2GRAY), np.uint8)


def _bytes(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Values of 8 or 16 bits as 8, by their size."""
    return (values >> 8 if values.max() > 255 else values).astype(np.uint8)


def _is_silhouette(alpha: NDArray[np.uint8], gray: NDArray[np.uint8]) -> bool:
    """Whether an alpha channel tells more of the walker than the colours do."""
    if alpha.min() == alpha.max():
        return False
    visible = gray[alpha > 0]
    if visible.min() == visible.max():
        return True
    is_middle = (visible > DARK) & (visible < BRIGHT)
    return is_middle.mean() > _GRAY_SHARE and len(np.unique(visible)) > _LEVELS
