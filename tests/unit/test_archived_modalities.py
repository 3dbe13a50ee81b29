"""Files of further modalities in archives give what they give when they are unpacked."""

from __future__ import annotations

import json
import pickle
import re
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gait.errors import DataError
from gait.formats.catalogue import RowKind, companions_text, rows_text
from gait.formats.manifest import read_manifest
from gait.prepare.catalogue.archived_companions import ArchivedFolders
from gait.prepare.catalogue.archived_rows import completed
from gait.prepare.catalogue.available import modalities_of_raw
from gait.prepare.catalogue.companions import CompanionFinder, with_companions
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import scan
from gait.prepare.check import check
from gait.prepare.raw import extraction, spill_buffer
from gait.prepare.raw.archive_index import ArchiveIndex
from gait.prepare.raw.archives import Contents, NameFilter, contents_of
from gait.prepare.sequences.pretreat import pretreat_shard
from gait.types import SequenceKey
from tests import raw_archives, raw_trees
from tests.raw_archives import grouped, seven, tar, zipped
from tests.raw_trees import Tree, lay
from tests.unit.published_trees import dataset, pkl_tree, prepared, same_from, secret

tgz = partial(tar, compressed=True)

GAIT3D = dataset("Gait3D").files

# Without poses, from which skeleton maps would be drawn.
BODIES = {kind: pattern for kind, pattern in GAIT3D.items() if kind != "pose_text"}


def few() -> Tree:
    """Two subjects of Gait3D, with poses and parsing maps."""
    tree = raw_trees.gait3d()
    return {name: data for name, data in tree.items() if name.split("/")[1] in ("0001", "0002")}


def gait3d() -> Tree:
    """Gait3D with body models, of which one frame lacks its own; one sequence lacks its poses."""
    tree = few()
    for name in [name for name in tree if name.startswith("2D_Poses/")]:
        model = name.replace("2D_Poses", "3D_SMPLs").replace(".txt", ".npz")
        tree[model] = raw_trees.body_model(len(tree), 0)
        if "0002/camid2_videoid2/seq1" in name:
            del tree[name]
    del tree["3D_SMPLs/0001/camid1_videoid2/seq0/human_crop_f9999.npz"]
    return tree


def by_folder(tree: Tree) -> dict[str, Tree]:
    return grouped(tree, lambda name: name.split("/")[0])


def below(tree: Tree) -> Tree:
    """A tree without its first folder."""
    return {name.partition("/")[2]: data for name, data in tree.items()}


def mixed(tree: Tree) -> Tree:
    """Gait3D in an archive a folder, of many kinds, some with that folder in it."""
    parts = by_folder(tree)
    return {
        "2D_Silhouettes.tgz": tgz(parts["2D_Silhouettes"]),
        "2D_Poses.7z": seven(below(parts["2D_Poses"])),
        "3D_SMPLs.tar": tar(parts["3D_SMPLs"]),
        "2D_Parsings.zip": zipped(below(parts["2D_Parsings"])),
    }


def by_subject(tree: Tree) -> Tree:
    """Gait3D with an archive a subject in each of its folders, and silhouettes on the disk."""
    archives: Tree = {}
    for name, part in grouped(tree, lambda name: "/".join(name.split("/")[:2])).items():
        if name.startswith("2D_Sil"):
            archives |= part
        else:
            archives[f"{name}.tar.gz"] = tgz(below(part))
    return archives


def test_gait3d_in_any_archives(tmp_path: Path) -> None:
    tree = gait3d()
    parts = by_folder(tree)
    # One kind after the other, silhouettes last.
    reverse = {name: data for part in reversed(parts.values()) for name, data in part.items()}
    poses = zipped(parts["2D_Poses"])
    root, ignored = same_from(
        tmp_path,
        "Gait3D",
        lambda raw: lay(raw, tree),
        lambda raw: lay(raw, {"Gait3D.zip": zipped(tree)}),
        lambda raw: lay(raw, {"Gait3D.7z": seven(reverse)}),
        lambda raw: lay(raw, {"Gait3D.tar": tar({"inner.zip": zipped(tree)})}),
        lambda raw: lay(raw, {f"{name}.zip": zipped(part) for name, part in parts.items()}),
        lambda raw: lay(raw, {f"{name}.tgz": tgz(part) for name, part in parts.items()}),
        lambda raw: lay(raw, mixed(tree)),
        lambda raw: lay(raw, by_subject(tree)),
        lambda raw: lay(
            raw,
            {name: data for name, data in tree.items() if "Poses" not in name}
            | {"2D_Poses.zip": poses},
        ),
        files=GAIT3D,
    )
    assert ignored == [{}] * 9
    manifest = read_manifest(root / "manifest.csv")
    assert {row.modality for row in manifest} == {
        *("silhouettes", "parsing", "pose", "smpl", "skeleton_maps")
    }
    kept = {str(row.key): (row.frames_kept, str(row.dropped)) for row in manifest}
    assert kept.pop("0001/camid1_videoid2/seq0") == (5, "{'no smpl': 1}")
    assert kept.pop("0002/camid2_videoid2/seq1") == (0, "{'no pose': 6}")
    assert set(kept.values()) == {(6, "{}")}


def test_ccpg_in_any_archive(tmp_path: Path) -> None:
    tree = raw_trees.ccpg()
    del tree["001/U0_D0/C1_a/C1_a_0001.png"]
    tree["001/U3_D3/C1_a/1.jpg"] = tree["001/U0_D0/C1_a/C1_a_0001.jpg"]
    tree["preview.png"] = tree["001/U0_D0/C1_a/C1_a_0000.png"]
    subjects = grouped(tree, lambda name: name.partition("/")[0])
    nested = {
        f"{who}.7z" if who == "001" else f"{who}.zip": part for who, part in subjects.items()
    }
    files = dataset("CCPG").files
    root, ignored = same_from(
        tmp_path,
        "CCPG",
        lambda raw: lay(raw, tree),
        lambda raw: lay(raw, {"CCPG.zip": zipped(tree)}),
        lambda raw: lay(raw / "a", {"CCPG_frames.7z": seven(tree)}),
        lambda raw: lay(raw, {"CCPG.tar.gz": tgz(tree)}),
        lambda raw: lay(
            raw,
            {
                "CCPG.tar": tar(
                    {
                        name: seven(part) if name.endswith("7z") else zipped(part)
                        for name, part in nested.items()
                    }
                )
            },
        ),
        files=files,
    )
    expected = {
        "image in a folder without silhouettes": 1,
        "image outside <subject>/<condition>/<view>/": 1,
    }
    assert ignored == [expected] * 5
    manifest = read_manifest(root / "manifest.csv")
    assert {row.modality for row in manifest} == {"silhouettes", "masks", "rgb", "ratio"}
    dropped = {str(row.key): row.dropped for row in manifest if row.dropped}
    assert dropped == {"001/U0_D0/C1_a": {"no silhouettes": 1}}


def test_poses_beside_silhouettes_as_deep_as_grew_has_them(tmp_path: Path) -> None:
    whole = raw_trees.grew()
    del whole["test/probe/m0N1o2P3/00002_2d_pose.txt"]
    root, ignored = same_from(
        tmp_path,
        "GREW",
        lambda raw: lay(raw, whole),
        lambda raw: secret(raw, raw_archives.grew_archives(whole)),
        lambda raw: lay(raw / "a", raw_archives.grew_tgz(whole)),
        lambda raw: lay(raw, raw_archives.grew_subjects(whole)),
        files=dataset("GREW").files,
    )
    unused = sum("_gei" in name or "_3d_" in name for name in whole)
    assert ignored[1:] == [{"other archive member": unused}] * 3
    manifest = read_manifest(root / "manifest.csv")
    kept = {row.frames_kept for row in manifest if str(row.key) == "probe/03/m0N1o2P3"}
    assert kept == {5} and {row.modality for row in manifest} >= {"pose", "skeleton_maps"}


def arrays(key: str) -> dict[str, bytes]:
    """The pkl files of a sequence and, in a folder of their own, its ratios."""
    rng = np.random.default_rng(list(key.encode()))
    view = key.rpartition("/")[2]
    return {
        f"{key}/{view}-sils.pkl": pickle.dumps(rng.integers(0, 256, (5, 64, 64), np.uint8)),
        f"{key}/{view}-pose.pkl": pickle.dumps(rng.uniform(1, 60, (5, 17, 3))),
        f"ratios/{key}/w.pkl": pickle.dumps(rng.uniform(0.3, 0.6, 5)),
    }


def without_silhouettes(root: Path) -> None:
    """Prepares folders of pkl files, on the disk or in all.zip or all.7z."""
    raw = root / "raw"
    patterns = {
        "pkl_silhouettes": "{folder}/*-sils.pkl",
        "pkl_pose": "{folder}/*-pose.pkl",
        "pkl_ratio": "ratios/{subject}/{condition}/{view}/*.pkl",
    }

    def key_of(folder: str) -> SequenceKey | None:
        parts = folder.split("/")
        return SequenceKey(*parts) if len(parts) == 3 else None

    listings = ArchiveIndex(raw, root, {each.rpartition("/")[2] for each in patterns.values()})
    found = completed(scan_folders(raw, key_of, re.compile(r"all\..*"), RowKind.PKL), listings)
    archived = ArchivedFolders(raw, listings)
    archived.look_through(found.archives, [], patterns.values(), found.unused)
    finder = CompanionFinder(raw, found.rows, archived, found.unused, {})
    rows = with_companions(raw, found.rows, RawForm([], files=patterns), finder)
    assert found.unused.counts() == {}
    assert modalities_of_raw(rows) == {"silhouettes", "pose", "ratio", "skeleton_maps"}
    shard = root / "shards/1-of-1.csv"
    lay(root, {"shards/1-of-1.csv": rows_text(rows).encode()})
    pretreat_shard(shard, raw, root, root / "shards/1-of-1.pkl.csv")


def test_arrays_without_silhouettes(tmp_path: Path) -> None:
    tree = {name: data for who in ("001", "002") for name, data in arrays(f"{who}/nm/000").items()}
    ratios = grouped(tree, lambda name: name.split("/")[0]).pop("ratios")
    rest = {name: data for name, data in tree.items() if name not in ratios}
    lay(tmp_path / "1/raw", tree)
    lay(tmp_path / "2/raw", {"all.zip": zipped(tree)})
    lay(tmp_path / "3/raw", {"all.7z": seven(rest), "ratios.tgz": tgz(ratios)})
    for number in "123":
        without_silhouettes(tmp_path / number)
    first = pkl_tree(tmp_path / "1")
    assert len(first) == 2 * 4
    assert pkl_tree(tmp_path / "2") == pkl_tree(tmp_path / "3") == first


def test_each_archive_is_gone_through_once_a_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path / "raw", mixed(gait3d()))
    read: Counter[str] = Counter()
    listed: Counter[str] = Counter()
    plain = extraction.opened

    def noted(
        path: Path, wanted: Mapping[str, NameFilter], contents: Contents | None = None
    ) -> object:
        read[path.name] += 1
        return plain(path, wanted, contents)

    monkeypatch.setattr(extraction, "opened", noted)

    def listing(path: Path, patterns: set[str]) -> Contents:
        listed[path.name] += 1
        return contents_of(path, patterns)

    monkeypatch.setattr("gait.prepare.raw.archive_index.contents_of", listing)
    scan(tmp_path / "raw", RawForm(["gait3d_silhouettes"], files=GAIT3D))
    assert set(listed.values()) == {1}
    listed.clear()
    prepared(tmp_path, "Gait3D", shards=2, files=GAIT3D)
    names = {"2D_Silhouettes.tgz", "2D_Poses.7z", "3D_SMPLs.tar", "2D_Parsings.zip"}
    assert listed == dict.fromkeys(names, 1)
    assert read == dict.fromkeys(names, 2)


def test_what_memory_does_not_hold_waits_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = gait3d()
    parts = by_folder(tree)
    lay(tmp_path / "1/raw", tree)
    del parts["2D_Poses"]
    lay(tmp_path / "2/raw", {"Gait3D.7z": seven(tree)})
    lay(tmp_path / "3/raw", {f"{name}.tgz": tgz(part) for name, part in parts.items()})
    prepared(tmp_path / "1", "Gait3D", files=BODIES)
    monkeypatch.setattr(spill_buffer, "MEMORY_BYTES", 5000)
    where: set[Path | None] = set()
    plain = spill_buffer.tempfile.TemporaryFile

    def noted(dir: Path | None) -> object:
        where.add(dir)
        return plain(dir=dir)

    monkeypatch.setattr(spill_buffer.tempfile, "TemporaryFile", noted)
    for number in "23":
        prepared(tmp_path / number, "Gait3D", files=BODIES)
        assert pkl_tree(tmp_path / number) == pkl_tree(tmp_path / "1")
    assert where == {tmp_path / "2", tmp_path / "3"}
    assert {each.name for each in (tmp_path / "3").iterdir()} == {
        *("raw", "shards", "journal", "pkl", "packed", "manifest.csv", "manifest.csv.sha256"),
        *("sequences.csv", "sequences.csv.sha256"),
    }


@pytest.mark.parametrize("twice", ["disk", "archive"])
def test_files_in_two_places_are_refused(tmp_path: Path, twice: str) -> None:
    parts = by_folder(few())
    poses = {"2D_Poses.zip": zipped(parts["2D_Poses"])}
    again = parts["2D_Poses"] if twice == "disk" else {"2D_Poses.tar": tar(parts["2D_Poses"])}
    lay(tmp_path / "raw", parts["2D_Silhouettes"] | poses | again)
    with pytest.raises(
        DataError, match=r"pose_text of 0001/\S+ lie in 2D_Poses\S+ and in 2D_Pose"
    ):
        scan(tmp_path / "raw", RawForm(["gait3d_silhouettes"], files=GAIT3D))


def test_a_replaced_archive_changes_what_lies_beside_and_nothing_else(tmp_path: Path) -> None:
    lay(tmp_path / "raw", mixed(gait3d()))

    def rows() -> list[tuple[str, dict[str, list[str]]]]:
        found = scan(
            tmp_path / "raw",
            RawForm(["gait3d_silhouettes"], files=GAIT3D),
            tmp_path,
        )
        return [
            (row.fingerprint, json.loads(companions_text(row.companions))) for row in found.rows
        ]

    before = rows()
    assert rows() == before
    lay(tmp_path / "raw", {"2D_Poses.7z": seven(by_folder(few())["2D_Poses"])})
    after = rows()
    assert [each for each, _ in after] == [each for each, _ in before]
    for (_, one), (_, other) in zip(before, after, strict=True):
        assert one.pop("pose_text")[1] != other.pop("pose_text")[1]
        assert one == other


def test_an_archive_of_poses_that_is_cut_costs_its_own_frames(tmp_path: Path) -> None:
    parts = by_folder(few())
    poses = tar(parts["2D_Poses"])
    lay(tmp_path / "raw", parts["2D_Silhouettes"] | {"2D_Poses.tar": poses[: len(poses) // 2]})
    found, rows = prepared(tmp_path, "Gait3D", files=GAIT3D)
    (reason,) = found.ignored
    assert reason.startswith("archive 2D_Poses.tar, damaged (")
    kept = [row.frames_kept for row in rows.values()]
    assert kept[0] == 6 and kept[-1] == 0
    assert rows["0002/camid2_videoid2/seq1"].dropped == {"no pose": 6}


def test_a_damaged_member_costs_its_frame(tmp_path: Path) -> None:
    parts = by_folder(few())
    data = bytearray(zipped(parts["2D_Poses"]))
    data[120] ^= 0xFF
    lay(tmp_path / "raw", parts["2D_Silhouettes"] | {"2D_Poses.zip": bytes(data)})
    _, rows = prepared(tmp_path, "Gait3D", files=GAIT3D)
    assert Counter(str(row.dropped) for row in rows.values()) == {
        "{}": 3,
        "{'unreadable pose': 1}": 1,
    }


def test_poses_of_which_nobody_wrote_the_password(tmp_path: Path) -> None:
    parts = by_folder(few())
    poses = zipped(parts["2D_Poses"], raw_archives.PASSWORD)
    lay(tmp_path / "raw", parts["2D_Silhouettes"] | {"2D_Poses.zip": poses})
    with pytest.raises(DataError, match=r"2D_Poses\.zip: is encrypted, and neither"):
        scan(tmp_path / "raw", RawForm(["gait3d_silhouettes"], files=GAIT3D))
    lay(tmp_path / "raw", {"2D_Poses.zip.password": raw_archives.PASSWORD.encode()})
    found = scan(tmp_path / "raw", RawForm(["gait3d_silhouettes"], files=GAIT3D))
    assert modalities_of_raw(found.rows) == {"silhouettes", "pose", "skeleton_maps"}
    assert found.ignored == {}


def test_an_archive_that_a_link_leads_to_outside_is_not_read(tmp_path: Path) -> None:
    parts = by_folder(few())
    lay(tmp_path / "raw", parts["2D_Silhouettes"])
    lay(tmp_path / "outside", {"2D_Poses.zip": zipped(parts["2D_Poses"])})
    (tmp_path / "raw/2D_Poses.zip").symlink_to(tmp_path / "outside/2D_Poses.zip")
    found = scan(tmp_path / "raw", RawForm(["gait3d_silhouettes"], files=GAIT3D))
    assert modalities_of_raw(found.rows) == {"silhouettes"}
    assert found.ignored == {
        "link that leaves the raw folder (link the raw folder itself instead)": 1
    }


def test_the_check_sees_them(tmp_path: Path) -> None:
    lay(tmp_path / "raw", {"Gait3D.zip": zipped(gait3d())})
    report = check(tmp_path, dataset("Gait3D"))
    assert not [each for each in report.findings if each.kind.startswith(("not used", "images"))]
    assert ": 4" in report.title and "2 subjects" in report.title
