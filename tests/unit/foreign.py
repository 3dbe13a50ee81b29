"""Configurations as OpenGait has them."""

from __future__ import annotations

import copy
from typing import Any

SMALL = {
    "model": "Baseline",
    "backbone_cfg": {
        "type": "ResNet9",
        "block": "BasicBlock",
        "channels": [4, 8, 8, 16],
        "layers": [1, 1, 1, 1],
        "strides": [1, 2, 2, 1],
        "maxpool": False,
    },
    "SeparateFCs": {"in_channels": 16, "out_channels": 6, "parts_num": 16},
    "SeparateBNNecks": {"class_num": 5, "in_channels": 6, "parts_num": 16},
    "bin_num": [16],
}
TRIPLET = {
    "type": "TripletLoss",
    "margin": 0.2,
    "loss_term_weight": 1.0,
    "log_prefix": "triplet",
}
SOFTMAX = {
    "type": "CrossEntropyLoss",
    "scale": 16,
    "loss_term_weight": 0.5,
    "log_prefix": "softmax",
    "log_accuracy": True,
}
GAITSET = {
    "data_cfg": {
        "dataset_name": "CASIA-B",
        "dataset_root": "somewhere",
        "num_workers": 1,
        "remove_no_gallery": False,
    },
    "loss_cfg": {"loss_term_weight": 1.0, "margin": 0.3, "log_prefix": "triplet"},
    "model_cfg": {
        "model": "GaitSet",
        "in_channels": [1, 4, 8, 16],
        "SeparateFCs": {"in_channels": 16, "out_channels": 6, "parts_num": 62},
        "bin_num": [16, 8, 4, 2, 1],
    },
    "scheduler_cfg": {"milestones": [10000, 20000, 30000]},
    "trainer_cfg": {"total_iter": 40000, "save_name": "GaitSet", "log_iter": 50},
}
GAITBASE = {
    "data_cfg": {"dataset_name": "Gait3D", "data_in_use": [True, False]},
    "evaluator_cfg": {
        "enable_float16": True,
        "metric": "cos",
        "eval_func": "evaluate_Gait3D",
        "sampler": {"batch_shuffle": False, "batch_size": 16, "frames_all_limit": 500},
        "transform": [{"type": "BaseSilTransform"}],
    },
    "loss_cfg": [TRIPLET, SOFTMAX],
    "model_cfg": SMALL,
    "optimizer_cfg": {"solver": "Adam", "lr": 0.001, "amsgrad": True, "fused": True},
    "scheduler_cfg": {"scheduler": "OneCycleLR", "max_lr": 0.01, "total_steps": 60000},
    "trainer_cfg": {
        "fix_BN": False,
        "sync_BN": True,
        "with_test": True,
        "save_iter": 20000,
        "total_iter": 60000,
        "sampler": {
            "batch_shuffle": True,
            "batch_size": [32, 4],
            "frames_num_fixed": 30,
            "frames_num_max": 50,
            "frames_num_min": 10,
            "sample_type": "unfixed_unordered",
        },
        "transform": [
            {
                "type": "Compose",
                "trf_cfg": [
                    {"type": "RandomPerspective", "prob": 0.2},
                    {"type": "BaseSilCuttingTransform", "img_w": 64},
                    {"type": "RandomHorizontalFlip", "prob": 0.2},
                    {"type": "RandomRotate", "prob": 0.3, "degree": 5},
                    {"type": "RandomErasing", "prob": 0.4, "sl": 0.1, "r1": 0.5},
                ],
            }
        ],
    },
}


def changed(cfg: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `cfg` with the value at a dotted path replaced."""
    cfg = copy.deepcopy(cfg)
    *above, last = path.split(".")
    inner = cfg
    for key in above:
        inner = inner.setdefault(key, {})
    inner[last] = value
    return cfg
