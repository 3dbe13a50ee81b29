"""What is amiss with a pkl tree is found before it is taken over."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

import numpy as np
import pytest

from gait.formats.pkl import write_pkl
from gait.prepare.check import check
from gait.prepare.check.findings import Severity
from gait.prepare.sequences.import_tree import manifest_of_tree
from gait.ragged import Ragged
from tests.unit.checked import CONDITIONS, FRAMES, SUBJECTS, VIEWS, definition, the


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A whole pkl tree, silhouettes and poses."""
    rng = np.random.default_rng(0)
    for subject in SUBJECTS:
        for condition in CONDITIONS:
            for view in VIEWS:
                folder = tmp_path / "pkl" / subject / condition / view
                frames = rng.integers(0, 2, (FRAMES, 64, 64), np.uint8) * np.uint8(255)
                write_pkl(folder / f"{view}.pkl", frames)
                write_pkl(folder / f"{view}-pose.pkl", np.ones((FRAMES, 17, 3)), "pose")
    return tmp_path


def test_a_whole_pkl_tree(tree: Path) -> None:
    report = check(tree, definition())
    assert report.findings == [] and "(pkl tree): 24 of 24 sequences" in report.title


def test_clouds_in_a_pkl_tree(tree: Path) -> None:
    for leaf in (tree / "pkl").glob("*/*/*"):
        clouds = [np.ones((size, 3), np.float32) for size in range(1, FRAMES + 1)]
        write_pkl(leaf / f"{leaf.name}-points.pkl", Ragged.of(clouds), "points")
    assert check(tree, definition()).findings == []


def remove_pose(tree: Path) -> None:
    (tree / "pkl/001/nm-01/000/000-pose.pkl").unlink()


def cut(tree: Path) -> None:
    path = tree / "pkl/001/nm-01/000/000.pkl"
    path.write_bytes(path.read_bytes()[:-100])


def forget_names(tree: Path) -> None:
    for view in VIEWS:
        for folder in (tree / "pkl").glob(f"*/*/{view}"):
            (folder / f"{view}.pkl").rename(folder / "one.pkl")
            (folder / f"{view}-pose.pkl").rename(folder / "other.pkl")


@pytest.mark.parametrize(
    ("spoil", "kind", "example"),
    [
        (remove_pose, "without pose, which others have as <view>-pose.pkl", "001/nm-01/000"),
        (cut, "pkl files cut short", "000.pkl"),
        (forget_names, "cannot be taken over", "one.pkl, other.pkl"),
    ],
)
def test_a_pkl_tree_that_cannot_be_taken_over(
    tree: Path, spoil: Callable[[Path], None], kind: str, example: str
) -> None:
    spoil(tree)
    [error] = check(tree, definition()).errors
    assert kind in error.kind and example in error.example


def test_a_pkl_tree_with_short_sequences_and_without_a_modality(tree: Path) -> None:
    folder = tree / "pkl/001/nm-01/000"
    write_pkl(folder / "000.pkl", np.ones((2, 64, 64), np.uint8))
    write_pkl(folder / "000-pose.pkl", np.ones((2, 17, 3)), "pose")
    (tree / "pkl/notes.txt").write_text("hello")
    report = check(tree, definition(expected={"modalities": "silhouettes smpl"}))
    short = [each for each in report.findings if "fewer than 5" in each.kind]
    assert [each.count for each in short] == [1, 1]
    assert the(report, "modalities").example == "smpl"
    assert the(report, "beside the folders").severity is Severity.note
    assert report.errors == []


def test_a_pkl_tree_whose_files_are_named_for_their_sequences(tree: Path) -> None:
    for path in (tree / "pkl").glob("*/*/*/*.pkl"):
        if path.stem == path.parent.name:
            path.rename(path.with_name("_".join(path.parts[-4:-1]) + ".pkl"))
        else:
            path.unlink()
    named = definition(pkl={"silhouettes": "{subject}_{condition}_{view}.pkl"}, expected={})
    assert check(tree, named).findings == []
    (tree / "pkl/001/nm-01/000/001_nm-01_000.pkl").write_bytes(b"torn")
    assert [each.kind for each in check(tree, named).findings] == ["pkl files cut short"]


def test_names_may_differ_between_sequences_as_when_the_tree_is_taken_over(tree: Path) -> None:
    leaves = sorted((tree / "pkl").glob("*/*/*"))
    first = leaves[0] / "000.pkl"
    first.rename(first.with_name("000-silhouettes.pkl"))
    for leaf in leaves[::3]:
        if leaf != leaves[0]:
            own = leaf / f"{leaf.name}.pkl"
            own.rename(own.with_name("_".join(leaf.parts[-3:]) + ".pkl"))
    rows = manifest_of_tree(tree).rows
    assert [row.modality for row in rows] == ["pose", "silhouettes"] * len(leaves)
    assert check(tree, definition()).findings == []


def test_a_modality_that_only_a_few_sequences_have(tree: Path) -> None:
    leaves = sorted((tree / "pkl").glob("*/*/*"))
    for leaf in leaves[1:2]:
        write_pkl(leaf / f"{leaf.name}-smpl.pkl", np.ones((FRAMES, 85)), "smpl")
    # A condition whose name is part of what stands for a view.
    (tree / "pkl/001/bg-01").rename(tree / "pkl/001/view")
    [error] = check(tree, definition()).errors
    assert "without smpl, which others have as <view>-smpl.pkl" in error.kind
    assert error.count == len(leaves) - 1


def test_an_empty_pkl_tree(tmp_path: Path) -> None:
    (tmp_path / "pkl/001").mkdir(parents=True)
    [error] = check(tmp_path, definition()).errors
    assert "found no pkl" in error.example


def test_a_pkl_tree_one_level_too_deep(tmp_path: Path) -> None:
    folder = tmp_path / "pkl/Toy/001/nm-01/000"
    folder.mkdir(parents=True)
    write_pkl(folder / "000.pkl", np.ones((6, 64, 64), np.uint8))
    [error] = check(tmp_path, definition()).errors
    assert "found Toy/001/nm-01/000/000.pkl" in error.example


def test_a_pkl_of_something_else_says_what_to_do(tree: Path) -> None:
    (tree / "pkl/001/bg-01/000/000-pose.pkl").write_bytes(pickle.dumps({"a": 1}))
    [error] = check(tree, definition()).errors
    assert error.example.endswith("got dict") and error.fix.startswith("copy it again")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"\x80\x04Nr\x00\x00\x00\x08.",
        b"N" + b"\x85" * 2000 + b".",
        b"\x8c\x01\x1b\x8c\x06system\x93)R.",
        b"]" + b"\x98.",
        pickle.dumps([np.ones((900, 3))] * 100_000),
        pickle.dumps(np.zeros((2**20, 0, 3))),
        pickle.dumps(np.float32(1)),
        pickle.dumps("text"),
        pickle.dumps([[[]]]),
        pickle.dumps({"a": [1]}),
    ],
)
@pytest.mark.parametrize("name", ["000.pkl", "000-pose.pkl", "000-points.pkl", "other.pkl"])
def test_whatever_a_pkl_holds_is_a_finding(tree: Path, name: str, content: bytes) -> None:
    leaf = tree / "pkl/001/bg-01/000"
    for path in sorted((tree / "pkl").glob("*/*/*")):
        if path != leaf:
            rmtree(path)
    if name == "other.pkl":
        for path in leaf.iterdir():
            path.unlink()
    (leaf / name).write_bytes(content)
    found = check(tree, definition()).errors
    assert any(name in each.example for each in found)
    assert all(each.example.isprintable() for each in found)


def test_what_is_called_like_a_pkl_and_is_none(tree: Path) -> None:
    leaf = tree / "pkl/001/bg-01/000"
    (leaf / "folder.pkl").mkdir()
    # Nothing writes into it, so that whoever opens it waits.
    os.mkfifo(leaf / "pipe.pkl")
    [note] = check(tree, definition()).findings
    assert (note.severity, note.kind, note.count) == (Severity.note, "files that are no pkl", 2)
    (leaf / "000.pkl").unlink()
    (leaf / "000.pkl").symlink_to("gone")
    [error] = check(tree, definition()).errors
    assert error.kind == "pkl files cut short"
