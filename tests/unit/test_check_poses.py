"""What is amiss with the poses and the other modalities of raw files is found beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from gait.config.dataset import Dataset
from gait.config.load import load_dataset
from gait.prepare.check import check
from gait.prepare.check.findings import Severity
from tests.raw_pkl_trees import sustech1k_pkl
from tests.raw_trees import ANOTHER, Tree, gait3d, joints, lay, oumvlp_pose, people
from tests.unit.checked import the


def dataset(name: str) -> Dataset:
    return load_dataset(Path(__file__).parents[2], name)[0]


def of_joints(*numbers: int) -> Tree:
    """Poses of so many joints, the first subject's of the first number and so on."""
    return {
        name: people(joints(1, 0, numbers[int(name[:5]) % len(numbers)])) for name in oumvlp_pose()
    }


@pytest.mark.parametrize(
    ("tree", "kind"),
    [
        (dict.fromkeys(oumvlp_pose(), people()), "frames without anybody, of 84 looked at"),
        (of_joints(21), "sequences with poses of 21 joints, of 14 looked at"),
        (of_joints(17, 18), "sequences with poses of 17 or 18 joints, of 14 looked at"),
    ],
)
def test_poses_that_nothing_can_be_made_of(tmp_path: Path, tree: Tree, kind: str) -> None:
    lay(tmp_path / "raw", tree)
    [error] = check(tmp_path, dataset("OUMVLP-Pose")).errors
    assert error.kind == kind


def test_poses_of_body_25_are_those_of_18_joints(tmp_path: Path) -> None:
    lay(tmp_path / "raw", of_joints(18, 25))
    assert check(tmp_path, dataset("OUMVLP-Pose")).errors == []


def test_two_files_of_one_frame_are_told(tmp_path: Path) -> None:
    tree = of_joints(18)
    # The first subject's are called by OpenPose.
    first = min(tree)
    tree[first.replace("_keypoints", "")] = tree[first]
    lay(tmp_path / "raw", tree)
    found = the(check(tmp_path, dataset("OUMVLP-Pose")), "sequences whose poses cannot be used")
    assert (found.severity, found.count) == (Severity.warning, 1)
    assert "pose: expected each frame once" in found.example


def test_poses_of_which_the_joints_are_picked_may_be_of_both_kinds(tmp_path: Path) -> None:
    lay(tmp_path / "raw", of_joints(17, 18))
    assert check(tmp_path, dataset("OUMVLP-Pose17")).errors == []


def test_several_people_are_somebody(tmp_path: Path) -> None:
    both = people(joints(1, 0, 18) + ANOTHER, joints(1, 0, 18))
    lay(tmp_path / "raw", dict.fromkeys(oumvlp_pose(), both))
    assert check(tmp_path, dataset("OUMVLP-Pose")).errors == []


def test_what_lies_in_another_folder_than_it_is_looked_for_in_is_told(tmp_path: Path) -> None:
    lay(tmp_path / "raw", {f"Gait3D/{name}": data for name, data in gait3d().items()})
    finding = the(check(tmp_path, dataset("Gait3D")), "modalities")
    assert (finding.severity, finding.count) == (Severity.note, 3)
    assert "pose in 2D_Poses/{subject}/{condition}/{view}/*.txt" in finding.example
    lay(tmp_path / "raw", {n: d for n, d in gait3d().items() if "2D_Silhouettes" not in n})
    assert "pose in" not in the(check(tmp_path, dataset("Gait3D")), "modalities").example


def test_of_arrays_in_the_folders_of_sequences_no_other_place_is_told(tmp_path: Path) -> None:
    lay(tmp_path / "raw", sustech1k_pkl())
    report = check(tmp_path, dataset("SUSTech1K"))
    assert not [each for each in report.findings if each.kind.startswith("modalities")]
