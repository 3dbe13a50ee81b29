"""The check tells of silhouettes by their values: what is converted, dropped or merely used."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.config.dataset import Pretreat
from gait.formats.catalogue import CatalogueRow, RowKind
from gait.formats.source import parse_source
from gait.prepare.check.findings import Finding, Severity
from gait.prepare.check.values import of_arrays, of_images
from gait.prepare.raw.frames import Frame, frames_of_contents
from gait.types import SequenceKey
from tests.unit.pngs import png
from tests.unit.test_values import CERTAIN, PHOTO, UNCLEAR, WALK, Encode, encoded, jpg


def found(encode: Encode, kind: str = "normalise", others: int = 0) -> list[Finding]:
    """The findings in a sequence of one kind and others that are as usual."""

    def sequences() -> Iterator[tuple[CatalogueRow, Iterator[Frame]]]:
        for number, each in enumerate([encode] + [png] * others):
            row = CatalogueRow(
                SequenceKey("001", "nm", str(number)),
                RowKind.IMAGES,
                parse_source(str(number)),
                "",
                "",
            )
            yield row, frames_of_contents(encoded(each))

    pretreat = Pretreat.model_validate({"kind": kind})
    return list(of_images(sequences(), pretreat))


def test_usual_silhouettes_are_not_worth_a_word() -> None:
    assert found(png) == []
    for sigma in (0.6, 1.0, 1.5):
        assert found(lambda image: png(cv2.GaussianBlur(image, (0, 0), sigma))) == []  # noqa: B023
    soft = [np.asarray(cv2.GaussianBlur(image, (0, 0), 1.0), np.uint8) for image in WALK]
    assert list(of_arrays([("a", np.stack(WALK)), ("b", np.stack(soft))])) == []


@pytest.mark.parametrize("kind", CERTAIN)
def test_what_is_converted_is_noted(kind: str) -> None:
    encode, note = CERTAIN[kind]
    findings = found(encode)
    assert {each.severity for each in findings} == {Severity.note}
    assert f"images: {note}, of 8" in [each.kind for each in findings]


@pytest.mark.parametrize("kind", UNCLEAR)
def test_what_is_dropped_is_an_error_where_it_is_all(kind: str) -> None:
    [finding] = found(UNCLEAR[kind])
    assert finding.severity is Severity.error and "unclear which value" in finding.kind
    [finding] = found(UNCLEAR[kind], others=1)
    assert finding.severity is Severity.warning and finding.count == 8
    assert finding.example == "in 0"


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_ringing_of_a_jpeg_is_told_with_what_it_does(quality: int) -> None:
    [finding] = found(lambda image: jpg(image, quality))
    assert finding.severity is Severity.warning and "faint gray" in finding.kind
    share = int(finding.example.split(";")[1].split("%")[0])
    assert 2 < share < 30 and "png" in finding.fix
    assert found(lambda image: jpg(image, quality), kind="resize") == []
    kinds = [each.kind for each in found(lambda image: jpg(255 - image, quality))]
    assert [kind.split(",")[0] for kind in kinds] == [
        "images: black on white turned into white on black",
        "images with faint gray above or below the walker",
    ]


@pytest.mark.parametrize(
    ("encode", "kind", "severity"),
    [
        (lambda image: png(image * 0), "without a silhouette", Severity.error),
        (lambda image: png(image * 0 + 255), "white nearly everywhere", Severity.warning),
        (lambda image: png(image * 0 + 77), "mostly grey", Severity.warning),
        (lambda image: png(PHOTO), "mostly grey", Severity.warning),
        (lambda image: png(image)[:-1], "unreadable", Severity.error),
        (lambda image: png(image, claimed=(30_000, 30_000)), "too large", Severity.error),
    ],
    ids=["black", "white", "gray", "photograph", "cut", "huge"],
)
def test_what_is_no_silhouette_is_told(encode: Encode, kind: str, severity: Severity) -> None:
    [finding] = found(encode)
    assert kind in finding.kind and finding.severity is severity


@pytest.mark.parametrize(
    ("change", "kind", "severity"),
    [
        (lambda walk: walk // 255, "values 0 and 1 taken", Severity.error),
        (lambda walk: 255 - walk, "black on white", Severity.error),
        (lambda walk: 1 - walk // 255, "values 1 and 0 taken", Severity.error),
        (lambda walk: walk * 0, "without a silhouette", Severity.warning),
        (lambda walk: walk * 0 + 255, "white nearly everywhere", Severity.warning),
        (lambda walk: walk * 0 + 128, "mostly grey", Severity.warning),
        (
            lambda walk: walk // 255 * np.arange(1, 1 + len(walk), dtype=np.uint8)[:, None, None],
            "unclear which value",
            Severity.warning,
        ),
    ],
    ids=["0/1", "inverted", "inverted 0/1", "empty", "white", "gray", "labels"],
)
def test_a_pkl_tree_is_judged(
    change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], kind: str, severity: Severity
) -> None:
    walk = np.stack(WALK)
    [finding] = of_arrays([("a", walk), ("b", change(walk))])
    assert kind in finding.kind and finding.severity is severity
    assert (finding.count, finding.example) == (1, "b")
    if severity is Severity.error:
        assert "gait import-pkl" in finding.fix and "--convert" in finding.fix
