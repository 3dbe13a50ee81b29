"""GREW as silhouettes: `train.zip` and `test.zip` as they come, or unpacked as far as wanted."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from gait.formats.catalogue import CatalogueRow
from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.types import SequenceKey

_FOLDER = re.compile(
    r"(?:.*/)?(?:train/(?P<train>\d{5})|test/gallery/(?P<gallery>\d{5})|test/probe)"
    r"/(?P<sequence>[A-Za-z0-9]+)",
    re.ASCII | re.DOTALL,
)
_ARCHIVE = re.compile(
    r"(?:.*/)?(?:(?:train|test)\.(?i:zip|tgz|tar\.gz|tar)"
    r"|(?:train|test/gallery|test/probe)/[A-Za-z0-9]+\.(?i:tgz|tar\.gz|tar))",
    re.ASCII | re.DOTALL,
)
# The condition of a gallery sequence until all of its subject's sequences are known.
_GALLERY = "gallery"


class GrewSilhouettes:
    """Folders `train/<subject>/<sequence>/`, `test/gallery/<subject>/<sequence>/` and
    `test/probe/<sequence>/`.

    Test subjects have the numbers of training subjects, so that these become `<number>train`,
    of the condition 00. The sequences of a gallery subject are the conditions 01, 02, ... in the
    order of their names; a sequence's name is its view. All probes are of the subject `probe` and
    the condition 03, as nobody knows who they are.
    """

    looked_for: ClassVar[str] = (
        "train.zip and test.zip with their password in password.txt, or what is in them: "
        "train/00001/<sequence>/, test/gallery/00001/<sequence>/ and test/probe/<sequence>/ of "
        "png images, or the tgz files of these"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per folder; archives are left to be listed."""
        return replace(scan_folders(raw, _key_of, _ARCHIVE), named=_numbered)


def _key_of(folder: str) -> SequenceKey | None:
    found = _FOLDER.fullmatch(folder)
    if found is None:
        return None
    if found["train"]:
        return SequenceKey(f"{found['train']}train", "00", found["sequence"])
    if found["gallery"]:
        return SequenceKey(found["gallery"], _GALLERY, found["sequence"])
    return SequenceKey("probe", "03", found["sequence"])


def _numbered(rows: list[CatalogueRow]) -> list[CatalogueRow]:
    """The rows with the conditions of gallery sequences."""
    views: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.key.condition == _GALLERY:
            views[row.key.subject].append(row.key.view)
    # A sequence that is there twice has the same number twice, and is refused as such.
    numbers = {
        (subject, view): f"{number:02d}"
        for subject, names in views.items()
        for number, view in enumerate(sorted(set(names)), 1)
    }
    return [
        replace(row, key=row.key._replace(condition=numbers[row.key.subject, row.key.view]))
        if row.key.condition == _GALLERY
        else row
        for row in rows
    ]
