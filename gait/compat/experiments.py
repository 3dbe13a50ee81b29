"""Whole configurations of OpenGait as experiments of ours."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from gait import registry
from gait.compat.converters import by_foreign_name
from gait.compat.converters.converter import Converter
from gait.compat.foreign import Note, Section
from gait.compat.losses import loss_of, loss_sections
from gait.compat.names import other_dataset_here
from gait.compat.transforms import transforms_of
from gait.config.experiment import Experiment
from gait.config.load import validated
from gait.errors import ConfigError

# What OpenGait merges under every configuration.
_CUT = [{"type": "BaseSilCuttingTransform"}]
DEFAULTS: dict[str, Any] = {
    "data_cfg": {"dataset_name": "CASIA-B"},
    "model_cfg": {"model": "Baseline"},
    "loss_cfg": {"type": "TripletLoss", "margin": 0.2, "log_prefix": "triplet"},
    "optimizer_cfg": {"solver": "SGD", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.0005},
    "scheduler_cfg": {
        "scheduler": "MultiStepLR",
        "milestones": [20000, 40000, 60000],
        "gamma": 0.1,
    },
    "trainer_cfg": {
        "total_iter": 80000,
        "log_iter": 100,
        "save_iter": 2000,
        "save_name": "tmp",
        "with_test": False,
        "enable_float16": True,
        "sync_BN": False,
        "fix_BN": False,
        "restore_hint": 0,
        "restore_ckpt_strict": True,
        "optimizer_reset": False,
        "scheduler_reset": False,
        "sampler": {
            "type": "TripletSampler",
            "batch_size": [8, 16],
            "sample_type": "fixed_unordered",
            "frames_num_fixed": 30,
            "frames_num_min": 25,
            "frames_num_max": 50,
        },
        "transform": _CUT,
    },
    "evaluator_cfg": {
        "enable_float16": False,
        "metric": "euc",
        "sampler": {"type": "InferenceSampler", "sample_type": "all_ordered"},
        "transform": _CUT,
    },
}

_PROTOCOL = "protocols are in datasets/<dataset>/dataset.yaml"
_EXACT = "test batches are made of sequences of equal length, whatever their number"
_INIT = "weights of a run are found by the run"
# Keys with an effect there that have another place, or no need, here.
_ELSEWHERE = {
    "data_cfg.dataset_root": "data lie in data/<dataset>",
    "data_cfg.dataset_partition": (
        "the partition is in datasets/<dataset>/partition.yaml; partition: <path>.json in the "
        "experiment takes another"
    ),
    "data_cfg.test_dataset_name": _PROTOCOL,
    "data_cfg.data_in_use": "an experiment names its modalities under inputs, and pkl in "
    "dataset.yaml the files that hold them",
    "data_cfg.self_supervised": "contrastive losses take no labels",
    "data_cfg.num_workers": "the number of loading processes is in config/config.yaml",
    "data_cfg.cache": "the packed store is memory-mapped",
    "evaluator_cfg.save_name": "the experiment's file names it",
    "evaluator_cfg.eval_func": _PROTOCOL,
    "evaluator_cfg.cross_view_gallery": _PROTOCOL,
    "evaluator_cfg.rerank": _PROTOCOL,
    "evaluator_cfg.restore_hint": _INIT,
    "evaluator_cfg.restore_ckpt_strict": _INIT,
    "evaluator_cfg.sampler.batch_size": _EXACT,
    "evaluator_cfg.sampler.type": _EXACT,
    "trainer_cfg.find_unused_parameters": "unused parameters are found by themselves",
    "trainer_cfg.sampler.batch_shuffle": "processes take slices of one global batch",
    "trainer_cfg.restore_ckpt_strict": "nothing is restored",
    "trainer_cfg.optimizer_reset": "nothing is restored",
    "trainer_cfg.scheduler_reset": "nothing is restored",
}
_WITHOUT_EFFECT = "has no effect in OpenGait"


@dataclass(frozen=True, slots=True)
class Conversion:
    """A converted configuration.

    Attributes:
        experiment: our experiment, valid by itself.
        dataset: the dataset's name there.
        save_name: the run's name there.
        sizes: what our model derives from the data, as that configuration states it.
        notes: keys that are not carried, in the order of the configuration.
    """

    experiment: dict[str, Any]
    dataset: str
    save_name: str
    sizes: dict[str, int]
    notes: list[Note]


def convert(cfg: dict[str, Any]) -> Conversion:
    """Turn a whole OpenGait configuration into an experiment.

    Raises:
        ConfigError: a model, loss, sampler or transform that is not supported, or a value out of
            range.
    """
    data_cfg = cfg.get("data_cfg", {})
    first, *others = data_cfg if isinstance(data_cfg, list) and data_cfg else [data_cfg]
    top = Section({**cfg, "data_cfg": first}, DEFAULTS)
    trainer, evaluator = top.section("trainer_cfg"), top.section("evaluator_cfg")
    converter = by_foreign_name(top.section("model_cfg").text("model"))
    dataset = top.section("data_cfg").text("dataset_name")
    settings = converter.settings(top.section("model_cfg"), dataset)
    save_name = trainer.text("save_name")
    notes: list[Note] = []
    sizes = {
        name: int(settings.pop(name)) for name in sorted(registry.DERIVED["model"] & set(settings))
    }
    if "num_classes" in sizes:
        reason = "the number of classes is that of the training subjects"
        notes.append(Note("model_cfg: number of classes", "elsewhere", reason))
    inputs = converter.modalities(settings)
    train, test = transforms_of(trainer, inputs), transforms_of(evaluator, inputs)
    sampler = trainer.section("sampler")
    frames = _frames(sampler)
    if train.window is not None:
        frames["count"] = train.window
    losses, unread_losses = _losses(top, converter)
    experiment: dict[str, Any] = {
        "seed": 0,
        "iterations": trainer.take("total_iter"),
        "inputs": train.inputs,
        "train_on": dict(_other_dataset(each) for each in others),
        "model": {"name": converter.model, **settings},
        "losses": losses,
        "optimizer": _torch("optimizer", top.section("optimizer_cfg"), "solver"),
        "scheduler": _torch("scheduler", top.section("scheduler_cfg"), "scheduler"),
        "sampler": _sampler(sampler, train.two_views),
        "frames": frames,
        "transforms": _sampled_points(sampler) + train.transforms,
        "precision": "fp16" if trainer.take("enable_float16") else "fp32",
        "batch_norm": _batch_norm(trainer),
        "logging": _logging(trainer),
        "embedding": {
            "transforms": _sampled_points(evaluator.section("sampler")) + test.transforms,
            **_test_frames(evaluator.section("sampler"), test.window),
            "precision": "fp16" if evaluator.take("enable_float16") else "fp32",
        },
        "evaluation": {
            "distance": _distance(evaluator),
            **({} if converter.output == "embedding" else {"output": converter.output}),
        },
    }
    if train.inputs != test.inputs:
        raise ConfigError(
            f"evaluator_cfg.transform: reads {', '.join(test.inputs)}, training reads "
            f"{', '.join(train.inputs)}; give both the same modalities"
        )
    experiment |= converter.recipe(top)
    _add_init(trainer, experiment, notes)
    validated(Experiment, experiment, "converted configuration")
    notes += [
        Note(key, "elsewhere", _ELSEWHERE[key])
        if key in _ELSEWHERE
        else Note(key, "ignored", _WITHOUT_EFFECT)
        for key in [*top.unread(), *unread_losses, *train.unread, *test.unread]
    ]
    return Conversion(
        experiment=experiment,
        dataset=dataset,
        save_name=save_name,
        sizes=sizes,
        notes=notes,
    )


def _other_dataset(cfg: Any) -> tuple[str, float]:
    """A further dataset to train on, and by what its number of sequences counts."""
    name = Section(cfg, DEFAULTS["data_cfg"], "data_cfg").text("dataset_name")
    # Ten times larger than all others together, it would hardly leave them a turn.
    return other_dataset_here(name), 0.1 if "gaitlu" in name.lower() else 1.0


def _sampled_points(cfg: Section) -> list[dict[str, Any]]:
    """The transform that draws points of each cloud, where there are clouds."""
    if "points_in_use" not in cfg:
        return []
    points = cfg.section("points_in_use")
    points.take("pointcloud_index")
    return [{"name": "RandomSamplePoints", "count": points.need("points_num")}]


def _losses(top: Section, converter: Converter) -> tuple[dict[str, Any], list[str]]:
    losses: dict[str, Any] = {}
    unread: list[str] = []
    fields = converter.fields
    for section in loss_sections(top.take("loss_cfg"), DEFAULTS["loss_cfg"]):
        prefix, loss, weight = loss_of(section, converter.losses)
        if prefix in fields:
            losses[prefix] = {**loss, "weight": weight}
            if fields[prefix] != registry.get("loss", loss["name"]).fields:
                losses[prefix]["field"] = list(fields[prefix])
            if prefix in converter.targets:
                losses[prefix]["target"] = "category"
            unread += section.unread()
        else:
            # The model never gives anything to it.
            unread.append(section.path)
    for name, weight in converter.terms.items():
        losses[name] = {"name": "AuxiliaryLoss", "field": name, "weight": weight}
    missing = sorted(set(fields) - set(losses) - converter.optional)
    if missing:
        raise ConfigError(
            f"loss_cfg: {converter.model} needs a loss with log_prefix {missing[0]!r}"
        )
    return losses, unread


def _torch(kind: str, cfg: Section, key: str) -> dict[str, Any]:
    """An optimiser or scheduler with those arguments that OpenGait passes on."""
    name = registry.canonical(kind, cfg.text(key))
    taken = [
        each.name
        for each in inspect.signature(registry.get(kind, name)).parameters.values()
        if each.kind is each.POSITIONAL_OR_KEYWORD
    ]
    return {"name": name, **{each: cfg.take(each) for each in taken if each in cfg}}


def _sampler(cfg: Section, two_views: bool) -> dict[str, Any]:
    kind = cfg.text("type")
    if kind == "TripletSampler" and not two_views:
        subjects, sequences = _batch(cfg)
        return {"name": "TripletSampler", "subjects": subjects, "sequences": sequences}
    if kind == "CommonSampler":
        name = "BilateralSampler" if two_views else "CommonSampler"
        return {"name": name, "batch": cfg.whole("batch_size")}
    if kind == "BilateralSampler":
        subjects, sequences = _batch(cfg)
        return {"name": "BilateralSampler", "batch": subjects * sequences}
    raise ConfigError(
        f"{cfg.at('type')}: expected 'TripletSampler', 'CommonSampler' or 'BilateralSampler', "
        f"got {kind!r}" + (" with the transform TwoView" if two_views else "")
    )


def _batch(cfg: Section) -> tuple[int, int]:
    """Subjects in a batch, and sequences of each."""
    subjects, sequences, *more = cfg.wholes("batch_size", least=2)
    if more:
        raise ConfigError(f"{cfg.at('batch_size')}: expected 2 whole numbers, got {2 + len(more)}")
    return subjects, sequences


def _frames(cfg: Section) -> dict[str, Any]:
    sample_type = cfg.text("sample_type")
    number, _, order = sample_type.partition("_")
    orders = {"unordered": "unordered", "ordered": "ordered", "allordered": "all_ordered"}
    if number not in ("fixed", "unfixed", "all") or order not in orders:
        raise ConfigError(
            f"{cfg.at('sample_type')}: expected fixed, unfixed or all, then _unordered, _ordered "
            f"or _allordered, got {sample_type!r}"
        )
    if number == "all":
        frames: dict[str, Any] = {"number": "all", "order": "all_ordered"}
    else:
        frames = {"number": number, "order": orders[order]}
        if order == "ordered":
            frames["skip"] = cfg.need("frames_skip_num")
    if number == "fixed":
        frames["count"] = cfg.take("frames_num_fixed")
    if number == "unfixed":
        frames["count_range"] = [cfg.take("frames_num_min"), cfg.take("frames_num_max")]
    if "frames_all_limit" in cfg:
        frames["limit"] = cfg.take("frames_all_limit")
    return frames


def _test_frames(cfg: Section, window: int | None) -> dict[str, Any]:
    """How much of a test sequence is used; a random window there is the middle one here."""
    frames = _frames(cfg)
    if window is not None or frames["number"] == "fixed":
        return {"frames_exactly": window or frames["count"], "frames_limit": None}
    if frames["number"] != "all":
        raise ConfigError(
            f"{cfg.at('sample_type')}: expected all_ordered or a fixed number, got "
            f"{frames['number']}"
        )
    return {"frames_limit": frames.get("limit")}


def _batch_norm(cfg: Section) -> str:
    synchronised = cfg.take("sync_BN")
    if cfg.take("fix_BN"):
        return "fixed"
    return "synchronised" if synchronised else "local"


def _logging(cfg: Section) -> dict[str, Any]:
    logging = {"log_every": cfg.take("log_iter"), "checkpoint_every": cfg.take("save_iter")}
    if cfg.take("with_test"):
        logging["evaluate_every"] = logging["checkpoint_every"]
    return logging


def _distance(cfg: Section) -> str:
    distances = {"euc": "euclidean", "cos": "cosine"}
    metric = cfg.text("metric")
    if metric not in distances:
        raise ConfigError(f"{cfg.at('metric')}: expected 'euc' or 'cos', got {metric!r}")
    return distances[metric]


def _add_init(cfg: Section, experiment: dict[str, Any], notes: list[Note]) -> None:
    hint = cfg.take("restore_hint")
    if isinstance(hint, list):
        reason = "name the experiments that those weights are the results of under init_from"
        notes.append(Note(cfg.at("restore_hint"), "elsewhere", reason))
    elif isinstance(hint, str):
        resets = {name: bool(cfg.take(f"{name}_reset")) for name in ("optimizer", "scheduler")}
        reset = [name for name, wanted in resets.items() if wanted] + ["iteration"]
        strict = bool(cfg.take("restore_ckpt_strict"))
        experiment["init"] = {"weights": hint, "strict": strict, "reset": reset}
        reason = "turn the weights into ours with `gait import-checkpoint` and name that file"
        notes.append(Note(cfg.at("restore_hint"), "elsewhere", reason))
    elif hint:
        reason = "a run that was interrupted goes on by itself"
        notes.append(Note(cfg.at("restore_hint"), "elsewhere", reason))
