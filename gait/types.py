"""Values that cross package borders. Nothing here imports torch at run time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class SequenceKey(NamedTuple):
    """What identifies a sequence inside a dataset: who, in which state, seen from where."""

    subject: str
    condition: str
    view: str

    def __str__(self) -> str:
        return "/".join(self)


@dataclass(slots=True)
class ModelOutput:
    """What a model's forward pass gives.

    Attributes:
        embeddings: what test time compares, [n, c, p], float32.
        fields: tensors that losses read by name, first axis n; 'embeddings' is always readable.
    """

    embeddings: Tensor
    fields: dict[str, Tensor] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Tensor:
        return self.embeddings if name == "embeddings" else self.fields[name]


@dataclass(slots=True)
class LossOutput:
    """A loss value and what is worth logging beside it.

    Attributes:
        value: scalar to minimise.
        terms: detached tensors by name, per part or scalar; logged as their mean.
    """

    value: Tensor
    terms: dict[str, Tensor] = field(default_factory=dict)


@dataclass(slots=True)
class Batch:
    """A training or test batch on its way to the model.

    Attributes:
        inputs: one tensor an input of the model, such as uint8 silhouettes [n, s, h, w]; packed
            behind each other, [1, sum of lengths, ...], when `lengths` is given.
        labels: class index of each sequence, int64 [n].
        keys: the sequences, for messages.
        lengths: frames of each packed sequence, or None for a rectangular batch.
        categories: category of each sequence, int64 [n], where the dataset has categories.
    """

    inputs: list[Tensor]
    labels: Tensor
    keys: list[SequenceKey]
    lengths: list[int] | None = None
    categories: Tensor | None = None

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory; a loader that pins calls this."""
        inputs = [each.pin_memory() for each in self.inputs]
        categories = None if self.categories is None else self.categories.pin_memory()
        return Batch(inputs, self.labels.pin_memory(), self.keys, self.lengths, categories)
