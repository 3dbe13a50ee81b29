"""The curve of a run: JSON lines, TensorBoard scalars, and a line of progress."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gait.engine.runtime.distributed import World
from gait.errors import DataError
from gait.files import atomic_path
from gait.formats.seal import read_line, sealed_line
from gait.limits import HEADER_BYTES


class History:
    """Writes `history.jsonl` and `summary/`; used by one process.

    A line is either {"run": {...}} at each start of the program, or what was measured up to
    "iteration"; each carries its checksum. When a run goes on from an earlier iteration, the lines
    after that are cut off.

    Attributes:
        said: sentences to print about what was found.
    """

    def __init__(
        self, folder: Path, iteration: int, fingerprint: str, run: dict[str, Any]
    ) -> None:
        # Costs a fraction of a second that processes without a history should not spend.
        from torch.utils.tensorboard.writer import SummaryWriter

        path = folder / "history.jsonl"
        found, damaged = _lines(path)
        kept = [each for each in found if each["iteration"] <= iteration]
        if iteration == 0 or not _belongs(kept, fingerprint):
            kept = []
        self.said: list[str] = []
        if damaged:
            are = "line is" if damaged == 1 else "lines are"
            self.said.append(
                f"{path}: {damaged} {are} damaged or cut short and left out; the curve lacks what "
                "stood there, the training does not"
            )
        start = {"iteration": iteration, "run": {"fingerprint": fingerprint, **run}}
        with atomic_path(path) as temporary:
            temporary.write_text("".join(sealed_line(each) for each in [*kept, start]))
        self._file = path.open("a", encoding="utf-8")
        # TensorBoard forgets from this step on; the point of `iteration` itself stays.
        purged = iteration + 1 if kept else 0
        self._summary = SummaryWriter(str(folder / "summary"), purge_step=purged)

    def close(self) -> None:
        """Write out what is buffered."""
        self._file.close()
        self._summary.close()

    def add(self, iteration: int, values: dict[str, Any]) -> None:
        """Append what was measured up to `iteration`: numbers, and numbers by name."""
        self._file.write(sealed_line({"iteration": iteration, **values}))
        self._file.flush()
        for group, value in values.items():
            scalars = value.items() if isinstance(value, dict) else [("", value)]
            for name, scalar in scalars:
                tag = f"{group}/{name}" if name else group
                self._summary.add_scalar(tag, scalar, iteration)


class Window:
    """Sums since the last line of the history: of the steps' values, and of time.

    Sums of values are part of a checkpoint, so that the curve of a resumed run is the undisturbed
    one; times are not.
    """

    def __init__(self) -> None:
        self._sums = torch.zeros(0, dtype=torch.float64)
        self._steps = 0
        self._timed_steps = 0
        self._busy_s = self._waited_s = 0.0

    def add(self, values: Tensor) -> None:
        """Take in one step's values, this process's part of each."""
        self._sums = self._sums + values if len(self._sums) else values.double()
        self._steps += 1

    def clock(self, busy_s: float, waited_s: float) -> None:
        """Take in how long one step took, and how much of that was waiting for data."""
        self._timed_steps += 1
        self._busy_s += busy_s
        self._waited_s += waited_s

    def gather(self, world: World) -> None:
        """Add up the parts of all processes in the first one; the others go on from nothing."""
        everything = world.sum(self._sums)
        self._sums = everything if world.is_first else torch.zeros_like(everything)

    def means(self) -> list[float]:
        """Mean of each value over the steps, where the sums are gathered."""
        means: list[float] = (self._sums / max(self._steps, 1)).tolist()
        return means

    @property
    def steps_per_s(self) -> float:
        return self._timed_steps / max(self._busy_s, 1e-9)

    @property
    def wait_share(self) -> float:
        return self._waited_s / max(self._busy_s, 1e-9)

    def state_dict(self) -> dict[str, Any]:
        """The gathered sums, as a checkpoint holds them."""
        return {"sums": self._sums, "steps": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from the sums of a checkpoint."""
        self._sums, self._steps = state["sums"], state["steps"]


def read_history(path: Path) -> list[dict[str, Any]]:
    """What was measured, one mapping a line, without the lines about starts of the program.

    Lines that are damaged are left out.
    """
    return [each for each in _lines(path)[0] if "run" not in each]


def _lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The whole lines of a history, and how many there are that are not."""
    lines: list[dict[str, Any]] = []
    damaged = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(HEADER_BYTES.value):
                try:
                    lines.append(_line(line))
                except ValueError:
                    damaged += 1
    except FileNotFoundError:
        pass
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); remove it") from error
    return lines, damaged


def _line(line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise ValueError("it was being written when the process ended")
    read = read_line(line.decode("utf-8"))
    # Without its checksum a line has no other, or it could not be written again.
    if "crc32" in read:
        raise ValueError("carries two checksums")
    run = read.get("run", {})
    if type(read.get("iteration")) is not int or not isinstance(run, dict):
        raise ValueError("expected an iteration")
    return read


def _belongs(lines: list[dict[str, Any]], fingerprint: str) -> bool:
    starts = [each["run"].get("fingerprint") for each in lines if "run" in each]
    return bool(starts) and starts[-1] == fingerprint
