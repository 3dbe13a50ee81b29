"""The settings that a job depends on, one by one, as Snakemake compares and shows them.

Snakemake shows a changed parameter whole, before and now, as the reason for running a job again.
Given piece by piece, the reason names what was changed, and no more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from gait.config.dataset import Dataset
from gait.config.experiment import Embedding, Evaluation, Experiment
from gait.config.resolved import NOT_TRAINED_BY, Resolved

SLICES: dict[str, Callable[[Resolved], dict[str, Any]]] = {
    "all": lambda resolved: resolved.model_dump(mode="json"),
    "training": Resolved.training_slice,
    "embedding": Resolved.embedding_slice,
    "scoring": Resolved.scoring_slice,
}
_KEYS: dict[str, list[str]] = {
    "all": list(Resolved.model_fields),
    "training": ["experiment", "train", "categories"],
    "embedding": ["embedding", "inputs", "test"],
    "scoring": ["evaluation", "protocols", "seed"],
}
# What is given field by field.
_DIVIDED: dict[str, type[BaseModel]] = {
    "dataset": Dataset,
    "experiment": Experiment,
    "embedding": Embedding,
    "evaluation": Evaluation,
}
_LONGEST = 160


def setting_names(stage: str) -> list[str]:
    """The names of the settings of a stage, whatever the experiment.

    Args:
        stage: 'training', 'embedding', 'scoring', or 'all' for the whole experiment.
    """
    names = []
    for key in _KEYS[stage]:
        if key in _DIVIDED:
            fields = list(_DIVIDED[key].model_fields)
            if stage == "training":
                fields = [each for each in fields if each not in NOT_TRAINED_BY]
            names += [f"{key}_{field}" for field in fields]
        else:
            names.append(key)
    return names


def sliced(stage: str, resolved: Resolved) -> dict[str, str]:
    """Each setting of a stage, `<key>: <JSON>`, by name; a long one is cut, with its digest."""
    found = {}
    for key, value in SLICES[stage](resolved).items():
        if key in _DIVIDED:
            for field, each in value.items():
                found[f"{key}_{field}"] = _text(field, each)
        else:
            found[key] = _text(key, value)
    return found


def canonical_json(data: Any) -> str:
    """JSON text that depends on the values only."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def _text(key: str, value: Any) -> str:
    text = canonical_json(value)
    if len(text) > _LONGEST:
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        text = f"{text[:_LONGEST]}... (sha256 {digest})"
    return f"{key}: {text}"
