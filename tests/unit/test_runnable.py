"""Experiments that cannot run are a note beside others, and an error when asked for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from gait.errors import ConfigError
from tests.unit.configurations import (
    DEMO,
    GAITSET,
    adopt,
    copy_some,
    edit,
    experiment,
    film,
    flow,
    sealed_archive,
    table,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copy_some(tmp_path)


def test_a_dataset_without_the_model_s_input_is_refused_where_that_can_be_told(
    root: Path,
) -> None:
    experiment(root, "SynthGait/GaitSet/joined", inputs=["skeleton_maps+silhouettes"])
    on = (*GAITSET, "joined", "/on-CASIA-B")
    film(root, "CASIA-B")
    with pytest.raises(ConfigError, match="reads skeleton_maps, which data/CASIA-B/raw does not"):
        flow(root).test_index(*on)
    shutil.rmtree(root / "data")
    adopt(root, "CASIA-B", "090.pkl", "090-skeleton_maps.pkl")
    assert flow(root).modalities("CASIA-B") == {"silhouettes", "skeleton_maps"}
    assert flow(root).test_index(*on) == "data/CASIA-B/packed/index.csv"
    shutil.rmtree(root / "data")
    # The contents of such a file decide, which are not read here.
    adopt(root, "CASIA-B", "090-pose.pkl", "other.pkl")
    assert flow(root).modalities("CASIA-B") is None
    assert flow(root).test_index(*on)
    # Nothing is known of what has not been rendered yet.
    assert flow(root).modalities("SynthGait") is None


def test_weights_that_are_not_there_are_a_note_above(root: Path) -> None:
    experiment(root, "SynthGait/GaitSet/tuned", init={"weights": "weights/published.pt"})
    known = flow(root)
    assert known.missing(*DEMO) is None
    assert "weights/published.pt" in (known.missing(*GAITSET, "tuned") or "")
    assert table(*GAITSET, "tuned") not in known.reports(*GAITSET)
    [note] = known.notes(*GAITSET)
    assert note.startswith("SynthGait/GaitSet/tuned: ") and "weights/published.pt" in note
    with pytest.raises(ConfigError, match=r"tuned\.yaml.*change init\.weights"):
        known.initial_weights(*GAITSET, "tuned")
    assert known.initial_weights(*DEMO) == []

    (root / "weights").mkdir()
    sealed_archive(root / "weights/published.pt")
    there = flow(root)
    assert there.notes(*GAITSET) == []
    assert table(*GAITSET, "tuned") in there.reports(*GAITSET)
    assert there.initial_weights(*GAITSET, "tuned") == ["weights/published.pt"]


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("weights", {"weights": "weights/60000.pt"}),
        ("init.weights", {"init": {"weights": "weights/60000.pt"}}),
    ],
)
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 as torch writes it", b"\x80\x02}q\x00."])
def test_weights_of_another_program_are_told_of_before_anything_runs(
    root: Path, key: str, given: dict[str, Any], content: bytes
) -> None:
    experiment(root, "SynthGait/GaitSet/published", **given)
    file = root / "weights/60000.pt"
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(
        ConfigError,
        match=r"published\.yaml: weights/60000\.pt was not written by this software, or is cut "
        rf"short; turn .* with `gait import-checkpoint` and name that file in {key}$",
    ):
        flow(root).initial_weights(*GAITSET, "published")
    sealed_archive(file)
    assert flow(root).initial_weights(*GAITSET, "published") == ["weights/60000.pt"]


def test_weights_that_the_workflow_makes_are_not_missing(root: Path) -> None:
    made = f"results/{'/'.join(DEMO)}/model.pt"
    experiment(root, "SynthGait/GaitSet/tuned", init={"weights": made})
    experiment(root, "SynthGait/GaitSet/lost", init={"weights": made.replace("demo", "dmo")})
    for name, source in (("after", "lost"), ("itself", "itself")):
        weights = made.replace("demo", source)
        experiment(root, f"SynthGait/GaitSet/{name}", init={"weights": weights})
    known = flow(root)
    assert known.missing(*GAITSET, "tuned") is None
    for name in ("lost", "after", "itself"):
        assert known.missing(*GAITSET, name) is not None


LIDAR = ("SUSTech1K", "LidarGait", "paper")
CAMERA = ("06-090-Camera-Sils_aligned.pkl", "03-090-Camera-Pose.pkl")


def refused(root: Path, *key: str) -> str:
    """The sentence for who asks for an experiment by itself."""
    with pytest.raises(ConfigError) as raised:
        flow(root).initial_weights(*key)
    [problem] = raised.value.problems
    return problem


def test_a_modality_that_the_dataset_lacks_is_a_note_above(root: Path) -> None:
    experiment(root, "SUSTech1K/LidarGait/outlines", inputs=["silhouettes"])
    adopt(root, "SUSTech1K", *CAMERA)
    known = flow(root)
    why = "reads depth, which data/SUSTech1K/pkl does not have, only pose, silhouettes"
    assert known.notes(*LIDAR[:2]) == [f"{'/'.join(LIDAR)}: {why}"]
    assert known.reports(*LIDAR[:2]) == [table(*LIDAR[:2], "outlines")]
    assert refused(root, *LIDAR) == (
        f"config/experiments/{'/'.join(LIDAR)}.yaml: {why}; add <view>-depth.pkl to each "
        "sequence there, or name files of other names under 'pkl' in "
        "datasets/SUSTech1K/dataset.yaml"
    )
    (root / "data/SUSTech1K/pkl/001/nm-01/090/090-depth.pkl").touch()
    assert flow(root).notes(*LIDAR[:2]) == []
    assert flow(root).initial_weights(*LIDAR) == []


def test_a_modality_that_raw_material_does_not_give(root: Path) -> None:
    experiment(root, "CASIA-B/GaitSet/joined", inputs=["silhouettes+parsing", "smpl"])
    film(root, "CASIA-B")
    assert refused(root, "CASIA-B", "GaitSet", "joined").endswith(
        "joined.yaml: reads parsing and smpl, which data/CASIA-B/raw does not have, only "
        "silhouettes; add files that give them, and say where they lie under 'files', or 'pkl' "
        "for arrays, in datasets/CASIA-B/dataset.yaml"
    )


def test_every_dataset_that_is_trained_on_has_to_have_what_is_read(root: Path) -> None:
    experiment(root, "CASIA-B/GaitSet/both", inputs=["pose"], train_on=["OUMVLP"])
    adopt(root, "CASIA-B", "090-pose.pkl")
    adopt(root, "OUMVLP", "090.pkl")
    assert "reads pose, which data/OUMVLP/pkl" in refused(root, "CASIA-B", "GaitSet", "both")
    # What starts from its weights cannot run either.
    weights = "results/CASIA-B/GaitSet/both/model.pt"
    experiment(root, "SynthGait/GaitSet/tuned", init={"weights": weights})
    assert flow(root).missing(*GAITSET, "tuned") == (
        "starts from CASIA-B/GaitSet/both, which reads pose, which data/OUMVLP/pkl does not "
        "have, only silhouettes"
    )
    (root / weights).parent.mkdir(parents=True)
    (root / weights).touch()
    assert flow(root).missing(*GAITSET, "tuned") is None


@pytest.mark.parametrize(
    ("lacking", "files", "hint"),
    [
        ("skeleton_maps", ["090-pose.pkl"], "; or move the tree to data/CASIA-B/raw, where skel"),
        ("skeleton_maps", ["090.pkl"], ""),
        ("latent", ["090-rgb.pkl"], "; or let gait latents make them of rgb"),
        ("latent", ["090.pkl"], ""),
    ],
)
def test_what_can_be_made_of_an_adopted_tree_is_told(
    root: Path, lacking: str, files: list[str], hint: str
) -> None:
    experiment(root, "CASIA-B/GaitSet/other", inputs=[lacking])
    adopt(root, "CASIA-B", *files)
    _, before, after = refused(root, "CASIA-B", "GaitSet", "other").partition("dataset.yaml")
    assert before and after[: len(hint)] == hint and bool(after) == bool(hint)


@pytest.mark.parametrize("files", [(), ("090-pose.pkl", "other.pkl"), ("a.pkl",)])
def test_of_what_cannot_be_told_yet_nothing_is_said(root: Path, files: tuple[str, ...]) -> None:
    experiment(root, "CASIA-B/GaitSet/deep", inputs=["depth"])
    if files:
        adopt(root, "CASIA-B", *files)
    assert flow(root).missing("CASIA-B", "GaitSet", "deep") is None


def test_what_is_wrong_with_the_data_is_told_by_who_prepares_them(root: Path) -> None:
    edit(root, "datasets/CASIA-B/dataset.yaml", pkl={"silhouettes": "*.pkl"})
    adopt(root, "CASIA-B", "a.pkl", "b.pkl")
    assert flow(root).modalities("CASIA-B") is None
    shutil.rmtree(root / "data")
    (root / "data/CASIA-B/raw").mkdir(parents=True)
    assert flow(root).modalities("CASIA-B") is None


def test_every_problem_of_every_experiment_of_a_pair_is_reported_at_once(root: Path) -> None:
    experiment(root, "SynthGait/GaitSet/one", iteration=3)
    experiment(root, "SynthGait/GaitSet/two", optimiser={"name": "SGD"})
    with pytest.raises(ConfigError) as raised:
        flow(root).reports(*GAITSET)
    text = str(raised.value)
    assert "one.yaml" in text and "'iterations'" in text
    assert "two.yaml" in text and "'optimizer'" in text


def test_a_further_dataset_that_is_not_there_is_a_note_above(root: Path) -> None:
    experiment(root, "CASIA-B/GaitSet/both", train_on=["OUMVLP", "SynthGait"])
    film(root, "CASIA-B")
    known = flow(root)
    why = "is trained on OUMVLP as well, which is not in data/OUMVLP"
    assert f"CASIA-B/GaitSet/both: {why}" in known.notes("CASIA-B", "GaitSet")
    assert table("CASIA-B", "GaitSet", "both") not in known.reports("CASIA-B", "GaitSet")
    assert table("CASIA-B", "GaitSet", "paper") in known.reports("CASIA-B", "GaitSet")
    sentence = refused(root, "CASIA-B", "GaitSet", "both")
    assert sentence.startswith(f"config/experiments/CASIA-B/GaitSet/both.yaml: {why}; ask for")
    assert sentence.endswith("or take it from 'train_on'")
    adopt(root, "OUMVLP", "090.pkl")
    assert flow(root).notes("CASIA-B", "GaitSet") == []


# What cannot be scored.


WALKS = ("nm-01", "nm-02", "nm-05", "bg-01", "bg-02", "cl-01", "cl-02")


def lay_tree(root: Path, dataset: str, *keys: str) -> None:
    """A pkl tree of these sequences; what is in the files plays no part here."""
    for key in keys:
        leaf = root / "data" / dataset / "pkl" / key
        leaf.mkdir(parents=True)
        (leaf / f"{leaf.name}.pkl").touch()


def test_what_cannot_be_scored_is_refused_before_anything_runs(root: Path) -> None:
    experiment(root, "CASIA-B/GaitSet/mine", iterations=1)
    paper = ("CASIA-B", "GaitSet", "mine")
    # Nothing is known yet.
    flow(root).check_scorable(*paper)
    views = ("000", "090")
    whole = [f"{who}/{walk}/{view}" for who in ("075", "076") for walk in WALKS for view in views]
    lay_tree(root, "CASIA-B", *[each for each in whole if each.endswith("000")])
    with pytest.raises(
        ConfigError, match=r"^CASIA-B/GaitSet/mine: protocol .*: exclude: "
    ) as told:
        flow(root).check_scorable(*paper)
    assert "in dataset.yaml; or do without scores" in str(told.value)
    lay_tree(root, "CASIA-B", *[each for each in whole if each.endswith("090")])
    flow(root).check_scorable(*paper)
    with pytest.raises(ConfigError, match=r"on-CASIA-B: protocol .*: none of the test subjects"):
        edit(root, "datasets/CASIA-B/partition.yaml", test=["900-901"])
        flow(root).check_scorable(*DEMO, "/on-CASIA-B")
    edit(root, "config/experiments/CASIA-B/GaitSet/mine.yaml", evaluation={"protocols": []})
    flow(root).check_scorable(*paper)
