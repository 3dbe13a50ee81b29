"""The packed store of several modalities: one array each, in the same order."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.data.store import PackedStore
from gait.errors import DataError
from gait.formats.manifest import ManifestRow, pkl_name, read_manifest
from gait.formats.pkl import digest_of, read_pkl, write_pkl
from gait.ragged import Ragged
from gait.types import SequenceKey
from tests.unit.shards import FILES, NAMES, STORE, contents, index, run, shard, two_shards


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    return two_shards(tmp_path)


def add_other(
    root: Path, row: ManifestRow, modality: str, frames: NDArray[Any] | None = None
) -> ManifestRow:
    """A pkl of another modality of a sequence, and its row."""
    if frames is None:
        shape = {"pose": (17, 3), "skeleton_maps": (2, 64, 64), "ratio": ()}[modality]
        rng = np.random.default_rng(list(f"{modality} {row.key}".encode()))
        frames = rng.integers(0, 99, (row.frames_kept, *shape))
        frames = frames.astype(np.uint8 if modality == "skeleton_maps" else np.float64)
    pkl = pkl_name(row.key, modality)
    write_pkl(root / pkl, frames, modality)
    digest = hashlib.sha256(frames.tobytes()).hexdigest()
    return replace(row, pkl=pkl, frames_kept=len(frames), sha256=digest, modality=modality)


@pytest.fixture
def posed(tmp_path: Path, shards: list[Path]) -> list[Path]:
    """The shards with poses and skeleton maps of every sequence that has frames."""
    for number, path in enumerate(shards, start=1):
        rows = read_manifest(path)
        for row in [row for row in rows if row.pkl]:
            rows += [add_other(tmp_path, row, each) for each in ("pose", "skeleton_maps")]
        shard(tmp_path, number, rows)
    return shards


def test_each_modality_has_its_own_array_in_the_same_order(
    tmp_path: Path, posed: list[Path]
) -> None:
    summary = run(tmp_path, posed)
    assert f"{summary.frames} frames of 64 x 64 packed, with pose, with skeleton_maps;" in str(
        summary
    )
    packed = tmp_path / "packed"
    pose = np.load(packed / "pose.npy", mmap_mode="r")
    maps = np.load(packed / "skeleton_maps.npy", mmap_mode="r")
    assert (pose.dtype, pose.shape) == (np.float32, (summary.frames, 17, 3))
    assert (maps.dtype, maps.shape) == (np.uint8, (summary.frames, 2, 64, 64))
    for line, name in zip(index(tmp_path), NAMES, strict=True):
        first = int(line["start"])
        frames = slice(first, first + int(line["frames"]))
        for modality, stored in (("pose", pose), ("skeleton_maps", maps)):
            pkl = tmp_path / pkl_name(SequenceKey(*name.split("/")), modality)
            np.testing.assert_array_equal(stored[frames], read_pkl(pkl, modality))
    rows = read_manifest(tmp_path / "manifest.csv")
    assert [row.modality for row in rows[:3]] == ["pose", "silhouettes", "skeleton_maps"]
    assert summary.dropped["unreadable"] == 4


def test_the_digest_covers_all_modalities(tmp_path: Path, posed: list[Path]) -> None:
    run(tmp_path, posed)
    before = {line["subject"]: line["sha256"] for line in index(tmp_path)}
    rows = read_manifest(posed[1])
    changed = next(row for row in rows if row.key.subject == "010" and row.modality == "pose")
    rows.remove(changed)
    rows.append(add_other(tmp_path, changed, "pose", np.ones((changed.frames_kept, 17, 3))))
    shard(tmp_path, 2, rows)
    run(tmp_path, posed)
    after = {line["subject"]: line["sha256"] for line in index(tmp_path)}
    assert [subject for subject in before if before[subject] != after[subject]] == ["010"]


def test_arrays_of_modalities_that_are_no_more_are_removed(
    tmp_path: Path, posed: list[Path]
) -> None:
    run(tmp_path, posed)
    (tmp_path / "packed" / "mine.npy").write_bytes(b"kept")
    names = {*STORE, "frames.npy", "mine.npy", "pose.npy", "skeleton_maps.npy"}
    assert {path.name for path in (tmp_path / "packed").iterdir()} == names
    for number, path in enumerate(posed, start=1):
        rows = read_manifest(path)
        shard(tmp_path, number, [row for row in rows if row.modality == "silhouettes"])
    run(tmp_path, posed)
    names -= {"pose.npy", "skeleton_maps.npy"}
    assert {path.name for path in (tmp_path / "packed").iterdir()} == names


def test_a_sequence_without_what_the_others_have_is_named(
    tmp_path: Path, posed: list[Path]
) -> None:
    run(tmp_path, posed)
    before = contents(tmp_path)
    rows = read_manifest(posed[0])
    lost = next(row for row in rows if row.modality == "pose" and row.key.subject == "002")
    rows.remove(lost)
    shard(tmp_path, 1, rows)
    sentence = r"1-of-2.pkl.csv: sequence 002/nm-01/000 has no pose, which 3 others have; give it"
    with pytest.raises(DataError, match=sentence):
        run(tmp_path, posed)
    reason = "pose of another length than the video"
    rows.append(replace(lost, pkl="", frames_kept=0, sha256="", dropped={reason: 7}))
    shard(tmp_path, 1, rows)
    with pytest.raises(DataError, match=rf"has no pose \(frames: 7 {reason}\), which 3 others"):
        run(tmp_path, posed)
    assert contents(tmp_path) == before


def test_a_modality_that_no_sequence_has_is_left_out(tmp_path: Path, shards: list[Path]) -> None:
    rows = read_manifest(shards[0])
    row = replace(rows[0], pkl="", frames_kept=0, sha256="", modality="pose")
    shard(tmp_path, 1, [*rows, row])
    assert run(tmp_path, shards).others == ()
    assert not (tmp_path / "packed" / "pose.npy").exists()


def test_modalities_of_unequal_length_are_refused(tmp_path: Path, posed: list[Path]) -> None:
    rows = read_manifest(posed[0])
    row = next(row for row in rows if row.modality == "pose" and row.key.subject == "001")
    rows.remove(row)
    rows.append(add_other(tmp_path, row, "pose", np.ones((row.frames_kept + 2, 17, 3))))
    shard(tmp_path, 1, rows)
    count = row.frames_kept
    sentence = rf"000-pose.pkl has {count + 2} frames, expected the {count} of .*000/000.pkl"
    with pytest.raises(DataError, match=sentence):
        run(tmp_path, posed)


def test_a_modality_of_one_number_a_frame(tmp_path: Path, shards: list[Path]) -> None:
    for number, path in enumerate(shards, start=1):
        rows = read_manifest(path)
        more = [add_other(tmp_path, row, "ratio") for row in rows if row.pkl]
        shard(tmp_path, number, rows + more)
    summary = run(tmp_path, shards)
    assert np.load(tmp_path / "packed" / "ratio.npy").shape == (summary.frames,)


@pytest.fixture
def clouded(tmp_path: Path, posed: list[Path]) -> list[Path]:
    """The shards with poses, skeleton maps and clouds, in two types, of every sequence."""
    for number, path in enumerate(posed, start=1):
        rows = read_manifest(path)
        for row in [row for row in rows if row.modality == "pose"]:
            clouds = clouds_of(row).astype("float32" if number == 1 else "float64")
            pkl = pkl_name(row.key, "points")
            write_pkl(tmp_path / pkl, clouds, "points")
            digest = digest_of(clouds)
            rows.append(replace(row, pkl=pkl, sha256=digest, modality="points"))
        shard(tmp_path, number, rows)
    return posed


def clouds_of(row: ManifestRow) -> Ragged:
    rng = np.random.default_rng(list(str(row.key).encode()))
    sizes = rng.integers(1, 30, row.frames_kept)
    return Ragged.of([rng.normal(size=(size, 3)).astype(np.float32) for size in sizes])


def test_clouds_are_packed_point_by_point(tmp_path: Path, clouded: list[Path]) -> None:
    summary = run(tmp_path, clouded)
    assert ", with points, with pose, with skeleton_maps;" in str(summary)
    rows = [row for row in read_manifest(tmp_path / "manifest.csv") if row.modality == "points"]
    clouds = [clouds_of(row) for row in rows]
    packed = tmp_path / "packed"
    points = np.load(packed / "points.npy", mmap_mode="r")
    offsets = np.load(packed / "points.offsets.npy", mmap_mode="r")
    assert points.dtype == np.float32 and offsets.dtype == np.int64
    np.testing.assert_array_equal(points, np.concatenate([each.rows for each in clouds]))
    counts = np.concatenate([each.counts for each in clouds])
    np.testing.assert_array_equal(offsets, [counts[:end].sum() for end in range(len(counts) + 1)])
    assert len(counts) == summary.frames
    # The same bytes as NumPy's own writer's, whose header knew the size from the beginning.
    expected = io.BytesIO()
    np.save(expected, points)
    assert (packed / "points.npy").read_bytes() == expected.getvalue()
    # The order is the manifest's.
    store = PackedStore(packed)
    assert [str(key) for key in store.keys] == [str(row.key) for row in rows]
    before = contents(tmp_path)
    run(tmp_path, clouded)
    assert contents(tmp_path) == before


def test_clouds_alone_make_a_store(tmp_path: Path, clouded: list[Path]) -> None:
    only(tmp_path, clouded, "points")
    summary = run(tmp_path, clouded)
    assert f"4 sequences, {summary.frames} frames of points packed;" in str(summary)
    points = {"packed/points.npy", "packed/points.offsets.npy"}
    assert sorted(contents(tmp_path)) == sorted({*FILES, *points} - {"packed/frames.npy"})
    assert PackedStore(tmp_path / "packed").modalities == ["points"]


def test_clouds_that_are_no_more_are_removed(tmp_path: Path, clouded: list[Path]) -> None:
    run(tmp_path, clouded)
    only(tmp_path, clouded, "silhouettes")
    run(tmp_path, clouded)
    names = {path.name for path in (tmp_path / "packed").iterdir()}
    assert names == {*STORE, "frames.npy"}


def test_clouds_that_are_not_as_listed_are_named(tmp_path: Path, clouded: list[Path]) -> None:
    run(tmp_path, clouded)
    before = contents(tmp_path)
    row = next(row for row in read_manifest(clouded[0]) if row.modality == "points")
    clouds = clouds_of(row)
    # As many points and frames, one point of the first frame in the second.
    sizes = np.array([clouds.counts[0] - 1, clouds.counts[1] + 1, *clouds.counts[2:]])
    ends = sizes.cumsum()
    moved = Ragged(clouds.rows, ends - sizes, sizes)
    write_pkl(tmp_path / row.pkl, moved, "points")
    with pytest.raises(DataError, match=r"-points.pkl: expected the . frames .* that differ"):
        run(tmp_path, clouded)
    assert contents(tmp_path) == before


def only(root: Path, posed: list[Path], *modalities: str) -> None:
    """Leave the rows of some modalities."""
    for number, path in enumerate(posed, start=1):
        rows = [row for row in read_manifest(path) if row.modality in modalities]
        shard(root, number, rows)


def test_a_dataset_may_have_no_silhouettes(tmp_path: Path, posed: list[Path]) -> None:
    frames = run(tmp_path, posed).frames
    only(tmp_path, posed, "pose", "skeleton_maps")
    both = run(tmp_path, posed)
    assert f"4 sequences, {frames} frames of pose 17 x 3 packed, with skeleton_maps;" in str(both)
    digests = [line["sha256"] for line in index(tmp_path)]
    only(tmp_path, posed, "pose")
    summary = run(tmp_path, posed)
    assert (summary.lead, summary.size, summary.others) == ("pose", (17, 3), ())
    assert sorted(contents(tmp_path)) == sorted(
        {*FILES, "packed/pose.npy"} - {"packed/frames.npy"}
    )
    lines = index(tmp_path)
    assert ["/".join(list(line.values())[:3]) for line in lines] == NAMES
    assert int(lines[-1]["start"]) + int(lines[-1]["frames"]) == summary.frames == frames
    rows = {str(row.key): row for row in read_manifest(tmp_path / "manifest.csv")}
    assert [line["sha256"] for line in lines] == [rows[name].sha256 for name in NAMES]
    assert not set(digests) & {line["sha256"] for line in lines}


def test_sequences_without_a_frame_are_left_out_without_silhouettes_too(
    tmp_path: Path, posed: list[Path]
) -> None:
    only(tmp_path, posed, "pose")
    rows = read_manifest(posed[0])
    rows[0] = replace(rows[0], pkl="", frames_kept=0, sha256="", dropped={"unreadable": 9})
    shard(tmp_path, 1, rows)
    summary = run(tmp_path, posed)
    assert (summary.sequences, summary.left_out) == (3, 1)
    rows = [replace(row, pkl="", frames_kept=0, sha256="") for row in rows]
    with pytest.raises(
        DataError, match=r"sequences with usable pose, got 2 sequences of which no"
    ):
        run(tmp_path, [shard(tmp_path, 1, rows)])


def test_silhouettes_are_for_every_sequence_or_for_none(tmp_path: Path, posed: list[Path]) -> None:
    rows = [row for row in read_manifest(posed[0]) if row.modality == "pose"]
    shard(tmp_path, 1, rows)
    sentence = r"sequence 001/nm-01/000 and 1 more has no silhouettes, which 2 others have; give"
    with pytest.raises(DataError, match=sentence):
        run(tmp_path, posed)


@pytest.mark.parametrize(
    "victim",
    ["frames.npy", "pose.npy", "skeleton_maps.npy", "points.npy", "points.offsets.npy"],
)
def test_an_index_never_stands_beside_arrays_that_changed(
    tmp_path: Path, clouded: list[Path], victim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, clouded)
    real = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if Path(target).name == victim:
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, clouded)
    assert not (tmp_path / "packed" / "index.csv").exists()
    assert run(tmp_path, clouded).sequences == 4
