"""Raw folders of named files, and the catalogue of what is in them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import Sequences
from gait.prepare.catalogue.shards import merge_catalogue, rearrange

CASIA_B = ["casia_b_videos", "casia_b_silhouettes"]


def make(raw: Path, *names: str) -> None:
    """Files that hold their own names."""
    for name in names:
        path = raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def make_tar(path: Path, *names: str) -> None:
    """An archive of such files."""
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(name)
            archive.addfile(info, io.BytesIO(name.encode()))


def tables(folder: Path, count: int = 3) -> tuple[Path, list[Path]]:
    """The paths of the catalogue and of its shards."""
    shards = [folder / "shards" / f"{i}-of-{count}.csv" for i in range(1, count + 1)]
    return folder / "sequences.csv", shards


def rearrange_all(raw: Path, layouts: list[str], catalogue: Path, shards: list[Path]) -> Sequences:
    """What the workflow does: each shard by itself, then the table of them all."""
    found = [
        rearrange(raw, RawForm(layouts, "ask"), shard, number, len(shards))
        for number, shard in enumerate(shards, 1)
    ]
    merge_catalogue(shards, catalogue)
    return found[0]
