"""Figures to aligned figures: cropped to the walker, scaled to one height, centred."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError

# A frame counts only when its pixel values sum to more than this: 40 white pixels.
LEAST_SUM = 10_000

TOO_FEW_PIXELS = "too few pixels"
WRONG_VALUES = "values 0/1 instead of 0/255"
TOO_NARROW = "too narrow"
LOST_IN_SCALING = "lost in scaling"
AT_LEFT_EDGE = "centre at the left edge"
ONE_ROW = "one row high"

Frames = Sequence[NDArray[np.uint8]] | NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Rules:
    """What differs between the kinds of frames that are aligned.

    Attributes:
        interpolation: how OpenCV scales them.
        least_sum: a frame counts only when its pixel values sum to more than this.
        labels: values are names of body parts: each but 0 counts as 255.
        colour: frames have three channels, which are summed together.
        keeps_left_edge: a figure centred on column 0 counts.
        loses_last_row: the figure's last row is cut off.
    """

    interpolation: int
    least_sum: int = 0
    labels: bool = False
    colour: bool = False
    keeps_left_edge: bool = False
    loses_last_row: bool = False


SILHOUETTE = Rules(cv2.INTER_CUBIC, LEAST_SUM)
# The labels go where the silhouette that they make up goes.
PARSING = Rules(cv2.INTER_NEAREST, LEAST_SUM, labels=True)
# Silhouettes of CCPG, which are published aligned in a way of their own.
CCPG = Rules(cv2.INTER_AREA, keeps_left_edge=True)
# Depth images of SUSTech1K. Those that published weights have learned from lack that row.
DEPTH = Rules(cv2.INTER_CUBIC, colour=True, keeps_left_edge=True, loses_last_row=True)


@dataclass(frozen=True, slots=True)
class Aligned:
    """The usable frames of a sequence.

    Attributes:
        frames: uint8 [m, size, size], or [m, size, size, 3] in colour, in the order they came; an
            odd size has one column less.
        kept: int64 [m], positions of those frames among the input frames.
        dropped: number of the other frames, by reason.
        problems: the reason for each of them, by its position among the input frames.
    """

    frames: NDArray[np.uint8]
    kept: NDArray[np.int64]
    dropped: dict[str, int]
    problems: dict[int, str]


def align(frames: Frames, size_px: int, rules: Rules = SILHOUETTE) -> Aligned:
    """Cut each walker to the rows it fills, scale it to `size_px` and centre it.

    The rows above and below the walker go, the columns stay; the rest is scaled to the wanted
    height with its aspect ratio kept and its width rounded down; the centre is the first column
    at which more than half of the pixel sum is reached; the result is as wide as high around that
    column, with zeros beyond the image.

    The arrays equal those of the published algorithms byte for byte, on one processor: a value
    halfway between two levels may be scaled to either on another, as OpenCV's own arithmetic
    differs there. The published algorithms also decide which frames are dropped: silhouettes and
    parsing maps with a pixel sum of 10,000 or less, or centred on column 0. Where they would stop
    with an error (a figure so narrow that no column is left) the frame is dropped. Two things
    differ: silhouettes of 0 and 1 are named as such and dropped whatever their sum, and depth
    images whose figure stands near the border are centred like all others.

    Args:
        frames: silhouettes uint8 [h, w], 0 for background and 255 for the walker; or what `rules`
            says, in colour [h, w, 3]. Sizes may differ from frame to frame. An array with the
            frames along its first axis or a list.
        size_px: height and width of the result.
        rules: what the frames are.

    Raises:
        DataError: a frame is not uint8, or has another number of axes.

    Source: Chao et al., "GaitSet: Regarding Gait as a Set for Cross-View Gait Recognition",
    AAAI 2019, arXiv 1811.06186, as its successors publish it.
    """
    _check(frames, rules)
    channels = (3,) if rules.colour else ()
    windows = np.zeros((len(frames), size_px, size_px // 2 * 2, *channels), np.uint8)
    usable = np.zeros(len(frames), np.bool_)
    problems: dict[int, str] = {}
    for positions, stack in _by_size(frames):
        sums = _row_sums(_weighed(stack, rules))
        filled = sums > 0
        tops = filled.argmax(axis=1).tolist()
        ends = (stack.shape[1] - filled[:, ::-1].argmax(axis=1)).tolist()
        totals = sums.sum(axis=1, dtype=np.int64).tolist()
        for row, position in enumerate(positions):
            figure = stack[row, tops[row] : ends[row] - rules.loses_last_row]
            problem = _unusable(stack[row], totals[row], rules) or _place(
                figure, windows[position], rules
            )
            if problem:
                problems[position] = problem
            else:
                usable[position] = True
    kept = np.flatnonzero(usable).astype(np.int64, copy=False)
    return Aligned(
        windows if len(kept) == len(windows) else windows[kept],
        kept,
        dict(sorted(Counter(problems.values()).items())),
        problems,
    )


def _check(frames: Frames, rules: Rules) -> None:
    expected = "an image uint8 [h, w, 3]" if rules.colour else "a silhouette uint8 [h, w]"
    stacked = isinstance(frames, np.ndarray)
    for number, frame in enumerate([frames[0]] if stacked and len(frames) else frames):
        has_channels = frame.shape[2:] == (3,) if rules.colour else frame.ndim == 2
        if frame.dtype != np.uint8 or not has_channels:
            raise DataError(
                f"frame {number}: expected {expected}, got {frame.dtype} {list(frame.shape)}"
            )


def _by_size(frames: Frames) -> Iterator[tuple[Sequence[int], NDArray[np.uint8]]]:
    """Frames of one size at a time: their positions and the frames stacked, [s, h, w, ...]."""
    if isinstance(frames, np.ndarray):
        if frames.size:
            yield range(len(frames)), np.ascontiguousarray(frames)
        return
    positions: dict[tuple[int, ...], list[int]] = {}
    for position, frame in enumerate(frames):
        positions.setdefault(frame.shape, []).append(position)
    for chosen in positions.values():
        yield chosen, np.stack([frames[position] for position in chosen])


def _weighed(pixels: NDArray[np.uint8], rules: Rules) -> NDArray[np.uint8]:
    """What each pixel counts for."""
    if not rules.labels:
        return pixels
    flat = pixels.reshape(len(pixels), -1)
    weights = cv2.threshold(flat, 0, 255, cv2.THRESH_BINARY)[1]
    return np.asarray(weights, np.uint8).reshape(pixels.shape)


def _row_sums(stack: NDArray[np.uint8]) -> NDArray[Any]:
    """Sum of the pixel values of each row, int32 [s, h].

    OpenCV's reduction of all frames at once takes a tenth of the time of NumPy's.
    """
    count, height = stack.shape[:2]
    rows = stack.reshape(count * height, -1)
    return np.asarray(cv2.reduce(rows, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)).reshape(count, height)


def _unusable(frame: NDArray[np.uint8], total: int, rules: Rules) -> str:
    # Only a frame this faint can consist of zeros and ones; the others need no second look.
    if not rules.labels and 0 < total <= frame.size and frame.max() == 1:
        return WRONG_VALUES
    return "" if total > rules.least_sum else TOO_FEW_PIXELS


def _place(figure: NDArray[np.uint8], window: NDArray[np.uint8], rules: Rules) -> str:
    """Scale and centre one figure into `window`; the reason when it cannot be."""
    if not len(figure):
        return ONE_ROW
    height_px, width_px = window.shape[:2]
    # In this order, as another one rounds differently at sizes that are no power of two.
    scaled_width_px = int(height_px * (figure.shape[1] / figure.shape[0]))
    if scaled_width_px == 0:
        return TOO_NARROW
    scaled = np.asarray(
        cv2.resize(figure, (scaled_width_px, height_px), interpolation=rules.interpolation),
        np.uint8,
    )
    sums = cv2.reduce(_weighed(scaled, rules), 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
    running = (sums.reshape(-1, 3).sum(axis=1) if rules.colour else sums).cumsum(dtype=np.int64)
    centre = int(running.searchsorted(int(running[-1]) // 2, side="right"))
    if centre == scaled_width_px:
        return LOST_IN_SCALING
    if centre == 0 and not rules.keeps_left_edge:
        return AT_LEFT_EDGE
    left = centre - width_px // 2
    first, end = max(left, 0), min(left + width_px, scaled_width_px)
    window[:, first - left : end - left] = scaled[:, first:end]
    return ""
