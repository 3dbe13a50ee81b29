"""A finished workspace with every rule's outputs, to be broken and mended, rule by rule.

A fault is tried on a copy in which one stage's outputs are gone: the command that makes them again
is disturbed, run once more, and everything has to be there as in the undisturbed workspace.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.workflow.workspace import Workspace

DATASET = "SynthGait"
ADOPTED = "Adopted"
_DATA, _RESULTS = f"data/{DATASET}", f"results/{DATASET}"
SHARDS = ("1-of-2", "2-of-2")
RESULT = f"results/{DATASET}/GaitSet/tiny"
TARGETS = (
    f"results/{DATASET}/report.csv",
    f"{RESULT}/submission.csv",
    f"results/{ADOPTED}/report.csv",
    "results/matrix.csv",
    "results/report.html",
)


@dataclass(frozen=True)
class Stage:
    """What a rule makes: the outputs that it declares, and what it leaves beside them.

    Attributes:
        rule: the rule's name.
        targets: the files whose request runs it.
        outputs: patterns below the workspace of all that goes when it is to run anew.
    """

    rule: str
    targets: tuple[str, ...]
    outputs: tuple[str, ...]


STAGES = (
    Stage("synthesize", (f"{_DATA}/raw/population.csv",), (f"{_DATA}/raw",)),
    Stage("check", (f"{_DATA}/check.csv",), (f"{_DATA}/check.csv*",)),
    Stage(
        "rearrange",
        (f"{_DATA}/shards/1-of-2.csv",),
        (f"{_DATA}/shards/1-of-2.csv*",),
    ),
    Stage("merge_catalogue", (f"{_DATA}/sequences.csv",), (f"{_DATA}/sequences.csv*",)),
    Stage(
        "segment",
        tuple(f"{_DATA}/shards/{each}.silhouettes.csv" for each in SHARDS),
        (f"{_DATA}/shards/*-of-2.silhouettes.csv*", f"{_DATA}/silhouettes"),
    ),
    Stage(
        "pretreat",
        tuple(f"{_DATA}/shards/{each}.pkl.csv" for each in SHARDS),
        (f"{_DATA}/shards/*-of-2.pkl.csv*", f"{_DATA}/journal"),
    ),
    Stage(
        "import_pkl",
        (f"data/{ADOPTED}/shards/imported.pkl.csv",),
        (f"data/{ADOPTED}/shards/imported.pkl.csv*", f"data/{ADOPTED}/journal"),
    ),
    Stage(
        "pack",
        (f"{_DATA}/packed/index.csv",),
        (f"{_DATA}/manifest.csv*", f"{_DATA}/packed"),
    ),
    Stage("resolve", (f"{RESULT}/config.yaml",), (f"{RESULT}/config.yaml*",)),
    Stage(
        "train",
        (f"{RESULT}/model.pt",),
        (f"{RESULT}/model.pt*", f"{RESULT}/checkpoints", f"{RESULT}/history.jsonl"),
    ),
    Stage("embed", (f"{RESULT}/embeddings.npz",), (f"{RESULT}/embeddings.npz*",)),
    Stage("score", (f"{RESULT}/metrics.json",), (f"{RESULT}/metrics.json*",)),
    Stage(
        "report",
        (f"{RESULT}/report.csv",),
        (f"{RESULT}/report.csv*", f"{RESULT}/views.csv*", f"{RESULT}/figures"),
    ),
    Stage("submit", (f"{RESULT}/submission.csv",), (f"{RESULT}/submission.csv*",)),
    Stage(
        "merge_experiments",
        (f"{_RESULTS}/GaitSet/report.csv",),
        (f"{_RESULTS}/GaitSet/report.csv*",),
    ),
    Stage("merge_models", (f"{_RESULTS}/report.csv",), (f"{_RESULTS}/report.csv*",)),
    Stage("matrix", ("results/matrix.csv",), ("results/matrix.csv*",)),
    Stage("quality", (f"{_RESULTS}/quality.csv",), (f"{_RESULTS}/quality.*",)),
    Stage("html_report", ("results/report.html",), ("results/report.html",)),
)
# What the other dataset's tree becomes, by rules that are tried on the first one.
AFTER_ADOPTION = Stage(
    "pack",
    (),
    (f"data/{ADOPTED}/manifest.csv*", f"data/{ADOPTED}/packed", f"results/{ADOPTED}"),
)
RULES = tuple(stage.rule for stage in STAGES)
# Files that hold times, states of files or whole runs' logs; what they say is compared by others.
VOLATILE = ("history.jsonl", "summary", "journal", "checkpoints")


def finished(root: Path) -> Workspace:
    """A workspace in which every rule has run, on two tiny datasets.

    Args:
        root: an empty folder, which becomes the workspace.
    """
    workspace = Workspace(root)
    dataset = workspace.read(f"datasets/{DATASET}/dataset.yaml")
    dataset["protocols"]["submission"] = {
        "kind": "submission",
        "title": "the nearest of the gallery",
        "gallery": {"condition": ["nm-01"]},
        "probes": {"subject": ["004"], "condition": ["nm-02"]},
        "columns": "videoID label",
    }
    workspace.write(f"datasets/{DATASET}/dataset.yaml", dataset)
    settings = workspace.read("config/config.yaml")
    settings["targets"] = [*TARGETS[:1], TARGETS[-1]]
    settings["matrix"] = {"experiments": [f"{DATASET}/GaitSet/tiny"]}
    # A loader's worker and two ranks, to be hit alone.
    settings["resources"]["train"] |= {"threads": 2, "processes": 2, "loader_workers": 1}
    settings["resources"]["embed"] |= {"threads": 2, "loader_workers": 1}
    workspace.write("config/config.yaml", settings)
    del dataset["population"], dataset["protocols"]["submission"]
    workspace.write(f"datasets/{ADOPTED}/dataset.yaml", dataset | {"baselines": []})
    workspace.write(f"datasets/{ADOPTED}/partition.yaml", {"train": [], "test": ["*"]})
    workspace.write(f"config/experiments/{ADOPTED}/GEI/baseline.yaml", {"iterations": 0})
    workspace.made(f"data/{DATASET}/manifest.csv")
    shutil.copytree(root / f"data/{DATASET}/pkl/004", root / f"data/{ADOPTED}/pkl/004")
    shutil.copytree(root / f"data/{DATASET}/pkl/005", root / f"data/{ADOPTED}/pkl/005")
    workspace.made(*TARGETS)
    return workspace


def copy_of(workspace: Workspace, root: Path) -> Workspace:
    """A copy that a fault may be tried on, with all times of modification."""
    shutil.copytree(workspace.root, root, symlinks=True)
    return Workspace.at(root)


def forget(root: Path, stages: Iterable[Stage]) -> None:
    """Remove what these stages have made."""
    for stage in stages:
        for pattern in stage.outputs:
            for path in root.glob(pattern):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def content(root: Path) -> dict[str, str]:
    """A digest of every file below `data` and `results`, by path; of the volatile ones, the name.

    A file that Snakemake or a stage leaves behind is there as well.
    """
    found = {}
    for top in ("data", "results"):
        for folder, _, names in os.walk(root / top):
            for name in names:
                path = Path(folder) / name
                relative = path.relative_to(root).as_posix()
                is_volatile = any(part in VOLATILE for part in path.parts)
                found[relative] = "" if is_volatile else _digest(path)
    # Events of TensorBoard are named by time and process.
    return {name: value for name, value in found.items() if "/summary/" not in name}


def _digest(path: Path) -> str:
    data = path.read_bytes()
    if path.name == "config.yaml":
        data = json.dumps(yaml.safe_load(data), default=str).encode()
    return hashlib.sha256(data).hexdigest()


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """What is not as in the undisturbed workspace, one sentence each."""
    missing = [f"missing: {name}" for name in sorted(expected.keys() - found.keys())]
    left = [f"left behind: {name}" for name in sorted(found.keys() - expected.keys())]
    changed = [
        f"differs: {name}"
        for name in sorted(expected.keys() & found.keys())
        if expected[name] != found[name]
    ]
    return missing + left + changed
