"""Point clouds: sampling, grouping, pooling, augmentation and the model made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gait import registry
from gait.data.transforms._points import Points
from gait.data.transforms.normalise_points import NormalisePoints
from gait.data.transforms.random_drop_points import RandomDropPoints
from gait.data.transforms.random_sample_points import RandomSamplePoints
from gait.errors import ConfigError
from gait.layers.point_pooling import PointMaximum, PointPartPooling, PointVlad
from gait.layers.points import farthest_points, nearest_points, points_in_ball, take_points
from gait.layers.set_abstraction import SetAbstraction
from gait.ragged import Ragged
from gait.types import ModelOutput

AUGMENTATIONS = [f"Random{kind}Points" for kind in ("Flip", "Scale", "Shift", "Jitter", "Drop")]


def clouds(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def walk(s: int = 3, points: int = 64, seed: int = 0) -> Tensor:
    """A packed sequence [1, s, N, 4] as the model sees it."""
    metres = np.random.default_rng(seed).normal(size=(s, points, 3)) * [0.3, 0.3, 0.6]
    frames = NormalisePoints()(metres.astype(np.float32), np.random.default_rng(0))
    return torch.from_numpy(frames).unsqueeze(0)


def built(**changes: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    settings = {"name": "LidarGaitPP", "channels": 4, "points": [32, 16, 16], "neighbours": 8}
    model: torch.nn.Module = registry.build("model", settings | changes, num_classes=3)
    return model


def tensors(output: ModelOutput) -> dict[str, Tensor]:
    return {"embeddings": output.embeddings, **output.fields}


def test_farthest_points_are_those_of_the_greedy_definition() -> None:
    points = clouds(2, 3, 20)
    for cloud, found in zip(points, farthest_points(points, 6), strict=True):
        taken = [0]
        while len(taken) < 6:
            distances = torch.cdist(cloud.t(), cloud[:, taken].t())
            taken.append(int(distances.amin(1).argmax()))
        assert found.tolist() == taken


def test_more_points_than_there_are() -> None:
    points = clouds(1, 3, 4)
    assert set(farthest_points(points, 6)[0].tolist()) == {0, 1, 2, 3}
    assert nearest_points(points, points, 9).shape == (1, 4, 4)
    assert points_in_ball(points, points, 9, 1.0).shape == (1, 4, 4)


def test_nearest_points() -> None:
    centres, points = clouds(2, 3, 5), clouds(2, 3, 20, seed=1)
    found = nearest_points(centres, points, 4).sort(2).values
    distances = torch.cdist(centres.transpose(1, 2), points.transpose(1, 2))
    assert torch.equal(found, distances.argsort(2)[:, :, :4].sort(2).values)


def test_points_in_a_ball_are_the_first_and_then_repeat() -> None:
    points = torch.zeros(1, 3, 6)
    points[0, 0] = torch.tensor([5.0, 0.1, 5.1, 0.2, 0.3, 9.0])
    centres = torch.zeros(1, 3, 3)
    centres[0, 0] = torch.tensor([0.0, 5.0, 8.0])
    found = points_in_ball(centres, points, 2, 0.5)
    # An empty ball gives the nearest point.
    assert found.tolist() == [[[1, 3], [0, 2], [5, 5]]]
    assert points_in_ball(centres, points, 3, 0.5)[0, 1].tolist() == [0, 2, 0]


@pytest.mark.parametrize("radius", [None, 0.4])
def test_set_abstraction_is_the_layers_on_relative_coordinates(radius: float | None) -> None:
    layer = SetAbstraction(8, 5, radius, 0.2, 4, 2, [6, 6, 7]).eval()
    points, features = clouds(2, 4, 30), clouds(2, 2, 30, seed=1)
    centres, found = layer(points, features)
    places = points[:, :3]
    assert torch.equal(centres, take_points(points, farthest_points(places, 8)))
    if radius is None:
        groups = nearest_points(centres[:, :3], places, 5)
    else:
        groups = points_in_ball(centres[:, :3], places, 5, radius)
    relative = (take_points(points, groups) - centres.unsqueeze(3)) / 0.2
    values = torch.cat([relative, take_points(features, groups)], 1)
    expected = layer.layers(values.flatten(2)).unflatten(2, (8, 5)).amax(3)
    torch.testing.assert_close(found, expected)


def test_slices_by_hand() -> None:
    features = torch.tensor([[[1.0, 2.0, 3.0, 6.0]]])
    points = torch.zeros(1, 4, 4)
    # The border between two slices is at 1 m, and belongs to the lower.
    points[0, 3] = torch.tensor([0.5, 1.0, 1.5, 2.5])
    points[0, 2] = torch.tensor([-1.0, 0.2, 0.3, 1.0])
    pools = {kind: PointPartPooling([1, 2], kind) for kind in ("PPP_HAP", "PPP_UAP", "PPP_UDP")}
    found = {kind: pool(points, features).flatten().tolist() for kind, pool in pools.items()}
    assert found["PPP_HAP"] == [9.0, 3.5, 10.5]
    assert found["PPP_UAP"] == pytest.approx([9.0, 2.0, 6 + 11 / 3])
    assert found["PPP_UDP"] == [9.0, 3.5, 10.5]
    points[0, 3] = 0.5
    assert pools["PPP_HAP"](points, features).flatten().tolist() == [9.0, 9.0, 0.0]


def test_even_slices_follow_each_cloud_and_not_the_first() -> None:
    pool = PointPartPooling([1, 2, 4], "PPP_UAP")
    points, features = clouds(2, 4, 30), clouds(2, 5, 30, seed=1)
    points[1] *= 3
    together = pool(points, features)
    alone = [pool(points[i : i + 1], features[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_other_poolings() -> None:
    points, features = clouds(2, 4, 30), clouds(2, 5, 30, seed=1)
    assert torch.equal(PointMaximum()(points, features), features.amax(2, keepdim=True))
    vlad = PointVlad(5, 3)
    parts = vlad(points, features)
    assert parts.shape == (2, 5, vlad.parts)
    torch.testing.assert_close(parts.flatten(1).norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("grouping", ["knn", "ball"])
@pytest.mark.parametrize("pooling", ["PPP_HAP", "PPP_UAP", "PPP_UDP", "GMaxP", "VLAD"])
def test_packed_and_batched_walks_are_as_one_by_one(pooling: str, grouping: str) -> None:
    model = built(pooling=pooling, grouping=grouping).eval()
    first, second, third = walk(3), walk(1, seed=1), walk(3, seed=2)
    with torch.no_grad():
        alone = [model([each]) for each in (first, second, third)]
        packed = model([torch.cat([first, second, third], 1)], [3, 1, 3])
        batched = model([torch.cat([first, third])])
    parts = {"GMaxP": 1, "VLAD": 16}.get(pooling, 31)
    assert packed.embeddings.shape == (3, 256, parts)
    for field, value in tensors(packed).items():
        torch.testing.assert_close(value, torch.cat([each[field] for each in alone]))
        torch.testing.assert_close(batched[field], value[[0, 2]])


@pytest.mark.parametrize("pooling", ["PPP_HAP", "VLAD"])
def test_every_parameter_gets_a_gradient(pooling: str) -> None:
    model = built(pooling=pooling).train()
    output = model([torch.cat([walk(2, seed=seed) for seed in range(4)])])
    generator = torch.Generator().manual_seed(2)
    values = tensors(output).values()
    sum((each * torch.rand(each.shape, generator=generator)).sum() for each in values).backward()
    assert [key for key, each in model.named_parameters() if each.grad is None] == []
    assert [key for key, each in model.named_parameters() if not each.grad.any()] == []


def test_without_heights() -> None:
    model = built(scale_aware=False, pooling="PPP_UAP").eval()
    assert model([walk()[..., :3]]).embeddings.shape == (1, 256, 31)
    with pytest.raises(ValueError, match=r"expected \[n, s, N, 3\]"):
        model([walk()])
    with pytest.raises(ConfigError, match="set scale_aware"):
        built(scale_aware=False)


@pytest.mark.parametrize("change", [{"pooling": "PPP"}, {"grouping": "fnn"}, {"points": [8]}])
def test_settings_that_are_none(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"model.{next(iter(change))}"):
        built(**change)


def test_clouds_of_one_place_are_finite() -> None:
    points = np.ones((2, 16, 3), dtype=np.float32)
    frames = NormalisePoints()(points, np.random.default_rng(0))
    assert not frames.any()
    model = built().eval()
    assert model([torch.from_numpy(frames).unsqueeze(0)]).embeddings.isfinite().all()


def frozen(points: Tensor) -> Points:
    frames: Points = points[0].numpy()
    frames.setflags(write=False)
    return frames


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation_is_drawn_from_its_generator(name: str) -> None:
    frames = frozen(walk())
    make = registry.get("transform", name)
    first, again, other = (make(1.0)(frames, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first.dtype == np.float32 and first.shape == frames.shape
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, frames)
    assert np.array_equal(first, other) == (name == "RandomFlipPoints")
    if name != "RandomDropPoints":
        np.testing.assert_array_equal(first[:, :, 3], frames[:, :, 3])
    np.testing.assert_array_equal(make(0.0)(frames, np.random.default_rng(0)), frames)
    with pytest.raises(ConfigError, match="from 0 to 1"):
        make(1.5)


@pytest.mark.parametrize("name", ["RandomFlipPoints", "RandomScalePoints", "RandomShiftPoints"])
def test_frames_are_augmented_alike(name: str) -> None:
    frames = frozen(walk(1)).repeat(2, 0)
    first, second = registry.get("transform", name)(1.0)(frames, np.random.default_rng(0))
    np.testing.assert_array_equal(first, second)


def test_dropped_points_are_the_first_with_its_height() -> None:
    frames = frozen(walk())
    thinned = RandomDropPoints(1.0)(frames, np.random.default_rng(0))
    changed = (thinned != frames).any(2)
    assert changed.any() and not changed.all()
    firsts = np.broadcast_to(frames[:, :1], frames.shape)
    np.testing.assert_array_equal(thinned[changed], firsts[changed])


def test_sampled_points_are_whole_points_of_their_cloud() -> None:
    frames = frozen(walk())
    sampled = RandomSamplePoints(100)(Ragged.of(frames), np.random.default_rng(0))
    assert sampled.shape == (3, 100, 4)
    for before, after in zip(frames, sampled, strict=True):
        assert set(map(tuple, after.tolist())) < set(map(tuple, before.tolist()))
