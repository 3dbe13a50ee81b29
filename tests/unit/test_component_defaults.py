"""What a recipe means that leaves a parameter out: the defaults, written down once more.

Published configurations are compared with recipes after both have been given the same defaults,
so a changed default would change what is trained without any of those comparisons failing.
"""

from __future__ import annotations

from typing import Any

import pytest

from gait import registry

DEFAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "transform": {
        "CropSides": {"columns": None},
        "FlipSequence": {"probability": 0.5},
        "GaitGraphInput": {"centre": 0},
        "InversePoses": {"probability": 0.1},
        "JointNoise": {"std": 0.25},
        "MirrorPoses": {"probability": 0.5},
        "MsGGInput": {"skeleton": None},
        "NormalisePoints": {"heights": True},
        "PointNoise": {"std": 0.05},
        "RandomAffine": {"probability": 0.5},
        "RandomDropPoints": {"probability": 0.5, "max_ratio": 0.875},
        "RandomErasing": {
            "probability": 0.5,
            "min_area": 0.05,
            "max_area": 0.2,
            "ratio": 0.3,
            "per_frame": False,
        },
        "RandomFlipPoints": {"probability": 0.5},
        "RandomHorizontalFlip": {"probability": 0.5},
        "RandomJitterPoints": {"probability": 0.5, "deviation": 0.01, "max_offset": 0.05},
        "RandomMove": {"reach": [4, 1]},
        "RandomPartBlur": {"probability": 0.5, "top": [9, 20], "bottom": [29, 40]},
        "RandomPartDilate": {"probability": 0.5, "top": [12, 16], "bottom": [36, 40]},
        "RandomPerspective": {"probability": 0.5},
        "RandomRotate": {"probability": 0.5, "degrees": 10},
        "RandomScalePoints": {"probability": 0.5, "min_factor": 0.8, "max_factor": 1.25},
        "RandomShiftPoints": {"probability": 0.5, "max_offset": 0.1},
    },
    "scheduler": {
        "CosineFloor": {"floor": 1e-6, "every": 1},
        "MultiStepFloor": {"gamma": 0.1, "floor": 1e-4, "every": 1},
    },
}


@pytest.mark.parametrize("kind", DEFAULTS)
def test_parameters_that_are_left_out(kind: str) -> None:
    own = [
        name
        for name in registry.names(kind)
        if registry.get(kind, name).__module__.startswith("gait.")
    ]
    found = {name: registry.parameters(kind, name).defaults for name in own}
    assert {name: each for name, each in found.items() if each} == DEFAULTS[kind]
