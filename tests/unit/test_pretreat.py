"""The pretreatment of a shard: what it writes, counts and leaves out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.cli.prepare import Joints, Kind
from gait.config.dataset import Pretreat
from gait.errors import DataError
from gait.formats.catalogue import CatalogueRow, RowKind
from gait.formats.pkl import read_pkl
from gait.formats.source import File
from gait.prepare.modalities.joints import JOINTS
from gait.prepare.sequences import blocks, one_sequence
from gait.prepare.silhouettes.align import CCPG, align
from gait.types import SequenceKey
from tests.unit.pretreated import EMPTY, Shard, small_shard, walker


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    return small_shard(tmp_path)


def test_every_frame_is_accounted_for(shard: Shard) -> None:
    broken = cv2.imencode(".png", walker(0))[1].tobytes()[:60]
    faint = walker(1) // 255
    shard.add("003/bg-01/000", [walker(0), EMPTY, broken, b"", faint, walker(5)], "d")
    shard.add("003/bg-01/090", [EMPTY, EMPTY], "e")
    summary = shard.run()
    rows = shard.manifest()
    row = rows["003/bg-01/000"]
    assert (row.frames_read, row.frames_kept) == (6, 2)
    assert row.dropped == {
        "too few pixels": 1,
        "unreadable": 2,
        "values 0/1 instead of 0/255": 1,
    }
    assert len(read_pkl(shard.root / row.pkl)) == 2
    assert row.pkl == "pkl/003/bg-01/000/000.pkl"
    empty = rows["003/bg-01/090"]
    assert (empty.pkl, empty.sha256, empty.frames_read) == ("", "", 2)
    assert empty.dropped == {"too few pixels": 2}
    assert not (shard.root / "pkl" / "003" / "bg-01" / "090").exists()
    assert [row.fingerprint for row in rows.values()] == ["a", "b", "c", "d", "e"]
    assert str(summary).startswith(
        "5 sequences (0 unchanged); 21 of 27 frames kept; "
        "dropped: 3 too few pixels, 2 unreadable, 1 values 0/1 instead of 0/255; "
        "1 sequences without a usable frame; 1 with fewer than 5 frames; "
    )
    assert str(summary).endswith("frames/s")


@pytest.mark.parametrize("table", ["images", "masks"])
def test_a_sequence_that_is_listed_twice_is_refused(shard: Shard, table: str) -> None:
    shard.run()
    if table == "masks":
        shard.table.write_text(
            "subject,condition,view,silhouettes,frames_read,dropped,fingerprint\n"
            + 2 * "001,nm-01,000,,3,,f\n"
        )
    else:
        lines = shard.table.read_text().splitlines(keepends=True)
        shard.table.write_text("".join([*lines, lines[1]]))
    shard.table.with_name(f"{shard.table.name}.sha256").unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"1-of-1.csv: lists the sequence 001/\S+ more than once"):
        shard.run()


def test_the_pkl_tree_holds_nothing_but_pkl_files(shard: Shard) -> None:
    shard.run()
    assert list(shard.pkl_files()) == [
        "pkl/001/nm-01/000/000.pkl",
        "pkl/001/nm-01/090/090.pkl",
        "pkl/002/nm-01/000/000.pkl",
    ]


def test_a_kind_has_one_name_everywhere() -> None:
    in_datasets = get_args(Pretreat.model_fields["kind"].annotation)
    assert set(in_datasets) == set(Kind) == set(one_sequence.KINDS)
    joints, without = get_args(Pretreat.model_fields["joints"].annotation)
    assert {*get_args(joints), None} == {*Joints, None} == set(JOINTS)
    assert without is type(None)


def test_silhouettes_of_ccpg_are_aligned_as_published() -> None:
    # Too few pixels for any other dataset.
    faint = np.zeros((20, 12), np.uint8)
    faint[4:16, 5:7] = 255
    published = align([faint], 64, CCPG)
    assert len(published.frames) == 1 and not len(align([faint], 64).frames)
    made = one_sequence.KINDS["ccpg"]([faint], 64)
    np.testing.assert_array_equal(made.frames, published.frames)


def test_frames_taken_as_they_are_have_one_size(shard: Shard) -> None:
    images = [np.full((64, 64), value, np.uint8) for value in (0, 1, 255)]
    shard.add("003/nm-01/000", [images[0], walker(0), *images[1:]], "d")
    shard.run(kind="as_is")
    rows = shard.manifest()
    # Nothing but the size is looked at: black frames stay.
    np.testing.assert_array_equal(
        read_pkl(shard.root / rows["003/nm-01/000"].pkl), np.stack(images)
    )
    assert rows["003/nm-01/000"].dropped == {"not 64 x 64 px": 1}
    assert (rows["001/nm-01/000"].pkl, rows["001/nm-01/000"].dropped) == (
        "",
        {"not 64 x 64 px": 6},
    )


def test_short_sequences_may_be_dropped_whole(shard: Shard) -> None:
    shard.add("003/nm-01/000", [walker(step) for step in range(7)] + [EMPTY], "d")
    summary = shard.run(min_frames=7)
    rows = shard.manifest()
    assert rows["001/nm-01/000"].dropped == {"sequence of fewer than 7 frames": 6}
    assert (rows["003/nm-01/000"].frames_kept, rows["001/nm-01/090"].frames_kept) == (7, 7)
    assert summary.empty == 2


def test_long_sequences_are_read_in_blocks(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    frames: list[NDArray[np.uint8] | bytes] = [walker(step) for step in range(9)]
    shard.add("003/nm-01/000", [*frames[:4], b"", EMPTY, *frames[4:]], "d")
    shard.run()
    whole, table = shard.pkl_files(), shard.output.read_bytes()
    shutil.rmtree(shard.root / "journal")
    shutil.rmtree(shard.root / "pkl")
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2 * walker(0).nbytes)
    shard.run()
    assert (shard.pkl_files(), shard.output.read_bytes()) == (whole, table)


def test_a_video_is_not_taken_for_images(shard: Shard) -> None:
    key = SequenceKey("004", "nm-01", "000")
    shard.rows[key] = CatalogueRow(key, RowKind.VIDEO, File("004-nm-01-000.avi"), "", "f")
    shard.write()
    with pytest.raises(DataError, match=r"got the video 004-nm-01-000.avi; extract"):
        shard.run()


def test_a_shard_of_nobody_gives_an_empty_manifest(shard: Shard) -> None:
    shard.rows.clear()
    shard.write()
    assert shard.run().sequences == 0
    assert shard.manifest() == {}
