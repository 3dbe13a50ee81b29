"""SynthGait: the files of a population, the pictures in them and the poses beside them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from gait.config.dataset import Population
from gait.errors import DataError
from gait.prepare.modalities.video_poses import load_pose
from gait.prepare.silhouettes.masks import load_masks
from gait.prepare.silhouettes.video import read_video
from gait.synthgait.camera import Camera, place_camera
from gait.synthgait.estimate import estimate_pose
from gait.synthgait.kinematics import JOINTS
from gait.synthgait.people import draw_takes
from gait.synthgait.population import synthesize
from gait.synthgait.render import render_walk
from tests.unit.synthetic import TINY


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `raw` and `truth` of TINY, rendered in this process."""
    folder = tmp_path_factory.mktemp("synthetic")
    synthesize(folder / "raw", TINY, truth=folder / "truth")
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# Files


def test_names_are_those_of_casia_b_and_all_there(rendered: Path) -> None:
    expected = {
        f"{subject}-{sequence}-{view}.avi"
        for subject in ("001", "002")
        for sequence in ("nm-01", "bg-01", "cl-01", "bkgrd")
        for view in ("000", "090")
    }
    poses = {
        name.replace(".avi", ".pose.npz") for name in expected if not name[4:].startswith("bkgrd")
    }
    found = {path.name for path in (rendered / "raw").iterdir()}
    assert found == expected | poses | {"population.csv"}


def test_the_list_gives_the_size_of_each_file(rendered: Path) -> None:
    lines = (rendered / "raw" / "population.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "file,size_bytes"
    listed = dict(line.split(",") for line in lines[1:])
    sizes = {path.name: str(path.stat().st_size) for path in (rendered / "raw").glob("*-*")}
    assert listed == sizes
    assert list(listed) == sorted(listed)


def test_two_processes_give_the_same_bytes_as_one(rendered: Path, tmp_path: Path) -> None:
    synthesize(tmp_path / "raw", TINY, processes=2, truth=tmp_path / "truth")
    assert digests(tmp_path) == digests(rendered)


def test_a_second_run_rewrites_nothing(tmp_path: Path) -> None:
    population = TINY.model_copy(update={"subjects": 1, "views_deg": [90]})
    synthesize(tmp_path, population)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    os.utime(tmp_path / "001-nm-01-090.avi", ns=(5, 5))
    synthesize(tmp_path, population)
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert after == before | {"001-nm-01-090.avi": 5}


def test_a_walk_does_not_depend_on_who_else_is_in_the_population(
    rendered: Path, tmp_path: Path
) -> None:
    synthesize(tmp_path, TINY.model_copy(update={"subjects": 1, "views_deg": [90]}))
    name = "001-bg-01-090.avi"
    assert (tmp_path / name).read_bytes() == (rendered / "raw" / name).read_bytes()


def test_another_seed_gives_other_walkers(rendered: Path, tmp_path: Path) -> None:
    synthesize(tmp_path, TINY.model_copy(update={"seed": 4, "subjects": 1, "views_deg": [90]}))
    name = "001-nm-01-090.avi"
    assert (tmp_path / name).read_bytes() != (rendered / "raw" / name).read_bytes()


def test_an_interrupted_run_leaves_whole_videos_only_and_can_be_repeated(
    rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def cut(*arguments: Any) -> Iterator[NDArray[np.uint8]]:
        nonlocal calls
        calls += 1
        for frame in render_walk(*arguments):
            yield frame
            if calls == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr("gait.synthgait.population.render_walk", cut)
    with pytest.raises(KeyboardInterrupt):
        synthesize(tmp_path, TINY)
    monkeypatch.undo()
    left = digests(tmp_path)
    whole = digests(rendered / "raw")
    assert 0 < len(left) < len(whole)
    assert left.items() <= whole.items()

    # What a killed run cannot clear away itself goes with the next run.
    (tmp_path / ".0123456789ab.partial.avi").write_bytes(b"half")
    synthesize(tmp_path, TINY)
    assert digests(tmp_path) == whole


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    program = f"""
        import resource
        from pathlib import Path
        from gait.config.dataset import Population
        from gait.errors import DataError
        from gait.synthgait.population import synthesize

        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
        try:
            synthesize(Path({str(tmp_path)!r}), Population(**{TINY.model_dump()!r}))
        except DataError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "free space on that disk" in done.stdout.splitlines()[-1]
    assert not list(tmp_path.glob(".*"))
    assert not (tmp_path / "population.csv").exists()


def test_a_killed_run_leaves_no_process_and_can_be_repeated(
    rendered: Path, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    raw = tmp_path / "raw"
    many = TINY.model_dump() | {"subjects": 40}
    program.write_text(
        textwrap.dedent(f"""
        from pathlib import Path
        from gait.config.dataset import Population
        from gait.synthgait.population import synthesize

        if __name__ == "__main__":
            synthesize(Path({str(raw)!r}), Population(**{many!r}), processes=2)
        """)
    )
    run = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE)
    wait_until(lambda: len(list(raw.glob("*.avi"))) > 2)
    run.kill()
    assert run.stdout is not None
    # The pipe ends when its last holder does: the workers.
    run.communicate(timeout=20)
    for path in raw.glob("[!.]*-*"):
        if int(path.name[:3]) > 2:
            path.unlink()
    synthesize(raw, TINY)
    assert digests(raw) == digests(rendered / "raw")


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["009-nm-01-090.avi", "009-nm-01-090.pose.npz"])
def test_files_of_another_population_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"kept")
    with pytest.raises(DataError, match=f"found 1 others such as {name}"):
        synthesize(tmp_path, TINY)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("subjects", 1000),
        ("views_deg", [90, 90]),
        ("views_deg", [-18]),
        ("views_deg", []),
        ("sequences", {"nm": 100}),
        ("width_px", 161),
    ],
)
def test_what_cannot_be_named_or_encoded_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError, match=key):
        Population.model_validate(TINY.model_dump() | {key: value})


# Pictures


@pytest.mark.parametrize("condition", ["nm", "bg", "cl"])
@pytest.mark.parametrize("view", ["000", "090"])
def test_the_true_mask_covers_the_walker(rendered: Path, condition: str, view: str) -> None:
    video = rendered / "raw" / f"001-{condition}-01-{view}.avi"
    masks = load_masks(rendered / "truth" / "001" / f"{condition}-01" / f"{view}.npz")
    frames = np.stack(list(read_video(video)))
    empty = np.stack(list(read_video(rendered / "raw" / f"001-bkgrd-{view}.avi"))).mean(axis=0)
    assert frames.shape == (*masks.masks.shape, 3)
    assert frames.shape[1:] == (120, 160, 3)
    assert masks.frames.tolist() == list(range(len(frames)))
    change = np.abs(frames - empty).max(axis=3)
    walker = masks.masks > 0
    assert np.median(change[walker]) > 40.0
    # Away from the walker only noise, and at most a quarter under the shadow.
    around = np.stack([cv2.dilate(mask, np.ones((7, 7), np.uint8)) for mask in masks.masks]) == 0
    assert np.percentile(change[around], 95) < 16.0
    height = walker.any(axis=2).sum(axis=1)
    assert 0.3 < np.median(height) / 120 < 0.75


def test_all_views_show_the_same_walk(rendered: Path) -> None:
    for subject in ("001", "002"):
        counts = {
            len(list(read_video(rendered / "raw" / f"{subject}-nm-01-{view}.avi")))
            for view in ("000", "090")
        }
        assert len(counts) == 1


def test_a_walker_grows_at_view_0_and_crosses_at_view_90(rendered: Path) -> None:
    coming = load_masks(rendered / "truth" / "001" / "nm-01" / "000.npz").masks > 0
    heights = coming.any(axis=2).sum(axis=1)
    assert heights[-1] > heights[0]
    crossing = load_masks(rendered / "truth" / "001" / "nm-01" / "090.npz").masks > 0
    columns = [np.nonzero(mask.any(axis=0))[0].mean() for mask in crossing]
    assert columns[-1] > columns[0] + 10


def test_outlines_of_a_ball_are_circles_of_its_size() -> None:
    camera = Camera(np.zeros(3), np.eye(3), 400.0, np.zeros(2))
    centres = np.array([[[0.0, 0.0, 8.0], [0.0, 1.0, 8.0]]])
    axes = np.broadcast_to(0.2 * np.eye(3), (1, 2, 3, 3))
    corners, depth = camera.outlines(centres, axes, np.array([[0, 0], [0, 1]]))
    assert depth == pytest.approx(8.0)
    assert np.linalg.norm(corners[0, 0], axis=-1) == pytest.approx(10.0)
    # The hull of both reaches from the top of the first to the bottom of the second.
    assert corners[0, 1, :, 1].min() == pytest.approx(-10.0)
    assert corners[0, 1, :, 1].max() == pytest.approx(60.0, abs=0.2)


@pytest.mark.parametrize(("view", "column"), [(0, 0), (90, 1), (180, 0), (270, -1)])
def test_a_camera_sees_walkers_from_its_view(view: int, column: int) -> None:
    camera = place_camera(view, 320, 240, np.random.default_rng(0))
    pixels, depth = camera.project(np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.8]]))
    assert (pixels[1, 0] - pixels[0, 0]) * column >= 40 * abs(column)
    assert np.sign(round(depth[0] - depth[1], 1)) == {0: 1, 180: -1}.get(view, 0)
    assert 100 < pixels[0, 1] - pixels[2, 1] < 135
    assert (pixels > 0).all() and (pixels < [320, 240]).all()


# Poses


@pytest.mark.parametrize("view", ["000", "090"])
@pytest.mark.parametrize("condition", ["nm", "bg", "cl"])
def test_joints_lie_on_the_walker(rendered: Path, condition: str, view: str) -> None:
    pose = load_pose(rendered / "raw" / f"001-{condition}-01-{view}.pose.npz")
    masks = load_masks(rendered / "truth" / "001" / f"{condition}-01" / f"{view}.npz").masks
    assert pose.shape == (len(masks), 17, 3) and pose.dtype == np.float32
    near = np.stack([cv2.dilate(mask, np.ones((9, 9), np.uint8)) for mask in masks]) > 0
    seen = pose[..., 2] > 0.8
    x, y = (np.rint(pose[..., axis]).astype(int) for axis in range(2))
    frame = np.broadcast_to(np.arange(len(pose))[:, None], x.shape)
    assert seen.mean() > 0.3
    inside = (x >= 0) & (x < 160) & (y >= 0) & (y < 120)
    assert near[frame[inside & seen], y[inside & seen], x[inside & seen]].mean() > 0.98


def test_confidence_falls_where_a_joint_is_hidden_or_outside(rendered: Path) -> None:
    from_the_right = load_pose(rendered / "raw" / "001-nm-01-090.pose.npz")[..., 2].mean(axis=0)
    names = dict(zip(JOINTS, from_the_right.tolist(), strict=False))
    assert names["right_shoulder"] > names["left_shoulder"] + 0.2
    assert names["right_ear"] > names["left_ear"] + 0.2
    joints = estimated(centre_px=-5000.0)
    assert (joints[..., 0] < 0).all() and (joints[..., 2] < 0.35).all()
    assert ((joints[..., 2] > 0) & (joints[..., 2] < 1)).all()


def test_errors_of_the_joints_are_those_of_a_network() -> None:
    found = np.stack([estimated(seed=seed) for seed in range(12)])[..., :2]
    take = draw_takes(TINY, 1)[0]
    camera = place_camera(90, 320, 240, np.random.default_rng(0))
    pixels, depth = camera.project(take.skeleton.joints[:, :17])
    tall_px = (camera.focal_px * take.height_m / depth.mean(axis=1))[:, None, None]
    error = (found - pixels) / tall_px
    assert 0.010 < error.std() < 0.020
    # What stays after the mean over a clip, and would otherwise tell the bones' true lengths.
    assert 0.005 < error.mean(axis=1).std() < 0.010


def estimated(seed: int = 0, centre_px: float = 159.5) -> NDArray[np.float32]:
    take = draw_takes(TINY, 1)[0]
    camera = place_camera(90, 320, 240, np.random.default_rng(0))
    camera = replace(camera, centre_px=np.array([centre_px, 119.5]))
    rng = np.random.default_rng(seed)
    return estimate_pose(camera, take.skeleton, take.figure, take.height_m, 320, 240, rng)
