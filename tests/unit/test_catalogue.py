"""The catalogue: one table, shards of it, and one sentence for what cannot be catalogued."""

from __future__ import annotations

import io
import itertools
import os
import subprocess
import sys
import tarfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gait.errors import ConfigError, DataError
from gait.files import confined
from gait.formats.catalogue import CatalogueRow, RowKind, read_rows, rows_digest, rows_text
from gait.formats.source import File, parse_source
from gait.prepare.catalogue.materialise import materialise
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import Sequences, scan
from gait.prepare.catalogue.shards import archive_in_one_go, deal, merge_catalogue, rearrange
from gait.prepare.raw import archive_index
from gait.prepare.raw.archives import Contents, contents_of
from gait.synthgait.raw_state import altered_files
from gait.types import SequenceKey

CASIA_B = ["casia_b_videos", "casia_b_silhouettes"]


def make(raw: Path, *names: str) -> None:
    for name in names:
        path = raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def make_tar(path: Path, *names: str) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(name)
            archive.addfile(info, io.BytesIO(name.encode()))


def rows_of(subjects: int, videos: int = 2) -> list[CatalogueRow]:
    return [
        CatalogueRow(
            SequenceKey(f"{s:03d}", f"nm-{v:02d}", "090"), RowKind.VIDEO, File("x"), "", "f"
        )
        for s in range(1, subjects + 1)
        for v in range(1, videos + 1)
    ]


def tables(folder: Path, count: int = 3) -> tuple[Path, list[Path]]:
    shards = [folder / "shards" / f"{i}-of-{count}.csv" for i in range(1, count + 1)]
    return folder / "sequences.csv", shards


def rearrange_all(raw: Path, layouts: list[str], catalogue: Path, shards: list[Path]) -> Sequences:
    """What the workflow does: each shard by itself, then the table of them all."""
    found = [
        rearrange(raw, RawForm(layouts, "ask"), shard, number, len(shards))
        for number, shard in enumerate(shards, 1)
    ]
    merge_catalogue(shards, catalogue)
    return found[0]


def test_writes_the_table_and_every_shard(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    make(raw, "002-nm-01-090.avi", "001-nm-02-090.avi", "001-nm-01-090.avi", "001-bkgrd-090.avi")
    make(raw, "notes.txt")
    catalogue, shards = tables(tmp_path)
    summary = rearrange_all(raw, CASIA_B, catalogue, shards)
    assert (summary.layout, len(summary.rows)) == ("CasiaBVideos", 3)
    assert summary.ignored == {"other .txt file": 1}
    lines = catalogue.read_bytes().decode().split("\n")
    assert lines[0] == "subject,condition,view,kind,source,background,fingerprint,pose,files"
    assert lines[1].startswith("001,nm-01,090,video,001-nm-01-090.avi,001-bkgrd-090.avi,")
    assert [line[:13] for line in lines[1:]] == [
        "001,nm-01,090",
        "001,nm-02,090",
        "002,nm-01,090",
        "",
    ]
    parts = [read_rows(shard) for shard in shards]
    assert sorted((row for part in parts for row in part), key=lambda row: row.key) == read_rows(
        catalogue
    )
    assert [] in parts
    assert "3 sequences of 2 subjects (CasiaBVideos)" in str(summary)
    assert "not used: other .txt file: 1" in str(summary)


def test_only_the_shard_of_a_replaced_video_changes(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    make(raw, *(f"{s:03d}-nm-01-{v:03d}.avi" for s in range(1, 10) for v in (0, 90)))
    catalogue, shards = tables(tmp_path)
    rearrange_all(raw, CASIA_B, catalogue, shards)
    before = {path: path.read_bytes() for path in (catalogue, *shards)}

    def changed() -> set[Path]:
        for path in before:
            os.utime(path, ns=(7, 7))
        rearrange_all(raw, CASIA_B, catalogue, shards)
        return {path for path in before if path.stat().st_mtime_ns != 7}

    assert changed() == set()
    make(raw, "more.txt")
    assert changed() == set()
    (raw / "004-nm-01-000.avi").write_bytes(b"another walk")
    (home,) = [path for path in shards if "004,nm-01" in path.read_text()]
    assert changed() == {catalogue, home}


def test_rows_survive_the_table(tmp_path: Path) -> None:
    rows = [
        CatalogueRow(
            SequenceKey("001", "nm", "090"),
            RowKind.VIDEO,
            parse_source('day 1, "b"/x\ny.avi'),
            "é.avi",
            "0",
        ),
        CatalogueRow(SequenceKey("NA", "null", "00"), RowKind.IMAGES, File("a"), "", "1e5"),
    ]
    (tmp_path / "t.csv").write_text(rows_text(rows), encoding="utf-8", newline="")
    assert read_rows(tmp_path / "t.csv") == rows
    assert rows_digest(rows) == rows_digest(list(rows)) != rows_digest(rows[:1])


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "subject,condition\n"])
def test_foreign_table_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=r"t\.csv: expected the columns subject,condition,view"):
        read_rows(path)


def test_short_row_missing_and_binary_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(rows_text([]) + "001,nm\n")
    with pytest.raises(DataError, match="expected 9 columns, got 2"):
        read_rows(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="expected a table in UTF-8"):
        read_rows(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_rows(tmp_path / "none.csv")


@pytest.mark.parametrize(("subjects", "shards"), [(124, 8), (32, 4), (10, 8), (3, 8), (1, 1)])
def test_dealing_is_whole_even_and_steady(subjects: int, shards: int) -> None:
    rows = rows_of(subjects)
    dealt = deal(rows, shards)
    assert sorted(row for part in dealt for row in map(str, part)) == sorted(map(str, rows))
    numbers = [len({row.key.subject for row in part}) for part in dealt]
    assert sum(numbers) == subjects
    assert max(numbers) == -(-subjects // shards)
    assert deal(rows, shards) == dealt
    more = deal(rows_of(subjects, videos=3), shards)
    for before, after in zip(dealt, more, strict=True):
        assert {row.key.subject for row in before} == {row.key.subject for row in after}


def test_a_new_subject_moves_few_others() -> None:
    def changed(now: list[CatalogueRow]) -> int:
        return sum(a != b for a, b in zip(deal(rows_of(124), 8), deal(now, 8), strict=True))

    assert changed(rows_of(125)) == 1
    without = [
        [row for row in rows_of(124) if row.key.subject != f"{gone:03d}"]
        for gone in range(1, 125, 6)
    ]
    # Dealing in turn would change all those after the subject's own: 7.6 of 8 shards on average.
    assert sum(map(changed, without)) / len(without) < 4


@pytest.mark.parametrize(
    ("source", "archive"),
    [
        ("a/1.7z::x", "a/1.7z"),
        ("a/1.tgz::2.tgz::x", "a/1.tgz"),
        ("a/1.TAR.GZ::x", "a/1.TAR.GZ"),
        ("a/1.zip::x", ""),
        ("a/1.tar::x", ""),
        ("1.tar::b/2.tar::x", ""),
        ("1.tar::2.tar::3.zip::x", "1.tar::2.tar::3.zip"),
        ("1.zip::2.tgz::3.tgz::x", "1.zip::2.tgz"),
        ("1.zip::2.tar::x", "1.zip::2.tar"),
        ("1.zip::2.zip::x", "1.zip::2.zip"),
    ],
)
def test_archives_that_are_unpacked_in_one_go(source: str, archive: str) -> None:
    row = CatalogueRow(SequenceKey("1", "2", "3"), RowKind.IMAGES, parse_source(source), "", "")
    assert archive_in_one_go(row) == archive
    assert archive_in_one_go(replace(row, source=File("a/x"))) == ""


def archived(
    archives: Mapping[str, Iterable[int]], folder: Iterable[int] = ()
) -> list[CatalogueRow]:
    """Rows of subjects in archives, and of some on disk."""
    rows = [
        CatalogueRow(
            SequenceKey(f"{who:03d}", "nm", name[:3]),
            RowKind.IMAGES,
            parse_source(f"{name}::{who}"),
            "",
            "",
        )
        for name, subjects in archives.items()
        for who in subjects
    ]
    on_disk = [
        CatalogueRow(
            SequenceKey(f"{who:03d}", "nm", "disk"), RowKind.IMAGES, parse_source(f"{who}"), "", ""
        )
        for who in folder
    ]
    return sorted(rows + on_disk, key=lambda row: row.key)


def places(part: Iterable[CatalogueRow]) -> set[str]:
    return {str(row.source).partition("::")[0] for row in part if "::" in str(row.source)}


def test_an_archive_of_an_archive_is_dealt_by_that() -> None:
    halves = archived({"train.zip::train.tgz": range(9), "test.zip::test.tgz": range(5)})
    assert [places(part) for part in deal(halves, 2)] == [{"train.zip"}, {"test.zip"}]


def test_archives_that_are_unpacked_in_one_go_are_dealt_whole() -> None:
    sizes = {f"{view:03d}.7z": range(20 + view) for view in range(9)}
    rows = archived(sizes, folder=range(50))
    dealt = deal(rows, 4)
    assert sorted(map(str, itertools.chain(*dealt))) == sorted(map(str, rows))
    assert sum(len(places(part)) for part in dealt) == len(sizes)
    numbers = [sum("::" in str(row.source) for row in part) for part in dealt]
    assert max(numbers) - min(numbers) <= 28
    assert all(part == sorted(part, key=lambda row: row.key) for part in dealt)
    assert deal(reversed(rows), 4) == dealt
    # What lies on disk is dealt as always.
    assert max(sum("::" not in str(row.source) for row in part) for part in dealt) == 13
    # In order of size, the largest beside the smallest.
    assert places(deal(archived({"a.7z": [1, 2, 3], "b.7z": [1], "c.7z": [2, 3]}), 2)[0]) == {
        "a.7z"
    }


def test_archives_that_would_not_do_for_all_shards_or_hold_one_subject_are_not() -> None:
    few = archived({"1.7z": range(40), "2.7z": range(40)})
    subjects = [{row.key.subject for row in part} for part in deal(few, 3)]
    assert sum(map(len, subjects)) == 40
    assert [places(part) for part in deal(few, 2)] == [{"1.7z"}, {"2.7z"}]
    alone = archived({f"{who:03d}.tgz": [who] for who in range(30)})
    more = archived({f"{who:03d}.tgz": [who] for who in range(31)})
    assert sum(a != b for a, b in zip(deal(alone, 8), deal(more, 8), strict=True)) == 1


def test_missing_raw_folder_is_one_helpful_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        scan(tmp_path / "raw", RawForm(CASIA_B, "ask\n  the owner."))
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"{tmp_path / 'raw'}: there is no such folder; expected there videos")
    assert "or folders like 001/nm-01/090/" in text
    assert "how to obtain it: ask the owner;" in text
    assert "`snakemake --cores all results/SynthGait/GaitSet/report.csv` works without it" in text
    assert not (tmp_path / "sequences.csv").exists()


def test_a_dataset_without_layouts_wants_a_pkl_tree(tmp_path: Path) -> None:
    sentence = rf"{tmp_path}/pkl/<subject>/<condition>/<view>/\*\.pkl, without a folder raw"
    with pytest.raises(DataError, match=rf"nor is it there; .*{sentence}.* obtain it: ask;"):
        scan(tmp_path / "raw", RawForm([], "ask"))
    make(tmp_path, "raw/001/nm-01/090/1.png")
    with pytest.raises(DataError, match=rf"of this dataset; expected .*{sentence}"):
        scan(tmp_path / "raw", RawForm([]))


def test_empty_raw_folder(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with pytest.raises(
        DataError, match="raw: holds no sequence, no file either; expected there vid"
    ):
        scan(tmp_path / "raw", RawForm(CASIA_B, "ask"))


def test_unknown_form_says_what_was_found_and_what_fits(tmp_path: Path) -> None:
    make(tmp_path, "day 1/anna-walk-front.mp4", "day 1/bob-walk-front.mp4", "z/1", "z/2", "a.txt")
    with pytest.raises(DataError) as caught:
        scan(tmp_path, RawForm(CASIA_B, "ask"))
    text = str(caught.value)
    assert "\n" not in text
    assert "5 files such as 'a.txt', 'day 1/anna-walk-front.mp4', 'day 1/bob-walk" in text
    assert "which would fit NamedVideos under 'layouts' in the dataset.yaml" in text
    assert "(CasiaBVideos), or folders like" in text
    assert "ask" in text


def test_unknown_form_names_the_damage(tmp_path: Path) -> None:
    (tmp_path / "001.zip").write_bytes(b"")
    with pytest.raises(DataError, match=r"archive 001\.zip, damaged \(File is not a zip file\)"):
        scan(tmp_path, RawForm(CASIA_B))


def test_two_forms_are_an_error(tmp_path: Path) -> None:
    make(tmp_path, "001-nm-01-090.avi", "001/nm-01/090/001.png", "001/nm-01/108/001.png")
    with pytest.raises(DataError) as caught:
        scan(tmp_path, RawForm(CASIA_B))
    text = str(caught.value)
    assert "1 sequences of CasiaBVideos (such as 001-nm-01-090.avi) and 2 sequences of" in text
    assert "CasiaBSilhouettes (such as 001/nm-01/090), expected one form" in text
    assert "move the other one out" in text


@pytest.mark.parametrize("other", ["b/001-nm-01-090.avi", "001-nm-01-090.AVI"])
def test_a_sequence_twice_is_an_error(tmp_path: Path, other: str) -> None:
    make(tmp_path, "001-nm-01-090.avi", other)
    with pytest.raises(DataError) as caught:
        scan(tmp_path, RawForm(CASIA_B))
    assert f"{other}" in str(caught.value)
    assert "001-nm-01-090.avi" in str(caught.value)
    assert "expected each sequence once" in str(caught.value)


def test_archive_beside_its_unpacked_self_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, "001/nm-01/090/001.png", "001/nm-02/090/001.png")
    make_tar(tmp_path / "001.tar.gz", "001/nm-01/090/001.png", "001/nm-02/090/001.png")
    with pytest.raises(DataError) as caught:
        scan(tmp_path, RawForm(CASIA_B))
    assert "001.tar.gz::001/nm-01/090" in str(caught.value)
    assert "(and 1 more such pairs)" in str(caught.value)


def test_unknown_layout_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'CasiaBVideos'"):
        scan(tmp_path, RawForm(["casia_b_video"]))


def test_unchanged_archives_are_not_listed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    make_tar(raw / "001.tar.gz", "001/nm-01/090/001.png", "001/nm-02/090/001.png")
    make_tar(raw / "002.tar.gz", "002/nm-01/090/001.png")
    catalogue, shards = tables(tmp_path)
    rearrange_all(raw, CASIA_B, catalogue, shards)
    opened: list[str] = []

    def noted(path: Path, patterns: Collection[str]) -> Contents:
        opened.append(path.name)
        return contents_of(path, patterns)

    monkeypatch.setattr(archive_index, "contents_of", noted)
    assert scan(raw, RawForm(CASIA_B), catalogue.parent).rows == read_rows(catalogue)
    assert opened == []
    make_tar(raw / "002.tar.gz", "002/nm-01/090/001.png", "002/nm-02/090/001.png")
    rows = scan(raw, RawForm(CASIA_B), catalogue.parent).rows
    assert opened == ["002.tar.gz"]
    assert rows == scan(raw, RawForm(CASIA_B)).rows
    for journal in (tmp_path / "journal/archives").iterdir():
        journal.write_text("torn")
    opened.clear()
    for _ in range(2):
        assert scan(raw, RawForm(CASIA_B), catalogue.parent).rows == rows
    assert sorted(opened) == ["001.tar.gz", "002.tar.gz"]
    assert scan(raw, RawForm(CASIA_B), (tmp_path / "none.csv").parent).rows == rows


def test_confined_paths(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    make(raw, "a/1.avi")
    make(tmp_path, "out/1.avi")
    (raw / "link").symlink_to("../out")
    assert confined(raw, "a/1.avi") == raw / "a/1.avi"
    assert confined(raw, "not/there") == raw / "not/there"
    for bad in ("../out/1.avi", "/etc/passwd", "a/../../out/1.avi", "link/1.avi", "", "."):
        with pytest.raises(DataError, match="expected a path that stays below"):
            confined(raw, bad)


def render(raw: Path) -> None:
    make(raw, "001-nm-01-090.avi", "001-bkgrd-090.avi", "002-nm-01-090.avi")
    listed = "".join(f"{path.name},{path.stat().st_size}\n" for path in sorted(raw.iterdir()))
    (raw / "population.csv").write_text("file,size_bytes\n" + listed)


def test_altered_files_of_a_rendered_tree(tmp_path: Path) -> None:
    render(tmp_path)
    assert altered_files(tmp_path) == set()
    make(tmp_path, ".DS_Store", "notes.txt")
    assert altered_files(tmp_path) == set()
    (tmp_path / "001-nm-01-090.avi").write_bytes(b"another size")
    os.utime(tmp_path / "001-nm-01-090.avi", ns=(7, 7))
    assert altered_files(tmp_path) == {"001-nm-01-090.avi"}
    newer = (tmp_path / "population.csv").stat().st_mtime_ns + 1
    os.utime(tmp_path / "002-nm-01-090.avi", ns=(newer, newer))
    (tmp_path / "001-bkgrd-090.avi").unlink()
    make(tmp_path, "more/003-nm-01-090.avi")
    assert altered_files(tmp_path) == {
        "001-nm-01-090.avi",
        "001-bkgrd-090.avi",
        "002-nm-01-090.avi",
        "more/003-nm-01-090.avi",
    }


def test_a_replaced_or_added_pose_counts_as_altered(tmp_path: Path) -> None:
    render(tmp_path)
    make(tmp_path, "001-nm-01-090.pose.npz")
    assert altered_files(tmp_path) == {"001-nm-01-090.pose.npz"}


@pytest.mark.parametrize("content", [None, "name,bytes\nx,1\n"])
def test_foreign_population_list(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "population.csv").write_text(content)
    with pytest.raises(DataError, match=r"population\.csv: expected the list of rendered videos"):
        altered_files(tmp_path)


def test_what_each_start_of_the_workflow_imports_is_light() -> None:
    code = (
        "import sys, gait.prepare.catalogue.scan, gait.synthgait.raw_state\n"
        "print(sorted({'torch', 'cv2', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def catalogued(tmp_path: Path, layouts: list[str]) -> tuple[Path, Path]:
    catalogue, shards = tables(tmp_path)
    rearrange_all(tmp_path / "raw", layouts, catalogue, shards)
    return catalogue, tmp_path / "raw"


@pytest.mark.parametrize("how", ["symlink", "copy"])
def test_materialise_videos(tmp_path: Path, how: str) -> None:
    make(tmp_path / "raw", "d/001-nm-01-090.avi", "002-cl-01-018.avi")
    catalogue, raw = catalogued(tmp_path, CASIA_B)
    for _ in range(2):
        assert materialise(catalogue, raw, tmp_path / "tree", how) == 2  # type: ignore[arg-type]
    video = tmp_path / "tree/001/nm-01/090/001-nm-01-090.avi"
    assert video.read_bytes() == b"d/001-nm-01-090.avi"
    assert video.is_symlink() == (how == "symlink")
    (tmp_path / "moved").mkdir()
    for name in ("raw", "tree"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    moved = tmp_path / "moved/tree/002/cl-01/018/002-cl-01-018.avi"
    assert moved.read_bytes() == b"002-cl-01-018.avi"


@pytest.mark.parametrize("how", ["symlink", "copy"])
def test_materialise_images_and_archives(tmp_path: Path, how: str) -> None:
    make(tmp_path / "raw", "x/001/nm-01/090/1.png", "x/001/nm-01/090/notes.txt")
    make_tar(tmp_path / "raw" / "002.tar.gz", "002/nm-01/090/1.png", "002/nm-01/090/notes.txt")
    catalogue, raw = catalogued(tmp_path, CASIA_B)
    for _ in range(2):
        assert materialise(catalogue, raw, tmp_path / "tree", how) == 2  # type: ignore[arg-type]
    folder = tmp_path / "tree/001/nm-01/090"
    assert (folder / "1.png").read_bytes() == b"x/001/nm-01/090/1.png"
    assert folder.is_symlink() == (how == "symlink")
    assert [each.name for each in (tmp_path / "tree/002/nm-01/090").iterdir()] == ["1.png"]


def test_materialise_refuses_to_overwrite_or_to_write_to_raw(tmp_path: Path) -> None:
    make(tmp_path / "raw", "001-nm-01-090.avi")
    catalogue, raw = catalogued(tmp_path, CASIA_B)
    with pytest.raises(DataError, match="which is only read"):
        materialise(catalogue, raw, raw / "tree", "symlink")
    make(tmp_path / "tree", "001/nm-01/090/001-nm-01-090.avi")
    with pytest.raises(DataError, match=r"expected a link to .*; remove it"):
        materialise(catalogue, raw, tmp_path / "tree", "symlink")
    (raw / "001-nm-01-090.avi").unlink()
    with pytest.raises(DataError, match="not on disk; run gait rearrange"):
        materialise(catalogue, raw, tmp_path / "other", "copy")
