"""The shapes of silhouettes, against plain loops, and what is not like a walker."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.report import shapes
from gait.report.shapes import shapes_of

Image = NDArray[np.uint8]


def walker(number: int) -> Image:
    image = np.zeros((64, 64), np.uint8)
    cv2.circle(image, (32, 6), 6, 255, -1)
    cv2.ellipse(image, (32, 24), (7, 16), 0, 0, 360, 255, -1)
    for side in (-1, 1):
        foot = (32 + side * round(12 * np.sin(number / 2)), 62)
        cv2.line(image, (32, 36), foot, 255, 4)
    return image


def measured(frame: Image) -> tuple[float, float, float, float] | None:
    """Ratio, filled, loose and cut of one frame, pixel by pixel."""
    white = {(int(y), int(x)) for y, x in zip(*np.nonzero(frame > 127), strict=True)}
    if not white:
        return None
    ys, xs = [y for y, _ in white], [x for _, x in white]
    height, width = max(ys) - min(ys) + 1, max(xs) - min(xs) + 1
    largest, left = 0, set(white)
    while left:
        pending, size = [left.pop()], 0
        while pending:
            y, x = pending.pop()
            size += 1
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            pending += near
        largest = max(largest, size)
    sides = [sum((y, x) in white for y in range(len(frame))) for x in (0, frame.shape[1] - 1)]
    return (
        height / width,
        len(white) / (height * width),
        1 - largest / len(white),
        float(max(sides) > 0.1 * len(frame)),
    )


@pytest.mark.parametrize("block", [3, 2048])
def test_measures_are_those_of_plain_loops(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "_BLOCK_FRAMES", block)
    rng = np.random.default_rng(0)
    lengths = np.array([1, 7, 30, 8, 5])
    # As the store may have them in another order than the table.
    starts = np.array([43, 0, 13, 44, 7])
    frames = np.zeros((52, 64, 44), np.uint8)
    for number, frame in enumerate(frames):
        frame[:] = cv2.GaussianBlur(rng.integers(0, 256, (64, 44)).astype(np.uint8), (0, 0), 2)
        frame[:] = np.where(frame > 120 + number % 16, 255, frame // 3)
    frames[7:12] = 0
    frames[2] = 0
    found = shapes_of(frames, starts, lengths)
    for position, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        number = min(length, 8)
        chosen = [start + step * (length - 1) // max(number - 1, 1) for step in range(number)]
        loops = [each for each in (measured(frames[place]) for place in chosen) if each]
        expected = np.mean(loops, axis=0) if loops else [np.nan] * 4
        values = (found.ratio, found.filled, found.loose, found.cut)
        np.testing.assert_allclose([value[position] for value in values], expected, rtol=1e-9)
    assert found.faults(4) == ["nothing white in any frame"]


def drawn(kind: str) -> Image:
    image = np.zeros((64, 64), np.uint8)
    if kind == "ellipse":
        cv2.ellipse(image, (32, 32), (14, 32), 0, 0, 360, 255, -1)
    elif kind == "box":
        image[:, 20:44] = 255
    elif kind == "disc":
        cv2.circle(image, (32, 32), 31, 255, -1)
    elif kind == "column":
        image[:, 30:36] = 255
    elif kind == "two people":
        image = np.maximum(np.roll(walker(1), -16, 1), np.roll(walker(3), 16, 1))
    else:
        cv2.fillPoly(image, [np.array([(0, 63), (0, 20), (30, 0), (45, 63)])], 255)
    return image


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("ellipse", "of the box around it"),
        ("box", "fills 100 % of the box around it"),
        ("disc", "1.0 times as high as wide"),
        ("column", "10.7 times as high as wide"),
        ("two people", "% in further parts"),
        ("a building's corner", "touches a side in 100 % of its frames"),
    ],
)
def test_what_is_no_walker_has_a_fault_that_is_told(kind: str, fault: str) -> None:
    frames = np.stack([walker(number) for number in range(12)] + [drawn(kind)] * 12)
    found = shapes_of(frames, np.array([0, 12]), np.array([12, 12]))
    assert found.faults(0) == [] and found.number_of_faults[0] == 0
    assert any(fault in each for each in found.faults(1))
    assert found.number_of_faults[1] == len(found.faults(1))
