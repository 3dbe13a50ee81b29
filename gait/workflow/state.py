"""What the Snakemake rules ask: pure functions over the configuration and small files on disk.

Imports no torch: this package is loaded at each start of Snakemake and by each cluster job.
"""

from __future__ import annotations

import os
import re
import time
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from gait import registry
from gait.config.dataset import matching_subjects
from gait.config.experiment import Experiment
from gait.config.load import SEED, experiment_names, load_experiment
from gait.config.protocol import Submission
from gait.config.resolved import Resolved
from gait.errors import ConfigError, nearest
from gait.evaluation.feasible import UNSCORED, feasible
from gait.formats.seal import has_zip_seal
from gait.workflow.datasets import DatasetsState
from gait.workflow.slices import sliced

# Dataset, model and save_name of an experiment.
Key = tuple[str, str, str]
_SAVE_NAME = 2
MATRIX = "results/matrix.csv"


class _Obstacle(NamedTuple):
    """Why an experiment cannot run, and what to do about it."""

    cause: str
    remedy: str


class WorkflowState(DatasetsState):
    """The workflow's view of `config/` and `datasets/` below `root`.

    Attributes:
        on_cluster: whether each job gets resources of its own from a cluster.
    """

    def __init__(self, root: Path, settings: dict[str, Any], on_cluster: bool = False) -> None:
        super().__init__(root, settings)
        self.on_cluster = on_cluster
        self.started = time.time()
        problems = registry.check("segmenter", settings["segmenter"], "segmenter")
        if problems:
            raise ConfigError(f"config/config.yaml: {problem}" for problem in problems)
        self.experiment = cache(self._experiment)
        self.evaluated = cache(self._evaluated)
        self.slice = cache(self._slice)

    # Names, for wildcard constraints.

    @cached_property
    def experiments(self) -> list[tuple[str, str, str]]:
        return experiment_names(self.root)

    def pattern(self, position: int | None = None) -> str:
        """A regular expression for the known datasets, or one position of the experiment keys.

        A save_name may have any seed behind it.
        """
        names = (
            self.datasets if position is None else {each[position] for each in self.experiments}
        )
        pattern = "|".join(map(re.escape, sorted(names))) or "(?!)"
        return f"(?:{pattern})(?:{SEED})?" if position == _SAVE_NAME else pattern

    # Experiments.

    def reports(self, dataset: str, model: str) -> list[str]:
        """The tables of every experiment of a pair, and of the dataset's baselines.

        Raises:
            ConfigError: there is no such experiment, or every problem of those there are.
        """
        wanted = [each for each in self.experiments if each[:2] == (dataset, model)]
        if not wanted:
            known = [f"{dataset}/{each}" for each in self.models(dataset)]
            raise ConfigError(
                f"config/experiments/{dataset}/{model} holds no experiment; "
                f"{nearest(f'{dataset}/{model}', known)}"
            )
        for baseline in self.dataset(dataset).baselines:
            name, save_name = baseline.split("/")
            if (dataset, name, save_name) not in wanted:
                wanted.append((dataset, name, save_name))
        problems: list[str] = []
        for key in wanted:
            try:
                self.experiment(*key)
            except ConfigError as error:
                problems += [each for each in error.problems if each not in problems]
        if problems:
            raise ConfigError(problems)
        return [
            f"results/{'/'.join(key)}/report.csv" for key in wanted if self.missing(*key) is None
        ]

    def submissions(self, dataset: str, model: str) -> list[str]:
        """The files for challenges of a pair's experiments, those that cannot run left out."""
        return [
            f"results/{'/'.join(key)}/{name}.csv"
            for key in self.experiments
            if key[:2] == (dataset, model) and self.missing(*key) is None
            for name, protocol in self.experiment(*key).protocols.items()
            if isinstance(protocol, Submission)
        ]

    def submitted(self, dataset: str, model: str, save_name: str, on: str, submission: str) -> str:
        """The metrics that hold the lines of a submission; `on` as for `slice`.

        Raises:
            ConfigError: the experiment is scored by no such protocol.
        """
        resolved = self.evaluated(dataset, model, save_name, on)
        known = [name for name, each in resolved.protocols.items() if isinstance(each, Submission)]
        if submission not in known:
            raise ConfigError(
                f"{resolved.identity}: is scored by no submission {submission!r}, see protocols "
                f"in datasets/{resolved.dataset.name}/dataset.yaml; {nearest(submission, known)}"
            )
        return f"results/{resolved.identity}/metrics.json"

    def notes(self, dataset: str, model: str) -> list[str]:
        """A note `<dataset>/<model>/<save_name>: why` for each experiment that cannot run."""
        return [
            f"{'/'.join(key)}: {why}"
            for key in self.experiments
            if key[:2] == (dataset, model) and (why := self.missing(*key)) is not None
        ]

    def models(self, dataset: str) -> list[str]:
        """The models that have an experiment on a dataset."""
        return sorted({model for each, model, _ in self.experiments if each == dataset})

    def page_reports(self) -> list[str]:
        """The experiments' tables behind every table among the configured targets."""
        reports: dict[str, None] = {}
        for target in self.settings["targets"]:
            match Path(target).parts:
                case ("results", dataset, "report.csv"):
                    for model in self.models(dataset):
                        reports |= dict.fromkeys(self.reports(dataset, model))
                case ("results", dataset, model, "report.csv"):
                    reports |= dict.fromkeys(self.reports(dataset, model))
                case ("results", _, _, _, "report.csv"):
                    reports[target] = None
                case ("results", _, _, _, on, "report.csv") if on.startswith("on-"):
                    reports[target] = None
        if not reports and not self.page_matrix():
            raise ConfigError(
                "config/config.yaml: results/report.html shows the tables among 'targets', "
                f"expected results/<dataset>/report.csv or so, got {self.settings['targets']}"
            )
        return list(reports)

    def page_datasets(self) -> list[str]:
        """The datasets that are tested in the tables of `page_reports`, sorted."""
        tested = set()
        for report in self.page_reports():
            _, dataset, _, _, *on, _ = Path(report).parts
            tested.add(on[0].removeprefix("on-") if on else dataset)
        return sorted(tested)

    def page_matrix(self) -> list[str]:
        """The matrix, where it is among the configured targets."""
        return [MATRIX] if MATRIX in self.settings["targets"] else []

    def missing(self, dataset: str, model: str, save_name: str) -> str | None:
        """Why an experiment cannot run: weights that it starts from, or a further dataset that it
        is trained on, are absent, or a dataset lacks what the model reads.

        Weights that another experiment makes are there as soon as that one can run.
        """
        obstacle = self._obstacle((dataset, model, save_name), frozenset())
        return None if obstacle is None else obstacle.cause

    def _obstacle(self, key: Key, above: frozenset[Key]) -> _Obstacle | None:
        resolved = self.experiment(*key)
        experiment = resolved.experiment
        for weights in experiment.starts:
            maker = self._maker(weights)
            if (self.root / weights).is_file():
                if maker is None and (obstacle := self._foreign(weights, experiment)):
                    return obstacle
                continue
            if maker is None or maker in above | {key}:
                remedy = f"put the file there or change {_key_of_start(experiment)}"
                return _Obstacle(f"the weights {weights} are not there", remedy)
            if (obstacle := self._obstacle(maker, above | {key})) is not None:
                return obstacle
        start = f"starts from {'/'.join(key)}, which " if above else ""
        for dataset in experiment.train_on:
            if self.is_absent(dataset):
                cause = f"is trained on {dataset} as well, which is not in {self.folder(dataset)}"
                how = " ".join(self.dataset(dataset).obtain.split()).rstrip(".")
                return _Obstacle(start + cause, f"{how}; or take it from 'train_on'")
        for dataset in (resolved.dataset.name, *experiment.train_on):
            if (absent := self.missing_modalities(dataset, experiment.modalities)) is not None:
                return _Obstacle(start + absent.cause, absent.remedy)
        return None

    def _foreign(self, weights: str, experiment: Experiment) -> _Obstacle | None:
        """What is wrong with a file of weights that another program wrote, if one did."""
        try:
            if has_zip_seal(self.root / weights):
                return None
        except OSError as error:
            return _Obstacle(f"{weights} cannot be read ({error.strerror})", "make it readable")
        key = _key_of_start(experiment)
        return _Obstacle(
            f"{weights} was not written by this software, or is cut short",
            "turn weights of OpenGait into ours with `gait import-checkpoint` and name that file "
            f"in {key}",
        )

    def check_scorable(self, dataset: str, model: str, save_name: str, on: str = "") -> None:
        """Refuse an experiment that the sequences that are there leave nothing to score.

        Only where they are known already; `gait train` looks again. `on` as for `slice`.

        Raises:
            ConfigError: a protocol cannot be scored at all; every such protocol.
        """
        resolved = self.evaluated(dataset, model, save_name, on)
        keys = self.keys(resolved.dataset.name)
        # Without any, other sentences say how to get them.
        if not keys or not resolved.protocols:
            return
        named = resolved.dataset.partition.test
        tested = set(matching_subjects(sorted({key.subject for key in keys}), named))
        there = [key for key in keys if key.subject in tested]
        known = feasible(resolved.protocols, there).values()
        if problems := [each.problem for each in known if each.problem]:
            raise ConfigError(f"{resolved.identity}: {each}; {UNSCORED}" for each in problems)

    def initial_weights(self, dataset: str, model: str, save_name: str) -> list[str]:
        """The files of weights that training starts from.

        Raises:
            ConfigError: the experiment cannot run, see `missing`.
        """
        key = (dataset, model, save_name)
        if (obstacle := self._obstacle(key, frozenset())) is not None:
            raise ConfigError(
                f"config/experiments/{'/'.join(key)}.yaml: {obstacle.cause}; {obstacle.remedy}"
            )
        return self.experiment(*key).experiment.starts

    def other_indices(self, dataset: str, model: str, save_name: str) -> list[str]:
        """The packed stores of further datasets that an experiment is trained on."""
        others = self.experiment(dataset, model, save_name).experiment.train_on
        return [str(self.folder(each) / "packed" / "index.csv") for each in others]

    def _slice(
        self, stage: str, dataset: str, model: str, save_name: str, on: str = ""
    ) -> dict[str, str]:
        """The settings of an experiment that a stage depends on, by name.

        Args:
            stage: 'training', 'embedding', 'scoring', or 'all' for the whole experiment.
            on: `/on-<dataset>` where it is tested on another one; else an empty text.
        """
        return sliced(stage, self.evaluated(dataset, model, save_name, on))

    def test_index(self, dataset: str, model: str, save_name: str, on: str = "") -> str:
        """The packed store of the dataset that an experiment is tested on; `on` as for `slice`."""
        tested = self.evaluated(dataset, model, save_name, on).dataset.name
        return str(self.folder(tested) / "packed" / "index.csv")

    # Resources.

    def resources(self, job: str) -> dict[str, Any]:
        """Snakemake resources of a kind of job, from one place to every executor's flags."""
        wanted = self.settings["resources"][job]
        resources: dict[str, Any] = {
            "mem_mb": lambda wildcards, attempt: wanted["mem_mb"] * 2 ** (attempt - 1),
            "runtime": wanted["runtime_min"],
        }
        if partition := wanted.get("partition"):
            resources["slurm_partition"] = partition
        gpus, nodes = wanted.get("gpus", 0), wanted.get("nodes", 1)
        if nodes > 1:
            resources |= {"mpi": "srun", "nodes": nodes, "tasks": nodes}
            if gpus:
                resources["slurm_extra"] = f"--gpus-per-node={gpus}"
        elif gpus:
            resources |= {"gpu": gpus, "nodes": 1}
        if job in ("train", "embed") and not self.on_cluster:
            # Limited by the default profile, so that two jobs never share a card; that profile is
            # read on a cluster as well, where the limit would be one job at a time.
            resources["accelerator"] = 1
        return resources

    def threads(self, job: str) -> int:
        """Processor cores of a kind of job."""
        threads: int = self.settings["resources"][job]["threads"]
        return threads

    def processes(self, job: str) -> int:
        """Processes a node: one a GPU, or the configured number where there is none."""
        wanted = self.settings["resources"][job]
        processes: int = wanted.get("gpus") or wanted.get("processes", 1)
        return processes

    def nodes(self, job: str) -> int:
        """Nodes of a kind of job."""
        nodes: int = self.settings["resources"][job].get("nodes", 1)
        return nodes

    def loader_workers(self, job: str) -> int:
        """Processes that load data beside each process that computes."""
        workers: int = self.settings["resources"][job].get("loader_workers", 0)
        return workers

    def _experiment(self, dataset: str, model: str, save_name: str) -> Resolved:
        if not self._is_experiment((dataset, model, save_name)):
            known = ["/".join(each) for each in self.experiments]
            wanted = f"{dataset}/{model}/{save_name}"
            raise ConfigError(f"no experiment is named {wanted}; {nearest(wanted, known)}")
        return load_experiment(self.root, dataset, model, save_name)[0]

    def _evaluated(self, dataset: str, model: str, save_name: str, on: str) -> Resolved:
        """An experiment as it is tested.

        Raises:
            ConfigError: there is no such experiment or dataset, or the one cannot be tested on the
                other.
        """
        resolved = self.experiment(dataset, model, save_name)
        if not on:
            return resolved
        tested = resolved.tested_on(self.dataset(on.removeprefix("/on-")))
        if (
            absent := self.missing_modalities(tested.dataset.name, tested.experiment.modalities)
        ) is not None:
            raise ConfigError(
                f"{tested.identity}: {absent.cause}; {absent.remedy}; or name another dataset"
            )
        return tested

    def _maker(self, path: str) -> Key | None:
        """The experiment whose weights file this is, if it is one."""
        match Path(path).parts:
            case ("results", dataset, model, save_name, "model.pt"):
                key = (dataset, model, save_name)
                return key if self._is_experiment(key) else None
        return None

    def _is_experiment(self, key: Key) -> bool:
        """Whether there is such an experiment, with its own seed or another one."""
        dataset, model, save_name = key
        return (dataset, model, save_name.partition("@")[0]) in self.experiments


def _key_of_start(experiment: Experiment) -> str:
    """Where an experiment says which weights training starts from."""
    if experiment.weights:
        return "weights"
    return "init.weights" if experiment.init else "init_from"


def find_programs(*folders: Path) -> None:
    """Let jobs find programs in these folders first: those of the Python that runs Snakemake,
    whether its environment is activated or not, and the workflow's own scripts."""
    os.environ["PATH"] = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
