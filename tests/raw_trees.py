"""Miniature datasets as their owners give them out, under the same names.

A tree is what everything unpacked would be, by path. What is no silhouette is in it as well, as
far as the owners put it there.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Tree = dict[str, bytes]
Joints = NDArray[np.float64]


def figure(who: int, step: int, height: int = 88, width: int = 64) -> NDArray[np.uint8]:
    """A silhouette: a body as wide as the person is, and a leg that moves."""
    frame = np.zeros((height, width), np.uint8)
    middle = (width // 2, height // 2)
    cv2.ellipse(frame, middle, (width // 8 + who, height // 2 - 4), 0, 0, 360, 255, -1)
    leg = (width // 2 + 3 * (step % 4), height - 5)
    cv2.line(frame, middle, leg, 255, 3 + who % 3)
    return frame


def encoded(frame: NDArray[np.uint8], suffix: str = ".png") -> bytes:
    """The bytes of an image file."""
    return bytes(cv2.imencode(suffix, frame)[1])


def body_model(who: int, step: int) -> bytes:
    """The parameters of a body in a frame, as an npz file."""
    rng = np.random.default_rng([who, step])
    sizes = {"cam": 3, "poses": 72, "betas": 10}
    person = {part: rng.random(size, np.float32) for part, size in sizes.items()}
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, results={0: person})  # type: ignore[arg-type]
    return stream.getvalue()


def joints(who: int, step: int, number: int = 17) -> Joints:
    """Joints [number, 3] on `figure`, none of them twice: x, y, confidence."""
    place = np.arange(number)
    x = 32 + (who % 5 + 2) * np.sin(place + 0.25 * step)
    return np.stack([x, 12 + 3.5 * place, 0.5 + place / 50], axis=1)


def people(*each: Joints) -> bytes:
    """A file of joints as OpenPose writes it."""
    listed = [{"pose_keypoints_2d": person.ravel().tolist()} for person in each]
    return json.dumps({"version": 1.0, "people": listed}).encode()


def pose_text(pose: Joints) -> bytes:
    """A file of joints as Gait3D and GREW have it, the size of the image first."""
    return ",".join(["64", "88", *map(repr, pose.ravel().tolist())]).encode()


# Trees.


def oumvlp(subjects: Iterable[int] = (1, 2, 3, 4), frames: int = 6) -> Tree:
    """`Silhouette_<view>-<sequence>/<subject>/<frame>.png`; one subject lacks a view."""
    return {
        f"Silhouette_{view}-{sequence:02d}/{who:05d}/{step + 3:04d}.png": encoded(
            figure(who, step + sequence)
        )
        for view in ("000", "090")
        for sequence in (0, 1)
        for who in subjects
        if (who, view) != (3, "090")
        for step in range(frames)
    }


# Somebody at the left border, away from the figure.
ANOTHER = np.array([-28.0, 0.0, 0.0])


def oumvlp_pose(subjects: Iterable[int] = (1, 2, 3, 4), frames: int = 6) -> Tree:
    """`<subject>/<view>_<sequence>/<frame>.json` of the walkers of `oumvlp`, 18 joints.

    The files of the first subject have something after their number. Of each sequence, the third
    frame shows somebody else as well, who comes first, in the fourth nobody is found, and the
    fifth file of the second subject is cut short.
    """
    tree: Tree = {}
    for name in oumvlp(subjects, frames):
        sequence, subject, frame = name.split("/")
        view, _, number = sequence.removeprefix("Silhouette_").partition("-")
        who, step = int(subject), int(frame[:4]) - 3
        walker = joints(who, step, 18)
        data = people(walker)
        if step == 2:
            data = people(walker + ANOTHER, walker)
        elif step == 3:
            data = people()
        elif (who, step) == (2, 4):
            data = data[:100]
        ending = "_keypoints.json" if who == 1 else ".json"
        tree[f"{subject}/{view}_{number}/{frame[:4]}{ending}"] = data
    return tree


# Names of GREW's sequences, which say nothing; not in order.
GREW_SEQUENCES = ("zQ3kA9b0", "A1b2C3d4", "m0N1o2P3", "0a1B2c3D", "Hh7Gg6Ff")


def grew(frames: int = 6) -> Tree:
    """GREW with poses and gait energy images beside the silhouettes, of 64 x 64."""
    tree: Tree = {}

    def sequence(folder: str, name: str, who: int) -> None:
        for step in range(frames):
            stem = f"{folder}/{name}/{step + 1:05d}"
            tree[f"{stem}.png"] = encoded(figure(who, step, 64, 64))
            tree[f"{stem}_2d_pose.txt"] = pose_text(joints(who, step))
            tree[f"{stem}_3d_pose.txt"] = b"1,2,3"
        tree[f"{folder}/{name}_gei.png"] = encoded(figure(who, 0, 64, 64))

    for who in (1, 2):
        for name in GREW_SEQUENCES[:2]:
            sequence(f"train/{who:05d}", name, who)
            sequence(f"test/gallery/{who:05d}", name, who + 4)
    for name in GREW_SEQUENCES[2:]:
        sequence("test/probe", name, 5)
    return tree


def casia_e(subjects: Iterable[int] = (1, 202, 600, 1014), frames: int = 7) -> Tree:
    """CASIA-E's folders; the jpg files of some have a size of their own, one sequence is short."""
    tree: Tree = {}
    for who in subjects:
        for scene in ("scene1", "scene2", "scene3_s"):
            for clothes in ("nm", "bg"):
                for view in ("000", "090", "270"):
                    folder = f"forTrain/{who:03d}/H/{scene}/{clothes}/{view}/1"
                    number = 5 if (who, scene, view) == (202, "scene2", "000") else frames
                    for step in range(number):
                        image = figure(who % 10, step, 128 if view == "000" else 64, 64)
                        tree[f"{folder}/{step + 1:04d}.jpg"] = encoded(image, ".jpg")
    return tree


GAIT3D = tuple(
    f"{who:04d}/camid{who}_videoid2/seq{number}" for who in (0, 1, 2, 7) for number in (0, 1)
)


def gait3d(sequences: Iterable[str] = GAIT3D, frames: int = 6) -> Tree:
    """`2D_Silhouettes` with frames named by the number in the video, and other modalities."""
    tree: Tree = {}
    for folder in sequences:
        who = int(folder[:4])
        # From 9997 on, so that the order of names is not that of numbers.
        for step in range(frames):
            stem = f"{folder}/human_crop_f{9997 + step}"
            image = encoded(figure(who, step))
            tree[f"2D_Silhouettes/{stem}.png"] = image
            tree[f"2D_Parsings/{stem}.png"] = image
            tree[f"2D_Poses/{stem}.txt"] = pose_text(joints(who, step))
    return tree


def scoliosis1k(frames: int = 6) -> Tree:
    """`<subject>/<class>/<view>/`, the class written in either way."""
    return {
        f"Scoliosis1K-sil-raw/{who:05d}/{condition}/000_180/{step:05d}.png": encoded(
            figure(who, step)
        )
        for who, condition in enumerate(("Positive", "neutral", "Negative"))
        for step in range(frames)
    }


def scoliosis1k_pose(frames: int = 6) -> Tree:
    """The poses of `scoliosis1k`; one frame shows a second person."""
    return {
        f"Scoliosis1K-pose-raw/{who:05d}/{condition}/000_180/{step:05d}.json": people(
            *([joints(who, step, 18) + ANOTHER] if (who, step) == (1, 2) else []),
            joints(who, step, 18),
        )
        for who, condition in enumerate(("Positive", "neutral", "Negative"))
        for step in range(frames)
    }


def casia_b_pose(frames: int = 6) -> Tree:
    """`<subject>/<condition>/<view>/<view>.pkl` with a list of the frames' names beside it."""
    tree: Tree = {}
    for who in (1, 2, 75, 76):
        for condition in ("nm-01", "nm-05", "bg-01", "cl-01"):
            for view in ("000", "090"):
                folder = f"{who:03d}/{condition}/{view}"
                poses = np.stack([joints(who, step) for step in range(frames)])
                tree[f"{folder}/{view}.pkl"] = pickle.dumps(poses)
                tree[f"{folder}/mapping.txt"] = b"0 001.png"
    return tree


def ccpg(subjects: Iterable[int] = (1, 100), frames: int = 6) -> Tree:
    """Silhouettes and colour frames in one folder, `<subject>/<clothes>/<view>/<stem>.*`."""
    tree: Tree = {}
    for who in subjects:
        for clothes in ("U0_D0", "U0_D0_BG", "U1_D1"):
            for view in ("C1_a", "C2_b_c"):
                for step in range(frames):
                    stem = f"{who:03d}/{clothes}/{view}/{view}_{step:04d}"
                    mask = figure(who % 99, step, 96 + step, 60)
                    colours = np.stack([mask // 2, 255 - mask, mask // 3 + step], axis=-1)
                    tree[f"{stem}.png"] = encoded(mask)
                    tree[f"{stem}.jpg"] = encoded(colours, ".jpg")
    return tree


# The conditions and views of each subject, one with two covariates and one from afar.
SUSTECH1K = ("00-nm/000", "01-bg-nt/090", "01-nm/000-far")
_CLOUD = "VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nPOINTS {}\nDATA ascii\n"


def _moment(time_ms: int, dot: str) -> str:
    return f"{1657112246 + time_ms // 1000}{dot}{time_ms % 1000:03d}"


def sustech1k(frames: int = 9) -> Tree:
    """A folder a modality: 30 camera frames and 10 clouds a second, named by their times.

    Names of the camera's frames lack the dot. Each cloud shows the moment of every third frame,
    but for 10 ms: it is named 50 ms earlier. The second of the clock changes on the way. Clouds
    differ in their number of points.
    """
    tree: Tree = {}
    for who in (0, 1, 3, 1057):
        for sequence in SUSTECH1K:
            folder = f"{who:04d}/{sequence}"
            for step in range(frames):
                name = _moment(950 + step * 1000 // 30, "")
                body = figure(who % 10, step, 120, 80)
                tree[f"{folder}/Sils_aligned/{name}.png"] = encoded(body)
                tree[f"{folder}/Sils_raw/{name}.png"] = encoded(body[10:])
                colours = np.stack([body, body // 2, body // 4], axis=2)
                tree[f"{folder}/RGB_raw/{name}.jpg"] = encoded(colours, ".jpg")
                tree[f"{folder}/Pose/{name}.json"] = b"[]"
            for step in range(0, frames, 3):
                name = _moment(910 + step * 1000 // 30, ".")
                points = range(40 - who % 10 - step)
                lines = [f"-8.0 {0.01 * row} {0.04 * row - 1.2}" for row in points]
                cloud = _CLOUD.format(len(points)) + "\n".join(lines)
                tree[f"{folder}/PCDs/{name}.pcd"] = cloud.encode()
                for other in ("PCDs_depths", "PCDs_sils"):
                    tree[f"{folder}/{other}/{name}.png"] = encoded(figure(who % 10, step))
    return tree


# Sequences of two training subjects, and of two test subjects with a probe and a gallery each.
FREEGAIT = (
    *(f"{who:04d}/devid_1/seq_{number:02d}" for who in (2, 3) for number in (0, 1)),
    *("0001/devid_1/seq_00_new", "0001/devid0/seq_00"),
    *("0007/devid_3/seq_00_new", "0007/devid0/seq_00"),
)


def freegait(frames: int = 6) -> Tree:
    """The pkl tree's clouds, lists of arrays of differing length, by the name that they have here.

    Points lie on an upright bar as high as the person is.
    """
    tree: Tree = {}
    for number, folder in enumerate(FREEGAIT):
        who = int(folder[:4])
        rng = np.random.default_rng(number)
        clouds = []
        for size in rng.integers(20, 90, frames):
            height = np.linspace(0.0, 1.0 + 0.1 * who, size)
            places = rng.uniform(-0.2, 0.2, (2, size))
            clouds.append(np.stack([*places, height], axis=1).astype(np.float32))
        view = folder.rpartition("/")[2]
        tree[f"{folder}/{view}-points.pkl"] = pickle.dumps(clouds)
    return tree


HID_2022 = (
    "train/0000/001",
    "train/0499/002",
    "HID2022_test_gallery/0500/gal1",
    "HID2022_test_probe/00001",
    "HID2022_test_probe/00002",
)
# Whether the phases number their probes alike is not known; here they do.
HID_2025 = (
    "gallery/00000/0001",
    "gallery/00858/0002",
    "probe_phase1/10",
    "probe_phase2/10",
    "probe_phase2/20",
)


def hid(folders: Iterable[str], frames: int = 6) -> Tree:
    """The folders of a year of HID, of 128 x 128."""
    return {
        f"{folder}/{step:03d}.png": encoded(figure(who, step, 128, 128))
        for who, folder in enumerate(folders)
        for step in range(frames)
    }


def lay(raw: Path, tree: Mapping[str, bytes]) -> None:
    """Write a tree as files."""
    for name, data in tree.items():
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_bytes(data)
