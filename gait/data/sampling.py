"""Keyed random generators, and which frames of a sequence are used."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gait.config.experiment import Frames

DRAW, SLOT, TEST, DATASET = 0, 1, 2, 3


def keyed(seed: int, position: int, purpose: int, slot: int = 0) -> np.random.Generator:
    """The generator of one purpose at one place of a run; the same key gives the same numbers.

    All four words are always given: NumPy fills short keys with zeros, so that (1, 2) and
    (1, 2, 0) would be the same stream.

    Args:
        seed: the experiment's seed.
        position: the iteration, or a digest of the sequence's key at test time.
        purpose: `DRAW` for the sampler, `SLOT` for a sequence of a training batch, `TEST` for a
            test sequence, `DATASET` for the choice of one among several.
        slot: position in the global batch.
    """
    return np.random.default_rng([seed, position, purpose, slot])


def sample_frames(
    length: int, frames: Frames, rng: np.random.Generator
) -> npt.NDArray[np.int64] | slice:
    """Which frames of a sequence of `length` frames are used, and in which order.

    - unordered: anywhere, in random order; without replacement unless the sequence is too short.
    - ordered: a random, increasing subset of a window of the count plus `frames.skip` frames; a
      sequence shorter than the window is repeated, so that positions wrap around.
    - all_ordered: anywhere, in increasing order; repeats only where the sequence is too short.
    - number 'all': the whole sequence as it is, whatever the order says.

    At last only the first `frames.limit` of them are kept. A fixed number therefore gives equally
    many frames for every sequence.

    Returns:
        Positions [s], or a slice for 'all'.
    """
    if frames.number == "all":
        return slice(frames.limit)
    count = frames.count
    if frames.number == "unfixed":
        assert frames.count_range is not None
        fewest, most = frames.count_range
        count = int(rng.integers(fewest, most, endpoint=True))
    if frames.order == "ordered":
        window = count + frames.skip
        repeated = -(-window // length) * length
        start = rng.integers(max(length, repeated) - window, endpoint=True)
        chosen = np.sort(rng.permutation(window)[:count])
        positions = (start + chosen) % length
    else:
        positions = rng.choice(length, count, replace=length < count)
        if frames.order == "all_ordered":
            positions.sort()
    return positions[: frames.limit]


def middle(length: int, count: int) -> npt.NDArray[np.int64]:
    """Exactly `count` positions from the middle of a sequence, repeated where it is shorter."""
    return (max(length - count, 0) // 2 + np.arange(count)) % length
