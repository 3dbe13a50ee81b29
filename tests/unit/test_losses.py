"""Losses against slow references and cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gait.losses.cross_entropy import CrossEntropy
from gait.losses.supcon import SupCon
from gait.losses.triplet import Triplet, _distances


def slow_triplet(
    embeddings: np.ndarray, labels: list[int], margin: float
) -> tuple[list[float], list[int], list[float]]:
    """Per part: mean of the non-zero hinges, their number, and the largest."""
    losses, numbers, hardest = [], [], []
    for part in np.moveaxis(embeddings.astype(np.float64), 2, 0):
        hinges = []
        for a, anchor in enumerate(labels):
            for p, positive in enumerate(labels):
                for n, negative in enumerate(labels):
                    if positive == anchor and negative != anchor:
                        to_positive = np.linalg.norm(part[a] - part[p])
                        to_negative = np.linalg.norm(part[a] - part[n])
                        hinges.append(max(0.0, to_positive - to_negative + margin))
        active = [hinge for hinge in hinges if hinge > 0]
        losses.append(sum(active) / len(active) if active else 0.0)
        numbers.append(len(active))
        hardest.append(max(hinges, default=0.0))
    return losses, numbers, hardest


def random_embeddings(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 5, 3)).astype(np.float32)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 0, 1, 1, 2, 2],
        [2, 0, 1, 0, 2, 1],
        [0, 0, 0, 0, 1, 1, 2],  # unequal numbers, one identity with a single sample
        [0, 1, 2, 3],  # an anchor's only positive is itself
    ],
)
@pytest.mark.parametrize("margin", [0.2, 1.5])
def test_triplet_against_the_slow_reference(labels: list[int], margin: float) -> None:
    embeddings = random_embeddings(len(labels))
    losses, numbers, hardest = slow_triplet(embeddings, labels, margin)
    result = Triplet(margin)(torch.from_numpy(embeddings), torch.tensor(labels))
    # A sample's distance to itself is rounding.
    assert result.value.item() == pytest.approx(np.mean(losses), rel=1e-4)
    assert result.terms["loss"].tolist() == pytest.approx(losses, rel=1e-4)
    assert result.terms["loss_num"].tolist() == numbers
    assert result.terms["hard_loss"].tolist() == pytest.approx(hardest, rel=1e-5)


def test_triplet_gradient_against_differences() -> None:
    labels = torch.tensor([0, 0, 1, 1, 1])
    embeddings = torch.from_numpy(random_embeddings(5, seed=3)).requires_grad_()
    Triplet(0.5)(embeddings, labels).value.backward()
    step, expected = 1e-5, np.zeros((5, 5, 3))
    for index in np.ndindex(expected.shape):
        above, below = (embeddings.detach().numpy().astype(np.float64) for _ in range(2))
        above[index] += step
        below[index] -= step
        values = [np.mean(slow_triplet(each, labels.tolist(), 0.5)[0]) for each in (above, below)]
        expected[index] = (values[0] - values[1]) / (2 * step)
    assert embeddings.grad is not None
    np.testing.assert_allclose(embeddings.grad.numpy(), expected, atol=2e-5)


def test_triplet_by_hand() -> None:
    # On a line: identity 0 at 0 and 1, identity 1 at 1.5 and 4. Anchor by anchor, with margin 1:
    # at 0: positives 0, 1; negatives 1.5, 4: 1 - 1.5 + 1 = 0.5
    # at 1: positives 1, 0; negatives 0.5, 3: 1 - 0.5 + 1 = 1.5 and 0 - 0.5 + 1 = 0.5
    # at 1.5: positives 0, 2.5; negatives 1.5, 0.5: 0.5, 2, 3
    # at 4: positives 2.5, 0; negatives 4, 3: 0.5
    embeddings = torch.tensor([0.0, 1.0, 1.5, 4.0]).reshape(4, 1, 1)
    result = Triplet(1.0)(embeddings, torch.tensor([0, 0, 1, 1]))
    assert result.terms["loss_num"].item() == 7
    assert result.value.item() == pytest.approx((0.5 + 1.5 + 0.5 + 0.5 + 2 + 3 + 0.5) / 7)
    assert result.terms["hard_loss"].item() == pytest.approx(3)
    # Distances: six pairs, twice each, and four zeros.
    total = 2 * (1 + 1.5 + 4 + 0.5 + 3 + 2.5)
    assert result.terms["mean_dist"].item() == pytest.approx(total / 16)


def test_triplet_without_violations_is_zero_with_zero_gradient() -> None:
    embeddings = torch.tensor([0.0, 0.1, 9.0, 9.1]).reshape(4, 1, 1).requires_grad_()
    result = Triplet(0.2)(embeddings, torch.tensor([0, 0, 1, 1]))
    result.value.backward()
    assert result.value.item() == 0
    assert embeddings.grad is not None and not embeddings.grad.any()


def test_triplet_rounding_does_not_decide_what_violates() -> None:
    # Embeddings of length 5, whose distance to themselves is rounding of up to 0.001.
    first = torch.randn(1, 100, 50, generator=torch.Generator().manual_seed(0)) / 2
    second = first.clone()
    second[:, 0] += 0.2005
    result = Triplet(0.2)(torch.cat([first, second]), torch.tensor([0, 1]))
    assert not result.terms["loss_num"].any()


def test_triplet_of_one_identity_is_zero() -> None:
    result = Triplet()(torch.from_numpy(random_embeddings(3)), torch.zeros(3, dtype=torch.int64))
    assert result.value.item() == 0
    assert result.terms["hard_loss"].tolist() == [0, 0, 0]


def test_triplet_gradient_of_equal_embeddings_is_finite() -> None:
    # A sequence drawn twice, and two subjects who look the same.
    embeddings = torch.ones(4, 5, 2, requires_grad=True)
    Triplet()(embeddings, torch.tensor([0, 0, 1, 1])).value.backward()
    assert embeddings.grad is not None and embeddings.grad.isfinite().all()


def test_triplet_does_not_hide_nan() -> None:
    embeddings = torch.from_numpy(random_embeddings(4))
    embeddings[1, 2, 0] = math.nan
    assert Triplet()(embeddings, torch.tensor([0, 0, 1, 1])).value.isnan()


def slow_cross_entropy(
    logits: np.ndarray, labels: list[int], scale: float, smoothing: float
) -> float:
    n, classes, parts = logits.shape
    losses = []
    for sample in range(n):
        for part in range(parts):
            row = scale * logits[sample, :, part].astype(np.float64)
            log_share = row - np.log(np.exp(row).sum())
            target = np.full(classes, smoothing / classes)
            target[labels[sample]] += 1 - smoothing
            losses.append(-(target * log_share).sum())
    return float(np.mean(losses))


@pytest.mark.parametrize(("scale", "smoothing"), [(16, 0.1), (1, 0.0), (4, 0.3)])
def test_cross_entropy_against_the_slow_reference(scale: float, smoothing: float) -> None:
    logits = np.random.default_rng(1).normal(size=(4, 6, 3)).astype(np.float32)
    labels = [5, 0, 2, 2]
    result = CrossEntropy(scale, smoothing)(torch.from_numpy(logits), torch.tensor(labels))
    expected = slow_cross_entropy(logits, labels, scale, smoothing)
    assert result.value.item() == pytest.approx(expected, rel=1e-5)
    right = (logits.argmax(1) == np.array(labels)[:, None]).mean()
    assert result.terms["accuracy"].item() == pytest.approx(right)


def test_cross_entropy_by_hand() -> None:
    # Two classes, logits 0 and log 3 at scale 1: shares 1/4 and 3/4.
    logits = torch.tensor([0.0, math.log(3)]).reshape(1, 2, 1)
    plain = CrossEntropy(1.0, 0.0)(logits, torch.tensor([1]))
    assert plain.value.item() == pytest.approx(-math.log(3 / 4))
    smooth = CrossEntropy(1.0, 0.2)(logits, torch.tensor([1]))
    assert smooth.value.item() == pytest.approx(-0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4))


def test_cross_entropy_averages_over_samples() -> None:
    # What lets the engine weight the slices of several processes.
    logits, labels = torch.randn(6, 5, 3), torch.tensor([0, 1, 2, 3, 4, 0])
    loss = CrossEntropy()
    whole = loss(logits, labels).value
    slices = (
        loss(logits[:2], labels[:2]).value * 2 / 6 + loss(logits[2:], labels[2:]).value * 4 / 6
    )
    assert whole.item() == pytest.approx(slices.item(), rel=1e-6)


def slow_contrast(
    rows: np.ndarray, labels: list[int], temperature: float, similarity: str
) -> float:
    rows = rows.astype(np.float64)
    if similarity == "distance":
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    losses = []
    for i, label in enumerate(labels):
        others = [j for j in range(len(labels)) if j != i]
        scores = {
            j: (rows[i] @ rows[j] if similarity == "dot" else -np.linalg.norm(rows[i] - rows[j]))
            / temperature
            for j in others
        }
        most = max(scores.values())
        total = most + math.log(sum(math.exp(each - most) for each in scores.values()))
        wanted = [total - scores[j] for j in others if labels[j] == label]
        if wanted:
            losses.append(sum(wanted) / len(wanted))
    if similarity == "distance":
        losses = [each for each in losses if each > 0]
        return float(np.mean(losses)) if losses else 0.0
    return float(np.mean(losses)) * temperature / 0.07 if losses else 0.0


@pytest.mark.parametrize("similarity", ["dot", "distance"])
@pytest.mark.parametrize("temperature", [0.01, 0.5])
@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2, 2], [0, 1, 0, 2, 0, 1], [0, 1, 2, 3, 4, 5]])
def test_contrast_against_the_slow_reference(
    similarity: str, temperature: float, labels: list[int]
) -> None:
    rows = np.random.default_rng(4).normal(size=(6, 5)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    value = torch.from_numpy(rows).unsqueeze(2).requires_grad_()
    result = SupCon(temperature, similarity)(value, torch.tensor(labels))
    expected = slow_contrast(rows, labels, temperature, similarity)
    assert result.value.item() == pytest.approx(expected, rel=1e-5)
    result.value.backward()
    assert value.grad is not None and value.grad.isfinite().all()


def test_contrast_by_hand() -> None:
    # Three samples on the axes: the products with the other two are 0, so p is 1/2 each.
    result = SupCon(0.07)(torch.eye(3).unsqueeze(2), torch.tensor([0, 0, 1]))
    assert result.value.item() == pytest.approx(math.log(2))
    # Two samples only: each finds the other for certain.
    assert SupCon(0.07)(torch.eye(2), torch.tensor([0, 0])).value.item() == 0


@pytest.mark.parametrize("similarity", ["dot", "distance"])
def test_contrast_is_finite_where_all_are_far_or_equal(similarity: str) -> None:
    for rows in (
        # Exponents relative to the sample itself would all vanish.
        torch.eye(4),
        torch.cat([torch.eye(2), -torch.eye(2)]),
        torch.ones(4, 3),
        torch.zeros(4, 3),
        1e9 * torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]]),
    ):
        value = rows.clone().requires_grad_()
        result = SupCon(0.01, similarity)(value, torch.tensor([0, 1, 0, 1]))
        result.value.backward()
        assert result.value.isfinite()
        assert value.grad is not None and value.grad.isfinite().all()


@pytest.mark.parametrize("similarity", ["dot", "distance"])
def test_contrast_of_a_single_sample_is_zero(similarity: str) -> None:
    value = torch.ones(1, 3, requires_grad=True)
    result = SupCon(0.01, similarity)(value, torch.tensor([0]))
    result.value.backward()
    assert result.value.item() == 0
    assert value.grad is not None and not value.grad.any()


def test_contrast_does_not_hide_nan() -> None:
    rows = torch.from_numpy(random_embeddings(4))
    rows[1, 2, 0] = math.nan
    for similarity in ("dot", "distance"):
        loss = SupCon(0.01, similarity)
        assert loss(rows, torch.tensor([0, 0, 1, 1])).value.isnan()


def test_contrast_refuses_other_similarities() -> None:
    with pytest.raises(ValueError, match="similarity is 'cosine', expected 'dot' or 'distance'"):
        SupCon(0.01, "cosine")


def test_triplet_gives_a_distance_to_itself_no_gradient() -> None:
    # Embeddings of length 35, whose distance to themselves is rounding well above zero: through
    # it the gradient would be off by 2e-4.
    generator = torch.Generator().manual_seed(0)
    parts = (5 * torch.randn(1, 40, 50, generator=generator)).requires_grad_()
    weights = torch.rand(1, 40, 40, generator=generator)
    distances = _distances(parts)
    assert distances.diagonal(dim1=1, dim2=2).max() > 1e-3
    (distances * weights).sum().backward()
    exact = parts.detach().double().requires_grad_()
    squares = (exact.unsqueeze(2) - exact.unsqueeze(1)).square().sum(3)
    others = ~torch.eye(40, dtype=torch.bool)
    (torch.where(others, squares, 1).sqrt() * others * weights.double()).sum().backward()
    assert parts.grad is not None and exact.grad is not None
    torch.testing.assert_close(parts.grad.double(), exact.grad, rtol=0, atol=2e-5)
