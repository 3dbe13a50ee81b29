"""Every model of `config/models`, small, on sequences of its own modalities."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gait import registry
from gait.data.store import PackedStore
from gait.types import ModelOutput
from tests import populations
from tests.populations import NAMES, built, recipe, sequence, sizes_of

# Parameters that published architectures have and never use, so that published weights fit.
# A bias before a normalisation has a gradient of rounding only, which may be zero.
UNUSED = {
    "GaitGraph1": ("edge", "bias"),
    "GaitGraph2": ("edge", "bias"),
    "GaitTR": ("bias",),
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PackedStore]:
    root = tmp_path_factory.mktemp("populations")
    found = {}
    for name in NAMES:
        populations.write_population(root / name, name)
        found[name] = PackedStore(root / name)
    return found


@cache
def _sizes(name: str, store: PackedStore) -> dict[str, int]:
    return sizes_of(name, store)


def model_of(name: str, stores: dict[str, PackedStore]) -> nn.Module:
    return built(name, _sizes(name, stores[name]))


def stacked(name: str, store: PackedStore, indices: list[int], count: int) -> list[Tensor]:
    each = [sequence(name, store, index, count) for index in indices]
    return [torch.stack(tensors) for tensors in zip(*each, strict=True)]


def tensors(output: ModelOutput) -> dict[str, Tensor]:
    return {"embeddings": output.embeddings, **output.fields}


def test_every_registered_model_has_a_recipe() -> None:
    assert {recipe(name)["model"]["name"] for name in NAMES} == set(registry.names("model"))
    assert set(populations.SMALL) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_known(name: str) -> None:
    assert registry.check("model", populations._read(name)["model"]) == []


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_shapes(name: str, stores: dict[str, PackedStore]) -> None:
    output = model_of(name, stores).eval()(stacked(name, stores[name], [0, 1, 2], 4))
    assert output.embeddings.dim() == 3 and len(output.embeddings) == 3
    assert output.embeddings.dtype == torch.float32
    assert all(each.dtype == torch.float32 for each in output.fields.values())
    if "logits" in output.fields:
        assert output["logits"].shape[1] == 3


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_packed_and_batched_sequences_are_as_one_by_one(
    name: str, stores: dict[str, PackedStore]
) -> None:
    model, store = model_of(name, stores).eval(), stores[name]
    lengths = [5, 2, 5]
    each = [sequence(name, store, index, length) for index, length in enumerate(lengths)]
    alone = [model([tensor.unsqueeze(0) for tensor in one]) for one in each]
    packed = model([torch.cat(parts).unsqueeze(0) for parts in zip(*each, strict=True)], lengths)
    batched = model([torch.stack([first, third]) for first, _, third in zip(*each, strict=True)])
    for field, value in tensors(packed).items():
        expected = torch.cat([one[field] for one in alone])
        torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-5)
        first, third = alone[0][field], alone[2][field]
        torch.testing.assert_close(batched[field], torch.cat([first, third]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient(name: str, stores: dict[str, PackedStore]) -> None:
    model = model_of(name, stores).train()
    output = model(stacked(name, stores[name], [0, 0, 4, 4, 8, 8], 4))
    generator = torch.Generator().manual_seed(2)
    weighted = [
        (value * torch.rand(value.shape, generator=generator)).sum()
        for value in tensors(output).values()
        if value.requires_grad
    ]
    trainable = {key: each for key, each in model.named_parameters() if each.requires_grad}
    if trainable:
        torch.stack(weighted).sum().backward()
    excused = UNUSED.get(name, ())
    without = [
        key
        for key, each in trainable.items()
        if (each.grad is None or not each.grad.any()) and not key.endswith(excused or "\0")
    ]
    assert without == []


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_state_round_trip(name: str, stores: dict[str, PackedStore], tmp_path: Path) -> None:
    model = model_of(name, stores).eval()
    torch.save(model.state_dict(), tmp_path / "state.pt")
    other = model_of(name, stores)
    for parameter in other.parameters():
        parameter.zero_()
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    inputs = stacked(name, stores[name], [0, 1], 4)
    expected, found = (tensors(each(inputs)) for each in (model, other.eval()))
    assert all(torch.equal(expected[field], found[field]) for field in expected)


@pytest.mark.parametrize("name", ["GEI", "GaitBase", "GaitSet", "GLN", "LidarGait", "ScoNet"])
@torch.no_grad()
def test_frames_in_any_order_and_repeated_give_the_same_set(
    name: str, stores: dict[str, PackedStore]
) -> None:
    model = model_of(name, stores).eval()
    (frames,) = sequence(name, stores[name], 0, 4)
    forward, backward = (model([each.unsqueeze(0)]) for each in (frames, frames.flip(0)))
    twice = model([torch.cat([frames, frames]).unsqueeze(0)])
    torch.testing.assert_close(forward.embeddings, backward.embeddings)
    torch.testing.assert_close(forward.embeddings, twice.embeddings)


def test_energy_image_distance_is_that_of_the_mean_silhouettes() -> None:
    first, second = torch.rand(3, 64, 44), torch.rand(5, 64, 44)
    packed = torch.cat([first, second]).unsqueeze(0)
    embeddings = built("GEI", {})([packed], [3, 5]).embeddings
    assert embeddings.shape == (2, 64 * 44, 1)
    distance = (embeddings[0] - embeddings[1]).norm()
    torch.testing.assert_close(distance, (first.mean(0) - second.mean(0)).norm())


def test_gaitbase_with_a_plain_backbone() -> None:
    backbone = {"name": "Plain", "layers": ["BC-8", "BC-8", "M", "BC-16", "M"]}
    model = built("GaitBase", {"num_classes": 3}, backbone=backbone, bins=[16, 8])
    output = model([torch.rand(2, 2, 64, 44)])
    assert output.embeddings.shape == (2, 8, 24)
    assert output["logits"].shape == (2, 3, 24)
