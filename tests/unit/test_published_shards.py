"""Archives as they are given out, prepared shard by shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from gait.errors import DataError
from gait.formats.catalogue import read_rows
from gait.formats.manifest import read_manifest
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.shards import rearrange
from gait.prepare.raw.archives import Contents, Member, NameFilter, opened
from gait.prepare.sequences.pretreat import pretreat_shard
from gait.prepare.silhouettes.align import align
from tests import raw_archives, raw_trees
from tests.raw_archives import zipped
from tests.raw_trees import Tree, lay
from tests.unit.published_trees import dataset, frames, images, prepared


def test_a_cut_archive_loses_its_own_frames_only(tmp_path: Path) -> None:
    subjects = raw_archives.casia_e_subjects(raw_trees.casia_e((1, 2)))
    subjects["001.tar"] = subjects["001.tar"][: len(subjects["001.tar"]) // 2]
    lay(tmp_path / "raw", {"train001-500.zip": zipped(subjects)})
    found, rows = prepared(tmp_path, "CASIA-E")
    (problem,) = found.ignored
    assert problem.startswith("archive train001-500.zip::001.tar, damaged (")
    told = {key for key, row in rows.items() if "archive cut short" in row.dropped}
    assert len(told) == 1 and told < {key for key in rows if key.startswith("001/")}
    assert all(row.pkl for key, row in rows.items() if key.startswith("002/"))


def test_a_wrong_password_stops_before_anything_is_made(tmp_path: Path) -> None:
    lay(tmp_path / "raw", raw_archives.oumvlp_archives(raw_trees.oumvlp((1,))))
    lay(tmp_path / "raw", {"password.txt": b"guess"})
    with pytest.raises(DataError, match=r"Silhouette_000-00\.7z: does not open with the passw"):
        prepared(tmp_path, "OUMVLP")
    assert not (tmp_path / "shards").exists()


def by_archive(root: Path, archives: Mapping[str, Tree], order: tuple[int, ...]) -> set[str]:
    """Lays OU-MVLP's archives anew and makes shards of them, one an archive, in some order.

    Returns:
        The keys of what is in the pkl tree.
    """
    definition = dataset("OUMVLP")
    lay(root / "raw", {name: raw_archives.seven(tree) for name, tree in archives.items()})
    for number in order:
        table = root / f"shards/{number}-of-{len(order)}.csv"
        rearrange(root / "raw", RawForm(definition.layouts), table, number, len(order))
        assert len({str(row.source).partition("::")[0] for row in read_rows(table)}) == 1
        output = table.with_suffix(".pkl.csv")
        pretreat_shard(table, root / "raw", root, output, definition.pretreat)
        assert all((root / row.pkl).is_file() for row in read_manifest(output))
    return {str(path.parent.relative_to(root / "pkl")) for path in root.rglob("*.pkl")}


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_sequence_that_moves_to_the_archive_of_another_shard(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    tree = raw_trees.oumvlp((1, 2, 4))
    parts = raw_archives.grouped(tree, lambda name: name.split("/")[0])
    first, second = "Silhouette_000-00.7z", "Silhouette_090-01.7z"
    one = parts["Silhouette_000-00"] | parts["Silhouette_000-01"] | parts["Silhouette_090-00"]
    two = parts["Silhouette_090-01"]
    keys = by_archive(tmp_path, {first: one, second: two}, order)
    views = ("00/000", "00/090", "01/000", "01/090")
    assert keys == {f"{who:05d}/{rest}" for who in (1, 2, 4) for rest in views}
    leaves = {name: data for name, data in one.items() if "000-00/00002/" in name}
    goes = {name: data for name, data in one.items() if "000-00/00004/" in name}
    stays = {name: data for name, data in one.items() if name not in leaves | goes}
    assert by_archive(tmp_path, {first: stays, second: two | leaves}, order) == keys - {
        "00004/00/000"
    }
    expected = align(images(tree, "Silhouette_000-00/00002"), 64).frames
    np.testing.assert_array_equal(frames(tmp_path, "00002/00/000"), expected)
    # Each journal is that of one subject in one archive.
    journals = list((tmp_path / "journal/pretreat").glob("*/*.csv"))
    assert len(journals) == 3 + 3


def test_a_change_of_the_number_of_shards_makes_nothing_anew(tmp_path: Path) -> None:
    parts = raw_archives.grouped(raw_trees.oumvlp((1, 2, 4)), lambda name: name.split("/")[0])
    lay(tmp_path / "raw", {f"{name}.7z": raw_archives.seven(tree) for name, tree in parts.items()})
    prepared(tmp_path, "OUMVLP", shards=4)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "pkl").rglob("*.pkl")}
    # By subject, as there are fewer archives than shards.
    prepared(tmp_path, "OUMVLP", shards=5)
    prepared(tmp_path, "OUMVLP", shards=2)
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "pkl").rglob("*.pkl")}
    assert len(before) == 12 and after == before


def test_each_archive_is_listed_once_and_unpacked_for_one_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = raw_archives.grouped(raw_trees.oumvlp(), lambda name: name.split("/")[0])
    lay(tmp_path / "raw", {f"{name}.7z": raw_archives.seven(tree) for name, tree in parts.items()})
    read: Counter[str] = Counter()

    def noted(
        path: Path, wanted: Mapping[str, NameFilter], contents: Contents | None = None
    ) -> AbstractContextManager[Iterator[Member]]:
        read[path.name] += 1
        return opened(path, wanted, contents)

    monkeypatch.setattr("gait.prepare.raw.extraction.opened", noted)
    prepared(tmp_path, "OUMVLP", shards=4)
    assert read == {f"{name}.7z": 1 for name in parts}


def test_each_archive_is_listed_once_and_read_once_a_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path / "raw", raw_archives.grew_tgz(raw_trees.grew()))
    opened: Counter[str] = Counter()
    plain = Path.open

    def noted(self: Path, *arguments: str, **options: str) -> object:
        if self.suffix == ".tgz":
            opened[self.name] += 1
        return plain(self, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", noted)
    prepared(tmp_path, "GREW", shards=2)
    assert opened["train.tgz"] <= 3 and opened["test.tgz"] <= 3
