"""Readers of settings: datasets, partitions, experiments, configurations of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gait.compat.opengait import import_config
from gait.config.load import load_dataset, load_experiment, read_resolved
from gait.config.resolved import Resolved
from gait.config.yaml import write_yaml
from tests import engine_fixtures
from tests.fuzz import material
from tests.fuzz.seals import seal_yaml, sealing
from tests.fuzz.target import Target
from tests.fuzz.trees import mutate_json, mutate_yaml
from tests.unit.foreign import GAITSET

_CONFIG = Path(__file__).parents[2] / "config"


def _experiment_text() -> bytes:
    return write_yaml(_resolved().experiment.model_dump(mode="json")).encode()


def _resolved() -> Resolved:
    return engine_fixtures.resolved("GaitSet")


def _lay_experiment(folder: Path) -> None:
    material.lay_dataset(folder)
    for name in ("defaults.yaml", "models/GaitSet.yaml"):
        target = folder / "config" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((_CONFIG / name).read_bytes())
    place = folder / "config/experiments/Toy/GaitSet"
    place.mkdir(parents=True)
    (place / "x.yaml").write_text("iterations: 10\n")


def _experiment(path: Path) -> None:
    resolved, _ = load_experiment(Path(), "Toy", "GaitSet", "x")
    write_yaml(resolved.model_dump(mode="json"))


def _partitioned(name: str) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        return load_dataset(Path(), "Toy", name)

    return read


def _yaml_of(content: Any) -> Callable[[], list[bytes]]:
    return lambda: [write_yaml(content).encode()]


TARGETS = [
    Target(
        "dataset-yaml",
        ("config.yaml", "config.load"),
        lambda: [material.DATASET.encode()],
        mutate_yaml,
        lambda path: load_dataset(Path(), "Toy"),
        file="datasets/Toy/dataset.yaml",
        share=3,
    ),
    Target(
        "partition-yaml",
        ("config.yaml", "config.partition"),
        lambda: [b"train: ['001-003']\ntest: ['004', '005-009']\n"],
        mutate_yaml,
        _partitioned("odd"),
        file="datasets/Toy/partition-odd.yaml",
        lay=material.lay_dataset,
    ),
    Target(
        "partition-json",
        ("config.partition",),
        lambda: [
            b'{"TRAIN_SET": ["001"], "TEST_SET": ["002"]}',
            b'{"TRAIN_SET": ["001"], "TEST_SET": ["002", "003"], "PROBE_SET": '
            b'["002-nm-01-000"], "GALLERY_SET": ["003-nm-01-000"]}',
        ],
        mutate_json,
        _partitioned("p.json"),
        file="datasets/Toy/p.json",
        lay=material.lay_dataset,
        share=2,
    ),
    Target(
        "experiment-yaml",
        ("config.yaml", "config.load"),
        lambda: [
            _experiment_text(),
            (_CONFIG / "experiments/CASIA-B/GaitSet/paper.yaml").read_bytes(),
        ],
        mutate_yaml,
        _experiment,
        file="config/experiments/Toy/GaitSet/x.yaml",
        lay=_lay_experiment,
        share=0.5,
    ),
    Target(
        "model-yaml",
        ("config.yaml", "config.load"),
        lambda: [(_CONFIG / "models/GaitSet.yaml").read_bytes()],
        mutate_yaml,
        _experiment,
        file="config/models/GaitSet.yaml",
        lay=_lay_experiment,
        share=0.5,
    ),
    Target(
        "config-yaml",
        ("config.yaml", "config.load"),
        lambda: [write_yaml(_resolved().model_dump(mode="json")).encode()],
        sealing(mutate_yaml, seal_yaml),
        read_resolved,
        file="config.yaml",
    ),
    Target(
        "opengait-yaml",
        ("config.yaml", "compat.opengait"),
        _yaml_of(GAITSET),
        mutate_yaml,
        import_config,
        file="gaitset.yaml",
    ),
]
