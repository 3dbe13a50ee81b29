"""Rearranges a raw tree into a table of sequences; no file is moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gait import registry
from gait.errors import DataError, GaitError
from gait.prepare.catalogue.archived_companions import Inside
from gait.prepare.catalogue.companions import with_files_beside
from gait.prepare.catalogue.hints import guess
from gait.prepare.catalogue.materialise import materialise
from gait.prepare.catalogue.pkl_names import Pkl, any_name, places_of_arrays
from gait.prepare.catalogue.rows import deal, read_rows, rows_digest, rows_text
from gait.prepare.raw.archive_index import Listings, completed
from gait.prepare.raw.tree import WITHOUT_SILHOUETTES, ArchiveFile, Layout, Scan, walk
from gait.seal import write_sealed_table
from gait.types import CatalogueRow, SequenceKey

__all__ = [
    "Sequences",
    "deal",
    "gather",
    "materialise",
    "read_rows",
    "rearrange",
    "rows_digest",
    "rows_text",
    "scan",
]

WITHOUT_DATA = "snakemake --cores all results/SynthGait/GaitSet/report.csv"


@dataclass(frozen=True, slots=True)
class Sequences:
    """A raw tree as its layout sees it.

    Attributes:
        layout: the layout's name.
        rows: the sequences, sorted by key, each once.
        ignored: how many files, folders and archive members were not used, by reason.
        frames: number of frames by a row's source, of archives that were listed.
    """

    layout: str
    rows: list[CatalogueRow]
    ignored: dict[str, int]
    frames: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        subjects = len({row.key.subject for row in self.rows})
        lines = [f"{len(self.rows)} sequences of {subjects} subjects ({self.layout})"]
        lines += [f"not used: {reason}: {number}" for reason, number in self.ignored.items()]
        return "\n".join(lines)


def rearrange(
    raw: Path,
    layouts: list[str],
    shard: Path,
    number: int,
    of: int,
    obtain: str = "",
    beside: Mapping[str, str] | None = None,
    pkl: Pkl | None = None,
) -> Sequences:
    """Finds the sequences below `raw` and writes those of one shard, sorted by key.

    Shards are written one by one, as a changed raw tree concerns few of them.

    Args:
        raw: the dataset's raw folder, only read.
        layouts: names of the layouts that the dataset may have.
        shard: the table to write; it is written, too, when it is without rows.
        number: the shard's number, from 1.
        of: how many shards there are.
        obtain: how the data can be had, for messages.
        beside: patterns of files of further modalities, as in a dataset.yaml.
        pkl: which pkl files in the folders of sequences hold what, as there.

    Returns:
        All sequences, not only those of the shard.

    Raises:
        DataError, ConfigError: as `scan`.
    """
    catalogue = shard.absolute().parent.with_name("sequences.csv")
    sequences = scan(raw, layouts, obtain, catalogue, beside, pkl)
    write_sealed_table(shard, rows_text(deal(sequences.rows, of)[number - 1]))
    return sequences


def gather(shards: list[Path], catalogue: Path) -> int:
    """Writes the rows of all shards to one table, sorted by key; tells how many they are."""
    rows = sorted((row for shard in shards for row in read_rows(shard)), key=lambda row: row.key)
    write_sealed_table(catalogue, rows_text(rows))
    return len(rows)


def scan(
    raw: Path,
    layouts: list[str],
    obtain: str = "",
    catalogue: Path | None = None,
    beside: Mapping[str, str] | None = None,
    pkl: Pkl | None = None,
) -> Sequences:
    """Finds the sequences below `raw` with the one of `layouts` that finds any.

    Where one finds silhouettes and another poses, a file a frame, the sequences are those of the
    silhouettes, and the poses lie beside them.

    Args:
        raw: the dataset's raw folder, only read.
        layouts: names of the layouts that the dataset may have; without any there is nothing to
            find, and the message says what is expected instead.
        obtain: how the data can be had, for messages.
        catalogue: the table that the sequences are for, whether it is there or not. What archives
            hold is remembered beside it, in `journal/archives/`, as listing them takes long.
        beside: patterns of files of further modalities, as in a dataset.yaml.
        pkl: which pkl files in the folders of sequences hold what, as there.

    Raises:
        DataError: the folder is missing, holds no sequence in any of the layouts, holds sequences
            in two that cannot be paired, or holds a sequence twice; or the password of an archive
            is missing or wrong.
        ConfigError: no layout has one of the names.
    """
    known: dict[str, Layout] = {
        registry.canonical("layout", name): registry.build("layout", {"name": name})
        for name in layouts
    }
    if not known:
        raise DataError(_only_pkl(raw, obtain))
    if not raw.is_dir():
        got = "expected a folder, got a file" if raw.exists() else "there is no such folder"
        raise DataError(f"{raw}: {got}; {_wanted(known, obtain)}")
    patterns = beside or {}
    arrays = {} if pkl is None else places_of_arrays(pkl)
    places = [*patterns.values(), *arrays.values()]
    names = {any_name(each.rpartition("/")[2]) for each in places}
    listings = Listings(raw, None if catalogue is None else catalogue.parent, names)
    scans = {name: completed(layout.scan(raw), listings) for name, layout in known.items()}
    found = [(name, each) for name, each in scans.items() if each.rows]
    if not found:
        raise DataError(_nothing_found(raw, known, scans, obtain, listings))
    # Silhouettes first.
    found.sort(key=lambda each: each[1].rows[0].kind in WITHOUT_SILHOUETTES)
    folders: dict[SequenceKey, str] = {}
    further: list[ArchiveFile] = []
    if len(found) == 2 and _is_beside(found[1][1], found[0][1]):
        name, other = found.pop()
        _refuse_duplicates(raw, other.rows)
        folders = {row.key: row.source for row in other.rows}
        further = other.archives
        found = [(f"{found[0][0]} and {name}", found[0][1])]
    if len(found) > 1:
        forms = " and ".join(
            f"{len(each.rows)} sequences of {name} (such as {min(_sources(each.rows))})"
            for name, each in found
        )
        raise DataError(
            f"{raw}: holds {forms}, expected one form of the dataset; move the other one out of "
            "that folder, or take its name from 'layouts' in the dataset.yaml"
        )
    layout, only = found[0]
    rows = sorted(only.rows, key=lambda row: row.key)
    _refuse_duplicates(raw, rows)
    inside = Inside(raw, only.archives, further, patterns.values(), listings)
    rows, ignored = with_files_beside(raw, rows, only.ignored, patterns, inside, folders, pkl)
    return Sequences(layout, rows, dict(sorted(ignored.items())), only.frames)


def _is_beside(other: Scan, first: Scan) -> bool:
    """Whether one scan found poses, a file a frame, and the other silhouettes for them."""
    kinds = {row.kind for row in first.rows}
    return not kinds & {*WITHOUT_SILHOUETTES, "video"} and all(
        row.kind == "poses" for row in other.rows
    )


def _refuse_duplicates(raw: Path, rows: list[CatalogueRow]) -> None:
    sources: dict[SequenceKey, str] = {}
    twice = []
    for row in rows:
        if row.key in sources:
            twice.append(f"{row.key} in {sources[row.key]} and in {row.source}")
        sources[row.key] = row.source
    if twice:
        more = f" (and {len(twice) - 1} more such pairs)" if len(twice) > 1 else ""
        raise DataError(
            f"{raw}: expected each sequence once, got {twice[0]}{more}; move one of them out of "
            "that folder"
        )


def _wanted(known: dict[str, Layout], obtain: str) -> str:
    expected = ", or ".join(f"{layout.looked_for} ({name})" for name, layout in known.items())
    return f"expected there {expected}{_how(obtain)}"


def _only_pkl(raw: Path, obtain: str) -> str:
    """What a dataset whose raw files no layout reads has to be given as."""
    got = "" if raw.exists() else ", nor is it there"
    return (
        f"{raw}: no layout reads the raw files of this dataset{got}; expected a pkl tree, "
        f"{raw.with_name('pkl')}/<subject>/<condition>/<view>/*.pkl, without a folder "
        f"{raw.name} beside it{_how(obtain)}"
    )


def _how(obtain: str) -> str:
    how = f"; how to obtain it: {' '.join(obtain.split()).rstrip('.')}" if obtain else ""
    return f"{how}; meanwhile `{WITHOUT_DATA}` works without it"


def _nothing_found(
    raw: Path, known: dict[str, Layout], scans: dict[str, Scan], obtain: str, listings: Listings
) -> str:
    files = [folder.path_of(file.name) for folder in walk(raw, Counter()) for file in folder.files]
    examples = ", ".join(map(repr, files[:3]))
    got = f"only {len(files)} files such as {examples}" if files else "no file either"
    reasons = {
        reason: number
        for each in scans.values()
        for reason, number in each.ignored.items()
        if not reason.startswith("other ")
    }
    if reasons:
        first = [f"{reason}: {number}" for reason, number in sorted(reasons.items())[:5]]
        got += f" (not used: {'; '.join(first)})"
    if likely := guess(files):
        got += f", which look like {likely}"
    if fitting := _fitting(raw, known, listings):
        got += f", which would fit {fitting} under 'layouts' in the dataset.yaml"
    tree = raw.with_name("pkl")
    is_tree_meant = not files and tree.is_dir()
    instead = f"remove that folder to have {tree} taken over, or " if is_tree_meant else ""
    return f"{raw}: holds no sequence, {got}; {instead}{_wanted(known, obtain)}"


def _fitting(raw: Path, known: dict[str, Layout], listings: Listings) -> str:
    """Layouts that the dataset does not list and that would find sequences."""
    fitting = []
    for name in sorted(set(registry.names("layout")) - set(known)):
        # What is wrong under a layout that nobody asked for is not what the message is about.
        with suppress(GaitError):
            layout: Layout = registry.build("layout", {"name": name})
            if completed(layout.scan(raw), listings).rows:
                fitting.append(name)
    return " or ".join(fitting)


def _sources(rows: list[CatalogueRow]) -> list[str]:
    return [row.source for row in rows]
