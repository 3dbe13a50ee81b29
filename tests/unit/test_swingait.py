"""Attention within windows, and that packed sequences do not meet in one."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gait import registry
from gait.errors import ConfigError
from gait.layers.drop_path import DropPath
from gait.layers.sequences import clip_by_clip
from gait.layers.window_attention import WindowBlock
from gait.types import ModelOutput

SMALL = {"channels": [4, 4, 8, 8], "heads": [2, 2], "embedding_channels": 6, "drop_path": 0.0}


def built(**changes: Any) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = registry.build(
        "model", {"name": "SwinGait", **SMALL, **changes}, num_classes=3
    )
    return model


def tensors(output: ModelOutput) -> dict[str, Tensor]:
    return {"embeddings": output.embeddings, **output.fields}


@pytest.mark.parametrize("shift", [(0, 0, 0), (1, 1, 2)])
@pytest.mark.parametrize("size", [(7, 6, 10), (3, 4, 5), (2, 4, 10), (1, 6, 6)])
def test_a_place_sees_its_window(size: tuple[int, int, int], shift: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    window = (3, 3, 5)
    block = WindowBlock(4, 2, window, shift).eval()
    clips = torch.randn(1, *size, 4, requires_grad=True)

    def window_of(place: tuple[int, ...]) -> tuple[int, ...]:
        # One window covers the direction, or windows begin at the shift and before it.
        return tuple(
            0 if whole <= full else (at - move) // full
            for at, whole, full, move in zip(place, size, window, shift, strict=True)
        )

    places = list(itertools.product(*(range(each) for each in size)))
    for place in places[:: max(1, len(places) // 7)]:
        (gradient,) = torch.autograd.grad(block(clips)[0][place].sum(), clips)
        seen = gradient[0].abs().sum(3) > 1e-9
        expected = [other for other in places if window_of(other) == window_of(place)]
        assert [tuple(each) for each in seen.nonzero().tolist()] == expected


@torch.no_grad()
def test_packed_and_batched_sequences_are_as_one_by_one() -> None:
    model = built().eval()
    lengths = [5, 2, 5, 1, 3]
    frames = [torch.rand(1, length, 64, 44) for length in lengths]
    alone = [tensors(model([each])) for each in frames]
    packed = tensors(model([torch.cat(frames, 1)], lengths))
    batched = tensors(model([torch.cat([frames[0], frames[2]])]))
    for field, value in packed.items():
        torch.testing.assert_close(value, torch.cat([each[field] for each in alone]))
        torch.testing.assert_close(batched[field], value[[0, 2]])


def test_clip_by_clip_keeps_the_order() -> None:
    maps, lengths = torch.rand(8, 2), [3, 1, 3, 1]
    sums = clip_by_clip(maps, lengths, lambda clips: clips.cumsum(1))
    expected = [piece.cumsum(0) for piece in torch.split(maps, lengths)]
    torch.testing.assert_close(sums, torch.cat(expected))


def test_every_parameter_gets_a_gradient() -> None:
    model = built().train()
    output = tensors(model([torch.rand(4, 4, 64, 44)]))
    total = torch.stack([(each * torch.rand_like(each)).sum() for each in output.values()]).sum()
    total.backward()
    assert [key for key, each in model.named_parameters() if not each.grad.any()] == []


def test_dropped_paths() -> None:
    torch.manual_seed(0)
    branch = torch.rand(64, 2, 3) + 1
    dropped = DropPath(0.5).train()(branch)
    kept = dropped.flatten(1).any(1)
    assert 0 < kept.sum() < 64
    torch.testing.assert_close(dropped[kept], 2 * branch[kept])
    assert torch.equal(DropPath(0.5).eval()(branch), branch)
    rates = [each.p for each in built(drop_path=0.3).modules() if isinstance(each, DropPath)]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3])


def test_four_stages_are_needed() -> None:
    with pytest.raises(ConfigError, match="must name four stages"):
        built(blocks=[1, 1, 2])
