"""A tiny population in every modality, and every model of `config/models` made small.

A model without an entry in `_FOUNDATION = {"channels": [8, 8, 16, 16], "blocks": [1, 1, 1, 1]}
SMALL` is taken as its YAML has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gait import registry
from gait.config.experiment import Augmentation, Experiment
from gait.config.load import merge
from gait.config.resolved import Resolved
from gait.config.yaml import read_yaml
from gait.data.inputs import ModelInput, derived_sizes, model_inputs
from gait.data.store import PackedStore
from gait.modalities import packed_name
from tests.unit.packed import add_clouds, seal_packed

CONFIG = Path(__file__).parents[1] / "config"
NAMES = sorted(path.stem for path in (CONFIG / "models").glob("*.yaml"))
SUBJECTS = 4
CONDITIONS = ("first", "second", "third")
FRAMES = 6
CATEGORIES = 3

_NARROW = {"channels": [8, 8, 16, 16], "embedding_channels": 8}
# Fusion and sharing squeeze channels to a sixteenth.
_SQUEEZED = {"channels": [16, 16, 16, 16], "embedding_channels": 8}
_RESNET = {
    "backbone": {
        "name": "ResNet9",
        "channels": [8, 8, 16, 16],
        "blocks": [1, 1, 1, 1],
        "strides": [1, 2, 2, 1],
    },
    "embedding_channels": 8,
}
_DINO = {
    "weights": None,
    "transformer": {"hidden_size": 16, "blocks": 4, "heads": 2, "table_px": 56},
    "frame_px": [56, 28],
}
_FOUNDATION: dict[str, Any] = {"channels": [8, 8, 16, 16], "blocks": [1, 1, 1, 1]}
SMALL: dict[str, dict[str, Any]] = {
    "BigGait": {**_SQUEEZED, **_DINO, "map_size": [16, 8], "layers": [2, 4], "bins": [2]},
    "BiggerGait": {
        **_NARROW,
        **_DINO,
        "map_size": [16, 8],
        "inner_channels": 8,
        "heads": 4,
        "bins": [2],
    },
    "DeepGaitV2": _NARROW,
    "DenoisingGait": {**_SQUEEZED, "bins": [4]},
    "FoundationGait_Finetune": _FOUNDATION | {"crops": [8, 1]},
    "FoundationGait_LinearProbing": _FOUNDATION,
    "FoundationGait_Pretrain": _FOUNDATION | {"crops": [4, 1]},
    "GLN": {"channels": [4, 8, 8], "lateral_channels": 8, "embedding_channels": 8},
    "GaitBase": _RESNET,
    "GaitEdge": {"channels": [4, 8, 8, 8], "segmenter_channels": [4, 4, 8, 8]},
    "GaitGL": {"channels": [4, 8, 8, 8]},
    "GaitGraph1": {"branch": [3, 16, 8], "trunk": [16, 16], "embedding_channels": 8},
    "GaitGraph2": {"branch": [5, 16, 8], "trunk": [16, 16], "embedding_channels": 8},
    "GaitPart": {
        "backbone": {"name": "Plain", "layers": ["BC-8", "M", "FC-8-2", "M", "FC-16-3"]},
        "embedding_channels": 16,
    },
    "GaitSSB_Finetune": {"backbone": _RESNET["backbone"]},
    "GaitSSB_Pretrain": {"backbone": _RESNET["backbone"]},
    "GaitSet": {"channels": [4, 8, 8], "embedding_channels": 8},
    "GaitTR": {"channels": [10, 32, 32], "embedding_channels": 8},
    "LidarGait": {
        "backbone": {**_RESNET["backbone"], "in_channels": 3},
        "embedding_channels": 8,
    },
    "LidarGait++": {"channels": 2, "points": [32, 16, 8], "neighbours": 4},
    "MsGG": {"channels": [3, 8, 8, 16, 16], "embedding_channels": 16},
    "MultiGait++": _SQUEEZED,
    "ParsingGait": _RESNET,
    "SMPLGait": {
        "backbone": {"name": "Plain", "layers": ["BC-8", "M", "BC-8", "M", "BC-8"]},
        "embedding_channels": 8,
    },
    "ScoNet": _RESNET,
    "Segmentation": {"channels": [4, 4, 8, 8]},
    "SkeletonGait": _NARROW,
    "SkeletonGait++": _SQUEEZED,
    "SwinGait": {**_NARROW, "heads": [2, 4], "blocks": [1, 1, 1, 1]},
}
# Shapes of raw frames where they are not those of 64 x 64 images.
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "BigGait": {"rgb": (3, 56, 28)},
    "BiggerGait": {"rgb": (3, 56, 28)},
    "DenoisingGait": {"latent": (4, 32, 16), "masks": (32, 16)},
}


def raw_shape(name: str, modality: str) -> tuple[int, ...]:
    shapes: dict[str, tuple[int, ...]] = {
        "pose": (17, 3),
        "skeleton_maps": (2, 64, 64),
        "depth": (3, 64, 64),
        "flow": (3, 64, 64),
        "rgb": (3, 64, 64),
        "ratio": (),
        "smpl": (85,),
        "points": (48, 3),
    }
    return SHAPES.get(name, {}).get(modality, shapes.get(modality, (64, 64)))


def _ellipse(rng: np.random.Generator, count: int, h: int, w: int) -> np.ndarray:
    y, x = np.mgrid[:h, :w]
    middle = w * (0.5 + 0.08 * np.sin(rng.uniform(0, 6) + np.arange(count)))[:, None, None]
    width, height = w * rng.uniform(0.18, 0.26), h * rng.uniform(0.38, 0.45)
    return ((x - middle) / width) ** 2 + ((y - h / 2) / height) ** 2 < 1


def frames_of(
    modality: str, shape: tuple[int, ...], count: int, rng: np.random.Generator
) -> np.ndarray:
    """Frames of one sequence, [count, *shape], such as the modality has them."""
    if modality == "pose":
        body = np.stack([np.tile([0.0, 10, -10], 6)[:17], np.linspace(-40, 40, 17)], 1)
        moved = body * rng.uniform(0.8, 1.2, 2) + rng.normal(0, 2, (count, 17, 2)) + 60
        return np.concatenate([moved, rng.uniform(0.5, 1, (count, 17, 1))], 2).astype(np.float32)
    if modality == "points":
        cloud = rng.normal(0, 1, (count, *shape)) * rng.uniform(0.1, 0.4, 3)
        cloud[..., 2] = rng.uniform(0, 1.7, cloud.shape[:2])
        return cloud.astype(np.float32)
    if modality == "ratio":
        return rng.uniform(0.3, 0.5, count).astype(np.float32)
    if modality in ("smpl", "latent"):
        return rng.normal(0, 1, (count, *shape)).astype(np.float32)
    figure = _ellipse(rng, count, *shape[-2:])
    if len(shape) == 3:
        figure = figure[:, None].repeat(shape[0], 1)
    if modality == "parsing":
        return (figure * rng.integers(1, 12, figure.shape)).astype(np.uint8)
    grey = figure * rng.integers(180, 256, figure.shape)
    # A stray pixel for everybody, so that no two values are equal by construction.
    return np.clip(grey + rng.integers(0, 12, figure.shape), 0, 255).astype(np.uint8)


def write_population(packed: Path, name: str) -> None:
    """A packed store with what the model's inputs read: subjects x conditions sequences."""
    packed.mkdir(parents=True, exist_ok=True)
    modalities = dict.fromkeys(each for one in recipe(name)["inputs"] for each in one.split("+"))
    lines = ["subject,condition,view,start,frames,sha256"]
    arrays: dict[str, list[np.ndarray]] = {modality: [] for modality in modalities}
    start = 0
    for subject in range(SUBJECTS):
        for number, condition in enumerate(CONDITIONS):
            count = FRAMES + (subject + number) % 2
            for place, modality in enumerate(modalities):
                rng = np.random.default_rng([subject, number, place])
                shape = raw_shape(name, modality)
                arrays[modality].append(frames_of(modality, shape, count, rng))
            lines.append(f"{subject:03d},{condition},000,{start},{count},{start:064x}")
            start += count
    for modality, parts in arrays.items():
        frames = np.concatenate(parts)
        if modality == "points":
            add_clouds(packed, (cloud[: -1 - row % 9] for row, cloud in enumerate(frames)))
        else:
            np.save(packed / packed_name(modality), frames)
    (packed / "index.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    seal_packed(packed)


@cache
def _read(name: str) -> dict[str, Any]:
    defaults, _ = read_yaml(CONFIG / "defaults.yaml")
    model, _ = read_yaml(CONFIG / "models" / f"{name}.yaml")
    merged, _ = merge(defaults, model, {}, {})
    return merged


def recipe(name: str) -> dict[str, Any]:
    """The model's own recipe, its network small: what an empty experiment would be."""
    whole = dict(_read(name))
    whole["model"] = {**whole["model"], **SMALL.get(name, {})}
    whole.setdefault("inputs", ["silhouettes"])
    return whole


def resolved(name: str, **changes: Any) -> Resolved:
    """An experiment of seconds by the model's own recipe."""
    experiment = recipe(name)
    sampler = experiment["sampler"]["name"]
    sizes = {"TripletSampler": {"subjects": 3, "sequences": 2}}.get(sampler, {"batch": 4})
    frames = {**experiment["frames"], "count": 4, "skip": 0}
    transforms = [_fitted(each) for each in experiment["transforms"]]
    scheduler = dict(experiment["scheduler"])
    if scheduler["name"] == "OneCycleLR":
        scheduler["total_steps"] = 10
    embedding = dict(experiment["embedding"])
    embedding["transforms"] = [_fitted(each) for each in embedding["transforms"]]
    experiment |= {
        "iterations": 2,
        "sampler": {"name": sampler, **sizes},
        "frames": frames,
        "transforms": transforms,
        "scheduler": scheduler,
        "logging": {"log_every": 1, "checkpoint_every": 1, "keep_checkpoints": 2},
        "embedding": embedding,
        "evaluation": {"bootstrap": 0},
        "precision": "fp32",
        **changes,
    }
    select = {"condition": ["*"]}
    return Resolved.model_validate(
        {
            "dataset": {
                "name": "Tiny",
                "title": "a tiny population",
                "licence": "Apache-2.0",
                "obtain": "drawn by the tests",
                "layouts": [],
                "partition": {"train": ["000-002"], "test": ["003"]},
                "protocols": {
                    "all": {
                        "title": "everything",
                        "gallery": select,
                        "probes": {"any": select},
                        "cells": "pooled",
                        "exclude": "none",
                    }
                },
                "categories": {each: {"condition": [each]} for each in CONDITIONS},
            },
            "model": name,
            "save_name": "test",
            "experiment": experiment,
        }
    )


def _fitted(transform: dict[str, Any]) -> dict[str, Any]:
    if transform["name"] == "RandomSamplePoints":
        return {**transform, "count": 40}
    return transform


def inputs_of(name: str) -> list[ModelInput]:
    """The model's inputs with the transforms that a test sequence goes through."""
    experiment = Experiment.model_validate(resolved(name).experiment.model_dump())
    listed: list[Augmentation] = experiment.embedding.transforms
    return model_inputs(experiment.inputs, listed)


def built(name: str, sizes: Mapping[str, int], **changes: Any) -> nn.Module:
    """The small model with its initial weights."""
    torch.manual_seed(0)
    model: nn.Module = registry.build("model", {**recipe(name)["model"], **changes}, **sizes)
    return model


def sizes_of(name: str, store: PackedStore) -> dict[str, int]:
    inputs = inputs_of(name)
    sizes = derived_sizes(inputs, [each.frame(store)[1] for each in inputs])
    return {**sizes, "num_classes": 3, "num_categories": CATEGORIES}


def sequence(name: str, store: PackedStore, index: int, count: int) -> list[Tensor]:
    """One sequence as the model takes it, a tensor [count, ...] for each input."""
    tensors = []
    for each in inputs_of(name):
        values = each.read(store, index, slice(count), np.random.default_rng(index))
        device = torch.device("cpu")
        tensors.append(each.on_device(torch.from_numpy(np.ascontiguousarray(values)), device))
    return tensors
