"""Depth images of point clouds, against a slow statement of the same rules."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.errors import DataError
from gait.prepare.modalities.depth import depth_images
from gait.prepare.silhouettes.align import DEPTH, align


def colour(level: float) -> tuple[int, int, int]:
    """Blue, green and red, each rising and falling along straight lines."""
    number = min(int(level * 256), 255) / 255

    def between(*corners: tuple[float, float]) -> int:
        xs, ys = zip(*corners, strict=True)
        return int(np.interp(number, xs, ys) * 255)

    return (
        between((0, 0.5), (0.11, 1), (0.34, 1), (0.65, 0), (1, 0)),
        between((0.125, 0), (0.375, 1), (0.64, 1), (0.91, 0)),
        between((0.35, 0), (0.66, 1), (0.89, 1), (1, 0.5)),
    )


def panorama(cloud: NDArray[np.float64]) -> NDArray[np.uint8]:
    """All that the sensor sees, point by point."""
    image = np.zeros((202, 1879, 3), np.uint8)
    distances = [math.hypot(x, y) for x, y, _ in cloud]
    near, far = min(distances), max(distances)
    for place in sorted(range(len(cloud)), key=lambda each: -distances[each]):
        x, y, z = cloud[place]
        column = math.degrees(math.atan2(y, -x)) / 0.19188 + 938.1
        row = 200 - (math.degrees(math.atan2(z, distances[place])) / 0.2 + 125)
        if not 0 <= row <= 200:
            continue
        for down in range(int(row) - 1, int(row) + 2):
            for across in range(int(column) - 1, int(column) + 2):
                apart = math.hypot(down + 0.5 - row, across + 0.5 - column)
                if apart <= 100 / 144 or (down, across) == (int(row), int(column)):
                    image[down, across] = colour((far - distances[place]) / (far - near))
    return image


def walker(seed: int, azimuth_deg: float = 0.0, points: int = 300) -> NDArray[np.float64]:
    """A cloud of a walker's size, eight metres away, seen at an angle from straight ahead."""
    rng = np.random.default_rng(seed)
    azimuth = np.radians(azimuth_deg + rng.normal(0.0, 1.0, points))
    distance = rng.uniform(7.8, 8.3, points)
    height = rng.uniform(-1.2, 0.5, points)
    return np.stack([-distance * np.cos(azimuth), distance * np.sin(azimuth), height], axis=1)


@pytest.mark.parametrize("azimuth_deg", [0.0, -70.0, 120.0])
def test_equals_the_slow_statement(azimuth_deg: float) -> None:
    clouds = [walker(seed, azimuth_deg) for seed in range(4)]
    found = depth_images(clouds, 64)
    assert found.frames.shape == (4, 3, 64, 64)
    assert found.frames.dtype == np.uint8
    for cloud, frame in zip(clouds, found.frames, strict=True):
        wanted = panorama(cloud)
        filled = np.flatnonzero(wanted.any(axis=(0, 2)))
        rows = np.flatnonzero(wanted.any(axis=(1, 2)))
        margin = 2 * (rows[-1] + 1 - rows[0])
        cut = wanted[:, filled[0] : filled[-1] + 1]
        padded = np.pad(cut, ((0, 0), (margin, margin), (0, 0)))
        aligned = align([padded], 64, DEPTH).frames[0]
        np.testing.assert_array_equal(frame, aligned.transpose(2, 0, 1))


def test_the_nearest_point_is_seen_in_red_and_the_farthest_in_blue() -> None:
    wall = np.array([[-9.0, y, z] for y in np.linspace(-1, 1, 60) for z in np.linspace(-1, 1, 90)])
    front = np.array([[-7.0, y, z] for y in np.linspace(0, 1, 60) for z in np.linspace(-1, 1, 90)])
    for cloud in (np.concatenate([wall, front]), np.concatenate([front, wall])):
        blue, _, red = depth_images([cloud], 64).frames[0]
        # Left of the image is right of y = 0, as the sensor turns.
        centre = 32
        assert (blue[10:50, centre - 16 : centre - 8] > 100).all()
        assert (red[10:50, centre + 8 : centre + 16] > 100).all()
        assert not (blue[10:50, centre + 8 : centre + 16] > 100).any()


def test_the_order_of_points_and_their_type_change_nothing() -> None:
    cloud = walker(1)
    shuffled = np.random.default_rng(0).permutation(cloud)
    first, second = depth_images([cloud, shuffled], 64).frames
    np.testing.assert_array_equal(first, second)
    single = depth_images([cloud.astype(np.float32)], 64).frames[0]
    assert np.count_nonzero(single != first) < 0.02 * first.size


def test_clouds_with_nothing_to_see_are_dropped_and_counted() -> None:
    above = np.array([[-1.0, 0.0, 5.0]])
    found = depth_images([walker(0), np.zeros((0, 3)), walker(1), above], 64)
    assert found.kept.tolist() == [0, 2]
    assert found.dropped == {"no point in the sensor's field of view": 2}
    assert depth_images([], 64).frames.shape == (0, 3, 64, 64)


def test_points_that_are_equally_far_are_blue() -> None:
    cloud = np.array([[-8.0, 0.0, z] for z in np.linspace(-1, 1, 50)])
    blue, green, red = depth_images([cloud], 64).frames[0]
    assert blue.any() and not green.any() and not red.any()


@pytest.mark.parametrize(
    "cloud",
    [np.zeros((4, 2)), np.zeros((4, 3), np.int64), np.full((4, 3), np.nan), np.zeros(3)],
)
def test_anything_but_points_is_refused(cloud: NDArray[np.float64]) -> None:
    with pytest.raises(DataError, match="cloud 1: expected points"):
        depth_images([walker(0), cloud], 64)
