"""Take datasets given out as pkl files as far as the packed store, from `raw` and from `pkl`."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gait.formats.manifest import ManifestRow, manifest_text, read_manifest
from gait.modalities import MODALITIES, packed_name
from gait.prepare.catalogue.available import modalities_of_raw, modalities_of_tree
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import Sequences
from gait.prepare.catalogue.shards import merge_catalogue, rearrange
from gait.prepare.check import check
from gait.prepare.pack import pack
from gait.prepare.sequences.import_tree import manifest_of_tree
from gait.prepare.sequences.pretreat import pretreat_shard
from tests.raw_trees import Tree, lay
from tests.unit.published_trees import dataset

COLOURS = {"rgb", "ratio"}


def prepared(root: Path, name: str) -> tuple[Sequences, list[ManifestRow]]:
    """The files below `root/raw`, taken as far as the packed store: what was found, and made."""
    definition = dataset(name)
    table = root / "shards/1-of-1.csv"
    output = table.with_suffix(".pkl.csv")
    files, pkl = definition.files, definition.pkl
    found = rearrange(root / "raw", RawForm(definition.layouts, files=files, pkl=pkl), table, 1, 1)
    pretreat_shard(table, root / "raw", root, output, definition.pretreat)
    merge_catalogue([table], root / "sequences.csv")
    pack([output], root, root / "manifest.csv", root / "packed", root / "sequences.csv")
    manifest = read_manifest(root / "manifest.csv")
    assert {row.key for row in manifest} == {row.key for row in found.rows}
    assert {row.modality for row in manifest} <= modalities_of_raw(found.rows)
    return found, manifest


def adopted(root: Path, name: str) -> dict[str, int]:
    """The tree `root/pkl`, taken over and packed; what was not used, by kind."""
    pkl = dataset(name).pkl
    tree = manifest_of_tree(root, pkl)
    table = root / "shards/imported.pkl.csv"
    table.parent.mkdir()
    table.write_text(manifest_text(tree.rows))
    pack([table], root, root / "manifest.csv", root / "packed")
    assert modalities_of_tree(root / "pkl", pkl) == {row.modality for row in tree.rows}
    assert not check(root, dataset(name)).errors
    return tree.ignored


def packed(root: Path) -> dict[str, NDArray[Any]]:
    """Every modality of a packed store."""
    folder = root / "packed"
    names = [each for each in MODALITIES if (folder / packed_name(each)).exists()]
    return {each: np.load(folder / packed_name(each)) for each in names}


def index(root: Path) -> list[str]:
    """Keys and lengths of what a store holds."""
    lines = (root / "packed/index.csv").read_text().splitlines()[1:]
    return ["/".join(line.split(",")[:3]) + " " + line.split(",")[4] for line in lines]


def given(tree: Tree, ending: str, modality: str) -> NDArray[Any]:
    """The arrays of files with such an ending, one after the other by key, as they are packed."""
    names = sorted(name for name in tree if name.endswith(ending))
    assert names
    frames = np.concatenate([pickle.loads(tree[name]) for name in names])
    return frames.astype(MODALITIES[modality].dtypes[0])


def rows_of(tree: Tree, ending: str) -> NDArray[np.float32]:
    """The points of all clouds in files with such an ending, by key."""
    names = sorted(name for name in tree if name.endswith(ending))
    clouds = [cloud for name in names for cloud in pickle.loads(tree[name])]
    return np.concatenate(clouds).astype(np.float32)


def both(
    tmp_path: Path, name: str, tree: Tree, below: str = ""
) -> tuple[dict[str, NDArray[Any]], list[dict[str, int]]]:
    """One tree laid in `raw` and in `pkl`: what both give, and what either did not use.

    Args:
        below: a folder on top of the tree that is left out in `pkl`.
    """
    lay(tmp_path / "one/raw", tree)
    lay(tmp_path / "other/pkl", {path.removeprefix(below): data for path, data in tree.items()})
    found, manifest = prepared(tmp_path / "one", name)
    assert not any(row.dropped for row in manifest)
    ignored = [found.ignored, adopted(tmp_path / "other", name)]
    one, other = packed(tmp_path / "one"), packed(tmp_path / "other")
    # Skeleton maps are drawn where anything is made at all.
    drawn = one.pop("skeleton_maps", None)
    if "pose" in one:
        assert drawn is not None and len(drawn) == len(one["pose"])
    assert one.keys() == other.keys()
    for modality, frames in one.items():
        np.testing.assert_array_equal(frames, other[modality], modality)
    assert index(tmp_path / "one") == index(tmp_path / "other")
    return one, ignored
