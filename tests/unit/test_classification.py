"""Categories that are told are counted as they should be, whatever is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gait.config.protocol import Classification
from gait.errors import DataError
from gait.evaluation import score_embeddings
from gait.evaluation.classification import ClassificationScore, predicted

NAMES = ["negative", "neutral", "positive"]


def scored(
    logits: np.ndarray, expected: list[int], subject: list[str] | None = None, **options: Any
) -> ClassificationScore:
    """Score logits [n, 3] as those of two parts."""
    protocol = Classification(
        kind="classification",
        title="what it is",
        categories={name: {"condition": [name]} for name in NAMES},
    )
    count = len(expected)
    parts = np.stack([logits - 1, logits + 1], axis=2).astype(np.float32)
    score = score_embeddings(
        parts,
        np.array(subject or [f"{number:03d}" for number in range(count)]),
        np.array([NAMES[each] for each in expected]),
        np.array([f"{number:03d}" for number in range(count)]),
        {"it": protocol},
        **options,
    )["it"]
    assert isinstance(score, ClassificationScore)
    return score


def slow(told: list[int], expected: list[int]) -> dict[str, Any]:
    """The same figures, counted one by one."""
    pairs = list(zip(told, expected, strict=True))
    each = []
    for name in range(3):
        right = sum(a == b == name for a, b in pairs)
        there, said = expected.count(name), told.count(name)
        rejected = sum(a != name != b for a, b in pairs)
        others = len(pairs) - there
        precision = right / said if said else 0
        recall = right / there if there else 0
        f1 = 2 * precision * recall / (precision + recall) if right else 0
        counts = there + said > 0
        each.append(
            {
                "counts": counts,
                "precision": 100 * precision if counts else None,
                "recall": 100 * recall if there else None,
                "f1": 100 * f1 if counts else None,
                "specificity": 100 * rejected / others if others else None,
            }
        )

    def mean(name: str) -> float:
        # The recall of a category that has no sequence, and is told, is zero among the means.
        return float(np.mean([one[name] or 0 for one in each if one["counts"]]))

    there = [one["specificity"] for one in each if one["specificity"] is not None]
    return {
        "each": each,
        "accuracy": 100 * sum(a == b for a, b in pairs) / len(pairs),
        "precision": mean("precision"),
        "recall": mean("recall"),
        "f1": mean("f1"),
        "specificity": sum(there) / len(there) if there else None,
        "confusion": [[pairs.count((a, b)) for a in range(3)] for b in range(3)],
    }


@pytest.mark.parametrize("missing", [[], [0], [1, 2]])
@pytest.mark.parametrize("silent", [[], [2], [0, 1]])
def test_figures_equal_a_slow_count(missing: list[int], silent: list[int]) -> None:
    generator = np.random.default_rng(3)
    expected = [int(each) for each in generator.integers(0, 3, 60) if each not in missing]
    logits = generator.standard_normal((len(expected), 3))
    logits[:, silent] = -9
    score = scored(logits, expected)
    reference = slow(logits.argmax(axis=1).tolist(), expected)
    assert score.confusion == reference["confusion"]
    for name in ("accuracy", "precision", "recall", "f1", "specificity"):
        assert getattr(score, f"{name}_pct") == pytest.approx(reference[name])
    for place, name in enumerate(NAMES):
        for figure in ("precision", "recall", "f1", "specificity"):
            got = getattr(score.categories[name], f"{figure}_pct")
            assert got == pytest.approx(reference["each"][place][figure]), (name, figure)


def test_by_hand() -> None:
    # negative: 2 of 3 told, one taken for positive; neutral: its only one taken for negative.
    logits = np.eye(3)[[0, 0, 2, 0, 2]]
    score = scored(logits, [0, 0, 0, 1, 2])
    assert score.confusion == [[2, 0, 1], [1, 0, 0], [0, 0, 1]]
    assert score.accuracy_pct == pytest.approx(60)
    negative, neutral, positive = (score.categories[name] for name in NAMES)
    assert (negative.recall_pct, negative.specificity_pct) == pytest.approx((200 / 3, 50))
    assert (neutral.recall_pct, neutral.precision_pct, neutral.specificity_pct) == (0, 0, 100)
    assert (positive.recall_pct, positive.specificity_pct) == pytest.approx((100, 75))


def test_a_category_without_sequences_is_empty_and_says_so() -> None:
    score = scored(np.eye(3)[[0, 1, 1]], [0, 1, 0])
    positive = score.categories["positive"]
    assert (positive.recall_pct, positive.precision_pct, positive.f1_pct) == (None, None, None)
    assert (positive.specificity_pct, positive.n_sequences) == (100, 0)
    assert positive.note == "no sequence of the category positive"
    assert score.recall_pct == pytest.approx(75), "the mean of the two that are there"


def test_the_parts_of_a_prediction_are_averaged() -> None:
    logits = np.array([[[3.0, 0.0], [0.0, 2.0], [2.0, 2.0]]], np.float32)
    assert predicted(logits).tolist() == [2]


def test_of_equal_logits_the_first_category_is_told() -> None:
    assert scored(np.zeros((3, 3)), [0, 1, 2]).confusion == [[1, 0, 0]] * 3


def test_the_interval_resamples_subjects() -> None:
    generator = np.random.default_rng(0)
    expected = [0, 1, 2] * 20
    subject = [f"{number // 6:03d}" for number in range(60)]
    logits = np.eye(3)[expected] + generator.standard_normal((60, 3))
    score = scored(logits, expected, subject, bootstrap=400, seed=5)
    assert score.accuracy_ci_pct is not None
    low, high = score.accuracy_ci_pct
    assert 0 <= low < score.accuracy_pct < high <= 100
    again = scored(logits, expected, subject, bootstrap=400, seed=5)
    assert again == score
    # A subject that is always right beside one that never is: any share of rights may be drawn.
    split = scored(np.eye(3)[[0] * 8], [0] * 4 + [1] * 4, ["a"] * 4 + ["b"] * 4, bootstrap=400)
    assert split.accuracy_ci_pct == (0, 100)
    for alone in (scored(logits, expected, ["a"] * 60, bootstrap=9), scored(logits, expected)):
        assert alone.accuracy_ci_pct is None


def test_embeddings_that_are_no_logits_are_refused() -> None:
    with pytest.raises(DataError, match=r"3 categories negative, .* got embeddings of 5 channels"):
        scored(np.zeros((2, 5)), [0, 1])


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    ("condition", "found"), [("positive", "none of them"), ("neutral", "negative and neutral")]
)
def test_a_sequence_of_no_or_of_two_categories_is_named(
    place: int, condition: str, found: str
) -> None:
    protocol = Classification(
        kind="classification",
        title="what it is",
        categories={"negative": {"condition": ["n*"]}, "neutral": {"condition": ["neutral"]}},
    )
    conditions = ["negative"] * 3
    conditions[place] = condition
    given = (["005", "006", "007"], conditions, ["000"] * 3)
    expected = rf"{given[0][place]}/{condition}/000.*negative, neutral, got {found}"
    with pytest.raises(DataError, match=expected):
        score_embeddings(np.zeros((3, 2, 1), np.float32), *map(np.array, given), {"it": protocol})
