"""Pairs the frames of a sequence's modalities, so that row i is the same moment in all of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError

# As published for SUSTech1K: what is between the name of a cloud and the moment it shows, half a
# turn of the sensor, and how far apart a cloud and an image of one moment may be.
CLOUD_DELAY_S = 0.05
WITHIN_S = 0.020

_NS = 1_000_000_000
# Further from the times of ten digits than any two of them; a difference still fits.
_FAR_NS = 2**62
# Seconds since 1970 have ten digits; some names lack the dot that ends them.
_TIME = re.compile(r"(\d{10})\.?(\d*)")


@dataclass(frozen=True, slots=True)
class Paired:
    """Which frames belong together.

    Attributes:
        positions: for each modality, where its frame for each row is among those it came with,
            int64 [m]; m is the same in all.
        dropped: number of frames that some modality lacks, by reason; each counts once.
    """

    positions: dict[str, NDArray[np.int64]]
    dropped: dict[str, int]


def lacking(modality: str) -> str:
    """The reason for dropping a frame that has no such modality."""
    return f"no {modality.replace('_', ' ')}"


def pair(
    keys: Mapping[str, Sequence[str]], problems: Mapping[str, Mapping[str, str]] | None = None
) -> Paired:
    """Pair frames that have one key, such as their number in the video, in every modality.

    Rows come in the order of the first modality. A frame that several lack is counted for the
    first of them.

    Args:
        keys: for each modality, the key of each of its frames.
        problems: for each modality, why it has no frame of a key, where that is known.

    Raises:
        DataError: a modality has two frames of one key.
    """
    places = {modality: _places(modality, found) for modality, found in keys.items()}
    known = problems or {}
    every = dict.fromkeys(
        key for each in (keys, known) for found in each.values() for key in found
    )
    rows: list[str] = []
    dropped: Counter[str] = Counter()
    for key in every:
        absent = next((each for each, found in places.items() if key not in found), None)
        if absent is None:
            rows.append(key)
        else:
            dropped[known.get(absent, {}).get(key) or lacking(absent)] += 1
    return Paired(
        {
            modality: np.array([found[key] for key in rows], np.int64)
            for modality, found in places.items()
        },
        dict(sorted(dropped.items())),
    )


def pair_by_time(
    first: tuple[str, Sequence[str]],
    second: tuple[str, Sequence[str]],
    delay_s: float = CLOUD_DELAY_S,
    within_s: float = WITHIN_S,
) -> Paired:
    """Pair each frame of one modality with the one of another that was taken nearest to it.

    A frame of the second modality may serve several of the first; where it is the faster one of
    two sensors, many serve none. Of two that are as near, it is the earlier.

    Args:
        first: a modality and the names of its frames, which are times, see `time_ns`.
        second: the other modality and its names.
        delay_s: what is added to the times of the first modality.
        within_s: the most that the two may be apart, in seconds.

    Raises:
        DataError: a name is no time, or a modality has two frames of one name.
    """
    wanted, given = _times(*first) + round(delay_s * _NS), _times(*second)
    order = np.argsort(given, kind="stable")
    # Times before and after all others, so that each has a neighbour on both sides.
    sorted_times = np.concatenate([[-_FAR_NS], given[order], [_FAR_NS]])
    after = np.searchsorted(sorted_times, wanted)
    is_later = sorted_times[after] - wanted < wanted - sorted_times[after - 1]
    nearest = after - 1 + is_later
    is_near = np.abs(sorted_times[nearest] - wanted) <= round(within_s * _NS)
    positions = {first[0]: np.flatnonzero(is_near), second[0]: order[nearest[is_near] - 1]}
    lost = {
        second[0]: len(wanted) - int(is_near.sum()),
        first[0]: len(given) - len(np.unique(positions[second[0]])),
    }
    dropped = {
        f"{lacking(modality)} within {within_s * 1000:g} ms": number
        for modality, number in sorted(lost.items())
        if number
    }
    return Paired(positions, dropped)


def time_ns(name: str) -> int:
    """The time that a frame's name tells, in nanoseconds since 1970.

    It is ten digits of seconds, a dot that may be lacking, and the digits of their fraction; the
    file's suffix has been taken off. Whole nanoseconds, so that no rounding decides what is near.

    Raises:
        DataError: the name is no time.
    """
    parts = _TIME.fullmatch(name)
    if not parts:
        raise DataError(
            f"{name!r}: expected a frame named by its time, ten digits of seconds and their "
            "fraction; rename the file or move it out of that folder"
        )
    return int(parts[1]) * _NS + int(parts[2][:9].ljust(9, "0"))


def _times(modality: str, names: Sequence[str]) -> NDArray[np.int64]:
    _places(modality, names)
    return np.array([time_ns(name) for name in names], np.int64)


def _places(modality: str, keys: Sequence[str]) -> dict[str, int]:
    places = {key: place for place, key in enumerate(keys)}
    if len(places) < len(keys):
        twice = next(key for key, number in Counter(keys).items() if number > 1)
        raise DataError(
            f"{modality}: expected each frame once, got several named {twice}; keep one of them"
        )
    return places
