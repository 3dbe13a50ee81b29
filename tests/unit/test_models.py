"""Every registered model, built from its own YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gait import registry
from gait.config.yaml import read_yaml
from gait.types import ModelOutput

MODELS = Path(__file__).parents[2] / "config" / "models"
NAMES = registry.names("model")
HEIGHT_PX, WIDTH_PX, CLASSES = 64, 44, 3


def settings(name: str) -> dict[str, Any]:
    models: list[dict[str, Any]] = [
        read_yaml(path)[0]["model"] for path in sorted(MODELS.glob("*.yaml"))
    ]
    return next(each for each in models if each["name"] == name)


def built(name: str, **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = registry.build(
        "model",
        settings(name) | changes,
        num_classes=CLASSES,
        num_categories=CLASSES,
        height_px=HEIGHT_PX,
        width_px=WIDTH_PX,
    )
    return model


def sequences(*lengths: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(length, HEIGHT_PX, WIDTH_PX, generator=generator) for length in lengths]


def tensors(output: ModelOutput) -> dict[str, Tensor]:
    return {"embeddings": output.embeddings, **output.fields}


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_known(name: str) -> None:
    assert registry.check("model", settings(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_shapes(name: str) -> None:
    output = built(name).eval()([torch.stack(sequences(2, 2, 2))])
    assert output.embeddings.dim() == 3
    assert output.embeddings.dtype == torch.float32
    assert all(len(each) == 3 for each in tensors(output).values())
    if "logits" in output.fields:
        assert output["logits"].shape[1] == CLASSES


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_packed_and_batched_sequences_are_as_one_by_one(name: str) -> None:
    model = built(name).eval()
    first, second, third = sequences(3, 1, 3)
    alone = [model([each.unsqueeze(0)]) for each in (first, second, third)]
    packed = model([torch.cat([first, second, third]).unsqueeze(0)], [3, 1, 3])
    batched = model([torch.stack([first, third])])
    for field, value in tensors(packed).items():
        torch.testing.assert_close(value, torch.cat([each[field] for each in alone]))
        torch.testing.assert_close(batched[field], value[[0, 2]])


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    model = built(name).train()
    output = model([torch.stack(sequences(2, 2, 2, 2))])
    generator = torch.Generator().manual_seed(2)
    weighted = [
        (value * torch.rand(value.shape, generator=generator)).sum()
        for value in tensors(output).values()
    ]
    trainable = {key: each for key, each in model.named_parameters() if each.requires_grad}
    if trainable:
        sum(weighted).backward()
    assert [key for key, each in trainable.items() if each.grad is None] == []
    assert [key for key, each in trainable.items() if not each.grad.any()] == []


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_state_round_trip(name: str, tmp_path: Path) -> None:
    model = built(name).eval()
    torch.save(model.state_dict(), tmp_path / "state.pt")
    other = built(name)
    for parameter in other.parameters():
        parameter.zero_()
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    inputs = [torch.stack(sequences(2, 2))]
    expected, found = (tensors(each(inputs)) for each in (model, other.eval()))
    assert all(torch.equal(expected[field], found[field]) for field in expected)


@pytest.mark.parametrize("name", NAMES)
def test_frames_in_any_order_and_repeated_give_the_same_set(name: str) -> None:
    if name not in ("GaitSet", "GaitBase", "GEI"):
        pytest.skip("reads frames in order")
    model = built(name).eval()
    (frames,) = sequences(4)
    with torch.no_grad():
        forward, backward = (model([each.unsqueeze(0)]) for each in (frames, frames.flip(0)))
        twice = model([frames.repeat(2, 1, 1).unsqueeze(0)])
    torch.testing.assert_close(forward.embeddings, backward.embeddings)
    torch.testing.assert_close(forward.embeddings, twice.embeddings)


def test_energy_image_distance_is_that_of_the_mean_silhouettes() -> None:
    first, second = sequences(3, 5)
    packed = torch.cat([first, second]).unsqueeze(0)
    embeddings = built("GEI")([packed], [3, 5]).embeddings
    assert embeddings.shape == (2, HEIGHT_PX * WIDTH_PX, 1)
    distance = (embeddings[0] - embeddings[1]).norm()
    torch.testing.assert_close(distance, (first.mean(0) - second.mean(0)).norm())


def test_gaitbase_with_a_plain_backbone() -> None:
    backbone = {"name": "Plain", "layers": ["BC-8", "BC-8", "M", "BC-16", "M"]}
    output = built("GaitBase", backbone=backbone, bins=[16, 8])([torch.rand(2, 2, 64, 44)])
    assert output.embeddings.shape == (2, 256, 24)
    assert output["logits"].shape == (2, CLASSES, 24)
