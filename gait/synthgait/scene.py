"""The room: a textured background as one camera sees it, and the light that casts shadows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.synthgait.camera import Camera, place_camera
from gait.synthgait.traits import Floats

Image = NDArray[np.uint8]

_TEXTURE_PX = 512
_TEXTURE_PX_PER_M = 90.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What a camera sees before a walker enters.

    Attributes:
        camera: the camera.
        background: blue, green, red image, uint8 [h, w, 3].
        light: the direction light travels in, [3].
        shade: share of the light that a shadow takes.
    """

    camera: Camera
    background: Image
    light: Floats
    shade: float


def draw_scene(
    view_deg: int,
    width_px: int,
    height_px: int,
    room: np.random.Generator,
    visit: np.random.Generator,
) -> Scene:
    """The scene of one camera on the day of one subject.

    Args:
        view_deg: where the camera stands.
        width_px: of the frame.
        height_px: of the frame.
        room: the same for every subject: what the camera has behind the walkway.
        visit: the subject's own: how the camera was set up, how the light was.
    """
    camera = place_camera(view_deg, width_px, height_px, visit)
    background = _room_image(camera, width_px, height_px, room) * visit.normal(1.0, 0.03, 3)
    azimuth, elevation = visit.uniform(0.0, 2.0 * np.pi), np.radians(visit.uniform(52.0, 76.0))
    light = np.array(
        [
            np.cos(azimuth) * np.cos(elevation),
            np.sin(azimuth) * np.cos(elevation),
            -np.sin(elevation),
        ]
    )
    return Scene(
        camera,
        np.clip(background, 0.0, 255.0).astype(np.uint8),
        light,
        shade=float(visit.uniform(0.25, 0.42)),
    )


def _room_image(camera: Camera, width_px: int, height_px: int, rng: np.random.Generator) -> Floats:
    """A floor with tiles and a wall with panels and a picture, [h, w, 3]."""
    rows, columns = np.mgrid[0:height_px, 0:width_px]
    offsets = np.stack([columns, rows], axis=-1) - camera.centre_px
    rays = (
        np.concatenate([offsets / camera.focal_px, np.ones((height_px, width_px, 1))], axis=-1)
        @ camera.rotation
    )
    texture = _texture(rng)

    # The wall stands across the line of sight, behind the walkway.
    away = np.array([camera.rotation[2, 0], camera.rotation[2, 1], 0.0])
    away /= np.linalg.norm(away)
    along = np.array([-away[1], away[0], 0.0])
    wall_m = float(rng.uniform(2.6, 3.4)) - float(camera.position @ away)
    on_wall = camera.position + rays * (wall_m / (rays @ away))[..., None]
    across, up = on_wall @ along, on_wall[..., 2]
    wall = rng.uniform(138.0, 176.0) + rng.normal(0.0, 7.0, 3)
    panel = float(rng.uniform(0.7, 1.4))
    pattern = 16.0 * _sampled(texture, across, up) + 5.0 * np.sign(
        np.sin(2.0 * np.pi * across / panel)
    )
    image = wall + pattern[..., None]
    left, width = rng.uniform(-1.8, 0.8), rng.uniform(0.5, 1.1)
    bottom, height = rng.uniform(0.7, 1.3), rng.uniform(0.4, 0.8)
    picture = (np.abs(across - left - width / 2.0) < width / 2.0) & (
        np.abs(up - bottom - height / 2.0) < height / 2.0
    )
    image[picture] += rng.uniform(-34.0, 34.0, 3)
    image[(up > 0.0) & (up < 0.10)] -= 32.0

    descent = np.minimum(rays[..., 2], -1e-6)
    on_floor = camera.position - rays * (camera.position[2] / descent)[..., None]
    floor = up <= 0.0
    x, y = on_floor[floor][:, 0], on_floor[floor][:, 1]
    tone = rng.uniform(104.0, 140.0) + rng.normal(0.0, 6.0, 3)
    tile = float(rng.uniform(0.45, 0.8))
    seam = (np.minimum(x % tile, y % tile) < 0.03) * -14.0
    checker = 4.0 * np.where((x // tile + y // tile) % 2.0 == 0.0, 1.0, -1.0)
    image[floor] = tone + (20.0 * _sampled(texture, x, y) + seam + checker)[:, None]

    distance = (offsets**2).sum(axis=-1) / (offsets[0, 0] ** 2).sum()
    image *= (1.0 - 0.12 * distance)[..., None]
    return np.asarray(cv2.GaussianBlur(image, (3, 3), 0.7), np.float64)


def _texture(rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise of several grain sizes, about -1 to 1, that can be laid edge to edge."""
    texture = np.zeros((_TEXTURE_PX, _TEXTURE_PX), np.float32)
    for size, weight in ((8, 1.0), (32, 0.8), (128, 0.7), (512, 0.5)):
        grain = rng.standard_normal((size, size), np.float32)
        texture += weight * np.asarray(
            cv2.resize(grain, (_TEXTURE_PX, _TEXTURE_PX), interpolation=cv2.INTER_LINEAR)
        )
    return np.asarray(texture / (2.0 * texture.std()), np.float32)


def _sampled(texture: NDArray[np.float32], first_m: Floats, second_m: Floats) -> Floats:
    """The texture at places given in metres."""
    columns = (first_m * _TEXTURE_PX_PER_M).astype(np.int64) % _TEXTURE_PX
    rows = (second_m * _TEXTURE_PX_PER_M).astype(np.int64) % _TEXTURE_PX
    return texture[rows, columns].astype(np.float64)
