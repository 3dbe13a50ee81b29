"""Loaders that read ahead in worker processes; they change speed, never results."""

from __future__ import annotations

import signal

import cv2
import torch
from torch.utils.data import DataLoader

from gait.data.dataset import TestSet, TrainingSet
from gait.types import Batch


def training_loader(
    training: TrainingSet, start: int, stop: int, workers: int = 0, pin: bool = False
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
    dataset: TrainingSet | TestSet, items: range, workers: int, pin: bool
) -> DataLoader[Batch]:
    return DataLoader(
        dataset,
        sampler=items,
        batch_size=None,
        num_workers=workers,
        pin_memory=pin,
        persistent_workers=workers > 0,
        worker_init_fn=_prepare_worker,
        # Starting a loader draws a number; from here it leaves torch's own generator untouched.
        generator=torch.Generator().manual_seed(0),
    )


def _prepare_worker(worker: int) -> None:
    """One thread, and deaf to the signals that ask the training process to save and leave.

    A scheduler sends them to every process of a job. A worker has to outlive them, or the save
    would find its loader dead; it ends with its parent.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
