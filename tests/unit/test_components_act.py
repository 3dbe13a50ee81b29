"""Parameters of losses, schedules, transforms and backbones change what they do, by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gait import registry
from gait.data.transforms import Frames
from gait.layers.backbones.plain import Plain
from gait.layers.backbones.resnet9 import ResNet9
from gait.losses.binary_cross_entropy import BinaryCrossEntropy
from gait.losses.contrastive import Contrastive


def transform(name: str, **settings: Any) -> Any:
    return registry.build("transform", {"name": name, **settings})


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.4])
def test_contrast_of_two_views_scales_and_smooths(scale: float, smoothing: float) -> None:
    views = torch.eye(2).unsqueeze(2)
    found = Contrastive(scale, smoothing)(views, views, torch.zeros(2)).value
    # The cosines of a row are 1 with its own and 0 with the other.
    own = 1 / (1 + math.exp(-scale))
    expected = -(1 - smoothing / 2) * math.log(own) - smoothing / 2 * math.log(1 - own)
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("epsilon", [1e-2, 1e-4])
def test_a_pixel_that_is_wrong_for_certain_costs_as_much_as_epsilon_allows(epsilon: float) -> None:
    loss = BinaryCrossEntropy(epsilon)(torch.zeros(1, 1), torch.ones(1, 1), torch.zeros(1))
    assert loss.value.item() == pytest.approx(-math.log(epsilon), rel=1e-5)


def rates(steps: int, **settings: Any) -> list[float]:
    """The learning rates of some iterations, from 1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = registry.build("scheduler", settings, optimizer=optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_steps_are_worked_out_every_few_iterations() -> None:
    found = rates(5, name="MultiStepFloor", milestones=[1], gamma=0.5, every=3)
    # The milestone is after the first iteration, and noticed after the third.
    assert found == [1, 1, 1, 0.5, 0.5]


@pytest.mark.parametrize(("t_max", "floor"), [(4, 0.0), (4, 0.2), (8, 0.2)])
def test_a_cosine_ends_where_it_is_told_to(t_max: int, floor: float) -> None:
    found = rates(10, name="CosineFloor", t_max=t_max, floor=floor)
    half = t_max // 2
    assert [found[0], found[half], found[-1]] == pytest.approx([1, 0.5, floor], abs=1e-9)
    assert found[half // 2] == pytest.approx((1 + math.sqrt(0.5)) / 2)


def test_a_move_reaches_as_far_as_it_may() -> None:
    poses = np.zeros((2, 17, 3), np.float32)
    for reach in ([2, 6], [0.5, 0]):
        shifts = [
            transform("RandomMove", reach=reach)(poses, rng(seed))[0, 0] for seed in range(300)
        ]
        farthest = np.abs(shifts).max(0)
        assert farthest == pytest.approx([*reach, 0], rel=0.05)
        assert (farthest <= [*reach, 0]).all()


@pytest.mark.parametrize("centre", [0, 5])
def test_joints_are_relative_to_the_centre(centre: int) -> None:
    poses = rng().normal(size=(3, 17, 3)).astype(np.float32)
    streams = transform("GaitGraphInput", centre=centre)(poses, rng())
    expected = poses[..., :2] - poses[:, centre : centre + 1, :2]
    np.testing.assert_allclose(streams[..., 3:5], expected, atol=1e-6)


def test_heights_are_a_fourth_coordinate() -> None:
    cloud = rng().normal(size=(2, 6, 3)).astype(np.float32)
    with_heights, without = (
        transform("NormalisePoints", heights=heights)(cloud, rng()) for heights in (True, False)
    )
    np.testing.assert_array_equal(without, with_heights[..., :3])
    heights = cloud[..., 2] - cloud[..., 2].min(1, keepdims=True)
    np.testing.assert_allclose(with_heights[..., 3], heights, atol=1e-6)


CLOUD = rng(7).normal(size=(2, 400, 4)).astype(np.float32)
MANY = 200


def drawn(name: str, **settings: Any) -> list[Frames]:
    """What becomes of the same clouds in many draws."""
    made = transform(name, **settings)
    return [made(CLOUD, rng(seed)) for seed in range(MANY)]


@pytest.mark.parametrize(
    "name", [f"Random{each}Points" for each in ("Flip", "Scale", "Shift", "Jitter", "Drop")]
)
@pytest.mark.parametrize("probability", [0.2, 0.8])
def test_points_are_augmented_as_often_as_asked_for(name: str, probability: float) -> None:
    changed = [not np.array_equal(each, CLOUD) for each in drawn(name, probability=probability)]
    # Four standard deviations of 200 draws are 0.12 at most.
    assert np.mean(changed) == pytest.approx(probability, abs=0.12)


@pytest.mark.parametrize(("min_factor", "max_factor"), [(0.5, 0.6), (1.5, 3.0)])
def test_clouds_are_scaled_within_their_bounds(min_factor: float, max_factor: float) -> None:
    found = drawn(
        "RandomScalePoints", probability=1.0, min_factor=min_factor, max_factor=max_factor
    )
    factors = [float(each[0, 0, 0] / CLOUD[0, 0, 0]) for each in found]
    reach = 0.05 * (max_factor - min_factor)
    assert min_factor <= min(factors) < min_factor + reach
    assert max_factor - reach < max(factors) <= max_factor + 1e-6


@pytest.mark.parametrize("max_offset", [0.02, 0.5])
def test_clouds_are_shifted_within_their_bound(max_offset: float) -> None:
    found = drawn("RandomShiftPoints", probability=1.0, max_offset=max_offset)
    shifts = np.stack([each[0, 0, :3] - CLOUD[0, 0, :3] for each in found])
    assert np.abs(shifts).max(0) == pytest.approx([max_offset] * 3, rel=0.05)


@pytest.mark.parametrize(("deviation", "max_offset"), [(0.1, 10.0), (0.1, 0.15), (0.02, 10.0)])
def test_points_jitter_by_their_deviation_within_a_bound(
    deviation: float, max_offset: float
) -> None:
    settings = {"probability": 1.0, "deviation": deviation, "max_offset": max_offset}
    noise = transform("RandomJitterPoints", **settings)(CLOUD, rng()) - CLOUD
    noise = noise[..., :3]
    if max_offset > 1:
        assert noise.std() == pytest.approx(deviation, rel=0.05)
        assert np.abs(noise).max() > 2.5 * deviation
    else:
        # Of a normal distribution, 13.4 % lie farther out than one and a half deviations.
        assert (np.abs(noise) > max_offset - 1e-5).mean() == pytest.approx(0.134, abs=0.03)
        assert np.abs(noise).max() <= max_offset + 1e-6


@pytest.mark.parametrize("max_ratio", [0.2, 0.6])
def test_a_share_of_points_is_dropped_up_to_a_bound(max_ratio: float) -> None:
    found = drawn("RandomDropPoints", probability=1.0, max_ratio=max_ratio)
    shares = [float((each != CLOUD).any(2).mean()) for each in found]
    # Of 800 points, a share has a standard deviation of 0.018 at most.
    assert max(shares) == pytest.approx(max_ratio, abs=0.06)
    assert np.mean(shares) == pytest.approx(max_ratio / 2, abs=0.06)


FRAMES = np.where(rng(3).random((2, 64, 44)) > 0.5, 255, 0).astype(np.uint8)


def test_an_erased_rectangle_is_as_high_as_its_ratio_to_its_width() -> None:
    white = np.full((1, 64, 64), 255, np.uint8)
    for ratio, bounds in ((1.0, (1, 1)), (0.25, (0.2, 5))):
        settings = {"probability": 1.0, "min_area": 0.1, "max_area": 0.1, "ratio": ratio}
        found = []
        for seed in range(100):
            hidden = transform("RandomErasing", **settings)(white, rng(seed))[0] == 0
            found.append(hidden.any(1).sum() / hidden.any(0).sum())
            # Sides are whole pixels.
            assert hidden.sum() == pytest.approx(0.1 * 64 * 64, rel=0.06)
        assert bounds[0] <= min(found) and max(found) <= bounds[1]
        assert bool(max(found) > 2) is (ratio < 1)


@pytest.mark.parametrize("name", ["RandomPartBlur", "RandomPartDilate"])
@pytest.mark.parametrize("probability", [0.2, 0.8])
def test_a_band_is_changed_as_often_as_asked_for(name: str, probability: float) -> None:
    made = transform(name, probability=probability)
    changed = [not np.array_equal(made(FRAMES, rng(seed)), FRAMES) for seed in range(MANY)]
    assert np.mean(changed) == pytest.approx(probability, abs=0.12)


@pytest.mark.parametrize("name", ["RandomPartBlur", "RandomPartDilate"])
def test_a_band_lies_within_its_rows(name: str) -> None:
    settings = {"probability": 1.0, "top": [3, 5], "bottom": [50, 60]}
    made = transform(name, **settings)
    firsts, lasts = set(), set()
    for seed in range(MANY):
        rows = np.flatnonzero((made(FRAMES, rng(seed)) != FRAMES).any((0, 2)))
        firsts.add(int(rows[0]))
        lasts.add(int(rows[-1]))
    # In noise, each row of a band changes.
    assert firsts == {3, 4, 5}
    assert lasts == set(range(49, 60))


def test_backbones_are_built_of_what_they_are_given() -> None:
    plain = Plain(["BC-6", "M", "FC-5-1"], in_channels=2, first_kernel=7)
    assert [tuple(each.shape) for each in plain.state_dict().values()] == [
        (6, 2, 7, 7),
        (5, 6, 3, 3),
    ]
    assert plain(torch.zeros(1, 2, 16, 8)).shape == (1, 5, 8, 4)
    made = ResNet9([4, 5, 6, 7], [1, 2, 1, 1], [1, 1, 2, 2], in_channels=3)
    shapes = {name: tuple(each.shape) for name, each in made.state_dict().items()}
    assert shapes["0.0.weight"] == (4, 3, 3, 3)
    assert [shapes[f"{stage}.0.conv2.weight"][0] for stage in (1, 2, 3, 4)] == [4, 5, 6, 7]
    assert "2.1.conv1.weight" in shapes and "3.1.conv1.weight" not in shapes
    assert made(torch.zeros(1, 3, 16, 8)).shape == (1, 7, 4, 2)
