"""SMPLGait of OpenGait."""

from __future__ import annotations

from gait.compat.converters.converter import Converter
from gait.compat.converters.gaitbase import BACKBONE, HEAD, network_settings

CONVERTERS = (
    Converter(
        foreign=("SMPLGait",),
        model="SMPLGait",
        settings=network_settings,
        names=(
            (r"transformation\.0\.(\w+)", r"fc1.\1"),
            (r"transformation\.1\.(\w+)", r"bn1.\1"),
            (r"transformation\.3\.(\w+)", r"fc2.\1"),
            (r"transformation\.5\.(\w+)", r"bn2.\1"),
            (r"transformation\.7\.(\w+)", r"fc3.\1"),
            (r"transformation\.9\.(\w+)", r"bn3.\1"),
            *BACKBONE,
            *HEAD,
        ),
        fields={"triplet": ("embeddings",), "softmax": ("logits",)},
        modalities=lambda settings: ["silhouettes", "smpl"],
    ),
)
