"""Losses and their gradients agree with the published implementation on the same tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gait import registry
from gait.compat.losses import loss_of, loss_sections
from tests.parity import goldens

CASES = goldens.cases("losses")
NAMES = [name for name in CASES if name.startswith(("TripletLoss", "CrossEntropyLoss"))]


def loss_in(case: dict[str, Any]) -> nn.Module:
    cfg = {"type": case["name"].split()[0], "log_prefix": "any", **case["constructor"]}
    (section,) = loss_sections(cfg)
    _, component, _ = loss_of(section)
    loss: nn.Module = registry.build("loss", component)
    return loss


@pytest.mark.parametrize("name", NAMES)
def test_loss(name: str) -> None:
    case = CASES[name]
    labels = np.array(case["inputs"]["labels"]["values"])
    field = "embeddings" if name.startswith("TripletLoss") else "logits"
    given = case["inputs"][field]
    if field == "embeddings":
        values = 0.15 * goldens.symmetric("public-v1|losses|emb", given["shape"])
        if "10*label" in given["recipe"]:
            values = values + 10 * labels[:, None, None]
    else:
        values = 0.3 * goldens.symmetric("public-v1|losses|logits", given["shape"])
    value = goldens.tensor(values).requires_grad_()
    result = loss_in(case)(value, torch.from_numpy(labels))
    assert result.value.item() == pytest.approx(np.mean(case["loss"]), rel=1e-5, abs=1e-7)
    for term, expected in case["info"].items():
        np.testing.assert_allclose(result.terms[term].numpy(), expected, rtol=5e-5, atol=1e-6)
    result.value.backward()
    assert value.grad is not None
    goldens.assert_close(value.grad, case[f"grad_of_loss_mean_wrt_{field}"], 1e-4)


def test_binary_cross_entropy() -> None:
    case = CASES['BinaryCrossEntropyLoss (argument "logits" holds probabilities)']
    shape = case["inputs"]["logits"]["shape"]
    value = goldens.tensor(goldens.uniform("public-v1|losses|bce", shape)).requires_grad_()
    masks = goldens.tensor(goldens.uniform("public-v1|losses|bce_t", shape) > 0.5)
    result = loss_in(case)(value, masks, torch.arange(2))
    assert result.value.item() == pytest.approx(case["loss"], rel=1e-5)
    assert set(result.terms) == set(case["info"])
    for term, expected in case["info"].items():
        np.testing.assert_allclose(result.terms[term].numpy(), expected, rtol=1e-5)
    result.value.backward()
    assert value.grad is not None
    goldens.assert_close(value.grad, case["grad_of_loss_mean_wrt_logits"], 1e-4)
