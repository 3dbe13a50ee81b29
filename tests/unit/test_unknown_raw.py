"""One sentence for raw material that cannot be catalogued."""

from __future__ import annotations

from pathlib import Path

import pytest

from gait.errors import ConfigError, DataError
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import scan
from tests.unit.raw_names import CASIA_B, make, make_tar


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
