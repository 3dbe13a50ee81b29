"""Holds the silhouettes of a sequence in little memory, for those few that are looked at again."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray


class Kept(Mapping[str, NDArray[np.uint8]]):
    """Silhouettes by the key of their frame, held as what is not black of them, compressed.

    A sequence of large images would not fit in memory, and is asked for again in frames that show
    several people only.
    """

    def __init__(self) -> None:
        self._held: dict[str, tuple[tuple[int, int], tuple[int, ...], bytes]] = {}

    def add(self, key: str, silhouette: NDArray[np.uint8]) -> None:
        """Take in a silhouette, uint8 [h, w]."""
        height, width = silhouette.shape
        x, y, across, down = cv2.boundingRect(silhouette)
        inside = silhouette[y : y + down, x : x + across].tobytes()
        self._held[key] = (height, width), (x, y, across, down), zlib.compress(inside, 1)

    def __getitem__(self, key: str) -> NDArray[np.uint8]:
        shape, (x, y, across, down), data = self._held[key]
        silhouette = np.zeros(shape, np.uint8)
        inside = np.frombuffer(zlib.decompress(data), np.uint8)
        silhouette[y : y + down, x : x + across] = inside.reshape(down, across)
        return silhouette

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)
