"""Training of one experiment, from its packed data to `model.pt`."""

from __future__ import annotations

from pathlib import Path

import torch

from gait import __version__, registry
from gait.config.dataset import absence, matching_subjects
from gait.config.experiment import Resolved
from gait.data.dataset import TrainingSet
from gait.data.store import PackedStore
from gait.data.transforms import Transform, output_size
from gait.engine import batch_norm
from gait.engine.checkpoint import fingerprint
from gait.engine.distributed import StopRequest, session
from gait.engine.loop import Loop
from gait.engine.repeatable import repeatable
from gait.engine.step import build_model
from gait.engine.weights import warm_start, write_model


def train(
    resolved: Resolved, packed: Path, output: Path, model: Path, *, workers: int = 0
) -> None:
    """Train an experiment and write its weights; goes on from the newest checkpoint there is.

    To be called in each process that torchrun starts, or in a single one. SIGTERM or SIGUSR1 ends
    it after the current iteration with a checkpoint and the exit code `distributed.PREEMPTED`.
    An experiment of no iterations, or a model without parameters, is only written.

    Args:
        packed: the dataset's packed store.
        output: where checkpoints, history and summaries go.
        model: the weights to write, `model.pt`.
        workers: processes that load data, beside each process that computes.

    Raises:
        ConfigError: the experiment cannot be run on this data.
        DataError: the store cannot be read, or has no training subject.
        CheckpointError: a checkpoint, or the weights to start from, do not fit.
        TrainingError: training had to stop on purpose.
    """
    experiment = resolved.experiment
    with session() as world, repeatable(), StopRequest().listening() as stop:
        store = PackedStore(packed)
        named = resolved.dataset.partition.train
        subjects = matching_subjects(store.subjects, named)
        if missed := absence(store.subjects, named, "training"):
            world.say(missed)
        transforms: list[Transform] = [
            registry.build("transform", each.settings) for each in experiment.transforms
        ]
        height_px, width_px = output_size(transforms, store.height_px, store.width_px)
        network = build_model(
            experiment, num_classes=len(subjects), height_px=height_px, width_px=width_px
        )
        mark = fingerprint(resolved, packed)
        learns = any(each.requires_grad for each in network.parameters())
        iterations = experiment.iterations if learns else 0
        if iterations:
            training = TrainingSet(
                store,
                subjects,
                registry.build("sampler", experiment.sampler.settings),
                experiment.frames,
                transforms,
                experiment.seed,
                world.rank,
                world.size,
            )
            network = network.to(world.device)
            network = batch_norm.prepare(network, experiment.batch_norm, world.size, world.device)
            Loop(resolved, store, training, network, mark, output, world, stop, workers).run()
        elif experiment.init is not None:
            for sentence in warm_start(network, experiment.init)[1]:
                world.say(sentence)
        if world.is_first:
            provenance = {
                "version": __version__,
                "torch": torch.__version__,
                "data": mark.data,
                "fingerprint": mark.all,
                "iterations": iterations,
                "classes": subjects,
                "height_px": height_px,
                "width_px": width_px,
            }
            write_model(model, network, resolved, provenance)
            print(f"{model}: written after {iterations} iterations", flush=True)
        world.barrier()
