"""Shared layers against their definitions."""

from __future__ import annotations

import pytest
import torch

from gait import registry
from gait.errors import ConfigError
from gait.layers.backbones.plain import Plain
from gait.layers.frames import fold_frames
from gait.layers.horizontal_pooling import HorizontalPooling
from gait.layers.initialise import initialise
from gait.layers.part_bn_neck import PartBNNeck
from gait.layers.part_linear import PartLinear
from gait.layers.projection import Projection
from gait.layers.residual import BasicBlock, stage
from gait.layers.set_pooling import set_max, set_mean


def test_frames_are_folded_without_a_copy() -> None:
    frames = torch.rand(2, 3, 4, 5)
    maps, lengths = fold_frames(frames, None)
    assert maps.shape == (6, 1, 4, 5)
    assert lengths == [3, 3]
    assert maps.data_ptr() == frames.data_ptr()
    maps, lengths = fold_frames(torch.rand(1, 6, 2, 4, 5), [4, 2])
    assert maps.shape == (6, 2, 4, 5)
    assert lengths == [4, 2]


@pytest.mark.parametrize(
    ("shape", "lengths"), [((1, 6, 4, 5), [4, 1]), ((2, 3, 4, 5), [3]), ((1, 2, 4, 5), [2, 0])]
)
def test_lengths_that_do_not_cover_the_frames_are_refused(
    shape: tuple[int, ...], lengths: list[int]
) -> None:
    with pytest.raises(ValueError, match=r"packed frames have shape \[.*expected \[1, "):
        fold_frames(torch.rand(shape), lengths)


def test_frames_of_another_rank_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \[n, s, h, w\]"):
        fold_frames(torch.rand(3, 4, 5), None)


@pytest.mark.parametrize("lengths", [[4, 2, 1], [3, 3], [7]])
def test_set_pooling_takes_each_sequence_by_itself(lengths: list[int]) -> None:
    frames = torch.rand(sum(lengths), 2, 3)
    pieces = torch.split(frames, lengths)
    assert torch.equal(set_max(frames, lengths), torch.stack([p.amax(0) for p in pieces]))
    torch.testing.assert_close(set_mean(frames, lengths), torch.stack([p.mean(0) for p in pieces]))


def test_horizontal_pooling_by_hand() -> None:
    maps = torch.tensor([[1.0, 2.0], [3.0, 6.0]]).reshape(1, 1, 2, 2)
    # Rows: 1.5 + 2 and 4.5 + 6; whole: 3 + 6.
    assert HorizontalPooling([2, 1])(maps).tolist() == [[[3.5, 10.5, 9.0]]]


def test_horizontal_pooling_refuses_strips_that_do_not_divide() -> None:
    with pytest.raises(ValueError, match="16 strips do not divide a map of 15 x 11"):
        HorizontalPooling([16])(torch.rand(1, 2, 15, 11))


def test_part_linear_maps_each_part_by_its_own_matrix() -> None:
    layer, parts = PartLinear(3, 4, 5), torch.rand(2, 4, 3)
    expected = torch.stack([parts[:, :, p] @ layer.weight[p] for p in range(3)], 2)
    torch.testing.assert_close(layer(parts), expected)


def test_neck_gives_cosines() -> None:
    neck, parts = PartBNNeck(3, 4, 5).eval(), torch.rand(2, 4, 3)
    feature, logits = neck(parts)
    torch.testing.assert_close(feature.norm(dim=1), torch.ones(2, 3))
    columns = neck.classifier.weight / neck.classifier.weight.norm(dim=1, keepdim=True)
    expected = torch.einsum("ncp,pck->nkp", feature, columns)
    torch.testing.assert_close(logits, expected)


def test_block_keeps_its_input_and_a_stage_without_blocks_is_the_identity() -> None:
    maps = torch.randn(2, 4, 6, 6)
    before = maps.clone()
    block = BasicBlock(4, 4)
    assert not block.shortcut
    block(maps)
    assert torch.equal(maps, before)
    assert BasicBlock(4, 8, 2)(maps).shape == (2, 8, 3, 3)
    assert stage(4, 8, 0, 2)(maps) is maps


def test_plain_backbone_pools_before_it_activates() -> None:
    plain = Plain(["BC-3", "M", "BC-4"], in_channels=2)
    maps = torch.randn(2, 2, 8, 8)
    first, last = plain[0], plain[3]
    after = torch.nn.functional.leaky_relu(first(maps), 0.01)
    after = torch.nn.functional.max_pool2d(after, 2)
    expected = torch.nn.functional.leaky_relu(last(after), 0.01)
    torch.testing.assert_close(plain(maps), expected)
    assert plain.out_channels == 4
    assert first.kernel_size == (5, 5)
    assert last.kernel_size == (3, 3)


@pytest.mark.parametrize("layers", [["BC-8", "FC-8"], ["M", "BC-8"]])
def test_plain_backbone_refuses_other_layers(layers: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"model\.backbone\.layers: expected 'BC-<channels>'"):
        Plain(layers)


def test_resnet9_refuses_stages_of_unequal_description() -> None:
    with pytest.raises(ConfigError, match="must name as many stages"):
        registry.build("backbone", {"name": "ResNet9", "channels": [8, 16]})


def test_backbone_inside_a_model_is_checked() -> None:
    backbone = {"name": "ResNet9", "chanels": [8]}
    problems = registry.check("model", {"name": "GaitBase", "backbone": backbone})
    assert problems == [
        "model.backbone.chanels: ResNet9 has no such parameter; did you mean 'channels' or "
        "'in_channels'?"
    ]


def test_initial_values() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(64, 64, 3), torch.nn.BatchNorm2d(512))
    initialise(model)
    convolution, normalisation = model
    bound = (6 / (2 * 64 * 9)) ** 0.5
    assert 0.95 * bound < convolution.weight.abs().max().item() <= bound
    assert not convolution.bias.any()
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)
    assert normalisation.weight.mean().item() == pytest.approx(1, abs=0.005)
    assert normalisation.weight.std().item() == pytest.approx(0.02, rel=0.15)
    assert not normalisation.bias.any()
    # Per-part matrices count the output channels as receptive field.
    bound = (6 / (64 * 128 + 31 * 128)) ** 0.5
    assert 0.95 * bound < PartLinear(31, 64, 128).weight.abs().max().item() <= bound


@pytest.mark.parametrize("stride", [1, 2])
def test_a_projection_is_a_1x1_convolution(stride: int) -> None:
    torch.manual_seed(0)
    layer = Projection(8, 12, stride)
    maps = torch.randn(7, 8, 9, 11).to(memory_format=torch.channels_last).requires_grad_()
    again = maps.detach().clone().requires_grad_()
    kept = again[:, :, ::stride, ::stride]
    expected = torch.einsum("mchw,oc->mohw", kept, layer.weight[:, :, 0, 0])
    torch.testing.assert_close(layer(maps), expected)
    slopes = torch.randn_like(expected)
    own = torch.autograd.grad(layer(maps), [maps, layer.weight], slopes)
    reference = torch.autograd.grad(expected, [again, layer.weight], slopes)
    torch.testing.assert_close(own, reference, rtol=1e-4, atol=1e-4)
