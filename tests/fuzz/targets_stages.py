"""Whole stages of the program on tiny trees with one spoilt file in them."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import typer

from gait.cli import app
from gait.config.resolved import Resolved
from gait.engine.embed import embed
from gait.engine.state.checkpoint import fingerprint
from gait.engine.trainer import train
from gait.formats.catalogue import rows_text
from gait.formats.manifest import manifest_text
from tests import engine_fixtures
from tests.fuzz import material
from tests.fuzz.arrays import mutate_npy, mutate_npz, mutate_torch, npy_of
from tests.fuzz.images import mutate_image, mutate_video
from tests.fuzz.mutators import Mutate, mutate_text
from tests.fuzz.pickles import mutate_pickle
from tests.fuzz.seals import seal_store, seal_zip, sealing
from tests.fuzz.target import Target
from tests.fuzz.targets_numbers import mask_files, model_files
from tests.fuzz.targets_tables import catalogue_rows, journal_text, lay_store, manifest_rows
from tests.fuzz.tars import mutate_tar, tar_of
from tests.fuzz.trees import mutate_table
from tests.fuzz.zips import zip_mutator, zip_of

_ROOT = "data/Toy"
_KEY = material.KEYS[0]
_CHECK = ("check", "Toy")
_REARRANGE = ("rearrange", "Toy", "--raw", f"{_ROOT}/raw", "--output", f"{_ROOT}/sequences.csv")
_SHARD = f"{_ROOT}/shards/1-of-1.csv"
_SEGMENT = (
    *("segment", _SHARD, "--root", _ROOT, "--output", f"{_ROOT}/shards/1-of-1.masks.csv"),
    *("--segmenter", "{name: background}"),
)
_PRETREAT = ("pretreat", _SHARD, "--root", _ROOT, "--output", f"{_ROOT}/shards/1-of-1.pkl.csv")
_ADOPT = ("import-pkl", "--root", _ROOT, "--output", f"{_ROOT}/manifest.csv")
_PACK = ("pack", f"{_ROOT}/m.csv", "--root", _ROOT, "--manifest", f"{_ROOT}/manifest.csv")
_QUALITY = (
    *("quality", "Toy", "--root", _ROOT, "--table", "quality.csv", "--output", "quality.html"),
)


def _runs(*commands: tuple[str, ...]) -> Callable[[Path], object]:
    """Runs commands one after the other, as the workflow does: the first error ends them."""

    def read(path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for command in commands:
                try:
                    _program()(list(command), standalone_mode=False)
                except typer.Exit:
                    return

    return read


@cache
def _program() -> Any:
    return typer.main.get_command(app)


def _laid(*lay: Callable[[Path], None]) -> Callable[[Path], None]:
    def lay_all(folder: Path) -> None:
        material.lay_dataset(folder)
        (folder / _ROOT).mkdir(parents=True)
        for each in lay:
            each(folder / _ROOT)

    return lay_all


def _lay_shard(root: Path) -> None:
    material.lay_images(root)
    (root / "shards").mkdir()
    rows = [each for each in catalogue_rows() if each.source in material.KEYS]
    (root / "shards/1-of-1.csv").write_text(rows_text(rows))


def _lay_videos(root: Path) -> None:
    (root / "raw").mkdir()
    for key in material.KEYS:
        name = f"{key.replace('/', '-')}.avi"
        (root / "raw" / name).write_bytes(material.video(".avi", "MJPG"))
    background = material.video(".avi", "MJPG", 3)
    (root / "raw/001-bkgrd-000.avi").write_bytes(background)


def _lay_manifest(root: Path) -> None:
    material.lay_pickles(root)
    (root / "m.csv").write_text(manifest_text(manifest_rows()))


def _lay_masks(root: Path) -> None:
    _lay_videos(root)
    (root / "silhouettes" / _KEY).parent.mkdir(parents=True)
    (root / "shards").mkdir()
    line = f"{_KEY.replace('/', ',')},silhouettes/{_KEY}.npz,5,3,no walker:2,{'f' * 16},"
    head = "subject,condition,view,silhouettes,frames_read,frames_kept,dropped,fingerprint,pose"
    (root / "shards/1-of-1.csv").write_text(f"{head}\n{line}\n")


def _lay_beside(root: Path) -> None:
    material.lay_images(root)
    for key in material.KEYS:
        folder = root / "raw" / "poses" / key
        folder.mkdir(parents=True)
        for step in range(material.FRAMES):
            (folder / f"{step:03d}.txt").write_bytes(material.joints_text())


def _lay_archive(root: Path) -> None:
    (root / "raw").mkdir()
    (root / "raw" / "password.txt").write_text(material.PASSWORD)


def _lay_packed(folder: Path) -> None:
    material.lay_dataset(folder)
    engine_fixtures.write_store(folder / "packed")


def _stage(
    name: str,
    seeds: Callable[[], list[bytes]],
    mutate: Mutate,
    file: str,
    lay: Callable[[Path], None],
    *commands: tuple[str, ...],
    share: float = 0.2,
    covers: tuple[str, ...] = (),
    complete: Callable[[Path], None] | None = None,
) -> Target:
    return Target(
        f"stage-{name}",
        covers,
        seeds,
        mutate,
        _runs(*commands),
        file=file,
        lay=lay,
        complete=complete,
        share=share,
    )


def _folders() -> list[bytes]:
    return [zip_of(material.folder_files()), zip_of(material.inner_archives())]


def _trained() -> list[bytes]:
    """The checkpoint of a run of two iterations."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        engine_fixtures.write_store(root / "packed")
        with redirect_stdout(io.StringIO()):
            train(_short(), root / "packed", root / "result", root / "model.pt")
        (path,) = root.glob("result/checkpoints/*/2.pt")
        return [path.read_bytes()]


@cache
def _fingerprint() -> str:
    with tempfile.TemporaryDirectory() as folder:
        engine_fixtures.write_store(Path(folder))
        return fingerprint(_short(), Path(folder)).all[:12]


@cache
def _short() -> Resolved:
    return engine_fixtures.resolved("GaitSet", iterations=2, logging=_EVERY)


def _embedded(path: Path) -> None:
    embed(engine_fixtures.resolved("GaitSet"), Path("packed"), path, Path("embeddings.npz"))


def _resume(path: Path) -> None:
    train(_longer(), Path("packed"), Path("result"), Path("model.pt"))


@cache
def _longer() -> Resolved:
    return engine_fixtures.resolved("GaitSet", iterations=3, logging=_EVERY)


_EVERY = {"log_every": 1, "checkpoint_every": 1, "keep_checkpoints": 2}
_RAW = f"{_ROOT}/raw"
TARGETS = [
    _stage(
        "check-image",
        material.images,
        mutate_image,
        f"{_RAW}/{_KEY}/000.png",
        _laid(material.lay_images),
        _CHECK,
        share=0.5,
    ),
    _stage(
        "check-zip",
        _folders,
        zip_mutator(mutate_image),
        f"{_RAW}/001.zip",
        _laid(_lay_archive),
        _CHECK,
        _REARRANGE,
        share=0.5,
    ),
    _stage(
        "check-tar",
        lambda: [tar_of(material.folder_files())],
        mutate_tar,
        f"{_RAW}/001.tar",
        _laid(_lay_archive),
        _CHECK,
        _REARRANGE,
        share=0.5,
    ),
    _stage(
        "materialise",
        _folders,
        zip_mutator(mutate_image),
        f"{_RAW}/001.zip",
        _laid(_lay_archive),
        (*_REARRANGE, "--materialise", "copy", "--tree", "tree"),
        (*_REARRANGE, "--materialise", "copy", "--tree", "tree"),
        covers=("prepare.catalogue.materialise",),
    ),
    _stage(
        "check-video",
        lambda: [material.video(".avi", "MJPG")],
        mutate_video,
        f"{_RAW}/001-nm-01-000.avi",
        _laid(_lay_videos),
        _CHECK,
    ),
    _stage(
        "check-pkl",
        lambda: material.pickles_of("silhouettes"),
        mutate_pickle,
        f"{_ROOT}/pkl/{_KEY}/000.pkl",
        _laid(material.lay_pickles),
        _CHECK,
        _ADOPT,
        share=1,
        covers=("prepare.check.pkl_tree",),
    ),
    _stage(
        "check-pose",
        lambda: [material.joints_text()],
        mutate_text,
        f"{_RAW}/poses/{_KEY}/000.txt",
        _laid(_lay_beside),
        _CHECK,
    ),
    _stage(
        "pretreat-image",
        material.images,
        mutate_image,
        f"{_RAW}/{_KEY}/000.png",
        _laid(_lay_shard),
        _PRETREAT,
        share=0.5,
        covers=("prepare.raw.sources",),
    ),
    _stage(
        "pretreat-shard",
        lambda: [rows_text(catalogue_rows()[:4]).encode()],
        mutate_table,
        _SHARD,
        _laid(material.lay_images),
        _PRETREAT,
        share=0.5,
    ),
    _stage(
        "pretreat-masks",
        mask_files,
        sealing(mutate_npz, seal_zip),
        f"{_ROOT}/silhouettes/{_KEY}.npz",
        _laid(_lay_masks),
        _PRETREAT,
        share=0.5,
    ),
    _stage(
        "segment-video",
        lambda: [material.video(".avi", "MJPG")],
        mutate_video,
        f"{_RAW}/001-nm-01-000.avi",
        _laid(_lay_videos),
        _REARRANGE,
        (_SEGMENT[0], f"{_ROOT}/sequences.csv", *_SEGMENT[2:]),
        share=0.1,
    ),
    _stage(
        "pack-manifest",
        lambda: [manifest_text(manifest_rows()).encode()],
        mutate_table,
        f"{_ROOT}/m.csv",
        _laid(_lay_manifest),
        _PACK,
        share=0.5,
    ),
    _stage(
        "pack-pkl",
        lambda: material.pickles_of("silhouettes"),
        mutate_pickle,
        f"{_ROOT}/pkl/{_KEY}/000.pkl",
        _laid(_lay_manifest),
        _PACK,
        share=0.5,
    ),
    _stage(
        "pretreat-journal",
        lambda: [journal_text()],
        mutate_table,
        f"{_ROOT}/journal/pretreat/001.csv",
        _laid(_lay_shard),
        _PRETREAT,
    ),
    _stage(
        "quality-image",
        lambda: [npy_of(np.concatenate([material.silhouettes()] * 4))],
        mutate_npy,
        f"{_ROOT}/packed/frames.npy",
        _laid(lay_store),
        _QUALITY,
        share=0.1,
        complete=seal_store,
    ),
    Target(
        "stage-embed",
        ("engine.embed", "engine.state.weights"),
        lambda: list(model_files()),
        sealing(mutate_torch, seal_zip),
        _embedded,
        file="model.pt",
        lay=_lay_packed,
        share=0.1,
    ),
    Target(
        "stage-resume",
        ("engine.state.checkpoint", "engine.history"),
        _trained,
        sealing(mutate_torch, seal_zip),
        _resume,
        file=f"result/checkpoints/{_fingerprint()}/2.pt",
        lay=_lay_packed,
        share=0.1,
    ),
]
