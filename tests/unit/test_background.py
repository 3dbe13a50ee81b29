"""The background segmenter on small clips whose truth is known."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from gait.prepare.silhouettes.segmenters import background as module
from gait.prepare.silhouettes.segmenters._figure import UNFIT
from gait.prepare.silhouettes.segmenters._scene import empty_scene, sorted_images, spread_out
from gait.prepare.silhouettes.segmenters.background import Background
from gait.prepare.silhouettes.video import VideoError, read_frames
from tests.unit.clips import HEIGHT, WIDTH, Shot, film, iou, rendered, write


def reasons(folder: Path, frames: list[np.ndarray], with_background: bool) -> Counter[str]:
    """How many frames have a mask, and why others have none."""
    write(folder / "walk.avi", frames)
    film(folder / "empty.avi", Shot(walker=False, frames=12))
    empty = folder / "empty.avi" if with_background else None
    masks = Background().segment(folder / "walk.avi", empty)
    return Counter(
        mask if isinstance(mask, str) else "nobody" if mask is None else "mask" for mask in masks
    )


def unfit(seen: Counter[str]) -> int:
    return sum(seen[reason] for reason in UNFIT)


def moved(frame: np.ndarray, right: float, down: float = 0.0) -> np.ndarray:
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(frame, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)


# Ways in which a camera moves, in pixels, by the number of a frame.
MOVES = {
    "pans": lambda number: (1.5 * number, 0.0),
    "pans fast": lambda number: (4.0 * number, 0.0),
    "shakes": lambda number: (6 * np.sin(1.1 * number), 4 * np.cos(1.3 * number)),
}


@pytest.mark.parametrize("with_background", [True, False])
@pytest.mark.parametrize("move", MOVES)
def test_a_camera_that_moves_is_noticed(tmp_path: Path, move: str, with_background: bool) -> None:
    frames = rendered(Shot())[0]
    seen = reasons(
        tmp_path,
        [moved(each, *MOVES[move](number)) for number, each in enumerate(frames)],
        with_background,
    )
    assert unfit(seen) >= 15 and seen["mask"] <= 6, seen


@pytest.mark.parametrize("noise", [0.0, 2.0, 5.0])
@pytest.mark.parametrize("plain", [True, False])
def test_a_walker_before_a_still_wall_is_no_moving_camera(
    tmp_path: Path, plain: bool, noise: float
) -> None:
    # Before a plain wall, nothing but the walker has any texture.
    seen = reasons(tmp_path, [*rendered(Shot(plain=plain, noise=noise))[0]], False)
    assert unfit(seen) == 0 and seen["mask"] >= 27, seen


def test_a_scene_that_becomes_another_is_noticed(tmp_path: Path) -> None:
    frames = [*rendered(Shot())[0]]
    for number in range(15, 30):
        frames[number] = frames[number].copy()
        frames[number][:, 60:] = frames[number][:, 60:] // 2
    seen = reasons(tmp_path, frames, with_background=True)
    assert (seen["mask"], unfit(seen)) == (15, 15)


@pytest.mark.parametrize("with_background", [True, False])
def test_a_second_walker_is_noticed_also_where_both_touch(
    tmp_path: Path, with_background: bool
) -> None:
    # They meet in the middle: the second one is the first, seen in a mirror.
    frames, truth = rendered(Shot(noise=0.0))
    both = []
    for frame, there in zip(frames, truth, strict=True):
        mirrored = cv2.dilate(there[:, ::-1].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        both.append(np.where(mirrored[..., None], frame[:, ::-1], frame))
    seen = reasons(tmp_path, both, with_background)
    assert seen["several walkers"] >= 15 and unfit(seen) >= 21, seen


def test_a_walker_whose_middle_is_hidden_is_one(tmp_path: Path) -> None:
    frames, _ = rendered(Shot())
    empty = rendered(Shot(walker=False))[0]
    hidden = [frame.copy() for frame in frames]
    for frame, wall in zip(hidden, empty, strict=True):
        frame[58:72] = wall[58:72]
    seen = reasons(tmp_path, hidden, with_background=True)
    assert seen == {"mask": 30}


def segmented(
    folder: Path, shot: Shot, *, with_background: bool = True, **settings: object
) -> tuple[list[np.ndarray | None], np.ndarray]:
    """Film `shot` and the empty scene, and segment; the masks and the truth."""
    video, empty = folder / "walk.avi", folder / "empty.avi"
    truth = film(video, shot)
    film(empty, Shot(walker=False, frames=12, noise=shot.noise))
    tool = Background(**settings)  # type: ignore[arg-type]
    return list(tool.segment(video, empty if with_background else None)), truth


@pytest.mark.parametrize("with_background", [True, False])
def test_a_walker_who_crosses_is_outlined(tmp_path: Path, with_background: bool) -> None:
    masks, truth = segmented(tmp_path, Shot(), with_background=with_background)
    assert iou(masks, truth) > 0.95
    assert all(
        mask is None or (mask.dtype == bool and mask.shape == truth[0].shape) for mask in masks
    )


def test_a_walker_who_comes_is_outlined_before_a_background_clip(tmp_path: Path) -> None:
    assert iou(*segmented(tmp_path, Shot(in_place=True))) > 0.95


def test_a_walker_who_comes_is_found_without_one(tmp_path: Path) -> None:
    masks, truth = segmented(tmp_path, Shot(in_place=True), with_background=False)
    # A plain median, which shows the walker here, gives less than 0.3.
    assert iou(masks, truth) > 0.9


def test_a_shadow_is_not_the_walker(tmp_path: Path) -> None:
    shot = Shot(shadow=0.7)
    without, truth = segmented(tmp_path, shot)
    with_shadow, _ = segmented(tmp_path, shot, shadow_darkest=1.0)
    assert iou(without, truth) > 0.95
    assert iou(with_shadow, truth) < iou(without, truth) - 0.08


def test_slow_light_is_followed(tmp_path: Path) -> None:
    masks, truth = segmented(tmp_path, Shot(drift=0.15))
    assert iou(masks, truth) > 0.95


def test_noise_is_not_a_walker(tmp_path: Path) -> None:
    masks, truth = segmented(tmp_path, Shot(noise=9.0))
    assert iou(masks, truth) > 0.95
    masks, _ = segmented(tmp_path, Shot(noise=9.0, walker=False))
    assert masks == [None] * 30


@pytest.mark.parametrize("with_background", [True, False])
def test_an_empty_clip_has_no_walker(tmp_path: Path, with_background: bool) -> None:
    shot = Shot(walker=False, drift=0.1)
    masks, _ = segmented(tmp_path, shot, with_background=with_background)
    assert masks == [None] * 30


def test_specks_are_dropped_and_one_walker_is_kept(tmp_path: Path) -> None:
    masks, truth = segmented(tmp_path, Shot(speck=True, in_place=True))
    assert iou(masks, truth) > 0.95
    for mask in masks:
        assert mask is not None
        _, _, parts, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
        assert parts[1:, cv2.CC_STAT_AREA].min() > 9


def test_a_hole_in_the_walker_is_filled_and_a_gap_that_shows_the_scene_is_not() -> None:
    body = np.zeros((100, 60), np.uint8)
    body[10:90, 10:50] = 1
    body[30:40, 25:35] = 0
    body[60:80, 25:35] = 0
    deviation = np.where(body, 40.0, 1.0).astype(np.float32)
    deviation[30:40, 25:35] = 15.0
    filled = module._filled(body, deviation, np.zeros_like(body))
    assert filled[30:40, 25:35].all()
    assert not filled[60:80, 25:35].any()


def test_the_video_is_read_frame_by_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video, empty = tmp_path / "walk.avi", tmp_path / "empty.avi"
    film(video, Shot())
    film(empty, Shot(walker=False, frames=8))
    given: list[Path] = []

    def counted(path: Path):  # type: ignore[no-untyped-def]
        for frame in read_frames(path):
            given.append(path)
            yield frame

    for name in ("read_video", "read_frames"):
        monkeypatch.setattr(module, name, counted)
    masks = Background().segment(video, empty)
    for taken in range(1, 6):
        next(masks)
        assert given.count(video) == taken
    assert given.count(empty) == 8


def test_a_long_clip_is_sampled_evenly_in_constant_memory() -> None:
    alive = 0

    class Counted(np.ndarray):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    most = 0

    def frames():  # type: ignore[no-untyped-def]
        nonlocal alive, most
        for number in range(1000):
            frame = np.full((1, 1, 3), number, np.int64).view(Counted)
            alive += 1
            most = max(most, alive)
            yield frame

    kept = [int(each[0, 0, 0]) for each in spread_out(frames(), 10)]
    assert len(kept) == 10
    assert kept[0] == 0
    assert kept[-1] > 900
    assert np.diff(kept).min() > 60
    assert most < 25


@pytest.mark.parametrize("count", [1, 2, 3, 7, 25])
def test_the_sorting_network_sorts(count: int) -> None:
    stack = np.random.default_rng(count).integers(0, 255, (count, 5, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(sorted_images(list(stack)), np.sort(stack, axis=0))


def test_the_scene_is_the_median_of_its_frames() -> None:
    rng = np.random.default_rng(0)
    wall = np.full((40, 60, 3), 120, np.uint8) + rng.integers(0, 60, (40, 60, 3), dtype=np.uint8)
    frames = [wall.copy() for _ in range(9)]
    for number in range(4):
        frames[number][10:30, 5 * number : 5 * number + 5] = 0
    reduced = empty_scene(frames).reduced.colour
    expected = cv2.resize(wall, (15, 10), interpolation=cv2.INTER_AREA)
    assert np.abs(reduced - expected).max() <= 2


def test_a_background_clip_of_another_size_is_said(tmp_path: Path) -> None:
    film(tmp_path / "walk.avi", Shot(frames=5))
    size = (WIDTH * 2, HEIGHT * 2)
    writer = cv2.VideoWriter(
        str(tmp_path / "empty.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, size
    )
    writer.write(np.zeros((*size[::-1], 3), np.uint8))
    writer.release()
    with pytest.raises(
        VideoError, match=r"expected frames of 160 x 120 .*, got 320 x 240"
    ) as error:
        list(Background().segment(tmp_path / "walk.avi", tmp_path / "empty.avi"))
    assert error.value.reason == "unfit background"


def test_a_background_clip_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    film(tmp_path / "walk.avi", Shot(frames=5))
    (tmp_path / "empty.avi").write_bytes(b"")
    with pytest.raises(VideoError, match=r"empty\.avi: .*zero bytes") as error:
        list(Background().segment(tmp_path / "walk.avi", tmp_path / "empty.avi"))
    assert error.value.reason == "unreadable background"


def test_a_truncated_background_clip_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    video, empty = tmp_path / "walk.avi", tmp_path / "empty.avi"
    truth = film(video, Shot(in_place=True))
    film(empty, Shot(walker=False, frames=20))
    empty.write_bytes(empty.read_bytes()[: empty.stat().st_size // 2])
    assert iou(list(Background().segment(video, empty)), truth) > 0.95
