"""Makes a dataset's quality report: what was kept and dropped, and how the silhouettes look."""

from __future__ import annotations

import base64
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

from gait.files import write_if_changed
from gait.formats.seal import write_sealed_table
from gait.formats.tables import sheet_text
from gait.report.figures import own_style, svg
from gait.report.quality import LEAST_FRAMES, Quality, QualityLine, measure, silhouettes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Sequences in each part of the contact sheet, frames of each, and the space between those.
_SEQUENCES, _FRAMES, _GAP_PX = 4, 10, 2
_BAR, _DIM = "#0072b2", "#dddddd"


@dataclass(frozen=True, slots=True)
class _Strip:
    """Some frames of a sequence, side by side, as base64 PNG."""

    key: str
    frames: int
    unsteadiness_pct: float
    faults: str
    data: str


@dataclass(frozen=True, slots=True)
class _Sheet:
    title: str
    strips: list[_Strip]


def write_quality(dataset: str, manifest: Path, packed: Path, table: Path, page: Path) -> Quality:
    """Write the tables of `gait.report.quality` as CSV, and a page with figures and silhouettes.

    Args:
        dataset: its name, for the title.
        manifest: what became of each sequence, `manifest.csv`.
        packed: the packed store that belongs to it.
        table: the CSV to write.
        page: the page to write; it needs nothing else.

    Raises:
        DataError: the manifest or the store cannot be used.
    """
    quality = measure(manifest, packed)
    columns = [field.name for field in fields(QualityLine)]
    write_sealed_table(table, sheet_text(columns, map(astuple, quality.lines)))
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    parts = {
        what: _of(quality, what)
        for what in ("kept", "dropped", "guessed", "left out", "view", "shape")
    }
    text = environment.get_template("quality.html.j2").render(
        dataset=dataset,
        modality=quality.modality,
        kept=parts["kept"][0],
        dropped=parts["dropped"],
        guessed=parts["guessed"],
        left_out=parts["left out"],
        views=parts["view"],
        shapes=parts["shape"],
        conditions=_of(quality, "condition"),
        usual=int(np.median(quality.lengths)),
        shortest=int(quality.lengths.min()),
        longest=int(quality.lengths.max()),
        min_frames=LEAST_FRAMES,
        figures=_figures(quality),
        sheets=_sheets(quality, silhouettes(packed)),
    )
    write_if_changed(page, text)
    return quality


def _of(quality: Quality, what: str) -> list[QualityLine]:
    return [line for line in quality.lines if line.what == what]


def _figures(quality: Quality) -> list[tuple[str, str]]:
    """Caption and base64 SVG of each figure."""
    from matplotlib.figure import Figure

    drawn = []
    with own_style():
        figure = Figure(figsize=(6.4, 2.6), layout="constrained")
        _lengths(figure.subplots(), _of(quality, "length"))
        drawn.append(("Sequences by their number of frames", svg(figure)))
        steadiness = quality.unsteadiness[np.isfinite(quality.unsteadiness)]
        if len(steadiness):
            figure = Figure(figsize=(6.4, 2.6), layout="constrained")
            _histogram(figure.subplots(), steadiness)
            drawn.append(("Sequences by how much the silhouette's area jumps", svg(figure)))
    return [(caption, _base64(data)) for caption, data in drawn]


def _lengths(panel: Axes, lines: list[QualityLine]) -> None:
    places = np.arange(len(lines))
    panel.bar(places, [line.sequences for line in lines], 0.9, color=_BAR)
    panel.set_xticks(places, [line.name for line in lines], rotation=60, ha="right", fontsize=8)
    panel.set_xlabel("frames")
    _plain(panel)


def _histogram(panel: Axes, unsteadiness: NDArray[np.float64]) -> None:
    # The few that jump more than all others stand in the last bar.
    counts, edges = np.histogram(np.minimum(unsteadiness, 0.2), bins=40, range=(0.0, 0.2))
    panel.bar(100 * edges[:-1], counts, 0.45, align="edge", color=_BAR)
    panel.set_xlabel("jumps of the area in percent of its mean; last bar: all above")
    _plain(panel)


def _plain(panel: Axes) -> None:
    panel.set_ylabel("sequences")
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", color=_DIM, linewidth=0.6)
    panel.set_axisbelow(True)


def _sheets(quality: Quality, frames: NDArray[np.uint8] | None) -> list[_Sheet]:
    """The contact sheet: the best sequences, those in the middle, and the worst."""
    ranked = quality.ranked()
    if frames is None or not len(ranked):
        return []
    number = min(_SEQUENCES, max(1, len(ranked) // 3))
    middle = (len(ranked) - number) // 2
    parts = {
        "Best: like a walker and steady": ranked[:number],
        "Median": ranked[middle : middle + number],
        "Worst: least like a walker, then the unsteadiest": ranked[::-1][:number],
    }
    return [
        _Sheet(title, [_strip(quality, frames, int(each)) for each in positions])
        for title, positions in parts.items()
    ]


def _strip(quality: Quality, frames: NDArray[np.uint8], position: int) -> _Strip:
    import cv2

    length = int(quality.lengths[position])
    chosen = np.linspace(0, length - 1, min(_FRAMES, length)).round().astype(np.int64)
    shown = frames[quality.starts[position] + chosen]
    padded = np.pad(shown, ((0, 0), (0, 0), (0, _GAP_PX)), constant_values=128)
    image = np.concatenate(list(padded), axis=1)
    png = cv2.imencode(".png", image)[1].tobytes()
    share = 100 * float(quality.unsteadiness[position])
    faults = "; ".join(quality.faults(position))
    return _Strip(quality.keys[position], length, share, faults, _base64(png))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
