"""Journals: one writer each, and nothing that another shard has made is removed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gait.errors import DataError
from gait.files import write_if_changed
from gait.formats.manifest import COLUMNS, ManifestRow
from gait.formats.pkl import write_pkl
from gait.formats.seal import sidecar
from gait.prepare.sequences.cache import SequenceCache, file_state, remove_pkl
from gait.types import SequenceKey

KEYS = [SequenceKey("001", "nm", view) for view in ("000", "090")]
PKL = "pkl/001/nm/000/000.pkl"


def made(root: Path, key: SequenceKey, gray: int = 1) -> ManifestRow:
    """A sequence's row, with its pkl."""
    pkl = f"pkl/{key}/{key.view}.pkl"
    write_pkl(root / pkl, np.full((3, 64, 64), gray, np.uint8))
    return ManifestRow(key, pkl, 3, 3)


def shard(root: Path, archives: dict[SequenceKey, str]) -> SequenceCache:
    """What a shard does, which has nothing left to do when it is run again."""
    journal = SequenceCache(root, "pretreat", archives)
    for key in archives:
        if journal.unchanged(key, "state") is None:
            journal.make_room(key, ["silhouettes"])
            journal.record((made(root, key),), "state")
            journal.save(journal.name(key))
    journal.close()
    return journal


def test_a_subject_has_a_journal_in_each_archive(tmp_path: Path) -> None:
    shard(tmp_path, {KEYS[0]: "1.7z"})
    shard(tmp_path, {KEYS[1]: "2.7z"})
    both = SequenceCache(tmp_path, "pretreat", {KEYS[0]: "1.7z", KEYS[1]: "2.7z"})
    assert all(both.unchanged(key, "state") for key in KEYS)
    assert len({both.name(key) for key in KEYS}) == 2
    assert SequenceCache(tmp_path, "pretreat", {KEYS[0]: ""}).name(KEYS[0]) == "001"


@pytest.mark.parametrize("is_first", [True, False])
def test_what_moved_to_another_archive_stays(tmp_path: Path, is_first: bool) -> None:
    shard(tmp_path, dict.fromkeys(KEYS, "1.7z"))
    shards = [{KEYS[1]: "1.7z"}, {KEYS[0]: "2.7z"}]
    for each in shards if is_first else reversed(shards):
        shard(tmp_path, each)
    assert (tmp_path / PKL).is_file()
    assert SequenceCache(tmp_path, "pretreat", shards[1]).unchanged(KEYS[0], "state")
    # Both in one shard.
    shard(tmp_path, {KEYS[1]: "1.7z", KEYS[0]: "3.7z"})
    assert (tmp_path / PKL).is_file()
    shard(tmp_path, {KEYS[1]: "1.7z"})
    assert (tmp_path / PKL).is_file()


def test_what_is_no_more_goes(tmp_path: Path) -> None:
    shard(tmp_path, dict.fromkeys(KEYS, "1.7z"))
    shard(tmp_path, {KEYS[1]: "1.7z"})
    assert sorted(path.name for path in (tmp_path / "pkl/001/nm").iterdir()) == ["090"]


def test_a_pkl_in_another_state_is_not_removed(tmp_path: Path) -> None:
    made(tmp_path, KEYS[0])
    state = file_state(tmp_path / PKL)
    (tmp_path / PKL).unlink()
    made(tmp_path, KEYS[0], gray=2)
    now = file_state(tmp_path / PKL)
    remove_pkl(tmp_path, PKL, state)
    assert file_state(tmp_path / PKL) == now
    assert [path.name for path in (tmp_path / PKL).parent.iterdir()] == ["000.pkl"]
    remove_pkl(tmp_path, PKL, now)
    assert not (tmp_path / "pkl/001").exists()
    remove_pkl(tmp_path, PKL, now)


def test_a_folder_that_another_shard_removes_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Path.mkdir
    tries: list[Path] = []

    def racing(
        self: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False
    ) -> None:
        if parents:
            tries.append(self)
            if len(tries) < 3:
                raise FileNotFoundError
        plain(self, mode, parents, exist_ok)

    monkeypatch.setattr(Path, "mkdir", racing)
    assert write_if_changed(tmp_path / "a/b/c.txt", "text")
    assert (tmp_path / "a/b/c.txt").read_text() == "text"


ROWS = {
    "climbs": "001,nm,000,silhouettes,../precious,3,3,,,,x,state,{state}",
    "absolute": "001,nm,000,silhouettes,{outside},3,3,,,,x,state,{state}",
    "climbs in any state": "001,nm,000,silhouettes,../precious,3,3,,,,x,state,",
    "absolute in any state": "001,nm,000,silhouettes,{outside},3,3,,,,x,state,",
    "another sequence's": "001,nm,000,silhouettes,pkl/002/nm/000/000.pkl,3,3,,,,x,state,{other}",
    "another subject's": "002,nm,000,silhouettes,pkl/002/nm/000/000.pkl,3,3,,,,x,state,{other}",
    "own, in any state": "001,nm,000,silhouettes,pkl/001/nm/000/000.pkl,3,3,,,,x,state,",
    "no file of ours": "001,nm,000,silhouettes,manifest.csv,3,3,,,,x,state,",
    "of no modality": "001,nm,000,nonsense,pkl/001/nm/000/000.pkl,3,3,,,,x,state,",
    "climbing subject": "..,nm,000,silhouettes,pkl/../nm/000/000.pkl,3,3,,,,x,state,",
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_journal_removes_nothing_but_what_it_has_made(tmp_path: Path, row: str) -> None:
    root = tmp_path / "root"
    precious = tmp_path / "precious"
    precious.write_text("not ours")
    (root / "pkl").mkdir(parents=True)
    (root / "manifest.csv").write_text("ours")
    made(root, KEYS[0])
    made(root, SequenceKey("002", "nm", "000"))
    there = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    journal = root / "journal/pretreat/001.csv"
    journal.parent.mkdir(parents=True)
    text = row.format(
        outside=precious,
        state=file_state(precious),
        other=file_state(root / "pkl/002/nm/000/000.pkl"),
    )
    columns = ",".join((*COLUMNS, "state", "pkl_state"))
    journal.write_text(f"{columns}\n{text}\n", encoding="utf-8")
    SequenceCache(root, "pretreat", {KEYS[1]: ""}).close()
    assert sorted(set(there) - set(tmp_path.rglob("*"))) == []


def test_a_pkl_behind_a_link_out_of_the_tree_is_not_removed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside/nm/000"
    outside.mkdir(parents=True)
    (outside / "000.pkl").write_text("not ours")
    (root / "pkl").mkdir(parents=True)
    (root / "pkl/001").symlink_to("../../outside")
    with pytest.raises(DataError, match="stays below"):
        remove_pkl(root, PKL)
    assert (outside / "000.pkl").is_file()


def test_a_journal_that_a_full_disk_left_without_its_digest_gets_one(tmp_path: Path) -> None:
    shard(tmp_path, {KEYS[0]: ""})
    digest = sidecar(tmp_path / "journal/pretreat/001.csv")
    before = digest.read_bytes()
    digest.unlink()
    shard(tmp_path, {KEYS[0]: ""})
    assert digest.read_bytes() == before


def test_a_damaged_journal_is_ignored(tmp_path: Path) -> None:
    shard(tmp_path, dict.fromkeys(KEYS, ""))
    path = tmp_path / "journal/pretreat/001.csv"
    assert SequenceCache(tmp_path, "pretreat", {KEYS[0]: ""}).unchanged(KEYS[0], "state")
    path.write_bytes(path.read_bytes().replace(b",3,3,", b",3,7,"))
    assert SequenceCache(tmp_path, "pretreat", {KEYS[0]: ""}).unchanged(KEYS[0], "state") is None


@pytest.mark.parametrize("subject", ["..", "../../precious", "a/b", ""])
def test_a_journal_lies_in_its_folder(tmp_path: Path, subject: str) -> None:
    with pytest.raises(DataError, match="cannot be the name of a folder"):
        SequenceCache(tmp_path, "pretreat", {SequenceKey(subject, "nm", "000"): ""})
