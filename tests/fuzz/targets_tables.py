"""Readers of text: settings, partitions, tables, journals, metrics and histories."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gait.compat.opengait import import_config
from gait.config.load import load_dataset, load_experiment, read_resolved
from gait.config.yaml import write_yaml
from gait.data.store import PackedStore
from gait.engine.history import History, read_history
from gait.prepare.beside import patterns_of
from gait.prepare.journal import Journal
from gait.prepare.listing import Listings
from gait.prepare.manifest import ManifestRow, manifest_text, pkl_name, read_manifest
from gait.prepare.pkl import digest_of
from gait.prepare.raw_state import POPULATION, altered_files
from gait.prepare.rows import deal, read_rows, rows_text
from gait.report import combine, page, show, tabulate_matrix
from gait.report.matrix import read_matrix
from gait.report.metrics import Metrics, read_metrics
from gait.report.quality import measure
from gait.report.submission import write_submission
from gait.report.tables import report_rows, view_rows
from gait.types import CatalogueRow, SequenceKey
from tests.fuzz import material
from tests.fuzz.mutators import mutate_text
from tests.fuzz.seals import seal_json, seal_lines, seal_store, seal_yaml, sealing
from tests.fuzz.target import Target
from tests.fuzz.trees import mutate_json, mutate_lines, mutate_table, mutate_yaml
from tests.unit import scores
from tests.unit.test_compat import GAITSET

_CONFIG = Path(__file__).parents[2] / "config"
_TINY_STATE = [1, 2]
_ARCHIVE = "a.zip"
_ARCHIVE_NS = 1_700_000_000_000_000_000


def _experiment_text() -> bytes:
    return write_yaml(_resolved().experiment.model_dump(mode="json")).encode()


def _resolved() -> Any:
    from tests.engine_fixtures import resolved

    return resolved("GaitSet")


def _lay_experiment(folder: Path) -> None:
    material.lay_dataset(folder)
    for name in ("defaults.yaml", "models/GaitSet.yaml"):
        target = folder / "config" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((_CONFIG / name).read_bytes())
    place = folder / "config/experiments/Toy/GaitSet"
    place.mkdir(parents=True)
    (place / "x.yaml").write_text("iterations: 10\n")


def _experiment(path: Path) -> None:
    resolved, _ = load_experiment(Path(), "Toy", "GaitSet", "x")
    write_yaml(resolved.model_dump(mode="json"))


def _partitioned(name: str) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        return load_dataset(Path(), "Toy", name)

    return read


def _key(text: str) -> SequenceKey:
    return SequenceKey(*text.split("/"))


def catalogue_rows() -> list[CatalogueRow]:
    """Sequences in folders and archives, some with files beside."""
    beside = json.dumps({"pose_text": ["poses/001/*.txt", "0" * 16]})
    return [
        *(CatalogueRow(_key(key), "images", key, "", "f" * 16) for key in material.KEYS),
        CatalogueRow(
            _key("003/nm-01/000"), "images", "a.tar.gz::b.zip::c", "", "f" * 16, "", beside
        ),
        CatalogueRow(_key("003/nm-02/000"), "video", "003.avi", "bg.avi", "f" * 16, "p.npz"),
    ]


def _catalogue(path: Path) -> None:
    rows = read_rows(path)
    deal(rows, 3)
    for row in rows:
        patterns_of(row)


def manifest_rows() -> list[ManifestRow]:
    """What a pretreatment of `KEYS` made."""
    frames = material.silhouettes()
    poses = np.asarray(material.arrays_of("pose"))
    rows = []
    for text in material.KEYS:
        key = _key(text)
        for modality, each in (("silhouettes", frames), ("pose", poses)):
            name = pkl_name(key, modality)
            dropped = {"too few pixels": 2, "unreadable": 1}
            rows.append(
                ManifestRow(
                    key, name, 6, 3, dropped, "f" * 16, digest_of(each), modality, {"guess": 1}
                )
            )
    return rows


def journal_text() -> bytes:
    """What a journal of `manifest_rows` says."""
    head, *lines = manifest_text(manifest_rows()).splitlines()
    state = "1000 bytes 1700000000000000000 ns"
    return "\n".join(
        [f"{head},state,pkl_state", *(f"{each},s,{state}" for each in lines), ""]
    ).encode()


def _lay_journal(folder: Path) -> None:
    material.lay_pickles(folder)
    (folder / "precious").write_text("precious")


def _journal(path: Path) -> None:
    """A subject has one sequence more and one less than its journal knows."""
    keys = [_key("001/nm-01/000"), _key("001/nm-09/000")]
    journal = Journal(Path(), "pretreat", dict.fromkeys(keys, ""))
    for key in keys:
        journal.unchanged(key, "s")
        journal.make_room(key, ["silhouettes"])
    journal.close()
    assert Path("precious").is_file(), "the journal removed a file that is none of its own"


def _listing() -> dict[str, Any]:
    return {
        "state": [3, _ARCHIVE, 4, _ARCHIVE_NS],
        "patterns": ["*.png"],
        "folders": {"001/nm-01/000": {".png": 3}},
        "matches": {"001/nm-01/000": {"*.png": [3, 0]}},
        "problems": {"": "it is cut short"},
        "unfinished": ["001/nm-01/000"],
        "ignored": {"system file": 1},
    }


def _lay_listing(folder: Path) -> None:
    (folder / "raw").mkdir()
    (folder / "raw" / _ARCHIVE).write_bytes(b"none")
    os.utime(folder / "raw" / _ARCHIVE, ns=(_ARCHIVE_NS, _ARCHIVE_NS))


def _listed(path: Path) -> None:
    contents = Listings(Path("raw"), Path(), ["*.png"]).of(_ARCHIVE)
    for files in contents.folders.values():
        files.total()
    contents.ignored.total()
    for matches in contents.matches.values():
        for images, others in matches.values():
            assert images + others >= 0 or images + others < 0
    [f"{inside}{problem}" for inside, problem in contents.problems.items()]


def _listing_file() -> str:
    import hashlib

    return f"journal/archives/{hashlib.sha256(_ARCHIVE.encode()).hexdigest()[:16]}.json"


def _lay_population(folder: Path) -> None:
    (folder / "001-nm-01-000.avi").write_bytes(b"1234")


def index_text() -> bytes:
    """The index of a packed store of `KEYS`."""
    lines = ["subject,condition,view,start,frames,sha256"]
    for number, key in enumerate(material.KEYS):
        lines.append(f"{key.replace('/', ',')},{number * 3},3,{'0' * 64}")
    return ("\n".join(lines) + "\n").encode()


def lay_store(folder: Path) -> None:
    """A packed store of `KEYS` with silhouettes and clouds, and its manifest."""
    packed = folder / "packed"
    packed.mkdir(exist_ok=True)
    frames = np.concatenate([material.silhouettes()] * len(material.KEYS))
    np.save(packed / "frames.npy", frames)
    counts = np.arange(len(frames)) % 4 + 1
    np.save(packed / "points.npy", np.ones((counts.sum(), 3), np.float32))
    np.save(packed / "points.offsets.npy", np.concatenate([[0], counts]).cumsum())
    (packed / "index.csv").write_bytes(index_text())
    seal_store(packed / "frames.npy")
    (folder / "manifest.csv").write_text(manifest_text(manifest_rows()))


def read_store(path: Path) -> None:
    """Opens a store as training does, and reads every frame."""
    store = PackedStore(Path("packed"))
    for modality in store.modalities:
        store.blank(modality)
        for index in range(len(store)):
            frames = store.read(index, slice(None), modality)
            store.read(index, np.arange(len(frames)), modality)
            if not isinstance(frames, np.ndarray):
                frames.gathered()
    store.indices_of(["001"])


def _quality(path: Path) -> None:
    measure(Path("manifest.csv"), Path("packed")).ranked()


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
    path = Path(os.devnull)
    del path
    import csv
    import io
    from dataclasses import asdict, fields

    from gait.report.tables import Row

    rows = report_rows(Metrics.model_validate(scores.metrics()), [])
    out = io.StringIO()
    writer = csv.DictWriter(out, [each.name for each in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(asdict, rows))
    return out.getvalue().encode()


def _report(path: Path) -> None:
    show(path)
    combine([path], Path("all.csv"), [])
    page([path], Path("page.html"))


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
    page([], Path("page.html"), path)


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
    from gait.report.figures import draw

    metrics = Metrics.model_validate(scores.metrics(protocols={}))
    draw(metrics, [], path, Path("figures"))


def _yaml_of(content: Any) -> Callable[[], list[bytes]]:
    return lambda: [write_yaml(content).encode()]


_SETTINGS = [
    Target(
        "dataset-yaml",
        ("config.yaml", "config.load"),
        lambda: [material.DATASET.encode()],
        mutate_yaml,
        lambda path: load_dataset(Path(), "Toy"),
        file="datasets/Toy/dataset.yaml",
        share=3,
    ),
    Target(
        "partition-yaml",
        ("config.yaml", "config.partition"),
        lambda: [b"train: ['001-003']\ntest: ['004', '005-009']\n"],
        mutate_yaml,
        _partitioned("odd"),
        file="datasets/Toy/partition-odd.yaml",
        lay=material.lay_dataset,
    ),
    Target(
        "partition-json",
        ("config.partition",),
        lambda: [
            b'{"TRAIN_SET": ["001"], "TEST_SET": ["002"]}',
            b'{"TRAIN_SET": ["001"], "TEST_SET": ["002", "003"], "PROBE_SET": '
            b'["002-nm-01-000"], "GALLERY_SET": ["003-nm-01-000"]}',
        ],
        mutate_json,
        _partitioned("p.json"),
        file="datasets/Toy/p.json",
        lay=material.lay_dataset,
        share=2,
    ),
    Target(
        "experiment-yaml",
        ("config.yaml", "config.load"),
        lambda: [
            _experiment_text(),
            (_CONFIG / "experiments/CASIA-B/GaitSet/paper.yaml").read_bytes(),
        ],
        mutate_yaml,
        _experiment,
        file="config/experiments/Toy/GaitSet/x.yaml",
        lay=_lay_experiment,
        share=0.5,
    ),
    Target(
        "model-yaml",
        ("config.yaml", "config.load"),
        lambda: [(_CONFIG / "models/GaitSet.yaml").read_bytes()],
        mutate_yaml,
        _experiment,
        file="config/models/GaitSet.yaml",
        lay=_lay_experiment,
        share=0.5,
    ),
    Target(
        "config-yaml",
        ("config.yaml", "config.load"),
        lambda: [write_yaml(_resolved().model_dump(mode="json")).encode()],
        sealing(mutate_yaml, seal_yaml),
        read_resolved,
        file="config.yaml",
    ),
    Target(
        "opengait-yaml",
        ("config.yaml", "compat.opengait"),
        _yaml_of(GAITSET),
        mutate_yaml,
        import_config,
        file="gaitset.yaml",
    ),
]

_TABLES = [
    Target(
        "catalogue-csv",
        ("prepare.rows", "prepare.beside"),
        lambda: [rows_text(catalogue_rows()).encode()],
        mutate_table,
        _catalogue,
        file="sequences.csv",
        share=2,
    ),
    Target(
        "manifest-csv",
        ("prepare.manifest",),
        lambda: [manifest_text(manifest_rows()).encode()],
        mutate_table,
        read_manifest,
        file="1-of-1.pkl.csv",
        share=2,
    ),
    Target(
        "journal-csv",
        ("prepare.journal", "prepare.manifest"),
        lambda: [journal_text()],
        mutate_table,
        _journal,
        file="journal/pretreat/001.csv",
        lay=_lay_journal,
    ),
    Target(
        "listing-json",
        ("prepare.listing",),
        lambda: [json.dumps(_listing()).encode()],
        mutate_json,
        _listed,
        file=_listing_file(),
        lay=_lay_listing,
    ),
    Target(
        "population-csv",
        ("prepare.raw_state",),
        lambda: [b"file,size_bytes\n001-nm-01-000.avi,4\n"],
        mutate_table,
        lambda path: altered_files(Path()),
        file=POPULATION,
        lay=_lay_population,
    ),
    Target(
        "index-csv",
        ("data.store",),
        lambda: [index_text()],
        mutate_table,
        read_store,
        file="packed/index.csv",
        lay=lay_store,
    ),
    Target(
        "quality-index-csv",
        ("report.quality",),
        lambda: [index_text()],
        mutate_table,
        _quality,
        file="packed/index.csv",
        lay=lay_store,
    ),
    Target(
        "quality-manifest-csv",
        ("report.quality",),
        lambda: [manifest_text(manifest_rows()).encode()],
        mutate_table,
        _quality,
        file="manifest.csv",
        lay=lay_store,
    ),
    Target(
        "metrics-json",
        ("seal", "report.metrics", "report.submission"),
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
        ("tables", "report.tables", "report.page"),
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
        "page-figure",
        ("report.page",),
        lambda: [b"<svg>one</svg>"],
        mutate_text,
        lambda path: page([Path("report.csv")], Path("page.html")),
        file="figures/rank1.svg",
        lay=lambda folder: (folder / "report.csv").write_bytes(_report_text()) and None,
        share=0.1,
    ),
]

TARGETS = [*_SETTINGS, *_TABLES]
