from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from gait import registry
from gait.data.transforms import Silhouettes, Transform, apply
from gait.data.transforms._warp import warp
from gait.data.transforms.crop_sides import CropSides
from gait.data.transforms.random_affine import RandomAffine
from gait.data.transforms.random_erasing import RandomErasing
from gait.data.transforms.random_horizontal_flip import RandomHorizontalFlip
from gait.data.transforms.random_part_blur import RandomPartBlur
from gait.data.transforms.random_part_dilate import RandomPartDilate
from gait.data.transforms.random_perspective import RandomPerspective
from gait.data.transforms.random_rotate import RandomRotate
from gait.errors import ConfigError

RANDOM: dict[str, Callable[[float], Transform]] = {
    "flip": RandomHorizontalFlip,
    "rotate": RandomRotate,
    "perspective": RandomPerspective,
    "affine": RandomAffine,
    "erasing": RandomErasing,
    "erasing each": lambda probability: RandomErasing(probability, per_frame=True),
}


def noise(s: int, h: int = 64, w: int = 44, smooth: float = 0) -> Silhouettes:
    frames = np.random.default_rng(0).integers(1, 256, (s, h, w), dtype=np.uint8)
    if smooth:
        frames = np.stack([cv2.GaussianBlur(each, (0, 0), smooth) for each in frames])
    frames.setflags(write=False)
    return frames


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_cut_sides() -> None:
    for width, kept in ((64, 44), (128, 88), (44, 44)):
        frames = noise(2, width, width)
        removed = (width - kept) // 2
        cut = CropSides()(frames, rng())
        np.testing.assert_array_equal(cut, frames[:, :, removed : width - removed])
    np.testing.assert_array_equal(CropSides(3)(noise(2), rng()), noise(2)[:, :, 3:41])
    assert CropSides(0)(noise(2), rng()).shape == (2, 64, 44)
    for columns in (22, -1):
        with pytest.raises(ConfigError, match=f"CropSides.columns is {columns}, but .* 44 col"):
            CropSides(columns)(noise(2), rng())


@pytest.mark.parametrize("name", RANDOM)
def test_probability_zero_changes_nothing(name: str) -> None:
    frames = noise(3)
    for seed in range(20):
        assert RANDOM[name](0.0)(frames, rng(seed)) is frames


@pytest.mark.parametrize("name", RANDOM)
def test_probability_is_the_share_of_changed_sequences(name: str) -> None:
    frames = noise(1, 64, 64)
    transform = RANDOM[name](0.3)
    changed = sum((transform(frames, rng(seed)) != frames).any() for seed in range(400))
    # Three standard deviations of 400 draws.
    assert 0.3 * 400 - 28 < changed < 0.3 * 400 + 28


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("shape", [(3, 64, 44), (1, 128, 88), (2, 64, 64)])
def test_shape_type_and_determinism(name: str, shape: tuple[int, int, int]) -> None:
    frames = noise(*shape)
    before = frames.copy()
    transform = RANDOM[name](1.0)
    once, again = transform(frames, rng(5)), transform(frames, rng(5))
    assert once.shape == shape
    assert once.dtype == np.uint8
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(frames, before)
    others = [transform(frames, rng(seed)) for seed in range(10)]
    if name != "flip":
        assert any((once != other).any() for other in others)


@pytest.mark.parametrize("name", [each for each in RANDOM if each != "erasing each"])
def test_one_draw_covers_the_sequence(name: str) -> None:
    frame = noise(1)
    frames = np.repeat(frame, 7, axis=0)
    result = RANDOM[name](1.0)(frames, rng(3))
    np.testing.assert_array_equal(result, np.repeat(result[:1], 7, axis=0))


@pytest.mark.parametrize("name", RANDOM)
def test_a_view_is_as_good_as_an_array(name: str) -> None:
    wide = noise(4, 64, 64)
    mirrored = wide[:, :, 10:54][:, :, ::-1]
    transform = RANDOM[name](1.0)
    np.testing.assert_array_equal(
        transform(mirrored, rng(1)), transform(np.ascontiguousarray(mirrored), rng(1))
    )


@pytest.mark.parametrize("value", [-0.1, 1.5, 30])
def test_a_probability_must_be_one(value: float) -> None:
    for name, make in RANDOM.items():
        with pytest.raises(ConfigError, match=rf"probability is {value}, expected .* 0 to 1"):
            make(value)
        assert name


def test_flip_is_exact() -> None:
    frames = noise(3)
    np.testing.assert_array_equal(RandomHorizontalFlip(1.0)(frames, rng()), frames[:, :, ::-1])


class Drawn(np.random.Generator):
    """A generator of which the continuous draw is known."""

    def __init__(self, value: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.value = value

    def uniform(self, *bounds: float) -> float:  # type: ignore[override]
        return self.value


def test_a_quarter_turn_is_exact() -> None:
    for size in (4, 5):
        frames = noise(2, size, size)
        turned = RandomRotate(1.0, degrees=90)(frames, Drawn(90))
        np.testing.assert_array_equal(turned, np.rot90(frames, axes=(1, 2)))


def test_half_a_turn_is_exact_on_frames_that_are_not_square() -> None:
    frames = noise(2, 6, 4)
    turned = RandomRotate(1.0, degrees=180)(frames, Drawn(180))
    np.testing.assert_array_equal(turned, frames[:, ::-1, ::-1])


@pytest.mark.parametrize("angle", [-10, 3.3, 7])
def test_rotation_agrees_with_opencv_frame_by_frame(angle: float) -> None:
    frames = noise(5, smooth=1.5)
    matrix = cv2.getRotationMatrix2D(((44 - 1) / 2, (64 - 1) / 2), angle, 1)
    expected = np.stack([cv2.warpAffine(each, matrix, (44, 64)) for each in frames])
    turned = RandomRotate(1.0)(frames, Drawn(angle))
    # OpenCV's own weights may be rounded to a 32nd of a pixel.
    assert np.abs(turned.astype(int) - expected).max() <= 4


def test_angles_cover_both_directions() -> None:
    frames = np.zeros((1, 65, 65), dtype=np.uint8)
    frames[0, :33, 31:34] = 255
    heads = [RandomRotate(1.0, 20)(frames, rng(seed))[0, 0].argmax() for seed in range(60)]
    # The upper end of an upright bar of 32 pixels swings by at most 32 * sin(20 degrees).
    heads = [int(each) - 32 for each in heads if each > 0]
    assert -12 <= min(heads) < -6 and 6 < max(heads) <= 12


def test_warp_moves_by_whole_pixels_and_fills_with_zeros() -> None:
    frames = noise(3, 5, 4)
    moved = warp(frames, np.array([[1.0, 0, 1], [0, 1, 2], [0, 0, 1]]))
    expected = np.zeros_like(frames)
    expected[:, :3, :3] = frames[:, 2:, 1:]
    np.testing.assert_array_equal(moved, expected)


def test_warp_blends_the_border_with_zero_not_with_the_next_frame() -> None:
    frames = np.full((3, 4, 4), 200, dtype=np.uint8)
    for shift in (0.5, -0.5):
        moved = warp(frames, np.array([[1, 0, 0], [0, 1, shift], [0, 0, 1]]))
        edge, inner = (moved[:, -1], moved[:, :-1]) if shift > 0 else (moved[:, 0], moved[:, 1:])
        assert (edge == 100).all()
        assert (inner == 200).all()
    assert not warp(frames, np.array([[1.0, 0, 0], [0, 1, 9], [0, 0, 1]])).any()


def test_warp_of_a_very_long_sequence() -> None:
    frames = noise(1200, 64, 8)
    identity = np.eye(3)
    np.testing.assert_array_equal(warp(frames, identity), frames)
    shifted = warp(frames, np.array([[1, 0, 0.25], [0, 1, 0.25], [0, 0, 1]]))
    parts = [
        warp(frames[at : at + 1], np.array([[1, 0, 0.25], [0, 1, 0.25], [0, 0, 1]]))
        for at in (0, 503, 504, 1199)
    ]
    np.testing.assert_array_equal(shifted[[0, 503, 504, 1199]], np.concatenate(parts))


def test_perspective_stretches_top_and_bottom_rows_outwards() -> None:
    # Rows stay rows, and what the trapezoid leaves out lies within ten columns of the sides.
    frames = np.zeros((1, 64, 64), dtype=np.uint8)
    frames[:, :, 10:54] = 255
    for seed in range(30):
        result = RandomPerspective(1.0)(frames, rng(seed))
        assert (result[0, :, 12:52] > 250).all(), "the middle is only stretched"
        widths = (result[0] > 127).sum(axis=1)
        assert widths.min() >= 43
    full = np.full((1, 64, 64), 255, dtype=np.uint8)
    assert (RandomPerspective(1.0)(full, rng(1)) >= 254).all(), "nothing from outside comes in"


def test_perspective_agrees_with_opencv_frame_by_frame() -> None:
    frames = noise(4, 64, 64, smooth=1.5)
    moved = rng(2)
    moved.random()
    left_top, right_top, left_bottom, right_bottom = moved.integers(10, size=4)
    corners = [[left_top, 0], [63 - right_top, 0], [left_bottom, 63], [63 - right_bottom, 63]]
    frame = [[0, 0], [63, 0], [0, 63], [63, 63]]
    matrix = cv2.getPerspectiveTransform(
        np.array(corners, dtype=np.float32), np.array(frame, dtype=np.float32)
    )
    expected = np.stack([cv2.warpPerspective(each, matrix, (64, 64)) for each in frames])
    result = RandomPerspective(1.0)(frames, rng(2))
    assert np.abs(result.astype(int) - expected).max() <= 4


def test_affine_agrees_with_opencv_frame_by_frame() -> None:
    frames = noise(4, smooth=1.5)
    moved = rng(2)
    moved.random()
    inwards = moved.integers(10, size=(2, 3, 2)) * [[1, 1], [-1, 1], [1, -1]]
    before, after = (np.array([[0, 0], [43, 0], [0, 63]]) + inwards).astype(np.float32)
    matrix = cv2.getAffineTransform(before, after)
    expected = np.stack([cv2.warpAffine(each, matrix, (44, 64)) for each in frames])
    result = RandomAffine(1.0)(frames, rng(2))
    assert np.abs(result.astype(int) - expected).max() <= 4


@pytest.mark.parametrize("per_frame", [False, True])
def test_erasing_hides_one_rectangle_of_bounded_area(per_frame: bool) -> None:
    h, w = 64, 44
    frames = noise(6, h, w)
    transform = RandomErasing(1.0, per_frame=per_frame)
    areas = []
    for seed in range(100):
        result = transform(frames, rng(seed))
        hidden = result == 0
        np.testing.assert_array_equal(result[~hidden], frames[~hidden])
        if not per_frame:
            assert (hidden == hidden[:1]).all()
        for each in hidden:
            rows, columns = np.flatnonzero(each.any(axis=1)), np.flatnonzero(each.any(axis=0))
            height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
            assert each.sum() == height * width, "a filled rectangle"
            # Sides are rounded, which moves the area by up to half a pixel along each side.
            slack = (height + width) / 2
            assert 0.05 * h * w - slack < each.sum() < 0.2 * h * w + slack
            assert 0.3 * 0.9 < height / width < 1 / 0.3 * 1.1
            areas.append(each.sum() / (h * w))
    assert min(areas) < 0.07 and max(areas) > 0.18
    if per_frame:
        assert len(set(areas)) > 100


def test_erasing_reaches_every_border() -> None:
    hidden = np.zeros((16, 16), dtype=bool)
    for seed in range(2000):
        hidden |= RandomErasing(1.0)(noise(1, 16, 16), rng(seed))[0] == 0
    assert hidden.all()


def test_erasing_gives_up_where_nothing_fits() -> None:
    frames = noise(3, 8, 8)
    transform = RandomErasing(1.0, min_area=1.0, max_area=1.0, ratio=1.0)
    np.testing.assert_array_equal(transform(frames, rng()), frames)


@pytest.mark.parametrize("per_frame", [False, True])
def test_erasing_draws_again_until_a_rectangle_fits(per_frame: bool) -> None:
    # Nearly half of the rectangles of that area are higher or wider than the frame.
    transform = RandomErasing(1.0, 0.5, 0.8, 0.3, per_frame)
    frames = np.full((4, 24, 24), 255, np.uint8)
    for seed in range(60):
        hidden = transform(frames, rng(seed)) == 0
        for each in hidden:
            rows, columns = np.flatnonzero(each.any(axis=1)), np.flatnonzero(each.any(axis=0))
            assert each.sum() == len(rows) * len(columns)
            assert 0.45 * 24 * 24 < each.sum() < 0.85 * 24 * 24


def test_a_rotation_that_is_not_told_otherwise_is_of_ten_degrees_at_most() -> None:
    assert RandomRotate().degrees == 10


def test_the_registry_builds_each_by_name() -> None:
    assert {"CropSides", "RandomErasing", "RandomPartBlur"} <= set(registry.names("transform"))
    erasing = registry.build("transform", {"name": "RandomErasing", "probability": 0.3})
    assert isinstance(erasing, RandomErasing)
    assert registry.check("transform", {"name": "RandomRotate", "degree": 3})


def test_dilating_a_band_changes_nothing_else_and_no_neighbour() -> None:
    frames = np.zeros((3, 64, 44), np.uint8)
    frames[1, 20:30, 20:24] = 255
    grown = RandomPartDilate(1.0, top=(12, 16), bottom=(36, 40))(frames, rng())
    assert not grown[[0, 2]].any() and not grown[:, :12].any() and not grown[:, 40:].any()
    assert (grown >= frames).all() and grown.sum() > frames.sum()
    kernels = {
        cv2.dilate(frames[1], cv2.getStructuringElement(shape, (size, size))).tobytes()
        for shape in (cv2.MORPH_RECT, cv2.MORPH_CROSS, cv2.MORPH_ELLIPSE)
        for size in (3, 5)
    }
    found = {
        RandomPartDilate(1.0, (12, 16), (36, 40))(frames, rng(seed))[1].tobytes()
        for seed in range(60)
    }
    assert found == kernels


def test_blurring_a_band_is_a_gaussian_and_a_threshold() -> None:
    # The second one is grey, as resized silhouettes are; dark, so that the threshold is met.
    frames = np.where(noise(2, 64, 44) > 128, 255, 0).astype(np.uint8)
    frames[1] = noise(1, 64, 44)[0] % 103
    transform = RandomPartBlur(1.0, top=(10, 10), bottom=(30, 30))
    blurred = transform(frames, rng())
    np.testing.assert_array_equal(blurred[:, :10], frames[:, :10])
    np.testing.assert_array_equal(blurred[:, 30:], frames[:, 30:])
    for before, after in zip(frames[:, 10:30], blurred[:, 10:30], strict=True):
        expected = cv2.GaussianBlur(before.astype(np.float64) / 255, (3, 3), 0) > 0.2
        np.testing.assert_array_equal(after, np.where(expected, 255, 0))


@pytest.mark.parametrize("band", [{"top": [16, 12]}, {"top": [12, 40]}, {"bottom": [36]}])
def test_a_band_needs_rows(band: dict[str, list[int]]) -> None:
    with pytest.raises(ConfigError, match=r"RandomPartDilate: expected top: \[lowest, highest\]"):
        registry.build("transform", {"name": "RandomPartDilate", **band})
    low = np.zeros((1, 32, 22), np.uint8)
    with pytest.raises(ConfigError, match="frames are 32 rows high"):
        RandomPartDilate(1.0)(low, rng())


def test_the_channels_of_maps_are_moved_alike() -> None:
    maps = np.stack([noise(4, 64, 64), noise(4, 64, 64)], axis=1)
    transforms: list[Transform] = [RandomRotate(1.0), CropSides()]
    both = apply(transforms, maps, rng(3))
    assert both.shape == (4, 2, 64, 44)
    for channel in range(2):
        alone = apply(transforms, np.ascontiguousarray(maps[:, channel]), rng(3))
        np.testing.assert_array_equal(both[:, channel], alone)
