"""Draws a figure into the frames of a video clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.synthgait.camera import shadow_of
from gait.synthgait.figure import Figure
from gait.synthgait.outfit import Outfit
from gait.synthgait.scene import Image, Scene
from gait.synthgait.traits import Floats

_SHIFT = 4  # Fixed point of OpenCV's polygons: sixteenths of a pixel.
_NOISE_SIGMA = 2.6
# Noise is stored above this level, so that adding it needs unsigned bytes only.
_NOISE_LEVEL = 10
_NOISE_MARGIN_PX = 61
_BLUR_PX = 7


@dataclass(frozen=True, slots=True)
class Sensor:
    """The noise and the exposure of one clip.

    Attributes:
        noise: uint8 [h + margin, w + margin, 3], `_NOISE_LEVEL` where there is none.
        corners: where each frame cuts its noise out, [s, 2].
        gain: exposure of each frame, [s].
    """

    noise: Image
    corners: NDArray[np.int64]
    gain: Floats

    def expose(self, index: int, frame: Image) -> None:
        """Turn `frame` into what the sensor gives, in place."""
        row, column = self.corners[index]
        height, width = frame.shape[:2]
        cv2.add(frame, self.noise[row : row + height, column : column + width], dst=frame)
        gain = float(self.gain[index])
        cv2.convertScaleAbs(frame, dst=frame, alpha=gain, beta=-_NOISE_LEVEL * gain)


def make_noise(width_px: int, height_px: int, rng: np.random.Generator) -> Image:
    """Noise to cut frames from: drawing it anew for each frame would cost more than all else."""
    size = (height_px + _NOISE_MARGIN_PX, width_px + _NOISE_MARGIN_PX, 3)
    noise = _NOISE_LEVEL + _NOISE_SIGMA * rng.standard_normal(size, np.float32)
    return np.asarray(np.clip(np.rint(noise), 0, 2 * _NOISE_LEVEL), np.uint8)


def draw_sensor(noise: Image, frames: int, fps: float, rng: np.random.Generator) -> Sensor:
    """The noise of a clip, its exposure and the slow drift of the light."""
    time_s = np.arange(frames) / fps
    drift = rng.uniform(0.004, 0.018) * np.sin(
        2.0 * np.pi * (time_s / rng.uniform(2.5, 7.0) + rng.uniform())
    )
    return Sensor(
        noise,
        rng.integers(0, _NOISE_MARGIN_PX + 1, (frames, 2)),
        rng.normal(1.0, 0.008) + drift,
    )


def render_background(scene: Scene, sensor: Sensor) -> Iterator[Image]:
    """The empty scene. The frame given is overwritten by the next."""
    frame = np.empty_like(scene.background)
    for index in range(len(sensor.gain)):
        np.copyto(frame, scene.background)
        sensor.expose(index, frame)
        yield frame


def render_walk(
    scene: Scene, figure: Figure, outfit: Outfit, sensor: Sensor, masks: Image | None = None
) -> Iterator[Image]:
    """The scene with a figure in it, from its first frame to its last.

    Args:
        scene: room and camera.
        figure: the walker over s frames.
        outfit: the colours.
        sensor: noise and exposure of s frames.
        masks: where given, uint8 [s, h, w], filled with 255 on the walker as each frame is drawn.

    Yields:
        The frame, uint8 [h, w, 3]; it is overwritten by the next.
    """
    members = figure.members
    corners, depth = scene.camera.outlines(figure.centres, figure.axes, members)
    nearer = np.array([part.nearer_m for part in figure.parts])
    order = np.argsort(nearer - depth, axis=1, kind="stable").tolist()
    outlines, lit = _fixed(corners), _fixed(_lit(corners))
    colours = [_two_tones(outfit.colours[part.colour]) for part in figure.parts]

    shadow = shadow_of(figure, scene.light)
    shadow_corners, _ = scene.camera.outlines(shadow.centres, shadow.axes, members)
    shaded = _Shade(scene, shadow_corners)

    frame = np.empty_like(scene.background)
    for index, parts in enumerate(order):
        np.copyto(frame, scene.background)
        shaded.darken(index, frame)
        outline, inner = outlines[index], lit[index]
        for part in parts:
            dark, light = colours[part]
            cv2.fillConvexPoly(frame, outline[part], dark, cv2.LINE_AA, _SHIFT)
            cv2.fillConvexPoly(frame, inner[part], light, cv2.LINE_AA, _SHIFT)
        if masks is not None:
            for part in parts:
                cv2.fillConvexPoly(masks[index], outline[part], 255.0, cv2.LINE_AA, _SHIFT)
            cv2.threshold(masks[index], 127.0, 255.0, cv2.THRESH_BINARY, dst=masks[index])
        sensor.expose(index, frame)
        yield frame


class _Shade:
    """The soft shadow on the ground, worked out inside its box only."""

    def __init__(self, scene: Scene, corners: Floats) -> None:
        self._outlines = _fixed(corners)
        height, width = scene.background.shape[:2]
        self._mask = np.zeros((height, width), np.uint8)
        low = np.floor(corners.min(axis=(1, 2))).astype(int) - _BLUR_PX
        high = np.ceil(corners.max(axis=(1, 2))).astype(int) + _BLUR_PX
        limit = np.array([width, height])
        self._boxes = np.concatenate([low.clip(0, limit), high.clip(0, limit)], axis=1).tolist()
        self._keep = (255.0 - np.arange(256) * scene.shade).round().astype(np.uint8)

    def darken(self, index: int, frame: Image) -> None:
        left, top, right, bottom = self._boxes[index]
        if left >= right or top >= bottom:
            return
        for outline in self._outlines[index]:
            cv2.fillConvexPoly(self._mask, outline, 255.0, cv2.LINE_8, _SHIFT)
        box = self._mask[top:bottom, left:right]
        kept = cv2.LUT(cv2.blur(box, (_BLUR_PX, _BLUR_PX)), self._keep)
        box[:] = 0
        floor = frame[top:bottom, left:right]
        cv2.multiply(floor, cv2.merge([kept, kept, kept]), dst=floor, scale=1.0 / 255.0)


def _fixed(corners: Floats) -> NDArray[np.int32]:
    return np.rint(corners * (1 << _SHIFT)).astype(np.int32)


def _lit(corners: Floats) -> Floats:
    """The lit inner area of each part: smaller, and towards the light above."""
    middle = corners.mean(axis=-2, keepdims=True)
    extent = np.ptp(corners, axis=-2, keepdims=True)
    smaller: Floats = middle + 0.62 * (corners - middle) - extent * np.array([0.07, 0.04])
    return smaller


def _two_tones(
    colour: tuple[float, float, float],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """A colour as it is away from the light, and in it."""
    return tuple(0.88 * each for each in colour), tuple(min(1.06 * each, 255) for each in colour)
