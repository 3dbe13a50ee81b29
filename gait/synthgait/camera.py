"""A perspective camera, and the outlines that ellipsoids and their hulls have in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gait.synthgait.figure import Figure
from gait.synthgait.traits import Floats

# Corners of an outline.
CORNERS = 20
DISTANCE_M = 6.5
# Focal length as a share of the frame's height: a figure fills about half of it.
FOCAL = 1.80


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera without distortion.

    Attributes:
        position: in metres, [3].
        rotation: rows are the image's right, the image's down and the line of sight, [3, 3].
        focal_px: focal length.
        centre_px: column and row of the optical axis, [2].
    """

    position: Floats
    rotation: Floats
    focal_px: float
    centre_px: Floats

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Pixels [..., 2] and distances along the line of sight [...] of points [..., 3]."""
        seen = (points - self.position) @ self.rotation.T
        depth = seen[..., 2]
        return self.focal_px * seen[..., :2] / depth[..., None] + self.centre_px, depth

    def outlines(
        self, centres: Floats, axes: Floats, members: NDArray[np.intp]
    ) -> tuple[Floats, Floats]:
        """Outlines of convex hulls of ellipsoids.

        An ellipsoid is seen as an ellipse, to first order of its size over its distance. Corner
        k of a hull is the point of its ellipses that lies farthest in direction k.

        Args:
            centres: [s, ellipsoids, 3] in metres.
            axes: semi-axes as columns, [s, ellipsoids, 3, 3] in metres.
            members: the ellipsoids of each hull, [parts, m].

        Returns:
            Corners [s, parts, CORNERS, 2] in pixels, and the mean distance [s, parts] in metres.
        """
        pixels, depth = self.project(centres)
        slope = (pixels - self.centre_px) / self.focal_px
        turned = self.rotation @ axes
        flat = turned[..., :2, :] - slope[..., None] * turned[..., 2:, :]
        flat *= (self.focal_px / depth)[..., None, None]

        angle = 2.0 * np.pi * np.arange(CORNERS) / CORNERS
        directions = np.stack([np.cos(angle), np.sin(angle)])
        across = np.swapaxes(flat, -1, -2) @ directions
        reach = np.maximum(np.linalg.norm(across, axis=-2), 1e-9)
        corners = np.swapaxes(flat @ (across / reach[..., None, :]), -1, -2) + pixels[..., None, :]
        support = reach + pixels @ directions

        farthest = support[:, members].argmax(axis=2)
        ellipsoid = members[np.arange(len(members))[:, None], farthest]
        frames = np.arange(len(centres))[:, None, None]
        chosen = corners[frames, ellipsoid, np.arange(CORNERS)]
        return chosen, depth[:, members].mean(axis=-1)


def place_camera(view_deg: int, width_px: int, height_px: int, rng: np.random.Generator) -> Camera:
    """A camera that looks at the origin from `view_deg`, set up a little differently each time.

    At 0 degrees it stands where walkers go to, at 90 at their right, at 180 behind them.
    """
    angle = np.radians(view_deg)
    distance = DISTANCE_M + rng.normal(0.0, 0.12)
    position = np.array([distance * np.cos(angle), -distance * np.sin(angle), 1.30])
    position[2] += rng.normal(0.0, 0.04)
    aim = np.array([0.0, 0.0, 0.92]) + rng.normal(0.0, (0.10, 0.10, 0.03))
    forward = (aim - position) / np.linalg.norm(aim - position)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    return Camera(
        position,
        np.stack([right, down, forward]),
        FOCAL * height_px,
        np.array([width_px / 2.0 - 0.5, height_px / 2.0 - 0.5]),
    )


def shadow_of(figure: Figure, light: Floats) -> Figure:
    """The figure's shadow on the ground.

    Args:
        figure: what stands in the light.
        light: the direction [3] that light travels in, downwards.
    """
    flatten = np.eye(3)
    flatten[:, 2] -= light / light[2]
    return Figure(figure.centres @ flatten.T, flatten @ figure.axes, figure.parts)
