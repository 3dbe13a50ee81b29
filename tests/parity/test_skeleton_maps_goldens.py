"""Skeleton maps are those of the published program, within one gray level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.prepare.modalities.joints import OPENPOSE_TO_COCO
from gait.prepare.modalities.skeleton_maps import normalised, skeleton_maps

GOLDENS = Path(__file__).parent / "goldens" / "pretreat"


def stored(name: str) -> dict[str, NDArray[np.float64]]:
    """Arrays by sequence, `subject|condition|view`."""
    with np.load(GOLDENS / name) as arrays:
        return {"|".join(key.split("|")[:3]): arrays[key] for key in arrays.files}


def poses(layout: str) -> dict[str, NDArray[np.float64]]:
    found = stored("inputs_pose.npz")
    return found if layout == "coco17" else {key: openpose(pose) for key, pose in found.items()}


def openpose(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same pose in OpenPose's order, the neck between the shoulders."""
    joints = np.zeros((len(pose), 18, 3))
    joints[:, OPENPOSE_TO_COCO] = pose
    joints[:, 1] = pose[:, 5:7].mean(axis=1)
    return joints


@pytest.mark.parametrize("layout", ["coco17", "coco18"])
def test_maps_differ_by_one_gray_level_at_most(layout: str) -> None:
    given = poses(layout)
    for key, wanted in stored(f"out_heatmap_{layout}.npz").items():
        found = skeleton_maps(given[key], 64)
        assert found.shape == wanted.shape and found.dtype == np.uint8
        differing = abs(found.astype(int) - wanted)
        # A level goes through shares of 1 in the published program, which round down now and then.
        assert differing.max() <= 1 and differing.mean() < 0.02, key


@pytest.mark.parametrize("layout", ["coco17", "coco18"])
def test_poses_are_completed_and_centred_alike(layout: str) -> None:
    given = poses(layout)
    for key, wanted in stored(f"out_heatmap_{layout}_normalised_pose.npz").items():
        np.testing.assert_allclose(normalised(given[key]), wanted, atol=1e-9, err_msg=key)
