"""Training and test sets over a packed store."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from gait.config.experiment import Frames
from gait.config.protocol import Selection, category_of
from gait.data.inputs import ModelInput
from gait.data.samplers import Sampler
from gait.data.sampling import DATASET, DRAW, SLOT, TEST, keyed, middle, sample_frames
from gait.data.store import PackedStore
from gait.errors import ConfigError, DataError
from gait.types import Batch, SequenceKey


class TrainingSet(Dataset[Batch]):
    """Item i is this process's share of the global batch of iteration i.

    The global batch is drawn from (seed, i); frames and augmentation of the sequence at position
    `slot` of it from (seed, i, slot). An item therefore depends on nothing else: neither on the
    items before it, nor on the process that makes it, nor on how many processes share the batch.
    The shares are consecutive and of about equal size: laid behind each other in the order of the
    ranks they are the global batch. What a sampler draws to be together stays together.

    A fixed number of frames gives inputs [n, s, ...]; any other gives [1, sum of lengths, ...]
    with `lengths`.

    Attributes:
        class_names: the training subjects, sorted; a label is a position in it.
        num_classes: how many there are.
        global_size: sequences in the global batch.
        slots: positions of this process's share in the global batch.
        shapes: shape of a frame of each input after the transforms.

    Args:
        subjects: the training subjects; each has a sequence in the store.
        frames: how frames are drawn from a sequence.
        inputs: what the model gets.
        categories: the dataset's categories, to one of which every training sequence belongs;
            None where it has none.

    Raises:
        DataError: no training subject, one without a sequence, or a sequence without a category.
        ConfigError: the sampler wants more subjects than there are, or the batch is smaller than
            the number of processes.
    """

    def __init__(
        self,
        store: PackedStore,
        subjects: Sequence[str],
        sampler: Sampler,
        frames: Frames,
        inputs: Sequence[ModelInput],
        seed: int,
        rank: int = 0,
        world: int = 1,
        categories: Mapping[str, Selection] | None = None,
    ) -> None:
        self._store = store
        self._indices, self._labels, self.class_names = _select(store, subjects, "training")
        self.num_classes = len(self.class_names)
        self.global_size = sampler.size
        self.slots = _share(sampler, rank, world)
        self._sampler = sampler.bind(self._labels[self._indices])
        self._frames = frames
        self._inputs = inputs
        self._seed = seed
        self._categories: npt.NDArray[np.int64] | None = None
        if categories:
            self._categories = np.full(len(store), -1)
            for index in self._indices.tolist():
                self._categories[index] = category_of(categories, store.keys[index])
        self._frame_kinds = [each.frame(store) for each in inputs]
        self.shapes = [shape for _, shape in self._frame_kinds]

    @property
    def sequences(self) -> int:
        """How many training sequences there are."""
        return len(self._indices)

    def __getitem__(self, iteration: int) -> Batch:
        drawn = self._sampler.draw(keyed(self._seed, iteration, DRAW))
        indices = self._indices[drawn[self.slots.start : self.slots.stop]]
        generators = [keyed(self._seed, iteration, SLOT, slot) for slot in self.slots]
        lengths = self._store.lengths[indices].tolist()
        frames = [
            sample_frames(length, self._frames, rng)
            for length, rng in zip(lengths, generators, strict=True)
        ]
        values, counts = _gather(
            self._store, indices, frames, self._inputs, generators, self._frame_kinds
        )
        fixed = self._frames.number == "fixed"
        return Batch(
            [_batched(each, len(indices)) if fixed else each[None] for each in values],
            torch.from_numpy(self._labels[indices]),
            [self._store.keys[index] for index in indices.tolist()],
            None if fixed else counts,
            None if self._categories is None else torch.from_numpy(self._categories[indices]),
        )


class JointTrainingSet(Dataset[Batch]):
    """Several datasets trained on together: item i comes from one of them, drawn from (seed, i).

    A dataset is drawn with a probability that goes with the cube root of the number of its
    training sequences times its weight. Classes of different datasets are different.

    Attributes: those of `TrainingSet`, but for the names of the classes.

    Args:
        members: the datasets' training sets by name, of one batch size and one frame size.
        weights: by what the number of sequences of each counts.

    Raises:
        ConfigError: the frames of two datasets differ in size.
    """

    def __init__(
        self, members: Mapping[str, TrainingSet], weights: Mapping[str, float], seed: int
    ) -> None:
        self._members = list(members.values())
        self._seed = seed
        sizes = [each.sequences * weights[name] for name, each in members.items()]
        self._probabilities = np.cbrt(sizes) / np.cbrt(sizes).sum()
        counts = [each.num_classes for each in self._members]
        self._first_class = [0, *np.cumsum(counts).tolist()]
        self.num_classes = sum(counts)
        first = self._members[0]
        self.global_size, self.slots, self.shapes = first.global_size, first.slots, first.shapes
        for (one, former), (other, latter) in pairwise(members.items()):
            if former.shapes != latter.shapes:
                raise ConfigError(
                    f"train_on: frames of {one} have the shapes {former.shapes}, those of {other} "
                    f"{latter.shapes}; datasets that are trained on together need one size: "
                    "change pretreat.size_px in a dataset.yaml, or `transforms`"
                )

    def __getitem__(self, iteration: int) -> Batch:
        rng = keyed(self._seed, iteration, DATASET)
        chosen = int(rng.choice(len(self._members), p=self._probabilities))
        batch = self._members[chosen][iteration]
        batch.labels += self._first_class[chosen]
        return batch


class TestSet(Dataset[Batch]):
    """Every test sequence once, in batches of exactly equal length; no padding, no repeats.

    Which sequences share a batch depends on the budget only, never on the number of processes.
    The processes get whole batches, of about the same number of frames in total; one may get
    none. The longest sequences come first, so that memory is exhausted at once or never.
    Transforms draw from a generator keyed by the sequence's key, and depend on nothing else.

    Attributes:
        indices: positions in the store of each batch's sequences, of this process.
        frames: frames of each of these batches.
        class_names: the test subjects, sorted; a label is a position in it.
        inputs: what the model gets.
        shapes: shape of a frame of each input after the transforms.

    Args:
        frames_limit: only the first so many frames of a sequence are used; None for all.
        frames_per_batch: a batch holds up to this many frames, or one longer sequence.
        frames_exactly: so many frames from the middle of each sequence, which is repeated where
            it is shorter; None for all of them.

    Raises:
        DataError: no test subject, or one without a sequence.
    """

    # Keeps pytest from taking the class for a test.
    __test__ = False

    def __init__(
        self,
        store: PackedStore,
        subjects: Sequence[str],
        inputs: Sequence[ModelInput],
        frames_limit: int | None,
        frames_per_batch: int,
        rank: int = 0,
        world: int = 1,
        frames_exactly: int | None = None,
    ) -> None:
        self._store = store
        chosen, self._labels, self.class_names = _select(store, subjects, "test")
        self._limit = frames_limit
        self._exactly = frames_exactly
        self.inputs = inputs
        self._frame_kinds = [each.frame(store) for each in inputs]
        self.shapes = [shape for _, shape in self._frame_kinds]
        lengths = store.lengths[chosen]
        if frames_exactly is not None:
            lengths = np.full_like(lengths, frames_exactly)
        elif frames_limit is not None:
            lengths = np.minimum(lengths, frames_limit)
        batches, frames = _equal_batches(chosen, lengths, frames_per_batch)
        dealt = _deal(frames, world)[rank]
        self.indices = [batches[each] for each in dealt]
        self.frames = [frames[each] for each in dealt]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> Batch:
        indices = self.indices[position]
        keys: list[SequenceKey] = [self._store.keys[index] for index in indices.tolist()]
        generators = [keyed(0, crc32(str(key).encode()), TEST) for key in keys]
        frames: list[npt.NDArray[np.int64] | slice] = [slice(self._limit)] * len(indices)
        if self._exactly is not None:
            lengths = self._store.lengths[indices].tolist()
            frames = [middle(length, self._exactly) for length in lengths]
        values, _ = _gather(
            self._store, indices, frames, self.inputs, generators, self._frame_kinds
        )
        labels = torch.from_numpy(self._labels[indices])
        return Batch([_batched(each, len(indices)) for each in values], labels, keys)


def _select(
    store: PackedStore, subjects: Sequence[str], which: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], list[str]]:
    """Positions of the subjects' sequences, the label of every position, and the sorted names."""
    names = sorted(set(subjects))
    if not names:
        raise DataError(
            f"the {which} set has no subject, expected at least one of those in the packed "
            f"store; change `{which.removesuffix('ing')}` in the dataset's partition.yaml"
        )
    label_of = {name: label for label, name in enumerate(names)}
    labels = np.array([label_of.get(name, -1) for name in store.subjects])
    return store.indices_of(names), labels[store.subject_codes], names


def _share(sampler: Sampler, rank: int, world: int) -> range:
    """A process's positions in the global batch."""
    groups = sampler.size // sampler.together
    if groups < world:
        raise ConfigError(
            f"the sampler draws {sampler.size} sequences for {world} processes, expected "
            f"at least {sampler.together} each; enlarge `sampler` in the experiment or use fewer "
            "processes"
        )
    first, end = groups * rank // world, groups * (rank + 1) // world
    return range(first * sampler.together, end * sampler.together)


def _batched(values: Tensor, sequences: int) -> Tensor:
    return values.view(sequences, -1, *values.shape[1:])


def _gather(
    store: PackedStore,
    indices: npt.NDArray[np.int64],
    frames: Sequence[npt.NDArray[np.int64] | slice],
    inputs: Sequence[ModelInput],
    generators: Sequence[np.random.Generator],
    kinds: Sequence[tuple[np.dtype[np.generic], tuple[int, ...]]],
) -> tuple[list[Tensor], list[int]]:
    """Sequences behind each other, one tensor an input, and the frames of each sequence."""
    counts = [
        len(range(*each.indices(length))) if isinstance(each, slice) else len(each)
        for each, length in zip(frames, store.lengths[indices].tolist(), strict=True)
    ]
    batches = [np.empty((sum(counts), *shape), dtype) for dtype, shape in kinds]
    end = 0
    for index, positions, rng, count in zip(
        indices.tolist(), frames, generators, counts, strict=True
    ):
        start, end = end, end + count
        for batch, each in zip(batches, inputs, strict=True):
            batch[start:end] = each.read(store, index, positions, rng)
    return [torch.from_numpy(batch) for batch in batches], counts


def _equal_batches(
    indices: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], budget: int
) -> tuple[list[npt.NDArray[np.int64]], list[int]]:
    """Batches of sequences of equal length, longest first, and the frames each holds."""
    order = np.argsort(-lengths, kind="stable")
    longest_first, firsts = np.unique(-lengths[order], return_index=True)
    batches: list[npt.NDArray[np.int64]] = []
    frames: list[int] = []
    for length, group in zip(-longest_first, np.split(indices[order], firsts[1:]), strict=True):
        most = max(1, budget // int(length))
        parts = [group[first : first + most] for first in range(0, len(group), most)]
        batches += parts
        frames += [len(part) * int(length) for part in parts]
    return batches, frames


def _deal(costs: Sequence[int], world: int) -> list[list[int]]:
    """Positions of `costs` for each process: the costliest first, to whom has least so far."""
    hands: list[list[int]] = [[] for _ in range(world)]
    loads = [(0, rank) for rank in range(world)]
    for position in sorted(range(len(costs)), key=lambda each: -costs[each]):
        load, rank = heapq.heappop(loads)
        hands[rank].append(position)
        heapq.heappush(loads, (load + costs[position], rank))
    return [sorted(hand) for hand in hands]
