"""Loaders that read ahead in worker processes; they change speed, never results."""

from __future__ import annotations

import signal
from multiprocessing import forkserver, get_context, resource_tracker
from multiprocessing.context import BaseContext
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from gait.data.dataset import JointTrainingSet, TestSet, TrainingSet
from gait.processes import follow_parent
from gait.types import Batch, SequenceKey

# Where batches lie that processes share.
SHARED_MEMORY = "/dev/shm"


def training_loader(
    training: TrainingSet | JointTrainingSet,
    start: int,
    stop: int,
    workers: int = 0,
    pin: bool = False,
) -> DataLoader[Batch]:
    """The batches of iterations `start` up to, and not including, `stop`, in order.

    Args:
        workers: processes that read ahead; 0 reads in the caller's own.
        pin: whether batches come in page-locked memory, for copies to a GPU.
    """
    return _loader(training, range(start, stop), workers, pin)


def test_loader(test: TestSet, workers: int = 0, pin: bool = False) -> DataLoader[Batch]:
    """The batches of a test set, longest sequences first; can be gone through repeatedly."""
    return _loader(test, range(len(test)), workers, pin)


def _loader(
    dataset: TrainingSet | JointTrainingSet | TestSet, items: range, workers: int, pin: bool
) -> DataLoader[Batch]:
    return DataLoader(
        _Sending(dataset) if workers else dataset,
        sampler=items,
        batch_size=None,
        num_workers=workers,
        multiprocessing_context=_forkserver() if workers else None,
        pin_memory=pin,
        persistent_workers=workers > 0,
        worker_init_fn=_prepare_worker,
        # Starting a loader draws a number; from here it leaves torch's own generator untouched.
        generator=torch.Generator().manual_seed(0),
    )


class _Sending(Dataset[Any]):
    """A dataset in a worker process: its batches in memory that the processes share.

    Where that is full, which in a container of 64 MB it soon is, a batch goes through the pipe
    instead. Left to torch, it would be lost without a word, and the reader wait for ever.
    """

    def __init__(self, dataset: TrainingSet | JointTrainingSet | TestSet) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)  # type: ignore[arg-type]

    def __getitem__(self, item: int) -> Batch | _ByPipe:
        batch = self._dataset[item]
        tensors = [*batch.inputs, batch.labels, batch.categories]
        try:
            for each in tensors:
                if each is not None:
                    each.share_memory_()  # type: ignore[no-untyped-call]
        except (RuntimeError, OSError):
            return _ByPipe(batch)
        return batch


class _ByPipe:
    """A batch that leaves a process as arrays, and is a batch again where it arrives."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def __reduce__(self) -> tuple[Any, ...]:
        batch = self._batch
        arrays = [each.numpy() for each in (*batch.inputs, batch.labels)]
        categories = None if batch.categories is None else batch.categories.numpy()
        return _from_pipe, (arrays, categories, batch.keys, batch.lengths)


def _from_pipe(
    arrays: list[NDArray[np.generic]],
    categories: NDArray[np.generic] | None,
    keys: list[SequenceKey],
    lengths: list[int] | None,
) -> Batch:
    *inputs, labels = map(torch.from_numpy, arrays)
    categorised = None if categories is None else torch.from_numpy(categories)
    return Batch(inputs, labels, keys, lengths, categorised)


def _forkserver() -> BaseContext:
    """What starts the workers: a process of its own, without threads, deaf to requests to stop.

    Forking the training process itself could deadlock, as gloo's and autograd's threads may hold
    a lock of the interpreter at that moment. The signals that ask to save and leave are sent by
    schedulers to every process of a job; were they heeded here, the save would find its loader
    dead. A blocked signal is inherited as such.
    """
    asking = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, asking)
    try:
        # Starting the tracker unblocks some of them, so it does not do so in the middle.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, asking)
        forkserver.set_forkserver_preload([__name__])
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return get_context("forkserver")


def _prepare_worker(worker: int) -> None:
    follow_parent()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
