"""Scores of models that tell a category, not a person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from gait.evaluation.distance import Floats


@dataclass(frozen=True, slots=True)
class ClassificationScore:
    """Figures of a classification, in percent and unrounded.

    Attributes:
        accuracy_pct: share of sequences whose category is told.
        precision_pct: mean over categories of the share of right ones among those told to be of
            it; zero for a category that nothing is told to be of.
        recall_pct: mean over categories of the share of its sequences that are told.
        f1_pct: mean over categories of the harmonic mean of both.
    """

    accuracy_pct: float
    precision_pct: float
    recall_pct: float
    f1_pct: float


def predicted(logits: Floats) -> NDArray[np.intp]:
    """The category of each sequence: the highest mean over parts of the logits [n, k, p]."""
    told: NDArray[np.intp] = logits.mean(axis=2).argmax(axis=1)
    return told


def classification_score(
    told: NDArray[np.integer], expected: NDArray[np.integer]
) -> ClassificationScore:
    """Compare the categories that were told with those that are, both [n].

    A category counts in the means where a sequence is of it or is told to be.
    """
    accuracy = accuracy_score(expected, told)
    precision, recall, f1, _ = precision_recall_fscore_support(
        expected, told, average="macro", zero_division=0
    )
    return ClassificationScore(*(100 * float(each) for each in (accuracy, precision, recall, f1)))
