"""The training loop."""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from gait import registry
from gait.config.resolved import Resolved
from gait.data.dataset import JointTrainingSet, TrainingSet
from gait.data.inputs import ModelInput
from gait.data.loader import training_loader
from gait.data.store import PackedStore
from gait.engine import batch_norm
from gait.engine.groups import parameter_groups
from gait.engine.moving_average import ExponentialMovingAverage
from gait.engine.not_finite import ReportedStep, not_finite
from gait.engine.precision import paying, replaced
from gait.engine.reporter import Reporter
from gait.engine.runtime.deterministic import seed_iteration
from gait.engine.runtime.distributed import PREEMPTED, StopRequest, World
from gait.engine.runtime.host import AsyncHostCopy
from gait.engine.runtime.waiting import in_time
from gait.engine.state.checkpoint import Checkpoints, Fingerprint
from gait.engine.state.weights import load_strictly, plain_state, start
from gait.engine.step import TrainingStep, on_device
from gait.engine.validate import figures
from gait.errors import CheckpointError, TrainingError
from gait.processes import end_workers
from gait.screen import shown
from gait.types import Batch

# What a checkpoint holds of a run.
_PARTS = dict.fromkeys(("model", "losses", "optimizer", "scheduler", "scaler", "window"), dict)


class Loop:
    """One run of the loop: everything that changes while it goes on, and is in a checkpoint.

    Args:
        inputs: what the model gets.
        network: the model on its device, with its initial weights; what is frozen has no
            gradient.
        mark: what the weights depend on.
        output: where checkpoints, history and summaries go.
        stop: asked after each iteration whether to save and leave.
        workers: processes that load data.
    """

    def __init__(
        self,
        resolved: Resolved,
        store: PackedStore,
        training: TrainingSet | JointTrainingSet,
        inputs: Sequence[ModelInput],
        network: nn.Module,
        mark: Fingerprint,
        output: Path,
        world: World,
        stop: StopRequest,
        workers: int,
    ) -> None:
        self._resolved = resolved
        self._settings = settings = resolved.experiment
        self._store = store
        self._training = training
        self._inputs = inputs
        self._network = network
        self._mark = mark
        self._output = output
        self._world = world
        self._stop = stop
        self._workers = workers
        keep = settings.logging.keep_checkpoints
        self._checkpoints = Checkpoints(output / "checkpoints", mark, keep)
        counts = world.counts(len(training.slots))
        precision = paying(settings.precision, world.device)
        self._step = TrainingStep(network, settings.losses, world, counts, precision)
        self._step.to(world.device)
        self._learning = self._step.learning
        optimizer = settings.optimizer.settings
        groups = parameter_groups(
            network, self._step.losses, settings.parameters, optimizer.get("lr")
        )
        self._optimizer: torch.optim.Optimizer = registry.build(
            "optimizer", optimizer, params=groups
        )
        self._scheduler: torch.optim.lr_scheduler.LRScheduler = registry.build(
            "scheduler", settings.scheduler.settings, optimizer=self._optimizer
        )
        self._moving_average: ExponentialMovingAverage | None = None
        if settings.ema is not None:
            self._moving_average = ExponentialMovingAverage(
                network, settings.ema, settings.iterations
            )
        self._scaler = torch.amp.GradScaler(world.device.type, enabled=precision == "fp16")
        self._reporter = Reporter(world, settings, training.global_size)
        self._arriving: deque[ReportedStep] = deque()
        self._iteration = 0
        self._saved = 0
        # Of the newest checkpoint; a warm start has an iteration and none.
        self._kept: int | None = None
        self._saved_s = monotonic()

    def run(self) -> None:
        """Train up to the last iteration."""
        world, logging, total = self._world, self._settings.logging, self._settings.iterations
        self._begin()
        left_out = self._resolved.protocols.keys() - self._resolved.validation_protocols.keys()
        if logging.evaluate_every is not None and left_out:
            world.say(
                f"logging.evaluate_every: leaves out {', '.join(sorted(left_out))}, which only "
                "the organisers of a challenge can score"
            )
        forward = self._replicated()
        batch_norm.set_training(self._network, self._settings.batch_norm)
        on_gpu = world.device.type == "cuda"
        loader = training_loader(self._training, self._iteration, total, self._workers, on_gpu)
        reporter = self._reporter
        with reporter.opened(self._output, self._iteration, self._mark.all):
            batches = in_time(loader)
            began = perf_counter()
            while self._iteration < total:
                batch = self._stop.wait_for(lambda: next(batches))
                waited_s = perf_counter() - began
                stop, late, silent = self._agreed()
                if stop or batch is None:
                    raise self._leaving()
                self._train(forward, batch)
                log = self._due(logging.log_every)
                save = self._due(logging.checkpoint_every) or late
                evaluate = self._due(logging.evaluate_every)
                # Reading a step's values at once would let a GPU run dry: there it is a step late.
                self._settle(1 if on_gpu and not (log or save or evaluate or silent) else 0)
                reporter.window.clock(perf_counter() - began, waited_s)
                if log:
                    reporter.log(self._iteration, self._step.terms)
                elif silent:
                    reporter.print_progress(self._iteration)
                if save:
                    self._save()
                if evaluate:
                    self._evaluate()
                began = perf_counter()

    def _due(self, every: int | None) -> bool:
        if every is None:
            return False
        return self._iteration % every == 0 or self._iteration == self._settings.iterations

    def _agreed(self) -> tuple[bool, bool, bool]:
        """Agree over all processes whether to stop, to save and to print a line of progress.

        Any process may ask to stop; the first one's clock decides the others.
        """
        late = monotonic() - self._saved_s >= 60 * self._settings.logging.checkpoint_minutes
        late = late and self._world.is_first
        own = [self._stop.received, late, self._reporter.is_due()]
        stop, save, tell = self._world.sum(torch.tensor(own, dtype=torch.float32)).tolist()
        return stop > 0, save > 0, tell > 0

    # Start and end.

    def _begin(self) -> None:
        """Restore the newest checkpoint, or start from the weights that the experiment names."""
        world = self._world
        if world.is_first:
            self._checkpoints.tidy()
        state, said = self._checkpoints.newest(self._settings.iterations, _PARTS)
        if state is not None:
            self._restore(state)
            said.append(f"going on after iteration {self._iteration}")
        else:
            state, unused = start(self._network, self._settings)
            said += unused
            if "optimizer" in state:
                self._optimizer.load_state_dict(state["optimizer"])
            if "scheduler" in state:
                self._scheduler.load_state_dict(state["scheduler"])
            self._iteration = self._saved = state.get("iteration", 0)
        for sentence in [*said, *replaced(self._settings.precision, world.device)]:
            world.say(sentence)
        iterations = world.counts(self._iteration)
        if len(set(iterations)) > 1:
            raise TrainingError(
                f"the processes found checkpoints of different iterations ({iterations}) in "
                f"{self._checkpoints.folder}, expected the same folder everywhere; put results/ "
                "on a disk that all nodes share"
            )
        training = self._training
        world.say(
            f"{self._resolved.identity}: {sum(each.numel() for each in self._learning):,} "
            f"parameters, {training.num_classes} subjects, global batch of "
            f"{training.global_size} sequences on {world}"
        )

    def _restore(self, state: dict[str, Any]) -> None:
        file = self._checkpoints.folder / f"{state['iteration']}.pt"
        load_strictly(self._network, state["model"], file)
        load_strictly(self._step.losses, state["losses"], file)
        try:
            self._optimizer.load_state_dict(state["optimizer"])
            self._scheduler.load_state_dict(state["scheduler"])
            # Empty where no scaler was at work, as on a device that computes in fp32.
            if state["scaler"]:
                self._scaler.load_state_dict(state["scaler"])
            if self._world.is_first:
                self._reporter.window.load_state_dict(state["window"])
        # Each of torch's classes complains of what it misses in its own way.
        except (LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise CheckpointError(
                f"{file}: its training state does not fit the experiment ({shown(error)}); "
                "remove it, and training goes on from the one before, or anew"
            ) from error
        self._iteration = self._saved = self._kept = state["iteration"]

    def _save(self) -> None:
        if self._iteration == self._saved:
            return
        if not all(bool(each.isfinite().all()) for each in self._learning):
            raise TrainingError(
                f"the weights after iteration {self._iteration} hold values that are not finite, "
                "and are not saved; lower optimizer.lr, set gradient_clip, or set precision: bf16 "
                "where it is fp16"
            )
        # One process keeps what all have summed up, here as after a restart.
        self._reporter.window.gather(self._world)
        self._saved = self._iteration
        if not self._world.is_first:
            return
        self._saved_s = monotonic()
        state = {
            "model": plain_state(self._network),
            "losses": plain_state(self._step.losses),
            "optimizer": self._optimizer.state_dict(),
            "scheduler": self._scheduler.state_dict(),
            "scaler": self._scaler.state_dict(),
            "window": self._reporter.window.state_dict(),
        }
        self._checkpoints.save(self._iteration, state)
        self._kept = self._iteration

    def _leaving(self) -> SystemExit:
        """Save and wait until that is done; what to raise then, with the code that says so."""
        self._settle(0)
        new = self._iteration != self._saved
        self._save()
        self._world.barrier()
        if new:
            said = f"saved after iteration {self._iteration}; the same command goes on"
        elif self._kept is not None:
            said = f"the checkpoint of iteration {self._kept} is kept; the same command goes on"
        else:
            said = "nothing was trained yet, and there is no checkpoint; the same command begins"
        self._world.say(f"told to stop: {said}")
        end_workers()
        return SystemExit(PREEMPTED)

    # One iteration.

    def _replicated(self) -> nn.Module:
        if self._world.size == 1:
            return self._step
        # Looking for unused parameters allows a loss that leaves part of a model untouched, as a
        # single process does, and keeps the order in which gradients are added up the same from
        # the first step on, so that a resumed run adds in the order of an undisturbed one.
        # It also takes the strides of axes of length one, which mean nothing, for another layout.
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        return DistributedDataParallel(
            self._step,
            device_ids=[self._world.device] if self._world.device.type == "cuda" else None,
            find_unused_parameters=True,
            gradient_as_bucket_view=True,
        )

    def _train(self, forward: nn.Module, batch: Batch) -> None:
        device = self._world.device
        seed_iteration(self._settings.seed, self._iteration, self._world.rank)
        self._optimizer.zero_grad(set_to_none=True)
        targets = {"identity": batch.labels.to(device, non_blocking=True)}
        if batch.categories is not None:
            targets["category"] = batch.categories.to(device, non_blocking=True)
        inputs = on_device(batch, self._inputs, device)
        loss, values = forward(inputs, targets, batch.lengths)
        self._scaler.scale(loss).backward()
        if self._settings.gradient_clip is not None:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self._learning, self._settings.gradient_clip)
        lr = float(self._optimizer.param_groups[0]["lr"])
        scale = self._scaler.get_scale()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        # fp16: a step skipped for an overflow still counts as an iteration, since the batches are
        # keyed by it; the schedule goes on only when the weights did.
        if self._scaler.get_scale() >= scale:
            self._scheduler.step()
            if self._moving_average is not None:
                self._moving_average.update(self._iteration)
        self._iteration += 1
        self._arriving.append(ReportedStep(self._iteration, AsyncHostCopy(values), batch.keys, lr))

    def _settle(self, late: int) -> None:
        """Take in the values of all but the newest `late` steps, and stop on a bad one."""
        while len(self._arriving) > late:
            step = self._arriving.popleft()
            values = step.values.wait()
            losses = values[: len(self._settings.losses)].tolist()
            for name, value in zip(self._step.terms, losses, strict=False):
                if not math.isfinite(value):
                    folder, rank = self._checkpoints.folder, self._world.rank
                    raise not_finite(folder, rank, step, name, value, self._kept)
            self._reporter.window.add(values)
            self._reporter.lr = step.lr

    def _evaluate(self) -> None:
        file = self._checkpoints.folder / "evaluation.npz"
        found = figures(
            self._network, self._resolved, self._store, file, self._world, self._workers
        )
        batch_norm.set_training(self._network, self._settings.batch_norm)
        self._reporter.add_validation(self._iteration, found)
