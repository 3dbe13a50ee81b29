"""The check itself: the raw material or the pkl tree, whichever the dataset is made from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gait.config.dataset import Dataset
from gait.errors import DataError
from gait.formats.catalogue import CatalogueRow, RowKind
from gait.modalities import COMPANIONS
from gait.prepare.catalogue.available import modalities_of_raw
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.remembered import remembered_scan
from gait.prepare.catalogue.scan import Sequences
from gait.prepare.check import pkl_tree, poses, protocols, raw
from gait.prepare.check.findings import Finding, Report, Severity, ordered_findings, such_as
from gait.prepare.check.keys import compare_keys
from gait.prepare.raw.archives.part import READ
from gait.prepare.raw.unread import unread_format
from gait.types import SequenceKey

# How a layout counts archives that it does not open.
_UNOPENED = frozenset(f"other {suffix} file" for suffix in (*READ, ".gz"))
# How reasons begin by which a layout counts what lies beside the data by habit.
_JUNK = ("other ", "system file")


def check(root: Path, definition: Dataset) -> Report:
    """Compare a dataset's raw folder, or its pkl tree where that is all, with the whole.

    Names, sizes and first bytes are looked at, and the pictures of a few sequences: enough to
    know before any long job whether it is worth it.

    Args:
        root: the dataset's folder, with `raw` or `pkl` in it.
        definition: the dataset as it should be.
    """
    folder = root / "raw"
    is_tree = (root / "pkl").exists() and not folder.exists() and definition.population is None
    try:
        return _tree(root / "pkl", definition) if is_tree else _raw(folder, definition)
    except DataError as error:
        what, _, fix = str(error).partition("; ")
        if definition.population is not None and not folder.exists():
            fix = "the workflow renders it by itself, as does `gait synthesize`"
        finding = Finding(Severity.error, "not usable", 0, what, fix)
        return Report(f"{definition.name}: {root}", [finding])


def _raw(folder: Path, definition: Dataset) -> Report:
    sequences = remembered_scan(folder, RawForm.of(definition), folder.parent)
    keys = [row.key for row in sequences.rows]
    missing = list(compare_keys(keys, definition))
    findings = [
        *missing,
        *protocols.compare_protocols(keys, definition),
        *raw.check_raw(folder, sequences.rows, sequences.frames, definition.pretreat),
        *poses.check_poses(folder, sequences.rows, definition.pretreat),
        *_absent(sequences.rows, definition),
        *_unused(sequences, bool(missing)),
    ]
    return Report(_title(folder, sequences.layout, keys, definition), ordered_findings(findings))


def _tree(folder: Path, definition: Dataset) -> Report:
    tree = pkl_tree.list_tree(folder, definition.pkl)
    keys = list(tree.files)
    if not keys:
        elsewhere = next(folder.rglob("*.pkl"), None)
        found = f"found {elsewhere.relative_to(folder)}" if elsewhere else "found no pkl there"
        raise DataError(
            f"{folder}: expected <subject>/<condition>/<view>/<view>.pkl, {found}; "
            "look whether its folders are one level too deep or too high"
        )
    findings = [
        *compare_keys(keys, definition),
        *protocols.compare_protocols(keys, definition),
        *pkl_tree.check_pkl_tree(tree, definition),
    ]
    return Report(_title(folder, "pkl tree", keys, definition), ordered_findings(findings))


def _title(folder: Path, form: str, keys: list[SequenceKey], definition: Dataset) -> str:
    subjects = len({key.subject for key in keys})
    views = len({key.view for key in keys})
    whole = definition.whole.sequences
    of = f" of {whole:,}" if whole is not None else ""
    return (
        f"{definition.name}: {folder} ({form}): {len(keys):,}{of} sequences, "
        f"{subjects:,} subjects, {views:,} views"
    )


def _absent(rows: list[CatalogueRow], definition: Dataset) -> Iterator[Finding]:
    """What 'files' names and no sequence has, which may lie in another folder."""
    found = {each.kind for row in rows for each in row.companions}
    kind = rows[0].kind
    if kind is RowKind.VIDEO or (kind is RowKind.PKL and not found & definition.files.keys()):
        # There, nothing is looked for in these places.
        return
    made = modalities_of_raw(rows)
    places: dict[str, list[str]] = {}
    for companion, pattern in definition.files.items():
        for modality in COMPANIONS[companion]:
            if modality not in made:
                places.setdefault(modality, []).append(pattern)
    if places:
        yield Finding(
            Severity.note,
            "modalities that the dataset has and this folder has not",
            len(places),
            such_as(f"{each} in {' or '.join(where)}" for each, where in places.items()),
            "models that read them cannot run; if they should, put the files exactly there",
        )


def _unused(sequences: Sequences, is_incomplete: bool) -> Iterator[Finding]:
    """What is not used, and what to do about it where sequences are missing or not expected."""
    for reason, number in sequences.ignored.items():
        if unread := unread_format(reason.removeprefix("other ").removesuffix(" file")):
            what, remedy = unread
            fix = f"they look like {what} of a format that is not read: {remedy}"
            if is_incomplete:
                fix += "; what is missing is likely in them"
            severity = Severity.warning if is_incomplete else Severity.note
            yield Finding(severity, f"not used: {reason}", number, "", fix)
        elif reason in _UNOPENED:
            fix = "such archives are not opened here; unpack them if they hold what is missing"
            severity = Severity.warning if is_incomplete else Severity.note
            yield Finding(severity, f"not used: {reason}", number, "", fix)
        elif reason.startswith("archive ") and "damaged" in reason:
            fix = "copy that archive again; what follows the damage is lost"
            yield Finding(Severity.warning, reason, number, "", fix)
        elif "name" in reason:
            fix = "rename them; as they are, they are not used"
            yield Finding(Severity.warning, f"not used: {reason}", number, "", fix)
        elif reason.startswith(_JUNK):
            fix = "they are not used; nothing has to be done"
            yield Finding(Severity.note, f"not used: {reason}", number, "", fix)
        else:
            fix = "look at them, they are not used"
            yield Finding(Severity.warning, f"not used: {reason}", number, "", fix)
