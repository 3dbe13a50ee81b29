"""What a run reports while it trains: its curve, lines of progress, and validation metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from gait import __version__
from gait.config.experiment import Experiment
from gait.config.protocol import VALIDATION_METRICS
from gait.engine.history import History, Window
from gait.engine.runtime.distributed import World
from gait.progress import Pace, duration


class Reporter:
    """Sums up the values of steps, and reports them where this process is the first one.

    Args:
        world: the processes of the run.
        settings: the experiment.
        global_size: sequences in a batch of all processes.

    Attributes:
        window: sums since the last line of the history; part of a checkpoint.
        lr: the learning rate of the newest step.
    """

    def __init__(self, world: World, settings: Experiment, global_size: int) -> None:
        self.window = Window()
        self.lr = 0.0
        self._world = world
        self._settings = settings
        self._global_size = global_size
        self._history: History | None = None
        self._pace = Pace()

    @contextmanager
    def opened(self, folder: Path, iteration: int, fingerprint: str) -> Iterator[None]:
        """Write the history in `folder` as long as the block lasts.

        Args:
            folder: where `history.jsonl` and `summary/` go.
            iteration: where the run goes on from.
            fingerprint: what its weights depend on.
        """
        if not self._world.is_first:
            yield
            return
        run = {
            "version": __version__,
            "torch": torch.__version__,
            "processes": self._world.size,
            "backend": self._world.backend,
            "device": self._world.device.type,
            "threads": torch.get_num_threads(),
            "global_batch": self._global_size,
        }
        self._history = History(folder, iteration, fingerprint, run)
        for sentence in self._history.said:
            self._world.say(sentence)
        try:
            yield
        finally:
            self._history.close()

    def is_due(self) -> bool:
        """Whether it is time for a line of progress; the first process's clock decides."""
        return self._world.is_first and self._pace.is_due()

    def log(self, iteration: int, terms: list[str]) -> None:
        """Write a line of the history and print one of progress, and begin a new window.

        Args:
            iteration: how many iterations are done.
            terms: names of the values of each step: the losses, then what they report.
        """
        self.window.gather(self._world)
        window, self.window = self.window, Window()
        if self._history is None:
            return
        losses = self._losses(window)
        means = list(zip(terms, window.means(), strict=True))
        rate = window.steps_per_s
        values = {
            "loss": _rounded(self._weighted(losses)),
            "losses": {name: _rounded(each) for name, each in losses.items()},
            "terms": {name: _rounded(each) for name, each in means[len(losses) :]},
            "lr": self.lr,
            "step_s": _rounded(1 / rate),
            "data_wait_share": _rounded(window.wait_share),
            "sequences_per_s": _rounded(self._global_size * rate),
        }
        self._history.add(iteration, values)
        self._print(iteration, window)

    def print_progress(self, iteration: int) -> None:
        """Print a line of progress between two lines of the history."""
        self.window.gather(self._world)
        if self._world.is_first:
            self._print(iteration, self.window)

    def add_validation(self, iteration: int, found: Mapping[str, Mapping[str, float]]) -> None:
        """Write and print validation metrics, by the key of each metric and by name."""
        if self._history is None:
            return
        self._history.add(iteration, dict(found))
        for metric in VALIDATION_METRICS.values():
            if scores := found.get(metric.key):
                named = ", ".join(f"{name} {each:.1f}" for name, each in scores.items())
                self._world.say(f"iteration {iteration}: {metric.title} in percent: {named}")
        if not found:
            self._world.say(f"iteration {iteration}: no protocol has a value")

    def _losses(self, window: Window) -> dict[str, float]:
        """The mean of each loss."""
        return dict(zip(self._settings.losses, window.means(), strict=False))

    def _weighted(self, losses: Mapping[str, float]) -> float:
        weights = self._settings.losses
        return sum(weights[name].weight * each for name, each in losses.items())

    def _print(self, iteration: int, window: Window) -> None:
        total, rate = self._settings.iterations, window.steps_per_s
        losses = self._losses(window)
        named = ", ".join(f"{name} {each:.4g}" for name, each in losses.items())
        left = duration((total - iteration) / rate)
        self._world.say(
            f"iteration {iteration}/{total}: loss {self._weighted(losses):.4g} ({named}), "
            f"{1000 / rate:.0f} ms per step, {100 * window.wait_share:.0f} % of it waiting for "
            f"data, {left} left"
        )
        self._pace.said()


def _rounded(value: float) -> float:
    return float(f"{value:.7g}")
