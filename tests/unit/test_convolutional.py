"""What is special in GaitGL, GaitPart and GLN."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait import registry
from gait.compat import opengait
from gait.errors import CheckpointError, ConfigError
from gait.layers.backbones.plain import Plain
from gait.layers.focal import by_strips
from gait.layers.sequences import per_sequence
from gait.layers.temporal_aggregation import PartConv1d, TemporalAggregation
from gait.types import ModelOutput

HEIGHT_PX, WIDTH_PX, CLASSES = 64, 44, 3
VARIANTS: list[dict[str, Any]] = [
    {"name": "GaitGL", "channels": [4, 6, 8, 8]},
    {"name": "GaitGL", "channels": [4, 6, 8, 10], "blocks": 2, "halving": 1, "bn_neck": True},
    {"name": "GaitPart", "backbone": {"name": "Plain", "layers": ["BC-8", "M", "FC-8-2"]}},
    {"name": "GLN", "channels": [4, 6, 8], "lateral_channels": 8, "embedding_channels": 6},
    {
        "name": "GLN",
        "channels": [4, 6, 8],
        "lateral_channels": 8,
        "embedding_channels": 6,
        "compact": True,
    },
]
IDS = ["gaitgl-small", "gaitgl-large-neck", "gaitpart", "gln-phase-1", "gln-phase-2"]


def built(settings: dict[str, Any]) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = registry.build("model", settings, num_classes=CLASSES)
    return model


def sequence(length: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(length, HEIGHT_PX, WIDTH_PX, generator=generator)


def tensors(output: ModelOutput) -> dict[str, Tensor]:
    return {"embeddings": output.embeddings, **output.fields}


@pytest.mark.parametrize("settings", VARIANTS, ids=IDS)
@torch.no_grad()
def test_packed_and_batched_sequences_are_as_one_by_one(settings: dict[str, Any]) -> None:
    model = built(settings).eval()
    lengths = [7, 1, 4, 7, 2]
    sequences = [sequence(length, seed) for seed, length in enumerate(lengths)]
    alone = [model([each.unsqueeze(0)]) for each in sequences]
    packed = model([torch.cat(sequences).unsqueeze(0)], lengths)
    batched = model([torch.stack([sequences[0], sequences[3]])])
    for field, value in tensors(packed).items():
        torch.testing.assert_close(value, torch.cat([each[field] for each in alone]))
        torch.testing.assert_close(batched[field], value[[0, 3]])


@pytest.mark.parametrize("settings", VARIANTS, ids=IDS)
def test_every_parameter_gets_a_gradient(settings: dict[str, Any]) -> None:
    model = built(settings).train()
    output = model([torch.stack([sequence(4, seed) for seed in range(4)])])
    generator = torch.Generator().manual_seed(2)
    weighted = [
        (value * torch.rand(value.shape, generator=generator)).sum()
        for value in tensors(output).values()
    ]
    torch.stack(weighted).sum().backward()
    without = [
        key
        for key, each in model.named_parameters()
        if each.requires_grad and (each.grad is None or not each.grad.any())
    ]
    assert without == []


@pytest.mark.parametrize("length", [1, 2])
@torch.no_grad()
def test_gaitgl_goes_on_from_the_start_of_a_sequence_too_short(length: int) -> None:
    model = built(VARIANTS[0]).eval()
    short = sequence(length).unsqueeze(0)
    whole = short.repeat(1, 3 if length == 1 else 2, 1, 1)
    torch.testing.assert_close(model([short]).embeddings, model([whole]).embeddings)


def test_gaitgl_takes_its_size_there_from_the_dataset() -> None:
    small = opengait.build_model(
        {"model": "GaitGL", "channels": [4, 6, 8], "class_num": 3}, "CASIA-B"
    )
    cfg = {"model": "GaitGL", "channels": [4, 6, 8, 10], "class_num": 3}
    large = opengait.build_model(cfg, "OUMVLP")
    stages = [small.get_submodule("stages"), large.get_submodule("stages")]
    assert [len(list(each.parameters())) for each in stages] == [6, 12]
    with pytest.raises(ConfigError, match=r"model_cfg\.channels: expected 3 numbers"):
        opengait.build_model(cfg, "CASIA-B")


def test_gaitpart_says_which_part_of_a_checkpoint_is_missing() -> None:
    cfg = {
        "model": "GaitPart",
        "backbone_cfg": {"type": "Plain", "layers_cfg": ["BC-8", "M", "FC-8-2"]},
        "SeparateFCs": {"in_channels": 8, "out_channels": 4, "parts_num": 4},
        "bin_num": [4],
    }
    model = opengait.build_model(cfg)
    state = opengait.state_dict(model)
    missing = "TFA.pooling_func.conv1d3x1.2.0.conv.weight"
    assert state[missing].shape == (2, 8, 3)
    del state[missing]
    with pytest.raises(CheckpointError, match=r"missing: TFA.*conv1d3x1\.0\.conv\.weight"):
        opengait.load_state_dict(model, state)


def test_gln_second_phase_starts_from_the_first() -> None:
    first, second = (built(settings) for settings in VARIANTS[3:])
    missing, unexpected = second.load_state_dict(first.state_dict(), strict=False)
    assert unexpected == []
    assert {name.split(".")[0] for name in missing} == {"compact"}
    inputs = [sequence(3).unsqueeze(0)]
    with torch.no_grad():
        found, expected = second.eval()(inputs), first.eval()(inputs)
    assert torch.equal(found.embeddings, expected.embeddings)
    assert found["logits"].shape == (1, CLASSES, 1)
    assert expected.fields == {}


def test_gln_second_phase_can_be_trained() -> None:
    model = built(VARIANTS[4]).train()
    labels = torch.tensor([0, 0, 1, 1])
    losses = [
        {"type": "TripletLoss", "margin": 0.2, "log_prefix": "triplet"},
        {"type": "CrossEntropyLoss", "log_prefix": "softmax", "loss_term_weight": 0.1},
    ]
    inputs = [torch.stack([sequence(2, seed) for seed in range(4)])]
    total, terms = opengait.training_loss(model, losses, inputs, labels)
    total.backward()
    assert terms["scalar/softmax/loss"].isfinite()
    frozen = [name for name, each in model.named_parameters() if each.grad is None]
    assert frozen == ["compact.0.bias", "compact.4.bias"]


def test_strips_do_not_see_their_neighbours() -> None:
    convolution = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    maps = torch.rand(2, 2, 8, 5)
    expected = torch.cat([convolution(maps[:, :, :4]), convolution(maps[:, :, 4:])], 2)
    torch.testing.assert_close(by_strips(maps, 2, convolution), expected)
    with pytest.raises(ValueError, match="3 strips do not divide a map of 8 x 5"):
        by_strips(maps, 3, convolution)


def test_plain_backbone_has_focal_convolutions() -> None:
    plain = Plain(["FC-3-1", "M", "FC-4-2"], first_kernel=3)
    maps = torch.rand(2, 1, 8, 6)
    halves = [F.conv2d(half, plain[0].weight, padding=1) for half in maps.chunk(2, 2)]
    pooled = F.leaky_relu(F.max_pool2d(torch.cat(halves, 2), 2), 0.01)
    rows = [F.conv2d(row, plain[3].weight, padding=1) for row in pooled.chunk(4, 2)]
    torch.testing.assert_close(plain(maps), F.leaky_relu(torch.cat(rows, 2), 0.01))
    assert plain.out_channels == 4


def test_aggregation_of_parts_is_that_of_each_part() -> None:
    aggregation = TemporalAggregation(parts=3, channels=8)
    sequences = torch.randn(2, 6, 8, 3)
    found = aggregation(sequences)
    for part in range(3):
        alone = TemporalAggregation(parts=1, channels=8)
        state = aggregation.state_dict()
        alone.load_state_dict({name: each[part : part + 1] for name, each in state.items()})
        torch.testing.assert_close(found[..., part], alone(sequences[..., [part]])[..., 0])


def test_parts_start_as_if_alone() -> None:
    # Xavier's limit, sqrt(6 / (inputs + outputs)), counts one part's channels.
    weight = PartConv1d(parts=16, in_channels=32, out_channels=8, kernel=3).weight
    assert weight.abs().max().item() == pytest.approx((6 / (3 * (32 + 8))) ** 0.5, rel=0.01)


def test_sequences_of_equal_length_are_computed_together() -> None:
    calls = []

    def last(batch: Tensor) -> Tensor:
        calls.append(list(batch.shape))
        return batch[:, -1]

    assert per_sequence(torch.arange(8), [3, 1, 3, 1], last).tolist() == [2, 3, 6, 7]
    assert calls == [[2, 3], [2, 1]]
