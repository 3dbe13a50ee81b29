"""Computing so that the same run gives the same bits again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def deterministic() -> Iterator[None]:
    """Choose algorithms that add up in a fixed order, where torch has them.

    On a CPU, with the same number of threads, results are then the same bit by bit.
    """
    cudnn = torch.backends.cudnn
    before = (
        torch.get_deterministic_debug_mode(),
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        cudnn.deterministic,
        cudnn.benchmark,
    )
    # Read by CUDA's linear algebra when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # The same as use_deterministic_algorithms, which would import torch's compiler for seconds.
    torch.set_deterministic_debug_mode("warn")
    # Filling fresh memory would cost time and hide nothing: every value is written before use.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before[0])
        torch.utils.deterministic.fill_uninitialized_memory = before[1]  # type: ignore[attr-defined]
        cudnn.deterministic, cudnn.benchmark = before[2:]


def seed_iteration(seed: int, iteration: int, rank: int) -> None:
    """Seed torch for one iteration of one process, so that dropout does not depend on the past."""
    state = np.random.SeedSequence([seed, iteration, rank]).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]))
