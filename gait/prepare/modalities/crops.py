"""Colour images of walkers to crops of one size, with how wide each walker was for its height."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import length_hint

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError

# Raised when the same images would give other crops than before.
ALGORITHM = "crops-1"

# Pixels up to this gray value are the black that a video was padded with.
BLACK = 15

NOTHING_SEEN = "nothing but black"
TOO_NARROW = "too narrow"

# Room for these is made where it is not known how many there will be.
_FIRST_FRAMES = 64

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Crops:
    """The usable images of a sequence, at one size.

    Attributes:
        frames: uint8 [m, 3, h, w]: red, green, blue.
        ratio: width divided by height of what each shows, before it was scaled, float64 [m].
        kept: int64 [m], positions of those images among those given.
        problems: the reason for each of the others, by its position.
    """

    frames: NDArray[np.uint8]
    ratio: NDArray[np.float64]
    kept: NDArray[np.int64]
    problems: dict[int, str]


def stretched(images: Sequence[Image], size_px: int) -> Crops:
    """Scale each image to a square, whatever its aspect ratio, as CCPG's crops are published.

    Args:
        images: uint8 [h, w, 3], blue, green, red; sizes may differ.
        size_px: height and width of the result.

    Raises:
        DataError: an image is not uint8 [h, w, 3].
    """
    return _crops(images, (size_px, size_px), lambda image: (image, _scaled(image, size_px)))


def trimmed(images: Iterable[Image], size_px: int) -> Crops:
    """Cut the black border off each image and scale the rest to a square, as in CCGR-MINI.

    What is left is the smallest box around all that is brighter than nearly black. An image
    without any such pixel is dropped.

    Args:
        images: uint8 [h, w, 3], blue, green, red; sizes may differ. One is held at a time.
        size_px: height and width of the result.

    Raises:
        DataError: an image is not uint8 [h, w, 3].
    """

    def cut(image: Image) -> tuple[Image, Image] | str:
        bright = cv2.threshold(
            cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), BLACK, 255, cv2.THRESH_BINARY
        )[1]
        left, top, width, height = cv2.boundingRect(bright)
        if not width:
            return NOTHING_SEEN
        inside = image[top : top + height, left : left + width]
        return inside, _scaled(inside, size_px, cv2.INTER_AREA)

    return _crops(images, (size_px, size_px), cut)


def letterboxed(images: Sequence[Image], height_px: int, width_px: int) -> Crops:
    """Scale each image to a height with its aspect ratio kept, and to a width with black or a cut.

    What is too narrow gets black columns on both sides, what is too wide loses columns there.

    Args:
        images: uint8 [h, w, 3], blue, green, red; sizes may differ.
        height_px: height of the result.
        width_px: width of the result.

    Raises:
        DataError: an image is not uint8 [h, w, 3].
    """

    def fit(image: Image) -> tuple[Image, Image] | str:
        # In this order, as another one rounds differently.
        scaled_width_px = int(image.shape[1] * height_px / image.shape[0])
        if not scaled_width_px:
            return TOO_NARROW
        scaled = np.asarray(cv2.resize(image, (scaled_width_px, height_px)), np.uint8)
        left = (width_px - scaled_width_px) // 2
        if left < 0:
            return image, scaled[:, -left : width_px - left]
        right = width_px - scaled_width_px - left
        return image, np.pad(scaled, ((0, 0), (left, right), (0, 0)))

    return _crops(images, (height_px, width_px), fit)


def _scaled(image: Image, size_px: int, interpolation: int = cv2.INTER_LINEAR) -> Image:
    return np.asarray(cv2.resize(image, (size_px, size_px), interpolation=interpolation), np.uint8)


def _crops(
    images: Iterable[Image],
    size: tuple[int, int],
    crop: Callable[[Image], tuple[Image, Image] | str],
) -> Crops:
    """What `crop` makes of each image: the part it shows and that part scaled, or a reason."""
    frames = np.empty((length_hint(images, _FIRST_FRAMES), 3, *size), np.uint8)
    ratio: list[float] = []
    kept: list[int] = []
    problems: dict[int, str] = {}
    for position, image in enumerate(images):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise DataError(
                f"image {position}: expected colours uint8 [h, w, 3], "
                f"got {image.dtype} {list(image.shape)}"
            )
        made = crop(image)
        if isinstance(made, str):
            problems[position] = made
            continue
        shown, scaled = made
        if len(kept) == len(frames):
            frames = np.concatenate([frames, np.empty_like(frames)])
        frames[len(kept)] = scaled[..., ::-1].transpose(2, 0, 1)
        ratio.append(shown.shape[1] / shown.shape[0])
        kept.append(position)
    count = len(kept)
    return Crops(frames[:count], np.array(ratio), np.array(kept, np.int64), problems)
