"""What a foreign run is called here: its dataset, its model and its save name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from gait.config.dataset import NAME

# Datasets by their foreign names, where these differ.
_DATASETS = {"CASIA-B*": "CASIA-B-star", "GaitLU": "GaitLU-1M", "HID": "HID2022"}
# Poses are published apart from the silhouettes, and so are those of either set of joints.
_POSES = {"CASIA-B": "CASIA-B-Pose", "OUMVLP": "OUMVLP-Pose"}
_POSES_COCO = {**_POSES, "OUMVLP": "OUMVLP-Pose17"}
# GLN takes frames of 128 x 128 pixels.
_LARGE = {"CASIA-B": "CASIA-B-128"}
# Files of config/models by the model that is in them, where these differ; and by what it reads.
_MODELS = {
    "FoundationGaitFinetune": "FoundationGait_Finetune",
    "FoundationGaitLinearProbing": "FoundationGait_LinearProbing",
    "FoundationGaitPretrain": "FoundationGait_Pretrain",
    "GaitSSBFinetune": "GaitSSB_Finetune",
    "GaitSSBPretrain": "GaitSSB_Pretrain",
    "LidarGaitPP": "LidarGait++",
    "MultiGaitPP": "MultiGait++",
    "SkeletonGaitPP": "SkeletonGait++",
}
_READING = {("GaitBase", "depth"): "LidarGait", ("DeepGaitV2", "skeleton_maps"): "SkeletonGait"}


def dataset_here(name: str, experiment: Mapping[str, Any], cfg: Mapping[str, Any]) -> str:
    """The name here of a foreign configuration's dataset; its own where it is not known.

    Args:
        name: the dataset's name there.
        experiment: the converted configuration.
        cfg: the foreign configuration, which says what joints its poses have.
    """
    inputs = experiment["inputs"]
    if "pose" in inputs or "skeleton_maps" in inputs:
        known = _POSES_COCO if "coco" in _values(cfg, "joint_format") else _POSES
    else:
        known = _LARGE if experiment["model"]["name"] == "GLN" else {}
    return fit({**_DATASETS, **known}.get(name, name))


def other_dataset_here(name: str) -> str:
    """The name here of a further dataset that is trained on."""
    return fit(_DATASETS.get(name, name))


def model_here(experiment: Mapping[str, Any]) -> str:
    """The file of `config/models` that a converted configuration is of, without its suffix."""
    model: str = experiment["model"]["name"]
    return _READING.get((model, experiment["inputs"][0]), _MODELS.get(model, model))


def fit(name: str) -> str:
    """A name that outputs can have, the same where it is one."""
    if re.fullmatch(NAME, name):
        return name
    return re.sub(r"[^A-Za-z0-9_.+=-]+", "-", name).lstrip("_.+=-") or "imported"


def experiment_file(dataset: str, model: str, save_name: str) -> PurePosixPath:
    """The file of an experiment of that name."""
    return PurePosixPath("config/experiments", dataset, model, f"{save_name}.yaml")


def _values(cfg: Any, key: str) -> set[Any]:
    """The texts that a key has, wherever it stands."""
    if isinstance(cfg, Mapping):
        own = {cfg[key]} if isinstance(cfg.get(key), str) else set()
        return own.union(*(_values(each, key) for each in cfg.values()))
    if isinstance(cfg, list):
        return set().union(*(_values(each, key) for each in cfg))
    return set()
