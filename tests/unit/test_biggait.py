"""What BigGait takes for the walker where his box is narrower than the frame."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from gait import registry
from gait.models.biggait import BigGait, box
from tests.populations import SMALL

HEIGHT, WIDTH = 16, 8


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def model() -> BigGait:
    torch.manual_seed(0)
    component = {"name": "BigGait", **SMALL["BigGait"], "mask_dropout": 0.0}
    return cast("BigGait", registry.build("model", component, num_classes=3))


class FirstChannel(torch.nn.Module):
    """A mask branch whose first share is the first channel of the tokens."""

    def forward(self, rows: Tensor) -> Tensor:
        return torch.stack([rows[:, 0], 1 - rows[:, 0]], 1)


def slow_foreground(shares: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Pixel by pixel: shares [2, h, w] and the box [h, w] of one frame."""
    height, width = valid.shape
    walker = [[[0.0] * width for _ in range(height)] for _ in range(2)]
    for channel in range(2):
        for y in range(height):
            for x in range(width):
                walker[channel][y][x] = float(round(shares[channel, y, x] * valid[y, x]))
    outer = [*range(5), *range(height - 5, height)]
    is_inverse = sum(sum(walker[0][y]) for y in outer) > 5 * width
    chosen = walker[is_inverse]
    grown = np.zeros((height, width), bool)
    for y in range(height):
        for x in range(width):
            near = [
                chosen[row][column]
                for row in range(max(y - 1, 0), min(y + 2, height))
                for column in range(max(x - 1, 0), min(x + 2, width))
            ]
            grown[y, x] = valid[y, x] > 0 and max(near) > 0
    return grown


@pytest.mark.parametrize("ratio", [0.05, 0.2, 0.25, 0.3, 0.35, 0.5])
@pytest.mark.parametrize("outer", [0.1, 0.9])
@pytest.mark.parametrize("off_box", [0.1, 0.9])
def test_the_box_alone_tells_a_mask_from_its_inverse(
    ratio: float, outer: float, off_box: float
) -> None:
    first = random(1, 1, HEIGHT, WIDTH)
    first[:, :, :5] = first[:, :, -5:] = outer
    valid = box(torch.tensor([ratio]), HEIGHT, WIDTH)
    first = torch.where(valid > 0, first, off_box)
    network = model().eval()
    network.add_module("mask_branch", FirstChannel())
    last = torch.cat([first, random(1, 15, HEIGHT, WIDTH)], 1)
    parts, appearance = network._views(random(1, 32, 4, 2), last, valid)[0]
    shares = torch.cat([first, 1 - first], 1)[0].numpy()
    expected = slow_foreground(shares, valid[0, 0].numpy())
    assert ((appearance[0] > 0).any(0).numpy() == expected).all()
    assert ((parts[0] > 0).any(0).numpy() == expected).all()


def test_what_lies_off_the_box_changes_nothing() -> None:
    """Neither masks and maps nor, in training, losses and the statistics of the mask branch."""
    ratios = torch.tensor([0.12, 0.2, 0.5])
    valid = box(ratios, HEIGHT, WIDTH)
    tokens, last = random(3, 32, 4, 2, seed=1), random(3, 16, HEIGHT, WIDTH, seed=2)
    changed = torch.where(valid > 0, last, 7 * random(3, 16, HEIGHT, WIDTH, seed=3) - 3)
    results = []
    for each in (last, changed):
        network = model().train()
        views, losses = network._views(tokens, each, valid, [1, 2])
        norm = network.mask_branch.norm
        results.append([*views, *losses.values(), norm.running_mean, norm.running_var])
        rows = last.permute(0, 2, 3, 1)[valid[:, 0] > 0]
        torch.testing.assert_close(norm.running_mean, 0.1 * rows.mean(0))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
