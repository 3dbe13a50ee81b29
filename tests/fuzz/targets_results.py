"""Readers of results: metrics, reports, the matrix, histories and figures."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from gait.engine.history import History, read_history
from gait.report import html_report, merge_tables, show, tabulate_matrix
from gait.report.damage import damaged_results
from gait.report.figures import draw
from gait.report.matrix import read_matrix
from gait.report.metrics import Metrics, read_metrics
from gait.report.submission import write_submission
from gait.report.tables import Row, report_rows, view_rows
from tests.fuzz.mutators import mutate_text
from tests.fuzz.seals import seal_json, seal_lines, sealing
from tests.fuzz.target import NOTED, Target
from tests.fuzz.trees import mutate_json, mutate_lines, mutate_table
from tests.unit import scores


def _metrics() -> bytes:
    return json.dumps(scores.metrics()).encode()


def _other_metrics() -> bytes:
    verified = {
        "kind": "verification",
        "title": "pairs",
        "probes": {"NM": {"summary": _pairs(), "note": ""}},
        "mean": _pairs(),
    }
    lines = {"kind": "submission", "title": "s", "lines": ["a,b", "c,d"], "n_probe": 2}
    told = {
        "kind": "segmentation",
        "title": "m",
        "miou_pct": 90.5,
        "n_sequences": 2,
        "n_frames": 9,
    }
    protocols = {"v": verified, "s": {**lines, "n_gallery": 2, "note": ""}, "m": told}
    return json.dumps(scores.metrics(protocols=protocols)).encode()


def _pairs() -> dict[str, Any]:
    rates = {"1e-2": 90.0, "1e-3": 80.0, "1e-4": None}
    counts = {"n_probe": 2, "n_gallery": 2, "n_genuine": 2, "n_impostor": 2}
    return {"eer_pct": 5.5, "tar_pct": rates, **counts}


def _scored(path: Path) -> None:
    metrics = read_metrics(path)
    report_rows(metrics, [])
    view_rows(metrics)
    tabulate_matrix([path], Path("m.csv"), [])
    for name in metrics.protocols:
        if metrics.protocols[name].kind == "submission":
            write_submission(path, name, Path("out.csv"))


def _report_text() -> bytes:
    rows = report_rows(Metrics.model_validate(scores.metrics()), [])
    out = io.StringIO()
    writer = csv.DictWriter(out, [each.name for each in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(asdict, rows))
    return out.getvalue().encode()


def _report(path: Path) -> None:
    show(path)
    merge_tables([path], Path("all.csv"), [])
    html_report([path], Path("page.html"))


def _matrix_text() -> bytes:
    columns = ["Toy/single:rank1_pct", "Toy/single:sd_pct", "Toy/single:seeds"]
    return "\n".join(
        [
            ",".join(["model", "save_name", "trained_on", *columns, "note"]),
            "GaitSet,a,Toy,95.83,0.10,3,",
            "GaitSet,b,Toy,,,,no data",
            "",
        ]
    ).encode()


def _matrix(path: Path) -> None:
    read_matrix(path)
    show(path)
    html_report([], Path("page.html"), path)


def _history_text() -> bytes:
    lines: list[dict[str, Any]] = [
        {"iteration": 0, "run": {"fingerprint": "f", "version": "0.1.0"}},
        *({"iteration": n, "loss": 0.5, "losses": {"triplet": 0.5}, "lr": 0.1} for n in (1, 2, 3)),
        {"iteration": 3, "rank1_pct": {"single": 90.0}},
    ]
    return seal_lines("".join(json.dumps(each) + "\n" for each in lines).encode())


def _history(path: Path) -> None:
    for entry in read_history(path):
        assert entry["iteration"] is not None
    History(Path(), 2, "f", {}).close()


def _curves(path: Path) -> None:
    metrics = Metrics.model_validate(scores.metrics(protocols={}))
    draw(metrics, [], path, Path("figures"))


TARGETS = [
    Target(
        "metrics-json",
        ("formats.seal", "report.metrics", "report.submission"),
        lambda: [
            each for text in (_metrics(), _other_metrics()) for each in (text, seal_json(text))
        ],
        sealing(mutate_json, seal_json),
        _scored,
        file="metrics.json",
        share=1.5,
    ),
    Target(
        "report-csv",
        ("formats.tables", "report.tables", "report.page"),
        lambda: [_report_text()],
        mutate_table,
        _report,
        file="report.csv",
        share=0.5,
    ),
    Target(
        "matrix-csv",
        ("report.matrix",),
        lambda: [_matrix_text()],
        mutate_table,
        _matrix,
        file="matrix.csv",
        share=0.5,
    ),
    Target(
        "history-jsonl",
        ("engine.history",),
        lambda: [_history_text()],
        sealing(mutate_lines, seal_lines),
        _history,
        file="history.jsonl",
    ),
    Target(
        "curves-jsonl",
        ("report.figures",),
        lambda: [_history_text()],
        sealing(mutate_lines, seal_lines),
        _curves,
        file="history.jsonl",
        share=0.1,
    ),
    Target(
        "checked-results",
        ("report.damage",),
        lambda: [_history_text()],
        sealing(mutate_lines, seal_lines),
        lambda path: NOTED if damaged_results(path.parent.parent, "Toy") else None,
        file="results/Toy/history.jsonl",
        share=0.1,
    ),
    Target(
        "page-figure",
        ("report.page",),
        lambda: [b"<svg>one</svg>"],
        mutate_text,
        lambda path: html_report([Path("report.csv")], Path("page.html")),
        file="figures/rank1.svg",
        lay=lambda folder: (folder / "report.csv").write_bytes(_report_text()) and None,
        share=0.1,
    ),
]
