"""Says before training what scoring would find out after it."""

from __future__ import annotations

from pathlib import Path

from gait.config.dataset import matching_subjects
from gait.config.resolved import Resolved
from gait.data.store import PackedStore
from gait.errors import DataError
from gait.evaluation.feasible import UNSCORED, feasible


def outlook(resolved: Resolved, packed: Path) -> list[str]:
    """What keeps an experiment's scores from being whole, a sentence each.

    Args:
        packed: the packed store of the dataset that it is tested on.

    Raises:
        DataError: a protocol cannot be scored at all; every such protocol.
    """
    store = PackedStore(packed)
    tested = set(matching_subjects(store.subjects, resolved.dataset.partition.test))
    is_tested = [subject in tested for subject in store.subjects]
    keys = [
        store.keys[index]
        for index, subject in enumerate(store.subject_codes.tolist())
        if is_tested[subject]
    ]
    known = feasible(resolved.protocols, keys)
    if problems := [each.problem for each in known.values() if each.problem]:
        raise DataError(f"{resolved.identity}: {each}; {UNSCORED}" for each in problems)
    return [
        f"{name}: {row}: {note}"
        for name, each in known.items()
        for row, note in each.notes.items()
    ]
