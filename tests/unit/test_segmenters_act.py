"""Parameters of segmenters change the masks, or what a network is given, by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gait.prepare.silhouettes.segmenters import _walked
from gait.prepare.silhouettes.segmenters import background as module
from gait.prepare.silhouettes.segmenters.background import Background
from tests.unit.clips import HEIGHT, WIDTH, Shot, film


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walk")
    film(folder / "walk.avi", Shot(frames=12))
    film(folder / "empty.avi", Shot(walker=False, frames=12))
    return folder


def areas(walk: Path, **settings: Any) -> list[int]:
    """The pixels of the walker in each frame."""
    masks = Background(**settings).segment(walk / "walk.avi", walk / "empty.avi")
    return [0 if each is None or isinstance(each, str) else int(each.sum()) for each in masks]


def test_what_deviates_less_than_the_threshold_is_the_scene(walk: Path) -> None:
    assert min(areas(walk)) > 0
    assert not any(areas(walk, threshold=1e4))


def test_an_outline_of_less_contrast_lies_farther_out(walk: Path) -> None:
    wide, usual, narrow = (areas(walk, edge=each) for each in (0.2, 0.5, 0.8))
    pairs = [*zip(wide, usual, strict=True), *zip(usual, narrow, strict=True)]
    assert all(outer > inner for outer, inner in pairs)


def test_nothing_below_a_share_of_the_frame_is_a_walker(walk: Path) -> None:
    found = areas(walk)
    middle = sorted(found)[6]
    share = (middle - 0.5) / (WIDTH * HEIGHT)
    assert areas(walk, min_area=share) == [each if each >= middle else 0 for each in found]


@pytest.mark.parametrize("samples", [3, 8])
def test_the_scene_is_made_of_so_many_frames(
    samples: int, walk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []

    def counted(frames: list[np.ndarray]) -> Any:
        used.append(len(frames))
        return made(frames)

    made = module.empty_scene
    monkeypatch.setattr(module, "empty_scene", counted)
    areas(walk, samples=samples)
    assert used == [samples]


@pytest.mark.parametrize(("area", "chosen"), [(1.5, "before"), (2.5, "larger")])
def test_the_walker_of_the_frame_before_is_preferred_to_a_mover_up_to_twice_as_large(
    area: float, chosen: str
) -> None:
    deviation = np.zeros((60, 80), np.float32)
    deviation[20:40, 10:16] = 100
    deviation[20:40, 50 : 50 + int(6 * area)] = 100
    seen = SimpleNamespace(
        deviation=deviation, shade=np.ones_like(deviation), tint=np.zeros_like(deviation)
    )
    usual = np.ones_like(deviation)
    scene: Any = SimpleNamespace(
        reduced=SimpleNamespace(usual=usual),
        full=SimpleNamespace(usual=np.ones((4 * 60, 4 * 80), np.float32)),
    )
    nobody: Any = SimpleNamespace(is_seen=lambda *_: False)

    def found(last: module._Box | None) -> str:
        box = Background()._find(seen, scene, last, nobody)  # type: ignore[arg-type]
        assert isinstance(box, module._Box)
        return "before" if box.left < 4 * 16 else "larger"

    assert found(None) == "larger"
    assert found(module._Box(40, 80, 64, 160)) == chosen


@pytest.mark.parametrize(("agreeing", "is_known"), [(3, False), (20, True)])
def test_a_place_is_known_where_enough_frames_agree_with_what_is_around(
    agreeing: int, is_known: bool
) -> None:
    frames = [np.full((96, 128, 3), 120, np.uint8) for _ in range(50)]
    for number, frame in enumerate(frames[agreeing:]):
        frame[36:60, 48:72] = (20, 220)[number % 2]
    scene = _walked.walked_scene(frames)
    middle = scene.reduced.usual[12, 15]
    assert bool(middle == _walked._USUAL_OF_GUESS) is not is_known
    assert scene.reduced.usual[2, 2] < _walked._USUAL_OF_GUESS


def test_what_was_found_in_a_frame_is_known_in_the_next(
    walk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []
    gave: list[object] = []

    def noted(self: Background, seen: Any, scene: Any, last: Any, company: Any) -> Any:
        given.append(last)
        gave.append(find(self, seen, scene, last, company))
        return gave[-1]

    find = Background._find
    monkeypatch.setattr(Background, "_find", noted)
    assert all(areas(walk))
    assert given == [None, *gave[:-1]]
