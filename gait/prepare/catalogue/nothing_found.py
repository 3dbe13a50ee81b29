"""What to say where a raw tree holds no sequence that a dataset's layouts find."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from gait import registry
from gait.errors import GaitError
from gait.prepare.catalogue.archived_rows import completed
from gait.prepare.catalogue.hints import guess
from gait.prepare.catalogue.layout import Layout
from gait.prepare.raw.archive_index import ArchiveIndex
from gait.prepare.raw.files import walk

WITHOUT_DATA = "snakemake --cores all results/SynthGait/GaitSet/report.csv"


def wanted(known: Mapping[str, Layout], obtain: str) -> str:
    """Say what is expected instead, and how it can be had."""
    expected = ", or ".join(f"{layout.looked_for} ({name})" for name, layout in known.items())
    return f"expected there {expected}{_how(obtain)}"


def only_pkl(raw: Path, obtain: str) -> str:
    """Say what a dataset whose raw files no layout reads has to be given as."""
    got = "" if raw.exists() else ", nor is it there"
    return (
        f"{raw}: no layout reads the raw files of this dataset{got}; expected a pkl tree, "
        f"{raw.with_name('pkl')}/<subject>/<condition>/<view>/*.pkl, without a folder "
        f"{raw.name} beside it{_how(obtain)}"
    )


def message(
    raw: Path,
    known: Mapping[str, Layout],
    unused: Mapping[str, Mapping[str, int]],
    obtain: str,
    index: ArchiveIndex,
) -> str:
    """Say what the folder holds instead of sequences, and what to change.

    Args:
        raw: the dataset's raw folder.
        known: the layouts that were tried.
        unused: what each of them could not use, by reason.
        obtain: how the data can be had.
        index: what archives hold.
    """
    files = [folder.path_of(file.name) for folder in walk(raw) for file in folder.files]
    examples = ", ".join(map(repr, files[:3]))
    got = f"only {len(files)} files such as {examples}" if files else "no file either"
    reasons = {
        reason: number
        for counts in unused.values()
        for reason, number in counts.items()
        if not reason.startswith("other ")
    }
    if reasons:
        first = [f"{reason}: {number}" for reason, number in sorted(reasons.items())[:5]]
        got += f" (not used: {'; '.join(first)})"
    if likely := guess(files):
        got += f", which look like {likely}"
    if fitting := _fitting(raw, known, index):
        got += f", which would fit {fitting} under 'layouts' in the dataset.yaml"
    tree = raw.with_name("pkl")
    is_tree_meant = not files and tree.is_dir()
    instead = f"remove that folder to have {tree} taken over, or " if is_tree_meant else ""
    return f"{raw}: holds no sequence, {got}; {instead}{wanted(known, obtain)}"


def _how(obtain: str) -> str:
    how = f"; how to obtain it: {' '.join(obtain.split()).rstrip('.')}" if obtain else ""
    return f"{how}; meanwhile `{WITHOUT_DATA}` works without it"


def _fitting(raw: Path, known: Mapping[str, Layout], index: ArchiveIndex) -> str:
    """Layouts that the dataset does not list and that would find sequences."""
    fitting = []
    for name in sorted(set(registry.names("layout")) - set(known)):
        # The message is not about the errors of layouts that the dataset does not list.
        with suppress(GaitError):
            layout: Layout = registry.build("layout", {"name": name})
            if completed(layout.scan(raw), index).rows:
                fitting.append(name)
    return " or ".join(fitting)
