"""One training step's computation: model, losses, and each process's part of the global loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from gait import registry
from gait.config.experiment import Experiment, Loss, Precision
from gait.data.inputs import ModelInput
from gait.engine.precision import autocast
from gait.engine.runtime.distributed import World
from gait.errors import ConfigError
from gait.types import Batch, ModelOutput


class TrainingStep(nn.Module):
    """The model and its losses as one module, so that whatever learns is inside.

    Averaging the gradients of all processes gives exactly the gradient of the loss on the global
    batch, also when their slices differ in size: a loss that relates sequences to each other sees
    the gathered batch, any other counts by its share of the sequences.

    Attributes:
        terms: names of the values that `forward` reports, known after the first call: first the
            losses, then what they log beside, as `<loss>/<term>`.

    Args:
        losses: by the name they have in the experiment.
        counts: sequences in each process's slice of the global batch.
        precision: what the model computes in, see `gait.engine.precision.paying`.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: Mapping[str, Loss],
        world: World,
        counts: list[int],
        precision: Precision,
    ) -> None:
        super().__init__()
        self.model = model
        self.losses = nn.ModuleDict(
            {name: registry.build("loss", loss.settings) for name, loss in losses.items()}
        )
        # DistributedDataParallel, told to look for unused parameters, warns when it finds none.
        self.spare = nn.Parameter(torch.zeros(1))
        self.terms: list[str] = []
        self._settings = dict(losses)
        self._world = world
        self._counts = counts
        self._precision = precision

    @property
    def learning(self) -> list[nn.Parameter]:
        """What the optimiser changes, in a fixed order."""
        parameters = [*self.model.parameters(), *self.losses.parameters()]
        return [each for each in parameters if each.requires_grad]

    def forward(
        self, inputs: list[Tensor], targets: dict[str, Tensor], lengths: list[int] | None
    ) -> tuple[Tensor, Tensor]:
        """The loss to go backward from, and what to report.

        Args:
            inputs: as the model takes them.
            targets: class indices [n] by what they tell: 'identity', and 'category' where the
                dataset has categories.
            lengths: frames of packed sequences, or None.

        Returns:
            This process's loss, and one value for each of `terms`: summed over the processes they
            are the values on the global batch.
        """
        labels = targets["identity"]
        with autocast(self._precision, labels.device):
            output: ModelOutput = self.model(inputs, lengths)
        size, own = self._world.size, self._counts[self._world.rank] / sum(self._counts)
        total = torch.zeros((), device=labels.device)
        values: dict[str, Tensor] = {}
        beside: dict[str, Tensor] = {}
        for name, loss in self.losses.items():
            fields, part = self._fields(name, output), own
            of_batch = targets[self._settings[name].target]
            if loss.global_batch:
                fields = [self._gathered(each, len(labels)) for each in fields]
                of_batch = self._gathered(of_batch, len(labels))
                part = 1 / size
            result = loss(*fields, of_batch)
            # Every process computes a gathered loss whole, but its gradient reaches only the
            # process's own rows; the average over processes divides by their number.
            scale = size if loss.global_batch else size * own
            total = total + self._settings[name].weight * scale * result.value
            values[name] = result.value.detach() * part
            for term, tensor in result.terms.items():
                beside[f"{name}/{term}"] = tensor.detach().float().mean() * part
        self.terms = [*values, *beside]
        return total, torch.stack([*values.values(), *beside.values()])

    def _fields(self, name: str, output: ModelOutput) -> list[Tensor]:
        own = cast("tuple[str, ...]", self.losses[name].fields)
        wanted = self._settings[name].fields or own
        given = ["embeddings", *output.fields]
        if missing := [each for each in wanted if each not in given]:
            raise ConfigError(
                f"losses.{name} reads {missing[0]!r}, but the model gives {', '.join(given)}; "
                f"change losses.{name}.field, or the model's settings"
            )
        return [output[each].float() for each in wanted]

    def _gathered(self, rows: Tensor, sequences: int) -> Tensor:
        """The rows of all processes; there are as many rows of each sequence, or of each few."""
        counts = [each * len(rows) // sequences for each in self._counts]
        return self._world.gather_rows(rows, counts)


def build_model(experiment: Experiment, sizes: Mapping[str, int]) -> nn.Module:
    """The model with its initial weights, which depend on the seed only.

    Args:
        sizes: what follows from the data, by the names in `registry.DERIVED`.
    """
    torch.manual_seed(experiment.seed)
    model: nn.Module = registry.build("model", experiment.model.settings, **sizes)
    return model


def on_device(batch: Batch, inputs: Sequence[ModelInput], device: torch.device) -> list[Tensor]:
    """The inputs of a batch where the model is, as the model takes them."""
    return [
        each.on_device(values, device) for each, values in zip(inputs, batch.inputs, strict=True)
    ]
