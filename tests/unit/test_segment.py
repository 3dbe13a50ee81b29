"""The segmentation job of a shard: what it writes, skips, reports and survives."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gait.errors import ConfigError, DataError
from gait.formats.catalogue import CatalogueRow, RowKind, rows_text
from gait.formats.source import File, parse_source
from gait.prepare.silhouettes import masks as masks_module
from gait.prepare.silhouettes.masks import load_masks, read_record
from gait.prepare.silhouettes.segment import COLUMNS, WalkerMask, segment_shard
from gait.prepare.summary import ShardSummary
from gait.types import SequenceKey
from tests.unit.clips import Shot, film, iou

SEGMENTER = {"name": "background"}


class Data:
    """A dataset's folder with one shard of videos."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.raw = root / "raw"
        self.raw.mkdir()
        self.shard = root / "shards" / "1-of-1.csv"
        self.shard.parent.mkdir()
        self.output = self.shard.with_suffix(".silhouettes.csv")
        self.rows: list[CatalogueRow] = []

    def add(self, condition: str, shot: Shot | None, background: str = "empty.avi") -> np.ndarray:
        """A walk of subject 001; its truth."""
        name = f"001-{condition}-090.avi"
        truth = np.zeros(0) if shot is None else film(self.raw / name, shot)
        if background and not (self.raw / background).exists():
            film(self.raw / background, Shot(walker=False, frames=8))
        key = SequenceKey("001", condition, "090")
        self.rows.append(
            CatalogueRow(key, RowKind.VIDEO, parse_source(name), background, f"print of {name}")
        )
        return truth

    def run(self, **settings: Any) -> ShardSummary:
        self.shard.write_text(rows_text(self.rows))
        return segment_shard(self.shard, self.raw, self.root, self.output, SEGMENTER | settings)

    def table(self) -> dict[str, dict[str, str]]:
        with self.output.open(newline="") as file:
            return {line["condition"]: line for line in csv.DictReader(file)}

    def masks(self, condition: str) -> Path:
        return self.root / "silhouettes" / "001" / condition / "090.npz"


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def test_masks_and_their_table_are_written(data: Data) -> None:
    truth = data.add("nm-01", Shot())
    summary = data.run()
    line = data.table()["nm-01"]
    assert tuple(line) == COLUMNS
    assert line["pose"] == ""
    assert line["silhouettes"] == "silhouettes/001/nm-01/090.npz"
    assert (line["frames_read"], line["frames_kept"], line["dropped"]) == ("30", "30", "")
    stored = load_masks(data.root / line["silhouettes"])
    assert stored.frames.tolist() == list(range(30))
    record = read_record(data.root / line["silhouettes"])
    assert record is not None and record.fingerprint == line["fingerprint"]
    assert iou(list(stored.masks > 0), truth) > 0.95
    assert str(summary).startswith("1 sequences (0 unchanged); 30 of 30 frames kept; ")
    assert str(summary).endswith(" frames/s")


def test_frames_without_the_whole_walker_are_dropped_and_counted(data: Data) -> None:
    truth = data.add("nm-01", Shot(enters=True, frames=40))
    data.run()
    line = data.table()["nm-01"]
    cut = truth[:, :, 0].any(axis=1) | truth[:, :, -1].any(axis=1)
    whole = truth.any(axis=(1, 2)) & ~cut
    frames = load_masks(data.masks("nm-01")).frames
    assert set(np.flatnonzero(whole)) >= set(frames.tolist())
    assert len(frames) >= whole.sum() - 2
    reasons = dict(item.split(":") for item in line["dropped"].split(";"))
    assert set(reasons) == {"no walker", "touches the frame's edge"}
    assert sum(map(int, reasons.values())) + len(frames) == 40

    data.run(cut_frames="keep")
    assert set(data.table()["nm-01"]["dropped"].split(":")) >= {"no walker"}
    assert len(load_masks(data.masks("nm-01")).frames) > len(frames)


def test_broken_videos_are_reported_and_the_others_go_on(
    data: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    data.add("nm-01", Shot(frames=10))
    for condition in ("nm-02", "nm-03", "nm-04"):
        data.add(condition, Shot(frames=40))
    empty, text, cut = (data.raw / f"001-nm-{each}-090.avi" for each in ("02", "03", "04"))
    empty.write_bytes(b"")
    text.write_text("not a video\n" * 99)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    data.add("nm-05", None)
    summary = data.run()
    table = data.table()
    assert table["nm-01"]["frames_kept"] == "10"
    for condition in ("nm-02", "nm-03", "nm-05"):
        assert table[condition]["dropped"] == "unreadable video:1"
    read = table["nm-04"]["frames_read"]
    assert 0 < int(read) < 40
    assert table["nm-04"]["dropped"] == f"truncated video:{read}"
    for condition in ("nm-02", "nm-03", "nm-04", "nm-05"):
        assert (table[condition]["frames_kept"], table[condition]["silhouettes"]) == ("0", "")
        assert not data.masks(condition).exists()
    assert (summary.broken, summary.empty, summary.sequences) == (4, 4, 5)
    assert "4 broken videos" in str(summary)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 4
    assert said[0].startswith("001/nm-02/090: ") and "zero bytes" in said[0]
    assert f"{read} of 40 frames" in said[2]


def test_a_shard_of_which_every_video_is_broken_has_its_table(data: Data) -> None:
    data.add("nm-01", None)
    data.add("nm-02", None)
    assert data.run().broken == 2
    assert set(data.table()) == {"nm-01", "nm-02"}


def test_a_mended_video_is_tried_again(data: Data) -> None:
    data.add("nm-01", None)
    data.run()
    film(data.raw / "001-nm-01-090.avi", Shot(frames=10))
    data.run()
    assert data.table()["nm-01"]["frames_kept"] == "10"


def test_a_broken_background_clip_is_a_reason(data: Data) -> None:
    data.add("nm-01", Shot(frames=5))
    (data.raw / "empty.avi").write_bytes(b"")
    data.run()
    assert data.table()["nm-01"]["dropped"] == "unreadable background:1"


def test_a_video_without_a_walker_is_said_and_remembered(data: Data) -> None:
    data.add("nm-01", Shot(walker=False, frames=12))
    for unchanged in (0, 1):
        summary = data.run()
        line = data.table()["nm-01"]
        assert (line["silhouettes"], line["frames_kept"]) == ("", "0")
        assert (line["frames_read"], line["dropped"]) == ("12", "no walker:12")
        assert (summary.empty, summary.broken, summary.unchanged) == (1, 0, unchanged)


def replaced(data: Data, monkeypatch: pytest.MonkeyPatch, *figures: WalkerMask) -> None:
    """A segmenter that finds these."""
    from gait.prepare.silhouettes.segmenters.background import Background

    def segment(self: Background, video: Path, background: Path | None) -> Iterator[WalkerMask]:
        yield from figures

    monkeypatch.setattr(Background, "segment", segment)


MASK = np.pad(np.ones((40, 10), np.bool_), 10)


def test_reasons_of_a_segmenter_are_counted(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(data, monkeypatch, MASK, "damaged frame", None, "camera moves", *[MASK] * 6)
    data.add("nm-01", None)
    data.run()
    assert data.table()["nm-01"]["dropped"] == "camera moves:1;damaged frame:1;no walker:1"
    assert load_masks(data.masks("nm-01")).frames.tolist() == [0, 4, 5, 6, 7, 8, 9]


def test_a_clip_that_a_segmenter_is_not_made_for_is_dropped_as_a_whole(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfit = ["several walkers"] * 2 + ["camera moves"]
    replaced(data, monkeypatch, *[MASK] * 6, *unfit, None)
    data.add("nm-01", None)
    for unchanged in (0, 1):
        assert data.run().unchanged == unchanged
        line = data.table()["nm-01"]
        assert (line["silhouettes"], line["frames_read"], line["frames_kept"]) == ("", "10", "0")
        assert line["dropped"] == "camera moves:1;no walker:1;several walkers:8"
    assert len(load_masks(data.masks("nm-01")).masks) == 0


def test_masks_with_a_flipped_bit_are_made_again(data: Data) -> None:
    data.add("nm-01", Shot(frames=5))
    data.run()
    content = data.masks("nm-01").read_bytes()
    data.masks("nm-01").write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    assert data.run().unchanged == 0
    assert data.masks("nm-01").read_bytes() == content


def test_an_unchanged_shard_is_left_alone(data: Data) -> None:
    data.add("nm-01", Shot(frames=10))
    data.add("nm-02", Shot(frames=11))
    data.run()
    files = [data.output, data.masks("nm-01"), data.masks("nm-02")]
    before = [path.stat().st_mtime_ns for path in files]
    text = data.output.read_text()
    summary = data.run()
    assert (summary.unchanged, summary.frames_done, summary.frames_kept) == (2, 0, 21)
    assert [path.stat().st_mtime_ns for path in files] == before
    data.output.unlink()
    assert data.run().unchanged == 2
    assert data.output.read_text() == text


def test_what_changed_is_done_again_and_nothing_else(data: Data) -> None:
    data.add("nm-01", Shot(frames=10))
    data.add("nm-02", Shot(frames=11))
    data.run()
    first = data.table()
    data.rows[1] = replace(data.rows[1], fingerprint="another")
    assert data.run().unchanged == 1
    assert data.table()["nm-01"] == first["nm-01"]
    assert data.table()["nm-02"]["fingerprint"] != first["nm-02"]["fingerprint"]

    assert data.run(threshold=6.0).unchanged == 0
    assert data.run(threshold=6.0).unchanged == 2

    data.masks("nm-01").write_bytes(b"damaged")
    data.masks("nm-02").unlink()
    assert data.run(threshold=6.0).unchanged == 0
    assert len(load_masks(data.masks("nm-01")).masks) == 10


def test_a_video_that_broke_leaves_no_masks_in_the_table(data: Data) -> None:
    data.add("nm-01", Shot(frames=10))
    data.run()
    (data.raw / "001-nm-01-090.avi").write_bytes(b"")
    data.rows[0] = replace(data.rows[0], fingerprint="another")
    data.run()
    assert data.table()["nm-01"]["silhouettes"] == ""


def test_the_table_hands_on_the_pose(data: Data) -> None:
    data.add("nm-01", Shot())
    data.rows[0] = replace(data.rows[0], pose="001-nm-01-090.pose.npz")
    data.run()
    assert data.table()["nm-01"]["pose"] == "001-nm-01-090.pose.npz"


def test_an_empty_shard_has_a_header_only(data: Data) -> None:
    summary = data.run()
    assert data.output.read_text() == (
        "subject,condition,view,silhouettes,frames_read,frames_kept,dropped,fingerprint,pose\n"
    )
    assert str(summary) == "0 sequences (0 unchanged); 0 of 0 frames kept"


def test_a_shard_of_images_is_refused(data: Data) -> None:
    data.add("nm-01", None)
    data.rows[0] = replace(data.rows[0], kind=RowKind.IMAGES)
    with pytest.raises(DataError, match=r"expected videos, got 001-nm-01-090\.avi"):
        data.run()


def test_a_source_outside_the_raw_folder_is_refused(data: Data) -> None:
    data.add("nm-01", None)
    data.rows[0] = replace(data.rows[0], source=File("../secret.avi"))
    with pytest.raises(DataError, match=r"'\.\./secret\.avi'"):
        data.run()


def test_an_unknown_segmenter_or_parameter_is_said(data: Data) -> None:
    with pytest.raises(ConfigError, match="no segmenter is named 'backgroud'"):
        data.run(name="backgroud")
    with pytest.raises(ConfigError, match="no such parameter; did you mean 'threshold'"):
        data.run(treshold=3)


def test_a_full_disk_is_no_broken_video(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    data.add("nm-01", Shot(frames=5))

    def disk_full(*arguments: object, **settings: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(masks_module.np.lib.format, "write_array", disk_full)
    with pytest.raises(DataError, match="No space left on device"):
        data.run()
    assert not data.output.exists()
    assert not list(data.root.rglob(".*"))


def test_clips_before_one_background_come_together(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gait.prepare.silhouettes.segmenters.background import Background

    seen: list[Path | None] = []

    def segment(
        self: Background, video: Path, background: Path | None
    ) -> Iterator[np.ndarray | None]:
        seen.append(background)
        yield None

    monkeypatch.setattr(Background, "segment", segment)
    for number in range(4):
        data.add(f"nm-0{number}", None, background=f"empty-{number % 2}.avi")
    data.run()
    assert [path.name for path in seen if path] == ["empty-0.avi"] * 2 + ["empty-1.avi"] * 2
