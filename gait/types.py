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


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One raw sequence, as a row of `sequences.csv`.

    Attributes:
        key: subject, condition and view.
        kind: 'video', 'images' (a folder of silhouettes), 'masks' (one in which only png files
            are silhouettes), or a folder without silhouettes, of which all that is known lies
            `beside`: 'poses' (a file a frame) or 'pkl' (arrays).
        source: path below the raw folder; in an archive `<archive>::<folder inside>`.
        background: path of the background clip of the same camera, empty where there is none.
        fingerprint: digest of the names, sizes and modification times of the sources.
        pose: path of the file of joints that belongs to the video, empty where there is none.
        beside: files of further modalities, see `gait.prepare.catalogue.companions`.
    """

    key: SequenceKey
    kind: str
    source: str
    background: str
    fingerprint: str
    pose: str = ""
    beside: str = ""


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
