"""Readers of numbers: masks, poses, embeddings, packed stores, weights, checkpoints, networks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from gait import registry
from gait.compat.opengait import import_checkpoint
from gait.config.resolved import Resolved
from gait.config.yaml import write_yaml
from gait.engine.state.checkpoint import Checkpoints, Fingerprint
from gait.engine.state.weights import (
    check_same_model,
    load_strictly,
    read_model,
    start,
    write_model,
)
from gait.engine.trainer import build_model
from gait.evaluation.embeddings import read_embeddings
from gait.evaluation.score import score
from gait.layers.dinov2 import DINOv2, to_original
from gait.layers.mask_branch import MaskBranch
from gait.prepare.modalities.video_poses import load_pose
from gait.prepare.silhouettes.masks import load_masks, read_record, save_masks
from gait.prepare.silhouettes.segmenters.onnx import Onnx
from tests import engine_fixtures
from tests.fuzz import material
from tests.fuzz.arrays import mutate_npy, mutate_npz, mutate_torch, npy_of, npz_of, npz_stored
from tests.fuzz.networks import mutate_onnx
from tests.fuzz.seals import seal_store, seal_zip, sealing
from tests.fuzz.target import NOTED, Target
from tests.fuzz.targets_tables import lay_store, read_store
from tests.unit import scores
from tests.unit.foreign import GAITSET, changed

_SIZES = {"num_classes": 5}
_MARK = Fingerprint("d" * 64, "a" * 64)
_SMALL_GAITSET = changed(
    changed(GAITSET, "model_cfg.in_channels", [1, 2, 4, 4]),
    "model_cfg.SeparateFCs",
    {"in_channels": 4, "out_channels": 2, "parts_num": 62},
)


def _written(write: Callable[[Path], object]) -> list[bytes]:
    """What a writer of ours writes."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.npz"
        write(path)
        return [path.read_bytes()]


def mask_files() -> list[bytes]:
    """A file of masks."""
    masks = material.silhouettes()
    numbers = np.arange(len(masks), dtype=np.int32)
    return _written(
        lambda path: save_masks(
            path, masks, numbers, "f" * 16, frames_read=5, dropped={"no walker": 2}
        )
    )


def _masks(path: Path) -> None:
    read_record(path)
    load_masks(path)


def _embeddings(path: Path) -> None:
    found = read_embeddings(path)
    np.asarray(found.embeddings).sum()


@cache
def _scored() -> Resolved:
    return scores.an_experiment()


@cache
def _resolved() -> Resolved:
    return engine_fixtures.resolved("GaitSet")


@cache
def _network() -> nn.Module:
    torch.manual_seed(0)
    return build_model(_resolved().experiment, _SIZES)


@cache
def model_files() -> tuple[bytes, ...]:
    """The weights of a small model, as we write them and as torch does."""
    provenance = {"version": "0.1.0", "classes": ["a"] * 5, "sizes": _SIZES, "iterations": 4}
    written = _written(lambda path: write_model(path, _network(), _resolved(), provenance))
    data = torch.load(_as_file(written[0]), weights_only=True)
    return *written, *map(seal_zip, material.torch_files(data))


def _as_file(data: bytes) -> Any:
    import io

    return io.BytesIO(data)


def _model(path: Path) -> None:
    """As embedding takes weights."""
    weights = read_model(path)
    check_same_model(weights, _resolved(), path)
    network = build_model(_resolved().experiment, {**_SIZES, **weights.sizes})
    load_strictly(network, weights.model, path)


def _start(path: Path) -> None:
    """As an experiment takes the weights that it starts from."""
    experiment = _starting(str(path))
    network = build_model(experiment, _SIZES)
    start(network, experiment)


@cache
def _starting(path: str) -> Any:
    init = {"weights": path, "strict": False, "reset": ["optimizer", "scheduler", "iteration"]}
    return engine_fixtures.resolved("GaitSet", init=init).experiment


def _checkpoint_files() -> list[bytes]:
    experiment = _resolved().experiment
    optimizer = registry.build(
        "optimizer", experiment.optimizer.settings, params=_network().parameters()
    )
    scheduler = registry.build("scheduler", experiment.scheduler.settings, optimizer=optimizer)
    for each in _network().parameters():
        each.grad = torch.zeros_like(each)
    optimizer.step()
    state = {
        "model": _network().state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "losses": {},
        "scaler": {},
        "window": {"sums": torch.zeros(2, dtype=torch.float64), "steps": 1},
        "numpy": np.float64(0.5).item(),
    }

    def write(path: Path) -> None:
        saved = Checkpoints(path.parent, _MARK, 2).save(2, state)
        saved.replace(path)

    return _written(write)


def _checkpoint(path: Path) -> object:
    """As a run goes on from where it ended."""
    checkpoints = Checkpoints(Path("checkpoints"), _MARK, 2)
    state, said = checkpoints.newest(4)
    if state is None:
        return NOTED
    network = build_model(_resolved().experiment, _SIZES)
    load_strictly(network, state["model"], path)
    assert isinstance(state["iteration"], int) and 0 <= state["iteration"] <= 4
    return NOTED if said else None


def _branch_files() -> list[bytes]:
    torch.manual_seed(0)
    branch = MaskBranch(8)
    state = branch.state_dict()
    inside = {"model": {f"mask_branch.{name}": each for name, each in state.items()}}
    published = {
        name.replace("norm", "bn_s")
        .replace("reduce", "down_sampling")
        .replace("restore", "up_sampling"): each
        for name, each in state.items()
    }
    return [*material.torch_files(inside), *material.torch_files(published)]


def _branch(path: Path) -> None:
    MaskBranch(8).load_pretrained(path)


def _dino() -> DINOv2:
    return DINOv2("dino.pth", hidden_size=8, blocks=1, heads=2, table_px=28)


@cache
def _transformer() -> DINOv2:
    torch.manual_seed(0)
    return _dino()


def _dino_files() -> list[bytes]:
    return material.torch_files(to_original(_transformer().vit.state_dict()))


def _dino_read(path: Path) -> None:
    transformer = _transformer()
    transformer.weights = str(path)
    transformer.load_pretrained()


def _foreign_files() -> list[bytes]:
    from gait.compat.opengait import build_model as foreign_model
    from gait.compat.opengait import state_dict

    torch.manual_seed(0)
    state = state_dict(foreign_model(_SMALL_GAITSET["model_cfg"]))
    whole = {"model": state, "optimizer": {}, "scheduler": {}, "iteration": 10}
    return [*material.torch_files(whole), *material.torch_files(state)]


def _lay_foreign(folder: Path) -> None:
    (folder / "published.yaml").write_text(write_yaml(_SMALL_GAITSET))


def _foreign(path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_checkpoint(path, Path("published.yaml"), Path("model.pt"))


def _lay_clip(folder: Path) -> None:
    (folder / "s.avi").write_bytes(material.video(".avi", "MJPG", 3))


def _segmented(path: Path) -> object:
    masks = list(Onnx(str(path), 8, 12, batch=2).segment(Path("s.avi"), None))
    return NOTED if any(each is None for each in masks) else None


_ARRAYS = [
    Target(
        "masks-npz",
        ("prepare.silhouettes.masks",),
        mask_files,
        sealing(mutate_npz, seal_zip),
        _masks,
        file="000.npz",
        share=3,
    ),
    Target(
        "pose-npz",
        ("formats.arrays", "prepare.modalities.video_poses"),
        lambda: [npz_of(pose=np.ones((3, 17, 3), np.float32))],
        mutate_npz,
        load_pose,
        file="v.pose.npz",
        share=3,
    ),
    Target(
        "embeddings-npz",
        ("evaluation.embeddings",),
        lambda: [seal_zip(npz_of(**scores.arrays())), seal_zip(npz_stored(**scores.arrays()))],
        sealing(mutate_npz, seal_zip),
        _embeddings,
        file="embeddings.npz",
        share=3,
    ),
    Target(
        "score-npz",
        ("evaluation.embeddings",),
        lambda: [seal_zip(npz_stored(**scores.arrays()))],
        sealing(mutate_npz, seal_zip),
        lambda path: score(_scored(), path, Path("metrics.json")),
        file="embeddings.npz",
        share=0.3,
    ),
    Target(
        "packed-npy",
        ("formats.arrays", "formats.blocks", "data.store"),
        lambda: [npy_of(np.concatenate([material.silhouettes()] * len(material.KEYS)))],
        mutate_npy,
        read_store,
        file="packed/frames.npy",
        lay=lay_store,
        complete=seal_store,
    ),
    Target(
        "points-npy",
        ("formats.arrays", "formats.blocks", "data.store"),
        lambda: [npy_of(np.ones((30, 3), np.float32))],
        mutate_npy,
        read_store,
        file="packed/points.npy",
        lay=lay_store,
        complete=seal_store,
    ),
    Target(
        "offsets-npy",
        ("formats.arrays", "formats.blocks", "data.store"),
        lambda: [npy_of(np.concatenate([[0], np.arange(12) % 4 + 1]).cumsum())],
        mutate_npy,
        read_store,
        file="packed/points.offsets.npy",
        lay=lay_store,
        complete=seal_store,
    ),
]

_WEIGHTS = [
    Target(
        "model-pt",
        ("engine.state.files", "engine.state.weights"),
        lambda: list(model_files()),
        sealing(mutate_torch, seal_zip),
        _model,
        file="model.pt",
        share=2,
    ),
    Target(
        "start-pt",
        ("engine.state.files", "engine.state.weights"),
        lambda: list(model_files()),
        sealing(mutate_torch, seal_zip),
        _start,
        file="weights.pt",
        share=0.5,
    ),
    Target(
        "checkpoint-pt",
        ("engine.state.checkpoint", "engine.state.files"),
        _checkpoint_files,
        sealing(mutate_torch, seal_zip),
        _checkpoint,
        file=f"checkpoints/{'a' * 12}/2.pt",
        share=1.5,
    ),
    Target(
        "mask-branch-pt",
        ("formats.weights.read", "formats.weights.torch_file", "layers.mask_branch"),
        _branch_files,
        mutate_torch,
        _branch,
        file="branch.pt",
    ),
    Target(
        "dinov2-pth", ("layers.dinov2",), _dino_files, mutate_torch, _dino_read, file="dino.pth"
    ),
    Target(
        "opengait-pt",
        ("compat.opengait", "engine.state.files"),
        _foreign_files,
        mutate_torch,
        _foreign,
        file="GaitSet-40000.pt",
        lay=_lay_foreign,
        share=0.5,
    ),
    Target(
        "onnx",
        ("prepare.silhouettes.segmenters.onnx",),
        lambda: [material.network()],
        mutate_onnx,
        _segmented,
        file="network.onnx",
        lay=_lay_clip,
        share=1.5,
    ),
]

TARGETS = [*_ARRAYS, *_WEIGHTS]
