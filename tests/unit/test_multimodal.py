"""Models that read more than the outline: body models, labelled parts, categories."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gait import registry
from gait.errors import ConfigError
from gait.layers.part_graph import GRAPHS, PartGraph
from gait.types import ModelOutput

BACKBONE = {
    "name": "ResNet9",
    "channels": [4, 4, 8, 8],
    "blocks": [1, 1, 1, 1],
    "strides": [1, 2, 2, 1],
}
SETTINGS: dict[str, dict[str, Any]] = {
    "ScoNet": {},
    "SMPLGait": {},
    "ParsingGait": {"graphs": ["fine", "coarse"]},
}


def built(name: str, **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    settings = {"name": name, "backbone": BACKBONE, "embedding_channels": 6}
    model: nn.Module = registry.build(
        "model", settings | SETTINGS[name] | changes, num_classes=3, num_categories=3
    )
    return model


def inputs(name: str, frames: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    if name == "ParsingGait":
        return [torch.randint(0, 12, (1, frames, 64, 44), generator=generator).float()]
    silhouettes = torch.rand(1, frames, 64, 44, generator=generator)
    if name == "SMPLGait":
        return [silhouettes, torch.randn(1, frames, 85, generator=generator)]
    return [silhouettes]


def tensors(output: ModelOutput) -> dict[str, Tensor]:
    return {"embeddings": output.embeddings, **output.fields}


@pytest.mark.parametrize("name", SETTINGS)
@torch.no_grad()
def test_packed_and_batched_sequences_are_as_one_by_one(name: str) -> None:
    model = built(name).eval()
    several = [inputs(name, frames, seed) for seed, frames in enumerate((3, 1, 3))]
    alone = [tensors(model(each)) for each in several]
    packed = model([torch.cat(each, 1) for each in zip(*several, strict=True)], [3, 1, 3])
    pair = zip(several[0], several[2], strict=True)
    batched = model([torch.cat(each) for each in pair])
    for field, value in tensors(packed).items():
        torch.testing.assert_close(value, torch.cat([each[field] for each in alone]))
        torch.testing.assert_close(batched[field], value[[0, 2]])


@pytest.mark.parametrize("name", SETTINGS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    model = built(name).train()
    several = [inputs(name, 2, seed) for seed in range(4)]
    output = tensors(model([torch.cat(each) for each in zip(*several, strict=True)]))
    sum((each * torch.rand_like(each)).sum() for each in output.values()).backward()  # type: ignore[union-attr]
    assert [key for key, each in model.named_parameters() if not each.grad.any()] == []


def test_sconet_is_compared_by_its_logits() -> None:
    output = built("ScoNet").eval()(inputs("ScoNet", 2))
    assert output.embeddings.shape == (1, 3, 16)
    assert output.embeddings is output["logits"]


def test_a_silhouette_wider_than_the_transformation() -> None:
    model = built("SMPLGait", columns=8, bins=[8])
    with pytest.raises(ValueError, match=r"11 columns, expected at most 8; change model\.columns"):
        model(inputs("SMPLGait", 2))


def test_an_unknown_graph_of_parts() -> None:
    with pytest.raises(ConfigError, match="no graph is named 'corse'; did you mean 'coarse'"):
        built("ParsingGait", graphs=["corse"])


@pytest.mark.parametrize("name", GRAPHS)
def test_parts_are_weighted_by_the_formula(name: str) -> None:
    graph = PartGraph(name, 3)
    graph.gammas.data = torch.rand(graph.nodes)
    maps, labels = torch.randn(2, 3, 4, 5), torch.randint(0, 12, (2, 4, 5)).float()
    pooled = graph._pooled(maps, labels)
    for node, (group, gamma) in enumerate(zip(GRAPHS[name][0], graph.gammas, strict=True)):
        inside = sum((labels == label).float() for label in group).unsqueeze(1)  # type: ignore[union-attr]
        weighted = gamma * inside * maps + (1 - gamma) * (1 - inside) * maps
        expected = weighted.mean((2, 3)) + weighted.amax((2, 3))
        torch.testing.assert_close(pooled[:, node], expected)


def test_constants_of_the_graph_are_no_part_of_the_state() -> None:
    graph = PartGraph("coarse", 3)
    assert {"adjacency", "members"} & set(graph.state_dict()) == set()
    assert {"adjacency", "members"} <= {name for name, _ in graph.named_buffers()}
