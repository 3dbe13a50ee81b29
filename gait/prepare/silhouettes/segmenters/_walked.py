"""The empty scene where no frame shows it empty, because a walker stays in place."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.prepare.silhouettes.segmenters._scene import (
    Image,
    SceneModel,
    distance,
    match_light,
    ranked,
    reduce,
    scene_of,
    sorted_images,
    strips,
)

# Levels between the quartiles from which a place counts as restless, and how many times what is
# typical of the frame that has to be.
_RESTLESS = 8.0
_RESTLESS_TIMES = 5.0
# Levels within which a frame agrees with the guess, in each round.
_AGREEMENT = (30.0, 30.0, 25.0)
# Share of the frames that have to agree for their median to replace the guess.
_ENOUGH = 0.12
# What counts as usual, in levels, where no frame showed the scene.
_USUAL_OF_GUESS = 3.0


def walked_scene(frames: list[Image]) -> SceneModel:
    """The scene, from at least one frame that a walker may be in.

    It is the median, except where a walker stays so long that the median shows him, as when he
    comes towards the camera. Such a place is known by its unrest. It is first guessed from its
    surroundings; then, in rounds, from the frames that agree with the guess, which are those in
    which he was elsewhere. What no frame shows stays a guess, and has to be deviated from by more.

    Args:
        frames: as `match_light` changes them.
    """
    match_light(frames)
    last = len(frames) - 1
    ranks = len(frames) // 2, round(0.25 * last), round(0.75 * last)
    median, low, high = ranked(frames, *ranks)
    restless = _restless(low, high)
    if not restless.any():
        return scene_of(frames, median)
    reduced = [_reduced(each) for each in frames]
    guess, known = _reduced(median), ~restless
    for agreement in _AGREEMENT:
        guess = cast("Image", cv2.inpaint(guess, _bytes(~known), 3, cv2.INPAINT_TELEA))
        agreeing = [_agreeing(each, guess, agreement) for each in reduced]
        often, found = _median_where(reduced, agreeing)
        known = ~restless | (often >= max(2, _ENOUGH * len(frames)))
        guess[restless & known] = found[restless & known]
    guess = cast("Image", cv2.inpaint(guess, _bytes(~known), 3, cv2.INPAINT_TELEA))
    height, width = median.shape[:2]
    _, found = _median_where(frames, [_enlarged(each, width, height) for each in agreeing])
    unknown = _enlarged(~known, width, height)
    found[unknown] = cv2.resize(guess, (width, height))[unknown]
    colour = np.where(_enlarged(restless, width, height)[..., None], found, median)
    scene = scene_of(frames, colour)
    scene.full.usual[unknown] = _USUAL_OF_GUESS
    scene.reduced.usual[~known] = _USUAL_OF_GUESS
    return scene


def _restless(low: Image, high: Image) -> NDArray[np.bool_]:
    """Places of the reduced image, and what they enclose, that change for much of the time."""
    change = distance(reduce(low), reduce(high))
    restless = _bytes(change > max(_RESTLESS, _RESTLESS_TIMES * float(np.median(change))))
    restless = cast("Image", cv2.medianBlur(restless, 3))
    restless = cast("Image", cv2.morphologyEx(restless, cv2.MORPH_CLOSE, _square(7)))
    outlines, _ = cv2.findContours(restless, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(restless, outlines, -1, 1, cv2.FILLED)
    return cv2.dilate(restless, _square(3)) > 0


def _agreeing(image: Image, guess: Image, agreement: float) -> NDArray[np.bool_]:
    """Where an image shows the guess, save next to where it does not."""
    near = distance(image.astype(np.float32), guess.astype(np.float32)) < agreement
    return cv2.erode(_bytes(near), _square(3)) > 0


def _median_where(
    images: list[Image], chosen: list[NDArray[np.bool_]]
) -> tuple[NDArray[np.int64], Image]:
    """How many of the images [h, w, 3] are chosen [h, w], and the median of these, per pixel."""
    often = np.zeros(chosen[0].shape, np.int64)
    found = np.empty_like(images[0])
    for rows in strips(len(found)):
        for each in chosen:
            often[rows] += each[rows]
        # White sorts last, so that the chosen come first.
        ordered = sorted_images(
            [
                np.where(places[rows, :, None], image[rows], np.uint8(255))
                for image, places in zip(images, chosen, strict=True)
            ]
        )
        middle = np.maximum(often[rows] - 1, 0) // 2
        found[rows] = np.take_along_axis(np.stack(ordered), middle[None, ..., None], axis=0)[0]
    return often, found


def _reduced(image: Image) -> Image:
    return reduce(image).astype(np.uint8)


def _enlarged(mask: NDArray[np.bool_], width: int, height: int) -> NDArray[np.bool_]:
    nearest = cv2.resize(_bytes(mask), (width, height), interpolation=cv2.INTER_NEAREST)
    return nearest > 0


def _bytes(mask: NDArray[np.bool_]) -> Image:
    return mask.astype(np.uint8)


def _square(size: int) -> Image:
    return np.ones((size, size), np.uint8)
