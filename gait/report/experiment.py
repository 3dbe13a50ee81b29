"""One experiment's tables and figures."""

from __future__ import annotations

from pathlib import Path

from gait.config.resolved import Resolved
from gait.errors import DataError
from gait.report.figures import draw
from gait.report.metrics import read_metrics
from gait.report.tables import Row, ViewRow, report_rows, view_rows, write_table


def report(
    resolved: Resolved, metrics: Path, report_csv: Path, views_csv: Path, figures: Path
) -> None:
    """Write `report.csv`, `views.csv` and the folder of figures.

    The training curve is drawn when `history.jsonl` lies beside the metrics.

    Raises:
        DataError: the metrics cannot be read or are those of another experiment.
    """
    scores = read_metrics(metrics)
    if scores.identity != resolved.identity:
        raise DataError(
            f"{metrics}: holds the metrics of {scores.identity}, expected {resolved.identity}"
        )
    rows = report_rows(scores, resolved.dataset.published)
    draw(scores, rows, metrics.with_name("history.jsonl"), figures)
    write_table(views_csv, ViewRow, view_rows(scores))
    write_table(report_csv, Row, rows)
