"""What is left behind when a loss stops being a number: the batch, and what to change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from gait.engine.runtime.host import AsyncHostCopy
from gait.errors import TrainingError
from gait.types import SequenceKey

_KEYS_IN_MESSAGE = 4


@dataclass(frozen=True, slots=True)
class ReportedStep:
    """A step that was taken and whose values may still be on their way to the host."""

    iteration: int
    values: AsyncHostCopy
    keys: list[SequenceKey]
    lr: float


def not_finite(
    folder: Path, rank: int, step: ReportedStep, name: str, value: float, kept: int | None
) -> TrainingError:
    """Write down the batch whose loss is not finite.

    Args:
        folder: where the file goes.
        rank: of this process; each has a part of the batch.
        name: of the loss.
        kept: iteration of the newest checkpoint, None where there is none.

    Returns:
        The error to raise.
    """
    file = folder / f"not-finite-{step.iteration}-{rank}.json"
    keys = [str(each) for each in step.keys]
    file.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "iteration": step.iteration,
        "loss": name,
        "value": str(value),
        "lr": step.lr,
        "sequences": keys,
    }
    file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    some = ", ".join(keys[:_KEYS_IN_MESSAGE])
    more = f" and {len(keys) - _KEYS_IN_MESSAGE} more" if len(keys) > _KEYS_IN_MESSAGE else ""
    saved = "" if kept is None else f"the checkpoint of iteration {kept} is kept; "
    return TrainingError(
        f"iteration {step.iteration}: the loss {name} is {value} at learning rate "
        f"{step.lr:g} with the sequences {some}{more} (all in {file}); {saved}"
        "look at these sequences, lower optimizer.lr, set gradient_clip, or set precision: "
        "bf16 where it is fp16"
    )
