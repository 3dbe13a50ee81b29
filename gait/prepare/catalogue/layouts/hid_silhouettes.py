"""HID, the competition, as silhouettes: training set, gallery and probes as they come."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from gait.prepare.catalogue.layout import ArchiveFile, Scan
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.types import SequenceKey

# Whose the probes are is not given out: their folders lie in one that is named for them.
_PROBE = re.compile(
    r"(?P<above>(?:.*/)?[^/]*probe[^/]*)/(?P<sequence>[A-Za-z0-9][A-Za-z0-9_-]*)", re.DOTALL
)
# Of a competition that gave them out in two phases, each of which is scored by itself.
_PHASE = re.compile(r".*phase[_-]?(\d+)", re.ASCII | re.DOTALL)
_KNOWN = re.compile(
    r"(?:.*/)?(?P<subject>\d{4,5})/(?P<sequence>[A-Za-z0-9][A-Za-z0-9_-]*)", re.ASCII | re.DOTALL
)
_ARCHIVE = re.compile(
    r"(?:.*/)?(?:train|(?:HID\d{4}_test_)?(?:gallery|probe)(?:_phase\d)?)"
    r"\.(?i:zip|tar|tar\.gz|tgz)",
    re.ASCII | re.DOTALL,
)


class HidSilhouettes:
    """Folders `<subject>/<sequence>/` of the training set and the gallery, and
    `<...probe...>/<sequence>/`, whatever is above them.

    A sequence is the condition, and `default` its view. Probes are of the subject `probe`, or of
    `probe_phase1` where the last folder above them that tells a phase tells this one.
    """

    looked_for: ClassVar[str] = (
        "train.tar, HID2022_test_gallery.zip and HID2022_test_probe.zip, gallery.tar.gz and "
        "probe_phase1.tar.gz, or folders of png images: <subject>/<sequence>/ and "
        "probe/<sequence>/"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per folder; archives are left to be listed."""
        found = scan_folders(raw, _key_of, _ARCHIVE)
        return replace(found, archives=[_by_its_name(archive) for archive in found.archives])


def _by_its_name(archive: ArchiveFile) -> ArchiveFile:
    """The archive with folders as if they lay in one of its name, which tells probes."""
    above, _, name = archive.path.rpartition("/")
    stem = name.partition(".")[0]

    def key_of(folder: str) -> SequenceKey | None:
        inside = folder.removeprefix(f"{above}/")
        return _key_of(f"{stem}/{inside}")

    return replace(archive, key_of=key_of)


def _key_of(folder: str) -> SequenceKey | None:
    if found := _PROBE.fullmatch(folder):
        if "probe" in found["sequence"]:
            return None
        phase = _PHASE.match(found["above"])
        subject = f"probe_phase{int(phase[1])}" if phase else "probe"
        return SequenceKey(subject, found["sequence"], "default")
    if "probe" not in folder and (found := _KNOWN.fullmatch(folder)):
        return SequenceKey(found["subject"], found["sequence"], "default")
    return None
