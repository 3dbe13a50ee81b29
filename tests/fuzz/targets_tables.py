"""Readers of tables and journals of the preparation, and of the packed store."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from gait.data.store import PackedStore
from gait.formats.catalogue import CatalogueRow, Companion, RowKind, read_rows, rows_text
from gait.formats.manifest import ManifestRow, manifest_text, pkl_name, read_manifest
from gait.formats.pkl import digest_of
from gait.formats.source import File, parse_source
from gait.prepare.catalogue.archived_rows import count_damage
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.remembered import remembered_scan
from gait.prepare.catalogue.shards import deal
from gait.prepare.raw.archive_index import ArchiveIndex
from gait.prepare.raw.files import frames_among
from gait.prepare.raw.unused import Unused
from gait.prepare.sequences.cache import SequenceCache
from gait.report.quality import measure
from gait.synthgait.raw_state import POPULATION, altered_files
from gait.types import SequenceKey
from tests.fuzz import material
from tests.fuzz.seals import seal_json, seal_store, sealing
from tests.fuzz.target import Target
from tests.fuzz.trees import mutate_json, mutate_table

_ARCHIVE = "a.zip"
_ARCHIVE_NS = 1_700_000_000_000_000_000


def _key(text: str) -> SequenceKey:
    return SequenceKey(*text.split("/"))


def catalogue_rows() -> list[CatalogueRow]:
    """Sequences in folders and archives, some with files beside."""
    poses = Companion("pose_text", File("poses/001/*.txt"), "0" * 16)
    return [
        *(
            CatalogueRow(_key(key), RowKind.IMAGES, parse_source(key), "", "f" * 16)
            for key in material.KEYS
        ),
        CatalogueRow(
            _key("003/nm-01/000"),
            RowKind.IMAGES,
            parse_source("a.tar.gz::b.zip::c"),
            "",
            "f" * 16,
            "",
            (poses,),
        ),
        CatalogueRow(
            _key("003/nm-02/000"), RowKind.VIDEO, File("003.avi"), "bg.avi", "f" * 16, "p.npz"
        ),
    ]


def _catalogue(path: Path) -> None:
    deal(read_rows(path), 3)


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
    journal = SequenceCache(Path(), "pretreat", dict.fromkeys(keys, ""))
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
    """Takes what is remembered of an archive, as the catalogue does."""
    contents = ArchiveIndex(Path("raw"), Path(), ["*.png"]).of(_ARCHIVE)
    count_damage(_ARCHIVE, contents, Unused())
    sorted(contents.unfinished)
    for folder, files in contents.folders.items():
        frames_among(files, RowKind.IMAGES)
        for images, others in contents.matches.get(folder, {}).values():
            str(images + others)


def _listing_file() -> str:
    return f"journal/archives/{hashlib.sha256(_ARCHIVE.encode()).hexdigest()[:16]}.json"


_FORM = RawForm(["image_tree"])


def _lay_raw(folder: Path) -> None:
    frame = folder / "raw/001/nm-01/000/1.png"
    frame.parent.mkdir(parents=True)
    frame.write_bytes(b"none")
    os.utime(frame, ns=(_ARCHIVE_NS, _ARCHIVE_NS))


def _scan_text() -> bytes:
    """What is remembered of the scan of the tree that `_lay_raw` lays."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _lay_raw(folder)
        remembered_scan(folder / "raw", _FORM, folder)
        return (folder / "journal/scan.json").read_bytes()


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


TARGETS = [
    Target(
        "catalogue-csv",
        ("formats.catalogue",),
        lambda: [rows_text(catalogue_rows()).encode()],
        mutate_table,
        _catalogue,
        file="sequences.csv",
        share=2,
    ),
    Target(
        "manifest-csv",
        ("formats.manifest",),
        lambda: [manifest_text(manifest_rows()).encode()],
        mutate_table,
        read_manifest,
        file="1-of-1.pkl.csv",
        share=2,
    ),
    Target(
        "journal-csv",
        ("prepare.sequences.cache", "formats.manifest"),
        lambda: [journal_text()],
        mutate_table,
        _journal,
        file="journal/pretreat/001.csv",
        lay=_lay_journal,
    ),
    Target(
        "listing-json",
        ("prepare.raw.archive_index",),
        lambda: [json.dumps(_listing()).encode()],
        mutate_json,
        _listed,
        file=_listing_file(),
        lay=_lay_listing,
    ),
    Target(
        "scan-json",
        ("prepare.catalogue.remembered",),
        lambda: [_scan_text()],
        sealing(mutate_json, seal_json),
        lambda path: remembered_scan(Path("raw"), _FORM, Path()),
        file="journal/scan.json",
        lay=_lay_raw,
    ),
    Target(
        "population-csv",
        ("synthgait.raw_state",),
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
]
