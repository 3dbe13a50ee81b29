"""Batch normalisation of one process; several are in tests/distributed."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from gait.engine import batch_norm

CPU = torch.device("cpu")


def _layers() -> tuple[nn.BatchNorm2d, nn.Module]:
    layer = nn.BatchNorm2d(3)
    nn.init.uniform_(layer.weight, 0.5, 1.5)
    nn.init.uniform_(layer.bias)
    return layer, batch_norm.prepare(copy.deepcopy(layer), "local", 1, CPU)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_forward_backward_and_statistics_are_those_of_torch(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    reference, ours = _layers()
    # In double precision: torch's own single-precision kernel is not the better one.
    reference = reference.double()
    inputs = (torch.randn(5, 3, 40, 30) * 2 + 3).contiguous(memory_format=layout)
    slopes = torch.randn(5, 3, 40, 30)
    exact = inputs.double().requires_grad_()
    inputs.requires_grad_()
    expected, got = reference(exact), ours(inputs)
    expected.backward(slopes.double())
    got.backward(slopes)
    assert exact.grad is not None and inputs.grad is not None
    torch.testing.assert_close(got, expected.float(), rtol=1e-5, atol=2e-6)
    torch.testing.assert_close(inputs.grad, exact.grad.float(), rtol=1e-5, atol=1e-6)
    for name, parameter in ours.named_parameters():
        wanted = reference.get_parameter(name).grad
        assert wanted is not None
        torch.testing.assert_close(parameter.grad, wanted.float(), rtol=1e-5, atol=1e-4)
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(
            ours.get_buffer(name), reference.get_buffer(name).float(), rtol=1e-6, atol=1e-6
        )


def test_a_large_channels_last_batch_keeps_its_precision() -> None:
    """What torch's CPU kernel loses here is the reason for ours."""
    torch.manual_seed(0)
    inputs = torch.randn(500, 1, 64, 44).contiguous(memory_format=torch.channels_last) + 0.3
    layer = batch_norm.prepare(nn.BatchNorm2d(1, affine=False), "local", 1, CPU)
    assert abs(float(layer(inputs).double().var(correction=0)) - 1) < 2e-5


def test_sums_over_many_chunks_are_in_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_norm, "_CHUNK", 1)
    layer = batch_norm.prepare(nn.BatchNorm1d(1, momentum=1.0), "local", 1, CPU)
    inputs = torch.full((800, 1, 1), 0.1)
    layer(inputs).backward(inputs)
    assert float(layer.get_buffer("running_mean")) == pytest.approx(0.1, rel=2e-7)
    gradient = layer.get_parameter("bias").grad
    # One after the other in single precision they come to 79.99935.
    assert gradient is not None and float(gradient) == pytest.approx(80, rel=2e-7)


def test_parameters_and_names_survive_the_conversion() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Sequential(nn.BatchNorm1d(4)))
    before = {name: id(each) for name, each in model.named_parameters()}
    names = list(model.state_dict())
    converted = batch_norm.prepare(model, "synchronised", 1, CPU)
    assert {name: id(each) for name, each in converted.named_parameters()} == before
    assert list(converted.state_dict()) == names


def test_evaluation_uses_the_running_statistics() -> None:
    reference, ours = _layers()
    inputs = torch.randn(4, 3, 5, 5)
    torch.testing.assert_close(ours.eval()(inputs), reference.eval()(inputs))


def test_fixed_statistics_stay_and_affine_weights_learn() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3))
    batch_norm.set_training(model, "fixed")
    inputs = torch.randn(8, 3) + 5
    model(inputs).square().sum().backward()
    assert model.training and not model[0].training
    assert torch.equal(model[0].running_mean, torch.zeros(3))
    assert model[0].weight.grad is not None and model[0].weight.grad.abs().min() > 0


def test_many_small_pieces_lose_nothing_of_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_norm, "_CHUNK", 1)
    inputs = torch.full((20000, 1, 1, 1), 0.1)
    mean, variance, count = batch_norm._statistics(inputs, shared=False)
    # Added up in single precision, these come to 1999.66 instead of 2000.
    assert (float(mean), count) == (float(inputs[0]), 20000)
    assert float(variance) < 1e-14
