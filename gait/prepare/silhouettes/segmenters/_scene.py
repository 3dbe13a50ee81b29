"""The empty scene before a camera that stands still: its colour, its noise, and the light."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Plane = NDArray[np.float32]

# Pixels of a frame, along each side, that make one of the reduced image.
REDUCTION = 4

# Levels. A deviation below it is within what rounding and compression do to a smoothed pixel.
_LEAST_USUAL = 1.5
_LEAST_USUAL_REDUCED = 1.0
# Deviations are sorted as bytes, this many to a level.
_STEPS = 8.0
# Light is fitted to pixels that are neither black nor blown out.
_DARK, _BRIGHT = 4.0, 251.0
# Variance, in squared levels, at which a channel tells its gain as well as its mean does.
_PLAIN = 25.0

# Rows of many images that are worked on together.
_STRIP_ROWS = 64

_SUM = np.ones((1, 3), np.float32)


@dataclass(frozen=True, slots=True)
class SceneView:
    """A scene at one resolution.

    Attributes:
        colour: smoothed blue, green, red, float32 [h, w, 3].
        power: sum of the squared channels, above 0, float32 [h, w].
        usual: deviation from the colour that is usual there without a walker: the median over
            frames, in levels, float32 [h, w].
    """

    colour: Plane
    power: Plane
    usual: Plane

    def __getitem__(self, inside: tuple[slice, slice]) -> SceneView:
        return SceneView(self.colour[inside], self.power[inside], self.usual[inside])


@dataclass(frozen=True, slots=True)
class SceneModel:
    """The empty scene at full size, and reduced for finding and for fitting the light."""

    full: SceneView
    reduced: SceneView


@dataclass(frozen=True, slots=True)
class Comparison:
    """How an image differs from a scene, each float32 [h, w].

    Attributes:
        deviation: distance in colour, in levels.
        shade: the share of the scene's light that fits best; below 1 where it is darker.
        tint: distance in colour that is left after that share.
    """

    deviation: Plane
    shade: Plane
    tint: Plane


@dataclass(frozen=True, slots=True)
class Light:
    """What turns a frame's levels into the scene's: `level * gain + offset`, by channel, [3]."""

    gain: Plane
    offset: Plane

    def plane(self, image: Plane) -> Plane:
        return image * self.gain + self.offset

    def image(self, image: Image) -> Image:
        levels = np.arange(256, dtype=np.float32)[:, None] * self.gain + self.offset
        table = np.clip(levels + 0.5, 0, 255).astype(np.uint8)
        return cast("Image", cv2.LUT(image, table[None]))


UNCHANGED = Light(np.ones(3, np.float32), np.zeros(3, np.float32))


def reduce(frame: Image) -> Plane:
    """The frame at a fraction of its size, each pixel a mean, float32 [h', w', 3]."""
    height, width = frame.shape[:2]
    size = (max(width // REDUCTION, 1), max(height // REDUCTION, 1))
    reduced = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return cast("Plane", reduced.astype(np.float32))


def smooth(image: Image) -> Plane:
    """The image with most of its noise averaged out and its edges where they were."""
    return cast("Plane", cv2.GaussianBlur(image, (3, 3), 0).astype(np.float32))


def distance(one: Plane, other: Plane) -> Plane:
    """Distance in colour of two images, float32 [h, w]."""
    difference = one - other
    return cast("Plane", cv2.sqrt(cv2.transform(difference * difference, _SUM)))


def power_of(colour: Plane) -> Plane:
    """Sum of the squared channels, float32 [h, w], above 0 so that it can be divided by."""
    return cast("Plane", cv2.transform(colour * colour, _SUM) + 1)


def compare_with_scene(image: Plane, view: SceneView) -> Comparison:
    """Compare a smoothed image [h, w, 3] with a scene of that size."""
    own = cv2.transform(image * image, _SUM)
    common = cv2.transform(image * view.colour, _SUM)
    shade = common / view.power
    # Differences of sums of squares, which rounding can leave a little below zero.
    deviation = np.sqrt(np.maximum(own - 2 * common + view.power, 1))
    tint = np.sqrt(np.maximum(own - shade * common, 1))
    return Comparison(*cast("tuple[Plane, Plane, Plane]", (deviation, shade, tint)))


def fit_light(image: Plane, reference: Plane, start: Light = UNCHANGED, rounds: int = 2) -> Light:
    """The light that turns `image` into `reference` where nothing else has changed.

    Least squares over the pixels that fit best so far; a walker, and his shadow, do not count.

    Args:
        image: reduced frame [h', w', 3].
        reference: reduced scene of that size.
        start: the light to begin with, such as that of the frame before.
        rounds: how often the pixels are chosen anew.
    """
    seen = np.ascontiguousarray(image[::2, ::2].reshape(-1, 3).T)
    wanted = np.ascontiguousarray(reference[::2, ::2].reshape(-1, 3).T)
    telling = (np.minimum(seen, wanted) > _DARK) & (np.maximum(seen, wanted) < _BRIGHT)
    usable = telling.all(axis=0)
    middle = int(usable.sum()) // 2
    if middle == 0:
        return start
    light = start
    for _ in range(rounds):
        gain, offset = light.gain[:, None], light.offset[:, None]
        error = np.abs(seen * gain + offset - wanted).max(axis=0)
        limit = np.partition(error[usable], middle)[middle]
        chosen = (usable & (error <= max(2.5 * limit, 2.0))).astype(np.float32)
        number = chosen.sum()
        mean_seen, mean_wanted = (seen @ chosen) / number, (wanted @ chosen) / number
        centred = seen - mean_seen[:, None]
        variance = (centred * centred) @ chosen / number
        covariance = (centred * wanted) @ chosen / number
        # A plain wall does not tell gain from offset; there the ratio of means stands in.
        ratio = mean_wanted / mean_seen
        fitted = np.clip((covariance + _PLAIN * ratio) / (variance + _PLAIN), 0.5, 2.0)
        light = Light(fitted, mean_wanted - fitted * mean_seen)
    return light


def spread_out(frames: Iterable[Image], count: int) -> list[Image]:
    """At most `count` of the frames, evenly spread; at most twice as many are held at a time."""
    kept: list[Image] = []
    step = 1
    for number, frame in enumerate(frames):
        if number % step == 0:
            kept.append(frame)
        if len(kept) == 2 * count:
            kept = kept[::2]
            step *= 2
    chosen = np.linspace(0, len(kept) - 1, min(count, len(kept))).round().astype(int)
    return [kept[each] for each in chosen.tolist()]


def empty_scene(frames: list[Image]) -> SceneModel:
    """Model the background by medians; most pixels must show it in most frames.

    Args:
        frames: as `match_light` changes them.
    """
    match_light(frames)
    return scene_of(frames, ranked(frames, len(frames) // 2)[0])


def match_light(frames: list[Image]) -> None:
    """Put the frames into the light of the middle one, in place, as they are many and large."""
    reference = reduce(frames[len(frames) // 2])
    for number, frame in enumerate(frames):
        frames[number] = fit_light(reduce(frame), reference, rounds=5).image(frame)


def scene_of(matched: list[Image], colour: Image) -> SceneModel:
    """The scene of that colour, with what is usual in frames of the same light."""
    full, reduced = smooth(colour), reduce(colour)
    return SceneModel(
        _view(full, map(smooth, matched), _LEAST_USUAL),
        _view(reduced, map(reduce, matched), _LEAST_USUAL_REDUCED),
    )


def _view(colour: Plane, frames: Iterable[Plane], least: float) -> SceneView:
    deviations = [cv2.convertScaleAbs(distance(each, colour), alpha=_STEPS) for each in frames]
    (middle,) = ranked(cast("list[Image]", deviations), len(deviations) // 2)
    usual = middle.astype(np.float32) / _STEPS
    # Where the walker stood for most of the time, the deviation is his, not the scene's.
    usual = np.minimum(cv2.blur(usual, (9, 9)), 3 * np.median(usual) + 1)
    return SceneView(colour, power_of(colour), np.maximum(usual, least).astype(np.float32))


def ranked(images: list[Image], *ranks: int) -> list[Image]:
    """Images of each pixel's values that have these ranks, from 0, in ascending order."""
    chosen = [np.empty_like(images[0]) for _ in ranks]
    for rows in strips(len(images[0])):
        ordered = sorted_images([each[rows] for each in images])
        for image, rank in zip(chosen, ranks, strict=True):
            image[rows] = ordered[rank]
    return chosen


def strips(height: int) -> Iterator[slice]:
    """Rows of an image, some at a time, for work that takes much memory for each of them."""
    for first in range(0, height, _STRIP_ROWS):
        yield slice(first, first + _STRIP_ROWS)


def sorted_images(images: list[Image]) -> list[Image]:
    """The images with each pixel's values in ascending order.

    Source: Batcher's odd-even merge sort; "Sorting networks and their applications", AFIPS 1968.
    It compares whole images at a time, which is many times faster than a median along an axis.
    """
    images = list(images)
    span = 1
    while span < len(images):
        step = span
        while step >= 1:
            for start in range(step % span, len(images) - step, 2 * step):
                for low in range(start, min(start + step, len(images) - step)):
                    high = low + step
                    if low // (2 * span) == high // (2 * span):
                        pair = images[low], images[high]
                        images[low] = cast("Image", cv2.min(*pair))
                        images[high] = cast("Image", cv2.max(*pair))
            step //= 2
        span *= 2
    return images
