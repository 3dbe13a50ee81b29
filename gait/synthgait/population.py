"""Renders a population: the loop over subjects, walks and views, and the files."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.config.dataset import Population
from gait.errors import DataError
from gait.files import write_if_changed
from gait.prepare.modalities.video_poses import save_pose
from gait.prepare.raw.files import POSES
from gait.prepare.silhouettes.masks import save_masks
from gait.processes import follow_parent
from gait.synthgait.avi import write_avi
from gait.synthgait.estimate import estimate_pose
from gait.synthgait.people import CONDITIONS, Purpose, Take, draw_takes, generator
from gait.synthgait.render import (
    draw_sensor,
    make_noise,
    render_background,
    render_walk,
)
from gait.synthgait.scene import Image, Scene, draw_scene

_BACKGROUND_S = 0.8
# In the place of a walk in the key of a background clip's generator.
_NO_WALK = (len(CONDITIONS), 0)


def synthesize(
    raw: Path, population: Population, *, processes: int = 1, truth: Path | None = None
) -> None:
    """Render a population as raw videos named as those of CASIA-B.

    Writes `<raw>/<subject>-<condition>-<number>-<view>.avi` with the walker's joints beside it,
    estimated with errors (`.pose.npz`, see `gait.prepare.modalities.video_poses`), a clip of the
    empty scene `<raw>/<subject>-bkgrd-<view>.avi` for each subject and view, and last
    `<raw>/population.csv` with each file and its size. The bytes depend on `population` alone. A
    file that comes out as it was keeps its modification time.

    Args:
        raw: folder of the videos and poses.
        population: who walks how often, and how it is filmed.
        processes: number of processes that render.
        truth: folder for the masks of the walkers as drawn, without shadows:
            `<truth>/<subject>/<condition>-<number>/<view>.npz`;
            `gait.prepare.silhouettes.masks` reads them.

    Raises:
        DataError: `raw` holds other videos or poses, or a file cannot be written.
    """
    subjects = range(1, population.subjects + 1)
    _check_folder(raw, {name for subject in subjects for name in _names(population, subject)})
    sizes: dict[str, int] = {}
    processes = min(processes, population.subjects)
    if processes <= 1:
        for subject in subjects:
            sizes |= _render_subject(raw, population, subject, truth)
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, context, _prepare_worker) as pool:
            jobs = [
                pool.submit(_render_subject, raw, population, subject, truth)
                for subject in subjects
            ]
            try:
                for job in as_completed(jobs):
                    sizes |= job.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    lines = [f"{name},{size}\n" for name, size in sorted(sizes.items())]
    write_if_changed(raw / "population.csv", "file,size_bytes\n" + "".join(lines))


def _prepare_worker() -> None:
    """Leave Ctrl-C to the parent, and go when it goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    follow_parent()


def _file_name(subject: int, condition: str, view_deg: int) -> str:
    return f"{subject:03d}-{condition}-{view_deg:03d}.avi"


def _pose_name(video: str) -> str:
    return video.removesuffix(".avi") + POSES


def _names(population: Population, subject: int) -> Iterator[str]:
    """The names of all videos of a subject, and of the poses beside them."""
    for view_deg in population.views_deg:
        yield _file_name(subject, "bkgrd", view_deg)
        for condition, count in population.sequences.items():
            for number in range(1, count + 1):
                name = _file_name(subject, f"{condition}-{number:02d}", view_deg)
                yield name
                yield _pose_name(name)


def _check_folder(raw: Path, names: set[str]) -> None:
    """Clear away what a killed run left half-written; refuse files of another population."""
    for partial in raw.glob(".*.partial.*"):
        partial.unlink()
    others = sorted(
        path.name
        for suffix in (".avi", POSES)
        for path in raw.glob(f"[!.]*{suffix}")
        if path.name not in names
    )
    if others:
        raise DataError(
            f"{raw}: expected files of this population only, found {len(others)} others such as "
            f"{others[0]}; remove them or change 'population' in the dataset's dataset.yaml"
        )


def _render_subject(
    raw: Path, population: Population, subject: int, truth: Path | None
) -> dict[str, int]:
    """Render all clips of a subject; gives the size of each file by its name."""
    takes = draw_takes(population, subject)
    noise = make_noise(
        population.width_px, population.height_px, generator(population, Purpose.NOISE)
    )
    sizes: dict[str, int] = {}
    with _single_thread():
        for view_deg in population.views_deg:
            scene = draw_scene(
                view_deg,
                population.width_px,
                population.height_px,
                generator(population, Purpose.ROOM, view_deg),
                generator(population, Purpose.VISIT, subject, view_deg),
            )
            name = _file_name(subject, "bkgrd", view_deg)
            sizes[name] = _film(raw / name, population, subject, view_deg, scene, noise)
            for take in takes:
                name = _file_name(subject, take.condition, view_deg)
                masks = None
                if truth is not None:
                    masks = truth / f"{subject:03d}" / take.condition / f"{view_deg:03d}.npz"
                sizes[name] = _film(
                    raw / name, population, subject, view_deg, scene, noise, take, masks
                )
                pose = _pose(population, subject, view_deg, scene, take)
                sizes[_pose_name(name)] = save_pose(raw / _pose_name(name), pose)
    return sizes


def _film(
    path: Path,
    population: Population,
    subject: int,
    view_deg: int,
    scene: Scene,
    noise: Image,
    take: Take | None = None,
    truth: Path | None = None,
) -> int:
    """Render one clip, of a walk or of the empty scene; gives the size of its file."""
    key = _NO_WALK if take is None else take.key
    rng = generator(population, Purpose.CLIP, subject, *key, view_deg)
    count = round(_BACKGROUND_S * population.fps) if take is None else len(take.figure.centres)
    sensor = draw_sensor(noise, max(count, 2), population.fps, rng)
    masks = None if truth is None else np.zeros((count, *scene.background.shape[:2]), np.uint8)
    frames = (
        render_background(scene, sensor)
        if take is None
        else render_walk(scene, take.figure, take.outfit, sensor, masks)
    )
    size = write_avi(path, frames, population.width_px, population.height_px, population.fps)
    if truth is not None and masks is not None:
        save_masks(truth, masks, np.arange(count, dtype=np.int32), fingerprint="")
    return size


def _pose(
    population: Population, subject: int, view_deg: int, scene: Scene, take: Take
) -> NDArray[np.float32]:
    """The joints in each frame of a clip of a walk."""
    return estimate_pose(
        scene.camera,
        take.skeleton,
        take.figure,
        take.height_m,
        population.width_px,
        population.height_px,
        generator(population, Purpose.POSE, subject, *take.key, view_deg),
    )


@contextmanager
def _single_thread() -> Iterator[None]:
    """Keeps OpenCV from spreading over cores that other processes render on."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
