"""Embeddings are written whole, or it is said why not."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from gait.engine.embed import embed
from gait.engine.trainer import train
from gait.errors import DataError
from tests.engine_fixtures import resolved, write_store


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let no file grow larger, as on a disk that is full."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    packed, folder = tmp_path / "packed", tmp_path / "run"
    write_store(packed)
    experiment = resolved(iterations=0)
    train(experiment, packed, folder, folder / "model.pt")
    target = tmp_path / "embedded" / "embeddings.npz"
    with files_of_at_most(4096), pytest.raises(DataError, match=r"cannot be written"):
        embed(experiment, packed, folder / "model.pt", target)
    assert not list(target.parent.iterdir())
    embed(experiment, packed, folder / "model.pt", target)
    assert [each.name for each in target.parent.iterdir()] == [target.name]


def test_the_weights_are_those_of_the_file(tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    write_store(packed)

    def embedded(weights: int, seed: int) -> np.ndarray:
        """With weights that one seed has made, in an experiment that has another one."""
        folder = tmp_path / str(weights)
        if not folder.exists():
            train(resolved(iterations=0, seed=weights), packed, folder, folder / "model.pt")
        embed(resolved(seed=seed), packed, folder / "model.pt", tmp_path / "embeddings.npz")
        with np.load(tmp_path / "embeddings.npz") as archive:
            return np.array(archive["embeddings"])

    np.testing.assert_array_equal(embedded(1, 1), embedded(1, 2))
    assert not np.allclose(embedded(1, 1), embedded(2, 1))
