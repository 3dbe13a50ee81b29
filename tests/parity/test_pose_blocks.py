"""Graphs and inputs of pose models agree with the published implementation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gait.compat.converters import by_model
from gait.data.transforms.gait_graph_input import GaitGraphInput
from gait.data.transforms.gait_tr_input import GaitTRInput
from gait.data.transforms.msgg_input import MsGGInput
from gait.data.transforms.normalize_empty import NormalizeEmpty
from gait.layers.graph import hop_adjacency
from gait.models.msgg import LEVELS, inward_adjacency
from gait.skeleton import graph_streams, skeleton_of
from tests.parity import goldens

CASES = goldens.cases("blocks")
RNG = np.random.default_rng(0)
SKELETONS = {"coco": 17, "coco-no-head": 12, "alphapose": 18}


def poses() -> np.ndarray:
    made = 20 * goldens.symmetric("public-v1|blocks|pose", (7, 17, 3))
    made[..., 2] = goldens.uniform("public-v1|blocks|conf", (7, 17))
    return made.astype(np.float32)


def weighted_sum(matrices: Tensor) -> float:
    """What the goldens show of large matrices: a sum weighted by row, column and matrix."""
    kind, row, column = np.indices(matrices.shape)
    return float((matrices.numpy() * (row + 2 * column + 3 * kind)).sum())


@pytest.mark.parametrize("name", SKELETONS)
def test_hop_adjacency(name: str) -> None:
    golden = CASES[f"Graph {name} max_hop=3"]
    skeleton = skeleton_of(SKELETONS[name])
    adjacency = hop_adjacency(skeleton.edges, SKELETONS[name], 3)
    assert list(adjacency.shape) == golden["shape"]
    assert adjacency.sum((1, 2)).tolist() == pytest.approx(golden["sum_per_hop"], rel=1e-6)
    assert adjacency.sum((0, 1)).tolist() == pytest.approx(golden["column_sums"], rel=1e-6)
    assert weighted_sum(adjacency) == pytest.approx(golden["weighted_sum(i+2j+3k)"], rel=1e-6)
    if "nonzero[hop,row,col,value]" in golden:
        expected = torch.zeros(golden["shape"])
        for hop, row, column, value in golden["nonzero[hop,row,col,value]"]:
            expected[hop, row, column] = value
        torch.testing.assert_close(adjacency, expected)
    assert skeleton.centre == golden["center"]
    if golden["flip_idx"] is not None:
        assert skeleton.mirrored == golden["flip_idx"]
        assert list(skeleton.connected) == golden["connect_joint"]


@pytest.mark.parametrize("level", [0, 1, 2])
def test_inward_adjacency(level: int) -> None:
    golden = CASES[f"MsGG SpatialGraph gait_temporal level {level}"]
    adjacency = inward_adjacency(*LEVELS[level])
    assert list(adjacency.shape) == golden["shape"]
    assert adjacency.sum((1, 2)).tolist() == pytest.approx(golden["sum_per_part"], rel=1e-6)
    assert weighted_sum(adjacency) == pytest.approx(golden["weighted_sum(i+2j+3k)"], rel=1e-6)
    if "values" in golden:
        torch.testing.assert_close(adjacency, torch.tensor(golden["values"]))


def empty(made: np.ndarray) -> np.ndarray:
    made[2, 3, 0] = made[5, 9, 0] = 0
    return made


@pytest.mark.parametrize(
    ("name", "compute"),
    [
        ("GaitGraphMultiInput coco", lambda given: GaitGraphInput()(given, RNG)),
        ("GaitTRMultiInput coco", lambda given: GaitTRInput()(given, RNG)),
        ("MSGGTransform coco", lambda given: MsGGInput()(given, RNG)),
        ("NormalizeEmpty", lambda given: NormalizeEmpty()(empty(given), RNG)),
        (
            "GaitGraph2 test-time MultiInput",
            lambda given: graph_streams(torch.from_numpy(given), skeleton_of(17).centre).numpy(),
        ),
    ],
)
def test_transform(name: str, compute: Callable[[np.ndarray], np.ndarray]) -> None:
    golden = CASES[name]
    found = compute(poses())
    assert found.dtype == np.float32
    goldens.assert_close(torch.from_numpy(found).view(golden["shape"]), golden, 1e-5)


@pytest.mark.parametrize(
    ("name", "model", "transform"),
    [
        ("GaitGraph1Input", "GaitGraph1", None),
        ("GaitTRMultiInput + SkeletonInput", "GaitTR", GaitTRInput()),
    ],
)
def test_foreign_layout_is_taken_apart(name: str, model: str, transform: Any) -> None:
    ours = torch.from_numpy(poses() if transform is None else transform(poses(), RNG))
    channels_at = CASES[name]["shape"].index(ours.shape[2])
    foreign = ours.movedim(2, channels_at).unsqueeze(3)
    goldens.assert_close(foreign, CASES[name], 1e-5)
    (returned,) = by_model(model).inputs([foreign.unsqueeze(0)], False)
    assert torch.equal(returned[0], ours)
