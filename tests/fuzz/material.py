"""Good files that several targets begin with; all of them small, and the same each time."""

from __future__ import annotations

import io
import pickle
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.fuzz.arrays import npy_of
from tests.fuzz.pickles import in_protocols
from tests.fuzz.tars import tar_of
from tests.fuzz.zips import zip_of

SUBJECTS = ("001", "002")
CONDITIONS = ("nm-01", "nm-02")
KEYS = tuple(f"{subject}/{condition}/000" for subject in SUBJECTS for condition in CONDITIONS)
FRAMES = 3
SIDE = 64
PASSWORD = "only for researchers"


def figure(step: int = 0, height: int = SIDE, width: int = 44) -> NDArray[np.uint8]:
    """A silhouette: a body and a leg that moves."""
    frame = np.zeros((height, width), np.uint8)
    middle = (width // 2, height // 2)
    cv2.ellipse(frame, middle, (width // 6, height // 2 - 4), 0, 0, 360, 255, -1)
    cv2.line(frame, middle, (width // 2 + 3 * (step % 4), height - 5), 255, 3)
    return frame


def silhouettes(frames: int = FRAMES) -> NDArray[np.uint8]:
    """Aligned silhouettes [frames, 64, 44]."""
    return np.stack([figure(step) for step in range(frames)])


def image(suffix: str, frame: NDArray[np.uint8] | None = None, *flags: int) -> bytes:
    """The bytes of an image file."""
    return bytes(cv2.imencode(suffix, figure() if frame is None else frame, list(flags))[1])


def images() -> list[bytes]:
    """Silhouettes and coloured images in each format."""
    colour = cv2.applyColorMap(figure(), cv2.COLORMAP_JET)
    deep = figure().astype(np.uint16) * 257
    suffixes = (".png", ".jpg", ".bmp", ".tiff")
    plain = [image(suffix) for suffix in suffixes]
    coloured = [image(suffix, colour) for suffix in suffixes]
    one_bit = image(".png", figure(), cv2.IMWRITE_PNG_BILEVEL, 1)
    return [*plain, *coloured, one_bit, image(".png", deep)]  # type: ignore[arg-type]


@cache
def video(suffix: str, code: str, frames: int = 8) -> bytes:
    """The bytes of a video of somebody who walks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"video{suffix}"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 25.0, (96, 72))
        for step in range(frames):
            scene = np.full((72, 96, 3), 120, np.uint8)
            cv2.ellipse(scene, (20 + 5 * step, 36), (7, 28), 0, 0, 360, (40, 60, 200), -1)
            writer.write(scene)
        writer.release()
        return path.read_bytes()


def arrays_of(modality: str) -> Any:
    """What a pkl of some modality holds."""
    made: dict[str, Callable[[], Any]] = {
        "silhouettes": silhouettes,
        "masks": silhouettes,
        "parsing": lambda: silhouettes() // 51,
        "pose": lambda: np.ones((FRAMES, 17, 3)),
        "rgb": lambda: np.ones((FRAMES, 3, 8, 8), np.uint8),
        "ratio": lambda: np.ones(FRAMES, np.float32),
        "smpl": lambda: np.ones((FRAMES, 85), np.float32),
        "points": lambda: [np.ones((4 + step, 3), np.float32) for step in range(FRAMES)],
        "latent": lambda: np.ones((FRAMES, 4, 8, 4), np.float16),
    }
    return made[modality]()


def pickles_of(modality: str) -> list[bytes]:
    """Pickles of a modality in each protocol, and in lists where JSON would have them so."""
    content = arrays_of(modality)
    made = in_protocols(content)
    if modality == "pose":
        made += in_protocols(content.tolist())
    if modality == "points":
        objects = np.empty(len(content), object)
        objects[:] = content
        made += in_protocols(objects) + in_protocols(np.stack([each[:4] for each in content]))
    return made


def body_model() -> bytes:
    """The parameters of a body, as Gait3D has them."""
    sizes = {"cam": 3, "poses": 72, "betas": 10}
    person = {part: np.ones(size, np.float32) for part, size in sizes.items()}
    people = np.empty((), object)
    people[()] = {0: person}
    return zip_of({"results.npy": npy_of(people)})


def folder_files(suffix: str = ".png") -> dict[str, bytes]:
    """Images of some sequences, `<subject>/<condition>/<view>/<frame>`."""
    return {
        f"{key}/{step:03d}{suffix}": image(suffix, figure(step))
        for key in KEYS[:2]
        for step in range(2)
    }


def inner_archives() -> dict[str, bytes]:
    """Archives of each kind, to be put into another one."""
    files = folder_files()
    return {
        "a/001.tar": tar_of(files),
        "a/002.zip": zip_of(files),
        "a/b/003.zip": zip_of({"c/004.zip": zip_of(files)}),
        "a/readme.txt": b"read me",
    }


def cloud(form: str) -> bytes:
    """A point cloud, 'ascii' or 'binary'."""
    points = np.arange(15, dtype="<f4").reshape(5, 3) / 10
    head = (
        "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\n"
        f"WIDTH 5\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 5\nDATA {form}\n"
    ).encode()
    if form == "binary":
        return head + points.tobytes()
    return head + "\n".join(" ".join(map(str, row)) for row in points.tolist()).encode()


def joints_text() -> bytes:
    """A file of joints as Gait3D and GREW have it."""
    return ",".join(["64", "88", *["10.5", "20.25", "0.9"] * 17]).encode()


def joints_json(people: int = 2) -> bytes:
    """A file of joints as OpenPose writes it."""
    person = '{"pose_keypoints_2d": [' + ", ".join(["10.5, 20.25, 0.9"] * 18) + "]}"
    return ('{"version": 1.0, "people": [' + ", ".join([person] * people) + "]}").encode()


@cache
def network() -> bytes:
    """A network that takes what is red for a person."""
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.asarray([[[[0.1]], [[0.0]], [[-0.1]]]], np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "kernel"], ["scores"]),
            helper.make_node("Sigmoid", ["scores"], ["shares"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 12])],
        [helper.make_tensor_value_info("shares", TensorProto.FLOAT, ["n", 1, 8, 12])],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def torch_files(content: object) -> list[bytes]:
    """What torch saves, in the form of today and of before."""
    import torch

    saved = []
    for is_zip in (True, False):
        out = io.BytesIO()
        torch.save(content, out, _use_new_zipfile_serialization=is_zip)
        saved.append(out.getvalue())
    return saved


def lay_pickles(root: Path) -> None:
    """A pkl tree of `KEYS`, silhouettes and poses."""
    for key in KEYS:
        folder = root / "pkl" / key
        folder.mkdir(parents=True)
        (folder / "000.pkl").write_bytes(pickle.dumps(silhouettes(), 3))
        (folder / "000-pose.pkl").write_bytes(pickle.dumps(arrays_of("pose"), 3))


def lay_images(root: Path) -> None:
    """A raw tree of images of `KEYS`."""
    for key in KEYS:
        folder = root / "raw" / key
        folder.mkdir(parents=True)
        for step in range(FRAMES):
            (folder / f"{step:03d}.png").write_bytes(image(".png", figure(step)))


_SHORT = """\
title: a toy
licence: mine
obtain: ask the toy maker
layouts: [casia_b_videos, casia_b_silhouettes]
files: {pose_text: 'poses/{subject}/{condition}/{view}/*.txt'}
partition: {train: ['001-002'], test: ['003-009']}
protocols: {}
"""
DATASET = """\
title: a toy
licence: mine
obtain: ask the toy maker
layouts: [casia_b_videos, casia_b_silhouettes]
files:
  pose_text: poses/{subject}/{condition}/{view}/*.txt
expected:
  subjects: 2
  sequences: 4
  views: '000'
  conditions: {'nm-*': 4}
partition:
  train: ['001-002']
  test: ['003-009']
pretreat: {size_px: 64, kind: normalise}
categories:
  first: {condition: [nm-01]}
  second: {condition: [nm-02]}
protocols:
  single:
    title: rank-1
    gallery: {condition: [nm-01]}
    probes: {NM: {condition: [nm-02]}}
    cells: view_pair
    exclude: none
  pairs: {kind: verification, title: pairs, of: single}
  told: {kind: classification, title: which walk}
published:
  - {model: GaitSet, protocol: single, rank1_pct: {NM: 95.8}, table: others,
     source: somebody, experiment: tiny, map_pct: {NM: 90}, note: by hand}
"""


def lay_dataset(root: Path) -> None:
    """The definition of a dataset named Toy."""
    folder = root / "datasets" / "Toy"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.yaml").write_text(_SHORT)
