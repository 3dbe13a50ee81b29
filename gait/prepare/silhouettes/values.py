"""Tells what the values of silhouettes mean, and makes them 0 and 255 where that is certain.

Published programs take silhouettes for 0 on the ground and 255 on the walker. Masks come with
other values as well: 0 and 1, an index of a palette, the gray of a colour, black on white.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.prepare.raw.frames import BRIGHT, DARK, Frame

UNCLEAR = "unclear which value is the walker"
OTHER_VALUES = "other values than in the frames before"

# Frames that tell what the others of their sequence are, and what may be held until these came.
_SAMPLE, _SAMPLE_BYTES = 8, 32 * 2**20
# As many pixels as the least that aligning takes for a walker.
_LEAST_PX = 40
# Of the border of an image, what is of one value at least where that value is the ground.
_GROUND_SHARE = 0.9
# Of a frame on a bright ground, what the walker fills at least.
_WALKER_SHARE = 0.005
# Of the pixels that resemble their neighbours, what has the walker's value at least, in images of
# few values, as labels have, and of many; and of all pixels of the walker, what resembles its
# neighbours: photographs have hardly any.
_ONE_LABEL, _ONE_VALUE, _FLAT_SHARE = 0.98, 0.9, 0.05
# Of the frames that tell anything, what agrees at least.
_AGREED = 0.75
# How far values of one meaning lie apart in images of many values, such as a JPEG.
_TOLERANCE = 24
_FEW_VALUES = 16
_BRIGHT_MEAN = 230
# What is white, and how much of an image's border is where the ground is white.
_WHITE, _WHITE_BORDER = 128, 0.75
# The border of an image of this share of non-zero pixels at most is not looked at.
_SPARSE_SHARE = 0.4

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What two values of silhouettes stand for.

    Attributes:
        ground: the value of what is not the walker.
        walker: the walker's value; equal to `ground` where it cannot be told.
        is_exact: whether no third value occurs.
    """

    ground: int
    walker: int
    is_exact: bool = True

    @property
    def is_usual(self) -> bool:
        """Whether the values may stay as they are."""
        return self.walker >= BRIGHT and self.ground <= (0 if self.is_exact else DARK)

    @property
    def is_clear(self) -> bool:
        """Whether it is certain which value is the walker's."""
        return self.ground != self.walker

    def __str__(self) -> str:
        return f"{self.ground} and {self.walker}"

    @property
    def note(self) -> str:
        """What was done to the values, by which frames are counted."""
        if self.ground >= BRIGHT and self.walker <= DARK:
            return "black on white turned into white on black"
        return f"values {self} taken as 0 and 255"


USUAL = Meaning(0, 255)
UNKNOWN = Meaning(0, 0)


def meaning_of(image: Image) -> Meaning | None:
    """What the values of one silhouette tell.

    The walker's value is that of most pixels that resemble their neighbours and not the ground,
    so that gray edges, as resampled masks have them, and the noise of a JPEG do not count.

    Args:
        image: uint8 [h, w].

    Returns:
        The values of the ground and of the walker; `UNKNOWN` where there are several; None for an
        image that shows nothing or is of photographic gray.
    """
    filled = cv2.countNonZero(image)
    if filled < _LEAST_PX:
        return None
    if filled < _SPARSE_SHARE * image.size and cv2.sumElems(image)[0] > _BRIGHT_MEAN * filled:
        return USUAL
    return _meaning(image)


def _meaning(image: Image) -> Meaning | None:
    counts = _histogram(image)
    values = np.flatnonzero(counts)
    if len(values) < 2:
        return None
    is_exact = len(values) == 2
    ground = _ground(image, values)
    if ground is None:
        return UNKNOWN if is_exact else None
    tolerance = 0 if len(values) <= _FEW_VALUES else _TOLERANCE
    around = np.abs(np.arange(256) - ground) <= tolerance
    figure_px = int(counts[~around].sum())
    if figure_px < max(_LEAST_PX, _WALKER_SHARE * image.size if ground > DARK else 0):
        return None
    if is_exact:
        return Meaning(ground, int(values[values != ground][0]))
    steepness = cv2.morphologyEx(image, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    flat = _histogram(image[steepness <= tolerance * int(values[-1] - values[0]) // 512])
    flat[around] = 0
    if flat.sum() < _FLAT_SHARE * figure_px:
        return None
    walker = int(flat.argmax())
    of_walker = np.abs(np.arange(256) - walker) <= tolerance
    low, high = sorted((ground, walker))
    between = int(counts[max(low - tolerance, 0) : high + tolerance + 1].sum())
    share = _ONE_LABEL if len(values) <= _FEW_VALUES else _ONE_VALUE
    is_one_value = flat[of_walker].sum() >= share * flat.sum()
    # Edges have values between the two; what lies beyond them is a third label.
    if not is_one_value or image.size - between > (1 - share) * figure_px:
        return UNKNOWN
    return Meaning(ground, walker, is_exact=False)


def _ground(image: Image, values: NDArray[np.int64]) -> int | None:
    """The value that the border consists of, or 0 where that occurs; None if neither does."""
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    counts = _histogram(border)
    tolerance = 0 if len(values) <= _FEW_VALUES else _TOLERANCE
    value = int(counts.argmax())
    share = counts[max(value - tolerance, 0) : value + tolerance + 1].sum() / len(border)
    if share >= _GROUND_SHARE:
        return value
    return 0 if values[0] == 0 else None


def _histogram(pixels: Image) -> NDArray[np.int64]:
    counts = cv2.calcHist([pixels], [0], None, [256], [0, 256])
    return np.asarray(counts).ravel().astype(np.int64)


def agreed(meanings: Iterable[Meaning | None]) -> Meaning | None:
    """What the frames of a sequence tell together; None if they tell nothing.

    Where half of them are as usual, all are taken as they come, as published programs do.
    """
    found = [each for each in meanings if each is not None]
    if not found:
        return None
    if 2 * sum(each.is_usual for each in found) >= len(found):
        return USUAL
    first, number = Counter(found).most_common(1)[0]
    if first.is_exact and number >= _AGREED * len(found):
        return first
    if all(each.is_exact for each in found):
        return UNKNOWN
    ground = int(np.median([each.ground for each in found]))
    walker = int(np.median([each.walker for each in found]))
    # Of labels such as 1 and 2 each has its own meaning; of a hundred, one more or less has not.
    tolerance = min(_TOLERANCE, abs(walker - ground) // 8)
    near = sum(
        each.is_clear
        and abs(each.ground - ground) <= tolerance
        and abs(each.walker - walker) <= tolerance
        for each in found
    )
    is_agreed = near >= _AGREED * len(found)
    return Meaning(ground, walker, is_exact=False) if is_agreed else UNKNOWN


class ValueConverter:
    """Makes the values of a sequence's silhouettes 0 and 255, once it is known what they mean.

    Args:
        meaning: of the sequence, see `agreed`.
    """

    def __init__(self, meaning: Meaning) -> None:
        self.meaning = meaning
        levels = (np.arange(256) - meaning.ground) * 255.0
        if meaning.is_clear:
            levels /= meaning.walker - meaning.ground
        self._table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        self._foreign = np.ones(256, np.uint8)
        self._foreign[[meaning.ground, meaning.walker]] = 0

    def __call__(self, image: Image) -> Image | str:
        """The image with 0 and 255, or why it cannot be told what its values mean."""
        if self.meaning.is_usual:
            return image
        if not self.meaning.is_clear:
            return UNCLEAR
        if self.meaning.is_exact and cv2.countNonZero(cv2.LUT(image, self._foreign)):
            return OTHER_VALUES
        return np.asarray(cv2.LUT(image, self._table), np.uint8)


def judged(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The frames of a sequence with 0 and 255 for values, where it is certain what they mean.

    The first frames that show anything decide for the whole sequence. Gray values between the two
    stay between them. What is as usual, or tells nothing, is passed on untouched.
    """
    waiting: list[Frame] = []
    meanings: list[Meaning] = []
    size = 0
    for frame in frames:
        waiting.append(frame)
        if frame.image is None:
            continue
        size += frame.image.nbytes
        if (meaning := meaning_of(frame.image)) is not None:
            meanings.append(meaning)
        if len(meanings) == _SAMPLE or size > _SAMPLE_BYTES:
            break
    convert = ValueConverter(agreed(meanings) or USUAL)
    if convert.meaning.is_usual:
        for each in (waiting, frames):
            yield from (_unless_inverted(frame) for frame in each)
        return
    for each in (waiting, frames):
        yield from (_converted(frame, convert) for frame in each)


def _unless_inverted(frame: Frame) -> Frame:
    """The frame, or none where it is black on white among others that are white on black."""
    image = frame.image
    if image is None or image[0, 0] < _WHITE or image[0, -1] < _WHITE:
        return frame
    # A walker may touch each border, and fills none of them up.
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    if (border >= _WHITE).mean() < _WHITE_BORDER or image.min() >= _WHITE:
        return frame
    return Frame(frame.name, None, OTHER_VALUES)


def _converted(frame: Frame, convert: ValueConverter) -> Frame:
    if frame.image is None:
        return frame
    image = convert(frame.image)
    if isinstance(image, str):
        return replace(frame, image=None, problem=image)
    return replace(frame, image=image, note=frame.note or convert.meaning.note)


def meaning_of_all(frames: Image) -> Meaning | None:
    """What the values of a sequence's silhouettes mean, [s, h, w], as its first frames tell it."""
    found = filter(None, map(meaning_of, frames))
    return agreed(islice(found, _SAMPLE))


def converted(
    frames: NDArray[np.uint8], meaning: Meaning
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Silhouettes [s, h, w] with 0 and 255 for values whose meaning is clear.

    Returns:
        Those in which no other value occurs, and the positions of the others.
    """
    convert = ValueConverter(meaning)
    made = [convert(frame) for frame in frames]
    good = [image for image in made if not isinstance(image, str)]
    foreign = [place for place, image in enumerate(made) if isinstance(image, str)]
    stacked = np.stack(good) if good else frames[:0]
    return stacked, np.array(foreign, np.int64)
