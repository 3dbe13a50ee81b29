"""A dataset in its archives as they come, by the user's own command, to its official table."""

from __future__ import annotations

import csv
from collections.abc import Callable

import numpy as np
import pytest

from tests import raw_archives, raw_trees
from tests.workflow.workspace import EXPERIMENT, GAITTR, LIDARGAIT, LIDARGAITPP, Workspace

pytestmark = pytest.mark.workflow

TABLE = "results/OUMVLP/GEI/report.csv"


def rows_of(workspace: Workspace, table: str) -> dict[tuple[str, str], dict[str, str]]:
    """The rows of a table by protocol and probe."""
    with (workspace.root / table).open(encoding="utf-8") as file:
        return {(each["protocol"], each["probe"]): each for each in csv.DictReader(file)}


@pytest.mark.slow
def test_oumvlp_from_encrypted_archives_to_its_table(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    # Each of the four archives is unpacked for one shard.
    workspace.edit("config/config.yaml", shards=2)
    workspace.write("config/experiments/OUMVLP/GEI/baseline.yaml", {"iterations": 0})
    raw = workspace.root / "data/OUMVLP/raw"
    raw_trees.lay(raw, raw_archives.oumvlp_archives(raw_trees.oumvlp(range(1, 9))))

    run = workspace.snakemake(TABLE)
    assert run.code != 0
    assert (
        run.output.strip()
        .splitlines()[-1]
        .endswith(
            "is encrypted, and neither Silhouette_000-00.7z.password nor password.txt lies beside "
            "it; write the password that the data's owner gave you into one of these files"
        )
    )
    (raw / "password.txt").write_text(raw_archives.PASSWORD)
    assert "segment" not in workspace.made(TABLE).rules()
    row = rows_of(workspace, TABLE)["single_view", "NM"]
    # Subjects 00002, 00004, 00006 and 00008, two views.
    assert (row["n_probe"], row["n_gallery"]) == ("8", "8")
    assert row["rank1_pct"] == "100.00"
    assert workspace.planned(TABLE) == set()


@pytest.mark.slow
def test_hid_2025_from_its_archives_to_the_file_of_a_phase(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    workspace.edit("config/config.yaml", shards=1)
    workspace.experiment("HID2022/GaitSet/tiny", **EXPERIMENT)
    training = raw_trees.hid([f"train/{who:04d}/{turn}" for who in (0, 1) for turn in (1, 2)])
    training |= raw_trees.hid(["HID2022_test_gallery/0500/1", "HID2022_test_probe/1"])
    raw_trees.lay(
        workspace.root / "data/HID2022/raw", raw_archives.hid_archives(training, are_inside=True)
    )
    # The first probe is the second subject of the gallery, to a byte.
    tree = raw_trees.hid([each for each in raw_trees.HID_2025 if "phase2" not in each])
    gallery, probe = "gallery/00858/0002", "probe_phase1/10"
    tree |= {
        path.replace(gallery, probe): data
        for path, data in tree.items()
        if path.startswith(gallery)
    }
    raw = workspace.root / "data/HID2025/raw"
    raw_trees.lay(raw, raw_archives.hid_archives(tree, are_inside=False))

    tested = "results/HID2022/GaitSet/tiny/on-HID2025"
    first, second = (f"{tested}/submission-phase{number}.csv" for number in (1, 2))
    run = workspace.made(first, f"{tested}/report.csv")
    assert "submit HID2022 GaitSet tiny /on-HID2025 submission-phase1" in run.jobs
    lines = (workspace.root / first).read_text(encoding="utf-8").splitlines()
    assert lines == ["videoID,label", "10,00858"]
    rows = rows_of(workspace, f"{tested}/report.csv")
    assert {name for name, _ in rows} == set(
        workspace.read("datasets/HID2025/dataset.yaml")["protocols"]
    )
    assert rows["submission-phase1", "all"]["trained_on"] == "HID2022"
    assert "no sequence with" in rows["submission-phase2", "all"]["note"]
    # The second phase is not there, and neither is there a file without a line.
    run = workspace.snakemake(second)
    assert run.code != 0 and "submission-phase2 is empty" in run.output
    assert not (workspace.root / second).exists()
    run = workspace.snakemake(f"{tested}/submission-phase3.csv")
    assert "is scored by no submission 'submission-phase3'" in run.output and not run.jobs
    assert workspace.planned(first, f"{tested}/report.csv") == set()


@pytest.mark.slow
def test_sustech1k_from_its_raw_archive_to_its_table(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    workspace.edit("config/config.yaml", shards=1)
    workspace.write("config/experiments/SUSTech1K/GEI/baseline.yaml", {"iterations": 0})
    archive = {"SUSTeck1K-RAW.zip": raw_archives.zipped(raw_trees.sustech1k())}
    raw_trees.lay(workspace.root / "data/SUSTech1K/raw", archive)
    table = "results/SUSTech1K/GEI/report.csv"
    assert "segment" not in workspace.made(table).rules()
    rows = rows_of(workspace, table)
    # Subjects 0001 and 0003; the sequence 01-bg-nt counts for both of its covariates.
    for probe, number in {"Normal": 2, "Bag": 2, "Night": 2, "Overall": 4, "Umbrella": 0}.items():
        row = rows["single_view", probe]
        assert (row["n_probe"], row["n_gallery"]) == (str(number), "2")
        assert row["rank1_pct"] == ("100.00" if number else "")
    assert workspace.planned(table) == set()


@pytest.mark.slow
def test_sustech1k_from_its_clouds_to_its_tables(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    workspace.edit("config/config.yaml", shards=1)
    workspace.write("config/experiments/SUSTech1K/LidarGait/tiny.yaml", LIDARGAIT)
    workspace.write("config/experiments/SUSTech1K/LidarGait++/tiny.yaml", LIDARGAITPP)
    archive = {"SUSTeck1K-RAW.zip": raw_archives.zipped(raw_trees.sustech1k())}
    raw_trees.lay(workspace.root / "data/SUSTech1K/raw/paired", archive)
    tables = [f"results/SUSTech1K/{model}/report.csv" for model in ("LidarGait", "LidarGait++")]
    workspace.made(*tables)
    for table in tables:
        row = rows_of(workspace, table)["single_view", "Overall"]
        assert (row["n_probe"], row["n_gallery"], row["iterations"]) == ("4", "2", "2")
    with (workspace.root / "data/SUSTech1K/manifest.csv").open(encoding="utf-8") as file:
        manifest = list(csv.DictReader(file))
    modalities = {"silhouettes", "depth", "points", "rgb", "ratio"}
    assert {each["modality"] for each in manifest} == modalities
    assert {(each["frames_kept"], each["dropped"]) for each in manifest} == {
        ("3", "no depth within 20 ms:6")
    }


@pytest.mark.slow
def test_oumvlp_pose_from_its_json_files_to_a_table(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    workspace.edit("config/config.yaml", shards=1)
    workspace.write("config/experiments/OUMVLP-Pose/GaitTR/tiny.yaml", GAITTR)
    data = workspace.root / "data"
    raw_trees.lay(data / "OUMVLP-Pose/raw", raw_trees.oumvlp_pose(range(1, 9)))
    (data / "OUMVLP-Pose17").mkdir()
    (data / "OUMVLP-Pose17/raw").symlink_to("../OUMVLP-Pose/raw")
    table = "results/OUMVLP-Pose/GaitTR/report.csv"
    other = "data/OUMVLP-Pose17/packed/index.csv"
    workspace.made(table, other)
    row = rows_of(workspace, table)["single_view", "NM"]
    # Subjects 00002, 00004, 00006 and 00008, two views.
    assert (row["n_probe"], row["n_gallery"], row["iterations"]) == ("8", "8", "2")
    for name, joints in (("OUMVLP-Pose", 18), ("OUMVLP-Pose17", 17)):
        assert np.load(data / name / "packed/pose.npy").shape[1:] == (joints, 3)
        with (data / name / "manifest.csv").open(encoding="utf-8") as file:
            manifest = list(csv.DictReader(file))
        assert {each["modality"] for each in manifest} == {"pose", "skeleton_maps"}
        assert {each["guessed"] for each in manifest} == {"walker of several people:1"}
        assert "without a silhouette that tells the walker" in (
            (data / name / "check.csv").read_text(encoding="utf-8")
        )
    assert workspace.planned(table, other) == set()
    # Silhouettes that tell the walker are looked for once they are there.
    raw_trees.lay(data / "OUMVLP-Pose/raw", raw_trees.oumvlp((2,)))
    assert {job.split()[0] for job in workspace.planned(table)} >= {"pretreat", "pack"}


@pytest.mark.slow
def test_freegait_from_its_clouds_to_its_table(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    workspace.edit("config/config.yaml", shards=1)
    workspace.write("config/experiments/FreeGait/LidarGait++/tiny.yaml", LIDARGAITPP)
    raw_trees.lay(workspace.root / "data/FreeGait/pkl", raw_trees.freegait())
    table = "results/FreeGait/LidarGait++/report.csv"
    workspace.made(table)
    row = rows_of(workspace, table)["retrieval", "all"]
    assert (row["n_probe"], row["n_gallery"], row["iterations"]) == ("2", "2", "2")
    assert row["rank1_pct"] and row["map_pct"]
    assert workspace.planned(table) == set()
    # What is sampled at test time is the sequences' own, so another run gives the same bytes.
    embeddings = "results/FreeGait/LidarGait++/tiny/embeddings.npz"
    before = workspace.bytes_of(embeddings)
    (workspace.root / embeddings).unlink()
    workspace.made(embeddings)
    assert workspace.bytes_of(embeddings) == before

    # A transform that needs as many points in each frame is refused before anything runs.
    changed = LIDARGAITPP | {"embedding": {"transforms": [{"name": "NormalisePoints"}]}}
    workspace.write("config/experiments/FreeGait/LidarGait++/tiny.yaml", changed)
    run = workspace.snakemake(table)
    assert run.code != 0 and not run.jobs
    assert "tiny.yaml" in run.output
    assert "embedding.transforms: the frames of points differ in size" in run.output
