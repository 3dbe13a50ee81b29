"""What `results/matrix.csv` is made of: experiments, their seeds, and where they are tested."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gait.errors import ConfigError, nearest
from gait.workflow.state import MATRIX, Key, WorkflowState


def metrics(flow: WorkflowState) -> list[str]:
    """The metrics of each experiment that can run, for each seed, on each dataset.

    Raises:
        ConfigError: nothing is configured, or every problem of what is.
    """
    settings = _settings(flow)
    experiments = _experiments(flow)
    tested_on = settings.get("test_on") or list(dict.fromkeys(key[0] for key in experiments))
    problems: dict[str, None] = {}
    files = []
    for key in experiments:
        try:
            if flow.missing(*key) is not None:
                continue
        except ConfigError as error:
            problems |= dict.fromkeys(error.problems)
            continue
        dataset, model, _ = key
        for other in tested_on:
            on = "" if other == dataset else f"/on-{other}"
            try:
                flow.evaluated(*key, on)
            except ConfigError as error:
                problems |= dict.fromkeys(error.problems)
            files += [
                f"results/{dataset}/{model}/{save_name}{on}/metrics.json"
                for save_name in _runs(flow, key, settings.get("seeds"))
            ]
    if problems:
        raise ConfigError(problems)
    return files


def notes(flow: WorkflowState) -> list[str]:
    """A note `<dataset>/<model>/<save_name>: why` for each experiment that cannot run."""
    return [
        f"{'/'.join(key)}: {why}"
        for key in _experiments(flow)
        if (why := flow.missing(*key)) is not None
    ]


def _runs(flow: WorkflowState, key: Key, seeds: list[int] | None) -> Iterator[str]:
    """The save_name of each run of an experiment: its own for its own seed."""
    experiment = flow.experiment(*key).experiment
    if seeds is None or experiment.weights is not None:
        # Weights that are given as they are depend on no seed; runs of them would all be one.
        yield key[2]
        return
    for seed in seeds:
        yield key[2] if seed == experiment.seed else f"{key[2]}@{seed}"


def _experiments(flow: WorkflowState) -> list[Key]:
    known = {"/".join(key): key for key in flow.experiments}
    wanted = _settings(flow)["experiments"]
    if unknown := [each for each in wanted if each not in known]:
        raise ConfigError(
            f"config/config.yaml: matrix.experiments: no experiment is named {each}; "
            f"{nearest(each, known)}"
            for each in unknown
        )
    return [known[each] for each in wanted]


def _settings(flow: WorkflowState) -> dict[str, Any]:
    settings: dict[str, Any] | None = flow.settings.get("matrix")
    if settings is None:
        raise ConfigError(
            f"config/config.yaml: {MATRIX} needs 'matrix', expected a mapping with the key "
            "'experiments', a list of <dataset>/<model>/<save_name>, got none"
        )
    return settings
