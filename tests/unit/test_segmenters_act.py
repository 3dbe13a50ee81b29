"""Parameters of segmenters change the masks, or what a network is given, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gait.prepare.segmenters import background as module
from gait.prepare.segmenters.background import Background
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
    assert areas(walk, smallest=share) == [each if each >= middle else 0 for each in found]


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
