"""Blocks and models that see neighbouring frames."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait import registry
from gait.errors import ConfigError
from gait.layers.attention_fusion import AttentionFusion
from gait.layers.deep_residual import DeepResidual
from gait.layers.sequences import across_frames
from gait.layers.spatiotemporal import PseudoBlock, TemporalConv, VolumeBlock, VolumeConv
from gait.types import ModelOutput

NARROW: dict[str, Any] = {"channels": [4, 4, 8, 8], "num_classes": 3, "embedding_channels": 8}
# Model and channels of a frame.
MODELS = (
    ({"name": "DeepGaitV2", "mode": "2d", **NARROW}, 1),
    ({"name": "DeepGaitV2", "mode": "p3d", "blocks": [2, 2, 1, 1], **NARROW}, 1),
    ({"name": "DeepGaitV2", "mode": "3d", "blocks": [2, 2, 1, 1], **NARROW}, 1),
    ({"name": "DeepGaitV2", "in_channels": 2, "after_neck": True, **NARROW}, 2),
    ({"name": "SkeletonGaitPP", **NARROW, "channels": [16, 4, 8, 8]}, 3),
    ({"name": "MultiGaitPP", "part_channels": [1, 3], **NARROW, "channels": [16, 4, 8, 8]}, 4),
)


def built(component: dict[str, Any]) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = registry.build("model", component)
    return model


def clips(*lengths: int, channels: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(each, channels, 64, 44, generator=generator) for each in lengths]


def tensors(output: ModelOutput) -> dict[str, Tensor]:
    return {"embeddings": output.embeddings, **output.fields}


@pytest.mark.parametrize(("component", "channels"), MODELS)
@torch.no_grad()
def test_packed_and_batched_sequences_are_as_one_by_one(
    component: dict[str, Any], channels: int
) -> None:
    model = built(component).eval()
    first, second, third = clips(3, 1, 3, channels=channels)
    alone = [model([each.unsqueeze(0)]) for each in (first, second, third)]
    packed = model([torch.cat([first, second, third]).unsqueeze(0)], [3, 1, 3])
    batched = model([torch.stack([first, third])])
    for field, value in tensors(packed).items():
        torch.testing.assert_close(value, torch.cat([each[field] for each in alone]))
        torch.testing.assert_close(batched[field], value[[0, 2]])


@pytest.mark.parametrize(("component", "channels"), MODELS)
def test_every_parameter_gets_a_gradient(component: dict[str, Any], channels: int) -> None:
    model = built(component).train()
    output = model([torch.stack(clips(3, 3, 3, 3, channels=channels))])
    generator = torch.Generator().manual_seed(2)
    weighted = [
        (value * torch.rand(value.shape, generator=generator)).sum()
        for value in tensors(output).values()
    ]
    sum(weighted).backward()  # type: ignore[union-attr]
    assert [name for name, each in model.named_parameters() if not each.grad.any()] == []


@pytest.mark.parametrize(("component", "channels"), MODELS[1:])
@torch.no_grad()
def test_order_of_frames_matters(component: dict[str, Any], channels: int) -> None:
    model = built(component).eval()
    (frames,) = clips(4, channels=channels)
    forward, backward = (model([each.unsqueeze(0)]) for each in (frames, frames.flip(0)))
    assert not torch.allclose(forward.embeddings, backward.embeddings, rtol=1e-3)


def test_embeddings_after_the_neck() -> None:
    model = built({"name": "DeepGaitV2", "after_neck": True, **NARROW}).eval()
    output = model([torch.rand(2, 2, 64, 44)])
    torch.testing.assert_close(output.embeddings.norm(dim=1), torch.ones(2, 16))
    assert not torch.equal(output.embeddings, output["before_neck"])


def test_an_unknown_mode_names_the_known() -> None:
    with pytest.raises(ConfigError, match=r"'2d', 'p3d' or '3d', got 'r21d'"):
        DeepResidual("r21d")


@pytest.mark.parametrize("lengths", [[3, 3], [2, 4], [6], [1, 1, 4]])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_temporal_convolution_is_one_over_frames(
    lengths: list[int], layout: torch.memory_format
) -> None:
    generator = torch.Generator().manual_seed(3)
    layer = TemporalConv(8)
    frames = torch.randn(6, 8, 4, 3, generator=generator).contiguous(memory_format=layout)
    slopes = torch.randn(6, 8, 4, 3, generator=generator)
    found = _with_gradients(
        lambda maps, _: across_frames(maps, lengths, layer), frames, layer.weight, slopes
    )

    def volume(maps: Tensor, weight: Tensor) -> Tensor:
        kernel = weight.unsqueeze(4)
        pieces = [each.transpose(0, 1).unsqueeze(0) for each in maps.split(lengths)]
        results = [F.conv3d(each, kernel, padding=(1, 0, 0))[0] for each in pieces]
        return torch.cat([each.transpose(0, 1) for each in results])

    expected = _with_gradients(volume, frames, layer.weight, slopes)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def _with_gradients(
    function: Any, maps: Tensor, weight: Tensor, slopes: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    maps = maps.clone().requires_grad_()
    result = function(maps, weight)
    of_maps, of_weight = torch.autograd.grad(result, (maps, weight), slopes)
    return result, of_maps, of_weight


def test_neighbours_in_time_are_views() -> None:
    maps = torch.rand(6, 8, 4, 3).contiguous(memory_format=torch.channels_last)
    seen: list[Tensor] = []

    def keep(clips: Tensor) -> Tensor:
        seen.append(clips)
        return clips

    assert across_frames(maps, [3, 3], keep).data_ptr() == maps.data_ptr()
    assert seen[0].data_ptr() == maps.data_ptr()
    result = across_frames(maps, [3, 3], TemporalConv(8))
    assert result.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("kind", [PseudoBlock, VolumeBlock])
def test_blocks_that_keep_the_shape_keep_their_input(kind: Any) -> None:
    block = kind(8, 8).eval()
    assert not list(block.shortcut.parameters())
    for layer in block.modules():
        if isinstance(layer, (nn.Conv2d, VolumeConv)):
            nn.init.zeros_(layer.weight)
    maps = torch.rand(3, 8, 4, 3)
    torch.testing.assert_close(block(maps, [3]), maps)


@pytest.mark.parametrize("interleaved", [False, True])
def test_fusion_weighs_sources_by_their_scores(interleaved: bool) -> None:
    fusion = AttentionFusion(16, interleaved=interleaved).eval()
    nn.init.zeros_(fusion.scores[-1].weight)
    first, second = torch.rand(2, 3, 16, 4, 4)
    torch.testing.assert_close(fusion([first, second]), (first + second) / 2)
    # Scores of the second source rise without bound.
    channels = slice(1, None, 2) if interleaved else slice(16, None)
    nn.init.constant_(fusion.scores[-1].weight[channels], 1e9)
    nn.init.ones_(fusion.scores[-3].bias)
    torch.testing.assert_close(fusion([first, second]), second)
