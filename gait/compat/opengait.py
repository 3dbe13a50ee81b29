"""OpenGait's configurations and checkpoints, used here."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gait import __version__, registry
from gait.compat.converters import by_foreign_name, by_model
from gait.compat.experiments import Conversion, convert
from gait.compat.foreign import ConversionWarning, Section
from gait.compat.losses import loss_of, loss_sections
from gait.compat.names import dataset_here, experiment_file, fit, model_here
from gait.config.experiment import ParameterGroup
from gait.config.yaml import read_yaml, write_yaml
from gait.engine.batch_norm import prepare
from gait.engine.groups import freeze
from gait.engine.state.files import save_torch
from gait.engine.state.weights import MODEL_FORMAT, plain_state
from gait.errors import CheckpointError, ConfigError
from gait.formats.weights.compatibility import misfits
from gait.formats.weights.read import read_weights, unwrapped
from gait.layers.sequences import joined_sequences
from gait.types import ModelOutput


def build_model(model_cfg: dict[str, Any], dataset: str | None = None) -> nn.Module:
    """Our model for the `model_cfg` of an OpenGait configuration, ready to be trained.

    What the section keeps from learning has no gradient.

    Args:
        model_cfg: the section as it stands in the YAML.
        dataset: name of the dataset there, by which some models choose their size.

    Raises:
        ConfigError: the model is not supported, or the section is incomplete or contradictory.
    """
    cfg = Section(model_cfg, path="model_cfg")
    converter = by_foreign_name(cfg.text("model"))
    model: nn.Module = registry.build(
        "model", {"name": converter.model, **converter.settings(cfg, dataset)}
    )
    for key in cfg.unread():
        warnings.warn(f"{key}: is not used by {converter.model}", ConversionWarning, stacklevel=2)
    recipe = converter.recipe(Section({"model_cfg": model_cfg}))
    freeze(model, [ParameterGroup.model_validate(each) for each in recipe.get("parameters", [])])
    return model


def load_state_dict(model: nn.Module, state: Mapping[str, Any]) -> None:
    """Give a model the tensors of an OpenGait checkpoint.

    Args:
        model: a model of ours.
        state: tensors by their names there, bare or in a training state.

    Raises:
        CheckpointError: the first of the names that are missing or unexpected, and of tensors
            that are of another shape or kind of number, or not finite; the model is then
            unchanged.
    """
    state = {name: each for name, each in unwrapped(state).items() if isinstance(each, Tensor)}
    own = model.state_dict()
    converter = by_model(type(model).__name__)
    state = converter.regroup(
        {name: each for name, each in state.items() if not converter.is_aside(name)}
    )
    names = converter.foreign_names(own)
    problems = misfits({name: own[ours] for name, ours in names.items()}, state)
    if problems:
        raise CheckpointError(
            f"the weights do not fit {type(model).__name__}: {'; '.join(problems)}; give the "
            "configuration that they were trained with"
        )
    model.load_state_dict({ours: state[name] for name, ours in names.items()})


def state_dict(model: nn.Module) -> dict[str, Tensor]:
    """The tensors of a model of ours by their names in OpenGait: `load_state_dict` reversed.

    Constants that the model computes and second names of a tensor are not among them.
    """
    converter = by_model(type(model).__name__)
    own = model.state_dict()
    return converter.ungroup(
        {name: own[ours] for name, ours in converter.foreign_names(own).items()}
    )


def embed(
    model: nn.Module, inputs: list[Tensor], lengths: list[int] | None = None
) -> dict[str, Tensor]:
    """What OpenGait calls `inference_feat`, in evaluation mode and without gradients.

    As there, layers that look along time run across the borders of packed sequences: give one
    sequence a call for embeddings that depend on nothing else. The model itself, and with it
    `gait embed`, keeps packed sequences apart.

    Args:
        inputs: one tensor per modality, as the foreign model takes them: packed
            [1, sum(lengths), ...], or [n, s, ...] when `lengths` is None.
        lengths: frames of each packed sequence.

    Returns:
        'embeddings', [n, c, p], or what else the model gives.
    """
    converter = by_model(type(model).__name__)
    if converter.one_sequence:
        lengths = None
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), joined_sequences():
            output: ModelOutput = model(converter.inputs(inputs, False), lengths)
    finally:
        model.train(was_training)
    return converter.inference(output)


def training_loss(
    model: nn.Module,
    loss_cfg: dict[str, Any] | Sequence[dict[str, Any]],
    inputs: list[Tensor],
    labels: Tensor,
    categories: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum of a model's losses on one batch, in the mode that the model is in.

    Args:
        loss_cfg: the section as it stands in an OpenGait YAML, one loss or several.
        inputs: one tensor per modality, [n, s, ...], as the foreign model takes them.
        labels: identity of each sequence, int64 [n].
        categories: category of each sequence, such as a diagnosis, int64 [n], for models that
            tell categories; `labels` when not given.

    Returns:
        The sum, and each loss's terms as 'scalar/<log_prefix>/<term>'.

    Raises:
        ConfigError: a loss that is not supported, or that the model gives nothing to.
    """
    converter = by_model(type(model).__name__)
    # As in training here: torch's own kernel loses digits that gradients of deep models miss.
    model = prepare(model, "local", 1, inputs[0].device)
    ours = converter.inputs(inputs, True)
    # Two views of a sequence may be two sequences here.
    views = len(ours[0]) // len(labels)
    output: ModelOutput = model(ours)
    total = output.embeddings.new_zeros(())
    terms: dict[str, Tensor] = {}
    for cfg in loss_sections(loss_cfg):
        prefix, component, weight = loss_of(cfg, converter.losses)
        if prefix not in converter.fields:
            raise ConfigError(
                f"{cfg.at('log_prefix')}: expected one of {sorted(converter.fields)}, "
                f"got {prefix!r}"
            )
        values = [output[field] for field in converter.fields[prefix]]
        of_batch = labels if prefix not in converter.targets or categories is None else categories
        result = registry.build("loss", component)(*values, of_batch.repeat_interleave(views))
        total = total + weight * result.value
        terms |= {f"scalar/{prefix}/{name}": term for name, term in result.terms.items()}
    for name, weight in converter.terms.items():
        value = output[name].mean()
        total = total + weight * value
        terms[f"scalar/{name}"] = value.detach()
    return total, terms


def convert_config(cfg: dict[str, Any]) -> dict[str, Any]:
    """A whole OpenGait configuration as one of our experiments.

    OpenGait's own defaults hold for what it leaves out. The experiment is complete: it holds
    whatever lies below it in `config/`. A `ConversionWarning` is given for each key that never
    had an effect there; keys about paths, names and protocols have their places elsewhere here
    and are not carried either.

    Raises:
        ConfigError: something in it is not supported.
    """
    conversion = convert(cfg)
    _warn(conversion)
    return conversion.experiment


def import_config(source: Path) -> str:
    """An OpenGait YAML as the text of an experiment file; where to put it stands on top.

    What is not carried follows there.

    Raises:
        ConfigError: the file is no YAML, no experiment, or something in it is not supported.
    """
    cfg = read_yaml(source)[0]
    conversion = _converted(cfg, source)
    _warn(conversion)
    experiment = conversion.experiment
    file = experiment_file(
        dataset_here(conversion.dataset, experiment, cfg),
        model_here(experiment),
        fit(conversion.save_name),
    )
    lines = [f"Converted from OpenGait's {source.name}; put it into {file}"]
    for kind, title in (("ignored", "Without effect there"), ("elsewhere", "Elsewhere here")):
        notes = [f"  {note}" for note in conversion.notes if note.kind == kind]
        lines += [f"{title}:", *notes] if notes else []
    head = "".join(f"# {line}\n" for line in lines)
    return head + write_yaml(experiment)


def import_checkpoint(source: Path, config: Path, target: Path) -> None:
    """Turn an OpenGait checkpoint into a `model.pt`.

    Args:
        source: the published file; its tensors may be wrapped with a training state.
        config: the OpenGait YAML that it was trained with.
        target: the file to write.

    Raises:
        CheckpointError: the file cannot be read, or does not fit the configuration.
        ConfigError: the configuration is not supported.
    """
    cfg = read_yaml(config)[0]
    conversion = _converted(cfg, config)
    _warn(conversion)
    state = read_weights(source)
    model = build_model(cfg.get("model_cfg", {}), conversion.dataset)
    try:
        load_state_dict(model, state)
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from None
    classes = [f"class {index}" for index in range(conversion.sizes.get("num_classes", 0))]
    data = {
        "format": MODEL_FORMAT,
        "model": plain_state(model),
        "config": {"experiment": conversion.experiment},
        "provenance": {
            "version": __version__,
            "imported": source.name,
            "classes": classes,
            "sizes": conversion.sizes,
        },
    }
    save_torch(data, target)


def _converted(cfg: dict[str, Any], source: Path) -> Conversion:
    """A foreign file's configuration, or what is wrong with the file."""
    model = cfg.get("model_cfg")
    if model is None or (isinstance(model, dict) and model.keys() <= {"model"}):
        raise ConfigError(
            f"{source}: is no experiment, as it has no model_cfg with a model's settings; files "
            "of defaults and of pretreatment have none: give one that a model is trained by"
        )
    try:
        return convert(cfg)
    except ConfigError as error:
        raise ConfigError(f"{source}: {each}" for each in error.problems) from None


def _warn(conversion: Conversion) -> None:
    for note in conversion.notes:
        if note.kind == "ignored":
            warnings.warn(str(note), ConversionWarning, stacklevel=3)
