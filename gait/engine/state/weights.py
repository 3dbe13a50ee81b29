"""Trained weights as a file: `model.pt`, and what a run may start from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeGuard, runtime_checkable

from torch import Tensor, nn

from gait import registry
from gait.config.experiment import Experiment, Init, InitFrom
from gait.config.resolved import Resolved
from gait.engine.state.files import REMEDY, load_torch, save_torch
from gait.errors import CheckpointError, ConfigError
from gait.formats.weights.compatibility import misfit, misfits, some
from gait.limits import LIST_ITEMS
from gait.screen import shown

MODEL_FORMAT = "gait-model-1"
CHECKPOINT_FORMAT = "gait-checkpoint-1"

_SHOWN = 8


@runtime_checkable
class Pretrained(Protocol):
    """A model with parts whose weights are published elsewhere."""

    def load_pretrained(self) -> None:
        """Load these weights; not needed when a trained model is restored."""
        ...


@dataclass(frozen=True, slots=True)
class Weights:
    """What a `model.pt` holds.

    Attributes:
        model: tensors by name.
        config: the resolved experiment that was trained, as plain data.
        provenance: versions, data and shapes; the same on every machine and at any time.
    """

    model: dict[str, Tensor]
    config: dict[str, Any]
    provenance: dict[str, Any]

    @property
    def sizes(self) -> dict[str, int]:
        """What the model's parameters were derived from, by the names in `registry.DERIVED`.

        Raises:
            CheckpointError: they are not there.
        """
        if "sizes" not in self.provenance:
            raise CheckpointError(
                "the weights do not tell the sizes of their model (provenance.sizes); train, or "
                "import them, again"
            )
        sizes: dict[str, int] = self.provenance["sizes"]
        return sizes


def plain_state(module: nn.Module) -> dict[str, Tensor]:
    """The state of `module` as contiguous tensors on the CPU, free of torch's bookkeeping."""
    return {
        name: value.detach().cpu().contiguous().clone()
        for name, value in module.state_dict().items()
    }


def write_model(
    path: Path, model: nn.Module, resolved: Resolved, provenance: dict[str, Any]
) -> None:
    """Write `model.pt`; the same weights, experiment and provenance give the same bytes."""
    # Equal strings may or may not be one object, which a pickle would show; JSON forgets that.
    data = json.loads(
        json.dumps({"config": resolved.model_dump(mode="json"), "provenance": provenance})
    )
    save_torch({"format": MODEL_FORMAT, "model": plain_state(model), **data}, path)


def read_model(path: Path) -> Weights:
    """Read a `model.pt`.

    Raises:
        CheckpointError: the file is missing, damaged, incomplete, or something else.
    """
    data = load_torch(path, _remedy(path))
    if data.get("format") != MODEL_FORMAT:
        raise CheckpointError(
            f"{path}: expected the format {MODEL_FORMAT}, {_found(data)}; {_remedy(path)}"
        )
    if problem := _incomplete(data):
        raise CheckpointError(f"{path}: {problem}; {_remedy(path)}")
    return Weights(data["model"], data["config"], data["provenance"])


def _incomplete(data: dict[str, Any]) -> str:
    """What a `model.pt` lacks, whoever wrote it; nothing where it is whole."""
    state, config, provenance = (data.get(each) for each in ("model", "config", "provenance"))
    if not _is_state(state):
        return "expected tensors by name under 'model'"
    experiment = config.get("experiment") if isinstance(config, dict) else None
    model = experiment.get("model") if isinstance(experiment, dict) else None
    if not _is_named(model) or not isinstance(model.get("name"), str):
        return "expected the settings of its model under 'config'"
    sizes = provenance.get("sizes", {}) if _is_named(provenance) else None
    if not _is_named(sizes):
        return "expected what the weights come from under 'provenance'"
    for name, size in sizes.items():
        # What is not trained, such as a baseline, may know no subject.
        if type(size) is not int or not 0 <= size <= LIST_ITEMS.value:
            return f"expected a size as {shown(name)}, got {shown(repr(size))}"
    return ""


def _is_named(given: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(given, dict) and all(isinstance(name, str) for name in given)


def _is_state(given: object) -> TypeGuard[dict[str, Tensor]]:
    return _is_named(given) and all(isinstance(each, Tensor) for each in given.values())


def _remedy(path: Path) -> str:
    if path.name == "model.pt":
        return f"remove it and make it again with `snakemake --cores all {path}`"
    return f"{REMEDY}, or turn weights of another program into ours with `gait import-checkpoint`"


def load_strictly(model: nn.Module, state: Mapping[str, Tensor], source: Path | str) -> None:
    """Give `model` the tensors of `state`.

    Raises:
        CheckpointError: the first of the names that are missing or unexpected, and of tensors
            that are of another shape or kind of number, or not finite.
    """
    problems = misfits(model.state_dict(), state)
    if problems:
        raise CheckpointError(f"{source}: does not fit the model: {'; '.join(problems)}")
    model.load_state_dict(dict(state))


def start(model: nn.Module, experiment: Experiment) -> tuple[dict[str, Any], list[str]]:
    """Give `model` the weights that the experiment starts from, where it names any.

    Returns:
        The parts of the training state that are to be restored, by name ('optimizer',
        'scheduler', 'iteration'), and sentences about weights that were not used.

    Raises:
        CheckpointError: a file cannot be read, does not fit, or lacks a part of the training
            state that is to be restored.
    """
    if isinstance(model, Pretrained):
        model.load_pretrained()
    if experiment.init is not None:
        return _warm_start(model, experiment.init)
    said: list[str] = []
    for each in experiment.init_from:
        said += _take_over(model, each)
    return {}, said


def _warm_start(model: nn.Module, init: Init) -> tuple[dict[str, Any], list[str]]:
    path = Path(init.weights)
    data = _start_data(path)
    state: dict[str, Tensor] = data["model"]
    said = []
    if init.strict:
        try:
            load_strictly(model, state, path)
        except CheckpointError as error:
            raise CheckpointError(f"{error}; set init.strict: false to use what fits") from None
    else:
        said = [f"{path}: not used: {each}" for each in misfits(model.state_dict(), state)]
        _load_fitting(model, state)
    wanted = {"optimizer", "scheduler", "iteration"} - set(init.reset)
    missing = sorted(wanted - set(data))
    if missing:
        raise CheckpointError(
            f"{path}: holds no {' and no '.join(missing)} to restore; name it in init.reset, or "
            "start from a checkpoint instead of a model.pt"
        )
    return {name: data[name] for name in sorted(wanted)}, said


def _take_over(model: nn.Module, init: InitFrom) -> list[str]:
    """Give `model` a part of another experiment's result."""
    path = Path(init.weights)
    below = f"{init.part}." if init.part else ""
    into = f"{init.into}." if init.into else ""
    state = {
        into + name.removeprefix(below): value
        for name, value in _start_data(path)["model"].items()
        if name.startswith(below)
    }
    own = model.state_dict()
    unfit = [name for name, value in state.items() if name not in own or misfit(own[name], value)]
    if len(unfit) == len(state):
        wanted = [name for name in own if name.startswith(into)]
        raise CheckpointError(
            f"{path}: none of its tensors{f' below {init.part}' if below else ''} fits the model"
            f"{f' below {init.into}' if into else ''}; it has {_few(state) or 'none'}"
            f", the model {_few(wanted) or 'none'}; change init_from"
        )
    if unfit and init.strict:
        raise CheckpointError(
            f"{path}: does not fit the model: {_few(unfit)}; set init_from.strict: false to "
            "use what fits"
        )
    _load_fitting(model, state)
    return [f"{path}: not used: {_few(unfit)}"] if unfit else []


def _load_fitting(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give `model` those tensors of `state` that fit it."""
    fitting = {**model.state_dict()}
    fitting.update(
        (name, value)
        for name, value in state.items()
        if name in fitting and not misfit(fitting[name], value)
    )
    model.load_state_dict(fitting)


def _start_data(path: Path) -> dict[str, Any]:
    ours = "expected a model.pt or a checkpoint of this software"
    data = load_torch(
        path, f"{ours}; make it again, or convert foreign weights with `gait import-checkpoint`"
    )
    if data.get("format") not in (MODEL_FORMAT, CHECKPOINT_FORMAT):
        raise CheckpointError(
            f"{path}: {ours}, {_found(data)}; convert foreign weights with "
            "`gait import-checkpoint`"
        )
    if not _is_state(data.get("model")):
        raise CheckpointError(f"{path}: {ours}, which has tensors by name under 'model'")
    return data


def check_same_model(weights: Weights, resolved: Resolved, path: Path) -> None:
    """Refuse weights that were trained for another model than the experiment describes.

    Raises:
        CheckpointError: the settings that differ, with both values.
    """
    try:
        trained = registry.with_defaults("model", weights.config["experiment"]["model"])
    except (ConfigError, KeyError) as error:
        raise CheckpointError(
            f"{path}: holds the settings of no model that is known ({error}); train again"
        ) from None
    wanted = registry.with_defaults("model", resolved.experiment.model.settings)
    # Files that parts of a model started from are in the weights by now.
    for each in (trained, wanted):
        for key in [key for key in each if key.endswith("weights")]:
            del each[key]
    trained, wanted = json.loads(json.dumps([trained, wanted], default=str))
    if trained == wanted:
        return
    differing = [
        f"{shown(key)} is {shown(repr(trained.get(key)))} in the weights and "
        f"{shown(repr(wanted.get(key)))} in the experiment"
        for key in sorted(trained.keys() | wanted.keys())
        if trained.get(key) != wanted.get(key)
    ]
    raise CheckpointError(
        f"{path}: was trained for another model than {resolved.identity}: "
        f"{'; '.join(differing[:_SHOWN])}; train again, or give the weights of this experiment"
    )


def _few(names: Iterable[str]) -> str:
    return some(map(shown, names))


def _found(data: dict[str, Any]) -> str:
    kind = data.get("format")
    if isinstance(kind, str):
        return f"got {shown(kind)}"
    return f"got a file with {some(map(shown, data)) or 'nothing in it'}"
