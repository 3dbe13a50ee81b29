"""Scores models that tell a category, not a person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gait.config.protocol import Classification, category_of
from gait.errors import DataError
from gait.evaluation.bootstrap import share_interval
from gait.evaluation.distance import Floats, Indices
from gait.evaluation.protocols import Sequences
from gait.types import SequenceKey


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """How well one category is told from all others, in percent and unrounded.

    Attributes:
        recall_pct: share of its sequences that are told, its sensitivity; None without any.
        specificity_pct: share of the other sequences that are not told to be of it; None without
            any.
        precision_pct: share of right ones among those told to be of it; zero where it has
            sequences and none is told, None where it has none either.
        f1_pct: harmonic mean of precision and recall; None as for the precision.
        n_sequences: sequences of it.
        note: why values are missing; else an empty text.
    """

    recall_pct: float | None
    specificity_pct: float | None
    precision_pct: float | None
    f1_pct: float | None
    n_sequences: int
    note: str


@dataclass(frozen=True, slots=True)
class ClassificationScore:
    """Figures of a classification, in percent and unrounded.

    The means over categories are over those that have sequences or are told of some; where one
    has none, its recall counts as zero.

    Attributes:
        accuracy_pct: share of sequences whose category is told.
        accuracy_ci_pct: bounds of its 95 % interval when the subjects are resampled.
        precision_pct: mean over categories; as are `recall_pct` and `f1_pct`.
        specificity_pct: mean over the categories that have one.
        n_sequences: sequences scored.
        confusion: sequences by category, as it is (rows) and as it is told (columns).
    """

    accuracy_pct: float
    accuracy_ci_pct: tuple[float, float] | None
    precision_pct: float
    recall_pct: float
    f1_pct: float
    specificity_pct: float | None
    n_sequences: int
    categories: dict[str, CategoryScore]
    confusion: list[list[int]]


def expected_categories(protocol: Classification, sequences: Sequences) -> NDArray[np.intp]:
    """The place of each sequence's category among those of the protocol, [n].

    Raises:
        DataError: a sequence belongs to none of them, or to several.
    """
    belongs = np.zeros((len(protocol.categories), len(sequences.subject)), bool)
    for number, selection in enumerate(protocol.categories.values()):
        belongs[number, sequences.select(selection)] = True
    single = belongs.sum(axis=0) == 1
    if not single.all():
        key = SequenceKey(*sequences.keys()[int(single.argmin())].split("/"))
        category_of(protocol.categories, key)
    places: NDArray[np.intp] = belongs.argmax(axis=0)
    return places


def predicted(logits: Floats) -> NDArray[np.intp]:
    """The category of each sequence: the highest mean over parts of the logits [n, k, p].

    Of equal ones the first is told.
    """
    told: NDArray[np.intp] = logits.mean(axis=2).argmax(axis=1)
    return told


def told_categories(name: str, logits: Floats, protocol: Classification) -> NDArray[np.intp]:
    """The category that is told of each sequence, as its place among those of the protocol.

    Args:
        name: the protocol's, for the message.
        logits: what the model gives as its embeddings, [n, k, p].

    Raises:
        DataError: k is not the number of categories.
    """
    if logits.shape[1] != len(protocol.categories):
        raise DataError(
            f"protocol {name}: expected logits of the {len(protocol.categories)} categories "
            f"{', '.join(protocol.categories)}, got embeddings of {logits.shape[1]} channels; "
            "choose a model that tells categories, or train it again with those of dataset.yaml"
        )
    return predicted(logits)


def classification_score(
    told: NDArray[np.integer],
    expected: NDArray[np.integer],
    names: list[str],
    subject: Indices,
    bootstrap: int,
    generator: np.random.Generator,
) -> ClassificationScore:
    """Compare the categories that were told with those that are.

    Args:
        told: places among `names`, [n]; as is `expected`.
        names: of the categories.
        subject: whom each sequence shows, [n].
        bootstrap: resamplings of the subjects behind the interval; 0 for none.
    """
    # Takes seconds to import, which no other kind of protocol should wait for.
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    places = range(len(names))
    precision, recall, f1, _ = precision_recall_fscore_support(
        expected, told, average="macro", zero_division=0
    )
    each = precision_recall_fscore_support(
        expected, told, labels=places, average=None, zero_division=0
    )
    confusion = confusion_matrix(expected, told, labels=places)
    categories = {
        name: _category(name, confusion, place, *(float(values[place]) for values in each[:3]))
        for place, name in enumerate(names)
    }
    specificities = [
        score.specificity_pct for score in categories.values() if score.specificity_pct is not None
    ]
    return ClassificationScore(
        accuracy_pct=100 * float(accuracy_score(expected, told)),
        accuracy_ci_pct=share_interval(told == expected, subject, bootstrap, generator),
        precision_pct=100 * float(precision),
        recall_pct=100 * float(recall),
        f1_pct=100 * float(f1),
        specificity_pct=sum(specificities) / len(specificities) if specificities else None,
        n_sequences=len(expected),
        categories=categories,
        confusion=confusion.tolist(),
    )


def _category(
    name: str,
    confusion: NDArray[np.integer],
    place: int,
    precision: float,
    recall: float,
    f1: float,
) -> CategoryScore:
    there, told = int(confusion[place].sum()), int(confusion[:, place].sum())
    others = int(confusion.sum()) - there
    wrongly = told - int(confusion[place, place])
    known = there + told > 0
    return CategoryScore(
        100 * recall if there else None,
        100 * (others - wrongly) / others if others else None,
        100 * precision if known else None,
        100 * f1 if known else None,
        there,
        "" if there else f"no sequence of the category {name}",
    )
