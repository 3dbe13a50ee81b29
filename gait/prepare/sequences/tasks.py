"""What a shard's table asks to be aligned, and what each result depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gait.errors import DataError
from gait.files import confined
from gait.formats.catalogue import CatalogueRow, RowKind, companions_text, read_rows
from gait.formats.manifest import check_once, parse_drops, read_lines
from gait.modalities import COMPANIONS, POSE, SILHOUETTES, SKELETON_MAPS
from gait.prepare.catalogue.shards import archive_in_one_go
from gait.prepare.modalities import decoders, skeleton_maps
from gait.prepare.sequences.cache import file_state
from gait.types import SequenceKey

_MASK_COLUMNS = (
    "subject",
    "condition",
    "view",
    "silhouettes",
    "frames_read",
    "dropped",
    "fingerprint",
)


@dataclass(frozen=True, slots=True)
class PretreatItem:
    """A sequence to align.

    Attributes:
        key: subject, condition and view.
        fingerprint: of the sources, as the manifest tells it.
        state: changes whenever the aligned frames could.
        source: catalogue row of the images, or the file of masks; None when there are no masks.
        frames_read: frames of the video that the masks come from; 0 for images.
        dropped: frames dropped before, by reason.
        pose: file of the joints in each frame of the source; None where there is none.
        companions: kinds of its companion files.
        archive: the one that shards may be cut by; empty for none.
    """

    key: SequenceKey
    fingerprint: str
    state: str
    source: CatalogueRow | Path | None
    frames_read: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    pose: Path | None = None
    companions: frozenset[str] = frozenset()
    archive: str = ""

    @property
    def is_without_silhouettes(self) -> bool:
        """Whether the sequence has companion files only."""
        source = self.source
        return isinstance(source, CatalogueRow) and source.kind.has_only_companions

    @property
    def made(self) -> list[str]:
        """Modalities that its companion files give."""
        return sorted(each for kind in self.companions for each in COMPANIONS[kind])

    @property
    def modalities(self) -> set[str]:
        """All that can be made of the sequence."""
        return {SILHOUETTES, POSE, SKELETON_MAPS, *self.made}


def pretreat_items(shard: Path, raw: Path, root: Path, settings: str) -> list[PretreatItem]:
    """The sequences of a shard, as its table tells them.

    Args:
        shard: its part of the catalogue, or its table of silhouettes.
        raw: folder of the raw data.
        root: the dataset's folder.
        settings: what else the aligned frames depend on.

    Raises:
        DataError: the table cannot be used.
    """
    header = read_lines(shard, ("subject", "condition", "view", "fingerprint"))
    if not header:
        return []
    if "silhouettes" not in header[0]:
        return [_image_task(row, settings, shard) for row in read_rows(shard)]
    lines = read_lines(shard, _MASK_COLUMNS)
    tasks = [_mask_task(line, raw, root, settings, shard) for line in lines]
    check_once((task.key for task in tasks), shard, "delete it and run again")
    return tasks


def _image_task(row: CatalogueRow, settings: str, shard: Path) -> PretreatItem:
    if row.kind is RowKind.VIDEO:
        raise DataError(
            f"{shard}: expected silhouette images, got the video {row.source}; extract its "
            "silhouettes first and give their table (<shard>.silhouettes.csv)"
        )
    state = f"{settings} {row.fingerprint}"
    if row.companions:
        text = companions_text(row.companions)
        state += f" {skeleton_maps.ALGORITHM} {decoders.ALGORITHM} {text}"
    kinds = frozenset(each.kind for each in row.companions)
    archive = archive_in_one_go(row)
    return PretreatItem(row.key, row.fingerprint, state, row, companions=kinds, archive=archive)


def _mask_task(
    line: dict[str, str], raw: Path, root: Path, settings: str, shard: Path
) -> PretreatItem:
    key = SequenceKey(line["subject"], line["condition"], line["view"])
    try:
        frames_read, dropped = int(line["frames_read"]), parse_drops(line["dropped"])
    except ValueError as error:
        raise DataError(f"{shard}, sequence {key}: {error}; delete it and run again") from None
    masks = None
    if line["silhouettes"]:
        masks = confined(root, line["silhouettes"], shard, "silhouettes")
    # The file's own state as well, so that masks replaced by hand count as changed.
    state = f"{settings} {line['fingerprint']} {file_state(masks) if masks else 'no masks'}"
    # Tables of former versions have no such column.
    pose = confined(raw, line["pose"], shard) if line.get("pose") else None
    if pose:
        state += f" {skeleton_maps.ALGORITHM} {line['pose']} {file_state(pose)}"
    return PretreatItem(key, line["fingerprint"], state, masks, frames_read, dropped, pose)
