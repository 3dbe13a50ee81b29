"""Small clips of a figure before a textured wall, with the truth, for tests of segmentation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 160, 120


@dataclass(frozen=True)
class Shot:
    """How a clip is filmed.

    Attributes:
        frames: length of the clip.
        walker: whether anybody walks.
        in_place: the walker stays in the middle and grows, as one who comes does.
        enters: the walker begins and ends outside the frame.
        noise: sigma of the sensor, in levels.
        drift: share by which the light swells and falls.
        shadow: share of the light that the walker's shadow leaves.
        speck: whether a bright dot jumps about.
        plain: whether the wall has no texture.
    """

    frames: int = 30
    walker: bool = True
    in_place: bool = False
    enters: bool = False
    noise: float = 2.0
    drift: float = 0.0
    shadow: float = 1.0
    speck: bool = False
    plain: bool = False


def film(path: Path, shot: Shot, seed: int = 0) -> np.ndarray:
    """Write the clip; the walker's true masks, bool [s, h, w]. One seed, one wall."""
    frames, truth = rendered(shot, seed)
    write(path, frames)
    return truth


def write(path: Path, frames: Iterable[np.ndarray]) -> None:
    """Write frames of that size as a clip."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (WIDTH, HEIGHT))
    for frame in frames:
        writer.write(frame)
    writer.release()


@cache
def rendered(shot: Shot, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The frames, uint8 [s, h, w, 3], and the walker's true masks, bool [s, h, w]."""
    rng = np.random.default_rng(seed)
    wall = 140 + (not shot.plain) * (12 * _texture(rng, 12) + 5 * _texture(rng, 1.5))
    rng = np.random.default_rng((seed, shot.frames, shot.walker))
    frames, truth = [], []
    for number in range(shot.frames):
        image = wall.copy()
        share = np.zeros((HEIGHT, WIDTH), np.float32)
        if shot.walker:
            _walk(image, share, shot, number)
        if shot.speck:
            row, column = 8 + (7 * number) % 20, 10 + (31 * number) % 130
            image[row : row + 3, column : column + 3] = 250
        image *= 1 + np.float32(shot.drift * np.sin(number / 6))
        image += shot.noise * rng.standard_normal(image.shape, np.float32)
        frames.append(np.clip(image, 0, 255).astype(np.uint8))
        truth.append(share > 0.5)
    return np.stack(frames), np.stack(truth)


def iou(found: list[np.ndarray | None], truth: np.ndarray) -> float:
    """Mean intersection over union; a frame without a mask counts as 0."""
    return float(
        np.mean(
            [
                0.0 if mask is None else (mask & true).sum() / (mask | true).sum()
                for mask, true in zip(found, truth, strict=True)
                if true.any()
            ]
        )
    )


def _walk(image: np.ndarray, share: np.ndarray, shot: Shot, number: int) -> None:
    done = number / (shot.frames - 1)
    height = 50 + 40 * done if shot.in_place else 80.0
    margin = -20 if shot.enters else 24
    middle = WIDTH / 2 if shot.in_place else margin + done * (WIDTH - 2 * margin)
    ground = 78 + 34 * done if shot.in_place else 106.0
    if shot.shadow < 1:
        shade = np.zeros((HEIGHT, WIDTH), np.float32)
        centre = (round(middle + 0.3 * height), round(ground))
        cv2.ellipse(shade, centre, (round(0.35 * height), 4), 0, 0, 360, 1.0, -1)
        image *= 1 - (1 - shot.shadow) * cv2.blur(shade, (5, 5))[..., None]
    swing = 0.12 * height * np.sin(number * 0.5)
    hip, neck = ground - 0.5 * height, ground - 0.82 * height
    trousers, shirt, skin = (40, 34, 30), (60, 30, 120), (120, 150, 200)
    for side in (-1, 1):
        foot = (middle + side * (0.06 * height + swing), ground)
        _limb(image, share, (middle + side * 0.05 * height, hip), foot, 0.1 * height, trousers)
    _limb(image, share, (middle, neck), (middle, hip), 0.22 * height, shirt)
    _limb(image, share, (middle, neck - 0.08 * height), (middle, neck), 0.14 * height, skin)


def _limb(
    image: np.ndarray,
    share: np.ndarray,
    start: tuple[float, float],
    end: tuple[float, float],
    width: float,
    colour: tuple[int, int, int],
) -> None:
    part = np.zeros((HEIGHT, WIDTH), np.uint8)
    points = [(round(16 * x), round(16 * y)) for x, y in (start, end)]
    cv2.line(part, points[0], points[1], 255, round(width), cv2.LINE_AA, shift=4)
    part = part / np.float32(255)
    image[:] = image * (1 - part[..., None]) + np.array(colour, np.float32) * part[..., None]
    np.maximum(share, part, out=share)


def _texture(rng: np.random.Generator, grain: float) -> np.ndarray:
    noise = rng.standard_normal((HEIGHT, WIDTH, 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), grain)
    return noise / noise.std()
