"""Skeleton maps against a slow statement of the same rules, and at their edges."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.prepare.modalities.skeleton_maps import LIMBS, area_weights, normalised, skeleton_maps


def walker(frames: int, seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    pose = np.zeros((frames, 17, 3))
    pose[..., 0] = 160.0 + rng.normal(0.0, 15.0, (frames, 17))
    pose[..., 1] = np.linspace(60.0, 180.0, 17) + rng.normal(0.0, 4.0, (frames, 17))
    pose[..., 2] = rng.uniform(0.3, 1.0, (frames, 17))
    return pose


def slow(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brightness of limbs and joints of one normalised frame, pixel by pixel, [2, 128, 128]."""
    lines = [[(a, b) for a, b in LIMBS], [(joint, joint) for joint in range(17)]]
    drawn = np.zeros((2, 128, 128))
    for channel, each in enumerate(lines):
        for a, b in each:
            start, end = pose[a, :2], pose[b, :2]
            bright = min(pose[a, 2], pose[b, 2])
            if ((end - start) ** 2).sum() < 1.0:
                end = start
            low, high = (
                edge.astype(int)
                for edge in (np.minimum(start, end) - 24.0, np.maximum(start, end) + 24.0)
            )
            for row in range(max(low[1], 0), min(high[1], 127) + 1):
                for column in range(max(low[0], 0), min(high[0], 127) + 1):
                    point = np.array([column, row]) - start
                    length = ((end - start) ** 2).sum()
                    share = np.clip(point @ (end - start) / length, 0, 1) if length else 0.0
                    away = ((point - share * (end - start)) ** 2).sum()
                    value = bright * np.exp(-away / 128.0)
                    drawn[channel, row, column] = max(drawn[channel, row, column], value)
    return drawn


def test_equals_the_slow_statement() -> None:
    pose = walker(2)
    pose[:, 15] = pose[:, 13]
    for frame, maps in zip(pose, skeleton_maps(pose, 64), strict=True):
        drawn = slow(normalised(frame[None])[0])
        for brightness, found in zip(drawn, maps, strict=True):
            levels = np.minimum(np.trunc(256.0 * brightness), 255.0)
            rows = np.flatnonzero(levels.any(axis=1))
            cut = levels[rows[0] : rows[-1] + 1]
            cut = cut[:, 64 - len(cut) // 2 : 65 + len(cut) // 2]
            down, across = (area_weights(size, 64) for size in cut.shape)
            wanted = down @ cut @ across.T / cut.size
            # One level is lost to the published table of grays, one to rounding down.
            assert abs(found - wanted).max() <= 2.01


def test_frames_do_not_depend_on_each_other() -> None:
    pose = walker(11)
    whole = skeleton_maps(pose, 64)
    for number, frame in enumerate(pose):
        np.testing.assert_array_equal(skeleton_maps(frame[None], 64)[0], whole[number])


def test_maps_do_not_depend_on_place_and_size_in_the_image() -> None:
    pose = walker(3)
    moved = pose * [2.0, 2.0, 1.0] + [64.0, 32.0, 0.0]
    np.testing.assert_array_equal(skeleton_maps(pose, 64), skeleton_maps(moved, 64))


@pytest.mark.parametrize("size_px", [64, 128])
def test_what_cannot_be_drawn_is_black(size_px: int) -> None:
    pose = walker(4)
    pose[0, :, 2] = 0.0
    pose[1] = 0.0
    pose[2, :, 1] = 100.0
    maps = skeleton_maps(pose, size_px)
    assert maps.shape == (4, 2, size_px, size_px)
    assert [bool(each.any()) for each in maps] == [False, False, False, True]
    assert skeleton_maps(np.zeros((2, 17, 3)), size_px).max() == 0


def test_a_joint_far_off_is_drawn_as_far_as_the_canvas_goes() -> None:
    pose = walker(2)
    pose[0, 9, :2] = [9000.0, 120.0]
    pose[1, 9, :2] = [-9000.0, 120.0]
    assert skeleton_maps(pose, 64).any(axis=(1, 2, 3)).all()


def test_an_unknown_joint_comes_from_the_frames_most_like_it() -> None:
    pose = np.repeat(walker(1), 6, axis=0)
    pose[:, :, 0] += np.arange(6)[:, None]
    pose[2, 9, :2] = 0.0
    found = normalised(pose)
    wanted = pose.copy()
    # Frames 1 and 3 are one pixel away, 0 and 4 two pixels: their weights.
    wanted[2, 9, :2] = np.average(pose[[1, 3, 0, 4], 9, :2], axis=0, weights=[2, 2, 1, 1])
    np.testing.assert_allclose(found, normalised(wanted), atol=1e-6)
    # Known in no frame: nothing can be completed.
    pose[:, 9, :2] = 0.0
    assert np.isfinite(normalised(pose)).all()


def test_many_frames_are_completed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    pose = generator.uniform(1, 100, (40, 17, 3))
    pose[generator.random((40, 17)) < 0.2] = 0
    whole = normalised(pose)
    monkeypatch.setattr("gait.prepare.modalities.skeleton_maps._DISTANCES", 40 * 7)
    np.testing.assert_allclose(normalised(pose), whole, rtol=1e-9)


def test_area_weights_share_out_each_pixel() -> None:
    weights = area_weights(97, 64)
    assert (weights.sum(axis=1) == 97).all() and (weights.sum(axis=0) == 64).all()
    np.testing.assert_array_equal(area_weights(4, 2), [[2, 2, 0, 0], [0, 0, 2, 2]])
