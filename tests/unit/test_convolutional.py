"""What is special in GaitGL."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gait import registry
from gait.compat import opengait
from gait.errors import ConfigError
from gait.layers.focal import by_strips
from gait.layers.sequences import per_sequence
from gait.types import ModelOutput

HEIGHT_PX, WIDTH_PX, CLASSES = 64, 44, 3
VARIANTS: list[dict[str, Any]] = [
    {"name": "GaitGL", "channels": [4, 6, 8, 8]},
    {"name": "GaitGL", "channels": [4, 6, 8, 10], "blocks": 2, "halving": 1, "bn_neck": True},
]
IDS = ["gaitgl-small", "gaitgl-large-neck"]


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


def test_strips_do_not_see_their_neighbours() -> None:
    convolution = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    maps = torch.rand(2, 2, 8, 5)
    expected = torch.cat([convolution(maps[:, :, :4]), convolution(maps[:, :, 4:])], 2)
    torch.testing.assert_close(by_strips(maps, 2, convolution), expected)
    with pytest.raises(ValueError, match="3 strips do not divide a map of 8 x 5"):
        by_strips(maps, 3, convolution)


def test_sequences_of_equal_length_are_computed_together() -> None:
    calls = []

    def last(batch: Tensor) -> Tensor:
        calls.append(list(batch.shape))
        return batch[:, -1]

    assert per_sequence(torch.arange(8), [3, 1, 3, 1], last).tolist() == [2, 3, 6, 7]
    assert calls == [[2, 3], [2, 1]]
