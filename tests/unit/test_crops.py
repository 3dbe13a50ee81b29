"""Colour crops; the vectors in tests/parity hold their pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.errors import DataError
from gait.prepare.modalities.crops import letterboxed, stretched, trimmed


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(20, 256, (height, width, 3), np.uint8)


def test_a_squeezed_crop_is_scaled_and_its_channels_are_red_green_blue() -> None:
    image = picture(50, 20)
    crops = stretched([image, image[:20]], 128)
    assert crops.frames.shape == (2, 3, 128, 128)
    blue = cv2.resize(image, (128, 128), interpolation=cv2.INTER_LINEAR)[..., 0]
    np.testing.assert_array_equal(crops.frames[0, 2], blue)
    np.testing.assert_array_equal(crops.ratio, [20 / 50, 1.0])
    assert crops.kept.tolist() == [0, 1]


def test_black_around_a_walker_is_cut_off() -> None:
    inside = picture(30, 12)
    padded = np.pad(inside, ((5, 8), (3, 20), (0, 0)), constant_values=15)
    black = np.full((9, 9, 3), 15, np.uint8)
    crops = trimmed([black, padded, inside], 64)
    np.testing.assert_array_equal(crops.frames[0], crops.frames[1])
    np.testing.assert_array_equal(crops.ratio, [12 / 30, 12 / 30])
    assert crops.kept.tolist() == [1, 2]
    assert crops.problems == {0: "nothing but black"}


@pytest.mark.parametrize("width", [1, 7, 20, 31, 32, 33, 90])
def test_a_fitted_image_stands_in_the_middle(width: int) -> None:
    image = picture(64, width)
    frame = letterboxed([image], 64, 32).frames[0]
    left = (32 - width) // 2
    wanted = np.zeros((64, 32, 3), np.uint8)
    for column in range(32):
        if 0 <= column - left < width:
            wanted[:, column] = image[:, column - left, ::-1]
    np.testing.assert_array_equal(frame, wanted.transpose(2, 0, 1))


def test_what_no_column_is_left_of_is_dropped() -> None:
    crops = letterboxed([picture(600, 2), picture(60, 20)], 256, 128)
    assert crops.problems == {0: "too narrow"}
    assert crops.kept.tolist() == [1]
    assert len(crops.frames) == len(crops.ratio) == 1


def test_images_may_come_one_by_one() -> None:
    images = [np.full((9, 5 + each % 3, 3), 40 * (each % 5), np.uint8) for each in range(150)]
    at_once, streamed = trimmed(images, 8), trimmed(iter(images), 8)
    assert at_once.problems == streamed.problems and len(at_once.problems) == 30
    for name in ("frames", "ratio", "kept"):
        np.testing.assert_array_equal(getattr(at_once, name), getattr(streamed, name))


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_anything_but_colours_is_refused(image: NDArray[np.uint8]) -> None:
    with pytest.raises(DataError, match=r"image 1: expected colours uint8 \[h, w, 3\], got"):
        stretched([picture(4, 4), image], 64)
