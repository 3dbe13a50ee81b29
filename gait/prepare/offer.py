"""What a dataset will hold of each sequence, as far as it can be told before it is prepared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gait.modalities import BESIDE, POSE, SILHOUETTES, SKELETON_MAPS
from gait.prepare.array_names import Pkl, named_files
from gait.prepare.beside import patterns_of
from gait.prepare.tree import WITHOUT_SILHOUETTES
from gait.types import CatalogueRow


def modalities_of_raw(rows: Iterable[CatalogueRow]) -> set[str]:
    """What is made of raw sequences."""
    made = set()
    for row in rows:
        if row.kind not in WITHOUT_SILHOUETTES:
            made.add(SILHOUETTES)
        if row.pose:
            made.add(POSE)
        for kind in patterns_of(row):
            made.update(BESIDE[kind])
    return made | {SKELETON_MAPS} if POSE in made else made


def modalities_of_tree(tree: Path, pkl: Pkl) -> set[str] | None:
    """What a pkl tree holds, by the file names of one of its sequences.

    Args:
        tree: `<subject>/<condition>/<view>/*.pkl`.
        pkl: which files hold what, as in the dataset.yaml.

    Returns:
        None where the names do not tell.
    """
    leaf = next((path.parent for path in tree.glob("*/*/*/*.pkl")), None)
    if leaf is None:
        return None
    names = {path.name for path in leaf.glob("*.pkl")}
    named = named_files(leaf, names, pkl)
    are_told = names == set(named.values()) or not isinstance(pkl, str)
    return set(named) if named and are_told else None
