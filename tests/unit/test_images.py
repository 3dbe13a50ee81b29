"""Images from outside: bounded by their headers, refused when damaged, and silent about it."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.prepare.raw import images
from gait.prepare.raw.frames import frames_of_contents, frames_of_files
from gait.prepare.raw.images import Bounds, ImageError, decode
from tests.unit.pngs import chunk, png

GRAY = np.asarray(np.random.default_rng(0).integers(0, 256, (24, 40)), np.uint8)


def encoded(suffix: str, image: NDArray[np.uint8] = GRAY, *options: int) -> bytes:
    return bytes(cv2.imencode(suffix, image, options)[1])


# A segment of a JPEG that states its size, 2 x 1 pixels.
SIZE = b"\xff\xc0\x00\x0b\x08\x00\x02\x00\x01\x01\x01\x11\x00"

FEWER_ROWS = png(np.zeros((4, 4), np.uint8), claimed=(9, 4))

GOOD = {
    "png": encoded(".png"),
    "jpg": encoded(".jpg"),
    "progressive jpg": encoded(".jpg", GRAY, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarting jpg": encoded(".jpg", GRAY, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    "bmp": encoded(".bmp"),
}


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("flags", [cv2.IMREAD_GRAYSCALE, cv2.IMREAD_COLOR])
def test_a_good_image_is_what_opencv_makes_of_it(kind: str, flags: int) -> None:
    expected = cv2.imdecode(np.frombuffer(GOOD[kind], np.uint8), flags)
    np.testing.assert_array_equal(decode(GOOD[kind], "x", flags), expected)
    header = images.header_of(GOOD[kind], "x", Bounds.now())
    assert (header.height_px, header.width_px) == GRAY.shape


@pytest.mark.parametrize("kind", GOOD)
def test_no_image_that_lost_its_end_is_shown(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = GOOD[kind]
    for end in [*range(0, len(data) - 1, 7), len(data) - 1]:
        with pytest.raises(ImageError):
            decode(data[:end], "x", 0)
    assert capfd.readouterr().err == ""


def test_no_flipped_bit_of_a_png_goes_unnoticed(capfd: pytest.CaptureFixture[str]) -> None:
    for position in range(len(GOOD["png"])):
        flipped = bytearray(GOOD["png"])
        flipped[position] ^= 4
        with pytest.raises(ImageError):
            decode(bytes(flipped), "x", 0)
    assert capfd.readouterr().err == ""


def test_a_jpeg_that_its_decoder_had_to_mend_is_refused(
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = GOOD["jpg"]
    with pytest.raises(ImageError, match="damaged"):
        decode(data[:-200] + data[-2:], "x", 0)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "data",
    [
        png(np.zeros((4, 4), np.uint8), claimed=(30_000, 30_000)),
        b"BM" + bytes(8) + struct.pack("<IIiiHHI", 26, 40, 30_000, -30_000, 1, 24, 0),
        GOOD["jpg"].replace(struct.pack(">HH", *GRAY.shape), struct.pack(">HH", 60_000, 60_000)),
    ],
    ids=["png", "bmp", "jpg"],
)
def test_a_size_is_bounded_before_anything_is_decoded(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("was decoded"))
    with pytest.raises(ImageError, match=r"x: (an image of|expected an image)"):
        decode(data, "x", 0)


def test_an_image_that_is_too_large_is_a_dropped_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1.png").write_bytes(png(np.zeros((4, 4), np.uint8), claimed=(30_000, 30_000)))
    (tmp_path / "2.png").write_bytes(GOOD["png"])
    with (tmp_path / "3.png").open("wb") as file:
        file.truncate(2**26 + 1)
    (tmp_path / "4.png").symlink_to(tmp_path / "none")
    frames = list(frames_of_files(sorted(tmp_path.iterdir()), str))
    assert [frame.problem for frame in frames] == [
        "image too large, see GAIT_MAX_IMAGE_PX",
        "",
        "image too large, see GAIT_MAX_IMAGE_BYTES",
        "unreadable",
    ]
    monkeypatch.setenv("GAIT_MAX_IMAGE_PX", str(GRAY.size - 1))
    (frame,) = frames_of_contents([("2.png", GOOD["png"])])
    assert frame.problem == "image too large, see GAIT_MAX_IMAGE_PX"


@pytest.mark.parametrize("suffix", [".webp", ".tiff", ".pgm", ".jp2"])
def test_other_formats_are_refused_whatever_their_name(suffix: str) -> None:
    with pytest.raises(ImageError, match="no PNG, JPEG or BMP"):
        decode(encoded(suffix), "x", 0)


@pytest.mark.parametrize(
    "data",
    [
        png(np.zeros((4, 4), np.uint8), claimed=(0, 4)),
        FEWER_ROWS,
        GOOD["png"][:8] + GOOD["png"][33:],
        GOOD["png"][:33] + chunk(b"IEND", b""),
        GOOD["jpg"][:2] + GOOD["jpg"][2:4] * 3,
        GOOD["jpg"][:-2] + SIZE + GOOD["jpg"][-2:],
        b"\xff\xd8\xff" * 1000,
        b"",
    ],
    ids=[
        "no row",
        "fewer rows",
        "no header",
        "no pixels",
        "marks",
        "two sizes",
        "starts",
        "nothing",
    ],
)
def test_what_is_malformed_is_one_sentence(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImageError, match=r"^x: expected an image, got"):
        decode(data, "x", 0)
    # What is wrong with the pixels alone, the decoder alone can tell.
    assert capfd.readouterr().err == "" or data == FEWER_ROWS


def test_an_image_of_too_many_parts_or_scans_is_refused() -> None:
    with pytest.raises(ImageError, match="parts"):
        decode(GOOD["png"][:33] + chunk(b"teSt", b"") * 2**16 + GOOD["png"][33:], "x", 0)
    scan = b"\xff\xda\x00\x02"
    with pytest.raises(ImageError, match="101 scans"):
        decode(GOOD["jpg"][:-2] + scan * 100 + GOOD["jpg"][-2:], "x", 0)


def test_what_a_decoder_has_to_say_of_good_images_is_not_shown(
    capfd: pytest.CaptureFixture[str],
) -> None:
    profile = chunk(b"iCCP", b"x\0\0" + b"no profile")
    image = decode(png(GRAY, extra=profile), "x", 0)
    np.testing.assert_array_equal(image, GRAY)
    assert capfd.readouterr().err == ""
