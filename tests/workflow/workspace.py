"""A folder in which the real workflow runs on a tiny population, and what a run of it did."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]

POPULATION = {
    "seed": 1,
    "subjects": 6,
    "views_deg": [54, 90],
    "sequences": {"nm": 6, "bg": 2, "cl": 2},
    "duration_s": 1.0,
}
PARTITION = {"train": ["001-003"], "test": ["004-006"]}

# A model that trains in seconds.
EXPERIMENT: dict[str, Any] = {
    "model": {"channels": [4, 8, 8], "embedding_channels": 8},
    "iterations": 6,
    "optimizer": {"name": "Adam", "lr": 0.001},
    "scheduler": {"name": "MultiStepLR", "milestones": [4], "gamma": 0.1},
    "sampler": {"name": "TripletSampler", "subjects": 2, "sequences": 2},
    "frames": {"number": "fixed", "order": "unordered", "count": 4},
    "logging": {"log_every": 1, "checkpoint_every": 2},
    "evaluation": {"bootstrap": 20},
}

# Models of other kinds that do: ScoNet, LidarGait, LidarGait++ and GaitTR.
SCONET: dict[str, Any] = EXPERIMENT | {
    "model": {
        "backbone": {"name": "ResNet9", "channels": [4, 4, 8, 8]},
        "embedding_channels": 8,
    },
    "sampler": {"name": "TripletSampler", "subjects": 2, "sequences": 2},
    "iterations": 2,
}
_TWO_STEPS: dict[str, Any] = {
    "iterations": 2,
    "sampler": {"subjects": 2, "sequences": 2},
    "frames": {"count": 2},
    "evaluation": {"bootstrap": 20},
}
LIDARGAIT: dict[str, Any] = _TWO_STEPS | {
    "model": {"backbone": {"channels": [4, 4, 8, 8]}, "embedding_channels": 8},
}
_CLOUD = [{"name": "RandomSamplePoints", "count": 32}, {"name": "NormalisePoints"}]
LIDARGAITPP: dict[str, Any] = _TWO_STEPS | {
    "model": {"channels": 4, "points": [16, 8, 8], "neighbours": 4, "embedding_channels": 8},
    "transforms": _CLOUD,
    "embedding": {"transforms": _CLOUD},
}
GAITTR: dict[str, Any] = _TWO_STEPS | {
    "model": {"channels": [10, 32, 32], "embedding_channels": 8},
    "scheduler": {"total_steps": 2},
    "frames": {"count": 4},
}


@dataclass(frozen=True)
class Run:
    """A finished call of Snakemake."""

    code: int
    output: str

    @property
    def jobs(self) -> set[str]:
        """The jobs of the run, as `rule` or `rule wildcard-values`, `all` left out."""
        found = set()
        pattern = r"^(?:local)?rule (\w+):\n((?:    .*\n)*)"
        for rule, details in re.findall(pattern, self.output, re.MULTILINE):
            wildcards = re.search(r"wildcards: (.*)", details)
            values = re.findall(r"\w+=([^,\n]*)", wildcards[1]) if wildcards else []
            found.add(" ".join([rule, *filter(None, values)]))
        return found - {"all"}

    def rules(self) -> set[str]:
        """The names of the rules that ran."""
        return {job.split()[0] for job in self.jobs}


class Workspace:
    """A working folder with the repository's workflow and configuration of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "workflow").symlink_to(REPOSITORY / "workflow")
        shutil.copytree(REPOSITORY / "datasets", root / "datasets")
        shutil.copytree(REPOSITORY / "config", root / "config")
        shutil.rmtree(root / "config" / "experiments")
        self.edit("config/config.yaml", shards=2, targets=[])
        self.edit("datasets/SynthGait/dataset.yaml", population=POPULATION, baselines=[])
        self.write("datasets/SynthGait/partition.yaml", PARTITION)
        self.experiment("SynthGait/GaitSet/tiny")

    @classmethod
    def at(cls, root: Path) -> Workspace:
        """A workspace that is there already, or a copy of one."""
        workspace = object.__new__(cls)
        workspace.root = root
        return workspace

    def experiment(self, name: str, **changes: Any) -> None:
        """Write the tiny experiment, with changes, under `name`."""
        self.write(f"config/experiments/{name}.yaml", EXPERIMENT | changes)

    def write(self, path: str, data: dict[str, Any]) -> None:
        """Write a YAML file."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")

    def read(self, path: str) -> dict[str, Any]:
        """Read a YAML file."""
        data: dict[str, Any] = yaml.safe_load((self.root / path).read_text(encoding="utf-8"))
        return data

    def edit(self, path: str, **changes: Any) -> None:
        """Change top-level keys of a YAML file."""
        self.write(path, self.read(path) | changes)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a user who calls this Python's Snakemake by its path."""
        return os.environ | {"PYTHONUNBUFFERED": "1", "GLOO_SOCKET_IFNAME": "lo"}

    def command(self, *arguments: str) -> list[str]:
        """Snakemake's command line."""
        return [str(Path(sys.executable).with_name("snakemake")), "--cores", "2", *arguments]

    def snakemake(self, *arguments: str, timeout_s: float = 1800) -> Run:
        """Run Snakemake to its end."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Run(done.returncode, done.stdout)

    def made(self, *arguments: str) -> Run:
        """Run Snakemake and expect success."""
        run = self.snakemake(*arguments)
        assert run.code == 0, run.output[-6000:]
        return run

    def planned(self, *arguments: str) -> set[str]:
        """The jobs that Snakemake would run."""
        return self.made("--dry-run", *arguments).jobs

    def bytes_of(self, path: str) -> bytes:
        """A result's content."""
        return (self.root / path).read_bytes()
