"""What is special in models of poses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait import registry
from gait.config.yaml import read_yaml
from gait.layers.graph import GraphConvolution
from gait.layers.sequences import by_length
from gait.models.gaitgraph1 import GaitGraph1
from gait.models.gaitgraph2 import GaitGraph2
from gait.models.gaittr import GaitTR
from gait.skeleton import graph_streams, skeleton_of
from gait.types import ModelOutput

MODELS = Path(__file__).parents[2] / "config" / "models"
# Joints and channels of the input.
SHAPES = {"GaitGraph1": (17, 3), "GaitGraph2": (18, 15), "GaitTR": (17, 10), "MsGG": (12, 3)}


def built(name: str, **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    component = read_yaml(MODELS / f"{name}.yaml")[0]["model"] | changes
    model: nn.Module = registry.build(
        "model", component, num_classes=5, num_joints=SHAPES[name][0]
    )
    # Statistics that differ from batch to batch would show if sequences met.
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.normal_(0, 0.1)
    return model


def sequences(name: str, *lengths: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(length, *SHAPES[name], generator=generator) for length in lengths]


def tensors(output: ModelOutput) -> dict[str, Tensor]:
    return {"embeddings": output.embeddings, **output.fields}


@pytest.mark.parametrize("name", SHAPES)
@torch.no_grad()
def test_packed_batched_and_single_sequences_agree(name: str) -> None:
    model = built(name).eval()
    lengths = [7, 4, 1, 7, 4]
    clips = sequences(name, *lengths)
    alone = [model([each.unsqueeze(0)]) for each in clips]
    packed = model([torch.cat(clips).unsqueeze(0)], lengths)
    batched = model([torch.stack([clips[0], clips[3]])])
    equal = model([torch.cat([clips[1], clips[4]]).unsqueeze(0)], [4, 4])
    for field, value in tensors(packed).items():
        torch.testing.assert_close(value, torch.cat([each[field] for each in alone]))
        torch.testing.assert_close(batched[field], value[[0, 3]])
        torch.testing.assert_close(equal[field], value[[1, 4]])


@pytest.mark.parametrize("name", SHAPES)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    model = built(name).train()
    output = model([torch.stack(sequences(name, 9, 9, 9, 9))])
    generator = torch.Generator().manual_seed(2)
    sum(
        (value * torch.rand(value.shape, generator=generator)).sum()
        for value in tensors(output).values()
    ).backward()
    assert [key for key, each in model.named_parameters() if each.grad is None] == []
    assert [key for key, each in model.named_parameters() if not each.grad.any()] == []


@pytest.mark.parametrize("name", SHAPES)
def test_sizes(name: str) -> None:
    output = built(name).eval()([torch.stack(sequences(name, 3, 3))])
    channels = 384 if name == "GaitGraph2" else 128
    assert output.embeddings.shape == (2, channels, 1)
    assert output.embeddings.dtype == torch.float32
    if name == "MsGG":
        assert output["logits"].shape == (2, 5, 1)


def test_lengths_must_cover_the_frames() -> None:
    with pytest.raises(ValueError, match=r"\[1, 7, 2\]; expected \[1, 8, ...\] .* of \[4, 4\]"):
        by_length(lambda frames: ModelOutput(frames), torch.zeros(1, 7, 2), [4, 4])


@torch.no_grad()
def test_gaitgraph1_averages_over_both_directions_only_in_tests() -> None:
    (clip,) = sequences("GaitGraph1", 8)
    clips = torch.stack([clip, clip.flip(0)])
    plain, both = built("GaitGraph1", tta=False).eval(), built("GaitGraph1").eval()
    forward, backward = plain([clips]).embeddings
    torch.testing.assert_close(forward.norm(), torch.tensor(1.0))
    assert not torch.allclose(forward, backward)
    for embedding in both([clips]).embeddings:
        torch.testing.assert_close(embedding, (forward + backward) / 2)
    trained = [each.train()([clips]).embeddings for each in (plain, both)]
    torch.testing.assert_close(*trained)


@torch.no_grad()
def test_gaitgraph2_appends_the_reversed_and_the_exchanged() -> None:
    poses = torch.randn(2, 6, 18, 3)
    skeleton = skeleton_of(18)
    versions = [
        graph_streams(each, skeleton.centre)
        for each in (poses, poses.flip(1), poses[:, :, skeleton.mirrored])
    ]
    plain, all_three = built("GaitGraph2", tta=False).eval(), built("GaitGraph2").eval()
    expected = torch.cat([plain([each]).embeddings for each in versions], dim=1)
    torch.testing.assert_close(all_three([versions[0]]).embeddings, expected)
    assert all_three.train()([versions[0]]).embeddings.shape == (2, 128, 1)


@pytest.mark.parametrize("joints", [12, 17, 18])
def test_models_fit_every_skeleton(joints: int) -> None:
    for make, channels in ((GaitGraph1, 3), (GaitGraph2, 15), (GaitTR, 10)):
        output = make(joints).eval()([torch.randn(1, 4, joints, channels)])
        assert output.embeddings.shape[0] == 1


def test_graph_convolution_against_its_definition() -> None:
    torch.manual_seed(0)
    layer = GraphConvolution(4, 6, 3)
    maps, adjacency = torch.randn(2, 4, 5, 7), torch.rand(3, 7, 7)
    sent = F.conv2d(maps, layer.projection.weight, layer.projection.bias).view(2, 3, 6, 5, 7)
    expected = torch.einsum("nkcsv,kvw->ncsw", sent, adjacency)
    torch.testing.assert_close(layer(maps, adjacency), expected)
