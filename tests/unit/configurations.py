"""A copy of the repository's configuration and of its datasets, with files to lay beside them."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import yaml

from gait.config.yaml import read_yaml
from gait.formats.seal import seal_zip
from gait.workflow.state import WorkflowState

REPOSITORY = Path(__file__).parents[2]

GAITSET = ("SynthGait", "GaitSet")
DEMO = ("SynthGait", "GaitSet", "demo")


def copy_configuration(folder: Path) -> Path:
    """The configuration and the datasets."""
    shutil.copytree(REPOSITORY / "config", folder / "config")
    shutil.copytree(REPOSITORY / "datasets", folder / "datasets")
    return folder


def copy_some(folder: Path) -> Path:
    """The same with few experiments on SynthGait, which are read sooner."""
    copy_configuration(folder)
    for model in (folder / "config/experiments/SynthGait").iterdir():
        if model.name not in ("GEI", "GaitBase", "GaitSet"):
            shutil.rmtree(model)
    return folder


def flow(root: Path, **changes: Any) -> WorkflowState:
    """A new one, as each start of Snakemake makes it; answers are kept for its lifetime."""
    return WorkflowState(root, read_yaml(root / "config/config.yaml")[0] | changes)


def write(root: Path, path: str, data: Any) -> None:
    """A YAML file in the folder."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")


def edit(root: Path, path: str, **changes: Any) -> None:
    """Change some keys of a YAML file there."""
    write(root, path, read_yaml(root / path)[0] | changes)


def experiment(root: Path, name: str, **data: Any) -> None:
    """An experiment of one's own, such as SynthGait/GaitSet/mine."""
    write(root, f"config/experiments/{name}.yaml", data)


def sealed_archive(path: Path) -> None:
    """A file that looks like weights written by this software."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("some", "thing")
    seal_zip(path)


def table(*key: str) -> str:
    """The path of the table of a dataset, a model or an experiment."""
    return f"results/{'/'.join(key)}/report.csv"


def adopt(root: Path, dataset: str, *files: str) -> None:
    """A pkl tree of one sequence; what is in the files plays no part here."""
    leaf = root / "data" / dataset / "pkl/001/nm-01/090"
    leaf.mkdir(parents=True)
    for file in files:
        (leaf / file).touch()


SUBJECTS = [f"{number:03d}" for number in range(1, 13)]


def film(root: Path, dataset: str) -> Path:
    """A raw tree of videos; what is in them plays no part here."""
    raw = root / "data" / dataset / "raw"
    raw.mkdir(parents=True)
    for subject in SUBJECTS:
        for name in (f"{subject}-bkgrd-090.avi", f"{subject}-nm-01-090.avi"):
            (raw / name).write_bytes(b"video")
            os.utime(raw / name, (1_000_000_000, 1_000_000_000))
    return raw
