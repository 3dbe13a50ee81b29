"""Segmentation, alignment within the network, and the models made of them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from gait import registry
from gait.errors import ConfigError
from gait.layers.gait_align import gait_align
from gait.layers.morphology import dilate, erode
from gait.layers.roi_align import roi_align
from gait.layers.u_net import UNet
from gait.losses.binary_cross_entropy import BinaryCrossEntropy
from gait.types import ModelOutput

MODES = [(edge, align) for edge in (True, False) for align in (True, False)]
PER_FRAME = ("probabilities", "masks", "pred", "mask")


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def walk(s: int, seed: int = 0, size: int = 64) -> list[Tensor]:
    """Ratios, images and silhouettes [1, s, ...] of a bar that is a walker."""
    silhouettes = torch.zeros(1, s, size, size)
    for index in range(s):
        left = 12 + (5 * seed + 3 * index) % 20
        silhouettes[0, index, 6 : size - 4 - seed, left : left + 16 + index] = 1
    images = random(1, s, 3, size, size, seed=seed) + silhouettes.unsqueeze(2)
    return [0.3 + 0.4 * random(1, s, seed=seed), images, silhouettes]


def joined(walks: list[list[Tensor]], axis: int) -> list[Tensor]:
    return [torch.cat(each, axis) for each in zip(*walks, strict=True)]


def built(name: str, **changes: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    small = {"GaitEdge": {"channels": [4, 4, 8, 8]}, "Segmentation": {}}[name]
    component = {"name": name, **small, **changes}
    model: torch.nn.Module = registry.build("model", component, num_classes=3)
    return model


def tensors(output: ModelOutput) -> dict[str, Tensor]:
    return {"embeddings": output.embeddings, **output.fields}


def slow_roi(image: Tensor, box: list[float], height: int, width: int) -> Tensor:
    """RoIAlign of one image [h, w], sample by sample."""
    left, top, right, bottom = box
    step_y, step_x = max(bottom - top, 1) / height, max(right - left, 1) / width
    n_y, n_x = math.ceil(step_y), math.ceil(step_x)
    result = torch.zeros(height, width)
    for row in range(height):
        for column in range(width):
            for i in range(n_y):
                for j in range(n_x):
                    y = top + (row + (i + 0.5) / n_y) * step_y
                    x = left + (column + (j + 0.5) / n_x) * step_x
                    result[row, column] += bilinear(image, y, x) / (n_y * n_x)
    return result


def bilinear(image: Tensor, y: float, x: float) -> float:
    y, x = min(y, image.shape[0] - 1), min(x, image.shape[1] - 1)
    corners = [(int(y) + i, int(x) + j) for i in (0, 1) for j in (0, 1)]
    near = [(i, j) for i, j in corners if i < image.shape[0] and j < image.shape[1]]
    return sum(image[i, j].item() * (1 - abs(y - i)) * (1 - abs(x - j)) for i, j in near)


def test_roi_align_is_the_mean_of_bilinear_samples() -> None:
    maps = random(3, 2, 20, 15)
    boxes = [[1.2, 0.0, 9.7, 20.0], [3.0, 4.5, 3.2, 8.5], [0.0, 2.0, 15.0, 7.9]]
    found = roi_align(maps, torch.tensor(boxes), 6, 4)
    for cut, channels, box in zip(found, maps, boxes, strict=True):
        for channel, image in zip(cut, channels, strict=True):
            torch.testing.assert_close(channel, slow_roi(image, box, 6, 4))


def test_morphology_ignores_what_lies_outside() -> None:
    masks = torch.zeros(1, 1, 5, 6)
    masks[0, 0, 0:4, 1:4] = 1
    grown, shrunk = dilate(masks, 3)[0, 0], erode(masks, 3)[0, 0]
    assert grown.nonzero().amin(0).tolist() == [0, 0]
    assert grown.nonzero().amax(0).tolist() == [4, 4]
    assert shrunk.nonzero().tolist() == [[0, 2], [1, 2], [2, 2]]


def test_walkers_fill_the_height_and_are_centred() -> None:
    masks = torch.zeros(3, 1, 128, 128)
    masks[0, 0, 10:90, 45:65] = 1
    masks[1, 0, 70:126, 60:86] = 1
    masks[2, 0, 64:128, 40:60] = 1
    aligned = gait_align(masks, masks, torch.tensor([0.5, 0.4, 1.2]))
    assert aligned.shape == (3, 1, 64, 44)
    for image in aligned[:, 0]:
        assert image.sum(1)[[1, -2]].min() > 0
        middle = (image.sum(0) * torch.arange(44)).sum() / image.sum()
        assert abs(middle - 21.5) < 1


def test_frames_without_a_walker_or_a_ratio_are_finite() -> None:
    masks = torch.zeros(3, 1, 32, 32)
    masks[1:, 0, 4:20, 8:14] = 1
    maps = random(3, 1, 32, 32).requires_grad_()
    aligned = gait_align(maps, masks, torch.tensor([0.4, 0.0, 0.4]))
    assert aligned.isfinite().all()
    assert not aligned[0].any() and aligned[1].any()
    aligned.sum().backward()
    assert maps.grad is not None and maps.grad.isfinite().all()
    assert not maps.grad[0].any() and maps.grad[2].any()


def test_images_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        UNet()(random(1, 3, 20, 16))


def test_binary_cross_entropy_by_hand() -> None:
    found = torch.tensor([[0.9, 0.2], [0.1, 0.3], [0.0, 1.0]])
    truth = torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.0, 1.0]])
    result = BinaryCrossEntropy()(found, truth, torch.arange(3))
    losses = [-math.log(each) for each in (0.9, 0.2, 0.9, 0.7, 1, 1)]
    assert result.value.item() == pytest.approx(sum(losses) / 6)
    assert result.terms["hard_loss"].item() == pytest.approx(-math.log(0.2))
    # Nothing found where nothing is, is right.
    assert result.terms["miou"].tolist() == [0.5, 1.0, 1.0]


def test_certain_errors_are_finite() -> None:
    found = torch.tensor([[0.0, 1.0]], requires_grad=True)
    result = BinaryCrossEntropy()(found, torch.tensor([[1.0, 0.0]]), torch.arange(1))
    result.value.backward()
    assert result.value.isfinite()
    assert found.grad is not None and found.grad.isfinite().all()


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("Segmentation", {}),
        *(("GaitEdge", {"edge": edge, "align": align}) for edge, align in MODES),
    ],
)
@torch.no_grad()
def test_packed_and_batched_walks_are_as_one_by_one(name: str, changes: dict[str, Any]) -> None:
    model = built(name, **changes).eval()
    skipped = 1 if name == "Segmentation" else 0
    walks = [walk(s, seed)[skipped:] for seed, s in enumerate((5, 1, 5))]
    alone = [tensors(model(each)) for each in walks]
    packed = tensors(model(joined(walks, 1), [5, 1, 5]))
    batched = tensors(model(joined([walks[0], walks[2]], 0)))
    for field, value in packed.items():
        torch.testing.assert_close(value, torch.cat([each[field] for each in alone]))
        rows = [0, 2] if field not in PER_FRAME else [*range(5), *range(6, 11)]
        torch.testing.assert_close(batched[field], value[rows])


@pytest.mark.parametrize(("edge", "align"), MODES)
def test_both_networks_learn(edge: bool, align: bool) -> None:
    model = built("GaitEdge", edge=edge, align=align).train()
    output = model(joined([walk(2, seed) for seed in range(4)], 0))
    assert output["logits"].shape == (4, 3, 64)
    # The embeddings' batch normalisation takes away their sum.
    output.embeddings.square().sum().backward(retain_graph=True)
    assert model.segmenter.last.weight.grad.any()
    (output["logits"].square().sum() + output["probabilities"].sum()).backward()
    assert [key for key, each in model.named_parameters() if each.grad is None] == []
    assert [key for key, each in model.named_parameters() if not each.grad.any()] == []


def test_only_the_contour_is_learnt() -> None:
    model = built("GaitEdge")
    masks = walk(1)[2].transpose(0, 1)
    probabilities = random(1, 1, 64, 64).requires_grad_()
    model._edged(probabilities, masks).sum().backward()
    band = (dilate(masks, 3) - erode(masks, 3)).bool()
    assert probabilities.grad is not None
    assert torch.equal(probabilities.grad.bool(), band)


@pytest.mark.parametrize(("edge", "align"), MODES)
@torch.no_grad()
def test_an_empty_sequence_is_finite(edge: bool, align: bool) -> None:
    model = built("GaitEdge", edge=edge, align=align).eval()
    ratios, images, silhouettes = walk(3)
    output = model([torch.zeros_like(ratios), images, torch.zeros_like(silhouettes)])
    assert all(each.isfinite().all() for each in tensors(output).values())
    # Nothing is found either.
    model.segmenter.last.bias.fill_(-50)
    output = model([ratios, images, silhouettes])
    assert all(each.isfinite().all() for each in tensors(output).values())


def test_embeddings_of_segmentation_are_the_mean_overlap() -> None:
    model = built("Segmentation").eval()
    images, silhouettes = walk(3)[1:]
    silhouettes[0, 1] = 0
    output = model([images, silhouettes])
    shares = []
    for found, truth in zip(
        output["probabilities"][:, 0] > 0.5, silhouettes[0] > 0.5, strict=True
    ):
        shares.append(float((found & truth).sum() / (found | truth).sum()))
    assert shares[1] == 0 < shares[0]
    torch.testing.assert_close(output.embeddings, torch.tensor(shares).mean().view(1, 1, 1))


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ConfigError, match="odd number, got 4"):
        built("GaitEdge", kernel_size=4)
