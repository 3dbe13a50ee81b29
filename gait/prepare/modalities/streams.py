"""The modalities of a sequence as tracks, and the frames that all of them have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gait.prepare.modalities.pairing import Paired, pair, pair_by_time
from gait.ragged import Frames, Ragged

# Raised when the same tracks would be joined otherwise than before.
ALGORITHM = "tracks-1"

OTHER_LENGTHS = "files of different lengths"


@dataclass(frozen=True, slots=True)
class ModalityStream:
    """One modality of a sequence.

    Attributes:
        keys: what each frame is called, in all modalities, [m].
        frames: frames as the modality has them, [m, ...].
        problems: why other frames are not there, by their keys.
        by_time: whether keys are times of another sensor, so that a frame goes with the nearest
            of other tracks instead of the one of the same key.
        length: where the track comes as one file, in which a frame is known by its place only,
            which is its key: how many frames that file has, 0 where it cannot be used.
        guessed: what had to be guessed in a frame that is there, by its key.
    """

    keys: list[str]
    frames: Frames
    problems: dict[str, str]
    by_time: bool = False
    length: int | None = None
    guessed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlignedStreams:
    """The modalities of a sequence: row i is the same moment in all of them.

    Attributes:
        frames: of each modality, of one length; none where no frame has them all.
        number: that length.
        dropped: number of the frames that are not there, by reason.
        guessed: number of the frames in which something had to be guessed, by what.
    """

    frames: dict[str, Frames]
    number: int
    dropped: dict[str, int]
    guessed: dict[str, int] = field(default_factory=dict)


def align_streams(tracks: Mapping[str, ModalityStream]) -> AlignedStreams:
    """What all tracks have, in the order of the first one; what one lacks is dropped from all.

    Tracks by time are joined among themselves, as are the others. Then each row of theirs gets the
    nearest row of the others, which may serve several; the order is that of the tracks by time.
    Of whole tracks of different lengths nobody knows which frames belong together, and where one
    cannot be used, none of its frames is there: nothing is kept.

    Raises:
        DataError: a track has two frames of one key, or a key that should be a time is none.
    """
    lengths = {track.length for track in tracks.values() if track.length is not None}
    if 0 in lengths:
        broken = next(track for track in tracks.values() if track.length == 0)
        return AlignedStreams({}, 0, {next(iter(broken.problems.values())): max(lengths) or 1})
    if len(lengths) > 1:
        return AlignedStreams({}, 0, {OTHER_LENGTHS: max(lengths)})
    positions: dict[str, NDArray[np.int64]] = {}
    dropped: Counter[str] = Counter()
    by_key, by_time = (_paired(tracks, is_timed) for is_timed in (False, True))
    for group in (by_key, by_time):
        positions |= group.positions
        dropped.update(group.dropped)
    if by_key.positions and by_time.positions:
        met = pair_by_time(_rows(tracks, by_time), _rows(tracks, by_key))
        dropped.update(met.dropped)
        for group, rows in zip((by_time, by_key), met.positions.values(), strict=True):
            positions |= {modality: each[rows] for modality, each in group.positions.items()}
    number = min(map(len, positions.values()), default=0)
    frames = {
        modality: _chosen(track.frames, positions[modality])
        for modality, track in tracks.items()
        if number
    }
    guessed = Counter(
        track.guessed[key]
        for modality, track in tracks.items()
        if track.guessed
        for key in (track.keys[position] for position in positions[modality])
        if key in track.guessed
    )
    return AlignedStreams(frames, number, dict(sorted(dropped.items())), dict(guessed))


def _chosen(frames: Frames, positions: NDArray[np.int64]) -> Frames:
    """Some of the frames, in contiguous memory."""
    if isinstance(frames, Ragged):
        return frames[positions].gathered()
    return np.ascontiguousarray(frames[positions])


def _paired(tracks: Mapping[str, ModalityStream], by_time: bool) -> Paired:
    """The tracks of one sort, paired by key."""
    chosen = {name: track for name, track in tracks.items() if track.by_time == by_time}
    return pair(
        {modality: track.keys for modality, track in chosen.items()},
        {modality: track.problems for modality, track in chosen.items()},
    )


def _rows(tracks: Mapping[str, ModalityStream], paired: Paired) -> tuple[str, list[str]]:
    """The first modality of those that were paired, and the key of each row."""
    modality, positions = next(iter(paired.positions.items()))
    return modality, [tracks[modality].keys[position] for position in positions]
