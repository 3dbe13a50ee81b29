"""Tells of names in targets that nobody knows, for which Snakemake would only have no rule."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from gait.errors import ConfigError, nearest
from gait.workflow.state import WorkflowState

# What a target below results/<dataset>/ may be called, apart from submissions.
_MADE = {
    "report.csv",
    "views.csv",
    "quality.html",
    "quality.csv",
    "config.yaml",
    "model.pt",
    "embeddings.npz",
    "metrics.json",
}


def check_targets(arguments: Iterable[str], flow: WorkflowState) -> None:
    """Refuse targets that name no dataset, model or experiment.

    Args:
        arguments: of Snakemake's command line; those that are no targets play no part.
        flow: knows the names.

    Raises:
        ConfigError: with the nearest names for each.
    """
    problems = []
    for argument in arguments:
        parts = PurePath(argument).parts
        is_made = bool(parts) and (parts[-1] in _MADE or parts[-1].startswith("submission"))
        if is_made and len(parts) > 2 and parts[0] == "results":
            problems += [f"{argument}: {each}" for each in _unknown(parts[1:-1], flow)]
    if problems:
        raise ConfigError(problems)


def _unknown(names: tuple[str, ...], flow: WorkflowState) -> list[str]:
    """What is wrong with `<dataset>[/<model>[/<save_name>[/on-<dataset>]]]`."""
    dataset, model, save_name = (*names, "", "")[:3]
    if dataset not in flow.datasets:
        return [f"no dataset is named {dataset!r}; {nearest(dataset, flow.datasets)}"]
    models = flow.models(dataset)
    if model and model not in models:
        return [f"{dataset} has no experiment of a model {model!r}; {nearest(model, models)}"]
    saved = [each for *key, each in flow.experiments if key == [dataset, model]]
    if save_name and save_name.partition("@")[0] not in saved:
        where = f"config/experiments/{dataset}/{model}"
        return [f"{where} has no experiment {save_name!r}; {nearest(save_name, saved)}"]
    return []
