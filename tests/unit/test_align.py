"""Alignment of silhouettes, against a slow statement of the same rules."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.errors import DataError
from gait.prepare.silhouettes.align import align


def slow(frame: NDArray[np.uint8], size: int) -> NDArray[np.uint8] | None:
    """One frame, column by column."""
    if int(frame.astype(np.int64).sum()) <= 10000:
        return None
    rows = [row for row in range(frame.shape[0]) if frame[row].any()]
    figure = frame[rows[0] : rows[-1] + 1]
    width = int(size * (figure.shape[1] / figure.shape[0]))
    scaled = cv2.resize(figure, (width, size), interpolation=cv2.INTER_CUBIC)
    figure = np.asarray(scaled, np.uint8)
    total, running, centre = int(figure.astype(np.int64).sum()), 0, -1
    for column in range(width):
        running += int(figure[:, column].astype(np.int64).sum())
        if 2 * running > total:
            centre = column
            break
    if centre <= 0:
        return None
    half = size // 2
    window = np.zeros((size, 2 * half), np.uint8)
    for column in range(centre - half, centre + half):
        if 0 <= column < width:
            window[:, column - centre + half] = figure[:, column]
    return window


def blobs(count: int, seed: int) -> list[NDArray[np.uint8]]:
    """Frames of several sizes, each with a few gray ellipses, some of them nearly empty."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        height, width = (int(each) for each in rng.choice([33, 64, 97, 150, 240], 2))
        frame = np.zeros((height, width), np.uint8)
        for _ in range(int(rng.integers(1, 4))):
            centre = (int(rng.integers(width)), int(rng.integers(height)))
            axes = (int(rng.integers(1, 25)), int(rng.integers(1, 60)))
            cv2.ellipse(frame, centre, axes, 0, 0, 360, int(rng.integers(2, 256)), -1)
        frames.append(frame)
    return frames


@pytest.mark.parametrize("size_px", [64, 128, 96, 30, 63])
def test_equals_the_slow_statement(size_px: int) -> None:
    frames = blobs(60, seed=size_px)
    wanted = [slow(frame, size_px) for frame in frames]
    aligned = align(frames, size_px)
    kept = [position for position, frame in enumerate(wanted) if frame is not None]
    assert 0 < len(kept) < len(frames)
    assert aligned.kept.tolist() == kept
    assert sum(aligned.dropped.values()) == len(frames) - len(kept)
    for frame, position in zip(aligned.frames, kept, strict=True):
        np.testing.assert_array_equal(frame, wanted[position])


def test_an_array_equals_a_list_of_its_frames() -> None:
    frames = np.zeros((5, 120, 160), np.uint8)
    for number, frame in enumerate(frames):
        cv2.ellipse(frame, (30 + 20 * number, 60), (15, 50), 0, 0, 360, 255, -1)
    frames[2] = 0
    from_array, from_list = align(frames, 64), align(list(frames), 64)
    np.testing.assert_array_equal(from_array.frames, from_list.frames)
    assert from_array.kept.tolist() == from_list.kept.tolist() == [0, 1, 3, 4]
    strided = np.zeros((10, 240, 320), np.uint8)
    strided[::2, ::2, ::2] = frames
    np.testing.assert_array_equal(align(strided[::2, ::2, ::2], 64).frames, from_list.frames)


def test_the_result_is_uint8_square_and_in_order() -> None:
    frames = np.zeros((3, 100, 100), np.uint8)
    for number, frame in enumerate(frames):
        frame[10:90, 40 : 60 + 5 * number] = 255
    aligned = align(frames, 64)
    assert aligned.frames.shape == (3, 64, 64)
    assert aligned.frames.dtype == np.uint8
    areas = np.count_nonzero(aligned.frames, axis=(1, 2))
    assert all(before < after for before, after in pairwise(areas))


@pytest.mark.parametrize(("white", "reason"), [(39, "too few pixels"), (40, "")])
def test_forty_white_pixels_are_enough(white: int, reason: str) -> None:
    frame = np.zeros((60, 50), np.uint8)
    frame[10 : 10 + white, 25] = 255
    aligned = align([frame], 64)
    assert aligned.dropped == ({reason: 1} if reason else {})
    assert len(aligned.frames) == (not reason)


@pytest.mark.parametrize("height", [120, 1080])
def test_masks_of_zeros_and_ones_are_named(height: int) -> None:
    frame = np.zeros((height, height), np.uint8)
    frame[height // 4 : height // 2, height // 4 : height // 2] = 1
    assert (int(frame.sum()) > 10000) == (height == 1080)
    assert align([frame], 64).dropped == {"values 0/1 instead of 0/255": 1}
    assert align([frame * np.uint8(255)], 64).dropped == {}


def test_each_reason_is_told() -> None:
    empty = np.zeros((100, 100), np.uint8)
    at_edge = empty.copy()
    at_edge[:80, 0] = 255
    thin = np.full((300, 3), 255, np.uint8)
    # Scaled down thirtyfold without smoothing, these rows fall between the samples.
    sparse = np.zeros((2000, 100), np.uint8)
    sparse[[0, 1999]] = 255
    aligned = align([empty, at_edge, thin, sparse, empty], 64)
    assert aligned.dropped == {
        "centre at the left edge": 1,
        "lost in scaling": 1,
        "too few pixels": 2,
        "too narrow": 1,
    }
    assert aligned.frames.shape == (0, 64, 64)
    assert aligned.kept.tolist() == []


@pytest.mark.parametrize("frames", [[], np.empty((0, 240, 320), np.uint8)])
def test_no_frames_give_no_frames(frames: list[NDArray[np.uint8]]) -> None:
    aligned = align(frames, 64)
    assert aligned.frames.shape == (0, 64, 64)
    assert aligned.dropped == {}


@pytest.mark.parametrize(
    ("frames", "received"),
    [
        ([np.zeros((9, 9), np.float32)], "frame 0.*float32 \\[9, 9\\]"),
        ([np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.uint8)], "frame 1.*uint8 \\[9, 9, 3"),
        (np.zeros((2, 9, 9), np.bool_), "frame 0.*bool \\[9, 9\\]"),
    ],
)
def test_anything_but_gray_frames_is_refused(
    frames: list[NDArray[np.uint8]], received: str
) -> None:
    with pytest.raises(DataError, match=f"{received}") as caught:
        align(frames, 64)
    assert "uint8 [h, w]" in str(caught.value)
