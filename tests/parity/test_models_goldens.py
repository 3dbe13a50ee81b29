"""The same weights give the embeddings, losses and gradients of the published implementation.

Each golden in `goldens/` is tried, and needs nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gait.compat import opengait
from gait.compat.converters import by_model
from gait.compat.foreign import Section
from gait.engine.batch_norm import prepare, set_training
from tests.parity import goldens

NAMES = sorted(path.stem for path in goldens.FOLDER.glob("*__*.json"))


def built(golden: dict[str, Any]) -> nn.Module:
    # Some foreign models choose their size by the dataset, which the name of the case tells.
    dataset = golden["name"].split("__")[1].split("_")[0].upper()
    model = opengait.build_model(golden["model_cfg_used"], dataset)
    opengait.load_state_dict(model, goldens.weights(golden))
    return model


@cache
def read(name: str) -> dict[str, Any]:
    golden = goldens.read(name)
    golden["name"] = name
    return golden


def trained(name: str) -> dict[str, Any]:
    golden = read(name)
    if not golden.get("train"):
        pytest.skip("the golden has no training case")
    return golden


@pytest.mark.parametrize("name", NAMES)
def test_state_maps_strictly_both_ways(name: str) -> None:
    golden = read(name)
    model = built(golden)
    assert sum(each.numel() for each in model.parameters()) == golden["num_parameters_here"]
    returned = opengait.state_dict(model)
    is_aside = by_model(type(model).__name__).is_aside
    expected = {name: each for name, each in goldens.weights(golden).items() if not is_aside(name)}
    assert set(returned) == set(expected)
    assert all(torch.equal(returned[each], expected[each]) for each in expected)


@pytest.fixture
def joined_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let convolutions over frames run across the borders of packed sequences, as published.

    That the sequences of a pack do not reach into each other here is tested with the models.
    """

    def joined(maps: Tensor, lengths: list[int], convolve: Callable[[Tensor], Tensor]) -> Tensor:
        return convolve(maps.unsqueeze(0)).squeeze(0)

    monkeypatch.setattr("gait.layers.spatiotemporal.across_frames", joined)
    monkeypatch.setattr("gait.models.swingait.clip_by_clip", joined)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("joined_sequences")
def test_embeddings(name: str) -> None:
    golden = read(name)
    case = golden["eval"]
    inputs = goldens.inputs(
        case["input_seed"], case["input_kind"], case["n"], case["frames_total"]
    )
    for given, expected in zip(inputs, case["inputs"], strict=True):
        goldens.assert_close(given, expected, 1e-6)
    lengths = case["seqL"][0] if case["seqL"] else None
    model = built(golden).eval()
    embedded = opengait.embed(model, inputs, lengths)
    converter = by_model(type(model).__name__)
    with torch.no_grad():
        output = model(converter.inputs(inputs, False), lengths)
    for key, expected in case["outputs"].items():
        kind, *rest = key.split(".")
        if kind == "inference_feat":
            goldens.assert_close(embedded[rest[0]], expected, 1e-4)
        else:
            field = converter.fields[rest[0]][0]
            goldens.assert_close(output[field], expected, 1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_losses_and_gradients(name: str) -> None:
    golden = trained(name)
    case = golden["train"]
    kind = golden["eval"]["input_kind"]
    seeds = case["input_seed"]
    drawn = [
        goldens.inputs(seed, kind, case["n"], case["frames_per_sequence"])
        for seed in (seeds if isinstance(seeds, list) else [seeds])
    ]
    inputs = [torch.cat(each) for each in zip(*drawn, strict=True)]
    # As trained here: torch's own batch normalisation of channels-last maps is not precise enough.
    model = prepare(built(golden), "local", 1, torch.device("cpu"))
    set_training(model, "fixed" if "fix_BN" in case["mode"] else "local")
    _freeze(model, golden["model_cfg_used"])
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    labels = torch.tensor(case["labels"])
    names = sorted(set(case["types"]))
    categories = torch.tensor([names.index(each) for each in case["types"]])
    total, terms = opengait.training_loss(model, case["loss_cfg"], inputs, labels, categories)
    assert total.item() == pytest.approx(case["loss_sum"], rel=1e-4)
    for key, expected in case["losses"].items():
        if isinstance(expected, dict):
            # Each sample's distance to itself is rounding, and of any size up to 1e-3.
            assert len(terms[key]) == expected["len"]
            assert terms[key][:8].tolist() == pytest.approx(expected["values"], rel=1e-2)
            assert terms[key].mean().item() == pytest.approx(expected["mean"], rel=5e-4)
        else:
            assert terms[key].item() == pytest.approx(expected, rel=1e-4, abs=1e-7)
    total.backward()
    norms = [each.grad.double().norm() for each in model.parameters() if each.grad is not None]
    whole = torch.stack(norms).norm().item()
    assert whole == pytest.approx(case["grad_l2_total"], rel=1e-3)
    gradients = opengait.state_dict(_gradients(model))
    for key, expected in case["grad_l2"].items():
        # That of a bias before a batch normalisation is rounding.
        allowed = pytest.approx(expected, rel=1e-3, abs=1e-6 * whole)
        assert gradients[key].double().norm().item() == allowed


def _freeze(model: nn.Module, model_cfg: dict[str, Any]) -> None:
    """Leave out what the foreign recipe leaves out."""
    recipe = by_model(type(model).__name__).recipe(Section({"model_cfg": model_cfg}))
    for group in recipe.get("parameters", []):
        for name, parameter in model.named_parameters():
            if group.get("frozen") and any(fnmatch(name, each) for each in group["match"]):
                parameter.requires_grad_(False)


def _gradients(model: nn.Module) -> nn.Module:
    """`model` with each parameter replaced by its gradient, to find them by foreign names."""
    for parameter in model.parameters():
        gradient: Tensor | None = parameter.grad
        parameter.data = torch.zeros_like(parameter) if gradient is None else gradient
    return model
