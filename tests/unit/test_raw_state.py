"""The state of a dataset's files: what is waited for, and what a change of them reaches."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from gait.config.yaml import read_yaml
from gait.errors import DataError
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.shards import rearrange
from tests.unit.configurations import (
    GAITSET,
    SUBJECTS,
    copy_some,
    edit,
    film,
    flow,
    table,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copy_some(tmp_path)


# The raw material.


def list_rendered(raw: Path) -> None:
    """What the renderer writes last."""
    videos = sorted(raw.glob("*.avi"))
    lines = [f"{video.name},{video.stat().st_size}\n" for video in videos]
    (raw / "population.csv").write_text("file,size_bytes\n" + "".join(lines), encoding="utf-8")
    os.utime(raw / "population.csv", (1_000_000_001, 1_000_000_001))


def differing(before: list[str], after: list[str]) -> list[int]:
    return [
        index for index, pair in enumerate(zip(before, after, strict=True)) if len(set(pair)) > 1
    ]


def test_a_missing_raw_folder_says_what_to_do(root: Path) -> None:
    with pytest.raises(DataError) as raised:
        flow(root).raw_input("CASIA-B")
    sentence = str(raised.value)
    for part in ("data/CASIA-B/raw", "CASIA Gait Database", table(*GAITSET)):
        assert part in sentence
    assert "\n" not in sentence


def test_a_rendered_tree_waits_for_what_is_written_last(root: Path) -> None:
    assert flow(root).raw_input("SynthGait") == ["data/SynthGait/raw/population.csv"]
    film(root, "CASIA-B")
    assert flow(root).raw_input("CASIA-B") == []


def test_data_may_lie_anywhere(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    raw = film(root, "CASIA-B")
    raw.parent.rename(elsewhere / "CASIA-B")
    known = flow(root, data_root=str(elsewhere))
    assert known.raw_input("CASIA-B") == []
    assert known.is_video("CASIA-B")
    assert known.folder("CASIA-B") == elsewhere / "CASIA-B"


def test_videos_are_told_from_silhouettes(root: Path) -> None:
    # Not rendered yet, and known to become videos.
    assert flow(root).is_video("SynthGait")
    raw = film(root, "CASIA-B")
    assert flow(root).is_video("CASIA-B")
    shutil.rmtree(raw)
    (raw / "001/nm-01/090").mkdir(parents=True)
    (raw / "001/nm-01/090/001-nm-01-090-001.png").write_bytes(b"image")
    assert not flow(root).is_video("CASIA-B")


def test_a_replaced_video_changes_the_state_of_its_shard_only(root: Path) -> None:
    raw = film(root, "CASIA-B")
    before = flow(root).raw_states("CASIA-B")
    assert len(before) == len(flow(root).shards)
    assert flow(root).raw_states("CASIA-B") == before
    touched = set()
    for subject in SUBJECTS:
        (raw / f"{subject}-nm-01-090.avi").write_bytes(b"another video")
        after = flow(root).raw_states("CASIA-B")
        [shard] = differing(before, after)
        assert flow(root).shard_state("CASIA-B", f"{shard + 1}-of-{len(before)}") == after[shard]
        touched.add(shard)
        before = after
    # Twelve subjects fill four shards.
    assert touched == set(range(len(before)))


def test_a_touched_video_counts_as_replaced_and_a_stray_file_does_not(root: Path) -> None:
    raw = film(root, "CASIA-B")
    before = flow(root).raw_states("CASIA-B")
    (raw / "notes.txt").touch()
    assert flow(root).raw_states("CASIA-B") == before
    os.utime(raw / "003-nm-01-090.avi")
    assert len(differing(before, flow(root).raw_states("CASIA-B"))) == 1


def test_an_absent_rendered_tree_is_as_an_untouched_one(root: Path) -> None:
    absent = flow(root).raw_states("SynthGait")
    raw = film(root, "SynthGait")
    # Half-rendered, which is as absent.
    assert flow(root).raw_states("SynthGait") == absent
    list_rendered(raw)
    assert flow(root).raw_states("SynthGait") == absent


def test_a_replaced_rendered_video_changes_its_shard(root: Path) -> None:
    list_rendered(raw := film(root, "SynthGait"))
    before = flow(root).raw_states("SynthGait")
    (raw / "003-nm-01-090.avi").write_bytes(b"another")
    [video] = differing(before, once := flow(root).raw_states("SynthGait"))
    # Replaced once more: not merely 'altered'.
    (raw / "003-nm-01-090.avi").write_bytes(b"yet another")
    assert differing(once, flow(root).raw_states("SynthGait")) == [video]
    (raw / "003-bkgrd-090.avi").write_bytes(b"another")
    [background] = differing(once, flow(root).raw_states("SynthGait"))
    assert background == video


def test_another_population_changes_every_shard(root: Path) -> None:
    before = flow(root).raw_states("SynthGait")
    population = read_yaml(root / "datasets/SynthGait/dataset.yaml")[0]["population"]
    edit(root, "datasets/SynthGait/dataset.yaml", population=population | {"seed": 9})
    assert len(differing(before, flow(root).raw_states("SynthGait"))) == len(before)


def test_a_deleted_rendered_video_is_noticed(root: Path) -> None:
    list_rendered(raw := film(root, "SynthGait"))
    before = flow(root).raw_states("SynthGait")
    (raw / "003-nm-01-090.avi").unlink()
    assert flow(root).raw_states("SynthGait") != before


# The check that comes first.


def test_only_a_shard_whose_table_is_not_as_the_raw_files_waits_for_the_check(root: Path) -> None:
    film(root, "CASIA-B")
    folder = root / "data/CASIA-B"
    shards = flow(root).shards

    def waiting() -> list[str]:
        return [each for each in shards if flow(root).awaits_check("CASIA-B", each)]

    assert waiting() == shards
    for number, shard in enumerate(shards, 1):
        rearrange(
            folder / "raw", RawForm(["casia_b_videos"]), folder / f"shards/{shard}.csv", number, 4
        )
    assert waiting() == shards
    (folder / "check.csv").write_text("severity\n", encoding="utf-8")
    assert waiting() == []
    state = flow(root).checked_state("CASIA-B")
    (folder / "raw/003-nm-01-090.avi").write_bytes(b"another film")
    [changed] = waiting()
    assert "003," in (folder / f"shards/{changed}.csv").read_text(encoding="utf-8")
    assert flow(root).checked_state("CASIA-B") != state


def test_what_is_checked_of_an_adopted_tree(root: Path) -> None:
    tree = pkl_tree(root, "CASIA-B")
    assert flow(root).checked_input("CASIA-B") == []
    before = flow(root).checked_state("CASIA-B")
    # Which is taken over again whenever it is checked.
    edit(root, "datasets/CASIA-B/dataset.yaml", protocols={}, published=[])
    assert flow(root).checked_state("CASIA-B") == before
    (tree / "002/nm-01/090/090.pkl").write_bytes(b"other frames")
    assert flow(root).checked_state("CASIA-B") != before


def test_a_check_is_of_the_files_and_of_what_they_are_compared_with(root: Path) -> None:
    film(root, "CASIA-B")
    path = "datasets/CASIA-B/dataset.yaml"

    def changes_it(**changes: Any) -> bool:
        before = flow(root).checked_state("CASIA-B")
        shards = flow(root).raw_states("CASIA-B")
        edit(root, path, **changes)
        assert flow(root).raw_states("CASIA-B") == shards, "nothing is prepared again"
        return flow(root).checked_state("CASIA-B") != before

    assert not changes_it(title="another", published=[], obtain="ask")
    assert changes_it(protocols={})
    assert changes_it(pretreat={"frame_order": "natural"})
    assert changes_it(expected={"subjects": 7})
    assert changes_it(layouts=["casia_b_videos"])
    assert changes_it(pkl="pose")
    before = flow(root).checked_state("CASIA-B")
    edit(root, "datasets/CASIA-B/partition.yaml", test=["075-123"])
    assert flow(root).checked_state("CASIA-B") != before


# A pkl tree that was there before.


def pkl_tree(root: Path, dataset: str) -> Path:
    """A pkl tree of two sequences."""
    tree = root / "data" / dataset / "pkl"
    for subject in ("001", "002"):
        (tree / subject / "nm-01/090").mkdir(parents=True)
        (tree / subject / "nm-01/090/090.pkl").write_bytes(b"frames")
    return tree


def test_a_pkl_tree_without_raw_material_is_taken_as_it_is(root: Path) -> None:
    assert not flow(root).is_imported("CASIA-B")
    pkl_tree(root, "CASIA-B")
    assert flow(root).is_imported("CASIA-B")
    assert flow(root).pkl_tables("CASIA-B") == ["data/CASIA-B/shards/imported.pkl.csv"]
    (root / "data/CASIA-B/raw").mkdir()
    assert not flow(root).is_imported("CASIA-B")
    shards = [f"data/CASIA-B/shards/{index}-of-4.pkl.csv" for index in range(1, 5)]
    assert flow(root, shards=4).pkl_tables("CASIA-B") == shards


def test_what_the_workflow_renders_is_never_adopted(root: Path) -> None:
    pkl_tree(root, "SynthGait")
    assert not flow(root).is_imported("SynthGait")


def test_an_adopted_tree_s_state_changes_with_its_files(root: Path) -> None:
    tree = pkl_tree(root, "CASIA-B")
    before = flow(root).pkl_state("CASIA-B")
    assert flow(root).pkl_state("CASIA-B") == before
    (tree / "002/nm-01/090/090.pkl").write_bytes(b"other frames")
    replaced = flow(root).pkl_state("CASIA-B")
    assert replaced != before
    (tree / "002").rename(tree / "003")
    assert flow(root).pkl_state("CASIA-B") not in (before, replaced)
