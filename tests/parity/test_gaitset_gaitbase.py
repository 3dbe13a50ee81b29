"""The same weights give the embeddings, losses and gradients of the published implementation."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from gait.compat import opengait
from tests.parity import goldens

NAMES = (
    "GaitSet__casiab",
    "GaitSet__oumvlp",
    "GaitBase__casiab",
    "GaitBase__hid_plain",
    "LidarGait__sustech1k",
)


def built(golden: dict[str, Any]) -> nn.Module:
    model = opengait.build_model(golden["model_cfg_used"])
    opengait.load_state_dict(model, goldens.weights(golden))
    return model


@cache
def read(name: str) -> dict[str, Any]:
    return goldens.read(name)


@pytest.mark.parametrize("name", NAMES)
def test_state_maps_strictly_both_ways(name: str) -> None:
    golden = read(name)
    model = built(golden)
    assert sum(each.numel() for each in model.parameters()) == golden["num_parameters_here"]
    returned = opengait.state_dict(model)
    expected = goldens.weights(golden)
    assert set(returned) == set(expected)
    assert all(torch.equal(returned[each], expected[each]) for each in expected)


@pytest.mark.parametrize("name", NAMES)
def test_embeddings(name: str) -> None:
    golden = read(name)
    case = golden["eval"]
    inputs = goldens.inputs(
        case["input_seed"], case["input_kind"], case["n"], case["frames_total"]
    )
    goldens.assert_close(inputs[0], case["inputs"][0], 1e-6)
    lengths = case["seqL"][0]
    model = built(golden).eval()
    outputs = case["outputs"]
    embeddings = opengait.embed(model, inputs, lengths)["embeddings"]
    goldens.assert_close(embeddings, outputs["inference_feat.embeddings"], 1e-4)
    if "training_feat.softmax.logits" in outputs:
        with torch.no_grad():
            logits = model(inputs, lengths)["logits"]
        goldens.assert_close(logits, outputs["training_feat.softmax.logits"], 1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_losses_and_gradients(name: str) -> None:
    golden = read(name)
    case = golden["train"]
    kind = golden["eval"]["input_kind"]
    inputs = goldens.inputs(case["input_seed"], kind, case["n"], case["frames_per_sequence"])
    model = built(golden).train()
    labels = torch.tensor(case["labels"])
    total, terms = opengait.training_loss(model, case["loss_cfg"], inputs, labels)
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
    norms = {
        name: parameter.grad.double().norm()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    whole = torch.stack(list(norms.values())).norm().item()
    assert whole == pytest.approx(case["grad_l2_total"], rel=1e-3)
    for name, parameter in opengait.state_dict(_gradients(model)).items():
        if name in case["grad_l2"]:
            expected = case["grad_l2"][name]
            assert parameter.double().norm().item() == pytest.approx(expected, rel=1e-3)


def _gradients(model: nn.Module) -> nn.Module:
    """`model` with each parameter replaced by its gradient, to find them by foreign names."""
    for parameter in model.parameters():
        assert parameter.grad is not None
        parameter.data = parameter.grad
    return model
