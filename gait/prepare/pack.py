"""Gathers pkl sequences into memory-mapped arrays, one per modality, that training reads from."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from gait.errors import DataError
from gait.files import atomic_path
from gait.formats.blocks import DIGESTS, write_digests
from gait.formats.catalogue import read_rows
from gait.formats.manifest import (
    ManifestRow,
    lines_text,
    manifest_text,
    read_manifest,
    told,
)
from gait.formats.seal import remove_sealed_table, sidecar, sidecar_line, write_sealed_table
from gait.modalities import MODALITIES, SILHOUETTES, offsets_name, packed_name
from gait.prepare.packed_arrays import ListedPkl, size_text, write_array, write_ragged
from gait.types import SequenceKey

INDEX_COLUMNS = ("subject", "condition", "view", "start", "frames", "sha256")


@dataclass(frozen=True, slots=True)
class PackSummary:
    """What the packed store holds; as text, one line.

    Attributes:
        sequences: sequences in the store.
        frames: frames in the store.
        lead: the modality that says what the frames are.
        size: the shape of a frame of it; nothing where it is each frame's own.
        left_out: sequences without a pkl.
        left_out_frames: their frames, by the reason each was dropped for.
        dropped: frames dropped from all sequences, by reason.
        guessed: frames in which something had to be guessed, by what.
        others: the modalities besides.
    """

    sequences: int
    frames: int
    lead: str
    size: tuple[int, ...]
    left_out: int
    left_out_frames: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    guessed: Counter[str] = field(default_factory=Counter)
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        kind = size_text(self.size)
        if self.lead != SILHOUETTES:
            kind = f"{self.lead} {kind}".rstrip()
        parts = [
            f"{self.sequences:,} sequences, {self.frames:,} frames of {kind} packed"
            + "".join(f", with {modality}" for modality in self.others)
        ]
        if self.dropped:
            parts.append(f"frames dropped before: {told(self.dropped)}")
        if self.guessed:
            parts.append(f"guessed in frames: {told(self.guessed)}")
        if self.left_out:
            parts.append(
                f"{self.left_out:,} sequences left out without a usable frame"
                + _because(self.left_out_frames)
            )
        return "; ".join(parts)


# The rows of a sequence by modality.
_Sequence = dict[str, ListedPkl]


def pack(
    manifests: list[Path],
    root: Path,
    manifest: Path,
    packed: Path,
    catalogue: Path | None = None,
) -> PackSummary:
    """Write the dataset's manifest and its packed store, or, on any failure, neither.

    A modality is in the store for every sequence or for none, with the frames in the same order;
    silhouettes are such a one. Where a dataset has them, they say which sequences are left out.
    Every pkl is checked against its manifest row. `index.csv` is written last, and is absent
    while an array changes, so a store that was cut short is never taken for a whole one. The
    digests of the arrays lie beside them, see `gait.formats.blocks`.

    Args:
        manifests: the manifests of all shards.
        root: the dataset's folder, which the manifests' paths lie below.
        manifest: the manifest of the dataset, all rows sorted by key; left alone if unchanged.
        packed: folder that gets an array [total frames, ...] for each modality, silhouettes as
            `frames.npy` and others as `<modality>.npy`, and `index.csv`. A ragged modality gets
            an array [total rows, ...] and `<modality>.offsets.npy`, int64 [total frames + 1]: the
            rows of frame i are those from offset i up to offset i + 1. Arrays of modalities that
            are no more are removed.
        catalogue: the table of all sequences, each of which has to be accounted for.

    Raises:
        DataError: a manifest or pkl cannot be used or does not fit the others, a sequence lacks a
            modality that others have, no sequence has a frame, or a file cannot be written.
    """
    listed = _listed(manifests)
    if catalogue is not None:
        _account_for(catalogue, listed)
    lead = _lead(listed)
    rows = [each[lead].row for each in listed.values() if lead in each]
    kept = [each for each in listed.values() if lead not in each or each[lead].row.pkl]
    if not any(row.pkl for row in rows):
        drops = _drops(rows)
        raise DataError(
            f"{root}: expected sequences with usable {lead}, got {len(rows)} sequences of "
            f"which none has any{_because(drops)}; look at "
            f"{', '.join(map(str, manifests)) or 'the shards'} for each of them"
        )
    modalities = _modalities(kept, lead)
    text = manifest_text(each.row for sequence in listed.values() for each in sequence.values())
    index = packed / "index.csv"
    # What is entered first is put in place last.
    with ExitStack() as stack:
        index_text = _index_text(kept, modalities)
        stack.enter_context(atomic_path(index)).write_text(index_text, encoding="utf-8")
        new_sidecar = stack.enter_context(atomic_path(sidecar(index)))
        new_sidecar.write_bytes(sidecar_line(index.name, index_text.encode()))
        new_digests = stack.enter_context(atomic_path(packed / DIGESTS))
        arrays: dict[str, Path] = {}
        sizes: dict[str, tuple[int, ...]] = {}
        for modality in modalities:
            name, offsets = packed_name(modality), offsets_name(modality)
            arrays[name] = stack.enter_context(atomic_path(packed / name))
            files = [sequence[modality] for sequence in kept]
            if MODALITIES[modality].is_ragged:
                arrays[offsets] = stack.enter_context(atomic_path(packed / offsets))
                write_ragged(arrays[name], arrays[offsets], files, root)
            else:
                sizes[modality] = write_array(arrays[name], files, root)
        write_digests(new_digests, arrays)
        write_sealed_table(manifest, text)
        remove_sealed_table(index)
        for modality in MODALITIES.keys() - set(modalities):
            (packed / packed_name(modality)).unlink(missing_ok=True)
            (packed / offsets_name(modality)).unlink(missing_ok=True)
    empty = [row for row in rows if not row.pkl]
    return PackSummary(
        sequences=len(kept),
        frames=sum(each[lead].row.frames_kept for each in kept),
        lead=lead,
        size=sizes.get(lead, ()),
        left_out=len(empty),
        left_out_frames=_drops(empty),
        dropped=_drops(rows),
        guessed=sum((Counter(row.guessed) for row in rows), Counter()),
        others=tuple(modalities[1:]),
    )


def _account_for(catalogue: Path, listed: dict[SequenceKey, _Sequence]) -> None:
    lost = {row.key for row in read_rows(catalogue)} - listed.keys()
    if lost:
        raise DataError(
            f"{catalogue}: lists {min(lost)} and {len(lost) - 1} more sequences of which no shard "
            "says what became; delete the shards' pkl.csv to have them made again"
        )


def _listed(manifests: list[Path]) -> dict[SequenceKey, _Sequence]:
    """All sequences, sorted by key."""
    listed: dict[SequenceKey, _Sequence] = {}
    for manifest in manifests:
        for row in read_manifest(manifest):
            sequence = listed.setdefault(row.key, {})
            former = sequence.setdefault(row.modality, ListedPkl(row, manifest))
            if former.row is not row:
                raise DataError(
                    f"{manifest}: sequence {row.key} is also in {former.manifest}; each may be "
                    "listed once; delete the shards' tables and run again"
                )
    return {key: listed[key] for key in sorted(listed)}


def _lead(listed: dict[SequenceKey, _Sequence]) -> str:
    """The modality that says what a sequence's frames are: silhouettes where there are any."""
    found = {modality for each in listed.values() for modality in each}
    usable = {name for each in listed.values() for name in each if each[name].row.pkl}
    if SILHOUETTES in found or not found:
        return SILHOUETTES
    return min(usable or found)


def _modalities(kept: list[_Sequence], lead: str) -> list[str]:
    """What the sequences have, `lead` first: each modality with as many frames in each.

    Raises:
        DataError: a sequence lacks one that others have, or has another number of frames of it.
    """
    found = {modality for each in kept for modality, listed in each.items() if listed.row.pkl}
    modalities = [lead, *sorted(found - {lead})]
    for modality in modalities:
        lacking = [each for each in kept if modality not in each or not each[modality].row.pkl]
        if lacking:
            first = lacking[0]
            has = min(first.values(), key=lambda each: each.row.modality)
            reasons = _drops([first[modality].row]) if modality in first else Counter[str]()
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            raise DataError(
                f"{has.manifest}: sequence {has.row.key}{more} has no {modality}"
                f"{_because(reasons)}, which {len(kept) - len(lacking)} others have; give it to "
                "every sequence or to none: add or mend the files it comes from, or move those of "
                "the others away"
            )
        for each in kept:
            row, frames = each[modality].row, each[lead].row.frames_kept
            if row.frames_kept != frames:
                raise DataError(
                    f"{each[modality].manifest}: {row.pkl} has {row.frames_kept} frames, expected "
                    f"the {frames} of {each[lead].row.pkl}; make both from the same frames"
                )
    return modalities


def _index_text(kept: list[_Sequence], modalities: list[str]) -> str:
    lines = []
    start = 0
    for sequence in kept:
        row = sequence[modalities[0]].row
        digest = _digest([sequence[modality].row for modality in modalities])
        values = (*row.key, str(start), str(row.frames_kept), digest)
        lines.append(dict(zip(INDEX_COLUMNS, values, strict=True)))
        start += row.frames_kept
    return lines_text(INDEX_COLUMNS, lines)


def _digest(rows: list[ManifestRow]) -> str:
    """Digest of all modalities of a sequence; where there is one, that of its frames."""
    if len(rows) == 1:
        return rows[0].sha256
    text = "".join(f"{row.modality} {row.sha256}\n" for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()


def _drops(rows: list[ManifestRow]) -> Counter[str]:
    dropped: Counter[str] = Counter()
    for row in rows:
        dropped.update(row.dropped)
    return dropped


def _because(dropped: Counter[str]) -> str:
    return f" (frames: {told(dropped)})" if dropped else ""
