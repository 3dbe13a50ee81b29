"""What a dataset will hold of each sequence, as far as it can be told before it is prepared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gait.modalities import BESIDE, MODALITIES, POSE, SILHOUETTES, SKELETON_MAPS
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


def modalities_of_tree(pkl: Path, unnamed: str) -> set[str] | None:
    """What a pkl tree holds, by the file names of one of its sequences.

    Args:
        pkl: the tree `<subject>/<condition>/<view>/*.pkl`.
        unnamed: the modality in files `<view>.pkl`.

    Returns:
        None where the names do not tell.
    """
    leaf = next((path.parent for path in pkl.glob("*/*/*/*.pkl")), None)
    if leaf is None:
        return None
    named = {leaf.name: unnamed} | {f"{leaf.name}-{each}": each for each in MODALITIES}
    stems = {path.stem for path in leaf.glob("*.pkl")}
    return {named[stem] for stem in stems} if stems <= named.keys() else None
