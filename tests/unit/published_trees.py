"""Take datasets as they are given out as far as the packed store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.config.dataset import Dataset
from gait.config.load import load_dataset
from gait.formats.manifest import ManifestRow, read_manifest
from gait.formats.pkl import read_pkl
from gait.modalities import SILHOUETTES
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import Sequences
from gait.prepare.catalogue.shards import merge_catalogue, rearrange
from gait.prepare.pack import pack
from gait.prepare.sequences.pretreat import pretreat_shard
from tests.raw_archives import PASSWORD
from tests.raw_trees import Tree, lay

REPOSITORY = Path(__file__).parents[2]


def dataset(name: str) -> Dataset:
    """The definition that the repository has of a dataset."""
    return load_dataset(REPOSITORY, name)[0]


def prepared(
    root: Path,
    name: str,
    shards: int = 2,
    files: Mapping[str, str] | None = None,
    lead: str = SILHOUETTES,
) -> tuple[Sequences, dict[str, ManifestRow]]:
    """The raw data below `root`, taken as far as the packed store.

    Returns:
        What was found, and the manifest's rows of the modality `lead` by key.
    """
    definition = dataset(name)
    tables = [root / "shards" / f"{number}-of-{shards}.csv" for number in range(1, shards + 1)]
    outputs = [table.with_suffix(".pkl.csv") for table in tables]
    for number, (table, output) in enumerate(zip(tables, outputs, strict=True), 1):
        found = rearrange(
            root / "raw", RawForm(definition.layouts, files=files or {}), table, number, shards
        )
        pretreat_shard(table, root / "raw", root, output, definition.pretreat)
    merge_catalogue(tables, root / "sequences.csv")
    pack(outputs, root, root / "manifest.csv", root / "packed", root / "sequences.csv")
    manifest = read_manifest(root / "manifest.csv")
    rows = {str(row.key): row for row in manifest if row.modality == lead}
    assert rows.keys() == {str(row.key) for row in found.rows}
    return found, rows


def frames(root: Path, key: str) -> NDArray[np.uint8]:
    """The silhouettes of a sequence in the pkl tree."""
    return read_pkl(root / "pkl" / key / f"{key.rpartition('/')[2]}.pkl")


def modality(root: Path, key: str, name: str) -> NDArray[np.uint8]:
    """Another modality of a sequence there."""
    found = read_pkl(root / "pkl" / key / f"{key.rpartition('/')[2]}-{name}.pkl", name)
    assert isinstance(found, np.ndarray)
    return found


def images(tree: Tree, folder: str) -> list[NDArray[np.uint8]]:
    """What is in a folder of a tree, in the order of names."""
    return [
        np.asarray(
            cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), dtype=np.uint8
        )
        for name, data in sorted(tree.items())
        if name.rpartition("/")[0] == folder and name.endswith((".png", ".jpg"))
    ]


def secret(raw: Path, tree: Tree) -> None:
    """Lay archives and their password."""
    lay(raw, tree | {"password.txt": PASSWORD.encode()})


def pkl_tree(root: Path) -> dict[str, bytes]:
    """Every pkl file by its path."""
    return {
        str(path.relative_to(root)): path.read_bytes() for path in (root / "pkl").rglob("*.pkl")
    }


def same_from(
    tmp_path: Path,
    name: str,
    *forms: Callable[[Path], None],
    files: Mapping[str, str] | None = None,
) -> tuple[Path, list[dict[str, int]]]:
    """Prepare each form of the same data, which all have to give the same pkl tree.

    Returns:
        The root of the first form, and what each did not use.
    """
    roots = []
    ignored = []
    for number, form in enumerate(forms):
        root = tmp_path / str(number)
        form(root / "raw")
        found, _ = prepared(root, name, files=files)
        roots.append(root)
        ignored.append(found.ignored)
    first = pkl_tree(roots[0])
    assert first
    assert all(pkl_tree(root) == first for root in roots[1:])
    return roots[0], ignored
