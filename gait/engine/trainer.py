"""Training of one experiment, from its packed data to `model.pt`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from gait import __version__, registry
from gait.config.dataset import Dataset, absence, matching_subjects, surplus
from gait.config.experiment import Experiment
from gait.config.resolved import Resolved
from gait.data.dataset import JointTrainingSet, TrainingSet
from gait.data.inputs import ModelInput, derived_sizes, model_inputs
from gait.data.store import PackedStore
from gait.engine import batch_norm
from gait.engine.groups import freeze
from gait.engine.loop import Loop
from gait.engine.runtime.alone import alone_in
from gait.engine.runtime.deterministic import deterministic
from gait.engine.runtime.distributed import StopRequest, World, session
from gait.engine.state.checkpoint import fingerprint, other_store
from gait.engine.state.weights import (
    check_same_model,
    load_strictly,
    read_model,
    start,
    write_model,
)
from gait.engine.step import build_model


def train(
    resolved: Resolved, packed: Path, output: Path, model: Path, *, workers: int = 0
) -> None:
    """Train an experiment and write its weights; goes on from the newest checkpoint there is.

    To be called in each process that torchrun starts, or in a single one. SIGTERM, SIGUSR1 or
    SIGINT ends it after the current iteration with a checkpoint and the exit code
    `distributed.PREEMPTED`.
    An experiment of no iterations or of given weights, or a model without parameters, is only
    written.

    Args:
        packed: the dataset's packed store; those of other datasets that are trained on lie
            likewise, `<data>/<dataset>/packed`.
        output: where checkpoints, history and summaries go.
        model: the weights to write, `model.pt`.
        workers: processes that load data, beside each process that computes.

    Raises:
        ConfigError: the experiment cannot be run on this data.
        DataError: a store cannot be read, or has no training subject.
        CheckpointError: a checkpoint, or the weights to start from, do not fit.
        TrainingError: training had to stop on purpose, or another run is at work in `output`.
    """
    experiment = resolved.experiment
    with session() as world, deterministic(), StopRequest().listening() as stop:
        inputs = model_inputs(experiment.inputs, experiment.transforms)
        if experiment.weights is not None:
            if world.is_first:
                _write_given(resolved, Path(experiment.weights), model)
            world.barrier()
            return
        sources = _sources(resolved, packed, world)
        classes = _class_names(sources)
        sizes = derived_sizes(inputs, [each.frame(sources[0].store)[1] for each in inputs])
        sizes["num_classes"] = len(classes)
        if categories := resolved.dataset.categories:
            sizes["num_categories"] = len(categories)
        network = build_model(experiment, sizes)
        freeze(network, experiment.parameters)
        mark = fingerprint(resolved, packed)
        learns = any(each.requires_grad for each in network.parameters())
        iterations = experiment.iterations if learns else 0
        if iterations:
            network = network.to(world.device)
            network = batch_norm.prepare(network, experiment.batch_norm, world.size, world.device)
            training = _training_set(experiment, sources, inputs, world)
            store = sources[0].store
            with alone_in(output, world):
                Loop(
                    resolved, store, training, inputs, network, mark, output, world, stop, workers
                ).run()
        else:
            for sentence in start(network, experiment)[1]:
                world.say(sentence)
        if world.is_first:
            provenance = {
                "version": __version__,
                "torch": torch.__version__,
                "data": mark.data,
                "fingerprint": mark.all,
                "iterations": iterations,
                "classes": classes,
                "sizes": sizes,
            }
            write_model(model, network, resolved, provenance)
            print(f"{model}: written after {iterations} iterations", flush=True)
        world.barrier()


def _write_given(resolved: Resolved, given: Path, model: Path) -> None:
    """Write the experiment's weights as they were given, checked against its model."""
    weights = read_model(given)
    check_same_model(weights, resolved, given)
    network = build_model(resolved.experiment, weights.sizes)
    load_strictly(network, weights.model, given)
    write_model(model, network, resolved, {**weights.provenance, "given": given.name})
    print(f"{model}: written from {given}, nothing was trained", flush=True)


@dataclass(frozen=True, slots=True)
class _Source:
    """A dataset that is trained on, its store, and those training subjects that are there."""

    dataset: Dataset
    store: PackedStore
    subjects: list[str]


def _sources(resolved: Resolved, packed: Path, world: World) -> list[_Source]:
    """The experiment's own dataset, then the others that it is trained on."""
    sources = []
    for dataset in (resolved.dataset, *resolved.others):
        own = dataset is resolved.dataset
        store = PackedStore(packed if own else other_store(packed, dataset.name))
        named = dataset.partition.train
        if missed := absence(store.subjects, named, "training"):
            world.say(missed if own else f"{dataset.name}: {missed}")
        if own and (unused := surplus(store.subjects, dataset.partition)):
            world.say(unused)
        sources.append(_Source(dataset, store, matching_subjects(store.subjects, named)))
    return sources


def _class_names(sources: list[_Source]) -> list[str]:
    if len(sources) == 1:
        return sources[0].subjects
    return [f"{each.dataset.name}/{subject}" for each in sources for subject in each.subjects]


def _training_set(
    experiment: Experiment, sources: list[_Source], inputs: list[ModelInput], world: World
) -> TrainingSet | JointTrainingSet:
    members = {
        each.dataset.name: TrainingSet(
            each.store,
            each.subjects,
            registry.build("sampler", experiment.sampler.settings),
            experiment.frames,
            inputs,
            experiment.seed,
            world.rank,
            world.size,
            each.dataset.categories,
        )
        for each in sources
    }
    own = sources[0].dataset.name
    if len(members) == 1:
        return members[own]
    return JointTrainingSet(members, {own: 1.0, **experiment.train_on}, experiment.seed)
