"""Reads which test shows what a key changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gait.config.yaml import read_yaml

FOLDER = Path(__file__).parent


def read_proofs(file: str) -> dict[str, Any]:
    """The proofs in a file of this folder: `<folder>/<file>.py::<test>` by key, or more on it."""
    proofs, _ = read_yaml(FOLDER / f"{file}.yaml")
    return proofs
