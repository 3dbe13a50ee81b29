"""Scaling against whole numbers, which no processor rounds, and against OpenCV."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.prepare.scale import scale_columns

UNIT = 2**22


def weights(source_px: int, target_px: int) -> NDArray[np.object_]:
    """Weights in units of 2 ** -22, as Python's whole numbers, [target, source]."""
    table = np.full((target_px, source_px), 0, object)
    for row in range(target_px):
        position = Fraction(2 * row + 1, 2) * Fraction(source_px, target_px) - Fraction(1, 2)
        for place in range(position.__floor__() - 1, position.__floor__() + 3):
            d = abs(position - place)
            near = Fraction(5, 4) * d**3 - Fraction(9, 4) * d**2 + 1
            far = -Fraction(3, 4) * (d**3 - 5 * d**2 + 8 * d - 4)
            table[row, min(max(place, 0), source_px - 1)] += round(
                UNIT * (near if d <= 1 else far)
            )
    return table


def whole(figure: NDArray[np.uint8], height_px: int, width_px: int) -> NDArray[np.uint8]:
    columns, start = scale_columns(figure, height_px, width_px)
    scaled = np.zeros((height_px, width_px), np.uint8)
    scaled[:, start : start + columns.shape[1]] = columns
    return scaled


@pytest.mark.parametrize(
    "size", [(23, 31, 64, 86), (150, 40, 64, 17), (3, 5, 9, 2), (64, 9, 64, 9)]
)
def test_equals_sums_of_whole_numbers(size: tuple[int, int, int, int]) -> None:
    height_px, width_px, target_height_px, target_width_px = size
    figure = np.random.default_rng(height_px).integers(0, 256, (height_px, width_px), np.uint8)
    figure[:, : width_px // 3] = 0
    sums = weights(height_px, target_height_px) @ figure.astype(object)
    sums = sums @ weights(width_px, target_width_px).T
    rounded = [min(max(round(Fraction(each, UNIT**2)), 0), 255) for each in sums.ravel()]
    np.testing.assert_array_equal(
        whole(figure, target_height_px, target_width_px).ravel(), np.array(rounded, np.uint8)
    )


def test_sums_are_exact_at_the_largest_weights() -> None:
    """Half a pixel off along both axes, all white: the largest sums of magnitudes there are."""
    largest = 255 * (UNIT * 2 * (19 / 32 + 3 / 32)) ** 2
    assert largest < 2**53


def test_agrees_with_opencv_within_a_gray_level() -> None:
    figure = np.random.default_rng(0).integers(0, 256, (97, 150), np.uint8)
    wanted = cv2.resize(figure, (98, 64), interpolation=cv2.INTER_CUBIC).astype(int)
    assert abs(whole(figure, 64, 98) - wanted).max() <= 1


def test_only_the_columns_of_the_figure_are_made() -> None:
    figure = np.zeros((64, 300), np.uint8)
    figure[:, 100:110] = 255
    columns, start = scale_columns(figure, 64, 300)
    assert (start, columns.shape) == (98, (64, 13))
    assert (columns[:, 2:12] == 255).all() and not columns[:, [0, 1, -1]].any()
    assert scale_columns(np.zeros((64, 300), np.uint8), 64, 300)[0].shape == (64, 0)
