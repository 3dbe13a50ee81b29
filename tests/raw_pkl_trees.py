"""Miniature datasets whose owners give out pkl files: the same names, the same forms of arrays."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.raw_trees import SUSTECH1K, Tree, figure


def pickled(content: object) -> bytes:
    """The bytes of a pkl file."""
    return pickle.dumps(content)


def silhouettes(who: int, frames: int, size: tuple[int, int] = (64, 64)) -> NDArray[np.uint8]:
    """Aligned silhouettes [frames, h, w]."""
    return np.stack([figure(who, step, *size) for step in range(frames)])


def poses(who: int, frames: int) -> NDArray[np.float64]:
    """Joints [frames, 17, 3] of somebody upright, who differs by the width of the shoulders."""
    rows = np.linspace(5.0, 60.0, 17)
    columns = 30.0 + (10 + who) * np.cos(np.arange(17) + np.arange(frames)[:, None])
    return np.stack([columns, np.broadcast_to(rows, columns.shape), np.ones(columns.shape)], -1)


def colours_last(who: int, frames: int, size: int = 64) -> NDArray[np.uint8]:
    """Colour frames [frames, size, size, 3]."""
    body = silhouettes(who, frames, (size, size))
    return np.stack([body, body // 2, body // 4 + who], axis=-1)


def colours_first(who: int, frames: int, size: int = 128) -> NDArray[np.uint8]:
    """Colour frames [frames, 3, size, size]."""
    return np.ascontiguousarray(colours_last(who, frames, size).transpose(0, 3, 1, 2))


def sizes(who: int, frames: int) -> NDArray[np.int64]:
    """Height and width of a person's box in each frame, [frames, 2]."""
    return np.stack([np.full(frames, 200), 80 + who + np.arange(frames)], axis=1)


def casia_b_star(subjects: Iterable[int] = (1, 75, 76), frames: int = 6) -> Tree:
    """`<subject>/<condition>/<view>/` with four files."""
    tree: Tree = {}
    for who in subjects:
        for condition in ("nm-01", "nm-05", "bg-01", "cl-01"):
            for view in ("000", "090"):
                stem = f"{who:03d}/{condition}/{view}/{view}"
                person = who % 70
                tree[f"{stem}-aligned-sils.pkl"] = pickled(silhouettes(person, frames, (64, 44)))
                tree[f"{stem}-ratios.pkl"] = pickled(np.linspace(0.3, 0.6, frames))
                tree[f"{stem}-rgbs.pkl"] = pickled(colours_first(person, frames))
                tree[f"{stem}-sils.pkl"] = pickled(silhouettes(person, frames, (128, 128)))
    return tree


def sustech1k_pkl(frames: int = 9) -> Tree:
    """Sixteen files a sequence: the LiDAR has a third of the camera's frames."""
    tree: Tree = {}
    for person in (0, 1, 3, 1057):
        who = person % 10
        few = frames // 3
        for sequence in SUSTECH1K:
            view = sequence.rpartition("/")[2]
            generator = np.random.default_rng(who)
            clouds = [generator.normal(size=(40 + step, 3)) for step in range(few)]
            for number, number_of, sync in ((0, frames, ""), (8, few, "sync-")):
                depths = np.repeat(silhouettes(who, few)[:, None], 3, axis=1)
                files = (
                    ("LiDAR-PCDs", clouds),
                    ("LiDAR-PCDs_depths", depths),
                    ("LiDAR-PCDs_sils", silhouettes(who, few)),
                    ("Camera-Pose", poses(who, number_of)),
                    ("Camera-Ratios-HW", sizes(who, number_of)),
                    ("Camera-RGB_raw", colours_last(who, number_of)),
                    ("Camera-Sils_aligned", silhouettes(who, number_of)),
                    ("Camera-Sils_raw", silhouettes(who, number_of)),
                )
                for index, (name, content) in enumerate(files, number):
                    path = f"{person:04d}/{sequence}/{index:02d}-{sync}{view}-{name}.pkl"
                    tree[path] = pickled(content)
    return tree


def gaitlu_1m(frames: int = 6) -> Tree:
    """One file of silhouettes a sequence, named for all three of its folders."""
    return {
        f"silhouette_cut_pkl/{a:03d}/{b:03d}/{c:03d}/{a:03d}_{b:03d}_{c:03d}.pkl": pickled(
            silhouettes(a + b + c, frames)
        )
        for a in (0, 99)
        for b in (0, 7)
        for c in (0, 1)
    }


def ccgr(frames: int = 6) -> Tree:
    """`<subject>/<covariate>/<view>/` with body parts, poses and silhouettes."""
    tree: Tree = {}
    for who in (1, 164):
        for view in ("over", "67_5_2"):
            folder = f"{who}/BGCL1/{view}"
            tree[f"{folder}/{view}-par.pkl"] = pickled(silhouettes(who % 9, frames) // 51)
            tree[f"{folder}/{view}-pose.pkl"] = pickled(poses(who % 9, frames))
            tree[f"{folder}/{view}-sil.pkl"] = pickled(silhouettes(who % 9, frames))
    return tree


# Sequences of CCGR-MINI: two that train, the gallery of two test subjects, and a probe of each.
CCGR_MINI = (
    *("1/AS1/over.avi", "164/AS1/over.avi"),
    *("601/BGCRCLSU1/45_1.avi", "602/BGCRCLCV1/90_4.avi"),
    *("601/AS1/over.avi", "602/ASBGCLBXCV1/67_5_2.avi"),
)


def ccgr_mini(sequences: Iterable[str] = CCGR_MINI, frames: int = 6) -> Tree:
    """Trees side by side: pkl files, and a video in each folder of `rgb`."""
    tree: Tree = {}
    for key in sequences:
        subject, _, view = key.split("/")
        who = int(subject) % 7
        stem = f"{key}/{view.removesuffix('.avi')}"
        tree[f"silhouettes/{stem}.pkl"] = pickled(silhouettes(who, frames))
        tree[f"parsing/{stem}.pkl"] = pickled(silhouettes(who, frames) // 51)
        tree[f"pose/{stem}.pkl"] = pickled(poses(who, frames))
        tree[f"rgb/{stem}.avi"] = video(colours_last(who, frames, 96))
    return tree


def ccgr_mini_merged(sequences: Iterable[str] = CCGR_MINI, frames: int = 6) -> Tree:
    """The same as one tree of five files a sequence, as OpenGait's script merges it."""
    tree: Tree = {}
    for key in sequences:
        who = int(key.split("/")[0]) % 7
        for number, (name, content) in enumerate(
            (
                ("ratios_HW", sizes(who, frames)),
                ("rgb_f", colours_first(who, frames)),
                ("sil", silhouettes(who, frames)),
                ("par", silhouettes(who, frames) // 51),
                ("pose", poses(who, frames)),
            )
        ):
            tree[f"{key}/{number:03d}-{name}.pkl"] = pickled(content)
    return tree


def freegait(
    sequences: Iterable[str] = ("0001/devid0/seq_00", "0002/devid_1/seq_01_new"), frames: int = 6
) -> Tree:
    """A folder a modality, with the file of that name."""
    tree: Tree = {}
    for key in sequences:
        who = int(key[:4])
        generator = np.random.default_rng(who)
        clouds = [generator.normal(size=(32 + step, 3)) for step in range(frames)]
        for name, content in (
            ("image", colours_last(who % 9, frames, 32)),
            ("kp3d", np.ones((frames, 24, 3))),
            ("lidar", clouds),
            ("range_pkl", np.ones((frames, 64, 64), np.float32)),
            ("smpl", np.ones((frames, 72))),
        ):
            tree[f"{key}/{name}/{name}.pkl"] = pickled(content)
    return tree


def scoliosis1k_pkl(
    subjects: Iterable[tuple[int, str]] = ((0, "Positive"), (1, "neutral"), (2, "Negative")),
    frames: int = 6,
) -> Tree:
    """Silhouettes and poses, each in the tree that its archive is named for."""
    tree: Tree = {}
    for who, condition in subjects:
        for name, content in (
            ("sil", silhouettes(who % 9, frames)),
            ("pose", poses(who % 9, frames)),
        ):
            path = f"Scoliosis1K-{name}-pkl/{who:05d}/{condition}/000_180/000_180.pkl"
            tree[path] = pickled(content)
    return tree


def video(frames: NDArray[np.uint8], suffix: str = ".avi") -> bytes:
    """The bytes of a video of frames [frames, h, w, 3]."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"video{suffix}"
        size = (frames.shape[2], frames.shape[1])
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, size)
        for frame in frames:
            writer.write(frame)
        writer.release()
        return path.read_bytes()
