"""Draws an experiment's figures as SVG files whose bytes depend on the numbers alone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gait.config.protocol import VALIDATION_METRICS
from gait.config.published import MEAN
from gait.errors import DataError
from gait.files import write_if_changed
from gait.formats.seal import read_line
from gait.limits import HEADER_BYTES
from gait.report.metrics import Classification, Metrics, Probe, Retrieval
from gait.report.tables import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Wong, Points of view: Color blindness, Nature Methods 2011; told apart by all readers.
_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#222222"]
_PANELS_ABREAST = 3
_CELL_INCHES = 0.42
_MARKED_POINTS = 50
_LONGEST_LABEL = 60

_LOSS, _LOSSES = "loss", "losses"

# Values by iteration, by the name of their curve.
_Points = dict[str, list[tuple[float, float]]]


def draw(metrics: Metrics, rows: list[Row], history: Path, folder: Path) -> None:
    """Draw what there is to draw and remove what an earlier run drew besides.

    `rank1.svg` shows rank-1 with its interval, `cmc.svg` the cumulative match characteristic,
    `<protocol>-views.svg` rank-1 by view, `<protocol>-confusion.svg` which categories are taken
    for which, and `training.svg` the losses of the run, where its history is there.

    Args:
        history: `history.jsonl` of the training run; need not exist.
        folder: where the figures go; made if needed, its SVG files belong to this function.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = set()
    with own_style():
        for name, figure in _figures(metrics, rows, history):
            path = folder / f"{name}.svg"
            write_if_changed(path, svg(figure))
            drawn.add(path.name)
    for stale in folder.glob("*.svg"):
        if stale.name not in drawn:
            stale.unlink()


@contextmanager
def own_style() -> Iterator[None]:
    """The style of all figures, in which they have to be made and saved."""
    # Costs most of a second, which only those who draw have to spend.
    from matplotlib import rc_context, rcdefaults, rcParams

    with rc_context():
        # A reader's own matplotlibrc must not change what is committed or compared.
        rcdefaults()
        rcParams.update({"svg.hashsalt": "gait", "font.size": 9.0, "axes.titlesize": 9.0})
        # Names are no formulas.
        rcParams["text.parse_math"] = False
        yield


def svg(figure: Figure) -> bytes:
    """A figure as SVG: the same numbers give the same bytes."""
    stream = io.BytesIO()
    # Neither date nor version.
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def _figures(metrics: Metrics, rows: list[Row], history: Path) -> Iterator[tuple[str, Figure]]:
    retrievals = {
        name: each for name, each in metrics.protocols.items() if isinstance(each, Retrieval)
    }
    if retrievals:
        yield "rank1", _bars(retrievals, rows)
        yield "cmc", _curves(retrievals)
    for name, protocol in metrics.protocols.items():
        if isinstance(protocol, Retrieval) and protocol.cells != "pooled":
            yield f"{name}-views", _views(name, protocol)
        elif isinstance(protocol, Classification):
            yield f"{name}-confusion", _confusion(name, protocol)
    drawn = _curves_of(history)
    if _LOSS in drawn:
        yield "training", _training(drawn, metrics)


def _bars(retrievals: dict[str, Retrieval], rows: list[Row]) -> Figure:
    figure, panels = _panels(len(retrievals), 3.4, 2.9)
    for panel, (name, protocol) in zip(panels, retrievals.items(), strict=True):
        summaries = {probe: each.summary for probe, each in protocol.probes.items()}
        summaries[MEAN] = protocol.mean
        for place, (probe, summary) in enumerate(summaries.items()):
            value = summary.rank_pct[1]
            if value is None:
                panel.text(place, 2, "none", ha="center", fontsize=8)
                continue
            panel.bar(place, value, 0.62, color=_COLOURS[0] if probe != MEAN else "#7a8a99")
            low, high = summary.rank1_ci_pct or (value, value)
            panel.plot([place] * 2, [low, high], color="#222222", linewidth=1.2)
            panel.plot([place] * 2, [low, high], "_", color="#222222", markersize=7)
            top = max(high, value) + 1.5
            panel.text(place, top, f"{value:.1f}", ha="center", fontsize=8)
        theirs = [row for row in rows if row.protocol == name and row.published_rank1_pct]
        if theirs:
            places = [list(summaries).index(row.probe) + 0.2 for row in theirs]
            values = [float(row.published_rank1_pct) for row in theirs]
            label = f"published by {theirs[0].published_by}"
            panel.plot(places, values, "D", color=_COLOURS[1], markersize=5, label=label)
            # Below the probes' names, where there is room for whose figure it is.
            panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), fontsize=8, frameon=False)
        panel.set_xticks(range(len(summaries)), [*map(_label, summaries)])
        panel.set_ylim(0, 110)
        panel.set_yticks(range(0, 101, 20))
        panel.set_ylabel("rank-1 in percent")
        panel.set_title(_label(name))
        _plain(panel)
    return figure


def _curves(retrievals: dict[str, Retrieval]) -> Figure:
    figure, panels = _panels(len(retrievals), 3.4, 2.9)
    for panel, (name, protocol) in zip(panels, retrievals.items(), strict=True):
        for number, (probe, each) in enumerate(protocol.probes.items()):
            ranks = range(1, len(each.cmc_pct) + 1)
            colour, dash = _COLOURS[number % len(_COLOURS)], "-:"[number // len(_COLOURS) % 2]
            panel.plot(ranks, each.cmc_pct, dash, color=colour, label=_label(probe), marker=".")
        panel.set_xlabel("rank")
        panel.set_ylabel("identified up to that rank, percent")
        panel.set_ylim(0, 103)
        panel.set_xticks([1, 5, 10, 15, 20])
        panel.set_title(_label(name))
        panel.legend(loc="lower right", fontsize=8)
        _plain(panel)
    return figure


def _views(name: str, protocol: Retrieval) -> Figure:
    """A heat map for each probe, or one row for each probe where all views are gallery."""
    if protocol.cells == "probe_view":
        views = sorted(
            {view for each in protocol.probes.values() for view in each.cells.probe_view}
        )
        values = np.full((len(protocol.probes), len(views)), np.nan)
        for line, each in enumerate(protocol.probes.values()):
            columns = [views.index(view) for view in each.cells.probe_view]
            values[line, columns] = _numbers(each.cells.rank1_pct)
        figure, panels = _panels(1, *_size(values))
        _heat(panels[0], values, list(protocol.probes), views, f"{name}: rank-1 in percent")
        panels[0].set_xlabel("probe view")
        return figure
    matrices = {probe: _matrix(each) for probe, each in protocol.probes.items()}
    widest = max((values for values, *_ in matrices.values()), key=lambda each: each.size)
    figure, panels = _panels(len(matrices), *_size(widest))
    for panel, (probe, (values, down, across)) in zip(panels, matrices.items(), strict=True):
        _heat(panel, values, down, across, f"{name}, {probe}: rank-1 in percent")
        panel.set_xlabel("gallery view")
        panel.set_ylabel("probe view")
    return figure


def _confusion(name: str, protocol: Classification) -> Figure:
    """Row-normalised confusion matrix, in percent."""
    counts = np.array(protocol.confusion, float)
    whole = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts * 100, whole, out=np.full_like(counts, np.nan), where=whole > 0)
    labels = list(protocol.categories)
    figure, panels = _panels(1, *_size(shares))
    _heat(panels[0], shares, labels, labels, f"{name}: told of each category, percent")
    panels[0].set_xlabel("told")
    panels[0].set_ylabel("is")
    return figure


def _matrix(probe: Probe) -> tuple[np.ndarray[Any, Any], list[str], list[str]]:
    """Rank-1 [probe views, gallery views], not a number where empty; and the views."""
    down = list(dict.fromkeys(probe.cells.probe_view))
    across = list(dict.fromkeys(probe.cells.gallery_view))
    values = _numbers(probe.cells.rank1_pct).reshape(len(down), len(across))
    return values, down, across


def _numbers(values: list[float | None]) -> np.ndarray[Any, Any]:
    return np.array([np.nan if value is None else value for value in values])


def _heat(
    panel: Axes, values: np.ndarray[Any, Any], down: list[str], across: list[str], title: str
) -> None:
    panel.set_title(_label(title))
    panel.set_facecolor("#eeeeee")
    panel.pcolormesh(values, cmap="viridis", vmin=0, vmax=100, edgecolors="white", linewidth=0.5)
    for (line, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            colour = "black" if value > 60 else "white"
            place = (column + 0.5, line + 0.5)
            text = "100" if value >= 99.95 else f"{value:.1f}"
            panel.annotate(text, place, color=colour, ha="center", va="center", fontsize=7.5)
    panel.set_xticks(np.arange(len(across)) + 0.5, [*map(_label, across)])
    panel.set_yticks(np.arange(len(down)) + 0.5, [*map(_label, down)])
    panel.tick_params(length=0)
    panel.invert_yaxis()
    panel.set_aspect("equal")


def _curves_of(history: Path) -> dict[str, _Points]:
    """Losses, and what was scored meanwhile, by what they are; empty without a history."""
    titles = {each.key: f"{each.title} in percent" for each in VALIDATION_METRICS.values()}
    drawn: dict[str, _Points] = {title: {} for title in (_LOSS, *titles.values())}
    if not history.is_file():
        return {}
    for number, entry in enumerate(_entries(history), 1):
        where = f"{history}:{number}"
        iteration = _number(entry.get("iteration"), f"{where}: iteration")
        measured = _values(entry, _LOSSES, where)
        if len(measured) > 1:
            total = _number(entry.get("loss"), f"{where}: loss")
            measured = measured | {"weighted sum": total}
        scored = {title: _values(entry, key, where) for key, title in titles.items()}
        for title, values in ({_LOSS: measured} | scored).items():
            for name, value in values.items():
                drawn[title].setdefault(name, []).append((iteration, value))
    return {title: curves for title, curves in drawn.items() if curves}


def _entries(history: Path) -> Iterator[dict[str, Any]]:
    try:
        with history.open("rb") as file:
            number = 0
            while line := file.readline(HEADER_BYTES.value):
                number += 1
                yield _entry(line, f"{history}:{number}")
    except OSError as error:
        raise DataError(f"{history}: cannot be read ({error.strerror}); remove it") from None


def _entry(line: bytes, where: str) -> dict[str, Any]:
    try:
        return read_line(line.decode("utf-8"))
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{where}: expected a line as gait train writes them ({reason}); remove that line, "
            "and the curve goes on without it"
        ) from None


def _values(entry: dict[str, Any], key: str, where: str) -> dict[str, float]:
    values = entry.get(key, {})
    if not isinstance(values, dict):
        raise DataError(f"{where}: expected numbers by name as {key}; remove that line")
    return {name: _number(value, f"{where}: {key}.{name}") for name, value in values.items()}


def _number(value: Any, where: str) -> float:
    # Training may come to a loss that is not finite; a number too large for any is none.
    if type(value) is float or (type(value) is int and abs(value) < 2**53):
        return float(value)
    raise DataError(f"{where}: expected a number, got {str(value)[:40]!r}; remove that line")


def _training(drawn: dict[str, _Points], metrics: Metrics) -> Figure:
    figure, panels = _panels(len(drawn), 5.4, 3.0)
    for panel, (label, curves) in zip(panels, drawn.items(), strict=True):
        for number, (name, points) in enumerate(curves.items()):
            iterations, values = zip(*points, strict=True)
            colour = _COLOURS[number % len(_COLOURS)]
            mark = "." if len(points) < _MARKED_POINTS else ""
            panel.plot(iterations, values, marker=mark, color=colour, label=_label(name))
        panel.set_xlabel("iteration")
        panel.set_ylabel(label)
        panel.set_ylim(bottom=0)
        panel.set_title(_label(f"training of {metrics.model}/{metrics.save_name}"))
        panel.legend(fontsize=8)
        _plain(panel)
    return figure


def _panels(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of equal panels, `width` x `height` inches each, and its panels."""
    from matplotlib.figure import Figure

    abreast = min(count, _PANELS_ABREAST)
    down = -(-count // abreast)
    figure = Figure(figsize=(abreast * width, down * height), layout="constrained")
    panels = figure.subplots(down, abreast, squeeze=False).ravel().tolist()
    for unused in panels[count:]:
        unused.remove()
    return figure, panels[:count]


def _size(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Width and height in inches of a heat map with its labels."""
    down, across = values.shape
    return max(3.0, across * _CELL_INCHES + 0.8), max(1.0, down * _CELL_INCHES) + 1.0


def _label(text: str) -> str:
    """A name as it is drawn; each letter of it costs time and a figure has little room."""
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 3]}..."


def _plain(panel: Axes) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
