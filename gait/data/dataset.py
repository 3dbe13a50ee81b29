"""Training and test sets over a packed store."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from gait.config.experiment import Frames
from gait.data.samplers import Sampler
from gait.data.sampling import DRAW, SLOT, TEST, keyed, sample_frames
from gait.data.store import PackedStore
from gait.data.transforms import Transform, apply, output_size
from gait.errors import ConfigError, DataError
from gait.types import Batch


class TrainingSet(Dataset[Batch]):
    """Item i is this process's share of the global batch of iteration i.

    The global batch is drawn from (seed, i); frames and augmentation of the sequence at position
    `slot` of it from (seed, i, slot). An item therefore depends on nothing else: neither on the
    items before it, nor on the process that makes it, nor on how many processes share the batch.
    The shares are consecutive, of equal size or one more: laid behind each other in the order of
    the ranks they are the global batch.

    A fixed number of frames gives inputs uint8 [n, s, h, w]; any other gives [1, sum of lengths,
    h, w] with `lengths`.

    Attributes:
        class_names: the training subjects, sorted; a label is a position in it.
        num_classes: how many there are.
        global_size: sequences in the global batch.
        slots: positions of this process's share in the global batch.
        height_px, width_px: size of a frame after the transforms.

    Args:
        subjects: the training subjects; each has a sequence in the store.
        frames: how frames are drawn from a sequence.

    Raises:
        DataError: no training subject, or one without a sequence.
        ConfigError: the sampler wants more subjects than there are, or the batch is smaller than
            the number of processes.
    """

    def __init__(
        self,
        store: PackedStore,
        subjects: Sequence[str],
        sampler: Sampler,
        frames: Frames,
        transforms: Sequence[Transform],
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._store = store
        self._indices, self._labels, self.class_names = _select(store, subjects, "training")
        self.num_classes = len(self.class_names)
        self.global_size = sampler.size
        if self.global_size < world:
            raise ConfigError(
                f"the sampler draws {self.global_size} sequences for {world} processes, expected "
                "at least one each; enlarge `sampler` in the experiment or use fewer processes"
            )
        self.slots = range(
            self.global_size * rank // world, self.global_size * (rank + 1) // world
        )
        self._sampler = sampler.bind(self._labels[self._indices])
        self._frames = frames
        self._transforms = transforms
        self._seed = seed
        self.height_px, self.width_px = output_size(transforms, store.height_px, store.width_px)

    def __getitem__(self, iteration: int) -> Batch:
        drawn = self._sampler.draw(keyed(self._seed, iteration, DRAW))
        indices = self._indices[drawn[self.slots.start : self.slots.stop]]
        generators = [keyed(self._seed, iteration, SLOT, slot) for slot in self.slots]
        lengths = self._store.lengths[indices].tolist()
        frames = [
            sample_frames(length, self._frames, rng)
            for length, rng in zip(lengths, generators, strict=True)
        ]
        size = self.height_px, self.width_px
        pixels, counts = _gather(self._store, indices, frames, self._transforms, generators, size)
        labels = torch.from_numpy(self._labels[indices])
        keys = [self._store.keys[index] for index in indices.tolist()]
        if self._frames.number == "fixed":
            return Batch([pixels.view(len(indices), -1, *size)], labels, keys)
        return Batch([pixels[None]], labels, keys, counts)


class TestSet(Dataset[Batch]):
    """Every test sequence once, in batches of exactly equal length; no padding, no repeats.

    Which sequences share a batch depends on the budget only, never on the number of processes.
    The processes get whole batches, of about the same number of frames in total; one may get
    none. The longest sequences come first, so that memory is exhausted at once or never.

    Attributes:
        indices: positions in the store of each batch's sequences, of this process.
        class_names: the test subjects, sorted; a label is a position in it.
        height_px, width_px: size of a frame after the transforms.

    Args:
        frames_limit: only the first so many frames of a sequence are used; None for all.
        frames_per_batch: a batch holds up to this many frames, or one longer sequence.

    Raises:
        DataError: no test subject, or one without a sequence.
    """

    # Keeps pytest from taking the class for a test.
    __test__ = False

    def __init__(
        self,
        store: PackedStore,
        subjects: Sequence[str],
        transforms: Sequence[Transform],
        frames_limit: int | None,
        frames_per_batch: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._store = store
        chosen, self._labels, self.class_names = _select(store, subjects, "test")
        self._limit = frames_limit
        self._transforms = transforms
        self.height_px, self.width_px = output_size(transforms, store.height_px, store.width_px)
        lengths = store.lengths[chosen]
        if frames_limit is not None:
            lengths = np.minimum(lengths, frames_limit)
        batches, frames = _equal_batches(chosen, lengths, frames_per_batch)
        self.indices = [batches[each] for each in _deal(frames, world)[rank]]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> Batch:
        indices = self.indices[position]
        generators = [keyed(0, index, TEST) for index in indices.tolist()]
        frames = [slice(self._limit)] * len(indices)
        size = self.height_px, self.width_px
        pixels, _ = _gather(self._store, indices, frames, self._transforms, generators, size)
        labels = torch.from_numpy(self._labels[indices])
        keys = [self._store.keys[index] for index in indices.tolist()]
        return Batch([pixels.view(len(indices), -1, *size)], labels, keys)


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


def _gather(
    store: PackedStore,
    indices: npt.NDArray[np.int64],
    frames: Sequence[npt.NDArray[np.int64] | slice],
    transforms: Sequence[Transform],
    generators: Sequence[np.random.Generator],
    size: tuple[int, int],
) -> tuple[Tensor, list[int]]:
    """Sequences behind each other, uint8 [sum of counts, h, w], and the frames of each."""
    counts = [
        len(range(*each.indices(length))) if isinstance(each, slice) else len(each)
        for each, length in zip(frames, store.lengths[indices].tolist(), strict=True)
    ]
    batch = torch.empty((sum(counts), *size), dtype=torch.uint8)
    pixels = batch.numpy()
    end = 0
    for index, positions, rng, count in zip(
        indices.tolist(), frames, generators, counts, strict=True
    ):
        start, end = end, end + count
        pixels[start:end] = apply(transforms, store.read(index, positions), rng)
    return batch, counts


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
