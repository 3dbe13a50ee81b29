"""Every configuration that OpenGait ships converts, and is an experiment here with its settings.

`published_configs.json` states the configurations: what differs between them and matters, put
together from an inventory of them, not the files themselves.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import torch

from gait import registry
from gait.compat.experiments import convert
from gait.config.experiment import Experiment
from gait.config.load import load_experiment

ROOT = Path(__file__).parents[2]
CONFIGS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "published_configs.json").read_text(encoding="utf-8")
)
# Settings that differ on purpose.
ON_PURPOSE = {
    "multigaitpp/multigaitpp_ccpg.yaml": {"iterations"},
}
# Where weights come from is the user's business, and named by experiment here. Statistics of
# batch normalisation are synchronised here unless a configuration fixes them. What is written
# while training changes no result.
ELSEWHERE = {"seed", "logging", "init", "init_from", "batch_norm"}
FILES = {"weights", "mask_weights", "transformer"}


def with_defaults(kind: str, component: dict[str, Any]) -> dict[str, Any]:
    """A component with the defaults of what it leaves out, without files of weights."""
    whole = registry.with_defaults(kind, component)
    return {name: value for name, value in whole.items() if name not in FILES}


def settled(experiment: dict[str, Any]) -> dict[str, Any]:
    """An experiment with everything that changes a result, in one way of writing."""
    valid = Experiment.model_validate(experiment)
    whole = {key: each for key, each in valid.model_dump().items() if key not in ELSEWHERE}
    for kind in ("model", "optimizer", "scheduler", "sampler"):
        whole[kind] = with_defaults(kind, whole[kind])
    whole["losses"] = sorted(
        (
            with_defaults("loss", loss.settings)
            | {"weight": loss.weight, "target": loss.target}
            | {"reads": loss.fields or registry.get("loss", loss.name).fields}
            for loss in valid.losses.values()
        ),
        key=lambda loss: json.dumps(loss, default=list),
    )
    for holder, transforms in (
        (whole, valid.transforms),
        (whole["embedding"], valid.embedding.transforms),
    ):
        holder["transforms"] = [
            with_defaults("transform", each.settings) | {"input": each.input}
            for each in transforms
        ]
    # How much is embedded at a time changes no result.
    del whole["embedding"]["frames_per_batch"]
    frames = whole["frames"]
    if frames["number"] == "unfixed":
        del frames["count"]
    if frames["order"] != "ordered":
        del frames["skip"]
    plain: dict[str, Any] = json.loads(json.dumps(whole, default=list))
    return plain


def by_parameter(experiment: dict[str, Any]) -> dict[str, Any]:
    """What the groups of an experiment say of each parameter of its model."""
    groups = Experiment.model_validate(experiment).parameters
    if not groups:
        return {}
    sizes = {"num_classes": 3, "num_categories": 3, "height_px": 64, "width_px": 44}
    with torch.device("meta"):
        model = registry.build("model", experiment["model"], **sizes)
    # What the model itself keeps from learning does not, whatever the groups say.
    found: dict[str, Any] = {
        name: {"frozen": True}
        for name, parameter in model.named_parameters()
        if not parameter.requires_grad
    }
    for name, _ in model.named_parameters():
        for group in groups:
            if name not in found and any(fnmatchcase(name, pattern) for pattern in group.patterns):
                said = group.model_dump(exclude={"match"})
                # What learns at a rate of 0 is frozen, however it is written.
                frozen = said["frozen"] or said["lr"] == 0
                found[name] = {"frozen": True} if frozen else said
                break
    return found


@pytest.mark.parametrize("name", sorted(CONFIGS))
@pytest.mark.filterwarnings("ignore::gait.compat.foreign.ConversionWarning")
def test_an_experiment_has_its_settings(name: str) -> None:
    stated = CONFIGS[name]
    dataset, model, save_name = stated["experiment"].split("/")
    ours = load_experiment(ROOT, dataset, model, save_name)[0].experiment
    conversion = convert(stated["cfg"])
    expected, found = (
        settled(each) for each in (conversion.experiment, ours.model_dump(mode="json"))
    )
    if ours.iterations == 0:
        # The training that its weights come from is another experiment's.
        for each in (expected, found):
            for key in ("iterations", "transforms"):
                del each[key]
    expected["parameters"] = by_parameter(conversion.experiment)
    found["parameters"] = by_parameter(ours.model_dump(mode="json"))
    # A published configuration names no paper, and nothing depends on it.
    keys = expected.keys() - {"paper"}
    differing = {key for key in keys if expected[key] != found[key]}
    assert differing == ON_PURPOSE.get(name, set()), {
        key: (expected[key], found[key]) for key in differing
    }


def test_every_published_configuration_is_there() -> None:
    assert len(CONFIGS) == 106
