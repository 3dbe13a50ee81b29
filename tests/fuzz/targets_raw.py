"""Readers of what others give: pickles, images, videos, archives, poses and clouds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import numpy as np

from gait.formats.pkl import read_pkl, read_unnamed
from gait.prepare.check.headers import image_header, video_header
from gait.prepare.modalities.decoders import read_tracks
from gait.prepare.modalities.point_cloud import read_point_cloud
from gait.prepare.modalities.smpl import read_smpl
from gait.prepare.raw.archives import contents_of, read_archive
from gait.prepare.raw.frames import frames_of_files
from gait.prepare.silhouettes.align import align
from gait.prepare.silhouettes.video import read_video
from tests.fuzz import material
from tests.fuzz.arrays import mutate_npy
from tests.fuzz.ciphers import aes_zip_of, crypto_zip_of
from tests.fuzz.images import mutate_image, mutate_video, playlist_mutator
from tests.fuzz.mutators import Mutate, mutate_bytes, mutate_text
from tests.fuzz.pickles import mutate_pickle
from tests.fuzz.sevens import mutate_seven, seven_of
from tests.fuzz.target import NOTED, Target
from tests.fuzz.tars import mutate_compressed, mutate_tar, tar_of
from tests.fuzz.trees import mutate_json
from tests.fuzz.zips import zip_mutator, zip_of

# One image of today's formats takes a tenth of that.
_IMAGE_BYTES = 600_000_000
_PATTERNS = ("*.png", "*.txt")


def _pickle(modality: str, share: float) -> Target:
    return Target(
        f"pkl-{modality}",
        ("formats.pkl", "formats.pickles.arrays"),
        partial(material.pickles_of, modality),
        mutate_pickle,
        lambda path: read_pkl(path, modality),
        share=share,
    )


def _body_member(random: Random, data: bytes) -> bytes:
    """A member of a body model: an array file with a pickle behind its header."""
    start = data.find(b"\n") + 1
    if random.random() < 0.7 and data.startswith(b"\x93NUMPY"):
        return data[:start] + mutate_pickle(random, data[start:])
    return mutate_npy(random, data)


def _images(path: Path) -> object:
    problem = image_header(path).problem
    frames = list(frames_of_files([path, path], str))
    good = [each.image for each in frames if each.image is not None]
    aligned = align(good, 64)
    return NOTED if problem or len(aligned.frames) < len(frames) else None


def _archive(path: Path) -> object:
    contents = contents_of(path, _PATTERNS)
    wanted = dict.fromkeys([*contents.folders, "001/nm-01/000"], lambda name: True)
    problems = [problem for member in read_archive(path, wanted) if (problem := member.read()[1])]
    return NOTED if contents.problems or contents.ignored or problems else None


def _lay_password(folder: Path) -> None:
    (folder / "password.txt").write_text(material.PASSWORD)


def _an_archive(
    name: str,
    suffix: str,
    seeds: Callable[[], list[bytes]],
    mutate: Mutate,
    module: str,
    share: float = 1.0,
    has_password: bool = False,
) -> Target:
    covers = (
        "prepare.raw.archives",
        f"prepare.raw.archives.{module}",
        "prepare.raw.archives.walk",
    )
    if module == "sevens":
        covers += ("prepare.raw.archives.seven_file",)
    return Target(
        name,
        (*covers, "prepare.raw.archives.passwords") if has_password else covers,
        seeds,
        mutate,
        _archive,
        file=f"a{suffix}",
        lay=_lay_password if has_password else None,
        share=share,
    )


def _password(path: Path) -> object:
    return _archive(path.with_name("a.zip"))


def _lay_encrypted(folder: Path) -> None:
    files = {"001/nm-01/000/0.png": b"x"}
    (folder / "a.zip").write_bytes(crypto_zip_of(files, material.PASSWORD))


def _compressed() -> list[bytes]:
    import bz2
    import gzip
    import lzma

    data = tar_of(material.folder_files())
    return [gzip.compress(data, mtime=0), lzma.compress(data), bz2.compress(data)]


def _nested(random: Random, data: bytes) -> bytes:
    """What an archive in an archive may be spoilt to."""
    if data.startswith(b"PK"):
        return zip_mutator(_nested)(random, data)
    return mutate_tar(random, data) if len(data) > 1024 else mutate_bytes(random, data)


def _tracks(kind: str, name: str) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        data = path.read_bytes()
        silhouettes = {f"{step:04d}": material.figure(step) for step in range(3)}
        tracks = read_tracks({kind: [(name, data)]}, 64, silhouettes)
        return NOTED if any(each.problems for each in tracks.values()) else None

    return read


def _track(
    kind: str, name: str, seeds: Callable[[], list[bytes]], mutate: Mutate, share: float = 1.0
) -> Target:
    return Target(
        f"track-{kind}",
        ("prepare.modalities.decoders", "prepare.modalities.pose_files"),
        seeds,
        mutate,
        _tracks(kind, name),
        file=name,
        share=share,
        most_bytes=_IMAGE_BYTES,
    )


def _video(path: Path) -> object:
    video_header(path)
    for frame in read_video(path):
        assert frame.dtype == np.uint8
    return None


def _playlist(path: Path) -> None:
    """Reads a text that is no video, beside a video that it names."""
    frames = sum(1 for _ in read_video(path))
    if frames:
        raise AssertionError(f"{frames} frames of another file than the one that was named")


def _lay_video(folder: Path) -> None:
    (folder / "s.avi").write_bytes(material.video(".avi", "MJPG"))


_PICKLES = [
    Target(
        "pkl-unnamed",
        ("formats.pkl", "formats.pickles.arrays"),
        lambda: material.pickles_of("pose") + material.pickles_of("silhouettes"),
        mutate_pickle,
        lambda path: read_unnamed(path, "silhouettes", alone=False),
        share=3,
    ),
    _pickle("silhouettes", 6),
    _pickle("points", 4),
    _pickle("pose", 3),
    _pickle("rgb", 1),
    _pickle("ratio", 1),
    Target(
        "smpl",
        ("prepare.modalities.smpl", "formats.pickles.arrays"),
        lambda: [material.body_model()],
        zip_mutator(_body_member),
        lambda path: read_smpl(path.read_bytes(), path.name),
        share=3,
    ),
]

_ARCHIVES = [
    _an_archive(
        "zip",
        ".zip",
        lambda: [zip_of(material.folder_files())],
        zip_mutator(mutate_bytes),
        "zips",
        3,
    ),
    _an_archive(
        "zip-nested",
        ".zip",
        lambda: [zip_of(material.inner_archives())],
        zip_mutator(_nested),
        "zips",
        3,
    ),
    _an_archive(
        "zip-crypto",
        ".zip",
        lambda: [crypto_zip_of(material.folder_files(), material.PASSWORD)],
        zip_mutator(mutate_bytes),
        "zips",
        has_password=True,
    ),
    _an_archive(
        "zip-aes",
        ".zip",
        lambda: [aes_zip_of(material.folder_files(), material.PASSWORD)],
        zip_mutator(mutate_bytes),
        "zips",
        2,
        has_password=True,
    ),
    _an_archive("tar", ".tar", lambda: [tar_of(material.folder_files())], mutate_tar, "tars", 5),
    _an_archive("tar-compressed", ".tar.gz", _compressed, mutate_compressed, "tars", 3),
    _an_archive(
        "7z",
        ".7z",
        lambda: [
            seven_of(material.folder_files()),
            seven_of(material.folder_files(), is_plain=False),
        ],
        mutate_seven,
        "sevens",
        2,
    ),
    _an_archive(
        "7z-aes",
        ".7z",
        lambda: [seven_of(material.folder_files(), material.PASSWORD)],
        mutate_seven,
        "sevens",
        0.3,
        has_password=True,
    ),
    Target(
        "password",
        ("prepare.raw.archives.passwords",),
        lambda: [material.PASSWORD.encode()],
        mutate_text,
        _password,
        file="a.zip.password",
        lay=_lay_encrypted,
        share=0.5,
    ),
]

_PICTURES = [
    Target(
        "image",
        ("prepare.raw.images", "prepare.raw.frames", "prepare.check.headers"),
        material.images,
        mutate_image,
        _images,
        file="000.png",
        share=6,
        most_bytes=_IMAGE_BYTES,
    ),
    Target(
        "video-avi",
        ("prepare.silhouettes.video", "prepare.silhouettes.containers", "prepare.check.headers"),
        lambda: [material.video(".avi", "MJPG"), material.video(".avi", "XVID")],
        mutate_video,
        _video,
        file="v.avi",
        share=1.5,
    ),
    Target(
        "video-mp4",
        ("prepare.silhouettes.video", "prepare.silhouettes.containers"),
        lambda: [material.video(".mp4", "mp4v"), material.video(".mkv", "mp4v")],
        mutate_video,
        _video,
        file="v.mp4",
        share=1.5,
    ),
    Target(
        "video-playlist",
        ("prepare.silhouettes.video",),
        lambda: [material.image(".png")],
        playlist_mutator(("s.avi", "./s.avi", "../case/s.avi")),
        _playlist,
        file="v.avi",
        lay=_lay_video,
        share=0.5,
        is_readable=False,
    ),
]

_TRACKS = [
    _track("parsing", "0001.png", material.images, mutate_image),
    _track("masks_stretch", "0001.png", material.images, mutate_image),
    _track("rgb_stretch", "0001.png", material.images, mutate_image, 0.5),
    _track("rgb_trim", "0001.png", material.images, mutate_image, 0.5),
    _track("rgb_letterbox", "0001.jpg", material.images, mutate_image, 0.5),
    _track("pose_text", "0001.txt", lambda: [material.joints_text()], mutate_text, 2),
    _track(
        "pose_json",
        "0001.json",
        lambda: [material.joints_json(), material.joints_json(1)],
        mutate_json,
        3,
    ),
    _track("smpl", "0001.npz", lambda: [material.body_model()], zip_mutator(_body_member), 0.5),
    *(
        _track(
            kind,
            "0001.pcd",
            lambda: [material.cloud("ascii"), material.cloud("binary")],
            mutate_text,
        )
        for kind in ("points", "depth", "depth_by_time")
    ),
    _track("pkl_pose", "000.pkl", partial(material.pickles_of, "pose"), mutate_pickle),
    _track("video_trim", "v.avi", lambda: [material.video(".avi", "MJPG")], mutate_video, 0.3),
]

_CLOUDS = [
    Target(
        "point-cloud",
        ("prepare.modalities.point_cloud",),
        lambda: [material.cloud("ascii"), material.cloud("binary")],
        mutate_text,
        lambda path: read_point_cloud(path.read_bytes(), path.name),
        share=3,
    ),
]

TARGETS = [*_PICKLES, *_ARCHIVES, *_PICTURES, *_TRACKS, *_CLOUDS]
