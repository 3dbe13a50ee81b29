"""Frames of a sequence in blocks, so that a long one of large images fits in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gait.prepare.raw.frames import Frame
from gait.prepare.silhouettes.align import Frames

BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive frames of a sequence.

    Attributes:
        frames: those that can be read.
        numbers: the number of each in the source, from 0, [s].
        keys: what each is called, where images are; nothing for masks.
        problems: what was wrong with the others.
        lost: the same, by what each is called.
        notes: how the values of each came about, where images are; empty for those of the file.
    """

    frames: Frames
    numbers: NDArray[np.integer]
    keys: list[str] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    lost: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class FrameStack:
    """Frames of one shape that come in blocks, held once: joined blocks would be held twice."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._shape: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self._bytes)

    def add(self, frames: NDArray[np.uint8]) -> None:
        """Append frames [s, ...]."""
        if len(frames):
            self._bytes += np.ascontiguousarray(frames).data
            self._shape = frames.shape[1:]

    @property
    def frames(self) -> NDArray[np.uint8]:
        """All of them; none can be appended any more."""
        return np.frombuffer(self._bytes, np.uint8).reshape(-1, *self._shape)


def blocks_of(frames: Iterator[Frame]) -> Iterator[Block]:
    """Gather decoded images to blocks, at least one."""
    images: list[NDArray[np.uint8]] = []
    block = Block(images, np.zeros(0, np.int64))
    numbers: list[int] = []
    size = 0
    for number, frame in enumerate(frames):
        key = Path(frame.name).stem
        if frame.image is None:
            block.problems[frame.problem] += 1
            block.lost[key] = frame.problem
            continue
        images.append(frame.image)
        numbers.append(number)
        block.keys.append(key)
        block.notes.append(frame.note)
        size += frame.image.nbytes
        if size > BLOCK_BYTES:
            yield replace(block, numbers=np.array(numbers))
            images, numbers, size = [], [], 0
            block = Block(images, np.zeros(0, np.int64))
    yield replace(block, numbers=np.array(numbers, np.int64))
