"""Walkers before a camera that stands still: what differs from the empty scene.

The empty scene is the median of frames, from a clip of it where there is one. The light of each
frame is matched to it; then each pixel is compared with it in colour, measured by what is usual
there. A reduced image tells where the walker is, and only that part is looked at closely.

Shadows are told from bodies as in Horprasert, Harwood and Davis, "A statistical approach for
real-time robust background subtraction and shadow detection", ICCV Frame-Rate Workshop 1999: they
darken, within limits, and keep the colour.

A frame in which the camera has moved, the scene is another one, or several people walk is given up
rather than cut to what may be anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.prepare.silhouettes.segmenters._doubts import (
    MOVED,
    MOVED_SINCE_LAST,
    MOVED_WITHOUT_BACKGROUND,
    CameraMotion,
    Company,
    is_changed,
)
from gait.prepare.silhouettes.segmenters._figure import (
    CAMERA_MOVES,
    SCENE_CHANGES,
    SEVERAL_WALKERS,
)
from gait.prepare.silhouettes.segmenters._scene import (
    REDUCTION,
    UNCHANGED,
    Comparison,
    Image,
    Plane,
    SceneModel,
    SceneView,
    compare_with_scene,
    empty_scene,
    fit_light,
    reduce,
    smooth,
    spread_out,
)
from gait.prepare.silhouettes.segmenters._walked import walked_scene
from gait.prepare.silhouettes.video import DAMAGED_FRAME, VideoError, read_frames, read_video

# Fewer samples are taken of frames that are larger than those of 1080p, to fit in memory.
_SAMPLES_BYTES = 2**28
_LEAST_SAMPLES = 5
# Height of a walker, in pixels, for which the sizes below are one unit.
_UNIT_HEIGHT_PX = 160
# A shadow's colour deviates at most this many times what is usual.
_TINT = 3.5
# Share of the largest part's area below which a part is a speck.
_SPECK = 0.015
# Share of the walker's area below which a hole is always filled.
_SMALL_HOLE = 0.004
# A hole shows the scene when it deviates at most this many times what is usual ...
_CLEAR = 2.5
# ... or at most by this share of what the walker does.
_CLEAR_SHARE = 0.25
# Share of the walker's height, from the head, below which a shaded hole is between the legs.
_LEGS = 0.55


class Background:
    """Segments by the difference to a robust model of the empty scene.

    Args:
        samples: frames that the model of the scene is made from.
        threshold: how many times what is usual a pixel has to deviate to be the walker's.
        shadow_darkest: share of the light that a shadow leaves at least; what is darker is the
            walker's. 1 looks for no shadows.
        edge: share of the contrast nearby that a pixel at the outline must have; one half puts
            the outline where the blur of lens and compression is half way.
        min_area: share of the frame's area below which nothing counts as a walker.
        cut_frames: what becomes of frames where the walker touches the left or right border.
    """

    version = "1"

    def __init__(
        self,
        samples: int = 25,
        threshold: float = 5.0,
        shadow_darkest: float = 0.58,
        edge: float = 0.5,
        min_area: float = 0.003,
        cut_frames: Literal["drop", "keep"] = "drop",
    ) -> None:
        self.cut_frames = cut_frames
        self._samples = samples
        self._threshold = threshold
        self._shadow_darkest = shadow_darkest
        self._edge = edge
        self._min_area = min_area
        self._scene_of: Path | None = None
        self._scene: SceneModel | None = None

    def segment(
        self, video: Path, background: Path | None
    ) -> Iterator[NDArray[np.bool_] | str | None]:
        """The walker in each frame of `video`, [h, w]; None where nobody is, or why there is none.

        Args:
            video: a clip from a camera that stands still.
            background: a clip of the same camera without a walker, of which as much is used as
                can be read; without it, the scene is what is seen most of the time, and a walker
                who stays in place is seen less well.

        Raises:
            VideoError: a clip is broken, or the two differ in size.
        """
        scene = self._scene_before(video, background)
        limit = MOVED if background else MOVED_WITHOUT_BACKGROUND
        motion, company = CameraMotion(scene.reduced.colour, limit), Company()
        before: CameraMotion | None = None
        light, rounds = UNCHANGED, 5
        last: _Box | None = None
        for frame in read_frames(video):
            if frame is None:
                yield DAMAGED_FRAME
                continue
            height, width = scene.full.usual.shape
            if frame.shape[:2] != (height, width):
                raise VideoError(
                    f"{background}: expected frames of {frame.shape[1]} x {frame.shape[0]} like "
                    f"{video}, got {width} x {height}; replace it or remove it",
                    "unfit background",
                )
            reduced = reduce(frame)
            light = fit_light(reduced, scene.reduced.colour, light, rounds)
            rounds = 2
            lit = light.plane(reduced)
            moves = motion.is_seen(lit) or (before is not None and before.is_seen(lit))
            if background is None:
                before = CameraMotion(lit, MOVED_SINCE_LAST)
            if moves:
                yield CAMERA_MOVES
                continue
            box = self._find(compare_with_scene(lit, scene.reduced), scene, last, company)
            if isinstance(box, str):
                yield box
                continue
            walker = None
            if box is not None:
                view = scene.full[box.inside]
                walker = self._outline(
                    compare_with_scene(smooth(light.image(frame[box.inside])), view), view
                )
            if box is None or walker is None or walker.sum() < self._min_area * height * width:
                yield None
                continue
            last = box
            mask = np.zeros((height, width), np.uint8)
            mask[box.inside] = walker
            yield mask.view(np.bool_)

    def _scene_before(self, video: Path, background: Path | None) -> SceneModel:
        """The model of the scene; that of the background clip used last is kept."""
        if background is None:
            return walked_scene(self._sampled(video))
        if self._scene is None or self._scene_of != background:
            try:
                scene = empty_scene(self._sampled(background))
            except VideoError as error:
                raise VideoError(str(error), "unreadable background") from None
            self._scene, self._scene_of = scene, background
        return self._scene

    def _sampled(self, clip: Path) -> list[Image]:
        """Frames to model the scene from: those of a truncated clip that can be read."""
        frames = _readable(clip)
        first = next(frames)
        most = max(_LEAST_SAMPLES, _SAMPLES_BYTES // first.nbytes)
        return spread_out(chain([first], frames), min(self._samples, most))

    def _find(
        self, seen: Comparison, scene: SceneModel, last: _Box | None, company: Company
    ) -> _Box | str | None:
        """Where to look for the walker closely, from a comparison of the reduced image."""
        deviating = seen.deviation > self._threshold * scene.reduced.usual
        if is_changed(deviating):
            return SCENE_CHANGES
        body = deviating & ~self._shaded(seen, scene.reduced)
        # A head or a foot that its neck or ankle is missing from is less than this away.
        joined = cv2.dilate(body.view(np.uint8), np.ones((5, 3), np.uint8))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
        if count < 2:
            return None
        boxes = cast("NDArray[np.int32]", stats)
        areas = np.bincount(labels[body], minlength=count)
        near = _touching(boxes, last) if last is not None else 0
        best = int((areas * (1 + near)).argmax())
        if areas[best] * REDUCTION**2 < 0.5 * self._min_area * scene.full.usual.size:
            return None
        if company.is_seen(areas, boxes, best):
            return SEVERAL_WALKERS
        return _Box.around(boxes[best], scene.full.usual.shape)

    def _shaded(self, seen: Comparison, view: SceneView) -> NDArray[np.bool_]:
        """Pixels that a shadow explains."""
        shaded: NDArray[np.bool_] = (
            (seen.shade > self._shadow_darkest)
            & (seen.shade < 1)
            & (seen.tint < _TINT * view.usual)
        )
        return shaded

    def _outline(self, seen: Comparison, view: SceneView) -> Image | None:
        """The walker, 1 where he is, in the part of the frame that he was found in."""
        unit = max(1, round(len(view.usual) / _UNIT_HEIGHT_PX))
        shaded = _opened(self._shaded(seen, view).view(np.uint8), 2 * unit + 1)
        body = ((seen.deviation > self._threshold * view.usual) & (shaded == 0)).view(np.uint8)
        # Pixels that lens and codec have mixed with the walker's: on either side of the outline.
        inner = cv2.erode(body, _square(4 * unit + 1))
        nearby = cv2.dilate(seen.deviation, _square(4 * unit + 1))
        body[(inner == 0) & (seen.deviation < self._edge * nearby)] = 0
        body = cast("Image", cv2.medianBlur(body, 3))
        body = cast("Image", cv2.morphologyEx(body, cv2.MORPH_CLOSE, _square(2 * unit + 1)))
        if not body.any():
            return None
        return _filled(_walker(body, unit), seen.deviation / view.usual, shaded)


def _readable(clip: Path) -> Iterator[Image]:
    """The frames of a clip; of a truncated one those that it has."""
    try:
        yield from read_video(clip)
    except VideoError as error:
        if not error.frames:
            raise


class _Box(NamedTuple):
    """A part of the frame, in pixels; right and bottom are outside."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, found: NDArray[np.int32], shape: tuple[int, ...]) -> _Box:
        """The box of a part of the reduced image, with room for what was not found there."""
        left, top, width, height = (REDUCTION * int(each) for each in found[:4])
        room = height // 8 + REDUCTION
        return cls(
            max(left - room, 0),
            max(top - room, 0),
            min(left + width + room, shape[1]),
            min(top + height + room, shape[0]),
        )

    @property
    def inside(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)


def _touching(boxes: NDArray[np.int32], last: _Box) -> NDArray[np.bool_]:
    """Which parts of the reduced image touch the walker's box in the frame before."""
    left, top, width, height = (REDUCTION * boxes[:, :4]).T
    touching: NDArray[np.bool_] = (
        (left < last.right)
        & (left + width > last.left)
        & (top < last.bottom)
        & (top + height > last.top)
    )
    return touching


def _walker(body: Image, unit: int) -> Image:
    """The largest part, and those close to it; not specks."""
    count, labels = cv2.connectedComponents(body)
    areas = np.bincount(labels[body > 0], minlength=count)
    body = cast("Image", (areas >= _SPECK * areas.max())[labels].view(np.uint8) & body)
    joined = cv2.dilate(body, np.ones((8 * unit + 1, 4 * unit + 1), np.uint8))
    count, labels = cv2.connectedComponents(joined)
    areas = np.bincount(labels[body > 0], minlength=count)
    body[labels != areas.argmax()] = 0
    return body


def _filled(body: Image, deviation: Plane, shaded: Image) -> Image:
    """The walker without holes, save those that the scene is seen through."""
    count, labels = cv2.connectedComponents(1 - body, connectivity=4)
    fill = np.ones(count, np.bool_)
    fill[0] = False
    for border in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        fill[border] = False
    if not fill.any():
        return body
    flat = labels.ravel()
    areas = np.bincount(flat, minlength=count)
    deviations = np.bincount(flat, deviation.ravel(), minlength=count) / areas
    shades = np.bincount(flat, shaded.ravel(), minlength=count) / areas
    rows = np.flatnonzero(body.any(axis=1))
    legs = np.arange(len(body)) > rows[0] + _LEGS * (rows[-1] - rows[0])
    low = (np.bincount(flat, np.repeat(legs, body.shape[1]), minlength=count) / areas) > 0.5
    contrast = float(np.median(deviation[body > 0]))
    seen_through = deviations < max(_CLEAR, _CLEAR_SHARE * contrast)
    seen_through |= (shades > 0.5) & low
    fill &= ~seen_through | (areas < _SMALL_HOLE * np.count_nonzero(body))
    return cast("Image", body | fill[labels].view(np.uint8))


def _square(size: int) -> Image:
    return np.ones((size, size), np.uint8)


def _opened(mask: Image, size: int) -> Image:
    return cast("Image", cv2.morphologyEx(mask, cv2.MORPH_OPEN, _square(size)))
