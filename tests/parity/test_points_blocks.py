"""Point clouds are normalised as in the published implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gait.data.transforms.normalise_points import NormalisePoints
from tests.parity import goldens

CASES = goldens.cases("blocks")


@pytest.mark.parametrize(
    ("name", "heights"),
    [
        ("PointCloudsTransform xyz_only scale_aware, no augmentation", True),
        ("PointCloudsTransform xyz_only, not scale aware", False),
    ],
)
def test_normalise_points(name: str, heights: bool) -> None:
    points = 3 * goldens.symmetric("public-v1|blocks|pc", (2, 50, 5))
    result = NormalisePoints(heights)(points.astype(np.float32), np.random.default_rng(0))
    assert result.dtype == np.float32
    goldens.assert_close(torch.from_numpy(result), CASES[name], 1e-5)
