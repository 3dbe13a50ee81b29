"""Checkpoints: the whole state of a run, so that the same command goes on where it ended.

They lie in `checkpoints/<fingerprint>/<iteration>.pt`. The fingerprint covers everything the
weights depend on, so an edited experiment starts anew in a folder of its own instead of going on
with weights of another one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from gait import __version__
from gait.config.dataset import Dataset, matching_subjects
from gait.config.resolved import Resolved
from gait.engine.state.files import load_torch, save_torch
from gait.engine.state.weights import CHECKPOINT_FORMAT
from gait.errors import CheckpointError, DataError
from gait.formats.seal import read_sealed_table
from gait.formats.weights.compatibility import some
from gait.screen import shown

_FOLDER_DIGITS = 12
_HEAD = {"iteration": int, "fingerprint": str, "version": str}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the weights of a run depend on, as digests.

    Attributes:
        data: of the training sequences: their names, lengths and contents.
        all: of the data, the experiment, and the weights it starts from. The number of
            iterations is no part of it, as iteration i is the same in a longer run.
    """

    data: str
    all: str


class Checkpoints:
    """The checkpoints of one run, in `folder`/<fingerprint>."""

    def __init__(self, folder: Path, fingerprint: Fingerprint, keep: int) -> None:
        self.folder = folder / fingerprint.all[:_FOLDER_DIGITS]
        self._fingerprint = fingerprint.all
        self._keep = keep

    def save(self, iteration: int, state: dict[str, Any]) -> Path:
        """Write the state after `iteration`, then remove all but the newest few before it.

        Raises:
            DataError: the file cannot be written; the earlier checkpoints stay.
        """
        path = self.folder / f"{iteration}.pt"
        head = {
            "format": CHECKPOINT_FORMAT,
            "iteration": iteration,
            "fingerprint": self._fingerprint,
            "version": __version__,
        }
        save_torch({**head, **state}, path)
        earlier = [each for each in self._found() if each[0] < iteration]
        for _, old in earlier[max(self._keep - 1, 0) :]:
            old.unlink(missing_ok=True)
        return path

    def tidy(self) -> None:
        """Remove what a process that was killed left half-written; for one process only."""
        for path in self.folder.glob(".*.partial*"):
            path.unlink(missing_ok=True)

    def newest(
        self, last: int, parts: Mapping[str, type] | None = None
    ) -> tuple[dict[str, Any] | None, list[str]]:
        """The newest whole checkpoint up to iteration `last`, and what was found beside it.

        Args:
            parts: what a whole state has, and of which type.

        Returns:
            The state, or None where there is none, and sentences to print.

        Raises:
            CheckpointError: a file in the folder belongs to another run.
        """
        said = self._others()
        for iteration, path in self._found():
            if iteration > last:
                continue
            try:
                state = load_torch(path, "an older one is used, if there is one")
            except CheckpointError as error:
                said.append(f"skipped: {error}")
                continue
            if problem := _incomplete(state, iteration, parts or {}):
                said.append(f"skipped: {path}: {problem}")
                continue
            self._check(state, path)
            if state["version"] != __version__:
                said.append(f"{path}: was written by version {shown(state['version'])}")
            return state, said
        return None, said

    def _found(self) -> list[tuple[int, Path]]:
        """Iteration and file of each checkpoint, newest first."""
        files = [path for path in self.folder.glob("*.pt") if path.stem.isdecimal()]
        return sorted(((int(path.stem), path) for path in files), reverse=True)

    def _check(self, state: dict[str, Any], path: Path) -> None:
        fingerprint = state["fingerprint"]
        if fingerprint != self._fingerprint:
            raise CheckpointError(
                f"{path}: belongs to another experiment or other data (fingerprint "
                f"{shown(fingerprint)}, "
                f"expected {self._fingerprint}); remove it, or change the experiment's name"
            )

    def _others(self) -> list[str]:
        try:
            siblings = sorted(self.folder.parent.iterdir())
        except FileNotFoundError:
            return []
        others = [each for each in siblings if each.is_dir() and each != self.folder]
        if not others:
            return []
        names = ", ".join(each.name for each in others)
        return [
            f"{self.folder.parent}: left alone, as they belong to other settings or data: {names}"
        ]


def _incomplete(state: dict[str, Any], iteration: int, parts: Mapping[str, type]) -> str:
    """What a checkpoint lacks, whoever wrote it; nothing where it is whole."""
    kind = state.get("format")
    if kind != CHECKPOINT_FORMAT:
        return f"expected a checkpoint ({CHECKPOINT_FORMAT}), got {shown(kind)}"
    wanted = {**_HEAD, **parts}
    if missing := [name for name, kind in wanted.items() if not isinstance(state.get(name), kind)]:
        return f"lacks {some(missing)}, or has something else there"
    if state["iteration"] != iteration:
        return f"is of iteration {state['iteration']}, but has the name of {iteration}"
    return ""


def fingerprint(resolved: Resolved, packed: Path) -> Fingerprint:
    """The digests that decide whether a checkpoint belongs to this run.

    Args:
        packed: the packed store; only its index is read. Those of other datasets lie beside it.

    Raises:
        DataError: the index cannot be read.
        CheckpointError: the weights to start from cannot be read.
    """
    digests = [
        _data_digest(packed if each is resolved.dataset else other_store(packed, each.name), each)
        for each in (resolved.dataset, *resolved.others)
    ]
    data = digests[0] if len(digests) == 1 else _text_digest(" ".join(digests))
    settings = resolved.training_slice()
    settings["experiment"].pop("iterations")
    starts = [_digest(Path(each)) for each in resolved.experiment.starts]
    text = json.dumps([settings, starts, data], sort_keys=True, separators=(",", ":"))
    return Fingerprint(data, _text_digest(text))


def other_store(packed: Path, dataset: str) -> Path:
    """The packed store of another dataset, beside that of one."""
    return packed.parent.parent / dataset / packed.name


def _data_digest(packed: Path, dataset: Dataset) -> str:
    index = packed / "index.csv"
    columns = ["subject", "condition", "view", "frames", "sha256"]
    data = read_sealed_table(index, "run the pack step again")
    try:
        table = pd.read_csv(BytesIO(data), dtype=str, keep_default_na=False, usecols=columns)
        table = table[columns]
    except ValueError as error:
        raise DataError(
            f"{index}: cannot be read ({str(error).splitlines()[0]}); run the pack step again"
        ) from error
    subjects = matching_subjects(sorted(table["subject"].unique()), dataset.partition.train)
    rows = table[table["subject"].isin(subjects)].sort_values(columns[:3])
    return _text_digest(rows.to_csv(index=False, lineterminator="\n"))


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(
            f"{path}: the weights to start from cannot be read ({error.strerror}); see "
            "weights, init or init_from of the experiment"
        ) from error
