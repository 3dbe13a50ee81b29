"""What a dataset will hold of each sequence, as far as it can be told before it is prepared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gait.formats.catalogue import CatalogueRow
from gait.modalities import COMPANIONS, POSE, SILHOUETTES, SKELETON_MAPS
from gait.prepare.catalogue.pkl_names import Pkl, is_told_by_shape, named_files


def modalities_of_raw(rows: Iterable[CatalogueRow]) -> set[str]:
    """What is made of raw sequences."""
    made = set()
    for row in rows:
        if not row.kind.has_only_companions:
            made.add(SILHOUETTES)
        if row.pose:
            made.add(POSE)
        for companion in row.companions:
            made.update(COMPANIONS[companion.kind])
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
    may_be_more = is_told_by_shape(len(names) - len(named), named, pkl)
    return None if may_be_more or not named else set(named)
