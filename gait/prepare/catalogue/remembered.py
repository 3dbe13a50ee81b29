"""Remembers what a scan has found, so that a raw tree is scanned once and not by every job."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from gait import limits
from gait.errors import DataError
from gait.files import atomic_path
from gait.formats.catalogue import parse_rows, rows_text
from gait.formats.seal import read_sealed_json, sealed_json
from gait.formats.source import parse_source
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import Sequences, scan
from gait.prepare.raw.tree_state import tree_state

# Raised when the same tree would be scanned otherwise than before.
_VERSION = 1

_AGAIN = "it is scanned again"


class _Remembered(BaseModel):
    """What `journal/scan.json` says; see `Sequences`."""

    model_config = ConfigDict(strict=True, extra="forbid")

    state: str
    layout: str
    rows: str
    ignored: dict[str, NonNegativeInt]
    frames: dict[str, NonNegativeInt]


def remembered_scan(raw: Path, form: RawForm, root: Path) -> Sequences:
    """Find the sequences below `raw` as `scan` does, or know them from an earlier scan.

    What was found is written to `<root>/journal/scan.json`, and holds for as long as no file of
    the tree changes (see `tree_state`) and the dataset says the same of its form. Removing that
    file makes the next run scan anew.

    Args:
        raw: the dataset's raw folder, only read.
        form: what the dataset says of it.
        root: the dataset's folder.

    Raises:
        DataError, ConfigError: as `scan`; nothing is remembered of a scan that fails.
    """
    if not raw.is_dir():
        return scan(raw, form, root)
    # Before the scan: what changes while it runs is not taken for scanned.
    state = _state(raw, form)
    file = root / "journal" / "scan.json"
    with suppress(DataError, ValidationError):
        known = _Remembered.model_validate(read_sealed_json(file, _AGAIN, limit=limits.FILE_BYTES))
        if known.state == state:
            return Sequences(
                known.layout,
                parse_rows(known.rows, file),
                known.ignored,
                {parse_source(each): number for each, number in known.frames.items()},
            )
    found = scan(raw, form, root)
    _remember(file, state, found)
    return found


def _remember(file: Path, state: str, found: Sequences) -> None:
    record: dict[str, Any] = {
        "state": state,
        "layout": found.layout,
        "rows": rows_text(found.rows),
        "ignored": found.ignored,
        "frames": {str(source): number for source, number in found.frames.items()},
    }
    # On a disk that cannot be written, the next run takes its time again.
    with suppress(DataError, UnicodeEncodeError), atomic_path(file) as temporary:
        temporary.write_text(sealed_json(record, indent=None), encoding="utf-8")


def _state(raw: Path, form: RawForm) -> str:
    """Changes when a file does, or anything else that the outcome of a scan depends on."""
    pkl = form.pkl if form.pkl is None or isinstance(form.pkl, str) else dict(form.pkl)
    bounds = [limits.ARCHIVE_FOLDERS.value, limits.EXPANSION.value, limits.HEADER_BYTES.value]
    parts = [_VERSION, tree_state(raw), [*form.layouts], dict(form.files), pkl, bounds]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
